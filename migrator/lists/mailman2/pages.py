"""What Mailman 2.1's pages say, read by the names of fields and the shape of tables, never by words: those are the list's language's.

The membership list is one table of eleven columns. Its first whole-width cell has the total and, where the list is cut, how many are
shown; a second one links a letter each. Which letter in brackets says why delivery is off differs from language to language: the
legend has them in a fixed order.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from urllib.parse import unquote

from bs4 import BeautifulSoup
from bs4.element import NavigableString, Tag
from bs4.exceptions import ParserRejectedMarkup

from migrator.errors import Misbehaved
from migrator.frozen import dataclass
from migrator.lists.mailman2.spelling import meant

COLUMNS = "11"
REASONS = "UAB?"  # the order of the legend
MEMBER_BOXES = ("mod", "hide", "nomail", "ack", "notmetoo", "nodupes", "digest", "plain")
LONGEST_QUOTE = 300
LONGEST_NUMBER = 9  # digits


@dataclass(frozen=True, slots=True)
class Row:
    """A member as the table has him. `user` is the address as the names of its fields begin, `on` the boxes that are ticked, `reason`
    one of "UAB?" while delivery is off.
    """

    user: str
    address: str
    name: str
    on: frozenset[str]
    reason: str
    language: str
    languages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RosterPage:
    """One page of the membership list. `letters` and `chunks` are what else there is to look at."""

    rows: tuple[Row, ...]
    total: int | None
    shown: int | None
    letters: tuple[str, ...]
    chunks: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Form:
    """A form's fields with what is in them; a field of check boxes may have several values or none. `choices` are what may be chosen,
    `texts` the names of fields that people type in.
    """

    values: Mapping[str, tuple[str, ...]]
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    texts: frozenset[str] = frozenset()

    def first(self, name: str) -> str:
        """A field's value; "" without one."""
        return next(iter(self.values.get(name, ())), "")


class Page:
    """One page, read."""

    def __init__(self, text: str) -> None:
        """Raises Misbehaved for what no parser of HTML reads."""
        self.text = text
        try:
            self._soup = BeautifulSoup(text, "html.parser")
        except ParserRejectedMarkup as error:
            raise Misbehaved("What the server sent in place of a page of Mailman is no HTML.") from error

    @property
    def is_whole(self) -> bool:
        """Whether it came to its end."""
        return "</html>" in self.text.lower()

    @property
    def asks_for_password(self) -> bool:
        """Whether it is the login form."""
        return self.has("adminpw")

    def has(self, name: str) -> bool:
        """Whether there is a field of this name."""
        return self._soup.find(["input", "textarea", "select"], attrs={"name": name}) is not None

    @property
    def token(self) -> str:
        """The form's token; "" without one (before 2.1.15 there was none)."""
        found = self._soup.find("input", attrs={"name": "csrf_token"})
        return _attribute(found, "value") if isinstance(found, Tag) else ""

    def complaints(self) -> list[str]:
        """The sentences that stand above a form in place of what was asked for, in the list's language."""
        found = []
        for head in self._soup.find_all("h3"):
            if isinstance(head, Tag) and head.find("em") is not None:
                told = head.find("em")
                found.append(_words(told if isinstance(told, Tag) else head))
        return [one for one in found if one]

    def headlines(self) -> list[str]:
        """What stands in large letters: pages without a form say so what went wrong."""
        return [told for one in self._soup.find_all(["h2", "h3"]) if isinstance(one, Tag) and (told := _words(one))]

    def listed(self) -> list[str]:
        """What stands behind the bullets above the form, one by one: who was subscribed, then who was not, and why."""
        form = self._soup.find("form")
        items = self._soup.find_all("li")
        inside = {id(one) for one in form.find_all("li")} if isinstance(form, Tag) else set()
        found = []
        for item in items:
            if isinstance(item, Tag) and id(item) not in inside:
                first = next((one for one in item.children if isinstance(one, NavigableString)), "")
                found.append(" ".join(str(first).split()))
        return found

    # -- members

    def roster(self) -> RosterPage:
        """The membership list's table. What is missing in it is None or empty; nothing is raised."""
        rows = tuple(self._rows())
        cells = [
            one
            for one in self._soup.find_all("td", attrs={"colspan": COLUMNS})
            if isinstance(one, Tag) and one.find("table") is None
        ]
        total, shown = self._counts(cells[0]) if cells else (None, None)
        links = cells[1].find_all("a") if len(cells) > 1 else []
        letters = dict.fromkeys(_letter(_attribute(one, "href")) for one in links if isinstance(one, Tag))
        chunks = [
            re.search(rf"[?&]chunk=([0-9]{{1,{LONGEST_NUMBER}}})(?![0-9])", _attribute(one, "href"))
            for one in self._links()
        ]
        return RosterPage(
            rows, total, shown, tuple(one for one in letters if one), tuple(int(one[1]) for one in chunks if one)
        )

    def _links(self) -> Iterator[Tag]:
        return (one for one in self._soup.find_all("a") if isinstance(one, Tag))

    @staticmethod
    def _counts(cell: Tag) -> tuple[int | None, int | None]:
        """How many there are and how many are shown; one number is both. Languages put them in either order; never are more shown than there are."""
        numbers = [int(one) for one in re.findall(r"[0-9]+", cell.get_text()) if len(one) <= LONGEST_NUMBER]
        return (max(numbers), min(numbers)) if numbers else (None, None)

    def _rows(self) -> Iterator[Row]:
        letters = self._legend()
        for hidden in self._soup.find_all("input", attrs={"name": "user"}):
            row = hidden.find_parent("tr") if isinstance(hidden, Tag) else None
            if isinstance(row, Tag) and isinstance(hidden, Tag):
                yield self._row(_attribute(hidden, "value"), row, letters)

    def _row(self, user: str, row: Tag, letters: Mapping[str, str]) -> Row:
        inputs = {_attribute(one, "name"): one for one in row.find_all("input") if isinstance(one, Tag)}
        on = frozenset(
            box for box in MEMBER_BOXES if (one := inputs.get(f"{user}_{box}")) is not None and one.has_attr("checked")
        )
        named = inputs.get(f"{user}_realname")
        reason = ""
        if "nomail" in on:
            cell = inputs[f"{user}_nomail"].find_parent("td")
            shown = re.search(r"\[\s*(\S)\s*\]", cell.get_text()) if isinstance(cell, Tag) else None
            reason = letters.get(shown[1], "?") if shown else "?"
        languages = row.find("select")
        options = (
            [one for one in languages.find_all("option") if isinstance(one, Tag)] if isinstance(languages, Tag) else []
        )
        chosen = next((_attribute(one, "value") for one in options if one.has_attr("selected")), "")
        return Row(
            user,
            self._address(unquote(user, "latin-1"), row),
            meant(_attribute(named, "value")) if named is not None else "",
            on,
            reason,
            chosen,
            tuple(_attribute(one, "value") for one in options),
        )

    def _address(self, lowered: str, row: Tag) -> str:
        """The address as it was typed. The link shows it, with an & that is not made safe."""
        link = row.find("a")
        shown = link.get_text().strip() if isinstance(link, Tag) else ""
        if shown.lower() == lowered.lower():
            return shown
        raw = re.search(rf">\s*({re.escape(lowered)})\s*</a>", self.text, re.IGNORECASE)
        return raw[1] if raw else lowered

    def _legend(self) -> Mapping[str, str]:
        """What each letter in brackets means: the legend has four single ones in a row, always in this order. Without it, the English ones."""
        letters = dict(zip(REASONS, REASONS, strict=True))
        bold = [one.get_text().strip() if isinstance(one, Tag) else "" for one in self._soup.find_all("b")]
        for place in range(len(bold) - len(REASONS) + 1):
            row = bold[place : place + len(REASONS)]
            if all(len(one) == 1 for one in row):
                return letters | dict(zip(row, REASONS, strict=True))
        return letters

    # -- the other roads

    def addresses(self, name: str) -> frozenset[str]:
        """Everybody whom the public roster page of a list links to, in lower case."""
        found = set()
        for link in self._links():
            _, marker, rest = _attribute(link, "href").partition(f"/options/{name}/")
            if marker and rest:
                found.add(unquote(rest.partition("?")[0], "latin-1").replace("--at--", "@").lower())
        return frozenset(found)

    def lists(self) -> list[str]:
        """The names of the lists that an overview links to."""
        found = [re.search(r"/admin/([^/?#\"]+)/?$", _attribute(one, "href")) for one in self._links()]
        return list(dict.fromkeys(unquote(one[1]) for one in found if one))

    def form(self, holding: str = "") -> Form:
        """The first form of the page, or the one that has a field of this name, with what stands in it. What only does something (buttons,
        files) is left out.
        """
        forms = (one for one in self._soup.find_all("form") if isinstance(one, Tag))
        chosen = next(
            (one for one in forms if not holding or one.find(None, attrs={"name": holding}) is not None), None
        )
        values: dict[str, list[str]] = {}
        choices: dict[str, list[str]] = {}
        texts: set[str] = set()
        for one in chosen.find_all(["input", "textarea", "select"]) if chosen is not None else ():
            if isinstance(one, Tag) and (name := _attribute(one, "name")):
                _take(one, name, values, choices, texts)
        return Form(
            {name: tuple(held) for name, held in values.items()},
            {name: tuple(held) for name, held in choices.items()},
            frozenset(texts),
        )


