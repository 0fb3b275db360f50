"""HestiaCP 1.6 and later, through its HTTP API with an access key (https://hestiacp.com/docs/server-administration/rest-api.html).

Every call is a POST to /api/ with a command (`v-...`) and its arguments; what came of it is told by the header Hestia-Exit-Code, never
by the HTTP status (401 is a bad key, and also a suspended mailbox). A refused key, and also a command the key may not run, are
counted as failed logins by the panel's fail2ban jail: after one, this session asks nothing more.

Which keys do: an administrator's key does everything. A user's key works for that user alone; with the permission set `mail-accounts`
it makes mailboxes, aliases, forwards and autoresponders, but no domains and no catch-all.

A forwarder is no thing of its own in Hestia:
- beside a mailbox it is the account's FWD list, and FWD_ONLY says that no copy is kept;
- with one mailbox of its domain as its destination it is an alias of that account (ALIAS);
- otherwise it is an account made for it, with FWD and FWD_ONLY, a password nobody knows and room for 1 MB. An account like that,
  or one whose owner has turned on "do not store forwarded mail" and which is empty and without a limit, is read as a forwarder alone.

A suspended account takes no forwards; its suspension is lifted for the moment of the change. Its autoresponder is shown to nobody:
it is read with an empty text, and none is made, since it could not be proven.

An autoresponder that says backslash and n is read with a line break there: some versions print line breaks like that.

What it cannot do: take password hashes (it tells them, to an administrator's key); domain forwarders, filters, lists; reject, pipe and
system destinations; subject, sender, interval and dates of an autoresponder. Databases are not listed, since a key for mail may not
ask for them and the question would count as a failed login.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast

from pydantic import Field, SecretStr

from migrator.addresses import ascii_domain, same_form, shown_domain, split
from migrator.engine.contract import Adapter, Login, Service
from migrator.errors import Dropped, EndpointRefused, MigratorError, Misbehaved, NoSpace, NotFound, Refused, Unavailable
from migrator.frozen import dataclass
from migrator.panel.contract import AnyThing, Features, PanelReader, PanelWriter
from migrator.panel.model import (
    UNKNOWN_PASSWORD,
    Autoresponder,
    CatchAll,
    Destination,
    Domain,
    Forwarder,
    Hold,
    Mailbox,
    Password,
    Probe,
    Thing,
    Way,
    bytes_of_mb,
    lost,
    with_scheme,
)
from migrator.wire.http import MB, Reply, Site, WebOptions

API = "api/"
PLACEHOLDER_MB = 1  # the room of an account that exists only to forward
LONGEST_ANSWER = 10_240  # characters of an autoresponder's text; the panel wants fewer
TEMP_FOLDER = "/tmp/"  # noqa: S108 - not a file of ours: the panel reads passwords from files below it
TRIMMED = " \t\n\r\0\x0b"  # what PHP's trim takes off both ends of every argument
LONGEST_QUOTE = 200  # characters of the panel's own words in a message
NOBODY = "migrator-nobody"  # a user name that no panel has


# -- what a plan says -------------------------------------------------------------------------------------------------


class Options(WebOptions, Service):
    """How to reach the mail of one user of a HestiaCP server."""

    user: str = Field(min_length=1, description="The user whose domains and mailboxes these are")
    key: SecretStr | str = Field(
        description="Name of the secret with the access key, written as ACCESS_KEY:SECRET_KEY",
        json_schema_extra={"secret": True},
    )


_NO_NAME = lost("Hestia keeps no person's name with a mailbox")
_ONE_SUSPENSION = lost("Hestia suspends the login alone; mail is received, and sending needs the login as well")
_MESSAGE_ONLY = lost("Hestia's autoresponder is a message and nothing else")

FEATURES = Features(
    title="HestiaCP",
    lists=frozenset({Domain, Mailbox, Forwarder, CatchAll, Autoresponder}),
    creates=frozenset({Domain, Mailbox, Forwarder, CatchAll, Autoresponder}),
    changes=frozenset({Mailbox, Forwarder, CatchAll, Autoresponder}),
    tells={
        "domain.routing": lost("Hestia takes all its domains as local"),
        "domain.dkim key": lost("the private key is not asked for"),
        "mailbox.suspended receiving": _ONE_SUSPENSION,
        "mailbox.suspended sending": _ONE_SUSPENSION,
        "mailbox.name": _NO_NAME,
        "autoresponder.subject": _MESSAGE_ONLY,
        "autoresponder.sender's name": _MESSAGE_ONLY,
        "autoresponder.HTML": _MESSAGE_ONLY,
        "autoresponder.interval": _MESSAGE_ONLY,
        "autoresponder.start and stop": _MESSAGE_ONLY,
    },
    keeps={
        "domain.routing": lost("Hestia takes all its domains as local"),
        "domain.dkim key": lost("Hestia makes a key of its own for a new domain"),
        "domain.suspended": lost("a suspended domain takes no mailboxes; suspend it when all is moved"),
        "mailbox.suspended receiving": _ONE_SUSPENSION,
        "mailbox.suspended sending": _ONE_SUSPENSION,
        "mailbox.name": _NO_NAME,
        "forwarder.reject": lost("Hestia cannot reject mail for one address"),
        "forwarder.pipe": lost("Hestia hands no mail to programs"),
        "forwarder.system user": lost("Hestia forwards to addresses only"),
        "catch-all.discard": lost("Hestia's catch-all is an address"),
        "catch-all.pipe": lost("Hestia's catch-all is an address"),
        "autoresponder.subject": _MESSAGE_ONLY,
        "autoresponder.sender's name": _MESSAGE_ONLY,
        "autoresponder.HTML": _MESSAGE_ONLY,
        "autoresponder.interval": _MESSAGE_ONLY,
        "autoresponder.start and stop": _MESSAGE_ONLY,
    },
    destinations=frozenset({Way.ADDRESS, Way.DISCARD}),
    reads_hashes=True,
    sets_passwords=True,
    quota_unit=MB,
    local_part=r"[A-Za-z0-9]|[A-Za-z0-9_.-]{2,64}",
)


# -- sessions ---------------------------------------------------------------------------------------------------------


class HestiaReader:
    """One user of a HestiaCP server, being asked."""

    def __init__(self, options: Options, *, writes: bool = False) -> None:
        self._api = _Api(options, writes=writes)
        self._user = options.user
        self._spelling: dict[str, str] = {}  # domains in A-label form -> as the panel spells them
        self._reads_hashes: bool | None = None
        self._listings: dict[type[Any], Callable[[str], Sequence[Thing]]] = {  # Any: a noun
            Domain: self._domain,
            Mailbox: self._mailboxes,
            Forwarder: self._forwarders,
            CatchAll: self._catch_all,
            Autoresponder: self._autoresponders,
        }

    @property
    def features(self) -> Features:
        """What can be done with this key, which is asked for once."""
        if self._may_read_hashes():
            return FEATURES
        why = lost("only an administrator's key may read password hashes")
        return replace(FEATURES, reads_hashes=False, tells={**FEATURES.tells, "mailbox.password": why})

    def probe(self) -> Probe:
        """Who answers, which proves the login. Raises EndpointRefused when it does not hold."""
        self.domains()
        if self._may_read_hashes():
            return Probe(FEATURES.title)
        return Probe(FEATURES.title, notes=["the key is not an administrator's, so password hashes cannot be read"])

    def domains(self) -> Sequence[Domain]:
        """Every domain with mail that this login may see."""
        return [_as_domain(name, row) for name, row in self._domain_rows().items()]

    def list(self, noun: type[AnyThing], domain: str) -> Sequence[AnyThing]:
        """Everything of one kind in a domain; raises NotFound if the domain is not there."""
        return cast("Sequence[AnyThing]", self._listings[noun](ascii_domain(domain)))  # the table pairs noun and method

    def password_of(self, address: str) -> Password:
        """The mailbox's password as a hash; unknown where this key may not see it."""
        if not self._may_read_hashes():
            return UNKNOWN_PASSWORD
        local, domain = split(address)
        told = self._api.ask_if_allowed("v-get-mail-account-value", *self._place(domain), local, "MD5")
        if told is None:
            self._reads_hashes = False
            return UNKNOWN_PASSWORD
        # Vesta and early Hestia wrote {MD5} in front of what is MD5-CRYPT ([src] v-add-mail-account).
        return with_scheme(told.removeprefix("{MD5}") if told.startswith("{MD5}$") else told)

    def close(self) -> None:
        """End the session; never raises."""
        self._api.close()

    # -- what is there

    def _domain_rows(self) -> dict[str, Mapping[str, object]]:
        """The domains' rows by A-label. The panel spells international domains in Unicode ([run])."""
        try:
            rows = self._api.ask_for_rows("v-list-mail-domains", self._user, "json")
        except NotFound as error:
            raise EndpointRefused(
                f"{self._api.name}: there is no user {self._user}.",
                remedy="Correct the user of this endpoint in the plan.",
            ) from error
        self._spelling = {ascii_domain(name): name for name in rows}
        return {ascii_domain(name): row for name, row in rows.items()}

    def _place(self, domain: str) -> tuple[str, str]:
        """User and domain as the panel wants to be given them. Raises NotFound for an international domain that is not there."""
        if "xn--" not in domain:
            return self._user, domain
        if domain not in self._spelling:
            self._domain_rows()
        if domain not in self._spelling:
            raise NotFound(f"{shown_domain(domain)}: this domain is not on {self._api.name}.")
        return self._user, self._spelling[domain]

    def _accounts(self, domain: str) -> Sequence[_Account]:
        rows = self._api.ask_for_rows("v-list-mail-accounts", *self._place(domain), "json")
        return [_as_account(local, domain, row) for local, row in rows.items()]

    def _domain(self, domain: str) -> Sequence[Domain]:
        rows = self._domain_rows()
        if domain not in rows:
            raise NotFound(f"{shown_domain(domain)}: this domain is not on {self._api.name}.")
        return [_as_domain(domain, rows[domain])]

    def _mailboxes(self, domain: str) -> Sequence[Mailbox]:
        return [account.mailbox for account in self._accounts(domain) if not account.only_forwards]

    def _forwarders(self, domain: str) -> Sequence[Forwarder]:
        return [forwarder for account in self._accounts(domain) for forwarder in account.forwarders]

    def _catch_all(self, domain: str) -> Sequence[CatchAll]:
        rows = self._domain_rows()
        if domain not in rows:
            raise NotFound(f"{shown_domain(domain)}: this domain is not on {self._api.name}.")
        value = _text(rows[domain].get("CATCHALL"))
        return [CatchAll(domain, _destination(value))] if value not in {"", "no", ":fail:"} else []

    def _autoresponders(self, domain: str) -> Sequence[Autoresponder]:
        user, spelled = self._place(domain)
        answering = [account for account in self._accounts(domain) if account.answers]
        return [Autoresponder(one.address, body=self._message(user, spelled, one)) for one in answering]

    def _message(self, user: str, domain: str, account: _Account) -> str:
        if account.suspended:
            return ""  # the panel refuses to tell it, exit code 5
        # Not as JSON: it is glued together by the shell, and a tab in the text breaks it ([run]).
        told = self._api.ask("v-list-mail-account-autoreply", user, domain, account.local, "plain")
        # Depending on the version, line breaks come as they are or as backslash and n.
        return (told if "\n" in told else told.replace("\\n", "\n")).replace("\r\n", "\n").strip("\n")

    def _may_read_hashes(self) -> bool:
        """Whether the key is an administrator's. Asked about a user who does not exist: a user's key is refused by a comparison that,
        unlike a command the key may not run, is not counted as a failed login ([src] web/api/index.php).
        """
        if self._reads_hashes is None:
            try:
                self._reads_hashes = self._api.ask_if_allowed("v-list-mail-domains", NOBODY, "json") is not None
            except NotFound:
                self._reads_hashes = True
        return self._reads_hashes


