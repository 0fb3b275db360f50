"""Mailman 3 core, through its REST API 3.1 with the login of its [webservice] section; core 3.3.4 and later as a target.

Docs: "REST API" in Mailman core's documentation; mailman.cfg says where it listens and what the login is. Core answers on loopback alone
unless somebody has changed that: from elsewhere it is reached through a tunnel. One request brings one member, and a second one his
options: there is no call for many. So a session keeps several requests going, that core does not wait for the line.

What it cannot: passwords (members have accounts), texts (welcome, goodbye, headers and footers are files and web addresses that core
fetches by itself), a name of somebody that holds for one list alone, the archive. A member comes back with his address in lower case.
"""

from __future__ import annotations

import queue
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, ClassVar, TypeVar
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import Field, SecretStr, model_validator

from migrator.addresses import same_form, split
from migrator.engine.contract import Adapter, Login, Service
from migrator.errors import EndpointRefused, EndpointUnfit, Misbehaved, NotFound, Refused, Unavailable
from migrator.lists.contract import ListReader, ListWriter
from migrator.lists.mailman3 import headers, people, settings
from migrator.lists.model import (
    OWN,
    Features,
    MailingList,
    Member,
    Put,
    Role,
    Settings,
    Visibility,
    member_without_lost,
    settings_without_lost,
)
from migrator.lists.usual import usual_with
from migrator.panel.model import changed, lost
from migrator.wire.http import Fields, Reply, Site, WebOptions
from migrator.wire.parallel import each

API = "3.1"
OLDEST_TARGET = (3, 3, 4)  # takes delivery_status and send_welcome_message with a new member
REQUESTS_AT_ONCE = 4  # core works on two of them (its `workers`) while the others are on their way
FEW = 50  # names that are asked one by one
PAGE = 500  # members of a roster in one answer
LONGEST_QUOTE = 200  # characters of core's own words in a sentence of ours

CREATED, ACCEPTED = 201, 202
BAD_REQUEST, UNAUTHORIZED, FORBIDDEN, NOT_FOUND, CONFLICT = 400, 401, 403, 404, 409
SERVER_ERROR = 500

T = TypeVar("T")
R = TypeVar("R")
Row = Mapping[str, Any]  # Any: what JSON holds, looked at where it is used


# -- what a plan says -------------------------------------------------------------------------------------------------


class Options(WebOptions, Service):
    """How to reach Mailman 3 core's REST service."""

    user: str = Field("restadmin", min_length=1, description="admin_user of mailman.cfg's [webservice] section")
    password: SecretStr | str = Field(
        description="Name of the secret with admin_pass of that section", json_schema_extra={"secret": True}
    )

    @model_validator(mode="before")
    @classmethod
    def _with_version(cls, values: Any) -> Any:  # Any: whatever the plan says; looked at here
        """The plan may leave the API's version away, which mailman.cfg does not name either."""
        url = values.get("url") if isinstance(values, dict) else None
        if not isinstance(url, str):
            return values
        parts = urlsplit(url)
        path = parts.path.rstrip("/")
        last = path.rpartition("/")[2]
        if re.fullmatch(r"v?\d+(\.\d+)*", last) and last != API:
            raise ValueError(
                f"url ends in /{last}, and migrator speaks version {API} of Mailman's REST API: leave /{last} away"
            )
        if last != API:
            return {**values, "url": urlunsplit(parts._replace(path=f"{path}/{API}"))}
        return values


# -- what it can ------------------------------------------------------------------------------------------------------

_TEXTS = lost("core fetches such texts from files and web addresses of its host; set it there or in Postorius")

