"""What answers where phpMyAdmin should, and is none, or will not let in: one sentence each. The real one is on the servers' floor."""

from __future__ import annotations

from urllib.parse import parse_qs

import httpx2
import pytest

from migrator.engine.contract import Login
from migrator.errors import Dropped, EndpointRefused, MigratorError, Misbehaved, NotFound, Refused
from migrator.forms.adapters.phpmyadmin import Options, PhpMyAdminReader, PhpMyAdminWriter
from migrator.forms.model import EVERYTHING, Column, Extract, Paging, Table

LOGIN = Login("database", "database")
URL = "https://old.example.net/pma"
LOGIN_PAGE = (
    '<form action="index.php?route=/"><input name="pma_username"><input name="token" value="t&amp;1">'
    '<input name="set_session" value="s1"><link href="x.css?v=5.2.1"></form>'
)
INSIDE = '<script>CommonParams.setAll({token:"t2",server:"1"});</script>'
TABLE = Table("t", (Column("id", "int(11)", nullable=False),), Paging.KEY, ("id",))


def csv(text: str) -> httpx2.Response:
    return httpx2.Response(200, text=text, headers={"content-disposition": "attachment"})


class Pages:
    """A phpMyAdmin of a few answers: `pages` maps the start of method and path (with the query) to what is answered; the rest is a login page
    that lets in, and a database that answers what it is told to.
    """

    def __init__(self, pages=None, answers=None) -> None:
        self.pages = pages or {}
        self.answers = answers or {}
        self.asked: list[tuple[str, dict[str, list[str]]]] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        line = f"{request.method} {request.url.raw_path.decode()}"
        form = parse_qs(request.content.decode(errors="replace"))
        self.asked.append((line, form))
        for start, answer in self.pages.items():
            if line.startswith(start):
                return answer if isinstance(answer, httpx2.Response) else httpx2.Response(200, text=answer)
        statement = form.get("sql_query", [""])[0]
        if statement:
            found = next((answer for start, answer in self.answers.items() if start in statement), None)
            if statement.startswith("SELECT VERSION()"):
                return csv('"10.11.4-MariaDB",,"acme_wp"\n')
            return found if isinstance(found, httpx2.Response) else csv(found or "")
        if line == "POST /pma/index.php?route=%2F":
            return httpx2.Response(302, headers={"location": "/pma/index.php?route=/&route=%2F"})
        return httpx2.Response(200, text=INSIDE if "route=/&" in line else LOGIN_PAGE)


def reader(pages: Pages, kind=PhpMyAdminReader, **options):
    said = {
        "url": URL,
        "database": "acme_wp",
        **({"user": "acme", "password": "pw-secret"} if "session" not in options else {}),
        **options,
    }
    return kind(Options(**said), LOGIN, transport=httpx2.MockTransport(pages))


def test_the_login_sends_what_its_page_asked_for():
    pages = Pages(answers={"COUNT(*)": '"7"\n'})
    assert reader(pages).count(Extract(TABLE)) == 7
    _, form = next(one for one in pages.asked if "pma_username" in one[1])
    assert (form["token"], form["set_session"], form["pma_password"]) == (["t&1"], ["s1"], ["pw-secret"])
    _, asked = pages.asked[-1]
    assert (asked["token"], asked["db"], asked["what"]) == (["t2"], ["acme_wp"], ["csv"])


@pytest.mark.parametrize(
    ("pages", "said"),
    [
        (
            {"POST /pma/index.php?route=%2F": LOGIN_PAGE + "#1045 - Access denied for user"},
            "refused the user or the password",
        ),
        (
            {"POST /pma/index.php?route=%2F": LOGIN_PAGE + "#2002 - no socket"},
            r"let nobody in \(the database said #2002\)",
        ),
        ({"POST /pma/index.php?route=%2F": INSIDE + '<input name="2fa_code">'}, "asks acme for a second factor"),
        ({"GET /pma/index.php": LOGIN_PAGE + '<div class="g-recaptcha">'}, "captcha"),
        ({"GET /pma/index.php": LOGIN_PAGE.replace("v=5.2.1", "v=4.9.5")}, r"older than 5\.0"),
        ({"GET /pma/index.php": "<html>Welcome to nginx</html>"}, r"\(status 200\) is not phpMyAdmin"),
        ({"GET /pma/index.php": httpx2.Response(404, text="nothing")}, r"\(status 404\) is not phpMyAdmin"),
        (
            {"GET /pma/index.php": httpx2.Response(302, headers={"location": "https://evil.example.org/"})},
            "no password goes there",
        ),
    ],
)
def test_who_is_not_let_in_is_told_why_in_one_sentence(pages, said):
    asked = Pages(pages)
    with pytest.raises(EndpointRefused, match=said) as told:
        reader(asked).tables()
    assert "pw-secret" not in told.value.sentence()
    assert told.value.remedy
    assert len([1 for _, form in asked.asked if "pma_password" in form]) <= 1, "a refused login is not tried again"


