"""What the engine and a room say to each other. Nothing here knows a mailbox, a panel or a card.

A room gives the engine a `Step`; the engine gives the room a `Reading` (sessions that cannot write) or a `Work` (the only
thing that can). One way through: subjects -> actions -> batches of items -> outcomes -> findings. See
docs/life-of-an-action.md for the whole story of one folder.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager
from dataclasses import field
from enum import Enum, IntEnum
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from pydantic import BaseModel, SecretStr

from migrator.errors import EndpointRefused, EndpointUnfit, Misbehaved, NoSpace
from migrator.frozen import dataclass

T = TypeVar("T")
R = TypeVar("R")
W = TypeVar("W")

KB = 1024
MB = 1024 * KB

# -- data a room makes ------------------------------------------------------------------------------------------------


class Side(Enum):
    """The two sides of every move."""

    SOURCE = "source"
    TARGET = "target"


class Verb(Enum):
    """What an action does; the value is the sign printed in a preview."""

    CREATE = "+"
    CHANGE = "~"
    COPY = ">"
    REMOVE = "-"
    KEEP = "="
    BY_HAND = "!"


class Measure(Enum):
    """By what is told how far a step is, and how long it will still take: what takes the time there."""

    ITEMS = "items"  # each costs the same, whatever its size: a card, a member
    BYTES = "bytes"  # as far as they are known


class Weight(IntEnum):
    """How much a finding matters. NOTE explains, WARNING wants a look, DIFFERENCE makes verify exit 7."""

    NOTE = 1
    WARNING = 2
    DIFFERENCE = 3


@dataclass(frozen=True, slots=True)
class Lane:
    """One connection that a job holds: to one side, for one account. The engine budgets them per endpoint and account."""

    side: Side
    account: str


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is: items (messages, cards, members, rows) and bytes; bytes is None where the server cannot tell."""

    items: int = 0
    bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """What an admin would name as one thing to move: a mailbox, an address book, a list. Planned as one job."""

    key: str
    label: str
    lanes: tuple[Lane, ...] = ()


@dataclass(frozen=True, slots=True)
class Action:
    """One line of a preview: a folder of a mailbox, a list, a table.

    `key` comes from names only and is unique within the room and the route; what the ledger knows is filed under it, so a
    later step of the same room and route (a delta pass) continues it. `size` is what is still to move as far as planning can
    tell, `total` what the source holds. `after` are keys of actions that must have ended before, well or not. `data` is the room's own,
    flat and without secrets. `amounts` says in numbers what this planning would do; a preview tells it, a report does not, for it has counts
    of what became of it. `details` are lines a preview shows below it, for those who want to know before they say yes. An action without
    lanes only tells something (a folder that is left out); where its `total` is nothing, what it holds was not counted. `present` are the keys
    of all items of the source, as far as planning knows them: where nothing is to do, what is on record of others is taken off the books as
    departed; None where the source is as the last pass saw it.
    `told` is what an admin should know of an action with which nothing is to be done; a run records it as if `apply` had noted it.
    `proven` says of an action that is not counted among its subject's others (see `prepares`) that a verification looks at it all the same.
    """

    key: str
    verb: Verb
    label: str
    why: str = ""
    size: Size = Size()
    total: Size = Size()
    lanes: tuple[Lane, ...] = ()
    after: tuple[str, ...] = ()
    data: Mapping[str, str] = field(default_factory=dict)
    amounts: str = ""
    details: tuple[str, ...] = ()
    present: Collection[str] | None = None
    proven: bool = False
    told: tuple[Finding, ...] = ()


def temporary(account: str) -> str:
    """The strongbox's name for the password an account has at the source for the time of a run."""
    return f"{account}/temporary"


def prepares(subject_key: str, action_key: str) -> bool:
    """Whether an action only prepares the others of its subject (makes folders), or does something beside them, and is not counted among
    them: by convention its key is the subject's with a `#word`.
    """
    return action_key.startswith(f"{subject_key}#")


