"""`migrator status`: what is done, what is left, what was left behind and why. From the state alone; no server is asked."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from migrator.cli.console import Console, state_to_ask
from migrator.cli.options import AsJson, PlanFile, State, Verbose

if TYPE_CHECKING:
    from migrator.engine.ledger import Holder, RunRow, Store
    from migrator.engine.report import Report

REDRAWN_EVERY = 2.0  # seconds
NOTHING_RUN = "Nothing has been run yet."


def status(
    context: typer.Context,
    plan: PlanFile,
    state: State = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show it again every 2 seconds, until the run ends or Ctrl-C.")
    ] = False,
    as_json: AsJson = False,
    verbose: Verbose = 0,
) -> int:
    """Show how far a plan has come: its newest run, everyone's mail, accounts, contacts, lists and forms, what was left behind and
    why. May be asked during a run. With --watch it may be asked before the first run: it waits until that begins.

    Exit codes: 0 shown, 2 nothing has been run yet (without --watch) or the state cannot be read, 130 interrupted (with --watch).
    """
    from migrator.cli.exits import Exit
    from migrator.state.store import open_for_questions

    console = Console.of(context, verbose)
    where = state_to_ask(plan, state)
    store = _once_there(console, where) if watch else open_for_questions(where)
    try:
        if as_json and not watch:
            seen, works = look(store)
            console.screen.document(_document(store, seen, works=works))
            return Exit.DONE
        goes_on = _show(console, plan, store, as_json=as_json)
        while watch and goes_on:
            time.sleep(REDRAWN_EVERY)
            if not as_json:
                console.screen.clear()
            goes_on = _show(console, plan, store, as_json=as_json)
    finally:
        store.close()
    return Exit.DONE


def _once_there(console: Console, where: str | Path) -> Store:
    """The state, as soon as it tells of a run; that there is none yet is said once. Raises StateError where none could come to be."""
    from migrator.errors import NothingRun
    from migrator.state.store import open_for_questions

    waits = False
    while True:
        why = NOTHING_RUN
        try:
            store = open_for_questions(where)
        except NothingRun as error:
            why = str(error)
        else:
            if store.runs():
                return store
            store.close()
        if not waits:
            console.screen.say(f"{why} Waiting for a run to begin; Ctrl-C ends the waiting.")
            waits = True
        time.sleep(REDRAWN_EVERY)


def _show(console: Console, plan: Path, store: Store, *, as_json: bool) -> bool:
    """Show it once; answers whether a run is at work."""
    seen, works = look(store)
    if as_json:
        console.screen.json_line(_document(store, seen, works=works))
        return works
    for line in _lines(plan, seen, works=works):
        console.screen.answer(line)
    return works


def look(store: Store, lives: Callable[[Holder], bool] | None = None) -> tuple[Report, bool]:
    """The report, and whether the run that is the newest in it is at work; `lives` tells of its process, if not this system.

    The one question is answered by the other: a run may begin, or record its end and leave, between two looks at the state.
    """
    from migrator.cli import figures
    from migrator.engine.report import report
    from migrator.state.lease import is_held, process_lives, this_process

    while True:
        seen = report(store, figures.now())
        newest = seen.runs[-1] if seen.runs else None
        if newest is None or newest.ended is not None:
            return seen, False
        if is_held(newest, this_process(), figures.now(), lives or process_lives):
            return seen, True
        if store.runs()[-1] == newest:  # it has not ended since, and no other has begun: it died
            return seen, False


def _lines(plan: Path, seen: Report, *, works: bool) -> list[str]:
    from migrator.cli import figures, summary
    from migrator.engine.contract import Fate, Weight

    nouns = summary.report_nouns(seen, [] if seen.parts else _planned_kinds(plan))
    newest = seen.runs[-1] if seen.runs else None
    differences = summary.findings(seen, Weight.DIFFERENCE)
    unsure = seen.cut_short and newest is not None and newest.purpose == "run"
    recorded = " by our records" if seen.differences > sum(seen.not_compared) else ""
    so_far = (
        f"{summary.done_of(summary.named_parts(seen), nouns)} done",
        f"{figures.count(seen.sums.arrived)} of {nouns.items(seen.sums.total.items)} on the target{recorded}",
        f"{figures.count(seen.sums.items(Fate.LEFT_BEHIND))} left behind",
    )
    return [
        run_sentence(newest, works=works, differences=summary.differed(seen, newest)) if newest else NOTHING_RUN,
        ", ".join(so_far) + "." + (" What it has not looked at yet is not counted." if unsure else ""),
        "",
        *summary.part_rows(seen),
        "",
        *summary.sums_by_route(seen),
        *summary.left_behind(seen),
        *summary.remarks(seen),
        *summary.gone(seen),
        *summary.given_up(seen),
        *(["Differences found by verifying:", *differences] if differences else []),
        *summary.worth_a_look(seen),
        *([] if works or seen.finished else [f"To go on: {_to_go_on(plan, seen)}"]),
    ]


def _to_go_on(plan: Path, seen: Report) -> str:
    """Differences stay open until both sides are compared anew, which a run does only where its plan says so; and a run alone mends few."""
    run = f"migrator run {plan}"
    return f"do as each difference says, then {run}, then migrator verify {plan}" if seen.differences else run


def _planned_kinds(plan: Path) -> list[str]:
    """The rooms the plan passes through; none where it cannot be read."""
    from migrator.errors import PlanError
    from migrator.plan.load import load
    from migrator.plan.model import StepEntry
    from migrator.registry import REGISTRY

    try:
        return [step.kind for step in load(plan, REGISTRY).steps if isinstance(step, StepEntry)]
    except PlanError:
        return []


def run_sentence(run: RunRow, *, works: bool, differences: int | None = None) -> str:
    """Run 8 works since 2026-11-22 02:14 UTC (process 1234 on mail.example.net, last sign 02:20).

    `differences` is how many it ended with, None if it found none.
    """
    from migrator.cli import figures, summary
    from migrator.cli.exits import Exit

    what = "Verification" if run.purpose == "verify" else "Run"
    began = figures.moment(run.began)
    sign = figures.moment_since(run.last_sign, figures.now())
    if works:
        where = f"process {run.holder.pid} on {run.holder.host}"
        return f"{what} {run.number} works since {began} ({where}, last sign {sign})."
    if run.ended is None or run.ending is None:
        return f"{what} {run.number} began {began} and died without an end, last sign {sign}; nothing is lost."
    by = f", stopped by {run.words}" if run.words else ""
    took = figures.duration((run.ended - run.began).total_seconds())
    ending = ENDINGS[run.ending.value]
    if run.ending.value == "done" and run.exit_code:  # a verification that could not look at everything
        meaning = next((code.meaning for code in Exit if code == run.exit_code), "")
        ending = f"ended with {run.exit_code} ({meaning})"
    if differences is not None:
        found = (
            summary.differences_found(differences)
            if differences
            else "ended with differences, or with something not moved"
        )
        ending = found if run.ending.value == "done" else f"{ending}, {found}"
    return f"{what} {run.number} began {began} and ended after {took}: {ending}{by}."


ENDINGS = {
    "done": "all done",
    "left-behind": "finished, something was left behind",
    "failed": "not everything could be done",
    "interrupted": "interrupted",
}


def _document(store: Store, seen: Report, *, works: bool) -> dict[str, Any]:
    from migrator.cli import summary
    from migrator.cli.documents import document

    return {
        "run": document(seen.runs[-1]) if seen.runs else None,
        "works": works,
        "finished": seen.finished,
        "cut_short": seen.cut_short,
        "tally": document(store.tally()),
        "sums": summary.sums_document(seen.sums),
        "subjects": [
            {
                "kind": part.kind,
                "route": part.route,
                "key": part.subject,
                "label": part.label,
                "finished": part.finished,
                "named": part.named,
                "gone": part.gone,
                "sums": summary.sums_document(part.sums),
                "troubles": document(part.troubles),
            }
            for part in seen.parts
        ],
        "left_behind": document(summary.reasons_of(seen)),
        "differences": seen.differences,
    }
