"""What makes the images of a stage, by which code."""

from __future__ import annotations

import hashlib
import json

from mitune.backbones import AdapterRef, ModelRef, family_of
from mitune.candidates import Generation, Source, generation
from mitune.lineage import source_code
from mitune.training import adapters


def source_of(
    name: str,
    settings: Generation,
    model: ModelRef,
    adapter: AdapterRef,
    target: ModelRef | None = None,
) -> Source:
    """As `Source`, with the digest of `painting_code`."""
    code = json.dumps(painting_code(settings, model, adapter, target))
    digest = hashlib.sha256(code.encode()).hexdigest()[:16]
    return Source(model, adapter, name, target, digest)


def painting_code(
    settings: Generation, model: ModelRef, adapter: AdapterRef, target: ModelRef | None = None
) -> dict[str, str]:
    """Digests of the modules that images and their scores hang on.

    Those of `candidates.generation` and all it imports, the guidance and the estimators of
    `settings`, the families of the models, and `adapters` if there is one.
    """
    families = [family_of(ref).__module__ for ref in (model, target) if ref]
    worn = [adapters.__name__] if adapter.path else []
    return source_code.computing(settings, generation.__name__, *families, *worn)
