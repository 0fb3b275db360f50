"""What became of everything, read from the ledger alone: no server is asked, so a report can be made after both are gone.

A delta pass continues the first pass of the same route, so both are one line here: what counts is the item, not how often a
step looked at it. Every sum is stated beside the source's own count, and `Sums.open` is what the two do not agree on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime
from itertools import chain

from migrator.engine.contract import ARRIVED, Fate, Finding, Size, Verb, Weight, prepares
from migrator.engine.departed import of_fact, without
from migrator.engine.ledger import (
    DEPARTED,
    UNCOUNTED,
    UNNAMED,
    VERIFIED,
    ActionRow,
    Ending,
    RunRow,
    Status,
    Store,
    SubjectTrouble,
)
from migrator.frozen import dataclass

NOTHING = Size(0, 0)
VANISHED = "the source does not have it any more, or the plan does not ask for it"
FOUND_BEFORE = "found by an earlier verification, and not looked at since, for the plan does not name it any more"
NOT_COMPARED = "not-compared"  # code of what a verification says of something it could not look at
MOST_ITEMS = 10_000  # items named one by one; beyond that only reasons and counts are told
MOST_NAMED = 100  # items named beside a reason that they share

_Why = tuple[Fate, str, str]  # fate, note, cure
_NOT_AS_SENT = frozenset({Fate.LEFT_BEHIND, Fate.ALTERED})
_AS_SENT = (Fate.COPIED, Fate.FOUND)


@dataclass(frozen=True, slots=True)
class Sums:
    """The source's count, and what is recorded of it by fate. `departed` items were recorded once and have left the source since, as
    the newest pass over it found; no fate counts them.
    """

    total: Size = NOTHING
    by_fate: Mapping[Fate, Size] = field(default_factory=dict)
    departed: int = 0

    @classmethod
    def of(cls, parts: Iterable[Sums]) -> Sums:
        """The parts together. The bytes are unknown as soon as those of one part are."""
        listed = list(parts)
        fates = {fate for part in listed for fate in part.by_fate}
        return cls(
            added(part.total for part in listed),
            {fate: added(part.by_fate.get(fate, NOTHING) for part in listed) for fate in sorted(fates, key=_order)},
            sum(part.departed for part in listed),
        )

    def items(self, *fates: Fate) -> int:
        """How many items met one of these fates."""
        return sum(self.by_fate[fate].items for fate in fates if fate in self.by_fate)

    @property
    def recorded(self) -> int:
        """How many items have met any fate."""
        return self.items(*Fate)

    @property
    def arrived(self) -> int:
        """How many items are on the target."""
        return self.items(*ARRIVED)

    @property
    def open(self) -> int:
        """Items of the source of which nothing is recorded. Negative would be more records than items: a mistake of ours."""
        return self.total.items - self.recorded

    @property
    def adds_up(self) -> bool:
        """Whether every item the source held has met exactly one fate."""
        return self.open == 0


@dataclass(frozen=True, slots=True)
class Reason:
    """Why some items of one action met a fate, and what to do about it. `named` is what people call the first of them, where the ledger
    knows it, and `counts` how many items each of these names stands for: one, where it does not say.
    """

    fate: Fate
    note: str
    cure: str
    items: int
    named: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()

    def beyond(self, most: int) -> int:
        """How many items there are beside those that the first so many names stand for."""
        named = len(self.named[:most])
        return self.items - sum(self.counts[:most]) - max(0, named - len(self.counts))


@dataclass(frozen=True, slots=True)
class NamedItem:
    """One item that is not on the target, or not the same there; or of which there is something else to tell, and people have a name for it."""

    key: str
    fate: Fate
    size: int
    note: str
    cure: str
    about: str = ""  # what people call it, with what is true of it alone


@dataclass(frozen=True, slots=True)
class Line:
    """One action: a folder, a list, a table."""

    ledger_key: str
    steps: tuple[str, ...]  # every step of the plan that worked on it
    label: str
    verb: Verb
    status: Status
    why: str
    cure: str
    sums: Sums
    reasons: tuple[Reason, ...] = ()
    findings: tuple[Finding, ...] = ()
    items: tuple[NamedItem, ...] = ()
    verified: int = 0  # epoch of the run that compared it last
    prepares: bool = False  # moves nothing itself, so it is no folder or list to be counted
    vanished: bool = False  # the newest planning of its subject does not name it
    counted: bool = True  # False where the plan leaves it out and nothing of it is on record: its sums are no counts

    @property
    def ended(self) -> bool:
        """Whether it came to its end; items may have been left behind."""
        return self.status in {Status.DONE, Status.KEPT}

    @property
    def plain(self) -> bool:
        """Whether there is nothing to say about it but its numbers, and why there was nothing to do."""
        settled = self.ended and self.sums.open == 0 and not self.sums.departed and not self.vanished
        there_as_sent = self.sums.recorded == self.sums.items(*_AS_SENT)
        return settled and there_as_sent and not self.reasons and not self.findings and not self.cure

    @property
    def differences(self) -> int:
        """How many differences the newest verification left standing here."""
        return _differences(self.findings)


@dataclass(frozen=True, slots=True)
class Part:
    """One subject on one route: a mailbox, an address book. What a verification found of one that the plan does not name any more is told
    as a warning, for nobody looks at it now.
    """

    kind: str
    route: str
    subject: str
    label: str
    sums: Sums
    lines: tuple[Line, ...] = ()
    troubles: tuple[SubjectTrouble, ...] = ()
    findings: tuple[Finding, ...] = ()  # those about the subject as a whole
    named: bool = True  # by the newest pass

    @property
    def gone(self) -> bool:
        """Whether nothing of what is on record of it is there any more."""
        things = [line for line in self.lines if not line.prepares]
        return bool(things) and all(line.vanished for line in things)

    @property
    def tells(self) -> bool:
        """Whether anything is on record of what it held, beside that it was once to be looked at."""
        return bool(self.sums.recorded or self.sums.departed)

    @property
    def differences(self) -> int:
        """How many differences the newest verification left standing in the whole of it."""
        return _differences(self.findings) + sum(line.differences for line in self.lines)

    def repeats(self, finding: Finding) -> bool:
        """Whether a finding says nothing but what was given up here says: that a verification could not look at it either."""
        texts = (trouble.text.removeprefix(f"{trouble.label}: ") for trouble in self.troubles)
        return finding.code == NOT_COMPARED and any(text in finding.text for text in texts)

    @property
    def unseen(self) -> bool:
        """Whether nothing is known of what the source holds, because it could not be looked at."""
        return bool(self.troubles) and not self.lines

    @property
    def finished(self) -> bool:
        """Whether every action ended, every item has met a fate, and no comparison says otherwise."""
        moved = self.sums.adds_up and all(line.ended for line in self.lines)
        return moved and not self.troubles and not self.differences


@dataclass(frozen=True, slots=True)
class Placed:
    """A finding, and where it belongs: the label of its subject and of the thing in it, as far as it is about one."""

    subject: str
    thing: str
    finding: Finding
    kind: str = ""
    route: str = ""

    @property
    def place(self) -> str:
        """bob@example.com, INBOX."""
        return ", ".join(dict.fromkeys(word for word in (self.subject, self.thing) if word)) or self.finding.about


@dataclass(frozen=True, slots=True)
class Report:
    """The whole story of one plan, as far as it has gone. `sums` are those of the parts that the plan still names; of one that it names no
    longer there is nothing to tell unless something of it was moved or left behind.
    """

    made: datetime
    sums: Sums
    parts: tuple[Part, ...]
    runs: tuple[RunRow, ...]
    findings: tuple[Finding, ...]  # those about no action in particular
    items_untold: int = 0  # of which there is something to tell, beyond those that are named one by one
    begun: frozenset[str] = frozenset()  # the steps of which the newest run has recorded something

    @property
    def lines(self) -> Iterator[Line]:
        """Every action of every part."""
        return (line for part in self.parts for line in part.lines)

    @property
    def differences(self) -> int:
        """How many differences the newest verification left standing."""
        return _differences(self.findings) + sum(part.differences for part in self.parts)

    @property
    def not_compared(self) -> tuple[int, int]:
        """How many subjects, and how many actions of others, a verification could not look at; each is one of the differences."""
        findings = [[*part.findings, *(one for line in part.lines for one in line.findings)] for part in self.parts]
        subjects = sum(_is_not_compared(one) for part in self.parts for one in part.findings)
        every = chain(self.findings, *findings)  # of an action that no run knows there is nothing but the finding
        return subjects, sum(map(_is_not_compared, every)) - subjects

    @property
    def placed(self) -> Iterator[Placed]:
        """Every finding of the report with its place."""
        yield from (Placed("", finding.about, finding) for finding in self.findings)
        for part in self.parts:
            yield from (Placed(part.label, "", finding, part.kind, part.route) for finding in part.findings)
            for line in part.lines:
                for finding in line.findings:
                    # What says itself whose it is does so once.
                    thing = finding.about.removeprefix(f"{part.label}: ") if line.prepares else line.label
                    yield Placed(part.label, thing, finding, part.kind, part.route)

    @property
    def verified(self) -> RunRow | None:
        """The newest run that compared both sides, as a step of its plan or by itself; None if none did."""
        epoch = max((line.verified for line in self.lines), default=0)
        return next((run for run in reversed(self.runs) if epoch and run.epoch == epoch), None)

    @property
    def cut_short(self) -> bool:
        """Whether the newest run did not come to its end, or is at work: the source may hold more than it has looked at."""
        run = next((run for run in reversed(self.runs) if run.purpose == "run"), None)
        return run is not None and (
            run.ending in {None, Ending.INTERRUPTED} or (run.ending is Ending.FAILED and bool(run.words))
        )

    @property
    def finished(self) -> bool:
        """Whether nothing is open."""
        named = all(part.finished for part in self.parts if part.named)
        return bool(self.parts) and named and not self.differences


def report(store: Store, made: datetime) -> Report:
    """The report as of now. Reads only; safe beside a run, of which it then shows a moment."""
    rows = list(store.actions())
    planned = newest_planning(rows)
    findings: dict[str, list[Finding]] = {}
    for _, ledger_key, _, finding in store.findings():
        of_key = findings.setdefault(ledger_key, [])
        if finding not in of_key:  # a run and a verification may know the same
            of_key.append(finding)
    named, untold = _named_items(store)
    record = _Record(
        facts=store.all_remembered([DEPARTED, UNCOUNTED, VERIFIED, UNNAMED]),
        fates=store.all_fates(),
        notes=store.notes(),
        called=_called(store),
    )
    lines: dict[tuple[str, str, str], list[Line]] = {}
    labels: dict[tuple[str, str, str], str] = {}
    for same in _by_ledger_key(rows):
        newest = max(same, key=_closeness)
        place = (*kind_and_route(newest.ledger_key), newest.subject)
        labels[place] = newest.subject_label
        told = _heaviest(findings.pop(newest.ledger_key, ()))
        line = _line(record, same, newest)
        items = tuple(named.get(newest.ledger_key, ()))
        vanished = newest.run < planned[newest.step, newest.subject]
        whole = replace(line, findings=told, items=items)
        lines.setdefault(place, []).append(_vanished(whole) if vanished else whole)
    given_up = store.troubles()
    troubles = _troubles(given_up, rows)
    for place, several in troubles.items():
        labels.setdefault(place, several[0].label)
    parts = tuple(
        _part(place, labels[place], lines.get(place, []), troubles.get(place, []), findings.pop("/".join(place), []))
        for place in labels
    )
    parts = tuple(
        _unnamed(part) if record.of(f"{part.kind}/{part.route}/{part.subject}").get(UNNAMED) else part for part in parts
    )
    parts = tuple(part for part in parts if part.named or part.tells)
    runs = tuple(store.runs())
    return Report(
        made=made,
        sums=Sums.of(part.sums for part in parts if part.named),
        parts=parts,
        runs=runs,
        findings=tuple(finding for several in findings.values() for finding in several),
        items_untold=untold,
        begun=_begun(runs, rows, given_up),
    )


def kind_and_route(ledger_key: str) -> tuple[str, str]:
    """The step's word and the two endpoints a ledger key names."""
    kind, _, rest = ledger_key.partition("/")
    return kind, rest.partition("/")[0]


