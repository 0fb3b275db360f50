"""The accounts of a plan: whose things move, under which names and with which logins.

They come from a list in the plan or from a CSV of any size, which is read row by row. Domains are compared in lower case, and so
are whole addresses when two of them are looked for twice: no server we know has both alice@ and Alice@.
"""

from __future__ import annotations

import csv
import os
import re
import shlex
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import field, replace
from fnmatch import translate
from itertools import chain
from pathlib import Path as FilePath
from typing import TextIO

from pydantic import SecretStr

from migrator.addresses import ascii_domain, split
from migrator.engine.contract import Side
from migrator.frozen import dataclass
from migrator.meant import did_you_mean
from migrator.plan.problems import Path, Problems, listed, plain
from migrator.plan.written import AccountLine, AccountsFrom

COLUMNS = ("source", "target", "source_user", "source_password", "target_user", "target_password")
LONGEST_LINE = 128 * 1024  # characters of a CSV; a longer one is cut and then told as wrong
LONGEST_ADDRESS = 320  # characters: 64 before the @, 255 after it
_NOT_IN_AN_ADDRESS = re.compile(r"[\s\x00-\x1f\x7f-\x9f\ud800-\udfff*]")
_NOT_IN_A_FIELD = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")
_WILD = re.compile(r"[*?\[]")

Residents = Callable[[Sequence[str]], Iterable[str]]
"""Who lives in these domains (in all if none is named), as the endpoint named in `accounts.from` tells."""
_NOT_UTF8 = re.compile(r"[\ud800-\udfff]")  # what surrogateescape makes of such bytes


@dataclass(frozen=True, slots=True)
class Credentials:
    """One person's way into one side. The password is at hand (from a CSV), or `secret` names it, or there is none."""

    address: str
    user: str
    password: SecretStr | None = None
    secret: str | None = None
    where: str = field(default="", compare=False)  # "line 7 of accounts.csv", "" where no one line has it

    @property
    def has_password(self) -> bool:
        """Whether there is a password, at hand or named."""
        return self.password is not None or self.secret is not None


@dataclass(frozen=True, slots=True)
class Person:
    """One account of the plan, both sides known."""

    source: Credentials
    target: Credentials

    def lacks(self, needed: AbstractSet[Side]) -> list[Side]:
        """The sides among `needed` for which there is no password."""
        return [
            side
            for side, end in ((Side.SOURCE, self.source), (Side.TARGET, self.target))
            if side in needed and not end.has_password
        ]


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a CSV, and the line it begins on. Fields that are not there are empty."""

    line: int
    source: str
    target: str = ""
    source_user: str = ""
    source_password: str = ""
    target_user: str = ""
    target_password: str = ""


def gather(
    written: Sequence[str | AccountLine] | AccountsFrom,
    folder: FilePath,
    problems: Problems,
    needed: AbstractSet[Side] = frozenset(),
    residents: Residents | None = None,
    *,
    may_be_nobody: bool = False,
) -> tuple[Person, ...]:
    """The accounts a plan means, in the order written; what is wrong with them goes to `problems`. `folder` is where relative
    files start, `needed` the sides at which everyone needs a password, `residents` asks the endpoint where `accounts.from` names one,
    and `may_be_nobody` says that nobody has to live there.
    """
    if not isinstance(written, AccountsFrom):
        return tuple(_from_list(written, problems, needed))
    if residents is None:
        path = folder / FilePath(written.origin).expanduser()
        return tuple(_chosen(written, path, _rows(path, ("accounts", "from"), problems), folder, problems, needed))
    # No line of a file to point at: what the endpoint tells is pointed at by the plan's own line.
    rows = [Row(0, address) for address in residents(_plain_domains(written))]
    if not rows and may_be_nobody:
        return ()
    return tuple(_chosen(written, None, rows, folder, problems, needed))


def csv_files(written: Sequence[str | AccountLine] | AccountsFrom, folder: FilePath) -> tuple[FilePath, ...]:
    """The files the accounts are read from."""
    if not isinstance(written, AccountsFrom):
        return ()
    origin = written.origin if is_file(written.origin) else None
    return tuple(folder / FilePath(name).expanduser() for name in (origin, written.passwords) if name)


def is_file(origin: str) -> bool:
    """Whether `accounts.from` names a CSV and not an endpoint: an endpoint's name ends in no .csv and holds no slash."""
    return origin.lower().endswith(".csv") or "/" in origin