def _take(one: Tag, name: str, values: dict[str, list[str]], choices: dict[str, list[str]], texts: set[str]) -> None:
    """Note what one field of a form holds."""
    kind = _attribute(one, "type").lower() or "text"
    held = values.setdefault(name, []) if kind not in {"submit", "file", "image", "button", "reset"} else []
    if one.name == "textarea":
        texts.add(name)
        held.append(meant(one.get_text()).replace("\r\n", "\n"))
    elif one.name == "select":
        options = [option for option in one.find_all("option") if isinstance(option, Tag)]
        choices.setdefault(name, []).extend(_attribute(option, "value") for option in options)
        held.extend(_attribute(option, "value") for option in options if option.has_attr("selected"))
    elif kind in {"radio", "checkbox"}:
        choices.setdefault(name, []).append(_attribute(one, "value"))
        if one.has_attr("checked"):
            held.append(_attribute(one, "value"))
    elif kind in {"text", "hidden", "password"}:
        if kind == "text":
            texts.add(name)
        held.append(meant(_attribute(one, "value")))


def _letter(href: str) -> str:
    """The letter that a link leads to; it stands there raw, whatever it is."""
    _, _, rest = href.partition("letter=")
    encoded = re.match(r"%[0-9A-Fa-f]{2}", rest)
    return unquote(encoded[0]) if encoded else rest[:1]


def _attribute(one: Tag | None, name: str) -> str:
    value = one.get(name) if one is not None else None
    return value if isinstance(value, str) else ""


def _words(one: Tag) -> str:
    return " ".join(one.get_text().split())[:LONGEST_QUOTE]


def reasons_among(lines: Sequence[str], entry: str) -> str:
    """Why an entry was refused, of the lines behind the bullets ("entry -- why"); "" where none is about it."""
    for line in lines:
        said, marker, why = line.rpartition(" -- ")
        if marker and entry.lower() in said.lower():
            return why.strip()[:LONGEST_QUOTE]
    return ""
