"""Makes a checked plan ready to be worked: steps with their options, routes with sessions at both ends.

Passwords are read when a session is first opened with them, never before: a preview of two mailboxes does not ask for the
secrets of the others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import field, replace
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from migrator.engine.contract import Account, Adapter, Login, Service, Side, temporary
from migrator.engine.stage import Programme, Stage, Verification
from migrator.errors import LoginRefused, Misbehaved, NotFound, PlanError, Refused
from migrator.frozen import dataclass
from migrator.handout import Handout
from migrator.plan.load import residents_of
from migrator.plan.model import Plan, ServiceEntry, StepEntry
from migrator.plan.people import Credentials, Person, Residents
from migrator.plan.written import SECRET, absolute, marked
from migrator.registry import Registry
from migrator.secrets import Secrets
from migrator.strongbox import FileStrongbox

ACCOUNTS = "in the plan's accounts"  # where an adapter sends whoever has to correct a password, for it knows no lines


def bind(
    plan: Plan,
    registry: Registry,
    secrets: Secrets,
    handout: Handout | None = None,
    strongbox: FileStrongbox | None = None,
) -> Programme:
    """The plan's programme. Reads the accounts' files and imports what the steps need; connects to nothing, reads no secret.
    `handout` holds the passwords made so far, and takes those that are made; `strongbox` what is put back at the end.

    Where the plan asks an endpoint for its accounts, that is asked here, by a session that cannot write. Raises PlanMistakes for
    mistakes in the accounts' files, and what the endpoint's adapter raises.
    """
    people = plan.accounts(asking(plan, registry, secrets) if plan.asks_endpoint else None)
    accounts = [Account(_login(person.source), _login(person.target)) for person in people]
    made_there = {
        entry.route.target
        for entry in plan.steps
        if isinstance(entry, StepEntry) and Side.TARGET in entry.supplies_logins
    }
    sources = {person.target.address: person.source for person in people}
    reaches = {
        Side.SOURCE: {
            name: Reach(
                name, services, _by_address(people, Side.SOURCE), plan.folder, registry, secrets, strongbox=strongbox
            )
            for name, services in plan.endpoints.items()
        },
        Side.TARGET: {
            name: Reach(
                name,
                services,
                _by_address(people, Side.TARGET),
                plan.folder,
                registry,
                secrets,
                handout=handout,
                before=sources if name in made_there else {},
            )
            for name, services in plan.endpoints.items()
        },
    }
    stages: list[Stage | Verification] = []
    for entry in plan.steps:
        if isinstance(entry, StepEntry):
            ends = {
                Side.SOURCE: reaches[Side.SOURCE][entry.route.source],
                Side.TARGET: reaches[Side.TARGET][entry.route.target],
            }
            options = entry.options.model_copy(update=absolute(entry.options, plan.folder))
            kind = registry.kind(entry.kind)
            step, opener = kind.build(options, accounts), RouteOpener(entry.service, ends)
            stages.append(Stage(entry.name, entry.kind, step, opener, entry.stop_on_error, kind.measure))
        else:
            stages.append(Verification(entry.name, entry.samples))
    limits = plan.written.limits
    return Programme(plan.name, stages, workers=limits.workers, patience=limits.patience)


def plan_digest(plan: Plan) -> str:
    """A digest of every file the plan consists of: what a state file remembers the plan by."""
    whole = hashlib.sha256()
    for path in plan.files:
        with path.open("rb") as file:
            whole.update(hashlib.file_digest(file, "sha256").digest())
    return whole.hexdigest()


@dataclass(frozen=True, slots=True)
class Reach:
    """One endpoint seen from one side: its services, and the login of every account there."""

    name: str
    services: Mapping[str, ServiceEntry]
    logins: Mapping[str, Credentials]
    folder: Path
    registry: Registry
    secrets: Secrets
    handout: Handout | None = None
    strongbox: FileStrongbox | None = None
    before: Mapping[str, Credentials] = field(
        default_factory=dict
    )  # of accounts that a step makes with the password of the source

    def adapter(
        self, service: str
    ) -> tuple[Adapter[Any, Any], Service]:  # Any: the service decides what sessions can do
        """The adapter of a service, and its options as the plan has them."""
        entry = self.services.get(service)
        if entry is None:
            raise PlanError(
                f"The endpoint {self.name} has no {service} service.", remedy="Add it under endpoints in the plan."
            )
        return self.registry.adapter(service, entry.adapter), entry.options

    def options(self, service: str) -> Service:
        """A service's options with paths made absolute and names of secrets replaced by what they name."""
        adapter, options = self.adapter(service)
        named = {name: getattr(options, name) for name in marked(adapter.options, SECRET)}
        read = {name: self.secrets.read(_plain_name(value)) for name, value in named.items() if value is not None}
        return options.model_copy(update={**absolute(options, self.folder), **read})

    def login(self, account: str) -> Login:
        """The login of an account, its password read, or taken from the hand-out where the plan names none. A name that is none of the
        plan's accounts is a service's own (a panel as a whole), whose credentials are in its options, or something that was made here
        with a password of its own (a mailing list).
        """
        known = self.logins.get(account)
        if known is None:
            own = self.handout.password_of(account) if self.handout is not None else None
            return Login(account, account, own, made=own is not None)
        password = self.secrets.read(known.secret) if known.secret else known.password
        made = None
        if password is None and self.handout is not None:
            made = self.handout.password_of(account)
        elif password is None and self.strongbox is not None:
            made = self.strongbox.get(temporary(account))
        return Login(known.address, known.user, password or made, made=made is not None)

    @contextmanager
    def pointing_at(self, account: str) -> Iterator[None]:
        """A login that is refused inside is told with the line that says how to log in, where there is one."""
        try:
            yield
        except LoginRefused as error:
            known = self.logins.get(account)
            if known is not None and known.where and known.has_password:
                error.remedy = error.remedy.replace(ACCOUNTS, f"on {known.where}")
            raise

    def way_in(self, account: str) -> Login:
        """The login a session is opened with: where nothing else is known, an account that was made here has the password it had before."""
        login = replace(self.login(account), endpoint=self.name)
        before = self.before.get(account)
        if login.password is not None or before is None or (self.handout is not None and self.handout.holds(account)):
            return login
        return replace(login, password=self.secrets.read(before.secret) if before.secret else before.password)


