"""Mailman 3 core on loopback: its own virtual environment in the larder, an SQLite database below the lab's folder, and a mail server
behind it that delivers nothing and writes a line for every message it is handed (`handed_over`).

Only REST and LMTP can be reached from outside; every runner that could send somebody a mail is started. The environment pins
SQLAlchemy: with 2.1 Mailman 3.3.10 starts and takes members, but answers 500 to every roster.
"""

from __future__ import annotations

import base64
import configparser
import http.client
import json
import secrets
import socket
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from lab import ground, packages
from lab.ground import HOST, LabError, Server

ADMIN = "restadmin"
PATIENCE = 120.0  # seconds: a dozen interpreters start, each of which loads all of Mailman
SETTINGS = """
[mailman]
site_owner: postmaster@example.com
layout: lab
# As root where we are root: Python itself may lie where nobody else may look.
run_as_root_ok: yes
[paths.lab]
var_dir: {data}
[webservice]
hostname: {host}
port: {port}
admin_user: {admin}
admin_pass: {password}
[database]
class: mailman.database.sqlite.SQLiteDatabase
url: sqlite:///{data}/mailman.db
[mta]
incoming: mailman.mta.null.NullMTA
lmtp_host: {host}
lmtp_port: {lmtp}
smtp_host: {host}
smtp_port: {smtp}
[archiver.prototype]
enable: no
[runner.archive]
start: no
# It writes to members whose delivery bounces have stopped, every two minutes where nobody says otherwise.
[runner.bounces]
sleep_time: 1s
"""
SINK = """
import asyncio, json, sys
from email import message_from_bytes, policy
from aiosmtpd.controller import UnthreadedController

class Sink:
    async def handle_DATA(self, server, session, envelope):
        subject = message_from_bytes(envelope.content, policy=policy.default).get("subject", "")
        line = json.dumps({"sender": envelope.mail_from, "recipients": envelope.rcpt_tos, "subject": str(subject)})
        with open(sys.argv[2], "a") as handed:
            handed.write(line + "\\n")
        return "250 written down, delivered to nobody"

loop = asyncio.new_event_loop()
UnthreadedController(Sink(), hostname="127.0.0.1", port=int(sys.argv[1]), loop=loop).begin()
loop.run_forever()
"""


@dataclass(frozen=True)
class Letter:
    """One message that Mailman handed to its mail server."""

    sender: str
    recipients: list[str]
    subject: str


def start(name: str, folder: Path) -> Server:
    """Start Mailman's core below `folder`. `url` is its REST service, `port` that one's, `admin` the login for it."""
    if missing := packages.not_fetched(["mailman3"]):
        raise LabError(f"Mailman 3 needs {', '.join(missing)}. Run `scripts/servers install mailman3`.")
    instance = folder / name
    (instance / "var").mkdir(parents=True, exist_ok=True)
    rest, lmtp, smtp = ground.free_ports(3)
    password = secrets.token_urlsafe(12)
    settings, sink_log, log = instance / "mailman.cfg", instance / "sink.log", instance / "mailman.log"
    settings.touch(mode=0o600)
    settings.write_text(
        SETTINGS.format(
            data=instance / "var", host=HOST, port=rest, admin=ADMIN, password=password, lmtp=lmtp, smtp=smtp
        )
    )
    sink_script = instance / "sink.py"
    sink_script.write_text(SINK)
    _handed(instance).touch()
    python = packages.environment("mailman3") / "bin" / "python"
    environment = {"PYTHONDONTWRITEBYTECODE": "1", "HOME": str(instance)}
    sink = ground.launch([python, sink_script, str(smtp), _handed(instance)], sink_log, env=environment, root=True)
    ground.wait_until(lambda: _listens(smtp), sink, sink_log)
    started = {sink.pid: ground.started_at(sink.pid) or 0}
    url = f"http://{HOST}:{rest}/3.1"
    try:
        # --force: a master that was killed leaves its lock behind, and nobody else starts one here.
        words = [python, python.parent / "master", "-C", settings, "--force"]
        master = ground.launch(words, log, env=environment, root=True)
        ground.wait_until(lambda: _answers(url, password), master, log, patience=PATIENCE)
    except BaseException:
        ground.end(started)
        raise
    return Server(
        name=name,
        kind=name,
        port=rest,
        folder=str(instance),
        url=url,
        admin={ADMIN: password},
        processes={**ground.session(master.pid), **started},
    )


def ask(server: Server, method: str, path: str, fields: Mapping[str, object]) -> tuple[int, Any]:
    """What the REST service answers to these fields: the status, and the body as JSON or None. A value that is a list is sent as many."""
    ((user, password),) = server.admin.items()
    return _ask(server.url, user, password, method, path, fields)


def handed_over(server: Server) -> list[Letter]:
    """Every message Mailman handed to its mail server since the lab's folder was made."""
    return [Letter(**json.loads(line)) for line in _handed(Path(server.folder)).read_text().splitlines()]


def waiting(server: Server) -> list[str]:
    """The messages in Mailman's own queues, which it has still to look at: file names with their queue."""
    queues = Path(server.folder) / "var" / "queue"
    return sorted(str(path.relative_to(queues)) for path in queues.glob("*/*.pck"))


def lmtp_port(server: Server) -> int:
    """Where it takes posts to its lists, by LMTP."""
    settings = configparser.ConfigParser()
    settings.read(Path(server.folder) / "mailman.cfg")
    return settings.getint("mta", "lmtp_port")


def smtp_port(server: Server) -> int:
    """Where its mail server listens, which writes down whatever it is handed."""
    settings = configparser.ConfigParser()
    settings.read(Path(server.folder) / "mailman.cfg")
    return settings.getint("mta", "smtp_port")


def python() -> Path:
    """The interpreter that can import mailmanclient: Mailman's own."""
    return packages.environment("mailman3") / "bin" / "python"


def _handed(instance: Path) -> Path:
    return instance / "handed-over.jsonl"


def _answers(url: str, password: str) -> bool:
    try:
        return _ask(url, ADMIN, password, "GET", "system/versions", {})[0] == HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False


def _ask(url: str, user: str, password: str, method: str, path: str, fields: Mapping[str, object]) -> tuple[int, Any]:
    token = base64.b64encode(f"{user}:{password}".encode()).decode()
    query = urllib.parse.urlencode(fields, doseq=True)
    request = urllib.request.Request(
        f"{url}/{path}" + (f"?{query}" if method == "GET" and query else ""),
        method=method,
        headers={"Authorization": f"Basic {token}"},
        data=query.encode() if method != "GET" else None,
    )
    try:
        answer = urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        body = answer.read()
        return answer.status, json.loads(body) if body else None


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0
