"""Ctrl-C and SIGTERM: the first asks to stop at the next batch edge, the second ends the process at once.

A thread does what a signal asks for, woken through a pipe by the interpreter's own C handler. A Python handler would run in
the middle of whatever the main thread is doing, perhaps while it holds the very lock that asking needs.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from migrator.cli.screen import Screen
from migrator.engine.stop import Stop

NAMES = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}
BY_SIGNAL = 128  # a shell adds this to the signal's number
STDERR = 2
LAST_WORDS = b"Stopped at once; nothing is lost. Run the same command again.\n"


class Asked:
    """Which signal asked to stop, if one did."""

    def __init__(self) -> None:
        self.number: int | None = None

    @property
    def exit_code(self) -> int | None:
        """130 after Ctrl-C, 143 after SIGTERM."""
        return None if self.number is None else BY_SIGNAL + self.number


@contextmanager
def asking(stop: Stop, screen: Screen) -> Iterator[Asked]:
    """While inside, the first of the two signals asks `stop`, the second ends the process with 130 or 143. Only for the main
    thread. Ending at once is safe: what is under way has its intent on disk.
    """
    asked = Asked()
    ears, mouth = os.pipe()
    os.set_blocking(mouth, False)
    earlier = {number: signal.signal(number, lambda *_: None) for number in NAMES}
    earlier_mouth = signal.set_wakeup_fd(mouth, warn_on_full_buffer=False)
    listener = threading.Thread(target=_listen, args=(ears, stop, screen, asked), name="signals", daemon=True)
    listener.start()
    try:
        yield asked
    finally:
        signal.set_wakeup_fd(earlier_mouth)
        for number, handler in earlier.items():
            signal.signal(number, handler)
        os.close(mouth)
        listener.join()
        os.close(ears)


def _listen(ears: int, stop: Stop, screen: Screen, asked: Asked) -> None:
    while heard := os.read(ears, 1):
        number = heard[0]
        if number not in NAMES:
            continue
        if asked.number is not None:
            # Not through the screen: its lock may be held by the very thread that hangs.
            with suppress(OSError):
                os.write(
                    STDERR, (b"\n" if screen.is_terminal else b"") + LAST_WORDS
                )  # a bar stands on a line of its own
            os._exit(BY_SIGNAL + number)
        asked.number = number
        stop.ask(NAMES[signal.Signals(number)])
        screen.say("Stopping after the batches in hand; once more to stop now.")
