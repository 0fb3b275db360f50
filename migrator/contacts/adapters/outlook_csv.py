"""The CSV that Outlook exports and imports: one file for each book in a folder for each account, or one single file.

    <path>/ann@example.com/Contacts.csv     a book of this account
    <path>/contacts.csv                     as the path itself: one book

Read are files whose first row is in English, German, Spanish, French, Italian or Portuguese, with commas, semicolons or tabs, in UTF-8, UTF-16
or the Windows code page. Written are Outlook's 92 columns in the language of the plan, which Outlook's assistant for importing understands
where Outlook speaks it (File, Open and Export, Import/Export).

What has no column stands below the note, a line each, and comes back from there; the UID stands in User 4. Cannot do: embedded photos, and
groups, which Outlook leaves out of its own files too; with `charset: cp1252` also cards with letters that it does not have.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from migrator.contacts import columns, outlook
from migrator.contacts.contract import BookReader, BookWriter
from migrator.contacts.model import Features
from migrator.contacts.sheet import SheetLayout
from migrator.contacts.shelf import ShelfWriter, TriedReader, contents_of, visit_of
from migrator.engine.contract import Adapter, Login, Service
from migrator.wire.table import BOM, Look


class Options(Service):
    """Outlook's CSV files on a disk of this machine."""

    path: Path = Field(
        description="the folder that holds one folder of .csv files for each account, named by its address; or one .csv file",
        json_schema_extra={"path": True, "one_file": [".csv"]},
    )
    language: Literal["en", "de", "es", "fr", "it", "pt"] = Field(
        default="en",
        description="the language of the first row of files that are made: that of the Outlook which will import them. Other languages than "
        "English get semicolons between cells",
    )
    charset: Literal["utf-8", "cp1252"] = Field(
        default="utf-8",
        description="the charset of files that are made; cp1252 for an Outlook before 2019, which shows UTF-8 as nonsense",
    )
    guard: bool = Field(
        default=True,
        description="put an apostrophe before cells that a spreadsheet would take for a formula; turn it off for a file that nobody "
        "opens in one before Outlook imports it",
    )


FEATURES = Features(title="Outlook CSV", needs_name=False, rewrites=True, keeps_groups=False, lost=columns.LOST)
NO_GROUPS = "Outlook's CSV has no place for a group"


def _layout(options: Options) -> SheetLayout:
    return SheetLayout(
        FEATURES,
        outlook.OutlookColumns(options.language),
        "Outlook",
        look=Look(options.charset, "," if options.language == outlook.ENGLISH else ";"),
        mark=BOM if options.charset == "utf-8" else b"",
        guard=options.guard,
        no_groups=NO_GROUPS,
    )


def _read(options: Options, login: Login) -> BookReader:
    return TriedReader(_layout(options), options.path, login)


def _fill(options: Options, login: Login) -> BookWriter:
    return ShelfWriter(_layout(options), options.path, login)


ADAPTER: Adapter[BookReader, BookWriter] = Adapter(
    word="outlook_csv",
    title="Outlook CSV",
    options=Options,
    reader=_read,
    writer=_fill,
    connections=lambda _: (8, 4),
    contents=contents_of(_layout),
    visit=visit_of(_layout),
)
