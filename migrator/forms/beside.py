"""What a forms step does beside moving tables, where the plan asks for it: sheets for people, contacts, and a look at the site's own mail.

Each is an action of its own that may be applied any number of times with the same end. What the plan leaves out of tables (rows by where
and time, values by redact) is left out here too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Final

from migrator.contacts.contract import CONTACTS
from migrator.contacts.model import Card
from migrator.engine.contract import Action, Finding, Lane, Reading, Side, Verb, Weight, Work
from migrator.errors import NotFound, NotMadeYet
from migrator.forms import people, senders, sheet
from migrator.forms.contract import FORMS, THE_DATABASE, TableReader
from migrator.forms.flat import Entry, Flat, site_of, zones_of
from migrator.forms.model import Checksum, Extract, Features, Key, KeyRange, Row, Server, Stored, Table
from migrator.forms.options import FormsOptions, HandOverOptions, SenderOptions
from migrator.forms.plugins import detect
from migrator.forms.plugins.detect import chosen
from migrator.forms.plugins.known import KNOWN
from migrator.forms.senders import Setting
from migrator.forms.taking import takings
from migrator.frozen import dataclass
from migrator.wire import disk
from migrator.wire.table import Look

DOES: Final = "does"  # in an action's data: which of these it is
SHEETS, CONTACTS_OF, SENDERS = "sheets", "contacts", "senders"
SEEN: Final = "seen"  # a fact: what the sheets were made of
SOME: Final = 20  # names in a finding
_SOURCE, _TARGET = Lane(Side.SOURCE, THE_DATABASE), Lane(Side.TARGET, THE_DATABASE)

Rows = Sequence[Row]


@dataclass(frozen=True, slots=True)
class Beside:
    """The actions that a plan's options ask for. `redact` gives what becomes of the rows of a source's table."""

    options: FormsOptions
    redact: Callable[[TableReader, Table], Callable[[Rows], Rows]]

    def plan(self, source: TableReader, target: TableReader, read: Reading) -> Iterator[Action]:
        """Every action beside the tables'."""
        if self.options.sheets is not None:
            for stored in self._stored(source):
                yield self._sheets(stored, self.options.sheets, source, read)
        if self.options.contacts is not None:
            yield self._hand_over(self.options.contacts, source, read)
        if self.options.senders is not None:
            yield from self._senders(self.options.senders, source, target)

    def apply(self, action: Action, work: Work) -> None:
        """Do what such an action says."""
        if action.data[DOES] == SHEETS and self.options.sheets is not None:
            self._write_sheets(action, self.options.sheets, work)
        elif action.data[DOES] == CONTACTS_OF and self.options.contacts is not None:
            self._add_contacts(action, self.options.contacts, work)
        elif self.options.senders is not None:
            self._change_sender(action, self.options.senders, work)

    def verify(self, action: Action, read: Reading) -> Iterator[Finding]:
        """What is not as the action was to make it."""
        wanted = self.options.senders
        if action.data[DOES] != SENDERS or wanted is None:
            return
        at_target = action.data["side"] == "target"
        with (read.target if at_target else read.source)(FORMS, THE_DATABASE) as reader:
            still = [one for one in self._settings(reader, wanted) if _key_of(one) == action.key]
        for one, finding in zip(still, senders.findings(still, wanted.target, asked=wanted.change), strict=True):
            failed = at_target and wanted.change and one.known is not None
            yield replace(finding, weight=Weight.DIFFERENCE) if failed else finding

    # -- entries -----------------------------------------------------------------------------------------------------------

    def _stored(self, source: TableReader) -> list[Stored]:
        """What plugins keep, and each table that the plan names and no plugin has."""
        found = [one for one in chosen(source, self.options) if not one.silent]
        theirs = {part.table for one in found for part in one.tables}
        named = [one.table for one in takings(source.tables(), [], self.options) if one.table.name not in theirs]
        return [*found, *map(detect.stored_table, named)]

    def _extracts(self, source: TableReader, stored: Stored) -> list[Extract]:
        """What the plan takes of a plugin's tables."""
        alone = self.options.model_copy(update={"tables": ()})
        zones = zones_of(source, [stored]) if alone.is_timed else {}
        return [one.extract for one in takings(source.tables(), [stored], alone, zones)]

    def _flat(self, source: TableReader, stored: Stored) -> tuple[Flat, Iterator[Entry]]:
        """A plugin's entries, those that the plan takes, as the plan lets them be seen."""
        seen = _Seen(source, self.redact)
        own = [detect.plugin_of(one) for one in source.tables() if one.name == stored.plugin]
        flat = Flat(
            seen,
            stored,
            site_of(source, stored),
            repair="lengths" in self.options.mend,
            unmix="charsets" in self.options.mend,
            known=[*KNOWN, *own],
        )
        (extract,) = self._extracts(source, replace(stored, tables=(flat.table,)))
        return flat, flat.entries(extract)

    # -- sheets ------------------------------------------------------------------------------------------------------------

    def _sheets(self, stored: Stored, folder: Path, source: TableReader, read: Reading) -> Action:
        key = f"{THE_DATABASE}#{SHEETS}/{stored.prefix}{stored.plugin}"
        label = f"sheets of {stored.title} ({stored.prefix}*)"
        data = {DOES: SHEETS, "plugin": stored.plugin, "prefix": stored.prefix}
        there = _folder(folder, stored)
        if read.remembered(key).get(SEEN) == self._seen(source, stored) and there.is_dir():
            return Action(key, Verb.KEEP, label, f"as they are in {_shown(there)}", data=data)
        return Action(key, Verb.CREATE, label, f"for people, in {_shown(there)}", lanes=(_SOURCE,), data=data)

    def _write_sheets(self, action: Action, folder: Path, work: Work) -> None:
        with work.source(FORMS, THE_DATABASE) as source:
            stored = self._of(source, action)
            seen = self._seen(source, stored)
            flat, entries = self._flat(source, stored)
            drawn, formats = _until_stopped(entries, work), self.options.sheet_formats
            there = _folder(folder, stored)
            look = Look(separator=sheet.SEPARATORS[self.options.sheet_delimiter])
            titles = sheet.TITLES[self.options.sheet_language]
            made = list(
                sheet.write(drawn, there, flat.fields, formats=formats, header=flat.header, titles=titles, look=look)
            )
        for finding in _told(action.label, made, flat):
            work.note(finding)
        work.remember({SEEN: seen})

    def _seen(self, source: TableReader, stored: Stored) -> str:
        """Stands for all that a plugin's sheets are made of."""
        sums = [f"{one.table.name} {source.checksum(one, KeyRange())}" for one in self._extracts(source, stored)]
        rules = self.options.model_dump_json(
            include={
                "where",
                "since",
                "older_than",
                "redact",
                "mend",
                "sheet_formats",
                "sheet_delimiter",
                "sheet_language",
            }
        )
        return hashlib.sha256("\n".join([*sums, rules]).encode()).hexdigest()[:32]

    def _of(self, source: TableReader, action: Action) -> Stored:
        for one in self._stored(source):
            if (one.plugin, one.prefix) == (action.data["plugin"], action.data["prefix"]):
                return one
        raise NotFound(f"{action.label}: the tables are not at the source any more.", remedy="Run again.")

    # -- contacts ----------------------------------------------------------------------------------------------------------

    def _hand_over(self, wanted: HandOverOptions, source: TableReader, read: Reading) -> Action:
        found = self._cards(source)
        try:
            with read.target(CONTACTS, wanted.account) as books:
                found = people.missing(wanted.book, books, found)
        except NotMadeYet:
            pass  # then all of them are missing
        return Action(
            f"{THE_DATABASE}#{CONTACTS_OF}/{wanted.account}/{wanted.book}",
            Verb.CREATE if found else Verb.KEEP,
            f"contacts for {wanted.account}",
            _people(len(found), wanted.book),
            lanes=(_SOURCE, Lane(Side.TARGET, wanted.account)),
            data={DOES: CONTACTS_OF},
        )

    def _add_contacts(self, action: Action, wanted: HandOverOptions, work: Work) -> None:
        refused: list[str] = []
        with work.source(FORMS, THE_DATABASE) as source:
            found = self._cards(source)
        with work.target_for_writing(CONTACTS, wanted.account) as books:
            put = people.add(wanted.book, books, found, lambda _, words: refused.append(words))
        text = (
            f"{action.label}: 1 card was put into {wanted.book}"
            if put == 1
            else f"{action.label}: {put:,} cards were put into {wanted.book}"
        )
        work.note(Finding("contacts-added", Weight.NOTE, action.label, text))
        if refused:
            text = (
                f"{action.label}: 1 card was refused ({refused[0]})"
                if len(refused) == 1
                else f"{action.label}: {len(refused):,} cards were refused ({refused[0]})"
            )
            work.note(Finding("contacts-refused", Weight.WARNING, action.label, text, "Add these people by hand."))

    def _cards(self, source: TableReader) -> list[Card]:
        return list(people.cards(entry for stored in self._stored(source) for entry in self._flat(source, stored)[1]))

    # -- the site's own mail -------------------------------------------------------------------------------------------------

    def _settings(self, reader: TableReader, wanted: SenderOptions) -> Iterator[Setting]:
        return senders.settings(reader, wanted.source)

    def _senders(self, wanted: SenderOptions, source: TableReader, target: TableReader) -> Iterator[Action]:
        """An action for each option that names an old host. What only the source has, or what nobody knows how to change, is told."""
        told: dict[str, Action] = {}
        for side, reader in (("target", target), ("source", source)):
            found = list(self._settings(reader, wanted))
            for setting, finding in zip(
                found, senders.findings(found, wanted.target, asked=wanted.change), strict=True
            ):
                key = _key_of(setting)
                theirs = side == "target" and setting.known is not None
                verb = (Verb.CHANGE if wanted.change else Verb.BY_HAND) if theirs else Verb.KEEP
                why = (
                    f"{finding.text}; {wanted.target} from now on"
                    if verb is Verb.CHANGE
                    else f"{finding.text}. {finding.remedy}"
                )
                lanes = (_TARGET if side == "target" else _SOURCE,)
                data = {DOES: SENDERS, "side": side}
                label = f"{setting.option} in {setting.table}" + (" at the source" if side == "source" else "")
                told.setdefault(key, Action(key, verb, label, why, lanes=lanes, data=data, proven=True))
        yield from told.values()

    def _change_sender(self, action: Action, wanted: SenderOptions, work: Work) -> None:
        with work.target_for_writing(FORMS, THE_DATABASE) as target:
            found = [one for one in self._settings(target, wanted) if _key_of(one) == action.key and one.known]
            for one in found:
                senders.change(target, one, wanted.source, wanted.target, wanted.port)
        for finding in senders.findings(found, wanted.target):
            remedy = "Change the constants in wp-config.php too, if there are any; then send a mail from the site."
            text = f"{finding.text}; it is {wanted.target} now"
            work.note(Finding("sender-changed", Weight.NOTE, action.label, text, remedy))


