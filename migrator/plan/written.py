"""The shape of a plan as a person writes it. Every description here becomes editor help and documentation.

Endpoints and steps are only outlined: their options belong to adapters and rooms, and `load.py` lets those check them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    JsonValue,
    Tag,
    WithJsonSchema,
)

from migrator.secrets import SecretSource

SECRET: dict[str, JsonValue] = {"secret": True}  # the field holds the name of a secret
PATH: dict[str, JsonValue] = {"path": True}  # the field holds a path; a relative one starts at the plan's folder
MUST_EXIST: dict[str, JsonValue] = {**PATH, "must_exist": True}  # the same, and a file has to be there
ONE_FILE = (
    "one_file"  # beside PATH: the endings of single files that hold what is one account's; a folder holds everybody's
)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_ROUTE = re.compile(r"\s*([^\s>]+)\s*->\s*([^\s>]+)\s*")
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(s|m|h)")
_PERCENT = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*%")
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError("may hold letters, digits, dots, - and _, and begins with a letter or a digit.")
    return text


def _route(text: str) -> str:
    if not _ROUTE.fullmatch(text):
        raise ValueError("must be two endpoints with an arrow between them, such as: old -> new.")
    return text


def _seconds(value: Any) -> Any:  # Any: whatever the plan says; what is not ours goes on to the field's own check
    if isinstance(value, str):
        found = _DURATION.fullmatch(value)
        if not found:
            raise ValueError("must be a duration, such as 90s, 15m or 2h.")
        return float(found[1]) * _SECONDS[found[2]]
    return value


def _share(value: Any) -> Any:  # Any: as above
    if value == "all":
        return 1.0
    if isinstance(value, str) and (found := _PERCENT.fullmatch(value)):
        value = float(found[1]) / 100
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError("must be a share of the items: a percentage such as 5%, a number from 0 to 1, or all.")
    return float(value)


Name = Annotated[str, AfterValidator(_name), WithJsonSchema({"type": "string", "pattern": f"^{_NAME.pattern}$"})]
RouteText = Annotated[str, AfterValidator(_route), WithJsonSchema({"type": "string", "pattern": f"^{_ROUTE.pattern}$"})]
Seconds = Annotated[
    float,
    BeforeValidator(_seconds),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string", "pattern": f"^{_DURATION.pattern}$"}]}),
]
Share = Annotated[
    float,
    BeforeValidator(_share),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0, "maximum": 1},
                {"type": "string", "pattern": f"^{_PERCENT.pattern}$"},
                {"const": "all"},
            ]
        }
    ),
]


class _Written(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AccountLine(_Written):
    """One account, where its two sides differ or need logins of their own."""

    source: str = Field(description="The mailbox's address at the source.")
    target: str | None = Field(None, description="Its address at the target; the same as at the source unless given.")
    source_user: str | None = Field(
        None, description="What the source wants to hear as user name; the address unless given."
    )
    source_password: str | None = Field(
        None, description="The secret that is the password there.", json_schema_extra=SECRET
    )
    target_user: str | None = Field(
        None, description="What the target wants to hear as user name; the address unless given."
    )
    target_password: str | None = Field(
        None, description="The secret that is the password there.", json_schema_extra=SECRET
    )


class AccountsFrom(_Written):
    """Accounts read from elsewhere, and which of them are meant."""

    origin: str = Field(
        alias="from",
        description="An endpoint whose panel is asked who lives there, or a CSV with the columns source, target, source_user, source_password, target_user, target_password; only source is "
        "required. With passwords in it the file must be its owner's alone (mode 0600).",
    )
    domains: list[str] = Field(default=[], description="Only addresses of these domains; `*` and `?` match.")
    select: list[str] = Field(default=[], description="Only these addresses; `*` and `?` match.")
    leave_out: list[str] = Field(default=[], alias="except", description="Not these addresses; `*` and `?` match.")
    rename: dict[str, str] = Field(
        default={},
        description="Address at the source: address at the target, for accounts whose row names no target. A `*` stands for the same text "
        'on both sides: "*@a.example": "*@b.example".',
    )
    passwords: str | None = Field(
        None,
        description="Another CSV with the same columns that adds the passwords, and names at the target, where it has them; accounts that are not in `from` are passed over.",
    )


def _account_shape(value: Any) -> str | None:  # Any: whatever the plan says
    return "address" if isinstance(value, str) else "line" if isinstance(value, dict | AccountLine) else None


# The names of branches hold a blank, so that none is taken for a key of the plan.
def _accounts_shape(value: Any) -> str | None:  # Any: whatever the plan says
    return (
        "a list" if isinstance(value, list | tuple) else "a source" if isinstance(value, dict | AccountsFrom) else None
    )


AccountEntry = Annotated[
    Annotated[str, Tag("address")] | Annotated[AccountLine, Tag("line")],
    Discriminator(
        _account_shape,
        custom_error_type="sentence",
        custom_error_message="must be an address, or a mapping with source and target.",
    ),
]
Accounts = Annotated[
    Annotated[list[AccountEntry], Tag("a list")] | Annotated[AccountsFrom, Tag("a source")],
    Discriminator(
        _accounts_shape,
        custom_error_type="sentence",
        custom_error_message="must be a list of addresses, or a mapping with from.",
    ),
]


class Defaults(_Written):
    """What every step does unless it says otherwise."""

    route: RouteText | None = Field(None, description="From which endpoint to which, such as `old -> new`.")
    on_error: Literal["continue", "stop"] = Field(
        "continue",
        description="When something fails in a step: go on with the next steps and report it, or end the run after that step.",
    )


class StepWords(_Written):
    """What every step understands, whatever its kind."""

    name: Name | None = Field(
        None, description="The step's name; its kind unless given. Two steps of one kind need two names."
    )
    route: RouteText | None = Field(None, description="From which endpoint to which; the default route unless given.")
    on_error: Literal["continue", "stop"] | None = Field(None, description="As in defaults, for this step.")


class Sample(_Written):
    """How closely one kind of step is verified."""

    sample: Share = Field(1.0, description="The share of items whose content is read on both sides: 5%, 0.05 or all.")


class Limits(_Written):
    """What a run may use, and what it may never do."""

    workers: int = Field(8, ge=1, le=256, description="How many things are worked on at once, in all.")
    patience: Seconds = Field(
        900.0,
        ge=0,
        allow_inf_nan=False,
        description="How long one action may wait for a server to come back, in all: 90s, 15m or 2h.",
    )
    deletions: Literal[0] = Field(
        0,
        description="How many things may be deleted at a target. Nothing is: the only value is 0. A membership of a mailing list that a run "
        "of ours brought ends with the one at the source (lists: leavers).",
    )


class ReportOptions(_Written):
    """What the report looks like."""

    title: str | None = Field(None, description="The headline; the plan's name unless given.")
    language: Literal["en", "es"] = Field("en", description="The language of the report.")
    folder: str | None = Field(
        None, min_length=1, description="Where reports are put; beside the plan unless given.", json_schema_extra=PATH
    )


class HandoutOptions(_Written):
    """Where passwords that are made during the move go: a file beside the plan that is its owner's alone."""

    recipient: str | None = Field(
        None,
        pattern=r"^age1[0-9a-z]+$",
        description="An age public key (age1...): the file is encrypted to it, and only its holder can read it.",
    )


