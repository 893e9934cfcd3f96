"""Structured Diffusion Guidance (Feng et al., 2023, arXiv:2212.05032): phrases keep their words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch
from pydantic import ConfigDict, PositiveInt
from torch import Tensor, nn

from mitune.backbones.attention import AttentionLayer, attention_layers, values_from
from mitune.diffusion.denoiser import Condition, Denoiser
from mitune.diffusion.guided import Guided, Guiding
from mitune.diffusion.noise import NoisePath
from mitune.diffusion.prediction import Prediction
from mitune.guidance.base import Model
from mitune.guidance.wrapping import Wrapping
from mitune.language import Reader, open_reader, tokens_in

_VALUES = "values"  # the tensor of a condition that cross-attention takes its values from


class StructuredDiffusion(Wrapping):
    """Encode each noun phrase alone and let cross-attention see it so, then guide by `over`.

    With W (L, D) the prompt's embedding and V_i that of the prompt with the tokens of phrase i
    replaced by those of the phrase encoded alone, V_0 = W, the conditional branch has

        O = 1/(k + 1) sum_i softmax(Q K(W)^T) V(V_i) = softmax(Q K(W)^T) V(mean_i V_i)

    in every cross-attention: keys are shared, so one attention on averaged values is exactly the
    k + 1 of the paper. The unguided pair stays that of the plain network, which is the evaluation
    that this costs more per step. Under it a path score is a score, no KL.

    Departures: phrases of at least `min_words` words are noun chunks, alone and with what hangs
    on their nouns, where the paper takes all noun phrases of a constituency parse. A phrase that
    is the whole prompt is V_0. On Stable Diffusion XL the pooled embedding stays the prompt's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    reads_attention: ClassVar[bool] = True

    kind: Literal["structured_diffusion"] = "structured_diffusion"
    min_words: PositiveInt = 2

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
        embeddings = condition.tensors["prompt"]
        values = torch.stack(
            [
                averaged_values(embedding, _pasted(model, prompt, phrases[prompt], alone))
                for embedding, prompt in zip(embeddings, prompts, strict=True)
            ]
        )
        structured = StructuredModel(model, StructuredDenoiser(model.denoiser, layers))
        over = self.underneath.start(
            structured,
            prompts,
            Condition({**condition.tensors, _VALUES: values}),
            Condition({**null.tensors, _VALUES: null.tensors["prompt"]}),
            steps,
        )
        return StructuredDiffusionGuiding(over, model.denoiser, condition)

    def _phrases(self, prompt: str, reader: Reader) -> list[tuple[int, int]]:
        sentence = prompt.strip().rstrip(".")
        phrases = [phrase for phrase in reader(prompt).phrases if phrase.head.is_noun]
        spans = dict.fromkeys(span for phrase in phrases for span in (phrase.span, phrase.whole))
        return [
            (start, end)
            for start, end in spans
            if len(prompt[start:end].split()) >= self.min_words and prompt[start:end] != sentence
        ]


def averaged_values(embedding: Tensor, pasted: Sequence[tuple[Sequence[int], Tensor]]) -> Tensor:
    """The mean of `embedding` (L, D) and of it with each phrase pasted in: (positions, (n, D))."""
    every = [embedding]
    for positions, phrase in pasted:
        changed = embedding.clone()
        changed[list(positions)] = phrase
        every.append(changed)
    return torch.stack(every).mean(dim=0) if pasted else embedding


def _encoded_alone(
    model: Model, phrases: Mapping[str, Sequence[tuple[int, int]]]
) -> dict[str, Tensor]:
    """Embeddings (L, D) by text, of all phrases in one call."""
    texts = sorted({p[start:end] for p, spans in phrases.items() for start, end in spans})
    return dict(zip(texts, model.encode_prompts(texts).tensors["prompt"], strict=True))


def _pasted(
    model: Model,
    prompt: str,
    spans: Sequence[tuple[int, int]],
    alone: Mapping[str, Tensor],
) -> list[tuple[list[int], Tensor]]:
    """Positions in the prompt, which may be cut off, and what goes there: past the start token."""
    offsets = model.token_offsets(prompt)
    positions = [(tokens_in(span, offsets), alone[prompt[slice(*span)]]) for span in spans]
    return [(tokens, text[1 : 1 + len(tokens)]) for tokens, text in positions]


@dataclass(frozen=True, eq=False)
class StructuredDenoiser:
    """A denoiser whose cross-attention takes its values from another text than its keys.

    The condition holds that text beside its own tensors.
    """

    plain: Denoiser
    layers: Sequence[AttentionLayer]

    @property
    def path(self) -> NoisePath:
        """The same."""
        return self.plain.path

    def predict(self, z_t: Tensor, t: Tensor, condition: Condition) -> Prediction:
        """The prediction at `z_t` (B, ...) for the timesteps `t` (B,) and B conditions."""
        own = {name: x for name, x in condition.tensors.items() if name != _VALUES}
        with values_from(self.layers, condition.tensors[_VALUES]):
            return self.plain.predict(z_t, t, Condition(own))


@dataclass(frozen=True, eq=False)
class StructuredModel:
    """A model with another denoiser."""

    plain: Model
    denoiser: StructuredDenoiser

    @property
    def network(self) -> nn.Module:
        """The same."""
        return self.plain.network

    @property
    def device(self) -> torch.device:
        """The same."""
        return self.plain.device

    def encode_prompts(self, prompts: Sequence[str]) -> Condition:
        """As the plain model does."""
        return self.plain.encode_prompts(prompts)

    def token_offsets(self, prompt: str) -> list[tuple[int, int]]:
        """As the plain model does."""
        return self.plain.token_offsets(prompt)


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
