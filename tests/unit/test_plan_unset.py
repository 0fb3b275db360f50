"""Environment variables that a plan wants and that are not set."""

from __future__ import annotations

import pytest
from plan_words import GOOD, words

from migrator.plan.load import load
from migrator.plan.problems import PlanMistakes
from migrator.plan.unset import refuse_unset


@pytest.fixture
def unset(tmp_path):
    def make(text=GOOD, **environ):
        path = tmp_path / "plan.yaml"
        path.write_text(text)
        try:
            refuse_unset(load(path, words()), words(), environ)
        except PlanMistakes as mistakes:
            return [str(problem).partition(": ")[2] for problem in mistakes.problems], [
                problem.place.line for problem in mistakes.problems
            ]
        return [], []

    return make


def test_every_variable_that_is_not_set_is_told_at_once_with_its_place_and_what_needs_it(unset):
    told, lines = unset()

    assert told == [
        (
            "secrets.master.env: the environment variable MASTER is not set; endpoints.old.mail.master_password needs it. "
            "Set it (export MASTER=...), then start again."
        ),
        (
            "secrets.alices.env: the environment variable ALICE is not set; accounts.source_password needs it. "
            "Set it (export ALICE=...), then start again."
        ),
    ]
    assert lines == [4, 5]


def test_what_is_set_is_not_told_even_if_it_is_empty(unset):
    assert unset(MASTER="m", ALICE="") == ([], [])


def test_a_variable_that_several_need_is_told_once(unset):
    twice = GOOD.replace(
        "accounts:\n  - alice@example.com", "accounts:\n  - {source: eva@example.com, source_password: alices}"
    )
    told, _ = unset(twice, MASTER="m")

    assert len(told) == 1
    assert "accounts.source_password needs it and 1 more." in told[0]


def test_a_service_that_no_step_passes_through_needs_nothing(unset):
    other = GOOD.replace(
        "endpoints:\n", "endpoints:\n  idle:\n    mail: {type: post, host: x.example.com, master_password: master}\n"
    )
    unused = other.replace("host: old.example.com, master_password: master", "host: old.example.com")
    told, _ = unset(unused.replace("  - alice@example.com\n", ""), ALICE="a")

    assert told == []


def test_secrets_that_come_from_elsewhere_are_not_looked_at(unset):
    assert unset(GOOD.replace("{env: MASTER}", "{file: nowhere}"), ALICE="a") == ([], [])
