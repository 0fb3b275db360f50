"""DirectAdmin, through its CMD_API_... commands (https://docs.directadmin.com/developer/api/), as the user himself or as `admin|user`.

Unverified: no DirectAdmin was at hand. The commands and their fields are those that the vendor's pages and several public clients
agree on; where these differ, both shapes are understood, and what is risky to guess is not done. In particular nobody here has seen

- whether a forwarder beside a mailbox of the same name leaves a copy in it (taken to be so: it is how people do it there);
- `:fail:` and `:blackhole:` as destinations of a forwarder (sent as they are; the panel's refusal is told);
- local parts with `+`, the time zone of vacation messages, international domains (both spellings are accepted);
- the status of refusals: an answer that says what was wrong is believed, whatever its status.

Answers are asked for as JSON (`json=yes`); servers that do not know it answer URL-encoded, which is understood as well. A page of HTML
with status 200 is the login page. The panel's brute-force monitor counts refused logins: after one, this session asks nothing more.

A mailbox is suspended by the command that also deletes ones (`action=delete&suspend=Suspend`), so that is done only where the panel
tells of suspensions at all. An autoresponder with a start and a stop is a vacation message here. The address to which an
autoresponder sends copies is told as a forwarder.

What it cannot do: read or take password hashes; filters; mail routing; pipes. Mailing lists and domain pointers are only told.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import parse_qsl

from pydantic import Field, SecretStr

from migrator.addresses import ascii_domain, same_form, shown_domain, split
from migrator.engine.contract import Adapter, Login, Service
from migrator.errors import Dropped, EndpointRefused, MigratorError, Misbehaved, NotFound, Refused, Unavailable
from migrator.panel.contract import AnyThing, Features, PanelReader, PanelWriter
from migrator.panel.model import (
    Autoresponder,
    CatchAll,
    Destination,
    Domain,
    DomainForwarder,
    Forwarder,
    Hold,
    ListName,
    Mailbox,
    Password,
    Probe,
    Thing,
    Way,
    bytes_of_mb,
    changed,
    lost,
)
from migrator.wire.http import MB, Reply, Site, WebOptions

POP = "CMD_API_POP"
FORWARDERS = "CMD_API_EMAIL_FORWARDERS"
CATCH_ALL = "CMD_API_EMAIL_CATCH_ALL"
AUTORESPONDER = "CMD_API_EMAIL_AUTORESPONDER"
VACATION = "CMD_API_EMAIL_VACATION"
POINTERS = "CMD_API_DOMAIN_POINTER"
LISTS = "CMD_API_EMAIL_LIST"
DOMAINS = "CMD_API_SHOW_DOMAINS"
NEW_DOMAIN = "CMD_API_DOMAIN"
MINUTE, HOUR, DAY = 1, 60, 24 * 60  # in minutes
INTERVALS = {"1h": 1, "2h": 2, "6h": 6, "12h": 12, **{f"{days}d": 24 * days for days in range(1, 8)}}  # hours
PARTS_OF_DAY = {"morning": 0, "afternoon": 12, "evening": 18}  # the hour each begins
LONGEST_QUOTE = 200  # characters of the panel's own words in a message
DELETE = 127


# -- what a plan says -------------------------------------------------------------------------------------------------


class Options(WebOptions, Service):
    """How to reach the mail of one DirectAdmin user."""

    user: str = Field(
        min_length=1, description="The user whose domains these are; `admin|user` for an administrator who acts for one"
    )
    password: SecretStr | str = Field(
        description="Name of the secret with the user's password, or better a login key",
        json_schema_extra={"secret": True},
    )


_NO_ROUTING = lost("where a domain's mail is taken to be is set by hand in DirectAdmin (MX records, local mail server)")
_NO_NAME = lost("DirectAdmin keeps no person's name with a mailbox")
_ONE_SUSPENSION = lost("DirectAdmin suspends a mailbox's login alone")
_SUBJECT = changed("DirectAdmin puts it in front of the subject that is answered")
_DAYS = changed(
    "DirectAdmin keeps the day and whether it is morning, afternoon or evening, and wants both start and stop"
)
_NO_SENDER = lost("DirectAdmin's autoresponder has no sender's name")

FEATURES = Features(
    title="DirectAdmin",
    lists=frozenset({Domain, Mailbox, Forwarder, DomainForwarder, CatchAll, Autoresponder, ListName}),
    creates=frozenset({Domain, Mailbox, Forwarder, CatchAll, Autoresponder}),
    changes=frozenset({Mailbox, Forwarder, CatchAll, Autoresponder}),
    tells={
        "domain.routing": _NO_ROUTING,
        "domain.dkim key": lost("the private key is not told"),
        "domain.suspended": lost("a suspended domain is not told as such"),
        "mailbox.suspended receiving": _ONE_SUSPENSION,
        "mailbox.suspended sending": _ONE_SUSPENSION,
        "mailbox.name": _NO_NAME,
        "autoresponder.subject": _SUBJECT,
        "autoresponder.sender's name": _NO_SENDER,
        "autoresponder.start and stop": _DAYS,
    },
    keeps={
        "domain.routing": _NO_ROUTING,
        "domain.dkim key": lost("DirectAdmin makes a key of its own"),
        "domain.suspended": lost("suspend the domain by hand when all is moved"),
        "mailbox.suspended receiving": _ONE_SUSPENSION,
        "mailbox.suspended sending": _ONE_SUSPENSION,
        "mailbox.name": _NO_NAME,
        "forwarder.pipe": lost("a program of the old machine is not there on the new one"),
        "forwarder.system user": lost("a user of the old machine is not there on the new one"),
        "catch-all.pipe": lost("a program of the old machine is not there on the new one"),
        "autoresponder.subject": _SUBJECT,
        "autoresponder.sender's name": _NO_SENDER,
        "autoresponder.interval": changed(
            "DirectAdmin has 1, 2, 6 and 12 hours and 1 to 7 days; the next longer is taken"
        ),
        "autoresponder.start and stop": _DAYS,
    },
    destinations=frozenset({Way.ADDRESS, Way.DISCARD, Way.REJECT}),
    sets_passwords=True,
    quota_unit=MB,
    local_part=r"[A-Za-z0-9._+-]{1,64}",
)


# -- sessions ---------------------------------------------------------------------------------------------------------


class DirectAdminReader:
    """One DirectAdmin user, being asked."""

    def __init__(self, options: Options, *, writes: bool = False) -> None:
        self.features = FEATURES
        self._api = _Api(options, writes=writes)
        self._spelling: dict[str, str] = {}  # domains in A-label form -> as the panel spells them
        self._listings: dict[type[Any], Callable[[str], Sequence[Thing]]] = {  # Any: a noun
            Domain: self._domain,
            Mailbox: self._mailboxes,
            Forwarder: self._forwarders,
            DomainForwarder: self._pointers,
            CatchAll: self._catch_all,
            Autoresponder: self._autoresponders,
            ListName: self._lists,
        }

    def probe(self) -> Probe:
        """Who answers, which proves the login. Raises EndpointRefused when it does not hold."""
        self.domains()
        return Probe(FEATURES.title)

    def domains(self) -> Sequence[Domain]:
        """Every domain with mail that this login may see."""
        told = self._api.ask(DOMAINS)
        if (failure := _failure(told)) is not None:
            raise self._api.end(
                f"{self._api.name} does not list the domains: {failure}.",
                f"If the login is a key, let it run {DOMAINS} and from this machine's address.",
            )
        self._spelling = {ascii_domain(name): name for name in _names(told)}
        return [Domain(name) for name in self._spelling]

    def list(self, noun: type[AnyThing], domain: str) -> Sequence[AnyThing]:
        """Everything of one kind in a domain; raises NotFound if the domain is not there."""
        return cast("Sequence[AnyThing]", self._listings[noun](ascii_domain(domain)))  # the table pairs noun and method

    def close(self) -> None:
        """End the session; never raises."""
        self._api.close()

    # -- what is there

    def _spelled(self, domain: str) -> str:
        """The domain as the panel spells it."""
        if "xn--" not in domain:
            return domain
        if domain not in self._spelling:
            self.domains()
        return self._spelling.get(domain, domain)

    def _ask(self, command: str, domain: str, **query: str) -> Told:
        """What a command tells of a domain. Raises NotFound where there is no such domain."""
        told = self._api.ask(command, domain=self._spelled(domain), **query)
        if (failure := _failure(told)) is None:
            return told
        if domain not in {one.name for one in self.domains()}:
            raise NotFound(f"{shown_domain(domain)}: this domain is not on {self._api.name}.")
        raise Misbehaved(
            f"{shown_domain(domain)}: the panel does not answer {command}: {failure}.",
            remedy=f"If the login is a key, let it run {command}.",
        )

    def _domain(self, domain: str) -> Sequence[Domain]:
        there = [one for one in self.domains() if one.name == domain]
        if not there:
            raise NotFound(f"{shown_domain(domain)}: this domain is not on {self._api.name}.")
        return there

    def _rows(self, domain: str) -> dict[str, Told]:
        """The mailboxes' fields by local part."""
        told = self._ask(POP, domain, action="full_list")
        if told.get("list") == []:
            return {}
        return {local: _fields(row, f"{local}@{domain}") for local, row in told.items()}

    def _mailboxes(self, domain: str) -> Sequence[Mailbox]:
        return [_as_mailbox(f"{local}@{domain}", row) for local, row in self._rows(domain).items()]

    def _locals(self, domain: str) -> set[str]:
        return {name.lower() for name in _names(self._ask(POP, domain, action="list"))}

    def _forwarders(self, domain: str) -> Sequence[Forwarder]:
        mailboxes = self._locals(domain)
        values: dict[str, list[str]] = {}
        for command in (FORWARDERS, AUTORESPONDER):  # an autoresponder's value is where it sends copies to
            for local, told in self._ask(command, domain).items():
                copies = _several(told, command)
                values.setdefault(local, []).extend(one for one in copies if command == FORWARDERS or "@" in one)
        made = (
            _as_forwarder(f"{local}@{domain}", one, has_mailbox=local.lower() in mailboxes)
            for local, one in values.items()
        )
        return [forwarder for forwarder in made if forwarder.destinations]

    def _pointers(self, domain: str) -> Sequence[DomainForwarder]:
        return [DomainForwarder(ascii_domain(name), domain) for name in _names(self._ask(POINTERS, domain))]

    def _lists(self, domain: str) -> Sequence[ListName]:
        return [ListName(f"{name}@{domain}") for name in _names(self._ask(LISTS, domain, action="list"))]

    def _catch_all(self, domain: str) -> Sequence[CatchAll]:
        told = self._ask(CATCH_ALL, domain)
        if "value" not in told and "catch" not in told:
            raise Misbehaved(f"{shown_domain(domain)}: the panel does not tell its catch-all.")
        value = _text(told.get("value")) or _text(told.get("catch"))
        destination = _destination(":blackhole:" if value == "blackhole" else value)
        if destination.way is Way.REJECT or value in {"", "fail", "address"}:
            return []
        return [CatchAll(domain, destination)]

    def _autoresponders(self, domain: str) -> Sequence[Autoresponder]:
        answers: dict[str, Autoresponder] = {}
        for command in (AUTORESPONDER, VACATION):
            for local in _names(self._ask(command, domain)):
                told = self._ask(f"{command}_MODIFY", domain, user=local)
                answer = _as_autoresponder(f"{local}@{domain}", told)
                if answer.key in answers:
                    raise Misbehaved(
                        f"{answer.address}: it has both an autoresponder and a vacation message.",
                        remedy="Remove one of them on this server, then run again.",
                    )
                answers[answer.key] = answer
        return list(answers.values())


