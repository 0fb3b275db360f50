"""Mailman 2.1's web administration on loopback: /mailman/admin, /mailman/roster, /mailman/options and /mailman/create of 2.1.39.

    with Mailman2(sink=("127.0.0.1", 2525)) as mailman:
        people.populate(mailman.give_list("announce", password="...", advertised=1), 2500)
        ...                                                   # the client connects to mailman.base, pinning mailman.fingerprint
        assert mailman.mails == []                            # every mail it would have sent; the sink has them too

`python -m migrator.testing.mailman2` starts one to try things on. Its certificate is made with the package cryptography, unless `pem` names one.

What is refused is answered 200 with a page that says so in the list's language, as there. A list is locked for a request and saved at
its end, so a request in which Mailman's own code fails leaves no trace in it. Switches at the top of `Mailman2` are the ways real
servers differ: UTF-8 in place of the old charsets (Debian), the port to Python 3 that cPanel ships, no open lists.
"""

from __future__ import annotations

import copy
import re
import secrets
import smtplib
from collections.abc import Callable, Sequence
from email.message import EmailMessage
from email.utils import parseaddr
from html import escape
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

from migrator.frozen import dataclass
from migrator.testing.mailman2.lists import (
    NEW_MEMBER_OPTIONS,
    OPTIONS,
    PAGES,
    Bug,
    MailingList,
    Member,
    Rule,
    Setting,
    banned,
    canonical,
    complaint,
)
from migrator.testing.mailman2.pages import Pages
from migrator.testing.mailman2.words import CHARSETS
from migrator.testing.panels.server import HOST, Answer, Panel, Request

