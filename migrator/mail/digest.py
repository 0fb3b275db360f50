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

LONGEST_LINE = 998 + 1  # RFC 5322, 2.1.1; the CR is counted as well

_HEADER_END = re.compile(rb"\n\r?\n")
_LINE_FEEDS = b"\n" * 4096
_NUL_AS_0X80 = b"\x80" + bytes(range(1, 256))
_ALL_BUT_ENDS = bytes(set(range(256)) - set(b"\r\n\0"))


@dataclass(frozen=True, slots=True)
class Digests:
    """SHA-256 of a message as stored and of its canonical form, in hexadecimal; and its size in bytes as stored."""

    raw: str
    canonical: str
    size: int


@dataclass(frozen=True, slots=True)
class Traits:
    """What of a message servers refuse or rewrite.

    `bare_lf`, `bare_cr`, `nul` count bytes; `final_newlines` counts the LF of the very end; `longest_line` is the octets before
    the LF of the longest line, 0 where no line is longer than mail allows.
    """

    size: int
    bare_lf: int
    bare_cr: int
    nul: int
    final_newlines: int
    eight_bit_header: bool
    longest_line: int

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
        """Whether some server would refuse or rewrite this message."""
        return bool(
            self.bare_lf
            or self.bare_cr
            or self.nul
            or self.empty
            or self.no_final_newline
            or self.eight_bit_header
            or self.longest_line
        )


def digests(chunks: Iterable[bytes]) -> Digests:
    """Both digests of one message, read once. How it is cut into pieces makes no difference."""
    raw, canonical = sha256(), sha256()
    size = held = 0  # held: line feeds that are the end of the message unless more comes
    for chunk in chunks:
        size += len(chunk)
        raw.update(chunk)
        plain = chunk.translate(_NUL_AS_0X80, b"\r")
        text = plain.rstrip(b"\n")
        if not text:
            held += len(plain)
            continue
        for block in _line_feeds(held):
            canonical.update(block)
        canonical.update(text)
        held = len(plain) - len(text)
    return Digests(raw.hexdigest(), canonical.hexdigest(), size)


def traits(chunks: Iterable[bytes]) -> Traits:
    """The traits of one message, read once. How it is cut into pieces makes no difference."""
    size = lf = cr = crlf = nul = final = open_line = 0
    longest = LONGEST_LINE
    before = b"\n"  # the last bytes seen; a message that starts with an empty line has an empty header
    in_header, eight_bit = True, False
    for chunk in chunks:
        if not chunk:
            continue
        size += len(chunk)
        ends = chunk.translate(None, _ALL_BUT_ENDS)  # a few bytes, counted three times for the price of one look
        lf += ends.count(b"\n")
        cr += ends.count(b"\r")
        nul += ends.count(b"\0")
        crlf += chunk.count(b"\r\n") + (before.endswith(b"\r") and chunk.startswith(b"\n"))
        text = chunk.rstrip(b"\r\n")
        final = chunk.count(b"\n", len(text)) + (0 if text else final)
        open_line, longest = _longest_line(chunk, open_line, longest)
        if in_header:
            end = _HEADER_END.search(before + chunk)
            header = chunk[: end.end() - len(before)] if end else chunk
            eight_bit = eight_bit or not header.isascii()
            in_header = end is None
        before = (before + chunk[-2:])[-2:]
    return Traits(
        size=size,
        bare_lf=lf - crlf,
        bare_cr=cr - crlf,
        nul=nul,
        final_newlines=final,
        eight_bit_header=eight_bit,
        longest_line=longest if longest > LONGEST_LINE else 0,
    )


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


def _longest_line(chunk: bytes, carried: int, longest: int) -> tuple[int, int]:
    """The length of the line that is open at the end of `chunk`, and of the longest one so far; `carried` was open before it.

    Looks for the last LF within reach of the longest line instead of for every LF, so short lines cost nothing.
    """
    start = -carried
    while (reach := start + longest + 1) <= len(chunk):
        last = chunk.rfind(b"\n", max(start, 0), reach)
        if last < 0:
            last = chunk.find(b"\n", reach)
            if last < 0:
                return len(chunk) - start, len(chunk) - start
            longest = last - start
        start = last + 1
    last = chunk.rfind(b"\n", max(start, 0))
    return len(chunk) - (start if last < 0 else last + 1), longest
