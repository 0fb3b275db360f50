"""`migrator handout`: what each mailbox owner needs to know, one sheet each, with the password if it changed.

It prints passwords, which no other verb does: that is what it is for. Files it writes are their owner's alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from migrator.cli.console import Console
from migrator.cli.options import AsJson, PlanFile, Verbose
from migrator.frozen import dataclass

if TYPE_CHECKING:
    from migrator.plan.model import Plan, ServiceEntry
    from migrator.plan.people import Person

OF_PEOPLE = {"mail", "panel", "contacts"}  # services of what is somebody's own
PORTS = {"tls": 993, "starttls": 143, "none": 143}  # RFC 8314, RFC 3501

WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "imap": "Incoming mail (IMAP)",
        "smtp": "Outgoing mail (SMTP)",
        "user": "User name",
        "password": "Password",
        "same": "as before",
        "kept": "as before; where the mailbox was on the new server already, the one it has there",
        "given": "a new one, which your administrator gives you",
        "unknown": "the one of the mailbox on the new server; your administrator can tell",
        "port": "port",
        "none": "without encryption",
        "smtp-told": "usually the same server: port 465 (TLS) or 587 (STARTTLS)",
    },
    "es": {
        "imap": "Correo entrante (IMAP)",
        "smtp": "Correo saliente (SMTP)",
        "user": "Usuario",
        "password": "Contraseña",
        "same": "la misma de antes",
        "kept": "la misma de antes; si el buzón ya existía en el servidor nuevo, la que tiene allí",
        "given": "una nueva, que le dará su administrador",
        "unknown": "la del buzón en el servidor nuevo; su administrador puede decírsela",
        "port": "puerto",
        "none": "sin cifrado",
        "smtp-told": "normalmente el mismo servidor: puerto 465 (TLS) o 587 (STARTTLS)",
    },
}


@dataclass(frozen=True, slots=True)
class Sheet:
    """What one owner needs. `password` is the one that was made, None where none was; `password_is` tells what it is then: made, same (as
    before), kept (as before where the accounts step made the mailbox), given (in the plan) or unknown. `mailbox` is False for
    what has a password alone, such as a list.
    """

    address: str
    user: str
    host: str
    port: int
    security: str
    password: str | None
    password_is: str
    mailbox: bool = True

    def lines(self, words: Mapping[str, str]) -> Iterator[str]:
        """The sheet as text."""
        yield self.address
        safe = self.security.upper() if self.security != "none" else words["none"]
        server = f"{self.host}, {words['port']} {self.port}, {safe}" if self.host else "?"
        mailbox = ((words["imap"], server), (words["smtp"], words["smtp-told"]), (words["user"], self.user))
        password = (words["password"], self.password if self.password is not None else words[self.password_is])
        rows = (*mailbox, password) if self.mailbox else (password,)
        wide = max(len(name) for name, _ in rows)
        yield from (f"  {name:<{wide}}  {value}" for name, value in rows)


def handout(
    context: typer.Context,
    plan: PlanFile,
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Write one file for each mailbox into this folder instead of printing them."
        ),
    ] = None,
    identity: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The age identity that opens an encrypted hand-out.")
    ] = None,
    as_json: AsJson = False,
    verbose: Verbose = 0,
) -> int:
    """What each mailbox owner needs: the new server, its port, the user name, and the password if it changed.

    This is the one verb that shows passwords. Those made during the move come from the hand-out beside the plan
    (plan.handout.csv); keep that file until the last run and the last verify, then delete it.

    Exit codes: 0 done, 2 the plan or the hand-out cannot be used.
    """
    from migrator.cli.exits import Exit
    from migrator.cli.ready import plan_of

    console = Console.of(context, verbose)
    checked = plan_of(plan, console)
    sheets = list(_sheets(checked, identity))
    words = WORDS[checked.written.report.language]
    if output is not None:
        files = _write(output, sheets, words)
        if as_json:
            console.screen.document({"folder": str(output), "files": [str(path) for path in files]})
        else:
            console.screen.answer(f"{len(sheets):,} sheets are in {output}, readable by you alone.")
        return Exit.DONE
    if as_json:
        from migrator.cli.documents import document

        console.screen.document({"mailboxes": document(sheets)})
        return Exit.DONE
    for number, sheet in enumerate(sheets):
        if number:
            console.screen.answer()
        for line in sheet.lines(words):
            console.screen.answer(line)
    return Exit.DONE


def _sheets(plan: Plan, identity: Path | None) -> Iterator[Sheet]:
    made = _made(plan, identity)
    server = _server(plan)
    known = set()
    for account, user, password, password_is in _owners(plan, made):
        known.add(account.lower())
        yield Sheet(account, user, *server, password, password_is)
    for address, password in sorted(made.items()):
        if address.lower() not in known:
            yield Sheet(address, "", "", 0, "", password, "made", mailbox=False)


def _made(plan: Plan, identity: Path | None) -> dict[str, str]:
    """The passwords in the plan's hand-out, by address in lower case."""
    from migrator.handout import handout_of, passwords_in

    path = handout_of(plan.path.absolute(), encrypted=plan.written.handout.recipient is not None)
    if not path.exists():
        return {}
    return {address: password.get_secret_value() for address, password in passwords_in(path, identity)}


