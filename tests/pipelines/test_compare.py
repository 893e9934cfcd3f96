"""The bench: points, arms, what is chosen, and the workflow on a few arms of the smoke run."""

import json
import math
from pathlib import Path

import click
import pandas as pd
import pytest
import yaml
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

from mitune.candidates import Generation
from mitune.composition import Pairs, Weighted
from mitune.errors import UserError
from mitune.metrics.units import Units
from mitune.objectives import SFT
from mitune.objectives.d3po import D3PO
from mitune.objectives.diff_contrast import DiffContrast
from mitune.objectives.diffusion_dpo import DiffusionDPO
from mitune.pipelines.arms import BASE, METHODS
from mitune.pipelines.compare.cost import work_of
from mitune.pipelines.compare.facts import describe_base, describe_method
from mitune.pipelines.compare.guided import best_scale
from mitune.pipelines.compare.page import reward_note, settings_of
from mitune.pipelines.compare.parameters import Compare, chosen
from mitune.pipelines.compare.points import Method
from mitune.pipelines.compare.preflight import check_methods
from mitune.pipelines.compare.table import Entry, costs
from mitune.pipelines.compare.verdict import verdict
from mitune.pipelines.compare.wiring import of_arms, without_unread
from mitune.pipelines.compose.parameters import Compose
from mitune.pipelines.compose.preflight import check_choices
from mitune.pipelines.compose.wiring import wired
from mitune.pipelines.evaluate.parameters import Evaluation
from mitune.pipelines.guidance_grid.parameters import GuidanceGrid
from mitune.pipelines.shared.arms import read_arms, rewards_of
from mitune.pipelines.shared.budget import Budget, budget_of
from mitune.pipelines.shared.metrics import Metrics
from mitune.training.finetuning import Finetuning
from mitune.training.optimisation import Optimisation
from tests.conftest import ROOT
from tests.pipelines.conftest import kedro_here, run

COMMON = Finetuning(optimisation=Optimisation(steps=7, batch_size=4, micro_batch_size=2))


def _arm(name: str):  # type: ignore[no-untyped-def]
    return next(arm for arm in METHODS if arm.name == name)


def _base() -> dict:
    files = (ROOT / "conf/base").glob("parameters*.yml")
    return {k: v for file in files for k, v in yaml.safe_load(file.read_text()).items()}


def test_points_are_all_combinations_and_the_rest_is_common() -> None:
    method = Method.model_validate(
        {
            "objective": {"kind": "diffusion_dpo"},
            "optimisation": {"schedule": "cosine"},
            "caption_dropout": 0.2,
            "search": {"objective.beta": [1.0, 2.0], "optimisation.learning_rate": [1e-3, 1e-2]},
        }
    )
    points = method.points(COMMON)
    assert list(points) == [
        "beta_1.0__learning_rate_0.001", "beta_1.0__learning_rate_0.01",
        "beta_2.0__learning_rate_0.001", "beta_2.0__learning_rate_0.01",
    ]  # fmt: skip
    third = points["beta_2.0__learning_rate_0.001"]
    assert third.objective == DiffusionDPO(beta=2.0)
    changed = {"learning_rate": 1e-3, "schedule": "cosine"}
    assert third.optimisation == COMMON.optimisation.model_copy(update=changed)
    assert third.optimisation.micro_batch_size == 2 and third.caption_dropout == 0.2
    assert third.adapter == COMMON.adapter and third.seed == COMMON.seed


def test_without_a_search_there_is_one_point() -> None:
    for search in (None, {}, {"objective.beta": []}):
        assert Method(search=search).points(COMMON) == {"default": COMMON}


def test_arms_are_named_in_any_way_and_kept_in_order() -> None:
    every = [arm.name for arm in METHODS]
    assert list(chosen("all")) == every
    assert chosen("dspo+sft") == chosen(["dspo", "sft"]) == ("sft", "dspo")
    for wrong in ("sft+nobody", [], 3, ["sft", "all"]):
        with pytest.raises(ValueError, match=r"give all|no arm"):
            chosen(wrong)


