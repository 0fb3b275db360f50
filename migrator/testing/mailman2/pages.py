"""The pages: tables, forms and fields in the shapes of 2.1.39 (htmlformat.py, Cgi/admin.py). Bytes all through, in the list's charset.

`&` in the link that shows a member's address is not made safe; `<li>` is never closed; a reference that is in a value already is
left alone, so that `&#321;` in a stored text shows as Ł.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import quote

from migrator.testing.mailman2.lists import (
    NEW_MEMBER_OPTIONS,
    OPTIONS,
    MailingList,
    Member,
    Setting,
    shown,
)
from migrator.testing.mailman2.words import words

COLUMNS = 11
GREY = ' BGCOLOR="#dddddd"'
_REFERENCE_AGAIN = re.compile(r"&amp;((?:#[0-9]+|[a-z]+);)", re.IGNORECASE)


class Pages:
    """Makes the pages of one list. `charset` is what they are served in; `python3` the ways of the port that cPanel ships."""

    def __init__(self, one: MailingList, base: str, charset: str, languages: Sequence[str], *, python3: bool) -> None:
        self.list = one
        self.base = base
        self.charset = charset
        self.languages = languages
        self.python3 = python3
        self.words = words(one.language)
        self.admin = f"{base}/admin/{one.name}"

    # -- pieces

    def encode(self, text: str) -> bytes:
        """Words of ours in the charset, what it lacks as references."""
        return text.encode(self.charset, "xmlcharrefreplace")

    def safe(self, value: bytes) -> bytes:
        """A stored value as it stands in a field (Utils.websafe)."""
        text = html.escape(value.decode("latin-1"), quote=True)
        return (text if self.python3 else _REFERENCE_AGAIN.sub(r"&\1", text)).encode("latin-1")

    def name(self, member: Member) -> bytes:
        return self.safe(shown(member.name, self.charset))

    def page(self, title: str, *items: bytes) -> bytes:
        head = (
            f'<HTML>\n<HEAD>\n<META http-equiv="Content-Type" content="text/html; charset={self.charset}">\n'
            f"<TITLE>{title}</TITLE>\n</HEAD>\n"
        )
        body = b'<BODY bgcolor="white"\ndir="ltr">\n' + b"\n".join(items) + b"\n</BODY>\n</HTML>\n"
        return self.encode(head) + body

    def form(self, action: str, token: str, *items: bytes, multipart: bool = False) -> bytes:
        kind = 'enctype="multipart/form-data"' if multipart else ""
        head = f'\n<FORM action="{action}" method="POST" {kind}>\n'
        hidden = f'<input type="hidden" name="csrf_token" value="{token}">\n' if token else ""
        return self.encode(head + hidden) + b"\n".join(items) + b"\n</FORM>\n"

    def error(self, text: str) -> bytes:
        tag = f'<h3><strong><font color="#ff0000" size="+2">{self.words["error"]}</font></strong><em>{text}</em></h3>'
        return self.encode(tag)

    def submit(self, name: str = "submit") -> bytes:
        button = f'<INPUT name="{name}" type="SUBMIT" value="{self.words["submit"]}" >'
        return self.encode(
            f'<center>\n<table BORDER="0"><tr><td ALIGN="middle"><strong>{button}</strong></td></tr></table></center>'
        )

    def links(self) -> bytes:
        """The two columns of links above every form; where all posts are held, the warning too."""
        pages = ("general", "passwords", "language", "members", "nondigest", "digest", "privacy", "bounce", "archive")
        listed = "".join(f'<li><a href="{self.admin}/{page}">{page}</a>' for page in pages)
        sign = ""
        if self.list.number("emergency"):
            sign = f'<tr><td COLSPAN="2"><center><a href="?VARHELP=general/emergency"><strong>{self.words["emergency"]}</strong></a></center></td></tr>'
        return self.encode(f'<table WIDTH="100%"><tr><td><ul>{listed}</ul></td></tr>{sign}</table><hr>')

    # -- who is not logged in

    def login(self, message: str = "") -> bytes:
        """The form that asks for the password."""
        title = self.words["login"].format(list=self.list.values["real_name"])
        fields = (
            f'<FORM METHOD=POST ACTION="{self.admin}">\n{message}<TABLE WIDTH="100%" BORDER="0">\n<TR><TD><B>{title}</B></TD></TR>\n'
            '<tr><TD><div ALIGN="Right">Password:</div></TD><TD><INPUT TYPE="password" NAME="adminpw" SIZE="30"></TD></tr>\n'
            '<tr><td colspan=2 align=middle><INPUT type="SUBMIT" name="admlogin" value="Let me in...">\n</td></tr></TABLE></FORM>'
        )
        return self.page(title, self.encode(fields))

    # -- members

    def roster(
        self, token: str, members: Sequence[Member], *, everyone: Sequence[Member], letter: str, chunk: int | None,
        chunks: Sequence[Sequence[Member]], letters: Sequence[str], finding: str, legend: bool, notes: Iterable[bytes],
    ) -> bytes:  # fmt: skip
        """The membership list: `members` of `everyone` in one table; `letter` and `chunk` where it is cut."""
        action = f"{self.admin}/members" + (f"?letter={letter}" if letter else "/list")
        if chunk is not None:
            action += f"&chunk={chunk}"
        if letter:
            total = self.words["shown"].format(all=len(everyone), shown=len(members))
        else:
            total = self.words["total"].format(all=len(everyone))
        rows = [self.encode(f'<tr>\n<td COLSPAN="{COLUMNS}"{GREY}><center><em>{total}</em></center></td>\n</tr>')]
        more = f"&findmember={quote(finding)}" if finding else ""
        if letter:
            shown_letters = (
                f'<a href="{self.admin}/members?letter={one}{more}">'
                + (f"<strong>[{one.upper()}]</strong>" if one == letter else one.upper())
                + "</a>"
                for one in letters
            )
            cell = "&nbsp;&nbsp;\n".join(shown_letters)
            rows.append(self.encode(f'<tr>\n<td COLSPAN="{COLUMNS}"{GREY}><center>{cell}</center></td>\n</tr>'))
        titles = ("unsub", "member address<br>member name", "mod", "hide", "nomail<br>[reason]", "ack", "not metoo",
                  "nodupes", "digest", "plain", "language")  # fmt: skip
        rows.append(self.encode("<tr>" + "".join(f"<td{GREY}><center>{one}</center></td>" for one in titles) + "</tr>"))
        longest = max((max(len(one.name), len(one.address)) for one in members), default=0)
        rows += [self.row(one, longest) for one in members]
        table = b'<center>\n<table WIDTH="90%" BORDER="2">\n' + b"\n".join(rows) + b"\n</table>\n</center>"
        search = f'<table><tr><td><INPUT name="findmember" type="TEXT" value="{html.escape(finding)}" size="40" ></td><td><INPUT name="findmember_btn" type="SUBMIT" value="Search..." ></td></tr></table><hr><p>'
        all_of_them = '<table><tr><td><INPUT name="allmodbit_val" type="RADIO" value="0" CHECKED >Off<INPUT name="allmodbit_val" type="RADIO" value="1" >On</td><td><INPUT name="allmodbit_btn" type="SUBMIT" value="Set" ></td></tr></table>'
        return self.page(
            f"{self.list.values['real_name']} Administration (Membership)",
            *notes,
            self.form(
                action, token, self.links(), self.encode(search), self.legend() if legend else b"", table,
                self.footer(letter, chunk, chunks, more), self.submit("setmemberopts_btn"), self.encode(all_of_them),
                multipart=True,
            ),
        )  # fmt: skip

    def footer(self, letter: str, chunk: int | None, chunks: Sequence[Sequence[Member]], more: str) -> bytes:
        if chunk is None:
            return b""
        items = "".join(
            f'<li><a href="{self.admin}/members?letter={letter}&chunk={place}{more}">'
            + self.words["range"].format(start=part[0].address.lower(), end=part[-1].address.lower())
            + "</a>"
            for place, part in enumerate(chunks)
            if place != chunk
        )
        return self.encode(f"<p><em>more</em><ul>\n{items}</ul>\n<p>")

    def legend(self) -> bytes:
        user, admin, bounce, unknown = tuple(self.words["letters"])
        reasons = f"<ul><li><b>{user}</b> -- user\n<li><b>{admin}</b> -- admin\n<li><b>{bounce}</b> -- bounces\n<li><b>{unknown}</b> -- ?\n</ul>"
        words_of_it = (
            "unsub",
            "mod",
            "hide",
            f"nomail</b> -- {reasons}<b>",
            "ack",
            "not metoo",
            "nodupes",
            "digest",
            "plain",
            "language",
        )
        return self.encode("<ul>" + "".join(f"\n<li><b>{one}</b> -- ." for one in words_of_it) + "</ul><p>")

    def row(self, member: Member, longest: int) -> bytes:
        """One member's row. The address is percent-quoted in the names of its fields; the link shows it as it was typed."""
        user = quote(member.address.lower())
        hidden_words = self.words
        link = f'<a href="{self.base}/options/{self.list.name}/{user.replace("%40", "--at--")}">{member.address}</a>'
        first = self.encode(
            f'<center><INPUT name="{user}_unsub" type="CHECKBOX" value="off" ><div class="hidden">unsub</div></center>'
        )
        second = (
            self.encode(f'{link}<br><INPUT name="{user}_realname" type="TEXT" value="')
            + self.name(member)
            + self.encode(f'" size="{longest}" ><INPUT name="user" type="HIDDEN" value="{user}" >')
        )
        reason = ""
        if member.status != "enabled":
            reason = f"[{hidden_words['letters']['UAB?'.index(member.status)]}]"
        boxes = [
            (f"{user}_mod", member.moderated, ""),
            (f"{user}_hide", "hide" in member.options, ""),
            (f"{user}_nomail", member.status != "enabled", reason),
            *((f"{user}_{option}", option in member.options, "") for option in OPTIONS[1:4]),
            (f"{user}_digest", member.digest, ""),
            (f"{user}_plain", "plain" in member.options, ""),
        ]
        cells = [
            first,
            second,
            *(self.encode(f"<center>{box(name, on=on)}{more}</center>") for name, on, more in boxes),
        ]
        choices = [(one, words(one)["language"]) for one in self.list.lines("available_languages")]
        cells.append(self.encode(f"<center>{select(f'{user}_language', choices, member.language)}</center>"))
        return b"<tr>\n" + b"\n".join(b"<td>" + cell + b"</td>" for cell in cells) + b"\n</tr>"

    def mass(self, token: str, what: str, notes: Iterable[bytes]) -> bytes:
        """The form for subscribing or unsubscribing many."""
        if what == "add":
            radios = {
                "subscribe_or_invite": 0,
                "send_welcome_msg_to_this_batch": self.list.number("send_welcome_msg"),
                "send_notifications_to_list_owner": self.list.number("admin_notify_mchanges"),
            }
            area = "subscribees"
        else:
            radios = {
                "send_unsub_ack_to_this_batch": 0,
                "send_unsub_notifications_to_list_owner": self.list.number("admin_notify_mchanges"),
            }
            area = "unsubscribees"
        rows = "".join(f"<tr><td>{name}</td><td>{radio(name, value, 2)}</td></tr>" for name, value in radios.items())
        rows += f'<tr><td COLSPAN="2"><TEXTAREA NAME={area} ROWS=10 COLS=70%></TEXTAREA></td></tr>'
        rows += f'<tr><td><INPUT name="{area}_upload" type="FILE" value="" cols="50" ></td></tr>'
        rows += "<tr><td><TEXTAREA NAME=invitation ROWS=10></TEXTAREA></td></tr>" if what == "add" else ""
        table = self.encode(f"<center><table>{rows}</table></center>")
        form = self.form(
            f"{self.admin}/members/{what}", token, self.links(), table, self.submit("setmemberopts_btn"), multipart=True
        )
        return self.page(f"{self.list.values['real_name']} Administration", *notes, form)

    # -- settings

    def settings(
        self,
        token: str,
        page: str,
        settings: Sequence[Setting],
        extra: bytes,
        notes: Iterable[bytes],
        *,
        open_allowed: bool,
    ) -> bytes:
        rows = [
            self.encode(f'<tr>\n<td{GREY}><div ALIGN="right">{self.described(one)}</div></td>\n<td{GREY}>')
            + self.value(one, open_allowed=open_allowed)
            + b"</td>\n</tr>"
            for one in settings
        ]
        table = b'<table WIDTH="100%">\n' + b"\n".join(rows) + extra + b"\n</table>"
        form = self.form(
            f"{self.admin}/{page}", token, self.links(), table, self.submit(), multipart=page == "autoreply"
        )
        return self.page(f"{self.list.values['real_name']} Administration", *notes, form)

    def described(self, one: Setting) -> str:
        hint = f'{one.name} <a href="{self.admin}/?VARHELP={one.name}">(Details for <b>{one.name}</b>)</a>'
        if one.name == "new_member_options":
            hint += '<input type="hidden" name="new_member_options" value="ignore">'
        return hint

    def value(self, one: Setting, *, open_allowed: bool) -> bytes:
        value = self.list.values[one.name]
        if one.kind == "radio":
            assert isinstance(value, int)
            if one.name == "subscribe_policy" and not open_allowed:
                return self.encode(radio(one.name, value - 1, one.choices - 1))
            return self.encode(radio(one.name, value, one.choices))
        if one.kind in {"emails", "patterns"}:
            return area(one.name, self.safe("\n".join(self.list.lines(one.name)).encode("latin-1")), b" WRAP=off")
        if one.kind == "select":
            choices = [(name, words(name)["language"]) for name in self.list.lines("available_languages")]
            return self.encode(select(one.name, choices, str(value)))
        if one.kind == "checkbox":
            options = NEW_MEMBER_OPTIONS if one.name == "new_member_options" else self.languages
            on = self.list.lines(one.name)
            return self.encode("".join(f"{box(one.name, on=name in on, value=name)}{name}<br>" for name in options))
        return self._typed(one)

    def _typed(self, one: Setting) -> bytes:
        """A field that people type in, with what is stored."""
        value = self.list.values[one.name]
        held = value if isinstance(value, bytes) else self.encode(str(value))
        if one.name == "subject_prefix":
            held = shown(str(value), self.charset)
        if one.kind == "text":
            return area(one.name, self.safe(held), b" ROWS=10 COLS=55 WRAP=soft")
        if one.kind == "upload":
            upload = f'<br><INPUT name="{one.name}_upload" type="FILE" value="" >'
            return area(one.name, self.safe(held), b" WRAP=soft") + self.encode(upload)
        return self.encode(f'<INPUT name="{one.name}" type="TEXT" value="') + self.safe(held) + b'" size="55" >'

    def rules(self) -> bytes:
        """The rows of the rules that look at headers; without one, an empty row that is marked as new."""
        found = []
        for place, rule in enumerate(self.list.rules or [None], 1):
            tag = f"{place:02d}"
            new = "" if rule else f'<INPUT name="hdrfilter_new_{tag}" type="HIDDEN" value="" >'
            radios = radio(
                f"hdrfilter_action_{tag}", [0, 7, 2, 3, 6].index(rule.action) if rule else 0, 5, (0, 7, 2, 3, 6)
            )
            found.append(
                self.encode(f"<tr><td>{new}")
                + area(
                    f"hdrfilter_rebox_{tag}", self.safe(rule.pattern.encode("latin-1") if rule else b""), b" WRAP=off"
                )
                + self.encode(f'{radios}<INPUT name="hdrfilter_delete_{tag}" type="SUBMIT" value="Delete" ></td></tr>')
            )
        return b"".join(found)

    def topics(self) -> bytes:
        found = []
        for place, topic in enumerate(self.list.topics or [None], 1):
            tag = f"{place:02d}"
            name, pattern, described = topic or ("", "", "")
            new = "" if topic else f'<INPUT name="topic_new_{tag}" type="HIDDEN" value="" >'
            found.append(
                self.encode(f'<tr><td>{new}<INPUT name="topic_box_{tag}" type="TEXT" value="{html.escape(name)}" >')
                + area(f"topic_rebox_{tag}", self.encode(html.escape(pattern)), b"")
                + area(f"topic_desc_{tag}", self.encode(html.escape(described)), b"")
                + b"</td></tr>"
            )
        return b"".join(found)

    def passwords(self, token: str, notes: Iterable[bytes]) -> bytes:
        names = ("newpw", "confirmpw", "newmodpw", "confirmmodpw", "newpostpw", "confirmpostpw")
        rows = "".join(f'<tr><td><INPUT name="{name}" type="PASSWORD" value="" size="20" ></td></tr>' for name in names)
        form = self.form(f"{self.admin}/passwords", token, self.encode(f"<table>{rows}</table>"), self.submit())
        return self.page("Passwords", *notes, form)

    # -- what was done

    def outcome(self, title: str, lines: Sequence[bytes], level: int = 5) -> bytes:
        if not lines:
            return b""
        items = b"".join(b"\n<li>" + line for line in lines)
        return self.encode(f"<h{level}>{title}</h{level}>") + b"<ul>" + items + b"\n</ul>\n<p>"

    # -- one member's own page

    def options(self, token: str, member: Member) -> bytes:
        """A member's own options, as the admin sees them."""
        user = quote(member.address.lower())
        radios: Mapping[str, bool] = {
            "disablemail": member.status != "enabled",
            "digest": member.digest,
            "mime": "plain" in member.options,
            "dontreceive": "notmetoo" in member.options,
            "ackposts": "ack" in member.options,
            "conceal": "hide" in member.options,
            "nodupes": "nodupes" in member.options,
        }
        rows = "".join(f"<tr><td>{radio(name, int(on), 2)}</td></tr>" for name, on in radios.items())
        choices = [(one, words(one)["language"]) for one in self.list.lines("available_languages")]
        buttons = (
            '<INPUT name="unsub" type="SUBMIT" value="Unsubscribe" ><INPUT name="unsubconfirm" type="CHECKBOX" value="1" >'
            '<INPUT name="options-submit" type="SUBMIT" value="Submit My Changes" >'
        )
        form = self.encode(f"<table>{rows}</table>{select('language', choices, member.language)}{buttons}")
        return self.page("Options", self.form(f"{self.base}/options/{self.list.name}/{user}", token, form))


def box(name: str, *, on: bool, value: str = "") -> str:
    """A check box; a member's say "on" or "off" as they are."""
    said = value or ("on" if on else "off")
    return f'<INPUT name="{name}" type="CHECKBOX" value="{said}" {"CHECKED " if on else ""}>'


def radio(name: str, value: int, choices: int, values: Sequence[int] = ()) -> str:
    """A row of radio buttons."""
    return "".join(
        f'<INPUT name="{name}" type="RADIO" value="{values[place] if values else place}" {"CHECKED " if place == value else ""}>{place}'
        for place in range(choices)
    )


def select(name: str, choices: Sequence[tuple[str, str]], chosen: str) -> str:
    """A list to choose from."""
    options = "".join(
        f'\n<option value="{value}"{" Selected" if value == chosen else ""}>{label}</option>'
        for value, label in choices
    )
    return f'<Select name="{name}">{options}\n</Select>'


def area(name: str, value: bytes, more: bytes) -> bytes:
    """A field of several lines; its name stands without quotes."""
    return b"<TEXTAREA NAME=" + name.encode() + more + b">" + value + b"</TEXTAREA>"
