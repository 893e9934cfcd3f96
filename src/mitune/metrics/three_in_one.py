"""3-in-1 of T2I-CompBench (Huang et al. 2023), for prompts of category "complex".

The mean of those of BLIP-VQA, 2D-spatial and CLIP-score that apply to a prompt. With spatial scores
of an open-vocabulary detector it is not the published 3-in-1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import ClassVar, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from mitune.language import ParserName, Reading, open_reader, reader_version
from mitune.language.nouns import is_being, is_verb, words
from mitune.language.relations import find_wording
from mitune.metrics.base import Metric, MetricError, Scorer
from mitune.metrics.blip_vqa import BlipVqa
from mitune.metrics.clip_score import ClipScore
from mitune.metrics.spatial_2d import OFFICIAL_WORDINGS, Spatial2D
from mitune.metrics.units import Units

Kind: TypeAlias = Literal["spatial", "action", "both"]

_FILES: Mapping[str, Kind] = {"spatial": "spatial", "action": "action", "spatialaction": "both"}
_PARTS: Mapping[Kind, tuple[str, ...]] = {
    "spatial": ("vqa", "spatial"),
    "action": ("vqa", "clip"),
    "both": ("vqa", "spatial", "clip"),
}


class ThreeInOne(Metric):
    """Spatial prompts: (vqa + spatial) / 2; action: (vqa + clip) / 2; both: all three / 3.

    CLIP-score is of the prompt without what `parser` tags as adjectives, as in the official code's
    mode for complex prompts; `adjectives: kept` scores the whole prompt.

    `benchmark` is the folder with the three files of the benchmark that say which prompt is which;
    without, `kind_of` reads it from the prompt. Pictures are scored one by one: unlike the official
    code, nothing is assumed of images per prompt or order.
    """

    scale: ClassVar[str] = "mean of two probabilities and a cosine, about 0 to 1"
    units: ClassVar[Units] = Units("index")
    preprocessing: ClassVar[str] = "that of its parts"
    label_match: ClassVar[Literal["equal", "contain"]] = Spatial2D.label_match

    kind: Literal["three_in_one"] = "three_in_one"
    vqa: BlipVqa
    spatial: Spatial2D
    clip: ClipScore
    benchmark: Path | None = None
    adjectives: Literal["dropped", "kept"] = "dropped"
    parser: ParserName = "spacy"

    @property
    def files(self) -> dict[str, Path]:
        """Those of its parts, and the folder that says which prompt is which."""
        given = {"benchmark": self.benchmark} if self.benchmark else {}
        return {**super().files, **given}

    @property
    def parsers(self) -> dict[str, ParserName]:
        """Those of its parts, and its own if it drops adjectives."""
        own: dict[str, ParserName] = {"parser": self.parser}
        return {**super().parsers, **(own if self.adjectives == "dropped" else {})}

    @property
    def provenance(self) -> dict[str, str]:
        """With the version of what finds adjectives."""
        return {**super().provenance, "parser": reader_version(self.parser)}

    def kinds(self, prompts: Sequence[str]) -> list[Kind]:
        """What applies to each prompt.

        Raises
        ------
        MetricError
            If a file of `benchmark` is missing, or naming the prompt that none of them has.
        """
        given = self._given()
        return [_looked_up(prompt, given) for prompt in prompts]

    def names(self, prompt: str) -> tuple[str, ...] | None:
        """What the spatial part's detector is asked for; None for kinds without that part.

        Raises
        ------
        MetricError
            As `kinds`.
        """
        (kind,) = self.kinds([prompt])
        return self.spatial.names(prompt) if "spatial" in _PARTS[kind] else None

    def _given(self) -> dict[str, Kind] | None:
        return read_kinds(self.benchmark) if self.benchmark else None

    def check(self, prompts: Sequence[str]) -> None:
        """Refuse prompts of no known kind, or that a parser cannot read. Raises UserError."""
        self.kinds(prompts)
        super().check(prompts)

    def load(self, device: torch.device) -> Scorer:
        """Read the weights of all three.

        Raises
        ------
        UserError
            If some are missing or truncated, or a parser is not installed.
        """
        reader = None if self.adjectives == "kept" else open_reader(self.parser, "parser")
        parts = {
            "vqa": self.vqa.load(device),
            "spatial": self.spatial.load(device),
            "clip": self.clip.load(device),
        }
        given = self._given()

        def score(images: NDArray[np.uint8], prompts: Sequence[str]) -> NDArray[np.float64]:
            kinds = [_looked_up(prompt, given) for prompt in prompts]
            total = np.zeros(len(images))
            for name, scorer in parts.items():
                rows = [i for i, kind in enumerate(kinds) if name in _PARTS[kind]]
                if rows:
                    texts = [prompts[i] for i in rows]
                    if name == "clip" and reader:
                        texts = [without_adjectives(reader(text)) for text in texts]
                    total[rows] += scorer(images[rows], texts)
            return total / np.array([len(_PARTS[kind]) for kind in kinds])

        return score


def without_adjectives(reading: Reading) -> str:
    """All other words joined by spaces, as the official code has it."""
    return " ".join(reading.written(w.span) for w in reading.words if not w.is_adjective)


def kind_of(prompt: str) -> Kind:
    """`spatial` if the prompt has one of the benchmark's relations, `both` if that hangs on a verb.

    "The cat is next to the dog" is spatial, "The cat sat next to the dog" both, and what has none
    of those relations is an action.
    """
    wording = find_wording(prompt, OFFICIAL_WORDINGS)
    if wording is None:
        return "action"
    before = ["the", *words(prompt[: wording.start()])]
    for article, word in reversed(list(pairwise(before))):
        if is_being(word):
            return "spatial"
        if is_verb(word) and article not in ("a", "an", "the"):  # not "the striped cat"
            return "both"
    return "spatial"


def read_kinds(folder: Path, split: str = "val") -> dict[str, Kind]:
    """Kinds of prompts by the benchmark's files complex_{split}_{spatial,action,spatialaction}.txt.

    Raises
    ------
    MetricError
        If one is missing.
    """
    kinds: dict[str, Kind] = {}
    for part, kind in _FILES.items():
        path = folder / f"complex_{split}_{part}.txt"
        if not path.is_file():
            raise MetricError(
                f"{path}: not found; it is in examples/dataset of T2I-CompBench, or leave "
                "`benchmark` out to have kinds read from the prompts"
            )
        lines = path.read_text(encoding="utf-8").splitlines()
        kinds |= {_plain(line): kind for line in lines if line.strip()}
    return kinds


def _looked_up(prompt: str, kinds: Mapping[str, Kind] | None) -> Kind:
    if kinds is None:
        return kind_of(prompt)
    if _plain(prompt) not in kinds:
        raise MetricError(
            f"three_in_one: {prompt!r} is in no file of the benchmark's; leave `benchmark` "
            "out to have kinds read from the prompts"
        )
    return kinds[_plain(prompt)]


def _plain(prompt: str) -> str:
    """Up to capitals, spaces and the last dot."""
    return " ".join(prompt.casefold().split()).rstrip(".")
