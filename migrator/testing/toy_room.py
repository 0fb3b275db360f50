"""The smallest room that uses the whole contract with the engine: words in boxes move from one shelf to another.

Read it before you write a room of your own. Its parts stand in the order in which a room has its files:

    nouns            model.py      what the room speaks of
    the contract     contract.py   what a product must be able to do
    a product        adapters/     one shelf, in memory, that misbehaves on request
    one box          copying.py    the carrier the engine moves words with
    the step         step.py       what is done with two shelves
    ways in          the Adapter and the Kind that the registry asks for

It keeps the one promise every room keeps: it may die anywhere and be run again, and no word is lost and none is there twice. And
it leaves one thing out that a real room has: it does not look for words that were on the target before it came (adoption), so
without the fence a death does harm that a test can see.
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from hashlib import sha256
from itertools import takewhile
from typing import Literal, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from migrator.engine.contract import (
    ARRIVED,
    Account,
    Action,
    Adapter,
    BatchLimit,
    Contract,
    Fate,
    Finding,
    Intended,
    Item,
    Kind,
    Lane,
    Loaded,
    Login,
    Outcome,
    Reading,
    Service,
    Side,
    Size,
    Subject,
    Verb,
    Weight,
    Work,
)
from migrator.engine.stage import Stage
from migrator.errors import (
    Dropped,
    LoginRefused,
    MigratorError,
    NoSpace,
    NotFound,
    Refused,
    TooManyConnections,
    Unreachable,
)
from migrator.frozen import dataclass
from migrator.testing.memory_strongbox import MemoryStrongbox

T = TypeVar("T")

HUNG = 20.0  # seconds that a shelf which was told not to answer waits for being told otherwise

# -- nouns ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Box:
    """A box as a shelf lists it. `end` is the number its next word will have."""

    name: str
    words: int
    letters: int
    end: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A word as an index shows it. Within a box numbers ascend, and none is ever given twice."""

    number: int
    letters: int


@dataclass(frozen=True, slots=True)
class Word:
    """A word with its text; two with the same text are two words."""

    number: int
    text: str


# -- the contract -----------------------------------------------------------------------------------------------------


class ShelfReader(Protocol):
    """One person's boxes, being read. It has no method that writes, so a preview cannot."""

    longest: int | None  # letters of the longest word the shelf takes, None if it does not tell

    def boxes(self) -> Sequence[Box]:
        """Every box."""

    def index(self, box: str, first: int = 1) -> Iterator[Entry]:
        """The words with numbers of at least `first`, ascending, streamed. Raises NotFound if there is no such box."""

    def read(self, box: str, numbers: Sequence[int]) -> Iterator[Word]:
        """These words; one that is gone is not answered."""

    def close(self) -> None:
        """End the session; never raises."""


class ShelfWriter(ShelfReader, Protocol):
    """One person's boxes, being filled."""

    def make(self, box: str) -> None:
        """Have that box; nothing happens if it is there."""

    def end_of(self, box: str) -> int:
        """What arrives from now on has a number of at least this."""

    def put(self, box: str, texts: Sequence[str]) -> Sequence[int]:
        """Add words at the end; answers their numbers, in order. Raises Refused (those before the refused one stay) and NoSpace."""


WORDS: Contract[ShelfReader, ShelfWriter] = Contract("words")


# -- a product --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Drop:
    """Break the connection at the nth call of "boxes", "index", "read", "make", "end" or "put", counted over all sessions. With
    `after`, the change is made and only its answer lost.
    """

    call: str
    at: int = 1
    after: bool = False


