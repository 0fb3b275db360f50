"""Entries beside others with new numbers: every plugin's, into a site that has the same numbers already."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from migrator.engine.contract import Fate, Login, Verb
from migrator.engine.stage import Stage
from migrator.errors import PlanError, Refused
from migrator.forms.adapters.dump import ADAPTER as DUMP
from migrator.forms.adapters.dump import Options
from migrator.forms.filling import Filling
from migrator.forms.flat import Flat, Site
from migrator.forms.model import EVERYTHING, Extract
from migrator.forms.options import FormsOptions
from migrator.forms.plugins import detect
from migrator.forms.plugins.known import KNOWN
from migrator.forms.plugins.shape import System, Titles
from migrator.forms.remap import book
from migrator.forms.remap.numbers import Numbers, Stretch
from migrator.forms.step import KIND
from migrator.testing.memory_tables import MemoryReader, MemoryTables, MergingWriter, TablesRoute
from migrator.testing.trial import Trial

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "forms"
STORING = [one.word for one in KNOWN if one.parts]
RECOGNISED = {"cfdb"} | {one.word for one in KNOWN for part in one.parts if part.identity}
# Not here: what a number as high as its column can hold, a table without transactions, or a field that nobody describes any more make of it.
MEANT = {"4294967295": "3", "MyISAM": "InnoDB", "_field_99": "_field_4", "'77'": "'9'"}


def filled(database: MemoryTables, path: Path) -> MemoryTables:
    """A database with what a dump holds."""
    with closing(DUMP.reader(Options(path=path), Login("", ""))) as reader:
        for table in reader.tables():
            rows = [row for page in reader.rows(Extract(table), EVERYTHING) for row in page]
            database.fill(table, rows)
    return database


def site(name: str, path: Path, *words: str) -> MemoryTables:
    whole = path / f"{name}.sql"
    text = "\n".join((FIXTURES / f"{word}.sql").read_text() for word in words)
    for told, meant in MEANT.items():
        text = text.replace(told, meant)
    whole.write_text(text)
    return filled(MemoryTables(name, page=5), whole)


def answers(database: MemoryTables, word: str) -> Counter[tuple[str, str]]:
    """What people read of a plugin's entries: the form's title, and what was answered under which label."""
    reader = MemoryReader(database)
    found: Counter[tuple[str, str]] = Counter()
    for stored in detect.present(reader, (word,)):
        for entry in Flat(reader, stored, Site()).entries():
            said = sorted((one.label or one.key, repr(one.value)) for one in entry.answers)
            found[entry.header["form_title"], repr(said)] += 1
    return found


class World:
    """Two sites, a plan, and a state that may be lost."""

    def __init__(self, old: MemoryTables, new: MemoryTables, **options: object) -> None:
        self.old, self.new = old, new
        self.options = {"existing": "remap", **options}
        self.forget()

    def forget(self) -> None:
        step = KIND.build(FormsOptions(**self.options), ())
        self.trial = Trial([Stage("forms", "forms", step, TablesRoute(self.old, self.new))])

    def rows(self) -> dict[str, list]:
        return {name: sorted(kept.rows, key=repr) for name, kept in self.new.kept.items()}


@pytest.mark.parametrize("word", STORING)
def test_entries_stand_beside_others_of_the_same_numbers_and_say_what_they_said(word: str, tmp_path: Path) -> None:
    system = detect.by_word(word).system
    words = ["wordpress", word] if system is System.WORDPRESS else [word]
    world = World(site("old", tmp_path, *words), site("new", tmp_path, *words), plugins=(word,))
    before, theirs = answers(world.old, word), world.rows()
    result = world.trial.run()
    left = [
        one
        for key in world.trial.actions()
        for one in world.trial.store.outcomes(f"forms/old>new/{key}")
        if one.fate is Fate.LEFT_BEHIND
    ]
    assert not result.codes, [(row.label, row.why) for row in world.trial.actions().values()]
    assert not left, left
    times = 1 if word in RECOGNISED else 2
    assert answers(world.new, word) == Counter({said: times * count for said, count in before.items()})
    for name, rows in theirs.items():
        assert not Counter(rows) - Counter(world.new.kept[name].rows), name
    assert world.trial.verify().differences == 0
    after = world.rows()
    world.trial.run()
    assert world.rows() == after
    world.forget()
    world.trial.run()
    assert world.rows() == after
    assert world.trial.verify().differences == 0


# -- two sites whose forms have other numbers ------------------------------------------------------------------------------------

BY_HAND = {"map": {"Application": "Bewerbung"}}
PLUGINS = ("cfdb7", "flamingo", "wpforms", "gravity-forms")


def both_sites() -> World:
    old, new = (filled(MemoryTables(name, page=5), FIXTURES / "two-sites" / f"{name}.sql") for name in ("old", "new"))
    return World(old, new, plugins=PLUGINS, prefixes={"wp_": "new_"}, forms=BY_HAND)


@pytest.fixture
def two_sites() -> World:
    return both_sites()


def cells(database: MemoryTables, table: str, *columns: str) -> list[tuple]:
    kept = database.kept[table]
    return [tuple(row[kept.table.place(one)] for one in columns) for row in database.rows(table)]


def test_entries_go_under_the_targets_forms_and_fields_of_the_same_names(two_sites: World) -> None:
    world = two_sites
    theirs = world.rows()
    result = world.trial.run()
    assert not result.codes
    new = world.new
    assert cells(new, "new_db7_forms", "form_id", "form_post_id") == [
        ("1", "7"), ("2", "8"), ("3", "7"), ("4", "7"), ("5", "8"), ("9", "7"),
    ]  # fmt: skip
    assert cells(new, "new_gf_form", "id", "title") == [("2", "Newsletter"), ("4", "Order"), ("6", "Survey")]
    assert cells(new, "new_gf_entry", "id", "form_id", "post_id", "created_by", "is_read")[2:] == [
        ("3", "4", "14", "0", "0"), ("4", "4", None, "1", "0"), ("5", "6", None, None, "0"),
    ]  # fmt: skip
    assert cells(new, "new_gf_entry_meta", "entry_id", "form_id", "meta_key")[2:] == [
        ("3", "4", "4.3"), ("3", "4", "4.6"), ("3", "4", "5"), ("3", "4", "7"), ("3", "4", "processed_feeds"), ("4", "4", "5"), ("5", "6", "1"),
    ]  # fmt: skip
    described = next(row[1] for row in new.rows("new_gf_form_meta") if row[0] == "6")
    assert (
        described
        == '{"id":6,"title":"Survey","fields":[{"id":1,"type":"text","label":"What?","formId":6,"inputs":null}]}'
    )
    entries = cells(new, "new_wpforms_entries", "entry_id", "form_id", "user_id", "fields")
    assert [row[:3] for row in entries] == [("1", "12", "0"), ("2", "12", "0"), ("3", "12", "1"), ("4", "18", "0")]
    assert entries[1][3] == (
        '{"3":{"name":"Name","value":"Ana P\\u00e9rez","id":3,"type":"name"},'
        '"1":{"name":"E-mail","value":"ana@example.com","id":1,"type":"email"},'
        '"1002":{"name":"Fax","value":"+49 30\\/1","id":1002,"type":"text"}}'
    )
    assert cells(new, "new_wpforms_entry_fields", "entry_id", "form_id", "field_id")[1:] == [
        ("2", "12", "3"), ("2", "12", "1"), ("2", "12", "1002"), ("3", "12", "3"), ("4", "18", "1"),
    ]  # fmt: skip
    brought = next(row for row in new.rows("new_posts") if row[0] == "18")
    assert brought[4] == '{"id":"18","fields":{"1":{"id":"1","type":"name","label":"Name"}}}'
    assert cells(new, "new_term_relationships", "object_id", "term_taxonomy_id") == [
        ("1", "1"),
        ("5", "9"),
        ("19", "9"),
        ("20", "9"),
    ]
    assert cells(new, "new_posts", "ID", "post_author", "post_type")[-4:] == [
        ("18", "0", "wpforms"), ("19", "1", "flamingo_inbound"), ("20", "0", "flamingo_inbound"), ("21", "0", "flamingo_contact"),
    ]  # fmt: skip
    for name, rows in theirs.items():
        assert not Counter(rows) - Counter(world.rows()[name]), name
    assert world.trial.verify().differences == 0


def test_a_preview_tells_of_forms_and_fields_as_a_table_and_writes_nothing(two_sites: World) -> None:
    (stage,) = two_sites.trial.preview().stages
    action = next(action for _, action in stage.actions if action.key.endswith("#numbers"))
    assert (action.verb, action.why) == (
        Verb.CREATE,
        "6 forms have a counterpart at the target, 2 come along; 1 of 2 users are known there by their address; rows of 8 tables get numbers at the target",
    )
    assert [" ".join(line.split()) for line in action.details] == [
        "= Contact Form CFDB7: Contact (3) -> CONTACT (7), by title",
        "= Contact Form CFDB7: Application (4) -> Bewerbung (8), by hand",
        "= Flamingo: Contact Form 7 (1) -> Contact Form 7 (2), by title",
        "= Flamingo: Contact (2) -> Contact (9), by title",
        "= WPForms: Call me (5) -> Call me (12), by title",
        "= field Name (0) -> Name (3)",
        "= field E-mail (1) -> E-mail (1)",
        "! field Fax (2) -> no counterpart: its answers stay with their entries, as field 1002",
        "+ WPForms: Party / Fête (6) -> comes along as a new form",
        "= Gravity Forms: Order (1) -> Order (4), by title",
        "= field Name (1) -> Name (4)",
        "= field First (1.3) -> First (4.3)",
        "= field Last (1.6) -> Last (4.6)",
        "= field E-mail (2) -> e-mail (5)",
        "= field Colour (3) -> Colour (7)",
        "+ Gravity Forms: Survey (2) -> comes along as a new form",
    ]
    assert not two_sites.new.writes


def grown(world: World) -> None:
    """A day later: entries have come at both sites, one at the old has been changed, one of ours at the new."""
    world.old.kept["wp_db7_forms"].rows.append(("11", "4", "came later", "2026-03-05 10:00:00"))
    world.new.kept["new_db7_forms"].rows.append(
        (str(world.new.kept["new_db7_forms"].table.next_number), "7", "theirs, later", "2026-05-05 10:00:00")
    )
    rows = world.old.kept["wp_gf_entry_meta"].rows
    rows[3] = (*rows[3][:4], "blue", *rows[3][5:])
    rows.append(("8", "2", "3", "1", "more", ""))


@pytest.mark.parametrize("lost", [False, True])
def test_a_later_run_brings_what_has_come_and_changed_also_without_its_state(two_sites: World, lost) -> None:
    world = two_sites
    world.trial.run()
    before = world.rows()
    grown(world)
    if lost:
        world.forget()
    result = world.trial.run()
    assert not result.codes
    fresh = {name: list((Counter(rows) - Counter(before[name])).elements()) for name, rows in world.rows().items()}
    assert [row[2] for row in fresh["new_db7_forms"]] == ["theirs, later", "came later"]
    assert len({row[0] for row in world.new.rows("new_db7_forms")}) == len(world.new.rows("new_db7_forms")) == 8
    told = sorted(str(row[4]) for row in fresh["new_gf_entry_meta"])
    assert told == (["more"] if lost else ["blue", "more"])  # without a state nobody knows who has changed it
    assert len(world.new.rows("new_gf_entry_meta")) == 2 + 8
    told = [one.note for one in world.trial.store.outcomes("forms/old>new/database/wp_gf_entry_meta")]
    assert any("1 row is at the target and says something else by now" in note for note in told) == lost
    assert result.left_behind == (1 if lost else 0)
    assert world.trial.verify().differences == 0
    after = world.rows()
    world.trial.run()
    assert world.rows() == after


def test_another_site_of_the_same_name_gets_numbers_of_its_own(two_sites: World) -> None:
    world = two_sites
    world.trial.run()
    other = filled(MemoryTables("old", page=5), FIXTURES / "two-sites" / "old.sql")
    kept = other.kept["wp_db7_forms"]
    kept.rows = [(row[0], row[1], "of the other site", f"2025-01-0{row[0]} 10:00:00") for row in kept.rows]
    second = World(other, world.new, plugins=("cfdb7",), prefixes={"wp_": "new_"}, forms=BY_HAND)
    assert not second.trial.run().codes
    said = [row[2] for row in world.new.rows("new_db7_forms")]
    assert (len(said), said.count("of the other site")) == (10, 4)
    assert second.trial.verify().differences == 0
    assert world.trial.verify().differences == 0


# -- what is given to one is nobody else's -------------------------------------------------------------------------------------


def of_one(name: str, year: int) -> MemoryTables:
    """A site of its own: the same numbers, other entries."""
    database = filled(MemoryTables(name, page=5), FIXTURES / "two-sites" / "old.sql")
    kept = database.kept["wp_db7_forms"]
    kept.rows = [(row[0], row[1], name, f"{year}-01-0{row[0]} 10:00:00") for row in kept.rows]
    return database


def emptied(database: MemoryTables, *tables: str) -> None:
    for name in tables:
        kept = database.kept[name]
        kept.rows.clear()
        kept.table = replace(kept.table, next_number=1)


def into(old: MemoryTables, new: MemoryTables, **options: object) -> World:
    return World(old, new, **{"plugins": ("cfdb7",), "prefixes": {"wp_": "new_"}, "forms": BY_HAND, **options})


@pytest.mark.parametrize("counts_up", [True, False])
def test_numbers_promised_to_a_site_whose_run_was_cut_off_are_not_given_to_another(
    two_sites: World, monkeypatch, *, counts_up: bool
) -> None:
    new = two_sites.new
    emptied(new, "new_db7_forms")
    if not counts_up:
        monkeypatch.setattr(MergingWriter, "reserve", lambda *_: None)
    one, two = into(of_one("one", 2024), new), into(of_one("two", 2025), new)

    def refuse(*_: object) -> None:
        raise Refused("stopped.", remedy="Run again.")

    with monkeypatch.context() as cut:
        cut.setattr(Filling, "put_beside", refuse)
        assert one.trial.run().codes == {"refused"}
    assert not new.rows("new_db7_forms")
    for world in (two, one):
        result = world.trial.run()
        assert (result.codes, result.left_behind) == (frozenset(), 0)
        assert world.trial.verify().differences == 0
    assert Counter(cells(new, "new_db7_forms", "form_value")) == Counter({("one",): 4, ("two",): 4})


def test_rows_that_a_condition_held_back_have_their_place_when_another_site_has_come(two_sites: World) -> None:
    new = two_sites.new
    emptied(new, "new_db7_forms")
    one, two = into(of_one("one", 2024), new, where={"wp_db7_forms": {"form_id": "7"}}), into(of_one("two", 2025), new)
    three = two.old.kept["wp_db7_forms"]
    three.rows, three.table = three.rows[:3], replace(three.table, next_number=5)
    for world in (one, two):
        assert world.trial.run().left_behind == 0
    store = one.trial.store
    del one.options["where"]
    one.forget()
    one.trial.store = store
    assert one.trial.run().left_behind == 0
    assert Counter(cells(new, "new_db7_forms", "form_value")) == Counter({("one",): 4, ("two",): 3})
    assert one.trial.verify().differences == 0


def test_rows_at_the_numbers_of_others_are_told_and_stay_however_often_it_runs(two_sites: World) -> None:
    world = two_sites
    world.trial.run()
    kept = world.new.kept["new_db7_forms"]
    kept.rows = [(*row[:2], "said at the new site", row[3]) if row[0] == "3" else row for row in kept.rows]
    world.forget()
    for _ in range(2):
        assert world.trial.run().left_behind == 1
        assert ("3", "said at the new site") in cells(world.new, "new_db7_forms", "form_id", "form_value")


@pytest.mark.parametrize("there", ["nothing", "one row", "its own"])
def test_what_hangs_on_a_deleted_entry_comes_whatever_the_target_has(two_sites: World, there: str) -> None:
    world = World(two_sites.old, two_sites.new, plugins=("gravity-forms",), prefixes={"wp_": "new_"})
    entries = world.old.kept["wp_gf_entry"]
    entries.rows = [row for row in entries.rows if row[0] != "1"]
    if there != "its own":
        first = world.new.rows("new_gf_entry")[0]
        emptied(world.new, "new_gf_entry", "new_gf_entry_meta")
        if there == "one row":
            world.new.kept["new_gf_entry"].rows.append(("1", *first[1:]))
    before = len(world.new.rows("new_gf_entry_meta"))
    result = world.trial.run()
    assert (result.codes, result.left_behind) == (frozenset(), 0)
    assert len(world.new.rows("new_gf_entry_meta")) == before + len(world.old.rows("wp_gf_entry_meta"))
    if there == "one row":
        of_deleted = cells(world.new, "new_gf_entry_meta", "entry_id")
        assert ("1",) not in of_deleted


def test_two_steps_into_one_site_remember_each_others_fields(two_sites: World) -> None:
    world = two_sites
    ways = TablesRoute(world.old, world.new)
    both = [
        FormsOptions(existing="remap", plugins=(word,), prefixes={"wp_": "new_"}, forms=forms)
        for word, forms in (("gravity-forms", {}), ("cfdb7", BY_HAND))
    ]
    trial = Trial([Stage(f"forms-{n}", "forms", KIND.build(one, ()), ways) for n, one in enumerate(both)])
    assert not trial.run().codes
    described = world.new.kept["new_gf_form_meta"]
    described.rows = [(row[0], str(row[1]).replace('"Colour"', '"Farbe"')) for row in described.rows]
    world.old.kept["wp_gf_entry_meta"].rows.append(("8", "1", "1", "3", "blue later", ""))
    result = trial.run()
    assert (result.codes, result.left_behind) == (frozenset(), 0)
    assert ("7", "blue later") in cells(world.new, "new_gf_entry_meta", "meta_key", "meta_value")
    again = {action.verb for stage in trial.preview().stages for _, action in stage.actions if "#numbers" in action.key}
    assert again == {Verb.KEEP}


def test_users_whom_the_plan_names_come_along_once_and_keep_their_numbers(two_sites: World) -> None:
    world = World(
        two_sites.old, two_sites.new, plugins=("gravity-forms",), tables=("wp_users",), prefixes={"wp_": "new_"}
    )
    for turn in range(3):
        if turn == 2:
            world.forget()
        result = world.trial.run()
        assert (result.codes, result.left_behind) == (frozenset(), 0)
        assert cells(world.new, "new_users", "ID", "user_email") == [
            ("1", "ana@example.com"), ("2", "somebody@example.com"), ("3", "webmaster@example.com"),
        ]  # fmt: skip
        assert world.trial.verify().differences == 0
    assert cells(world.new, "new_gf_entry", "created_by")[2:] == [("3",), ("1",), (None,)]
    (page,) = book.read(MemoryReader(world.new)).values()
    assert page.numbers["wp_users", "ID"] == Numbers((Stretch(0, 2, 2),), {"2": "1"})
    users = world.new.kept["new_users"]
    users.rows = [(*row[:2], "ana@example.org") if row[0] == "1" else row for row in users.rows]
    world.trial.run()
    assert len(world.new.rows("new_users")) == 3  # whoever was found once is found again under another address


def test_of_users_who_are_not_at_the_target_nothing_is_written_down(two_sites: World) -> None:
    two_sites.trial.run()
    (page,) = book.read(MemoryReader(two_sites.new)).values()
    assert page.numbers["wp_users", "ID"] == Numbers(forms={"2": "1"})


@pytest.mark.parametrize("forms", [{}, BY_HAND])
def test_another_site_of_the_same_name_without_an_entry_in_common_waits_for_an_admin(two_sites: World, forms) -> None:
    into(two_sites.old, two_sites.new).trial.run()
    other = of_one("old", 2025)
    kept = other.kept["wp_db7_forms"]
    kept.rows = [(str(500 + int(row[0])), *row[1:]) for row in kept.rows]
    before = {name: list(one.rows) for name, one in two_sites.new.kept.items()}
    second = into(other, two_sites.new, forms=forms)
    assert second.trial.run().codes == {"by-hand"}
    assert {name: one.rows for name, one in two_sites.new.kept.items()} == before
    (why,) = [row.why for key, row in second.trial.actions().items() if key.endswith("#numbers")]
    assert "nothing there tells whether it is the same. If it is, run with the state of the earlier run." in why
    lines = two_sites.new.kept["_migrator_numbers given"]
    lines.rows = [("the first", *row[1:]) for row in lines.rows]
    assert not second.trial.run().codes
    first = into(two_sites.old, two_sites.new)
    after = len(two_sites.new.rows("new_db7_forms"))
    assert not first.trial.run().codes
    assert len(two_sites.new.rows("new_db7_forms")) == after == 2 + 4 + 4


def test_a_site_whose_entries_are_gone_at_the_target_and_whose_forms_are_not_called_so_waits_too(
    two_sites: World,
) -> None:
    into(two_sites.old, two_sites.new).trial.run()
    emptied(two_sites.new, "new_db7_forms")
    other = of_one("old", 2025)
    posts = other.kept["wp_posts"]
    posts.rows = [
        tuple({"Contact": "News", "Application": "Fax"}.get(cell, cell) for cell in row) for row in posts.rows
    ]
    assert into(other, two_sites.new, forms={}).trial.run().codes == {"by-hand"}
    assert into(two_sites.old, two_sites.new).trial.run().codes == set()


def test_what_the_plan_says_of_forms_and_fields_goes_to_the_plugin_that_has_them(two_sites: World) -> None:
    world = two_sites
    kept = world.old.kept["wp_gf_form"]
    kept.rows = [(row[0], "Call me", *row[2:]) if row[0] == "1" else row for row in kept.rows]  # WPForms has one, too
    world.options["forms"] = {
        "map": {**BY_HAND["map"], "1": "4", "Call me": "12"},  # the first is Flamingo's number, too
        "fields": {"Call me": {"Fax": "E-mail", "Colour": "7"}},
    }
    world.forget()
    (stage,) = world.trial.preview().stages
    action = next(action for _, action in stage.actions if action.key.endswith("#numbers"))
    told = [" ".join(line.split()) for line in action.details]
    for line in (
        "= WPForms: Call me (5) -> Call me (12), by hand",
        "= Gravity Forms: Call me (1) -> Order (4), by hand",
        "= field Fax (2) -> E-mail (1)",
        "= field Colour (3) -> Colour (7)",
    ):
        assert line in told
    assert not world.trial.run().codes


def test_rows_that_the_new_site_changed_are_not_written_over(two_sites: World) -> None:
    world = two_sites
    world.trial.run()
    there = world.new.kept["new_db7_forms"].rows
    at = next(place for place, row in enumerate(there) if row[0] == "3")
    there[at] = (*there[at][:2], "read at the new site", there[at][3])
    world.old.kept["wp_db7_forms"].rows[1] = ("2", "3", "changed at the old site", "2026-03-02 09:16:00")
    assert world.trial.run().left_behind == 4  # the rows that travel together
    assert "read at the new site" in {row[2] for row in world.new.rows("new_db7_forms")}


def test_forms_that_may_be_several_wait_for_the_plan_and_nothing_is_written(two_sites: World) -> None:
    world = two_sites
    world.new.kept["new_gf_form"].rows.append(("9", "order", "2026-05-01 00:00:00"))
    before = world.rows()
    assert world.trial.run().codes == {"by-hand"}
    assert world.rows() == before
    told = next(row for key, row in world.trial.actions().items() if key.endswith("#numbers"))
    assert "say which in `forms: {map: ...}`" in told.why
    world.options["forms"] = {"map": {**BY_HAND["map"], "Order": "4"}}
    world.forget()
    assert not world.trial.run().codes


@pytest.mark.parametrize(
    ("forms", "said"),
    [
        ({"map": {"Nobody": "Order"}}, "the source has no form Nobody"),
        ({"map": {"Order": "Nobody"}}, "the target has no form Nobody"),
        ({"fields": {"Order": {"Colour": "Nothing"}}}, "the target's form has no field Nothing"),
        (
            {"fields": {"Order": {"Colouur": "Colour"}}},
            r"form Order of the source has no field Colouur\. Did you mean Colour\?",
        ),
        ({"map": {"1": "2"}}, r"forms\.map: 1: 2 may be a form of Flamingo or of Gravity Forms\."),
    ],
)
def test_a_map_that_names_what_is_not_there_is_a_mistake_of_the_plan(two_sites: World, forms, said) -> None:
    two_sites.options["forms"] = forms
    two_sites.forget()
    with pytest.raises(PlanError, match=said):
        two_sites.trial.run()


def test_answers_of_a_field_without_a_counterpart_are_left_behind_until_the_plan_names_one(two_sites: World) -> None:
    world = two_sites
    described = world.new.kept["new_gf_form_meta"]
    described.rows = [(row[0], str(row[1]).replace('"Colour"', '"Farbe"')) for row in described.rows]
    result = world.trial.run()
    assert result.left_behind == 1
    assert "red; \\ 'quoted'" not in {row[4] for row in world.new.rows("new_gf_entry_meta")}
    assert len(world.new.rows("new_gf_entry_meta")) == 2 + 6
    (left,) = list(world.trial.store.outcomes("forms/old>new/database/wp_gf_entry_meta"))
    assert (
        "1 row with an answer in field 3 of form 1, which the target's form has not; the others are there" in left.note
    )
    store = world.trial.store
    world.options["forms"] = {**BY_HAND, "fields": {"Order": {"Colour": "Farbe"}}}
    world.forget()
    world.trial.store = store
    assert world.trial.run().left_behind == 0
    assert cells(world.new, "new_gf_entry_meta", "meta_key", "meta_value")[5] == ("7", "red; \\ 'quoted'")
    assert world.trial.verify().differences == 0


def test_a_table_that_the_target_has_not_is_made_and_its_rows_follow_the_numbers_of_the_others(
    two_sites: World,
) -> None:
    world = two_sites
    del world.new.kept["new_db7_forms"]
    assert not world.trial.run().codes
    assert cells(world.new, "new_db7_forms", "form_id", "form_post_id") == [
        ("1", "7"),
        ("2", "7"),
        ("3", "8"),
        ("7", "7"),
    ]
    assert world.trial.verify().differences == 0


def test_a_target_without_transactions_is_refused_in_words(two_sites: World) -> None:
    kept = two_sites.new.kept["new_db7_forms"]
    kept.table = replace(kept.table, engine="MyISAM")
    assert two_sites.trial.run().codes == {"refused"}
    told = next(row for key, row in two_sites.trial.actions().items() if key.endswith("wp_db7_forms"))
    assert "has no transactions (MyISAM)" in told.why
    assert len(two_sites.new.rows("new_db7_forms")) == 2


def test_what_was_moved_with_its_own_ids_is_not_moved_again_with_others(two_sites: World) -> None:
    world = two_sites
    world.options |= {"existing": "skip-existing", "forms": {}}
    world.forget()
    world.trial.run()
    store, before = world.trial.store, world.rows()["new_db7_forms"]
    world.options |= {"existing": "remap", "forms": BY_HAND}
    world.old.kept["wp_db7_forms"].rows.append(("11", "4", "came later", "2026-03-05 10:00:00"))
    world.forget()
    world.trial.store = store
    assert "by-hand" in world.trial.run().codes
    assert world.rows()["new_db7_forms"] == before


def test_what_the_plan_hides_is_named_by_the_sources_fields_and_hidden_under_the_targets(two_sites: World) -> None:
    world = two_sites
    world.options["redact"] = {"mask": ("wp_gf_entry_meta.meta_value:E-mail", "wp_wpforms_entries.fields:Fax")}
    world.forget()
    assert not world.trial.run().codes
    assert cells(world.new, "new_gf_entry_meta", "meta_key", "meta_value")[4] == ("5", "xxx@xxxxxxx.xxx")
    assert "+00 00" in str(cells(world.new, "new_wpforms_entries", "fields")[1])
    assert world.trial.verify().differences == 0


def test_numbers_that_somebody_has_thrown_away_at_the_target_are_missed_before_anything_is_put(
    two_sites: World,
) -> None:
    world = two_sites
    world.trial.run()
    del world.new.kept["_migrator_numbers given"]
    grown(world)
    before = world.rows()
    assert world.trial.run().codes == {"by-hand"}
    assert world.rows() == before
    told = next(row for key, row in world.trial.actions().items() if key.endswith("#numbers"))
    assert "_migrator_numbers given is gone" in told.why


# -- forms that have come along once, under other numbers ---------------------------------------------------------------------------

TITLED = [
    one.word for one in KNOWN if one.view and isinstance(one.view.titles, Titles) and one.word not in RECOGNISED | {"jetpack", "webform-7", "caldera"}
]  # fmt: skip


def with_other_titles(database: MemoryTables, word: str) -> None:
    """The site's forms are others than those of the same numbers elsewhere."""
    where = detect.by_word(word).view.titles
    (name,) = [one for one in database.kept if one.endswith(where.table)]
    kept = database.kept[name]
    columns = [one for one in (where.title, where.slug) if one]
    for column in columns:
        place = kept.table.place(column)
        kept.rows = [(*row[:place], f"Other {row[place]}", *row[place + 1 :]) for row in kept.rows]


