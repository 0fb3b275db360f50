"""Dumps in the shapes of programs other than mariadb-dump (which the servers' floor has), and what is told of those that are none."""

from __future__ import annotations

import gzip
import tracemalloc
from contextlib import closing

import pytest

from migrator.engine.contract import Login
from migrator.errors import EndpointRefused, EndpointUnfit, MigratorError, Misbehaved
from migrator.forms import dump, sql_text
from migrator.forms.adapters.dump import DumpReader, Options
from migrator.forms.model import EVERYTHING, Column, Extract, Index, KeyRange, Paging, checksum_of
from migrator.forms.sql import created

LOGIN = Login("database", "database")

PHPMYADMIN = """-- phpMyAdmin SQL Dump
-- version 5.2.1
SET SQL_MODE = "NO_AUTO_VALUE_ON_ZERO";
START TRANSACTION;
SET time_zone = "+00:00";

/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;
/*!40101 SET @OLD_COLLATION_CONNECTION=@@COLLATION_CONNECTION */;
/*!40101 SET NAMES utf8mb4 */;

--
-- Datenbank: `acme_wp`
--
CREATE TABLE `wp_db7_forms` (
  `form_id` bigint(20) NOT NULL,
  `form_value` longtext COLLATE utf8mb4_unicode_520_ci,
  `form_date` datetime NOT NULL DEFAULT '0000-00-00 00:00:00',
  `flags` bit(9) DEFAULT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_520_ci;

INSERT INTO `wp_db7_forms` (`form_id`, `form_value`, `form_date`, `flags`) VALUES
(3, 'it''s \\\\ \\r\\n \"x\"', '0000-00-00 00:00:00', b'100000001'),
(7, NULL, '2026-02-01 10:00:00', NULL);

ALTER TABLE `wp_db7_forms`
  ADD PRIMARY KEY (`form_id`),
  ADD KEY `by_date` (`form_date`,`form_value`(20));

ALTER TABLE `wp_db7_forms`
  MODIFY `form_id` bigint(20) NOT NULL AUTO_INCREMENT, AUTO_INCREMENT=8;
COMMIT;

/*!40101 SET CHARACTER_SET_CLIENT=@OLD_CHARACTER_SET_CLIENT */;
/*!40101 SET COLLATION_CONNECTION=@OLD_COLLATION_CONNECTION */;
"""
HEIDISQL = """/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;
/*!40101 SET NAMES utf8 */;
/*!50503 SET NAMES utf8mb4 */;
DROP TABLE IF EXISTS `t`;
CREATE TABLE IF NOT EXISTS `t` (`id` int(11) NOT NULL, `x` text, PRIMARY KEY (`id`));
DELETE FROM `t`;
INSERT INTO `t` (`id`, `x`) VALUES
\t(1, 'one'),
\t(2, 'two\nlines');
/*!40101 SET CHARACTER_SET_CLIENT=IFNULL(@OLD_CHARACTER_SET_CLIENT, 'utf8') */;
"""
ADMINER = """-- Adminer 4.8.1 MySQL 10.11 dump

SET NAMES utf8;
SET time_zone = '+00:00';
SET foreign_key_checks = 0;

DROP TABLE IF EXISTS `t`;
CREATE TABLE `t` (`id` int(11) NOT NULL, `x` text, PRIMARY KEY (`id`));
TRUNCATE `t`;
INSERT INTO `t` (`id`, `x`) VALUES
(1,\t'one'),
(2,\t'two\nlines')
ON DUPLICATE KEY UPDATE `id` = VALUES(`id`), `x` = VALUES(`x`);

-- 2026-02-01 10:00:00
"""


@pytest.fixture
def reading(tmp_path):
    """Reads a text, or a folder of them, as a dump."""

    def opened(text, name="site.sql", **options):
        path = tmp_path / name
        if isinstance(text, dict):
            path.mkdir()
            for file, content in text.items():
                (path / file).write_text(content, newline="")
        else:
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return DumpReader(Options(path=path, **options), LOGIN)

    return opened


def rows_of(reader: DumpReader, name: str = "t"):
    table = next(one for one in reader.tables() if one.name == name)
    return [row for page in reader.rows(Extract(table), EVERYTHING) for row in page]


