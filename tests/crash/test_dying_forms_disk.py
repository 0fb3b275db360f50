"""The forms step dies before, in the middle of and after every write to a disk, a database, an address book or the state, and is started
again: the same sheets, contacts, settings and files as without a death, and nothing half-written among them.
"""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Self

import pytest
from pydantic import SecretStr
from pyrage import x25519

from migrator.contacts.contract import CONTACTS
from migrator.engine.contract import Fate, Login, Side
from migrator.engine.run import run, utc_now
from migrator.engine.stage import Programme, Stage, Verification
from migrator.engine.stop import Stop
from migrator.engine.walk import Surroundings
from migrator.forms import php
from migrator.forms.adapters import files
from migrator.forms.model import Extract, Row
from migrator.forms.options import FormsOptions
from migrator.forms.step import KIND
from migrator.state.lease import this_process
from migrator.state.store import open_store
from migrator.testing.crash import Died, Mortality, MortalStore
from migrator.testing.form_suite import everything, number, primary, table, text
from migrator.testing.memory_books import MemoryBooks
from migrator.testing.memory_books import Options as BookOptions
from migrator.testing.memory_tables import MemoryTables, TablesRoute
from migrator.wire import disk

pytestmark = pytest.mark.crash
LOGIN, OFFICE, OLD, NEW = Login("database", "database"), "office@example.com", "old.example.net", "new.example.com"
ENTRIES = table(
    "wp_db7_forms",
    [number("form_id"), number("form_post_id"), text("form_value"), text("form_date")],
    primary("form_id"),
)
OPTIONS = table("wp_options", [number("option_id"), text("option_name"), text("option_value")], primary("option_id"))
POSTS = table("wp_posts", [number("ID"), text("post_type"), text("post_title")], primary("ID"))
IDENTITY = x25519.Identity.generate()
SEALED = {"compress": "zstd", "encrypt": "age", "recipients": (str(IDENTITY.to_public()),)}


@pytest.fixture(autouse=True)
def few_rows_at_once(monkeypatch) -> None:
    monkeypatch.setattr("migrator.forms.moving.MOST_ROWS", 5)
    monkeypatch.setattr("migrator.forms.moving.FEWEST_ROWS", 5)


def serialised(**pairs: str) -> str:
    return php.written(php.Array(tuple((key.encode(), value.encode()) for key, value in pairs.items()))).decode()


def entry(number_: int) -> Row:
    said = serialised(name=f"Person {number_}", email=f"p{number_ % 2}@example.com", cvcfdb7_file=f"{number_}.pdf")
    return (str(number_), str(7 + number_ % 2), said, "2026-03-01 10:00:00")


class Torn:
    """A file whose every write is three moments: before it, with half of it written, and after it."""

    def __init__(self, file: Any, mortality: Mortality) -> None:
        self._file, self._mortality = file, mortality

    def write(self, content: bytes) -> int:
        self._mortality.moment("before a write")
        half = len(content) // 2
        self._file.write(content[:half])
        self._mortality.moment("half a write")
        self._file.write(content[half:])
        self._mortality.moment("after a write")
        return len(content)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __iter__(self) -> Any:
        return iter(self._file)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def mortal_disk(monkeypatch: pytest.MonkeyPatch, mortality: Mortality) -> None:
    """Have every change of a disk pass moments; what is dead changes nothing more, in `finally` neither."""
    opened = disk.opened

    def torn(path: Path, mode: Any = "rb") -> Any:
        if mode == "rb":
            return opened(path, mode)
        mortality.moment(f"before opening {path.name}")
        return Torn(opened(path, mode), mortality)

    monkeypatch.setattr(disk, "opened", torn)
    for name in ("replace", "rename", "unlink", "mkdir"):
        monkeypatch.setattr(Path, name, around(getattr(Path, name), name, mortality))


def around(change: Callable[..., Any], name: str, mortality: Mortality) -> Callable[..., Any]:
    def changed(*arguments: Any, **named: Any) -> Any:
        mortality.moment(f"before {name}")
        result = change(*arguments, **named)
        mortality.moment(f"after {name}")
        return result

    return changed


class Route(TablesRoute):
    """From a database in memory into another one, or into files, with address books at the target."""

    books: MemoryBooks
    dump: files.Options | None

    def for_reading(self, side: Side, service: str, account: str) -> Any:
        if service == CONTACTS.service:
            return self.books.reader(BookOptions(), Login(account, account, SecretStr("pw")))
        if side is Side.TARGET and self.dump is not None:
            return files.FilesReader(self.dump, LOGIN)
        return super().for_reading(side, service, account)

    def for_writing(self, side: Side, service: str, account: str) -> Any:
        if service == CONTACTS.service:
            return self.books.writer(BookOptions(), Login(account, account, SecretStr("pw")))
        if self.dump is not None:
            return files.FilesWriter(self.dump, LOGIN)
        return super().for_writing(side, service, account)


