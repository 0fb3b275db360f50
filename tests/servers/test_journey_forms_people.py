"""A site with many plugins on its way, by the real program, and what people get beside its tables: sheets, contacts, mail that goes out."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from lab import ground
from lab import mariadb as mariadb_lab

import migrator
from migrator.engine.contract import Login
from migrator.forms import senders
from migrator.forms.adapters.mysql import MysqlReader, Options

CHECKOUT = Path(__file__).resolve().parents[2]
FIXTURES = CHECKOUT / "fixtures" / "forms"
WORDS = (
    "cfdb7",
    "ninja-forms",
    "wpforms",
    "gravity-forms",
    "formidable",
    "fluent-forms",
    "forminator",
    "everest-forms",
    "caldera",
)
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": str(Path(migrator.__file__).parent.parent),
    "TZ": "UTC",
    "COLUMNS": "160",
    "DB": "pw-migrator",
}
NUMBERS = itertools.count(1)


def database(mariadb, *words: str) -> Options:
    name = f"people{next(NUMBERS)}"
    mariadb_lab.create_database(mariadb.server, name)
    for word in ("wordpress", *words):
        mariadb.say((FIXTURES / f"{word}.sql").read_text(), name)
    return Options(port=mariadb.server.port, database=name, user="migrator", password="pw-migrator")


def endpoint(options: Options) -> str:
    return f"{{type: mysql, port: {options.port}, database: {options.database}, user: migrator, password: db}}"


@pytest.fixture
def sites(mariadb) -> tuple[Options, Options]:
    """A site, and one to which all but its forms has moved already."""
    return database(mariadb, *WORDS, "senders"), database(mariadb, "senders")


def does(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "migrator", *words]
    return subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=200)


def test_a_site_with_nine_plugins_arrives_with_sheets_contacts_and_mail_that_goes_out(sites, tmp_path) -> None:
    old, new = sites
    (tmp_path / "plan.yaml").write_text(f"""\
version: 1
name: site
secrets: {{db: {{env: DB}}}}
endpoints:
  old: {{forms: {endpoint(old)}}}
  new:
    forms: {endpoint(new)}
    contacts: {{type: vcards, path: books}}
accounts: [office@example.com]
steps:
  - forms:
      existing: skip-existing
      sheets: sheets
      contacts: {{account: office@example.com}}
      senders: {{source: [old.example.net], target: mail.example.com, port: 2525, change: true}}
""")
    seen = does(tmp_path, "preview", "plan.yaml")
    assert seen.returncode == 0, seen.stdout + seen.stderr
    assert "9 plugins keep entries" in seen.stdout
    assert not (tmp_path / "sheets").exists()
    assert not (tmp_path / "books").exists()

    done = does(tmp_path, "run", "plan.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    for word in WORDS[1:]:  # of the first, some values are broken and were repaired in the fixture's sheets
        for made in (tmp_path / "sheets" / f"wp_{word}").iterdir():
            assert made.read_bytes() == (FIXTURES / "flat" / word / made.name).read_bytes(), made
    cards = "".join(one.read_text() for one in (tmp_path / "books").rglob("*.vcf"))
    assert cards.count("BEGIN:VCARD") == len({"ana@example.com", "juergen@example.com", "mail@example.com"})
    assert "EMAIL:ana@example.com" in cards
    with closing(MysqlReader(new, Login("database", "database"))) as session:
        left = {one.option for one in senders.settings(session, ["old.example.net"])}
    assert left == {"easy_wp_smtp", "mailserver_url", "acme_newsletter"}
    told = done.stdout + done.stderr
    assert "pw-migrator" not in told
    assert "ana@example.com" not in told

    again = does(tmp_path, "preview", "plan.yaml", "--exit-code")
    assert again.returncode == 0, again.stdout + again.stderr


def test_a_dump_of_a_site_makes_the_same_sheets(sites, mariadb, tmp_path) -> None:
    old, _ = sites
    words = [
        str(ground.program("mariadb-dump")),
        "--no-defaults",
        f"--socket={mariadb.server.folder}/m.sock",
        "--user=root",
    ]
    dumped = subprocess.run(
        [*words, "--hex-blob", str(old.database)], capture_output=True, check=True, timeout=60
    ).stdout
    (tmp_path / "site.sql").write_bytes(dumped)
    (tmp_path / "plan.yaml").write_text("""\
version: 1
name: dump
endpoints:
  old: {forms: {type: dump, path: site.sql}}
  new: {forms: {type: files, path: entries}}
steps:
  - forms: {sheets: sheets}
""")
    done = does(tmp_path, "run", "plan.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    for word in WORDS[1:]:
        made = {one.name: one.read_bytes() for one in (tmp_path / "sheets" / f"wp_{word}").iterdir()}
        assert made == {one.name: one.read_bytes() for one in (FIXTURES / "flat" / word).iterdir()}