class Shelf:
    """A server of words. The public attributes are for tests: the first group to misbehave, the second to see what happened."""

    def __init__(self, name: str, *, connections: tuple[int, int] = (4, 4), bears: int | None = None) -> None:
        """`connections` is what the plan allows in all and for one person, `bears` what the server really takes."""
        self.name = name
        self.connections = connections
        self.bears = bears
        self.unreachable = False
        self.refused_people: set[str] = set()  # whose password is wrong
        self.opens_all = ""  # what opens every person's boxes, "" if each has a password
        self.refused_words: set[str] = set()
        self.poison: set[str] = set()  # words that break the connection whenever they are read or put
        self.vanished: set[str] = set()  # words that are listed and gone when they are read
        self.longest: int | None = None
        self.room: int | None = None  # letters that one person's boxes hold
        self.drops: list[Drop] = []
        self.openings: deque[MigratorError] = deque()  # raised by the next openings, one each
        self.before_login: Callable[[str], None] = lambda _: None
        self.before_write: Callable[[str], None] = lambda _: None
        self.after_write: Callable[[str], None] = lambda _: None
        self.answering = threading.Event()  # cleared: whoever writes waits until it is set again
        self.answering.set()

        self.calls: Counter[str] = Counter()
        self.offered: Counter[str] = Counter()  # how often each text was put, taken or not
        self.writes: list[str] = []  # every change: `put alice@example.com nouns 3`
        self.tries: Counter[str] = Counter()  # openings by person, refused ones too
        self.opened_for_writing = 0
        self.open_sessions: Counter[str] = Counter()  # by person
        self.most_sessions = 0
        self.most_of_one_person = 0

        self.lock = threading.RLock()
        self._boxes: dict[str, dict[str, dict[int, str]]] = defaultdict(dict)
        self._ends: Counter[tuple[str, str]] = Counter()

    def fill(self, person: str, box: str, *texts: str) -> list[int]:
        """Have words there, as if they had always been; answers their numbers."""
        with self.lock:
            words = self._boxes[person].setdefault(box, {})
            numbers = [self._next_number(person, box) for _ in texts]
            words.update(zip(numbers, texts, strict=True))
            return numbers

    def take_away(self, person: str, box: str, text: str) -> None:
        """Remove the first of these words, as its owner does."""
        with self.lock:
            words = self._boxes[person][box]
            del words[next(number for number, there in words.items() if there == text)]

    def remove(self, person: str, box: str) -> None:
        """Remove a whole box, as its owner does."""
        with self.lock:
            del self._boxes[person][box]

    def contents(self, person: str) -> dict[str, list[str]]:
        """A person's boxes with their words in order."""
        with self.lock:
            return {name: list(words.values()) for name, words in self._boxes[person].items()}

    def reader(self, person: str) -> ShelfReader:
        """A session that cannot write."""
        self._open(person)
        return _Reader(self, person)

    def writer(self, person: str) -> ShelfWriter:
        """A session that can write."""
        self._open(person)
        self.opened_for_writing += 1
        return _Writer(self, person)

    # -- for its sessions ----------------------------------------------------------------------------------------------

    def closed(self, person: str) -> None:
        """A session has ended."""
        with self.lock:
            self.open_sessions[person] -= 1

    def planned_drop(self, call: str) -> Drop | None:
        """Count a call; the drop that was planned for it."""
        with self.lock:
            self.calls[call] += 1
            return next((drop for drop in self.drops if (drop.call, drop.at) == (call, self.calls[call])), None)

    def words_of(self, person: str, box: str) -> dict[int, str]:
        """The words in a box, by number. Raises NotFound."""
        try:
            return self._boxes[person][box]
        except KeyError:
            raise NotFound(f"{person}: {self.name} has no box {box}.") from None

    def boxes_of(self, person: str) -> list[Box]:
        """A person's boxes."""
        return [
            Box(name, len(words), sum(map(len, words.values())), self._ends[person, name] + 1)
            for name, words in self._boxes[person].items()
        ]

    def _next_number(self, person: str, box: str) -> int:
        self._ends[person, box] += 1
        return self._ends[person, box]

    def _open(self, person: str) -> None:
        self.before_login(person)
        with self.lock:
            self.tries[person] += 1
            if self.unreachable:
                raise Unreachable(f"{self.name} does not answer.", remedy="Check its name and port in the plan.")
            if self.openings:
                raise self.openings.popleft()
            if person in self.refused_people:
                raise LoginRefused(f"{person}: {self.name} refused the password.", remedy="Correct it, then run again.")
            if self.bears is not None and self.open_sessions.total() >= self.bears:
                raise TooManyConnections(f"{self.name} bears {self.bears} connections and holds as many.")
            self.open_sessions[person] += 1
            self.most_sessions = max(self.most_sessions, self.open_sessions.total())
            self.most_of_one_person = max(self.most_of_one_person, self.open_sessions[person])


