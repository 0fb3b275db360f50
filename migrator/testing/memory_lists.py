"""Mailing lists in memory, for tests of the step and for the crash floor: they keep every option, can refuse, break and be poor, and count
the mails that they would have written to people.

    lists = MemoryLists("old")
    lists.fill("announce@example.com", Settings(description="News"), Member("ann@example.com"), Member("bob@example.com"))

Many sessions of many threads may use one. A write is what one request to a product would be: a member, or with `importer` all members of
an `add`; with `in_halves` a member comes without options first, as at products that want two requests for it. `before_write` and
`after_write` are called around every write: raise there to die at that point.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from pydantic import SecretStr

from migrator.engine.contract import Account, Adapter, Login, Service, Side
from migrator.errors import Dropped, EndpointRefused, LoginRefused, Misbehaved, NotFound, Refused
from migrator.lists.contract import ListReader, ListWriter
from migrator.lists.model import (
    OWN,
    Features,
    MailingList,
    Member,
    Put,
    Role,
    Settings,
    member_without_lost,
    settings_of,
    settings_without_lost,
)
from migrator.testing.memory_strongbox import MemoryStrongbox

ABLE = Features(
    title="Memory lists",
    dialect="memory",
    noisy=frozenset({"welcomes", "says_goodbye", "tells_owner_of_changes"}),
    at_once=10,
    knows_addresses=True,
    makes_domains=True,
    foresees_refusals=True,
)
PAGE = 7  # members on a page
BARE = {"welcomes": True, "says_goodbye": True, "tells_owner_of_changes": True, "emergency": False}


class Options(Service):
    """There is nothing to say."""


@dataclass(slots=True)
class Kept:
    """One list as the product has it. `settings` by name, as Settings.told says them; people by role and key."""

    address: str
    settings: dict[str, object] = field(default_factory=lambda: dict(BARE))
    people: dict[Role, dict[str, Member]] = field(default_factory=lambda: {role: {} for role in Role})
    password: SecretStr | None = None


@dataclass(slots=True)
class MemoryLists:
    """The product; sessions share it. What is public is for tests.

    `refuses` answers the words of a refusal, "" for none; `lacks` those about a member whose options it does not keep; `refuses_settings`
    are names it does not take. `forgets` are keys of members that it takes and does not keep. `drops` breaks the connection at the nth
    write, "before" or "after" it was made, `read_drops` at the nth page. `miscounts` are lists whose total is not what their pages hold.
    `twins` are by list, as a file tells somebody once more. `languages` are those a member may have (None for any), and `longest_description` is where one is cut.
    """

    name: str
    features: Features = ABLE
    importer: bool = False
    in_halves: bool = False
    refuses: Callable[[Member], str] = lambda _: ""
    lacks: Callable[[Member], str] = lambda _: ""
    refuses_settings: set[str] = field(default_factory=set)
    forgets: set[str] = field(default_factory=set)
    refused_lists: set[str] = field(default_factory=set)  # a wrong password
    somewhere: set[str] = field(default_factory=set)  # lists that do not tell their domain
    named: list[str] = field(default_factory=list)  # by the plan, beside those that are shown
    miscounts: set[str] = field(default_factory=set)
    twins: dict[str, list[Member]] = field(default_factory=dict)
    login_refused: bool = False
    wants_passwords: bool = False  # of lists that were made with one
    drops: dict[int, str] = field(default_factory=dict)
    read_drops: set[int] = field(default_factory=set)
    languages: frozenset[str] | None = None
    longest_description: int | None = None
    connections: tuple[int, int] = (2, 2)
    before_write: Callable[[str], None] = lambda _: None
    after_write: Callable[[str], None] = lambda _: None
    kept: dict[str, Kept] = field(default_factory=dict)
    mails: list[str] = field(default_factory=list)  # what people would have been sent
    calls: Counter[str] = field(default_factory=Counter)
    writes: list[str] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)  # of people, where the product shares them over its lists
    lock: threading.RLock = field(default_factory=threading.RLock)

    def fill(self, address: str, settings: Settings | None = None, *people: Member) -> None:
        """Have a list there, as if it had always been."""
        kept = self.kept.setdefault(address.lower(), Kept(address))
        kept.settings |= (settings or Settings()).told()
        for one in people:
            kept.people[one.role][one.key] = one
            if one.name:
                self.names[one.key] = one.name

    def people(self, address: str, role: Role = Role.MEMBER) -> dict[str, Member]:
        """Everybody of one role, by key."""
        return self.kept[address.lower()].people[role]

    def set_now(self, address: str) -> dict[str, object]:
        """What is set for a list now."""
        return self.kept[address.lower()].settings

    def reader(self, options: Options, login: Login) -> ListReader:
        """A session that cannot write."""
        del options, login
        return _Reader(self)

    def writer(self, options: Options, login: Login) -> ListWriter:
        """A session that can write."""
        del options, login
        return _Writer(self)

    @property
    def adapter(self) -> Adapter[ListReader, ListWriter]:
        """The product as an adapter."""
        return Adapter("memory", self.features.title, Options, self.reader, self.writer, lambda _: self.connections)

    def change(self, what: str, effect: Callable[[], None]) -> None:
        """Make a change, with whatever was planned to go wrong."""
        self.before_write(what)
        with self.lock:
            drop = self.drops.pop(len(self.writes) + 1, "")
            if drop == "before":
                self.writes.append(f"lost {what}")
                raise Dropped(f"{self.name} broke the connection.")
            effect()
            self.writes.append(what)
        self.after_write(what)
        if drop:
            raise Dropped(f"{self.name} broke the connection after the change.")

    def write_mails(self, kept: Kept, setting: str, member: Member) -> None:
        """What a product writes to people when somebody joins or leaves, if that is set."""
        owners = "owners" if member.role is Role.MEMBER else ""
        if kept.settings.get(setting) and owners:
            self.mails.append(f"{setting}: {member.address}")
        if kept.settings.get("tells_owner_of_changes") and owners:
            self.mails.append(f"tells_owner_of_changes: {member.address}")


class _Reader:
    """Fulfils ListReader, KnowsAddresses, MakesDomains, ForeseesRefusals, KnowsNames and TakesPasswords."""

    def __init__(self, product: MemoryLists) -> None:
        self._product = product
        self._known: dict[str, SecretStr] = {}
        self.features = product.features

    def know(self, address: str, password: SecretStr) -> None:
        self._known[address.lower()] = password

    def lists(self) -> Sequence[MailingList]:
        self._asked("lists")
        with self._product.lock:
            return [
                MailingList(one.address, len(one.people[Role.MEMBER]), one.address in self._product.somewhere)
                for one in self._product.kept.values()
            ]

    def missing(self) -> Sequence[str]:
        return [one for one in self._product.named if one.lower() not in self._product.kept]

    def settings(self, address: str) -> Settings:
        self._asked("settings")
        with self._product.lock:
            return settings_of(self._list(address).settings)

    def roster(self, address: str, role: Role) -> Iterator[Sequence[Member]]:
        self._asked(f"roster {role.value}")
        assert role in self.features.roles, f"{role.value} was asked of a product that has none"
        with self._product.lock:
            everybody = list(self._list(address).people[role].values())
            everybody += [one for one in self._product.twins.get(address.lower(), []) if one.role is role]
        if self.features.shares_names:
            everybody = [replace(one, name=self._product.names.get(one.key, "")) for one in everybody]
        return self._pages(address, everybody)

    def _pages(self, address: str, everybody: Sequence[Member]) -> Iterator[Sequence[Member]]:
        for start in range(0, len(everybody), PAGE):
            self._asked("page")
            if self._product.calls["page"] in self._product.read_drops:
                raise Dropped(f"{self._product.name} broke the connection.")
            yield everybody[start : start + PAGE]
        if address.lower() in self._product.miscounts:
            raise Misbehaved(f"{address}: {len(everybody) + 1} members are stated, and {len(everybody)} were shown.")

    def addresses(self, address: str) -> AbstractSet[str]:
        self._asked("addresses")
        with self._product.lock:
            return frozenset(self._list(address).people[Role.MEMBER])

    def names(self, keys: Sequence[str]) -> Mapping[str, str]:
        self._asked("names")
        with self._product.lock:
            return {key: self._product.names[key] for key in keys if self._product.names.get(key)}

    def has_domain(self, domain: str) -> bool:
        self._asked("domain")
        with self._product.lock:
            return any(one.address.endswith(f"@{domain}") for one in self._product.kept.values())

    def as_kept(self, member: Member) -> Member:
        kept = member_without_lost(member, self.features)
        known = self._product.languages
        return kept if known is None or kept.language in known else replace(kept, language="")

    def settings_as_kept(self, settings: Settings) -> Settings:
        kept = settings_without_lost(settings, self.features)
        return replace(kept, description=kept.description and kept.description[: self._product.longest_description])

    def why_not(self, address: str, member: Member, banned: Sequence[str]) -> str:
        del address
        local, at, domain = member.address.rpartition("@")
        if not (local and at and domain) or " " in member.address:
            return "not an address"
        is_banned = any(fnmatchcase(member.key, str(one).lower()) for one in banned)
        return "the address is banned" if is_banned and member.role is Role.MEMBER else ""

    def close(self) -> None:
        """There is nothing to end."""

    def _asked(self, call: str) -> None:
        with self._product.lock:
            self._product.calls[call] += 1
        if self._product.login_refused:
            raise EndpointRefused(f"{self._product.name} refuses the login.", remedy="Correct it in the plan.")

    def _list(self, address: str) -> Kept:
        if address.lower() in self._product.refused_lists:
            raise LoginRefused(f"{address}: the list's password is refused.", remedy="Correct it in the plan.")
        found = self._product.kept.get(address.lower())
        if found is None:
            raise NotFound(f"{self._product.name} has no list {address}.")
        if self._product.wants_passwords and found.password != self._known.get(address.lower()):
            raise LoginRefused(f"{address}: the list's password is refused.", remedy="Correct it in the plan.")
        return found


class _Writer(_Reader):
    """Fulfils ListWriter."""

    def create_list(self, address: str, owner: str, password: SecretStr | None) -> None:
        del owner
        assert self.features.creates, "a list was to be made where none can be"
        assert (password is None) == (self.features.list_password is None), "a password for nothing, or none"
        product = self._product
        if address.lower() in product.kept:
            raise Refused(f"{product.name} has the list {address} already.")
        if product.refuses(Member(address)):
            raise Refused(product.refuses(Member(address)), remedy="Choose another name.")

        def effect() -> None:
            product.kept[address.lower()] = Kept(address, password=password)
            if password is not None:
                self._known[address.lower()] = password

        product.change(f"create {address}", effect)

    def configure(self, address: str, settings: Settings) -> None:
        kept = self._list(address)
        told = settings.told()
        assert settings_without_lost(settings, self.features) == settings, "a setting that the product has not"
        refused = sorted(self._product.refuses_settings & set(told))
        if refused:
            raise Refused(f"{self._product.name} does not take {refused[0]}.")
        if told:
            names = ",".join(name.removeprefix(OWN) for name in told)
            self._product.change(f"configure {address} {names}", lambda: kept.settings.update(told))

    def add(self, address: str, members: Sequence[Member]) -> Sequence[Put]:
        assert len(members) <= self.features.at_once
        kept = self._list(address)
        if not self._product.importer:
            return [self._add(kept, [member])[0] for member in members]
        return self._add(kept, members)

    def _add(self, kept: Kept, members: Sequence[Member]) -> list[Put]:
        answers = [self._why_refused(kept, member) for member in members]
        taken = [
            Member(member.address, role=member.role) if put.lacking else member
            for member, put in zip(members, answers, strict=True)
            if not put.refused and not put.already
        ]
        names = ",".join(member.key for member in taken)
        bare = [Member(one.address, role=one.role, moderation=one.moderation) for one in taken]
        if taken and self._product.in_halves:
            self._product.change(f"add {names}", lambda: self._keep(kept, bare))
            self._product.change(f"options {names}", lambda: self._keep(kept, taken))
        elif taken:
            self._product.change(f"add {names}", lambda: self._keep(kept, taken))
        return answers

    def _keep(self, kept: Kept, members: Sequence[Member], *, renames: bool = False) -> None:
        for member in members:
            there = kept.people[member.role]
            if member.key not in there:
                self._product.write_mails(kept, "welcomes", member)
            if member.key not in self._product.forgets:
                there[member.key] = member_without_lost(member, self.features)
                if member.name and (renames or not self._product.names.get(member.key)):
                    self._product.names[member.key] = member.name

    def _why_refused(self, kept: Kept, member: Member) -> Put:
        if member.key in kept.people[member.role]:
            return Put(already=True)
        banned = kept.settings.get("banned") or ()
        assert isinstance(banned, tuple)
        if why := self.why_not(kept.address, member, banned):
            return Put(refused=why, remedy="Take it off the list's bans if it should be there." if banned else "")
        return Put(refused=self._product.refuses(member), lacking=self._product.lacks(member))

    def update(self, address: str, members: Sequence[Member]) -> Sequence[Put]:
        kept = self._list(address)
        return [self._update(kept, member) for member in members]

    def _update(self, kept: Kept, member: Member) -> Put:
        there = kept.people[member.role].get(member.key)
        if there is None:
            return Put(refused="no such member")
        as_typed = replace(member, address=there.address)
        self._product.change(f"update {member.key}", lambda: self._keep(kept, [as_typed], renames=True))
        return Put()

    def remove(self, address: str, members: Sequence[Member]) -> Sequence[Put]:
        kept = self._list(address)
        return [self._remove(kept, member) for member in members]

    def _remove(self, kept: Kept, member: Member) -> Put:
        there = kept.people[member.role]
        if member.key in there:

            def effect() -> None:
                self._product.write_mails(kept, "says_goodbye", there.pop(member.key))

            self._product.change(f"remove {member.key}", effect)
        return Put()


# -- a route between two ----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class ListsRoute:
    """Opener between two products in memory. `made` takes the passwords that are made."""

    old: MemoryLists
    new: MemoryLists
    made: dict[str, SecretStr] = field(default_factory=dict)
    strongbox: MemoryStrongbox = field(default_factory=MemoryStrongbox)

    def endpoint(self, side: Side) -> str:
        return "old" if side is Side.SOURCE else "new"

    def connections(self, side: Side) -> tuple[int, int]:
        return self._at(side).connections

    def for_reading(self, side: Side, service: str, account: str) -> ListReader:
        assert service == "lists"
        return self._at(side).reader(Options(), Login(account, account))

    def for_writing(self, side: Side, service: str, account: str) -> ListWriter:
        assert service == "lists"
        return self._at(side).writer(Options(), Login(account, account))

    def login(self, side: Side, account: str) -> Login:
        return Login(account, account, self.made.get(account) if side is Side.TARGET else None)

    def keep_password(self, account: str, password: SecretStr) -> None:
        self.made[account] = password

    def _at(self, side: Side) -> MemoryLists:
        return self.old if side is Side.SOURCE else self.new


def accounts_of(*addresses: str | tuple[str, str]) -> list[Account]:
    """Accounts of a plan: addresses, or pairs of them where the target's is another."""
    pairs = [one if isinstance(one, tuple) else (one, one) for one in addresses]
    return [Account(Login(source, source), Login(target, target)) for source, target in pairs]
