"""Roundcube 1.6 (Debian's) on PHP's own server, with a Dovecot of the lab behind it and its data in one SQLite file.

Roundcube's packages are only fetched and unpacked: as packages they would ask for a web server and a database of the system.
"""

from __future__ import annotations

import socket
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from lab import dovecot, ground, packages
from lab.ground import HOST, LabError, Server

BACKEND = "dovecot-inbox"
LARGEST_UPLOAD = "2M"  # PHP's own default
CONFIG = """<?php
$config['db_dsnw'] = 'sqlite:///{database}?mode=0640';
$config['imap_host'] = '{host}:{imap}';
$config['smtp_host'] = '{host}:9';
$config['des_key'] = 'lab-lab-lab-lab-lab-lab!';
$config['plugins'] = [];
$config['skin'] = 'elastic';
$config['log_dir'] = '{instance}/logs/';
$config['temp_dir'] = '{instance}/temp/';
$config['login_rate_limit'] = 1000000;
$config['session_lifetime'] = 10;
$config['enable_installer'] = false;
"""


def start(name: str, folder: Path, users: Mapping[str, str]) -> Server:
    """Start Roundcube below `folder`. `url` is its folder on the web; who may log in is Dovecot's business, so fresh addresses may too."""
    if missing := [*packages.not_installed([name]), *packages.not_fetched([name])]:
        raise LabError(f"Roundcube needs {', '.join(missing)}. Run `scripts/servers install roundcube`.")
    instance = folder / name
    for place in (instance / "logs", instance / "temp", instance / "sessions", instance / "config"):
        place.mkdir(parents=True, exist_ok=True)
    root = packages.unpack(name, instance)
    mail = dovecot.start(BACKEND, instance, users, dovecot.Options())
    try:
        program = _configured(root, instance, mail.port)
        (port,) = ground.free_ports(1)
        ground.give(instance / "temp")
        for place in ("logs", "sessions", "config"):
            ground.give(instance / place)
        log = instance / "logs" / "php.log"
        process = ground.launch(
            [*_php(root, instance), "-S", f"{HOST}:{port}", "-t", program],
            log,
            env={"ROUNDCUBE_CONFIG_DIR": str(instance / "config")},
        )
        ground.wait_until(lambda: _listens(port), process, log)
    except BaseException:
        ground.end(mail.processes)
        raise
    return Server(
        name=name,
        kind="roundcube",
        port=port,
        folder=str(instance),
        url=f"http://{HOST}:{port}",
        users=dict(users),
        processes={process.pid: ground.started_at(process.pid) or 0, **mail.processes},
    )


def database(server: Server) -> Path:
    """Its SQLite file."""
    return Path(server.folder) / "data" / "roundcube.sqlite"


def schema(dialect: str, into: Path) -> str:
    """Roundcube's own tables in a dialect (mysql, postgres, sqlite), from the fetched package."""
    if missing := packages.not_fetched(["roundcube"]):
        raise LabError(f"Roundcube's tables need {', '.join(missing)}. Run `scripts/servers install roundcube`.")
    root = packages.unpack("roundcube", into)
    return (root / "usr/share/roundcube/SQL" / f"{dialect}.initial.sql").read_text()


def forget_sessions(server: Server) -> None:
    """Everybody who is logged in has to log in anew, as after a long pause."""
    with closing(sqlite3.connect(database(server), timeout=20)) as connection, connection:
        connection.execute("DELETE FROM session")


def _configured(root: Path, instance: Path, imap: int) -> Path:
    """Roundcube's folder, its settings and tables in place."""
    program = root / "usr/share/roundcube"
    for name in ("defaults.inc.php", "mimetypes.php"):
        (instance / "config" / name).write_bytes((root / "etc/roundcube" / name).read_bytes())
    data = instance / "data" / "roundcube.sqlite"
    (instance / "config" / "config.inc.php").write_text(
        CONFIG.format(database=data, host=HOST, imap=imap, instance=instance)
    )
    # Debian's copy looks for itself where the package would have been installed.
    (instance / "prepend.php").write_text(f"<?php define('INSTALL_PATH', '{program}/');\n")
    if not data.exists():
        data.parent.mkdir()
        with closing(sqlite3.connect(data)) as connection:
            connection.executescript((program / "SQL/sqlite.initial.sql").read_text())
    ground.give(data.parent)
    return program


def _php(root: Path, instance: Path) -> list[str | Path]:
    settings = {
        "include_path": f".:{root}/usr/share/php",
        "auto_prepend_file": f"{instance}/prepend.php",
        "session.save_path": f"{instance}/sessions",
        "upload_max_filesize": LARGEST_UPLOAD,
        "post_max_size": "8M",
        "memory_limit": "256M",
        "error_log": f"{instance}/logs/errors.log",
        "display_errors": "0",
    }
    return [ground.program("php"), *(word for key, value in settings.items() for word in ("-d", f"{key}={value}"))]


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0
