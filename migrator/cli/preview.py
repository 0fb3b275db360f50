"""`migrator preview`: what a run would do, as a list. Nothing here can write: the sessions it opens cannot."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any

import typer

from migrator.cli.console import Console, state_of
from migrator.cli.options import AsJson, PlanFile, State, Verbose

if TYPE_CHECKING:
    from migrator.cli.nouns import Nouns
    from migrator.engine.contract import Action, Subject
    from migrator.engine.ledger import Store
    from migrator.engine.preview import Preview, StagePreview

UNCHANGED = "Nothing was changed."
LEGEND = "+ create   ~ change   > copy   - remove   = nothing to do   ! by hand"


def preview(
    context: typer.Context,
    plan: PlanFile,
    state: State = None,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit with 8 if a run would change something.")
    ] = False,
    as_json: AsJson = False,
    verbose: Verbose = 0,
) -> int:
    """Show what a run would do, without doing it: every account, mail folder, address book, list and form table with counts and
    sizes, name changes, refusals foreseen, time.

    Logs in to both sides and reads; writes to neither, and keeps nothing. What earlier runs did is taken off.

    Exit codes: 0 shown, 2 the plan is wrong or the state cannot be read, 3 shown, but something could not be looked at, has to
    be done by hand or will not arrive as it is sent, 4 a login was refused, 5 a server did not answer, 6 no space, 8 changes are pending (with --exit-code), 130 or
    143 interrupted.
    """
    return show(Console.of(context, verbose), plan, state, as_json=as_json, tell_changes=exit_code)


def show(console: Console, plan: Path, state: str | None, *, as_json: bool, tell_changes: bool) -> int:
    """Make the preview and print it; answers the exit code."""
    from migrator.cli.exits import Exit
    from migrator.cli.outcome import exit_of_codes
    from migrator.cli.progress import Progress, watching
    from migrator.cli.ready import kinds_of, plan_to_work, programme_of
    from migrator.cli.signals import asking
    from migrator.engine.preview import preview as make
    from migrator.engine.stop import Stop
    from migrator.engine.walk import Surroundings
    from migrator.errors import MigratorError
    from migrator.plan.problems import PlanMistakes

    stop = Stop()
    store = None
    try:
        programme = programme_of(plan_to_work(plan, console), console)
        store = _state_if_there(state_of(plan, state))
        with (
            asking(stop, console.screen) as asked,
            watching(console, Progress(monotonic), as_json=False, kinds=kinds_of(programme)) as tell,
        ):
            seen = make(programme, Surroundings(tell, stop), store)
    except PlanMistakes:  # each is a line of its own
        raise
    except MigratorError as error:
        error.remedy = f"{error.remedy} {UNCHANGED}".strip()
        raise
    finally:
        if store is not None:
            store.close()
    if asked.exit_code is not None:
        console.screen.say(f"Stopped before everything was looked at. {UNCHANGED}")
        return asked.exit_code
    if as_json:
        console.screen.document(preview_document(seen))
    else:
        print_preview(console, seen)
    return exit_of_codes(seen.codes) or (Exit.CHANGES if tell_changes and seen.changes else Exit.DONE)


def _state_if_there(where: str | Path) -> Store | None:
    """What earlier runs know, None before the first. A preview creates nothing, so it does not open what is not there; a place where no run
    could make it is refused.
    """
    from migrator.state.store import open_for_questions, refuse_place

    if isinstance(where, Path) and not where.exists():
        refuse_place(where)
        return None
    return open_for_questions(where)


def print_preview(console: Console, seen: Preview) -> None:
    """The whole list, then the summary."""
    screen = console.screen
    if any(stage.actions for stage in seen.stages):
        screen.answer(LEGEND)
    for stage in seen.stages:
        for line in _stage_lines(stage):
            screen.answer(line)
    screen.answer()
    for line in summary(seen):
        screen.answer(line)
    screen.answer(UNCHANGED)


def preview_document(seen: Preview) -> dict[str, Any]:
    """The preview for programs: stages, in them subjects, in them actions; and the sums."""
    from migrator.cli.documents import document

    return {
        "changes": seen.changes,
        "seconds": seen.seconds,
        "sums": document(_sums(seen)),
        "stages": [
            {
                "name": stage.name,
                "kind": stage.kind,
                "route": stage.route,
                "awaits": stage.awaits,
                "subjects": [
                    {"key": subject.key, "label": subject.label, "actions": document(actions)}
                    for subject, actions in _by_subject(stage)
                ],
                "findings": document(stage.findings),
                "troubles": [
                    {"subject": subject.key, "label": subject.label, **document(error)}
                    for subject, error in stage.troubles
                ],
            }
            for stage in seen.stages
        ],
    }


def summary(seen: Preview) -> list[str]:
    """Mailboxes, folders, messages, bytes; what will be refused or renamed; how long it may take."""
    from migrator.cli import figures
    from migrator.cli.nouns import nouns_of

    nouns = nouns_of(stage.kind for stage in seen.stages)
    sums = _sums(seen)
    held = figures.size(sums["bytes"])
    amounts = [
        nouns.subjects(sums["subjects"]),
        nouns.actions(sums["actions"]),
        f"{nouns.items(sums['items'])} to move",
    ]
    odds = [
        f"Refusals foreseen: {figures.count(sums['refusals'])}.",
        f"Name changes: {figures.count(sums['name_changes'])}.",
        f"Left out: {nouns.actions(sums['left_out'])}.",
    ]
    if sums["other_warnings"]:
        odds.append(f"Other warnings: {figures.count(sums['other_warnings'])}.")
    lines = [f"{', '.join([*amounts, held] if sums['bytes'] else amounts)}.", " ".join(odds)]
    if sums["by_hand"]:
        theirs = f" with {nouns.items(sums['items_by_hand'])}" if sums["items_by_hand"] else ""
        lines.append(f"To be done by hand: {nouns.actions(sums['by_hand'])}{theirs}.")
    if sums["given_up"]:
        lines.append(f"Could not be looked at: {nouns.subjects(sums['given_up'])}.")
    # Of those who could not be looked at nobody knows what is to do.
    if _idle(seen) and not sums["given_up"]:
        return [*lines, "Estimated time: nothing to do."]
    return lines if seen.seconds is None else [*lines, f"Estimated time: {_time(seen.seconds)}."]


def _idle(seen: Preview) -> bool:
    """Whether all is there. What is only looked through again (flags of what was moved before) is no work to wait for."""
    from migrator.engine.contract import Verb

    looked_at = {Verb.KEEP, Verb.BY_HAND, Verb.CHANGE}
    actions = [action for stage in seen.stages for _, action in stage.actions]
    return all(action.verb in looked_at and not action.size.items for action in actions)


def _time(seconds: float) -> str:
    from migrator.cli import figures

    return "less than a minute" if seconds < figures.MINUTE else f"about {figures.duration(seconds)}"


def _sums(seen: Preview) -> dict[str, Any]:
    from migrator.cli.figures import ARROW
    from migrator.engine.contract import REFUSALS, Verb, Weight, prepares
    from migrator.engine.report import added

    pairs = [pair for stage in seen.stages for pair in stage.actions]
    # A thing is counted once on each route, as a report does it, though several steps may work on it.
    things = {
        (stage.kind, stage.route, subject.key, action.key): action
        for stage in reversed(seen.stages)
        for subject, action in reversed(stage.actions)
    }
    moving = added(action.size for action in things.values() if action.verb not in {Verb.KEEP, Verb.BY_HAND})
    noted = [finding for stage in seen.stages for finding in stage.findings]
    return {
        "subjects": len({subject.key for subject, _ in pairs}),
        "actions": sum(not prepares(subject, key) for _, _, subject, key in things),
        "items": moving.items,
        "bytes": moving.bytes,
        "refusals": sum(finding.weight >= Weight.WARNING and finding.code in REFUSALS for finding in noted),
        "other_warnings": sum(finding.weight >= Weight.WARNING and finding.code not in REFUSALS for finding in noted),
        "name_changes": sum(ARROW in action.label for _, action in pairs),
        "left_out": sum("left_out" in action.data for _, action in pairs),
        "by_hand": sum(action.verb is Verb.BY_HAND for action in things.values()),
        "items_by_hand": sum(action.total.items for action in things.values() if action.verb is Verb.BY_HAND),
        "given_up": len({(stage.kind, subject.key) for stage in seen.stages for subject, _ in stage.troubles}),
    }


def _by_subject(stage: StagePreview) -> list[tuple[Subject, list[Action]]]:
    return [
        (pairs[0][0], [action for _, action in pairs])
        for pairs in (list(group) for _, group in groupby(stage.actions, key=lambda pair: pair[0].key))
    ]


def _stage_lines(stage: StagePreview) -> list[str]:
    from migrator.cli import figures
    from migrator.cli.nouns import heading, nouns_of
    from migrator.cli.summary import finding_lines

    lines = ["", heading(stage.name, stage.kind, stage.route)]
    if stage.awaits:
        lines.append(
            f'It reads what the step "{stage.awaits}" has still to write, so only what is there now is listed; preview again once that is done.'
        )
    for subject, actions in _by_subject(stage):
        lines += ["", figures.name(subject.label), *_action_lines(actions, nouns_of([stage.kind]))]
    if stage.findings:
        lines += ["", "Foreseen:", *finding_lines(stage.findings)]
    if stage.troubles:
        lines += ["", "Could not be looked at:"]
        lines += [f"  {figures.sentence(subject.label, str(error), error.remedy)}" for subject, error in stage.troubles]
    return lines


def _action_lines(actions: Sequence[Action], nouns: Nouns) -> list[str]:
    from migrator.cli import figures
    from migrator.cli.screen import table

    rows = [
        (
            action.verb.value,
            figures.name(action.label),
            nouns.items(action.size.items) if action.size.items else "",
            figures.size(action.size.bytes) if action.size.items and nouns.sized else "",
            "; ".join(filter(None, (action.why, action.amounts))),
        )
        for action in actions
    ]
    lines: list[str] = []
    for action, line in zip(actions, table(rows, right=frozenset({2, 3})), strict=True):
        lines += [f"  {line}", *(f"       {detail}" for detail in action.details)]
    return lines
