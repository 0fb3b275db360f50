"""Verification: plan again by reading, then let each step compare what its actions left on both sides. What a run gave up before
anything of it was moved is not compared item by item: that it was not moved is known, and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from migrator.engine.contract import Action, Finding, Subject, Verb, Weight, prepares
from migrator.engine.crew import Job
from migrator.engine.events import Noted, StageBegan, SubjectPlanned, Verified
from migrator.engine.lanes import Lanes
from migrator.engine.lease import lease_held, utc_now
from migrator.engine.ledger import VERIFIED, ActionRow, Claim, Ending, Status, Store
from migrator.engine.sessions import Sessions
from migrator.engine.stage import Programme, Stage, Verification
from migrator.engine.walk import Surroundings, Walk
from migrator.engine.work import Desk, StageReading
from migrator.errors import MigratorError


@dataclass(slots=True)
class VerifyResult:
    """What was compared: actions, the items in them, and how many findings are differences. `not_moved` are the actions that a run gave
    up before anything was moved.
    """

    actions: int = 0
    items: int = 0
    differences: int = 0
    not_moved: int = 0
    codes: frozenset[str] = frozenset()


def verify(
    programme: Programme,
    store: Store,
    claim: Claim,
    wanted: Verification,
    around: Surroundings,
    exit_code: Callable[[VerifyResult], int],
    now: Callable[[], datetime] = utc_now,
) -> VerifyResult:
    """Compare all stages of the programme under the lease of `claim`, and give it back."""
    lanes = Lanes(around.clock)
    desk = Desk(store, claim.run.epoch, Sessions(lanes, around.tell, around.clock), around.stop, around.tell)
    stages = [stage for stage in programme.stages if isinstance(stage, Stage)]
    with lease_held(desk, now) as end:
        result = verify_stages(programme, stages, wanted, desk, lanes, around)
        end(Ending.INTERRUPTED if around.stop.asked else Ending.DONE, exit_code(result), around.stop.words)
    return result


def verify_stages(
    programme: Programme, stages: Sequence[Stage], wanted: Verification, desk: Desk, lanes: Lanes, around: Surroundings
) -> VerifyResult:
    """Compare these stages as `wanted` says; two stages of one kind and route are one comparison. Findings replace those of an
    earlier verification in the store.
    """
    result = VerifyResult()
    codes: set[str] = set()
    newest = {(stage.kind, stage.route): stage for stage in stages}
    for stage in newest.values():
        walk = Walk(programme, stage, around, lanes, desk.sessions)
        _StageVerification(stage, wanted.samples.get(stage.kind, wanted.default_sample), desk, walk, result).go()
        codes |= walk.codes
        desk.sessions.learn_of(stage, StageReading(stage, desk.sessions, desk.store))
    result.codes = frozenset(codes)
    return result


@dataclass(slots=True)
class _StageVerification:
    stage: Stage
    sample: float
    desk: Desk
    walk: Walk
    result: VerifyResult
    rows: dict[str, ActionRow] = field(default_factory=dict)  # what became of each action in the newest pass over it
    in_trouble: set[str] = field(default_factory=set)  # subjects that could not even be planned

    def go(self) -> None:
        ours = self.stage.ledger_key("")
        for row in sorted(self.desk.store.actions(), key=lambda row: row.run):
            if row.ledger_key.startswith(ours):
                self.rows[row.ledger_key] = row
        self.in_trouble |= {one.subject for one in self.desk.store.troubles() if one.step == self.stage.name}
        self.desk.tell(StageBegan(self.stage.name, self.stage.kind, self.stage.route, verifies=True))
        self.walk.through(self._read(), self._planned, self._subject_given_up)

    def _read(self) -> StageReading:
        return StageReading(self.stage, self.desk.sessions, self.desk.store)

    def _planned(self, _: Job, _number: int, subject: Subject, actions: Sequence[Action]) -> None:
        self.desk.tell(SubjectPlanned(self.stage.name, subject, tuple(actions)))
        # That an earlier verification could not even look at it is over.
        self.desk.store.found(self.desk.epoch, self.stage.name, self.stage.ledger_key(subject.key), "verify", [])
        things = [one for one in actions if one.lanes and (one.proven or not prepares(subject.key, one.key))]
        not_moved = [action for action in things if self._is_given_up(subject, action)]
        for action in not_moved:
            self._tell_not_moved(subject, action)
        self.walk.crew.add([self._job(subject, action) for action in things if action not in not_moved])

    def _is_given_up(self, subject: Subject, action: Action) -> bool:
        """Whether all that is known of it is that it was given up."""
        ledger_key = self.stage.ledger_key(action.key)
        row = self.rows.get(ledger_key)
        failed = subject.key in self.in_trouble if row is None else row.status is Status.FAILED
        return failed and action.verb is not Verb.KEEP and not self.desk.store.fates(ledger_key)

    def _tell_not_moved(self, subject: Subject, action: Action) -> None:
        """Why, is on record already: no finding has to say it once more."""
        self.desk.store.found(self.desk.epoch, self.stage.name, self.stage.ledger_key(action.key), "verify", [])
        self.result.not_moved += 1
        told = Finding("not-moved", Weight.DIFFERENCE, action.label, "was given up before anything of it was moved")
        self.desk.tell(Noted(self.stage.name, told))
        self.desk.tell(Verified(self.stage.name, subject.key, action, action.total.items, 0))

    def _job(self, subject: Subject, action: Action) -> Job:
        job = self.walk.job(
            f"verify {self.stage.ledger_key(action.key)}",
            subject,
            action,
            run=lambda _: self._compare(subject, action),
            gave_up=lambda _, error: self._keep(subject, action, [_not_compared(action.label, error)]),
        )
        job.weight = action.total.bytes or action.total.items
        return job

    def _compare(self, subject: Subject, action: Action) -> None:
        findings = list(self.stage.step.verify(action, self._read(), self.sample))
        ledger_key = self.stage.ledger_key(action.key)
        self.desk.store.remember(self.desk.epoch, ledger_key, {VERIFIED: str(self.desk.epoch)})
        self._keep(subject, action, findings)

    def _keep(self, subject: Subject, action: Action, findings: Sequence[Finding]) -> None:
        self.desk.store.found(self.desk.epoch, self.stage.name, self.stage.ledger_key(action.key), "verify", findings)
        differences = sum(finding.weight is Weight.DIFFERENCE for finding in findings)
        self.result.actions += not prepares(subject.key, action.key)
        self.result.items += action.total.items
        self.result.differences += differences
        for finding in findings:
            self.desk.tell(Noted(self.stage.name, finding))
        self.desk.tell(Verified(self.stage.name, subject.key, action, action.total.items, differences))

    def _subject_given_up(self, subject: Subject, error: MigratorError) -> None:
        """A subject that cannot be compared is a difference: nothing was proven of it."""
        key = self.stage.ledger_key(subject.key)
        self.desk.store.found(self.desk.epoch, self.stage.name, key, "verify", [_not_compared(subject.label, error)])
        self.result.differences += 1


def _not_compared(label: str, error: MigratorError) -> Finding:
    return Finding("not-compared", Weight.DIFFERENCE, label, f"could not be compared: {error}", error.remedy)
