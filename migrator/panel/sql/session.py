"""What sessions have in common whatever the tables are called: asking by kind, passwords, and what may be written."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar, cast

from pydantic import SecretStr
from sqlalchemy import Column, ColumnElement, Connection, func, or_

from migrator.addresses import ascii_domain, same_form, shown_domain, split
from migrator.errors import Misbehaved, NotFound, Refused
from migrator.panel import hashes
from migrator.panel.contract import Features
from migrator.panel.model import (
    CatchAll,
    Domain,
    DomainForwarder,
    Forwarder,
    Mailbox,
    Password,
    Probe,
    Thing,
)
from migrator.panel.sql.gotos import LOCAL_PART, LOGIN_PART
from migrator.wire.sql import Database

AnyThing = TypeVar("AnyThing", bound=Thing)
Listing = Callable[[Connection, Sequence[str]], Sequence[Thing]]
ALL_DOMAINS = "ALL"  # postfixadmin's row for what concerns every domain


class SqlReader(ABC):
    """A database that is being asked."""

    features: Features
    _db: Database

    @abstractmethod
    def probe(self) -> Probe:
        """Who answers."""

    def domains(self) -> Sequence[Domain]:
        """Every domain in the table of domains, each once."""
        with self._db.reading() as connection:
            return list({domain.name: domain for domain in self._domains(connection)}.values())

    def list(self, noun: type[AnyThing], domain: str) -> Sequence[AnyThing]:
        """Everything of one kind whose address is in the domain. Raises NotFound if the table of domains lacks it."""
        with self._db.reading() as connection:
            spelled = self._spellings(connection, domain)
            if not spelled:
                raise NotFound(f"{shown_domain(domain)}: the domain is not in {self._db.place}.")
            return cast("Sequence[AnyThing]", self._listings()[noun](connection, spelled))  # it pairs noun and method

    def password_of(self, address: str) -> Password:
        """The password as the table holds it: a hash, or in plain where it stands there in plain."""
        with self._db.reading() as connection:
            return hashes.as_kept(self._stored(connection, address))

    def verify_password(self, address: str, password: SecretStr) -> bool:
        """Whether that is the stored password; nothing is logged in to. Raises Refused for a kind that cannot be checked here."""
        with self._db.reading() as connection:
            return hashes.is_right(address, password, self._stored(connection, address))

    def close(self) -> None:
        """End the session; never raises."""
        self._db.close()

    def _listings(self) -> Mapping[type[Any], Listing]:  # Any: a noun
        """What lists each kind of thing, of a domain in these spellings."""
        return {
            Domain: self._same_domains,
            Mailbox: self._mailboxes,
            Forwarder: self._forwarders,
            DomainForwarder: self._domain_forwarders,
            CatchAll: self._catch_alls,
        }

    def _same_domains(self, connection: Connection, spelled: Sequence[str]) -> Sequence[Domain]:
        return [domain for domain in self._domains(connection) if domain.name == ascii_domain(spelled[0])]

    @abstractmethod
    def _domains(self, connection: Connection) -> Sequence[Domain]: ...

    @abstractmethod
    def _names(self, connection: Connection) -> Iterable[str]:
        """The domains as they are spelled in the table."""

    @abstractmethod
    def _mailboxes(self, connection: Connection, spelled: Sequence[str]) -> Sequence[Mailbox]: ...

    @abstractmethod
    def _forwarders(self, connection: Connection, spelled: Sequence[str]) -> Sequence[Forwarder]: ...

    @abstractmethod
    def _domain_forwarders(self, connection: Connection, spelled: Sequence[str]) -> Sequence[DomainForwarder]: ...

    @abstractmethod
    def _catch_alls(self, connection: Connection, spelled: Sequence[str]) -> Sequence[CatchAll]: ...

    @abstractmethod
    def _stored(self, connection: Connection, address: str) -> str:
        """What the password column holds. Raises NotFound without such a mailbox."""

    def _spellings(self, connection: Connection, domain: str) -> Sequence[str]:
        """How the table spells a domain: as A-label, in letters, or both; nothing where it is not there."""
        wanted = ascii_domain(domain)
        return [name for name in self._names(connection) if ascii_domain(name) == wanted]

    def _at_home(self, connection: Connection, address: str) -> str:
        """The address in lower case, its domain spelled as the table spells it. Raises NotFound without the domain."""
        local, domain = split(address)
        return f"{local.lower()}@{self._home(connection, domain)}"

    def _home(self, connection: Connection, domain: str) -> str:
        """A domain as the table spells it. Raises NotFound without it."""
        spelled = self._spellings(connection, domain)
        if not spelled:
            raise NotFound(f"{shown_domain(domain)}: the domain is not in {self._db.place}.")
        return spelled[0]


def quota_of(address: str, stored: object) -> int | None:
    """Bytes; 0, less and nothing mean unlimited."""
    try:
        size = int(str(stored if stored is not None else 0))
    except ValueError:
        raise Misbehaved(f"{address}: its quota is no number.") from None
    return size if size > 0 else None


def within(column: Column[str], spelled: Sequence[str]) -> ColumnElement[bool]:
    """Rows whose address is in a domain, by the address that the server looks up, not by what stands beside it."""
    return or_(*(func.lower(column).endswith("@" + name.lower(), autoescape=True) for name in spelled))


def is_at(column: Column[str], address: str, spelled: Sequence[str]) -> ColumnElement[bool]:
    """The row of one address, however its domain is spelled."""
    local = split(address)[0].lower()
    return func.lower(column).in_([f"{local}@{name.lower()}" for name in spelled])


def well_formed(address: str) -> str:
    """The address. Raises Refused where its local part would harm a table, a folder's name or a query."""
    local, domain = split(address)
    if not re.fullmatch(LOCAL_PART, local):
        raise Refused(f"{address}: the part before the @ holds what a mail server's tables and folders cannot.")
    if not re.fullmatch(r"[a-z0-9.-]{1,253}", domain):
        raise Refused(f"{address}: its domain cannot be written.")
    return same_form(address)


def fit_to_log_in(address: str) -> str:
    """The same for a mailbox, whose name Dovecot must take."""
    if not re.fullmatch(LOGIN_PART, split(well_formed(address))[0]):
        raise Refused(
            f"{address}: Dovecot lets nobody of this name log in unless its auth_username_chars is widened. "
            "Make this mailbox by hand, or give it another name in the plan."
        )
    return same_form(address)
