"""What tells where a message came from and when: it goes into a dump, and never over what a site means by the same numbers."""

from __future__ import annotations

import pytest

from migrator.engine.contract import Action, Login, Verb
from migrator.engine.stage import Stage
from migrator.forms.adapters.files import FilesReader, FilesWriter, Options
from migrator.forms.flat import Flat, site_of
from migrator.forms.model import EVERYTHING, Extract, Row
from migrator.forms.options import FormsOptions
from migrator.forms.plugins.detect import present
from migrator.forms.step import KIND
from migrator.testing.form_suite import (
    META,
    META_ROWS,
    PLAIN,
    PLAIN_ROWS,
    POSTS,
    POSTS_ROWS,
    number,
    primary,
    table,
    text,
)
from migrator.testing.memory_tables import MemoryTables, TablesRoute
from migrator.testing.trial import Trial

LOGIN = Login("database", "database")
OPTIONS = table("wp_options", [number("option_id"), text("option_name"), text("option_value")], primary("option_id"))
OF_THE_SITE: list[Row] = [("1", "home", "https://example.com"), ("2", "timezone_string", "Europe/Madrid")]
TIED = table(
    "wp_term_relationships", [number("object_id"), number("term_taxonomy_id")], primary("object_id", "term_taxonomy_id")
)
TAXONOMY = table(
    "wp_term_taxonomy",
    [number("term_taxonomy_id"), number("term_id"), text("taxonomy")],
    primary("term_taxonomy_id"),
)
TERMS = table("wp_terms", [number("term_id"), text("name"), text("slug")], primary("term_id"))
CHANNEL: Row = ("2", "2", "flamingo_inbound_channel")
CONTACT: Row = ("2", "Contact", "contact")
NEWS: Row = ("2", "News", "news")
MESSAGE = next(row[0] for row in POSTS_ROWS if row[2] == "flamingo_inbound")


class Dump(MemoryTables):
    """Files where the database would stand."""

    def __init__(self, path) -> None:
        super().__init__("dump")
        self.path = path

    def reader(self, options, login):
        return FilesReader(Options(path=self.path), login)

    def writer(self, options, login):
        return FilesWriter(Options(path=self.path), login)


@pytest.fixture
def site() -> MemoryTables:
    site = MemoryTables("old")
    site.fill(OPTIONS, [*OF_THE_SITE, ("3", "admin_email", "boss@example.com")])
    site.fill(POSTS, POSTS_ROWS)
    site.fill(META, META_ROWS)
    site.fill(PLAIN, PLAIN_ROWS)
    site.fill(TIED, [(MESSAGE, "2"), ("900", "1")])
    site.fill(TAXONOMY, [("1", "1", "category"), CHANNEL])
    site.fill(TERMS, [("1", "Uncategorized", "uncategorized"), CONTACT])
    return site


@pytest.fixture
def dump(tmp_path) -> Dump:
    return Dump(tmp_path / "dump")


def trial(source: MemoryTables, target: MemoryTables, **options: object) -> Trial:
    step = KIND.build(FormsOptions(**options), ())
    return Trial([Stage("forms", "forms", step, TablesRoute(source, target))])


def actions(some: Trial) -> dict[str, Action]:
    (stage,) = some.preview(some.store).stages
    return {action.label: action for _, action in stage.actions}


def rows_of(dump: Dump, name: str) -> list[Row]:
    reader = dump.reader(None, LOGIN)
    there = next(one for one in reader.tables() if one.name == name)
    return [row for page in reader.rows(Extract(there), EVERYTHING) for row in page]


def test_a_dump_knows_the_channel_of_a_message_and_the_zone_of_its_site(site, dump) -> None:
    backup = trial(site, dump, plugins=("flamingo",))
    assert not backup.run().codes
    assert rows_of(dump, "wp_terms") == [CONTACT]
    assert rows_of(dump, "wp_term_taxonomy") == [CHANNEL]
    assert rows_of(dump, "wp_options") == OF_THE_SITE
    reader = dump.reader(None, LOGIN)
    (flamingo,) = [one for one in present(reader, ()) if one.plugin == "flamingo"]
    place = site_of(reader, flamingo)
    assert (place.name, str(place.clocks.site)) == ("https://example.com", "Europe/Madrid")
    (entry,) = [one for one in Flat(reader, flamingo, place).entries() if one.header["entry_id"] == MESSAGE]
    assert (entry.form, entry.header["form_title"]) == ("contact", "Contact")
    assert backup.verify().differences == 0


def test_what_is_the_sites_own_is_put_into_no_site(site, dump) -> None:
    trial(site, dump).run()
    new = MemoryTables("new")
    restored = trial(dump, new)
    told = actions(restored)
    for name in ("wp_options", "wp_terms", "wp_term_taxonomy"):
        assert told[name].verb is Verb.KEEP
        assert "no site is given it" in told[name].why
    assert not restored.run().codes
    assert set(new.kept) == {"wp_posts", "wp_postmeta", "wp_db7_forms", "wp_term_relationships"}
    asked = MemoryTables("asked")
    trial(dump, asked, tables=("wp_terms",)).run()
    assert set(asked.kept) - set(new.kept) == {"wp_terms"}
    live = MemoryTables("live")
    trial(site, live).run()
    assert set(live.kept) == set(new.kept)


@pytest.mark.parametrize("existing", ["refuse", "keep-ids", "skip-existing"])
def test_messages_are_not_filed_under_a_term_that_means_something_else(site, existing) -> None:
    new = MemoryTables("new")
    new.fill(TAXONOMY, [("2", "2", "post_tag")])
    new.fill(TERMS, [NEWS])
    moving = trial(site, new, existing=existing)
    told = actions(moving)
    for name in ("wp_posts", "wp_postmeta", "wp_term_relationships"):
        assert told[name].verb is Verb.BY_HAND
        assert "under term 2, which at the target is News (post_tag)" in told[name].why
        assert "existing: remap" in told[name].why
    moving.run()
    assert set(new.kept) == {"wp_term_taxonomy", "wp_terms", "wp_db7_forms"}


@pytest.mark.parametrize("theirs", [[], [CHANNEL]], ids=["no term of that number", "the same channel"])
def test_messages_go_where_their_channel_is_nobody_elses(site, theirs) -> None:
    new = MemoryTables("new")
    new.fill(TAXONOMY, theirs)
    new.fill(TERMS, [CONTACT] if theirs else [])
    assert not trial(site, new).run().codes
    assert (MESSAGE, "2") in new.rows("wp_term_relationships")
