"""Attend-and-Excite against diffusers' own (deprecated) pipeline, and what the paper asks of it."""

import logging

import pytest
import torch
from diffusers import StableDiffusionAttendAndExcitePipeline
from diffusers.models.attention_processor import Attention

from mitune.backbones import ModelRef, open_backbone
from mitune.backbones.base import Backbone
from mitune.errors import UserError
from mitune.guidance import AttendAndExcite, ClassifierFree
from mitune.guidance.neglect import excitation_loss
from mitune.guidance.smoothing import smooth
from tests.contracts.tiny import build, noise_of, trajectory

PROMPTS = ["a red circle and a blue square", "two stars"]
INDICES = {PROMPTS[0]: (3, 7), PROMPTS[1]: (2,)}
CFG = ClassifierFree(scale=3.0)
# As large a step as the paper's, on latents of 8 x 8.
ON = AttendAndExcite(over=CFG, step_size=20.0 * 64 / 8, parser="miniature")


@pytest.fixture(scope="module")
def backbone(tmp_path_factory) -> Backbone:
    path = tmp_path_factory.mktemp("sd")
    build("sd").save_pretrained(path)
    return open_backbone(ModelRef(str(path), "sd"), torch.device("cpu"))


def final(backbone: Backbone, guidance, prompts=PROMPTS, steps: int = 10) -> torch.Tensor:
    *_, last = trajectory(backbone, noise_of(backbone, len(prompts)), prompts, guidance, steps)
    return last.z_next


@pytest.mark.parametrize("thresholds", [(), ((0.0, 0.05), (0.2, 0.5), (0.4, 0.8))])
def test_it_samples_as_diffusers_does_on_the_same_noise(backbone: Backbone, thresholds) -> None:
    """On all 77 positions: diffusers does not know the slice of SD 2.1."""
    logging.getLogger("diffusers").setLevel(logging.ERROR)
    parts = dict(backbone.pipeline.components)
    del parts["image_encoder"]
    expected = StableDiffusionAttendAndExcitePipeline(**parts, requires_safety_checker=False)
    expected.set_progress_bar_config(disable=True)
    theirs = expected(
        PROMPTS,
        token_indices=[list(INDICES[prompt]) for prompt in PROMPTS],
        latents=noise_of(backbone, 2),
        num_inference_steps=10,
        guidance_scale=3.0,
        max_iter_to_alter=5,
        thresholds={round(when * 10): value for when, value in thresholds},
        attn_res=(4, 4),
        output_type="latent",
    ).images
    method = ON.model_copy(
        update={"tokens": "padded", "token_indices": INDICES, "thresholds": thresholds}
    )
    ours = final(backbone, method)
    assert (theirs - final(backbone, CFG)).abs().max() > 1e-2
    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3)


def test_the_loss_is_that_of_the_most_neglected_subject() -> None:
    """Written out token by token, on the sentence's tokens alone."""
    generator = torch.Generator().manual_seed(0)
    attention = torch.rand(3, 4, 4, 9, generator=generator) / 20
    sentences = torch.zeros(3, 9, dtype=torch.bool)
    subjects = sentences.clone()
    ends, chosen = (6, 8, 5), ((2, 4), (7,), ())
    for row in range(3):
        sentences[row, 1 : ends[row]] = True
        subjects[row, list(chosen[row])] = True
    side = torch.tensor([-1.0, 0.0, 1.0])
    kernel = torch.exp(-(side[:, None] ** 2 + side[None] ** 2))
    kernel /= kernel.sum()
    expected = []
    for row in range(3):
        shares = (100 * attention[row, :, :, 1 : ends[row]]).softmax(-1)
        losses = [torch.tensor(0.0)]
        for token in chosen[row]:
            padded = torch.nn.functional.pad(shares[None, :, :, token - 1], [1] * 4, "reflect")[0]
            blurred = torch.stack(
                [(padded[i : i + 3, j : j + 3] * kernel).sum() for i in range(4) for j in range(4)]
            )
            losses.append(1 - blurred.max())
        expected.append(torch.stack(losses).max())
    found = excitation_loss(attention, sentences, subjects)
    torch.testing.assert_close(found, torch.stack(expected))
    assert found[2] == 0
    # What is beyond the sentence (the padding that OpenCLIP attends to) does not matter.
    attention[0, :, :, 6:] = 1.0
    assert torch.equal(excitation_loss(attention, sentences, subjects), found)


class Keeping:
    """Cross-attention probabilities, heads averaged, as a processor of the release stores them."""

    def __init__(self) -> None:
        self.maps: list[torch.Tensor] = []

    def __call__(self, attn: Attention, hidden_states, encoder_hidden_states=None, **_):
        texts = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        q, k, v = (
            attn.head_to_batch_dim(project(x))
            for project, x in ((attn.to_q, hidden_states), (attn.to_k, texts), (attn.to_v, texts))
        )
        probabilities = attn.get_attention_scores(q, k)
        if encoder_hidden_states is not None:
            self.maps.append(probabilities.mean(0))
        return attn.to_out[0](attn.batch_to_head_dim(probabilities @ v))


