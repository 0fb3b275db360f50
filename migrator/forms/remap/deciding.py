"""What becomes of a source's forms, fields and users at a target that has its own: what both sides tell is read and matched. Nothing is changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, replace

from migrator.errors import PlanError
from migrator.forms.answers import text_of
from migrator.forms.contract import TableReader
from migrator.forms.fields import Field
from migrator.forms.flat import Flat, Site
from migrator.forms.model import EVERYTHING, Extract, Role, Stored, Table
from migrator.forms.plugins.detect import by_word
from migrator.forms.plugins.known import PEOPLE
from migrator.forms.plugins.shape import FieldRows, People, Titles, View
from migrator.forms.remap import book
from migrator.forms.remap.book import Page, Place
from migrator.forms.remap.matching import (
    BEFORE,
    Form,
    Known,
    Match,
    OfForm,
    hands,
    match_fields,
    match_forms,
    refuse_fields,
)
from migrator.forms.remap.numbers import FieldKeys, Numbers, spare_above
from migrator.forms.remap.recognising import known_again
from migrator.forms.remap.sides import Sides, flat_there, forms_in, is_known, place_of, rows_of
from migrator.forms.taking import renamed
from migrator.frozen import dataclass


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


def decide(sides: Sides, remembered: str) -> Numbering:
    """What both sides, the plan, and what the target has written down make of it; nothing is changed. `remembered` is the name that an earlier
    run gave the source. Without an origin where nothing tells whose numbers are written down. Raises PlanError for a map that cannot be meant.
    """
    pages = book.read(sides.target)
    origin = remembered or known_again(sides, pages)
    if not origin:
        return Numbering()
    draft = _Draft.of(sides, pages.get(origin, Page()))
    plugins = [_plugin(stored, view, sides) for stored in sides.stored if (view := _with_forms(stored))]
    by_hand = hands(sides.options.map, [one.forms for one in plugins])
    matched = tuple(_matched(draft, one, hand) for one, hand in zip(plugins, by_hand, strict=True))
    people = _people(sides, draft.numbers)
    refuse_fields(sides.options.fields, draft.described)
    _refuse_unknown_forms(sides, plugins)
    return Numbering(origin, draft.numbers, draft.fields, matched, people, draft.page)


@dataclass(slots=True)
class _Draft:
    """What is decided, as it grows. It begins with what is written down: that is of other steps too, and of forms that the source has deleted since."""

    sides: Sides
    page: Page
    numbers: dict[Place, Numbers]
    fields: dict[tuple[str, str], FieldKeys]
    described: list[OfForm] = field(default_factory=list)

    @classmethod
    def of(cls, sides: Sides, page: Page) -> _Draft:
        numbers = {place: replace(one, nowhere=frozenset()) for place, one in page.numbers.items()}
        return cls(sides, page, numbers, dict(page.fields))

    def pair(self, place: Place, pairs: Mapping[str, str], nowhere: frozenset[str]) -> None:
        """What becomes of forms or fields, and what has no place."""
        now = self.numbers.get(place, Numbers())
        self.numbers[place] = replace(now, forms={**now.forms, **pairs}, nowhere=now.nowhere | nowhere)


@dataclass(frozen=True, slots=True)
class _Plugin:
    """A plugin whose forms are known by their titles, at both sides."""

    stored: Stored
    view: View
    here: Flat
    there: Flat
    forms: Known

    @property
    def comes_along(self) -> bool:
        """Whether forms that the target has not are moved with their entries."""
        return _comes_along(self.stored, self.forms.place)


def _with_forms(stored: Stored) -> View | None:
    view = by_word(stored.plugin).view if not stored.silent and is_known(stored) else None
    return view if view is not None and view.titles is not None else None


def _plugin(stored: Stored, view: View, sides: Sides) -> _Plugin:
    here, there = Flat(sides.source, stored, Site()), flat_there(sides, stored)
    place = place_of(view, stored.prefix)
    mine, theirs = list(forms_in(here, view)), list(forms_in(there, view))
    if not _comes_along(stored, place) and isinstance(view.titles, Titles):
        sent_through = {text_of(row.get(view.form)) for row in here.rows(view.entries, here.table.conditions)}
        mine = [one for one in mine if one.key in sent_through]
    return _Plugin(stored, view, here, there, Known(stored.title, place, mine, theirs))


def _comes_along(stored: Stored, place: Place) -> bool:
    return any(one.table == place[0] and one.role is Role.FORMS for one in stored.tables)


def _refuse_unknown_forms(sides: Sides, plugins: Sequence[_Plugin]) -> None:
    """Raises PlanError for a form that the plan names and no plugin of the source has."""
    used = {name for plugin in plugins for one in plugin.forms.source for name in (one.key, one.title, one.slug)}
    unknown = [name for name in (*sides.options.map, *sides.options.fields) if name not in used]
    if unknown:
        raise PlanError(
            f"forms: the source has no form {unknown[0]}.",
            remedy="Name a form by its title or its number, as the preview shows them.",
        )


# -- forms and their fields ---------------------------------------------------------------------------------------------------


def _matched(draft: _Draft, plugin: _Plugin, hand: Mapping[str, str]) -> Matched:
    """A plugin's forms, matched; what follows of it goes into the draft."""
    forms = plugin.forms
    along = _came_along(draft.page.numbers.get(forms.place, Numbers()), forms)
    before = {**draft.page.numbers.get(forms.place, Numbers()).forms, **along}
    matches = match_forms(forms.source, forms.target, hand, before)
    pairs = {
        one.source.key: one.target.key for one in matches if one.target and along.get(one.source.key) != one.target.key
    }
    left = frozenset() if plugin.comes_along else frozenset(one.source.key for one in matches if not one.target)
    draft.pair(forms.place, pairs, left)
    told = {}
    if plugin.view.fields is not None:
        told = {
            one.source.key: _fields_of(draft, plugin, one.source, one.target)
            for one in matches
            if one.target and one.source.key in pairs
        }
    shown = tuple(
        replace(one, how=f"{one.how}, which came along") if one.source.key in along and one.how == BEFORE else one
        for one in matches
    )
    return Matched(forms.title, shown, told, comes_along=plugin.comes_along)


