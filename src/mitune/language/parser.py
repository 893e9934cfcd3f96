"""Who reads prompts: word lists of this package, or spaCy's English model, as published."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal, TypeAlias

from mitune.errors import UserError

_MODEL = "en_core_web_sm"

ParserName: TypeAlias = Literal["built_in", "spacy"]


def open_parser(field: str) -> Any:
    """English model of spaCy, text in and tagged document out; `field` is what asks for it.

    Raises
    ------
    UserError
        If spaCy or its English model is not installed.
    """
    try:
        import spacy  # noqa: PLC0415

        return spacy.load(_MODEL)
    except ImportError:
        raise UserError(
            f"{field}: spacy is not installed; `pip install 'mitune[spacy]'`, "
            f"`python -m spacy download {_MODEL}`, or set {field}: built_in"
        ) from None
    except OSError:
        raise UserError(
            f"{field}: spaCy's model {_MODEL} is not installed; "
            f"`python -m spacy download {_MODEL}`, or set {field}: built_in"
        ) from None


def parser_version(name: str) -> str:
    """The name; of `spacy` the versions of it and its model: with them phrases and tags change."""
    if name != "spacy":
        return name
    return ", ".join(f"{package} {_version(package)}" for package in ("spacy", _MODEL))


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
