"""A run with a room of its own: what moves, what stays, and how it ends when something goes wrong."""

import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import cast

import pytest
from pydantic import SecretStr

from migrator.engine.contract import Account, Action, Adapter, Fate, Intended, Login, Measure, Side, Step, Work
from migrator.engine.events import BatchRecorded, RunBegan, RunEnded, StageBegan, SubjectFailed, Waiting
from migrator.engine.lease import utc_now
from migrator.engine.ledger import Ending, Records, Status, Store
from migrator.engine.stage import Stage
from migrator.errors import EndpointRefused, LeaseLost, Refused, StateFull, Unavailable, Unreachable
from migrator.state.lease import this_process
from migrator.testing.memory_strongbox import MemoryStrongbox
from migrator.testing.toy_room import (
    KIND,
    Drop,
    Shelf,
    ShelfOptions,
    ShelfReader,
    ShelfWriter,
    ToyOptions,
    adapter,
    stage_between,
)
from migrator.testing.trial import Trial

ALICE, BOB = "alice@example.com", "bob@example.com"
TEN = [f"person{n}@example.com" for n in range(10)]
NOUNS = [f"noun{n}" for n in range(10)]


def two_shelves(*people: str, words: int = 10) -> tuple[Shelf, Shelf]:
    source, target = Shelf("old"), Shelf("new")
    for person in people:
        source.fill(person, "nouns", *NOUNS[:words])
        source.fill(person, "verbs", "go", "come", "go")
    return source, target


def moved_to(target: Shelf, person: str) -> dict[str, Counter[str]]:
    return {box: Counter(texts) for box, texts in target.contents(person).items()}


EVERYTHING = {"nouns": Counter(NOUNS), "verbs": Counter({"go": 2, "come": 1})}


# -- everything well ---------------------------------------------------------------------------------------------------


def test_every_word_moves_in_its_order() -> None:
    source, target = two_shelves(ALICE)
    Trial([stage_between(source, target, ALICE)]).run()
    assert target.contents(ALICE) == source.contents(ALICE)


def test_the_fates_of_a_run_add_up_to_what_the_source_holds() -> None:
    source, target = two_shelves(ALICE, BOB)
    source.fill(BOB, "nouns", "a-long-word")
    source.vanished.add("noun1")
    target.refused_words.add("noun2")
    trial = Trial([stage_between(source, target, ALICE, BOB, options=ToyOptions(longest=10))])
    trial.run()
    assert trial.fates() == {Fate.COPIED: 22, Fate.GONE: 2, Fate.LEFT_BEHIND: 2, Fate.SKIPPED: 1}


def test_what_the_events_tell_is_what_the_ledger_knows() -> None:
    source, target = two_shelves(ALICE, BOB)
    trial = Trial([stage_between(source, target, ALICE, BOB)])
    trial.run()
    told: Counter[Fate] = Counter()
    for event in trial.told(BatchRecorded):
        told.update({fate: size.items for fate, size in event.by_fate.items()})
    assert told == trial.fates() == {Fate.COPIED: 26}


def test_a_run_tells_its_beginning_first_and_its_end_last() -> None:
    source, target = two_shelves(ALICE)
    trial = Trial([stage_between(source, target, ALICE)])
    trial.run()
    assert isinstance(trial.events[0], RunBegan)
    assert isinstance(trial.events[-1], RunEnded)


def test_a_run_without_trouble_ends_done_and_gives_the_lease_back() -> None:
    source, target = two_shelves(ALICE)
    trial = Trial([stage_between(source, target, ALICE)])
    assert trial.run().ending is Ending.DONE
    assert trial.store.current() is None


def test_a_second_run_writes_nothing_to_the_target() -> None:
    source, target = two_shelves(ALICE, BOB)
    trial = Trial([stage_between(source, target, ALICE, BOB)])
    trial.run()
    before = list(target.writes)
    trial.run()
    assert target.writes == before


def test_a_second_run_copies_only_what_is_new() -> None:
    source, target = two_shelves(ALICE)
    trial = Trial([stage_between(source, target, ALICE)])
    trial.run()
    source.fill(ALICE, "nouns", "late")
    before = len(target.writes)
    trial.run()
    assert target.writes[before:] == [f"put {ALICE} nouns 1"]


def test_a_second_step_of_the_same_kind_and_route_continues_the_first() -> None:
    source, target = two_shelves(ALICE)
    Trial([stage_between(source, target, ALICE), stage_between(source, target, ALICE, name="delta")]).run()
    assert moved_to(target, ALICE) == EVERYTHING


