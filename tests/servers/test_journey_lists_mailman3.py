"""Mailing lists from CSV files to a real Mailman 3, and from there to another list: the real program in its own process, killed, run again
and verified; what arrived is looked at by Mailman's own client, and nobody has got a mail.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from lab import mailman3 as lab

from migrator.engine.contract import Login
from migrator.lists.adapters import csv
from migrator.lists.contract import THE_LISTS, ListWriter
from migrator.lists.model import Delivery, HeaderRule, Joining, Member, Role, Settings, Stopped, Treatment
from migrator.testing.front import Front

PATIENCE = 300
HERE = Path(__file__).parent
MODES = {
    Delivery.REGULAR: "regular",
    Delivery.MIME_DIGEST: "mime_digests",
    Delivery.PLAIN_DIGEST: "plaintext_digests",
    Delivery.SUMMARY_DIGEST: "summary_digests",
}
STATUSES = {
    None: "enabled",
    Stopped.BY_USER: "by_user",
    Stopped.BY_ADMIN: "by_moderator",
    Stopped.BY_BOUNCES: "by_moderator",
    Stopped.UNKNOWN: "unknown",
}
NAMES = ("Ann Doe", "Zoë Müller", "王 小明", "אבי כהן", 'Ann "the list" Doe, Jr.', "=1+1", "Ñandú 😀", "")
LOCAL_PARTS = ("ann", "Mixed.Case", "plus+tag", "o'neill", "a=b", "a#b", "a%b", "a*b", "a/b", "+plus", "=equal")
REFUSED = ("no address", "bl ank@example.com", "banned@example.com", "pipe|d@example.com")
SETTINGS = Settings(
    display_name="Große Neuigkeiten",
    description="News & more of 'Example'",
    subject_prefix="[News] ",
    joining=Joining.CONFIRM,
    banned=("banned@example.com", "^.*@spam\\.example$"),
    nonmember_treatment=Treatment.REJECT,
    header_rules=(HeaderRule("^x-spam-flag: yes", Treatment.DISCARD),),
    emergency=False,
    welcomes=True,
    says_goodbye=True,
    tells_owner_of_changes=True,
    tells_owner_of_requests=True,
    welcome_text="Welcome to the list.",
)


def people(tag: str, first: int, last: int) -> list[Member]:
    """Members with every option and every odd name in turn."""
    stops, treatments = tuple(STATUSES), (None, *Treatment)
    return [
        Member(
            f"{LOCAL_PARTS[n % len(LOCAL_PARTS)]}{n}@{tag}.example.com",
            NAMES[n % len(NAMES)],
            delivery=tuple(Delivery)[n % 4],
            stopped=stops[n % len(stops)],
            moderation=treatments[n % len(treatments)],
            hidden=n % 2 == 0,
            acknowledge=n % 3 == 0,
            own_posts=n % 5 != 0,
            list_copies=n % 7 != 0,
            language=("", "de", "fr")[n % 3],
        )
        for n in range(first, last)
    ]


def in_core(member: Member) -> dict[str, Any]:
    """What Mailman's own client has to show of somebody."""
    return {
        "name": member.name,
        "as_typed": member.address,
        "moderation_action": member.moderation.value if member.moderation else None,
        "acknowledge_posts": member.acknowledge,
        "delivery_mode": MODES[member.delivery],
        "delivery_status": STATUSES[member.stopped],
        "hide_address": member.hidden,
        "preferred_language": member.language or None,
        "receive_list_copy": member.list_copies,
        "receive_own_postings": member.own_posts,
    }


def shown(mailman3, address: str) -> dict[str, Any]:
    """The list by Mailman's own client."""
    command = [lab.python(), HERE / "mailman3_client.py", mailman3.url, *mailman3.login, address]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@dataclass
