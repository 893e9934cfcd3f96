"""The survey as a web application: plain HTML forms, no script, no cookie, nothing from elsewhere.

What a browser sends is only ever a position on a page that this server made: pictures are asked
for by the hash of their content, a survey by 128 random bits that serve as its secret and that are
not stored.
"""

from __future__ import annotations

import hmac
import sqlite3
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

import numpy as np
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from mitune.survey import guard, pages
from mitune.survey.limits import Bucket, Buckets, read_form
from mitune.survey.navigation import (
    NONE,
    address,
    elapsed,
    first_open,
    new_secret,
    now,
    problem_with,
    survey_of,
    ticked,
)
from mitune.survey.row import Row
from mitune.survey.storage import Answers
from mitune.survey.study import Study

_WELCOME_PROBLEMS = {
    "code": "That is not the access code.",
    "group": "Please say which group you belong to.",
}
_MOST_BYTES = 2**30  # of the file of answers


def create_app(study: Study, answers: Answers, code: str = "") -> Starlette:
    """The application; `code`, if given, is asked for at the start of a survey."""
    survey = _Survey(study, answers, code)
    return Starlette(
        routes=[
            Route("/", survey.welcome, methods=["GET"]),
            Route("/", survey.start, methods=["POST"]),
            Route("/survey/{secret}", survey.resume, methods=["GET"]),
            Route("/survey/{secret}/done", survey.done, methods=["GET"]),
            Route("/survey/{secret}/{question}", survey.show, methods=["GET"]),
            Route("/survey/{secret}/{question}", survey.answer, methods=["POST"]),
            Route("/picture/{picture}", survey.picture, methods=["GET"]),
            Route("/style.css", guard.style, methods=["GET"]),
        ],
        middleware=[Middleware(BaseHTTPMiddleware, dispatch=guard.guarded)],
        exception_handlers={HTTPException: guard.refused, sqlite3.OperationalError: guard.busy},
    )


class _Survey:
    """The handlers, over what they share."""

    def __init__(self, study: Study, answers: Answers, code: str) -> None:
        self._study, self._answers, self._code = study, answers, code
        self._starts = Bucket(rate=5, burst=500)
        self._given = Buckets(rate=2, burst=40)

    async def welcome(self, request: Request) -> Response:
        return pages.page(
            "welcome.html",
            problem=_WELCOME_PROBLEMS.get(request.query_params.get("problem", ""), ""),
            groups=self._study.groups,
            consent=self._study.consent,
            code=bool(self._code),
        )

    async def start(self, request: Request) -> Response:
        if not self._starts.take():
            raise HTTPException(429, headers={"Retry-After": "60"})
        form = await read_form(request)
        code = form.get("code", [""])[0]
        if not hmac.compare_digest(code.encode(), self._code.encode()):
            return RedirectResponse("/?problem=code", 303)
        group = form.get("group", [""])[0]
        if self._study.groups and not group:
            return RedirectResponse("/?problem=group", 303)
        if group not in (self._study.groups or ("",)):
            raise HTTPException(400)
        if self._answers.path.stat().st_size > _MOST_BYTES:
            raise HTTPException(507)
        secret = new_secret()
        rows = self._study.draw(survey_of(secret), group or "all", np.random.default_rng())
        await run_in_threadpool(self._answers.add, rows)
        return RedirectResponse(address(secret, 1), 303)

    async def resume(self, request: Request) -> Response:
        questions = await self._questions(request)
        waiting = first_open(questions)
        return RedirectResponse(address(_secret(request), waiting), 303)

    async def show(self, request: Request) -> Response:
        questions = await self._questions(request)
        number, waiting = _number(request, questions), first_open(questions)
        if waiting is not None and number > waiting:
            return RedirectResponse(address(_secret(request), waiting), 303)
        rows = questions[number]
        selected, problem = ticked(rows), ""
        if rows[0].selected is None and "sent" in request.query_params:
            selected = set(request.query_params.getlist("picture"))
            problem = problem_with(selected)
        return pages.page(
            "question.html",
            problem=problem,
            number=number,
            total=len(questions),
            prompt=rows[0].prompt,
            pictures={str(row.position): row.picture for row in rows},
            tiny=self._study.tiny,
            selected=selected,
            shown=now(),
        )

    async def answer(self, request: Request) -> Response:
        questions = await self._questions(request)
        number, waiting = _number(request, questions), first_open(questions)
        if waiting is not None and number > waiting:
            raise HTTPException(404)
        rows = questions[number]
        if not self._given.take(rows[0].survey):
            raise HTTPException(429, headers={"Retry-After": "5"})
        form = await read_form(request)
        back = form.get("go") == ["back"]
        given = set(form.get("picture", ()))
        if not given <= {NONE, *(str(row.position) for row in rows)}:
            raise HTTPException(400)
        if problem_with(given) and not (back and not given):
            # Shown by an address of its own: a page that answers a form cannot be gone back to.
            sent = urlencode([("sent", 1), *(("picture", value) for value in sorted(given))])
            return RedirectResponse(f"{address(_secret(request), number)}?{sent}", 303)
        if given:
            positions = {int(value) for value in given - {NONE}}
            await run_in_threadpool(
                self._answers.answer, rows[0].survey, number, positions, elapsed(form)
            )
        following = max(number - 1, 1) if back else number + 1
        return RedirectResponse(
            address(_secret(request), following if following in questions else None), 303
        )

    async def done(self, request: Request) -> Response:
        questions = await self._questions(request)
        waiting = first_open(questions)
        if waiting is not None:
            return RedirectResponse(address(_secret(request), waiting), 303)
        return pages.page("done.html", last=address(_secret(request), len(questions)))

    async def picture(self, request: Request) -> Response:
        png = self._study.pictures.get(request.path_params["picture"])
        if png is None:
            raise HTTPException(404)
        lasting = {"Cache-Control": "private, max-age=86400, immutable"}
        return Response(png, media_type="image/png", headers=lasting)

    async def _questions(self, request: Request) -> dict[int, list[Row]]:
        """Rows by question. Raises HTTPException: 404 for no survey of this study, 410 if its
        pictures have been replaced.
        """
        rows = await run_in_threadpool(self._answers.survey, survey_of(_secret(request)))
        if not rows or (rows[0].study, rows[0].campaign) != (
            self._study.kind,
            self._study.campaign,
        ):
            raise HTTPException(404)
        if not {row.picture for row in rows} <= self._study.pictures.keys():
            raise HTTPException(410)
        by_question: dict[int, list[Row]] = {}
        for row in rows:
            by_question.setdefault(row.question, []).append(row)
        return by_question


def _secret(request: Request) -> str:
    """What opens a survey."""
    return str(request.path_params["secret"])


def _number(request: Request, questions: Mapping[int, Sequence[Row]]) -> int:
    """The question that an address names; raises HTTPException (404) if there is none."""
    for number in questions:
        if request.path_params["question"] == str(number):
            return number
    raise HTTPException(404)