def test_sessions_are_opened_once_and_used_again() -> None:
    source, target = two_shelves(ALICE)
    Trial([stage_between(source, target, ALICE)], workers=1).run()
    assert source.tries[ALICE] == 1
    assert target.tries[ALICE] == 2  # one that reads for the plan, one that writes


def test_no_session_is_open_after_a_run() -> None:
    source, target = two_shelves(*TEN)
    target.refused_words.add("noun3")
    source.drops.append(Drop("read", 2))
    Trial([stage_between(source, target, *TEN)]).run()
    assert source.open_sessions.total() == target.open_sessions.total() == 0


def test_no_more_than_one_part_is_read_ahead_of_the_one_being_written() -> None:
    source, target = Shelf("old"), Shelf("new")
    source.fill(ALICE, "nouns", *NOUNS)
    ahead: list[int] = []

    def give_the_reader_time(what: str) -> None:
        if what.startswith("put"):
            time.sleep(0.02)
            ahead.append(source.calls["read"] - len(ahead) - 1)

    target.before_write = give_the_reader_time
    Trial([stage_between(source, target, ALICE, batch=1)]).run()
    assert len(ahead) == 10
    assert max(ahead) == 1


def test_a_room_is_built_from_its_kind_and_moves_between_its_adapters() -> None:
    source, target = two_shelves(ALICE)
    login = Login(ALICE, ALICE)
    step = KIND.build(KIND.options(longest=4), [Account(login, login)])
    Trial([Stage("words", KIND.word, step, AdapterRoute(adapter(source), adapter(target)))]).run()
    assert moved_to(target, ALICE) == {"nouns": Counter(), "verbs": EVERYTHING["verbs"]}


@dataclass(frozen=True)
class AdapterRoute:
    """Opens sessions as a plan does: through the adapters of the two endpoints."""

    source: Adapter[ShelfReader, ShelfWriter]
    target: Adapter[ShelfReader, ShelfWriter]

    def endpoint(self, side: Side) -> str:
        return side.value

    def connections(self, side: Side) -> tuple[int, int]:
        return self._adapter(side).connections(ShelfOptions())

    def for_reading(self, side: Side, service: str, account: str) -> ShelfReader:
        return self._adapter(side).reader(ShelfOptions(), Login(account, account))

    @property
    def strongbox(self) -> MemoryStrongbox:
        return MemoryStrongbox()

    def for_writing(self, side: Side, service: str, account: str) -> ShelfWriter:
        return self.target.writer(ShelfOptions(), Login(account, account))

    def login(self, side: Side, account: str) -> Login:
        return Login(account, account)

    def keep_password(self, account: str, password: SecretStr) -> None:
        raise AssertionError(account)

    def _adapter(self, side: Side) -> Adapter[ShelfReader, ShelfWriter]:
        return self.source if side is Side.SOURCE else self.target


# -- single words that do not move -------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 3, 100])
def test_a_refused_word_is_left_behind_alone(batch: int) -> None:
    source, target = two_shelves(ALICE)
    target.refused_words.add("noun4")
    trial = Trial([stage_between(source, target, ALICE, batch=batch)])
    trial.run()
    assert moved_to(target, ALICE)["nouns"] == Counter(NOUNS) - Counter(["noun4"])
    assert trial.fates() == {Fate.COPIED: 12, Fate.LEFT_BEHIND: 1}


def test_a_word_left_behind_keeps_the_words_of_the_refusal_and_its_cure() -> None:
    source, target = two_shelves(ALICE)
    target.refused_words.add("noun4")
    trial = Trial([stage_between(source, target, ALICE)])
    trial.run()
    [(key, outcome)] = trial.store.left_behind()
    assert key == f"words/old>new/{ALICE}/nouns"
    assert outcome.note == "new does not take the word noun4."
    assert outcome.cure == "Spell it in another way, then run again."


def test_a_run_that_left_something_behind_says_so() -> None:
    source, target = two_shelves(ALICE)
    target.refused_words.add("noun4")
    result = Trial([stage_between(source, target, ALICE)]).run()
    assert (result.ending, result.left_behind, result.codes) == (Ending.LEFT_BEHIND, 1, frozenset())


