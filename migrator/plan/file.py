"""Reads a YAML file into plain data that still knows where each part stood.

Plans come from people, and sometimes from strangers, so this takes less than YAML allows: no tags, no directives, no duplicate
or merge keys, text as the only keys, and limits on size, depth and what aliases may unfold to. Scalars follow YAML 1.2: `no`
is text, `0o17` is octal, a date is text. What is read differently by YAML 1.1 and 1.2 (`0123`) has to be quoted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from migrator.errors import PlanError
from migrator.frozen import dataclass
from migrator.plan.problems import Path, Place, PlanMistakes, Problem, plain

MB = 1024 * 1024
LARGEST_FILE = 4 * MB  # about 100,000 accounts; more belong into a CSV
DEEPEST = 24  # levels; a plan with everything in it has seven
MOST_ALIASES = 1_000
LARGEST_UNFOLDED = 2 * LARGEST_FILE  # characters once every alias is replaced by what it stands for
LONGEST_NUMBER = 18  # digits; anything longer is an identifier that lost its quotes

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {
    word: value for value, name in ((True, "true"), (False, "false")) for word in (name, name.title(), name.upper())
}
_WHOLE = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INFINITE = re.compile(r"[-+]?\.(inf|Inf|INF)")
_NOT_A_NUMBER = frozenset({".nan", ".NaN", ".NAN"})

_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_BARE_WILDCARD = re.compile(r"(^|[\s{\[,])\*\S")

_SAID_PLAINLY = (
    ("mapping values are not allowed", "a colon is not expected here; quote the text, or check the indentation"),
    ("could not find expected ':'", "this line needs a colon after its key"),
    ("found character '\\t'", "a tab cannot indent in YAML; use spaces"),
    ("that cannot start any token", "a text that begins like this must be quoted"),
    ("found unexpected end of stream", "the file ends inside quotes"),
    ("but found '<stream end>'", "the file ends inside brackets"),
    ("but got '<stream end>'", "the file ends inside brackets"),
    ("expected <block end>", "the indentation does not fit the lines above"),
    ("expected ',' or", "a comma or a closing bracket is missing"),
    ("found unknown escape character", "this escape is not known in double quotes; use 'single quotes' or \"\\\\\""),
)


@dataclass(frozen=True, slots=True)
class Node:
    """A part of the file. `value` is a scalar, a tuple of nodes, or a mapping of keys to where they stand and their nodes.

    `weight` is what the part unfolds to, in characters.
    """

    value: Any  # Any: a scalar, tuple[Node, ...] or dict[str, tuple[Place, Node]]
    place: Place
    weight: int

    def plain(self) -> Any:  # Any: whatever the file says
        """The part as None, bool, int, float, str, list and dict."""
        if isinstance(self.value, tuple):
            return [node.plain() for node in self.value]
        if isinstance(self.value, dict):
            return {key: node.plain() for key, (_, node) in self.value.items()}
        return self.value


@dataclass(frozen=True, slots=True)
class Document:
    """A file that was read: its data, and where every part of it stands."""

    path: FilePath
    root: Node
    data: Any  # Any: whatever the file says

    @property
    def file(self) -> str:
        """The file as messages name it."""
        return str(self.path)

    def place(self, path: Path, of_key: bool = False) -> Place:  # noqa: FBT001, FBT002 - handed on as a callable of two
        """Where the value at `path` stands, or its key; for what is not in the file, the nearest thing around it."""
        node, place = self.root, self.root.place
        for part in path:
            if isinstance(node.value, dict) and part in node.value:
                place, node = node.value[part]
                of_value = node.place
            elif isinstance(node.value, tuple) and isinstance(part, int) and 0 <= part < len(node.value):
                node = node.value[part]
                place = of_value = node.place
            else:
                return place
        return place if of_key or not path else of_value


def read(path: FilePath) -> Document:
    """The file at `path`. Raises PlanMistakes with every place where it is not a plain mapping in YAML, PlanError if it
    cannot be opened.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST_FILE + 1)
    except OSError as error:
        reason = (error.strerror or "it cannot be opened").lower()
        raise PlanError(f"{path}: the plan cannot be read ({reason}).", remedy="Check the name.") from error
    if len(raw) > LARGEST_FILE:
        text = f"the file is larger than {LARGEST_FILE // MB} MB. Put the accounts into a CSV and name it in accounts.from."
        raise PlanMistakes([Problem(str(path), Place(), text)])
    return parse(raw, path)


