"""Which words a plan may use, and what stands behind each: step kinds and adapters.

Words are looked up as late as can be: a plan about mail never imports a panel. What we ship is in two tables; what others
publish is found by entry points, in the group `migrator.<service>.v1` for adapters and `migrator.steps.v1` for step kinds. A
word of ours cannot be taken by someone else's package.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoints, entry_points
from typing import Any, TypeVar, cast

from migrator.engine.contract import Adapter, Kind
from migrator.errors import PlanError
from migrator.meant import did_you_mean

Offered = TypeVar("Offered")

KINDS: Mapping[str, str] = {
    "accounts": "migrator.panel.step:KIND",
    "contacts": "migrator.contacts.step:KIND",
    "forms": "migrator.forms.step:KIND",
    "lists": "migrator.lists.step:KIND",
    "mail": "migrator.mail.step:KIND",
}
ADAPTERS: Mapping[tuple[str, str], str] = {
    ("contacts", "carddav"): "migrator.contacts.adapters.carddav:ADAPTER",
    ("contacts", "google_csv"): "migrator.contacts.adapters.google_csv:ADAPTER",
    ("contacts", "horde"): "migrator.contacts.adapters.horde:ADAPTER",
    ("contacts", "outlook_csv"): "migrator.contacts.adapters.outlook_csv:ADAPTER",
    ("contacts", "roundcube"): "migrator.contacts.adapters.roundcube:ADAPTER",
    ("contacts", "roundcube_db"): "migrator.contacts.adapters.roundcube_db:ADAPTER",
    ("contacts", "thunderbird"): "migrator.contacts.adapters.thunderbird:ADAPTER",
    ("contacts", "vcards"): "migrator.contacts.adapters.vcards:ADAPTER",
    ("forms", "dump"): "migrator.forms.adapters.dump:ADAPTER",
    ("forms", "files"): "migrator.forms.adapters.files:ADAPTER",
    ("forms", "mysql"): "migrator.forms.adapters.mysql:ADAPTER",
    ("forms", "phpmyadmin"): "migrator.forms.adapters.phpmyadmin:ADAPTER",
    ("forms", "postgresql"): "migrator.forms.adapters.postgresql:ADAPTER",
    ("forms", "sqlite"): "migrator.forms.adapters.sqlite:ADAPTER",
    ("lists", "csv"): "migrator.lists.adapters.csv:ADAPTER",
    ("lists", "google_csv"): "migrator.lists.adapters.google_csv:ADAPTER",
    ("lists", "mailman2"): "migrator.lists.adapters.mailman2:ADAPTER",
    ("lists", "mailman2_pck"): "migrator.lists.adapters.mailman2_pck:ADAPTER",
    ("lists", "mailman3"): "migrator.lists.adapters.mailman3:ADAPTER",
    ("lists", "panel"): "migrator.lists.adapters.panel:ADAPTER",
    ("mail", "imap"): "migrator.mail.adapters.imap:ADAPTER",
    ("mail", "maildir"): "migrator.mail.adapters.maildir:ADAPTER",
    ("mail", "mbox"): "migrator.mail.adapters.mbox:ADAPTER",
    ("panel", "cpanel"): "migrator.panel.adapters.cpanel:ADAPTER",
    ("panel", "csv"): "migrator.panel.adapters.csv:ADAPTER",
    ("panel", "directadmin"): "migrator.panel.adapters.directadmin:ADAPTER",
    ("panel", "hestia"): "migrator.panel.adapters.hestia:ADAPTER",
    ("panel", "mailcow"): "migrator.panel.adapters.mailcow:ADAPTER",
    ("panel", "modoboa"): "migrator.panel.adapters.modoboa:ADAPTER",
    ("panel", "passwd_file"): "migrator.panel.adapters.passwd_file:ADAPTER",
    ("panel", "plesk"): "migrator.panel.adapters.plesk:ADAPTER",
    ("panel", "postfix_sql"): "migrator.panel.adapters.postfix_sql:ADAPTER",
}
TOOLS: Mapping[str, str] = {
    "contacts diff": "migrator.contacts.diff:diff",
}
# What people write for a word of ours that is spelled otherwise.
ALSO_CALLED: Mapping[str, str] = {"mariadb": "mysql", "maria": "mysql", "postgres": "postgresql", "pma": "phpmyadmin"}
KINDS_GROUP = "migrator.steps.v1"
_ADAPTERS_GROUP = re.compile(r"migrator\.([a-z][a-z0-9_]*)\.v1")


class Registry:
    """Looks words up. Making one imports nothing; each object is imported when its word is first asked for."""

    def __init__(
        self,
        kinds: Mapping[str, str] = KINDS,
        adapters: Mapping[tuple[str, str], str] = ADAPTERS,
        published: Callable[[], EntryPoints] = entry_points,
    ) -> None:
        self._kinds = kinds
        self._adapters = adapters
        self._published = cache(published)

    def kind(self, word: str) -> Kind:
        """The step kind of this word. Raises PlanError if there is none, or if its package is broken."""
        found = self._load(KINDS_GROUP, word, self._kinds.get(word), Kind)
        if found is None:
            raise PlanError(f"there is no step called {_shown(word)}.{_hint(word, self.kinds())}")
        return found

    def adapter(self, service: str, word: str) -> Adapter[Any, Any]:  # Any: the service decides what sessions can do
        """The adapter of this word for a service. Raises PlanError if there is none, or if its package is broken."""
        found = self._load(f"migrator.{service}.v1", word, self._adapters.get((service, word)), Adapter)
        if found is None:
            known = self.adapters(service)
            meant = ALSO_CALLED.get(word.lower(), "")
            hint = f" Did you mean {meant}?" if meant in known else _hint(word, known)
            raise PlanError(f"there is no {service} adapter called {_shown(word)}.{hint}")
        return found

    def tool(self, words: str) -> Callable[..., Any]:  # Any: each verb knows its own tool
        """What a room offers a verb of the command line beside its step."""
        module, _, name = TOOLS[words].partition(":")
        return cast("Callable[..., Any]", getattr(import_module(module), name))

    def kinds(self) -> tuple[str, ...]:
        """The words of all step kinds; nothing is imported."""
        return tuple(sorted({*self._kinds, *self._published().select(group=KINDS_GROUP).names}))

    def adapters(self, service: str) -> tuple[str, ...]:
        """The words of all adapters for a service; nothing is imported."""
        ours = {word for of, word in self._adapters if of == service}
        return tuple(sorted(ours | self._published().select(group=f"migrator.{service}.v1").names))

    def serves(self, service: str) -> bool:
        """Whether an endpoint may have this service; what others publish is only looked at when it is none of ours."""
        return any(of == service for of, _ in self._adapters) or service in self.services()

    def services(self) -> tuple[str, ...]:
        """The services an endpoint may have; nothing is imported."""
        ours = {service for service, _ in self._adapters}
        groups = map(_ADAPTERS_GROUP.fullmatch, self._published().groups - {KINDS_GROUP})
        return tuple(sorted(ours | {found[1] for found in groups if found}))

    def _load(self, group: str, word: str, ours: str | None, expected: type[Offered]) -> Offered | None:
        if ours is not None:
            module, _, name = ours.partition(":")
            return cast("Offered", getattr(import_module(module), name))
        for entry in self._published().select(group=group, name=word):
            try:
                loaded = entry.load()
            except (ImportError, AttributeError) as error:
                raise PlanError(
                    f"the package that publishes {_shown(word)} ({entry.value}) cannot be loaded: {error}.",
                    remedy="Install what it needs, or a version that fits this migrator.",
                ) from error
            if not isinstance(loaded, expected) or getattr(loaded, "word", "") != word:
                raise PlanError(
                    f"the package that publishes {_shown(word)} ({entry.value}) offers something else under this word.",
                    remedy="Install a version that fits this migrator.",
                )
            return loaded
        return None


def _shown(word: str) -> str:
    """A word from a plan, safe to show."""
    return repr(word[:60]) if not word.isprintable() or not word.strip() else word[:60]


def _hint(word: str, known: tuple[str, ...]) -> str:
    if near := did_you_mean(word, known):
        return near
    return f" Known are {', '.join(known)}." if known else ""


REGISTRY = Registry()