def test_phpmyadmin_makes_keys_at_the_end_and_they_are_known(reading):
    reader = reading(PHPMYADMIN)
    (table,) = reader.tables()
    assert (table.paging, table.page_by, table.next_number, table.rows) == (Paging.KEY, ("form_id",), 8, 2)
    assert table.columns[0] == Column("form_id", "bigint(20)", nullable=False, extra="auto_increment")
    assert table.columns[1].collation == "utf8mb4_unicode_520_ci"
    assert table.indexes[1] == Index("by_date", ("form_date", "form_value"), lengths=(None, 20))
    assert rows_of(reader, "wp_db7_forms") == [
        ("3", 'it\'s \\ \r\n "x"', "0000-00-00 00:00:00", b"\x01\x01"),
        ("7", None, "2026-02-01 10:00:00", None),
    ]
    assert reader.server().zone == "+00:00"
    assert list(reader.ranges(Extract(table), None, 1)) == [KeyRange(None, ("3",)), KeyRange(("3",), ("7",))]


def test_phpmyadmin_that_stopped_at_a_row_is_told_by_its_missing_last_words(reading):
    with pytest.raises(Misbehaved, match="cut short: its last words are missing at line"):
        reading(PHPMYADMIN[: PHPMYADMIN.index("COMMIT")]).tables()


@pytest.mark.parametrize("text", [HEIDISQL, ADMINER], ids=["heidisql", "adminer"])
def test_other_programs_are_read_as_well(reading, text):
    assert rows_of(reading(text)) == [("1", "one"), ("2", "two\nlines")]


def test_what_is_dropped_or_emptied_later_was_never_there(reading):
    twice = HEIDISQL + HEIDISQL.replace("one", "uno")
    assert rows_of(reading(twice)) == [("1", "uno"), ("2", "two\nlines")]


def test_a_folder_of_mydumper_is_one_dump(reading):
    folder = {
        "acme.t-schema.sql": "CREATE TABLE `t` (`id` int NOT NULL, `x` text, PRIMARY KEY (`id`));\n",
        "acme.t.00000.sql": "INSERT INTO `t` VALUES(1,'a'),(2,'b');\n",
        "acme.t.00001.sql": "INSERT INTO `t` VALUES(3,'c');\n",
        "metadata": "nothing to read",
    }
    reader = reading(folder, "backup")
    (table,) = reader.tables()
    assert rows_of(reader) == [("1", "a"), ("2", "b"), ("3", "c")]
    assert [one.upto for one in reader.ranges(Extract(table), None, 2)] == [("2",), ("3",)]
    assert reader.checksum(Extract(table), KeyRange(("2",))) == checksum_of([("3", "c")])


def test_rows_out_of_order_or_without_a_key_are_divided_by_content(reading):
    reader = reading("CREATE TABLE t (id int, PRIMARY KEY (id)); INSERT INTO t VALUES (2),(1);")
    assert reader.tables()[0].paging is Paging.CONTENT
    assert (
        sum(
            reader.checksum(Extract(reader.tables()[0]), one).rows
            for one in reader.ranges(Extract(reader.tables()[0]), None, 1)
        )
        == 2
    )


def test_a_dump_of_several_databases_wants_to_be_told_which(reading):
    text = "USE `a`; INSERT INTO t VALUES (1); USE `b`; INSERT INTO t VALUES (2);"
    with pytest.raises(EndpointRefused, match="several databases: a, b"):
        reading(text).tables()
    assert rows_of(reading(text, database="b")) == [("2",)]
    with pytest.raises(EndpointUnfit, match="no database c, but a, b"):
        reading(text, database="c").tables()


def test_what_only_a_server_can_work_out_is_refused_for_that_table_alone(reading):
    reader = reading("INSERT INTO t VALUES (1); INSERT INTO u VALUES (1); UPDATE `t` SET x=1;")
    assert rows_of(reader, "u") == [("1",)]
    with pytest.raises(Misbehaved, match=r"line 1 .*: UPDATE changes t"):
        rows_of(reader, "t")


def test_csv_tells_null_from_the_word_and_keeps_what_is_quoted(reading):
    reader = reading('\ufeffid,name,"a ""b"""\r\n1,"say ""hi"",\nyou",\\N\r\n2,,NULL\r\n3,"NULL",""', "wp_t.csv")
    assert [one.name for one in reader.tables()[0].columns] == ["id", "name", 'a "b"']
    assert rows_of(reader, "wp_t") == [("1", 'say "hi",\nyou', None), ("2", "", None), ("3", "NULL", "")]


