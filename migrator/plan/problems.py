"""Mistakes of a plan, gathered so that all of them are told at once.

Each is one line an editor can jump to: `plan.yaml:31:7: accounts.domian is not known here. Did you mean domains?` No line ever
repeats a value where a secret might stand; a mistyped secret name may well be the secret itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import field

from migrator.errors import PlanError
from migrator.frozen import dataclass
from migrator.meant import LONGEST_WORD

Path = tuple[str | int, ...]

MOST_OF_ONE_FILE = 200  # mistakes told about one file; a wrong column spoils every row the same way


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in a file, both counted from 1. A column of 0 means the whole line, a line of 0 the whole file."""

    line: int = 1
    column: int = 0


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake, or one warning, and where it is."""

    file: str
    place: Place
    text: str

    def __str__(self) -> str:
        column = f":{self.place.column}" if self.place.column else ""
        line = f":{self.place.line}" if self.place.line else ""
        return f"{self.file}{line}{column}: {self.text}"


class PlanMistakes(PlanError):
    """Everything that is wrong with a plan; `str()` is one line for each, `problems` the same as data. What is only odd is told behind it, so
    that nobody finds out about it a round later.
    """

    def __init__(self, problems: Sequence[Problem], odd: Sequence[Problem] = ()) -> None:
        super().__init__("\n".join(map(str, [*problems, *odd])))
        self.problems = tuple(problems)
        self.odd = tuple(odd)


@dataclass(slots=True)
class Problems:
    """Gathers the mistakes of one plan. `place` tells where a path of the plan stands; with `of_key`, where its key does."""

    file: str
    place: Callable[[Path, bool], Place]
    mistakes: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    _elsewhere: dict[str, int] = field(default_factory=dict)  # by file, how many mistakes
    _odd: dict[str, int] = field(default_factory=dict)  # by file, how many warnings

    def at(self, path: Path, text: str, *, of_key: bool = False) -> None:
        """A mistake in the plan file. `text` goes on where the dotted path ends: "is missing", ": the two differ"."""
        self.mistakes.append(self._in_plan(path, text, of_key=of_key))

    def warn(self, path: Path, text: str, *, of_key: bool = True) -> None:
        """Something odd that stops nothing."""
        self.warnings.append(self._in_plan(path, text, of_key=of_key))

    def in_file(self, file: str, line: int, text: str) -> None:
        """A mistake in a file the plan names."""
        told = self._elsewhere[file] = self._elsewhere.get(file, 0) + 1
        if told <= MOST_OF_ONE_FILE:
            self.mistakes.append(Problem(file, Place(line), text))

    def warn_in_file(self, file: str, line: int, text: str) -> None:
        """Something odd in a file the plan names."""
        told = self._odd[file] = self._odd.get(file, 0) + 1
        if told <= MOST_OF_ONE_FILE:
            self.warnings.append(Problem(file, Place(line), text))
        elif told == MOST_OF_ONE_FILE + 1:
            self.warnings.append(Problem(file, Place(line), "from here on, more warnings like these are not listed."))

    def all(self) -> tuple[Problem, ...]:
        """Every mistake: those of the plan by place, then those of other files by line."""
        plan = [problem for problem in self.mistakes if problem.file == self.file]
        others = [problem for problem in self.mistakes if problem.file != self.file]
        plan.sort(key=lambda problem: (problem.place.line, problem.place.column))
        others.sort(key=lambda problem: (problem.file, problem.place.line))
        more = [
            Problem(file, Place(), f"{count - MOST_OF_ONE_FILE:,} more mistakes like these are not listed.")
            for file, count in self._elsewhere.items()
            if count > MOST_OF_ONE_FILE
        ]
        return tuple(dict.fromkeys([*plan, *others, *more]))

    def raise_any(self) -> None:
        """Raises PlanMistakes if there is a mistake."""
        if self.mistakes:
            # What is odd about the plan itself (a secret that nothing uses) may come of a mistake in it.
            raise PlanMistakes(self.all(), [one for one in self.warnings if one.file != self.file])

    def _in_plan(self, path: Path, text: str, *, of_key: bool) -> Problem:
        sentence = text if not path else f"{dotted(path)}{text}" if text[:1] in ":." else f"{dotted(path)} {text}"
        return Problem(self.file, self.place(path, of_key), sentence)


def dotted(path: Path) -> str:
    """A path as an admin says it: `accounts.domains`. Positions in lists are left out, line and column tell them better."""
    return ".".join(plain(part) for part in path if isinstance(part, str))


def plain(text: str) -> str:
    """Somebody's text made safe for a terminal, and not too long."""
    shown = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text[: LONGEST_WORD + 1])
    return shown if len(text) <= LONGEST_WORD else f"{shown[:LONGEST_WORD]}..."


def listed(words: Iterable[str], last: str = "and") -> str:
    """`a, b and c`."""
    *first, end = list(words) or ["nothing"]
    return f"{', '.join(first)} {last} {end}" if first else end
