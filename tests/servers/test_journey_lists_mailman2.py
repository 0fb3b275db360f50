"""Mailing lists out of Mailman 2.1 into a real Mailman 3 and back, with the real program in its own process: previewed, run, killed, run
again, verified, and looked at by Mailman's own client. Nobody gets a mail.

Core takes about ten members a second with all their options, so the list has 700 (every combination of options is among 640); set
MIGRATOR_LIST_MEMBERS=2500 for the large one.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import journey
import pytest
from lab import mailman3 as lab

from migrator.engine.contract import Login
from migrator.lists.adapters import mailman3 as core_adapter
from migrator.lists.contract import THE_LISTS
from migrator.lists.mailman2.spelling import name_as_shown
from migrator.lists.model import Delivery, Member, Role, Settings, Stopped, Treatment
from migrator.testing.mailman2.lists import MailingList
from migrator.testing.mailman2.lists import Member as Kept
from migrator.testing.mailman2.people import NAMES, populate
from migrator.testing.mailman2.server import Mailman2

MEMBERS = int(os.environ.get("MIGRATOR_LIST_MEMBERS", "700"))
PATIENCE = 1800
pytestmark = pytest.mark.timeout(3600)
# Facts of the reference: what each thing of Mailman 2.1 is in core.
STATUSES = {"enabled": "enabled", "U": "by_user", "A": "by_moderator", "B": "by_moderator", "?": "unknown"}


@dataclass
class Move:
    """A plan in a folder, and the program to run there."""

    folder: Path
    source: dict[str, Any]
    target: dict[str, Any]
    secrets: dict[str, str]
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        journey.PATIENCE = PATIENCE
        document = {
            "version": 1,
            "name": "lists",
            "secrets": {name: {"env": name.upper()} for name in self.secrets},
            "endpoints": {"old": {"lists": self.source}, "new": {"lists": self.target}},
            "accounts": [{"source": "ann@example.com", "target": "ann@example.com"}],
            "defaults": {"route": "old -> new"},
            "steps": [{"lists": self.options}, "verify"],
        }
        (self.folder / "plan.yaml").write_text(json.dumps(document, indent=1), encoding="utf-8")

    def begins(self, *words: str) -> journey.Running:
        verb, *rest = words
        environment = {
            **os.environ,
            "PYTHONPATH": str(journey.CHECKOUT),
            **{name.upper(): value for name, value in self.secrets.items()},
        }
        return journey.begun(self.folder, environment, verb, *rest)

    def does(self, *words: str, codes: tuple[int, ...] = (0,)) -> journey.Ended:
        ended = self.begins(*words).end()
        assert "Traceback" not in ended.stderr, ended
        assert ended.code in codes, ended
        return ended


@pytest.fixture
def mailman2(mailman3) -> Iterator[Mailman2]:
    """The emulator, which hands its mail to the server that counts the core's."""
    with Mailman2(sink=("127.0.0.1", lab.smtp_port(mailman3.server))) as server:
        yield server


def shown_by_mailmans_client(mailman3, address: str) -> dict[str, Any]:
    command = [lab.python(), Path(__file__).with_name("mailman3_client.py"), mailman3.url, *mailman3.login, address]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def in_core(kept: Kept, one: MailingList) -> dict[str, Any]:
    """What Mailman's client has to show of a member of 2.1."""
    digest = "plaintext_digests" if "plain" in kept.options else "mime_digests"
    return {
        "name": name_as_shown(kept.name),
        "as_typed": f"{kept.address.partition('@')[0]}@{kept.address.partition('@')[2].lower()}",
        "moderation_action": "hold" if kept.moderated else "defer",
        "acknowledge_posts": "ack" in kept.options,
        "delivery_mode": digest if kept.digest else "regular",
        "delivery_status": STATUSES[kept.status],
        "hide_address": "hide" in kept.options,
        "preferred_language": None if kept.language == one.language else kept.language,
        "receive_list_copy": "nodupes" not in kept.options,
        "receive_own_postings": "notmetoo" not in kept.options,
    }


def differences(mailman3, address: str, one: MailingList) -> dict[str, Any]:
    """Where Mailman's client shows something else than the 2.1 has."""
    shown = shown_by_mailmans_client(mailman3, address)["people"]["member"]
    wanted = {key: in_core(kept, one) for key, kept in one.members.items()}
    found = {}
    for key in wanted.keys() | shown.keys():
        here, there = wanted.get(key), shown.get(key)
        if here is not None and there is not None and there["moderation_action"] is None:
            there["moderation_action"] = "defer"  # the list's own rule, which lets members pass
        if here != there:
            found[key] = (here, there)
    return found


