"""Which numbers a source's rows get at a target that has rows already: what both sides tell is read, forms are matched, numbers are given and
written down at the target.

What surprises: all numbers are given before any row is put, and the target is told not to give them to anybody else. A source is known again by
its entries, not by its name: two sites may have one name, and one site may come by two roads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from migrator.errors import PlanError, Refused
from migrator.forms.answers import text_of
from migrator.forms.contract import PutsBeside, TableReader, TableWriter
from migrator.forms.fields import Field
from migrator.forms.flat import Flat, Site
from migrator.forms.model import (
    EVERYTHING,
    Condition,
    Extract,
    Family,
    KeyRange,
    Operator,
    Paging,
    Role,
    Row,
    Stored,
    Table,
    choose_paging,
)
from migrator.forms.moving import UNDIVIDED
from migrator.forms.options import FormMapOptions
from migrator.forms.plugins.detect import by_word
from migrator.forms.plugins.detect import stored as stored_by_names
from migrator.forms.plugins.known import PEOPLE
from migrator.forms.plugins.shape import FieldRows, People, Terms, Titles, View
from migrator.forms.remap import book
from migrator.forms.remap.book import Page, Place
from migrator.forms.remap.matching import (
    BEFORE,
    Form,
    Known,
    Match,
    OfForm,
    are_alike,
    hands,
    match_fields,
    match_forms,
    refuse_fields,
)
from migrator.forms.remap.numbers import FieldKeys, Numbers, Stretch, largest_of, next_stretch, spare_above
from migrator.forms.taking import Taking, renamed

AT_ONCE: Final = 1000  # rows of a range; identities that are asked for at once
SAMPLE: Final = 100  # entries by which a source is known again
UNSURE: Final = "?"  # no name of a source
TURNS: Final = 5  # times that numbers are looked for while a site goes on giving them out
ROOM: Final = 100  # numbers that are left to it

# -- what is read ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Matched:
    """A plugin's forms and their counterparts; for each form that has one, its fields, its counterpart's, and what their keys become."""

    title: str
    matches: tuple[Match, ...]
    fields: Mapping[str, tuple[Sequence[Field], Sequence[Field], FieldKeys]]
    comes_along: bool = True

    @property
    def rivals(self) -> bool:
        """Whether the plan has to say which form is meant."""
        return any(one.rivals for one in self.matches)


@dataclass(frozen=True, slots=True)
class Numbering:
    """All that is decided: under which name the source is known at the target, numbers by place, keys of fields by table and form."""

    origin: str = ""
    numbers: Mapping[Place, Numbers] = field(default_factory=dict)
    fields: Mapping[tuple[str, str], FieldKeys] = field(default_factory=dict)
    plugins: tuple[Matched, ...] = ()
    people: tuple[int, int] = (0, 0)  # how many users the target knows too, of how many
    written: Page = field(default_factory=Page)

    @property
    def page(self) -> Page:
        """What of it is written down."""
        return Page({place: one for place, one in self.numbers.items() if one != Numbers()}, self.fields)


@dataclass(frozen=True, slots=True)
class Sides:
    """Both sides, with what the plan takes and says."""

    source: TableReader
    target: TableReader
    takings: Sequence[Taking]
    stored: Sequence[Stored]
    prefixes: Mapping[str, str]
    options: FormMapOptions

    def there(self) -> dict[str, Table]:
        """The target's tables by what they are called at the source; several of the source may be one there."""
        at = {one.name: one for one in self.target.tables()}
        names = {one.table.name: renamed(one.table.name, self.prefixes) for one in self.takings}
        return {
            one.table.name: known(at[name], one.table) for one in self.takings if (name := names[one.table.name]) in at
        }


def known(there: Table, here: Table) -> Table:
    """A target's table, told by the source's columns where the target tells of a table that others made no more than their names."""
    told = {one.name.lower() for one in there.columns}
    if (
        there.paging is Paging.CONTENT
        and here.paging is not Paging.CONTENT
        and told == {one.name.lower() for one in here.columns}
    ):
        return replace(here, name=there.name, engine=there.engine)
    return there


def key_of(table: Table) -> tuple[str, ...]:
    """The columns by which a table's rows are told apart or found, however they are divided."""
    if table.page_by:
        return table.page_by
    return choose_paging(table.columns, table.indexes)[1]


