"""From a plan file to what the engine walks through, and to the state beside it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from getpass import getpass
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING

from pydantic import SecretStr

from migrator import __version__
from migrator.cli import figures
from migrator.cli.console import Console
from migrator.engine.ledger import Claim, Ending, Store
from migrator.engine.stage import Programme, Stage
from migrator.errors import PlanError, StateError
from migrator.frozen import dataclass
from migrator.handout import Handout, handout_of
from migrator.plan.bind import RouteOpener, bind, plan_digest
from migrator.plan.load import load
from migrator.plan.model import Plan
from migrator.plan.unset import refuse_unset
from migrator.registry import REGISTRY
from migrator.secrets import Secrets
from migrator.strongbox import FileStrongbox, strongbox_of

if TYPE_CHECKING:
    from migrator.cli.log import Redactor

PATIENCE_WITH_THE_OTHER = 120  # seconds that a run which was taken over gets for the batch in hand
LOOK_AGAIN = 0.1


@dataclass(frozen=True, slots=True)
class ReportWishes:
    """What a plan says about its report."""

    title: str
    language: str = "en"
    folder: Path | None = None


class HeardSecrets(Secrets):
    """Secrets of which the redactor hears as they are read."""

    redactor: Redactor

    def read(self, name: str) -> SecretStr:
        """As Secrets.read; from then on no output shows the value."""
        found = super().read(name)
        self.redactor.learn(found.get_secret_value())
        return found


def plan_of(path: Path, console: Console) -> Plan:
    """The plan, checked; its warnings are said. Raises PlanMistakes with every mistake."""
    plan = load(path, REGISTRY)
    for warning in plan.warnings:
        console.screen.say(f"{warning}")
    return plan


def plan_to_work(path: Path, console: Console) -> Plan:
    """The same for a verb that asks servers: environment variables that its secrets want and that are not set are mistakes too, told before
    anything is begun.
    """
    plan = plan_of(path, console)
    refuse_unset(plan, REGISTRY, os.environ)
    return plan


def secrets_of(plan: Plan, console: Console) -> Secrets:
    """The plan's secrets, read when they are first needed, asked for only at a terminal."""
    secrets = HeardSecrets(
        plan.written.secrets,
        folder=plan.folder,
        environ=os.environ,
        ask=getpass if console.screen.can_ask else None,
        where=lambda name: _place_of(plan, name),
    )
    secrets.redactor = console.redactor
    return secrets


def _place_of(plan: Plan, name: str) -> str:
    """plan.yaml:7:14: secrets.old-admin"""
    place = plan.document.place(("secrets", name))
    return f"{plan.document.file}:{place.line}:{place.column}: secrets.{name}"


def programme_of(plan: Plan, console: Console) -> Programme:
    """The plan made ready to be worked. Secrets are read when they are first needed, asked for only at a terminal."""
    secrets = secrets_of(plan, console)
    recipient = plan.written.handout.recipient
    handout = Handout(
        handout_of(plan.path.absolute(), encrypted=recipient is not None), recipient, heard=console.redactor.learn
    )
    strongbox = FileStrongbox(strongbox_of(plan.path.absolute()), heard=console.redactor.learn)
    programme = bind(plan, REGISTRY, secrets, handout, strongbox)
    console.redactor.learn_when_needed(lambda: _passwords_at_hand(programme))
    return programme


def kinds_of(programme: Programme) -> list[str]:
    """The rooms a programme passes through."""
    return [stage.kind for stage in programme.stages if isinstance(stage, Stage)]


def claimed(store: Store, plan: Plan, purpose: str, console: Console, *, take_over: bool) -> Claim:
    """The lease of the plan. Raises Held, naming the holder, while another run lives, unless it is taken over."""
    from migrator.state.lease import this_process

    take = store.seize if take_over else store.claim
    claim = take(this_process(), figures.now(), plan_digest(plan), __version__, purpose)
    if claim.taken and store.is_under_way():
        _let_end(claim, console)
    return claim


def _let_end(claim: Claim, console: Console) -> None:
    """Wait until a run that was taken over has noticed. It can record nothing more, but sends the batch in hand to its end; whoever looked
    before that would take what is still on its way for lost, and send it again.
    """
    from migrator.state.lease import is_here, process_lives

    assert claim.previous is not None  # what was taken was somebody's
    holder = claim.previous.holder
    twice = "what it has under way may arrive twice"
    if not is_here(holder):
        console.screen.say(f"Make sure that process {holder.pid} on {holder.host} has ended, or {twice}.")
        return
    if process_lives(holder):
        console.screen.say(f"Waiting until process {holder.pid} has ended what it has under way.")
    began = monotonic()
    while process_lives(holder):
        if monotonic() - began > PATIENCE_WITH_THE_OTHER:
            console.screen.say(f"Process {holder.pid} has not ended; {twice}.")
            return
        sleep(LOOK_AGAIN)


@contextmanager
def giving_back(store: Store, claim: Claim) -> Iterator[None]:
    """The lease is given back if what is inside fails, for then no run begins that would."""
    try:
        yield
    except PlanError as error:
        from migrator.cli.exits import exit_code_of

        with suppress(StateError):  # what is wrong with the plan says more than that it could not be recorded
            store.end_run(claim.run.epoch, figures.now(), Ending.FAILED, exit_code_of(error), "a mistake in the plan")
        raise


def report_wishes(path: Path, console: Console) -> ReportWishes:
    """What the plan says about its report. A plan that has mistakes by now is no reason not to report: that is said, and the
    report speaks English beside the plan.
    """
    try:
        plan = load(path, REGISTRY)
    except PlanError as error:
        console.screen.say(
            f"{path} cannot be read as a plan any more, so the report does without its wishes: {_first_line(error)}"
        )
        return ReportWishes(path.stem)
    wishes = plan.written.report
    folder = plan.folder / Path(wishes.folder).expanduser() if wishes.folder else None
    return ReportWishes(wishes.title or plan.name, wishes.language, folder)


def _first_line(error: PlanError) -> str:
    return str(error).partition("\n")[0]


def _passwords_at_hand(programme: Programme) -> Iterator[str]:
    for stage in programme.stages:
        if isinstance(stage, Stage) and isinstance(stage.opener, RouteOpener):
            for reach in stage.opener.ends.values():
                for known in reach.logins.values():
                    if known.password is not None:
                        yield known.password.get_secret_value()
