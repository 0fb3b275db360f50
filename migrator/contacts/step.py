"""The `contacts` step: every address book of every account from one product to another, merged into what the target has.

An account is a subject, an address book an action. What a target drops or mangles is seen because it is read again after every part.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import field, replace

from migrator.contacts import meaning
from migrator.contacts.books import BookPlan, plan_books, unmatched
from migrator.contacts.contract import (
    CONTACTS,
    BookReader,
    BookWriter,
    Objects,
    Rehearses,
    TellsChanges,
    TellsDetour,
    TellsOddities,
    TellsRoom,
)
from migrator.contacts.foresight import Foresight, foretold, losses
from migrator.contacts.lines import strays_in_words
from migrator.contacts.merge import Verdict, decided, unite
from migrator.contacts.model import Book, Card, Entry, Features, Held
from migrator.contacts.moving import (
    AT_ONCE,
    BOTH,
    CURE_FOR_NO_PLACE,
    TARGETS,
    CardMove,
    Loss,
    Wish,
    everything,
)
from migrator.contacts.options import RECOPY, BookOptions, ContactsOptions
from migrator.contacts.owners import Claim, Owners, following
from migrator.contacts.readings import Readings
from migrator.contacts.remarks import Remark
from migrator.contacts.vcard import with_uid
from migrator.engine.contract import (
    ARRIVED,
    Account,
    Action,
    BatchLimit,
    Fate,
    Finding,
    Kind,
    Lane,
    Measure,
    Outcome,
    Reading,
    Side,
    Size,
    Subject,
    Verb,
    Weight,
    Work,
)
from migrator.errors import MigratorError, NotFound, NotMadeYet, Refused
from migrator.frozen import dataclass

# Facts of an action: the id of the book at the target that was made or chosen for it, and the name that the plan asked for then.
BOOK, ASKED = "book", "asked"
# Facts of an action whose cards all are on record: the source's token then, what else decided, and how much there was.
TOKEN, RULES, CARDS, BYTES = "token", "rules", "cards", "bytes"
MANY_KEYS = 500
NAMED = 5  # cards named in a finding about many; the others are counted
_WITHOUT_UID = frozenset({"UID"})
Shelf = Mapping[
    str, Sequence[Held]
]  # books of a source that go to one of the target, by the keys of their actions, in its order
CHANGED, AWAY = "changed at the source since it was moved", "not at the target any more"
ELSEWHERE = "moved to another address book before"
_VERDICTS = {
    Verdict.ADD: "add {:,}",
    Verdict.REPLACE: "replace {:,} older",
    Verdict.UNITE: "unite {:,}",
    Verdict.KEEP: "{:,} there already",
}
_IN_ORDER = (
    *_VERDICTS.values(),
    "{:,} twice in the source",
    "{:,} cannot be read",
    "{:,} moved before",
    "{:,} not at the target any more",
    "{:,} left out as groups (groups: false)",
    "{:,} left behind and gone from the source since",
)


@dataclass(frozen=True, slots=True)
class _Planning:
    """What the books of one account are planned with; `filled` is what a book of the target will hold once those before have come to it."""

    subject: Subject
    account: Account
    source: BookReader
    there: Sequence[Book]
    features: Features
    read: Reading
    filled: dict[tuple[str, str], Sequence[Held]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ContactsStep:
    """See the module; fulfils Step."""

    options: ContactsOptions
    accounts: Mapping[str, Account]
    readings: Readings = field(default_factory=Readings, compare=False, repr=False)

    def subjects(self, read: Reading) -> Iterator[Subject]:  # noqa: ARG002 - the plan has named them already
        for key, account in self.accounts.items():
            yield Subject(key, key.replace(">", " -> "), _lanes(account))

    # -- read and decide -----------------------------------------------------------------------------------------------

    def plan(self, subject: Subject, read: Reading) -> Iterator[Action]:
        account = self.accounts[subject.key]
        self.readings.forget(subject.key)
        with read.source(CONTACTS, account.source.account) as source:
            there, features = self._at_target(account, read)
            filling: dict[str, str] = {}
            planning = _Planning(subject, account, source, there, features, read)
            books = source.books()
            if not books:
                if isinstance(source, TellsOddities):
                    source.look_for_account()
                none = f"{subject.key}#none"  # so that it is not counted as an address book
                yield Action(none, Verb.KEEP, "no address book", "the source has none of this account")
            plans = [
                _as_before(plan, there, read.remembered(_key_of(subject, plan.source)))
                for plan in plan_books(books, there, self.options.books, features)
            ]
            for plan in plans:
                beside = _beside(subject, plan, plans)
                action = self._action(planning, plan, beside)
                yield replace(action, after=(filling[plan.name],)) if plan.name in filling else action
                if plan.name:
                    filling[plan.name] = action.key  # two that fill one book go one after the other

    def _at_target(self, account: Account, read: Reading) -> tuple[Sequence[Book], Features]:
        """The target's books, and what it does with cards; an account that is not made yet has none, and nobody knows."""
        try:
            with read.target(CONTACTS, account.target.account) as target:
                return target.books(), target.features
        except NotMadeYet:
            return (), Features(title="")

    def _action(self, planning: _Planning, plan: BookPlan, beside: Mapping[str, str]) -> Action:
        """What is to be done about a book; `beside` is what goes to the same, itself too."""
        read = planning.read
        key = _key_of(planning.subject, plan.source)
        label = plan.source.name if plan.name in {"", plan.source.name} else f"{plan.source.name} -> {plan.name}"
        if not plan.name:
            # What an earlier run moved of it counts as it did: neither side has changed, only the plan.
            on_record = _sum_of(read.present_counts(key).values())
            return Action(key, Verb.KEEP, label, plan.why, total=on_record, data={"left_out": plan.why})
        rules = self._rules(plan.source.id, planning.features, beside)
        before = _before(plan, planning.there, read.remembered(key))
        unchanged = self._unchanged(key, planning.source, plan.source.id, rules, read) if not before else None
        why = "; ".join(filter(None, (plan.why, "nothing new")))
        data = {
            "subject": planning.subject.key,
            "source": plan.source.id,
            "target": plan.target.id if plan.target else "",
            "name": plan.name,
            "asked": plan.asked,
            "before": before,
            "beside": json.dumps(beside) if beside else "",
            "lost": "",
        }
        keep = Action(key, Verb.KEEP, label, why, total=unchanged or Size(), lanes=_lanes(planning.account), data=data)
        return keep if unchanged is not None else self._decided(keep, planning, plan)

    def _decided(self, keep: Action, planning: _Planning, plan: BookPlan) -> Action:
        """The action of a book that has to be read, as the cards of both sides and what is on record say."""
        key, read, filled = keep.key, planning.read, planning.filled
        shelf = self._shelf(keep, planning.source)
        held = shelf[key]
        strays = _strays(planning.source, plan.source.id)
        if strays and not held:
            told = strays_in_words(strays, "in it")
            why = f"nothing in it is a card: {told}; look at the file, or leave it out"
            return Action(key, Verb.BY_HAND, keep.label, why)
        there = filled.get(_place(plan)) or self._cards_at_target(planning.account, plan, read)
        wishes = self._wishes(keep, shelf, there, planning.features, read)
        recorded = _recorded_there(keep, list(wishes), read)
        missing = _missing(wishes, recorded, there)
        to_do = self._to_do(wishes, recorded, missing)
        if len(shelf) > 1:
            filled[_place(plan)] = _filled(there, {ref: wishes[ref] for ref in to_do}, key)
        unwanted = sum(one.card.is_group for one in held) if not self.options.groups else 0
        dropped = _left_behind_and_dropped(key, held, wishes, read)
        gone = sum(one.fate is Fate.GONE for one in dropped)
        idle = "it holds no card" if not held else "nothing new" if not to_do and not dropped else ""
        missing -= frozenset(to_do)
        seen_to = [wishes[ref] for ref in to_do]
        moving = [wish for wish in seen_to if wish.decision.verdict is not Verdict.KEEP]
        return replace(
            keep,
            verb=Verb.COPY if to_do or dropped else Verb.CHANGE if missing else Verb.KEEP,
            why="; ".join(filter(None, (plan.why, idle, _stays(keep)))),
            amounts=_amounts(seen_to, len(wishes) - len(to_do) - len(missing), len(missing), unwanted, gone),
            size=_size(moving),
            total=_size(wishes.values()),
            present=tuple(wishes),
            lanes=_lanes(planning.account, planning.features.connections_for(min(len(moving), AT_ONCE))),
            details=tuple(_details(iter(seen_to))),
            data={**keep.data, "lost": _losses_told(seen_to)},
        )

    def _to_do(
        self, wishes: Mapping[str, Wish], recorded: Mapping[str, Outcome], missing: AbstractSet[str]
    ) -> list[str]:
        """The refs of what a run would see to, in the order of the wishes: what another is written with is written again."""
        again = missing if self.options.on_target_missing == "recopy" else frozenset()
        stale = {ref for ref, wish in wishes.items() if ref in again or not _is_settled(wish, recorded.get(ref))}
        stale |= {wishes[ref].arrives_with for ref in stale}
        return [ref for ref in wishes if ref in stale]

    def _unchanged(self, key: str, source: BookReader, book: str, rules: str, read: Reading) -> Size | None:
        """How much a book holds of which all was on record when it last changed; None where something is new, or nobody knows."""
        facts = read.remembered(key)
        token = facts.get(TOKEN) if self.options.on_target_missing == "report" else ""
        if not token or facts[RULES] != rules or not isinstance(source, TellsChanges):
            return None
        changes = source.changes(book, token)
        if changes is None or changes.changed or changes.gone:
            return None
        on_record = sum(size.items for size in read.present_counts(key).values())
        # Cards that left since then and are back: what a pass in between found departed is there again.
        return Size(int(facts[CARDS]), int(facts[BYTES])) if on_record == int(facts[CARDS]) else None

    def _rules(self, book: str, features: Features, beside: Mapping[str, str]) -> str:
        """What decides what is on record of a card, beside the card; when it changes, the book is read anew."""
        options = self.options.model_dump_json(include={"groups", "largest_photo"})
        with_it = " ".join(beside.values())
        return f"{book} {options} {' '.join(sorted(features.lost))} {features.largest_photo or ''} {with_it}".rstrip()

    def _cards_at_target(self, account: Account, plan: BookPlan, read: Reading) -> Sequence[Held]:
        if plan.target is None:
            return ()
        with read.target(CONTACTS, account.target.account) as target:
            return list(everything(target, plan.target.id, implied=True))

    def _shelf(self, action: Action, source: BookReader, *, anew: bool = False) -> Shelf:
        """The cards of an action's book and of those that go where it goes, by the keys of their actions; one that is gone has none. What has
        been read before is not read again, but for the action's own book where that is to be seen `anew`.
        """
        account, books = action.data["subject"], _books(action)
        before = self.readings.of(account)
        shelf: dict[str, Sequence[Held]] = {}
        for key, book in books.items():
            if key in before and not (anew and key == action.key):
                shelf[key] = before[key]
                continue
            try:
                shelf[key] = list(everything(source, book))
            except NotFound:
                if key == action.key:
                    raise
                shelf[key] = ()
        if len(books) > 1:
            self.readings.keep(account, shelf)
        return shelf

    def _wishes(
        self, action: Action, shelf: Shelf, there: Sequence[Held], features: Features, read: Reading
    ) -> dict[str, Wish]:
        """What is to become of each card of an action, decided along with all that goes where its book goes: contacts first, for groups name
        their members; last what is written with another.
        """
        owners = self._owners(shelf, there, features, read)
        every: list[Card] = []
        places: list[tuple[str, str]] = []  # of each of these: its book, and its ref
        books = _books(action)
        for each, held in shelf.items():
            wanted = self._wanted(held, features)
            placed = owners.apart([one.card for one, _ in wanted])
            if each == action.key:
                first, mine = len(every), list(zip(wanted, placed, strict=True))
            every += [card for card, _ in placed]
            places += [(books[each], one.entry.ref) for one, _ in wanted]
        decisions = decided(every, [one.card for one in there], range(first, first + len(mine)))
        refs = [one.entry.ref for (one, _), _ in mine]
        wishes = [
            Wish(
                replace(one, card=card),
                decision,
                lost,
                refs[decision.joins] if decision.joins is not None else "",
                (*((told,) if told else ()), *decision.told),
                tuple(places[other] for other in decision.others),
            )
            for ((one, lost), (card, told)), decision in zip(mine, decisions, strict=True)
        ]
        in_order = sorted(wishes, key=lambda wish: (bool(wish.arrives_with), wish.held.card.is_group))
        return {wish.held.entry.ref: wish for wish in in_order}

    def _wanted(self, held: Sequence[Held], features: Features) -> list[tuple[Held, tuple[Loss, ...]]]:
        return [self._as_wanted(one, features) for one in held if self.options.groups or not one.card.is_group]

    def _owners(self, shelf: Shelf, there: Sequence[Held], features: Features, read: Reading) -> Owners:
        """Whose each UID is, of all that comes to this book: the same before, while and after its books are moved."""
        places = {one.entry.ref: place for place, one in enumerate(there)}
        claims: list[Claim] = []
        for key, held in shelf.items():
            cards = {one.entry.ref: one.card for one, _ in self._wanted(held, features)}
            arrived = {ref: one.ref for ref, one in _recorded(key, list(cards), read).items() if one.fate in ARRIVED}
            claims += [Claim(card, places.get(arrived.get(ref, ""))) for ref, card in cards.items()]
        return Owners(claims, [one.card for one in there])

    def _as_wanted(self, held: Held, features: Features) -> tuple[Held, tuple[Loss, ...]]:
        """The card without photos that the plan leaves out and without what the target has no place for, and what is lost."""
        limits = [limit for limit in (self.options.largest_photo, features.largest_photo) if limit is not None]
        most = min(limits, default=None)
        sizes = {one: one.embedded.octets for one in held.card.all("PHOTO") if one.embedded}
        large = [one for one, octets in sizes.items() if most is not None and octets > most]
        lost = tuple(map(Loss, held.dropped))
        if large and most is not None:
            kept = tuple(one for one in held.card.properties if one not in large)
            held = replace(held, card=replace(held.card, properties=kept))
            lost = (*lost, _too_large(most, of_plan=most == self.options.largest_photo))
        embedded = [one for one in held.card.properties if one.embedded and one.name in features.lost]
        if embedded:
            kept = tuple(one for one in held.card.properties if one not in embedded)
            held = replace(held, card=replace(held.card, properties=kept))
            names = sorted({one.name for one in embedded})
            lost = (*lost, *(Loss(f"the target has no place for {name}", CURE_FOR_NO_PLACE) for name in names))
        return held, lost

    # -- foresee ---------------------------------------------------------------------------------------------------------

    def foresee(self, subject: Subject, actions: Sequence[Action], read: Reading) -> Iterator[Finding]:
        """Words of the plan that lead nowhere or are no book's name, lines of the source that are of no card, and the cards of which is
        known already that something of them is lost, or that the target will refuse them.
        """
        tried = False
        account = self.accounts[subject.key]
        with read.source(CONTACTS, account.source.account) as source:
            yield from _detour(f"{subject.label}: source", source)
            if self.options.books != BookOptions():
                yield from _no_such_books(subject, unmatched(source.books(), self.options.books))
            for action in actions:
                if "source" in action.data:
                    yield from _stray_lines(f"{subject.label}: {action.label}", action, source)
        try:
            with (
                read.source(CONTACTS, account.source.account) as source,
                read.target(CONTACTS, account.target.account) as target,
            ):
                tried = isinstance(target, Rehearses)
                yield from _detour(f"{subject.label}: target", target)
                if any(action.verb is Verb.COPY for action in actions):
                    yield from _no_room(f"{subject.label}: target", target)
                if isinstance(target, (Objects, Rehearses)):
                    for action in actions:
                        if action.verb is Verb.COPY:
                            about = f"{subject.label}: {action.label}"
                            yield from self._foresight(about, action, source, target, read).findings()
        except NotMadeYet:  # nobody knows yet what it will take
            pass
        for action in actions:
            # A product in which cards are tried has told already of those of which nothing can be read.
            yield from _losses(
                f"{subject.label}: {action.label}", action, frozenset({Fate.LEFT_BEHIND} if tried else ())
            )

    def _foresight(
        self, about: str, action: Action, source: BookReader, target: BookReader, read: Reading
    ) -> Foresight:
        source_book, target_book = action.data["source"], action.data["target"]
        there = list(everything(target, target_book, implied=True)) if target_book else []
        wishes = self._wishes(action, self._shelf(action, source), there, target.features, read)
        recorded = _recorded_there(action, list(wishes), read)
        to_do = self._to_do(wishes, recorded, _missing(wishes, recorded, there))
        name = action.data["name"]
        return Foresight(about, source, source_book, target, target_book, name, wishes, to_do, there)

    # -- do --------------------------------------------------------------------------------------------------------------

    def apply(self, action: Action, work: Work) -> None:
        account = self.accounts[action.data["subject"]]
        with (
            work.source(CONTACTS, account.source.account) as source,
            work.target_for_writing(CONTACTS, account.target.account) as target,
        ):
            book = self._book(action, target, work)
            for finding in _left_there(action):
                work.note(finding)
            for finding in _stray_lines(action.label, action, source):
                work.note(finding)
            token = _token(source, action.data["source"])  # what changes from here on is seen by the next pass
            shelf = self._shelf(action, source, anew=True)
            move = self._move(action, shelf, source, target, book, work)
            if work.resolve(move):
                move = self._move(action, shelf, source, target, book, work)
            if _is_elsewhere(
                action, work
            ):  # on record before the new place is, so that a death between both loses nothing
                recorded = _recorded(action.key, list(move.wishes), work)
                work.record(_reconsidered(one, move.wishes[ref], ELSEWHERE) for ref, one in recorded.items())
            work.remember({BOOK: book, ASKED: action.data["asked"]})
            recorded = _recorded(action.key, list(move.wishes), work)
            missing = _missing(move.wishes, recorded, move.there)
            stale = set(self._to_do(move.wishes, recorded, missing))
            for finding in _deleted(action, [move.wishes[ref].held.card for ref in missing - stale], Weight.WARNING):
                work.note(finding)
            changed = [ref for ref, one in recorded.items() if one.fate is not Fate.LEFT_BEHIND and ref in stale]
            work.record(_left_behind_and_dropped(action.key, shelf[action.key], move.wishes, work))
            work.record(
                _reconsidered(recorded[ref], move.wishes[ref], AWAY if ref in missing else CHANGED) for ref in changed
            )
            work.carry(move, BatchLimit(items=AT_ONCE))
            recorded = _recorded(action.key, list(move.wishes), work)
            there = [one for ref, one in recorded.items() if ref in stale or ref not in missing]
            for finding in _said_otherwise(action, there):
                work.note(finding)
            settled = all(_is_settled(wish, recorded.get(ref)) for ref, wish in move.wishes.items())
            whole = _size(move.wishes.values())
            work.remember(
                {
                    TOKEN: token if settled else "",
                    RULES: self._rules(action.data["source"], target.features, _told_beside(action)),
                    CARDS: str(whole.items),
                    BYTES: str(whole.bytes),
                }
            )

    def _move(
        self, action: Action, shelf: Shelf, source: BookReader, target: BookWriter, book: str, read: Reading
    ) -> CardMove:
        there = list(everything(target, book, implied=True))
        wishes = self._wishes(action, shelf, there, target.features, read)
        return CardMove(source, action.data["source"], target, book, wishes, there)

    def _book(self, action: Action, target: BookWriter, work: Work) -> str:
        """The target's book, made if it has to be; where the product has a fixed set of books, the first of them."""
        remembered = "" if _is_elsewhere(action, work) else work.remembered(action.key).get(BOOK, "")
        book = action.data["target"] or remembered
        books = target.books()
        if book and any(one.id == book for one in books):
            return book
        name = action.data["name"]
        there = next((book for book in books if book.name == name), None)
        if there is None:
            try:
                there = target.create_book(name)
            except Refused as refusal:
                there = next((book for book in books if book.writable), None)
                if there is None:
                    raise NotFound(f"{action.label}: {refusal}", remedy=refusal.remedy) from refusal
                work.note(_joined(action, there, refusal))
        return there.id

    # -- prove -----------------------------------------------------------------------------------------------------------

    def verify(self, action: Action, read: Reading, sample: float) -> Iterator[Finding]:
        del sample  # every card is compared; books are small
        if "source" not in action.data:
            return
        account = self.accounts[action.data["subject"]]
        book = action.data["target"] or (
            "" if _is_elsewhere(action, read) else read.remembered(action.key).get(BOOK, "")
        )
        with read.source(CONTACTS, account.source.account) as source:
            shelf = self._shelf(action, source, anew=True)
        with read.target(CONTACTS, account.target.account) as target:
            there = list(everything(target, book, implied=True)) if book else []
            features = target.features
        recorded = _recorded_there(action, [one.entry.ref for one in shelf[action.key]], read)
        by_ref = {one.entry.ref: one.card for one in there}
        by_uid = {one.card.uid: one.card for one in there}
        wanted = [one for one, _ in self._wanted(shelf[action.key], features)]
        owners = self._owners(shelf, there, features, read)
        cards = owners.apart([one.card for one in wanted])
        moved = _moved(self._arrived(shelf, by_ref, owners, features, read))
        yield from _not_moved(action, [one.card for one in wanted if one.entry.ref not in recorded])
        deleted: list[Card] = []
        for one, (card, _) in zip(wanted, cards, strict=True):
            outcome = recorded.get(one.entry.ref)
            if outcome is not None and outcome.fate in ARRIVED:
                at_target = by_ref.get(outcome.ref) or by_uid.get(card.uid)
                if at_target is None:
                    deleted.append(card)
                else:
                    followed = tuple(following(one, moved) for one in card.properties)
                    yield from _compared(replace(card, properties=followed), outcome, at_target)
        yield from _deleted(action, deleted, Weight.DIFFERENCE)

    def _arrived(
        self, shelf: Shelf, by_ref: Mapping[str, Card], owners: Owners, features: Features, read: Reading
    ) -> Iterator[tuple[Card, Card]]:
        """Every card of the source of which is on record where it is, as it was to be written, and as it is there."""
        for key, held in shelf.items():
            wanted = [one for one, _ in self._wanted(held, features)]
            recorded = _recorded(key, [one.entry.ref for one in wanted], read)
            for one, (card, _) in zip(wanted, owners.apart([one.card for one in wanted]), strict=True):
                outcome = recorded.get(one.entry.ref)
                if outcome is not None and outcome.fate in ARRIVED and outcome.ref in by_ref:
                    yield card, by_ref[outcome.ref]


