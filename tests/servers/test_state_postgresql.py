"""The state in a real PostgreSQL: the Store contract, and what only a server can do to it.

MIGRATOR_TEST_POSTGRESQL names a database that may be filled and emptied; each test works in a schema of its own.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import shutil
import signal
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, make_url, text

from migrator.engine.contract import Fate, Intended, Size
from migrator.engine.ledger import Ending
from migrator.errors import Held, LeaseLost, StateError, StateFull
from migrator.state.schema import Schema
from migrator.state.store import open_for_questions, open_store, this_process
from migrator.testing.store import INBOX, NOON, StoreContract, copied, elsewhere, start

VARIABLE = "MIGRATOR_TEST_POSTGRESQL"
REVISIONS = Path(sys.modules[Schema.__module__].__file__).parent / "revisions"
FORK = multiprocessing.get_context("fork")


def now():
    return datetime.now(UTC)


@pytest.fixture(scope="session")
def database():
    """A connection that is not the store's, for looking at what it did and for doing it harm."""
    if VARIABLE not in os.environ:
        pytest.fail(f"{VARIABLE} is not set. Start the servers with scripts/servers and use the URL it prints.")
    engine = create_engine(os.environ[VARIABLE], isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@pytest.fixture
def schema(database):
    name = f"state_{uuid4().hex}"
    database.execute(text(f"CREATE SCHEMA {name}"))
    yield name
    database.execute(text(f"DROP SCHEMA {name} CASCADE"))


@pytest.fixture
def url(schema):
    url = make_url(os.environ[VARIABLE]).update_query_dict({"options": f"-csearch_path={schema}"})
    return url.render_as_string(hide_password=False)


class TestOnPostgresql(StoreContract):
    @pytest.fixture
    def store(self, url, clock):
        with contextlib.closing(open_store(url, clock)) as store:
            yield store


# -- opening -----------------------------------------------------------------------------------------------------------


def test_a_state_is_there_again_after_closing(url):
    with contextlib.closing(open_store(url)) as store:
        epoch = start(store).run.epoch
        store.record(epoch, INBOX, copied("1"))
        store.end_run(epoch, NOON, Ending.DONE, 0, "")

    with contextlib.closing(open_store(url)) as store:
        assert store.fates(INBOX) == {Fate.COPIED: Size(1, 10)}


def test_questions_before_the_first_run_create_nothing(url, database, schema):
    with pytest.raises(StateError, match="Nothing has been run yet"):
        open_for_questions(url)

    assert database.scalar(text(f"SELECT count(*) FROM pg_tables WHERE schemaname = '{schema}'")) == 0


def test_questions_and_a_run_do_not_wait_for_each_other(url):
    with (
        contextlib.closing(open_store(url)) as store,
        store._writing(),
        contextlib.closing(open_for_questions(url)) as asked,
    ):
        began = time.monotonic()
        assert asked.runs() == []
        with pytest.raises(StateError, match="open for questions only"):
            start(asked)
        assert time.monotonic() - began < 1


def test_connections_for_questions_cannot_write(url):
    def write(store):
        with store._asking() as connection:
            connection.execute(text("DELETE FROM items"))

    open_store(url).close()
    with contextlib.closing(open_for_questions(url)) as store, pytest.raises(StateError, match="read-only transaction"):
        write(store)


def test_somebody_elses_tables_are_left_alone(url, database, schema):
    database.execute(text(f"CREATE TABLE {schema}.bookmarks (url text)"))

    for opening in (open_store, open_for_questions):
        with pytest.raises(StateError, match=r"something else \(it holds bookmarks\)"):
            opening(url)


def test_a_state_of_a_newer_migrator_is_left_alone(url, database, schema):
    open_store(url).close()
    database.execute(text(f"UPDATE {schema}.migrator_schema SET version_num = '0007'"))

    for opening in (open_store, open_for_questions):
        with pytest.raises(StateError, match=r"newer migrator \(schema 0007; this one knows 0004\)"):
            opening(url)


@pytest.mark.parametrize("broken", [False, True])
def test_an_older_state_is_upgraded_or_left_as_it_was(url, database, schema, tmp_path, broken):
    with contextlib.closing(open_store(url)) as store:
        epoch = start(store).run.epoch
        store.record(epoch, INBOX, copied("1"))
        store.end_run(epoch, NOON, Ending.DONE, 0, "")
    scripts = tmp_path / "later"
    shutil.copytree(REVISIONS, scripts)
    (scripts / "versions" / "0005_colour.py").write_text(
        "import sqlalchemy as sa\n"
        "from alembic import op\n"
        "revision, down_revision = '0005', '0004'\n"
        "def upgrade():\n"
        "    op.add_column('ledger', sa.Column('colour', sa.Text))\n"
        f"    op.execute('SELECT 1 FROM {'missing' if broken else 'ledger'}')\n"
    )

    with pytest.raises(StateError, match="missing") if broken else contextlib.nullcontext():
        open_store(url, schema=Schema("0005", str(scripts))).close()

    columns = (
        f"SELECT count(*) FROM information_schema.columns WHERE table_schema = '{schema}' AND column_name = 'colour'"
    )
    assert database.scalar(text(columns)) == (0 if broken else 1)
    assert database.scalar(text(f"SELECT count(*) FROM {schema}.items")) == 1


def test_the_revisions_make_the_tables_we_speak_to(url):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from migrator.state.tables import metadata

    with contextlib.closing(open_store(url)) as store, store._reader.connect() as connection:
        options = {"version_table": "migrator_schema", "compare_type": True}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), metadata) == []


