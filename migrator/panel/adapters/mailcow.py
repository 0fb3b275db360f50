"""mailcow: dockerized of 2022 and later, through its API with a key (`https://HOST/api/v1`, header X-API-Key).

Docs: the server's own /api/ page. The panel answers 200 to a failed write too: the body says what happened, in a list of items of
which any may be a failure. An empty body is a fault of the server, and so is a bare "Task completed": nothing was done.

What the API cannot: forward a mailbox's mail (owners do that by Sieve filter), autoresponders, filters of owners in our sense, show
password hashes, lists. A domain always has a limit, so one that is created here gets the room the plan says.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from math import ceil
from typing import Any, ClassVar, cast

from pydantic import ByteSize, Field, SecretStr

from migrator.addresses import ascii_domain, same_form, split
from migrator.engine.contract import Adapter, Login, Service
from migrator.errors import Dropped, EndpointRefused, MigratorError, Misbehaved, NotFound, Refused, Unavailable
from migrator.panel.contract import AnyThing, Features, PanelReader, PanelWriter
from migrator.panel.model import (
    CatchAll,
    Destination,
    Domain,
    DomainForwarder,
    Forwarder,
    Hold,
    Mailbox,
    Password,
    Probe,
    Routing,
    Thing,
    Way,
    changed,
    lost,
)
from migrator.wire.http import Reply, Site, WebOptions

API = "api/v1"
MB = 1024 * 1024
TB = 1024 * 1024 * MB
ALIASES_OF_A_DOMAIN = 10_000
USUAL_QUOTA = 3072  # MB: what the web page suggests for a new mailbox, mailcow's own default

NOTHING_DONE = "Task completed"  # data/web/json_api.php: said when the code behind it reported nothing at all
THERE_ALREADY = {"object_exists", "is_alias", "is_alias_or_mailbox", "is_spam_alias", "domain_exists"}
NOT_THERE = {"domain_not_found", "targetd_not_found"}
NO_ROOM = {"mailbox_quota_exceeded", "mailbox_quota_left_exceeded", "max_mailbox_exceeded", "max_alias_exceeded"}

# Where an alias goes that goes to nobody. spam and ham teach the filter before the mail is thrown away.
_NOBODY = {"null@localhost": Way.DISCARD, "spam@localhost": Way.SYSTEM, "ham@localhost": Way.SYSTEM}

_HASH = re.compile(r"\{[A-Za-z0-9.-]+\}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
LONGEST_QUOTE = 200  # characters of the panel's own words in a sentence of ours


# -- what a plan says -------------------------------------------------------------------------------------------------


class Options(WebOptions, Service):
    """How to reach a mailcow, and what domains it makes may hold."""

    key: SecretStr | str = Field(
        description="Name of the secret with the API key; read-write for a target. Allow this machine's address beside it",
        json_schema_extra={"secret": True},
    )
    domain_quota: ByteSize = Field(
        ByteSize(TB),
        ge=MB,
        description="Room that a domain created here has for all its mailboxes together; mailcow knows none without a limit",
    )
    domain_mailboxes: int = Field(1000, ge=1, description="Mailboxes that a domain created here may have")


# -- what it can ------------------------------------------------------------------------------------------------------

FEATURES = Features(
    title="mailcow",
    lists=frozenset({Domain, Mailbox, Forwarder, DomainForwarder, CatchAll}),
    creates=frozenset({Domain, Mailbox, Forwarder, DomainForwarder, CatchAll}),
    changes=frozenset({Mailbox, Forwarder, CatchAll}),
    tells={
        "domain.routing": changed("mailcow only knows its own domains and those it is backup for"),
        "domain.dkim key": lost("the key is not read"),
        "mailbox.password": lost("the API does not show password hashes"),
        "mailbox.suspended sending": lost("mailcow suspends login, or login and receiving"),
        "forwarder.copy kept": lost("a mailbox forwards by its owner's Sieve filter, which is not read"),
    },
    keeps={
        "domain.routing": changed("mailcow only knows its own domains and those it is backup for"),
        "domain.dkim key": lost("mailcow makes a key of its own"),
        "mailbox.suspended receiving": changed("mailcow refuses mail only together with the login"),
        "mailbox.suspended sending": lost("mailcow suspends login, or login and receiving"),
        "forwarder.copy kept": lost("a mailbox forwards by a Sieve filter of its owner"),
        "forwarder.reject": lost("mailcow has no address that refuses with a text"),
        "forwarder.pipe": lost("mailcow gives mail to no programs"),
        "forwarder.system user": lost("mailcow has no users of the machine"),
        "catch-all.pipe": lost("mailcow gives mail to no programs"),
    },
    destinations=frozenset({Way.ADDRESS, Way.DISCARD}),
    schemes=frozenset({"SHA512-CRYPT", "SHA256-CRYPT", "MD5-CRYPT", "BLF-CRYPT", "ARGON2I", "ARGON2ID"}),
    sets_passwords=True,
    quota_unit=MB,
    # Addresses are cut at commas, semicolons and blanks; the rest is PHP's FILTER_VALIDATE_EMAIL.
    local_part=r"(?=.{1,64}$)[A-Za-z0-9_!#$%&'*+/=?^`{|}~-]+(\.[A-Za-z0-9_!#$%&'*+/=?^`{|}~-]+)*",
)


# -- sessions ---------------------------------------------------------------------------------------------------------


class MailcowReader:
    """A mailcow that is being asked."""

    features = FEATURES
    _writes: ClassVar[bool] = False

    def __init__(self, options: Options, _login: Login) -> None:
        """Opens nothing yet; the login is proven by the first question."""
        self._options = options
        key = options.key.get_secret_value() if isinstance(options.key, SecretStr) else options.key
        self._site = Site(options, writes=self._writes, headers={"X-API-Key": key})

    def probe(self) -> Probe:
        """Who answers, which proves the key."""
        told = self._get("status/version")
        return Probe("mailcow", str(told.get("version", "")) if isinstance(told, dict) else "")

    def domains(self) -> Sequence[Domain]:
        """Every domain, but for those that only stand for another."""
        return [_domain(row) for row in self._rows("domain/all")]

    def list(self, noun: type[AnyThing], domain: str) -> Sequence[AnyThing]:
        """Everything of one kind in a domain."""
        table: dict[type, Callable[[str], Sequence[Thing]]] = {
            Domain: lambda name: [one for one in self.domains() if one.name == name],
            Mailbox: self._mailboxes,
            Forwarder: self._forwarders,
            DomainForwarder: self._domain_forwarders,
            CatchAll: self._catch_alls,
        }
        return cast("Sequence[AnyThing]", table[noun](ascii_domain(domain)))  # the table pairs each noun with its own

    def close(self) -> None:
        """End the session; never raises."""
        self._site.close()

    # -- nouns

    def _mailboxes(self, domain: str) -> Sequence[Mailbox]:
        there = [_mailbox(row) for row in self._rows(f"mailbox/all/{domain}")]
        return self._proven(domain, [one for one in there if split(one.address)[1] == domain])

    def _forwarders(self, domain: str) -> Sequence[Forwarder]:
        return self._proven(domain, [_forwarder(row) for row in self._aliases(domain) if not _is_catch_all(row)])

    def _catch_alls(self, domain: str) -> Sequence[CatchAll]:
        return self._proven(domain, [_catch_all(row, domain) for row in self._aliases(domain) if _is_catch_all(row)])

    def _domain_forwarders(self, domain: str) -> Sequence[DomainForwarder]:
        """Alias domains, as the alias or as its target."""
        found = []
        for row in self._rows("alias-domain/all"):
            one = DomainForwarder(ascii_domain(_text(row, "alias_domain")), ascii_domain(_text(row, "target_domain")))
            if _is_on(row) and domain in {one.domain, one.target}:
                found.append(one)
        return found

    def _aliases(self, domain: str) -> Sequence[dict[str, Any]]:  # Any: as `_rows`
        """The domain's aliases that are on. One that is off takes no mail, and has no counterpart elsewhere."""
        found = []
        for row in self._rows("alias/all"):
            address, goto = same_form(_text(row, "address")), _text(row, "goto")
            if split(address)[1] == domain and _is_on(row) and same_form(goto).lower() != address.lower():
                found.append(row)
        return found

    def _proven(self, domain: str, there: Sequence[AnyThing]) -> Sequence[AnyThing]:
        """What was found. An empty answer is also what an unknown domain gets, so that is asked for."""
        if not there and not self._get(f"domain/{domain}"):
            raise NotFound(
                f"{domain}: there is no such domain on this mailcow.",
                remedy="Create it there, or take it out of the plan.",
            )
        return there

    # -- asking

    def _get(self, path: str) -> object:
        return _checked(self._site.read("GET", f"{API}/get/{path}"))

    def _rows(self, path: str) -> Sequence[dict[str, Any]]:  # Any: values of any kind, looked at where they are used
        told = self._get(path)
        if not told:  # {} for none
            return []
        if isinstance(told, dict) and "type" in told and "msg" in told:
            raise Refused(
                f"mailcow did not tell {path} ({_quoted(told['msg'])}).", remedy="Check what the key may read."
            )
        if isinstance(told, list) and all(isinstance(one, dict) for one in told):
            return told
        raise Misbehaved(f"mailcow answered to {path} with something else than a list.")