class HestiaWriter(HestiaReader):
    """One user of a HestiaCP server, being filled."""

    def __init__(self, options: Options) -> None:
        super().__init__(options, writes=True)
        self._creations: dict[type[Thing], Callable[[Any, Password | None], None]] = {  # Any: each takes its own noun
            Domain: self._create_domain,
            Mailbox: self._create_mailbox,
            Forwarder: self._create_forwarder,
            CatchAll: self._create_catch_all,
            Autoresponder: self._create_autoresponder,
        }
        self._alterations: dict[type[Thing], Callable[[Any, Any], None]] = {  # Any: as above
            Mailbox: self._change_mailbox,
            Forwarder: self._change_forwarder,
            CatchAll: self._change_catch_all,
            Autoresponder: self._change_autoresponder,
        }

    def create(self, thing: Thing, password: Password | None = None) -> None:
        """Make something that is not there; Refused if it is there already, or if Hestia does not take it."""
        self._creations[type(thing)](thing, password)

    def change(self, thing: Thing, there: Thing) -> None:
        """Make what is `there` like `thing`."""
        self._alterations[type(thing)](thing, there)

    def set_password(self, address: str, password: Password) -> None:
        """From now on this is the mailbox's password, in plain."""
        local, domain = split(address)
        self._api.do(
            "v-change-mail-account-password", *self._place(domain), local, _sendable(address, password), about=address
        )

    # -- creating

    def _create_domain(self, domain: Domain, _password: Password | None) -> None:
        if domain.name in self._domain_rows():
            raise Refused(f"{shown_domain(domain.name)}: this domain is there already; it stays as it is.")
        # In Unicode, as a person types it: that is how the panel lists it.
        self._api.do("v-add-mail-domain", self._user, shown_domain(domain.name), about=shown_domain(domain.name))

    def _create_mailbox(self, mailbox: Mailbox, password: Password | None) -> None:
        local, domain = _fit(mailbox.address)
        place = self._place(domain)
        self._api.do(
            "v-add-mail-account",
            *place,
            local,
            _sendable(mailbox.address, password),
            _megabytes(mailbox.quota),
            about=mailbox.address,
        )
        if Hold.LOGIN in mailbox.holds:
            self._api.do("v-suspend-mail-account", *place, local, about=mailbox.address)

    def _create_forwarder(self, forwarder: Forwarder, _password: Password | None) -> None:
        local, domain = _fit(forwarder.address)
        _expressible(forwarder)
        accounts = {account.local.lower(): account for account in self._accounts(domain)}
        own = accounts.get(local)
        owner = next((one for one in accounts.values() if local in one.aliases), None)
        if owner is not None:
            raise Refused(f"{forwarder.address}: this is an alias of {owner.address} already; it stays as it is.")
        if own is not None:
            _room_for(forwarder, own)
        elif forwarder.keeps_copy:
            raise Refused(
                f"{forwarder.address}: there is no mailbox to keep a copy in.",
                remedy="Create the mailbox first, or forward without a copy.",
            )
        elif (target := _alias_target(forwarder, accounts)) is not None:
            with self._lifted(domain, target):
                self._api.do(
                    "v-add-mail-account-alias", *self._place(domain), target.local, local, about=forwarder.address
                )
            return
        else:
            unknown = SecretStr(f"m{secrets.token_urlsafe(24)}")
            self._api.do(
                "v-add-mail-account",
                *self._place(domain),
                local,
                unknown,
                str(PLACEHOLDER_MB),
                about=forwarder.address,
            )
            own = _Account(local, domain)
        self._add_forwards(forwarder, own)

    def _add_forwards(self, forwarder: Forwarder, account: _Account) -> None:
        """Give an account the destinations it lacks; FWD_ONLY comes last, so that without it a creation is known to be unfinished."""
        place = self._place(account.domain)
        with self._lifted(account.domain, account):
            # Shortest first: the panel takes smith@... for a repetition of john.smith@..., but not the other way round
            # ([src] grep -w in v-add-mail-account-forward).
            missing = set(forwarder.destinations) - set(account.destinations)
            for value in sorted((_forward_word(one) for one in missing), key=lambda word: (len(word), word)):
                self._api.do("v-add-mail-account-forward", *place, account.local, value, about=forwarder.address)
            if not forwarder.keeps_copy and not account.forward_only:
                self._api.do("v-add-mail-account-fwd-only", *place, account.local, about=forwarder.address)

    def _create_catch_all(self, catch_all: CatchAll, _password: Password | None) -> None:
        value = _catch_all_word(catch_all)
        if self._catch_all(catch_all.domain):
            raise Refused(f"{shown_domain(catch_all.domain)}: there is a catch-all already; it stays as it is.")
        self._api.do("v-add-mail-domain-catchall", *self._place(catch_all.domain), value, about=catch_all.domain)

    def _create_autoresponder(self, answer: Autoresponder, _password: Password | None) -> None:
        account = self._account_of(answer.address)
        if account.answers:  # asked, since the panel overwrites it without a word
            raise Refused(f"{answer.address}: there is an autoresponder already; it stays as it is.")
        self._set_message(answer, account)

    def _set_message(self, answer: Autoresponder, account: _Account) -> None:
        if not answer.body.strip(TRIMMED):
            raise Refused(f"{answer.address}: Hestia takes no autoresponder without a text.")
        if account.suspended:
            raise Refused(
                f"{answer.address}: Hestia neither takes nor shows the autoresponder of a suspended mailbox.",
                remedy="Set it up by hand when the mailbox is in use again.",
            )
        text = answer.body.replace("\\", "\\\\")  # the panel writes it with `echo -e`
        if len(text) >= LONGEST_ANSWER:
            raise Refused(
                f"{answer.address}: the autoresponder's text is {len(text):,} characters long, Hestia takes fewer than"
                f" {LONGEST_ANSWER:,}.",
                remedy="Shorten it on the old server, or write a shorter one by hand.",
            )
        place = self._place(account.domain)
        self._api.do("v-add-mail-account-autoreply", *place, account.local, text, about=answer.address)

    def _account_of(self, address: str) -> _Account:
        local, domain = split(address)
        for account in self._accounts(domain):
            if account.local.lower() == local.lower():
                return account
        raise Refused(
            f"{address}: there is no mailbox with this address.", remedy="Create the mailbox first; Hestia needs one."
        )

    # -- changing

    def _change_mailbox(self, mailbox: Mailbox, there: Mailbox) -> None:
        account = self._account_of(mailbox.address)
        place = self._place(account.domain)
        if mailbox.quota != there.quota:
            with self._lifted(account.domain, account):
                self._api.do(
                    "v-change-mail-account-quota",
                    *place,
                    account.local,
                    _megabytes(mailbox.quota),
                    about=mailbox.address,
                )
        if (Hold.LOGIN in mailbox.holds) != account.suspended:
            verb = "v-unsuspend-mail-account" if account.suspended else "v-suspend-mail-account"
            self._api.do(verb, *place, account.local, about=mailbox.address)

    def _change_forwarder(self, forwarder: Forwarder, there: Forwarder) -> None:
        local, domain = _fit(forwarder.address)
        _expressible(forwarder)
        place = self._place(domain)
        owner = next((one for one in self._accounts(domain) if local in one.aliases), None)
        if owner is not None:
            with self._lifted(domain, owner):
                self._api.do("v-delete-mail-account-alias", *place, owner.local, local, about=there.address)
            self._create_forwarder(forwarder, None)
            return
        account = self._account_of(forwarder.address)
        _stays_visible(forwarder, account)
        self._add_forwards(forwarder, account)
        with self._lifted(domain, account):
            for one in set(account.destinations) - set(forwarder.destinations):
                self._api.do(
                    "v-delete-mail-account-forward", *place, account.local, _forward_word(one), about=there.address
                )
            if forwarder.keeps_copy and account.forward_only:
                self._api.do("v-delete-mail-account-fwd-only", *place, account.local, about=there.address)

    def _change_catch_all(self, catch_all: CatchAll, there: CatchAll) -> None:
        self._api.do(
            "v-change-mail-domain-catchall",
            *self._place(there.domain),
            _catch_all_word(catch_all),
            about=catch_all.domain,
        )

    def _change_autoresponder(self, answer: Autoresponder, there: Autoresponder) -> None:
        self._set_message(answer, self._account_of(there.address))

    @contextmanager
    def _lifted(self, domain: str, account: _Account) -> Iterator[None]:
        """Inside, the account is not suspended; afterwards it is again, whatever happened."""
        if not account.suspended:
            yield
            return
        place = self._place(domain)
        self._api.do("v-unsuspend-mail-account", *place, account.local, about=account.address)
        try:
            yield
        finally:
            self._api.do("v-suspend-mail-account", *place, account.local, about=account.address)


