"""cPanel as a source or a target of accounts: UAPI (seen described for 11.110 to 11.138), asked by the account itself on port 2083 or
through WHM on port 2087. Docs: api.docs.cpanel.net, "cPanel UAPI" and "WHM API 1, uapi_cpanel".

Every call is a POST, so that no address and no password stands in a URL. A call that failed comes with HTTP 200 and `status` 0, in
any language; nothing here looks at the words.

What it cannot do: add a domain (UAPI has no such call; do it in cPanel's Domains), keep a person's name for a mailbox, tell whether a
filter wants all or any of its conditions, forward without leaving a copy in the mailbox of the same address, suspend a single domain.
Password hashes are read from the account's own `etc/DOMAIN/shadow`, where the login may use the file manager.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal, Self, cast

from pydantic import Field, SecretStr, model_validator

from migrator.addresses import ascii_domain, same_form, split
from migrator.engine.contract import Adapter, Login, Service
from migrator.errors import EndpointRefused, EndpointUnfit, MigratorError, Misbehaved, NotFound, Refused, Unavailable
from migrator.panel.contract import AnyThing, Features, PanelReader, PanelWriter
from migrator.panel.model import (
    UNKNOWN_PASSWORD,
    Autoresponder,
    CatchAll,
    Database,
    Destination,
    Domain,
    DomainForwarder,
    Filter,
    Forwarder,
    Hold,
    ListName,
    Mailbox,
    Password,
    Probe,
    Routing,
    Rule,
    Thing,
    Way,
    bare_hash,
    bytes_of_mb,
    lost,
    with_scheme,
)
from migrator.wire.http import MB, Reply, Site, WebOptions

WHM_PORTS = (":2087", ":2086")
AUTORESPOND = "/cpanel/bin/autorespond"
DEFAULT_INTERVAL = "24"  # hours; cPanel wants one, and a source may not tell
DEFAULT_SUBJECT = "Re: %subject%"  # cPanel wants one; this is what its own form proposes
DOMAINS_AT_ONCE = 10  # each costs the panel a look at the DNS
LONGEST_QUOTE = 200  # characters of the panel's own words in a message


class Options(WebOptions, Service):
    """How to reach one cPanel account."""

    user: str = Field(
        min_length=1, description="The cPanel user; with `via: whm` the WHM user the token belongs to, such as root"
    )
    token: SecretStr | str | None = Field(
        None, description="Name of the secret with an API token of that user", json_schema_extra={"secret": True}
    )
    password: SecretStr | str | None = Field(
        None,
        description="Name of the secret with that user's password, where there is no token",
        json_schema_extra={"secret": True},
    )
    via: Literal["cpanel", "whm"] = Field(
        "cpanel",
        description="cpanel: as the account itself, port 2083; whm: as root or reseller, port 2087, for the account in cpanel_user",
    )
    cpanel_user: str | None = Field(
        None,
        pattern=r"^[a-z0-9_.-]+$",
        description="With `via: whm`, the cPanel user whose mail is meant, in lower case",
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.token is None) == (self.password is None):
            raise ValueError("give either token or password")
        if (self.via == "whm") != (self.cpanel_user is not None):
            raise ValueError("cpanel_user belongs to via: whm, and via: whm needs it")
        if self.via == "cpanel" and self.url.rstrip("/").endswith(WHM_PORTS):
            raise ValueError("url: this is WHM's port. Say via: whm and name cpanel_user, or use port 2083")
        return self

    @property
    def account(self) -> str:
        """The cPanel user whose mail is meant."""
        return self.cpanel_user or self.user


_BY_HAND = "add the domain in cPanel, then run again"
FEATURES = Features(
    title="cPanel",
    lists=frozenset({Domain, Mailbox, Forwarder, DomainForwarder, CatchAll, Autoresponder, Filter, ListName, Database}),
    creates=frozenset({Mailbox, Forwarder, DomainForwarder, CatchAll, Autoresponder, Filter}),
    changes=frozenset({Mailbox, Forwarder, DomainForwarder, CatchAll, Autoresponder, Filter}),
    tells={
        "domain.dkim key": lost("cPanel tells that a domain is signed; each panel makes a key of its own"),
        "domain.suspended": lost("cPanel suspends whole accounts, not one domain of them"),
        "mailbox.name": lost("cPanel keeps no name for a mailbox"),
        "filter.several conditions": lost(
            "cPanel does not tell whether all of the conditions or any of them must hold"
        ),
    },
    keeps={
        "domain.routing": lost(f"cPanel's mail API adds no domains: {_BY_HAND}"),
        "domain.dkim key": lost("cPanel makes a key of its own"),
        "domain.suspended": lost("cPanel suspends whole accounts, not one domain of them"),
        "mailbox.name": lost("cPanel keeps no name for a mailbox"),
        "forwarder.pipe": lost("the program is not there on another machine; set it up by hand"),
        "catch-all.pipe": lost("the program is not there on another machine; set it up by hand"),
        "filter.several conditions": lost(
            "cPanel does not tell how conditions are joined, so it could not be proven; make it by hand"
        ),
        "mailing list.name": lost("a list is made with a password of its own, by the lists step or by hand"),
        "database.name": lost("databases are made in cPanel, under the account's own prefix"),
    },
    destinations=frozenset({Way.ADDRESS, Way.REJECT, Way.DISCARD, Way.SYSTEM}),
    # What add_pop takes as password_hash. Bcrypt and SHA256 depend on the server's crypt and are not promised anywhere.
    schemes=frozenset({"SHA512-CRYPT", "MD5-CRYPT"}),
    reads_hashes=True,
    verifies_passwords=True,
    sets_passwords=True,
    sets_hashes=False,  # add_pop takes one, passwd_pop does not
    opens_lists=True,
    makes_lists=True,
    quota_unit=MB,
    # A + is cPanel's sign for "folder of the mailbox". Other signs are left to the panel, whose rules are not published.
    local_part=r"(?!(?i:cpanel)$)[^\s@+%&/\\:;,\"|<>()\[\]]{1,64}",
)

# What a package may lack, by its name in Features::list_features. Without it things can still be listed, not made.
_PACKAGE_FEATURE: Mapping[type[Thing], str] = {
    Mailbox: "popaccts",
    Forwarder: "forwarders",
    DomainForwarder: "emaildomainfwd",
    CatchAll: "defaultaddress",
    Autoresponder: "autoresponders",
    Filter: "blockers",
}
_ROUTING = {
    "local": Routing.LOCAL,
    "remote": Routing.REMOTE,
    "secondary": Routing.BACKUP,
    "backup": Routing.BACKUP,
    "auto": Routing.AUTO,
}
_HOLD_CALLS = {Hold.LOGIN: "suspend_login", Hold.RECEIVE: "suspend_incoming", Hold.SEND: "suspend_outgoing"}
# hold_outgoing keeps sent mail in the queue where suspend_outgoing refuses it: both mean that nothing goes out.
_RELEASE_CALLS = {
    Hold.LOGIN: ("unsuspend_login",),
    Hold.RECEIVE: ("unsuspend_incoming",),
    Hold.SEND: ("unsuspend_outgoing", "release_outgoing"),
}
Row = Mapping[str, Any]  # Any: whatever JSON holds; looked at before use
Fields = Mapping[str, str]
Routes = dict[str, list[Destination]]  # by address
NO_FIELDS: Fields = {}


# -- sessions ---------------------------------------------------------------------------------------------------------


class CPanelReader:
    """One cPanel account that is being asked."""

    _writes: ClassVar[bool] = False

    def __init__(self, options: Options) -> None:
        self._options = options
        self._site = _site(options, writes=self._writes)
        self._features: Features | None = None
        self._spelled: dict[str, str] = {}  # A-label form to the panel's own spelling
        self._shadows: dict[str, Mapping[str, str]] = {}

    @property
    def features(self) -> Features:
        """FEATURES, less what the account's package lacks."""
        if self._features is None:
            self._features = self._package()
        return self._features

    def probe(self) -> Probe:
        """Who answers, once it has shown this login a domain."""
        self._domain_names()
        try:
            told = self._ask("Variables::get_server_information")
        except Refused:
            told = {}
        version = str(told.get("version") or "") if isinstance(told, Mapping) else ""
        return Probe("cPanel", version)

    def domains(self) -> Sequence[Domain]:
        """Every domain the panel takes mail for. Raises EndpointRefused where it shows none at all."""
        spelled = self._domain_names()
        told = self._ask("DomainInfo::list_domains")
        # A login without the right gets blanks with status 1; every account has a main domain.
        if not isinstance(told, Mapping) or not told.get("main_domain"):
            raise self._sees_nothing()
        routing = self._routing()
        selectors = self._dkim_selectors(tuple(spelled.values()))
        return [Domain(name, routing.get(name, Routing.AUTO), selectors.get(name, "")) for name in spelled]

    def list(self, noun: type[AnyThing], domain: str) -> Sequence[AnyThing]:
        """Everything of one kind in a domain; databases belong to none and are listed with each."""
        if noun is Domain:
            return cast("Sequence[AnyThing]", [one for one in self.domains() if one.name == ascii_domain(domain)])
        if noun is Database:
            return cast("Sequence[AnyThing]", self._databases())
        listings: Mapping[type[Any], Callable[[str, str], Sequence[Thing]]] = {  # Any: every noun there is
            Mailbox: self._mailboxes,
            Forwarder: self._forwarders,
            DomainForwarder: self._domain_forwarders,
            CatchAll: self._catch_alls,
            Autoresponder: self._autoresponders,
            Filter: self._filters,
            ListName: self._list_names,
        }
        name = ascii_domain(domain)
        return cast("Sequence[AnyThing]", listings[noun](name, self._spelling(name)))

    def password_of(self, address: str) -> Password:
        """The hash in the account's shadow file; unknown where the file cannot be read or the hash is put out of action (`!`)."""
        local, domain = split(address)
        if domain not in self._shadows:
            self._shadows[domain] = self._shadow(self._spelling(domain))
        return with_scheme(self._shadows[domain].get(local.lower(), ""))

    def verify_password(self, address: str, password: SecretStr) -> bool:
        """Whether the panel takes it for the mailbox's. Nothing is changed, but a wrong one may count as a failed login."""
        right = self._ask(
            "Email::verify_password", {"email": self._address(address), "password": password.get_secret_value()}
        )
        return _is_on(right)

    def close(self) -> None:
        """End the session; never raises."""
        self._site.close()

    # -- what there is

    def _mailboxes(self, domain: str, spelled: str) -> Sequence[Mailbox]:
        rows = self._rows("Email::list_pops_with_disk", {"domain": spelled, "get_restrictions": "1"})
        return [_mailbox(row) for row in rows if _belongs(row, domain)]

    def _forwarders(self, domain: str, spelled: str) -> Sequence[Forwarder]:
        routes = self._routes(domain, spelled)
        if not routes:
            return []
        boxes = self._mailbox_keys(domain, spelled)
        # cPanel delivers to the mailbox of the same address as well, always.
        return [
            Forwarder(address, tuple(sorted(told)), keeps_copy=address.lower() in boxes)
            for address, told in sorted(routes.items())
        ]

    def _domain_forwarders(self, domain: str, spelled: str) -> Sequence[DomainForwarder]:
        rows = self._rows("Email::list_domain_forwarders", {"domain": spelled})
        return [
            DomainForwarder(domain, ascii_domain(_text(row, "forward")))
            for row in rows
            if ascii_domain(_text(row, "dest")) == domain
        ]

    def _catch_alls(self, domain: str, spelled: str) -> Sequence[CatchAll]:
        rows = self._rows("Email::list_default_address", {"domain": spelled})
        told = [_text(row, "defaultaddress") for row in rows if ascii_domain(_text(row, "domain")) == domain]
        found = [_destination(text) for text in told if text.strip()]
        return [CatchAll(domain, one) for one in found if one.way is not Way.REJECT]

    def _autoresponders(self, _domain: str, spelled: str) -> Sequence[Autoresponder]:
        # The list alone proves that there is one: for an address without, get_auto_responder answers as well.
        listed = [_text(row, "email") for row in self._rows("Email::list_auto_responders", {"domain": spelled})]
        asked = ((address, self._ask("Email::get_auto_responder", {"email": address})) for address in listed)
        return [_autoresponder(address, row) for address, row in asked if isinstance(row, Mapping) and "body" in row]

    def _filters(self, domain: str, spelled: str) -> Sequence[Filter]:
        # The account's own filters belong to no domain and are told with the main one, which the panel names first.
        whose = [""] if next(iter(self._domain_names()), "") == domain else []
        whose += [mailbox.address for mailbox in self._mailboxes(domain, spelled)]
        return [one for address in whose for one in self._filters_of(address, domain)]

    def _list_names(self, domain: str, spelled: str) -> Sequence[ListName]:
        rows = self._rows("Email::list_lists", {"domain": spelled})
        names = (_text(row, "list") for row in rows)
        whole = (same_form(name if "@" in name else f"{name}@{domain}") for name in names if name)
        return [ListName(address) for address in whole if split(address)[1] == domain]

    def _databases(self) -> Sequence[Database]:
        rows = self._rows("Mysql::list_databases")
        return [Database(_text(row, "database"), _number(row.get("disk_usage"), "a database's size")) for row in rows]

    # -- parts of it

    def _package(self) -> Features:
        """What the account's package allows. A panel that does not say allows everything until it refuses."""
        try:
            told = self._ask("Features::list_features")
        except Refused:
            return FEATURES
        if not isinstance(told, Mapping):
            return FEATURES
        lacking = {noun for noun, word in _PACKAGE_FEATURE.items() if word in told and not _is_on(told[word])}
        return replace(FEATURES, creates=FEATURES.creates - lacking, changes=FEATURES.changes - lacking)

    def _domain_names(self) -> Mapping[str, str]:
        rows = self._rows("Email::list_mail_domains")
        self._spelled = {ascii_domain(name): name for row in rows if (name := _text(row, "domain"))}
        if not self._spelled:
            raise self._sees_nothing()
        return self._spelled

    def _spelling(self, domain: str) -> str:
        """The domain as this panel writes it: an IDN may be kept in either form."""
        if domain not in self._spelled and domain not in self._domain_names():
            raise NotFound(
                f"{domain}: there is no such mail domain in the cPanel account {self._options.account}.",
                remedy="Add it there (cPanel: Domains), or take it out of the plan.",
            )
        return self._spelled[domain]

    def _address(self, address: str) -> str:
        local, domain = split(address)
        return f"{local}@{self._spelling(domain)}"

    def _mailbox_keys(self, domain: str, spelled: str) -> frozenset[str]:
        rows = self._rows("Email::list_pops_with_disk", {"domain": spelled, "no_disk": "1"})
        return frozenset(same_form(_text(row, "email")).lower() for row in rows if _belongs(row, domain))

    def _routes(self, domain: str, spelled: str) -> Routes:
        """Where each address's mail goes: by address, without what is none of a forwarder's (autoresponders, the address itself)."""
        routes: Routes = {}
        first: dict[str, str] = {}
        for row in self._rows("Email::list_forwarders", {"domain": spelled}):
            address = same_form(_text(row, "dest"))
            if split(address)[1] != domain:
                continue
            address = first.setdefault(address.lower(), address)
            for one in _destinations(_text(row, "forward")):
                known = routes.setdefault(address, [])
                if one.value.lower() != address.lower() and one not in known:
                    known.append(one)
        return {address: told for address, told in routes.items() if told}

    def _filters_of(self, address: str, domain: str) -> Sequence[Filter]:
        fields = {"account": self._address(address)} if address else NO_FIELDS
        return [_filter(row, address, domain) for row in self._rows("Email::list_filters", fields)]

    def _routing(self) -> Mapping[str, Routing]:
        try:
            rows = self._rows("Email::list_mxs")
        except Refused:
            self._tells_less("domain.routing", "this login may not see the routing of a domain's mail")
            return {}
        return {ascii_domain(_text(row, "domain")): _routing_of(row) for row in rows}

    def _dkim_selectors(self, spelled: Sequence[str]) -> Mapping[str, str]:
        selectors: dict[str, str] = {}
        for start in range(0, len(spelled), DOMAINS_AT_ONCE):
            part = spelled[start : start + DOMAINS_AT_ONCE]
            fields = {f"domain-{number}": name for number, name in enumerate(part, 1)}
            try:
                rows = self._rows("EmailAuth::validate_current_dkims", fields)
            except Refused:
                return selectors
            for row in rows:
                selector, _, name = _text(row, "domain").partition("._domainkey.")
                if name and _text(row, "state") != "NOPUB":  # NOPUB: no key on this server
                    selectors[ascii_domain(name)] = selector
        return selectors

    def _shadow(self, spelled: str) -> Mapping[str, str]:
        """Hashes by local part; nothing where the file manager is closed to this login."""
        fields = {
            "dir": f"etc/{spelled}",
            "file": "shadow",
            "from_charset": "utf-8",
            "to_charset": "utf-8",
            "update_html_document_encoding": "0",
        }
        try:
            told = self._ask("Fileman::get_file_content", fields)
        except Refused:
            return {}
        content = str(told.get("content") or "") if isinstance(told, Mapping) else ""
        parts = (line.split(":") for line in content.splitlines())
        return {part[0].lower(): part[1] for part in parts if len(part) > 1}

    def _tells_less(self, field_name: str, why: str) -> None:
        self._features = replace(self.features, tells={**self.features.tells, field_name: lost(why)})

    def _sees_nothing(self) -> MigratorError:
        return EndpointRefused(
            f"{self._site.name}: cPanel shows this login no domains at all.",
            remedy="Use a token with full access to the account, or the account's password.",
        )

    def one_time_password(self, address: str) -> SecretStr:
        """By generate_mailman_otp, which expires with its use and leaves the list's own password alone."""
        local, domain = split(address)
        if same_form(address).lower() not in {one.key for one in self.list(ListName, domain)}:
            raise NotFound(f"{address}: cPanel has no such mailing list.")
        told = self._ask("Email::generate_mailman_otp", {"list": f"{local}@{self._spelling(domain)}"})
        if not isinstance(told, str) or not told:
            raise Misbehaved(f"{address}: cPanel made a one-time password for this list and did not tell it.")
        return SecretStr(told)

    # -- asking

    def _ask(self, function: str, fields: Fields = NO_FIELDS) -> Any:  # Any: the call's own data
        """`data` of a call that changes nothing."""
        return self._call(self._site.read, function, fields)

    def _rows(self, function: str, fields: Fields = NO_FIELDS) -> Sequence[Row]:
        data = self._ask(function, fields)
        if data is None:
            return []
        if not isinstance(data, Sequence) or isinstance(data, str) or not all(isinstance(row, Mapping) for row in data):
            raise Misbehaved(f"{self._site.name}: {function} did not answer with a list of rows.")
        return data

    def _call(self, send: Callable[..., Reply], function: str, fields: Fields) -> Any:  # Any: as above
        module, _, name = function.partition("::")
        if self._options.via == "whm":
            whose = {
                "api.version": "1",
                "cpanel.user": self._options.account,
                "cpanel.module": module,
                "cpanel.function": name,
            }
            told = _through_whm(_spoken(send("POST", "json-api/uapi_cpanel", form={**whose, **fields}), function))
        else:
            told = _spoken(send("POST", f"execute/{module}/{name}", form=fields), function)
        return _outcome(told, f"{self._site.name}: {function}", _secrets(fields))