def test_many_refused_words_in_one_batch_are_all_found() -> None:
    source, target = two_shelves(ALICE)
    target.refused_words.update(NOUNS[::2])
    trial = Trial([stage_between(source, target, ALICE, batch=100)])
    trial.run()
    assert target.contents(ALICE)["nouns"] == NOUNS[1::2]
    assert trial.fates()[Fate.LEFT_BEHIND] == 5


def test_what_was_left_behind_is_tried_once_more_by_the_next_run() -> None:
    source, target = two_shelves(ALICE)
    target.refused_words.add("noun4")
    trial = Trial([stage_between(source, target, ALICE)])
    trial.run()
    before = target.offered["noun4"]
    trial.run()
    assert target.offered["noun4"] == before + 1


def test_a_word_left_behind_moves_as_soon_as_it_is_taken() -> None:
    source, target = two_shelves(ALICE)
    target.refused_words.add("noun4")
    trial = Trial([stage_between(source, target, ALICE)])
    trial.run()
    target.refused_words.clear()
    trial.run()
    assert moved_to(target, ALICE) == EVERYTHING
    assert trial.fates() == {Fate.COPIED: 13}


def test_a_left_behind_word_is_not_tried_again_when_its_action_is() -> None:
    source, target = two_shelves(ALICE)
    target.refused_words.add("noun0")
    target.drops.append(Drop("put", 4))
    trial = Trial([stage_between(source, target, ALICE, batch=1)], workers=1)
    trial.run()
    assert trial.told(Waiting)
    assert {event.about.partition(", ")[0] for event in trial.told(Waiting)} == {"alice@example.com"}
    assert target.offered["noun0"] == 1


def test_a_word_that_left_the_source_is_gone_and_not_missed() -> None:
    source, target = two_shelves(ALICE)
    source.vanished.add("noun4")
    trial = Trial([stage_between(source, target, ALICE)])
    result = trial.run()
    assert trial.fates() == {Fate.COPIED: 12, Fate.GONE: 1}
    assert result.ending is Ending.DONE


# -- lines that break --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", [1, 2, 4])
def test_a_line_that_breaks_while_words_are_put_loses_and_doubles_nothing(at: int, *, after: bool) -> None:
    source, target = two_shelves(ALICE)
    target.drops.append(Drop("put", at, after=after))
    trial = Trial([stage_between(source, target, ALICE)])
    trial.run()
    assert moved_to(target, ALICE) == EVERYTHING
    assert trial.fates() == {Fate.COPIED: 13}


@pytest.mark.parametrize("call", ["boxes", "index", "read", "make", "end"])
def test_a_line_that_breaks_at_any_other_call_loses_and_doubles_nothing(call: str) -> None:
    source, target = two_shelves(ALICE)
    for shelf in (source, target):
        shelf.drops += [Drop(call, 1), Drop(call, 2)]
    trial = Trial([stage_between(source, target, ALICE)])
    trial.run()
    assert moved_to(target, ALICE) == EVERYTHING
    assert trial.fates() == {Fate.COPIED: 13}


def test_a_refused_word_and_a_broken_line_together_lose_and_double_nothing() -> None:
    source, target = two_shelves(ALICE)
    target.refused_words.add("noun4")
    target.drops += [Drop("put", at, after=True) for at in (2, 4, 6)]
    trial = Trial([stage_between(source, target, ALICE, batch=5)])
    trial.run()
    assert moved_to(target, ALICE)["nouns"] == Counter(NOUNS) - Counter(["noun4"])
    assert trial.fates() == {Fate.COPIED: 12, Fate.LEFT_BEHIND: 1}


@pytest.mark.parametrize("side", Side)
def test_a_word_that_breaks_the_line_again_and_again_is_left_behind_and_the_rest_goes_on(side: Side) -> None:
    source, target = two_shelves(ALICE)
    (source if side is Side.SOURCE else target).poison.add("noun4")
    trial = Trial([stage_between(source, target, ALICE, batch=100)])
    trial.run()
    assert moved_to(target, ALICE) == {**EVERYTHING, "nouns": Counter(NOUNS) - Counter(["noun4"])}
    assert trial.fates() == {Fate.COPIED: 12, Fate.LEFT_BEHIND: 1}


def test_words_that_travelled_with_one_that_breaks_the_line_are_not_blamed() -> None:
    source, target = two_shelves(ALICE)
    target.poison.add("noun4")
    trial = Trial([stage_between(source, target, ALICE, batch=100)])
    trial.run()
    assert [outcome.key for _, outcome in trial.store.left_behind()] == ["5"]


