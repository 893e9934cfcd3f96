from pathlib import Path

import pytest
import torch

from mitune.metrics.open_clip import from_open_clip
from mitune.weights import WeightsError
from tests.metrics.open_clip_by_hand import (
    CONTEXT,
    SIZE,
    VOCABULARY,
    State,
    image_vectors,
    text_vectors,
)

FILE = Path("clip.pt")


def test_converted_vectors_equal_the_model_written_out(clip_state: State) -> None:
    model = from_open_clip(clip_state, torch.float32, FILE).eval()
    pixels = torch.randn(3, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))
    ids = torch.full((3, CONTEXT), VOCABULARY - 1)  # padding is the end of the text
    ids[0, :4] = torch.tensor([VOCABULARY - 2, 5, 9, 3])
    ids[1, :9] = torch.arange(9)
    ids[2, :23] = 17
    with torch.inference_mode():
        images = model.get_image_features(pixel_values=pixels).pooler_output
        texts = model.get_text_features(input_ids=ids).pooler_output
    torch.testing.assert_close(images, image_vectors(clip_state, pixels), atol=2e-4, rtol=1e-4)
    torch.testing.assert_close(texts, text_vectors(clip_state, ids), atol=2e-4, rtol=1e-4)
    assert model.logit_scale.exp().item() == pytest.approx(100)


def test_half_precision_file_is_read_in_the_precision_asked_for(clip_state: State) -> None:
    half = {name: value.half() for name, value in clip_state.items()}
    model = from_open_clip(half, torch.float32, FILE)
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    layer = model.vision_model.encoder.layers[1].self_attn
    stacked = half["visual.transformer.resblocks.1.attn.in_proj_weight"].float()
    assert torch.equal(layer.v_proj.weight, stacked[320:])


@pytest.mark.parametrize("name", ["visual.ln_post.bias", "transformer.resblocks.1.ln_2.weight"])
def test_missing_tensor_is_one_line(clip_state: State, name: str) -> None:
    state = {key: value for key, value in clip_state.items() if key != name}
    with pytest.raises(WeightsError, match=r"clip\.pt: tensor .* is missing") as caught:
        from_open_clip(state, torch.float32, FILE)
    assert "\n" not in str(caught.value)


def test_tensor_of_another_architecture_is_one_line(clip_state: State) -> None:
    state = {**clip_state, "visual.attn_pool.query": torch.zeros(2)}
    with pytest.raises(WeightsError, match=r"clip\.pt: .*visual\.attn_pool\.query"):
        from_open_clip(state, torch.float32, FILE)