class CPanelWriter(CPanelReader):
    """One cPanel account that is being filled."""

    _writes = True

    def create(self, thing: Thing, password: Password | None = None) -> None:
        """Make something that is not there; asked before it is written, since cPanel overwrites autoresponders, filters and the
        catch-all without a word. What takes several calls is completed by `change`.
        """
        if isinstance(thing, Mailbox):
            self._create_mailbox(thing, password or UNKNOWN_PASSWORD)
        elif isinstance(thing, Forwarder):
            self._create_forwarder(thing)
        elif isinstance(thing, DomainForwarder):
            self._create_domain_forwarder(thing)
        elif isinstance(thing, CatchAll):
            self._create_catch_all(thing)
        elif isinstance(thing, Autoresponder):
            self._create_autoresponder(thing)
        elif isinstance(thing, Filter):
            self._create_filter(thing)
        else:
            raise Refused(f"{thing.key}: cPanel makes no {thing.word} through its mail API. Make it by hand.")

    def change(self, thing: Thing, there: Thing) -> None:
        """Make what is there like it."""
        if isinstance(thing, Mailbox) and isinstance(there, Mailbox):
            self._change_mailbox(thing, there)
        elif isinstance(thing, Forwarder) and isinstance(there, Forwarder):
            self._change_forwarder(thing, there)
        elif isinstance(thing, DomainForwarder):
            self._store_domain_forwarder(thing)
        elif isinstance(thing, CatchAll):
            self._store_catch_all(thing)
        elif isinstance(thing, Autoresponder):
            self._store_autoresponder(thing)
        elif isinstance(thing, Filter):
            self._store_filter(thing)
        else:
            raise Refused(f"{thing.key}: a {thing.word} is not changed here. Do it in cPanel.")

    def set_password(self, address: str, password: Password) -> None:
        """From now on this is the mailbox's password; cPanel takes it in plain only."""
        if password.plain is None:
            raise Refused(f"{address}: cPanel changes a password in plain only, not to a hash.")
        local, domain = split(address)
        fields = {"email": local, "domain": self._spelling(domain), "password": _sendable(address, password.plain)}
        self._tell("Email::passwd_pop", fields)
        self._shadows.pop(domain, None)

    # -- mailboxes

    def _create_mailbox(self, mailbox: Mailbox, password: Password) -> None:
        local, domain = split(mailbox.address)
        fields = {
            "email": local,
            "domain": self._spelling(domain),
            "quota": _quota_in_mb(mailbox.quota),
            "send_welcome_email": "0",
            **_password_field(mailbox.address, password),
        }
        if mailbox.key in self._mailbox_keys(domain, fields["domain"]):
            raise _there_already(mailbox)
        self._tell("Email::add_pop", fields)
        self._shadows.pop(domain, None)
        for hold in sorted(mailbox.holds, key=lambda one: one.value):
            self._hold(mailbox.address, _HOLD_CALLS[hold])

    def _change_mailbox(self, mailbox: Mailbox, there: Mailbox) -> None:
        local, domain = split(mailbox.address)
        if mailbox.quota != there.quota:
            fields = {"email": local, "domain": self._spelling(domain), "quota": _quota_in_mb(mailbox.quota)}
            self._tell("Email::edit_pop_quota", fields)
        for hold in Hold:
            if hold in mailbox.holds - there.holds:
                self._hold(mailbox.address, _HOLD_CALLS[hold])
            elif hold in there.holds - mailbox.holds:
                for call in _RELEASE_CALLS[hold]:
                    self._hold(mailbox.address, call)

    def _hold(self, address: str, call: str) -> None:
        self._tell(f"Email::{call}", {"email": self._address(address)})

    def make_list(self, address: str, owner: str, password: SecretStr) -> None:
        """By add_list, private as far as cPanel asks; cPanel makes its own user the owner."""
        del owner
        local, domain = split(address)
        if same_form(address).lower() in {one.key for one in self.list(ListName, domain)}:
            raise Refused(f"{address}: cPanel has this mailing list already.")
        fields = {
            "list": local,
            "domain": self._spelling(domain),
            "password": password.get_secret_value(),
            "private": "1",
        }
        self._tell("Email::add_list", fields)

    # -- where mail goes

    def _create_forwarder(self, forwarder: Forwarder) -> None:
        _local, domain = split(forwarder.address)
        spelled = self._spelling(domain)
        if forwarder.key in {address.lower() for address in self._routes(domain, spelled)}:
            raise _there_already(forwarder)
        calls = self._forwarding_calls(forwarder, forwarder.destinations)
        for fields in calls:
            self._tell("Email::add_forwarder", fields)

    def _change_forwarder(self, forwarder: Forwarder, there: Forwarder) -> None:
        missing = [one for one in forwarder.destinations if one not in there.destinations]
        for fields in self._forwarding_calls(forwarder, missing):
            self._tell("Email::add_forwarder", fields)
        for one in there.destinations:
            if one not in forwarder.destinations:
                listed = self._as_sent(one.value) if one.way is Way.ADDRESS else _as_listed(one)
                fields = {"address": self._address(forwarder.address), "forwarder": listed}
                self._tell("Email::delete_forwarder", fields)

    def _forwarding_calls(self, forwarder: Forwarder, destinations: Sequence[Destination]) -> Sequence[Fields]:
        """One call for all addresses, one for each destination of another way. Raises Refused for what cPanel cannot express."""
        local, domain = split(forwarder.address)
        spelled = self._spelling(domain)
        ways = {one.way for one in forwarder.destinations}
        if Way.REJECT in ways and len(forwarder.destinations) > 1:
            raise Refused(f"{forwarder.address}: mail cannot be rejected and sent on at once. Make it by hand.")
        if Way.PIPE in ways:
            raise Refused(
                f"{forwarder.address}: the program {_quoted(forwarder.destinations, Way.PIPE)} is not known on this machine. "
                "Install it, then make the forwarder in cPanel."
            )
        if foreign := [
            one.value for one in destinations if one.way is Way.SYSTEM and one.value != self._options.account
        ]:
            raise Refused(f"{forwarder.address}: there is no system user {foreign[0]} here. Name an address instead.")
        self._refuse_wrong_copy(forwarder, domain, spelled)
        where = {"domain": spelled, "email": local}
        addresses = [self._as_sent(one.value) for one in destinations if one.way is Way.ADDRESS]
        calls = [{**where, "fwdopt": "fwd", "fwdemail": ",".join(addresses)}] if addresses else []
        others = (one for one in destinations if one.way is not Way.ADDRESS)
        return calls + [{**where, **_forwarding_fields(one, forwarder.address)} for one in others]

    def _refuse_wrong_copy(self, forwarder: Forwarder, domain: str, spelled: str) -> None:
        has_mailbox = forwarder.key in self._mailbox_keys(domain, spelled)
        if has_mailbox and not forwarder.keeps_copy:
            raise Refused(
                f"{forwarder.address}: cPanel always leaves a copy in the mailbox of the same address, which this forwarder is not "
                "to do. Remove the mailbox, or let it keep copies."
            )
        if forwarder.keeps_copy and not has_mailbox:
            raise Refused(
                f"{forwarder.address}: there is no mailbox here in which a copy could be kept. Create it, then run again."
            )

    def _as_sent(self, address: str) -> str:
        """A destination in the form the panel takes: its own spelling for its own domains."""
        if "," in address or _has_controls(address):
            raise Refused(f"{address}: cPanel cannot forward to an address with such signs in it.")
        local, domain = split(address)
        return f"{local}@{self._spelled.get(domain, domain)}"

    def _create_domain_forwarder(self, forwarder: DomainForwarder) -> None:
        spelled = self._spelling(ascii_domain(forwarder.domain))
        if self._domain_forwarders(ascii_domain(forwarder.domain), spelled):
            raise _there_already(forwarder)
        self._store_domain_forwarder(forwarder)

    def _store_domain_forwarder(self, forwarder: DomainForwarder) -> None:
        spelled = self._spelling(ascii_domain(forwarder.domain))
        self._tell("Email::add_domain_forwarder", {"domain": spelled, "destdomain": forwarder.target})

    def _create_catch_all(self, catch_all: CatchAll) -> None:
        domain = ascii_domain(catch_all.domain)
        spelled = self._spelling(domain)
        if any(one.destination != self._fresh_default for one in self._catch_alls(domain, spelled)):
            raise _there_already(catch_all)
        self._store_catch_all(catch_all)

    @property
    def _fresh_default(self) -> Destination:
        """Where a new domain's unknown mail goes on many hosts: to the account itself, which is nobody's decision."""
        return Destination(self._options.account, Way.SYSTEM)

    def _store_catch_all(self, catch_all: CatchAll) -> None:
        spelled = self._spelling(ascii_domain(catch_all.domain))
        goes_to = catch_all.destination
        if goes_to.way is Way.ADDRESS:
            fields = {"fwdopt": "fwd", "fwdemail": self._as_sent(goes_to.value)}
        elif goes_to == self._fresh_default:
            fields = {"fwdopt": "fwd", "fwdemail": goes_to.value}
        elif goes_to.way is Way.DISCARD:
            fields = {"fwdopt": "blackhole"}
        else:
            raise Refused(
                f"{catch_all.domain}: the catch-all goes to `{goes_to}`, which only the old machine knows. Set another in cPanel "
                "(Default Address)."
            )
        self._tell("Email::set_default_address", {"domain": spelled, **fields})

    # -- autoresponders and filters

    def _create_autoresponder(self, responder: Autoresponder) -> None:
        _local, domain = split(responder.address)
        listed = self._rows("Email::list_auto_responders", {"domain": self._spelling(domain)})
        if responder.key in {same_form(_text(row, "email")).lower() for row in listed}:
            raise _there_already(responder)
        self._store_autoresponder(responder)

    def _store_autoresponder(self, responder: Autoresponder) -> None:
        local, domain = split(responder.address)
        times = {"start": responder.start, "stop": responder.stop}
        fields = {
            "email": local,
            "domain": self._spelling(domain),
            # A blank one counts as left out, and it is required. `_autoresponder` takes the address for no name again.
            "from": responder.from_name or responder.address,
            "subject": responder.subject or DEFAULT_SUBJECT,
            "body": responder.body,
            "is_html": "1" if responder.is_html else "0",
            "interval": DEFAULT_INTERVAL if responder.interval_hours is None else str(responder.interval_hours),
            "charset": "utf-8",
            **{word: str(int(time.timestamp())) for word, time in times.items() if time is not None},
        }
        self._tell("Email::add_auto_responder", fields)

    def _create_filter(self, wanted: Filter) -> None:
        _refuse_filter(wanted)
        if wanted.key in {one.key for one in self._filters_of(wanted.address, wanted.domain)}:
            raise _there_already(wanted)
        self._store_filter(wanted)

    def _store_filter(self, wanted: Filter) -> None:
        _refuse_filter(wanted)
        whose = {"filtername": wanted.name}
        if wanted.address:
            whose["account"] = self._address(wanted.address)
        (rule,) = wanted.rules
        # match_type is what real servers ask for and is of no meaning with one rule; opt1 made one refuse it.
        fields = {**whose, "match_type": "is", "part1": rule.part, "match1": rule.match, "val1": rule.value}
        for number, (action, where) in enumerate(wanted.actions, 1):
            fields[f"action{number}"] = action
            if where:
                fields[f"dest{number}"] = self._folder_as_sent(where, wanted.address) if action == "save" else where
        self._tell("Email::store_filter", fields)
        self._tell(f"Email::{'enable' if wanted.enabled else 'disable'}_filter", whose)

    def _folder_as_sent(self, folder: str, address: str) -> str:
        """A folder as cPanel wants it, the reverse of `_place`; /dev/null is its own word for "discard"."""
        if folder == "/dev/null" or not folder.startswith("/"):
            return folder
        if not address:
            return f"$home/mail{folder}"
        local, domain = split(address)
        return f"$home/mail/{self._spelling(domain)}/{local}{folder}"

    # -- writing

    def _tell(self, function: str, fields: Fields) -> None:
        """A call that changes something."""
        self._call(self._site.write, function, fields)