def parse(raw: bytes, path: FilePath) -> Document:
    """The bytes of a plan; `path` is only for messages. Raises PlanMistakes."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        sentence = "this line is not UTF-8. Save the file as UTF-8."
        raise PlanMistakes([Problem(str(path), Place(line), sentence)]) from error
    reading = _Reading(str(path))
    root = reading.document(text)
    if reading.problems:
        raise PlanMistakes(reading.problems)
    return Document(path, root, root.plain())


class _Reading:
    """One file being read. What can be passed over is gathered in `problems`; what cannot is raised."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self._anchors: dict[str, Node | None] = {}  # None while the anchored part is still being read
        self._aliases = 0

    def document(self, text: str) -> Node:
        events = self._events(text)
        root = None
        for event in events:
            if isinstance(event, DocumentStartEvent):
                if event.version or event.tags:
                    self._mistake(event, "directives (%YAML, %TAG) are not used in plans. Delete this line.")
                if root is not None:
                    raise self._end(event, "a plan is one document. Delete this --- and what follows it.")
                root = self._node(next(events), events, 0)
        if root is None or root.value is None:
            raise PlanMistakes([Problem(self.file, Place(), "the plan is empty.")])
        if not isinstance(root.value, dict):
            text = "a plan is a mapping: keys such as endpoints, accounts and steps, each with a colon."
            raise PlanMistakes([*self.problems, Problem(self.file, root.place, text)])
        return root

    def _events(self, text: str) -> Iterator[Event]:
        """The parser's events. An event is only asked for when the one before was accepted: the parser's own work grows with
        the square of the depth, so the limit must bite while it runs.
        """
        try:
            yield from YAML(typ="safe", pure=True).parse(text)
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            place = Place(mark.line + 1, mark.column + 1) if mark else Place()
            raise PlanMistakes(
                [*self.problems, Problem(self.file, place, _said_plainly(error, text, place))]
            ) from error
        except ReaderError as error:
            line = text.count("\n", 0, error.position) + 1
            sentence = f"this line holds a character that YAML does not allow (U+{error.character:04X}). Delete it."
            raise PlanMistakes([*self.problems, Problem(self.file, Place(line), sentence)]) from error
        except (YAMLError, ValueError, OverflowError) as error:  # \UFFFFFFFF and the like, past the parser's own checks
            sentence = "this is not YAML; an escape or a directive is beyond what YAML knows."
            raise PlanMistakes([*self.problems, Problem(self.file, Place(), sentence)]) from error

    def _node(self, event: Event, events: Iterator[Event], depth: int) -> Node:
        if isinstance(event, AliasEvent):
            return self._alias(event)
        if depth > DEEPEST:
            raise self._end(event, f"the file is nested deeper than {DEEPEST} levels.")
        assert isinstance(event, NodeEvent)
        if event.anchor:
            self._anchors[event.anchor] = None
        if isinstance(event, ScalarEvent | CollectionStartEvent) and event.tag:
            self._mistake(event, "tags (!word) are not used in plans. Delete it, or quote the text.")
        if isinstance(event, MappingStartEvent):
            node = self._mapping(event, events, depth)
        elif isinstance(event, SequenceStartEvent):
            node = self._sequence(event, events, depth)
        else:
            assert isinstance(event, ScalarEvent)
            node = Node(self._scalar(event), _place(event), len(event.value) + 1)
        if node.weight > LARGEST_UNFOLDED:
            raise self._end(event, "the aliases of this file unfold to more than a plan can hold.")
        if event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _alias(self, event: AliasEvent) -> Node:
        self._aliases += 1
        if self._aliases > MOST_ALIASES:
            raise self._end(event, f"the file uses more than {MOST_ALIASES:,} aliases.")
        node = self._anchors.get(event.anchor)
        if node is not None:
            return node
        name = plain(event.anchor)
        if event.anchor in self._anchors:
            self._mistake(event, f"*{name} stands inside the part it refers to.")
        else:
            self._mistake(event, f"*{name} refers to an anchor that is not above. If a wildcard is meant, quote it.")
        return Node(None, _place(event), 1)

    def _sequence(self, start: SequenceStartEvent, events: Iterator[Event], depth: int) -> Node:
        nodes = []
        while not isinstance(event := next(events), SequenceEndEvent):
            nodes.append(self._node(event, events, depth + 1))
        return Node(tuple(nodes), _place(start), 2 + sum(node.weight for node in nodes))

    def _mapping(self, start: MappingStartEvent, events: Iterator[Event], depth: int) -> Node:
        entries: dict[str, tuple[Place, Node]] = {}
        while not isinstance(event := next(events), MappingEndEvent):
            key = self._key(event, events, depth)
            node = self._node(next(events), events, depth + 1)
            if key is None:
                continue
            if key in entries:
                first = entries[key][0].line
                self._mistake(event, f"{plain(key)} is here twice; it was given on line {first} already.")
                continue
            entries[key] = (_place(event), node)
        weight = 2 + sum(len(key) + node.weight for key, (_, node) in entries.items())
        return Node(entries, _place(start), weight)

    def _key(self, event: Event, events: Iterator[Event], depth: int) -> str | None:
        key = self._node(event, events, depth + 1).value
        if isinstance(event, ScalarEvent) and event.implicit[0] and event.value == "<<":
            self._mistake(
                event, "merge keys (<<) are not used in plans. Write the fields out, or alias the whole value."
            )
            return None
        if isinstance(key, str):
            return key
        if isinstance(key, tuple | dict):
            self._mistake(event, "a list or a mapping cannot be a key.")
        else:
            self._mistake(event, "a key must be text; quote it.")
        return None

    def _scalar(self, event: ScalarEvent) -> str | int | float | bool | None:
        text: str = event.value
        if found := _UNPRINTABLE.search(text):
            self._mistake(event, f"this text holds a character that no plan needs (U+{ord(found[0]):04X}). Delete it.")
            return ""
        if not event.implicit[0]:  # quoted, or a block of text
            return text
        if _LEADING_ZERO.fullmatch(text):
            self._mistake(event, "a number with a leading zero means different things to different programs; quote it.")
            return text
        if len(text) > LONGEST_NUMBER and _WHOLE.fullmatch(text):
            self._mistake(event, "this number is too long for one; quote it if it is a name.")
            return text
        return _resolved(text)

    def _mistake(self, event: Event, text: str) -> None:
        self.problems.append(Problem(self.file, _place(event), text))

    def _end(self, event: Event, text: str) -> PlanMistakes:
        self._mistake(event, text)
        return PlanMistakes(self.problems)


def _resolved(text: str) -> str | int | float | bool | None:
    """What an unquoted scalar means by the core schema of YAML 1.2."""
    if text in _NULL:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _WHOLE.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _INFINITE.fullmatch(text) or text in _NOT_A_NUMBER:
        return float(text.lower().replace(".", ""))
    return text


def _place(event: Event) -> Place:
    return Place(event.start_mark.line + 1, event.start_mark.column + 1)


def _said_plainly(error: MarkedYAMLError, text: str, place: Place) -> str:
    problem = error.problem or "it is cut short"
    said = next((ours for theirs, ours in _SAID_PLAINLY if theirs in problem), "this is not YAML")
    lines = text.splitlines()
    if place.line <= len(lines) and _BARE_WILDCARD.search(lines[place.line - 1]):
        return f"{said}. A wildcard (*) must be quoted."
    return f"{said}."
