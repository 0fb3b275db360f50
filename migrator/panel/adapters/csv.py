"""A folder with one CSV file for each kind of thing, to look at, to edit, and to import by hand where no API is.

    domains.csv            domain, routing, dkim_selector, suspended
    mailboxes.csv          address, quota, suspended, name, password, password_hash
    forwarders.csv         address, destination, kind, keeps_copy        one row for each destination
    domain_forwarders.csv  domain, target
    catch_alls.csv         domain, destination, kind
    autoresponders.csv     address, subject, body, from_name, html, interval_hours, start, stop
    filters.csv            address, domain, name, enabled, line, part, match, value, join    one row for each condition and action

Written for RFC 4180 with commas, read with semicolons or tabs too, and with a byte order mark, as spreadsheets save them. Columns are
found by their names; those that are missing are empty, those that are not ours stay. `quota` is in bytes, or with K, M, G or T behind
it; `kind` is address, reject, discard, pipe or system; `suspended` names what is: login receive send.

What surprises: a cell that a spreadsheet would take for a formula (= + - @ in front, or a tab) has an apostrophe before it, passwords
too. Who imports such a file by hand takes it away. The files hold passwords, so they are for their owner alone.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import Field, SecretStr

from migrator.addresses import ascii_domain, same_form, shown_domain, split
from migrator.engine.contract import Adapter, Login, Service
from migrator.errors import EndpointUnfit, Misbehaved, NotFound, Refused
from migrator.frozen import dataclass
from migrator.panel import files, hashes
from migrator.panel.contract import Features, PanelReader, PanelWriter
from migrator.panel.model import (
    UNKNOWN_PASSWORD,
    Autoresponder,
    CatchAll,
    Destination,
    Domain,
    DomainForwarder,
    Filter,
    Forwarder,
    Hold,
    Mailbox,
    Password,
    Probe,
    Routing,
    Rule,
    Thing,
    Way,
    with_scheme,
)

AnyThing = TypeVar("AnyThing", bound=Thing)

# -- what a plan says -------------------------------------------------------------------------------------------------


class Options(Service):
    """A folder of CSV files on a disk of this machine."""

    path: Path = Field(
        description="The folder; made when first written to, beside folders that are there",
        json_schema_extra={"path": True},
    )


# -- what files can hold -----------------------------------------------------------------------------------------------

FEATURES = Features(
    title="CSV files",
    lists=frozenset({Domain, Mailbox, Forwarder, DomainForwarder, CatchAll, Autoresponder, Filter}),
    creates=frozenset({Domain, Mailbox, Forwarder, DomainForwarder, CatchAll, Autoresponder, Filter}),
    changes=frozenset({Mailbox, Forwarder, DomainForwarder, CatchAll, Autoresponder, Filter}),
    destinations=frozenset(Way),
    schemes=hashes.CARRIED,
    reads_hashes=True,
    verifies_passwords=True,
    sets_passwords=True,
)
FORMULA = "=+-@\t\r"
OWNER_ALONE = 0o700
_UNITS = {"": 1, "B": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([BKMGT]?)(?:I?B)?", re.IGNORECASE)
_YES = {"yes", "y", "true", "1", "on", "sí", "si"}
_NO = {"", "no", "n", "false", "0", "off"}
_UNLIMITED = {"", "0", "-1", "unlimited", "none"}

Cells = dict[str, str]


@dataclass(frozen=True, slots=True)
class Sheet:
    """One file: its columns in order (ours first where it is new), its rows with the lines they begin on."""

    path: Path
    columns: tuple[str, ...]
    rows: tuple[tuple[int, Cells], ...]
    delimiter: str = ","


@dataclass(frozen=True, slots=True)
class Form:
    """How one kind of thing stands in its file. Rows of one thing have one key."""

    file: str
    columns: tuple[str, ...]
    read: Callable[[Sequence[Cells]], Thing]
    write: Callable[[Any], Iterable[Cells]]  # Any: the kind that the form stands under in the table
    key: Callable[[Cells], str]


# -- sessions ---------------------------------------------------------------------------------------------------------


class CsvReader:
    """A folder of CSV files, being read."""

    features = FEATURES

    def __init__(self, options: Options, _login: Login) -> None:
        self._folder = options.path
        if not self._folder.exists() and not self._folder.parent.is_dir():
            raise EndpointUnfit(
                f"{self._folder}: neither this folder nor the one around it is there.",
                remedy="Check the path in the plan.",
            )
        if self._folder.exists() and not self._folder.is_dir():
            raise EndpointUnfit(f"{self._folder}: this is no folder.", remedy="Check the path in the plan.")

    def probe(self) -> Probe:
        """Which files are there, and how many rows they have."""
        sheets = {form.file: self._sheet(form) for form in _FORMS.values() if (self._folder / form.file).exists()}
        counts = [f"{name}: {len(sheet.rows):,} rows" for name, sheet in sheets.items()]
        return Probe("CSV files", notes=counts or ["no file is there yet"])

    def domains(self) -> Sequence[Domain]:
        """The domains of domains.csv, and those that any other file speaks of."""
        found = {thing.name: thing for thing in self._things(Domain)}
        for noun in _FORMS:
            if noun is not Domain:
                for thing in self._things(noun):
                    found.setdefault(_domain_of(thing), Domain(_domain_of(thing)))
        return [domain for name, domain in found.items() if name]

    def list(self, noun: type[AnyThing], domain: str) -> Sequence[AnyThing]:
        """Everything of one kind in a domain. Raises NotFound if no file speaks of it."""
        wanted = ascii_domain(domain)
        if wanted not in {one.name for one in self.domains()}:
            raise NotFound(f"{shown_domain(domain)}: no file in {self._folder} speaks of this domain.")
        return [thing for thing in self._things(noun) if _domain_of(thing) == wanted]

    def password_of(self, address: str) -> Password:
        """The password in the mailbox' row: the hash, or else the plain one."""
        cells = self._row_of(address)
        if cells.get("password_hash"):
            return with_scheme(cells["password_hash"])
        return Password(plain=SecretStr(cells["password"])) if cells.get("password") else UNKNOWN_PASSWORD

    def verify_password(self, address: str, password: SecretStr) -> bool:
        """Whether that is the password in the row. Raises Refused where there is none, or of a kind that cannot be checked."""
        cells = self._row_of(address)
        if cells.get("password"):
            return cells["password"] == password.get_secret_value()
        return hashes.is_right(address, password, cells.get("password_hash", ""))

    def close(self) -> None:
        """Nothing is open between two questions."""

    def _row_of(self, address: str) -> Cells:
        key = same_form(address).lower()
        for _, cells in self._sheet(_FORMS[Mailbox]).rows:
            if _address_key(cells) == key:
                return cells
        raise NotFound(f"{address}: {self._folder / _FORMS[Mailbox].file} has no such row.")

    def _things(self, noun: type[AnyThing]) -> Iterator[AnyThing]:
        """Everything in a kind's file. Raises Misbehaved naming file and line where a row cannot be read."""
        form = _FORMS[cast("type[Thing]", noun)]
        sheet = self._sheet(form)
        groups: dict[str, list[tuple[int, Cells]]] = {}
        for line, cells in sheet.rows:
            groups.setdefault(form.key(cells), []).append((line, cells))
        for rows in groups.values():
            try:
                thing = form.read([cells for _, cells in rows])
            except ValueError as error:
                raise Misbehaved(f"{sheet.path}, line {rows[0][0]}: {error}.") from error
            yield cast("AnyThing", thing)

    def _sheet(self, form: Form) -> Sheet:
        return _parse(self._folder / form.file, files.read_text(self._folder / form.file) or "", form)


