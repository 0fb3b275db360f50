"""`migrator init`: a first plan.yaml and accounts.csv, from a few questions or from flags, and from what the source panel says.

It never takes a password, only where one comes from. The target panel is not asked anything here; `preview` does that.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from migrator.cli.console import Console
from migrator.cli.options import AsJson, Verbose
from migrator.errors import Misbehaved, NotFound, PlanError

if TYPE_CHECKING:
    from migrator.plan.answers import Answers
    from migrator.plan.first_plan import FirstPlan
    from migrator.plan.model import Plan
    from migrator.registry import Registry

OWNER_ONLY, USUAL = 0o600, 0o644


def _type(side: str) -> Any:  # Any: typer's own
    words = "The {} panel: cpanel, hestia, plesk and so on, or none for mail alone."
    return typer.Option(f"--{side}-type", metavar="TYPE", help=words.format(side), show_default=False)


def _text(side: str, word: str, metavar: str, text: str) -> Any:  # Any: typer's own
    return typer.Option(f"--{side}-{word}", metavar=metavar, help=text, show_default=False)


_URL = "Where the panel is, as https://panel.example.net:2083."
_USER = "Whose mail it is, or who logs in; as the panel wants it."
_WHERE = (
    "Where the panel's token, key or password comes from: env:NAME or file:PATH (also command:WORDS, ask:QUESTION); with password= in "
    "front, that one. A relative path starts at the plan."
)
_OPTION = "Any other field of that type of panel; may be given several times."
_MAIL_HOST = "The IMAP server; the panel's host unless given."


def init(
    context: typer.Context,
    source_type: Annotated[str | None, _type("source")] = None,
    source_url: Annotated[str | None, _text("source", "url", "URL", _URL)] = None,
    source_user: Annotated[str | None, _text("source", "user", "USER", _USER)] = None,
    source_secret: Annotated[str | None, _text("source", "secret", "WHERE", _WHERE)] = None,
    source_option: Annotated[list[str] | None, _text("source", "option", "FIELD=VALUE", _OPTION)] = None,
    source_mail_host: Annotated[str | None, _text("source", "mail-host", "HOST", _MAIL_HOST)] = None,
    target_type: Annotated[str | None, _type("target")] = None,
    target_url: Annotated[str | None, _text("target", "url", "URL", _URL)] = None,
    target_user: Annotated[str | None, _text("target", "user", "USER", _USER)] = None,
    target_secret: Annotated[str | None, _text("target", "secret", "WHERE", _WHERE)] = None,
    target_option: Annotated[list[str] | None, _text("target", "option", "FIELD=VALUE", _OPTION)] = None,
    target_mail_host: Annotated[str | None, _text("target", "mail-host", "HOST", _MAIL_HOST)] = None,
    domain: Annotated[
        list[str] | None,
        typer.Option(
            "--domain",
            metavar="DOMAIN",
            help="A domain to move; may be given several times. All that the source panel has unless given.",
            show_default=False,
        ),
    ] = None,
    folder: Annotated[
        Path, typer.Option("--folder", metavar="FOLDER", help="Where plan.yaml and accounts.csv are put.")
    ] = Path(),
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing; what is not given takes its default.")] = False,
    as_json: AsJson = False,
    verbose: Verbose = 0,
) -> int:
    """Write a first plan for accounts and mail: plan.yaml, and accounts.csv with a row for each mailbox that the source panel tells
    of. For contacts, lists and forms, add their steps or begin with one of the plans that come with migrator.

    Asks for the two panels at a terminal; what is given by flags is not asked. Passwords are never asked for, only where they come
    from. Only the source panel is logged in to, and only read. Files that are there are never overwritten.

    Exit codes: 0 written, 2 a flag is missing or wrong or a file is there already, 4 the source panel refused the login, 5 it did not
    answer, 130 interrupted.
    """
    from migrator.plan.answers import Answer, Answers
    from migrator.registry import REGISTRY

    console = Console.of(context, verbose)
    given = Answers(
        Answer(source_type, source_url, source_user, source_secret, tuple(source_option or ()), source_mail_host),
        Answer(target_type, target_url, target_user, target_secret, tuple(target_option or ()), target_mail_host),
        tuple(domain or ()),
    )
    return write_first_plan(console, given, folder, REGISTRY, asks=console.screen.can_ask and not yes, as_json=as_json)


def write_first_plan(
    console: Console, given: Answers, folder: Path, registry: Registry, *, asks: bool, as_json: bool
) -> int:
    """Ask for what is missing where somebody can be asked, ask the source panel, write both files; answers the exit code."""
    from migrator.cli.dialogue import Dialogue
    from migrator.cli.exits import Exit
    from migrator.plan.answers import first_plan

    screen = console.screen
    refuse_what_is_there(folder)
    dialogue = Dialogue(screen, registry)
    answers = dialogue.complete(given) if asks else given
    first = first_plan(answers, registry)
    if asks and answers != given:
        where = () if folder == Path() else ("--folder", str(folder))
        screen.say(f"The same without questions: {shlex.join(['migrator', 'init', *answers.words(), *where])}")
    addresses = _residents(console, first, folder, registry)
    first = _as_the_panel_spells(first, addresses)
    if asks and not dialogue.agrees(f"Write {' and '.join(map(str, files_in(folder)))}?"):
        screen.say("Nothing was written.")
        return Exit.DONE
    _write(first, addresses, folder)
    _tell(console, first, addresses, folder, as_json=as_json)
    return Exit.DONE


def files_in(folder: Path) -> tuple[Path, Path]:
    """The plan and the accounts of a first plan."""
    from migrator.plan.first_plan import ACCOUNTS, PLAN

    return folder / PLAN, folder / ACCOUNTS


def refuse_what_is_there(folder: Path) -> None:
    """Raises PlanError where a file to be written is there already, or the folder is not."""
    if not folder.is_dir():
        raise PlanError(f"There is no folder {folder}.", remedy="Make it first, or name another with --folder.")
    there = [str(path) for path in files_in(folder) if os.path.lexists(path)]
    if there:
        raise PlanError(
            f"{' and '.join(there)} {'is' if len(there) == 1 else 'are'} there already; nothing was written.",
            remedy="Move what is there away, or name another folder with --folder.",
        )


def _residents(console: Console, first: FirstPlan, folder: Path, registry: Registry) -> Sequence[str]:
    """Who lives at the source, as its panel tells; nobody where there is none."""
    from migrator.cli.ready import secrets_of
    from migrator.plan.bind import asking

    plan = _checked(first, folder, registry)
    if not plan.asks_endpoint:
        return ()
    console.screen.say(f"Asking the {first.source.name} panel who lives there; nothing is changed.")
    try:
        return tuple(asking(plan, registry, secrets_of(plan, console))(first.domains))
    except (NotFound, Misbehaved) as error:
        # Of this command nothing was left behind: what it was told does not fit the panel.
        raise PlanError(str(error), remedy=error.remedy or "Correct what was said of the source panel.") from error


def _checked(first: FirstPlan, folder: Path, registry: Registry) -> Plan:
    from migrator.plan.file import parse
    from migrator.plan.first_plan import plan_text
    from migrator.plan.load import Examination

    return Examination(parse(plan_text(first).encode(), files_in(folder)[0]), registry).plan()


def _as_the_panel_spells(first: FirstPlan, addresses: Sequence[str]) -> FirstPlan:
    from migrator.plan.first_plan import spelled_as

    domains = tuple(spelled_as(name, addresses) for name in first.domains)
    lived_in = {address.rpartition("@")[2] for address in addresses}
    return replace(first, domains=domains, empty=tuple(name for name in domains if name not in lived_in))


def _write(first: FirstPlan, addresses: Sequence[str], folder: Path) -> None:
    """Both files or none. The plan comes last: it names the other."""
    from migrator.plan.first_plan import accounts_text, plan_text

    plan, accounts = files_in(folder)
    _create(accounts, accounts_text(addresses), OWNER_ONLY)
    try:
        _create(plan, plan_text(first), USUAL)
    except BaseException:
        accounts.unlink(missing_ok=True)
        raise


def _create(path: Path, text: str, mode: int) -> None:
    """A new file, or none: what was there is not touched, and nothing half written stays."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    except OSError as error:
        raise _not_written(path, error) from error
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise _not_written(path, error) from error


