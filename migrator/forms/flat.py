"""Entries as people read them: one for each submission, with its answers by the labels of the form, whatever tables they were spread over.

Parents are read by pages of their key, what hangs on them by the ids of the page: memory holds one page. A source that can only be read
through is read once, and what hangs on the page is asked of a copy; then memory also holds the ids of entries that have no row of their
own, only one for each answer. What is read here is a view; the truth is in the tables, where nothing
was unpacked, joined or left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from datetime import tzinfo
from itertools import chain, islice
from typing import Final, TypeAlias

from migrator.forms import answers as reading
from migrator.forms import fields as naming
from migrator.forms.answers import FILE, Answer, Named, Reader, inside, text_of, told
from migrator.forms.at_hand import AtHand
from migrator.forms.clocks import Clocks, moments, zone_of
from migrator.forms.contract import TableReader
from migrator.forms.fields import Field
from migrator.forms.model import (
    EVERYTHING,
    Clock,
    Condition,
    Extract,
    KeyRange,
    Operator,
    Paging,
    Role,
    Row,
    Stored,
    StoredTable,
    Table,
    Value,
)
from migrator.forms.php import Plain
from migrator.forms.plugins.detect import by_word, extract_of
from migrator.forms.plugins.known import KNOWN
from migrator.forms.plugins.shape import FieldRows, InCell, InColumns, InRows, Plugin, Spelling, Terms, Titles, View
from migrator.frozen import dataclass

PAGE: Final = 500  # entries
HEADER: Final = (
    "site", "form_id", "form_title", "entry_id", "submitted_at", "submitted_local", "status", "ip", "user_agent", "source_url", "user_id",
)  # fmt: skip
REPEATED: Final = "repeated"
IN_THE_DATABASE: Final = "file in the database"
_UPLOADED: Final = "/uploads/"

Cells: TypeAlias = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Entry:
    """A submission: what stands before the answers (by the names of HEADER), and the answers in the form's order. `files` are what was
    uploaded with it and is not in the database, by path or URL.
    """

    header: Mapping[str, str]
    answers: tuple[Answer, ...]
    files: tuple[str, ...] = ()

    @property
    def form(self) -> str:
        """The form it was sent through."""
        return self.header["form_id"]


@dataclass(frozen=True, slots=True)
class Site:
    """Where entries come from, for what their rows do not say: the site's name (its address, where it tells one) and its clocks."""

    name: str = ""
    clocks: Clocks = field(default_factory=Clocks)


def site_of(reader: TableReader, stored: Stored) -> Site:
    """The site's address and zone, from the options of its WordPress; without one the prefix, and no zone."""
    table = next((one for one in reader.tables() if one.name == f"{stored.prefix}options"), None)
    if table is None or not {"option_name", "option_value"} <= {one.name for one in table.columns}:
        return Site(stored.prefix)
    wanted = Extract(table, (Condition("option_name", Operator.IN, ("home", "timezone_string", "gmt_offset")),))
    rows = (_named(table, row) for page in reader.rows(wanted, EVERYTHING) for row in page)
    said = {text_of(row["option_name"]): text_of(row["option_value"]) for row in rows}
    zone = zone_of(said.get("timezone_string", ""), said.get("gmt_offset", ""))
    return Site(said.get("home") or stored.prefix, Clocks(zone))


def zones_of(reader: TableReader, stored: Iterable[Stored]) -> dict[str, tzinfo]:
    """The zones of the sites that these stand in, by prefix, as far as they are told."""
    zones = {one.prefix: site_of(reader, one).clocks.site for one in stored}
    return {prefix: zone for prefix, zone in zones.items() if zone is not None}