def _came_along(numbers: Numbers, forms: Known) -> dict[str, str]:
    """Forms that an earlier run has brought, each with its number at the target."""
    keys = {one.key for one in forms.target}
    return {
        one.key: became
        for one in forms.source
        if one.key not in numbers.forms and numbers.stretches and (became := numbers.of(one.key)) in keys and became
    }


def _fields_of(
    draft: _Draft, plugin: _Plugin, form: Form, into: Form
) -> tuple[Sequence[Field], Sequence[Field], FieldKeys]:
    """The fields of a form and of its counterpart, and what their keys become."""
    stored, view = plugin.stored, plugin.view
    mine, theirs = plugin.here.fields(form.key), plugin.there.fields(into.key)
    of_form = OfForm(stored.title, plugin.forms.place, form, mine, theirs)
    draft.described.append(of_form)
    by_hand = draft.sides.options.fields
    said = next((one for name in (form.key, form.title, form.slug) if (one := by_hand.get(name))), {})
    hand = of_form.hand(said)
    if isinstance(view.fields, FieldRows):
        place = (f"{stored.prefix}{view.fields.table}", view.fields.key)
        found = match_fields(mine, theirs, hand, draft.page.numbers.get(place, Numbers()).forms)
        pairs = {key: to for key, to in found.items() if to is not None}
        draft.pair(place, pairs, frozenset(found.keys() - pairs.keys()))
        return mine, theirs, FieldKeys(found)
    keyed = [one for one in stored.tables if one.keyed]
    if not (mine and theirs and keyed):
        return (), (), FieldKeys()
    before = next((was.keys for part in keyed if (was := draft.page.fields.get((part.table, form.key)))), {})
    found = match_fields(mine, theirs, hand, {key: to for key, to in before.items() if to is not None})
    spare = spare_above([one.key for one in theirs]) if any(one.items for part in keyed for one in part.keyed) else None
    for part in keyed:
        draft.fields[part.table, form.key] = FieldKeys(found, spare)
    return mine, theirs, FieldKeys(found, spare)


# -- people ----------------------------------------------------------------------------------------------------------------------


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
    found = {text_of(row[key]): text_of(row[address]).casefold() for row in rows_of(reader, Extract(table), EVERYTHING)}
    return {one: said for one, said in found.items() if said}