class _Reader:
    """Fulfils ShelfReader."""

    def __init__(self, shelf: Shelf, person: str) -> None:
        self._shelf = shelf
        self._person = person
        self._gone = False
        self._closed = False
        self.longest = shelf.longest

    def boxes(self) -> Sequence[Box]:
        self._asked("boxes")
        with self._shelf.lock:
            return self._shelf.boxes_of(self._person)

    def index(self, box: str, first: int = 1) -> Iterator[Entry]:
        self._asked("index")
        with self._shelf.lock:
            words = list(self._shelf.words_of(self._person, box).items())
        yield from (Entry(number, len(text)) for number, text in words if number >= first)

    def read(self, box: str, numbers: Sequence[int]) -> Iterator[Word]:
        self._asked("read")
        for number in numbers:
            with self._shelf.lock:
                text = self._shelf.words_of(self._person, box).get(number)
            if text in self._shelf.poison:
                self._break()
            if text is not None and text not in self._shelf.vanished:
                yield Word(number, text)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._shelf.closed(self._person)

    def _asked(self, call: str) -> Drop | None:
        """Count a call; break the connection before it has any effect if that was planned, answer a drop planned for after it."""
        if self._gone or self._closed:
            raise Dropped(f"The connection to {self._shelf.name} is gone.")
        drop = self._shelf.planned_drop(call)
        if drop is not None and not drop.after:
            self._break()
        return drop

    def _break(self) -> None:
        self._gone = True
        raise Dropped(f"{self._shelf.name} broke the connection.")


class _Writer(_Reader):
    """Fulfils ShelfWriter."""

    def make(self, box: str) -> None:
        drop = self._asked("make")
        if box not in self._shelf.contents(self._person):
            self._change(f"make {self._person} {box}", lambda: self._shelf.fill(self._person, box), drop)

    def end_of(self, box: str) -> int:
        self._asked("end")
        with self._shelf.lock:
            self._shelf.words_of(self._person, box)
            return next(one.end for one in self._shelf.boxes_of(self._person) if one.name == box)

    def put(self, box: str, texts: Sequence[str]) -> Sequence[int]:
        shelf, drop = self._shelf, self._asked("put")
        shelf.offered.update(texts)
        if shelf.poison.intersection(texts):
            self._break()
        taken = list(takewhile(self._is_taken, texts))
        letters = sum(one.letters for one in shelf.boxes_of(self._person)) + sum(map(len, taken))
        if shelf.room is not None and letters > shelf.room:
            raise NoSpace(
                f"{self._person}: the boxes on {shelf.name} are full.", remedy="Make room there, then run again."
            )
        numbers: Sequence[int] = ()
        if taken:
            what = f"put {self._person} {box} {len(taken)}"
            numbers = self._change(what, lambda: shelf.fill(self._person, box, *taken), drop)
        if len(taken) < len(texts):
            words = f"{shelf.name} does not take the word {texts[len(taken)]}."
            raise Refused(words, remedy="Spell it in another way, then run again.")
        return numbers

    def _is_taken(self, text: str) -> bool:
        longest = self._shelf.longest
        return text not in self._shelf.refused_words and (longest is None or len(text) <= longest)

    def _change(self, what: str, effect: Callable[[], T], drop: Drop | None) -> T:
        self._shelf.before_write(what)
        assert self._shelf.answering.wait(HUNG), f"nobody let {self._shelf.name} answer"
        with self._shelf.lock:
            result = effect()
            self._shelf.writes.append(what)
        self._shelf.after_write(what)
        if drop is not None:
            self._break()
        return result


