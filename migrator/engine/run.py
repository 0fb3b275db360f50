"""A run: plan a subject, apply its actions, subject by subject in parallel, stage after stage; every outcome is in the store before
it is told. Resuming is running again: nothing here asks where the last run stopped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from migrator.engine.contract import Action, Restores, Subject, Verb
from migrator.engine.crew import Job
from migrator.engine.departed import Listing, left_since
from migrator.engine.events import (
    ActionBegan,
    ActionEnded,
    Noted,
    RunBegan,
    RunEnded,
    StageBegan,
    SubjectFailed,
    SubjectPlanned,
)
from migrator.engine.lanes import Lanes
from migrator.engine.lease import lease_held, utc_now
from migrator.engine.ledger import DEPARTED, UNCOUNTED, ActionRow, Claim, Ending, Status, Store, SubjectTrouble, Tally
from migrator.engine.named import keep_named, mark, others_of, take_out
from migrator.engine.sessions import Sessions
from migrator.engine.stage import Programme, Stage, Verification
from migrator.engine.verify import verify_stages
from migrator.engine.walk import BY_HAND, Surroundings, Walk
from migrator.engine.work import ActionWork, Desk, StageReading
from migrator.errors import MigratorError, Stops
from migrator.frozen import dataclass

IDLE = (Verb.KEEP, Verb.BY_HAND)
AT_FIRST = {Verb.KEEP: Status.KEPT, Verb.BY_HAND: Status.FAILED}
RESTORING = "restore"


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended. `codes` are the error codes of whatever was given up, `words` what an interrupted run was told."""

    ending: Ending
    codes: frozenset[str]
    left_behind: int
    differences: int
    words: str = ""


def run(
    programme: Programme,
    store: Store,
    claim: Claim,
    around: Surroundings,
    exit_code: Callable[[RunResult], int],
    now: Callable[[], datetime] = utc_now,
) -> RunResult:
    """Do the programme under the lease of `claim` and close the run. Raises what stops a whole run (no room for the state, a lost
    lease), after recording as much of the end as can be recorded.
    """
    lanes = Lanes(around.clock)
    desk = Desk(store, claim.run.epoch, Sessions(lanes, around.tell, around.clock), around.stop, around.tell)
    desk.noted.update(ledger_key for _, ledger_key, origin, _ in store.findings() if origin == "run")
    around.tell(RunBegan(claim, store.tally()))
    with lease_held(desk, now) as end:
        codes, differences = _run_stages(programme, desk, lanes, around)
        tally = store.tally()
        result = _result(tally, around, codes, differences)
        end(result.ending, exit_code(result), result.words)
    around.tell(RunEnded(result.ending, exit_code(result), tally))
    return result


def _run_stages(programme: Programme, desk: Desk, lanes: Lanes, around: Surroundings) -> tuple[set[str], int]:
    codes: set[str] = set()
    try:
        differences = _walk_stages(programme, desk, lanes, around, codes)
    finally:
        _restore(programme, desk, around, codes)
    return codes, differences


def _restore(programme: Programme, desk: Desk, around: Surroundings, codes: set[str]) -> None:
    """What steps changed at the source for the time of the run is put back. What cannot be is told; the next run tries again."""
    for stage in programme.stages:
        if isinstance(stage, Stage) and isinstance(stage.step, Restores):
            subject = Subject(RESTORING, "the source")
            job = Job(RESTORING, RESTORING, Counter(), run=lambda _: None, failed=lambda _job, _error: None)
            try:
                stage.step.restore(ActionWork(stage, subject, Action(RESTORING, Verb.CHANGE, RESTORING), job, desk))
            except MigratorError as error:
                codes.add(error.code)
                around.tell(SubjectFailed(stage.name, subject, error.code, str(error), error.remedy))


def _walk_stages(programme: Programme, desk: Desk, lanes: Lanes, around: Surroundings, codes: set[str]) -> int:
    """Do the stages in order; the codes of what was given up go to `codes`. Answers how many differences were found."""
    differences = 0
    behind: list[Stage] = []
    named: dict[tuple[str, str], set[str]] = {}
    take_out(desk.store, desk.epoch, programme)
    for stage in programme.stages:
        if around.stop.asked:
            break
        if isinstance(stage, Verification):
            compared = verify_stages(programme, behind, stage, desk, lanes, around)
            codes |= compared.codes
            differences += compared.differences
            continue
        stage_run = _StageRun(stage, desk, Walk(programme, stage, around, lanes, desk.sessions))
        stage_run.go()
        codes |= stage_run.walk.codes
        behind.append(stage)
        if stage_run.walk.whole and not around.stop.asked:
            so_far = named.setdefault((stage.kind, stage.route), set())
            so_far |= stage_run.walk.named
            keep_named(desk.store, desk.epoch, stage, so_far, others_of(programme, behind))
        desk.sessions.learn_of(stage, StageReading(stage, desk.sessions, desk.store))
        if stage.stop_on_error and stage_run.walk.codes:
            break
    return differences


def _result(tally: Tally, around: Surroundings, codes: set[str], differences: int) -> RunResult:
    left_behind = tally.left_behind
    if around.stop.asked:
        ending = Ending.INTERRUPTED
    elif codes:
        ending = Ending.FAILED
    else:
        ending = Ending.LEFT_BEHIND if left_behind else Ending.DONE
    return RunResult(ending, frozenset(codes), left_behind, differences, around.stop.words)


