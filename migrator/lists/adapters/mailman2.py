"""Mailman 2.1 over its web administration (Mailman/Cgi/admin.py), with each list's password, the site's, or one that the endpoint's
panel makes for one time. Seen on 2.1.39; cPanel and Plesk ship it.

Nothing goes by words, which are the list's language's, and by no status, which is 200: what was asked for is looked up afterwards. People
join by the mass subscription with both its mails switched off, leave by the mass removal likewise. Delivery that a member stopped is
stopped again on his own options page, where it counts as his.

What it cannot do: say who reads only summaries, keep why bounces stopped a delivery, treat moderated members differently within a list,
make a list without the site's password or a panel, show lists that are not advertised (name them in the plan).
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from migrator.addresses import same_form, split
from migrator.engine.contract import Adapter, Contents, Login, Mistake, Service
from migrator.errors import EndpointRefused, EndpointUnfit, LoginRefused, Misbehaved, NotFound, PlanError, Refused
from migrator.lists.contract import ListReader, ListWriter
from migrator.lists.mailman2 import settings as pages_of
from migrator.lists.mailman2.pages import Form, Page, Row, reasons_among
from migrator.lists.mailman2.settings import GENERAL, NONMEMBERS, SENDER, is_pattern, lines, moderation
from migrator.lists.mailman2.spelling import as_shown, name_as_shown, sent, ways
from migrator.lists.mailman2.webadmin import ROSTER, UNAUTHORIZED, ListAdmin, is_list, lists_of, page_of
from migrator.lists.model import (
    Delivery,
    Features,
    MailingList,
    Member,
    Put,
    Role,
    Settings,
    Stopped,
    Treatment,
)
from migrator.panel.contract import PANEL, MakesLists, OpensLists, PanelReader
from migrator.panel.model import ListName, PasswordPolicy, changed
from migrator.wire.http import Site, WebOptions

OTHERS_MAY_NOT = 0o077


# -- what a plan says -------------------------------------------------------------------------------------------------


class Options(WebOptions, Service):
    """How to reach a Mailman 2.1."""

    url: str = Field(
        min_length=1,
        description="The folder above /admin, as it stands in the browser, such as https://lists.example.net/mailman",
    )
    lists: tuple[str, ...] = Field(
        (),
        description="Addresses of lists, such as announce@example.com. Without it, those of passwords, of the endpoint's panel, or those "
        "that Mailman advertises",
    )
    password: SecretStr | str | None = Field(
        None,
        description="Name of the secret with the admin password of the list, or of all lists where they have the same",
        json_schema_extra={"secret": True},
    )
    passwords: Path | None = Field(
        None,
        description="A CSV with the columns list,password, for lists with a password each; nobody else may read it (0600)",
        json_schema_extra={"path": True, "must_exist": True},
    )
    site_password: SecretStr | str | None = Field(
        None,
        description="Name of the secret with the site's admin password, which opens every list and makes new ones. Without any password the "
        "endpoint's panel is asked for one-time passwords (cPanel)",
        json_schema_extra={"secret": True},
    )

    @field_validator("url")
    @classmethod
    def _above_the_scripts(cls, value: str) -> str:
        if found := re.search(r"/(admin|admindb|listinfo|options|create)(/|$)", urlsplit(value).path):
            raise ValueError(f"url: give the folder above /{found[1]}, without that and what follows")
        return value

    @field_validator("lists")
    @classmethod
    def _whole_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if short := next((one for one in value if not all(split(one))), ""):
            raise ValueError(f"lists: {short} is no whole address. Write it like announce@example.com")
        return value

    @property
    def asks_panel(self) -> bool:
        """Whether the endpoint's panel has to open the lists."""
        return self.password is None and self.passwords is None and self.site_password is None


# -- what it can ------------------------------------------------------------------------------------------------------

