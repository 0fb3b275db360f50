"""What hosting panels keep for a domain's mail, in words that fit all of them.

Addresses and domain names are kept in the one form everything is compared by: the domain as A-label (`xn--...`) in lower case,
the local part as the panel gave it; two addresses are the same if they differ only in case. Quotas are bytes, None means
unlimited. Secrets are SecretStr and are never part of a noun that is shown.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Sequence
from datetime import datetime
from enum import Enum
from typing import ClassVar, TypeAlias, TypeVar

from pydantic import SecretStr

from migrator.frozen import dataclass

# -- nouns ------------------------------------------------------------------------------------------------------------


class Hold(Enum):
    """Something a mailbox may not do for now."""

    LOGIN = "login"
    RECEIVE = "receive"
    SEND = "send"


class Routing(Enum):
    """Where a server takes a domain's mail to be."""

    LOCAL = "local"
    REMOTE = "remote"
    BACKUP = "backup"
    AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Domain:
    """A domain with mail. `dkim_selector` is "" where the panel signs nothing or does not tell."""

    word: ClassVar[str] = "domain"
    name: str
    routing: Routing = Routing.AUTO
    dkim_selector: str = ""
    suspended: bool = False

    @property
    def key(self) -> str:
        """What tells it from others of its kind."""
        return self.name


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A mailbox somebody can log in to. `used` is bytes, None where the panel does not tell; `name` is the person's."""

    word: ClassVar[str] = "mailbox"
    address: str
    quota: int | None = None
    used: int | None = None
    holds: frozenset[Hold] = frozenset()
    name: str = ""

    @property
    def key(self) -> str:
        """What tells it from others of its kind."""
        return self.address.lower()


class Way(Enum):
    """What kind of place mail is sent on to."""

    ADDRESS = "address"
    REJECT = "reject"  # bounced, the value is the text
    DISCARD = "discard"
    PIPE = "pipe"  # the value is the command line, which hardly ever exists on another host
    SYSTEM = "system"  # a user of the old machine, the value is its name


@dataclass(frozen=True, slots=True)
class Destination:
    """Where mail goes on to."""

    value: str = ""
    way: Way = Way.ADDRESS

    def __str__(self) -> str:
        return self.value if self.way is Way.ADDRESS else f"{self.way.value} {self.value}".strip()

    def __lt__(self, other: Destination) -> bool:
        return (self.way.value, self.value.lower()) < (other.way.value, other.value.lower())


@dataclass(frozen=True, slots=True)
class Forwarder:
    """Mail for an address goes on to others. With `keeps_copy` the mailbox of the same address gets it too. An alias of a mailbox
    is a forwarder with that one destination. One address has one forwarder, with all its destinations, sorted.
    """

    word: ClassVar[str] = "forwarder"
    address: str
    destinations: tuple[Destination, ...]
    keeps_copy: bool = False

    @property
    def key(self) -> str:
        """What tells it from others of its kind."""
        return self.address.lower()


@dataclass(frozen=True, slots=True)
class DomainForwarder:
    """All mail of a domain goes to the same local parts at another."""

    word: ClassVar[str] = "domain forwarder"
    domain: str
    target: str

    @property
    def key(self) -> str:
        """What tells it from others of its kind."""
        return self.domain


@dataclass(frozen=True, slots=True)
class CatchAll:
    """What becomes of mail for addresses of a domain that do not exist, where it is not simply refused."""

    word: ClassVar[str] = "catch-all"
    domain: str
    destination: Destination

    @property
    def key(self) -> str:
        """What tells it from others of its kind."""
        return self.domain


@dataclass(frozen=True, slots=True)
class Autoresponder:
    """An answer sent by itself. `body` uses LF and ends without one; it is "" where the panel hides it for this mailbox, and such an
    answer is moved nowhere. `interval_hours` is how long the same sender gets no second
    answer, None where the panel does not tell.
    """

    word: ClassVar[str] = "autoresponder"
    address: str
    body: str
    subject: str = ""
    from_name: str = ""
    is_html: bool = False
    interval_hours: int | None = None
    start: datetime | None = None
    stop: datetime | None = None

    @property
    def key(self) -> str:
        """What tells it from others of its kind."""
        return self.address.lower()


@dataclass(frozen=True, slots=True)
class Rule:
    """One condition of a filter, in cPanel's words: `$header_subject:`, `contains`, the value. `join` ties it to the next: "and", "or",
    "" where that is not known.
    """

    part: str
    match: str
    value: str
    join: str = ""


@dataclass(frozen=True, slots=True)
class Filter:
    """A mail filter of a mailbox, or of the whole account where `address` is ""."""

    word: ClassVar[str] = "filter"
    address: str
    name: str
    rules: tuple[Rule, ...]
    actions: tuple[
        tuple[str, str], ...
    ]  # what is done, and with what: ("save", "/.Junk"), ("deliver", "bob@example.com")
    enabled: bool = True
    domain: str = ""  # the domain it is listed under

    @property
    def key(self) -> str:
        """What tells it from others of its kind."""
        return f"{self.address.lower() or 'account'}: {self.name}"


@dataclass(frozen=True, slots=True)
class ListName:
    """A mailing list the panel knows of. Its members are the lists step's business."""

    word: ClassVar[str] = "mailing list"
    address: str

    @property
    def key(self) -> str:
        """What tells it from others of its kind."""
        return self.address.lower()


