"""`python -m migrator.testing.mailman2`: an emulated Mailman 2.1 on loopback, with lists to move, until it is told to end.

It runs on Python alone, but for its certificate: that is made with the package cryptography, or `--certificate` names a file.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from migrator.testing.mailman2.people import populate
from migrator.testing.mailman2.server import Mailman2

PASSWORD = "list-secret"


def main(words: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM, then say what mails it would have sent; 0, or 1 with a sentence where it cannot be started."""
    asked = _grammar().parse_args(words)
    ended = threading.Event()
    for kind in (signal.SIGINT, signal.SIGTERM):
        signal.signal(kind, lambda *_: ended.set())
    try:
        mailman = Mailman2(port=asked.port, pem=asked.certificate)
    except ImportError:
        sys.stderr.write(
            "The emulator's certificate is made with the package cryptography, which is not here. Install it (pip install cryptography), or "
            "name a file with a certificate and its key: --certificate FILE.\n"
        )
        return 1
    except OSError as error:
        sys.stderr.write(f"It cannot be started: {error}. Choose another --port or --certificate.\n")
        return 1
    with mailman:
        if not asked.empty:
            _fill(mailman, asked.members)
        _introduce(mailman)
        ended.wait()
    _say(f"Ended. Mails it would have sent to people: {len(mailman.mails):,}.")
    return 0


def _fill(mailman: Mailman2, members: int) -> None:
    news: dict[str, Any] = {"description": "News for all", "subscribe_policy": 2, "ban_list": ("^.*@spam\\.example$",)}
    populate(mailman.give_list("announce", password=PASSWORD, advertised=1, **news), members, languages=("de",))
    board: dict[str, Any] = {"description": "The board", "default_member_moderation": 1, "reply_goes_to_list": 1}
    populate(mailman.give_list("board", password=PASSWORD, advertised=1, **board), min(members, 12))


def _introduce(mailman: Mailman2) -> None:
    lines = [
        f"Mailman 2.1 is emulated on this machine until Ctrl-C, or kill {os.getpid()}. What is changed in it is forgotten then.",
        f"  url              {mailman.base}",
        f"  tls_fingerprint  {mailman.fingerprint}",
        f"  list password    {PASSWORD} (of every list)",
        f"  site password    {mailman.SITE_PASSWORD} (opens every list, and makes new ones)",
        *(f"  list             {one.address}, {len(one.members):,} members" for one in mailman.kept.values()),
        "In a plan, with MAILMAN2_PASSWORD in the environment:",
        "  secrets: {mailman2: {env: MAILMAN2_PASSWORD}}",
        f'  old: {{lists: {{type: mailman2, url: "{mailman.base}", tls_fingerprint: "{mailman.fingerprint}", site_password: mailman2}}}}',
    ]
    _say("\n".join(lines))


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _grammar() -> argparse.ArgumentParser:
    grammar = argparse.ArgumentParser(
        prog="python -m migrator.testing.mailman2",
        description="An emulated Mailman 2.1 on loopback, with the lists announce@example.com and board@example.com.",
    )
    grammar.add_argument(
        "--members", type=int, default=60, help="of announce; from 640 on every combination of options (60)"
    )
    grammar.add_argument("--empty", action="store_true", help="without lists, as a target")
    grammar.add_argument("--port", type=int, default=0, help="a free one unless given")
    grammar.add_argument("--certificate", type=Path, help="a PEM file with a certificate for 127.0.0.1 and its key")
    return grammar


if __name__ == "__main__":
    sys.exit(main())