FEATURES = Features(
    title="Mailman 2.1",
    dialect="mailman2",
    keeps={
        "member.name": changed("on one line, and a character reference that was typed (&eacute;) is the character"),
        "member.delivery": changed("there are no summaries; such members get MIME digests"),
        "member.stopped": changed(
            "only “by the member” and “by an admin” can be set; anything else becomes “by an admin”"
        ),
        "member.moderation": changed("one treatment for all moderated members of a list (member_moderation_action)"),
        "list.display_name": changed("it may differ from the list's name in capitals only"),
        "list.leaving": changed("leaving is always confirmed"),
        "list.member_treatment": changed("members are not let pass before the list's other rules"),
        "list.nonmember_treatment": changed("others are not let pass before the list's other rules"),
        "list.reply_to": changed("the poster's own address stays beside the list's"),
        "list.replies_to_posts": changed("what is answered goes on to the list"),
        "list.replies_to_owner_mail": changed("what is answered goes on to the owners"),
        "list.dmarc_always": changed("only rewriting and wrapping is done whatever the poster's domain says"),
    },
    at_once=100,
    creates=False,
    inherits_moderation=False,
    knows_addresses=True,
    usual=pages_of.USUAL,
    foresees_refusals=True,
)
_NO_OPTIONS = frozenset({Role.OWNER, Role.MODERATOR})
_STOPPED = {"U": Stopped.BY_USER, "A": Stopped.BY_ADMIN, "B": Stopped.BY_BOUNCES, "?": Stopped.UNKNOWN}
_GONE = Put(refused="He is not on the list any more.")
_NO_ADDRESS = Put(refused="Mailman 2.1 takes no such address.", remedy="Correct it at the source.")
_NOT_IN_CHARSET = "the charset of the list's language does not hold the name as it is"
_LEGIBLE = (
    "It can be read; to have it as it was, give the list a language whose pages are UTF-8, and write it there by hand."
)
_ADDRESS = re.compile(r"[^\s|^-][^\s|^]*@([-a-z0-9]+\.)+[-a-z0-9]+", re.IGNORECASE | re.ASCII)
# What Python 2's parser of addresses would read as something else; everything else Mailman judges itself.
_UNSAFE = frozenset(' \t\r\n()<>@,;:\\"[]')


# -- sessions ---------------------------------------------------------------------------------------------------------


