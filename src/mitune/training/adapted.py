"""Parts of a pipeline that adapters are on: the denoising network, and with it the text encoder."""

from __future__ import annotations

from typing import Any

from mitune import libraries
from mitune.backbones import Backbone

TEXT_ENCODER = "text_encoder"


def has_one_encoder(backbone: Backbone) -> bool:
    """Whether one text encoder is all that conditions the model: then it can be adapted."""
    return type(backbone.pipeline).__name__ == "StableDiffusionPipeline"


def adapted(backbone: Backbone) -> dict[str, Any]:
    """Parts of the pipeline that an adapter is on, by name: the network, and the text encoder."""
    parts: dict[str, Any] = {backbone.network_name: backbone.network}
    if has_one_encoder(backbone) and getattr(backbone.pipeline.text_encoder, "peft_config", None):
        parts[TEXT_ENCODER] = backbone.pipeline.text_encoder
    return parts


def state_of(name: str, part: Any) -> dict[str, Any]:
    """Tensors under the names by which diffusers finds them again, all of them."""
    state: dict[str, Any] = libraries.peft.get_peft_model_state_dict(part)
    if name == "transformer":  # diffusers keeps peft's own names for transformers
        return state
    if name == TEXT_ENCODER:
        # transformers puts the adapter's name behind `lora_magnitude_vector`, finds no parameter
        # of that name, and leaves magnitudes as they were, without a word.
        state = {k + ".weight" * k.endswith("magnitude_vector"): v for k, v in state.items()}
    renamed: dict[str, Any] = libraries.diffusers.utils.convert_state_dict_to_diffusers(state)
    # It renames attention layers alone, and on loading trusts the first name for all of them.
    return state if ".lora_A" in min(renamed) else renamed
