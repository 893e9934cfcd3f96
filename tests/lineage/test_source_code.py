import sys
from pathlib import Path

import pytest

from mitune.lineage import source_code

PIPELINES = "mitune.pipelines"


def test_a_stage_depends_on_what_it_imports_and_no_more() -> None:
    compose = source_code.digests(f"{PIPELINES}.compose.nodes")
    assert {"mitune.composition", "mitune.ranking", "mitune"} <= set(compose)
    assert "mitune.training" not in compose and "mitune.metrics.judge" not in compose
    train = source_code.digests(f"{PIPELINES}.finetune.nodes")
    assert {"mitune.training", "mitune.objectives.sft", "mitune.adapters"} <= set(train)


@pytest.mark.parametrize("stage", ["generate", "compose", "finetune"])
def test_a_change_of_a_metric_or_a_figure_trains_nothing(stage: str) -> None:
    """Hours of a GPU must not hang on how something is measured or drawn."""
    code = source_code.digests(f"{PIPELINES}.{stage}.nodes")
    assert not [m for m in code if m.startswith(("mitune.metrics", "mitune.figures"))]


@pytest.fixture
def package(tmp_path: Path, monkeypatch):
    """A project of two modules; returns a function that writes one and digests the other."""
    root = tmp_path / "tiny"
    root.mkdir()
    (root / "__init__.py").write_text("")
    (root / "main.py").write_text("def f():\n    from tiny.helper import g\n    return g()\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(source_code, "PACKAGE", "tiny")

    def digests(helper: str) -> dict[str, str]:
        (root / "helper.py").write_text(helper)
        source_code.digests.cache_clear()
        return source_code.digests("tiny.main")

    yield digests
    source_code.digests.cache_clear()
    for name in [n for n in sys.modules if n.startswith("tiny")]:
        del sys.modules[name]


def test_comments_docstrings_and_layout_do_not_count(package) -> None:
    plain = package("def g():\n    return 1 + 1\n")
    assert set(plain) == {"tiny", "tiny.main", "tiny.helper"}
    assert package('# why\ndef g():\n    """What."""\n\n    return (1  +\n 1)\n') == plain
    assert package("def g():\n    return 2\n") != plain
