"""Real pictures as latents that a set can take in."""

from __future__ import annotations

import hashlib
from dataclasses import asdict

import numpy as np
import pandas as pd
import torch

from mitune.backbones import AdapterRef, ModelRef
from mitune.pipelines.shared.models import opened
from mitune.pipelines.shared.resources import Resources
from mitune.pipelines.studies.parameters import Studies
from mitune.pipelines.studies.sets import REAL, real_id


def encode_real_pictures(
    sets: pd.DataFrame, model: ModelRef, studies: Studies, resources: Resources
) -> dict[str, pd.DataFrame]:
    """A shard for each picture that a set takes in, as shards of candidates are.

    Raises
    ------
    UserError
        If there are too few, or one cannot be read.
    """
    wanted = sets.loc[sets["pool"] == REAL, "image_index"]
    if studies.real is None or wanted.empty:
        return {}
    shards: dict[str, pd.DataFrame] = {}
    with opened(model, AdapterRef(None), resources) as backbone:
        pairs = studies.real.pairs(int(wanted.max()) + 1, backbone.image_size)
        for place, (caption, picture) in enumerate(pairs):
            with torch.no_grad():
                latent = backbone.encode(picture[None]).cpu().to(torch.float16).numpy()
            name = hashlib.sha256(picture.tobytes() + caption.encode()).hexdigest()[:16]
            line = {
                "prompt_id": real_id(place),
                "category": REAL,
                "prompt": caption,
                "image_index": place,
                "seed": 0,
                "latent": latent[0].tobytes(),
            }
            shard = pd.DataFrame([line])
            made_by = {"model": asdict(model), "picture": name}
            shard.attrs = {
                "key": name,
                "made_by": made_by,
                "latent_shape": list(np.shape(latent)[1:]),
            }
            shards[real_id(place)] = shard
    return shards
