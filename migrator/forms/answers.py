"""What an entry's cells say was answered: values unpacked from PHP, JSON or Jetpack's text, by the key of the field.

What surprises: what a plugin destroyed stays destroyed, and what cannot be read is told and shown as it is. Nothing here is raised.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field, replace
from typing import Any, Final

from migrator.forms import php
from migrator.forms.model import Value
from migrator.forms.php import Plain
from migrator.forms.plugins.shape import InCell, InRows, Items, Spelling
from migrator.frozen import dataclass

FILE: Final = "file"
BROKEN_PHP: Final = "a serialised value is broken and shown as it is"
FEW: Final = 16  # bytes: a number or an address
NO_TEXT: Final = (
    f"bytes that are no text are shown in hexadecimal, and only how many they are where they are more than {FEW}; "
    "the tables have them as they are"
)
BROKEN_JSON: Final = "a JSON value is broken and shown as it is"
MORE: Final = "<!--more-->"
_JSON_DATA: Final = "JSON_DATA"
_NUMBERED: Final = re.compile(r"\d+_(.*)", re.DOTALL)
_LINE: Final = re.compile(r"([A-Z][A-Z ]{1,30}): ?(.*)")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0e-\x1f]")
_PRINTED: Final = re.compile(r"^\s*\[(.+?)\] =(?:&gt;|>) ?", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered in one field: a text or number, a list of choices, parts by name, a list of parts. `kind` is the field's, `file` where
    the value names files.
    """

    key: str
    value: Plain
    label: str = ""
    kind: str = ""


@dataclass(slots=True)
class Reader:
    """Reads the cells of one plugin. With `repair`, broken PHP values are read where there is one way only; with `unmix`, texts that are
    UTF-8 in a column of latin1 are read as what they were. What was wrong is in `notes`, how often each.
    """

    undo: Mapping[str, str] = field(default_factory=dict)
    file_mark: str = ""
    repair: bool = False
    unmix: bool = False
    notes: dict[str, int] = field(default_factory=dict)

    def read(self, cell: Value, spelling: Spelling) -> Plain:
        """What a cell says; texts that a plugin put in place of others undone."""
        return self._undone(self._spelt(cell, spelling))

    def from_cell(self, cell: Value, where: InCell) -> list[Answer]:
        """All answers that one cell holds, in its order."""
        if where.spelling is Spelling.JETPACK:
            return feedback(text_of(self._unmixed(cell)))
        told = self._undone(self._spelt(cell, where.spelling, always=True))
        if where.items is not None:
            return items(told, where.items)
        if isinstance(told, dict):
            skip = re.compile(where.skip) if where.skip else None
            return [self._marked(key, value) for key, value in told.items() if not (skip and skip.fullmatch(key))]
        return [Answer(where.column, told)] if told not in (None, "", []) else []

    def from_column(self, name: str, cell: Value) -> Answer:
        """A column's answer. Bytes that are no text are told by their number, a few of them as they are in hexadecimal."""
        if isinstance(cell, bytes) and not _is_text(cell):
            self._note(NO_TEXT)
            return Answer(name, f"0x{cell.hex()}" if len(cell) <= FEW else f"({len(cell):,} bytes)")
        return self._marked(name, self.read(cell, Spelling.TEXT))

    def _marked(self, key: str, value: Plain) -> Answer:
        if self.file_mark and key != self.file_mark and key.endswith(self.file_mark):
            return Answer(key.removesuffix(self.file_mark), value, kind=FILE)
        return Answer(key, value, kind=FILE if key == self.file_mark else "")

    def _spelt(self, cell: Value, spelling: Spelling, *, always: bool = False) -> Plain:
        """What a cell says; `always` where a plugin spells all its values so, which then are broken or whole, but never text."""
        cell = self._unmixed(cell)
        if spelling in {Spelling.PHP, Spelling.ANY}:
            found = php.decoded(bytes_of(cell), repair=self.repair, always=always and spelling is Spelling.PHP)
            if found.broken:
                self._note(BROKEN_PHP)
            elif found.repair:
                self._note(f"a serialised value was repaired: {found.repair}")
            if found.broken or not isinstance(found.value, bytes) or spelling is Spelling.PHP:
                return php.plain(found.value)
        text = text_of(cell)
        if spelling in {Spelling.JSON, Spelling.ANY} and (text[:1] + text[-1:] in {"[]", "{}"} or (always and text)):
            try:
                return _plain(json.loads(text))
            except (ValueError, RecursionError):
                if spelling is Spelling.JSON:
                    self._note(BROKEN_JSON)
        return text

    def _unmixed(self, cell: Value) -> Value:
        meant = unmixed(cell) if isinstance(cell, str) else None
        if meant is None:
            return cell
        self._note(UNMIXED if self.unmix else MIXED)
        return meant if self.unmix else cell

    def _note(self, words: str) -> None:
        self.notes[words] = self.notes.get(words, 0) + 1

    def _undone(self, value: Plain) -> Plain:
        if not self.undo:
            return value
        pattern = re.compile("|".join(map(re.escape, self.undo)))
        return changed(value, lambda text: pattern.sub(lambda found: self.undo[found[0]], text))


