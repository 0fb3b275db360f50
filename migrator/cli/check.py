"""`migrator check`: the plan is well formed. Offline; every mistake at once."""

from __future__ import annotations

from pathlib import Path

import typer

from migrator.cli import figures
from migrator.cli.console import Console
from migrator.cli.nouns import nouns_of
from migrator.cli.options import AsJson, PlanFile, Verbose


def check(context: typer.Context, plan: PlanFile, as_json: AsJson = False, verbose: Verbose = 0) -> int:
    """Read the plan and the files it names, and tell every mistake with its place. Asks no server and no secret.

    Exit codes: 0 well formed, 2 there are mistakes.
    """
    from migrator.cli.exits import Exit
    from migrator.plan.load import check as examine
    from migrator.registry import REGISTRY

    console = Console.of(context, verbose)
    found, people = examine(plan, REGISTRY)
    for warning in found.warnings:
        console.screen.say(str(warning))
    counts = {"endpoints": len(found.endpoints), "steps": len(found.steps), "accounts": len(people)}
    kinds = [step.kind for step in found.steps if hasattr(step, "kind")]
    if as_json:
        warnings = [str(warning) for warning in found.warnings]
        console.screen.document({"plan": str(plan), "well_formed": True, **counts, "warnings": warnings})
    else:
        console.screen.answer(sentence(plan, counts, kinds, found.asks_endpoint))
    return Exit.DONE


def sentence(plan: Path, counts: dict[str, int], kinds: list[str], asked: str = "") -> str:
    """plan.yaml is well formed: 2 endpoints, 3 steps, 12 mailboxes. `asked` is the endpoint that will tell who lives there."""
    people = nouns_of(kinds).subjects(counts["accounts"])
    if set(kinds) != {"mail"}:
        people = figures.counted(counts["accounts"], "account", "accounts")
    parts = [
        figures.counted(counts["endpoints"], "endpoint", "endpoints"),
        figures.counted(counts["steps"], "step", "steps"),
    ]
    if asked or counts["accounts"]:  # a plan of what is nobody's own has none
        parts.append(f"the accounts that {asked} tells" if asked else people)
    return f"{plan} is well formed: {', '.join(parts)}."
