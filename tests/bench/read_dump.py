"""How fast a dump is read, and what memory it takes.

    python tests/bench/read_dump.py [--megabytes 100] [--rounds 3]

Three texts are made from a seed, each as mysqldump writes it (many rows a statement) and one with a statement for each row: entries of a
contact form (PHP-serialised, so every text is full of escaped quotes), the narrow rows of wp_postmeta, which are the hardest, and rows
with blobs as hexadecimal. "skipped" is what a table costs that nobody asked for. Peak memory is that of a process of its own. Nothing here
fails when it is slow: it prints, and a person judges (35 MB/s is what the dump reader is to do).
"""

from __future__ import annotations

import argparse
import gzip
import io
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT))

from migrator.forms.sql_text import Rows, Want, parts  # noqa: E402

MB = 1024 * 1024
STATEMENT = MB  # how long a statement of many rows grows, as mysqldump's net_buffer_length has it
WORDS = [
    "hello",
    "your",
    "offer",
    "price",
    "number",
    "please",
    "house",
    "Grüße",
    "it's",
    '"quoted"',
    "C:\\new\\",
    "question",
    "\r\n",
    "thank",
    "you",
    "😀",
    "phone",
]
MEASURE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from migrator.forms.packed import Unpacked
from migrator.forms.sql_text import Rows, Want, parts
def peak():
    return next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
empty = peak()
rows = sum(part.count for part in parts(Unpacked(Path(sys.argv[1])), "dump", lambda *_: Want.VALUES) if isinstance(part, Rows))
print(rows, empty, peak())
"""


def quoted(text: str) -> str:
    for plain, escape in (("\\", "\\\\"), ("\n", "\\n"), ("\r", "\\r"), ("'", "\\'"), ('"', '\\"')):
        text = text.replace(plain, escape)
    return f"'{text}'"


def entry(chance: random.Random, number: int) -> str:
    fields = {"cfdb7_status": "unread", "your-name": f"Kim {number}", "your-email": f"kim{number}@example.com"}
    fields["your-message"] = " ".join(chance.choices(WORDS, k=chance.randint(10, 80)))
    serialised = "".join(f's:{len(key)}:"{key}";s:{len(text.encode())}:"{text}";' for key, text in fields.items())
    return f"({number},{chance.randint(5, 9)},{quoted(f'a:{len(fields)}:{{{serialised}}}')},'2024-03-11 08:15:{number % 60:02}')"


def meta(chance: random.Random, number: int) -> str:
    return f"({number},{number // 12},{quoted(f'_field_{number % 12}')},{quoted(chance.choice(WORDS))})"


def blob(chance: random.Random, number: int) -> str:
    return f"({number},NULL,0x{chance.randbytes(2000).hex().upper()},-1.5)"


def text_of(table: str, row: Callable[[random.Random, int], str], size: int, *, single: bool = False) -> bytes:
    """A dump's INSERTs of about this size."""

    def statements() -> Iterator[str]:
        chance, number, length = random.Random(7), 0, 0
        while length < size:
            rows: list[str] = []
            held = 0
            while held < (1 if single else STATEMENT):
                number += 1
                rows.append(row(chance, number))
                held += len(rows[-1])
            length += held
            yield f"INSERT INTO `{table}` VALUES {','.join(rows)};\n"

    return "".join(statements()).encode()


def speed(text: bytes, want: Want, rounds: int) -> tuple[float, int]:
    took = []
    for _ in range(rounds):
        began = time.process_time()  # others may be busy on this machine
        rows = sum(part.count for part in parts(io.BytesIO(text), "dump", lambda *_: want) if isinstance(part, Rows))
        took.append(time.process_time() - began)
    return len(text) / MB / median(took), rows


def main() -> None:
    grammar = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    grammar.add_argument(
        "--megabytes", type=int, default=100, help="size of the file whose memory is measured; a tenth is timed"
    )
    grammar.add_argument("--rounds", type=int, default=3)
    asked = grammar.parse_args()
    kinds = (
        ("wp_db7_forms", entry, False),
        ("wp_db7_forms, a statement a row", entry, True),
        ("wp_postmeta", meta, False),
        ("wp_postmeta, a statement a row", meta, True),
        ("blobs in hexadecimal", blob, False),
    )
    print(f"{'':36}{'read':>12}{'counted':>12}{'skipped':>12}{'rows':>12}")
    for name, row, single in kinds:
        text = text_of("t", row, asked.megabytes * MB // 10, single=single)
        (read, rows), (counted, _), (skipped, _) = (speed(text, want, asked.rounds) for want in reversed(Want))
        print(f"{name:36}{read:>7,.1f} MB/s{counted:>7,.1f} MB/s{skipped:>7,.1f} MB/s{rows:>12,}")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "dump.sql.gz"
        file.write_bytes(gzip.compress(text_of("t", entry, asked.megabytes * MB), 1))
        done = subprocess.run(
            [sys.executable, "-c", MEASURE, str(file), str(CHECKOUT)], capture_output=True, text=True, check=True
        )
    rows, empty, peak = map(int, done.stdout.split())
    print(
        f"{asked.megabytes} MB in one .sql.gz: {rows:,} rows, peak memory {peak / 1024:,.0f} MiB ({(peak - empty) / 1024:,.0f} above an empty one)"
    )


if __name__ == "__main__":
    main()