def test_members_of_every_option_go_from_a_mailman_2_to_a_real_mailman_3_whatever_happens(
    mailman2, mailman3, tmp_path
) -> None:
    address = f"news@{mailman3.fresh_domain()}"
    one = mailman2.give_list(
        "news", host_name=address.partition("@")[2], description=b"News", ban_list=("spam@example.com",)
    )
    populate(one, MEMBERS, languages=("de",))
    user, password = mailman3.login
    move = Move(
        tmp_path,
        {"type": "mailman2", "url": mailman2.base, "tls_fingerprint": mailman2.fingerprint, "lists": [address], "password": "old_lists"},
        {"type": "mailman3", "url": mailman3.url, "user": user, "password": "core"},
        {"old_lists": "list-secret", "core": password},
        {"only": [address]},
    )  # fmt: skip
    seen = move.does("preview", codes=(3,))
    assert f"{MEMBERS:,}" in seen.stdout
    assert mailman2.written == []
    running = move.begins("run", "--json")
    running.after("batch-recorded", 6)
    assert running.kill().code == -signal.SIGKILL
    move.does("run", codes=(3,))  # core has no place for some settings; everybody is there
    assert differences(mailman3, address, mailman2.kept["news"]) == {}
    move.does("verify")
    # 30 changes: 10 join, 10 leave, 10 change an option; and one gets another name whom core cannot call otherwise
    kept = mailman2.kept["news"]
    keys = sorted(key for key in kept.members if "/" not in key)
    few = min(10, len(keys) // 3)
    for key in keys[:few]:
        del kept.members[key]
    slashed = [key for key in kept.members if "/" in key][:1]
    for key in keys[few : 2 * few] + slashed:
        kept.members[key] = replace(kept.members[key], name="Renamed Ñandú", digest=not kept.members[key].digest)
    for n in range(10):
        kept.add(Kept(f"new{n}@example.com", f"Néw {n}"))
    said = move.does("run", codes=(3,)).stdout
    assert list(differences(mailman3, address, kept)) == slashed
    assert all(f"{key}: name: " in said for key in slashed), said
    move.does("verify")
    assert mailman2.written == []
    assert mailman2.mails == []
    assert mailman3.mail() == []


def test_a_list_of_a_real_mailman_3_goes_to_a_mailman_2(mailman2, mailman3, tmp_path) -> None:
    address = f"talk@{mailman3.fresh_domain()}"
    user, password = mailman3.login
    people = [
        Member(
            f"p{n}@example.com",
            NAMES[n % len(NAMES)],
            delivery=(Delivery.REGULAR, Delivery.MIME_DIGEST, Delivery.PLAIN_DIGEST)[n % 3],
            stopped=(None, Stopped.BY_USER, Stopped.BY_ADMIN)[n // 3 % 3],
            moderation=(Treatment.DEFER, Treatment.HOLD)[n % 2],
            hidden=bool(n & 1),
            acknowledge=bool(n & 2),
            own_posts=bool(n & 4),
            list_copies=bool(n & 8),
        )
        for n in range(300)
    ]
    options = core_adapter.Options(url=mailman3.url, user=user, password=password)
    with closing(core_adapter.ADAPTER.writer(options, Login(THE_LISTS, THE_LISTS))) as core:
        core.create_list(address, "", None)
        core.configure(address, Settings(description="Talk", subject_prefix="[Talk] ", welcomes=False))
        for start in range(0, len(people), core.features.at_once):
            puts = core.add(address, people[start : start + core.features.at_once])
            assert {put.refused for put in puts} == {""}
        core.add(address, [Member("olga@example.com", role=Role.OWNER)])
    mailman2.charsets = dict.fromkeys(mailman2.charsets, "utf-8")
    move = Move(
        tmp_path,
        {"type": "mailman3", "url": mailman3.url, "user": user, "password": "core"},
        {"type": "mailman2", "url": mailman2.base, "tls_fingerprint": mailman2.fingerprint, "site_password": "site"},
        {"site": mailman2.SITE_PASSWORD, "core": password},
        {"only": [address]},
    )  # fmt: skip
    move.does("preview")
    assert mailman2.kept == {}
    running = move.begins("run", "--json")
    running.after("batch-recorded", 3)
    assert running.kill().code == -signal.SIGKILL
    move.does("run", codes=(0, 3))
    one = mailman2.kept["talk"]
    assert one.members.keys() == {member.key for member in people}
    wanted = {member.key: member for member in people}
    for key, kept in one.members.items():
        member = wanted[key]
        assert (kept.name, kept.digest, kept.moderated) == (
            name_as_shown(member.name), member.delivery is not Delivery.REGULAR, member.moderation is Treatment.HOLD,
        )  # fmt: skip
        assert kept.status == {None: "enabled", Stopped.BY_USER: "U", Stopped.BY_ADMIN: "A"}[member.stopped]
        assert ("hide" in kept.options, "notmetoo" in kept.options) == (member.hidden, not member.own_posts)
    assert one.lines("owner") == ("olga@example.com",)
    assert one.number("emergency") == 0
    assert one.values["description"] == b"Talk"
    before = len(mailman2.written)
    move.does("run", codes=(0, 3))
    assert len(mailman2.written) == before
    move.does("verify")
    assert mailman2.mails == []
    assert mailman3.mail() == []


def test_a_list_of_a_mailman_2_goes_through_files_to_a_real_mailman_3(mailman2, mailman3, tmp_path) -> None:
    address = f"news@{mailman3.fresh_domain()}"
    one = mailman2.give_list("news", host_name=address.partition("@")[2], description=b"News")
    populate(one, 40, languages=("de",))
    people, one.members = [*one.members.values()], {}
    for kept in people:  # the core knows the others from another list, and calls them as it did there
        one.add(replace(kept, address=f"files.{kept.address}"))
    user, password = mailman3.login
    files = {"type": "csv", "path": str(tmp_path / "files")}
    for name in ("out", "in"):
        (tmp_path / name).mkdir()
    out = Move(
        tmp_path / "out",
        {"type": "mailman2", "url": mailman2.base, "tls_fingerprint": mailman2.fingerprint, "lists": [address], "password": "old_lists"},
        files,
        {"old_lists": "list-secret"},
        {"only": [address]},
    )  # fmt: skip
    out.does("run")
    core = {"type": "mailman3", "url": mailman3.url, "user": user, "password": "core"}
    into = Move(tmp_path / "in", files, core, {"core": password}, {"only": [address]})
    into.does("run", codes=(0, 3))
    told = {(kept.moderated, kept.language) for kept in one.members.values()}
    assert {moderated for moderated, _ in told} == {False, True}
    assert {language for _, language in told} >= {"en", "de"}
    assert differences(mailman3, address, one) == {}
    into.does("verify")
    assert mailman2.written == []
    assert mailman2.mails == []
    assert mailman3.mail() == []
