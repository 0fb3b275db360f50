"""Files keep the promises of a transport of form entries, and tell when they are not what was written."""

from __future__ import annotations

import itertools
import json
import stat
import tracemalloc
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError
from pyrage import x25519

from migrator.engine.contract import Login
from migrator.errors import Misbehaved, PlanError, Refused
from migrator.forms.adapters import files
from migrator.forms.adapters.files import FilesReader, FilesWriter, Options, lines, read_lines
from migrator.forms.model import (
    EVERYTHING,
    Column,
    Condition,
    Extract,
    KeyRange,
    Operator,
    Row,
    Server,
    Spelt,
    checksum_of,
)
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


IDENTITY = x25519.Identity.generate()
SEALED = {"compress": "zstd", "encrypt": "age", "recipients": (str(IDENTITY.to_public()),)}
OPENED = {**SEALED, "identity": SecretStr(f"# made for a test\n{IDENTITY}\n")}


@pytest.fixture(scope="module")
def sealed(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("sealed")
    stock(FilesWriter(Options(path=path, **OPENED), LOGIN))
    return path


class TestReadingWhatIsSealed(TableReaderContract):
    @pytest.fixture
    def reading(self, sealed: Path) -> Opens:
        return opens(lambda: FilesReader(Options(path=sealed, identity=OPENED["identity"]), LOGIN))


class TestWritingWhatIsSealed(TableWriterContract):
    @pytest.fixture
    def reading(self, tmp_path: Path) -> Opens:
        return opens(lambda: FilesReader(Options(path=tmp_path, **OPENED), LOGIN))

    @pytest.fixture
    def writing(self, tmp_path: Path) -> OpensWriter:
        return opens_writer(lambda: FilesWriter(Options(path=tmp_path, **OPENED), LOGIN))


def sealed_writer(tmp_path, **changed) -> FilesWriter:
    return FilesWriter(Options(path=tmp_path / "dump", **{**SEALED, **changed}), LOGIN)


@pytest.mark.parametrize(
    "wrapped", [{"compress": "zstd"}, {**SEALED, "compress": None}, SEALED], ids=["zst", "age", "both"]
)
def test_no_word_anybody_wrote_is_on_the_disk_in_the_clear(tmp_path, wrapped) -> None:
    fill(sealed_writer(tmp_path, **{**dict.fromkeys(SEALED), "recipients": (), **wrapped}), PLAIN, PLAIN_ROWS)
    for path in (tmp_path / "dump").rglob("*"):
        assert path.is_dir() or b"unread" not in path.read_bytes(), path
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    reader = FilesReader(Options(path=tmp_path / "dump", identity=OPENED["identity"]), LOGIN)
    assert everything(reader, Extract(PLAIN)) == PLAIN_ROWS


def test_who_seals_goes_on_and_proves_without_an_identity(tmp_path) -> None:
    low, high, new = KeyRange(None, ("13",)), KeyRange(("13",), ("40",)), KeyRange(("40",), ("99",))
    first = sealed_writer(tmp_path)
    first.load(Extract(first.shadow(PLAIN)), low, PLAIN_ROWS[:5], None)
    second = sealed_writer(tmp_path)  # the first one died
    shadow = Extract(second.shadow(PLAIN))
    assert second.checksum(shadow, low) == checksum_of(PLAIN_ROWS[:5])
    second.load(shadow, high, PLAIN_ROWS[5:], None)
    second.load(shadow, high, PLAIN_ROWS[5:], None)
    assert second.checksum(shadow, EVERYTHING) == checksum_of(PLAIN_ROWS)
    second.swap(PLAIN)
    some = Extract(
        PLAIN, (Condition("form", Operator.IN, ("5",)),)
    )  # a later pass proves what it took, by the same ranges
    assert second.checksum(some, low) == checksum_of(PLAIN_ROWS[:5])
    row: Row = ("99", "5", "new", "2026-02-01 10:00:00")
    assert not [page for page in second.rows(some, new) if page]
    second.load(some, new, [row], checksum_of([]))
    assert second.checksum(some, new) == checksum_of([row])
    assert second.count(Extract(PLAIN)) == len(PLAIN_ROWS) + 1
    with pytest.raises(PlanError, match="is encrypted") as raised:
        everything(second, Extract(PLAIN))
    assert "identity" in raised.value.remedy


def test_an_identity_is_in_nothing_that_is_shown(tmp_path) -> None:
    options = Options(path=tmp_path / "dump", identity=OPENED["identity"])
    assert options.wrapping.identity
    assert "AGE-SECRET-KEY" not in f"{options!r} {options.wrapping!r}"


def test_another_identity_and_a_damaged_file_are_told_by_the_name_of_the_file(tmp_path) -> None:
    fill(sealed_writer(tmp_path), PLAIN, PLAIN_ROWS)
    (file,) = (tmp_path / "dump" / PLAIN.name).glob("*.jsonl.zst.age")
    other = Options(path=tmp_path / "dump", identity=SecretStr(str(x25519.Identity.generate())))
    with pytest.raises(PlanError, match=f"{file.name} cannot be opened"):
        everything(FilesReader(other, LOGIN), Extract(PLAIN))
    none = Options(path=tmp_path / "dump", identity=SecretStr("a password"))
    with pytest.raises(PlanError, match="no age identity") as raised:
        everything(FilesReader(none, LOGIN), Extract(PLAIN))
    assert "a password" not in raised.value.sentence()
    content = bytearray(file.read_bytes())
    content[-5] ^= 1
    file.write_bytes(content)
    mine = Options(path=tmp_path / "dump", identity=OPENED["identity"])
    for read in (everything, lambda reader, extract: reader.checksum(extract, EVERYTHING)):
        with pytest.raises(Misbehaved, match=file.name):
            read(FilesReader(mine, LOGIN), Extract(PLAIN))


def test_a_manifest_that_lies_about_a_packed_file_is_told(tmp_path) -> None:
    fill(sealed_writer(tmp_path, encrypt=None, recipients=()), PLAIN, PLAIN_ROWS)
    manifest = tmp_path / "dump" / PLAIN.name / "manifest.json"
    told = json.loads(manifest.read_text())
    told["parts"][0]["content"] -= 1
    manifest.write_text(json.dumps(told))
    with pytest.raises(Misbehaved, match=r"jsonl\.zst cannot be unpacked"):
        everything(FilesReader(Options(path=tmp_path / "dump"), LOGIN), Extract(PLAIN))


@pytest.mark.parametrize(
    "said",
    [
        {"encrypt": "age"},
        {"recipients": SEALED["recipients"]},
        {"encrypt": "age", "recipients": ("age1wrong",)},
        {"compress": "rar"},
    ],
)
def test_a_plan_that_encrypts_for_nobody_is_refused(tmp_path, said) -> None:
    with pytest.raises(ValidationError, match=r"recipients|age public key|zstd"):
        Options(path=tmp_path, **said)


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


def test_what_a_power_cut_took_of_a_shadow_is_missed_by_its_sum_and_never_put_in_place(writer, tmp_path) -> None:
    extract, low, high = Extract(writer.shadow(PLAIN)), KeyRange(None, ("13",)), KeyRange(("13",), ("40",))
    writer.load(extract, low, PLAIN_ROWS[:5], None)
    writer.load(extract, high, PLAIN_ROWS[5:], None)
    (first,) = (tmp_path / "dump" / f"_migrator_{PLAIN.name}").glob("begin-13-*.jsonl")
    content = first.read_bytes()
    first.write_bytes(content[:-1])
    assert [writer.checksum(extract, one).rows for one in (low, high, EVERYTHING)] == [0, 9, 9]
    first.write_bytes(bytes(len(content)))
    assert writer.checksum(extract, EVERYTHING) != checksum_of(PLAIN_ROWS)
    first.unlink()
    assert writer.checksum(extract, EVERYTHING) != checksum_of(PLAIN_ROWS)
    first.write_bytes(content)
    assert writer.checksum(extract, EVERYTHING) == checksum_of(PLAIN_ROWS)


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


# Every letter there is, lone surrogates too, and often those that JSON escapes or that could be taken for a mark between values.
SAID = (
    st.none()
    | st.text(max_size=30)
    | st.text(st.sampled_from('\\"\n\r\t\0\x1c\x1d\x1e\x1f\x7f\x85,[]nu\u2028\ud83d'), max_size=9)
)


@given(st.lists(st.tuples(SAID, st.none() | st.binary(max_size=9)), max_size=5), st.sampled_from([2, 64 * 1024]))
def test_lines_are_read_back_as_they_were_written(rows, long) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "LONG", long)
        said = lines(TWO, rows)
    assert said.count(b"\n") == len(rows)
    assert read_lines(TWO, said) == rows
    if rows:
        texts, raw = zip(*rows, strict=True)
        as_bytes = [None if one is None else one.encode("utf-8", "surrogatepass") for one in texts]
        assert read_lines(TWO, lines(TWO, Spelt([as_bytes, raw], (False, True)))) == rows