HOUR = 3600
BASE = "/mailman"
BUG = (
    b"<head><title>Bug in Mailman version 2.1.39</title></head><body bgcolor=#ffffff><h2>Bug in Mailman version 2.1.39</h2>"
    b"<p><h3>We're sorry, we hit a bug!</h3></body>"
)
SAFE = {"VARHELP", "adminpw", "admlogin"}
ALSO_SAFE = {"letter", "chunk", "findmember", "legend"}


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail that Mailman sends by itself."""

    kind: str
    to: str
    list: str


@dataclass(frozen=True, slots=True)
class Asked:
    """One request to a list, as its script sees it."""

    fields: list[tuple[str, bytes]]
    query: dict[str, str]
    method: str

    def has(self, name: str) -> bool:
        return any(known == name for known, _ in self.fields)

    def first(self, name: str, default: bytes = b"") -> bytes:
        return next((value for known, value in self.fields if known == name), default)

    def all(self, name: str) -> list[bytes]:
        return [value for known, value in self.fields if known == name]

    def number(self, name: str, default: int) -> int:
        text = self.first(name).decode("latin-1").strip()
        return int(text) if text.isdecimal() else default


class Mailman2(Panel):
    """The server."""

    SITE_PASSWORD = "site-secret-" + "Kq3"
    CREATOR_PASSWORD = "creator-secret-" + "Kq3"

    def __init__(self, sink: tuple[str, int] | None = None, *, port: int = 0, pem: Path | None = None) -> None:
        super().__init__(port=port, pem=pem)
        self.kept: dict[str, MailingList] = {}
        self.mails: list[Mail] = []
        self.attempts = 0  # refused passwords
        self.charsets = dict(CHARSETS)
        self.python3 = False
        self.language = "en"  # DEFAULT_SERVER_LANGUAGE
        self.host = "example.com"  # DEFAULT_EMAIL_HOST, of lists that are made here
        self.asks_tokens = True  # since 2.1.15
        self.not_found = 404  # 200 with the overview in old versions
        self.open_allowed = False  # ALLOW_OPEN_SUBSCRIBE
        self.knows_letters = True  # a GET with a letter needs no token since 2.1.2x
        self.drops_blank = False  # blank fields of a form that is no multipart are not there
        self.now = 1_000_000.0
        self.before: Callable[[Request], Answer | None] = lambda _: None  # a test's own answer in place of ours
        self.rewrite: Callable[[Request, bytes], bytes] = lambda _, page: page
        self._sink = sink
        self._cookies: dict[str, str] = {}
        self._tokens: dict[str, tuple[str, float]] = {}

    @property
    def base(self) -> str:
        """The URL a plan has."""
        return self.url + BASE

    # -- as if people had used it

    def give_list(
        self, name: str, *, password: str = "list-secret", language: str = "en", **values: object
    ) -> MailingList:
        """A list as it is after it was made."""
        one = MailingList(
            name, password, values={"preferred_language": language, "owner": ("boss@example.com",), **values}
        )
        self.kept[name] = one
        return one

    def end_sessions(self) -> None:
        """Nobody is logged in any more."""
        self._cookies.clear()

    def charset(self, one: MailingList) -> str:
        return self.charsets[one.language]

    # -- requests

    def writes(self, request: Request) -> bool:
        """Whether a request is one that can change something: a POST that is no login."""
        return request.method == "POST" and b"adminpw" not in request.body

    def answer(self, request: Request) -> Answer:
        if (said := self.before(request)) is not None:
            return said
        script, _, rest = request.path.removeprefix(BASE + "/").partition("/")
        name, _, more = rest.partition("/")
        if script == "create":
            return self._create(request)
        if not name and script == "admin":
            return self._overview()
        serve = {"admin": self._admin, "roster": self._roster, "options": self._options}.get(script)
        one = self.kept.get(name.lower())
        if serve is None or one is None:
            text = (
                f"<HTML><BODY><h2>Error</h2><strong>No such list <em>{escape(name)}</em></strong> Mailman</BODY></HTML>"
            )
            return _html(text.encode("ascii", "replace"), "us-ascii", self.not_found if serve else 404)
        locked = copy.deepcopy(one) if request.method == "POST" else one
        pages = Pages(locked, BASE, self.charset(one), tuple(self.charsets), python3=self.python3)
        try:
            answer = serve(locked, pages, more, self._asked(request), request)
        except Bug:
            return _html(BUG, "us-ascii", 200)
        self.kept[name.lower()] = locked
        return Answer(self.rewrite(request, answer.body), answer.status, answer.kind, answer.headers)

    def _asked(self, request: Request) -> Asked:
        kind = request.headers.get("content-type", "")
        fields = (
            [(name, value) for name, value in _pairs(request.query.encode("latin-1"))]
            if request.method == "GET"
            else []
        )
        if kind.startswith("multipart/form-data"):
            fields += _parts(kind, request.body)
        elif request.method == "POST":
            fields += [(name, value) for name, value in _pairs(request.body) if value or not self.drops_blank]
        query = {name: value.decode("utf-8", "replace") for name, value in _pairs(request.query.encode("latin-1"))}
        return Asked(fields, query, request.method)

    # -- who is asking

    def _logged_in(self, one: MailingList, request: Request) -> bool:
        """Whether a cookie says so. With a password, cookies do not count (admin.py voids them)."""
        given = dict(part.strip().partition("=")[::2] for part in request.headers.get("cookie", "").split(";"))
        for name in (f"{one.name}+admin", "site"):
            if given.get(name, "").strip('"') and self._cookies.get(given[name].strip('"')) in {one.name, "site"}:
                return True
        return False

    def _cookie(self, one: MailingList, password: str) -> str:
        """The Set-Cookie of a right password; "" for a wrong one."""
        if password == self.SITE_PASSWORD:
            name, whose = f"{one.name}+admin", "site"
        elif password == one.password or (one.one_time and password == one.one_time):
            name, whose = f"{one.name}+admin", one.name
            if password == one.one_time:
                one.one_time = ""
        else:
            self.attempts += 1
            return ""
        value = "28020000006973" + secrets.token_hex(20)
        self._cookies[value] = whose
        return f"{name}={value}; Path={BASE}/; HttpOnly"

    def _token(self, one: MailingList, context: str) -> str:
        token = secrets.token_hex(24)
        self._tokens[token] = (f"{one.name}+{context}", self.now)
        return token

    def _is_fresh(self, one: MailingList, asked: Asked, context: str, safe: set[str]) -> bool:
        if not self.asks_tokens or not {name for name, _ in asked.fields} - safe:
            return True
        whose, when = self._tokens.get(asked.first("csrf_token").decode("latin-1"), ("", 0.0))
        return whose == f"{one.name}+{context}" and self.now - when < HOUR

    # -- /admin

    def _overview(self) -> Answer:
        rows = "".join(
            f'<tr><td><a href="{BASE}/admin/{one.name}"><strong>{one.values["real_name"]}</strong></a></td><td>.</td></tr>'
            for one in sorted(self.kept.values(), key=lambda one: one.name)
            if one.number("advertised")
        )
        head = "Below is the collection of" if rows else "There currently are no"
        text = f"{head} publicly-advertised Mailman mailing lists on {HOST}."
        return _html(f"<HTML><BODY><p>{text}<table>{rows}</table></BODY></HTML>".encode("ascii", "replace"), "us-ascii")

    def _admin(self, one: MailingList, pages: Pages, path: str, asked: Asked, request: Request) -> Answer:
        headers = {}
        password = asked.first("adminpw").decode("latin-1")
        if password:
            cookie = self._cookie(one, password)
            headers = {"Set-Cookie": cookie} if cookie else {}
        if not headers and (password or not self._logged_in(one, request)):
            said = pages.words["authorization"] if asked.has("admlogin") else ""
            return _html(pages.login(said), pages.charset, 401 if said else 200)
        safe = SAFE | (ALSO_SAFE if self.knows_letters else set())
        fresh = bool(password) or self._is_fresh(one, asked, "admin", safe)
        notes: list[bytes] = []
        category, _, sub = path.strip("/").partition("/")
        if category not in {"members", "passwords", *(page.partition("/")[0] for page in PAGES)}:
            category, sub = "general", ""
        if asked.fields and not fresh:
            notes.append(pages.error(pages.words["expired"]))
        elif asked.fields:
            self._change(one, pages, category, sub, asked, notes)
        made = Pages(one, BASE, self.charset(one), tuple(self.charsets), python3=self.python3)
        return _html(self._show(one, made, category, sub, asked, notes), made.charset, headers=headers)

    def _show(
        self, one: MailingList, pages: Pages, category: str, sub: str, asked: Asked, notes: Sequence[bytes]
    ) -> bytes:
        token = self._token(one, "admin")
        if category == "members":
            return (
                pages.mass(token, sub, notes)
                if sub in {"add", "remove"}
                else self._members(one, pages, asked, token, notes)
            )
        if category == "passwords":
            return pages.passwords(token, notes)
        page = self._page_of(category, sub)
        extra = pages.rules() if page == "privacy/spam" else pages.topics() if page == "topics" else b""
        return pages.settings(token, page, PAGES[page], extra, notes, open_allowed=self.open_allowed)

    @staticmethod
    def _page_of(category: str, sub: str) -> str:
        if category != "privacy":
            return category
        return f"privacy/{sub if f'privacy/{sub}' in PAGES else 'subscribing'}"

    def _members(self, one: MailingList, pages: Pages, asked: Asked, token: str, notes: Sequence[bytes]) -> bytes:
        everyone = [one.members[key] for key in sorted(one.members)]
        finding = asked.first("findmember").decode("utf-8", "replace").strip()
        if finding:
            try:
                pattern = re.compile(finding, re.IGNORECASE)
            except re.error:
                notes = [*notes, pages.error("Bad regular expression: " + escape(finding))]
            else:
                everyone = [one for one in everyone if pattern.search(one.name) or pattern.search(one.address.lower())]
        size = one.number("admin_member_chunksize")
        letter, chunk, chunks = "", None, []
        letters = sorted({member.address[0].lower() for member in everyone})
        members = everyone
        if len(everyone) >= size:
            wanted = asked.query.get("letter", "0")[:1].lower()
            letter = wanted if wanted in letters else letters[0]
            members = [member for member in everyone if member.address[0].lower() == letter]
            if len(members) > size:
                chunks = [members[start : start + size] for start in range(0, len(members), size)]
                said = asked.query.get("chunk", "0")
                chunk = int(said) if said.isdecimal() and int(said) <= len(chunks) else 0
                members = chunks[chunk] if chunk < len(chunks) else []
        return pages.roster(
            token, members, everyone=everyone, letter=letter, chunk=chunk, chunks=chunks, letters=letters, finding=finding,
            legend=asked.query.get("legend") == "yes", notes=notes,
        )  # fmt: skip

    # -- changes

    def _change(
        self, one: MailingList, pages: Pages, category: str, sub: str, asked: Asked, notes: list[bytes]
    ) -> None:
        new = asked.first("newpw").decode("latin-1").strip()
        if new and new == asked.first("confirmpw").decode("latin-1").strip():
            one.password = new
        if category not in {"members", "passwords"}:
            self._set(one, pages, self._page_of(category, sub), asked, notes)
        self._subscribe(one, pages, asked, notes)
        self._unsubscribe(one, pages, asked, notes)
        if asked.has("allmodbit_btn"):
            for member in one.members.values():
                member.moderated = asked.number("allmodbit_val", 0) == 1
        if asked.has("setmemberopts_btn") and asked.has("user"):
            self._set_members(one, asked)

    def _subscribe(self, one: MailingList, pages: Pages, asked: Asked, notes: list[bytes]) -> None:
        lines = asked.first("subscribees") + asked.first("subscribees_upload")
        entries = [line.strip() for line in lines.splitlines() if line.strip()]
        welcome = asked.number("send_welcome_msg_to_this_batch", one.number("send_welcome_msg"))
        tell = asked.number("send_notifications_to_list_owner", one.number("admin_notify_mchanges"))
        invite = asked.number("subscribe_or_invite", 0)
        done: list[bytes] = []
        refused: list[bytes] = []
        for entry in entries:
            name, address = parseaddr(entry.decode("latin-1"))
            full = canonical(name.encode("latin-1"), pages.charset, python3=self.python3)
            wrong = complaint(address)
            pattern = "" if wrong else banned(address, one.lines("ban_list"))
            if wrong or pattern or address.lower() in one.members:
                what = wrong or ("banned" if pattern else "member already")
                words = pages.encode(f" -- {pages.words[what].format(pattern=pattern)}")
                refused.append(pages.safe(entry) + words)
            elif invite:
                self._send("invitation", address, one)
                done.append(pages.safe(entry))
            else:
                local, _, domain = address.rpartition("@")
                self._join(one, f"{local}@{domain.lower()}", full)
                done.append(pages.safe(entry))
                if welcome:
                    self._send("welcome", address, one)
                if tell:
                    self._send("notice", one.address, one)
        notes.append(pages.outcome(pages.words["invited" if invite else "subscribed"], done))
        notes.append(pages.outcome(pages.words["not subscribed"], refused))

    @staticmethod
    def _join(one: MailingList, address: str, name: str) -> None:
        options = set(one.lines("new_member_options"))
        if not one.number("mime_is_default_digest"):
            options.add("plain")
        digest = bool(one.number("digest_is_default")) and bool(one.number("digestable"))
        moderated = bool(one.number("default_member_moderation"))
        one.members[address.lower()] = Member(
            address, name, digest, moderated=moderated, options=frozenset(options), language=one.language
        )

    def _unsubscribe(self, one: MailingList, pages: Pages, asked: Asked, notes: list[bytes]) -> None:
        lines = asked.first("unsubscribees") + asked.first("unsubscribees_upload")
        goodbye = asked.number("send_unsub_ack_to_this_batch", one.number("send_goodbye_msg"))
        tell = asked.number("send_unsub_notifications_to_list_owner", one.number("admin_notify_mchanges"))
        done: list[bytes] = []
        refused: list[bytes] = []
        for line in lines.splitlines():
            address = line.strip().decode("latin-1")
            if address and address.lower() in one.members:
                self._leave(one, address, goodbye=bool(goodbye), tell=bool(tell))
                done.append(pages.safe(line.strip()))
            elif address:
                refused.append(pages.safe(line.strip()))
        notes.append(pages.outcome(pages.words["unsubscribed"], done))
        notes.append(pages.outcome(pages.words["not unsubscribed"], refused, 3))

    def _leave(self, one: MailingList, address: str, *, goodbye: bool, tell: bool) -> None:
        del one.members[address.lower()]
        if goodbye:
            self._send("goodbye", address, one)
        if tell:
            self._send("notice", one.address, one)

    def _set_members(self, one: MailingList, asked: Asked) -> None:
        """The rows of the options table: a box that is not there is off, a name that is not there is empty."""
        charset = self.charset(one)
        for raw in asked.all("user"):
            address = unquote_to_bytes(raw).decode("latin-1").lower()
            user = quote(address)
            if address not in one.members:
                continue
            if asked.has(f"{user}_unsub"):
                self._leave(
                    one,
                    address,
                    goodbye=bool(one.number("send_goodbye_msg")),
                    tell=bool(one.number("admin_notify_mchanges")),
                )
                continue
            member = one.members[address]
            digest = asked.has(f"{user}_digest")
            if digest != member.digest and one.number("digestable" if digest else "nondigestable"):
                member.digest = digest
            member.name = canonical(asked.first(f"{user}_realname"), charset, python3=self.python3)
            language = asked.first(f"{user}_language").decode("latin-1")
            if language in self.charsets:
                member.language = language
            member.moderated = bool(asked.first(f"{user}_mod"))
            if not asked.has(f"{user}_nomail"):
                member.status = "enabled"
            elif member.status == "enabled":
                member.status = "A"
            member.options = frozenset(option for option in OPTIONS if asked.has(f"{user}_{option}"))

    def _set(self, one: MailingList, pages: Pages, page: str, asked: Asked, notes: list[bytes]) -> None:
        for setting in PAGES[page]:
            upload = asked.first(f"{setting.name}_upload")
            if not upload and not asked.has(setting.name):
                continue
            given = [upload] if upload else asked.all(setting.name)
            try:
                self._assign(one, pages, setting, given)
            except ValueError as error:
                text = str(error) or pages.words["bad value"].format(name=setting.name)
                notes.append(pages.error(text))
        if page == "general" and one.number("reply_goes_to_list") == 2 and not one.values["reply_to_address"]:
            one.values |= {"reply_goes_to_list": 0, "reply_to_address": ""}
            notes.append(pages.error("You cannot add a Reply-To: to an explicit address if that address is blank."))
        if page == "privacy/spam" and asked.has("hdrfilter_rebox_01"):
            self._set_rules(one, asked)
        if page == "topics" and asked.has("topics_enabled"):
            self._set_topics(one, asked)

    def _assign(self, one: MailingList, pages: Pages, setting: Setting, given: list[bytes]) -> None:
        """One variable from what a form sent. Raises ValueError, with the words if there are any."""
        name, text = setting.name, given[0].decode("latin-1")
        if name.startswith("_"):
            if text == "1":
                self._send("digest", one.address, one)
        elif setting.kind == "radio":
            one.values[name] = int(text) + (name == "subscribe_policy" and not self.open_allowed)
        elif setting.kind == "number":
            number = float(text) if "." in text else int(text)
            if name == "admin_member_chunksize" and number < 1:
                raise ValueError("<b>admin_member_chunksize</b> attribute not changed!  It must be an integer > 0.")
            if number >= 0:
                one.values[name] = number
        elif setting.kind == "checkbox":
            chosen = {value.decode("latin-1") for value in given}
            known = NEW_MEMBER_OPTIONS if name == "new_member_options" else tuple(self.charsets)
            one.values[name] = tuple(option for option in known if option in chosen)
        elif setting.kind in {"emails", "patterns"}:
            lines = tuple(line.strip() for line in text.split("\n") if line.strip())
            bad = [line for line in lines if not _is_fit(line, setting)]
            if bad:
                raise ValueError(pages.words["bad addresses"].format(name=name, bad=escape(", ".join(bad))))
            one.values[name] = lines
        else:
            self._assign_text(one, pages, setting, given[0])

    def _assign_text(self, one: MailingList, pages: Pages, setting: Setting, raw: bytes) -> None:
        name, text = setting.name, raw.decode("latin-1")
        if setting.kind == "email" and text and complaint(text):
            raise ValueError(pages.words["bad addresses"].format(name=name, bad=escape(text)))
        if name == "real_name" and text.lower() != str(one.values["real_name"]).lower():
            raise ValueError(
                "<b>real_name</b> attribute not changed!  It must differ from the list's name by case only."
            )
        if name == "info" and "<script" in text.lower():
            raise ValueError("The <b>info</b> attribute you saved contains suspicious HTML.")
        if setting.kind == "select" and text not in self.charsets:
            raise ValueError
        if name == "subject_prefix":
            one.values[name] = canonical(raw, pages.charset, python3=self.python3)
        elif name in {"real_name", "host_name", "reply_to_address"} or setting.kind == "select":
            one.values[name] = text
        else:
            one.values[name] = raw

    @staticmethod
    def _set_rules(one: MailingList, asked: Asked) -> None:
        rules: list[Rule] = []
        place = 1
        while asked.has(f"hdrfilter_rebox_{place:02d}"):
            tag = f"{place:02d}"
            pattern = asked.first(f"hdrfilter_rebox_{tag}").decode("latin-1")
            if pattern and not asked.has(f"hdrfilter_delete_{tag}"):
                rules.append(Rule(pattern, asked.number(f"hdrfilter_action_{tag}", 0)))
            place += 1
        one.rules = rules

    @staticmethod
    def _set_topics(one: MailingList, asked: Asked) -> None:
        topics = []
        place = 1
        while asked.has(f"topic_box_{place:02d}"):
            tag = f"{place:02d}"
            given = [asked.first(f"topic_{part}_{tag}").decode("latin-1") for part in ("box", "rebox", "desc")]
            if given[0] and given[1] and not asked.has(f"topic_delete_{tag}"):
                topics.append((given[0], given[1], given[2]))
            place += 1
        one.topics = topics

    # -- the other scripts

    def _roster(self, one: MailingList, pages: Pages, _path: str, _asked: Asked, request: Request) -> Answer:
        """Everybody's address, hidden ones too for the admin, none's name; delivery off in brackets, `user at host` where obscured."""
        if not self._logged_in(one, request):
            text = '<FORM METHOD=POST ACTION="../roster/x"><INPUT TYPE="password" NAME="roster-pw"></FORM>'
            return _html(pages.page("Error", pages.encode(text)), pages.charset)
        obscured = bool(one.number("obscure_addresses"))

        def item(member: Member) -> str:
            shown_address = member.address.replace("@", " at ") if obscured else member.address
            target = quote(member.address.lower())
            link = f'<a href="../options/{one.name}/{target.replace("%40", "--at--") if obscured else target}">{shown_address}</a>'
            return f"<li>({link})" if member.status != "enabled" else f"<li>{link}"

        lists = "".join(
            f"<td><ul>{''.join(item(one.members[key]) for key in sorted(one.members) if one.members[key].digest == digest)}</ul></td>"
            for digest in (False, True)
        )
        return _html(pages.page("Subscribers", pages.encode(f"<table><tr>{lists}</tr></table>")), pages.charset)

    def _options(self, one: MailingList, pages: Pages, path: str, asked: Asked, request: Request) -> Answer:
        """A member's own page, as the admin may use it."""
        address = unquote_to_bytes(path).decode("latin-1").replace("--at--", "@").lower()
        member = one.members.get(address)
        if member is None or not self._logged_in(one, request):
            text = '<FORM><INPUT TYPE="password" NAME="password"><INPUT name="login" type="SUBMIT"></FORM>'
            return _html(pages.page("Login", pages.encode(text)), pages.charset)
        if asked.has("options-submit") and self._is_fresh(one, asked, "options", set()):
            off = asked.number("disablemail", -1)
            if off == 0:
                member.status = "enabled"
            elif off == 1 and member.status == "enabled":
                member.status = "U"
            if (digest := asked.number("digest", -1)) >= 0:
                member.digest = digest == 1
            names = {
                "mime": "plain",
                "dontreceive": "notmetoo",
                "ackposts": "ack",
                "conceal": "hide",
                "nodupes": "nodupes",
            }
            for field, option in names.items():
                value = asked.number(field, -1)
                if value >= 0:
                    member.options = (member.options | {option}) if value else (member.options - {option})
        elif asked.has("unsub") and asked.has("unsubconfirm"):
            self._leave(one, address, goodbye=True, tell=bool(one.number("admin_notify_mchanges")))
        return _html(pages.options(self._token(one, "options"), member), pages.charset)

    def _create(self, request: Request) -> Answer:
        """The page that makes lists."""
        asked = self._asked(request)
        name, password, again, owner, secret = (
            asked.first(field).decode("latin-1").strip()
            for field in ("listname", "password", "confirm", "owner", "auth")
        )
        name = name.lower()
        if request.method != "POST":
            return _create_form("", 200)
        if secret not in {self.SITE_PASSWORD, self.CREATOR_PASSWORD}:
            self.attempts += 1
            return _create_form("You are not authorized to create new mailing lists", 401)
        why = ""
        if not name or "@" in name:
            why = 'List name must not include "@"'
        elif name in self.kept:
            why = f"List already exists: {name}"
        elif complaint(owner):
            why = f"Bad owner email address: {owner}"
        elif not password or password != again:
            why = "Initial list passwords do not match"
        if why:
            return _create_form(why, 200)
        languages = tuple(value.decode("latin-1") for value in asked.all("langs")) or ("en",)
        one = self.give_list(name, password=password, language=self.language, owner=(owner,), host_name=self.host)
        one.values["available_languages"] = tuple(dict.fromkeys((self.language, *languages)))
        one.values["default_member_moderation"] = asked.number("moderate", 0)
        if asked.number("notify", 1):
            self._send("new list", owner, one)
        return _html(b"<HTML><BODY>You have successfully created the mailing list.</BODY></HTML>", "us-ascii")

    # -- mail

    def _send(self, kind: str, to: str, one: MailingList) -> None:
        """Send a mail, and remember it."""
        self.mails.append(Mail(kind, to, one.name))
        if self._sink is None:
            return
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = (
            f"{one.name}-bounces@example.com",
            to,
            f"{one.name}: {kind}",
        )
        message.set_content(kind)
        with smtplib.SMTP(*self._sink, timeout=10) as smtp:
            smtp.send_message(message)


