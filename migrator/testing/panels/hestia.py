"""A HestiaCP server's API as an emulator: /api/ with access keys, exit codes, and the shell-made answers.

    with Hestia() as panel:
        panel.give_domain("example.com")                        # as if people had used the panel
        panel.give_account("ann@example.com", password="...", FWD="else@example.net", FWD_ONLY="yes")

Behaves as measured on HestiaCP (reference, section 2) and as its scripts read. Switches at the top of `Hestia` are the ways real
servers differ.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass, field

from migrator.addresses import ascii_domain, shown_domain
from migrator.testing.panels.server import Answer, Panel, Request

OK, ARGS, INVALID, NOT_EXISTING, EXISTS, SUSPENDED, UNSUSPENDED = range(7)
LIMIT, PASSWORD, FORBIDDEN, API_DISABLED = 8, 9, 10, 21
HTTP = {INVALID: 422, SUSPENDED: 401, UNSUSPENDED: 401, PASSWORD: 401, FORBIDDEN: 401, API_DISABLED: 401, 405: 405}
MAIL_ACCOUNTS = frozenset(  # the permission set of this name that Hestia ships
    {f"v-list-mail-{what}" for what in ("domains", "domain", "accounts", "account", "account-autoreply")}
    | {"v-add-mail-account", "v-delete-mail-account"}
    | {
        f"v-{verb}-mail-account-{what}"
        for verb in ("add", "delete")
        for what in ("alias", "autoreply", "forward", "fwd-only")
    }
    | {f"v-change-mail-account-{what}" for what in ("password", "quota")}
    | {f"v-{verb}-mail-{what}" for verb in ("suspend", "unsuspend") for what in ("account", "accounts")}
)
TRIMMED = " \t\n\r\0\x0b"
EMAIL = re.compile(r"[A-Za-z0-9._%+-]+@[^\W_][\w.-]*\.[A-Za-z]{2,63}")
SUFFIXES = ("com", "net", "org", "es", "example")


class Failed(Exception):
    """A command ended with an exit code and a text."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass
class Key:
    """An access key: whose it is and what it may run (None: everything)."""

    secret: str
    user: str
    commands: frozenset[str] | None = None


@dataclass
class MailDomain:
    """A domain's row, and its accounts' rows by local part."""

    row: dict[str, str]
    accounts: dict[str, dict[str, str]] = field(default_factory=dict)
    messages: dict[str, str] = field(default_factory=dict)


