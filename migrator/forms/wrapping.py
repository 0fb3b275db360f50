"""What a part of a dump is on disk: its content as it is, packed with Zstandard, sealed with age, or packed and then sealed.

What surprises: who seals cannot read. A run with public keys alone writes a dump, goes on with it and proves it by the SHA-256 of its files;
to look into one takes an identity.
"""

from __future__ import annotations

from dataclasses import field
from pathlib import Path
from typing import Final

from migrator import age
from migrator.errors import Misbehaved, PlanError
from migrator.forms import packed
from migrator.frozen import dataclass

PACKED: Final = ".zst"
SEALED: Final = ".age"


@dataclass(frozen=True, slots=True)
class Wrapping:
    """How parts are written, and what opens those that are there. `identity` is the text of an age identity file, "" without one."""

    pack: bool = False
    recipients: tuple[str, ...] = ()
    identity: str = field(default="", repr=False)

    @property
    def suffix(self) -> str:
        """Ends the names of files that are written."""
        return (PACKED if self.pack else "") + (SEALED if self.recipients else "")

    def wrapped(self, content: bytes) -> bytes:
        """What is written to disk. Raises PlanError for a recipient that is none."""
        if self.pack:
            content = packed.pack(content)
        if not self.recipients:
            return content
        try:
            return age.sealed(content, self.recipients)
        except ValueError as error:
            raise PlanError(
                "recipients holds what is no age public key (age1...).", remedy="Correct the plan."
            ) from error

    def opens(self, file: str) -> bool:
        """Whether a file of this name can be looked into."""
        return bool(self.identity) or not file.endswith(SEALED)

    def unwrapped(self, path: Path, content: bytes, size: int) -> bytes:
        """What was wrapped, `size` bytes, by the name of the file it lies in. Raises PlanError where the identity for it is missing or
        another one, Misbehaved where it holds something else.
        """
        if path.name.endswith(SEALED):
            content = self._unsealed(path, content)
        if not path.name.removesuffix(SEALED).endswith(PACKED):
            return content
        try:
            return packed.unpack(content, size)
        except ValueError as error:
            raise Misbehaved(
                f"{path} cannot be unpacked ({error}).",
                remedy="Take it from a copy of the dump, or make the dump anew.",
            ) from error

    def _unsealed(self, path: Path, content: bytes) -> bytes:
        if not self.identity:
            raise PlanError(
                f"{path} is encrypted.",
                remedy="Name the secret with the age identity that opens it as `identity` of the endpoint.",
            )
        try:
            return age.opened(content, self.identity)
        except ValueError as error:
            raise PlanError(
                f"{path} cannot be opened with the endpoint's `identity` ({error}).",
                remedy="Name the secret with the identity of one of its recipients (a line AGE-SECRET-KEY-1...).",
            ) from error