FEATURES = Features(
    title="Mailman 3",
    dialect="mailman3",
    tells={
        "member.address": changed("core tells addresses in lower case"),
        "list.welcome_text": _TEXTS,
        "list.goodbye_text": _TEXTS,
        "list.header": _TEXTS,
        "list.footer": _TEXTS,
        "list.digest_header": _TEXTS,
        "list.digest_footer": _TEXTS,
    },
    keeps={
        "member.name": changed("somebody has one name for all lists; the one he has already stays"),
        "member.stopped": changed(
            "who was stopped by bounces is stopped by an admin: core would write to him within minutes, and take him off"
        ),
        "member.language": changed("a language that core does not know becomes the list's"),
        "list.description": changed("it is one line"),
        "list.language": changed("one that core does not know stays as it is at the target"),
        "list.languages": lost("everybody may choose among all languages of the host"),
        "list.joins_unmoderated": lost("nobody passes a list's moderation by his address alone"),
        "list.held_patterns": changed("only regular expressions, which begin with ^"),
        "list.rejected_patterns": changed("only regular expressions, which begin with ^"),
        "list.discarded_patterns": changed("only regular expressions, which begin with ^"),
        "list.accepted_patterns": changed(
            "only regular expressions, which begin with ^, and other lists by whole address"
        ),
        "list.member_rejection_text": _TEXTS,
        "list.nonmember_rejection_text": _TEXTS,
        "list.aliases": changed("each is an address or begins with ^, in lower case"),
        "list.header_rules": changed("each names one header and a pattern for its value"),
        "list.header": _TEXTS,
        "list.footer": _TEXTS,
        "list.digest_by_default": lost("new members get single messages unless they say otherwise"),
        "list.digest_header": _TEXTS,
        "list.digest_footer": _TEXTS,
        "list.bounce_score": changed("it is a whole number; halves are rounded up"),
        "list.welcome_text": _TEXTS,
        "list.goodbye_text": _TEXTS,
        "list.tells_owner_of_discards": lost("nobody is told of posts that are discarded"),
    },
    # The welcome is asked for with each member (never), and who is taken off as we do it gets no goodbye.
    noisy=frozenset({"tells_owner_of_changes"}),
    knows_addresses=True,
    makes_domains=True,
    usual=usual_with({"members_visible_to": Visibility.MODERATORS}),
    foresees_refusals=True,
    shares_names=True,
)


# -- sessions ---------------------------------------------------------------------------------------------------------


