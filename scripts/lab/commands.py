"""The words of `scripts/servers`: install, start, stop, status."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from lab import (
    courier,
    cyrus,
    dav,
    dovecot,
    ground,
    lighttpd,
    mailman2,
    mailman3,
    mariadb,
    modoboa,
    packages,
    phpmyadmin,
    postgresql,
    roundcube,
)
from lab.ground import LabError, Server

NAMES = (
    *dovecot.SHAPES, "cyrus", "courier", "postgresql", "mariadb", "modoboa", "radicale", "xandikos", "roundcube", "mailman2",
    "mailman2-empty", "mailman3", "lighttpd", *phpmyadmin.SHAPES,
)  # fmt: skip
USERS = {f"{name}@example.com": f"pw-{name}" for name in ("alice", "bob", "carmen")}


def main(words: Sequence[str] | None = None) -> int:
    """Do what the command line says; 0, or 1 with a sentence on stderr."""
    asked = _grammar().parse_args(words)
    try:
        if asked.word == "install":
            packages.install(asked.name or list(packages.PARTS))
            return 0
        if asked.word == "start":
            return _start(asked)
        return _stop(asked) if asked.word == "stop" else _status(asked)
    except LabError as error:
        print(f"scripts/servers: {error}", file=sys.stderr)
        return 1


def start(name: str, folder: Path, users: Mapping[str, str], options: dovecot.Options) -> Server:
    """Start one server below `folder`. `options` are Dovecot's."""
    if name in dovecot.SHAPES:
        return dovecot.start(name, folder, users, options)
    with_users = {
        "courier": courier.start,
        "cyrus": cyrus.start,
        "lighttpd": lighttpd.start,
        "radicale": dav.start,
        "roundcube": roundcube.start,
        "xandikos": dav.start,
    }
    if name in with_users:
        return with_users[name](name, folder, users)
    others = {
        "mailman2": mailman2.start,
        "mailman2-empty": partial(mailman2.start, empty=True),
        "mailman3": mailman3.start,
        "mariadb": mariadb.start,
        "modoboa": modoboa.start,
        **dict.fromkeys(phpmyadmin.SHAPES, phpmyadmin.start),
        "postgresql": postgresql.start,
    }
    return others[name](name, folder)


def _start(asked: argparse.Namespace) -> int:
    folder = ground.prepare(asked.folder)
    servers = ground.recorded(folder)
    users = dict(asked.user) if asked.user else USERS
    options = dovecot.Options(
        quota=asked.quota,
        largest=asked.largest,
        connections=asked.connections,
        capability=asked.capability,
        master=asked.master,
        mail_folder=asked.mail_folder,
        auto_folders=asked.auto_folders,
        special_use=not asked.no_special_use,
        tls_required=asked.tls_required,
        passwd_file=asked.passwd_file,
        accounts_sql=asked.accounts_sql,
    )
    for name in asked.name:
        if name in servers and servers[name].running:
            raise LabError(f"{name} runs already in {folder}. Stop it first, or choose another --folder.")
    for name in asked.name:
        began = time.monotonic()
        servers[name] = start(name, folder, users, options)
        # After each: should the next one fail, `stop` still knows this one.
        ground.write_down(folder, servers)
        print(f"{_line(servers[name])} ({time.monotonic() - began:.1f} s)")
    print(f"Written to {ground.record(folder)}")
    return 0


def _stop(asked: argparse.Namespace) -> int:
    folder = asked.folder.absolute()
    servers = ground.recorded(folder)
    left = {name: server for name, server in servers.items() if ground.end(server.processes)}
    ground.write_down(folder, left)
    if left:
        raise LabError(f"{', '.join(left)} would not stop; the process ids are in {ground.record(folder)}.")
    print(f"Stopped: {', '.join(servers) or 'nothing was running'}")
    return 0


def _status(asked: argparse.Namespace) -> int:
    if asked.folder is None:
        for name in packages.PARTS:
            missing = [*packages.not_installed([name]), *packages.not_fetched([name])]
            print(f"{name}: {'can be started' if not missing else 'missing ' + ', '.join(missing)}")
        return 0
    servers = ground.recorded(asked.folder.absolute())
    for server in servers.values():
        print(f"{_line(server)} {'running' if server.running else 'has ended'}")
    return 0 if servers and all(server.running for server in servers.values()) else 1


def _line(server: Server) -> str:
    if server.url:
        return f"{server.name}: {server.url}"
    return f"{server.name}: {server.host} port {server.port}, TLS {server.tls_port}"


def _login(text: str) -> tuple[str, str]:
    name, colon, password = text.partition(":")
    if not (name and colon and password):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME:PASSWORD")
    return name, password


def _part(text: str) -> str:
    if text not in packages.PARTS:
        raise argparse.ArgumentTypeError(f"{text!r} is not one of {', '.join(packages.PARTS)}")
    return text


def _grammar() -> argparse.ArgumentParser:
    grammar = argparse.ArgumentParser(
        prog="scripts/servers", description="Real servers on loopback for tests and the demo."
    )
    words = grammar.add_subparsers(dest="word", required=True)

    install = words.add_parser("install", help="install or fetch Debian's packages; starts nothing")
    install.add_argument(
        "name", nargs="*", type=_part, metavar="NAME", help=f"{', '.join(packages.PARTS)}; all without a name"
    )

    begin = words.add_parser("start", help="start servers inside a folder, on free ports")
    begin.add_argument("name", nargs="+", choices=NAMES)
    begin.add_argument(
        "--folder", type=Path, required=True, help="everything goes below it; servers.json says what runs"
    )
    begin.add_argument(
        "--user",
        type=_login,
        nargs="+",
        action="extend",
        metavar="NAME:PASSWORD",
        help="default: alice, bob and carmen at example.com",
    )
    begin.add_argument("--quota", default="", help="Dovecot: space per user, such as 2M")
    begin.add_argument("--largest", default="", help="Dovecot: largest message, such as 1M")
    begin.add_argument(
        "--connections", type=int, default=0, help="Dovecot: connections per user and address; 0 for no limit"
    )
    begin.add_argument("--capability", default="", help="Dovecot: advertise this after login instead of the truth")
    begin.add_argument(
        "--master", default="", metavar="NAME:PASSWORD", help="Dovecot: may log in as anybody, as user*NAME"
    )
    begin.add_argument("--mail-folder", default="", help="Dovecot: keep the mail there, such as below /dev/shm")
    begin.add_argument(
        "--auto-folders", action="store_true", help="Dovecot: Sent, Drafts and so on appear by themselves"
    )
    begin.add_argument(
        "--no-special-use", action="store_true", help="Dovecot: no folder carries a special-use attribute"
    )
    begin.add_argument("--passwd-file", default="", help="Dovecot: the accounts of this passwd-file may log in too")
    begin.add_argument(
        "--accounts-sql",
        default="",
        metavar="SCHEMA:USER:PASSWORD@PORT/DATABASE",
        help=f"Dovecot: so may those in this MariaDB database; SCHEMA is {' or '.join(dovecot.ACCOUNTS_SQL)}",
    )
    begin.add_argument("--tls-required", action="store_true", help="Dovecot: refuse passwords in clear text")

    stop = words.add_parser("stop", help="stop what was started in a folder, by process id")
    stop.add_argument("--folder", type=Path, required=True)

    status = words.add_parser("status", help="what runs in a folder; without one, what could be started here")
    status.add_argument("--folder", type=Path)
    return grammar
