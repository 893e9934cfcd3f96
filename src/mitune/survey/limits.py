"""How much a stranger may send: bytes of a form, and forms per second."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from urllib.parse import parse_qs

from starlette.exceptions import HTTPException
from starlette.requests import Request

MOST_BYTES = 4096
_MOST_FIELDS = 64
_PATIENCE = 20.0  # seconds for a form to arrive
_KEYS = 10_000


class Bucket:
    """`burst` at once, then `rate` per second: a token bucket."""

    def __init__(
        self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._level, self._then = float(burst), clock()

    def take(self) -> bool:
        """Whether there is one left; if so, take it."""
        now = self._clock()
        self._level = min(self._burst, self._level + self._rate * (now - self._then))
        self._then = now
        if self._level < 1:
            return False
        self._level -= 1
        return True


class Buckets:
    """A bucket for each name; of too many names the longest unused is forgotten."""

    def __init__(self, rate: float, burst: int) -> None:
        self._rate, self._burst = rate, burst
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def take(self, name: str) -> bool:
        """As `Bucket.take`."""
        bucket = self._buckets.pop(name, None) or Bucket(self._rate, self._burst)
        self._buckets[name] = bucket
        if len(self._buckets) > _KEYS:
            self._buckets.popitem(last=False)
        return bucket.take()


async def read_form(request: Request) -> dict[str, list[str]]:
    """Fields of a plain HTML form, each with all its values.

    Raises
    ------
    HTTPException
        400 for what is no such form, 408 if it does not arrive, 413 if it is too large, 415 if it
        is of another kind.
    """
    kind = request.headers.get("content-type", "").split(";")[0].strip()
    if kind != "application/x-www-form-urlencoded":
        raise HTTPException(415)
    try:
        body = await asyncio.wait_for(_body(request), _PATIENCE)
        return parse_qs(
            body.decode("ascii"), True, True, "utf-8", "strict", max_num_fields=_MOST_FIELDS
        )
    except asyncio.TimeoutError:
        raise HTTPException(408) from None
    except ValueError:
        raise HTTPException(400) from None


async def _body(request: Request) -> bytes:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            raise HTTPException(413)
    return body