# -- one box ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BoxCopy:
    """Carries the words of one box. `source` is used by the thread that reads, `target` by the one that writes.

    An item's key is the word's number at the source, an outcome's ref its number at the target, its digest what the text is
    recognised by. The content that travels is the text itself.
    """

    source: ShelfReader
    target: ShelfWriter
    box: str
    options: ToyOptions

    def items(self) -> Iterator[Item]:
        """Everything, also what is not wanted: what became of it is an outcome, and the engine knows what is settled."""
        for entry in self.source.index(self.box):
            yield Item(str(entry.number), entry.letters)

    def read(self, part: Sequence[Item]) -> Sequence[Loaded[str] | Outcome]:
        """What is not answered, because it is gone, the engine records as gone."""
        unwanted = [_skipped(item) for item in part if not self._wanted(item)]
        words = self.source.read(self.box, [int(item.key) for item in part if self._wanted(item)])
        return [*unwanted, *(Loaded(str(one.number), len(one.text), digest_of(one.text), one.text) for one in words)]

    def fence(self) -> str:
        return str(self.target.end_of(self.box))

    def write(self, part: Sequence[Loaded[str]]) -> Sequence[Outcome]:
        numbers = self.target.put(self.box, [one.content for one in part])
        return [_copied(one, number) for one, number in zip(part, numbers, strict=True)]

    def landed(self, fence: str, intended: Sequence[Intended]) -> Sequence[Outcome]:
        behind = [entry.number for entry in self.target.index(self.box, first=int(fence))]
        arrived = [(word.number, digest_of(word.text)) for word in self.target.read(self.box, behind)]
        return [_copied(one, number) for one, number in pair(intended, arrived)]

    def _wanted(self, item: Item) -> bool:
        return self.options.longest is None or item.size <= self.options.longest


def digest_of(text: str) -> str:
    """What a text is recognised by."""
    return sha256(text.encode()).hexdigest()[:16]


def pair(intended: Sequence[Intended], arrived: Iterable[tuple[int, str]]) -> Iterator[tuple[Intended, int]]:
    """Each intended word with an arrival of its own, as far as there are any: of two alike that both arrived, each gets one."""
    free: dict[str, deque[int]] = defaultdict(deque)
    for number, digest in arrived:
        free[digest].append(number)
    for one in intended:
        if free[one.digest]:
            yield one, free[one.digest].popleft()


def _copied(one: Loaded[str] | Intended, number: int) -> Outcome:
    return Outcome(one.key, Fate.COPIED, ref=str(number), size=one.size, digest=one.digest)


def _skipped(item: Item) -> Outcome:
    return Outcome(item.key, Fate.SKIPPED, size=item.size, note="longer than the plan wants (longest)")


# -- the step ---------------------------------------------------------------------------------------------------------

BOXES = "#boxes"  # ends the key of the action that makes a person's boxes


