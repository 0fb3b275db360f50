"""PostgreSQL 15 or newer on loopback: a cluster of its own, made by initdb, without the durability that tests do not need."""

from __future__ import annotations

import subprocess
from pathlib import Path

from lab import ground
from lab.ground import HOST, LabError, Server

USER = "migrator"
PASSWORD = "pw-migrator"


def start(name: str, folder: Path) -> Server:
    """Start a cluster below `folder` with one empty database, named by the answer's `url`."""
    programs = _programs()
    instance = folder / name
    instance.mkdir(parents=True, exist_ok=True)
    (instance / "password").write_text(PASSWORD)
    ground.give(instance)
    cluster = instance / "cluster"
    fresh = not cluster.exists()
    if fresh:
        ground.run(
            [
                programs / "initdb", "-D", cluster, "-U", USER, "--pwfile", instance / "password",
                "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync",
            ],
            unprivileged=True,
            cwd="/",
        )  # fmt: skip
    (port,) = ground.free_ports(1)
    settings = {
        "listen_addresses": HOST,
        "port": str(port),
        "unix_socket_directories": "",
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
    }
    log = instance / "postgresql.log"
    words = [word for setting, value in settings.items() for word in ("-c", f"{setting}={value}")]
    process = ground.launch([programs / "postgres", "-D", cluster, *words], log)
    asking: list[str | Path] = [programs / "pg_isready", "-q", "-h", HOST, "-p", str(port)]
    ground.wait_until(lambda: subprocess.run(asking, cwd="/", check=False).returncode == 0, process, log)
    database = "migrator"
    if fresh:
        create_database(port, database)
    return Server(
        name=name,
        kind="postgresql",
        port=port,
        folder=str(instance),
        url=url(port, database),
        users={USER: PASSWORD},
        processes={process.pid: ground.started_at(process.pid) or 0},
    )


def url(port: int, database: str) -> str:
    """The database's address as SQLAlchemy writes it."""
    return f"postgresql+psycopg://{USER}:{PASSWORD}@{HOST}:{port}/{database}"


def create_database(port: int, database: str) -> None:
    """An empty database."""
    command: list[str | Path] = [
        _programs() / "createdb",
        "-h",
        HOST,
        "-p",
        str(port),
        "-U",
        USER,
        "-T",
        "template0",
        database,
    ]
    ground.run(command, env={"PGPASSWORD": PASSWORD}, cwd="/")


def _programs() -> Path:
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not versions:
        raise LabError("PostgreSQL is missing. Run `scripts/servers install postgresql`.")
    return versions[-1].parent
