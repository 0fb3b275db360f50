"""How fast cards go into and out of CardDAV servers: migrator beside vdirsyncer, on the same cards in one run.

    python tests/bench/put_cards.py [--cards 300] [--rounds 3] [--connections 1 4] [--servers radicale xandikos] [--rtt 0 20]
        [--vdirsyncer FOLDER] [--alone]

Real Radicale and Xandikos, a fresh account and an empty book for every measurement; a proxy makes them far away. Every tenth card has a
photo. vdirsyncer is installed from PyPI into a virtual environment that is thrown away, or taken from one (`--vdirsyncer`).

    run     the whole program, from its start to its end, into an empty book, its server not seen before: `migrator run` from a .vcf, with the
            reading back and comparing of every card; `vdirsyncer discover` and `vdirsyncer sync` from a folder, which read nothing back
    again   the same program once more, when there is nothing to do
    put     one session of ours alone, login and discovery included
    read    the whole book: one session of ours; `vdirsyncer discover` and `sync` into an empty folder

Who comes first changes from round to round. What arrived is counted. Figures are medians of the rounds, with the CPU time of the server and of
the program beside them: on a machine that others use too, seconds say little and CPU time much. Nothing here fails when it is slow: it
prints, and a person judges.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from statistics import median

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent / "scripts"), str(HERE.parent.parent)]

from copy_mail import far_away  # noqa: E402
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
    """A fresh account with an empty book, seen through a port."""

    server: ground.Server
    port: int
    options: carddav.Options = field(init=False)
    login: Login = field(init=False)
    book: str = field(init=False)

    def __post_init__(self) -> None:
        user = f"bench{next(_NUMBERS)}"
        dav.add_user(self.server, user, f"pw-{user}")
        url = self.server.url.replace(f":{self.server.port}", f":{self.port}")
        self.options = carddav.Options(url=url, ca_file=self.server.ca_file or None)
        self.login = Login(user, user, SecretStr(f"pw-{user}"))
        with closing(carddav.CardDavWriter(self.options, self.login)) as writer:
            self.book = writer.create_book("Bench").id

    def holds(self) -> int:
        with closing(carddav.CardDavReader(self.options, self.login)) as reader:
            return len(list(reader.index(self.book)))


# -- the peers ---------------------------------------------------------------------------------------------------------------


def put(place: Place, sent: Sequence[Card], connections: int) -> float:
    """Seconds to put the cards with one session that may use so many connections."""

    def add() -> None:
        options = place.options.model_copy(update={"connections": connections})
        with closing(carddav.CardDavWriter(options, place.login)) as writer:
            refused = [one.refused for one in writer.add(place.book, sent) if one.refused]
            assert not refused, refused[0]

    return timed(add)


def run(folder: Path, place: Place, sent: Sequence[Card], connections: int) -> tuple[float, float]:
    """Seconds of `migrator run` with these cards in a file, and of a second one."""
    where = Path(tempfile.mkdtemp(dir=folder))
    (where / "Bench.vcf").write_text("".join(vcard.write(card, "3.0") for card in sent), newline="")
    ca_file = {"ca_file": str(place.options.ca_file)} if place.options.ca_file else {}
    target = {"type": "carddav", "url": place.options.url, "connections": connections, **ca_file}
    user = place.login.user
    (where / "plan.yaml").write_text(
        "version: 1\nname: bench\nsecrets:\n  owner: {env: OWNER}\nendpoints:\n  old: {contacts: {type: vcards, path: Bench.vcf}}\n"
        f"  new: {{contacts: {json.dumps(target)}}}\n"
        f"accounts: [{{source: {user}@example.com, target_user: {user}, target_password: owner}}]\nsteps: [contacts]\n"
    )
    password = place.login.password.get_secret_value() if place.login.password else ""
    environment = {**os.environ, "OWNER": password, "PYTHONPATH": str(HERE.parent.parent)}

    def once() -> None:
        words = [sys.executable, "-m", "migrator", "run", "plan.yaml"]
        done = subprocess.run(words, check=False, capture_output=True, text=True, cwd=where, env=environment)
        if done.returncode:
            sys.exit(f"migrator run: {done.stdout[-2000:]}{done.stderr[-2000:]}")

    return timed(once), timed(once)


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

    def sync(self, place: Place, files: Path) -> tuple[float, float]:
        """Seconds to discover the collections and sync them, and to sync them once more."""
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

        def first() -> None:
            self._run(settings, "discover")
            self._run(settings, "sync")

        return timed(first), timed(lambda: self._run(settings, "sync"))

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


def cpu_of(server: ground.Server) -> float:
    """CPU seconds the server has used."""
    used = 0.0
    for pid in server.processes:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        used += (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
    return used


def cpu_of_programs() -> float:
    """CPU seconds that this program and all that have ended below it have used."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


