"""How fast cards are read, written and compared, beside vobject, and what memory a large file takes.

    python tests/bench/read_cards.py [--rounds 3] [--cards 5000] [--megabytes 500]

Three files are made from a seed: plain cards, cards with photos of 30 KB, and everything of fixtures/vcards again and again, which is what
real books look like at their worst. The large file is the second on disk, read through once; its peak memory is that of the process,
measured in one of its own. vobject reads only the plain cards: the others it loses or refuses. Nothing here fails when it is slow: it prints,
and a person judges.
"""

from __future__ import annotations

import argparse
import base64
import io
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT))

from migrator.contacts import meaning, vcard  # noqa: E402
from migrator.contacts.lines import MB  # noqa: E402
from migrator.contacts.model import Card, Entry, Held, text_property  # noqa: E402
from migrator.contacts.moving import paired  # noqa: E402

PHOTO = 30 * 1024
LINE = 74
PAIRED = 20_000
MEASURE = """
import sys
sys.path.insert(0, sys.argv[2])
from migrator.contacts import vcard
def peak():
    return next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
empty = peak()
with open(sys.argv[1], "rb") as stream:
    cards = sum(1 for _ in vcard.read(stream))
print(cards, empty, peak())
"""


def plain(number: int, more: bytes = b"") -> bytes:
    return (
        b"BEGIN:VCARD\r\nVERSION:3.0\r\nPRODID:-//Example//EN\r\nUID:%08d-0000-4000-8000-000000000000\r\nN:Beispiel;Kim %d;;Dr.;\r\n"
        b"FN:Dr. Kim %d Beispiel\r\nORG:Beispiel GmbH;Abteilung %d\r\nTITLE:Leitung\\, Einkauf\r\nTEL;TYPE=WORK,VOICE:+49 30 23125 %03d\r\n"
        b"TEL;TYPE=CELL:+49 170 555 %04d\r\nEMAIL;TYPE=INTERNET,WORK:kim%d@example.com\r\nADR;TYPE=WORK:;;Stra\xc3\x9fe %d;Ort;;12345;Deutschland\r\n"
        b"NOTE:Eine Notiz\\, die \xc3\xbcber mehr als eine Zeile geht und deshalb gefaltet wi\r\n rd.\\nUnd eine zweite.\r\n"
        b"BDAY:1980-04-12\r\nCATEGORIES:Freunde,Arbeit\r\n%sREV:2024-03-11T08:15:00Z\r\nEND:VCARD\r\n"
    ) % (number, number, number, number % 90, number % 1000, number % 10_000, number, number % 200, more)


def with_photo(number: int, chance: random.Random, octets: int = PHOTO) -> bytes:
    text = b"PHOTO;ENCODING=b;TYPE=JPEG:" + base64.b64encode(b"\xff\xd8\xff" + chance.randbytes(octets))
    return plain(number, b"\r\n ".join(text[at : at + LINE] for at in range(0, len(text), LINE)) + b"\r\n")


def per_second(count: int, rounds: int, work: Callable[[], object]) -> float:
    took = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        took.append(time.perf_counter() - began)
    return count / median(took)


def tell(what: str, cards: float, octets: float = 0.0) -> None:
    print(f"{what:<44} {cards:>10,.0f} cards/s" + (f"  {octets / MB:>7,.1f} MB/s" if octets else ""))


def reading(name: str, content: bytes, rounds: int) -> None:
    count = sum(1 for _ in vcard.read(io.BytesIO(content)))
    rate = per_second(count, rounds, lambda: sum(1 for _ in vcard.read(io.BytesIO(content))))
    tell(f"read {name} ({count:,}, {len(content) / MB:,.1f} MB)", rate, rate * len(content) / count)


def pairing(count: int, rounds: int) -> None:
    """Half of the cards are known by UID, the other half have one of the target's own."""
    wanted = {str(n): Card((text_property("UID", f"u{n}"), text_property("FN", f"Person {n}"))) for n in range(count)}
    there = [
        Held(Entry(ref), card if n % 2 else card.without("UID").with_property(text_property("UID", f"own-{n}")))
        for n, (ref, card) in enumerate(wanted.items())
    ]
    assert len(paired(wanted, there)) == count
    tell(f"pair {count:,} cards with as many at the target", per_second(count, rounds, lambda: paired(wanted, there)))


def by_vobject(content: bytes) -> None:
    import vobject

    list(vobject.readComponents(io.StringIO(content.decode())))


def large(megabytes: int) -> None:
    chance = random.Random(3)
    piece = b"".join(with_photo(number, chance) for number in range(200))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.vcf"
        with path.open("wb") as file:
            for _ in range(megabytes * MB // len(piece) + 1):
                file.write(piece)
        size = path.stat().st_size
        began = time.perf_counter()
        told = subprocess.run(
            [sys.executable, "-c", MEASURE, path, CHECKOUT], capture_output=True, text=True, check=True
        ).stdout.split()
        took = time.perf_counter() - began
    cards, empty, peak = map(int, told)
    tell(f"read a file of {size / MB:,.0f} MB ({cards:,} cards, {took:.1f} s)", cards / took, size / took)
    print(f"{'  memory: before, and at its peak':<44} {empty / 1024:>10,.1f} MB {peak / 1024:>11,.1f} MB")


def main() -> None:
    told = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    told.add_argument("--rounds", type=int, default=3)
    told.add_argument("--cards", type=int, default=5_000)
    told.add_argument("--megabytes", type=int, default=500)
    asked = told.parse_args()
    chance = random.Random(1)
    content = b"".join(map(plain, range(asked.cards)))
    reading("plain cards", content, asked.rounds)
    tell("  the same by vobject", per_second(asked.cards, asked.rounds, lambda: by_vobject(content)))
    reading("cards with photos", b"".join(with_photo(n, chance) for n in range(asked.cards // 10)), asked.rounds)
    fixtures = b"".join(
        path.read_bytes()
        for path in sorted((CHECKOUT / "fixtures" / "vcards").glob("*.vcf"))
        if not path.stem.startswith(("broken", "utf-16", "old-mac"))
    )
    reading("every fixture", fixtures, asked.rounds)
    cards = [one.card for one in vcard.read(io.BytesIO(content))]
    for version in vcard.VERSIONS:
        tell(
            f"write {version}",
            per_second(len(cards), asked.rounds, lambda v=version: [vcard.write(card, v) for card in cards]),
        )
    tell("digest", per_second(len(cards), asked.rounds, lambda: [meaning.digest(card) for card in cards]))
    again = [vcard.parse(vcard.write(card, "4.0").encode()).card for card in cards]
    tell(
        "compare",
        per_second(len(cards), asked.rounds, lambda: [meaning.same(*pair) for pair in zip(cards, again, strict=True)]),
    )
    pairing(PAIRED, asked.rounds)
    large(asked.megabytes)


if __name__ == "__main__":
    main()