# -- an account's row -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Account:
    """A row of v-list-mail-accounts; the default values are those of an account that was made to forward."""

    local: str
    domain: str
    aliases: frozenset[str] = frozenset()  # local parts in lower case
    destinations: tuple[Destination, ...] = ()
    forward_only: bool = False
    answers: bool = False
    quota: int | None = PLACEHOLDER_MB * MB
    used: int | None = None
    suspended: bool = False

    @property
    def address(self) -> str:
        return f"{self.local}@{self.domain}"

    @property
    def is_placeholder(self) -> bool:
        """Made to forward, whether that came to its end or not."""
        return not self.used and self.quota == PLACEHOLDER_MB * MB

    @property
    def only_forwards(self) -> bool:
        """No mailbox to anybody: it keeps nothing, holds nothing, and no room was set aside for it."""
        return (
            self.forward_only
            and bool(self.destinations)
            and not self.used
            and (self.quota is None or self.is_placeholder)
        )

    @property
    def mailbox(self) -> Mailbox:
        holds = frozenset({Hold.LOGIN}) if self.suspended else frozenset[Hold]()
        return Mailbox(self.address, quota=self.quota, used=self.used, holds=holds)

    @property
    def forwarders(self) -> Iterator[Forwarder]:
        if self.destinations:
            yield Forwarder(self.address, self.destinations, keeps_copy=not self.forward_only)
        for alias in sorted(self.aliases):
            yield Forwarder(f"{alias}@{self.domain}", (Destination(self.address),))


