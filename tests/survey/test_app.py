"""The server: what it stores, what it refuses, and what it shows."""

import html
import re
import threading
from pathlib import Path

import pytest

from mitune.survey.limits import MOST_BYTES, Bucket, Buckets
from mitune.survey.navigation import survey_of
from mitune.survey.storage import Answers
from tests.survey.conftest import HOSTILE, Client, a_study, serving

NEXT, BACK = ("go", "next"), ("go", "back")


def begun(client: Client) -> str:
    """Address of a new survey, without the question."""
    reply = client.post("/")
    assert reply.status == 303
    return reply.at.rpartition("/")[0]


def stored(answers: Answers, at: str) -> dict[int, set[int] | None]:
    """Positions selected by question; None if unanswered."""
    found: dict[int, set[int] | None] = {}
    for row in answers.survey(survey_of(at.removeprefix("/survey/"))):
        found.setdefault(row.question, None if row.selected is None else set())
        if row.selected:
            found[row.question].add(row.position)
    return found


def test_a_survey_from_start_to_end(client: Client, answers: Answers) -> None:
    at = begun(client)
    for number in range(1, 5):
        page = client.get(f"{at}/{number}")
        assert page.status == 200 and page.ticked == [] and len(page.pictures) == 3
        assert f"Question {number} of 4" in page.text
        assert stored(answers, at)[number] is None
        shown = re.search(r'name="shown" value="(\d+)"', page.text).group(1)
        given = [("picture", "none")] if number == 2 else [("picture", 1), ("picture", 3)]
        reply = client.post(f"{at}/{number}", ("shown", shown), *given, NEXT)
        assert (reply.status, reply.at) == (303, f"{at}/{number + 1 if number < 4 else 'done'}")
        assert stored(answers, at)[number] == (set() if number == 2 else {1, 3})
    assert "Thank you" in client.get(f"{at}/done").text
    rows = answers.survey(survey_of(at.removeprefix("/survey/")))
    assert all(0 <= row.milliseconds < 60_000 for row in rows)


def test_going_back_shows_and_keeps_what_was_chosen(client: Client, answers: Answers) -> None:
    at = begun(client)
    client.post(f"{at}/1", ("picture", 2), NEXT)
    # With nothing ticked, back stores nothing; with a tick it stores it.
    assert client.post(f"{at}/2", BACK).at == f"{at}/1"
    assert stored(answers, at)[2] is None
    assert client.get(f"{at}/1").ticked == ["2"]
    client.post(f"{at}/1", ("picture", 2), NEXT)
    assert client.post(f"{at}/2", ("picture", "none"), BACK).at == f"{at}/1"
    assert client.get(f"{at}/2").ticked == ["none"]
    # Changed, not added.
    client.post(f"{at}/1", ("picture", 3), NEXT)
    assert stored(answers, at) == {1: {3}, 2: set(), 3: None, 4: None}
    assert "no-store" in client.get(f"{at}/1").headers["cache-control"]


def test_a_survey_goes_on_where_it_stopped(study, tmp_path: Path) -> None:
    path = tmp_path / "answers.sqlite"
    with serving(study, Answers(path)) as port:
        at = begun(Client(port))
        Client(port).post(f"{at}/1", ("picture", 1), NEXT)
        order = Client(port).get(f"{at}/2").pictures
    with serving(study, Answers(path)) as port:
        client = Client(port)
        assert client.get(at).at == f"{at}/2"
        assert client.get(f"{at}/2").pictures == order
        assert client.get(f"{at}/4").at == client.get(f"{at}/done").at == f"{at}/2"  # no skipping
        assert client.get(f"{at}/1").ticked == ["1"]


def test_two_respondents_do_not_meet(client: Client, answers: Answers) -> None:
    first, second = begun(client), begun(client)
    for number in range(1, 5):
        client.post(f"{first}/{number}", ("picture", 1), NEXT)
        client.post(f"{second}/{number}", ("picture", 2), NEXT)
    assert stored(answers, first) == {key: {1} for key in range(1, 5)}
    assert stored(answers, second) == {key: {2} for key in range(1, 5)}


def test_an_answer_is_asked_for_in_words(client: Client, answers: Answers) -> None:
    at = begun(client)
    asked = client.get(client.post(f"{at}/1", NEXT).at)
    assert 'role="alert"' in asked.text and asked.ticked == []
    both = client.post(f"{at}/1", ("picture", 2), ("picture", "none"), NEXT).at
    asked = client.get(both)
    assert 'role="alert"' in asked.text and asked.ticked == ["2", "none"]  # what was ticked is kept
    assert stored(answers, at)[1] is None
    client.post(f"{at}/1", ("picture", 3), NEXT)
    later = client.get(both)
    assert 'role="alert"' not in later.text and later.ticked == ["3"]


