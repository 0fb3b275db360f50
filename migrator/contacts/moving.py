"""One address book on its way: the carrier the engine moves cards with.

An item's key is the card's ref at the source. What is to be done with each card is decided for the whole book by merge.py; here it is
done, and the target is read again: what it shows, compared by meaning, is what is recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from functools import cached_property

from migrator.contacts import meaning
from migrator.contacts.contract import BookReader, BookWriter
from migrator.contacts.merge import Decision, Verdict, unite
from migrator.contacts.model import BINARY, MEMBERS, Card, Held, Put
from migrator.contacts.owners import following
from migrator.contacts.remarks import Remark, together
from migrator.contacts.vcard import with_uid
from migrator.engine.contract import Fate, Intended, Item, Loaded, Outcome
from migrator.errors import Refused
from migrator.frozen import dataclass

AT_ONCE = 100  # cards put before the target is read again; importers take a few hundred at once
PORTION = 100  # cards fetched at once
VERDICT = ":"  # in an intent's digest, before what was going to be done, and again before its mark and what is to be told of it
BOTH, TARGETS = "+", "="  # before the name of a property in an outcome's mark: both sides' is kept, or the target's
CHANGED_PHOTO = Put(
    refused="a photo of it has changed since its book was read", remedy="Run again; it is decided on anew."
)
CURE = "Correct it by hand at the target if it matters."
CURE_FOR_MISSING = (
    "The target does not keep it there: write it elsewhere into that card, such as into its note, if it matters."
)
CURE_FOR_NO_PLACE = "The target cannot have it: keep a copy of the old address book if it matters."
CURE_FOR_UNREADABLE = (
    "Look at the card in the old address book; what matters of it can be written by hand at the target."
)
NOTHING_READ = Remark("nothing of it can be read")
CURE_FOR_NOTHING = "Look at it in the old address book, and write it anew at the target."
OWN = "\x1f"  # in an intent, between what cards share of its remarks and what is one's own


def everything(book: BookReader, name: str, *, implied: bool = False) -> Iterator[Held]:
    """All cards of a book in the order of its listing, to be looked at: photos are set aside, so that any book fits into memory. With
    `implied` also the groups of which other cards tell all: a target has them, a source need not say them twice.
    """
    refs: list[str] = []
    for entry in book.index(name):
        if entry.implied and not implied:
            continue
        refs.append(entry.ref)
        if len(refs) == PORTION:
            yield from map(_light, book.fetch(name, refs))
            refs = []
    if refs:
        yield from map(_light, book.fetch(name, refs))


def _light(held: Held) -> Held:
    return replace(held, card=held.card.with_data_aside(), raw=b"")


def data_of(cards: Iterable[Held]) -> dict[str, bytes]:
    """The embedded data of cards by their SHA-256."""
    return {
        embedded.sha256: one.data
        for held in cards
        for one in held.card.properties
        if one.data is not None and (embedded := one.embedded)
    }


@dataclass(frozen=True, slots=True)
class Loss:
    """Something of a card that does not move: in words that hold no value of it, and what to do."""

    words: str
    cure: str = CURE_FOR_UNREADABLE

    @property
    def remark(self) -> Remark:
        """As a remark that any card may have."""
        return Remark(self.words)


@dataclass(frozen=True)  # without slots: what is cached needs a place
class Wish:
    """One card of the source, and what is to become of it. `lost` says what could not be read or was left out of it;
    `arrives_with` is the ref of the card with which this one is written, "" for one that is written, or there, by itself. `told` is what
    people should hear though nothing is lost. `elsewhere` are the book and ref of cards in other books that say something of it too.
    """

    held: Held
    decision: Decision
    lost: tuple[Loss, ...] = ()
    arrives_with: str = ""
    told: tuple[str, ...] = ()
    elsewhere: tuple[tuple[str, str], ...] = ()

    @cached_property
    def digest(self) -> str:
        """Tells whether the source still says what it said when this was recorded."""
        return meaning.digest(self.held.card)[:32]

    @property
    def remarks(self) -> Remark:
        """What is told of it once it is written: why the target's card was changed, and what that one says otherwise."""
        changes = self.decision.verdict in {Verdict.UNITE, Verdict.REPLACE} or self.arrives_with
        return together((Remark(self.decision.why if changes else ""), *self._conflicts))

    @property
    def odd(self) -> tuple[Remark, ...]:
        """What is told of it though it is at the target already."""
        return (*self._conflicts, *(one.remark for one in self.lost), *map(Remark, self.told))

    @property
    def _conflicts(self) -> tuple[Remark, ...]:
        return tuple(one.remark for one in self.decision.conflicts)

    @property
    def mark(self) -> str:
        """What the target says otherwise, by the names of properties alone: `+TEL =BDAY`."""
        return " ".join(f"{BOTH if one.both else TARGETS}{one.name}" for one in self.decision.conflicts)

    def about(self, remark: Remark) -> str:
        """What people call it, with what a remark says of it alone; "" where there is none to make."""
        called = self.held.card.shown
        return (f"{called}: {remark.own}" if remark.own else called) if remark.shared else ""


