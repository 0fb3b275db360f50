"""SQL text as dump programs write it: what a value means, however it is spelt, however the text comes in pieces, wherever it is cut."""

from __future__ import annotations

import io
import tracemalloc
from itertools import chain, repeat

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from migrator.errors import Misbehaved
from migrator.forms import sql_text
from migrator.forms.sql_text import End, LongRow, Rows, Spelling, Statement, Want, parts


class Pieces:
    """A source that gives at most so many bytes at once."""

    def __init__(self, text: bytes, size: int) -> None:
        self._file, self._size = io.BytesIO(text), size

    def read(self, size: int, /) -> bytes:
        return self._file.read(min(size, self._size))


def read(text: bytes, want: Want = Want.VALUES, size: int = 1 << 20, **more):
    return list(parts(Pieces(text, size), "dump.sql", lambda _database, _table: want, **more))


def values(text: bytes, **more) -> list[tuple[bytes | None, ...]]:
    return [row for part in read(text, **more) if isinstance(part, Rows) for row in part.values]


def flat(found):
    """What was read, whatever the batches."""
    return [
        item
        for part in found
        for item in (
            [(part.insert.database, part.insert.table, part.insert.columns, row, part.spelling) for row in part.values]
            if isinstance(part, Rows)
            else [part]
        )
    ]


@pytest.fixture
def tiny(monkeypatch):
    """Memory is read in pieces of a few bytes, so that everything is cut everywhere."""
    monkeypatch.setattr(sql_text, "CHUNK", 1)
    monkeypatch.setattr(sql_text, "LONGEST_HEAD", 200)


EVERYTHING = rb"""-- MySQL dump 10.13  Distrib 8.0
/*M!999999\- enable the sandbox mode */
/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;
/*!40101 SET NAMES latin1 */;
# it's a comment; with marks
DROP TABLE IF EXISTS `t`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!50503 SET character_set_client = utf8mb4 */;
CREATE TABLE `t` (`id` int, `x;` varchar(9) DEFAULT 'a;''b') /*!50100 PARTITION BY KEY () */ -- it's
;
SET character_set_client = @saved_cs_client;
LOCK TABLES `t` WRITE;
/*!40000 ALTER TABLE `t` DISABLE KEYS */;
INSERT INTO `t` VALUES (1,'a\'b'),(2,NULL),(3,''),(4,0x4142),
(5,_binary 'x\0y'),(-6.5e3,'it''s');
INSERT INTO `t` (`id`, `x;`) VALUES
(1, 'a''\\'),
(TRUE, "say ""hi"" it's") /* c */ ,
(0, _utf8mb4'\xc3\xa4') ON DUPLICATE KEY UPDATE id=';';
insert ignore into t(id) select 1;
USE `other`;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`a`@`b`*/ /*!50003 TRIGGER a BEFORE INSERT ON t BEGIN x; y; END */;;
DELIMITER ;
REPLACE LOW_PRIORITY db.u values (b'101',x'41',N'n'),( .5 , +1 , false );
-- Dump completed on 2024-01-02
""".replace(rb"\xc3\xa4", "ä".encode())


def test_a_dump_is_statements_and_rows_with_what_was_in_force_at_each():
    found = flat(read(EVERYTHING))
    rows = [part for part in found if isinstance(part, tuple)]
    assert [(database, table, columns, row) for database, table, columns, row, _ in rows] == [
        ("", "t", (), (b"1", b"a'b")),
        ("", "t", (), (b"2", None)),
        ("", "t", (), (b"3", b"")),
        ("", "t", (), (b"4", b"AB")),
        ("", "t", (), (b"5", b"x\0y")),
        ("", "t", (), (b"-6.5e3", b"it's")),
        ("", "t", ("id", "x;"), (b"1", b"a'\\")),
        ("", "t", ("id", "x;"), (b"1", b'say "hi" it\'s')),
        ("", "t", ("id", "x;"), (b"0", "ä".encode("latin-1"))),
        ("db", "u", (), (b"\x05", b"A", b"n")),
        ("db", "u", (), (b".5", b"+1", b"0")),
    ]
    assert {spelling.charset for *_, spelling in rows} == {"latin1"}
    statements = [part for part in found if isinstance(part, Statement)]
    assert [part.spelling.charset for part in statements if part.text.startswith(b"CREATE TABLE")] == ["utf8mb4"]
    assert [part.place.line for part in statements if part.text.startswith(b"insert ignore")] == [20]
    assert rows[-1][-1].database == "other"
    assert found[-1] == End(found[-1].place, completed=True, promised=True, unfinished=None)
    assert found[-1].place.byte == len(EVERYTHING)


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("size", [1, 2, 7])
def test_pieces_make_no_difference(size):
    whole = sql_text.parts(io.BytesIO(EVERYTHING), "dump.sql", lambda *_: Want.VALUES)
    assert flat(read(EVERYTHING, size=size)) == flat(whole)