class CsvWriter(CsvReader):
    """A folder of CSV files, being filled."""

    def create(self, thing: Thing, password: Password | None = None) -> None:
        """Add its rows. Raises Refused where there are some of this key, also by hand."""
        form = self._form(thing)
        rows = list(form.write(thing))
        if isinstance(thing, Mailbox):
            rows[0].update(_password_cells(thing.address, password))
        self._folder.mkdir(mode=OWNER_ALONE, exist_ok=True)
        with files.held(self._folder / form.file):
            sheet = self._sheet(form)
            if form.key(rows[0]) in {form.key(cells) for _, cells in sheet.rows}:
                raise Refused(f"{thing.key}: {sheet.path} has such a {thing.word} already.")
            self._write(sheet, [*(cells for _, cells in sheet.rows), *rows])

    def change(self, thing: Thing, there: Thing) -> None:
        """Replace its rows; a password and columns of others stay."""
        form = self._form(thing)
        wanted = list(form.write(thing))
        self._replace(form, form.key(wanted[0]), wanted, there.key)

    def set_password(self, address: str, password: Password) -> None:
        """Another password, in plain or as a hash."""
        form = _FORMS[Mailbox]
        self._replace(form, same_form(address).lower(), [_password_cells(address, password)], address)

    def _form(self, thing: Thing) -> Form:
        form = _FORMS.get(type(thing))
        if form is None:
            raise Refused(f"{thing.key}: there is no file for a {thing.word}.")
        return form

    def _replace(self, form: Form, key: str, wanted: Sequence[Cells], about: str) -> None:
        with files.held(self._folder / form.file):
            sheet = self._sheet(form)
            old = [cells for _, cells in sheet.rows if form.key(cells) == key]
            if not old:
                raise NotFound(f"{about}: {sheet.path} has no such row any more.")
            rows = [cells for _, cells in sheet.rows]
            place = rows.index(old[0])
            fresh = [{**old[min(number, len(old) - 1)], **cells} for number, cells in enumerate(wanted)]
            others = [cells for cells in rows[place:] if form.key(cells) != key]
            self._write(sheet, [*rows[:place], *fresh, *others])

    def _write(self, sheet: Sheet, rows: Iterable[Cells]) -> None:
        text = io.StringIO(newline="")
        writer = csv.writer(text, delimiter=sheet.delimiter, lineterminator="\n")
        writer.writerow(sheet.columns)
        for cells in rows:
            writer.writerow([guarded(cells.get(column, "")) for column in sheet.columns])
        files.replace_text(sheet.path, text.getvalue())


