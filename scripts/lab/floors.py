"""Runs the tests floor by floor, from the fastest to the one with real servers, and counts them. `scripts/test` is its command."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab import environment, packages
from lab.ground import LabError
from lab.packages import CHECKOUT

FLOORS = ("unit", "contract", "crash", "cli", "servers")
SERVERS = (
    "dovecot", "cyrus", "courier", "postgresql", "mariadb", "modoboa", "radicale", "xandikos", "roundcube", "mailman3",
    "phpmyadmin", "lighttpd", "mysqlclient",
)  # fmt: skip
LIMIT = 3600  # seconds for a floor; pytest's own timeout ends a single test much earlier


@dataclass(frozen=True)
class Tally:
    """What became of one floor's tests. `sound` is pytest's own verdict."""

    floor: str
    passed: int
    failed: int
    skipped: int
    seconds: float
    sound: bool

    @property
    def good(self) -> bool:
        """A floor without a single test proves nothing, so it is not good."""
        return self.sound and self.failed == 0 and self.passed > 0


def main(words: Sequence[str] | None = None) -> int:
    """Check the style, the types and the floors asked for; 0 when all is good."""
    grammar = argparse.ArgumentParser(prog="scripts/test", description="Style, types, then every floor of tests.")
    grammar.add_argument("floor", nargs="*", type=_floor, metavar="FLOOR", help=f"only these: {', '.join(FLOORS)}")
    asked = grammar.parse_args(words)
    floors = asked.floor or FLOORS
    try:
        programs = environment.prepare("requirements-test.txt")
        if "servers" in floors:
            packages.install(SERVERS)
            environment.prepare("requirements-mysqlclient.txt")
    except LabError as error:
        print(f"scripts/test: {error}", file=sys.stderr)
        return 1
    clean = bool(asked.floor) or _clean(programs)
    with tempfile.TemporaryDirectory(prefix="migrator-test-") as results:
        tallies = [_run(floor, programs, Path(results)) for floor in floors]
    return _say(tallies, clean=clean)


def _floor(text: str) -> str:
    if text not in FLOORS:
        raise argparse.ArgumentTypeError(f"{text!r} is not one of {', '.join(FLOORS)}")
    return text


def _clean(programs: Path) -> bool:
    checks = (["ruff", "check"], ["ruff", "format", "--check"], ["mypy"])
    clean = True
    for program, *options in checks:
        print(f"== {' '.join([program, *options])}", flush=True)
        clean &= subprocess.run([programs / program, *options], cwd=CHECKOUT, check=False).returncode == 0
    return clean


def _run(floor: str, programs: Path, results: Path) -> Tally:
    print(f"== {floor}", flush=True)
    outcome = results / f"{floor}.xml"
    places: list[str | Path] = [f"tests/{floor}"]
    if floor == "unit":
        places += sorted((CHECKOUT / "tests").glob("test_*.py"))
    # Many tests wait for a server or a program, so one for each core run at a time; those of a file stay together, with its servers.
    at_a_time = ["-n", str(os.cpu_count() or 1), "--dist", "loadfile"]
    command = [programs / "python", "-m", "pytest", "-q", f"--junitxml={outcome}", *at_a_time, *places]
    try:
        sound = subprocess.run(command, cwd=CHECKOUT, check=False, timeout=LIMIT).returncode == 0
    except subprocess.TimeoutExpired:
        print(f"pytest did not end within {LIMIT // 60} minutes and was stopped.", flush=True)
        sound = False
    if not outcome.exists():
        return Tally(floor, 0, 0, 0, 0.0, sound=False)
    suites = ET.parse(outcome).getroot().findall("testsuite")
    total, failures, errors, skipped = (
        sum(int(suite.get(name, "0")) for suite in suites) for name in ("tests", "failures", "errors", "skipped")
    )
    failed = failures + errors
    seconds = sum(float(suite.get("time", "0")) for suite in suites)
    return Tally(floor, total - failed - skipped, failed, skipped, seconds, sound)


def _say(tallies: Sequence[Tally], *, clean: bool) -> int:
    print(f"\n{'floor':10}{'passed':>8}{'failed':>8}{'skipped':>8}{'seconds':>9}")
    for tally in tallies:
        remark = (
            "" if tally.good or tally.failed else "   no tests ran" if not tally.passed else "   pytest ended badly"
        )
        print(f"{tally.floor:10}{tally.passed:8,}{tally.failed:8,}{tally.skipped:8,}{tally.seconds:9.1f}{remark}")
    if not clean:
        print("Style or types are not clean; see above.")
    print(f"{sum(tally.passed for tally in tallies)} passed, {sum(tally.failed for tally in tallies)} failed")
    return 0 if clean and all(tally.good for tally in tallies) else 1