# -- pure --------------------------------------------------------------------------------------------------------------------


def _key_of(subject: Subject, book: Book) -> str:
    return f"{subject.key}/{book.name}"


def _beside(subject: Subject, plan: BookPlan, plans: Sequence[BookPlan]) -> dict[str, str]:
    """The books of the source that go to the same as this one, itself among them, by the keys of their actions; none if it goes alone."""
    others = [one for one in plans if one.name and _place(one) == _place(plan)]
    return {_key_of(subject, one.source): one.source.id for one in others} if len(others) > 1 else {}


def _place(plan: BookPlan) -> tuple[str, str]:
    """Which book of the target a plan means, be it still to be made."""
    return plan.target.id if plan.target else "", plan.name


def _books(action: Action) -> dict[str, str]:
    """An action's book and those that go where it goes, by the keys of their actions, in order."""
    return _told_beside(action) or {action.key: action.data["source"]}


def _told_beside(action: Action) -> dict[str, str]:
    """What `_beside` told of the action's book."""
    told = action.data["beside"]
    return dict(json.loads(told)) if told else {}


def _too_large(most: int, *, of_plan: bool) -> Loss:
    """That a photo stays behind, and whose limit that is."""
    if of_plan:
        return Loss(
            f"a photo of more than {most:,} bytes is left out (largest_photo)",
            "Raise largest_photo in the plan to take it along.",
        )
    return Loss(
        f"a photo of more than {most:,} bytes is left out, for the target takes none that large",
        "Have the target take larger ones, then run again.",
    )


