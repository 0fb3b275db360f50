"""A Radicale behind lighttpd, which asks for Digest logins (RFC 7616, SHA-256) and sends on what it let in as Basic ones.

Lighttpd's package is only fetched and unpacked: as a package it would serve the system's own pages. Its users are those of the start.
"""

from __future__ import annotations

import base64
import hashlib
import re
import socket
from collections.abc import Mapping
from pathlib import Path

from lab import dav, ground, packages
from lab.ground import HOST, LabError, Server

BEHIND = "radicale"
REALM = "Address books"
CONFIG = """
server.modules = ("mod_auth", "mod_authn_file", "mod_setenv", "mod_proxy")
server.document-root = "{instance}/empty"
server.bind = "{host}"
server.port = {port}
server.errorlog = "{instance}/lighttpd.log"
auth.backend = "htdigest"
auth.backend.htdigest.userfile = "{instance}/htdigest"
auth.require = ("" => ("method" => "digest", "algorithm" => "SHA-256", "realm" => "{realm}", "require" => "valid-user"))
proxy.server = ("" => (("host" => "{host}", "port" => {behind})))
"""
KNOWN = """
$REQUEST_HEADER["Authorization"] =~ "username=\\"{user}\\"" {{ setenv.set-request-header = ("Authorization" => "Basic {basic}") }}
"""


def start(name: str, folder: Path, users: Mapping[str, str]) -> Server:
    """Start both below `folder`. `url` is lighttpd's."""
    if missing := [*packages.not_installed([name]), *packages.not_fetched([name, BEHIND])]:
        raise LabError(f"{name} needs {', '.join(missing)}. Run `scripts/servers install {name} {BEHIND}`.")
    instance = folder / name
    (instance / "empty").mkdir(parents=True, exist_ok=True)
    root = packages.unpack(name, instance)
    books = dav.start(BEHIND, instance, users)
    try:
        (port,) = ground.free_ports(1)
        settings = instance / "lighttpd.conf"
        settings.write_text(
            CONFIG.format(instance=instance, host=HOST, port=port, realm=REALM, behind=books.port)
            + "".join(KNOWN.format(user=re.escape(user), basic=_basic(user, word)) for user, word in users.items())
        )
        (instance / "htdigest").write_text("".join(f"{_line(user, word)}\n" for user, word in users.items()))
        ground.give(instance / "empty")
        words = [root / "usr/sbin/lighttpd", "-D", "-m", root / "usr/lib/lighttpd", "-f", settings]
        log = instance / "start.log"
        process = ground.launch(words, log, root=True)
        ground.wait_until(lambda: _listens(port), process, log)
    except BaseException:
        ground.end(books.processes)
        raise
    return Server(
        name=name,
        kind="lighttpd",
        port=port,
        folder=str(instance),
        url=f"http://{HOST}:{port}/",
        users=dict(users),
        processes={process.pid: ground.started_at(process.pid) or 0, **books.processes},
    )


def _basic(user: str, password: str) -> str:
    return base64.b64encode(f"{user}:{password}".encode()).decode()


def _line(user: str, password: str) -> str:
    return f"{user}:{REALM}:{hashlib.sha256(f'{user}:{REALM}:{password}'.encode()).hexdigest()}"


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0