@pytest.mark.parametrize("steps", [2, 10])
def test_a_move_is_the_gradient_of_each_pictures_own_loss(backbone: Backbone, steps: int) -> None:
    """One picture at a time through the whole network, the loss written out for its sentence."""
    z, t = noise_of(backbone, 2), torch.tensor([900, 700])
    condition = backbone.encode_prompts(PROMPTS)
    method = ON.model_copy(update={"thresholds": ()})
    guiding = method.start(backbone, PROMPTS, condition, backbone.encode_prompts([""]), steps)
    index = steps // 3
    found = guiding.moved(index, z, t)
    fast = backbone.network.attn_processors
    for row, prompt in enumerate(PROMPTS):
        kept = Keeping()
        backbone.network.set_attn_processor(kept)
        alone = z[row : row + 1].clone().requires_grad_(True)
        backbone.network(
            alone, t[row], encoder_hidden_states=condition.tensors["prompt"][row : row + 1]
        )
        backbone.network.set_attn_processor(dict(fast))  # it empties what it is given
        words = len(prompt.split())
        shares = (100 * torch.stack(kept.maps).mean(0)[:, 1 : 1 + words]).softmax(-1)
        peaks = [smooth(shares[:, i - 1].view(1, 1, 4, 4)).max() for i in INDICES[prompt]]
        (gradient,) = torch.autograd.grad(torch.stack([1 - p for p in peaks]).max(), alone)
        step = 20 * torch.linspace(1, 0.5, steps)[index].sqrt()
        assert gradient.abs().max() > 1e-4
        torch.testing.assert_close(found[row], (alone - step * gradient)[0].detach())


def test_a_step_moves_the_same_part_of_a_latent_of_any_size(backbone: Backbone) -> None:
    """Its length is the step size at 64 x 64, and grows as the norm of noise does."""
    texts = backbone.encode_prompts(PROMPTS), backbone.encode_prompts([""])
    method = ON.model_copy(update={"thresholds": (), "step_size": 20.0})
    guiding = method.start(backbone, PROMPTS, *texts, 10)
    t, rows = torch.tensor([900, 900]), torch.tensor([0, 1])
    for height, width, size in ((8, 8, 2.5), (16, 4, 2.5), (16, 16, 5.0)):
        z = torch.randn(2, 4, height, width, generator=torch.Generator().manual_seed(0))
        _, gradient = guiding.neglect(z, t, rows)
        torch.testing.assert_close(z - guiding.moved(0, z, t), size * gradient)


def test_without_a_subject_a_row_is_left_alone(backbone: Backbone) -> None:
    prompts = ["red", PROMPTS[1]]
    excited, plain = final(backbone, ON, prompts), final(backbone, CFG, prompts)
    torch.testing.assert_close(excited[0], plain[0], rtol=1e-4, atol=1e-4)
    assert not torch.allclose(excited[1], plain[1], rtol=1e-2, atol=1e-2)


def test_the_order_of_the_subjects_does_not_matter(backbone: Backbone) -> None:
    ends = [
        final(backbone, ON.model_copy(update={"token_indices": {PROMPTS[0]: indices}}))
        for indices in ((3, 7), (7, 3))
    ]
    assert torch.equal(*ends)
    # They are the nouns that are read when none are given, by whoever.
    for parser in ("miniature", "spacy"):
        assert torch.equal(ends[0], final(backbone, ON.model_copy(update={"parser": parser})))


def test_the_loss_falls_along_its_gradient(backbone: Backbone) -> None:
    texts = backbone.encode_prompts(PROMPTS), backbone.encode_prompts([""])
    neglect = ON.start(backbone, PROMPTS, *texts, 10).neglect
    z, t, rows = noise_of(backbone, 2), torch.tensor([900, 900]), torch.tensor([0, 1])
    losses = []
    for _ in range(6):
        loss, gradient = neglect(z, t, rows)
        losses.append(loss)
        z = z - 5.0 * gradient
    falls = torch.stack(losses).diff(dim=0)
    assert (falls <= 1e-6).all() and falls.sum(0).max() < -1e-3


def test_refinement_stops_once_there_and_alters_no_later_step(backbone: Backbone) -> None:
    texts = backbone.encode_prompts(PROMPTS), backbone.encode_prompts([""])
    z, t = noise_of(backbone, 2), torch.tensor([900, 900])
    calls = []
    counter = backbone.network.register_forward_pre_hook(lambda _, args: calls.append(len(args[0])))
    passes = {}
    for name, threshold in (("reached", 0.0), ("unreachable", 1.0)):
        method = ON.model_copy(update={"thresholds": ((0.0, threshold),), "refinements": 7})
        guiding = method.start(backbone, PROMPTS, *texts, 10)
        calls.clear()
        guiding.moved(0, z, t)
        passes[name] = sum(calls)
        calls.clear()
        assert guiding.moved(5, z, t) is z and not calls
    counter.remove()
    assert passes == {"reached": 2, "unreachable": 2 * 8}


def test_tokens_beyond_the_sentence_are_refused(backbone: Backbone) -> None:
    texts = backbone.encode_prompts(PROMPTS), backbone.encode_prompts([""])
    wrong = ON.model_copy(update={"token_indices": {PROMPTS[1]: (3,)}})
    with pytest.raises(UserError, match=r"token_indices: 'two stars' has tokens 1 to 2, got \[3\]"):
        wrong.start(backbone, PROMPTS, *texts, 10)