def test_the_shipped_bench_can_be_trained() -> None:
    """Every arm: its set fits its loss, its metric is there, and each point is valid."""
    base = _base()
    choices = {k: Compose.model_validate(v) for k, v in base.items() if k.startswith("compose")}
    common = Finetuning.model_validate(base["finetune"])
    metrics = Metrics.model_validate(
        {
            "scorers": {
                k: v | {"path": ROOT / v["path"]} for k, v in base["metrics"]["scorers"].items()
            }
        }
    )
    bench = Compare.model_validate(base["compare"])
    check_methods(METHODS, bench, choices, common, metrics)
    seen = {
        arm.name: rewards_of(
            choices[str(arm.composition)].selection, bench.methods[arm.name].objective
        )
        for arm in METHODS
    }
    assert {name: metric for name, metric in seen.items() if metric} == {
        "gors": ("vqa",), "d3po": ("vqa",), "dpok": ("vqa",),
    }  # fmt: skip
    points = {name: len(method.points(common)) for name, method in bench.methods.items()}
    assert set(points.values()) == {4}


@pytest.mark.parametrize("env", ["sd21", "sdxl", "sd35", "miniature-sd3"])
def test_the_bench_can_be_trained_on_other_models(env: str, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(ROOT)
    bootstrap_project(ROOT)
    with KedroSession.create(ROOT, env=env) as session:
        catalog = session.load_context().catalog
        given = catalog.load("parameters")
        metrics = Metrics.model_validate(catalog.load("params:metrics"))
    choices = {k: Compose.model_validate(v) for k, v in given.items() if k.startswith("compose")}
    check_choices(choices, Generation.model_validate(given["generate"]), metrics)
    common = Finetuning.model_validate(given["finetune"])
    check_methods(METHODS, Compare.model_validate(given["compare"]), choices, common, metrics)


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ({"search": {"beta": [1.0]}}, "compare.methods.dpo.search: beta cannot be searched"),
        ({"search": {"adapter.rank": [4]}}, "compare.methods.dpo.search: adapter.rank cannot be"),
        (
            {"search": {"optimisation.lerning_rate": [1.0]}},
            "parameters, compare.methods.dpo.optimisation.lerning_rate: Extra inputs",
        ),
        (
            {"objective": {"kind": "diffusion_dpo"}, "search": {"objective.beta": [-1.0]}},
            "parameters, compare.methods.dpo.objective.beta: Input should be greater than 0",
        ),
        (
            {"objective": {"kind": "diff_contrast", "contrast": 3}},
            "parameters, compare.methods.dpo: Value error, optimisation.batch_size 4 is no "
            "multiple of 3",
        ),
        (
            {"objective": {"kind": "diffusion_dpo"}},
            "compose_pairs.selection.kind is 'top_k', which makes rows Single, but "
            "compare.methods.dpo.objective.kind is 'diffusion_dpo'",
        ),
        (
            {"objective": {"kind": "dpok"}},
            "compare.methods.dpo.objective.reward is 'image_reward', but metrics.scorers has only",
        ),
    ],
)
def test_what_cannot_be_trained_is_said_before(method: dict, said: str) -> None:
    metrics = Metrics.model_validate({"scorers": {"judge": {"kind": "judge", "path": "x"}}})
    tuning = {"scales": [1.0], "images_per_prompt": 1}
    bench = Compare.model_validate({"arms": "dpo", "tuning": tuning, "methods": {"dpo": method}})
    single = Compose.model_validate({"selection": {"kind": "top_k", "score": "path"}})
    with pytest.raises(UserError) as caught:
        check_methods([_arm("dpo")], bench, {"compose_pairs": single}, COMMON, metrics)
    assert str(caught.value).startswith(said)


def test_rewards_are_named() -> None:
    assert rewards_of(Pairs(score={"information": 1.0, "clip": 2.0}), SFT()) == ("clip",)
    assert rewards_of(Weighted(score="vqa", threshold=0.1), D3PO(reward="vqa")) == ("vqa",)
    assert rewards_of(Pairs(score="path"), DiffContrast(encoder="clip")) == ()


def test_network_evaluations_are_counted() -> None:
    """7 steps of 4 examples; trajectories anew at steps 0, 3 and 6, 5 steps of both branches."""
    assert budget_of(COMMON) == (0, 0, 28)
    assert budget_of(COMMON.model_copy(update={"objective": DiffusionDPO()})) == (0, 56, 56)
    rolled = D3PO(images=2, rollouts=4, every=3, steps=5, guidance_scale=2.0)
    found = budget_of(COMMON.model_copy(update={"objective": rolled}))
    assert found == Budget(trajectories=12, evaluations=12 * 5 * 2 + 28 * 2, trained=56)


