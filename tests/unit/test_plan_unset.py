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


def test_what_is_set_is_not_told(unset):
    assert unset(MASTER="m", ALICE="a") == ([], [])


def test_a_variable_that_is_set_to_nothing_is_told_with_its_place_as_well(unset):
    told, lines = unset(MASTER="m", ALICE="")

    assert told == [
        (
            "secrets.alices.env: the environment variable ALICE is set, but empty; accounts.source_password needs it. "
            "Set it (export ALICE=...), then start again."
        )
    ]
    assert lines == [5]


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


@pytest.mark.parametrize("content", ["", "\n", "\r\n"])
def test_a_file_that_holds_nothing_is_told_with_its_place(unset, tmp_path, content):
    path = tmp_path / "master.key"
    path.write_text(content)
    path.chmod(0o600)

    told, lines = unset(GOOD.replace("{env: MASTER}", "{file: master.key}"), ALICE="a")

    assert told == [
        f"secrets.master.file: The secret master comes from {path}, which is empty. Write the secret into it, then start again."
    ]
    assert lines == [4]


def test_a_file_that_cannot_be_read_is_told_with_its_place(unset, tmp_path):
    (tmp_path / "open.key").write_text("m")
    (tmp_path / "open.key").chmod(0o644)

    for name, why in (("nowhere", "(no such file or directory). Correct"), ("open.key", "which others may use")):
        (told,), lines = unset(GOOD.replace("{env: MASTER}", f"{{file: {name}}}"), ALICE="a")
        assert told.startswith("secrets.master.file: The secret master ")
        assert why in told
        assert lines == [4]


def test_secrets_that_a_command_or_a_person_tells_are_not_asked_for_yet(unset):
    assert unset(GOOD.replace("{env: MASTER}", "{command: /nowhere}"), ALICE="a") == ([], [])
    assert unset(GOOD.replace("{env: MASTER}", "{ask: Master}"), ALICE="a") == ([], [])
