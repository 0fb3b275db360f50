"""Dovecot 2.3 on loopback, in two shapes: `dovecot-inbox` (Maildir++, everything below `INBOX.`, as cPanel and Plesk have it)
and `dovecot-slash` (no prefix, `/`, folders as folders on disk).

Besides the users named at the start, every address at fresh.example.com may log in with `fresh_password`: a test takes one
that nobody has used and has a mailbox of its own. Whatever a user says is written down as soon as `watch` was called.
"""

from __future__ import annotations

import base64
import grp
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lab import ground, packages
from lab.ground import HOST, OTHER_HOST, Server

# name -> (mail location below the mailbox' folder, separator, prefix)
SHAPES = {
    "dovecot-inbox": ("maildir:~/Maildir", ".", "INBOX."),
    "dovecot-slash": ("maildir:~/Maildir:LAYOUT=fs", "/", ""),
}
SPECIAL_USE = ("Drafts", "Junk", "Trash", "Sent", "Archive")
FRESH_DOMAIN = "fresh.example.com"
# Whose tables of accounts: the table, the column with the address, what else has to hold.
ACCOUNTS_SQL = {
    "postfixadmin": ("mailbox", "username", " AND active = '1'"),
    "virtual_users": ("virtual_users", "email", ""),
}


@dataclass(frozen=True)
class Options:
    """How the server behaves beyond the ordinary.

    `quota` and `largest` as Dovecot writes sizes (2M); `connections` per user and address, 0 for no limit; `capability`
    replaces what is advertised after login; `master` is `name:password` of one who may log in as anybody (`user*name`);
    `mail_folder` holds the mail (a memory file system for measuring); `auto_folders` makes Sent, Drafts and so on appear by
    themselves; `special_use` False leaves their attributes out; `tls_required` refuses passwords in clear text. Besides the
    users named at the start, those of `passwd_file` may log in, and those in a MariaDB database: `accounts_sql` is
    `<schema>:<user>:<password>@<port>/<database>`, its schema one of ACCOUNTS_SQL.
    """

    quota: str = ""
    largest: str = ""
    connections: int = 0
    capability: str = ""
    master: str = ""
    mail_folder: str = ""
    auto_folders: bool = False
    special_use: bool = True
    tls_required: bool = False
    passwd_file: str = ""
    accounts_sql: str = ""


def fresh_password(user: str) -> str:
    """The password of an address at fresh.example.com."""
    return f"pw-{user.partition('@')[0]}"


def start(name: str, folder: Path, users: Mapping[str, str], options: Options) -> Server:
    """Start one of the shapes below `folder`; the answer is reachable and takes logins."""
    daemon = ground.program("dovecot")
    if packages.not_installed(["dovecot"]):
        raise ground.LabError("Dovecot's IMAP part is missing. Run `scripts/servers install dovecot`.")
    instance = folder / name
    mail = Path(options.mail_folder).absolute() / name if options.mail_folder else instance / "mail"
    for place in (instance / "run", instance / "state", instance / "rawlog", mail):
        place.mkdir(parents=True, exist_ok=True)
    ground.certify(folder, instance)
    write_passwords(instance / "passwd", users)
    if options.master:
        master, _, password = options.master.partition(":")
        write_passwords(instance / "masters", {master: password})
    if options.accounts_sql:
        write_accounts_sql(instance / "accounts-sql.conf", options.accounts_sql, mail)
    port, tls_port = ground.free_ports(2)
    settings = instance / "dovecot.conf"
    settings.write_text(configuration(name, instance, mail, options, port, tls_port))
    ground.give(instance)
    ground.give(mail)
    log = instance / "dovecot.log"
    process = ground.launch([daemon, "-F", "-c", settings], log)
    ground.wait_until(lambda: ground.greets(port), process, log)
    _, separator, prefix = SHAPES[name]
    return Server(
        name=name,
        kind="dovecot",
        port=port,
        tls_port=tls_port,
        ca_file=str(ground.authority(folder)),
        folder=str(instance),
        mail_folder=str(mail),
        prefix=prefix,
        separator=separator,
        users=dict(users),
        admin=dict([options.master.split(":", 1)]) if options.master else {},
        processes={process.pid: ground.started_at(process.pid) or 0},
    )


def watch(server: Server, user: str) -> None:
    """From now on, write down every byte this user's new connections say after their login."""
    place = Path(server.folder, "rawlog", user)
    place.mkdir(parents=True, exist_ok=True)
    ground.give(place)


def said(server: Server, user: str) -> bytes:
    """All that a watched user's connections said to the server after their login, in the order of their logins."""
    place = Path(server.folder, "rawlog", user)
    return b"".join(part.read_bytes() for part in sorted(place.glob("*.in"), key=lambda part: part.stat().st_ctime_ns))


def write_passwords(path: Path, users: Mapping[str, str]) -> None:
    """Dovecot's passwd-file. Passwords travel in base64: a colon in one would end the field."""
    rows = (
        f"{user}:{{PLAIN.b64}}{base64.b64encode(secret.encode()).decode()}::::::\n" for user, secret in users.items()
    )
    path.write_text("".join(rows))