def test_the_bench_is_counted_before_it_runs() -> None:
    nodes = {node.name: node for node in of_arms(("dpo",)).nodes}
    tuning, evaluation = GuidanceGrid(scales=(1.0, 3.0), images_per_prompt=5), Evaluation()
    given = [tuning, COMMON, DPO, evaluation]
    *work, last = work_of(nodes["dpo.search.try_points"], given)
    assert [*work[::2], work[1].images_per_prompt, last] == [
        *DPO.points(COMMON).values(), 5, work[1]
    ]  # fmt: skip
    scales = work_of(nodes["dpo.guided.paint_scales"], given)
    assert [(each.guidance.scale, each.images_per_prompt) for each in scales] == [
        (1.0, 5),
        (3.0, 5),
    ]
    (guided,) = work_of(nodes["dpo.guided.generate_guided_images"], given)
    assert guided.sampled_by.evaluations(10) == 20
    assert guided.images_per_prompt == evaluation.images_per_prompt
    assert not list(work_of(nodes["dpo.compose.compose"], given))


def test_candidates_are_measured_only_for_who_reads_that() -> None:
    by_mi = Compose.model_validate({"selection": {"kind": "top_k", "score": "information"}})
    by_metric = Compose.model_validate({"selection": {"kind": "top_k", "score": "vqa"}})
    names = ("compose", "compose_pairs", "compose_weighted")

    def nodes(arms: str, **choices: Compose) -> set[str]:
        given = dict.fromkeys(names, by_mi) | choices
        pipeline = without_unread(wired(of_arms(chosen(arms)), given))
        return {node.name for node in pipeline.nodes}

    measuring = "round_1.rank.measure_candidates"
    assert measuring not in nodes("sft+dpo")
    assert measuring in nodes("gors", compose_weighted=by_metric)
    assert {name.partition(".")[0] for name in nodes("sft+dpo")} == {
        "prompts", "round_1", "base", "sft", "dpo", "quality", "compare",
    }  # fmt: skip


def test_the_best_scale_is_the_chosen_one() -> None:
    table = pd.DataFrame({"scale": [1.0, 1.5, 3.0], "chosen": [False, True, False]})
    assert best_scale(table) == 1.5


def _search(**columns: object) -> pd.DataFrame:
    rows = {"point": ["beta_1.0", "beta_2000.0"], "elements": 512, "chosen": [False, True]}
    return pd.DataFrame(rows | columns)


LOG = pd.DataFrame({"index": range(20), "loss": range(20), "gain": 1.0, "seconds": 0.1})
GUIDANCE = pd.DataFrame({"scale": [3.0], "chosen": [True]})
PAIRS = Compose.model_validate({"selection": {"kind": "pairs", "score": "vqa"}})
DPO = Method(objective=DiffusionDPO(), search={"objective.beta": [1.0, 2000.0]})


def test_facts_say_what_an_arm_has_seen_and_what_its_strength_means() -> None:
    search = _search(seconds=[2.0, math.nan])
    facts = describe_method(_arm("dpo"))(PAIRS, COMMON, DPO, search, LOG, GUIDANCE)
    assert facts["rewards"] == ["vqa"] and facts["seconds"] == 2.0 and facts["scale"] == 3.0
    (arm,) = read_arms([facts["arm"]])
    assert arm.title == "Diffusion-DPO †"
    assert settings_of(facts)["of_a_sum"] == [
        "beta 2000 in front of a mean over 512 elements is 3.91 in front of their sum"
    ]
    assert "Diffusion-DPO by vqa" in reward_note([arm], {"dpo": facts})
    assert facts["training"] == {
        "first": {"loss": 0.5, "gain": 1.0},
        "last": {"loss": 18.5, "gain": 1.0},
    }
    assert json.loads(json.dumps(facts)) == facts
    base = describe_base(BASE)(GUIDANCE)
    assert (base["evaluations"], base["trained"], base["rewards"]) == (0, 0, [])


def test_steps_cost_as_much_as_they_cost_sft() -> None:
    facts = {"base": describe_base(BASE)(GUIDANCE)}
    single = Compose.model_validate({"selection": {"kind": "top_k", "score": "path"}})
    sft = _search(point=["a", "default"], seconds=[14.0, 14.0])
    facts["sft"] = describe_method(_arm("sft"))(single, COMMON, Method(), sft, LOG, GUIDANCE)
    dpo = _search(seconds=[20.0, 22.0])
    facts["dpo"] = describe_method(_arm("dpo"))(PAIRS, COMMON, DPO, dpo, LOG, GUIDANCE)
    none = pd.DataFrame()
    table = costs({name: Entry(f, none, none, {}, {}) for name, f in facts.items()})
    table = table.set_index("model")
    assert table["seconds_per_step"].tolist()[1:] == [2.0, 3.0]
    assert table["relative"].tolist()[1:] == [1.0, 1.5] and math.isnan(table["relative"]["base"])


