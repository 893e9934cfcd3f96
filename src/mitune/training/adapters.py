"""Low-rank adapters through peft: attach, save, load. DoRA (Liu et al. 2024) is the default.

arXiv:2402.09353, arXiv:2106.09685.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import torch
from pydantic import BaseModel, ConfigDict, Field, PositiveInt
from safetensors import SafetensorError
from torch import nn

from mitune import libraries
from mitune.backbones import AdapterRef, Backbone, ModelError
from mitune.errors import UserError
from mitune.training.adapted import TEXT_ENCODER, adapted, has_one_encoder, state_of
from mitune.training.adapter_gate import check_file, check_loaded, parts_of
from mitune.training.adapter_weights import FACTS, WEIGHTS, digest

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

T = TypeVar("T")
NAME = "default"
REFERENCE = "reference"
_WIDEST = 4096  # a rank above the width of a layer adds nothing to it
# Of UNets, and besides of the text stream of MMDiT.
_ATTENTION = (
    *("to_q", "to_k", "to_v", "to_out.0"),
    *("add_q_proj", "add_k_proj", "add_v_proj", "to_add_out"),
)
_TEXT_ATTENTION = ["q_proj", "k_proj", "v_proj", "out_proj"]  # of CLIP
_FEED_FORWARD = ("ff.net.0.proj", "ff.net.2", "ff_context.net.0.proj", "ff_context.net.2")


class AdapterSettings(BaseModel):
    """Shape of an adapter. Defaults: the MI-TUNE paper (DoRA, r = alpha = 32, both layer kinds).

    `text_encoder`: adapt the attention of the text encoder too (MI-TUNE, Table 12).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["dora", "lora"] = "dora"
    rank: int = Field(default=32, ge=1, le=_WIDEST)
    alpha: PositiveInt = 32
    targets: Literal["attention", "attention_and_feed_forward"] = "attention_and_feed_forward"
    # Said only where it is so: the name of every other adapter stays.
    text_encoder: bool = Field(default=False, exclude_if=lambda adapted: not adapted)

    def target_modules(self, network: nn.Module) -> list[str]:
        """Suffixes of the layers of `network` to adapt."""
        wanted = _ATTENTION if self.targets == "attention" else _ATTENTION + _FEED_FORWARD
        there = [name for name, _ in network.named_modules()]
        return [part for part in wanted if any(name.endswith(f".{part}") for name in there)]


def attach(backbone: Backbone, settings: AdapterSettings, seed: int) -> None:
    """Add a fresh adapter to the denoising network; only it requires gradients.

    The output is unchanged until it is trained (B = 0; A is normal, drawn from `seed`).
    """
    _add(backbone.network, settings, settings.target_modules(backbone.network), seed)
    if settings.text_encoder:
        _add(backbone.pipeline.text_encoder, settings, _TEXT_ATTENTION, seed)


def _add(module: Any, settings: AdapterSettings, targets: list[str], seed: int) -> None:
    config = libraries.peft.LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        use_dora=settings.kind == "dora",
        init_lora_weights="gaussian",
        target_modules=targets,
    )
    seeded(lambda: module.add_adapter(config, adapter_name=NAME), seed)
    _use_gram(module, fresh=True)
    _require_gradients(module)


