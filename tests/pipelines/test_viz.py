"""kedro-viz as a user sees it: the built site's graph, its previews, and the page in a browser."""

import functools
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(project: Path, finished, tmp_path_factory) -> Path:
    """The static site of the finished smoke run."""
    assert finished.returncode == 0, finished.stderr[-3000:]
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(project, folder, dirs_exist_ok=True)
    built = subprocess.run(
        [sys.executable, "-m", "kedro", "viz", "build", "--include-previews"],
        cwd=folder,
        env={**os.environ, "KEDRO_ENV": "smoke"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr[-3000:]
    return folder / "build"


def test_rounds_are_collapsible_and_chained_through_their_adapters(site: Path) -> None:
    graph = json.loads((site / "api/main").read_text())
    assert {"round_1", "round_2", "random_k", "lowest_k", "base"} <= set(graph["modular_pipelines"])
    names = {node["id"]: node["name"] for node in graph["nodes"]}
    edges = {(names.get(e["source"]), names.get(e["target"])) for e in graph["edges"]}
    assert ("round_1.adapter", "round_2") in edges


def test_collapsed_it_shows_prompts_rounds_and_report(site: Path) -> None:
    """What serves resuming is one circle, and the report's parts are inside it."""
    graph = json.loads((site / "api/main").read_text())
    root = graph["modular_pipelines"]["__root__"]["children"]
    boxes = {child["id"] for child in root if child["type"] == "modularPipeline"}
    arms = {"base", "random_k", "lowest_k", "round_1", "round_2"}
    assert boxes == {"prompts", *arms, "report"}
    assert not [child for child in root if child["type"] == "task"]
    names = {node["id"]: node["name"] for node in graph["nodes"]}
    circles = {names[child["id"]] for child in root if child["type"] == "data"}
    assert circles == {
        *("prompt_files", "base_model", "image_source", "base_adapter", "workspace", "run_record"),
        "survey_result",
        *("prompts", "tuning_prompts", "test_prompts", "report"),
        *("round_1.candidates", "round_1.scores", "round_1.adapter", "round_2.adapter"),
        *(f"{arm}.{result}" for arm in arms for result in ("evaluation", "shown")),
    }


def test_previews_render(site: Path) -> None:
    graph = json.loads((site / "api/main").read_text())
    ids = {node["name"]: node["id"] for node in graph["nodes"]}
    expected = {
        "round_1.scores": "TablePreview",
        "round_1.agreement_figure": "ImagePreview",
        "round_1.contact_sheet": "ImagePreview",
        "round_2.evaluation": "TablePreview",
        "summary": "TablePreview",
        "headline": "JSONPreview",
    }
    for name, kind in expected.items():
        node = json.loads((site / "api/nodes" / ids[name]).read_text())
        assert node["preview_type"] == kind, name
        assert node["preview"], name


def test_the_page_opens_in_a_browser(site: Path, tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no chromium on this machine")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = subprocess.run(
            [
                browser, "--headless=new", "--no-sandbox", "--disable-gpu",
                f"--user-data-dir={tmp_path}", "--virtual-time-budget=20000", "--dump-dom",
                f"http://127.0.0.1:{server.server_address[1]}/",
            ],
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )  # fmt: skip
        server.shutdown()
    assert page.returncode == 0, page.stderr[-2000:]
    for shown in ("round_1", "round_2", "random_k"):
        assert shown in page.stdout
