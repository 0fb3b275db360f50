"""The command line: the verbs, and how each ends. Everything slow is imported by the verb that needs it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from inspect import cleandoc
from typing import Annotated, Any, NoReturn, cast

import typer
from typer.main import get_command

from migrator import __version__
from migrator.cli.console import Console
from migrator.cli.screen import Screen
from migrator.errors import MigratorError

EPILOGUE = """
Exit codes: 0 all done. 1 a mistake of migrator itself. 2 the plan or the command line is wrong. 3 finished, something was left behind.
4 a login was refused. 5 a server did not answer or is not safe. 6 no space. 7 verify found differences. 8 the preview has changes
pending (--exit-code). 9 another run holds this plan. 130 or 143 interrupted: run again.
""".strip().replace("\n", " ")

VERBS = ("init", "check", "preview", "run", "status", "verify", "report", "handout", "schema", "contacts")

USAGE = 2  # as exits.py has it, which is not imported to show a help text


def _tell_version(asked: bool) -> None:
    if asked:
        Screen.of_this_process().answer(f"migrator {__version__}")
        raise typer.Exit


def migrator(
    context: typer.Context,
    _version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Move everything that hangs on a domain's mail (accounts, mail, contacts, mailing lists, form entries) from one host to another,
    and prove that nothing is missing.

    Write a plan, look at it with `migrator preview plan.yaml`, do it with `migrator run plan.yaml`; after any interruption run it
    again. `migrator verify plan.yaml` compares both sides, `migrator report plan.yaml` writes it down for the customer.

    The answer goes to stdout, progress and log to stderr.
    """
    if context.invoked_subcommand is None:
        for line in context.get_help().splitlines():
            Console.of(context).screen.say(line)
        raise typer.Exit(USAGE)


def application(verbs: Sequence[str] = VERBS) -> typer.Typer:
    """The command with these verbs. Each is a module of its own, imported here."""
    app = typer.Typer(
        name="migrator",
        epilog=EPILOGUE,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    app.callback(invoke_without_command=True)(migrator)
    for verb in verbs:
        do = getattr(import_module(f"migrator.cli.{verb}"), verb)
        if isinstance(do, typer.Typer):  # a verb with verbs of its own
            app.add_typer(do, name=verb)
            continue
        what, title, codes = cleandoc(do.__doc__ or "").partition("Exit codes:")
        app.command(help=what, epilog=title + codes)(do)
    return app


def _asked(words: Sequence[str]) -> Sequence[str]:
    """The verb that is asked for, where the first word is one; else all, for help and for mistakes to be told."""
    return words[:1] if words and words[0] in VERBS else VERBS


def main() -> NoReturn:
    """Run the command of this process, and exit with its code."""
    console = Console(Screen.of_this_process())
    _write_bugs_down(console)
    try:
        exit_code = get_command(application(_asked(sys.argv[1:]))).main(
            prog_name="migrator", standalone_mode=False, obj=console
        )
    except typer.TyperException as error:
        exit_code = _usage(console, error)
    except MigratorError as error:
        exit_code = _failed(console, error)
    except (KeyboardInterrupt, typer.Abort):
        from migrator.cli.exits import Exit

        exit_code = Exit.INTERRUPTED
    console.screen.close()
    _leave(exit_code)


def _leave(exit_code: int) -> NoReturn:
    """End the process. Everything is closed by now; the interpreter's own farewell would only take a tenth of a second."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # nobody reads any more, which is the reader's business
            stream.flush()
    os._exit(exit_code)


def _failed(console: Console, error: MigratorError) -> int:
    from migrator.cli.exits import exit_code_of

    exit_code = exit_code_of(error)
    if "--json" in sys.argv:
        told = {"code": error.code, "text": str(error), "remedy": error.remedy, "exit_code": exit_code}
        console.screen.json_line({"event": "error", "error": told})
    # The mistakes of a plan are a line each.
    for line in console.redactor.clean(error.sentence()).split("\n"):
        console.screen.say(line)
    return exit_code


def _usage(console: Console, error: typer.TyperException) -> int:
    context = cast("Any", error).ctx if hasattr(error, "ctx") else None  # only mistakes of usage know their command
    console.screen.say(error.format_message().replace("Value error, ", ""))
    console.screen.say(f"`{context.command_path if context else 'migrator'} --help` tells what there is.")
    return error.exit_code


def _write_bugs_down(console: Console) -> None:
    """Whatever else is raised is a mistake of ours; Python then exits with 1."""

    def hook(_kind: type[BaseException], error: BaseException, _where: object) -> None:
        from migrator.cli.bug import write_down

        verb = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
        path = write_down(error, verb, console.redactor)
        console.screen.close()
        console.screen.say(
            f"migrator met a bug ({type(error).__name__}); nothing that was recorded is lost. It is written down in {path}"
        )
        console.screen.say(
            "Please report it with that file, which holds no secret. Running the same command again is safe."
        )

    sys.excepthook = hook
