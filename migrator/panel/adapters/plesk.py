"""Plesk Obsidian (Linux and Windows), through three of its doors: the XML API for mail, REST v2 for server and domains, REST's
gateway to the command line for the names of mailing lists.

Docs: "Plesk XML API, Managing Mail" (protocol 1.6.9.1), "Plesk RESTful API v2", "CLI gate". Written from the vendor's schema and
its documents' samples; what only a living panel could tell is asked of it: the platform decides what a session's features say, the
gateway's own reference whether lists can be named.

A mail name is mailbox, forwarder, aliases and autoresponder in one, each switched on or off by itself. So a mailbox that forwards
always keeps its copy: without it the mailbox would have to be switched off. What Plesk cannot: suspend a single mailbox, filters
(they are the owners' Sieve), show password hashes, keep an autoresponder's sender, interval and start. On Windows the mail server is
another product behind a provider: it takes plain passwords only.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, ClassVar, Self, cast

from pydantic import Field, SecretStr, model_validator

from migrator.addresses import ascii_domain, same_form, shown_domain, split
from migrator.engine.contract import Adapter, Login, Service
from migrator.errors import EndpointRefused, MigratorError, Misbehaved, NotFound, Refused, Unavailable
from migrator.frozen import dataclass
from migrator.panel.contract import AnyThing, Features, PanelReader, PanelWriter
from migrator.panel.model import (
    Autoresponder,
    CatchAll,
    Destination,
    Domain,
    DomainForwarder,
    Forwarder,
    ListName,
    Mailbox,
    Password,
    Probe,
    Thing,
    Way,
    bare_hash,
    changed,
    lost,
)
from migrator.wire.http import Reply, Site, WebOptions

AGENT = "enterprise/control/agent.php"
REST = "api/v2"
LIST_UTILITY = "maillist"

# Error codes of the XML API (docs: "Reduced List of Error Codes").
NOT_LOGGED_IN = {"1001", "1002", "1006", "11003"}  # 11003: a secret key that is wrong, or used from another address
PERMISSION_DENIED = "1006"
EXISTS = "1007"
NOT_THERE = "1013"
NOT_PARSED = "1014"

UNLIMITED = -1
LONGEST_QUOTE = 200  # characters of the panel's own words in a sentence of ours
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ufffe\uffff]")  # no XML 1.0 (2.2), or none we send; TAB and LF are


# -- what a plan says -------------------------------------------------------------------------------------------------


class Options(WebOptions, Service):
    """How to reach a Plesk server and log in: with a secret key, or as a user."""

    key: SecretStr | str | None = Field(
        None,
        description="Name of the secret with a secret key of the panel; it is tied to the address it was made for",
        json_schema_extra={"secret": True},
    )
    user: str | None = Field(None, min_length=1, description="Who to log in as where there is no key, such as admin")
    password: SecretStr | str | None = Field(
        None, description="Name of the secret with that user's password", json_schema_extra={"secret": True}
    )
    plan: str | None = Field(
        None,
        min_length=1,
        description="Name of the service plan for domains that are created; left out: a subscription without a plan",
    )

    @model_validator(mode="after")
    def _one_login(self) -> Self:
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password belong together")
        if (self.key is None) == (self.user is None):
            raise ValueError("give either key, or user and password")
        return self


# -- what it can ------------------------------------------------------------------------------------------------------

_NO_SUSPENSION = lost("Plesk cannot suspend a single mailbox")
_ONE_SWITCH = "Plesk forwards with a copy where there is a mailbox, and without where there is none"

FEATURES = Features(
    title="Plesk",
    lists=frozenset({Domain, Mailbox, Forwarder, DomainForwarder, CatchAll, Autoresponder, ListName}),
    creates=frozenset({Domain, Mailbox, Forwarder, CatchAll, Autoresponder}),
    changes=frozenset({Mailbox, Forwarder, CatchAll, Autoresponder}),
    tells={
        "domain.routing": lost("Plesk only has the mail service on or off"),
        "domain.dkim key": lost("the API does not show it"),
        "mailbox.password": lost("Plesk does not show password hashes"),
        "mailbox.name": changed("it is the mail account's description"),
        "autoresponder.sender's name": lost("Plesk answers under the mailbox's own address"),
        "autoresponder.interval": lost("the API does not show it"),
        "autoresponder.start and stop": changed("Plesk only has the day an answer ends"),
    },
    keeps={
        "domain.routing": lost("Plesk only has the mail service on or off"),
        "domain.dkim key": lost("Plesk makes a key of its own"),
        "domain.suspended": lost("a domain is created active"),
        "mailbox.suspended login": _NO_SUSPENSION,
        "mailbox.suspended receiving": _NO_SUSPENSION,
        "mailbox.suspended sending": _NO_SUSPENSION,
        "mailbox.name": changed("it becomes the mail account's description"),
        "forwarder.reject": lost("Plesk forwards to addresses only"),
        "forwarder.discard": lost("Plesk forwards to addresses only"),
        "forwarder.pipe": lost("Plesk forwards to addresses only"),
        "forwarder.system user": lost("Plesk forwards to addresses only"),
        "domain forwarder.target": lost("a domain alias is to be created in Plesk by hand"),
        "catch-all.discard": lost("Plesk forwards, bounces or rejects"),
        "catch-all.pipe": lost("Plesk forwards, bounces or rejects"),
        "autoresponder.sender's name": lost("Plesk answers under the mailbox's own address"),
        "autoresponder.interval": lost("the API does not set it"),
        "autoresponder.start and stop": changed("Plesk only has the day an answer ends; it starts at once"),
        "mailing list.name": lost("lists are the lists step's business"),
    },
    schemes=frozenset({"SHA512-CRYPT", "MD5-CRYPT"}),
    sets_passwords=True,
    makes_lists=True,
    reads_lists=True,
    local_part=r"[A-Za-z0-9_](?:[A-Za-z0-9._+-]{0,62}[A-Za-z0-9_+-])?",
)


def on_windows(features: Features) -> Features:
    """What is left of the features where Plesk's mail server is one for Windows."""
    why = "the mail server behind Plesk for Windows needs the password in plain"
    return replace(
        features,
        title="Plesk for Windows",
        makes_lists=False,  # Mailman does not run there
        reads_lists=False,
        schemes=frozenset(),
        keeps={
            **features.keeps,
            "mailbox.password": changed(f"{why}, so a hash is not carried over"),
            "mailbox.quota": changed("the mail server behind Plesk for Windows may round it"),
        },
        local_part=r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9_-])?",
    )


