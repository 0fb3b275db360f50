"""The page of a report: HTML for the customer, in his language. Names and reasons in it were written by strangers, so all of it is
escaped; what no catalogue knows is marked as English.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from importlib import resources

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup, escape

from migrator import __version__
from migrator.cli.exits import Exit
from migrator.cli.report_words import words_of
from migrator.cli.screen import plain
from migrator.cli.summary import NAMED as FEW
from migrator.cli.summary import differed, named, named_parts, reasons_of, telling_apart, telling_steps
from migrator.cli.tongue import ENGLISH, Tongue
from migrator.engine.contract import Fate, Weight
from migrator.engine.ledger import Ending, RunRow
from migrator.engine.report import Line, Part, Reason, Report
from migrator.frozen import dataclass

HEAVIEST = 1024 * 1024  # bytes of a page that can still be mailed and read on a phone
MOST_REASONS = 100
MOST_DIFFERENCES = 200
NAMED_ITEMS = 20  # items named in a row of the page; all of them are in the JSON file
NAMED_BESIDE = 100  # items that people have a name for, beside the reason they share
NAMED_BY_US = frozenset({"accounts", "lists"})  # rooms whose lines are called by what they hold, and not by a customer
NAMELESS = frozenset({"forms"})  # rooms whose subject has no name of its own: a database, whichever it is
_AS_SENT = frozenset({Fate.COPIED, Fate.FOUND})
ENDINGS = {
    Ending.DONE: "done",
    Ending.LEFT_BEHIND: "left_behind_ending",
    Ending.FAILED: "failed",
    Ending.INTERRUPTED: "interrupted",
}


@dataclass(frozen=True, slots=True)
class Detail:
    """How much a page tells of single folders: those without anything special, how many of the others for each mailbox, and how many
    reasons of each.
    """

    plain: bool
    special: int
    reasons: int


DETAILS = (
    Detail(plain=True, special=1000, reasons=1000),
    Detail(plain=False, special=1000, reasons=1000),
    Detail(plain=False, special=3, reasons=3),
)


def page(seen: Report, title: str, language: str) -> str:
    """The report as one HTML page, light enough for a mail: a page that grows beyond that tells less of single folders."""
    html = ""
    speech = _Speech(seen, language)
    for detail in DETAILS:
        html = _rendered(seen, title, speech, detail)
        if len(html.encode()) <= HEAVIEST:
            break
    return html


def name_of(line: Line, kind: str, tongue: Tongue) -> str:
    """What a line of a room is called: in the page's language, where the name is ours and no customer's."""
    if not (line.prepares or kind in NAMED_BY_US):
        return line.label
    said = tongue.label(line.label)
    return tongue.say(said) if line.prepares and said == line.label else said


def subject_of(part: Part, tongue: Tongue) -> str:
    """What a part is called: by its own name, or in the page's language where it has none."""
    return tongue.label(part.label) if part.kind in NAMELESS else part.label


