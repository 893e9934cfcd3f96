"""Structured Diffusion Guidance against the paper's many attentions, written out."""

import pytest
import torch
from diffusers.models.attention_processor import Attention
from pydantic import ValidationError

from mitune.backbones import ModelRef, open_backbone
from mitune.backbones.base import Backbone
from mitune.guidance import AttendAndExcite, ClassifierFree, SemanticAware, StructuredDiffusion
from mitune.guidance.structured_denoiser import averaged_values, several_keys
from tests.contracts.tiny import build, noise_of, trajectory

PROMPTS = ["a red circle and a blue square", "red"]
# Where the phrases' tokens stand in the first prompt, and what they are alone.
PHRASES = {"a red circle": [1, 2, 3], "a blue square": [5, 6, 7]}
CFG = ClassifierFree(scale=3.0)
ON = StructuredDiffusion(over=CFG, parser="miniature")
CONJUNCTION = ON.model_copy(update={"conjunction": True})


@pytest.fixture(scope="module", params=["sd", "sdxl"])
def backbone(request, tmp_path_factory) -> Backbone:
    path = tmp_path_factory.mktemp(request.param)
    build(request.param).save_pretrained(path)
    return open_backbone(ModelRef(str(path), request.param), torch.device("cpu"))


def pasted(backbone: Backbone) -> list[torch.Tensor]:
    """The first prompt's embedding, and it with one phrase each."""
    whole = backbone.encode_prompts(PROMPTS[:1]).tensors["prompt"][0]
    found = [whole]
    for phrase, positions in PHRASES.items():
        alone = backbone.encode_prompts([phrase]).tensors["prompt"][0]
        changed = whole.clone()
        for i, position in enumerate(positions):
            changed[position] = alone[1 + i]
        found.append(changed)
    return found


class ManyAttentions:
    """Attentions on pairs of keys and values, averaged."""

    def __init__(self, keys: list[torch.Tensor], values: list[torch.Tensor]) -> None:
        self.pairs = [(k[None], v[None]) for k in keys for v in values]

    def __call__(self, attn: Attention, hidden_states, encoder_hidden_states=None, **_):
        cross = encoder_hidden_states is not None
        outputs = []
        for keys, values in self.pairs if cross else [(hidden_states, hidden_states)]:
            q, k, v = (
                attn.head_to_batch_dim(project(x))
                for project, x in (
                    (attn.to_q, hidden_states),
                    (attn.to_k, keys),
                    (attn.to_v, values),
                )
            )
            outputs.append(attn.get_attention_scores(q, k) @ v)
        mean = torch.stack(outputs).mean(dim=0)
        return attn.to_out[0](attn.batch_to_head_dim(mean))


@pytest.mark.parametrize("method", [ON, CONJUNCTION], ids=["values", "conjunction"])
def test_one_call_is_the_papers_many_attentions(
    backbone: Backbone, method: StructuredDiffusion
) -> None:
    z_t, t = noise_of(backbone, 1), torch.tensor([700])
    condition, null = backbone.encode_prompts(PROMPTS[:1]), backbone.encode_prompts([""])
    guided = method.start(backbone, PROMPTS[:1], condition, null, 4)
    each = pasted(backbone)
    every = each[0].clone()
    for positions, version in zip(PHRASES.values(), each[1:], strict=True):
        every[positions] = version[positions]
    many = ManyAttentions(each, [every]) if method.conjunction else ManyAttentions(each[:1], each)
    with torch.no_grad():
        found = guided(0, z_t, t)
        unconditional = backbone.denoiser.predict(z_t, t, null).raw
        fast = backbone.network.attn_processors
        backbone.network.set_attn_processor(many)
        structured = backbone.denoiser.predict(z_t, t, condition).raw
        backbone.network.set_attn_processor(fast)
    expected = unconditional + 3 * (structured - unconditional)
    torch.testing.assert_close(found.guided.raw, expected, rtol=1e-5, atol=1e-5)
    assert (found.conditional.raw - structured).abs().max() > 1e-4


def test_values_are_averaged_in_any_order_and_are_the_prompts_own_if_phrases_are() -> None:
    generator = torch.Generator().manual_seed(0)
    whole, first, second = (torch.randn(n, 8, generator=generator) for n in (12, 3, 2))
    phrases = [([1, 2, 3], first), ([5, 6], second)]
    found = averaged_values(whole, phrases)["values"]
    torch.testing.assert_close(averaged_values(whole, phrases[::-1])["values"], found)
    torch.testing.assert_close(found[1:4], (2 * whole[1:4] + first) / 3)
    torch.testing.assert_close(found[[0, 4, 7]], whole[[0, 4, 7]])
    own = [(positions, whole[positions]) for positions, _ in phrases]
    torch.testing.assert_close(averaged_values(whole, own)["values"], whole)
    assert torch.equal(averaged_values(whole, [])["values"], whole)