# Codes of findings about what will not arrive. Where the error is known that a run will meet, its code is the finding's.
REFUSALS = frozenset(
    {"will-be-refused", "left-behind"} | {one.code for one in (NoSpace, EndpointRefused, EndpointUnfit, Misbehaved)}
)
SHORTFALLS = REFUSALS | {"will-be-left-behind", "will-be-altered"}  # and about what will not be as it was sent


@dataclass(frozen=True, slots=True)
class Finding:
    """Something an admin should know. `about` is an action's or a subject's key or label. A preview counts those whose code is one of
    REFUSALS by themselves, and with a warning whose code is one of SHORTFALLS it ends as the run will.
    """

    code: str
    weight: Weight
    about: str
    text: str
    remedy: str = ""


class Fate(Enum):
    """What became of one item. Every item of the source ends in exactly one of these, so sums add up."""

    COPIED = "copied"  # on the target, exactly as sent
    FOUND = "found"  # was on the target already; adopted
    NORMALISED = "normalised"  # on the target, rewritten by a rule that loses nothing (named in the note)
    ALTERED = "altered"  # on the target, but not the same (the note says how)
    LEFT_BEHIND = "left-behind"  # not on the target: note says why, cure what to do
    SKIPPED = "skipped"  # not wanted by the plan's own rules (note names the rule)
    GONE = "gone"  # left the source between listing and reading, or after it was left behind

    __hash__ = (
        object.__hash__
    )  # each member is one object; Enum's own hash costs a call into Python for every item counted


ARRIVED = frozenset({Fate.COPIED, Fate.FOUND, Fate.NORMALISED, Fate.ALTERED})


@dataclass(frozen=True, slots=True)
class Item:
    """The smallest thing that is recorded: one message, card, member, range of rows. `size` in bytes plans the batches, `things` is how many
    of what an admin counts it stands for (the rows of a range), as far as that is known before it is read.
    """

    key: str
    size: int = 0
    things: int = 1


@dataclass(frozen=True, slots=True)
class Loaded(Generic[T]):
    """An item read from the source and ready to be written. `digest` identifies its content behind a fence. `things` is how many it holds;
    the outcomes of writing it count as many.
    """

    key: str
    size: int
    digest: str
    content: T
    things: int = 1


@dataclass(frozen=True, slots=True)
class Intended:
    """An item of a batch that was open when a run died: it may or may not have arrived."""

    key: str
    size: int
    digest: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """The recorded end of one item. `ref` is its name on the target, `mark` the room's own small text (flags at the last pass).

    `note` is told once for all items it is true of, and so names none; `about` is what people call this one, where its key does not say it,
    with what is true of it alone (Ann Doe: BDAY 1980-04-12). An item without a note needs none.

    Of an item that stands for several things, `things` met its fate and `as_sent` more were copied as they are; sums count both.
    """

    key: str
    fate: Fate
    ref: str = ""
    size: int = 0
    digest: str = ""
    mark: str = ""
    note: str = ""
    cure: str = ""
    things: int = 1
    as_sent: int = 0
    about: str = ""


@dataclass(frozen=True, slots=True)
class BatchLimit:
    """How large a batch may grow. A batch is cut at either limit; an item larger than `bytes` travels alone."""

    items: int = 500
    bytes: int = 4 * MB


@dataclass(frozen=True, slots=True)
class Contract(Generic[R, W]):
    """Names a room's contract when a session is asked for: the endpoint's service, and (for the type checker) what a session
    that reads and one that writes can do. `connects` says whether opening a session reaches the endpoint; where it does not (a panel
    is asked request by request), only a session that did its work proves that somebody is there. `of_accounts` says whether a session is
    an account's of the plan; where it is the service's own, nobody has to know which accounts there are.
    """

    service: str
    connects: bool = True
    of_accounts: bool = True


# -- what a room does -------------------------------------------------------------------------------------------------