def test_an_address_with_markup_changes_no_page(client: Client) -> None:
    at = begun(client)
    page = client.get(f"{at}/1?sent=1&picture=%22%3E%3Cscript%3E&picture=2")
    assert page.ticked == ["2"] and "<script" not in page.text
    assert 'role="alert"' not in client.get("/?problem=%3Cscript%3E").text


@pytest.mark.parametrize("prompt", HOSTILE)
def test_a_prompt_is_text(tmp_path: Path, prompt: str) -> None:
    study = a_study([prompt], count=1)
    with serving(study, Answers(tmp_path / "a.sqlite")) as port:
        client = Client(port)
        page = client.get(client.post("/").at)
    between = re.search(r'<span class="prompt" dir="auto">(.*?)</span>', page.text, re.DOTALL)
    assert html.unescape(between.group(1)) == prompt
    assert "<script" not in page.text and "onerror=alert(1)>" not in page.text
    assert "49" not in between.group(1)


@pytest.mark.parametrize(
    "fields",
    [
        [("picture", 4)],
        [("picture", 0)],
        [("picture", -1)],
        [("picture", "round_1")],
        [("picture", "1 OR 1=1")],
        [("picture", "'); DROP TABLE answers; --")],
        [("picture", "1"), ("picture", "٣")],
        [("picture", "9" * 400)],
    ],
)
def test_a_forged_option_is_refused(client: Client, answers: Answers, fields) -> None:
    at = begun(client)
    assert client.post(f"{at}/1", *fields, NEXT).status == 400
    assert stored(answers, at)[1] is None


def test_forged_surveys_and_questions_are_refused(client: Client, answers: Answers) -> None:
    at = begun(client)
    forged = at[:-1] + ("0" if at[-1] != "0" else "1")
    for path in (
        f"{forged}/1", "/survey/%27%20OR%201=1/1", "/survey/%00/1", f"{at}/0", f"{at}/5",
        f"{at}/-1", f"{at}/1.5", f"{at}/01", f"{at}/{'9' * 6000}", f"{at}/%D9%A1",
    ):  # fmt: skip
        assert client.get(path).status == 404, path
        assert client.post(path, ("picture", 1), NEXT).status == 404, path
    assert client.post(f"{at}/3", ("picture", 1), NEXT).status == 404  # not asked yet
    assert len(answers.table()) == 12


def test_what_is_stored_opens_no_survey(client: Client, answers: Answers) -> None:
    """Tables of answers are published: the names in them must not let anyone change them."""
    at = begun(client)
    (survey,) = answers.table()["survey"].unique()
    assert survey not in at and at.rpartition("_")[2] not in answers.table().to_csv()
    assert client.get(f"/survey/{survey}/1").status == 404
    assert client.post(f"/survey/{survey}/1", ("picture", 1), NEXT).status == 404
    assert stored(answers, at)[1] is None


def test_another_study_of_the_campaign_does_not_take_its_surveys(answers: Answers) -> None:
    with serving(a_study(), answers) as port:
        at = begun(Client(port))
    with serving(a_study(["other", "prompts"]), answers) as port:
        reply = Client(port).get(f"{at}/1")
        assert reply.status == 410 and "replaced" in reply.text
        assert Client(port).post(f"{at}/1", ("picture", 1), NEXT).status == 410


@pytest.mark.parametrize(
    "path",
    [
        "/picture/../answers.sqlite", "/picture/%2e%2e%2fanswers.sqlite", "/picture//etc/passwd",
        "/picture/0", "/picture/" + "0" * 32, "/picture/..%5c..%5cetc", "/templates/base.html",
        "/answers.sqlite", "/style.css/../app.py",
    ],
)  # fmt: skip
def test_nothing_is_served_by_path(client: Client, path: str) -> None:
    assert client.get(path).status == 404


def test_a_picture_is_served_by_its_content(client: Client, study) -> None:
    at = begun(client)
    for picture in client.get(f"{at}/1").pictures:
        reply = client.get(f"/picture/{picture}")
        assert (
            reply.body == study.pictures[picture] and reply.headers["content-type"] == "image/png"
        )


def test_a_page_names_no_option_and_nothing_elsewhere(client: Client) -> None:
    at = begun(client)
    page = client.get(f"{at}/1")
    for name in ("base", "random_k", "round_1", "http://", "https://", "<script", "cookie"):
        assert name not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert page.headers["referrer-policy"] == "no-referrer"
    assert "set-cookie" not in page.headers


