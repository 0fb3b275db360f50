"""A list of every option out of Mailman 2.1 into CSV files and from there into another Mailman 2.1, with the real program in its own
process; and the same list out of a backup. What arrived is looked at in the servers' own memory.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import migrator
from migrator.lists.mailman2.spelling import name_as_shown
from migrator.testing.mailman2.lists import MailingList, Member
from migrator.testing.mailman2.people import populate
from migrator.testing.mailman2.server import Mailman2
from migrator.testing.panels.cpanel import CPanel
from migrator.testing.panels.server import Request

MEMBERS = 320  # half of all combinations of options
NEWS = "news@example.com"
pytestmark = pytest.mark.timeout(900)


class Move:
    """A plan in a folder, and the program to run there."""

    def __init__(self, folder: Path, **endpoints: dict[str, Any]) -> None:
        self.folder = folder
        self.secrets = {"SITE": Mailman2.SITE_PASSWORD}
        plan = {
            "version": 1,
            "secrets": {"site": {"env": "SITE"}},
            "endpoints": {name: {"lists": service} for name, service in endpoints.items()},
            "accounts": ["ann@example.com"],
            "steps": [
                {"lists": {"name": "there", "route": "old -> files"}},
                {"lists": {"name": "back", "route": "files -> new"}},
                "verify",
            ],
        }
        (folder / "plan.yaml").write_text(json.dumps(plan), encoding="utf-8")

    def does(self, *words: str) -> subprocess.CompletedProcess[str]:
        root = str(Path(migrator.__file__).parent.parent)
        environment = {**os.environ, "PYTHONPATH": root, **self.secrets}
        command = [sys.executable, "-m", "migrator", *words, "plan.yaml"]
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=800)
        assert "Traceback" not in done.stderr, done
        return done


def web(server: Mailman2, **more: Any) -> dict[str, Any]:
    return {
        "type": "mailman2",
        "url": server.base,
        "tls_fingerprint": server.fingerprint,
        "site_password": "site",
        **more,
    }


def as_it_should_be(kept: Member) -> tuple[Any, ...]:
    """A member by what can be kept: why a delivery was stopped is told of members and administrators alone."""
    local, _, domain = kept.address.partition("@")
    status = {"B": "A", "?": "A"}.get(kept.status, kept.status)
    options = kept.options if kept.digest else kept.options - {"plain"}
    return (
        f"{local}@{domain.lower()}",
        name_as_shown(kept.name),
        kept.digest,
        status,
        kept.moderated,
        options,
        kept.language,
    )


def everybody(one: MailingList) -> dict[str, tuple[Any, ...]]:
    return {key: as_it_should_be(kept) for key, kept in one.members.items()}


def test_a_list_goes_into_files_and_out_of_them_into_another_mailman(tmp_path: Path) -> None:
    with Mailman2() as old, Mailman2() as new:
        new.charsets["en"] = "utf-8"  # as on a site of today: every name can be kept
        values = {"description": "News for all", "ban_list": ("^.*@spam\\.example$",), "subscribe_policy": 2}
        populate(old.give_list("news", advertised=1, **values), MEMBERS, languages=("de",))
        move = Move(
            tmp_path,
            old=web(old),
            files={"type": "csv", "path": "files"},
            new=web(new, lists=[NEWS]),
        )
        assert move.does("check").returncode == 0
        shown = move.does("preview")
        assert f"add {MEMBERS}" in shown.stdout, shown
        ran = move.does("run")
        assert ran.returncode in {0, 3}, ran
        with (tmp_path / "files" / f"{NEWS}.csv").open(newline="", encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if row["role"] == "member"]
        assert len(rows) == MEMBERS
        # Bounces are told as such in the file; Mailman 2.1 itself takes nobody as stopped by them.
        assert {row["stopped"] for row in rows} >= {"by the member", "by an admin", "by bounces"}
        assert everybody(new.kept["news"]) == everybody(old.kept["news"])
        for name, value in values.items():
            told = new.kept["news"].values[name]
            assert (told.decode() if isinstance(told, bytes) else told) == value, name
        assert new.kept["news"].values["emergency"] == 0
        assert (old.mails, new.mails) == ([], [])
        verified = move.does("verify")
        assert "0 differences" in verified.stdout, verified
        before = everybody(new.kept["news"])
        again = move.does("run")
        assert again.returncode in {0, 3}, again
        assert everybody(new.kept["news"]) == before
        assert (old.mails, new.mails) == ([], [])


def follow(panel: CPanel, mailman: Mailman2) -> None:
    """A cPanel whose lists are those of the Mailman: what is made in one is there in the other, and its passwords are good once."""
    lists, made = panel.houses["example.com"].lists, [0]

    def looks(_: Request) -> None:
        for local in lists:
            name, own = f"{local}_example.com", panel.list_passwords.get(f"{local}@example.com", "its own")
            one = mailman.kept.get(name) or mailman.give_list(name, password=own)
            if made[0] < panel.list_passwords_made:
                one.one_time = f"once-{panel.list_passwords_made}-{local}"
        made[0] = panel.list_passwords_made

    mailman.before = looks


def endpoint(panel: CPanel, mailman: Mailman2) -> dict[str, Any]:
    """Both services of a cPanel host, without any password of a list."""
    return {
        "panel": {
            "type": "cpanel",
            "url": panel.url,
            "tls_fingerprint": panel.fingerprint,
            "user": panel.user,
            "token": "token",
        },
        "lists": {"type": "mailman2", "url": mailman.base, "tls_fingerprint": mailman.fingerprint},
    }


def test_lists_of_a_cpanel_need_no_password_on_either_side(tmp_path: Path) -> None:
    with Mailman2() as old, CPanel() as old_panel, Mailman2() as new, CPanel() as new_panel:
        follow(old_panel, old)
        follow(new_panel, new)
        old_panel.houses["example.com"].lists.append("news")
        new.charsets["en"] = "utf-8"
        populate(old.give_list("news_example.com", password="its own"), 40)
        plan = {
            "version": 1,
            "secrets": {"token": {"env": "TOKEN"}},
            "endpoints": {"old": endpoint(old_panel, old), "new": endpoint(new_panel, new)},
            "accounts": ["ann@example.com"],
            "steps": ["lists", "verify"],
        }
        move = Move(tmp_path)
        move.secrets["TOKEN"] = old_panel.token
        (tmp_path / "plan.yaml").write_text(json.dumps(plan), encoding="utf-8")
        ran = move.does("run")
        assert ran.returncode in {0, 3}, ran
        assert everybody(new.kept["news_example.com"]) == everybody(old.kept["news_example.com"])
        assert new.kept["news_example.com"].values["emergency"] == 0
        assert (old.mails, new.mails, old.attempts, new.attempts) == ([], [], 0, 0)
        # The list's own passwords stay as they are; that of the new one is in the hand-out alone.
        assert old.kept["news_example.com"].password == "its own"
        made = new_panel.list_passwords[NEWS]
        assert made in (tmp_path / "plan.handout.csv").read_text()
        assert made not in ran.stdout + ran.stderr
        verified = move.does("verify")
        assert "0 differences" in verified.stdout, verified


def test_a_list_without_a_password_and_without_a_panel_is_told_in_a_sentence(tmp_path: Path) -> None:
    with Mailman2() as old:
        old.give_list("news", advertised=1)
        service = {key: value for key, value in web(old).items() if key != "site_password"}
        move = Move(tmp_path, old=service, files={"type": "csv", "path": "files"}, new={"type": "csv", "path": "new"})
        for verb in ("check", "preview", "run"):
            done = move.does(verb)
            assert done.returncode == 2
            told = "endpoints.old.lists: nothing opens the lists: name the secret of a password"
            assert told in " ".join((done.stdout + done.stderr).split()), done
