"""A whole house in one plan, by the real program: accounts, their mail, address books, a mailing list and form entries, from a cPanel
(emulated, its mail on a real Dovecot, its lists on an emulated Mailman 2.1, its site in a real MariaDB) to tables that a real Dovecot
logs its users in from, a real Radicale, a real Mailman 3 and another MariaDB. Killed again and again, run once more, verified, and
looked at by other roads than the program's.
"""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import journey
import pytest
from lab import dav as dav_lab
from lab import mailman3 as mailman3_lab
from pydantic import SecretStr

from migrator.contacts import meaning
from migrator.contacts.adapters import carddav, vcards
from migrator.contacts.model import Card, text_property
from migrator.contacts.moving import everything
from migrator.engine.contract import Login
from migrator.forms.adapters.mysql import MysqlWriter, Options
from migrator.testing.form_suite import stock
from migrator.testing.mailman2.people import populate
from migrator.testing.mailman2.server import Mailman2
from migrator.testing.panels.cpanel import HASHED, CPanel

DOMAIN = "example.com"
PEOPLE = {f"{name}@{DOMAIN}": password for name, password in zip(("ann", "berta", "clara"), HASHED, strict=False)}
MEMBERS = 60
CARDS = 120
LETTERS = 300
TABLES = ("wp_db7_forms", "wp_kinds", "wp_codes")


@dataclass
class House:
    """The plan, what it moves from and what it moves to."""

    folder: Path
    old: CPanel
    lists: Mailman2
    source: Any
    target: Any
    mariadb: Any
    radicale: Any
    mailman3: Any
    sites: dict[str, str]
    secrets: dict[str, str]
    address: str

    def begins(self, *words: str) -> journey.Running:
        verb, *rest = words
        environment = {**os.environ, "PYTHONPATH": str(journey.CHECKOUT), "TZ": "UTC", **self.secrets}
        return journey.begun(self.folder, environment, verb, *rest)

    def does(self, *words: str, codes: tuple[int, ...] = (0,)) -> journey.Ended:
        ended = self.begins(*words).end()
        assert "Traceback" not in ended.stderr, str(ended)
        assert ended.code in codes, str(ended)
        return ended

    def site(self, side: str) -> list[str]:
        """What the database itself sums of every table."""
        return [self.mariadb.say(f"CHECKSUM TABLE {one}", self.sites[side]).split()[1] for one in TABLES]