def _not_written(path: Path, error: OSError) -> PlanError:
    reason = (error.strerror or "it cannot be opened").lower()
    return PlanError(f"{path} cannot be written ({reason}).", remedy="Name another folder with --folder.")


def _tell(console: Console, first: FirstPlan, addresses: Sequence[str], folder: Path, *, as_json: bool) -> None:
    from migrator.cli import figures

    plan, accounts = files_in(folder)
    guesses = {host.name: host.mail_host for host in (first.source, first.target) if host.is_guess}
    if as_json:
        told = {
            "plan": str(plan),
            "accounts": str(accounts),
            "mailboxes": len(addresses),
            "domains": list(first.domains),
        }
        console.screen.document(told | {"guessed_mail_hosts": guesses})
        return
    answer = console.screen.answer
    found = f" with {figures.counted(len(addresses), 'mailbox', 'mailboxes')}" if first.source.panel else ""
    answer(f"{plan} and {accounts} are written{found}.")
    if guesses:
        answer(
            f"The mail servers ({', '.join(dict.fromkeys(guesses.values()))}) are guessed from the panels; correct the plan where mail has a host of its own."
        )
    answer(
        f"Put passwords into {accounts} where the plan's comments ask for them, then: migrator check {shlex.quote(str(plan))}"
    )