def _plain_domains(written: AccountsFrom) -> Sequence[str]:
    """The domains to ask for by name; none where a wildcard says that all have to be looked at."""
    names = [ascii_domain(domain.removeprefix("@")) for domain in written.domains]
    return [] if any(map(_WILD.search, names)) else names


# -- a list in the plan ------------------------------------------------------------------------------------------------


def _from_list(written: Iterable[str | AccountLine], problems: Problems, needed: AbstractSet[Side]) -> Iterator[Person]:
    twice = _Twice()
    for position, entry in enumerate(written):
        at: Path = ("accounts", position)
        in_line = isinstance(entry, AccountLine)
        line = entry if isinstance(entry, AccountLine) else AccountLine(source=entry)
        source = _address(line.source)
        target = _address(line.target) if line.target is not None else source
        wrong = _wrong_address(source), _wrong_address(target)
        for word, text in zip(("source", "target"), wrong, strict=True):
            if text and (in_line or word == "source"):
                problems.at((*at, word) if in_line else at, text)
        if any(wrong):
            continue
        where = f"line {problems.place(at, False).line}"
        there = f"{where} of {FilePath(problems.file).name}"
        if text := twice.seen(source, target, where):
            problems.at(at, f": {text}")
        person = Person(
            Credentials(source, line.source_user or line.source.strip(), secret=line.source_password, where=there),
            Credentials(
                target,
                line.target_user or (line.target or line.source).strip(),
                secret=line.target_password,
                where=there,
            ),
        )
        if lacking := person.lacks(needed):
            sides = listed(f"the {side.value} ({side.value}_password)" for side in lacking)
            problems.at(at, f": {plain(source)} has no password for {sides}.")
        yield person


# -- a CSV -------------------------------------------------------------------------------------------------------------


def _chosen(
    written: AccountsFrom,
    path: FilePath | None,
    origin: Iterable[Row],
    folder: FilePath,
    problems: Problems,
    needed: AbstractSet[Side],
) -> Iterator[Person]:
    """Those of the rows that the plan chooses, with their passwords. `path` is the CSV they come from, None for an endpoint."""

    def wrong(line: int, text: str) -> None:
        if path is None:
            problems.at(("accounts", "from"), f": {text}")
        else:
            problems.in_file(str(path), line, text)

    wanted = _wanted(written)
    rename = _renaming(written, problems)
    more = _passwords(written, folder, problems)
    twice = _Twice()
    rows = chosen = 0
    for row in origin:
        rows += 1
        source = _address(row.source)
        if not wanted(source):
            continue
        if other := more.get(source.lower()):
            row = _completed(row, other)  # noqa: PLW2901 - the same row, completed
        target = _address(row.target) or rename(source) or source
        text = _wrong_address(source) or _wrong_address(target) or twice.seen(source, target, f"line {row.line}")
        if text:
            wrong(row.line, text)
            continue
        chosen += 1
        there = f"line {row.line} of {path.name}" if path is not None and other is None else ""
        person = Person(
            Credentials(source, row.source_user or row.source.strip(), _secret(row.source_password), where=there),
            Credentials(
                target, row.target_user or row.target.strip() or target, _secret(row.target_password), where=there
            ),
        )
        if lacking := person.lacks(needed):
            sides = listed(f"the {side.value}" for side in lacking)
            wrong(row.line, f"{plain(source)} has no password for {sides}.")
        yield person
    if not chosen and not problems.mistakes:
        problems.at(("accounts",), f"leaves nobody: {_why_nobody(written, path, rows)}")


def _why_nobody(written: AccountsFrom, path: FilePath | None, rows: int) -> str:
    """Why a plan that chooses among accounts is left without any. It is never taken for one that says nothing of accounts."""
    if rows:
        one, several = ("row of", "rows of") if path else ("mailbox", "mailboxes")
        whose = path.name if path else "there"
        chosen = f"the one {one} {whose} is not" if rows == 1 else f"none of the {rows:,} {several} {whose} is"
        return f"{chosen} chosen by domains, select and except."
    if path:
        return f"{path.name} names none below its first line. List them there, or leave accounts out where no step needs any."
    asked = _plain_domains(written)
    where = f" in {listed(asked)}" if asked else ""
    return f"{plain(written.origin)} shows no mailbox{where}. Correct accounts.domains, list the accounts, or leave them out where no step needs any."