def test_a_commit_waits_for_the_disk_even_where_the_server_is_set_not_to(url, database, schema):
    before = database.scalar(text("SELECT current_database()"))
    database.execute(text(f'ALTER DATABASE "{before}" SET synchronous_commit = off'))
    try:
        with contextlib.closing(open_store(url)) as store, store._writing() as connection:
            assert connection.scalar(text("SHOW synchronous_commit")) == "on"
            assert connection.scalar(text("SHOW transaction_isolation")) == "read committed"
            assert connection.scalar(text("SHOW lock_timeout")) == "10s"
    finally:
        database.execute(text(f'ALTER DATABASE "{before}" RESET synchronous_commit'))


def test_text_sorts_by_code_point_whatever_the_database_was_made_with(url, database, schema):
    open_store(url).close()
    words = f"SELECT DISTINCT collation_name FROM information_schema.columns WHERE table_schema = '{schema}' AND column_name = 'key'"

    assert list(database.scalars(text(words))) == ["C"]


# -- several processes -------------------------------------------------------------------------------------------------


def test_processes_that_start_at_once_make_one_state_and_one_run(url):
    def claim(barrier, answers):
        barrier.wait()
        try:
            store = open_store(url)
            answers.put(start(store, now=now()).run.number)
        except Held:
            answers.put("held")
        barrier.wait()  # the winner lives until all have asked

    answers, barrier = FORK.Queue(), FORK.Barrier(4)
    claimants = [FORK.Process(target=claim, args=(barrier, answers)) for _ in range(4)]
    for claimant in claimants:
        claimant.start()
    told = Counter(answers.get(timeout=60) for _ in claimants)
    for claimant in claimants:
        claimant.join()

    assert told == {1: 1, "held": 3}


def test_a_record_in_progress_is_finished_before_the_lease_is_taken(url):
    """The taker waits; what the old run then tries on top of it is refused."""
    with contextlib.closing(open_store(url)) as first, contextlib.closing(open_store(url)) as second:
        epoch = start(first, elsewhere()).run.epoch
        taker = FORK.Process(target=lambda: open_store(url).seize(this_process(), now(), "digest", "1.0"))
        with first._recording(epoch):
            taker.start()
            taker.join(0.7)
            assert taker.is_alive()
            assert [run.number for run in second.runs()] == [1]
        taker.join(20)

        assert [run.number for run in second.runs()] == [1, 2]
        with pytest.raises(LeaseLost):
            first.record(epoch, INBOX, copied("1"))
        assert list(second.outcomes(INBOX)) == []


