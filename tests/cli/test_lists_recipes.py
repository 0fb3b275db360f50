"""The plans for mailing lists in plans/, run as they are against emulated hosts: only URLs and certificates are this machine's."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from documents import CHECKOUT
from ruamel.yaml import YAML

import migrator
from migrator.testing.mailman2.people import populate
from migrator.testing.mailman2.server import Mailman2
from migrator.testing.panels.hestia import Hestia
from migrator.testing.panels.plesk import KEY, Plesk
from migrator.testing.panels.server import Panel

pytestmark = pytest.mark.timeout(300)


class Recipe:
    """A plan of plans/, its hosts these ones, and the program to run it."""

    def __init__(self, name: str, folder: Path, hosts: dict[tuple[str, str], Panel], **secrets: str) -> None:
        plan: dict[str, Any] = YAML(typ="safe").load((CHECKOUT / "plans" / f"{name}.yaml").read_text())
        for (endpoint, service), host in hosts.items():
            url = host.base if isinstance(host, Mailman2) else host.url
            plan["endpoints"][endpoint][service] |= {"url": url, "tls_fingerprint": host.fingerprint}
        (folder / "plan.yaml").write_text(json.dumps(plan))
        self.folder = folder
        self.environment = {**os.environ, "PYTHONPATH": str(Path(migrator.__file__).parent.parent), **secrets}

    def does(self, verb: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "migrator", verb, "plan.yaml"]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=250
        )
        assert "Traceback" not in done.stderr, done
        return done


def test_from_one_mailman_2_to_another_the_list_stays_held_until_the_day(tmp_path: Path) -> None:
    with Mailman2() as old, Mailman2() as new:
        new.charsets["en"] = "utf-8"
        populate(old.give_list("announce", password="announce-pw"), 30)
        passwords = {"ANNOUNCE_ADMIN": "announce-pw", "NEW_SITE_PASSWORD": new.SITE_PASSWORD}
        hosts: dict[tuple[str, str], Panel] = {("old", "lists"): old, ("new", "lists"): new}
        recipe = Recipe("lists-mailman2-to-mailman2", tmp_path, hosts, **passwords)
        assert recipe.does("preview").returncode == 0
        ran = recipe.does("run")
        assert ran.returncode == 0, ran
        assert new.kept["announce"].members.keys() == old.kept["announce"].members.keys()
        assert new.kept["announce"].values["emergency"] == 1
        plan = tmp_path / "plan.yaml"
        plan.write_text(plan.read_text().replace('{"lists": {"hold": "keep"}}', '"lists"'))
        old.kept["announce"].members.popitem()
        assert recipe.does("run").returncode == 0
        assert new.kept["announce"].values["emergency"] == 0
        assert new.kept["announce"].members.keys() == old.kept["announce"].members.keys()
        assert (old.mails, new.mails) == ([], [])


def test_a_host_without_lists_gets_forwarders_of_the_small_ones_and_files_of_all(tmp_path: Path) -> None:
    with Plesk() as old, Hestia() as new:
        old.domain("example.com", lists=["board", "announce"])
        old.list_members = {
            "board": ["ann@example.com", "bob@example.org"],
            "announce": [f"p{n}@example.org" for n in range(20)],
        }
        new.give_domain("example.com")
        hosts: dict[tuple[str, str], Panel] = {("old", "panel"): old, ("new", "panel"): new}
        keys = {"PLESK_KEY": KEY, "HESTIA_KEY": f"{new.ACCESS}:{new.SECRET}"}
        recipe = Recipe("lists-to-forwarders", tmp_path, hosts, **keys)
        shown = recipe.does("preview")
        assert "20 members are too many for a forwarder" in shown.stdout
        assert not new.written
        assert recipe.does("run").returncode == 3  # the large one is left, and told
        assert list(new.users["acme"]["example.com"].accounts) == ["board"]
        with (tmp_path / "lists" / "announce@example.com.csv").open(newline="") as file:
            assert len(list(csv.DictReader(file))) == 20