class Carrier(Protocol[T]):
    """How one action's items travel. The engine calls `items` and `read` in one thread, one batch ahead; all else in another.

    Every method may raise any of our errors. An error with `retry` makes the engine call `apply` again with new sessions;
    `Refused` from `write` makes it split the batch until the guilty item stands alone, which is then left behind with the
    error's words.
    """

    def items(self) -> Iterable[Item]:
        """Everything the source holds for this action, lazily, in arrival order. The engine drops what is settled."""

    def read(self, part: Sequence[Item]) -> Sequence[Loaded[T] | Outcome]:
        """The items with their content. An Outcome instead of one says why it cannot be (left behind, skipped, found);
        an item that is not answered at all is GONE at the source.
        """

    def fence(self) -> str:
        """Where the target's end is now: whatever arrives from here on can be found by `landed`."""

    def write(self, part: Sequence[Loaded[T]]) -> Sequence[Outcome]:
        """Put the items on the target; one outcome for each, in any order. All or nothing where the server can."""

    def landed(self, fence: str, intended: Sequence[Intended]) -> Sequence[Outcome]:
        """Those of `intended` that did arrive behind `fence`, each paired with an arrival of its own (twins are two).
        Reads and, where `write` completes an arrival (flags), completes it. What is not answered will be written again.
        """


class Strongbox(Protocol):
    """Secrets of others that a step has to keep for a while, on disk and outside the state."""

    def names(self) -> Sequence[str]:
        """What is in it."""

    def get(self, name: str) -> SecretStr | None:
        """One secret; None if it is not there."""

    def put(self, name: str, secret: SecretStr) -> None:
        """Put one in, on disk before this returns."""

    def remove(self, name: str) -> None:
        """Take one out, on disk before this returns."""


class Reading(Protocol):
    """Sessions that cannot write, and what earlier runs remembered."""

    def source(self, contract: Contract[R, W], account: str) -> AbstractContextManager[R]:
        """A session at the source that cannot write."""

    def target(self, contract: Contract[R, W], account: str) -> AbstractContextManager[R]:
        """A session at the target that cannot write."""

    def login(self, side: Side, account: str) -> Login:
        """The account's way in at one side as the plan has it, its password read now if there is one. Raises PlanError for a secret
        that cannot be had.
        """

    @property
    def strongbox(self) -> Strongbox:
        """Where a step keeps what it will put back; who only reads, only looks."""

    def remembered(self, action_key: str) -> Mapping[str, str]:
        """What `Work.remember` kept for this action, in any earlier run; empty if nothing."""

    def outcomes(self, action_key: str) -> Iterator[Outcome]:
        """The recorded outcomes of this action's items, streamed, in no promised order."""

    def intended(self, action_key: str) -> AbstractSet[str]:
        """The items of batches that a death left open: of these some have arrived, perhaps half, and the next run looks which."""

    def settled(self, action_key: str, keys: Sequence[str]) -> Mapping[str, Outcome]:
        """The recorded outcomes of these items; keys without one are absent. Ask in portions of some hundred keys."""

    def counts(self, action_key: str) -> Mapping[Fate, Size]:
        """How many things, and bytes, have met each fate so far."""

    def present_counts(self, action_key: str) -> Mapping[Fate, Size]:
        """The same without what the source had no longer when it was last looked through."""

    def known_subjects(self) -> Mapping[str, str]:
        """The labels of the subjects that earlier runs knew on this route, by key. A step that finds its subjects at the source draws those
        that are not there any more as well, with an action that says so: what is gone is told, and counts in no sum.
        """