class Mailman2Reader:
    """The lists of a Mailman 2.1, being read."""

    _writes: ClassVar[bool] = False

    def __init__(self, options: Options, login: Login) -> None:
        """Opens nothing yet; each password is proven when its list is first asked for."""
        del login  # one session for all lists; their passwords are in the options
        self._options = options
        self._site = Site(options, writes=self._writes)
        self._admins: dict[str, ListAdmin] = {}  # by their names in URLs
        self._known: dict[str, ListAdmin] = {}  # by address, those that were proven to be it
        self._passwords = _passwords(options.passwords)
        self._made: dict[str, SecretStr] = {}
        self._handed_out: dict[str, SecretStr] = {}
        self._panel: PanelReader | None = None

    @property
    def features(self) -> Features:
        """What this Mailman can: lists are made with the site's password, or by a panel."""
        if self._options.site_password is not None:
            return replace(FEATURES, creates=True, list_password=PasswordPolicy())
        if not self._options.asks_panel:
            return FEATURES
        asked = replace(FEATURES, asks_panel=True)
        if self._panel is None or not self._panel.features.makes_lists:
            return asked
        return replace(asked, creates=True, list_password=self._panel.features.policy)

    def ask(self, panel: PanelReader) -> None:
        """Which lists there are, a password for each time a list is opened, and to make one is asked of this session from now on."""
        self._panel = panel

    def know(self, address: str, password: SecretStr) -> None:
        """The password of a list that was made here, where the plan has none."""
        self._handed_out[same_form(address).lower()] = password

    def lists(self) -> Sequence[MailingList]:
        """The lists that the plan names as far as they are there; without names, those of the panel, else those that Mailman advertises."""
        if named := self._named():
            return [MailingList(address) for address in named if self._name(address)]
        if self._panel is not None and ListName in self._panel.features.lists:
            panel = self._panel
            return [
                MailingList(same_form(one.address))
                for domain in panel.domains()
                for one in panel.list(ListName, domain.name)
            ]
        reply = self._site.read("GET", "admin")
        if not reply.ok:
            raise EndpointUnfit(
                f"{reply.place}: Mailman's overview of lists is not there (status {reply.status}).",
                remedy="Correct the url in the plan: the folder above /admin.",
            )
        return list({one.key: one for one in map(self._listed, lists_of(reply))}.values())

    def missing(self) -> Sequence[str]:
        """Those of `lists` and `passwords` that Mailman does not have."""
        return [address for address in self._named() if not self._name(address)]

    def _named(self) -> Sequence[str]:
        return list(dict.fromkeys(same_form(one) for one in (*self._options.lists, *self._passwords)))

    def settings(self, address: str) -> Settings:
        """What all settings pages say; pages that this Mailman does not have say nothing."""
        admin = self._admin(address)
        return pages_of.told_by({page: admin.form(page)[1] for page in pages_of.PAGES})

    def roster(self, address: str, role: Role) -> Iterator[Sequence[Member]]:
        """Members as the membership list shows them; owners, moderators and nonmembers as they stand on the settings pages."""
        admin = self._admin(address)
        if role is not Role.MEMBER:
            return iter([self._people(admin, role)])
        return self._members(admin)

    def addresses(self, address: str) -> AbstractSet[str]:
        """Whom the list's roster page links to, hidden members too."""
        admin = self._admin(address)
        admin.page(GENERAL)  # the roster page shows the hidden ones to an admin's cookie
        return admin.page("", script="roster").addresses(admin.name)

    def why_not(self, address: str, member: Member, banned: Sequence[str]) -> str:
        """What Utils.ValidateEmail says of a member, and the list's bans. Owners and nonmembers are lines of a text, which Mailman judges."""
        del address
        if member.role is not Role.MEMBER:
            return ""
        if not _is_safe(member.address) or not _ADDRESS.fullmatch(member.address):
            return "Mailman 2.1 takes no such address"
        ban = next((one for one in banned if _is_met(one, member.key)), "")
        return f"is banned ({ban})" if ban else ""

    def as_kept(self, member: Member) -> Member:
        """The member with the names and treatments that Mailman 2.1 has."""
        bare = Member(same_form(member.address), role=member.role)
        if member.role in _NO_OPTIONS:
            return bare
        if member.role is Role.NONMEMBER:
            told = member.moderation
            return replace(bare, moderation=Treatment.ACCEPT if told is Treatment.DEFER else told)
        return replace(
            member,
            address=bare.address,
            name=name_as_shown(member.name),
            delivery=Delivery.MIME_DIGEST if member.delivery is Delivery.SUMMARY_DIGEST else member.delivery,
            stopped=member.stopped and (Stopped.BY_USER if member.stopped is Stopped.BY_USER else Stopped.BY_ADMIN),
            moderation=Treatment.HOLD if member.moderation in pages_of.MODERATED else Treatment.DEFER,
        )

    def settings_as_kept(self, settings: Settings) -> Settings:
        """The settings as the pages would show them."""
        return pages_of.as_kept(settings)

    def close(self) -> None:
        """End the session; never raises."""
        self._site.close()

    def is_free(self, address: str) -> bool:
        """Whether no list has the name in URLs that this one would get. A panel makes a list at once."""
        return self._panel is None and not self._name(address)

    def is_begun(self, address: str) -> bool:
        """Whether a list of this name has another domain still. Raises LoginRefused."""
        name = self._name(address) if self._panel is None else ""
        if not name:
            return False
        host = self._at(name, address).form(GENERAL)[1].first("host_name")
        return _address(name, host).lower() != same_form(address).lower()

    # -- which list

    def _admin(self, address: str) -> ListAdmin:
        """The web administration of a list, proven to be that of this very address. Raises NotFound, LoginRefused."""
        address = same_form(address)
        if address.lower() not in self._known:
            name = self._name(address)
            if not name:
                raise NotFound(f"{address}: this Mailman has no such list.")
            admin = self._at(name, address)
            there = _address(name, admin.form(GENERAL)[1].first("host_name"))
            if there.lower() != address.lower():
                raise NotFound(
                    f"{address}: this Mailman has a list {name}, but it is {there}.",
                    remedy=f"Write its address as {there}, or name another in the plan's map.",
                )
            self._known[address.lower()] = admin
        return self._known[address.lower()]

    def _at(self, name: str, address: str) -> ListAdmin:
        """The web administration under a name; the same one every time, since it knows whether its password was refused."""
        own = self._options.password or self._passwords.get(address.lower()) or self._made.get(address.lower())
        key = (
            "the password of this list"
            if own or not self._options.site_password
            else "the site's password (site_password)"
        )
        admin = ListAdmin(self._site, name, address, lambda: self._password(address), key)
        return self._admins.setdefault(name, admin)

    def _name(self, address: str) -> str:
        """A list's name in URLs, "" where there is none: its local part, at cPanel with the domain."""
        local, domain = split(address.lower())
        return next((name for name in (f"{local}_{domain}", local) if is_list(self._site, name)), "")

    def _listed(self, name: str) -> MailingList:
        """A list of the overview. Where its password is refused, or it is elsewhere now, its domain is the best guess."""
        local, marker, domain = name.partition("_")
        in_name = bool(marker) and "." in domain
        guess = f"{local}@{domain}" if in_name else f"{name}@{urlsplit(self._options.url).hostname}"
        try:
            admin = self._at(name, guess)
            there = _address(name, admin.form(GENERAL)[1].first("host_name"))
        except (LoginRefused, NotFound):
            return MailingList(guess, somewhere=not in_name)
        admin.address = there
        self._known[there.lower()] = admin
        return MailingList(there)

    def _password(self, address: str) -> SecretStr:
        found = (
            self._made.get(address.lower())
            or self._passwords.get(address.lower())
            or self._options.password
            or self._options.site_password
        )
        if found is None and isinstance(self._panel, OpensLists) and self._panel.features.opens_lists:
            return self._panel.one_time_password(address)
        found = found or self._handed_out.get(address.lower())
        if found is None:
            raise LoginRefused(
                f"{address}: the plan has no password for this list.",
                remedy="Name a secret as password or site_password, or a file of passwords.",
            )
        return found if isinstance(found, SecretStr) else SecretStr(found)

    # -- people

    def _members(self, admin: ListAdmin) -> Iterator[Sequence[Member]]:
        language = admin.form(pages_of.LANGUAGE)[1].first("preferred_language")
        treatment = moderation(admin.form(SENDER)[1])
        for rows in admin.roster():
            yield [_member(row, language, treatment) for row in rows]

    def _people(self, admin: ListAdmin, role: Role) -> list[Member]:
        if role in _NO_OPTIONS:
            held = lines(admin.form(GENERAL)[1].first(role.value))
            return list({one.key: one for one in (Member(same_form(address), role=role) for address in held)}.values())
        form = admin.form(SENDER)[1]
        found: dict[str, Member] = {}
        for treatment, field in NONMEMBERS.items():
            for line in lines(form.first(field)):
                if not is_pattern(line):  # the first of several counts (Moderate.py)
                    found.setdefault(line.lower(), Member(same_form(line), role=role, moderation=treatment))
        return list(found.values())


