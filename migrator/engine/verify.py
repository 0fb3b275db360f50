"""Verification: plan again by reading, then let each step compare what its actions left on both sides. What a run gave up before
anything of it was moved is not compared item by item: that it was not moved is known, and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime

from migrator.engine.contract import Action, Finding, Subject, Verb, Weight, prepares
from migrator.engine.crew import Job
from migrator.engine.events import Noted, StageBegan, SubjectPlanned, Verified
from migrator.engine.lanes import Lanes
from migrator.engine.lease import lease_held, utc_now
from migrator.engine.ledger import VERIFIED, ActionRow, Claim, Ending, Status, Store
from migrator.engine.named import is_named, keep_named, mark, others_of, take_out
from migrator.engine.report import NOT_COMPARED, VANISHED, newest_planning
from migrator.engine.sessions import Sessions
from migrator.engine.stage import Programme, Stage, Verification
from migrator.engine.walk import Surroundings, Walk
from migrator.engine.work import Desk, StageReading
from migrator.errors import MigratorError

NAMED = 5  # things of a subject in one finding


@dataclass(slots=True)
class VerifyResult:
    """What was compared: actions, the items in them, and how many findings are differences. `not_moved` are the actions that a run gave
    up before anything was moved, `standing` the differences of an earlier verification at which this one did not look: another step's.
    """

    actions: int = 0
    items: int = 0
    differences: int = 0
    not_moved: int = 0
    standing: int = 0
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
        take_out(store, claim.run.epoch, programme)
        result = verify_stages(programme, stages, wanted, desk, lanes, around)
        end(Ending.INTERRUPTED if around.stop.asked else Ending.DONE, exit_code(result), around.stop.words)
    return result


def verify_stages(
    programme: Programme, stages: Sequence[Stage], wanted: Verification, desk: Desk, lanes: Lanes, around: Surroundings
) -> VerifyResult:
    """Compare these stages as `wanted` says, and what several of one kind and route work on once. Findings replace those of an earlier
    verification in the store.
    """
    result = VerifyResult()
    codes: set[str] = set()
    ways: dict[tuple[str, str], list[Stage]] = {}
    for stage in stages:
        ways.setdefault((stage.kind, stage.route), []).append(stage)
    for several in ways.values():
        way = _Way()
        for stage in _different(several):
            walk = Walk(programme, stage, around, lanes, desk.sessions)
            sample = wanted.samples.get(stage.kind, wanted.default_sample)
            _StageVerification(stage, sample, desk, walk, result, others_of(programme, [stage]), way).go()
            codes |= walk.codes
            desk.sessions.learn_of(stage, StageReading(stage, desk.sessions, desk.store))
        if way.whole and not desk.stop.asked:
            keep_named(desk.store, desk.epoch, several[-1], way.named, others_of(programme, several))
            result.standing += _standing(desk.store, several[-1].ledger_key(""), way.looked_at)
    result.codes = frozenset(codes)
    return result


def _different(several: Sequence[Stage]) -> list[Stage]:
    """The stages of one kind and route, the last one first, without those that ask the same: a delta compares all its first pass did."""
    kept: list[Stage] = []
    for stage in reversed(several):
        if not any(stage.step == other.step for other in kept):
            kept.append(stage)
    return kept


def _standing(store: Store, ours: str, looked_at: AbstractSet[str]) -> int:
    """How many differences are on record of what was not looked at now, though the plan names it."""
    subjects = {row.ledger_key: row.subject for row in store.actions()}
    return sum(
        finding.weight is Weight.DIFFERENCE
        for _, key, origin, finding in store.findings()
        if origin == "verify" and key.startswith(ours) and key not in looked_at
        if is_named(store, ours + subjects.get(key, key.removeprefix(ours)))
    )


@dataclass(slots=True)
class _Way:
    """What the stages of one kind and route have in common: what one of them has compared, none before it compares once more."""

    looked_at: set[str] = field(default_factory=set)  # by ledger key, actions and subjects
    compared: set[str] = field(default_factory=set)  # those of actions
    given_up: set[str] = field(default_factory=set)  # subjects
    named: set[str] = field(default_factory=set)
    whole: bool = True


@dataclass(slots=True)
class _StageVerification:
    stage: Stage
    sample: float
    desk: Desk
    walk: Walk
    result: VerifyResult
    others: AbstractSet[str]  # the steps that go the same way, at whose subjects this one does not look
    way: _Way
    rows: dict[str, ActionRow] = field(default_factory=dict)  # what became of each action in the newest pass over it
    in_trouble: set[str] = field(default_factory=set)  # subjects that could not even be planned
    of_subject: dict[str, list[ActionRow]] = field(default_factory=dict)  # those of no other step
    newest: Mapping[tuple[str, str], int] = field(default_factory=dict)  # the run that planned a subject of a step last
    found_before: dict[str, list[tuple[str, Finding]]] = field(default_factory=dict)  # by ledger key, with the step

    def go(self) -> None:
        ours = self.stage.ledger_key("")
        rows = [row for row in self.desk.store.actions() if row.ledger_key.startswith(ours)]
        for row in sorted(rows, key=lambda row: (row.run, row.step == self.stage.name)):
            self.rows[row.ledger_key] = row
        self.newest = newest_planning(rows)
        for row in self.rows.values():
            if row.step not in self.others:
                self.of_subject.setdefault(row.subject, []).append(row)
        for step, ledger_key, origin, finding in self.desk.store.findings():
            if origin == "verify" and ledger_key.startswith(ours) and ledger_key not in self.way.looked_at:
                self.found_before.setdefault(ledger_key, []).append((step, finding))
        self.in_trouble |= {one.subject for one in self.desk.store.troubles() if one.step == self.stage.name}
        self.desk.tell(StageBegan(self.stage.name, self.stage.kind, self.stage.route, verifies=True))
        self.walk.through(self._read(), self._planned, self._subject_given_up)
        self.way.named |= self.walk.named
        self.way.whole = self.way.whole and self.walk.whole

    def _read(self) -> StageReading:
        return StageReading(self.stage, self.desk.sessions, self.desk.store)

    def _planned(self, _: Job, _number: int, subject: Subject, actions: Sequence[Action]) -> None:
        self.desk.tell(SubjectPlanned(self.stage.name, subject, tuple(actions)))
        mark(self.desk.store, self.desk.epoch, self.stage.ledger_key(subject.key), named=True)
        # That an earlier verification could not even look at it is over, and so is what was found of things that are not named any more.
        self._found(subject.key, self._vanished(subject, actions))
        ours = [one for one in actions if self.stage.ledger_key(one.key) not in self.way.compared]
        things = [one for one in ours if one.lanes and (one.proven or not prepares(subject.key, one.key))]
        by_hand = [one for one in ours if not one.lanes and one.verb is Verb.BY_HAND]
        self.way.compared.update(self.stage.ledger_key(one.key) for one in (*things, *by_hand))
        not_moved = [action for action in (*things, *by_hand) if self._is_given_up(subject, action)]
        for action in not_moved:
            self._tell_not_moved(subject, action)
        self.walk.crew.add([self._job(subject, action) for action in things if action not in not_moved])

    def _vanished(self, subject: Subject, actions: Sequence[Action]) -> list[Finding]:
        """That the newest run knew things of a subject that are not named now; what was found of these, and of earlier ones, is over."""
        planned = {self.stage.ledger_key(action.key) for action in actions}
        gone = [row for row in self.of_subject.get(subject.key, ()) if row.ledger_key not in planned]
        for row in gone:
            if row.ledger_key in self.found_before:
                self._found(row.key, [])
        until_now = (row for row in gone if row.run == self.newest[row.step, row.subject])
        labels = [row.label for row in until_now if not prepares(subject.key, row.key)]
        named = ", ".join(labels[:NAMED]) + (", ..." if len(labels) > NAMED else "")
        return [Finding("gone", Weight.NOTE, subject.label, f"{named}: {VANISHED}")] if labels else []

    def _found(self, key: str, findings: Sequence[Finding]) -> None:
        """File what was found of an action or a subject in place of what an earlier verification found, as whatever step that went."""
        ledger_key = self.stage.ledger_key(key)
        self.way.looked_at.add(ledger_key)
        before = {step for step, _ in self.found_before.pop(ledger_key, ())}
        for step in before - {self.stage.name}:
            self.desk.store.found(self.desk.epoch, step, ledger_key, "verify", [])
        self.desk.store.found(self.desk.epoch, self.stage.name, ledger_key, "verify", findings)

    def _is_given_up(self, subject: Subject, action: Action) -> bool:
        """Whether all that is known of it is that it was given up."""
        ledger_key = self.stage.ledger_key(action.key)
        row = self.rows.get(ledger_key)
        failed = subject.key in self.in_trouble if row is None else row.status is Status.FAILED
        return failed and action.verb is not Verb.KEEP and not self.desk.store.fates(ledger_key)

    def _tell_not_moved(self, subject: Subject, action: Action) -> None:
        """Why, is on record already: no finding has to say it once more."""
        self._found(action.key, [])
        self.result.not_moved += 1
        told = Finding("not-moved", Weight.DIFFERENCE, action.label, "was given up before anything of it was moved")
        self.desk.tell(Noted(self.stage.name, told, subject.key))
        self.desk.tell(Verified(self.stage.name, subject.key, action, action.total.items, 0))

    def _job(self, subject: Subject, action: Action) -> Job:
        job = self.walk.job(
            f"verify {self.stage.ledger_key(action.key)}",
            subject,
            action,
            run=lambda _: self._compare(subject, action),
            gave_up=lambda _, error: self._keep(
                subject, action, [_not_compared(subject, action.label, error)], compared=False
            ),
        )
        job.weight = action.total.bytes or action.total.items
        return job

    def _compare(self, subject: Subject, action: Action) -> None:
        findings = list(self.stage.step.verify(action, self._read(), self.sample))
        ledger_key = self.stage.ledger_key(action.key)
        self.desk.store.remember(self.desk.epoch, ledger_key, {VERIFIED: str(self.desk.epoch)})
        self._keep(subject, action, findings)

    def _keep(self, subject: Subject, action: Action, findings: Sequence[Finding], *, compared: bool = True) -> None:
        if (
            self.stage.ledger_key(action.key) not in self.rows
        ):  # no run knows it, so nothing but the finding says whose it is
            findings = [_placed(subject.label, finding) for finding in findings]
        self._found(action.key, findings)
        differences = sum(finding.weight is Weight.DIFFERENCE for finding in findings)
        if compared:
            self.result.actions += not prepares(subject.key, action.key)
            self.result.items += action.total.items
        self.result.differences += differences
        for finding in findings:
            self.desk.tell(Noted(self.stage.name, finding, subject.key))
        self.desk.tell(Verified(self.stage.name, subject.key, action, action.total.items, differences))

    def _subject_given_up(self, subject: Subject, error: MigratorError) -> None:
        """A subject that cannot be compared is a difference: nothing was proven of it."""
        if subject.key in self.way.given_up:
            return
        self.way.given_up.add(subject.key)
        self._found(subject.key, [_not_compared(subject, subject.label, error)])
        self.result.differences += 1


def _placed(whose: str, finding: Finding) -> Finding:
    """bob@example.com, INBOX; what says itself whose it is does so once."""
    words = (whose, finding.about.removeprefix(f"{whose}: "))
    return replace(finding, about=", ".join(dict.fromkeys(word for word in words if word)))


def _not_compared(subject: Subject, label: str, error: MigratorError) -> Finding:
    words = str(error)
    for named in (subject.label, label):  # these stand before it already
        words = words.removeprefix(f"{named}: ")
    return Finding(NOT_COMPARED, Weight.DIFFERENCE, label, f"could not be compared: {words}", error.remedy)
