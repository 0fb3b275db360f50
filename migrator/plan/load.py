"""From a plan file to a checked plan, with every mistake told at once.

The shape is checked as a whole first. Then endpoints and steps are walked as they were written, whatever is wrong elsewhere, so
that a slip in one line never hides the mistakes of another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os.path import isfile
from pathlib import Path as FilePath
from typing import Any

from pydantic import BaseModel

from migrator.engine.contract import Adapter, Contents, Kind, Login, Side
from migrator.errors import MigratorError, NotFound, PlanError, Stops
from migrator.meant import did_you_mean
from migrator.plan.file import Document, read
from migrator.plan.model import (
    Plan,
    Route,
    ServiceEntry,
    StepEntry,
    VerifyEntry,
    refuse_copies_onto_themselves,
    refuse_files_of_several,
    sides_with_passwords,
)
from migrator.plan.people import Person, gather, is_file
from migrator.plan.problems import Path, Problems, listed, plain
from migrator.plan.wording import checked
from migrator.plan.written import (
    MUST_EXIST,
    SECRET,
    AccountLine,
    AccountsFrom,
    PlanFile,
    Sample,
    StepWords,
    absolute,
    marked,
    two_ends,
)
from migrator.registry import REGISTRY, Registry

VERIFY = "verify"
_CLEAR_PAIRS = (("old", "new"), ("source", "target"))  # two endpoints whose names say the route
_BLANK: Mapping[str, Any] = {"endpoints": {}, "accounts": [], "steps": []}


def load(path: FilePath, registry: Registry = REGISTRY) -> Plan:
    """The plan at `path`, checked but for the files its accounts come from, which `Plan.accounts` reads. Connects to nothing.

    Raises PlanMistakes with every mistake, PlanError if the file cannot be read.
    """
    return Examination(read(FilePath(path)), registry).plan()


def check(path: FilePath, registry: Registry = REGISTRY) -> tuple[Plan, tuple[Person, ...]]:
    """The plan and its accounts, with the mistakes of all their files, and of those behind the services of its routes, told at once. Raises
    like `load`.
    """
    examination = Examination(read(FilePath(path)), registry)
    people = examination.people()
    examination.read_files(people)
    return examination.plan(), people


class Examination:
    """One document being checked. Everything found on the way is in `problems`."""

    def __init__(self, document: Document, registry: Registry) -> None:
        self.document = document
        self.registry = registry
        self.problems = Problems(document.file, document.place)
        self._data: dict[str, Any] = document.data
        self._used: set[str] = set()
        self._needs_accounts = False
        self._visited: set[tuple[tuple[str, str], Side]] = set()
        self._leaning: set[tuple[str, str]] = set()
        self._written = self._shape()
        self._endpoints = self._walk_endpoints()
        self._steps = self._walk_steps()
        self._accounts()
        self._secrets()
        self._listed_people: tuple[Person, ...] = ()
        if not isinstance(self._written.accounts, AccountsFrom):
            self._listed_people = self._gather()

    def people(self) -> tuple[Person, ...]:
        """Everyone the plan means, as far as can be told beside its mistakes."""
        return (
            self._gather()
            if isinstance(self._written.accounts, AccountsFrom) and self._origin_is_file()
            else self._listed_people
        )

    def read_files(self, people: Sequence[Person]) -> None:
        """Mistakes in the files behind the services that steps use, in the names by which steps choose among what is in them, and what is
        not there for these people, or cannot be written for them.
        """
        known: dict[tuple[str, str], Contents | None] = {}
        filled: set[tuple[str, str]] = set()
        for step in self._steps:
            if not isinstance(step, StepEntry):
                continue
            source, target = ((name, step.service) for name in (step.route.source, step.route.target))
            if source not in known:
                known[source] = self._contents(*source, is_made=source in filled or source == target)
            if source not in filled and known[source] is not None:
                self._visit(source, Side.SOURCE, people)
            fit = self._visit(target, Side.TARGET, people)
            if target not in known:  # of what nobody can fill nothing more has to be told
                known[target] = self._contents(*target, is_made=True) if fit else None
            held = known[source]
            if held is not None and held.names is not None and source not in filled:
                at: Path = ("steps", step.position, step.kind)
                for word, text in self.registry.kind(step.kind).misnamed(step.options, held.names):
                    self.problems.at((*at, word), f": {text}")
            filled.add(target)

    def _visit(self, place: tuple[str, str], side: Side, people: Sequence[Person]) -> bool:
        """Mistakes where a service in files has nothing for one of these people, or nothing can be written for them; each told once. False
        where one was told that is about the whole of it.
        """
        name, service = place
        entry = self._endpoints[name][service]
        visit = self.registry.adapter(service, entry.adapter).visit
        if visit is None or (place, side) in self._visited:
            return True
        self._visited.add((place, side))
        options = entry.options.model_copy(update=absolute(entry.options, self.document.path.parent))
        listed_here = isinstance(self._data.get("accounts"), list) and len(self._data["accounts"]) == len(people)
        for position, person in enumerate(people):
            known = person.source if side is Side.SOURCE else person.target
            try:
                visit(options, Login(known.address, known.user), side)
            except MigratorError as error:
                if error.stops >= Stops.ENDPOINT:
                    self.problems.at(("endpoints", name, service), f": {error.sentence()}", of_key=True)
                    return False
                at: Path = ("accounts", position) if listed_here else ("accounts", "from")
                self.problems.at(at, f": {error.sentence()}")
        return True

    def _contents(self, name: str, service: str, *, is_made: bool) -> Contents | None:
        """What is in the files of a service, their mistakes told; `is_made` says that they need not be there yet."""
        entry = self._endpoints[name][service]
        adapter = self.registry.adapter(service, entry.adapter)
        if adapter.contents is None:
            return None
        options = entry.options.model_copy(update=absolute(entry.options, self.document.path.parent))
        try:
            held = adapter.contents(options)
        except MigratorError as error:
            if not (is_made and isinstance(error, NotFound)):
                self.problems.at(("endpoints", name, service), f": {error.sentence()}", of_key=True)
            return None
        for mistake in held.mistakes:
            tell = self.problems.warn_in_file if mistake.odd else self.problems.in_file
            tell(str(mistake.file), mistake.line, mistake.text)
        return held

    def plan(self) -> Plan:
        """The plan. Raises PlanMistakes if anything was wrong."""
        self.problems.raise_any()
        return Plan(
            path=self.document.path,
            name=self._written.name or self.document.path.stem,
            written=self._written,
            endpoints=self._endpoints,
            steps=self._steps,
            warnings=tuple(self.problems.warnings),
            document=self.document,
        )

    def _gather(self) -> tuple[Person, ...]:
        needed = sides_with_passwords(self._endpoints, self._steps)
        people = gather(self._written.accounts, self.document.path.parent, self.problems, needed)
        refuse_copies_onto_themselves(self._endpoints, self._steps, people, self.problems)
        folder = self.document.path.absolute().parent
        refuse_files_of_several(self._endpoints, self._steps, people, folder, self.problems)
        return people

    # -- the shape -----------------------------------------------------------------------------------------------------

    def _shape(self) -> PlanFile:
        """The plan as written; sections with mistakes are left blank."""
        written = checked(PlanFile, self._data, (), self.problems, frozenset(marked(AccountLine, SECRET).values()))
        if written is not None:
            return written
        alone = Problems(self.document.file, self.document.place)
        right = {
            word: value
            for word, value in self._data.items()
            if word in PlanFile.model_fields and checked(PlanFile, {**_BLANK, word: value}, (), alone) is not None
        }
        return PlanFile.model_validate({**_BLANK, **right})

    # -- endpoints -----------------------------------------------------------------------------------------------------

    def _walk_endpoints(self) -> dict[str, dict[str, ServiceEntry]]:
        endpoints = self._data.get("endpoints")
        found: dict[str, dict[str, ServiceEntry]] = {}
        for name, services in _mapping(endpoints).items():
            found[name] = {}
            for service, options in _mapping(services).items():
                if isinstance(options, dict):
                    entry = self._service(("endpoints", name, service), service, options)
                    if entry is not None:
                        found[name][service] = entry
            if services == {}:
                self.problems.at(("endpoints", name), "offers no service.", of_key=True)
        if endpoints == {}:
            self.problems.at(
                ("endpoints",), "is empty: name the host things come from and the one they go to.", of_key=True
            )
        return found

    def _service(self, at: Path, service: str, options: Mapping[str, Any]) -> ServiceEntry | None:
        if not self.registry.serves(service):
            known = self.registry.services()
            hint = did_you_mean(service, known) or f" Known are {listed(known)}."
            self.problems.at(at, f"is no service.{hint}", of_key=True)
            return None
        word = options.get("type")
        if not isinstance(word, str):
            adapters = listed(self.registry.adapters(service), "or")
            text = "must be text; quote it." if word is not None else f"is missing. It is one of {adapters}."
            self.problems.at((*at, "type"), text, of_key=word is None)
            return None
        try:
            adapter = self.registry.adapter(service, word)
        except PlanError as error:
            self.problems.at((*at, "type"), f": {error.sentence()}")
            return None
        return self._options_of(adapter, at, options)

    def _options_of(self, adapter: Adapter[Any, Any], at: Path, options: Mapping[str, Any]) -> ServiceEntry | None:
        secret = frozenset(marked(adapter.options, SECRET).values())
        given = options if "type" in adapter.options.model_fields else _without(options, {"type"})
        self._secret_names(at, {word: options.get(word) for word in secret})
        found = checked(adapter.options, given, at, self.problems, secret)
        if found is not None:
            self._files_of(found, at)
        return None if found is None else ServiceEntry(adapter.word, found)

    def _files_of(self, options: BaseModel, at: Path) -> None:
        """Mistakes for files that a service reads and that are not there."""
        words = marked(type(options), MUST_EXIST)
        for name, path in absolute(options, self.document.path.absolute().parent, MUST_EXIST).items():
            if not isfile(path):  # noqa: PTH113 - Path's raises for what cannot be looked at
                self.problems.at(
                    (*at, words[name]),
                    f"names {plain(str(getattr(options, name)))}, and there is no such file. A relative path starts at the plan's folder.",
                )

    # -- steps ---------------------------------------------------------------------------------------------------------

    def _walk_steps(self) -> list[StepEntry | VerifyEntry]:
        written = self._data.get("steps")
        if written == []:
            self.problems.at(
                ("steps",), f"is empty. Known are {listed([*self.registry.kinds(), VERIFY])}.", of_key=True
            )
        steps: list[StepEntry | VerifyEntry] = []
        kinds_before: set[str] = set()
        names: dict[str, int] = {}
        for position, entry in enumerate(written if isinstance(written, list) else ()):
            found = self._word_and_options(position, entry)
            if found is None:
                continue
            word, at, options = found
            common = checked(StepWords, _only(options, StepWords), at, self.problems)
            name = (common.name if common else None) or word
            line = self.document.place(at, True).line
            if name in names:
                text = f": two steps are called {plain(name)}, here and on line {names[name]}. Give one of them a name of its own."
                self.problems.at(at, text, of_key=True)
            names.setdefault(name, line)
            step = (
                self._verify(at, name, options, kinds_before)
                if word == VERIFY
                else self._step(at, position, name, word, options, common or StepWords())
            )
            if word != VERIFY:
                kinds_before.add(word)
            if step is not None:
                steps.append(step)
        return steps

    def _word_and_options(
        self, position: int, entry: Any
    ) -> tuple[str, Path, dict[str, Any]] | None:  # Any: as written
        at: Path = ("steps", position)
        if isinstance(entry, str):
            return entry, (*at, entry), {}
        if not isinstance(entry, dict) or len(entry) != 1:
            more = " Are its options indented deeper than the word?" if isinstance(entry, dict) and entry else ""
            self.problems.at(at, f"must be a word such as mail, or one word with its options below it.{more}")
            return None
        ((word, options),) = entry.items()
        if options is not None and not isinstance(options, dict):
            self.problems.at((*at, word), "must be a mapping of options.")
            return None
        return word, (*at, word), options or {}

    def _step(
        self, at: Path, position: int, name: str, word: str, options: dict[str, Any], common: StepWords
    ) -> StepEntry | None:
        try:
            kind = self.registry.kind(word)
        except PlanError as error:
            hint = did_you_mean(word, [VERIFY])
            text = f"there is no step called {plain(word)}.{hint}" if hint else error.sentence()
            self.problems.at(at, f": {text}", of_key=True)
            return None
        self._needs_accounts |= kind.needs_accounts
        own = _without(options, StepWords.model_fields.keys() - kind.options.model_fields.keys())
        checked_options = checked(
            kind.options, own, at, self.problems, frozenset(marked(kind.options, SECRET).values())
        )
        route = self._route(at, options, common)
        if route is None or not self._passable(at, kind, route) or checked_options is None:
            return None
        stop = (common.on_error or self._written.defaults.on_error) == "stop"
        return StepEntry(
            name,
            kind.word,
            kind.service,
            route,
            checked_options,
            stop,
            position,
            supplies_logins=kind.supplies_logins(checked_options),
            needs_accounts=kind.needs_accounts,
        )

    def _route(self, at: Path, options: Mapping[str, Any], common: StepWords) -> Route | None:
        names = list(_mapping(self._data.get("endpoints")))
        if "route" in options and common.route is None:
            return None  # it is badly written, which was told
        if not names:
            return None  # without endpoints no route is right; that they are missing was told
        if common.route:
            named_at, route = (*at, "route"), common.route
        elif self._written.defaults.route:
            named_at, route = ("defaults", "route"), self._written.defaults.route
        else:
            pair = next((pair for pair in _CLEAR_PAIRS if sorted(pair) == sorted(names)), None)
            if pair:
                return Route(*pair)
            if "route" not in _mapping(self._data.get("defaults")):
                example = f"{names[0]} -> {names[1]}" if len(names) > 1 else "old -> new"
                self.problems.at(
                    at, f"has no route. Give one here or in defaults, such as: route: {example}", of_key=True
                )
            return None
        source, target = two_ends(route)
        unknown = [name for name in (source, target) if name not in names]
        for name in unknown:
            hint = did_you_mean(name, names) or f" Known are {listed(names)}."
            self.problems.at(named_at, f"names {plain(name)}, which is not among the endpoints.{hint}")
        return None if unknown else Route(source, target)

    def _passable(self, at: Path, kind: Kind, route: Route) -> bool:
        """Whether both ends of a route have what a step needs; what they lack is told."""
        endpoints = _mapping(self._data.get("endpoints"))
        lacking = [name for name in (route.source, route.target) if kind.service not in _mapping(endpoints[name])]
        for name in dict.fromkeys(lacking):
            text = f"goes {route}, but the endpoint {plain(name)} has no {kind.service} service."
            self.problems.at(at, text, of_key=True)
        for name in dict.fromkeys((route.source, route.target)):
            self._lean_on(name, kind.service)
        entry = self._endpoints.get(route.target, {}).get(kind.service)
        if entry and self.registry.adapter(kind.service, entry.adapter).writer is None:
            text = f"goes {route}, but {entry.adapter} can only be read, so {plain(route.target)} cannot be a target."
            self.problems.at(at, text, of_key=True)
            return False
        return all(kind.service in self._endpoints.get(name, {}) for name in (route.source, route.target))

    def _lean_on(self, name: str, service: str) -> None:
        """A mistake where a service of an endpoint wants another one beside it that is not there; told once."""
        entry = self._endpoints.get(name, {}).get(service)
        if entry is None or (name, service) in self._leaning:
            return
        self._leaning.add((name, service))
        word, what = self.registry.adapter(service, entry.adapter).leans_on(entry.options)
        if word and word not in _mapping(_mapping(self._data.get("endpoints"))[name]):
            self.problems.at(("endpoints", name, service), f": {what}", of_key=True)

    def _verify(self, at: Path, name: str, options: dict[str, Any], kinds_before: set[str]) -> VerifyEntry | None:
        if not kinds_before:
            self.problems.at(at, "has nothing to verify: no step stands before it.", of_key=True)
        samples: dict[str, float] = {}
        for word, value in _without(options, {"name"}).items():
            if word not in kinds_before:
                hint = did_you_mean(word, kinds_before) or f" Before it stand {listed(sorted(kinds_before))}."
                self.problems.at((*at, word), f"is not a step before this one.{hint}", of_key=True)
            elif not isinstance(value, dict):
                self.problems.at((*at, word), "must be a mapping, such as {sample: 5%}.")
            elif (sample := checked(Sample, value, (*at, word), self.problems)) is not None:
                samples[word] = sample.sample
        return VerifyEntry(name, samples)

    # -- accounts and secrets ------------------------------------------------------------------------------------------

    def _accounts(self) -> None:
        if isinstance(self._written.accounts, AccountsFrom):
            self._origin(self._written.accounts)
        elif self._needs_accounts and "accounts" not in self._data and not set(self._data) - set(PlanFile.model_fields):
            self.problems.at(("accounts",), "is missing.", of_key=True)
        elif self._needs_accounts and self._data.get("accounts") == []:
            self.problems.at(
                ("accounts",), "is empty: list the addresses, or name a CSV in accounts.from.", of_key=True
            )
        written = self._data.get("accounts")
        for position, line in enumerate(written if isinstance(written, list) else ()):
            named = {word: _mapping(line).get(word) for word in marked(AccountLine, SECRET).values()}
            self._secret_names(("accounts", position), named)

    def _origin(self, accounts: AccountsFrom) -> None:
        if self._origin_is_file():
            return
        at: Path = ("accounts", "from")
        endpoints = _mapping(self._data.get("endpoints"))
        if accounts.origin in endpoints:
            if not residents_of(self._endpoints.get(accounts.origin, {}), self.registry):
                text = f": {plain(accounts.origin)} has no service that could tell who lives there, such as a panel. List the accounts or name a CSV."
                self.problems.at(at, text)
        else:
            hint = did_you_mean(accounts.origin, endpoints) or " A CSV's name ends in .csv."
            self.problems.at(at, f"names {plain(accounts.origin)}, which is neither a CSV nor an endpoint.{hint}")

    def _origin_is_file(self) -> bool:
        accounts = self._written.accounts
        return (
            isinstance(accounts, AccountsFrom)
            and accounts.origin not in _mapping(self._data.get("endpoints"))
            and is_file(accounts.origin)
        )

    def _secret_names(self, at: Path, named: Mapping[str, Any]) -> None:
        """Mistakes for names of secrets that are not defined. What stands there is not repeated: it may be the password itself."""
        defined = _mapping(self._data.get("secrets"))
        for word, name in named.items():
            if not isinstance(name, str):
                continue
            self._used.add(name)
            if name not in defined:
                there = did_you_mean(name, defined) or (
                    f" Defined are {listed(map(plain, defined))}." if defined else ""
                )
                self.problems.at(
                    (*at, word),
                    f"names a secret that is not defined under secrets.{there} A password itself does not stand here.",
                )

    def _secrets(self) -> None:
        for name in self._written.secrets:
            if name not in self._used:
                self.problems.warn(("secrets", name), "is not used.")


def residents_of(services: Mapping[str, ServiceEntry], registry: Registry) -> Kind | None:
    """The step kind that can ask one of these services who lives there."""
    for word in registry.kinds():
        try:
            kind = registry.kind(word)
        except PlanError:
            continue  # a package that is broken is told when a step uses it
        if kind.residents is not None and kind.service in services:
            return kind
    return None


def _mapping(value: Any) -> dict[str, Any]:  # Any: whatever the plan says
    """A part of the plan that should be a mapping; empty if it is something else, which the shape has told."""
    return value if isinstance(value, dict) else {}


def _only(options: Mapping[str, Any], words: type[BaseModel]) -> dict[str, Any]:
    return {word: value for word, value in options.items() if word in words.model_fields}


def _without(options: Mapping[str, Any], words: Any) -> dict[str, Any]:  # Any: a container of words
    return {word: value for word, value in options.items() if word not in words}