@dataclass(frozen=True, slots=True)
class Database:
    """A database the panel knows of. What is in it is the forms step's business. It belongs to no domain."""

    word: ClassVar[str] = "database"
    name: str
    size: int | None = None

    @property
    def key(self) -> str:
        """What tells it from others of its kind."""
        return self.name


Thing: TypeAlias = (
    Domain | Mailbox | Forwarder | DomainForwarder | CatchAll | Autoresponder | Filter | ListName | Database
)
T = TypeVar("T", Mailbox, Forwarder, DomainForwarder, CatchAll, Autoresponder, Filter, ListName, Database)

# The fields of each noun that a panel may keep, change or lose, as a person calls them. Features speak of them as "mailbox.quota".
FIELDS: dict[str, tuple[str, ...]] = {
    "domain": ("routing", "dkim key", "suspended"),
    "mailbox": ("password", "quota", "suspended login", "suspended receiving", "suspended sending", "name"),
    "forwarder": ("several destinations", "copy kept", "reject", "discard", "pipe", "system user"),
    "domain forwarder": ("target",),
    "catch-all": ("address", "discard", "pipe"),
    "autoresponder": ("subject", "body", "sender's name", "HTML", "interval", "start and stop"),
    "filter": ("one condition", "several conditions", "save to folder", "forward", "discard"),
    "mailing list": ("name",),
    "database": ("name",),
}


# -- passwords --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Password:
    """How a mailbox's password is known: in plain, as a crypt hash with Dovecot's scheme in front (`{SHA512-CRYPT}$6$...`), or not."""

    plain: SecretStr | None = None
    hash: SecretStr | None = None

    @property
    def scheme(self) -> str:
        """The hash's scheme in capitals without braces; "" without a hash."""
        text = self.hash.get_secret_value() if self.hash else ""
        return text[1:].partition("}")[0].upper() if text.startswith("{") else ""


UNKNOWN_PASSWORD = Password()

_BY_PREFIX = (
    ("$6$", "SHA512-CRYPT"),
    ("$5$", "SHA256-CRYPT"),
    ("$1$", "MD5-CRYPT"),
    ("$2", "BLF-CRYPT"),
    ("$argon2id$", "ARGON2ID"),
    ("$argon2i$", "ARGON2I"),
)


def with_scheme(hashed: str) -> Password:
    """A crypt hash as panels store it, with or without a scheme in front, as a Password. A hash that a panel has put out of action
    (`!` or `*` in front) or that nobody knows is an unknown password.
    """
    text = hashed.strip()
    if text.startswith("{") and "}" in text:
        scheme, _, rest = text[1:].partition("}")
        if scheme.upper() == "CRYPT":
            return with_scheme(rest)
        return Password(hash=SecretStr(f"{{{scheme.upper()}}}{rest}")) if rest else UNKNOWN_PASSWORD
    for prefix, scheme in _BY_PREFIX:
        if text.startswith(prefix):
            return Password(hash=SecretStr(f"{{{scheme}}}{text}"))
    return UNKNOWN_PASSWORD


def bare_hash(password: Password) -> str:
    """The hash without its scheme, as crypt(3) wants it."""
    text = password.hash.get_secret_value() if password.hash else ""
    return text.partition("}")[2] if text.startswith("{") else text


# Letters and digits that are not taken for one another when somebody reads them from paper.
_LETTERS = "".join(sorted(set(string.ascii_letters) - set("lIO")))
_DIGITS = "23456789"

# -- what a panel can do -----------------------------------------------------------------------------------------------


class How(Enum):
    """What becomes of a field."""

    KEPT = "kept"
    CHANGED = "changed"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Keep:
    """What a panel does with a field, and why."""

    how: How
    why: str = ""


KEPT = Keep(How.KEPT)


def lost(why: str) -> Keep:
    """A field the panel does not have, does not tell, or cannot be given."""
    return Keep(How.LOST, why)


def changed(why: str) -> Keep:
    """A field that arrives in another form."""
    return Keep(How.CHANGED, why)


@dataclass(frozen=True, slots=True)
class PasswordPolicy:
    """What a panel asks of a new password. `symbols` are those it takes; none of them is first or last, where some panels trim."""

    length: int = 20
    symbols: str = "-_.+"


def make_password(policy: PasswordPolicy) -> SecretStr:
    """A new password by a product's rules: letters of both kinds, digits and symbols, never a symbol first or last."""
    middle = [secrets.choice(_LETTERS + _DIGITS + policy.symbols) for _ in range(policy.length - 6)]
    kinds = [string.ascii_lowercase.replace("l", ""), string.ascii_uppercase.translate({73: None, 79: None}), _DIGITS]
    middle += [secrets.choice(kind) for kind in (*kinds, policy.symbols or _DIGITS)]
    secrets.SystemRandom().shuffle(middle)
    return SecretStr(secrets.choice(_LETTERS) + "".join(middle) + secrets.choice(_LETTERS))


@dataclass(frozen=True, slots=True)
class Probe:
    """What a panel says of itself when it is asked whether the login works."""

    product: str
    version: str = ""
    notes: Sequence[str] = ()


def bytes_of_mb(megabytes: float) -> int:
    """Megabytes as panels count them (2**20 bytes)."""
    return round(megabytes * 1024 * 1024)
