"""Look at parameters and files before the first node; say the user's errors in one line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import click
from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines
from kedro.io import AbstractVersionedDataset, CatalogProtocol, DatasetError
from kedro.pipeline import Pipeline
from kedro.validation.exceptions import ParameterValidationError
from pydantic import BaseModel, ValidationError

from mitune.errors import UserError
from mitune.hooks.choosing import COMPOSITIONS
from mitune.hooks.names import check_session
from mitune.hooks.telling import fields, flat, one_line

# What is resumed, and what a result came from, is known by the order in which nodes begin and end.
OTHER_RUNNER = (
    "nodes run one after the other, or what made a result would not be known; leave --runner and "
    "--async out: resources.workers says how many processes share the work of a node"
)
_CHOICE = f"params:{COMPOSITIONS}"
Settings = TypeVar("Settings", bound=BaseModel)


class PreflightHooks:
    """Checks run only for what the requested nodes use."""

    @hook_impl(trylast=True)
    def after_context_created(self, context: Any) -> None:
        """Refuse misspelt names and wrong values: one line per field."""
        wrong = list(check_session(context.config_loader))
        if wrong:
            raise click.ClickException("\n".join(wrong))
        try:
            context.params  # reading them validates them  # noqa: B018
        except ParameterValidationError as error:
            raise click.ClickException(_fields(error)) from None

    @hook_impl
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol
    ) -> None:
        """Cross-check parameters; look for model and metric files."""
        _check_runner(str(run_params.get("runner")))
        from mitune.candidates import Generation
        from mitune.pipelines.shared import preflight
        from mitune.pipelines.studies.preflight import check_benches

        used = pipeline.inputs()
        try:
            _check_versions(run_params.get("load_versions") or {}, catalog)
            choices = {
                name.removeprefix("params:"): catalog.load(name)
                for name in sorted(used)
                if name.startswith(_CHOICE)
            }
            _check_made(used, catalog)
            if choices or "params:generate" in used:
                generate = _typed(Generation, "generate", catalog)
                _check_choices(choices, generate, pipeline, catalog)
                if any("rank" in node.tags for node in pipeline.nodes):
                    preflight.check_ranking(generate)
            if {"prompt_files", "params:prompts"} <= used:
                preflight.check_prompts(
                    catalog.load("prompt_files"), catalog.load("params:prompts")
                )
            for name in sorted({"base_model", "image_source"} & used):
                preflight.check_model(catalog.load(name))
            _check_guidance(used, catalog)
            _check_chosen_metrics(pipeline, catalog)
            _check_methods(choices, pipeline, catalog)
            check_benches(used, lambda kind, block: _typed(kind, block, catalog))
            if "params:metrics" in used:
                preflight.check_metrics(catalog.load("params:metrics"))
            if {"images", "params:metrics"} <= used:
                preflight.check_images(catalog.load("images"), catalog.load("params:metrics"))
            if "params:quality" in used:
                preflight.check_quality(catalog.load("params:quality"))
        except (UserError, DatasetError, OSError) as error:
            line = one_line(error)
            if line is None:
                raise
            raise click.ClickException(line) from None

    @hook_impl(trylast=True)
    def on_pipeline_error(self, error: Exception) -> None:
        """A user's error ends the run with one line; anything else keeps its traceback."""
        line = one_line(error)
        if line is not None:
            raise click.ClickException(line) from None


def _check_runner(runner: str) -> None:
    """`runner` as Kedro's records have it; None is its default. Raises ClickException."""
    if runner != "None" and not re.search(r"\bSequentialRunner\b", runner):
        raise click.ClickException(f"{runner}: {OTHER_RUNNER}")


def _typed(settings: type[Settings], block: str, catalog: CatalogProtocol) -> Settings:
    """A block of parameters: Kedro makes one typed only where a node of the run reads it."""
    try:
        return settings.model_validate(catalog.load(f"params:{block}"))
    except ValidationError as error:
        raise click.ClickException(fields(f"parameters, {block}.", error)) from None


