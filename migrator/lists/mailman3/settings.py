"""A list's settings in core's words (its `config` resource, API 3.1) and in ours.

What is told and what is set go through the same table, so a setting that comes back differently is one that core keeps in another form.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any, TypeVar

from migrator.frozen import dataclass
from migrator.lists.mailman3 import headers
from migrator.lists.model import (
    OWN,
    Archive,
    AutoReply,
    Dmarc,
    FilterAction,
    Frequency,
    Joining,
    ReplyTo,
    Settings,
    Treatment,
    Visibility,
    settings_of,
)

Said = str | Sequence[str]  # as a form says it: several values of one name, "" for none
Config = Mapping[str, Any]  # Any: what JSON holds; the table knows which kind is where
Word = TypeVar("Word", bound=Enum)

# Those core knows by itself (config/schema.cfg of 3.3); a member may have no other.
LANGUAGES = frozenset({
    "ar", "ast", "bg", "ca", "cs", "da", "de", "el", "en", "es", "et", "eu", "fi", "fr", "gl", "he", "hr", "hu", "ia", "it",
    "ja", "ko", "lt", "nl", "no", "pl", "pt", "pt_BR", "ro", "ru", "sk", "sl", "sr", "sv", "tr", "uk", "vi", "zh_CN", "zh_TW",
})  # fmt: skip
# What only core has, with what a fresh list has of it.
OWN_SETTINGS: Config = {
    "archive_rendering_mode": "text",
    "bounce_notify_owner_on_bounce_increment": False,
    "dmarc_addresses": [],
    "gateway_to_mail": False,
    "gateway_to_news": False,
    "linked_newsgroup": "",
    "newsgroup_moderation": "none",
    "nntp_prefix_subject_too": True,
    "personalize": "none",
    "posting_pipeline": "default-posting-pipeline",
}
PATTERNS = {
    "accepted_patterns": "accept_these_nonmembers",
    "held_patterns": "hold_these_nonmembers",
    "rejected_patterns": "reject_these_nonmembers",
    "discarded_patterns": "discard_these_nonmembers",
}
# Where core has a resource of its own instead of a setting.
BANNED, HEADER_RULES = "banned", "header_rules"

_DURATION = re.compile(r"(\d+(?:\.\d+)?)([wdhms])")
_SECONDS = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}
_DAY = 86400


@dataclass(frozen=True, slots=True)
class _Kind:
    """How a value is said to core, and how core tells it. What is not said (None) is not set."""

    say: Callable[[Any], Said | None]  # Any: the setting's own type
    tell: Callable[[Any], Any]


def to_core(settings: Settings) -> dict[str, Said]:
    """What a form says to have these settings; those with a resource of their own are not among it."""
    said: dict[str, Said] = {}
    for name, value in settings.told().items():
        if name.startswith(OWN):
            their = name.removeprefix(OWN)
            if their in OWN_SETTINGS:
                said[their] = _own_said(their, value)
        elif name in TABLE:
            their, kind = TABLE[name]
            spoken = kind.say(value)
            if spoken is not None:
                said[their] = spoken
    return said


def from_core(config: Config) -> Settings:
    """The settings that core tells."""
    told = {name: kind.tell(config[their]) for name, (their, kind) in TABLE.items() if config.get(their) is not None}
    own = {
        f"{OWN}{name}": _own_told(config[name])
        for name, usual in OWN_SETTINGS.items()
        if name in config and config[name] != usual
    }
    return settings_of({name: value for name, value in told.items() if value is not None} | own)


def as_kept(settings: Settings) -> Settings:
    """The settings as core would tell them."""
    config = {their: _as_json(their, said) for their, said in to_core(settings).items()}
    told = from_core(config).told()
    # A setting of core's own that is as usual is told by a source that says so, and not by core.
    told |= {name: value for name, value in settings.told().items() if name.removeprefix(OWN) in OWN_SETTINGS}
    if settings.banned is not None:
        told[BANNED] = bans(settings.banned)
    if settings.header_rules is not None:
        matches = headers.matches(settings.header_rules)
        told[HEADER_RULES] = headers.rules(
            [{"header": one.header, "pattern": one.pattern, "action": one.action} for one in matches]
        )
    return settings_of(told)


def bans(banned: Sequence[str]) -> tuple[str, ...]:
    """The bans core can have: addresses and patterns, each once."""
    return tuple(sorted({one if one.startswith("^") else one.lower() for one in banned if _may_be_named(one)}))


def nonmembers_by_address(config: Config) -> dict[str, Treatment]:
    """Addresses that stand beside the patterns for nonmembers, where older cores have left them, and what happens to their posts."""
    found: dict[str, Treatment] = {}
    for their, treatment in (
        ("accept_these_nonmembers", Treatment.DEFER),
        ("hold_these_nonmembers", Treatment.HOLD),
        ("reject_these_nonmembers", Treatment.REJECT),
        ("discard_these_nonmembers", Treatment.DISCARD),
    ):
        for one in config.get(their) or ():
            if not one.startswith(("^", "@")):
                found.setdefault(one.lower(), treatment)
    return found


def days(told: str) -> int:
    """The days of a duration such as "7d" or "1d12h", begun ones too."""
    return math.ceil(sum(float(number) * _SECONDS[unit] for number, unit in _DURATION.findall(told)) / _DAY)


# -- kinds of values --------------------------------------------------------------------------------------------------


def _may_be_named(text: str) -> bool:
    return headers.is_pattern(text) if text.startswith("^") else "@" in text.strip("@")


def _flag_said(value: bool) -> str:  # noqa: FBT001 - the setting's value
    return "true" if value else "false"


def _patterns(*, other_lists: bool) -> _Kind:
    def may(one: str) -> bool:
        if one.startswith("@"):
            return other_lists and "@" in one[1:]
        return one.startswith("^") and headers.is_pattern(one)

    return _Kind(
        say=lambda value: [one for one in value if may(one)],
        tell=lambda value: tuple(one for one in value if one.startswith(("^", "@"))),
    )


def _words(meanings: Mapping[Word, str]) -> _Kind:
    back = {said: word for word, said in meanings.items()}
    return _Kind(say=meanings.__getitem__, tell=back.get)


def _aliases(value: Sequence[str]) -> list[str]:
    """2.1 takes each as a pattern; core only what begins as one, and addresses."""
    patterns = (one if one.startswith("^") or "@" in one else f"^{one}" for one in value)
    return sorted({one.lower() for one in patterns if not one.startswith("^") or headers.is_pattern(one)})


_TEXT = _Kind(say=str, tell=str)
_LINE = _Kind(say=lambda value: " ".join(value.split()) if "\n" in value or "\r" in value else value, tell=str)
_FLAG = _Kind(say=_flag_said, tell=bool)
_NUMBER = _Kind(say=str, tell=math.ceil)
_ROUNDED = _Kind(say=lambda value: str(math.ceil(value)), tell=float)
_DAYS = _Kind(say=lambda value: f"{value}d", tell=days)
_LIST = _Kind(say=list, tell=tuple)
_LANGUAGE = _Kind(say=lambda value: value if value in LANGUAGES else None, tell=str)
_TREATMENT = _words({one: one.value for one in Treatment})
_JOINING = _words({one: one.name.lower() for one in Joining})
_AUTO_REPLY = _words(
    {
        AutoReply.NONE: "none",
        AutoReply.AND_DISCARD: "respond_and_discard",
        AutoReply.AND_CONTINUE: "respond_and_continue",
    }
)
_REPLY_TO = _words(
    {
        ReplyTo.POSTER: "no_munging",
        ReplyTo.LIST: "point_to_list",
        ReplyTo.ADDRESS: "explicit_header",
        ReplyTo.ADDRESS_ONLY: "explicit_header_only",
    }
)
_DMARC = _words(
    {
        Dmarc.NOTHING: "no_mitigation",
        Dmarc.MUNGE_FROM: "munge_from",
        Dmarc.WRAP: "wrap_message",
        Dmarc.REJECT: "reject",
        Dmarc.DISCARD: "discard",
    }
)
# Strange bounces go to the list's administrators, to the host's, or nowhere.
_STRANGE = _Kind(
    say=lambda value: "administrators" if value else "discard", tell=lambda value: value == "administrators"
)

TABLE: Mapping[str, tuple[str, _Kind]] = {
    "display_name": ("display_name", _TEXT),
    "description": ("description", _LINE),
    "info": ("info", _TEXT),
    "subject_prefix": ("subject_prefix", _TEXT),
    "language": ("preferred_language", _LANGUAGE),
    "advertised": ("advertised", _FLAG),
    "members_visible_to": ("member_roster_visibility", _words({one: one.value for one in Visibility})),
    "joining": ("subscription_policy", _JOINING),
    "leaving": ("unsubscription_policy", _JOINING),
    "member_treatment": ("default_member_action", _TREATMENT),
    "nonmember_treatment": ("default_nonmember_action", _TREATMENT),
    **{ours: (theirs, _patterns(other_lists=ours == "accepted_patterns")) for ours, theirs in PATTERNS.items()},
    "emergency": ("emergency", _FLAG),
    "explicit_destination": ("require_explicit_destination", _FLAG),
    "aliases": ("acceptable_aliases", _Kind(say=_aliases, tell=tuple)),
    "administrivia": ("administrivia", _FLAG),
    "largest_message": ("max_message_size", _NUMBER),
    "most_recipients": ("max_num_recipients", _NUMBER),
    "days_to_hold": ("max_days_to_hold", _NUMBER),
    "anonymous": ("anonymous_list", _FLAG),
    "reply_to": ("reply_goes_to_list", _REPLY_TO),
    "reply_to_address": ("reply_to_address", _TEXT),
    "strips_reply_to": ("first_strip_reply_to", _FLAG),
    "list_headers": ("include_rfc2369_headers", _FLAG),
    "list_post_header": ("allow_list_posts", _FLAG),
    "dmarc": ("dmarc_mitigate_action", _DMARC),
    "dmarc_always": ("dmarc_mitigate_unconditionally", _FLAG),
    "dmarc_rejection_text": ("dmarc_moderation_notice", _TEXT),
    "dmarc_wrapping_text": ("dmarc_wrapped_message_text", _TEXT),
    "filters_content": ("filter_content", _FLAG),
    "filter_types": ("filter_types", _LIST),
    "pass_types": ("pass_types", _LIST),
    "filter_extensions": ("filter_extensions", _LIST),
    "pass_extensions": ("pass_extensions", _LIST),
    "collapses_alternatives": ("collapse_alternatives", _FLAG),
    "html_to_text": ("convert_html_to_plaintext", _FLAG),
    "filter_action": ("filter_action", _words({one: one.value for one in FilterAction})),
    "digests": ("digests_enabled", _FLAG),
    "digest_size": ("digest_size_threshold", _NUMBER),
    "digest_daily": ("digest_send_periodic", _FLAG),
    "digest_volume": ("digest_volume_frequency", _words({one: one.value for one in Frequency})),
    "archive": ("archive_policy", _words({one: one.value for one in Archive})),
    "processes_bounces": ("process_bounces", _FLAG),
    "bounce_score": ("bounce_score_threshold", _ROUNDED),
    "bounce_forget_days": ("bounce_info_stale_after", _DAYS),
    "bounce_warnings": ("bounce_you_are_disabled_warnings", _NUMBER),
    "bounce_warning_days": ("bounce_you_are_disabled_warnings_interval", _DAYS),
    "tells_owner_of_strange_bounces": ("forward_unrecognized_bounces_to", _STRANGE),
    "tells_owner_of_stopped": ("bounce_notify_owner_on_disable", _FLAG),
    "tells_owner_of_bounced_off": ("bounce_notify_owner_on_removal", _FLAG),
    "welcomes": ("send_welcome_message", _FLAG),
    "says_goodbye": ("send_goodbye_message", _FLAG),
    "tells_owner_of_requests": ("admin_immed_notify", _FLAG),
    "tells_owner_of_changes": ("admin_notify_mchanges", _FLAG),
    "tells_poster_of_hold": ("respond_to_post_requests", _FLAG),
    "replies_to_posts": ("autorespond_postings", _AUTO_REPLY),
    "reply_to_posts_text": ("autoresponse_postings_text", _TEXT),
    "replies_to_owner_mail": ("autorespond_owner", _AUTO_REPLY),
    "reply_to_owner_mail_text": ("autoresponse_owner_text", _TEXT),
    "replies_to_requests": ("autorespond_requests", _AUTO_REPLY),
    "reply_to_requests_text": ("autoresponse_request_text", _TEXT),
    "reply_again_after_days": ("autoresponse_grace_period", _DAYS),
}
_KINDS = dict(TABLE.values())


def _as_json(their: str, said: Said) -> object:
    """What core would tell of a setting after a form has said this."""
    if not isinstance(said, str):
        return list(said)
    kind = _KINDS.get(their)
    if kind is _FLAG:
        return said == "true"
    return float(said) if kind in {_NUMBER, _ROUNDED} else said


def _own_said(their: str, value: str) -> Said:
    return value.splitlines() if isinstance(OWN_SETTINGS[their], list) else value


def _own_told(value: object) -> str:
    if isinstance(value, bool):
        return _flag_said(value)
    return "\n".join(map(str, value)) if isinstance(value, list) else str(value)