def own_number(taking: Taking) -> str:
    """The column in which a database numbers rows of this table; "" without one."""
    table = taking.table
    paging, key = choose_paging(table.columns, table.indexes) if table.indexes else (table.paging, table.page_by)
    if paging is not Paging.KEY or len(key) != 1:
        return ""
    named = {*(one for one, _, _ in taking.references), *(one.column for one in taking.links if not one.way)}
    return key[0] if table.column(key[0]).family is Family.INTEGER and key[0] not in named else ""


def decide(sides: Sides, remembered: str) -> Numbering:
    """What both sides, the plan, and what the target has written down make of it; nothing is changed. `remembered` is the name that an earlier
    run gave the source. Without an origin where nothing tells whose numbers are written down. Raises PlanError for a map that cannot be meant.
    """
    pages = book.read(sides.target)
    origin = remembered or known_again(sides, pages)
    if not origin:
        return Numbering()
    page = pages.get(origin, Page())
    numbers = {place: replace(one, nowhere=frozenset()) for place, one in page.numbers.items()}
    fields = dict(page.fields)  # those of other steps, and of forms that the source has deleted since
    plugins, described = [], list[OfForm]()
    seen = [
        (stored, view, _known_forms(stored, view, sides))
        for stored in sides.stored
        if (view := by_word(stored.plugin).view if not stored.silent and _is_known(stored) else None)
        and view.titles is not None
    ]
    by_hand = hands(sides.options.map, [forms for *_, forms in seen])
    for (stored, view, forms), hand in zip(seen, by_hand, strict=True):
        plugins.append(_forms_of(stored, view, forms, hand, sides, page, numbers, fields, described))
    people = _people(sides, numbers)
    refuse_fields(sides.options.fields, described)
    used = {name for *_, forms in seen for one in forms.source for name in (one.key, one.title, one.slug)}
    unknown = [name for name in (*sides.options.map, *sides.options.fields) if name not in used]
    if unknown:
        raise PlanError(
            f"forms: the source has no form {unknown[0]}.",
            remedy="Name a form by its title or its number, as the preview shows them.",
        )
    return Numbering(origin, numbers, fields, tuple(plugins), people, page)


def _people(sides: Sides, numbers: dict[Place, Numbers]) -> tuple[int, int]:
    """Users of the site that entries name are those of the target with the same address; how many there are, and how many of them. What one who
    is not there did was done by nobody.
    """
    here = {one.name: one for one in sides.source.tables()}
    there = {one.name: one for one in sides.target.tables()}
    wanted = {(link.table, link.key) for one in sides.takings for link in one.links}
    known_there = all_here = 0
    for one in PEOPLE:
        for place in wanted:
            prefix = place[0].removesuffix(one.table)
            at = there.get(renamed(prefix, sides.prefixes) + one.table)
            if (f"{prefix}{one.table}", one.key) != place or place[0] not in here or not _tells(here[place[0]], one):
                continue
            mine = _addresses(sides.source, here[place[0]], one)
            theirs = _addresses(sides.target, at, one) if at is not None and _tells(at, one) else {}
            by_address = {address: key for key, address in theirs.items()}
            now = numbers.get(place, Numbers())
            pairs = {key: to for key, to in now.forms.items() if key in mine and to in theirs}
            pairs |= {key: by_address[address] for key, address in mine.items() if address in by_address}
            brought = replace(now, forms={})  # who came along with an earlier run is there by now, too
            numbers[place] = replace(now, forms={key: to for key, to in pairs.items() if brought.of(key) != to})
            known_there, all_here = known_there + len(pairs), all_here + len(mine)
    return known_there, all_here


def _tells(table: Table, people: People) -> bool:
    return {people.key, people.address} <= {one.name for one in table.columns}


def _addresses(reader: TableReader, table: Table, people: People) -> dict[str, str]:
    key, address = table.place(people.key), table.place(people.address)
    found = {text_of(row[key]): text_of(row[address]).casefold() for row in _rows(reader, Extract(table), EVERYTHING)}
    return {one: said for one, said in found.items() if said}


def _is_known(stored: Stored) -> bool:
    try:
        by_word(stored.plugin)
    except KeyError:
        return False
    return True


def _known_forms(stored: Stored, view: View, sides: Sides) -> Known:
    here, place = Flat(sides.source, stored, Site()), _place_of(view, stored.prefix)
    mine, theirs = list(_forms(here, view)), list(_forms(_flat_there(sides, stored), view))
    if not _comes_along(stored, place) and isinstance(view.titles, Titles):
        sent_through = {text_of(row.get(view.form)) for row in here.rows(view.entries, here.table.conditions)}
        mine = [one for one in mine if one.key in sent_through]
    return Known(stored.title, place, mine, theirs)


