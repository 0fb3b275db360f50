"""vCard files on a disk of this machine: one for each book in a folder for each account, or one single file.

    <path>/ann@example.com/Friends.vcf      the book Friends of this account; made here, 0600
    <path>/ann@example.com/Friends/*.vcf    the same with a file for each card, as vdir keeps it; read only
    <path>/ann@example.com.vcf              the only book of an account, where somebody put it there
    <path>/friends.vcf                      as the path itself: one book

Formats: RFC 6350 (4.0), RFC 2426 (3.0), 2.1, in any mixture and charset when read. Written are 3.0, 4.0, or what Apple's Contacts reads best.

A file is read card by card and never as a whole. Cards are appended, and what a death leaves half-way is taken back at the next opening for
writing; a change writes the file anew beside the old one. Groups are cards of their own. Nothing is lost but photos above `largest_photo`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, Literal

from pydantic import Field, field_validator

from migrator.contacts import apple, charsets, lines, vcard
from migrator.contacts.contract import BookReader, BookWriter
from migrator.contacts.model import Card, Features
from migrator.contacts.shelf import Place, ShelfReader, ShelfWriter, contents_of, tag_of, visit_of
from migrator.engine.contract import Adapter, Login, Service
from migrator.frozen import dataclass


class Options(Service):
    """vCard files on a disk of this machine."""

    path: Path = Field(
        description="the folder that holds one folder of .vcf files for each account, named by its address; or one .vcf file",
        json_schema_extra={"path": True, "one_file": [".vcf"]},
    )
    version: Literal["3.0", "4.0", "apple"] = Field(
        default="3.0",
        description="how cards are written: 3.0 is read by nearly everything, 4.0 says more, apple is 3.0 with the labels and groups of "
        "Apple's Contacts",
        json_schema_extra={"type": ["string", "number"], "enum": ["3.0", "4.0", "apple", 3.0, 4.0]},
    )
    charset: str | None = Field(
        default=None,
        description="what letters of cards are in that are no UTF-8 and do not say (cp1251, iso-8859-7); guessed card by card if not given",
    )
    largest_photo: int | None = Field(
        default=None,
        gt=0,
        description="photos with more bytes than this are left out when cards are written; none are if not given",
    )

    @field_validator("version", mode="before")
    @classmethod
    def _without_quotes(cls, value: object) -> object:
        """YAML reads 4.0 as a number."""
        return f"{value:.1f}" if isinstance(value, float) else value

    @field_validator("charset")
    @classmethod
    def _known_charset(cls, value: str | None) -> str | None:
        return None if value is None else charsets.must_be_known(value)


FEATURES = Features(title="vCard files", versions=("4.0", "3.0"), needs_name=False, rewrites=False)
SUFFIX = ".vcf"
_UID = re.compile(rb"^UID:([!-\[\]-~]+)\r?\n(?![ \t])", re.MULTILINE)
_MAYBE_UID = re.compile(rb"U\s*I\s*D\s*[:;]", re.IGNORECASE)
_NOT_PLAIN = re.compile(rb"AGENT|QUOTED-PRINTABLE|\0|BEGIN[\s\S]*BEGIN", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class VcardFile:
    """Fulfils Opened."""

    file: BinaryIO
    charset: str | None

    def places(self, start: int = 0) -> Iterator[Place]:
        """Every card; what lies between cards belongs to none."""
        self.file.seek(start)
        for cut in lines.cut(self.file):
            uid = self._uid(cut.raw) if cut.raw else ""
            yield Place(start + cut.offset, len(cut.raw), uid, tag_of(cut.raw), cut.outside)

    def card(self, raw: bytes) -> tuple[Card, tuple[str, ...]]:
        """The card, and what could not be read of it."""
        read = vcard.parse(raw, self.charset)
        return read.card, read.dropped

    def refusal(self, card: Card) -> str:
        """Nothing: any card can be written."""
        del card
        return ""

    def groups(self) -> Iterator[Card]:
        """None: they are cards in the file."""
        return iter(())

    def _uid(self, raw: bytes) -> str:
        """The card's UID; a card that says it plainly is not read whole for it."""
        found = _UID.findall(raw)
        if len(found) == 1 and len(_MAYBE_UID.findall(raw)) == 1 and not _NOT_PLAIN.search(raw):
            return str(found[0].decode("ascii")).strip().removeprefix("urn:uuid:")
        return vcard.parse(raw, self.charset).card.uid


@dataclass(frozen=True, slots=True)
class VcardLayout:
    """Fulfils Layout."""

    options: Options
    suffix: str = SUFFIX
    joins: bool = True

    @property
    def features(self) -> Features:
        """What a file keeps, with the plan's limit for photos."""
        versions = ("4.0", "3.0") if self.options.version == "4.0" else ("3.0", "4.0")
        return replace(FEATURES, versions=versions, largest_photo=self.options.largest_photo)

    def opened(self, file: BinaryIO, name: str) -> VcardFile:
        """A file; any is one of vCards, if of none."""
        del name
        return VcardFile(file, self.options.charset)

    def beginning(self) -> bytes:
        """Nothing."""
        return b""

    def prepared(self, path: Path, cards: Sequence[Card]) -> Sequence[bytes]:
        """Each card as text. Where the file does not end with a line, the first one begins with a new one."""
        del path
        return [self._written(card) for card in cards]

    def _written(self, card: Card) -> bytes:
        limit = self.options.largest_photo
        if limit is not None:
            kept = (one for one in card.properties if one.name != "PHOTO" or len(one.data or b"") <= limit)
            card = replace(card, properties=tuple(kept))
        if self.options.version == "apple":
            return vcard.write(apple.as_apple(card), "3.0").encode()
        return vcard.write(card, self.options.version).encode()


def _read(options: Options, login: Login) -> BookReader:
    return ShelfReader(VcardLayout(options), options.path, login)


def _fill(options: Options, login: Login) -> BookWriter:
    return ShelfWriter(VcardLayout(options), options.path, login)


ADAPTER: Adapter[BookReader, BookWriter] = Adapter(
    word="vcards",
    title="vCard files",
    options=Options,
    reader=_read,
    writer=_fill,
    connections=lambda _: (8, 4),
    contents=contents_of(VcardLayout),
    visit=visit_of(VcardLayout),
)
