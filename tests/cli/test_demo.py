"""What scripts/demo leaves behind: nothing, or what was asked for."""

from __future__ import annotations

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


def test_the_demo_takes_away_what_it_made_when_it_fails_too(show, there):
    with pytest.raises(FileNotFoundError):
        show(there / "nowhere", embedded=True, keep=False)
    assert list(there.iterdir()) == []