def _filled(there: Sequence[Held], to_do: Mapping[str, Wish], key: str) -> list[Held]:
    """What a book of the target will hold once this has been done. Of a card that is not there yet nobody knows the place."""
    found = list(there)
    for ref, wish in to_do.items():
        decision = wish.decision
        if decision.verdict is Verdict.ADD:
            found.append(Held(Entry(f"{key}/{ref}"), decision.card))
        elif decision.verdict is not Verdict.KEEP and decision.place is not None:
            found[decision.place] = replace(found[decision.place], card=decision.card)
    return found


def _as_before(plan: BookPlan, there: Sequence[Book], facts: Mapping[str, str]) -> BookPlan:
    """The plan of a book for which none is found by its name: it goes where it went before, as long as that is there and the plan file asks
    for what it asked for then.
    """
    if plan.target is not None or not plan.name or _asks_otherwise(plan, facts):
        return plan
    book = next((book for book in there if book.id == facts.get(BOOK)), None)
    return replace(plan, target=book, name=book.name) if book else plan


def _asks_otherwise(plan: BookPlan, facts: Mapping[str, str]) -> bool:
    """Whether the plan file asks for another book than when this one was moved."""
    return facts.get(ASKED, plan.asked) != plan.asked


def _before(plan: BookPlan, there: Sequence[Book], facts: Mapping[str, str]) -> str:
    """The name of the target's book to which this one was moved when the plan file asked for another than now; "" if it is the same still."""
    book = facts.get(BOOK, "")
    if not book or not _asks_otherwise(plan, facts) or (plan.target and plan.target.id == book):
        return ""
    return next((one.name for one in there if one.id == book), facts[ASKED])


