"""The CSV with which Google Workspace takes members of groups in bulk, and the one its groups give out.

    <path>/announce@example.com.csv     Group Email [Required], Member Email, Member Type, Member Role

Written as the first, to be uploaded group by group (Admin console, Directory, Groups, "Bulk upload members"). Read as either: also the
export of a group's own page, with `Email address, Nickname, Group status, Email preference` below a line of title. A single .csv file of
the first layout, with as many groups as it names, can be read too. https://support.google.com/a/answer/9400087

What surprises: an owner and a manager of a Google group are members of it as well. Cannot do: settings of the group, names (but for reading
the second layout), options of members. Members that are no people (other groups, whole domains) are told as they stand there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import Field

from migrator.addresses import same_form, split
from migrator.engine.contract import Adapter, Contents, Login, Service
from migrator.errors import Misbehaved, PlanError
from migrator.frozen import dataclass
from migrator.lists.contract import ListReader, ListWriter
from migrator.lists.folder import Cells, FolderReader, FolderWriter, mistakes_of_members
from migrator.lists.model import (
    MEMBER_OPTIONS,
    Delivery,
    Features,
    MailingList,
    Member,
    Role,
    Stopped,
    without_settings,
)
from migrator.lists.spelling import is_address
from migrator.meant import perhaps
from migrator.panel.model import lost

GROUP, ADDRESS, KIND, ROLE = "group email [required]", "member email", "member type", "member role"
COLUMNS = ("Group Email [Required]", "Member Email", "Member Type", "Member Role")
_EXPORTED = {"email address": ADDRESS, "nickname": "nickname", "group status": ROLE, "email preference": "preference"}
_ROLES = {"OWNER": Role.OWNER, "MANAGER": Role.MODERATOR, "MEMBER": Role.MEMBER, "": Role.MEMBER}
_WORDS = {Role.OWNER: "OWNER", Role.MODERATOR: "MANAGER", Role.MEMBER: "MEMBER"}
_RANK = ("OWNER", "MANAGER", "MEMBER")
_NO_ROLE = f"the role is none of {', '.join(_RANK)}"
_NOBODY = "the member's address is empty"
_PREFERENCES = {
    "digest": (Delivery.MIME_DIGEST, None),
    "abridged": (Delivery.SUMMARY_DIGEST, None),
    "no email": (Delivery.REGULAR, Stopped.BY_USER),
}


class Options(Service):
    """Google's CSV files of groups on a disk of this machine."""

    path: Path = Field(
        description="The folder with one .csv file for each group, named by its address; made when first written to. To read from, also "
        "one .csv file with the members of several groups",
        json_schema_extra={"path": True},
    )


FEATURES = Features(
    title="Google CSV",
    roles=frozenset({Role.MEMBER, Role.OWNER, Role.MODERATOR}),
    keeps={
        **without_settings("the file holds members alone"),
        **{f"member.{name}": lost("the file has no column for it") for name in MEMBER_OPTIONS},
    },
    sends=False,
    at_once=5000,
    foresees_refusals=True,
    staff_are_members=True,
)


@dataclass(frozen=True, slots=True)
class GoogleLayout:
    """Fulfils Layout."""

    features: Features = FEATURES
    columns: Sequence[str] = COLUMNS
    needed: str = ADDRESS
    bare: bool = False
    has_settings: bool = False

    def header(self, cells: Sequence[str]) -> Sequence[str] | None:
        """The names in lower case; those of the exported layout by the names of the other."""
        names = [_EXPORTED.get(cell.strip().lower(), cell.strip().lower()) for cell in cells]
        return names if ADDRESS in names else None

    def wrong(self, cells: Mapping[str, str]) -> Iterator[str]:
        """A role that Google does not have, nobody, and no address. What is no person need not be one (a whole domain, a group)."""
        word, address = cells.get(ROLE, "").strip().upper(), cells.get(ADDRESS, "").strip()
        if word not in _ROLES:
            yield f"{_NO_ROLE}{perhaps(word, _RANK)}"
        if not address:
            yield _NOBODY
        elif cells.get(KIND, "").strip().upper() in {"", "USER"} and not is_address(address):
            yield f"the member's address is {address!r}, which is none"

    def members(self, cells: Mapping[str, str], role: Role) -> Iterator[Member]:
        """The row's one: a member, and what he is beside that."""
        word = cells.get(ROLE, "").strip().upper()
        if word not in _ROLES:
            raise ValueError(_NO_ROLE)
        address = same_form(cells.get(ADDRESS, ""))
        if not address:
            raise ValueError(_NOBODY)
        if role is Role.MEMBER:
            delivery, stopped = _PREFERENCES.get(cells.get("preference", "").strip().lower(), (Delivery.REGULAR, None))
            yield Member(address, cells.get("nickname", ""), delivery=delivery, stopped=stopped)
        elif _ROLES[word] is role:
            yield Member(address, role=role)

    def rows(self, cells: Mapping[str, str], member: Member, address: str) -> Cells | None:
        """The row with the higher of the two roles."""
        word = min(_WORDS[member.role], cells.get(ROLE, "").strip().upper() or "MEMBER", key=_RANK.index)
        shown = cells.get(ADDRESS) or member.address
        return {**cells, GROUP: same_form(address), ADDRESS: shown, KIND: cells.get(KIND) or "USER", ROLE: word}

    def without(self, cells: Mapping[str, str], role: Role) -> Cells | None:
        """The row of a member goes; an owner or manager who is that no longer stays a member."""
        word = cells.get(ROLE, "").strip().upper() or "MEMBER"
        if role is Role.MEMBER:
            return None if word == "MEMBER" else dict(cells)
        return {**cells, ROLE: "MEMBER"} if word == _WORDS[role] else dict(cells)

    def key(self, cells: Mapping[str, str]) -> str:
        """One row for an address."""
        return same_form(cells.get(ADDRESS, "")).lower()

    def key_of(self, member: Member) -> str:
        """The same of a member."""
        return same_form(member.key)


