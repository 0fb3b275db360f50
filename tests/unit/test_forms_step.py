"""The forms step between two databases in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from migrator.cli.preview import summary
from migrator.engine.contract import Fate, Verb, Weight
from migrator.engine.events import Noted
from migrator.engine.ledger import Ending
from migrator.engine.report import report
from migrator.engine.stage import Stage
from migrator.errors import PlanError
from migrator.forms.model import Extract, Features, LeftRow, Paging, Row, Table
from migrator.forms.moving import rows_at_once
from migrator.forms.options import FormsOptions
from migrator.forms.step import KIND
from migrator.testing.form_suite import (
    CODES,
    CODES_ROWS,
    KINDS,
    KINDS_ROWS,
    LOG,
    LOG_ROWS,
    LOOSE,
    LOOSE_ROWS,
    META,
    META_ROWS,
    PAIRS,
    PAIRS_ROWS,
    PLAIN,
    PLAIN_ROWS,
    POSTS,
    POSTS_ROWS,
    number,
    primary,
    table,
    text,
)
from migrator.testing.memory_tables import MemoryReader, MemoryTables, TablesRoute
from migrator.testing.trial import Trial

FORMS = PLAIN.name
OPTIONS = table("wp_options", [number("option_id"), text("option_name"), text("option_value")], primary("option_id"))
MANY: list[Row] = [(str(n), "5", f"said {n}", "2026-02-01 10:00:00") for n in range(1, 161)]


@pytest.fixture(autouse=True)
def few_rows_at_once(monkeypatch) -> None:
    """Ranges of fifty rows."""
    monkeypatch.setattr("migrator.forms.moving.MOST_ROWS", 50)


TERMS = table(
    "wp_term_relationships", [number("object_id"), number("term_taxonomy_id")], primary("object_id", "term_taxonomy_id")
)


class World:
    """A site's database and an empty one, a plan, and a state."""

    def __init__(self, *content: tuple[Table, list[Row]], **options: object) -> None:
        self.old, self.new = MemoryTables("old", page=20), MemoryTables("new", page=20)
        for one, rows in (
            (OPTIONS, []),
            (POSTS, POSTS_ROWS),
            (META, META_ROWS),
            (TERMS, [("1", "1"), ("3", "1"), ("4", "2")]),
            *(content or ((PLAIN, MANY),)),
        ):
            self.old.fill(one, rows)
        said = {"plugins": ("cfdb7",), **options}
        step = KIND.build(FormsOptions(**{word: value for word, value in said.items() if value is not None}), ())
        self.trial = Trial([Stage("forms", "forms", step, TablesRoute(self.old, self.new))])

    def same(self, name: str = FORMS) -> bool:
        return self.new.rows(name) == self.old.rows(name)

    def outcomes(self, name: str = FORMS):
        return list(self.trial.store.outcomes(f"forms/old>new/database/{name}"))

    def action(self, name: str = FORMS):
        return next(row for key, row in self.trial.actions().items() if key.endswith(f"/{name}"))


def test_a_plugins_table_arrives_whole_and_is_proven() -> None:
    world = World()
    assert not world.trial.run().codes
    assert world.same()
    assert {one.fate for one in world.outcomes()} == {Fate.COPIED}
    assert len(world.outcomes()) == 4
    assert world.trial.verify().differences == 0


def test_a_run_has_a_table_counted_when_it_is_planned_and_not_once_more(monkeypatch) -> None:
    world = World((LOG, LOG_ROWS), plugins=(), tables=(LOG.name,))
    counted: list[str] = []
    count = MemoryReader.count

    def told(reader: MemoryReader, extract: Extract) -> int:
        counted.append(extract.table.name)
        return count(reader, extract)

    monkeypatch.setattr(MemoryReader, "count", told)
    assert not world.trial.run().codes
    assert world.same(LOG.name)
    assert counted.count(LOG.name) == 1


def test_a_preview_tells_what_was_found_and_writes_nothing() -> None:
    world = World()
    (stage,) = world.trial.preview().stages
    found, *actions = [action for _, action in stage.actions]
    assert found.why == "1 plugin keeps entries; 2 of 5 tables are moved"
    action = next(one for one in actions if one.label == FORMS)
    assert (action.verb, action.size.items, action.total.items) == (Verb.COPY, 160, 160)
    assert "160 rows of" in action.why
    assert not world.new.writes


def test_of_what_was_found_only_tables_that_are_there_are_counted_and_those_that_the_plan_names_are_told() -> None:
    world = World((PLAIN, MANY), (LOG, LOG_ROWS), plugins=("flamingo",), tables=(LOG.name,))
    (stage,) = world.trial.preview().stages
    found = stage.actions[0][1]
    assert found.why == "1 plugin keeps entries; 4 of 6 tables are moved, 1 of them because the plan names it"
    assert "= Flamingo (wp_*): 3 tables" in found.details[0]