def _comes_along(stored: Stored, place: Place) -> bool:
    """Whether forms that the target has not are moved with their entries."""
    return any(one.table == place[0] and one.role is Role.FORMS for one in stored.tables)


def _forms_of(
    stored: Stored,
    view: View,
    forms: Known,
    hand: Mapping[str, str],
    sides: Sides,
    page: Page,
    numbers: dict[Place, Numbers],
    fields: dict[tuple[str, str], FieldKeys],
    described: list[OfForm],
) -> Matched:
    """A plugin's forms, matched; what follows of it goes into the last three."""
    here, there = Flat(sides.source, stored, Site()), _flat_there(sides, stored)
    place, mine, theirs = forms.place, forms.source, forms.target
    comes_along = _comes_along(stored, place)
    known_numbers = page.numbers.get(place, Numbers())
    keys = {one.key for one in theirs}
    along = {
        one.key: became
        for one in mine
        if one.key not in known_numbers.forms
        and known_numbers.stretches
        and (became := known_numbers.of(one.key)) in keys
    }
    before = {**known_numbers.forms, **along}
    matches = match_forms(mine, theirs, hand, before)
    pairs = {
        one.source.key: one.target.key for one in matches if one.target and along.get(one.source.key) != one.target.key
    }
    nowhere = frozenset() if comes_along else frozenset(one.source.key for one in matches if not one.target)
    now = numbers.get(place, Numbers())
    numbers[place] = replace(now, forms={**now.forms, **pairs}, nowhere=now.nowhere | nowhere)
    told: dict[str, tuple[Sequence[Field], Sequence[Field], FieldKeys]] = {}
    if view.fields is not None:
        for one in matches:
            if one.target and one.source.key in pairs:
                told[one.source.key] = _fields_of(
                    one, here, there, view, stored, sides, page, numbers, fields, described
                )
    shown = tuple(
        replace(one, how=f"{one.how}, which came along") if one.source.key in along and one.how == BEFORE else one
        for one in matches
    )
    return Matched(stored.title, shown, told, comes_along=comes_along)


def _fields_of(
    match: Match,
    here: Flat,
    there: Flat,
    view: View,
    stored: Stored,
    sides: Sides,
    page: Page,
    numbers: dict[Place, Numbers],
    fields: dict[tuple[str, str], FieldKeys],
    described: list[OfForm],
) -> tuple[Sequence[Field], Sequence[Field], FieldKeys]:
    assert match.target is not None
    form = match.source
    mine, theirs = here.fields(form.key), there.fields(match.target.key)
    described.append(OfForm(stored.title, _place_of(view, stored.prefix), form, mine, theirs))
    said = next((one for name in (form.key, form.title, form.slug) if (one := sides.options.fields.get(name))), {})
    hand = described[-1].hand(said)
    if isinstance(view.fields, FieldRows):
        place = (f"{stored.prefix}{view.fields.table}", view.fields.key)
        found = match_fields(mine, theirs, hand, page.numbers.get(place, Numbers()).forms)
        now = numbers.get(place, Numbers())
        numbers[place] = replace(
            now,
            forms={**now.forms, **{key: into for key, into in found.items() if into is not None}},
            nowhere=now.nowhere | {key for key, into in found.items() if into is None},
        )
        return mine, theirs, FieldKeys(found)
    keyed = [one for one in stored.tables if one.keyed]
    if not (mine and theirs and keyed):
        return (), (), FieldKeys()
    before = next((was.keys for part in keyed if (was := page.fields.get((part.table, form.key)))), {})
    found = match_fields(mine, theirs, hand, {key: into for key, into in before.items() if into is not None})
    spare = spare_above([one.key for one in theirs]) if any(one.items for part in keyed for one in part.keyed) else None
    for part in keyed:
        fields[part.table, form.key] = FieldKeys(found, spare)
    return mine, theirs, FieldKeys(found, spare)


def _place_of(view: View, prefix: str) -> Place:
    if isinstance(view.titles, Titles):
        return (f"{prefix}{view.titles.table}", view.titles.key)
    return (f"{prefix}term_taxonomy", "term_taxonomy_id")


