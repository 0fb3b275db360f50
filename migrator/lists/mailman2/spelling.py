"""How names and texts have to be sent to a Mailman 2.1 so that they come out as they were (Utils.py: canonstr, uncanonstr, websafe).

Mailman keeps bytes of the list's charset and reads character references in names. Three things surprise: a reference below 256 is one
byte of that charset, not a character; such a byte beside a reference above 255 breaks the request; and a page shows a reference that
somebody typed and the character it stands for alike. So there is more than one way to send a name, and whoever sends one reads it back.
"""

from __future__ import annotations

import codecs
import html
import re
import unicodedata
from collections.abc import Iterator

ASCII = "us-ascii"
WESTERN = {ASCII, "ascii", "iso-8859-1", "iso8859-1", "latin-1", "latin1"}
_BYTE = 256
_SPELT_OUT = {
    "ß": "ss", "æ": "ae", "Æ": "AE", "ø": "o", "Ø": "O", "ð": "d", "Ð": "D", "þ": "th", "Þ": "Th", "«": '"', "»": '"', "·": "-",
}  # fmt: skip
_REFERENCE = re.compile(r"&(?:#\s*[0-9]+|[A-Za-z][A-Za-z0-9]*);")
_NUMBER = re.compile(r"&#\s*([0-9]+);")


def charset_of(content_type: str, page: bytes) -> str:
    """The charset that a page says it has, in its header or its head; one that Python does not know counts as Latin-1."""
    told = re.search(r"charset=[\"']?([\w.:-]+)", content_type, re.IGNORECASE)
    within = re.search(rb"charset=[\"']?([\w.:-]+)", page[:2000], re.IGNORECASE)
    name = told[1] if told else within[1].decode("ascii") if within else ASCII
    try:
        return codecs.lookup(name).name if name.lower() not in WESTERN else name.lower()
    except LookupError:
        return "iso-8859-1"


def decoded(page: bytes, charset: str) -> str:
    """A page as text. English pages are said to be ASCII and hold Latin-1 all the same."""
    return page.decode("cp1252" if charset in WESTERN else charset, "replace")


def meant(text: str) -> str:
    """What stands in a field: references that were shown as such (some versions do) are characters."""
    return _NUMBER.sub(_character, text)


def as_shown(text: str) -> str:
    """A text as a page would show it after it was sent: lines end in LF, references are the characters they stand for."""
    told = text.replace("\r\n", "\n").replace("\r", "\n")
    return unicodedata.normalize("NFC", _REFERENCE.sub(lambda one: html.unescape(one[0]), told))


def name_as_shown(name: str) -> str:
    """A name as the roster would show it: one line, single blanks."""
    return " ".join(as_shown("".join(one if one.isprintable() else " " for one in name)).split())


def ways(name: str, charset: str) -> Iterator[bytes]:
    """A name in every way it may come out right, the most likely first, no two alike.

    References alone, where all of them are on one side of 256 and the charset is Latin-1 in disguise or they are above; bytes of the
    charset, where it has all characters; else letters taken apart, so that what was below 256 is ASCII and an accent above. The last
    way is for names that cannot come out right at all: legible, if not the same.
    """
    ready = name_as_shown(name).replace("&", "&#38;")
    special = [one for one in name_as_shown(name) if ord(one) > 127]  # noqa: PLR2004 - ASCII
    low = [one for one in special if ord(one) < _BYTE]
    references = _references(ready)
    apart = _references("".join(unicodedata.normalize("NFD", one) if ord(one) < _BYTE else one for one in ready))
    raw = _in(ready, "iso-8859-1" if charset in WESTERN else charset)
    if not low or (len(low) == len(special) and charset in WESTERN):
        ordered = [references, raw, apart]
    else:
        ordered = [raw, apart, references]
    if low and raw is None:
        ordered.append(_references("".join(_legible(one) if 127 < ord(one) < _BYTE else one for one in ready)))  # noqa: PLR2004 - ASCII
    yield from dict.fromkeys(one for one in ordered if one is not None)


def sent(text: str, charset: str) -> bytes:
    """A text for a settings page: bytes of its charset, references for what that lacks. An English list stays ASCII, since headers are
    made of its texts.
    """
    text, charset = as_shown(text), charset if charset not in {ASCII, "ascii"} else ASCII
    if _in(text, charset) is None:
        return b"".join(_in(one, charset) or _references(one) for one in text)
    return text.encode(charset)


def _legible(letter: str) -> str:
    """A letter below 256 without any such."""
    apart = unicodedata.normalize("NFKD", letter)
    return _SPELT_OUT.get(letter) or (apart if all(not 127 < ord(one) < _BYTE for one in apart) else "?")  # noqa: PLR2004 - ASCII


def _references(text: str) -> bytes:
    return text.encode("ascii", "xmlcharrefreplace")


def _in(text: str, charset: str) -> bytes | None:
    """A text in a charset that has all of it; None where it has not, or only something alike (EUC-JP makes a backslash of a yen sign)."""
    try:
        encoded = text.encode(charset)
    except UnicodeEncodeError:
        return None
    return encoded if encoded.decode(charset) == text else None


def _character(one: re.Match[str]) -> str:
    return html.unescape(f"&#{one[1]};")
