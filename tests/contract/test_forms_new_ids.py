"""Entries get new ids at every target that takes rows beside others without a server: out of a dump, into SQLite."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pydantic import SecretStr

from migrator.engine.contract import Fate, Login, Side
from migrator.engine.stage import Stage
from migrator.forms.adapters import dump, files, sqlite
from migrator.forms.contract import TableReader, TableWriter
from migrator.forms.flat import Flat, Site
from migrator.forms.model import EVERYTHING, Extract
from migrator.forms.options import FormsOptions
from migrator.forms.plugins import detect
from migrator.forms.step import KIND
from migrator.testing.form_suite import everything, fill
from migrator.testing.memory_strongbox import MemoryStrongbox
from migrator.testing.trial import Trial

SITES = Path(__file__).resolve().parents[2] / "fixtures" / "forms" / "two-sites"
LOGIN = Login("database", "database")
PLUGINS = ("cfdb7", "flamingo", "wpforms", "gravity-forms")


def dumped(which: str) -> TableReader:
    return dump.ADAPTER.reader(dump.Options(path=SITES / f"{which}.sql"), LOGIN)


def in_files(folder: Path) -> TableReader:
    """The old site as an earlier step left it in files."""
    assert files.ADAPTER.writer is not None
    options = files.Options(path=folder)
    with closing(dumped("old")) as reader, closing(files.ADAPTER.writer(options, LOGIN)) as writer:
        for table in reader.tables():
            fill(writer, table, everything(reader, Extract(table)))
    return files.ADAPTER.reader(options, LOGIN)


@dataclass(slots=True)
class Route:
    """Opener from an old site that is read into a new one in a file of SQLite."""

    old: Callable[[], TableReader]
    path: Path
    strongbox: MemoryStrongbox = field(default_factory=MemoryStrongbox)

    def endpoint(self, side: Side) -> str:
        return "old" if side is Side.SOURCE else "new"

    def connections(self, side: Side) -> tuple[int, int]:
        del side
        return 1, 1

    def for_reading(self, side: Side, service: str, account: str) -> TableReader:
        del service, account
        return self.old() if side is Side.SOURCE else sqlite.ADAPTER.reader(sqlite.Options(path=self.path), LOGIN)

    def for_writing(self, side: Side, service: str, account: str) -> TableWriter:
        del service, account
        assert side is Side.TARGET
        return writing(self.path)

    def login(self, side: Side, account: str) -> Login:
        del side, account
        return LOGIN

    def keep_password(self, account: str, password: SecretStr) -> None:
        raise AssertionError(f"no password is made here ({account}, {password})")


def writing(path: Path) -> TableWriter:
    assert sqlite.ADAPTER.writer is not None
    return sqlite.ADAPTER.writer(sqlite.Options(path=path), LOGIN)


@pytest.fixture(params=["dump", "files"])
def route(request, tmp_path) -> Route:
    with closing(dumped("new")) as reader, closing(writing(tmp_path / "new.sqlite")) as writer:
        for table in reader.tables():
            rows = [row for page in reader.rows(Extract(table), EVERYTHING) for row in page]
            fill(writer, table, rows)
    if request.param == "dump":
        return Route(lambda: dumped("old"), tmp_path / "new.sqlite")
    in_files(tmp_path / "files").close()
    options = files.Options(path=tmp_path / "files")
    return Route(lambda: files.ADAPTER.reader(options, LOGIN), tmp_path / "new.sqlite")


@pytest.fixture
def trial(route) -> Trial:
    return tried(route)


def tried(route: Route) -> Trial:
    options = FormsOptions(
        plugins=PLUGINS, existing="remap", prefixes={"wp_": "new_"}, forms={"map": {"Application": "Bewerbung"}}
    )
    return Trial([Stage("forms", "forms", KIND.build(options, ()), route)], workers=1)


def answers(reader: TableReader) -> Iterator[tuple[str, str, str]]:
    for stored in detect.present(reader, PLUGINS):
        for entry in Flat(reader, stored, Site()).entries():
            title = {"application": "bewerbung"}.get(entry.header["form_title"].lower().strip(), "")
            yield (
                stored.plugin,
                title or entry.header["form_title"].lower().strip(),
                repr(sorted(repr(one.value) for one in entry.answers)),
            )


def test_entries_arrive_under_the_targets_forms_and_a_second_run_adds_none_also_without_its_state(route, trial) -> None:
    with closing(route.for_reading(Side.TARGET, "", "")) as new, closing(dumped("old")) as old:
        wanted = Counter(answers(old)) + Counter(answers(new))
    assert not trial.run().codes
    assert Fate.LEFT_BEHIND not in trial.fates()
    with closing(route.for_reading(Side.TARGET, "", "")) as new:
        assert Counter(answers(new)) == wanted
        before = {one.name: everything(new, Extract(one)) for one in new.tables()}
    assert trial.verify().differences == 0
    again = tried(route)
    assert not again.run().codes
    assert set(again.fates()) <= {Fate.FOUND}
    with closing(route.for_reading(Side.TARGET, "", "")) as new:
        assert {one.name: everything(new, Extract(one)) for one in new.tables()} == before
    assert again.verify().differences == 0
