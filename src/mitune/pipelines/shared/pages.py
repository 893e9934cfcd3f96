"""Pages of results: self-contained HTML, from the templates of the stage that writes one."""

from __future__ import annotations

import base64

from jinja2 import Environment, PackageLoader, StrictUndefined


def pages_of(package: str) -> Environment:
    """Templates of a package. Texts are escaped, and a name that is not given is an error."""
    return Environment(loader=PackageLoader(package), autoescape=True, undefined=StrictUndefined)


def embedded(png: bytes) -> str:
    """A picture as a page holds it."""
    return base64.b64encode(png).decode()
