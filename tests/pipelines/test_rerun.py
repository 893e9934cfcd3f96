"""Change one thing: only what depends on it is stale, and only that runs."""

import json
import multiprocessing
import random
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

from mitune.hooks.lineage import open_plan
from mitune.pipelines.shared.workers import PRELOAD
from mitune.training.adapter_weights import digest
from tests.pipelines.conftest import kedro, kedro_here

ROUNDS, CONTROLS = ("round_1", "round_2"), ("random_k", "lowest_k")
REPORT = {"report.summarise", "report.compare_published", "report.write_report"}
CURVE = {"report.guidance_curve.paint_curve", "report.guidance_curve.draw_curve"}


def stage(*names: str, of: tuple[str, ...]) -> set[str]:
    nodes = {
        "generate": ("generate_candidates", "collect_scores"),
        "rank": ("measure_candidates", "analyse"),
        "compose": ("compose",),
        "finetune": ("train", "draw_training"),
        "evaluate": ("generate_test_images", "evaluate"),
    }
    return {f"{owner}.{name}.{node}" for owner in of for name in names for node in nodes[name]}


def showing(*arms: str) -> set[str]:
    return {f"{arm}.show" for arm in arms}


def noting(*arms: str) -> set[str]:
    return {f"report.{arm}.note_reward" for arm in arms}


ARMS = ("base", *ROUNDS, *CONTROLS)
ALL_OF_ROUND_2 = stage(
    "generate", "rank", "compose", "finetune", "evaluate", of=("round_2",)
) | showing("round_2")
MEASURING = stage("rank", of=ROUNDS) | {f"{owner}.evaluate.evaluate" for owner in ARMS}
EVERYTHING = (
    {"prompts.ingest", "report.page_facts", "report.trace_metrics", "report.describe_arms"}
    | {*REPORT, *CURVE}
    | noting(*ROUNDS, *CONTROLS)
    | showing(*ARMS)
    | stage("generate", "rank", of=ROUNDS)
    | stage("compose", "finetune", of=(*ROUNDS, *CONTROLS))
    | stage("evaluate", of=ARMS)
)

PARAMETERS = {
    "nothing": ({}, set()),
    "how fast": ({"resources.batch_size": 7, "resources.device": "cpu"}, set()),
    "learning rate": (
        {"finetune.optimisation.learning_rate": 3e-5},
        stage("finetune", "evaluate", of=("round_1", *CONTROLS))
        | ALL_OF_ROUND_2
        | REPORT
        | CURVE
        | {"report.page_facts", "report.describe_arms"}
        | noting(*ROUNDS, *CONTROLS)
        | showing("round_1", *CONTROLS),
    ),
    "scorer": (
        {"compose.selection.score": "path"},
        stage("compose", "finetune", "evaluate", of=("round_1",))
        | ALL_OF_ROUND_2
        | REPORT
        | CURVE
        | {"report.page_facts", "report.describe_arms"}
        | noting(*ROUNDS)
        | showing("round_1"),
    ),
    "k": (
        {"compose.selection.k": 2},
        stage("compose", "finetune", "evaluate", of=("round_1",))
        | ALL_OF_ROUND_2
        | REPORT
        | CURVE
        | {"report.page_facts", "report.describe_arms"}
        | noting(*ROUNDS)
        | showing("round_1"),
    ),
    "k of a control": (
        {"compose_random_k.selection.k": 2},
        stage("compose", "finetune", "evaluate", of=("random_k",))
        | REPORT
        | noting("random_k")
        | showing("random_k")
        | {"report.describe_arms", "report.guidance_curve.draw_curve"},
    ),
    "a metric": (
        {"metrics.scorers.clip.dtype": "bfloat16"},
        MEASURING | REPORT | CURVE | showing(*ARMS) | {"report.trace_metrics"},
    ),
    "test steps": (
        {"evaluate.steps": 4},
        stage("evaluate", of=ARMS) | showing(*ARMS) | REPORT | CURVE,
    ),
    "pictures kept": (
        {"evaluate.keep_pictures": 1},
        stage("evaluate", of=ARMS) | showing(*ARMS) | REPORT | CURVE,
    ),
}