def _passwords(written: AccountsFrom, folder: FilePath, problems: Problems) -> dict[str, Row]:
    if written.passwords is None:
        return {}
    path = folder / FilePath(written.passwords).expanduser()
    found: dict[str, Row] = {}
    for row in _rows(path, ("accounts", "passwords"), problems):
        key = _address(row.source).lower()
        if key in found:
            problems.in_file(
                str(path), row.line, f"{plain(row.source)} is here twice; it was on line {found[key].line} already."
            )
        found[key] = row
    return found


def _completed(row: Row, other: Row) -> Row:
    """A row with what another CSV says of the same account, which goes first."""
    return replace(
        row,
        target=other.target or row.target,
        source_user=other.source_user or row.source_user,
        source_password=other.source_password or row.source_password,
        target_user=other.target_user or row.target_user,
        target_password=other.target_password or row.target_password,
    )


def _rows(path: FilePath, named_at: Path, problems: Problems) -> Iterator[Row]:
    """The rows of a CSV, one at a time; rows that cannot be used go to `problems`."""
    try:
        file = path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")
    except OSError as error:
        problems.at(
            named_at, f"names {path}, which cannot be read ({(error.strerror or 'it cannot be opened').lower()})."
        )
        return
    with file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        told_mode = not mode & 0o077
        columns: tuple[str, ...] = ()
        for line, fields in _records(file, str(path), problems):
            if not columns:
                columns = _columns(fields, line, str(path), problems)
                if not columns:
                    return
                continue
            if wrong := _wrong_row(fields, columns):
                problems.in_file(str(path), line, wrong)
                continue
            row = Row(line, **dict(zip(columns, fields, strict=False)))
            if not told_mode and (row.source_password or row.target_password):
                told_mode = True
                text = f"the file holds passwords, and others may use it (mode {mode:04o}). Run: chmod 600 {shlex.quote(str(path))}"
                problems.in_file(str(path), line, text)
            for column in ("source_password", "target_password"):
                password = getattr(row, column)
                if password != password.strip():
                    problems.warn_in_file(str(path), line, f"{column} begins or ends with a blank.")
            yield row
        if not columns:
            problems.in_file(
                str(path), 1, "the file is empty. Its first line names the columns, such as: source,target"
            )


def _records(file: TextIO, name: str, problems: Problems) -> Iterator[tuple[int, list[str]]]:
    """The records of a CSV, each with the line it begins on; blank ones are passed over. The first line that is not blank tells
    whether commas or semicolons part the fields.
    """
    lines = iter(lambda: file.readline(LONGEST_LINE), "")
    before = 0
    for heading in lines:
        before += 1
        if heading.strip():
            break
    else:
        return
    parted = ";" if heading.count(";") > heading.count(",") else ","
    reader = csv.reader(chain([heading], lines), delimiter=parted, strict=True)
    while True:
        line = before + reader.line_num
        try:
            fields = next(reader, None)
        except csv.Error as error:
            problems.in_file(name, line, f"this line is not CSV ({error}). Is a quote missing?")
            continue
        if fields is None:
            return
        if any(map(str.strip, fields)):
            yield line, fields


def _columns(fields: Sequence[str], line: int, name: str, problems: Problems) -> tuple[str, ...]:
    """The columns that the first line names; none if it names them wrongly."""
    columns = [field.strip().lower() for field in fields]
    while columns and not columns[-1]:
        columns.pop()
    if "source" not in columns:
        near = next(
            (f" {plain(word)} is not known here.{hint}" for word in columns if (hint := did_you_mean(word, COLUMNS))),
            "",
        )
        problems.in_file(
            name, line, f"the first line must name the columns, source among them, such as: source,target.{near}"
        )
        return ()
    wrong = False
    for position, word in enumerate(columns):
        if word not in COLUMNS:
            hint = did_you_mean(word, COLUMNS) or f" Known are {listed(COLUMNS)}."
            problems.in_file(name, line, f"the column {plain(word) or '(without a name)'} is not known here.{hint}")
            wrong = True
        elif word in columns[:position]:
            problems.in_file(name, line, f"the column {word} is named twice.")
            wrong = True
    return () if wrong else tuple(columns)


