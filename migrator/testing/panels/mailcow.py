"""A mailcow: the parts of its API that deal with domains, mailboxes, aliases and alias domains.

Written after data/web/json_api.php and functions.mailbox.inc.php: the order of the checks, the codes, what it swallows. Where versions
differ there is a switch: `spelling`. Tests fill it as if people had used the panel by `domain`, `mailbox`, `alias`, `alias_domain`.
"""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import dataclass, field
from typing import Any, Literal

from migrator.addresses import ascii_domain
from migrator.testing.panels.server import Answer, Panel, Request

KEY = "0A1B2C-3D4E5F-607182-93A4B5-C6D7E8"
READ_ONLY_KEY = "F0E1D2-C3B4A5-968778-695A4B-3C2D1E"
API = "/api/v1/"
MB = 1024 * 1024
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_EMAIL = re.compile(rf"(?=.{{1,64}}@){_ATOM}(\.{_ATOM})*@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_CUT = re.compile(r"[ ,;\n]")
_VERBATIM = re.compile(
    r"\{(ARGON2I|ARGON2ID|BLF-CRYPT|CLEAR|CLEARTEXT|CRYPT|DES-CRYPT|MD5|MD5-CRYPT|PBKDF2|PLAIN|SHA|SHA1|SHA256|SHA256-CRYPT|SHA512|SHA512-CRYPT|SMD5|SSHA|SSHA256|SSHA512)\}",
    re.IGNORECASE,
)

Item = dict[str, object]


@dataclass
class Domain:
    """A domain; room and quotas in MB."""

    name: str
    mailboxes: int = 10
    aliases: int = 400
    maxquota: int = 10240
    quota: int = 10240
    active: int = 1
    backupmx: int = 0


@dataclass
class Mailbox:
    """A mailbox; the quota in bytes, 0 for unlimited."""

    address: str
    stored: str = ""  # the password as the database has it
    name: str = ""
    quota: int = 0
    used: int = 0
    active: int | str = 1


@dataclass
class Alias:
    """An alias; `goto` is a comma list."""

    number: int
    address: str
    goto: str
    active: int = 1


class Refusal(Exception):
    """One item of an answer that is a danger; a message in words, or a code with details."""

    def __init__(self, *message: object) -> None:
        super().__init__(message)
        self.message: object = list(message) if len(message) > 1 else message[0]


@dataclass
class _Said:
    """What one request has put into the session's list of messages."""

    items: list[Item] = field(default_factory=list)

    def success(self, *message: object) -> None:
        self.items.append({"type": "success", "log": ["mailbox", "add", "*"], "msg": list(message)})

    def danger(self, message: object) -> None:
        self.items.append({"type": "danger", "log": ["mailbox", "add", "*"], "msg": message})


class Mailcow(Panel):
    """See the module's docstring."""

    def __init__(self) -> None:
        super().__init__()
        self.spelling: Literal["numbers", "words", "ticks"] = "numbers"
        self.address_allowed = True
        self.key_expired = False
        self.attempts = 0  # refused keys
        self.domains: dict[str, Domain] = {}
        self.mailboxes: dict[str, Mailbox] = {}
        self.aliases: dict[int, Alias] = {}
        self.alias_domains: dict[str, tuple[str, int]] = {}
        self._numbers = itertools.count(1)

    # -- as if people had used the panel

    def domain(self, name: str, **more: Any) -> Domain:  # Any: fields of the dataclass
        self.domains[name] = Domain(name, **more)
        return self.domains[name]

    def mailbox(self, address: str, **more: Any) -> Mailbox:  # Any: as above
        self.mailboxes[address] = Mailbox(address, **more)
        return self.mailboxes[address]

    def alias(self, address: str, goto: str, active: int = 1) -> Alias:
        number = next(self._numbers)
        self.aliases[number] = Alias(number, address, goto, active)
        return self.aliases[number]

    def alias_domain(self, name: str, target: str, active: int = 1) -> None:
        self.alias_domains[name] = (target, active)

    # -- answering

    def answer(self, request: Request) -> Answer:
        if not request.path.startswith(API):
            return Answer(b"<!DOCTYPE html><html><title>mailcow UI</title></html>", 200, "text/html")
        key = request.headers.get("x-api-key", "")
        if key not in {KEY, READ_ONLY_KEY} or self.key_expired:
            self.attempts += 1
            return _json({"type": "error", "msg": "authentication failed"}, 401)
        if not self.address_allowed:
            self.attempts += 1
            return _json({"type": "error", "msg": "api access not allowed for ip 127.0.0.1"}, 401)
        action, _, path = request.path.removeprefix(API).partition("/")
        if action == "get":
            return self._get(path)
        return self._change(action, path, request, key)

    def _change(self, action: str, path: str, request: Request, key: str) -> Answer:
        if key == READ_ONLY_KEY:
            return _json({"type": "error", "msg": "API read/write access denied"}, 403)
        try:
            asked = json.loads(request.body)
        except ValueError:
            return _json({"type": "error", "msg": "Request body doesn't contain valid json!"}, 400)
        table = {
            ("add", "domain"): self._add_domain,
            ("add", "mailbox"): self._add_mailbox,
            ("add", "alias"): self._add_alias,
            ("add", "alias-domain"): self._add_alias_domain,
            ("edit", "mailbox"): self._edit_mailbox,
            ("edit", "alias"): self._edit_alias,
        }
        do = table.get((action, path))
        if do is None:
            return _json({"type": "error", "msg": "route not found"}, 404)
        said = _Said()
        try:
            do(asked, said)
        except Refusal as error:
            said.danger(error.message)
        return _json(said.items or {"type": "success", "msg": "Task completed"})

    # -- get

    def _get(self, path: str) -> Answer:
        kind, _, rest = path.partition("/")
        told: object = None
        match kind, rest.split("/"):
            case "status", ["version"]:
                told = {"version": "2026-08"}
            case "domain", ["all"]:
                told = [self._domain_row(one) for one in self.domains.values()]
            case "domain", [name]:
                told = self._domain_row(self.domains[name]) if name in self.domains else {}
            case "mailbox", ["all", *named]:
                end = f"@{named[0]}" if named else ""
                told = [self._mailbox_row(one) for one in self.mailboxes.values() if one.address.endswith(end)]
            case "alias", ["all"]:
                told = [self._alias_row(one) for one in self.aliases.values()]
            case "alias-domain", ["all"]:
                told = [self._alias_domain_row(*one) for one in self.alias_domains.items()]
            case _:
                return _json({"type": "error", "msg": "route not found"}, 404)
        return _json(told or {})  # {} for nothing at all, whatever was asked for

    def _spelt(self, number: int) -> object:
        return str(number) if self.spelling == "words" else number

    def _on(self, active: int | str) -> dict[str, object]:
        if self.spelling == "ticks":
            return {"active": {0: "✕", 1: "✔"}.get(int(active), "—"), "active_int": str(active)}
        if isinstance(active, str):
            return {"active": active}
        return {"active": self._spelt(active), "active_int": self._spelt(active)}

    def _domain_row(self, one: Domain) -> dict[str, object]:
        mine = [box for box in self.mailboxes.values() if box.address.endswith(f"@{one.name}")]
        return {
            "max_new_mailbox_quota": one.maxquota * MB,
            "def_new_mailbox_quota": 3072 * MB,
            "quota_used_in_domain": str(sum(box.quota for box in mine)),
            "bytes_total": str(sum(box.used for box in mine)),
            "mboxes_in_domain": len(mine),
            "mboxes_left": one.mailboxes - len(mine),
            "domain_name": one.name,
            "max_num_aliases_for_domain": one.aliases,
            "max_num_mboxes_for_domain": one.mailboxes,
            "max_quota_for_domain": one.quota * MB,
            "backupmx": self._spelt(one.backupmx),
            "backupmx_int": self._spelt(one.backupmx),
            **self._on(one.active),
        }

    def _mailbox_row(self, one: Mailbox) -> dict[str, object]:
        local, _, domain = one.address.rpartition("@")
        return {
            "username": one.address,
            "domain": domain,
            "local_part": local,
            "name": one.name or local,
            "quota": self._spelt(one.quota),
            "quota_used": str(one.used) if self.spelling != "numbers" else one.used,
            "messages": 0,
            "percent_in_use": "- " if not one.quota else round(100 * one.used / one.quota),
            "attributes": {"force_pw_update": "0", "smtp_access": "1", "mailbox_format": "maildir:"},
            **self._on(one.active),
        }

    def _alias_row(self, one: Alias) -> dict[str, object]:
        return {
            "id": self._spelt(one.number),
            "in_primary_domain": "",
            "domain": one.address.rpartition("@")[2],
            "public_comment": None,
            "goto": one.goto,
            "address": one.address,
            "is_catch_all": self._spelt(int(one.address.startswith("@"))),
            **self._on(one.active),
        }

    def _alias_domain_row(self, name: str, target: tuple[str, int]) -> dict[str, object]:
        return {"alias_domain": name, "target_domain": target[0], "parent_is_backupmx": 0, **self._on(target[1])}

    # -- add and edit, in the order of the vendor's checks

    def _add_domain(self, asked: dict[str, Any], said: _Said) -> None:  # Any: JSON from outside
        name = ascii_domain(str(asked.get("domain", "")))
        numbers = {word: int(asked.get(word, usual)) for word, usual in _USUAL.items()}
        if numbers["defquota"] > numbers["maxquota"]:
            raise Refusal("mailbox_defquota_exceeds_mailbox_maxquota")
        if numbers["maxquota"] > numbers["quota"]:
            raise Refusal("mailbox_quota_exceeds_domain_quota")
        if not numbers.pop("defquota"):
            raise Refusal("defquota_empty")
        if "." not in name:
            raise Refusal("domain_invalid")
        if name in self.domains or name in self.alias_domains:
            raise Refusal("domain_exists", name)
        self.domain(name, **numbers)
        said.success("dkim_added", name)
        said.success("domain_added", name)

    def _add_mailbox(self, asked: dict[str, Any], said: _Said) -> None:  # Any: as above
        domain = ascii_domain(str(asked.get("domain", "")))
        address = f"{str(asked.get('local_part', '')).strip().lower()}@{domain}"
        if not _EMAIL.fullmatch(address):
            raise Refusal("mailbox_invalid")
        if address in self.mailboxes:
            raise Refusal("object_exists", address)
        if any(one.address.lower() == address for one in self.aliases.values()):
            raise Refusal("is_alias", address)
        if domain not in self.domains:
            raise Refusal("domain_not_found", domain)
        quota = int(asked.get("quota", 3072))
        stored = _stored(asked)
        self._has_room(domain, quota, new=True)
        name = str(asked.get("name", "")).rstrip(">").lstrip("<")
        self.mailbox(address, stored=stored, name=name, quota=quota * MB, active=int(asked.get("active", 1)))
        said.items.append(
            {"type": "success", "log": ["ratelimit", "edit", "mailbox", {}], "msg": ["rl_saved", address]}
        )
        said.success("mailbox_added", address)

    def _has_room(self, domain: str, quota: int, *, new: bool, but: str = "") -> None:
        limits = self.domains[domain]
        mine = [one for one in self.mailboxes.values() if one.address.endswith(f"@{domain}") and one.address != but]
        if new and len(mine) >= limits.mailboxes:
            raise Refusal("max_mailbox_exceeded", len(mine), limits.mailboxes)
        if quota > limits.maxquota:
            raise Refusal("mailbox_quota_exceeded", limits.maxquota)
        left = limits.quota - sum(one.quota for one in mine) // MB
        if quota > left:
            raise Refusal("mailbox_quota_left_exceeded", left)

    def _add_alias(self, asked: dict[str, Any], said: _Said) -> None:  # Any: as above
        addresses = [one.strip() for one in _CUT.split(str(asked.get("address", "")))]
        goto = self._goto(asked, said)
        if goto is None:
            return
        for address in filter(None, addresses):
            if address in goto.split(","):
                continue  # without a word, as mailcow does
            local, _, domain = address.partition("@")
            if (
                any(one.address.lower() == address.lower() for one in self.aliases.values())
                or address in self.mailboxes
            ):
                said.danger(["is_alias_or_mailbox", address])
            elif domain not in self.domains and domain not in self.alias_domains:
                said.danger(["domain_not_found", domain])
            elif local and not _EMAIL.fullmatch(address):
                said.danger(["alias_invalid", address])
            else:
                made = self.alias(address, goto, int(asked.get("active", 0) or 0))
                said.success("alias_added", address, str(made.number))

    def _goto(self, asked: dict[str, Any], said: _Said) -> str | None:  # Any: as above
        for word, goto in (
            ("goto_null", "null@localhost"),
            ("goto_spam", "spam@localhost"),
            ("goto_ham", "ham@localhost"),
        ):
            if str(asked.get(word, "0")) == "1":
                return goto
        gotos = [one.strip() for one in _CUT.split(str(asked.get("goto", "")))]
        if not gotos[0]:
            raise Refusal("goto_empty")
        good = []
        for one in filter(None, gotos):
            if _EMAIL.fullmatch(one):
                good.append(one)
            else:
                said.danger(["goto_invalid", one])
        return ",".join(dict.fromkeys(good)) or None

    def _add_alias_domain(self, asked: dict[str, Any], said: _Said) -> None:  # Any: as above
        name, target = (
            ascii_domain(str(asked.get("alias_domain", ""))),
            ascii_domain(str(asked.get("target_domain", ""))),
        )
        if name == target:
            raise Refusal("aliasd_targetd_identical", target)
        if target not in self.domains:
            raise Refusal("targetd_not_found", target)
        if name in self.domains or name in self.alias_domains:
            raise Refusal("alias_domain_invalid", name)
        self.alias_domain(name, target, int(asked.get("active", 0) or 0))
        said.success("aliasd_added", name)

    def _edit_mailbox(self, asked: dict[str, Any], said: _Said) -> None:  # Any: as above
        told = asked["attr"]
        for address in asked["items"]:
            box = self.mailboxes.get(address)
            if box is None:
                said.danger("access_denied")
                continue
            if told.get("quota", "") != "":
                self._has_room(address.rpartition("@")[2], int(told["quota"]), new=False, but=address)
                box.quota = int(told["quota"]) * MB
            if told.get("password"):
                box.stored = _stored(told)
            box.name = told.get("name", box.name)
            box.active = int(told.get("active", box.active))
            said.success("mailbox_modified", address)

    def _edit_alias(self, asked: dict[str, Any], said: _Said) -> None:  # Any: as above
        for number in asked["items"]:
            alias = self.aliases.get(int(number))
            if alias is None:
                said.danger(["alias_invalid", number])
                continue
            goto = self._goto(asked["attr"], said)
            if goto is not None:
                alias.goto, alias.active = goto, int(asked["attr"].get("active", alias.active))
                said.success("alias_modified", alias.address)


_USUAL = {
    "mailboxes": 10,
    "aliases": 400,
    "defquota": 3072,
    "maxquota": 10240,
    "quota": 10240,
    "backupmx": 0,
    "active": 1,
}


def _stored(asked: dict[str, Any]) -> str:  # Any: as above
    password = str(asked.get("password", ""))
    if password != asked.get("password2"):
        raise Refusal("password_mismatch")
    if len(password) < 6:
        raise Refusal("password_complexity")
    return password if _VERBATIM.match(password) else "{BLF-CRYPT}of " + password


def _json(told: object, status: int = 200) -> Answer:
    return Answer(json.dumps(told, ensure_ascii=False).encode(), status)