class PlanFile(_Written):
    """A plan: what moves, from where to where, in which steps."""

    version: Literal[1] = Field(1, description="The version of this format.")
    name: Name | None = Field(None, description="The plan's name in reports; the file's name unless given.")
    secrets: dict[Name, SecretSource] = Field(
        default={}, description="Where passwords come from. The rest of the plan only names them."
    )
    endpoints: dict[Name, dict[str, dict[str, JsonValue]]] = Field(
        description="The hosts, and for each the services it offers and how to reach them."
    )
    accounts: Accounts = Field(
        default=[],
        description="Whose things move: a list of addresses, or where to read them. Not needed where every step moves what is nobody's own.",
    )
    defaults: Defaults = Field(default=Defaults(), description="What every step does unless it says otherwise.")
    steps: list[JsonValue] = Field(description="What is done, in this order: words, or words with options.")
    limits: Limits = Field(default=Limits(), description="What a run may use, and what it may never do.")
    handout: HandoutOptions = Field(
        default=HandoutOptions(), description="What becomes of passwords that are made during the move."
    )
    report: ReportOptions = Field(default=ReportOptions(), description="What the report looks like.")


def two_ends(route: str) -> tuple[str, str]:
    """The two endpoints of a route that was found well written."""
    found = _ROUTE.fullmatch(route)
    assert found
    return found[1], found[2]


def marked(options: type[BaseModel], mark: Mapping[str, JsonValue]) -> dict[str, str]:
    """The fields of an options class that carry a mark, each with its word in the plan."""
    return {
        name: field.alias or name
        for name, field in options.model_fields.items()
        if isinstance(field.json_schema_extra, dict) and mark.items() <= field.json_schema_extra.items()
    }


def single_files(options: BaseModel, folder: Path) -> dict[str, Path]:
    """Those of the options' paths that name one file where a folder would hold everybody's, each by its word in the plan."""
    words = marked(type(options), PATH)
    found: dict[str, Path] = {}
    for name, path in absolute(options, folder).items():
        extra = type(options).model_fields[name].json_schema_extra
        endings = extra.get(ONE_FILE) if isinstance(extra, dict) else None
        if isinstance(endings, list):
            likely = os.path.splitext(path)[1].lower() in endings and not os.path.isdir(path)  # noqa: PTH112, PTH122 - as in load.py
            if likely or os.path.isfile(path):  # noqa: PTH113 - as above
                found[words[name]] = Path(path)
    return found


def absolute(options: BaseModel, folder: Path, mark: Mapping[str, JsonValue] = PATH) -> dict[str, str | Path]:
    """The options' marked paths, made absolute: `~` is the home folder, and a relative one starts at `folder`."""
    found: dict[str, str | Path] = {}
    for name in marked(type(options), mark):
        value = getattr(options, name)
        if isinstance(value, str | Path):
            found[name] = type(value)(folder / os.path.expanduser(value))  # noqa: PTH111 - Path's raises for ~nobody
    return found
