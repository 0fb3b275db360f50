"""phpMyAdmin 5, by its pages: for a site whose host lets nobody else at its database.

Documents: https://docs.phpmyadmin.net/en/latest/import_export.html, and what 5.2.1 answers. Logins on its page (cookie), over HTTP, and by a
URL that is signed in already, as cPanel and WHM (create_user_session) give one. Every question is one SELECT that is exported as CSV; every
change one file that is imported, in one transaction.

What surprises: where PHP's time is up, an export just stops, between two rows, with status 200. So nothing it gives is believed before the
database has counted and summed the same rows (`runs_dry`).

What it cannot do: show one moment of several tables; log in with a second factor or a captcha.
"""

from __future__ import annotations

import gzip
import html
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator

from migrator.engine.contract import MB, Adapter, Login, Service
from migrator.errors import (
    Dropped,
    EndpointRefused,
    EndpointUnfit,
    MigratorError,
    Misbehaved,
    NoSpace,
    NotFound,
    Refused,
    Unavailable,
)
from migrator.forms import csv_text
from migrator.forms.choosing import parts_of
from migrator.forms.contract import SHADOW, TableReader, TableWriter
from migrator.forms.model import (
    EVERYTHING,
    NOTHING,
    Checksum,
    Column,
    Extract,
    Family,
    Features,
    Key,
    KeyRange,
    Paging,
    Row,
    Server,
    Table,
    Value,
    checksum_of,
)
from migrator.forms.sql import asking, rights, schema, spelling
from migrator.wire.http import Reply, Site, WebOptions

PAGE = 10_000  # rows of one export at most
LARGEST_PAGE = 16 * MB  # what they should come to at most
LONGEST_STATEMENT = 256 * 1024  # phpMyAdmin reads what it imports letter by letter
LARGEST_IMPORT = MB  # the same, for a file, before it is packed
OLDEST = 5
REDIRECTS = 8
UNAUTHORISED = 401

# -- what a plan says -------------------------------------------------------------------------------------------------


class Options(WebOptions, Service):
    """A site's database, through phpMyAdmin."""

    database: str = Field(min_length=1, description="Name of the database")
    user: str | None = Field(None, description="The database's user")
    password: SecretStr | str | None = Field(
        None, description="Name of the secret with that user's password", json_schema_extra={"secret": True}
    )
    session: SecretStr | str | None = Field(
        None,
        description="Name of a secret with a URL that is signed in already, as cPanel and WHM give one; instead of user and password",
        json_schema_extra={"secret": True},
    )
    server: int = Field(1, ge=1, le=99, description="Which server of the list on phpMyAdmin's login page")
    connections: int = Field(2, ge=1, le=8, description="Sessions at once")

    @model_validator(mode="after")
    def _says_who(self) -> Self:
        if bool(self.session) == bool(self.user and self.password):
            raise ValueError("user and password are needed to log in, both; or session instead of them")
        return self


# -- what it can ------------------------------------------------------------------------------------------------------

FEATURES = Features(title="phpMyAdmin", runs_dry=True)

# -- sessions ---------------------------------------------------------------------------------------------------------