def test_an_empty_list_of_plugins_means_none_and_not_every_one() -> None:
    world = World((LOG, LOG_ROWS), plugins=(), tables=(LOG.name,))
    (stage,) = world.trial.preview().stages
    found, *tables = [action for _, action in stage.actions]
    assert found.why == "0 plugins keep entries; 1 of 5 tables are moved, 1 of them because the plan names it"
    assert [one.label for one in tables] == [LOG.name]
    assert not world.trial.run().codes
    assert world.same(LOG.name)
    with pytest.raises(ValidationError, match="plugins is empty, so nothing would be moved"):
        FormsOptions(plugins=())


def test_what_the_plan_names_and_the_source_does_not_have_was_not_moved() -> None:
    world = World((PLAIN, MANY), plugins=("wpforms",), tables=(PLAIN.name,))
    world.trial.run()

    result = world.trial.verify()

    assert (result.differences, result.not_moved) == (0, 1)


@pytest.mark.parametrize("options", [{"plugins": (), "tables": ("*",)}, {}, {"tables": ("*",)}, {"existing": "remap"}])
def test_a_source_without_a_single_table_is_told_once_and_not_done_with(options) -> None:
    world = World(**options)
    world.old.kept.clear()
    (stage,) = world.trial.preview().stages
    ((_, action),) = stage.actions
    assert (action.verb, "not one table" in action.why) == (Verb.BY_HAND, True)
    assert world.trial.run().codes == {"by-hand"}
    assert world.trial.verify().not_moved == 1


def test_a_database_in_which_no_plugin_keeps_entries_is_told_by_the_run() -> None:
    world = World(plugins=None)
    for name in (FORMS, "wp_posts", "wp_postmeta", "wp_term_relationships"):
        del world.old.kept[name]
    world.trial.run()
    (finding,) = world.trial.findings("run")
    assert (finding.weight, finding.text) == (
        Weight.WARNING,
        "no plugin keeps entries in this database, so nothing moves",
    )
    named = World((LOG, LOG_ROWS), plugins=(), tables=(LOG.name,))
    named.trial.run()
    assert not list(named.trial.findings("run"))


def test_a_preview_of_two_routes_counts_a_table_on_each_as_the_report_does() -> None:
    world = World()
    (stage,) = world.trial.stages
    vault = MemoryTables("vault", page=20)
    second = Stage("copy", "forms", stage.step, TablesRoute(world.old, vault))
    trial = Trial([stage, second])
    told = summary(trial.preview())
    assert told[0].startswith("1 database, 4 tables, 320 rows to move")
    trial.run()
    seen = report(trial.store, datetime.now(UTC))
    assert (len([one for one in seen.lines if not one.prepares]), seen.sums.total.items) == (4, 320)


def test_of_posts_only_those_of_plugins_are_taken_with_their_meta() -> None:
    world = World(plugins=("flamingo",))
    world.trial.run()
    assert world.new.rows("wp_posts") == [row for row in POSTS_ROWS if row[2] == "flamingo_inbound"]
    entries = {row[0] for row in world.new.rows("wp_posts")}
    assert world.new.rows("wp_postmeta") == [row for row in META_ROWS if row[1] in entries]
    assert [row[0] for row in world.new.rows("wp_term_relationships")] == ["3"]
    assert "wp_db7_forms" not in world.new.kept
    assert world.trial.verify().differences == 0


def test_a_second_run_brings_what_came_and_what_changed_and_nothing_else() -> None:
    world = World()
    world.trial.run()
    before = len(world.new.writes)
    rows = world.old.kept[FORMS].rows
    rows[60] = (*rows[60][:2], "changed", rows[60][3])
    rows.append(("170", "5", "new", "2026-03-01 10:00:00"))
    assert world.trial.verify().differences == 2
    (stage,) = world.trial.preview(world.trial.store).stages
    action = next(action for _, action in stage.actions if action.label == FORMS)
    assert "1 new row, 50 looked at again because some of them have changed" in action.why
    assert (action.size.items, action.total.items) == (51, 161)
    world.trial.run()
    assert world.same()
    assert len(world.new.writes) == before + 2
    assert world.trial.verify().differences == 0
    world.trial.run()
    assert len(world.new.writes) == before + 2
    assert world.action().verb is Verb.KEEP


def counted(world: World, name: str = FORMS) -> tuple[int, dict[Fate, int], int]:
    """What a report says of a table: how many things the source has, what became of them, and how many are open."""
    seen = report(world.trial.store, datetime(2026, 3, 1, tzinfo=UTC))
    (line,) = [line for line in seen.lines if line.label == name]
    return line.sums.total.items, {fate: size.items for fate, size in line.sums.by_fate.items()}, line.sums.open


def test_rows_are_counted_and_add_up_in_a_first_run_a_later_one_and_a_comparison() -> None:
    world = World()
    world.trial.run()
    assert counted(world) == (160, {Fate.COPIED: 160}, 0)
    assert world.trial.verify().items == 160
    rows = world.old.kept[FORMS].rows
    rows[60] = (*rows[60][:2], "changed", rows[60][3])
    rows += [(str(n), "5", "new", "2026-03-01 10:00:00") for n in range(170, 207)]
    world.trial.run()
    assert counted(world) == (197, {Fate.COPIED: 197}, 0)
    del rows[:3]
    world.trial.run()
    assert counted(world) == (194, {Fate.COPIED: 194}, 0)
    world.trial.run()
    assert counted(world) == (194, {Fate.COPIED: 194}, 0)


