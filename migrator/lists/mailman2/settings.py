"""Mailman 2.1's settings pages as `Settings`, and back: which field of which page says what, and in which numbers.

What a page lacks (an older Mailman, a site without Usenet) is not told. Of the settings that only Mailman 2.1 has, those are told that
are not as a new list has them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import Enum
from typing import Any

from migrator.frozen import dataclass
from migrator.lists.mailman2.pages import Form
from migrator.lists.mailman2.spelling import as_shown, name_as_shown
from migrator.lists.model import (
    OWN,
    Archive,
    AutoReply,
    Dmarc,
    FilterAction,
    Frequency,
    HeaderRule,
    Joining,
    ReplyTo,
    Settings,
    Treatment,
    Visibility,
    settings_of,
)
from migrator.lists.usual import usual_with

GENERAL, LANGUAGE, NONDIGEST, DIGEST = "general", "language", "nondigest", "digest"
SUBSCRIBING, SENDER, RECIPIENT, SPAM = "privacy/subscribing", "privacy/sender", "privacy/recipient", "privacy/spam"
BOUNCE, ARCHIVE, GATEWAY, REPLY = "bounce", "archive", "gateway", "autoreply"
CONTENT, TOPICS = "contentfilter", "topics"
PAGES = (
    GENERAL, LANGUAGE, NONDIGEST, DIGEST, SUBSCRIBING, SENDER, RECIPIENT, SPAM, BOUNCE, ARCHIVE, GATEWAY, REPLY, CONTENT, TOPICS,
)  # fmt: skip
NONMEMBERS: Mapping[Treatment, str] = {
    Treatment.ACCEPT: "accept_these_nonmembers",
    Treatment.HOLD: "hold_these_nonmembers",
    Treatment.REJECT: "reject_these_nonmembers",
    Treatment.DISCARD: "discard_these_nonmembers",
}
PATTERNS: Mapping[str, Treatment] = {
    "accepted_patterns": Treatment.ACCEPT,
    "held_patterns": Treatment.HOLD,
    "rejected_patterns": Treatment.REJECT,
    "discarded_patterns": Treatment.DISCARD,
}
MODERATED = (Treatment.HOLD, Treatment.REJECT, Treatment.DISCARD)  # member_moderation_action
JOINING = (Joining.OPEN, Joining.CONFIRM, Joining.MODERATE, Joining.CONFIRM_THEN_MODERATE)
ALL_JOINING = len(JOINING)
NO_OPEN_LISTS = "this server allows no lists that anybody may join without confirming (ALLOW_OPEN_SUBSCRIBE)"
MUNGING = (Dmarc.NOTHING, Dmarc.MUNGE_FROM, Dmarc.WRAP)  # from_is_list
DMARC = (Dmarc.NOTHING, Dmarc.MUNGE_FROM, Dmarc.WRAP, Dmarc.REJECT, Dmarc.DISCARD)
_NUMBERS = frozenset("0123456789")
RULE_ACTIONS: Mapping[Treatment, str] = {  # Defaults.py: DEFER, HOLD, REJECT, DISCARD, ACCEPT
    Treatment.DEFER: "0",
    Treatment.HOLD: "7",
    Treatment.REJECT: "2",
    Treatment.DISCARD: "3",
    Treatment.ACCEPT: "6",
}
# What every list's footer says by itself, whatever its language: a line, its name, its address and its page.
_BY_ITSELF = re.compile(
    r"_+\s*(?:\S* ?%\(real_name\)s[^\n%]*\n)?(?:%\(real_name\)s@%\(host_name\)s\s*)?(?:%\(web_page_url\)slistinfo\S*)?\s*"
)


@dataclass(frozen=True, slots=True)
class Plain:
    """A setting that is one field: `read` makes the value of what the field holds (None for what says nothing), `write` what the field is
    to hold.
    """

    page: str
    field: str
    read: Callable[[str], Any]  # Any: the setting's own type
    write: Callable[[Any], str]


def _choice(page: str, field: str, values: Sequence[Enum], **stands_in: Enum) -> Plain:
    """A row of radio buttons, numbered from 0; `stands_in` says what is chosen for members of the enumeration that have no button."""

    def write(value: Any) -> str:  # Any: a member of the enumeration
        return str(list(values).index(stands_in.get(value.name, value)))

    return Plain(page, field, lambda text: _chosen(values, text), write)


def _bool(page: str, field: str, *, turned: bool = False) -> Plain:
    return Plain(page, field, lambda text: (text != "0") != turned, lambda value: str(int(value != turned)))


def _text(page: str, field: str) -> Plain:
    return Plain(page, field, as_shown, str)


def _number(page: str, field: str) -> Plain:
    return Plain(page, field, _whole, str)


def _whole(text: str) -> int | None:
    told = _float(text)
    return None if told is None else int(told)


def _float(text: str) -> float | None:
    """A number as Mailman shows one; None for what is none."""
    return float(text) if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text.strip()) else None


def _footer(page: str, field: str) -> Plain:
    return Plain(page, field, lambda text: None if _BY_ITSELF.fullmatch(as_shown(text)) else as_shown(text), str)


def _lines(page: str, field: str) -> Plain:
    return Plain(page, field, lines, "\n".join)


def lines(text: str) -> tuple[str, ...]:
    """One thing a line, without blanks at the ends and without empty lines."""
    return tuple(one for line in text.split("\n") if (one := line.strip()))


PLAIN: Mapping[str, Plain] = {
    "display_name": _text(GENERAL, "real_name"),
    "description": _text(GENERAL, "description"),
    "info": _text(GENERAL, "info"),
    "subject_prefix": _text(GENERAL, "subject_prefix"),
    "language": _text(LANGUAGE, "preferred_language"),
    "advertised": _bool(SUBSCRIBING, "advertised"),
    "members_visible_to": _choice(
        SUBSCRIBING, "private_roster", (Visibility.PUBLIC, Visibility.MEMBERS, Visibility.MODERATORS)
    ),
    "leaving": _choice(
        SUBSCRIBING,
        "unsubscribe_policy",
        (Joining.CONFIRM, Joining.CONFIRM_THEN_MODERATE),
        OPEN=Joining.CONFIRM,
        MODERATE=Joining.CONFIRM_THEN_MODERATE,
    ),
    "joins_unmoderated": _lines(SUBSCRIBING, "subscribe_auto_approval"),
    "banned": _lines(SUBSCRIBING, "ban_list"),
    "nonmember_treatment": _choice(
        SENDER,
        "generic_nonmember_action",
        (Treatment.DEFER, Treatment.HOLD, Treatment.REJECT, Treatment.DISCARD),
        ACCEPT=Treatment.DEFER,
    ),
    "member_rejection_text": _text(SENDER, "member_moderation_notice"),
    "nonmember_rejection_text": _text(SENDER, "nonmember_rejection_notice"),
    "emergency": _bool(GENERAL, "emergency"),
    "explicit_destination": _bool(RECIPIENT, "require_explicit_destination"),
    "aliases": _lines(RECIPIENT, "acceptable_aliases"),
    "administrivia": _bool(GENERAL, "administrivia"),
    "largest_message": _number(GENERAL, "max_message_size"),
    "most_recipients": _number(RECIPIENT, "max_num_recipients"),
    "days_to_hold": _number(GENERAL, "max_days_to_hold"),
    "anonymous": _bool(GENERAL, "anonymous_list"),
    "reply_to": _choice(
        GENERAL, "reply_goes_to_list", (ReplyTo.POSTER, ReplyTo.LIST, ReplyTo.ADDRESS), ADDRESS_ONLY=ReplyTo.ADDRESS
    ),
    "reply_to_address": _text(GENERAL, "reply_to_address"),
    "strips_reply_to": _bool(GENERAL, "first_strip_reply_to"),
    "list_headers": _bool(GENERAL, "include_rfc2369_headers"),
    "list_post_header": _bool(GENERAL, "include_list_post_header"),
    "dmarc_rejection_text": _text(SENDER, "dmarc_moderation_notice"),
    "dmarc_wrapping_text": _text(SENDER, "dmarc_wrapped_message_text"),
    "header": _text(NONDIGEST, "msg_header"),
    "footer": _footer(NONDIGEST, "msg_footer"),
    "filters_content": _bool(CONTENT, "filter_content"),
    "filter_types": _lines(CONTENT, "filter_mime_types"),
    "pass_types": _lines(CONTENT, "pass_mime_types"),
    "filter_extensions": _lines(CONTENT, "filter_filename_extensions"),
    "pass_extensions": _lines(CONTENT, "pass_filename_extensions"),
    "collapses_alternatives": _bool(CONTENT, "collapse_alternatives"),
    "html_to_text": _bool(CONTENT, "convert_html_to_plaintext"),
    "filter_action": _choice(
        CONTENT,
        "filter_action",
        (FilterAction.DISCARD, FilterAction.REJECT, FilterAction.FORWARD, FilterAction.PRESERVE),
    ),
    "digests": _bool(DIGEST, "digestable"),
    "digest_by_default": _bool(DIGEST, "digest_is_default"),
    "digest_size": _number(DIGEST, "digest_size_threshhold"),
    "digest_daily": _bool(DIGEST, "digest_send_periodic"),
    "digest_volume": _choice(
        DIGEST,
        "digest_volume_frequency",
        (Frequency.YEARLY, Frequency.MONTHLY, Frequency.QUARTERLY, Frequency.WEEKLY, Frequency.DAILY),
    ),
    "digest_header": _text(DIGEST, "digest_header"),
    "digest_footer": _footer(DIGEST, "digest_footer"),
    "processes_bounces": _bool(BOUNCE, "bounce_processing"),
    "bounce_score": Plain(BOUNCE, "bounce_score_threshold", _float, str),
    "bounce_forget_days": _number(BOUNCE, "bounce_info_stale_after"),
    "bounce_warnings": _number(BOUNCE, "bounce_you_are_disabled_warnings"),
    "bounce_warning_days": _number(BOUNCE, "bounce_you_are_disabled_warnings_interval"),
    "tells_owner_of_strange_bounces": _bool(BOUNCE, "bounce_unrecognized_goes_to_list_owner"),
    "tells_owner_of_stopped": _bool(BOUNCE, "bounce_notify_owner_on_disable"),
    "tells_owner_of_bounced_off": _bool(BOUNCE, "bounce_notify_owner_on_removal"),
    "welcomes": _bool(GENERAL, "send_welcome_msg"),
    "welcome_text": _text(GENERAL, "welcome_msg"),
    "says_goodbye": _bool(GENERAL, "send_goodbye_msg"),
    "goodbye_text": _text(GENERAL, "goodbye_msg"),
    "tells_owner_of_requests": _bool(GENERAL, "admin_immed_notify"),
    "tells_owner_of_changes": _bool(GENERAL, "admin_notify_mchanges"),
    "tells_owner_of_discards": _bool(SENDER, "forward_auto_discards"),
    "tells_poster_of_hold": _bool(GENERAL, "respond_to_post_requests"),
    "replies_to_posts": _choice(
        REPLY,
        "autorespond_postings",
        (AutoReply.NONE, AutoReply.AND_CONTINUE),
        AND_DISCARD=AutoReply.AND_CONTINUE,
    ),
    "reply_to_posts_text": _text(REPLY, "autoresponse_postings_text"),
    "replies_to_owner_mail": _choice(
        REPLY, "autorespond_admin", (AutoReply.NONE, AutoReply.AND_CONTINUE), AND_DISCARD=AutoReply.AND_CONTINUE
    ),
    "reply_to_owner_mail_text": _text(REPLY, "autoresponse_admin_text"),
    "replies_to_requests": _choice(
        REPLY, "autorespond_requests", (AutoReply.NONE, AutoReply.AND_DISCARD, AutoReply.AND_CONTINUE)
    ),
    "reply_to_requests_text": _text(REPLY, "autoresponse_request_text"),
    "reply_again_after_days": _number(REPLY, "autoresponse_graceperiod"),
}
# What a new list has beside what is usual in every Mailman (Defaults.py).
USUAL = usual_with({
    "members_visible_to": Visibility.MEMBERS,
    "pass_types": ("multipart", "message/rfc822", "application/pgp-signature", "text/plain"),
    "filter_extensions": ("exe", "bat", "cmd", "com", "pif", "scr", "vbs", "cpl"),
    "html_to_text": True,
})  # fmt: skip
# What only Mailman 2.1 has: where it stands and what a new list has (Defaults.py).
OWN_FIELDS: Mapping[str, tuple[str, str]] = {
    "umbrella_list": (GENERAL, "0"),
    "umbrella_member_suffix": (GENERAL, "-owner"),
    "send_reminders": (GENERAL, "1"),
    "new_member_options": (GENERAL, "nodupes"),
    "include_sender_header": (GENERAL, "1"),
    "encode_ascii_prefixes": (LANGUAGE, "2"),
    "nondigestable": (NONDIGEST, "1"),
    "personalize": (NONDIGEST, "0"),
    "scrub_nondigest": (NONDIGEST, "0"),
    "regular_exclude_lists": (NONDIGEST, ""),
    "regular_exclude_ignore": (NONDIGEST, "1"),
    "regular_include_lists": (NONDIGEST, ""),
    "mime_is_default_digest": (DIGEST, "0"),
    "obscure_addresses": (SUBSCRIBING, "1"),
    "member_moderation_action": (SENDER, "0"),
    "member_verbosity_threshold": (SENDER, "0"),
    "member_verbosity_interval": (SENDER, "300"),
    "dmarc_quarantine_moderation_action": (SENDER, "1"),
    "dmarc_none_moderation_action": (SENDER, "0"),
    "equivalent_domains": (SENDER, ""),
    "bounce_matching_headers": (SPAM, ""),
    "bounce_notify_owner_on_bounce_increment": (BOUNCE, "0"),
    "archive_volume_frequency": (ARCHIVE, "1"),
    "nntp_host": (GATEWAY, ""),
    "linked_newsgroup": (GATEWAY, ""),
    "gateway_to_news": (GATEWAY, "0"),
    "gateway_to_mail": (GATEWAY, "0"),
    "news_moderation": (GATEWAY, "0"),
    "news_prefix_subject_too": (GATEWAY, "1"),
    "topics_enabled": (TOPICS, "0"),
    "topics_bodylines_limit": (TOPICS, "5"),
}
LISTED = frozenset({"new_member_options"})  # several boxes of one name
_SAMPLE = (  # of which a new list has the like in every version, or a sample that nobody wrote
    "# Lines that *start* with a '#' are comments."
)
ALL_TOPICS = "topics"  # of `own`: name, pattern and description of each, as JSON
_TOPIC = ("box", "rebox", "desc")
_SPECIAL = frozenset({
    "languages", "joining", "member_treatment", "header_rules", "dmarc", "dmarc_always", "archive", *PATTERNS,
})  # fmt: skip


# -- reading ----------------------------------------------------------------------------------------------------------------


def told_by(forms: Mapping[str, Form]) -> Settings:
    """The settings that these pages tell."""
    told: dict[str, Any] = {}  # Any: each setting's own type
    for name, one in PLAIN.items():
        form = forms.get(one.page)
        if form is not None and form.values.get(one.field):
            told[name] = one.read(form.first(one.field))
    told |= dict(_special(forms))
    for name, (page, usual) in OWN_FIELDS.items():
        form = forms.get(page)
        if form is not None and form.values.get(name):
            value = _own(form, name)
            if value != usual and not value.startswith(_SAMPLE):
                told[f"{OWN}{name}"] = value
    if topics := _topics(forms.get(TOPICS, Form({}))):
        told[f"{OWN}{ALL_TOPICS}"] = json.dumps(topics, ensure_ascii=False)
    return settings_of(told)


def _own(form: Form, name: str) -> str:
    if name in LISTED:
        return ",".join(sorted(set(form.values[name]) - {"ignore"}))
    return as_shown(form.first(name)).strip()


def _special(forms: Mapping[str, Form]) -> Iterable[tuple[str, Any]]:  # Any: each setting's own type
    nothing = Form({})
    general, language, sender = (forms.get(page, nothing) for page in (GENERAL, LANGUAGE, SENDER))
    if language.values.get("available_languages"):
        yield "languages", language.values["available_languages"]
    joining = forms.get(SUBSCRIBING, nothing)
    if joining.values.get("subscribe_policy"):
        yield "joining", _chosen(JOINING[_no_open_lists(joining) :], joining.first("subscribe_policy"))
    if sender.values.get("default_member_moderation"):
        on = sender.first("default_member_moderation") == "1"
        yield "member_treatment", moderation(sender) if on else Treatment.DEFER
    for name, treatment in PATTERNS.items():
        if sender.values.get(NONMEMBERS[treatment]):
            held = lines(sender.first(NONMEMBERS[treatment]))
            yield name, tuple(one for one in held if is_pattern(one))
    munging = general.first("from_is_list") or "0"
    if sender.values.get("dmarc_moderation_action") or munging != "0":
        always = munging != "0"
        yield "dmarc_always", always
        yield "dmarc", _chosen(MUNGING, munging) if always else _chosen(DMARC, sender.first("dmarc_moderation_action"))
    if (spam := forms.get(SPAM)) is not None:
        yield "header_rules", tuple(_rules(spam))
    archive = forms.get(ARCHIVE, nothing)
    if archive.values.get("archive"):
        kept = Archive.PUBLIC if archive.first("archive_private") == "0" else Archive.PRIVATE
        yield "archive", kept if archive.first("archive") == "1" else Archive.NEVER


def _chosen(values: Sequence[Enum], number: str) -> Enum | None:
    """What a radio button stands for; None for a number that only this server has."""
    return values[int(number)] if number in _NUMBERS and int(number) < len(values) else None


def _no_open_lists(form: Form) -> int:
    """Where nobody may open a list, the numbers begin at what comes after."""
    return ALL_JOINING - len(form.choices.get("subscribe_policy", ())) if _lacks_open(form) else 0


def _lacks_open(form: Form) -> bool:
    return len(form.choices.get("subscribe_policy", ())) == ALL_JOINING - 1


def _topics(form: Form) -> list[list[str]]:
    """Name, pattern and description of each topic."""
    places = sorted(name.removeprefix("topic_box_") for name in form.values if name.startswith("topic_box_"))
    told = ([as_shown(form.first(f"topic_{part}_{place}")) for part in _TOPIC] for place in places)
    return [one for one in told if one[0] and one[1]]


def is_pattern(line: str) -> bool:
    """Whether a line among addresses is a pattern or another list."""
    return line.startswith(("^", "@"))


def moderation(sender: Form) -> Treatment:
    """What becomes of posts of members who are moderated."""
    told = sender.first("member_moderation_action")
    return MODERATED[int(told)] if told in {"0", "1", "2"} else Treatment.HOLD


def _rules(spam: Form) -> Iterable[HeaderRule]:
    known = {number: treatment for treatment, number in RULE_ACTIONS.items()}
    for place in _rule_places(spam):
        treatment = known.get(spam.first(f"hdrfilter_action_{place}"), Treatment.DEFER)
        for pattern in lines(spam.first(f"hdrfilter_rebox_{place}")):
            yield HeaderRule(pattern, treatment)


def _rule_places(spam: Form) -> list[str]:
    return sorted(name.removeprefix("hdrfilter_rebox_") for name in spam.values if name.startswith("hdrfilter_rebox_"))


# -- as kept ----------------------------------------------------------------------------------------------------------------


def as_kept(settings: Settings) -> Settings:
    """The settings as Mailman 2.1 would tell them if it had them."""
    kept = dict(_kept_one_by_one(settings.told()))
    if kept.get("member_treatment") is Treatment.ACCEPT:
        kept["member_treatment"] = Treatment.DEFER
    if kept.get("dmarc_always") and kept.get("dmarc", Dmarc.NOTHING) not in MUNGING[1:]:
        kept["dmarc_always"] = False  # nothing is rejected whatever the poster's domain says
    return settings_of(kept)


def _kept_one_by_one(told: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:  # Any: each setting's own type
    for name, value in told.items():
        own = name.removeprefix(OWN)
        if name in {"description", "display_name"}:
            yield name, name_as_shown(value)
        elif name == "subject_prefix":
            yield name, as_shown(value.replace("\n", " "))
        elif name in PLAIN:
            yield name, PLAIN[name].read(PLAIN[name].write(value))
        elif name in PATTERNS:
            yield name, tuple(one.strip() for one in value if is_pattern(one.strip()))
        elif name == "header_rules":
            rules = ((pattern, rule.treatment) for rule in value for pattern in lines(as_shown(rule.pattern)))
            yield name, tuple(HeaderRule(pattern, treatment) for pattern, treatment in rules)
        elif name in _SPECIAL:
            yield name, value
        elif own in OWN_FIELDS and own != name:
            parts = set(as_shown(value).strip().split(",")) - {""}
            yield name, ",".join(sorted(parts)) if own in LISTED else as_shown(value).strip()
        elif name == f"{OWN}{ALL_TOPICS}":
            yield name, json.dumps([[as_shown(part) for part in one] for one in json.loads(value)], ensure_ascii=False)


# -- writing ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wanted:
    """What fields of a page are to hold. `refused` are names of settings with the reason why this server cannot have them."""

    fields: Mapping[str, tuple[str, ...]]
    refused: Mapping[str, str]


def pages_for(settings: Settings) -> list[str]:
    """The pages that have something to do with these settings, each once, in the order of PAGES."""
    told = settings.told()
    wanted = {PLAIN[name].page for name in told if name in PLAIN}
    wanted |= {OWN_FIELDS[own][0] for name in told if (own := name.removeprefix(OWN)) in OWN_FIELDS and name != own}
    places = {
        "languages": (LANGUAGE,),
        "joining": (SUBSCRIBING,),
        "member_treatment": (SENDER,),
        "header_rules": (SPAM,),
        "dmarc": (GENERAL, SENDER),
        "dmarc_always": (GENERAL, SENDER),
        "archive": (ARCHIVE,),
        f"{OWN}{ALL_TOPICS}": (TOPICS,),
        **dict.fromkeys(PATTERNS, (SENDER,)),
    }
    wanted |= {page for name in told for page in places.get(name, ())}
    return [page for page in PAGES if page in wanted]


def wanted_of(page: str, settings: Settings, form: Form) -> Wanted:
    """What the fields of a page are to hold for these settings, as the form stands now."""
    told = settings.told()
    fields: dict[str, tuple[str, ...]] = {}
    refused: dict[str, str] = {}
    for name, value in told.items():
        if name in PLAIN and PLAIN[name].page == page:
            _want(form, fields, refused, name, PLAIN[name].field, PLAIN[name].write(value))
        own = name.removeprefix(OWN)
        if name != own and own in OWN_FIELDS and OWN_FIELDS[own][0] == page:
            if own in LISTED:
                fields[own] = ("ignore", *filter(None, value.split(",")))
            else:
                _want(form, fields, refused, name, own, value)
    _want_special(page, told, form, fields, refused)
    return Wanted(fields, refused)


def _want(
    form: Form, fields: dict[str, tuple[str, ...]], refused: dict[str, str], name: str, field: str, value: str
) -> None:
    if field not in form.values and field not in form.choices:
        refused[name] = f"this Mailman has no {field}"
    elif field in form.choices and value not in form.choices[field]:
        refused[name] = f"this Mailman offers no {value} for {field}"
    else:
        fields[field] = (value,)


def _want_special(
    page: str,
    told: Mapping[str, Any],  # Any: each setting's own type
    form: Form,
    fields: dict[str, tuple[str, ...]],
    refused: dict[str, str],
) -> None:
    def want(name: str, field: str, value: str) -> None:
        _want(form, fields, refused, name, field, value)

    if page == LANGUAGE and "languages" in told:
        _want_languages(told, form, fields, refused)
    elif page == SUBSCRIBING and "joining" in told:
        number = JOINING.index(told["joining"]) - _no_open_lists(form)
        if number >= 0:
            want("joining", "subscribe_policy", str(number))
        refused |= {"joining": NO_OPEN_LISTS} if number < 0 else {}
    elif page == SENDER:
        _want_of_senders(told, form, want)
    elif page == GENERAL and ("dmarc" in told or "dmarc_always" in told) and "from_is_list" in form.values:
        always = told.get("dmarc_always", form.first("from_is_list") != "0")
        munging = told.get("dmarc") or _chosen(MUNGING, form.first("from_is_list"))
        fields["from_is_list"] = (str(MUNGING.index(munging)) if always and munging in MUNGING else "0",)
    elif page == ARCHIVE and "archive" in told:
        archive = told["archive"]
        want("archive", "archive", str(int(archive is not Archive.NEVER)))
        want(
            "archive", "archive_private", str(int(archive is not Archive.PUBLIC))
        )  # also if there is one again some day
    elif page == SPAM:
        fields |= _rule_fields(told["header_rules"], form) if "header_rules" in told else {}
    elif page == TOPICS:
        topics = told.get(f"{OWN}{ALL_TOPICS}")
        fields |= _topic_fields(json.loads(topics), form) if topics else {}


def _want_languages(
    told: Mapping[str, Any],  # Any: as above
    form: Form,
    fields: dict[str, tuple[str, ...]],
    refused: dict[str, str],
) -> None:
    """The languages a list offers, and its own, which may be one that it does not offer yet."""
    known = form.choices.get("available_languages", ())
    lacking = [one for one in told["languages"] if one not in known]
    if lacking:
        refused["languages"] = f"this Mailman does not know {', '.join(lacking)}"
        return
    fields["available_languages"] = tuple(told["languages"])
    if told.get("language") in told["languages"]:
        refused.pop("language", None)
        fields["preferred_language"] = (told["language"],)


def _want_of_senders(
    told: Mapping[str, Any],  # Any: as above
    form: Form,
    want: Callable[[str, str, str], None],
) -> None:
    if "member_treatment" in told:
        treatment = told["member_treatment"]
        want("member_treatment", "default_member_moderation", str(int(treatment in MODERATED)))
        if treatment in MODERATED:
            want("member_treatment", "member_moderation_action", str(MODERATED.index(treatment)))
    for name, treatment in PATTERNS.items():
        if name in told:
            field = NONMEMBERS[treatment]
            people = [one for one in lines(form.first(field)) if not is_pattern(one)]
            want(name, field, "\n".join([*people, *told[name]]))
    if "dmarc" in told:
        want("dmarc", "dmarc_moderation_action", str(DMARC.index(told["dmarc"])))


def lacking_rows(page: str, wanted: Settings, told: Settings) -> list[str]:
    """The settings of numbered rows that a page does not tell as they were to be."""
    name = {SPAM: "header_rules", TOPICS: f"{OWN}{ALL_TOPICS}"}.get(page, "")
    nothing = () if page == SPAM else "[]"
    kept = as_kept(wanted).told()
    return [name] if name in kept and told.told().get(name, nothing) != kept[name] else []


def _topic_fields(topics: Sequence[Sequence[str]], form: Form) -> dict[str, tuple[str, ...]]:
    """The fields of the topics, the first in the places of those that are there; what is left of these is deleted."""
    fields: dict[str, tuple[str, ...]] = {}
    for number, topic in enumerate(topics, 1):
        fields |= {f"topic_{part}_{number:02d}": (value,) for part, value in zip(_TOPIC, topic, strict=True)}
    for number in range(len(topics) + 1, len(_topics(form)) + 1):
        fields[f"topic_delete_{number:02d}"] = ("Delete",)
    return fields


def _rule_fields(rules: Sequence[HeaderRule], form: Form) -> dict[str, tuple[str, ...]]:
    """The fields of the rules: those that are there are deleted and those that are wanted follow, so that one request does it."""
    fields: dict[str, tuple[str, ...]] = {}
    there = _rule_places(form)
    for place in there:
        fields[f"hdrfilter_rebox_{place}"] = (form.first(f"hdrfilter_rebox_{place}") or "^x-none:",)
        fields[f"hdrfilter_action_{place}"] = ("0",)
        fields[f"hdrfilter_delete_{place}"] = ("Delete",)
    for number, rule in enumerate(rules, len(there) + 1):
        fields[f"hdrfilter_rebox_{number:02d}"] = (rule.pattern,)
        fields[f"hdrfilter_action_{number:02d}"] = (RULE_ACTIONS[rule.treatment],)
    return fields