@dataclass
class Figures:
    """What was measured of one server, by what was done: seconds, CPU seconds of the server and of the program."""

    server: ground.Server
    taken: dict[str, list[tuple[float, float, float]]] = field(default_factory=dict)

    def take(self, *what: str, work: Callable[[], Sequence[float]]) -> None:
        """Do something that answers seconds, for each name those; what was used of the CPU is all of it, told with the first."""
        before, ours = cpu_of(self.server), cpu_of_programs()
        seconds = work()
        used, own = cpu_of(self.server) - before, cpu_of_programs() - ours
        for place, (name, took) in enumerate(zip(what, seconds, strict=True)):
            self.taken.setdefault(name, []).append((took, 0.0 if place else used, 0.0 if place else own))

    def tell(self, cards: int) -> None:
        for what, taken in sorted(self.taken.items()):
            seconds = [took for took, _, _ in taken]
            middle, used, own = (median(one[which] for one in taken) for which in range(3))
            spread = f"{min(seconds):.2f} to {max(seconds):.2f}"
            print(
                f"{self.server.name:10} {what:26} {cards / middle:9,.0f} cards/s   {middle:6.2f} s ({spread})"
                + (f"   CPU: server {used:.2f} s, program {own:.2f} s" if used else ""),
                flush=True,
            )


def measure(
    server: ground.Server,
    port: int,
    sent: Sequence[Card],
    asked: argparse.Namespace,
    peer: Vdirsyncer | None,
    folder: Path,
) -> None:
    figures = Figures(server)
    for number in range(asked.rounds):
        turns = [
            lambda c=connections: ours(server, port, sent, c, folder, figures) for connections in asked.connections
        ]
        if peer is not None:
            turns.append(lambda p=peer: beside(p, Place(server, port), sent, figures))
        first = number % len(turns)
        for turn in turns[first:] + turns[:first]:
            turn()
    figures.tell(len(sent))


def ours(
    server: ground.Server, port: int, sent: Sequence[Card], connections: int, folder: Path, figures: Figures
) -> None:
    """All that migrator does with so many connections."""
    place = Place(server, port)
    figures.take(f"put, {connections} connection(s)", work=lambda: [put(place, sent, connections)])
    assert place.holds() == len(sent)
    filled = Place(server, port)
    figures.take(
        f"run, {connections} connection(s)",
        f"again, {connections} connection(s)",
        work=lambda: run(folder, filled, sent, connections),
    )
    assert filled.holds() == len(sent)
    figures.take("read, 1 connection", work=lambda: [get(filled)])


def beside(peer: Vdirsyncer, place: Place, sent: Sequence[Card], figures: Figures) -> None:
    """The same by vdirsyncer."""
    files = Path(tempfile.mkdtemp(dir=peer.folder)) / "book"
    files.mkdir()
    for card in sent:
        (files / f"{card.uid}.vcf").write_text(vcard.write(card, "3.0"), newline="")
    figures.take("run, vdirsyncer", "again, vdirsyncer", work=lambda: peer.sync(place, files))
    assert place.holds() == len(sent)
    back = files.with_name("back")
    back.mkdir()
    figures.take("read, vdirsyncer", work=lambda: peer.sync(place, back)[:1])
    assert len(list(back.glob("*.vcf"))) == len(sent)


def main() -> None:
    grammar = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    grammar.add_argument("--cards", type=int, default=300)
    grammar.add_argument("--rounds", type=int, default=3)
    grammar.add_argument("--connections", type=int, nargs="+", default=[1, 4])
    grammar.add_argument("--rtt", type=float, nargs="+", default=[0.0], help="milliseconds of a round trip")
    grammar.add_argument("--servers", nargs="+", choices=SERVERS, default=SERVERS)
    grammar.add_argument("--vdirsyncer", type=Path, metavar="FOLDER", help="a virtual environment that has it")
    grammar.add_argument("--alone", action="store_true", help="without vdirsyncer")
    asked = grammar.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is ended, what was written removed
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
                for rtt in asked.rtt:
                    print(f"-- {kind}, {rtt:g} ms")
                    with far_away(server.port, rtt) as port:
                        measure(server, port, sent, asked, peer, folder)
            finally:
                ground.end(server.processes)


if __name__ == "__main__":
    main()