def written_with(wishes: Mapping[str, Wish]) -> dict[str, list[str]]:
    """By ref at the source: which other cards are written with it."""
    found: dict[str, list[str]] = {}
    for ref, wish in wishes.items():
        if wish.arrives_with:
            found.setdefault(wish.arrives_with, []).append(ref)
    return found


def data_for(
    refs: Iterable[str],
    wishes: Mapping[str, Wish],
    together: Mapping[str, Sequence[str]],
    source: BookReader,
    book: str,
) -> dict[str, bytes]:
    """The photos that the source has of what is to be written for these cards, by their SHA-256."""
    lacking = [ref for ref in refs if not wishes[ref].decision.card.is_whole and not wishes[ref].arrives_with]
    wanted = {book: [one for ref in lacking for one in (ref, *together.get(ref, ()))]}
    for ref in lacking:
        for other, its in wishes[ref].elsewhere:
            wanted.setdefault(other, []).append(its)
    return data_of(held for each, found in wanted.items() if found for held in source.fetch(each, found))


@dataclass(slots=True)
class CardMove:
    """Carries the cards of one book. `wishes` are by ref at the source: contacts, then groups, then what arrives with one of these;
    `there` is the target's book as it was. Both were read with photos set aside, which are fetched once more when a card is written.
    """

    source: BookReader
    source_book: str
    target: BookWriter
    target_book: str
    wishes: Mapping[str, Wish]
    there: Sequence[Held]
    _moved: dict[str, str] = field(default_factory=dict)  # UIDs that the target keeps under another
    _arrived: dict[str, Held] = field(
        default_factory=dict
    )  # what was written, as the target has it, by ref at the source
    _known: set[str] = field(init=False)  # refs at the target that are paired with a card, or were there before
    _written_with: Mapping[str, Sequence[str]] = field(init=False)

    def __post_init__(self) -> None:
        self._known = {held.entry.ref for held in self.there}
        self._written_with = written_with(self.wishes)

    def items(self) -> Iterator[Item]:
        for ref, wish in self.wishes.items():
            yield Item(ref, wish.held.entry.size)

    def read(self, part: Sequence[Item]) -> Sequence[Loaded[Wish] | Outcome]:
        answers = [self._load(item, self.wishes[item.key]) for item in part]
        loaded = [one.key for one in answers if isinstance(one, Loaded)]
        data = data_for(loaded, self.wishes, self._written_with, self.source, self.source_book)
        return [_restored(one, data) if isinstance(one, Loaded) else one for one in answers]

    def _load(self, item: Item, wish: Wish) -> Loaded[Wish] | Outcome:
        decision = wish.decision
        if not wish.held.card.properties:
            return _left_behind(item, wish, together(wish.odd or (NOTHING_READ,)), CURE_FOR_NOTHING)
        if decision.verdict is Verdict.KEEP and not wish.arrives_with:
            place = decision.place
            ref = self.there[place].entry.ref if place is not None else ""
            repeats = decision.repeats is not None
            said = together((Remark(decision.why), *wish.odd))
            fate = Fate.ALTERED if wish.lost else Fate.NORMALISED if repeats or wish.mark else Fate.FOUND
            about = wish.about(said) if wish.odd or repeats else ""
            return Outcome(
                item.key, fate, ref, item.size, wish.digest, wish.mark, said.shared, _cure(wish.lost, ()), about=about
            )
        remarks = wish.remarks
        told = f"{remarks.shared}{OWN}{remarks.own}" if remarks.own else remarks.shared
        intent = VERDICT.join((wish.digest, decision.verdict.value, wish.mark, told))
        return Loaded(item.key, item.size, intent, wish)

    def fence(self) -> str:
        """Nothing is needed: a card is known by its UID, and an addition was decided because that was not there."""
        return ""

    def write(self, part: Sequence[Loaded[Wish]]) -> Sequence[Outcome]:
        by_itself = [one for one in part if not one.content.arrives_with]
        contacts = [one for one in by_itself if not one.content.held.card.is_group]
        groups = [one for one in by_itself if one.content.held.card.is_group]
        written = self._write(contacts) if contacts else []
        # Now the target's own UIDs of the members are known.
        written += self._write([self._following(one) for one in groups]) if groups else []
        return [*written, *(self._with_another(one) for one in part if one.content.arrives_with)]

    def _with_another(self, loaded: Loaded[Wish]) -> Outcome:
        """What became of a card that is in another by whose decision it is written: it is there if that one is."""
        wish = loaded.content
        found = self._arrived.get(wish.arrives_with)
        if found is None:
            other = self.wishes[wish.arrives_with].held.card.shown
            said = Remark(f"{wish.decision.why}: it is written with that one, which did not arrive", f"with {other}")
            return _left_behind(loaded, wish, said, "See to that card first, then run again.")
        judged = self._judged(loaded, wish, wish.decision.card, found)
        return judged if judged.fate is Fate.ALTERED else replace(judged, fate=Fate.NORMALISED)

    def _following(self, loaded: Loaded[Wish]) -> Loaded[Wish]:
        """A group with its members under the UIDs that the target gave them."""
        card = loaded.content.decision.card
        if not self._moved.keys() & set(card.members):
            return loaded
        followed = tuple(following(one, self._moved) for one in card.properties)
        decision = replace(loaded.content.decision, card=replace(card, properties=followed))
        return replace(loaded, content=replace(loaded.content, decision=decision))

    def _write(self, part: Sequence[Loaded[Wish]]) -> list[Outcome]:
        added = [
            one for one in part if one.content.decision.verdict is Verdict.ADD and one.content.decision.card.is_whole
        ]
        puts: dict[str, Put] = {}
        if added:
            cards = [one.content.decision.card for one in added]
            puts |= {one.key: put for one, put in zip(added, self.target.add(self.target_book, cards), strict=True)}
        for one in part:
            if one.key not in puts:
                puts[one.key] = self._put_in_place(one.content.decision)
        found = self._found({one.key: one.content for one in part}, puts)
        for one in added:  # importers drop cards in silence that they take when they come alone
            if one.key not in found and not puts[one.key].refused:
                (puts[one.key],) = self.target.add(self.target_book, [one.content.decision.card])
                found |= self._found({one.key: one.content}, puts)
        return [self._outcome(one, puts[one.key], found.get(one.key)) for one in part]

    def _put_in_place(self, decision: Decision) -> Put:
        """Put a card in place of the target's, of which it may keep a photo. One of which a photo is nowhere any more is not put."""
        entry = self.there[decision.place].entry if decision.place is not None else None
        card = decision.card
        if entry is not None and not card.is_whole:
            card = card.restored(data_of(self.target.fetch(self.target_book, [entry.ref])))
        if entry is None or not card.is_whole:
            return CHANGED_PHOTO
        return self.target.update(self.target_book, entry, card)

    def _found(self, wishes: Mapping[str, Wish], puts: Mapping[str, Put]) -> dict[str, Held]:
        """The cards as the target has them now, each paired with the one that was put: by the ref it told, else among what is new."""
        told = {puts[key].ref: key for key in wishes if puts[key].ref}
        found: dict[str, Held] = {}
        if told:
            fetched = map(_light, self.target.fetch(self.target_book, list(told)))
            found = {told[held.entry.ref]: held for held in fetched}
        untold = [key for key in wishes if key not in found and not puts[key].refused]
        if untold:
            fresh = [entry.ref for entry in self.target.index(self.target_book) if entry.ref not in self._known]
            arrivals = list(map(_light, self.target.fetch(self.target_book, [ref for ref in fresh if ref not in told])))
            found |= paired({key: wishes[key].decision.card for key in untold}, arrivals)
        self._known.update(held.entry.ref for held in found.values())
        for key, held in found.items():
            decision = wishes[key].decision
            before = {decision.card.uid}
            if decision.place is not None:  # one that had no UID has got one by being written
                before.add(with_uid(self.there[decision.place].card).uid)
            self._moved |= {uid: held.card.uid for uid in before if held.card.uid not in {"", uid}}
        return found

    def _outcome(self, loaded: Loaded[Wish], put: Put, found: Held | None) -> Outcome:
        wish = loaded.content
        if put.refused:
            told = put.refused if put is CHANGED_PHOTO else f"the target says: {put.refused.rstrip('.')}"
            return _left_behind(loaded, wish, Remark(told), put.remedy)
        if found is None:
            cure = (
                "Write it by hand at the target: it lacks what that product wants of a card, a name or a valid address."
            )
            return _left_behind(loaded, wish, Remark("the target took it and does not have it"), cure)
        self._arrived[loaded.key] = found
        return self._judged(loaded, wish, wish.decision.card, found)

    def _judged(self, one: Loaded[Wish] | Intended, wish: Wish, card: Card, found: Held) -> Outcome:
        _, mark, remarks = _intent(one)
        differing = meaning.compare(card, found.card, frozenset({"UID"}))
        lost = [one for one in differing if one.source is not None]
        new = [one for one in differing if one.source is None]
        fate = Fate.ALTERED if lost or wish.lost else Fate.NORMALISED if new or wish.told or mark else Fate.COPIED
        said = together(
            (
                remarks,
                *(one.remark for one in (*lost, *new)),
                *(one.remark for one in wish.lost),
                *map(Remark, wish.told),
            )
        )
        return Outcome(
            one.key,
            fate,
            found.entry.ref,
            one.size,
            wish.digest,
            mark,
            said.shared,
            _cure(wish.lost, lost),
            about=wish.about(said),
        )

    def landed(self, fence: str, intended: Sequence[Intended]) -> Sequence[Outcome]:
        del fence
        there = list(everything(self.target, self.target_book, implied=True))
        wanted = {one.key: self.wishes[one.key] for one in intended if one.key in self.wishes and _was_put(one)}
        found = paired({key: wish.decision.card for key, wish in wanted.items()}, there)
        rest = _without(there, found.values())
        found |= paired({key: wish.held.card for key, wish in wanted.items() if key not in found}, rest)
        arrived: dict[str, tuple[Card, Held]] = {}
        completed: dict[str, str] = {}  # by key: where it was put once more
        for one in intended:
            held = found.get(one.key)
            if held is None:
                continue
            wish = wanted[one.key]
            verdict, _, _ = _intent(one)
            # Decided anew, an addition is there already: what was put is compared.
            card = wish.decision.card
            if verdict == Verdict.ADD.value and not wish.held.card.is_group:
                card = with_uid(wish.decision.wanted)
            if verdict == Verdict.ADD.value:
                if ref := self._completed(wish, card, held):
                    completed[one.key] = ref
            elif not meaning.same(card, held.card, frozenset({"UID"})):
                continue
            arrived[one.key] = card, held
        fetched = self.target.fetch(self.target_book, list(completed.values())) if completed else ()
        now = {held.entry.ref: held for held in map(_light, fetched)}
        outcomes = []
        for one in intended:
            if one.key in arrived:
                card, held = arrived[one.key]
                held = now.get(completed.get(one.key, ""), held)
                self._arrived[one.key] = held
                outcomes.append(self._judged(one, wanted[one.key], card, held))
        return outcomes

    def _completed(self, wish: Wish, card: Card, held: Held) -> str:
        """Put what an addition lacks altogether at the target there, for some products take a card in several writes: where it is then, ""
        where nothing was put.

        What the target says in another way stays, for that may be its habit, or somebody's doing since.
        """
        place = wish.decision.place
        changes = wish.decision.verdict in {Verdict.UNITE, Verdict.REPLACE}
        if not changes or place is None or self.there[place].entry.ref != held.entry.ref:
            return ""
        lacking = _lacking(card, held.card)
        if not lacking.is_whole:
            lacking = lacking.restored(data_of(self.source.fetch(self.source_book, [wish.held.entry.ref])))
        united, _ = unite(held.card, lacking)
        if meaning.same(united, held.card):
            return ""
        try:
            put = self._put_in_place(replace(wish.decision, card=united))
        except Refused:
            return ""
        if put.refused:
            return ""
        ref = put.ref or held.entry.ref
        self._known.add(ref)
        return ref