# -- charsets -------------------------------------------------------------------------------------------------------------

MIXED: Final = "a text looks like UTF-8 in a column of latin1 and is shown as the column has it"
UNMIXED: Final = "a text was UTF-8 in a column of latin1 and is shown as it was meant"
_LEADS: Final = re.compile(r"[\u00c2-\u00f4][^\x00-\x7f]")
# What MariaDB calls latin1 is the Windows code page, with its five holes filled.
_LATIN1: Final = {ord(bytes([code]).decode("cp1252", "ignore") or chr(code)): code for code in range(256)}
_FROM_LATIN1: Final = {code: chr(letter) for letter, code in _LATIN1.items()}


def unmixed(text: str) -> str | None:
    """What a text was before its bytes of UTF-8 were taken for latin1; None where they were not, as far as can be told."""
    if not _LEADS.search(text) or (raw := to_latin1(text)) is None:
        return None
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return None


def to_latin1(text: str) -> bytes | None:
    """The bytes of a text in a column of latin1; None if it has no place there."""
    try:
        return bytes(_LATIN1[ord(letter)] for letter in text)
    except KeyError:
        return None


def from_latin1(raw: bytes) -> str:
    """The text that a column of latin1 has with these bytes."""
    return "".join(_FROM_LATIN1[code] for code in raw)


# -- cells ----------------------------------------------------------------------------------------------------------------


def text_of(cell: Value) -> str:
    """A cell as text; "" for NULL."""
    if cell is None:
        return ""
    return cell if isinstance(cell, str) else cell.decode("utf-8", "surrogateescape")


def _is_text(cell: bytes) -> bool:
    try:
        return not _CONTROL.search(cell.decode())
    except UnicodeDecodeError:
        return False


def bytes_of(cell: Value) -> bytes:
    """A cell as the bytes a plugin counted, in UTF-8; b"" for NULL."""
    if cell is None:
        return b""
    return cell if isinstance(cell, bytes) else cell.encode("utf-8", "surrogatepass")


