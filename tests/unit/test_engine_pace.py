"""How many jobs at once are worth it."""

from __future__ import annotations

from migrator.engine.pace import BUSY, ENOUGH, LOOK, Pace


class Machine:
    """A clock, and how much of its time the program computes."""

    def __init__(self) -> None:
        self.time = 100.0
        self.used = 7.0
        self.pace = Pace(lambda: self.time, lambda: self.used)

    def go_on(self, share: float, seconds: float = 1.01 * LOOK) -> None:
        self.time += seconds
        self.used += share * seconds


def test_two_jobs_begin_without_a_look() -> None:
    pace = Machine().pace
    assert [pace.room(running) for running in range(ENOUGH + 1)] == [True, True, False]


def test_where_the_program_waits_there_is_room_for_one_more_each_time() -> None:
    machine = Machine()
    for running in range(ENOUGH, 8):
        assert not machine.pace.room(running)
        machine.go_on(0.3)
        assert machine.pace.room(running)


def test_where_the_program_computes_there_is_none() -> None:
    machine = Machine()
    for _ in range(20):
        machine.go_on(0.95)
        assert not machine.pace.room(ENOUGH)


def test_a_busy_start_leaves_room_later() -> None:
    machine = Machine()
    machine.go_on(1.0, 0.5)
    assert not machine.pace.room(ENOUGH)
    machine.go_on(0.2)
    assert machine.pace.room(ENOUGH)


def test_room_that_brings_nothing_is_given_up_again() -> None:
    machine = Machine()
    for running in (ENOUGH, ENOUGH + 1):
        machine.go_on(0.3)
        assert machine.pace.room(running)
    for _ in range(5):
        machine.go_on(0.99)
        machine.pace.room(ENOUGH + 1)
    assert not machine.pace.room(ENOUGH)
    assert machine.pace.room(ENOUGH - 1)


def test_room_that_nobody_takes_does_not_grow() -> None:
    machine = Machine()
    machine.go_on(0.3)
    machine.pace.room(ENOUGH)
    for _ in range(5):
        machine.go_on(0.3)
        assert machine.pace.room(ENOUGH)
    assert not machine.pace.room(ENOUGH + 1)


def test_what_was_computed_before_the_second_job_does_not_count() -> None:
    machine = Machine()
    machine.go_on(1.0, 10.0)
    assert machine.pace.room(ENOUGH - 1)
    machine.go_on(BUSY / 2)
    assert machine.pace.room(ENOUGH)


def test_a_glance_is_no_look() -> None:
    machine = Machine()
    machine.go_on(0.1, LOOK / 2)
    assert not machine.pace.room(ENOUGH)
