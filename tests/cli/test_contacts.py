"""Whole commands about address books, as a person types them: vCard files are moved by the real program in its own process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import migrator

PLAN = """\
version: 1
name: example-com
endpoints:
  old:
    contacts: {type: vcards, path: in}
  new:
    contacts: {type: vcards, path: out}
accounts: [ann@example.com, bob@example.com]
steps: [contacts]
"""
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(migrator.__file__).parent.parent), "TZ": "UTC", "COLUMNS": "100"}


class Office:
    """A folder with a plan and address books in it, and the program to run there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "plan.yaml").write_text(PLAN)
        self.book("ann@example.com/Friends", "Ana", "Zoe")
        self.book("bob@example.com/Work", *(f"Person {number}" for number in range(8)))

    def book(self, name: str, *people: str) -> None:
        path = self.folder / "in" / f"{name}.vcf"
        path.parent.mkdir(parents=True, exist_ok=True)
        cards = [
            f"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{one}\r\nFN:{one}\r\nN:{one};;;;\r\nEND:VCARD\r\n" for one in people
        ]
        path.write_text("".join(cards))

    def does(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "migrator", *words],
            cwd=self.folder,
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            timeout=120,
        )


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def test_a_book_that_a_run_gave_up_is_told_by_verify_as_not_moved_once(office: Office) -> None:
    in_the_way = office.folder / "out" / "bob@example.com"
    in_the_way.parent.mkdir()
    in_the_way.write_text("no folder")
    office.does("run", "plan.yaml")
    in_the_way.unlink()

    told = office.does("verify", "plan.yaml")

    assert told.returncode == 7
    assert (
        "1 address book with 2 cards compared: 0 differences. Not moved, so not compared: 1 address book.\n"
        in told.stdout
    )
    assert told.stdout.count("\n  Work: making Work.vcf of bob@example.com: ") == 1
    assert "Person" not in told.stdout
