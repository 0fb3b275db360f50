"""What a transport must be able to do to be a source or a target of form entries, or rather of the tables they are in.

Reading and writing are two protocols; a session that reads cannot write. One session serves all tables of a database. Rows are moved by
ranges: a range is read, counted and summed by the server as well, loaded, and counted and summed at the target. What a transport cannot do
is named in `Features`, and what only some have a word for is a protocol of its own; nobody asks which transport it is. Errors are ours only: EndpointRefused for a login, a right or a missing
database, Refused for what a target will not take (in its own words, never with the values of a row), NotFound, NoSpace, Unavailable,
Dropped, Misbehaved. No message, and nothing that is logged, holds a value of a row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, runtime_checkable

from migrator.engine.contract import Contract
from migrator.errors import EndpointRefused
from migrator.forms.model import Checksum, Extract, Features, Key, KeyRange, LeftRow, Row, Server, Stored, Table

THE_DATABASE = "database"  # the account under which sessions are opened: one for all tables of an endpoint
SHADOW = "_migrator_"  # begins the name of a table that is being filled


class TableReader(Protocol):
    """The tables of a database, being read. Nothing this session does changes anything there."""

    @property
    def features(self) -> Features:
        """What this very endpoint can; it may be asked for that first."""

    def server(self) -> Server:
        """What stands behind the session."""

    def tables(self) -> Sequence[Table]:
        """Every table this login may see, each once, by name, views and shadows of ours left out. Cheap: some requests for all of them."""

    def count(self, extract: Extract) -> int:
        """How many rows there are. Raises NotFound for a table that is not there."""

    def ranges(self, extract: Extract, after: Key | None, rows: int) -> Iterator[KeyRange]:
        """What lies behind `after` (from the beginning if None) divided into ranges of about `rows` rows, streamed, in order, without a
        gap between them; every range ends at a key that is there, and rows with one key are never parted. A table without rows, or
        without any behind `after`, has none. `after` is None with Paging.CONTENT, where the number of ranges follows from the count.
        """

    def rows(self, extract: Extract, among: KeyRange) -> Iterator[Sequence[Row]]:
        """The rows of a range, in pages, streamed: memory does not grow with the range. A value for each column of the table, in the
        order of `columns`, computed ones too; rows in the order of the key with Paging.KEY, else in any. Raises NotFound, and Misbehaved
        where the answer breaks off in a way that can be seen; where it cannot (`features.runs_dry`), the checksum tells.
        """

    def checksum(self, extract: Extract, among: KeyRange) -> Checksum:
        """The checksum of a range as `checksum_of` has it, by the server itself with `features.checksums`."""

    def close(self) -> None:
        """End the session; never raises."""


class TableWriter(TableReader, Protocol):
    """The tables of a database, being filled. A table is filled in the shadow and swapped when it is whole."""

    def as_kept(self, table: Table, rows: Sequence[Row]) -> Sequence[Row]:
        """Rows as this target would show them if it had them, asking nobody: the same rows with `features.exact`. What becomes of what it
        cannot hold (zero dates, NUL, lone surrogates) is a rule its documentation states. Raises Refused for a value without a rule.
        """

    def shadow(self, table: Table) -> Table:
        """The empty shadow of a table, made if it is not there, as this target has it (its own types where it is no MariaDB, told as
        MariaDB's). One of the same columns is left as it is, with its rows; any other is made anew. Raises Refused.
        """

    def load(self, extract: Extract, among: KeyRange, rows: Sequence[Row], instead_of: Checksum | None) -> None:
        """Make the rows of a range these ones, at once or not at all; on disk before this returns, those of a shadow when it is swapped at
        the latest (what a power cut takes until then is missed by its sum). `instead_of` is what must be there now,
        else Refused and nothing is changed; None for whatever is there (only asked for a shadow). Loading twice is loading once. Computed
        columns are left to the target. Tables without transactions are loaded only in the shadow.
        """

    def swap(self, table: Table) -> None:
        """Put the shadow of `table` in its place, at once; numbering goes on above the highest. An empty table there gives way. Raises
        Refused if there is one with rows; if the shadow was swapped already (it is gone, the table is there), only what a death left of that
        is completed.
        """

    def discard(self, table: Table) -> None:
        """Remove the shadow of `table` if there is one."""


@runtime_checkable
class SeesOneMoment(Protocol):
    """A transport whose sessions can keep to one moment while others write."""

    def snapshot(self) -> None:
        """From now on see one moment of all steady tables, until the session is closed."""


@runtime_checkable
class PutsBeside(Protocol):
    """A target that can put rows beside others into a table. `features.merges` says the same of it to a session that reads."""

    def merge(self, extract: Extract) -> int:
        """Put the rows of the shadow of `extract.table` beside those of the table itself, at once or not at all; answers how many were put.
        Raises Refused if a key is taken. The shadow stays.
        """

    def reserve(self, table: Table, upto: int) -> None:
        """Numbers that the target gives to new rows of the table by itself are above `upto` from now on; where it gives none, nothing is
        done. No row is changed.
        """


@runtime_checkable
class LeavesRows(Protocol):
    """A source that may hold rows too large to be given. They are no part of what it counts, sums and reads."""

    def left_rows(self, table: Table) -> Sequence[LeftRow]:
        """Those rows of a table, each once; asked for before anything of the table is moved."""


@runtime_checkable
class RemembersSource(Protocol):
    """A target that writes down where its rows came from."""

    def comes_from(self, source: Server) -> None:
        """What stands behind the session that the rows are read in; told before anything is loaded."""


@runtime_checkable
class KnowsDamage(Protocol):
    """A transport that can see beforehand that some of what it holds is not there any more."""

    def damaged(self) -> Mapping[str, str]:
        """Tables that cannot be read whole, by name, each with what is missing and what to do. Cheap: no row is read."""


@runtime_checkable
class KnowsRights(Protocol):
    """A transport that can see beforehand what its login is not allowed to do."""

    def want_of_rights(self) -> EndpointRefused | None:
        """The refusal that a session which fills tables would meet; None where every right is there, or nobody can tell. Cheap, and it
        changes nothing.
        """


@runtime_checkable
class KnowsShadows(Protocol):
    """A transport that can see the shadows that earlier runs have left."""

    def shadows(self) -> Sequence[str]:
        """Their names as they are there. Cheap."""


class Plugins(Protocol):
    """What knows the plugins (migrator/forms/plugins): `detect.present`."""

    def __call__(self, reader: TableReader, wanted: Sequence[str]) -> Sequence[Stored]:
        """What plugins store in a database: every plugin and site found, or only those whose word is `wanted`. Names of tables tell most
        of it; a session is asked for counts of entries, because some plugins keep theirs among the site's posts, and for the site's list
        of active plugins, by which those that store nothing are among the answers, as silent.
        """


FORMS: Contract[TableReader, TableWriter] = Contract("forms", connects=False)
