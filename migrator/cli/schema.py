"""`migrator schema`: the JSON Schema of a plan, for editors."""

from __future__ import annotations

import typer

from migrator.cli.console import Console
from migrator.cli.options import AsJson, Verbose


def schema(context: typer.Context, as_json: AsJson = False, verbose: Verbose = 0) -> int:  # noqa: ARG001 - always JSON
    """Print the JSON Schema of a plan. An editor that knows it completes words and marks mistakes while you type.

    Keep it in a file and name that on the first line of a plan: # yaml-language-server: $schema=plan.schema.json

    Exit codes: 0.
    """
    from migrator.cli.exits import Exit
    from migrator.plan.schema import schema as of_plans

    Console.of(context, verbose).screen.document(of_plans())
    return Exit.DONE