@pytest.fixture
def copy(untouched: Path, finished, tmp_path: Path, monkeypatch) -> Path:
    """The finished project, to be changed; this process stands in it."""
    assert finished.returncode == 0, finished.stderr[-3000:]
    folder = tmp_path / "copy"
    shutil.copytree(untouched, folder)
    monkeypatch.chdir(folder)
    bootstrap_project(folder)
    return folder


def _nested(flat: dict) -> dict:
    nested: dict = {}
    for name, value in flat.items():
        *path, last = name.split(".")
        inner = nested
        for key in path:
            inner = inner.setdefault(key, {})
        inner[last] = value
    return nested


def due(folder: Path, parameters: dict | None = None) -> dict[str, str]:
    """Nodes that would run, with their reasons."""
    with KedroSession.create(
        folder, env="smoke", runtime_params=_nested(parameters or {})
    ) as session:
        plan = open_plan(session.load_context().catalog, ["mitune"])
        states = [plan.state(node) for node in pipelines["mitune"].nodes]
    return {s.node: "; ".join(s.reasons) for s in states if s.status != "fresh"}


def rerun(folder: Path, parameters: dict | None = None) -> set[str]:
    """Run what is due; the nodes that ran."""
    record = folder / "data/smoke/08_reporting/main/run_record.json"
    record.unlink()
    with KedroSession.create(
        folder, env="smoke", runtime_params=_nested(parameters or {})
    ) as session:
        session.run(pipeline_names=["mitune"], only_missing_outputs=True)
    return set(json.loads(record.read_text()).get("timings", {}))


@pytest.mark.parametrize("case", PARAMETERS)
def test_a_parameter_concerns_what_reads_it(
    case: str, project: Path, finished, monkeypatch
) -> None:
    monkeypatch.chdir(project)
    bootstrap_project(project)
    parameters, expected = PARAMETERS[case]
    found = due(project, parameters)
    assert set(found) == expected
    for name in parameters:
        if expected:
            assert any(f"params:{name} " in reason for reason in found.values())


def _shard(folder: Path) -> Path:
    return sorted((folder / "data/smoke/04_feature/main/round_1/candidates").glob("*"))[0]


def _delete_adapter(folder: Path) -> None:
    shutil.rmtree(folder / "data/smoke/06_models/main/round_1/adapter")


def _delete_shard(folder: Path) -> None:
    _shard(folder).unlink()


def _truncate_shard(folder: Path) -> None:
    _shard(folder).write_bytes(_shard(folder).read_bytes()[:-30])


FILES: dict[str, tuple[Callable[[Path], None], set[str]]] = {
    "an adapter is deleted": (_delete_adapter, {"round_1.finetune.train"}),
    "a shard is deleted": (_delete_shard, {"round_1.generate.generate_candidates"}),
    "a shard is truncated": (_truncate_shard, {"round_1.generate.generate_candidates"}),
}


@pytest.mark.parametrize("case", FILES)
def test_a_lost_file_is_made_again_and_nothing_else(case: str, copy: Path) -> None:
    damage, expected = FILES[case]
    before = pd.read_parquet(_shard(copy))
    damage(copy)
    assert set(due(copy)) == expected
    assert rerun(copy) == expected
    assert due(copy) == {}  # what follows is still right: the same was made again
    _assert_same_up_to_rounding(pd.read_parquet(_shard(copy)), before)


