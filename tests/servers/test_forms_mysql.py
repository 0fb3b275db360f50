"""A real MariaDB keeps the promises of a transport of form entries, with both drivers."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from migrator.engine.contract import Login
from migrator.errors import Dropped, EndpointRefused, EndpointUnfit, MigratorError, TlsFailed
from migrator.forms.adapters.mysql import MysqlReader, MysqlWriter, Options
from migrator.forms.model import EVERYTHING, Column, Extract, Row, checksum_of
from migrator.forms.sql import rights
from migrator.testing.form_suite import (
    NAMES,
    PLAIN,
    PLAIN_ROWS,
    Opens,
    OpensWriter,
    TableReaderContract,
    TableWriterContract,
    everything,
    fill,
    number,
    opens,
    opens_writer,
    primary,
    stock,
    text,
)
from migrator.testing.form_suite import table as table_of

NUMBERS = itertools.count(1)
LOGIN = Login("database", "database")
DRIVERS = pytest.mark.parametrize("client", ["pymysql", "mysqlclient"])


@pytest.fixture(scope="session")
def fresh(mariadb) -> Callable[[str], Options]:
    """The options of a database that nobody has used."""

    def made(client: str) -> Options:
        database = f"forms{next(NUMBERS)}"
        mariadb.say(f"CREATE DATABASE {database} CHARACTER SET utf8mb4")
        return Options(
            port=mariadb.server.port, database=database, user="migrator", password="pw-migrator", client=client
        )

    return made


@pytest.fixture(scope="session")
def stocked(fresh) -> Options:
    options = fresh("auto")
    writer = MysqlWriter(options, LOGIN)
    stock(writer)
    writer.close()
    return options


@DRIVERS
class TestReading(TableReaderContract):
    @pytest.fixture
    def reading(self, stocked: Options, client: str) -> Opens:
        options = stocked.model_copy(update={"client": client, "user": "reader", "password": "pw-reader"})
        return opens(lambda: MysqlReader(options, LOGIN))


@DRIVERS
class TestWriting(TableWriterContract):
    @pytest.fixture
    def options(self, fresh, client: str) -> Options:
        return fresh(client)

    @pytest.fixture
    def reading(self, options: Options) -> Opens:
        return opens(lambda: MysqlReader(options, LOGIN))

    @pytest.fixture
    def writing(self, options: Options) -> OpensWriter:
        return opens_writer(lambda: MysqlWriter(options, LOGIN))


# -- what the suite does not know --------------------------------------------------------------------------------------


@pytest.fixture
def reader(fresh, client):
    with closing(MysqlReader(fresh(client), LOGIN)) as session:
        yield session


def read(reader: MysqlReader, table: str) -> list[Row]:
    return everything(reader, Extract(TableReaderContract.the_table(reader, table)))


@DRIVERS
def test_a_streamed_read_needs_the_memory_of_a_page_and_not_of_the_table(mariadb, fresh, client) -> None:
    options = fresh(client)
    making = "CREATE TABLE t (id int PRIMARY KEY, said longtext); INSERT INTO t SELECT seq, REPEAT('x', 4000) FROM seq_1_to_20000"
    mariadb.say(making, options.database)
    script = f"""
