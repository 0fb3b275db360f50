"""A panel in memory, for tests of the step and for the crash floor: it keeps every noun, can be told to refuse, to break and to be poor.

panel = MemoryPanel("old", lists=..., schemes=...)
panel.fill(Mailbox("ann@example.com", quota=GB), password=with_scheme("$6$..."))
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from pydantic import SecretStr

from migrator.addresses import ascii_domain, split
from migrator.engine.contract import Account, Adapter, Login, Service, Side, temporary
from migrator.errors import Dropped, EndpointRefused, MigratorError, NotFound, Refused
from migrator.panel.contract import AnyThing, Features, PanelReader, PanelWriter
from migrator.panel.model import (
    UNKNOWN_PASSWORD,
    Autoresponder,
    CatchAll,
    Database,
    Domain,
    DomainForwarder,
    Filter,
    Forwarder,
    ListName,
    Mailbox,
    Password,
    Probe,
    Thing,
    Way,
)
from migrator.testing.memory_strongbox import MemoryStrongbox

EVERYTHING: frozenset[type[Thing]] = frozenset(
    {Domain, Mailbox, Forwarder, DomainForwarder, CatchAll, Autoresponder, Filter}
)
ABLE = Features(
    title="Memory panel",
    lists=EVERYTHING | {ListName, Database},
    creates=EVERYTHING,
    changes=frozenset({Mailbox}),
    destinations=frozenset(Way),
    schemes=frozenset({"SHA512-CRYPT", "BLF-CRYPT"}),
    reads_hashes=True,
    verifies_passwords=True,
    sets_passwords=True,
)


class Options(Service):
    """There is nothing to say."""


def domain_of(thing: Thing) -> str:
    """The domain a thing is listed under; "" for what belongs to none."""
    match thing:
        case Domain():
            return thing.name
        case DomainForwarder() | CatchAll():
            return thing.domain
        case Filter():
            return thing.domain or split(thing.address)[1]
        case Database():
            return ""
        case _:
            return split(thing.address)[1]


@dataclass(slots=True)
class MemoryPanel:
    """The panel; sessions share it. What is public is for tests."""

    name: str
    features: Features = ABLE
    things: dict[tuple[str, str], Thing] = field(default_factory=dict)
    passwords: dict[str, Password] = field(default_factory=dict)
    refused_keys: set[str] = field(default_factory=set)
    forgets: set[str] = field(default_factory=set)  # keys it says were made, and does not keep
    rounds: Callable[[Thing], Thing] = lambda thing: thing
    login_refused: bool = False
    drops: dict[int, str] = field(default_factory=dict)  # by the number of the write: "before" or "after"
    before_write: Callable[[str], None] = lambda _: None
    after_write: Callable[[str], None] = lambda _: None
    calls: Counter[str] = field(default_factory=Counter)
    writes: list[str] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def fill(self, *things: Thing, password: Password | None = None) -> None:
        """Have things there, as if they had always been; the domain comes by itself."""
        for thing in things:
            domain = domain_of(thing)
            if domain:
                self.things.setdefault((Domain.word, domain), Domain(domain))
            self.things[thing.word, thing.key] = thing
            if password is not None and isinstance(thing, Mailbox):
                self.passwords[thing.key] = password

    def there(self, noun: type[AnyThing], domain: str) -> list[AnyThing]:
        """The things of one kind in a domain."""
        return [one for one in self.things.values() if isinstance(one, noun) and domain_of(one) in {domain, ""}]

    def reader(self, options: Options, login: Login) -> PanelReader:
        """A session that cannot write."""
        del options, login
        return _Reader(self)

    def writer(self, options: Options, login: Login) -> PanelWriter:
        """A session that can write."""
        del options, login
        return _Writer(self)

    @property
    def adapter(self) -> Adapter[PanelReader, PanelWriter]:
        """The panel as an adapter."""
        return Adapter("memory", self.features.title, Options, self.reader, self.writer, lambda _: (2, 2))

    def change(self, what: str, effect: Callable[[], None]) -> None:
        """Make a change, with whatever was planned to go wrong."""
        self.before_write(what)
        with self.lock:
            number = len(self.writes) + 1
            drop = self.drops.pop(number, "")
            if drop == "before":
                self.writes.append(f"lost {what}")
                raise Dropped(f"{self.name} broke the connection.")
            effect()
            self.writes.append(what)
        self.after_write(what)
        if drop:
            raise Dropped(f"{self.name} broke the connection after the change.")


class _Reader:
    """Fulfils PanelReader, ReadsHashes and VerifiesPasswords."""

    def __init__(self, panel: MemoryPanel) -> None:
        self._panel = panel
        self.features = panel.features
        self._asked("login")
        if panel.login_refused:
            raise EndpointRefused(f"{panel.name}: the panel refuses the token.", remedy="Make a new one there.")

    def _asked(self, call: str) -> None:
        with self._panel.lock:
            self._panel.calls[call] += 1

    def probe(self) -> Probe:
        self._asked("probe")
        return Probe(self.features.title, "1.0")

    def domains(self) -> Sequence[Domain]:
        self._asked("domains")
        with self._panel.lock:
            return [one for one in self._panel.things.values() if isinstance(one, Domain)]

    def list(self, noun: type[AnyThing], domain: str) -> Sequence[AnyThing]:
        self._asked(f"list {noun.word}")
        assert noun in self.features.lists, f"{noun.word} was asked of a panel that has none"
        with self._panel.lock:
            if noun is not Database and (Domain.word, domain) not in self._panel.things:
                raise NotFound(f"{self._panel.name} has no domain {domain}.")
            return self._panel.there(noun, domain)

    def password_of(self, address: str) -> Password:
        self._asked("hash")
        # Like most panels it tells a hash and never a password in plain, though it knows them.
        return Password(hash=self._panel.passwords.get(address.lower(), UNKNOWN_PASSWORD).hash)

    def verify_password(self, address: str, password: SecretStr) -> bool:
        self._asked("verify")
        known = self._panel.passwords.get(address.lower(), UNKNOWN_PASSWORD)
        return known.plain is not None and known.plain == password

    def close(self) -> None:
        """There is nothing to end."""


class _Writer(_Reader):
    """Fulfils PanelWriter and SetsPasswords."""

    def create(self, thing: Thing, password: Password | None = None) -> None:
        panel = self._panel
        error = self._why_refused(thing, password)
        if error is not None:
            raise error

        def effect() -> None:
            if thing.key in panel.forgets:
                return
            kept = panel.rounds(thing)
            panel.things[kept.word, kept.key] = kept
            if password is not None:
                panel.passwords[kept.key] = password

        panel.change(f"create {thing.word} {thing.key}", effect)

    def _why_refused(self, thing: Thing, password: Password | None) -> MigratorError | None:
        panel = self._panel
        if type(thing) not in self.features.creates:
            return Refused(f"{panel.name} has no {thing.word}.")
        if thing.key in panel.refused_keys:
            return Refused(f"{panel.name} says: {thing.key} is not allowed.", remedy="Choose another name.")
        if (thing.word, thing.key) in panel.things:
            return Refused(f"{panel.name} has {thing.key} already.")
        domain = domain_of(thing)
        if not isinstance(thing, Domain) and (Domain.word, ascii_domain(domain)) not in panel.things:
            return NotFound(f"{panel.name} has no domain {domain}.")
        if isinstance(thing, Mailbox) and (password is None or password == UNKNOWN_PASSWORD):
            return Refused(f"{panel.name} wants a password for {thing.key}.")
        return None

    def change(self, thing: Thing, there: Thing) -> None:
        assert thing.key == there.key
        panel = self._panel

        def effect() -> None:
            panel.things[thing.word, thing.key] = panel.rounds(thing)

        panel.change(f"change {thing.word} {thing.key}", effect)

    def set_password(self, address: str, password: Password) -> None:
        def effect() -> None:
            self._panel.passwords[address.lower()] = password

        self._panel.change(f"password {address}", effect)


@dataclass(slots=True)
class PanelRoute:
    """Opener between two panels in memory. `logins` are by side and account, `made` takes the passwords that are made."""

    old: MemoryPanel
    new: MemoryPanel
    logins: dict[tuple[Side, str], Login] = field(default_factory=dict)
    made: dict[str, SecretStr] = field(default_factory=dict)
    strongbox: MemoryStrongbox = field(default_factory=MemoryStrongbox)

    def endpoint(self, side: Side) -> str:
        return "old" if side is Side.SOURCE else "new"

    def connections(self, side: Side) -> tuple[int, int]:
        del side
        return (2, 2)

    def for_reading(self, side: Side, service: str, account: str) -> PanelReader:
        assert service == "panel"
        return (self.old if side is Side.SOURCE else self.new).reader(Options(), Login(account, account))

    def for_writing(self, side: Side, service: str, account: str) -> PanelWriter:
        assert service == "panel"
        return (self.old if side is Side.SOURCE else self.new).writer(Options(), Login(account, account))

    def login(self, side: Side, account: str) -> Login:
        known = self.logins.get((side, account), Login(account, account))
        made = self.made.get(account) if side is Side.TARGET else self.strongbox.get(temporary(account))
        if known.password is None and made is not None:
            return replace(known, password=made, made=True)
        return known

    def keep_password(self, account: str, password: SecretStr) -> None:
        self.made[account] = password


def accounts_of(*addresses: str | tuple[str, str]) -> list[Account]:
    """Accounts of a plan: addresses, or pairs of them where the target's is another."""
    pairs = [one if isinstance(one, tuple) else (one, one) for one in addresses]
    return [Account(Login(source, source), Login(target, target)) for source, target in pairs]
