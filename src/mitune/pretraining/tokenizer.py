"""Tokenizers of the miniature, of the classes that CLIP and BLIP have, over the world's words."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

from mitune import libraries
from mitune.miniature.caption import words, write
from mitune.miniature.description import sample_description
from mitune.miniature.vocabulary import CATEGORIES

if TYPE_CHECKING:
    from transformers import BertTokenizer, CLIPTokenizer

MAX_TOKENS = 24
BOS, EOS = "<|startoftext|>", "<|endoftext|>"


def build_word_tokenizer() -> BertTokenizer:
    """BERT's tokenizer over the world's words, with BLIP's two marks at the end as in BLIP."""
    special = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    tokens = (*special, "?", "yes", "no", *words(), "[DEC]", "[ENC]")
    return libraries.transformers.BertTokenizer(
        vocab={token: number for number, token in enumerate(tokens)},
        model_max_length=MAX_TOKENS,
        additional_special_tokens=["[DEC]", "[ENC]"],
    )


def build_tokenizer(folder: Path, captions: int = 4000) -> CLIPTokenizer:
    """Byte-pair encoding learned from the world's captions, saved to `folder` as CLIP's format."""
    rng = np.random.default_rng(0)
    categories = itertools.cycle(CATEGORIES)
    corpus = [write(sample_description(next(categories), rng), rng) for _ in range(captions)]
    bpe = Tokenizer(models.BPE(unk_token=EOS, end_of_word_suffix="</w>"))
    bpe.normalizer = normalizers.Lowercase()
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.ByteLevel(False, use_regex=False)]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=768,
        end_of_word_suffix="</w>",
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(corpus, trainer)
    folder.mkdir(parents=True, exist_ok=True)
    _, merges_file = bpe.model.save(str(folder))
    tokenizer = _clip_tokenizer(Path(merges_file))
    tokenizer.save_pretrained(folder)
    return tokenizer


def _clip_tokenizer(merges_file: Path) -> CLIPTokenizer:
    merges = [
        tuple(line.split(" "))
        for line in merges_file.read_text().splitlines()
        if line and not line.startswith("#version")
    ]
    # CLIP's tokenizer splits off single characters: each needs its word-final form as well. The
    # trainer numbers them in another order each time, so they are numbered here.
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = [*alphabet, *(f"{letter}</w>" for letter in alphabet), *map("".join, merges), BOS, EOS]
    vocab = {token: number for number, token in enumerate(dict.fromkeys(tokens))}
    return libraries.transformers.CLIPTokenizer(
        vocab=vocab,
        merges=merges,
        unk_token=EOS,
        bos_token=BOS,
        eos_token=EOS,
        pad_token=EOS,
        model_max_length=MAX_TOKENS,
    )
