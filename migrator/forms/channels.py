"""Whether terms that tell the forms of entries mean the same at the target. Entries name a term by its number alone, and where that is another
term's they would be filed under it: messages under News.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from migrator.forms.answers import text_of
from migrator.forms.contract import TableReader
from migrator.forms.model import EVERYTHING, Condition, Extract, Operator, Stored, Table, Value
from migrator.forms.plugins.detect import by_word
from migrator.forms.plugins.shape import Terms
from migrator.forms.taking import renamed
from migrator.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Strange:
    """Why nothing of the plugins `told`, by title, can be put with the numbers it has."""

    told: frozenset[str]
    why: str


@dataclass(frozen=True, slots=True)
class _Term:
    number: str
    taxonomy: str
    slug: str
    name: str


def strange_terms(
    source: TableReader, target: TableReader, stored: Sequence[Stored], prefixes: Mapping[str, str]
) -> Strange | None:
    """None where no term of these plugins has a number that is another term's at a target which has rows of its own. A channel that the target
    does not have is none's.
    """
    if not target.features.merges:
        return None
    here, there = ({one.name: one for one in side.tables()} for side in (source, target))
    told, clashes = set(), []
    for one in stored:
        view = None if one.silent else by_word(one.plugin).view
        if view is None or not isinstance(view.titles, Terms):
            continue
        at = renamed(f"{one.prefix}term_taxonomy", prefixes).removesuffix("term_taxonomy")
        mine = list(_terms(source, here, one.prefix, "taxonomy", (view.titles.taxonomy,)))
        theirs = {
            each.number: each for each in _terms(target, there, at, "term_taxonomy_id", [each.number for each in mine])
        }
        for term in mine:
            other = theirs.get(term.number, term)
            if (other.taxonomy, other.slug) != (term.taxonomy, term.slug):
                told.add(one.title)
                clashes.append(
                    f"{one.title} files its messages of {term.name} under term {term.number}, which at the target is {other.name} ({other.taxonomy})"
                )
    if not clashes:
        return None
    more = f", and {len(clashes) - 1:,} more" if len(clashes) > 1 else ""
    return Strange(
        frozenset(told), f"{clashes[0]}{more}; say `existing: remap`, which files them under the target's own"
    )


def _terms(
    reader: TableReader, tables: Mapping[str, Table], prefix: str, column: str, values: Sequence[Value]
) -> Iterator[_Term]:
    taxonomies, terms = tables.get(f"{prefix}term_taxonomy"), tables.get(f"{prefix}terms")
    if taxonomies is None or terms is None or not values:
        return
    found = list(_cells(reader, taxonomies, column, values))
    named = {
        text_of(row["term_id"]): row for row in _cells(reader, terms, "term_id", [row["term_id"] for row in found])
    }
    for row in found:
        term = named.get(text_of(row["term_id"]), {})
        name = text_of(term.get("name")) or "a term without a name"
        yield _Term(text_of(row["term_taxonomy_id"]), text_of(row["taxonomy"]), text_of(term.get("slug")), name)


def _cells(reader: TableReader, table: Table, column: str, values: Sequence[Value]) -> Iterator[Mapping[str, Value]]:
    if not values:
        return
    wanted = Extract(table, (Condition(column, Operator.IN, tuple(values)),))
    names = [one.name for one in table.columns]
    for page in reader.rows(wanted, EVERYTHING):
        yield from (dict(zip(names, row, strict=True)) for row in page)