# -- sessions ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Account:
    """A mail name as Plesk keeps it."""

    name: str
    has_mailbox: bool
    quota: int | None
    used: int | None
    forwards: bool
    addresses: tuple[str, ...]
    aliases: tuple[str, ...]
    answers: bool
    answer: ET.Element | None
    description: str


class PleskReader:
    """A Plesk server that is being asked."""

    _writes: ClassVar[bool] = False

    def __init__(self, options: Options, _login: Login) -> None:
        """Opens nothing yet; the login is proven by the first question."""
        self._options = options
        self._site = _open(options, writes=self._writes)
        self._ids: dict[str, str] = {}

    @cached_property
    def features(self) -> Features:
        """What this server can: less on Windows, and no list names without the gateway. Asks the server once."""
        found = on_windows(FEATURES) if self._is_windows else FEATURES
        return found if self._list_command else replace(found, lists=found.lists - {ListName})

    def probe(self) -> Probe:
        """Who answers, which proves the login for REST and for the XML API."""
        self._sites("")
        notes = []
        if self._is_windows:
            notes.append("Mailboxes need a password in plain here: hashes are not carried over to Plesk for Windows.")
        if not self._list_command:
            notes.append("The command line gateway names no mailing lists to this login.")
        return Probe("Plesk", _word(self._server, "panel_version"), notes)

    def domains(self) -> Sequence[Domain]:
        """Every domain this login may see."""
        suspended = {_site_name(one) for one in self._sites("") if _is_suspended(one)}
        names = [_name_of(row) for row in _rows(self._rest("GET", "domains"))]
        return [Domain(name, suspended=name in suspended) for name in names]

    def list(self, noun: type[AnyThing], domain: str) -> Sequence[AnyThing]:
        """Everything of one kind in a domain."""
        table: dict[type, Callable[[str], Sequence[Thing]]] = {
            Domain: lambda name: [one for one in self.domains() if one.name == name],
            Mailbox: self._mailboxes,
            Forwarder: self._forwarders,
            DomainForwarder: self._domain_forwarders,
            CatchAll: self._catch_alls,
            Autoresponder: self._autoresponders,
            ListName: self._list_names,
        }
        return cast("Sequence[AnyThing]", table[noun](ascii_domain(domain)))  # the table pairs each noun with its own

    def close(self) -> None:
        """End the session; never raises."""
        self._site.close()

    # -- nouns

    def _mailboxes(self, domain: str) -> Sequence[Mailbox]:
        return [
            Mailbox(f"{one.name}@{domain}", quota=one.quota, used=one.used, name=one.description)
            for one in self._accounts(domain, ("mailbox", "mailbox-usage"))
            if one.has_mailbox
        ]

    def _forwarders(self, domain: str) -> Sequence[Forwarder]:
        found: list[Forwarder] = []
        for one in self._accounts(domain, ("mailbox", "forwarding", "aliases")):
            address = f"{one.name}@{domain}"
            if one.forwards:
                found.append(_forwarder(address, one))
            found.extend(Forwarder(f"{alias}@{domain}", (Destination(address),)) for alias in one.aliases)
        return found

    def _domain_forwarders(self, domain: str) -> Sequence[DomainForwarder]:
        """Domain aliases that take mail, as the alias or as its target; older panels than 18.0.42 do not tell them."""
        found = []
        for row in _rows(self._rest("GET", "domains")):
            target = _name_of(row)
            for alias in _rows(row.get("aliases") or []):
                told = _mapping(alias, "a domain alias")
                if told.get("mail") is True and domain in {target, _name_of(told)}:
                    found.append(DomainForwarder(_name_of(told), target))
        return found

    def _catch_alls(self, domain: str) -> Sequence[CatchAll]:
        """Only a forward is one: bounce and reject both refuse mail for addresses that do not exist."""
        address = self._unknown_users_go_to(domain)
        return [CatchAll(domain, Destination(address))] if address else []

    def _autoresponders(self, domain: str) -> Sequence[Autoresponder]:
        return [
            _autoresponder(f"{one.name}@{domain}", one.answer)
            for one in self._accounts(domain, ("autoresponder",))
            if one.answers and one.answer is not None
        ]

    def _list_names(self, domain: str) -> Sequence[ListName]:
        self._site_id(domain)
        if not self._list_command:
            return []
        params = [self._list_command, "-domain", domain]
        reply = self._site.read("POST", f"{REST}/cli/{LIST_UTILITY}/call", json={"params": params, "env": {}})
        said = _mapping(_checked(reply), "the gateway's answer")
        if _word(said, "code") != "0":  # 200 all the same
            raise Refused(
                f"{domain}: Plesk could not name the mailing lists ({_quoted(_word(said, 'stderr'))}).",
                remedy="Look at the lists in the panel.",
            )
        return [ListName(_list_address(line, domain)) for line in _word(said, "stdout").splitlines() if line.strip()]

    def members_of(self, address: str) -> Sequence[str]:
        """By the operator maillist, which knows a list by its name, of which a server has one only. No names, no options."""
        local, domain = split(address)
        if ListName in self.features.lists and same_form(address).lower() not in {
            one.key for one in self.list(ListName, domain)
        }:
            raise NotFound(f"{address}: Plesk has no such mailing list.")
        named = _node("filter", _node("list-name", local))
        results = _results(self._ask(_packet(_node("maillist", _node("get-members", named)))), "maillist/get-members")
        found: dict[str, str] = {}
        for result in results:
            if result.findtext("status") != "ok":
                raise _failure(result, address)
            found.update({(one.text or "").strip().lower(): (one.text or "").strip() for one in result.iterfind("id")})
        return [member for key, member in found.items() if key]

    # -- asking

    @cached_property
    def _server(self) -> Mapping[str, object]:
        return _mapping(self._rest("GET", "server"), "the server's description")

    @property
    def _is_windows(self) -> bool:
        return _word(self._server, "platform").lower().startswith("win")

    @cached_property
    def _list_command(self) -> str:
        """How the gateway's list utility is told to list, "" where it cannot be."""
        commands = self._gateway("cli/commands")
        if not isinstance(commands, list) or LIST_UTILITY not in commands:
            return ""
        told = self._gateway(f"cli/{LIST_UTILITY}/ref")
        allowed = told.get("allowed_commands") if isinstance(told, dict) else None
        words = {str(word) for word in allowed} if isinstance(allowed, dict | list) else set()
        return next((f"--{word.lstrip('-')}" for word in ("--list", "list") if word in words), "")

    def _gateway(self, path: str) -> object:
        """What the gateway says; None where this login has no right to it or the panel no such utility."""
        reply = self._site.read("GET", f"{REST}/{path}")
        return None if reply.status in {403, 404} else _checked(reply)

    def _rest(self, method: str, path: str) -> object:
        return _checked(self._site.read(method, f"{REST}/{path}"))

    def _ask(self, packet: ET.Element) -> ET.Element:
        reply = self._site.read("POST", AGENT, content=_wire(packet), headers={"Content-Type": "text/xml"})
        return _parsed(reply)

    def _sites(self, *names: str) -> Sequence[ET.Element]:
        """Sites with id and gen_info: those with one of these names, or all of them for ""."""
        filters = [_node("name", name) for name in names if name]
        packet = _packet(_node("site", _node("get", _node("filter", *filters), _node("dataset", _node("gen_info")))))
        answer = self._ask(packet)
        found = []
        for result in _results(answer, "site/get"):
            if result.findtext("status") == "ok":
                found.append(result)
            elif result.findtext("errcode") != NOT_THERE:
                raise _failure(result, "the domains")
        # Without a single domain "all of them" is a result without an id.
        return [one for one in found if one.findtext("id")]

    def _site_id(self, domain: str) -> str:
        """The id mail is asked for with. An IDN is asked for in both forms, since Plesk's filter knows one of them."""
        if domain not in self._ids:
            there = self._sites(*dict.fromkeys((shown_domain(domain), domain)))
            if not there:
                raise NotFound(
                    f"{domain}: there is no such domain on this Plesk.",
                    remedy="Create it there, or take it out of the plan.",
                )
            self._ids[domain] = there[0].findtext("id", "")
        return self._ids[domain]

    def _accounts(self, domain: str, parts: Sequence[str], *names: str) -> Sequence[_Account]:
        """The domain's mail names with these parts, in the schema's order; only those with one of the names, if any is given."""
        asked = [_node("site-id", self._site_id(domain)), *(_node("name", name) for name in names)]
        packet = _packet(_node("mail", _node("get_info", _node("filter", *asked), *(_node(part) for part in parts))))
        found: list[_Account] = []
        # A result for each mail name at most versions, one with all of them at others; one without any in an empty domain.
        for result in _results(self._ask(packet), "mail/get_info"):
            if result.findtext("status") == "ok":
                found.extend(_account(one, domain) for one in result.iterfind("mailname"))
            elif not (names and result.findtext("errcode") == NOT_THERE):
                raise _not_read(result, domain)
        return found

    def _unknown_users_go_to(self, domain: str) -> str:
        """Where mail for addresses that do not exist is forwarded to; "" where it is refused."""
        site = _node("filter", _node("site-id", self._site_id(domain)))
        for result in _results(self._ask(_packet(_node("mail", _node("get_prefs", site)))), "mail/get_prefs"):
            if result.findtext("status") != "ok":
                raise _failure(result, f"{domain}: the mail settings")
            address = (result.findtext("prefs/nonexistent-user/forward") or "").strip()
            if "," in address or (address and "@" not in address):
                raise Misbehaved(
                    f"{domain}: mail for unknown addresses goes to {_quoted(address)}, which is not one address.",
                    remedy="Change it in the panel, or set the catch-all by hand.",
                )
            return same_form(address)
        return ""


