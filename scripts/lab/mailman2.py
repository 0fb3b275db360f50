"""Mailman 2.1 on loopback: the emulator of its web administration, in a process of its own. A real one wants Python 2, which no Debian has any
more. What is changed in it is forgotten when it ends.
"""

from __future__ import annotations

import socket
import ssl
import sys
from pathlib import Path

from lab import ground
from lab.ground import HOST, Server
from lab.packages import CHECKOUT

LIST, SITE = "list-secret", "site-secret-Kq3"  # as migrator/testing/mailman2 has them


def start(name: str, folder: Path, *, empty: bool = False) -> Server:
    """Start it below `folder`, with two lists unless it is to be `empty`. `url` is the folder above /admin."""
    instance = folder / name
    instance.mkdir(exist_ok=True)
    ground.certify(folder, instance)
    pem = instance / "both.pem"
    pem.touch(mode=0o600)
    pem.write_bytes((instance / "server.pem").read_bytes() + (instance / "server.key").read_bytes())
    (port,) = ground.free_ports(1)
    words = [sys.executable, "-m", "migrator.testing.mailman2", "--port", str(port), "--certificate", pem]
    log = instance / "mailman2.log"
    # As root where we are root: Python itself, and the checkout, may lie where nobody else may look.
    environment = {"PYTHONPATH": str(CHECKOUT), "PYTHONDONTWRITEBYTECODE": "1"}
    process = ground.launch([*words, *(["--empty"] if empty else [])], log, env=environment, root=True)
    ground.wait_until(lambda: _listens(port), process, log)
    return Server(
        name=name,
        kind="mailman2",
        port=port,
        folder=str(instance),
        url=f"https://{HOST}:{port}/mailman",
        ca_file=str(ground.authority(folder)),
        users={} if empty else {f"{one}@example.com": LIST for one in ("announce", "board")},
        admin={"site": SITE},
        processes=ground.session(process.pid),
    )


def _listens(port: int) -> bool:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with socket.create_connection((HOST, port), 2) as plain, context.wrap_socket(plain):
            return True
    except OSError:
        return False
