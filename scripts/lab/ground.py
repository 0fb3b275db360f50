"""What every server of the lab stands on: an account without privileges, free ports, certificates, processes, the record of
what runs.

A server is stopped by the process ids written down when it was started, and only while the process still has the start time
written beside its id: an id that the system has given to another process since is left alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TypedDict

HOST = "127.0.0.1"
OTHER_HOST = "127.0.0.2"  # loopback too: here Dovecot shows a certificate that is valid, but for another name
OTHER_NAME = "other.example.com"
PATIENCE = 20.0  # seconds a server may take to answer
# Below Linux' range for outgoing connections: a port found free stays free until the server takes it.
PORTS = range(20000, 32000)


class LabError(Exception):
    """The lab cannot do what was asked. The message says why and what to do."""


# -- who runs it -----------------------------------------------------------------------------------------------------


def account() -> pwd.struct_passwd:
    """Whom the servers run as: us, or `nobody` when we are root."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())


def give(path: Path) -> None:
    """Hand a folder with all it holds to the account the servers run as."""
    if os.geteuid() != 0:
        return
    owner = account()
    for base, folders, files in os.walk(path):
        for name in [*folders, *files]:
            os.chown(Path(base, name), owner.pw_uid, owner.pw_gid, follow_symlinks=False)
    os.chown(path, owner.pw_uid, owner.pw_gid)


def prepare(folder: Path) -> Path:
    """The lab's folder, made if need be, where the servers' account can enter it; LabError where it cannot."""
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() != 0:
        return folder
    folder.chmod(0o755)
    for parent in folder.parents:
        if not parent.stat().st_mode & 0o001:
            raise LabError(
                f"{parent} may not be entered by {account().pw_name}, whom the servers run as. "
                "Choose a --folder below one that everybody may enter, such as /tmp."
            )
    return folder


class _Rights(TypedDict, total=False):
    user: int
    group: int
    extra_groups: list[int]
    umask: int


def demoted() -> _Rights:
    """What subprocess needs to run a program without root's rights; nothing where we have none."""
    if os.geteuid() != 0:
        return {}
    who = account()
    return {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": [], "umask": 0o077}


def run(
    command: Sequence[str | Path],
    *,
    unprivileged: bool = False,
    input: str | None = None,  # noqa: A002 - subprocess' own word
    env: Mapping[str, str] | None = None,
    cwd: str | Path | None = None,
) -> str:
    """Run a program to its end and return what it printed; LabError with its last words when it fails."""
    rights: _Rights = demoted() if unprivileged else {}
    done = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        check=False,
        input=input,
        env=env,
        cwd=cwd,
        **rights,
    )
    if done.returncode != 0:
        words = (done.stderr or done.stdout).strip()[-2000:]
        raise LabError(f"{Path(command[0]).name} ended with {done.returncode}: {words}")
    return done.stdout


def program(name: str) -> Path:
    """Where a program is, with the system folders in the search; LabError if it is nowhere."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin")
    if found is None:
        raise LabError(f"The program {name} is missing. Run `scripts/servers install` for the server you start.")
    return Path(found)


# -- ports -----------------------------------------------------------------------------------------------------------


def free_ports(count: int) -> list[int]:
    """So many loopback ports that nobody listens on, all different."""
    found: list[int] = []
    for port in random.sample(PORTS, len(PORTS)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise LabError(f"No {count} free ports between {PORTS.start} and {PORTS.stop} on {HOST}.")


def greets(port: int) -> bool:
    """Whether a server that speaks first does so on this port."""
    try:
        with socket.create_connection((HOST, port), 2) as connection:
            return bool(connection.recv(64))
    except OSError:
        return False


def wait_until(
    ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path, *, patience: float = PATIENCE
) -> None:
    """Return as soon as the server is ready; LabError with the end of its log when it ends or is silent for too long."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline and process.poll() is None:
        if ready():
            return
        time.sleep(0.05)
    end({process.pid: started_at(process.pid) or 0})
    raise LabError(f"The server with the log {log} did not start. Its last words:\n{tail(log)}")


def tail(log: Path) -> str:
    """The last lines of a log, for an error message."""
    return log.read_text(errors="replace")[-2000:] if log.exists() else "(no log)"


# -- certificates ----------------------------------------------------------------------------------------------------

_OPENSSL = """
[req]
distinguished_name = name
prompt = no
[name]
CN = {name}
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = {alternatives}
"""


def _signed(folder: Path, stem: str, section: str, name: str, alternatives: str, *signer: str | Path) -> None:
    settings = folder / f"{stem}.cnf"
    settings.write_text(_OPENSSL.format(name=name, alternatives=alternatives))
    run([
        program("openssl"), "req", "-x509", "-config", settings, "-extensions", section, "-days", "30", "-nodes", *signer,
        "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
        "-keyout", folder / f"{stem}.key", "-out", folder / f"{stem}.pem",
    ])  # fmt: skip


