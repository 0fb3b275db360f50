"""The CSV and the LDIF that Thunderbird exports and imports: one file for each book in a folder for each account, or one single file.

    <path>/ann@example.com/Personal Address Book.csv      a book of this account, with `format: csv`
    <path>/ann@example.com/Personal Address Book.ldif     the same, with `format: ldif`

Read are CSV files whose first row is in English, German, Spanish, French, Italian or Portuguese, with commas, semicolons or tabs; and LDIF of
Thunderbird, Horde and LDAP servers. Written are Thunderbird's 37 columns in English, or its attributes (RFC 2849). Both come into
Thunderbird by Tools, Import.

What has no column or attribute stands below the note, a line each, and comes back from there; the UID stands in Custom 4. Cannot do: embedded
photos that are no JPEG (in CSV any), and in CSV groups; LDIF has lists.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

from pydantic import Field

from migrator.contacts import columns
from migrator.contacts.contract import BookReader, BookWriter
from migrator.contacts.model import Features
from migrator.contacts.sheet import SheetLayout
from migrator.contacts.shelf import Layout, ShelfWriter, TriedReader, contents_of, visit_of
from migrator.contacts.thunderbird import ThunderbirdColumns
from migrator.contacts.thunderbird_ldif import LdifLayout
from migrator.engine.contract import Adapter, Login, Service


class Options(Service):
    """Thunderbird's CSV or LDIF files on a disk of this machine."""

    path: Path = Field(
        description="the folder that holds one folder of files for each account, named by its address; or one .csv or .ldif file",
        json_schema_extra={"path": True, "one_file": [".csv", ".ldif"]},
    )
    format: Literal["csv", "ldif"] = Field(
        default="ldif", description="which of Thunderbird's two formats the files are in; LDIF has lists, CSV has none"
    )
    guard: bool = Field(
        default=True,
        description="in CSV, put an apostrophe before cells that a spreadsheet would take for a formula; turn it off for a file that "
        "nobody opens in one before Thunderbird imports it",
    )


FEATURES = Features(title="Thunderbird LDIF", needs_name=False, rewrites=True, lost=columns.LOST - {"PHOTO"})
NO_GROUPS = "Thunderbird's CSV has no place for a list; its LDIF (format: ldif) has"


def _layout(options: Options) -> Layout:
    if options.format == "ldif":
        return LdifLayout(FEATURES)
    return SheetLayout(
        replace(FEATURES, title="Thunderbird CSV", keeps_groups=False, lost=columns.LOST),
        ThunderbirdColumns(),
        "Thunderbird",
        guard=options.guard,
        no_groups=NO_GROUPS,
    )


def _read(options: Options, login: Login) -> BookReader:
    return TriedReader(_layout(options), options.path, login)


def _fill(options: Options, login: Login) -> BookWriter:
    return ShelfWriter(_layout(options), options.path, login)


ADAPTER: Adapter[BookReader, BookWriter] = Adapter(
    word="thunderbird",
    title="Thunderbird CSV and LDIF",
    options=Options,
    reader=_read,
    writer=_fill,
    connections=lambda _: (8, 4),
    contents=contents_of(_layout),
    visit=visit_of(_layout),
)