def _forms(flat: Flat, view: View) -> Iterator[Form]:
    where = view.titles
    if isinstance(where, Titles):
        only = tuple(Condition(column, Operator.IN, values) for column, values in where.only.items())
        for row in flat.rows(where.table, only):
            slug = text_of(row.get(where.slug)) if where.slug else ""
            yield Form(text_of(row.get(where.key)), flat.title_in(row, where), slug)
    elif isinstance(where, Terms):
        found = {
            text_of(row["term_id"]): text_of(row["term_taxonomy_id"])
            for row in flat.rows("term_taxonomy", (Condition("taxonomy", Operator.IN, (where.taxonomy,)),))
        }
        for row in flat.rows("terms", (Condition("term_id", Operator.IN, tuple(found)),)) if found else ():
            yield Form(found[text_of(row["term_id"])], text_of(row["name"]), text_of(row["slug"]))


# -- whose numbers they are ------------------------------------------------------------------------------------------------


def known_again(sides: Sides, pages: Mapping[str, Page]) -> str:
    """The name under which the target knows this source: that of the page whose entries are the source's, else one that is free. Entries are the
    same where the moments at which they were sent are: these nobody changes. "" where a page has the source's name and nothing tells whether it is
    the source's.
    """
    name = sides.source.server().database or "source"
    own = ""
    for one in sorted(pages, key=lambda one: (one != name, one)):
        alike, other, compared = _evidence(sides, pages[one])
        if alike > other:
            return one
        if one == name and not other:
            own = name if not compared and _forms_agree(sides, pages[one]) else UNSURE
    if own:
        return "" if own == UNSURE else own
    free, count = name, 1
    while free in pages:
        count += 1
        free = f"{name} {count}"
    return free


def _evidence(sides: Sides, page: Page) -> tuple[int, int, bool]:
    """Of a sample of the entries that are at the target where a page says, how many are the source's, how many of the source's are others, and
    whether there were any. Where there are none of those that are moved, those of every plugin count: a plan may have moved them in another step.
    """
    found = _compared(sides, page, {one.table.name: one.moment for one in sides.takings})
    if found[2]:
        return found
    known_ones = stored_by_names(sides.source.tables(), ())
    parts = [part for one in known_ones for part in one.tables if part.role is Role.ENTRIES]
    return _compared(sides, page, {one.table: one.moment for one in parts})


def _compared(sides: Sides, page: Page, moments: Mapping[str, str]) -> tuple[int, int, bool]:
    here, there = ({one.name: one for one in side.tables()} for side in (sides.source, sides.target))
    alike = other = 0
    compared = False
    for (table, own), numbers in page.numbers.items():
        moment, at = moments.get(table), there.get(renamed(table, sides.prefixes))
        if not moment or at is None or table not in here:
            continue
        at = known(at, here[table])
        if not all({own, moment} <= {one.name for one in side.columns} for side in (here[table], at)):
            continue
        for stretch in {*numbers.stretches[:1], *numbers.stretches[-1:]}:
            put = _sample(sides.target, at, own, moment, stretch)
            if not put:
                continue
            compared = True
            wanted = Extract(here[table], (Condition(own, Operator.IN, tuple(put)),))
            for row in _rows(sides.source, wanted, EVERYTHING):
                said = text_of(row[here[table].place(moment)])
                same = put.get(text_of(row[here[table].place(own)])) == said
                alike, other = alike + same, other + (not same)
    return alike, other, compared


def _sample(target: TableReader, at: Table, own: str, moment: str, stretch: Stretch) -> dict[str, str]:
    """Entries of a stretch as they are at the target: the moment by the number at the source. Those without a moment say nothing."""
    inside = (
        Condition(own, Operator.FROM, (str(stretch.after + stretch.by + 1),)),
        Condition(own, Operator.BELOW, (str(stretch.highest + 1),)),
    )
    by_it = Extract(replace(at, paging=Paging.INDEX, page_by=(own,)), inside)
    first = next(iter(target.ranges(by_it, None, SAMPLE)), None)
    if first is None:
        return {}
    return {
        str(int(text_of(row[at.place(own)])) - stretch.by): said
        for row in _rows(target, by_it, first)
        if (said := text_of(row[at.place(moment)])) and not said.startswith("0000")
    }


def _forms_agree(sides: Sides, page: Page) -> bool:
    """Whether the source's forms are called as those at the target that they went to, or the plan says that they are these."""
    alike = other = 0
    for stored in sides.stored:
        view = by_word(stored.plugin).view if not stored.silent and _is_known(stored) else None
        numbers = page.numbers.get(_place_of(view, stored.prefix)) if view and view.titles is not None else None
        if view is None or numbers is None:
            continue
        there = {one.key: one for one in _forms(_flat_there(sides, stored), view)}
        for one in _forms(Flat(sides.source, stored, Site()), view):
            into = there.get(numbers.of(one.key) or "")
            if into is not None:
                same = are_alike(one, into, sides.options.map)
                alike, other = alike + same, other + (not same)
    return alike > other or not other


