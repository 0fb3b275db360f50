"""What a target remembers of the numbers it has given to a source's rows: a small table of ours beside the site's, `_migrator_numbers given`.

What surprises: it lies at the target, not in our state. So it is as old as the rows it speaks of, a lost state loses nothing, and a second site
that is moved into the same database has lines of its own. It is written at once or not at all, before the first row that follows it, and
before the target is told which numbers are taken: so a run that dies meanwhile is gone on with under the same numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from typing import Final, TypeAlias

from migrator.errors import NotFound, Refused
from migrator.forms.answers import text_of
from migrator.forms.contract import SHADOW, TableReader, TableWriter
from migrator.forms.model import EVERYTHING, Column, Extract, Row, Table, checksum_of
from migrator.forms.remap.numbers import FieldKeys, Numbers, Stretch
from migrator.frozen import dataclass

Place: TypeAlias = tuple[str, str]  # a table of the source and its column that others name
_UTF8: Final = ("utf8mb4", "utf8mb4_bin")
TABLE: Final = Table(
    "numbers given",
    tuple(
        Column(name, "varchar(255)", nullable=False, charset=_UTF8[0], collation=_UTF8[1])
        for name in ("origin", "place", "kind", "source", "upto", "target")
    ),
    engine="InnoDB",
    charset=_UTF8[0],
    collation=_UTF8[1],
)
_THERE: Final = replace(TABLE, name=SHADOW + TABLE.name)
STRETCH, WISH, FORM, ENTRY, NOWHERE = "stretch", "wish", "form", "entry", "nowhere"  # a wish is not sure yet
FIELD, NO_FIELD, SPARE = "field", "no field", "spare"
_OF_FIELDS: Final = frozenset({FIELD, NO_FIELD, SPARE})
PLACED = "."  # between a table and its column, in `place`


@dataclass(frozen=True, slots=True)
class Page:
    """What is written of one source: numbers by place, and keys of fields by table and form."""

    numbers: Mapping[Place, Numbers] = field(default_factory=dict)
    fields: Mapping[tuple[str, str], FieldKeys] = field(default_factory=dict)


def read(target: TableReader) -> dict[str, Page]:
    """Every page, by its source; none where nothing was ever written."""
    return pages(written(target))


def written(target: TableReader) -> list[Row]:
    """The same as it stands there."""
    try:
        return [row for page in target.rows(Extract(_THERE), EVERYTHING) for row in page]
    except NotFound:
        return []


def write(target: TableWriter, was: Sequence[Row], origin: str, page: Page) -> bool:
    """Put a source's page in the place of the one that is there. Where anything else than `was` is written by now, whosever it is, nothing is
    changed and the answer is no: numbers that were found free may be another's.
    """
    if not _is_there(target):
        target.shadow(TABLE)
    rows = [*(row for row in was if text_of(row[0]) != origin), *lines(origin, page)]
    try:
        target.load(Extract(_THERE), EVERYTHING, rows, checksum_of(was))
    except Refused:
        if Counter(written(target)) == Counter(was):
            raise
        return False
    return True


def _is_there(target: TableReader) -> bool:
    """Whether the table is there, of whatever shape: a shadow of another shape would be made anew, without its rows."""
    try:
        target.count(Extract(_THERE))
    except NotFound:
        return False
    return True


# -- pure ------------------------------------------------------------------------------------------------------------------


def lines(origin: str, page: Page) -> list[Row]:
    """A page as rows."""
    found: list[Row] = []
    for (table, column), numbers in page.numbers.items():
        place = f"{table}{PLACED}{column}"
        found += [
            (origin, place, STRETCH if one.sure else WISH, str(one.after), str(one.upto), str(one.by))
            for one in numbers.stretches
        ]
        found += [(origin, place, FORM, source, "", target) for source, target in numbers.forms.items()]
        found += [(origin, place, ENTRY, source, "", target) for source, target in numbers.there.items()]
        found += [(origin, place, NOWHERE, source, "", "") for source in numbers.nowhere]
    for (table, form), keys in page.fields.items():
        place = f"{table}{PLACED}{form}"
        for source, target in keys.keys.items():
            found.append((origin, place, NO_FIELD if target is None else FIELD, source, "", target or ""))
        if keys.spare is not None:
            found.append((origin, place, SPARE, "", "", str(keys.spare)))
    return sorted(found, key=repr)


def pages(rows: Sequence[Row]) -> dict[str, Page]:
    """Rows as pages, by source."""
    found: dict[str, dict[Place, list[tuple[str, ...]]]] = {}
    for row in rows:
        origin, placed, *said = map(text_of, row)
        table, _, column = placed.rpartition(PLACED)
        found.setdefault(origin, {}).setdefault((table, column), []).append(tuple(said))
    return {origin: _page(places) for origin, places in found.items()}


def _page(places: Mapping[Place, Sequence[tuple[str, ...]]]) -> Page:
    numbers, fields = {}, {}
    for place, said in places.items():
        if any(kind in _OF_FIELDS for kind, *_ in said):
            fields[place] = _field_keys(said)
        else:
            numbers[place] = _numbers(said)
    return Page(numbers, fields)


def _numbers(said: Sequence[tuple[str, ...]]) -> Numbers:
    stretches = [
        Stretch(int(source), int(upto), int(by), sure=kind == STRETCH)
        for kind, source, upto, by in said
        if kind in {STRETCH, WISH}
    ]
    return Numbers(
        tuple(sorted(stretches, key=lambda one: one.upto)),
        {source: target for kind, source, _, target in said if kind == FORM},
        {source: target for kind, source, _, target in said if kind == ENTRY},
        frozenset(source for kind, source, *_ in said if kind == NOWHERE),
    )


def _field_keys(said: Sequence[tuple[str, ...]]) -> FieldKeys:
    keys: dict[str, str | None] = {source: target for kind, source, _, target in said if kind == FIELD}
    lacking = dict.fromkeys(source for kind, source, *_ in said if kind == NO_FIELD)
    spare = next((int(target) for kind, _, _, target in said if kind == SPARE), None)
    return FieldKeys({**keys, **lacking}, spare)
