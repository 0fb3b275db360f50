"""How long to wait before another try: a function of the error, of the tries so far and of what was waited already."""

from datetime import timedelta

import pytest

from migrator.engine.patience import FIRST, LONGEST, NEVER_SEEN, pause
from migrator.errors import Dropped, LoginRefused, MigratorError, Misbehaved, Refused, Unavailable, Unreachable

PATIENCE = 900.0


def pause_before_next(
    error: MigratorError, attempt: int = 1, waited: float = 0.0, *, reached: bool = True, chance: float = 0.0
) -> float | None:
    return pause(error, attempt, waited, PATIENCE, reached=reached, chance=lambda: chance)


@pytest.mark.parametrize("error", [LoginRefused, Misbehaved, Refused])
def test_an_error_that_waiting_cannot_help_is_not_tried_again(error: type[MigratorError]) -> None:
    assert pause_before_next(error("No.")) is None


def test_pauses_double() -> None:
    assert [pause_before_next(Dropped("Gone."), attempt) for attempt in (1, 2, 3, 4)] == [1, 2, 4, 8]


def test_no_pause_of_our_own_is_longer_than_the_longest() -> None:
    assert pause_before_next(Dropped("Gone."), attempt=100) == LONGEST


def test_chance_spreads_workers_by_up_to_a_quarter() -> None:
    assert pause_before_next(Dropped("Gone."), chance=1.0) == FIRST * 1.25


def test_a_pause_that_the_server_asks_for_is_obeyed() -> None:
    assert pause_before_next(Unavailable("Busy.", wait=timedelta(minutes=5))) == 300


def test_a_shorter_wish_of_the_server_does_not_shorten_our_own_pause() -> None:
    assert pause_before_next(Unavailable("Busy.", wait=timedelta(seconds=1)), attempt=4) == 8


def test_a_pause_is_cut_to_what_is_left_of_patience() -> None:
    assert pause_before_next(Unavailable("Busy.", wait=timedelta(hours=9)), waited=PATIENCE - 7) == 7


def test_when_patience_is_over_it_is_given_up() -> None:
    assert pause_before_next(Dropped("Gone."), waited=PATIENCE) is None


def test_an_endpoint_that_never_answered_is_given_up_after_few_tries() -> None:
    tries = [pause_before_next(Unreachable("Silent."), attempt, reached=False) for attempt in range(1, NEVER_SEEN + 2)]
    assert None not in tries[:-1]
    assert tries[-1] is None


def test_an_endpoint_that_answered_once_is_waited_for() -> None:
    assert pause_before_next(Unreachable("Silent."), NEVER_SEEN + 5, reached=True) is not None


def test_other_troubles_of_an_endpoint_that_never_answered_are_waited_for() -> None:
    assert pause_before_next(Unavailable("Starting."), NEVER_SEEN + 5, reached=False) is not None