def _flat_there(sides: Sides, stored: Stored) -> Flat:
    at_target = replace(stored, prefix=renamed(stored.prefix, sides.prefixes), tables=())
    return Flat(sides.target, at_target, Site())


# -- numbers that are given ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Unnumbered:
    """Rows of the source that have come behind all numbers that were given: `lowest` to `highest`."""

    taking: Taking
    own: str
    lowest: int
    highest: int


def unnumbered(sides: Sides, numbering: Numbering) -> Iterator[Unnumbered]:
    """What has to be given numbers yet."""
    for taking in sides.takings:
        own = own_number(taking)
        if not own:
            continue
        upto = numbering.numbers.get((taking.table.name, own), Numbers()).upto
        found = extent(sides.source, taking.table, own, upto)
        if found is None and upto:
            continue
        named = _named(sides, taking, own)
        lowest, highest = found or (1, named)
        if highest:
            yield Unnumbered(taking, own, lowest, max(highest, named))


def _named(sides: Sides, taking: Taking, own: str) -> int:
    """The highest number that a source gave out or still names: what hangs on a row that was deleted may not come under another's."""
    if taking.table.next_number:
        return taking.table.next_number - 1
    return max((highest for _, highest in _naming(sides, taking, own)), default=0)


def _naming(sides: Sides, taking: Taking, own: str, after: int = 0) -> Iterator[tuple[int, int]]:
    """The lowest and the highest number behind `after` in each column of the source that names rows of this table."""
    for one in sides.takings:
        for column, table, key in one.references:
            if (table, key) == (taking.table.name, own) and one.table.column(column).family is Family.INTEGER:
                found = extent(sides.source, one.table, column, after)
                if found is not None:
                    yield found


def extent(reader: TableReader, table: Table, column: str, after: int = 0) -> tuple[int, int] | None:
    """The lowest and the highest number of a column, of those behind `after`; None where there is none. Where no server can be asked, all rows
    are read.
    """
    if not reader.features.checksums and not reader.features.merges:
        place = table.place(column)
        found = [0, 0]
        for row in _rows(reader, Extract(table), EVERYTHING):
            number = int(text_of(row[place]) or 0)
            if number > after:
                found = [min(found[0] or number, number), max(found[1], number)]
        return (found[0], found[1]) if found[1] else None
    by_it = Extract(replace(table, paging=Paging.INDEX, page_by=(column,)))
    start = (str(after),)
    lowest = next(iter(reader.ranges(by_it, start, 1)), None)
    highest = next(iter(reader.ranges(by_it, start, UNDIVIDED)), None)
    if lowest is None or highest is None or lowest.upto is None or highest.upto is None:
        return None
    return int(text_of(lowest.upto[0])), int(text_of(highest.upto[0]))


def give(sides: Sides, target: TableWriter, numbering: Numbering) -> Numbering:
    """The same with numbers for all rows that had none, written down at the target. Callable any number of times. Raises Refused."""
    for _ in range(TURNS):
        was = book.written(target)
        pages = book.pages(was)
        if pages.get(numbering.origin, Page()) != numbering.written:
            break
        others = [page for origin, page in pages.items() if origin != numbering.origin]
        given = replace(numbering, numbers=_with_stretches(sides, target, numbering, others))
        if given.page == numbering.written or book.write(target, was, given.origin, given.page):
            return given
    raise Refused(
        "forms: another run gives ids at the target at the same time.", remedy="Run again when the other one has ended."
    )


def _with_stretches(
    sides: Sides, target: TableWriter, numbering: Numbering, others: Sequence[Page]
) -> dict[Place, Numbers]:
    numbers = dict(numbering.numbers)
    for one in unnumbered(sides, numbering):
        name = one.taking.table.name
        place = (name, one.own)
        now = numbers.get(place, Numbers())
        if one.taking.identity and (at := sides.there().get(name)) is not None:
            now = replace(now, there={**now.there, **_recognised(sides, one, at)})
        beside = Page({other: said for other, said in numbers.items() if _is_one_table(sides, place, other)})
        numbers[place] = now.with_stretch(_stretch(sides, target, now, one, promised([*others, beside], place)))
    return numbers


