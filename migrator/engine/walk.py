"""The walk through one stage that preview, run and verify share: draw subjects, plan them in parallel, and know what an error means
for the action, the subject or the whole endpoint.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import field

from migrator.engine.contract import Action, Reading, Side, Subject
from migrator.engine.crew import Crew, Job
from migrator.engine.events import SubjectFailed, Tell, Waiting
from migrator.engine.lanes import Lanes, endpoint_lane
from migrator.engine.pace import Pace
from migrator.engine.patience import pause
from migrator.engine.sessions import Sessions
from migrator.engine.stage import Programme, Stage
from migrator.engine.stop import Stop
from migrator.errors import Interrupted, MigratorError, Stops, Unreachable
from migrator.frozen import dataclass

BY_HAND = "by-hand"  # the code of what is left for the admin to decide
Planned = Callable[[Job, int, Subject, Sequence[Action]], None]
GaveUp = Callable[[Job, MigratorError], None]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Everything from outside that a walk needs; tests give their own clock and chance."""

    tell: Tell
    stop: Stop
    clock: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = random.random
    room: Callable[[int], bool] = field(default_factory=lambda: Pace().room)


@dataclass(slots=True)
class Walk:
    """One stage being walked. `codes` collects the error codes met, `given_up` why a subject goes no further, by its key; `named` the keys
    of the subjects, which are all of them once the walk is `whole`.
    """

    programme: Programme
    stage: Stage
    around: Surroundings
    lanes: Lanes
    sessions: Sessions
    codes: set[str] = field(default_factory=set)
    troubles: list[tuple[Subject, MigratorError]] = field(default_factory=list)
    crew: Crew = field(init=False)
    given_up: dict[str, MigratorError] = field(default_factory=dict)
    named: set[str] = field(default_factory=set)
    whole: bool = False
    _down: MigratorError | None = None
    _telling: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.crew = Crew(self.programme.workers, self.lanes, self.around.stop, self.around.clock, self.around.room)
        # Whoever refused us for good is not asked again by a later stage: lock-outs follow.
        self._down = self.sessions.down.get((self.stage.kind, self.stage.route))

    def through(self, read: Reading, planned: Planned, gave_up: Callable[[Subject, MigratorError], None]) -> None:
        """Plan every subject and work off whatever `planned` adds to the crew."""
        self.crew.work(self._planning_jobs(read, planned, gave_up))

    def job(
        self, name: str, subject: Subject, needs: Action | Subject, run: Callable[[Job], None], gave_up: GaveUp
    ) -> Job:
        """A job of this stage that is tried again as its errors ask for, and given up untried once the endpoint is."""

        def unless_down(job: Job) -> None:
            if self._down is not None:
                raise self._down
            run(job)

        about = ", ".join(dict.fromkeys((subject.label, needs.label)))  # what is both is said once
        return Job(
            name=name,
            subject=subject.key,
            needs=self.lanes.keys(self.stage.kind, self.stage.opener, needs.lanes),
            run=unless_down,
            failed=lambda job, error: self._after(job, error, about, gave_up),
        )

    def _planning_jobs(
        self, read: Reading, planned: Planned, gave_up: Callable[[Subject, MigratorError], None]
    ) -> Iterator[Job]:
        for number, subject in enumerate(self.stage.step.subjects(read)):
            self.named.add(subject.key)

            def plan(job: Job, subject: Subject = subject, number: int = number) -> None:
                planned(job, number, subject, tuple(self.stage.step.plan(subject, read)))

            def give_up(_: Job, error: MigratorError, subject: Subject = subject) -> None:
                self.give_up_subject(subject, error)
                gave_up(subject, error)

            yield self.job(f"plan {subject.key}", subject, subject, plan, give_up)
        self.whole = True

    def give_up_subject(self, subject: Subject, error: MigratorError) -> None:
        """Tell, once, that a subject goes no further, and remember why."""
        with self._telling:  # two actions of one subject may fail in the same moment
            if subject.key in self.given_up:
                return
            self.given_up[subject.key] = error
        self.troubles.append((subject, error))
        self.around.tell(SubjectFailed(self.stage.name, subject, error.code, str(error), error.remedy))

    def _after(self, job: Job, error: MigratorError, about: str, gave_up: GaveUp) -> float | None:
        """What becomes of a job that met an error: seconds until it is tried again, or None after it was given up."""
        if isinstance(error, Interrupted):
            return None
        if error.stops is Stops.RUN:
            raise error
        if error is not self._down:
            seconds = pause(
                error,
                job.attempt,
                job.waited,
                self.programme.patience,
                reached=self._reached(),
                chance=self.around.chance,
            )
            if seconds is not None:
                if isinstance(error, Unreachable) and not self._reached():
                    self.crew.hold(seconds)
                self.around.tell(Waiting(self.stage.name, about, seconds, str(error)))
                return seconds
        self.codes.add(error.code)
        if error.stops is Stops.ENDPOINT and self._down is None:
            self._down = error
            if not error.retry:
                self.sessions.down[self.stage.kind, self.stage.route] = error
            self.crew.hurry()
        gave_up(job, error)
        return None

    def _reached(self) -> bool:
        return all(self.sessions.reached(endpoint_lane(self.stage.kind, self.stage.opener, side)) for side in Side)