def changed(value: Plain, change: Callable[[str], str]) -> Plain:
    """The value with every text in it changed; keys stay."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [changed(one, change) for one in value]
    if isinstance(value, dict):
        return {key: changed(one, change) for key, one in value.items()}
    return value


def inside(value: Plain, path: Sequence[str]) -> Plain:
    """What stands inside a value, by names of members or places in a list; None where there is nothing."""
    for name in path:
        if isinstance(value, dict):
            value = value.get(name)
        elif isinstance(value, list) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    return value


def told(value: Plain) -> str:
    """A value as one text: choices joined by ` | `, parts as `name: value`."""
    match value:
        case None:
            return ""
        case bool():
            return "1" if value else ""  # as PHP prints it
        case list():
            return " | ".join(map(told, value))
        case dict():
            return " | ".join(f"{key}: {told(one)}" for key, one in value.items())
        case float():
            return php.double(value).text
    return str(value)


def _plain(value: Any, deep: int = 0) -> Plain:  # Any: what json.loads answers
    if deep > php.DEEPEST:
        raise ValueError("values stand too deep inside each other")
    if isinstance(value, dict):
        return {str(key): _plain(one, deep + 1) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one, deep + 1) for one in value]
    if isinstance(value, bool | int | float | str) or value is None:
        return value
    return str(value)


# -- answers ----------------------------------------------------------------------------------------------------------------


def items(value: Plain, which: Items) -> list[Answer]:
    """The answers of a list of objects, or of a dict of them; one that is no object is an answer by itself."""
    pairs: Iterable[tuple[str, Plain]] = ()
    if isinstance(value, dict):
        pairs = value.items()
    elif isinstance(value, list):
        pairs = ((str(place), one) for place, one in enumerate(value))
    found = []
    for key, one in pairs:
        if not isinstance(one, dict):
            found.append(Answer(key, one))
            continue
        name = told(one.get(which.key)) or key
        said = one.get(which.value)
        if which.said and isinstance(said, dict) and which.said in said:
            said = said[which.said]
        kind = told(one.get(which.kind))
        if kind in which.lined and isinstance(said, str) and "\n" in said:
            said = [*said.splitlines()]
        found.append(Answer(name, said, told(one.get(which.label)), kind))
    return found


@dataclass(frozen=True, slots=True)
class Named:
    """A row of those that hang on an entry: its name, what it says, and what more its columns tell."""

    name: str
    value: Plain
    part: str = ""
    index: str = ""
    label: str = ""
    kind: str = ""


def from_rows(rows: Sequence[Named], where: InRows, choices: Callable[[str], bool]) -> list[Answer]:
    """The answers that rows hold. Rows of one key are its parts, its repetitions or several choices; `choices` tells of a key whether its
    parts are choices.
    """
    pattern = re.compile(where.named)
    by_key: dict[str, dict[str, dict[str, list[Plain]]]] = {}
    first: dict[str, Named] = {}
    for row in rows:
        found = pattern.fullmatch(row.name)
        if not found:
            continue
        key = found[1]
        part = row.part or (found[2] if pattern.groups > 1 else "") or ""
        first.setdefault(key, row)
        by_key.setdefault(key, {}).setdefault(row.index, {}).setdefault(part, []).append(row.value)
    answers = [
        Answer(key, _together(indexes, as_choices=choices(key)), first[key].label, first[key].kind)
        for key, indexes in by_key.items()
    ]
    names = next((row.value for row in rows if where.names and row.name == where.names), None)
    return _under_own_names(answers, names) if isinstance(names, dict) else answers


def _together(indexes: Mapping[str, Mapping[str, list[Plain]]], *, as_choices: bool) -> Plain:
    """One value from parts of repetitions."""
    repeated: list[Plain] = []
    for parts in indexes.values():
        single: dict[str, Plain] = {part: values[0] if len(values) == 1 else values for part, values in parts.items()}
        if set(single) == {""}:
            repeated.append(single[""])
        elif as_choices:
            repeated.append([value for value in single.values() if value not in (None, "")])
        else:
            repeated.append(dict(single))
    return repeated[0] if len(repeated) == 1 else repeated


def _under_own_names(answers: Sequence[Answer], names: Mapping[str, Plain]) -> list[Answer]:
    """Answers by the fields' own names, in their order: a row's name is spelt in small letters without signs, and shared by names that
    differ in those alone. A field without a row has its answer beside its name, as older versions wrote it.
    """
    by_row = {one.key: one for one in answers}
    own = [
        replace(by_row[spelt], key=name) if (spelt := _row_name(name)) in by_row else Answer(name, value)
        for name, value in names.items()
    ]
    taken = {_row_name(name) for name in names}
    return [*own, *(one for one in answers if one.key not in taken)]


def _row_name(name: str) -> str:
    return re.sub(r"[^a-z0-9_-]", "", name.lower())


# -- Jetpack ------------------------------------------------------------------------------------------------------------------


def feedback(text: str) -> list[Answer]:
    """What was filled in, from the text of Jetpack's `feedback` posts: a JSON object of all fields, before that PHP's print_r of them; where
    there is neither, the message and the lines about its author.
    """
    message, _, more = text.partition(MORE)
    lines = {found[1]: found[2].strip() for line in more.splitlines() if (found := _LINE.match(line))}
    fields = _json_fields(more.partition(_JSON_DATA)[2].strip()) or _printed_fields(more)
    if not fields:
        told_lines = {key: value for key, value in lines.items() if value and key != "IP"}
        fields = {"MESSAGE": message.strip(), **told_lines}
    answers: dict[str, Answer] = {}
    for key, value in fields.items():
        # The number is the field's place on its page, which changes; the name stays.
        found = _NUMBERED.fullmatch(key)
        name = found[1] if found and found[1] not in answers else key
        answers[name] = Answer(name, value)
    from_where = [Answer("IP", lines["IP"])] if lines.get("IP") else []
    return [*answers.values(), *from_where]


def _json_fields(text: str) -> Mapping[str, Plain]:
    for spelt in (text, text.replace("\\\\", "\\").replace('\\"', '"')):  # some versions escaped it once more
        try:
            value = _plain(json.loads(spelt))
        except (ValueError, RecursionError):
            continue
        return value if isinstance(value, dict) else {}
    return {}


def _printed_fields(text: str) -> Mapping[str, Plain]:
    """The outer pairs of an array as print_r shows it."""
    _, found, inner = text.partition("Array")
    if not found:
        return {}
    pieces = _PRINTED.split(inner.rpartition(")")[0])
    return {key: html.unescape(value.strip()) for key, value in zip(pieces[1::2], pieces[2::2], strict=False)}
