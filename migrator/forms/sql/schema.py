"""Tables as MariaDB's and MySQL's own tables about tables describe them, and as they are made. Pure: rows in, nouns or text out.

What surprises: MariaDB tells a default as an expression ('abc' with its quotes, NULL as a word), MySQL as the value itself; and MariaDB
has no type json but a text with a check.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence

from migrator.errors import Refused
from migrator.forms.contract import SHADOW
from migrator.forms.model import Column, Index, Table, choose_paging
from migrator.forms.sql.spelling import name, text

LONGEST_NAME = 64
LONGEST_WAIT = 60  # seconds, for another run
OURS = "migrator "  # begins the comment of a shadow

TABLES = (
    "SELECT TABLE_NAME, ENGINE, TABLE_ROWS, DATA_LENGTH, AUTO_INCREMENT, CREATE_OPTIONS, TABLE_COLLATION, TABLE_COMMENT FROM information_schema.TABLES"
    " WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE = 'BASE TABLE'"
)
COLUMNS = (
    "SELECT TABLE_NAME, COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE, COLUMN_DEFAULT, EXTRA, CHARACTER_SET_NAME, COLLATION_NAME, {computed}"
    " FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE()"
)
INDEXES = (
    "SELECT TABLE_NAME, INDEX_NAME, COLUMN_NAME, NON_UNIQUE, SUB_PART, INDEX_TYPE FROM information_schema.STATISTICS"
    " WHERE TABLE_SCHEMA = DATABASE()"
)
CHECKS = (
    "SELECT TABLE_NAME, CHECK_CLAUSE FROM information_schema.CHECK_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = DATABASE()"
)
COLUMNS_ORDER, INDEXES_ORDER = (
    " ORDER BY TABLE_NAME, ORDINAL_POSITION",
    " ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX",
)

Told = tuple[str | None, ...]
_ROW_FORMAT = re.compile(r"row_format=(\w+)", re.IGNORECASE)
_JSON_CHECK = re.compile(r"json_valid\(`((?:[^`]|``)+)`\)", re.IGNORECASE)
_COLLATION = re.compile(r"[A-Za-z0-9_]+")
# A column's type as we are ready to say it again; it may come from a file.
_TYPE = re.compile(
    r"[a-z]+( precision)?(\(\d+(,\d+)?\)|\(('([^'\\]|''|\\.)*'(,'([^'\\]|''|\\.)*')*)\))?( unsigned)?( zerofill)?( signed)?",
    re.IGNORECASE,
)
_EXPRESSION = re.compile(r"(current_timestamp|now|curdate|curtime|uuid|localtimestamp)(\(\d?\))?", re.IGNORECASE)
_ON_UPDATE = re.compile(r"on update (current_timestamp(\(\d?\))?)", re.IGNORECASE)


def described(
    tables: Iterable[Told], columns: Iterable[Told], indexes: Iterable[Told], checks: Iterable[Told], *, mariadb: bool
) -> list[Table]:
    """Every table told of, by name, shadows too. Columns and indexes come in their order."""
    json_columns = {
        (one[0], found[1].replace("``", "`")) for one in checks if (found := _JSON_CHECK.fullmatch(one[1] or ""))
    }
    of_table: dict[str, list[Column]] = {}
    for one in columns:
        table = one[0] or ""
        of_table.setdefault(table, []).append(_column(one, mariadb=mariadb, is_json=(table, one[1]) in json_columns))
    keys: dict[str, dict[str, list[Told]]] = {}
    for one in indexes:
        keys.setdefault(one[0] or "", {}).setdefault(one[1] or "", []).append(one)
    return [
        _table(one, of_table[one[0] or ""], [_index(word, rows) for word, rows in keys.get(one[0] or "", {}).items()])
        for one in sorted(tables, key=lambda told: told[0] or "")
        if one[0] in of_table
    ]


def _table(told: Told, columns: Sequence[Column], indexes: Sequence[Index]) -> Table:
    word, engine, rows, size, number, options, collation, comment = told
    paging, page_by = choose_paging(columns, indexes)
    return Table(
        name=word or "",
        columns=tuple(columns),
        paging=paging,
        page_by=page_by,
        indexes=tuple(indexes),
        engine=engine or "",
        charset=(collation or "").partition("_")[0],
        collation=collation or "",
        rows=int(rows) if rows else None,
        bytes=int(size) if size else None,
        next_number=int(number) if number else None,
        row_format=found[1] if (found := _ROW_FORMAT.search(options or "")) else "",
        comment=comment or "",
    )


def _column(told: Told, *, mariadb: bool, is_json: bool) -> Column:
    _, word, type_, nullable, default, extra, charset, collation, computed = told
    words = (extra or "").replace("DEFAULT_GENERATED", "").strip()
    value, is_expression = (default, False)
    if default is not None and mariadb:
        value, is_expression = _of_mariadb(default)
    elif default is not None:
        is_expression = "DEFAULT_GENERATED" in (extra or "") or bool(_EXPRESSION.fullmatch(default))
    return Column(
        name=word or "",
        type=type_ or "",
        nullable=nullable == "YES",
        default=value,
        default_is_words=is_expression,
        extra=words,
        charset=charset or "",
        collation=collation or "",
        computed=computed or "",
        is_json=is_json,
    )


def _of_mariadb(default: str) -> tuple[str | None, bool]:
    """MariaDB's expression of a default as its value, and whether it stays an expression."""
    if default.upper() == "NULL":
        return None, False
    if default.startswith("'") and default.endswith("'"):
        return unquoted(default), False
    return default, not re.fullmatch(r"-?[\d.]+(e[+-]?\d+)?", default, re.IGNORECASE)