def _is_one_table(sides: Sides, place: Place, other: Place) -> bool:
    """Whether two tables of the source are one at the target."""
    return place != other and renamed(place[0], sides.prefixes) == renamed(other[0], sides.prefixes)


def promised(others: Iterable[Page], place: Place) -> int:
    """The highest number that rows of these others may get in the table of this place, whether or not they are there by now. Another source may
    call the table otherwise, so whatever ends like it counts.
    """
    table, column = place
    word = table.rpartition("_")[2]
    return max(
        (
            numbers.highest
            for page in others
            for (name, key), numbers in page.numbers.items()
            if key == column and _end_alike(name.rpartition("_")[2], word)
        ),
        default=0,
    )


def _end_alike(one: str, other: str) -> bool:
    return one.endswith(other) or other.endswith(one)


def _stretch(sides: Sides, target: TableWriter, now: Numbers, one: Unnumbered, others: int) -> Stretch:
    for turn in range(TURNS):
        there = sides.there()
        at = there.get(one.taking.table.name)
        # What a busy site gives out between our look and our word is below ours, and the more often it was not, the more it gets.
        ceiling = max(given_out(target, at, one.own) + ROOM * turn, others)
        lowest = one.lowest
        if now.upto < ceiling < lowest:  # else what names a deleted row would be left behind, and only here
            lowest = min([lowest, *(low for low, _ in _naming(sides, one.taking, one.own, now.upto))])
        found = next_stretch(now.stretches, lowest, one.highest, ceiling=ceiling)
        _refuse_too_high(sides.takings, one, there, found.highest)
        if at is None:
            return found
        assert isinstance(target, PutsBeside)  # no other is given rows with new numbers
        target.reserve(at, found.highest)
        ours = (
            Condition(one.own, Operator.FROM, (str(found.after + found.by + 1),)),
            Condition(one.own, Operator.BELOW, (str(found.highest + 1),)),
        )
        if not target.count(Extract(at, ours)):
            return found
    raise Refused(
        f"{one.taking.table.name}: somebody takes numbers at the target as fast as they are looked for.",
        remedy="Run again when the new site is quiet.",
    )


def given_out(target: TableReader, at: Table | None, own: str) -> int:
    """The highest number that a target has or had in a table."""
    if at is None:
        return 0
    there = extent(target, at, own)
    return max(there[1] if there else 0, (at.next_number or 1) - 1)


def _refuse_too_high(takings: Sequence[Taking], one: Unnumbered, there: Mapping[str, Table], highest: int) -> None:
    """Raises Refused where the target's column cannot hold a number, or one that names it cannot."""
    name = one.taking.table.name
    columns = [(there.get(name, one.taking.table), one.own)]
    for taking in takings:
        named = [column for column, table, key in taking.references if (table, key) == (name, one.own)]
        at = there.get(taking.table.name, taking.table)
        columns += [(at, column) for column in named if column in {each.name for each in at.columns}]
    for at, column in columns:
        told = at.column(column)
        if told.family is Family.INTEGER and highest > largest_of(told):
            raise Refused(
                f"new numbers would go up to {highest:,}, and the target's column {at.name}.{column} holds {largest_of(told):,} at most.",
                remedy="Widen the column at the target (bigint), then run again.",
            )


def _recognised(sides: Sides, one: Unnumbered, at: Table) -> dict[str, str]:
    """Entries that the target has already, by what tells them wherever they are: number at the source, number at the target."""
    table, column = one.taking.table, one.taking.identity
    found: dict[str, str] = {}
    among = KeyRange((str(one.lowest - 1),))
    for rows in _portions(_rows(sides.source, one.taking.extract, among), AT_ONCE):
        mine = {
            row[table.place(column)]: text_of(row[table.place(one.own)]) for row in rows if row[table.place(column)]
        }
        if mine:
            wanted = Extract(at, (Condition(column, Operator.IN, tuple(mine)),))
            for row in _rows(sides.target, wanted, EVERYTHING):
                if row[at.place(column)] in mine:
                    found[mine[row[at.place(column)]]] = text_of(row[at.place(one.own)])
    return found


def _rows(reader: TableReader, extract: Extract, among: KeyRange) -> Iterator[Row]:
    for page in reader.rows(extract, among):
        yield from page


def _portions(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    portion: list[Row] = []
    for row in rows:
        portion.append(row)
        if len(portion) == size:
            yield portion
            portion = []
    if portion:
        yield portion
