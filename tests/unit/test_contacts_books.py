"""Where each address book goes, by names alone."""

from __future__ import annotations

import pytest

from migrator.contacts.adapters.vcards import Options
from migrator.contacts.books import plan_books, unmatched
from migrator.contacts.model import Book
from migrator.contacts.options import BookOptions

TWO = [Book("1", "Friends"), Book("2", "friends")]


def moved(books: list[Book], options: BookOptions) -> list[str]:
    return [plan.source.id for plan in plan_books(books, [], options) if plan.name]


def test_the_name_as_it_is_written_wins_over_one_with_other_capitals() -> None:
    assert moved(TWO, BookOptions(only=("friends",))) == ["2"]
    assert moved(TWO, BookOptions(except_=("friends",))) == ["1"]


def test_capitals_do_not_matter_where_no_book_has_the_very_name() -> None:
    assert moved([Book("1", "Friends")], BookOptions(only=("friends",))) == ["1"]


def test_the_book_of_the_very_name_at_the_target_wins() -> None:
    there = [Book("7", "Friends"), Book("8", "friends")]
    assert [plan.target for plan in plan_books(TWO, there, BookOptions())] == there


def test_a_name_that_no_book_has_is_told() -> None:
    options = BookOptions(only=("FRIENDS", "Freinds"), except_=("Work",), map={"W?rk": "Job", "friends": "Mates"})
    assert unmatched(TWO, options) == ["only: Freinds", "except: Work", "map: W?rk"]


@pytest.mark.parametrize(("written", "version"), [(4.0, "4.0"), (3.0, "3.0"), ("4.0", "4.0"), ("apple", "apple")])
def test_a_version_may_stand_without_quotes(written: object, version: str) -> None:
    assert Options.model_validate({"path": "/x", "version": written}).version == version