# -- pure ------------------------------------------------------------------------------------------------------------------


def _key_of(setting: Setting) -> str:
    return f"{THE_DATABASE}#{SENDERS}/{setting.table}/{setting.option}"


def _folder(folder: Path, stored: Stored) -> Path:
    return folder / disk.account_folder(
        f"{stored.prefix}{stored.plugin}"
    )  # a prefix may be anything, a way out of here too


def _shown(folder: Path) -> str:
    """A folder of sheets as a customer may read it: where the rest lies on this machine is nobody else's."""
    return "/".join(folder.parts[-2:])


def _told(label: str, made: Sequence[sheet.Sheet], flat: Flat) -> Iterator[Finding]:
    """What came of sheets, in words without a value."""
    count, files = sum(one.entries for one in made), sum(one.files for one in made)
    text = f"{label}: {count:,} {'entry' if count == 1 else 'entries'} on {len(made):,} {'sheet' if len(made) == 1 else 'sheets'}"
    joined = sorted({heading for one in made for heading in one.joined})
    if joined:
        text += f"; several choices are joined by {sheet.JOINT.strip()} in {', '.join(joined[:SOME])}"
    yield Finding("sheets", Weight.NOTE, label, text)
    if files:
        text = f"{label}: entries name {files:,} uploaded {'file' if files == 1 else 'files'}, which no database holds"
        remedy = f"Copy them from the old site; they are listed in {sheet.FILES}."
        yield Finding("files-elsewhere", Weight.WARNING, label, text, remedy)
    for path in (one.path.with_name(name) for one in made for name in one.earlier):
        text = f"{label}: {path.name} lies beside the sheets and is of a form that has another name now; it is not written any more"
        yield Finding("earlier-sheet", Weight.WARNING, label, text, "Delete it if nobody needs it.")
    for words, often in flat.notes.items():
        yield Finding("values", Weight.NOTE, label, f"{label}: {often:,} times {words}")


