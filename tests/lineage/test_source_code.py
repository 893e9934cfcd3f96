import sys
from pathlib import Path

import pytest

from mitune.candidates import Generation
from mitune.lineage import source_code
from mitune.mi_benchmark import CCA, RFMI, draw

PIPELINES = "mitune.pipelines"


def test_a_stage_depends_on_what_it_imports_and_no_more() -> None:
    compose = source_code.digests(f"{PIPELINES}.compose.nodes")
    assert {"mitune.composition.base", "mitune.ranking", "mitune"} <= set(compose)
    assert "mitune.training.loop" not in compose and "mitune.metrics.judge" not in compose
    train = source_code.digests(f"{PIPELINES}.finetune.nodes")
    assert {"mitune.training.loop", "mitune.objectives.sft", "mitune.training.adapters"} <= set(
        train
    )


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


def test_of_a_registry_only_the_chosen_entry_counts() -> None:
    """A new guidance, model family or estimator must not cost what was made without it."""
    painting = source_code.computing(
        Generation(), "mitune.candidates.generation", "mitune.backbones.stable_diffusion"
    )
    assert {
        "mitune.candidates.generation", "mitune.diffusion.sampling", "mitune.diffusion.noise",
        "mitune.estimators.path_score",
        "mitune.estimators.renoising", "mitune.guidance.classifier_free", "mitune.backbones.base",
        "mitune.backbones.pipeline", "mitune.seeds",
    } <= set(painting)  # fmt: skip
    assert not {
        "mitune", "mitune.guidance", "mitune.backbones", "mitune.backbones.stable_diffusion_3",
        "mitune.prompts", "mitune.lineage.source_code", "mitune.training.loop",
    } & set(painting)  # fmt: skip
    cca, rfmi = (source_code.computing(config, draw.__module__) for config in (CCA(), RFMI()))
    benchmark = "mitune.mi_benchmark"
    assert set(cca) == {f"{benchmark}.{name}" for name in ("base", "cca", "tasks")}
    assert {f"{benchmark}.{name}" for name in ("rfmi", "training", "tasks")} < set(rfmi)
    assert f"{benchmark}.cca" not in rfmi and "mitune.estimators.noise_levels" in rfmi
