"""Structured Diffusion Guidance (Feng et al., 2023, arXiv:2212.05032): phrases keep their words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from pydantic import ConfigDict, PositiveInt, model_validator
from torch import Tensor
from typing_extensions import Self

from mitune.backbones.attention import attention_layers
from mitune.diffusion.denoiser import Condition, Denoiser
from mitune.diffusion.guided import Guided, Guiding
from mitune.guidance.base import Model
from mitune.guidance.structured_denoiser import (
    Paste,
    StructuredDenoiser,
    StructuredModel,
    averaged_values,
    several_keys,
    with_texts,
)
from mitune.guidance.wrapping import Wrapping
from mitune.language import Reader, Span, open_reader, tokens_in


class StructuredDiffusion(Wrapping):
    """Encode each noun phrase alone and let cross-attention see it so, then guide by `over`.

    With W (L, D) the prompt's embedding and W_i that of the prompt with the tokens of phrase i
    replaced by those of the phrase encoded alone, W_0 = W, the conditional branch has

        O = 1/(k + 1) sum_i softmax(Q K(W)^T) V(W_i) = softmax(Q K(W)^T) V(mean_i W_i)

    in every cross-attention: keys are shared, so one attention on averaged values is exactly the
    k + 1 of the paper. With `conjunction`, for prompts such as "a bird and a dog", keys differ and
    values are shared: 1/(k + 1) sum_i softmax(Q K(W_i)^T) V(W'), W' with all phrases in their
    places, the inner of nested ones last. The unguided pair stays that of the plain network, which
    is the evaluation that this costs more per step. Under it a path score is a score, no KL.

    Departures: phrases of at least `min_words` words are noun chunks, alone and with what hangs on
    their nouns, where the paper takes all noun phrases of a constituency parse. A phrase that is
    the whole prompt is W_0. Of a conjunction the released code has W' for W_0 (it writes into the
    tensor that it keeps). On Stable Diffusion XL the pooled embedding stays the prompt's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    reads_attention: ClassVar[bool] = True

    kind: Literal["structured_diffusion"] = "structured_diffusion"
    conjunction: bool = False
    min_words: PositiveInt = 2

    @model_validator(mode="after")
    def _one_attention_is_read(self) -> Self:
        if self.conjunction and self.over.reads_attention:
            raise ValueError(
                f"conjunction has several attentions, and over.kind {self.over.kind!r} reads one; "
                "put this in its `over`, or leave conjunction out"
            )
        return self

    def evaluations(self, steps: int) -> float:
        """One a step on top, for the plain conditional branch; none if no prompt has a phrase."""
        return self.underneath.evaluations(steps) + steps

    def start(
        self,
        model: Model,
        prompts: Sequence[str],
        condition: Condition,
        null: Condition,
        steps: int,
    ) -> Guiding:
        """A guide for models with cross-attention; that of `over` if no prompt has a phrase.

        Raises
        ------
        UserError
            If the network has no cross-attention, or the parser is missing.
        """
        layers = attention_layers(model.network, "cross")
        reader = open_reader(self.parser, "guidance.parser")
        phrases = {prompt: self._phrases(prompt, reader) for prompt in prompts}
        if not any(phrases.values()):
            return self.underneath.start(model, prompts, condition, null, steps)
        alone = _encoded_alone(model, phrases)
        pasted = [_pasted(model, prompt, phrases[prompt], alone) for prompt in prompts]
        most = max(map(len, pasted))
        over = self.underneath.start(
            StructuredModel(model, StructuredDenoiser(model.denoiser, layers)),
            prompts,
            self._with_texts(condition, pasted, most),
            self._with_texts(null, [()] * len(null), most),
            steps,
        )
        return StructuredDiffusionGuiding(over, model.denoiser, condition)

    def _with_texts(
        self, condition: Condition, pasted: Sequence[Sequence[Paste]], most: int
    ) -> Condition:
        texts = [
            several_keys(embedding, phrases, most)
            if self.conjunction
            else averaged_values(embedding, phrases)
            for embedding, phrases in zip(condition.tensors["prompt"], pasted, strict=True)
        ]
        return with_texts(condition, texts)

    def _phrases(self, prompt: str, reader: Reader) -> list[Span]:
        """The longest first."""
        sentence = prompt.strip().rstrip(".")
        phrases = [phrase for phrase in reader(prompt).phrases if phrase.head.is_noun]
        spans = {span for phrase in phrases for span in (phrase.span, phrase.whole)}
        return [
            (start, end)
            for start, end in sorted(spans, key=lambda span: (span[0] - span[1], span[0]))
            if len(prompt[start:end].split()) >= self.min_words and prompt[start:end] != sentence
        ]


def _encoded_alone(model: Model, phrases: Mapping[str, Sequence[Span]]) -> dict[str, Tensor]:
    """Embeddings (L, D) by text, of all phrases in one call."""
    texts = sorted({p[start:end] for p, spans in phrases.items() for start, end in spans})
    return dict(zip(texts, model.encode_prompts(texts).tensors["prompt"], strict=True))


def _pasted(
    model: Model, prompt: str, spans: Sequence[Span], alone: Mapping[str, Tensor]
) -> list[Paste]:
    """Positions in the prompt, which may be cut off, and what goes there: past the start token."""
    offsets = model.token_offsets(prompt)
    positions = [(tokens_in(span, offsets), alone[prompt[slice(*span)]]) for span in spans]
    return [(tokens, text[1 : 1 + len(tokens)]) for tokens, text in positions]


@dataclass(frozen=True, eq=False)
class StructuredDiffusionGuiding:
    """Structured Diffusion Guidance of one batch: guided by `over`, scored by the plain network."""

    over: Guiding
    denoiser: Denoiser
    condition: Condition

    @property
    def steps(self) -> int:
        """As many as the guidance underneath."""
        return self.over.steps

    def __call__(self, index: int, z_t: Tensor, t: Tensor) -> Guided:
        """Guide at `z_t` (B, ...), and predict the plain conditional branch there."""
        guided = self.over(index, z_t, t)
        plain = self.denoiser.predict(guided.z_t, t, self.condition.expand(len(z_t)))
        return replace(guided, conditional=plain)
