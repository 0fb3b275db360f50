"""How fast a dump's entries become sheets, without a server, and in how much memory: Gravity Forms, a row for each entry and eight for its answers.

    python tests/bench/dump_sheets.py [--entries 100000] [--packed] [--first 100000]

`--packed` reads a .sql.gz, `--first` stops after so many entries. Nothing here fails when it is slow: it prints, and a person judges.
"""

from __future__ import annotations

import argparse
import gzip
import resource
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT))

from migrator.engine.contract import Login  # noqa: E402
from migrator.forms import sheet  # noqa: E402
from migrator.forms.adapters.dump import DumpReader, Options  # noqa: E402
from migrator.forms.flat import Flat, site_of  # noqa: E402
from migrator.forms.plugins import detect  # noqa: E402

MB = 1024 * 1024
ANSWERS = ("1.3", "1.6", "2", "3.1", "3.2", "5", "9", "10")
A_STATEMENT = 2000  # rows


def dump(folder: Path, entries: int, *, packed: bool) -> Path:
    path = folder / ("dump.sql.gz" if packed else "dump.sql")
    with gzip.open(path, "wt", 1, "utf-8") if packed else path.open("w", encoding="utf-8") as file:
        file.write(
            (CHECKOUT / "fixtures" / "forms" / "gravity-forms.sql")
            .read_text("utf-8")
            .partition("INSERT INTO `wp_gf_entry`")[0]
        )
        for start in range(0, entries, A_STATEMENT):
            rows = (
                f"({n + 1},1,NULL,'2026-03-02 08:15:00',NULL,0,0,'','','',NULL,NULL,'active')"
                for n in range(start, min(start + A_STATEMENT, entries))
            )
            file.write(f"INSERT INTO `wp_gf_entry` VALUES {','.join(rows)};\n")
        for start in range(0, entries * len(ANSWERS), A_STATEMENT):
            rows = (
                f"({n + 1},1,{n // len(ANSWERS) + 1},'{ANSWERS[n % len(ANSWERS)]}','answer {n} {'x' * (n % 90)}','')"
                for n in range(start, min(start + A_STATEMENT, entries * len(ANSWERS)))
            )
            file.write(f"INSERT INTO `wp_gf_entry_meta` VALUES {','.join(rows)};\n")
    return path


def main() -> None:
    grammar = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    grammar.add_argument("--entries", type=int, default=100_000)
    grammar.add_argument("--packed", action="store_true")
    grammar.add_argument("--first", type=int, default=sys.maxsize)
    asked = grammar.parse_args()
    with tempfile.TemporaryDirectory(prefix="migrator-bench-") as name:
        folder = Path(name)
        path = dump(folder, asked.entries, packed=asked.packed)
        reader = DumpReader(Options(path=path), Login("database", "database"))
        (stored,) = [one for one in detect.present(reader, ("gravity-forms",)) if one.tables]
        indexed = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        flat = Flat(reader, stored, site_of(reader, stored))
        begun, worked = time.perf_counter(), time.process_time()
        made = list(sheet.write(islice(flat.entries(), asked.first), folder / "sheets", flat.fields))
        seconds, worked = time.perf_counter() - begun, time.process_time() - worked
        entries, size = sum(one.entries for one in made), path.stat().st_size
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{entries:,} of {asked.entries:,} entries out of {size / MB:.0f} MB in {seconds:.1f} s ({worked:.1f} s of CPU): "
        f"{entries / seconds:,.0f} a second; at most {peak:.0f} MiB, {indexed:.0f} when the dump had been read through"
    )


if __name__ == "__main__":
    main()
