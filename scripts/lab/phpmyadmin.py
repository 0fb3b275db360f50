"""phpMyAdmin 5.2 (Debian's) on PHP's own server, with a MariaDB of the lab behind it.

`phpmyadmin-hasty` gives PHP one second: exports of more than that end in the middle, with status 200 and without a word, as at many hosts.
What counts is PHP's own time, of which a fast machine needs little; so every byte it says costs some here, and a megabyte is never said.
Server 1 of each asks for a login on a page (cookie), server 2 for one over HTTP. phpMyAdmin's packages are only fetched and unpacked: as
packages they would ask for a web server and a database of the system.
"""

from __future__ import annotations

import socket
from pathlib import Path

from lab import ground, mariadb, packages
from lab.ground import HOST, LabError, Server

SHAPES = {"phpmyadmin": 300, "phpmyadmin-hasty": 1}  # seconds PHP has for a request
LARGEST_UPLOAD = "8M"
WORKERS = "3"
CONFIG = """<?php
$cfg['blowfish_secret'] = 'lab-lab-lab-lab-lab-lab-lab-lab!';
$server = ['host' => '{host}', 'port' => '{port}', 'compress' => false, 'AllowNoPassword' => false];
$cfg['Servers'][1] = ['auth_type' => 'cookie'] + $server;
$cfg['Servers'][2] = ['auth_type' => 'http'] + $server;
$cfg['VersionCheck'] = false;
$cfg['SendErrorReports'] = 'never';
$cfg['ExecTimeLimit'] = {limit};
"""
SLOW = """<?php
function spent() {
    $used = getrusage();
    return $used['ru_utime.tv_sec'] + $used['ru_stime.tv_sec'] + ($used['ru_utime.tv_usec'] + $used['ru_stime.tv_usec']) / 1e6;
}
// Not removable: phpMyAdmin ends all buffers before it exports. Nothing stays in it: what does, phpMyAdmin takes for its own and says again.
ob_start(function ($said) {
    $end = spent() + strlen($said) * 1e-6;
    while (spent() < $end);
    return $said;
}, 1, PHP_OUTPUT_HANDLER_STDFLAGS ^ PHP_OUTPUT_HANDLER_REMOVABLE);
"""


def start(name: str, folder: Path) -> Server:
    """Start phpMyAdmin below `folder`. `url` is where it is on the web, its users and `tls_port` are those of the MariaDB behind it, whose
    own record is `behind`.
    """
    if missing := [*packages.not_installed(["phpmyadmin", "mariadb"]), *packages.not_fetched(["phpmyadmin"])]:
        raise LabError(f"phpMyAdmin needs {', '.join(missing)}. Run `scripts/servers install phpmyadmin mariadb`.")
    instance = folder / name
    for place in ("temp", "sessions"):
        (instance / place).mkdir(parents=True, exist_ok=True)
        ground.give(instance / place)
    root = packages.unpack("phpmyadmin", instance)
    database = mariadb.start("mariadb", instance)
    try:
        program = _configured(root, instance, database.port, SHAPES[name])
        (port,) = ground.free_ports(1)
        log = instance / "php.log"
        process = ground.launch(
            [*_php(root, instance, SHAPES[name]), "-S", f"{HOST}:{port}", "-t", program],
            log,
            env={"PHP_CLI_SERVER_WORKERS": WORKERS},
        )
        ground.wait_until(lambda: _listens(port), process, log)
    except BaseException:
        ground.end(database.processes)
        raise
    return Server(
        name=name,
        kind="phpmyadmin",
        port=port,
        tls_port=database.port,
        folder=str(instance),
        url=f"http://{HOST}:{port}/",
        users=database.users,
        processes={process.pid: ground.started_at(process.pid) or 0, **database.processes},
    )


def behind(server: Server) -> Server:
    """The MariaDB behind a phpMyAdmin."""
    return Server(
        name="mariadb",
        kind="mariadb",
        port=server.tls_port,
        folder=str(Path(server.folder) / "mariadb"),
        users=server.users,
        processes={},
    )


def forget_sessions(server: Server) -> None:
    """Everybody who is logged in has to log in anew, as after a long pause."""
    for session in (Path(server.folder) / "sessions").iterdir():
        session.unlink()


def _configured(root: Path, instance: Path, port: int, limit: int) -> Path:
    """phpMyAdmin's folder, its settings in place."""
    program = root / "usr/share/phpmyadmin"
    settings = instance / "config.inc.php"
    settings.write_text(CONFIG.format(host=HOST, port=port, limit=limit))
    vendor = program / "libraries" / "vendor_config.php"
    text = vendor.read_text()
    for word, was, becomes in (
        ("configFile", "/etc/phpmyadmin/config.inc.php", settings),
        ("tempDir", "/var/lib/phpmyadmin/tmp/", f"{instance}/temp/"),
    ):
        text = text.replace(f"'{word}' => '{was}'", f"'{word}' => '{becomes}'")
    vendor.write_text(text)
    return program


def _php(root: Path, instance: Path, limit: int) -> list[str | Path]:
    settings: dict[str, object] = {
        "include_path": f".:{root}/usr/share/php",
        "session.save_path": f"{instance}/sessions",
        "upload_max_filesize": LARGEST_UPLOAD,
        "post_max_size": LARGEST_UPLOAD,
        "memory_limit": "256M",
        "max_execution_time": limit,
        "error_log": f"{instance}/errors.log",
        "display_errors": "0",
        # Each request would be read and compiled anew; it takes a second.
        "opcache.enable_cli": "1",
    }
    if limit == SHAPES["phpmyadmin-hasty"]:
        (instance / "slow.php").write_text(SLOW)
        settings["auto_prepend_file"] = f"{instance}/slow.php"
    return [ground.program("php"), *(word for key, value in settings.items() for word in ("-d", f"{key}={value}"))]


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0
