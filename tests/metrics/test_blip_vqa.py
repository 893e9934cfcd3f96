import math
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from huggingface_hub import constants
from PIL import Image
from pydantic import TypeAdapter
from transformers import BertTokenizer, BlipConfig, BlipForQuestionAnswering

from mitune.metrics import MetricConfig, MetricError
from mitune.metrics.blip_checkpoint import load_original, official_config, renamed
from mitune.metrics.blip_model import answer_logits, image_states
from mitune.metrics.blip_vqa_scorer import Answers

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "?", "yes", "no"]
PLAIN = "a the an and red green blue big cat dog car bench wooden fluffy is in left of on"
WORDS = [*SPECIAL, *PLAIN.split(" "), "[DEC]", "[ENC]"]
PROMPTS = [
    "a red cat and a big fluffy green dog",
    "the wooden bench",
    "a cat on the left of a big red fluffy wooden car",
    "is in",
    "a dog and a cat and a car and a bench and a red car and a big cat and a blue dog",
    "a fluffy cat and a wooden dog",
    "a red cat and a big fluffy green dog",
    "a bench",
    "a blue car and a blue bench",
]
CPU = torch.device("cpu")


def config(vocabulary: int = len(WORDS), **text) -> BlipConfig:
    shape = {
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "projection_dim": 8,
        "initializer_range": 0.3,
    }
    vision = {**shape, "image_size": 32, "patch_size": 8}
    text = {
        **shape,
        "encoder_hidden_size": 16,
        "vocab_size": vocabulary,
        "max_position_embeddings": 40,
        "bos_token_id": WORDS.index("[DEC]"),
        "pad_token_id": 0,
        "sep_token_id": 3,
        **text,
    }
    return BlipConfig(text_config=text, vision_config=vision)


def build(settings: BlipConfig | None = None) -> BlipForQuestionAnswering:
    torch.manual_seed(0)
    model = BlipForQuestionAnswering(settings or config()).eval()
    for parameter in model.parameters():  # biases and norms too: what is lost must show
        torch.nn.init.normal_(parameter, parameter.mean().item(), 0.5)
    return model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("blip")
    build().save_pretrained(path)
    BertTokenizer(vocab={w: i for i, w in enumerate(WORDS)}).save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (len(PROMPTS), 20, 26, 3), dtype=np.uint8)


def metric(folder: Path, **fields):
    return TypeAdapter(MetricConfig).validate_python({"kind": "blip_vqa", "path": folder, **fields})


def straight_line(image: np.ndarray, question: str, first: str = "[ENC]") -> float:
    """One question about one picture, without padding: P(yes) of a softmax over two words."""
    mean = np.array([0.48145466, 0.4578275, 0.40821073])
    std = np.array([0.26862954, 0.26130258, 0.27577711])
    square = Image.fromarray(image).resize((32, 32), Image.Resampling.BICUBIC)
    pixels = (np.asarray(square) / 255 - mean) / std
    words = re.findall(r"\w+|\?", question)
    ids = torch.tensor([[WORDS.index(w) for w in [first, *words, "[SEP]"]]])
    model = build()
    with torch.no_grad():
        seen = model.vision_model(torch.tensor(pixels).permute(2, 0, 1)[None].float())[0]
        asked = model.text_encoder(ids, encoder_hidden_states=seen)[0]
        start = torch.tensor([[WORDS.index("[DEC]")]])
        logits = model.text_decoder(start, encoder_hidden_states=asked).logits[0, 0].double()
    yes, no = (math.exp(logits[WORDS.index(word)]) for word in ("yes", "no"))
    return yes / (yes + no)


EXPECTED_QUESTIONS = {
    0: ["a red cat?", "a big fluffy green dog?"],
    2: ["a cat?", "a big red fluffy wooden car?"],
    3: [],
    8: ["a blue car?", "a blue bench?"],
}


@pytest.mark.parametrize("batch_size", [1, 7])
def test_equals_one_question_at_a_time(folder: Path, images: np.ndarray, batch_size: int) -> None:
    scorer = metric(folder, batch_size=batch_size).load(CPU)
    scores, answers = scorer(images, PROMPTS), scorer.answers(images, PROMPTS)
    seen = []
    for index, questions in EXPECTED_QUESTIONS.items():
        expected = [straight_line(images[index], question) for question in questions]
        assert list(answers[index].questions) == questions
        assert answers[index].probabilities == pytest.approx(expected, abs=1e-5)
        assert scores[index] == pytest.approx(math.prod(expected), abs=1e-5)
        seen += expected
    assert np.std(seen) > 0.02, "the random network answers everything alike: nothing is tested"
    assert scores.dtype == np.float64 and scores[3] == 1.0