def seeded(make: Callable[[], T], seed: int) -> T:
    """What `make` makes, its weights drawn from `seed`; the global generator is left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()


def load(backbone: Backbone, adapter: AdapterRef, trainable: bool = False) -> None:
    """Put a saved adapter on the model; the base (`path` None) changes nothing.

    Raises
    ------
    ModelError
        If the file is missing or truncated.
    """
    if adapter.path is None:
        return
    _load(backbone, adapter, NAME)
    for part in adapted(backbone).values():
        if trainable:
            _require_gradients(part)
        else:
            part.requires_grad_(False)


def load_frozen(backbone: Backbone, adapter: AdapterRef) -> None:
    """Put a saved adapter beside the one under training, switched off: `REFERENCE`.

    Raises
    ------
    ModelError
        As `load`.
    """
    _load(backbone, adapter, REFERENCE)
    for part in adapted(backbone).values():
        part.set_adapter(NAME)
        _require_gradients(part)


def _load(backbone: Backbone, adapter: AdapterRef, name: str) -> None:
    """Raises ModelError, or WeightsError if not every tensor of the file has its place."""
    file = Path(str(adapter.path)) / WEIGHTS
    pipeline = backbone.pipeline
    parts = {backbone.network_name: backbone.network}
    try:
        if has_one_encoder(backbone) and TEXT_ENCODER in parts_of(file):
            parts[TEXT_ENCODER] = pipeline.text_encoder
        # As diffusers reads it: files of others have other names.
        found = pipeline.lora_state_dict(adapter.path, weight_name=WEIGHTS)
        state = found[0] if isinstance(found, tuple) else found
        check_file(state, list(parts), file)
        pipeline.load_lora_weights(adapter.path, adapter_name=name, weight_name=WEIGHTS)
    except UserError:
        raise
    except Exception as error:
        raise ModelError(
            f"{file}: the adapter cannot be read ({type(error).__name__}); name the adapter of "
            "this model, or rerun the finetune stage that wrote it"
        ) from error
    for prefix, part in parts.items():
        own = {}
        if name in getattr(part, "peft_config", {}):
            own = libraries.peft.get_peft_model_state_dict(part, adapter_name=name)
        check_loaded(part, state, own, prefix, file)
        _use_gram(part)


def _use_gram(module: nn.Module, fresh: bool = False) -> None:
    from mitune.training.gram_dora import use_gram  # peft is read when it is used

    use_gram(module, fresh)


def settings_of(adapter: AdapterRef) -> AdapterSettings:
    """The shape that an adapter was saved with.

    Raises
    ------
    ModelError
        If its `adapter.json` does not say.
    """
    file = Path(str(adapter.path)) / FACTS
    try:
        facts = json.loads(file.read_text())
        return AdapterSettings.model_validate(facts["finetuning"]["adapter"])
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(
            f"{file}: does not say how the adapter was made ({type(error).__name__}); rerun the "
            "finetune stage that wrote it, or give finetune.start: fresh"
        ) from None


def fuse(backbone: Backbone) -> None:
    """Merge the adapter into the weights: the same function, at the speed of the base model."""
    if backbone.pipeline.get_active_adapters():
        backbone.pipeline.fuse_lora()
        backbone.pipeline.unload_lora_weights()


def save(backbone: Backbone, folder: Path, facts: Mapping[str, Any]) -> None:
    """Write `pytorch_lora_weights.safetensors`, which diffusers loads, and `adapter.json`.

    Raises ModelError if there is no room for it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pipeline: type[DiffusionPipeline] = type(backbone.pipeline)
    parts = adapted(backbone)
    layers = {f"{name}_lora_layers": state_of(name, part) for name, part in parts.items()}
    metadata = libraries.diffusers.training_utils._collate_lora_metadata(parts)
    for config in metadata.values():
        # Sets have another order in each process; equal adapters must be equal files.
        config |= {k: sorted(v) for k, v in config.items() if isinstance(v, set)}
    try:
        pipeline.save_lora_weights(folder, **layers, **metadata)
    except SafetensorError as error:
        raise ModelError(
            f"{folder / WEIGHTS}: the adapter cannot be written ({error}); free some space and run "
            "again: training goes on at its checkpoint"
        ) from None
    facts = {**facts, "digest": digest(folder)}
    (folder / FACTS).write_text(json.dumps(facts, indent=2, default=str))


def _require_gradients(network: nn.Module) -> None:
    for name, parameter in network.named_parameters():
        parameter.requires_grad_("lora_" in name and f".{NAME}." in name)
        if parameter.requires_grad:
            parameter.data = parameter.data.float()  # whatever the frozen weights are
