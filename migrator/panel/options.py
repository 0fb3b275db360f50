"""What a plan may say about an `accounts` step. Descriptions here become editor help and documentation."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ByteSize, ConfigDict, Field


class AccountsOptions(BaseModel):
    """Options of an `accounts` step."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    create: Literal["missing"] = Field(
        default="missing",
        description="Make what the target lacks. What is there already is never overwritten: the only value.",
    )
    passwords: Literal["keep-hash-or-generate", "generate", "known"] = Field(
        default="keep-hash-or-generate",
        description="Where the target's passwords come from when the plan names none. keep-hash-or-generate: the hash is carried over "
        "where both panels can, else a new one is made and put into the hand-out; generate: always a new one; known: never, an account "
        "without a known password is left behind.",
    )
    quota: Literal["copy", "unlimited"] | ByteSize = Field(
        default="copy",
        description="The mailboxes' quota at the target: as at the source, unlimited, or a size such as 5GB.",
    )
    suspended: Literal["copy", "active"] = Field(
        default="copy",
        description="Mailboxes suspended at the source: suspend them at the target too, or leave them active.",
    )
    forwarders: bool = Field(default=True, description="Forwarders and aliases.")
    domain_forwarders: bool = Field(default=True, description="Domains whose mail goes to another domain as a whole.")
    catch_all: bool = Field(default=True, description="What becomes of mail to addresses that do not exist.")
    autoresponders: bool = Field(default=True, description="Answers sent by themselves.")
    filters: bool = Field(default=True, description="Mail filters.")
    temporary_source_passwords: bool = Field(
        default=False,
        description="Give mailboxes at the source whose password nobody knows another one for the time of the run, so that their mail can be "
        "copied, and put the old one back at the end. Their owners cannot log in meanwhile. Only where the source panel can be given a hash.",
    )
    domains: tuple[str, ...] = Field(
        default=(),
        description="Domains to move beside those of the plan's accounts: such as have forwarders and no mailbox.",
    )