class ToyOptions(BaseModel):
    """Options of a `words` step. In a real room the descriptions become editor help and documentation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    longest: int | None = Field(default=None, description="Leave longer words out; they are listed in the report.")


@dataclass(frozen=True, slots=True)
class ToyStep:
    """Every box of every person. A subject is a person; their first action makes the boxes that are missing, then each box is an
    action. Fulfils Step, Foresees and Probes.
    """

    accounts: Mapping[str, Account]
    options: ToyOptions = field(default_factory=ToyOptions)
    limit: BatchLimit = field(default_factory=BatchLimit)

    def subjects(self, read: Reading) -> Iterator[Subject]:  # noqa: ARG002 - the plan has named them already
        for account in self.accounts.values():
            yield Subject(account.source.account, account.source.account, _lanes(account))

    # -- read and decide -----------------------------------------------------------------------------------------------

    def plan(self, subject: Subject, read: Reading) -> Iterator[Action]:
        account = self.accounts[subject.key]
        with read.source(WORDS, account.source.account) as source, read.target(WORDS, account.target.account) as target:
            boxes = source.boxes()
            present = {box.name: [str(entry.number) for entry in source.index(box.name)] for box in boxes}
            missing = {box.name for box in boxes} - {box.name for box in target.boxes()}
        making = Action(
            key=subject.key + BOXES,
            verb=Verb.CREATE if missing else Verb.KEEP,
            label="boxes",
            why=f"make {len(missing):,}" if missing else "all there",
            lanes=_lanes(account),
            data={"person": subject.key, "missing": "\n".join(sorted(missing))},
        )
        yield making
        for box in boxes:
            yield replace(self._box_action(subject, account, box, making, read), present=present[box.name])

    def _box_action(self, subject: Subject, account: Account, box: Box, making: Action, read: Reading) -> Action:
        key = f"{subject.key}/{box.name}"
        fates = read.counts(key)
        nothing_new = read.remembered(key).get("end") == str(box.end) and Fate.LEFT_BEHIND not in fates
        settled = [size for fate, size in fates.items() if fate is not Fate.LEFT_BEHIND]
        return Action(
            key=key,
            verb=Verb.KEEP if nothing_new else Verb.COPY,
            label=box.name,
            why="nothing new" if nothing_new else "",
            size=Size(
                max(0, box.words - sum(size.items for size in settled)),
                max(0, box.letters - sum(size.bytes or 0 for size in settled)),
            ),
            total=Size(box.words, box.letters),
            lanes=_lanes(account),
            after=() if making.verb is Verb.KEEP else (making.key,),
            data={"person": subject.key, "box": box.name},
        )

    # -- do ------------------------------------------------------------------------------------------------------------

    def apply(self, action: Action, work: Work) -> None:
        account = self.accounts[action.data["person"]]
        with work.target_for_writing(WORDS, account.target.account) as target:
            if "missing" in action.data:
                _make_boxes(action, target, work)
                return
            with work.source(WORDS, account.source.account) as source:
                self._copy_box(action, source, target, work)

    def _copy_box(self, action: Action, source: ShelfReader, target: ShelfWriter, work: Work) -> None:
        box = next((box for box in source.boxes() if box.name == action.data["box"]), None)
        if box is None:
            raise NotFound(f"{action.key}: the box is not at the source any more.", remedy="Run again to plan anew.")
        work.carry(BoxCopy(source, target, box.name, self.options), self.limit)
        work.remember({"end": str(box.end)})  # as it was before: what arrived meanwhile is new to the next run

    # -- prove ---------------------------------------------------------------------------------------------------------

    def verify(self, action: Action, read: Reading, sample: float) -> Iterator[Finding]:
        """The copy went by what was written; this goes by what stands there now. A real room does it portion by portion."""
        if "box" not in action.data:
            return
        account, box = self.accounts[action.data["person"]], action.data["box"]
        with read.source(WORDS, account.source.account) as source, read.target(WORDS, account.target.account) as target:
            listed = [str(entry.number) for entry in source.index(box)]
            there = {str(entry.number) for entry in target.index(box)}
            outcomes = read.settled(action.key, listed)
            arrived = {one.ref: one for one in outcomes.values() if one.fate in ARRIVED}
            read_whole = sorted(map(int, there & arrived.keys()))[: round(sample * len(arrived))]
            changed = [
                word
                for word in target.read(box, read_whole)
                if digest_of(word.text) != arrived[str(word.number)].digest
            ]
        yield from _difference("not-copied", action, len(listed) - len(outcomes), "are not recorded as moved")
        yield from _difference("missing", action, len(arrived.keys() - there), "are not at the target any more")
        yield from _difference("content", action, len(changed), "are others at the target")

    # -- foresee -------------------------------------------------------------------------------------------------------

    def foresee(self, subject: Subject, actions: Sequence[Action], read: Reading) -> Iterator[Finding]:
        account = self.accounts[subject.key]
        with read.source(WORDS, account.source.account) as source, read.target(WORDS, account.target.account) as target:
            for action in actions:
                if action.verb is Verb.COPY and target.longest is not None:
                    letters = [entry.letters for entry in source.index(action.data["box"])]
                    too_long = sum(count > target.longest for count in letters)
                    if too_long:
                        yield _too_long(action, too_long, target.longest)

    def probe(self, subject: Subject, actions: Sequence[Action], read: Reading, budget: int) -> int:
        account = self.accounts[subject.key]
        boxes = [action.data["box"] for action in actions if action.verb is Verb.COPY]
        letters = 0
        with read.source(WORDS, account.source.account) as source:
            for box in boxes:
                for word in source.read(box, [entry.number for entry in source.index(box)]):
                    letters += len(word.text)
                    if letters >= budget:
                        return letters
        return letters


def _lanes(account: Account) -> tuple[Lane, ...]:
    """The connections a job of this account holds: one on each side."""
    return Lane(Side.SOURCE, account.source.account), Lane(Side.TARGET, account.target.account)


def _make_boxes(action: Action, target: ShelfWriter, work: Work) -> None:
    for box in filter(None, action.data["missing"].split("\n")):
        work.edge()  # outside of `carry` a room says itself where stopping is safe
        target.make(box)
        work.note(Finding("made", Weight.NOTE, f"{action.data['person']}/{box}", "the box was not there and was made"))


def _difference(code: str, action: Action, count: int, what: str) -> Iterator[Finding]:
    if count:
        yield Finding(code, Weight.DIFFERENCE, action.key, f"{count:,} words {what}", "Run again, then verify again.")


def _too_long(action: Action, count: int, longest: int) -> Finding:
    return Finding(
        "will-be-refused",
        Weight.WARNING,
        action.key,
        f"{count:,} words are longer than the target takes ({longest:,} letters)",
        "Expect them in the report as left behind.",
    )


# -- ways in ----------------------------------------------------------------------------------------------------------


class ShelfOptions(Service):
    """What a plan says about an endpoint's words."""

    type: Literal["shelf"] = Field(default="shelf", description="a shelf in memory")


