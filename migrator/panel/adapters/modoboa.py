"""Modoboa 2.4 and later through its REST API v2 with a token. Seen working with 2.12.0, which scripts/servers starts.

The API describes itself at `/api/schema-v2/` of each server. Mailboxes are made by the import of a CSV row, the one way to hand over a
hash; a plain password is hashed here, so that Modoboa's rules for new passwords do not turn away an old one.

What surprises, each seen:
- an import that failed answers 200 with `"status": false`; one whose rows mean nothing answers `"0 objects imported"`;
- a quota of 0 in the row means the domain's default, so what is to be unlimited is set once more;
- an alias takes only recipients that are there, where their domain is Modoboa's own; an address with capitals answers 500;
- a domain's name in letters and as A-label are two domains;
- switching a mailbox off switches off the catch-all that leads to it alone;
- it allows five changes a second and then answers 429.

What it cannot do: answers (ManageSieve's, for the mailbox' own user), filters, a forwarder without a copy beside a mailbox, a mailbox
that only may not log in (its hash is put out of action instead).
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

from pydantic import Field, SecretStr

from migrator.addresses import ascii_domain, same_form, shown_domain, split
from migrator.engine.contract import Adapter, Login, Service
from migrator.errors import EndpointRefused, EndpointUnfit, Misbehaved, NotFound, Refused, Unavailable
from migrator.panel import hashes
from migrator.panel.contract import Features, PanelReader, PanelWriter
from migrator.panel.model import (
    UNKNOWN_PASSWORD,
    Autoresponder,
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
    bytes_of_mb,
    changed,
    lost,
)
from migrator.wire.http import Reply, Site, WebOptions

AnyThing = TypeVar("AnyThing", bound=Thing)
Row = Mapping[str, Any]  # Any: JSON as it comes
Rows = Sequence[Row]

# -- what a plan says -------------------------------------------------------------------------------------------------


class Options(WebOptions, Service):
    """A Modoboa server; `url` is where its pages are, such as https://mail.example.com."""

    token: SecretStr | str = Field(
        description="Name of the secret with an API token (Modoboa: Settings, API); as a target, of a super administrator",
        json_schema_extra={"secret": True},
    )


# -- what it can do ----------------------------------------------------------------------------------------------------

_ONLY_ADDRESSES = "an alias leads to addresses only"
FEATURES = Features(
    title="Modoboa",
    lists=frozenset({Domain, Mailbox, Forwarder, DomainForwarder, CatchAll, Autoresponder}),
    creates=frozenset({Domain, Mailbox, Forwarder, DomainForwarder, CatchAll}),
    changes=frozenset({Mailbox, Forwarder, DomainForwarder, CatchAll}),
    tells={
        "domain.dkim key": lost("the selector is told, the key lies on the server"),
        "autoresponder.interval": lost("one interval holds for the whole server"),
    },
    keeps={
        "domain.routing": lost("every domain is made as a local one"),
        "domain.dkim key": lost("Modoboa makes keys of its own"),
        "mailbox.suspended login": changed("its password is put out of action; Modoboa's pages show nothing of it"),
        "mailbox.suspended sending": lost("who may log in may send"),
        "forwarder.reject": lost(_ONLY_ADDRESSES),
        "forwarder.discard": lost(_ONLY_ADDRESSES),
        "forwarder.pipe": lost(_ONLY_ADDRESSES),
        "forwarder.system user": lost(_ONLY_ADDRESSES),
        "catch-all.discard": lost(_ONLY_ADDRESSES),
        "catch-all.pipe": lost(_ONLY_ADDRESSES),
    },
    schemes=hashes.CARRIED,
    reads_hashes=True,
    quota_unit=bytes_of_mb(1),
    # Modoboa takes what follows a + for a tag, and Dovecot lets nobody with other signs log in.
    local_part=r"(?!\.)[A-Za-z0-9._-]{1,64}",
)
API = "api/v2/"
PAGE = 500
LONGEST_NAME = 150
LONGEST_WORDS = 200
CONFLICT, NOT_FOUND, BAD_REQUEST = 409, 404, 400
UNAUTHORIZED, FORBIDDEN = 401, 403
REDIRECTS, SERVER_ERRORS = range(300, 400), range(500, 600)
_IMPORTED = re.compile(r"1\b")

# -- sessions ---------------------------------------------------------------------------------------------------------