def test_an_action_whose_line_never_holds_is_given_up_when_patience_ends() -> None:
    source, target = two_shelves(ALICE, BOB)
    target.drops += [Drop("end", at) for at in range(1, 50)]
    trial = Trial([stage_between(source, target, ALICE)], patience=5)
    result = trial.run()
    assert trial.actions()[f"{ALICE}/nouns"].status is Status.FAILED
    assert trial.actions()[f"{ALICE}/nouns"].why == "new broke the connection."
    assert (result.ending, result.codes) == (Ending.FAILED, {"dropped"})


# -- accounts and endpoints that refuse --------------------------------------------------------------------------------


@pytest.mark.parametrize("side", Side)
def test_a_wrong_password_gives_up_one_person_and_the_others_are_done(side: Side) -> None:
    source, target = two_shelves(*TEN)
    (source if side is Side.SOURCE else target).refused_people.add(TEN[3])
    result = (trial := Trial([stage_between(source, target, *TEN)])).run()
    assert all(moved_to(target, person) == EVERYTHING for person in TEN if person != TEN[3])
    assert [trouble.subject for trouble in trial.store.troubles()] == [TEN[3]]
    assert result.codes == {"login-refused"}


@pytest.mark.parametrize("side", Side)
def test_a_wrong_password_is_tried_once(side: Side) -> None:
    source, target = two_shelves(*TEN)
    refusing = source if side is Side.SOURCE else target
    refusing.refused_people.add(TEN[3])
    Trial([stage_between(source, target, *TEN), stage_between(source, target, *TEN, name="delta")]).run()
    assert refusing.tries[TEN[3]] == 1


def test_a_login_that_is_refused_in_the_middle_is_tried_once_and_stops_that_person() -> None:
    source, target = two_shelves(ALICE, BOB)

    def refuse_from_now_on(_: str) -> None:
        target.refused_people.add(ALICE)

    target.before_write = refuse_from_now_on
    target.drops += [Drop("put", at) for at in (1, 2)]
    trial = Trial([stage_between(source, target, ALICE, BOB)], workers=1)
    trial.run()
    assert [event.subject.key for event in trial.told(SubjectFailed)] == [ALICE]
    assert moved_to(target, BOB) == EVERYTHING


def test_a_trouble_is_forgotten_when_the_person_can_be_planned_again() -> None:
    source, target = two_shelves(ALICE)
    target.refused_people.add(ALICE)
    trial = Trial([stage_between(source, target, ALICE)])
    trial.run()
    target.refused_people.clear()
    assert trial.run().ending is Ending.DONE
    assert trial.store.troubles() == []


def test_a_step_begins_with_what_its_progress_goes_by() -> None:
    shelves = Shelf("old"), Shelf("new")
    trial = Trial([replace(stage_between(*shelves, ALICE), measure=Measure.ITEMS)])
    for verb in (trial.run, trial.preview):
        verb()
        assert [event.measure for event in trial.told(StageBegan)] == [Measure.ITEMS]


def test_an_endpoint_that_never_answers_is_given_up_and_every_person_is_told() -> None:
    source, target = two_shelves(*TEN)
    target.unreachable = True
    trial = Trial([stage_between(source, target, *TEN)])
    result = trial.run()
    assert {trouble.subject for trouble in trial.store.troubles()} == set(TEN)
    assert {event.subject.key for event in trial.told(SubjectFailed)} == set(TEN)
    assert result.codes == {"unreachable"}


def test_an_endpoint_that_never_answers_is_not_hammered() -> None:
    people = [f"person{n}@example.com" for n in range(300)]
    source, target = two_shelves(*people, words=1)
    target.unreachable = True
    twenty_times_as_fast = lambda: time.monotonic() * 20  # noqa: E731
    Trial([stage_between(source, target, *people)], workers=8, clock=twenty_times_as_fast).run()
    assert target.tries.total() <= 3 * target.connections[0]


def test_an_endpoint_that_refuses_all_of_us_is_asked_once_for_each_worker_at_most() -> None:
    source, target = two_shelves(*TEN)
    target.openings.extend(EndpointRefused("new does not let this address in.") for _ in TEN)
    trial = Trial([stage_between(source, target, *TEN)], workers=2)
    trial.run()
    assert target.tries.total() <= 2
    assert {trouble.subject for trouble in trial.store.troubles()} == set(TEN)


