"""The real program, killed at moments nobody chose, between two real servers: nothing is lost and nothing is there twice."""

from __future__ import annotations

import random
import signal
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass

import pytest
from journey import Box, Contents, Journey, contents, count, fill_with_odd_ones, imap, letters, twins

from migrator.testing.proxy import Proxy, Stall

SEEDS = range(20)
LONGEST_WAIT = 0.04  # seconds between an event and the kill; a batch takes less
ONE_WAY = 0.001  # seconds; without any distance the journey would be over before it can be killed


@dataclass(frozen=True)
class Office:
    """Three mailboxes that nobody writes to; every test moves them to targets of its own."""

    users: tuple[str, ...]
    mail: dict[str, Contents]


@pytest.fixture(scope="module")
def office(dovecot_inbox) -> Office:
    users = tuple(dovecot_inbox.fresh_user() for _ in range(3))
    for place, user in enumerate(users):
        first = place * 1000
        dovecot_inbox.fill(user, "INBOX", letters(45, first=first + 1))
        dovecot_inbox.fill(user, dovecot_inbox.named("Clientes", "2024"), [*letters(20, first=first + 100), *twins()])
        dovecot_inbox.fill(user, dovecot_inbox.named("Facturaci&APM-n"), letters(12, first=first + 200, size=60_000))
        dovecot_inbox.fill(user, dovecot_inbox.named("Sent"), twins())
        fill_with_odd_ones(dovecot_inbox, user, dovecot_inbox.named("Casos raros"))
        dovecot_inbox.fill(user, dovecot_inbox.named("Vac&AO0-a"), [])
    return Office(users, {user: contents(dovecot_inbox, user) for user in users})


def travelling(folder, office, source, target, through) -> Journey:
    """A journey of the whole office to mailboxes that nobody has used."""
    boxes = [Box.between(source, user, target, target.fresh_user()) for user in office.users]
    return Journey(folder, imap(source), imap(through), boxes, steps=["mail", "verify"])


def everything(office: Office) -> int:
    """How many messages the office has."""
    return sum(map(count, office.mail.values()))


def kill_somewhere(journey: Journey, chance: random.Random) -> int:
    """Start a run and kill it a little after one of its events; its exit code."""
    running = journey.begins("run", "--json")
    if chance.random() < 0.7:
        running.after("batch-recorded", chance.randint(1, 12))
    else:
        running.after("action-began", chance.randint(1, 14))
    time.sleep(chance.uniform(0, LONGEST_WAIT))
    return running.kill().code


@pytest.mark.parametrize("seed", SEEDS)
def test_a_killed_run_is_resumed_without_a_message_lost_or_doubled(
    seed, office, dovecot_inbox, dovecot_slash, tmp_path
):
    chance = random.Random(seed)
    hidden = {"UIDPLUS"} if seed % 2 else set()
    with Proxy((dovecot_slash.host, dovecot_slash.port), delay=ONE_WAY, hide=hidden) as proxy:
        journey = travelling(tmp_path, office, dovecot_inbox, dovecot_slash, proxy)

        first_death = kill_somewhere(journey, chance)
        if chance.random() < 0.4:
            kill_somewhere(journey, chance)  # this one may have ended well before
        resumed = journey.runs()
        again = journey.runs()

        assert first_death == -signal.SIGKILL
        assert resumed.code == 0, resumed
        for box in journey.boxes:
            assert contents(dovecot_slash, box.target) == office.mail[box.source]
        assert again.code == 0, again
        assert again.recorded() == 0
        assert sum(event["items"] for event in again.events if event["event"] == "verified") == everything(office)


@pytest.mark.parametrize("hidden", [frozenset(), frozenset({"UIDPLUS"})], ids=["uidplus", "no-uidplus"])
def test_mail_that_arrived_unnoticed_before_the_kill_is_found_behind_the_fence(
    hidden, office, dovecot_inbox, dovecot_slash, tmp_path
):
    target = dovecot_slash.fresh_user()
    with Proxy((dovecot_slash.host, dovecot_slash.port), hide=hidden) as proxy:
        boxes = [Box.between(dovecot_inbox, office.users[0], dovecot_slash, target)]
        journey = Journey(tmp_path, imap(dovecot_inbox), imap(proxy), boxes)
        proxy.fail(Stall("APPEND"))
        running = journey.begins("run", "--json")
        arrived = wait_for_mail(dovecot_slash, target)
        running.kill()
        unnoticed = intended(journey)

        resumed = journey.runs()
        compared = journey.does("verify")

        assert arrived > 0
        assert unnoticed > 0
        assert resumed.code == 0, resumed
        assert contents(dovecot_slash, target) == office.mail[office.users[0]]
        assert resumed.moved("copied", "normalised") == count(office.mail[office.users[0]])
        assert resumed.moved("found") == 0, "it is known as our own, not adopted as a stranger's"
        assert compared.code == 0, compared


def wait_for_mail(server, user) -> int:
    """Wait until a mailbox holds mail and no more comes; how much there is."""
    before, deadline = 0, time.monotonic() + 30
    while time.monotonic() < deadline:
        now = count(contents(server, user))
        if now and now == before:
            return now
        before = now
        time.sleep(0.3)
    return before


def intended(journey: Journey) -> int:
    """How many messages the state knows to be under way."""
    with closing(sqlite3.connect(f"file:{journey.state}?mode=ro", uri=True)) as state:
        return state.execute("SELECT count(*) FROM intents").fetchone()[0]
