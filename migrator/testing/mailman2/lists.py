"""A list as Mailman 2.1 keeps it: members with their options, about 130 settings, and what its code does to names and addresses.

Python 2 knows bytes first: what a form sends is kept in the list's own charset, and names go through `canonical`, whose gaps
(an entity below 256 is one byte of the list's charset; such a byte beside a true character breaks the request) are here as they are there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from html.entities import name2codepoint
from typing import Literal

from migrator.frozen import dataclass

Kind = Literal[
    "string", "text", "radio", "number", "email", "emails", "patterns", "select", "checkbox", "host", "upload"
]
Status = Literal["enabled", "U", "A", "B", "?"]
OPTIONS = ("hide", "ack", "notmetoo", "nodupes", "plain")
NEW_MEMBER_OPTIONS = ("hide", "ack", "notmetoo", "nodupes")
FOOTER = (
    "_______________________________________________\n%(real_name)s mailing list\n%(real_name)s@%(host_name)s\n"
    "%(web_page_url)slistinfo%(cgiext)s/%(_internal_name)s\n"
)


class Bug(Exception):
    """Mailman's own code fails: the page says that a bug was hit, nothing of the request is kept."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A variable of a settings page: how it is shown, how many choices it has, what a new list has in it."""

    name: str
    kind: Kind
    value: str | int | float | tuple[str, ...] = ""
    choices: int = 2


def _radio(name: str, value: int = 0, choices: int = 2) -> Setting:
    return Setting(name, "radio", value, choices)


def _number(name: str, value: float = 0) -> Setting:
    return Setting(name, "number", value)


def _text(name: str, value: str = "") -> Setting:
    return Setting(name, "text", value)


def _patterns(name: str) -> Setting:
    return Setting(name, "patterns", ())