class Move:
    """A plan in a folder, and the program to run there. What goes to core passes `front`, which keeps count of it."""

    folder: Path
    mailman3: Any
    front: Front
    domain: str

    def __post_init__(self) -> None:
        self.address, self.csv = f"news@{self.domain}", {"type": "csv", "path": "lists"}
        self.core = {"type": "mailman3", "url": self.front.url, "password": "rest"}
        self.plan(self.csv, self.core)

    def plan(self, source: dict[str, Any], target: dict[str, Any], **options: object) -> None:
        (self.folder / "plan.yaml").write_text(
            f"version: 1\nname: lists\nsecrets: {{rest: {{env: REST}}}}\nendpoints:\n"
            f"  old: {{lists: {json.dumps(source)}}}\n  new: {{lists: {json.dumps(target)}}}\n"
            f"accounts: [postmaster@{self.domain}]\nsteps: [{{lists: {json.dumps(options)}}}, verify]\n"
        )

    def source(self) -> ListWriter:
        return csv.ADAPTER.writer(csv.Options(path=self.folder / "lists"), Login(THE_LISTS, THE_LISTS))

    def write(self, members: Sequence[Member], *by_hand: str, settings: Settings = SETTINGS) -> None:
        """Have exactly this list at the source, and behind it what somebody has typed into the file."""
        for old in (self.folder / "lists").glob("*"):
            old.unlink()
        with closing(self.source()) as source:
            source.create_list(self.address, "", None)
            source.configure(self.address, settings)
            for role, group in itertools.groupby(members, key=lambda one: one.role.value):
                assert not [put for put in source.add(self.address, list(group)) if put.refused], role
        with (self.folder / "lists" / f"{self.address}.csv").open("a", encoding="utf-8") as file:
            file.writelines(f"{one}\n" for one in by_hand)

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "REST": self.mailman3.login[1], "COLUMNS": "160"}

    def does(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "migrator", *words]
        return subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=PATIENCE
        )

    def runs(self, code: int) -> subprocess.CompletedProcess[str]:
        done = self.does("run", "plan.yaml")
        assert done.returncode == code, done.stdout + done.stderr
        return done

    def killed_at(self, members: int) -> int:
        """Start a run and kill it as soon as core has so many members; how many it has then."""
        command = [sys.executable, "-m", "migrator", "run", "plan.yaml"]
        with subprocess.Popen(
            command, cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            deadline = time.monotonic() + PATIENCE
            while self.count() < members and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
            told = process.communicate()
        assert process.returncode == -signal.SIGKILL, told
        return self.count()

    def count(self) -> int:
        status, told = self.mailman3.ask("GET", f"lists/news.{self.domain}/roster/member", count=1, page=1)
        return told["total_size"] if status == 200 else 0

    def writes(self) -> list[str]:
        """What was sent to core that changes something, since this was asked last."""
        found = [
            f"{one.method} {one.path}"
            for one in self.front.requests
            if one.method != "GET" and not one.path.endswith("/members/find")
        ]
        self.front.requests.clear()
        return found

    def sums(self) -> dict[str, int]:
        told = json.loads(self.does("status", "plan.yaml", "--json").stdout)
        assert told["sums"]["total"]["items"] == sum(size["items"] for size in told["sums"]["by_fate"].values())
        return {fate: size["items"] for fate, size in told["sums"]["by_fate"].items() if size["items"]}


@pytest.fixture
def move(mailman3, tmp_path) -> Iterator[Move]:
    with Front(mailman3.url) as front:
        yield Move(tmp_path, mailman3, front, mailman3.fresh_domain())
    assert mailman3.mail() == []


def test_a_list_from_csv_arrives_whole_though_the_run_is_killed_twice_and_a_delta_follows(move, mailman3, tmp_path):
    members = people(move.domain.partition(".")[0], 0, 160)
    owners = [Member(f"Olga@{move.domain}", "Olga Ørsted", Role.OWNER), Member("other@example.org", role=Role.OWNER)]
    others = [Member("friend@example.org", role=Role.NONMEMBER, moderation=Treatment.ACCEPT)]
    move.write([*owners, *members, *others], *REFUSED)

    preview = move.does("preview", "plan.yaml")
    assert (preview.returncode, move.writes()) == (3, [])  # some will be refused, and the welcome text has no place
    assert f"{move.domain} is made with it" in preview.stdout
    assert mailman3.ask("GET", f"domains/{move.domain}")[0] == 404

    first = move.killed_at(30)
    held = mailman3.ask("GET", f"lists/news.{move.domain}/config")[1]
    assert held["emergency"]
    assert not held["admin_notify_mchanges"]
    second = move.killed_at(first + 40)
    assert 30 <= first < second < 160
    move.runs(3)  # the four that core refuses are left behind
    assert move.does("report", "plan.yaml").returncode == 0
    told = (tmp_path / "plan.report.json").read_text()
    assert [one for one in REFUSED if one not in told] == [], told
    assert "Membership is banned" in told

    found = shown(mailman3, move.address)
    assert found["counts"] == {"member": 160, "owner": 2, "moderator": 0, "nonmember": 1}
    assert found["people"]["member"] == {one.key: in_core(one) for one in members}
    assert found["people"]["owner"].keys() == {one.key for one in owners}
    assert found["people"]["nonmember"]["friend@example.org"]["moderation_action"] == "accept"
    wanted = {
        "display_name": "Große Neuigkeiten",
        "description": "News & more of 'Example'",
        "subject_prefix": "[News] ",
        "subscription_policy": "confirm",
        "default_nonmember_action": "reject",
        "emergency": False,
        "send_welcome_message": True,
        "send_goodbye_message": True,
        "admin_notify_mchanges": True,
        "admin_immed_notify": True,
    }
    assert {name: found["settings"][name] for name in wanted} == wanted
    assert found["bans"] == ["^.*@spam\\.example$", "banned@example.com"]
    assert found["header_matches"] == [["x-spam-flag", "^yes", "discard"]]

    move.writes()
    sums = move.sums()
    move.runs(3)
    # Who was refused is tried once more, and nothing else is written.
    assert [one for one in move.writes() if not one.endswith("/members")] in ([], held_and_opened(move))
    assert move.sums() == sums
    verified = move.does("verify", "plan.yaml")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert move.writes() == []

    joined = people(move.domain.partition(".")[0], 200, 210)
    changed = [replace(one, name=f"New {one.address}", hidden=not one.hidden) for one in members[20:30]]
    now = [*members[10:20], *changed, *members[30:], *joined]
    move.write([*owners, *now, *others])
    preview = move.does("preview", "plan.yaml")
    assert preview.returncode == 3, preview.stdout + preview.stderr
    for sign, moved in (("+", joined), ("~", changed), ("-", members[:10])):
        for one in moved:
            assert f"{sign} {one.key}  (" in preview.stdout.lower()
    done = move.runs(3)  # of those who were refused none is at the source any more; the welcome text has still no place
    assert "176 copied, 1 left behind; it adds up, plus 14 seen earlier that are not among them any more" in done.stdout
    assert shown(mailman3, move.address)["people"]["member"] == {one.key: in_core(one) for one in now}
    assert shown(mailman3, move.address)["settings"]["emergency"] is False


def held_and_opened(move: Move) -> list[str]:
    """What is written when a list is held and opened again."""
    return [f"PATCH /3.1/lists/news.{move.domain}/config"] * 2


def test_a_list_goes_from_one_mailman_to_another_and_the_source_is_not_touched(move, mailman3):
    members = people(move.domain.partition(".")[0], 0, 40)
    olga = Member(f"olga@{move.domain}", "Olga", Role.OWNER)
    move.write([*members, olga], settings=replace(SETTINGS, welcome_text=None))
    move.runs(0)
    before = shown(mailman3, move.address)
    there = f"news@{mailman3.fresh_domain()}"
    second = move.folder / "second"
    second.mkdir()
    onwards = Move(second, mailman3, move.front, move.domain)
    onwards.plan({**move.core, "url": mailman3.url}, move.core, map={move.address: there}, only=[move.address])
    onwards.runs(0)
    verified = onwards.does("verify", "plan.yaml")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    after = shown(mailman3, there)
    for role in ("member", "owner"):
        assert after["people"][role] == before["people"][role]
    same = ("description", "subject_prefix", "subscription_policy", "default_nonmember_action", "max_message_size")
    assert {name: after["settings"][name] for name in same} == {name: before["settings"][name] for name in same}
    assert (after["bans"], after["header_matches"]) == (before["bans"], before["header_matches"])
    assert shown(mailman3, move.address) == before


def test_a_login_that_core_does_not_accept_ends_the_run_with_what_to_do(move):
    move.write(people("x", 0, 3))
    command = [sys.executable, "-m", "migrator", "run", "plan.yaml"]
    environment = {**move.environment, "REST": "wrong-word"}
    done = subprocess.run(command, cwd=move.folder, env=environment, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 4, done.stdout + done.stderr
    assert "admin_pass" in done.stdout + done.stderr
    assert "wrong-word" not in done.stdout + done.stderr
    assert move.writes() == []


def test_somebody_whom_two_lists_call_by_two_names_has_one_and_nothing_differs(move, mailman3, tmp_path):
    plain = Settings(emergency=False)
    both = [Member(f"p{n}@{move.domain}", f"News {n}") for n in range(5)]
    move.write([*both, Member(f"p0@{move.domain}", role=Role.OWNER)], settings=plain)
    talk = f"talk@{move.domain}"
    with closing(move.source()) as source:
        source.create_list(talk, "", None)
        source.add(talk, [replace(one, name=f"Talk {n}") for n, one in enumerate(both)])
    assert mailman3.ask("POST", "users", email=both[3].address, display_name="Known Before")[0] == 201
    preview = move.does("preview", "plan.yaml")
    assert preview.stdout.count("somebody has one name for all lists") == 2, preview.stdout
    assert (
        "is called Known Before on all lists of the target, as the target had it; this one says News 3"
        in preview.stdout
    )
    move.runs(0)
    names = {key: one["name"] for key, one in shown(mailman3, talk)["people"]["member"].items()}
    assert names == {one.key: one.name for one in both} | {both[3].key: "Known Before"}
    sums = move.sums()
    assert sums["normalised"] == 6
    move.writes()
    move.runs(0)
    assert (move.writes(), move.sums()) == ([], sums)
    assert move.does("verify", "plan.yaml").returncode == 0
    move.does("report", "plan.yaml")
    told = (tmp_path / "plan.report.csv").read_text(encoding="utf-8")
    assert [one.address for one in both if f"{one.address}: is called" not in told] == []
