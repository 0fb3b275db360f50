"""Whatever a server sends in place of Mailman's pages is read without an error that is not ours."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from migrator.errors import MigratorError, Misbehaved
from migrator.lists.mailman2 import settings as pages_of
from migrator.lists.mailman2.pages import Page, reasons_among
from migrator.lists.mailman2.spelling import charset_of, decoded
from migrator.testing.mailman2.lists import PAGES, MailingList
from migrator.testing.mailman2.pages import Pages
from migrator.testing.mailman2.people import populate


def everything_of(page: bytes) -> None:
    """Ask a page all there is to ask."""
    read = Page(decoded(page, charset_of("text/html", page)))
    read.roster()
    read.listed()
    read.lists()
    read.addresses("news")
    read.complaints()
    read.headlines()
    assert isinstance(read.token, str)
    form = read.form()
    told = pages_of.told_by(dict.fromkeys(pages_of.PAGES, form))
    pages_of.as_kept(told)
    for name in pages_of.PAGES:
        pages_of.wanted_of(name, told, form)


def sample(size: int = 40) -> bytes:
    one = MailingList("news")
    populate(one, size, ("de",))
    members = list(one.members.values())
    pages = Pages(one, "/mailman", "us-ascii", ("en", "de"), python3=False)
    return pages.roster(
        "token", members, everyone=members, letter="p", chunk=0, chunks=[members[:20], members[20:]], letters="op",
        finding="", legend=True, notes=(),
    )  # fmt: skip


def settings_sample(page: str) -> bytes:
    one = MailingList("news")
    pages = Pages(one, "/mailman", "us-ascii", ("en", "de"), python3=False)
    return pages.settings("token", page, PAGES[page], pages.rules() + pages.topics(), (), open_allowed=False)


ROSTER = sample()
FORMS = [settings_sample(page) for page in PAGES]


@given(st.binary(max_size=300))
@example(b"<![")
@example(b"<![foo bar[<td colspan=11>")
@example(b"<!DOCTYPE [ <!x")
@example(b"&#99999999999; &#x110000; <input name=user value='&#0;'>")
def test_any_bytes(page: bytes) -> None:
    with suppress(MigratorError):
        everything_of(page)


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_a_page_in_which_something_is_another(data: st.DataObject) -> None:
    whole = data.draw(st.sampled_from([ROSTER[:9000], *FORMS]))
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, min(start + 60, len(whole))))
    with suppress(MigratorError):
        everything_of(whole[:start] + data.draw(st.binary(max_size=20)) + whole[end:])


@pytest.mark.parametrize("name", ["7", "-1", "x", "", "9" * 5000])
def test_a_choice_that_only_this_server_has_is_not_told(name: str) -> None:
    fields = "".join(
        f'<input type=radio name="{one.name}" value="{name}" checked>' for page in PAGES.values() for one in page
    )
    everything_of(f"<html><form>{fields}</form></html>".encode())


def test_a_number_of_five_thousand_digits_is_no_total() -> None:
    read = Page(f'<td colspan="11">{"9" * 5000}</td><a href="?chunk={"9" * 5000}">x</a></html>').roster()
    assert (read.total, read.chunks) == (None, ())


def test_a_hundred_thousand_tags_in_one_another_are_read() -> None:
    everything_of(b"<html>" + b"<ul><li>" * 50_000 + b"<form><input name=user value=a>")


def test_a_page_that_cannot_be_read_is_told() -> None:
    with pytest.raises(Misbehaved, match="no HTML"):
        Page("<![foo bar[ baz>")


def test_why_an_entry_was_refused_stands_behind_its_address() -> None:
    said = ["bo@example.com -- Already a member", "x -- y <ann@example.com> -- Banned -- address", "nothing"]
    assert reasons_among(said, "Ann@example.com") == "address"
    assert reasons_among(said, "bo@example.com") == "Already a member"
    assert reasons_among(said, "cy@example.com") == ""
