import sys
from pathlib import Path

import pandas as pd
import pytest
import torch

from mitune.backbones import AdapterRef, ModelRef
from mitune.backbones.base import Backbone
from mitune.candidates import Generation, Scoring, Source, generate
from mitune.datasets.shards import ShardsDataset, shards_in
from mitune.datasets.workspace import Workspace
from mitune.errors import UserError
from mitune.estimators import ForwardScore, InformationDecomposition
from mitune.guidance import ClassifierFree
from mitune.pipelines.shared.resources import Resources
from mitune.pipelines.shared.shards import check_shards, make_shards, read_shards
from mitune.pipelines.shared.sources import painting_code

PROMPTS = pd.DataFrame(
    {"prompt_id": ["a", "b", "c"], "category": "color", "prompt": ["a star", "a cross", "a circle"]}
)


def test_full_memory_halves_the_batch_and_changes_no_image(
    backbone: Backbone, model: ModelRef
) -> None:
    source = Source(model, AdapterRef(None), "round_1")
    settings = Generation(images_per_prompt=2, steps=2, scoring=Scoring())
    expected = dict(generate(backbone, source, PROMPTS, settings, 6))
    sizes = []

    def full(module, arguments) -> None:  # type: ignore[no-untyped-def]
        sizes.append(len(arguments[0]))
        if len(arguments[0]) > 2:  # both branches of one image
            raise torch.OutOfMemoryError("CUDA out of memory.")

    backbone.network.register_forward_pre_hook(full)
    found = dict(generate(backbone, source, PROMPTS, settings, 6))
    assert sizes[:3] == [12, 6, 2] and list(found) == ["a", "b", "c"]
    for name, table in found.items():
        assert list(table["seed"]) == list(expected[name]["seed"])
        pd.testing.assert_series_equal(table["path"], expected[name]["path"], rtol=1e-3)


def test_all_code_that_runs_to_paint_and_score_is_of_the_key(
    backbone: Backbone, model: ModelRef
) -> None:
    scoring = Scoring(forward=ForwardScore(draws=2), information=InformationDecomposition(draws=2))
    settings = Generation(images_per_prompt=1, steps=2, scoring=scoring)
    source = Source(model, AdapterRef(None), "round_1")
    ran: set[str] = set()
    sys.setprofile(lambda frame, event, argument: ran.add(frame.f_globals.get("__name__", "")))
    try:
        assert len(list(generate(backbone, source, PROMPTS, settings, 3))) == 3
    finally:
        sys.setprofile(None)
    ours = {name for name in ran if name.startswith("mitune.")}
    assert len(ours) > 8
    assert ours <= set(painting_code(settings, model, AdapterRef(None)))
    assert "mitune.training.adapters" in painting_code(settings, model, AdapterRef("there"))


SETTINGS = Generation(
    images_per_prompt=2,
    steps=2,
    scoring=Scoring(information=InformationDecomposition(draws=4, antithetic=True)),
)


@pytest.fixture(scope="module")
def prompts() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "prompt_id": [f"p{i}" for i in range(7)],
            "category": "color",
            "prompt": [
                f"a red circle and {n} stars" for n in ["two", "three", "four", "five", "six"]
            ]
            + ["a cross", "a blue square"],
        }
    )


def _make(
    folder: Path, prompts: pd.DataFrame, source: Source, settings: Generation, **how: object
) -> list[str]:
    """Names of the shards that were made, in jobs of two prompts."""
    dataset = ShardsDataset(filepath=str(folder))
    workspace = Workspace(folder, [folder])
    resources = Resources(device="cpu", batch_size=4, workers=2, **how)
    made = []
    for shard in make_shards(prompts, source, workspace, settings, resources):
        dataset.save(shard)
        made += [name for name, content in shard.items() if isinstance(content, pd.DataFrame)]
    return made


def _tables(folder: Path) -> dict[str, pd.DataFrame]:
    return dict(shards_in(folder))


def _assert_equal(found: dict[str, pd.DataFrame], expected: dict[str, pd.DataFrame]) -> None:
    assert set(found) == set(expected)
    for name, table in found.items():
        pd.testing.assert_frame_equal(table, expected[name], check_exact=True)
        assert table.attrs == expected[name].attrs