@dataclass(slots=True)
class _Speech:
    """How a page says things; what the template asks of it."""

    seen: Report
    language: str
    tongue: Tongue = field(init=False)
    words: Mapping[str, str] = field(init=False)
    of_kind: Mapping[str, Mapping[str, str]] = field(init=False)

    def __post_init__(self) -> None:
        kinds = {part.kind for part in self.seen.parts}
        self.tongue = Tongue.of(self.language)
        self.words = words_of(self.language, kinds)
        self.of_kind = {kind: words_of(self.language, {kind}) for kind in kinds}

    def counted(self, number: int, word: str, of: Mapping[str, str] | None = None) -> str:
        """1 folder, 1,204 folders; `of` are the words of one room where the page is about several."""
        words = of or self.words
        return self.tongue.counted(number, words.get(f"{word}_one", words[word]).lower(), words[word].lower())

    def label(self, number: int, word: str) -> str:
        """What a number of the summary is called."""
        return self.words.get(f"{word}_one", self.words[word]) if number == 1 else self.words[word]

    def say(self, text: str) -> Markup:
        """A sentence of a room; what is not known in the page's language is marked as English."""
        told = Markup("")
        for piece in self.tongue.pieces(text):
            shown = escape(plain(piece.text))
            told += Markup('<span lang="{}">{}</span>').format(ENGLISH, shown) if piece.foreign else shown
        return told

    def both(self, text: str, remedy: str) -> Markup:
        """What happened, and what to do: two sentences."""
        return _followed(self.say(text), text, self.say(remedy))

    def why(self, reason: Reason, most: int) -> Markup:
        """The reason and some of those it is true of, by the names they have."""
        whose = named(reason, most, more=self.words["more_named"], count=self.tongue.count, told=self.tongue.named)
        return self.say(reason.note) + escape(plain(f" ({whose})" if whose else ""))

    def explained(self, reason: Reason) -> Markup:
        """The reason with everybody it is true of, and what to do."""
        told = self.why(reason, NAMED_BESIDE)
        return _followed(told, told, self.say(reason.cure))

    def ending(self, run: RunRow) -> Markup:
        """How a run ended that is not known by its differences alone."""
        if run.ending is Ending.DONE and run.exit_code not in {None, Exit.DONE, Exit.DIFFERENCES}:
            meaning = next((code.meaning for code in Exit if code == run.exit_code), "")
            return escape(f"{self.words['not_done']}: ") + self.say(meaning)
        return escape(self.words[ENDINGS[run.ending]] if run.ending else "")


def _is_special(part: Part) -> bool:
    """Whether there is more to say about it than its numbers."""
    told = any(not part.repeats(finding) for finding in part.findings)  # what was given up has a table of its own
    return told or not part.named or any(not line.plain for line in part.lines)


def _remarked(part: Part) -> int:
    """Of how many things that arrived as they were there is something to tell all the same."""
    arrived = (reason for line in part.lines for reason in line.reasons if reason.fate in _AS_SENT)
    return sum(reason.items for reason in arrived)


def _followed(told: Markup, text: str, then: Markup) -> Markup:
    """A sentence and the next one; `text` is the first as it was written."""
    stop = "" if not then or text.endswith((".", "?", "!")) else "."
    return told + stop + (" " if then else "") + then


def _rendered(seen: Report, title: str, speech: _Speech, detail: Detail) -> str:
    tongue, words = speech.tongue, speech.words
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: plain(value) if type(value) is str else value,
    )
    environment.filters["called"] = tongue.label
    template = environment.from_string(resources.files("migrator.cli").joinpath("report.html.j2").read_text("utf-8"))
    said = {name: getattr(speech, name) for name in ("counted", "label", "say", "both", "why", "explained", "ending")}
    figures = {"n": tongue.count, **{name: getattr(tongue, name) for name in ("figure", "size", "moment", "duration")}}
    repeated = {finding for part in seen.parts for finding in part.findings if part.repeats(finding)}
    differing = [one for one in seen.placed if one.finding.weight is Weight.DIFFERENCE and one.finding not in repeated]
    return template.render(
        **said,
        **figures,
        report=seen,
        subjects=len({(part.kind, part.subject) for part in named_parts(seen)}),
        t=words,
        of_kind=speech.of_kind,
        title=f"{words['title']}: {title}" if title else words["title"],
        language=speech.language,
        version=__version__,
        reasons=reasons_of(seen)[:MOST_REASONS],
        special=[part for part in seen.parts if _is_special(part)],
        remarked=_remarked,
        differing=differing[:MOST_DIFFERENCES],
        more_differing=len(differing) > MOST_DIFFERENCES,
        unseen_differences=sum(part.differences for part in seen.parts if part.unseen),
        differed=lambda run: differed(seen, run),
        apart=telling_apart(seen, tongue.label),
        steps_told=telling_steps(seen),
        name_of=lambda line, kind: name_of(line, kind, tongue),
        subject_of=lambda part: subject_of(part, tongue),
        called=tongue.label,
        DIFFERENCE=Weight.DIFFERENCE,
        detail=detail,
        FATES=list(Fate),
        COPIED=Fate.COPIED,
        FOUND=Fate.FOUND,
        LEFT_BEHIND=Fate.LEFT_BEHIND,
        NAMED=NAMED_ITEMS,
        FEW=FEW,
        ended_well=lambda run: run.ending is Ending.DONE,
    )