class Mailman3Reader:
    """A core that is being asked."""

    features = FEATURES
    _writes: ClassVar[bool] = False

    def __init__(self, options: Options, _login: Login) -> None:
        """Opens nothing yet; the login is proven by the first question."""
        password = options.password
        secret = password.get_secret_value() if isinstance(password, SecretStr) else password
        self._lines = _Lines(
            lambda: Site(options, writes=self._writes, auth=(options.user, secret)), _lines_of_a_session(options)
        )
        self._place = options.url
        self._ids: dict[str, str] = {}
        self._hides: bool | None = None
        self._banned_everywhere: Sequence[str] | None = None  # on this host, whatever the list

    def lists(self) -> Sequence[MailingList]:
        """Every list, in the order of their names, with how many members it has now."""
        try:
            rows = self._collection("GET", "lists")
        except NotFound as error:
            raise EndpointUnfit(
                f"{self._place}: something answers there, and it is not the REST service of Mailman 3's core.",
                remedy="Correct the url in the plan: hostname and port of `mailman conf -s webservice`, not the address of Postorius.",
            ) from error
        with _understood("lists"):
            return [MailingList(same_form(row["fqdn_listname"]), int(row["member_count"])) for row in rows]

    def settings(self, address: str) -> Settings:
        """What is set for a list, its bans and rules about headers among it."""
        of = self._path(address)
        config, bans = self._get(f"{of}/config"), self._collection("GET", f"{of}/bans")
        matches = self._collection("GET", f"{of}/header-matches")
        with _understood(address):
            banned = tuple(sorted(str(row["email"]) for row in bans))
            return replace(settings.from_core(config), banned=banned, header_rules=headers.rules(matches))

    def roster(self, address: str, role: Role) -> Iterator[Sequence[Member]]:
        """Everybody of one role in the order of addresses. Raises Unavailable if somebody joined or left meanwhile: then read again."""
        of = self._path(address)
        config = self._get(f"{of}/config")
        language = str(config.get("preferred_language", ""))
        seen: set[str] = set()
        rows_read, total, number = 0, -1, 1
        while rows_read < total or number == 1:
            page = self._get(f"{of}/roster/{role.value}", {"count": str(PAGE), "page": str(number)})
            with _understood(address):
                rows, stated = list(page.get("entries", [])), int(page["total_size"])
                fresh = self._each_once(rows, seen)
            if total not in {-1, stated}:
                raise Unavailable(f"{address}: the roster changed while it was read.")
            total, rows_read, number = stated, rows_read + len(rows), number + 1
            if not rows and rows_read < total:
                raise Misbehaved(
                    f"{address}: Mailman states {total:,} of the role {role.value} and tells {rows_read:,}."
                )
            if role is Role.NONMEMBER:  # one without a treatment has only written once
                fresh = [row for row in fresh if row.get("moderation_action")]
            found = self._lines.each(lambda row: self._member(row, language), fresh)
            yield [one for one in found if one is not None]
        if rows_read != total:
            raise Misbehaved(f"{address}: Mailman states {total:,} of the role {role.value} and tells {rows_read:,}.")
        if role is Role.NONMEMBER:
            beside = settings.nonmembers_by_address(config)
            yield [
                people.as_kept(Member(one, role=role, moderation=treatment))
                for one, treatment in beside.items()
                if one not in seen
            ]

    def addresses(self, address: str) -> AbstractSet[str]:
        """The addresses of all members, by core's search instead of the roster."""
        list_id = self._path(address).rpartition("/")[2]
        asked = {"list_id": list_id, "role": Role.MEMBER.value, "fields": "email"}
        return frozenset(str(row.get("email")).lower() for row in self._collection("POST", "members/find", asked))

    def has_domain(self, domain: str) -> bool:
        """Whether core has the domain."""
        return self._found(f"domains/{_quoted(domain)}") is not None

    def why_not(self, address: str, member: Member, banned: Sequence[str]) -> str:
        """What core's validator of addresses says, and the bans of the list and of the host."""
        key = people.as_kept(member).address.lower()
        if not people.is_address(member.address):
            return "is no address Mailman takes"
        if key == same_form(address).lower() and member.role is not Role.NONMEMBER:
            return "is the list's own address"
        if self._banned_everywhere is None:
            told = self._found("bans") or {}
            with _understood("bans"):
                self._banned_everywhere = [str(row["email"]) for row in told.get("entries", [])]
        ban = people.ban_of(key, (*banned, *self._banned_everywhere))
        return f"is banned ({ban})" if ban else ""

    def names(self, keys: Sequence[str]) -> Mapping[str, str]:
        """The names of addresses: asked one by one if they are few, else found among all that core has."""
        if len(keys) <= FEW:
            found = self._lines.each(lambda key: self._found(f"addresses/{_quoted(key)}"), keys)
            rows = [row for row in found if row is not None]
        else:
            wanted = set(keys)
            rows = [row for row in self._all_addresses() if str(row.get("email")).lower() in wanted]
        return {str(row.get("email")).lower(): str(row["display_name"]) for row in rows if row.get("display_name")}

    def as_kept(self, member: Member) -> Member:
        """As `people.as_kept` says."""
        return member_without_lost(people.as_kept(member), FEATURES)

    def settings_as_kept(self, settings_: Settings) -> Settings:
        """As the table of settings says."""
        return settings_without_lost(settings.as_kept(settings_), FEATURES)

    def close(self) -> None:
        """End the session; never raises."""
        self._lines.close()

    # -- people

    def _each_once(self, rows: Sequence[Row], seen: set[str]) -> list[Row]:
        """Rows whose address has not been seen. Somebody can be there with his address and as the user it belongs to: the first counts, as
        for core itself.
        """
        fresh = []
        for row in sorted(rows, key=lambda one: (str(one["email"]), one.get("subscription_mode") == "as_user")):
            if row["email"] not in seen:
                seen.add(str(row["email"]))
                fresh.append(row)
        return fresh

    def _member(self, row: Row, list_language: str) -> Member | None:
        """The member of a roster's row; None if he has left since. What his membership leaves open is looked up where it is inherited."""
        of = f"members/{row.get('member_id')}"
        own = self._found(f"{of}/preferences")
        inherited: Row | None = {}
        if own is not None and not own.keys() >= people.INHERITED:
            inherited = self._found(f"{of}/all/preferences")
        if own is None or inherited is None:
            return None
        language = str(own.get("preferred_language") or inherited.get("preferred_language", list_language))
        if "preferred_language" not in own and language == list_language:
            language = ""
        hides = own["hide_address"] if "hide_address" in own else self._hidden_unless_told()
        with _understood(str(row.get("email"))):
            return people.member(row, {**inherited, **own, "hide_address": hides}, language)

    def _hidden_unless_told(self) -> bool:
        """What core takes for a membership that says nothing about it; it does not tell what address and user say."""
        if self._hides is None:
            self._hides = bool(self._get("system/preferences").get("hide_address"))
        return self._hides

    def _membership(self, list_id: str, member: Member) -> Row | None:
        """The row of somebody on a list; None if he is not there."""
        key = people.as_kept(member).address
        asked = {"list_id": list_id, "subscriber": key, "role": member.role.value}
        # A search takes * for anything, and it may stand in an address.
        found = [row for row in self._collection("POST", "members/find", asked) if row.get("email") == key]
        return min(found, key=lambda row: row.get("subscription_mode") == "as_user", default=None)

    # -- asking

    def _path(self, address: str) -> str:
        """Where a list is; its id is not always made of its present address. Raises NotFound."""
        key = same_form(address).lower()
        if key not in self._ids:
            found = self._found(f"lists/{_quoted(key)}")
            if found is None:
                raise NotFound(f"{address}: Mailman has no such list.")
            with _understood(address):
                self._ids[key] = str(found["list_id"])
        return f"lists/{_quoted(self._ids[key])}"

    def _all_addresses(self) -> Iterator[Row]:
        """Every address that core has heard of."""
        seen, total, number = 0, -1, 1
        while seen < total or number == 1:
            page = self._get("addresses", {"count": str(PAGE), "page": str(number)})
            with _understood("addresses"):
                rows, total = list(page.get("entries", [])), int(page["total_size"])
            yield from rows
            seen, number = seen + len(rows), number + 1
            if not rows:
                return

    def _get(self, path: str, query: Fields | None = None) -> Row:
        return _object(self._taken(self._read("GET", path, query=query)))

    def _found(self, path: str) -> Row | None:
        """What is there; None if core says that nothing is."""
        reply = self._read("GET", path)
        return None if reply.status == NOT_FOUND else _object(self._taken(reply))

    def _collection(self, method: str, path: str, asked: Fields | None = None) -> Sequence[Row]:
        """Everything of a collection in one answer. Raises Misbehaved where it does not hold what it states."""
        told = _object(self._taken(self._read(method, path, form=asked)))
        rows = told.get("entries", [])
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise Misbehaved(f"Mailman's answer under {path} is not the collection its documents promise.")
        if len(rows) != told.get("total_size"):
            raise Misbehaved(f"Mailman states {told.get('total_size')} under {path} and tells another number.")
        return rows

    def _read(self, method: str, path: str, query: Fields | None = None, form: Fields | None = None) -> Reply:
        return _answered(self._lines.read(method, path, query=query, form=form))

    def _taken(self, reply: Reply, about: str = "") -> Reply:
        """The reply if it is one of success. Raises what its status means; `about` names what was asked."""
        if reply.ok:
            return reply
        if reply.status == NOT_FOUND:
            raise NotFound(f"{about or reply.place}: Mailman does not have it.")
        if reply.status in {BAD_REQUEST, CONFLICT}:
            raise Refused(f"{about or reply.place}: Mailman refuses it ({_words(reply)}).")
        raise Misbehaved(f"{reply.place}: status {reply.status} is not one this API knows.")