def added(sizes: Iterable[Size]) -> Size:
    """The sizes together; the bytes are unknown as soon as one holds items of unknown size."""
    items, total = 0, 0
    known = True
    for size in sizes:
        items += size.items
        total += size.bytes or 0
        known = known and not (size.bytes is None and size.items)
    return Size(items, total if known else None)


def top_reasons(lines: Iterable[Line], fates: frozenset[Fate]) -> Sequence[Reason]:
    """Why items met one of the fates, the same reason of several actions counted together: what is left behind before what is altered, and
    then the commonest first.
    """
    together: dict[_Why, Reason] = {}
    for line in lines:
        for reason in line.reasons:
            if reason.fate in fates:
                which = (reason.fate, reason.note, reason.cure)
                before = together.get(which, replace(reason, items=0, named=(), counts=()))
                named = (*before.named, *reason.named)[:MOST_NAMED]
                counts = (*before.counts, *(reason.counts or (1,) * len(reason.named)))[:MOST_NAMED]
                together[which] = replace(before, items=before.items + reason.items, named=named, counts=counts)
    return sorted(together.values(), key=_gravity)


def newest_planning(rows: Iterable[ActionRow]) -> Mapping[tuple[str, str], int]:
    """The run that planned a subject of a step last."""
    newest: dict[tuple[str, str], int] = {}
    for row in rows:
        place = row.step, row.subject
        newest[place] = max(newest.get(place, 0), row.run)
    return newest


