"""What every Store promises, as tests. A store proves itself by inheriting them:

class TestOurs(StoreContract):
    @pytest.fixture
    def store(self, clock): ...     # empty, dated by `clock`
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from migrator.engine.contract import Fate, Finding, Intended, Outcome, Size, Verb, Weight
from migrator.engine.departed import as_fact
from migrator.engine.ledger import (
    DEPARTED,
    UNNAMED,
    ActionRow,
    Claim,
    Ending,
    Holder,
    Status,
    Store,
    SubjectTrouble,
    Tally,
)
from migrator.errors import Held, LeaseLost, StateError
from migrator.state.lease import LEASE, this_process

NOON = datetime(2026, 3, 29, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
INBOX = "mail/old>new/alice@example.com/INBOX"
SENT = "mail/old>new/alice@example.com/Sent"
# NUL and lone surrogates are in no database's text; the escape must survive too, and keys of one look must stay two.
ODD = (
    "",
    "a\x00b",
    "a\udc80b",
    "a\x1ab",
    "a\x1a0000b",
    "İnbox",
    "é",
    "é",
    "\U0001f4ec",
    "'; DROP TABLE items; --",
    "%",
)


@dataclass
class Clock:
    """A clock that stands until it is moved."""

    at: datetime = NOON

    def __call__(self) -> datetime:
        return self.at

    def pass_by(self, time_span: timedelta) -> None:
        self.at += time_span


def elsewhere() -> Holder:
    """A holder on another host, whose process cannot be looked at from here."""
    return Holder(host="other.example.com", boot="3f0c/1", pid=4242, started="77")


def ended_process() -> Holder:
    """A holder on this host whose process has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return replace(this_process(), pid=process.pid, started="1")


def start(store: Store, holder: Holder | None = None, now: datetime = NOON, purpose: str = "run") -> Claim:
    """Claim for this process, or for `holder`."""
    return store.claim(holder or this_process(), now, "digest", "1.0", purpose)


def planned_row(ledger_key: str, run: int = 1, step: str = "mail", position: int = 0) -> ActionRow:
    """An action of alice's, freshly planned."""
    folder = ledger_key.rpartition("/")[2]
    return ActionRow(
        ledger_key=ledger_key,
        step=step,
        subject="alice@example.com",
        subject_label="alice@example.com",
        key=f"alice@example.com/{folder}",
        verb=Verb.COPY,
        label=folder,
        why="",
        size=Size(3),
        total=Size(5, 700),
        status=Status.PLANNED,
        run=run,
        position=position,
    )


def copied(*keys: str, size: int = 10) -> list[Outcome]:
    return [Outcome(key, Fate.COPIED, ref=f"new-{key}", size=size, digest="d", mark="\\Seen") for key in keys]


WRITES: dict[str, Callable[[Store, int], object]] = {
    "heartbeat": lambda store, epoch: store.heartbeat(epoch, NOON),
    "end_run": lambda store, epoch: store.end_run(epoch, NOON, Ending.DONE, 0, ""),
    "planned": lambda store, epoch: store.planned(epoch, [planned_row(INBOX)]),
    "trouble": lambda store, epoch: store.trouble(epoch, SubjectTrouble("mail", "bob", "bob", "login", "no", "", 1)),
    "progressed": lambda store, epoch: store.progressed(epoch, "mail", SENT, Status.DONE),
    "open_batch": lambda store, epoch: store.open_batch(epoch, SENT, "1/2", [Intended("1", 1, "d")]),
    "close_batch": lambda store, epoch: store.close_batch(epoch, 1, copied("1")),
    "record": lambda store, epoch: store.record(epoch, SENT, copied("9")),
    "remember": lambda store, epoch: store.remember(epoch, SENT, {"uidvalidity": "9"}),
    "forget_items": lambda store, epoch: store.forget_items(epoch, SENT),
    "found": lambda store, epoch: store.found(epoch, "mail", SENT, "run", []),
}


def everything(store: Store) -> tuple[object, ...]:
    """All that can be asked about SENT and the plan, to see whether anything changed."""
    return (
        list(store.runs()),
        list(store.actions()),
        list(store.troubles()),
        list(store.open_batches(SENT)),
        list(store.outcomes(SENT)),
        dict(store.remembered(SENT)),
        list(store.findings()),
    )