def _lacking(wanted: Card, there: Card) -> Card:
    """The properties of which the card that is there has too little, and nothing in another way."""
    differing = meaning.compare(wanted, there, frozenset({"UID"}))
    otherwise = {one.name for one in differing if one.target is not None}
    names = {one.name for one in differing} - otherwise
    kept = tuple(one for one in wanted.properties if meaning.common_name(one.name) in names or one.name == "X-ABLABEL")
    return replace(wanted, properties=kept)


def _restored(loaded: Loaded[Wish], data: Mapping[str, bytes]) -> Loaded[Wish]:
    """The card as it is to be written, with its photos as far as they are the source's."""
    wish = loaded.content
    if wish.decision.card.is_whole:
        return loaded
    decision = replace(wish.decision, card=wish.decision.card.restored(data))
    return replace(loaded, content=replace(wish, decision=decision))


def _left_behind(one: Item | Loaded[Wish], wish: Wish, said: Remark, cure: str) -> Outcome:
    return Outcome(one.key, Fate.LEFT_BEHIND, size=one.size, note=said.shared, cure=cure, about=wish.about(said))


def _cure(left_out: Iterable[Loss], lost: Iterable[meaning.Difference]) -> str:
    """What to do about what a card has lost; what the target cannot have at all is not to be corrected there."""
    cures = [
        *(one.cure for one in left_out),
        *map(_cure_for, lost),
    ]
    return " ".join(dict.fromkeys(cures))