class Hestia(Panel):
    """One server with the users `admin` and `acme`, an administrator's key and a user's."""

    USER = "acme"
    ACCESS = "AK" + "0123456789abcdefgh"
    SECRET = "s3cr3t" + "ABCDEFGHIJKLMNOPQRSTUVWXYZ01234567"
    USER_ACCESS = "UK" + "0123456789abcdefgh"

    def __init__(self) -> None:
        super().__init__()
        self.keys = {
            self.ACCESS: Key(self.SECRET, "admin"),
            self.USER_ACCESS: Key(self.SECRET, self.USER, MAIL_ACCOUNTS),
        }
        self.users: dict[str, dict[str, MailDomain]] = {"admin": {}, self.USER: {}}
        self.attempts = 0  # what the fail2ban jail counts
        self.api_system = 2  # 0 off, 1 administrators' keys, 2 users' too
        self.allowed_addresses = "allow-all"
        self.plain_keeps_lines = False  # some versions print an autoreply's line breaks as they are
        self.most_accounts: int | None = None  # the package's limit

    # -- as if people had used it

    def give_domain(self, name: str, user: str = USER, **row: str) -> MailDomain:
        """A domain as it stands in mail.conf; international names are kept in Unicode."""
        domain = MailDomain(
            {
                "ANTIVIRUS": "yes",
                "ANTISPAM": "yes",
                "REJECT": "no",
                "RATE_LIMIT": "",
                "DKIM": "yes",
                "CATCHALL": "",
                "ACCOUNTS": "0",
                "U_DISK": "0",
                "SSL": "no",
                "SUSPENDED": "no",
                "TIME": "10:00:00",
                "DATE": "2026-11-22",
                "WEBMAIL_ALIAS": "webmail",
                "WEBMAIL": "roundcube",
                **row,
            }
        )
        self.users[user][shown_domain(name.lower())] = domain
        return domain

    def give_account(self, address: str, *, password: str = "", user: str = USER, **row: str) -> dict[str, str]:
        """An account as it stands in a domain's file."""
        local, _, name = address.partition("@")
        domain = self.users[user].get(shown_domain(name)) or self.give_domain(name, user)
        domain.accounts[local] = {
            "ALIAS": "",
            "FWD": "",
            "FWD_ONLY": "",
            "AUTOREPLY": "no",
            "MD5": hashed(password),
            "QUOTA": "unlimited",
            "U_DISK": "0",
            "SUSPENDED": "no",
            "TIME": "10:00:00",
            "DATE": "2026-11-22",
            **row,
        }
        return domain.accounts[local]

    def give_autoreply(self, address: str, text: str) -> None:
        """An account's autoreply, its text as it is in the file."""
        local, _, name = address.partition("@")
        domain = self.users[self.USER][shown_domain(name)]
        domain.messages[local] = text
        domain.accounts[local]["AUTOREPLY"] = "yes"

    def account(self, address: str) -> dict[str, str]:
        """The row of an account."""
        local, _, name = address.partition("@")
        return self.users[self.USER][shown_domain(name)].accounts[local]

    def commands(self) -> list[str]:
        """What was run so far, in order."""
        return [request.form.get("cmd", "") for request in self.requests]

    # -- the API

    def writes(self, request: Request) -> bool:
        return not request.form.get("cmd", "").startswith(("v-list-", "v-get-", "v-check-"))

    def answer(self, request: Request) -> Answer:
        if request.path not in {"/api/", "/api/index.php"}:
            return Answer(b"<html><body>404 Not Found</body></html>", 404, "text/html")
        try:
            output = self._run(request)
        except Failed as failed:
            text = f"Error: {failed}".encode()
            return Answer(text, HTTP.get(failed.code, 400), "text/html; charset=UTF-8", exit_code(failed.code))
        body = trim("\n".join(line.rstrip() for line in output.split("\n"))).encode()
        kind = "application/json; charset=utf-8" if body.startswith(b"{") else "text/html; charset=UTF-8"
        return Answer(body, 200 if body else 204, kind, exit_code(OK))

    def _run(self, request: Request) -> str:
        form = request.form
        if request.method != "POST" or "access_key" not in form:
            raise Failed(405, "data received is null or invalid")
        if not self.api_system:
            raise Failed(API_DISABLED, "API has been disabled")
        if self.allowed_addresses != "allow-all" and "127.0.0.1" not in self.allowed_addresses.split(","):
            raise Failed(FORBIDDEN, "IP is not allowed to connect with API")
        access, command = trim(form["access_key"]), trim(form.get("cmd", ""))
        arguments: list[str] = []
        while f"arg{len(arguments) + 1}" in form:
            arguments.append(trim(form[f"arg{len(arguments) + 1}"]))
        key = self._checked(access, trim(form.get("secret_key", "")), command)
        if key.user != "admin":
            if self.api_system < 2:
                raise Failed(API_DISABLED, "API has been disabled")
            if not arguments or arguments[0] != key.user:
                raise Failed(FORBIDDEN, f"Key {access} - the \"user\" argument doesn't match the key's user")
        return self._commands[command](self, arguments)

    def _checked(self, access: str, secret: str, command: str) -> Key:
        key = self.keys.get(access)
        if key is None:
            raise self._counted(PASSWORD, f"key {access} doesn't exist")
        if key.secret != secret:
            raise self._counted(PASSWORD, f"Invalid secret key for key {access}")
        if command not in self._commands:
            raise self._counted(FORBIDDEN, f"Command {command} not found")
        if key.commands is not None and command not in key.commands:
            raise self._counted(FORBIDDEN, f"Key {access} don't have permission to run the command {command}")
        return key

    def _counted(self, code: int, text: str) -> Failed:
        """What the authentication log calls a failed login."""
        self.attempts += 1
        return Failed(code, text)

    # -- objects

    def _domains(self, user: str) -> dict[str, MailDomain]:
        if user not in self.users:
            raise Failed(NOT_EXISTING, f"user {user} doesn't exist")
        return self.users[user]

    def _domain(self, user: str, name: str, *, awake: bool = True) -> MailDomain:
        domain = self._domains(user).get(shown_domain(name.lower()))
        if domain is None:
            raise Failed(NOT_EXISTING, f"mail domain {name} doesn't exist")
        if awake and domain.row["SUSPENDED"] == "yes":
            raise Failed(SUSPENDED, f"mail {name} is suspended")
        return domain

    def _account(self, arguments: list[str], *, awake: bool = True) -> dict[str, str]:
        domain = self._domain(*arguments[:2], awake=awake)
        local_part(arguments[2], "account")
        account = domain.accounts.get(arguments[2])
        if account is None:
            raise Failed(NOT_EXISTING, f"{arguments[1]} account {arguments[2]} doesn't exist")
        if awake and account["SUSPENDED"] == "yes":
            raise Failed(SUSPENDED, f"{arguments[1]} {arguments[2]} is suspended")
        return account

    def _new(self, domain: MailDomain, local: str) -> None:
        if local in domain.accounts:
            raise Failed(EXISTS, f"mail account {local} already exists")
        if any(local in row["ALIAS"].split(",") for row in domain.accounts.values()):
            raise Failed(EXISTS, f"mail alias {local} already exists")

    # -- commands

    def _list_domains(self, arguments: list[str]) -> str:
        need(arguments, 1)
        return as_json({name: one.row for name, one in self._domains(arguments[0]).items()})

    def _list_accounts(self, arguments: list[str]) -> str:
        need(arguments, 2)
        domain = self._domain(*arguments[:2], awake=False)
        shown = ("ALIAS", "FWD", "FWD_ONLY", "AUTOREPLY", "QUOTA", "U_DISK", "SUSPENDED", "TIME", "DATE")
        return as_json({local: {name: row[name] for name in shown} for local, row in domain.accounts.items()})

    def _add_domain(self, arguments: list[str]) -> str:
        need(arguments, 2)
        user, name = arguments[0], shown_domain(arguments[1].lower())
        self._domains(user)
        if not re.fullmatch(r"[^\W_][\w-]*(\.[^\W_][\w-]*)+", name):
            raise Failed(INVALID, f"invalid domain format :: {name}")
        if ascii_domain(name).rpartition(".")[2] not in SUFFIXES:
            raise Failed(INVALID, f"{name} is not under a known public suffix")
        if any(name in of_user for of_user in self.users.values()):
            raise Failed(EXISTS, f"Mail domain {name} exists")
        self.give_domain(name, user)
        return ""

    def _add_account(self, arguments: list[str]) -> str:
        need(arguments, 4)
        user, name, local, password = arguments[:4]
        quota = arguments[4] if len(arguments) > 4 else "unlimited"
        local = local.lower()
        local_part(local, "account")
        megabytes(quota)
        domain = self._domain(user, name)
        if self.most_accounts is not None and len(domain.accounts) >= self.most_accounts:
            raise Failed(LIMIT, "MAIL_ACCOUNTS limit is reached :: upgrade user package")
        self._new(domain, local)
        row = self.give_account(f"{local}@{name}", password=from_file(password), user=user)
        row["QUOTA"] = "unlimited" if quota in {"unlimited", "0"} else quota
        domain.row["ACCOUNTS"] = str(len(domain.accounts))
        return ""

    def _change_password(self, arguments: list[str]) -> str:
        need(arguments, 4)
        self._account(arguments)["MD5"] = hashed(from_file(arguments[3]))
        return ""

    def _change_quota(self, arguments: list[str]) -> str:
        need(arguments, 4)
        megabytes(arguments[3])
        self._account(arguments)["QUOTA"] = "unlimited" if arguments[3] in {"unlimited", "0"} else arguments[3]
        return ""

    def _add_alias(self, arguments: list[str]) -> str:
        need(arguments, 4)
        local_part(arguments[3], "malias")
        row = self._account(arguments)
        self._new(self._domain(*arguments[:2]), arguments[3])
        row["ALIAS"] = join(row["ALIAS"], arguments[3])
        return ""

    def _delete_alias(self, arguments: list[str]) -> str:
        need(arguments, 4)
        row = self._account(arguments)
        row["ALIAS"] = without(row["ALIAS"], arguments[3])
        return ""

    def _add_forward(self, arguments: list[str]) -> str:
        need(arguments, 4)
        value = arguments[3]
        if value != ":blackhole:" and not EMAIL.fullmatch(value):
            raise Failed(INVALID, f"invalid email format :: {value}")
        row = self._account(arguments)
        # `grep -w`: a dot stands for any letter, and a longer address that ends in this one counts as well.
        if re.search(rf"(?<!\w){re.escape(value).replace(chr(92) + '.', '.')}(?!\w)", row["FWD"]):
            raise Failed(EXISTS, f"forward {value} exists")
        row["FWD"] = join(row["FWD"], value)
        return ""

    def _delete_forward(self, arguments: list[str]) -> str:
        need(arguments, 4)
        row = self._account(arguments)
        if arguments[3] not in row["FWD"].split(","):
            raise Failed(NOT_EXISTING, f"forward {arguments[3]} doesn't exist")
        row["FWD"] = without(row["FWD"], arguments[3])
        if not row["FWD"]:
            row["FWD_ONLY"] = ""
        return ""

    def _add_forward_only(self, arguments: list[str]) -> str:
        need(arguments, 3)
        row = self._account(arguments)
        if not row["FWD"]:
            raise Failed(NOT_EXISTING, "forward doesn't exist")
        row["FWD_ONLY"] = "yes"
        return ""

    def _delete_forward_only(self, arguments: list[str]) -> str:
        need(arguments, 3)
        self._account(arguments)["FWD_ONLY"] = ""
        return ""

    def _add_autoreply(self, arguments: list[str]) -> str:
        need(arguments, 4)
        if len(arguments[3]) >= 10240:
            raise Failed(INVALID, f"invalid autoreply format :: {arguments[3]}")
        row = self._account(arguments)
        self._domain(*arguments[:2]).messages[arguments[2]] = echo_e(arguments[3])
        row["AUTOREPLY"] = "yes"
        return ""

    def _delete_autoreply(self, arguments: list[str]) -> str:
        need(arguments, 3)
        row = self._account(arguments)
        self._domain(*arguments[:2]).messages.pop(arguments[2], None)
        row["AUTOREPLY"] = "no"
        return ""

    def _list_autoreply(self, arguments: list[str]) -> str:
        need(arguments, 3)
        self._account(arguments)
        text = self._domain(*arguments[:2]).messages.get(arguments[2], "").rstrip("\n")
        escaped = text.replace("\n", "\\n")
        if arguments[3:] == ["plain"]:
            return text if self.plain_keeps_lines else escaped
        escaped = escaped.replace("\\", "\\\\").replace('"', '\\"')
        return f'{{\n\t"{arguments[2]}": {{\n            "MSG": "{escaped}"\n\t}}\n}}'

    def _add_catch_all(self, arguments: list[str]) -> str:
        need(arguments, 3)
        domain = self._domain(*arguments[:2])
        if domain.row["CATCHALL"]:
            raise Failed(EXISTS, f"CATCHALL={domain.row['CATCHALL']} already exists")
        return self._change_catch_all(arguments)

    def _change_catch_all(self, arguments: list[str]) -> str:
        need(arguments, 3)
        if not EMAIL.fullmatch(arguments[2]):
            raise Failed(INVALID, f"invalid email format :: {arguments[2]}")
        self._domain(*arguments[:2]).row["CATCHALL"] = arguments[2]
        return ""

    def _suspend(self, arguments: list[str]) -> str:
        need(arguments, 3)
        self._account(arguments)["SUSPENDED"] = "yes"
        return ""

    def _unsuspend(self, arguments: list[str]) -> str:
        need(arguments, 3)
        row = self._account(arguments, awake=False)
        if row["SUSPENDED"] != "yes":
            raise Failed(UNSUSPENDED, f"{arguments[1]} {arguments[2]} is not suspended")
        row["SUSPENDED"] = "no"
        return ""

    def _get_value(self, arguments: list[str]) -> str:
        need(arguments, 4)
        return self._account(arguments, awake=False).get(arguments[3].upper(), "")

    _commands = {  # noqa: RUF012 - a table of this class, read only
        "v-list-mail-domains": _list_domains,
        "v-list-mail-accounts": _list_accounts,
        "v-add-mail-domain": _add_domain,
        "v-add-mail-account": _add_account,
        "v-change-mail-account-password": _change_password,
        "v-change-mail-account-quota": _change_quota,
        "v-add-mail-account-alias": _add_alias,
        "v-delete-mail-account-alias": _delete_alias,
        "v-add-mail-account-forward": _add_forward,
        "v-delete-mail-account-forward": _delete_forward,
        "v-add-mail-account-fwd-only": _add_forward_only,
        "v-delete-mail-account-fwd-only": _delete_forward_only,
        "v-add-mail-account-autoreply": _add_autoreply,
        "v-delete-mail-account-autoreply": _delete_autoreply,
        "v-list-mail-account-autoreply": _list_autoreply,
        "v-add-mail-domain-catchall": _add_catch_all,
        "v-change-mail-domain-catchall": _change_catch_all,
        "v-suspend-mail-account": _suspend,
        "v-unsuspend-mail-account": _unsuspend,
        "v-get-mail-account-value": _get_value,
    }


