"""A state is lost, and what has arrived is known again by looking at both sides."""

from __future__ import annotations

from dataclasses import replace

import pytest

from migrator.engine.contract import Fate, Login, Verb
from migrator.engine.stage import Stage
from migrator.forms.adapters.files import FilesReader, FilesWriter, Options
from migrator.forms.model import Extract, Row
from migrator.forms.options import FormsOptions
from migrator.forms.step import KIND
from migrator.testing.form_suite import LOG, LOG_ROWS, LOOSE, LOOSE_ROWS, PLAIN, everything
from migrator.testing.memory_tables import MemoryTables, TablesRoute
from migrator.testing.trial import Trial

LOGIN = Login("database", "database")
NEW: Row = ("170", "5", "new", "2026-03-01 10:00:00")


def rows(upto: int = 160) -> list[Row]:
    return [(str(n), "5", f"said {n}", "2026-02-01 10:00:00") for n in range(1, upto + 1)]


@pytest.fixture(autouse=True)
def few_rows_at_once(monkeypatch) -> None:
    """Ranges of fifty rows."""
    monkeypatch.setattr("migrator.forms.moving.MOST_ROWS", 50)


class Vault(MemoryTables):
    """A dump in a folder where the database would stand."""

    def __init__(self, path) -> None:
        super().__init__("new")
        self.path = path

    def reader(self, options, login):
        return FilesReader(Options(path=self.path), login)

    def writer(self, options, login):
        return FilesWriter(Options(path=self.path), login)

    def rows(self, table):
        reader = self.reader(None, LOGIN)
        there = next(one for one in reader.tables() if one.name == table)
        return sorted(everything(reader, Extract(there)), key=lambda row: int(row[0] or 0))


class World:
    """A site and what it goes to; each plan has a state of its own, so the second one remembers nothing."""

    def __init__(self, new: MemoryTables) -> None:
        self.old, self.new = MemoryTables("old", page=20), new
        self.old.fill(PLAIN, rows())

    def plan(self, **options: object) -> Trial:
        step = KIND.build(FormsOptions(**{"tables": ("*",), **options}), ())
        return Trial([Stage("forms", "forms", step, TablesRoute(self.old, self.new))])


@pytest.fixture(params=["database", "dump"])
def world(request, tmp_path) -> World:
    return World(MemoryTables("new", page=20) if request.param == "database" else Vault(tmp_path / "dump"))


@pytest.fixture
def live() -> World:
    return World(MemoryTables("new", page=20))


def fates(trial: Trial, table: str = PLAIN.name) -> list[Fate]:
    return [one.fate for one in trial.store.outcomes(f"forms/old>new/database/{table}")]


def verbs(trial: Trial, table: str = PLAIN.name) -> list[Verb]:
    (stage,) = trial.preview(trial.store).stages
    return [action.verb for _, action in stage.actions if action.label == table]


@pytest.mark.parametrize("existing", ["refuse", "keep-ids", "skip-existing"])
def test_what_arrived_is_found_and_nothing_is_put_twice(world, existing) -> None:
    world.plan(existing=existing).run()
    before, second = len(world.new.writes), world.plan(existing=existing)
    assert verbs(second) == [Verb.COPY]
    assert not second.run().codes
    assert world.new.rows(PLAIN.name) == rows()
    assert not [one for one in world.new.writes[before:] if one.startswith(("load", "merge"))]
    assert set(fates(second)) == {Fate.FOUND}
    assert second.verify().differences == 0
    assert verbs(second) == [Verb.KEEP]


@pytest.mark.parametrize("came", [1, 77])
def test_what_has_come_since_goes_on_from_there(world, came) -> None:
    world.plan().run()
    world.old.kept[PLAIN.name].rows += rows(160 + came)[160:]
    second = world.plan()
    assert not second.run().codes
    assert world.new.rows(PLAIN.name) == rows(160 + came)
    assert Fate.FOUND in fates(second)
    assert second.verify().differences == 0


@pytest.mark.parametrize("existing", ["refuse", "keep-ids"])
@pytest.mark.parametrize(("one", "content"), [(LOG, LOG_ROWS * 12), (LOOSE, LOOSE_ROWS * 12)], ids=["index", "nothing"])
def test_tables_without_a_key_keep_their_twins_and_get_no_more(tmp_path, existing, one, content) -> None:
    for new in (MemoryTables("new", page=20), Vault(tmp_path / "dump")):
        world = World(new)
        world.old.fill(one, content)
        world.plan(existing=existing).run()
        second = world.plan(existing=existing)
        assert not second.run().codes
        reader = new.reader(None, LOGIN)
        there = next(each for each in reader.tables() if each.name == one.name)
        assert sorted(map(repr, everything(reader, Extract(there)))) == sorted(map(repr, content))
        assert second.verify().differences == 0


