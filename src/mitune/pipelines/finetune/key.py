"""The name of an adapter: everything that its weights hang on."""

from __future__ import annotations

import hashlib
import json

import pandas as pd

from mitune.backbones import AdapterRef, ModelRef, family_of
from mitune.lineage import source_code
from mitune.training import finetuning
from mitune.training.finetuning import Finetuning

# Columns that rows are read from; scores and ranks that the set was chosen by are not of them.
_COLUMNS = ("example", "role", "prompt", "latent", "label", "weight", "t", "log_prob")


def adapter_key(
    selection: pd.DataFrame,
    model: ModelRef,
    previous: AdapterRef,
    settings: Finetuning,
    metric: str | None = None,
) -> str:
    """Names the set, the model, the adapter before, the settings and the code that trains.

    `metric` names the reward or encoder, if there is one: what it depends on and its code.
    """
    whole = hashlib.sha256()
    for name in (name for name in _COLUMNS if name in selection):
        whole.update(name.encode())
        for value in selection[name]:
            content = value if isinstance(value, bytes) else repr(value).encode()
            whole.update(len(content).to_bytes(8, "big") + content)
    facts = {
        "latent_shape": list(selection.attrs["latent_shape"]),
        "model": model.digest,
        "previous": previous.digest,
        "settings": settings.model_dump(mode="json"),
        "code": training_code(settings, model),
    }
    if metric is not None:
        facts["metric"] = metric
    whole.update(json.dumps(facts, sort_keys=True).encode())
    return whole.hexdigest()[:16]


def training_code(settings: Finetuning, model: ModelRef) -> dict[str, str]:
    """Digests of the modules that weights hang on: a new objective changes none of another."""
    family = family_of(model).__module__
    return source_code.computing(settings, finetuning.__name__, family)
