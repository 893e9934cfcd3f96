"""The benchmark of HPS v2 (Wu et al. 2023): one JSON list of prompts per style."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from mitune.prompt_sources.base import (
    Lines,
    PromptError,
    PromptLine,
    Split,
    chosen,
    distinct,
)
from mitune.texts import check_characters, read_json


class HPSv2(BaseModel):
    """Folder `benchmark/` of HPDv2: `anime.json`, `photo.json` and others, a list each.

    The styles are the categories.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["hps_v2"] = "hps_v2"

    def read(self, path: Path, categories: Sequence[str]) -> Mapping[Split, Lines]:
        """One pool of all styles."""
        files = sorted(path.glob("*.json"))
        if not files:
            raise PromptError(f"{path}: no style.json files; point globals.yml to `benchmark/`")
        lines = [line for file in files for line in _style(file)]
        return {"train": distinct(chosen(lines, categories, path))}


def _style(file: Path) -> list[PromptLine]:
    prompts = read_json(file)
    if not isinstance(prompts, list) or not all(isinstance(p, str) for p in prompts):
        raise PromptError(f"{file}: not a list of prompts; restore it")
    for number, prompt in enumerate(prompts, start=1):
        check_characters(prompt, f"{file}, prompt {number}")
    return [PromptLine(p.strip(), file.stem, file.name, i) for i, p in enumerate(prompts, 1) if p]
