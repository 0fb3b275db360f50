"""`migrator contacts diff`: two files of cards compared by what they say."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from migrator.cli.console import Console
from migrator.cli.options import AsJson, Verbose

contacts = typer.Typer(
    help="Look at files of contacts.",
    rich_markup_mode=None,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

Cards = Annotated[Path, typer.Argument(metavar="FILE", help="A vCard file, as contacts.vcf.", show_default=False)]


@contacts.callback()
def of_contacts() -> None:
    """Look at files of contacts."""


@contacts.command()
def diff(context: typer.Context, source: Cards, target: Cards, as_json: AsJson = False, verbose: Verbose = 0) -> int:
    """Compare two vCard files by what they say, not by how they say it: versions, order, folding and charset make no difference.

    Exit codes: 0 both say the same, 2 a file cannot be read, 7 there are differences.
    """
    from migrator.cli import figures
    from migrator.cli.exits import Exit
    from migrator.errors import MigratorError, PlanError
    from migrator.registry import REGISTRY

    console = Console.of(context, verbose)
    try:
        seen = REGISTRY.tool("contacts diff")(source, target)
    except MigratorError as error:
        raise PlanError(str(error), remedy=error.remedy) from error
    for words in seen.dropped:
        console.screen.say(f"could not be read: {words}")
    if as_json:
        from migrator.cli.documents import document

        console.screen.document({"same": seen.same, **document(seen)})
        return Exit.DONE if seen.same else Exit.DIFFERENCES
    for one in seen.differing:
        console.screen.answer(f"~ {one.label}")
        for words in one.differences:
            console.screen.answer(f"    {words}")
    for label in seen.only_source:
        console.screen.answer(f"- {label}: only in {source}")
    for label in seen.only_target:
        console.screen.answer(f"+ {label}: only in {target}")
    for labels, file in ((seen.again_source, source), (seen.again_target, target)):
        for label in labels:
            console.screen.answer(f"= {label}: once more in {file}")
    again = [
        f", {len(labels):,} once more in {file.name}"
        for labels, file in ((seen.again_source, source), (seen.again_target, target))
        if labels
    ]
    console.screen.answer(
        f"{figures.counted(seen.equal, 'card', 'cards')} equal, {len(seen.differing):,} different, {len(seen.only_source):,} only in "
        f"{source.name}, {len(seen.only_target):,} only in {target.name}{''.join(again)}."
    )
    return Exit.DONE if seen.same else Exit.DIFFERENCES
