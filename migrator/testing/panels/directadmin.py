"""A DirectAdmin server's CMD_API_... commands as an emulator, in the shapes the vendor's pages and public clients agree on.

    with DirectAdmin() as panel:
        panel.give_domain("example.com")                        # as if people had used the panel
        panel.give_mailbox("ann@example.com", quota="1024", suspended="yes")
        panel.answers = "encoded"                               # a server that does not know json=yes

Switches at the top of `DirectAdmin` are the ways real servers differ. No DirectAdmin was at hand to compare with.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from migrator.testing.panels.server import Answer, Panel, Request

LOGIN_PAGE = b"<!DOCTYPE html><html><head><title>DirectAdmin Login</title></head><body><form></form></body></html>"
LOCAL = re.compile(r"[a-z0-9][a-z0-9._-]*")
SPECIAL = (":fail:", ":blackhole:", "|", '"')
ONCE = ("1m", "10m", "30m", "1h", "2h", "6h", "12h", *(f"{days}d" for days in range(1, 8)))


class Failed(Exception):
    """A command that was not done, with its title and its details."""

    def __init__(self, text: str, details: str = "") -> None:
        super().__init__(text)
        self.details = details


@dataclass
class MailDomain:
    """What the panel keeps for a domain, by local part."""

    mailboxes: dict[str, dict[str, str]] = field(default_factory=dict)
    passwords: dict[str, str] = field(default_factory=dict)
    forwarders: dict[str, str] = field(default_factory=dict)
    responders: dict[str, dict[str, str]] = field(default_factory=dict)
    vacations: dict[str, dict[str, str]] = field(default_factory=dict)
    catch_all: str = ":fail:"
    pointers: list[str] = field(default_factory=list)
    lists: list[str] = field(default_factory=list)


class DirectAdmin(Panel):
    """One server with the user `acme`, his password, and the administrator who acts for him."""

    USER = "acme"
    PASSWORD = "login-key-" + "Zx81"

    def __init__(self) -> None:
        super().__init__()
        self.domains: dict[str, MailDomain] = {}
        self.attempts = 0  # what the brute-force monitor counts
        self.answers = "json"  # or "encoded", or "numbered": list0=a&list1=b
        self.refuses_with = "page"  # or "401", or "redirect"
        self.failure_status = 200
        self.key_expired = False
        self.allowed_addresses: set[str] | None = None
        self.allowed_commands: set[str] | None = None
        self.tells_suspensions = True
        self.selects_as_html = False
        self.most_mailboxes: int | None = None

    # -- as if people had used it

    def give_domain(self, name: str) -> MailDomain:
        """A domain, spelled as given."""
        return self.domains.setdefault(name, MailDomain())

    def give_mailbox(self, address: str, *, password: str = "", **row: str) -> None:
        """A mailbox; quota and usage in MB."""
        local, _, name = address.partition("@")
        domain = self.give_domain(name)
        domain.mailboxes[local] = {"quota": "0", "usage": "0.00", "suspended": "no", **row}
        domain.passwords[local] = password

    def mailbox(self, address: str) -> dict[str, str]:
        """The row of a mailbox."""
        local, _, name = address.partition("@")
        return self.domains[name].mailboxes[local]

    # -- the API

    def writes(self, request: Request) -> bool:
        return request.method == "POST"

    def answer(self, request: Request) -> Answer:
        form = request.form
        command = request.path.lstrip("/")
        if not self._welcome(request, command):
            self.attempts += 1
            return self._refusal()
        run = self._commands.get(command)
        if run is None:
            return Answer(b"<html><body>404</body></html>", 404, "text/html")
        as_json = self.answers == "json" and form.get("json") == "yes"
        try:
            told = run(self, form, request.method)
        except Failed as failed:
            if as_json:
                return self._json({"error": str(failed), "result": failed.details}, self.failure_status)
            body = urlencode({"error": "1", "text": str(failed), "details": failed.details}).encode()
            return Answer(body, self.failure_status, "text/plain")
        return self._json(told) if as_json else Answer(self._encoded(told).encode(), 200, "text/plain")

    def _welcome(self, request: Request, command: str) -> bool:
        logins = {f"{user}:{self.PASSWORD}" for user in (self.USER, f"admin|{self.USER}")}
        given = request.headers.get("authorization", "").removeprefix("Basic ")
        return (
            base64.b64decode(given).decode("utf-8", "replace") in logins
            and not self.key_expired
            and (self.allowed_addresses is None or "127.0.0.1" in self.allowed_addresses)
            and (self.allowed_commands is None or command in self.allowed_commands)
        )

    def _refusal(self) -> Answer:
        if self.refuses_with == "401":
            return Answer(b"", 401, "text/plain", {"WWW-Authenticate": "Basic"})
        if self.refuses_with == "redirect":
            return Answer(b"", 302, "text/html", {"Location": "/evo/login"})
        return Answer(LOGIN_PAGE, 200, "text/html")

    def _json(self, told: object, status: int = 200) -> Answer:
        if isinstance(told, str):
            told = {"success": told, "result": ""}
        return Answer(json.dumps(told).encode(), status)

    def _encoded(self, told: object) -> str:
        if isinstance(told, str):
            return urlencode({"error": "0", "text": told, "details": ""})
        if isinstance(told, list):
            if self.answers == "numbered":
                return "&".join(f"list{number}={quote(name)}" for number, name in enumerate(told))
            return "&".join(f"list[]={quote(name)}" for name in told)
        assert isinstance(told, dict)
        values = {name: urlencode(one) if isinstance(one, dict) else one for name, one in told.items()}
        return urlencode({name: ",".join(one) if isinstance(one, list) else one for name, one in values.items()})

    def _domain(self, form: dict[str, str]) -> MailDomain:
        domain = self.domains.get(form.get("domain", ""))
        if domain is None:
            raise Failed("Invalid Domain", "You do not own that domain")
        return domain

    # -- commands

    def _show_domains(self, _form: dict[str, str], _method: str) -> object:
        return list(self.domains)

    def _new_domain(self, form: dict[str, str], method: str) -> object:
        name = form.get("domain", "")
        if method != "POST" or form.get("action") != "create":
            raise Failed("Cannot execute your request")
        if not re.fullmatch(r"[^\W_][\w-]*(\.[\w-]+)+", name):
            raise Failed("Cannot create domain", "That is not a valid domain")
        if name in self.domains:
            raise Failed("Cannot create domain", "That domain already exists on the system")
        self.give_domain(name)
        return "Domain Created Successfully"

    def _pop(self, form: dict[str, str], method: str) -> object:
        domain = self._domain(form)
        action = form.get("action", "")
        if action == "list":
            return list(domain.mailboxes)
        if action == "full_list":
            rows = {local: dict(row) for local, row in domain.mailboxes.items()}
            for row in rows.values():
                if not self.tells_suspensions:
                    del row["suspended"]
            return rows
        if method != "POST":
            raise Failed("Cannot execute your request", "POST only")
        local = form.get("user", "").lower()
        if action == "create":
            return self._create_mailbox(domain, local, form)
        if local not in domain.mailboxes:
            raise Failed("Cannot execute your request", f"{local} does not exist")
        if action == "modify":
            return self._modify_mailbox(domain, local, form)
        if action == "delete":
            return self._delete_mailbox(domain, local, form)
        raise Failed("Cannot execute your request", f"unknown action {action}")

    def _create_mailbox(self, domain: MailDomain, local: str, form: dict[str, str]) -> str:
        if not LOCAL.fullmatch(local):
            raise Failed("Cannot create that account", f"{local} is not a valid user name")
        if local in domain.mailboxes:
            raise Failed("Cannot create that account", f"{local} already exists")
        if self.most_mailboxes is not None and len(domain.mailboxes) >= self.most_mailboxes:
            raise Failed("Cannot create that account", "You have already reached your assigned limit")
        self._password(domain, local, form)
        domain.mailboxes[local] = {"quota": megabytes(form.get("quota", "0")), "usage": "0.00", "suspended": "no"}
        return "Account created"

    def _modify_mailbox(self, domain: MailDomain, local: str, form: dict[str, str]) -> str:
        if form.get("passwd"):
            self._password(domain, local, form)
        domain.mailboxes[local]["quota"] = megabytes(form.get("quota", "0"))  # left out means unlimited
        return "E-Mail Updated"

    def _delete_mailbox(self, domain: MailDomain, local: str, form: dict[str, str]) -> str:
        if self.tells_suspensions and form.keys() & {"suspend", "unsuspend"}:
            domain.mailboxes[local]["suspended"] = "yes" if "suspend" in form else "no"
            return "Accounts suspended" if "suspend" in form else "Accounts unsuspended"
        del domain.mailboxes[local]  # an old version knows the command for deleting only
        return "E-Mail Accounts Deleted"

    def _password(self, domain: MailDomain, local: str, form: dict[str, str]) -> None:
        if form.get("passwd") != form.get("passwd2"):
            raise Failed("Cannot create that account", "Passwords do not match")
        if len(form.get("passwd", "")) < 6:
            raise Failed("Cannot create that account", f"The password {form.get('passwd')} is too short")
        domain.passwords[local] = form["passwd"]

    def _forwarders(self, form: dict[str, str], method: str) -> object:
        domain = self._domain(form)
        if method == "GET":
            told = domain.forwarders
            return {local: [value] if value.startswith(SPECIAL) else value.split(",") for local, value in told.items()}
        local, value = form.get("user", "").lower(), form.get("email", "")
        if not LOCAL.fullmatch(local):
            raise Failed("Cannot create forwarder", f"{local} is not a valid name")
        for one in value.split(","):
            if not re.fullmatch(r"[^\s@,]+@[\w.-]+\.\w+|:blackhole:|:fail:.*|\|.*", one):
                raise Failed("Cannot create forwarder", f"{one} is not a valid destination")
        if (form.get("action") == "create") == (local in domain.forwarders):
            raise Failed("Cannot create forwarder", "A forwarder with that name already exists")
        domain.forwarders[local] = value
        return "Forwarder created" if form["action"] == "create" else "Forwarder updated"

    def _catch_all(self, form: dict[str, str], method: str) -> object:
        domain = self._domain(form)
        if method == "GET":
            return {"value": domain.catch_all}
        catch = form.get("catch", "")
        if form.get("update") != "Update" or catch not in {"address", ":fail:", ":blackhole:"}:
            raise Failed("Cannot set catch-all", "unknown kind")
        if catch == "address" and "@" not in form.get("value", ""):
            raise Failed("Cannot set catch-all", "That is not an address")
        domain.catch_all = form["value"] if catch == "address" else catch
        return "Catch-All Updated"

    def _responders(self, form: dict[str, str], method: str) -> object:
        return self._messages(self._domain(form).responders, form, method)

    def _vacations(self, form: dict[str, str], method: str) -> object:
        if method == "POST" and form.get("user", form.get("select0")) not in self._domain(form).mailboxes:
            raise Failed("Cannot create vacation message", "There is no such mailbox")
        return self._messages(self._domain(form).vacations, form, method)

    def _messages(self, messages: dict[str, dict[str, str]], form: dict[str, str], method: str) -> object:
        if method == "GET":
            return {local: one.get("email", "") for local, one in messages.items()}
        if form.get("action") == "delete":
            messages.pop(form.get("select0", ""), None)
            return "Deleted"
        local = form.get("user", "").lower()
        if (form.get("action") == "create") == (local in messages):
            raise Failed("Cannot create autoresponder", "An autoresponder with that name already exists")
        if form.get("reply_once_time") not in ONCE:
            raise Failed("Cannot create autoresponder", "unknown time")
        messages[local] = {**form, "text": form.get("text", "").replace("\n", "\r\n") + "\r\n"}
        return "Autoresponder created"

    def _responder(self, form: dict[str, str], _method: str) -> object:
        return self._message(self._domain(form).responders, form)

    def _vacation(self, form: dict[str, str], _method: str) -> object:
        told = self._message(self._domain(form).vacations, form)
        days = ("time", "day", "month", "year")
        one = self._domain(form).vacations[form["user"]]
        return told | {f"{which}{part}": one.get(f"{which}{part}", "") for which in ("start", "end") for part in days}

    def _message(self, messages: dict[str, dict[str, str]], form: dict[str, str]) -> dict[str, object]:
        one = messages.get(form.get("user", ""))
        if one is None:
            raise Failed("Cannot show autoresponder", "It does not exist")
        once, kind = one.get("reply_once_time", "2d"), one.get("reply_content_type", "text/plain")
        plain: dict[str, object] = {"text": one["text"], "email": one.get("email", "")}
        if self.answers != "json" or self.selects_as_html:
            return plain | {
                "reply_subject": one.get("subject", ""),
                "reply_once_select": as_html(ONCE, once),
                "reply_content_types": as_html(("text/plain", "text/html"), kind),
            }
        headers = {
            "subject_prefix": one.get("subject", ""),
            "reply_once_select": as_choices(ONCE, once),
            "reply_content_types": as_choices(("text/plain", "text/html"), kind),
        }
        return plain | {"headers": headers}

    def _pointers(self, form: dict[str, str], _method: str) -> object:
        return self._domain(form).pointers

    def _lists(self, form: dict[str, str], _method: str) -> object:
        return self._domain(form).lists

    _commands = {  # noqa: RUF012 - a table of this class, read only
        "CMD_API_SHOW_DOMAINS": _show_domains,
        "CMD_API_DOMAIN": _new_domain,
        "CMD_API_POP": _pop,
        "CMD_API_EMAIL_FORWARDERS": _forwarders,
        "CMD_API_EMAIL_CATCH_ALL": _catch_all,
        "CMD_API_EMAIL_AUTORESPONDER": _responders,
        "CMD_API_EMAIL_AUTORESPONDER_MODIFY": _responder,
        "CMD_API_EMAIL_VACATION": _vacations,
        "CMD_API_EMAIL_VACATION_MODIFY": _vacation,
        "CMD_API_DOMAIN_POINTER": _pointers,
        "CMD_API_EMAIL_LIST": _lists,
    }


def megabytes(text: str) -> str:
    if not re.fullmatch(r"[0-9]+", text):
        raise Failed("Cannot create that account", "The quota must be a whole number")
    return text


def as_choices(values: tuple[str, ...], chosen: str) -> list[dict[str, str]]:
    return [{"value": one, "text": one} | ({"selected": "yes"} if one == chosen else {}) for one in values]


def as_html(values: tuple[str, ...], chosen: str) -> str:
    options = (f'<option {"selected " if one == chosen else ""}value="{one}">{one}</option>' for one in values)
    return f"<select>{''.join(options)}</select>"
