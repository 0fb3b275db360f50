"""What each setting of a list is called at Mailman 2.1 and at Mailman 3, and what becomes of it between them, as docs/list-settings.md has it:

    python -m migrator.testing.list_table > docs/list-settings.md

Everything but the head is made from what the adapters go by, and a test compares the page with it.
"""

from __future__ import annotations

import sys
import typing
from collections.abc import Iterator, Mapping
from dataclasses import fields
from enum import Enum
from types import NoneType

from migrator.lists.adapters import csv, google_csv, mailman2, mailman2_pck, mailman3
from migrator.lists.mailman2.settings import NONMEMBERS, OWN_FIELDS, PATTERNS, PLAIN, SENDER
from migrator.lists.mailman3.settings import BANNED, HEADER_RULES, OWN_SETTINGS, TABLE
from migrator.lists.model import MEMBER_OPTIONS, Settings
from migrator.panel.model import How

HEAD = """\
# What is set for a list, and where

What a `lists` step moves, setting by setting: the name that previews, reports and CSV files have for it, where it stands at Mailman 2.1 (page and field) and at Mailman 3 (its REST `config`), and what
becomes of it from the one to the other. "=" is kept as it is. Whatever is not kept is told once for each list; what is at its default is then no loss. Made by `python -m migrator.testing.list_table`.

Lo que mueve un paso `lists`, ajuste por ajuste: su nombre en previsualizaciones, informes y archivos CSV, dónde está en Mailman 2.1 (página y campo) y en Mailman 3 (su `config` de REST), y qué es de él al
pasar de uno a otro. «=» es que se conserva tal cual. Lo que no se conserva se dice una vez por lista; lo que está en su valor de fábrica no es entonces pérdida.
"""
# Settings of Mailman 2.1 that are no single field, and where they stand.
SEVERAL: Mapping[str, str] = {
    "languages": "language: available_languages",
    "joining": "privacy/subscribing: subscribe_policy",
    "member_treatment": "privacy/sender: default_member_moderation, member_moderation_action",
    **{name: f"{SENDER}: {NONMEMBERS[treatment]}, but for addresses" for name, treatment in PATTERNS.items()},
    "header_rules": "privacy/spam: hdrfilter_rebox, hdrfilter_action",
    "dmarc": "privacy/sender: dmarc_moderation_action; general: from_is_list",
    "dmarc_always": "general: from_is_list",
    "archive": "archive: archive, archive_private",
}
RESOURCES: Mapping[str, str] = {BANNED: "the list's `bans`", HEADER_RULES: "the list's `header-matches`"}
# Options of members: what each is called on the membership list, and in core's member or preferences.
OPTIONS: Mapping[str, tuple[str, str]] = {
    "name": ("realname", "display_name of the address"),
    "delivery": ("digest, plain", "delivery_mode"),
    "stopped": ("nomail, with why: [U], [A], [B], [?]", "delivery_status"),
    "moderation": ("mod", "moderation_action"),
    "hidden": ("hide", "hide_address"),
    "acknowledge": ("ack", "acknowledge_posts"),
    "own_posts": ("notmetoo, turned around", "receive_own_postings"),
    "list_copies": ("nodupes, turned around", "receive_list_copy"),
    "language": ("language", "preferred_language"),
}
NOWHERE = "-"


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *_settings(), "", *_members(), "", *_own(), "", *_others(), ""])


def _settings() -> Iterator[str]:
    yield "## Settings of a list"
    yield ""
    yield "| setting | values | Mailman 2.1 | Mailman 3 | from 2.1 to 3 |"
    yield "| --- | --- | --- | --- | --- |"
    hints = typing.get_type_hints(Settings)
    for name in (one.name for one in fields(Settings) if one.name != "own"):
        there = f"{PLAIN[name].page}: {PLAIN[name].field}" if name in PLAIN else SEVERAL.get(name, NOWHERE)
        core = TABLE[name][0] if name in TABLE else RESOURCES.get(name, NOWHERE)
        yield f"| `{name}` | {_values(name, hints[name])} | {there} | {core} | {_becomes(f'list.{name}', core)} |"


def _members() -> Iterator[str]:
    yield "## Options of a member"
    yield ""
    yield "| option | Mailman 2.1 | Mailman 3 | from 2.1 to 3 |"
    yield "| --- | --- | --- | --- |"
    for name in MEMBER_OPTIONS:
        there, core = OPTIONS[name]
        yield f"| `{name}` | {there} | {core} | {_becomes(f'member.{name}', core)} |"


def _own() -> Iterator[str]:
    yield "## What only one of them has"
    yield ""
    yield "It goes from one to another of the same kind, and through CSV files (`own.` before its name), where it is not as a new list has it."
    yield ""
    yield f"- Mailman 2.1: {', '.join(f'`{name}`' for name in OWN_FIELDS)}, `topics`."
    yield f"- Mailman 3: {', '.join(f'`{name}`' for name in OWN_SETTINGS)}."


def _others() -> Iterator[str]:
    yield "## The other way, and elsewhere"
    yield ""
    for title, adapter in (("Mailman 2.1 as a target", mailman2), ("Mailman 3 as a source", mailman3)):
        keeps = adapter.FEATURES.keeps if adapter is mailman2 else adapter.FEATURES.tells
        yield f"- {title}:"
        yield from (
            f"  - `{name.partition('.')[2]}`: {'not told: ' if one.how is How.LOST else ''}{one.why}"
            for name, one in keeps.items()
        )
    yield f"- {csv.FEATURES.title} keep everything; {mailman2_pck.FEATURES.title} tells everything."
    yield f"- {google_csv.FEATURES.title} keeps who is a member, an owner or a moderator, and nothing else."


def _becomes(name: str, core: str) -> str:
    keep = mailman3.FEATURES.kept(name)
    if keep.how is How.LOST or core == NOWHERE:
        return f"not kept: {keep.why or 'there is nothing like it'}"
    return "=" if keep.how is How.KEPT else keep.why.replace("|", "\\|")


def _values(name: str, hint: object) -> str:
    """What may be said, and how core says it where that differs."""
    kind = next(one for one in typing.get_args(hint) if one is not NoneType)
    if isinstance(kind, type) and issubclass(kind, Enum):
        say = TABLE[name][1].say if name in TABLE else str
        return "; ".join(_value(one, say(one)) for one in kind)
    if typing.get_origin(kind) is tuple:
        return "several"
    return {bool: "yes, no", str: "text", int: "number", float: "number"}[kind]


def _value(one: Enum, core: object) -> str:
    return str(one.value) if core in {one.value, None} else f"{one.value} (`{core}`)"


if __name__ == "__main__":
    sys.stdout.write(page())
