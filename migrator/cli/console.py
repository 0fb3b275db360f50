"""What one command works at: made once at the start, handed to the verb."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import typer

from migrator.cli.log import Redactor, set_up
from migrator.cli.screen import Screen


@dataclass(frozen=True, slots=True)
class Console:
    """The screen, and the redactor that knows the secrets of this command."""

    screen: Screen
    redactor: Redactor = field(default_factory=Redactor)

    @classmethod
    def of(cls, context: typer.Context, verbose: int | None = None) -> Console:
        """The console of a verb's context, with the log set up as loud as asked; None for no log at all."""
        console = cast("Console", context.obj)  # main() put it there
        if verbose is not None:
            set_up(console.screen, verbose, console.redactor)
        return console


def state_of(plan: Path, asked: str | None) -> str | Path:
    """Where the state is: where the admin says (a file or a database URL), else beside the plan."""
    if asked is None:
        return plan.with_name(f"{plan.stem}.state.sqlite")
    return asked if "://" in asked else Path(asked).expanduser()
