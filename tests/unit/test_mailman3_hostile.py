"""Mailman 3's adapter with cores that are odd, broken, old or none at all: each answer as it would be on the wire."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from pydantic import ValidationError

from migrator.engine.contract import Login
from migrator.errors import Dropped, EndpointRefused, MigratorError, Misbehaved, NotFound, Refused, Unavailable
from migrator.lists.adapters import mailman3
from migrator.lists.contract import THE_LISTS, ListWriter
from migrator.lists.model import Member, Role, Settings
from migrator.testing.front import Front
from migrator.testing.panels.server import Answer, Request

LOGIN = Login(THE_LISTS, THE_LISTS)
LIST = "news@example.com"
JSON = "application/json"


def said(told: object, status: int = 200, **headers: str) -> Answer:
    return Answer(json.dumps(told).encode(), status, JSON, headers)


def refusal(words: str, status: int = 400) -> Answer:
    return said({"title": f"{status}", "description": words}, status)


def row(name: str, **more: object) -> dict[str, object]:
    return {"email": f"{name}@example.com", "member_id": name, "role": "member", "display_name": name, **more}


def page(*rows: dict[str, object], total: int | None = None) -> Answer:
    return said({"start": 0, "total_size": len(rows) if total is None else total, "entries": list(rows)})


@pytest.fixture
def core() -> Iterator[Front]:
    """A core with one list, on which nobody is."""
    with Front() as front:
        front.on("GET", "/3.1/lists/news@example.com", said({"list_id": "news.example.com"}))
        front.on("GET", "/news.example.com/config", said({"preferred_language": "en"}))
        front.on("GET", "/roster/", page())
        front.on("GET", "/3.1/system/versions", said({"mailman_version": "GNU Mailman 3.3.8 (Tom Sawyer)"}))
        front.on("GET", "/3.1/system/preferences", said({"hide_address": True}))
        front.on(
            "GET",
            "/preferences",
            said(dict.fromkeys(("acknowledge_posts", "receive_list_copy", "receive_own_postings"), True)
                 | {"delivery_mode": "regular", "delivery_status": "enabled", "hide_address": False}),
        )  # fmt: skip
        yield front


@pytest.fixture
def session(core: Front) -> Iterator[ListWriter]:
    with closing(mailman3.ADAPTER.writer(mailman3.Options(url=core.url, password="pw"), LOGIN)) as opened:
        yield opened


def members(session: ListWriter) -> list[Member]:
    return [one for part in session.roster(LIST, Role.MEMBER) for one in part]


# -- who answers ------------------------------------------------------------------------------------------------------


def test_the_login_goes_along_and_nothing_is_asked_before_it_is_needed(core, session):
    assert core.requests == []
    assert members(session) == []
    assert {request.headers["authorization"] for request in core.requests} == {"Basic cmVzdGFkbWluOnB3"}


@pytest.mark.parametrize(
    ("answer", "raised", "words"),
    [
        (refusal("REST API authorization failed", 401), EndpointRefused, "does not accept the login"),
        (Answer(b"<html>Welcome</html>", 200, "text/html"), EndpointRefused, "no Mailman REST service"),
        (Answer(b"", 302, "text/plain", {"Location": "https://example.net/"}), EndpointRefused, "no Mailman REST service"),
        (Answer(b"<html>Nothing</html>", 404, "text/html"), EndpointRefused, "no Mailman REST service"),
        (Answer(b"Traceback", 500, "text/plain"), Unavailable, "Mailman failed"),
        (Answer(b"not JSON", 200, JSON), Misbehaved, "not the JSON"),
        (said(["a", "list"]), Misbehaved, "not the object"),
        (None, Dropped, "the connection broke"),
    ],
)  # fmt: skip
def test_an_answer_that_no_core_gives_is_told_in_a_sentence_with_what_to_do(core, session, answer, raised, words):
    core.on("GET", "/3.1/lists", answer)
    with pytest.raises(raised, match=words) as found:
        session.lists()
    assert "pw" not in found.value.sentence().split()


@pytest.mark.parametrize("url", ["http://127.0.0.1:8001", "http://127.0.0.1:8001/", "http://127.0.0.1:8001/3.1/"])
def test_the_plan_may_leave_the_version_away(url):
    assert mailman3.Options(url=url, password="pw").url.rstrip("/") == "http://127.0.0.1:8001/3.1"


@pytest.mark.parametrize("version", ["3.9", "3.0", "v4", "2"])
def test_another_version_of_the_api_is_told_with_what_to_write(version):
    with pytest.raises(
        ValidationError, match=rf"url ends in /{version}, and migrator speaks version 3\.1 .* leave /{version} away"
    ):
        mailman3.Options(url=f"http://127.0.0.1:8001/{version}", password="pw")


def test_something_that_is_no_core_is_told_once_with_what_to_write(core, session):
    core.on("GET", "/3.1/lists", Answer(b"not here", 404, "text/plain"))
    with pytest.raises(EndpointRefused, match="it is not the REST service of Mailman 3's core") as raised:
        session.lists()
    assert "mailman conf -s webservice" in raised.value.remedy


def test_a_core_behind_a_path_is_reached_below_it():
    assert (
        mailman3.Options(url="https://lists.example.com/api", password="pw").url == "https://lists.example.com/api/3.1"
    )


def test_a_core_elsewhere_is_not_asked_in_clear_text():
    with pytest.raises(ValidationError, match="Use https"):
        mailman3.Options(url="http://lists.example.com:8001", password="pw")


@pytest.mark.parametrize("version", ["GNU Mailman 3.3.3 (Tom Sawyer)", "GNU Mailman 3.2.2 (La Villa Strangiato)", ""])
def test_a_core_that_would_welcome_everybody_is_not_filled(core, session, version):
    core.on("GET", "/3.1/system/versions", said({"mailman_version": version}))
    for fill in (lambda: session.add(LIST, [Member("ann@example.com")]), lambda: session.create_list(LIST, "", None)):
        with pytest.raises(EndpointRefused, match="cannot be filled without writing to people"):
            fill()
    assert {request.method for request in core.requests} == {"GET"}


# -- rosters ----------------------------------------------------------------------------------------------------------


def test_a_roster_that_holds_fewer_than_it_states_is_not_believed(core, session):
    core.on("GET", "/roster/member", page(total=3))
    core.on("GET", "/roster/member", page(row("ann"), row("bob"), total=3), times=1)
    with pytest.raises(Misbehaved, match=r"news@example\.com: Mailman states 3 of the role member and tells 2"):
        members(session)


def test_a_roster_that_holds_more_than_it_states_is_not_believed(core, session):
    core.on("GET", "/roster/member", page(row("ann"), row("bob"), total=1))
    with pytest.raises(Misbehaved, match=r"states 1 .* tells 2"):
        members(session)


def test_a_roster_that_changes_while_it_is_read_is_read_again_later(core, session):
    core.on("GET", "/roster/member", page(row("bob"), total=3))
    core.on("GET", "/roster/member", page(row("ann"), total=2), times=1)
    with pytest.raises(Unavailable, match="changed while it was read"):
        members(session)


def test_somebody_who_leaves_between_the_page_and_his_options_is_not_there(core, session):
    core.on("GET", "/roster/member", page(row("ann"), row("bob")))
    core.on("GET", "/members/bob/preferences", refusal("404 Not Found", 404))
    assert [one.address for one in members(session)] == ["ann@example.com"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"role": "emperor"}, {"email": None, "role": None}, {"moderation_action": "applaud"}, {"member_id": None, "role": 7},
    ],
)  # fmt: skip
def test_a_member_that_is_told_in_other_words_is_not_guessed(core, session, wrong):
    core.on("GET", "/roster/member", page(row("ann", **wrong)))
    with pytest.raises(Misbehaved, match="not as its documents say"):
        members(session)


@pytest.mark.parametrize(
    "answer", [said({"entries": [1, 2]}), said({"entries": 7, "total_size": 1}), said({"total_size": "x"})]
)
def test_a_page_that_is_none_is_not_guessed(core, session, answer):
    core.on("GET", "/roster/member", answer)
    with pytest.raises(Misbehaved):
        members(session)


@pytest.mark.parametrize("wrong", [{"max_message_size": "large"}, {"filter_types": 5}, {"digest_size_threshold": []}])
def test_a_setting_of_another_kind_is_not_guessed(core, session, wrong):
    core.on("GET", "/bans", page())
    core.on("GET", "/header-matches", page())
    core.on("GET", "/news.example.com/config", said({"preferred_language": "en", **wrong}))
    with pytest.raises(Misbehaved, match="not as its documents say"):
        session.settings(LIST)


def test_lists_without_a_name_are_not_guessed(core, session):
    core.on("GET", "/3.1/lists", page({"member_count": 1}))
    with pytest.raises(Misbehaved, match="not as its documents say"):
        session.lists()


def test_lists_that_do_not_add_up_are_not_believed(core, session):
    core.on("GET", "/3.1/lists", page({"fqdn_listname": LIST, "member_count": 1}, total=2))
    with pytest.raises(Misbehaved, match="states 2"):
        session.lists()


# -- writing ----------------------------------------------------------------------------------------------------------


def filled(core: Front, *answers: Answer) -> list[dict[str, str]]:
    """What is sent with each new member; `answers` are given in turn, then a membership."""
    sent: list[dict[str, str]] = []
    turns = iter(answers)

    def answer(request: Request) -> Answer:
        sent.append(request.form)
        made = Answer(b"", 201, JSON, {"Location": f"http://elsewhere.example/3.1/members/m{len(sent)}"})
        return next(turns, made)

    core.on("POST", "/3.1/members", answer)
    core.on("PATCH", "/members/", Answer(b"", 204))
    core.on("DELETE", "/members/", Answer(b"", 204))
    return sent


def test_nobody_is_welcomed_or_asked_whatever_the_list_says(core, session):
    sent = filled(core)
    session.add(LIST, [Member("ann@example.com", "Ann"), Member("bob@example.com")])
    session.add(LIST, [Member("olga@example.com", role=Role.OWNER)])
    quiet = {"pre_verified": "true", "pre_confirmed": "true", "pre_approved": "true", "send_welcome_message": "false"}
    assert len(sent) == 3
    assert all(quiet.items() <= one.items() for one in sent)


def test_a_membership_that_waits_for_a_confirmation_is_not_taken_for_one(core, session):
    filled(core, said({"token": "0123", "token_owner": "subscriber"}, 202))
    with pytest.raises(Misbehaved, match="answers 202"):
        session.add(LIST, [Member("ann@example.com")])


def test_after_an_error_nobody_else_is_begun(core, session):
    sent = filled(core, *[Answer(b"", 500, "text/plain")] * 2)
    with pytest.raises(Unavailable):
        session.add(LIST, [Member(f"p{n}@example.com") for n in range(50)])
    assert len(sent) <= 2 * mailman3.REQUESTS_AT_ONCE


def test_options_that_core_refuses_are_told_of_whom_they_are(core, session):
    filled(core)
    core.on("PATCH", "/members/m1/preferences", refusal("Unexpected parameters: preferred_language"))
    (put,) = session.add(LIST, [Member("ann@example.com", language="de")])
    assert not put.refused
    assert put.lacking.startswith("Mailman refuses it (Unexpected parameters: preferred_language")


def test_a_setting_that_core_takes_and_does_not_show_is_refused(core, session):
    core.on("PATCH", "/config", Answer(b"", 204))
    core.on("GET", "/news.example.com/config", said({"preferred_language": "en", "description": "Old"}))
    core.on("GET", "/bans", page())
    core.on("GET", "/header-matches", page())
    with pytest.raises(Refused, match="took description and does not show it"):
        session.configure(LIST, Settings(description="New"))


def test_who_is_taken_off_has_to_be_named_in_the_answer(core, session):
    core.on("DELETE", "/roster/member", said({"ann@example.com": True}))
    people = [Member("Ann@example.com"), Member("bob@example.com")]
    assert [put.refused for put in session.remove(LIST, people[:1])] == [""]
    with pytest.raises(Misbehaved, match=r"bob@example\.com"):
        session.remove(LIST, people)


def test_a_list_that_goes_away_meanwhile_is_not_found(core, session):
    filled(core, refusal("No such list"))
    with pytest.raises(NotFound):
        session.add(LIST, [Member("ann@example.com")])


def test_no_sentence_holds_the_password(core):
    secret = "a-very-secret-word"
    core.on("GET", "/3.1/lists", refusal("REST API authorization failed", 401))
    options = mailman3.Options(url=core.url, password=secret)
    with closing(mailman3.ADAPTER.reader(options, LOGIN)) as reader, pytest.raises(MigratorError) as raised:
        reader.lists()
    shown: Any = raised.value
    assert secret not in f"{shown.sentence()} {shown!r} {shown.__cause__!r}"


@pytest.mark.parametrize(
    ("connections", "lists", "of_one"), [(1, 1, 1), (3, 1, 3), (4, 1, 4), (7, 1, 4), (8, 2, 4), (16, 4, 4)]
)
def test_no_more_requests_are_under_way_than_the_plan_allows(core, connections, lists, of_one):
    options = mailman3.Options(url=core.url, password="pw", connections=connections)
    assert mailman3.ADAPTER.connections(options) == (lists, lists)
    assert lists * of_one <= connections
    under_way, most, lock = [], [], threading.Lock()
    all_of_them = threading.Barrier(of_one, timeout=30)  # an answer waits for as many others as the plan allows

    def answer(_: Request) -> None:
        with lock:
            under_way.append(1)
            most.append(len(under_way))
        all_of_them.wait()
        time.sleep(0.02)
        with lock:
            under_way.pop()

    core.on("GET", "/preferences", lambda request: answer(request) or refusal("404 Not Found", 404))
    core.on("GET", "/roster/member", page(*(row(f"p{n}") for n in range(12))))
    with closing(mailman3.ADAPTER.reader(options, LOGIN)) as reader:
        assert [len(part) for part in reader.roster(LIST, Role.MEMBER)] == [0]
    assert max(most) == of_one


# -- what is known before ---------------------------------------------------------------------------------------------


def test_bans_of_the_whole_host_are_foreseen_and_asked_once(core, session):
    core.on(
        "GET", "/3.1/bans", page({"email": "bob@example.com"}, {"email": "^.*@spam\\.example"}, {"email": "^(broken"})
    )
    foreseen = [
        session.why_not(LIST, Member(one), ["cy@example.com"])
        for one in ("ann@example.com", "Bob@example.com", "x@SPAM.example", "cy@example.com", LIST.upper())
    ]
    assert foreseen == [
        "",
        "is banned (bob@example.com)",
        "is banned (^.*@spam\\.example)",
        "is banned (cy@example.com)",
        "is the list's own address",
    ]
    assert [one.path for one in core.requests].count("/3.1/bans") == 1


def test_a_core_that_tells_no_bans_of_the_host_has_none(core, session):
    core.on("GET", "/3.1/bans", refusal("404 Not Found", 404))
    assert session.why_not(LIST, Member("ann@example.com"), []) == ""


def test_names_of_few_are_asked_one_by_one_and_of_many_all_at_once(core, session):
    core.on("GET", "/addresses/", refusal("404 Not Found", 404))
    core.on("GET", "/addresses/ann@example.com", said({"email": "ann@example.com", "display_name": "Ann"}))
    core.on("GET", "/addresses/cy@example.com", said({"email": "cy@example.com"}))
    few = ["ann@example.com", "bob@example.com", "cy@example.com"]
    assert session.names(few) == {"ann@example.com": "Ann"}
    many = [*few, *(f"p{n}@example.com" for n in range(mailman3.FEW))]
    core.on(
        "GET",
        "/3.1/addresses",
        page({"email": "p7@example.com", "display_name": "Seven"}, {"email": "own@example.com"}),
    )
    assert session.names(many) == {"p7@example.com": "Seven"}
