"""What Roundcube's pages and answers say, as far as address books need it.

A page carries its state as one JSON object in `rcmail.set_env(...)`; an answer to a script is JSON whose `exec` is a row of calls with
JSON arguments. Both are read as data, nothing is ever run.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from migrator.contacts.model import Card, Property
from migrator.contacts.roundcube.dialect import Sent
from migrator.frozen import dataclass

Told = Mapping[str, Any]  # Any: whatever JSON holds; looked at before use
_TOKEN = re.compile(r'<input\b[^>]*\bname="_token"[^>]*>', re.IGNORECASE)
_VALUE = re.compile(r'\bvalue="([^"]*)"', re.IGNORECASE)
_INPUT = re.compile(r"<input\b[^>]*>", re.IGNORECASE)
_AREA = re.compile(r"<textarea\b[^>]*>(.*?)</textarea>", re.IGNORECASE | re.DOTALL)
_CPANEL_FORM = re.compile(r'<form\b[^>]*\baction="/login/?"', re.IGNORECASE)
_FIELD = re.compile(r'<input\b[^>]*\bname="([^"]*)"', re.IGNORECASE)
_CODE_FIELDS = {"tfatoken", "_code_2FA"}
_CODE_WORDS = re.compile(r"\btwo.?factor\b|\b2fa\b|\btfa\b", re.IGNORECASE)
_BETWEEN = re.compile(r"\s*,?\s*")
_JSON = json.JSONDecoder()
LONGEST_QUOTE = 200  # characters of Roundcube's own words in a sentence of ours


@dataclass(frozen=True, slots=True)
class Row:
    """A contact as the list shows it."""

    id: str
    name: str
    email: str


def login_token(page: str) -> str:
    """The token of the login form; "" where there is no such form."""
    found = _TOKEN.search(page)
    value = _VALUE.search(found[0]) if found else None
    return html.unescape(value[1]) if value else ""


def is_cpanel_login(page: str) -> bool:
    """Whether a page is the login form of cPanel's webmail, which stands in front of Roundcube there."""
    form = _CPANEL_FORM.search(page)
    return form is not None and {"user", "pass"} <= {name.lower() for name in _FIELD.findall(page[form.end() :])}


def asks_for_code(page: str) -> bool:
    """Whether a page has a field for a second factor: cPanel's own, or that of Roundcube's usual plugin (twofactor_gauthenticator)."""
    return bool(_CODE_FIELDS & set(_FIELD.findall(page)))


def speaks_of_code(words: str) -> bool:
    """Whether the words of a refusal are about a second factor."""
    return _CODE_WORDS.search(words) is not None


def state(page: str) -> Told:
    """Everything a page's set_env calls say; empty where there are none."""
    found: dict[str, Any] = {}
    for arguments in calls(page, "set_env"):
        if arguments and isinstance(arguments[0], dict):
            found |= arguments[0]
    return found


def calls(script: str, name: str) -> Iterator[Sequence[Any]]:  # Any: JSON
    """The arguments of every call of this name, as far as they are JSON."""
    for found in re.finditer(rf"\b{name}\(", script):
        arguments, place = [], found.end()
        while place < len(script) and script[place] != ")":
            try:
                one, place = _JSON.raw_decode(script, place)
            except ValueError:
                break
            arguments.append(one)
            between = _BETWEEN.match(script, place)
            place = between.end() if between else place
        yield arguments


def rows(script: str) -> list[Row]:
    """The contacts of one page of the list."""
    found = []
    for arguments in calls(script, "add_contact_row"):
        if not arguments:
            continue
        last = arguments[-1] if isinstance(arguments[-1], dict) else {}
        found.append(Row(str(arguments[0]), str(last.get("name") or ""), str(last.get("email") or "")))
    return found


def values(page: str) -> list[str]:
    """What stands in the fields of a page's form."""
    found = [html.unescape(one[1]) for one in _AREA.finditer(page)]
    for one in _INPUT.finditer(page):
        value = _VALUE.search(one[0])
        found += [html.unescape(value[1])] if value else []
    return found


def complaint(script: str) -> str:
    """What Roundcube has to object, in its own words; "" where it confirms or says nothing."""
    for arguments in calls(script, "display_message"):
        if len(arguments) > 1 and arguments[1] in {"error", "warning"}:
            text = html.unescape(re.sub(r"<[^>]*>", "", str(arguments[0])))
            return " ".join(text.split())[:LONGEST_QUOTE] or str(arguments[1])
    return ""