PAGES: Mapping[str, tuple[Setting, ...]] = {
    "general": (
        Setting("real_name", "string"), Setting("owner", "emails", ()), Setting("moderator", "emails", ()),
        Setting("description", "string"), _text("info"), Setting("subject_prefix", "string"), _radio("from_is_list", choices=3),
        _radio("anonymous_list"), _radio("first_strip_reply_to"), _radio("reply_goes_to_list", choices=3),
        Setting("reply_to_address", "email"), _radio("umbrella_list"), Setting("umbrella_member_suffix", "string", "-owner"),
        _radio("send_reminders", 1), _text("welcome_msg"), _radio("send_welcome_msg", 1), _text("goodbye_msg"),
        _radio("send_goodbye_msg", 1), _radio("admin_immed_notify", 1), _radio("admin_notify_mchanges"),
        _radio("respond_to_post_requests", 1), _radio("emergency"),
        Setting("new_member_options", "checkbox", ("nodupes",)), _radio("administrivia", 1), _number("max_message_size", 40),
        _number("admin_member_chunksize", 30), Setting("host_name", "host", "example.com"),
        _radio("include_rfc2369_headers", 1), _radio("include_list_post_header", 1), _radio("include_sender_header", 1),
        _number("max_days_to_hold"),
    ),
    "language": (
        Setting("preferred_language", "select", "en"), Setting("available_languages", "checkbox", ("en",)),
        _radio("encode_ascii_prefixes", 2, 3),
    ),
    "nondigest": (
        _radio("nondigestable", 1), _radio("personalize"), _text("msg_header"), _text("msg_footer", FOOTER),
        _radio("scrub_nondigest"), Setting("regular_exclude_lists", "emails", ()), _radio("regular_exclude_ignore", 1),
        Setting("regular_include_lists", "emails", ()),
    ),
    "digest": (
        _radio("digestable", 1), _radio("digest_is_default"), _radio("mime_is_default_digest"),
        _number("digest_size_threshhold", 30), _radio("digest_send_periodic", 1), _text("digest_header"),
        _text("digest_footer", FOOTER), _radio("digest_volume_frequency", 1, 5), _radio("_new_volume"),
        _radio("_send_digest_now"),
    ),
    "privacy/subscribing": (
        _radio("advertised", 1), _radio("subscribe_policy", 1, 4), _patterns("subscribe_auto_approval"),
        _radio("unsubscribe_policy"), _patterns("ban_list"), _radio("private_roster", 1, 3), _radio("obscure_addresses", 1),
    ),
    "privacy/sender": (
        _radio("default_member_moderation"), _number("member_verbosity_threshold"),
        _number("member_verbosity_interval", 300), _radio("member_moderation_action", choices=3),
        _text("member_moderation_notice"), _radio("dmarc_moderation_action", choices=5),
        _radio("dmarc_quarantine_moderation_action", 1), _radio("dmarc_none_moderation_action"),
        _text("dmarc_moderation_notice"), _text("dmarc_wrapped_message_text"), _text("equivalent_domains"),
        _patterns("accept_these_nonmembers"), _patterns("hold_these_nonmembers"), _patterns("reject_these_nonmembers"),
        _patterns("discard_these_nonmembers"), _radio("generic_nonmember_action", 1, 4), _radio("forward_auto_discards", 1),
        _text("nonmember_rejection_notice"),
    ),
    "privacy/recipient": (
        _radio("require_explicit_destination", 1), _text("acceptable_aliases"), _number("max_num_recipients", 10),
    ),
    "privacy/spam": (_text("bounce_matching_headers"),),
    "bounce": (
        _radio("bounce_processing", 1), _number("bounce_score_threshold", 5.0), _number("bounce_info_stale_after", 7),
        _number("bounce_you_are_disabled_warnings", 3), _number("bounce_you_are_disabled_warnings_interval", 7),
        _radio("bounce_unrecognized_goes_to_list_owner", 1), _radio("bounce_notify_owner_on_bounce_increment"),
        _radio("bounce_notify_owner_on_disable", 1), _radio("bounce_notify_owner_on_removal", 1),
    ),
    "archive": (_radio("archive", 1), _radio("archive_private"), _radio("archive_volume_frequency", 1, 5)),
    "gateway": (
        Setting("nntp_host", "string"), Setting("linked_newsgroup", "string"), _radio("gateway_to_news"),
        _radio("gateway_to_mail"), _radio("news_moderation", choices=3), _radio("news_prefix_subject_too", 1),
        _radio("_mass_catchup"),
    ),
    "autoreply": (
        _radio("autorespond_postings"), Setting("autoresponse_postings_text", "upload"), _radio("autorespond_admin"),
        Setting("autoresponse_admin_text", "upload"), _radio("autorespond_requests", choices=3),
        Setting("autoresponse_request_text", "upload"), _number("autoresponse_graceperiod", 90),
    ),
    "contentfilter": (
        _radio("filter_content"), _text("filter_mime_types"),
        _text("pass_mime_types", "multipart\nmessage/rfc822\napplication/pgp-signature\ntext/plain"),
        _text("filter_filename_extensions", "exe\nbat\ncmd\ncom\npif\nscr\nvbs\ncpl"), _text("pass_filename_extensions"),
        _radio("collapse_alternatives", 1), _radio("convert_html_to_plaintext", 1), _radio("filter_action", choices=4),
    ),
    "topics": (_radio("topics_enabled"), _number("topics_bodylines_limit", 5)),
}  # fmt: skip
SETTINGS = {one.name: one for page in PAGES.values() for one in page}


@dataclass
class Member:
    """A member: the address as typed, and what the options table shows."""

    address: str
    name: str = ""
    digest: bool = False
    status: Status = "enabled"
    moderated: bool = False
    options: frozenset[str] = frozenset({"nodupes"})
    language: str = "en"


@dataclass
class Rule:
    """A filter of headers: patterns, one a line, and the number of what happens."""

    pattern: str
    action: int = 0


