"""The admin's wish to stop, seen by everything that loops or waits."""

from __future__ import annotations

import threading


class Stop:
    """Set once, from any thread or a signal handler; waits end early when it is set."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self.words = ""

    def ask(self, words: str) -> None:
        """Ask for a stop at the next batch edge; `words` say who asked ("Ctrl-C", "SIGTERM")."""
        if not self._asked.is_set():
            self.words = words
        self._asked.set()

    @property
    def asked(self) -> bool:
        return self._asked.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait, at most this long; answers whether a stop was asked for."""
        return self._asked.wait(seconds)
