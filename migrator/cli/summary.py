"""A report in a few lines of text, for the end of a run, for status and for verify: the sums, who was given up, what was left
behind and why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from migrator.cli import figures
from migrator.cli.documents import document
from migrator.cli.exits import Exit
from migrator.cli.nouns import Nouns, nouns_of
from migrator.cli.screen import table
from migrator.engine.contract import Fate, Finding, Weight
from migrator.engine.ledger import RunRow, Status
from migrator.engine.report import Line, Part, Placed, Reason, Report, Sums, added, top_reasons

NOT_THERE = frozenset({Fate.LEFT_BEHIND, Fate.ALTERED})
MOST_REASONS = 10
NAMED = 3  # of those who share a reason; the report names more
MOST_ALIKE = 5  # findings of one kind about one thing that a preview tells line by line
MOST_FINDINGS = 50
MOST_GONE = 10
WORDS = {
    Fate.COPIED: "copied",
    Fate.FOUND: "found there",
    Fate.NORMALISED: "normalised",
    Fate.ALTERED: "altered",
    Fate.LEFT_BEHIND: "left behind",
    Fate.SKIPPED: "skipped",
    Fate.GONE: "gone meanwhile",
}


def report_nouns(report: Report, planned: Iterable[str] = ()) -> Nouns:
    """The words for what this report is about; while it knows of nothing yet, for the rooms that are `planned`."""
    return nouns_of({part.kind for part in named_parts(report)} or planned)


def named_parts(report: Report) -> list[Part]:
    """The parts that count: those that the plan still names."""
    return [part for part in report.parts if part.named]


def sums_sentence(sums: Sums, nouns: Nouns, differences: int = 0) -> str:
    """12,345 messages at the source: 12,300 copied, 43 found there, 2 left behind; it adds up."""
    fates = [f"{figures.count(size.items)} {WORDS[fate]}" for fate, size in sums.by_fate.items() if size.items]
    return f"{nouns.items(sums.total.items)} at the source: {', '.join(fates) or ('none moved yet' if sums.total.items else 'nothing to move')}; {adding_up(sums, differences)}."


def adding_up(sums: Sums, differences: int) -> str:
    """Whether the fates add up to the source's count, in words, and whether a comparison disagrees."""
    words = "it adds up" if sums.adds_up else f"{figures.count(sums.open)} still open"
    if sums.open < 0:
        words = f"{figures.count(-sums.open)} more on record than it has now, which the next run looks into"
    if sums.adds_up and differences:
        words += " by our records"
    if sums.departed:
        # Deleted there, or in something that the plan asks for no longer: here nobody knows which.
        gone = "is" if sums.departed == 1 else "are"
        words += f", plus {figures.count(sums.departed)} seen earlier that {gone} not among them any more"
    return f"{words}; {differences_found(differences)} by comparing" if differences else words


def differences_found(number: int) -> str:
    """2 differences found."""
    return f"{figures.counted(number, 'difference', 'differences')} found"


def differed(report: Report, run: RunRow) -> int | None:
    """How many differences this run ended with, 0 for an older one of which only that is known; None if it found none.

    A verification that met something graver besides, a server that was away, ends with the code for that; what could not be compared for it
    is no difference that it found.
    """
    if run != report.runs[-1]:
        return 0 if run.exit_code == Exit.DIFFERENCES else None
    if run.exit_code == Exit.DIFFERENCES:
        return report.differences
    found = report.differences - sum(report.not_compared)
    return found if run.purpose == "verify" and run.exit_code and found > 0 else None


def compared(report: Report, epoch: int, differences: int, nouns: Nouns) -> list[str]:
    """30 folders with 9,904 messages compared: 0 differences. Nothing if the run of this epoch compared nothing."""
    lines = [line for line in report.lines if line.verified == epoch and not line.prepares]
    if not lines:
        return []
    items = added(line.sums.total for line in lines).items
    return [compared_sentence(len(lines), items, differences, nouns, not_compared=report.not_compared)]


