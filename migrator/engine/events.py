"""What happens during a preview or a run, as data: progress bars, logs and `--json` are three readers of one stream.

Events carry names and numbers, never content and never a secret. They come from several threads; the teller must not block long.
"""

from __future__ import annotations

from collections.abc import Callable

from migrator.engine.contract import Action, Fate, Finding, Measure, Size, Subject
from migrator.engine.ledger import Claim, Ending, Status, Tally
from migrator.frozen import dataclass


@dataclass(frozen=True, slots=True)
class RunBegan:
    """The lease is ours. `tally` is where the plan stood before."""

    claim: Claim
    tally: Tally


@dataclass(frozen=True, slots=True)
class StageBegan:
    """A step of the plan starts (or its verification, with `verifies`); `measure` is what its progress goes by."""

    step: str
    kind: str
    route: str
    verifies: bool = False
    measure: Measure = Measure.BYTES


@dataclass(frozen=True, slots=True)
class SubjectPlanned:
    """A subject's actions are known."""

    step: str
    subject: Subject
    actions: tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class SubjectFailed:
    """A subject was given up."""

    step: str
    subject: Subject
    code: str
    text: str
    remedy: str


@dataclass(frozen=True, slots=True)
class ActionBegan:
    """An action starts or starts again."""

    step: str
    subject: str
    action: Action
    attempt: int


@dataclass(frozen=True, slots=True)
class BatchRecorded:
    """Outcomes are on disk: counts and bytes by fate."""

    step: str
    subject: str
    action: Action
    by_fate: dict[Fate, Size]


@dataclass(frozen=True, slots=True)
class ActionEnded:
    """An action ended; with FAILED, `text` and `remedy` say why and what to do."""

    step: str
    subject: str
    action: Action
    status: Status
    text: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A pause before another try. `about` is what waits, by its labels; `text` is why."""

    step: str
    about: str
    seconds: float
    text: str


@dataclass(frozen=True, slots=True)
class Narrowed:
    """An endpoint took fewer connections than planned; that lane is now this wide."""

    endpoint: str
    width: int


@dataclass(frozen=True, slots=True)
class Noted:
    """A finding, of run or verify, about something of this subject."""

    step: str
    finding: Finding
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Verified:
    """An action was compared; `differences` findings weigh DIFFERENCE."""

    step: str
    subject: str
    action: Action
    items: int
    differences: int


@dataclass(frozen=True, slots=True)
class RunEnded:
    """The run is over."""

    ending: Ending
    exit_code: int
    tally: Tally


Event = (
    RunBegan
    | StageBegan
    | SubjectPlanned
    | SubjectFailed
    | ActionBegan
    | BatchRecorded
    | ActionEnded
    | Waiting
    | Narrowed
    | Noted
    | Verified
    | RunEnded
)
Tell = Callable[[Event], None]