def test_the_verdict_names_who_leaves_base_and_sft_behind() -> None:
    arms = (BASE, _arm("sft"), _arm("dpo"))
    value = {"base": 0.2, "sft": 0.5, "dpo": 0.4}
    cells = {(name, "default", "judge"): {"value": v} for name, v in value.items()}
    apart = {
        ("sft", "base"): (0.1, 0.5),
        ("dpo", "base"): (0.05, 0.3),
        ("dpo", "sft"): (-0.2, -0.1),
        ("base", "sft"): (-0.5, -0.1),
    }
    away = {
        (a, b, "default", "judge"): {"low": lo, "high": hi} for (a, b), (lo, hi) in apart.items()
    }
    said = verdict(arms, "judge", Units("proportion"), "default", cells, away)
    assert said == (
        "At default guidance the highest judge is SFT (MI-TUNE)'s, 50.0 %. Above base: SFT "
        "(MI-TUNE), Diffusion-DPO; below: none. Above SFT (MI-TUNE): none; below: base, "
        "Diffusion-DPO."
    )


def test_an_unknown_arm_is_refused_before_any_node() -> None:
    bootstrap_project(ROOT)
    given = {"compare": {"arms": "sft+nobody"}}
    with (
        KedroSession.create(ROOT, env="smoke", runtime_params=given) as session,
        pytest.raises(click.ClickException) as caught,
    ):
        session.load_context()
    assert caught.value.message.startswith("parameters, compare.arms: no arm 'nobody'; choose of")


ARMS = ("sft", "dpo", "d3po")
COMPARE = ("--pipeline=compare", f"--params=compare.arms={'+'.join(ARMS)}")


@pytest.fixture(scope="module")
def project(own: Path) -> Path:
    """Its own: the campaign of the main job grows."""
    return own


@pytest.fixture(scope="module")
def compared(project: Path):  # type: ignore[no-untyped-def]
    """The bench on three arms, in the campaign of the finished smoke run."""
    done = run(project, *COMPARE, "--only-missing-outputs")
    assert done.returncode == 0, done.stderr[-3000:]
    return done


@pytest.mark.slow
def test_nothing_of_the_main_job_is_done_again(compared) -> None:  # type: ignore[no-untyped-def]
    for done in ("generate_candidates", "measure_candidates", "base.evaluate", "prompts.ingest"):
        assert f"Completed node: {done}" not in compared.stderr
        assert f"Completed node: round_1.generate.{done}" not in compared.stderr


@pytest.mark.slow
def test_every_arm_is_on_the_page_with_all_measures(project: Path, compared) -> None:  # type: ignore[no-untyped-def]
    folder = project / "data/smoke/08_reporting/main/compare"
    results = pd.read_csv(folder / "results.csv")
    assert list(dict.fromkeys(results["model"])) == ["base", *ARMS]
    by_cell = results.groupby(["model", "guidance"])["measure"].agg(list)
    assert set(map(tuple, by_cell)) == {("judge", "clip", "vqa", "frechet", "cmmd", "kid")}
    seen = results[results["rewarded"]]
    assert set(zip(seen["model"], seen["measure"], strict=True)) == {("d3po", "vqa")}
    default = results[(results["guidance"] == "default") & (results["measure"] == "judge")]
    evaluation = max(
        (project / "data/smoke/07_model_output/main/dpo").glob("evaluation.parquet/*/*")
    )
    judged = pd.read_parquet(evaluation).groupby("prompt_id")["judge"].mean().mean()
    assert default.set_index("model")["value"]["dpo"] == pytest.approx(judged)
    table = pd.read_csv(folder / "costs.csv").set_index("model")
    assert table.loc["dpo", ["points", "evaluations", "trained"]].tolist() == [2, 8, 8]
    assert table.loc["d3po", "trajectories"] == 2 and table.loc["sft", "relative"] == 1
    log = pd.read_parquet(project / "data/smoke/08_reporting/main/dpo/training_log.parquet")
    assert log["loss"][0] == pytest.approx(math.log(2), abs=1e-6) and log["accuracy"][0] == 0.5
    assert log["drift"][0] == 0 and log["drift"][1] > 0 and log["seconds"].min() > 0
    page = (folder / "compare.html").read_text()
    for shown in ("SFT (MI-TUNE)", "Diffusion-DPO", "D3PO †", "by vqa", "laboratory", "beta 2000"):
        assert shown in page, shown
    assert "nan" not in page.replace("Finance", "")
    wins = pd.read_csv(folder / "win_rates.csv")
    assert len(wins) == 6 * 3 and (wins["wins"] + wins["ties"] + wins["losses"] == wins["n"]).all()


