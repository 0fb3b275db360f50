"""Connection budgets: by themselves, and as servers see them during a run."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from migrator.engine.contract import Fate, Lane, Reading, Side, Subject
from migrator.engine.events import Narrowed
from migrator.engine.lanes import QUIET, Lanes
from migrator.engine.ledger import Ending
from migrator.errors import TooManyConnections
from migrator.testing.toy_room import WORDS, Shelf, ToyRoute, ToyStep, stage_between
from migrator.testing.trial import Trial

ALICE, BOB, CAROL = "alice@example.com", "bob@example.com", "carol@example.com"
PEOPLE = [f"person{n}@example.com" for n in range(12)]


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def lanes_of(in_all: int, for_one: int) -> tuple[Lanes, Clock, ToyRoute]:
    clock = Clock()
    shelves = (Shelf("old", connections=(in_all, for_one)), Shelf("new", connections=(in_all, for_one)))
    return Lanes(clock), clock, ToyRoute(*shelves)


def at_source(lanes: Lanes, route: ToyRoute, *people: str) -> Counter[str]:
    return lanes.keys("words", route, [Lane(Side.SOURCE, person) for person in people])


def test_a_full_endpoint_lets_nobody_else_in() -> None:
    lanes, _, route = lanes_of(2, 1)
    assert lanes.take(at_source(lanes, route, ALICE))
    assert lanes.take(at_source(lanes, route, BOB))
    assert not lanes.take(at_source(lanes, route, CAROL))


def test_a_full_account_lets_the_same_account_not_in_but_others() -> None:
    lanes, _, route = lanes_of(4, 1)
    assert lanes.take(at_source(lanes, route, ALICE))
    assert not lanes.take(at_source(lanes, route, ALICE))
    assert lanes.take(at_source(lanes, route, BOB))


def test_who_leaves_makes_room() -> None:
    lanes, _, route = lanes_of(1, 1)
    needs = at_source(lanes, route, ALICE)
    lanes.take(needs)
    lanes.give(needs)
    assert lanes.take(at_source(lanes, route, BOB))


def test_a_job_enters_all_its_lanes_or_none() -> None:
    lanes, _, route = lanes_of(1, 1)
    target_only = lanes.keys("words", route, [Lane(Side.TARGET, ALICE)])
    both = lanes.keys("words", route, [Lane(Side.SOURCE, BOB), Lane(Side.TARGET, BOB)])
    lanes.take(target_only)
    assert not lanes.take(both)
    assert lanes.busy("old/words") == 0


def test_a_job_wider_than_its_lane_enters_when_the_lane_is_empty() -> None:
    lanes, _, route = lanes_of(1, 1)
    wide = at_source(lanes, route, ALICE, ALICE, ALICE)
    assert lanes.take(wide)
    lanes.give(wide)
    lanes.take(at_source(lanes, route, BOB))
    assert not lanes.take(wide)


@pytest.mark.parametrize(("width", "busy", "narrowed"), [(8, 8, 4), (8, 3, 1), (8, 6, 3), (1, 1, 1), (8, 0, 1)])
def test_a_refused_connection_halves_what_was_busy(width: int, busy: int, narrowed: int) -> None:
    lanes, _, route = lanes_of(width, width)
    at_source(lanes, route, ALICE)
    for _ in range(busy):
        lanes.take(at_source(lanes, route, ALICE))
    assert lanes.narrow("old/words") == narrowed
    assert lanes.width("old/words") == narrowed


def test_after_a_quiet_time_a_lane_is_one_wider() -> None:
    lanes, clock, route = lanes_of(4, 4)
    at_source(lanes, route, ALICE)
    lanes.narrow("old/words")
    clock.now += QUIET + 1
    assert lanes.width("old/words") == 2
    assert lanes.width("old/words") == 2


def test_a_lane_is_never_wider_than_the_plan_allows() -> None:
    lanes, clock, route = lanes_of(2, 2)
    at_source(lanes, route, ALICE)
    lanes.narrow("old/words")
    for _ in range(5):
        clock.now += QUIET + 1
        width = lanes.width("old/words")
    assert width == 2


# -- as servers see it -------------------------------------------------------------------------------------------------


def two_shelves(**target: object) -> tuple[Shelf, Shelf]:
    source, target_shelf = Shelf("old", connections=(20, 20)), Shelf("new", **target)
    for person in PEOPLE:
        for box in ("nouns", "verbs", "names"):
            source.fill(person, box, *(f"{box}{n}" for n in range(6)))
    return source, target_shelf


def all_moved(source: Shelf, target: Shelf) -> bool:
    return all(target.contents(person) == source.contents(person) for person in PEOPLE)


@pytest.mark.parametrize("in_all", [1, 3])
def test_never_more_sessions_than_the_plan_allows(in_all: int) -> None:
    source, target = two_shelves(connections=(in_all, in_all))
    Trial([stage_between(source, target, *PEOPLE)], workers=12).run()
    assert target.most_sessions <= in_all
    assert all_moved(source, target)


def test_never_more_sessions_for_one_account_than_the_plan_allows() -> None:
    source, target = two_shelves(connections=(12, 1))
    Trial([stage_between(source, target, *PEOPLE)], workers=12).run()
    assert target.most_of_one_person == 1
    assert all_moved(source, target)


def test_a_server_that_bears_fewer_connections_than_planned_gets_them_and_everything_moves() -> None:
    source, target = two_shelves(connections=(8, 8), bears=2)
    trial = Trial([stage_between(source, target, *PEOPLE)], workers=12)
    result = trial.run()
    assert all_moved(source, target)
    assert trial.fates() == {Fate.COPIED: 12 * 3 * 6}
    assert (result.ending, result.codes) == (Ending.DONE, frozenset())


def test_a_narrowed_lane_is_told() -> None:
    source, target = two_shelves(connections=(8, 8), bears=2)
    trial = Trial([stage_between(source, target, *PEOPLE)], workers=12)
    trial.run()
    narrowed = trial.told(Narrowed)
    assert {event.endpoint for event in narrowed} == {"new/words"}
    assert min(event.width for event in narrowed) <= 2


def test_a_pause_that_comes_with_too_many_connections_is_kept() -> None:
    source, target = two_shelves(connections=(2, 2))
    target.openings.append(TooManyConnections("new bears no more.", wait=timedelta(seconds=30)))
    assert Trial([stage_between(source, target, *PEOPLE)]).run().ending is Ending.DONE
    assert all_moved(source, target)


@dataclass(frozen=True, slots=True)
class ListedAtTheSource(ToyStep):
    """Subjects are those that a first session tells of, as where a panel is asked who lives there."""

    def subjects(self, read: Reading) -> Iterator[Subject]:
        with read.source(WORDS, ALICE) as source:
            source.boxes()
        yield from ToyStep.subjects(self, read)


def test_a_step_may_open_a_session_to_list_its_subjects() -> None:
    source, target = two_shelves()
    usual = stage_between(source, target, *PEOPLE)
    Trial([replace(usual, step=ListedAtTheSource(usual.step.accounts))]).run()
    assert all_moved(source, target)