def test_of_a_range_that_is_not_the_same_there_only_the_rows_that_are_not_count_as_such() -> None:
    world = World()
    world.new.features = replace(world.new.features, exact=False)
    world.new.keeps = lambda row: (*row[:2], "said 7!", row[3]) if row[0] == "7" else row
    world.trial.run()
    assert counted(world) == (160, {Fate.COPIED: 159, Fate.NORMALISED: 1}, 0)


def test_rows_that_the_target_cannot_hold_are_told_by_column_and_key_and_without_a_value() -> None:
    world = World()
    world.new.features = replace(world.new.features, exact=False)
    world.new.keeps = lambda row: (*row[:2], "held", None if int(row[0]) % 2 else row[3])
    world.trial.run()
    named = {one.about for one in world.outcomes()}
    assert (
        "wp_db7_forms.form_value: 50 (form_id 1, 2, 3, ...); wp_db7_forms.form_date: 25 (form_id 1, 3, 5, ...)" in named
    )
    told = [reason for line in report(world.trial.store, datetime.now(UTC)).lines for reason in line.reasons]
    assert {one.note for one in told} == {"what the target cannot hold is written by its rule"}
    assert "held" not in repr(told)
    assert {(one.items, sum(one.counts), one.beyond(4)) for one in told} == {(160, 160, 0)}


def test_rows_that_the_source_deletes_later_stay_at_the_target() -> None:
    world = World()
    world.trial.run()
    del world.old.kept[FORMS].rows[60:63]
    world.trial.run()
    assert len(world.new.rows(FORMS)) == 160
    assert any("3 rows that are gone from the source stay" in one.note for one in world.outcomes())
    assert world.trial.verify().differences == 0


def test_rows_that_somebody_changed_at_the_target_are_not_written_over() -> None:
    world = World()
    world.trial.run()
    there = world.new.kept[FORMS].rows
    there[60] = (*there[60][:2], "edited at the new site", there[60][3])
    here = world.old.kept[FORMS].rows
    here[61] = (*here[61][:2], "edited at the old site", here[61][3])
    world.trial.run()
    assert world.new.rows(FORMS)[60][2] == "edited at the new site"
    (left,) = [one for one in world.outcomes() if one.fate is Fate.LEFT_BEHIND]
    assert "changed" in left.note


def test_new_entries_of_the_new_site_are_never_lost_to_old_ones_of_the_same_id() -> None:
    world = World()
    world.trial.run()
    world.new.kept[FORMS].rows.append(("161", "5", "sent to the new site", "2026-03-02 10:00:00"))
    world.old.kept[FORMS].rows.append(("161", "5", "sent to the old site", "2026-03-02 10:00:00"))
    world.trial.run()
    assert world.new.rows(FORMS)[-1][2] == "sent to the new site"
    assert Fate.LEFT_BEHIND in {one.fate for one in world.outcomes()}


# -- what is not whole ---------------------------------------------------------------------------------------------------


def test_an_answer_that_ends_early_in_silence_is_read_again_until_nothing_is_missing() -> None:
    world = World()
    world.old.short = {1, 4, 6, 7}
    result = world.trial.run()
    assert not result.codes
    assert world.same()
    assert any("read again" in event.finding.text for event in world.trial.told(Noted))


def test_a_range_that_never_agrees_is_left_behind_and_the_table_is_not_put_in_its_place() -> None:
    world = World()
    world.old.short = set(range(1, 2000))
    world.trial.run()
    assert FORMS not in world.new.kept
    assert {one.fate for one in world.outcomes()} == {Fate.LEFT_BEHIND}
    world.old.short = set()
    world.trial.run()
    assert world.same()


def test_a_connection_that_breaks_is_taken_up_again() -> None:
    world = World()
    world.old.drops = {2, 9}
    assert not world.trial.run().codes
    assert world.same()


@pytest.mark.parametrize(("one", "rows"), [(LOG, LOG_ROWS * 12), (LOOSE, LOOSE_ROWS * 12)], ids=["index", "nothing"])
def test_tables_without_a_key_arrive_with_their_twins(one, rows) -> None:
    world = World((one, rows), tables=(one.name,))
    world.trial.run()
    assert sorted(map(repr, world.new.rows(one.name))) == sorted(map(repr, rows))
    assert world.trial.verify().differences == 0
    world.trial.run()
    assert len(world.new.rows(one.name)) == len(rows)


# -- a target that is not empty ------------------------------------------------------------------------------------------

THEIRS: list[Row] = [("500", "9", "theirs", "2026-01-01 00:00:00")]


def test_a_table_with_rows_is_refused_and_says_what_to_do() -> None:
    world = World()
    world.new.fill(PLAIN, THEIRS)
    (stage,) = world.trial.preview().stages
    action = next(action for _, action in stage.actions if action.label == FORMS)
    assert action.verb is Verb.BY_HAND
    assert "keep-ids" in action.why
    world.trial.run()
    assert world.new.rows(FORMS) == THEIRS


