import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
import torch

from mitune.backbones import AdapterRef, ModelRef, open_backbone
from mitune.backbones.base import Backbone
from mitune.candidates import Generation, Scoring, Source, batches, generate, latents_of
from mitune.candidates.batch import prompts_at_once
from mitune.diffusion.denoiser import Condition
from mitune.diffusion.sampling import build_scheduler, initial_noise, sample
from mitune.errors import UserError
from mitune.estimators import (
    ForwardScore,
    InformationDecomposition,
    information,
    information_of_groups,
)
from mitune.guidance import ClassifierFree
from mitune.seeds import image_seed

DRAWS = {"draws": 4, "log_snr": (-5.0, 1.5), "antithetic": True}
SETTINGS = Generation(
    images_per_prompt=3,
    steps=4,
    guidance=ClassifierFree(scale=2.0),
    scoring=Scoring(forward=ForwardScore(**DRAWS), information=InformationDecomposition(**DRAWS)),
)


@pytest.fixture(scope="module")
def prompts() -> pd.DataFrame:
    texts = ["a red circle and a blue square", "two stars and one cross", "a green triangle"]
    return pd.DataFrame(
        {"prompt_id": [f"p{i}" for i in range(3)], "category": "color", "prompt": texts}
    )


@pytest.fixture(scope="module")
def source(model: ModelRef) -> Source:
    return Source(model, AdapterRef(None), "round_1")


def _all(backbone: Backbone, source: Source, prompts: pd.DataFrame, batch: int) -> pd.DataFrame:
    parts = dict(generate(backbone, source, prompts, SETTINGS, batch))
    for part in parts.values():
        part.attrs = {}
    return pd.concat([parts[i] for i in sorted(parts)], ignore_index=True)


def test_images_do_not_depend_on_the_batch_or_the_order(
    shared_backbone: Backbone, source: Source, prompts: pd.DataFrame
) -> None:
    """Batches of 1, 4 (across prompts) and 9, and prompts in reverse, make the same candidates."""
    expected = _all(shared_backbone, source, prompts, 1)
    for batch, order in ((4, prompts), (9, prompts), (4, prompts[::-1])):
        found = _all(shared_backbone, source, order, batch)
        assert list(found["seed"]) == list(expected["seed"])
        latents = [np.stack([np.frombuffer(x, np.float16) for x in t["latent"]])
                   for t in (found, expected)]  # fmt: skip
        np.testing.assert_allclose(latents[0], latents[1], atol=2e-2)
        for score in ("path", "forward", "information"):
            np.testing.assert_allclose(found[score], expected[score], rtol=2e-3, atol=2e-2)


class Kept(dict[str, pd.DataFrame]):
    """Finished candidates, in memory."""

    def count(self, prompt_id: str, key: str) -> int:
        table = self.get(prompt_id)
        return 0 if table is None or table.attrs["key"] != key else len(table)


def test_finished_prompts_are_skipped_and_changed_ones_are_not(
    shared_backbone: Backbone, source: Source, prompts: pd.DataFrame
) -> None:
    kept = Kept(generate(shared_backbone, source, prompts, SETTINGS, 9))
    assert list(generate(shared_backbone, source, prompts, SETTINGS, 9, kept)) == []
    del kept["p1"]
    again = dict(generate(shared_backbone, source, prompts, SETTINGS, 9, kept))
    assert list(again) == ["p1"]
    other = SETTINGS.model_copy(update={"seed": 1})
    assert len(list(generate(shared_backbone, source, prompts[:1], other, 9, kept))) == 1


def test_a_larger_m_makes_only_the_new_images(
    shared_backbone: Backbone, source: Source, prompts: pd.DataFrame
) -> None:
    """Prompts of a job grow together, from what the least of them has: 1 of 3."""
    whole = Kept(generate(shared_backbone, source, prompts, SETTINGS, 9))
    kept = Kept()
    for name, rows in (("p0", 1), ("p1", 1), ("p2", 2)):
        kept[name] = whole[name].head(rows)
    before = {name: table["latent"].tolist()[:1] for name, table in kept.items()}
    grown = dict(generate(shared_backbone, source, prompts, SETTINGS, 4, kept))
    for name, table in whole.items():
        assert grown[name]["seed"].tolist() == table["seed"].tolist()
        assert grown[name].attrs == table.attrs
        np.testing.assert_allclose(
            grown[name]["information"], table["information"], rtol=2e-3, atol=2e-2
        )
    for name, latents in before.items():
        assert grown[name]["latent"].tolist()[: len(latents)] == latents