class ModoboaReader:
    """A Modoboa server, being asked."""

    features = FEATURES

    def __init__(self, options: Options, _login: Login, *, writes: bool = False) -> None:
        token = options.token.get_secret_value() if isinstance(options.token, SecretStr) else options.token
        self._site = Site(options, writes=writes, headers={"Authorization": f"Token {token}"})
        self._hashes: dict[str, str] | None = None

    def probe(self) -> Probe:
        """The version, whose token it is, and what is switched off and therefore left out."""
        role = str(self._get("account/me/").get("role", ""))
        parts = self._get_list("admin/components/")
        version = next((str(part.get("version", "")) for part in parts if part.get("name") == "modoboa"), "")
        off = sum(1 for row in self._pages("aliases/", ordering="address") if not _is_on(row))
        notes = [f"the token is of one of the {role}"] if role != "SuperAdmins" else []
        return Probe("Modoboa", version, [*notes, *([f"{off:,} aliases are off and left out"] if off else [])])

    def domains(self) -> Sequence[Domain]:
        """The domains this token may see, and the names that stand for one of them."""
        found = {one.name: one for one in map(_domain, self._domain_rows())}
        aliases = (Domain(ascii_domain(row["name"]), suspended=not row["enabled"]) for row in self._domain_aliases())
        return list({**{one.name: one for one in aliases}, **found}.values())

    def list(self, noun: type[AnyThing], domain: str) -> Sequence[AnyThing]:
        """Everything of one kind in a domain. Raises NotFound if this token sees no such domain."""
        rows = [row for row in self._domain_rows() if ascii_domain(row["name"]) == ascii_domain(domain)]
        if not rows and ascii_domain(domain) not in {one.name for one in self.domains()}:
            raise NotFound(f"{shown_domain(domain)}: Modoboa shows this token no such domain.")
        return cast("Sequence[AnyThing]", self._listed(cast("type[Thing]", noun), domain, rows))

    def password_of(self, address: str) -> Password:
        """The password's hash, from the export of all accounts, which is asked for once."""
        stored = self._stored().get(same_form(address).lower())
        return UNKNOWN_PASSWORD if stored is None else hashes.as_kept(stored)

    def close(self) -> None:
        """End the session; never raises."""
        self._site.close()

    # -- asking

    def _listed(self, noun: type[Thing], domain: str, rows: Sequence[Row]) -> Sequence[Thing]:
        if noun is Domain:
            return [_domain(row) for row in rows]
        if noun is DomainForwarder:
            return self._domain_forwarders(domain)
        if noun is Mailbox:
            return [_mailbox(row) for row in self._accounts(rows)]
        if noun is Autoresponder:
            return self._autoresponders(rows)
        aliases = [row for row in self._aliases(rows) if _is_on(row) and row["recipients"]]
        if noun is CatchAll:
            return [_catch_all(row) for row in aliases if row["address"].startswith("@")]
        found = (_forwarder(row) for row in aliases if not row["address"].startswith("@"))
        return [forwarder for forwarder in found if forwarder is not None]

    def _domain_forwarders(self, domain: str) -> Sequence[DomainForwarder]:
        names = {row["pk"]: ascii_domain(row["name"]) for row in self._domain_rows()}
        found = []
        for row in self._domain_aliases():
            if ascii_domain(row["name"]) == ascii_domain(domain) and row["enabled"]:
                if row["target"] not in names:
                    raise Misbehaved(f"{domain}: it stands for a domain that this token does not see.")
                found.append(DomainForwarder(ascii_domain(row["name"]), names[row["target"]]))
        return found

    def _autoresponders(self, domains: Sequence[Row]) -> Sequence[Autoresponder]:
        people = {row["mailbox"]["pk"]: _mailbox(row) for row in self._accounts(domains)}
        rows = self._get_list("armessages/")
        return [_answer(row, people[row["mbox"]]) for row in rows if row["enabled"] and row["mbox"] in people]

    def _domain_rows(self) -> Rows:
        return list(self._pages("domains/", ordering="name"))

    def _domain_aliases(self) -> Rows:
        return self._get_list("domainaliases/")

    def _accounts(self, domains: Sequence[Row]) -> Rows:
        """The accounts with a mailbox in these domains, administrators with one among them."""
        rows = (
            row for domain in domains for row in self._pages("accounts/", domain=str(domain["pk"]), ordering="username")
        )
        return [row for row in rows if row.get("mailbox")]

    def _aliases(self, domains: Sequence[Row]) -> Rows:
        return [row for domain in domains for row in self._pages("aliases/", domain=domain["name"], ordering="address")]

    def _stored(self) -> dict[str, str]:
        if self._hashes is None:
            reply = self._checked(self._site.read("GET", f"{API}identities/export/", query={"type": "account"}))
            rows = csv.reader(io.StringIO(reply.text, newline=""))
            self._hashes = {same_form(row[7]).lower(): row[2] for row in rows if len(row) > 7 and row[0] == "account"}  # noqa: PLR2004 - place of the address
        return self._hashes

    def _pages(self, path: str, **query: str) -> Iterator[Row]:
        """Every row of a listing, in an order that pages keep. Raises Unavailable when it changed in between."""
        rows: list[Row] = []
        total, number, more = 0, 1, True
        while more:
            page = self._get(path, **query, page_size=str(PAGE), page=str(number))
            total, more, number = int(page["count"]), page["next"] is not None, number + 1
            rows += page["results"]
        if len({row["pk"] for row in rows}) != total:
            raise Unavailable(f"{self._site.name}: {path} changed while it was read.")
        yield from rows

    def _get(self, path: str, **query: str) -> Row:
        reply = self._checked(self._site.read("GET", API + path, query=query))
        answer = reply.json()
        if not isinstance(answer, dict):
            raise Misbehaved(f"{reply.place}: the answer is not the object that was expected.")
        return answer

    def _get_list(self, path: str) -> Rows:
        reply = self._checked(self._site.read("GET", API + path))
        answer = reply.json()
        if not isinstance(answer, list):
            raise Misbehaved(f"{reply.place}: the answer is not the list that was expected.")
        return answer

    def _checked(self, reply: Reply, about: str = "") -> Reply:
        """The reply if it is one of success. Raises what its status means; `about` names what was to be made."""
        if reply.ok and "text/html" not in reply.headers.get("content-type", ""):
            return reply
        said = _words(reply)
        if reply.status == UNAUTHORIZED:
            raise EndpointRefused(
                f"{self._site.name}: Modoboa does not accept the token ({said}).",
                remedy="Make a token in Modoboa (Settings, API) and put it into the secret.",
            )
        if reply.status == FORBIDDEN:
            raise EndpointRefused(
                f"{self._site.name}: the token's owner may not do that ({said}).",
                remedy="Use the token of a super administrator.",
            )
        if reply.ok or reply.status in REDIRECTS or (reply.status == NOT_FOUND and not said):
            raise EndpointUnfit(
                f"{reply.place}: there is no Modoboa API behind this address (status {reply.status}).",
                remedy="Check url in the plan: it is where Modoboa's pages begin.",
            )
        if reply.status in {BAD_REQUEST, NOT_FOUND, CONFLICT}:
            raise Refused(f"{about or reply.place}: Modoboa refuses it ({said or 'it gives no reason'}).")
        if reply.status in SERVER_ERRORS:
            raise Unavailable(f"{reply.place}: Modoboa failed (status {reply.status}).")
        raise Misbehaved(f"{reply.place}: status {reply.status} is not one this API knows.")


