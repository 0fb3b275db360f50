"""postfixadmin's tables (3.2 and 3.3): domain, mailbox, alias, alias_domain, vacation.

A mailbox is two rows, one in `mailbox` and one in `alias` that leads to itself; a forwarder that keeps a copy has its own address
among the destinations. While somebody is away, the alias also leads to `ann#example.com@<vacation domain>`, whose program answers
from the row in `vacation`. What is not `active` does nothing: an inactive alias is no forwarder.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Row, Table, func, insert, select, update

from migrator.addresses import ascii_domain, same_form, shown_domain, split
from migrator.errors import Misbehaved, NotFound, Refused
from migrator.panel import hashes
from migrator.panel.contract import Features
from migrator.panel.model import (
    Autoresponder,
    CatchAll,
    Destination,
    Domain,
    DomainForwarder,
    Forwarder,
    Hold,
    Mailbox,
    Password,
    Probe,
    Routing,
    Thing,
)
from migrator.panel.sql.gotos import as_forwarder, read_destination, split_goto, to_gotos
from migrator.panel.sql.session import (
    ALL_DOMAINS,
    Listing,
    SqlReader,
    fit_to_log_in,
    is_at,
    quota_of,
    well_formed,
    within,
)
from migrator.wire.sql import Database

NEEDED = ("domain", "mailbox", "alias", "alias_domain")
WELCOME = ("vacation", "quota2", "config")
EVERYTHING_HELD = frozenset(Hold)
HOUR = 3600
# postfixadmin's defaults: from and until whenever.
EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2038, 1, 18, tzinfo=UTC)
_Values = dict[str, object]


class PostfixadminReader(SqlReader):
    """postfixadmin's database, being asked."""

    def __init__(self, db: Database, features: Features) -> None:
        self._db = db
        db.open_tables(NEEDED, WELCOME)
        self._domain, self._mailbox, self._alias = db["domain"], db["mailbox"], db["alias"]
        self._alias_domain = db["alias_domain"]
        away = frozenset({Autoresponder}) if "vacation" not in db else frozenset()
        self.features = _without(features, away)

    def probe(self) -> Probe:
        """The schema's version, and what is switched off and therefore left out."""
        with self._db.reading() as connection:
            version = ""
            if self._db.has("config", "name", "value"):
                config = self._db["config"]
                asked = connection.execute(select(config.c.value).where(config.c.name == "version")).scalar()
                version = str(asked or "")
            notes = []
            for table, things in ((self._alias, "aliases"), (self._alias_domain, "domain aliases")):
                off = sum(1 for (active,) in connection.execute(select(table.c.active)) if not _yes(active))
                if off:
                    notes.append(f"{off:,} inactive {things} do nothing and are left out")
        return Probe("postfixadmin database", version, notes)

    # -- asking

    def _domains(self, connection: Connection) -> Sequence[Domain]:
        rows = connection.execute(select(self._domain).order_by(self._domain.c.domain))
        return [
            Domain(
                ascii_domain(row.domain),
                routing=Routing.BACKUP if _yes(row.backupmx) else Routing.LOCAL,
                suspended=not _yes(row.active),
            )
            for row in rows
            if row.domain.upper() != ALL_DOMAINS
        ]

    def _names(self, connection: Connection) -> Iterable[str]:
        names = connection.execute(select(self._domain.c.domain)).scalars()
        return [name for name in names if name.upper() != ALL_DOMAINS]

    def _mailboxes(self, connection: Connection, spelled: Sequence[str]) -> Sequence[Mailbox]:
        used = self._used(connection, spelled)
        rows = connection.execute(
            select(self._mailbox).where(within(self._mailbox.c.username, spelled)).order_by(self._mailbox.c.username)
        )
        return [
            Mailbox(
                same_form(row.username),
                quota=quota_of(row.username, row.quota),
                used=used.get(row.username.lower()),
                holds=_holds(row),
                name=row.name or "",
            )
            for row in rows
        ]

    def _used(self, connection: Connection, spelled: Sequence[str]) -> dict[str, int]:
        if not self._db.has("quota2", "username", "bytes"):
            return {}
        table = self._db["quota2"]
        rows = connection.execute(select(table.c.username, table.c.bytes).where(within(table.c.username, spelled)))
        return {name.lower(): int(size) for name, size in rows if size is not None}

    def _forwarders(self, connection: Connection, spelled: Sequence[str]) -> Sequence[Forwarder]:
        mailboxes = {
            same_form(name).lower()
            for name in connection.execute(
                select(self._mailbox.c.username).where(within(self._mailbox.c.username, spelled))
            ).scalars()
        }
        found = (
            as_forwarder(address, gotos, has_mailbox=same_form(address).lower() in mailboxes)
            for address, gotos in self._aliases(connection, spelled)
            if not address.startswith("@")
        )
        return [forwarder for forwarder in found if forwarder is not None]

    def _catch_alls(self, connection: Connection, spelled: Sequence[str]) -> Sequence[CatchAll]:
        return [
            CatchAll(ascii_domain(address[1:]), _only(address, gotos))
            for address, gotos in self._aliases(connection, spelled)
            if address.startswith("@") and not gotos[0].startswith("@")
        ]

    def _domain_forwarders(self, connection: Connection, spelled: Sequence[str]) -> Sequence[DomainForwarder]:
        table = self._alias_domain
        rows = connection.execute(
            select(table).where(func.lower(table.c.alias_domain).in_([name.lower() for name in spelled]))
        )
        found = {ascii_domain(row.alias_domain): ascii_domain(row.target_domain) for row in rows if _yes(row.active)}
        # Before there was a table for it, `@old` leading to `@new` said the same; Postfix still follows it.
        for address, gotos in self._aliases(connection, spelled):
            if address.startswith("@") and gotos[0].startswith("@"):
                found.setdefault(ascii_domain(address[1:]), ascii_domain(gotos[0][1:]))
        return [DomainForwarder(domain, target) for domain, target in found.items()]

    def _listings(self) -> Mapping[type[Any], Listing]:  # Any: a noun
        return {**super()._listings(), Autoresponder: self._autoresponders}

    def _autoresponders(self, connection: Connection, spelled: Sequence[str]) -> Sequence[Autoresponder]:
        vacation = self._db["vacation"]
        rows = connection.execute(select(vacation).where(within(vacation.c.email, spelled)).order_by(vacation.c.email))
        return [_autoresponder(row) for row in rows if _yes(row.active)]

    def _aliases(self, connection: Connection, spelled: Sequence[str]) -> Iterable[tuple[str, list[str]]]:
        """The active aliases with their destinations, those to the vacation program left out."""
        rows = connection.execute(
            select(self._alias).where(within(self._alias.c.address, spelled)).order_by(self._alias.c.address)
        )
        for row in rows:
            gotos = [goto for goto in split_goto(row.goto) if not _is_vacation(row.address, goto)]
            if _yes(row.active) and gotos:
                yield row.address, gotos

    def _stored(self, connection: Connection, address: str) -> str:
        return self._row(connection, address).password or ""

    def _row(self, connection: Connection, address: str) -> Row[Any]:  # Any: the columns are learned at run time
        spelled = self._spellings(connection, split(address)[1])
        row = connection.execute(select(self._mailbox).where(is_at(self._mailbox.c.username, address, spelled))).first()
        if row is None:
            raise NotFound(f"{address}: there is no such mailbox in {self._db.place}.")
        return row


