"""BLIP-VQA with each picture encoded once, against once for every question: a ratio in one run.

    python benchmarks/blip_vqa.py

The network is random and of middling size; what it answers does not matter here, only that both
ways answer the same.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from transformers import BertTokenizer, BlipConfig, BlipForQuestionAnswering

from mitune.language import open_reader
from mitune.metrics import BlipVqa
from mitune.metrics.questions import questions

PICTURES, REPEATS, SIZE = 4, 5, 128
PROMPTS = {
    2: "a red bench and a green car",
    4: "a red bench, a green car, a big cat and a small dog",
    8: "a red bench, a green car, a big cat, a small dog, a bench, a car, a cat and a dog",
}
WORDS = (
    "[PAD] [UNK] [CLS] [SEP] [MASK] ? yes no a red green big small bench car cat dog [DEC] [ENC]"
)


def save_network(folder: Path) -> None:
    """12 + 6 + 6 layers of width 192; 256 patches and a text of a few tokens, as in BLIP."""
    torch.manual_seed(0)
    words = {word: number for number, word in enumerate(WORDS.split())}
    BertTokenizer(vocab=words).save_pretrained(folder)
    shape = {"hidden_size": 192, "intermediate_size": 768, "num_attention_heads": 3}
    text = {
        **shape,
        "num_hidden_layers": 6,
        "encoder_hidden_size": 192,
        "vocab_size": len(words),
        "bos_token_id": words["[DEC]"],
        "pad_token_id": words["[PAD]"],
        "sep_token_id": words["[SEP]"],
    }
    vision = {**shape, "num_hidden_layers": 12, "image_size": SIZE, "patch_size": 8}
    vision["initializer_range"] = 0.02
    config = BlipConfig(text_config=text, vision_config=vision)
    BlipForQuestionAnswering(config).save_pretrained(folder)


def seconds(action: Callable[[], object]) -> float:
    """Of one run."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def main() -> None:
    """Print a small table."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        save_network(Path(folder))
        scorer = BlipVqa(path=Path(folder), batch_size=PICTURES).load(torch.device("cpu"))
    reader = open_reader("spacy", "parser")
    images = np.random.default_rng(0).integers(0, 256, (PICTURES, SIZE, SIZE, 3), dtype=np.uint8)
    print(f"{PICTURES} pictures, {REPEATS} repeats, one thread: median (least to most)")
    for count, prompt in PROMPTS.items():
        asked = [question.removesuffix("?") for question in questions(prompt, reader)]

        def once(prompt: str = prompt) -> np.ndarray:
            return scorer(images, [prompt] * PICTURES)

        def each(asked: list[str] = asked) -> np.ndarray:
            return np.prod([scorer(images, [q] * PICTURES) for q in asked], axis=0)

        assert len(asked) == count
        np.testing.assert_allclose(once(), each(), rtol=1e-4)
        pairs = [(seconds(each), seconds(once)) for _ in range(REPEATS)]
        ratios = [slow / fast for slow, fast in pairs]
        rate = PICTURES / statistics.median(fast for _, fast in pairs)
        print(
            f"{count} questions: {statistics.median(ratios):.2f} times as fast "
            f"({min(ratios):.2f} to {max(ratios):.2f}), {rate:.1f} pictures/s"
        )


if __name__ == "__main__":
    main()