class MailcowWriter(MailcowReader):
    """A mailcow that is being filled. Every creation is one request, so none can be left half done."""

    _writes = True

    def create(self, thing: Thing, password: Password | None = None) -> None:
        """Make something that is not there; mailcow itself refuses what is."""
        match thing:
            case Domain():
                self._create_domain(thing)
            case Mailbox():
                self._create_mailbox(thing, password or Password())
            case Forwarder():
                self._create_alias(thing.address, _forwarded(thing))
            case CatchAll():
                self._create_alias(f"@{thing.domain}", _goto(thing.domain, (thing.destination,)))
            case DomainForwarder():
                asked = {"alias_domain": thing.domain, "target_domain": thing.target, "active": "1"}
                self._tell("add/alias-domain", asked, thing.domain)
            case _:
                raise Refused(
                    f"{thing.key}: mailcow's API makes no {thing.word}.", remedy="Create it by hand, as its owner."
                )

    def change(self, thing: Thing, there: Thing) -> None:
        """Make what is `there` like `thing`."""
        match thing:
            case Mailbox():
                told = {"quota": _megabytes(thing.quota), "active": _active(thing), "name": thing.name}
                if thing.name == (there.name if isinstance(there, Mailbox) else ""):
                    del told["name"]
                self._edit("mailbox", thing.address, told, thing.address)
            case Forwarder():
                self._edit_alias(thing.address, _forwarded(thing))
            case CatchAll():
                self._edit_alias(f"@{thing.domain}", _goto(thing.domain, (thing.destination,)))
            case _:
                raise Refused(f"{thing.key}: a {thing.word} cannot be changed from here.", remedy="Change it by hand.")

    def set_password(self, address: str, password: Password) -> None:
        """From now on this is the mailbox's password."""
        self._edit("mailbox", address, _password(address, password), address, password)

    # -- nouns

    def _create_domain(self, domain: Domain) -> None:
        room = ceil(self._options.domain_quota / MB)
        asked = {
            "domain": domain.name,
            "mailboxes": str(self._options.domain_mailboxes),
            "aliases": str(ALIASES_OF_A_DOMAIN),
            "defquota": str(min(USUAL_QUOTA, room)),
            "maxquota": str(room),
            "quota": str(room),
            "backupmx": "1" if domain.routing is Routing.BACKUP else "0",
            "active": "0" if domain.suspended else "1",
        }
        self._tell("add/domain", asked, domain.name)

    def _create_mailbox(self, mailbox: Mailbox, password: Password) -> None:
        local, domain = split(mailbox.address)
        if re.search(r"[\s,;]", local):
            raise Refused(f"{mailbox.address}: mailcow cannot have this address.", remedy="Rename it in the plan.")
        asked = {
            "domain": domain,
            "local_part": local,
            "name": mailbox.name,
            "authsource": "mailcow",
            "quota": _megabytes(mailbox.quota),
            "active": _active(mailbox),
            **_password(mailbox.address, password),
        }
        self._tell("add/mailbox", asked, mailbox.address, password)

    def _create_alias(self, address: str, goto: Mapping[str, str]) -> None:
        if re.search(r"[\s,;]", address):  # mailcow would make several of it
            raise Refused(f"{address}: mailcow cannot have this address.", remedy="Create another one by hand.")
        self._tell("add/alias", {"address": address, "active": "1", **goto}, address)

    def _edit_alias(self, address: str, goto: Mapping[str, str]) -> None:
        wanted = same_form(address).lower()
        for row in self._aliases(split(address)[1]):
            if same_form(_text(row, "address")).lower() == wanted:
                self._edit("alias", _text(row, "id"), {"active": "1", **goto}, address)
                return
        raise NotFound(f"{address}: mailcow does not have it any more.", remedy="Run again to make it anew.")

    # -- telling

    def _edit(
        self, kind: str, item: str, attributes: Mapping[str, str], about: str, password: Password | None = None
    ) -> None:
        self._tell(f"edit/{kind}", {"items": [item], "attr": dict(attributes)}, about, password)

    def _tell(self, path: str, asked: Mapping[str, object], about: str, password: Password | None = None) -> None:
        reply = self._site.write("POST", f"{API}/{path}", json=dict(asked))
        if reply.ok and not reply.content.strip():
            raise Dropped(f"{about}: mailcow broke off without a word; whether it had its effect is looked up.")
        _done(_checked(reply), about, password)