def test_keep_ids_puts_ours_beside_theirs() -> None:
    world = World(existing="keep-ids")
    world.new.fill(PLAIN, THEIRS)
    world.trial.run()
    assert world.new.rows(FORMS) == [*MANY, *THEIRS]
    assert world.trial.verify().differences == 0
    world.old.kept[FORMS].rows.append(("170", "5", "new", "2026-03-01 10:00:00"))
    world.trial.run()
    assert len(world.new.rows(FORMS)) == 162
    assert world.trial.verify().differences == 0


OTHERS: list[Row] = [(str(n), "9", "theirs", "2026-01-01 00:00:00") for n in (7, 60)]


def told(world: World, name: str = FORMS):
    """What a preview says of a table."""
    (stage,) = world.trial.preview(world.trial.store).stages
    return next(action for _, action in stage.actions if action.label == name)


def test_keep_ids_refuses_ids_that_are_taken_by_others_every_time_and_puts_nothing() -> None:
    world = World(existing="keep-ids")
    world.new.fill(PLAIN, OTHERS)
    for _ in range(3):
        action = told(world)
        assert action.verb is Verb.BY_HAND
        assert "2 ids of ours belong to other rows there (ids 7, 60)" in action.why
        assert world.trial.run().codes
        assert world.new.rows(FORMS) == OTHERS
        assert not world.outcomes()
    assert not world.new.writes


def test_an_id_that_is_taken_while_we_are_at_it_is_refused_too_and_leaves_nothing_of_ours() -> None:
    world = World(existing="keep-ids")
    world.new.fill(PLAIN, THEIRS)

    def visitors(what: str) -> None:
        if what.startswith("load"):
            world.new.fill(PLAIN, [*THEIRS, *OTHERS])

    world.new.before_write = visitors
    for _ in range(2):
        assert world.trial.run().codes
        assert world.new.rows(FORMS) == sorted([*THEIRS, *OTHERS], key=lambda row: int(row[0]))
        assert set(world.new.kept) == {FORMS}
        assert not world.outcomes()


@pytest.mark.parametrize("existing", ["keep-ids", "skip-existing"])
def test_rows_that_are_there_as_they_are_here_are_found(existing: str) -> None:
    world = World(existing=existing)
    world.new.fill(PLAIN, [*MANY[:50], MANY[60], *THEIRS])
    assert "51 of them are there already" in told(world).why
    assert not world.trial.run().codes
    assert world.new.rows(FORMS) == [*MANY, *THEIRS]
    assert counted(world) == (160, {Fate.FOUND: 51, Fate.COPIED: 109}, 0)
    assert world.trial.verify().differences == 0
    before = len(world.new.writes)
    assert not world.trial.run().codes
    assert len(world.new.writes) == before
    assert counted(world) == (160, {Fate.FOUND: 51, Fate.COPIED: 109}, 0)


@pytest.mark.parametrize(("one", "rows"), [(LOG, LOG_ROWS), (LOOSE, LOOSE_ROWS)], ids=["index", "nothing"])
@pytest.mark.parametrize("existing", ["keep-ids", "skip-existing"])
def test_rows_without_ids_are_not_doubled_when_the_state_is_lost(existing: str, one, rows) -> None:
    world = World((one, rows), tables=(one.name,), existing=existing)
    world.new.fill(one, rows[1:])
    world.trial.run()
    assert sorted(map(repr, world.new.rows(one.name))) == sorted(map(repr, rows))
    assert world.trial.verify().differences == 0


def test_skip_existing_leaves_behind_what_has_the_id_of_another_and_says_so_every_time() -> None:
    world = World(existing="skip-existing")
    world.new.fill(PLAIN, [*OTHERS, MANY[7]])
    assert told(world).why.endswith("1 of them is there already; 2 of them will be left behind")
    (stage,) = world.trial.preview(world.trial.store).stages
    (finding,) = stage.findings
    assert (finding.code, finding.weight) == ("left-behind", Weight.WARNING)
    assert "2 rows are left behind, whose ids belong to other rows there (ids 7, 60)" in finding.text
    for _ in range(2):
        assert world.trial.run().left_behind
        assert world.new.rows(FORMS) == sorted(
            [*OTHERS, *(row for row in MANY if row[0] not in {"7", "60"})], key=lambda row: int(row[0])
        )
        behind = [one.note for one in world.outcomes() if one.fate is Fate.LEFT_BEHIND]
        assert len(behind) == 2
        assert "(id 7)" in behind[0] + behind[1]
        assert set(world.new.kept) == {FORMS}
        assert counted(world) == (160, {Fate.LEFT_BEHIND: 2, Fate.FOUND: 1, Fate.COPIED: 157}, 0)
        assert world.trial.verify().differences == 0
    world.new.kept[FORMS].rows.remove(MANY[0])
    assert world.trial.verify().differences == 1


def test_rows_too_large_to_be_given_count_beside_those_whose_ids_are_others() -> None:
    world = World(existing="skip-existing")
    world.new.fill(PLAIN, [*OTHERS, MANY[7]])
    world.old.left[FORMS] = [LeftRow("form_id 900", 41 * 1024 * 1024, "dump.sql, line 7 (byte 100)")]
    for _ in range(2):
        assert world.trial.run().left_behind == 3
        assert counted(world) == (161, {Fate.LEFT_BEHIND: 3, Fate.FOUND: 1, Fate.COPIED: 157}, 0)
    del world.old.kept[FORMS].rows[5:8]
    world.trial.run()
    assert counted(world) == (158, {Fate.LEFT_BEHIND: 2, Fate.COPIED: 156}, 0)


