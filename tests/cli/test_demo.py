"""What scripts/demo leaves behind: nothing, what was asked for, or what tells why it failed."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def there(monkeypatch):
    """Where the demo makes its folder: below /tmp, which its servers' account may enter."""
    with tempfile.TemporaryDirectory(prefix="demo-test-", dir="/tmp") as name:
        Path(name).chmod(0o755)
        monkeypatch.setattr(tempfile, "tempdir", name)
        yield Path(name)


@pytest.fixture
def show(monkeypatch, there):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    from lab.demo import show

    return show


def test_the_demo_takes_away_what_it_made(show, there, capfd):
    assert show(Path(sys.executable).parent, embedded=True, keep=False) == 0
    assert list(there.iterdir()) == []
    assert capfd.readouterr().out.endswith("To read the report: scripts/demo --keep\n")


def test_the_demo_keeps_what_it_made_where_it_is_asked_to_and_says_where_the_report_is(show, there, capfd):
    assert show(Path(sys.executable).parent, embedded=True, keep=True) == 0
    (folder,) = there.iterdir()
    report = folder / "mbox-to-maildir.report.html"
    assert report.exists()
    assert capfd.readouterr().out.endswith(f"Kept is {folder}, the report is {report}.\n")


def test_a_demo_that_fails_keeps_what_it_made_and_says_where(show, there, capfd):
    with pytest.raises(FileNotFoundError):
        show(there / "nowhere", embedded=True, keep=False)
    (folder,) = there.iterdir()
    assert (folder / "mbox-to-maildir.yaml").exists()
    assert capfd.readouterr().err.endswith(
        f"It did not come to its end, so {folder} is kept, with the plan, the state and the servers' logs.\n"
    )


def test_a_verb_that_fails_is_a_demo_that_failed(show, there, capfd):
    programs = there / "programs"
    programs.mkdir()
    (programs / "migrator").write_text("#!/bin/sh\nexit 3\n")
    (programs / "migrator").chmod(0o755)
    assert show(programs, embedded=True, keep=False) == 3
    (folder,) = (one for one in there.iterdir() if one != programs)
    assert f"{folder} is kept" in capfd.readouterr().err


@pytest.mark.parametrize("ending", [KeyboardInterrupt, SystemExit])
def test_a_demo_that_was_stopped_takes_away_what_it_made(show, there, monkeypatch, ending):
    def stopped(*_words, **_options):
        raise ending

    monkeypatch.setattr(subprocess, "run", stopped)
    with pytest.raises(ending):
        show(Path(sys.executable).parent, embedded=True, keep=False)
    assert list(there.iterdir()) == []