class Mailman2Writer(Mailman2Reader):
    """The lists of a Mailman 2.1, being filled."""

    _writes = True

    def create_list(self, address: str, owner: str, password: SecretStr | None) -> None:
        """Make a list by the page that makes lists, without the mail to its owner, then say which domain it is for; or by the panel."""
        address = same_form(address)
        local, domain = split(address)
        if isinstance(self._panel, MakesLists) and password is not None:
            self._panel.make_list(address, owner, password)
            self._made[address.lower()] = password
            return
        if self._name(address):
            raise Refused(
                f"{address}: this Mailman has a list of this name already.",
                remedy="If it is this one and not advertised, name it under lists of the plan's endpoint.",
            )
        site = self._options.site_password
        if site is None or password is None:
            raise Refused(f"{address}: a list is made with the site's password.", remedy="Name it as site_password.")
        secret = site.get_secret_value() if isinstance(site, SecretStr) else site
        fields = {
            "listname": local, "owner": owner or f"postmaster@{domain}", "autogen": "0", "password": password.get_secret_value(),
            "confirm": password.get_secret_value(), "moderate": "0", "langs": "en", "notify": "0", "auth": secret,
            "doit": "Create List",
        }  # fmt: skip
        reply = self._site.write("POST", "create", form=fields)
        if reply.status == UNAUTHORIZED:
            raise EndpointRefused(
                f"{reply.place}: Mailman refuses the site's password for making lists.",
                remedy="Correct the secret of site_password.",
            )
        if not self._name(address):
            words = "; ".join(page_of(reply)[1].headlines()) or f"status {reply.status}"
            raise Refused(f"{address}: Mailman did not make the list (“{words}”).", remedy="Make it by hand.")
        self._made[address.lower()] = password
        self.complete_list(address)

    def complete_list(self, address: str) -> None:
        """Say which domain the list of this name is for."""
        address = same_form(address)
        name, domain = self._name(address), split(address)[1]
        if not name:
            return
        admin = self._at(name, address)
        if admin.form(GENERAL)[1].first("host_name").lower() != domain:
            self._set(admin, GENERAL, {"host_name": (domain,)})
        self._known[address.lower()] = admin

    def configure(self, address: str, settings: Settings) -> None:
        """Set what is told, page by page. What Mailman did not take is named with its words when all else is set."""
        admin = self._admin(address)
        refused: dict[str, str] = {}
        for page in pages_of.pages_for(settings):
            wanted = pages_of.wanted_of(page, settings, admin.form(page)[1])
            refused |= wanted.refused
            if wanted.fields:
                refused |= self._set(admin, page, wanted.fields)
                after = pages_of.as_kept(pages_of.told_by({page: admin.form(page)[1]}))
                refused |= dict.fromkeys(pages_of.lacking_rows(page, settings, after), "Mailman did not keep it")
        if refused:
            told = "; ".join(f"{name}: {why}" for name, why in refused.items())
            raise Refused(f"{address}: not everything could be set ({told}).", remedy="Set it by hand, or leave it.")

    def add(self, address: str, members: Sequence[Member]) -> Sequence[Put]:
        """Subscribe those who are not there without any mail, then give them their options."""
        admin = self._admin(address)
        if members and members[0].role is not Role.MEMBER:
            return self._add_people(admin, members)
        puts = {place: _NO_ADDRESS for place, one in enumerate(members) if not _is_safe(one.address)}
        there = admin.find([one.key for place, one in enumerate(members) if place not in puts])
        new: dict[str, Member] = {}
        for place, one in enumerate(members):
            if place in puts:
                continue
            if one.key in there or one.key in new:
                puts[place] = Put(already=True)
            else:
                new[one.key] = one
        said = self._subscribe(admin, list(new.values())) if new else []
        found = admin.find(list(new)) if new else {}
        changed_ones = self._equip(admin, {key: new[key] for key in found}, found)
        for place, one in enumerate(members):
            if place not in puts:
                puts[place] = changed_ones.get(one.key) or _refusal(said, one)
        return [puts[place] for place in range(len(members))]

    def update(self, address: str, members: Sequence[Member]) -> Sequence[Put]:
        """Give people who are there other options. Owners and moderators have none."""
        admin = self._admin(address)
        if members and members[0].role is not Role.MEMBER:
            return self._update_people(admin, members)
        there = admin.find([one.key for one in members if _is_safe(one.address)])
        changed_ones = self._equip(admin, {one.key: one for one in members if one.key in there}, there)
        return [changed_ones.get(one.key, _GONE) for one in members]

    def remove(self, address: str, members: Sequence[Member]) -> Sequence[Put]:
        """Take people off by the mass removal, without a word to them or to the owners."""
        admin = self._admin(address)
        if members and members[0].role is not Role.MEMBER:
            return self._remove_people(admin, members)
        keys = [one.key for one in members if _is_safe(one.address)]
        there = admin.find(keys) if keys else {}
        if there:
            page = admin.page("members/remove")
            fields = [
                ("csrf_token", page.token),
                ("send_unsub_ack_to_this_batch", "0"),
                ("send_unsub_notifications_to_list_owner", "0"),
                ("unsubscribees", "\n".join(row.address for row in there.values())),
                ("setmemberopts_btn", "1"),
            ]
            admin.change("members/remove", _bytes(fields))
            there = admin.find(list(there))
        return [
            Put(refused="Mailman left him on the list, without a word.") if one.key in there else Put()
            for one in members
        ]

    # -- members

    def _subscribe(self, admin: ListAdmin, members: Sequence[Member]) -> list[str]:
        """Subscribe people, without any mail; what Mailman says about it. Names that break Mailman are left for later."""
        answer = self._send_entries(admin, [_entry(one, admin.charset) for one in members])
        if not answer.has("subscribees"):
            answer = self._send_entries(admin, [same_form(one.address).encode("ascii") for one in members])
        return answer.listed() or answer.complaints()

    @staticmethod
    def _send_entries(admin: ListAdmin, entries: Sequence[bytes]) -> Page:
        page = admin.page("members/add")
        fields = [
            *_bytes(
                [
                    ("csrf_token", page.token),
                    ("subscribe_or_invite", "0"),
                    ("send_welcome_msg_to_this_batch", "0"),
                    ("send_notifications_to_list_owner", "0"),
                    ("setmemberopts_btn", "1"),
                ]
            ),
            ("subscribees", b"\n".join(entries)),
        ]
        return admin.change("members/add", fields)

    def _equip(self, admin: ListAdmin, wanted: Mapping[str, Member], there: Mapping[str, Row]) -> dict[str, Put]:
        """Make members like these, as far as they are not; an answer for each. Names go out in one way after the other until they come
        back right.
        """
        if not wanted:
            return {}
        language = admin.form(pages_of.LANGUAGE)[1].first("preferred_language")
        target = {key: self.as_kept(one) for key, one in wanted.items()}
        rows = dict(there)
        tried: Counter[str] = Counter()  # ways of writing a name that did not come back right
        for _ in range(_MOST_PASSES):
            left = {key: one for key, one in target.items() if key in rows and _differs(rows[key], one, language)}
            left = {key: one for key, one in left.items() if tried[key] < len(_ways(one, admin.charset))}
            if not left:
                break
            rows |= self._enabled_first(admin, left, rows, language)
            self._send_rows(
                admin, [_fields(rows[key], one, language, admin.charset, tried[key]) for key, one in left.items()]
            )
            for key, one in left.items():
                if one.stopped is Stopped.BY_USER and rows[key].reason != "U":
                    self._stop_as_member(admin, rows[key])
            rows |= admin.find(list(left))
            tried.update(key for key, one in left.items() if key in rows and not _has_name(rows[key], one))
        return {key: self._answer(rows.get(key), one, language) for key, one in target.items()}

    def _enabled_first(
        self, admin: ListAdmin, wanted: Mapping[str, Member], rows: Mapping[str, Row], language: str
    ) -> dict[str, Row]:
        """The rows of those whose delivery is off for another reason than wanted, after letting them in: a reason stays while it is off."""
        other = [
            key for key, one in wanted.items()
            if one.stopped is not None and rows[key].reason and _stopped_as_kept(rows[key].reason) is not one.stopped
        ]  # fmt: skip
        if other:
            let_in = {key: replace(wanted[key], stopped=None) for key in other}
            self._send_rows(admin, [_fields(rows[key], one, language, admin.charset, 0) for key, one in let_in.items()])
        return {key: replace(rows[key], reason="", on=rows[key].on - {"nomail"}) for key in other}

    def _send_rows(self, admin: ListAdmin, rows: Sequence[Sequence[tuple[str, bytes]]]) -> None:
        """Send rows of the options table. A name that Mailman breaks at takes the others' rows along, so those are sent again without it."""
        page = admin.page("members/add")  # the shortest page with a token
        head = _bytes([("csrf_token", page.token), ("setmemberopts_btn", "1")])
        answer = admin.change(ROSTER, [*head, *(field for row in rows for field in row)])
        if not answer.has("findmember") and len(rows) > 1:
            half = len(rows) // 2
            self._send_rows(admin, rows[:half])
            self._send_rows(admin, rows[half:])

    @staticmethod
    def _stop_as_member(admin: ListAdmin, row: Row) -> None:
        """Stop a delivery as the member would: the whole form of his own page with one button more."""
        path = f"{admin.name}/{row.user}"
        page = admin.page(row.user, script="options")
        form = page.form("disablemail")
        if not form.values:
            raise Misbehaved(f"{admin.address}: the options page of {path} has no form.")
        fields = [(name, value) for name, values in form.values.items() if name != "disablemail" for value in values]
        fields += [("disablemail", "1"), ("options-submit", "1")]
        admin.change(row.user, [(name, sent(value, admin.charset)) for name, value in fields], script="options")

    def _answer(self, row: Row | None, wanted: Member, language: str) -> Put:
        if row is None:
            return _GONE
        if _differs(row, wanted, language) and (not wanted.language or wanted.language in row.languages):
            what = _differences(row, wanted, language)
            if what == ["name"] and row.name:
                return Put(lacking=_NOT_IN_CHARSET, remedy=_LEGIBLE)
            return Put(lacking=f"Mailman did not keep all options ({', '.join(what)}).")
        if wanted.language and wanted.language not in row.languages and wanted.language != language:
            return Put(
                lacking=f"The list does not offer this language ({wanted.language}).",
                remedy="Let the list offer it (available_languages), then run again.",
            )
        return Put()

    # -- owners, moderators, nonmembers

    def _add_people(self, admin: ListAdmin, members: Sequence[Member]) -> list[Put]:
        there = {one.key for one in self._people(admin, members[0].role)}
        new = {one.key: one for one in members if one.key not in there}
        words = self._write_people(admin, members[0].role, list(new.values()), set())
        after = {one.key for one in self._people(admin, members[0].role)}
        return [Put(already=True) if one.key in there else _if_in(one, after, words) for one in members]

    def _update_people(self, admin: ListAdmin, members: Sequence[Member]) -> list[Put]:
        role = members[0].role
        there = {one.key: one for one in self._people(admin, role)}
        other = [one for one in members if one.key in there and self.as_kept(there[one.key]) != self.as_kept(one)]
        words = self._write_people(admin, role, other, {one.key for one in other}) if other else ""
        after = {one.key: self.as_kept(one) for one in self._people(admin, role)}
        same = {one.key for one in members if after.get(one.key, one).moderation == self.as_kept(one).moderation}
        return [_if_in(one, same, words) if one.key in there else _GONE for one in members]

    def _remove_people(self, admin: ListAdmin, members: Sequence[Member]) -> list[Put]:
        keys = {one.key for one in members}
        words = self._write_people(admin, members[0].role, [], keys)
        after = {one.key for one in self._people(admin, members[0].role)}
        return [Put(refused=words or "Mailman left him there.") if one.key in after else Put() for one in members]

    def _write_people(self, admin: ListAdmin, role: Role, new: Sequence[Member], gone: AbstractSet[str]) -> str:
        """Write lists of addresses anew, one line more or less, and nothing else of the page. Answers Mailman's words against it; where it
        has any, each is tried alone, so that one wrong address hinders nobody.
        """
        page = GENERAL if role in _NO_OPTIONS else SENDER
        form = admin.form(page)[1]
        fields: dict[str, tuple[str, ...]] = {}
        for field, treatment in (
            ((role.value, None),) if page == GENERAL else ((name, one) for one, name in NONMEMBERS.items())
        ):
            held = lines(form.first(field))
            kept = [line for line in held if same_form(line).lower() not in gone]
            more = [one.address for one in new if treatment is None or self.as_kept(one).moderation is treatment]
            if [*kept, *more] != list(held):
                fields[field] = ("\n".join([*kept, *more]),)
        if not fields:
            return ""
        words = self._set(admin, page, fields)
        if words and len(new) > 1:
            return "; ".join(filter(None, (self._write_people(admin, role, [one], gone) for one in new)))
        return "; ".join(words.values())

    # -- settings

    def _set(self, admin: ListAdmin, page: str, fields: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
        """Set fields of a page; those that are not so afterwards, with Mailman's words. What is chosen travels back as it stands, since an
        unticked box says nothing; texts only when they change, since a page shows a reference and its character alike.
        """
        shown, form = admin.form(page)
        whole = page == pages_of.TOPICS  # whose topics are gone unless they come along
        values = {
            name: held
            for name, held in form.values.items()
            if not name.startswith("_") and (whole or name not in form.texts) and name != "csrf_token"
        }
        values |= fields
        posted = [(name, sent(value, admin.charset)) for name, held in values.items() for value in held]
        for name in fields.keys() & {"subject_prefix"}:
            prefix = next(ways(fields[name][0], admin.charset), b"")
            blanks = len(fields[name][0]) - len(fields[name][0].rstrip(" "))
            posted = [(one, prefix + b" " * blanks if one == name else value) for one, value in posted]
        answer = admin.change(page, [("csrf_token", shown.token.encode()), *posted, ("submit", b"1")])
        after = admin.form(page)[1]
        lacking = [name for name in fields if not name.startswith(_IN_ROWS) and not _holds(after, name, fields[name])]
        touched = [
            name for name in form.choices
            if name not in fields and not name.startswith(("_", *_IN_ROWS)) and form.values.get(name) != after.values.get(name)
        ]  # fmt: skip
        if touched:
            raise Misbehaved(f"{admin.address}: setting {', '.join(fields)} changed {', '.join(touched)} as well.")
        words = "; ".join(answer.complaints()) or "it is as it was, without a word"
        return dict.fromkeys(lacking, words)


# -- wire helpers -----------------------------------------------------------------------------------------------------

_IN_ROWS = ("hdrfilter_", "topic_")  # fields whose numbers change with what they hold
_MOST_PASSES = 5


def _passwords(path: Path | None) -> Mapping[str, SecretStr]:
    """The passwords of a CSV by list, in lower case. Raises PlanError for what cannot be read or others may read."""
    if path is None:
        return {}
    try:
        if path.stat().st_mode & OTHERS_MAY_NOT:
            raise PlanError(f"{path}: others may read the passwords in it.", remedy=f"chmod 600 {path}")
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError) as error:
        raise PlanError(
            f"{path}: the passwords cannot be read ({error}).", remedy="Correct passwords in the plan."
        ) from error
    if rows and not {"list", "password"} <= rows[0].keys():
        raise PlanError(
            f"{path}: it has no columns list and password.", remedy="Write list,password into its first line."
        )
    return {
        same_form(row["list"]).lower(): SecretStr(row["password"]) for row in rows if row["list"] and row["password"]
    }


