"""What is refused before any model is loaded."""

import pytest

from mitune.candidates import Generation
from mitune.errors import UserError
from mitune.guidance import (
    AttendAndExcite,
    ClassifierFree,
    SemanticAware,
    StructuredDiffusion,
)
from mitune.language import english
from mitune.objectives import SFT
from mitune.objectives.diff_contrast import DiffContrast
from mitune.objectives.diffusion_dpo import DiffusionDPO
from mitune.objectives.dpok import DPOK
from mitune.pipelines.arms import ROUNDS
from mitune.pipelines.compose.parameters import Compose
from mitune.pipelines.compose.preflight import check_choice, check_rows
from mitune.pipelines.finetune.preflight import check_metric
from mitune.pipelines.shared.metrics import Metrics
from mitune.pipelines.shared.preflight import check_guidance, check_metrics
from mitune.references import ModelRef
from mitune.training.finetuning import Finetuning
from tests.conftest import SHIPPED

FLOW = ModelRef(str(SHIPPED / "miniature-sd3"), "flow")


@pytest.mark.parametrize("guidance", [AttendAndExcite(), SemanticAware()])
def test_attention_of_a_joint_transformer_is_refused(
    guidance: AttendAndExcite | SemanticAware, model: ModelRef
) -> None:
    settings = Generation(guidance=guidance)
    with pytest.raises(UserError, match=rf"evaluate\.guidance\.kind is '{guidance.kind}'"):
        check_guidance("evaluate", settings, FLOW)
    check_guidance("evaluate", settings, model)
    check_guidance("evaluate", Generation(guidance=ClassifierFree()), FLOW)


def test_a_parser_that_is_not_installed_is_refused(
    model: ModelRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    nested = StructuredDiffusion(parser="miniature", over=AttendAndExcite())
    vqa = {"path": SHIPPED / "miniature-vqa"}
    scorers = {
        "three": {
            "kind": "three_in_one",
            "vqa": vqa,
            "spatial": {"detector": {"kind": "miniature", "path": SHIPPED}},
            "clip": {"path": SHIPPED / "miniature-clip"},
            "adjectives": "kept",
        }
    }
    metrics = Metrics.model_validate({"scorers": scorers})
    check_guidance("evaluate", Generation(guidance=nested), model)
    check_metrics(metrics)
    monkeypatch.setattr(english, "_NAMES", ("no_such_model",))
    with pytest.raises(UserError, match=r"^evaluate\.guidance\.over\.parser: .*not installed"):
        check_guidance("evaluate", Generation(guidance=nested), model)
    with pytest.raises(UserError, match=r"^metrics\.scorers\.three\.vqa\.parser: .*not installed"):
        check_metrics(metrics)
    vqa["parser"] = "miniature"
    check_metrics(Metrics.model_validate({"scorers": scorers}))


FOUR = Generation(images_per_prompt=4)
METRICS = Metrics.model_validate({"scorers": {"judge": {"kind": "judge", "path": "judge"}}})


def _choice(**selection: object) -> Compose:
    return Compose.model_validate({"selection": selection})


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        ({"kind": "top_k", "score": "path", "k": 5}, "k is 5, but generate.images_per_prompt is"),
        ({"kind": "pairs", "score": "path", "k": 4}, "k is 4 and pairs needs 5 candidates, but"),
        ({"kind": "labelled", "score": "path", "k": 3}, "k is 3 and labelled needs 6 candidates"),
        ({"kind": "negatives", "score": "path", "k": 3}, "k is 3 and negatives needs 6 candidates"),
        ({"kind": "above", "score": "path", "threshold": 0, "k": 5}, "k is 5 and above needs 1"),
        ({"kind": "pairs", "score": "hps"}, "score is 'hps', but generate.scoring makes only path "
         "and metrics.scorers judge; add it there or choose one of them"),
        ({"kind": "pairs", "score": {"path": 1, "information": 1}}, "score is 'information', but"),
    ],
)  # fmt: skip
def test_what_a_composition_needs_must_be_made(selection: dict, message: str) -> None:
    with pytest.raises(UserError, match=rf"^compose\.selection\.{message}"):
        check_choice("compose", _choice(**selection), FOUR, METRICS)


@pytest.mark.parametrize(
    "selection",
    [
        {"kind": "pairs", "score": "judge", "k": 3},
        {"kind": "labelled", "score": {"path": 1, "judge": 2}, "k": 2},
        {"kind": "labelled", "score": "path", "threshold": 1, "k": None},
        {"kind": "negatives", "score": "path", "negative": "other_prompt", "k": 4},
        {"kind": "weighted", "score": "judge", "threshold": 0.5},
    ],
)
def test_a_metric_may_choose(selection: dict) -> None:
    check_choice("compose", _choice(**selection), FOUR, METRICS)


def test_a_set_of_other_rows_than_the_objective_trains_on_is_refused() -> None:
    pairs, best = _choice(kind="pairs", score="path"), _choice(kind="top_k", score="path")
    sft, dpo = Finetuning(objective=SFT()), Finetuning(objective=DiffusionDPO())
    check_rows(ROUNDS[0], best, sft)
    check_rows(ROUNDS[0], pairs, dpo)
    check_rows(ROUNDS[0], pairs, Finetuning(objective=DiffContrast(contrast=1)))
    with pytest.raises(UserError) as caught:
        check_rows(ROUNDS[0], best, dpo)
    assert str(caught.value) == (
        "compose.selection.kind is 'top_k', which makes rows Single, but finetune.objective.kind "
        "is 'diffusion_dpo', which trains on Pair; choose pairs for compose, or choose another "
        "objective"
    )
    with pytest.raises(UserError, match="choose top_k or lowest_k or random_k or above or weighte"):
        check_rows(ROUNDS[0], pairs, sft)
    with pytest.raises(UserError, match="which trains on FeaturedPair; choose pairs for compose"):
        check_rows(ROUNDS[0], best, Finetuning(objective=DiffContrast(contrast=1)))


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        (DPOK(reward="hps"), r"reward is 'hps', but metrics.scorers has only judge; add it there"),
        (DPOK(reward="judge"), r"reward: metrics.scorers.judge.path: judge not found; "),
        (DiffContrast(contrast=1), r"encoder is 'clip', but metrics.scorers has only judge; add"),
        (DiffContrast(contrast=1, encoder="judge"), r"encoder is 'judge', a metric of kind 'judge'"
         r", which has no features .*; choose one of kind 'clip_score'"),
    ],
)  # fmt: skip
def test_the_metric_of_an_objective_must_be_there(objective: object, message: str) -> None:
    with pytest.raises(UserError, match=rf"^finetune\.objective\.{message}"):
        check_metric("finetune", Finetuning(objective=objective), METRICS)