def _as_account(local: str, domain: str, row: Mapping[str, object]) -> _Account:
    used = _number(row.get("U_DISK"), f"the disk use of {local}@{domain}")
    return _Account(
        local=local,
        domain=domain,
        aliases=frozenset(one.lower() for one in _list(row.get("ALIAS"))),
        destinations=tuple(sorted(_destination(one) for one in _list(row.get("FWD")))),
        forward_only=_yes(row.get("FWD_ONLY")),
        answers=_yes(row.get("AUTOREPLY")),
        quota=_quota(row.get("QUOTA"), f"{local}@{domain}"),
        used=None if used is None else bytes_of_mb(used),
        suspended=_yes(row.get("SUSPENDED")),
    )


def _as_domain(name: str, row: Mapping[str, object]) -> Domain:
    return Domain(name, dkim_selector="mail" if _yes(row.get("DKIM")) else "", suspended=_yes(row.get("SUSPENDED")))


def _room_for(forwarder: Forwarder, account: _Account) -> None:
    """Raises Refused where an account's forwards are somebody's already. An unfinished creation of ours is gone on with: nothing that
    is there is lost by it.
    """
    wanted, there = set(forwarder.destinations), set(account.destinations)
    ours = account.is_placeholder and not account.forward_only and not forwarder.keeps_copy
    if ours and there <= wanted:
        return
    if there and not (forwarder.keeps_copy and not account.forward_only and there < wanted):
        raise Refused(f"{forwarder.address}: there is a forwarder already; it stays as it is.")
    _stays_visible(forwarder, account)


