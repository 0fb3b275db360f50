"""What a plan may say about a `lists` step. Descriptions here become editor help and documentation."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from migrator.addresses import split
from migrator.lists.model import OWN, SETTINGS
from migrator.meant import perhaps


class SettingOptions(BaseModel):
    """Which settings of lists move. Names are those of docs/list-settings.md."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    except_: tuple[str, ...] = Field(
        default=(),
        alias="except",
        description="Settings that stay behind and are not counted as left behind, such as languages where the target has no place for them.",
    )

    @field_validator("except_")
    @classmethod
    def _known(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        for name in given:
            if name not in SETTINGS and not name.startswith(OWN):
                raise ValueError(f"{name} is no setting of a list{perhaps(name, SETTINGS)}")
        return given


class ListsOptions(BaseModel):
    """Options of a `lists` step."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    only: tuple[str, ...] = Field(
        default=(),
        description="Move these lists and nothing else, by address at the source; `*` and `?` match.",
    )
    except_: tuple[str, ...] = Field(
        default=(), alias="except", description="Leave these lists out; `*` and `?` match."
    )
    domains: tuple[str, ...] = Field(
        default=(),
        description="Domains whose lists move beside those of the plan's accounts, such as lists.example.com. Where the plan has neither "
        "accounts nor these, every list moves.",
    )
    map: dict[str, str] = Field(
        default_factory=dict, description="List at the source: list at the target, both whole addresses."
    )
    hold: Literal["while-filling", "keep", "never"] = Field(
        default="while-filling",
        description="Hold all posts to a list that the step makes (emergency moderation). while-filling: until all its members are there; "
        "keep: until a later run says while-filling; never: posts go through to whoever is there already.",
    )
    existing: Literal["keep-settings", "configure"] = Field(
        default="keep-settings",
        description="What becomes of the settings of a list that the target has already: they stay as they are, and what differs is told, "
        "or they are made like the source's. Members are added to it either way.",
    )
    settings: SettingOptions = Field(default_factory=SettingOptions, description="Which settings of the lists move.")
    leavers: Literal["remove", "remove-many", "keep"] = Field(
        default="remove",
        description="Members that an earlier run brought and that have left the list at the source since. remove: take them off at the "
        "target, but nobody where more than half of a list, or a whole role, have left at once, which is told (a file that was cut short looks like that); "
        "remove-many: then too; keep: leave them there and tell of them. Nobody else is ever taken off a list.",
    )

    @field_validator("only", "except_")
    @classmethod
    def _fit_addresses(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in given:
            if "@" not in pattern and not set("*?[") & set(pattern):
                raise ValueError(f"{pattern} is no list's address. Write the whole of it, or {pattern}@*")
        return given

    @field_validator("map")
    @classmethod
    def _whole_addresses(cls, given: dict[str, str]) -> dict[str, str]:
        for address in (word for pair in given.items() for word in pair):
            if not all(split(address)) or set("*?[") & set(address):
                raise ValueError(
                    f"{address} is not the whole address of a list. A domain of lists is renamed by `rename` under accounts"
                )
        return given
