"""Entries of four plugins beside those of another WordPress that has the same numbers, by the real program and servers; killed at moments
nobody chose.
"""

from __future__ import annotations

import itertools
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from lab import mariadb as mariadb_lab
from test_journey_forms_roads import WebSite

import migrator
from migrator.engine.contract import Login
from migrator.forms import flat
from migrator.forms.adapters.mysql import MysqlReader, MysqlWriter, Options
from migrator.forms.model import Table
from migrator.forms.plugins import detect
from migrator.wire.sql import Database

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "forms" / "two-sites"
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": str(Path(migrator.__file__).parent.parent),
    "TZ": "UTC",
    "COLUMNS": "160",
    "DB": "pw-migrator",
}
NUMBERS = itertools.count(1)
PLUGINS = ("cfdb7", "flamingo", "wpforms", "gravity-forms")
TABLES = ("db7_forms", "wpforms_entries", "wpforms_entry_fields", "gf_form", "gf_entry", "gf_entry_meta", "posts", "postmeta", "term_relationships")  # fmt: skip
PLAN = """\
version: 1
name: two-sites
secrets: {{db: {{env: DB}}}}
endpoints:
  old: {{forms: {source}}}
  new: {{forms: {target}}}
steps:
  - forms:
      plugins: [cfdb7, flamingo, wpforms, gravity-forms]
      prefixes: {{wp_: new_}}
      existing: remap
      forms: {{map: {{Application: Bewerbung}}}}
  - verify
"""
MORE = """
INSERT INTO wp_gf_entry (id, form_id, date_created, ip) SELECT 10 + seq, 1 + seq % 2, '2026-04-01' + INTERVAL seq SECOND, CONCAT('10.0.', seq % 7, '.1') FROM seq_1_to_1500;
INSERT INTO wp_gf_entry_meta (id, form_id, entry_id, meta_key, meta_value) SELECT 10 + seq, 1 + seq % 2, 10 + seq, IF(seq % 2, '1', '3'), CONCAT('said ', seq, REPEAT(' Grüße', 30)) FROM seq_1_to_1500;
INSERT INTO wp_db7_forms SELECT 10 + seq, 3, CONCAT('said ', seq, REPEAT(' Grüße', 30)), '2026-01-01' FROM seq_1_to_1500;
"""


class Site:
    """A database of the lab's MariaDB with one of the two sites in it."""

    def __init__(self, mariadb, which: str, *more: str) -> None:
        self.mariadb, self.name = mariadb, f"numbers{next(NUMBERS)}"
        mariadb_lab.create_database(mariadb.server, self.name)
        for one in ((FIXTURES / f"{which}.sql").read_text(), *more):
            mariadb.say(one, self.name)
        self.options = Options(port=mariadb.server.port, database=self.name, user="migrator", password="pw-migrator")

    @property
    def endpoint(self) -> str:
        return f"{{type: mysql, port: {self.options.port}, database: {self.name}, user: migrator, password: db}}"

    def say(self, statements: str) -> str:
        return str(self.mariadb.say(statements, self.name)).strip()

    def answers(self) -> Counter[tuple[str, str, str]]:
        """What people read: the plugin, the form's title, and what was answered in which place."""
        found: Counter[tuple[str, str, str]] = Counter()
        with closing(MysqlReader(self.options, Login("database", "database"))) as reader:
            for stored in detect.present(reader, PLUGINS):
                for entry in flat.Flat(reader, stored, flat.Site()).entries():
                    said = sorted(repr(one.value) for one in entry.answers)
                    found[stored.plugin, entry.header["form_title"].strip().title(), repr(said)] += 1
        return found

    def sums(self, prefix: str) -> str:
        """What the server says of every byte of every table."""
        return self.say(f"CHECKSUM TABLE {', '.join(prefix + one for one in TABLES)}").replace(self.name, "")

    def counts(self, prefix: str) -> list[str]:
        return [self.say(f"SELECT COUNT(*) FROM {prefix}{one}") for one in TABLES]