def adapter(shelf: Shelf) -> Adapter[ShelfReader, ShelfWriter]:
    """What a real adapter's module calls ADAPTER; ours needs to be told which shelf."""

    def reader(_: ShelfOptions, login: Login) -> ShelfReader:
        return shelf.reader(login.user)

    def writer(_: ShelfOptions, login: Login) -> ShelfWriter:
        return shelf.writer(login.user)

    return Adapter("shelf", "a shelf in memory", ShelfOptions, reader, writer, lambda _: shelf.connections)


def _build(options: ToyOptions, accounts: Sequence[Account]) -> ToyStep:
    return ToyStep({account.source.account: account for account in accounts}, options)


KIND = Kind(word="words", service=WORDS.service, options=ToyOptions, build=_build)


@dataclass(frozen=True, slots=True)
class ToyRoute:
    """Fulfils the engine's Opener without a plan: sessions between two shelves."""

    source: Shelf
    target: Shelf

    def endpoint(self, side: Side) -> str:
        return self._shelf(side).name

    def connections(self, side: Side) -> tuple[int, int]:
        return self._shelf(side).connections

    def opens_all(self, side: Side, service: str) -> str:
        assert service == WORDS.service
        return self._shelf(side).opens_all

    def for_reading(self, side: Side, service: str, account: str) -> ShelfReader:
        assert service == WORDS.service
        return self._shelf(side).reader(account)

    def login(self, side: Side, account: str) -> Login:
        del side
        return Login(account, account)

    def keep_password(self, account: str, password: SecretStr) -> None:
        """Nobody asks for it again."""

    @property
    def strongbox(self) -> MemoryStrongbox:
        return MemoryStrongbox()

    def for_writing(self, side: Side, service: str, account: str) -> ShelfWriter:
        assert side is Side.TARGET
        assert service == WORDS.service
        return self.target.writer(account)

    def _shelf(self, side: Side) -> Shelf:
        return self.source if side is Side.SOURCE else self.target


def stage_between(
    source: Shelf, target: Shelf, *people: str, batch: int = 3, options: ToyOptions | None = None, name: str = "words"
) -> Stage:
    """What a plan would come to: the words of these people, `batch` at a time."""
    accounts = {person: Account(Login(person, person), Login(person, person)) for person in people}
    step = ToyStep(accounts, options or ToyOptions(), BatchLimit(items=batch))
    return Stage(name, KIND.word, step, ToyRoute(source, target))