def _begun(runs: Sequence[RunRow], rows: Iterable[ActionRow], troubles: Iterable[SubjectTrouble]) -> frozenset[str]:
    if not runs:
        return frozenset()
    epoch = runs[-1].epoch
    planned = {row.step for row in rows if row.run == epoch}
    return frozenset(planned | {trouble.step for trouble in troubles if trouble.run == epoch})


def _closeness(row: ActionRow) -> tuple[int, bool, int]:
    """Of the rows that several steps have of one action, the one that tells most of it is the largest: the newest, and in one run that of
    a step that works on it. A step that leaves it to another knows what is on record alone.
    """
    return row.run, row.verb is not Verb.KEEP, row.total.items


def _vanished(line: Line) -> Line:
    """A line of something that a later planning of its subject does not name: all that is on record of it has departed."""
    departed = Sums(departed=line.sums.recorded + line.sums.departed)
    return replace(
        line, status=Status.KEPT, why=VANISHED, cure="", sums=departed, reasons=(), findings=(), items=(), vanished=True
    )


def _found_before(finding: Finding) -> Finding:
    """A finding about something that the plan names no longer."""
    if finding.weight is not Weight.DIFFERENCE:
        return finding
    return replace(finding, weight=Weight.WARNING, text=f"{finding.text} ({FOUND_BEFORE})")


