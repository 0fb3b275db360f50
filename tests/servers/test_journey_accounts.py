"""Accounts from panel to panel with the real program in its own process: previewed, run, killed, run again, verified.

The source is a cPanel with 200 accounts, 60 forwarders, 10 autoresponders and a catch-all; the targets are emulators, a MariaDB that a
real Dovecot logs its users in from, and a real Modoboa.
"""

from __future__ import annotations

import base64
import html
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, quote_plus

from journey import imap, letters
from lab import modoboa as modoboa_lab
from lab.road import Road, RoadError
from pydantic import SecretStr

from migrator.handout import handout_of, passwords_in
from migrator.panel.adapters import postfix_sql
from migrator.panel.model import Domain, Mailbox, Password
from migrator.testing.panel_suite import panel
from migrator.testing.panels import hestia as hestia_panel
from migrator.testing.panels import plesk as plesk_panel
from migrator.testing.panels.cpanel import CPanel

DOMAIN = "example.com"
PATIENCE = 300
ACCOUNTS, FORWARDERS, ANSWERS = 200, 60, 10


@dataclass
class Move:
    """A plan in a folder, and the program to run there."""

    folder: Path
    secrets: dict[str, str] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    def plan(self, source: str, target: str, steps: str = "[accounts, verify]", more: str = "") -> None:
        secrets = "".join(f"  {name.lower()}: {{env: {name}}}\n" for name in self.secrets)
        (self.folder / "plan.yaml").write_text(
            f"version: 1\nname: accounts\nsecrets:\n{secrets}endpoints:\n  old:\n    panel: {source}\n  new:\n    panel: {target}\n{more}"
            f"accounts: {{from: old, domains: [{DOMAIN}]}}\nsteps: {steps}\n"
        )

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, **self.secrets, "COLUMNS": "160"}

    def does(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "migrator", *words]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=PATIENCE
        )
        self.said += [done.stdout, done.stderr]
        return done

    def killed(self, when: Callable[[], bool]) -> None:
        """A run that gets SIGKILL as soon as `when` says so."""
        command = [sys.executable, "-m", "migrator", "run", "plan.yaml"]
        with subprocess.Popen(
            command, cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            deadline = time.monotonic() + PATIENCE
            while not when() and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.002)
            process.send_signal(signal.SIGKILL)
            self.said += [*process.communicate()]
        assert process.returncode == -signal.SIGKILL, self.said[-1]

    def sums(self) -> dict[str, int]:
        told = json.loads(self.does("status", "plan.yaml", "--json").stdout)
        return {fate: size["items"] for fate, size in told["sums"]["by_fate"].items()}

    def made(self) -> dict[str, str]:
        path = handout_of(self.folder / "plan.yaml")
        return {address: one.get_secret_value() for address, one in passwords_in(path)} if path.exists() else {}


@contextmanager
def cpanel(*, specials: bool = True) -> Iterator[CPanel]:
    with CPanel() as panel:
        panel.fill(DOMAIN, ACCOUNTS, FORWARDERS, ANSWERS, specials=specials, filters=4 if specials else 0)
        yield panel


def entry(kind: str, panel: CPanel | hestia_panel.Hestia | plesk_panel.Plesk, **more: str) -> str:
    fields = {"type": kind, "url": panel.url, "tls_fingerprint": panel.fingerprint, **more}
    return json.dumps(fields)


def boxes_of(panel: CPanel) -> set[str]:
    return {f"{local}@{DOMAIN}" for local in panel.houses[DOMAIN].boxes}


