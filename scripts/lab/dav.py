"""Radicale and Xandikos on loopback: CardDAV servers from PyPI, each in a virtual environment of its own in the larder.

Radicale speaks http; Xandikos takes logins only over TLS and shows the lab's own certificate. Both read their file of users anew when it
has changed, and make a user's home at the first request; Xandikos with a book in it.
"""

from __future__ import annotations

import base64
import hashlib
import shutil
import socket
from collections.abc import Mapping
from pathlib import Path

from lab import ground, packages
from lab.ground import HOST, LabError, Server

PASSWORDS = "htpasswd"
RADICALE = """
[server]
hosts = {host}:{port}
max_connections = 64
[auth]
type = htpasswd
htpasswd_filename = {users}
htpasswd_encryption = plain
delay = 0
[storage]
filesystem_folder = {data}
[logging]
level = info
"""


def start(name: str, folder: Path, users: Mapping[str, str]) -> Server:
    """Start `radicale` or `xandikos` below `folder` for these logins. `url` is where it is, `ca_file` whom to trust for Xandikos."""
    if missing := packages.not_fetched([name]):
        raise LabError(f"{name} needs {', '.join(missing)}. Run `scripts/servers install {name}`.")
    instance = folder / name
    data = instance / "data"
    data.mkdir(parents=True, exist_ok=True)
    (instance / PASSWORDS).write_text("")
    (port,) = ground.free_ports(1)
    url, ca_file = f"http://{HOST}:{port}/", ""
    if name == "xandikos":
        url, ca_file = f"https://{HOST}:{port}/", str(ground.authority(folder))
        _certify(folder, instance)
        words = _xandikos(instance, port)
    else:
        words = _radicale(instance, port)
    # As root where we are root: Python itself may lie where nobody else may look.
    environment = {"PYTHONDONTWRITEBYTECODE": "1", "HOME": str(instance)}
    log = instance / f"{name}.log"
    process = ground.launch([packages.environment(name) / "bin" / "python", *words], log, env=environment, root=True)
    ground.wait_until(lambda: _listens(port), process, log)
    server = Server(
        name=name,
        kind=name,
        port=port,
        folder=str(instance),
        url=url,
        ca_file=ca_file,
        users=dict(users),
        processes={process.pid: ground.started_at(process.pid) or 0},
    )
    for user, password in users.items():
        add_user(server, user, password)
    return server


def add_user(server: Server, user: str, password: str) -> None:
    """From now on this login is known."""
    known = Path(server.folder) / PASSWORDS
    said = password
    if server.kind == "xandikos":
        said = "{SHA}" + base64.b64encode(hashlib.sha1(password.encode()).digest()).decode()
    # Replaced, not appended to: no server ever reads half of it.
    fresh = known.with_suffix(".new")
    fresh.write_text(f"{known.read_text()}{user}:{said}\n")
    fresh.replace(known)


def data(server: Server) -> Path:
    """The folder of its files, for what only an administrator does."""
    return Path(server.folder) / "data"


def _radicale(instance: Path, port: int) -> list[str | Path]:
    settings = instance / "radicale.ini"
    settings.write_text(RADICALE.format(host=HOST, port=port, users=instance / PASSWORDS, data=instance / "data"))
    return ["-m", "radicale", "--config", settings]


def _xandikos(instance: Path, port: int) -> list[str | Path]:
    where = ["-d", instance / "data", "-l", HOST, "-p", str(port), "--state-dir", instance / "state"]
    return [
        "-m", "xandikos", "multi-user", *where, "--defaults", "--no-detect-systemd",
        "--autocert", "--htpasswd", instance / PASSWORDS,
    ]  # fmt: skip


def _certify(folder: Path, instance: Path) -> None:
    """Lay the lab's certificate where Xandikos would make one of its own."""
    if shutil.which("openssl") is None:
        raise LabError("Xandikos speaks TLS, and there is no openssl here for its certificate. Install it.")
    ground.certify(folder, instance)
    shown = instance / "state" / "certs"
    shown.mkdir(parents=True, exist_ok=True)
    shutil.copy(instance / "server.pem", shown / "selfsigned.crt")
    shutil.copy(instance / "server.key", shown / "selfsigned.key")


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0
