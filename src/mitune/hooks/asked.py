"""What a run is asked for besides pipelines and parameters: a runner, versions to load."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import click
from kedro.io import AbstractVersionedDataset, CatalogProtocol

from mitune.errors import UserError

# What is resumed, and what a result came from, is known by the order in which nodes begin and end.
OTHER_RUNNER = (
    "nodes run one after the other, or what made a result would not be known; leave --runner and "
    "--async out: resources.workers says how many processes share the work of a node"
)


def check_runner(runner: str) -> None:
    """`runner` as Kedro's records have it; None is its default. Raises ClickException."""
    if runner != "None" and not re.search(r"\bSequentialRunner\b", runner):
        raise click.ClickException(f"{runner}: {OTHER_RUNNER}")


def check_versions(versions: Mapping[str, str], catalog: CatalogProtocol) -> None:
    """Versions that were asked for must be there, whoever reads them. Raises UserError."""
    for name, version in versions.items():
        dataset = catalog.get(name) if name in catalog else None
        if not isinstance(dataset, AbstractVersionedDataset):
            raise UserError(f"--load-versions, {name}: keeps no versions; leave it out")
        if not dataset.exists():
            folder = Path(str(dataset._filepath))
            there = sorted(file.name for file in folder.glob("*")) or ["none"]
            raise UserError(
                f"--load-versions, {name}: no version {version!r}; there is {', '.join(there)}"
            )
