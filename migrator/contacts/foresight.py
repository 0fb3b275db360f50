"""What will become of the cards of a book, told before any is sent.

Two products know something of it: one says what it will refuse, another can be tried: the cards are put into a book of its kind that is
thrown away, by the carrier that moves them, so a preview tells what the run will. What surprises: in such a rehearsal photos stay at home,
for a copy of them all may not fit anywhere; and a card that will take another's place is put there as a new one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from migrator.contacts.contract import BookReader, BookWriter, Objects, Rehearses
from migrator.contacts.merge import Verdict
from migrator.contacts.model import Card, Held
from migrator.contacts.moving import (
    AT_ONCE,
    CURE_FOR_NOTHING,
    NOTHING_READ,
    PORTION,
    CardMove,
    Wish,
    data_for,
    data_of,
    everything,
    written_with,
)
from migrator.contacts.remarks import together
from migrator.contacts.vcard import with_uid
from migrator.engine.contract import Fate, Finding, Item, Loaded, Outcome, Weight
from migrator.frozen import dataclass

NAMED = 5  # cards of which the same is told
_FORETOLD = {Fate.LEFT_BEHIND: "will-be-left-behind", Fate.ALTERED: "will-be-altered"}


@dataclass(frozen=True, slots=True)
class Foresight:
    """One book of the source before it moves. `name` is what its book at the target is called, or will be; `there` is what that holds. Of
    all `wishes` those in `to_do` are not settled.
    """

    about: str
    source: BookReader
    source_book: str
    target: BookReader
    target_book: str
    name: str
    wishes: Mapping[str, Wish]
    to_do: Sequence[str]
    there: Sequence[Held]

    def findings(self) -> Iterator[Finding]:
        """What will not be at the target as it is sent. What is lost of a card before that is told by `losses`."""
        if isinstance(self.target, Rehearses):
            yield from self._foretold(self._rehearsed(self.target))
        if isinstance(self.target, Objects):
            yield from self._objections(self.target)

    # -- said by the target

    def _objections(self, target: Objects) -> Iterator[Finding]:
        moving = [ref for ref in self.to_do if self.wishes[ref].decision.verdict is not Verdict.KEEP]
        together = written_with(self.wishes)
        for start in range(0, len(moving), PORTION):
            portion = moving[start : start + PORTION]
            data = data_for(portion, self.wishes, together, self.source, self.source_book)  # it may be too large
            for ref in portion:
                decision = self.wishes[ref].decision
                card = decision.card.restored(data)
                if decision.place is not None and not card.is_whole:
                    place = self.there[decision.place].entry.ref
                    card = card.restored(data_of(self.target.fetch(self.target_book, [place])))
                if card.is_whole and (said := target.objection(self.target_book, card)):
                    yield Finding(
                        "will-be-refused",
                        Weight.WARNING,
                        self.about,
                        f"{self.wishes[ref].held.card.shown}: the target {said}",
                        "Correct it at its source before the run, or expect it in the report as left behind.",
                    )

    # -- tried

    def _foretold(self, outcomes: Iterable[Outcome]) -> Iterator[Finding]:
        """One finding for all cards of which the same is to be told."""
        found: dict[tuple[Fate, str, str], list[str]] = {}
        for outcome in outcomes:
            if outcome.fate in _FORETOLD:
                found.setdefault((outcome.fate, outcome.note, outcome.cure), []).append(outcome.about)
        for (fate, note, cure), cards in found.items():
            yield foretold(fate, self.about, note, cure, cards[:NAMED], len(cards))

    def _rehearsed(self, target: Rehearses) -> Iterator[Outcome]:
        moving = {ref: self.wishes[ref] for ref in self.to_do}
        moving = {
            ref: wish for ref, wish in moving.items() if wish.arrives_with or wish.decision.verdict is not Verdict.KEEP
        }
        places = {wish.decision.place for wish in moving.values() if not wish.arrives_with}
        tried = {ref: _as_new(wish) for ref, wish in moving.items()}
        with target.rehearsal(self.name) as (copy, book):
            _furnish(copy, book, [one.card for place, one in enumerate(self.there) if place not in places])
            move = CardMove(
                self.source, self.source_book, copy, book, tried, list(everything(copy, book, implied=True))
            )
            refs = list(tried)
            for start in range(0, len(refs), AT_ONCE):
                answers = move.read([Item(ref) for ref in refs[start : start + AT_ONCE]])
                yield from (one for one in answers if isinstance(one, Outcome))
                yield from move.write([one for one in answers if isinstance(one, Loaded)])


def foretold(fate: Fate, about: str, note: str, cure: str, named: Sequence[str], many: int) -> Finding:
    """What will become of so many cards alike, some of them named."""
    more = (f"and {many - len(named):,} more",) if many > len(named) else ()
    these = f"{many:,} cards: " if many > 1 else ""
    told = f"{these}{note} ({'; '.join((*named, *more))})"
    return Finding(_FORETOLD[fate], Weight.WARNING, about, told, cure)


def losses(wishes: Iterable[Wish]) -> Mapping[tuple[Fate, str, str], Sequence[str]]:
    """What could not be read or is left out of cards before the target has them: the names of those of which the same is told, by what will
    become of them, the words and what to do.
    """
    found: dict[tuple[Fate, str, str], list[str]] = {}
    for wish in wishes:
        called = wish.held.card.shown
        if not wish.held.card.properties:
            said = together(wish.odd or (NOTHING_READ,)).shared
            found.setdefault((Fate.LEFT_BEHIND, said, CURE_FOR_NOTHING), []).append(called)
            continue
        for one in dict.fromkeys(wish.lost):
            found.setdefault((Fate.ALTERED, one.words, one.cure), []).append(called)
    return found


def _furnish(copy: BookWriter, book: str, cards: Sequence[Card]) -> None:
    for groups in (False, True):
        part = [with_uid(_without_photos(card)) for card in cards if card.is_group == groups]
        for start in range(0, len(part), AT_ONCE):
            copy.add(book, part[start : start + AT_ONCE])


def _as_new(wish: Wish) -> Wish:
    verdict = Verdict.KEEP if wish.arrives_with else Verdict.ADD
    card = _without_photos(wish.decision.card)
    decision = replace(wish.decision, verdict=verdict, card=card, place=None)
    return replace(wish, decision=decision, lost=() if wish.held.card.properties else wish.lost)


def _without_photos(card: Card) -> Card:
    return replace(card, properties=tuple(one for one in card.properties if one.embedded is None))
