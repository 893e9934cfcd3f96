"""Any folder of pictures is scored, once; and a run's own pictures come out with its own scores."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner, Result
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from PIL import Image

from mitune.cli.coverage import coverage
from mitune.cli.export_images import export_images as export
from mitune.cli.paper_table import paper_table
from mitune.hooks.lineage import open_plan
from mitune.metrics import BlipVqa, ClipScore, JudgeScore, Numeracy
from mitune.miniature.caption import read
from mitune.miniature.layout import sample_scene
from mitune.miniature.render import render
from mitune.paper_tables import T2I_COMPBENCH, beside
from mitune.pipelines.report.changes import largest_changes
from mitune.pipelines.report.page import render_page
from mitune.pipelines.shared.arms import read_arms

PROMPTS = ("a red circle", "two stars", "a blue square on the left of a star")
BOXES = Numeracy(detector={"kind": "owlv2", "path": "nowhere"})
CLIP = {"kind": "clip_score", "path": "data/06_models/miniature-clip"}


@pytest.fixture
def standing(project: Path, monkeypatch) -> Path:
    """This process stands in the project."""
    monkeypatch.chdir(project)
    bootstrap_project(project)
    return project


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Two right pictures of each prompt, in T2I-CompBench's layout."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "images"
    (folder / "samples").mkdir(parents=True)
    for number, prompt in enumerate([p for p in PROMPTS for _ in range(2)]):
        save(folder, f"samples/{prompt}_{number:06}.png", render(sample_scene(read(prompt), rng)))
    return folder


def save(folder: Path, file: str, picture: np.ndarray) -> None:
    Image.fromarray(picture).save(folder / file)


def given(images: Path, more: dict[str, Any]) -> dict[str, Any]:
    """A campaign of its own for each test."""
    return {"images": str(images), "campaign": images.parent.name, **more}


def score(standing: Path, images: Path, **more: Any) -> pd.DataFrame:
    parameters = given(images, more)
    with KedroSession.create(standing, env="smoke", runtime_params=parameters) as session:
        session.run(pipeline_names=["score"])
    return pd.read_csv(reporting(standing, images) / "images.csv", float_precision="round_trip")


def due(standing: Path, images: Path, **more: Any) -> set[str]:
    parameters = given(images, more)
    with KedroSession.create(standing, env="smoke", runtime_params=parameters) as session:
        plan = open_plan(session.load_context().catalog, ["score"])
        states = [plan.state(node) for node in pipelines["score"].nodes]
    return {state.node.removeprefix("score.") for state in states if state.status != "fresh"}


def reporting(standing: Path, images: Path) -> Path:
    return standing / f"data/smoke/08_reporting/{images.parent.name}/scores"


def shards(standing: Path, images: Path) -> dict[Path, int]:
    folder = standing / f"data/smoke/04_feature/{images.parent.name}/image_scores"
    return {path: path.stat().st_mtime_ns for path in sorted(folder.glob("*.parquet"))}


def test_scores_are_those_of_the_metrics_with_intervals_and_provenance(
    standing: Path, images: Path
) -> None:
    table = score(standing, images, resources={"batch_size": 4})
    assert list(table["prompt"]) == [p for p in PROMPTS for _ in range(2)]
    pictures = np.stack([np.asarray(Image.open(images / file)) for file in table["file"]])
    judge = JudgeScore(path="data/06_models/miniature-judge/judge.safetensors")
    clip = ClipScore(path=CLIP["path"], mean=(0.5,) * 3, std=(0.5,) * 3)
    vqa = BlipVqa(path="data/06_models/miniature-vqa", parser="miniature")
    for name, config in (("judge", judge), ("clip", clip), ("vqa", vqa)):
        expected = config.load(torch.device("cpu"))(pictures, list(table["prompt"]))
        np.testing.assert_allclose(table[name], expected, atol=1e-6)
    assert (table["judge"] > 0.9).all()  # the pictures are right

    summary = pd.read_csv(reporting(standing, images) / "summary.csv")
    assert list(summary["category"]) == ["all"] * 3  # file names have no categories
    row = summary[summary["metric"] == "clip"].iloc[0]
    means = table.groupby("prompt")["clip"].mean()
    assert row["mean"] == pytest.approx(means.mean(), abs=1e-9)
    assert means.min() <= row["low"] < row["mean"] < row["high"] <= means.max()
    assert (row["prompts"], row["images"]) == (3, 6)
    provenance = json.loads((reporting(standing, images) / "provenance.json").read_text())
    assert provenance["clip"]["scale"] == "cosine, -1 to 1"
    assert set(provenance["judge"]["contents"]) == {str(judge.path)}
    assert due(standing, images) == set()


def test_only_what_is_new_is_computed(standing: Path, images: Path) -> None:
    first = score(standing, images)
    before = shards(standing, images)
    assert len(before) == 3
    # Another metric.
    more = {"metrics": {"scorers": {"other": {**CLIP, "mean": [0.4, 0.4, 0.4]}}}}
    assert due(standing, images, **more) == {"score_images", "tabulate"}
    table = score(standing, images, **more)
    (new,) = set(shards(standing, images)) - set(before)
    assert before.items() <= shards(standing, images).items()
    assert len(pd.read_parquet(new)) == 6 and list(table)[-1] == "other"
    # Another picture, and one under another name.
    files = [images / file for file in first["file"]]
    files[0].rename(files[0].with_name("a red circle_000009.png"))
    save(images, "samples/two stars_000007.png", np.zeros((64, 64, 3), np.uint8))
    before = shards(standing, images)
    assert due(standing, images) == {"index_images", "score_images", "tabulate"}
    table = score(standing, images)
    added = set(shards(standing, images)) - set(before)
    assert before.items() <= shards(standing, images).items()
    assert [len(pd.read_parquet(path)) for path in added] == [1, 1, 1]
    assert len(table) == 7
    renamed = table[table["file"] == "samples/a red circle_000009.png"]
    assert renamed["clip"].item() == first["clip"][0]
    # The same picture under another prompt is something else.
    files[1].rename(files[1].with_name("two stars_000008.png"))
    assert len(score(standing, images)) == 7
    assert len(shards(standing, images)) == len(before) + 6


def test_an_interrupted_run_goes_on_where_it_stopped(standing: Path, images: Path) -> None:
    small = {"resources": {"batch_size": 2}}
    expected = score(standing, images, **small)
    before = shards(standing, images)
    assert len(before) == 9
    lost, broken = list(before)[1], list(before)[4]
    lost.unlink()
    broken.write_bytes(broken.read_bytes()[:-20])
    assert due(standing, images) == {"score_images"}
    again = score(standing, images, **small)
    pd.testing.assert_frame_equal(again, expected, rtol=1e-6)
    after = shards(standing, images)
    assert {path for path in after if after[path] != before.get(path)} == {lost, broken}
    for path in list(after)[:-1]:
        path.unlink()
    with (
        pytest.raises(click.ClickException, match="has no judge; run `kedro run --pipeline=score`"),
        KedroSession.create(standing, env="smoke", runtime_params=given(images, {})) as session,
    ):
        session.run(pipeline_names=["score"], node_names=["score.tabulate"])


def _empty(images: Path) -> None:
    for file in (images / "samples").iterdir():
        file.unlink()


def _break(images: Path) -> None:
    next((images / "samples").iterdir()).write_bytes(b"\x89PNG")


def _manifest(text: str) -> Callable[[Path], None]:
    return lambda images: (images / "manifest.csv").write_text(text) and None


def _foreign(images: Path) -> None:
    save(images, "samples/a green bench_000009.png", np.zeros((64, 64, 3), np.uint8))


BAD: dict[str, tuple[Callable[[Path], None], str]] = {
    "no folder": (lambda images: images.rename(images.with_name("moved")) and None, "not found"),
    "no images": (_empty, "no pictures; name them"),
    "unreadable image": (_break, "cannot be read as a picture"),
    "missing column": (_manifest("file\nx.png\n"), "manifest.csv: no column 'prompt'"),
    "absent file": (_manifest("file,prompt\nx.png,a star\n"), "manifest.csv:2: 'x.png' is not"),
    "unknown prompt": (_foreign, "does not know the word 'bench' in 'a green bench'"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_folders_stop_before_any_model_is_loaded(
    case: str, standing: Path, images: Path
) -> None:
    damage, message = BAD[case]
    damage(images)
    with pytest.raises(click.ClickException) as caught:
        score(standing, images)
    assert message in caught.value.message and "\n" not in caught.value.message
    assert not shards(standing, images)


def test_pictures_of_another_size_need_another_metric_than_the_judge(
    standing: Path, images: Path
) -> None:
    save(images, "samples/two stars_000009.png", np.zeros((96, 80, 3), np.uint8))
    with pytest.raises(click.ClickException, match="reads pictures of 64 x 64, not of 80 x 96"):
        score(standing, images)
    table = score(standing, images, metrics={"scorers": {"judge": None}})
    assert len(table) == 7 and "judge" not in table and table["clip"].notna().all()


def command(standing: Path, which: click.Command, *arguments: str) -> Result:
    metadata = bootstrap_project(standing)
    return CliRunner().invoke(which, [*arguments, "--env=smoke"], obj=metadata)


def test_exported_pictures_score_as_they_were_evaluated(
    standing: Path, finished, tmp_path: Path
) -> None:
    folder = tmp_path / "exported"
    done = command(standing, export, "round_1", str(folder))
    assert done.exit_code == 0 and "4 pictures in" in done.output
    found = score(standing, folder)
    versions = standing / "data/smoke/07_model_output/main/round_1/evaluation.parquet"
    expected = pd.read_parquet(max(versions.glob("*/*")))
    for name in ("prompt_id", "category", "prompt", "image_index"):
        assert list(found[name]) == list(expected[name])
    for name in ("judge", "clip", "vqa"):
        np.testing.assert_allclose(found[name], expected[name], atol=1e-6)
    summary = pd.read_csv(reporting(standing, folder) / "summary.csv")
    ours = pd.read_csv(standing / "data/smoke/08_reporting/main/summary.csv")
    ours = ours[ours["model"] == "round_1"].set_index(["category", "metric"])
    for row in summary.itertuples():
        there = ours.loc[(row.category, row.metric)]
        assert row.mean == pytest.approx(there["mean"], abs=1e-6)
        assert (row.low, row.high) == pytest.approx((there["low"], there["high"]), abs=1e-6)
    names = sorted(path.stem for path in (folder / "samples").iterdir())
    assert sorted(int(name[-6:]) for name in names) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["round_9"], "no model 'round_9'; choose of base, random_k"),
        (["round_3"], "round_3.test_images: nothing there"),
        (["base", "--category=texture"], "no category 'texture' among the test prompts"),
    ],
)
def test_what_cannot_be_exported_is_one_line(
    standing: Path, finished, tmp_path: Path, arguments: list[str], message: str
) -> None:
    model, *options = arguments
    done = command(standing, export, model, str(tmp_path / "exported"), *options)
    assert done.exit_code == 1 and message in done.output
    assert not (tmp_path / "exported").exists()


def test_one_category_is_exported_alone_and_into_an_empty_folder(
    standing: Path, finished, tmp_path: Path
) -> None:
    folder = tmp_path / "exported"
    done = command(standing, export, "base.test_images", str(folder), "--category=numeracy")
    assert done.exit_code == 0, done.output
    assert set(pd.read_csv(folder / "manifest.csv")["category"]) == {"numeracy"}
    again = command(standing, export, "base", str(folder))
    assert again.exit_code == 1 and "is not an empty folder" in again.output


def test_prompts_that_boxes_can_never_score_are_counted_and_listed(
    standing: Path, finished, tmp_path: Path
) -> None:
    """Smoke's two test prompts, one of numbers; a detector with no label for its first noun."""
    alone = command(standing, coverage)
    assert alone.exit_code == 1 and "judge, clip, vqa look for no boxes" in alone.output
    counting = (
        "--params=metrics.scorers.count.kind=numeracy_ovd,"
        "metrics.scorers.count.detector.kind=owlv2,metrics.scorers.count.detector.path=nowhere"
    )
    absent = command(standing, coverage, counting, "--labels=nowhere.txt")
    assert absent.exit_code == 1 and "nowhere.txt: not found; give a text file" in absent.output
    prompts = pd.read_parquet(standing / "data/smoke/03_primary/main/test_prompts.parquet")
    (counted,) = prompts["prompt"][prompts["category"] == "numeracy"]
    names = BOXES.names(counted)
    assert names
    labels = tmp_path / "labels.txt"
    labels.write_text("\n".join(names[1:] or ["nothing"]))
    found = command(standing, coverage, counting, f"--labels={labels}", "--list")
    assert found.exit_code == 0, found.output
    rows = [line.split() for line in found.output.splitlines()]
    assert ["count", "numeracy", "1", "100%", "contain", "0%"] in rows
    assert [*counted.split(), names[0]] in rows
    labels.write_text("\n".join(names))
    rows = [
        r.split()
        for r in command(standing, coverage, counting, f"--labels={labels}").output.splitlines()
    ]
    assert ["count", "numeracy", "1", "100%", "contain", "100%"] in rows


