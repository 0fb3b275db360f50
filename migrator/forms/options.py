"""What a plan may say about a `forms` step. Descriptions here become editor help and documentation."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from migrator.forms import parquet
from migrator.forms.plugins.known import KNOWN
from migrator.forms.since import Moment
from migrator.meant import did_you_mean

# A whole number without quotes is read as it is written; 1.50 would be 1.5, so anything else has to be text.
Wanted = str | Annotated[int, Field(strict=True)]


class RedactOptions(BaseModel):
    """What is left out of what people wrote. Columns are `table.column`; `*` and `?` match. `table.column:field` is a field in what PHP or
    JSON packed there, or in the rows of a column, by its name, key or label; `:@files` is what names an uploaded file.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    drop: tuple[str, ...] = Field(default=(), description="Leave these empty (NULL, or empty where a value is needed).")
    mask: tuple[str, ...] = Field(
        default=(), description="Put x in place of every letter and 0 in place of every digit."
    )
    hash: tuple[str, ...] = Field(
        default=(),
        description="Put a keyed hash in their place: equal values stay equal, and nobody can read them. The key is made by the first run "
        "and kept beside the state.",
    )


class SenderOptions(BaseModel):
    """Settings of the site by which it sends its own mail through the old host."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: tuple[str, ...] = Field(
        min_length=1, description="Names of the old mail server, as a site may have them in its settings."
    )
    target: str = Field(min_length=1, description="Name of the mail server to send through from now on.")
    port: int | None = Field(default=None, ge=1, le=65535, description="Its port; left out, the port stays.")
    change: bool = Field(
        default=False,
        description="Change host and port, and nothing else, in the site's database at the target; without it they are only told.",
    )


class HandOverOptions(BaseModel):
    """Where people who wrote through forms go as contacts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    account: str = Field(min_length=3, description="Whose address books at the target, one of the plan's accounts.")
    book: str = Field(default="Website", min_length=1, description="Name of the address book; it is made if need be.")