def test_an_endpoint_that_refuses_all_of_us_is_not_asked_again_by_another_route() -> None:
    source, target = two_shelves(ALICE)
    backup = Shelf("backup")
    source.openings.extend(EndpointRefused("old refuses the password.") for _ in range(3))
    trial = Trial([stage_between(source, target, ALICE), stage_between(source, backup, ALICE, name="backup")])
    trial.run()
    assert source.tries.total() == 1
    assert {(one.step, one.text) for one in trial.store.troubles()} == {
        ("words", "old refuses the password."),
        ("backup", "old refuses the password."),
    }


def test_an_endpoint_that_answered_once_is_waited_for() -> None:
    source, target = two_shelves(ALICE)
    target.drops.append(Drop("put", 1))
    trial = Trial([stage_between(source, target, ALICE)], workers=1)
    restarting = [Unreachable("new does not answer.") for _ in range(5)]
    target.before_write = lambda what: target.openings.extend(restarting) if what.startswith("make") else None
    assert trial.run().ending is Ending.DONE
    assert moved_to(target, ALICE) == EVERYTHING


@pytest.mark.parametrize("workers", [1, 2, 3, 8])
def test_everyone_is_told_once_when_an_endpoint_goes_away_in_the_middle(workers: int) -> None:
    source, target = two_shelves(*TEN)
    target.after_write = lambda what: go_away(target) if what.startswith("put") else None
    trial = Trial([stage_between(source, target, *TEN)], workers=workers, patience=10)
    trial.run()
    assert sorted(event.subject.key for event in trial.told(SubjectFailed)) == TEN
    assert sorted(trouble.subject for trouble in trial.store.troubles()) == TEN


def test_when_an_endpoint_goes_away_no_action_is_left_as_if_it_were_to_come() -> None:
    source, target = two_shelves(*TEN)
    target.after_write = lambda what: go_away(target) if what.startswith("put") else None
    trial = Trial([stage_between(source, target, *TEN)], patience=10)
    trial.run()
    assert {row.status for row in trial.store.actions()} <= {Status.DONE, Status.FAILED}


def go_away(shelf: Shelf) -> None:
    shelf.unreachable = True
    shelf.drops += [Drop("put", at) for at in range(shelf.calls["put"] + 1, 100)]


def test_a_pause_that_the_server_asks_for_is_kept() -> None:
    source, target = two_shelves(ALICE)
    target.openings.append(Unavailable("new is busy.", wait=timedelta(seconds=300)))
    trial = Trial([stage_between(source, target, ALICE)])
    trial.run()
    assert [event.seconds for event in trial.told(Waiting)] == [300]
    assert moved_to(target, ALICE) == EVERYTHING


def test_others_go_on_while_one_person_waits() -> None:
    source, target = two_shelves(ALICE, BOB)
    source.openings.append(Unavailable("old is busy.", wait=timedelta(seconds=300)))
    trial = Trial([stage_between(source, target, ALICE, BOB)], workers=1)
    trial.run()
    assert moved_to(target, ALICE) == moved_to(target, BOB) == EVERYTHING


def test_a_full_account_stops_that_person_alone() -> None:
    source, target = two_shelves(ALICE, BOB)
    source.fill(BOB, "nouns", "x" * 100)
    target.room = 100
    result = (trial := Trial([stage_between(source, target, ALICE, BOB)])).run()
    assert moved_to(target, ALICE) == EVERYTHING
    assert [trouble.subject for trouble in trial.store.troubles()] == [BOB]
    assert result.codes == {"quota"}


def test_a_person_given_up_stays_so_when_another_of_their_actions_ends_well_after_that() -> None:
    source, target = two_shelves(BOB)
    source.fill(BOB, "nouns", "x" * 100)
    target.room = 100
    trial = Trial([stage_between(source, target, BOB, batch=100)])

    begun = threading.Event()

    def wait_for_the_other(what: str) -> None:
        if not what.startswith("put"):
            return
        if "verbs" not in what:
            begun.wait(30)
            return
        begun.set()
        while not trial.told(SubjectFailed):
            time.sleep(0.005)

    target.before_write = wait_for_the_other
    trial.run()
    assert trial.actions()[f"{BOB}/verbs"].status is Status.DONE
    assert [trouble.code for trouble in trial.store.troubles()] == ["quota"]