def test_rows_that_stay_behind_one_by_one_among_many_are_still_counted_as_what_they_are() -> None:
    world = World(existing="skip-existing")
    world.new.fill(PLAIN, [(row[0], "9", "theirs", row[3]) for row in MANY[::2]])
    assert "80 of them will be left behind" in told(world).why
    assert world.trial.run().left_behind
    assert len(world.new.rows(FORMS)) == 160
    assert counted(world) == (160, {Fate.LEFT_BEHIND: 80, Fate.COPIED: 80}, 0)
    assert world.trial.verify().differences == 0
    world.new.kept[FORMS].rows.remove(MANY[1])
    assert world.trial.verify().differences == 1
    world.trial.run()
    assert MANY[1] in world.new.rows(FORMS)
    assert counted(world) == (160, {Fate.LEFT_BEHIND: 80, Fate.COPIED: 80}, 0)


def test_ids_that_follow_each_other_are_told_by_their_ends() -> None:
    world = World(existing="keep-ids")
    world.new.fill(PLAIN, [(str(n), "9", "theirs", None) for n in (3, 4, 20, *range(50, 76))])
    assert "29 ids of ours belong to other rows there (ids 3, 4, 20, 50 to 75)" in told(world).why


def test_a_table_of_other_columns_is_told_before_anything_is_moved() -> None:
    world = World(existing="keep-ids")
    world.new.fill(table(FORMS, [number("form_id"), text("mine")], primary("form_id")), [("500", "theirs")])
    action = told(world)
    assert action.verb is Verb.BY_HAND
    assert "no column form_post_id" in action.why
    assert world.trial.run().codes
    assert not world.new.writes


PAGES: list[Row] = [("3", "theirs", "page")]


def test_nothing_hangs_on_rows_that_were_refused() -> None:
    world = World(plugins=("flamingo",))
    world.new.fill(POSTS, PAGES)
    assert told(world, META.name).verb is told(world, TERMS.name).verb is Verb.BY_HAND
    assert "wp_posts of the same entries cannot be moved" in told(world, META.name).why
    world.trial.run()
    assert set(world.new.kept) == {POSTS.name}
    assert world.trial.verify().not_moved == 3


@pytest.mark.parametrize("there", [(), ("1",)], ids=["no table", "a table with a row"])
def test_answers_never_hang_on_the_row_of_another(there: tuple[str, ...]) -> None:
    world = World(plugins=("flamingo",), existing="skip-existing")
    world.new.fill(POSTS, PAGES)
    theirs = [(f"9{n}", "3", "colour", "red") for n in there]
    if theirs:
        world.new.fill(META, theirs)
    hang = [row for row in META_ROWS if row[1] == "3"]
    assert f"{len(hang)} of them will be left behind" in told(world, META.name).why
    (finding,) = [one for one in world.trial.preview(world.trial.store).stages[0].findings if one.about == META.name]
    assert f"{len(hang)} rows are left behind, which hang on rows that are not there" in finding.text
    for _ in range(2):
        assert world.trial.run().left_behind
        assert [row[0] for row in world.new.rows(POSTS.name)] == ["3", "6", "9"]
        ours = [row for row in META_ROWS if row[1] in {"6", "9"}]
        assert world.new.rows(META.name) == [*ours, *theirs]
        assert world.new.rows(TERMS.name) == []
        assert any(
            "hang on rows that are not there" in one.note or "hangs on one that is not there" in one.note
            for one in world.outcomes(META.name)
        )


def changed(world: World, **options: object) -> World:
    """The same sites and the same state, with another plan."""
    step = KIND.build(FormsOptions(**{"plugins": ("cfdb7",), **options}), ())
    world.trial.stages = [Stage("forms", "forms", step, TablesRoute(world.old, world.new))]
    return world


def test_what_was_moved_under_its_own_ids_is_not_moved_once_more_under_new_ones() -> None:
    world = World(plugins=("flamingo",))
    world.trial.run()
    before = {name: list(one.rows) for name, one in world.new.kept.items()}
    changed(world, plugins=("flamingo",), existing="remap")
    preview = world.trial.preview(world.trial.store)
    told = {one.label: one for stage in preview.stages for _, one in stage.actions}
    assert told[TERMS.name].verb is Verb.BY_HAND
    assert "leave `existing` as it was" in told[TERMS.name].why
    world.trial.run()
    assert {name: one.rows for name, one in world.new.kept.items() if name in before} == before
    assert world.trial.verify().differences
    changed(world, plugins=("flamingo",))
    assert not world.trial.run().codes
    assert world.trial.verify().differences == 0


