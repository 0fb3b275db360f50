"""A Plesk server: the XML API for mail, REST v2 for server and domains, the gateway to the command line for mailing lists.

It checks the order of nodes as the vendor's schema does (errcode 1014) and keeps state. Where real servers differ there is a switch:
`platform`, `gateway`, `one_result`, `filter_knows`, `tells_aliases`, `provider_refuses_aliases`. Tests fill it as if people had used the
panel: `domain`, `account`, and the objects these return.
"""

from __future__ import annotations

import base64
import itertools
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from migrator.addresses import ascii_domain, shown_domain
from migrator.testing.panels.server import Answer, Panel, Request

KEY = "5c2a9d0e-7b41-4f6a-9f15-d2b6c1a80e37"
USER, PASSWORD = "admin", "Plesk-admin-4711"
AGENT = "/enterprise/control/agent.php"
REST = "/api/v2/"

# What may stand inside a node, in this order: a regular expression over the names of the children, each followed by a blank.
# `parent/node` counts before `node`; a node that is not named here has no children.
_MAILNAME = (
    "name (cp-access )?(mailbox )?(forwarding )?(alias )*(autoresponder )?(password )?(antivir )?"
    "(outgoing-messages-mbox-limit )?(description )?"
)
_ORDER = {
    "packet": "(site |mail |maillist )+",
    "maillist": "(add-list |get-members )+",
    "add-list": "site-id name password admin-email (notify )?",
    "get-members": "filter ",
    "get-members/filter": "(list-id )*|(list-name )*",
    "site": "(get )+",
    "get": "filter dataset ",
    "get/filter": "(id )*|(name )*",
    "dataset": "(gen_info )?(hosting )?(stat )?",
    "mail": "(create |update |get_info |set_prefs |get_prefs |remove )+",
    "create": "filter ",
    "create/filter": "site-id (mailname )+",
    "mailname": _MAILNAME,
    "mailname/mailbox": "enabled (quota )?",
    "mailname/forwarding": "(enabled )?(address )*",
    "mailname/autoresponder": "(enabled )?(subject )?(content_type )?(charset )?(text )?(attachment )*(forward )?(end_date )?",
    "mailname/password": "(value )?(type )?",
    "update": "add |remove |set ",
    "add": "filter ",
    "remove": "filter ",
    "set": "filter ",
    "add/filter": "site-id (mailname )+",
    "remove/filter": "site-id (mailname )+",
    "set/filter": "site-id (mailname )+",
    "get_info": "filter (mailbox )?(mailbox-usage )?(forwarding )?(aliases )?(autoresponder )?",
    "get_info/filter": "site-id (name )*",
    "get_prefs": "filter ",
    "get_prefs/filter": "(site-id )*",
    "set_prefs": "filter prefs ",
    "set_prefs/filter": "(site-id )*",
    "prefs": "(nonexistent-user )?(webmail )?(spam-protect-sign )?(mailservice )?(greylisting )?",
    "nonexistent-user": "bounce |forward |reject ",
}
_LOCAL_PARTS = {
    "Unix": r"[a-z0-9_](?:[a-z0-9._+-]{0,62}[a-z0-9_+-])?",
    "Windows": r"[a-z0-9_](?:[a-z0-9._-]{0,62}[a-z0-9_-])?",
}


@dataclass
class Account:
    """A mail name. `answer` holds the autoresponder's nodes by name."""

    number: int
    name: str
    mailbox: bool = False
    quota: str = "-1"
    used: str = "0"
    forwards: bool = False
    addresses: list[str] = field(default_factory=list)
    aliases: list[str] = field(default_factory=list)
    answer: dict[str, str] = field(default_factory=dict)
    password: str = ""
    password_type: str = "plain"
    panel_login: bool = True  # cp-access
    description: str = ""
    broken: bool = False  # this one account cannot be told