class StoreContract:
    """The promises of `engine.ledger.Store`."""

    @pytest.fixture
    def clock(self) -> Clock:
        return Clock()

    # -- the lease ----------------------------------------------------------------------------------------------------

    def test_the_first_claim_opens_run_one_and_resumes_nothing(self, store: Store) -> None:
        claim = start(store)

        assert (claim.run.number, claim.previous, claim.resumes) == (1, None, False)
        assert store.current() == claim.run
        assert store.runs() == [claim.run]

    def test_a_living_run_is_named_to_whoever_comes_second(self, store: Store) -> None:
        start(store)

        with pytest.raises(Held) as refusal:
            start(store)

        here = this_process()
        words = refusal.value.sentence()
        assert here.host in words
        assert f"process {here.pid}" in words
        assert "since 2026-03-29 12:00:00 UTC" in words
        assert f"kill {here.pid}" in words

    def test_the_refusal_comes_at_once(self, store: Store) -> None:
        start(store)
        began = time.monotonic()

        with pytest.raises(Held):
            start(store)

        assert time.monotonic() - began < 0.5

    def test_a_process_that_has_ended_holds_nothing(self, store: Store) -> None:
        died = start(store, ended_process()).run
        store.record(died.epoch, INBOX, copied("1"))

        claim = start(store, now=NOON + SECOND)

        assert claim.previous is not None
        assert (claim.previous.number, claim.previous.ending, claim.resumes) == (1, None, True)
        assert claim.run.epoch > died.epoch

    def test_a_holder_from_before_the_host_was_restarted_holds_nothing(self, store: Store) -> None:
        start(store, replace(this_process(), boot="before/1"))

        assert start(store, now=NOON + SECOND).run.number == 2

    def test_a_container_with_the_same_name_is_believed_until_its_last_sign_is_old(self, store: Store) -> None:
        kernel = this_process().boot.partition("/")[0]
        start(store, replace(this_process(), boot=f"{kernel}/another-namespace"))

        with pytest.raises(Held):
            start(store, now=NOON + LEASE)
        assert start(store, now=NOON + LEASE + SECOND).resumes

    def test_a_holder_elsewhere_is_believed_until_its_last_sign_is_old(self, store: Store, clock: Clock) -> None:
        epoch = start(store, elsewhere()).run.epoch
        clock.pass_by(LEASE)
        store.record(epoch, INBOX, copied("1"))  # a record is a sign of life

        with pytest.raises(Held, match=r"other\.example\.com") as refusal:
            start(store, now=clock() + LEASE)

        assert "12:04:00 UTC" in refusal.value.remedy
        assert start(store, now=clock() + LEASE + SECOND).resumes

    def test_a_heartbeat_is_a_sign_of_life(self, store: Store) -> None:
        epoch = start(store, elsewhere()).run.epoch
        store.heartbeat(epoch, NOON + LEASE)

        with pytest.raises(Held):
            start(store, now=NOON + 2 * LEASE)

    def test_a_clock_that_jumps_a_day_frees_no_living_process(self, store: Store) -> None:
        start(store)

        for jump in (timedelta(days=1), timedelta(days=-1)):
            with pytest.raises(Held):
                start(store, now=NOON + jump)

    def test_a_dead_run_keeps_its_last_sign_and_has_no_ending(self, store: Store, clock: Clock) -> None:
        epoch = start(store, ended_process()).run.epoch
        clock.pass_by(5 * SECOND)
        store.record(epoch, INBOX, copied("1"))

        claim = start(store, now=NOON + timedelta(hours=1))

        assert claim.previous is not None
        assert claim.previous.last_sign == NOON + 5 * SECOND
        assert store.runs()[0] == claim.previous

    @pytest.mark.parametrize(
        ("ending", "resumes"),
        [(Ending.DONE, False), (Ending.LEFT_BEHIND, False), (Ending.FAILED, True), (Ending.INTERRUPTED, True)],
    )
    def test_the_next_run_knows_whether_it_resumes(self, store: Store, ending: Ending, resumes: bool) -> None:  # noqa: FBT001
        first = start(store).run
        store.end_run(first.epoch, NOON + SECOND, ending, 3, "SIGTERM")

        claim = start(store, now=NOON + 2 * SECOND)

        assert claim.resumes is resumes
        assert claim.previous == replace(
            first, last_sign=NOON + SECOND, ended=NOON + SECOND, ending=ending, exit_code=3, words="SIGTERM"
        )

    def test_a_verification_is_not_what_a_run_resumes(self, store: Store) -> None:
        store.end_run(start(store).run.epoch, NOON, Ending.DONE, 0, "")
        store.end_run(start(store, purpose="verify").run.epoch, NOON, Ending.FAILED, 7, "")

        claim = start(store)

        assert claim.previous is not None
        assert (claim.previous.number, claim.resumes) == (1, False)
        assert [run.purpose for run in store.runs()] == ["run", "verify", "run"]

    def test_nobody_holds_the_plan_once_the_run_has_ended(self, store: Store) -> None:
        store.end_run(start(store).run.epoch, NOON, Ending.DONE, 0, "")

        assert store.current() is None

    def test_a_lease_says_whether_it_was_taken_from_a_run_at_work(self, store: Store) -> None:
        start(store, ended_process())
        assert not store.seize(this_process(), NOON, "digest", "1.0").taken

        assert store.seize(elsewhere(), NOON, "digest", "1.0").taken

    @pytest.mark.parametrize("write", WRITES)
    def test_a_run_whose_lease_was_taken_records_nothing(self, store: Store, write: str) -> None:
        epoch = start(store).run.epoch
        store.planned(epoch, [planned_row(SENT)])
        store.open_batch(epoch, SENT, "1/1", [Intended("1", 1, "d")])
        store.remember(epoch, SENT, {"uidvalidity": "7"})
        taker = store.seize(elsewhere(), NOON, "digest", "1.0")
        before = everything(store)

        with pytest.raises(LeaseLost, match=r"run 2, process 4242 on other\.example\.com"):
            WRITES[write](store, epoch)

        assert everything(store) == before
        store.heartbeat(taker.run.epoch, NOON)

    @pytest.mark.parametrize("write", WRITES)
    def test_a_run_that_has_ended_records_nothing(self, store: Store, write: str) -> None:
        epoch = start(store).run.epoch
        store.end_run(epoch, NOON, Ending.DONE, 0, "")
        before = everything(store)

        with pytest.raises(LeaseLost):
            WRITES[write](store, epoch)

        assert everything(store) == before

    def test_times_come_back_as_the_same_instant_in_utc(self, store: Store) -> None:
        summer = NOON.astimezone(datetime.strptime("+0200", "%z").tzinfo)

        assert start(store, now=summer).run.began == NOON
        current = store.current()
        assert current is not None
        assert (current.began, current.began.utcoffset()) == (NOON, timedelta(0))

    # -- planning -----------------------------------------------------------------------------------------------------

    def test_actions_come_back_whole_in_order_of_step_and_position(self, store: Store) -> None:
        epoch = start(store).run.epoch
        rows = [
            planned_row(INBOX, step="mail", position=2),
            planned_row(SENT, step="mail", position=1),
            replace(planned_row(INBOX, step="delta"), why="changed: \udcff", size=Size(0, 0), total=Size(1, None)),
        ]
        store.planned(epoch, rows)

        assert list(store.actions()) == [rows[2], rows[1], rows[0]]
        assert list(store.actions("mail")) == [rows[1], rows[0]]

    def test_planning_again_replaces_an_action_and_keeps_the_others(self, store: Store) -> None:
        epoch = start(store).run.epoch
        store.planned(epoch, [planned_row(INBOX, position=1), planned_row(SENT, position=2)])
        store.progressed(epoch, "mail", INBOX, Status.FAILED, "the server went away", "Run again.")
        again = replace(planned_row(INBOX, position=1), why="new mail", size=Size(9, 90))
        store.planned(epoch, [again])

        assert list(store.actions()) == [again, planned_row(SENT, position=2)]

    def test_planning_nothing_changes_nothing(self, store: Store) -> None:
        epoch = start(store).run.epoch
        store.planned(epoch, [planned_row(INBOX)])
        store.planned(epoch, [])

        assert list(store.actions()) == [planned_row(INBOX)]

    def test_a_subject_that_is_planned_is_no_trouble_any_more(self, store: Store) -> None:
        epoch = start(store).run.epoch
        alice = SubjectTrouble("mail", "alice@example.com", "alice", "login-refused", "no", "Correct line 7.", 1)
        bob = replace(alice, subject="bob@example.com")
        for trouble in (alice, bob, replace(alice, text="still no")):
            store.trouble(epoch, trouble)
        assert store.troubles() == [replace(alice, text="still no"), bob]

        store.planned(epoch, [planned_row(INBOX)])

        assert store.troubles() == [bob]

    def test_a_subject_that_another_step_of_its_way_planned_is_no_trouble_any_more(self, store: Store) -> None:
        epoch = start(store).run.epoch
        ours = "mail/old>new/alice@example.com"
        alice = SubjectTrouble("first", "alice@example.com", "alice", "login-refused", "no", "", 1, ours)
        elsewhere = replace(alice, step="copy", ledger_key="mail/old>vault/alice@example.com")
        for trouble in (alice, elsewhere):
            store.trouble(epoch, trouble)

        store.planned(epoch, [planned_row(INBOX, step="delta")])

        assert store.troubles() == [elsewhere]

    def test_progress_keeps_what_planning_said_unless_told_otherwise(self, store: Store) -> None:
        first = start(store, ended_process()).run.epoch
        store.planned(first, [replace(planned_row(INBOX), why="3 new")])
        second = start(store).run
        store.progressed(second.epoch, "mail", INBOX, Status.RUNNING)
        assert [(row.status, row.why, row.run) for row in store.actions()] == [(Status.RUNNING, "3 new", 2)]

        store.progressed(second.epoch, "mail", INBOX, Status.FAILED, "the server went away", "Run again.")

        assert [(row.status, row.why, row.cure) for row in store.actions()] == [
            (Status.FAILED, "the server went away", "Run again.")
        ]

    def test_a_listing_of_many_pages_is_complete_and_in_order(self, store: Store) -> None:
        epoch = start(store).run.epoch
        rows = [planned_row(f"mail/old>new/alice@example.com/{number}", position=number // 3) for number in range(4500)]
        store.planned(epoch, rows)

        listed = list(store.actions())

        assert sorted(row.ledger_key for row in listed) == sorted(row.ledger_key for row in rows)
        assert [row.position for row in listed] == sorted(row.position for row in rows)

    # -- items --------------------------------------------------------------------------------------------------------

    def test_an_intent_stands_until_its_outcomes_are_kept(self, store: Store) -> None:
        epoch = start(store).run.epoch
        intended = (Intended("1", 10, "d1"), Intended("a\x00\udc80", 20, "d2"))
        first = store.open_batch(epoch, INBOX, "7/100", intended)
        second = store.open_batch(epoch, INBOX, "7/102", intended[:1])
        store.open_batch(epoch, SENT, "8/1", intended)
        assert [(batch.number, batch.fence) for batch in store.open_batches(INBOX)] == [
            (first, "7/100"),
            (second, "7/102"),
        ]
        assert store.open_batches(INBOX)[0].items == intended
        assert store.is_under_way()

        store.close_batch(epoch, first, copied("1", "a\x00\udc80"))

        assert [batch.number for batch in store.open_batches(INBOX)] == [second]
        assert sorted(outcome.key for outcome in store.outcomes(INBOX)) == ["1", "a\x00\udc80"]

    def test_an_intent_survives_the_death_of_its_run(self, store: Store) -> None:
        number = store.open_batch(start(store, ended_process()).run.epoch, INBOX, "7/100", [Intended("1", 10, "d")])
        epoch = start(store).run.epoch
        assert [batch.number for batch in store.open_batches(INBOX)] == [number]

        store.close_batch(epoch, number, [])

        assert list(store.open_batches(INBOX)) == []
        assert list(store.outcomes(INBOX)) == []

    def test_a_batch_is_closed_once(self, store: Store) -> None:
        epoch = start(store).run.epoch
        number = store.open_batch(epoch, INBOX, "7/100", [Intended("1", 10, "d")])
        store.close_batch(epoch, number, copied("1"))

        with pytest.raises(StateError, match=f"batch {number} is not open"):
            store.close_batch(epoch, number, copied("2"))

        assert [outcome.key for outcome in store.outcomes(INBOX)] == ["1"]

    def test_what_is_recorded_together_is_kept_together(self, store: Store) -> None:
        epoch = start(store).run.epoch
        store.planned(epoch, [planned_row(INBOX)])
        with store.recording(epoch) as records:
            records.progressed("mail", INBOX, Status.RUNNING)
            records.remember(INBOX, {"uidvalidity": "7"})
            first = records.open_batch(INBOX, "7/1", [Intended("1", 10, "d")])
        with store.recording(epoch) as records:
            records.close_batch(first, copied("1"))
            second = records.open_batch(INBOX, "7/2", [])

        assert [(row.status, row.total) for row in store.actions()] == [(Status.RUNNING, Size(5, 700))]
        assert store.remembered(INBOX) == {"uidvalidity": "7"}
        assert [batch.number for batch in store.open_batches(INBOX)] == [second]
        assert store.fates(INBOX) == {Fate.COPIED: Size(1, 10)}

    def test_of_what_is_recorded_together_nothing_is_kept_when_one_fails(self, store: Store) -> None:
        epoch = start(store).run.epoch
        before = everything(store)

        with pytest.raises(StateError, match="batch 4711 is not open"), store.recording(epoch) as records:  # noqa: PT012
            records.record(SENT, copied("1"))
            records.open_batch(SENT, "7/1", [])
            records.close_batch(4711, copied("2"))

        assert everything(store) == before
        assert store.fates(SENT) == {}
        assert store.open_batch(epoch, SENT, "7/1", []) > 0

    def test_a_block_that_fails_records_nothing(self, store: Store) -> None:
        epoch = start(store).run.epoch

        with pytest.raises(ZeroDivisionError), store.recording(epoch) as records:  # noqa: PT012
            records.remember(SENT, {"uidvalidity": "7"})
            raise ZeroDivisionError

        assert store.remembered(SENT) == {}

    def test_progress_replaces_the_total_where_it_is_told(self, store: Store) -> None:
        epoch = start(store).run.epoch
        store.planned(epoch, [planned_row(INBOX)])
        with store.recording(epoch) as records:
            records.progressed("mail", INBOX, Status.DONE, total=Size(9, None))

        assert [(row.status, row.total) for row in store.actions()] == [(Status.DONE, Size(9, None))]

    def test_a_number_is_never_given_to_two_batches(self, store: Store) -> None:
        epoch = start(store).run.epoch
        numbers = []
        for _ in range(3):
            numbers.append(store.open_batch(epoch, INBOX, "7/100", []))
            store.close_batch(epoch, numbers[-1], [])

        assert len(set(numbers)) == 3

    def test_outcomes_come_back_as_they_were_given(self, store: Store) -> None:
        epoch = start(store).run.epoch
        outcomes = {
            key: Outcome(key, fate, ref=key, size=2**40, digest="d", mark=key, note=key, cure=key)
            for key, fate in zip(ODD, [*Fate, *Fate], strict=False)
        }
        store.record(epoch, INBOX, list(outcomes.values()))

        assert {outcome.key: outcome for outcome in store.outcomes(INBOX)} == outcomes
        assert store.settled(INBOX, [*ODD, "unknown"]) == outcomes
        assert store.settled(SENT, list(ODD)) == {}

    def test_a_later_outcome_takes_the_place_of_an_earlier_one(self, store: Store) -> None:
        epoch = start(store).run.epoch
        store.record(epoch, INBOX, [*copied("1", "2"), Outcome("3", Fate.LEFT_BEHIND, size=7, note="too large")])
        number = store.open_batch(epoch, INBOX, "7/1", [Intended("3", 7, "d")])
        store.close_batch(epoch, number, [Outcome("3", Fate.NORMALISED, size=8), *copied("1", size=4)])

        assert store.fates(INBOX) == {Fate.COPIED: Size(2, 14), Fate.NORMALISED: Size(1, 8)}
        assert list(store.left_behind()) == []

    def test_of_two_outcomes_for_one_item_in_one_record_the_last_counts(self, store: Store) -> None:
        epoch = start(store).run.epoch
        store.record(epoch, INBOX, [Outcome("1", Fate.GONE), *copied("1")])

        assert store.fates(INBOX) == {Fate.COPIED: Size(1, 10)}

    def test_an_item_that_stands_for_several_things_counts_as_many(self, store: Store) -> None:
        epoch = start(store).run.epoch
        store.record(epoch, INBOX, [Outcome("1", Fate.COPIED, size=5, things=500), *copied("2", size=1)])
        assert store.fates(INBOX) == {Fate.COPIED: Size(501, 6)}
        partly = Outcome("1", Fate.LEFT_BEHIND, size=6, note="refused", things=3, as_sent=498)
        number = store.open_batch(epoch, INBOX, "", [Intended("1", 6, "d")])
        store.close_batch(epoch, number, [partly])
        assert store.settled(INBOX, ["1"]) == {"1": partly}
        assert store.fates(INBOX) == {Fate.COPIED: Size(499, 1), Fate.LEFT_BEHIND: Size(3, 6)}
        assert list(store.notes().get(INBOX, ())) == [(Fate.LEFT_BEHIND, "refused", "", 3)]
        store.record(epoch, INBOX, copied("1", size=6))
        assert store.fates(INBOX) == {Fate.COPIED: Size(2, 7)}

    def test_what_is_asked_and_kept_in_bulk_is_complete(self, store: Store) -> None:
        epoch = start(store).run.epoch
        keys = [str(number) for number in range(4100)]
        store.record(epoch, INBOX, copied(*keys))
        store.record(epoch, INBOX, copied(*keys[:1700], size=1))

        assert len(store.settled(INBOX, keys)) == 4100
        assert sorted(outcome.key for outcome in store.outcomes(INBOX)) == sorted(keys)
        assert store.fates(INBOX) == {Fate.COPIED: Size(4100, 1700 + 24000)}

    def test_outcomes_stream_while_others_are_recorded(self, store: Store) -> None:
        epoch = start(store).run.epoch
        keys = {f"{number:05}" for number in range(4100)}
        store.record(epoch, INBOX, copied(*keys))
        streamed = set()
        for outcome in store.outcomes(INBOX):
            streamed.add(outcome.key)
            if len(streamed) % 1000 == 0:
                store.record(epoch, INBOX, copied(f"{len(streamed)}-more"))

        assert streamed >= keys

    def test_facts_are_kept_one_by_one(self, store: Store) -> None:
        epoch = start(store).run.epoch
        assert store.remembered(INBOX) == {}
        store.remember(epoch, INBOX, {"uidvalidity": "7", "modseq": "1"})
        store.remember(epoch, INBOX, {"modseq": "2"})
        store.remember(epoch, INBOX, {})
        store.remember(epoch, SENT, {"uidvalidity": "8"})
        store.remember(epoch, SENT, {f"name {odd}": odd for odd in ODD})

        assert store.remembered(INBOX) == {"uidvalidity": "7", "modseq": "2"}
        assert store.remembered(SENT) == {"uidvalidity": "8"} | {f"name {odd}": odd for odd in ODD}

    def test_of_all_actions_is_told_what_is_told_of_each(self, store: Store) -> None:
        epoch = start(store).run.epoch
        store.record(epoch, INBOX, copied("1", "2"))
        store.record(epoch, SENT, [*copied("1"), Outcome("2", Fate.LEFT_BEHIND, note="no", size=4)])
        store.remember(epoch, INBOX, {"verified": "3", "other": "x"})
        store.remember(epoch, SENT, {"departed": "y"})

        assert store.all_fates() == {key: store.fates(key) for key in (INBOX, SENT)}
        assert store.all_remembered(["verified", "departed"]) == {INBOX: {"verified": "3"}, SENT: {"departed": "y"}}
        assert store.all_remembered([]) == {}

    def test_forgetting_strikes_one_actions_items_and_no_others(self, store: Store) -> None:
        epoch = start(store).run.epoch
        for key in (INBOX, SENT):
            store.planned(epoch, [planned_row(key)])
            store.record(epoch, key, copied("1"))
            store.open_batch(epoch, key, "7/1", [])
            store.remember(epoch, key, {"uidvalidity": "7"})

        store.forget_items(epoch, INBOX)

        assert (list(store.outcomes(INBOX)), list(store.open_batches(INBOX))) == ([], [])
        assert (store.fates(INBOX), store.remembered(INBOX)) == ({}, {})
        assert (store.fates(SENT), store.remembered(SENT)) == ({Fate.COPIED: Size(1, 10)}, {"uidvalidity": "7"})
        assert len(store.open_batches(SENT)) == 1
        assert len(list(store.actions())) == 2

    def test_an_action_nobody_has_seen_is_empty_and_not_an_error(self, store: Store) -> None:
        epoch = start(store).run.epoch
        store.forget_items(epoch, "never")
        store.progressed(epoch, "mail", "never", Status.DONE)

        assert (list(store.outcomes("never")), list(store.notes().get("never", ())), store.fates("never")) == (
            [],
            [],
            {},
        )
        assert list(store.open_batches("never")) == []

    # -- findings and sums ----------------------------------------------------------------------------------------------

    def test_findings_are_replaced_by_their_own_source_alone(self, store: Store) -> None:
        epoch = start(store).run.epoch
        renamed = Finding("folder-renamed", Weight.NOTE, "INBOX", "was renamed")
        missing = Finding("count", Weight.DIFFERENCE, "INBOX", "1 message fewer", "Run again.")
        store.found(epoch, "mail", INBOX, "run", [renamed, missing])
        store.found(epoch, "mail", INBOX, "verify", [missing])
        store.found(epoch, "delta", INBOX, "verify", [missing])

        store.found(epoch, "mail", INBOX, "run", [renamed])
        store.found(epoch, "mail", INBOX, "verify", [])

        assert sorted(store.findings(), key=lambda row: row[0]) == [
            ("delta", INBOX, "verify", missing),
            ("mail", INBOX, "run", renamed),
        ]

    def test_items_that_share_a_note_are_counted_together(self, store: Store) -> None:
        epoch = start(store).run.epoch
        large = Outcome("", Fate.LEFT_BEHIND, note="larger than 50 MB", cure="Raise the limit.")
        store.record(epoch, INBOX, [replace(large, key="1"), replace(large, key="2"), *copied("3")])
        store.record(epoch, INBOX, [Outcome("4", Fate.NORMALISED, note="bare LF")])

        assert sorted(store.notes().get(INBOX, ()), key=lambda row: row[1]) == [
            (Fate.NORMALISED, "bare LF", "", 1),
            (Fate.LEFT_BEHIND, "larger than 50 MB", "Raise the limit.", 2),
        ]

    def test_everything_not_as_sent_is_listed_with_its_action(self, store: Store) -> None:
        epoch = start(store).run.epoch
        left = [Outcome(str(number), Fate.LEFT_BEHIND, note="no") for number in range(2500)]
        altered = Outcome("x", Fate.ALTERED, note="date lost")
        store.record(epoch, INBOX, [*left, *copied("y")])
        store.record(epoch, SENT, [altered])

        listed = list(store.left_behind())

        assert len(listed) == 2501
        assert set(listed) == {(SENT, altered), *((INBOX, outcome) for outcome in left)}

    def test_items_that_people_have_a_name_for_are_listed_with_it_and_share_their_note(self, store: Store) -> None:
        epoch = start(store).run.epoch
        refused = [
            Outcome(str(number), Fate.LEFT_BEHIND, note="too large", about=f"Ann {number}") for number in range(2500)
        ]
        united = Outcome("x", Fate.NORMALISED, note="is there twice", about="Zoë\x00")
        store.record(epoch, INBOX, [*refused, *copied("y")])
        number = store.open_batch(epoch, SENT, "", [Intended("x", 1, "d")])
        store.close_batch(epoch, number, [united])

        assert set(store.called()) == {(SENT, united), *((INBOX, outcome) for outcome in refused)}
        assert list(store.notes().get(INBOX, ())) == [(Fate.LEFT_BEHIND, "too large", "", 2500)]
        assert store.settled(SENT, ["x"]) == {"x": united}

    def test_the_tally_counts_each_item_once_however_many_steps_continue_it(self, store: Store) -> None:
        epoch = start(store).run.epoch
        assert store.tally() == Tally(0, 0, 0, 0, 0)
        store.planned(epoch, [planned_row(INBOX), planned_row(SENT), planned_row(INBOX, step="delta")])
        store.progressed(epoch, "mail", INBOX, Status.DONE)
        store.progressed(epoch, "mail", SENT, Status.KEPT)
        store.record(epoch, INBOX, [*copied("1", "2"), Outcome("3", Fate.LEFT_BEHIND, size=99)])
        store.record(epoch, SENT, [Outcome("1", Fate.FOUND, size=5), Outcome("2", Fate.SKIPPED, size=5)])

        assert store.tally() == Tally(actions=3, actions_done=2, items_arrived=3, bytes_arrived=25, left_behind=1)

    def test_the_tally_leaves_out_what_has_left_the_source_as_the_sums_of_a_report_do(self, store: Store) -> None:
        epoch = start(store).run.epoch
        store.planned(epoch, [planned_row(INBOX), planned_row(SENT)])
        store.record(epoch, INBOX, copied("1", "2", "3"))
        store.record(epoch, SENT, copied("1"))
        store.remember(epoch, INBOX, {DEPARTED: as_fact({Fate.COPIED: Size(2, 20)})})

        assert store.tally().items_arrived == 2

    def test_the_tally_leaves_out_what_the_newest_planning_did_not_name(self, store: Store) -> None:
        first = start(store, ended_process()).run.epoch
        store.planned(first, [planned_row(INBOX), planned_row(SENT)])
        store.record(first, SENT, copied("1"))
        second = start(store).run

        store.planned(second.epoch, [planned_row(INBOX, run=second.number)])

        assert store.tally() == Tally(actions=1, actions_done=0, items_arrived=0, bytes_arrived=0, left_behind=0)

    def test_the_tally_leaves_out_subjects_that_the_plan_names_no_more(self, store: Store) -> None:
        epoch = start(store).run.epoch
        bob = replace(
            planned_row("mail/old>new/bob@example.com/INBOX"), subject="bob@example.com", key="bob@example.com/INBOX"
        )
        store.planned(epoch, [planned_row(INBOX), bob])
        store.record(epoch, INBOX, copied("1", "2"))
        store.record(epoch, bob.ledger_key, [*copied("1"), Outcome("2", Fate.LEFT_BEHIND, size=9)])

        store.remember(epoch, "mail/old>new/bob@example.com", {UNNAMED: "yes"})

        assert store.tally() == Tally(actions=1, actions_done=0, items_arrived=2, bytes_arrived=20, left_behind=0)
        store.remember(epoch, "mail/old>new/bob@example.com", {UNNAMED: ""})
        assert store.tally().items_arrived == 3

    # -- threads ------------------------------------------------------------------------------------------------------

    def test_sixteen_threads_record_and_ask_at_once(self, store: Store) -> None:
        epoch = start(store).run.epoch
        batches, width = 6, 5

        def work(worker: int) -> int:
            ledger_key = f"mail/old>new/box{worker}/INBOX"
            for batch in range(batches):
                keys = [f"{batch}-{item}" for item in range(width)]
                number = store.open_batch(epoch, ledger_key, "1/1", [Intended(key, 1, "d") for key in keys])
                store.close_batch(epoch, number, copied(*keys))
            return _count(store.outcomes(ledger_key)) + len(store.open_batches(ledger_key))

        with ThreadPoolExecutor(16) as threads:
            counts: Sequence[int] = list(threads.map(work, range(16)))

        assert counts == [batches * width] * 16


def _count(outcomes: Iterator[Outcome]) -> int:
    return sum(1 for _ in outcomes)