def record_for_ever(url, pipe):
    store = open_store(url)
    epoch = store.claim(this_process(), now(), "digest", "1.0").run.epoch
    for number in range(1_000_000):
        keys = [f"{epoch}-{number}-{item}" for item in range(20)]
        batch = store.open_batch(epoch, INBOX, "7/1", [Intended(key, 1, "d") for key in keys])
        store.close_batch(epoch, batch, copied(*keys))
        pipe.send(keys)


def test_killed_in_the_middle_of_recording_it_lacks_nothing_it_said_it_had(url):
    chance = random.Random(7)
    closed = []
    for _ in range(4):
        receiver, sender = FORK.Pipe(duplex=False)
        run = FORK.Process(target=record_for_ever, args=(url, sender))
        run.start()
        sender.close()
        closed.extend(receiver.recv() for _ in range(chance.randrange(2, 20)))
        time.sleep(chance.random() / 100)
        os.kill(run.pid, signal.SIGKILL)
        with contextlib.suppress(EOFError):
            while True:
                closed.append(receiver.recv())
        run.join()

    with contextlib.closing(open_store(url)) as store:
        settled = {outcome.key for outcome in store.outcomes(INBOX)}
        assert all(settled.issuperset(keys) for keys in closed)
        assert all(settled.isdisjoint(item.key for item in batch.items) for batch in store.open_batches(INBOX))
        assert store.fates(INBOX)[Fate.COPIED].items == len(settled)


# -- trouble on the server ---------------------------------------------------------------------------------------------


def test_a_full_disk_keeps_nothing_of_the_record_and_goes_on_when_there_is_room(url, database, schema):
    with contextlib.closing(open_store(url)) as store:
        epoch = start(store).run.epoch
        batch = store.open_batch(epoch, INBOX, "7/1", [Intended("1", 1, "d")])
        full = f"{schema}.full()"
        words = "BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END"
        database.execute(text(f"CREATE FUNCTION {full} RETURNS trigger LANGUAGE plpgsql AS $$ {words} $$"))
        database.execute(text(f"CREATE TRIGGER full_disk BEFORE INSERT ON {schema}.sums EXECUTE FUNCTION {full}"))

        with pytest.raises(StateFull, match="no room is left"):
            store.close_batch(epoch, batch, copied("1"))

        assert list(store.outcomes(INBOX)) == []
        assert [intent.number for intent in store.open_batches(INBOX)] == [batch]
        database.execute(text(f"DROP TRIGGER full_disk ON {schema}.sums"))
        store.close_batch(epoch, batch, copied("1"))
        assert store.fates(INBOX) == {Fate.COPIED: Size(1, 10)}


def test_a_server_that_dropped_us_between_two_records_is_reached_again(url, database):
    with contextlib.closing(open_store(url)) as store:
        epoch = start(store).run.epoch
        ours = "datname = current_database() AND pid <> pg_backend_pid()"
        database.execute(text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {ours}"))
        store.record(epoch, INBOX, copied("1"))

        assert store.fates(INBOX) == {Fate.COPIED: Size(1, 10)}


def test_a_server_that_drops_us_in_the_middle_of_a_record_is_named(url, database):
    def dropped_while_recording(store, epoch):
        with store._recording(epoch) as connection:
            pid = connection.scalar(text("SELECT pg_backend_pid()"))
            database.execute(text(f"SELECT pg_terminate_backend({pid})"))
            connection.execute(text("SELECT 1"))

    with contextlib.closing(open_store(url)) as store:
        epoch = start(store).run.epoch
        with pytest.raises(StateError, match="does not answer"):
            dropped_while_recording(store, epoch)

        store.record(epoch, INBOX, copied("1"))
