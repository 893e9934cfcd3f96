"""`kedro export-images`: test images as files for others' scripts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from kedro.framework.cli.utils import env_option
from kedro.io import DatasetError

from mitune.cli.catalogs import run_catalog
from mitune.cli.options import params_option
from mitune.errors import UserError
from mitune.pipelines.arms import ARMS


@click.command(name="export-images")
@click.argument("model")
@click.argument("folder", type=click.Path(path_type=Path))
@env_option
@params_option
@click.option("--category", default=None, help="Of one alone, as T2I-CompBench's scripts take it.")
@click.pass_obj
def export_images(
    project: Any, model: str, folder: Path, env: str | None, params: Any, category: str | None
) -> None:
    """Write the test images of MODEL (`base`, `round_2`, `random_k`) to FOLDER, as PNG.

    In T2I-CompBench's layout, so that its scripts can score them, and with a manifest.
    """
    from mitune.pipelines.evaluate import export

    name = model.removesuffix(".test_images")
    if name not in ARMS:
        raise click.ClickException(f"no model {name!r}; choose of {', '.join(ARMS)}")
    with run_catalog(project, env, params) as catalog:
        try:
            written = sum(export.export_images(catalog, ARMS[name], folder, category))
        except (UserError, DatasetError) as error:
            raise click.ClickException(" ".join(str(error).split())) from None
    click.echo(f"{written} pictures in {folder}; score them with")
    where = f" --env={env}" if env else ""
    click.echo(f"kedro run{where} --pipeline=score --params=images={folder.absolute()}")