def _is_elsewhere(action: Action, read: Reading) -> bool:
    """Whether what is on record of an action is of a book that it was moved to before, and of the one that is asked for now nothing is."""
    return bool(action.data["before"]) and read.remembered(action.key).get(ASKED) != action.data["asked"]


def _recorded_there(action: Action, refs: Sequence[str], read: Reading) -> dict[str, Outcome]:
    """What is on record of these cards as far as it is of the book that is asked for now."""
    return {} if _is_elsewhere(action, read) else _recorded(action.key, refs, read)


def _stays(action: Action) -> str:
    """Where what was moved before stays; "" where it is in the book that is asked for now."""
    return f"it was moved to {action.data['before']} before, which stays as it is" if action.data["before"] else ""


def _left_there(action: Action) -> Iterator[Finding]:
    """That an earlier run moved it to another book of the target."""
    if action.data["before"]:
        text = _stays(action)
        remedy = "Remove that address book at the target if nobody needs it."
        yield Finding("moved-elsewhere", Weight.WARNING, action.label, text, remedy)


def _not_moved(action: Action, cards: Sequence[Card]) -> Iterator[Finding]:
    """What nothing is recorded of, in one finding however much it is."""
    if cards:
        text = f"{len(cards):,} of its cards {'is' if len(cards) == 1 else 'are'} not moved yet: {_named(cards)}"
        yield Finding("not-moved", Weight.DIFFERENCE, action.label, text, "Run again.")