def test_what_waits_in_the_shadow_does_not_count_once_rows_get_new_ids() -> None:
    world = World(existing="keep-ids")
    world.old.short = set(range(6, 2000))
    world.trial.run()
    assert {one.fate for one in world.outcomes()} >= {Fate.COPIED, Fate.LEFT_BEHIND}
    world.old.short = set()
    world.new.fill(PLAIN, [("7", "9", "theirs", "2026-01-01 00:00:00")])
    changed(world, existing="remap")
    world.trial.run()
    assert len(world.new.rows(FORMS)) == 161
    assert "_migrator_wp_db7_forms" not in world.new.kept
    assert world.trial.verify().differences == 0


def test_what_was_only_found_is_told_as_that_where_the_plan_gives_new_numbers_since() -> None:
    world = World()
    world.new.fill(PLAIN, MANY)
    world.trial.run()
    assert {one.fate for one in world.outcomes()} == {Fate.FOUND}
    changed(world, existing="remap")
    (stage,) = world.trial.preview(world.trial.store).stages
    action = next(action for _, action in stage.actions if action.label == FORMS)
    assert "has put nothing there" in action.why
    assert action.total.items == len(MANY)
    world.trial.run()
    assert world.new.rows(FORMS) == MANY


# -- what is foreseen ------------------------------------------------------------------------------------------------------


def foreseen(world: World) -> list[tuple[str, str]]:
    (stage,) = world.trial.preview(world.trial.store).stages
    return [(one.code, one.about if one.code == "left-over" else one.text) for one in stage.findings]


def test_rights_that_the_targets_user_lacks_are_foreseen_and_a_run_tells_them_once() -> None:
    world = World((PLAIN, MANY), (KINDS, KINDS_ROWS), tables=(KINDS.name,))
    world.new.may_not_write = "new: the user may not DROP there."
    assert foreseen(world) == [("endpoint-unfit", "new: the user may not DROP there.")]
    assert "Refusals foreseen: 1." in summary(world.trial.preview())[1]
    assert world.trial.run().codes == {"endpoint-unfit"}
    assert not world.new.writes


def test_time_is_estimated_in_the_bytes_that_tables_are_told_to_have() -> None:
    world = World(
        (replace(PLAIN, bytes=16_000_000_000), MANY)
    )  # a server tells whole pages, and much of them may be empty
    seconds = world.trial.preview().seconds
    assert seconds is not None
    assert seconds < 30


def test_nobody_needs_rights_to_fill_what_is_all_there() -> None:
    world = World()
    world.trial.run()
    world.new.may_not_write = "new: the user may not DROP there."
    assert foreseen(world) == []
    assert world.trial.verify().differences == 0


def test_a_shadow_that_no_run_of_this_plan_fills_is_named() -> None:
    world = World()
    world.old.short = set(range(1, 60))
    world.trial.run()
    assert "_migrator_wp_db7_forms" in world.new.kept
    assert foreseen(world) == []
    world.new.fill(PLAIN, [("7", "9", "theirs", "2026-01-01 00:00:00")])
    assert foreseen(world) == [("left-over", "_migrator_wp_db7_forms")]


def test_rows_of_a_table_that_waits_for_the_admin_count_among_those_of_the_source() -> None:
    world = World()
    world.new.fill(PLAIN, [("7", "9", "theirs", "2026-01-01 00:00:00")])
    world.trial.run()
    told = report(world.trial.store, datetime.now(UTC))
    assert (told.sums.total.items, told.sums.adds_up) == (len(MANY), False)


def test_a_table_whose_key_has_become_another_is_told_and_left_alone() -> None:
    world = World((PAIRS, PAIRS_ROWS), tables=(PAIRS.name,))
    world.trial.run()
    world.old.fill(replace(PAIRS, page_by=PAIRS.page_by[:1], paging=Paging.INDEX), PAIRS_ROWS)
    (stage,) = world.trial.preview(world.trial.store).stages
    action = next(action for _, action in stage.actions if action.label == PAIRS.name)
    assert action.verb is Verb.BY_HAND
    assert "key of the source's table is another" in action.why


def test_tables_get_the_target_sites_prefix() -> None:
    world = World(prefixes={"wp_": "new_"}, plugins=("cfdb7", "flamingo"))
    world.trial.run()
    assert world.new.rows("new_db7_forms") == MANY
    assert {name for name in world.new.kept if name.startswith("wp_")} == set()
    assert world.trial.verify().differences == 0


@pytest.mark.parametrize(
    ("options", "moved"),
    [
        ({"plugins": None}, {FORMS, KINDS.name, "wp_posts", "wp_postmeta", "wp_term_relationships"}),
        ({"plugins": ("cfdb7",)}, {FORMS}),
        ({"plugins": ("cfdb7",), "tables": (KINDS.name,)}, {FORMS, KINDS.name}),
    ],
)
def test_of_what_was_chosen_before_everything_is_moved_unless_the_plan_chooses_anew(options, moved) -> None:
    world = World((PLAIN, PLAIN_ROWS), (KINDS, KINDS_ROWS), **options)
    world.old.features = replace(world.old.features, chosen=True)
    world.trial.run()
    assert set(world.new.kept) == moved
    assert world.trial.verify().differences == 0


# -- people's data -------------------------------------------------------------------------------------------------------