# -- the wire ---------------------------------------------------------------------------------------------------------


def _site(options: Options, *, writes: bool) -> Site:
    if options.password is not None:
        return Site(options, writes=writes, auth=(options.user, _plain(options.password)))
    header = f"{options.via} {options.user}:{_plain(options.token)}"
    return Site(options, writes=writes, headers={"Authorization": header})


def _plain(secret: SecretStr | str | None) -> str:
    return secret.get_secret_value() if isinstance(secret, SecretStr) else secret or ""


def _spoken(reply: Reply, function: str) -> Row:
    """The answer as a JSON object, once it is clear that it comes from behind the login."""
    if reply.status in {401, 403}:
        raise _login_refused(reply)
    if 300 <= reply.status < 400:  # noqa: PLR2004 - RFC 9110: a redirect
        raise _sent_elsewhere(reply)
    if reply.status >= 500:  # noqa: PLR2004 - RFC 9110: the server's own fault
        raise Unavailable(
            f"{reply.place}: the server failed (status {reply.status}); whether it had its effect is looked up."
        )
    if not reply.ok:
        raise EndpointUnfit(
            f"{reply.place}: status {reply.status}, which no cPanel answers to {function}.",
            remedy="Check the url in the plan: https://HOST:2083, or https://HOST:2087 with via: whm.",
        )
    if reply.content.lstrip()[:1] == b"<" and b"login" in reply.content.lower():
        raise _login_refused(reply)  # the login page, with status 200
    told = reply.json()
    if not isinstance(told, Mapping):
        raise Misbehaved(f"{reply.place}: the answer is not the object that was expected.")
    return told


