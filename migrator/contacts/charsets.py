"""Which charset the bytes of a card are in where it does not say. A guess, but the same guess every time.

UTF-8 is known by itself. In one-byte charsets, Western text has single letters above ASCII among plain ones, while Cyrillic, Greek, Hebrew
or Asian text is made of them: that alone tells the two families apart, within the second the letters that come out decide.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Iterable

WESTERN = "cp1252"
_DENSE = 0.6  # of the letters of words that are not plain ASCII
_OTHERS = ("cp1251", "koi8-r", "cp1253", "cp1255", "cp1256", "gb18030", "big5", "shift_jis", "euc_jp", "euc_kr")
_ASIAN = frozenset({"gb18030", "big5", "shift_jis", "euc_jp", "euc_kr"})
_HIGH_WORD = re.compile(rb"[A-Za-z\x80-\xff]*[\x80-\xff][A-Za-z\x80-\xff]*")
_LATIN_1 = frozenset({"iso8859-1", "ascii"})  # what is labelled so is Windows' superset more often than not


def decode(value: bytes, charset: str) -> str:
    """The text; in a Western charset every byte is some letter. Raises UnicodeDecodeError."""
    if charset == WESTERN:
        try:
            return value.decode(WESTERN)
        except UnicodeDecodeError:
            return value.decode("latin-1")
    return value.decode(charset)


def known(label: str) -> str:
    """The codec a CHARSET label means; "" if nobody knows it, or if it is none of text."""
    try:
        found = codecs.lookup(label.strip().strip("\"'"))
        found.decode(b"")
    except (LookupError, ValueError, UnicodeError):
        return ""
    if not isinstance(found.decode(b"")[0], str) or found.name in {"idna", "punycode", "undefined"}:
        return ""
    return WESTERN if found.name in _LATIN_1 else found.name


def guess(texts: Iterable[bytes]) -> str:
    """The charset of texts that are not UTF-8."""
    words = [word for text in texts for word in _HIGH_WORD.findall(text)]
    letters = b"".join(words)
    high = sum(octet > 0x7F for octet in letters)  # noqa: PLR2004 - the end of ASCII
    if not letters or high / len(letters) < _DENSE or max(map(len, words)) < 3:  # noqa: PLR2004 - "Ü", "Åé" are Western
        return WESTERN
    whole = b" ".join(words)
    scores = [(_likeness(whole, charset), -place, charset) for place, charset in enumerate(_OTHERS)]
    best, _, charset = max(scores)
    return charset if best > _likeness(whole, WESTERN) else WESTERN


def _likeness(text: bytes, charset: str) -> float:
    """How much a text looks like one in this charset: common letters of one script count for it, all else against it."""
    try:
        decoded = text.decode(charset)
    except UnicodeDecodeError:
        return -1.0
    # An Asian charset makes one letter of two bytes, so that its letters weigh double: what is rare in a script costs more than that.
    weight = 2.0 if charset in _ASIAN else 1.0
    scripts: dict[str, int] = {}
    score = 0.0
    before = ""
    for letter in decoded:
        if ord(letter) > 0x7F:  # noqa: PLR2004 - as above
            script = unicodedata.name(letter, "UNKNOWN").split()[0]
            scripts[script] = scripts.get(script, 0) + 1
            score += weight * _commonness(letter, before)
        before = letter
    return score / len(text) * (max(scripts.values(), default=0) / max(sum(scripts.values()), 1))


def _commonness(letter: str, before: str) -> float:
    if not letter.isalpha():
        return -1.0
    if letter.isupper():
        return 0.3 if before.islower() else 0.8  # capitals begin words
    if 0x4E00 <= ord(letter) <= 0x9FFF:  # noqa: PLR2004 - the ideographs
        return 1.0 if _is_everyday(letter) else 0.2
    return 1.0


def _is_everyday(letter: str) -> bool:
    """Whether an ideograph is in the first level of GB 2312 or JIS X 0208 or Big5's frequent ones."""
    for charset, first, last in (("gb2312", 0xB0, 0xD7), ("euc_jp", 0xB0, 0xCF), ("big5", 0xA4, 0xC6)):
        try:
            lead = letter.encode(charset)[0]
        except UnicodeEncodeError:
            continue
        if first <= lead <= last:
            return True
    return False