class Work(Reading, Protocol):
    """A Reading that can also write, for one action."""

    def target_for_writing(self, contract: Contract[R, W], account: str) -> AbstractContextManager[W]:
        """A session at the target that can write."""

    def source_for_writing(self, contract: Contract[R, W], account: str) -> AbstractContextManager[W]:
        """A session at the source that can write: only for a step that has to change something there for a while, because the plan says
        so, and puts it back (see Restores).
        """

    def carry(self, carrier: Carrier[Any], limit: BatchLimit = BatchLimit()) -> None:  # noqa: B008 - frozen
        """Move every item of the carrier that has no outcome yet: resolve batches left open by a death, then read ahead,
        fence, record the intent, write, record the outcomes, batch by batch.

        Raises Interrupted at a batch edge when the run is told to stop.
        """

    def resolve(self, carrier: Carrier[Any]) -> bool:  # Any: as in carry
        """Only the first part of `carry`: find what a death left half-way; whether there was such a thing. For steps that look at the target
        before they carry.
        """

    def record(self, outcomes: Iterable[Outcome]) -> None:
        """Record outcomes that needed no writing (found, skipped) or that change a recorded one (flags)."""

    def forget(self) -> None:
        """Strike everything recorded of this action's items: the source or the target numbers them anew. What is on the target
        is to be found again before anything is carried.
        """

    def remember(self, facts: Mapping[str, str]) -> None:
        """Keep small facts for the next run's `remembered` (a folder's UIDVALIDITY, a cursor), on disk with this action's next record."""

    def keep_password(self, account: str, password: SecretStr) -> None:
        """Put a password made for an account at the target into the hand-out, on disk before this returns. From now on it is the
        account's password there unless the plan gives one. Call it before the password is used: what a death forgets nobody knows.
        """

    def note(self, finding: Finding) -> None:
        """Record a finding for the report."""

    def edge(self) -> None:
        """A place where stopping is safe; raises Interrupted when the run is told to stop. For loops outside `carry`."""


class Step(Protocol):
    """One word of a plan: what a room does with two endpoints."""

    def subjects(self, read: Reading) -> Iterator[Subject]:
        """What there is to move, cheaply; no connection per subject."""

    def plan(self, subject: Subject, read: Reading) -> Iterator[Action]:
        """The subject's actions, by reading only. "Nothing to do" is an action too (KEEP, with a why)."""

    def apply(self, action: Action, work: Work) -> None:
        """Do the action. May be called any number of times and ends the same."""

    def verify(self, action: Action, read: Reading, sample: float) -> Iterator[Finding]:
        """Compare both sides by another road than `apply` took. `sample` is the share of items whose content is read,
        0 to 1; counts and metadata are always compared for all. Only differences and notes are yielded.
        """


@runtime_checkable
class Foresees(Protocol):
    """A step that can tell at preview what the target will refuse, change or rename."""

    def foresee(self, subject: Subject, actions: Sequence[Action], read: Reading) -> Iterator[Finding | Action]:
        """Findings about what would happen, by reading only; more costly than `plan`, so only a preview asks. An action among them takes
        the place of that with the same key: what was seen on the way tells its size better.
        """


@runtime_checkable
class Probes(Protocol):
    """A step that can measure the source for a preview's estimate of time."""

    def probe(self, subject: Subject, actions: Sequence[Action], read: Reading, budget: int) -> int:
        """Read up to `budget` bytes as a copy would and answer how many were read; the engine holds the watch."""


@runtime_checkable
class MakesAccounts(Protocol):
    """A step after which accounts are at the target that were not there before."""

    def not_made(self, read: Reading) -> AbstractSet[str]:
        """Those of the plan's accounts, by their name at the target, that are not there now. Later stages do not try to log in to them."""


@runtime_checkable
class Restores(Protocol):
    """A step that changes something at the source for the time of a run."""

    def restore(self, work: Work) -> None:
        """Put everything back. Called when a run ends, however it ends but by death, and by the next one after that; may be called any
        number of times and does nothing where nothing was changed.
        """


# -- what an adapter is -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Login:
    """One account's way into one endpoint. `account` is the address the plan speaks of, `user` what the server wants to hear; `made` says
    that the password was made during this move. `endpoint` is its name in the plan, for messages; "" where nobody told it.
    """

    account: str
    user: str
    password: SecretStr | None = None
    made: bool = False
    endpoint: str = ""

    def at(self, server: str) -> str:
        """The server with the name its endpoint has in the plan: mail.example.net (endpoint old)."""
        return f"{server} (endpoint {self.endpoint})" if self.endpoint else server


