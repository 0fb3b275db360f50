"""What Roundcube's tables keep of a card beside its text: the columns it sorts and searches by (rcube_contacts.php, rcube_utils.php)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from migrator.contacts.model import Property
from migrator.contacts.roundcube.dialect import Sent

LONGEST = 128  # characters of the columns name, firstname, surname
LARGEST_INDEX = 60_000  # bytes: MySQL's type TEXT holds 65,535
SHORTEST_WORD = 3
_SEARCHED = frozenset({
    "FN", "N", "NICKNAME", "TITLE", "ORG", "X-DEPARTMENT", "X-MAIDENNAME", "EMAIL", "TEL", "ADR", "URL", "NOTE",
    "X-JABBER", "X-ICQ", "X-MSN", "X-AIM", "X-YAHOO", "X-SKYPE-USERNAME",
})  # fmt: skip
_WESTERN = ("äâàåáãæçéêëèïîìíñöôòøõóüûùúýÿ", "aaaaaaaceeeeiiiinoooooouuuuyy")
_CENTRAL = ("ąáâäćçčéęëěíîłľĺńňóôöŕřśšşťţůúűüźžżý", "aaaaccceeeeiilllnnooorrsssttuuuuzzzy")
_LIGATURES = {"ß": "ss", "ae": "a", "oe": "o", "ue": "u"}
_ASTRAL = re.compile(r"[\U00010000-\U0010ffff]")


def columns(card: Sent) -> dict[str, str]:
    """The values of name, firstname, surname, email and words."""
    name = next((one for one in card.shown if one.name == "N"), None)
    return {
        "name": next((one.text for one in card.shown if one.name == "FN"), "")[:LONGEST],
        "firstname": (name.component(1) if name else "")[:LONGEST],
        "surname": (name.component(0) if name else "")[:LONGEST],
        "email": ",".join(one.text for one in card.shown if one.name == "EMAIL"),
        "words": _cut(" ".join(dict.fromkeys(_words(card)))),
    }


def normal(text: str) -> str:
    """Text as the search index has it: words of two letters or more in lower case, accents folded where one old charset has them all."""
    text = _ASTRAL.sub("?", text)
    words = re.sub(r"[\s;,\"'/+-]+", " ", text)
    words = re.sub(r"(\d)[-.\s]+(\d)", r"\1\2", words)
    words = re.sub(r"(^|\s+)\w{1,1}(\s+|$)", " ", words)
    folding = next(
        (letters for charset, letters in (("latin-1", _WESTERN), ("iso-8859-2", _CENTRAL)) if _fits(text, charset)),
        None,
    )
    found = [word.lower() for word in words.split(" ") if word]
    if folding is None:
        return " ".join(found)
    table = {**dict(zip(*folding, strict=True)), **_LIGATURES}
    # As PHP's strtr: the longest key first, nothing twice.
    key = re.compile("|".join(sorted(map(re.escape, table), key=len, reverse=True)))
    return " ".join(key.sub(lambda one: table[one[0]], word) for word in found)


def _cut(words: str) -> str:
    return words.encode()[:LARGEST_INDEX].decode("utf-8", "ignore")


def _fits(text: str, charset: str) -> bool:
    try:
        text.encode(charset)
    except UnicodeEncodeError:
        return False
    return True


def _words(card: Sent) -> Iterator[str]:
    for one in card.shown:
        for value in _searched(one):
            yield from normal(value).split()


def _searched(one: Property) -> Iterator[str]:
    if one.name not in _SEARCHED:
        return
    if one.name == "ADR":
        yield " ".join(one.component(place) for place in range(2, 7))
    elif one.name == "N":
        yield from (part for part in map(one.component, range(3)) if len(part.encode()) >= SHORTEST_WORD)
    elif len(one.text.encode()) >= SHORTEST_WORD:
        yield one.text