def test_csv_with_other_marks_and_packed(reading):
    reader = reading(gzip.compress(b'a;b\n1;"x\\"y\\\\"\n'), "t.csv.gz", escape="\\")
    assert rows_of(reader) == [("1", 'x"y\\')]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n1,2,3\n", r"line 3 .* has not 2 cells"),
        ('a,b\n1,2\n1,"cut', "cut short: what begins at line 3"),
        ("a,a\n1,2\n", "does not name the columns"),
        ("", "first line"),
    ],
)
def test_a_csv_that_is_none_is_told_with_its_place(reading, text, said):
    with pytest.raises(Misbehaved, match=said):
        reading(text, "t.csv").tables()


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\x1f\x8b\x08junk",
        b"\0" * 5000,
        b"PK\x03\x04 zipped",
        b"<html>login</html>",
        b"INSERT INTO t VALUES (1,2),(3);",
    ],
)
def test_files_that_are_no_dumps_end_in_a_sentence(reading, text):
    try:
        assert reading(text).tables() == []
    except MigratorError as told:
        assert "site.sql" in told.sentence()  # noqa: PT017 - either will do


def test_a_path_that_is_not_there_is_told(tmp_path):
    with pytest.raises(EndpointUnfit, match="nowhere"):
        DumpReader(Options(path=tmp_path / "nowhere.sql"), LOGIN).tables()
    with pytest.raises(EndpointUnfit, match="no file that ends"):
        DumpReader(Options(path=tmp_path), LOGIN).tables()


def test_a_file_that_changes_is_read_anew(reading):
    assert rows_of(reading("INSERT INTO t VALUES (1);")) == [("1",)]
    assert rows_of(reading("INSERT INTO t VALUES (1),(2);")) == [("1",), ("2",)]


def test_reading_a_long_table_takes_little_memory_and_begins_where_it_should(reading):
    rows = ",".join(f"({n},'{'x' * 200} {n}')" for n in range(40_000))
    reader = reading(f"CREATE TABLE t (id int, x text, PRIMARY KEY (id)); INSERT INTO t VALUES {rows};")
    tracemalloc.start()
    extract = Extract(reader.tables()[0])
    assert reader.count(extract) == sum(map(len, reader.rows(extract, EVERYTHING))) == 40_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * 1024 * 1024
    (page,) = reader.rows(extract, KeyRange(("39997",), ("39998",)))
    assert [row[0] for row in page] == ["39998"]


def test_a_definition_is_read_with_all_its_words():
    _, table = created.made(
        "CREATE TABLE `db`.`t` (`a,b` varchar(20) CHARACTER SET latin1 DEFAULT 'it''s, (x) not null', `d` double unsigned NOT NULL,\n"
        "`e` enum('a','b c','d''e') NOT NULL DEFAULT 'a' COMMENT 'auto_increment, not null', `t` timestamp NULL DEFAULT current_timestamp()"
        " ON UPDATE current_timestamp(), `j` longtext CHECK (json_valid(`j`)), `g` int GENERATED ALWAYS AS (`d` + 1) STORED, n int DEFAULT -1,"
        "UNIQUE KEY `u` (`a,b`(10),`e`), FULLTEXT KEY `f` (`a,b`), CONSTRAINT `c` FOREIGN KEY (`e`) REFERENCES `y` (`z`)"
        ") ENGINE=MyISAM AUTO_INCREMENT=7 DEFAULT CHARSET=utf8mb3 ROW_FORMAT=DYNAMIC COMMENT='it''s'"
    )
    assert (table.engine, table.charset, table.next_number, table.row_format, table.comment) == (
        "MyISAM",
        "utf8mb3",
        7,
        "DYNAMIC",
        "it's",
    )
    assert table.columns == (
        Column("a,b", "varchar(20)", default="it's, (x) not null", charset="latin1"),
        Column("d", "double unsigned", nullable=False),
        Column("e", "enum('a','b c','d''e')", nullable=False, default="a", charset="utf8mb3"),
        Column(
            "t",
            "timestamp",
            default="current_timestamp()",
            default_is_words=True,
            extra="on update current_timestamp()",
        ),
        Column("j", "longtext", charset="utf8mb3", is_json=True),
        Column("g", "int", computed="`d` + 1"),
        Column("n", "int", default="-1"),
    )
    assert table.indexes == (
        Index("u", ("a,b", "e"), unique=True, lengths=(10, None)),
        Index("f", ("a,b",), lengths=(None,), kind="FULLTEXT"),
    )