def _unnamed(part: Part) -> Part:
    lines = tuple(replace(line, findings=tuple(map(_found_before, line.findings))) for line in part.lines)
    return replace(part, lines=lines, findings=tuple(map(_found_before, part.findings)), named=False)


def _by_ledger_key(rows: Sequence[ActionRow]) -> Iterator[list[ActionRow]]:
    together: dict[str, list[ActionRow]] = {}
    for row in rows:
        together.setdefault(row.ledger_key, []).append(row)
    return iter(together.values())


@dataclass(frozen=True, slots=True)
class _Record:
    """What the state knows of all actions, by ledger key: asked for at once, since a plan may have tens of thousands."""

    facts: Mapping[str, Mapping[str, str]]
    fates: Mapping[str, Mapping[Fate, Size]]
    notes: Mapping[str, Sequence[tuple[Fate, str, str, int]]]
    called: Mapping[str, Mapping[_Why, Sequence[tuple[str, int]]]]

    def of(self, ledger_key: str) -> Mapping[str, str]:
        """The facts of one."""
        return self.facts.get(ledger_key, {})


def _line(record: _Record, same: Sequence[ActionRow], newest: ActionRow) -> Line:
    key = newest.ledger_key
    facts, called = record.of(key), record.called.get(key, {})
    departed = of_fact(facts.get(DEPARTED, ""))
    fates = dict(sorted(without(record.fates.get(key, {}), departed).items(), key=lambda pair: _order(pair[0])))
    # Nobody knows which reason those had that have departed; no reason is told of more than are there.
    counted = (
        (fate, note, cure, min(count, fates.get(fate, NOTHING).items))
        for fate, note, cure, count in record.notes.get(key, ())
    )
    reasons = (
        Reason(fate, note, cure, count, tuple(name for name, _ in whose), tuple(items for _, items in whose))
        for fate, note, cure, count in counted
        for whose in (called.get((fate, note, cure), ()),)
        if count
    )
    nothing = not newest.total.items and not fates and not departed
    return Line(
        ledger_key=key,
        steps=tuple(dict.fromkeys(row.step for row in same)),
        label=newest.label,
        verb=newest.verb,
        status=newest.status,
        why=newest.why,
        cure=newest.cure,
        sums=Sums(newest.total, fates, sum(size.items for size in departed.values())),
        reasons=tuple(sorted(reasons, key=_gravity)),
        verified=int(facts.get(VERIFIED, "0")),
        prepares=prepares(newest.subject, newest.key),
        counted=not (nothing and newest.verb is Verb.KEEP and facts.get(UNCOUNTED)),
    )