def test_many_rows_and_a_long_one_are_quoted_in_little_more_than_they_are() -> None:
    rows = [("😀 " + "x" * 400, b""), ("😀 " + "y" * 4_000_000, None)] * 2 + [("😀 " + "z" * 400, b"")] * 10_000
    tracemalloc.start()
    said = lines(TWO, rows)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2.5 * len(said)


def test_a_range_that_shares_rows_with_others_takes_them_over(writer) -> None:
    extract = Extract(writer.shadow(PLAIN))
    ends = [None, ("13",), ("25",), ("31",)]
    for after, upto in itertools.pairwise(ends):
        writer.load(extract, KeyRange(after, upto), [row for row in PLAIN_ROWS if _between(row, after, upto)], None)
    again = KeyRange(("7",), ("28",))
    rows = [(*row[:2], "other", row[3]) for row in PLAIN_ROWS if _between(row, *(again.after, again.upto))]
    writer.load(extract, again, rows, None)
    writer.load(
        extract, KeyRange(("31",), ("40",)), [row for row in PLAIN_ROWS if _between(row, ("31",), ("40",))], None
    )
    writer.swap(PLAIN)
    keys = {row[0] for row in rows}
    assert sorted(everything(writer, Extract(PLAIN))) == sorted(
        [*rows, *(one for one in PLAIN_ROWS if one[0] not in keys)]
    )


def _between(row: Row, after: tuple[str] | None, upto: tuple[str] | None) -> bool:
    return (after is None or int(row[0]) > int(after[0])) and (upto is None or int(row[0]) <= int(upto[0]))