def test_the_actions_of_a_person_given_up_are_failed_with_the_reason() -> None:
    source, target = two_shelves(BOB)
    target.room = 3
    trial = Trial([stage_between(source, target, BOB)], workers=1)
    trial.run()
    rows = [row for row in trial.store.actions() if row.status is Status.FAILED]
    assert {(row.key, row.why, row.cure) for row in rows} == {
        (f"{BOB}/{box}", f"{BOB}: the boxes on new are full.", "Make room there, then run again.")
        for box in ("nouns", "verbs")
    }


def test_an_account_that_was_full_goes_on_where_it_stopped_once_there_is_room() -> None:
    source, target = two_shelves(ALICE)
    target.room = 30
    trial = Trial([stage_between(source, target, ALICE)])
    trial.run()
    target.room = None
    trial.run()
    assert moved_to(target, ALICE) == EVERYTHING
    assert trial.fates() == {Fate.COPIED: 13}


def test_with_on_error_stop_the_next_step_does_not_begin() -> None:
    source, target = two_shelves(ALICE)
    target.refused_people.add(ALICE)
    other = Shelf("other")
    first = replace(stage_between(source, target, ALICE), stop_on_error=True)
    Trial([first, stage_between(source, other, ALICE, name="second")]).run()
    assert other.writes == []


# -- ends ---------------------------------------------------------------------------------------------------------------


def test_a_stop_is_obeyed_between_two_batches() -> None:
    source, target = two_shelves(ALICE)
    trial = Trial([stage_between(source, target, ALICE)], workers=1)
    target.after_write = lambda what: trial.stop.ask("SIGTERM") if what.startswith("put") else None
    result = trial.run()
    assert [what for what in target.writes if what.startswith("put")] == [f"put {ALICE} nouns 3"]
    assert trial.fates() == {Fate.COPIED: 3}
    assert (result.ending, result.words) == (Ending.INTERRUPTED, "SIGTERM")


def test_after_a_stop_the_next_run_does_the_rest() -> None:
    source, target = two_shelves(ALICE)
    trial = Trial([stage_between(source, target, ALICE)], workers=1)
    target.after_write = lambda what: trial.stop.ask("Ctrl-C") if what.startswith("put") else None
    trial.run()
    target.after_write = lambda _: None
    again = Trial(trial.stages, store=trial.store)
    assert again.run().ending is Ending.DONE
    assert moved_to(target, ALICE) == EVERYTHING


def test_a_batch_in_hand_is_finished_and_recorded_before_a_stop() -> None:
    source, target = two_shelves(ALICE)
    trial = Trial([stage_between(source, target, ALICE)], workers=1)

    def be_slow(what: str) -> None:
        if what.startswith("put"):
            target.answering.clear()
            threading.Timer(0.05, stop_and_answer).start()

    def stop_and_answer() -> None:
        trial.stop.ask("Ctrl-C")
        target.answering.set()

    target.before_write = be_slow
    assert trial.run().ending is Ending.INTERRUPTED
    assert trial.fates() == {Fate.COPIED: 3}
    assert not trial.store.open_batches(f"words/old>new/{ALICE}/nouns")


def test_a_stop_before_anything_is_asked_opens_no_session() -> None:
    source, target = two_shelves(ALICE)
    trial = Trial([stage_between(source, target, ALICE)])
    trial.stop.ask("Ctrl-C")
    assert trial.run().ending is Ending.INTERRUPTED
    assert source.tries.total() == target.tries.total() == 0


def test_a_stop_does_not_wait_for_the_end_of_a_pause() -> None:
    source, target = two_shelves(ALICE)
    target.openings.append(Unavailable("new is busy.", wait=timedelta(seconds=600)))
    trial = Trial([stage_between(source, target, ALICE)], clock=time.monotonic)
    asking = threading.Timer(0.1, trial.stop.ask, ["Ctrl-C"])
    asking.start()
    began = time.monotonic()
    assert trial.run().ending is Ending.INTERRUPTED
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("workers", [1, 4])
def test_a_bug_ends_the_run_and_is_raised(workers: int) -> None:
    source, target = two_shelves(*TEN)
    target.before_write = lambda _: 1 // 0
    with pytest.raises(ZeroDivisionError):
        Trial([stage_between(source, target, *TEN)], workers=workers).run()


def test_a_bug_while_reading_ahead_ends_the_run_too() -> None:
    source, target = two_shelves(ALICE)
    source.vanished = BrokenSet()
    with pytest.raises(ZeroDivisionError):
        Trial([stage_between(source, target, ALICE)]).run()


