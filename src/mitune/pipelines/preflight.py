"""What can be known to be wrong before any model is loaded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open

from mitune.backbones.base import ModelRef, absent_parts, part_names, pipeline_class
from mitune.candidates import ESTIMATES, Generation
from mitune.composition import RandomK
from mitune.errors import UserError
from mitune.pipelines.compose.parameters import Compose
from mitune.pipelines.evaluate.metrics import Metrics


def check_choice(name: str, choice: Compose, settings: Generation) -> None:
    """A composition must find its k candidates and its score.

    Raises
    ------
    UserError
        Naming the field.
    """
    selection = choice.selection
    if selection.k > settings.images_per_prompt:
        raise UserError(
            f"{name}.selection.k is {selection.k}, but generate.images_per_prompt is only "
            f"{settings.images_per_prompt}; lower k or raise images_per_prompt"
        )
    if isinstance(selection, RandomK):
        return
    scoring = settings.scoring
    made = [name for name in ESTIMATES if getattr(scoring, name) is not None]
    if selection.score not in made:
        raise UserError(
            f"{name}.selection.score is {selection.score!r}, but generate.scoring makes only "
            f"{', '.join(made) or 'nothing'}; add it there or choose one of them"
        )


def check_model(model: ModelRef) -> None:
    """The model's folder must be whole; a hub id is left to the hub.

    Raises
    ------
    ModelError, UserError
        Naming the file.
    """
    folder = Path(model.path)
    if not folder.is_dir() and model.revision is not None:
        return
    pipeline_class(model)
    # What every family has, and what this one has besides.
    absent = absent_parts(model)
    parts = [folder / part for part in ("vae", "text_encoder")] + [
        folder / part
        for part in ("unet", "transformer", "text_encoder_2", "text_encoder_3")
        if part in part_names(model) and part not in absent
    ]
    for part in parts:
        if not list(part.glob("*.safetensors")) and not list(part.glob("*.bin")):
            raise UserError(f"{part}: no weights; restore or download the folder again")
    check_weights(file for part in parts for file in part.glob("*.safetensors"))


def check_metrics(metrics: Metrics) -> None:
    """Weights that metrics read from local files must be there and whole."""
    for name, config in metrics.scorers.items():
        path = Path(config.path)
        if not path.exists():
            raise UserError(
                f"metrics.scorers.{name}.path: {path} not found; restore it with `git checkout -- "
                "data/06_models`, or correct the path"
            )
        check_weights([path] if path.is_file() else path.glob("*.safetensors"))


def check_weights(files: Iterable[Path]) -> None:
    """Headers must agree with file sizes; nothing is read into memory.

    Raises
    ------
    UserError
        Naming the file.
    """
    for file in files:
        try:
            with safe_open(file, framework="pt"):
                pass
        except (SafetensorError, OSError) as error:
            raise UserError(
                f"{file}: truncated or not a safetensors file ({str(error).splitlines()[0]}); "
                "restore it"
            ) from None


def check_choices(choices: Mapping[str, Compose], settings: Generation) -> None:
    """All compositions of a run."""
    for name, choice in choices.items():
        check_choice(name, choice, settings)
