"""Somebody on a list in core's words (a row of a roster and the preferences of that membership, API 3.1) and in ours."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from migrator.addresses import split
from migrator.lists.mailman3.settings import LANGUAGES
from migrator.lists.model import Delivery, Member, Role, Stopped, Treatment

Row = Mapping[str, Any]  # Any: what JSON holds

MODES = {
    Delivery.REGULAR: "regular",
    Delivery.MIME_DIGEST: "mime_digests",
    Delivery.PLAIN_DIGEST: "plaintext_digests",
    Delivery.SUMMARY_DIGEST: "summary_digests",
}
STATUSES = {
    None: "enabled",
    Stopped.BY_USER: "by_user",
    Stopped.BY_ADMIN: "by_moderator",
    Stopped.BY_BOUNCES: "by_bounces",
    Stopped.UNKNOWN: "unknown",
}
# What a membership may leave to the preferences of its address, its user and the host, in this order.
INHERITED = frozenset(
    {"acknowledge_posts", "delivery_mode", "delivery_status", "receive_list_copy", "receive_own_postings"}
)
_LOCAL = re.compile(r"[-0-9a-z!#$%&'*+./=?@_`{}~]+", re.IGNORECASE | re.ASCII)
_LABEL = re.compile(r"[a-z0-9][-a-z0-9]*", re.IGNORECASE | re.ASCII)
_DELIVERIES = {said: one for one, said in MODES.items()}
_STOPPED = {said: one for one, said in STATUSES.items()}


def as_kept(member: Member) -> Member:
    """The member as core would show him after `add`.

    Who is stopped by bounces arrives as stopped by an admin: core's bounce runner writes to everybody it finds in that state, within
    minutes, that his delivery is off, and takes him off the list after a few such letters; when the last one went out cannot be set.
    """
    local, domain = split(member.address)
    return replace(
        member,
        address=f"{local.lower()}@{domain}" if domain else member.address,
        stopped=Stopped.BY_ADMIN if member.stopped is Stopped.BY_BOUNCES else member.stopped,
        moderation=member.moderation if member.role in {Role.MEMBER, Role.NONMEMBER} else None,
        language=member.language if member.language in LANGUAGES else "",
    )


def preferences(member: Member) -> dict[str, str]:
    """All of a membership's preferences, as a form says them, so that none is left to what the address or its user prefers elsewhere. A
    language that is the list's is not among them: core takes none that says so.
    """
    kept = as_kept(member)
    said = {
        "delivery_mode": MODES[kept.delivery],
        "delivery_status": STATUSES[kept.stopped],
        "hide_address": _flag(kept.hidden),
        "acknowledge_posts": _flag(kept.acknowledge),
        "receive_own_postings": _flag(kept.own_posts),
        "receive_list_copy": _flag(kept.list_copies),
    }
    return said | ({"preferred_language": kept.language} if kept.language else {})


def treatment(member: Member) -> str:
    """What becomes of his posts; "" for the list's rule."""
    kept = as_kept(member).moderation
    return kept.value if kept else ""


def member(row: Row, effective: Row, language: str) -> Member:
    """The member of a roster's row, with what holds for him and the language that he has of his own."""
    role = Role(row["role"])
    moderation = row.get("moderation_action")
    return Member(
        str(row["email"]),
        str(row.get("display_name") or ""),
        role,
        _DELIVERIES.get(str(effective["delivery_mode"]), Delivery.REGULAR),
        _STOPPED.get(str(effective["delivery_status"]), Stopped.UNKNOWN),
        # Core gives each owner and moderator "accept", and asks only members and nonmembers for it.
        Treatment(moderation) if moderation and role in {Role.MEMBER, Role.NONMEMBER} else None,
        hidden=bool(effective["hide_address"]),
        acknowledge=bool(effective["acknowledge_posts"]),
        own_posts=bool(effective["receive_own_postings"]),
        list_copies=bool(effective["receive_list_copy"]),
        language=language,
    )


def is_address(address: str) -> bool:
    """Whether core takes it for an address (mailman.email.validate): a domain of two parts, and no letter that it does not know."""
    local, _, domain = address.rpartition("@")
    parts = domain.split(".")
    return (
        bool(_LOCAL.fullmatch(re.sub('^"(.*)"$', r"\1", local)))
        and len(parts) > 1
        and all(map(_LABEL.fullmatch, parts))
    )


def ban_of(address: str, bans: Sequence[str]) -> str:
    """The ban that an address in lower case meets, "" without one: the address itself, or a pattern that fits from its beginning."""
    for ban in bans:
        if address == ban or (ban.startswith("^") and _fits(ban, address)):
            return ban
    return ""


def _fits(pattern: str, address: str) -> bool:
    try:
        return re.match(pattern, address, re.IGNORECASE) is not None
    except re.error:
        return False


def _flag(value: bool) -> str:  # noqa: FBT001 - the option's value
    return "true" if value else "false"