def test_size_of_a_form_is_bounded(client: Client, answers: Answers) -> None:
    at = begun(client)
    filler = ("shown", "1" * MOST_BYTES)
    assert client.post(f"{at}/1", filler, ("picture", 1), NEXT).status == 413
    assert client.post(f"{at}/1", *[("picture", 1)] * 65).status == 400
    sent = {"Content-Type": "application/x-www-form-urlencoded"}
    assert client.send("POST", f"{at}/1", b"\xff=\xff", sent).status == 400
    assert client.send("POST", f"{at}/1", b"picture=%ff", sent).status == 400
    assert client.send("POST", f"{at}/1", b"{}", {"Content-Type": "application/json"}).status == 415
    assert client.send("DELETE", f"{at}/1").status == 405
    assert stored(answers, at)[1] is None


def test_times_that_cannot_be_are_not_stored(client: Client, answers: Answers) -> None:
    at = begun(client)
    for shown in ("", "-5", "9" * 15, "0", "٣", "1e3"):
        client.post(f"{at}/1", ("shown", shown), ("picture", 1), NEXT)
        assert answers.survey(survey_of(at.removeprefix("/survey/")))[0].milliseconds is None


def test_groups_are_asked_for_and_a_forged_one_is_refused(answers: Answers) -> None:
    with serving(a_study(groups=("academic", "students")), answers) as port:
        client = Client(port)
        page = client.get("/")
        assert page.text.count('type="radio"') == 2 and "checked" not in page.text
        assert "Nothing about you is stored." in page.text
        assert "which group" in client.get(client.post("/").at).text
        assert client.post("/", ("group", "forged")).status == 400
        assert client.post("/", ("group", "students")).at.startswith("/survey/")
    assert set(answers.table()["group"]) == {"students"}


def test_the_access_code_is_asked_for(study, answers: Answers) -> None:
    with serving(study, answers, code="öffne") as port:
        client = Client(port)
        assert 'name="code"' in client.get("/").text
        for fields in ([], [("code", "x")]):
            assert "not the access code" in client.get(client.post("/", *fields).at).text
        assert client.post("/", ("code", "öffne")).at.startswith("/survey/")
    assert answers.table()["survey"].nunique() == 1


def test_a_form_from_another_site_is_refused(client: Client, answers: Answers) -> None:
    assert client.post("/", **{"Sec-Fetch-Site": "cross-site"}).status == 403
    assert answers.table().empty


def test_rate_of_answers_is_bounded(client: Client) -> None:
    at = begun(client)
    seen = {client.post(f"{at}/1", ("picture", 1), NEXT).status for _ in range(60)}
    assert seen == {303, 429}


def test_a_bucket_fills_at_its_rate() -> None:
    now = [0.0]
    bucket = Bucket(rate=2, burst=3, clock=lambda: now[0])
    assert [bucket.take() for _ in range(4)] == [True] * 3 + [False]
    now[0] = 1.0
    assert [bucket.take() for _ in range(3)] == [True, True, False]
    many = Buckets(rate=0, burst=1)
    assert many.take("a") and not many.take("a") and many.take("b")


def test_a_locked_file_is_said_and_nothing_is_lost(study, answers: Answers, monkeypatch) -> None:
    import sqlite3

    monkeypatch.setattr("mitune.survey.storage._PATIENCE", 0.1)
    with serving(study, answers) as port:
        client = Client(port)
        at = begun(client)
        holder = sqlite3.connect(answers.path, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        reply = client.post(f"{at}/1", ("picture", 1), NEXT)
        assert reply.status == 503 and "could not be stored" in reply.text
        holder.execute("ROLLBACK")
        holder.close()
        assert client.post(f"{at}/1", ("picture", 1), NEXT).status == 303
    assert stored(answers, at)[1] == {1}


def test_many_at_once(client: Client, answers: Answers) -> None:
    """Every one of 24 respondents, all at the same time, has exactly what they gave."""
    given: dict[str, int] = {}

    def respond(number: int) -> None:
        at = begun(client)
        position = 1 + number % 3
        for question in range(1, 5):
            assert client.post(f"{at}/{question}", ("picture", position), NEXT).status == 303
        given[at] = position

    threads = [threading.Thread(target=respond, args=(n,)) for n in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(given) == 24
    for at, position in given.items():
        assert stored(answers, at) == {key: {position} for key in range(1, 5)}