@dataclass(slots=True)
class _StageRun:
    """One stage of a run."""

    stage: Stage
    desk: Desk
    walk: Walk

    def go(self) -> None:
        self.desk.tell(StageBegan(self.stage.name, self.stage.kind, self.stage.route, measure=self.stage.measure))
        read = StageReading(self.stage, self.desk.sessions, self.desk.store)
        self.walk.through(read, self._planned, self._subject_given_up)

    def _planned(self, _: Job, number: int, subject: Subject, actions: Sequence[Action]) -> None:
        rows = [self._row(number, place, subject, action) for place, action in enumerate(actions)]
        self.desk.store.planned(self.desk.epoch, rows)
        mark(self.desk.store, self.desk.epoch, self.stage.ledger_key(subject.key), named=True)
        self._keep_uncounted(actions)
        self.desk.tell(SubjectPlanned(self.stage.name, subject, tuple(actions)))
        for action in actions:
            if action.verb is Verb.KEEP and action.present is not None:
                self._take_off_books(self.stage.ledger_key(action.key), action.present, action.total.items)
            if action.verb is Verb.KEEP and action.told:
                self._keep_told(subject, action)
            if action.verb is Verb.BY_HAND:
                self.walk.codes.add(BY_HAND)
                self.desk.tell(ActionEnded(self.stage.name, subject.key, action, Status.FAILED, action.why))
        self.walk.crew.add(
            [
                self._job(subject, action, row)
                for action, row in zip(actions, rows, strict=True)
                if action.verb not in IDLE
            ]
        )

    def _keep_uncounted(self, actions: Sequence[Action]) -> None:
        """Remember which actions are only told of and were not counted: nought and not counted are the same number in their rows."""
        for action in actions:
            if action.verb is Verb.KEEP and not action.total.items:
                ledger_key = self.stage.ledger_key(action.key)
                uncounted = "" if action.lanes else "yes"
                if uncounted != self.desk.store.remembered(ledger_key).get(UNCOUNTED, ""):
                    self.desk.store.remember(self.desk.epoch, ledger_key, {UNCOUNTED: uncounted})

    def _keep_told(self, subject: Subject, action: Action) -> None:
        ledger_key = self.stage.ledger_key(action.key)
        self.desk.store.found(self.desk.epoch, self.stage.name, ledger_key, "run", action.told)
        self.desk.noted.add(ledger_key)
        for finding in action.told:
            self.desk.tell(Noted(self.stage.name, finding, subject.key))

    def _take_off_books(self, ledger_key: str, present: Collection[str], items: int) -> None:
        """Record what has left the source of an action with which nothing is to be done."""
        store = self.desk.store
        left = left_since(store, ledger_key, Listing(present), items)
        if left.gone or left.fact != store.remembered(ledger_key).get(DEPARTED, ""):
            with store.recording(self.desk.epoch) as records:
                records.record(ledger_key, left.gone)
                records.remember(ledger_key, {DEPARTED: left.fact})

    def _row(self, number: int, place: int, subject: Subject, action: Action) -> ActionRow:
        return ActionRow(
            ledger_key=self.stage.ledger_key(action.key),
            step=self.stage.name,
            subject=subject.key,
            subject_label=subject.label,
            key=action.key,
            verb=action.verb,
            label=action.label,
            why=action.why,
            size=action.size,
            total=action.total,
            status=AT_FIRST.get(action.verb, Status.PLANNED),
            run=self.desk.epoch,
            position=number * 100_000 + place,
        )

    def _job(self, subject: Subject, action: Action, row: ActionRow) -> Job:
        job = self.walk.job(
            row.ledger_key,
            subject,
            action,
            run=lambda job: self._apply(job, subject, action, row),
            gave_up=lambda _, error: self._action_given_up(subject, action, row, error),
        )
        job.after = frozenset(map(self.stage.ledger_key, action.after))
        job.weight = action.size.bytes or action.size.items
        return job

    def _apply(self, job: Job, subject: Subject, action: Action, row: ActionRow) -> None:
        self.desk.tell(ActionBegan(row.step, subject.key, action, job.attempt))
        work = ActionWork(self.stage, subject, action, job, self.desk)
        try:
            self.stage.step.apply(action, work)
        except MigratorError as error:
            if error.stops is not Stops.RUN:
                work.break_off()
            raise
        work.close()
        self.desk.tell(ActionEnded(row.step, subject.key, action, Status.DONE))

    def _action_given_up(self, subject: Subject, action: Action, row: ActionRow, error: MigratorError) -> None:
        self._failed(subject, action, row.ledger_key, error)
        if error.stops >= Stops.SUBJECT:
            self.walk.give_up_subject(subject, error)
            self._subject_given_up(subject, error)
        if error.stops is Stops.SUBJECT:  # what stops more is met by each waiting job itself
            for job in self.walk.crew.drop(lambda job: job.subject == subject.key):
                job.failed(job, error)

    def _failed(self, subject: Subject, action: Action, ledger_key: str, error: MigratorError) -> None:
        self.desk.store.progressed(
            self.desk.epoch, self.stage.name, ledger_key, Status.FAILED, why=str(error), cure=error.remedy
        )
        self.desk.tell(ActionEnded(self.stage.name, subject.key, action, Status.FAILED, str(error), error.remedy))

    def _subject_given_up(self, subject: Subject, error: MigratorError) -> None:
        trouble = SubjectTrouble(
            self.stage.name,
            subject.key,
            subject.label,
            error.code,
            str(error),
            error.remedy,
            self.desk.epoch,
            self.stage.ledger_key(subject.key),
        )
        self.desk.store.trouble(self.desk.epoch, trouble)