def _login_refused(reply: Reply) -> MigratorError:
    return EndpointRefused(
        f"{reply.place}: the login was refused (status {reply.status}).",
        remedy="See whether user and token or password are right, whether the token has expired, and whether it may be used from "
        "this machine's address. It is not tried again, since cPHulk locks out whoever does.",
    )


def _sent_elsewhere(reply: Reply) -> MigratorError:
    target = reply.headers.get("location", "")
    if "login" in target or not target.startswith("https://"):
        return _login_refused(reply)
    host = re.sub(r"^https://([^/?#]*).*$", r"\1", target, flags=re.DOTALL)[:LONGEST_QUOTE]
    return EndpointRefused(
        f"{reply.place}: the server sends us on to {host}.", remedy=f"Write url: https://{host} in the plan."
    )


def _through_whm(told: Row) -> Row:
    """What the account's cPanel said, out of WHM's envelope."""
    metadata, data = told.get("metadata"), told.get("data")
    if not isinstance(metadata, Mapping):
        raise Misbehaved("WHM's answer has no metadata.")
    if not _is_on(metadata.get("result")):
        raise EndpointRefused(
            f"WHM did not let the call through: {_quote([metadata.get('reason')])}",
            remedy="Check cpanel_user, and that the WHM user owns that account and its token allows uapi_cpanel.",
        )
    inner = data.get("uapi") if isinstance(data, Mapping) else None
    if not isinstance(inner, Mapping):
        raise Misbehaved("WHM's answer holds nothing from cPanel.")
    return inner


