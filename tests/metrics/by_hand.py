"""Scores written out picture by picture."""

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from transformers import AutoTokenizer

from tests.metrics.conftest import CLIP_MEAN, CLIP_STD, TOKENIZER
from tests.metrics.open_clip_by_hand import State, image_vectors, text_vectors


def cropped(image: NDArray[np.uint8], size: int) -> torch.Tensor:
    """Shorter side to `size` in PIL, the middle of it; normalised as CLIP does."""
    height, width = image.shape[:2]
    scale = size / min(height, width)
    resized = Image.fromarray(image).resize(
        (int(width * scale), int(height * scale)), Image.Resampling.BICUBIC
    )
    left, top = (round((side - size) / 2) for side in resized.size)
    middle = np.asarray(resized.crop((left, top, left + size, top + size)), np.float32) / 255
    return normalised(middle)


def padded(image: NDArray[np.uint8], size: int) -> torch.Tensor:
    """Longer side to `size` in PIL's float mode (antialiased, no rounding), black around it."""
    scale = size / max(image.shape[:2])
    height, width = (round(side * scale) for side in image.shape[:2])
    canvas = np.zeros((size, size, 3), np.float32)
    top, left = (size - height) // 2, (size - width) // 2
    for channel in range(3):
        plane = Image.fromarray(image[..., channel].astype(np.float32) / 255)
        resized = plane.resize((width, height), Image.Resampling.BICUBIC)
        canvas[top : top + height, left : left + width, channel] = resized
    return normalised(canvas)


def normalised(picture: NDArray[np.float32]) -> torch.Tensor:
    channels = [(picture[..., c] - CLIP_MEAN[c]) / CLIP_STD[c] for c in range(3)]
    return torch.from_numpy(np.stack(channels)).float()


def cosine(state: State, pixels: torch.Tensor, prompt: str) -> float:
    tokenizer = AutoTokenizer.from_pretrained(TOKENIZER)
    ids = torch.tensor([tokenizer(prompt, padding="max_length", truncation=True)["input_ids"]])
    image, text = image_vectors(state, pixels[None])[0], text_vectors(state, ids)[0]
    return float(image @ text / image.norm() / text.norm())