def _wrong_row(fields: Sequence[str], columns: Sequence[str]) -> str:
    """Why a row cannot be used, or nothing. The fields themselves are never told: one may be a password."""
    if len(fields) > len(columns) and any(fields[len(columns) :]):
        return f"this line has {len(fields)} fields, and the first line names {len(columns)} columns. Quote fields that hold the separator."
    for column, cell in zip(columns, fields, strict=False):
        if cell.isascii() and cell.isprintable():
            continue
        if _NOT_UTF8.search(cell):
            return "this line is not UTF-8. Save the file as UTF-8 (in Excel: “CSV UTF-8”)."
        if _NOT_IN_A_FIELD.search(cell):
            return f"{column} holds a line break or a control character."
    return ""


# -- names and choices -------------------------------------------------------------------------------------------------


class _Twice:
    """Finds addresses that are there twice."""

    def __init__(self) -> None:
        self._sources: dict[str, str] = {}
        self._targets: dict[str, str] = {}

    def seen(self, source: str, target: str, where: str) -> str:
        """What is wrong with one more account, or nothing. `where` is told when one of its addresses comes again."""
        first = self._sources.setdefault(source.lower(), where)
        if first is not where:
            return f"{plain(source)} is here twice; it was on {first} already."
        first = self._targets.setdefault(target.lower(), where)
        if first is not where:
            return (
                f"the target {plain(target)} is here twice; it was on {first} already. Two mailboxes cannot become one."
            )
        return ""


def _address(text: str) -> str:
    """An address with its domain in lower case; a user name without @ stays as it is."""
    local, at, domain = text.strip().rpartition("@")
    return f"{local}@{domain.lower()}" if at else domain


def _wrong_address(address: str) -> str:
    if not address:
        return "is empty; an address is needed."
    if len(address) > LONGEST_ADDRESS:
        return "is too long for an address."
    if "*" in address:
        return "holds a *; wildcards work with accounts.from alone. List the addresses."
    if _NOT_IN_AN_ADDRESS.search(address) or address[0] == "@" or address[-1] == "@":
        return "is not an address."
    return ""


def _secret(text: str) -> SecretStr | None:
    return SecretStr(text) if text else None


def _matching(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Whether a text matches one of the patterns; those without wildcards cost nothing, however many there are."""
    exact = {pattern for pattern in patterns if not _WILD.search(pattern)}
    wild = re.compile("|".join(translate(pattern) for pattern in patterns if pattern not in exact) or r"(?!)")
    return lambda text: text in exact or wild.match(text) is not None


def _wanted(written: AccountsFrom) -> Callable[[str], bool]:
    """Whether an address is chosen by domains, select and except."""
    in_domains = _matching([ascii_domain(domain.removeprefix("@")) for domain in written.domains])
    selected = _matching([_address(pattern) for pattern in written.select])
    left_out = _matching([_address(pattern) for pattern in written.leave_out])

    def wanted(address: str) -> bool:
        if written.domains and not in_domains(split(address)[1]):
            return False
        return (not written.select or selected(address)) and not left_out(address)

    return wanted


def _renaming(written: AccountsFrom, problems: Problems) -> Callable[[str], str | None]:
    """The target of an address by the rename rules, None where none applies. Rules without a wildcard go first."""
    exact: dict[str, str] = {}
    wild: list[tuple[re.Pattern[str], list[str]]] = []
    for pattern, target in written.rename.items():
        at: Path = ("accounts", "rename", pattern)
        if target.count("*") > pattern.count("*"):
            problems.at(at, "has more * in its target than in its source.")
        elif "*" not in pattern:
            exact[_address(pattern)] = _address(target)
        else:
            expression = "(.*)".join(map(re.escape, _address(pattern).split("*")))
            wild.append((re.compile(expression), _address(target).split("*")))

    def rename(address: str) -> str | None:
        if address in exact:
            return exact[address]
        for expression, (first, *others) in wild:
            if found := expression.fullmatch(address):
                return first + "".join(part for pair in zip(found.groups(), others, strict=False) for part in pair)
        return None

    return rename
