"""Several sites into one, and a new site that goes on meanwhile: nobody's rows become another's."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from test_forms_renumbering import World, both_sites, cells, emptied, into, of_one

from migrator.engine.contract import Fate
from migrator.errors import Refused
from migrator.forms.filling import Filling
from migrator.forms.remap import book
from migrator.testing.memory_tables import MemoryReader, MemoryTables, MergingWriter

GRAVITY = {"plugins": ("gravity-forms",), "prefixes": {"wp_": "new_"}}


@pytest.fixture
def two_sites() -> World:
    return both_sites()


def without_counters(monkeypatch) -> None:
    """A target whose counters cannot be moved on."""
    monkeypatch.setattr(MergingWriter, "reserve", lambda *_: None)


def notes(world: World) -> list[str]:
    """What is told of rows that were left behind."""
    return [
        one.note
        for key in world.trial.actions()
        for one in world.trial.store.outcomes(f"forms/{world.old.name}>new/{key}")
        if one.fate is Fate.LEFT_BEHIND
    ]


def goes_well(world: World) -> bool:
    result = world.trial.run()
    return not result.codes and not result.left_behind and world.trial.verify().differences == 0


# -- what was settled once -----------------------------------------------------------------------------------------------------


def test_answers_of_a_form_that_the_source_deletes_later_still_go_to_the_targets_fields(two_sites: World) -> None:
    world = World(two_sites.old, two_sites.new, **GRAVITY)
    assert goes_well(world)
    for name in ("wp_gf_form", "wp_gf_form_meta"):
        kept = world.old.kept[name]
        kept.rows = [row for row in kept.rows if row[0] != "1"]
    world.old.kept["wp_gf_entry_meta"].rows.append(("8", "1", "1", "3", "blue later", ""))
    assert goes_well(world)
    assert ("7", "blue later") in cells(world.new, "new_gf_entry_meta", "meta_key", "meta_value")


def test_what_is_written_down_outlives_a_version_that_would_make_its_table_otherwise(two_sites: World) -> None:
    new = two_sites.new
    one, two = into(of_one("one", 2024), new), into(of_one("two", 2025), new)
    assert goes_well(one)
    lines = new.kept["_migrator_numbers given"]
    columns = tuple(replace(column, collation="utf8mb4_general_ci") for column in lines.table.columns)
    lines.table = replace(lines.table, columns=columns)
    assert goes_well(two)
    assert set(book.read(MemoryReader(new))) == {"one", "two"}


@pytest.mark.parametrize("seen", ["12", ""])
def test_rows_that_come_to_light_between_two_stretches_of_numbers_find_their_place(two_sites: World, seen: str) -> None:
    new, old = two_sites.new, of_one("old", 2024)
    kept = old.kept["wp_db7_forms"]
    kept.rows = [(row[0], "3" if row[0] in seen else "4", *row[2:]) for row in kept.rows]
    world = into(old, new, where={"wp_db7_forms": {"form_post_id": "3"}})
    assert goes_well(world)
    number = new.kept["new_db7_forms"].table.next_number or 0
    new.kept["new_db7_forms"].rows.append((str(number), "7", "theirs, later", "2026-05-05 10:00:00"))
    kept.rows.append(("9", "3", "old, later", "2024-05-05 10:00:00"))
    assert goes_well(world)
    store = world.trial.store
    del world.options["where"]
    for _ in range(2):
        world.forget()
        world.trial.store = store
        assert goes_well(world)
        assert Counter(row[2] for row in new.rows("new_db7_forms"))["old"] == 4
        assert len(new.rows("new_db7_forms")) == 2 + 4 + 2
    world.forget()
    assert goes_well(world)
    assert len(new.rows("new_db7_forms")) == 2 + 4 + 2


# -- several sites -------------------------------------------------------------------------------------------------------------


def with_a_second_blog(database: MemoryTables) -> MemoryTables:
    """The same database as one of several blogs: the second one has the same numbers and other entries."""
    for name in [one for one in database.kept if one.startswith("wp_") and one != "wp_users"]:
        kept = database.kept[name]
        second = replace(kept.table, name=name.replace("wp_", "wp_2_", 1))
        rows = (
            [(*row[:2], "second blog", "2023" + str(row[3])[4:]) for row in kept.rows] if "db7" in name else kept.rows
        )
        database.fill(second, rows)
    return database


@pytest.mark.parametrize("there", ["rows", "nothing", "no table"])
@pytest.mark.parametrize("counts_up", [True, False])
def test_two_blogs_of_a_source_go_into_one_table_of_the_target(
    two_sites: World, monkeypatch, there: str, *, counts_up: bool
) -> None:
    if not counts_up:
        without_counters(monkeypatch)
    new, old = two_sites.new, with_a_second_blog(of_one("old", 2024))
    if there == "nothing":
        emptied(new, "new_db7_forms")
    if there == "no table":
        del new.kept["new_db7_forms"]
    theirs = len(new.rows("new_db7_forms")) if there != "no table" else 0
    world = into(old, new, prefixes={"wp_": "new_", "wp_2_": "new_"})
    assert goes_well(world)
    said = Counter(row[2] for row in new.rows("new_db7_forms"))
    assert (said["old"], said["second blog"]) == (4, 4)
    assert len({row[0] for row in new.rows("new_db7_forms")}) == 8 + theirs
    world.forget()
    assert goes_well(world)
    assert len(new.rows("new_db7_forms")) == 8 + theirs


@pytest.mark.parametrize(
    ("counts_up", "moment"),
    [(True, "reserve new_db7_forms"), (False, "shadow numbers given"), (False, "load _migrator_numbers given")],
)
def test_of_two_sites_that_come_at_the_same_moment_neither_gets_the_others_numbers(
    two_sites: World, monkeypatch, moment: str, *, counts_up: bool
) -> None:
    if not counts_up:
        without_counters(monkeypatch)
    new = two_sites.new
    one, two = into(of_one("one", 2024), new), into(of_one("two", 2025), new)

    def refuse(*_: object) -> None:
        raise Refused("stopped.", remedy="Run again.")

    def the_other_comes(what: str) -> None:
        if what.startswith(moment):
            new.before_write = lambda _: None
            with monkeypatch.context() as cut:
                cut.setattr(Filling, "put_beside", refuse)
                two.trial.run()

    new.before_write = the_other_comes
    for world in (one, two, one):
        assert goes_well(world)
    assert Counter(row[2] for row in new.rows("new_db7_forms"))["one"] == 4
    assert Counter(row[2] for row in new.rows("new_db7_forms"))["two"] == 4
    assert set(book.read(MemoryReader(new))) == {"one", "two"}


# -- a new site that goes on ---------------------------------------------------------------------------------------------------


def test_a_table_that_was_made_counts_on_above_the_numbers_that_are_promised(two_sites: World) -> None:
    world = into(two_sites.old, two_sites.new)
    new = world.new
    del new.kept["new_db7_forms"]

    def an_entry_comes(what: str) -> None:
        if what.startswith("swap new_db7"):
            kept = new.kept["new_db7_forms"]
            number = kept.table.next_number or 1
            kept.rows.append((str(number), "7", "theirs", "2027-01-01 00:00:00"))
            kept.table = replace(kept.table, next_number=number + 1)

    new.after_write = an_entry_comes
    assert goes_well(world)
    assert cells(new, "new_db7_forms", "form_id")[-1] == ("8",)
    assert len(new.rows("new_db7_forms")) == 5


def test_a_table_that_the_new_site_makes_meanwhile_is_told_of_the_numbers_that_are_promised(two_sites: World) -> None:
    world = into(two_sites.old, two_sites.new)
    kept = world.new.kept.pop("new_db7_forms")
    empty = replace(kept, rows=[], table=replace(kept.table, next_number=1))

    def the_plugin_is_set_up(what: str) -> None:
        if what.startswith("load _migrator_numbers"):
            world.new.kept["new_db7_forms"] = empty

    world.new.after_write = the_plugin_is_set_up
    assert goes_well(world)
    assert world.new.kept["new_db7_forms"].table.next_number == 8


def test_entries_with_numbers_that_no_database_gives_out_are_left_behind_alone(two_sites: World) -> None:
    world = into(two_sites.old, two_sites.new)
    strange = [(number, "3", "strange", "2026-01-01 00:00:00") for number in ("0", "-5")]
    world.old.kept["wp_db7_forms"].rows += strange
    for _ in range(2):
        result = world.trial.run()
        assert (result.codes, result.left_behind) == (frozenset(), 2)
        assert "2 rows of wp_db7_forms with a number below 1" in notes(world)[0]
        assert len(world.new.rows("new_db7_forms")) == 2 + 4
        assert "strange" not in {row[2] for row in world.new.rows("new_db7_forms")}


@pytest.mark.parametrize(("table", "column"), [("new_gf_entry", "id"), ("new_gf_entry_meta", "entry_id")])
def test_numbers_that_a_column_cannot_hold_are_refused_before_anything_is_put(
    two_sites: World, table: str, column: str
) -> None:
    world = World(two_sites.old, two_sites.new, **GRAVITY)
    kept = world.new.kept[table]
    columns = [replace(one, type="tinyint(3)") if one.name == column else one for one in kept.table.columns]
    kept.table = replace(kept.table, columns=tuple(columns))
    entries = world.new.kept["new_gf_entry"]
    entries.table = replace(entries.table, next_number=126)
    before = len(world.new.rows("new_gf_entry"))
    assert "refused" in world.trial.run().codes
    told = next(row for key, row in world.trial.actions().items() if key.endswith("#numbers"))
    assert f"new numbers would go up to 128, and the target's column {table}.{column} holds 127 at most" in told.why
    assert len(world.new.rows("new_gf_entry")) == before


def an_entry_of_the_new_site_takes_our_number(world: World) -> None:
    """Its counter cannot be moved on, and it goes on between the giving of numbers, when they are sure, and the putting of rows."""
    kept = world.new.kept["new_gf_entry"]
    theirs = ("3", *kept.rows[0][1:3], "2027-01-01 00:00:00", *kept.rows[0][4:])

    def an_entry_comes(what: str) -> None:
        written = sum(one.startswith("load _migrator_numbers") for one in world.new.writes)
        if what.startswith("load _migrator_numbers") and written == 2 and theirs not in kept.rows:
            world.new.kept["new_gf_entry"].rows.append(theirs)

    world.new.after_write = an_entry_comes


@pytest.mark.parametrize("lost", [False, True])
def test_nothing_hangs_on_an_entry_of_the_new_site_that_took_our_number(
    two_sites: World, monkeypatch, *, lost: bool
) -> None:
    without_counters(monkeypatch)
    world = World(two_sites.old, two_sites.new, **GRAVITY)
    an_entry_of_the_new_site_takes_our_number(world)
    assert world.trial.run().left_behind == 1 + 5
    assert any("wp_gf_entry_meta whose entry_id is somebody else's at the target" in note for note in notes(world))
    assert ("3",) not in cells(world.new, "new_gf_entry_meta", "entry_id")
    assert ("5",) in cells(world.new, "new_gf_entry_meta", "entry_id")
    world.new.after_write = lambda _: None
    if lost:
        world.forget()
    assert world.trial.run().left_behind == 1 + 5
    kept = world.new.kept["new_gf_entry"]
    kept.rows = [row for row in kept.rows if row[3] != "2027-01-01 00:00:00"]
    assert goes_well(world)
    assert len(world.new.rows("new_gf_entry_meta")) == 2 + 7


def test_nor_on_one_that_came_while_ours_were_about_to_be_put(two_sites: World, monkeypatch) -> None:
    without_counters(monkeypatch)
    world = World(two_sites.old, two_sites.new, **GRAVITY)
    kept = world.new.kept["new_gf_entry"]
    theirs = ("3", *kept.rows[0][1:3], "2027-01-01 00:00:00", *kept.rows[0][4:])

    def an_entry_comes(what: str) -> None:
        if what.startswith("load new_gf_entry [") and theirs not in world.new.rows("new_gf_entry"):
            world.new.kept["new_gf_entry"].rows.append(theirs)

    world.new.before_write = an_entry_comes
    assert world.trial.run().left_behind
    assert ("3",) not in cells(world.new, "new_gf_entry_meta", "entry_id")
    assert world.trial.run().left_behind == 1 + 5
    assert ("3",) not in cells(world.new, "new_gf_entry_meta", "entry_id")


def test_what_hangs_on_an_entry_that_the_new_site_changed_comes_also_without_a_state(two_sites: World) -> None:
    world = World(two_sites.old, two_sites.new, **GRAVITY)
    world.trial.run()
    kept = world.new.kept["new_gf_entry"]
    kept.rows = [(*row[:-1], "trash") if row[0] == "3" else row for row in kept.rows]
    world.old.kept["wp_gf_entry_meta"].rows.append(("8", "1", "1", "note", "more", ""))
    world.forget()
    assert world.trial.run().left_behind == 1
    assert ("3", "more") in cells(world.new, "new_gf_entry_meta", "entry_id", "meta_value")


def test_a_new_site_that_gives_out_numbers_all_the_time_does_not_keep_ours_from_being_given(two_sites: World) -> None:
    world = into(two_sites.old, two_sites.new)
    kept = world.new.kept["new_db7_forms"]

    def entries_come(what: str) -> None:
        if what.startswith("reserve new_db7_forms"):
            kept = world.new.kept["new_db7_forms"]
            first = max(kept.table.next_number or 1, *(int(row[0]) + 1 for row in kept.rows))
            kept.rows += [(str(first + n), "7", "theirs", "2027-01-01 00:00:00") for n in range(3)]
            kept.table = replace(kept.table, next_number=first + 3)

    world.new.before_write = entries_come
    before = len(kept.rows)
    assert goes_well(world)
    said = Counter(row[2] for row in world.new.rows("new_db7_forms"))
    assert sum(said.values()) - said["theirs"] == before + 4
    assert len({row[0] for row in world.new.rows("new_db7_forms")}) == sum(said.values())
