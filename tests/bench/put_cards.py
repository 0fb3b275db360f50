"""How fast cards go into and out of CardDAV servers: migrator's adapter beside vdirsyncer, on the same cards in one run.

    python tests/bench/put_cards.py [--cards 300] [--rounds 3] [--connections 1 4] [--servers radicale xandikos]
        [--vdirsyncer FOLDER] [--alone]

Real Radicale and Xandikos, a fresh account and an empty book for every measurement. Every tenth card has a photo. vdirsyncer is installed
from PyPI into a virtual environment that is thrown away, or taken from one (`--vdirsyncer`); its time is that of `vdirsyncer sync`, of
which `start` is what it takes to do nothing. Ours is that of the sessions alone, logins and discovery included. What arrived is counted.
Figures are medians of the rounds. Nothing here fails when it is slow: it prints, and a person judges.
"""

from __future__ import annotations

import argparse
import base64
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from statistics import median

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent.parent / "scripts"), str(HERE.parent.parent)]

from lab import dav, ground  # noqa: E402
from pydantic import SecretStr  # noqa: E402

from migrator.contacts import vcard  # noqa: E402
from migrator.contacts.adapters import carddav  # noqa: E402
from migrator.contacts.model import Card  # noqa: E402
from migrator.engine.contract import Login  # noqa: E402

SERVERS = ("radicale", "xandikos")
PHOTO = 20_000  # bytes
_NUMBERS = count(1)


def cards(number: int) -> list[Card]:
    """Cards as people have them: two phones, two addresses, a note, a photo here and there. The same ones every time."""
    chance = random.Random(7)
    made = []
    for n in range(number):
        photo = base64.b64encode(chance.randbytes(PHOTO)).decode()
        lines = [
            "BEGIN:VCARD", "VERSION:3.0", f"UID:bench-{n:06}", f"FN:Person {n} Größe", f"N:Größe;Person {n};;;",
            f"EMAIL;TYPE=WORK:p{n}@example.com", f"EMAIL;TYPE=HOME:p{n}@home.example.com",
            f"TEL;TYPE=CELL:+49 170 {n:07}", f"TEL;TYPE=WORK:+49 30 {n:07}",
            f"ADR;TYPE=HOME:;;Long Street {n};Berlin;;10115;Germany", "ORG:Acme\\, Inc;Sales",
            "NOTE:" + "met at the fair\\, twice. " * chance.randrange(1, 8), "CATEGORIES:Friends,Work", "BDAY:1980-04-12",
            *([f"PHOTO;ENCODING=b;TYPE=JPEG:{photo}"] if n % 10 == 0 else []), "END:VCARD", "",
        ]  # fmt: skip
        made.append(vcard.parse("\r\n".join(lines).encode()).card)
    return made


@dataclass
class Place:
    """A fresh account with an empty book."""

    server: ground.Server
    options: carddav.Options = field(init=False)
    login: Login = field(init=False)
    book: str = field(init=False)

    def __post_init__(self) -> None:
        user = f"bench{next(_NUMBERS)}"
        dav.add_user(self.server, user, f"pw-{user}")
        self.options = carddav.Options(url=self.server.url, ca_file=self.server.ca_file or None)
        self.login = Login(user, user, SecretStr(f"pw-{user}"))
        with closing(carddav.CardDavWriter(self.options, self.login)) as writer:
            self.book = writer.create_book("Bench").id

    def holds(self) -> int:
        with closing(carddav.CardDavReader(self.options, self.login)) as reader:
            return len(list(reader.index(self.book)))


# -- the peers ---------------------------------------------------------------------------------------------------------------


def put(place: Place, sent: Sequence[Card], connections: int) -> float:
    """Seconds to put the cards, each connection its share."""

    def share(start: int) -> None:
        with closing(carddav.CardDavWriter(place.options, place.login)) as writer:
            refused = [one.refused for one in writer.add(place.book, sent[start::connections]) if one.refused]
            assert not refused, refused[0]

    threads = [threading.Thread(target=share, args=(start,)) for start in range(connections)]
    return timed(lambda: ([one.start() for one in threads], [one.join() for one in threads]))


def get(place: Place) -> float:
    """Seconds to read the whole book with one connection."""

    def read() -> None:
        with closing(carddav.CardDavReader(place.options, place.login)) as reader:
            reader.books()
            held = list(reader.fetch(place.book, [entry.ref for entry in reader.index(place.book)]))
            assert held
            assert not any(one.dropped for one in held)

    return timed(read)


