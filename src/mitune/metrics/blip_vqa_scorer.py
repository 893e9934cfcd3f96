"""What BLIP is asked about pictures and how probable each `yes` is."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from mitune import libraries
from mitune.language import open_reader
from mitune.metrics.base import MetricError, batches, reading
from mitune.metrics.blip_checkpoint import converted_config, load_original
from mitune.metrics.blip_model import answer_logits, image_states
from mitune.metrics.pixels import Pixels
from mitune.metrics.questions import questions
from mitune.metrics.remedy import remedy
from mitune.weights import read_tokenizer

if TYPE_CHECKING:
    from transformers import BertTokenizer, BlipForQuestionAnswering

    from mitune.metrics.blip_vqa import BlipVqa

_LONGEST = 35  # tokens of a question
_DECIMALS = 4


@dataclass(frozen=True)
class Answers:
    """The questions about one prompt and how probable each `yes` is; both in order."""

    questions: tuple[str, ...]
    probabilities: tuple[float, ...]

    def score(self, official_rounding: bool = False) -> float:
        """Product of the probabilities; what was not asked counts 1."""
        if not official_rounding:
            return math.prod(self.probabilities)
        return round(math.prod(round(p, _DECIMALS) for p in self.probabilities), _DECIMALS)


class BlipVqaScorer:
    """A `Scorer` that can also say what it asked and what was answered."""

    def __init__(self, settings: BlipVqa, device: torch.device) -> None:
        self._settings = settings
        self._reader = open_reader(settings.parser, "parser")
        model, self._tokenizer = _read(settings)
        self._model = model.to(settings.torch_dtype).eval().to(device)
        self._yes, self._no, self._mark = _marks(settings, model, self._tokenizer)
        vision, text = model.config.vision_config, model.config.text_config
        if vision.image_size != settings.own_size:
            raise MetricError(
                f"{settings.path}: is for {vision.image_size} pixels, not {settings.own_size} as "
                "Salesforce's on the hub; download it and give the folder"
            )
        size = settings.image_size or vision.image_size
        if size % vision.patch_size:
            raise MetricError(f"image_size: {size} is no multiple of {vision.patch_size} pixels")
        self._pixels = Pixels(size, "stretch", settings.mean, settings.std)
        self._longest = min(_LONGEST, text.max_position_embeddings)

    def __call__(self, images: NDArray[np.uint8], prompts: Sequence[str]) -> NDArray[np.float64]:
        """(N,) products over the questions."""
        rounding = self._settings.official_rounding
        return np.array([answers.score(rounding) for answers in self.answers(images, prompts)])

    def answers(self, images: NDArray[np.uint8], prompts: Sequence[str]) -> list[Answers]:
        """What is asked of each picture and how probable `yes` is; a picture is encoded once."""
        asked = {prompt: questions(prompt, self._reader) for prompt in dict.fromkeys(prompts)}
        answers = []
        for part in batches(len(images), self._settings.batch_size):
            texts = [asked[prompt] for prompt in prompts[part]]
            for own, probabilities in zip(texts, self._ask(images[part], texts), strict=True):
                answers.append(Answers(tuple(own), tuple(probabilities)))
        return answers

    @torch.inference_mode()
    def _ask(self, images: NDArray[np.uint8], texts: list[list[str]]) -> list[list[float]]:
        """P(yes) of the questions of each picture."""
        pixels = self._pixels(images).to(self._model.device, self._model.dtype)
        states = image_states(self._model, pixels)
        probabilities = [[0.0] * len(own) for own in texts]
        for length, members in self._by_length(texts).items():
            for part in batches(len(members), self._settings.batch_size):
                chosen = members[part]
                ids = torch.tensor([tokens for *_, tokens in chosen]).view(-1, length)
                owners = torch.tensor([owner for owner, *_ in chosen])
                logits = answer_logits(
                    self._model, states[owners.to(states.device)], ids.to(states.device)
                ).double()
                yes = torch.sigmoid(logits[:, self._yes] - logits[:, self._no]).tolist()
                for (owner, slot, _), probability in zip(chosen, yes, strict=True):
                    probabilities[owner][slot] = probability
        return probabilities

    def _by_length(self, texts: list[list[str]]) -> dict[int, list[tuple[int, int, list[int]]]]:
        """(picture, slot, token ids) of every question by its number of tokens."""
        by_length = defaultdict(list)
        for owner, own in enumerate(texts):
            for slot, text in enumerate(own):
                ids = self._tokenizer(text, truncation=True, max_length=self._longest).input_ids
                by_length[len(ids)].append((owner, slot, [self._mark, *ids[1:]]))
        return by_length


def _read(settings: BlipVqa) -> tuple[BlipForQuestionAnswering, BertTokenizer]:
    path, revision = settings.path, settings.revision
    with settings.reading("the BLIP model"):
        if not settings.original:
            config = converted_config(path, revision)
            model = settings.opened(
                libraries.transformers.BlipForQuestionAnswering, config=config, dtype=None
            )
            return model, settings.opened_tokenizer(libraries.transformers.BertTokenizer)
        model = load_original(path)
    with reading("the vocabulary", settings.vocabulary):
        kind, path = libraries.transformers.BertTokenizer, settings.vocabulary
        return model, read_tokenizer(kind, path, path, remedy(path))


def _marks(
    settings: BlipVqa, model: BlipForQuestionAnswering, tokenizer: BertTokenizer
) -> tuple[int, int, int]:
    """Ids of `yes`, `no` and [ENC].

    BLIP's vocabulary is BERT's with [DEC] and [ENC] after it (30522 and 30523); the tokenizers on
    the hub are BERT's own and lack both.
    """
    vocabulary = tokenizer.get_vocab()
    missing = [word for word in ("yes", "no") if word not in vocabulary]
    if missing:
        raise MetricError(
            f"{settings.path}: the tokenizer has no word {missing[0]!r}; it needs the vocab.txt of "
            "bert-base-uncased"
        )
    text = model.config.text_config
    mark = vocabulary.get("[ENC]", text.bos_token_id + 1)
    if max(mark, text.bos_token_id, *vocabulary.values()) >= text.vocab_size:
        raise MetricError(
            f"{settings.path}: the tokenizer has more words than the network ({text.vocab_size}); "
            "it needs the vocab.txt of bert-base-uncased"
        )
    return vocabulary["yes"], vocabulary["no"], mark