class DirectAdminWriter(DirectAdminReader):
    """One DirectAdmin user, being filled. What is there is always asked for before something is created."""

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
        """Make something that is not there; Refused if it is there already, or if DirectAdmin does not take it."""
        self._creations[type(thing)](thing, password)

    def change(self, thing: Thing, there: Thing) -> None:
        """Make what is `there` like `thing`."""
        self._alterations[type(thing)](thing, there)

    def set_password(self, address: str, password: Password) -> None:
        """From now on this is the mailbox's password, in plain."""
        local, domain = split(address)
        secret = _sendable(address, password)
        # The quota is sent along: public clients disagree on whether a change without it means "unlimited".
        quota = _megabytes(_as_mailbox(address, self._row(address)).quota)
        self._do(POP, domain, address, "modify", user=local, newuser=local, passwd=secret, passwd2=secret, quota=quota)

    def _do(self, command: str, domain: str, about: str, action: str, **form: str | SecretStr) -> None:
        fields = {"action": action} if action else {}
        self._api.do(command, about, {**fields, "domain": self._spelled(domain), **form})

    def _row(self, address: str) -> Told:
        local, domain = split(address)
        for name, row in self._rows(domain).items():
            if name.lower() == local.lower():
                return row
        raise NotFound(f"{address}: there is no mailbox with this address.")

    # -- creating

    def _create_domain(self, domain: Domain, _password: Password | None) -> None:
        if domain.name in {one.name for one in self.domains()}:
            raise Refused(f"{shown_domain(domain.name)}: this domain is there already; it stays as it is.")
        self._do(NEW_DOMAIN, domain.name, domain.name, "create", ubandwidth="unlimited", uquota="unlimited", ssl="ON")

    def _create_mailbox(self, mailbox: Mailbox, password: Password | None) -> None:
        local, domain = _fit(mailbox.address)
        secret = _sendable(mailbox.address, password)
        if local.lower() in self._locals(domain):
            raise Refused(f"{mailbox.address}: this mailbox is there already; it stays as it is.")
        quota = _megabytes(mailbox.quota)
        self._do(POP, domain, mailbox.address, "create", user=local, passwd=secret, passwd2=secret, quota=quota)
        if Hold.LOGIN in mailbox.holds:
            self._suspend(mailbox.address, "suspend")

    def _suspend(self, address: str, word: str) -> None:
        if "suspended" not in self._row(address):
            raise Refused(
                f"{address}: this DirectAdmin tells no suspensions; the command could delete the mailbox.",
                remedy="Suspend it by hand.",
            )
        local, domain = split(address)
        form = {word: word.capitalize(), "user": local, "select0": local}
        self._do(POP, domain, address, "delete", **form)

    def _create_forwarder(self, forwarder: Forwarder, _password: Password | None) -> None:
        local, domain = _fit(forwarder.address)
        value = _forward_words(forwarder)
        if forwarder.key in {one.key for one in self._forwarders(domain)}:
            raise Refused(f"{forwarder.address}: there is a forwarder already; it stays as it is.")
        self._check_copy(forwarder)
        self._do(FORWARDERS, domain, forwarder.address, "create", user=local, email=value)

    def _check_copy(self, forwarder: Forwarder) -> None:
        local, domain = split(forwarder.address)
        has_mailbox = local.lower() in self._locals(domain)
        if forwarder.keeps_copy and not has_mailbox:
            raise Refused(
                f"{forwarder.address}: there is no mailbox to keep a copy in.",
                remedy="Create the mailbox first, or forward without a copy.",
            )
        if has_mailbox and not forwarder.keeps_copy:
            raise Refused(
                f"{forwarder.address}: DirectAdmin keeps a copy in the mailbox of the same address.",
                remedy="Forward with a copy, or create no mailbox for this address.",
            )

    def _create_catch_all(self, catch_all: CatchAll, _password: Password | None) -> None:
        if self._catch_all(catch_all.domain):
            raise Refused(f"{shown_domain(catch_all.domain)}: there is a catch-all already; it stays as it is.")
        self._set_catch_all(catch_all)

    def _set_catch_all(self, catch_all: CatchAll) -> None:
        form = {
            Way.ADDRESS: {"catch": "address", "value": catch_all.destination.value},
            Way.DISCARD: {"catch": ":blackhole:"},
            Way.REJECT: {"catch": ":fail:"},
        }.get(catch_all.destination.way)
        if form is None:
            raise Refused(
                f"{shown_domain(catch_all.domain)}: DirectAdmin's catch-all cannot be {catch_all.destination}.",
                remedy="Name an address, or leave it out.",
            )
        self._do(CATCH_ALL, catch_all.domain, shown_domain(catch_all.domain), "", update="Update", **form)

    def _create_autoresponder(self, answer: Autoresponder, _password: Password | None) -> None:
        _, domain = _fit(answer.address)
        there = {
            f"{name}@{domain}".lower() for one in (AUTORESPONDER, VACATION) for name in _names(self._ask(one, domain))
        }
        if answer.key in there:
            raise Refused(f"{answer.address}: there is an autoresponder already; it stays as it is.")
        self._set_autoresponder(answer, "create")

    def _set_autoresponder(self, answer: Autoresponder, action: str) -> None:
        local, domain = split(answer.address)
        form = {
            "user": local,
            "subject": answer.subject,
            "text": answer.body,
            "reply_encoding": "UTF-8",
            "reply_content_type": "text/html" if answer.is_html else "text/plain",
            "reply_once_time": _interval_word(answer.interval_hours),
            action: action.capitalize(),
        }
        if answer.start is None and answer.stop is None:
            self._do(AUTORESPONDER, domain, answer.address, action, **form, cc="OFF", email="")
            return
        if answer.start is None or answer.stop is None:
            raise Refused(
                f"{answer.address}: DirectAdmin's vacation message needs both a start and a stop.",
                remedy="Give it both or neither on the old server, or create it by hand.",
            )
        days = {**_day_words("start", answer.start), **_day_words("end", answer.stop)}
        self._do(VACATION, domain, answer.address, action, **form, **days)

    # -- changing

    def _change_mailbox(self, mailbox: Mailbox, there: Mailbox) -> None:
        local, domain = split(mailbox.address)
        if mailbox.quota != there.quota:
            quota = _megabytes(mailbox.quota)
            self._do(POP, domain, mailbox.address, "modify", user=local, newuser=local, quota=quota)
        if (Hold.LOGIN in mailbox.holds) != (Hold.LOGIN in there.holds):
            self._suspend(mailbox.address, "suspend" if Hold.LOGIN in mailbox.holds else "unsuspend")

    def _change_forwarder(self, forwarder: Forwarder, there: Forwarder) -> None:
        local, domain = split(there.address)
        value = _forward_words(forwarder)
        self._check_copy(forwarder)
        self._do(FORWARDERS, domain, forwarder.address, "modify", user=local, email=value)

    def _change_catch_all(self, catch_all: CatchAll, _there: CatchAll) -> None:
        self._set_catch_all(catch_all)

    def _change_autoresponder(self, answer: Autoresponder, there: Autoresponder) -> None:
        if (answer.start is None) == (there.start is None):
            self._set_autoresponder(answer, "modify")
            return
        local, domain = split(there.address)
        command = AUTORESPONDER if there.start is None else VACATION
        self._do(command, domain, there.address, "delete", select0=local)
        self._set_autoresponder(answer, "create")


