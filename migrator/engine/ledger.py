"""What the engine needs to be remembered: the Store protocol, which `state/` fulfils and `cli/` joins to a run.

Everything an admin can ask later (status, report, what to resume) is answered from here alone. All times are aware UTC. Every
write of a run carries its epoch: once another run holds the lease, the store raises LeaseLost and records nothing.

A ledger key files what is known of one action: `<kind>/<source endpoint>><target endpoint>/<action key>`. It names neither
the step nor the run, so a delta step continues where the first pass of the same route stopped.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from enum import Enum
from typing import Protocol

from migrator.engine.contract import Fate, Finding, Intended, Outcome, Size, Verb
from migrator.frozen import dataclass

DEPARTED = (
    "departed"  # fact of an action: items on record, by fate, that the source no longer listed in the newest pass
)
UNCOUNTED = "uncounted"  # fact of an action that is only told of: the newest planning did not count what it holds
VERIFIED = "verified"  # fact of an action: epoch of the run that compared it last
UNNAMED = "unnamed"  # fact of a subject, under its own key: the newest pass over its stages did not name it


class Status(Enum):
    """How an action stands."""

    PLANNED = "planned"
    RUNNING = "running"
    DONE = "done"  # ended; items may have been left behind, the counts tell
    KEPT = "kept"  # nothing was to do
    FAILED = "failed"  # not ended; why and cure tell


class Ending(Enum):
    """How a run ended; a run without an ending died."""

    DONE = "done"
    LEFT_BEHIND = "left-behind"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lease. `boot` and `started` (process start ticks) tell a living process from a new one with its pid."""

    host: str
    boot: str
    pid: int
    started: str


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run. `ended` and `ending` are None while it runs or when it died; `last_sign` is its last heartbeat or record."""

    number: int
    epoch: int
    holder: Holder
    began: datetime
    last_sign: datetime
    ended: datetime | None = None
    ending: Ending | None = None
    exit_code: int | None = None
    words: str = ""  # what ended it, as told to the admin ("SIGTERM", "quota of bob@example.com")
    purpose: str = "run"  # "run" or "verify": the verb that held the lease


@dataclass(frozen=True, slots=True)
class Claim:
    """The lease of a run that may start. `previous` is the newest earlier run of purpose "run", with `ending` None if it died."""

    run: RunRow
    previous: RunRow | None
    resumes: bool  # previous did not end with DONE or LEFT_BEHIND
    taken: bool = False  # from previous, which was at work


@dataclass(frozen=True, slots=True)
class ActionRow:
    """One action as last planned, with what became of it."""

    ledger_key: str
    step: str  # the step's name in the plan
    subject: str  # the subject's key
    subject_label: str
    key: str
    verb: Verb
    label: str
    why: str
    size: Size  # what was still to move when planned
    total: Size  # what the source held when planned
    status: Status
    run: int  # the run that wrote this last
    cure: str = ""  # with FAILED: `why` holds the reason
    position: int = 0  # order of planning, for stable listings


@dataclass(frozen=True, slots=True)
class SubjectTrouble:
    """A subject that could not be planned or was given up: a wrong password, an endpoint that is down."""

    step: str
    subject: str
    label: str
    code: str
    text: str
    remedy: str
    run: int
    ledger_key: str = ""  # the subject's own, which tells its kind and route; "" where an older state did not keep it


@dataclass(frozen=True, slots=True)
class OpenBatch:
    """An intent without an outcome: the items may or may not have arrived behind the fence."""

    number: int
    ledger_key: str
    fence: str
    items: tuple[Intended, ...]


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts for a progress line or a resume line, over all actions of the newest planning but those that only prepare others.
    `left_behind` counts altered items too: neither is at the target as it was sent. As in a report, what has left the source since
    counts in none of them.
    """

    actions: int
    actions_done: int
    items_arrived: int
    bytes_arrived: int
    left_behind: int


class Records(Protocol):
    """What is recorded together: on disk when the block of `Store.recording` ends, and nothing of it if the block fails."""

    def progressed(
        self, step: str, ledger_key: str, status: Status, why: str = "", cure: str = "", total: Size | None = None
    ) -> None:
        """An action's new status; `why`, `cure` and `total` replace what planning said only where given."""

    def open_batch(self, ledger_key: str, fence: str, items: Sequence[Intended]) -> int:
        """Keep an intent; answers the batch's number."""

    def close_batch(self, number: int, outcomes: Sequence[Outcome]) -> None:
        """Keep the outcomes of a batch and strike its intent."""

    def record(self, ledger_key: str, outcomes: Sequence[Outcome]) -> None:
        """Keep outcomes that had no intent; an item's later outcome replaces its earlier one."""

    def remember(self, ledger_key: str, facts: Mapping[str, str]) -> None:
        """Keep small facts of an action."""

    def found(self, step: str, ledger_key: str, source: str, findings: Sequence[Finding]) -> None:
        """Replace the findings that `source` ("run" or "verify") holds about this action of this step."""


