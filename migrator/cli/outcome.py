"""Which exit code a finished preview, run or verification deserves.

When several things went wrong, the code names the one to mend first: a full disk or mailbox (6), then a server that did not
answer (5), then a refused login (4), then differences (7), then what was left behind (3).
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet

from migrator.cli.exits import Exit, exit_code_of_kind
from migrator.engine.run import RunResult
from migrator.engine.verify import VerifyResult
from migrator.errors import MigratorError

_FIRST_TO_MEND = (Exit.SPACE, Exit.UNREACHABLE, Exit.LOGIN)


def exit_of_codes(codes: AbstractSet[str]) -> Exit:
    """The exit code for the error codes that were met: DONE where there were none, LEFT_BEHIND for those without an exit code
    of their own.
    """
    met = {exit_code_of_kind(error) for error in _errors(MigratorError) if error.code in codes}
    return next(
        (exit_code for exit_code in _FIRST_TO_MEND if exit_code in met), Exit.LEFT_BEHIND if codes else Exit.DONE
    )


def exit_of_run(result: RunResult, stopped: int | None) -> int:
    """The exit code of a run that was not broken off; `stopped` is 130 or 143 after a signal."""
    if stopped is not None:
        return stopped
    met = _met(result.codes, result.differences)
    return Exit.LEFT_BEHIND if met is Exit.DONE and result.left_behind else met


def exit_of_verify(result: VerifyResult, stopped: int | None) -> int:
    """The exit code of a verification. What could not be compared is a difference too, and so is what was never moved, and what an earlier
    verification found where this one did not look.
    """
    if stopped is not None:
        return stopped
    met = _met(result.codes, result.differences + result.not_moved + result.standing)
    return Exit.DIFFERENCES if met is Exit.LEFT_BEHIND else met


def _met(codes: AbstractSet[str], differences: int) -> Exit:
    met = exit_of_codes(codes)
    return Exit.DIFFERENCES if differences and met in {Exit.DONE, Exit.LEFT_BEHIND} else met


def _errors(kind: type[MigratorError]) -> Iterator[type[MigratorError]]:
    yield kind
    for narrower in kind.__subclasses__():
        yield from _errors(narrower)
