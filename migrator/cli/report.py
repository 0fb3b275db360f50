"""`migrator report`: one HTML file to hand on (report_page.py), the same as JSON for programs and as CSV for a spreadsheet.

All is made from the state alone. Names and reasons were written by strangers: a cell that a spreadsheet would take for a formula is not one.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import tempfile
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from migrator.cli.console import Console, state_to_ask
from migrator.cli.options import AsJson, PlanFile, State, Verbose

if TYPE_CHECKING:
    from migrator.cli.tongue import Tongue
    from migrator.engine.report import Line, Part, Reason, Report

FORMULA = re.compile("(^|[;\t\r\n])(?=[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20])")


class Language(Enum):
    """What the page is written in."""

    EN = "en"
    ES = "es"


def report(
    context: typer.Context,
    plan: PlanFile,
    state: State = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--folder", help="Where to write; by default as the plan says, else beside it.", show_default=False
        ),
    ] = None,
    language: Annotated[
        Language | None,
        typer.Option(
            "--language", help="The language of the page; by default as the plan says, else en.", show_default=False
        ),
    ] = None,
    as_json: AsJson = False,
    verbose: Verbose = 0,
) -> int:
    """Write plan.report.html, .json and .csv: for all mail, accounts, contacts, lists and forms what was found, copied, normalised,
    altered and left behind, why and what to do, with sums that add up to the source's own counts. From the state alone; no server
    is asked.

    The page is one file without script that asks nothing of the network: it can be mailed, printed and read on a phone.

    Exit codes: 0 written, 2 nothing has been run yet, the state cannot be read or the files cannot be written.
    """
    from migrator.cli import figures
    from migrator.cli.exits import Exit
    from migrator.cli.ready import report_wishes
    from migrator.cli.report_page import page
    from migrator.engine.report import report as of
    from migrator.state.store import open_for_questions

    console = Console.of(context, verbose)
    where = state_to_ask(plan, state)
    wanted = report_wishes(plan, console)
    store = open_for_questions(where)
    try:
        seen = of(store, figures.now())
    finally:
        store.close()
    spoken = language.value if language else wanted.language
    place = folder or wanted.folder or plan.parent
    texts = {
        "html": page(seen, wanted.title, spoken),
        "json": json.dumps(report_document(seen), indent=1) + "\n",
        "csv": spreadsheet(seen, spoken),
    }
    written = [write(place / f"{plan.stem}.report.{ending}", text) for ending, text in texts.items()]
    if as_json:
        console.screen.document({"files": [str(path) for path in written]})
    else:
        for path in written:
            console.screen.answer(str(path))
    return Exit.DONE


def report_document(seen: Report) -> dict[str, Any]:
    """The report for programs, whole."""
    from migrator.cli.documents import document
    from migrator.cli.summary import sums_document

    def line_document(line: Line) -> dict[str, Any]:
        sums = sums_document(line.sums)
        return {**document(line), "sums": sums if line.counted else {**sums, "total": None, "open": None}}

    def part_document(part: Part) -> dict[str, Any]:
        lines = [line_document(line) for line in part.lines]
        told: Mapping[str, Any] = {
            "kind": part.kind,
            "route": part.route,
            "subject": part.subject,
            "label": part.label,
            "finished": part.finished,
            "named": part.named,
            "gone": part.gone,
            "troubles": document(part.troubles),
            "findings": document(part.findings),
            "differences": part.differences,
        }
        return {**told, "sums": sums_document(part.sums), "lines": lines}

    return {
        "made": document(seen.made),
        "finished": seen.finished,
        "differences": seen.differences,
        "sums": sums_document(seen.sums),
        "runs": document(seen.runs),
        "findings": document(seen.findings),
        "items_untold": seen.items_untold,
        "parts": [part_document(part) for part in seen.parts],
    }


def spreadsheet(seen: Report, language: str = "en") -> str:
    """The report as a CSV that a person opens in a spreadsheet: a row for each action, no cell a formula. Its titles are in the report's
    language and name the things of the room it is about, and so are reasons and what to do, as far as they can be said in it.
    """
    from migrator.cli.report_page import name_of, subject_of
    from migrator.cli.report_words import words_of
    from migrator.cli.tongue import Tongue
    from migrator.engine.contract import Fate

    tongue = Tongue.of(language)
    sheet = io.StringIO()
    writer = csv.writer(sheet, quoting=csv.QUOTE_ALL)
    fates = [fate.value for fate in Fate]
    words = words_of(language, {part.kind for part in seen.parts})
    of_kind = {part.kind: words_of(language, {part.kind}) for part in seen.parts}
    ends = [*fates, "open"] if language == "en" else [words[word].lower() for word in (*fates, "open")]
    things = [words[word].lower() for word in ("subject", "step", "route", "action", "status", "held")]
    writer.writerow([*things, *ends, *(words[word].lower() for word in ("in_bytes", "why", "cure"))])
    blank = [""] * (len(fates) + 3)  # what was not counted
    for part in seen.parts:
        kind, route = tongue.label(part.kind), part.route.replace(">", " -> ")
        for trouble in part.troubles:
            texts = [trouble.label, kind, route, "", tongue.label("given-up"), *blank]
            writer.writerow([guarded(text) for text in (*texts, tongue.say(trouble.text), tongue.say(trouble.remedy))])
        for finding in part.findings:
            if part.repeats(finding):
                continue
            texts = [subject_of(part, tongue), kind, route, "", tongue.label(finding.weight.name.lower()), *blank]
            writer.writerow([guarded(text) for text in (*texts, tongue.say(finding.text), tongue.say(finding.remedy))])
        for line in part.lines:
            if line.prepares and line.plain:
                continue
            why, cure = _why_and_cure(line, tongue, of_kind[part.kind])
            why = why if part.named else f"{words['unnamed']}; {why}".removesuffix("; ")
            counts = [*(line.sums.items(fate) for fate in Fate), line.sums.open, line.sums.total.bytes]
            numbers = [line.sums.total.items, *counts] if line.counted else blank
            step = kind if line.steps == (part.kind,) else f"{kind}: {', '.join(map(tongue.label, line.steps))}"
            label = name_of(line, part.kind, tongue)
            texts = [subject_of(part, tongue), step, route, label, tongue.label(line.status.value)]
            writer.writerow([*map(guarded, texts), *numbers, guarded(why), guarded(cure)])
    return sheet.getvalue()


def guarded(cell: str) -> str:
    """The text of a cell, never a formula, also where a spreadsheet takes semicolons for the borders of cells."""
    from migrator.cli.screen import plain

    return plain(FORMULA.sub(r"\1'", cell))


def write(path: Path, text: str) -> Path:
    """Write a file that only this user can read, whole or not at all; answers its path. Raises PlanError if it cannot be."""
    from migrator.errors import PlanError

    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise PlanError(
            f"{path} could not be written: {error.strerror}.", remedy="Name a folder you may write to with --folder."
        ) from error
    return path


def _why_and_cure(line: Line, tongue: Tongue, words: Mapping[str, str]) -> tuple[str, str]:
    from migrator.cli.report_page import NAMED_BESIDE
    from migrator.cli.summary import named

    def told(reason: Reason) -> str:
        word = reason.fate.value
        fate = word if tongue.language == "en" else words[f"{word}_one" if reason.items == 1 else word].lower()
        whose = named(reason, NAMED_BESIDE, more=words["more_named"], count=tongue.count, told=tongue.named)
        return f"{tongue.count(reason.items)} {fate}: {tongue.say(reason.note)}{f' ({whose})' if whose else ''}"

    reasons = [told(reason) for reason in line.reasons if reason.note]
    cures = dict.fromkeys(reason.cure for reason in line.reasons if reason.cure)
    findings = [tongue.say(finding.text) for finding in line.findings]
    remedies = dict.fromkeys(finding.remedy for finding in line.findings if finding.remedy)
    why = [tongue.say(line.why), *reasons, *findings]
    return "; ".join(filter(None, why)), "; ".join(map(tongue.say, filter(None, [line.cure, *cures, *remedies])))
