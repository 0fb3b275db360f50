"""Files keep the promises of a transport of form entries, and tell when they are not what was written."""

from __future__ import annotations

import json
import stat
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.engine.contract import Login
from migrator.errors import Misbehaved, Refused
from migrator.forms.adapters.files import FilesReader, FilesWriter, Options, lines, read_lines
from migrator.forms.model import EVERYTHING, Column, Condition, Extract, KeyRange, Operator, Row, Server, checksum_of
from migrator.testing.form_suite import (
    CODES,
    CODES_ROWS,
    KINDS,
    KINDS_ROWS,
    PLAIN,
    PLAIN_ROWS,
    Opens,
    OpensWriter,
    TableReaderContract,
    TableWriterContract,
    everything,
    fill,
    opens,
    opens_writer,
    stock,
    table,
    text,
)

LOGIN = Login("database", "database")
TWO = table("wp_two", [text("said"), Column("raw", "longblob")])


@pytest.fixture(scope="module")
def stocked(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("dump")
    stock(FilesWriter(Options(path=path), LOGIN))
    return path


class TestReading(TableReaderContract):
    @pytest.fixture
    def reading(self, stocked: Path) -> Opens:
        return opens(lambda: FilesReader(Options(path=stocked), LOGIN))


class TestWriting(TableWriterContract):
    @pytest.fixture
    def reading(self, tmp_path: Path) -> Opens:
        return opens(lambda: FilesReader(Options(path=tmp_path), LOGIN))

    @pytest.fixture
    def writing(self, tmp_path: Path) -> OpensWriter:
        return opens_writer(lambda: FilesWriter(Options(path=tmp_path), LOGIN))


@pytest.fixture
def writer(tmp_path):
    with closing(FilesWriter(Options(path=tmp_path / "dump"), LOGIN)) as session:
        yield session


def test_everything_is_for_its_owner_only_from_its_first_byte(writer, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("os.umask", lambda _: 0)
    fill(writer, PLAIN, PLAIN_ROWS)
    for path in (tmp_path / "dump").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_the_manifest_says_what_it_came_from_and_proves_every_file(writer, tmp_path) -> None:
    writer.comes_from(Server("MariaDB", "10.11", "utf8mb4", "STRICT_ALL_TABLES", "+00:00", "acme_wp"))
    extract = Extract(writer.shadow(KINDS))
    writer.load(extract, KeyRange(None, ("2",)), KINDS_ROWS[:2], None)
    writer.load(extract, KeyRange(("2",), ("18446744073709551615",)), KINDS_ROWS[2:], None)
    writer.swap(KINDS)
    told = json.loads((tmp_path / "dump" / "wp_kinds" / "manifest.json").read_text())
    assert told["server"]["sql_mode"] == "STRICT_ALL_TABLES"
    assert told["server"]["zone"] == "+00:00"
    assert [one["name"] for one in told["table"]["columns"]] == [one.name for one in KINDS.columns]
    assert told["rows"] == sum(one["rows"] for one in told["parts"]) == 4
    total = checksum_of(KINDS_ROWS)
    assert int(told["crc"], 16) == total.crc == sum(int(one["crc"], 16) for one in told["parts"])
    assert {one["file"] for one in told["parts"]} == {
        path.name for path in (tmp_path / "dump" / "wp_kinds").glob("*.jsonl")
    }
    assert all(len(one["sha256"]) == 64 for one in told["parts"])


def test_a_row_is_a_line_of_json(writer, tmp_path) -> None:
    fill(writer, CODES, CODES_ROWS)
    (file,) = (tmp_path / "dump" / "wp_codes").glob("*.jsonl")
    assert [tuple(json.loads(line)) for line in file.read_text().splitlines()] == CODES_ROWS


def test_a_file_that_was_changed_is_told(writer, tmp_path) -> None:
    fill(writer, PLAIN, PLAIN_ROWS)
    (file,) = (tmp_path / "dump" / PLAIN.name).glob("*.jsonl")
    file.write_bytes(file.read_bytes().replace(b"unread", b"UNREAD"))
    with pytest.raises(Misbehaved) as raised:
        everything(writer, Extract(PLAIN))
    assert file.name in str(raised.value)


def test_a_journal_line_that_a_death_cut_short_counts_as_not_written(writer, tmp_path) -> None:
    extract = Extract(writer.shadow(PLAIN))
    low, high = KeyRange(None, ("13",)), KeyRange(("13",), ("40",))
    writer.load(extract, low, PLAIN_ROWS[:5], None)
    writer.load(extract, high, PLAIN_ROWS[5:], None)
    journal = tmp_path / "dump" / f"_migrator_{PLAIN.name}" / "journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-20])
    writer = FilesWriter(Options(path=tmp_path / "dump"), LOGIN)
    assert writer.count(extract) == 5
    writer.load(extract, high, PLAIN_ROWS[5:], None)
    writer.swap(PLAIN)
    assert writer.checksum(Extract(PLAIN), EVERYTHING) == checksum_of(PLAIN_ROWS)


def test_lone_surrogates_and_text_keys_in_the_servers_order_come_back(writer) -> None:
    rows: list[Row] = [("b", "lone \ud83d"), ("B2", "x"), ("a", "y"), ("\u00e4", None)]  # no order of bytes
    extract = Extract(writer.shadow(CODES))
    writer.load(extract, KeyRange(None, ("B2",)), rows[:2], None)
    writer.load(extract, KeyRange(("B2",), ("\u00e4",)), rows[2:], None)
    writer.swap(CODES)
    assert everything(writer, Extract(CODES)) == rows
    as_written = [KeyRange(None, ("B2",)), KeyRange(("B2",), ("\u00e4",))]
    assert list(writer.ranges(Extract(CODES), None, 3)) == as_written
    assert list(writer.ranges(Extract(CODES), ("B2",), 3)) == as_written[1:]
    one_by_one = [row[0] for row in rows]
    assert [
        one.upto for one in writer.ranges(Extract(CODES, (Condition("code", Operator.NOT_IN, ("",)),)), None, 1)
    ] == [(key,) for key in one_by_one]
    assert everything(writer, Extract(CODES), KeyRange(("B2",), ("a",))) == rows[2:3]


def test_a_dump_with_rows_is_not_written_over(writer) -> None:
    fill(writer, PLAIN, PLAIN_ROWS)
    writer.shadow(PLAIN)
    with pytest.raises(Refused) as raised:
        writer.swap(PLAIN)
    assert "another folder" in raised.value.sentence()


def test_a_link_that_leads_out_of_the_folder_is_not_followed(writer, tmp_path) -> None:
    other = FilesWriter(Options(path=tmp_path / "other"), LOGIN)
    fill(other, PLAIN, PLAIN_ROWS)
    fill(writer, CODES, CODES_ROWS)
    (tmp_path / "dump" / "wp_linked").symlink_to(tmp_path / "other" / PLAIN.name)
    with pytest.raises(Misbehaved):
        writer.tables()


@given(st.lists(st.tuples(st.none() | st.text(max_size=30), st.none() | st.binary(max_size=9)), max_size=5))
def test_lines_are_read_back_as_they_were_written(rows) -> None:
    said = lines(TWO, rows)
    assert said.count(b"\n") == len(rows)
    assert read_lines(TWO, said) == rows
