"""Train the miniature of BLIP-VQA: a small BLIP that answers the world's yes/no questions."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from numpy.typing import NDArray
from torch import Tensor, nn

from mitune import libraries
from mitune.metrics.blip_model import answer_logits, image_states
from mitune.metrics.blip_vqa_scorer import BlipVqaScorer
from mitune.metrics.pixels import Pixels
from mitune.miniature.geometry import signed_distance
from mitune.miniature.question import KINDS, Question, ask
from mitune.miniature.render import render_all
from mitune.miniature.scene import CANVAS, Scene
from mitune.miniature.vocabulary import COLOURS, SHAPES, TEXTURES
from mitune.pretraining import models
from mitune.pretraining.autoencoder import round_trip
from mitune.pretraining.cycle import cycle
from mitune.pretraining.data import any_scene, step_rng, torch_rng
from mitune.pretraining.recipe import PretrainRecipe
from mitune.pretraining.tokenizer import build_word_tokenizer
from mitune.training.checkpoint import TrainingStep
from mitune.training.optimisation import Optimisation
from mitune.training.task import Loss

if TYPE_CHECKING:
    from diffusers import AutoencoderKL
    from transformers import BertTokenizer, BlipForQuestionAnswering

_QUESTIONS = 8  # of each picture, which is encoded once
_LESSON = 100  # steps before the next kind of question is asked too
_CONTACTS = 0.3
_SHOWN = (SHAPES, tuple(COLOURS), TEXTURES)  # what a patch can show, besides nothing


def train_vqa(
    recipe: PretrainRecipe, folder: Path, accelerator: Accelerator
) -> Iterator[TrainingStep]:
    """Cross-entropy of the answer's first word, and of the words for what each patch shows.

    The second compares patches with the question's own word vectors; it takes the place of the
    contrastive pretraining that BLIP starts from. A quarter of the pictures has been through the
    autoencoder. Saves `folder/vqa` in half precision.
    """
    torch.manual_seed(recipe.seed)
    tokenizer = build_word_tokenizer()
    blip = models.build_vqa(tokenizer)
    nothing = nn.Linear(blip.config.vision_config.hidden_size, len(_SHOWN))
    parts = nn.ModuleDict({"blip": blip, "nothing": nothing}).to(accelerator.device)
    loss = partial(_answer_loss, recipe, parts, tokenizer, folder, recipe.vqa)
    yield from cycle(recipe, parts, loss, "vqa", recipe.vqa, folder, accelerator, recipe.ema_decay)
    if accelerator.is_main_process:
        target = folder / "vqa"
        shutil.rmtree(target, ignore_errors=True)
        blip.half().save_pretrained(target)
        tokenizer.save_pretrained(target)


def audit_answers(
    scorer: BlipVqaScorer,
    per_kind: int,
    seed: int = 0,
    through: Callable[[NDArray[np.uint8]], NDArray[np.uint8]] | None = None,
) -> pd.DataFrame:
    """One row per question about a picture of its own: kind, truth, P(yes), right.

    `through` may pass the pictures through an autoencoder first.
    """
    rng = np.random.default_rng(seed)
    scenes: list[Scene] = []
    asked: list[Question] = []
    for kind in KINDS:
        missing = per_kind
        while missing:
            scene = _scene(rng)
            question = ask(scene, rng)
            if question.kind == kind:
                scenes.append(scene)
                asked.append(question)
                missing -= 1
    images = render_all(scenes)
    answers = scorer.answers(
        through(images) if through else images, [question.text[:-1] for question in asked]
    )
    table = pd.DataFrame([asdict(question) for question in asked])
    table["yes"] = [answer.probabilities[0] for answer in answers]
    table["right"] = (table["yes"] > 0.5) == table["truth"]
    return table


def _answer_loss(
    recipe: PretrainRecipe,
    parts: nn.ModuleDict,
    tokenizer: BertTokenizer,
    folder: Path,
    settings: Optimisation,
) -> Loss:
    blip, nothing = parts["blip"], parts["nothing"]
    assert isinstance(blip, libraries.transformers.BlipForQuestionAnswering)
    device = next(blip.parameters()).device
    vae = libraries.diffusers.AutoencoderKL.from_pretrained(folder / "vae").eval().to(device)
    normalised = Pixels(CANVAS)
    named = [torch.tensor(tokenizer.convert_tokens_to_ids(list(words))) for words in _SHOWN]

    @torch.autocast(device.type, torch.bfloat16)
    def loss(step: int, rows: Tensor) -> Tensor:
        rng = step_rng(recipe, "vqa", step)
        scenes = [_scene(rng) for _ in range(settings.batch_size)]
        kinds = KINDS[: 1 + step // _LESSON]
        asked = [[ask(scene, rng, kinds) for _ in range(_QUESTIONS)] for scene in scenes]
        noise = torch.randn((len(scenes), 3, CANVAS, CANVAS), generator=torch_rng(rng))[rows]
        strength = 0.1 * float(rng.random())
        chosen = [scenes[i] for i in rows.tolist()]
        batch = normalised(_seen(chosen, rows % 4 == 0, vae)) + strength * noise
        states = image_states(blip, batch.to(device))
        answered = _answer_errors(blip, tokenizer, states, [asked[i] for i in rows.tolist()])
        shown = torch.from_numpy(np.stack([_patches(scene) for scene in chosen])).to(device)
        vectors = blip.text_encoder.embeddings.word_embeddings.weight
        errors = []
        for words, absent, truth in zip(
            named, nothing(states[:, 1:]).unbind(-1), shown.unbind(-1), strict=True
        ):
            logits = torch.cat([states[:, 1:] @ vectors[words.to(device)].T, absent[..., None]], -1)
            errors.append(F.cross_entropy(logits.float().transpose(1, 2), truth, reduction="none"))
        return answered + torch.stack(errors).mean((0, 2))

    return loss


def _answer_errors(
    blip: BlipForQuestionAnswering,
    tokenizer: BertTokenizer,
    states: Tensor,
    asked: list[list[Question]],
) -> Tensor:
    """Mean cross-entropy over the questions of each picture, shape (N,)."""
    yes, no = tokenizer.convert_tokens_to_ids(["yes", "no"])
    texts = [question.text for questions in asked for question in questions]
    ids = tokenizer(texts).input_ids
    truths = [yes if question.truth else no for questions in asked for question in questions]
    buckets = defaultdict(list)
    for index, tokens in enumerate(ids):
        buckets[len(tokens)].append(index)
    total = torch.zeros(len(asked), device=states.device)
    for members in buckets.values():
        questions = torch.tensor([ids[i] for i in members], device=states.device)
        questions[:, 0] = tokenizer.convert_tokens_to_ids("[ENC]")
        owners = torch.tensor(members, device=states.device) // _QUESTIONS
        logits = answer_logits(blip, states[owners], questions)
        truth = torch.tensor([truths[i] for i in members], device=states.device)
        errors = F.cross_entropy(logits.float(), truth, reduction="none")
        total = total.index_add(0, owners, errors)
    return total / _QUESTIONS


def _scene(rng: np.random.Generator) -> Scene:
    while True:
        scene = any_scene(rng, _CONTACTS)
        if scene.things:
            return scene


def _seen(scenes: list[Scene], rounded: Tensor, vae: AutoencoderKL) -> NDArray[np.uint8]:
    """Pictures (N, H, W, 3), those that are `rounded` through the autoencoder."""
    pixels = torch.from_numpy(render_all(scenes)).permute(0, 3, 1, 2)
    if rounded.any():
        pixels[rounded] = round_trip(vae, pixels[rounded].to(vae.device))
    return pixels.permute(0, 2, 3, 1).numpy()


def _patches(scene: Scene) -> NDArray[np.int64]:
    """Shape, colour and texture under the middle of each patch (T, 3); the last means nothing."""
    middles = slice(models.PATCH // 2, None, models.PATCH)
    side = CANVAS // models.PATCH
    shown = np.tile([len(words) for words in _SHOWN], (side, side, 1))
    for thing in scene.things:
        covered = signed_distance(thing, CANVAS)[middles, middles] < 0
        shown[covered] = (
            SHAPES.index(thing.shape),
            tuple(COLOURS).index(thing.colour),
            TEXTURES.index(thing.texture),
        )
    return shown.reshape(-1, len(_SHOWN))
