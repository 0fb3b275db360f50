"""What a plan may say about a `mail` step. Descriptions here become editor help and documentation."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ByteSize, ConfigDict, Field

RECOPY = "add `on_target_missing: recopy` to the options of this step for one run"  # told wherever something is missing at the target


class FolderOptions(BaseModel):
    """Which folders move, and under which names. Names are written as people see them, parts separated by `/`; `*` and `?` match."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    only: tuple[str, ...] = Field(default=(), description="Move these folders and nothing else.")
    except_: tuple[str, ...] = Field(default=(), alias="except", description="Leave these folders out.")
    map: dict[str, str] = Field(
        default_factory=dict,
        description="Folder at the source: folder at the target. Stronger than every rule of our own; `Old/*: Archive/*` moves a tree.",
    )


class MailOptions(BaseModel):
    """Options of a `mail` step."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folders: FolderOptions = Field(
        default_factory=FolderOptions, description="Which folders move, and under which names."
    )
    max_size: ByteSize | None = Field(
        default=None, description="Leave larger messages out, such as 50MB; they are listed in the report."
    )
    subscriptions: bool = Field(
        default=True, description="Subscribe at the target to what is subscribed at the source."
    )
    deleted: Literal["copy", "skip", "unmark"] = Field(
        default="copy",
        description="Messages marked as deleted but still there: copy them with the mark, skip them, or copy them without the mark.",
    )
    on_target_missing: Literal["report", "recopy"] = Field(
        default="report",
        description="Messages copied by an earlier run that are not at the target any more: report them, or copy them again.",
    )