class Mailman3Writer(Mailman3Reader):
    """A core that is being filled."""

    _writes = True
    _proven = False

    def create_list(self, address: str, owner: str, password: SecretStr | None) -> None:
        """Make a list, and its domain if core does not have it. It has no owner and no password then."""
        del owner, password
        self._prove()
        domain = split(address)[1]
        if domain and not self.has_domain(domain):
            self._tell("POST", "domains", {"mail_host": domain}, domain)
        self._tell("POST", "lists", {"fqdn_listname": same_form(address).lower()}, address)

    def configure(self, address: str, settings_: Settings) -> None:
        """Set what is told: in one request for all but bans and rules about headers. What core shows then is compared."""
        of = self._path(address)
        said = settings.to_core(settings_)
        beside = set(settings.PATTERNS.values()) & said.keys()
        if beside:  # addresses that stand among the patterns are people, and stay
            config = self._get(f"{of}/config")
            said |= {
                one: [*said[one], *(old for old in config.get(one, ()) if not old.startswith(("^", "@")))]
                for one in beside
            }
        if said:
            self._tell("PATCH", f"{of}/config", _form(said), address)
        elsewhere = self._ban(of, settings_.banned) if settings_.banned is not None else frozenset()
        if settings_.header_rules is not None:
            self._match(of, settings_, address)
        self._compare(address, settings_, elsewhere)

    def add(self, address: str, members: Sequence[Member]) -> Sequence[Put]:
        """Put people on a list; nobody is welcomed, and no owner is told."""
        if not members:
            return []
        self._prove()
        list_id = self._path(address).rpartition("/")[2]
        return self._lines.each(lambda one: self._add(list_id, one), members)

    def update(self, address: str, members: Sequence[Member]) -> Sequence[Put]:
        """Make people who are there like these."""
        if not members:
            return []
        list_id = self._path(address).rpartition("/")[2]
        return self._lines.each(lambda one: self._update(list_id, one), members)

    def remove(self, address: str, members: Sequence[Member]) -> Sequence[Put]:
        """Take people off a list: members in one request, which writes to nobody whatever the list says."""
        if not members:
            return []
        of = self._path(address)
        if members[0].role is not Role.MEMBER:
            return self._lines.each(lambda one: self._remove(of.rpartition("/")[2], one), members)
        emails = [("emails", people.as_kept(one).address) for one in members]
        told = self._write("DELETE", f"{of}/roster/member", emails)
        removed = _object(self._taken(told, address))
        # "false" is somebody who is not there.
        unsaid = [email for _, email in emails if email not in removed]
        if unsaid:
            raise Misbehaved(f"{address}: Mailman does not say whether {unsaid[0]} has been taken off.")
        return [Put() for _ in members]

    # -- people

    def _add(self, list_id: str, member: Member) -> Put:
        named = self._found(f"addresses/{_quoted(member.address)}") if member.name else None
        wanted = people.preferences(member)
        reply = self._write(
            "POST",
            "members",
            {
                "list_id": list_id,
                "subscriber": member.address,
                "display_name": member.name,
                "role": member.role.value,
                "delivery_mode": wanted["delivery_mode"],
                "delivery_status": wanted["delivery_status"],
                "pre_verified": "true",
                "pre_confirmed": "true",
                "pre_approved": "true",
                "send_welcome_message": "false",
            },
        )
        if reply.status != CREATED:
            return self._why_not(reply, member)
        of = f"members/{_made(reply)}"
        try:
            if member.role is not Role.MEMBER:  # core gives them the host's language as if they had chosen it
                self._tell("DELETE", f"{of}/preferences", {}, member.address)
            self._tell("PATCH", f"{of}/preferences", wanted, member.address)
            if people.treatment(member):
                self._tell("PATCH", of, {"moderation_action": people.treatment(member)}, member.address)
            if named is not None and not named.get("display_name"):
                self._name(member)
        except (Refused, NotFound) as error:
            return Put(lacking=str(error).removeprefix(f"{member.address}: "), remedy=error.remedy)
        return Put()

    def _why_not(self, reply: Reply, member: Member) -> Put:
        said = _words(reply)
        if "already subscribed" in said or f"is already an {member.role.value} of" in said:
            return Put(already=True)
        if said == "No such list":
            raise NotFound(f"{member.address}: Mailman does not have the list any more.")
        if reply.status == ACCEPTED or reply.status not in {BAD_REQUEST, CONFLICT}:
            raise Misbehaved(f"{member.address}: Mailman answers {reply.status} ({said}) instead of a membership.")
        if "subscriber" in said:
            return Put(refused=f"is no address Mailman takes ({said})", remedy="Correct it at the source.")
        if "banned" in said:
            return Put(refused=said, remedy="Take it off the bans of the list or of the host if it should be there.")
        if "pending" in said:
            return Put(refused=said, remedy="Decide the request that waits at Mailman, then run again.")
        return Put(refused=said)

    def _update(self, list_id: str, member: Member) -> Put:
        row = self._membership(list_id, member)
        if row is None:
            return Put(refused="is not on the list")
        of = f"members/{row.get('member_id')}"
        wanted = people.preferences(member)
        try:
            own = self._get(f"{of}/preferences")
            if "preferred_language" in own and "preferred_language" not in wanted:
                self._tell("DELETE", f"{of}/preferences", {}, member.address)
            self._tell("PATCH", f"{of}/preferences", wanted, member.address)
            treatment = people.treatment(member)
            if member.role in {Role.MEMBER, Role.NONMEMBER} and treatment != row.get("moderation_action", ""):
                self._tell("PATCH", of, {"moderation_action": treatment}, member.address)
            if member.name and member.name != row.get("display_name", ""):
                self._name(member)
        except (Refused, NotFound) as error:
            return Put(refused=str(error).removeprefix(f"{member.address}: "), remedy=error.remedy)
        return Put()

    def _name(self, member: Member) -> None:
        path = f"addresses/{_quoted(people.as_kept(member).address)}"
        self._tell("PATCH", path, {"display_name": member.name}, member.address)

    def _remove(self, list_id: str, member: Member) -> Put:
        row = self._membership(list_id, member)
        if row is not None:
            reply = self._write("DELETE", f"members/{row.get('member_id')}", {})
            if reply.status != NOT_FOUND:
                self._taken(reply, member.address)
        return Put()

    # -- settings with a resource of their own

    def _ban(self, of: str, banned: Sequence[str]) -> AbstractSet[str]:
        """Have exactly these bans. Those that the host has for all its lists are answered: a list cannot have them again."""
        wanted = settings.bans(banned)
        there = [str(row.get("email")) for row in self._collection("GET", f"{of}/bans")]
        if sorted(there) == sorted(wanted):
            return frozenset()
        # Patterns last: an address that one of them fits is not taken any more.
        for one in there:
            if one not in wanted or one.startswith("^"):
                self._tell("DELETE", f"{of}/bans/{_quoted(one)}", {}, one)
        elsewhere = set()
        for one in sorted(wanted, key=lambda ban: ban.startswith("^")):
            if one not in there or one.startswith("^"):
                reply = self._write("POST", f"{of}/bans", {"email": one})
                if reply.status == BAD_REQUEST and "already banned" in _words(reply):
                    elsewhere.add(one)
                else:
                    self._taken(reply, one)
        return elsewhere

    def _match(self, of: str, settings_: Settings, address: str) -> None:
        """Have exactly these rules about headers, in this order."""
        wanted = headers.matches(settings_.header_rules or ())
        there = self._collection("GET", f"{of}/header-matches")
        if tuple((row.get("header"), row.get("pattern"), row.get("action")) for row in there) == tuple(
            (one.header, one.pattern, one.action) for one in wanted
        ):
            return
        self._tell("DELETE", f"{of}/header-matches", {}, address)
        for one in wanted:
            told = {"header": one.header, "pattern": one.pattern, "action": one.action}
            self._tell("POST", f"{of}/header-matches", told, address)

    def _compare(self, address: str, settings_: Settings, elsewhere: AbstractSet[str]) -> None:
        """Raises Refused unless core shows what was told."""
        wanted = self.settings_as_kept(settings_).told()
        if not wanted:
            return
        found = self.settings_as_kept(self.settings(address)).told()
        if settings.BANNED in wanted:
            found[settings.BANNED] = tuple(sorted({*found[settings.BANNED], *elsewhere}))
        # A setting of core's own that is as it is by itself is not among what is told.
        usual = {name: value for name, value in wanted.items() if name.startswith(OWN)}
        differing = sorted(name for name, value in wanted.items() if {**usual, **found}.get(name) != value)
        if differing:
            raise Refused(f"{address}: Mailman took {differing[0]} and does not show it as it was said.")

    # -- telling

    def _prove(self) -> None:
        """Raises EndpointRefused where core is too old to be told that nobody is to be welcomed."""
        if self._proven:
            return
        version = str(self._get("system/versions").get("mailman_version", ""))
        number = re.search(r"(\d+)\.(\d+)\.(\d+)", version)
        if number is None or tuple(map(int, number.groups())) < OLDEST_TARGET:
            oldest = ".".join(map(str, OLDEST_TARGET))
            raise EndpointUnfit(
                f"{version or 'This Mailman'} cannot be filled without writing to people.",
                remedy=f"Bring it to Mailman core {oldest} or later.",
            )
        self._proven = True

    def _tell(self, method: str, path: str, form: Fields, about: str) -> None:
        self._taken(self._write(method, path, form), about)

    def _write(self, method: str, path: str, form: Fields) -> Reply:
        return _answered(self._lines.write(method, path, form=form))


