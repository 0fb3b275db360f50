"""What the `lists` step itself costs: a list from memory to memory and from CSV to CSV, with everything that is decided, recorded and proven.

    python tests/bench/move_lists.py [--members 50000]

Servers take their own time on top (tests/bench/fill_lists.py). Told are seconds of this process's work, of a first run, of a second one
that finds nothing to do, and of a verification; and the most memory it took. Nothing here fails when it is slow: it prints, and a person
judges.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from migrator.engine.contract import Login, Side
from migrator.engine.stage import Stage
from migrator.lists.adapters import csv
from migrator.lists.contract import THE_LISTS, ListReader, ListWriter
from migrator.lists.model import Delivery, Member, Settings, Treatment
from migrator.lists.options import ListsOptions
from migrator.lists.step import KIND
from migrator.testing.memory_lists import ABLE, ListsRoute, MemoryLists, accounts_of
from migrator.testing.trial import Trial

NEWS = "news@example.com"
LOGIN = Login(THE_LISTS, THE_LISTS)


class FilesRoute(ListsRoute):
    """Between two folders."""

    folder: Path = Path()

    def for_reading(self, side: Side, service: str, account: str) -> ListReader:
        del service, account
        return csv.ADAPTER.reader(csv.Options(path=self.folder / side.value), LOGIN)

    def for_writing(self, side: Side, service: str, account: str) -> ListWriter:
        del service, account
        return csv.ADAPTER.writer(csv.Options(path=self.folder / side.value), LOGIN)  # type: ignore[misc]  # there is one


def people(count: int) -> list[Member]:
    """Members with a name and options in turn."""
    return [
        Member(
            f"member{n}@example.com",
            f"Member {n} Müller",
            delivery=Delivery.MIME_DIGEST if n % 7 == 0 else Delivery.REGULAR,
            moderation=Treatment.DEFER,
            hidden=bool(n % 2),
        )
        for n in range(count)
    ]


def timed(what: Callable[[], object]) -> float:
    """Seconds of work."""
    began = time.process_time()
    what()
    return time.process_time() - began


def measure(title: str, count: int, route: ListsRoute) -> None:
    """One move, told in a line."""
    step = KIND.build(ListsOptions(), accounts_of("ann@example.com"))
    trial = Trial([Stage("lists", "lists", step, route)], workers=1)
    first, again = timed(trial.run), timed(trial.run)
    proof = timed(trial.verify)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{title}: {count:,} members; first run {first:.1f} s ({count / first:,.0f}/s), second run {again:.1f} s, "
        f"verification {proof:.1f} s; most memory so far {memory:,.0f} MB"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", type=int, default=50_000)
    count = parser.parse_args().members
    features = replace(ABLE, at_once=100)
    old, new = MemoryLists("old", features), MemoryLists("new", features, importer=True)
    old.fill(NEWS, Settings(description="News"), *people(count))
    measure("memory to memory", count, ListsRoute(old, new))
    with tempfile.TemporaryDirectory() as folder:
        route = FilesRoute(old, new)
        route.folder = Path(folder)
        source = route.for_writing(Side.SOURCE, "lists", "")
        source.create_list(NEWS, "", None)
        for start in range(0, count, 1000):
            source.add(NEWS, people(count)[start : start + 1000])
        measure("CSV to CSV", count, route)


if __name__ == "__main__":
    main()
