"""A real phpMyAdmin keeps the promises of a transport of form entries, by its pages alone; and says in one sentence why it does not let in."""

from __future__ import annotations

import itertools
from contextlib import closing
from dataclasses import replace

import pytest
from lab import mariadb as mariadb_lab
from lab import phpmyadmin as phpmyadmin_lab

from migrator.engine.contract import Login
from migrator.errors import Dropped, EndpointRefused, EndpointUnfit, Refused
from migrator.forms.adapters import phpmyadmin as adapter
from migrator.forms.adapters.dump import DumpReader
from migrator.forms.adapters.dump import Options as DumpOptions
from migrator.forms.adapters.phpmyadmin import Options, PhpMyAdminReader, PhpMyAdminWriter
from migrator.forms.model import EVERYTHING, NOTHING, Extract, KeyRange, checksum_of
from migrator.testing.form_suite import (
    NAMES,
    PLAIN,
    PLAIN_ROWS,
    ROWS,
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
NUMBERS = itertools.count(1)


def fresh(server, **more) -> Options:
    """The options of a database that nobody has used."""
    database = f"pma{next(NUMBERS)}"
    mariadb_lab.say(phpmyadmin_lab.behind(server), f"CREATE DATABASE {database} CHARACTER SET utf8mb4")
    return Options(**{"url": server.url, "database": database, "user": "migrator", "password": "pw-migrator", **more})


@pytest.fixture(scope="session")
def stocked(phpmyadmin) -> Options:
    options = fresh(phpmyadmin)
    with closing(PhpMyAdminWriter(options, LOGIN)) as writer:
        stock(writer)
    return options


@pytest.fixture(scope="session")
def session(stocked):
    """One session for all tests that only read: a login takes half a second."""
    with closing(PhpMyAdminReader(stocked, LOGIN)) as reader:
        yield reader


def test_rights_that_a_target_needs_and_that_are_lacking_are_told_before_anything_is_put(phpmyadmin) -> None:
    options, server = fresh(phpmyadmin), phpmyadmin_lab.behind(phpmyadmin)
    mariadb_lab.say(
        server,
        f"CREATE USER looks@'127.0.0.1' IDENTIFIED BY 'pw-looks'; GRANT SELECT, INSERT ON {options.database}.* TO looks@'127.0.0.1'",
    )
    theirs = options.model_copy(update={"user": "looks", "password": "pw-looks"})
    with closing(PhpMyAdminReader(theirs, LOGIN)) as session:
        refusal = session.want_of_rights()
    with closing(PhpMyAdminReader(options, LOGIN)) as session:
        assert session.want_of_rights() is None
    assert refusal is not None
    assert f"may not DELETE, CREATE, DROP, ALTER in {options.database}" in str(refusal)
    assert "TO `looks`@`127.0.0.1`" in refusal.remedy
    assert "pw-looks" not in f"{refusal}{refusal.remedy}"


class TestPhpMyAdmin(TableReaderContract):
    @pytest.fixture
    def reading(self, stocked) -> Opens:
        return opens(lambda: PhpMyAdminReader(stocked, LOGIN))

    @pytest.fixture
    def reader(self, session):
        return session


class TestPhpMyAdminAsTarget(TableWriterContract):
    @pytest.fixture
    def options(self, phpmyadmin) -> Options:
        return fresh(phpmyadmin)

    @pytest.fixture
    def reading(self, options) -> Opens:
        return opens(lambda: PhpMyAdminReader(options, LOGIN))

    @pytest.fixture
    def writing(self, options) -> OpensWriter:
        return opens_writer(lambda: PhpMyAdminWriter(options, LOGIN))


class TestPhpMyAdminsOwnDump(TableReaderContract):
    """What phpMyAdmin exports as SQL, read as a dump."""

    @pytest.fixture(scope="class")
    @classmethod
    def path(cls, session, tmp_path_factory):
        words = {
            "export_type": "database", "export_method": "custom", "quick_or_custom": "custom", "what": "sql", "output_format": "sendit",
            "charset": "utf-8", "compression": "gzip", "filename_template": "site", "asfile": "sendit", "sql_structure_or_data": "structure_and_data",
            "sql_include_comments": "something", "sql_create_table": "something", "sql_auto_increment": "something", "sql_utc_time": "something",
            "sql_insert_syntax": "both", "sql_max_query_size": "50000", "sql_type": "INSERT", "sql_hex_for_binary": "something", "sql_backquotes": "something",
        }  # fmt: skip
        for number, name in enumerate(NAMES):
            words |= {f"{word}[{number}]": name for word in ("table_select", "table_structure", "table_data")}
        path = tmp_path_factory.mktemp("export") / "site.sql.gz"
        path.write_bytes(session._pages._send("export", words).content)
        return path

    @pytest.fixture
    def reading(self, path) -> Opens:
        return opens(lambda: DumpReader(DumpOptions(path=path), LOGIN))

    def expected(self, name):
        # A FLOAT is written with six digits.
        return [tuple("16777200" if value == "16777216" else value for value in row) for row in ROWS[name]]


# -- logging in


def tables(options: Options):
    with closing(PhpMyAdminReader(options, LOGIN)) as reader:
        return reader.tables()


@pytest.mark.parametrize("server", [1, 2], ids=["on a page", "over HTTP"])
def test_both_kinds_of_login_let_in_who_has_the_password_and_nobody_else(stocked, server):
    with_server = stocked.model_copy(update={"server": server})
    assert len(tables(with_server)) == 9
    with pytest.raises(EndpointRefused, match="refused the user or the password") as told:
        tables(with_server.model_copy(update={"password": "wrong"}))
    assert "wrong" not in told.value.sentence()


def test_a_database_that_is_not_there_or_not_allowed_is_told(stocked):
    options = stocked.model_copy(update={"database": "nobody_made_this"})
    with closing(PhpMyAdminReader(options, LOGIN)) as reader:
        for ask in (reader.tables, reader.server):
            with pytest.raises(EndpointUnfit, match="no database nobody_made_this"):
                ask()


def test_a_session_that_has_ended_is_opened_anew_by_whoever_tries_again(phpmyadmin, stocked):
    with closing(PhpMyAdminReader(stocked, LOGIN)) as reader:
        assert len(reader.tables()) == 9
        phpmyadmin_lab.forget_sessions(phpmyadmin)
        with pytest.raises(Dropped, match="has ended the session"):
            reader.tables()
        assert len(reader.tables()) == 9


def test_who_may_only_look_cannot_write_and_is_told_so(stocked):
    options = stocked.model_copy(update={"user": "reader", "password": "pw-reader"})
    assert len(tables(options)) == 9
    with (
        closing(PhpMyAdminWriter(options, LOGIN)) as writer,
        pytest.raises(EndpointRefused, match=r"may not do that \(#1142\)"),
    ):
        writer.shadow(PLAIN)


# -- limits


def test_what_is_more_than_one_import_arrives_at_once(phpmyadmin, monkeypatch):
    monkeypatch.setattr(adapter, "LARGEST_IMPORT", 2000)
    monkeypatch.setattr(adapter, "LONGEST_STATEMENT", 500)
    options = fresh(phpmyadmin)
    rows = [(str(n), "5", "text " * 20, "2026-02-01 10:00:00") for n in range(1, 60)]
    with closing(PhpMyAdminWriter(options, LOGIN)) as writer:
        fill(writer, PLAIN, rows)
        (table,) = writer.tables()
        assert writer.checksum(Extract(table), EVERYTHING) == checksum_of(rows)
        with pytest.raises(Refused):
            writer.load(
                Extract(table),
                KeyRange(("59",)),
                [*[(str(n), *row[1:]) for n, row in enumerate(rows, 60)], rows[0]],
                None,
            )
        assert writer.checksum(Extract(table), EVERYTHING) == checksum_of(rows)
        assert len(writer.tables()) == 1


def test_what_nobody_may_upload_is_refused_before_it_is_sent(phpmyadmin, monkeypatch):
    options = fresh(phpmyadmin)
    with closing(PhpMyAdminWriter(options, LOGIN)) as writer:
        shadow = writer.shadow(PLAIN)
        monkeypatch.setattr(writer._pages, "_largest", 100)
        with pytest.raises(Refused, match="lets anybody upload"):
            writer.load(Extract(shadow), EVERYTHING, PLAIN_ROWS, None)


@pytest.fixture(scope="session")
def long_table(phpmyadmin_hasty) -> Options:
    """A table that a second of PHP is never enough for: 1.5 MB."""
    options = fresh(phpmyadmin_hasty)
    columns = [f"c{number} smallint" for number in range(30)]
    mariadb_lab.say(
        phpmyadmin_lab.behind(phpmyadmin_hasty),
        f"CREATE TABLE wp_long (id int unsigned PRIMARY KEY, {', '.join(columns)}); "
        f"INSERT INTO wp_long SELECT seq, {', '.join(f'(seq * {n + 7}) MOD 1000' for n in range(30))} FROM seq_1_to_8000;",
        options.database,
    )
    return options


def test_with_a_second_for_php_every_row_comes_though_exports_end_early(long_table, monkeypatch):
    with closing(PhpMyAdminReader(long_table, LOGIN)) as reader:
        (table,) = reader.tables()
        extract = Extract(table)
        wanted = reader.checksum(extract, EVERYTHING)
        alone = reader._page(extract, EVERYTHING)
        assert 0 < len(alone) < wanted.rows == 8_000, "the export was to end early"
        monkeypatch.setattr(adapter, "PAGE", 7_000)  # more than comes in a second, so that halving is needed
        monkeypatch.setattr(adapter, "LARGEST_PAGE", 1 << 40)
        assert sum((checksum_of(page) for page in reader.rows(extract, EVERYTHING)), NOTHING) == wanted


def test_timestamps_are_utc_whatever_the_servers_zone_is(phpmyadmin):
    options = fresh(phpmyadmin)
    server = phpmyadmin_lab.behind(phpmyadmin)
    mariadb_lab.say(
        server,
        "SET time_zone='+00:00'; CREATE TABLE t (id int PRIMARY KEY, a timestamp NULL, b timestamp(3) NOT NULL DEFAULT 0);"
        "INSERT INTO t VALUES (1,'2026-03-29 01:30:00','2026-10-25 00:30:00.250'),(2,NULL,0); SET GLOBAL time_zone='+05:30';",
        options.database,
    )
    try:
        with closing(PhpMyAdminReader(options, LOGIN)) as reader:
            (table,) = reader.tables()
            rows = everything(reader, Extract(table))
            assert rows == [
                ("1", "2026-03-29 01:30:00", "2026-10-25 00:30:00.250"),
                ("2", None, "0000-00-00 00:00:00.000"),
            ]
            assert reader.checksum(Extract(table), EVERYTHING) == checksum_of(rows)
            assert reader.count(replace(Extract(table))) == 2
    finally:
        mariadb_lab.say(server, "SET GLOBAL time_zone='SYSTEM';")