class PleskWriter(PleskReader):
    """A Plesk server that is being filled. Every creation is one request, so none can be left half done."""

    _writes = True

    def create(self, thing: Thing, password: Password | None = None) -> None:
        """Make something that is not there."""
        match thing:
            case Domain():
                self._create_domain(thing)
            case Mailbox():
                self._create_mailbox(thing, password or Password())
            case Forwarder():
                self._create_forwarder(thing)
            case CatchAll():
                self._create_catch_all(thing)
            case Autoresponder():
                self._create_autoresponder(thing)
            case _:
                raise Refused(
                    f"{thing.key}: a {thing.word} cannot be created in Plesk from here.", remedy="Create it by hand."
                )

    def change(self, thing: Thing, there: Thing) -> None:
        """Make what is `there` like `thing`."""
        match thing:
            case Mailbox():
                parts = [_mailbox(thing)]
                if thing.name != (there.name if isinstance(there, Mailbox) else ""):
                    parts.append(_node("description", thing.name))
                self._set(thing.address, parts)
            case Forwarder():
                self._change_forwarder(thing)
            case CatchAll():
                self._set_catch_all(thing)
            case Autoresponder():
                self._set(thing.address, [_answer(thing)])
            case _:
                raise Refused(
                    f"{thing.key}: a {thing.word} cannot be changed in Plesk from here.", remedy="Change it by hand."
                )

    def set_password(self, address: str, password: Password) -> None:
        """From now on this is the mailbox's password."""
        self._set(address, [self._password(address, password)], password)

    # -- nouns

    def _create_domain(self, domain: Domain) -> None:
        if self._sites(*dict.fromkeys((shown_domain(domain.name), domain.name))):
            raise _is_there(domain.name, "a domain of this name")
        asked: dict[str, object] = {"name": shown_domain(domain.name), "hosting_type": "none"}
        if self._options.plan:
            asked["plan"] = {"name": self._options.plan}
        reply = self._site.write("POST", f"{REST}/domains", json=asked)
        _checked(reply, domain.name)

    def _create_mailbox(self, mailbox: Mailbox, password: Password) -> None:
        # The owner of a mailbox gets no login to the panel: many versions would give one.
        parts = [_node("cp-access", "false"), _mailbox(mailbox), self._password(mailbox.address, password)]
        if mailbox.name:
            parts.append(_node("description", mailbox.name))
        self._create(mailbox.address, parts, password)

    def _create_forwarder(self, forwarder: Forwarder) -> None:
        _addresses_only(forwarder)
        local, domain = split(forwarder.address)
        alias_of = _possible_mailbox(forwarder)
        names = [local, alias_of] if alias_of else [local]
        there = {one.name.lower(): one for one in self._accounts(domain, ("mailbox", "forwarding"), *names)}
        own, other = there.get(local.lower()), there.get(alias_of.lower())
        if own is None and forwarder.keeps_copy:
            raise Refused(
                f"{forwarder.address}: there is no mailbox that could keep a copy.", remedy="Create it first."
            )
        if own is None and other is not None and other.has_mailbox:
            alias = [_node("alias", local)]
            self._update("add", f"{alias_of}@{domain}", alias)
        elif own is None:
            self._create(forwarder.address, [_node("mailbox", _node("enabled", "false")), _forwarding(forwarder)])
        else:
            self._forward_from(own, forwarder)

    def _forward_from(self, own: _Account, forwarder: Forwarder) -> None:
        if own.forwards or own.addresses:
            kept = "a forwarder" if own.forwards else "a forwarder, switched off,"
            raise _is_there(forwarder.address, kept)
        if own.has_mailbox and not forwarder.keeps_copy:
            raise _always_copies(forwarder.address)
        if forwarder.keeps_copy and not own.has_mailbox:
            raise Refused(
                f"{forwarder.address}: there is no mailbox that could keep a copy.", remedy="Create it first."
            )
        self._set(forwarder.address, [_forwarding(forwarder)])

    def _change_forwarder(self, forwarder: Forwarder) -> None:
        _addresses_only(forwarder)
        local, domain = split(forwarder.address)
        own = next(iter(self._accounts(domain, ("mailbox", "forwarding"), local)), None)
        if own is None:
            raise Refused(
                f"{forwarder.address}: this is an alias in Plesk, which cannot go elsewhere.",
                remedy="Remove the alias in the panel and run again.",
            )
        if own.has_mailbox != forwarder.keeps_copy:
            raise _always_copies(forwarder.address)
        self._set(forwarder.address, [_forwarding(forwarder)])

    def _create_catch_all(self, catch_all: CatchAll) -> None:
        if self._unknown_users_go_to(catch_all.domain):
            raise _is_there(catch_all.domain, "a catch-all")
        self._set_catch_all(catch_all)

    def _set_catch_all(self, catch_all: CatchAll) -> None:
        if catch_all.destination.way is not Way.ADDRESS:
            raise Refused(
                f"{catch_all.domain}: Plesk's catch-all forwards to an address; it cannot "
                f"{catch_all.destination.way.value}.",
                remedy="Choose what becomes of such mail in the panel.",
            )
        site = _node("filter", _node("site-id", self._site_id(catch_all.domain)))
        goes_to = _node("nonexistent-user", _node("forward", catch_all.destination.value))
        packet = _packet(_node("mail", _node("set_prefs", site, _node("prefs", goes_to))))
        self._done(self._tell(packet), "mail/set_prefs", f"{catch_all.domain}: the catch-all")

    def _create_autoresponder(self, answer: Autoresponder) -> None:
        local, domain = split(answer.address)
        own = next(iter(self._accounts(domain, ("autoresponder",), local)), None)
        if own is None:
            self._create(answer.address, [_node("mailbox", _node("enabled", "false")), _answer(answer)])
            return
        if own.answers:
            raise _is_there(answer.address, "an autoresponder")
        if own.answer is not None and (own.answer.findtext("text") or "").strip():
            raise _is_there(answer.address, "an autoresponder, switched off but with a text,")
        self._set(answer.address, [_answer(answer)])

    def make_list(self, address: str, owner: str, password: SecretStr) -> None:
        """By the operator maillist, without a word to the owner, whom Plesk wants."""
        local, domain = split(address)
        told = [
            _node("site-id", self._site_id(domain)),
            _node("name", local),
            _node("password", password.get_secret_value()),
            _node("admin-email", owner or f"postmaster@{domain}"),
            _node("notify", "false"),
        ]
        packet = _packet(_node("maillist", _node("add-list", *told)))
        self._done(self._tell(packet), "maillist/add-list", address, Password(plain=password))

    # -- telling

    def _password(self, address: str, password: Password) -> ET.Element:
        if password.hash is not None:
            if password.scheme not in self.features.schemes:
                raise Refused(
                    f"{address}: {self.features.title} takes no {password.scheme or 'unnamed'} hash.",
                    remedy="Give the mailbox a new password.",
                )
            return _node("password", _node("value", bare_hash(password)), _node("type", "crypt"))
        if password.plain is None:
            raise Refused(f"{address}: there is no password for it.", remedy="Give one in the plan's accounts.")
        plain = password.plain.get_secret_value()
        if plain != plain.strip() or any(ord(letter) < ord(" ") or letter == "\x7f" for letter in plain):
            raise Refused(
                f"{address}: its password has a blank at an end or a control character, which Plesk may not keep.",
                remedy="Give the mailbox another password.",
            )
        return _node("password", _node("value", plain), _node("type", "plain"))

    def _create(self, address: str, parts: Sequence[ET.Element], password: Password | None = None) -> None:
        local, domain = split(address)
        new = _node("mailname", _node("name", local), *parts)
        packet = _packet(_node("mail", _node("create", _node("filter", _node("site-id", self._site_id(domain)), new))))
        self._done(self._tell(packet), "mail/create", address, password)

    def _set(self, address: str, parts: Sequence[ET.Element], password: Password | None = None) -> None:
        self._update("set", address, parts, password)

    def _update(self, way: str, address: str, parts: Sequence[ET.Element], password: Password | None = None) -> None:
        local, domain = split(address)
        named = _node("mailname", _node("name", local), *parts)
        filtered = _node("filter", _node("site-id", self._site_id(domain)), named)
        packet = _packet(_node("mail", _node("update", _node(way, filtered))))
        self._done(self._tell(packet), f"mail/update/{way}", address, password)

    def _tell(self, packet: ET.Element) -> ET.Element:
        reply = self._site.write("POST", AGENT, content=_wire(packet), headers={"Content-Type": "text/xml"})
        return _parsed(reply)

    def _done(self, answer: ET.Element, path: str, about: str, password: Password | None = None) -> None:
        for result in _results(answer, path):
            if result.findtext("status") != "ok":
                raise _failure(result, about, password)


