"""How long to wait before another try, decided by the error's class and by how long this job has waited already.

The waiting itself is done by the crew, which works on other jobs meanwhile and wakes when a stop is asked for; that is why no
retry library sits here.
"""

from __future__ import annotations

from collections.abc import Callable

from migrator.errors import MigratorError, Unreachable

FIRST = 1.0  # seconds; long enough for a server to notice that our old connection is gone
LONGEST = 60.0
NEVER_SEEN = (
    2  # tries more at an endpoint that has not answered once in this run: more likely a typing error than a restart
)


def pause(
    error: MigratorError, attempt: int, waited: float, patience: float, *, reached: bool, chance: Callable[[], float]
) -> float | None:
    """Seconds to wait before try `attempt + 1`, or None to give up. `chance` answers 0..1 and spreads workers that failed together."""
    if not error.retry or waited >= patience:
        return None
    if isinstance(error, Unreachable) and not reached and attempt > NEVER_SEEN:
        return None
    seconds = min(LONGEST, FIRST * 2.0 ** (attempt - 1)) * (1 + chance() / 4)
    if error.wait is not None:
        seconds = max(seconds, error.wait.total_seconds())
    return min(seconds, max(FIRST, patience - waited))