@dataclass(frozen=True, slots=True)
class RouteOpener:
    """Opens sessions at both ends of a route; the engine's Opener. `service` is the one its step is about."""

    service: str
    ends: Mapping[Side, Reach]

    def endpoint(self, side: Side) -> str:
        """The endpoint's name in the plan."""
        return self.ends[side].name

    def connections(self, side: Side) -> tuple[int, int]:
        """How many sessions the endpoint's service allows in all, and for one account."""
        adapter, options = self.ends[side].adapter(self.service)
        return adapter.connections(options)

    def opens_all(self, side: Side, service: str) -> str:
        """What the login is called that opens all accounts of the endpoint's service; "" where each has its own."""
        adapter, options = self.ends[side].adapter(service)
        return adapter.opens_all(options)

    def for_reading(self, side: Side, service: str, account: str) -> Any:  # Any: the contract's type is the asker's
        """A new session that cannot write. Raises what the adapter raises, and PlanError for a secret that cannot be had."""
        reach = self.ends[side]
        adapter, _ = reach.adapter(service)
        with reach.pointing_at(account):
            return adapter.reader(reach.options(service), reach.way_in(account))

    @property
    def strongbox(self) -> FileStrongbox:
        """Where secrets are kept that will be put back."""
        box = self.ends[Side.SOURCE].strongbox
        if box is None:
            raise RuntimeError("a secret is to be kept in a programme without a strongbox")
        return box

    def for_writing(self, side: Side, service: str, account: str) -> Any:  # Any: as above
        """A new session that can write. Raises as `for_reading`."""
        reach = self.ends[side]
        adapter, _ = reach.adapter(service)
        if adapter.writer is None:
            raise PlanError(f"{adapter.title} can only be read.", remedy=f"Choose another target than {reach.name}.")
        with reach.pointing_at(account):
            return adapter.writer(reach.options(service), reach.way_in(account))

    def login(self, side: Side, account: str) -> Login:
        """The account's way in at one side. Raises PlanError for a secret that cannot be had."""
        return self.ends[side].login(account)

    def keep_password(self, account: str, password: SecretStr) -> None:
        """Into the hand-out, on disk before this returns."""
        handout = self.ends[Side.TARGET].handout
        if handout is None:
            raise RuntimeError("a password was made in a programme without a hand-out")
        handout.add(account, password)


def asking(plan: Plan, registry: Registry, secrets: Secrets) -> Residents:
    """How to ask the endpoint that the plan's accounts come from, by a session that cannot write. Raises PlanError if it cannot tell."""
    name = plan.asks_endpoint
    services = plan.endpoints[name]
    kind = residents_of(services, registry)
    if kind is None or kind.residents is None:
        raise PlanError(f"The endpoint {name} cannot tell who lives there.", remedy="List the accounts or name a CSV.")
    tell = kind.residents
    reach = Reach(name, services, {}, plan.folder, registry, secrets)
    adapter, _ = reach.adapter(kind.service)

    def residents(domains: Sequence[str]) -> Iterator[str]:
        session = adapter.reader(reach.options(kind.service), reach.login(name))
        try:
            yield from tell(session, domains)
        except (NotFound, Refused, Misbehaved) as error:  # without accounts there is nothing to begin with
            raise PlanError(f"{name} does not tell who lives there: {error}", remedy=error.remedy) from error
        finally:
            session.close()

    return residents


def _plain_name(value: str | SecretStr) -> str:
    """The name of a secret; an adapter's field takes the secret itself as well, and may have wrapped the name like one."""
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def _login(known: Credentials) -> Login:
    """A login as rooms see it: steps have no use for passwords."""
    return Login(known.address, known.user)


def _by_address(people: Sequence[Person], side: Side) -> dict[str, Credentials]:
    ends = (person.source if side is Side.SOURCE else person.target for person in people)
    return {end.address: end for end in ends}