class ModoboaWriter(ModoboaReader):
    """A Modoboa server, being filled."""

    def __init__(self, options: Options, login: Login) -> None:
        super().__init__(options, login, writes=True)
        self._homes: dict[
            str, Row
        ] = {}  # domains that things were made in: they do not go away while a session fills them

    def create(self, thing: Thing, password: Password | None = None) -> None:
        """Make it, after looking whether it is there: aliases that are off are, and so are names spelled otherwise."""
        match thing:
            case Domain():
                self._create_domain(thing)
            case Mailbox():
                self._create_mailbox(thing, password)
            case Forwarder():
                address, domain = self._at_home(thing.address)
                self._create_alias(address, domain, self._recipients(thing, address, domain))
            case CatchAll():
                domain = self._domain_row(thing.domain)
                self._create_alias(f"@{domain['name']}", domain, _addresses(thing.domain, [thing.destination]))
            case DomainForwarder():
                self._create_domain_forwarder(thing)
            case _:
                raise Refused(f"{thing.key}: a {thing.word} cannot be made through Modoboa's API.")

    def change(self, thing: Thing, there: Thing) -> None:
        """Make what is there like it; a password stays as it is, in action or out of it."""
        match thing:
            case Mailbox():
                self._change_mailbox(thing)
            case Forwarder():
                address, domain = self._at_home(thing.address)
                self._change_alias(address, domain, self._recipients(thing, address, domain))
            case CatchAll():
                domain = self._domain_row(thing.domain)
                self._change_alias(f"@{domain['name']}", domain, _addresses(thing.domain, [thing.destination]))
            case DomainForwarder():
                row = self._domain_alias(thing.domain)
                if row is None:
                    raise NotFound(f"{shown_domain(thing.domain)}: the domain alias is not there any more.")
                target = self._domain_row(thing.target)["pk"]
                self._send("PATCH", f"domainaliases/{row['pk']}/", {"target": target}, thing.key)
            case _:
                raise Refused(f"{there.key}: a {thing.word} is not changed here.")

    # -- one kind each

    def _create_domain(self, domain: Domain) -> None:
        if ascii_domain(domain.name) in {one.name for one in self.domains()}:
            raise Refused(
                f"{shown_domain(domain.name)}: Modoboa has a domain, or a domain alias, of this name already."
            )
        body = {
            "name": ascii_domain(domain.name),
            "type": "domain",
            "quota": "0",
            "default_mailbox_quota": "0",
            "enabled": not domain.suspended,
        }
        self._send("POST", "domains/", body, domain.key)

    def _create_domain_forwarder(self, forwarder: DomainForwarder) -> None:
        name = ascii_domain(forwarder.domain)
        if self._domain_alias(name) is not None:
            raise Refused(f"{shown_domain(name)}: there is a domain alias of this name already.")
        if name in {ascii_domain(row["name"]) for row in self._domain_rows()}:
            raise Refused(
                f"{shown_domain(name)}: it is a domain in Modoboa, and so cannot stand for another. "
                "If it has no mailboxes, delete it there; then run again."
            )
        target = self._domain_row(forwarder.target)["pk"]
        self._send("POST", "domainaliases/", {"name": name, "target": target, "enabled": True}, name)

    def _create_mailbox(self, mailbox: Mailbox, password: Password | None) -> None:
        if not re.fullmatch(FEATURES.local_part, split(mailbox.address)[0]):
            raise Refused(
                f"{mailbox.address}: nobody of this name could log in, or Modoboa takes a part of it for a tag."
            )
        address, domain = self._at_home(mailbox.address)
        if self._account(address, domain) is not None:
            raise Refused(f"{mailbox.address}: there is such an account already.")
        stored = hashes.to_store(mailbox.address, password)
        if mailbox.holds & {Hold.LOGIN, Hold.RECEIVE} == {Hold.LOGIN}:
            stored = hashes.locked(stored)
        first, last = _names(mailbox)
        active = not mailbox.holds >= {Hold.RECEIVE, Hold.SEND}
        quota = _megabytes(mailbox.quota)
        self._import(
            ["account", address, stored, first, last, str(active), "SimpleUsers", address, str(quota)], mailbox.address
        )
        send_only = active and Hold.RECEIVE in mailbox.holds
        if send_only or (not quota and domain["default_mailbox_quota"] not in {"0", 0}):
            row = self._account(address, domain)
            if row is None:
                raise Misbehaved(f"{mailbox.address}: Modoboa says that the account was made, and does not list it.")
            self._patch_account(row, {"mailbox": _mailbox_fields(quota, send_only=send_only)}, mailbox.address)

    def _change_mailbox(self, mailbox: Mailbox) -> None:
        address, domain = self._at_home(mailbox.address)
        row = self._account(address, domain)
        if row is None:
            raise NotFound(f"{mailbox.address}: there is no such mailbox any more.")
        active = not mailbox.holds >= {Hold.RECEIVE, Hold.SEND}
        first, last = _names(mailbox)
        send_only = active and Hold.RECEIVE in mailbox.holds
        body = {
            "first_name": first,
            "last_name": last,
            "is_active": active,
            "mailbox": _mailbox_fields(_megabytes(mailbox.quota), send_only=send_only),
        }
        self._patch_account(row, body, mailbox.address)

    def _create_alias(self, address: str, domain: Row, recipients: Sequence[str]) -> None:
        if self._alias(address, domain) is not None:
            raise Refused(f"{address}: there is an alias of this name already, in use or switched off.")
        self._send("POST", "aliases/", {"address": address, "recipients": recipients, "enabled": True}, address)

    def _change_alias(self, address: str, domain: Row, recipients: Sequence[str]) -> None:
        row = self._alias(address, domain)
        if row is None:
            raise NotFound(f"{address}: the alias is not there any more.")
        self._send("PATCH", f"aliases/{row['pk']}/", {"recipients": recipients}, address)

    def _recipients(self, forwarder: Forwarder, address: str, domain: Row) -> Sequence[str]:
        recipients = _addresses(forwarder.address, forwarder.destinations)
        has_mailbox = self._account(address, domain) is not None
        if has_mailbox and not forwarder.keeps_copy:
            raise Refused(
                f"{forwarder.address}: beside a mailbox, Modoboa's API makes only forwarders that keep a copy. "
                "Its owner can make this one in Modoboa's own pages (forward, without keeping copies)."
            )
        if forwarder.keeps_copy and not has_mailbox:
            raise Refused(f"{forwarder.address}: it keeps a copy, and there is no mailbox to keep it in.")
        return [address, *recipients] if forwarder.keeps_copy else recipients

    # -- rows

    def _domain_row(self, name: str) -> Row:
        wanted = ascii_domain(name)
        if wanted not in self._homes:
            self._homes = {ascii_domain(row["name"]): row for row in self._domain_rows()}
        if wanted not in self._homes:
            raise NotFound(f"{shown_domain(name)}: Modoboa shows this token no such domain.")
        return self._homes[wanted]

    def _domain_alias(self, name: str) -> Row | None:
        return next((row for row in self._domain_aliases() if ascii_domain(row["name"]) == ascii_domain(name)), None)

    def _at_home(self, address: str) -> tuple[str, Row]:
        """The address in lower case with its domain as Modoboa spells it, and that domain."""
        local, domain = split(address)
        row = self._domain_row(domain)
        return f"{local.lower()}@{row['name']}", row

    def _account(self, address: str, domain: Row) -> Row | None:
        rows = self._pages("accounts/", domain=str(domain["pk"]), search=address, ordering="username")
        return next((row for row in rows if row["username"].lower() == address), None)

    def _alias(self, address: str, domain: Row) -> Row | None:
        rows = self._pages("aliases/", domain=domain["name"], search=address, ordering="address")
        return next((row for row in rows if row["address"].lower() == address), None)

    def _send(self, method: str, path: str, body: object, about: str) -> None:
        self._checked(self._site.write(method, API + path, json=body), about)

    def _patch_account(self, row: Row, body: object, about: str) -> None:
        self._send("PATCH", f"accounts/{row['pk']}/", body, about)

    def _import(self, row: Sequence[str], about: str) -> None:
        text = io.StringIO(newline="")
        csv.writer(text, delimiter=";", lineterminator="\n").writerow(row)
        reply = self._checked(
            self._site.write(
                "POST",
                f"{API}identities/import/",
                form={"sepchar": ";", "continue_if_exists": "false", "crypt_passwords": "false"},
                files={"sourcefile": ("accounts.csv", text.getvalue().encode(), "text/csv")},
            ),
            about,
        )
        answer = reply.json()
        message = str(answer.get("message", "")) if isinstance(answer, dict) else ""
        if not isinstance(answer, dict) or "status" not in answer:
            raise Misbehaved(f"{reply.place}: the answer does not say whether the account was made.")
        if not answer["status"] or not _IMPORTED.match(message):
            raise Refused(f"{about}: Modoboa refuses it ({message[:LONGEST_WORDS] or 'it gives no reason'}).")