def test_another_adapter_or_model_is_another_key(
    shared_backbone: Backbone, source: Source, prompts: pd.DataFrame
) -> None:
    keys = set()
    for changed in (
        source,
        dataclasses.replace(source, adapter=AdapterRef("x", "other")),
        dataclasses.replace(source, model=ModelRef(source.model.path, "other")),
    ):
        ((_, table),) = generate(shared_backbone, changed, prompts[:1], SETTINGS, 3)
        keys.add(table.attrs["key"])
    assert len(keys) == 3


def test_scores_are_those_of_the_estimators_on_the_stored_latents(
    shared_backbone: Backbone, source: Source, prompts: pd.DataFrame
) -> None:
    ((prompt_id, table),) = generate(shared_backbone, source, prompts[:1], SETTINGS, 9)
    condition = shared_backbone.encode_prompts([table["prompt"][0]])
    generator = torch.Generator().manual_seed(image_seed(SETTINGS.seed, "draws", prompt_id))
    (direct,) = information(
        shared_backbone.denoiser,
        latents_of(table),
        condition.expand(3),
        shared_backbone.encode_prompts([""]),
        [SETTINGS.scoring.information],
        generator,
    )
    np.testing.assert_allclose(table["information"], direct.score, rtol=2e-2, atol=0.2)
    increments = np.stack(list(table["information_increments"]))
    np.testing.assert_allclose(increments.sum(1), table["information"], rtol=1e-4, atol=1e-4)
    assert increments.shape[1] == len(table.attrs["log_snr"]["information"])


def test_prompts_that_share_a_batch_have_the_scores_of_each_alone(
    shared_backbone: Backbone,
) -> None:
    """Draws of three prompts in one batch, a prompt's images apart in it: noise as for each."""
    texts = ["a red circle", "two stars", "a green triangle"]
    owners = torch.tensor([0, 0, 1, 2, 2, 1])
    z0 = torch.randn(6, *shared_backbone.latent_shape, generator=torch.Generator().manual_seed(0))
    condition = shared_backbone.encode_prompts(texts)
    null = shared_backbone.encode_prompts([""])
    estimators = [ForwardScore(**DRAWS), InformationDecomposition(**DRAWS)]

    def generator(group: int) -> torch.Generator:
        return torch.Generator().manual_seed(10 + group)

    together = information_of_groups(
        shared_backbone.denoiser,
        z0,
        condition[owners],
        null,
        estimators,
        [generator(group) for group in range(3)],
        owners,
    )
    for group, found in enumerate(together):
        mine = owners == group
        alone = information(
            shared_backbone.denoiser,
            z0[mine],
            condition[[group]].expand(2),
            null,
            estimators,
            generator(group),
        )
        for one, several in zip(alone, found, strict=True):
            assert torch.equal(one.log_snr, several.log_snr)
            torch.testing.assert_close(several.increments, one.increments, rtol=1e-4, atol=1e-3)
    levels = [tuple(found[0].log_snr.tolist()) for found in together]
    assert len(set(levels)) == 3  # every prompt meets noise levels of its own


