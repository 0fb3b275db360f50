"""A small room of our own for plan tests: a registry whose words stand for the objects below, so no test waits for a real room."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import EntryPoints
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ByteSize, ConfigDict, Field, SecretStr, model_validator

from migrator.engine.contract import Account, Adapter, Kind, Login, Measure, Service
from migrator.plan.problems import PlanMistakes, Problem
from migrator.registry import Registry


class Post(Service):
    type: Literal["post"] = Field("post", description="A post office")
    host: str = Field(min_length=1, description="Where it is")
    port: int | None = Field(None, ge=1, le=65535, description="Its port")
    security: Literal["tls", "starttls", "none"] = Field("tls", description="How it is guarded")
    allow_cleartext: bool = Field(False, description="Take the risk")
    connections: int = Field(6, ge=1, description="How many doors")
    master_password: str | SecretStr | None = Field(
        None, description="Opens every box", json_schema_extra={"secret": True}
    )
    path: Path | None = Field(None, description="Where its books are", json_schema_extra={"path": True})
    seal: Path | None = Field(
        None, description="The print of its seal", json_schema_extra={"path": True, "must_exist": True}
    )

    @model_validator(mode="after")
    def _guarded(self) -> Post:
        if self.security == "none" and not self.allow_cleartext:
            raise ValueError("security: none sends passwords in clear text; say allow_cleartext: true")
        return self

    @property
    def needs_password(self) -> bool:
        return self.master_password is None


class Shelf(Service):  # knows no `type`, as an adapter may
    path: str = Field(description="Where it stands", json_schema_extra={"path": True, "one_file": [".book"]})


class Choice(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    only: tuple[str, ...] = Field((), description="These alone")
    leave: tuple[str, ...] = Field((), alias="except", description="Not these")


class LetterOptions(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    folders: Choice = Field(Choice(), description="Which folders")
    max_size: ByteSize | None = Field(None, description="The largest letter")
    how: int | Literal["fast"] = Field(1, description="How")


@dataclass
class LetterStep:
    options: LetterOptions
    accounts: Sequence[Account]


@dataclass
class Session:
    options: Service
    login: Login
    writes: bool = field(default=False)


POST = Adapter(
    "post",
    "A post office",
    Post,
    Session,
    lambda o, n: Session(o, n, writes=True),
    lambda o: (o.connections, 2),
    opens_all=lambda o: "the postmaster" if o.master_password else "",
)
SHELF = Adapter("shelf", "A shelf", Shelf, Session, lambda o, n: Session(o, n, writes=True))
ARCHIVE = Adapter("archive", "An archive", Shelf, Session, None)
LETTERS = Kind("letters", "mail", LetterOptions, LetterStep, measure=Measure.ITEMS)
CARDS = Kind("cards", "cards", LetterOptions, LetterStep)


def words() -> Registry:
    """A registry that knows only what stands above."""
    return Registry(
        kinds={"letters": "plan_words:LETTERS", "cards": "plan_words:CARDS"},
        adapters={
            ("mail", "post"): "plan_words:POST",
            ("mail", "shelf"): "plan_words:SHELF",
            ("mail", "archive"): "plan_words:ARCHIVE",
            ("cards", "shelf"): "plan_words:SHELF",
        },
        published=lambda: EntryPoints(()),
    )


def found_wrong(reading: Callable[[], object]) -> tuple[Problem, ...]:
    """The problems that reading a plan tells, none if it loads; any other error comes through, and so does a refusal of nothing."""
    try:
        reading()
    except PlanMistakes as mistakes:
        if not mistakes.problems:
            raise
        return mistakes.problems
    return ()


GOOD = """\
version: 1
name: good
secrets:
  master: {env: MASTER}
  alices: {env: ALICE}
endpoints:
  old:
    mail: {type: post, host: old.example.com, master_password: master}
  new:
    mail: {type: shelf, path: shelf}
accounts:
  - alice@example.com
  - {source: bob@example.com, target: robert@example.com, source_user: bob, source_password: alices}
defaults: {route: old -> new, on_error: continue}
steps:
  - letters: {name: first, folders: {except: [Spam]}, max_size: 50MB}
  - letters
  - verify: {letters: {sample: 5%}}
limits: {workers: 4, patience: 15m}
report: {language: es}
"""