@dataclass
class Site:
    """A domain. `unknown` is what becomes of mail for addresses that do not exist: bounce, forward or reject, and its text."""

    number: int
    name: str
    status: str = "0"
    accounts: dict[str, Account] = field(default_factory=dict)
    unknown: tuple[str, str] = ("bounce", "this address no longer accepts mail")
    lists: list[str] = field(default_factory=list)
    aliases: list[tuple[str, bool]] = field(default_factory=list)  # a domain alias, and whether it takes mail
    plan: str = ""


class Refusal(Exception):
    """Status error of a result: a code and a text."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


class Plesk(Panel):
    """See the module's docstring."""

    def __init__(self) -> None:
        super().__init__()
        self.platform: Literal["Unix", "Windows"] = "Unix"
        self.gateway: Literal["lists", "no lists", "closed"] = "lists"
        self.one_result = False  # all mail names in one result, as some versions answer
        self.filter_knows: Literal["unicode", "ascii", "both"] = "both"
        self.tells_aliases = True  # since 18.0.42
        self.provider_refuses_aliases = False
        self.address_allowed = True
        self.key_expired = False
        self.largest_quota: int | None = None
        self.attempts = 0  # refused logins
        self.list_members: dict[str, list[str]] = {}  # by the list's name
        self.list_passwords: dict[str, str] = {}  # of lists made through the API
        self.mails: list[str] = []  # who was told of a new list
        self.sites: dict[int, Site] = {}
        self._numbers = itertools.count(1)

    # -- as if people had used the panel

    def domain(self, name: str, **more: object) -> Site:
        site = Site(next(self._numbers), shown_domain(name))
        for word, value in more.items():
            assert hasattr(site, word), word
            setattr(site, word, value)
        self.sites[site.number] = site
        return site

    def account(self, site: Site, name: str, **more: object) -> Account:
        account = Account(next(self._numbers), name)
        for word, value in more.items():
            assert hasattr(account, word), word
            setattr(account, word, value)
        site.accounts[name.lower()] = account
        return account

    # -- answering

    def writes(self, request: Request) -> bool:
        if request.path == AGENT:
            return b"<get" not in request.body
        if request.path.endswith("/call"):
            return b'"--list"' not in request.body
        return super().writes(request)

    def answer(self, request: Request) -> Answer:
        if request.path == AGENT:
            return self._agent(request)
        if request.path.startswith(REST):
            return self._rest(request)
        return Answer(b"<html><body>Not Found</body></html>", 404, "text/html")

    def _logged_in(self, given: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
        if given == wanted and self.address_allowed and not (self.key_expired and wanted == (KEY,)):
            return True
        self.attempts += 1
        return False

    # -- XML

    def _agent(self, request: Request) -> Answer:
        head = request.headers
        if request.method != "POST" or not head.get("content-type", "").startswith("text/xml"):
            return Answer(b"<html><body>Bad Request</body></html>", 400, "text/html")
        by_key = "key" in head
        given = (head["key"],) if by_key else (head.get("http_auth_login", ""), head.get("http_auth_passwd", ""))
        if not self._logged_in(given, (KEY,) if by_key else (USER, PASSWORD)):
            text = "Invalid secret key usage. Please check logs for details." if by_key else "Wrong login or password."
            return _packet(_system(11003 if by_key else 1001, text))
        try:
            packet = ET.fromstring(request.body)
            _check(packet)
        except ET.ParseError as error:
            return _packet(_system(1014, f"Parser error: {error}"))
        except Refusal as error:
            return _packet(_system(error.code, error.text))
        return _packet(*(self._operator(one) for one in packet))

    def _operator(self, operator: ET.Element) -> ET.Element:
        answered = ET.Element(operator.tag)
        for operation in operator:
            if operation.tag == "update":
                way = operation[0]
                inner = ET.SubElement(ET.SubElement(answered, "update"), way.tag)
                inner.extend(self._each_name(way, partial(self._update, way=way.tag)))
                continue
            inner = ET.SubElement(answered, operation.tag)
            match operation.tag:
                case "get":
                    inner.extend(self._get_sites(operation))
                case "create":
                    inner.extend(self._each_name(operation, self._create))
                case "get_info":
                    inner.extend(self._get_info(operation))
                case "get-members":
                    inner.extend(self._members(operation))
                case "add-list":
                    inner.append(self._add_list(operation))
                case "get_prefs" | "set_prefs":
                    inner.extend(self._prefs(operation))
                case _:
                    inner.append(_failed(Refusal(1023, "Operation failed.")))
        return answered

    def _members(self, operation: ET.Element) -> list[ET.Element]:
        found = []
        for name in (one.text or "" for one in operation.iterfind("filter/list-name")):
            there = any(name in site.lists for site in self.sites.values())
            ids = [_node("id", member) for member in self.list_members.get(name, ())]
            found.append(
                _ok(_node("filter-id", name), *ids) if there else _failed(Refusal(1013, "maillist does not exist"))
            )
        return found

    def _add_list(self, operation: ET.Element) -> ET.Element:
        name = operation.findtext("name") or ""
        if any(name in one.lists for one in self.sites.values()):
            return _failed(Refusal(1007, "Mailing list already exists"))
        site = self._site(operation.findtext("site-id"))
        site.lists.append(name)
        self.list_passwords[name] = operation.findtext("password") or ""
        if operation.findtext("notify") != "false":
            self.mails.append(operation.findtext("admin-email") or "")
        return _ok(_node("id", str(next(self._numbers))))

    def _get_sites(self, operation: ET.Element) -> list[ET.Element]:
        asked = [one.text or "" for one in operation.iterfind("filter/*")]
        if not asked:
            return [_site_result(site) for site in self.sites.values()] or [_ok()]
        found = []
        for name in asked:
            site = next((one for one in self.sites.values() if self._is_called(one, name)), None)
            found.append(_site_result(site) if site else _failed(Refusal(1013, "site does not exist")))
        return found

    def _is_called(self, site: Site, name: str) -> bool:
        known = {"unicode": {site.name}, "ascii": {ascii_domain(site.name)}}
        names = known.get(self.filter_knows) or {site.name, ascii_domain(site.name)}
        return name in names

    def _site(self, told: str | None) -> Site:
        site = self.sites.get(int(told or 0))
        if site is None:
            raise Refusal(1013, "site does not exist")
        return site

    def _each_name(self, operation: ET.Element, do: Callable[[Site, ET.Element], Account]) -> list[ET.Element]:
        results = []
        for node in operation.iterfind("filter/mailname"):
            name = (node.findtext("name") or "").strip().lower()
            try:
                site = self._site(operation.findtext("filter/site-id"))
                account = do(site, node)
            except Refusal as error:
                results.append(_failed(error, name))
            else:
                told = _node("mailname", _node("id", str(account.number)), _node("name", account.name))
                results.append(_ok(told))
        return results

    def _create(self, site: Site, node: ET.Element) -> Account:
        name = (node.findtext("name") or "").strip().lower()
        if not re.fullmatch(_LOCAL_PARTS[self.platform], name):
            raise Refusal(1019, f"The mail name '{name}' is invalid.")
        self._free(site, name)
        account = Account(next(self._numbers), name)
        self._fill(site, account, node)
        if account.mailbox and not account.password:
            raise Refusal(1019, "A mailbox needs a password.")
        site.accounts[name] = account
        return account

    def _free(self, site: Site, name: str) -> None:
        taken = {
            *site.accounts,
            *(alias.lower() for one in site.accounts.values() for alias in one.aliases),
            *site.lists,
        }
        if name in taken:
            raise Refusal(1007, f"Mail name {name}@{site.name} already exists")

    def _update(self, site: Site, node: ET.Element, way: str) -> Account:
        account = site.accounts.get((node.findtext("name") or "").strip().lower())
        if account is None:
            raise Refusal(1013, "Mail account does not exist")
        if way == "add":
            for alias in node.iterfind("alias"):
                name = (alias.text or "").strip().lower()
                if self.platform == "Windows" and self.provider_refuses_aliases:
                    raise Refusal(1023, "Mail aliases are not supported by the mail server.")
                self._free(site, name)
                account.aliases.append(name)
            account.addresses += [one.text or "" for one in node.iterfind("forwarding/address")]
            return account
        if way == "remove":
            gone = {one.text for one in node.iterfind("alias")}
            account.aliases = [one for one in account.aliases if one not in gone]
            return account
        self._fill(site, account, node)
        return account

    def _fill(self, site: Site, account: Account, node: ET.Element) -> None:
        password = node.find("password")
        if password is not None:
            self._set_password(account, password)
        if (box := node.find("mailbox")) is not None:
            self._set_mailbox(account, box)
        if (forwarding := node.find("forwarding")) is not None:
            addresses = [(one.text or "").strip() for one in forwarding.iterfind("address")]
            if any(one.count("@") != 1 or " " in one for one in addresses):
                raise Refusal(1019, "The address for forwarding is invalid.")
            if f"{account.name}@{site.name}" in addresses:
                raise Refusal(1019, "Mail cannot be forwarded to itself.")
            account.forwards = forwarding.findtext("enabled") == "true"
            account.addresses = addresses
        for one in node.iterfind("alias"):
            self._free(site, one.text or "")
            account.aliases.append(one.text or "")
        if (answer := node.find("autoresponder")) is not None:
            account.answer = {one.tag: one.text or "" for one in answer}
        if (access := node.findtext("cp-access")) is not None:
            account.panel_login = access == "true"
        if (text := node.findtext("description")) is not None:
            account.description = text

    def _set_password(self, account: Account, node: ET.Element) -> None:
        value, kind = node.findtext("value") or "", node.findtext("type") or "plain"
        if kind not in {"plain", "crypt"}:
            raise Refusal(1014, "Parser error: Element 'type': not an element of the set {'plain', 'crypt'}.")
        if kind == "crypt" and (self.platform == "Windows" or not value.startswith(("$6$", "$1$", "$5$"))):
            raise Refusal(1019, "The password type is not supported by the mail server.")
        if kind == "plain" and len(value) < 8:
            raise Refusal(1019, f"Your password '{value}' is not complex enough.")
        account.password, account.password_type = value, kind

    def _set_mailbox(self, account: Account, node: ET.Element) -> None:
        account.mailbox = node.findtext("enabled") == "true"
        quota = node.findtext("quota")
        if quota is None:
            return
        if not re.fullmatch(r"-1|\d+", quota):
            raise Refusal(1014, "Parser error: Element 'quota': not a valid value of the atomic type 'xs:integer'.")
        if self.largest_quota is not None and not 0 <= int(quota) <= self.largest_quota:
            raise Refusal(1023, "The mailbox size exceeds the limit of the subscription.")
        if self.platform == "Windows" and quota != "-1":
            quota = str(-(-int(quota) // 2**20) * 2**20)
        account.quota = quota

    def _get_info(self, operation: ET.Element) -> list[ET.Element]:
        try:
            site = self._site(operation.findtext("filter/site-id"))
        except Refusal as error:
            return [_failed(error)]
        asked = {one.tag for one in operation}
        names = [(one.text or "").lower() for one in operation.iterfind("filter/name")]
        results: list[ET.Element] = []
        told: list[ET.Element] = []
        for name in names or sorted(site.accounts):
            account = site.accounts.get(name)
            if account is None:
                results.append(_failed(Refusal(1013, "Mail account does not exist"), name))
            elif account.broken:
                results.append(_failed(Refusal(1023, "Operation failed."), name))
            else:
                told.append(_told(account, asked))
        if self.one_result and told:
            return [_ok(*told), *results]
        return [*(_ok(one) for one in told), *results] or [_ok()]

    def _prefs(self, operation: ET.Element) -> list[ET.Element]:
        results = []
        for one in operation.iterfind("filter/site-id"):
            try:
                site = self._site(one.text)
            except Refusal as error:
                results.append(_failed(error))
                continue
            if operation.tag == "set_prefs":
                chosen = operation.find("prefs/nonexistent-user")
                if chosen is not None:
                    site.unknown = (chosen[0].tag, chosen[0].text or "")
                results.append(_ok(_node("site-id", str(site.number))))
                continue
            kind, text = site.unknown
            prefs = _node("prefs", _node("nonexistent-user", _node(kind, text)), _node("mailservice", "true"))
            results.append(_ok(_node("site-id", str(site.number)), prefs))
        return results

    # -- REST

    def _rest(self, request: Request) -> Answer:
        head = request.headers
        by_key = "x-api-key" in head
        basic = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        given = (head["x-api-key"],) if by_key else (head.get("authorization", ""),)
        if not self._logged_in(given, (KEY,) if by_key else (basic,)):
            return _error(401, "Incorrect login or password.")
        path = request.path.removeprefix(REST)
        match request.method, path:
            case "GET", "server":
                told = {
                    "platform": self.platform,
                    "hostname": "plesk.example.com",
                    "panel_version": "18.0.74",
                    "extension_version": "2.9.0",
                }
                return _json(told)
            case "GET", "domains":
                name = request.form.get("name")
                return _json([self._row(one) for one in self.sites.values() if name in {None, one.name}])
            case "POST", "domains":
                return self._create_domain(request)
        if self.gateway == "closed":
            return _error(403, "Access denied.")
        return self._cli(request, path)

    def _row(self, site: Site) -> dict[str, object]:
        row: dict[str, object] = {
            "id": site.number,
            "name": site.name,
            "ascii_name": ascii_domain(site.name),
            "hosting_type": "none",
            "base_domain_id": 0,
            "www_root": "",
            "guid": f"b623e93d-dc72-4102-b5f0-{site.number:012}",
            "created": "2026-11-13",
        }
        if self.tells_aliases:
            row["aliases"] = [
                {
                    "name": shown_domain(name),
                    "ascii_name": name,
                    "web": True,
                    "dns": True,
                    "mail": mail,
                    "seo_redirect": True,
                }
                for name, mail in site.aliases
            ]
        return row

    def _create_domain(self, request: Request) -> Answer:
        asked = json.loads(request.body)
        unknown = asked.keys() - {
            "name",
            "description",
            "hosting_type",
            "hosting_settings",
            "base_domain",
            "parent_domain",
            "owner_client",
            "ip_addresses",
            "ipv4",
            "ipv6",
            "plan",
        }
        if unknown:
            return _error(400, f"Unknown property: {sorted(unknown)}")
        name = shown_domain(str(asked.get("name", "")))
        if "." not in name:
            return _error(400, "Invalid domain name.")
        if any(one.name == name for one in self.sites.values()):
            return _error(400, f"Domain {name} already exists.")
        if asked.get("hosting_type", "virtual") == "virtual" and "hosting_settings" not in asked:
            return _error(400, "hosting_settings: ftp_login is required.")
        site = self.domain(name, plan=(asked.get("plan") or {}).get("name", ""))
        return _json({"id": site.number, "guid": f"b623e93d-dc72-4102-b5f0-{site.number:012}"}, 201)

    def _cli(self, request: Request, path: str) -> Answer:
        utilities = ["domain", "mail", "site", "spamfilter", *(["maillist"] if self.gateway == "lists" else [])]
        if (request.method, path) == ("GET", "cli/commands"):
            return _json(utilities)
        parts = path.split("/")
        if len(parts) != 3 or parts[0] != "cli" or parts[1] not in utilities:
            return _error(404, "Command is not found.")
        if parts[1] != "maillist":
            return _json({"code": 1, "stdout": "", "stderr": "not emulated"})
        if parts[2] == "ref":
            commands: dict[str, object] = {"--create": {}, "--list": {}, "--remove": {}}
            return _json({"allowed_commands": commands, "allowed_options": {"-domain": {}}})
        return _json(self._maillist(json.loads(request.body)["params"]))

    def _maillist(self, params: list[str]) -> dict[str, object]:
        if params[:2] != ["--list", "-domain"] or len(params) != 3:
            return {"code": 1, "stdout": "", "stderr": f"Unrecognized option {params}"}
        site = next((one for one in self.sites.values() if ascii_domain(one.name) == params[2]), None)
        if site is None:
            return {"code": 1, "stdout": "", "stderr": f"Unable to find domain {params[2]}"}
        return {"code": 0, "stdout": "".join(f"{name}\n" for name in site.lists), "stderr": ""}


# -- nodes ----------------------------------------------------------------------------------------------------------------


def _check(node: ET.Element, parent: str = "") -> None:
    order = _ORDER.get(f"{parent}/{node.tag}", _ORDER.get(node.tag, ""))
    children = "".join(f"{one.tag} " for one in node)
    if not re.fullmatch(order, children):
        raise Refusal(1014, f"Parser error: Cvc-complex-type.2.4. Element '{node.tag}': {children}is not expected.")
    for one in node:
        _check(one, node.tag)


def _node(tag: str, *inside: ET.Element | str) -> ET.Element:
    node = ET.Element(tag)
    for one in inside:
        if isinstance(one, str):
            node.text = one
        else:
            node.append(one)
    return node


def _ok(*more: ET.Element) -> ET.Element:
    return _node("result", _node("status", "ok"), *more)


def _failed(why: Refusal, name: str = "") -> ET.Element:
    told = [_node("mailname", _node("name", name))] if name else []
    return _node("result", _node("status", "error"), _node("errcode", str(why.code)), _node("errtext", why.text), *told)


def _system(code: int, text: str) -> ET.Element:
    return _node("system", _node("status", "error"), _node("errcode", str(code)), _node("errtext", text))


def _site_result(site: Site) -> ET.Element:
    told = _node(
        "gen_info",
        _node("cr_date", "2026-11-13"),
        _node("name", site.name),
        _node("ascii-name", ascii_domain(site.name)),
        _node("status", site.status),
        _node("htype", "none"),
    )
    return _ok(_node("filter-id", site.name), _node("id", str(site.number)), _node("data", told))


def _told(account: Account, asked: set[str]) -> ET.Element:
    node = _node("mailname", _node("id", str(account.number)), _node("name", account.name))
    if "mailbox" in asked:
        box = _node("mailbox", _node("enabled", _yes(account.mailbox)), _node("quota", account.quota))
        if "mailbox-usage" in asked:
            box.append(_node("usage", account.used))
        node.append(box)
    if "forwarding" in asked:
        to = [_node("address", one) for one in account.addresses]
        node.append(_node("forwarding", _node("enabled", _yes(account.forwards)), *to))
    if "aliases" in asked:
        node.extend(_node("alias", one) for one in account.aliases)
    if "autoresponder" in asked:
        parts = {"enabled": "false", **account.answer}
        node.append(_node("autoresponder", *(_node(tag, text) for tag, text in parts.items())))
    node.append(_node("password"))
    if account.description:
        node.append(_node("description", account.description))
    return node


def _yes(value: bool) -> str:  # noqa: FBT001 - the value is the whole of it
    return "true" if value else "false"


def _packet(*operators: ET.Element) -> Answer:
    packet = _node("packet", *operators)
    packet.set("version", "1.6.9.1")
    return Answer(ET.tostring(packet, encoding="utf-8", xml_declaration=True), kind="text/xml")


def _json(told: object, status: int = 200) -> Answer:
    return Answer(json.dumps(told).encode(), status)


def _error(status: int, message: str) -> Answer:
    return _json({"code": status, "message": message}, status)