def _cure_for(difference: meaning.Difference) -> str:
    if difference.target is not None or difference.name in MEMBERS:
        return CURE
    return CURE_FOR_NO_PLACE if difference.name in BINARY else CURE_FOR_MISSING


def _was_put(intended: Intended) -> bool:
    """Whether the card itself was to be written; one that arrives with another is looked at anew."""
    return _intent(intended)[0] != Verdict.KEEP.value


def _intent(intended: Loaded[Wish] | Intended) -> tuple[str, str, Remark]:
    """What was going to be done, its mark, and what was to be told of it. Decided anew, a card that has arrived is merely there."""
    _, verdict, mark, remarks = (*intended.digest.split(VERDICT, 3), "", "")[
        :4
    ]  # an older version's intent ends with the verdict
    shared, _, own = remarks.partition(OWN)
    return verdict, mark, Remark(shared, own)


def paired(wanted: Mapping[str, Card], there: Sequence[Held]) -> dict[str, Held]:
    """Which of these cards is which: by UID, else by meaning, one to one."""
    by_uid: dict[str, list[Held]] = {}
    for held in there:
        by_uid.setdefault(held.card.uid, []).append(held)
    found: dict[str, Held] = {}
    for key, card in wanted.items():
        if same_uid := by_uid.get(card.uid):
            found[key] = same_uid.pop(0)
    by_meaning: dict[str, list[Held]] = {}
    for held in _without(there, found.values()):
        for likeness in meaning.likenesses(held.card):
            by_meaning.setdefault(likeness, []).append(held)
    taken: set[int] = set()
    for key, card in wanted.items():
        if key not in found:
            alike = (held for likeness in meaning.likenesses(card) for held in by_meaning.get(likeness, ()))
            if free := next((held for held in alike if id(held) not in taken), None):
                found[key] = free
                taken.add(id(free))
    return found


def _without(there: Sequence[Held], taken: Iterable[Held]) -> list[Held]:
    """What is left when these very cards are taken; one that is equal to one of them is another card."""
    places = {id(held) for held in taken}
    return [held for held in there if id(held) not in places]
