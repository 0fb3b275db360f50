"""The workers by themselves: what runs when, and what ends them."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from migrator.engine.contract import Lane, Side
from migrator.engine.crew import AHEAD, Crew, Job
from migrator.engine.lanes import Lanes
from migrator.engine.stop import Stop
from migrator.errors import Dropped, LeaseLost, MigratorError
from migrator.testing.toy_room import Shelf, ToyRoute

NO_LANES: Counter[str] = Counter()


class Log:
    """Names of jobs in the order in which they ran."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def job(
        self,
        name: str,
        *,
        weight: int = 0,
        after: tuple[str, ...] = (),
        needs: Counter[str] = NO_LANES,
        does: Callable[[Job], None] = lambda _: None,
        failed: Callable[[Job, MigratorError], float | None] = lambda _job, _error: None,
    ) -> Job:
        def run(job: Job) -> None:
            self.names.append(name)
            does(job)

        return Job(name, name, needs, run, failed, weight, frozenset(after))


def crew_of(workers: int, *, stop: Stop | None = None, lanes: Lanes | None = None) -> Crew:
    return Crew(workers, lanes or Lanes(time.monotonic), stop or Stop(), time.monotonic)


def a_crew_works_on(*jobs: Job, workers: int = 1) -> None:
    crew = crew_of(workers)
    crew.add(list(jobs))
    crew.work(iter(()))


def broken_line(_: Job) -> None:
    raise Dropped("The line broke.")


def test_the_largest_job_goes_first() -> None:
    log = Log()
    a_crew_works_on(log.job("small", weight=1), log.job("large", weight=100), log.job("middle", weight=10))
    assert log.names == ["large", "middle", "small"]


def test_jobs_of_one_size_go_in_the_order_they_came() -> None:
    log = Log()
    a_crew_works_on(*(log.job(name) for name in "bca"))
    assert log.names == ["b", "c", "a"]


@pytest.mark.parametrize("workers", [1, 4])
def test_a_job_waits_for_those_it_comes_after(workers: int) -> None:
    log = Log()
    slow = log.job("first", does=lambda _: time.sleep(0.05))
    a_crew_works_on(log.job("third", weight=9, after=("first", "second")), slow, log.job("second"), workers=workers)
    assert log.names[-1] == "third"


def test_a_job_comes_after_another_that_is_still_being_tried_again() -> None:
    log = Log()
    twice = log.job("first", does=lambda job: broken_line(job) if job.attempt == 1 else None, failed=lambda *_: 0.02)
    a_crew_works_on(twice, log.job("second", after=("first",)))
    assert log.names == ["first", "first", "second"]


def test_jobs_that_a_job_adds_are_done_too() -> None:
    log, crew = Log(), crew_of(2)
    crew.work(iter([log.job("plan", does=lambda _: crew.add([log.job("copy"), log.job("copy too")]))]))
    assert sorted(log.names) == ["copy", "copy too", "plan"]


def test_the_stream_is_drawn_from_only_while_little_else_waits() -> None:
    """Planning cannot run away from doing: with enough work at hand, even work that cannot start yet, no subject is drawn."""
    log, stop = Log(), Stop()
    crew = crew_of(1, stop=stop)
    drawn: list[int] = []

    def much_to_do(_: Job) -> None:
        later = [log.job(f"copy {n}") for n in range(AHEAD)]
        for job in later:
            job.not_before = time.monotonic() + 3600
        crew.add(later)
        threading.Timer(0.1, stop.ask, ["enough"]).start()

    def subjects() -> Iterator[Job]:
        for number in range(100):
            drawn.append(number)
            yield log.job(f"plan {number}", does=much_to_do)

    crew.work(subjects())
    assert drawn == [0]


def test_a_job_that_waits_to_be_tried_again_keeps_nobody_else_waiting() -> None:
    log = Log()
    failing = log.job("failing", weight=9, does=lambda job: broken_line(job) if job.attempt == 1 else None)
    failing.failed = lambda *_: 0.05
    a_crew_works_on(failing, log.job("other"))
    assert log.names == ["failing", "other", "failing"]


def test_what_a_job_waited_is_summed() -> None:
    log = Log()
    job = log.job("failing", does=broken_line, failed=lambda job, _: 0.02 if job.attempt < 3 else None)
    a_crew_works_on(job)
    assert (job.attempt, round(job.waited, 2)) == (3, 0.04)


def test_a_job_that_was_given_up_is_not_run_again() -> None:
    log = Log()
    a_crew_works_on(log.job("hopeless", does=broken_line), log.job("other"))
    assert log.names == ["hopeless", "other"]


def test_dropped_jobs_do_not_run() -> None:
    log, crew = Log(), crew_of(1)
    crew.add([log.job("wanted"), log.job("unwanted")])
    assert [job.name for job in crew.drop(lambda job: job.name == "unwanted")] == ["unwanted"]
    crew.work(iter(()))
    assert log.names == ["wanted"]