class Flat:
    """The entries of one plugin at one site. `reader` is a session on its database; `page` is how many entries are held at once. What was
    wrong with values is counted in `notes` while entries are drawn.
    """

    def __init__(
        self,
        reader: TableReader,
        stored: Stored,
        site: Site,
        *,
        page: int = PAGE,
        repair: bool = False,
        unmix: bool = False,
        known: Sequence[Plugin] = KNOWN,
    ) -> None:
        view = by_word(stored.plugin, known).view
        if view is None:
            raise KeyError(stored.plugin)
        self._reader, self._stored, self._site, self._page, self._view = reader, stored, site, page, view
        self._tables = {one.name: one for one in reader.tables()}
        self._cells = Reader(view.undo, view.file_mark, repair, unmix)
        self._at_hand = None if reader.features.seeks else AtHand(reader)
        self._forms = _Forms(self, view)

    @property
    def table(self) -> StoredTable:
        """The table of entries, or the part of it that is the plugin's."""
        own = [one for one in self._stored.tables if one.table == f"{self._stored.prefix}{self._view.entries}"]
        return next((one for one in own if one.role is Role.ENTRIES), own[0])

    @property
    def header(self) -> Sequence[str]:
        """Which of HEADER its entries may have: those of a table that nobody knows have its key alone."""
        return HEADER if self._view.submitted else ("entry_id",) if self._view.id else ()

    @property
    def notes(self) -> Mapping[str, int]:
        """What was wrong with values, in words, and how often."""
        return self._cells.notes

    def fields(self, form: str) -> Sequence[Field]:
        """The fields of a form, in its order; empty where nothing describes it."""
        return self._forms.fields(form)

    def entries(self, only: Extract | None = None) -> Iterator[Entry]:
        """Every entry, in the order of the table's key, or those of this extract of the table of entries. Raises what the session raises,
        and NotFound for a table that is gone.
        """
        extract = only or extract_of(self.table, self._tables)
        known: set[str] = set()
        for page in self._pages(extract):
            rows = [_named(extract.table, row) for row in page]
            if self._is_tall:
                # One whose rows two pages part has been told whole with the first of them. Ranges part none but their last.
                rows = [row for row in rows if self._identity(row) not in known]
                known = known if self._at_hand is not None else set()
                known.update(map(self._identity, rows if self._at_hand is not None else rows[-1:]))
            yield from self._of_page(rows)

    def _pages(self, extract: Extract) -> Iterator[Sequence[Row]]:
        """Rows of the table of entries, as many as are held at once."""
        if self._at_hand is not None:
            rows = chain.from_iterable(self._reader.rows(extract, EVERYTHING))
            while page := list(islice(rows, self._page)):
                yield page
            return
        if self._is_tall and extract.table.paging is Paging.CONTENT:
            ranges: Iterable[KeyRange] = (EVERYTHING,)  # nothing holds the rows of an entry together
        else:
            ranges = self._reader.ranges(extract, None, self._page)
        for among in ranges:
            yield [row for page in self._reader.rows(extract, among) for row in page]

    # -- one page

    def _of_page(self, rows: Sequence[Cells]) -> Iterator[Entry]:
        view = self._view
        if view.parent:
            rows = [row for row in rows if text_of(row.get(view.parent)) in {"", "0"}]
        if self._is_tall:
            firsts: dict[str, Cells] = {}
            for row in rows:
                firsts.setdefault(self._identity(row), row)
            rows = list(firsts.values())
        ids = list(dict.fromkeys(text_of(row.get(view.id)) for row in rows))
        page = _Page(self._hanging(ids), self._children(ids), self._terms(ids), self._joined(rows))
        for row in rows:
            yield self._entry(row, page)

    @property
    def _is_tall(self) -> bool:
        """Whether an entry has no row of its own, only one for each answer."""
        return any(isinstance(one, InRows) and one.table == self._view.entries for one in self._view.answers)

    def _identity(self, row: Cells) -> str:
        """What tells an entry from others of the page: its id, and its form too where two forms may have one of it."""
        own = text_of(row.get(self._view.id))
        return f"{text_of(row.get(self._view.form))}\0{own}" if self._is_tall else own

    def _entry(self, row: Cells, page: _Page) -> Entry:
        view, own = self._view, text_of(row.get(self._view.id))
        rows = page.hanging.get(self._identity(row), ())
        meta = {one.name: one.value for one in rows}
        form, title = page.terms.get(own, ("", ""))
        form = form or told(self._at(view.form, row, meta, ()))
        answered = self._answered(row, rows, form, page)
        said = {name: self._at(path, row, meta, answered) for name, path in view.header.items()}
        used = {
            path.removeprefix("answer:").split(".")[0] for path in view.header.values() if path.startswith("answer:")
        }
        named = self._forms.named([one for one in answered if one.key not in used], form)
        if own in page.children:
            named = _with_children(named, page.children[own])
        header = {
            **dict.fromkeys(HEADER, ""),
            "form_title": title or self._forms.title(form),
            **{name: told(value) for name, value in said.items() if told(value)},
            "site": self._site.name,
            "form_id": form,
            "entry_id": own,
            **self._moments(row),
        }
        files = {place: list(self._files(one)) for place, one in enumerate(named)}
        shown = (
            replace(one, value=list(files[place])) if isinstance(one.value, dict) and files[place] else one
            for place, one in enumerate(named)
        )
        return Entry(header, tuple(shown), tuple(name for names in files.values() for name in names))

    def _answered(self, row: Cells, rows: Sequence[Named], form: str, page: _Page) -> list[Answer]:
        found: list[Answer] = []
        for where in self._view.answers:
            match where:
                case InCell():
                    found += self._cells.from_cell(row.get(where.column), where)
                case InRows():
                    found += reading.from_rows(rows, where, lambda key: self._forms.is_choice(form, key))
                case InColumns():
                    found += self._of_columns(row, where, page)
        return found

    def _of_columns(self, row: Cells, where: InColumns, page: _Page) -> list[Answer]:
        view = self._view
        taken = {view.id, view.form, view.submitted, view.local, *view.header.values(), *where.leave_out}
        cells = {name: cell for name, cell in row.items() if name not in taken}
        if where.joins is not None:
            beside = page.joined.get(text_of(row.get(where.joins.column)), {})
            more = {name: cell for name, cell in beside.items() if name not in {*cells, *taken, where.joins.key}}
            cells = {**more, **cells}
        return [self._cells.from_column(name, cell) for name, cell in cells.items() if cell not in (None, "")]

    def _moments(self, row: Cells) -> Mapping[str, str]:
        view, clocks = self._view, self._site.clocks
        utc, wall = moments(
            text_of(row.get(view.submitted)), view.clock, clocks, is_timestamp=self._is_timestamp(view.submitted)
        )
        if view.local:
            as_told = text_of(row.get(view.local))
            from_wall, wall_told = moments(as_told, Clock.LOCAL, clocks)
            utc, wall = utc or from_wall, wall_told or wall
        return {"submitted_at": utc, "submitted_local": wall}

    def _is_timestamp(self, column: str) -> bool:
        table = self._tables.get(f"{self._stored.prefix}{self._view.entries}")
        types = {one.name: one.type for one in table.columns} if table else {}
        return types.get(column, "").lower().startswith("timestamp")

    def _at(self, path: str, row: Cells, meta: Mapping[str, Plain], answered: Sequence[Answer]) -> Plain:
        """What stands where a path of the view says."""
        if not path:
            return None
        where, _, rest = path.rpartition(":")
        name, *further = rest.split(".")
        match where:
            case "meta":
                return inside(meta.get(name), further)
            case "answer":
                return inside(next((one.value for one in answered if one.key == name), None), further)
        if not further:
            return text_of(row.get(name))
        return inside(self._cells.read(row.get(name), Spelling.ANY), further)

    def _files(self, one: Answer) -> Iterator[str]:
        """What an answer names as files, as it lies at the site."""
        names = [name.strip() for text in _texts(one.value) for name in text.splitlines() if name.strip()]
        if one.kind == FILE or one.kind in self._view.files:
            yield from (f"{self._view.uploads}{name}" for name in _of_files(names))
        elif not one.kind:
            yield from filter(_is_upload, names)

    def title_in(self, row: Cells, where: Titles) -> str:
        """A form's title, from its row."""
        return told(self._at(where.title, row, {}, ()))

    # -- what hangs on a page

    def rows(self, table: str, conditions: tuple[Condition, ...]) -> Iterator[Cells]:
        """Rows of a table, named without its prefix, by columns; none if there is no such table."""
        there = self._tables.get(f"{self._stored.prefix}{table}")
        if there is None:
            return
        wanted = Extract(there, conditions)
        pages = self._at_hand.rows(wanted) if self._at_hand is not None else self._reader.rows(wanted, EVERYTHING)
        yield from (_named(there, row) for page in pages for row in page)

    def _hanging(self, ids: Sequence[str]) -> Mapping[str, list[Named]]:
        """The rows that hang on these entries, by entry."""
        found: dict[str, list[Named]] = {}
        if not ids:
            return found
        for where in self._view.answers:
            if isinstance(where, InRows):
                rows = list(self.rows(where.table, (Condition(where.entry, Operator.IN, tuple(ids)),)))
                if where.order:
                    rows.sort(key=lambda row: naming.number(row.get(where.order)))
                longer = self._longer(rows, where)
                for row in rows:
                    entry = self._identity(row) if self._is_tall else text_of(row.get(where.entry))
                    found.setdefault(entry, []).append(self._read_row(row, where, longer))
        return found

    def _longer(self, rows: Sequence[Cells], where: InRows) -> Mapping[str, Value]:
        if where.longer is None or not rows:
            return {}
        ids = tuple(row.get(where.longer.of) for row in rows)
        there = self.rows(where.longer.table, (Condition(where.longer.key, Operator.IN, ids),))
        return {text_of(row.get(where.longer.key)): row.get(where.longer.value) for row in there}

    def _read_row(self, row: Cells, where: InRows, longer: Mapping[str, Value]) -> Named:
        cell = row.get(where.value)
        if where.longer is not None:
            cell = longer.get(text_of(row.get(where.longer.of)), cell)
        has_file = bool(where.file) and row.get(where.file) is not None
        return Named(
            text_of(row.get(where.name)),
            self._cells.read(cell, where.spelling),
            text_of(row.get(where.part)) if where.part else "",
            text_of(row.get(where.index)) if where.index else "",
            text_of(row.get(where.label)) if where.label else "",
            IN_THE_DATABASE if has_file else "",
        )

    def _joined(self, rows: Sequence[Cells]) -> Mapping[str, Cells]:
        """The rows of another table that these rows name, by key."""
        found: dict[str, Cells] = {}
        for where in self._view.answers:
            if isinstance(where, InColumns) and where.joins is not None and rows:
                keys = tuple({row.get(where.joins.column) for row in rows})
                for row in self.rows(where.joins.table, (Condition(where.joins.key, Operator.IN, keys),)):
                    found[text_of(row.get(where.joins.key))] = row
        return found

    def _children(self, ids: Sequence[str]) -> Mapping[str, dict[str, Plain]]:
        """The repeated parts of these entries, which are entries themselves: by entry, then by their own ids, answers by label."""
        view = self._view
        if not view.parent or not ids:
            return {}
        rows = list(self.rows(view.entries, (Condition(view.parent, Operator.IN, tuple(ids)),)))
        hanging = self._hanging([text_of(row.get(view.id)) for row in rows])
        found: dict[str, dict[str, Plain]] = {}
        for row in rows:
            own, form = text_of(row.get(view.id)), text_of(row.get(view.form))
            answered = self._forms.named(self._answered(row, hanging.get(own, ()), form, _Page()), form)
            parts: dict[str, Plain] = {one.label or one.key: one.value for one in answered}
            found.setdefault(text_of(row.get(view.parent)), {})[own] = parts
        return found

    def _terms(self, ids: Sequence[str]) -> Mapping[str, tuple[str, str]]:
        """The forms of entries that are tied to them as terms: key and title, by entry."""
        titles = self._view.titles
        if not isinstance(titles, Terms) or not ids:
            return {}
        tied = list(self.rows("term_relationships", (Condition("object_id", Operator.IN, tuple(ids)),)))
        taxonomies = {
            text_of(row["term_taxonomy_id"]): text_of(row["term_id"])
            for row in self.rows("term_taxonomy", (Condition("taxonomy", Operator.IN, (titles.taxonomy,)),))
        }
        terms = tuple(taxonomies.values())
        named = {
            text_of(row["term_id"]): (text_of(row["slug"]), text_of(row["name"]))
            for row in (self.rows("terms", (Condition("term_id", Operator.IN, terms),)) if terms else ())
        }
        found: dict[str, tuple[str, str]] = {}
        for row in tied:
            term = taxonomies.get(text_of(row["term_taxonomy_id"]), "")
            if term in named:
                found[text_of(row["object_id"])] = named[term]
        return found