def _deleted(action: Action, cards: Sequence[Card], weight: Weight) -> Iterator[Finding]:
    """What was brought to the target and is not there any more, in one finding."""
    if cards:
        are = ("was", "is") if len(cards) == 1 else ("were", "are")
        text = f"{len(cards):,} of its cards {are[0]} moved and {are[1]} not at the target any more: {_named(cards)}"
        yield Finding("missing", weight, action.label, text, RECOPY)


def _named(cards: Sequence[Card]) -> str:
    more = f" and {len(cards) - NAMED:,} more" if len(cards) > NAMED else ""
    return ", ".join(card.shown for card in cards[:NAMED]) + more


def _compared(card: Card, outcome: Outcome, there: Card) -> Iterator[Finding]:
    """What the target does not say that the source says, but for what is on record."""
    united, _ = unite(there, card)  # what is at the target may say more: it was there before, or has been added since
    on_record = f"{outcome.note}; {outcome.about}"
    for one in meaning.compare(united, there, _WITHOUT_UID):
        if one.source is not None and str(one) not in on_record and one.source.shown not in on_record:
            text = f"{card.shown}: {one}"
            yield Finding(
                "differs", Weight.DIFFERENCE, card.shown, text, "Correct it at the target, if it was not meant."
            )


def _moved(arrived: Iterable[tuple[Card, Card]]) -> Mapping[str, str]:
    """By the UIDs of the source's cards, those that the target has them under where none is under its own: whom groups there mean."""
    kept: set[str] = set()
    moved: dict[str, str] = {}
    for card, there in arrived:
        uid, its = with_uid(card).uid, with_uid(there).uid
        if uid == its:
            kept.add(uid)
        else:
            moved.setdefault(uid, its)
    return {uid: its for uid, its in moved.items() if uid not in kept}