def test_the_miniature_stands_beside_no_published_figure(standing: Path, finished) -> None:
    done = command(standing, paper_table, "main")
    assert done.exit_code == 0, done.output
    lines = [line for line in done.output.splitlines() if line.startswith("beside no")]
    assert [line.split(": ")[1] for line in lines] == ["judge", "clip", "vqa"]
    assert "mitune_table" not in done.output
    whole = command(standing, paper_table, "main", "--table=mitune_table01")
    assert "49.65" in whole.output and "ours:" not in whole.output
    unknown = command(standing, paper_table, "main", "--table=mitune_table99")
    assert unknown.exit_code == 1 and "no published table" in unknown.output
    nobody = command(standing, paper_table, "nobody")
    assert nobody.exit_code == 1 and "campaign nobody: no report" in nobody.output


def test_the_page_says_what_it_does_not_compare(standing: Path, finished) -> None:
    page = (standing / "data/smoke/08_reporting/main/report.html").read_text()
    assert "No published figure stands beside these" in page
    assert "Beside the published figures" not in page


def test_the_page_says_what_each_number_depends_on(standing: Path, finished) -> None:
    folder = standing / "data/smoke/08_reporting/main"
    known = json.loads((folder / "metric_provenance.json").read_text())
    page = (folder / "report.html").read_text()
    table = page.split("<h2>What these numbers depend on</h2>")[1].split("</table>")[0]
    assert list(known) == ["judge", "clip", "vqa"]
    for text in ("clip_score", CLIP["path"], known["clip"]["contents"][CLIP["path"]],
                 "cosine, -1 to 1", "shorter side bicubic (PIL), centre crop", "float32",
                 "parser miniature", "image_size 64"):  # fmt: skip
        assert text in table


