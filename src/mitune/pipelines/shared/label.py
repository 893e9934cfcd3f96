"""Names of models for readers."""


def label(model: str) -> str:
    """How a model is called on the page."""
    if model.startswith("round_"):
        return f"MI-TUNE R={model.removeprefix('round_')}"
    return {"base": "base", "random_k": "random k", "lowest_k": "lowest MI"}.get(model, model)