def _owners(plan: Plan, made: Mapping[str, str]) -> Iterator[tuple[str, str, str | None, str]]:
    """Address, user name, the password that was made and what it is, of everyone the plan means; those a panel would have to be asked for,
    as far as the hand-out names them; nobody where nothing moves that is somebody's own.
    """
    if plan.asks_endpoint:
        yield from ((address, address, password, "made") for address, password in sorted(made.items()))
        return
    if not any(getattr(step, "service", "") in OF_PEOPLE for step in plan.steps):
        return
    keeps = any(getattr(step, "service", "") == "panel" and _keeps(step) for step in plan.steps)
    for person in plan.accounts():
        address = person.target.address
        password = made.get(address.lower())
        yield address, person.target.user, password, "made" if password is not None else _what(person, keeps=keeps)


def _keeps(step: Any) -> bool:  # Any: a step's own options, of which one word is asked
    """Whether the step makes no new password where it can keep the one of before."""
    return getattr(step.options, "passwords", "") != "generate"


def _what(person: Person, *, keeps: bool) -> str:
    """What the password of somebody is for whom none was made: given by the plan for the target, or else left to the accounts step."""
    before, after = person.source, person.target
    if not after.has_password:
        return "kept" if keeps else "unknown"
    same_value = after.password is not None and after.password == before.password
    same_secret = after.secret is not None and after.secret == before.secret
    return "same" if same_value or same_secret else "given"


def _server(plan: Plan) -> tuple[str, int, str]:
    """Where the plan's last mail step takes the mail to: host, port, security; blank where that is no server."""
    entry = next(_targets(reversed(plan.steps), plan.endpoints), None)
    options: Any = (
        entry.options if entry else None
    )  # Any: an adapter's own options, of which only the usual words are asked
    security = str(getattr(options, "security", "tls"))
    return str(getattr(options, "host", "")), getattr(options, "port", None) or PORTS.get(security, 0), security


def _targets(steps: Iterable[Any], endpoints: Mapping[str, Mapping[str, ServiceEntry]]) -> Iterator[ServiceEntry]:
    for step in steps:
        if getattr(step, "service", "") == "mail":
            yield endpoints[step.route.target]["mail"]


def _write(folder: Path, sheets: Iterable[Sheet], words: Mapping[str, str]) -> list[Path]:
    """Write a file for each sheet; answers their paths. Raises PlanError."""
    from migrator.errors import PlanError

    files = []
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for sheet in sheets:
            path = folder / f"{sheet.address.replace('/', '_')}.txt"
            path.unlink(missing_ok=True)  # made anew, so that it has no reader of before
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write("\n".join(sheet.lines(words)) + "\n")
            files.append(path)
    except OSError as error:
        reason = (error.strerror or "it cannot be opened").lower()
        raise PlanError(
            f"The sheets cannot be written into {folder} ({reason}).", remedy="Name another folder."
        ) from error
    return files
