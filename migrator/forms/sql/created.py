"""What CREATE TABLE and ALTER TABLE in a dump say of a table, as the model's nouns. Pure.

Read is what mysqldump, mariadb-dump, phpMyAdmin, HeidiSQL and Adminer write, which is what SHOW CREATE TABLE says. phpMyAdmin makes tables
without keys first and adds keys and AUTO_INCREMENT at the end of its file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from migrator.forms.model import Column, Family, Index, Table, choose_paging, family_of
from migrator.forms.sql.schema import unquoted

_QUOTED = r"'(?:[^'\\]|\\.|'')*'"
_NAME = r'(?:`(?:[^`]|``)+`|"(?:[^"]|"")+"|[\w$\u0080-\uffff]+)'
_TOKEN = re.compile(rf"{_QUOTED}|`(?:[^`]|``)*`|\"(?:[^\"]|\"\")*\"|[(),]|[^'`\"(),]+", re.DOTALL)
_CREATE = re.compile(
    rf"create\s+(?:temporary\s+)?table\s+(?:if\s+not\s+exists\s+)?(?:({_NAME})\s*\.\s*)?({_NAME})\s*\(", re.IGNORECASE
)
_ALTER = re.compile(rf"alter\s+(?:ignore\s+)?table\s+(?:({_NAME})\s*\.\s*)?({_NAME})\s+", re.IGNORECASE)
_GONE = re.compile(
    rf"(?:drop\s+table\s+(?:if\s+exists\s+)?|truncate\s+(?:table\s+)?|delete\s+from\s+)(?:({_NAME})\s*\.\s*)?({_NAME})\s*$", re.IGNORECASE
)  # fmt: skip
_CHANGED = re.compile(
    r"(?:insert|replace|update|delete|load\s+data)\b(?:\s+(?:low_priority|delayed|high_priority|ignore|from|into|local|infile|table)\b)*"
    rf"\s+(?:({_NAME})\s*\.\s*)?({_NAME})", re.IGNORECASE,
)  # fmt: skip
_COLUMN = re.compile(rf"({_NAME})\s+(.*)", re.DOTALL)
_TYPE = re.compile(
    rf"([a-z]+(?:\s+(?:precision|varying))?)(?:\s*(\((?:[^()']|{_QUOTED})*\)))?((?:\s+(?:unsigned|signed|zerofill))*)", re.IGNORECASE
)  # fmt: skip
_KEY = re.compile(
    rf"(?:constraint\s+(?:{_NAME}\s+)?)?(primary|unique|fulltext|spatial)?\s*(?:key|index)?\s*({_NAME})?\s*(?:using\s+\w+\s*)?\((.*)\)", re.IGNORECASE | re.DOTALL
)  # fmt: skip
_IS_KEY = re.compile(
    r"(?:(?:constraint|primary|unique|fulltext|spatial|key|index|foreign|check|period)\b)", re.IGNORECASE
)
_PART = re.compile(rf"({_NAME})\s*(?:\((\d+)\))?", re.IGNORECASE)
_CHARSET = re.compile(r"(?:character\s+set|charset)\s*=?\s*([A-Za-z0-9_]+)", re.IGNORECASE)
_COLLATE = re.compile(r"collate\s*=?\s*([A-Za-z0-9_]+)", re.IGNORECASE)
_ENGINE = re.compile(r"engine\s*=\s*(\w+)", re.IGNORECASE)
_COUNTING = re.compile(r"auto_increment\s*=\s*(\d+)", re.IGNORECASE)
_ROW_FORMAT = re.compile(r"row_format\s*=\s*(\w+)", re.IGNORECASE)
_COMMENT = re.compile(rf"comment\s*=?\s*({_QUOTED})", re.IGNORECASE | re.DOTALL)
_DEFAULT = re.compile(
    rf"default\s+(?:(?:_\w+\s*)?({_QUOTED})|(\(.*|[\w.+-]+(?:\s*\([^)]*\))?))", re.IGNORECASE | re.DOTALL
)
_ON_UPDATE = re.compile(r"on\s+update\s+(\w+(?:\(\d*\))?)", re.IGNORECASE)
_COMPUTED = re.compile(r"(?:generated\s+always\s+)?\bas\s*\((.*)\)", re.IGNORECASE | re.DOTALL)
_JSON = re.compile(r"check\s*\(\s*json_valid\s*\(", re.IGNORECASE)
_NUMBER = re.compile(r"[-+]?[\d.]+(?:e[-+]?\d+)?", re.IGNORECASE)


def bare_name(word: str) -> str:
    """A name without its quotes."""
    return word[1:-1].replace(word[0] * 2, word[0]) if word[:1] in {"`", '"'} else word


def made(statement: str) -> tuple[str, Table] | None:
    """The database ("" if none is named) and the table that a CREATE TABLE makes; None for any other statement."""
    found = _CREATE.match(statement)
    if found is None:
        return None
    parts, end = _inside(statement, found.end())
    options = statement[end:]
    collation = _word(_COLLATE, options)
    table = Table(
        name=bare_name(found[2]),
        columns=(),
        engine=_word(_ENGINE, options),
        charset=_word(_CHARSET, options).lower() or collation.partition("_")[0],
        collation=collation,
        next_number=int(_word(_COUNTING, options) or 0) or None,
        row_format=_word(_ROW_FORMAT, options),
        comment=unquoted(comment[1]) if (comment := _COMMENT.search(options)) else "",
    )
    columns = [_column(part, table) for part in parts if not _IS_KEY.match(part)]
    indexes = [index for part in parts for index in _indexes(part)]
    return bare_name(found[1] or ""), _paged(replace(table, columns=tuple(one for one in columns if one)), indexes)


def altered(statement: str) -> tuple[str, str, Sequence[str]] | None:
    """The database, the table and the changes of an ALTER TABLE; None for any other statement."""
    found = _ALTER.match(statement)
    if found is None:
        return None
    return bare_name(found[1] or ""), bare_name(found[2]), list(_split(statement[found.end() :]))


def emptied(statement: str) -> tuple[str, str] | None:
    """The database and the table that a DROP, TRUNCATE or DELETE leaves without rows; None for any other statement."""
    found = _GONE.match(statement)
    return (bare_name(found[1] or ""), bare_name(found[2])) if found else None


def changed(statement: str) -> tuple[str, str] | None:
    """The database and the table whose rows a statement changes in a way that only a server can work out; None if it does not."""
    found = _CHANGED.match(statement)
    return (bare_name(found[1] or ""), bare_name(found[2])) if found else None


def with_changes(table: Table, changes: Sequence[str]) -> Table:
    """A table with keys added and columns modified, as the end of phpMyAdmin's files does. Other changes leave it as it is."""
    indexes = list(table.indexes)
    columns = list(table.columns)
    for change in changes:
        verb, _, rest = change.partition(" ")
        rest = rest.strip()
        if verb.lower() == "add" and _IS_KEY.match(rest):
            indexes += _indexes(rest)
        elif verb.lower() == "modify":
            column = _column(re.sub(r"^column\s+", "", rest, flags=re.IGNORECASE), table)
            columns = [column if column and one.name == column.name else one for one in columns]
        if found := _COUNTING.match(change):
            table = replace(table, next_number=int(found[1]))
    return _paged(replace(table, columns=tuple(columns)), indexes)