class FormMapOptions(BaseModel):
    """Which form of the target is which of the source, where its title does not tell. Forms are named by title or number."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    map: dict[str, str] = Field(
        default_factory=dict,
        description="Form at the source: form at the target ({Contact: Kontakt, '3': '7'}). One that is not named and whose title the "
        "target has not comes along as a new form.",
    )
    fields: dict[str, dict[str, str]] = Field(
        default_factory=dict,
        description="By form at the source, field at the source: field at the target, by label or key ({Contact: {Fax: Telefax}}).",
    )


class FormsOptions(BaseModel):
    """Options of a `forms` step."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    plugins: tuple[str, ...] = Field(
        default=(),
        description="Move what these plugins keep, such as cfdb7. Left out: what all that are found keep; [] with `tables` or `senders`: what none keeps.",
    )
    tables: tuple[str, ...] = Field(
        default=(), description="Move these tables too, whole, whatever keeps them; `*` and `?` match."
    )
    where: dict[str, dict[str, Wanted | tuple[Wanted, ...]]] = Field(
        default_factory=dict,
        description="Only rows whose column is one of these values, by table: {wp_db7_forms: {form_post_id: 12}}. Whole numbers may stand "
        "without quotes.",
    )
    since: Moment | None = Field(
        default=None,
        description="Only entries of this moment or later: 2024-06-01, 2024-06-01 09:30 (the site's own time), 2024-06-01T09:30:00Z, or how "
        "long ago: 90d, 6 months, 2 years. Entries without a date are left out.",
    )
    older_than: Moment | None = Field(
        default=None,
        description="Only entries from before this moment, said in the same ways. Neither holds for `tables`, which are moved whole.",
    )
    redact: RedactOptions = Field(default_factory=RedactOptions, description="What is left out of what people wrote.")
    prefixes: dict[str, str] = Field(
        default_factory=dict,
        description="What stands before the names of tables at the source: at the target ({wp_: new_}).",
    )
    existing: Literal["refuse", "keep-ids", "skip-existing", "remap"] = Field(
        default="refuse",
        description="What to do where the target's table has rows already: refuse; keep-ids: put ours beside them, refuse if another row "
        "has one of their ids; skip-existing: leave behind ours whose id another row has; remap: give ours new ids where theirs are "
        "taken, and put them under the target's own forms of the same title. An equal row is found and stays.",
    )
    forms: FormMapOptions = Field(
        default_factory=FormMapOptions,
        description="Which form of the target is which of the source; only with `existing: remap`.",
    )
    sheets: Path | None = Field(
        default=None,
        description="A folder for sheets (CSV) that people can read, one for each form, with a list of files that no database holds.",
        json_schema_extra={"path": True},
    )
    sheet_formats: tuple[Literal["csv", "parquet"], ...] = Field(
        default=("csv",),
        min_length=1,
        description="What sheets are: csv for people, parquet for analysis (`pip install '.[parquet]'` in the checkout), or both.",
    )
    sheet_delimiter: Literal["comma", "semicolon", "tab"] = Field(
        default="comma",
        description="What stands between the columns of CSV sheets. A spreadsheet whose numbers have a decimal comma (German, Spanish, French) "
        "opens those with semicolons by a double click.",
    )
    sheet_language: Literal["en", "es"] = Field(
        default="en",
        description="In which language the columns of CSV sheets are called that stand before the answers. Answers are called as the form calls "
        "them; Parquet, which programs read, has the English names.",
    )
    mend: tuple[Literal["charsets", "lengths"], ...] = Field(
        default=(),
        description="What is mended in sheets and contacts; tables stay as they are. charsets: texts that are UTF-8 in a column of latin1 "
        "(CafÃ©) become what was typed (Café); lengths: serialised values with wrong lengths are read where there is one way only.",
    )
    contacts: HandOverOptions | None = Field(
        default=None, description="Hand people who wrote through forms to an address book at the target."
    )
    senders: SenderOptions | None = Field(
        default=None, description="Look for settings by which the site sends its own mail through the old host."
    )

    @property
    def no_plugins(self) -> bool:
        """Whether the plan says that nothing moves because a plugin keeps it."""
        return "plugins" in self.model_fields_set and not self.plugins

    @property
    def is_timed(self) -> bool:
        """Whether only entries of some time are wanted."""
        return bool(self.since or self.older_than)

    @model_validator(mode="after")
    def _maps_only_where_numbers_change(self) -> Self:
        if self.existing != "remap" and (self.forms.map or self.forms.fields):
            raise ValueError("forms.map and forms.fields are only for `existing: remap`")
        return self

    @model_validator(mode="after")
    def _moves_something(self) -> Self:
        if self.no_plugins and self.is_timed:
            raise ValueError(
                "since and older_than are for what plugins keep, and plugins is empty; choose rows of `tables` with `where`"
            )
        if self.no_plugins and not (self.tables or self.senders):
            raise ValueError(
                "plugins is empty, so nothing would be moved; leave it out to move what every plugin keeps, or name plugins or tables"
            )
        return self

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.since and self.older_than and _in_utc(self.since) >= _in_utc(self.older_than):
            raise ValueError("since must lie before older_than; nothing would be moved")
        return self

    @field_validator("plugins")
    @classmethod
    def _are_known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        known = [one.word for one in KNOWN]
        for word in value:
            if word not in known:
                raise ValueError(
                    f"there is no plugin called {word} here.{did_you_mean(word, known)} Tables of others are named in tables"
                )
        return value

    @field_validator("sheet_formats")
    @classmethod
    def _can_be_written(cls, value: tuple[Literal["csv", "parquet"], ...]) -> tuple[Literal["csv", "parquet"], ...]:
        if "parquet" in value and not parquet.is_installed():
            raise ValueError(parquet.MISSING)
        return value


def _in_utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
