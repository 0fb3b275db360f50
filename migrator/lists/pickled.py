"""Pickles of other people's programs as plain data: read opcode by opcode, so that nothing they name is ever looked up, made or called.

Python's own module is not used for reading: a pickle is a little program, and a backup that somebody sends is nobody's friend. What comes
out is made of None, bool, int, float, bytes, str, tuple, list, set and dict; where the program asks for an object of a class, an Inert
stands in its place, with the class's name and what it was given. Byte strings of Python 2 come as bytes, whatever they hold.

The opcodes: https://github.com/python/cpython/blob/main/Lib/pickletools.py (protocols 0 to 5).
"""

from __future__ import annotations

import codecs
import io
import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from migrator.engine.contract import MB
from migrator.errors import Misbehaved

LARGEST = 64 * MB
MOST_OPCODES = 5_000_000
DEEPEST = 64  # containers within containers that are still being filled
LONGEST_NUMBER = 100  # digits


@dataclass(slots=True, eq=False)
class Inert:
    """What stands where an object was meant to be: the name of its class, and what was to be given to it. It does nothing."""

    name: str
    given: Any = ()  # Any: whatever the pickle holds
    state: Any = None


class _Mark:
    """Stands on the stack where a container begins."""


class _Unreadable(ValueError):
    """Why a pickle is not read."""


_MARK = _Mark()
_OPCODES = {one.code: one for one in pickletools.opcodes}


def plain_data(content: bytes, about: str) -> Any:  # Any: plain data
    """What a pickle holds, as plain data. Raises Misbehaved for what is none, is cut off, is too large or too deep, or asks for what
    nobody needs; `about` names the file.
    """
    if len(content) > LARGEST:
        raise Misbehaved(f"{about}: it has {len(content):,} bytes, more than such a file ever has.")
    try:
        return _Machine(content).run()
    except (ValueError, IndexError, KeyError, TypeError, OverflowError, RecursionError) as error:
        why = str(error) if isinstance(error, _Unreadable) else f"it is damaged, or no pickle ({type(error).__name__})"
        raise Misbehaved(f"{about}: {why}.", remedy="Take the file from another backup.") from error


@dataclass(slots=True)
class _Machine:
    """The little machine that pickles are programs for, without the instructions that call anything."""

    content: bytes
    stack: list[Any] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)

    def run(self) -> Any:  # Any: plain data
        data = io.BytesIO(self.content)
        marks = 0
        for _ in range(MOST_OPCODES):
            code = data.read(1)
            opcode = _OPCODES.get(code.decode("latin-1")) if code else None
            if opcode is None:
                raise _Unreadable("it is cut off, or no pickle")
            if opcode.name == "STOP":
                (result,) = self.stack
                return result
            marks += (opcode.name == "MARK") - (opcode.name in _TO_MARK)
            if marks > DEEPEST:
                raise _Unreadable(f"it is nested more than {DEEPEST} deep")
            argument = self._argument(opcode, data)
            step = _STEPS.get(opcode.name)
            if step is None:
                raise _Unreadable(f"it has an instruction ({opcode.name}) that such a file does not need")
            step(self, argument)
        raise _Unreadable("it has more instructions than such a file ever has")

    @staticmethod
    def _argument(opcode: pickletools.OpcodeInfo, data: io.BytesIO) -> Any:  # Any: what stands behind an opcode
        if opcode.name == "STRING":  # the module's own reader takes ASCII alone
            line = data.readline()
            if not line.endswith(b"\n") or line[:1] not in b"'\"" or line[-2:-1] != line[:1] or len(line) < 3:  # noqa: PLR2004
                raise _Unreadable("a string in it is not closed")
            return codecs.escape_decode(line[1:-2])[0]
        if opcode.name in {"INT", "LONG"}:
            line = data.readline()
            if not line.endswith(b"\n") or len(line) > LONGEST_NUMBER:
                raise _Unreadable("a number in it is no number")
            text = line.strip()
            return text == b"01" if text in {b"00", b"01"} and opcode.name == "INT" else int(text.rstrip(b"L"))
        if opcode.arg is None:
            return None
        argument = opcode.arg.reader(data)
        return argument.encode("latin-1") if opcode.name in {"BINSTRING", "SHORT_BINSTRING"} else argument

    # -- the stack

    def push(self, value: Any) -> None:  # Any: plain data, here and below
        self.stack.append(value)

    def pop(self) -> Any:
        value = self.stack.pop()
        if value is _MARK:
            raise _Unreadable("a container in it ends before it begins")
        return value

    def to_mark(self) -> list[Any]:
        """What stands above the newest mark, which goes as well."""
        taken: list[Any] = []
        while (value := self.stack.pop()) is not _MARK:
            taken.append(value)
        taken.reverse()
        return taken

    def last(self, kind: type) -> Any:
        """What stands on top, which has to be of this kind."""
        if not isinstance(self.stack[-1], kind):
            raise _Unreadable("something in it is filled that is no container")
        return self.stack[-1]

    def put(self, place: Any) -> None:
        self.memo[int(place)] = self.stack[-1]

    # -- containers and what would be objects

    def add_items(self, pairs: list[Any]) -> None:
        there = self.last(dict)
        if len(pairs) % 2:
            raise _Unreadable("a mapping in it lacks a value")
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            there[_key(key)] = value

    def build(self) -> None:
        """Where an object would get its state, the stand-in keeps it."""
        state = self.pop()
        self.last(Inert).state = state

    def instance(self, name: Any, given: Any) -> None:
        self.push(Inert(name.name if isinstance(name, Inert) else str(name), given))

    def tuple_of(self, count: int) -> None:
        parts = [self.pop() for _ in range(count)]
        self.push(tuple(reversed(parts)))