def test_does_not_depend_on_batches_or_order(folder: Path, images: np.ndarray) -> None:
    one = metric(folder, batch_size=1).load(CPU)(images, PROMPTS)
    seven = metric(folder, batch_size=7).load(CPU)(images, PROMPTS)
    order = np.random.default_rng(1).permutation(len(PROMPTS))
    shuffled = metric(folder, batch_size=4).load(CPU)(images[order], [PROMPTS[i] for i in order])
    np.testing.assert_allclose(one, seven, atol=1e-6)
    np.testing.assert_allclose(shuffled, seven[order], atol=1e-6)


def test_a_question_is_not_padded_to_a_longer_one(folder: Path, images: np.ndarray) -> None:
    """Padding does change the answer (the mask is dropped), so it must never be there."""
    scorer = metric(folder).load(CPU)
    alone = scorer.answers(images[:1], ["a cat"])[0].probabilities[0]
    among = scorer.answers(images[:1], ["a cat and a big red fluffy wooden car"])[0]
    assert among.probabilities[0] == pytest.approx(alone, abs=1e-6)
    model = build()
    ids = torch.tensor([[WORDS.index(w) for w in ("[ENC]", "a", "cat", "?", "[SEP]")]])
    padded = torch.nn.functional.pad(ids, (0, 4))
    with torch.no_grad():
        states = image_states(model, torch.zeros(1, 3, 32, 32))
        difference = answer_logits(model, states, ids) - answer_logits(model, states, padded)
    assert difference.abs().max() > 1e-3


def test_the_question_begins_with_enc(folder: Path, images: np.ndarray) -> None:
    found = metric(folder).load(CPU).answers(images[:1], ["a red cat"])[0].probabilities[0]
    assert found == pytest.approx(straight_line(images[0], "a red cat?"), abs=1e-6)
    assert abs(found - straight_line(images[0], "a red cat?", first="[CLS]")) > 1e-4


def test_rounding_as_published(folder: Path, images: np.ndarray) -> None:
    plain = metric(folder).load(CPU).answers(images, PROMPTS)
    rounded = metric(folder, official_rounding=True).load(CPU)(images, PROMPTS)
    for answers, score in zip(plain, rounded, strict=True):
        product = 1.0
        for probability in answers.probabilities:
            product *= float(f"{probability:.4f}")
        assert score == float(f"{product:.4f}")
    assert Answers(("a?", "b?"), (0.00004, 0.9)).score(official_rounding=True) == 0.0
    assert Answers(("a?", "b?"), (0.00004, 0.9)).score() == pytest.approx(0.000036)
    assert Answers((), ()).score() == 1.0


def test_another_image_size_is_another_metric(folder: Path, images: np.ndarray) -> None:
    own, large = metric(folder), metric(folder, image_size=48)
    assert own.provenance["image_size"] != large.provenance["image_size"]
    difference = own.load(CPU)(images, PROMPTS) - large.load(CPU)(images, PROMPTS)
    assert abs(difference).max() > 1e-4
    with pytest.raises(MetricError, match="multiple of 8"):
        metric(folder, image_size=42).load(CPU)


def test_sizes_are_named_apart(folder: Path, tmp_path: Path) -> None:
    """384 of the hub's, 480 of the original, and what is read at another size than its own."""
    hub = metric(Path("Salesforce/blip-vqa-capfilt-large"), revision="main")
    original = metric(tmp_path / "model_base_vqa_capfilt_large.pth")
    sizes = [each.provenance["image_size"] for each in (metric(folder), hub, original)]
    assert sizes == ["32", "384", "480"]
    large = hub.model_copy(update={"image_size": 480})
    assert large.provenance["image_size"] == "480, positions interpolated from 384"
    same = metric(folder, image_size=32)
    assert same.provenance["image_size"] == "32"


def test_only_the_original_at_480_stands_beside_published_figures(tmp_path: Path) -> None:
    file = tmp_path / "model_base_vqa_capfilt_large.pth"
    assert metric(file).published == "blip_vqa"
    assert metric(file, image_size=480).published == "blip_vqa"
    hub = metric(Path("Salesforce/blip-vqa-base"), revision="main")
    others = [
        metric(file, parser="miniature"),
        metric(file, image_size=384),
        hub,
        hub.model_copy(update={"image_size": 480}),
    ]
    assert [other.published for other in others] == [None] * 4