def _until_stopped(entries: Iterable[Entry], work: Work) -> Iterator[Entry]:
    for number, one in enumerate(entries):
        if number % people.AT_ONCE == 0:
            work.edge()
        yield one


class _Seen:
    """Fulfils TableReader: a session whose rows are seen as the plan lets them go out."""

    def __init__(self, reader: TableReader, redact: Callable[[TableReader, Table], Callable[[Rows], Rows]]) -> None:
        self._reader = reader
        self._redact = cache(lambda table: redact(reader, table))

    @property
    def features(self) -> Features:
        return self._reader.features

    def server(self) -> Server:
        return self._reader.server()

    def tables(self) -> Sequence[Table]:
        return self._reader.tables()

    def count(self, extract: Extract) -> int:
        return self._reader.count(extract)

    def ranges(self, extract: Extract, after: Key | None, rows: int) -> Iterator[KeyRange]:
        return self._reader.ranges(extract, after, rows)

    def rows(self, extract: Extract, among: KeyRange) -> Iterator[Rows]:
        redact = self._redact(extract.table)
        for page in self._reader.rows(extract, among):
            yield redact(page)

    def checksum(self, extract: Extract, among: KeyRange) -> Checksum:
        return self._reader.checksum(extract, among)

    def close(self) -> None:
        self._reader.close()


def _people(number: int, book: str) -> str:
    """How many will be put into a book."""
    if number == 1:
        return f"1 person who wrote through forms, into {book}"
    return f"{number:,} people who wrote through forms, into {book}" if number else "nobody new"
