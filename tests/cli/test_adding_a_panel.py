"""What docs/adding-a-panel.md says is done: its files are written, the package is installed, its own tests run, and its plan moves accounts."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys

import pytest
from documents import CHECKOUT, blocks, whole_plans, wrong_commands

DOCUMENT = (CHECKOUT / "docs" / "adding-a-panel.md").read_text()
FILES = dict(re.findall(r"^```\w+ (\S+)\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL))
LINES = 100


def run(*words, **more):
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=240, **more)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """The folder of the package, as the document lays it out."""
    folder = tmp_path_factory.mktemp("migrator-acme")
    for name, text in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope="module")
def installed(package, tmp_path_factory):
    """A folder with the installed package alone; no index is asked."""
    place = tmp_path_factory.mktemp("installed")
    offline = ("--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--quiet")
    run("-m", "pip", "install", *offline, "--target", str(place), str(package))
    return place


@pytest.fixture(scope="module")
def environment(installed):
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(installed), str(CHECKOUT)]), "COLUMNS": "100"}


def test_every_file_of_the_layout_is_in_the_document():
    [layout] = [block for kind, block in blocks(DOCUMENT) if not kind]

    assert set(FILES) == {line.split()[0] for line in layout.splitlines()[1:]}


def test_the_adapter_has_less_than_100_lines_of_code():
    code = [line for line in FILES["acme_panel.py"].splitlines() if line.strip()]

    assert 0 < len(code) < LINES


def test_every_command_of_the_document_is_understood():
    assert wrong_commands(DOCUMENT) == {}


def test_every_place_the_document_names_is_there():
    named = set(re.findall(r"`((?:migrator|tests|docs|fixtures)/[\w./-]+)`", DOCUMENT))
    named = {path for path in named if "acme" not in path}

    assert len(named) >= 3
    assert [path for path in sorted(named) if not (CHECKOUT / path).exists()] == []


def test_its_own_tests_hold_every_promise(package, environment, tmp_path):
    results = tmp_path / "results.xml"
    words = ("-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={results}", "test_acme_panel.py")
    told = run(*words, cwd=package, env=environment)

    assert re.search(r"^\d{2,} passed in ", told, re.MULTILINE), told
    table = run("-m", "migrator.testing.panel_table", str(results), env=environment)
    assert "FAILED" not in table
    assert re.search(r"^a created mailbox is listed as it was given +ok$", table, re.MULTILINE)
    assert "Acme Panel takes no SHA512-CRYPT" in table


@pytest.fixture
def emulators(package, installed, monkeypatch):
    """Two Acme Panels, as the document's own tests have them: one with accounts, one empty."""
    monkeypatch.syspath_prepend(str(installed))
    about = importlib.util.spec_from_file_location("test_acme_panel", package / "test_acme_panel.py")
    module = importlib.util.module_from_spec(about)
    about.loader.exec_module(module)
    monkeypatch.setenv("OLD_ACME_TOKEN", module.TOKEN)
    monkeypatch.setenv("NEW_ACME_TOKEN", module.TOKEN)
    with module.Acme() as old, module.Acme() as new:
        for name in ("ann", "bob"):
            old.rows["mailboxes"][name] = {"address": f"{name}@example.com", "quota_mb": 1024}
        old.rows["forwarders"]["info"] = {"address": "info@example.com", "to": ["ann@example.com"], "keeps_copy": False}
        yield old, new


def test_a_plan_uses_the_installed_package_by_its_word(environment, emulators, tmp_path):
    old, new = emulators
    [plan] = whole_plans(DOCUMENT)
    for side, panel in (("old", old), ("new", new)):
        there = f'"{panel.url}", tls_fingerprint: "{panel.fingerprint}"'
        plan = plan.replace(f'"https://{side}.example.net:8443"', there)
    (tmp_path / "plan.yaml").write_text(plan)
    # The installed package is found by its metadata, so the word is looked up in the environment of the program.
    more = {
        "cwd": tmp_path,
        "env": environment | {name: os.environ[name] for name in ("OLD_ACME_TOKEN", "NEW_ACME_TOKEN")},
    }

    assert "plan.yaml is well formed" in run("-m", "migrator", "check", "plan.yaml", **more)

    preview = run("-m", "migrator", "preview", "plan.yaml", **more)
    assert "Acme Panel 4.2" in preview
    assert re.search(r"mailboxes +2 entries +create 2", preview)
    assert re.search(r"forwarders +1 entry +create 1", preview)
    assert new.written == []

    run("-m", "migrator", "run", "plan.yaml", **more)
    assert sorted(new.rows["mailboxes"]) == ["ann@example.com", "bob@example.com"]
    assert sorted(new.rows["forwarders"]) == ["info@example.com"]
    assert old.written == []