# -- what a row means -------------------------------------------------------------------------------------------------


def _domain(row: Row) -> Domain:
    return Domain(
        ascii_domain(row["name"]),
        routing=Routing.LOCAL if row["type"] == "domain" else Routing.REMOTE,
        dkim_selector=str(row.get("dkim_key_selector") or "") if row.get("enable_dkim") else "",
        suspended=not row["enabled"],
    )


def _mailbox(row: Row) -> Mailbox:
    holds: frozenset[Hold] = frozenset()
    if not row["is_active"]:
        holds = frozenset(Hold)
    elif row["mailbox"].get("is_send_only"):
        holds = frozenset({Hold.LOGIN, Hold.RECEIVE})
    address = same_form(row["mailbox"]["full_address"])
    try:
        megabytes = int(row["mailbox"]["quota"] or 0)
    except ValueError:
        raise Misbehaved(f"{address}: its quota is no number.") from None
    name = f"{row.get('first_name') or ''} {row.get('last_name') or ''}".strip()
    return Mailbox(address, quota=bytes_of_mb(megabytes) if megabytes > 0 else None, holds=holds, name=name)


def _is_on(row: Row) -> bool:
    """Whether an alias is in use: switched on, and not past its time."""
    until = _moment(row.get("expire_at"))
    return bool(row["enabled"]) and (until is None or until > datetime.now(UTC))