# -- our nouns and Plesk's nodes ----------------------------------------------------------------------------------------


def _account(node: ET.Element, domain: str) -> _Account:
    name = (node.findtext("name") or "").strip()
    if not name:
        raise Misbehaved(f"{domain}: Plesk told of a mail account without a name.")
    address = f"{name}@{domain}"
    answer = node.find("autoresponder")
    quota = _number(node.findtext("mailbox/quota"), address)
    return _Account(
        name,
        has_mailbox=_truth(node.findtext("mailbox/enabled"), address),
        quota=quota if quota and quota > 0 else None,
        used=_number(node.findtext("mailbox/usage"), address),
        forwards=_truth(node.findtext("forwarding/enabled"), address),
        addresses=tuple(text for one in node.iterfind("forwarding/address") if (text := (one.text or "").strip())),
        aliases=tuple(text for one in node.iterfind("alias") if (text := (one.text or "").strip())),
        answers=_truth(node.findtext("autoresponder/enabled"), address),
        answer=answer,
        description=(node.findtext("description") or "").strip(),
    )


def _forwarder(address: str, account: _Account) -> Forwarder:
    if not account.addresses:
        raise Misbehaved(
            f"{address}: forwarding is on, but to no address.", remedy="Switch it off in the panel, or give an address."
        )
    to = tuple(sorted(Destination(same_form(one)) for one in account.addresses))
    return Forwarder(address, to, keeps_copy=account.has_mailbox)