def _stays_visible(forwarder: Forwarder, account: _Account) -> None:
    """Raises Refused where a mailbox would be read as a forwarder alone from now on."""
    if not forwarder.keeps_copy and not account.forward_only and account.quota is None and not account.used:
        raise Refused(
            f"{forwarder.address}: this mailbox is empty and has no limit; if it kept no copies, Hestia could not tell it from a"
            " forwarder without a mailbox.",
            remedy="Give the mailbox a quota and run again, or turn on its forwarding by hand once its mail is there.",
        )


def _alias_target(forwarder: Forwarder, accounts: Mapping[str, _Account]) -> _Account | None:
    """The account this forwarder can be an alias of."""
    if len(forwarder.destinations) != 1 or forwarder.destinations[0].way is not Way.ADDRESS:
        return None
    local, domain = split(forwarder.destinations[0].value)
    return accounts.get(local.lower()) if domain == split(forwarder.address)[1] else None


# -- words of the panel -----------------------------------------------------------------------------------------------


def _text(value: object) -> str:
    return "" if value is None else str(value).strip()


def _yes(value: object) -> bool:
    return _text(value).lower() in {"yes", "true", "1"}


def _list(value: object) -> Iterable[str]:
    return (one.strip() for one in _text(value).split(",") if one.strip())


