"""What identifies a message's content, also after a server has tidied it.

Two digests are taken in one pass. The raw one says "byte for byte". The canonical one does not see what servers are known to
rewrite when they store a message: every CR is left out, NUL counts as 0x80, line ends at the very end are left out. Raw
different and canonical equal means that nothing was lost, and `rule` names what was rewritten; canonical different means altered.

Everything works on pieces of any size, so a message never has to be in memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256

ALTERED = "altered"

_HEADER_END = re.compile(rb"\n\r?\n")
_LINE_FEEDS = b"\n" * 4096


@dataclass(frozen=True, slots=True)
class Digests:
    """SHA-256 of a message as stored and of its canonical form, in hexadecimal; and its size in bytes as stored."""

    raw: str
    canonical: str
    size: int


@dataclass(frozen=True, slots=True)
class Traits:
    """What of a message servers refuse or rewrite. `bare_lf`, `bare_cr`, `nul` count bytes; `final_newlines` the LF of the very end.
    `eight_bit_header` may be set for nothing where a blank line falls between two pieces, never left out for nothing.
    """

    size: int
    bare_lf: int
    bare_cr: int
    nul: int
    final_newlines: int
    eight_bit_header: bool = False

    @property
    def empty(self) -> bool:
        """Whether there is no byte at all."""
        return not self.size

    @property
    def no_final_newline(self) -> bool:
        """Whether the last line has no end."""
        return bool(self.size) and not self.final_newlines

    @property
    def odd(self) -> bool:
        """Whether some server would rewrite this message."""
        return bool(
            self.bare_lf or self.bare_cr or self.nul or self.empty or self.no_final_newline or self.eight_bit_header
        )


def examine(chunks: Iterable[bytes]) -> tuple[Digests, Traits]:
    """Digests and traits of one message, read once. How it is cut into pieces makes no difference."""
    raw, canonical = sha256(), sha256()
    size = lf = cr = crlf = nul = held = 0  # held: line feeds that are the end of the message unless more comes
    ends_with_cr = eight_bit = False
    in_header = True
    for chunk in filter(None, chunks):
        size += len(chunk)
        raw.update(chunk)
        if in_header:
            end = _HEADER_END.search(chunk)
            in_header = end is None
            eight_bit = eight_bit or not chunk[: end.end() if end else None].isascii()
        plain = chunk.replace(b"\r", b"")
        cr += len(chunk) - len(plain)
        lf += plain.count(b"\n")
        crlf += chunk.count(b"\r\n") + (ends_with_cr and chunk.startswith(b"\n"))
        ends_with_cr = chunk.endswith(b"\r")
        if b"\0" in plain:
            nul += plain.count(b"\0")
            plain = plain.replace(b"\0", b"\x80")
        text = plain.rstrip(b"\n")
        if not text:
            held += len(plain)
            continue
        for block in _line_feeds(held):
            canonical.update(block)
        canonical.update(text)
        held = len(plain) - len(text)
    digests = Digests(raw.hexdigest(), canonical.hexdigest(), size)
    return digests, Traits(
        size, bare_lf=lf - crlf, bare_cr=cr - crlf, nul=nul, final_newlines=held, eight_bit_header=eight_bit
    )


def digests(chunks: Iterable[bytes]) -> Digests:
    """Only the digests of a message."""
    return examine(chunks)[0]


def traits(chunks: Iterable[bytes]) -> Traits:
    """Only the traits of a message."""
    return examine(chunks)[1]


def rule(source: Digests, source_traits: Traits, target: Digests, target_traits: Traits) -> str:
    """What the target did to a message when it stored it: "" for nothing, the rules by name ("line ends made CRLF, NUL became
    0x80"), or ALTERED if no known rule explains the difference.
    """
    if source.raw == target.raw:
        return ""
    if source.canonical != target.canonical:
        return ALTERED
    lf = target_traits.bare_lf - source_traits.bare_lf
    cr = target_traits.bare_cr - source_traits.bare_cr
    end = target_traits.final_newlines - source_traits.final_newlines
    nul = target_traits.nul - source_traits.nul
    rules = [
        "line ends made CRLF" if lf < min(end, 0) else "",
        "line ends made LF" if lf > max(end, 0) else "",
        "bare CR removed" if cr < 0 else "",
        "bare CR added" if cr > 0 else "",
        "NUL became 0x80" if nul < 0 else "",
        "0x80 became NUL" if nul > 0 else "",
        "CRLF added at the end" if end > 0 else "",
        "line ends removed at the end" if end < 0 else "",
    ]
    # What is left when no count tells a difference: a CR that stands elsewhere.
    return ", ".join(filter(None, rules)) or "line ends rewritten"


def to_crlf(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The message with every bare LF made CRLF, as RFC 3501 asks of a literal; `size + bare_lf` bytes in all.

    CRLF stays, and a bare CR stays as well: it ends no line, and most servers keep it.
    """
    held = b""
    for chunk in chunks:
        piece = held + chunk
        held = b"\r" if piece.endswith(b"\r") else b""  # its LF may be the next byte
        if held:
            piece = piece[:-1]
        if piece:
            yield piece.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    if held:
        yield held


def _line_feeds(count: int) -> Iterator[bytes]:
    while count > 0:
        yield _LINE_FEEDS[:count]
        count -= len(_LINE_FEEDS)
