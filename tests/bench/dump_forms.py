"""How fast form entries go out of MariaDB and into it: migrator beside mariadb-dump and mariadb, on the same table in one run.

    python tests/bench/dump_forms.py [--rows 1000000] [--restore 200000] [--rounds 1] [--clients mysqlclient pymysql]

A real MariaDB with durable commits, and one table in the shape of Contact Form CFDB7's: a serialised answer of some 490 bytes with umlauts and newlines a row.
`dump` is the whole of `migrator run` into files: start, state, every range read, summed by the server and by us, written, synced and read
back; mariadb-dump writes one file and proves nothing. `restore` is the whole of `migrator run` from such files into an empty database,
beside `mariadb < dump`. Wall time, the program's own CPU time (without the server's) and its peak memory; the ratio is that of wall
times, taken one after the other in each round, the best of the rounds. Nothing here fails when it is slow: it prints, and a person judges.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent.parent / "scripts"), str(HERE.parent.parent)]

from lab import ground, mariadb  # noqa: E402

TABLE = "wp_db7_forms"
MAKING = f"""
CREATE TABLE {TABLE} (form_id bigint(20) NOT NULL AUTO_INCREMENT, form_post_id bigint(20) NOT NULL, form_value longtext NOT NULL,
 form_date datetime NOT NULL DEFAULT '0000-00-00 00:00:00', PRIMARY KEY (form_id)) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_520_ci;
INSERT INTO {TABLE} SELECT seq, 5 + seq % 3, CONCAT('a:4:{{s:12:"cfdb7_status";s:6:"unread";s:9:"your-name";s:',9+LENGTH(seq),':"Müller &quot;',seq,
 '";s:10:"your-email";s:',16+LENGTH(seq),':"user',seq,'@example.com";s:12:"your-message";s:295:"',REPEAT(CONCAT('Grüße aus Köln, Zeile eins\\n',MD5(seq)),5),
 '";}}'), '2026-02-01' + INTERVAL seq SECOND FROM seq_1_to_{{rows}};
"""


@dataclass(frozen=True)
class Took:
    """What a program needed: seconds by the clock, seconds of its own CPU, MiB at its peak."""

    wall: float
    cpu: float
    peak: float

    def __str__(self) -> str:
        return f"{self.wall:7.1f} s   {self.cpu:7.1f} s CPU   {self.peak:5.0f} MiB"


def took(words: list[str], folder: Path, stdin: Path | None = None, stdout: Path | None = None) -> Took:
    """Run a program. Raises with what it said if it fails."""
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent.parent), "DB": mariadb.PASSWORD}
    source = stdin.open("rb") if stdin else subprocess.DEVNULL
    target = stdout.open("wb") if stdout else subprocess.DEVNULL
    start = time.perf_counter()
    with subprocess.Popen(
        words, cwd=folder, env=environment, stdin=source, stdout=target, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr is not None
        said = process.stderr.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - start
    if process.returncode:
        raise SystemExit(said.decode())
    return Took(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


class Bench:
    """A server, and a folder for plans and dumps."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server = mariadb.start("mariadb", ground.prepare(folder / "lab"))
        mariadb.say(self.server, "SET GLOBAL innodb_flush_log_at_trx_commit = 1")
        self.client = [
            str(ground.program("mariadb")),
            "--no-defaults",
            f"--socket={self.server.folder}/m.sock",
            "--user=root",
        ]
        self.dumper = [str(ground.program("mariadb-dump")), *self.client[1:], "--single-transaction", "--quick"]

    def database(self, name: str, rows: int = 0) -> str:
        """An empty database, or one with the table."""
        mariadb.say(self.server, f"DROP DATABASE IF EXISTS {name}; CREATE DATABASE {name} CHARACTER SET utf8mb4")
        if rows:
            mariadb.say(self.server, MAKING.replace("{rows}", str(rows)), name)
        return name

    def moved(self, source: str, target: str) -> Took:
        """The whole of `migrator run` with a fresh state."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        (folder / "plan.yaml").write_text(
            f"version: 1\nsecrets: {{db: {{env: DB}}}}\nendpoints:\n  old: {{forms: {source}}}\n  new: {{forms: {target}}}\n"
            'steps: [{forms: {tables: ["*"]}}]\n'
        )
        return took([sys.executable, "-m", "migrator", "run", "plan.yaml"], folder)

    def endpoint(self, database: str, client: str) -> str:
        """A database as a plan names it."""
        return f"{{type: mysql, port: {self.server.port}, database: {database}, user: {mariadb.USER}, password: db, client: {client}}}"

    def same(self, one: str, other: str) -> bool:
        """Whether the server itself finds both tables equal."""
        sums = [mariadb.say(self.server, f"CHECKSUM TABLE {database}.{TABLE}").split()[1] for database in (one, other)]
        return sums[0] == sums[1]


def best(rows: list[tuple[Took, Took]]) -> tuple[Took, Took]:
    """The round with the smallest ratio."""
    return min(rows, key=lambda pair: pair[1].wall / pair[0].wall)


def told(what: str, pair: tuple[Took, Took], allowed: float) -> None:
    """A line of the table."""
    theirs, ours = pair
    print(
        f"{what:<24} theirs {theirs}\n{'':<24} ours   {ours}   ratio {ours.wall / theirs.wall:.2f} (at most {allowed})"
    )


def measure(bench: Bench, options: argparse.Namespace) -> None:
    """Everything, printed as it comes."""
    source = bench.database("big", options.rows)
    dump = bench.folder / "dump.sql"
    for client, allowed in (("mysqlclient", 2.5), ("pymysql", 4.5)):
        if client not in options.clients:
            continue
        rounds = []
        for number in range(options.rounds):
            theirs = took([*bench.dumper, source, TABLE], bench.folder, stdout=dump)
            files = bench.folder / f"dump-{client}-{number}"
            rounds.append((theirs, bench.moved(bench.endpoint(source, client), f"{{type: files, path: {files}}}")))
            shutil.rmtree(files)
        told(f"dump, {client}", best(rounds), allowed)
    small = bench.database("small", options.restore)
    took([*bench.dumper, small, TABLE], bench.folder, stdout=dump)
    for client in options.clients:
        files = bench.folder / f"small-{client}"
        bench.moved(bench.endpoint(small, client), f"{{type: files, path: {files}}}")
        rounds = []
        for _ in range(options.rounds):
            theirs = took([*bench.client, bench.database("theirs")], bench.folder, stdin=dump)
            ours = bench.moved(f"{{type: files, path: {files}}}", bench.endpoint(bench.database("ours"), client))
            if not bench.same("theirs", "ours"):
                raise SystemExit("the restored tables differ")
            rounds.append((theirs, ours))
        told(f"restore, {client}", best(rounds), 2.5)


def main() -> None:
    """Start a server, measure, and stop it whatever happens."""
    reader = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    reader.add_argument("--rows", type=int, default=1_000_000)
    reader.add_argument("--restore", type=int, default=200_000)
    reader.add_argument("--rounds", type=int, default=1)
    reader.add_argument("--clients", nargs="+", default=["mysqlclient", "pymysql"])
    options = reader.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the server is stopped then, too
    folder = Path(tempfile.mkdtemp(prefix="migrator-bench-"))
    folder.chmod(0o755)
    bench = Bench(folder)
    try:
        measure(bench, options)
    finally:
        ground.end(bench.server.processes)
        shutil.rmtree(folder)
    print(f"peak memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
