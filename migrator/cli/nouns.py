"""What an admin calls the things of each room; the engine only knows subjects, actions and items."""

from __future__ import annotations

from collections.abc import Iterable

from migrator.cli import figures
from migrator.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Nouns:
    """One and many of each."""

    subject: tuple[str, str] = ("subject", "subjects")
    action: tuple[str, str] = ("part", "parts")
    item: tuple[str, str] = ("item", "items")
    sized: bool = False  # whether items have a size worth telling

    def subjects(self, number: int) -> str:
        """3 mailboxes."""
        return figures.counted(number, *self.subject)

    def actions(self, number: int) -> str:
        """3 folders."""
        return figures.counted(number, *self.action)

    def items(self, number: int) -> str:
        """3 messages."""
        return figures.counted(number, *self.item)


_BY_KIND = {
    "accounts": Nouns(("domain", "domains"), ("kind", "kinds"), ("entry", "entries")),
    "contacts": Nouns(("account", "accounts"), ("address book", "address books"), ("card", "cards")),
    "lists": Nouns(("list", "lists"), ("part", "parts"), ("entry", "entries")),
    "forms": Nouns(("database", "databases"), ("table", "tables"), ("row", "rows")),
    "mail": Nouns(("mailbox", "mailboxes"), ("folder", "folders"), ("message", "messages"), sized=True),
}


def heading(name: str, doing: str, route: str) -> str:
    """What stands above the lines of one step: "first-pass: mail, old -> new", the name only where it says more."""
    words = ", ".join(word for word in (doing, route.replace(">", " -> ")) if word)
    return words if name == doing else f"{name}: {words}"


def nouns_of(kinds: Iterable[str]) -> Nouns:
    """The room's own words as long as only one room is spoken of, else words that fit every room."""
    several = set(kinds)
    return _BY_KIND.get(several.pop(), Nouns()) if len(several) == 1 else Nouns()