# -- the wire ---------------------------------------------------------------------------------------------------------


class _Lines:
    """A few connections to one core, each with one request at a time. Safe to use from several threads."""

    def __init__(self, open_site: Callable[[], Site], count: int) -> None:
        self._sites = [open_site() for _ in range(count)]
        self._free: queue.SimpleQueue[Site] = queue.SimpleQueue()
        for site in self._sites:
            self._free.put(site)

    def read(self, method: str, path: str, *, query: Fields | None, form: Fields | None) -> Reply:
        """A request that changes nothing."""
        return self._with_one(lambda site: site.read(method, path, query=query, form=form))

    def write(self, method: str, path: str, *, form: Fields) -> Reply:
        """A request that changes something."""
        return self._with_one(lambda site: site.write(method, path, form=form))

    def each(self, do: Callable[[T], R], many: Sequence[T]) -> list[R]:
        """What `do` answers for each, in order, several at a time. After an error no further one is begun."""
        return each(do, many, len(self._sites))

    def close(self) -> None:
        """End all of them; never raises."""
        for site in self._sites:
            site.close()

    def _with_one(self, do: Callable[[Site], R]) -> R:
        site = self._free.get()
        try:
            return do(site)
        finally:
            self._free.put(site)


def _lines_of_a_session(options: Options) -> int:
    return min(REQUESTS_AT_ONCE, options.connections)