# -- how the scripts read and write -----------------------------------------------------------------------------------


def trim(text: str) -> str:
    return text.strip(TRIMMED)


def exit_code(code: int) -> dict[str, str]:
    return {"Hestia-Exit-Code": str(code)}


def need(arguments: list[str], count: int) -> None:
    if len(arguments) < count:
        raise Failed(ARGS, "not enough arguments")


def local_part(text: str, what: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9]|[A-Za-z0-9_.-]{2,64}", text):
        raise Failed(INVALID, f"invalid {what} format :: {text}")


def megabytes(text: str) -> None:
    if text != "unlimited" and not re.fullmatch(r"[0-9]+", text):
        raise Failed(INVALID, f"invalid quota format :: {text}")


def from_file(password: str) -> str:
    """A password below the temp folder is the name of a file; here every such file says the same."""
    return "what the file says" if password.startswith("/tmp/") else password


def hashed(password: str) -> str:
    digest = base64.b64encode(hashlib.sha512(password.encode()).digest()).decode().replace("+", ".")
    return f"{{BLF-CRYPT}}$2y$05${digest[:53]}"


def join(values: str, value: str) -> str:
    return f"{values},{value}" if values else value


def without(values: str, value: str) -> str:
    return ",".join(one for one in values.split(",") if one != value)


def echo_e(text: str) -> str:
    """What bash's `echo -e` makes of a text."""
    known = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "a": "\a", "b": "\b"}
    return re.sub(r"\\([ntrab\\])", lambda found: known[found[1]], text) + "\n"


def as_json(rows: dict[str, dict[str, str]]) -> str:
    """Glued together as the shell does it: values are quoted, never escaped."""
    made = []
    for name, row in rows.items():
        fields = ",\n        ".join(f'"{key}": "{value}"' for key, value in row.items())
        made.append(f'    "{name}": {{\n        {fields}\n    }}')
    return "{\n" + ",\n".join(made) + "\n}"