def compared_sentence(
    actions: int,
    items: int,
    differences: int,
    nouns: Nouns,
    *,
    not_moved: int = 0,
    standing: int = 0,
    not_compared: tuple[int, int] = (0, 0),
) -> str:
    """30 folders with 9,904 messages compared: 0 differences. Could not be compared: 1 mailbox. Not moved, so not compared: 2 folders.

    `not_compared` are the subjects and actions among the `differences` that could not be looked at.
    """
    subjects, folders = not_compared
    differ = figures.counted(max(0, differences - subjects - folders), "difference", "differences")
    unseen = [nouns.subjects(subjects)] * bool(subjects) + [nouns.actions(folders)] * bool(folders)
    told = f" Could not be compared: {' and '.join(unseen)}." if unseen else ""
    rest = told + (f" Not moved, so not compared: {nouns.actions(not_moved)}." if not_moved else "")
    if standing:
        rest += f" Of another step, so not compared now: {figures.counted(standing, 'difference', 'differences')} found before."
    return f"{nouns.actions(actions)} with {nouns.items(items)} compared: {differ}.{rest}"


def by_route(counted: Iterable[Part]) -> Iterator[tuple[str, list[Part]]]:
    """The `counted` parts of each kind and route, under a heading like "mail, old -> new"."""
    together: dict[str, list[Part]] = {}
    for part in counted:  # one that was given up stands behind those of other rooms
        together.setdefault(_heading(part.kind, part.route), []).append(part)
    yield from together.items()


def _heading(kind: str, route: str) -> str:
    return ", ".join(word for word in (kind, route.replace(">", " -> ")) if word)


def _placed(one: Part | Placed, label: str) -> str:
    return f"{_heading(one.kind, one.route)}: {label}"


def _whole(part: Part, line: Line) -> str:
    """bob@example.com, INBOX; once what is both."""
    return ", ".join(dict.fromkeys((part.label, line.label.removeprefix(f"{part.label}: "))))


def _several_routes(report: Report) -> bool:
    """Whether one thing may be told of more than once, so that each time the route has to be said."""
    return len({(part.kind, part.route) for part in report.parts}) > 1


def telling_apart(report: Report, called: Callable[[str], str] = str) -> Callable[[Part | Placed], str]:
    """What tells a subject's part from its others in this report, "contacts, old -> new": the room, as it is `called`, where there are
    several, and the route where there are several; "" where there is but one of each.
    """
    rooms = len({part.kind for part in report.parts}) > 1
    routes = len({part.route for part in report.parts}) > 1
    return lambda one: _heading(called(one.kind) if rooms else "", one.route if routes else "")


def telling_steps(report: Report) -> Callable[[Part], bool]:
    """Whether the lines of a part have to say which of the plan's steps worked on them, since not all of its kind and route did so."""
    steps: dict[tuple[str, str], set[tuple[str, ...]]] = {}
    for part in report.parts:
        steps.setdefault((part.kind, part.route), set()).update(line.steps for line in part.lines)
    return lambda part: len(steps[part.kind, part.route]) > 1


def sums_by_route(report: Report) -> list[str]:
    """One sentence a room and route, and the whole where there are several."""
    lines = [
        f"{heading}: {_told(parts, nouns_of([parts[0].kind]))}" for heading, parts in by_route(named_parts(report))
    ]
    return [*lines, f"in all: {_told(named_parts(report), report_nouns(report))}"] if len(lines) > 1 else lines


def _told(parts: Sequence[Part], nouns: Nouns) -> str:
    """The sums of what was seen; what was never seen cannot be counted, and that is said."""
    unseen = sum(part.unseen for part in parts)
    without = f"{nouns.subjects(unseen)} could not be looked at, so what is in there is not counted." if unseen else ""
    differences = sum(part.differences for part in parts if not part.unseen)
    seen = sums_sentence(Sums.of(part.sums for part in parts), nouns, differences) if unseen < len(parts) else ""
    return " ".join(sentence for sentence in (seen, without) if sentence)


def part_rows(report: Report) -> list[str]:
    """A line for each subject: how far it is, and what keeps it."""
    shown: list[str] = []
    for heading, parts in by_route(report.parts):
        nouns = nouns_of([parts[0].kind])
        shown.append(heading)
        shown += [f"  {line}" for line in table([_part_row(part, nouns) for part in parts], right=frozenset({1, 2}))]
    return shown