def _contents(options: Options) -> Contents:
    """What is wrong with the file of passwords; which lists there are, the server knows alone."""
    path, mistakes = options.passwords, list[Mistake]()
    if path is None or not path.is_file():  # that it has to be there, the option says
        return Contents()
    try:
        if path.stat().st_mode & OTHERS_MAY_NOT:
            mistakes.append(Mistake(path, 0, f"others may read the passwords in it. chmod 600 {path}"))
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            if not {"list", "password"} <= set(rows.fieldnames or ()):
                text = "it has no columns list and password, parted by a comma."
                return Contents(mistakes=(*mistakes, Mistake(path, 1, text)))
            mistakes += [Mistake(path, rows.line_num, text) for row in rows for text in _wrong_with(row)]
    except UnicodeDecodeError:
        mistakes.append(Mistake(path, 0, "it is no UTF-8. Save it as that."))
    except (OSError, csv.Error) as error:
        mistakes.append(Mistake(path, 0, f"it cannot be read ({error})."))
    return Contents(mistakes=tuple(mistakes))


def _wrong_with(
    row: Mapping[str | None, Any],
) -> Iterator[str]:  # Any: a text, or a list of those behind the last column
    """What is wrong with a row of passwords. It shows none."""
    if None in row:
        yield "there are more cells than columns."
        return
    if not all(split(row["list"] or "")):
        yield "the list is no whole address, such as announce@example.com."
    if not row["password"]:
        yield "the password is empty."