# -- our nouns and mailcow's rows -----------------------------------------------------------------------------------------


def _domain(row: Mapping[str, object]) -> Domain:
    routing = Routing.BACKUP if _number(row, "backupmx", "backupmx_int") else Routing.LOCAL
    return Domain(ascii_domain(_text(row, "domain_name")), routing=routing, suspended=not _is_on(row))


def _mailbox(row: Mapping[str, object]) -> Mailbox:
    address = same_form(_text(row, "username"))
    holds = {0: {Hold.LOGIN, Hold.RECEIVE}, 1: set[Hold](), 2: {Hold.LOGIN}}  # 2 still receives
    state = _state(row)
    if state not in holds:
        raise Misbehaved(f"{address}: mailcow tells a state `{state}` of this mailbox that nobody knows.")
    name = str(row.get("name") or "").strip()
    return Mailbox(
        address,
        quota=_number(row, "quota") or None,
        used=_number(row, "quota_used"),
        holds=frozenset(holds[state]),
        name="" if name == split(address)[0] else name,  # what mailcow writes where nobody gave one
    )


def _forwarder(row: Mapping[str, object]) -> Forwarder:
    address = same_form(_text(row, "address"))
    to = _destinations(row)
    others = tuple(one for one in to if one.value.lower() != address.lower())
    return Forwarder(address, others, keeps_copy=len(others) < len(to))


