"""Two files of cards compared by what they say: which are in both, which differ and in what, which are in one alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from migrator.contacts import meaning, vcard
from migrator.contacts.model import Card, Entry, Held
from migrator.contacts.moving import paired
from migrator.errors import NotFound, Refused
from migrator.wire.disk import in_our_words


@dataclass(frozen=True, slots=True)
class Differing:
    """A card that is in both and does not say the same."""

    label: str
    differences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BookDiff:
    """What two files have and have not in common, cards by what people call them. `dropped` is what could not be read of the files."""

    equal: int
    differing: tuple[Differing, ...]
    only_source: tuple[str, ...]
    only_target: tuple[str, ...]
    dropped: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        """Whether both say the same."""
        return not (self.differing or self.only_source or self.only_target)


def diff(source: Path, target: Path) -> BookDiff:
    """Compare two vCard files. Cards are paired by UID, else by what they mean, else by their name; twins are two. Raises NotFound and
    others for files that cannot be read, or that hold no card.
    """
    ours, dropped = _read(source)
    theirs, dropped_there = _read(target)
    cards = {str(place): vcard.with_uid(card) for place, card in enumerate(ours)}
    there = [Held(Entry(str(place)), vcard.with_uid(card)) for place, card in enumerate(theirs)]
    pairs = paired(cards, there)
    taken = {held.entry.ref for held in pairs.values()}
    by_name: dict[str, list[Held]] = {}
    for held in there:
        if held.entry.ref not in taken:
            by_name.setdefault(held.card.label, []).append(held)
    for key, card in cards.items():
        if key not in pairs and (alike := by_name.get(card.label)):
            pairs[key] = alike.pop(0)
    taken = {held.entry.ref for held in pairs.values()}
    found = {key: tuple(meaning.differences(cards[key], held.card, frozenset({"UID"}))) for key, held in pairs.items()}
    return BookDiff(
        equal=sum(not differences for differences in found.values()),
        differing=tuple(Differing(cards[key].shown, told) for key, told in found.items() if told),
        only_source=tuple(card.shown for key, card in cards.items() if key not in pairs),
        only_target=tuple(held.card.shown for held in there if held.entry.ref not in taken),
        dropped=(*dropped, *dropped_there),
    )


def _read(path: Path) -> tuple[list[Card], list[str]]:
    cards: list[Card] = []
    dropped: list[str] = []
    if not path.exists():
        raise NotFound(f"{path}: there is no such file.", remedy="Correct its name; nothing was compared.")
    with in_our_words(f"reading {path}"), path.open("rb") as file:
        for read in vcard.read(file):
            dropped += [f"{path.name}, {read.card.shown}: {words}" for words in read.dropped]
            if read.card.properties:
                cards.append(read.card)
    if not cards:
        raise Refused(
            f"{path}: there is no card in it.", remedy="Name a file of vCards, such as an export; nothing was compared."
        )
    return cards, dropped
