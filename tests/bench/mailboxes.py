"""Mailboxes to measure with, made from a seed: the same bytes every time. Written straight into a Maildir, which Dovecot reads as it
is, so that making them costs no protocol.
"""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

KB = 1024
MB = 1024 * KB
LINE = 76
LETTERS = "FRS"


def mixed(maildir: Path, *, messages: int = 5_000, megabytes: int = 155, folders: int = 20, seed: int = 1) -> None:
    """Many small messages, some large ones: sizes as in a real office, spread over folders; flags, keywords and old dates."""
    chance = random.Random(seed)
    weights = [chance.lognormvariate(2.4, 1.3) for _ in range(messages)]
    unit = megabytes * MB / sum(weights)
    names = ["", *(f".Cliente {n:02d}" for n in range(1, folders))]
    boxes = [_folder(maildir / name if name else maildir) for name in names]
    for number, weight in enumerate(weights):
        _put(boxes[number % folders], number, max(900, int(weight * unit)), chance)


def one_folder(maildir: Path, *, messages: int, size: int = 2 * KB, seed: int = 2) -> None:
    """One folder with many messages of one size."""
    chance = random.Random(seed)
    box = _folder(maildir)
    for number in range(messages):
        _put(box, number, size, chance)


def empty(path: Path) -> None:
    """Remove a mailbox with its indexes, leaving nothing."""
    shutil.rmtree(path, ignore_errors=True)


def _folder(path: Path) -> Path:
    for part in ("cur", "new", "tmp"):
        (path / part).mkdir(parents=True, exist_ok=True)
    if path.name.startswith("."):
        (path / "maildirfolder").touch()
    return path


def _put(box: Path, number: int, size: int, chance: random.Random) -> None:
    head = (
        f"From: Ana <ana@example.com>\r\nTo: office@example.com\r\nSubject: message {number}\r\n"
        f"Date: Mon, 01 Jan 2024 10:00:00 +0000\r\nMessage-ID: <{number}.{size}@example.com>\r\n"
        "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    ).encode()
    text = chance.randbytes((size - len(head)) // 2 + LINE).hex().encode()
    body = b"\r\n".join(text[start : start + LINE] for start in range(0, size - len(head), LINE + 2)) + b"\r\n"
    flags = "".join(letter for letter in LETTERS if chance.random() < 0.4)
    keyword = "a" if chance.random() < 0.1 else ""
    path = box / "cur" / f"{1_500_000_000 + number}.M{number}P1.bench,S={len(head + body)}:2,{flags}{keyword}"
    path.write_bytes(head + body)
    when = 1_500_000_000 + number * 3600
    os.utime(path, (when, when))
    (box / "dovecot-keywords").write_text("0 Urgente\n")