def test_what_the_plan_leaves_out_never_reaches_the_target() -> None:
    world = World((PLAIN, PLAIN_ROWS), redact={"drop": ["*.form_value"]})
    world.trial.run()
    assert {row[2] for row in world.new.rows(FORMS)} <= {None}
    assert world.trial.verify().differences == 0


def test_masks_keep_the_shape_and_hashes_keep_what_is_equal() -> None:
    world = World((PLAIN, MANY), redact={"mask": ["wp_db7_forms.form_value"]})
    world.trial.run()
    assert world.new.rows(FORMS)[11][2] == "xxxx 00"
    hashed = World(
        (PLAIN, [*MANY[:3], ("200", "5", MANY[0][2], "2026-01-01 00:00:00")]),
        redact={"hash": ["*.form_value"]},
    )
    hashed.trial.run()
    values = [row[2] for row in hashed.new.rows(FORMS)]
    assert values[0] == values[3]
    assert len(set(values)) == 3
    assert "said" not in "".join(map(str, values))


@pytest.mark.parametrize(("existing", "arrive"), [("refuse", 0), ("keep-ids", 0), ("skip-existing", 2)])
def test_a_hash_whose_key_is_not_made_yet_is_compared_with_what_the_target_has(existing, arrive) -> None:
    world = World((PLAIN, MANY[:3]), existing=existing, redact={"hash": ["*.form_value"]})
    own: Row = ("1", "5", "of the target itself", "2026-02-01 10:00:00")
    world.new.fill(PLAIN, [own])
    world.trial.preview()
    world.trial.run()
    first, *ours = world.new.rows(FORMS)
    assert first == own
    assert [len(str(row[2])) for row in ours] == [32] * arrive


@pytest.mark.parametrize("redact", [{"drop": ["*.form_id"]}, {"mask": ["*.form_post_id"]}])
def test_what_cannot_be_left_out_is_told_before_anything_is_moved(redact) -> None:
    world = World(redact=redact)
    with pytest.raises(PlanError):
        world.trial.preview()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"where": {"wp_db7_froms": {"form_post_id": "5"}}}, "no table wp_db7_froms .* Did you mean wp_db7_forms"),
        ({"where": {FORMS: {"form_pots_id": "5"}}}, "no column form_pots_id; .* Did you mean form_post_id"),
        (
            {"prefixes": {"wq_": "new_"}},
            "no table of the source begins with wq_; this run has moved nothing of this step",
        ),
    ],
)
def test_a_slip_in_where_or_prefixes_moves_nothing_rather_than_everything(options, words) -> None:
    world = World(**options)
    with pytest.raises(PlanError, match=words):
        world.trial.run()
    assert world.new.writes == []


def test_a_table_that_is_not_there_is_told_and_the_others_move() -> None:
    world = World(tables=["wp_db7_frms", "acme_*"])
    (stage,) = world.trial.preview().stages
    told = {one.label: one.why for _, one in stage.actions if one.verb is Verb.BY_HAND}
    assert "Did you mean wp_db7_forms?" in told["wp_db7_frms"]
    assert "no such table" in told["acme_*"]
    world.trial.run()
    assert world.same()


def test_a_plugin_of_which_the_source_has_nothing_is_told_and_the_others_move() -> None:
    world = World(plugins=("cfdb7", "forminator"))
    (stage,) = world.trial.preview().stages
    told = {one.label: one.why for _, one in stage.actions if one.verb is Verb.BY_HAND}
    assert "nothing of this plugin" in told["forminator"]
    assert "it has cfdb7" in told["forminator"]
    world.trial.run()
    assert world.new.rows(FORMS) == MANY


def test_a_plugin_that_nobody_knows_is_refused_with_the_word_that_was_meant() -> None:
    with pytest.raises(ValueError, match=r"no plugin called cfbd7 here\. Did you mean cfdb7\?"):
        FormsOptions(plugins=("cfbd7",))


def test_only_entries_of_the_time_and_the_forms_that_are_wanted_are_moved() -> None:
    rows = [(str(n), str(n % 2), "x", f"2026-0{n}-01 00:00:00") for n in range(1, 9)]
    world = World((PLAIN, rows), since="2026-03-01", older_than="2026-07-01", where={FORMS: {"form_post_id": "1"}})
    world.trial.run()
    assert [row[0] for row in world.new.rows(FORMS)] == ["3", "5"]
    assert world.trial.verify().differences == 0


@pytest.mark.parametrize("wanted", [1, "1", [1, "2"], [2, 1]])
def test_a_whole_number_that_is_wanted_needs_no_quotes(wanted: object) -> None:
    rows = [(str(n), str(n), "x", "2026-01-01 00:00:00") for n in range(1, 13)]
    world = World((PLAIN, rows), where={FORMS: {"form_post_id": wanted}})
    world.trial.run()
    assert [row[0] for row in world.new.rows(FORMS)] == (["1", "2"] if isinstance(wanted, list) else ["1"])
    assert world.trial.verify().differences == 0


@pytest.mark.parametrize("wanted", [1.5, 1.0, True, None, [1.5], {"a": 1}])
def test_what_is_wanted_is_text_or_a_whole_number_and_nothing_else(wanted: object) -> None:
    with pytest.raises(ValueError, match="should be a valid"):
        FormsOptions.model_validate({"where": {FORMS: {"form_post_id": wanted}}})


