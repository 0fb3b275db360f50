"""The CSV that Google Contacts exports and imports: one file for each book in a folder for each account, or one single file.

    <path>/ann@example.com/Contacts.csv     a book of this account
    <path>/contacts.csv                     as the path itself: one book

Both layouts are read, that with `E-mail 1 - Type` and the newer one with `E-mail 1 - Label`; the newer is written (UTF-8, commas).
Google's page for importing: https://contacts.google.com, Import.

Labels are groups: each comes as a group, and a group is written as a label of its members. What Google has no column for stands in custom
fields, the UID too, so that a file read back gives the same cards. Cannot do: embedded photos, groups without a member that is in the file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import Field

from migrator.contacts import columns, google
from migrator.contacts.contract import BookReader, BookWriter
from migrator.contacts.model import Card, Features, text_property
from migrator.contacts.sheet import SheetLayout
from migrator.contacts.shelf import ShelfWriter, TriedReader, contents_of, visit_of
from migrator.contacts.vcard import with_uid
from migrator.engine.contract import Adapter, Login, Service
from migrator.frozen import dataclass


class Options(Service):
    """Google's CSV files on a disk of this machine."""

    path: Path = Field(
        description="the folder that holds one folder of .csv files for each account, named by its address; or one .csv file",
        json_schema_extra={"path": True, "one_file": [".csv"]},
    )
    guard: bool = Field(
        default=True,
        description="put an apostrophe before cells that a spreadsheet would take for a formula; turn it off for a file that nobody "
        "opens in one before it is imported at Google",
    )


FEATURES = Features(title="Google CSV", needs_name=False, rewrites=True, lost=columns.LOST)


@dataclass(frozen=True, slots=True)
class Labels:
    """Fulfils Groups."""

    columns: frozenset[str] = frozenset({google.LABELS, google.OLD_LABELS})

    def of(self, cells: Mapping[str, str]) -> Sequence[str]:
        """The labels of a row that are groups."""
        return google.labels_of(cells)

    def with_group(self, cells: Mapping[str, str], name: str, *, on: bool) -> Mapping[str, str]:
        """The row with the label or without."""
        return google.labelled(cells, name, on=on)

    def refusal(self, name: str) -> str:
        """Why Google has no such label."""
        return "" if google.can_be_label(name) else f"Google has no label of the name {name}"

    def card(self, name: str, members: Sequence[str]) -> Card:
        """The group under a UID made of its name: Google's files have none for labels."""
        named = Card((text_property("KIND", "group"), text_property("FN", name)))
        return with_uid(named).with_property(*(text_property("MEMBER", f"urn:uuid:{uid}") for uid in members))


def _layout(options: Options) -> SheetLayout:
    return SheetLayout(FEATURES, google.GoogleColumns(), "Google Contacts", Labels(), guard=options.guard)


def _read(options: Options, login: Login) -> BookReader:
    return TriedReader(_layout(options), options.path, login)


def _fill(options: Options, login: Login) -> BookWriter:
    return ShelfWriter(_layout(options), options.path, login)


ADAPTER: Adapter[BookReader, BookWriter] = Adapter(
    word="google_csv",
    title="Google CSV",
    options=Options,
    reader=_read,
    writer=_fill,
    connections=lambda _: (8, 4),
    contents=contents_of(_layout),
    visit=visit_of(_layout),
)
