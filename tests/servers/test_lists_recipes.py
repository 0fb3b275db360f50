"""The plans of plans/ that bring lists to a Mailman 3, run as they are from emulated hosts to a real core: only URLs and certificates are
this machine's, and the domain is one that nobody has used.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

import migrator
from migrator.testing.mailman2.people import populate
from migrator.testing.mailman2.server import Mailman2
from migrator.testing.panels.cpanel import CPanel
from migrator.testing.panels.server import Request

CHECKOUT = Path(migrator.__file__).parent.parent
MEMBERS = 12
pytestmark = pytest.mark.timeout(600)


def runs(
    name: str, folder: Path, domain: str, hosts: Mapping[tuple[str, str], Mapping[str, Any]], **secrets: str
) -> str:
    """A plan of plans/ with these hosts, previewed and run; answers what the run said."""
    text = (CHECKOUT / "plans" / f"{name}.yaml").read_text().replace("example.com", domain)
    plan: dict[str, Any] = YAML(typ="safe").load(text)
    for (endpoint, service), options in hosts.items():
        plan["endpoints"][endpoint][service] |= options
    (folder / "plan.yaml").write_text(json.dumps(plan))
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), **secrets}
    said = ""
    for verb in ("check", "preview", "run"):
        command = [sys.executable, "-m", "migrator", verb, "plan.yaml"]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=500)
        assert done.returncode == 0, (verb, done)
        said = done.stdout
    return said


def at(host: Mailman2 | CPanel) -> dict[str, Any]:
    return {"url": host.base if isinstance(host, Mailman2) else host.url, "tls_fingerprint": host.fingerprint}


@pytest.mark.parametrize("name", ["lists-mailman2-to-mailman3", "lists-through-files"])
def test_every_list_of_a_mailman_2_is_at_the_mailman_3(mailman3, tmp_path: Path, name: str) -> None:
    domain = mailman3.fresh_domain()
    with Mailman2() as old:
        populate(old.give_list("announce", advertised=1, host_name=domain), MEMBERS)
        hosts = {("old", "lists"): at(old), ("new", "lists"): {"url": mailman3.url}}
        passwords = {"MAILMAN2_SITE_PASSWORD": old.SITE_PASSWORD, "MAILMAN3_REST_PASSWORD": mailman3.login[1]}
        said = runs(name, tmp_path, domain, hosts, **passwords)
        assert "0 differences" in said
        assert mailman3.ask("GET", f"lists/announce@{domain}/roster/member")[1]["total_size"] == MEMBERS
        assert old.mails == []


def test_lists_of_a_cpanel_are_copied_to_files_and_held_at_the_mailman_3(mailman3, tmp_path: Path) -> None:
    domain = mailman3.fresh_domain()
    with Mailman2() as old, CPanel(domain=domain) as panel:
        panel.houses[domain].lists.append("announce")
        populate(old.give_list(f"announce_{domain}", password="its own", host_name=domain), MEMBERS)

        def once(_: Request) -> None:
            old.kept[f"announce_{domain}"].one_time = f"once-{panel.list_passwords_made}-announce"

        old.before = once
        hosts = {("old", "panel"): at(panel), ("old", "lists"): at(old), ("new", "lists"): {"url": mailman3.url}}
        secrets = {"OLD_CPANEL_TOKEN": panel.token, "MAILMAN_REST_PASSWORD": mailman3.login[1]}
        runs("lists", tmp_path, domain, hosts, **secrets)
        assert (tmp_path / "lists" / f"announce@{domain}.csv").exists()
        status, config = mailman3.ask("GET", f"lists/announce@{domain}/config")
        assert (status, config["emergency"]) == (200, True)
        assert (old.mails, old.attempts) == ([], 0)