def test_a_hub_network_of_another_size_is_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What its provenance says before it is read must be true of what is read."""
    commit = "697403c78157020a1ae59d23f111aa58ced35b0a"
    snapshot = tmp_path / "models--someone--blip" / "snapshots" / commit
    shutil.copytree(folder, snapshot)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(MetricError, match=r"someone/blip: is for 32 pixels, not 384 .*folder"):
        metric(Path("someone/blip"), revision=commit).load(CPU)


@pytest.mark.parametrize(("vocabulary", "eps"), [(30524, 1e-6), (30000, 1e-5)])
def test_norms_are_those_of_the_original(tmp_path: Path, vocabulary: int, eps: float) -> None:
    """The hub's configuration says 1e-5 of Salesforce's ViT; of another network it is right."""
    build(config(vocabulary)).save_pretrained(tmp_path)
    BertTokenizer(vocab={w: i for i, w in enumerate(WORDS)}).save_pretrained(tmp_path)
    scorer = metric(tmp_path).load(CPU)
    norms = [m for m in scorer._model.vision_model.modules() if isinstance(m, torch.nn.LayerNorm)]
    assert {norm.eps for norm in norms} == {eps} and len(norms) == 5


def test_identifiers_of_the_official_vocabulary(tmp_path: Path) -> None:
    """A tokenizer of BERT's 30522 words has neither mark; the network has room for both."""
    words = {f"w{i}": i for i in range(30522)}
    marks = {"[PAD]": 0, "[UNK]": 100, "[CLS]": 101, "[SEP]": 102, "[MASK]": 103}
    for word, number in {**marks, "yes": 2748, "no": 2053}.items():
        words.pop(f"w{number}")
        words[word] = number
    BertTokenizer(vocab=words).save_pretrained(tmp_path)
    build(config(30524, bos_token_id=30522)).save_pretrained(tmp_path)
    scorer = metric(tmp_path).load(CPU)
    assert (scorer._yes, scorer._no, scorer._mark) == (2748, 2053, 30523)


def test_tokenizers_that_are_not_blips(tmp_path: Path) -> None:
    build().save_pretrained(tmp_path)
    silent = [word for word in WORDS if word != "yes"]
    BertTokenizer(vocab={w: i for i, w in enumerate(silent)}).save_pretrained(tmp_path)
    with pytest.raises(MetricError, match="no word 'yes'"):
        metric(tmp_path).load(CPU)
    long = [*WORDS, "more"]
    BertTokenizer(vocab={w: i for i, w in enumerate(long)}).save_pretrained(tmp_path)
    with pytest.raises(MetricError, match="more words than the network"):
        metric(tmp_path).load(CPU)


def test_missing_and_truncated_weights(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(MetricError, match="nowhere: the BLIP model is not there"):
        metric(tmp_path / "nowhere").load(CPU)
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(MetricError, match="cannot be read"):
        metric(tmp_path).load(CPU)


def original_name(name: str) -> str:
    """What BLIP's own code calls a weight, written from its `vit.py` the other way round."""
    if not name.startswith("vision_model."):
        return name
    bare = name.removeprefix("vision_model.")
    fixed = {
        "embeddings.class_embedding": "cls_token",
        "embeddings.position_embedding": "pos_embed",
        "embeddings.patch_embedding.weight": "patch_embed.proj.weight",
        "embeddings.patch_embedding.bias": "patch_embed.proj.bias",
        "post_layernorm.weight": "norm.weight",
        "post_layernorm.bias": "norm.bias",
    }
    if bare in fixed:
        return f"visual_encoder.{fixed[bare]}"
    _, _, layer, *rest = bare.split(".")
    part = ".".join(rest).replace("self_attn.projection", "attn.proj")
    part = part.replace("self_attn", "attn").replace("layer_norm", "norm")
    return f"visual_encoder.blocks.{layer}.{part}"


def test_the_original_checkpoint_is_renamed_to_the_same_network(
    folder: Path, images: np.ndarray, tmp_path: Path
) -> None:
    model = build()
    state = {original_name(name): tensor for name, tensor in model.state_dict().items()}
    assert "visual_encoder.blocks.1.attn.qkv.weight" in state
    assert "visual_encoder.blocks.0.mlp.fc1.bias" in state
    state["text_encoder.embeddings.position_ids"] = torch.arange(40)[None]
    assert set(renamed(state)) == set(model.state_dict())
    torch.save({"model": state}, tmp_path / "model_base_vqa.pth")
    loaded = load_original(tmp_path / "model_base_vqa.pth", config())
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name


def test_the_original_is_for_480_pixels() -> None:
    official = official_config()
    assert official.vision_config.image_size == 480 and official.vision_config.patch_size == 16
    assert official.vision_config.layer_norm_eps == 1e-6
    assert official.text_config.vocab_size == 30524 and official.text_config.bos_token_id == 30522