def _forwarder(row: Row) -> Forwarder | None:
    address = same_form(row["address"])
    others = [same_form(one) for one in row["recipients"] if same_form(one).lower() != address.lower()]
    if not others:
        return None  # an exception from the catch-all, or the mailbox alone
    keeps_copy = len(others) < len(row["recipients"])
    return Forwarder(address, tuple(sorted(Destination(one) for one in others)), keeps_copy)


def _catch_all(row: Row) -> CatchAll:
    if len(row["recipients"]) > 1:
        count = len(row["recipients"])
        raise Misbehaved(f"{row['address']}: this catch-all has {count} destinations, and other panels take one.")
    return CatchAll(ascii_domain(row["address"][1:]), Destination(same_form(row["recipients"][0])))


def _answer(row: Row, person: Mailbox) -> Autoresponder:
    return Autoresponder(
        person.address,
        body=_filled_in(row["content"], person.name).replace("\r\n", "\n").rstrip("\n"),
        subject=row["subject"],
        start=_moment(row["fromdate"]),
        stop=_moment(row["untildate"]),
    )


def _filled_in(content: str, name: str) -> str:
    """The text as Modoboa sends it: %% is a per cent sign, %(name)s the person."""
    return re.sub(r"%%|%\(name\)s", lambda found: "%" if found[0] == "%%" else name, content)


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _names(mailbox: Mailbox) -> tuple[str, str]:
    """First and last name, as Modoboa keeps them apart."""
    first, _, last = " ".join(mailbox.name.split()).partition(" ")
    if max(len(first), len(last)) > LONGEST_NAME:
        raise Refused(
            f"{mailbox.address}: the person's name is longer than Modoboa takes ({LONGEST_NAME} letters a part)."
        )
    return first, last