@dataclass(frozen=True, slots=True)
class OfSeveral(GoogleLayout):
    """One file with the members of several groups: each row says which."""

    def wrong(self, cells: Mapping[str, str]) -> Iterator[str]:
        """Also a row that names no group."""
        if not all(split(cells.get(GROUP, ""))):
            yield "the group's address is missing"
        yield from GoogleLayout.wrong(self, cells)

    def key(self, cells: Mapping[str, str]) -> str:
        """An address has a row in each of its groups."""
        return f"{same_form(cells.get(GROUP, '')).lower()} {GoogleLayout.key(self, cells)}"


class OneFileReader(FolderReader):
    """One file with the members of several groups."""

    def __init__(self, layout: GoogleLayout, path: Path) -> None:
        super().__init__(layout, path.parent)
        self._one = path

    def contents(self) -> Contents:
        """The groups, and everything that is wrong with the file."""
        mistakes = mistakes_of_members(self._one, OfSeveral())
        try:
            names = tuple(one.address for one in self.lists())
        except Misbehaved:  # told line by line among the mistakes
            names = ()
        return Contents(names, tuple(mistakes))

    def lists(self) -> Sequence[MailingList]:
        """The groups in their order."""
        groups: dict[str, MailingList] = {}
        for _, cells in self._sheet(self._one).rows:
            group = MailingList(same_form(cells.get(GROUP, "")))
            groups.setdefault(group.key, group)
        return [group for key, group in groups.items() if key]

    def no_lists(self) -> Sequence[tuple[str, str]]:
        """Only this one file is looked at."""
        return ()

    def _file(self, address: str) -> Path:
        if address.lower() not in {one.key for one in self.lists()}:
            return super()._file(address)  # says that it is not there
        return self._one

    def roster(self, address: str, role: Role) -> Iterator[Sequence[Member]]:
        """The group's rows."""
        path, found = self._file(address), list[Member]()
        for line, cells in self._sheet(path).rows:
            if same_form(cells.get(GROUP, "")).lower() == address.lower():
                try:
                    found += GoogleLayout().members(cells, role)
                except ValueError as error:
                    raise Misbehaved(f"{path}, line {line}: {error}.", remedy="Correct the file.") from error
        return iter([found] if found else [])


def _read(options: Options, login: Login) -> ListReader:
    del login
    if options.path.is_file():
        return OneFileReader(GoogleLayout(), options.path)
    return FolderReader(GoogleLayout(), options.path)


def _fill(options: Options, login: Login) -> ListWriter:
    del login
    if options.path.suffix.lower() == ".csv":
        raise PlanError(f"{options.path}: to be written to, the path is a folder.", remedy="Name a folder in the plan.")
    return FolderWriter(GoogleLayout(), options.path)


def _contents(options: Options) -> Contents:
    one_file = options.path.is_file()
    if not one_file and options.path.suffix.lower() == ".csv":
        what = f"{options.path}: there is no such file."
        raise PlanError(what, remedy="Correct the path; to be written to, it is a folder.")
    reader = OneFileReader(GoogleLayout(), options.path) if one_file else FolderReader(GoogleLayout(), options.path)
    return reader.contents()


ADAPTER: Adapter[ListReader, ListWriter] = Adapter(
    word="google_csv",
    title="Google CSV",
    options=Options,
    reader=_read,
    writer=_fill,
    connections=lambda _: (8, 8),
    contents=_contents,
)
