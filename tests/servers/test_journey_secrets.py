"""Passwords as people choose them work, and are found nowhere afterwards: ten of them, looked for in every form and every place."""

from __future__ import annotations

import base64
import csv
import html
import json
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from journey import Box, Ended, Journey, contents, imap, letters

from migrator.testing.proxy import Proxy

PASSWORDS = (
    'quotes"in"the-Kanarie1',
    "back\\slash\\Kanarie2",
    "100%s%n%%-Kanarie3",
    "contraseña-Übermut-Kanarie4",
    " blank-before-Kanarie5",
    "colon:and,comma;Kanarie6",
    "{9}literal+Kanarie7",
    "<b>&amp;'Kanarie8'</b>",
    "$HOME`id`$(id)#Kanarie9",
    "密码-\U0001f511-Kanarie10",
)
WRONG = "a-wrong-one-Kanarie11"


def forms(password: str, users: list[str]) -> set[bytes]:
    """A password in every form in which it might be met."""
    raw = password.encode()
    texts = {password, quote(password), quote_plus(password), quote(password, safe="")}
    texts |= {html.escape(password), json.dumps(password)[1:-1], json.dumps(password, ensure_ascii=False)[1:-1]}
    texts |= {repr(password)[1:-1], ascii(password)[1:-1], repr(raw)[2:-1]}
    coded = {raw, *(b"\0".join((b"", user.encode(), raw)) for user in users)}
    return (
        {text.encode() for text in texts} | {base64.b64encode(one).rstrip(b"=") for one in coded} | {raw.hex().encode()}
    )


def hits(places: dict[str, bytes], users: list[str]) -> list[tuple[str, bytes]]:
    """Where any of the passwords is to be read, and as what."""
    wanted = {form for password in (*PASSWORDS, WRONG) for form in forms(password, users)}
    return [(name, form) for name, text in places.items() for form in wanted if form in text]


def said(ended: Ended) -> bytes:
    """All that a command printed."""
    return f"{ended.stdout}\n{ended.stderr}".encode()


@pytest.fixture(scope="module")
def servers(lab):
    """Two servers whose users have these passwords, each with a few messages at the source."""
    users = {f"user{number}@example.com": password for number, password in enumerate(PASSWORDS)}
    words = [word for user, password in users.items() for word in ("--user", f"{user}:{password}")]
    source, target = lab.mail("dovecot-inbox", *words), lab.mail("dovecot-slash", *words)
    for user in users:
        source.fill(user, "INBOX", letters(3))
    return source, target, users


def test_the_search_finds_a_password_in_every_form():
    password, users = PASSWORDS[0], ["user0@example.com"]

    found = [hits({"place": b"before" + form + b"after"}, users) for form in forms(password, users)]

    assert len(found) >= 6
    assert all(found)


def test_odd_passwords_work_and_leave_no_trace(servers, tmp_path):
    source, target, users = servers
    boxes = [Box(user, user, password, password) for user, password in users.items()]
    boxes.append(Box("stranger@example.com", "stranger@example.com", WRONG, WRONG))
    places: dict[str, bytes] = {}
    with Proxy((target.host, target.port), delay=0.02) as proxy:
        journey = Journey(tmp_path, imap(source), imap(proxy), boxes)
        running = journey.begins("run", "-vvv")
        running.says("mail")
        places["processes"] = command_lines(running.process.pid)
        ended = running.end()
        places["run"] = said(ended)
        state_during = b"".join(path.read_bytes() for path in tmp_path.glob("plan.state*"))

        for words in (
            ("preview", "-vvv"),
            ("preview", "--json"),
            ("run", "--json", "-vvv"),
            ("verify", "-vvv", "--json"),
            ("status", "--json", "-vvv"),
            ("report", "-vvv"),
        ):
            places[" ".join(words)] = said(journey.does(*words))
        spoken = "\n".join(proxy.said).encode()

    places |= {path.name: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    places |= {"state": state_during, "proxy": spoken}

    assert ended.code == 4, "ten logins are right, the stranger's is wrong"
    for user in users:
        assert contents(target, user) == contents(source, user)
    assert b"migrator" in places["processes"]
    assert b"stranger@example.com" in places["run"]
    assert {"plan.state.sqlite", "plan.yaml"} < set(places)
    assert sum(name.startswith("plan") and name.endswith((".html", ".csv", ".json")) for name in places) >= 3, (
        places.keys()
    )
    assert hits(places, [*users, "stranger@example.com"]) == []


def command_lines(pid: int) -> bytes:
    """The command lines of a process and of all its children, as anybody on the machine can read them."""
    children = [Path(f"/proc/{word}") for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return b"\n".join(Path(place, "cmdline").read_bytes() for place in (f"/proc/{pid}", *children))


def test_passwords_from_a_private_csv_work_the_same(servers, tmp_path):
    source, target, users = servers
    others = {user: password for user, password in users.items() if user != "user0@example.com"}
    table = tmp_path / "accounts.csv"
    with table.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["source", "source_password", "target_password"])
        rows.writerows([user, password, password] for user, password in others.items())
    table.chmod(0o600)
    journey = Journey(tmp_path, imap(source), imap(target), [], steps=["mail", "verify"])
    document = json.loads(journey.plan.read_text())
    journey.plan.write_text(json.dumps({**document, "accounts": {"from": "accounts.csv"}}))

    ended = journey.does("run", "-vvv")
    places = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path != table}

    assert ended.code == 0, ended
    for user in others:
        assert contents(target, user) == contents(source, user)
    assert hits({**places, "run": said(ended)}, list(users)) == []


def test_a_csv_with_passwords_that_others_may_read_is_refused_without_repeating_one(servers, tmp_path):
    source, target, users = servers
    table = tmp_path / "accounts.csv"
    table.write_text("source,source_password\n" + "".join(f"{user},{WRONG}\n" for user in users))
    table.chmod(0o644)
    journey = Journey(tmp_path, imap(source), imap(target), [])
    document = json.loads(journey.plan.read_text())
    journey.plan.write_text(json.dumps({**document, "accounts": {"from": "accounts.csv"}}))

    ended = journey.does("run")

    assert ended.code == 2, ended
    assert "chmod 600" in ended.stderr
    assert hits({"run": said(ended)}, list(users)) == []