@dataclass
class MailingList:
    """A list. `values` are its settings (texts as bytes of its charset), `members` by their addresses in lower case."""

    name: str
    password: str = "list-secret"
    one_time: str = ""
    values: dict[str, object] = field(default_factory=dict)
    members: dict[str, Member] = field(default_factory=dict)
    rules: list[Rule] = field(default_factory=list)
    topics: list[tuple[str, str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        given = dict(self.values)
        self.values = {one.name: one.value for one in SETTINGS.values()}
        self.values |= {"real_name": self.name.capitalize(), "subject_prefix": f"[{self.name.capitalize()}] "}
        self.values["available_languages"] = (str(given.get("preferred_language", "en")),)
        self.values |= given

    @property
    def language(self) -> str:
        return str(self.values["preferred_language"])

    @property
    def address(self) -> str:
        return f"{self.name}@{self.values['host_name']}"

    def number(self, name: str) -> int:
        """A setting that is a number."""
        value = self.values[name]
        assert isinstance(value, int | float)
        return int(value)

    def lines(self, name: str) -> tuple[str, ...]:
        """A setting of one thing a line."""
        value = self.values[name]
        assert isinstance(value, tuple)
        return value

    def add(self, member: Member) -> Member:
        """A member, as if people had subscribed."""
        self.members[member.address.lower()] = member
        return member


# -- names ------------------------------------------------------------------------------------------------------------------

_REFERENCE = re.compile(rb"&([^;]+);")


def canonical(raw: bytes, charset: str, *, python3: bool = False) -> str:
    """What Mailman makes of a name that a form sent (Utils.canonstr). Raises Bug where Python 2 would."""
    if python3:
        return _canonical3(raw)
    wide = False
    parts: list[str | bytes] = []
    for place, part in enumerate(_REFERENCE.split(raw)):
        if place % 2 == 0:
            parts.append(part)
            continue
        number = _number_of(part)
        if number is None:
            parts.append(b"?" if not part.startswith(b"#") else b"&" + part + b";")
        elif number < 256:
            parts.append(bytes([number]))
        else:
            parts.append(chr(number))
            wide = True
    if wide:
        try:
            return "".join(part if isinstance(part, str) else part.decode("ascii") for part in parts)
        except UnicodeDecodeError as error:
            raise Bug(str(error)) from error
    joined = b"".join(part for part in parts if isinstance(part, bytes))
    return joined.decode("iso-8859-1" if charset == "us-ascii" else charset, "replace")


def _canonical3(raw: bytes) -> str:
    parts = _REFERENCE.split(raw)
    found = []
    for place, part in enumerate(parts):
        number = _number_of(part) if place % 2 else None
        if place % 2 == 0:
            found.append(part.decode("utf-8", "replace"))
        elif number is not None:
            found.append(chr(number))
        else:
            found.append("?" if not part.startswith(b"#") else f"&{part.decode('utf-8', 'replace')};")
    return "".join(found)


def _number_of(reference: bytes) -> int | None:
    text = reference.decode("latin-1")
    if text.startswith("#"):
        return int(text[1:]) if text[1:].isdecimal() else None
    return name2codepoint.get(text)


def shown(name: str, charset: str) -> bytes:
    """A name as the page has it before it is made safe (Utils.uncanonstr): in the page's charset, else all but ASCII as references."""
    try:
        return name.encode(charset)
    except UnicodeEncodeError:
        return "".join(one if ord(one) < 128 else f"&#{ord(one):3d};" for one in name).encode("ascii")


# -- addresses --------------------------------------------------------------------------------------------------------------

_HOSTILE = re.compile(r'[][()<>|:;^,\\"\000-\037\177-\377]')
_VALID_DOMAIN = re.compile(r"[-a-z0-9]", re.IGNORECASE)


def complaint(address: str) -> str:
    """The word for what Utils.ValidateEmail has against an address: "", "bad address" or "hostile"."""
    if not address or " " in address or len(address) < 3:
        return "bad address"
    if _HOSTILE.search(address) or address.startswith("-") or any(ord(one) > 255 for one in address):
        return "hostile"
    local, at, domain = address.rpartition("@")
    if not at or not local or "." not in domain:
        return "bad address"
    parts = domain.split(".")
    if any(not part or not _VALID_DOMAIN.match(part[0]) or not part.replace("-", "").isalnum() for part in parts):
        return "bad address"
    return ""


def banned(address: str, patterns: tuple[str, ...]) -> str:
    """The pattern of a ban list that an address matches; "" without one."""
    for pattern in patterns:
        if pattern.startswith("^"):
            try:
                if re.search(pattern, address, re.IGNORECASE):
                    return pattern
            except re.error:
                continue
        elif pattern.lower() == address.lower():
            return pattern
    return ""
