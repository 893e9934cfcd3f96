"""Where prompts come from, one layout per file; the union is the registry."""

from typing import Annotated, TypeAlias

from pydantic import Field

from mitune.prompt_sources.base import PromptError, PromptLine, PromptSource, Split
from mitune.prompt_sources.diffusion_db import DiffusionDB
from mitune.prompt_sources.hps import HPSv2
from mitune.prompt_sources.split_files import SplitFiles
from mitune.prompt_sources.t2i_compbench import T2ICompBench
from mitune.prompt_sources.table import Captions, PartiPrompts, PlainText

__all__ = [
    "Captions",
    "DiffusionDB",
    "HPSv2",
    "PartiPrompts",
    "PlainText",
    "PromptError",
    "PromptLine",
    "PromptSource",
    "SourceConfig",
    "Split",
    "SplitFiles",
    "T2ICompBench",
]

SourceConfig: TypeAlias = Annotated[
    SplitFiles | T2ICompBench | DiffusionDB | HPSv2 | PartiPrompts | Captions | PlainText,
    Field(discriminator="kind"),
]
