"""What memory it takes to move a large address book: a .vcf of which photos make most, to a folder of vCard files.

    python tests/bench/large_book.py [--megabytes 500] [--photo 30]

The book is made from a seed: cards as people have them, each with a photo of so many KB. Then the whole program is run on it, verb by verb, each
in a process of its own: what it took, and the peak of its memory (VmHWM), beside that of the program when it does nothing. The second run and
`verify` read both sides. What arrived is counted. Nothing here fails when it is large: it prints, and a person judges.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parent.parent
sys.path[:0] = [str(HERE), str(CHECKOUT)]

from read_cards import with_photo  # noqa: E402

from migrator.contacts.lines import MB  # noqa: E402

KB = 1024
PLAN = """\
version: 1
name: large-book
endpoints:
  old: {contacts: {type: vcards, path: Large.vcf}}
  new: {contacts: {type: vcards, path: there}}
accounts: [ann@example.com]
steps: [contacts]
"""


def does(folder: Path, *words: str) -> tuple[float, int]:
    """Seconds of a verb, and the peak of its memory in bytes."""
    began = time.monotonic()
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "migrator", *words], cwd=folder, env=environment, stdout=said, stderr=said
        )
        try:
            _, status, used = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            raise
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"migrator {' '.join(words)}: {(folder / 'said').read_text()[-2000:]}")
    return time.monotonic() - began, used.ru_maxrss * KB


def cards_in(path: Path) -> int:
    with path.open("rb") as file:
        return sum(line.startswith(b"BEGIN:VCARD") for line in file)


def measure(folder: Path, megabytes: int, photo: int) -> None:
    book = folder / "Large.vcf"
    chance = random.Random(3)
    count = 0
    with book.open("wb") as file:
        while file.tell() < megabytes * MB:
            file.write(with_photo(count, chance, photo * KB))
            count += 1
    (folder / "plan.yaml").write_text(PLAN)
    print(f"{count:,} cards, {book.stat().st_size / MB:,.0f} MB, photos of {photo} KB")
    verbs = [["check"], ["preview"], ["run"], ["run"], ["verify"]]
    for verb in verbs:
        seconds, peak = does(folder, *verb, "plan.yaml")
        print(
            f"{verb[0]:10} {seconds:7.1f} s   {count / seconds:9,.0f} cards/s   peak {peak / MB:8,.0f} MB", flush=True
        )
    (there,) = (folder / "there").rglob("*.vcf")
    assert cards_in(there) == count, cards_in(there)


def main() -> None:
    grammar = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    grammar.add_argument("--megabytes", type=int, default=500)
    grammar.add_argument("--photo", type=int, nargs="+", default=[30], help="KB of each photo")
    asked = grammar.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is ended, what was written removed
    for photo in asked.photo:
        with tempfile.TemporaryDirectory(prefix="migrator-bench-") as name:
            measure(Path(name), asked.megabytes, photo)


if __name__ == "__main__":
    main()
