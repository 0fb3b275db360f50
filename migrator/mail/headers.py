"""The header block of a message, read without understanding the message: enough to find a field in mail of any kind.

Nothing here raises on broken mail: a block that never ends is cut at LIMIT, a line without a colon is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from migrator.mail.model import MB

LIMIT = 1 * MB  # how far the end of a header is looked for; the longest honest ones are some hundred kilobytes

_END = re.compile(rb"\r?\n\r?\n")
_FOLD = re.compile(rb"\r?\n(?=[ \t])")
_IN_ANGLES = re.compile(rb"<([^>]*)>")


def header_block(chunks: Iterable[bytes]) -> bytes:
    """Everything before the first blank line, at most LIMIT bytes; empty when the message starts with its body."""
    block = b""
    for chunk in chunks:
        looked_at = max(len(block) - 3, 0)
        block += chunk
        if block[:1] == b"\n" or block[:2] == b"\r\n":
            return b""
        if end := _END.search(block, looked_at):
            return block[: end.start()]
        if len(block) >= LIMIT:
            return block[:LIMIT]
    return block


def fields(block: bytes, name: str) -> list[bytes]:
    """The values of every field of this name, in order, unfolded and without surrounding blanks."""
    return [_FOLD.sub(b"", value).strip() for value in _pattern(name).findall(block)]


def message_id(block: bytes) -> str:
    """What stands between the angle brackets of the first Message-ID; its whole value where there are none; "" without one."""
    for value in fields(block, "Message-ID"):
        inside = _IN_ANGLES.search(value)
        return (inside[1] if inside else value).strip().decode("latin-1")
    return ""


@lru_cache(maxsize=32)
def _pattern(name: str) -> re.Pattern[bytes]:
    # [^\n] and not a dot-all: a field ends where the next line does not begin with a blank.
    return re.compile(
        rb"^" + re.escape(name.encode()) + rb"[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)", re.IGNORECASE | re.MULTILINE
    )