class PostfixadminWriter(PostfixadminReader):
    """postfixadmin's database, being filled."""

    def __init__(
        self, db: Database, features: Features, *, scheme_in_front: bool, vacation_domain: str, transport: str
    ) -> None:
        super().__init__(db, features)
        self._scheme_in_front = scheme_in_front
        self._vacation_domain = vacation_domain
        self._transport = transport
        if not vacation_domain:
            self.features = _without(self.features, frozenset({Autoresponder}), only_creating=True)

    def create(self, thing: Thing, password: Password | None = None) -> None:
        """Make it, in one transaction. Raises Refused where it is there already, active or not."""
        with self._db.writing() as connection:
            match thing:
                case Domain():
                    self._create_domain(connection, thing)
                case Mailbox():
                    self._create_mailbox(connection, thing, password)
                case Forwarder():
                    self._create_forwarder(connection, thing)
                case DomainForwarder():
                    self._create_domain_forwarder(connection, thing)
                case CatchAll():
                    self._create_catch_all(connection, thing)
                case Autoresponder():
                    self._create_autoresponder(connection, thing)
                case _:
                    raise Refused(f"{thing.key}: postfixadmin keeps no {thing.word}.")

    def change(self, thing: Thing, there: Thing) -> None:
        """Make what is there like it. Raises NotFound where it is gone."""
        with self._db.writing() as connection:
            match thing:
                case Mailbox():
                    self._change_mailbox(connection, thing)
                case Forwarder():
                    self._change_forwarder(connection, thing)
                case DomainForwarder():
                    home = self._home(connection, thing.domain)
                    self._update(
                        connection,
                        self._alias_domain,
                        self._alias_domain.c.alias_domain == home,
                        {"target_domain": self._home(connection, thing.target)},
                        thing.key,
                    )
                case CatchAll():
                    goto = ",".join(to_gotos(f"@{thing.domain}", [thing.destination]))
                    home = f"@{self._home(connection, thing.domain)}"
                    self._update(connection, self._alias, self._alias.c.address == home, {"goto": goto}, thing.key)
                case Autoresponder():
                    vacation = self._db["vacation"]
                    home = self._at_home(connection, thing.address)
                    self._update(
                        connection, vacation, func.lower(vacation.c.email) == home.lower(), _answer(thing), thing.key
                    )
                case _:
                    raise Refused(f"{there.key}: a {thing.word} is not changed here.")

    def set_password(self, address: str, password: Password) -> None:
        """Another password; a mailbox that may not log in still may not."""
        text = self._to_store(address, password)
        with self._db.writing() as connection:
            row = self._row(connection, address)
            if hashes.is_locked(row.password or ""):
                text = hashes.locked(text)
            self._update(
                connection, self._mailbox, self._mailbox.c.username == row.username, {"password": text}, address
            )

    # -- one kind each

    def _create_domain(self, connection: Connection, domain: Domain) -> None:
        if self._spellings(connection, domain.name):
            raise Refused(f"{shown_domain(domain.name)}: the domain is in the database already.")
        backup = domain.routing in {Routing.BACKUP, Routing.REMOTE}
        self._insert(
            connection,
            self._domain,
            {
                "domain": domain.name,
                "description": "",
                "aliases": 0,
                "mailboxes": 0,
                "maxquota": 0,
                "quota": 0,
                "transport": self._transport,
                "backupmx": backup,
                "active": not domain.suspended,
            },
        )

    def _create_mailbox(self, connection: Connection, mailbox: Mailbox, password: Password | None) -> None:
        address = fit_to_log_in(mailbox.address)
        text = self._to_store(address, password)
        home = self._at_home(connection, address)
        local, _, domain = home.rpartition("@")
        if connection.execute(select(self._mailbox.c.username).where(_same(self._mailbox.c.username, home))).first():
            raise Refused(f"{address}: there is such a mailbox already.")
        alias = connection.execute(select(self._alias).where(_same(self._alias.c.address, home))).first()
        if alias is not None and [goto.lower() for goto in split_goto(alias.goto)] != [home.lower()]:
            raise Refused(f"{address}: there is an alias of this name; a mailbox beside it would get no mail.")
        if alias is None:
            # First, so that what is left where tables know no transactions (MyISAM) is an alias that the next run takes as it is.
            self._insert(connection, self._alias, {"address": home, "goto": home, "domain": domain, "active": True})
        self._insert(
            connection,
            self._mailbox,
            {
                "username": home,
                "password": hashes.locked(text) if _only_login(mailbox) else text,
                "name": mailbox.name,
                "maildir": f"{domain}/{local}/",
                "quota": mailbox.quota or 0,
                "local_part": local,
                "domain": domain,
                "active": Hold.RECEIVE not in mailbox.holds,
            },
        )

    def _change_mailbox(self, connection: Connection, mailbox: Mailbox) -> None:
        row = self._row(connection, mailbox.address)
        text = row.password or ""
        values = {
            "name": mailbox.name,
            "quota": mailbox.quota or 0,
            "active": Hold.RECEIVE not in mailbox.holds,
            "password": hashes.locked(text) if _only_login(mailbox) else hashes.unlocked(text),
        }
        self._update(connection, self._mailbox, self._mailbox.c.username == row.username, values, mailbox.key)

    def _create_forwarder(self, connection: Connection, forwarder: Forwarder) -> None:
        address = well_formed(forwarder.address)
        home = self._at_home(connection, address)
        gotos = self._gotos(connection, forwarder, home)
        alias = connection.execute(select(self._alias).where(_same(self._alias.c.address, home))).first()
        if alias is None:
            values = {"address": home, "goto": ",".join(gotos), "domain": domain_of(home), "active": True}
            self._insert(connection, self._alias, values)
            return
        plain, away = _parted(alias)
        if plain != [home.lower()] or not self._has_mailbox(connection, home) or not _yes(alias.active):
            raise Refused(f"{address}: there is an alias already{'' if _yes(alias.active) else ', an inactive one'}.")
        self._update(
            connection,
            self._alias,
            self._alias.c.address == alias.address,
            {"goto": ",".join(gotos + away)},
            forwarder.key,
        )

    def _change_forwarder(self, connection: Connection, forwarder: Forwarder) -> None:
        home = self._at_home(connection, forwarder.address)
        gotos = self._gotos(connection, forwarder, home)
        alias = connection.execute(select(self._alias).where(_same(self._alias.c.address, home))).first()
        if alias is None:
            raise NotFound(f"{forwarder.address}: the alias is not there any more.")
        _, away = _parted(alias)
        self._update(
            connection,
            self._alias,
            self._alias.c.address == alias.address,
            {"goto": ",".join(gotos + away)},
            forwarder.key,
        )

    def _gotos(self, connection: Connection, forwarder: Forwarder, home: str) -> list[str]:
        gotos = to_gotos(forwarder.address, forwarder.destinations)
        if not forwarder.keeps_copy:
            return gotos
        if not self._has_mailbox(connection, home):
            raise Refused(f"{forwarder.address}: it keeps a copy, and there is no mailbox to keep it in.")
        return [home, *gotos]

    def _create_domain_forwarder(self, connection: Connection, forwarder: DomainForwarder) -> None:
        target = self._home(connection, forwarder.target)
        spelled = self._spellings(connection, forwarder.domain)
        if not spelled:
            # Postfix takes mail only for what is in the table of domains, an alias domain too.
            self._create_domain(connection, Domain(forwarder.domain))
        home = spelled[0] if spelled else forwarder.domain
        table = self._alias_domain
        if connection.execute(select(table.c.target_domain).where(_same(table.c.alias_domain, home))).first():
            raise Refused(f"{shown_domain(forwarder.domain)}: there is a domain alias of this name already.")
        self._insert(connection, table, {"alias_domain": home, "target_domain": target, "active": True})

    def _create_catch_all(self, connection: Connection, catch_all: CatchAll) -> None:
        home = f"@{self._home(connection, catch_all.domain)}"
        goto = ",".join(to_gotos(home, [catch_all.destination]))
        if connection.execute(select(self._alias.c.goto).where(_same(self._alias.c.address, home))).first():
            raise Refused(f"{home}: there is a catch-all already.")
        self._insert(connection, self._alias, {"address": home, "goto": goto, "domain": home[1:], "active": True})

    def _create_autoresponder(self, connection: Connection, answer: Autoresponder) -> None:
        if Autoresponder not in self.features.creates:
            raise Refused(
                f"{answer.address}: without vacation_domain in the plan no mail would reach postfixadmin's vacation program."
            )
        home = self._at_home(connection, well_formed(answer.address))
        vacation = self._db["vacation"]
        if connection.execute(select(vacation.c.email).where(_same(vacation.c.email, home))).first():
            raise Refused(f"{answer.address}: there is an answer already, active or put away for later.")
        alias = connection.execute(select(self._alias).where(_same(self._alias.c.address, home))).first()
        if alias is None or not self._has_mailbox(connection, home):
            raise Refused(f"{answer.address}: only a mailbox with its alias can answer by itself.")
        values = {"email": home, "domain": domain_of(home), "active": True, **_answer(answer)}
        self._insert(connection, vacation, values)
        gotos = split_goto(alias.goto)
        if not any(_is_vacation(home, goto) for goto in gotos):
            goto = ",".join([*gotos, f"{home.replace('@', '#')}@{self._vacation_domain}"])
            self._update(connection, self._alias, self._alias.c.address == alias.address, {"goto": goto}, answer.key)

    # -- rows

    def _to_store(self, address: str, password: Password | None) -> str:
        return hashes.with_or_without_scheme(
            address, hashes.to_store(address, password), in_front=self._scheme_in_front
        )

    def _has_mailbox(self, connection: Connection, home: str) -> bool:
        asked = select(self._mailbox.c.username).where(_same(self._mailbox.c.username, home))
        return connection.execute(asked).first() is not None

    def _insert(self, connection: Connection, table: Table, values: _Values) -> None:
        stamps = {name: func.now() for name in ("created", "modified") if name in table.c}
        if "cache" in table.c:
            values = {**values, "cache": ""}  # left over from postfixadmin 2.2; MySQL has no default for it
        connection.execute(insert(table).values({**values, **stamps}))

    def _update(
        self, connection: Connection, table: Table, where: ColumnElement[bool], values: _Values, about: str
    ) -> None:
        stamps = {"modified": func.now()} if "modified" in table.c else {}
        if connection.execute(update(table).where(where).values({**values, **stamps})).rowcount == 0:
            raise NotFound(f"{about}: it is not there any more.")


