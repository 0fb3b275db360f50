"""The screen: the only place that prints. stdout carries the answer, stderr all else.

Much of what is shown was written by strangers: folder names, server replies, notes. Whatever could move a cursor, colour a
line or reverse its reading order is made visible before it gets here or dropped; every call prints exactly one line.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from tqdm import tqdm

SEEN = "\N{REPLACEMENT CHARACTER}"
BELOW_SPACE = 0x20
PICTURES = 0x2400  # the pictures of the control characters begin here in Unicode
DELETE, DELETE_PICTURE = 0x7F, 0x2421
BAR = "{percentage:3.0f}% |{bar:24}| {desc}"

# C0 and DEL have pictures. C1, what changes the reading order, what breaks a line and what has no width in a name have none;
# lone surrogates could not be printed at all.
_SPELLED = {number: PICTURES + number for number in range(BELOW_SPACE)} | {DELETE: DELETE_PICTURE}
_HIDDEN = (
    *range(0x80, 0xA0),
    0x061C,
    0x200B,
    0x200E,
    0x200F,
    *range(0x2028, 0x202F),
    *range(0x2060, 0x2070),
    *range(0xD800, 0xE000),
    0xFEFF,
    *range(0xFFF9, 0xFFFC),
    *range(0xE0000, 0xE0080),
)
_TABLE: dict[int, int | str] = {**_SPELLED, **dict.fromkeys(_HIDDEN, SEEN)}


def plain(text: str) -> str:
    """The text as it may be shown: one line, no control, nothing that changes the reading order, every such thing seen."""
    return text.translate(_TABLE)


class Bar:
    """One bar for everything, on a terminal only; elsewhere a bar that draws nothing."""

    def __init__(self, stream: TextIO, *, drawn: bool) -> None:
        self._bar: tqdm[Any] | None = None  # Any: it counts numbers we give it, it iterates over nothing
        if not drawn:
            return
        from tqdm import tqdm

        self._bar = tqdm(file=stream, total=1, dynamic_ncols=True, leave=False, bar_format=BAR, ascii=" -#")

    def show(self, done: int, total: int, words: str) -> None:
        """Draw the bar at done of total, with some words after it."""
        if self._bar is None:
            return
        self._bar.total = max(total, done, 1)
        self._bar.n = done
        self._bar.set_description_str(plain(words), refresh=False)
        self._bar.refresh()

    def write(self, line: str, stream: TextIO) -> None:
        """Print a line above the bar."""
        if self._bar is None:
            stream.write(line + "\n")
        else:
            self._bar.write(line, file=stream)

    def close(self) -> None:
        """Take the bar off the screen."""
        if self._bar is not None:
            self._bar.close()


class Screen:
    """Where one command prints. Safe to call from any thread; a reader who went away (`| head`) is no error."""

    def __init__(self, answers: TextIO, asides: TextIO) -> None:
        self._answers = answers
        self._asides = asides
        self._bar: Bar | None = None
        self._lock = threading.RLock()

    @classmethod
    def of_this_process(cls) -> Screen:
        """The screen on stdout and stderr. A name the terminal's encoding lacks is shown with a replacement, never an error."""
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="replace")
        return cls(sys.stdout, sys.stderr)

    @property
    def is_terminal(self) -> bool:
        """Whether someone watches the progress. A terminal without a size (some containers have one) has no place for a bar."""
        if not self._asides.isatty():
            return False
        columns, lines = os.get_terminal_size(self._asides.fileno())
        return columns > 0 and lines > 1

    @property
    def answers_on_terminal(self) -> bool:
        """Whether the answer is watched, not kept in a file."""
        return self._answers.isatty()

    def answer(self, line: str = "") -> None:
        """One line of the answer."""
        self._write(self._answers, plain(line))

    def document(self, value: Any) -> None:  # Any: whatever JSON can hold
        """The answer as a JSON document. ASCII only, so that no text in it can do anything to a terminal."""
        self._write(self._answers, json.dumps(value, indent=2))

    def json_line(self, value: Any) -> None:  # Any: whatever JSON can hold
        """One JSON value on a line of its own, at once: another program reads along."""
        with self._lock:
            self._write(self._answers, json.dumps(value))
            self._flush(self._answers)

    def say(self, line: str) -> None:
        """One line beside the answer: progress, a warning, what went wrong."""
        self._write(self._asides, plain(line))

    @property
    def can_ask(self) -> bool:
        """Whether someone is there to answer a question."""
        return sys.stdin is not None and sys.stdin.isatty() and self._asides.isatty()

    def ask(self, question: str) -> str:
        """What the person at the terminal answers, without blanks around it. Raises KeyboardInterrupt where the input ends: that is how
        people leave.
        """
        with self._lock:
            self._asides.write(plain(question))
            self._flush(self._asides)
        answer = sys.stdin.readline()
        if not answer:
            self.say("")
            raise KeyboardInterrupt
        return answer.strip()

    def clear(self) -> None:
        """Begin again at the top of the terminal; in a file, only a blank line tells two answers apart."""
        with self._lock:
            if self.answers_on_terminal:
                self._answers.write("\x1b[H\x1b[J")
            else:
                self._write(self._answers, "")
            self._flush(self._answers)

    def bar(self) -> Bar:
        """The one bar of a run; lines said meanwhile appear above it. Close it with `close`."""
        with self._lock:
            self._bar = Bar(self._asides, drawn=self.is_terminal)
            return self._bar

    def close(self) -> None:
        """Take the bar off and see to it that everything has been written."""
        with self._lock:
            if self._bar is not None:
                self._bar.close()
                self._bar = None
            self._flush(self._answers)
            self._flush(self._asides)

    def _write(self, stream: TextIO, line: str) -> None:
        with self._lock:
            try:
                if self._bar is not None:
                    self._bar.write(line, stream)
                else:
                    stream.write(line + "\n")
            except BrokenPipeError:
                self._reader_left(stream)

    def _flush(self, stream: TextIO) -> None:
        try:
            stream.flush()
        except BrokenPipeError:
            self._reader_left(stream)

    def _reader_left(self, stream: TextIO) -> None:
        # What is still in the buffer would raise again when Python flushes at exit.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def table(rows: Sequence[tuple[str, ...]], *, right: frozenset[int] = frozenset()) -> list[str]:
    """The rows as lines with columns one under the other; the columns in `right` end together, as numbers do."""
    if not rows:
        return []
    rows = [tuple(plain(cell) for cell in row) for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
