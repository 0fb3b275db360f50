"""How an error is told in one line."""

import pytest

from migrator.errors import PlanError


@pytest.mark.parametrize(
    ("text", "remedy", "told"),
    [
        ("The disk is full.", "Make room.", "The disk is full. Make room."),
        ("the server says: connection refused", "Wait.", "the server says: connection refused. Wait."),
        ("Is it there?", "Look.", "Is it there? Look."),
        ("It is gone", "", "It is gone"),
    ],
)
def test_what_happened_and_what_to_do_are_two_sentences(text, remedy, told):
    assert PlanError(text, remedy=remedy).sentence() == told