# -- nouns of the panel's fields --------------------------------------------------------------------------------------

Told = Mapping[str, object]


def _as_mailbox(address: str, row: Told) -> Mailbox:
    quota = _number(row.get("quota"), f"the quota of {address}")
    used = _number(row.get("usage"), f"the disk use of {address}")
    return Mailbox(
        address,
        quota=bytes_of_mb(quota) if quota else None,
        used=None if used is None else bytes_of_mb(used),
        holds=frozenset({Hold.LOGIN}) if _yes(row.get("suspended")) else frozenset(),
    )


def _as_forwarder(address: str, values: Iterable[str], *, has_mailbox: bool) -> Forwarder:
    destinations = {_destination(value) for value in values}
    itself = {one for one in destinations if one.value.lower() == same_form(address).lower()}
    return Forwarder(address, tuple(sorted(destinations - itself)), keeps_copy=has_mailbox or bool(itself))


def _as_autoresponder(address: str, told: Told) -> Autoresponder:
    headers = told.get("headers")
    fields = {**told, **headers} if isinstance(headers, dict) else told
    if "text" not in fields:
        raise Misbehaved(f"{address}: the panel does not tell its autoresponder's text.")
    subjects = (_text(fields.get(name)) for name in ("reply_subject", "subject_prefix", "subject"))
    once = fields.get("reply_once_select", fields.get("reply_once_time"))
    kind = fields.get("reply_content_types", fields.get("reply_content_type"))
    return Autoresponder(
        address,
        body=str(fields["text"] or "").replace("\r\n", "\n").strip("\n"),
        subject=next((one for one in subjects if one), ""),
        is_html=_selected(kind) == "text/html",
        interval_hours=_hours(_selected(once)),
        start=_day(address, "start", fields),
        stop=_day(address, "end", fields),
    )