def test_the_page_shows_published_rows_where_the_metric_is_the_same(
    standing: Path, finished
) -> None:
    """As if the judge were BLIP-VQA on T2I-CompBench's prompts: none of the miniature's are."""
    with KedroSession.create(standing, env="smoke") as session:
        catalog = session.load_context().catalog
        summary = catalog.load("summary")
        found = beside(summary, {"judge": "blip_vqa", "clip": None}, T2I_COMPBENCH, {})
        pictures = dict.fromkeys(
            ("alignment", "agreement", "by_rank", "training", "candidates", "curve"), b""
        )
        arms = tuple(arm for arm in read_arms(catalog.load("arms")) if not arm.control)
        evaluations = [catalog.load(f"{arm.name}.evaluation") for arm in (arms[0], arms[-1])]
        page = render_page(
            arms=arms,
            units=catalog.load("params:metrics").units,
            laboratory=True,
            facts=catalog.load("page_facts"),
            summary=summary,
            headline=catalog.load("headline"),
            timings=catalog.load("run_record")["timings"],
            provenance=catalog.load("run_record")["provenance"],
            published=asdict(found),
            metric_provenance=catalog.load("metric_provenance"),
            agreement=catalog.load("round_1.agreement"),
            curve=catalog.load("guidance_curve"),
            pictures=pictures,
            changes=largest_changes(*evaluations, "judge"),
            samples={arm.name: catalog.load(f"{arm.name}.samples") for arm in arms},
            surveys={},
        )
    section = page.split("<h2>Beside the published figures</h2>")[1].split("<h2>")[0]
    assert section.count("<table>") == len(found.panels) == 6
    for text in ("<td>SD-2.1-base</td>", "<td>49.65</td>", "September 2025", "<b>base, 2 images"):
        assert text in section
    assert "Beside no published figure:\nclip: no published table has this metric" in section
