"""How a report speaks to a customer: numbers, moments, and the sentences that rooms wrote in English, in the report's language.

Each other language has one catalogue, `report.<language>.toml` beside this file: an English sentence with places for what changes, and
what is said for it. A sentence is known by its fixed text, so the rooms need not know that there are other languages, and a report made of
an old state is spoken as well. What no catalogue knows is told in English and marked as such: nothing is ever left out.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from datetime import datetime
from importlib import resources

from migrator.cli import figures
from migrator.frozen import dataclass

ENGLISH = "en"
_PLACE = re.compile(r"\{([#*@~^]?)(\w*)\}")
_VALUES = {
    "": "((?:(?!; ).)+?)",  # a name or a server's words, never changed; a semicolon ends them, for what follows may be ours
    "@": r"([^\s:;,]+)",  # one word of that sort: an address
    "#": r"(-?\d[\d,]*(?:\.\d+)?(?: ?(?:bytes?|[KMGTP]?B))?)",  # a number or a size: written as the language writes it
    "*": "(.+?)",  # a sentence of its own, which the catalogue may know
    "~": "(.+?)",  # a value or a name, never changed, with semicolons too
    "^": "([A-Z][A-Z0-9-]*)",  # what a property of a card is called
}
_LAST = "((?:(?!; |[.?] [A-Z]).)+?)"  # such a value at the end: another sentence ends it too
_IN_BRACKETS = r"([^()]+|.+?)"  # names in brackets, which semicolons stand between
_BORDERS = (
    re.compile(r"((?<=[.?]) (?=[A-Z\"{]))"),
    re.compile(r"(; )(?![^(]*\))"),
)  # between sentences, and between reasons in a row
_REMARK = re.compile(r"(; )(?=[A-Z][A-Z0-9-]*[ :])")  # between what is true of one card alone
_COMMA = re.compile("(, )")  # between amounts in a row; but names have commas too, so only where every part is known
_SWAPPED = str.maketrans(",.", ".,")


@dataclass(frozen=True, slots=True)
class Piece:
    """Some words of a report; `foreign` are those that could not be said in its language and are English."""

    text: str
    foreign: bool = False


@dataclass(frozen=True, slots=True)
class _Sentence:
    """A sentence of a catalogue: how it is recognised and what is said for it."""

    english: re.Pattern[str]
    kinds: tuple[str, ...]  # of its places, in the English order
    fixed: str  # the longest text without a place: a quick look whether it may be this one at all
    said: tuple[str | int, ...]  # fixed text, and the places by their position in English
    weight: int  # letters of fixed text: of two sentences that fit, the one that says more is meant

    @classmethod
    def of(cls, english: str, said: str) -> _Sentence:
        """Raises ValueError if a place is named on one side alone."""
        if english.endswith(".") and said.endswith("."):
            english, said = english[:-1], said[:-1]
        places = list(_PLACE.finditer(english))
        names = [place[2] for place in places]
        if sorted(names) != sorted(place[2] for place in _PLACE.finditer(said)) or len(set(names)) != len(names):
            raise ValueError(f"the places of {english!r} and {said!r} differ")
        fixed = _PLACE.split(english)[::3]
        pattern = re.escape(fixed[0])
        for place, text in zip(places, fixed[1:], strict=True):
            value = _VALUES[place[1]]
            if not place[1] and not text:
                value = _LAST
            elif not place[1] and text.startswith(")") and english[: place.start()].endswith("("):
                value = _IN_BRACKETS
            pattern += value + re.escape(text)
        pattern += r"(\.?)"  # a full stop may be left out, or stand behind a reason that has none of its own
        words = _PLACE.split(said)
        told: list[str | int] = [words[0]]
        for name, text in zip(words[2::3], words[3::3], strict=True):
            told += [names.index(name), text]
        kinds = tuple(place[1] for place in places)
        return cls(re.compile(pattern, re.DOTALL), kinds, max(fixed, key=len), tuple(told), len("".join(fixed)))


@dataclass(frozen=True, slots=True)
class Tongue:
    """One language of the report. Not for several threads."""

    language: str
    _sentences: tuple[_Sentence, ...] = ()
    _remarks: tuple[_Sentence, ...] = ()  # those of the sentences that may follow a name
    _labels: Mapping[str, str] = field(default_factory=dict)
    _told: dict[str, tuple[Piece, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, language: str) -> Tongue:
        """The language with its catalogue; English needs none."""
        if language == ENGLISH:
            return cls(ENGLISH)
        name = f"report.{language}.toml"
        catalogue = tomllib.loads(resources.files("migrator.cli").joinpath(name).read_text("utf-8"))
        sentences, remarks = (
            tuple(_Sentence.of(english, said) for english, said in catalogue[section].items())
            for section in ("sentences", "remarks")
        )
        all_of_them = sorted((*sentences, *remarks), key=lambda one: -one.weight)
        return cls(language, tuple(all_of_them), remarks, catalogue["labels"])

    # -- sentences -----------------------------------------------------------------------------------------------------

    def pieces(self, text: str) -> tuple[Piece, ...]:
        """The text in this language, as far as it is known, piece by piece."""
        if self.language == ENGLISH:
            return (Piece(text),)
        if text not in self._told:
            self._told[text] = tuple(_joined(self._pieces(text)))
        return self._told[text]

    def say(self, text: str) -> str:
        """The same as text alone."""
        return "".join(piece.text for piece in self.pieces(text))

    def named(self, text: str) -> str:
        """What people call a thing, with what is true of it alone: a name stays as it is, also one that reads like a sentence of ours."""
        parts, told = _REMARK.split(text), ""
        while parts:
            # A value may have in it what looks like the border before the next: then only both together are known.
            ends = range(1, len(parts) + 1, 2)
            known = ((end, self._known("".join(parts[:end]), self._remarks)) for end in ends)
            end, pieces = next((one for one in known if one[1]), (1, [Piece(parts[0])]))
            told += "".join(piece.text for piece in pieces or ()) + "".join(parts[end : end + 1])
            parts = parts[end + 1 :]
        return told

    def label(self, word: str) -> str:
        """What something is called that has its name from us and not from a customer."""
        return self._labels.get(word, word)

    def _pieces(self, text: str) -> Iterable[Piece]:
        known = self._known(text)
        if known is not None:
            return known
        for border in _BORDERS:
            parts = border.split(text)
            if len(parts) > 1:
                told = [self._pieces(part) if number % 2 == 0 else [Piece(part)] for number, part in enumerate(parts)]
                return [piece for pieces in told for piece in pieces]
        amounts = [self._known(part) for part in _COMMA.split(text)[::2]]
        if len(amounts) > 1 and all(amounts):
            return [piece for amount in amounts for piece in (Piece(", "), *(amount or ()))][1:]
        return [Piece(text, foreign=any(map(str.isalpha, text)))]

    def _known(self, text: str, among: Iterable[_Sentence] | None = None) -> Iterable[Piece] | None:
        for sentence in self._sentences if among is None else among:
            if sentence.fixed in text and (found := sentence.english.fullmatch(text)):
                return list(self._said(sentence, found))
        return None

    def _said(self, sentence: _Sentence, found: re.Match[str]) -> Iterator[Piece]:
        for word in sentence.said:
            if isinstance(word, str):
                yield Piece(word)
            elif sentence.kinds[word] == "*":
                yield from self._pieces(found[word + 1])
            else:
                value = found[word + 1]
                yield Piece(self.figure(value) if sentence.kinds[word] == "#" else value)
        yield Piece(found[len(sentence.kinds) + 1])

    # -- figures -------------------------------------------------------------------------------------------------------

    def count(self, number: int) -> str:
        """1,204,331; in Spanish 1.204.331."""
        return self.figure(figures.count(number))

    def counted(self, number: int, one: str, many: str) -> str:
        """1 folder, 1,204 folders."""
        return f"{self.count(number)} {one if number == 1 else many}"

    def size(self, number: float | None) -> str:
        """1.9 GB; in Spanish 1,9 GB."""
        return self.label(figures.size(None)) if number is None else self.figure(figures.size(number))

    def duration(self, seconds: float) -> str:
        """3 days 4 h."""
        return " ".join(map(self.label, figures.duration(seconds).split(" ")))

    def moment(self, when: datetime) -> str:
        """2026-11-22 02:14 UTC; in Spanish 22/11/2026 02:14 UTC."""
        told = figures.moment(when)
        if self.language == ENGLISH:
            return told
        day, _, clock = told.partition(" ")
        return f"{'/'.join(reversed(day.split('-')))} {clock}"

    def figure(self, text: str) -> str:
        """A number or a size as this language writes it: 12.5 MB, in Spanish 12,5 MB."""
        return text if self.language == ENGLISH else text.translate(_SWAPPED)


def _joined(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Pieces of one tongue in a row are one piece; what only joins two foreign ones is foreign."""
    whole: list[Piece] = []
    for piece in pieces:
        if not piece.text:
            continue
        if whole and whole[-1].foreign == piece.foreign:
            whole[-1] = Piece(whole[-1].text + piece.text, piece.foreign)
        else:
            whole.append(piece)
    while whole:
        border = whole[1:2] and not any(map(str.isalnum, whole[1].text))
        if whole[0].foreign and border and whole[2:]:
            whole[:3] = [Piece("".join(piece.text for piece in whole[:3]), foreign=True)]
        else:
            yield whole.pop(0)
