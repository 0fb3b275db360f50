"""A report in a few lines of text, for the end of a run, for status and for verify: the sums, who was given up, what was left
behind and why.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from migrator.cli import figures
from migrator.cli.documents import document
from migrator.cli.nouns import Nouns, nouns_of
from migrator.cli.screen import table
from migrator.engine.contract import Fate, Finding, Weight
from migrator.engine.ledger import Status
from migrator.engine.report import Part, Reason, Report, Sums, top_reasons

NOT_THERE = frozenset({Fate.LEFT_BEHIND, Fate.ALTERED})
MOST_REASONS = 10
MOST_FINDINGS = 50
WORDS = {
    Fate.COPIED: "copied",
    Fate.FOUND: "found there",
    Fate.NORMALISED: "normalised",
    Fate.ALTERED: "altered",
    Fate.LEFT_BEHIND: "left behind",
    Fate.SKIPPED: "skipped",
    Fate.GONE: "gone meanwhile",
}


def report_nouns(report: Report) -> Nouns:
    """The words for what this report is about."""
    return nouns_of(part.kind for part in report.parts)


def sums_sentence(sums: Sums, nouns: Nouns) -> str:
    """12,345 messages at the source: 12,300 copied, 43 found there, 2 left behind; it adds up."""
    fates = [f"{figures.count(size.items)} {WORDS[fate]}" for fate, size in sums.by_fate.items() if size.items]
    return f"{nouns.items(sums.total.items)} at the source: {', '.join(fates) or 'none moved yet'}; {adding_up(sums)}."


def adding_up(sums: Sums) -> str:
    """Whether the fates add up to the source's count, in words."""
    words = "it adds up" if sums.adds_up else f"{figures.count(sums.open)} still open"
    return (
        f"{words}, with {figures.count(sums.departed)} more that the source no longer lists" if sums.departed else words
    )


def by_route(report: Report) -> Iterator[tuple[str, list[Part]]]:
    """The parts of each kind and route, under a heading like "mail, old -> new"."""
    for (kind, route), parts in groupby(report.parts, key=lambda part: (part.kind, part.route)):
        yield ", ".join(word for word in (kind, route.replace(">", " -> ")) if word), list(parts)


def sums_by_route(report: Report) -> list[str]:
    """One sentence a room and route, and the whole where there are several."""
    lines = [f"{heading}: {_told(parts, nouns_of([parts[0].kind]))}" for heading, parts in by_route(report)]
    return [*lines, f"in all: {_told(report.parts, report_nouns(report))}"] if len(lines) > 1 else lines


def _told(parts: Sequence[Part], nouns: Nouns) -> str:
    """The sums of what was seen; what was never seen cannot be counted, and that is said."""
    unseen = sum(part.unseen for part in parts)
    without = f"{nouns.subjects(unseen)} could not be looked at, so what is in there is not counted." if unseen else ""
    seen = sums_sentence(Sums.of(part.sums for part in parts), nouns) if unseen < len(parts) else ""
    return " ".join(sentence for sentence in (seen, without) if sentence)


def part_rows(report: Report) -> list[str]:
    """A line for each subject: how far it is, and what keeps it."""
    shown: list[str] = []
    for heading, parts in by_route(report):
        nouns = nouns_of([parts[0].kind])
        shown.append(heading)
        shown += [f"  {line}" for line in table([_part_row(part, nouns) for part in parts], right=frozenset({1, 2}))]
    return shown


def subject_sums(report: Report) -> list[str]:
    """The sums of each subject, then those of the whole."""
    rows = [
        f"{part.label}: {sums_sentence(part.sums, nouns_of([part.kind]))}" for part in report.parts if not part.unseen
    ]
    return [*rows, *sums_by_route(report)]


def sums_document(sums: Sums) -> dict[str, Any]:
    """Sums for programs."""
    return {**document(sums), "open": sums.open, "adds_up": sums.adds_up}


def reasons_of(report: Report) -> Sequence[Reason]:
    """Why items are not on the target, or not the same there; the commonest reason first."""
    return top_reasons(report.lines, NOT_THERE)


def done_of(parts: Iterable[Part], nouns: Nouns) -> str:
    """3 of 12 folders."""
    things = [line for part in parts for line in part.lines if not line.prepares]
    return f"{figures.count(sum(line.ended for line in things))} of {nouns.actions(len(things))}"


def left_behind(report: Report) -> list[str]:
    """The reasons with the most items first, each with its cure."""
    reasons = reasons_of(report)
    if not reasons:
        return []
    rows = [
        (figures.count(reason.items), WORDS[reason.fate], f"{reason.note} {reason.cure}".strip())
        for reason in reasons[:MOST_REASONS]
    ]
    more = len(reasons) - MOST_REASONS
    rest = [f"  and {figures.counted(more, 'other reason', 'other reasons')}, see the report"] if more > 0 else []
    return ["Left behind or altered:", *(f"  {line}" for line in table(rows, right=frozenset({0}))), *rest]


def given_up(report: Report) -> list[str]:
    """Subjects and actions that did not come to their end, with the reason and what to do."""
    subjects = [
        f"  {figures.sentence(trouble.label, trouble.text, trouble.remedy)}"
        for part in report.parts
        for trouble in part.troubles
    ]
    told = {trouble.text for part in report.parts for trouble in part.troubles}
    actions = [
        f"  {line.label}: {line.why} {line.cure}".rstrip()
        for line in report.lines
        if line.status is Status.FAILED and line.why not in told
    ]
    lines = [*subjects, *actions]
    return ["Given up:", *lines] if lines else []


def findings(report: Report, least: Weight) -> list[str]:
    """What was found that weighs at least this much, differences first."""
    everything = [*report.findings, *(finding for line in report.lines for finding in line.findings)]
    heavy = sorted((one for one in everything if one.weight >= least), key=lambda one: -one.weight)
    return [*finding_lines(heavy[:MOST_FINDINGS]), *_rest_of(heavy)]


def finding_lines(several: Iterable[Finding]) -> list[str]:
    """DIFFERENCE alice@example.com/INBOX: 3 messages are missing. Run again."""
    return [f"  {one.weight.name.lower()}: {figures.sentence(one.about, one.text, one.remedy)}" for one in several]


def _rest_of(heavy: Sequence[Finding]) -> list[str]:
    more = len(heavy) - MOST_FINDINGS
    return [f"  and {figures.count(more)} more, see the report"] if more > 0 else []


def _part_row(part: Part, nouns: Nouns) -> tuple[str, ...]:
    return (
        part.label,
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
    ]
    return ", ".join(word for word in words if word) or ("done" if part.finished else "open")