_ESCAPES = {"0": "\0", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a", "b": "\b"}


def unquoted(literal: str) -> str:
    """The text of a quoted literal."""
    inner = literal[1:-1]
    return re.sub(
        r"\\(.)|''", lambda found: _ESCAPES.get(found[1], found[1]) if found[1] else "'", inner, flags=re.DOTALL
    )


def _index(word: str, told: Sequence[Told]) -> Index:
    lengths = tuple(int(one[4]) if one[4] else None for one in told)
    kind = next((one[5] for one in told if one[5] in {"FULLTEXT", "SPATIAL"}), "") or ""
    # An index over an expression names no column; it is told as one over nothing, and left out when a table is made.
    names = tuple(one[2] or "" for one in told)
    return Index(word, names, unique=told[0][3] == "0", lengths=lengths, kind=kind)


# -- made --------------------------------------------------------------------------------------------------------------


def shadow_name(table: str) -> str:
    """The name of a table's shadow, at most as long as names may be."""
    if len(SHADOW) + len(table) <= LONGEST_NAME:
        return SHADOW + table
    digest = hashlib.sha256(table.encode()).hexdigest()[:12]
    return f"{SHADOW}{table[: LONGEST_NAME - len(SHADOW) - 13]}_{digest}"


def is_shadow(table: Table) -> bool:
    """Whether it is a shadow that we have made."""
    return table.name.startswith(SHADOW) and is_ours(table)


def is_ours(table: Table) -> bool:
    """Whether we have made it and not said yet that it is whole."""
    return table.comment.startswith(OURS)


def leaving_name(table: str) -> str:
    """The name under which an empty table makes room for its successor."""
    digest = hashlib.sha256(table.encode()).hexdigest()[:12]
    return f"{SHADOW}leaving_{digest}"


def fingerprint(table: Table) -> str:
    """Tells whether a shadow was made for a table of these very columns and indexes; kept in its comment."""
    return (
        OURS
        + hashlib.sha256(
            repr((table.columns, table.indexes, table.collation)).encode("utf-8", "surrogatepass")
        ).hexdigest()[:32]
    )


def creation(table: Table, called: str, comment: str, collations: Mapping[str, str]) -> str:
    """The statement that makes a table of these columns and indexes under another name, where there is none. `collations` maps those that the server knows to
    their charset; one it does not know becomes the charset's default. Raises Refused for a type or an expression we do not say again.
    """
    lines = [_definition(table, column, collations) for column in table.columns]
    lines += [_key(index) for index in table.indexes if all(index.columns)]
    counting = (
        f" AUTO_INCREMENT={table.next_number}"
        if table.next_number and any(one.counts_up for one in table.columns)
        else ""
    )
    engine = table.engine if table.engine.lower() in {"innodb", "myisam", "aria", "memory"} else "InnoDB"
    row_format = (
        f" ROW_FORMAT={table.row_format.upper()}"
        if table.row_format.lower() in {"dynamic", "compact", "compressed", "redundant", "fixed"}
        else ""
    )
    return (
        f"CREATE TABLE IF NOT EXISTS {name(called)} ({', '.join(lines)}) ENGINE={engine}{_collated(table.charset, table.collation, collations)}"
        f"{row_format}{counting} COMMENT={text(comment)}"
    )


def reserving(table: str, upto: int) -> list[str]:
    """Statements after which a table numbers its new rows above `upto`, for one connection. The lock keeps another run of ours from setting the
    counter between our look at it and our setting it: one that is set to less is set back.
    """
    about = f"TABLE_SCHEMA = DATABASE() AND TABLE_NAME = {text(table)}"
    counts = f"EXISTS (SELECT 1 FROM information_schema.COLUMNS WHERE {about} AND EXTRA LIKE '%auto_increment%')"
    # MySQL 8 tells no number of a table that is new.
    next_one = f"IFNULL((SELECT AUTO_INCREMENT FROM information_schema.TABLES WHERE {about}), 0)"
    further = text(f"ALTER TABLE {name(table)} AUTO_INCREMENT = {upto + 1}")
    # It also tells for a day what it told before, unless the session asks for what is true now. MariaDB knows no such word.
    remembers = "CAST(VERSION() AS UNSIGNED) >= 8 AND VERSION() NOT LIKE '%MariaDB%'"
    return [
        f"DO GET_LOCK('migrator counters', {LONGEST_WAIT})",
        *_saying(f"IF({remembers}, 'SET SESSION information_schema_stats_expiry = 0', 'DO 0')"),
        *_saying(f"IF({counts} AND {next_one} <= {upto}, {further}, 'DO 0')"),
        "DO RELEASE_LOCK('migrator counters')",
    ]


def _saying(statement: str) -> list[str]:
    """Statements that say what an expression spells."""
    return [
        f"SET @migrator = {statement}",
        "PREPARE migrator FROM @migrator",
        "EXECUTE migrator",
        "DEALLOCATE PREPARE migrator",
    ]


def _collated(charset: str, collation: str, collations: Mapping[str, str]) -> str:
    if collation in collations and _COLLATION.fullmatch(collation):
        return f" CHARACTER SET {collations[collation]} COLLATE {collation}"
    if charset and _COLLATION.fullmatch(charset):
        return f" CHARACTER SET {'utf8mb4' if charset not in collations.values() else charset}"
    return ""


def _definition(table: Table, column: Column, collations: Mapping[str, str]) -> str:
    if not _TYPE.fullmatch(column.type):
        raise Refused(
            f"{table.name}.{column.name} has a type that is not known here.",
            remedy="Make the table at the target by hand.",
        )
    words = [name(column.name), column.type]
    if column.charset:
        words.append(_collated(column.charset, column.collation, collations).strip())
    if column.computed:
        raise Refused(
            f"{table.name}.{column.name} is computed by the server from other columns, and how is not said again here.",
            remedy="Make the table at the target by hand, empty, and choose keep-ids.",
        )
    words.append("NULL" if column.nullable else "NOT NULL")
    if column.default is not None and column.default_is_words:
        words.append(f"DEFAULT {_expression(table, column)}")
    elif column.default is not None:
        words.append(f"DEFAULT {text(column.default)}")
    elif column.nullable and column.type.lower().startswith("timestamp"):
        words.append("DEFAULT NULL")  # else old servers give the first one the moment of writing
    if found := _ON_UPDATE.search(column.extra):
        words.append(f"ON UPDATE {found[1]}")
    if column.counts_up:
        words.append("AUTO_INCREMENT")
    if column.is_json:
        words.append(f"CHECK (json_valid({name(column.name)}))")
    return " ".join(filter(None, words))


def _expression(table: Table, column: Column) -> str:
    if not _EXPRESSION.fullmatch(column.default or ""):
        raise Refused(
            f"{table.name}.{column.name} has a default that is an expression, which is not said again here.",
            remedy="Make the table at the target by hand, empty, and choose keep-ids.",
        )
    return column.default or ""


def _key(index: Index) -> str:
    lengths = index.lengths or (None,) * len(index.columns)
    parts = ",".join(
        f"{name(one)}{f'({length})' if length and index.kind != 'SPATIAL' else ''}"
        for one, length in zip(index.columns, lengths, strict=True)
    )
    if index.name == "PRIMARY":
        return f"PRIMARY KEY ({parts})"
    kind = "UNIQUE " if index.unique else f"{index.kind} " if index.kind else ""
    return f"{kind}KEY {name(index.name)} ({parts})"
