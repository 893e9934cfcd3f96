"""The code that makes the images of a stage."""

from __future__ import annotations

from dataclasses import replace

from mitune.backbones import AdapterRef, ModelRef, family_of
from mitune.candidates import Generation, Source, generation
from mitune.lineage import source_code
from mitune.training import adapters


def with_code(source: Source, settings: Generation) -> Source:
    """`source` with its `painting_code`."""
    code = painting_code(settings, source.model, source.adapter, source.target)
    return replace(source, code=code)


def painting_code(
    settings: Generation, model: ModelRef, adapter: AdapterRef, target: ModelRef | None = None
) -> dict[str, str]:
    """Digests of the modules that images and their scores hang on.

    Those of `candidates.generation` and all it imports, the guidance and the estimators of
    `settings`, the families of the models, and `adapters` if there is one.
    """
    families = [family_of(ref).__module__ for ref in (model, target) if ref]
    tuned = [adapters.__name__] if adapter.path else []
    return source_code.computing(settings, generation.__name__, *families, *tuned)
