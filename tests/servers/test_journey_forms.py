"""Form entries on their way, by the real program: between MariaDB databases, into files and back, killed at moments nobody chose."""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import make_url

import migrator
from migrator.engine.contract import Login
from migrator.forms.adapters.mysql import MysqlWriter, Options
from migrator.testing.form_suite import stock

NUMBERS = itertools.count(1)
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": str(Path(migrator.__file__).parent.parent),
    "TZ": "UTC",
    "COLUMNS": "120",
    "DB": "pw-migrator",
}
TABLES = [
    "wp_db7_forms",
    "wp_kinds",
    "webform_submission_data",
    "wp_cf7dbplugin_submits",
    "wp_loose",
    "wp_codes",
    "wp_empty",
]


class Site:
    """A database of the lab's MariaDB."""

    def __init__(self, mariadb) -> None:
        self.mariadb = mariadb
        self.name = f"site{next(NUMBERS)}"
        mariadb.say(f"CREATE DATABASE {self.name} CHARACTER SET utf8mb4")
        self.options = Options(port=mariadb.server.port, database=self.name, user="migrator", password="pw-migrator")

    @property
    def endpoint(self) -> str:
        return f"{{type: mysql, port: {self.options.port}, database: {self.name}, user: migrator, password: db}}"

    def say(self, statements: str) -> str:
        return self.mariadb.say(statements, self.name)

    def sums(self, tables: list[str] = TABLES) -> list[str]:
        """What the server itself sums of every table."""
        return [self.say(f"CHECKSUM TABLE {one}").split()[1] for one in tables]


