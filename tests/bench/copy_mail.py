"""How fast mail moves: migrator beside mbsync (Debian's isync, no compression) on the same data in one run.

    python tests/bench/copy_mail.py [--rounds 3] [--rtt 0 20 50] [--messages 5000] [--megabytes 155] [--times 2 4] [--many 50000]

Two real Dovecots keep their mail on a memory file system; a proxy makes them far away. Start-up, the state file and reading back
what arrived are part of our time. Figures are medians of the rounds; peak memory is the largest seen. After each copy the target
is compared with the source, file by file. Nothing here fails when it is slow: it prints, and a person judges the ratios.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent / "scripts")]

import mailboxes  # noqa: E402
from lab import dovecot, ground  # noqa: E402

MEMORY = Path("/dev/shm")
USER = "alice@example.com"
PASSWORD = "pw-alice"
POLL = 0.005  # seconds
KEYWORD = re.compile(r":2,([A-Z]*)([a-z]*)$")


@dataclass(frozen=True)
class Cost:
    """What one run of a program took: seconds, its own CPU seconds, and the peak of its memory in bytes."""

    seconds: float
    cpu: float
    peak: int


@dataclass(frozen=True)
class Place:
    """Two servers with their mail in memory, and where to write plans."""

    source: ground.Server
    target: ground.Server
    folder: Path

    @property
    def source_mail(self) -> Path:
        return Path(self.source.mail_folder) / USER / "Maildir"

    @property
    def target_home(self) -> Path:
        return Path(self.target.mail_folder) / USER


# -- the peers ---------------------------------------------------------------------------------------------------------------


def migrator_command(place: Place, ports: tuple[int, int]) -> list[str]:
    """Write a plan; the command that runs it."""
    plan = place.folder / "plan.yaml"
    secret = place.folder / "password"
    secret.write_text(PASSWORD)
    secret.chmod(0o600)
    services = [f"{{type: imap, host: 127.0.0.1, port: {port}, security: none, connections: 4}}" for port in ports]
    plan.write_text(
        "version: 1\nname: bench\nsecrets: {password: {file: password}}\n"
        f"endpoints:\n  old: {{mail: {services[0]}}}\n  new: {{mail: {services[1]}}}\n"
        f"accounts:\n  - {{source: {USER}, source_password: password, target_password: password}}\n"
        "defaults: {route: old -> new}\nsteps: [mail]\n"
    )
    return [str(Path(sys.executable).parent / "migrator"), "run", str(plan)]


def mbsync_command(place: Place, ports: tuple[int, int]) -> list[str]:
    """Write mbsync's configuration; the command that pulls everything."""
    stores = "".join(
        f"IMAPStore {name}\nHost 127.0.0.1\nPort {port}\nUser {USER}\nPass {PASSWORD}\nSSLType None\nAuthMechs PLAIN\n"
        f"DisableExtension COMPRESS=DEFLATE\n{path}\n"
        for name, port, path in (("old", ports[0], "Path INBOX.\n"), ("new", ports[1], ""))
    )
    settings = place.folder / "mbsyncrc"
    settings.write_text(
        f"{stores}Channel bench\nFar :old:\nNear :new:\nPatterns * INBOX\nCreate Near\nSync Pull\nExpunge None\n"
        f"CopyArrivalDate yes\nSyncState {place.folder}/mbsync-state/\n"
    )
    (place.folder / "mbsync-state").mkdir(exist_ok=True)
    return ["mbsync", "--quiet", "--config", str(settings), "bench"]


PEERS = {"migrator": migrator_command, "mbsync": mbsync_command}


# -- measuring ---------------------------------------------------------------------------------------------------------------


def cost_of(command: Sequence[str], log: Path) -> Cost:
    """Run a command to its end, as installed: with its bytecode on disk."""
    installed = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with log.open("wb") as output:
        began = time.monotonic()
        process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, env=installed)
        peak, ended = 0, 0
        while not ended:
            # Not ru_maxrss: a child inherits there what its parent held when it was started.
            peak = max(peak, _peak(process.pid))
            time.sleep(POLL)
            ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        seconds = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{command[0]} ended with {process.returncode}:\n{log.read_text()[-2000:]}")
    return Cost(seconds, usage.ru_utime + usage.ru_stime, peak)


def _peak(pid: int) -> int:
    """The most memory the process has held so far, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) * 1024 if found else 0


def forget(place: Place) -> None:
    """An empty target, and peers that know nothing."""
    shutil.rmtree(place.target_home, ignore_errors=True)
    shutil.rmtree(place.folder / "mbsync-state", ignore_errors=True)
    for state in place.folder.glob("plan.state.sqlite*"):
        state.unlink()


@contextmanager
def far_away(port: int, rtt: float) -> Iterator[int]:
    """The port of a server `rtt` milliseconds away; the server's own for 0."""
    if not rtt:
        yield port
        return
    words = ["-m", "migrator.testing.proxy", "--to", f"127.0.0.1:{port}", "--delay-ms", str(rtt / 2)]
    proxy = subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, text=True)
    assert proxy.stdout is not None
    try:
        yield int(proxy.stdout.readline())
    finally:
        proxy.terminate()
        proxy.wait()


# -- fidelity ----------------------------------------------------------------------------------------------------------------


def held(home: Path) -> Counter[tuple[str, str, int]]:
    """Every message below a mailbox: digest of its bytes, its system flags, its arrival."""
    found: Counter[tuple[str, str, int]] = Counter()
    for path in home.rglob("cur/*"):
        flags = KEYWORD.search(path.name)
        found[_digest(path), "".join(sorted(flags[1])) if flags else "", int(path.stat().st_mtime)] += 1
    for path in home.rglob("new/*"):
        found[_digest(path), "", int(path.stat().st_mtime)] += 1
    return found