# -- cells ------------------------------------------------------------------------------------------------------------


def guarded(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell[:1] and cell[0] in FORMULA + "'" else cell


def unguarded(cell: str) -> str:
    """The cell as it was; an apostrophe that guards nothing is the cell's own."""
    return cell[1:] if cell[:1] == "'" and cell[1:2] and cell[1] in FORMULA + "'" else cell


def _parse(path: Path, text: str, form: Form) -> Sheet:
    text = text.removeprefix("\ufeff")
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count) if head else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        columns = tuple(name.strip().lower() for name in next(reader, ()))
        if not columns:
            return Sheet(path, form.columns, ())
        if form.columns[0] not in columns:
            raise Misbehaved(f"{path}: its first line names no column {form.columns[0]}.")
        rows = []
        for cells in reader:
            if any(cell.strip() for cell in cells):
                if len(cells) > len(columns):
                    raise Misbehaved(f"{path}, line {reader.line_num}: there are more cells than columns.")
                rows.append((reader.line_num, dict(zip(columns, map(unguarded, cells), strict=False))))
    except csv.Error as error:
        raise Misbehaved(f"{path}, line {reader.line_num}: {error}.") from error
    # Columns of ours that somebody left out come at the end when the file is written again.
    return Sheet(path, (*columns, *(name for name in form.columns if name not in columns)), tuple(rows), delimiter)


def _yes(cells: Cells, column: str) -> bool:
    word = cells.get(column, "").strip().lower()
    if word in _YES | _NO:
        return word in _YES
    raise ValueError(f"{column} is neither yes nor no")


def _said(value: bool) -> str:  # noqa: FBT001 - that is what it turns into a word
    return "yes" if value else "no"


def _address(cells: Cells, column: str = "address") -> str:
    address = same_form(cells.get(column, ""))
    if not all(split(address)):
        raise ValueError(f"{column} is no address")
    return address


def _address_key(cells: Cells) -> str:
    return same_form(cells.get("address", "")).lower()


def _domain_key(cells: Cells) -> str:
    return ascii_domain(cells.get("domain", ""))


def _name(cells: Cells, column: str = "domain") -> str:
    name = ascii_domain(cells.get(column, ""))
    if not name or "@" in name or " " in name:
        raise ValueError(f"{column} is no domain")
    return name


def _domain_of(thing: Thing) -> str:
    if isinstance(thing, Domain):
        return thing.name
    if isinstance(thing, DomainForwarder | CatchAll):
        return thing.domain
    if isinstance(thing, Filter) and not thing.address:
        return thing.domain
    return split(getattr(thing, "address", ""))[1]


def _one_of(cells: Cells, column: str, words: Iterable[str], default: str) -> str:
    word = cells.get(column, "").strip().lower() or default
    known = list(words)
    if word not in known:
        raise ValueError(f"{column} is none of {', '.join(known)}")
    return word


