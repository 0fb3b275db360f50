"""Courier IMAP 5.0 on loopback: a server without MULTIAPPEND, LITERAL+ and CONDSTORE.

Its login daemon has the folders of its configuration and its socket compiled in. So it runs in a mount namespace of its own,
where our folders lie over those of the system; that takes root. Mail belongs to the account without privileges.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from lab import ground, packages
from lab.ground import HOST, LabError, Server

CAPABILITY = "IMAP4rev1 UIDPLUS CHILDREN NAMESPACE THREAD=ORDEREDSUBJECT THREAD=REFERENCES SORT QUOTA IDLE"


def start(name: str, folder: Path, users: Mapping[str, str]) -> Server:
    """Start Courier below `folder` with a mailbox for each user. LabError where we are not root."""
    if os.geteuid() != 0:
        raise LabError("Courier needs root (a mount namespace of its own, and it changes to the user after login).")
    if missing := packages.not_installed(["courier"]):
        raise LabError(f"Courier needs {', '.join(missing)}. Run `scripts/servers install courier`.")
    instance = folder / name
    for place in ("etc/shared", "run/authdaemon", "mail"):
        (instance / place).mkdir(parents=True, exist_ok=True)
    (instance / "etc/shared/index").touch()
    root = packages.unpack("courier", instance)
    ground.certify(folder, instance)
    pem = instance / "both.pem"
    # After STARTTLS it is read by Courier's own account, not by root; the key is worth nothing outside the lab.
    pem.touch(mode=0o644)
    pem.write_text((instance / "server.key").read_text() + (instance / "server.pem").read_text())
    settings = packages.installed_file("courier-authdaemon", "/authdaemonrc")
    socket_folder = _setting(settings, "authdaemonvar")
    (instance / "etc/authdaemonrc").write_text(
        'authmodulelist="authuserdb"\nauthmodulelistorig="authuserdb"\ndaemons=3\n'
        f'authdaemonvar={socket_folder}\nsubsystem=mail\nDEBUG_LOGIN=0\nDEFAULTOPTIONS=""\nLOGGEROPTS=""\n'
    )
    userdb = instance / "etc/userdb"
    userdb.touch(mode=0o600)
    userdb.write_text("")
    for user, password in users.items():
        _write_user(instance, user, password)
    _compile(instance)
    ground.give(instance / "mail")
    port, tls_port = ground.free_ports(2)
    script = instance / "run.sh"
    script.write_text(_script(instance, root, settings.parent, socket_folder.parent, pem, port, tls_port))
    log = instance / "courier.log"
    process = ground.launch([ground.program("unshare"), "--mount", "sh", script], log, root=True)
    ground.wait_until(lambda: ground.greets(port), process, log)
    children = [int(word) for word in (instance / "pids").read_text().split()]
    return Server(
        name=name,
        kind="courier",
        port=port,
        tls_port=tls_port,
        ca_file=str(ground.authority(folder)),
        folder=str(instance),
        mail_folder=str(instance / "mail"),
        prefix="INBOX.",
        separator=".",
        users=dict(users),
        processes={pid: ground.started_at(pid) or 0 for pid in (process.pid, *children)},
    )


def add_user(server: Server, user: str, password: str) -> None:
    """A login and an empty mailbox, usable when this returns."""
    instance = Path(server.folder)
    _write_user(instance, user, password)
    ground.give(instance / "mail" / user)
    _compile(instance)


def _write_user(instance: Path, user: str, password: str) -> None:
    who = ground.account()
    home = instance / "mail" / user
    for part in ("cur", "new", "tmp"):
        (home / "Maildir" / part).mkdir(parents=True, exist_ok=True)
    crypted = ground.run([ground.program("openssl"), "passwd", "-6", "-stdin"], input=password).strip()
    with (instance / "etc/userdb").open("a") as rows:
        rows.write(f"{user}\tuid={who.pw_uid}|gid={who.pw_gid}|home={home}|shell=/bin/sh|systempw={crypted}\n")


def _compile(instance: Path) -> None:
    # It writes userdb.dat beside the file and renames it into place: the daemon sees the old table or the new one.
    ground.run([ground.program("makeuserdb"), "-f", instance / "etc/userdb"])


def _setting(path: Path, name: str) -> Path:
    for line in path.read_text().splitlines():
        if line.startswith(f"{name}="):
            return Path(line.partition("=")[2].strip("\"'"))
    raise LabError(f"{path} does not set {name}. The lab was written for Debian 12's Courier.")


def _script(instance: Path, root: Path, etc: Path, run: Path, pem: Path, port: int, tls_port: int) -> str:
    daemon = packages.installed_file("courier-authlib", "/authdaemond")
    imapd, login = next(root.glob("**/bin/imapd")), next(root.glob("**/imaplogin"))
    listener = (
        f"{ground.program('couriertcpd')} -address={HOST} -maxprocs=200 -maxperip=200 -nodnslookup -noidentlookup"
    )
    tls = ground.program("couriertls")
    settings = {
        "IMAP_CAPABILITY": CAPABILITY,
        "IMAP_CAPABILITY_TLS": f"{CAPABILITY} AUTH=PLAIN",
        "IMAP_KEYWORDS": "1",
        "IMAP_ACL": "0",
        "IMAP_PROXY": "0",
        "IMAP_IDLE_TIMEOUT": "60",
        "IMAP_MAILBOX_SANITY_CHECK": "1",
        "IMAP_DISABLETHREADSORT": "0",
        "IMAP_CHECK_ALL_FOLDERS": "0",
        "IMAP_OBSOLETE_CLIENT": "0",
        "IMAP_UMASK": "022",
        "IMAP_USELOCKS": "1",
        "IMAP_SHAREDINDEXFILE": str(etc / "shared/index"),
        "IMAP_ENHANCEDIDLE": "0",
        "IMAP_TRASHFOLDERNAME": "Trash",
        "IMAP_EMPTYTRASH": "Trash:7",
        "IMAP_MOVE_EXPUNGE_TO_TRASH": "0",
        "IMAP_STARTTLS": "YES",
        "IMAP_TLS_REQUIRED": "0",
        "MAILDIRPATH": "Maildir",
        "AUTHMODULES": "authdaemon",
        "COURIERTLS": str(tls),
        "TLS_CERTFILE": str(pem),
        "TLS_VERIFYPEER": "NONE",
    }
    exports = "\n".join(f"export {name}='{value}'" for name, value in settings.items())
    return f"""#!/bin/sh
mount --make-rprivate / && mount --bind '{instance}/etc' '{etc}' && mount --bind '{instance}/run' '{run}' || exit 1
{exports}
'{daemon}' & A=$!
{listener} {port} '{login}' '{imapd}' Maildir & B=$!
IMAP_TLS=1 {listener} {tls_port} '{tls}' -server -tcpd '{login}' '{imapd}' Maildir & C=$!
echo $A $B $C >'{instance}/pids'
trap 'kill $A $B $C 2>/dev/null' TERM INT
wait
"""