def _lanes(account: Account, at_target: int = 1) -> tuple[Lane, ...]:
    return Lane(Side.SOURCE, account.source.account), *[Lane(Side.TARGET, account.target.account)] * at_target


def _sum_of(sizes: Iterable[Size]) -> Size:
    several = list(sizes)
    return Size(sum(size.items for size in several), sum(size.bytes or 0 for size in several))


def _size(wishes: Iterable[Wish]) -> Size:
    sizes = [wish.held.entry.size for wish in wishes]
    return Size(len(sizes), sum(sizes))


def _token(source: BookReader, book: str) -> str:
    """With which to ask later what has changed; "" where the product cannot tell."""
    told = source.changes(book, "") if isinstance(source, TellsChanges) else None
    return told.token if told else ""


def _strays(source: BookReader, book: str) -> int:
    """How many lines of a book are of no card, where the product can hold such."""
    return source.strays(book) if isinstance(source, TellsOddities) else 0


def _detour(about: str, session: BookReader) -> Iterator[Finding]:
    """What of the plan's words did not lead to the books, though these were found."""
    if isinstance(session, TellsDetour) and (told := session.detour()):
        yield Finding(
            "other-path",
            Weight.WARNING,
            about,
            told,
            "If these are the books meant, write that path into the plan's url.",
        )


