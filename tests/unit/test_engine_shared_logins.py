"""A login that opens everybody's account at an endpoint: refused, it is not tried once for each of them."""

from __future__ import annotations

import time

import pytest

from migrator.engine.contract import Side
from migrator.engine.events import SubjectFailed
from migrator.errors import LoginRefused, NotLetIn, Unreachable
from migrator.testing.toy_room import Shelf, stage_between
from migrator.testing.trial import Trial

PEOPLE = [f"person{n}@example.com" for n in range(20)]
KEY = "the key of the porter"


def two_shelves() -> tuple[Shelf, Shelf]:
    source, target = Shelf("old", connections=(8, 4)), Shelf("new", connections=(8, 4))
    for shelf in (source, target):
        shelf.opens_all = KEY
    for person in PEOPLE:
        source.fill(person, "nouns", "one", "two")
    return source, target


def moved(target: Shelf) -> set[str]:
    return {person for person in PEOPLE if target.contents(person)}


def answers_slowly(shelf: Shelf) -> None:
    """Logins of several workers are under way together, unless each has its turn."""
    shelf.before_login = lambda _: time.sleep(0.02)


@pytest.mark.parametrize("side", Side)
def test_refused_to_all_it_is_tried_twice_by_all_workers_and_steps_together(side: Side) -> None:
    source, target = two_shelves()
    refusing = source if side is Side.SOURCE else target
    refusing.refused_people.update(PEOPLE)
    steps = [stage_between(source, target, *PEOPLE), stage_between(source, target, *PEOPLE, name="delta")]
    trial = Trial(steps, workers=8)
    answers_slowly(refusing)
    result = trial.run()
    assert refusing.tries.total() == 2
    assert result.codes == {"login-refused"}
    assert {trouble.subject for trouble in trial.store.troubles()} == set(PEOPLE)


def test_a_preview_tries_it_no_oftener() -> None:
    source, target = two_shelves()
    source.refused_people.update(PEOPLE)
    answers_slowly(source)
    Trial([stage_between(source, target, *PEOPLE)], workers=8).preview()
    assert source.tries.total() == 2


def test_who_was_spared_is_told_in_one_sentence_whom_it_was_tried_for() -> None:
    source, target = two_shelves()
    source.refused_people.update(PEOPLE)
    trial = Trial([stage_between(source, target, *PEOPLE)], workers=1)
    trial.run()
    told = {event.subject.key: event for event in trial.told(SubjectFailed)}
    assert told[PEOPLE[0]].text == f"{PEOPLE[0]}: old refused the password."
    assert told[PEOPLE[9]].text == (
        f"{PEOPLE[9]}: {KEY} was refused at old for {PEOPLE[0]} and {PEOPLE[1]}, and is not tried a third time."
    )
    assert told[PEOPLE[9]].remedy == (
        f"Correct it, then run again. If it is right, {PEOPLE[0]} and {PEOPLE[1]} cannot be opened there: take them out of the plan."
    )


@pytest.mark.parametrize("missing", [PEOPLE[:1], PEOPLE[1:], PEOPLE[5:8], PEOPLE[19:]], ids=len)
def test_who_is_not_there_is_alone_once_it_opened_somebody(missing: list[str]) -> None:
    source, target = two_shelves()
    target.refused_people.update(missing)
    Trial([stage_between(source, target, *PEOPLE)], workers=1).run()
    assert moved(target) == set(PEOPLE) - set(missing)
    assert all(target.tries[person] == 1 for person in missing)


def test_who_cannot_be_opened_by_a_login_that_is_right_costs_nobody_else_anything() -> None:
    source, target = two_shelves()
    for person in PEOPLE[:3]:
        source.openings.append(NotLetIn(f"{person}: old has no such person."))
    Trial([stage_between(source, target, *PEOPLE)], workers=1).run()
    assert moved(target) == set(PEOPLE[3:])


def test_an_endpoint_that_does_not_answer_is_not_waited_for_by_one_worker_after_the_other() -> None:
    source, target = two_shelves()
    source.unreachable = True
    answers_slowly(source)
    result = Trial([stage_between(source, target, *PEOPLE)], workers=8, patience=0).run()
    assert result.codes == {Unreachable.code}
    assert source.tries.total() < 4  # a worker may begin between the end of a try and the news of it


def test_at_another_endpoint_it_is_another() -> None:
    source, target = two_shelves()
    other = Shelf("other")
    other.opens_all = KEY
    source.refused_people.update(PEOPLE)
    other.fill(PEOPLE[0], "nouns", "one")
    Trial([stage_between(source, target, *PEOPLE), stage_between(other, target, PEOPLE[0], name="again")]).run()
    assert moved(target) == {PEOPLE[0]}


def test_where_everybody_has_a_login_of_their_own_each_is_tried() -> None:
    source, target = two_shelves()
    source.opens_all = ""
    source.refused_people.update(PEOPLE)
    Trial([stage_between(source, target, *PEOPLE)]).run()
    assert source.tries == dict.fromkeys(PEOPLE, 1)


def test_it_is_a_refused_login_all_the_same() -> None:
    assert issubclass(NotLetIn, LoginRefused)
    assert NotLetIn.code == LoginRefused.code