def _assert_same_up_to_rounding(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    """The same candidates: made in a batch of another size, some processors round differently."""
    assert found.attrs == expected.attrs
    vectors = [c for c in expected if c == "latent" or c.endswith("_increments")]
    pd.testing.assert_frame_equal(
        found.drop(columns=vectors), expected.drop(columns=vectors), rtol=1e-3
    )
    for column in vectors:
        read = partial(np.frombuffer, dtype=np.float16) if column == "latent" else np.asarray
        for ours, theirs in zip(found[column], expected[column], strict=True):
            np.testing.assert_allclose(read(ours), read(theirs), rtol=5e-3, atol=1e-3)


@pytest.mark.slow
def test_a_changed_parameter_runs_what_is_stale_and_another_round_adds_to_it(copy: Path) -> None:
    change, expected = PARAMETERS["learning rate"]
    (before,) = (copy / "data/smoke/06_models/main/round_1/adapter").iterdir()
    assert rerun(copy, change) == expected
    assert due(copy, change) == {}
    versions = sorted((copy / "data/smoke/06_models/main/round_1/adapter").iterdir())
    assert len(versions) == 2 and before in versions  # the old adapter is kept
    assert digest(versions[0] / "adapter") != digest(versions[1] / "adapter")
    # The version before can be loaded again: what is made of it says so.
    evaluate = kedro_here(
        copy,
        "run",
        "--env=smoke",
        "--nodes=round_1.evaluate.generate_test_images,round_1.evaluate.evaluate",
        f"--load-versions=round_1.adapter:{before.name}",
    )
    assert evaluate.returncode == 0, evaluate.stderr[-2000:]
    shard = next((copy / "data/smoke/07_model_output/main/round_1/test_images").glob("*.parquet"))
    assert pd.read_parquet(shard).attrs["made_by"]["adapter"] == digest(before / "adapter")
    assert set(due(copy, change)) >= {"round_1.evaluate.evaluate"}


def test_more_prompts_and_more_images_reuse_what_is_there(copy: Path) -> None:
    folder = copy / "data/smoke/04_feature/main/round_1/candidates"
    before = {p.name: pd.read_parquet(p) for p in folder.glob("*.parquet")}
    more = {"generate.images_per_prompt": 4, "prompts.train_per_category": 2}
    assert set(due(copy, more)) >= {"prompts.ingest", "round_1.generate.generate_candidates"}
    with KedroSession.create(copy, env="smoke", runtime_params=_nested(more)) as session:
        session.run(node_names=["prompts.ingest", "round_1.generate.generate_candidates"])
    after = {p.name: pd.read_parquet(p) for p in folder.glob("*.parquet")}
    assert len(after) == 2 * len(before)
    for name, table in before.items():
        assert len(after[name]) == 4
        assert after[name]["latent"].tolist()[:3] == table["latent"].tolist()


def stale(folder: Path, *arguments: str) -> set[str]:
    """Nodes that would run, by `kedro status`: the code of `folder`, not of this process."""
    found = kedro(folder, "status", "--env=smoke", "--pipeline=mitune", "--json", *arguments)
    assert found.returncode == 0, found.stderr
    states = json.loads(found.stdout[found.stdout.index("[\n") :])
    return {s["node"] for s in states if s["status"] != "fresh"}


def test_code_and_prompts_count_and_comments_do_not(copy: Path) -> None:
    training = copy / "src/mitune/training/loop.py"
    training.write_text(f"# why\n{training.read_text()}")
    assert stale(copy) == set()
    judge = copy / "src/mitune/metrics/judge.py"
    judge.write_text(judge.read_text().replace("round(j.score, 2)", "round(j.score, 3)"))
    assert stale(copy) == MEASURING | REPORT | CURVE | showing(*ARMS) | {"report.trace_metrics"}
    prompts = copy / "data/01_raw/prompts/miniature/color_train.txt"
    prompts.write_text(prompts.read_text() + "a red star and a red star and a red star\n")
    # Whether a reward was used does not hang on prompts.
    rewards = noting(*ROUNDS, *CONTROLS) | {"report.describe_arms"}
    assert stale(copy) == EVERYTHING - rewards


PAINTING = stage("generate", of=ROUNDS) | {
    f"{owner}.evaluate.generate_test_images" for owner in ARMS
}
TRAINING = {f"{owner}.finetune.train" for owner in (*ROUNDS, *CONTROLS)}
NOTING = noting(*ROUNDS, *CONTROLS)
SCORING = MEASURING | CURVE | REPORT | {"report.trace_metrics"}
# What a change of a file concerns itself; what follows from these is stale by its inputs.
CODE = {
    "mitune.objectives.sft": TRAINING | NOTING | {"report.page_facts", "report.describe_arms"},
    "mitune.training.loop": TRAINING | NOTING | {"report.page_facts", "report.describe_arms"},
    "mitune.composition.top_k": stage("compose", of=ROUNDS)
    | noting(*ROUNDS)
    | {"report.page_facts"},
    "mitune.composition.random_k": {"random_k.compose.compose"} | noting("random_k"),
    "mitune.composition.lowest_k": {"lowest_k.compose.compose"} | noting("lowest_k"),
    "mitune.candidates.generation": PAINTING | MEASURING | CURVE,
    "mitune.metrics.judge": SCORING,
    "mitune.metrics.hps": set(),
    "mitune.miniature.judge": SCORING,
    "mitune.prompt_sources.split_files": {"prompts.ingest", "report.compare_published"},
    "mitune.prompt_sources.hps": set(),
}
OPENING = PAINTING | TRAINING | MEASURING
AT_LEAST = {
    "mitune.training.adapters": OPENING,
    "mitune.guidance.classifier_free": PAINTING,
    "mitune.diffusion.sampling": PAINTING,
    "mitune.diffusion.noise": PAINTING | TRAINING,
    "mitune.diffusion.prediction": PAINTING | TRAINING,
    "mitune.estimators.information_decomposition": PAINTING,
    "mitune.estimators.path_score": PAINTING,
    "mitune.training.timesteps": TRAINING,
    "mitune.backbones.open_backbone": OPENING,
    "mitune.backbones.stable_diffusion": OPENING,
}


@pytest.fixture(scope="module")
def code(project: Path) -> dict[str, set[str]]:
    """Modules that each node of `mitune` computes with."""
    bootstrap_project(project)
    with KedroSession.create(project, env="smoke") as session:
        plan = open_plan(session.load_context().catalog, ["mitune"])
        return {node.name: set(plan.code(node)) for node in pipelines["mitune"].nodes}


@pytest.mark.parametrize("module", [*CODE, *AT_LEAST])
def test_a_file_concerns_what_computes_with_it(module: str, code: dict[str, set[str]]) -> None:
    concerned = {node for node, modules in code.items() if module in modules}
    if module in CODE:
        assert concerned == CODE[module]
    else:
        assert concerned >= AT_LEAST[module]


REGISTRIES = {
    "objectives": ("SFT", "ObjectiveConfig", "finetune.objective.kind"),
    "composition": ("TopK", "Composition", "compose.selection.kind"),
    "guidance": ("ClassifierFree", "GuidanceConfig", "generate.guidance.kind"),
    "metrics": ("JudgeScore", "MetricConfig", "metrics.scorers.judge.kind"),
}


def _register(folder: Path, package: str) -> str:
    """Add a method to a package: a file and its place in the union. The parameter that picks it."""
    known, union, parameter = REGISTRIES[package]
    root = folder / "src/mitune" / package
    (root / "newcomer.py").write_text(
        f"from typing import Literal\n\nfrom mitune.{package} import {known}\n\n\n"
        f'class Newcomer({known}):\n    kind: Literal["newcomer"] = "newcomer"\n'
    )
    registry = root / "__init__.py"
    registry.write_text(
        f"{registry.read_text()}\n\nfrom typing import Annotated, TypeAlias\n\n"
        f"from pydantic import Field\n\nfrom mitune.{package}.newcomer import Newcomer\n\n"
        f'{union}: TypeAlias = Annotated[{union} | Newcomer, Field(discriminator="kind")]\n'
    )
    return parameter


def test_a_registered_method_makes_nothing_stale_until_it_is_chosen(copy: Path) -> None:
    parameters = [_register(copy, package) for package in REGISTRIES]
    assert stale(copy) == set()
    chosen = stale(copy, "--params=" + ",".join(f"{name}=newcomer" for name in parameters))
    assert {
        "round_1.generate.generate_candidates", "round_1.compose.compose",
        "random_k.finetune.train", "base.evaluate.evaluate",
    } <= chosen  # fmt: skip
    assert "base.evaluate.generate_test_images" not in chosen


def test_a_part_of_the_pipeline_does_not_call_what_comes_before_it_stale(copy: Path) -> None:
    """Kedro types only the parameters of what it runs; those before it have defaults too."""
    part = kedro_here(copy, "run", "--env=smoke", "--pipeline=report")
    assert part.returncode == 0, part.stderr[-2000:]
    assert "is stale" not in part.stderr + part.stdout


def test_candidates_are_made_again_by_other_code_and_by_no_other_comment(copy: Path) -> None:
    folder = copy / "data/smoke/04_feature/main/round_1/candidates"

    def keys_after_running() -> set[str]:
        done = kedro(copy, "run", "--env=smoke", f"--nodes={node}")
        assert done.returncode == 0, done.stderr[-2000:]
        return {pd.read_parquet(p).attrs["key"] for p in folder.glob("*.parquet")}

    node = "round_1.generate.generate_candidates"
    before = {pd.read_parquet(p).attrs["key"] for p in folder.glob("*.parquet")}
    for unrelated in ("prompts", "guidance/__init__", "training/loop"):
        file = copy / f"src/mitune/{unrelated}.py"
        file.write_text(f"{file.read_text()}\n_UNUSED = 1\n")
    sampling = copy / "src/mitune/diffusion/sampling.py"
    sampling.write_text(f"# why\n{sampling.read_text()}")
    assert keys_after_running() == before
    sampling.write_text(sampling.read_text().replace("_CHECK_EVERY = 8", "_CHECK_EVERY = 4"))
    after = keys_after_running()
    assert len(after) == len(before) and not after & before


@pytest.mark.slow
def test_campaigns_are_compared_by_one_command(copy: Path) -> None:
    """The same work under another name: everything is equal, and nothing is shared on disk."""
    with KedroSession.create(copy, env="smoke", runtime_params={"campaign": "again"}) as session:
        session.run(pipeline_names=["mitune_r1"])
    found = kedro_here(copy, "compare", "main", "again", "--env=smoke")
    assert found.returncode == 0, found.stderr
    rows = {line.split()[0]: line for line in found.stdout.splitlines() if "(" in line}
    assert rows["round_1"].count("+0.000") == 3 and rows["random_k"].count("+0.000") == 3
    assert "–" in rows["round_2"]
    unknown = kedro_here(copy, "compare", "main", "nobody", "--env=smoke")
    assert unknown.returncode == 1 and "campaign nobody: nothing is evaluated" in unknown.stderr


def test_cost_is_counted_before_anything_runs(project: Path, finished) -> None:
    """The smoke run's counts by hand, and its sizes against what the run has written."""
    found = kedro_here(project, "cost", "--env=smoke", "--pipeline=mitune")
    assert found.returncode == 0, found.stderr
    rows = {line.split()[0]: line.split()[1:] for line in found.stdout.splitlines() if line}
    # 2 prompts x 3 images x (3 steps x 2 branches + 2 draws x 2)
    assert rows["round_1.generate.generate_candidates"][:3] == ["6", "60", "0"]
    assert rows["base.evaluate.generate_test_images"][:3] == ["4", "12", "0"]
    assert rows["round_2.finetune.train"][:3] == ["0", "0", "4"]
    weights = next((project / "data/smoke/06_models/main/round_1").rglob("*.safetensors"))
    assert float(rows["round_1.finetune.train"][3]) == pytest.approx(
        weights.stat().st_size / 1e6, abs=0.2
    )
    assert rows["all"][:3] == ["32", "180", "16"]


def test_cost_on_many_devices(project: Path) -> None:
    many = ("--devices=1", "--devices=1000")
    found = kedro_here(project, "cost", "--env=smoke", "--pipeline=mitune", *many)
    assert found.returncode == 0, found.stderr
    rows = {line.split()[0]: line.split()[1:] for line in found.stdout.splitlines() if line}
    one, thousand = (rows[count] for count in ("1", "1,000"))
    assert one[:4] == thousand[:4] and one[4] != "0%" == thousand[4]  # one job a stage
    assert "No stage has more than 1 jobs" in found.stdout


def test_lineage_leads_back_to_model_and_prompts(copy: Path) -> None:
    found = kedro_here(copy, "lineage", "round_2.adapter", "--env=smoke")
    assert found.returncode == 0, found.stderr
    for step in (
        "round_2.adapter", "by round_2.finetune.train", "round_1.adapter", "prompt_files",
        "base_model", "params:finetune.optimisation.learning_rate = 0.002", "revision", "(given)",
    ):  # fmt: skip
        assert step in found.stdout, step
    unknown = kedro_here(copy, "lineage", "round_9.adapter", "--env=smoke")
    assert unknown.returncode == 1 and "nothing is recorded" in unknown.stderr


def _no_results(folder: str, names: list[str]) -> set[str]:
    return {"smoke"} & set(names) if Path(folder).name == "data" else set()


def _work(folder: str) -> None:
    """The whole job, as a process of its own, one image at a time.

    Some processors round differently in a batch of another size, and a resumed run cuts its batches
    anew: with one image in each, the same work has the same bits on all of them.
    """
    import logging
    import os

    os.chdir(folder)
    logging.disable()
    bootstrap_project(Path(folder))
    one_by_one = {"resources": {"batch_size": 1}}
    with KedroSession.create(folder, env="smoke", runtime_params=one_by_one) as session:
        session.run(pipeline_names=["mitune"], only_missing_outputs=True)


@pytest.mark.slow
def test_killed_at_twenty_moments_it_ends_as_if_undisturbed(project: Path, tmp_path: Path) -> None:
    """SIGKILL leaves no time to clean up; what is finished is kept and nothing else is trusted."""
    folder, undisturbed = tmp_path / "project", tmp_path / "undisturbed"
    for each in (folder, undisturbed):
        shutil.copytree(project, each, ignore=_no_results)
    # A server that has imported everything once: a start takes milliseconds, and a kill meets work.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["mitune.pipeline_registry", "mitune.settings", *PRELOAD, __name__]
    )
    reference = context.Process(target=_work, args=(str(undisturbed),))
    reference.start()
    reference.join(300)
    assert reference.exitcode == 0
    rng = random.Random(0)
    kills, written_twice = 0, 0
    written: dict[Path, int] = {}
    while kills < 20:
        process = context.Process(target=_work, args=(str(folder),))
        process.start()
        process.join(rng.uniform(0.3, 2.5))
        assert process.is_alive() or process.exitcode == 0
        if not process.is_alive():
            break  # all done before the twentieth moment
        process.kill()
        process.join()
        kills += 1
        now = {p: p.stat().st_mtime_ns for p in folder.rglob("*/candidates/*.parquet")}
        written_twice += sum(now.get(path, time) != time for path, time in written.items())
        written = now
    last = context.Process(target=_work, args=(str(folder),))
    last.start()
    last.join(300)
    assert last.exitcode == 0 and kills >= 10 and written_twice == 0
    _assert_equal_results(undisturbed / "data/smoke", folder / "data/smoke")


def _assert_equal_results(expected: Path, found: Path) -> None:
    tables = [
        p.relative_to(expected)
        for pattern in ("04_feature/main/round_*/scores.parquet",
                        "05_model_input/main/*/finetuning_set.parquet",
                        "07_model_output/main/*/samples.parquet")
        for p in sorted(expected.glob(pattern))
    ]  # fmt: skip
    assert len(tables) >= 9
    for table in tables:
        pd.testing.assert_frame_equal(
            pd.read_parquet(expected / table), pd.read_parquet(found / table), check_exact=True
        )
    for owner in (*ROUNDS, *CONTROLS):
        adapters = [
            sorted(root.glob(f"06_models/main/{owner}/adapter/*/adapter"))[-1]
            for root in (expected, found)
        ]
        assert digest(adapters[0]) == digest(adapters[1]), owner
        scores = [
            pd.read_parquet(
                sorted(root.glob(f"07_model_output/main/{owner}/evaluation.parquet/*/*"))[-1]
            )
            for root in (expected, found)
        ]
        pd.testing.assert_frame_equal(*scores, check_exact=True)
