"""Who holds a plan, and whether that holder still lives.

On the same boot of the same host nothing is guessed from clocks: the process is there or it is not. A holder we cannot see
(another host, another container) counts as living until its last sign is older than LEASE; should that be wrong, the epoch
still keeps it from recording anything.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from migrator.engine.ledger import Holder, RunRow
from migrator.errors import Held
from migrator.frozen import dataclass

LEASE = timedelta(seconds=120)

_ENDED = frozenset("ZX")  # a zombie has a pid and a start, but will never record again
_STATE, _START = 0, 19  # fields 3 and 22 of /proc/<pid>/stat, counted behind the name


@dataclass(frozen=True, slots=True)
class Process:
    """A process as the kernel shows it; `started` is "" where the system does not tell."""

    started: str
    ended: bool = False


def this_process() -> Holder:
    """This process as the holder of a lease."""
    own = _process(os.getpid())
    return Holder(host=socket.gethostname(), boot=_boot(), pid=os.getpid(), started=own.started if own else "")


def process_lives(holder: Holder) -> bool:
    """Whether the holder's process exists on this host now, and is not a later one that was given its pid."""
    process = _process(holder.pid)
    if process is None or process.ended:
        return False
    return not (process.started and holder.started) or process.started == holder.started


def is_here(holder: Holder) -> bool:
    """Whether the holder's process is, or was, one of this start of this host, so that it can be seen whether it lives."""
    return _sees(this_process(), holder)


def is_held(run: RunRow, here: Holder, now: datetime, lives: Callable[[Holder], bool]) -> bool:
    """Whether `run` keeps its lease against somebody who asks from `here`."""
    if _sees(here, run.holder):
        return lives(run.holder)
    if run.holder.host == here.host and _kernel(run.holder) != _kernel(here):
        return False  # the host was started anew since; nothing of before can be running
    return now - run.last_sign <= LEASE


def held(run: RunRow, here: Holder) -> Held:
    """The refusal that names who holds the plan, since when, and what to do."""
    by = run.holder
    since = f"{run.began:%Y-%m-%d %H:%M:%S} UTC"
    if _sees(here, by):
        remedy = f"Wait until it ends, or stop it with `kill {by.pid}` (that is safe) and run again."
    else:
        lapses = f"{run.last_sign + LEASE:%Y-%m-%d %H:%M:%S} UTC"
        remedy = f"Wait until it ends. If that process is gone, its hold lapses at {lapses}, or use `--take-over` now."
    return Held(
        f"`migrator {run.purpose}` holds this plan: run {run.number}, process {by.pid} on {by.host}, since {since}.",
        remedy=remedy,
    )


def _sees(here: Holder, there: Holder) -> bool:
    """Whether a pid of `there` means the same process to us. A container's boot differs in its pid namespace."""
    return (here.host, here.boot) == (there.host, there.boot)


def _kernel(holder: Holder) -> str:
    return holder.boot.partition("/")[0]


def _boot() -> str:
    """Names this start of the kernel and our pid namespace; "" on systems without /proc, where only pids are compared."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return ""


def _process(pid: int) -> Process | None:
    """The process with this pid, or None if there is none."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass  # it exists and belongs to somebody else
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return Process(started="")
    # The name stands in parentheses and may hold spaces and parentheses itself.
    fields = stat.rpartition(")")[2].split()
    return Process(started=fields[_START], ended=fields[_STATE] in _ENDED)
