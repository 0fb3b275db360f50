"""What identifies a message's content, also after a server has tidied it.

The raw digest says "byte for byte". The canonical one is that of the message's tidy form and does not see what servers are known to
rewrite when they store a message: every line ends in CRLF, a CR alone is left out, NUL counts as 0x80, one line end stands at the very
end. Raw different and canonical equal means that nothing was lost, and `rule` names what was rewritten; canonical different
means altered.

Everything works on pieces of any size, so a message never has to be in memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from hashlib import sha256
from io import IncrementalNewlineDecoder
from itertools import chain

from migrator.frozen import dataclass

ALTERED = "altered"

_HEADER_END = re.compile(rb"\n\r?\n")
_LINE_ENDS = 4096
_MASK = bytes(range(0x80)) + b"X" * 0x80
_HASHED_UNDER_LOCK = 2047  # the most bytes that hashlib hashes without letting go of the interpreter's lock
_HASHED_ALONE = 64 * 1024  # bytes; hashing more takes longer than getting the lock back


@dataclass(frozen=True, slots=True)
class Digests:
    """SHA-256 of a message as stored and of its canonical form, in hexadecimal; and its size in bytes as stored."""

    raw: str
    canonical: str
    size: int


@dataclass(frozen=True, slots=True)
class Traits:
    """What of a message servers refuse or rewrite. `bare_lf`, `bare_cr`, `nul` count bytes; `final_newlines` the LF of the very end."""

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
    pieces = iter(chunks)
    whole = next(pieces, b"")
    second = next(pieces, None)
    return _examine_whole(whole) if second is None else _examine_pieces(chain((whole, second), pieces))


def _examine_whole(message: bytes) -> tuple[Digests, Traits]:
    """The usual case, and the one a copy's time goes into: a tidy message is its own canonical form, so it is hashed once."""
    size = len(message)
    raw = _sha256(message)
    text, eight_bit_header = _text_of(message)
    if (
        "\0" not in text
        and message.endswith(b"\r\n")
        and message[-3:-2] not in {b"", b"\r", b"\n"}
        and _only_crlf(text)
    ):
        return Digests(raw, raw, size), Traits(size, 0, 0, 0, 1, eight_bit_header)
    pairs = message.count(b"\r\n")
    final = message.count(b"\n", len(message.rstrip(b"\r\n")))
    seen = Traits(
        size,
        message.count(b"\n") - pairs,
        message.count(b"\r") - pairs,
        message.count(b"\0"),
        final,
        eight_bit_header,
    )
    return Digests(raw, _canonical(message), size), seen


def _text_of(message: bytes) -> tuple[str, bool]:
    """One character for each byte; and whether the header has any that is not ASCII."""
    try:
        return message.decode("ascii"), False
    except UnicodeDecodeError:
        return message.decode("latin-1"), _eight_bit_header(message)


def _sha256(message: bytes) -> str:
    """The digest of a whole message. Of a larger piece hashlib lets go of the interpreter's lock, which pays for a large message
    alone: several thousand times a second all threads of a copy would wait for each other, longer than hashing takes.
    """
    if len(message) > _HASHED_ALONE:
        return sha256(message).hexdigest()
    digest = sha256()
    view = memoryview(message)
    for start in range(0, len(message), _HASHED_UNDER_LOCK):
        digest.update(view[start : start + _HASHED_UNDER_LOCK])
    return digest.hexdigest()


def _only_crlf(text: str) -> bool:
    """Whether every line ends in CRLF and no CR or LF stands alone. Measured: a third of what counting them costs."""
    decoder = IncrementalNewlineDecoder(None, translate=False)
    decoder.decode(text, final=True)
    return decoder.newlines == "\r\n"


def _examine_pieces(pieces: Iterable[bytes]) -> tuple[Digests, Traits]:
    raw, canonical = sha256(), _Canonical()
    size = lf = cr = pairs = nul = final = 0
    ends_with_cr = eight_bit = False
    in_header, before = True, b""
    for piece in filter(None, pieces):
        raw.update(piece)
        canonical.update(piece)
        size += len(piece)
        lf += piece.count(b"\n")
        cr += piece.count(b"\r")
        nul += piece.count(b"\0")
        pairs += piece.count(b"\r\n") + (ends_with_cr and piece.startswith(b"\n"))
        ends_with_cr = piece.endswith(b"\r")
        text = piece.rstrip(b"\r\n")
        final = piece.count(b"\n", len(text)) + (0 if text else final)
        if in_header:
            seam = before + piece  # the empty line may lie across two pieces
            in_header = _HEADER_END.search(seam) is None
            eight_bit = eight_bit or _eight_bit_header(seam)
            before = seam[-2:]
    return Digests(raw.hexdigest(), canonical.hexdigest(), size), Traits(
        size, lf - pairs, cr - pairs, nul, final, eight_bit
    )


class _Canonical:
    """SHA-256 of the tidy form of what it is fed, piece by piece."""

    def __init__(self) -> None:
        self._hash = sha256()
        self._held = 0  # line ends that are the end of the message unless more comes
        self._any_text = False

    def update(self, piece: bytes) -> None:
        plain = piece.replace(b"\r", b"").replace(b"\0", b"\x80")
        text = plain.rstrip(b"\n")
        if text:
            for block in _line_ends(self._held):
                self._hash.update(block)
            self._hash.update(text.replace(b"\n", b"\r\n"))
            self._held = 0
            self._any_text = True
        self._held += len(plain) - len(text)

    def hexdigest(self) -> str:
        if self._any_text:
            self._hash.update(b"\r\n")
        return self._hash.hexdigest()


def _canonical(message: bytes) -> str:
    canonical = _Canonical()
    canonical.update(message)
    return canonical.hexdigest()


def _eight_bit_header(piece: bytes) -> bool:
    end = _HEADER_END.search(piece)
    return not piece[: end.end() if end else None].isascii()


def masked_digest(chunks: Iterable[bytes]) -> str:
    """The canonical digest of a message whose header was masked: an X for each of its bytes that is not ASCII, as Cyrus writes it with
    `munge8bit`. That loses something, so it is no canonical form; it is what such a message is known again by.
    """
    canonical = _Canonical()
    for piece in _masked(chunks):
        canonical.update(piece)
    return canonical.hexdigest()


def _masked(pieces: Iterable[bytes]) -> Iterator[bytes]:
    in_header, before = True, b""
    for piece in pieces:
        if not in_header:
            yield piece
            continue
        seam = before + piece  # the empty line may lie across two pieces
        end = _HEADER_END.search(seam)
        length = end.end() - len(before) if end else len(piece)
        yield piece[:length].translate(_MASK) + piece[length:]
        in_header, before = end is None, seam[-2:]


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


def _line_ends(count: int) -> Iterator[bytes]:
    while count > 0:
        yield b"\r\n" * min(count, _LINE_ENDS)
        count -= _LINE_ENDS
