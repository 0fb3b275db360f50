"""Cyrus IMAP 3.6 on loopback, from unpacked packages: everything below `INBOX.`, and a target that refuses what is not clean
mail (bare line feeds, NUL, lines that are no header). Its administrator is `cyrus`.
"""

from __future__ import annotations

import imaplib
from collections.abc import Mapping
from pathlib import Path

from lab import ground, packages
from lab.ground import HOST, LabError, Server

ADMIN = {"cyrus": "pw-admin"}
REALM = "localhost"  # of logins that carry no domain


def start(name: str, folder: Path, users: Mapping[str, str]) -> Server:
    """Start Cyrus below `folder` with a mailbox for each user."""
    tools = [ground.program("saslpasswd2"), ground.program("dpkg-deb")]
    if missing := packages.not_installed(["cyrus"]):
        raise LabError(f"Cyrus needs {', '.join(missing)}. Run `scripts/servers install cyrus`.")
    instance = folder / name
    instance.mkdir(parents=True, exist_ok=True)
    root = packages.unpack("cyrus", instance)
    master = _below(root, "**/cyrus/bin/master")
    port, tls_port = ground.free_ports(2)
    for place in (
        "conf/socket",
        "conf/db",
        "conf/proc",
        "conf/log",
        "conf/user",
        "conf/lock",
        "conf/quota",
        "spool",
        "sieve",
    ):
        (instance / place).mkdir(parents=True, exist_ok=True)
    ground.certify(folder, instance)
    settings, services = instance / "imapd.conf", instance / "cyrus.conf"
    settings.write_text(_imapd_conf(instance))
    services.write_text(_cyrus_conf(master.parent, settings, port, tls_port))
    for user, password in {**users, **ADMIN}.items():
        _set_password(tools[0], instance, user, password)
    ground.give(instance)
    log = instance / "master.log"
    libraries = _below(root, "**/libcyrus.so.0").parent
    process = ground.launch(
        [master, "-C", settings, "-M", services, "-p", instance / "master.pid", "-D"],
        log,
        env={"LD_LIBRARY_PATH": str(libraries), "HOME": str(instance), "CYRUS_USER": ground.account().pw_name},
    )
    ground.wait_until(lambda: ground.greets(port), process, log)
    server = Server(
        name=name,
        kind="cyrus",
        port=port,
        tls_port=tls_port,
        ca_file=str(ground.authority(folder)),
        folder=str(instance),
        mail_folder=str(instance / "spool"),
        prefix="INBOX.",
        separator=".",
        users=dict(users),
        admin=ADMIN,
        processes={process.pid: ground.started_at(process.pid) or 0},
    )
    try:
        for user in users:
            _create_mailbox(server, user)
    except LabError:
        ground.end(server.processes)
        raise
    return server


def add_user(server: Server, user: str, password: str) -> None:
    """A login and an empty mailbox, usable when this returns."""
    _set_password(ground.program("saslpasswd2"), Path(server.folder), user, password)
    ground.give(Path(server.folder, "sasldb2"))
    _create_mailbox(server, user)


def _set_password(saslpasswd2: Path, instance: Path, user: str, password: str) -> None:
    local, _, domain = user.partition("@")
    command: list[str | Path] = [saslpasswd2, "-p", "-c", "-f", instance / "sasldb2", "-u", domain or REALM, local]
    ground.run(command, input=password)


def _create_mailbox(server: Server, user: str) -> None:
    with imaplib.IMAP4(server.host, server.port, timeout=ground.PATIENCE) as admin:
        admin.login(*next(iter(server.admin.items())))
        answer, words = admin.create(f'"user.{user}"')
        # It is there already when the server was started in this folder before.
        if answer != "OK" and b"already exists" not in words[0]:
            raise LabError(f"Cyrus would not create the mailbox of {user}: {words[0]!r}.")


def _below(root: Path, pattern: str) -> Path:
    found = next(iter(root.glob(pattern)), None)
    if found is None:
        raise LabError(
            f"Cyrus' packages hold no {pattern.rpartition('/')[2]}. The lab was written for Debian 12's Cyrus 3.6."
        )
    return found


def _imapd_conf(instance: Path) -> str:
    return f"""
configdirectory: {instance}/conf
partition-default: {instance}/spool
defaultpartition: default
sievedir: {instance}/sieve
proc_path: {instance}/conf/proc
mboxname_lockpath: {instance}/conf/lock
lmtpsocket: {instance}/conf/socket/lmtp
idlesocket: {instance}/conf/socket/idle
notifysocket: {instance}/conf/socket/notify
cyrus_user: {ground.account().pw_name}
admins: {next(iter(ADMIN))}
proxyservers: {next(iter(ADMIN))}
servername: {REALM}
virtdomains: userid
defaultdomain: {REALM}
unixhierarchysep: no
altnamespace: no
allowplaintext: yes
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: {instance}/sasldb2
sasl_mech_list: PLAIN LOGIN
tls_server_cert: {instance}/server.pem
tls_server_key: {instance}/server.key
tls_sessions_db_path: {instance}/conf/tls_sessions.db
idlemethod: no
expunge_mode: immediate
delete_mode: immediate
duplicatesuppression: no
failedloginpause: 0
"""


def _cyrus_conf(programs: Path, settings: Path, port: int, tls_port: int) -> str:
    return f"""
START {{
  recover cmd="{programs}/ctl_cyrusdb -C {settings} -r"
}}
SERVICES {{
  imap cmd="{programs}/imapd -C {settings}" listen="{HOST}:{port}" prefork=1 maxchild=200
  imaps cmd="{programs}/imapd -s -C {settings}" listen="{HOST}:{tls_port}" prefork=0 maxchild=100
}}
EVENTS {{
}}
"""