def _address(name: str, host: str) -> str:
    """A list's address by its name in URLs and its host; cPanel's names have the domain at their end."""
    host = split(f"x@{host}")[1]
    return f"{name.removesuffix(f'_{host}')}@{host}"


def _is_safe(address: str) -> bool:
    local, at, domain = address.rpartition("@")
    return (
        bool(at and local and domain)
        and address.isascii()
        and address.isprintable()
        and not _UNSAFE & {*local, *domain}
    )


def _is_met(ban: str, address: str) -> bool:
    """Whether a line of a ban list means an address (MailList.GetBannedPattern)."""
    if not ban.startswith("^"):
        return ban.lower() == address
    try:
        return re.search(ban, address, re.IGNORECASE) is not None
    except re.error:
        return False


def _member(row: Row, language: str, moderated: Treatment) -> Member:
    digest = Delivery.PLAIN_DIGEST if "plain" in row.on else Delivery.MIME_DIGEST
    return Member(
        same_form(row.address),
        name_as_shown(row.name),
        delivery=digest if "digest" in row.on else Delivery.REGULAR,
        stopped=_STOPPED.get(row.reason),
        moderation=moderated if "mod" in row.on else Treatment.DEFER,
        hidden="hide" in row.on,
        acknowledge="ack" in row.on,
        own_posts="notmetoo" not in row.on,
        list_copies="nodupes" not in row.on,
        language="" if row.language == language else row.language,
    )