@pytest.mark.parametrize("want", Want)
def test_a_dump_cut_at_any_byte_is_told(want):
    end = EVERYTHING.index(b"-- Dump completed")
    for cut in range(40, end):
        last = read(EVERYTHING[:cut], want)[-1]
        assert isinstance(last, End)
        assert not last.whole, EVERYTHING[cut - 20 : cut]
        assert last.place.byte == cut


@pytest.mark.parametrize("want", [Want.VALUES, Want.COUNT])
def test_reading_may_begin_at_any_batch_of_rows(want):
    text = (
        EVERYTHING
        + b"INSERT INTO t VALUES "
        + b",".join(b"(%d,'it''s \\n',NULL)" % n for n in range(12_000))
        + b";\n"
        + EVERYTHING
    )
    found = read(text, want)
    batches = [at for at, part in enumerate(found) if isinstance(part, Rows)]
    assert len(batches) > 10
    for at in batches:
        first = found[at]
        again = read(text[first.place.byte :], want, start=first.place, spelling=first.spelling, inside=first.insert)
        assert sum(part.count for part in again if isinstance(part, Rows)) == sum(
            found[one].count for one in batches if one >= at
        )
        if want is Want.VALUES:
            assert flat(again)[0] == flat(found[at:])[0]
        assert again[-1].place == found[-1].place


def test_where_a_row_is_cut_is_told_by_line_and_byte():
    text = b"INSERT INTO t VALUES\n(1,'one'),\n(2,'tw"
    last = read(text)[-1]
    assert (last.unfinished.line, text[last.unfinished.byte :].strip()) == (2, b"(2,'tw")


def test_counting_finds_as_many_rows_as_reading():
    many = b"INSERT INTO t VALUES " + b",".join(b"(%d,'it''s (not) \\' one, %d',NULL)" % (n, n) for n in range(5000))
    text = many + b";" + many + b" ; " + many + b";"
    assert sum(part.count for part in read(text, Want.COUNT) if isinstance(part, Rows)) == 15_000
    assert len(values(text)) == 15_000
    assert not any(isinstance(part, Rows) for part in read(text, Want.NOTHING))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (rb"'\n\r\t\0\Z\b\'\"\\'", b"\n\r\t\0\x1a\b'\"\\"),
        (rb"'\%\_\x\\n'", rb"\%\_x\n"),
        (rb"'\\\'''\\'", b"\\''\\"),
        (rb"'\Z''''\0'", b"\x1a''\0"),
        (b"'a\nb'", b"a\nb"),
        (b"0x", b""),
        (b"0xABC", b"\x0a\xbc"),
        (b"X'0a0B'", b"\x0a\x0b"),
        (b"b'0000000100000001'", b"\x01\x01"),
        (b"b''", b"\0"),
        (b"_binary'\xff\\0'", b"\xff\0"),
        (b"_latin1'\xe4'", "ä".encode()),
        (b"null", None),
        (b"'NULL'", b"NULL"),
        (b"1e10", b"1e10"),
        (b"-0.50", b"-0.50"),
        (b"2024", b"2024"),
    ],
)
def test_every_spelling_of_a_value_means_what_a_server_takes_it_for(written, meant):
    assert values(b"INSERT INTO t VALUES (%s, 7), (8, %s);" % (written, written)) == [(meant, b"7"), (b"8", meant)]


def test_without_backslash_escapes_a_backslash_is_itself():
    text = b"SET sql_mode='ANSI,NO_BACKSLASH_ESCAPES'; INSERT INTO \"t\" VALUES ('C:\\',1),('it''s\\n',2);"
    assert values(text) == [(b"C:\\", b"1"), (rb"it's\n", b"2")]


def test_what_set_saved_is_put_back():
    text = (
        b"SET @o=@@sql_mode, sql_mode='NO_BACKSLASH_ESCAPES'; SET SESSION sql_mode=@o; INSERT INTO t VALUES ('a\\'b');"
    )
    assert values(text) == [(b"a'b",)]


def test_a_file_of_an_editor_begins_with_a_mark_or_is_refused():
    assert values(b"\xef\xbb\xbfINSERT INTO t VALUES (1);") == [(b"1",)]
    with pytest.raises(Misbehaved, match="UTF-16") as told:
        read("-- MySQL dump\r\n".encode("utf-16"))
    assert "result-file" in told.value.remedy
    with pytest.raises(Misbehaved, match="UTF-16"):
        read("-- MySQL dump\r\n".encode("utf-16le"))