# -- forms ------------------------------------------------------------------------------------------------------------------


def _create_form(why: str, status: int) -> Answer:
    """The form that makes lists, with what was wrong above it."""
    note = f"<h3>{escape(why)}</h3>" if why else ""
    fields = "".join(
        f'<INPUT name="{name}" type="{kind}" value="{value}" >'
        for name, kind, value in (
            ("listname", "TEXT", ""), ("owner", "TEXT", ""), ("autogen", "RADIO", "0"), ("password", "PASSWORD", ""),
            ("confirm", "PASSWORD", ""), ("moderate", "RADIO", "0"), ("langs", "CHECKBOX", "en"), ("notify", "RADIO", "1"),
            ("auth", "PASSWORD", ""), ("doit", "SUBMIT", "Create List"),
        )
    )  # fmt: skip
    text = f'<HTML><BODY>{note}<FORM action="{BASE}/create" method="POST">{fields}</FORM></BODY></HTML>'
    return _html(text.encode("ascii", "replace"), "us-ascii", status)


def _is_fit(line: str, setting: Setting) -> bool:
    """Whether a line may stand in a list of addresses, or of addresses and patterns (GUIBase.py)."""
    if not complaint(line):
        return True
    if setting.kind == "patterns" and line.startswith("^"):
        try:
            re.compile(line)
        except re.error:
            return False
        return True
    named = setting.name.endswith("_these_nonmembers") or setting.name == "subscribe_auto_approval"
    return setting.kind == "patterns" and line.startswith("@") and named


def _pairs(raw: bytes) -> list[tuple[str, bytes]]:
    found = []
    for part in raw.split(b"&"):
        if part:
            name, _, value = part.replace(b"+", b" ").partition(b"=")
            found.append((unquote_to_bytes(name).decode("latin-1"), unquote_to_bytes(value)))
    return found


def _parts(kind: str, body: bytes) -> list[tuple[str, bytes]]:
    found_boundary = re.search(r'boundary="?([^";]+)', kind)
    if found_boundary is None:
        return []
    found = []
    for part in (b"\r\n" + body).split(b"\r\n--" + found_boundary[1].encode())[1:]:
        head, _, value = part.partition(b"\r\n\r\n")
        name = re.search(rb'name="([^"]*)"', head)
        if name:
            found.append((name[1].decode("latin-1"), value))
    return found


def _html(body: bytes, charset: str, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    return Answer(body, status, f"text/html; charset={charset}", headers or {})


__all__ = ["HOST", "Mail", "Mailman2"]