def _check_choices(
    choices: Mapping[str, Any], generate: Any, pipeline: Pipeline, catalog: CatalogProtocol
) -> None:
    """Compositions must find their candidates and scores, and make what is trained on.

    Raises UserError.
    """
    from mitune.pipelines.arms import ARMS
    from mitune.pipelines.compose.preflight import check_choices, check_rows
    from mitune.pipelines.shared.metrics import Metrics

    if choices:
        check_choices(choices, generate, _typed(Metrics, "metrics", catalog))
    nodes = {node.name for node in pipeline.nodes}
    for arm in ARMS.values():
        if {f"{arm.name}.compose.compose", f"{arm.name}.finetune.train"} <= nodes:
            training = catalog.load(f"params:{arm.finetuning}")
            check_rows(arm, choices[str(arm.composition)], training)


def _check_chosen_metrics(pipeline: Pipeline, catalog: CatalogProtocol) -> None:
    """What adapters are trained by must be among the metrics. Raises UserError."""
    from mitune.pipelines.finetune.by_metric import train_by_metric
    from mitune.pipelines.finetune.preflight import check_metric
    from mitune.training.finetuning import Finetuning

    reading = [node.inputs for node in pipeline.nodes if node.func is train_by_metric]
    names = {name for inputs in reading for name in inputs if name.startswith("params:")}
    for name in sorted(names):
        settings = catalog.load(name)
        if isinstance(settings, Finetuning):
            check_metric(name.removeprefix("params:"), settings, catalog.load("params:metrics"))


def _check_methods(
    choices: Mapping[str, Any], pipeline: Pipeline, catalog: CatalogProtocol
) -> None:
    """Arms of the bench must be trainable at every point. Raises UserError."""
    from mitune.pipelines.arms import METHODS
    from mitune.pipelines.compare.parameters import Compare
    from mitune.pipelines.compare.preflight import check_methods
    from mitune.pipelines.shared.metrics import Metrics
    from mitune.training.finetuning import Finetuning

    nodes = {node.name for node in pipeline.nodes}
    searched = [arm for arm in METHODS if f"{arm.name}.search.try_points" in nodes]
    if searched:
        check_methods(
            searched,
            _typed(Compare, "compare", catalog),
            choices,
            _typed(Finetuning, "finetune", catalog),
            _typed(Metrics, "metrics", catalog),
        )


def _check_guidance(used: set[str], catalog: CatalogProtocol) -> None:
    """The model must have what the guidance of every stage reads. Raises UserError."""
    from mitune.candidates import Generation
    from mitune.pipelines.shared.preflight import check_guidance
    from mitune.pipelines.shared.schedule import check_schedule

    for name in sorted(used) if "base_model" in used else ():
        settings = catalog.load(name) if name.startswith("params:") else None
        if isinstance(settings, Generation):
            block, model = name.removeprefix("params:"), catalog.load("base_model")
            check_guidance(block, settings, model)
            check_schedule(block, settings, _painter(block, catalog) or model)


def _painter(block: str, catalog: CatalogProtocol) -> Any:
    """Who paints the candidates, if not the model itself."""
    return catalog.load("image_source") if block == "generate" else None


def _check_versions(versions: Mapping[str, str], catalog: CatalogProtocol) -> None:
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


def _check_made(used: set[str], catalog: CatalogProtocol) -> None:
    """What another stage makes must be there. Raises UserError, naming it and the stage."""
    makers = {
        output: node.name
        for pipeline in pipelines.values()
        for node in pipeline.nodes
        for output in node.outputs
    }
    for name in sorted(used & makers.keys()):
        if not catalog.exists(name):
            raise UserError(
                f"{name}: nothing there yet; run what makes it first (node {makers[name]}), or "
                "name the campaign that has it"
            )


def _fields(error: ParameterValidationError) -> str:
    """`parameters, finetune.lerning_rate: no such name`, one line for each."""
    found, block, field = [], "", ""
    for line in str(error).splitlines():
        named = re.match(r"- Parameter '(.+?)': (.*)", line)
        if named:
            block, field = named.group(1), ""
            if "validation error" not in named.group(2):
                found.append(f"parameters, {block}: {named.group(2)}")
        elif line.startswith("    "):
            continue  # a link to the documentation of pydantic
        elif line.startswith("  "):
            reason = line.strip().split(" [type=")[0]
            unknown = "Extra inputs are not permitted"
            given = re.search(r"input_value=([^{].*), input_type=", line)
            got = f", not {given.group(1)}" if given and unknown not in reason else ""
            reason = reason.replace(unknown, "no such name").removeprefix("Value error, ")
            found.append(f"parameters, {block}{field}: {reason}{got}")
        elif not line.startswith("Parameter validation failed"):
            field = f".{line.strip()}"
    return "\n".join(found) or flat(error)