def _answered(reply: Reply) -> Reply:
    """The reply if a core that accepts us gave it, whatever it says."""
    if reply.status == UNAUTHORIZED:
        raise EndpointRefused(
            f"{reply.place}: Mailman does not accept the login.",
            remedy="Compare user and password with admin_user and admin_pass in mailman.cfg, section [webservice].",
        )
    if reply.status >= SERVER_ERROR:
        raise Unavailable(
            f"{reply.place}: Mailman failed (status {reply.status}).", remedy="Its mailman.log says why, if it lasts."
        )
    kind = reply.headers.get("content-type", "")
    if reply.status == FORBIDDEN or "text/html" in kind or not (reply.ok or reply.status >= BAD_REQUEST):
        raise EndpointRefused(
            f"{reply.place}: there is no Mailman REST service behind this address (status {reply.status}).",
            remedy="Check url in the plan: hostname and port of mailman.cfg's section [webservice], often through a tunnel.",
        )
    return reply


@contextmanager
def _understood(about: str) -> Iterator[None]:
    """Raises Misbehaved where an answer lacks what core's documents promise, or has something else there."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"{type(error).__name__}: {error}"[:LONGEST_QUOTE]
        raise Misbehaved(f"{about}: Mailman's answer is not as its documents say ({what}).") from error


def _made(reply: Reply) -> str:
    """The id of the membership that was made."""
    made = reply.headers.get("location", "").rpartition("/")[2]
    if not made:
        raise Misbehaved(f"{reply.place}: Mailman does not say which membership it has made.")
    return made


def _words(reply: Reply) -> str:
    """Core's own words about a refusal."""
    try:
        told = reply.json()
    except Misbehaved:
        told = {}
    said = str(told.get("description") or told.get("title") or "") if isinstance(told, dict) else ""
    return " ".join(said.split())[:LONGEST_QUOTE] or f"status {reply.status}, without a reason"


def _object(reply: Reply) -> Row:
    told = reply.json()
    if not isinstance(told, dict):
        raise Misbehaved(f"{reply.place}: the answer is not the object that was expected.")
    return told


def _form(said: Mapping[str, settings.Said]) -> list[tuple[str, str]]:
    """Several values of one name, one after the other; none at all is an empty one."""
    return [
        (name, value)
        for name, values in said.items()
        for value in ([values] if isinstance(values, str) else list(values) or [""])
    ]


def _quoted(text: str) -> str:
    return quote(text, safe="@")


ADAPTER: Adapter[ListReader, ListWriter] = Adapter(
    word="mailman3",
    title="Mailman 3",
    options=Options,
    reader=Mailman3Reader,
    writer=Mailman3Writer,
    connections=lambda options: (max(1, options.connections // REQUESTS_AT_ONCE),) * 2,
)
