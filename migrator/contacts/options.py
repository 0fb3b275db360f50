"""What a plan may say about a `contacts` step. Descriptions here become editor help and documentation."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ByteSize, ConfigDict, Field

# Told wherever something is missing at the target.
RECOPY = "A run leaves it so, for its owner may have deleted it. To have it back: add `on_target_missing: recopy` to the options of this step for one run."


class BookOptions(BaseModel):
    """Which address books move, and under which names. `*` and `?` match."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    only: tuple[str, ...] = Field(default=(), description="Move these address books and nothing else.")
    except_: tuple[str, ...] = Field(default=(), alias="except", description="Leave these address books out.")
    map: dict[str, str] = Field(
        default_factory=dict, description="Address book at the source: address book at the target."
    )


class ContactsOptions(BaseModel):
    """Options of a `contacts` step."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    books: BookOptions = Field(
        default_factory=BookOptions, description="Which address books move, and under which names."
    )
    largest_photo: ByteSize | None = Field(
        default=None, description="Leave larger photos out of the cards, such as 200KB; each is named in the report."
    )
    groups: bool = Field(default=True, description="Move groups of contacts too.")
    on_target_missing: Literal["report", "recopy"] = Field(
        default="report",
        description="Cards moved by an earlier run that are not at the target any more: report them, or move them again.",
    )