@pytest.mark.slow
def test_the_chosen_point_and_guidance_are_the_best_on_tuning_prompts(
    project: Path, compared
) -> None:  # type: ignore[no-untyped-def]
    smoke = project / "data/smoke"
    search = pd.read_csv(smoke / "08_reporting/main/dpo/search.csv")
    assert search["value"][search["chosen"]].tolist() == [search["value"].max()]
    cells = {p.stem: pd.read_parquet(p) for p in (smoke / "04_feature/main/dpo/search").iterdir()}
    for row in search.to_dict("records"):
        judged = cells[row["point"]].groupby("prompt_id")["judge"].mean().mean()
        assert row["value"] == pytest.approx(judged)
    tuning = set(pd.read_parquet(smoke / "03_primary/main/tuning_prompts.parquet")["prompt_id"])
    assert all(set(cell["prompt_id"]) == tuning for cell in cells.values())
    chosen_point = search["point"][search["chosen"]].iloc[0]
    facts = [
        json.loads(next(folder.rglob("adapter.json")).read_text())
        for folder in (
            smoke / "06_models/main/dpo/adapter",
            smoke / f"06_models/main/dpo/points/{chosen_point}",
        )
    ]
    assert facts[0] == facts[1] and facts[0]["latent_shape"] == [8, 8, 8]
    guidance = pd.read_csv(smoke / "08_reporting/main/dpo/guidance.csv")
    scale = best_scale(guidance)
    shard = next((smoke / "07_model_output/main/dpo/guided_images").glob("*.parquet"))
    made_by = pd.read_parquet(shard).attrs["made_by"]
    assert made_by["settings"]["guidance"]["scale"] == scale


@pytest.mark.slow
def test_other_points_of_one_arm_are_trained_and_no_other_arm_is_touched(
    project: Path, compared
) -> None:  # type: ignore[no-untyped-def]
    """One of the new points is trained, one leaves the finite numbers; two were there."""
    smoke = project / "data/smoke"
    points, cells = smoke / "06_models/main/dpo/points", smoke / "04_feature/main/dpo/search"
    logs = {p.parent.name: p.read_text() for p in points.glob("*/training_log.json")}
    searched = {
        "objective.beta": [2000.0],
        "optimisation.learning_rate": [1e-3, 2e-3, 5e-3, 1e30],
    }
    given = {"arms": list(ARMS), "methods": {"dpo": {"search": searched}}}
    config = project / "another.yml"
    config.write_text(yaml.safe_dump({"run": {"params": {"compare": given}}}))
    asked = ("--pipeline=compare", f"--config={config}")
    again = run(project, *asked, "--only-missing-outputs")
    assert again.returncode == 0, again.stderr[-3000:]
    completed = [
        line.partition("Completed node: ")[2]
        for line in again.stderr.splitlines()
        if "Completed node: " in line
    ]
    assert completed[0] == "dpo.search.try_points"
    others = {name for name in completed if not name.startswith(("dpo.", "quality.dpo."))}
    report = ("tabulate", "count_wins", "draw_methods", "write_page")
    assert others <= {f"compare.{node}" for node in report}
    after = {p.parent.name: p.read_text() for p in points.glob("*/training_log.json")}
    assert after.keys() - logs.keys() == {"beta_2000.0__learning_rate_0.005"}
    assert {name: after[name] for name in logs} == logs
    search = pd.read_csv(smoke / "08_reporting/main/dpo/search.csv").set_index("point")
    lost = search.loc["beta_2000.0__learning_rate_1e+30"]
    assert "is not finite" in lost["diverged"] and math.isnan(lost["value"]) and not lost["chosen"]
    assert search["diverged"].isna().sum() == 3 and search["chosen"].sum() == 1

    written = {p.stem: p.stat().st_mtime_ns for p in cells.iterdir()}
    whole = run(project, *asked, "--nodes=dpo.search.try_points")
    assert whole.returncode == 0 and "4/4" in whole.stderr, whole.stderr[-3000:]
    assert {p.stem: p.stat().st_mtime_ns for p in cells.iterdir()} == written
    untrained = kedro_here(
        project, "run", "--env=smoke", "--pipeline=compare", "--nodes=dpo.search.choose_point",
        "--params=compare.methods.dpo.optimisation.weight_decay=0.5",
    )  # fmt: skip
    assert untrained.returncode == 1 and "Traceback" not in untrained.stderr
    assert "not trained yet with these settings" in untrained.stderr