def _number(value: object, what: str) -> float | None:
    text = _text(value)
    if text in {"", "null"}:
        return None
    try:
        return float(text)
    except ValueError as error:
        raise Misbehaved(f"{what} is told as {text[:40]!r}, which is no number.") from error


def _quota(value: object, address: str) -> int | None:
    """`unlimited`, 0 and nothing are the same."""
    if _text(value).lower() == "unlimited":
        return None
    megabytes = _number(value, f"the quota of {address}")
    return bytes_of_mb(megabytes) if megabytes else None


def _megabytes(quota: int | None) -> str:
    """Whole megabytes, rounded up; never 0, which is the panel's word for no limit."""
    return "unlimited" if quota is None else str(max(1, -(-quota // MB)))


def _destination(value: str) -> Destination:
    if value.startswith(":blackhole:"):
        return Destination(way=Way.DISCARD)
    if value.startswith(":fail:"):
        return Destination(value.removeprefix(":fail:").strip(), Way.REJECT)
    if value.startswith("|"):
        return Destination(value, Way.PIPE)
    return Destination(same_form(value)) if "@" in value else Destination(value, Way.SYSTEM)


def _forward_word(destination: Destination) -> str:
    return ":blackhole:" if destination.way is Way.DISCARD else destination.value


def _catch_all_word(catch_all: CatchAll) -> str:
    if catch_all.destination.way is not Way.ADDRESS:
        raise Refused(
            f"{shown_domain(catch_all.domain)}: Hestia's catch-all is an address; it cannot be {catch_all.destination}.",
            remedy="Without a catch-all, mail for unknown addresses is refused.",
        )
    return catch_all.destination.value


def _expressible(forwarder: Forwarder) -> None:
    for one in forwarder.destinations:
        if one.way not in FEATURES.destinations:
            raise Refused(
                f"{forwarder.address}: Hestia forwards to addresses or discards; it cannot do {one}.",
                remedy="Leave it out, or name an address to forward to.",
            )


def _fit(address: str) -> tuple[str, str]:
    """Local part, in lower case as the panel folds it, and domain. Raises Refused for a local part the panel does not take."""
    local, domain = split(address)
    if not re.fullmatch(FEATURES.local_part, local, re.ASCII):
        raise Refused(
            f"{address}: Hestia takes only letters, digits, dot, hyphen and underscore before the @, at most 64 of them.",
            remedy="Choose another address for it, and tell its owner.",
        )
    return local.lower(), domain


def _sendable(address: str, password: Password | None) -> SecretStr:
    """The password in plain, if the panel would store exactly that. Raises Refused otherwise."""
    if password is None or password.plain is None:
        raise Refused(f"{address}: Hestia takes passwords in plain only.", remedy="Give it a new password.")
    text = password.plain.get_secret_value()
    if not text:
        raise Refused(f"{address}: the password is empty.")
    if any(ord(letter) < ord(" ") or ord(letter) == 127 for letter in text):  # noqa: PLR2004 - DEL
        raise Refused(f"{address}: the password holds a control character.", remedy="Give it another password.")
    if text != text.strip(TRIMMED):
        raise Refused(
            f"{address}: Hestia would cut the blank at the password's beginning or end off.",
            remedy="Give it another password.",
        )
    if text.startswith(TEMP_FOLDER):
        raise Refused(
            f"{address}: Hestia would take a password that begins with {TEMP_FOLDER} for the name of a file to read.",
            remedy="Give it another password.",
        )
    return password.plain


# -- wire -------------------------------------------------------------------------------------------------------------

OK, NOT_EXISTING, EXISTS, SUSPENDED, LIMIT, BAD_KEY, FORBIDDEN, DISABLED, DISK = 0, 3, 4, 5, 8, 9, 10, 11, 13
LOAD, CONNECT, RESTART, API_DISABLED = 14, 15, 20, 21
WAIT_AND_SEE = {LOAD, CONNECT, RESTART}
NOT_FOUND_HERE = {404, 405}
SERVER_ERROR = 500
REDIRECT = 300


class _Api:
    """The one address of the API. What came of a command is its exit code; `ask` reads, `do` changes."""

    def __init__(self, options: Options, *, writes: bool) -> None:
        self._site = Site(options, writes=writes)
        self._user = options.user
        self._refused: EndpointRefused | None = None
        secret = options.key.get_secret_value() if isinstance(options.key, SecretStr) else options.key
        self._access, colon, self._secret = secret.strip().partition(":")
        if not (colon and self._access and self._secret):
            self._site.close()
            raise EndpointRefused(
                f"{self.name}: the secret for the access key cannot be used.",
                remedy="Write it as ACCESS_KEY:SECRET_KEY, the two parts Hestia showed when the key was made.",
            )

    @property
    def name(self) -> str:
        return self._site.name

    def close(self) -> None:
        self._site.close()

    def ask(self, command: str, *arguments: str) -> str:
        """What a command tells. Raises NotFound, EndpointRefused, Unavailable, Misbehaved."""
        reply, code = self._call(self._site.read, command, arguments)
        if code == OK:
            return reply.text
        raise self._meaning(code, _said(reply, ()), command, "")

    def ask_if_allowed(self, command: str, *arguments: str) -> str | None:
        """The same; None where the key may not."""
        reply, code = self._call(self._site.read, command, arguments)
        if code == FORBIDDEN:
            return None
        if code == OK:
            return reply.text.strip()
        raise self._meaning(code, _said(reply, ()), command, "")

    def ask_for_rows(self, command: str, *arguments: str) -> dict[str, Mapping[str, object]]:
        """A listing: rows by name. No answer at all is an empty listing."""
        text = self.ask(command, *arguments).strip()
        try:
            # Not strict: control characters stand in strings as they are, since the shell writes this JSON.
            told = json.loads(text or "{}", strict=False)
        except ValueError as error:
            raise Misbehaved(f"{self.name} {command}: the answer is not the JSON that was expected.") from error
        rows = {} if told == [] else told  # PHP's empty object
        if not isinstance(rows, dict) or not all(isinstance(row, dict) for row in rows.values()):
            raise Misbehaved(f"{self.name} {command}: the answer is not the list that was expected.")
        return rows

    def do(self, command: str, *arguments: str | SecretStr, about: str) -> None:
        """Run a command that changes something; raises Refused with the panel's words when it was not done."""
        hidden = [one.get_secret_value() for one in arguments if isinstance(one, SecretStr)]
        plain = [one.get_secret_value() if isinstance(one, SecretStr) else one for one in arguments]
        reply, code = self._call(self._site.write, command, plain)
        if code != OK:
            raise self._meaning(code, _said(reply, hidden), command, about)

    def _call(self, send: Callable[..., Reply], command: str, arguments: Sequence[str]) -> tuple[Reply, int]:
        if self._refused is not None:
            raise self._refused
        form = {"access_key": self._access, "secret_key": self._secret, "cmd": command}
        form |= {f"arg{number}": value for number, value in enumerate(arguments, 1)}
        reply = send("POST", API, form=form)
        code = reply.headers.get("hestia-exit-code", "").strip()
        if code.isdecimal() and reply.status not in NOT_FOUND_HERE:
            return reply, int(code)
        if reply.status >= SERVER_ERROR:
            raise Unavailable(f"{self.name} {command}: the panel failed (status {reply.status}).")
        is_page = "html" in reply.headers.get("content-type", "") and reply.content.lstrip().startswith(b"<")
        if is_page or REDIRECT <= reply.status < 400 or reply.status in NOT_FOUND_HERE:  # noqa: PLR2004
            self._refused = EndpointRefused(
                f"{self.name}: there is no Hestia API at this address, or it asks for a login (status {reply.status}).",
                remedy="Check the url in the plan; Hestia's own port is 8083.",
            )
            raise self._refused
        what = f"{self.name} {command}: the answer carries no Hestia-Exit-Code (status {reply.status})"
        if send == self._site.write:
            raise Dropped(f"{what}; whether it had its effect is looked up.")
        raise Misbehaved(f"{what}.")

    def _meaning(self, code: int, said: str, command: str, about: str) -> MigratorError:
        """An exit code as an error of ours. `about` is empty where nothing was to change."""
        if code in {BAD_KEY, FORBIDDEN, DISABLED, API_DISABLED}:
            self._refused = self._why_refused(code, said, command)
            return self._refused
        what = f"{about}: the panel does not take it" if about else f"{self.name} {command}"
        if code == NOT_EXISTING:
            return NotFound(f"{about or self.name}: {said}.")
        if code in {LIMIT, DISK}:
            return NoSpace(f"{what}: {said}.", remedy="Raise the limit of this user's package, then run again.")
        if code in WAIT_AND_SEE:
            return Unavailable(f"{what} for now: {said}.")
        if not about:  # a question that cannot be answered is no refusal of ours
            return Misbehaved(f"{what}: {said}.")
        return Refused(
            f"{about}: it is there already; it stays as it is ({said})." if code == EXISTS else f"{what}: {said}.",
            remedy="Unsuspend it for the move." if code == SUSPENDED else "",
        )

    def _why_refused(self, code: int, said: str, command: str) -> EndpointRefused:
        if code == BAD_KEY:
            return EndpointRefused(
                f"{self.name} does not accept the access key: {said}.",
                remedy="Check the secret, and that the key's user is active. Nothing more is tried: the panel locks out after a few.",
            )
        if code == FORBIDDEN:
            return EndpointRefused(
                f"{self.name} does not let this key run {command}: {said}.",
                remedy=f"Check that the key belongs to {self._user} or an administrator, that its permissions hold {command}, and"
                " that the panel's API allows this machine's address. Nothing more is tried: the panel counts it as a failed login.",
            )
        return EndpointRefused(
            f"{self.name}: {said}.",
            remedy="Turn on the API for this kind of user, and the mail system, in Hestia's settings.",
        )


def _said(reply: Reply, hidden: Sequence[str]) -> str:
    """The panel's own words, without passwords: it repeats what it does not like."""
    text = " ".join(reply.text.split()).removeprefix("Error:").strip()
    for secret in hidden:
        text = text.replace(secret, "***").replace(" ".join(secret.split()), "***")
    return text[:LONGEST_QUOTE].rstrip(".") or "it gave no reason"


# -- the adapter ------------------------------------------------------------------------------------------------------


def open_reader(options: Options, _login: Login) -> PanelReader:
    """A session that cannot write. Connects with its first request."""
    return HestiaReader(options)


def open_writer(options: Options, _login: Login) -> PanelWriter:
    """A session that can write. Connects with its first request."""
    return HestiaWriter(options)


ADAPTER: Adapter[PanelReader, PanelWriter] = Adapter(
    word="hestia",
    title="HestiaCP",
    options=Options,
    reader=open_reader,
    writer=open_writer,
    connections=lambda options: (options.connections, options.connections),
)
