"""Reading a mailbox over an IMAP connection that is logged in: its folders, its index, its messages.

Nothing here knows how the connection came to be. A window of headers is held at once, never a folder's; what is asked depends
on the capability list alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from migrator.errors import MigratorError, Misbehaved, NoSpace, NotFound, Refused
from migrator.mail.dates import parse_internaldate
from migrator.mail.headers import message_id
from migrator.mail.imap.shapes import (
    flags_of,
    list_entry,
    name_argument,
    namespaces,
    number_after,
    quota_left,
    shown,
    status_entry,
    told_at_opening,
)
from migrator.mail.model import Content, Features, Folder, Header, Message, Namespace, Opened
from migrator.wire.imap import Connection, Fetched, Spoken, Untagged, uid_sets
from migrator.wire.imap_login import asks_for_patience, unavailable

LARGEST_UID = 2**32 - 1
ROWS = 10_000  # headers held at once while a folder is listed
UIDS_A_FETCH = 500
FETCHES_AT_ONCE = 2
COMMANDS_AT_ONCE = 200  # short ones, each about one folder

ROW_OF_SIZES = b"(UID RFC822.SIZE)"
ROW = b"(UID FLAGS INTERNALDATE RFC822.SIZE)"
ROW_WITH_MODSEQ = b"(UID FLAGS INTERNALDATE RFC822.SIZE MODSEQ)"
WHOLE = b"(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])"
WHOLE_IN_COURIER = b"(UID FLAGS INTERNALDATE RFC822.SIZE RFC822)"


class ImapReader:
    """A mailbox on an IMAP server, held read-only: folders are only EXAMINEd, and the connection refuses other commands."""

    _enters = b"EXAMINE"

    def __init__(self, wire: Connection, server: str, namespace: Namespace | None = None) -> None:
        """`wire` is logged in; `server` is its kind ("dovecot", "" if unknown); `namespace` overrides what it says of its own."""
        self._wire = wire
        self._open: tuple[str, bytes] | None = None  # the folder and the command it was entered with
        self._opened = Opened(0, 0, 0)
        self._numbering: dict[str, int] = {}  # UIDVALIDITY of each folder as last told to the caller
        self._flag_sets: dict[bytes, frozenset[str]] = {}
        self._foreign: tuple[str, ...] = ()  # prefixes of other users' and shared folders
        self.namespace, quota_left = self._arrive(namespace)
        has = wire.capabilities
        self.features = Features(
            largest=number_after(has, b"APPENDLIMIT="),
            tells_sizes=b"STATUS=SIZE" in has,
            tells_changes=b"CONDSTORE" in has or b"QRESYNC" in has,
            server=server,
            quota_left=quota_left,
            notes=tuple(wire.alerts),
        )

    def folders(self) -> Sequence[Folder]:
        """See MailReader. One round trip where LIST-STATUS is offered, else two or more."""
        if {b"LIST-EXTENDED", b"LIST-STATUS"} <= self._wire.capabilities:
            special = b" SPECIAL-USE" if b"SPECIAL-USE" in self._wire.capabilities else b""
            answer = self._wire.run(
                b"LIST", b'"" "*" RETURN (SUBSCRIBED CHILDREN%s STATUS (%s))' % (special, self._countable())
            )
            if answer.end.ok:
                return self._counted(self._listed(answer.untagged), answer.untagged)
        return self._folders_step_by_step()

    def _folders_step_by_step(self) -> Sequence[Folder]:
        listed, subscribed = self._wire.run_all(
            [self._wire.begin(b"LIST", b'"" "*"'), self._wire.begin(b"LSUB", b'"" "*"')]
        )
        if not listed.end.ok:
            raise Misbehaved(f"{self._wire.peer}: the server does not list its folders: {listed.end.words}")
        followed = {name for _, _, name in map(list_entry, subscribed.of(b"LSUB")) if name is not None}
        found = {
            name: replace(folder, subscribed=folder.subscribed or name in followed)
            for name, folder in self._listed(listed.untagged).items()
        }
        countable = [name for name, folder in found.items() if folder.selectable]
        counts: list[Untagged] = []
        for start in range(0, len(countable), COMMANDS_AT_ONCE):
            part = countable[start : start + COMMANDS_AT_ONCE]
            # a STATUS may fail (no right to look); the folder then goes without counts
            answers = self._wire.run_all(
                [self._wire.begin(b"STATUS", name_argument(name), b"(%s)" % self._countable()) for name in part]
            )
            counts.extend(answers[-1].untagged)
        return self._counted(found, counts)

    def _countable(self) -> bytes:
        # one item the server does not know costs all (Courier answers an empty list with OK)
        items = [b"MESSAGES", b"UIDNEXT", b"UIDVALIDITY"]
        if self.features.tells_changes:
            items.append(b"HIGHESTMODSEQ")
        if self.features.tells_sizes:
            items.append(b"SIZE")
        return b" ".join(items)

    def _listed(self, responses: Iterable[Untagged]) -> dict[str, Folder]:
        found: dict[str, Folder] = {}
        for response in responses:
            if response.word != b"LIST":
                continue
            attributes, separator, name = list_entry(response)
            if name is None or name.startswith(self._foreign):
                continue
            found[name] = Folder(name, separator, attributes, subscribed="\\subscribed" in attributes)
        return found

    @staticmethod
    def _counted(found: Mapping[str, Folder], responses: Iterable[Untagged]) -> list[Folder]:
        counted = dict(found)
        for response in responses:
            if response.word != b"STATUS":
                continue
            name, items = status_entry(response)
            if name in counted and "MESSAGES" in items:
                counted[name] = replace(
                    counted[name],
                    messages=items["MESSAGES"],
                    bytes=items.get("SIZE"),
                    uidvalidity=items.get("UIDVALIDITY", 0),
                    uidnext=items.get("UIDNEXT", 0),
                    modseq=items.get("HIGHESTMODSEQ", 0),
                )
        return list(counted.values())

    def open(self, folder: str) -> Opened:
        """See MailReader."""
        opened = self._enter(folder, self._enters)
        self._numbering[folder] = opened.uidvalidity
        return opened

    def _look_into(self, folder: str, command: bytes | None = None) -> Opened:
        """Have the folder open for a caller who holds uids of it. Raises Misbehaved if they have lost their meaning."""
        opened = self._enter(folder, command or self._enters)
        known = self._numbering.setdefault(folder, opened.uidvalidity)
        if known != opened.uidvalidity:
            raise Misbehaved(
                f"{shown(folder)}: the server began to number the folder anew while it was being read.",
                remedy="Run again: the folder will be read from its beginning, and what arrived will be recognised.",
            )
        return opened

    def _enter(self, folder: str, command: bytes) -> Opened:
        if self._open == (folder, command):
            return self._opened
        self._open = None  # a failed EXAMINE leaves no folder open
        answer = self._wire.run(command, name_argument(folder))
        if not answer.end.ok:
            raise self._refusal(answer.end, folder, opening=True)
        opened = told_at_opening(answer.untagged)
        if not opened.uidnext:
            opened = replace(opened, uidnext=self._uidnext_asked(folder, opened.messages))
        self._opened, self._open = opened, (folder, command)
        return opened

    def _uidnext_asked(self, folder: str, messages: int) -> int:
        """The end of an open folder whose server does not tell it at opening (Courier)."""
        for response in self._wire.run(b"STATUS", name_argument(folder), b"(UIDNEXT)").of(b"STATUS"):
            if uidnext := status_entry(response)[1].get("UIDNEXT"):
                return uidnext
        if not messages:
            return 1
        tag = self._wire.begin(b"UID FETCH", b"*", b"(UID)")
        last = max((row.uid or 0 for row in self._rows([tag], rows_expected=1)), default=0)
        self._must(tag, "name its last message")
        return last + 1

    def index(self, folder: str, first: int = 1, last: int | None = None, changed_since: int = 0) -> Iterator[Header]:
        """See MailReader. A window is read whole before its first header is answered, so the session is free in between."""
        changed_since = changed_since if self.features.tells_changes else 0
        items = ROW_WITH_MODSEQ if self.features.tells_changes else ROW
        return map(self._header, self._listing(folder, items, first, last, changed_since))

    def sizes(self, folder: str) -> Iterator[tuple[int, int]]:
        """See MailReader."""
        return ((row.uid or 0, row.size or 0) for row in self._listing(folder, ROW_OF_SIZES))

    def _listing(
        self, folder: str, items: bytes, first: int = 1, last: int | None = None, changed_since: int = 0
    ) -> Iterator[Fetched]:
        """The rows of a folder's messages by ascending uid, window by window."""
        opened = self._look_into(folder)
        changed = (b"(CHANGEDSINCE %d)" % changed_since,) if changed_since else ()
        end = LARGEST_UID if last is None else last
        width = ROWS
        if opened.messages:  # a folder with gaps in its numbering is walked with longer strides
            width = max(ROWS, ROWS * max(opened.uidnext - first, 0) // opened.messages)
        if changed_since:
            width = LARGEST_UID
        may_be_open = last is None
        while first <= end:
            self._look_into(folder)
            upto = min(first + width - 1, end)
            # Past the UIDNEXT we know of there may be anything (it lies on some servers), so the last window is open.
            open_end = may_be_open and upto + 1 >= opened.uidnext
            upto = end if open_end else upto
            wanted = b"%d:*" % first if open_end else b"%d:%d" % (first, upto)
            rows, cut = self._window((wanted, items, *changed), first, upto)
            if cut is not None:
                upto, width = cut - 1, max(ROWS, width // 2)
                may_be_open = may_be_open and upto >= first  # a server that starts at the end would keep us here
            elif len(rows) < ROWS // 4:
                width *= 4
            for uid in sorted(uid for uid in rows if uid <= upto):
                if rows[uid].size is not None:
                    yield rows[uid]
            first = upto + 1

    def _window(self, arguments: Sequence[bytes], first: int, last: int) -> tuple[dict[int, Fetched], int | None]:
        """The rows of a range of uids, by uid; with more than ROWS of them also the smallest uid left out."""
        rows: dict[int, Fetched] = {}
        cut: int | None = None
        tag = self._wire.begin(b"UID FETCH", *arguments)
        for row in self._rows([tag], rows_expected=2 * ROWS + self._opened.messages):
            uid = row.uid or 0
            if not first <= uid <= last:
                continue  # an answer to n:* below n, or one nobody asked for
            if known := rows.get(uid):
                known.merge(row)
            elif len(rows) < ROWS:
                rows[uid] = row
            else:
                cut = min(uid, cut or uid)
        self._must(tag, "list messages")
        return rows, cut

    def fetch(self, folder: str, uids: Sequence[int]) -> Iterator[Message]:
        """See MailReader."""
        sets = list(uid_sets(uids, most=UIDS_A_FETCH))
        for start in range(0, len(sets), FETCHES_AT_ONCE):
            yield from self._fetch(folder, sets[start : start + FETCHES_AT_ONCE])

    def _fetch(self, folder: str, sets: Sequence[tuple[bytes, list[int]]]) -> Iterator[Message]:
        # Courier cuts BODY[] of deeply nested messages but not RFC822, which leaves \Seen alone only after EXAMINE.
        courier = self.features.server == "courier"
        self._look_into(folder, b"EXAMINE" if courier else None)
        items = WHOLE_IN_COURIER if courier else WHOLE
        tags = [self._wire.begin(b"UID FETCH", wanted, items) for wanted, _ in sets]
        awaited: set[int | None] = {uid for _, part in sets for uid in part}
        told: dict[int | None, Fetched] = {}  # rows without a body yet
        for row in self._rows(tags, rows_expected=4 * len(awaited)):
            if row.uid not in awaited:
                row.discard()
                continue
            if before := told.pop(row.uid, None):
                before.merge(row)
                row = before  # noqa: PLW2901
            if row.body_size is None:
                told[row.uid] = row
                continue
            awaited.discard(row.uid)
            yield self._message(row)
        for tag in tags:
            self._must(tag, "give messages")
        for row in told.values():
            if row.size is not None:  # listed but not delivered
                yield self._message(row)

    def message_ids(self, folder: str, uids: Sequence[int]) -> Mapping[int, str]:
        """See MailReader."""
        found: dict[int, str] = {}
        for wanted, part in uid_sets(uids):
            self._look_into(folder)
            tag = self._wire.begin(b"UID FETCH", wanted, b"(UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")
            asked = set(part)
            for row in self._rows([tag], rows_expected=4 * len(part)):
                if row.uid in asked and isinstance(row.body, bytes) and row.body_size is not None:
                    found[row.uid] = message_id(row.body.rstrip() + b"\r\n")
                else:
                    row.discard()
            self._must(tag, "give Message-IDs")
        return found

    def close(self) -> None:
        """See MailReader."""
        self._wire.close()

    # -- what came over the wire, as our nouns

    def _rows(self, tags: Sequence[bytes], rows_expected: int) -> Iterator[Fetched]:
        """The FETCH rows until these commands have ended."""
        for response in self._wire.answers(tags, rows=rows_expected):
            if isinstance(response, Fetched):
                yield response

    def _must(self, tag: bytes, what: str) -> None:
        end = self._wire.end(tag)
        if not end.ok:
            if asks_for_patience(end):
                raise unavailable(self._wire.peer, end)
            raise Misbehaved(f"{self._wire.peer}: the server did not {what}: {end.words}")

    def _header(self, row: Fetched) -> Header:
        size = row.size if row.size is not None else row.body_size or 0
        date = parse_internaldate(row.date.decode("latin-1")) if row.date else None
        return Header(row.uid or 0, size, self._flags(row.flags or b""), date, row.modseq or 0)

    def _flags(self, raw: bytes) -> frozenset[str]:
        known = self._flag_sets.get(raw)
        if known is None:
            known = flags_of(raw.split())
            if len(self._flag_sets) < ROWS:
                self._flag_sets[raw] = known
        return known

    def _message(self, row: Fetched) -> Message:
        body = row.body
        content = Content(body) if isinstance(body, bytes) else Content(file=body, size=row.body_size)
        return Message(self._header(row), content)

    def _refusal(self, end: Spoken, folder: str, *, opening: bool = False) -> MigratorError:
        """A NO or BAD about a folder, as our error."""
        words, said = end.words, end.words.lower()
        name = shown(folder)
        if end.code == "OVERQUOTA" or "over quota" in said or "quota exceeded" in said or "overquota" in said:
            return NoSpace(
                f"{self._wire.peer}: the account is full: {words}",
                remedy="Raise its quota or make room there, then run again.",
            )
        if asks_for_patience(end):
            return unavailable(self._wire.peer, end)
        if end.code in ("TRYCREATE", "NONEXISTENT") or opening:
            return NotFound(f"{name}: the folder cannot be opened: {words}", remedy="Run again to look for it anew.")
        if end.code in ("LIMIT", "TOOBIG") or "too large" in said or "larger than" in said or "too big" in said:
            return Refused(
                f"the server says: {words}",
                remedy="The message is larger than the server takes. Raise its limit for the time of the move, or keep the message as a file.",
            )
        return Refused(
            f"the server says: {words}",
            remedy="The target does not take this message as it is. Save it as a file from the old webmail while that is there.",
        )

    # -- arriving

    def _arrive(self, override: Namespace | None) -> tuple[Namespace, int | None]:
        """What there is to know of the account before its folders, in one round trip: namespace and free space."""
        wire = self._wire
        has = wire.capabilities
        tags = (
            [wire.begin(b"NAMESPACE")]
            if b"NAMESPACE" in has
            else [wire.begin(b"LIST", b'"" ""'), wire.begin(b"LIST", b'"" "%"')]
        )
        if b"QUOTA" in has or any(word.startswith(b"QUOTA=") for word in has):
            tags.append(wire.begin(b"GETQUOTAROOT", b"INBOX"))
        untagged = wire.run_all(tags)[-1].untagged
        with suppress(Misbehaved):  # a server that garbles this may still hold all the mail
            namespace, self._foreign = namespaces(untagged)
            return override or namespace, quota_left(untagged)
        return override or Namespace(), None