def authority(folder: Path) -> Path:
    """The certificate of the lab's own certificate authority, made at the first call."""
    where = folder / "authority"
    certificate = where / "ca.pem"
    if not certificate.exists():
        where.mkdir(mode=0o755, exist_ok=True)
        _signed(where, "ca", "authority", "migrator lab authority", "DNS:localhost")
    return certificate


def certify(folder: Path, instance: Path) -> None:
    """Put `server.pem`/`.key` for localhost and 127.0.0.1, and `other.pem`/`.key` for another name, into an instance's folder."""
    signer = ("-CA", authority(folder), "-CAkey", folder / "authority" / "ca.key")
    _signed(instance, "server", "server", "localhost", f"DNS:localhost, IP:{HOST}", *signer)
    _signed(instance, "other", "server", OTHER_NAME, f"DNS:{OTHER_NAME}", *signer)


# -- processes -------------------------------------------------------------------------------------------------------


def started_at(pid: int) -> int | None:
    """When a process was started, in clock ticks since boot; None if it is not there or has ended."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if state[0] in "ZX" else int(state[19])


def launch(
    command: Sequence[str | Path], log: Path, *, env: Mapping[str, str] | None = None, root: bool = False
) -> subprocess.Popen[bytes]:
    """Start a server that stays in the foreground, in a session of its own, its output in `log`."""
    rights: _Rights = {} if root else demoted()
    with log.open("ab") as output:
        if not root:
            give(log)
        return subprocess.Popen(
            [str(word) for word in command],
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env={"PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), **(env or {})},
            **rights,
        )


def session(leader: int) -> dict[int, int]:
    """The processes of the session that was started with this one (`launch` gives each server its own), itself first: id -> start time."""
    found = {leader: started_at(leader) or 0}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            state = (process / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(state[3]) == leader and (began := started_at(int(process.name))) is not None:
            found.setdefault(int(process.name), began)
    return found


def end(processes: Mapping[int, int]) -> list[int]:
    """Stop these processes (id -> start time) with all that have come into their sessions since, politely, then not. Returns the ids of
    those that would not go.
    """
    processes = {
        pid: began
        for leader, started in processes.items()
        # A leader whose number belongs to another process by now says nothing about who is ours.
        for pid, began in (session(leader) if started_at(leader) == started else {leader: started}).items()
    }
    for kind, patience in ((signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0)):
        for pid in _still(processes):
            # It may end in this very moment: stopping one process of a server often ends the others.
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, kind)
        deadline = time.monotonic() + patience
        while _still(processes) and time.monotonic() < deadline:
            time.sleep(0.02)
    return _still(processes)


def _still(processes: Mapping[int, int]) -> list[int]:
    return [pid for pid, started in processes.items() if started_at(pid) == started]


# -- the record of what runs -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Server:
    """One running server. `users` are logins with their passwords, `admin` one that may administer, `processes` maps ids to
    start times. For mail, `prefix` and `separator` are those of the personal namespace; for a database, `url` names it.
    """

    name: str
    kind: str
    port: int
    folder: str
    host: str = HOST
    tls_port: int = 0
    ca_file: str = ""
    prefix: str = ""
    separator: str = ""
    mail_folder: str = ""
    url: str = ""
    users: dict[str, str] = field(default_factory=dict)
    admin: dict[str, str] = field(default_factory=dict)
    processes: dict[int, int] = field(default_factory=dict)

    @property
    def running(self) -> bool:
        """Whether its first process, the one that holds the others, is alive."""
        return any(started_at(pid) == started for pid, started in list(self.processes.items())[:1])


def record(folder: Path) -> Path:
    """The file that says what was started in a lab's folder."""
    return folder / "servers.json"


def recorded(folder: Path) -> dict[str, Server]:
    """The servers written down in a lab's folder, by name; none where nothing was started."""
    try:
        rows = json.loads(record(folder).read_text())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise LabError(
            f"{record(folder)} cannot be read: {error}. Stop what it started by hand, then delete it."
        ) from error
    return {
        name: Server(**{**row, "processes": {int(pid): ticks for pid, ticks in row["processes"].items()}})
        for name, row in rows.items()
    }


def write_down(folder: Path, servers: Mapping[str, Server]) -> None:
    """Replace the record, whole, readable by its owner alone (it holds the lab's passwords); no servers, no record."""
    if not servers:
        record(folder).unlink(missing_ok=True)
        return
    fresh = record(folder).with_suffix(".new")
    fresh.touch(mode=0o600)
    fresh.write_text(json.dumps({name: asdict(server) for name, server in servers.items()}, indent=1) + "\n")
    fresh.replace(record(folder))