def _catch_all(row: Mapping[str, object], domain: str) -> CatchAll:
    to = _destinations(row)
    if len(to) != 1:
        raise Misbehaved(
            f"{domain}: the catch-all goes to {len(to)} addresses, which no other panel can do.",
            remedy="Let it go to one address, or set it up by hand.",
        )
    return CatchAll(domain, to[0])


def _destinations(row: Mapping[str, object]) -> tuple[Destination, ...]:
    found = []
    for one in _text(row, "goto").split(","):
        address = one.strip()
        if not address:
            continue
        way = _NOBODY.get(address, Way.ADDRESS)
        value = {Way.ADDRESS: same_form(address), Way.SYSTEM: split(address)[0]}.get(way, "")
        found.append(Destination(value, way))
    return tuple(sorted(found))


def _is_catch_all(row: Mapping[str, object]) -> bool:
    return _text(row, "address").startswith("@")


def _forwarded(forwarder: Forwarder) -> dict[str, str]:
    """A forwarder's destinations as mailcow wants them. An alias that goes to itself is passed over there without a word."""
    if forwarder.keeps_copy or any(one.value.lower() == forwarder.key for one in forwarder.destinations):
        raise Refused(
            f"{forwarder.address}: in mailcow a mailbox forwards and keeps a copy by a Sieve filter of its owner.",
            remedy="Set it up in the owner's filters by hand.",
        )
    return _goto(forwarder.address, forwarder.destinations)


def _goto(about: str, destinations: Sequence[Destination]) -> dict[str, str]:
    if [one.way for one in destinations] == [Way.DISCARD]:
        return {"goto": "", "goto_null": "1"}
    for one in destinations:
        if one.way is not Way.ADDRESS or re.search(r"[\s,;]", one.value):
            raise Refused(
                f"{about}: a mailcow alias goes to addresses, or to nobody, not to `{one}`.",
                remedy="Create it in another way by hand, or leave it.",
            )
    return {"goto": ",".join(one.value for one in destinations)}


def _megabytes(quota: int | None) -> str:
    return "0" if quota is None else str(max(1, ceil(quota / MB)))  # 0 is unlimited


def _active(mailbox: Mailbox) -> str:
    if Hold.RECEIVE in mailbox.holds:
        return "0"
    return "2" if Hold.LOGIN in mailbox.holds else "1"


def _password(address: str, password: Password) -> dict[str, str]:
    if password.hash is not None:
        if password.scheme not in FEATURES.schemes:
            raise Refused(
                f"{address}: mailcow takes no {password.scheme or 'unnamed'} hash.", remedy="Give it a new password."
            )
        secret = password.hash.get_secret_value()
    elif password.plain is not None:
        secret = password.plain.get_secret_value()
        if _HASH.match(secret):
            raise Refused(
                f"{address}: its password begins like a hash, and mailcow would take it for one.",
                remedy="Give the mailbox another password.",
            )
    else:
        raise Refused(f"{address}: there is no password for it.", remedy="Give one in the plan's accounts.")
    if _CONTROL.search(secret):
        raise Refused(
            f"{address}: its password holds a control character.", remedy="Give the mailbox another password."
        )
    return {"password": secret, "password2": secret}


# -- wire -----------------------------------------------------------------------------------------------------------------