def _key(key: Any) -> Any:  # Any: plain data
    """A key that can be one."""
    if isinstance(key, bytes | str | int | float) or key is None:  # a tuple's hash goes as deep as the tuple
        return key
    raise _Unreadable("a key in it is no plain value")


def _set_items(machine: _Machine, _: Any) -> None:  # Any: no argument, here and below
    machine.add_items(machine.to_mark())


def _set_item(machine: _Machine, _: Any) -> None:
    value, key = machine.pop(), machine.pop()
    machine.add_items([key, value])


def _dict(machine: _Machine, _: Any) -> None:
    pairs = machine.to_mark()
    machine.push({})
    machine.add_items(pairs)


def _append(machine: _Machine, _: Any) -> None:
    value = machine.pop()
    machine.last(list).append(value)


def _appends(machine: _Machine, _: Any) -> None:
    values = machine.to_mark()
    machine.last(list).extend(values)


def _add_items(machine: _Machine, _: Any) -> None:
    values = machine.to_mark()
    machine.last(set).update(map(_key, values))


def _global(machine: _Machine, argument: Any) -> None:
    machine.push(Inert(".".join(argument.split(" "))))


def _stack_global(machine: _Machine, _: Any) -> None:
    name, module = machine.pop(), machine.pop()
    machine.push(Inert(f"{module}.{name}"))


def _inst(machine: _Machine, argument: Any) -> None:
    given = tuple(machine.to_mark())
    machine.instance(".".join(argument.split(" ")), given)


def _obj(machine: _Machine, _: Any) -> None:
    name, *given = machine.to_mark()
    machine.instance(name, tuple(given))


def _call(machine: _Machine, _: Any) -> None:
    given, name = machine.pop(), machine.pop()
    machine.instance(name, given)


def _memoize(machine: _Machine, _: Any) -> None:
    machine.put(len(machine.memo))


_PUSHED = [
    "INT",
    "BININT",
    "BININT1",
    "BININT2",
    "LONG",
    "LONG1",
    "LONG4",
    "FLOAT",
    "BINFLOAT",
    "STRING",
    "BINSTRING",
    "SHORT_BINSTRING",
    "UNICODE",
    "BINUNICODE",
    "SHORT_BINUNICODE",
    "BINUNICODE8",
    "BINBYTES",
    "SHORT_BINBYTES",
    "BINBYTES8",
]
_TO_MARK = frozenset(["APPENDS", "SETITEMS", "DICT", "LIST", "TUPLE", "ADDITEMS", "INST", "OBJ"])
_STEPS: Mapping[str, Callable[[_Machine, Any], None]] = {
    **dict.fromkeys(_PUSHED, _Machine.push),
    "NONE": lambda machine, _: machine.push(None),
    "NEWTRUE": lambda machine, _: machine.push(True),
    "NEWFALSE": lambda machine, _: machine.push(False),
    "MARK": lambda machine, _: machine.push(_MARK),
    "EMPTY_LIST": lambda machine, _: machine.push([]),
    "EMPTY_TUPLE": lambda machine, _: machine.push(()),
    "EMPTY_DICT": lambda machine, _: machine.push({}),
    "EMPTY_SET": lambda machine, _: machine.push(set()),
    "LIST": lambda machine, _: machine.push(machine.to_mark()),
    "TUPLE": lambda machine, _: machine.push(tuple(machine.to_mark())),
    "TUPLE1": lambda machine, _: machine.tuple_of(1),
    "TUPLE2": lambda machine, _: machine.tuple_of(2),
    "TUPLE3": lambda machine, _: machine.tuple_of(3),
    "DICT": _dict,
    "SETITEM": _set_item,
    "SETITEMS": _set_items,
    "APPEND": _append,
    "APPENDS": _appends,
    "ADDITEMS": _add_items,
    "PUT": _Machine.put,
    "BINPUT": _Machine.put,
    "LONG_BINPUT": _Machine.put,
    "MEMOIZE": _memoize,
    "GET": lambda machine, place: machine.push(machine.memo[int(place)]),
    "BINGET": lambda machine, place: machine.push(machine.memo[int(place)]),
    "LONG_BINGET": lambda machine, place: machine.push(machine.memo[int(place)]),
    "GLOBAL": _global,
    "STACK_GLOBAL": _stack_global,
    "INST": _inst,
    "OBJ": _obj,
    "REDUCE": _call,
    "NEWOBJ": _call,
    "BUILD": lambda machine, _: machine.build(),
    "PROTO": lambda *_: None,
    "FRAME": lambda *_: None,
}