@pytest.mark.parametrize("charset", ["gbk", "sjis", "big5"])
def test_a_charset_whose_letters_hold_quotes_is_refused(charset):
    with pytest.raises(Misbehaved, match=f"line 2 .*{charset}"):
        read(b"-- x\nSET NAMES %s;" % charset.encode())


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (b"(1,NOW())", r"b'NOW\(\)"),
        (b"(1,2,3)", "has 2 columns, this row has 3 values"),
        (b"(1)", "has 2 columns, this row has 1 values"),
        (b"(1 2)", ", is missing"),
        (b"(1,1.2.3)", "is no value|is missing"),
        (b"1,2)", r"\( is missing"),
    ],
)
def test_what_no_program_writes_is_told_with_its_place(row, said):
    text = b"INSERT INTO t (a,b) VALUES\n(1,2),\n%s,(3,4);%s" % (row, b" " * 100)
    with pytest.raises(Misbehaved, match=said) as told:
        read(text)
    assert str(told.value).startswith("dump.sql: line ")


def test_nul_and_bytes_of_no_charset_are_values_like_others():
    assert values(b"INSERT INTO t VALUES ('\0\xff\xfe','\xf0\x9f\x98\x80');") == [(b"\0\xff\xfe", "😀".encode())]


class Repeated:
    """A source of some bytes, a thing repeated many times, and some bytes."""

    def __init__(self, begin: bytes, repeated: bytes, often: int, end: bytes) -> None:
        self._left = chain([begin], repeat(repeated, often), [end])
        self._held = b""

    def read(self, size: int, /) -> bytes:
        while not self._held:
            try:
                self._held = next(self._left)
            except StopIteration:
                return b""
        piece, self._held = self._held[:size], self._held[size:]
        return piece


@pytest.mark.parametrize("want", [Want.VALUES, Want.COUNT, Want.NOTHING])
def test_a_row_without_an_end_is_told_in_little_memory(monkeypatch, want):
    monkeypatch.setattr(sql_text, "LARGEST_ROW", 8 * sql_text.MB)
    monkeypatch.setattr(sql_text, "MOST_HELD", 8 * sql_text.MB)
    tracemalloc.start()
    *_, end = parts(Repeated(b"INSERT INTO t VALUES (1,'", b"a" * sql_text.MB, 60, b""), "dump.sql", lambda *_: want)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert not end.whole
    assert str(end.unfinished).startswith("line 1 (byte ")
    assert peak < 48 * sql_text.MB


def test_something_else_without_an_end_is_refused(monkeypatch):
    monkeypatch.setattr(sql_text, "LARGEST_ROW", sql_text.MB)
    monkeypatch.setattr(sql_text, "MOST_HELD", sql_text.MB)
    with pytest.raises(Misbehaved, match=r"line 1 \(byte .*\): .* longer than"):
        list(
            parts(
                Repeated(b"INSERT INTO t VALUES (1,", b'"' + b"a" * 4 * sql_text.MB, 1, b""),
                "d",
                lambda *_: Want.VALUES,
            )
        )


