"""What every answer of the server has in common, and what it says when it refuses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from mitune.survey import pages

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; img-src 'self' data:; style-src 'self'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    ),
    "Referrer-Policy": "no-referrer",  # an address holds the survey's secret
    "X-Content-Type-Options": "nosniff",
}


async def guarded(
    request: Request, call_next: Callable[[Request], Awaitable[Response]]
) -> Response:
    """No form from another site; every answer with headers that keep a page to itself."""
    if request.method == "POST" and request.headers.get("sec-fetch-site") == "cross-site":
        response: Response = pages.refusal(403)
    else:
        response = await call_next(request)
    response.headers.update(_HEADERS)
    response.headers.setdefault("Cache-Control", "no-store")  # going back shows what is stored
    return response


async def refused(request: Request, error: Exception) -> Response:
    """Why not, as a page."""
    assert isinstance(error, HTTPException)
    return pages.refusal(error.status_code, error.headers)


async def busy(request: Request, error: Exception) -> Response:
    """The file of answers is held by another, or the disk is full: nothing was stored."""
    return pages.refusal(503, {"Retry-After": "10"})


async def style(request: Request) -> Response:
    """The style sheet, from here like everything else."""
    return Response(pages.style(), media_type="text/css")