@dataclass(frozen=True, slots=True)
class _Page:
    """What hangs on the entries of a page: their rows, their repeated parts, the terms that tell their forms, rows beside them."""

    hanging: Mapping[str, Sequence[Named]] = field(default_factory=dict)
    children: Mapping[str, Mapping[str, Plain]] = field(default_factory=dict)
    terms: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    joined: Mapping[str, Cells] = field(default_factory=dict)


class _Forms:
    """The titles and fields of forms, asked for once each."""

    def __init__(self, flat: Flat, view: View) -> None:
        self._flat, self._view = flat, view
        self._titles: dict[str, str] = {}
        self._fields: dict[str, Mapping[str, Field]] = {}

    def title(self, form: str) -> str:
        where = self._view.titles
        if not isinstance(where, Titles) or not form:
            return ""
        if form not in self._titles:
            there = (Condition(where.key, Operator.IN, (form,)), *_conditions(where.only))
            rows = self._flat.rows(where.table, there)
            self._titles[form] = next((self._flat.title_in(row, where) for row in rows), "")
        return self._titles[form]

    def fields(self, form: str) -> Sequence[Field]:
        return list(self._by_key(form).values())

    def is_choice(self, form: str, key: str) -> bool:
        found = self._by_key(form).get(key) if self._view.choices else None
        return found is not None and found.kind in self._view.choices

    def named(self, answered: Sequence[Answer], form: str) -> list[Answer]:
        """Answers with the labels and kinds of their fields, in the form's order; what the form does not know stands behind."""
        known = self._by_key(form)
        order = {key: place for place, key in enumerate(known)}
        found = [self._one(answer, known) for answer in answered]
        return sorted(found, key=lambda one: order.get(one.key, len(order)))

    def _one(self, answer: Answer, known: Mapping[str, Field]) -> Answer:
        own = known.get(answer.key)
        value = _with_part_names(answer.key, answer.value, known)
        label = answer.label or (own.label if own else "")
        return replace(answer, label=label, kind=answer.kind or (own.kind if own else ""), value=value)

    def _by_key(self, form: str) -> Mapping[str, Field]:
        if form not in self._fields:
            self._fields[form] = {one.key: one for one in self._asked(form)}
        return self._fields[form]

    def _asked(self, form: str) -> Sequence[Field]:
        where = self._view.fields
        if where is None or not form:
            return ()
        there = Condition(where.form, Operator.IN, (form,))
        if isinstance(where, FieldRows):
            return naming.from_rows(self._flat.rows(where.table, (there,)), where)
        rows = self._flat.rows(where.table, (there, *_conditions(where.only)))
        return next((naming.from_cell(row.get(where.cell), where) for row in rows), ())


