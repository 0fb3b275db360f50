"""Makes a checked plan ready to be worked: steps with their options, routes with sessions at both ends.

Passwords are read when a session is first opened with them, never before: a preview of two mailboxes does not ask for the
secrets of the others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from migrator.engine.contract import Account, Adapter, Login, Service, Side
from migrator.engine.stage import Programme, Stage, Verification
from migrator.errors import PlanError
from migrator.plan.model import Plan, ServiceEntry, StepEntry
from migrator.plan.people import Credentials, Person
from migrator.plan.written import SECRET, absolute, marked
from migrator.registry import Registry
from migrator.secrets import Secrets


def bind(plan: Plan, registry: Registry, secrets: Secrets) -> Programme:
    """The plan's programme. Reads the accounts' files and imports what the steps need; connects to nothing, reads no secret.

    Raises PlanMistakes for mistakes in the accounts' files.
    """
    people = plan.accounts()
    accounts = [Account(_login(person.source), _login(person.target)) for person in people]
    reaches = {
        side: {
            name: Reach(name, services, _by_address(people, side), plan.folder, registry, secrets)
            for name, services in plan.endpoints.items()
        }
        for side in Side
    }
    stages: list[Stage | Verification] = []
    for entry in plan.steps:
        if isinstance(entry, StepEntry):
            ends = {
                Side.SOURCE: reaches[Side.SOURCE][entry.route.source],
                Side.TARGET: reaches[Side.TARGET][entry.route.target],
            }
            step = registry.kind(entry.kind).build(entry.options, accounts)
            stages.append(Stage(entry.name, entry.kind, step, RouteOpener(entry.service, ends), entry.stop_on_error))
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
        """The login of an account, its password read."""
        known = self.logins[account]
        password = self.secrets.read(known.secret) if known.secret else known.password
        return Login(known.address, known.user, password)


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

    def for_reading(self, side: Side, service: str, account: str) -> Any:  # Any: the contract's type is the asker's
        """A new session that cannot write. Raises what the adapter raises, and PlanError for a secret that cannot be had."""
        reach = self.ends[side]
        adapter, _ = reach.adapter(service)
        return adapter.reader(reach.options(service), reach.login(account))

    def for_writing(self, service: str, account: str) -> Any:  # Any: as above
        """A new session at the target that can write. Raises as `for_reading`."""
        reach = self.ends[Side.TARGET]
        adapter, _ = reach.adapter(service)
        if adapter.writer is None:
            raise PlanError(f"{adapter.title} can only be read.", remedy=f"Choose another target than {reach.name}.")
        return adapter.writer(reach.options(service), reach.login(account))


def _plain_name(value: str | SecretStr) -> str:
    """The name of a secret; an adapter's field takes the secret itself as well, and may have wrapped the name like one."""
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def _login(known: Credentials) -> Login:
    """A login as rooms see it: steps have no use for passwords."""
    return Login(known.address, known.user)


def _by_address(people: Sequence[Person], side: Side) -> dict[str, Credentials]:
    ends = (person.source if side is Side.SOURCE else person.target for person in people)
    return {end.address: end for end in ends}
