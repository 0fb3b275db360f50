"""What a forms step does beside moving tables: sheets, contacts, and the site's own mail; each once, and again only if there is more."""

from __future__ import annotations

import csv
import stat
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pyarrow.parquet
import pytest
from pydantic import SecretStr

from migrator.cli.preview import summary
from migrator.contacts.model import Card
from migrator.engine.contract import Login, Side, Verb, Weight
from migrator.engine.events import Noted
from migrator.engine.stage import Stage
from migrator.errors import PlanError
from migrator.forms import parquet as forms_parquet
from migrator.forms import php, senders, sheet
from migrator.forms.model import Column, Row
from migrator.forms.options import FormsOptions
from migrator.forms.php import Array
from migrator.forms.step import KIND
from migrator.testing.form_suite import number, primary, table, text
from migrator.testing.memory_books import MemoryBooks
from migrator.testing.memory_books import Options as BookOptions
from migrator.testing.memory_tables import MemoryTables, TablesRoute
from migrator.testing.trial import Trial

OFFICE, OLD, NEW = "office@example.com", "old.example.net", "new.example.com"
ENTRIES = table(
    "wp_db7_forms",
    [number("form_id"), number("form_post_id"), text("form_value"), text("form_date")],
    primary("form_id"),
)
OPTIONS = table("wp_options", [number("option_id"), text("option_name"), text("option_value")], primary("option_id"))
POSTS = table("wp_posts", [number("ID"), text("post_type"), text("post_title")], primary("ID"))


def serialised(**pairs: str) -> str:
    return php.written(Array(tuple((key.encode(), value.encode()) for key, value in pairs.items()))).decode()


def entry(number_: int, form: str = "7", date: str = "2026-03-01 10:00:00", **said: str) -> Row:
    return (str(number_), form, serialised(cfdb7_status="unread", **said), date)


class Route(TablesRoute):
    """Between two databases, with address books at the target."""

    books: MemoryBooks

    def for_reading(self, side: Side, service: str, account: str):
        if service == "contacts":
            assert side is Side.TARGET
            return self.books.reader(BookOptions(), Login(account, account, SecretStr("pw")))
        return super().for_reading(side, service, account)

    def for_writing(self, side: Side, service: str, account: str):
        if service == "contacts":
            assert side is Side.TARGET
            return self.books.writer(BookOptions(), Login(account, account, SecretStr("pw")))
        return super().for_writing(side, service, account)


class World:
    def __init__(self, *rows: Row, at_target: tuple[Row, ...] | None = None, **options: object) -> None:
        self.old, self.new, self.books = MemoryTables("old"), MemoryTables("new"), MemoryBooks("new")
        self.books.fill(OFFICE, "Contacts")
        self.old.fill(ENTRIES, list(rows))
        self.old.fill(POSTS, [("7", "wpcf7_contact_form", "Ask us")])
        self.old.fill(OPTIONS, [("1", "home", "https://www.example.com"), ("2", "smtp_host", OLD)])
        if at_target is not None:
            self.new.fill(OPTIONS, list(at_target))
            self.new.fill(POSTS, [])
        route = Route(self.old, self.new)
        route.books = self.books
        step = KIND.build(FormsOptions(**{"plugins": ("cfdb7",), "existing": "skip-existing", **options}), ())
        self.trial = Trial([Stage("forms", "forms", step, route)])

    def actions(self) -> dict[str, tuple[Verb, str]]:
        """What a run would do, beside tables."""
        before = len(self.new.writes) + len(self.books.writes)
        (stage,) = self.trial.preview(self.trial.store).stages
        lines = [action for _, action in stage.actions]
        assert len(self.new.writes) + len(self.books.writes) == before
        return {one.label: (one.verb, one.why) for one in lines if "does" in one.data}

    def noted(self, code: str) -> list[str]:
        found = [one.finding for one in self.trial.events if isinstance(one, Noted)]
        return [one.text for one in found if one.code == code]


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


# -- sheets ---------------------------------------------------------------------------------------------------------------