class Move:
    """A plan for form entries, and the program."""

    def __init__(self, folder: Path, source: str, target: str, options: str = "", steps: str = "verify") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        plan = f"""\
version: 1
name: forms
secrets: {{db: {{env: DB}}}}
endpoints:
  old: {{forms: {source}}}
  new: {{forms: {target}}}
steps:
  - forms: {{{options}}}
  - {steps}
"""
        (folder / "plan.yaml").write_text(plan)

    def does(self, verb: str, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "migrator", verb, "plan.yaml", *words]
        return subprocess.run(command, cwd=self.folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=200)

    def dies(self, after: float) -> int:
        """Start a run and kill it so many seconds after it began to move something."""
        command = [sys.executable, "-m", "migrator", "run", "plan.yaml", "--json"]
        with subprocess.Popen(
            command, cwd=self.folder, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as run:
            assert run.stdout is not None
            for line in run.stdout:  # what is told as JSON is told there
                if "action-began" in line or "batch-recorded" in line:
                    break
            time.sleep(after)
            run.send_signal(signal.SIGKILL)
            run.communicate()
            return run.returncode


WHOLE = "tables: [wp_kinds, webform_submission_data, wp_loose, wp_codes, wp_empty], plugins: [cfdb7, cfdb]"


@pytest.fixture(scope="module")
def site(mariadb) -> Site:
    site = Site(mariadb)
    with closing(MysqlWriter(site.options, Login("", ""))) as writer:
        stock(writer)
    return site


def test_a_site_arrives_in_another_database_and_the_servers_own_sums_agree(site, mariadb, tmp_path) -> None:
    target = Site(mariadb)
    move = Move(tmp_path, site.endpoint, target.endpoint, WHOLE)
    done = move.does("run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert site.sums() == target.sums()
    assert move.does("verify").returncode == 0


def test_a_dump_in_files_is_restored_to_the_same(site, mariadb, tmp_path) -> None:
    dump = "{type: files, path: ../dump}"
    done = Move(tmp_path / "there", site.endpoint, dump, WHOLE).does("run")
    assert done.returncode == 0, done.stdout + done.stderr
    target = Site(mariadb)
    back = Move(tmp_path / "back", dump, target.endpoint, 'tables: ["*"]')
    done = back.does("run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert site.sums() == target.sums()
    assert back.does("verify").returncode == 0
    manifest = json.loads((tmp_path / "dump" / "wp_kinds" / "manifest.json").read_text())
    assert manifest["server"]["product"] == "MariaDB"
    assert manifest["table"]["columns"][0]["type"].startswith("bigint")


@pytest.mark.parametrize("kind", ["postgresql", "sqlite"])
def test_a_site_arrives_in_a_database_of_another_kind_and_is_verified_there(kind, site, postgresql, tmp_path) -> None:
    url = make_url(postgresql.fresh_database())
    there = {
        "postgresql": f"{{type: postgresql, port: {url.port}, database: {url.database}, user: {url.username}, password: db}}",
        "sqlite": "{type: sqlite, path: site.sqlite}",
    }
    move = Move(tmp_path, site.endpoint, there[kind], WHOLE)
    done = move.does("run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert move.does("verify").returncode == 0
    again = move.does("preview", "--exit-code")
    assert again.returncode == 0, again.stdout


@pytest.mark.parametrize("seed", range(4))
def test_a_killed_run_is_resumed_without_a_row_lost_or_doubled(seed, mariadb, tmp_path) -> None:
    chance = random.Random(seed)
    source, target = Site(mariadb), Site(mariadb)
    source.say(
        "CREATE TABLE wp_db7_forms (form_id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, form_post_id bigint NOT NULL, form_value longtext NOT NULL,"
        " form_date datetime NOT NULL DEFAULT '0000-00-00 00:00:00') DEFAULT CHARSET=utf8mb4;"
        "INSERT INTO wp_db7_forms SELECT seq, seq % 3, CONCAT('said ', seq, REPEAT(' Grüße', 50)), '2026-01-01' FROM seq_1_to_60000"
    )
    there = "{type: files, path: dump}" if seq_is_files(seed) else target.endpoint
    move = Move(tmp_path, source.endpoint, there)
    assert move.dies(chance.uniform(0, 0.6)) in {-signal.SIGKILL, 0}
    source.say(
        "UPDATE wp_db7_forms SET form_value = 'changed meanwhile' WHERE form_id = 77; INSERT INTO wp_db7_forms VALUES (70000, 1, 'new', '2026-02-02')"
    )
    done = move.does("run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert move.does("verify").returncode == 0
    if seq_is_files(seed):
        done = Move(tmp_path / "back", "{type: files, path: ../dump}", target.endpoint).does("run")
        assert done.returncode == 0, done.stdout + done.stderr
    assert source.sums(["wp_db7_forms"]) == target.sums(["wp_db7_forms"])


def seq_is_files(seed: int) -> bool:
    return seed % 2 == 1


def test_a_table_with_rows_is_refused_with_its_own_exit_code_and_nothing_is_changed(site, mariadb, tmp_path) -> None:
    target = Site(mariadb)
    target.say(
        "CREATE TABLE wp_db7_forms (form_id bigint PRIMARY KEY, mine text); INSERT INTO wp_db7_forms VALUES (1, 'theirs')"
    )
    before = target.sums(["wp_db7_forms"])
    done = Move(tmp_path, site.endpoint, target.endpoint).does("run")
    assert done.returncode == 3, done.stdout + done.stderr
    assert "existing" in done.stdout + done.stderr
    assert target.sums(["wp_db7_forms"]) == before


def test_nothing_anybody_wrote_is_shown_or_kept_in_the_state(site, mariadb, tmp_path) -> None:
    target = Site(mariadb)
    move = Move(tmp_path, site.endpoint, target.endpoint)
    said = [
        move.does(verb, *words)
        for verb, words in (("preview", ()), ("run", ("--json",)), ("verify", ()), ("status", ("--json",)))
    ]
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for words in ("O'Reilly", "unread", "M\u00fcller"):
        assert all(words not in one.stdout + one.stderr for one in said)
        assert words.encode() not in kept


@pytest.mark.parametrize("kind", ["mysql", "postgresql", "sqlite"])
def test_rows_that_keep_their_ids_are_found_left_alone_or_put(kind, mariadb, postgresql, tmp_path) -> None:
    source, url = Site(mariadb), make_url(postgresql.fresh_database())
    target = {
        "mysql": Site(mariadb).endpoint,
        "postgresql": f"{{type: postgresql, port: {url.port}, database: {url.database}, user: {url.username}, password: db}}",
        "sqlite": f"{{type: sqlite, path: {tmp_path / 'new.sqlite'}}}",
    }[kind]
    source.say(
        "CREATE TABLE wp_db7_forms (form_id bigint PRIMARY KEY, form_post_id bigint NOT NULL, form_value longtext NOT NULL, form_date datetime);"
        "INSERT INTO wp_db7_forms SELECT seq, 5, CONCAT('said ', seq), '2026-01-01 10:00:00' FROM seq_1_to_60"
    )
    assert Move(tmp_path / "before", source.endpoint, target).does("run").returncode == 0
    source.say(
        "UPDATE wp_db7_forms SET form_value = 'of somebody else' WHERE form_id IN (7, 8);"
        "INSERT INTO wp_db7_forms VALUES (100, 5, 'new', '2026-01-02 10:00:00')"
    )
    refused = Move(tmp_path / "keep", source.endpoint, target, "existing: keep-ids").does("run")
    assert refused.returncode == 3
    assert "2 ids of ours belong to other rows there (ids 7, 8)" in refused.stdout
    move = Move(tmp_path / "skip", source.endpoint, target, "existing: skip-existing")
    for _ in range(2):
        done = move.does("run")
        assert done.returncode == 3, done.stdout + done.stderr
        assert "61 rows at the source: 1 copied, 58 found there, 2 left behind; it adds up" in done.stdout
        assert "(ids 7, 8)" in done.stdout
        assert move.does("verify").returncode == 0