@pytest.mark.parametrize("executor", ["ray", "slurm"])
def test_other_machines_make_the_bits_of_this_one(
    executor: str,
    model: ModelRef,
    prompts: pd.DataFrame,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip({"ray": "ray", "slurm": "submitit"}[executor])
    monkeypatch.chdir(tmp_path)  # where tasks of Slurm leave their answers
    source = Source(model, AdapterRef(None), "round_1")
    _make(tmp_path / "here", prompts, source, SETTINGS, executor="serial")
    made = _make(tmp_path / "there", prompts, source, SETTINGS, executor=executor)
    assert sorted(made) == list(prompts["prompt_id"])
    _assert_equal(_tables(tmp_path / "there"), _tables(tmp_path / "here"))


def test_two_processes_resuming_and_growing_have_the_bits_of_one(
    model: ModelRef, prompts: pd.DataFrame, tmp_path: Path
) -> None:
    source = Source(model, AdapterRef(None), "round_1")
    one, two = tmp_path / "one", tmp_path / "two"
    assert len(_make(one, prompts, source, SETTINGS, executor="serial")) == len(prompts)
    made = _make(two, prompts, source, SETTINGS, executor="processes")
    assert sorted(made) == list(prompts["prompt_id"])
    _assert_equal(_tables(two), _tables(one))

    # A run that was interrupted: what misses is made with its neighbours, and they are kept.
    expected = _tables(one)
    for lost in ("p1", "p5"):
        (one / f"{lost}.parquet").unlink()
    assert _make(one, prompts, source, SETTINGS, executor="serial") == ["p1", "p5"]
    _assert_equal(_tables(one), expected)

    more = SETTINGS.model_copy(update={"images_per_prompt": 3})
    assert len(_make(one, prompts, source, more, executor="serial")) == len(prompts)
    assert len(_make(two, prompts, source, more, executor="processes")) == len(prompts)
    _assert_equal(_tables(two), _tables(one))
    for name, table in _tables(one).items():
        assert table["latent"].tolist()[:2] == expected[name]["latent"].tolist()


def test_a_prompt_that_is_not_finite_is_named(
    model: ModelRef, prompts: pd.DataFrame, tmp_path: Path
) -> None:
    huge = SETTINGS.model_copy(update={"guidance": ClassifierFree(scale=1e30)})
    source = Source(model, AdapterRef(None), "round_1")
    with pytest.raises(UserError, match=r"prompt 'a cross': .*non-finite.*finished prompts are"):
        _make(tmp_path, prompts[5:6], source, huge, executor="serial")


def test_shards_say_what_made_them_and_others_are_refused(
    model: ModelRef, prompts: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Source(model, AdapterRef(None), "round_1")
    few = prompts[:2]
    _make(tmp_path, few, source, SETTINGS)
    shards = shards_in(tmp_path)
    manifest = shards.manifest("p0")
    assert manifest is not None and manifest.rows == 2 and "information" in manifest.columns
    assert manifest.made_by["settings"]["steps"] == 2
    assert "mitune.diffusion.sampling" in manifest.made_by["code"]
    assert [len(table) for table in read_shards(shards, few, SETTINGS, source)] == [2, 2]
    other = SETTINGS.model_copy(update={"seed": 1})
    more = SETTINGS.model_copy(update={"images_per_prompt": 3})
    adapter = Source(model, AdapterRef("there", "tuned"), "round_1")
    for settings, maker, names in (
        (other, source, few),
        (more, source, few),
        (SETTINGS, adapter, few),
        (SETTINGS, source, prompts),
    ):
        with pytest.raises(UserError, match="of other settings or code; give") as caught:
            check_shards(shards, names, settings, maker)
        assert "\n" not in str(caught.value)
    monkeypatch.setattr("mitune.lineage.source_code.digest", lambda module: "changed")
    with pytest.raises(UserError, match="p0: its images are"):
        check_shards(shards, few, SETTINGS, source)