def test_sheets_are_written_once_and_anew_when_something_has_come(tmp_path) -> None:
    world = World(entry(1, name="Ann"), entry(2, cvcfdb7_file="cv.pdf"), sheets=tmp_path / "out")
    ((label, (verb, why)),) = world.actions().items()
    assert (verb, label) == (Verb.CREATE, "sheets of Contact Form CFDB7 (wp_*)")
    assert (
        why == "for people, in out/wp_cfdb7"
    )  # a customer reads it too: what else this machine has is nobody's business
    assert not world.trial.run().codes
    assert [row["name"] for row in read(tmp_path / "out" / "wp_cfdb7" / "Ask us (7).csv")] == ["Ann", ""]
    assert read(tmp_path / "out" / "wp_cfdb7" / sheet.FILES)[0]["file"].endswith("cv.pdf")
    assert "2 entries on 1 sheet" in world.noted("sheets")[0]
    assert "1 uploaded file" in world.noted("files-elsewhere")[0]
    assert {verb for verb, _ in world.actions().values()} == {Verb.KEEP}
    world.old.fill(ENTRIES, [*world.old.rows("wp_db7_forms"), entry(3, name="Bo")])
    assert {verb for verb, _ in world.actions().values()} == {Verb.CREATE}
    world.trial.run()
    assert [row["name"] for row in read(tmp_path / "out" / "wp_cfdb7" / "Ask us (7).csv")] == ["Ann", "", "Bo"]