def write_accounts_sql(path: Path, accounts: str, mail: Path) -> None:
    """Dovecot's way into a database of accounts."""
    schema, user, rest = accounts.split(":", 2)
    password, _, where = rest.rpartition("@")
    port, _, database = where.partition("/")
    table, address, more = ACCOUNTS_SQL[schema]
    who, rows = ground.account(), f"FROM {table} WHERE {address} = '%u'{more}"
    path.write_text(
        f"driver = mysql\nconnect = host={HOST} port={port} dbname={database} user={user} password={password}\n"
        # What has no scheme in front is crypt's.
        f"default_pass_scheme = CRYPT\npassword_query = SELECT {address} AS user, password {rows}\n"
        f"user_query = SELECT '{mail}/%u' AS home, {who.pw_uid} AS uid, {who.pw_gid} AS gid,"
        f" CONCAT('*:bytes=', quota) AS quota_rule {rows}\n"
    )


def configuration(name: str, instance: Path, mail: Path, options: Options, port: int, tls_port: int) -> str:
    """The whole dovecot.conf of one instance."""
    who = ground.account()
    location, separator, prefix = SHAPES[name]
    group = grp.getgrgid(who.pw_gid).gr_name
    counted = bool(options.quota or options.largest)
    parts = [
        f"""
base_dir = {instance}/run
state_dir = {instance}/state
log_path = {instance}/dovecot.log
protocols = imap
listen = {HOST}, {OTHER_HOST}
default_internal_user = {who.pw_name}
default_login_user = {who.pw_name}
default_internal_group = {group}
default_vsz_limit = 1G
first_valid_uid = 1
first_valid_gid = 1
mail_home = {mail}/%u
mail_location = {location}
mail_fsync = never
mail_plugins = {"quota" if counted else ""}
mail_max_userip_connections = {options.connections}
auth_mechanisms = plain login
auth_failure_delay = 0
disable_plaintext_auth = {"yes" if options.tls_required else "no"}
ssl = {"required" if options.tls_required else "yes"}
ssl_cert = <{instance}/server.pem
ssl_key = <{instance}/server.key
local {OTHER_HOST} {{
  ssl_cert = <{instance}/other.pem
  ssl_key = <{instance}/other.key
}}
passdb {{
  driver = passwd-file
  args = username_format=%u {instance}/passwd
}}
{_accounts(instance, mail, options)}passdb {{
  driver = static
  username_filter = *@{FRESH_DOMAIN}
  args = password=pw-%n
}}
userdb {{
  driver = static
  args = uid={who.pw_uid} gid={who.pw_gid} home={mail}/%u allow_all_users=yes
}}
service imap-login {{
  chroot =
  service_count = 0
  process_min_avail = 2
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
service imap {{
  process_limit = 1000
}}
service anvil {{
  chroot =
  # Without this, one wrong password makes every later login wait.
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
protocol imap {{
  rawlog_dir = {instance}/rawlog/%u
  mail_plugins = $mail_plugins {"imap_quota" if counted else ""}
  mail_max_userip_connections = {options.connections}
}}
namespace inbox {{
  inbox = yes
  separator = {separator}
  prefix = {prefix}
"""
    ]
    if options.special_use:
        auto = "subscribe" if options.auto_folders else "no"
        parts += [
            f"  mailbox {folder} {{\n    auto = {auto}\n    special_use = \\{folder}\n  }}\n" for folder in SPECIAL_USE
        ]
    parts.append("}\n")
    if counted:
        parts.append("plugin {\n  quota = count:User quota\n  quota_vsizes = yes\n  quota_grace = 0\n")
        parts.append(f"  quota_rule = *:storage={options.quota}\n" if options.quota else "")
        parts.append(f"  quota_max_mail_size = {options.largest}\n" if options.largest else "")
        parts.append("}\n")
    if options.capability:
        parts.append(f"protocol imap {{\n  imap_capability = {options.capability}\n}}\n")
    if options.master:
        parts.append(
            "auth_master_user_separator = *\n"
            f"passdb {{\n  driver = passwd-file\n  args = {instance}/masters\n  master = yes\n  result_success = continue\n}}\n"
        )
    return "".join(parts)


def _accounts(instance: Path, mail: Path, options: Options) -> str:
    """Where Dovecot finds accounts besides the lab's own."""
    who, sources = ground.account(), []
    if options.passwd_file:
        ours = f"  override_fields = uid={who.pw_uid} gid={who.pw_gid} home={mail}/%u\n"
        sources.append(("passwd-file", f"username_format=%u {options.passwd_file}", ours))
    if options.accounts_sql:
        sources.append(("sql", f"{instance}/accounts-sql.conf", ""))
    return "".join(
        f"passdb {{\n  driver = {driver}\n  args = {words}\n}}\nuserdb {{\n  driver = {driver}\n  args = {words}\n{more}}}\n"
        for driver, words, more in sources
    )