def _no_room(about: str, target: BookReader) -> Iterator[Finding]:
    """Why nothing can be written there at all, where that is known."""
    if isinstance(target, TellsRoom):
        try:
            target.look_for_room()
        except MigratorError as error:
            yield Finding(error.code, Weight.WARNING, about, str(error), error.remedy)


def _no_such_books(subject: Subject, names: Sequence[str]) -> Iterator[Finding]:
    for words in names:
        text = f"books: {words} fits no address book of the source"
        yield Finding(
            "no-such-book", Weight.WARNING, subject.label, text, "If it should, correct the name in the plan."
        )


def _stray_lines(about: str, action: Action, source: BookReader) -> Iterator[Finding]:
    strays = _strays(source, action.data["source"])
    if strays:
        text = f"the source has {strays_in_words(strays, 'between its cards')}"
        yield Finding(
            "stray-lines", Weight.WARNING, about, text, "Look at the file: if they are part of a card, mend it."
        )


def _said_otherwise(action: Action, recorded: Iterable[Outcome]) -> Iterator[Finding]:
    """Which properties of how many cards the two sides say otherwise; what they say is told where each card is named."""
    marks = [one.mark.split() for one in recorded if one.mark]
    for sign, words, told, remedy in (
        (
            BOTH,
            ("has", "have"),
            "what the source says beside what the target said",
            "Take away at the target what is old.",
        ),
        (TARGETS, ("says", "say"), "otherwise at the source", "Correct it at the target where the source is right."),
    ):
        names = [{word[1:] for word in mark if word.startswith(sign)} for mark in marks]
        cards = sum(map(bool, names))
        if cards:
            these = f"{cards:,} card {words[0]}" if cards == 1 else f"{cards:,} cards {words[1]}"
            kept = "; the target's is kept" if sign == TARGETS else ""
            said = f"{these} {told} ({', '.join(sorted(set().union(*names)))}){kept}, and the report names each"
            yield Finding("said-otherwise", Weight.WARNING, action.label, said, remedy)


def _recorded(action_key: str, refs: Sequence[str], read: Reading) -> dict[str, Outcome]:
    found: dict[str, Outcome] = {}
    for start in range(0, len(refs), MANY_KEYS):
        found.update(read.settled(action_key, refs[start : start + MANY_KEYS]))
    return found