def _outcome(told: Row, where: str, secrets: Sequence[str]) -> Any:  # Any: each call has data of its own
    """`data`, from either spelling of the envelope. Raises Refused, in the panel's words, where the call failed."""
    result = told.get("result", told)
    if not isinstance(result, Mapping) or "status" not in result:
        raise Misbehaved(f"{where} answered without a status.")
    if not _is_on(result["status"]):
        errors = result.get("errors") or []
        texts = errors if isinstance(errors, Sequence) and not isinstance(errors, str) else [errors]
        raise Refused(f"{where} was refused: {_quote(texts, secrets)}")
    return result.get("data")


def _quote(texts: Iterable[object], secrets: Sequence[str] = ()) -> str:
    """The panel's own words, shortened, without markup and without what we sent as a secret."""
    said = " ".join(str(text) for text in texts if text)
    for secret in secrets:
        said = said.replace(secret, "(hidden)")
    said = re.sub(r"<[^>]*>", " ", said)
    said = " ".join("".join(sign if sign.isprintable() else " " for sign in said).split())
    return said if len(said) <= LONGEST_QUOTE else said[:LONGEST_QUOTE] + "..."


def _secrets(fields: Fields) -> Sequence[str]:
    return [fields[name] for name in ("password", "password_hash") if fields.get(name)]


