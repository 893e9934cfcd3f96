"""HTML of the survey. Everything that is put into a page is text: prompts may hold any markup."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

_REFUSALS = {
    400: "That answer does not belong to this page.",
    403: "This form came from another site.",
    404: "There is nothing at this address.",
    405: "This address cannot be used so.",
    408: "Your answer took too long to arrive.",
    410: "The pictures of this survey have been replaced. Please start a new one.",
    413: "That is too much.",
    415: "That is no form.",
    429: "Too many at once. Please wait a moment and try again.",
    503: "The answer could not be stored. Please go back and send it again in a moment.",
    507: "This survey takes no more answers.",
}


@cache
def _environment() -> Environment:
    loader = PackageLoader("mitune.survey")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)


def page(template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page of `templates/`."""
    return HTMLResponse(_environment().get_template(template).render(values), status)


def refusal(status: int, headers: Mapping[str, str] | None = None) -> HTMLResponse:
    """A page that says why not, in words."""
    response = page("refusal.html", status, reason=_REFUSALS.get(status, "That did not work."))
    response.headers.update(headers or {})
    return response


@cache
def style() -> str:
    """The style sheet."""
    return files("mitune.survey").joinpath("templates/style.css").read_text(encoding="utf-8")