@pytest.mark.parametrize("size", range(300, 330))
@pytest.mark.parametrize("special", [b"''", b"\\'", b"),(9,'", b"x"])
@pytest.mark.parametrize("more", [b"(3,'c')", b"(3, 'c' )", b""])
def test_a_row_that_is_too_long_is_passed_over_and_told_and_those_around_it_are_read(monkeypatch, size, special, more):
    monkeypatch.setattr(sql_text, "LARGEST_ROW", 300)
    monkeypatch.setattr(sql_text, "MOST_HELD", 300 + 2 * sql_text.LONGEST_WORD)
    monkeypatch.setattr(sql_text, "CHUNK", 64)
    monkeypatch.setattr(sql_text, "LONGEST_HEAD", 64)
    monkeypatch.setattr(sql_text, "LEAST_REACH", 64)
    said = (special * size)[: size // len(special) * len(special)].replace(b"(9,'", b"(9,''")
    rows = b",".join(filter(None, (b"(1,'a')", b"(2,'%b')" % said, more)))
    text = b"INSERT INTO t VALUES %b;\nINSERT INTO u VALUES (4);\n" % rows
    found = list(parts(io.BytesIO(text), "dump.sql", lambda *_: Want.VALUES))
    (long,) = [one for one in found if isinstance(one, LongRow)]
    assert (long.values, long.insert.table, long.place.byte) == ((b"2",), "t", text.index(b"(2,'"))
    assert long.bytes == len(said) + 6
    read_rows = [row for one in found if isinstance(one, Rows) for row in one.values]
    assert read_rows == [(b"1", b"a"), *([(b"3", b"c")] if more else []), (b"4",)]
    assert found[-1].whole
    others = list(parts(io.BytesIO(text), "dump.sql", lambda _, name: Want.VALUES if name == "u" else Want.NOTHING))
    assert [row for one in others if isinstance(one, Rows) for row in one.values] == [(b"4",)]


@pytest.mark.parametrize("text", [b"a" * 32, rb"\r\n it\'s \"so\" ", "Grüße, '' ".encode()])
@pytest.mark.parametrize(("size", "times"), [(7, 3), (24, 1)])
def test_a_long_row_is_in_memory_as_seldom_as_can_be(monkeypatch, text, size, times):
    monkeypatch.setattr(sql_text, "LARGEST_ROW", 8 * sql_text.MB)
    monkeypatch.setattr(sql_text, "MOST_HELD", 8 * sql_text.MB + 2 * sql_text.LONGEST_WORD)
    rows = Repeated(b"INSERT INTO t VALUES (1,'", text * 4096, size * sql_text.MB // len(text) // 4096, b"'),(2,'x');")
    tracemalloc.start()
    found = [
        (type(one), [len(row[1] or b"") for row in one.values] if isinstance(one, Rows) else one.values)
        for one in parts(rows, "dump.sql", lambda *_: Want.VALUES)
        if not isinstance(one, End)
    ]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [kind for kind, _ in found] == ([Rows, Rows] if size < 8 else [LongRow, Rows])
    assert found[1][1] == [1]
    assert peak < (times * min(size, 8) + 5) * sql_text.MB


def test_a_line_of_any_length_takes_little_memory():
    class OneLine:
        rows, comment = 40_000, 300

        def read(self, size: int, /) -> bytes:
            if self.comment:
                self.comment -= 1
                return b"-- " + b"x" * 65_000
            if self.rows == 40_000:
                self.rows -= 1
                return b"\nINSERT INTO t VALUES (1,'x')"
            self.rows -= 1
            return b",(2,'%s')" % (b"x" * 1000) if self.rows > 0 else b";" if self.rows == 0 else b""

    tracemalloc.start()
    count = sum(part.count for part in parts(OneLine(), "d", lambda *_: Want.VALUES) if isinstance(part, Rows))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 39_999
    assert peak < 8 * sql_text.MB


TEXT = st.binary(max_size=12) | st.text("a'\\\"%_n0Z;,()-#/*`\n", max_size=12).map(str.encode)
VALUE = st.none() | st.integers().map(lambda number: b"%d" % number) | TEXT


def mysqldump(value: bytes) -> bytes:
    for plain, escape in (
        (b"\\", rb"\\"),
        (b"\0", rb"\0"),
        (b"\n", rb"\n"),
        (b"\r", rb"\r"),
        (b"'", rb"\'"),
        (b'"', rb"\""),
    ):
        value = value.replace(plain, escape)
    return b"'" + value + b"'"


def phpmyadmin(value: bytes) -> bytes:
    return b"'" + value.replace(b"\\", rb"\\").replace(b"'", b"''").replace(b"\n", rb"\n") + b"'"


def doubled(value: bytes) -> bytes:
    return b"'" + value.replace(b"'", b"''") + b"'"


def hexadecimal(value: bytes) -> bytes:
    return b"0x" + value.hex().encode() if value else b"''"


@given(
    st.lists(st.tuples(VALUE, VALUE, VALUE), min_size=1, max_size=8),
    st.sampled_from([mysqldump, phpmyadmin, doubled, hexadecimal, lambda value: b"_binary " + mysqldump(value)]),
    st.sampled_from([b"(%s,%s,%s)", b"( %s ,\t%s,\n%s )"]),
    st.sampled_from([b",", b",\n", b" , ", b";INSERT INTO `t` VALUES "]),
    st.integers(1, 50),
)
@example([(b"", b"''", b"'")], doubled, b"(%s,%s,%s)", b",", 1)
def test_what_any_program_writes_is_read_back(rows, spelt, row, between, size):
    def written(value):
        return b"NULL" if value is None else value if value.lstrip(b"-").isdigit() else spelt(value)

    text = b"INSERT INTO `t` VALUES " + between.join(row % tuple(map(written, values)) for values in rows) + b";"
    spelling = Spelling(backslashes=spelt is not doubled)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sql_text, "CHUNK", size)
        patch.setattr(sql_text, "LONGEST_HEAD", 64)
        found = read(text, size=size, spelling=spelling)
    assert [one for part in found if isinstance(part, Rows) for one in part.values] == rows
    assert found[-1].unfinished is None


@given(st.binary(max_size=80) | st.text("INSERTinto VALUES()'\\`\";,-#/*!\n1x0", max_size=80).map(str.encode))
def test_any_text_is_read_or_told_about(text):
    try:
        assert isinstance(read(text)[-1], End)
        assert isinstance(read(b"INSERT INTO t VALUES (" + text)[-1], End)
    except Misbehaved as told:
        assert str(told).startswith("dump.sql: line ")  # noqa: PT017 - that it is raised is not required