def _stopped_as_kept(reason: str) -> Stopped | None:
    if not reason:
        return None
    return Stopped.BY_USER if reason == "U" else Stopped.BY_ADMIN


def _boxes(row: Row, member: Member) -> set[str]:
    """The boxes that are to be ticked. How a digest would look is left as it is for those who get none."""
    digest = member.delivery is not Delivery.REGULAR
    plain = member.delivery is Delivery.PLAIN_DIGEST if digest else "plain" in row.on
    on = {
        "mod": member.moderation is not Treatment.DEFER, "hide": member.hidden, "nomail": member.stopped is not None,
        "ack": member.acknowledge, "notmetoo": not member.own_posts, "nodupes": not member.list_copies, "digest": digest,
        "plain": plain,
    }  # fmt: skip
    return {box for box, ticked in on.items() if ticked}


def _differences(row: Row, wanted: Member, language: str) -> list[str]:
    found = [] if _has_name(row, wanted) else ["name"]
    found += sorted(_boxes(row, wanted) ^ row.on)
    if _stopped_as_kept(row.reason) is not wanted.stopped and "nomail" not in found:
        found.append("nomail")
    offered = (wanted.language or language) in row.languages
    if offered and row.language != (wanted.language or language):
        found.append("language")
    return found


def _differs(row: Row, wanted: Member, language: str) -> bool:
    return bool(_differences(row, wanted, language))