def _named_items(store: Store) -> tuple[Mapping[str, list[NamedItem]], int]:
    named: dict[str, list[NamedItem]] = {}
    told = untold = 0
    others = ((key, outcome) for key, outcome in store.called() if outcome.fate not in _NOT_AS_SENT)
    for ledger_key, outcome in chain(store.left_behind(), others):
        if told == MOST_ITEMS:
            untold += 1
            continue
        told += 1
        item = NamedItem(outcome.key, outcome.fate, outcome.size, outcome.note, outcome.cure, outcome.about)
        named.setdefault(ledger_key, []).append(item)
    return named, untold


def _called(store: Store) -> Mapping[str, Mapping[_Why, Sequence[tuple[str, int]]]]:
    """By ledger key and reason, what people call the first items that it is true of, and how many each name stands for."""
    called: dict[str, dict[_Why, list[tuple[str, int]]]] = {}
    for ledger_key, outcome in store.called():
        reason = (outcome.fate, outcome.note, outcome.cure)
        names = called.setdefault(ledger_key, {}).setdefault(reason, [])
        if len(names) < MOST_NAMED:
            names.append((outcome.about, outcome.things))
    return called


def _troubles(
    troubles: Sequence[SubjectTrouble], rows: Sequence[ActionRow]
) -> Mapping[tuple[str, str, str], list[SubjectTrouble]]:
    # An older state files a trouble under its step alone; other subjects of that step tell which kind and route that is.
    known = {row.step: kind_and_route(row.ledger_key) for row in rows}
    placed: dict[tuple[str, str, str], list[SubjectTrouble]] = {}
    for trouble in troubles:
        of_step = known.get(trouble.step, (trouble.step, ""))
        kind, route = kind_and_route(trouble.ledger_key) if trouble.ledger_key else of_step
        placed.setdefault((kind, route, trouble.subject), []).append(trouble)
    return placed


def _part(
    place: tuple[str, str, str],
    label: str,
    lines: Sequence[Line],
    troubles: Sequence[SubjectTrouble],
    findings: Sequence[Finding],
) -> Part:
    kind, route, subject = place
    sums = Sums.of(line.sums for line in lines)
    return Part(kind, route, subject, label, sums, tuple(lines), tuple(troubles), tuple(findings))


def _heaviest(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The findings of an action without those that a heavier one says as well: a verification finds again what a run has warned of."""
    heaviest: dict[tuple[str, str], Weight] = {}
    for one in findings:
        heaviest[one.code, one.remedy] = max(one.weight, heaviest.get((one.code, one.remedy), one.weight))
    return tuple(one for one in findings if one.weight == heaviest[one.code, one.remedy])


def _differences(findings: Iterable[Finding]) -> int:
    return sum(finding.weight is Weight.DIFFERENCE for finding in findings)


def _is_not_compared(finding: Finding) -> bool:
    return finding.code == NOT_COMPARED and finding.weight is Weight.DIFFERENCE


def _order(fate: Fate) -> int:
    return list(Fate).index(fate)


def _gravity(reason: Reason) -> tuple[int, int, int, str, str]:
    """Where a reason stands among others: what is not at the target at all comes first."""
    behind = reason.fate is not Fate.LEFT_BEHIND
    return (behind, _order(reason.fate), -reason.items, reason.note, reason.cure)