def test_sheets_can_be_parquet_with_the_same_columns_and_no_apostrophes(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(forms_parquet, "AT_ONCE", 2)
    rows = [entry(1, name="=Ann"), entry(2, date="0000-00-00 00:00:00", phone="5"), entry(3)]
    rows[2] = (*rows[2][:2], 'a:1:{s:4:"name";s:3:"\ud83d";}', rows[2][3])
    world = World(*rows, sheets=tmp_path, sheet_formats=["csv", "parquet"])
    assert not world.trial.run().codes
    folder = tmp_path / "wp_cfdb7"
    assert sorted(one.name for one in folder.iterdir()) == ["Ask us (7).csv", "Ask us (7).parquet"]
    assert stat.S_IMODE((folder / "Ask us (7).parquet").stat().st_mode) == 0o600
    made = pyarrow.parquet.read_table(folder / "Ask us (7).parquet")
    assert made.column_names == list(read(folder / "Ask us (7).csv")[0])
    assert made.column("name").to_pylist() == ["=Ann", None, "\ufffd" * 3]
    assert made.column("submitted_local").to_pylist() == [datetime(2026, 3, 1, 10), None, datetime(2026, 3, 1, 10)]  # noqa: DTZ001
    assert str(made.schema.field("submitted_at").type) == "timestamp[us, tz=UTC]"
    only = World(*rows, sheets=tmp_path / "only", sheet_formats=["parquet"])
    only.trial.run()
    assert [one.name for one in (tmp_path / "only" / "wp_cfdb7").iterdir()] == ["Ask us (7).parquet"]


def test_columns_are_parted_by_what_the_plan_says_and_the_sheet_is_written_anew_for_it(tmp_path) -> None:
    folder = tmp_path / "wp_cfdb7"
    world = World(entry(1, name="Ann; Bo", cvcfdb7_file="cv.pdf"), sheets=tmp_path)
    world.trial.run()
    assert (folder / "Ask us (7).csv").read_text(encoding="utf-8-sig").startswith("site,form_id,")
    world = World(entry(1, name="Ann; Bo", cvcfdb7_file="cv.pdf"), sheets=tmp_path, sheet_delimiter="semicolon")
    world.trial.run()
    text = (folder / "Ask us (7).csv").read_text(encoding="utf-8-sig")
    assert text.startswith("site;form_id;")
    assert '"Ann; Bo"' in text
    assert (folder / sheet.FILES).read_text(encoding="utf-8-sig").startswith("form;entry_id;file")


def test_what_stands_before_the_answers_is_called_in_the_language_of_the_plan(tmp_path) -> None:
    folder = tmp_path / "wp_cfdb7"
    rows = (entry(1, name="Ann", estado="soltera", status="x", cvcfdb7_file="cv.pdf"),)
    World(*rows, sheets=tmp_path).trial.run()
    assert list(read(folder / "Ask us (7).csv")[0])[11:14] == ["name", "estado", "status (2)"]
    world = World(*rows, sheets=tmp_path, sheet_language="es")
    world.trial.run()
    first = list(read(folder / "Ask us (7).csv")[0])
    assert first[:6] == [
        "sitio",
        "número de formulario",
        "formulario",
        "número de entrada",
        "enviado (UTC)",
        "enviado (hora del sitio)",
    ]
    assert len(first) == len(set(first))
    assert first[11:14] == ["name", "estado (2)", "status (2)"]
    assert list(read(folder / sheet.FILES)[0]) == ["formulario", "número de entrada", "archivo"]


def test_without_its_package_a_plan_with_parquet_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setattr(forms_parquet, "find_spec", lambda _: None)
    with pytest.raises(ValueError, match=r"pip install '\.\[parquet\]'"):
        FormsOptions(sheet_formats=["parquet"])
    assert FormsOptions().sheet_formats == ("csv",)


def test_a_table_that_the_plan_names_is_a_sheet_of_its_columns(tmp_path) -> None:
    world = World(entry(1, name="Ann"), sheets=tmp_path, tables=["acme_*", "wp_db7_forms"])
    asked = table("acme_asked", [number("n"), text("Wish"), text("status")], primary("n"))
    world.old.fill(asked, [("5", "=more", "new"), ("6", None, "old")])
    world.trial.run()
    (made,) = (tmp_path / "acme_asked").iterdir()
    assert read(made) == [
        {"entry_id": "5", "Wish": "'=more", "status": "new"},
        {"entry_id": "6", "Wish": "", "status": "old"},
    ]
    assert sorted(one.name for one in tmp_path.iterdir()) == ["acme_asked", "wp_cfdb7"]


def test_bytes_that_are_no_text_are_told_and_not_put_into_a_cell(tmp_path) -> None:
    world = World(entry(1, name="Ann"), sheets=tmp_path, tables=["acme_*"])
    asked = table("acme_files", [number("n"), Column("file", "longblob"), Column("own", "binary(4)")], primary("n"))
    world.old.fill(asked, [("5", b"%PDF\0\x01" * 200, b"\0\x01\xff\xfe"), ("6", "Grüße".encode(), None)])
    world.trial.run()
    (made,) = (tmp_path / "acme_files").iterdir()
    assert [(row["file"], row["own"]) for row in read(made)] == [("(1,200 bytes)", "0x0001fffe"), ("Grüße", "")]
    assert any("2 times bytes that are no text" in text for text in world.noted("values"))


def test_sheets_hold_only_what_the_plan_lets_out(tmp_path) -> None:
    rows = [entry(1, "7", "2026-01-01 00:00:00", name="Early"), entry(2, "8", name="Other"), entry(3, name="Ann")]
    options = {"since": "2026-02-01", "where": {"wp_db7_forms": {"form_post_id": "7"}}}
    World(*rows, sheets=tmp_path / "some", **options).trial.run()
    assert [one.name for one in (tmp_path / "some" / "wp_cfdb7").iterdir()] == ["Ask us (7).csv"]
    assert [row["name"] for row in read(tmp_path / "some" / "wp_cfdb7" / "Ask us (7).csv")] == ["Ann"]
    World(*rows, sheets=tmp_path / "none", redact={"drop": ["*.form_value"]}).trial.run()
    written = "".join(one.read_text() for one in (tmp_path / "none" / "wp_cfdb7").iterdir())
    assert not [word for word in ("Early", "Other", "Ann") if word in written]


def test_a_field_is_hidden_in_tables_and_sheets_alike_and_all_of_it_is_told(tmp_path) -> None:
    rows = [entry(1, name="Ann", phone="555 1234"), entry(2, name="Bo"), ("3", "7", "a:1:{s:9:", "2026-03-01 10:00:00")]
    fields = ["wp_db7_forms.form_value:phone", "wp_db7_forms.form_value:@files"]
    world = World(*rows, sheets=tmp_path / "out", redact={"mask": fields})
    assert not world.trial.run().codes
    held = [str(row[2]) for row in world.new.rows("wp_db7_forms")]
    assert held[0] == serialised(cfdb7_status="unread", name="Ann", phone="000 0000")
    assert held[1] == rows[1][2]
    assert held[2] == "x:0:{x:0:"
    assert {row.get("phone") for row in read(tmp_path / "out" / "wp_cfdb7" / "Ask us (7).csv")} == {"000 0000", ""}
    assert all(
        f"1 value could not be looked into and was hidden whole for {one}" in text
        for one, text in zip(fields, world.noted("hidden-whole"), strict=True)
    )
    assert not world.trial.verify().differences
    assert "555" not in repr(world.trial.events)
    before = len(world.new.writes)
    assert not world.trial.run().codes
    assert len(world.new.writes) == before


def test_a_field_that_nothing_has_is_told_and_a_column_that_is_not_there_refused() -> None:
    world = World(entry(1, name="Ann"), redact={"drop": ["wp_db7_forms.form_value:emial"]})
    world.trial.run()
    assert "no value has the field wp_db7_forms.form_value:emial" in world.noted("nothing-hidden")[0]
    world = World(entry(1, name="Ann"), redact={"drop": ["wp_db7_forms.form_valeu:email"]})
    with pytest.raises(PlanError, match=r"no column of the source's tables is wp_db7_forms\.form_valeu:email"):
        world.trial.run()
    assert world.new.writes == []


def test_a_prefix_is_never_a_way_out_of_the_folder(tmp_path) -> None:
    world = World(sheets=tmp_path / "a" / "b")
    world.old.kept.clear()
    world.old.fill(replace(ENTRIES, name="../../_db7_forms"), [entry(1, name="Ann")])
    world.trial.run()
    (made,) = (one for one in tmp_path.rglob("*.csv"))
    assert made.parent.parent == tmp_path / "a" / "b"


def test_what_cannot_be_read_is_counted_and_no_value_is_told(tmp_path) -> None:
    world = World(("1", "7", 'a:1:{s:1:"k";s:99:"private";}', "2026-03-01 10:00:00"), sheets=tmp_path)
    world.trial.run()
    assert "1 times a serialised value is broken" in world.noted("values")[0]
    assert "private" not in repr(world.trial.events)


def test_texts_in_the_wrong_charset_are_mended_on_sheets_alone_and_only_where_that_is_asked_for(tmp_path) -> None:
    mixed = serialised(name="José ñ €").encode().decode("cp1252")  # what a column of latin1 makes of a site's UTF-8
    longer = serialised(name="Ann of old").replace("Ann of old", "Ann of new.example")
    rows: list[Row] = [("1", "7", mixed, "2026-03-01 10:00:00"), ("2", "7", longer, "2026-03-01 10:00:00")]
    world = World(*rows, sheets=tmp_path / "as-it-is")
    world.trial.run()
    assert not {"José ñ €", "Ann of new.example"} & {
        row.get("name") for row in read(tmp_path / "as-it-is" / "wp_cfdb7" / "Ask us (7).csv")
    }
    world = World(*rows, sheets=tmp_path / "mended", mend=["charsets", "lengths"])
    world.trial.run()
    assert [row["name"] for row in read(tmp_path / "mended" / "wp_cfdb7" / "Ask us (7).csv")] == [
        "José ñ €",
        "Ann of new.example",
    ]
    assert world.new.rows("wp_db7_forms") == rows
    assert any("shown as it was meant" in text for text in world.noted("values"))
    assert any("repaired" in text for text in world.noted("values"))


# -- contacts ----------------------------------------------------------------------------------------------------------------


def cards(world: World) -> list[Card]:
    return [
        card
        for book in ("Website", "Contacts")
        if any(True for _ in world.books.cards(OFFICE, book))
        for card in world.books.cards(OFFICE, book)
    ]


def test_people_become_contacts_where_that_is_asked_for_and_once() -> None:
    rows = [
        entry(1, name="Ann", email="ann@example.com"),
        entry(2, name="Bo", email="bo@example.com"),
        entry(3, email="ANN@example.com"),
    ]
    world = World(*rows, contacts={"account": OFFICE})
    assert world.actions() == {
        f"contacts for {OFFICE}": (Verb.CREATE, "2 people who wrote through forms, into Website")
    }
    assert not world.trial.run().codes
    assert [card.label for card in world.books.cards(OFFICE, "Website")] == ["Ann", "Bo"]
    assert world.actions() == {f"contacts for {OFFICE}": (Verb.KEEP, "nobody new")}
    world.trial.run()
    assert len(world.books.cards(OFFICE, "Website")) == 2
    assert world.books.cards(OFFICE, "Contacts") == []


def test_nobody_is_handed_over_who_is_left_out_of_the_tables() -> None:
    world = World(entry(1, email="ann@example.com"), contacts={"account": OFFICE}, redact={"hash": ["*.form_value"]})
    assert world.actions() == {f"contacts for {OFFICE}": (Verb.KEEP, "nobody new")}
    world.trial.run()
    assert "ann@" not in repr(world.books.writes)


# -- the site's own mail --------------------------------------------------------------------------------------------------------

SITE: tuple[Row, ...] = (
    ("1", "home", "https://www.example.com"),
    ("2", "smtp_host", OLD),
    ("3", "smtp_port", "25"),
    ("4", "postman_options", serialised(hostname=OLD, port="25")),
    ("5", "mailserver_url", OLD),
)
ASKED = {"source": [OLD], "target": NEW, "port": 587}


def test_settings_that_name_the_old_host_are_told_and_stay() -> None:
    world = World(at_target=SITE, senders=ASKED)
    told = world.actions()
    assert {label: verb for label, (verb, _) in told.items()} == {
        "smtp_host in wp_options": Verb.BY_HAND,
        "postman_options in wp_options": Verb.BY_HAND,
        "mailserver_url in wp_options": Verb.KEEP,
    }
    assert "wp-config.php" in told["smtp_host in wp_options"][1]
    world.trial.run()
    assert tuple(world.new.rows("wp_options")) == SITE


def test_settings_are_changed_where_that_is_asked_for_and_proven() -> None:
    world = World(at_target=SITE, senders={**ASKED, "change": True})
    verbs = {label: verb for label, (verb, _) in world.actions().items()}
    assert verbs["postman_options in wp_options"] is Verb.CHANGE
    assert verbs["mailserver_url in wp_options"] is Verb.KEEP
    assert not world.trial.run().codes
    assert {row[1]: row[2] for row in world.new.rows("wp_options")} == {
        "home": "https://www.example.com",
        "smtp_host": NEW,
        "smtp_port": "587",
        "postman_options": serialised(hostname=NEW, port="587"),
        "mailserver_url": OLD,
    }
    assert world.old.rows("wp_options")[1][2] == OLD  # the source is never written
    assert len(world.noted("sender-changed")) == 2
    assert {label: verb for label, (verb, _) in world.actions().items()} == {
        "mailserver_url in wp_options": Verb.KEEP,
        "smtp_host in wp_options at the source": Verb.KEEP,
    }
    assert not world.trial.verify().differences


def test_a_setting_is_no_table_though_it_is_changed_and_compared() -> None:
    world = World(at_target=SITE, senders={**ASKED, "change": True})
    assert "1 database, 2 tables," in summary(world.trial.preview())[0]
    world.trial.run()
    assert world.trial.verify().actions == 2


def test_a_setting_that_is_changed_back_is_found_by_verify() -> None:
    world = World(at_target=SITE, senders={**ASKED, "change": True})
    world.trial.run()
    world.new.fill(OPTIONS, [("2", "smtp_host", OLD)])
    world.trial.verify()
    found = [one for one in world.trial.findings("verify") if one.code == senders.CODE]
    assert [one.weight for one in found] == [Weight.DIFFERENCE]


def test_of_a_site_that_stays_at_the_source_there_is_only_a_word() -> None:
    world = World(senders={**ASKED, "change": True})
    ((label, (verb, why)),) = world.actions().items()
    assert (label, verb) == ("smtp_host in wp_options at the source", Verb.KEEP)
    assert why.startswith("the site sends its mail through the old host")
    assert not world.trial.run().codes
    assert not world.trial.verify().differences
    assert [one.weight for one in world.trial.findings("verify") if one.code == senders.CODE] == [Weight.WARNING]


@pytest.mark.parametrize(
    "options", [{"senders": {"source": [], "target": NEW}}, {"contacts": {}}, {"senders": {"source": [OLD]}}]
)
def test_a_plan_that_says_too_little_is_refused(options) -> None:
    with pytest.raises(ValueError, match="validation error"):
        FormsOptions(**options)