# -- what rows mean ---------------------------------------------------------------------------------------------------


def _text(row: Row, name: str) -> str:
    return str(row.get(name) or "")


def _is_on(value: object) -> bool:
    """1, "1", true; numbers come with and without quotes."""
    return str(value).lower() in {"1", "true"}


def _number(value: object, what: str) -> int | None:
    """A number that may be quoted, null or a decimal; None where there is none. Raises Misbehaved for anything else."""
    text = str(value if value is not None else "").strip()
    return round(_decimal(text, what)) if text else None


def _decimal(text: str, what: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise Misbehaved(f"{what}: {_quote([text])} is no number.") from None
    if not math.isfinite(number):
        raise Misbehaved(f"{what}: {_quote([text])} is no number.")
    return number


def _belongs(row: Row, domain: str) -> bool:
    """Whether a row is a mailbox of the domain. The account's own mailbox stands in the list as well, without an @."""
    return split(_text(row, "email"))[1] == domain


def _mailbox(row: Row) -> Mailbox:
    address = same_form(_text(row, "email"))
    holds = {
        Hold.LOGIN: _is_on(row.get("suspended_login")),
        Hold.RECEIVE: _is_on(row.get("suspended_incoming")),
        Hold.SEND: _is_on(row.get("suspended_outgoing")) or _is_on(row.get("hold_outgoing")),
    }
    return Mailbox(
        address,
        quota=_quota(row, address),
        used=_number(row.get("_diskused"), f"{address}: space used"),
        holds=frozenset(hold for hold, on in holds.items() if on),
    )


def _quota(row: Row, address: str) -> int | None:
    """Bytes from `_diskquota`, or from megabytes in `diskquota` where a server leaves the former out."""
    for name, in_bytes in (("_diskquota", round), ("diskquota", bytes_of_mb)):
        text = str(row.get(name) if row.get(name) is not None else "").strip()
        if text.lower() == "unlimited":
            return None
        if text:
            return in_bytes(_decimal(text, f"{address}: quota")) or None
    raise Misbehaved(f"{address}: the panel does not tell the quota.")


def _destinations(forward: str) -> Iterator[Destination]:
    """What one row sends mail to. Several targets are joined by commas, which may also stand in a rejection or a command."""
    text = forward.replace("\n", " ").replace("\r", " ").strip()
    if text.startswith((":fail:", "|")) and AUTORESPOND not in text:
        yield _destination(text)
        return
    for piece in next(csv.reader([text], skipinitialspace=True, escapechar="\\"), []):
        # Autoresponders are listed on their own; this is only how cPanel runs them.
        if piece.strip() and AUTORESPOND not in piece:
            yield _destination(piece)


def _destination(text: str) -> Destination:
    text = _unquoted(text)
    if text.startswith(":fail:"):
        return Destination(text.removeprefix(":fail:").strip(), Way.REJECT)
    if text in {":blackhole:", "/dev/null"}:
        return Destination("", Way.DISCARD)
    if text.startswith(("|", "/", ":")):  # a program, a file, an :include: ...: all of the old machine alone
        return Destination(text, Way.PIPE)
    if "@" in text:
        return Destination(same_form(text))
    return Destination(text, Way.SYSTEM)


def _unquoted(text: str) -> str:
    """Without the quotes that some hosts put around the whole value."""
    text = text.strip()
    while len(text) > 1 and text[0] == text[-1] == '"':
        text = text[1:-1].strip()
    return text


def _routing_of(row: Row) -> Routing:
    word = _text(row, "mxcheck").lower()
    if word not in _ROUTING:
        raise Misbehaved(f"{_text(row, 'domain')}: the routing is not told: {_quote([row.get('statusmsg') or word])}")
    return _ROUTING[word]


def _autoresponder(address: str, row: Row) -> Autoresponder:
    address = same_form(address)
    from_name = _text(row, "from").strip()
    return Autoresponder(
        address,
        body=_text(row, "body").replace("\r\n", "\n").rstrip("\n"),
        subject=_text(row, "subject"),
        from_name="" if same_form(from_name).lower() == address.lower() else from_name,
        is_html=_is_on(row.get("is_html")),
        interval_hours=_number(row.get("interval"), f"{address}: the autoresponder's interval"),
        start=_time(row.get("start"), address),
        stop=_time(row.get("stop"), address),
    )


def _time(value: object, address: str) -> datetime | None:
    seconds = _number(value, f"{address}: a time of the autoresponder")
    if not seconds:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        raise Misbehaved(f"{address}: a time of the autoresponder is none: {seconds}.") from None


def _filter(row: Row, address: str, domain: str) -> Filter:
    name = _text(row, "filtername")
    rules, actions = row.get("rules") or [], row.get("actions") or []
    if not all(isinstance(part, Mapping) for part in (*rules, *actions)):
        raise Misbehaved(f"{address or domain}: the filter {_quote([name])} cannot be understood.")
    joins = [_text(rule, "opt") for rule in rules[:-1]] + [""]  # the last is tied to nothing
    return Filter(
        address,
        name,
        tuple(
            Rule(_text(rule, "part"), _text(rule, "match"), _text(rule, "val"), join)
            for rule, join in zip(rules, joins, strict=False)
        ),
        tuple((word := _text(one, "action"), _place(word, _text(one, "dest"), address)) for one in actions),
        enabled=_is_on(row.get("enabled")),
        domain=domain,
    )


def _place(action: str, dest: str, address: str) -> str:
    """A folder as it is seen from the mailbox: `$home/mail/example.com/ann/.Junk` is `/.Junk` of ann@example.com."""
    if action != "save":
        return dest
    inside = dest.removeprefix("$home/mail")
    if not address:
        return inside
    local, domain = split(address)
    folder, _, rest = inside.lstrip("/").partition("/")
    owner, _, place = rest.partition("/")
    is_own = (ascii_domain(folder), owner.lower()) == (domain, local.lower())
    return f"/{place}" if is_own else dest


def _has_controls(text: str) -> bool:
    return any(sign < " " or sign == "\x7f" for sign in text)


# -- what we send -----------------------------------------------------------------------------------------------------


def _quota_in_mb(quota: int | None) -> str:
    """Megabytes, rounded up; 0 is unlimited."""
    return str(-(-quota // MB)) if quota else "0"


def _password_field(address: str, password: Password) -> Fields:
    if password.plain is not None:
        return {"password": _sendable(address, password.plain)}
    if password.hash is None:
        raise Refused(f"{address}: there is no password to create the mailbox with.")
    if password.scheme not in FEATURES.schemes:
        raise Refused(f"{address}: cPanel takes no {password.scheme or 'such'} hash. Give it a password instead.")
    return {"password_hash": bare_hash(password)}


def _sendable(address: str, password: SecretStr) -> str:
    plain = password.get_secret_value()
    if not plain or plain != plain.strip() or _has_controls(plain):
        raise Refused(
            f"{address}: the password is empty, begins or ends with a blank or holds control characters, which do not survive. "
            "Give it another one."
        )
    return plain


def _forwarding_fields(goes_to: Destination, address: str) -> Fields:
    if goes_to.way is Way.DISCARD:
        return {"fwdopt": "blackhole"}
    if goes_to.way is Way.SYSTEM:
        return {"fwdopt": "system", "fwdsystem": goes_to.value}
    if _has_controls(goes_to.value):
        raise Refused(f"{address}: the text of the rejection must be a single line.")
    return {"fwdopt": "fail", "failmsgs": goes_to.value}


def _as_listed(goes_to: Destination) -> str:
    """A destination in the words of list_forwarders, which delete_forwarder takes."""
    words = {Way.REJECT: f":fail: {goes_to.value}", Way.DISCARD: ":blackhole:"}
    return words.get(goes_to.way, goes_to.value)


def _quoted(destinations: Iterable[Destination], way: Way) -> str:
    return ", ".join(one.value for one in destinations if one.way is way)[:LONGEST_QUOTE]


def _refuse_filter(wanted: Filter) -> None:
    if len(wanted.rules) != 1:
        raise Refused(
            f"{wanted.key}: cPanel does not tell how several conditions are joined, so nobody could prove that it arrived. "
            "Make it by hand (cPanel: Email Filters)."
        )
    if any(action == "pipe" for action, _ in wanted.actions):
        raise Refused(f"{wanted.key}: the program it hands mail to is not known on this machine. Make it by hand.")


def _there_already(thing: Thing) -> Refused:
    return Refused(f"{thing.key}: there is a {thing.word} already; it was left as it is.")


# -- the adapter ------------------------------------------------------------------------------------------------------


def open_reader(options: Options, _login: Login) -> CPanelReader:
    """A session that cannot write. Raises EndpointRefused, TlsFailed, Unreachable, Unavailable, ..."""
    return CPanelReader(options)


def open_writer(options: Options, _login: Login) -> CPanelWriter:
    """A session that can write; raises as `open_reader`."""
    return CPanelWriter(options)


ADAPTER: Adapter[PanelReader, PanelWriter] = Adapter(
    word="cpanel",
    title="cPanel",
    options=Options,
    reader=open_reader,
    writer=open_writer,
    connections=lambda options: (options.connections, options.connections),
)
