"""Which tables wait because another one of the same entries cannot be moved: entries without their answers, or answers that hang on somebody
else's entries, are worse than none. Pure.

What surprises: plugins share tables of the site, and each is moved once. So a plugin waits for a table only where it has rows of its own there; and
a shared table in which it only has its forms' descriptions does not wait with it. What is aside is nobody's parent.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

from migrator.forms.model import Role, Stored, StoredTable


def waiting(
    stuck: Collection[str], stored: Sequence[Stored], has_rows: Callable[[StoredTable], bool]
) -> dict[str, str]:
    """The tables that wait when these are not moved, each with the one that it waits for. `has_rows` says whether a plugin has any in a part."""
    waits_for = {name: name for name in stuck}
    held: dict[int, str] = {}
    while True:
        for at, one in enumerate(stored):
            first = next(_lacked(one, waits_for, has_rows), None)
            if first is not None:
                held.setdefault(at, waits_for[first])
        fresh = dict(_held_with(stored, held, waits_for))
        if not fresh:
            return {name: other for name, other in waits_for.items() if name not in stuck}
        waits_for |= fresh


def _lacked(one: Stored, stuck: Collection[str], has_rows: Callable[[StoredTable], bool]) -> Iterator[str]:
    """The tables among these in which a plugin has rows."""
    return (part.table for part in one.tables if not part.aside and part.table in stuck and has_rows(part))


def _held_with(stored: Sequence[Stored], held: dict[int, str], known: Collection[str]) -> Iterator[tuple[str, str]]:
    """Tables that wait with plugins that do: where one of these keeps more than what describes its forms, or where nobody else keeps anything."""
    users: dict[str, list[tuple[int, StoredTable]]] = {}
    for at, one in enumerate(stored):
        for part in one.tables:
            if not part.aside and part.table not in known:
                users.setdefault(part.table, []).append((at, part))
    for name, parts in users.items():
        waits = [held[at] for at, _ in parts if at in held]
        entries = [held[at] for at, part in parts if at in held and part.role is not Role.FORMS]
        if entries or len(waits) == len(parts):
            yield name, [*entries, *waits][0]
