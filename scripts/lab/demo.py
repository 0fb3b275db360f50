"""The whole journey in one command: two servers, a plan, check, preview, run, verify, report. `scripts/demo` is its command."""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab import dovecot, environment, ground, packages, seed
from lab.ground import LabError
from lab.packages import CHECKOUT

VERBS = ("check", "preview", "run", "verify", "report")


def main(words: Sequence[str] | None = None) -> int:
    """Show migrator at work; 0 when every verb ended well."""
    grammar = argparse.ArgumentParser(
        prog="scripts/demo", description="Move three mailboxes between two servers on this machine."
    )
    grammar.add_argument("--embedded", action="store_true", help="without servers: from an mbox into a Maildir")
    grammar.add_argument("--keep", action="store_true", help="keep the plan, the mail and the report at the end")
    asked = grammar.parse_args(words)
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # so that what is left behind is taken away
    try:
        return show(environment.prepare("requirements.txt"), embedded=asked.embedded, keep=asked.keep)
    except LabError as error:
        print(f"scripts/demo: {error}", file=sys.stderr)
        return 1


def show(programs: Path, *, embedded: bool, keep: bool) -> int:
    """The journey with these programs, in a folder of its own, which is taken away at the end, also when it is stopped; unless it is to be
    kept, or something failed.
    """
    folder = Path(tempfile.mkdtemp(prefix="migrator-demo-"))
    ended = 0
    failed = False
    try:
        ground.prepare(folder)
        journey = _between_servers if not embedded and _can_serve() else _embedded
        ended = journey(programs, folder)
    except Exception:
        failed = True
        raise
    finally:
        if keep:
            report = next(iter(sorted(folder.glob("*report*.html"))), None)
            print(f"\nKept is {folder}{f', the report is {report}' if report else ''}.")
        elif failed or ended:
            words = f"so {folder} is kept, with the plan, the state and the servers' logs."
            print(f"\nIt did not come to its end, {words}", file=sys.stderr)
        else:
            shutil.rmtree(folder, ignore_errors=True)
            print("\nEverything the demo made is taken away again. To read the report: scripts/demo --keep")
    return ended


def _can_serve() -> bool:
    try:
        packages.install(["dovecot"])
    except LabError as error:
        print(
            f"Dovecot cannot be installed here: {error}\nSo the demo goes the embedded way: from an mbox into a Maildir."
        )
        return False
    return True


def _between_servers(programs: Path, folder: Path) -> int:
    password = secrets.token_urlsafe(12)
    users = dict.fromkeys(seed.MAILBOXES, password)
    servers: dict[str, ground.Server] = {}
    try:
        for name in dovecot.SHAPES:
            # The new host has its own folders for sent mail and the like, in its own language.
            servers[name] = dovecot.start(name, folder, users, dovecot.Options(auto_folders=name == "dovecot-slash"))
            ground.write_down(folder, servers)
            print(f"{name} answers on {servers[name].host}:{servers[name].port}")
        source, target = servers["dovecot-inbox"], servers["dovecot-slash"]
        print(f"{seed.seed(source, CHECKOUT / 'fixtures' / 'messages'):,} messages are on dovecot-inbox")
        plan = _plan("demo.yaml", folder, {"11143": str(source.port), "12143": str(target.port)})
        return _journey(programs, plan, {"DEMO_PASSWORD": password})
    finally:
        for server in servers.values():
            ground.end(server.processes)
        ground.write_down(folder, {})


def _embedded(programs: Path, folder: Path) -> int:
    # A copy, so that the journey touches nothing in the checkout.
    shutil.copytree(CHECKOUT / "fixtures" / "mbox", folder / "mbox")
    plan = _plan("mbox-to-maildir.yaml", folder, {"../fixtures/mbox": "mbox", "../var/mail": "maildir"})
    return _journey(programs, plan, {})


def _plan(name: str, folder: Path, changes: Mapping[str, str]) -> Path:
    text = (CHECKOUT / "plans" / name).read_text()
    for shipped, here in changes.items():
        if shipped not in text:
            raise LabError(f"plans/{name} does not say {shipped} any more; the demo would not reach what it started.")
        text = text.replace(shipped, here)
    plan = folder / name
    plan.write_text(text)
    return plan


def _journey(programs: Path, plan: Path, secret: Mapping[str, str]) -> int:
    for verb in VERBS:
        print(f"\n$ migrator {verb} {plan}", flush=True)
        ended = subprocess.run(
            [programs / "migrator", verb, plan], env={**os.environ, **secret}, cwd=plan.parent, check=False
        )
        if ended.returncode != 0:
            print(f"migrator {verb} ended with {ended.returncode}.", file=sys.stderr)
            return ended.returncode
    return 0
