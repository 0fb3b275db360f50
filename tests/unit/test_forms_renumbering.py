"""Entries beside others with new numbers: every plugin's, into a site that has the same numbers already."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from migrator.engine.contract import Fate, Login
from migrator.engine.stage import Stage
from migrator.forms.adapters.dump import ADAPTER as DUMP
from migrator.forms.adapters.dump import Options
from migrator.forms.flat import Flat, Place
from migrator.forms.model import EVERYTHING, Extract
from migrator.forms.options import FormsOptions
from migrator.forms.plugins import detect
from migrator.forms.plugins.known import KNOWN
from migrator.forms.plugins.shape import System
from migrator.forms.step import KIND
from migrator.testing.memory_tables import MemoryReader, MemoryTables, TablesRoute
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
        for entry in Flat(reader, stored, Place()).entries():
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