def keywords(home: Path) -> int:
    """How many messages below a mailbox carry a keyword."""
    return sum(bool((found := KEYWORD.search(path.name)) and found[2]) for path in home.rglob("cur/*"))


def _digest(path: Path) -> str:
    # Dovecot keeps line ends as LF in a Maildir and gives CRLF to everybody.
    return hashlib.sha256(path.read_bytes().replace(b"\r\n", b"\n")).hexdigest()


def fidelity(place: Place, expected: Counter[tuple[str, str, int]], keyworded: int) -> str:
    """In words, how the target compares with the source."""
    there = held(place.target_home)
    if there == expected:
        lost = keyworded - keywords(place.target_home)
        return "identical" if not lost else f"identical but for {lost:,} keywords lost"
    bytes_same = sum((Counter(d for d, *_ in expected.elements()) & Counter(d for d, *_ in there.elements())).values())
    return f"{bytes_same:,} of {expected.total():,} with the same bytes, {there.total():,} there, {keyworded - keywords(place.target_home):,} keywords lost"


# -- the runs ----------------------------------------------------------------------------------------------------------------


def compare(place: Place, rtt: float, rounds: int, title: str) -> None:
    """Copy and idle pass of both peers, interleaved, and a table of the medians."""
    expected, keyworded = held(place.source_mail), keywords(place.source_mail)
    assert keyworded, "the bench mailbox should carry keywords"
    size = sum(path.stat().st_size for path in place.source_mail.rglob("cur/*"))
    copies: dict[str, list[Cost]] = {peer: [] for peer in PEERS}
    idles: dict[str, list[Cost]] = {peer: [] for peer in PEERS}
    words: dict[str, str] = {}
    with far_away(place.source.port, rtt) as source, far_away(place.target.port, rtt) as target:
        for _ in range(rounds):
            for peer, command in PEERS.items():
                forget(place)
                line = command(place, (source, target))
                copies[peer].append(cost_of(line, place.folder / f"{peer}.log"))
                idles[peer].append(cost_of(line, place.folder / f"{peer}.log"))
                words[peer] = fidelity(place, expected, keyworded)
    print(f"\n{title}: {expected.total():,} messages, {size / 1e6:,.0f} MB, round trip {rtt:g} ms, {rounds} rounds")
    print(f"{'':10} {'seconds':>8} {'msg/s':>8} {'MB/s':>7} {'CPU s':>6} {'peak MB':>8} {'idle s':>7}  fidelity")
    for peer in PEERS:
        seconds = median(cost.seconds for cost in copies[peer])
        print(
            f"{peer:10} {seconds:8.2f} {expected.total() / seconds:8,.0f} {size / 1e6 / seconds:7.1f}"
            f" {median(cost.cpu for cost in copies[peer]):6.2f} {max(cost.peak for cost in copies[peer]) / 1e6:8.0f}"
            f" {median(cost.seconds for cost in idles[peer]):7.2f}  {words[peer]}"
        )
    ratio = median(cost.seconds for cost in copies["mbsync"]) / median(cost.seconds for cost in copies["migrator"])
    idle = median(cost.seconds for cost in idles["mbsync"]) / median(cost.seconds for cost in idles["migrator"])
    print(f"mbsync / migrator: copy {ratio:.2f}, idle pass {idle:.2f}", flush=True)


@contextmanager
def servers() -> Iterator[Place]:
    """Two Dovecots with their mail in memory."""
    if not MEMORY.is_dir():
        sys.exit(f"{MEMORY} is not there; without a memory file system the disk would be measured.")
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="migrator-bench-", dir=MEMORY))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        ground.prepare(folder)
        options = dovecot.Options(mail_folder=str(folder / "mail"))
        started = []
        for name in ("dovecot-inbox", "dovecot-slash"):
            server = dovecot.start(name, folder, {USER: PASSWORD}, options)
            stack.callback(ground.end, server.processes)
            started.append(server)
        work = folder / "work"
        work.mkdir()
        yield Place(started[0], started[1], work)


def main() -> None:
    grammar = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    grammar.add_argument("--rounds", type=int, default=3)
    grammar.add_argument("--rtt", type=float, nargs="*", default=[0, 20, 50], help="milliseconds")
    grammar.add_argument("--messages", type=int, default=5_000)
    grammar.add_argument("--megabytes", type=int, default=155)
    grammar.add_argument("--times", type=int, nargs="*", default=[], help="also, at 0 ms, so many times as much mail")
    grammar.add_argument("--many", type=int, default=0, help="also one folder with so many messages of 2 KB")
    asked = grammar.parse_args()
    if not shutil.which("mbsync"):
        sys.exit("mbsync is missing: scripts/servers install isync")
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}", flush=True)
    with servers() as place:
        mailboxes.mixed(place.source_mail, messages=asked.messages, megabytes=asked.megabytes)
        ground.give(place.source_mail.parent)
        for rtt in asked.rtt:
            compare(place, rtt, asked.rounds, "mixed mail in 20 folders")
        for times in asked.times:
            mailboxes.empty(place.source_mail.parent)
            mailboxes.mixed(place.source_mail, messages=times * asked.messages, megabytes=times * asked.megabytes)
            ground.give(place.source_mail.parent)
            compare(place, 0, asked.rounds, "mixed mail in 20 folders")
        if asked.many:
            mailboxes.empty(place.source_mail.parent)
            mailboxes.one_folder(place.source_mail, messages=asked.many)
            ground.give(place.source_mail.parent)
            compare(place, 0, 1, "one folder")


if __name__ == "__main__":
    main()