class PhpMyAdminReader:
    """The tables of one database, being read."""

    _writes = False

    def __init__(self, options: Options, login: Login, **wire: Any) -> None:  # Any: what Site takes, for tests
        """Connects to nothing yet."""
        del login  # the credentials are the database's own
        self.features = FEATURES
        self._pages = _Pages(options, writes=self._writes, wire=wire)
        self._version: tuple[str, str] | None = None

    # -- what there is

    def server(self) -> Server:
        product, version = self._product()
        ((charset, mode, database),) = self._ask("SELECT @@character_set_database, @@global.sql_mode, DATABASE()", 3)
        named = "MariaDB" if product == "mariadb" else "MySQL"
        return Server(named, version, charset or "", mode or "", database=database or "")

    def tables(self) -> Sequence[Table]:
        return [one for one in self._described() if not one.name.startswith(SHADOW)]

    def shadows(self) -> Sequence[str]:
        return [one.name for one in self._described() if schema.is_shadow(one)]

    def want_of_rights(self) -> EndpointRefused | None:
        grants = [line or "" for (line,) in self._ask("SHOW GRANTS", 1)]
        database = self._pages.database
        missing = rights.lacking(grants, database)
        if not missing:
            return None
        return EndpointUnfit(
            f"{self._pages.name}: the database's user may not {', '.join(missing)} in {database}, and a target's user has to.",
            remedy=f"Have it granted, or name another user: {rights.granting(missing, grants, database)}",
        )

    def count(self, extract: Extract) -> int:
        ((rows,),) = self._ask(f"SELECT COUNT(*) FROM {_from(extract)}{self._where(extract, EVERYTHING)}", 1)
        return int(rows or 0)

    # -- rows

    def ranges(self, extract: Extract, after: Key | None, rows: int) -> Iterator[KeyRange]:
        table = extract.table
        if table.paging is Paging.CONTENT:
            yield from parts_of(self.count(extract), rows)
            return
        columns = [table.column(one) for one in table.page_by]
        keys = ",".join(_exported(one, casts_float=False) for one in columns)
        order = spelling.ordered(table)
        backwards = f"{order.replace(',', ' DESC,')} DESC"
        while True:
            start = f"SELECT {keys} FROM {_from(extract)}{self._where(extract, KeyRange(after))}"
            found = self._rows_of(columns, f"{start}{order} LIMIT 1 OFFSET {rows - 1}") or self._rows_of(
                columns, f"{start}{backwards} LIMIT 1"
            )
            if not found:
                return
            end = tuple("" if one is None else one for one in found[0])
            yield KeyRange(after, end)
            after = end

    def rows(self, extract: Extract, among: KeyRange) -> Iterator[Sequence[Row]]:
        table = extract.table
        if table.paging is Paging.CONTENT or self.checksum(extract, among).rows <= _fitting(table):
            if page := self._page(extract, among):
                yield page
            return
        for one in self.ranges(extract, among.after, _fitting(table)):
            last = among.upto is not None and not self.checksum(extract, KeyRange(one.upto, among.upto)).rows
            yield from self._proven(extract, KeyRange(one.after, among.upto) if last else one)
            if last:
                return

    def checksum(self, extract: Extract, among: KeyRange) -> Checksum:
        crc = spelling.row_crc(extract.table, casts_float=self._casts_float)
        told = self._ask(f"SELECT COUNT(*), SUM({crc}) FROM {_from(extract)}{self._where(extract, among)}", 2)
        if not told:
            raise Misbehaved(
                f"{self._pages.name}: {extract.table.name}, {among.label}: PHP's time is up before the database has counted the rows.",
                remedy="Ask the host for a longer max_execution_time.",
            )
        ((rows, crcs),) = told
        return Checksum(int(rows or 0), int(crcs or 0))

    def close(self) -> None:
        self._pages.close()

    def _page(self, extract: Extract, among: KeyRange) -> list[Row]:
        """The rows of one export; they may be fewer than there are."""
        table = extract.table
        listed = ",".join(_exported(one, casts_float=self._casts_float) for one in table.columns)
        order = spelling.ordered(table) if table.paging is Paging.KEY else ""
        return self._rows_of(
            table.columns, f"SELECT {listed} FROM {_from(extract)}{self._where(extract, among)}{order}"
        )

    def _proven(self, extract: Extract, among: KeyRange) -> Iterator[Sequence[Row]]:
        """The rows of a range, in exports of which none ended early: it is halved until they do not."""
        wanted = self.checksum(extract, among)
        if not wanted.rows:
            return
        page = self._page(extract, among)
        if checksum_of(page) == wanted:
            yield page
            return
        after = among.after
        while after != among.upto:
            one = next(self.ranges(extract, after, -(-wanted.rows // 2)))
            if one.upto == among.upto and one.after == among.after:
                raise Misbehaved(
                    f"{self._pages.name}: {extract.table.name}, {among.label}: the export ends early, or its rows change as they are read.",
                    remedy="Run again; if it stays so, ask the host for a longer max_execution_time.",
                )
            yield from self._proven(extract, one)
            after = one.upto

    # -- wire

    def _ask(self, statement: str, width: int) -> list[tuple[str | None, ...]]:
        """A short answer, as text."""
        return [
            tuple(None if one is None else one.decode("utf-8", "surrogatepass") for one in row)
            for row in self._pages.export(statement, width)
        ]

    def _rows_of(self, columns: Sequence[Column], statement: str) -> list[Row]:
        found = self._pages.export(statement, len(columns))
        told = [
            [_value(column, one) for one in values]
            for column, values in zip(columns, zip(*found, strict=True), strict=False)
        ]
        return list(zip(*told, strict=True))

    def _where(self, extract: Extract, among: KeyRange) -> str:
        return spelling.where(extract, among, casts_float=self._casts_float)

    @property
    def _casts_float(self) -> bool:
        return asking.casts_float(*self._product())

    def _product(self) -> tuple[str, str]:
        """Which of the two it is, and its version."""
        if self._version is None:
            told = self._ask("SELECT VERSION(), @@sql_mode, DATABASE()", 3)
            version, mode, database = told[0] if told else ("", "", None)
            if database is None:
                raise self._pages.no_database()
            if "NO_BACKSLASH_ESCAPES" in (mode or ""):
                raise EndpointRefused(
                    f"{self._pages.name}: the database runs with NO_BACKSLASH_ESCAPES, which phpMyAdmin does not change.",
                    remedy="Ask the host to take it out of sql_mode, or make a dump by hand.",
                )
            self._version = ("mariadb" if "mariadb" in (version or "").lower() else "mysql", version or "")
        return self._version

    def _described(self, only: str = "") -> list[Table]:
        return asking.tables(self._ask, mariadb=self._product()[0] == "mariadb", only=only)


class PhpMyAdminWriter(PhpMyAdminReader):
    """The tables of one database, being filled."""

    _writes = True

    def as_kept(self, table: Table, rows: Sequence[Row]) -> Sequence[Row]:
        del table
        return rows

    def shadow(self, table: Table) -> Table:
        called, wanted = schema.shadow_name(table.name), schema.fingerprint(table)
        there = next(iter(self._described(called)), None)
        if there is not None and there.comment == wanted:
            return there
        # One that another session has made since stays.
        before = [f"DROP TABLE IF EXISTS {spelling.name(called)}"] if there is not None else []
        self._say(*before, schema.creation(table, called, wanted, asking.collations(self._ask)), about=table.name)
        (there,) = self._described(called)
        return there

    def load(self, extract: Extract, among: KeyRange, rows: Sequence[Row], instead_of: Checksum | None) -> None:
        table = extract.table
        about = f"{table.name}, {among.label}"
        where = self._where(extract, among)
        if instead_of is not None and self.checksum(extract, among) != instead_of:
            raise Refused(
                f"{about}: the target's rows are not those that were put there.",
                remedy="Somebody has changed them at the target. Look at them, and copy by hand what is missing.",
            )
        before = [] if instead_of is None else [self._guard(extract, among, instead_of)]
        if instead_of != NOTHING:
            before.append(f"DELETE FROM {spelling.name(table.name)}{where}")
        statements = list(spelling.inserts(table, rows, LONGEST_STATEMENT))
        if sum(map(len, statements)) <= LARGEST_IMPORT:
            self._say("START TRANSACTION", *before, *statements, "COMMIT", about=about)
            return
        # Too much for one import: it is brought beside the table first, and put there at once.
        stage = spelling.name(schema.shadow_name(f"stage of {table.name}"))
        named = spelling.name(table.name)
        listed = ",".join(spelling.name(one.name) for one in table.columns if not one.computed)
        self._say(f"DROP TABLE IF EXISTS {stage}", f"CREATE TABLE {stage} LIKE {named}", about=about)
        for some in _portions(statements, LARGEST_IMPORT):
            staged = [one.replace(f"INSERT INTO {named} ", f"INSERT INTO {stage} ", 1) for one in some]
            self._say("START TRANSACTION", *staged, "COMMIT", about=about)
        copying = f"INSERT INTO {named} ({listed}) SELECT {listed} FROM {stage}"
        self._say("START TRANSACTION", *before, copying, "COMMIT", about=about)
        self._say(f"DROP TABLE {stage}", about=about)

    def swap(self, table: Table) -> None:
        shadow, leaving = schema.shadow_name(table.name), schema.leaving_name(table.name)
        there = {one.name: one for one in self._described()}
        if shadow not in there and table.name not in there:
            raise NotFound(f"{table.name}: there is nothing to put in its place.", remedy="Run again.")
        old, new, away = (spelling.name(one) for one in (table.name, shadow, leaving))
        # Last: by its comment a shadow is known, and one that is not known is made anew.
        commented = f"ALTER TABLE {old} COMMENT={spelling.text(table.comment)}"
        if shadow not in there:
            if schema.is_ours(there[table.name]):
                self._say(commented, about=table.name)
            return
        if table.name not in there:
            self._say(f"RENAME TABLE {new} TO {old}", commented, about=table.name)
            return
        if rows := self.count(Extract(table)):
            raise Refused(
                f"{table.name}: the target's table has {rows:,} rows.",
                remedy="Say in the plan what is to become of them (existing), or empty the table.",
            )
        self._say(
            f"DROP TABLE IF EXISTS {away}",
            _unless(f"NOT EXISTS (SELECT 1 FROM {old})"),
            f"RENAME TABLE {old} TO {away}, {new} TO {old}",
            f"DROP TABLE {away}",
            commented,
            about=table.name,
        )

    def discard(self, table: Table) -> None:
        self._say(f"DROP TABLE IF EXISTS {spelling.name(schema.shadow_name(table.name))}", about=table.name)

    def merge(self, extract: Extract) -> int:
        table = extract.table
        before = self.count(Extract(table))
        statement = spelling.put_beside(table, schema.shadow_name(table.name))
        self._say("START TRANSACTION", statement, "COMMIT", about=table.name)
        return self.count(Extract(table)) - before

    def reserve(self, table: Table, upto: int) -> None:
        self._say(*schema.reserving(table.name, upto), about=table.name)

    def _guard(self, extract: Extract, among: KeyRange, wanted: Checksum) -> str:
        """Ends an import unless the rows of a range still are these."""
        crc = spelling.row_crc(extract.table, casts_float=self._casts_float)
        about = f"FROM {spelling.name(extract.table.name)}{self._where(extract, among)}"
        return _unless(f"(SELECT CONCAT(COUNT(*),':',IFNULL(SUM({crc}),0)) {about})='{wanted.rows}:{wanted.crc}'")

    def _say(self, *statements: str, about: str) -> None:
        self._pages.import_(";\n".join([*_FIRST_WORDS, *statements]) + ";\n", about)


_FIRST_WORDS = (
    "SET NAMES utf8mb4",
    "SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES,STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'",
    "SET SESSION time_zone = '+00:00'",
    "SET SESSION foreign_key_checks = 0",
)


def _unless(condition: str) -> str:
    """A statement that fails unless something is so: 1242, a subquery of two rows."""
    return f"SET @migrator = IF({condition},1,(SELECT 1 UNION SELECT 2))"


def _portions(statements: Sequence[str], size: int) -> Iterator[list[str]]:
    some: list[str] = []
    for one in statements:
        if some and sum(map(len, some)) + len(one) > size:
            yield some
            some = []
        some.append(one)
    yield some


# -- what is asked for ------------------------------------------------------------------------------------------------


def _from(extract: Extract) -> str:
    """The table; one with TIMESTAMPs as if the session's zone were UTC, which cannot be set here."""
    table = extract.table
    named = spelling.name(table.name)
    if not any(one.type.lower().startswith("timestamp") for one in table.columns):
        return named
    shown = [
        f"{_utc(one)} AS {spelling.name(one.name)}"
        if one.type.lower().startswith("timestamp")
        else spelling.name(one.name)
        for one in table.columns
    ]
    return f"(SELECT {','.join(shown)} FROM {named}) {named}"


def _fitting(table: Table) -> int:
    """How many rows of a table one export may have."""
    width = table.bytes // table.rows if table.rows and table.bytes else 1
    return max(min(PAGE, LARGEST_PAGE // max(width, 1)), 1)


def _utc(column: Column) -> str:
    quoted = spelling.name(column.name)
    digits = int(found[1]) if (found := re.search(r"\((\d)\)", column.type)) else 0
    zero = "0000-00-00 00:00:00" + (f".{'0' * digits}" if digits else "")
    moment = f"DATE_ADD('1970-01-01 00:00:00.000000',INTERVAL UNIX_TIMESTAMP({quoted}) SECOND)"
    return f"IF(UNIX_TIMESTAMP({quoted})=0,'{zero}',CAST(CAST({moment} AS DATETIME({digits})) AS CHAR))"


def _exported(column: Column, *, casts_float: bool) -> str:
    shown = spelling.shown(column, casts_float=casts_float)
    return f"HEX({shown})" if column.family.is_bytes else shown


def _value(column: Column, raw: bytes | None) -> Value:
    if raw is None:
        return None
    if column.family is Family.BIT:
        found = re.search(r"\d+", column.type)
        width = (int(found[0] if found else 1) + 7) // 8
        return bytes.fromhex(raw.decode().zfill(2 * width))
    return bytes.fromhex(raw.decode()) if column.family is Family.BINARY else raw.decode("utf-8", "surrogatepass")


# -- wire helpers -----------------------------------------------------------------------------------------------------

_TOKEN = re.compile(r'name="token" value="([^"]+)"|token:"([^"]+)"')
_SET_SESSION = re.compile(r'name="set_session" value="([^"]+)"')
_VERSION = re.compile(r"[?&;]v=(\d+)\.(\d+)|PMA_VERSION\s*[=:]\s*[\"'](\d+)\.(\d+)")
_LARGEST = re.compile(r'name="MAX_FILE_SIZE" value="(\d+)"')
_CODE = re.compile(r"#(\d{4})\b")
_LOGIN_PAGE = 'name="pma_username"'
_SECOND_FACTOR = re.compile(r'name="(?:2fa_code|2fa_confirm|u2f_[a-z_]+)"')
_CAPTCHA = re.compile(r"g-recaptcha|h-captcha")
_EXPORT = {
    "export_type": "table", "single_table": "1", "allrows": "1", "export_method": "custom", "quick_or_custom": "custom", "what": "csv",
    "output_format": "sendit", "charset": "utf-8", "compression": "none", "csv_separator": ",", "csv_enclosed": '"', "csv_escaped": '"',
    "csv_terminated": "AUTO", "csv_null": r"\N", "csv_structure_or_data": "data", "csv_data": "", "filename_template": "answer",
    "asfile": "sendit", "table": "answer",
}  # fmt: skip
_IMPORT = {
    "import_type": "database", "format": "sql", "charset_of_file": "utf-8", "ajax_request": "true", "skip_queries": "0",
    "sql_compatibility": "NONE",
}  # fmt: skip
_DIALECT = csv_text.Dialect(",", '"', (r"\N",))
_NO_DATABASE = frozenset({1044, 1049})
_RIGHTS = frozenset({1045, 1142, 1143, 1227, 1290, 1370, 1698})
_FULL = frozenset({1021, 1114})
_BUSY = frozenset({1040, 1203, 1205, 1213, 1226, 2002, 2006, 2013})
_WORDS = {
    1045: "the user or the password is wrong", 1062: "a key is taken already", 1142: "this user may not do that", 1146: "there is no such table", 1242: "the rows are not those that were expected",
    1264: "a number is out of range", 1292: "a date is none", 1366: "a text does not fit its column", 1406: "a value is too long for its column",
}  # fmt: skip


class _Pages:
    """phpMyAdmin's pages under one login, opened at the first question."""

    def __init__(self, options: Options, *, writes: bool, wire: Mapping[str, Any]) -> None:  # Any: what Site takes
        self._options = options
        self._writes = writes
        self._wire = wire
        self._site: Site | None = None
        self._token = ""
        self._folder = ""
        self._largest = 0
        self.name = urlsplit(options.url).netloc
        self.database = options.database

    def export(self, statement: str, width: int) -> list[tuple[bytes | None, ...]]:
        """The rows a SELECT or SHOW gives, or as many as PHP's time allows."""
        assert statement.startswith(("SELECT ", "SHOW "))
        reply = self._send("export", {**_EXPORT, "sql_query": statement})
        if reply.content.startswith(b"<") or "attachment" not in reply.headers.get("content-disposition", ""):
            raise self._trouble(reply, "")
        rows, rest = csv_text.cells(reply.content, width, _DIALECT)
        # PHP's time may be up in the middle of a row, and a page with an error may be added to what came before.
        if (
            rest.strip()
            and (found := _CODE.search(html.unescape(rest.decode("utf-8", "replace"))))
            and b"alert-danger" in rest
        ):
            raise self._meant(int(found[1]), "")
        return rows

    def import_(self, statements: str, about: str) -> None:
        """Have statements carried out; the first that fails ends it, and what was not committed is gone. `about` is for messages."""
        packed = gzip.compress(statements.encode("utf-8", "surrogatepass"), 6)
        limit = self._largest_upload()
        if limit and len(packed) > limit:
            raise Refused(
                f"{about}: this is more than phpMyAdmin lets anybody upload ({limit:,} bytes).",
                remedy="Ask the host for a larger upload_max_filesize.",
            )
        files = {"import_file": ("migrator.sql.gz", packed, "application/gzip")}
        reply = self._send("import", _IMPORT, files)
        told = reply.json() if reply.content.startswith(b"{") else {}
        if told.get("success") is not True:
            raise self._trouble(reply, about, str(told.get("error") or told.get("message") or ""))
        if "timeout_passed" in reply.text:
            raise Refused(
                f"{about}: PHP's time was up before all was put; nothing of it is there.",
                remedy="Ask the host for a longer max_execution_time.",
            )

    def close(self) -> None:
        if self._site is not None:
            self._site.close()
            self._site = None

    def _largest_upload(self) -> int:
        if not self._largest:
            page = self._opened().read("GET", f"{self._folder}index.php", query=self._query("database/import"))
            found = _LARGEST.search(page.text)
            self._largest = int(found[1]) if found else 2 * MB
        return self._largest

    def _query(self, route: str) -> dict[str, str]:
        return {"route": f"/{route}", "db": self._options.database, "server": str(self._options.server)}

    def _send(
        self, route: str, fields: Mapping[str, str], files: Mapping[str, tuple[str, bytes, str]] | None = None
    ) -> Reply:
        site = self._opened()
        form = {"token": self._token, "server": str(self._options.server), "db": self._options.database, **fields}
        path, query = f"{self._folder}index.php", {"route": f"/{route}"}
        # An export changes nothing, though it is asked for by POST.
        reply = (
            site.read("POST", path, query=query, form=form)
            if files is None
            else site.write("POST", path, query=query, form=form, files=files)
        )
        if (
            _LOGIN_PAGE in reply.text[:200_000]
            or reply.status in {301, 302, 303, 307, 403}
            or '"redirect_flag"' in reply.text[:500]
        ):
            self.close()
            raise Dropped(f"{self.name}: phpMyAdmin has ended the session; it is opened anew.")
        return reply

    # -- logging in

    def _opened(self) -> Site:
        if self._site is None:
            self._site = self._new()
            try:
                self._enter(self._site)
            except BaseException:
                self.close()
                raise
        return self._site

    def _new(self, auth: tuple[str, str] | None = None) -> Site:
        return Site(self._options, writes=self._writes, auth=auth, **self._wire)

    def _enter(self, site: Site) -> None:
        options = self._options
        if options.session:
            page = self._followed(site, site.read("GET", self._path_of(_secret(options.session))))
        else:
            page = self._followed(site, site.read("GET", "index.php", query={"server": str(options.server)}))
        if page.status == UNAUTHORISED and options.user:
            site.close()
            self._site = site = self._new((options.user, _secret(options.password)))
            page = self._followed(site, site.read("GET", "index.php", query={"server": str(options.server)}))
        if page.status == UNAUTHORISED:
            raise self._refused("refused the user or the password")
        self._must_be_new_enough(page)
        if _LOGIN_PAGE in page.text:
            if options.session:
                raise EndpointRefused(
                    f"{self.name}: the signed-in URL is not signed in any more.",
                    remedy="Take a fresh one; such a URL ends after a quarter of an hour of rest.",
                )
            page = self._log_in(site, page)
        found = _TOKEN.search(page.text)
        if found is None or _SECOND_FACTOR.search(page.text):
            raise self._not_in(page)
        self._token = html.unescape(found[1] or found[2])

    def _log_in(self, site: Site, page: Reply) -> Reply:
        if _CAPTCHA.search(page.text):
            raise EndpointRefused(
                f"{self.name}: phpMyAdmin's login asks for a captcha, which only a person can answer.",
                remedy="Name a signed-in URL in the plan (session), or export a dump by hand.",
            )
        token, session = _TOKEN.search(page.text), _SET_SESSION.search(page.text)
        form = {
            "pma_username": self._options.user or "",
            "pma_password": _secret(self._options.password),
            "server": str(self._options.server),
            "token": html.unescape(token[1] or token[2]) if token else "",
            **({"set_session": session[1]} if session else {}),
        }
        page = self._followed(site, site.read("POST", f"{self._folder}index.php", query={"route": "/"}, form=form))
        if _LOGIN_PAGE in page.text:
            said = html.unescape(page.text)
            if "1045" in said or "Access denied" in said:
                raise self._refused("refused the user or the password")
            code = _CODE.search(said)
            raise self._refused(f"let nobody in{f' (the database said #{code[1]})' if code else ''}")
        return page

    def _followed(self, site: Site, page: Reply) -> Reply:
        """The page behind redirects, all of this very place; where it lies is where phpMyAdmin is from now on."""
        origin, base = urlsplit(self._options.url), urlsplit(self._options.url).path.rstrip("/")
        for _ in range(REDIRECTS):
            if page.status not in {301, 302, 303, 307, 308}:
                return page
            there = urlsplit(page.headers.get("location", ""))
            if there.netloc and there.netloc != origin.netloc:
                raise EndpointRefused(
                    f"{self.name}: phpMyAdmin sends its visitors to {there.netloc}, and no password goes there.",
                    remedy="Write that address in the plan, if it is right.",
                )
            path = (
                there.path.removeprefix(base).lstrip("/") if there.path.startswith("/") else self._folder + there.path
            )
            self._folder = path.rpartition("/")[0] + "/" if "/" in path else ""
            page = site.read("GET", f"{path}?{there.query}" if there.query else path)
        return page

    def _path_of(self, url: str) -> str:
        there, here = urlsplit(url), urlsplit(self._options.url)
        if there.netloc != here.netloc:
            raise EndpointRefused(
                f"{self.name}: the signed-in URL leads to another host.", remedy="Correct url or session in the plan."
            )
        path = there.path.removeprefix(here.path.rstrip("/")).lstrip("/")
        self._folder = path.rpartition("/")[0] + "/" if "/" in path else ""
        return f"{path}?{there.query}" if there.query else path

    def _must_be_new_enough(self, page: Reply) -> None:
        found = _VERSION.search(page.text)
        if found and int(found[1] or found[3]) < OLDEST:
            raise EndpointRefused(
                f"{self.name}: this phpMyAdmin is older than {OLDEST}.0 and has other pages.",
                remedy="Export the database by hand there (format SQL), and name the file as a dump in the plan.",
            )

    def _refused(self, what: str) -> EndpointRefused:
        return EndpointRefused(
            f"{self.name}: phpMyAdmin {what}.", remedy="Correct user and password; it was not tried again."
        )

    def _not_in(self, page: Reply) -> MigratorError:
        if _SECOND_FACTOR.search(page.text):
            return EndpointRefused(
                f"{self.name}: phpMyAdmin asks {self._options.user} for a second factor, which migrator does not have.",
                remedy="Name a user without one, or a signed-in URL (session).",
            )
        return EndpointRefused(
            f"{self.name}: what answers there (status {page.status}) is not phpMyAdmin.",
            remedy="Correct url in the plan.",
        )

    # -- what went wrong

    def _trouble(self, reply: Reply, about: str, said: str = "") -> MigratorError:
        text = html.unescape(said or reply.text[:200_000])
        if found := _CODE.search(text):
            return self._meant(int(found[1]), about)
        where = f"{self.name}: {about + ': ' if about else ''}"
        if reply.status >= 500 or not reply.content:  # noqa: PLR2004 - RFC 9110
            return Misbehaved(
                f"{where}PHP ended the request without an answer (status {reply.status}): its time or its memory was up."
            )
        return Misbehaved(
            f"{where}phpMyAdmin answered with a page instead of what was asked for (status {reply.status})."
        )

    def no_database(self) -> EndpointUnfit:
        """That the database of the plan is not there, for this login at least."""
        return EndpointUnfit(
            f"{self.name}: there is no database {self.database} that this login may use.",
            remedy="Correct database in the plan, or what the user is granted.",
        )

    def _meant(self, code: int, about: str) -> MigratorError:
        """The database's error by its number: its words may hold what is in a row."""
        words = f"{self.name}: {about + ': ' if about else ''}{_WORDS.get(code, 'the database refused the statement')} (#{code})."
        if code == 1146:  # noqa: PLR2004 - ER_NO_SUCH_TABLE
            return NotFound(words)
        if code in _NO_DATABASE:
            return self.no_database()
        if code in _RIGHTS:
            return EndpointRefused(words, remedy="Check database and user in the plan, and what the user is granted.")
        if code in _FULL:
            return NoSpace(words)
        if code in _BUSY:
            return Unavailable(words)
        return Refused(words) if about else Misbehaved(words)


def _secret(given: SecretStr | str | None) -> str:
    return given.get_secret_value() if isinstance(given, SecretStr) else given or ""


def _read(options: Options, login: Login) -> TableReader:
    return PhpMyAdminReader(options, login)


def _fill(options: Options, login: Login) -> TableWriter:
    return PhpMyAdminWriter(options, login)


ADAPTER: Adapter[TableReader, TableWriter] = Adapter(
    word="phpmyadmin",
    title=FEATURES.title,
    options=Options,
    reader=_read,
    writer=_fill,
    connections=lambda options: (options.connections, options.connections),
)
