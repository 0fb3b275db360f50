"""Address books between real products with the real program in its own process: previewed, run, killed, run again, verified."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from lab import dovecot as dovecot_lab
from lab import roundcube as roundcube_lab
from pydantic import SecretStr

from migrator.contacts import meaning, vcard
from migrator.contacts.adapters import carddav, roundcube
from migrator.contacts.merge import unite
from migrator.contacts.model import Card, Property, text_property
from migrator.contacts.moving import everything
from migrator.engine.contract import Login

PATIENCE = 300
WITHOUT_UID = frozenset({"UID"})


def people(count: int, *, photos: bool = False) -> list[Card]:
    """Cards as an office has them: names of many countries, several addresses and numbers, notes with line breaks, some photos."""
    names = (
        "Ana Peña",
        "Jürgen Müller",
        "Łukasz Żak",
        "李 明",
        "Zoë O'Connor",
        "Ñandú García López",
        "Σωκράτης Βαρης",
        "אבי כהן",
    )
    cards = []
    for number in range(count):
        given, _, family = f"{names[number % len(names)]} {number}".partition(" ")
        said = [
            text_property("UID", f"uid-{number}@example.com"),
            Property("N", ((family,), (given,), ("",), ("",), ("",))),
            text_property("FN", f"{given} {family}"),
            text_property("EMAIL", f"person{number}@example.com", "home"),
            text_property("TEL", f"+34 600 {number:06}", "cell"),
        ]
        if number % 3 == 0:
            said.append(text_property("NOTE", f"Primera línea\nsegunda, con coma; y punto y coma {number}"))
        if number % 4 == 0:
            said.append(
                Property(
                    "ADR",
                    (("",), ("",), (f"Calle {number}",), ("Madrid",), ("",), ("28001",), ("España",)),
                    frozenset({"home"}),
                )
            )
        if number % 5 == 0:
            said.append(text_property("BDAY", f"19{50 + number % 50}-04-12"))
        if photos and number % 50 == 0:
            said.append(Property("PHOTO", data=bytes(range(256)) * 8, media="image/jpeg"))
        cards.append(Card(tuple(said)))
    return cards


@dataclass
class Move:
    """A plan in a folder, and the program to run there."""

    folder: Path
    secrets: dict[str, str] = field(default_factory=dict)

    def plan(
        self, source: dict[str, Any], target: dict[str, Any], account: dict[str, str], options: str = "{}"
    ) -> None:
        secrets = "".join(f"  {name.lower()}: {{env: {name}}}\n" for name in self.secrets) or "  none: {env: NONE}\n"
        (self.folder / "plan.yaml").write_text(
            f"version: 1\nname: contacts\nsecrets:\n{secrets}endpoints:\n  old: {{contacts: {json.dumps(source)}}}\n"
            f"  new: {{contacts: {json.dumps(target)}}}\naccounts: [{json.dumps(account)}]\nsteps:\n  - contacts: {options}\n  - verify\n"
        )

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, **self.secrets, "COLUMNS": "160"}

    def does(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "migrator", *words]
        return subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=PATIENCE
        )

    def killed(self, when: Callable[[], bool]) -> None:
        command = [sys.executable, "-m", "migrator", "run", "plan.yaml"]
        with subprocess.Popen(
            command, cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            deadline = time.monotonic() + PATIENCE
            while not when() and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
            told = process.communicate()
        assert process.returncode == -signal.SIGKILL, told

    def sums(self) -> dict[str, int]:
        told = json.loads(self.does("status", "plan.yaml", "--json").stdout)
        assert told["sums"]["total"]["items"] == sum(size["items"] for size in told["sums"]["by_fate"].values())
        return {fate: size["items"] for fate, size in told["sums"]["by_fate"].items() if size["items"]}

    def goes(self, *codes: int) -> dict[str, int]:
        """Preview, run, run again, verify; what became of the cards."""
        seen = self.does("preview", "plan.yaml")
        assert seen.returncode in codes, seen.stdout + seen.stderr
        ended = self.does("run", "plan.yaml")
        assert ended.returncode in codes, ended.stdout + ended.stderr
        first = self.sums()
        again = self.does("run", "plan.yaml")
        assert again.returncode in codes, again.stdout + again.stderr
        assert self.sums() == first
        verified = self.does("verify", "plan.yaml")
        assert verified.returncode == 0, verified.stdout + verified.stderr
        return first


@dataclass(frozen=True)
class Account:
    """One account of a CardDAV server or a Roundcube, looked at by its own session."""

    adapter: Any
    options: dict[str, Any]
    user: str
    password: str

    def cards(self) -> list[Card]:
        options = self.adapter.options(**{name: value for name, value in self.options.items() if name != "type"})
        login = Login(self.user, self.user, SecretStr(self.password))
        with closing(self.adapter.reader(options, login)) as session:
            return [held.card for book in session.books() if book.writable for held in everything(session, book.id)]

    def add(self, cards: Sequence[Card]) -> None:
        options = self.adapter.options(**{name: value for name, value in self.options.items() if name != "type"})
        login = Login(self.user, self.user, SecretStr(self.password))
        with closing(self.adapter.writer(options, login)) as session:
            book = next((book for book in session.books() if book.writable), None) or session.create_book("Contacts")
            assert not [put.refused for put in session.add(book.id, cards) if put.refused]


@pytest.fixture
def dav_account(radicale, xandikos) -> Callable[[str], Account]:
    def fresh(kind: str) -> Account:
        server = {"radicale": radicale, "xandikos": xandikos}[kind]
        user, password = server.fresh_user()
        options: dict[str, Any] = {"type": "carddav", "url": server.url}
        if server.ca_file:
            options["ca_file"] = str(server.ca_file)
        return Account(carddav.ADAPTER, options, user, password)

    return fresh


@pytest.fixture
def webmail(roundcube_server) -> Account:
    user = f"journey{os.urandom(4).hex()}@{dovecot_lab.FRESH_DOMAIN}"
    return Account(
        roundcube.ADAPTER, {"type": "roundcube", "url": roundcube_server.url}, user, dovecot_lab.fresh_password(user)
    )


@pytest.fixture
def roundcube_server(request):
    return request.getfixturevalue("roundcube")


def vcf(folder: Path, cards: Sequence[Card]) -> dict[str, Any]:
    path = folder / "all.vcf"
    path.write_bytes("".join(vcard.write(card) for card in cards).encode())
    return {"type": "vcards", "path": str(path)}


def says_all(there: Sequence[Card], wanted: Sequence[Card]) -> list[str]:
    """What of these cards is nowhere said, card by card."""
    by_uid = {card.uid: card for card in there}
    missing = []
    for card in wanted:
        found = by_uid.get(card.uid)
        if found is None:
            missing.append(f"{card.label} is not there")
        else:
            united, _ = unite(found, card)
            missing += [str(one) for one in meaning.compare(united, found, WITHOUT_UID) if one.source is not None]
    return missing


def test_three_thousand_cards_to_roundcube_killed_on_the_way(
    tmp_path: Path, webmail: Account, roundcube_server
) -> None:
    cards = people(3000)
    webmail.add(cards[:1])  # the account is there from its first login on
    database = roundcube_lab.database(roundcube_server)

    def there() -> int:
        with closing(sqlite3.connect(database, timeout=20)) as connection:
            query = "SELECT count(*) FROM contacts JOIN users USING (user_id) WHERE del = 0 AND username = ?"
            return int(connection.execute(query, (webmail.user,)).fetchone()[0])

    move = Move(tmp_path, {"NEW": webmail.password})
    move.plan(vcf(tmp_path, cards), webmail.options, {"source": webmail.user, "target_password": "new"})
    move.killed(lambda: there() > 1000)
    assert 1000 < there() < 3000
    sums = move.goes(0, 3)
    assert sum(sums.values()) == 3000
    assert there() == 3000
    assert says_all(webmail.cards(), cards) == []


def test_cards_to_radicale_killed_on_the_way(tmp_path: Path, dav_account) -> None:
    target = dav_account("radicale")
    cards = people(300, photos=True)
    move = Move(tmp_path, {"NEW": target.password})
    move.plan(vcf(tmp_path, cards), target.options, {"source": target.user, "target_password": "new"})
    move.killed(lambda: (tmp_path / "plan.state.sqlite").exists() and len(target.cards()) > 100)
    assert 100 < len(target.cards()) < 300
    assert move.goes(0)["copied"] == 300
    there = target.cards()
    assert len(there) == 300
    assert says_all(there, cards) == []


def test_radicale_to_xandikos(tmp_path: Path, dav_account) -> None:
    source, target = dav_account("radicale"), dav_account("xandikos")
    cards = people(60, photos=True)
    source.add(cards)
    move = Move(tmp_path, {"OLD": source.password, "NEW": target.password})
    account = {"source": source.user, "source_password": "old", "target": target.user, "target_password": "new"}
    move.plan(source.options, target.options, account)
    assert move.goes(0) == {"copied": 60}
    assert says_all(target.cards(), cards) == []


@pytest.mark.parametrize("old", ["radicale", "xandikos"])
def test_a_later_pass_brings_what_its_owner_has_added_meanwhile(old: str, tmp_path: Path, dav_account) -> None:
    source, target = dav_account(old), dav_account("radicale")
    cards = people(12)
    source.add(cards[:10])
    move = Move(tmp_path, {"OLD": source.password, "NEW": target.password})
    account = {"source": source.user, "source_password": "old", "target": target.user, "target_password": "new"}
    move.plan(source.options, target.options, account)
    assert move.goes(0) == {"copied": 10}
    source.add(cards[10:])
    assert move.goes(0) == {"copied": 12}
    assert says_all(target.cards(), cards) == []


def test_roundcube_to_radicale(tmp_path: Path, webmail: Account, dav_account) -> None:
    target = dav_account("radicale")
    webmail.add(people(60))
    held = webmail.cards()
    move = Move(tmp_path, {"OLD": webmail.password, "NEW": target.password})
    account = {"source": webmail.user, "source_password": "old", "target": target.user, "target_password": "new"}
    move.plan(webmail.options, target.options, account)
    assert move.goes(0)["copied"] == 60
    assert says_all(target.cards(), held) == []


def test_a_file_to_an_empty_and_to_a_filled_roundcube(tmp_path: Path, webmail: Account) -> None:
    cards = people(40)
    webmail.add(
        [
            Card(
                (
                    text_property("UID", "uid-3@example.com"),
                    *cards[3].properties[1:3],
                    text_property("NOTE", "del webmail"),
                )
            )
        ]
    )
    move = Move(tmp_path, {"NEW": webmail.password})
    move.plan(vcf(tmp_path, cards), webmail.options, {"source": webmail.user, "target_password": "new"})
    sums = move.goes(0, 3)
    assert sum(sums.values()) == 40
    there = {card.uid: card for card in webmail.cards()}
    assert len(there) == 40
    assert "del webmail" in there["uid-3@example.com"].text("NOTE")


def test_roundcube_to_googles_csv_and_back(tmp_path: Path, webmail: Account, dav_account) -> None:
    webmail.add(people(40))
    held = webmail.cards()
    google = {"type": "google_csv", "path": str(tmp_path / "google.csv")}
    move = Move(tmp_path, {"OLD": webmail.password})
    move.plan(webmail.options, google, {"source": webmail.user, "source_password": "old"})
    assert sum(move.goes(0, 3).values()) == 40
    target = dav_account("radicale")
    (tmp_path / "back").mkdir()
    back = Move(tmp_path / "back", {"NEW": target.password})
    back.plan(google, target.options, {"source": webmail.user, "target": target.user, "target_password": "new"})
    assert sum(back.goes(0, 3).values()) == 40
    assert says_all(target.cards(), held) == []


def test_a_wrong_password_costs_one_try_and_is_explained(tmp_path: Path, dav_account) -> None:
    target = dav_account("radicale")
    move = Move(tmp_path, {"NEW": "wrong"})
    move.plan(vcf(tmp_path, people(3)), target.options, {"source": target.user, "target_password": "new"})
    ended = move.does("run", "plan.yaml")
    assert ended.returncode == 4, ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr
    assert target.user in ended.stdout + ended.stderr