def subject_sums(report: Report) -> list[str]:
    """The sums of each subject that the plan names, then those of the whole. Where there are several rooms or routes, each subject's is named."""
    rows: list[str] = []
    routes = list(by_route(named_parts(report)))
    for heading, parts in routes:
        told = f", {heading}" if len(routes) > 1 else ""
        rows += [
            f"{figures.name(part.label)}{told}: {sums_sentence(part.sums, nouns_of([part.kind]), part.differences)}"
            for part in parts
            if not part.unseen
        ]
    return [*rows, *sums_by_route(report)]


def sums_document(sums: Sums) -> dict[str, Any]:
    """Sums for programs."""
    return {**document(sums), "open": sums.open, "adds_up": sums.adds_up}


def reasons_of(report: Report) -> Sequence[Reason]:
    """Why items that the plan still names are not on the target, or not the same there; what is left behind first."""
    return top_reasons((line for part in named_parts(report) for line in part.lines), NOT_THERE)


def done_of(parts: Iterable[Part], nouns: Nouns) -> str:
    """3 of 12 folders."""
    things = [line for part in parts for line in part.lines if not line.prepares]
    return f"{figures.count(sum(line.ended for line in things))} of {nouns.actions(len(things))}"


def why(reason: Reason, most: int) -> str:
    """The reason, and what people call at most so many of those that it is true of: too large (Ann Doe; Zoë Müller; and 298 more)."""
    whose = named(reason, most)
    return f"{reason.note} ({whose})" if whose else reason.note


def named(
    reason: Reason,
    most: int,
    *,
    more: str = "and {} more",
    count: Callable[[int], str] = figures.count,
    told: Callable[[str], str] = str,
) -> str:
    """What people call at most so many of those that a reason is true of, "" where they have no names: Ann Doe; Zoë Müller; and 298 more."""
    whose = list(map(told, reason.named[:most]))
    if whose and (rest := reason.beyond(most)) > 0:
        whose.append(more.format(count(rest)))
    return "; ".join(whose)


def left_behind(report: Report) -> list[str]:
    """The reasons with the most items first, each with its cure."""
    return _reason_lines("Left behind or altered:", reasons_of(report))


def remarks(report: Report) -> list[str]:
    """What is to be said of items that were copied, such as flags that the target does not keep."""
    lines = (line for part in named_parts(report) for line in part.lines)
    return _reason_lines("Copied, with a remark:", top_reasons(lines, frozenset({Fate.COPIED})))


def _reason_lines(title: str, reasons: Sequence[Reason]) -> list[str]:
    if not reasons:
        return []
    rows = [
        (figures.count(reason.items), WORDS[reason.fate], figures.joined(why(reason, NAMED), reason.cure))
        for reason in reasons[:MOST_REASONS]
    ]
    more = len(reasons) - MOST_REASONS
    rest = [f"  and {figures.counted(more, 'other reason', 'other reasons')}, see the report"] if more > 0 else []
    return [title, *(f"  {line}" for line in table(rows, right=frozenset({0}))), *rest]


def given_up(report: Report) -> list[str]:
    """Subjects and actions that did not come to their end, with the reason and what to do."""
    several = _several_routes(report)
    subjects = [
        f"  {figures.sentence(_placed(part, trouble.label) if several else trouble.label, trouble.text, trouble.remedy)}"
        for part in report.parts
        for trouble in part.troubles
        if part.named
        if not any(map(part.repeats, part.findings))  # then it stands among the findings
    ]
    told = {trouble.text for part in report.parts for trouble in part.troubles}
    actions = [
        f"  {figures.sentence(_placed(part, _whole(part, line)) if several else _whole(part, line), line.why, line.cure)}"
        for part in report.parts
        for line in part.lines
        if part.named and line.status is Status.FAILED and line.why not in told
    ]
    lines = [*subjects, *actions]
    return ["Given up:", *lines] if lines else []