def confirms(script: str) -> bool:
    """Whether Roundcube says that something was done."""
    return any(len(told) > 1 and told[1] == "confirmation" for told in calls(script, "display_message"))


def paired(listed: Mapping[str, Row], exported: Sequence[Card]) -> dict[str, int]:
    """Which exported card (its place) is which contact of the list: an export does not say. Those of which that is not certain are left out."""
    pairs: dict[str, int] = {}
    for mark_of_row, mark_of_card in (
        (lambda row: (_name(row.name), row.email), lambda card: (_name(card.text("FN")), _email(card))),
        (lambda row: row.email, _email),
        (lambda row: _name(row.name), lambda card: _name(card.text("FN"))),
        (lambda _: "", lambda _: ""),
    ):
        ids: dict[object, list[str]] = {}
        places: dict[object, list[int]] = {}
        for number, row in listed.items():
            if number not in pairs:
                ids.setdefault(mark_of_row(row), []).append(number)
        taken = set(pairs.values())
        for place, card in enumerate(exported):
            if place not in taken:
                places.setdefault(mark_of_card(card), []).append(place)
        for mark, (number, *more) in ids.items():
            if not more and len(places.get(mark, ())) == 1:
                pairs[number] = places[mark][0]
    return pairs


def _name(text: str) -> str:
    return " ".join(text.split()).strip(", ")


def _email(card: Card) -> str:
    return next((one.text for one in card.all("EMAIL")), "")


# -- the form of one contact --------------------------------------------------------------------------------------------------

_NAME_FIELDS = ("_surname", "_firstname", "_middlename", "_prefix", "_suffix")
_ADDRESS_FIELDS = ("", "", "_street[]", "_locality[]", "_region[]", "_zipcode[]", "_country[]")
_TYPED_FIELDS = {"EMAIL": "email", "TEL": "phone", "URL": "website"}
_LISTED_FIELDS = {"TITLE": "_jobtitle[]", "X-DEPARTMENT": "_department[]"}
_PLAIN_FIELDS = {
    "FN": "_name", "NICKNAME": "_nickname", "ORG": "_organization", "BDAY": "_birthday", "X-ANNIVERSARY": "_anniversary",
    "X-GENDER": "_gender", "X-MAIDENNAME": "_maidenname", "X-ASSISTANT": "_assistant", "X-MANAGER": "_manager",
    "X-SPOUSE": "_spouse",
}  # fmt: skip
_MESSENGERS = {
    "X-JABBER": "jabber", "X-ICQ": "icq", "X-MSN": "msn", "X-AIM": "aim", "X-YAHOO": "yahoo", "X-SKYPE-USERNAME": "skype",
}  # fmt: skip


def form(card: Sent) -> list[tuple[str, str]]:
    """The fields of the form that saves a contact. What has no field (a photo, what Roundcube leaves alone) stays as it is there."""
    fields = [field for one in card.shown for field in _fields(one)]
    notes = [one.text for one in card.shown if one.name == "NOTE"]
    if len(notes) == 1:
        return [*fields, ("_notes", notes[0])]
    return [*fields, *(("_notes[]", note) for note in notes)]


def _fields(one: Property) -> Iterator[tuple[str, str]]:
    word = min(one.types, default="")
    if one.name == "N":
        yield from zip(_NAME_FIELDS, map(one.component, range(5)), strict=True)
    elif one.name == "ADR":
        yield from ((field, one.component(place)) for place, field in enumerate(_ADDRESS_FIELDS) if field)
        yield "_subtype_address[]", word
    elif one.name in _TYPED_FIELDS:
        yield f"_{_TYPED_FIELDS[one.name]}[]", one.text
        yield f"_subtype_{_TYPED_FIELDS[one.name]}[]", word
    elif one.name in _MESSENGERS:
        yield "_im[]", one.text
        yield "_subtype_im[]", _MESSENGERS[one.name]
    elif one.name in _LISTED_FIELDS:
        yield _LISTED_FIELDS[one.name], one.text
    elif one.name in _PLAIN_FIELDS:
        yield _PLAIN_FIELDS[one.name], one.text