@pytest.fixture
def house(tmp_path: Path, lab, mariadb, radicale, mailman3) -> Iterator[House]:
    password = mariadb.server.users["migrator"]
    accounts = mariadb.fresh_accounts("postfixadmin")
    source = lab.mail("dovecot-inbox", "--user", *(f"{user}:{known}" for user, known in PEOPLE.items()))
    target = lab.mail(
        "dovecot-slash", "--accounts-sql", f"postfixadmin:migrator:{password}@{mariadb.server.port}/{accounts}"
    )
    target.users.update(PEOPLE)
    sites = {side: f"{accounts}_{side}" for side in ("old", "new")}
    for name in sites.values():
        mariadb.say(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    address = f"news@{mailman3.fresh_domain()}"
    user, core = mailman3.login
    with CPanel() as old, Mailman2(sink=("127.0.0.1", mailman3_lab.smtp_port(mailman3.server))) as lists:
        house = House(
            tmp_path,
            old,
            lists,
            source,
            target,
            mariadb,
            radicale,
            mailman3,
            sites,
            {"PANEL": old.token, "DB": password, "SITE": lists.SITE_PASSWORD, "CORE": core},
            address,
        )
        _furnish(house)
        tables = {"host": mariadb.server.host, "port": mariadb.server.port, "user": "migrator", "password": "db"}
        endpoints = {
            "old": {
                "panel": {
                    "type": "cpanel",
                    "url": old.url,
                    "tls_fingerprint": old.fingerprint,
                    "user": "acme",
                    "token": "panel",
                },
                "mail": journey.imap(source),
                "contacts": {"type": "vcards", "path": "cards"},
                "lists": {
                    "type": "mailman2",
                    "url": lists.base,
                    "tls_fingerprint": lists.fingerprint,
                    "site_password": "site",
                },
                "forms": {"type": "mysql", "database": sites["old"], **tables},
            },
            "new": {
                "panel": {"type": "postfix_sql", "schema": "postfixadmin", "database": accounts, **tables},
                "mail": journey.imap(target),
                "contacts": {"type": "carddav", "url": radicale.url, "ca_file": str(radicale.ca_file or "")},
                "lists": {"type": "mailman3", "url": mailman3.url, "user": user, "password": "core"},
                "forms": {"type": "mysql", "database": sites["new"], **tables},
            },
        }
        if not radicale.ca_file:
            del endpoints["new"]["contacts"]["ca_file"]
        plan = {
            "version": 1,
            "name": "whole-house",
            "secrets": {name.lower(): {"env": name} for name in house.secrets},
            "endpoints": endpoints,
            "accounts": {"from": "old", "domains": [DOMAIN], "passwords": "known.csv"},
            "steps": [
                "accounts",
                "mail",
                "contacts",
                {"lists": {"only": [address]}},
                {"forms": {"plugins": ["cfdb7"], "tables": ["wp_kinds", "wp_codes"]}},
                "verify",
            ],
            "report": {"language": "es"},
        }
        (tmp_path / "plan.yaml").write_text(json.dumps(plan, indent=1))
        yield house


def _furnish(house: House) -> None:
    """Mailboxes with mail and address books, a list, and a site."""
    house.old.add_domain(DOMAIN)
    known = house.folder / "known.csv"
    known.write_text("source,source_password\n" + "".join(f"{user},{word}\n" for user, word in PEOPLE.items()))
    known.chmod(0o600)
    for number, (user, password) in enumerate(PEOPLE.items()):
        house.old.add_mailbox(user, password, 1024)
        house.source.fill(user, "INBOX", journey.letters(LETTERS, first=1 + number * LETTERS))
        house.source.fill(user, "INBOX.Elementos enviados", journey.letters(LETTERS, first=9_001 + number * LETTERS))
        dav_lab.add_user(house.radicale.server, user, password)
        folder = house.folder / "cards" / user
        folder.mkdir(parents=True)
        book = vcards.ADAPTER.writer(vcards.Options(path=house.folder / "cards"), Login(user, user))
        with closing(book) as writer:
            writer.add(writer.create_book("Clientes").id, [_card(user, one) for one in range(CARDS)])
    populate(house.lists.give_list("news", host_name=house.address.partition("@")[2]), MEMBERS)
    options = Options(
        port=house.mariadb.server.port, database=house.sites["old"], user="migrator", password=house.secrets["DB"]
    )
    with closing(MysqlWriter(options, Login("", ""))) as writer:
        stock(writer)


def _card(owner: str, number: int) -> Card:
    said = (
        ("UID", f"{owner}-{number}"),
        ("FN", f"Ñandú García {number}"),
        ("EMAIL", f"person{number}@example.com"),
        ("NOTE", "Primera línea\nsegunda, con coma"),
    )
    return Card(tuple(text_property(name, text) for name, text in said))


def cards(session: Any) -> Counter[str]:
    """What a person's books hold, by meaning."""
    with closing(session) as reader:
        return Counter(meaning.digest(one.card) for book in reader.books() for one in everything(reader, book.id))


def test_one_plan_moves_a_whole_house_whatever_kills_it(house: House) -> None:
    house.does("check")
    seen = house.does("preview")
    assert "Nothing was changed." in seen.stdout
    for step in ("accounts", "mail", "contacts", "lists", "forms"):
        running = house.begins("run", "--json")
        running.after("batch-recorded", step=step)
        assert running.kill().code == -signal.SIGKILL
    ended = house.does("run")
    assert "Resuming run 5" in ended.stderr
    assert "it adds up" in ended.stdout
    again = house.does("run", "--json")
    assert again.recorded() == 0
    verified = house.does("verify")
    assert ": 0 differences" in verified.stdout

    for user, password in PEOPLE.items():
        assert journey.contents(house.source, user)[("INBOX",)] == journey.contents(house.target, user)[("INBOX",)]
        assert journey.count(journey.contents(house.target, user)) == 2 * LETTERS
        here = vcards.ADAPTER.reader(vcards.Options(path=house.folder / "cards"), Login(user, user))
        there = carddav.ADAPTER.reader(
            carddav.Options(url=house.radicale.url, ca_file=house.radicale.ca_file),
            Login(user, user, SecretStr(password)),
        )
        assert cards(here) == cards(there)
    status, roster = house.mailman3.ask("GET", f"lists/{house.address}/roster/member?count=1000&page=1")
    assert status == 200
    assert roster["total_size"] == MEMBERS
    assert house.site("old") == house.site("new")
    assert house.lists.mails == []
    assert house.mailman3.mail() == []

    assert house.does("report").stdout
    page = (house.folder / "plan.report.html").read_text()
    assert all(user in page for user in PEOPLE)
    told = "\n".join(one.read_text(errors="replace") for one in house.folder.glob("plan.report*"))
    assert not [secret for secret in (*house.secrets.values(), *PEOPLE.values()) if secret in told]