def test_nobody_waits_for_a_dropped_job() -> None:
    log, crew = Log(), crew_of(1)
    crew.add([log.job("unwanted"), log.job("waiting", after=("unwanted",))])
    crew.drop(lambda job: job.name == "unwanted")
    crew.work(iter(()))
    assert log.names == ["waiting"]


def test_hurrying_ends_every_wait() -> None:
    log, crew = Log(), crew_of(1)
    failing = log.job("failing", weight=9, does=lambda job: broken_line(job) if job.attempt == 1 else None)
    failing.failed = lambda *_: 3600.0
    crew.add([failing, log.job("other", does=lambda _: crew.hurry())])
    crew.work(iter(()))
    assert log.names == ["failing", "other", "failing"]


def test_while_the_stream_is_held_nothing_is_drawn_from_it() -> None:
    log, crew = Log(), crew_of(1)
    began: dict[str, float] = {}

    def held(_: Job) -> None:
        crew.hold(0.1)
        began["held"] = time.monotonic()

    crew.add([log.job("known", does=held)])
    crew.work(iter([log.job("new", does=lambda _: began.update(new=time.monotonic()))]))
    assert began["new"] - began["held"] >= 0.09


@pytest.mark.parametrize("workers", [1, 4])
def test_a_stop_ends_the_crew_with_jobs_left_undone(workers: int) -> None:
    log, stop = Log(), Stop()
    crew = crew_of(workers, stop=stop)
    crew.add([log.job("last", weight=9, does=lambda _: stop.ask("Ctrl-C")), *(log.job(f"n{n}") for n in range(20))])
    crew.work(iter(()))
    assert len(log.names) <= workers


def test_a_stop_waits_for_the_jobs_in_hand() -> None:
    stop, ended = Stop(), []
    crew = crew_of(2, stop=stop)

    def finish(_: Job) -> None:
        assert stop.wait(5)
        time.sleep(0.05)
        ended.append("in hand")

    crew.add([Log().job("in hand", weight=9, does=finish), Log().job("stops", does=lambda _: stop.ask("Ctrl-C"))])
    crew.work(iter(()))
    assert ended == ["in hand"]


def test_a_bug_in_a_job_is_raised_where_the_crew_was_started() -> None:
    with pytest.raises(ZeroDivisionError):
        a_crew_works_on(Log().job("buggy", does=lambda _: 1 // 0), workers=3)


def test_an_error_that_ends_the_run_is_raised_where_the_crew_was_started() -> None:
    def lost(_job: Job, _error: MigratorError) -> float | None:
        raise LeaseLost("Another run took over.")

    with pytest.raises(LeaseLost):
        a_crew_works_on(Log().job("any", does=broken_line, failed=lost), workers=3)


def test_an_error_of_the_stream_is_raised_where_the_crew_was_started() -> None:
    def subjects() -> Iterator[Job]:
        raise Dropped("The list of subjects broke off.")
        yield

    with pytest.raises(Dropped):
        crew_of(2).work(subjects())


def test_after_a_bug_no_further_job_starts() -> None:
    log = Log()
    with pytest.raises(ZeroDivisionError):
        a_crew_works_on(log.job("buggy", weight=9, does=lambda _: 1 // 0), log.job("other"))
    assert log.names == ["buggy"]


def test_a_job_that_fails_leaves_its_lanes_to_others() -> None:
    lanes, log = Lanes(time.monotonic), Log()
    route = ToyRoute(Shelf("old", connections=(1, 1)), Shelf("new", connections=(1, 1)))
    needs = lanes.keys("words", route, [Lane(Side.SOURCE, "alice@example.com")])
    crew = crew_of(2, lanes=lanes)
    crew.add([log.job("failing", weight=9, needs=needs, does=broken_line), log.job("other", needs=needs)])
    crew.work(iter(()))
    assert log.names == ["failing", "other"]


def test_no_more_jobs_at_once_than_there_is_room_for() -> None:
    most, running, guard = [0], [0], threading.Lock()

    def does(_: Job) -> None:
        with guard:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.01)
        with guard:
            running[0] -= 1

    log = Log()
    crew = Crew(6, Lanes(time.monotonic), Stop(), time.monotonic, lambda running: running < 2)
    crew.add([log.job(str(number), does=does) for number in range(12)])
    crew.work(iter(()))

    assert len(log.names) == 12
    assert most[0] == 2


def test_room_is_taken_as_soon_as_there_is_some() -> None:
    together = threading.Barrier(4, timeout=20)
    room = [2]

    def does(_: Job) -> None:
        room[0] = 4
        together.wait()

    log = Log()
    crew = Crew(4, Lanes(time.monotonic), Stop(), time.monotonic, lambda running: running < room[0])
    crew.add([log.job(str(number), does=does) for number in range(4)])
    crew.work(iter(()))

    assert len(log.names) == 4
