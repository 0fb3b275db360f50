"""The vocabulary in which a plugin is described: its tables, how one is found, and where in them an entry says what.

Names of tables stand without what comes before them at a site (`db7_forms`). Where something stands in an entry is said in a few letters:
`post_date` is a column of the entry's own row, `meta:_form_id` the row of that name among those that hang on it, `answer:name` what
was answered there; a further `.remote_ip` leads inside a value. Nothing here asks a database.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import Enum
from typing import TypeAlias

from migrator.forms.model import Clock, Keyed, Link, Reference, Role
from migrator.frozen import dataclass

# -- tables -----------------------------------------------------------------------------------------------------------


class System(Enum):
    """What the site is made with, which decides what may stand before its tables' names."""

    WORDPRESS = "WordPress"
    JOOMLA = "Joomla"
    DRUPAL = "Drupal"
    PRESTASHOP = "PrestaShop"


@dataclass(frozen=True, slots=True)
class Part:
    """A table of a plugin, or some rows (`only`) of one it shares with others. `within` is a column among `references`: rows belong to the
    plugin if the row it names does. A table that is not `needed` may be missing. What is `aside` belongs to the site and not to its entries: it tells
    what these mean, is kept with them in a dump, and is never put into a site. `links` and `keyed` say what else changes in a row whose
    forms or entries have other numbers at the target.
    """

    table: str
    role: Role
    references: tuple[Reference, ...] = ()
    only: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    within: str = ""
    moment: str = ""
    clock: Clock = Clock.UTC
    identity: str = ""
    needed: bool = True
    aside: bool = False
    links: tuple[Link, ...] = ()
    keyed: tuple[Keyed, ...] = ()


# -- where an entry says what --------------------------------------------------------------------------------------------


class Spelling(Enum):
    """How a value is spelt in its cell."""

    TEXT = "text"  # as it is
    PHP = "PHP, or text"  # serialised where it looks so
    JSON = "JSON"
    ANY = "PHP, JSON or text"
    JETPACK = "Jetpack's feedback"  # a message, lines of who sent it, and what was filled in


@dataclass(frozen=True, slots=True)
class Items:
    """Answers that are objects: which member is the field's key, its label, its value, its type; and where the value is an object too,
    which of its members says what was answered. `lined` are types whose value has each of several choices on a line of its own.
    """

    key: str
    label: str
    value: str
    kind: str = ""
    said: str = ""
    lined: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class InCell:
    """All answers in one column of the entry's row. `skip` is a pattern of keys that are none."""

    column: str
    spelling: Spelling
    items: Items | None = None
    skip: str = ""


@dataclass(frozen=True, slots=True)
class Longer:
    """A table with the whole of values that are cut in another: `key` names the row that is cut by its `of`."""

    table: str
    key: str
    value: str
    of: str


@dataclass(frozen=True, slots=True)
class InRows:
    """An answer in each row of a table that names its entry in the column `entry`. `named` is a pattern for the names that are answers: its
    first group is the field's key, a second one the part of it (`1.3`); other rows are for `meta:`. Several rows of one key are several
    choices. `part` and `index` are columns that tell a part and which one of several this is, `label` one with the field's label, `file`
    one with a file's bytes, `order` one that rows are ordered by; `names` is the name of a row with the fields' own names, for a plugin
    that spells them otherwise in its rows.
    """

    table: str
    entry: str
    name: str
    value: str
    spelling: Spelling = Spelling.TEXT
    named: str = "(.+)"
    part: str = ""
    index: str = ""
    label: str = ""
    file: str = ""
    order: str = ""
    names: str = ""
    longer: Longer | None = None


@dataclass(frozen=True, slots=True)
class InColumns:
    """An answer in each column of the entry's row that is no part of the header and not left out; and of a row of another table that the
    entry's column `joins` names.
    """

    leave_out: frozenset[str] = frozenset()
    joins: Reference | None = None


Answers: TypeAlias = InCell | InRows | InColumns

# -- what forms and fields are called ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Titles:
    """A table with a row for each form. `title` may lead inside a cell (`config.name`); `slug` is a column with a name of the plugin's own
    for it, which another site may have too.
    """

    table: str
    key: str
    title: str
    only: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    slug: str = ""


@dataclass(frozen=True, slots=True)
class People:
    """A table of the site's users: its key, and the column with the address by which one is known at another site."""

    table: str
    key: str
    address: str


@dataclass(frozen=True, slots=True)
class Terms:
    """Forms that are terms of a WordPress taxonomy, tied to the entry's post."""

    taxonomy: str


@dataclass(frozen=True, slots=True)
class FieldRows:
    """A table with a row for each field; `slug` is a column with the plugin's own name for it, which another site may have too."""

    table: str
    form: str
    key: str
    label: str
    kind: str
    order: str
    slug: str = ""


@dataclass(frozen=True, slots=True)
class FieldTree:
    """Fields inside a cell that describes a form. `path` leads to them from the top; an object with a key and a label is a field.
    `key`, `label` and `kind` are paths in it, of several labels the first that says something. What stands in its members
    named `nests` are parts of it, keyed below it. `under` is a column and what it has to say, where the table has other rows too.
    """

    table: str
    form: str
    cell: str
    spelling: Spelling
    path: str
    key: str
    label: tuple[str, ...]
    kind: str
    nests: tuple[str, ...] = ()
    only: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class View:
    """How an entry becomes a row for people. `header` says where it tells what stands before the answers (`status`, `ip`, `user_agent`,
    `source_url`, `user_id`, `form_title`). `local` is where the site's wall clock stands besides `submitted`. `undo` are texts the plugin put in
    place of others. `file_mark` ends the keys of fields that are files, `files` are kinds of fields that are; `uploads` is the folder their
    names are below, "" where they are URLs. `copies` are rows in which the plugin keeps the same answers once more, for its search. `choices` are kinds of fields whose parts are choices. `parent` is a column that says of
    which entry this one is a repeated part.
    """

    entries: str
    id: str
    form: str
    submitted: str
    clock: Clock
    answers: tuple[Answers, ...]
    header: Mapping[str, str] = field(default_factory=dict)
    local: str = ""
    titles: Titles | Terms | None = None
    fields: FieldRows | FieldTree | None = None
    undo: Mapping[str, str] = field(default_factory=dict)
    file_mark: str = ""
    files: frozenset[str] = frozenset()
    uploads: str = ""
    copies: tuple[InRows, ...] = ()
    choices: frozenset[str] = frozenset()
    parent: str = ""


# -- plugins --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Plugin:
    """A plugin or component. `word` is its name in a plan, `slugs` are its names among WordPress's active plugins. One without parts stores
    nothing, for the reason `silent` gives; `kept_by` are words of plugins that keep its entries where they are there as well. `parts` stand in the order in which they are
    restored: what a part refers to before it. `notes` are
    what it had destroyed before it stored an entry, and the like, for the admin to know.
    """

    word: str
    title: str
    system: System = System.WORDPRESS
    slugs: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    view: View | None = None
    silent: str = ""
    kept_by: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
