"""A campaign is one run's at a time, and nobody's when that has ended."""

from pathlib import Path

import click
import pluggy
import pytest
from kedro.framework.hooks.markers import HOOK_NAMESPACE, hook_impl
from kedro.framework.hooks.specs import PipelineSpecs
from kedro.io import DataCatalog

from mitune.datasets import FolderDataset
from mitune.hooks.at_work import AtWorkHooks


class _Refusing:
    @hook_impl
    def before_pipeline_run(self) -> None:
        raise click.ClickException("refused")


def _manager(*plugins: object) -> pluggy.PluginManager:
    manager = pluggy.PluginManager(HOOK_NAMESPACE)
    manager.add_hookspecs(PipelineSpecs)
    for plugin in plugins:
        manager.register(plugin)
    return manager


def _begin(manager: pluggy.PluginManager, folder: Path) -> None:
    records = FolderDataset(filepath=str(folder / "lineage"), create=True)
    manager.hook.before_pipeline_run(
        run_params={}, pipeline=None, catalog=DataCatalog({"lineage_records": records})
    )


def test_a_second_run_is_refused_until_the_first_has_ended(tmp_path: Path) -> None:
    first, second = _manager(AtWorkHooks()), _manager(AtWorkHooks())
    _begin(first, tmp_path)
    with pytest.raises(click.ClickException, match=r"another run is at work .*\(process \d+ since"):
        _begin(second, tmp_path)
    _begin(second, tmp_path / "another")
    first.hook.after_pipeline_run(run_params={}, run_result={}, pipeline=None, catalog=None)
    _begin(second, tmp_path)
    second.hook.on_pipeline_error(error=Exception(), run_params={}, pipeline=None, catalog=None)
    _begin(first, tmp_path)


def test_a_run_that_is_refused_holds_nothing(tmp_path: Path) -> None:
    with pytest.raises(click.ClickException, match="refused"):
        _begin(_manager(AtWorkHooks(), _Refusing()), tmp_path)
    _begin(_manager(AtWorkHooks()), tmp_path)