def _megabytes(quota: int | None) -> int:
    """A quota in Modoboa's unit, rounded up; 0 for none."""
    return 0 if quota is None else max(1, -(-quota // bytes_of_mb(1)))


def _mailbox_fields(megabytes: int, *, send_only: bool) -> Mapping[str, object]:
    return {"use_domain_quota": False, "quota": megabytes, "is_send_only": send_only}


def _addresses(about: str, destinations: Sequence[Destination]) -> list[str]:
    for one in destinations:
        if one.way is not Way.ADDRESS:
            raise Refused(f"{about}: Modoboa cannot send mail to “{one}”. Make it in Postfix by hand.")
        if "@" not in one.value:
            raise Refused(f"{about}: “{one.value[:100]}” is no address.")
    return [same_form(one.value) for one in destinations]


def _words(reply: Reply) -> str:
    """What Modoboa says in an answer of failure, in one line; "" where it is a page and not an answer."""
    if "json" not in reply.headers.get("content-type", ""):
        return ""
    said = " ".join("; ".join(_texts(reply.json())).split())
    return said[:LONGEST_WORDS].rstrip(".")


def _texts(answer: object, field: str = "") -> Iterator[str]:
    """`{"name": ["is taken"]}` as `name: is taken`; the names of what are no fields are left out."""
    if isinstance(answer, dict):
        for name, value in answer.items():
            yield from _texts(value, "" if name in {"detail", "error", "non_field_errors"} else str(name))
    elif isinstance(answer, list):
        for value in answer:
            yield from _texts(value, field)
    elif answer not in {"", None}:
        yield f"{field}: {answer}" if field else str(answer)


ADAPTER: Adapter[PanelReader, PanelWriter] = Adapter(
    word="modoboa",
    title="Modoboa",
    options=Options,
    reader=ModoboaReader,
    writer=ModoboaWriter,
    connections=lambda options: (options.connections, options.connections),
)