def test_a_conjunction_has_a_key_for_each_phrase_and_all_in_its_values() -> None:
    """Of nested phrases, which come longest first, the inner one is seen."""
    generator = torch.Generator().manual_seed(0)
    whole, outer, inner = (torch.randn(n, 8, generator=generator) for n in (12, 5, 2))
    texts = several_keys(whole, [([1, 2, 3, 4, 5], outer), ([4, 5], inner)], most=3)
    assert torch.equal(texts["keys"][[0, 3]], whole.expand(2, -1, -1))
    assert torch.equal(texts["keys"][1, 1:6], outer) and torch.equal(texts["keys"][2, 4:6], inner)
    assert texts["shares"].tolist() == pytest.approx([1 / 3] * 3 + [0])
    assert torch.equal(texts["values"][1:6], torch.cat([outer[:3], inner]))
    assert torch.equal(texts["values"][6:], whole[6:])


def test_a_prompt_without_phrases_is_sampled_plainly(backbone: Backbone) -> None:
    """Also beside one that has some; a phrase that is the whole prompt is none."""
    noise = noise_of(backbone, 2)

    def final(prompts, guidance):
        *_, last = trajectory(backbone, noise, prompts, guidance)
        return last.z_next

    for method in (ON, CONJUNCTION):
        mixed, plain = final(PROMPTS, method), final(PROMPTS, CFG)
        torch.testing.assert_close(mixed[1], plain[1], rtol=1e-4, atol=1e-4)
        assert not torch.allclose(mixed[0], plain[0], rtol=1e-3, atol=1e-3)
        for prompts in (["red", ""], ["a red circle", "A blue square."]):
            assert torch.equal(final(prompts, method), final(prompts, CFG))


def test_a_conjunction_over_what_reads_attention_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"over\.kind 's_cfg' reads one; put this in its"):
        StructuredDiffusion(conjunction=True, over=SemanticAware())
    assert AttendAndExcite(over=CONJUNCTION).over.conjunction


def test_phrases_that_are_cut_off_are_pasted_as_far_as_they_are_read(backbone: Backbone) -> None:
    """24 tokens fit; the last phrase stands across their end."""
    prompt = "a red star and " * 5 + "a big dotted blue square"
    condition, null = backbone.encode_prompts([prompt]), backbone.encode_prompts([""])
    guiding = ON.start(backbone, [prompt], condition, null, 4)
    with torch.no_grad():
        found = guiding(0, noise_of(backbone, 1), torch.tensor([700]))
    assert found.guided.raw.isfinite().all()


@pytest.mark.parametrize(
    "method",
    [
        StructuredDiffusion(parser="miniature", over=SemanticAware(scale=3.0)),
        StructuredDiffusion(
            parser="miniature", over=AttendAndExcite(over=CFG, parser="miniature", step_size=160.0)
        ),
        AttendAndExcite(over=ON, parser="miniature", step_size=160.0),
        AttendAndExcite(over=CONJUNCTION, parser="miniature", step_size=160.0),
    ],
    ids=["s_cfg inside", "attend_and_excite inside", "attend_and_excite outside", "conjunction"],
)
def test_methods_nest(backbone: Backbone, method) -> None:
    """Each does something of its own, and the pair stays that of the plain network."""
    noise = noise_of(backbone, 2)
    texts = backbone.encode_prompts(PROMPTS), backbone.encode_prompts(["", ""])
    for step in trajectory(backbone, noise, PROMPTS, method):
        t = torch.full((2,), step.t)
        with torch.no_grad():
            c, u = (backbone.denoiser.predict(step.guided.z_t, t, text).raw for text in texts)
        torch.testing.assert_close(step.guided.conditional.raw, c, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(step.guided.unconditional.raw, u, rtol=1e-4, atol=1e-5)
    *_, parts = trajectory(backbone, noise, PROMPTS, method.over)
    assert not torch.allclose(step.z_next[0], parts.z_next[0], rtol=1e-3, atol=1e-3)
    assert method.at_scale(1.5).over == method.over.at_scale(1.5)
