"""The file that an adapter is, and the name of its content."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from mitune import libraries
from mitune.references import AdapterRef

FACTS = "adapter.json"
WEIGHTS = "pytorch_lora_weights.safetensors"


def facts_of(adapter: AdapterRef) -> dict[str, Any]:
    """How a saved adapter was made."""
    facts: dict[str, Any] = json.loads((Path(str(adapter.path)) / FACTS).read_text())
    return facts


def digest(folder: Path) -> str:
    """Hash of an adapter's weights and settings; not of the file, whose header has no fixed order.

    Raises
    ------
    ValueError
        If the file is truncated.
    """
    whole = hashlib.sha256()
    try:
        with safe_open(folder / WEIGHTS, framework="pt") as file:
            whole.update(json.dumps(file.metadata() or {}, sort_keys=True).encode())
            for name in sorted(file.keys()):
                tensor = file.get_tensor(name).contiguous()
                whole.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
                whole.update(tensor.view(libraries.torch.uint8).numpy().tobytes())
    except SafetensorError as error:
        raise ValueError(f"{folder / WEIGHTS}: {error}") from None
    return whole.hexdigest()[:16]