# -- what a row means -------------------------------------------------------------------------------------------------


def _same(column: Column[str], home: str) -> ColumnElement[bool]:
    return func.lower(column) == home.lower()


def domain_of(home: str) -> str:
    """The domain of an address as the table spells it."""
    return home.rpartition("@")[2]


def _yes(value: object) -> bool:
    """A boolean as databases give it: a bool, a number, or a number in quotes."""
    return value not in {0, "0", "f", "false", "", None}


def _holds(row: Any) -> frozenset[Hold]:  # Any: the columns are learned at run time
    if not _yes(row.active):
        return EVERYTHING_HELD
    # Sending asks for the same password.
    return frozenset({Hold.LOGIN, Hold.SEND}) if hashes.is_locked(row.password or "") else frozenset()


def _only_login(mailbox: Mailbox) -> bool:
    """Whether it still gets mail while nobody may log in. An inactive mailbox would bounce it."""
    return Hold.LOGIN in mailbox.holds and Hold.RECEIVE not in mailbox.holds


def _is_vacation(address: str, goto: str) -> bool:
    return goto.lower().startswith(address.lower().replace("@", "#") + "@")


def _parted(alias: Any) -> tuple[list[str], list[str]]:  # Any: as in _holds
    """An alias' destinations in lower case, and its way to the vacation program."""
    gotos = split_goto(alias.goto)
    away = [goto for goto in gotos if _is_vacation(alias.address, goto)]
    return [goto.lower() for goto in gotos if goto not in away], away