def test_a_dump_takes_what_has_changed_since_when_most_of_it_is_ours(tmp_path) -> None:
    world = World(Vault(tmp_path / "dump"))
    world.plan().run()
    there = world.old.kept[PLAIN.name].rows
    there[60] = (*there[60][:2], "read by now", there[60][3])
    del there[100]
    second = world.plan()
    assert not second.run().codes
    assert world.new.rows(PLAIN.name)[60][2] == "read by now"
    assert len(world.new.rows(PLAIN.name)) == 160
    assert second.verify().differences == 0


def test_a_dump_of_another_site_is_left_as_it_is(tmp_path) -> None:
    world = World(Vault(tmp_path / "dump"))
    world.plan().run()
    theirs = world.new.rows(PLAIN.name)
    world.old.fill(PLAIN, [(*row[:2], f"other {row[0]}", row[3]) for row in rows()])
    second = world.plan()
    assert verbs(second) == [Verb.BY_HAND]
    second.run()
    assert world.new.rows(PLAIN.name) == theirs


def test_rows_of_others_do_not_matter_where_nothing_is_to_be_written(live) -> None:
    live.plan().run()
    live.new.kept[PLAIN.name].rows.insert(0, ("500", "5", "sent to the new site", "2026-03-01 10:00:00"))
    second = live.plan()
    assert not second.run().codes
    assert set(fates(second)) == {Fate.FOUND}
    assert len(live.new.rows(PLAIN.name)) == 161
    assert second.verify().differences == 0


@pytest.mark.parametrize(
    "theirs", [("170", "9", "theirs", "2026-01-01 00:00:00"), ("500", "9", "theirs", "2026-01-01 00:00:00")]
)
def test_nothing_is_written_beside_rows_of_others_unless_the_plan_says_so(live, theirs) -> None:
    live.plan().run()
    live.new.kept[PLAIN.name].rows.append(theirs)
    live.old.kept[PLAIN.name].rows.append(NEW)
    second = live.plan()
    assert verbs(second) == [Verb.BY_HAND]
    second.run()
    assert live.new.rows(PLAIN.name) == [*rows(), theirs]


def test_what_the_plan_hides_is_found_hidden(world) -> None:
    options = {"redact": {"mask": ["*.form_value"]}}
    world.plan(**options).run()
    hidden = world.new.rows(PLAIN.name)
    second = world.plan(**options)
    assert not second.run().codes
    assert set(fates(second)) == {Fate.FOUND}
    assert world.new.rows(PLAIN.name) == hidden
    assert second.verify().differences == 0


def test_what_a_target_keeps_by_its_own_rule_is_found_so(live) -> None:
    live.new.features = replace(live.new.features, exact=False)
    live.new.keeps = lambda row: (*row[:2], str(row[2]).upper(), row[3])
    live.plan().run()
    second = live.plan()
    assert verbs(second) == [Verb.COPY]
    assert not second.run().codes
    assert set(fates(second)) == {Fate.FOUND}
    assert len(live.new.rows(PLAIN.name)) == 160


def test_a_source_that_ends_early_in_silence_is_not_taken_at_its_word(live) -> None:
    live.plan().run()
    live.old.kept[PLAIN.name].rows += rows(190)[160:]
    live.old.short = set(range(live.old.pages_read + 1, live.old.pages_read + 3))
    second = live.plan()
    second.run()
    live.old.short = set()
    second.run()
    assert live.new.rows(PLAIN.name) == rows(190)
    assert second.verify().differences == 0


@pytest.mark.parametrize("existing", ["keep-ids", "skip-existing"])
def test_rows_without_a_key_are_put_once_though_others_stand_beside_them_and_some_have_come(live, existing) -> None:
    theirs: Row = tuple("theirs" for _ in LOOSE_ROWS[0])
    live.old.fill(LOOSE, LOOSE_ROWS[:-1])
    live.new.fill(LOOSE, [theirs])
    live.plan(existing=existing).run()
    live.old.fill(LOOSE, LOOSE_ROWS)
    lost = live.plan(existing=existing)
    lost.run()
    assert sorted(live.new.rows(LOOSE.name), key=repr) == sorted([theirs, *LOOSE_ROWS], key=repr)
    assert lost.verify().differences == 0


def test_rows_without_a_key_are_put_beside_nobodys_where_the_plan_does_not_say_so(live) -> None:
    theirs: Row = tuple("theirs" for _ in LOOSE_ROWS[0])
    live.old.fill(LOOSE, LOOSE_ROWS)
    live.new.fill(LOOSE, [theirs, LOOSE_ROWS[0]])
    assert live.plan().run().codes
    assert sorted(live.new.rows(LOOSE.name), key=repr) == sorted([theirs, LOOSE_ROWS[0]], key=repr)
