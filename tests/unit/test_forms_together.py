"""Which tables wait when others of the same plugins are not moved."""

from __future__ import annotations

from migrator.forms.model import Condition, Operator, Role, Stored, StoredTable
from migrator.forms.together import waiting


def part(table: str, role: Role, of: str = "", *, aside: bool = False) -> StoredTable:
    only = (Condition("post_type", Operator.IN, (of,)),) if of else ()
    return StoredTable(table, role, only, aside=aside)


CFDB7 = Stored("cfdb7", "CFDB7", tables=(part("posts", Role.FORMS, "form"), part("entries", Role.ENTRIES)))
FLAMINGO = Stored(
    "flamingo",
    "Flamingo",
    tables=(
        part("posts", Role.ENTRIES, "message"),
        part("meta", Role.VALUES),
        part("ties", Role.NOTES),
        part("terms", Role.NOTES, aside=True),
    ),
)
JETPACK = Stored("jetpack", "Jetpack", tables=(part("posts", Role.ENTRIES, "feedback"), part("meta", Role.VALUES)))


def waits(stuck: str, *stored: Stored, without: tuple[StoredTable, ...] = ()) -> dict[str, str]:
    return waiting({stuck}, stored, lambda one: one not in without)


def test_a_plugins_tables_go_together() -> None:
    assert waits("meta", FLAMINGO) == {"posts": "meta", "ties": "meta"}
    assert waits("posts", FLAMINGO) == {"meta": "posts", "ties": "posts"}
    assert waits("entries", CFDB7) == {"posts": "entries"}


def test_what_is_aside_is_nobodys_parent_and_waits_for_nothing() -> None:
    assert waits("terms", FLAMINGO) == {}
    assert "terms" not in waits("posts", FLAMINGO)


def test_a_plugin_waits_for_a_shared_table_only_where_it_has_rows_there() -> None:
    assert waits("posts", CFDB7, FLAMINGO) == {"entries": "posts", "meta": "posts", "ties": "posts"}
    without = waits("posts", CFDB7, FLAMINGO, without=(CFDB7.tables[0],))
    assert without == {"meta": "posts", "ties": "posts"}


def test_descriptions_in_a_shared_table_do_not_hold_up_whose_entries_are_there() -> None:
    assert waits("entries", CFDB7, FLAMINGO) == {}


def test_entries_in_a_shared_table_wait_together() -> None:
    assert waits("ties", FLAMINGO, JETPACK) == {"posts": "ties", "meta": "ties"}


def test_a_table_of_no_plugin_waits_for_nothing_and_holds_up_nothing() -> None:
    assert waits("named", FLAMINGO, CFDB7) == {}