class Move:
    """The plan, and the program."""

    def __init__(self, folder: Path, source: str, target: str) -> None:
        self.folder = folder
        (folder / "plan.yaml").write_text(PLAN.format(source=source, target=target))

    def does(self, verb: str, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "migrator", verb, "plan.yaml", *words]
        return subprocess.run(command, cwd=self.folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=200)

    def dies(self, after: float) -> None:
        """Start a run and kill it so many seconds after it began to move something."""
        command = [sys.executable, "-m", "migrator", "run", "plan.yaml", "--json"]
        with subprocess.Popen(
            command, cwd=self.folder, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as run:
            assert run.stderr is not None
            next((line for line in run.stderr if "action-began" in line), None)
            time.sleep(after)
            run.send_signal(signal.SIGKILL)
            run.communicate()

    def forgets(self) -> None:
        """The state is lost."""
        for path in self.folder.iterdir():
            if path.name != "plan.yaml":
                path.unlink()


def both(old: Site, new: Site) -> Counter[tuple[str, str, str]]:
    """What the new site is to have: its own, and the other's under its own titles."""
    titles = {"Application": "Bewerbung"}
    moved = Counter[tuple[str, str, str]]()
    for (plugin, title, said), count in old.answers().items():
        moved[plugin, titles.get(title, title), said] += count
    return moved + new.answers()


@pytest.fixture(scope="module")
def undisturbed(mariadb, tmp_path_factory) -> str:
    """What the tables of the new site come to where nobody kills a run."""
    old, new = Site(mariadb, "old", MORE), Site(mariadb, "new")
    assert Move(tmp_path_factory.mktemp("undisturbed"), old.endpoint, new.endpoint).does("run").returncode == 0
    return new.sums("new_")


@pytest.mark.parametrize("seed", range(2))
def test_a_killed_run_joins_no_two_entries_and_a_second_one_adds_nothing(seed, undisturbed, mariadb, tmp_path) -> None:
    chance = random.Random(seed)
    old, new = Site(mariadb, "old", MORE), Site(mariadb, "new")
    wanted = both(old, new)
    move = Move(tmp_path, old.endpoint, new.endpoint)
    move.dies(chance.uniform(0, 1.5))
    if seed == 1:
        move.forgets()
    done = move.does("run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert new.answers() == wanted
    assert new.sums("new_") == undisturbed
    assert move.does("verify").returncode == 0
    counts = new.counts("new_")
    move.forgets()
    done = move.does("run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert new.counts("new_") == counts
    assert move.does("preview", "--exit-code").returncode == 0


def test_both_sites_go_on_and_no_number_is_given_twice(mariadb, tmp_path) -> None:
    old, new = Site(mariadb, "old"), Site(mariadb, "new")
    wanted = both(old, new)
    move = Move(tmp_path, old.endpoint, new.endpoint)
    told = move.does("preview", "-v")
    assert new.say("SHOW TABLES LIKE '%migrator%'") == ""
    assert move.does("run").returncode == 0
    new.say("INSERT INTO new_db7_forms (form_post_id, form_value, form_date) VALUES (7, 'theirs, later', '2026-06-01')")
    old.say("INSERT INTO wp_db7_forms (form_post_id, form_value, form_date) VALUES (3, 'ours, later', '2026-06-01')")
    done = move.does("run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert move.does("verify").returncode == 0
    ids = new.say("SELECT COUNT(*), COUNT(DISTINCT form_id) FROM new_db7_forms").split()
    assert ids == ["8", "8"]
    assert sum(new.answers().values()) == sum(wanted.values()) + 2
    assert new.say("SELECT form_value FROM new_db7_forms ORDER BY form_id DESC LIMIT 2").split("\n") == [
        "ours, later",
        "theirs, later",
    ]
    assert "Contact (3)" in told.stdout
    assert "CONTACT" in told.stdout


def test_reserved_numbers_are_given_to_nobody_else(mariadb) -> None:
    new = Site(mariadb, "new")
    with closing(MysqlWriter(new.options, Login("database", "database"))) as writer:
        table = Table("new_db7_forms", ())
        writer.reserve(table, 500)
        new.say("INSERT INTO new_db7_forms (form_post_id, form_value) VALUES (7, 'x')")
        writer.reserve(table, 20)
        new.say("INSERT INTO new_db7_forms (form_post_id, form_value) VALUES (7, 'x')")
    assert new.say("SELECT MAX(form_id) FROM new_db7_forms") == "502"


def test_numbers_that_one_run_has_reserved_are_not_given_back_by_another_that_reserves_fewer(mariadb) -> None:
    new, table = Site(mariadb, "new"), Table("new_db7_forms", ())

    def lowest_above(run: int) -> int:
        """How far the rows that follow a reservation are above it, at the least."""
        site = Database(new.options, writes=True, exact=True)
        found = []
        with closing(MysqlWriter(new.options, Login("database", "database"))) as writer, closing(site):
            for turn in range(1, 30):
                upto = 100 * turn + run
                writer.reserve(table, upto)
                with site.writing() as connection:
                    said = "INSERT INTO new_db7_forms (form_post_id, form_value) VALUES (7, 'x')"
                    found.append(connection.exec_driver_sql(said).lastrowid - upto)
        return min(found)

    with ThreadPoolExecutor() as at_once:
        assert min(at_once.map(lowest_above, (9, 60, 30, 1))) > 0


def test_entries_out_of_a_dump_go_into_a_site_through_phpmyadmin(mariadb, phpmyadmin, tmp_path) -> None:
    old, new, web = Site(mariadb, "old"), Site(mariadb, "new"), WebSite(phpmyadmin)
    wanted = both(old, new)
    web.say((FIXTURES / "new.sql").read_text())
    move = Move(tmp_path, f"{{type: dump, path: {FIXTURES / 'old.sql'}}}", web.endpoint)
    done = move.does("run")
    assert done.returncode == 0, done.stdout + done.stderr
    new.options = web.options
    assert new.answers() == wanted
    move.forgets()
    assert move.does("run").returncode == 0
    assert new.answers() == wanted