def _autoresponder(address: str, node: ET.Element) -> Autoresponder:
    body = (node.findtext("text") or "").replace("\r\n", "\n")
    return Autoresponder(
        address,
        body.removesuffix("\n"),
        subject=(node.findtext("subject") or "").strip(),
        is_html=(node.findtext("content_type") or "").strip().lower() == "text/html",
        stop=_day(node.findtext("end_date"), address),
    )


def _mailbox(mailbox: Mailbox) -> ET.Element:
    quota = UNLIMITED if mailbox.quota is None else mailbox.quota
    return _node("mailbox", _node("enabled", "true"), _node("quota", str(quota)))


def _forwarding(forwarder: Forwarder) -> ET.Element:
    to = [_node("address", one.value) for one in forwarder.destinations]
    return _node("forwarding", _node("enabled", "true"), *to)


def _answer(answer: Autoresponder) -> ET.Element:
    end = [_node("end_date", answer.stop.date().isoformat())] if answer.stop else []
    subject = [_node("subject", answer.subject)] if answer.subject else []
    return _node(
        "autoresponder",
        _node("enabled", "true"),
        *subject,
        _node("content_type", "text/html" if answer.is_html else "text/plain"),
        _node("charset", "UTF-8"),
        _node("text", answer.body),
        *end,
    )


