"""`migrator verify`: compare both sides by another road than the copy took."""

from __future__ import annotations

from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated

import typer

from migrator.cli.console import Console, state_of
from migrator.cli.options import AsJson, PlanFile, State, Verbose

if TYPE_CHECKING:
    from migrator.engine.ledger import Claim, Store
    from migrator.engine.stage import Programme, Verification
    from migrator.engine.verify import VerifyResult
    from migrator.plan.model import Plan

WHOLE = 1.0
PERCENT = 100.0


def verify(
    context: typer.Context,
    plan: PlanFile,
    state: State = None,
    sample: Annotated[
        str | None,
        typer.Option(
            "--sample",
            metavar="5%|all",
            help="How many of the messages are read whole and compared byte for byte. Counts, flags and dates, and all that is "
            "not mail, are always compared whole. By default what the plan's verify step says, else all.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
    verbose: Verbose = 0,
) -> int:
    """Compare both sides of what was moved: messages with their flags and dates, accounts, contacts, lists and forms, the content of
    all messages or of a sample. Writes to neither.

    The sums must equal the source's own counts. With --json every event is a line of JSON on stdout, the result is
    the last one.

    Exit codes: 0 nothing differs, 2 the plan is wrong or the state cannot be used, 4 a login was refused, 5 a server did not answer, 6 no space, 7 something
    differs or was given up, 9 a run is at work on this plan, 130 or 143 interrupted.
    """
    console = Console.of(context, verbose)
    share = None if sample is None else share_of(sample)
    return _verify(console, plan, state_of(plan, state), share, as_json=as_json)


def share_of(sample: str) -> float:
    """5% -> 0.05, all -> 1. Raises BadParameter for what is neither."""
    if sample.strip().lower() == "all":
        return WHOLE
    number, percent, rest = sample.strip().partition("%")
    if percent and not rest and number.replace(".", "", 1).isascii() and number.replace(".", "", 1).isdigit():
        share = float(number) / PERCENT
        if share <= WHOLE:
            return share
    raise typer.BadParameter(f"{sample!r} is not a share. Say 5% or all.", param_hint="--sample")


def _verify(console: Console, path: Path, where: str | Path, share: float | None, *, as_json: bool) -> int:
    from migrator.cli.ready import claimed, plan_to_work
    from migrator.state.store import open_store

    plan = plan_to_work(path, console)
    store = open_store(where)
    try:
        claim = claimed(store, plan, "verify", console, take_over=False)
        return _compare(console, path, plan, store, claim, share, as_json=as_json)
    finally:
        store.close()


def _compare(
    console: Console, path: Path, plan: Plan, store: Store, claim: Claim, share: float | None, *, as_json: bool
) -> int:
    from migrator.cli.outcome import exit_of_verify
    from migrator.cli.progress import Progress, watching
    from migrator.cli.ready import giving_back, kinds_of, programme_of
    from migrator.cli.signals import asking
    from migrator.engine.stop import Stop
    from migrator.engine.verify import verify as compare
    from migrator.engine.walk import Surroundings

    stop = Stop()
    with asking(stop, console.screen) as asked:
        with giving_back(store, claim):
            programme = programme_of(plan, console)
        with watching(console, Progress(monotonic), as_json=as_json, kinds=kinds_of(programme)) as tell:
            result = compare(
                programme,
                store,
                claim,
                wanted(programme, share),
                Surroundings(tell, stop),
                exit_code=lambda result: exit_of_verify(result, asked.exit_code),
            )
        exit_code = exit_of_verify(result, asked.exit_code)
    _tell_end(console, path, store, programme, result, exit_code, as_json=as_json)
    return exit_code


def wanted(programme: Programme, share: float | None) -> Verification:
    """What to compare: the share asked for, else as the plan's last verify step says, else everything."""
    from migrator.engine.stage import Verification

    if share is not None:
        return Verification("verify", default_sample=share)
    planned = [stage for stage in programme.stages if isinstance(stage, Verification)]
    return planned[-1] if planned else Verification("verify")


def _tell_end(
    console: Console,
    path: Path,
    store: Store,
    programme: Programme,
    result: VerifyResult,
    exit_code: int,
    *,
    as_json: bool,
) -> None:
    from migrator.cli import figures, summary
    from migrator.cli.documents import document
    from migrator.cli.ready import kinds_of
    from migrator.engine.contract import Weight
    from migrator.engine.report import report

    screen = console.screen
    seen = report(store, figures.now())
    if as_json:
        told = {"event": "result", **document(result), "codes": sorted(result.codes), "exit_code": exit_code}
        screen.json_line(told | {"sums": summary.sums_document(seen.sums)})
        return
    nouns = summary.report_nouns(seen, kinds_of(programme))
    for line in (
        *summary.subject_sums(seen),
        *summary.remarks(seen),
        *summary.findings(seen, Weight.NOTE),
        *summary.gone(seen),
        *summary.given_up(seen),
        summary.compared_sentence(
            result.actions,
            result.items,
            result.differences,
            nouns,
            not_moved=result.not_moved,
            standing=result.standing,
            not_compared=seen.not_compared,
        ),
        f"For the whole story: migrator report {path}",
    ):
        screen.answer(line)
