"""What somebody is called at a product that keeps one name for a person, whatever list he is on (`Features.shares_names`).

The source's lists may call one person by several names. Which one he gets is decided before anything is written, by all lists together, so
that it does not matter which is filled first: the one that a run of ours has written stays as long as a list says it; else it is that of
the first list that has one. A name that the target had before us stays. So every list needs to have been read before the first is planned;
what was read then serves for planning it.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import field

from migrator.addresses import Names, same_form
from migrator.engine.contract import Reading
from migrator.errors import LoginRefused, MigratorError, Misbehaved, NotFound
from migrator.frozen import dataclass
from migrator.lists.contract import ListReader
from migrator.lists.decisions import BROUGHT, as_before, name_stays, name_told
from migrator.lists.model import Member, Role
from migrator.lists.moving import everybody_with_twins
from migrator.lists.naming import ListPlan

WORDS = {"owners": Role.OWNER, "moderators": Role.MODERATOR, "members": Role.MEMBER, "others": Role.NONMEMBER}


@dataclass(frozen=True, slots=True)
class Calling:
    """By their key at the target: the name each is to have, and the one that a run of ours has given him."""

    names: Mapping[str, str]
    written: Mapping[str, str]

    def is_ours(self, key: str, name: str) -> bool:
        """Whether a name that somebody has at the target is none that was there before us."""
        return name in {"", self.names.get(key, ""), self.written.get(key, "")}


@dataclass(slots=True)
class NameBook:
    """The names of all lists of one pass. Safe to ask from several threads; the first that asks reads for all."""

    _plans: Mapping[str, ListPlan] = field(default_factory=dict)  # by the subject's key
    _calling: Calling | None = None
    _read: dict[tuple[str, Role], Mapping[str, Member] | MigratorError] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, plans: Mapping[str, ListPlan]) -> None:
        """A new pass over these lists."""
        with self._lock:
            self._plans = {key: plan for key, plan in plans.items() if not plan.why}
            self._calling = None
            self._read.clear()

    def calling(self, source: ListReader, read: Reading, names: Names) -> Calling:
        """What everybody is to be called. Raises what waiting may help against; a list that cannot be read otherwise says nothing."""
        with self._lock:
            if self._calling is None:
                self._calling = self._decide(source, read, names)
            return self._calling

    def taken(self, address: str, role: Role) -> Mapping[str, Member] | None:
        """Whom the source told when the book was made, once; None if that is to be asked. Raises what was raised then."""
        with self._lock:
            found = self._read.pop((address.lower(), role), None)
        if isinstance(found, MigratorError):
            raise found
        return found

    def _decide(self, source: ListReader, read: Reading, names: Names) -> Calling:
        said: dict[str, dict[str, None]] = {}
        written: dict[str, str] = {}
        whole = True
        for key, plan in self._plans.items():
            for word, role in WORDS.items():
                for outcome in map(as_before, read.outcomes(f"{key}/{word}")):
                    if outcome.fate in BROUGHT and not name_stays(outcome.mark) and name_told(outcome.mark):
                        written.setdefault(outcome.ref, name_told(outcome.mark))
                people = self._people(source, plan.address, role)
                whole = whole and people is not None
                for one in (people or {}).values():
                    if one.name.strip():
                        said.setdefault(names.address(same_form(one.address)).lower(), {}).setdefault(one.name)
        first = {key: next(iter(several)) for key, several in said.items()}
        stays = {key: name for key, name in written.items() if name in said.get(key, {}) or not whole}
        return Calling(first | stays, written)

    def _people(self, source: ListReader, address: str, role: Role) -> Mapping[str, Member] | None:
        """Everybody of one role; None if it cannot be known."""
        if role not in source.features.roles:
            return {}
        try:
            people = everybody_with_twins(source, address, role)
        except (LoginRefused, NotFound, Misbehaved) as error:
            self._read[address.lower(), role] = error
            return None
        self._read[address.lower(), role] = people
        return people