def _only(address: str, gotos: Sequence[str]) -> Destination:
    if len(gotos) > 1:
        raise Misbehaved(f"{address}: this catch-all has {len(gotos)} destinations, and other panels take one.")
    return read_destination(gotos[0])


def _autoresponder(row: Any) -> Autoresponder:  # Any: as in _holds
    seconds = int(getattr(row, "interval_time", 0) or 0)
    start, stop = _moment(getattr(row, "activefrom", None)), _moment(getattr(row, "activeuntil", None))
    return Autoresponder(
        same_form(row.email),
        body=(row.body or "").replace("\r\n", "\n").rstrip("\n"),
        subject=row.subject or "",
        # 0 answers each sender once, a second or so every message.
        interval_hours=seconds // HOUR if seconds > 0 else None,
        start=start if start and start > EARLIEST else None,
        stop=stop if stop and stop < LATEST else None,
    )


def _answer(answer: Autoresponder) -> _Values:
    seconds = 0 if answer.interval_hours is None else max(1, answer.interval_hours * HOUR)
    return {
        "subject": answer.subject,
        "body": answer.body,
        "interval_time": seconds,
        "activefrom": _as_kept(answer.start or EARLIEST),
        "activeuntil": _as_kept(answer.stop or LATEST),
    }


def _moment(stored: object) -> datetime | None:
    """A time as the database gives it; MySQL's 0000-00-00 is none."""
    if not isinstance(stored, datetime):
        return None
    return stored.replace(tzinfo=UTC) if stored.tzinfo is None else stored.astimezone(UTC)


def _as_kept(moment: datetime) -> datetime:
    return (moment.astimezone(UTC) if moment.tzinfo else moment).replace(tzinfo=None)


def _without(features: Features, nouns: frozenset[type[Thing]], *, only_creating: bool = False) -> Features:
    return replace(
        features,
        lists=features.lists if only_creating else features.lists - nouns,
        creates=features.creates - nouns,
        changes=features.changes - nouns,
    )
