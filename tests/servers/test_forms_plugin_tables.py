"""Plugins' tables in a real MariaDB: found without being told, and read as sheets that people can read.

Each `fixtures/forms/<word>.sql` is a plugin's tables as it leaves them, `fixtures/forms/flat/<word>/` the sheets they make. Adding a case takes
no code.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from lab import ground
from lab import mariadb as mariadb_lab

from migrator.engine.contract import Login
from migrator.forms import answers, senders, sheet
from migrator.forms.adapters.mysql import MysqlReader, MysqlWriter, Options
from migrator.forms.flat import Flat, site_of
from migrator.forms.model import EVERYTHING, Extract, Role, Stored
from migrator.forms.plugins import detect
from migrator.forms.plugins.known import KNOWN
from migrator.forms.plugins.shape import System

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "forms"
WORDPRESS = FIXTURES / "wordpress.sql"
STORING = [one.word for one in KNOWN if one.parts]
IN_WORDPRESS = [one.word for one in KNOWN if one.parts and one.system is System.WORDPRESS]
OTHERS = [one.word for one in KNOWN if one.parts and one.system is not System.WORDPRESS]


def database(mariadb, name: str, *statements: str) -> Options:
    mariadb_lab.create_database(mariadb.server, name)
    for one in statements:
        mariadb.say(one, name)
    return Options(port=mariadb.server.port, database=name, user="reader", password="pw-reader")


def with_prefix(sql: str, prefix: str) -> str:
    return re.sub(r"`wp_", f"`{prefix}", sql)


@pytest.fixture(scope="session")
def whole_site(mariadb) -> Options:
    """A WordPress with every plugin, beside a Joomla, a Drupal and a shop."""
    files = [WORDPRESS, *(FIXTURES / f"{word}.sql" for word in STORING)]
    return database(mariadb, "everything", *(file.read_text() for file in files))


@pytest.fixture
def reader(whole_site):
    with closing(MysqlReader(whole_site, Login("database", "database"))) as session:
        yield session


def test_every_plugin_is_found_without_being_told(reader) -> None:
    found = detect.present(reader, ())
    assert sorted(one.plugin for one in found) == sorted(STORING)
    assert not [one for one in found if one.silent]
    prefixes = {one.plugin: one.prefix for one in found}
    assert {prefixes[word] for word in IN_WORDPRESS} == {"wp_"}
    assert (prefixes["rsform"], prefixes["breezingforms"], prefixes["webform"]) == ("e27rt_", "jos_", "")


@pytest.mark.parametrize("word", STORING)
def test_its_entries_are_sheets_that_people_can_read(reader, word: str, tmp_path: Path) -> None:
    (stored,) = detect.present(reader, (word,))
    flat = Flat(reader, stored, site_of(reader, stored), page=2, repair=True, unmix=True)
    sheets = list(sheet.write(flat.entries(), tmp_path, flat.fields))
    wanted = {file.name: file.read_bytes().decode("utf-8-sig") for file in (FIXTURES / "flat" / word).iterdir()}
    made = {file.name: file.read_bytes().decode("utf-8-sig") for file in tmp_path.iterdir()}
    assert made == wanted
    assert sum(one.entries for one in sheets) == count_of_entries(reader, stored)


def test_what_is_wrong_with_values_is_told_and_changed_only_where_that_is_asked_for(reader) -> None:
    (elementor,) = detect.present(reader, ("elementor",))
    flat = Flat(reader, elementor, site_of(reader, elementor))
    (entry,) = flat.entries()
    assert entry.answers[0].value == "J\u00c3\u00bcrgen M\u00c3\u00bcller"
    assert flat.notes == {answers.MIXED: 1}
    (cfdb7,) = detect.present(reader, ("cfdb7",))
    flat = Flat(reader, cfdb7, site_of(reader, cfdb7))
    broken = [one for one in flat.entries() if one.answers[0].key == "form_value"]
    assert [one.header["entry_id"] for one in broken] == ["4", "5"]
    assert flat.notes == {answers.BROKEN_PHP: 2}


@pytest.mark.parametrize("prefix", ["shop2024_", "wp_644", "wp_2_"])
def test_other_prefixes_and_other_blogs_hold_the_same(mariadb, prefix: str, tmp_path: Path) -> None:
    words = ("cfdb7", "ninja-forms", "gravity-forms", "formidable", "forminator", "fluent-forms", "flamingo", "caldera")
    files = [WORDPRESS, *(FIXTURES / f"{word}.sql" for word in words)]
    statements = [with_prefix(file.read_text(), prefix) for file in files]
    if prefix == "wp_2_":  # a blog of a multisite: its users are the whole network's
        statements = [WORDPRESS.read_text(), *statements, "DROP TABLE wp_2_users, wp_2_usermeta"]
    options = database(mariadb, f"prefixed_{prefix}", *statements)
    with closing(MysqlReader(options, Login("database", "database"))) as session:
        found = [one for one in detect.present(session, ()) if not one.silent]
        assert {(one.prefix, one.site) for one in found} == {(prefix, "2" if prefix == "wp_2_" else "")}
        assert sorted(one.plugin for one in found) == sorted(words)
        for one in found:
            flat = Flat(session, one, site_of(session, one), repair=True)
            list(sheet.write(flat.entries(), tmp_path / one.plugin, flat.fields))
            for made in (tmp_path / one.plugin).iterdir():
                assert made.read_bytes() == (FIXTURES / "flat" / one.plugin / made.name).read_bytes()


def test_what_names_the_old_host_is_found_and_changed_in_host_and_port_alone(mariadb) -> None:
    old, new = "old.example.net", "mail.new.example.com"
    options = database(mariadb, "senders", WORDPRESS.read_text(), (FIXTURES / "senders.sql").read_text())
    writing = options.model_copy(update={"user": "migrator", "password": "pw-migrator"})
    before = options_of(options)
    with closing(MysqlWriter(writing, Login("database", "database"))) as writer:
        found = list(senders.settings(writer, [old]))
        assert Counter(one.option for one in found) == Counter(
            ["wp_mail_smtp"] * 2 + ["smtp_host", "swpsmtp_options", "postman_options", "fluentmail-settings", "smtp_mailer_options"]
            + ["yaysmtp_settings", "easy_wp_smtp", "mailserver_url", "acme_newsletter"]
        )  # fmt: skip
        known = [one for one in found if one.known]
        assert all([senders.change(writer, one, [old], new, 2525) for one in known])  # noqa: C419 - each of them
        assert not any(senders.change(writer, one, [old], new, 2525) for one in known)
        assert {one.option for one in senders.settings(writer, [old])} == {
            "easy_wp_smtp",
            "mailserver_url",
            "acme_newsletter",
        }
    after = options_of(options)
    touched = {one.option for one in known} | {"smtp_port"}
    assert {name: raw for name, raw in after.items() if name not in touched} == {
        name: raw for name, raw in before.items() if name not in touched
    }
    # PHP reads what was written, and finds nothing changed but hosts and ports.
    for name in touched - {"smtp_host", "smtp_port"}:
        differences = dict(changes(told_by_php(before[name]), told_by_php(after[name])))
        assert set(differences) <= {"host", "port", "hostname", "smtp_host", "smtp_port"}
        assert set(map(str, differences.values())) == {new, "2525"}


def changes(before: Any, after: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """What is another value, by the name of its member; of another type counts."""
    assert type(before) is type(after)
    if isinstance(before, dict):
        assert list(before) == list(after)
        for member in before:
            yield from changes(before[member], after[member], member)
    elif before != after:
        yield name, after


def options_of(options: Options) -> dict[str, str]:
    with closing(MysqlReader(options, Login("database", "database"))) as session:
        table = next(one for one in session.tables() if one.name == "wp_options")
        rows = [row for page in session.rows(Extract(table), EVERYTHING) for row in page]
    return {str(row[table.place("option_name")]): str(row[table.place("option_value")]) for row in rows}


def told_by_php(raw: str) -> Any:
    """What PHP reads there; what was serialised twice is read twice."""
    if raw.startswith("{"):
        return json.loads(raw)
    code = (
        "$v = unserialize(stream_get_contents(STDIN)); if (is_string($v)) $v = unserialize($v); echo json_encode($v);"
    )
    words = [str(ground.program("php")), "-n", "-r", code]
    return json.loads(subprocess.run(words, input=raw, capture_output=True, text=True, check=True, timeout=60).stdout)


def count_of_entries(reader: MysqlReader, stored: Stored) -> int:
    """How many submissions there are, by a question of its own."""
    asked = {
        "cfdb": "cf7dbplugin_submits",
        "formidable": "frm_items",
        "prestashop-contact": "customer_message",
    }
    tables = {one.name: one for one in reader.tables()}
    if stored.plugin in asked:
        table = tables[f"{stored.prefix}{asked[stored.plugin]}"]
        rows = [
            row for page in reader.rows(Extract(table), next(reader.ranges(Extract(table), None, 1000))) for row in page
        ]
        if stored.plugin == "cfdb":
            return len({(row[table.place("form_name")], row[table.place("submit_time")]) for row in rows})
        return (
            sum(row[table.place("parent_item_id")] == "0" for row in rows)
            if stored.plugin == "formidable"
            else len(rows)
        )
    (entries,) = [one for one in stored.tables if one.role is Role.ENTRIES]
    return reader.count(detect.extract_of(entries, tables))
