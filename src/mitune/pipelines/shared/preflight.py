"""What can be known to be wrong before any model is loaded."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd
from safetensors import SafetensorError, safe_open

from mitune.backbones import ModelRef, family_of
from mitune.backbones.model_index import absent_parts, model_index
from mitune.backbones.parts import WEIGHTED
from mitune.candidates import Generation
from mitune.errors import UserError
from mitune.image_folder import read_folder
from mitune.language import require_parser
from mitune.metrics.base import Metric
from mitune.metrics.references import PictureFolder
from mitune.metrics.remedy import remedy
from mitune.pipelines.prompts.parameters import Prompts
from mitune.pipelines.quality.parameters import QualitySettings
from mitune.pipelines.shared.metrics import Metrics
from mitune.prompts import read_splits

_REPRESENTATIVES = 3


def check_ranking(settings: Generation) -> None:
    """Tau is taken over the first, the middle and the last candidate.

    Raises
    ------
    UserError
        If there are not three.
    """
    if settings.images_per_prompt < _REPRESENTATIVES:
        raise UserError(
            f"generate.images_per_prompt is {settings.images_per_prompt}, but stage `rank` "
            "compares three candidates of a prompt; raise it to 3 or leave `rank` out"
        )


def check_prompts(folder: Path, settings: Prompts) -> pd.DataFrame:
    """Every category must have its files, and they their prompts: those that will be drawn.

    Raises
    ------
    PromptError, TextError
        Naming the file, and the line if there is one.
    """
    drawn = read_splits(
        settings.source, folder, settings.categories, settings.per_category, settings.seed
    )
    return pd.concat(drawn.values(), ignore_index=True)


def check_readable(prompts: pd.DataFrame, metrics: Metrics) -> None:
    """Every metric must be able to read the prompts that it will measure.

    Raises
    ------
    MetricError
        Naming the prompt.
    """
    for config in metrics.scorers.values():
        config.check(list(prompts["prompt"].unique()))


def check_model(model: ModelRef | None) -> None:
    """The model's folder must be whole, or the hub must know it; no model is none.

    Raises
    ------
    ModelError, UserError
        Naming the file.
    """
    if model is None:
        return
    family_of(model)
    index = model_index(model)
    if model.from_hub:
        return  # its weights come when they are needed
    absent = absent_parts(index)
    parts = [Path(model.path) / part for part in index if part in WEIGHTED and part not in absent]
    for part in parts:
        if not list(part.glob("*.safetensors")) and not list(part.glob("*.bin")):
            raise UserError(f"{part}: no weights; restore or download the folder again")
    check_weights(file for part in parts for file in part.glob("*.safetensors"))


def check_guidance(name: str, settings: Generation, model: ModelRef) -> None:
    """A guidance that reads attention needs a UNet, and one that reads prompts its parser.

    Raises
    ------
    UserError
        Naming the field.
    """
    if settings.guidance.reads_attention and family_of(model).network_name != "unet":
        raise UserError(
            f"{name}.guidance.kind is {settings.guidance.kind!r}, which reads a UNet's attention; "
            f"{model.path} attends to texts and image jointly: use classifier_free"
        )
    for field, parser in settings.guidance.parsers.items():
        require_parser(parser, f"{name}.guidance.{field}")


def check_metrics(metrics: Metrics) -> None:
    """Weights that metrics read from local files must be there and whole, and their parsers."""
    for name, config in metrics.scorers.items():
        check_files(f"metrics.scorers.{name}", config)
        for field, parser in config.parsers.items():
            require_parser(parser, f"metrics.scorers.{name}.{field}")


def check_quality(settings: QualitySettings) -> None:
    """Weights of embedders and the folder of references must be there.

    Raises
    ------
    UserError
        Naming the field.
    """
    for name, measure in settings.measures.items():
        check_files(f"quality.measures.{name}.embedder", measure.embedder)
    reference = settings.reference
    if isinstance(reference, PictureFolder) and not reference.path.is_dir():
        raise UserError(
            f"quality.reference.path: {reference.path} is no folder; put reference pictures there, "
            "or correct the path"
        )


def check_files(where: str, metric: Metric) -> None:
    """Weights that one metric reads from local files must be there and whole.

    Raises
    ------
    UserError
        Naming the field, which is `where` and one of the metric's.
    """
    for field, path in metric.files.items():
        if not path.exists():
            raise UserError(f"{where}.{field}: {path} not found; {remedy(path)}")
        # Only safetensors tell that they are cut off without being read.
        files = [path] if path.is_file() else path.iterdir()
        check_weights(file for file in files if file.suffix == ".safetensors")


def check_images(folder: Path, metrics: Metrics) -> None:
    """Pictures must open, and every metric must be able to read their prompts.

    Raises
    ------
    ImageFolderError, MetricError
        Naming the file or the prompt.
    """
    prompts = list(read_folder(folder)["prompt"].unique())
    for config in metrics.scorers.values():
        config.check(prompts)


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