def _day(address: str, which: str, fields: Told) -> datetime | None:
    """A day and its part. The server's zone is not told; UTC stands in for it."""
    if f"{which}year" not in fields:
        return None
    year, month, day = (_number(fields.get(f"{which}{part}"), address) for part in ("year", "month", "day"))
    hour = PARTS_OF_DAY.get(_selected(fields.get(f"{which}time")), 0)
    try:
        return datetime(int(year or 0), int(month or 0), int(day or 0), hour, tzinfo=UTC)
    except ValueError as error:
        raise Misbehaved(f"{address}: its vacation message has a {which} that is no date.") from error


def _day_words(which: str, moment: datetime) -> dict[str, str]:
    part = [name for name, hour in PARTS_OF_DAY.items() if hour <= moment.hour][-1]
    return {
        f"{which}time": part,
        f"{which}day": str(moment.day),
        f"{which}month": str(moment.month),
        f"{which}year": str(moment.year),
    }


def _interval_word(hours: int | None) -> str:
    return next((word for word, long in INTERVALS.items() if long >= (hours or 1)), "7d")


def _hours(word: str) -> int | None:
    """`30m`, `2h` or `2d` in hours, parts of one counted as one."""
    found = re.fullmatch(r"(\d+)([mhd])", word)
    if found is None:
        return None
    minutes = int(found[1]) * {"m": MINUTE, "h": HOUR, "d": DAY}[found[2]]
    return -(-minutes // HOUR)


def _selected(value: object) -> str:
    """The chosen one of a select box: told as itself, as a list of choices, or as HTML."""
    if isinstance(value, list):
        chosen = (one for one in value if isinstance(one, dict) and _yes(one.get("selected")))
        return next((_text(one.get("value")) for one in chosen), "")
    text = _text(value)
    if "<" not in text:
        return text
    for option in re.findall(r"<option[^>]*>", text):
        if "selected" in option and (found := re.search(r"value=\"?([^\" >]+)", option)):
            return found[1]
    return ""


def _text(value: object) -> str:
    return "" if value is None else str(value).strip()


def _yes(value: object) -> bool:
    return _text(value).lower() in {"yes", "true", "1", "on", "selected"}


def _number(value: object, what: str) -> float | None:
    """A number, bare or quoted; nothing where the panel says nothing. `unlimited` is 0."""
    text = _text(value).lower()
    if text in {"", "null"}:
        return None
    if text == "unlimited":
        return 0
    try:
        return float(text)
    except ValueError as error:
        raise Misbehaved(f"{what} is told as {text[:40]!r}, which is no number.") from error


def _megabytes(quota: int | None) -> str:
    """Whole megabytes, rounded up; 0 is the panel's word for no limit, so never for a limit."""
    return "0" if quota is None else str(max(1, -(-quota // MB)))


def _destination(value: str) -> Destination:
    text = value.strip().strip('"').strip()
    if text.startswith(":blackhole:"):
        return Destination(way=Way.DISCARD)
    if text.startswith(":fail:"):
        return Destination(text.removeprefix(":fail:").strip(), Way.REJECT)
    if text.startswith("|"):
        return Destination(text, Way.PIPE)
    return Destination(same_form(text)) if "@" in text else Destination(text, Way.SYSTEM)


def _forward_words(forwarder: Forwarder) -> str:
    words = []
    for one in forwarder.destinations:
        if one.way not in FEATURES.destinations:
            raise Refused(
                f"{forwarder.address}: what the old machine does here ({one}) does not exist on the new one.",
                remedy="Leave it out, or name an address to forward to.",
            )
        if "," in one.value:
            raise Refused(
                f"{forwarder.address}: DirectAdmin would take the comma in {str(one)!r} for the end of it.",
                remedy="Write it without a comma.",
            )
        words.append({Way.DISCARD: ":blackhole:", Way.REJECT: f":fail: {one.value}".strip()}.get(one.way, one.value))
    return ",".join(words)


def _fit(address: str) -> tuple[str, str]:
    local, domain = split(address)
    if not re.fullmatch(FEATURES.local_part, local, re.ASCII):
        raise Refused(
            f"{address}: DirectAdmin takes only letters, digits and . _ + - before the @, at most 64 of them.",
            remedy="Choose another address for it, and tell its owner.",
        )
    return local, domain


def _sendable(address: str, password: Password | None) -> SecretStr:
    """The password in plain, if it is sure to be stored as it is. Raises Refused otherwise."""
    if password is None or password.plain is None:
        raise Refused(f"{address}: DirectAdmin takes passwords in plain only.", remedy="Give it a new password.")
    text = password.plain.get_secret_value()
    if not text:
        raise Refused(f"{address}: the password is empty.")
    if any(ord(letter) < ord(" ") or ord(letter) == DELETE for letter in text):
        raise Refused(f"{address}: the password holds a control character.", remedy="Give it another password.")
    if text != text.strip():
        raise Refused(
            f"{address}: the password has a blank at its beginning or end, which may be cut off.",
            remedy="Give it another password.",
        )
    return password.plain


# -- wire -------------------------------------------------------------------------------------------------------------

VERDICT = {"error", "text", "details"}
LOGIN_REFUSED = {401, 403}
NO_SUCH_PLACE = 404
REDIRECTS = range(300, 400)
SERVER_ERROR = 500


class _Api:
    """The commands of one login. `ask` reads, `do` changes."""

    def __init__(self, options: Options, *, writes: bool) -> None:
        secret = options.password
        password = secret.get_secret_value() if isinstance(secret, SecretStr) else secret
        self._site = Site(options, writes=writes, auth=(options.user, password))
        self._refused: EndpointRefused | None = None
        self._speaks_json = False

    @property
    def name(self) -> str:
        return self._site.name

    def close(self) -> None:
        self._site.close()

    def end(self, what: str, remedy: str) -> EndpointRefused:
        """The endpoint's refusal, kept so that nothing more is asked."""
        self._refused = EndpointRefused(what, remedy=remedy)
        return self._refused

    def ask(self, command: str, **query: str) -> Told:
        """What a command tells, which may be a failure. An empty answer is an empty list, but for a server that speaks JSON."""
        self._still_welcome()
        reply = self._site.read("GET", command, query={**query, "json": "yes"})
        told = self._understood(reply)
        if told is None and self._speaks_json:
            raise Misbehaved(f"{reply.place}: the answer is empty.")
        says_only_that_it_worked = told is not None and _text(told.get("error")) == "0" and told.keys() <= VERDICT
        return {"list": []} if told is None or says_only_that_it_worked else told

    def do(self, command: str, about: str, form: Mapping[str, str | SecretStr]) -> None:
        """Run a command that changes something; raises Refused with the panel's words when it was not done."""
        self._still_welcome()
        hidden = [value.get_secret_value() for value in form.values() if isinstance(value, SecretStr)]
        plain = {name: one.get_secret_value() if isinstance(one, SecretStr) else one for name, one in form.items()}
        reply = self._site.write("POST", command, query={"json": "yes"}, form=plain)
        try:
            told = self._understood(reply)
        except Misbehaved as error:
            raise Dropped(f"{error} Whether it had its effect is looked up.") from error
        if told is None or not told.keys() & {"error", "success"}:
            raise Dropped(f"{reply.place}: the answer does not say whether it was done; that is looked up.")
        if (failure := _failure(told)) is not None:
            for secret in hidden:
                failure = failure.replace(secret, "***")
            raise Refused(f"{about}: the panel does not take it: {failure}.")

    def _still_welcome(self) -> None:
        if self._refused is not None:
            raise self._refused

    def _understood(self, reply: Reply) -> Told | None:
        """The answer in either spelling, None for an empty one."""
        text = reply.text.strip()
        is_page = text.startswith("<")
        if reply.status in LOGIN_REFUSED or reply.status in REDIRECTS or (is_page and reply.ok):
            raise self.end(
                f"{self.name} does not accept the login (status {reply.status}{', a login page' if is_page else ''}).",
                "Check user and password. A login key must be valid, allow this machine's address and the command"
                f" {reply.place.rpartition('/')[2]}. Nothing more is tried: the panel counts refused logins.",
            )
        if reply.status == NO_SUCH_PLACE:
            raise self.end(
                f"{reply.place}: there is no DirectAdmin at this address.",
                "Check the url in the plan; DirectAdmin's own port is 2222.",
            )
        if is_page or (reply.status >= SERVER_ERROR and not text):
            raise Unavailable(f"{reply.place}: the panel failed (status {reply.status}).")
        told = _parsed(text, reply) if text else None
        self._speaks_json |= text[:1] in {"{", "["}
        # An error status with an answer that tells why is a refusal; with any other, the panel failed.
        if not reply.ok and (told is None or _failure(told) is None):
            raise self._failed(reply)
        return told

    @staticmethod
    def _failed(reply: Reply) -> MigratorError:
        what = f"{reply.place}: the panel failed (status {reply.status})."
        return Unavailable(what) if reply.status >= SERVER_ERROR else Misbehaved(what)


def _parsed(text: str, reply: Reply) -> Told:
    if text[0] in "{[":
        try:
            told = json.loads(text, strict=False)
        except ValueError as error:
            raise Misbehaved(f"{reply.place}: the answer is not the JSON that was expected.") from error
        return {"list": told} if isinstance(told, list) else dict(told)
    if "=" not in text:
        raise Misbehaved(f"{reply.place}: the answer is neither JSON nor URL-encoded.")
    return _decoded(text)


def _decoded(text: str) -> dict[str, object]:
    """URL-encoded fields; `list[]=a&list[]=b` and `list0=a&list1=b` are lists."""
    told: dict[str, object] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        if name.endswith("[]") or re.fullmatch(r"list\d+", name):
            values = told.setdefault(name.removesuffix("[]") if name.endswith("[]") else "list", [])
            assert isinstance(values, list)
            values.append(value)
        else:
            told[name] = value
    return told


def _failure(told: Told) -> str | None:
    """The panel's words if the answer is a failure. A forwarder called `error` is none: failures say `1`, or come with more words."""
    error = told.get("error")
    if isinstance(error, list | dict) or _text(error).lower() in {"", "0", "no", "false"}:
        return None
    words = [_text(told.get(name)) for name in ("text", "details", "result") if _text(told.get(name))]
    if _text(error) != "1" and not told.keys() & {"text", "details", "result"}:
        return None
    said = " ".join([*([] if _text(error) == "1" else [_text(error)]), *words])
    return " ".join(re.sub(r"<[^>]*>", " ", said).split())[:LONGEST_QUOTE].rstrip(".") or "it gave no reason"


def _names(told: Told) -> Iterator[str]:
    """The names of a list, or of a table by name."""
    names = told.get("list")
    yield from (_text(name) for name in names) if isinstance(names, list) else told


def _several(value: object, command: str) -> Iterator[str]:
    """Values told as a list, or as one text with commas between them."""
    if isinstance(value, list):
        yield from (_text(one) for one in value if _text(one))
    elif isinstance(value, str) and value.strip().startswith((":fail:", '"', "|")):
        yield value.strip()  # a text or a command line of its own, whose commas are its own
    elif isinstance(value, str) or value is None:
        yield from (one.strip() for one in _text(value).split(",") if one.strip())
    else:
        raise Misbehaved(f"{command}: destinations are told in a way nobody knows.")


def _fields(row: object, address: str) -> Told:
    """A row's fields, told as a table or URL-encoded within the answer."""
    if isinstance(row, dict):
        return row
    if isinstance(row, str) and "=" in row:
        return _decoded(row)
    raise Misbehaved(f"{address}: the panel tells this mailbox in a way nobody knows.")


# -- the adapter ------------------------------------------------------------------------------------------------------


def open_reader(options: Options, _login: Login) -> PanelReader:
    """A session that cannot write. Connects with its first request."""
    return DirectAdminReader(options)


def open_writer(options: Options, _login: Login) -> PanelWriter:
    """A session that can write. Connects with its first request."""
    return DirectAdminWriter(options)


ADAPTER: Adapter[PanelReader, PanelWriter] = Adapter(
    word="directadmin",
    title="DirectAdmin",
    options=Options,
    reader=open_reader,
    writer=open_writer,
    connections=lambda options: (options.connections, options.connections),
)
