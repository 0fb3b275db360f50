"""Several requests at once: the one place where an adapter's work goes on in threads. How many is the plan's, by way of the adapter."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def each(do: Callable[[T], R], many: Sequence[T], at_once: int) -> list[R]:
    """What `do` answers for each, in order, at most `at_once` at the same time; all threads have ended by then. Once one has raised, no
    further one is begun, and the first error in order is raised.
    """
    if at_once <= 1 or len(many) <= 1:
        return [do(one) for one in many]
    broken = threading.Event()

    def unless_broken(one: T) -> R:
        if broken.is_set():
            raise CancelledError
        try:
            return do(one)
        except BaseException:
            broken.set()
            raise

    with ThreadPoolExecutor(at_once, "each") as threads:
        asked = [threads.submit(unless_broken, one) for one in many]
    errors = [error for one in asked if (error := one.exception()) is not None]
    for error in errors:
        if not isinstance(error, CancelledError):
            raise error
    return [one.result() for one in asked]