def _possible_mailbox(forwarder: Forwarder) -> str:
    """The local part the forwarder could be an alias of: its one destination, in the same domain; "" if there is none."""
    if len(forwarder.destinations) != 1 or forwarder.keeps_copy:
        return ""
    local, domain = split(forwarder.destinations[0].value)
    return local if domain == split(forwarder.address)[1] else ""


def _addresses_only(forwarder: Forwarder) -> None:
    for one in forwarder.destinations:
        if one.way is not Way.ADDRESS:
            raise Refused(
                f"{forwarder.address}: Plesk forwards to addresses only, not to `{one}`.",
                remedy="Create it in the panel in another way, or leave it.",
            )


def _list_address(line: str, domain: str) -> str:
    name = line.strip()
    if re.fullmatch(r"[^\s@:]+(@[^\s@:]+)?", name) is None:
        raise Misbehaved(f"{domain}: the list utility answered with {_quoted(name)}, which is no list's name.")
    return same_form(name) if "@" in name else f"{name}@{domain}"


def _site_name(site: ET.Element) -> str:
    return ascii_domain(site.findtext("data/gen_info/ascii-name") or site.findtext("data/gen_info/name") or "")


def _is_suspended(site: ET.Element) -> bool:
    return (site.findtext("data/gen_info/status") or "0").strip() != "0"


