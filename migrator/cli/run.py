"""`migrator run`: do it, and after any interruption do it again with the same words.

The lease is taken before anything slow is imported, so that a second run is told in a moment that the first one is at work.
"""

from __future__ import annotations

from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any

import typer

from migrator.cli.console import Console, state_of
from migrator.cli.options import AsJson, PlanFile, State, Verbose

if TYPE_CHECKING:
    from migrator.engine.ledger import Claim, Store
    from migrator.engine.run import RunResult
    from migrator.plan.model import Plan


def run(
    context: typer.Context,
    plan: PlanFile,
    state: State = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="The same as `migrator preview`: show, do nothing.")
    ] = False,
    take_over: Annotated[
        bool,
        typer.Option(
            "--take-over",
            help="Take the plan from another run, even one that lives, and wait until that one has noticed.",
        ),
    ] = False,
    rebuild_state: Annotated[
        bool,
        typer.Option(
            "--rebuild-state", help="Set a damaged state file aside and learn from both servers what has arrived."
        ),
    ] = False,
    as_json: AsJson = False,
    verbose: Verbose = 0,
) -> int:
    """Do what the plan says: make accounts, copy mail, move contacts, lists and forms. Run the same command again after any
    interruption: it goes on where things stand.

    Ctrl-C stops at the next safe place; a second one stops at once, which is safe too. Nothing is moved twice. With --json
    every event is a line of JSON on stdout, the result is the last one.

    Exit codes: 0 all done, 2 the plan is wrong or the state cannot be used, 3 finished but something was left behind, 4 a login was refused, 5 a server did
    not answer, 6 no space, 7 a verify step found differences, 9 another run holds this plan, 130 or 143 interrupted: run again.
    """
    console = Console.of(context, verbose)
    if dry_run:
        from migrator.cli.preview import show

        return show(console, plan, state, as_json=as_json, tell_changes=False)
    return _run(console, plan, state_of(plan, state), take_over=take_over, rebuild_state=rebuild_state, as_json=as_json)


def _run(
    console: Console, path: Path, where: str | Path, *, take_over: bool, rebuild_state: bool, as_json: bool
) -> int:
    from migrator.cli.ready import claimed, plan_to_work
    from migrator.state.store import open_store

    plan = plan_to_work(path, console)
    if rebuild_state:
        _set_aside(console, where)
    store = open_store(where)
    try:
        claim = claimed(store, plan, "run", console, take_over=take_over)
        return _work(console, path, plan, store, claim, as_json=as_json)
    finally:
        store.close()


def _work(console: Console, path: Path, plan: Plan, store: Store, claim: Claim, *, as_json: bool) -> int:
    from migrator.cli.outcome import exit_of_run
    from migrator.cli.progress import Progress, watching
    from migrator.cli.ready import giving_back, kinds_of, programme_of
    from migrator.cli.signals import asking
    from migrator.engine.run import run as do
    from migrator.engine.stop import Stop
    from migrator.engine.walk import Surroundings

    stop = Stop()
    screen = console.screen
    with asking(stop, screen) as asked:
        with giving_back(store, claim):
            programme = programme_of(plan, console)
        with watching(console, Progress(monotonic), as_json=as_json, kinds=kinds_of(programme)) as tell:
            result = do(
                programme,
                store,
                claim,
                Surroundings(tell, stop),
                exit_code=lambda result: exit_of_run(result, asked.exit_code),
            )
        exit_code = exit_of_run(result, asked.exit_code)
    _tell_end(console, path, store, claim, result, exit_code, as_json=as_json)
    return exit_code


def _tell_end(
    console: Console, path: Path, store: Store, claim: Claim, result: RunResult, exit_code: int, *, as_json: bool
) -> None:
    from migrator.cli import figures, summary
    from migrator.engine.report import report

    screen = console.screen
    seen = report(store, figures.now())
    if as_json:
        screen.json_line(_result_document(result, exit_code, summary.sums_document(seen.sums)))
    else:
        for line in (
            *summary.sums_by_route(seen),
            *summary.left_behind(seen),
            *summary.remarks(seen),
            *summary.gone(seen),
            *summary.given_up(seen),
            *summary.difference_lines(seen, claim.run.epoch, result.differences),
            *summary.worth_a_look(seen),
            *summary.compared(seen, claim.run.epoch, result.differences, summary.report_nouns(seen)),
            f"For the whole story: migrator report {path}",
        ):
            screen.answer(line)
    if result.words:
        screen.say(f"Stopped by {result.words}; nothing is lost. Start again with: migrator run {path}")
    elif exit_code:
        screen.say(f"Not everything is done. When the causes are mended, start again with: migrator run {path}")


def _result_document(result: RunResult, exit_code: int, sums: dict[str, Any]) -> dict[str, Any]:
    from migrator.cli.documents import document

    return {"event": "result", **document(result), "codes": sorted(result.codes), "exit_code": exit_code, "sums": sums}


def _set_aside(console: Console, where: str | Path) -> None:
    from migrator.state.store import rebuild

    if kept := rebuild(where):
        console.screen.say(f"The state was set aside as {kept}; what has arrived is found again on both servers.")
