"""`migrator status`: what is done, what is left, what was left behind and why. From the state alone; no server is asked."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from migrator.cli.console import Console, state_to_ask
from migrator.cli.options import AsJson, PlanFile, State, Verbose
from migrator.frozen import dataclass

if TYPE_CHECKING:
    from migrator.engine.ledger import Holder, RunRow, Store
    from migrator.engine.report import Report
    from migrator.plan.model import StepEntry, VerifyEntry

    Steps = Callable[[], Sequence[StepEntry | VerifyEntry]]

REDRAWN_EVERY = 2.0  # seconds
NOTHING_RUN = "Nothing has been run yet."


@dataclass(frozen=True, slots=True)
class Turn:
    """A step of the plan that is still to have its turn in a run; a verification has no route."""

    step: str
    kind: str
    route: str

    @property
    def words(self) -> str:
        """delta: mail, old -> new."""
        from migrator.cli.nouns import heading

        return heading(self.step, self.kind, self.route)


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at the state shows, and which steps of the plan are waiting."""

    seen: Report
    works: bool
    waiting: Sequence[Turn]


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
    steps = cache(lambda: _steps(plan))
    try:
        if as_json and not watch:
            console.screen.document(_document(store, _look(store, steps)))
            return Exit.DONE
        goes_on = _show(console, plan, store, steps, as_json=as_json)
        while watch and goes_on:
            time.sleep(REDRAWN_EVERY)
            if not as_json:
                console.screen.clear()
            goes_on = _show(console, plan, store, steps, as_json=as_json)
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


def _show(console: Console, plan: Path, store: Store, steps: Steps, *, as_json: bool) -> bool:
    """Show it once; answers whether a run is at work."""
    now = _look(store, steps)
    if as_json:
        console.screen.json_line(_document(store, now))
        return now.works
    for line in _lines(plan, now, steps):
        console.screen.answer(line)
    return now.works


def _look(store: Store, steps: Steps) -> Look:
    seen, works = look(store)
    return Look(seen, works, waiting(steps(), seen) if _has_more_to_look_at(seen) else [])


def _has_more_to_look_at(seen: Report) -> bool:
    return seen.cut_short and bool(seen.runs) and seen.runs[-1].purpose == "run"


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


def waiting(steps: Sequence[StepEntry | VerifyEntry], seen: Report) -> list[Turn]:
    """The steps of the plan that the newest run has still before it, as far as it has recorded what it does: steps are done one after the
    other, so those before one that has begun are over, also where they had nothing to do.
    """
    from migrator.plan.model import StepEntry

    epoch = seen.runs[-1].epoch if seen.runs else 0
    compared = {step for line in seen.lines if epoch and line.verified == epoch for step in line.steps}
    ahead = 0  # how many steps the run has not before it any more
    for place, step in enumerate(steps):
        if isinstance(step, StepEntry):
            begun = step.name in seen.begun
        else:  # it compares what was moved before it
            begun = place == ahead > 0 and steps[place - 1].name in compared
        if begun:
            ahead = place + 1
    return [
        Turn(step.name, step.kind, f"{step.route.source}>{step.route.target}")
        if isinstance(step, StepEntry)
        else Turn(step.name, "verify", "")
        for step in steps[ahead:]
    ]


def _lines(plan: Path, now: Look, steps: Steps) -> list[str]:
    from migrator.cli import figures, summary
    from migrator.engine.contract import Fate, Weight

    seen, works = now.seen, now.works
    nouns = summary.report_nouns(seen, [] if seen.parts else _kinds(steps()))
    newest = seen.runs[-1] if seen.runs else None
    differences = summary.findings(seen, Weight.DIFFERENCE)
    recorded = " by our records" if seen.differences > sum(seen.not_compared) else ""
    so_far = (
        f"{summary.done_of(summary.named_parts(seen), nouns)} done",
        f"{figures.count(seen.sums.arrived)} of {nouns.items(seen.sums.total.items)} on the target{recorded}",
        f"{figures.count(seen.sums.items(Fate.LEFT_BEHIND))} left behind",
    )
    return [
        run_sentence(newest, works=works, differences=summary.differed(seen, newest)) if newest else NOTHING_RUN,
        ", ".join(so_far)
        + "."
        + (" What it has not looked at yet is not counted." if _has_more_to_look_at(seen) else ""),
        "",
        *summary.part_rows(seen),
        *_waiting_lines(now),
        "",
        *summary.sums_by_route(seen),
        *summary.left_behind(seen),
        *summary.remarks(seen),
        *summary.gone(seen),
        *summary.given_up(seen),
        *(["Differences found by verifying:", *differences] if differences else []),
        *summary.worth_a_look(seen),
        *([] if works or (seen.finished and not now.waiting) else [f"To go on: {_to_go_on(plan, seen)}"]),
    ]


def _waiting_lines(now: Look) -> list[str]:
    if not now.waiting:
        return []
    number = now.seen.runs[-1].number
    return [f"Waiting, with nothing on record of run {number} yet:", *(f"  {turn.words}" for turn in now.waiting)]


def _to_go_on(plan: Path, seen: Report) -> str:
    """Differences stay open until both sides are compared anew, which a run does only where its plan says so; and a run alone mends few."""
    run = f"migrator run {plan}"
    return f"do as each difference says, then {run}, then migrator verify {plan}" if seen.differences else run


def _steps(plan: Path) -> Sequence[StepEntry | VerifyEntry]:
    """The steps of the plan; none where it cannot be read."""
    from migrator.errors import PlanError
    from migrator.plan.load import load
    from migrator.registry import REGISTRY

    try:
        return load(plan, REGISTRY).steps
    except PlanError:
        return []


def _kinds(steps: Sequence[StepEntry | VerifyEntry]) -> list[str]:
    """The rooms these steps pass through."""
    from migrator.plan.model import StepEntry

    return [step.kind for step in steps if isinstance(step, StepEntry)]


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


def _document(store: Store, now: Look) -> dict[str, Any]:
    from migrator.cli import summary
    from migrator.cli.documents import document

    seen = now.seen
    return {
        "run": document(seen.runs[-1]) if seen.runs else None,
        "works": now.works,
        "finished": seen.finished and not now.waiting,
        "waiting": document(now.waiting),
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