def _paged(table: Table, indexes: Sequence[Index]) -> Table:
    of_primary = {name.lower() for one in indexes if one.name == "PRIMARY" for name in one.columns}
    columns = tuple(replace(one, nullable=one.nullable and one.name.lower() not in of_primary) for one in table.columns)
    paging, page_by = choose_paging(columns, indexes)
    return replace(table, columns=columns, indexes=tuple(indexes), paging=paging, page_by=page_by)


def _word(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found[1] if found else ""


def _inside(statement: str, start: int) -> tuple[list[str], int]:
    """The parts of a parenthesis that begins before `start`, and where it ends."""
    depth, at = 1, start
    for token in _TOKEN.finditer(statement, start):
        depth += {"(": 1, ")": -1}.get(token[0], 0)
        at = token.end()
        if not depth:
            break
    return list(_split(statement[start : at - 1])), at


def _split(text: str) -> Iterator[str]:
    """A list apart at its commas."""
    depth, part = 0, ""
    for piece in _TOKEN.findall(text):
        depth += {"(": 1, ")": -1}.get(piece, 0)
        if piece == "," and not depth:
            yield part.strip()
            part = ""
        else:
            part += piece
    if part.strip():
        yield part.strip()


def _column(part: str, table: Table) -> Column | None:
    found = _COLUMN.match(part)
    kind = _TYPE.match(found[2]) if found else None
    if found is None or kind is None:
        return None
    type_ = kind[1].lower() + (kind[2] or "").strip() + "".join(f" {word.lower()}" for word in kind[3].split())
    words = found[2][kind.end() :]
    computed = _COMPUTED.search(words)
    comment = _COMMENT.search(words)
    plain = words[: comment.start()] + words[comment.end() :] if comment else words
    default, is_expression = _default(plain) if not computed else (None, False)
    said = _outside_quotes(plain)
    extra = [*(["auto_increment"] if re.search(r"\bauto_increment\b", said, re.IGNORECASE) else [])]
    if update := _ON_UPDATE.search(said):
        extra.append(f"on update {update[1].lower()}")
    is_text = family_of(type_) is Family.TEXT and not type_.startswith("json")
    own = _word(_COLLATE, said), _word(_CHARSET, said).lower()
    collation, charset = own if any(own) else (table.collation, table.charset)
    return Column(
        name=bare_name(found[1]),
        type=type_,
        nullable=not re.search(r"\bnot\s+null\b", said, re.IGNORECASE) and "primary key" not in said.lower(),
        default=default,
        default_is_words=is_expression,
        extra=" ".join(extra),
        charset=(charset or collation.partition("_")[0]) if is_text else "",
        collation=collation if is_text else "",
        computed=computed[1] if computed else "",
        is_json=bool(_JSON.search(said)),
    )


def _outside_quotes(text: str) -> str:
    return re.sub(_QUOTED, "''", text, flags=re.DOTALL)


def _default(words: str) -> tuple[str | None, bool]:
    found = _DEFAULT.search(words)
    if found is None:
        return None, False
    if found[1]:
        return unquoted(found[1]), False
    word = found[2]
    if word.upper() == "NULL":
        return None, False
    return word, not _NUMBER.fullmatch(word)


def _indexes(part: str) -> Iterator[Index]:
    """The index that a part of a definition makes; none for a foreign key or a check, nor for a column unless it says it is one."""
    if not _IS_KEY.match(part):
        if re.search(r"\bprimary\s+key\b", _outside_quotes(part), re.IGNORECASE) and (named := _COLUMN.match(part)):
            yield Index("PRIMARY", (bare_name(named[1]),), unique=True, lengths=(None,))
        return
    if re.match(rf"(?:constraint\s+(?:{_NAME}\s+)?)?(?:foreign|check)\b|period\b", part, re.IGNORECASE):
        return
    found = _KEY.match(part)
    if found is None:
        return
    kind = (found[1] or "").upper()
    inside, _ = _inside(part, part.index("(", found.start(2) if found[2] else 0) + 1)
    parts = [_PART.match(one) for one in inside]
    names = tuple(bare_name(one[1]) if one else "" for one in parts)
    lengths = tuple(int(one[2]) if one and one[2] else None for one in parts)
    if kind == "PRIMARY":
        yield Index("PRIMARY", names, unique=True, lengths=lengths)
        return
    name = bare_name(found[2]) if found[2] else names[0]
    yield Index(name, names, kind == "UNIQUE", lengths, kind if kind in {"FULLTEXT", "SPATIAL"} else "")