def _checked(reply: Reply) -> object:
    """An answer's JSON. Raises EndpointRefused, Unavailable, NotFound, Refused, Misbehaved."""
    page = reply.content[:200].lstrip().lower().startswith((b"<!doctype html", b"<html"))
    if reply.status in {401, 403} or 300 <= reply.status < 400 or (reply.ok and page):  # noqa: PLR2004 - RFC 9110
        said = f", {_quoted(_told(reply))}" if not page and reply.content else ""
        raise EndpointRefused(
            f"{reply.place}: mailcow refused the key (status {reply.status}{said}).",
            remedy="Check the key, that it is read-write for a target, and that this machine's address is allowed beside it.",
        )
    if reply.status >= 500:  # noqa: PLR2004 - RFC 9110
        raise Unavailable(f"{reply.place}: mailcow failed (status {reply.status}).")
    if not reply.ok:
        said = _quoted(_told(reply))
        raise Misbehaved(f"{reply.place}: mailcow did not understand the request (status {reply.status}, {said}).")
    if not reply.content.strip():
        raise Misbehaved(f"{reply.place}: mailcow broke off without a word, which is a fault there.")
    return reply.json()


def _told(reply: Reply) -> object:
    try:
        told = reply.json()
    except Misbehaved:
        return ""
    return told.get("msg", "") if isinstance(told, dict) else ""


def _done(told: object, about: str, password: Password | None) -> None:
    """A write's items: any that is no success is a failure, and so is a success in which nothing is said to be done."""
    items: list[Any] = told if isinstance(told, list) else [told]  # Any: looked at in the next line
    if not items or not all(isinstance(one, dict) and "type" in one for one in items):
        raise Misbehaved(f"{about}: mailcow's answer does not say what became of it.")
    for one in items:
        if one["type"] != "success":
            raise _failure(one.get("msg"), about, password, partly=len(items) > 1)
    if all(one.get("msg") == NOTHING_DONE for one in items):
        raise Refused(f"{about}: mailcow did nothing, and said no more.", remedy="Try it by hand, and look at its log.")


def _failure(message: object, about: str, password: Password | None, *, partly: bool) -> MigratorError:
    code = str(message[0]) if isinstance(message, list) and message else str(message or "")
    said = _quoted(message, password)
    if code in THERE_ALREADY:
        return Refused(
            f"{about}: it is there already, and was left as it is ({said}).",
            remedy="Look at it in mailcow, and remove one of the two.",
        )
    if code in NOT_THERE:
        return NotFound(f"{about}: its domain is not on this mailcow ({said}).", remedy="Create the domain first.")
    if code in NO_ROOM:
        return Refused(
            f"{about}: the domain's limits in mailcow do not allow it ({said}).",
            remedy="Raise them in mailcow, then run again.",
        )
    part = "; a part of it may have been made" if partly else ""
    return Refused(f"{about}: mailcow refused it ({said}){part}.", remedy="Correct what it says, or do it by hand.")


def _text(row: Mapping[str, object], key: str) -> str:
    value = row.get(key)
    if value is None or isinstance(value, dict | list):
        raise Misbehaved(f"mailcow told a row without `{key}`.")
    return str(value).strip()


def _number(row: Mapping[str, object], *keys: str) -> int | None:
    """A number under the first of these keys that has one; they come as numbers, words or null."""
    for key in keys:
        told = row.get(key)
        if told is None or told == "":
            continue
        try:
            return int(float(str(told)))
        except (ValueError, OverflowError):
            raise Misbehaved(f"mailcow told {_quoted(told)} as `{key}`, where a number was expected.") from None
    return None


def _state(row: Mapping[str, object]) -> int | None:
    """0, 1 or 2. Older versions draw a tick as `active` and have the number beside it."""
    return _number(row, "active_int", "active")


def _is_on(row: Mapping[str, object]) -> bool:
    return _state(row) != 0


def _quoted(said: object, password: Password | None = None) -> str:
    """The panel's own words, in one line and shortened; without the password, should they repeat it."""
    text = " ".join(str(one) for one in said) if isinstance(said, list) else str(said or "")
    text = " ".join(text.split())
    for secret in (password.plain, password.hash) if password else ():
        if secret is not None:
            text = text.replace(secret.get_secret_value(), "(password)")
    return text if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]}..."


def _read(options: Options, login: Login) -> PanelReader:
    return MailcowReader(options, login)


def _fill(options: Options, login: Login) -> PanelWriter:
    return MailcowWriter(options, login)


ADAPTER = Adapter(
    word="mailcow",
    title="mailcow",
    options=Options,
    reader=_read,
    writer=_fill,
    connections=lambda options: (options.connections, options.connections),
)
