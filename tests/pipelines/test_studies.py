"""`kedro run --pipeline=studies`: sets, real pictures, what holds, and only the new arm runs."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from pydantic import ValidationError

from mitune.candidates import Generation, Scoring
from mitune.errors import UserError
from mitune.miniature.caption import read
from mitune.miniature.captioned import draw_captioned
from mitune.miniature.prompts import split_of
from mitune.pipelines.evaluate.parameters import Evaluation
from mitune.pipelines.shared.metrics import Metrics
from mitune.pipelines.studies.arm import StudyArm
from mitune.pipelines.studies.cost import work_of
from mitune.pipelines.studies.measuring import measure_arms
from mitune.pipelines.studies.pairs import ManifestPictures, RenderedPictures
from mitune.pipelines.studies.parameters import Studies
from mitune.pipelines.studies.pipeline import create_categories
from mitune.pipelines.studies.pool import paint_more
from mitune.pipelines.studies.preflight import check_studies
from mitune.pipelines.studies.sets import REAL, compose_sets, described, set_of
from mitune.pipelines.studies.table import HOLDS, REVERSED, UNDECIDED, verdict
from mitune.pipelines.studies.training import train_arms
from mitune.statistics import Interval
from mitune.training.finetuning import Finetuning
from tests.pipelines.conftest import run

BEST = {"kind": "top_k", "score": "information", "k": 1}
RANDOM = {"kind": "random_k", "k": 1}


def _pool(prompts: int = 4, images: int = 3, category: str = "color") -> pd.DataFrame:
    """Image i of prompt p scores p * i: the last is the best, and prompt 0's agree."""
    return pd.DataFrame(
        {
            "prompt_id": f"{category}{p}",
            "category": category,
            "prompt": f"a thing {p}",
            "image_index": i,
            "seed": 0,
            "information": float(p * i),
        }
        for p in range(prompts)
        for i in range(images)
    )


def _studies(**arms: dict[str, object]) -> Studies:
    labelled = {name: {"label": name, **arm} for name, arm in arms.items()}
    return Studies.model_validate(
        {"images_per_prompt": 3, "real": {"kind": "rendered"}, "arms": labelled, "studies": {}}
    )


def test_an_arm_chooses_among_what_it_is_offered() -> None:
    pool = pd.concat([_pool(), _pool(category="shape")], ignore_index=True)
    studies = _studies(
        best={"selection": BEST},
        fewer={"selection": BEST, "images": 2},
        shapes={"selection": BEST, "categories": ["shape"]},
        decided={"selection": BEST, "undecided": {"score": "information", "share": 0.5}},
    )
    sets = compose_sets(pool, studies)
    best = set_of(sets, "best", 0)
    assert len(best) == 8 and set(best["image_index"][1:4]) == {2}
    assert set(set_of(sets, "fewer", 0)["image_index"][1:4]) == {1}
    assert set(set_of(sets, "shapes", 0)["category"]) == {"shape"}
    # Ranges are 0, 2, 4, 6: the lower half goes.
    assert set(set_of(sets, "decided", 0)["prompt_id"]) == {"color2", "color3", "shape2", "shape3"}


def test_columns_of_one_arm_do_not_reach_another() -> None:
    pairs = {"kind": "pairs", "score": "information", "k": 1}
    sets = compose_sets(_pool(), _studies(pairs={"selection": pairs}, best={"selection": BEST}))
    assert "role" in set_of(sets, "pairs", 0)
    assert "role" not in set_of(sets, "best", 0)


def test_a_share_of_real_pictures_takes_the_place_of_so_many_chosen() -> None:
    sets = compose_sets(_pool(prompts=8), _studies(mixed={"selection": BEST, "real": 0.25}))
    mixed = set_of(sets, "mixed", 0)
    assert len(mixed) == 8 and (mixed["pool"] == REAL).sum() == 2
    assert mixed.loc[mixed["pool"] == REAL, "image_index"].tolist() == [0, 1]
    assert mixed["prompt_id"].is_unique
    (facts,) = described(sets, ["information"])
    assert facts["real"] == 0.25 and facts["lines"] == facts["pictures"] == 8


