"""A file of SQLite keeps the promises of a target of form entries."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy.engine.reflection import Inspector

from migrator.engine.contract import Login
from migrator.forms.adapters.sqlite import ADAPTER, Options
from migrator.forms.model import EVERYTHING, Extract, Paging, Table
from migrator.testing.form_suite import (
    PLAIN,
    ROWS,
    TABLES,
    Opens,
    OpensWriter,
    TableReaderContract,
    TableWriterContract,
    everything,
    fill,
    opens,
    opens_writer,
    stock,
)

LOGIN = Login("database", "database")


def writer(path: Path):
    assert ADAPTER.writer is not None
    return ADAPTER.writer(Options(path=path), LOGIN)


@pytest.fixture(scope="module")
def stocked(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "dump.sqlite"
    stock(writer(path))
    return path


class TestReading(TableReaderContract):
    @pytest.fixture
    def reading(self, stocked: Path) -> Opens:
        return opens(lambda: ADAPTER.reader(Options(path=stocked), LOGIN))

    @pytest.fixture(autouse=True)
    def kept(self, tmp_path) -> None:
        self.writer = writer(tmp_path / "other.sqlite")

    def expected(self, name: str):
        wanted = next(one for one, _ in TABLES if one.name == name)
        return self.writer.as_kept(wanted, ROWS[name])


class TestWriting(TableWriterContract):
    @pytest.fixture
    def reading(self, tmp_path: Path) -> Opens:
        return opens(lambda: ADAPTER.reader(Options(path=tmp_path / "dump.sqlite"), LOGIN))

    @pytest.fixture
    def writing(self, tmp_path: Path) -> OpensWriter:
        return opens_writer(lambda: writer(tmp_path / "dump.sqlite"))


def test_the_file_is_its_owners_alone_and_holds_what_a_lone_surrogate_can_be(tmp_path) -> None:
    session = writer(tmp_path / "made" / "dump.sqlite")
    fill(session, PLAIN, session.as_kept(PLAIN, [("1", "2", "lone \ud83d \0", "0000-00-00 00:00:00")]))
    assert everything(session, Extract(PLAIN), EVERYTHING) == [("1", "2", "lone \ufffd \0", "0000-00-00 00:00:00")]
    assert stat.S_IMODE((tmp_path / "made" / "dump.sqlite").stat().st_mode) == 0o600
    assert PLAIN.paging is Paging.KEY


def test_a_shadow_that_is_swapped_while_tables_are_listed_is_no_error(stocked: Path, monkeypatch) -> None:
    listed = Inspector.get_table_names
    monkeypatch.setattr(Inspector, "get_table_names", lambda self: [*listed(self), "swapped_since"])
    reader = ADAPTER.reader(Options(path=stocked), LOGIN)
    assert {one.name for one in reader.tables()} == {one.name for one, _ in TABLES}
    reader.close()


def test_a_table_that_numbers_its_rows_itself_goes_on_above_what_is_reserved(tmp_path) -> None:
    path = tmp_path / "site.sqlite"
    with closing(sqlite3.connect(path)) as site:
        site.execute("CREATE TABLE entries (id INTEGER PRIMARY KEY AUTOINCREMENT, said TEXT)")
        site.execute("CREATE TABLE plain (id INTEGER PRIMARY KEY, said TEXT)")
    session = writer(path)
    with closing(sqlite3.connect(path)) as site:
        for upto, becomes in ((20, 21), (5, 22), (30, 31)):
            session.reserve(Table("entries", ()), upto)
            session.reserve(Table("plain", ()), upto)
            with site:
                assert site.execute("INSERT INTO entries (said) VALUES ('theirs')").lastrowid == becomes
        assert site.execute("SELECT COUNT(*) FROM plain").fetchone() == (0,)