def _number(text: str | None, about: str) -> int | None:
    told = (text or "").strip()
    if not told:
        return None
    try:
        return int(float(told))
    except (ValueError, OverflowError):
        raise Misbehaved(f"{about}: Plesk told {_quoted(told)} where a number of bytes was expected.") from None


def _truth(text: str | None, about: str) -> bool:
    told = (text or "").strip().lower()
    if told in {"true", "1"}:
        return True
    if told in {"false", "0", ""}:
        return False
    raise Misbehaved(f"{about}: Plesk told {_quoted(told)} where true or false was expected.")


def _day(text: str | None, about: str) -> datetime | None:
    told = (text or "").strip()
    if not told or told.startswith("0000"):
        return None
    try:
        when = datetime.fromisoformat(told)
    except ValueError:
        raise Misbehaved(f"{about}: Plesk told {_quoted(told)} where a day was expected.") from None
    return when if when.tzinfo else when.replace(tzinfo=UTC)


# -- wire: XML ----------------------------------------------------------------------------------------------------------


def _node(tag: str, *inside: ET.Element | str) -> ET.Element:
    """A node with children in the order given, which is significant, or with a text."""
    node = ET.Element(tag)
    for one in inside:
        if isinstance(one, ET.Element):
            node.append(one)
        elif _CONTROL.search(one):
            raise Refused(
                f"The {tag} holds a control character, which cannot be sent to Plesk.",
                remedy="Take it out and run again.",
            )
        else:
            node.text = one
    return node


def _packet(operator: ET.Element) -> ET.Element:
    return _node("packet", operator)


def _wire(packet: ET.Element) -> bytes:
    wire: bytes = ET.tostring(packet, encoding="utf-8", xml_declaration=True)
    return wire


def _parsed(reply: Reply) -> ET.Element:
    """The answer's packet, after a look at what concerns the whole of it. Raises EndpointRefused, Unavailable, Misbehaved."""
    _answers_us(reply)
    if not reply.ok:
        raise Misbehaved(f"{reply.place}: status {reply.status} instead of an answer.")
    # An entity could unfold to any size; Plesk's answers have neither. A NUL: UTF-16, where this look would see nothing.
    if re.search(rb"<!(DOCTYPE|ENTITY)|\x00", reply.content, re.IGNORECASE):
        raise Misbehaved(f"{reply.place}: the answer declares a document type, which no answer of Plesk does.")
    try:
        packet = ET.fromstring(reply.content)  # noqa: S314 - without declarations, and limited in size by wire/http.py
    except (ET.ParseError, ValueError) as error:  # ValueError: an encoding nobody knows
        raise Misbehaved(f"{reply.place}: the answer is not the XML that was expected.") from error
    system = packet.find("system")
    if system is not None and system.findtext("status") != "ok":
        raise _packet_refused(system, reply.place)
    return packet


def _packet_refused(system: ET.Element, place: str) -> MigratorError:
    code = (system.findtext("errcode") or "").strip()
    said = _quoted(system.findtext("errtext") or "")
    if code in NOT_LOGGED_IN:
        return EndpointRefused(
            f"{place}: Plesk refused the login ({code}: {said}).",
            remedy="Check the key or the password, and that the key was made for this machine's address.",
        )
    return Misbehaved(f"{place}: Plesk did not understand the request ({code}: {said}).")


def _results(answer: ET.Element, path: str) -> Sequence[ET.Element]:
    found = answer.findall(f"{path}/result")
    if not found:
        raise Misbehaved(f"Plesk's answer holds no result for {path}.")
    return found


def _failure(result: ET.Element, about: str, password: Password | None = None) -> MigratorError:
    """A result that is none, as our error."""
    code = (result.findtext("errcode") or "").strip()
    said = _quoted(result.findtext("errtext") or "", password)
    if code == NOT_THERE:
        return NotFound(f"{about}: Plesk does not know it ({said}).", remedy="Run again; it may have been removed.")
    if code == EXISTS:
        return _is_there(about, "something of this name")
    if code == NOT_PARSED:
        return Misbehaved(f"{about}: Plesk did not understand the request ({code}: {said}).")
    if code == PERMISSION_DENIED:
        return Refused(f"{about}: this login may not do that ({said}).", remedy="Use the login of an administrator.")
    return Refused(f"{about}: Plesk refused it ({code}: {said}).", remedy="Correct what it says, or do it by hand.")


