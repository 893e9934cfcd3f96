"""The project's data: as a run sees it, or only what is on disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from kedro.framework.context.context import _convert_paths_to_absolute_posix
from kedro.framework.project import settings
from kedro.framework.session import KedroSession
from kedro.framework.startup import ProjectMetadata
from kedro.io import CatalogProtocol, DataCatalog

from mitune.hooks.names import check_session


@contextmanager
def run_catalog(
    project: ProjectMetadata, env: str | None, params: dict[str, Any]
) -> Iterator[CatalogProtocol]:
    """Parameters included, checked against every pipeline: all that computes is imported."""
    with KedroSession.create(project.project_path, env=env, runtime_params=params) as session:
        yield session.load_context().catalog


def disk_catalog(
    project: ProjectMetadata, env: str | None, params: dict[str, Any]
) -> tuple[DataCatalog, dict[str, Any]]:
    """(datasets, parameters as they are written): what was made is read without what made it.

    Raises
    ------
    ClickException
        For a misspelt name of a parameter or a global.
    """
    source = Path(project.project_path) / settings.CONF_SOURCE
    loader = settings.CONFIG_LOADER_CLASS(
        conf_source=str(source),
        env=env or os.getenv("KEDRO_ENV"),
        runtime_params=params,
        **settings.CONFIG_LOADER_ARGS,
    )
    parameters = loader["parameters"]
    wrong = list(check_session(loader))
    if wrong:
        raise click.ClickException("\n".join(wrong))
    datasets = _convert_paths_to_absolute_posix(project.project_path, loader["catalog"])
    return DataCatalog.from_config(datasets), parameters
