"""Two files of cards compared by what they say: which are in both, which differ and in what, which are in one alone."""

from __future__ import annotations

from collections.abc import Container, Mapping
from pathlib import Path

from migrator.contacts import meaning, vcard
from migrator.contacts.model import Card, Entry, Held
from migrator.contacts.moving import paired
from migrator.errors import NotFound, Refused
from migrator.frozen import dataclass
from migrator.wire.disk import in_our_words

_WITHOUT_UID = frozenset({"UID"})


@dataclass(frozen=True, slots=True)
class Differing:
    """A card that is in both and does not say the same."""

    label: str
    differences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BookDiff:
    """What two files have and have not in common, cards by what people call them. `dropped` is what could not be read of the files; what is
    `again` in one of them says there the same as another card, and the other file has fewer of the kind.
    """

    equal: int
    differing: tuple[Differing, ...]
    only_source: tuple[str, ...]
    only_target: tuple[str, ...]
    dropped: tuple[str, ...] = ()
    again_source: tuple[str, ...] = ()
    again_target: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        """Whether both say the same."""
        alone = self.only_source or self.only_target or self.again_source or self.again_target
        return not (self.differing or alone)


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
    found = {key: tuple(meaning.differences(cards[key], held.card, _WITHOUT_UID)) for key, held in pairs.items()}
    only_source, again_source = _alone(cards, pairs)
    only_target, again_target = _alone({held.entry.ref: held.card for held in there}, taken)
    return BookDiff(
        equal=sum(not differences for differences in found.values()),
        differing=tuple(Differing(cards[key].shown, told) for key, told in found.items() if told),
        only_source=only_source,
        only_target=only_target,
        dropped=(*dropped, *dropped_there),
        again_source=again_source,
        again_target=again_target,
    )


def _alone(cards: Mapping[str, Card], paired_ones: Container[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What is in one file alone; and what only repeats there a card that has its pair in the other."""
    said = {meaning.digest(card, _WITHOUT_UID) for key, card in cards.items() if key in paired_ones}
    alone = [card for key, card in cards.items() if key not in paired_ones]
    again = [meaning.digest(card, _WITHOUT_UID) in said for card in alone]
    return (
        tuple(card.shown for card, repeats in zip(alone, again, strict=True) if not repeats),
        tuple(card.shown for card, repeats in zip(alone, again, strict=True) if repeats),
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