def _not_read(result: ET.Element, domain: str) -> MigratorError:
    """A result of a listing that is none: of one mail account, or of all of them."""
    name = result.findtext("mailname/name") or result.findtext("name")
    if not name:
        return _failure(result, domain)
    said = _quoted(result.findtext("errtext") or "")
    return Misbehaved(f"{name}@{domain}: Plesk could not tell of this mail account ({said}).")


def _is_there(about: str, what: str) -> Refused:
    return Refused(
        f"{about}: {what} is there already; it was left as it is.",
        remedy="Look at it in the panel, and remove one of the two.",
    )


def _always_copies(address: str) -> Refused:
    return Refused(
        f"{address}: {_ONE_SWITCH}.",
        remedy="Forward with a copy, or switch the mailbox off in the panel once it is empty.",
    )


# -- wire: REST ---------------------------------------------------------------------------------------------------------


def _open(options: Options, *, writes: bool) -> Site:
    if options.key is not None:
        key = _plain(options.key)
        return Site(options, writes=writes, headers={"KEY": key, "X-API-Key": key})
    user, password = options.user or "", _plain(options.password)
    headers = {"HTTP_AUTH_LOGIN": user, "HTTP_AUTH_PASSWD": password}
    return Site(options, writes=writes, headers=headers, auth=(user, password))


def _plain(secret: SecretStr | str | None) -> str:
    return secret.get_secret_value() if isinstance(secret, SecretStr) else secret or ""


def _answers_us(reply: Reply) -> None:
    """Raises EndpointRefused where the answer means "not logged in", in whatever dress, and Unavailable for a fault."""
    page = reply.content[:200].lstrip().lower()
    is_page = page.startswith((b"<!doctype html", b"<html"))
    if reply.status in {401, 403} or 300 <= reply.status < 400 or (reply.ok and is_page):  # noqa: PLR2004 - RFC 9110
        raise EndpointRefused(
            f"{reply.place}: Plesk refused the login (status {reply.status}{', a login page' if is_page else ''}).",
            remedy="Check the key or the password, and that the key was made for this machine's address.",
        )
    if reply.status >= 500:  # noqa: PLR2004 - RFC 9110
        raise Unavailable(f"{reply.place}: the panel failed (status {reply.status}).")


def _checked(reply: Reply, about: str = "") -> object:
    """A REST answer's JSON. Raises EndpointRefused, Unavailable, NotFound, Refused, Misbehaved."""
    _answers_us(reply)
    if reply.ok:
        return reply.json()
    about = about or reply.place
    told: Any = reply.json()  # Any: a failure's body, looked at in the next line
    said = _quoted(str(told.get("message", "")) if isinstance(told, dict) else "")
    if reply.status == 404:  # noqa: PLR2004 - RFC 9110
        raise NotFound(f"{about}: Plesk does not know it ({said}).")
    raise Refused(f"{about}: Plesk refused it ({said}).", remedy="Correct what it says, or do it by hand.")


def _rows(told: object) -> Sequence[dict[str, Any]]:  # Any: values of any kind, looked at where they are used
    if isinstance(told, list):
        return [_mapping(one, "a row") for one in told]
    raise Misbehaved("Plesk told something else where a list was expected.")


def _mapping(told: object, what: str) -> dict[str, Any]:  # Any: as above
    if isinstance(told, dict):
        return told
    raise Misbehaved(f"Plesk told something else where {what} was expected.")


def _word(row: Mapping[str, object], key: str) -> str:
    value = row.get(key)
    return "" if value is None else str(value)


def _name_of(row: Mapping[str, object]) -> str:
    name = ascii_domain(_word(row, "ascii_name") or _word(row, "name"))
    if not name:
        raise Misbehaved("Plesk told of a domain without a name.")
    return name


def _quoted(said: str, password: Password | None = None) -> str:
    """The panel's own words, in one line and shortened; without the password, should they repeat it."""
    text = " ".join(said.split())
    for secret in (password.plain, password.hash) if password else ():
        if secret is not None:
            text = text.replace(secret.get_secret_value(), "(password)")
    if password is not None and password.hash is not None:
        text = text.replace(bare_hash(password), "(password)")
    return text if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]}..."


def _read(options: Options, login: Login) -> PanelReader:
    return PleskReader(options, login)


def _fill(options: Options, login: Login) -> PanelWriter:
    return PleskWriter(options, login)


ADAPTER = Adapter(
    word="plesk",
    title="Plesk",
    options=Options,
    reader=_read,
    writer=_fill,
    connections=lambda options: (options.connections, options.connections),
)
