"""What to do about weights that are missing or damaged."""

from __future__ import annotations

from pathlib import Path

_BLIP = "https://storage.googleapis.com/sfr-vision-language-research/BLIP/models"
_PREDICTOR = (
    "https://github.com/christophschuhmann/improved-aesthetic-predictor/raw/"
    "6934dd81792f086e613a121dbce43082cb8be85e"
)
_FIDELITY = "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0"
_STYLEGAN = "https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/metrics"

# Where authors keep what they released, by name: a folder of the web or a repository of the hub.
_RELEASED = {
    "HPS_v2_compressed.pt": "xswu/HPSv2",
    "HPS_v2.1_compressed.pt": "xswu/HPSv2",
    "ImageReward.pt": "THUDM/ImageReward",
    "vocab.txt": "google-bert/bert-base-uncased",
    "model_base_vqa_capfilt_large.pth": _BLIP,
    "sac+logos+ava1-l14-linearMSE.pth": _PREDICTOR,
    "weights-inception-2015-12-05-6726825d.pth": _FIDELITY,
    "inception-2015-12-05.pt": _STYLEGAN,
}


def on_hub(path: Path, revision: str | None) -> bool:
    """Whether `path` is a hub id: one or two names, no such file here, and a revision."""
    named = not path.is_absolute() and len(path.parts) <= 2
    return revision is not None and named and not path.exists()


def remedy(path: Path) -> str:
    """For a local file or folder, by its name."""
    if any(part.startswith("miniature-") for part in path.parts):
        return f"restore it with `git checkout -- {path}`"
    home = _RELEASED.get(path.name)
    if home is None:
        again = "download it again, or " if path.exists() else ""
        return f"{again}correct the path (a hub id needs its revision)"
    if home.startswith("https:"):
        return f"download it ({home}/{path.name})"
    return f"download it (`{_command(home, path.name)} --local-dir {path.parent}`)"


def hub_remedy(name: Path, revision: str | None, file: str = "") -> str:
    """For a repository of the hub, or one `file` of it."""
    command = f"{_command(name.as_posix(), file)} --revision {revision}"
    return f"download it (`{command}`) or give a local folder"


def _command(repository: str, file: str) -> str:
    return " ".join(filter(None, ("hf download", repository, file)))