import resource
from migrator.engine.contract import Login
from migrator.forms.adapters.mysql import MysqlReader, Options
from migrator.forms.model import EVERYTHING, Extract
reader = MysqlReader(Options(port={options.port}, database={options.database!r}, user="migrator", password="pw-migrator", client={client!r}), Login("", ""))
(table,) = reader.tables()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
rows = sum(len(page) for page in reader.rows(Extract(table), EVERYTHING))
print(rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    rows, kilobytes = map(int, done.stdout.split())
    assert rows == 20000
    assert kilobytes < 30_000  # the table has 80,000


@DRIVERS
def test_ranges_of_numbers_are_reckoned_where_most_have_a_row(mariadb, fresh, client) -> None:
    options = fresh(client)
    mariadb.say(
        "CREATE TABLE t (id int(6) unsigned zerofill NOT NULL PRIMARY KEY, said int);"
        "INSERT INTO t SELECT seq, 0 FROM seq_11_to_400; DELETE FROM t WHERE id BETWEEN 60 AND 170 OR id % 7 = 0;"
        "CREATE TABLE below (id bigint NOT NULL PRIMARY KEY, said int); INSERT INTO below SELECT CAST(seq AS SIGNED) - 9, 0 FROM seq_1_to_100;"
        "ANALYZE TABLE t; ANALYZE TABLE below",
        options.database,
    )
    with closing(MysqlReader(options, LOGIN)) as reader:
        for table, count, first in (("t", 239, "000020"), ("below", 100, "1")):
            extract = Extract(TableReaderContract.the_table(reader, table))
            assert reader._is_numbered(extract, 10)
            ranges = list(reader.ranges(extract, None, 10))
            rows = [everything(reader, extract, one) for one in ranges]
            assert (sum(map(len, rows)), ranges[0].upto) == (count, (first,))
            assert all(0 < len(some) <= 10 and some[-1][:1] == one.upto for some, one in zip(rows, ranges, strict=True))
            assert [one.after for one in ranges] == [None, *(one.upto for one in ranges)][:-1]
            assert list(reader.ranges(extract, ranges[4].upto, 10)) == ranges[5:]


@DRIVERS
def test_a_line_that_breaks_while_rows_are_read_is_told_as_that(mariadb, fresh, client) -> None:
    options = fresh(client)
    mariadb.say(
        "CREATE TABLE t (said text); INSERT INTO t SELECT REPEAT('x', 9999) FROM seq_1_to_9000", options.database
    )
    with closing(MysqlReader(options, LOGIN)) as reader:
        pages = reader.rows(Extract(TableReaderContract.the_table(reader, "t")), EVERYTHING)
        next(pages)
        (number,) = mariadb.say(
            f"SELECT ID FROM information_schema.PROCESSLIST WHERE DB = '{options.database}' AND ID <> CONNECTION_ID()"
        ).split()[-1:]
        mariadb.say(f"KILL {number}")
        with pytest.raises(Dropped):
            list(pages)


@DRIVERS
def test_text_in_other_charsets_is_told_and_summed_as_what_it_says(mariadb, reader) -> None:
    mariadb.say(
        "CREATE TABLE t (id int PRIMARY KEY, latin varchar(20) CHARACTER SET latin1, greek varchar(20) CHARACTER SET greek,"
        " three varchar(20) CHARACTER SET utf8mb3, wide varchar(20) CHARACTER SET utf16, mixed varchar(9) COLLATE utf8mb4_bin);"
        "INSERT INTO t VALUES (1, 'Müller', 'Ελλάς', '王', '😀', 'x'), (2, NULL, '', 'é', 'ß', NULL)",
        reader.server().database,
    )
    rows = read(reader, "t")
    assert rows == [("1", "Müller", "Ελλάς", "王", "😀", "x"), ("2", None, "", "é", "ß", None)]
    assert reader.checksum(Extract(reader.tables()[0]), EVERYTHING) == checksum_of(rows)


@DRIVERS
def test_lone_surrogates_are_kept(mariadb, fresh, client) -> None:
    with closing(MysqlWriter(fresh(client), LOGIN)) as writer:
        rows: list[Row] = [("1", "5", "before \ud83d after", "2026-01-01 00:00:00")]
        fill(writer, PLAIN, rows)
        assert read(writer, PLAIN.name) == rows
        assert writer.checksum(Extract(writer.tables()[0]), EVERYTHING) == checksum_of(rows)


@DRIVERS
def test_a_float_is_told_by_the_number_it_is(mariadb, reader) -> None:
    making = "CREATE TABLE t (id int PRIMARY KEY, f float, d double); INSERT INTO t VALUES (1, 4.3, 4.3), (2, 16777219, 1e20), (3, 1.17549435e-38, 5e-324), (4, 1.1, -0.1)"
    mariadb.say(making, reader.server().database)
    assert [row[1:] for row in read(reader, "t")] == [
        ("4.3", "4.3"),
        ("16777220", "1e20"),
        ("1.1754943508222875e-38", "5e-324"),
        ("1.1", "-0.1"),
    ]


@DRIVERS
def test_what_a_copy_holds_is_what_the_server_itself_sums(mariadb, fresh, client) -> None:
    """CHECKSUM TABLE of the server, over everything awkward, is the same on both sides."""
    source, target = fresh(client), fresh(client)
    with closing(MysqlWriter(source, LOGIN)) as writer:
        stock(writer)
    mariadb.say("ALTER TABLE wp_kinds ENGINE=MyISAM", source.database)
    with closing(MysqlReader(source, LOGIN)) as reader, closing(MysqlWriter(target, LOGIN)) as writer:
        for table in reader.tables():
            extract, shadow = Extract(table), Extract(writer.shadow(table))
            for among in reader.ranges(extract, None, 4):
                writer.load(shadow, among, everything(reader, extract, among), None)
            writer.swap(table)
    for name in NAMES:
        sums = [mariadb.say(f"CHECKSUM TABLE {one.database}.{name}").split()[1] for one in (source, target)]
        assert sums[0] == sums[1], name
        shapes = [mariadb.say(f"SHOW CREATE TABLE {name}", one.database) for one in (source, target)]
        assert shapes[0] == shapes[1]


def test_a_snapshot_does_not_see_what_came_later(mariadb, fresh) -> None:
    options = fresh("auto")
    with closing(MysqlWriter(options, LOGIN)) as writer, closing(MysqlReader(options, LOGIN)) as reader:
        fill(writer, PLAIN, PLAIN_ROWS[:2])
        (table,) = reader.tables()
        reader.snapshot()
        mariadb.say("INSERT INTO wp_db7_forms VALUES (900, 1, 'later', '2026-01-01')", options.database)
        assert reader.count(Extract(table)) == len(read(reader, table.name)) == 2
        assert writer.count(Extract(table)) == 3


def test_a_session_that_reads_is_refused_every_write_by_the_server(fresh) -> None:
    options = fresh("auto")
    with closing(MysqlWriter(options, LOGIN)) as writer:
        fill(writer, PLAIN, PLAIN_ROWS)
    with (
        closing(MysqlReader(options, LOGIN)) as reader,
        pytest.raises(EndpointRefused),
        reader._connected() as connection,
    ):
        connection.exec_driver_sql("DELETE FROM wp_db7_forms")


@DRIVERS
def test_no_error_tells_a_value(fresh, client) -> None:
    secret = "private words of a visitor"
    by_text = table_of("wp_codes", [text("code", "varchar(40)", nullable=False)], primary("code"))
    short = table_of("wp_short", [number(), text("said", "varchar(5)")], primary("id"))
    numbers = table_of("wp_numbers", [number(), Column("n", "int(11)")], primary("id"))
    with closing(MysqlWriter(fresh(client), LOGIN)) as writer:
        for table, rows, about in (
            (by_text, [(secret,), (secret,)], "PRIMARY"),
            (short, [("1", secret)], "said"),
            (numbers, [("1", secret)], "n"),
        ):
            with pytest.raises(MigratorError) as raised:
                writer.load(Extract(writer.shadow(table)), EVERYTHING, rows, None)
            assert "visitor" not in raised.value.sentence()
            assert about in str(raised.value)


def test_a_wrong_password_and_a_missing_database_are_told_in_one_sentence(fresh) -> None:
    options = fresh("auto")
    for change, kind in (
        ({"password": "wrong-one"}, EndpointRefused),
        ({"database": "nobody_made_this"}, EndpointUnfit),
    ):
        with closing(MysqlReader(options.model_copy(update=change), LOGIN)) as reader, pytest.raises(kind) as raised:
            reader.tables()
        assert type(raised.value) is kind
        assert "wrong-one" not in raised.value.sentence()


@DRIVERS
def test_tls_is_verified(mariadb, fresh, client) -> None:
    options = fresh(client).model_copy(update={"ca_file": Path(mariadb.server.ca_file), "host": "localhost"})
    with closing(MysqlReader(options, LOGIN)) as reader:
        assert reader._ask("SHOW STATUS LIKE 'Ssl_cipher'")[0][1]
    if client == "pymysql":
        wrong = options.model_copy(update={"ca_file": None, "tls_fingerprint": "00" * 32})
        with closing(MysqlReader(wrong, LOGIN)) as reader, pytest.raises(TlsFailed):
            reader.tables()


def test_a_hosts_table_of_another_prefix_and_an_index_over_a_prefix_are_made_again(mariadb, fresh) -> None:
    source, target = fresh("auto"), fresh("auto")
    mariadb.say(
        "CREATE TABLE `wp_odd ``name` (`a b` int unsigned NOT NULL, said text, kind enum('it''s','b\\\\c') DEFAULT 'it''s', at timestamp NOT NULL"
        " DEFAULT current_timestamp() ON UPDATE current_timestamp(), extra json, UNIQUE KEY id (`a b`), KEY said (said(10), kind), FULLTEXT KEY words (said))"
        " COMMENT 'it''s mine' DEFAULT CHARSET=latin1; INSERT INTO `wp_odd ``name` VALUES (0, 'x', 'b\\\\c', '2026-01-01', '{}')",
        source.database,
    )
    with closing(MysqlReader(source, LOGIN)) as reader, closing(MysqlWriter(target, LOGIN)) as writer:
        (table,) = reader.tables()
        assert table.page_by == ("a b",)
        fill(writer, table, read(reader, table.name))
    shapes = [mariadb.say("SHOW CREATE TABLE `wp_odd ``name`", one.database) for one in (source, target)]
    assert shapes[0] == shapes[1]
    with closing(MysqlReader(target, LOGIN)) as reader:
        assert read(reader, table.name) == [("0", "x", "b\\c", "2026-01-01 00:00:00", "{}")]


def test_a_shadow_that_another_session_makes_at_the_same_moment_keeps_its_rows(fresh, monkeypatch) -> None:
    options = fresh("auto")
    with closing(MysqlWriter(options, LOGIN)) as one, closing(MysqlWriter(options, LOGIN)) as two:
        look = one._described

        def look_and_be_late(only: str = "") -> list:
            monkeypatch.undo()
            seen = look(only)
            two.load(Extract(two.shadow(PLAIN)), EVERYTHING, PLAIN_ROWS, None)
            return seen

        monkeypatch.setattr(one, "_described", look_and_be_late)
        assert one.count(Extract(one.shadow(PLAIN))) == len(PLAIN_ROWS)


@DRIVERS
@pytest.mark.parametrize("there", ["nothing", "an empty table"])
def test_dying_within_a_swap_loses_no_row_of_the_shadow(fresh, mariadb, client, there) -> None:
    for moment in itertools.count(1):
        options = fresh(client)
        if there != "nothing":
            mariadb.say(f"CREATE TABLE {PLAIN.name} (form_id int PRIMARY KEY)", options.database)
        said = itertools.count(1)

        class Dying(MysqlWriter):
            def _say(self, connection, statement, said=said, moment=moment) -> None:
                if "migrator" in statement and next(said) == moment:
                    raise Dropped("killed")
                super()._say(connection, statement)

        with closing(MysqlWriter(options, LOGIN)) as writer:
            writer.load(Extract(writer.shadow(PLAIN)), EVERYTHING, PLAIN_ROWS, None)
        with closing(Dying(options, LOGIN)) as dying:
            try:
                dying.swap(PLAIN)
                died = False
            except Dropped:
                died = True
        with closing(MysqlWriter(options, LOGIN)) as after:
            if not any(after.count(Extract(one)) for one in after.tables()):
                shadow = Extract(after.shadow(PLAIN))
                assert everything(after, shadow) == PLAIN_ROWS, moment
            after.swap(PLAIN)
            (arrived,) = after.tables()
            assert (arrived.comment, everything(after, Extract(arrived))) == (PLAIN.comment, PLAIN_ROWS)
            assert not after.shadows()
        if not died:
            return


def test_rights_that_a_target_needs_are_enough_and_each_that_is_lacking_is_told(fresh, mariadb) -> None:
    options = fresh("auto")
    for number_of, lacking in enumerate(("", *rights.NEEDED[1:])):
        user = f"{options.database}_{number_of}"
        granted = ", ".join(one for one in rights.NEEDED if one != lacking)
        mariadb.say(
            f"CREATE USER {user}@'127.0.0.1' IDENTIFIED BY 'pw'; GRANT {granted} ON {options.database}.* TO {user}@'127.0.0.1'"
        )
        theirs = options.model_copy(update={"user": user, "password": "pw"})
        with closing(MysqlReader(theirs, LOGIN)) as session:
            refusal = session.want_of_rights()
        assert (str(refusal).partition("may not ")[2].partition(" there")[0] if refusal else "") == lacking
        if not lacking:
            with closing(MysqlWriter(theirs, LOGIN)) as writer:
                fill(writer, PLAIN, PLAIN_ROWS)
                (there,) = writer.tables()
                writer.load(Extract(there), EVERYTHING, PLAIN_ROWS[1:], checksum_of(PLAIN_ROWS))
                assert everything(writer, Extract(there)) == PLAIN_ROWS[1:]