def _with_part_names(key: str, value: Plain, known: Mapping[str, Field]) -> Plain:
    """A value whose parts are called as the form calls them."""
    if isinstance(value, list):
        return [_with_part_names(key, one, known) if isinstance(one, dict) else one for one in value]
    if not isinstance(value, dict):
        return value
    labels = {part: own.label if (own := known.get(f"{key}.{part}")) and own.label else part for part in value}
    often = Counter(labels.values())
    return {
        labels[part] if often[labels[part]] == 1 else f"{labels[part]} ({part})": one for part, one in value.items()
    }


def _with_children(answered: Sequence[Answer], children: Mapping[str, Plain]) -> list[Answer]:
    """Answers in which the ids of repeated parts give way to what these say; without such ids they stand behind."""
    found: list[Answer] = []
    left = dict(children)
    for one in answered:
        ids = [told(value) for value in one.value] if isinstance(one.value, list) else [told(one.value)]
        if ids and all(own in children for own in ids):
            found.append(replace(one, value=[left.pop(own, children[own]) for own in ids]))
        else:
            found.append(one)
    return [*found, Answer(REPEATED, list(left.values()))] if left else found


def _conditions(only: Mapping[str, tuple[str, ...]]) -> tuple[Condition, ...]:
    return tuple(Condition(column, Operator.IN, values) for column, values in only.items())


def _named(table: Table, row: Sequence[Value]) -> Cells:
    return {column.name: value for column, value in zip(table.columns, row, strict=True)}


def _texts(value: Plain) -> Iterator[str]:
    """Every text in a value."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _texts(one)
    elif value is not None:
        yield told(value)


def _is_upload(text: str) -> bool:
    return text.startswith(("https://", "http://")) and _UPLOADED in text and not any(map(str.isspace, text))


def _of_files(names: Sequence[str]) -> Sequence[str]:
    """What says most of a file where several things are told about it: a URL, else a path, else a name, or a number of a media library."""
    urls = [name for name in names if name.startswith(("https://", "http://"))]
    paths = [name for name in names if "/" in name]
    return urls or paths or [f"attachment {name}" if name.isdecimal() else name for name in names]