@dataclass(frozen=True, slots=True)
class Account:
    """One line of the plan's accounts, both sides resolved. Keys and labels use `source.account`."""

    source: Login
    target: Login


class Service(BaseModel):
    """What every service of an endpoint understands; an adapter's Options add their own fields."""

    model_config = {"frozen": True, "extra": "forbid"}


@dataclass(frozen=True, slots=True)
class Mistake:
    """Something wrong in a file of this machine: the line counts from 1, 0 is the whole file. `odd` says that a run goes on all the same,
    and nothing is left behind for it.
    """

    file: Path
    line: int
    text: str
    odd: bool = False


@dataclass(frozen=True, slots=True)
class Contents:
    """What the files behind a service hold: the names of the things in them (None where a server alone knows), and everything that is wrong
    with them.
    """

    names: tuple[str, ...] | None = None
    mistakes: tuple[Mistake, ...] = ()


@dataclass(frozen=True, slots=True)
class Adapter(Generic[R, W]):
    """What an adapter module offers as ADAPTER. `writer` is None where the product cannot be a target.

    `reader(options, login)` and `writer(options, login)` open a session: an object of the room's contract with a `close()`.
    `connections` says how many sessions the options allow to the endpoint and to one account of it.
    `opens_all(options)` says what the one login is called with which sessions of every account are opened (they log in as they are opened);
    "" where each account has its own. Refused, it is not tried once for each of them.
    `contents(options)` is there where the options name files of this machine, which `migrator check` reads: all of their mistakes at once,
    and nothing is connected to. It raises NotFound where they are not there, which a target's need not be, and what else cannot be looked at.
    `leans_on(options)` names another service that the same endpoint must have then, and what it is wanted for; "" if none.
    `visit(options, login, side)` may be there beside it: by reading alone it raises what a session of this account will meet at that side, for
    `migrator check` too.
    """

    word: str
    title: str
    options: type[Service]
    reader: Callable[[Any, Login], R]  # Any: each adapter has its own options class
    writer: Callable[[Any, Login], W] | None
    connections: Callable[[Any], tuple[int, int]] = lambda _: (4, 4)
    opens_all: Callable[[Any], str] = lambda _: ""  # Any: as above
    contents: Callable[[Any], Contents] | None = None  # Any: as above
    visit: Callable[[Any, Login, Side], None] | None = None  # Any: as above
    leans_on: Callable[[Any], tuple[str, str]] = lambda _: ("", "")  # Any: as above


@dataclass(frozen=True, slots=True)
class Kind:
    """What a room offers the registry under a step's word: which service both endpoints must have, the options a plan may
    give, how a step is built from options and accounts. `supplies_logins(options)` says at which sides accounts have a password once the
    step is done, though the plan names none. `residents(session, domains)` asks a source, by a reading session, who lives in these domains
    (in all of them if none is named): that is what `accounts: {from: endpoint}` means. `needs_accounts` is False where what moves is nobody's own.
    `measure` is what its progress goes by.
    `misnamed(options, names)` tells which of the options name things that a source with these names has not: the option and a sentence.
    """

    word: str
    service: str
    options: type[BaseModel]
    build: Callable[[Any, Sequence[Account]], Step]  # Any: each step has its own options class
    supplies_logins: Callable[[Any], frozenset[Side]] = lambda _: frozenset()  # Any: as above
    residents: Callable[[Any, Sequence[str]], Iterator[str]] | None = None  # Any: a session of the room's own contract
    needs_accounts: bool = True
    measure: Measure = Measure.BYTES
    misnamed: Callable[[Any, Sequence[str]], Iterable[tuple[str, str]]] = lambda _options, _names: ()  # Any: as above
