"""In a real browser, by keyboard alone: a whole survey, going back, reloading, two at once."""

from collections.abc import Iterator

import numpy as np
import pytest

from mitune.survey.navigation import survey_of
from mitune.survey.storage import Answers
from tests.survey.conftest import a_study, serving

pytest.importorskip("websockets")

from tests.survey.browser import CHROMIUM, Browser, Page, chromium

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


def begin(page: Page, port: int) -> str:
    """Choose a group and start; the address of the survey."""
    page.open(f"http://127.0.0.1:{port}/")
    page.tab_to("input[name=group]")
    page.press(" ", "Enter")
    page.shows("Question 1 of 4")
    return page.run("location.pathname").rpartition("/")[0]


def tick(page: Page, *values: str) -> None:
    for value in values:
        page.run("document.activeElement.blur()")
        page.tab_to(f"input[value='{value}']")
        page.press(" ")


def go(page: Page, button: str, title: str) -> None:
    page.tab_to(f"button[value={button}]")
    page.press("Enter")
    page.shows(title)


def ticked(page: Page) -> list[str]:
    return page.run("[...document.querySelectorAll('input:checked')].map(i => i.value)")


def selected(answers: Answers, address: str) -> list[list[int]]:
    """Positions by question, of those answered."""
    found: dict[int, list[int]] = {}
    for row in answers.survey(survey_of(address.removeprefix("/survey/"))):
        if row.selected is not None:
            found.setdefault(row.question, []).extend([row.position] * row.selected)
    return list(found.values())


def test_a_whole_survey_by_keyboard(browser: Browser, answers: Answers) -> None:
    with serving(a_study(groups=("all",)), answers) as port, browser.page() as page:
        at = begin(page, port)
        assert ticked(page) == []  # nothing is preselected
        tick(page, "2")
        page.press("Enter")  # from a picture goes on, not back
        page.shows("Question 2 of 4")
        tick(page, "1", "3")
        page.reload()
        assert ticked(page) == []  # not sent, not stored
        go(page, "back", "Question 1 of 4")
        assert ticked(page) == ["2"]
        go(page, "next", "Question 2 of 4")
        go(page, "next", "Error: Question 2 of 4")
        tick(page, "1", "3")
        go(page, "next", "Question 3 of 4")
        page.run(
            "history.back()"
        )  # the browser's own button, to a page that had said what is wrong
        page.shows("Error: Question 2 of 4")
        assert ticked(page) == ["1", "3"]
        go(page, "next", "Question 3 of 4")
        tick(page, "none")
        go(page, "next", "Question 4 of 4")
        page.run("history.back()")
        page.shows("Question 3 of 4")
        assert ticked(page) == ["none"]
        go(page, "next", "Question 4 of 4")
        page.open(f"http://127.0.0.1:{port}{at}")  # closed, and come back to
        page.shows("Question 4 of 4")
        tick(page, "3")
        go(page, "next", "Thank you")
        assert selected(answers, at) == [[2], [1, 3], [], [3]]
        assert page.complaints == []
        assert {url.split("/")[2] for url in page.requested} == {f"127.0.0.1:{port}"}


def test_two_respondents_interleaved(browser: Browser, answers: Answers) -> None:
    study = a_study(groups=("all",))
    with serving(study, answers) as port, browser.page() as one, browser.page() as two:
        first, second = begin(one, port), begin(two, port)
        for number in range(1, 5):
            title = f"Question {number + 1} of 4" if number < 4 else "Thank you"
            tick(one, "1")
            tick(two, "2")
            go(one, "next", title)
            go(two, "next", title)
        assert selected(answers, first) == [[1]] * 4
        assert selected(answers, second) == [[2]] * 4


def test_on_a_phone_and_for_a_screen_reader(browser: Browser, answers: Answers) -> None:
    """Nothing is wider than the screen, everything is large enough to touch and has a name."""
    long = ["an unbrokenword" + "x" * 80, "a text\nof two lines <b>with markup</b>"]
    study = a_study(long, count=1, groups=("all",))
    with serving(study, answers) as port, browser.page() as page:
        page.size(360, 640, phone=True)
        page.open(f"http://127.0.0.1:{port}/")
        page.tab_to("input[name=group]")
        page.press(" ", "Enter")
        page.shows("Question 1 of 2")
        assert page.run("document.documentElement.scrollWidth") <= 360
        sizes = page.run(
            "[...document.querySelectorAll('label.picture, label.line, button')]"
            ".map(e => e.getBoundingClientRect()).map(b => [b.width, b.height])"
        )
        assert np.min(sizes) >= 40
        named = page.names()
        boxes = sorted(name.strip() for role, name in named if role == "checkbox")
        assert boxes == ["None of them", "Picture 1", "Picture 2", "Picture 3"]
        assert any(role == "group" and name.startswith("Which pictures") for role, name in named)
        assert ("progressbar", "Question 1 of 2") in [(r, n.strip()) for r, n in named]