def gone(report: Report) -> list[str]:
    """What is on record and the newest planning does not name any more, with its place."""
    several = _several_routes(report)
    rows = []
    for part in report.parts:
        label = _placed(part, part.label) if several else part.label
        if not (part.sums.recorded or part.sums.departed):
            continue
        lost = [line.label for line in part.lines if line.vanished and line.sums.departed and not line.prepares]
        if not part.named:
            rows.append(f"  {figures.name(label)} ({nouns_of([part.kind]).items(part.sums.recorded)} on record)")
        elif part.gone:
            rows.append(f"  {figures.name(label)}")
        elif lost:
            rows.append(f"  {figures.name(label)}: {', '.join(lost[:NAMED])}{', ...' if len(lost) > NAMED else ''}")
    more = [f"  and {figures.count(len(rows) - MOST_GONE)} more, see the report"] if len(rows) > MOST_GONE else []
    return ["Not at the source any more, or not named by the plan any more:", *rows[:MOST_GONE], *more] if rows else []


def difference_lines(report: Report, epoch: int, found: int) -> list[str]:
    """The differences that stand, under a heading; if the run of this epoch compared nothing and `found` none, an earlier one found them."""
    told = findings(report, Weight.DIFFERENCE)
    if not told:
        return []
    if found or any(line.verified == epoch for line in report.lines):
        return ["Differences found by verifying:", *told]
    return ["Differences that an earlier verification found; another one tells whether they are over:", *told]


def worth_a_look(report: Report) -> list[str]:
    """What is no difference and yet not as one would want it."""
    told = findings(report, Weight.WARNING, Weight.WARNING)
    return ["Worth a look:", *told] if told else []


def findings(report: Report, least: Weight, most: Weight = Weight.DIFFERENCE) -> list[str]:
    """What was found that weighs at least this much, and at most that, differences first."""
    fitting = (one for one in report.placed if least <= one.finding.weight <= most)
    heavy = sorted(fitting, key=lambda one: -one.finding.weight)
    several = _several_routes(report)
    shown = [
        _finding_line(_placed(one, one.place) if several and one.route else one.place, one.finding)
        for one in heavy[:MOST_FINDINGS]
    ]
    return [*shown, *_rest_of(heavy)]


def finding_lines(several: Iterable[Finding]) -> list[str]:
    """warning: bob@example.com: there is no room for it. Raise the quota. Of many that differ in their words alone, such as one for each
    card that will be refused, the first few.
    """
    alike: dict[tuple[str, str, str], list[Finding]] = {}
    for one in several:
        alike.setdefault((one.code, one.about, one.remedy), []).append(one)
    lines: list[str] = []
    for findings in alike.values():
        lines += [_finding_line(one.about, one) for one in findings[:MOST_ALIKE]]
        if (more := len(findings) - MOST_ALIKE) > 0:
            lines.append(f"  and {figures.count(more)} more like these; --json tells all")
    return lines


def _finding_line(place: str, finding: Finding) -> str:
    return f"  {finding.weight.name.lower()}: {figures.sentence(place, finding.text, finding.remedy)}"


def _rest_of(heavy: Sequence[Placed]) -> list[str]:
    more = len(heavy) - MOST_FINDINGS
    return [f"  and {figures.count(more)} more, see the report"] if more > 0 else []


def _part_row(part: Part, nouns: Nouns) -> tuple[str, ...]:
    return (
        figures.name(part.label),
        done_of([part], nouns),
        f"{figures.count(part.sums.recorded)} of {nouns.items(part.sums.total.items)}",
        _standing(part),
    )


def _standing(part: Part) -> str:
    behind = part.sums.items(Fate.LEFT_BEHIND)
    failed = sum(line.status is Status.FAILED for line in part.lines)
    words = [
        f"{figures.count(behind)} left behind" if behind else "",
        f"{figures.count(failed)} failed" if failed else "",
        "given up" if part.troubles else "",
        differences_found(part.differences) if part.differences and not part.unseen else "",
        "gone from the source" if part.gone else "",
        "" if part.named else "not named by the plan any more",
    ]
    if part.finished and all(line.prepares for line in part.lines) and (said := [line.why for line in part.lines]):
        words = said  # nothing was to be moved, and this is why
    is_open = f"{figures.count(part.sums.open)} open" if part.sums.open > 0 else "open"
    return ", ".join(word for word in words if word) or ("done" if part.finished else is_open)