def _destination(cells: Cells) -> Destination:
    way = Way(_one_of(cells, "kind", (one.value for one in Way), Way.ADDRESS.value))
    value = cells.get("destination", "").strip()
    if way is Way.ADDRESS:
        value = _address(cells, "destination")
    return Destination(value, way)


def _quota(cells: Cells) -> int | None:
    text = cells.get("quota", "").strip()
    if text.lower() in _UNLIMITED:
        return None
    found = _SIZE.fullmatch(text)
    if found is None:
        raise ValueError("quota is no size, such as 500M")
    return round(float(found[1]) * _UNITS[found[2].upper()]) or None


def _holds(cells: Cells) -> frozenset[Hold]:
    words = re.split(r"[\s,;]+", cells.get("suspended", "").strip().lower())
    if words == ["yes"]:
        return frozenset(Hold)
    try:
        return frozenset(Hold(word) for word in words if word not in _NO)
    except ValueError:
        raise ValueError("suspended is none of login, receive, send") from None


def _moment(cells: Cells, column: str) -> datetime | None:
    text = cells.get(column, "").strip()
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        raise ValueError(f"{column} is no time, such as 2025-07-01T08:00:00+02:00") from None


def _hours(cells: Cells) -> int | None:
    text = cells.get("interval_hours", "").strip()
    if text and not text.isdecimal():
        raise ValueError("interval_hours is no number")
    return int(text) if text else None


def _password_cells(address: str, password: Password | None) -> Cells:
    if password is None or (password.plain is None and password.hash is None):
        raise Refused(f"{address}: no password is known for it, and a row without one is of no use.")
    if password.hash is not None:
        return {"password": "", "password_hash": hashes.to_store(address, password)}
    plain = password.plain.get_secret_value() if password.plain else ""
    hashes.to_store(address, password)  # refuses what no mailbox can have
    return {"password": plain, "password_hash": ""}


# -- kinds ------------------------------------------------------------------------------------------------------------


def _read_domain(rows: Sequence[Cells]) -> Domain:
    routing = Routing(_one_of(rows[0], "routing", (one.value for one in Routing), Routing.AUTO.value))
    return Domain(_name(rows[0]), routing, rows[0].get("dkim_selector", ""), _yes(rows[0], "suspended"))


def _write_domain(thing: Domain) -> Iterator[Cells]:
    yield {
        "domain": thing.name,
        "routing": thing.routing.value,
        "dkim_selector": thing.dkim_selector,
        "suspended": _said(thing.suspended),
    }


def _read_mailbox(rows: Sequence[Cells]) -> Mailbox:
    return Mailbox(
        _address(rows[0]), quota=_quota(rows[0]), holds=_holds(rows[0]), name=rows[0].get("name", "").strip()
    )


def _write_mailbox(thing: Mailbox) -> Iterator[Cells]:
    yield {
        "address": thing.address,
        "quota": "" if thing.quota is None else str(thing.quota),
        "suspended": " ".join(one.value for one in Hold if one in thing.holds),
        "name": thing.name,
    }


def _read_forwarder(rows: Sequence[Cells]) -> Forwarder:
    destinations = dict.fromkeys(_destination(cells) for cells in rows)
    keeps_copy = any(_yes(cells, "keeps_copy") for cells in rows)
    return Forwarder(_address(rows[0]), tuple(sorted(destinations)), keeps_copy)


def _write_forwarder(thing: Forwarder) -> Iterator[Cells]:
    if not thing.destinations:
        raise Refused(f"{thing.address}: it leads nowhere.")
    for one in thing.destinations:
        yield {
            "address": thing.address,
            "destination": one.value,
            "kind": one.way.value,
            "keeps_copy": _said(thing.keeps_copy),
        }


def _read_domain_forwarder(rows: Sequence[Cells]) -> DomainForwarder:
    return DomainForwarder(_name(rows[0]), _name(rows[0], "target"))


def _write_domain_forwarder(thing: DomainForwarder) -> Iterator[Cells]:
    yield {"domain": thing.domain, "target": thing.target}


def _read_catch_all(rows: Sequence[Cells]) -> CatchAll:
    if len(rows) > 1:
        raise ValueError("this domain has several catch-alls")
    return CatchAll(_name(rows[0]), _destination(rows[0]))