def test_a_charset_of_the_plan_that_cannot_be_read_is_the_plans_mistake(tmp_path):
    assert Options(path=tmp_path, charset="latin1").charset == "latin1"
    with pytest.raises(ValueError, match=r"MySQL has no charset utf-8 that can be read\. Did you mean utf8\?"):
        Options(path=tmp_path, charset="utf-8")


@pytest.mark.parametrize("late_key", [False, True])
def test_a_row_that_is_too_long_is_told_by_its_key_and_the_others_are_there(tmp_path, monkeypatch, late_key) -> None:
    monkeypatch.setattr(sql_text, "LARGEST_ROW", 4 * sql_text.KB)
    monkeypatch.setattr(sql_text, "MOST_HELD", 4 * sql_text.KB + 2 * sql_text.LONGEST_WORD)
    monkeypatch.setattr(sql_text, "LONGEST_HEAD", sql_text.KB)
    monkeypatch.setattr(dump, "BETWEEN_MARKS", 100)
    key = "" if late_key else ", PRIMARY KEY (`id`)"
    rows = ",".join(f"({n},'{'x' * (300_000 if n in {7, 30} else 9)}')" for n in range(1, 41))
    ending = "ALTER TABLE `t` ADD PRIMARY KEY (`id`);\n" if late_key else ""
    text = f"CREATE TABLE `t` (`id` int(11) NOT NULL, `x` longtext{key});\nINSERT INTO `t` VALUES {rows};\n{ending}"
    (tmp_path / "d.sql").write_text(text)
    with closing(DumpReader(Options(path=tmp_path / "d.sql"), LOGIN)) as reader:
        (table,) = reader.tables()
        assert [(one.name, one.size) for one in reader.left_rows(table)] == [("id 7", 300_006), ("id 30", 300_007)]
        assert reader.left_rows(table)[0].where.startswith("d.sql, line 2 (byte ")
        expected = [str(n) for n in range(1, 41) if n not in {7, 30}]
        assert reader.count(Extract(table)) == len(expected) == table.rows
        assert [row[0] for page in reader.rows(Extract(table), EVERYTHING) for row in page] == expected
        for after in (1, 6, 7, 29, 31):
            found = reader.rows(Extract(table), KeyRange((str(after),)))
            assert [row[0] for page in found for row in page] == [one for one in expected if int(one) > after]


def test_a_long_row_of_a_table_that_the_dump_does_not_make_is_refused(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(sql_text, "LARGEST_ROW", 4 * sql_text.KB)
    monkeypatch.setattr(sql_text, "MOST_HELD", 5 * sql_text.KB)
    monkeypatch.setattr(sql_text, "LONGEST_HEAD", sql_text.KB)
    (tmp_path / "d.sql").write_text(f"INSERT INTO `t` VALUES (1,'{'x' * 300_000}');\n")
    with (
        closing(DumpReader(Options(path=tmp_path / "d.sql"), LOGIN)) as reader,
        pytest.raises(Misbehaved, match="a row of t is longer than"),
    ):
        reader.tables()


def test_a_long_row_without_a_key_is_told_by_its_place_and_by_nothing_that_it_holds(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(sql_text, "LARGEST_ROW", 4 * sql_text.KB)
    monkeypatch.setattr(sql_text, "MOST_HELD", 4 * sql_text.KB + 2 * sql_text.LONGEST_WORD)
    monkeypatch.setattr(sql_text, "LONGEST_HEAD", sql_text.KB)
    made = "CREATE TABLE `t` (`who` text, `x` longtext);\n"
    (tmp_path / "d.sql").write_text(
        f"{made}INSERT INTO `t` VALUES ('kim@example.com','{'x' * 300_000}'),('ana','y');\n"
    )
    with closing(DumpReader(Options(path=tmp_path / "d.sql"), LOGIN)) as reader:
        (table,) = reader.tables()
        (left,) = reader.left_rows(table)
        assert left.name == left.where == "d.sql, line 2 (byte 68)"
        assert table.rows == 1