def test_a_repeat_draws_and_trains_with_its_own_seed_and_changes_nothing_else() -> None:
    arm = StudyArm.model_validate(
        {"label": "random", "selection": RANDOM, "finetune": {"adapter": {"rank": 4, "alpha": 4}}}
    )
    common = Finetuning(seed=3)
    assert [arm.training(common, repeat).seed for repeat in (0, 1)] == [3, 4]
    assert arm.training(common, 1).adapter.rank == 4
    assert arm.training(common, 0).optimisation == common.optimisation
    assert arm.chooser(0) == arm.selection and arm.chooser(2).seed == 2
    best = StudyArm.model_validate({"label": "best", "selection": BEST})
    assert best.chooser(1) == best.selection
    plain = best.training(common, 0)
    assert plain == common


def test_what_has_a_kind_is_replaced_and_blocks_are_changed_by_field() -> None:
    changes = {"objective": {"kind": "diffusion_dpo", "beta": 7.0}, "adapter": {"kind": "lora"}}
    arm = StudyArm.model_validate({"label": "", "selection": BEST, "finetune": changes})
    trained = arm.training(Finetuning(), 0)
    assert trained.objective.kind == "diffusion_dpo" and trained.objective.beta == 7.0
    assert trained.adapter.kind == "lora" and trained.adapter.rank == Finetuning().adapter.rank
    wrong = StudyArm.model_validate(
        {"label": "", "selection": BEST, "finetune": {"adapter": {"kin": "lora"}}}
    )
    with pytest.raises(ValidationError, match="kin"):
        wrong.training(Finetuning(), 0)