def _left_behind_and_dropped(
    action_key: str, held: Sequence[Held], wishes: Mapping[str, Wish], read: Reading
) -> list[Outcome]:
    """What has become of what was left behind and is not to be seen to any more: the source has it no longer, or the plan leaves it out."""
    if Fate.LEFT_BEHIND not in read.counts(action_key):
        return []
    there = {one.entry.ref: one.card for one in held}
    return [
        Outcome(
            one.key,
            Fate.SKIPPED,
            size=one.size,
            note="left out as a group (groups: false)",
            about=there[one.key].shown,
        )
        if one.key in there
        else Outcome(one.key, Fate.GONE, size=one.size)
        for one in read.outcomes(action_key)
        if one.fate is Fate.LEFT_BEHIND and one.key not in wishes
    ]


def _is_settled(wish: Wish, outcome: Outcome | None) -> bool:
    """Whether a card needs no look: what the source says was brought to the target, in this run or an earlier one."""
    return outcome is not None and outcome.fate in ARRIVED and outcome.digest == wish.digest


def _missing(wishes: Mapping[str, Wish], recorded: Mapping[str, Outcome], there: Sequence[Held]) -> frozenset[str]:
    """The refs of cards that were brought to the target and are nowhere there."""
    places = {one.entry.ref for one in there}
    return frozenset(
        ref
        for ref, outcome in recorded.items()
        if _is_settled(wishes[ref], outcome)
        and wishes[ref].decision.verdict is Verdict.ADD
        and outcome.ref not in places
    )


def _reconsidered(outcome: Outcome, wish: Wish, why: str) -> Outcome:
    cure, about = "It is moved anew by this run.", wish.about(Remark(why))
    return Outcome(outcome.key, Fate.LEFT_BEHIND, size=outcome.size, note=why, cure=cure, about=about)


def _joined(action: Action, book: Book, refusal: Refused) -> Finding:
    return Finding(
        "joined", Weight.NOTE, action.label, f"its cards go to {book.name}, since no other book can be made ({refusal})"
    )


def _amounts(to_do: Sequence[Wish], moved: int, missing: int, unwanted: int, gone: int) -> str:
    """What is to become of every card of a book, in numbers that add up to how many it holds; and of those that it holds no more. Groups
    are cards here, which is told: nobody who knows how many contacts there are would find the number otherwise.
    """
    counts = Counter(map(_told_as, to_do))
    counts["{:,} moved before"] = moved if to_do else 0
    counts["{:,} not at the target any more"] = missing
    counts["{:,} left out as groups (groups: false)"] = unwanted
    counts["{:,} left behind and gone from the source since"] = gone
    numbers = ", ".join(words.format(counts[words]) for words in _IN_ORDER if counts[words])
    groups = sum(wish.held.card.is_group for wish in to_do if wish.decision.verdict is not Verdict.KEEP)
    are = "is a group" if groups == 1 else "are groups"
    return f"{numbers}; {groups:,} of the cards to move {are}" if groups else numbers


def _told_as(wish: Wish) -> str:
    """What a preview counts a card as."""
    if not wish.held.card.properties:
        return "{:,} cannot be read"
    if wish.decision.repeats is not None:
        return "{:,} twice in the source"
    return _VERDICTS[wish.decision.verdict]


def _losses_told(wishes: Iterable[Wish]) -> str:
    """What is lost of cards before the target has them, for `_losses`."""
    found = losses(wishes).items()
    rows = [[fate.value, note, cure, names[:NAMED], len(names)] for (fate, note, cure), names in found]
    return json.dumps(rows, ensure_ascii=False) if rows else ""


def _losses(about: str, action: Action, without: AbstractSet[Fate]) -> Iterator[Finding]:
    for fate, note, cure, named, many in json.loads(action.data.get("lost") or "[]"):
        if Fate(fate) not in without:
            yield foretold(Fate(fate), about, note, cure, named, many)


def _details(wishes: Iterator[Wish]) -> Iterator[str]:
    """What a preview tells one by one: cards that change something at the target. Of which something is lost is told together."""
    for wish in wishes:
        decision = wish.decision
        if decision.verdict in {Verdict.REPLACE, Verdict.UNITE} or decision.conflicts or wish.told:
            told = "; ".join(filter(None, (decision.why, *map(str, decision.conflicts), *wish.told)))
            yield f"{'~' if decision.verdict is not Verdict.ADD else '+'} {wish.held.card.shown}  ({told})"


def _build(options: ContactsOptions, accounts: Sequence[Account]) -> ContactsStep:
    return ContactsStep(options, {_key(account): account for account in accounts})


def _key(account: Account) -> str:
    """Both addresses where they differ, as the mail room has it."""
    source, target = account.source.account, account.target.account
    return source if source == target else f"{source}>{target}"


KIND = Kind(word="contacts", service=CONTACTS.service, options=ContactsOptions, build=_build, measure=Measure.ITEMS)
