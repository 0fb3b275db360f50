"""A strongbox that forgets with the process; `moment` lets tests die around every change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pydantic import SecretStr


@dataclass(slots=True)
class MemoryStrongbox:
    """Fulfils Strongbox."""

    held: dict[str, SecretStr] = field(default_factory=dict)
    moment: Callable[[str], None] = lambda _: None

    def names(self) -> Sequence[str]:
        return tuple(self.held)

    def get(self, name: str) -> SecretStr | None:
        return self.held.get(name)

    def put(self, name: str, secret: SecretStr) -> None:
        self.moment("before strongbox")
        self.held[name] = secret
        self.moment("after strongbox")

    def remove(self, name: str) -> None:
        self.moment("before strongbox")
        self.held.pop(name, None)
        self.moment("after strongbox")
