"""LDIF (RFC 2849) as bytes and attributes: entries cut at blank lines, folded lines, base64, and back.

What surprises: a value that is no plain ASCII stands in base64 behind two colons; one behind `:<` names a file or an address, which is
not fetched, only told. A line may be folded in the middle of a letter, so lines are joined as bytes.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from migrator.frozen import dataclass

WIDTH = 76
LARGEST_ENTRY = 32 * 1024 * 1024  # of memory; a file without a blank line must not fill it

_SAFE = re.compile(rb"[\x01-\x09\x0b\x0c\x0e-\x1f\x21-\x39\x3b\x3d-\x7f][\x01-\x09\x0b\x0c\x0e-\x7f]*")
_LINE = re.compile(rb"([A-Za-z][A-Za-z0-9-]*(?:;[A-Za-z0-9-]+)*|[0-9]+(?:\.[0-9]+)*):([:<]?)[ ]*(.*)", re.DOTALL)
_ESCAPED_IN_DN = re.compile(r'([,+"\\<>;=])')


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: its attributes in order, names as they stand there. `dropped` tells in words what could not be read."""

    attributes: tuple[tuple[str, bytes], ...]
    dropped: tuple[str, ...] = ()

    def texts(self, *names: str) -> list[str]:
        """The values of attributes of these names, whatever their case and options, as texts."""
        wanted = {name.lower() for name in names}
        return [text_of(value) for name, value in self.attributes if base_of(name) in wanted]

    def first(self, *names: str) -> str:
        """The first of them; "" without one."""
        return next(iter(self.texts(*names)), "")


def entries(file: BinaryIO, start: int = 0) -> Iterator[tuple[int, bytes]]:
    """The entries of a file from a place on, each with its own and the blank line that ends it. A line that only counts the version is no
    entry.
    """
    file.seek(start)
    lines: list[bytes] = []
    size, begin, at = 0, start, start
    for line in file:
        blank = not line.strip(b"\r\n\t ")
        if blank or size > LARGEST_ENTRY:
            if _says_something(lines):
                yield begin, b"".join([*lines, line] if blank else lines)
            lines, size = [], 0
        if not blank:
            if not lines:
                begin = at
            lines.append(line)
            size += len(line)
        at += len(line)
    if _says_something(lines):
        yield begin, b"".join(lines)


def read(raw: bytes) -> Entry:
    """An entry from its bytes."""
    attributes: list[tuple[str, bytes]] = []
    dropped: list[str] = []
    for number, line in _logical(raw.removeprefix(b"\xef\xbb\xbf")):
        found = _LINE.fullmatch(line)
        if found is None:
            dropped.append(f"line {number} is no attribute: {line[:60].decode('utf-8', 'replace')}")
            continue
        name, kind, value = found[1].decode(), found[2], found[3]
        if kind == b"<":
            dropped.append(
                f"line {number}: the value of {name} is somewhere else ({value[:60].decode('utf-8', 'replace')})"
            )
            continue
        if kind == b":":
            try:
                value = b64decode(value)
            except binascii.Error:
                dropped.append(f"line {number}: the value of {name} is no base64")
                continue
        if name.lower() == "version" and not attributes:
            continue
        attributes.append((name, value))
    return Entry(tuple(attributes), tuple(dropped))


def written(attributes: Iterable[tuple[str, bytes]]) -> bytes:
    """An entry's bytes, with the blank line that ends it."""
    lines = []
    for name, value in attributes:
        if _SAFE.fullmatch(value) and not value.endswith(b" "):
            lines.append(_folded(f"{name}: ".encode() + value))
        elif not value:
            lines.append(f"{name}:\r\n".encode())
        else:
            lines.append(_folded(f"{name}:: ".encode() + b64encode(value)))
    return b"".join([*lines, b"\r\n"])


def name_in_dn(text: str) -> str:
    """A text as it stands in a distinguished name (RFC 4514, 2.4)."""
    plain = _ESCAPED_IN_DN.sub(r"\\\1", text).replace("\n", " ").replace("\0", "")
    if plain[:1] in {" ", "#"}:
        plain = f"\\{plain}"
    return f"{plain[:-1]}\\ " if plain.endswith(" ") and not plain.endswith("\\ ") else plain


def text_of(value: bytes) -> str:
    """A value as text: UTF-8 as the format says, else the Windows code page."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("cp1252", "replace")


def base_of(name: str) -> str:
    """An attribute's name without its options, in lower case (`description;lang-de`)."""
    return name.partition(";")[0].lower()


def _says_something(lines: list[bytes]) -> bool:
    """Whether these lines are an entry: not only comments and the version."""
    return any(line[:1] not in {b"#", b" "} and not line.lower().startswith(b"version:") for line in lines)


def _logical(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """The lines of an entry, unfolded, without comments."""
    whole: bytes | None = None
    begin = 0
    for number, line in enumerate(raw.split(b"\n"), start=1):
        plain = line.removesuffix(b"\r")
        if plain.startswith(b" ") and whole is not None:
            whole += plain[1:]
            continue
        if whole is not None and not whole.startswith(b"#"):
            yield begin, whole
        whole, begin = plain or None, number
    if whole is not None and not whole.startswith(b"#"):
        yield begin, whole


def _folded(line: bytes) -> bytes:
    pieces = [line[:WIDTH], *(line[at : at + WIDTH - 1] for at in range(WIDTH, len(line), WIDTH - 1))]
    return b"\r\n ".join(pieces) + b"\r\n"