@dataclass(frozen=True)
class Vdirsyncer:
    """Syncs a folder of files with a book, in either direction."""

    program: Path
    folder: Path

    def sync(self, place: Place, files: Path) -> float:
        """Seconds of one sync after the collections were discovered."""
        where = Path(tempfile.mkdtemp(dir=self.folder))
        settings = where / "config"
        verify = f'verify = "{place.options.ca_file}"\n' if place.options.ca_file else ""
        password = place.login.password.get_secret_value() if place.login.password else ""
        remote = place.book.rstrip("/").rpartition("/")[2]
        settings.write_text(
            f'[general]\nstatus_path = "{where}/status/"\n[pair bench]\na = "files"\nb = "server"\n'
            f'collections = [["book", "{files.name}", "{remote}"]]\n'
            f'[storage files]\ntype = "filesystem"\npath = "{files.parent}/"\nfileext = ".vcf"\n'
            f'[storage server]\ntype = "carddav"\nurl = "{place.options.url}"\nusername = "{place.login.user}"\n'
            f'password = "{password}"\n{verify}'
        )
        self._run(settings, "discover")
        return timed(lambda: self._run(settings, "sync"))

    def start(self) -> float:
        """Seconds to do nothing."""
        return timed(lambda: subprocess.run([self.program, "--version"], check=True, capture_output=True))

    def _run(self, settings: Path, word: str) -> None:
        done = subprocess.run(
            [self.program, "-c", settings, word], check=False, capture_output=True, text=True, input="y\n" * 20
        )
        if done.returncode:
            sys.exit(f"vdirsyncer {word}: {done.stderr[-2000:]}")


def vdirsyncer(folder: Path, given: Path | None) -> Vdirsyncer:
    """The one that was given, or a fresh one."""
    where = given or folder / "venv"
    if given is None:
        subprocess.run([sys.executable, "-m", "venv", where], check=True)
        subprocess.run(
            [where / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", "vdirsyncer"], check=True
        )
    return Vdirsyncer(where / "bin" / "vdirsyncer", folder)


# -- measuring ---------------------------------------------------------------------------------------------------------------


def timed(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def measure(server: ground.Server, sent: Sequence[Card], asked: argparse.Namespace, peer: Vdirsyncer | None) -> None:
    figures: dict[str, list[float]] = {}
    for _ in range(asked.rounds):
        for connections in asked.connections:
            place = Place(server)
            figures.setdefault(f"put, {connections} connection(s)", []).append(put(place, sent, connections))
            assert place.holds() == len(sent)
        figures.setdefault("read, 1 connection", []).append(get(place))
        if peer is None:
            continue
        files = Path(tempfile.mkdtemp(dir=peer.folder)) / "book"
        files.mkdir()
        for card in sent:
            (files / f"{card.uid}.vcf").write_text(vcard.write(card, "3.0"), newline="")
        place = Place(server)
        figures.setdefault("put, vdirsyncer", []).append(peer.sync(place, files))
        assert place.holds() == len(sent)
        back = files.with_name("back")
        back.mkdir()
        figures.setdefault("read, vdirsyncer", []).append(peer.sync(place, back))
        assert len(list(back.glob("*.vcf"))) == len(sent)
    for what, seconds in figures.items():
        middle = median(seconds)
        spread = f"{min(seconds):.2f} to {max(seconds):.2f}"
        print(f"{server.name:10} {what:24} {len(sent) / middle:9,.0f} cards/s   {middle:6.2f} s ({spread})", flush=True)


def main() -> None:
    grammar = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    grammar.add_argument("--cards", type=int, default=300)
    grammar.add_argument("--rounds", type=int, default=3)
    grammar.add_argument("--connections", type=int, nargs="+", default=[1, 4])
    grammar.add_argument("--servers", nargs="+", choices=SERVERS, default=SERVERS)
    grammar.add_argument("--vdirsyncer", type=Path, metavar="FOLDER", help="a virtual environment that has it")
    grammar.add_argument("--alone", action="store_true", help="without vdirsyncer")
    asked = grammar.parse_args()
    sent = cards(asked.cards)
    with tempfile.TemporaryDirectory(prefix="migrator-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        peer = None if asked.alone else vdirsyncer(folder, asked.vdirsyncer)
        size = sum(len(vcard.write(card, "3.0")) for card in sent)
        print(f"{len(sent):,} cards, {size / 1024:,.0f} KB; median of {asked.rounds} rounds")
        if peer:
            print(f"vdirsyncer: start {median(peer.start() for _ in range(3)):.2f} s")
        for kind in asked.servers:
            server = dav.start(kind, ground.prepare(folder / kind), {})
            try:
                measure(server, sent, asked, peer)
            finally:
                ground.end(server.processes)


if __name__ == "__main__":
    main()