def goes_all_the_way(move: Move, old: CPanel, writes: Callable[[], int], *, code: int, foreseen: int = 0) -> None:
    """Preview, kill in the middle, run again, run once more, verify."""
    seen = move.does("preview", "plan.yaml")
    assert seen.returncode == foreseen, seen.stderr
    assert f"create {ACCOUNTS}" in seen.stdout
    assert "mailbox: quota" in seen.stdout
    assert seen.stdout.count("(password: ") == ACCOUNTS
    assert writes() == 0
    assert not old.written or all(not old.writes(request) for request in old.requests)

    move.killed(lambda: writes() >= ACCOUNTS // 2)
    ended = move.does("run", "plan.yaml")
    assert ended.returncode == code, ended.stdout + ended.stderr
    assert "Resuming run 1" in ended.stderr
    before = writes()
    again = move.does("run", "plan.yaml")
    assert again.returncode == code, again.stdout + again.stderr
    assert writes() == before, "a second run changes nothing"
    verified = move.does("verify", "plan.yaml")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert ": 0 differences" in verified.stdout
    assert move.does("report", "plan.yaml").returncode == 0


def test_cpanel_to_hestia(tmp_path: Path) -> None:
    with cpanel() as old, hestia_panel.Hestia() as new:
        new.delay = 0.003
        move = Move(tmp_path, {"OLD": old.token, "NEW": f"{new.ACCESS}:{new.SECRET}"})
        move.plan(entry("cpanel", old, user="acme", token="old"), entry("hestia", new, user="acme", key="new"))
        goes_all_the_way(move, old, lambda: len(new.written), code=3, foreseen=3)
        there = new.users["acme"][DOMAIN].accounts
        assert boxes_of(old) <= {f"{local}@{DOMAIN}" for local in there}
        made = move.made()
        assert set(made) == boxes_of(old), "Hestia takes no hashes, so every password is a new one"
        assert move.sums()["left-behind"] == 8  # a pipe, a system user, a rejection, and filters


def test_cpanel_to_plesk(tmp_path: Path) -> None:
    with cpanel() as old, plesk_panel.Plesk() as new:
        new.delay = 0.003
        move = Move(tmp_path, {"OLD": old.token, "NEW": plesk_panel.KEY})
        move.plan(entry("cpanel", old, user="acme", token="old"), entry("plesk", new, key="new"))
        goes_all_the_way(move, old, lambda: len(new.written), code=3, foreseen=3)
        carried = [one for one in move.sums().items() if one[0] in {"copied", "altered", "normalised"}]
        assert sum(count for _, count in carried) >= ACCOUNTS + 50


def test_cpanel_to_cpanel(tmp_path: Path) -> None:
    with cpanel(specials=False) as old, CPanel(domain=DOMAIN, token="OTHERTOKEN8Y") as new:
        new.delay = 0.003
        move = Move(tmp_path, {"OLD": old.token, "NEW": "OTHERTOKEN8Y"})
        move.plan(entry("cpanel", old, user="acme", token="old"), entry("cpanel", new, user="acme", token="new"))
        goes_all_the_way(move, old, lambda: len(new.written), code=0)
        assert boxes_of(new) == boxes_of(old)
        here, there = old.houses[DOMAIN].boxes, new.houses[DOMAIN].boxes
        # The hash of a mailbox whose login is suspended is out of action at the source, so that one gets a new password.
        held = {local for local, box in here.items() if any("login" in hold for hold in box.holds)}
        assert {local for local in here if here[local].hash != there[local].hash} == held
        assert set(move.made()) == {f"{local}@{DOMAIN}" for local in held}


def test_cpanel_to_tables_that_a_real_dovecot_reads(tmp_path: Path, lab, mariadb) -> None:
    database = mariadb.fresh_accounts("postfixadmin")
    password = mariadb.server.users["migrator"]
    accounts = f"postfixadmin:migrator:{password}@{mariadb.server.port}/{database}"
    dovecot = lab.start("dovecot-slash", "--accounts-sql", accounts)

    def made() -> int:
        return int(mariadb.say("SELECT (SELECT count(*) FROM mailbox) + (SELECT count(*) FROM alias)", database))

    with cpanel(specials=False) as old:
        move = Move(tmp_path, {"OLD": old.token, "NEW": password})
        target = {
            "type": "postfix_sql", "schema": "postfixadmin", "host": mariadb.server.host, "port": mariadb.server.port,
            "database": database, "user": "migrator", "password": "new", "vacation_domain": "autoreply.example.net",
        }  # fmt: skip
        move.plan(entry("cpanel", old, user="acme", token="old"), json.dumps(target))
        goes_all_the_way(move, old, made, code=3)  # what the tables have no column for is told as altered
        for address in sorted(boxes_of(old))[::10]:
            box = old.houses[DOMAIN].boxes[address.partition("@")[0]]
            if not box.holds:
                assert logs_in(dovecot, address, old.known[address]), f"{address} logs in with the password of before"
                assert not logs_in(dovecot, address, "another-one")


def test_cpanel_to_a_real_modoboa(tmp_path: Path, modoboa) -> None:
    database = modoboa_lab.database(modoboa)

    def made() -> int:
        with closing(sqlite3.connect(database, timeout=20)) as connection:
            rows = connection.execute(
                "SELECT (SELECT count(*) FROM admin_mailbox) + (SELECT count(*) FROM admin_alias WHERE internal = 0)"
            ).fetchone()
        return int(rows[0]) - before

    before = 0
    before = made()
    with cpanel() as old:
        move = Move(tmp_path, {"OLD": old.token, "NEW": modoboa.users["token"]})
        target = json.dumps({"type": "modoboa", "url": modoboa.url, "token": "new"})
        move.plan(entry("cpanel", old, user="acme", token="old"), target)
        goes_all_the_way(move, old, made, code=3, foreseen=3)  # pipes, filters and answers have no place in its API
        with closing(sqlite3.connect(database, timeout=20)) as connection:
            there = dict(
                connection.execute("SELECT username, password FROM core_user WHERE username LIKE '%@example.com'")
            )
        assert boxes_of(old) <= set(there)
        carried = [
            box for local, box in old.houses[DOMAIN].boxes.items() if there[f"{local}@{DOMAIN}"].endswith(box.hash)
        ]
        assert len(carried) >= ACCOUNTS - 10


def logs_in(server, address: str, password: str) -> bool:
    with suppress(RoadError), Road(server.host, server.port, address, password):
        return True
    return False


# -- secrets --------------------------------------------------------------------------------------------------------------


def forms(secret: str) -> set[bytes]:
    raw = secret.encode()
    texts = {
        secret,
        quote(secret),
        quote_plus(secret),
        quote(secret, safe=""),
        html.escape(secret),
        json.dumps(secret)[1:-1],
    }
    return {text.encode() for text in texts} | {base64.b64encode(raw).rstrip(b"="), raw.hex().encode()}


def test_no_secret_is_found_in_any_output_log_state_or_report(tmp_path: Path) -> None:
    with cpanel() as old, hestia_panel.Hestia() as new:
        move = Move(tmp_path, {"OLD": old.token, "NEW": f"{new.ACCESS}:{new.SECRET}"})
        move.plan(entry("cpanel", old, user="acme", token="old"), entry("hestia", new, user="acme", key="new"))
        for words in (
            ("preview", "plan.yaml", "-vv"),
            ("run", "plan.yaml", "-vv"),
            ("run", "plan.yaml", "--json"),
            ("verify", "plan.yaml", "--json"),
            ("report", "plan.yaml"),
            ("status", "plan.yaml"),
        ):
            move.does(*words)
        hashes = [box.hash for box in old.houses[DOMAIN].boxes.values()][:5]
        made = list(move.made().values())[:20]
        secrets = [old.token, new.SECRET, *hashes, *made, *list(old.known.values())[:5]]
        assert len(secrets) >= 30
        places = {
            path.name: path.read_bytes() for path in tmp_path.iterdir() if path != handout_of(tmp_path / "plan.yaml")
        }
        places["said"] = "\n".join(move.said).encode()
        places["asked"] = "\n".join(f"{one.path}?{one.query}" for one in (*old.requests, *new.requests)).encode()
        assert len(places) >= 5
        found = [
            (name, form)
            for name, text in places.items()
            for secret in secrets
            for form in forms(secret)
            if form in text
        ]
        assert found == []
        handout = handout_of(tmp_path / "plan.yaml")
        assert made[0] in handout.read_text(), "the search would find one"
        assert handout.stat().st_mode & 0o077 == 0


# -- trouble --------------------------------------------------------------------------------------------------------------


def test_a_wrong_token_is_tried_once_and_ends_with_exit_4(tmp_path: Path) -> None:
    with cpanel() as old, hestia_panel.Hestia() as new:
        move = Move(tmp_path, {"OLD": old.token, "NEW": f"{new.ACCESS}:wrong"})
        move.plan(entry("cpanel", old, user="acme", token="old"), entry("hestia", new, user="acme", key="new"))
        ended = move.does("run", "plan.yaml")
        assert ended.returncode == 4, ended.stdout + ended.stderr
        assert new.attempts == 1
        assert "Traceback" not in ended.stderr


def test_a_wrong_source_token_is_told_before_anything_is_planned(tmp_path: Path) -> None:
    with cpanel() as old, hestia_panel.Hestia() as new:
        move = Move(tmp_path, {"OLD": "wrong", "NEW": f"{new.ACCESS}:{new.SECRET}"})
        move.plan(entry("cpanel", old, user="acme", token="old"), entry("hestia", new, user="acme", key="new"))
        ended = move.does("preview", "plan.yaml")
        assert ended.returncode == 4, ended.stdout + ended.stderr
        assert old.attempts == 1
        assert not new.requests


def test_a_panel_that_does_not_answer_ends_with_exit_5(tmp_path: Path) -> None:
    with cpanel() as old:
        move = Move(tmp_path, {"OLD": old.token, "NEW": "a:b"})
        closed = json.dumps({"type": "hestia", "url": "https://127.0.0.1:9", "user": "acme", "key": "new"})
        move.plan(entry("cpanel", old, user="acme", token="old"), closed)
        ended = move.does("preview", "plan.yaml")
        assert ended.returncode == 5, ended.stdout + ended.stderr


def test_one_refused_mailbox_of_many_leaves_a_state_that_the_next_run_continues(tmp_path: Path) -> None:
    with cpanel(specials=False) as old, hestia_panel.Hestia() as new:
        new.most_accounts = 150
        move = Move(tmp_path, {"OLD": old.token, "NEW": f"{new.ACCESS}:{new.SECRET}"})
        move.plan(entry("cpanel", old, user="acme", token="old"), entry("hestia", new, user="acme", key="new"))
        ended = move.does("run", "plan.yaml")
        assert ended.returncode in {3, 6}, ended.stdout + ended.stderr
        new.most_accounts = None
        ended = move.does("run", "plan.yaml")
        assert "left behind" not in ended.stdout.replace("Left behind or altered", ""), ended.stdout + ended.stderr
        assert move.does("verify", "plan.yaml").returncode == 0


# -- accounts and their mail ----------------------------------------------------------------------------------------------


def test_accounts_are_made_and_their_mail_follows_with_known_made_and_hashed_passwords(
    tmp_path: Path, lab, mariadb
) -> None:
    """One plan: the accounts, then their mail. Ann's password is known, Bob's source password is reset for the time of the run, and
    nobody's password is asked for twice.
    """
    database = mariadb.fresh_accounts("postfixadmin")
    there = mariadb.fresh_accounts("postfixadmin")
    password = mariadb.server.users["migrator"]
    servers = [
        lab.mail("dovecot-slash", "--accounts-sql", f"postfixadmin:migrator:{password}@{mariadb.server.port}/{name}")
        for name in (database, there)
    ]
    tables = {"type": "postfix_sql", "schema": "postfixadmin", "host": mariadb.server.host, "port": mariadb.server.port, "user": "migrator", "password": "db"}  # fmt: skip
    ann, bob = f"ann@{DOMAIN}", f"bob@{DOMAIN}"
    with closing(opened_tables(mariadb, database)) as writer:
        writer.create(Domain(DOMAIN))
        writer.create(Mailbox(ann), Password(plain=SecretStr("ann-old-Pw1")))
        writer.create(Mailbox(bob), Password(plain=SecretStr("bob-old-Pw2")))
        bobs_hash = writer.password_of(bob)
    source, target = servers
    source.users.update({ann: "ann-old-Pw1", bob: "bob-old-Pw2"})
    for user in (ann, bob):
        source.fill(user, "INBOX", letters(20))
        source.fill(user, "Sent", letters(7))
    before = {user: source.contents(user) for user in (ann, bob)}
    csv = tmp_path / "known.csv"
    csv.write_text(f"source,source_password\n{ann},ann-old-Pw1\n")
    csv.chmod(0o600)
    move = Move(tmp_path, {"DB": password})
    (tmp_path / "plan.yaml").write_text(
        "version: 1\nname: all\nsecrets: {db: {env: DB}}\nendpoints:\n"
        f"  old:\n    panel: {json.dumps({**tables, 'database': database})}\n    mail: {json.dumps(imap(source))}\n"
        f"  new:\n    panel: {json.dumps({**tables, 'database': there})}\n    mail: {json.dumps(imap(target))}\n"
        f"accounts: {{from: old, domains: [{DOMAIN}], passwords: known.csv}}\n"
        "steps:\n  - accounts: {passwords: generate, temporary_source_passwords: true}\n  - mail\n  - verify\n"
    )
    seen = move.does("preview", "plan.yaml")
    assert "1 get another one at the source for the time of the run" in seen.stdout, seen.stdout + seen.stderr
    ended = move.does("run", "plan.yaml")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    made = move.made()
    assert set(made) == {bob}
    target.users.update({ann: "ann-old-Pw1", bob: made[bob]})
    for user in (ann, bob):
        arrived = {name: found for name, found in target.contents(user).items() if found}
        assert arrived == {name: found for name, found in before[user].items() if found}
    with closing(opened_tables(mariadb, database)) as reader:
        assert reader.password_of(bob) == bobs_hash, "the old password is back at the source"
    assert logs_in(source.server, bob, "bob-old-Pw2")
    assert not (tmp_path / "plan.strongbox.json").exists()
    told = move.does("handout", "plan.yaml")
    assert made[bob] in told.stdout


def opened_tables(mariadb, database: str):
    options = postfix_sql.Options(
        schema="postfixadmin",
        host=mariadb.server.host,
        port=mariadb.server.port,
        database=database,
        user="migrator",
        password=SecretStr(mariadb.server.users["migrator"]),
    )
    return postfix_sql.ADAPTER.writer(options, panel("panel"))
