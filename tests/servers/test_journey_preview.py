"""A preview writes nothing, and a run writes nothing at the source: said by two proxies and by the servers' own records."""

from __future__ import annotations

import re

import pytest
from journey import Box, Journey, contents, imap, letters

from migrator.testing.proxy import Proxy

WRITES = re.compile(
    rb"\b(APPEND|STORE|CREATE|DELETE|RENAME|SUBSCRIBE|UNSUBSCRIBE|EXPUNGE|COPY|MOVE|SELECT|SETMETADATA|SETQUOTA)\b"
)


@pytest.fixture
def between(dovecot_inbox, dovecot_slash):
    """A source with mail, a target with a little of it, and a proxy before each."""
    source, target = dovecot_inbox.fresh_user(), dovecot_slash.fresh_user()
    dovecot_inbox.fill(source, "INBOX", letters(30))
    dovecot_inbox.fill(source, dovecot_inbox.named("Clientes", "2024"), letters(12, first=100))
    dovecot_slash.fill(target, "INBOX", letters(3))
    with (
        Proxy((dovecot_inbox.host, dovecot_inbox.port)) as at_source,
        Proxy((dovecot_slash.host, dovecot_slash.port)) as at_target,
    ):
        yield Box.between(dovecot_inbox, source, dovecot_slash, target), at_source, at_target


@pytest.fixture
def journey(between, tmp_path):
    box, at_source, at_target = between
    return Journey(tmp_path, imap(at_source), imap(at_target), [box])


@pytest.mark.parametrize("words", [("preview",), ("run", "--dry-run"), ("preview", "--json")], ids=" ".join)
def test_a_preview_says_nothing_that_could_change_anything(words, journey, between, dovecot_inbox, dovecot_slash):
    box, at_source, at_target = between
    before = contents(dovecot_inbox, box.source), contents(dovecot_slash, box.target)
    dovecot_inbox.watch(box.source)  # only now, so that our own looking is not in the record
    dovecot_slash.watch(box.target)

    shown = journey.succeeds(*words)
    logs = dovecot_inbox.said(box.source), dovecot_slash.said(box.target)

    assert at_source.commands["LIST"] > 0
    assert at_target.commands["LIST"] > 0
    assert at_source.writes == at_target.writes == 0
    for log in logs:
        assert b"LIST" in log
        assert not WRITES.findall(log)
    assert (contents(dovecot_inbox, box.source), contents(dovecot_slash, box.target)) == before
    assert not journey.state.exists()
    assert {path.name for path in journey.folder.iterdir()} == {"plan.yaml"}
    assert "Clientes/2024" in shown.stdout


def test_a_preview_of_a_plan_that_was_run_leaves_its_state_as_it_is(journey):
    journey.succeeds("run")
    before = journey.state.read_bytes()

    shown = journey.succeeds("preview", "--exit-code")

    assert journey.state.read_bytes() == before
    assert "Nothing was changed" in shown.stdout


def test_a_preview_with_changes_pending_says_so_by_its_exit_code(journey):
    assert journey.does("preview", "--exit-code").code == 8


def test_a_run_only_examines_at_the_source(journey, between, dovecot_inbox, dovecot_slash):
    box, at_source, at_target = between
    before = contents(dovecot_inbox, box.source)
    dovecot_inbox.watch(box.source)

    journey.succeeds("run")
    journey.succeeds("verify")
    log = dovecot_inbox.said(box.source)

    assert at_target.writes > 0
    assert at_source.writes == 0
    assert b" EXAMINE " in log
    assert not WRITES.findall(log)
    after = contents(dovecot_inbox, box.source)
    assert after == before
    unread = [found for rows in after.values() for found in rows if "\\Seen" not in found.flags]
    assert unread
    assert contents(dovecot_slash, box.target) == before


def test_verifying_changes_nothing_at_the_target_either(journey, between):
    _, at_source, at_target = between
    journey.succeeds("run")
    written = at_target.writes

    journey.succeeds("verify", "--sample", "all")

    assert at_target.writes == written
    assert at_source.writes == 0


def test_the_state_is_its_owners_alone(journey):
    journey.succeeds("run")

    beside = [path for path in journey.folder.iterdir() if path.name.startswith("plan.state")]
    assert [oct(path.stat().st_mode & 0o777) for path in beside] == ["0o600"] * len(beside)
    assert journey.state in beside
