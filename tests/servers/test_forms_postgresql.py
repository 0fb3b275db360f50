"""PostgreSQL keeps the promises of a target of form entries, and what it cannot hold is written by a rule."""

from __future__ import annotations

import pytest
from sqlalchemy import make_url

from migrator.engine.contract import Login
from migrator.errors import MigratorError
from migrator.forms.adapters.postgresql import ADAPTER, Options
from migrator.forms.contract import KnowsRights
from migrator.forms.model import EVERYTHING, Column, Extract, Table
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
    number,
    opens,
    opens_writer,
    primary,
    stock,
    table,
)
from migrator.wire.sql import Database

LOGIN = Login("database", "database")


def fresh(postgresql) -> Options:
    url = make_url(postgresql.fresh_database())
    return Options(
        host=url.host, port=url.port, database=url.database, user=url.username, password=url.password or "none"
    )


def writer(options: Options):
    assert ADAPTER.writer is not None
    return ADAPTER.writer(options, LOGIN)


@pytest.fixture(scope="module")
def stocked(postgresql) -> Options:
    options = fresh(postgresql)
    session = writer(options)
    stock(session)
    session.close()
    return options


class TestReading(TableReaderContract):
    @pytest.fixture
    def reading(self, stocked: Options) -> Opens:
        self.writer = writer(stocked)
        return opens(lambda: ADAPTER.reader(stocked, LOGIN))

    def expected(self, name: str):
        wanted = next(one for one, _ in TABLES if one.name == name)
        return self.writer.as_kept(wanted, ROWS[name])


class TestWriting(TableWriterContract):
    @pytest.fixture
    def options(self, postgresql) -> Options:
        return fresh(postgresql)

    @pytest.fixture
    def reading(self, options: Options) -> Opens:
        return opens(lambda: ADAPTER.reader(options, LOGIN))

    @pytest.fixture
    def writing(self, options: Options) -> OpensWriter:
        return opens_writer(lambda: writer(options))


def test_what_it_cannot_hold_is_written_by_the_stated_rule(postgresql) -> None:
    session = writer(fresh(postgresql))
    rows = [("1", "2", "NUL \0 and \ud83d", "0000-00-00 00:00:00"), ("2", "2", "fine", "2026-02-30 10:00:00")]
    fill(session, PLAIN, session.as_kept(PLAIN, rows))
    assert everything(session, Extract(PLAIN), EVERYTHING) == [
        ("1", "2", "NUL \ufffd and \ufffd", None),
        ("2", "2", "fine", None),
    ]
    session.close()


def test_no_error_tells_a_value(postgresql) -> None:
    session = writer(fresh(postgresql))
    numbers = table("wp_numbers", [number(), Column("n", "int(11)")], primary("id"))
    with pytest.raises(MigratorError) as raised:
        session.load(Extract(session.shadow(numbers)), EVERYTHING, [("1", "private words")], None)
    assert "private" not in raised.value.sentence()
    session.close()


def test_a_table_that_numbers_its_rows_itself_goes_on_above_what_is_reserved(postgresql) -> None:
    options = fresh(postgresql)
    session = writer(options)
    theirs = Database(options, writes=True, exact=True)
    making = (
        'CREATE TABLE "wp_Entries" (id serial PRIMARY KEY, said text)',
        "CREATE TABLE notes (id bigint GENERATED ALWAYS AS IDENTITY, said text)",
        "CREATE TABLE plain (id bigint, said text)",
    )
    with theirs.writing() as connection:
        for statement in making:
            connection.exec_driver_sql(statement)
    for upto, becomes in ((20, 21), (5, 22), (30, 31)):
        for name in ("wp_Entries", "notes", "plain"):
            session.reserve(Table(name, ()), upto)
        for name in ("wp_Entries", "notes"):
            with theirs.writing() as connection:
                said = connection.exec_driver_sql(f"INSERT INTO \"{name}\" (said) VALUES ('theirs') RETURNING id")
                assert said.scalar_one() == becomes
    session.close()
    theirs.close()


def test_a_user_who_may_make_no_tables_is_told_so_beforehand(postgresql) -> None:
    options = fresh(postgresql)
    role = f"looker_{options.database}"
    owner = Database(options, writes=True, exact=True)
    with owner.writing() as connection:
        connection.exec_driver_sql(f"CREATE ROLE {role} LOGIN PASSWORD 'pw'")
        connection.exec_driver_sql("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    theirs = options.model_copy(update={"user": role, "password": "pw"})
    told = []
    for one in (options, theirs):
        session = ADAPTER.reader(one, Login("database", "database"))
        assert isinstance(session, KnowsRights)
        told.append(session.want_of_rights())
        session.close()
    with owner.writing() as connection:
        connection.exec_driver_sql(f"DROP ROLE {role}")
    owner.close()
    assert told[0] is None
    assert "may not CREATE tables in public" in str(told[1])
