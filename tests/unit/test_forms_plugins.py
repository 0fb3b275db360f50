"""Which plugins' tables stand in a database, told by names, whatever the prefix; and that a plugin is one entry of data."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from migrator.forms import php
from migrator.forms.model import Column, Operator, Paging, Role, Stored, Table
from migrator.forms.plugins import detect
from migrator.forms.plugins.known import ELEMENTOR, KNOWN
from migrator.forms.plugins.shape import FieldTree, InCell, InColumns, InRows, Part, Plugin, System, View
from migrator.testing.memory_tables import MemoryReader, MemoryTables

WORDPRESS = ("options", "posts", "postmeta", "users", "usermeta", "terms", "term_taxonomy", "term_relationships")
POSTS_ONLY = {"flamingo", "jetpack", "happyforms"}


def tables(*names: str) -> list[Table]:
    return [Table(name, ()) for name in names]


def site(prefix: str, *more: str) -> list[str]:
    return [f"{prefix}{name}" for name in (*WORDPRESS, *more)]


def found(*names: str, wanted: tuple[str, ...] = ()) -> dict[tuple[str, str, str], Stored]:
    told = detect.stored(tables(*names), wanted)
    return {(one.plugin, one.prefix, one.site): one for one in told if one.plugin not in POSTS_ONLY or wanted}


# -- the data -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("plugin", KNOWN, ids=lambda one: one.word)
def test_an_entry_of_data_is_whole(plugin: Plugin) -> None:
    assert re.fullmatch(r"[a-z0-9-]+", plugin.word)
    assert bool(plugin.parts) != bool(plugin.silent)
    assert plugin.slugs or plugin.system is not System.WORDPRESS
    assert bool(plugin.view) == bool(plugin.parts)
    own = {part.table for part in plugin.parts}
    for part in plugin.parts:
        assert not part.within or part.within in {one.column for one in part.references}
        assert all(one.table in own or one.table == "posts" for one in part.references)
        assert part.role is not Role.ENTRIES or part.moment
    if plugin.view:
        check_view(plugin, plugin.view, own)
    for word in plugin.kept_by:
        assert detect.by_word(word).parts


def check_view(plugin: Plugin, view: View, own: set[str]) -> None:
    assert view.entries in own
    for answers in view.answers:
        assert isinstance(answers, InCell | InRows | InColumns)
        if isinstance(answers, InRows):
            assert answers.table in own
            assert re.compile(answers.named).groups in {1, 2}
    if isinstance(view.fields, FieldTree):
        assert view.fields.table in own | {"postmeta"}
    assert set(view.header) <= {"form_title", "status", "ip", "user_agent", "source_url", "user_id"}


def test_words_are_told_apart() -> None:
    words = detect.words()
    assert len(set(words)) == len(words)
    assert len(words) >= 24


# -- sites ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["wp_", "", "wp_644", "x7_", "Wp_", "wp_2_"])
def test_a_site_is_known_by_what_stands_before_options_and_posts(prefix) -> None:
    assert detect.sites(site(prefix)) == (detect.Site(prefix, prefix),)


def test_a_blog_of_a_multisite_has_a_number_and_shares_the_users() -> None:
    blog = [name for name in site("wp_2_", "db7_forms") if not name.endswith(("users", "usermeta"))]
    names = [*site("wp_", "blogs", "db7_forms"), *blog]
    assert detect.sites(names) == (detect.Site("wp_", "wp_"), detect.Site("wp_2_", "wp_", "2"))
    assert set(found(*names)) == {("cfdb7", "wp_", ""), ("cfdb7", "wp_2_", "2")}


def test_a_prefix_that_looks_like_a_blog_is_a_site_of_its_own_where_it_has_users() -> None:
    names = [*site("wp_"), *site("wp_2_", "db7_forms")]
    assert set(found(*names)) == {("cfdb7", "wp_2_", "")}


# -- plugins ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["wp_", "", "wp_644", "shop2024_"])
@pytest.mark.parametrize("plugin", [one for one in KNOWN if one.parts], ids=lambda one: one.word)
def test_each_plugin_is_found_under_any_prefix_with_all_its_tables(plugin: Plugin, prefix: str) -> None:
    own = {part.table for part in plugin.parts}
    if plugin.system is System.WORDPRESS:
        own |= set(WORDPRESS)
    elif prefix == "wp_644":
        prefix = "e27rt_"
    told = found(*(f"{prefix}{name}" for name in own), wanted=(plugin.word,))
    assert list(told) == [(plugin.word, prefix, "")]
    stored = told[plugin.word, prefix, ""]
    of_the_site = [f"{prefix}options"] if plugin.system is System.WORDPRESS else []
    assert [one.table for one in stored.tables] == [
        *(f"{prefix}{part.table}" for part in plugin.parts),
        *of_the_site,
    ]
    before: set[str] = set()
    for one in stored.tables:
        before.add(one.table)
        assert {reference.table for reference in one.references} <= before


def test_no_plugin_is_found_by_another_ones_tables() -> None:
    names = {f"wp_{part.table}" for plugin in KNOWN for part in plugin.parts} | set(site("wp_"))
    told = [(one.plugin, one.prefix) for one in detect.stored(tables(*names), ())]
    wordpress = [
        one for one in told if one[0] not in {"rsform", "breezingforms", "webform", "webform-7", "prestashop-contact"}
    ]
    assert sorted(wordpress) == sorted(
        (plugin.word, "wp_") for plugin in KNOWN if plugin.parts and plugin.system is System.WORDPRESS
    )
    assert all(prefix == "wp_" for _, prefix in told)


def test_a_table_of_a_like_name_is_not_taken_for_a_plugins() -> None:
    assert not found(*site("wp_", "nice_submissions", "nice_submissions_values"))
    assert not found(*site("wp_", "gf_entry"))  # without its values and its form it is none


def test_tables_without_their_wordpress_are_told_as_left_over() -> None:
    (stored,) = found("old_e_submissions", "old_e_submissions_values").values()
    assert stored.plugin == ELEMENTOR.word
    assert detect.LEFT_OVER in stored.notes


def test_only_what_is_wanted_is_told() -> None:
    names = site("wp_", "db7_forms", "evf_entries", "evf_entrymeta")
    assert set(found(*names)) == {("cfdb7", "wp_", ""), ("everest-forms", "wp_", "")}
    assert set(found(*names, wanted=("cfdb7",))) == {("cfdb7", "wp_", "")}


def test_of_tables_that_are_shared_only_the_plugins_rows_are_taken() -> None:
    (stored,) = found(*site("wp_"), wanted=("flamingo",)).values()
    by_table = {(one.table, one.role): one for one in stored.tables}
    entries = by_table["wp_posts", Role.ENTRIES]
    assert [(one.column, one.operator, one.values) for one in entries.conditions] == [
        ("post_type", Operator.IN, ("flamingo_inbound",))
    ]
    meta = by_table["wp_postmeta", Role.VALUES]
    assert meta.within is not None
    assert (meta.within.column, meta.within.table, meta.within.key) == ("post_id", "wp_posts", "ID")
    assert set(meta.within.conditions[0].values) == {"flamingo_inbound", "flamingo_contact"}


def test_a_new_plugin_is_one_entry_of_data() -> None:
    view = replace(ELEMENTOR.view, entries="acme_entries", answers=(InRows("acme_answers", "entry", "name", "value"),))
    acme = Plugin(
        "acme-forms",
        "Acme Forms",
        slugs=("acme/acme.php",),
        parts=(Part("acme_entries", Role.ENTRIES, moment="made"), Part("acme_answers", Role.VALUES)),
        view=view,
    )
    (stored,) = detect.stored(tables(*site("wp_", "acme_entries", "acme_answers")), ("acme-forms",), (*KNOWN, acme))
    assert [one.table for one in stored.tables if not one.aside] == ["wp_acme_entries", "wp_acme_answers"]


# -- what only the site's own lists tell ---------------------------------------------------------------------------------------

TEXT = "longtext"
OPTIONS = (Column("option_id", "bigint(20)"), Column("option_name", "varchar(191)"), Column("option_value", TEXT))
POSTS = (Column("ID", "bigint(20)"), Column("post_type", "varchar(20)"))


def a_site(active: bytes, *posts: str, more: tuple[str, ...] = (), sitewide: bytes = b"") -> MemoryTables:
    there = MemoryTables("old")
    for name in (*WORDPRESS, *more):
        there.fill(Table(f"wp_{name}", ()), [])
    there.fill(
        Table("wp_options", OPTIONS, Paging.KEY, ("option_id",)),
        [("1", "siteurl", "https://example.com"), ("2", "active_plugins", active.decode("utf-8", "surrogateescape"))],
    )
    there.fill(Table("wp_posts", POSTS, Paging.KEY, ("ID",)), [(str(n), one) for n, one in enumerate(posts)])
    if sitewide:
        meta = (Column("meta_id", "bigint(20)"), Column("meta_key", "varchar(255)"), Column("meta_value", TEXT))
        there.fill(
            Table("wp_sitemeta", meta, Paging.KEY, ("meta_id",)), [("1", "active_sitewide_plugins", sitewide.decode())]
        )
    return there


def active(*slugs: str) -> bytes:
    return php.written(php.Array(tuple(enumerate(slug.encode() for slug in slugs))))


def told(there: MemoryTables, *wanted: str) -> dict[str, Stored]:
    return {one.plugin: one for one in detect.present(MemoryReader(there), wanted)}


def test_plugins_that_store_nothing_are_named_with_the_reason() -> None:
    there = a_site(
        active("contact-form-7/wp-contact-form-7.php", "wpforms-lite/wpforms.php", "elementor/elementor.php")
    )
    seen = told(there)
    assert set(seen) == {"contact-form-7", "wpforms-lite", "elementor-free"}
    assert "keeps nothing" in seen["wpforms-lite"].silent
    assert not seen["wpforms-lite"].tables


def test_a_plugin_that_stores_nothing_is_not_named_where_another_keeps_its_entries() -> None:
    slugs = active("contact-form-7/wp-contact-form-7.php", "contact-form-cfdb7/contact-form-cfdb-7.php")
    there = a_site(slugs, "wpcf7_contact_form", more=("db7_forms",))
    assert set(told(there)) == {"cfdb7"}
    assert not told(there)["cfdb7"].silent


def test_plugins_that_keep_posts_are_told_only_where_there_are_some() -> None:
    there = a_site(active("flamingo/flamingo.php"), "post", "page")
    assert set(told(there)) == set()
    there = a_site(active("flamingo/flamingo.php"), "post", "flamingo_inbound", "feedback")
    assert set(told(there)) == {"flamingo", "jetpack"}
    assert detect.INACTIVE in told(there)["jetpack"].notes
    assert detect.INACTIVE not in told(there)["flamingo"].notes


def test_posts_that_a_dump_has_without_their_site_are_a_plugins_all_the_same() -> None:
    there = a_site(b"", "flamingo_inbound", "wpcf7_contact_form")
    dumped = {"wp_posts", "wp_postmeta", "wp_term_relationships"}
    there.kept = {name: kept for name, kept in there.kept.items() if name in dumped}
    assert detect.LEFT_OVER in told(there)["flamingo"].notes
    there.fill(Table("acme_posts", (Column("id", "int"),)), [("1",)])  # another program's
    there.fill(Table("acme_postmeta", ()), [])
    there.fill(Table("acme_term_relationships", ()), [])
    assert set(told(there)) == {"flamingo"}


def test_plugins_that_are_active_in_the_whole_network_are_active_in_each_site() -> None:
    sitewide = php.written(php.Array(((b"flamingo/flamingo.php", 1700000000),)))
    there = a_site(active("akismet/akismet.php"), "flamingo_inbound", sitewide=sitewide)
    assert detect.INACTIVE not in told(there)["flamingo"].notes


@pytest.mark.parametrize("broken", [b"", b'a:1:{i:0;s:99:"x', b"nonsense", b"i:5;", b"a:1:{i:0;R:1;}"])
def test_a_list_of_plugins_that_cannot_be_read_tells_nothing_about_any(broken) -> None:
    there = a_site(broken, "flamingo_inbound")
    assert set(told(there)) == {"flamingo"}
