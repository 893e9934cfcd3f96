from pathlib import Path

import pytest

from mitune.candidates import Generation
from mitune.composition import TopK
from mitune.lineage import source_code
from mitune.metrics import ClipScore
from mitune.mi_benchmark import CCA, RFMI, draw
from mitune.pipelines.compose.parameters import Compose

PIPELINES = "mitune.pipelines"


def test_a_stage_depends_on_what_it_imports_and_no_more() -> None:
    settings = Compose(selection=TopK(score="path"))
    compose = source_code.computing(settings, f"{PIPELINES}.compose.nodes")
    assert {"mitune.composition.top_k", "mitune.ranking"} <= set(compose)
    assert "mitune.composition.random_k" not in compose
    assert "mitune.training.loop" not in compose and "mitune.metrics.judge" not in compose
    train = source_code.computing((), f"{PIPELINES}.finetune.nodes")
    assert {"mitune.training.loop", "mitune.objectives.sft", "mitune.training.adapters"} <= set(
        train
    )


@pytest.mark.parametrize("stage", ["generate", "compose", "finetune"])
def test_a_change_of_a_metric_or_a_figure_trains_nothing(stage: str) -> None:
    """Hours of a GPU must not hang on how something is measured or drawn."""
    code = source_code.computing((), f"{PIPELINES}.{stage}.nodes")
    assert not [m for m in code if m.startswith(("mitune.metrics", "mitune.figures"))]


def test_models_are_opened_by_what_the_package_says_and_by_every_family() -> None:
    """Which family it is only the model's files tell: all of them count."""
    train = source_code.computing((), f"{PIPELINES}.finetune.nodes")
    assert {f"mitune.backbones.{name}" for name in (
        "open_backbone", "pipeline", "model_index", "stable_diffusion", "stable_diffusion_xl",
        "stable_diffusion_3",
    )} <= set(train)  # fmt: skip


def test_settings_count_wherever_they_are_nested() -> None:
    clip = ClipScore(path=Path("weights"))
    assert "mitune.metrics.clip_score" in source_code.computing([{"scorers": ({"clip": clip},)}])
    assert source_code.computing({"not": 1, "settings": ["of", "anything"]}) == {}


@pytest.fixture
def package(tmp_path: Path, monkeypatch):
    """Writes files of a project `tiny` and digests what its `main` computes with."""
    root = tmp_path / "tiny"
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(source_code, "PACKAGE", "tiny")
    caches = (source_code.source, source_code._part, source_code._computing)

    def computing(files: dict[str, str]) -> dict[str, str]:
        for name, text in {"__init__": "", **files}.items():
            file = root / f"{name}.py"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        for cache in caches:
            cache.cache_clear()
        return source_code.computing((), "tiny.main")

    yield computing
    for cache in caches:
        cache.cache_clear()


def test_comments_docstrings_and_layout_do_not_count(package) -> None:
    main = {"main": "def f():\n    from tiny.helper import g\n    return g()\n"}
    plain = package({**main, "helper": "def g():\n    return 1 + 1\n"})
    assert set(plain) == {"tiny.main", "tiny.helper"}
    same = '# why\ndef g():\n    """What."""\n\n    return (1  +\n 1)\n'
    assert package({"helper": same}) == plain
    assert package({"helper": "def g():\n    return 2\n"}) != plain


REGISTRY = """
from typing import TYPE_CHECKING, TypeAlias
from tiny.shapes.circle import Circle
from tiny.shapes.square import Square as Box
if TYPE_CHECKING:
    from tiny.shapes.line import Line

Shape: TypeAlias = Circle | Box
_SIDES = {"box": 4}

def sides(name: str) -> int:
    return _SIDES[name]

def kinds(name: str):
    from tiny.shapes.line import Line
    return {"line": Line}[name]
"""
SHAPES = {
    "shapes/__init__": REGISTRY,
    "shapes/circle": "class Circle: pass\n",
    "shapes/square": "class Square: pass\n",
    "shapes/line": "class Line: pass\n",
}


@pytest.mark.parametrize(
    ("line", "counts"),
    [
        ("from tiny.shapes import Circle", {"shapes.circle"}),
        ("from tiny.shapes import Box", {"shapes.square"}),
        ("from tiny.shapes import Line", {"shapes.line"}),
        ("from tiny.shapes import Shape", set()),
        ("from tiny.shapes import circle", {"shapes.circle"}),
        ("from tiny.shapes import sides", {"shapes.sides"}),
        ("from tiny.shapes import kinds", {"shapes.kinds", "shapes.line"}),
        ("from .shapes import Circle", {"shapes.circle"}),
        # The package is used as a whole, or makes a name by means that are not seen: all counts.
        ("from tiny import shapes", {"shapes", "shapes.circle", "shapes.square", "shapes.line"}),
        ("import tiny.shapes", {"shapes", "shapes.circle", "shapes.square", "shapes.line"}),
        (
            "from tiny.shapes import *",
            {"shapes", "shapes.circle", "shapes.square", "shapes.line"},
        ),
        (
            "from tiny.shapes import Made",
            {"shapes.Made", "shapes.circle", "shapes.square", "shapes.line"},
        ),
    ],
)
def test_of_a_package_counts_what_is_imported(package, line: str, counts: set[str]) -> None:
    found = package({**SHAPES, "main": f"{line}\nX = 1\n"})
    assert set(found) == {"tiny.main", *(f"tiny.{name}" for name in counts)}


def test_what_a_function_of_a_package_uses_there_counts_and_no_other_line(package) -> None:
    main = {"main": "from tiny.shapes import sides\nX = 1\n"}
    before = package({**SHAPES, **main})
    more = REGISTRY.replace("Circle | Box", "Circle | Box | int") + "\ndef another(): ...\n"
    assert package({"shapes/__init__": more}) == before
    assert package({"shapes/__init__": REGISTRY.replace("4", "5")}) != before


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
