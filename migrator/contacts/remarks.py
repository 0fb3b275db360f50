"""What is told of a card, in two parts: what is true of others too, so that it can be said once for all of them, and what is this one's alone."""

from __future__ import annotations

from collections.abc import Iterable

from migrator.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Remark:
    """`shared` holds no value and no name of a card; `own` does, "" where there is none to tell."""

    shared: str
    own: str = ""


def together(remarks: Iterable[Remark]) -> Remark:
    """Several as one, each part of them once."""
    several = tuple(remarks)
    return Remark(_joined(one.shared for one in several), _joined(one.own for one in several))


def _joined(texts: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(filter(None, texts)))