def test_a_signed_in_url_of_a_panel_leads_to_where_phpmyadmin_is():
    signed = "https://old.example.net:2083/cpsess123/login/?session=abc"
    there = "/cpsess123/3rdparty/phpMyAdmin/index.php"
    pages = Pages(
        {
            "GET /cpsess123/login/?session=abc": httpx2.Response(302, headers={"location": there}),
            f"GET {there}": INSIDE,
        },
        {"COUNT(*)": '"7"\n'},
    )
    assert reader(pages, url="https://old.example.net:2083", session=signed).count(Extract(TABLE)) == 7
    assert pages.asked[-1][0] == f"POST {there}?route=%2Fexport"


def test_a_signed_in_url_that_is_over_is_told():
    pages = Pages({"GET /cpsess123/": LOGIN_PAGE})
    with pytest.raises(EndpointRefused, match="not signed in any more"):
        reader(pages, session="https://old.example.net/cpsess123/x").tables()
    with pytest.raises(EndpointRefused, match="another host"):
        reader(pages, session="https://evil.example.org/cpsess123/x").tables()


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (httpx2.Response(200, text=LOGIN_PAGE), Dropped, "ended the session"),
        (httpx2.Response(403, text="token mismatch"), Dropped, "ended the session"),
        (httpx2.Response(500, text=""), Misbehaved, "its time or its memory was up"),
        (httpx2.Response(200, text="<html>maintenance</html>"), Misbehaved, "a page instead of what was asked"),
        (
            csv("<div class='alert alert-danger'>#1146 - Table 'said by somebody' doesn&#039;t exist"),
            NotFound,
            r"no such table \(#1146\)",
        ),
        (
            csv('"1"\n<div class="alert alert-danger">#1142 - SELECT command denied to'),
            EndpointRefused,
            "may not do that",
        ),
    ],
)
def test_an_answer_that_is_no_data_is_told_for_what_it_is(answer, error, said):
    with pytest.raises(error, match=said) as told:
        reader(Pages(answers={"COUNT(*)": answer})).count(Extract(TABLE))
    assert "somebody" not in told.value.sentence()


def test_a_count_that_never_comes_is_no_count_of_nothing():
    with pytest.raises(MigratorError, match="time is up"):
        reader(Pages(answers={"COUNT(*)": ""})).checksum(Extract(TABLE), EVERYTHING)


def test_an_import_that_failed_says_what_the_database_refused_and_no_value():
    failed = '{"success":false,"error":"<div>#1062 - Duplicate entry &#039;secret words&#039; for key"}'
    pages = Pages({"POST /pma/index.php?route=%2Fimport": failed})
    writer = reader(pages, PhpMyAdminWriter)
    with pytest.raises(Refused, match=r"a key is taken already \(#1062\)") as told:
        writer.load(Extract(TABLE), EVERYTHING, [("1",)], None)
    assert "secret words" not in told.value.sentence()


def test_a_session_that_reads_sends_nothing_but_selects():
    pages = Pages(answers={"COUNT(*)": '"0","0"\n'})
    with pytest.raises(RuntimeError, match="only be read"):
        reader(pages)._pages.import_("DROP TABLE t;", "t")
    assert not [line for line, _ in pages.asked if "import" in line and line.startswith("POST")]


@pytest.mark.parametrize(
    ("options", "said"),
    [({"user": "a"}, "both"), ({"user": "a", "password": "b", "session": "c"}, "instead"), ({}, "needed")],
)
def test_a_plan_says_who_logs_in_in_one_way(options, said):
    with pytest.raises(ValueError, match=said):
        Options(url=URL, database="acme_wp", **options)
