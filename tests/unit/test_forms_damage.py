"""A dump in files of which something is missing is told of before anything is moved, with the name of what is missing."""

from __future__ import annotations

import pytest

from migrator.engine.contract import Action, Login, Verb
from migrator.engine.stage import Stage
from migrator.errors import Misbehaved
from migrator.forms.adapters.files import FilesReader, FilesWriter, Options
from migrator.forms.model import EVERYTHING, Extract
from migrator.forms.options import FormsOptions
from migrator.forms.step import KIND
from migrator.testing.form_suite import KINDS, KINDS_ROWS, PLAIN, PLAIN_ROWS, everything, fill
from migrator.testing.memory_tables import MemoryTables, TablesRoute
from migrator.testing.trial import Trial

LOGIN = Login("database", "database")


class Dump(MemoryTables):
    """Files where the database would stand."""

    def __init__(self, path) -> None:
        super().__init__("dump")
        self.path = path

    def reader(self, options, login):
        return FilesReader(Options(path=self.path), login)

    def writer(self, options, login):
        return FilesWriter(Options(path=self.path), login)


@pytest.fixture
def dump(tmp_path) -> Dump:
    dump = Dump(tmp_path / "dump")
    fill(dump.writer(None, LOGIN), PLAIN, PLAIN_ROWS)
    fill(dump.writer(None, LOGIN), KINDS, KINDS_ROWS)
    return dump


def trial(source: MemoryTables, target: MemoryTables, **options: object) -> Trial:
    step = KIND.build(FormsOptions(tables=("*",), **options), ())
    return Trial([Stage("forms", "forms", step, TablesRoute(source, target))])


def by_hand(some: Trial) -> dict[str, Action]:
    (stage,) = some.preview(some.store).stages
    return {action.label: action for _, action in stage.actions if action.verb is Verb.BY_HAND}


def lose(dump: Dump, what: str) -> str:
    (path,) = (dump.path / PLAIN.name).glob(what)
    path.unlink()
    return path.name


@pytest.mark.parametrize("said", ["{", "[]", "{}", '{"table": {}, "parts": 5}', '{"table": 1, "parts": []}'])
def test_a_table_whose_manifest_cannot_be_read_is_named_and_the_others_move(dump, said) -> None:
    (dump.path / PLAIN.name / "manifest.json").write_text(said)
    new = MemoryTables("new")
    restoring = trial(dump, new)
    told = by_hand(restoring)
    assert list(told) == [PLAIN.name]
    assert "a manifest that cannot be read" in told[PLAIN.name].why
    assert restoring.run().codes == {"by-hand"}
    assert set(new.kept) == {KINDS.name}


@pytest.mark.parametrize("what", ["manifest.json", "*.jsonl"])
def test_a_table_of_which_something_is_missing_is_named_and_the_others_move(dump, what) -> None:
    lost = lose(dump, what)
    new = MemoryTables("new")
    restoring = trial(dump, new)
    told = by_hand(restoring)
    assert list(told) == [PLAIN.name]
    assert lost in told[PLAIN.name].why
    assert "a copy of the dump" in told[PLAIN.name].why
    assert restoring.run().codes == {"by-hand"}
    assert set(new.kept) == {KINDS.name}


def test_a_folder_of_something_else_is_no_damage(dump) -> None:
    (dump.path / "notes").mkdir()
    (dump.path / "notes" / "read me.jsonl").write_text("")
    assert not by_hand(trial(dump, MemoryTables("new")))


def test_a_backup_that_lost_a_file_says_so_each_time(dump) -> None:
    site = MemoryTables("site")
    site.fill(PLAIN, PLAIN_ROWS)
    other = Dump(dump.path.parent / "other")
    nightly = trial(site, other)
    assert not nightly.run().codes
    assert not by_hand(nightly)
    lost = lose(other, "*.jsonl")
    assert lost in by_hand(nightly)[PLAIN.name].why
    assert nightly.run().codes == {"by-hand"}


def test_rows_whose_manifest_is_lost_are_not_removed_for_others(dump) -> None:
    lose(dump, "manifest.json")
    (rows,) = (dump.path / PLAIN.name).glob("*.jsonl")
    site = MemoryTables("site")
    site.fill(PLAIN, PLAIN_ROWS[:2])
    assert trial(site, dump).run().codes == {"by-hand"}
    assert rows.exists()
    writer = dump.writer(None, LOGIN)
    writer.shadow(PLAIN)
    with pytest.raises(Exception, match="manifest"):
        writer.swap(PLAIN)
    assert rows.exists()


def test_a_missing_file_is_named_by_whoever_reads_it(dump) -> None:
    lost = lose(dump, "*.jsonl")
    reader = dump.reader(None, LOGIN)
    for read in (everything, lambda reader, extract: reader.checksum(extract, EVERYTHING)):
        with pytest.raises(Misbehaved, match=lost) as raised:
            read(reader, Extract(PLAIN))
        assert "a copy of the dump" in raised.value.remedy


def test_a_folder_that_has_rows_already_says_what_to_do(dump) -> None:
    site = MemoryTables("site")
    site.fill(PLAIN, [replace_said(row) for row in PLAIN_ROWS])
    why = by_hand(trial(site, dump))[PLAIN.name].why
    assert "name another folder in the plan, or move that one away" in why


def replace_said(row):
    return (*row[:2], "other words", *row[3:])
