"""The tables of the classic guides: virtual_domains(id, name), virtual_users(id, domain_id, email, password, quota where a guide has
it), virtual_aliases(id, domain_id, source, destination).

An address has as many rows in virtual_aliases as destinations, and some people write several into one row. `@example.com` is a
catch-all, and a row that leads from `@old` to `@new` forwards a whole domain. There is no switch for being active.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from migrator.addresses import ascii_domain, same_form, shown_domain, split
from migrator.errors import EndpointRefused, Misbehaved, NotFound, Refused
from migrator.panel import hashes
from migrator.panel.contract import Features
from migrator.panel.model import (
    CatchAll,
    Domain,
    DomainForwarder,
    Forwarder,
    Hold,
    Mailbox,
    Password,
    Probe,
    Routing,
    Thing,
    lost,
)
from migrator.panel.sql.gotos import as_forwarder, read_destination, split_goto, to_gotos
from migrator.panel.sql.session import SqlReader, fit_to_log_in, is_at, quota_of, well_formed, within
from migrator.wire.sql import Database

COLUMNS = {
    "virtual_domains": ("id", "name"),
    "virtual_users": ("domain_id", "email", "password"),
    "virtual_aliases": ("domain_id", "source", "destination"),
}
NO_QUOTA = lost("this database's virtual_users has no column quota")


class VirtualUsersReader(SqlReader):
    """The three tables, being asked."""

    def __init__(self, db: Database, features: Features) -> None:
        self._db = db
        db.open_tables(tuple(COLUMNS))
        missing = [f"{table}.{column}" for table in COLUMNS for column in COLUMNS[table] if not db.has(table, column)]
        if missing:
            db.close()
            raise EndpointRefused(
                f"{db.place}: there is no column {', '.join(missing)}.",
                remedy="These tables are not those of the guides; check `schema` in the plan.",
            )
        self._domain, self._user, self._alias = (db[name] for name in COLUMNS)
        self._has_quota = db.has("virtual_users", "quota")
        if not self._has_quota:
            no_quota = {"mailbox.quota": NO_QUOTA}
            features = replace(features, keeps={**features.keeps, **no_quota}, tells={**features.tells, **no_quota})
        self.features = features

    def probe(self) -> Probe:
        """Who answers; the tables carry no version."""
        with self._db.reading() as connection:
            count = connection.execute(select(func.count()).select_from(self._domain)).scalar()
        return Probe("virtual_users database", notes=(f"{count:,} domains",))

    # -- asking

    def _domains(self, connection: Connection) -> Sequence[Domain]:
        return [Domain(ascii_domain(name), routing=Routing.LOCAL) for name in self._names(connection)]

    def _names(self, connection: Connection) -> Iterable[str]:
        return connection.execute(select(self._domain.c.name).order_by(self._domain.c.name)).scalars().all()

    def _mailboxes(self, connection: Connection, spelled: Sequence[str]) -> Sequence[Mailbox]:
        rows = connection.execute(
            select(self._user).where(within(self._user.c.email, spelled)).order_by(self._user.c.email)
        )
        return [
            Mailbox(
                same_form(row.email),
                quota=quota_of(row.email, row.quota) if self._has_quota else None,
                holds=frozenset({Hold.LOGIN, Hold.SEND}) if hashes.is_locked(row.password or "") else frozenset(),
            )
            for row in rows
        ]

    def _forwarders(self, connection: Connection, spelled: Sequence[str]) -> Sequence[Forwarder]:
        mailboxes = {one.key for one in self._mailboxes(connection, spelled)}
        found = (
            as_forwarder(source, gotos, has_mailbox=same_form(source).lower() in mailboxes)
            for source, gotos in self._aliases(connection, spelled).items()
            if not source.startswith("@")
        )
        return [forwarder for forwarder in found if forwarder is not None]

    def _catch_alls(self, connection: Connection, spelled: Sequence[str]) -> Sequence[CatchAll]:
        found = []
        for source, gotos in self._aliases(connection, spelled).items():
            if not source.startswith("@") or gotos[0].startswith("@"):
                continue
            if len(gotos) > 1:
                raise Misbehaved(f"{source}: this catch-all has {len(gotos)} destinations, and other panels take one.")
            found.append(CatchAll(ascii_domain(source[1:]), read_destination(gotos[0])))
        return found

    def _domain_forwarders(self, connection: Connection, spelled: Sequence[str]) -> Sequence[DomainForwarder]:
        return [
            DomainForwarder(ascii_domain(source[1:]), ascii_domain(gotos[0][1:]))
            for source, gotos in self._aliases(connection, spelled).items()
            if source.startswith("@") and gotos[0].startswith("@")
        ]

    def _aliases(self, connection: Connection, spelled: Sequence[str]) -> dict[str, list[str]]:
        """Every address with all its destinations, however many rows they are in."""
        found: dict[str, list[str]] = {}
        rows = connection.execute(
            select(self._alias.c.source, self._alias.c.destination)
            .where(within(self._alias.c.source, spelled))
            .order_by(self._alias.c.source)
        )
        for source, destination in rows:
            if gotos := split_goto(destination):
                known = found.setdefault(same_form(source).lower(), [])
                known += [goto for goto in gotos if goto not in known]
        return found

    def _stored(self, connection: Connection, address: str) -> str:
        return self._row(connection, address).password or ""

    def _row(self, connection: Connection, address: str) -> Row[Any]:  # Any: the columns are learned at run time
        spelled = self._spellings(connection, split(address)[1])
        row = connection.execute(select(self._user).where(is_at(self._user.c.email, address, spelled))).first()
        if row is None:
            raise NotFound(f"{address}: there is no such mailbox in {self._db.place}.")
        return row


class VirtualUsersWriter(VirtualUsersReader):
    """The three tables, being filled."""

    def __init__(self, db: Database, features: Features, *, scheme_in_front: bool) -> None:
        super().__init__(db, features)
        self._scheme_in_front = scheme_in_front

    def create(self, thing: Thing, password: Password | None = None) -> None:
        """Make it, in one transaction. Raises Refused where it is there already."""
        with self._db.writing() as connection:
            match thing:
                case Domain():
                    self._create_domain(connection, thing.name)
                case Mailbox():
                    self._create_mailbox(connection, thing, password)
                case Forwarder():
                    home = self._at_home(connection, well_formed(thing.address))
                    if [one for one in self._gotos_of(connection, home) if one.lower() != home.lower()]:
                        raise Refused(f"{thing.address}: there is an alias already.")
                    self._replace(connection, home, self._gotos_for(connection, thing, home))
                case DomainForwarder():
                    if not self._spellings(connection, thing.domain):
                        # Postfix takes mail only for what is in the table of domains.
                        self._create_domain(connection, thing.domain)
                    target = self._home(connection, thing.target)
                    self._create_at(connection, f"@{self._home(connection, thing.domain)}", [f"@{target}"])
                case CatchAll():
                    home = f"@{self._home(connection, thing.domain)}"
                    self._create_at(connection, home, to_gotos(home, [thing.destination]))
                case _:
                    raise Refused(f"{thing.key}: these tables keep no {thing.word}.")

    def change(self, thing: Thing, there: Thing) -> None:
        """Make what is there like it. Raises NotFound where it is gone."""
        with self._db.writing() as connection:
            match thing:
                case Mailbox():
                    self._change_mailbox(connection, thing)
                case Forwarder():
                    home = self._at_home(connection, thing.address)
                    self._change_at(connection, home, self._gotos_for(connection, thing, home))
                case DomainForwarder():
                    target = self._home(connection, thing.target)
                    self._change_at(connection, f"@{self._home(connection, thing.domain)}", [f"@{target}"])
                case CatchAll():
                    home = f"@{self._home(connection, thing.domain)}"
                    self._change_at(connection, home, to_gotos(home, [thing.destination]))
                case _:
                    raise Refused(f"{there.key}: a {thing.word} is not changed here.")

    def set_password(self, address: str, password: Password) -> None:
        """Another password; a mailbox that may not log in still may not."""
        text = self._to_store(address, password)
        with self._db.writing() as connection:
            row = self._row(connection, address)
            kept = hashes.locked(text) if hashes.is_locked(row.password or "") else text
            connection.execute(update(self._user).where(self._user.c.email == row.email).values(password=kept))

    # -- rows

    def _create_domain(self, connection: Connection, name: str) -> None:
        if self._spellings(connection, name):
            raise Refused(f"{shown_domain(name)}: the domain is in the database already.")
        connection.execute(insert(self._domain).values(name=name))

    def _create_mailbox(self, connection: Connection, mailbox: Mailbox, password: Password | None) -> None:
        address = fit_to_log_in(mailbox.address)
        text = self._to_store(address, password)
        home = self._at_home(connection, address)
        if self._has_mailbox(connection, home):
            raise Refused(f"{address}: there is such a mailbox already.")
        gotos = [one.lower() for one in self._gotos_of(connection, home)]
        if gotos and home.lower() not in gotos:
            raise Refused(f"{address}: there is an alias of this name; a mailbox beside it would get no mail.")
        values = {
            "domain_id": self._id(connection, home),
            "email": home,
            "password": hashes.locked(text) if Hold.LOGIN in mailbox.holds else text,
        }
        if self._has_quota:
            values["quota"] = mailbox.quota or 0
        connection.execute(insert(self._user).values(values))

    def _change_mailbox(self, connection: Connection, mailbox: Mailbox) -> None:
        row = self._row(connection, mailbox.address)
        text = row.password or ""
        values: dict[str, object] = {
            "password": hashes.locked(text) if Hold.LOGIN in mailbox.holds else hashes.unlocked(text)
        }
        if self._has_quota:
            values["quota"] = mailbox.quota or 0
        connection.execute(update(self._user).where(self._user.c.email == row.email).values(values))

    def _create_at(self, connection: Connection, home: str, gotos: Sequence[str]) -> None:
        if self._gotos_of(connection, home):
            raise Refused(f"{home}: there is a row for the whole domain already.")
        self._replace(connection, home, gotos)

    def _change_at(self, connection: Connection, home: str, gotos: Sequence[str]) -> None:
        if not self._gotos_of(connection, home):
            raise NotFound(f"{home}: it is not there any more.")
        self._replace(connection, home, gotos)

    def _replace(self, connection: Connection, home: str, gotos: Sequence[str]) -> None:
        connection.execute(delete(self._alias).where(func.lower(self._alias.c.source) == home.lower()))
        number = self._id(connection, home)
        rows = [{"domain_id": number, "source": home, "destination": goto} for goto in gotos]
        connection.execute(insert(self._alias), rows)

    def _gotos_of(self, connection: Connection, home: str) -> list[str]:
        asked = select(self._alias.c.destination).where(func.lower(self._alias.c.source) == home.lower())
        return [goto for text in connection.execute(asked).scalars() for goto in split_goto(text)]

    def _gotos_for(self, connection: Connection, forwarder: Forwarder, home: str) -> list[str]:
        gotos = to_gotos(forwarder.address, forwarder.destinations)
        if not forwarder.keeps_copy:
            return gotos
        if not self._has_mailbox(connection, home):
            raise Refused(f"{forwarder.address}: it keeps a copy, and there is no mailbox to keep it in.")
        return [home, *gotos]

    def _has_mailbox(self, connection: Connection, home: str) -> bool:
        asked = select(self._user.c.email).where(func.lower(self._user.c.email) == home.lower())
        return connection.execute(asked).first() is not None

    def _id(self, connection: Connection, home: str) -> object:
        name = home.rpartition("@")[2]
        return connection.execute(select(self._domain.c.id).where(self._domain.c.name == name)).scalar()

    def _to_store(self, address: str, password: Password | None) -> str:
        return hashes.with_or_without_scheme(
            address, hashes.to_store(address, password), in_front=self._scheme_in_front
        )
