"""BLIP-VQA: is everything there that the prompt names? (T2I-CompBench, Huang et al. 2023, 4.2).

arXiv:2307.06350, arXiv:2201.12086.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

import torch
from pydantic import PositiveInt

from mitune.language import ParserName, reader_version
from mitune.metrics.base import Network
from mitune.metrics.blip_checkpoint import HUB_SIZE, ORIGINAL_SIZE, converted_config
from mitune.metrics.blip_vqa_scorer import BlipVqaScorer
from mitune.metrics.pixels import CLIP_MEAN, CLIP_STD
from mitune.metrics.units import Units


class BlipVqa(Network):
    """Product over the prompt's noun phrases of P(yes) / (P(yes) + P(no)).

    `path` is a folder or hub id of transformers' `BlipForQuestionAnswering`
    (`Salesforce/blip-vqa-capfilt-large`), or the original `.pth` with BERT's `vocab.txt` beside
    it. `image_size` is by default the network's own: 384 on the hub, 480 in the original; another
    one interpolates the position table. The three give different numbers, and provenance tells
    them apart.

    Departures from the official code: probabilities are not rounded unless `official_rounding`
    (each and their product to four decimals); `parser: miniature` is for the miniature's captions.
    Resizing is PIL's and the question starts with [ENC], which transformers leaves to the caller,
    both as there. Relations and verbs are not asked about. A prompt without noun phrases scores 1.
    """

    scale: ClassVar[str] = "probability, 0 to 1"
    units: ClassVar[Units] = Units("proportion")
    preprocessing: ClassVar[str] = "stretched to a square, bicubic (PIL)"

    kind: Literal["blip_vqa"] = "blip_vqa"
    parser: ParserName = "spacy"
    official_rounding: bool = False
    image_size: PositiveInt | None = None
    mean: tuple[float, float, float] = CLIP_MEAN
    std: tuple[float, float, float] = CLIP_STD

    @property
    def original(self) -> bool:
        """Whether `path` is the checkpoint of BLIP's authors."""
        return self.path.suffix == ".pth"

    @property
    def vocabulary(self) -> Path:
        """The words that the original comes without."""
        return self.path.with_name("vocab.txt")

    @property
    def files(self) -> dict[str, Path]:
        """With the vocabulary beside the original."""
        return {**super().files, **({"vocabulary": self.vocabulary} if self.original else {})}

    @property
    def parsers(self) -> dict[str, ParserName]:
        """Its own."""
        return {"parser": self.parser}

    @property
    def provenance(self) -> dict[str, str]:
        """With the version of the parser, and the side of the pictures that the network sees.

        Raises
        ------
        MetricError
            If the configuration in a local folder cannot be read.
        """
        own, size = self.own_size, self.image_size or self.own_size
        interpolated = "" if size == own else f", positions interpolated from {own}"
        return {
            **super().provenance,
            "parser": reader_version(self.parser),
            "image_size": f"{size}{interpolated}",
        }

    @property
    def own_size(self) -> int:
        """Side in pixels that the network's position table is for; nothing is downloaded."""
        if self.original:
            return ORIGINAL_SIZE
        if self.from_hub:
            return HUB_SIZE
        with self.reading("the BLIP model's configuration"):
            return int(converted_config(self.path, self.revision).vision_config.image_size)

    @property
    def published(self) -> str | None:
        """Published figures are of the original checkpoint at its own size, and spaCy's phrases."""
        original = self.original and self.image_size in (None, ORIGINAL_SIZE)
        return "blip_vqa" if original and self.parser == "spacy" else None

    def load(self, device: torch.device) -> BlipVqaScorer:
        """Read the model.

        Raises
        ------
        UserError
            If weights are missing or truncated, the tokenizer is not BLIP's, `image_size` does
            not divide into patches, a hub id is of another size than provenance says, or the
            parser is not installed.
        """
        return BlipVqaScorer(self, device)
