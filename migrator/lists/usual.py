"""What a list has that nobody has set anything for. Where a target has no place for a setting, one that is as usual is no loss.

What surprises: some of it hangs on the list itself (its prefix is its name in brackets), and a host's own configuration may differ; a value
that is not usual here is told, so nothing is lost in silence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from migrator.addresses import split
from migrator.lists.model import Archive, FilterAction, Frequency, Joining, ReplyTo, Treatment

Usual = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]  # Any: a setting's own type, here and below

# The same in Mailman 2.1 (Defaults.py) and in Mailman 3 (styles/base.py); what is empty, off or none is usual everywhere.
MAILMAN: Mapping[str, Any] = {
    "language": "en",
    "advertised": True,
    "joining": Joining.CONFIRM,
    "leaving": Joining.CONFIRM,
    "member_treatment": Treatment.DEFER,
    "nonmember_treatment": Treatment.HOLD,
    "explicit_destination": True,
    "administrivia": True,
    "largest_message": 40,
    "most_recipients": 10,
    "reply_to": ReplyTo.POSTER,
    "list_headers": True,
    "list_post_header": True,
    "collapses_alternatives": True,
    "filter_action": FilterAction.DISCARD,
    "digests": True,
    "digest_size": 30,
    "digest_daily": True,
    "digest_volume": Frequency.MONTHLY,
    "archive": Archive.PUBLIC,
    "processes_bounces": True,
    "bounce_score": 5.0,
    "bounce_forget_days": 7,
    "bounce_warnings": 3,
    "bounce_warning_days": 7,
    "tells_owner_of_strange_bounces": True,
    "tells_owner_of_stopped": True,
    "tells_owner_of_bounced_off": True,
    "tells_owner_of_discards": True,
    "welcomes": True,
    "says_goodbye": True,
    "tells_owner_of_requests": True,
    "tells_poster_of_hold": True,
    "reply_again_after_days": 90,
}


def usual_with(own: Mapping[str, Any]) -> Usual:
    """For `Features.usual` of a product of Mailman's kind: what is usual in both, with what is the product's `own` way."""

    def usual(address: str, told: Mapping[str, Any]) -> Mapping[str, Any]:
        name, domain = split(address)
        display_name = str(told.get("display_name", name))
        names = (name.casefold(), f"{name}_{domain}".casefold())  # as cPanel's Mailman has it
        of_this_list = {
            "display_name": display_name if display_name.casefold() in names else name.capitalize(),
            "subject_prefix": f"[{display_name}] ",
            "languages": (told.get("language", ""),),
        }
        return {**MAILMAN, **of_this_list, **own}

    return usual
