"""What is refused before any model is loaded."""

import pytest

from mitune.candidates import Generation
from mitune.errors import UserError
from mitune.guidance import AttendAndExcite, ClassifierFree, SemanticAware
from mitune.pipelines.shared.preflight import check_guidance
from mitune.references import ModelRef
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
