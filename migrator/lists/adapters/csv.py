"""A folder with two CSV files for each list: to look at, to edit, to write by hand, and to import where nothing else is taken.

    <path>/announce@example.com.csv             address, name, role, delivery, stopped, moderation, hidden, acknowledge, own_posts,
                                                list_copies, language       one row for each member, owner, moderator and nonmember
    <path>/announce@example.com.settings.csv    setting, value              several rows for a setting that holds several things

Only the column `address` has to be there; what is missing or empty is as products have it by themselves, and so is a list without a file
of settings. Columns of others stay. Written for RFC 4180 in UTF-8 with commas; semicolons, tabs, UTF-16 and the Windows code page are read
too. It keeps everything, also what only one product has (`own.` before its name).

What surprises: a cell that a spreadsheet would take for a formula has an apostrophe before it, addresses too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import Field

from migrator.addresses import same_form
from migrator.engine.contract import Adapter, Contents, Login, Service
from migrator.frozen import dataclass
from migrator.lists.contract import ListReader, ListWriter
from migrator.lists.folder import Cells, FolderReader, FolderWriter
from migrator.lists.model import EVERY_DIALECT, Features, Member, Role
from migrator.lists.spelling import MEMBER_COLUMNS, member_cells, member_of, wrong_cells
from migrator.lists.usual import usual_with


class Options(Service):
    """A folder of CSV files on a disk of this machine."""

    path: Path = Field(
        description="The folder; made when first written to, beside folders that are there",
        json_schema_extra={"path": True},
    )


FEATURES = Features(
    title="CSV files",
    dialect=EVERY_DIALECT,
    sends=False,
    at_once=5000,
    foresees_refusals=True,
    usual=usual_with({}),
)


@dataclass(frozen=True, slots=True)
class OurLayout:
    """Fulfils Layout."""

    features: Features = FEATURES
    columns: Sequence[str] = MEMBER_COLUMNS
    needed: str = "address"
    bare: bool = True
    has_settings: bool = True

    def header(self, cells: Sequence[str]) -> Sequence[str] | None:
        """The names in lower case; `e-mail` and `email` are the address too."""
        names = [cell.strip().lower() for cell in cells]
        names = ["address" if name in {"email", "e-mail"} and "address" not in names else name for name in names]
        return names if "address" in names else None

    def wrong(self, cells: Mapping[str, str]) -> Iterator[str]:
        """Each cell that says nothing we know."""
        return wrong_cells(cells)

    def members(self, cells: Mapping[str, str], role: Role) -> Iterator[Member]:
        """The row's one."""
        member = member_of(cells)
        if member.role is role:
            yield member

    def rows(self, cells: Mapping[str, str], member: Member, address: str) -> Cells | None:
        """The member's cells over those that are there; the address stays as it was typed."""
        del address
        return {**cells, **member_cells(member), **({"address": cells["address"]} if cells.get("address") else {})}

    def without(self, cells: Mapping[str, str], role: Role) -> Cells | None:
        """The row goes if it is of that role."""
        return None if member_of(cells).role is role else dict(cells)

    def key(self, cells: Mapping[str, str]) -> str:
        """Each role has rows of its own."""
        role = cells.get("role", "").strip().lower() or Role.MEMBER.value
        return f"{role} {same_form(cells.get('address', '').strip()).lower()}"

    def key_of(self, member: Member) -> str:
        """The same of a member."""
        return f"{member.role.value} {same_form(member.key)}"


def _read(options: Options, login: Login) -> ListReader:
    del login
    return FolderReader(OurLayout(), options.path)


def _fill(options: Options, login: Login) -> ListWriter:
    del login
    return FolderWriter(OurLayout(), options.path)


def _contents(options: Options) -> Contents:
    return FolderReader(OurLayout(), options.path).contents()


ADAPTER: Adapter[ListReader, ListWriter] = Adapter(
    word="csv",
    title="CSV files",
    options=Options,
    reader=_read,
    writer=_fill,
    connections=lambda _: (8, 8),
    contents=_contents,
)