def test_no_value_of_a_row_is_told_anywhere() -> None:
    world = World((PLAIN, [("1", "5", "private words", "2026-01-01 00:00:00")]))
    world.new.refuses = lambda _: "not this one"
    world.trial.run()
    assert "private" not in repr(world.trial.events) + repr(world.outcomes())


# -- poor ones -----------------------------------------------------------------------------------------------------------


def test_a_target_that_cannot_hold_everything_is_proven_by_its_own_rule() -> None:
    world = World((PLAIN, PLAIN_ROWS))
    world.new.features = replace(world.new.features, exact=False)
    world.new.keeps = lambda row: (*row[:3], None if str(row[3]).startswith("0000") else row[3])
    world.trial.run()
    assert {one.fate for one in world.outcomes()} == {Fate.NORMALISED}
    assert world.trial.verify().differences == 0
    assert [finding.weight for finding in world.trial.findings("verify") if finding.weight is Weight.DIFFERENCE] == []


def test_a_source_without_checksums_or_snapshots_is_moved_all_the_same() -> None:
    world = World()
    world.old.features = Features(title="poor", checksums=False)
    world.old.steady = False
    world.trial.run()
    assert world.same()


def test_ranges_are_cut_by_the_width_of_rows() -> None:
    able = Features(title="able")
    assert rows_at_once(replace(PLAIN, rows=10, bytes=10 * 100 * 1024), able) == (50, 100 * 1024)
    assert rows_at_once(replace(PLAIN, rows=10, bytes=10 * 1024 * 1024), able) == (8, 1024 * 1024)
    assert rows_at_once(replace(PLAIN, rows=10, bytes=10 * 30 * 1024 * 1024), able)[0] == 1  # of 50 such, 1.5 GB
    assert rows_at_once(PLAIN, able)[0] == 50


def test_a_target_that_orders_text_otherwise_is_given_ranges_that_mean_the_same_there() -> None:
    for one, rows, wanted in ((PAIRS, PAIRS_ROWS, (Paging.INDEX, ("sid",))), (CODES, CODES_ROWS, (Paging.CONTENT, ()))):
        world = World((one, rows), tables=(one.name,))
        world.new.features = replace(world.new.features, orders_text=False)
        world.trial.run()
        assert sorted(map(repr, world.new.rows(one.name))) == sorted(map(repr, rows))
        there = world.new.kept[one.name].table
        assert (there.paging, there.page_by) == wanted
        assert world.trial.verify().differences == 0


def test_a_row_too_large_to_be_given_is_left_behind_by_name_and_the_others_arrive() -> None:
    world = World()
    world.old.left[FORMS] = [LeftRow("form_id 900", 41 * 1024 * 1024, "dump.sql, line 7 (byte 100)")]
    (stage,) = world.trial.preview().stages
    action = next(one for _, one in stage.actions if one.label == FORMS)
    assert (action.size.items, action.total.items) == (160, 161)
    assert action.why.endswith("1 row is too large to be moved and left behind")
    assert action.details == (
        "! left behind: the row form_id 900 is too large to be moved (41.0 MB; dump.sql, line 7 (byte 100))",
    )
    for _ in range(2):  # it is told by every run, as whatever is left behind
        result = world.trial.run()
        assert (result.ending, result.left_behind) == (Ending.LEFT_BEHIND, 1)
        assert world.same()
        assert counted(world) == (161, {Fate.COPIED: 160, Fate.LEFT_BEHIND: 1}, 0)
    assert sorted(one.fate.value for one in world.outcomes()) == ["copied"] * 4 + ["left-behind"]
    (behind,) = [one for one in world.outcomes() if one.fate is Fate.LEFT_BEHIND]
    assert "form_id 900" in behind.note
    assert "Load the dump into a server" in behind.cure
    assert world.trial.verify().differences == 1
    world.old.left.clear()
    world.old.kept[FORMS].rows.append(("900", "5", "said again", "2026-02-01 10:00:00"))
    assert world.trial.run().ending is Ending.DONE
    assert world.same()
    assert counted(world) == (161, {Fate.COPIED: 161}, 0)
    assert world.trial.verify().differences == 0


@pytest.mark.parametrize("existing", ["keep-ids", "remap"])
def test_a_row_too_large_to_be_given_is_told_as_well_where_the_others_go_beside_the_targets(existing) -> None:
    world = World(existing=existing)
    world.new.fill(PLAIN, [("900", "5", "of the target", "2026-02-01 10:00:00")])
    world.trial.run()
    assert counted(world)[1:] == ({Fate.COPIED: 160}, 0)
    world.old.left[FORMS] = [LeftRow("form_id 901", 41 * 1024 * 1024, "dump.sql, line 7 (byte 100)")]
    for _ in range(2):
        assert world.trial.run().ending is Ending.LEFT_BEHIND
        assert counted(world) == (161, {Fate.COPIED: 160, Fate.LEFT_BEHIND: 1}, 0)
    world.old.left.clear()
    assert world.trial.run().ending is Ending.DONE
    assert counted(world) == (160, {Fate.COPIED: 160}, 0)
