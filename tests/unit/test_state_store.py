"""The state in memory and in a file: the Store contract, and what only a file can suffer."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, event

from migrator.engine.contract import Fate, Intended, Outcome, Size
from migrator.engine.ledger import Ending
from migrator.errors import Held, LeaseLost, NothingRun, StateError, StateFull
from migrator.state.schema import SCHEMA, Schema, bring_up
from migrator.state.store import open_for_questions, open_store, rebuild, state_beside, this_process
from migrator.state.tables import AnyText
from migrator.testing.store import INBOX, NOON, SENT, Clock, StoreContract, copied, elsewhere, ended_process, start

REVISIONS = Path(sys.modules[Schema.__module__].__file__).parent / "revisions"
FORK = multiprocessing.get_context("fork")


def now():
    return datetime.now(UTC)


@pytest.fixture
def place(tmp_path):
    return tmp_path / "plan.state.sqlite"


@pytest.fixture
def filled(place):
    """A state of some hundred pages that no run holds."""
    with contextlib.closing(open_store(place)) as store:
        epoch = start(store).run.epoch
        store.record(epoch, INBOX, copied(*(f"{number}" for number in range(3000))))
        store.end_run(epoch, NOON, Ending.DONE, 0, "")
    return place


class TestInMemory(StoreContract):
    @pytest.fixture
    def store(self, clock):
        with contextlib.closing(open_store("sqlite://", clock)) as store:
            yield store


class TestInAFile(StoreContract):
    @pytest.fixture
    def store(self, clock, place):
        with contextlib.closing(open_store(place, clock)) as store:
            yield store


# -- items and sums --------------------------------------------------------------------------------------------------------

OUTCOMES = st.builds(
    Outcome, key=st.text(max_size=2), fate=st.sampled_from(Fate), size=st.integers(0, 9), note=st.text(max_size=3)
)


@given(st.lists(st.lists(OUTCOMES, max_size=5), max_size=6))
@settings(max_examples=50, deadline=None)
def test_the_sums_are_what_counting_would_say(records):
    expected = {}
    with contextlib.closing(open_store("sqlite://")) as store:
        epoch = start(store).run.epoch
        for outcomes in records:
            store.record(epoch, INBOX, outcomes)
            expected |= {outcome.key: outcome for outcome in outcomes}

        counts = Counter(outcome.fate for outcome in expected.values())
        sizes = {fate: sum(outcome.size for outcome in expected.values() if outcome.fate is fate) for fate in counts}
        assert store.fates(INBOX) == {fate: Size(counts[fate], sizes[fate]) for fate in counts}
        assert {outcome.key: outcome for outcome in store.outcomes(INBOX)} == expected


@given(st.text(st.characters(min_codepoint=0, max_codepoint=0x10FFFF, exclude_categories=()), max_size=20))
@settings(max_examples=300, deadline=None)
def test_any_text_becomes_storable_and_comes_back(text):
    kept = AnyText().process_bind_param(text, None)

    assert "\x00" not in kept
    kept.encode("utf-8")
    assert AnyText().process_result_value(kept, None) == text


def test_what_is_not_as_sent_is_found_without_reading_every_item(filled):
    asked = []
    with contextlib.closing(open_store(filled)) as store:
        epoch = start(store, now=now()).run.epoch
        store.record(epoch, INBOX, [Outcome(f"{number}", Fate.LEFT_BEHIND) for number in range(2000)])
        event.listen(store._reader, "before_cursor_execute", lambda *told: asked.append(told[2:4]))
        assert len(list(store.left_behind())) == 2000
    with contextlib.closing(sqlite3.connect(filled)) as database:
        plans = [[row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {words}", told)] for words, told in asked]

    assert len(plans) == 2  # a full page, and the empty one behind it
    assert all(any("items USING INDEX items_not_as_sent" in line for line in plan) for plan in plans)
    assert not any("TEMP B-TREE" in line for plan in plans for line in plan)


# -- the file ----------------------------------------------------------------------------------------------------------------


def test_the_state_of_a_plan_lies_beside_it():
    assert state_beside(Path("/plans/example.com.yaml")) == Path("/plans/example.com.state.sqlite")


@pytest.mark.parametrize("umask", [0o000, 0o777])
def test_the_file_and_its_companions_are_their_owners_alone_under_any_umask(place, umask):
    before = os.umask(umask)
    try:
        store = open_store(place)
        start(store)
    finally:
        os.umask(before)
    with contextlib.closing(store):
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in place.parent.iterdir()}

    assert modes == {f"plan.state.sqlite{companion}": 0o600 for companion in ("", "-wal", "-shm")}


def test_a_file_that_was_opened_to_others_is_closed_to_them_again(filled):
    filled.chmod(0o644)
    open_store(filled).close()

    assert stat.S_IMODE(filled.stat().st_mode) == 0o600


def test_a_commit_is_on_the_disk_when_it_returns(place):
    with contextlib.closing(open_store(place)) as store, store._writer.connect() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }

    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 10_000}


def test_a_closed_state_is_one_file(filled):
    assert [path.name for path in filled.parent.iterdir()] == ["plan.state.sqlite"]


def test_a_state_is_there_again_after_closing(filled):
    with contextlib.closing(open_store(filled)) as store:
        assert store.fates(INBOX) == {Fate.COPIED: Size(3000, 30_000)}
        assert [run.ending for run in store.runs()] == [Ending.DONE]


def test_a_path_may_hold_what_a_url_could_not(tmp_path):
    place = tmp_path / "what? 50% #1 é.state.sqlite"
    open_store(place).close()

    assert [path.name for path in tmp_path.iterdir()] == [place.name]


def test_a_sqlite_url_names_a_file_like_its_path_does(filled):
    with contextlib.closing(open_store(f"sqlite:///{filled}")) as store:
        assert len(store.runs()) == 1


def test_an_empty_file_is_filled(place):
    place.touch()

    with contextlib.closing(open_store(place)) as store:
        assert start(store).run.number == 1


def test_processes_that_make_the_state_at_once_make_one(place):
    def claim(barrier, answers):
        barrier.wait()
        try:
            store = open_store(place)
            answers.put(start(store, now=now()).run.number)
        except Held:
            answers.put("held")
        barrier.wait()  # the winner lives until all have asked

    answers, barrier = FORK.Queue(), FORK.Barrier(6)
    claimants = [FORK.Process(target=claim, args=(barrier, answers)) for _ in range(6)]
    for claimant in claimants:
        claimant.start()
    told = Counter(answers.get(timeout=30) for _ in claimants)
    for claimant in claimants:
        claimant.join()

    assert told == {1: 1, "held": 5}


# -- what is no state of ours ------------------------------------------------------------------------------------------


def complaint(where, opening=open_store):
    """What opening says; whatever lies there stays as it was."""
    before = where.read_bytes() if where.is_file() else None
    with pytest.raises(StateError) as refusal:
        opening(where)
    assert before == (where.read_bytes() if where.is_file() else None)
    return refusal.value


@pytest.mark.parametrize("opening", [open_store, open_for_questions, rebuild])
def test_a_folder_is_refused(tmp_path, opening):
    assert str(complaint(tmp_path, opening)) == f"{tmp_path} is a folder; the state is a file."


@pytest.mark.parametrize("opening", [open_store, open_for_questions, rebuild])
def test_a_missing_folder_is_named(tmp_path, opening):
    assert f"no folder {tmp_path / 'missing'}" in str(complaint(tmp_path / "missing" / "plan.state.sqlite", opening))


@pytest.mark.parametrize("opening", [open_store, open_for_questions])
def test_a_file_that_is_not_sqlite_is_left_alone(place, opening):
    place.write_bytes(b"version: 1\nname: this is the plan itself\n" * 99)

    assert f"{place} is damaged, or is not a state of migrator." == str(complaint(place, opening))


@pytest.mark.parametrize("opening", [open_store, open_for_questions])
def test_somebody_elses_database_is_left_alone(place, opening):
    with contextlib.closing(sqlite3.connect(place)) as database:
        database.execute("CREATE TABLE bookmarks (url TEXT)")

    assert "something else (it holds bookmarks)" in str(complaint(place, opening))
    assert [path.name for path in place.parent.iterdir()] == ["plan.state.sqlite"]


@contextlib.contextmanager
def without_privileges():
    """A folder that anybody may look into, and a caller that runs a function as somebody who is not root."""

    def call(function):
        def answer(pipe):
            if os.geteuid() == 0:
                os.setuid(65534)
            try:
                function()
                pipe.send("no error")
            except StateError as error:
                pipe.send(str(error))

        receiver, sender = FORK.Pipe(duplex=False)
        process = FORK.Process(target=answer, args=(sender,))
        process.start()
        assert receiver.poll(30)
        told = receiver.recv()
        process.join()
        return told

    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder), call


def test_a_file_that_may_not_be_written_is_refused_in_one_sentence(filled):
    with without_privileges() as (folder, call):
        place = shutil.copy(filled, folder)
        Path(place).chmod(0o444)

        assert call(lambda: open_store(place)) == f"{place} cannot be written."


def test_a_folder_that_may_not_be_written_is_refused_in_one_sentence():
    with without_privileges() as (folder, call):
        folder.chmod(0o555)
        place = folder / "plan.state.sqlite"

        assert call(lambda: open_store(place)) == f"{place} cannot be made: Permission denied."
        folder.chmod(0o755)


@pytest.mark.parametrize("mode", [0o300, 0o000])
def test_a_folder_that_may_not_be_looked_into_is_refused_in_one_sentence(mode):
    with without_privileges() as (folder, call):
        inner = folder / "closed"
        inner.mkdir()
        if os.geteuid() == 0:
            os.chown(inner, 65534, 65534)
        inner.chmod(mode)
        place = inner / "plan.state.sqlite"

        assert call(lambda: open_store(place)) == f"{place} cannot be made: Permission denied."
        inner.chmod(0o700)


def test_a_file_that_may_not_be_set_aside_stays(filled):
    with without_privileges() as (folder, call):
        place = Path(shutil.copy(filled, folder))
        folder.chmod(0o555)

        assert call(lambda: rebuild(place)) == f"{place} cannot be set aside: Permission denied."
        folder.chmod(0o755)


def test_questions_are_answered_where_nothing_may_be_written(filled):
    with without_privileges() as (folder, call):
        place = Path(shutil.copy(filled, folder))
        place.chmod(0o444)
        folder.chmod(0o555)

        assert call(lambda: list(open_for_questions(place).runs())) == "no error"
        folder.chmod(0o755)


def test_a_file_that_may_not_be_read_is_refused_in_one_sentence(filled):
    with without_privileges() as (folder, call):
        place = Path(shutil.copy(filled, folder))
        place.chmod(0o000)

        assert call(lambda: open_for_questions(place)) == f"{place} cannot be opened."


# -- damage ------------------------------------------------------------------------------------------------------------


def test_damage_to_any_page_is_seen_at_opening(filled):
    whole = filled.read_bytes()
    page = int.from_bytes(whole[16:18])
    assert len(whole) // page > 30
    seen = []
    for start_of_page in range(0, len(whole), page):
        flipped = bytes(byte ^ 0xFF for byte in whole[start_of_page : start_of_page + 16])
        filled.write_bytes(whole[:start_of_page] + flipped + whole[start_of_page + 16 :])
        with pytest.raises(StateError) as refusal:
            open_store(filled)
        seen.append(refusal.value.sentence())

    assert len(set(seen)) == 1
    assert f"{filled} is damaged" in seen[0]
    assert "migrator run --rebuild-state" in seen[0]


@pytest.mark.parametrize("kept", [100, 5_000, 50_000])
def test_a_file_that_was_cut_off_is_seen_at_opening(filled, kept):
    os.truncate(filled, kept)

    assert "is damaged" in str(complaint(filled))


def test_a_word_that_no_version_wrote_is_damage(filled):
    with contextlib.closing(sqlite3.connect(filled)) as database:
        database.execute("UPDATE items SET fate = 'copixd' WHERE key = '7'")
        database.commit()

    with contextlib.closing(open_store(filled)) as store, pytest.raises(StateError, match="is damaged"):
        store.settled(INBOX, ["7"])


def test_a_damaged_file_is_set_aside_whole_and_a_fresh_one_begins(filled):
    for companion in ("-wal", "-shm"):
        Path(f"{filled}{companion}").write_bytes(b"left by a death")
    os.truncate(filled, 5_000)
    damaged = filled.read_bytes()

    aside = rebuild(filled)

    assert aside == Path(f"{filled}.damaged-1")
    assert aside.read_bytes() == damaged
    assert sorted(path.name for path in filled.parent.iterdir()) == [
        f"plan.state.sqlite.damaged-1{companion}" for companion in ("", "-shm", "-wal")
    ]
    with contextlib.closing(open_store(filled)) as store:
        assert store.runs() == []
    assert rebuild(filled) == Path(f"{filled}.damaged-2")


def test_what_a_living_run_holds_is_not_set_aside(place):
    with contextlib.closing(open_store(place)) as store:
        start(store, now=now())
        with pytest.raises(Held):
            rebuild(place)

    assert place.exists()


def test_where_there_is_no_file_there_is_nothing_to_set_aside(place):
    assert rebuild(place) is None


# -- schemas -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def later(tmp_path):
    """A later migrator, whose schema keeps a colour for each action."""
    scripts = tmp_path / "later"
    shutil.copytree(REVISIONS, scripts)
    (scripts / "versions" / "0005_colour.py").write_text(
        "import sqlalchemy as sa\n"
        "from alembic import op\n"
        "revision, down_revision = '0005', '0004'\n"
        "def upgrade():\n"
        "    op.add_column('ledger', sa.Column('colour', sa.Text))\n"
        "    op.execute('SELECT 1 FROM missing') if BROKEN else None\n"
        "BROKEN = False\n"
    )
    return Schema("0005", str(scripts))


def columns_of_ledger(place):
    with contextlib.closing(sqlite3.connect(place)) as database:
        return [row[1] for row in database.execute("PRAGMA table_info(ledger)")]


def test_a_state_of_a_newer_migrator_is_left_alone(filled):
    with contextlib.closing(sqlite3.connect(filled)) as database:
        database.execute("UPDATE migrator_schema SET version_num = '0007'")
        database.commit()

    for opening in (open_store, open_for_questions):
        assert str(complaint(filled, opening)) == (
            f"{filled} was written by a newer migrator (schema 0007; this one knows 0004)."
        )


def test_an_older_state_is_upgraded_after_a_copy(filled, later):
    with contextlib.closing(open_store(filled, schema=later)) as store:
        assert store.fates(INBOX) == {Fate.COPIED: Size(3000, 30_000)}

    copy = Path(f"{filled}.before-0005")
    assert columns_of_ledger(filled) == ["number", "key", "colour"]
    assert columns_of_ledger(copy) == ["number", "key"]
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with contextlib.closing(open_store(copy)) as store:
        assert store.fates(INBOX) == {Fate.COPIED: Size(3000, 30_000)}


def test_ranges_of_a_state_that_counted_ranges_are_counted_as_rows(place):
    table, mails = "forms/old>new/database/wp_db7_forms", "mail/old>new/a@example.com/INBOX"
    engine = create_engine(f"sqlite:///{place}")
    with engine.begin() as connection:
        bring_up(connection, Schema("0001", SCHEMA.scripts))
        connection.exec_driver_sql("INSERT INTO ledger (number, key) VALUES (1, ?), (2, ?)", (table, mails))
        for action, key, fate, digest in (
            (1, "a", "copied", "500:1|500:1"),
            (1, "b", "copied", "37:2|40:2"),
            (1, "c", "left-behind", ""),
            (2, "7", "copied", "12:34"),
        ):
            values = (action, key, fate, digest)
            connection.exec_driver_sql("INSERT INTO items VALUES (?, ?, ?, '', 9, ?, '', '', '')", values)
            add = "INSERT INTO sums VALUES (?, ?, 1, 9) ON CONFLICT DO UPDATE SET items = items + 1, bytes = bytes + 9"
            connection.exec_driver_sql(add, values[:3:2])
    engine.dispose()

    with contextlib.closing(open_store(place)) as store:
        assert store.fates(table) == {Fate.COPIED: Size(537, 18), Fate.LEFT_BEHIND: Size(1, 9)}
        assert store.fates(mails) == {Fate.COPIED: Size(1, 9)}
        assert {one.key: one.things for one in store.outcomes(table)} == {"a": 500, "b": 37, "c": 1}


def test_an_upgrade_that_fails_leaves_the_state_as_it_was(filled, later):
    script = Path(later.scripts) / "versions" / "0005_colour.py"
    script.write_text(script.read_text().replace("BROKEN = False", "BROKEN = True"))

    with pytest.raises(StateError, match="no such table"):
        open_store(filled, schema=later)

    assert columns_of_ledger(filled) == ["number", "key"]
    open_store(filled).close()


def test_an_older_state_is_not_upgraded_under_a_living_run(filled, later):
    with contextlib.closing(open_store(filled)) as store:
        start(store, now=now())
        with pytest.raises(Held):
            open_store(filled, schema=later)

    assert columns_of_ledger(filled) == ["number", "key"]


def test_questions_about_an_older_state_wait_for_the_upgrade(filled, later):
    with pytest.raises(StateError, match=r"older migrator \(schema 0004; this one speaks 0005\)"):
        open_for_questions(filled, schema=later)

    assert columns_of_ledger(filled) == ["number", "key"]


def test_the_revisions_make_the_tables_we_speak_to(place):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from migrator.state.tables import metadata

    with contextlib.closing(open_store(place)) as store, store._reader.connect() as connection:
        options = {"version_table": "migrator_schema", "compare_type": True}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), metadata) == []


def test_memory_and_file_are_laid_out_alike(place):
    def layout(store):
        with store._reader.connect() as connection:
            words = "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE '%schema%' AND sql IS NOT NULL"
            return {name: sorted(sql.split()) for name, sql in connection.exec_driver_sql(words)}

    with contextlib.closing(open_store(place)) as file, contextlib.closing(open_store("sqlite://")) as memory:
        assert layout(memory) == layout(file)


def test_the_newest_revision_is_the_schema_we_know():
    from alembic.script import ScriptDirectory

    assert ScriptDirectory(str(REVISIONS)).get_heads() == [SCHEMA.revision]


def test_a_current_state_is_opened_without_loading_alembic(filled):
    program = f"import sys; from migrator.state.store import open_store; open_store({str(filled)!r})\nprint('alembic' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert told.stdout.strip() == "False"


def test_a_state_in_a_file_is_made_without_loading_what_only_postgresql_needs(place):
    program = (
        f"import sys; from migrator.state.store import open_store; open_store({str(place)!r})\n"
        "print([name for name in sys.modules if 'dialects.postgresql' in name or 'psycopg' in name])"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert told.stdout.strip() == "[]"


def test_batches_that_another_process_opened_meanwhile_keep_their_numbers(place):
    with contextlib.closing(open_store(place)) as first, contextlib.closing(open_store(place)) as second:
        lost = first.open_batch(first.claim(this_process(), NOON, "d", "1").run.epoch, INBOX, "7/1", [])
        taken = second.open_batch(second.seize(this_process(), NOON, "d", "1").run.epoch, INBOX, "7/1", [])
        again = first.open_batch(first.seize(this_process(), NOON, "d", "1").run.epoch, INBOX, "7/1", [])

        assert [batch.number for batch in first.open_batches(INBOX)] == [lost, taken, again]


# -- questions while a run is going ------------------------------------------------------------------------------------


def test_questions_before_the_first_run_create_nothing(place):
    told = complaint(place, open_for_questions)

    assert str(told) == f"Nothing has been run yet: no state at {place}."
    assert isinstance(told, NothingRun)
    assert list(place.parent.iterdir()) == []


def test_questions_to_a_file_that_is_still_empty_find_no_run(place):
    place.touch()

    assert isinstance(complaint(place, open_for_questions), NothingRun)


def test_questions_and_a_run_do_not_wait_for_each_other(place):
    with contextlib.closing(open_store(place)) as store:
        epoch = start(store, now=now()).run.epoch
        store.record(epoch, INBOX, copied("1"))
        with contextlib.closing(open_for_questions(place)) as questions:
            with store._writing():  # the run is in the middle of a transaction
                began = time.monotonic()
                assert questions.fates(INBOX) == {Fate.COPIED: Size(1, 10)}
                assert time.monotonic() - began < 1
            listing = questions.outcomes(INBOX)
            next(listing)  # an answer is being read
            store.record(epoch, INBOX, copied("2"))
            assert questions.fates(INBOX) == {Fate.COPIED: Size(2, 20)}


def test_a_store_for_questions_records_nothing(filled):
    with contextlib.closing(open_for_questions(filled)) as store:
        with pytest.raises(StateError, match="open for questions only"):
            start(store)
        assert len(store.runs()) == 1


def test_a_second_run_is_refused_at_once_in_the_middle_of_a_long_record(place):
    with contextlib.closing(open_store(place)) as store:
        start(store, now=now())
        with store._writing():
            began = time.monotonic()
            with contextlib.closing(open_store(place)) as second, pytest.raises(Held):
                start(second, now=now())
            assert time.monotonic() - began < 1


# -- deaths ------------------------------------------------------------------------------------------------------------


def record_for_ever(place, pipe):
    """A run that tells each batch it has opened and each it has closed."""
    store = open_store(place)
    epoch = store.claim(this_process(), now(), "digest", "1.0").run.epoch
    for number in range(1_000_000):
        keys = [f"{epoch}-{number}-{item}" for item in range(20)]
        batch = store.open_batch(epoch, INBOX, "7/1", [Intended(key, 1, "d") for key in keys])
        pipe.send(("opened", keys))
        store.close_batch(epoch, batch, copied(*keys))
        pipe.send(("closed", keys))


def test_killed_in_the_middle_of_recording_it_lacks_nothing_it_said_it_had(place):
    chance = random.Random(7)
    opened, closed = [], []
    for _ in range(8):
        receiver, sender = FORK.Pipe(duplex=False)
        run = FORK.Process(target=record_for_ever, args=(place, sender))
        run.start()
        sender.close()
        for _ in range(chance.randrange(3, 60)):
            word, keys = receiver.recv()
            (opened if word == "opened" else closed).append(keys)
        time.sleep(chance.random() / 300)
        os.kill(run.pid, signal.SIGKILL)
        with contextlib.suppress(EOFError):
            while True:
                word, keys = receiver.recv()
                (opened if word == "opened" else closed).append(keys)
        run.join()

    with contextlib.closing(open_store(place)) as store:
        settled = {outcome.key for outcome in store.outcomes(INBOX)}
        intended = [{item.key for item in batch.items} for batch in store.open_batches(INBOX)]
        assert all(settled.issuperset(keys) for keys in closed)
        # Each batch is all there or not at all, and has an intent exactly while it has no outcomes.
        assert all(settled.issuperset(keys) is not (set(keys) in intended) for keys in opened)
        assert all(settled.isdisjoint(keys) for keys in intended)
        assert store.fates(INBOX)[Fate.COPIED].items == len(settled)
        assert [run.ending for run in store.runs()] == [None] * 8
        assert start(store, now=now()).resumes


def test_a_frozen_run_that_wakes_after_its_lease_was_taken_records_nothing(place):
    def sleeper(pipe, told):
        store = open_store(place, Clock())
        epoch = store.claim(elsewhere(), NOON, "digest", "1.0").run.epoch
        store.record(epoch, INBOX, copied("before"))
        told.send("ready")
        pipe.recv()
        try:
            store.record(epoch, INBOX, copied("after"))
        except LeaseLost:
            told.send("lease lost")

    wake, pipe = FORK.Pipe()
    answers, told = FORK.Pipe()
    run = FORK.Process(target=sleeper, args=(pipe, told))
    run.start()
    try:
        assert answers.recv() == "ready"
        os.kill(run.pid, signal.SIGSTOP)
        with contextlib.closing(open_store(place)) as store:
            assert start(store, now=now()).resumes
            wake.send("now")
            os.kill(run.pid, signal.SIGCONT)

            assert answers.recv() == "lease lost"
            assert [outcome.key for outcome in store.outcomes(INBOX)] == ["before"]
    finally:
        run.kill()
        run.join()


def test_a_full_disk_keeps_nothing_of_the_record_and_goes_on_when_there_is_room(place):
    with contextlib.closing(open_store(place)) as store:
        epoch = start(store, now=now()).run.epoch
        batch = store.open_batch(epoch, INBOX, "7/1", [Intended("1", 1, "d")])
        limit_pages(store, 60)
        many = copied(*(f"{number}" for number in range(10_000)))

        with pytest.raises(StateFull, match="no room is left"):
            store.close_batch(epoch, batch, many)

        assert list(store.outcomes(INBOX)) == []
        assert [intent.number for intent in store.open_batches(INBOX)] == [batch]
        limit_pages(store, 1_000_000)
        store.close_batch(epoch, batch, many)
        assert store.fates(INBOX)[Fate.COPIED].items == 10_000


def limit_pages(store, pages):
    """SQLite answers a file that may not grow as it does a disk that is full."""
    with store._writer.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")


def test_a_file_that_another_program_keeps_locked_is_named(place, monkeypatch):
    monkeypatch.setattr("migrator.state.store.PATIENCE_SECONDS", 0.1)
    with contextlib.closing(open_store(place)) as store, contextlib.closing(sqlite3.connect(place)) as browser:
        browser.execute("BEGIN IMMEDIATE")

        with pytest.raises(StateError, match=r"plan\.state\.sqlite is locked by another program"):
            start(store)


# -- addresses ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("mysql://me:hunter2@127.0.0.1/plan", "can be kept in SQLite or PostgreSQL, not in mysql"),
        ("nonsense://me:hunter2@127.0.0.1/plan", "can be kept in SQLite or PostgreSQL, not in nonsense"),
        ("://", "cannot be understood"),
        ("postgresql://me:hunter2@127.0.0.1:1/plan", "does not answer"),
        ("postgresql+psycopg://me:hunter2@127.0.0.1:1/plan", "does not answer"),
    ],
)
@pytest.mark.parametrize("opening", [open_store, open_for_questions])
def test_an_address_that_is_no_use_is_refused_without_showing_its_password(url, sentence, opening):
    with pytest.raises(StateError, match=sentence) as refusal:
        opening(url)

    assert "hunter2" not in refusal.value.sentence()


def test_a_state_on_a_server_is_not_rebuilt_from_here():
    with pytest.raises(StateError, match="not rebuilt from here") as refusal:
        rebuild("postgresql://me:hunter2@127.0.0.1:1/plan")

    assert "hunter2" not in refusal.value.sentence()


def test_a_state_in_memory_has_nothing_to_tell_a_second_opener():
    with pytest.raises(StateError, match="Nothing has been run yet") as refusal:
        open_for_questions("sqlite://")

    assert not isinstance(refusal.value, NothingRun)  # which is worth waiting for


def test_a_clock_given_to_the_store_dates_its_records(place):
    clock = Clock()
    with contextlib.closing(open_store(place, clock)) as store:
        epoch = start(store, ended_process()).run.epoch
        clock.at = now()
        store.remember(epoch, SENT, {"uidvalidity": "7"})

        current = store.current()
        assert current is not None
        assert current.last_sign == clock.at


def test_a_writer_waits_for_another_threads_record(place):
    with contextlib.closing(open_store(place)) as store:
        epoch = start(store, now=now()).run.epoch
        second = threading.Thread(target=store.record, args=(epoch, INBOX, copied("1")))
        with store._writing():
            second.start()
            second.join(0.05)
            assert second.is_alive()
        second.join(10)

        assert store.fates(INBOX) == {Fate.COPIED: Size(1, 10)}