class World:
    """What outlives the process: two databases, address books, a folder, a state."""

    def __init__(self, folder: Path, dump: files.Options | None = None, **options: object) -> None:
        self.folder, self.dump, self.options = folder, dump, options
        self.old, self.new, self.books = MemoryTables("old", page=50), MemoryTables("new", page=50), MemoryBooks("new")
        self.books.fill(OFFICE, "Contacts")
        self.old.fill(ENTRIES, [entry(n) for n in range(1, 8)])
        self.old.fill(POSTS, [("7", "wpcf7_contact_form", "Ask us"), ("8", "wpcf7_contact_form", "Write")])
        mailer = serialised(hostname=OLD, port="25")
        site: list[Row] = [("1", "smtp_host", OLD), ("2", "smtp_port", "25"), ("3", "postman_options", mailer)]
        for database in (self.old, self.new):
            database.fill(OPTIONS, site)
        self.new.fill(POSTS, [])
        self.store = open_store("sqlite://", lives=lambda _: False)

    def run(self, mortality: Mortality, monkeypatch: pytest.MonkeyPatch) -> None:
        for there in (self.new, self.books):
            there.before_write = lambda what: mortality.moment(f"before {what}")
            there.after_write = lambda what: mortality.moment(f"after {what}")
        route = Route(self.old, self.new)
        route.books, route.dump = self.books, self.dump
        step = KIND.build(FormsOptions(**{"plugins": ("cfdb7",), "existing": "skip-existing", **self.options}), ())
        programme = Programme("crash", [Stage("forms", "forms", step, route), Verification("verify")], workers=1)
        claim = self.store.claim(this_process(), utc_now(), "digest", "0")
        with monkeypatch.context() as patched:
            mortal_disk(patched, mortality)
            run(programme, MortalStore(self.store, mortality), claim, Surroundings(lambda _: None, Stop()), lambda _: 0)

    def contents(self) -> dict[str, object]:
        """Everything there is at the target. What a dump holds is told by its rows, for nothing is sealed twice in the same way."""
        there: dict[str, object] = {name: sorted(kept.rows, key=repr) for name, kept in self.new.kept.items()}
        if "contacts" in self.options:
            there["Website"] = sorted(card.label for card in self.books.cards(OFFICE, "Website"))
        for path in self.folder.rglob("*"):
            assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
            name = str(path.relative_to(self.folder))
            if path.suffix == ".csv":
                there[name] = path.read_text()
            elif path.name == "manifest.json":
                parts = json.loads(path.read_text())["parts"]
                there[name] = [(one["range"], one["rows"], one["crc"]) for one in parts]
            elif path.is_file():
                told = json.loads((path.parent / "manifest.json").read_text())["parts"]
                assert path.name in {one["file"] for one in told}, f"{path} belongs to nothing"
        return there

    def fates(self) -> set[Fate]:
        return {fate for row in self.store.actions() for fate in self.store.fates(row.ledger_key)}


def dies_everywhere(build: Callable[[str], World], monkeypatch: pytest.MonkeyPatch) -> World:
    expected, undisturbed = build("undisturbed"), Mortality()
    expected.run(undisturbed, monkeypatch)
    for at in range(1, len(undisturbed.moments) + 1):
        world = build(str(at))
        with pytest.raises(Died):
            world.run(Mortality(at), monkeypatch)
        world.run(Mortality(), monkeypatch)
        assert world.contents() == expected.contents(), f"after dying at moment {at} ({undisturbed.moments[at - 1]})"
        assert world.fates() == {Fate.COPIED}, f"after dying at moment {at}"
    assert {"half a write", "after replace"} <= set(undisturbed.moments)
    return expected


def test_sheets_contacts_and_settings_are_the_same_wherever_a_run_dies(tmp_path, monkeypatch) -> None:
    senders = {"source": [OLD], "target": NEW, "port": 587, "change": True}

    def world(name: str) -> World:
        return World(tmp_path / name, sheets=tmp_path / name, contacts={"account": OFFICE}, senders=senders)

    there = dies_everywhere(world, monkeypatch).contents()
    assert len(there["Website"]) == 2
    assert {row[2] for row in there["wp_options"]} == {NEW, "587", serialised(hostname=NEW, port="587")}
    assert {"wp_cfdb7/Ask us (7).csv", "wp_cfdb7/Write (8).csv", "wp_cfdb7/files not in the database.csv"} <= set(there)


@pytest.mark.parametrize("wrapped", [{}, SEALED], ids=["clear", "packed and sealed"])
def test_a_dump_in_files_is_the_same_wherever_a_run_dies_whoever_can_read_it(tmp_path, monkeypatch, wrapped) -> None:
    def world(name: str) -> World:
        return World(tmp_path / name, files.Options(path=tmp_path / name, **wrapped))

    dies_everywhere(world, monkeypatch)
    opened = files.Options(path=tmp_path / "1", identity=SecretStr(str(IDENTITY)))
    with closing(files.FilesReader(opened, LOGIN)) as reader:
        assert everything(reader, Extract(ENTRIES)) == [entry(n) for n in range(1, 8)]
