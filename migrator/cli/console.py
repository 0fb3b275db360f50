"""What one command works at: made once at the start, handed to the verb."""

from __future__ import annotations

from dataclasses import field, replace
from pathlib import Path
from typing import Any, cast

import typer

from migrator.cli.log import Redactor, set_up
from migrator.cli.screen import Screen
from migrator.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Console:
    """The screen, and the redactor that knows the secrets of this command."""

    screen: Screen
    redactor: Redactor = field(default_factory=Redactor)
    log: Any = None  # Any: structlog's logger, or None where nothing is to be logged

    @classmethod
    def of(cls, context: typer.Context, verbose: int = 0) -> Console:
        """The console of a verb's context, with a log as loud as asked."""
        console = cast("Console", context.obj)  # main() put it there
        return replace(console, log=set_up(console.screen, verbose, console.redactor))


def state_to_ask(plan: Path, asked: str | None) -> str | Path:
    """As `state_of`, for a verb that only asks. Raises PlanError where neither the plan nor a state of it is there."""
    where = state_of(plan, asked)
    if isinstance(where, Path) and not where.exists() and not plan.exists():
        from migrator.errors import PlanError

        raise PlanError(f"There is no {plan} here.", remedy="Name the plan file, or go to the folder it is in.")
    return where


def state_of(plan: Path, asked: str | None) -> str | Path:
    """Where the state is: where the admin says (a file or a database URL), else beside the plan."""
    if asked is None:
        return plan.with_name(f"{plan.stem}.state.sqlite")
    return asked if "://" in asked else Path(asked).expanduser()