@pytest.mark.parametrize("word", TITLED)
def test_a_second_site_finds_the_forms_that_came_along_with_the_first(word: str, tmp_path: Path, monkeypatch) -> None:
    words = ["wordpress", word] if detect.by_word(word).system is System.WORDPRESS else [word]
    first, new = site("first", tmp_path, *words), site("new", tmp_path, *words)
    with_other_titles(new, word)
    monkeypatch.setitem(MEANT, "2026-", "2024-")
    monkeypatch.setitem(MEANT, "2020-", "2019-")
    monkeypatch.setitem(MEANT, "2014-", "2013-")
    second = site("second", tmp_path, *words)
    wanted = answers(new, word) + answers(first, word) + answers(second, word)
    for old in (first, second):
        world = World(old, new, plugins=(word,))
        assert not world.trial.run().codes
        assert not [
            one.note
            for key in world.trial.actions()
            for one in world.trial.store.outcomes(f"forms/old>new/{key}")
            if one.fate is Fate.LEFT_BEHIND
        ]
        assert world.trial.verify().differences == 0
    assert answers(new, word) == wanted


def test_forms_without_a_counterpart_are_foreseen(two_sites) -> None:
    two_sites.new.kept["new_term_taxonomy"].rows.clear()
    (stage,) = two_sites.trial.preview().stages
    told = [one.text for one in stage.findings if one.code == "left-behind"]
    assert told
    assert all(one.startswith("Flamingo: ") and one.endswith("the target has no such form") for one in told)
