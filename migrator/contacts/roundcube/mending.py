"""What the export of Roundcube 1.6 breaks in long lines, mended from the form of the contact.

It folds a card, then takes each fold away together with all white space around it (actions/contacts/export.php): blanks at a fold are
lost, and where a fold falls on the very end of a line, the next line is glued to it. Only the form still knows the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from migrator.contacts.roundcube.dialect import KEPT, escaped
from migrator.frozen import dataclass

UNFOLDED = 72  # bytes; a longer line is folded
STEP = 76  # bytes between two folds of plain letters
_CARD = re.compile(rb"^BEGIN:VCARD\r?$", re.MULTILINE)
_FOLD = re.compile(r"\r?\n[ \t]")
_END = re.compile(r"\r?\n")
_NEXT = re.compile(r"(?:END:VCARD$|(?:[A-Z0-9]+\.)?[A-Z][A-Z0-9-]*(?:;[^:;]+)*:)")
_SEPARATOR = re.compile(r"(?<!\\)((?:\\\\)*);")
_COMPONENTS = frozenset({"N", "ADR", "ORG"})


@dataclass(frozen=True, slots=True)
class _Broken:
    """A line as it came: what stands before its value, and the value, escaped."""

    head: str
    value: str

    @property
    def name(self) -> str:
        return self.head.partition(";")[0]


def cards(export: bytes) -> list[bytes]:
    """The cards of an export, each with what is left of its end."""
    places = [found.start() for found in _CARD.finditer(export)]
    return [export[start:end] for start, end in zip(places, [*places[1:], len(export)], strict=True)]


def may_be_broken(card: bytes) -> bool:
    """Whether a line of the card is long enough to have been broken."""
    return any(_is_long(line) for line in _lines(card.decode("utf-8", "replace")))


def mended(card: bytes, form: Iterable[str]) -> tuple[bytes, tuple[str, ...]]:
    """The card with its long lines as the form has them, and the names of those that the form does not have."""
    known = {_bare(text): text for text in map(escaped, form) if text}
    lines: list[str] = []
    left: list[str] = []
    waiting = list(_lines(card.decode("utf-8", "replace")))
    while waiting:
        line = waiting.pop(0)
        if not _is_long(line):
            lines.append(line)
            continue
        broken = _Broken(*line.split(":", 1))
        value, glued, sure = _from_form(broken, known)
        if glued:
            waiting.insert(0, glued)
        if not sure:
            left.append(broken.name)
        lines.append(f"{broken.head}:{value}")
    return "".join(f"{line}\r\n" for line in lines).encode(), tuple(dict.fromkeys(left))


def _lines(text: str) -> Iterator[str]:
    return (line for line in _END.split(_FOLD.sub("", text)) if line.strip())


def _is_long(line: str) -> bool:
    head = line.partition(":")[0]
    return (
        head != line
        and len(line.encode()) >= UNFOLDED
        and "ENCODING=B" not in head.upper()
        and head not in {KEPT, "UID", "REV"}
    )


def _from_form(broken: _Broken, known: Mapping[str, str]) -> tuple[str, str, bool]:
    """The value as it was, the line that was glued to it, and whether the form had it."""
    several = broken.name in _COMPONENTS
    pieces = _cut(broken.value) if several else [broken.value]
    found = [known.get(_bare(piece)) for piece in pieces]
    glued = ""
    if found[-1] is None and pieces[-1]:
        if several and _NEXT.match(pieces[-1]):
            found[-1], glued = "", pieces[-1]
        else:
            found[-1], glued = _unglued(pieces[-1], known)
    if found[-1] is None and pieces[-1] and (place := _end_of_line(broken)):
        return broken.value[:place], broken.value[place:], False
    sure = all(text is not None or not piece for text, piece in zip(found, pieces, strict=True))
    texts = [piece if text is None else text for text, piece in zip(found, pieces, strict=True)]
    return ";".join(texts), glued, sure


def _unglued(piece: str, known: Mapping[str, str]) -> tuple[str | None, str]:
    """The value that the piece begins with, and the line behind it; the longest there is."""
    bare = _bare(piece)
    for start in sorted((one for one in known if bare.startswith(one)), key=len, reverse=True):
        place = _place_after(piece, len(start))
        if _NEXT.match(piece, place):
            return known[start], piece[place:]
    return None, ""


def _end_of_line(broken: _Broken) -> int:
    """Where in the value another line begins, by the width of folds alone: for what the form has no field for. 0 for nowhere."""
    line = f"{broken.head}:{broken.value}"
    for found in _NEXT.finditer(line, len(broken.head) + 1):
        width = len(line[: found.start()].encode())
        # Every fold before may have swallowed a blank.
        if found.start() > len(broken.head) + 1 and -width % STEP <= width // STEP and line.isascii():
            return found.start() - len(broken.head) - 1
    return 0


def _place_after(text: str, letters: int) -> int:
    """The place behind so many letters that are no white space."""
    for place, letter in enumerate(text):
        if not letter.isspace():
            letters -= 1
        if letters == 0:
            return place + 1
    return len(text)


def _cut(value: str) -> list[str]:
    return _SEPARATOR.sub("\\1\0", value).split("\0")


def _bare(text: str) -> str:
    return "".join(text.split())
