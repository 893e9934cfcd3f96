"""Generation with MI against plain diffusers sampling of the same images, as ratios in one run.

    python benchmarks/generation.py

The network evaluations are the same; the ratio says what the scores cost, and what filling
batches across prompts saves when M is small.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pandas as pd
import torch
from diffusers import DiffusionPipeline

from mitune.backbones import AdapterRef, ModelRef, open_backbone
from mitune.candidates import Generation, Scoring, Source, generate
from mitune.estimators import PathScore
from mitune.guidance import ClassifierFree

MODEL, PROMPTS, IMAGES, STEPS, BATCH, REPEATS = "data/06_models/miniature-sd", 16, 4, 10, 64, 3


def timed(action: Callable[[], object]) -> float:
    """Median seconds of `REPEATS` runs after one to warm up."""
    action()
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - start)
    return sorted(seconds)[REPEATS // 2]


def main() -> None:
    """Print a small table."""
    texts = [f"a red circle and a {c} square" for c in ("blue", "green", "black", "cyan")] * 4
    prompts = pd.DataFrame(
        {"prompt_id": [str(i) for i in range(PROMPTS)], "category": "color", "prompt": texts}
    )
    pipeline = DiffusionPipeline.from_pretrained(MODEL, torch_dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)

    def plain() -> None:
        """diffusers, a prompt at a time, as the released code does."""
        for text in texts:
            pipeline(
                text,
                num_images_per_prompt=IMAGES,
                num_inference_steps=STEPS,
                guidance_scale=2.0,
                output_type="latent",
            )

    def plain_batched() -> None:
        """diffusers, all prompts in one batch."""
        pipeline(
            texts,
            num_images_per_prompt=IMAGES,
            num_inference_steps=STEPS,
            guidance_scale=2.0,
            output_type="latent",
        )

    reference = ModelRef(MODEL, "shipped")
    backbone = open_backbone(reference, torch.device("cpu"))
    source = Source(reference, AdapterRef(None), "benchmark")

    def ours(path: PathScore | None) -> Callable[[], object]:
        settings = Generation(
            images_per_prompt=IMAGES,
            steps=STEPS,
            guidance=ClassifierFree(scale=2.0),
            scoring=Scoring(path=path),
        )
        return lambda: list(generate(backbone, source, prompts, settings, BATCH))

    base = timed(plain)
    rows = {
        "diffusers, prompt by prompt": base,
        "diffusers, one batch": timed(plain_batched),
        "mitune, batches across prompts": timed(ours(None)),
        "mitune, with the path score": timed(ours(PathScore())),
    }
    images = PROMPTS * IMAGES
    print(f"{images} images, {STEPS} steps, {torch.get_num_threads()} threads")
    for name, seconds in rows.items():
        print(f"{name:34s} {images / seconds:7.1f} images/s   x{base / seconds:.2f}")


if __name__ == "__main__":
    main()