def test_a_job_is_decided_by_the_list_of_prompts_and_fills_its_batches() -> None:
    assert prompts_at_once(7, 64) == 9 and prompts_at_once(3, 64) == 20
    assert prompts_at_once(64, 64) == 1 and prompts_at_once(128, 64) == 1
    assert prompts_at_once(33, 64) == 7  # 231 images in 4 batches
    names = [f"p{i}" for i in range(20)]
    table = pd.DataFrame({"prompt_id": names, "category": "color", "prompt": names})
    settings = Generation(images_per_prompt=7)
    jobs = batches(table, settings, 64)
    assert [len(job.prompts) for job in jobs] == [6, 7, 7] and {job.first for job in jobs} == {0}
    assert [p.prompt_id for job in jobs for p in job.prompts] == names
    there = dict.fromkeys(names, 7) | {"p6": 2, "p19": 0}
    resumed = batches(table, settings, 64, there)
    assert [job.prompts for job in resumed] == [job.prompts for job in jobs]
    assert [job.first for job in resumed] == [7, 2, 0]
    assert batches(table[:0], settings, 64) == []


def test_a_prompt_that_fails_spoils_no_other_of_its_job(
    backbone: Backbone, source: Source, prompts: pd.DataFrame
) -> None:
    """The text encoder does not know what to make of one of them."""
    encode = backbone.encode_prompts

    def spoilt(texts: Sequence[str]) -> Condition:
        found = encode(texts)
        rows = [i for i, text in enumerate(texts) if text == "two stars and one cross"]
        for tensor in found.tensors.values():
            tensor[rows] = float("nan")
        return found

    backbone.encode_prompts = spoilt  # type: ignore[method-assign]
    made = {}
    with pytest.raises(
        UserError, match=r"^prompt 'two stars and one cross': .*non-finite"
    ) as caught:
        for name, table in generate(backbone, source, prompts, SETTINGS, 9):
            made[name] = table
    assert set(made) == {"p0", "p2"} and "\n" not in str(caught.value)


def test_the_empty_prompt_has_no_information(shared_backbone: Backbone, source: Source) -> None:
    empty = pd.DataFrame({"prompt_id": ["e"], "category": ["color"], "prompt": [""]})
    ((_, table),) = generate(shared_backbone, source, empty, SETTINGS, 9)
    np.testing.assert_allclose(table[["path", "forward", "information"]], 0.0, atol=1e-4)


def test_estimators_that_would_not_share_draws_are_refused() -> None:
    with pytest.raises(ValueError, match="same draws"):
        Scoring(forward=ForwardScore(draws=4), information=InformationDecomposition(draws=8))


def test_non_finite_scores_name_the_prompt(
    backbone: Backbone, source: Source, prompts: pd.DataFrame
) -> None:
    with torch.no_grad():
        backbone.network.conv_out.weight.fill_(float("nan"))
    with pytest.raises(ValueError, match="finite"):
        list(generate(backbone, source, prompts[:1], SETTINGS, 9))


@pytest.mark.parametrize(("dtype", "tolerance"), [("float16", 0.003), ("bfloat16", 0.05)])
def test_half_precision_keeps_order_and_size_of_scores(
    shared_backbone: Backbone, model: ModelRef, dtype: str, tolerance: float
) -> None:
    """The same pictures, scored by the shipped model in half precision."""
    prompt = "a red circle and a blue square"
    guiding = ClassifierFree(scale=1.5).start(
        shared_backbone,
        [prompt] * 8,
        shared_backbone.encode_prompts([prompt]).expand(8),
        shared_backbone.encode_prompts([""]),
        6,
    )
    seeds = [torch.Generator().manual_seed(i) for i in range(8)]
    steps = sample(
        guiding,
        build_scheduler("ddim", shared_backbone.pipeline.scheduler),
        initial_noise(shared_backbone.latent_shape, seeds),
    )
    *_, last = steps
    found = []
    for backbone in (shared_backbone, open_backbone(model, torch.device("cpu"), dtype)):
        (estimate,) = information(
            backbone.denoiser,
            last.z_next,
            backbone.encode_prompts([prompt]).expand(8),
            backbone.encode_prompts([""]),
            [InformationDecomposition(draws=8, log_snr=(-3.5, -0.5), antithetic=True)],
            torch.Generator().manual_seed(0),
        )
        found.append(estimate.score)
    exact, rounded = found
    assert (rounded - exact).abs().max() < tolerance * exact.std()
    if dtype == "float16":
        assert (rounded.argsort() == exact.argsort()).all()
