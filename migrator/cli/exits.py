"""How every verb ends: the exit codes, what each means, and which error leads to which. Nothing else exits with a number."""

from __future__ import annotations

from enum import IntEnum
from typing import Self

from migrator.errors import (
    Dropped,
    EndpointRefused,
    EndpointUnfit,
    Held,
    Interrupted,
    LeaseLost,
    LoginRefused,
    MigratorError,
    NoSpace,
    PlanError,
    StateError,
    StateFull,
    TlsFailed,
    TooManyConnections,
    Unavailable,
    Unreachable,
)


class Exit(IntEnum):
    """An exit code; `meaning` is its line in the documentation."""

    meaning: str

    def __new__(cls, code: int, meaning: str) -> Self:
        member = int.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member

    DONE = 0, "all done and verified"
    BUG = 1, "a mistake of migrator itself"
    PLAN = 2, "the plan, the command line or the state file cannot be used"
    LEFT_BEHIND = 3, "finished, but something was left behind; the report says what and why"
    LOGIN = 4, "a login was refused"
    UNREACHABLE = 5, "an endpoint cannot be reached, or not safely (TLS), or is not what the plan says"
    SPACE = 6, "a quota or a disk is full"
    DIFFERENCES = 7, "doctor or verify found differences"
    CHANGES = 8, "the preview has changes pending (only with --exit-code)"
    HELD = 9, "another run holds this plan"
    INTERRUPTED = 130, "interrupted by Ctrl-C; the state is safe, start again to go on"
    TERMINATED = 143, "stopped by SIGTERM; the state is safe, start again to go on"


# The first class that fits decides, so the narrower one stands first.
_BY_ERROR: tuple[tuple[type[MigratorError], Exit], ...] = (
    (PlanError, Exit.PLAN),
    (LoginRefused, Exit.LOGIN),
    (EndpointUnfit, Exit.UNREACHABLE),
    (EndpointRefused, Exit.LOGIN),
    (NoSpace, Exit.SPACE),
    (StateFull, Exit.SPACE),
    (Held, Exit.HELD),
    (LeaseLost, Exit.HELD),
    (StateError, Exit.PLAN),
    (Interrupted, Exit.INTERRUPTED),
    (Unreachable, Exit.UNREACHABLE),
    (TlsFailed, Exit.UNREACHABLE),
    (Dropped, Exit.UNREACHABLE),
    (Unavailable, Exit.UNREACHABLE),
    (TooManyConnections, Exit.UNREACHABLE),
)


def exit_code_of(error: MigratorError) -> Exit:
    """The code a command ends with when `error` ended it. What reaches only an item or an action is LEFT_BEHIND."""
    return exit_code_of_kind(type(error))


def exit_code_of_kind(met: type[MigratorError]) -> Exit:
    """The same for a class of errors, however its instances are made."""
    return next((code for kind, code in _BY_ERROR if issubclass(met, kind)), Exit.LEFT_BEHIND)
