"""What a card means, so that two spellings of it can be told from two cards.

Servers reorder, refold, upcase, and leave out what goes without saying. Here a card becomes what is left when all of that is taken away: a
set of facts, each a property with its value in one spelling. What surprises: a name is told by FN and N together, either of which products
make up from the other.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import sha256

from migrator.contacts import dates
from migrator.contacts.model import BINARY, LISTS, Card, Property
from migrator.contacts.remarks import Remark
from migrator.frozen import dataclass

IGNORED = frozenset({"VERSION", "PRODID", "REV", "PROFILE", "BEGIN", "END", "X-ABLABEL"})
_NAMES = {  # other names for the same
    "X-ADDRESSBOOKSERVER-KIND": "KIND",
    "X-ADDRESSBOOKSERVER-MEMBER": "MEMBER",
    "X-ANNIVERSARY": "ANNIVERSARY",
    "X-EVOLUTION-ANNIVERSARY": "ANNIVERSARY",
    "X-KADDRESSBOOK-X-ANNIVERSARY": "ANNIVERSARY",
    "X-GENDER": "GENDER",
}
_DAYS = frozenset({"BDAY", "ANNIVERSARY", "DEATHDATE", "X-ABDATE"})
_UNSAID = {  # types that go without saying (RFC 2426, 3.2.1, 3.3.1, 3.3.2)
    "TEL": frozenset({"voice"}),
    "EMAIL": frozenset({"internet"}),
    "ADR": frozenset({"intl", "postal", "parcel"}),
}
_SAME_TYPE = {"mobile": "cell"}
_SPELLING = frozenset({"VALUE", "TYPE", "PREF", "CHARSET", "ENCODING", "MEDIATYPE", "X-APPLE-OMIT-YEAR"})
_DIALLED = re.compile(r"\+?[\d*#]+", re.ASCII)
_SEPARATORS = re.compile(r"[\s().\-/\u2010-\u2015]+")
_GEO = re.compile(r"(?:geo:)?\s*(-?[\d.]+)\s*[;,]\s*(-?[\d.]+)\s*", re.IGNORECASE | re.ASCII)
_LABEL_OF_APPLE = re.compile(r"_\$!<(.*)>!\$_", re.DOTALL)
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_ODD = re.compile(r"[^A-Z0-9-]+")
_SHOWN = 60
_UID = frozenset({"UID"})


def plain_name(name: str) -> str:
    """The name of a property or parameter as every version allows it: letters, digits and hyphens. One that had others is an X- name, so
    that it is not taken for one that means something.
    """
    name = name.upper()
    if name.isascii() and name.replace("-", "").isalnum():
        return name
    return f"X-{_ODD.sub('-', name.removeprefix('X-')).strip('-') or 'UNNAMED'}"


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing a card says. `value` is its one spelling, `words` the types and labels, `extras` the parameters; `shown` is how it was
    written, for people.
    """

    name: str
    value: str
    words: tuple[str, ...] = ()
    preferred: bool = False
    extras: tuple[str, ...] = ()
    shown: str = ""

    @property
    def all_but_shown(self) -> tuple[str, str, tuple[str, ...], bool, tuple[str, ...]]:
        """What makes two facts one."""
        return self.name, self.value, self.words, self.preferred, self.extras


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing two cards do not agree on: the facts each side has, None where it has none."""

    name: str
    source: Fact | None
    target: Fact | None

    def __str__(self) -> str:
        if self.target is None and self.source is not None:
            return f"{self.name} is missing: {self.source.shown}"
        if self.source is None and self.target is not None:
            return f"{self.name} is new: {self.target.shown}"
        assert self.source is not None
        assert self.target is not None
        if self.source.value != self.target.value:
            return f"{self.name} was {self.source.shown} and is {self.target.shown}"
        return f"{self.name} {self.source.shown}: was {_marks(self.source)}, is {_marks(self.target)}"

    @property
    def remark(self) -> Remark:
        """The same in two parts: what cards may have in common, and the values of this one."""
        if self.target is None and self.source is not None:
            return Remark(f"{self.name} is missing", f"{self.name} {self.source.shown}")
        if self.source is None and self.target is not None:
            return Remark(f"{self.name} is new", f"{self.name} {self.target.shown}")
        assert self.source is not None
        assert self.target is not None
        if self.source.value != self.target.value:
            return Remark(
                f"{self.name} is not the same", f"{self.name} was {self.source.shown} and is {self.target.shown}"
            )
        return Remark(f"{self.name} is marked otherwise", str(self))


def differences(source: Card, target: Card, ignoring: frozenset[str] = frozenset()) -> list[str]:
    """In words, what the second card does not say as the first does; empty if they mean the same. Properties in `ignoring` are not asked."""
    return [str(one) for one in compare(source, target, ignoring)]


def same(source: Card, target: Card, ignoring: frozenset[str] = frozenset()) -> bool:
    """Whether two cards mean the same."""
    return not compare(source, target, ignoring)


def digest(card: Card, ignoring: frozenset[str] = frozenset()) -> str:
    """SHA-256 of what a card means. Cards that mean the same have the same; so have, rarely, two that differ only in which word of the
    name is the family's: ask `same` where that matters.
    """
    said = sorted({repr(fact.all_but_shown) for fact in facts(card, ignoring)})
    name = [] if "FN" in ignoring else [repr(_words(card.label))]
    structured = _name(card)
    if "N" not in ignoring and structured and _words(" ".join(structured)) != _words(card.label):
        name.append(repr(structured))
    return sha256("\n".join([*name, *said]).encode("utf-8", "surrogatepass")).hexdigest()


def likenesses(card: Card) -> tuple[str, ...]:
    """The digests under which cards that mean the same, whatever their UIDs, find each other: they share one. A card that names nobody has
    two, for many products fill in its UID for a name.
    """
    told = digest(card, _UID)
    return (told, digest(card.without("UID"))) if card.uid and card.is_nameless else (told,)


def compare(source: Card, target: Card, ignoring: frozenset[str] = frozenset()) -> list[Difference]:
    """What two cards do not agree on, in a stable order."""
    found = list(_differences_of_names(source, target, ignoring))
    ours = {fact.all_but_shown: fact for fact in facts(source, ignoring)}
    theirs = {fact.all_but_shown: fact for fact in facts(target, ignoring)}
    missing = [fact for key, fact in sorted(ours.items()) if key not in theirs]
    new = [fact for key, fact in sorted(theirs.items()) if key not in ours]
    return [*found, *_paired(missing, new)]


def _paired(missing: list[Fact], new: list[Fact]) -> Iterator[Difference]:
    """What is missing beside what is new, where it is the same property: first with the same value, then what is left, one to one."""
    for alike in (lambda fact: (fact.name, fact.value), lambda fact: (fact.name, "")):
        for fact in list(missing):
            partner = next((other for other in new if alike(other) == alike(fact)), None)
            if partner is not None:
                missing.remove(fact)
                new.remove(partner)
                yield Difference(fact.name, fact, partner)
    yield from (Difference(fact.name, fact, None) for fact in missing)
    yield from (Difference(fact.name, None, fact) for fact in new)


# -- facts ----------------------------------------------------------------------------------------------------------------


def facts(card: Card, ignoring: frozenset[str] = frozenset()) -> Iterator[Fact]:
    """Everything a card says beside its name, each thing in one spelling."""
    labels, best = _labels(card), _best(card)
    names = (card.first("FN"), structured_name(card))
    for one in card.properties:
        name = common_name(one.name)
        if name in IGNORED or name in ignoring or one.name in ignoring or any(one is told for told in names):
            continue
        yield from _facts(one, name, labels, best)


def facts_of(one: Property, card: Card) -> Iterator[Fact]:
    """What one property of a card says, its label with it."""
    return _facts(one, common_name(one.name), _labels(card), {})


def common_name(name: str) -> str:
    """The name of a property under which others look for it."""
    return _NAMES.get(name) or plain_name(name)


def values_agree(ours: Property, theirs: Property) -> bool:
    """Whether two properties of one name have the same value, whatever their types."""
    name = common_name(ours.name)
    return [value for value, _ in _values(ours, name)] == [value for value, _ in _values(theirs, name)]


def shown(one: Property) -> str:
    """The value as a message shows it."""
    return ", ".join(text for _, text in _values(one, common_name(one.name)))


def _facts(one: Property, name: str, labels: Mapping[str, list[str]], best: Mapping[str, int]) -> Iterator[Fact]:
    words = _words_about(one, name, labels)
    preferred = name != "N" and one.preferred is not None and one.preferred == best.get(name)
    extras = tuple(sorted(_extras(one)))
    for value, text in _values(one, name):
        if value:
            yield Fact(name, value, words, preferred, extras, text)


def _labels(card: Card) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in card.properties:
        if one.name == "X-ABLABEL" and one.group:
            apple = _LABEL_OF_APPLE.fullmatch(one.text.strip())
            found.setdefault(one.group.lower(), []).append(plain(apple[1] if apple else one.text).lower())
    return found


def _best(card: Card) -> dict[str, int]:
    """The best preference of each property of which there are several: of one alone it says nothing."""
    numbers: dict[str, list[int | None]] = {}
    for one in card.properties:
        numbers.setdefault(common_name(one.name), []).append(one.preferred)
    return {
        name: min(number for number in all_of_it if number is not None)
        for name, all_of_it in numbers.items()
        if len(all_of_it) > 1 and any(number is not None for number in all_of_it)
    }


def _words_about(one: Property, name: str, labels: Mapping[str, list[str]]) -> tuple[str, ...]:
    if name in BINARY or name in LISTS:
        return ()
    types = {_SAME_TYPE.get(word, word) for word in map(str.lower, one.types)}
    return tuple(sorted({*types, *labels.get(one.group.lower(), ())} - _UNSAID.get(name, frozenset())))


def _extras(one: Property) -> Iterator[str]:
    for name, values in one.params:
        param = plain_name(name)
        if param not in _SPELLING:
            yield f"{param}={','.join(map(plain, values))}"


def _values(one: Property, name: str) -> Iterator[tuple[str, str]]:
    """Every value of a property in one spelling, and as it is shown."""
    embedded = one.embedded
    if embedded is not None:
        yield f"sha256:{embedded.sha256}" if embedded.octets else "", f"{embedded.octets:,} bytes"
    elif name in LISTS:
        for word in (word for part in one.parts for word in part):
            yield plain(word), _short(word)
    else:
        text = _text(one)
        yield _canonical(name, text, one), _short(text)


def _text(one: Property) -> str:
    """Components by `;`, without the empty ones at the end. What nobody knows may have components, which some products escape."""
    text = ";".join(plain(",".join(part)) for part in one.parts)
    return text.rstrip(";") if len(one.parts) > 1 or one.name.startswith("X-") else text


def _canonical(name: str, text: str, one: Property) -> str:
    text = plain(text)
    if name in _DAYS:
        return dates.day(text, one.param("X-APPLE-OMIT-YEAR")) or text
    spell = _SPELL.get(name)
    return spell(text) if spell else text


def _telephone(text: str) -> str:
    text = text[4:] if text[:4].lower() == "tel:" else text
    dialled = _SEPARATORS.sub("", text)
    return dialled if _DIALLED.match(dialled) else text


def _coordinates(text: str) -> str:
    found = _GEO.fullmatch(text)
    return f"{found[1]};{found[2]}" if found else text


def _kind(text: str) -> str:
    return "" if text.lower() == "individual" else text.lower()


def _without_urn(text: str) -> str:
    return text.removeprefix("urn:uuid:")


_SPELL: Mapping[str, Callable[[str], str]] = {
    "EMAIL": lambda text: text.removeprefix("mailto:").casefold(),
    "TEL": _telephone,
    "UID": _without_urn,
    "MEMBER": _without_urn,
    "GEO": _coordinates,
    "KIND": _kind,
    "GENDER": lambda text: {"male": "M", "female": "F"}.get(text.lower(), text),
}


def plain(text: str) -> str:
    """A text as it is compared: in one form of Unicode, with one kind of line end, without white space at its ends or what no card can hold."""
    if text.isascii() and text.isprintable():
        return text.strip()
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    return "\n".join(line.rstrip() for line in _CONTROLS.sub("", text).split("\n")).strip()


def _short(text: str) -> str:
    line = " ".join(text.split())
    return f"{line[: _SHOWN - 1]}…" if len(line) > _SHOWN else line


def _marks(fact: Fact) -> str:
    words = [*fact.words, *fact.extras, *["preferred"] * fact.preferred]
    return ", ".join(words) if words else "plain"


# -- names ----------------------------------------------------------------------------------------------------------------


def structured_name(card: Card) -> Property | None:
    """The N by which a card is known; None where there is nothing in any."""
    found = card.first("N")
    return found if found is not None and found.is_filled else None


def _name(card: Card) -> tuple[str, ...]:
    """The components of N without empty ones at the end; empty if there is none."""
    found = structured_name(card)
    if found is None:
        return ()
    parts = [plain(",".join(part)) for part in found.parts]
    while parts and not parts[-1]:
        parts.pop()
    return tuple(parts)


def called(card: Card) -> tuple[str, ...]:
    """What a person, organisation or group is called, in one spelling: the words of its name, whatever their order and capitals. Empty for
    a card that names nobody.
    """
    named = card.text("FN").strip() or card.text("ORG").strip(";, ")
    named = named or next((one.text for one in card.all("N") if one.text.strip(";, ")), "")
    return _words(card.label.casefold()) if named else ()


def names_of(card: Card) -> frozenset[frozenset[str]]:
    """Every name that a card has, by its words: the formatted one and the structured one need not be alike. Empty for one that names nobody."""
    structured = structured_name(card)
    parts = " ".join(",".join(part) for part in structured.parts) if structured else ""
    names = (frozenset(called(card)), frozenset(_words(parts.casefold())))
    return frozenset(filter(None, names))


def _words(name: str) -> tuple[str, ...]:
    return tuple(sorted(plain(name).replace(",", " ").split()))


def _differences_of_names(source: Card, target: Card, ignoring: frozenset[str]) -> Iterator[Difference]:
    if "FN" not in ignoring and not _called_the_same(source, target, ignoring):
        yield Difference("FN", _shown_name("FN", source.label), _shown_name("FN", target.label))
    ours, theirs = _name(source), _name(target)
    if "N" in ignoring or ours == theirs:
        return
    if not ours or not theirs:
        known, label = (ours, source.label) if ours else (theirs, target.label)
        if _words(" ".join(known)) == _words(label):
            return
    yield Difference("N", _shown_name("N", ";".join(ours)), _shown_name("N", ";".join(theirs)))


def _called_the_same(source: Card, target: Card, ignoring: frozenset[str]) -> bool:
    """Whether two cards have one label; that of a card that names nobody is its UID."""
    if plain(source.label) == plain(target.label):
        return True
    return "UID" in ignoring and source.is_nameless and target.is_nameless


def _shown_name(name: str, text: str) -> Fact | None:
    return Fact(name, text, shown=_short(text)) if text else None


def values_of(card: Card, names: Iterable[str]) -> frozenset[str]:
    """The values of these properties in one spelling: what makes two cards alike."""
    wanted = frozenset(names)
    return frozenset(f"{fact.name} {fact.value}" for fact in facts(card) if fact.name in wanted)