@pytest.mark.parametrize(
    ("arm", "message"),
    [
        ({"selection": BEST, "mean": {"best": 1.0}}, "drop one of them"),
        ({"finetune": {"seed": 1}}, "selection is missing"),
        ({"mean": {"best": 0.5}}, r"add up to 1, not 0\.5"),
        ({"mean": ["nobody"]}, "no trained arm 'nobody'"),
        ({"selection": {**BEST, "kind": "pairs"}, "real": 0.5}, "single ones"),
        ({"selection": BEST, "images": 4}, "images_per_prompt is only 3"),
    ],
)
def test_arms_that_make_no_sense_are_refused(arm: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        _studies(best={"selection": BEST}, arm=arm)


def test_a_dropped_arm_leaves_the_studies_and_a_misspelt_one_is_refused() -> None:
    claims = [{"says": "", "higher": "best", "lower": name} for name in ("other", "third")]
    study = {"title": "t", "arms": ["best", "other", "third"], "against": "best", "claims": claims}
    arms = {name: {"label": name, "selection": BEST} for name in ("best", "other")}
    whole = {"images_per_prompt": 3, "arms": arms | {"third": None}, "studies": {"s": study}}
    shown = Studies.model_validate(whole).shown["s"]
    assert shown.arms == ("best", "other") and [c.lower for c in shown.claims] == ["other"]
    with pytest.raises(ValidationError, match="no arm 'third'"):
        Studies.model_validate(whole | {"arms": arms})
    with pytest.raises(ValidationError, match="nothing is left to compare"):
        Studies.model_validate(whole | {"arms": arms | {"other": None, "third": None}})


def test_an_arm_that_cannot_choose_is_named() -> None:
    studies = _studies(best={"selection": {**BEST, "k": 9}})
    with pytest.raises(UserError, match=r"^arms\.best\.k: 9 exceeds the 3 candidates"):
        compose_sets(_pool(), studies)
    with pytest.raises(UserError, match=r"^arms\.late\.round: there are no candidates of round 2"):
        compose_sets(_pool(), _studies(late={"selection": BEST, "round": 2}))
    with pytest.raises(UserError, match=r"^arms\.odd\.categories: no candidates of texture"):
        compose_sets(_pool(), _studies(odd={"selection": BEST, "categories": ["texture"]}))


@pytest.mark.parametrize(
    ("arm", "message"),
    [
        ({"selection": {**BEST, "score": "hps"}}, r"studies\.arms\.arm: goes by 'hps'"),
        ({"selection": {**BEST, "score": "clip"}, "round": 2}, "candidates of round 2 have only"),
        ({"selection": {**BEST, "k": 4}}, "needs 4 candidates of a prompt, and it has 3"),
        ({"selection": {**BEST, "k": 3}, "images": 2}, "needs 3 .* and it has 2"),
        ({"selection": BEST, "categories": ["shape"]}, "no prompts of shape; choose of color"),
        ({"selection": BEST, "finetune": {"stop": 1}}, r"arms\.arm\.finetune\.stop: Extra inputs"),
        ({"selection": BEST, "finetune": {"objective": {"kind": "mapo"}}}, "trains on Pair"),
        (
            {"selection": BEST, "finetune": {"objective": {"kind": "dpok", "reward": "clip"}}},
            "needs a metric to train",
        ),
    ],
)
def test_what_an_arm_cannot_have_is_said_before_a_model_is_loaded(
    arm: dict[str, object], message: str
) -> None:
    generate = Generation(images_per_prompt=3, scoring=Scoring(information={"draws": 2}))
    metrics = Metrics.model_validate({"scorers": {"clip": {"kind": "clip_score", "path": "x"}}})
    studies = _studies(arm=arm)
    with pytest.raises(UserError, match=message):
        check_studies("studies", studies, generate, metrics, Finetuning(), ["color"])


def test_a_claim_holds_when_its_interval_is_above_zero() -> None:
    ends = [(0.1, 0.3), (-0.1, 0.3), (-0.3, -0.1)]
    found = [verdict(Interval((low + high) / 2, low, high, 0.0, 9)) for low, high in ends]
    assert found == [HOLDS, UNDECIDED, REVERSED]


def test_rendered_pictures_are_no_test_prompts_and_stay_the_same_when_there_are_more() -> None:
    faithful = list(draw_captioned(24, 0, careless=False))
    assert all(split_of(read(caption)) == "train" for caption, _ in faithful)
    assert [c for c, _ in draw_captioned(8, 0, careless=False)] == [c for c, _ in faithful[:8]]
    careless = [caption for caption, _ in draw_captioned(24, 0)]
    assert 0 < sum(a != b for a, (b, _) in zip(careless, faithful, strict=True)) < 24
    (_, picture), *_ = RenderedPictures().pairs(1, 32)
    assert picture.shape == (32, 32, 3)


def test_pictures_of_a_manifest_are_cut_to_their_middle(tmp_path: Path) -> None:
    wide = np.zeros((10, 30, 3), np.uint8)
    wide[:, 10:20] = (255, 0, 0)
    Image.fromarray(wide).save(tmp_path / "a.png")
    (tmp_path / "manifest.csv").write_text("file,prompt\na.png,a red square\n")
    source = ManifestPictures(path=tmp_path)
    ((caption, picture),) = source.pairs(1, 10)
    assert caption == "a red square" and (picture == (255, 0, 0)).all()
    with pytest.raises(UserError, match="has 1 pictures, and arms mix in up to 2"):
        list(source.pairs(2, 10))


def test_the_cost_counts_every_arm_and_repeat() -> None:
    studies = _studies(
        base={},
        best={"selection": BEST},
        long={"selection": BEST, "finetune": {"optimisation": {"steps": 7}}},
        both={"mean": ["best", "long"]},
    ).model_copy(update={"repeats": 2})
    nodes = {node.func: node for node in create_categories().nodes}
    trained = list(work_of(nodes[train_arms], [studies, Finetuning()]))
    usual = Finetuning().optimisation.steps
    assert [(t.optimisation.steps, t.seed) for t in trained] == [
        (usual, 0), (usual, 1), (7, 0), (7, 1)
    ]  # fmt: skip
    assert len(list(work_of(nodes[measure_arms], [studies, Evaluation()]))) == 7
    (painted,) = work_of(nodes[paint_more], [Generation(images_per_prompt=2), 9])
    assert painted.images_per_prompt == 9
    assert not list(work_of(nodes[compose_sets], [studies]))


@pytest.fixture(scope="module")
def project(own: Path) -> Path:
    """Its own: the campaign of the main job grows."""
    return own


@pytest.mark.slow
def test_every_arm_is_measured_and_then_only_a_new_one(project: Path) -> None:
    few = ",".join(
        f"studies.arms.{name}=null"
        for name in ("lowest", "judge", "mi_clip", "above", "decided", "m30", "k7", "feed_forward")
    )
    done = run(project, "--pipeline=studies", f"--params={few}")
    assert done.returncode == 0, done.stderr[-2000:]
    reports = project / "data/smoke/08_reporting/main/studies"
    results = pd.read_csv(reports / "results.csv")
    assert set(results["study"]) == {"choice", "set_size", "real", "adapters", "rounds"}
    assert set(results["metric"]) == {"judge", "clip", "vqa"} and results["mean"].notna().all()
    claims = pd.read_csv(reports / "claims.csv")
    assert set(claims["verdict"]) <= {HOLDS, REVERSED, UNDECIDED} and len(claims) >= 4
    page = (reports / "studies.html").read_text()
    for published in ("61.57", "M=500,k=1", "UNet+Text(joint)", "MI+Real(0.5)"):
        assert published in page
    replays = pd.read_csv(reports / "comparison.csv")
    assert {"path", "information"} <= set(replays["estimator"]) and replays["tau"].notna().all()
    mixed = pd.read_csv(reports / "sets.csv").set_index("arm").loc["real_50"]
    assert mixed["real"] == 0.5

    adapters = project / "data/smoke/06_models/main/studies/trained"
    measured = project / "data/smoke/07_model_output/main/studies/measured"
    made = [*adapters.rglob("training_log.json"), *measured.glob("*.parquet")]
    before = {path: path.stat().st_mtime_ns for path in made}
    candidates = sorted((project / "data/smoke/04_feature/main/studies").rglob("*.parquet"))
    painted = {
        path: path.stat().st_mtime_ns for path in candidates if path.parent.name != "studies"
    }
    new = "studies.arms.new.label=new,studies.arms.new.selection.kind=random_k"
    new += ",studies.arms.new.selection.k=1,studies.arms.new.selection.seed=5"
    added = run(project, "--pipeline=studies", f"--params={few},{new}")
    assert added.returncode == 0, added.stderr[-2000:]
    assert (adapters / "new__0").is_dir() and (measured / "new__0.parquet").is_file()
    assert {path: path.stat().st_mtime_ns for path in made} == before
    assert {path: path.stat().st_mtime_ns for path in painted} == painted

    wrong = run(project, "--pipeline=studies", "--params=studies.arms.mi.images=9")
    assert wrong.returncode == 1 and "Traceback" not in wrong.stderr
    assert "images_per_prompt is only 4" in wrong.stderr


@pytest.mark.slow
def test_categories_end_in_a_cross_table_and_a_mean_of_adapters(project: Path) -> None:
    done = run(project, "--pipeline=categories")
    assert done.returncode == 0, done.stderr[-2000:]
    reports = project / "data/smoke/08_reporting/main/categories"
    results = pd.read_csv(reports / "results.csv")
    crossed = results[(results["study"] == "combining") & (results["metric"] == "judge")]
    table = crossed.pivot(index="model", columns="category", values="mean")
    assert {"color", "shape", "merged", "joint"} < set(table.index)
    assert {"color", "shape", "all"} == set(table.columns) and table.notna().all(axis=None)
    sets = pd.read_csv(reports / "sets.csv").set_index("arm")
    assert sets.loc["joint", "lines"] == sets.loc["color", "lines"] + sets.loc["shape", "lines"]
    claims = pd.read_csv(reports / "claims.csv").set_index("says")
    assert claims.loc["Color's own adapter beats the mean there", "category"] == "color"
    folder = project / "data/smoke/06_models/main/categories/merged/merged__0"
    facts = json.loads((folder / "adapter.json").read_text())
    assert facts["weights"] == {"color": 0.5, "shape": 0.5} and facts["rank"] == 4
    assert "61.57" in (reports / "categories.html").read_text()
