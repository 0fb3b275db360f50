"""A plan that was found right: words, routes and options, but no secret, no connection and nothing imported but option models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from migrator.engine.contract import Service, Side
from migrator.frozen import dataclass
from migrator.plan.file import Document
from migrator.plan.people import Person, Residents, csv_files, gather, is_file
from migrator.plan.problems import Problem, Problems
from migrator.plan.written import AccountsFrom, PlanFile, single_files

# What says where a service is. Two services that agree in all of these are one and the same place.
_WHERE = ("host", "port", "path", "url", "database", "user")


@dataclass(frozen=True, slots=True)
class Route:
    """From which endpoint to which."""

    source: str
    target: str

    def __str__(self) -> str:
        return f"{self.source} -> {self.target}"


@dataclass(frozen=True, slots=True)
class ServiceEntry:
    """One service of an endpoint: the adapter's word and its checked options."""

    adapter: str
    options: Service

    @property
    def needs_password(self) -> bool:
        """Whether each account needs a password of its own here; options that say nothing about it need none."""
        return bool(getattr(self.options, "needs_password", False))

    def is_where(self, other: ServiceEntry) -> bool:
        """Whether both stand for the same place."""
        return all(getattr(self.options, word, None) == getattr(other.options, word, None) for word in _WHERE)


@dataclass(frozen=True, slots=True)
class StepEntry:
    """One step: `kind` is its word, `service` what both ends of its route have; `needs_accounts` as the kind says."""

    name: str
    kind: str
    service: str
    route: Route
    options: BaseModel
    stop_on_error: bool
    position: int
    supplies_logins: frozenset[Side] = frozenset()
    needs_accounts: bool = True


@dataclass(frozen=True, slots=True)
class VerifyEntry:
    """A `verify` among the steps; `samples` is by kind."""

    name: str
    samples: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Plan:
    """A checked plan. `warnings` are oddities that stop nothing; `path` is the file as it was named."""

    path: Path
    name: str
    written: PlanFile
    endpoints: Mapping[str, Mapping[str, ServiceEntry]]
    steps: Sequence[StepEntry | VerifyEntry]
    warnings: Sequence[Problem]
    document: Document

    @property
    def folder(self) -> Path:
        """Where relative paths of the plan start; absolute."""
        return self.path.absolute().parent

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file the plan consists of: itself, and those its accounts are read from."""
        return (self.path, *csv_files(self.written.accounts, self.path.parent))

    @property
    def asks_endpoint(self) -> str:
        """The endpoint that is asked who lives there; "" where the plan or a CSV says it."""
        accounts = self.written.accounts
        return accounts.origin if isinstance(accounts, AccountsFrom) and not is_file(accounts.origin) else ""

    def accounts(self, residents: Residents | None = None) -> tuple[Person, ...]:
        """Everyone the plan means, read from their files now, or asked by `residents` where the plan names an endpoint for it. Raises
        PlanMistakes with every mistake in them.
        """
        problems = Problems(self.document.file, self.document.place)
        needed = sides_with_passwords(self.endpoints, self.steps)
        people = gather(
            self.written.accounts, self.path.parent, problems, needed, residents, may_be_nobody=self._may_be_nobody
        )
        refuse_copies_onto_themselves(self.endpoints, self.steps, people, problems)
        refuse_files_of_several(self.endpoints, self.steps, people, self.folder, problems)
        problems.raise_any()
        return people

    @property
    def _may_be_nobody(self) -> bool:
        """Whether a domain without a mailbox is no mistake. To a step that needs no accounts, none would mean everything there is."""
        return all(step.needs_accounts for step in self.steps if isinstance(step, StepEntry))


def sides_with_passwords(
    endpoints: Mapping[str, Mapping[str, ServiceEntry]], steps: Sequence[StepEntry | VerifyEntry]
) -> frozenset[Side]:
    """The sides at which some step's route leads to a service that needs a password for each account, and no step before it on the
    same target supplies one.
    """
    needed: set[Side] = set()
    supplied: set[tuple[Side, str]] = set()
    for step in steps:
        if not isinstance(step, StepEntry):
            continue
        ends = {Side.SOURCE: step.route.source, Side.TARGET: step.route.target}
        for side, name in ends.items():
            if endpoints[name][step.service].needs_password and (side, name) not in supplied:
                needed.add(side)
        supplied.update((side, ends[side]) for side in step.supplies_logins)
    return frozenset(needed)


def refuse_copies_onto_themselves(
    endpoints: Mapping[str, Mapping[str, ServiceEntry]],
    steps: Sequence[Any],  # Any: StepEntry | VerifyEntry; only the first has a route
    people: Sequence[Person],
    problems: Problems,
) -> None:
    """A mistake for every step whose two ends are the same mailbox for someone."""
    for step in steps:
        if not isinstance(step, StepEntry):
            continue
        source = endpoints[step.route.source][step.service]
        target = endpoints[step.route.target][step.service]
        if not source.is_where(target):
            continue
        themselves = [
            person.source.address for person in people if person.source.user.lower() == person.target.user.lower()
        ]
        if themselves:
            more = f" and {len(themselves) - 1:,} more" if len(themselves) > 1 else ""
            what = f"{themselves[0]}{more}" if step.needs_accounts else "what is there"
            text = (
                f"would copy {what} onto itself: {step.route} are the same place. Correct the route or the endpoints."
            )
            problems.at(("steps", step.position, step.kind), text)


def refuse_files_of_several(
    endpoints: Mapping[str, Mapping[str, ServiceEntry]],
    steps: Sequence[Any],  # Any: as above
    people: Sequence[Person],
    folder: Path,
    problems: Problems,
) -> None:
    """A mistake for every single file that a step would read or fill for more than one account: nobody's would be told from another's."""
    if len(people) < 2:  # noqa: PLR2004 - several
        return
    used = {
        (name, step.service): None
        for step in steps
        if isinstance(step, StepEntry)
        for name in (step.route.source, step.route.target)
    }
    for name, service in used:
        for word in single_files(endpoints[name][service].options, folder):
            text = (
                f"is one file, which can be one account's, and the plan has {len(people):,}. Name a folder: "
                "it holds one folder for each account, named by its address."
            )
            problems.at(("endpoints", name, service, word), text)