class Store(Protocol):
    """The memory of a plan. Safe to call from any thread; every method that writes is one transaction, on disk when it returns.

    Raises StateFull when there is no room (nothing of the transaction is kept), LeaseLost when the epoch is not the lease's,
    StateError for what else goes wrong.
    """

    # -- the lease ----------------------------------------------------------------------------------------------------

    def claim(self, holder: Holder, now: datetime, plan_digest: str, version: str, purpose: str = "run") -> Claim:
        """Take the lease and open a run. Raises Held, naming the holder (host, pid, since when), while another run lives: on
        this boot of this host that is while its process exists, elsewhere until its last sign is older than the lease.
        """

    def seize(self, holder: Holder, now: datetime, plan_digest: str, version: str, purpose: str = "run") -> Claim:
        """Take the lease whoever holds it (the admin said so); the other run can record nothing from then on."""

    def heartbeat(self, epoch: int, now: datetime) -> None:
        """A sign of life. Raises LeaseLost."""

    def end_run(self, epoch: int, now: datetime, ending: Ending, exit_code: int, words: str) -> None:
        """Close the run and give the lease back."""

    # -- planning ----------------------------------------------------------------------------------------------------

    def planned(self, epoch: int, actions: Sequence[ActionRow]) -> None:
        """Keep a subject's actions (insert or update by step and ledger key) and forget its earlier trouble."""

    def trouble(self, epoch: int, trouble: SubjectTrouble) -> None:
        """Keep why a subject was given up (one row a step and subject)."""

    def progressed(self, epoch: int, step: str, ledger_key: str, status: Status, why: str = "", cure: str = "") -> None:
        """An action's new status; `why` and `cure` replace what planning said only where given."""

    # -- items ---------------------------------------------------------------------------------------------------------

    def recording(self, epoch: int) -> AbstractContextManager[Records]:
        """What the block records is one transaction. The block waits for nothing: other threads wait for it."""

    def open_batch(self, epoch: int, ledger_key: str, fence: str, items: Sequence[Intended]) -> int:
        """Commit the intent; answers the batch's number."""

    def close_batch(self, epoch: int, number: int, outcomes: Sequence[Outcome]) -> None:
        """Commit the outcomes and strike the intent, together."""

    def record(self, epoch: int, ledger_key: str, outcomes: Sequence[Outcome]) -> None:
        """Commit outcomes that had no intent; an item's later outcome replaces its earlier one."""

    def open_batches(self, ledger_key: str) -> Sequence[OpenBatch]:
        """Intents without outcomes, oldest first."""

    def is_under_way(self) -> bool:
        """Whether any action has an intent without outcomes."""

    def settled(self, ledger_key: str, keys: Sequence[str]) -> Mapping[str, Outcome]:
        """Outcomes of these items; unknown keys are absent."""

    def outcomes(self, ledger_key: str) -> Iterator[Outcome]:
        """All outcomes of an action, streamed."""

    def remember(self, epoch: int, ledger_key: str, facts: Mapping[str, str]) -> None:
        """Keep small facts of an action."""

    def remembered(self, ledger_key: str) -> Mapping[str, str]:
        """All facts kept of an action."""

    def forget_items(self, epoch: int, ledger_key: str) -> None:
        """Strike outcomes, intents and facts of an action (its numbering at the source began anew)."""

    # -- findings --------------------------------------------------------------------------------------------------------

    def found(self, epoch: int, step: str, ledger_key: str, source: str, findings: Sequence[Finding]) -> None:
        """Replace the findings that `source` ("run" or "verify") holds about this action of this step."""

    # -- questions (also without a lease) -------------------------------------------------------------------------------

    def runs(self) -> Sequence[RunRow]:
        """All runs, oldest first."""

    def current(self) -> RunRow | None:
        """The run that holds the lease now, dead or alive."""

    def actions(self, step: str | None = None) -> Iterator[ActionRow]:
        """Actions as last planned, in order of step and position."""

    def troubles(self) -> Sequence[SubjectTrouble]:
        """Subjects given up and not planned since."""

    def fates(self, ledger_key: str) -> Mapping[Fate, Size]:
        """Items and bytes by fate."""

    def all_remembered(self, names: Collection[str]) -> Mapping[str, Mapping[str, str]]:
        """The facts of these names, by ledger key of the actions that have one: one question, however many actions there are."""

    def all_fates(self) -> Mapping[str, Mapping[Fate, Size]]:
        """What `fates` answers, by ledger key, of every action that has items."""

    def notes(self) -> Mapping[str, Sequence[tuple[Fate, str, str, int]]]:
        """By ledger key, of every action that has a note: fate, note, cure and how many items share them."""

    def left_behind(self) -> Iterator[tuple[str, Outcome]]:
        """Ledger key and outcome of every item left behind or altered, streamed."""

    def called(self) -> Iterator[tuple[str, Outcome]]:
        """Ledger key and outcome of every item of which is recorded what people call it, streamed, by ledger key."""

    def findings(self) -> Iterator[tuple[str, str, str, Finding]]:
        """Step, ledger key, source and finding."""

    def tally(self) -> Tally:
        """Where the plan stands."""

    def close(self) -> None:
        """Let go of the file or the server."""