class BrokenSet(set[str]):
    def __contains__(self, _: object) -> bool:
        return bool(1 // 0)


def test_after_a_bug_the_lease_is_given_back_as_failed() -> None:
    source, target = two_shelves(ALICE)
    target.before_write = lambda _: 1 // 0
    trial = Trial([stage_between(source, target, ALICE)])
    with pytest.raises(ZeroDivisionError):
        trial.run()
    assert trial.store.current() is None
    assert (trial.store.runs()[-1].ending, trial.store.runs()[-1].exit_code) == (Ending.FAILED, 1)


def test_after_a_bug_no_thread_is_left() -> None:
    source, target = two_shelves(ALICE)
    target.before_write = lambda _: 1 // 0
    before = threading.active_count()
    with pytest.raises(ZeroDivisionError):
        Trial([stage_between(source, target, ALICE)]).run()
    assert threading.active_count() == before


def test_a_run_that_lost_its_lease_raises_that() -> None:
    source, target = two_shelves(ALICE)
    trial = Trial([stage_between(source, target, ALICE)], workers=1)
    target.before_write = lambda what: take_over(trial) if what.startswith("put") else None
    with pytest.raises(LeaseLost):
        trial.run()


def test_a_run_that_lost_its_lease_records_and_writes_nothing_more() -> None:
    source, target = two_shelves(ALICE, BOB)
    trial = Trial([stage_between(source, target, ALICE, BOB)], workers=1)
    target.before_write = lambda what: take_over(trial) if what.startswith("put") else None
    with pytest.raises(LeaseLost):
        trial.run()
    assert trial.fates() == {}
    assert len([what for what in target.writes if what.startswith("put")]) == 1
    assert trial.store.runs()[0].ending is None


def test_the_run_that_took_over_neither_loses_nor_doubles_what_was_under_way() -> None:
    source, target = two_shelves(ALICE, BOB)
    trial = Trial([stage_between(source, target, ALICE, BOB)], workers=1)
    target.before_write = lambda what: take_over(trial) if what.startswith("put") else None
    with pytest.raises(LeaseLost):
        trial.run()
    target.before_write = lambda _: None
    Trial(trial.stages, store=trial.store).run()
    assert moved_to(target, ALICE) == moved_to(target, BOB) == EVERYTHING


def test_an_action_is_running_before_anything_of_it_is_written() -> None:
    source, target = two_shelves(ALICE)
    trial = Trial([stage_between(source, target, ALICE)], workers=1)
    seen: list[Status] = []

    def look(what: str) -> None:
        if what.startswith("put"):
            seen.extend(row.status for row in trial.store.actions() if f" {row.label} " in f"{what} ")

    target.before_write = look
    trial.run()
    assert set(seen) == {Status.RUNNING}


def test_what_an_action_remembers_outlives_the_failure_of_its_try() -> None:
    source, target = two_shelves(ALICE)
    stage = stage_between(source, target, ALICE)
    trial = Trial([replace(stage, step=Remembering(stage.step))], workers=1)
    trial.run()
    assert trial.store.remembered(f"words/old>new/{ALICE}/nouns") == {"seen": "nouns"}


@dataclass(frozen=True)
class Remembering:
    """A step that remembers something of each box, and then cannot go on."""

    step: Step

    def __getattr__(self, name: str) -> object:
        return getattr(self.step, name)

    def apply(self, action: Action, work: Work) -> None:
        if "box" in action.data:
            work.remember({"seen": action.label})
            raise Refused("not today")
        self.step.apply(action, work)


def take_over(trial: Trial) -> None:
    trial.store.seize(this_process(), utc_now(), "digest", "0")


def test_a_state_without_room_stops_the_run_before_the_next_write() -> None:
    source, target = two_shelves(ALICE)
    trial = Trial([stage_between(source, target, ALICE)], workers=1)
    trial.store = FullAfter(trial.store, 2)
    with pytest.raises(StateFull):
        trial.run()
    assert len([what for what in target.writes if what.startswith("put")]) == 2


class FullAfter:
    """A store whose disk has room for so many intents."""

    def __init__(self, store: Store, intents: int) -> None:
        self._store = store
        self._intents = intents

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    @contextmanager
    def recording(self, epoch: int) -> Iterator[Records]:
        with self._store.recording(epoch) as records:
            yield cast("Records", FullRecords(records, self))

    def take_room(self) -> None:
        if not self._intents:
            raise StateFull("No room to record.")
        self._intents -= 1


class FullRecords:
    """Records on that disk."""

    def __init__(self, records: Records, store: FullAfter) -> None:
        self._records = records
        self._store = store

    def __getattr__(self, name: str) -> object:
        return getattr(self._records, name)

    def open_batch(self, ledger_key: str, fence: str, items: Sequence[Intended]) -> int:
        self._store.take_room()
        return self._records.open_batch(ledger_key, fence, items)


# -- what leaves the source ------------------------------------------------------------------------------------------------


def counted(trial: Trial) -> tuple[int, dict[Fate, int], int, int]:
    sums = trial.sums()
    return sums.total.items, {fate: size.items for fate, size in sums.by_fate.items()}, sums.departed, sums.open


def test_what_left_the_source_counts_no_more_where_nothing_else_is_to_do() -> None:
    source, target = two_shelves(ALICE)
    trial = Trial([stage_between(source, target, ALICE)])
    trial.run()
    del source.words_of(ALICE, "nouns")[3], source.words_of(ALICE, "nouns")[4]

    trial.run()

    assert counted(trial) == (11, {Fate.COPIED: 11}, 2, 0)


def test_what_left_the_source_counts_no_more_beside_what_came() -> None:
    source, target = two_shelves(ALICE)
    trial = Trial([stage_between(source, target, ALICE)])
    trial.run()
    del source.words_of(ALICE, "nouns")[3], source.words_of(ALICE, "nouns")[4]
    source.fill(ALICE, "nouns", "late")

    trial.run()

    assert counted(trial) == (12, {Fate.COPIED: 12}, 2, 0)


def test_what_comes_back_to_the_source_counts_again() -> None:
    source, target = two_shelves(ALICE)
    trial = Trial([stage_between(source, target, ALICE)])
    trial.run()
    word = source.words_of(ALICE, "nouns").pop(3)
    trial.run()
    source.words_of(ALICE, "nouns")[3] = word

    trial.run()

    assert counted(trial) == (13, {Fate.COPIED: 13}, 0, 0)
    assert len(target.words_of(ALICE, "nouns")) == 10


@pytest.mark.parametrize("also", [[], ["late"]], ids=["nothing else to do", "something new"])
def test_what_was_left_behind_and_left_the_source_is_left_behind_no_more(also: list[str]) -> None:
    source, target = two_shelves(ALICE)
    target.refused_words.add("noun2")
    trial = Trial([stage_between(source, target, ALICE)])
    assert trial.run().left_behind == 1
    del source.words_of(ALICE, "nouns")[3]
    source.fill(ALICE, "nouns", *also)

    result = trial.run()

    assert (result.ending, result.left_behind, list(trial.store.left_behind())) == (Ending.DONE, 0, [])
    assert counted(trial) == (12 + len(also), {Fate.COPIED: 12 + len(also)}, 1, 0)


def test_what_was_gone_and_is_there_again_is_copied() -> None:
    source, target = two_shelves(ALICE)
    source.vanished.add("noun1")
    trial = Trial([stage_between(source, target, ALICE)])
    trial.run()
    source.vanished.clear()
    source.fill(ALICE, "nouns", "late")

    trial.run()

    assert moved_to(target, ALICE)["nouns"] == Counter([*NOUNS, "late"])
    assert counted(trial) == (14, {Fate.COPIED: 14}, 0, 0)


def test_what_leaves_the_source_in_one_pass_after_the_other_is_added_up() -> None:
    source, target = two_shelves(ALICE)
    trial = Trial([stage_between(source, target, ALICE)])
    trial.run()
    target.refused_words.add("late")
    source.fill(ALICE, "nouns", "late")
    del source.words_of(ALICE, "nouns")[1]
    trial.run()
    del source.words_of(ALICE, "nouns")[11], source.words_of(ALICE, "verbs")[1]

    trial.run()

    assert counted(trial) == (11, {Fate.COPIED: 11}, 3, 0)


def test_a_box_that_left_the_source_counts_no_more_and_is_told() -> None:
    source, target = two_shelves(ALICE)
    target.refused_words.add("come")
    trial = Trial([stage_between(source, target, ALICE)])
    assert trial.run().left_behind == 1
    source.remove(ALICE, "verbs")

    assert trial.run().ending is Ending.DONE

    assert counted(trial) == (10, {Fate.COPIED: 10}, 3, 0)
