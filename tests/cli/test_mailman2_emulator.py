"""The emulated Mailman 2.1 as a person starts it from the documents: what it prints is enough to write a plan, and it ends when it is told to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from documents import CHECKOUT

import migrator

COMMAND = [sys.executable, "-m", "migrator.testing.mailman2"]
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": str(Path(migrator.__file__).parent.parent),
    "MAILMAN2_PASSWORD": "site-secret-Kq3",
}
GUIDES = [(CHECKOUT / name).read_text() for name in ("CONTRIBUTING.md", "docs/guide.md", "docs/guia.md")]
pytestmark = pytest.mark.timeout(120)


@contextmanager
def emulator(*words: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """One that runs, and what it says of itself: its last line is a plan's."""
    process = subprocess.Popen([*COMMAND, *words], env=ENVIRONMENT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        lines: list[str] = []
        for line in process.stdout:
            lines.append(line.rstrip())
            if line.startswith("  old:"):
                break
        yield process, lines
    finally:
        process.kill()
        process.wait()


def test_what_it_prints_is_enough_for_a_plan_and_it_ends_when_it_is_told_to(tmp_path: Path) -> None:
    with emulator("--members", "30") as (process, lines):
        new = "  new: {lists: {type: csv, path: copy}}"
        plan = ["version: 1", lines[-2].strip(), "endpoints:", lines[-1], new, "steps: [lists, verify]"]
        (tmp_path / "plan.yaml").write_text("\n".join(plan))
        migrates = [sys.executable, "-m", "migrator", "run", "plan.yaml"]
        ran = subprocess.run(migrates, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, timeout=100)
        assert "30 members" in "\n".join(lines)
        assert "0 differences" in ran.stdout, ran
        assert len((tmp_path / "copy" / "announce@example.com.csv").read_text().splitlines()) == 32  # columns, an owner
        process.send_signal(signal.SIGTERM)
        assert process.stdout is not None
        assert process.stdout.read() == "Ended. Mails it would have sent to people: 0.\n"
        assert process.wait(10) == 0


def test_an_empty_one_has_no_list() -> None:
    with emulator("--empty") as (_, lines):
        assert not any("members" in line for line in lines)


def test_without_what_makes_its_certificate_it_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "cryptography.py").write_text("raise ImportError\n")
    without = {**ENVIRONMENT, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ENVIRONMENT['PYTHONPATH']}"}
    done = subprocess.run(COMMAND, env=without, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "pip install cryptography" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_told() -> None:
    with emulator("--empty") as (_, lines):
        port = next(line for line in lines if "  url " in line).rpartition(":")[2].partition("/")[0]
        done = subprocess.run([*COMMAND, "--port", port], env=ENVIRONMENT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "Choose another --port" in done.stderr


@pytest.mark.parametrize("guide", GUIDES, ids=["contributing", "guide", "guia"])
def test_the_documents_name_the_command_and_its_passwords(guide: str) -> None:
    for word in (
        "python -m migrator.testing.mailman2",
        "scripts/servers start mailman2",
        "list-secret",
        "site-secret-Kq3",
    ):
        assert word in guide