def _write_catch_all(thing: CatchAll) -> Iterator[Cells]:
    yield {"domain": thing.domain, "destination": thing.destination.value, "kind": thing.destination.way.value}


def _read_autoresponder(rows: Sequence[Cells]) -> Autoresponder:
    cells = rows[0]
    return Autoresponder(
        _address(cells),
        body=cells.get("body", "").replace("\r\n", "\n").rstrip("\n"),
        subject=cells.get("subject", ""),
        from_name=cells.get("from_name", ""),
        is_html=_yes(cells, "html"),
        interval_hours=_hours(cells),
        start=_moment(cells, "start"),
        stop=_moment(cells, "stop"),
    )


def _write_autoresponder(thing: Autoresponder) -> Iterator[Cells]:
    yield {
        "address": thing.address,
        "subject": thing.subject,
        "body": thing.body,
        "from_name": thing.from_name,
        "html": _said(thing.is_html),
        "interval_hours": "" if thing.interval_hours is None else str(thing.interval_hours),
        "start": thing.start.isoformat() if thing.start else "",
        "stop": thing.stop.isoformat() if thing.stop else "",
    }


def _read_filter(rows: Sequence[Cells]) -> Filter:
    lines = [(_one_of(cells, "line", ("if", "then"), "if"), cells) for cells in rows]
    rules = tuple(
        Rule(*(cells.get(column, "") for column in ("part", "match", "value", "join")))
        for line, cells in lines
        if line == "if"
    )
    actions = tuple((cells.get("part", ""), cells.get("value", "")) for line, cells in lines if line == "then")
    if not rules or not actions:
        raise ValueError("a filter has rows with if and rows with then")
    address = _address(rows[0]) if rows[0].get("address", "").strip() else ""
    domain = ascii_domain(rows[0].get("domain", "")) or split(address)[1]
    return Filter(address, rows[0].get("name", ""), rules, actions, _yes(rows[0], "enabled"), domain)


def _write_filter(thing: Filter) -> Iterator[Cells]:
    if not thing.rules or not thing.actions:
        raise Refused(f"{thing.key}: a filter without a condition or without an action does nothing.")
    shared = {"address": thing.address, "domain": thing.domain, "name": thing.name, "enabled": _said(thing.enabled)}
    for rule in thing.rules:
        yield {**shared, "line": "if", "part": rule.part, "match": rule.match, "value": rule.value, "join": rule.join}
    for action, value in thing.actions:
        yield {**shared, "line": "then", "part": action, "match": "", "value": value, "join": ""}


def _filter_key(cells: Cells) -> str:
    return f"{_address_key(cells) or 'account'}: {cells.get('name', '')}"


_MAILBOX_COLUMNS = ("address", "quota", "suspended", "name", "password", "password_hash")
_ANSWER_COLUMNS = ("address", "subject", "body", "from_name", "html", "interval_hours", "start", "stop")
_FILTER_COLUMNS = ("address", "domain", "name", "enabled", "line", "part", "match", "value", "join")
_FORMS: Mapping[type[Thing], Form] = {
    Domain: Form(
        "domains.csv", ("domain", "routing", "dkim_selector", "suspended"), _read_domain, _write_domain, _domain_key
    ),
    Mailbox: Form("mailboxes.csv", _MAILBOX_COLUMNS, _read_mailbox, _write_mailbox, _address_key),
    Forwarder: Form(
        "forwarders.csv",
        ("address", "destination", "kind", "keeps_copy"),
        _read_forwarder,
        _write_forwarder,
        _address_key,
    ),
    DomainForwarder: Form(
        "domain_forwarders.csv", ("domain", "target"), _read_domain_forwarder, _write_domain_forwarder, _domain_key
    ),
    CatchAll: Form("catch_alls.csv", ("domain", "destination", "kind"), _read_catch_all, _write_catch_all, _domain_key),
    Autoresponder: Form("autoresponders.csv", _ANSWER_COLUMNS, _read_autoresponder, _write_autoresponder, _address_key),
    Filter: Form("filters.csv", _FILTER_COLUMNS, _read_filter, _write_filter, _filter_key),
}

ADAPTER: Adapter[PanelReader, PanelWriter] = Adapter(
    word="csv",
    title="CSV files",
    options=Options,
    reader=CsvReader,
    writer=CsvWriter,
    connections=lambda _: (1, 1),
)
