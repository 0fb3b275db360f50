"""A preview: subjects and their actions with what can be foreseen, by reading only. There is nothing here that could write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from migrator.engine.contract import (
    SHORTFALLS,
    Action,
    Finding,
    Foresees,
    Probes,
    Side,
    Size,
    Subject,
    Verb,
    Weight,
)
from migrator.engine.crew import Job
from migrator.engine.events import Event, StageBegan, SubjectFailed, SubjectPlanned
from migrator.engine.lanes import Lanes
from migrator.engine.ledger import Store
from migrator.engine.sessions import Sessions
from migrator.engine.stage import Programme, Stage
from migrator.engine.walk import BY_HAND, Surroundings, Walk
from migrator.engine.work import StageReading
from migrator.errors import MigratorError, NotFound

PROBE_BYTES = 8 * 1024 * 1024  # read at most this much of the source to estimate its speed


@dataclass(slots=True)
class StagePreview:
    """What one step would do. `awaits` is the name of an earlier step that would first write what this one reads, "" if none would."""

    name: str
    kind: str
    route: str
    awaits: str = ""
    actions: list[tuple[Subject, Action]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    troubles: list[tuple[Subject, MigratorError]] = field(default_factory=list)

    @property
    def changes(self) -> bool:
        """Whether a run would have anything to do in this step."""
        idle = (Verb.KEEP, Verb.BY_HAND)
        return any(action.verb not in idle for _, action in self.actions)


@dataclass(slots=True)
class Preview:
    """What a run would do. `codes` are those of what could not be looked at, of what a run would leave to be done by hand, and of what is
    foreseen not to arrive as it is sent; `seconds` is an estimate of its time, None where nothing could be measured.
    """

    stages: list[StagePreview]
    codes: frozenset[str]
    seconds: float | None

    @property
    def changes(self) -> bool:
        """Whether a run would have anything to do."""
        return any(stage.changes for stage in self.stages)


def preview(programme: Programme, around: Surroundings, store: Store | None = None) -> Preview:
    """Plan every stage without doing it; with a store, what earlier runs did is taken off. Raises what stops a whole run."""
    lanes = Lanes(around.clock)
    sessions = Sessions(lanes, around.tell, around.clock)
    previews: list[StagePreview] = []
    codes: set[str] = set()
    speed = _Speed()
    try:
        for stage in programme.stages:
            if isinstance(stage, Stage):
                awaits = _awaited(stage, programme, previews)
                walk = Walk(programme, stage, _unconcerned(around) if awaits else around, lanes, sessions)
                seen = _preview_stage(walk, StageReading(stage, sessions, store), speed)
                if awaits:
                    seen.awaits = awaits
                    seen.troubles = [(one, error) for one, error in seen.troubles if error.code != NotFound.code]
                    # What is not there yet is nothing to be done by hand either.
                    seen.actions = [(one, action) for one, action in seen.actions if action.verb is not Verb.BY_HAND]
                    walk.codes -= {NotFound.code, BY_HAND}
                previews.append(seen)
                codes |= walk.codes
                sessions.learn_of(stage, StageReading(stage, sessions, store))
    finally:
        sessions.close()
    return Preview(previews, frozenset(codes), speed.seconds_for(previews))


def _awaited(stage: Stage, programme: Programme, before: Sequence[StagePreview]) -> str:
    """The name of the last of these steps that would write what this one reads."""
    writing = {one.name for one in before if one.changes}
    source = stage.opener.endpoint(Side.SOURCE)
    names = [
        one.name
        for one in programme.stages
        if isinstance(one, Stage) and (one.kind, one.opener.endpoint(Side.TARGET)) == (stage.kind, source)
    ]
    return next((name for name in reversed(names) if name in writing), "")


def _unconcerned(around: Surroundings) -> Surroundings:
    """The same, but that nothing is told of what is not there yet."""

    def tell(event: Event) -> None:
        if not isinstance(event, SubjectFailed) or event.code != NotFound.code:
            around.tell(event)

    return replace(around, tell=tell)


def _preview_stage(walk: Walk, read: StageReading, speed: _Speed) -> StagePreview:
    stage = walk.stage
    walk.around.tell(StageBegan(stage.name, stage.kind, stage.route, measure=stage.measure))
    by_subject: dict[int, tuple[Subject, Sequence[Action], Sequence[Finding]]] = {}

    def planned(_: Job, number: int, subject: Subject, actions: Sequence[Action]) -> None:
        step = stage.step
        foreseen = tuple(step.foresee(subject, actions, read)) if isinstance(step, Foresees) else ()
        findings = tuple(one for one in foreseen if isinstance(one, Finding))
        better = {one.key: one for one in foreseen if isinstance(one, Action)}
        actions = tuple(better.get(action.key, action) for action in actions)
        if isinstance(step, Probes) and speed.wanted():
            began = walk.around.clock()
            speed.learn(step.probe(subject, actions, read, PROBE_BYTES), walk.around.clock() - began)
        by_subject[number] = (subject, actions, findings)
        walk.codes.update(BY_HAND for action in actions if action.verb is Verb.BY_HAND)
        walk.codes.update(one.code for one in findings if one.weight >= Weight.WARNING and one.code in SHORTFALLS)
        walk.around.tell(SubjectPlanned(stage.name, subject, tuple(actions)))

    walk.through(read, planned, lambda _subject, _error: None)
    result = StagePreview(stage.name, stage.kind, stage.route, troubles=walk.troubles)
    for _, (subject, actions, findings) in sorted(by_subject.items()):
        result.actions.extend((subject, action) for action in actions)
        result.findings.extend(findings)
    return result


class _Speed:
    """Bytes a second at the source, from the first subject that had something to read."""

    def __init__(self) -> None:
        self._bytes = 0
        self._seconds = 0.0

    def wanted(self) -> bool:
        return not self._bytes

    def learn(self, size: int, seconds: float) -> None:
        self._bytes += size
        self._seconds += seconds

    def seconds_for(self, stages: Sequence[StagePreview]) -> float | None:
        sizes = [action.size for stage in stages for _, action in stage.actions]
        total = sum(size.bytes for size in sizes if size.bytes is not None)
        if not self._bytes or not self._seconds or (not total and any(size.items for size in sizes)):
            return None
        return total * self._seconds / self._bytes


def sum_of(sizes: Sequence[Size]) -> Size:
    """Items and, as far as they are known, bytes."""
    return Size(sum(size.items for size in sizes), sum(size.bytes or 0 for size in sizes))
