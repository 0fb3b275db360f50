"""The arguments and options that several verbs share, each described once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

PlanFile = Annotated[Path, typer.Argument(metavar="PLAN", help="The plan file, as plan.yaml.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Answer in JSON, for another program to read.")]
Verbose = Annotated[
    int,
    typer.Option(
        "-v", "--verbose", count=True, help="Tell more on stderr; twice for every detail.", show_default=False
    ),
]
State = Annotated[
    str | None,
    typer.Option(
        "--state",
        metavar="FILE|URL",
        help="Where the state is kept: a file, or a database as postgresql+psycopg://... By default plan.state.sqlite beside "
        "plan.yaml.",
        show_default=False,
    ),
]