def _has_name(row: Row, wanted: Member) -> bool:
    return name_as_shown(row.name) == name_as_shown(wanted.name)


def _ways(member: Member, charset: str) -> list[bytes]:
    return list(ways(member.name, charset))


def _fields(row: Row, member: Member, language: str, charset: str, attempt: int) -> list[tuple[str, bytes]]:
    """A member's whole row: a box that is not sent is off, a name that is not sent is empty."""
    # A member who stopped his delivery himself keeps the box he has; whoever has none gets it on his own page.
    boxes = _boxes(row, member) - ({"nomail"} if member.stopped is Stopped.BY_USER and not row.reason else set())
    fields = [
        ("user", row.user.encode("ascii")),
        (f"{row.user}_realname", _ways(member, charset)[attempt]),
        *((f"{row.user}_{box}", b"on") for box in sorted(boxes)),
    ]
    wanted = member.language or language
    if row.languages:
        fields.append((f"{row.user}_language", (wanted if wanted in row.languages else row.language).encode("ascii")))
    return fields


def _entry(member: Member, charset: str) -> bytes:
    """A line of the mass subscription: name in quotes, address in brackets."""
    name = next(ways(member.name, charset), b"") if name_as_shown(member.name) else b""
    address = same_form(member.address).encode("ascii")
    quoted = name.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    return b'"' + quoted + b'" <' + address + b">" if name else address


def _refusal(said: Sequence[str], member: Member) -> Put:
    words = reasons_among(said, same_form(member.address)) or "; ".join(
        said if not any(" -- " in one for one in said) else ()
    )
    return Put(refused=words or "Mailman did not take him, without a word.")


def _if_in(member: Member, keys: AbstractSet[str], words: str) -> Put:
    return Put() if member.key in keys else Put(refused=words or "Mailman did not take him, without a word.")


def _holds(form: Form, name: str, wanted: tuple[str, ...]) -> bool:
    """Whether a field holds what it was to hold."""
    held = form.values.get(name, ())
    if name in form.choices and len(form.choices[name]) > 0 and name not in form.texts:
        return set(held) - {"ignore"} == set(wanted) - {"ignore"}
    told, meant_to_be = (next(iter(one), "") for one in (held, wanted))
    try:
        return float(told) == float(meant_to_be)
    except ValueError:
        return lines(as_shown(told)) == lines(as_shown(meant_to_be))


def _bytes(fields: Sequence[tuple[str, str]]) -> list[tuple[str, bytes]]:
    return [(name, value.encode("ascii", "replace")) for name, value in fields]


# -- the adapter ------------------------------------------------------------------------------------------------------


def open_reader(options: Options, login: Login) -> ListReader:
    """A session that cannot write."""
    return Mailman2Reader(options, login)


def open_writer(options: Options, login: Login) -> ListWriter:
    """A session that can write."""
    return Mailman2Writer(options, login)


def _connections(options: Options) -> tuple[int, int]:
    """A panel's password is good once, and may be the newest one's alone: nobody else asks for one before it is used."""
    return (1, 1) if options.asks_panel else (options.connections, options.connections)


def _leans_on(options: Options) -> tuple[str, str]:
    what = "nothing opens the lists: name the secret of a password (password, passwords, site_password), or give the endpoint its panel"
    return (PANEL.service, what) if options.asks_panel else ("", "")


ADAPTER: Adapter[ListReader, ListWriter] = Adapter(
    word="mailman2",
    title="Mailman 2.1",
    options=Options,
    reader=open_reader,
    writer=open_writer,
    connections=_connections,
    contents=_contents,
    leans_on=_leans_on,
)
