"""MariaDB 10.11 on loopback: a data folder of its own, TLS by the lab's authority, without the durability that tests do not need."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from lab import ground, packages
from lab.ground import HOST, Server

ADMIN = "root"  # has no password and comes in by the socket alone
USER = "migrator"
PASSWORD = "pw-migrator"
READER = "reader"  # may only look
READER_PASSWORD = "pw-reader"
DATABASE = "migrator"
HALF_MADE = "half-made"  # stands beside the data until its users are there


def start(name: str, folder: Path) -> Server:
    """Start a server below `folder` with one empty database, named by the answer's `url`."""
    daemon, install = ground.program("mariadbd"), ground.program("mariadb-install-db")
    if missing := packages.not_installed(["mariadb"]):
        raise ground.LabError(f"MariaDB needs {', '.join(missing)}. Run `scripts/servers install mariadb`.")
    instance = folder / name
    data, socket, begun = instance / "data", instance / "m.sock", instance / HALF_MADE
    # Not the machine's own: servers of other accounts leave files there that this one may not touch.
    temporary = instance / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    if begun.exists() and data.exists():
        shutil.rmtree(data)
    ground.certify(folder, instance)
    ground.give(instance)
    fresh = not data.exists()
    if fresh:
        begun.touch()
        words = [
            f"--tmpdir={temporary}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            "--skip-name-resolve",
        ]
        ground.run([install, "--no-defaults", f"--datadir={data}", *words], unprivileged=True, cwd="/")
    (port,) = ground.free_ports(1)
    log = instance / "mariadb.log"
    settings = {
        "datadir": data,
        "tmpdir": temporary,
        "socket": socket,
        "pid-file": instance / "m.pid",
        "port": port,
        "bind-address": HOST,
        "innodb-flush-log-at-trx-commit": 0,
        "innodb-buffer-pool-size": "64M",
        "character-set-server": "utf8mb4",
        "collation-server": "utf8mb4_unicode_ci",
        # As on many an old server: what is too long is cut without a word, unless a session asks for better.
        "sql-mode": "",
        "ssl-ca": ground.authority(folder),
        "ssl-cert": instance / "server.pem",
        "ssl-key": instance / "server.key",
    }
    words = [f"--{setting}={value}" for setting, value in settings.items()]
    process = ground.launch([daemon, "--no-defaults", *words], log)
    asking = [str(ground.program("mariadb-admin")), "--no-defaults", f"--socket={socket}", f"--user={ADMIN}", "ping"]
    ground.wait_until(lambda: subprocess.run(asking, capture_output=True, check=False).returncode == 0, process, log)
    server = Server(
        name=name,
        kind="mariadb",
        port=port,
        tls_port=port,
        ca_file=str(ground.authority(folder)),
        folder=str(instance),
        url=f"mysql+pymysql://{USER}:{PASSWORD}@{HOST}:{port}/{DATABASE}",
        users={USER: PASSWORD, READER: READER_PASSWORD},
        processes={process.pid: ground.started_at(process.pid) or 0},
    )
    if fresh:
        said = "".join(
            f"CREATE USER {user}@'{host}' IDENTIFIED BY '{password}'; GRANT {rights} ON *.* TO {user}@'{host}';"
            for user, password, rights in ((USER, PASSWORD, "ALL"), (READER, READER_PASSWORD, "SELECT"))
            for host in (HOST, "localhost")
        )
        say(server, said)
        create_database(server, DATABASE)
        begun.unlink()
    return server


def create_database(server: Server, database: str, files: Sequence[Path] = ()) -> None:
    """A database with the tables of these SQL files."""
    say(server, f"CREATE DATABASE {database}")
    for file in files:
        say(server, file.read_text(), database)


def say(server: Server, statements: str, database: str = "") -> str:
    """Run statements as the administrator; their answers, one row a line, fields apart by tabs."""
    client = [ground.program("mariadb"), "--no-defaults", f"--socket={server.folder}/m.sock", f"--user={ADMIN}"]
    words = ["--default-character-set=utf8mb4", "--batch", "--skip-column-names", *([database] if database else [])]
    return ground.run([*client, *words], input=statements)
