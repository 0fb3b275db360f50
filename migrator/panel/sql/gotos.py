"""Destinations as Postfix' virtual tables spell them: `ann@example.com,else@example.net`. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from migrator.addresses import same_form
from migrator.errors import Refused
from migrator.panel.model import Destination, Forwarder, Way

# What a table looked up by Postfix and a folder named after it can hold: no blank, quote, comma, slash, and no dot in front.
LOCAL_PART = r"(?!\.)[A-Za-z0-9._%+&'=~-]{1,64}"
# What Dovecot lets log in unless its auth_username_chars says otherwise (seen: 2.3 refuses ann+shop@... before it looks her up).
LOGIN_PART = r"(?!\.)[A-Za-z0-9._-]{1,64}"
_ADDRESS = re.compile(r"[^\s@,;:|\"\\<>()\[\]\x00-\x1f\x7f]{1,64}@[A-Za-z0-9.-]{1,253}")


def split_goto(text: str | None) -> list[str]:
    """The single destinations of a goto, in order, each once; written by hand they may hold blanks and line ends."""
    return list(dict.fromkeys(part for part in re.split(r"[,\s]+", text or "") if part))


def as_forwarder(address: str, gotos: Sequence[str], *, has_mailbox: bool) -> Forwarder | None:
    """What the rows of one address mean; None where they only lead to its own mailbox."""
    own = same_form(address)
    destinations = [read_destination(goto) for goto in gotos]
    others = [one for one in destinations if not (one.way is Way.ADDRESS and one.value.lower() == own.lower())]
    keeps_copy = has_mailbox and len(others) < len(destinations)
    if not others and (keeps_copy or not destinations):
        return None
    return Forwarder(own, tuple(sorted(others or destinations)), keeps_copy)


def read_destination(goto: str) -> Destination:
    """A destination from one word of a goto."""
    if goto.startswith("|"):
        return Destination(goto, Way.PIPE)
    if goto == "/dev/null":
        return Destination("", Way.DISCARD)
    return Destination(same_form(goto)) if "@" in goto else Destination(goto, Way.SYSTEM)


def to_gotos(about: str, destinations: Iterable[Destination]) -> list[str]:
    """Destinations as they are written. Raises Refused for what a virtual table cannot hold."""
    gotos = []
    for destination in destinations:
        if destination.way is not Way.ADDRESS:
            raise Refused(
                f"{about}: a table of addresses cannot hold the destination “{destination}”. "
                "Make it in Postfix by hand (transport_maps, or an alias in /etc/aliases)."
            )
        if not _ADDRESS.fullmatch(destination.value):
            raise Refused(f"{about}: “{destination.value[:100]}” is no address that the table can hold.")
        gotos.append(same_form(destination.value))
    if not gotos:
        raise Refused(f"{about}: it leads nowhere.")
    return gotos
