"""Fields inside cells are hidden by name or label, the rest stays to the last byte, and what cannot be looked into is hidden whole."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.engine.contract import Login
from migrator.errors import PlanError
from migrator.forms import php
from migrator.forms.adapters import dump
from migrator.forms.hiding import Hiding, Opaque, read_json, written_json
from migrator.forms.labels import labels_in
from migrator.forms.model import EVERYTHING, Column, Extract, Row, Table, Value
from migrator.forms.options import RedactOptions
from migrator.forms.php import Array, Custom, Object, Reference
from migrator.forms.redaction import Redaction, redaction_of, without_column
from migrator.testing.form_suite import number, primary, table, text
from migrator.testing.memory_tables import MemoryReader, MemoryTables

FIXTURES = Path(__file__).parents[2] / "fixtures" / "forms"
OWN = table(
    "acme_asked", [number("n"), text("said"), Column("doc", "longtext", nullable=False, is_json=True)], primary("n")
)
CFDB7 = table("shop_db7_forms", [number("form_id"), text("form_value")], primary("form_id"))
KEY = b"k" * 32


def packed(**pairs: php.Value) -> str:
    return php.written(Array(tuple((key.encode(), value) for key, value in pairs.items()))).decode()


def hidden(of: Table, cell: Value, *patterns: str, word: str = "mask", column: str = "") -> tuple[Value, Redaction]:
    column = column or of.columns[1].name
    options = RedactOptions(**{word: [f"{of.name}.{column}:{one}" for one in patterns]})
    rules = redaction_of(of, options, (), KEY)
    row: Row = tuple(cell if one.name == column else "1" for one in of.columns)
    return rules([row])[0][of.place(column)], rules


def of_fixture(word: str, of: str, *patterns: str, rule: str = "mask") -> list[dict[str, Value]]:
    """The rows of a plugin's table, as it leaves them, with fields hidden."""
    with closing(dump.DumpReader(dump.Options(path=FIXTURES / f"{word}.sql"), Login("database", "database"))) as reader:
        own = next(one for one in reader.tables() if one.name == of)
        rules = redaction_of(own, RedactOptions(**{rule: list(patterns)}), (), KEY, labels_in(reader, own))
        rows = [row for page in reader.rows(Extract(own), EVERYTHING) for row in rules(page)]
    assert not rules.opaque
    return [dict(zip([column.name for column in own.columns], row, strict=True)) for row in rows]


def test_a_field_of_a_serialised_value_is_hidden_with_right_lengths_and_nothing_else() -> None:
    cell = packed(
        cfdb7_status=b"unread", **{"your-email": "añn@example.com".encode(), "your-message": "Grüße 😀".encode()}
    )
    masked, _ = hidden(CFDB7, cell, "Your-E*")
    assert masked == cell.replace('s:16:"añn@example.com"', 's:15:"xxx@xxxxxxx.xxx"')
    dropped, _ = hidden(CFDB7, cell, "your-email", word="drop")
    assert dropped == cell.replace('s:16:"añn@example.com"', 's:0:""')
    hashed, _ = hidden(CFDB7, cell, "your-email", word="hash")
    again, _ = hidden(CFDB7, packed(**{"your-email": "añn@example.com".encode()}), "your-email", word="hash")
    (told,) = set(php.plain(php.read(str(again).encode()).value).values())
    assert php.plain(php.read(str(hashed).encode()).value)["your-email"] == told
    assert len(told) == 32


def test_lengths_that_count_the_bytes_of_latin1_are_kept_so() -> None:
    cell = 'a:2:{s:4:"name";s:5:"José ";s:4:"city";s:4:"Köln";}'  # a site that spoke latin1 to its database
    masked, rules = hidden(CFDB7, cell, "name")
    assert masked == 'a:2:{s:4:"name";s:5:"xxxx ";s:4:"city";s:4:"Köln";}'
    mixed = packed(name="José".encode(), city="Köln".encode()).encode().decode("cp1252")  # UTF-8 in a column of latin1
    masked, more = hidden(CFDB7, mixed, "name")
    assert masked == packed(name=b"xxxx", city="Köln".encode()).encode().decode("cp1252")
    assert not rules.opaque + more.opaque


def test_choices_parts_and_numbers_are_hidden_with_the_shape_around_them() -> None:
    cell = packed(
        age=41, who=Array(((b"first", b"Ann"), (b"last", b"Lee"))), picks=Array(((0, b"a b"), (1, b"c"))), rest=7
    )
    masked, _ = hidden(CFDB7, cell, "age", "picks", "who.last")
    expected = packed(
        age=0, who=Array(((b"first", b"Ann"), (b"last", b"xxx"))), picks=Array(((0, b"x x"), (1, b"x"))), rest=7
    )
    assert masked == expected


def test_what_is_packed_inside_what_is_packed_is_looked_into() -> None:
    inner = packed(email=b"ann@example.com", n=b"5")
    cell = packed(outer=inner.encode(), more=json.dumps({"email": "bo@example.com", "x": "y"}).encode())
    masked, _ = hidden(CFDB7, cell, "email")
    assert "ann@" not in masked
    assert "bo@" not in masked
    assert php.written(php.read(masked.encode()).value).decode() == masked
    assert '"x": "y"' in masked


@pytest.mark.parametrize(
    "cell",
    [
        'a:1:{s:5:"email";s:99:"ann@example.com";}',
        'a:1:{s:5:"email";s:15:"ann@exam',
        "email: ann@example.com",
        "i:5;",
        packed(x=Custom(b"Acme", b"ann@example.com")),
        packed(y=b"ann@example.com", email=Reference(2)),
    ],
)
def test_what_cannot_be_looked_into_is_hidden_whole_and_counted(cell: str) -> None:
    masked, rules = hidden(CFDB7, cell, "email")
    assert "ann" not in masked
    assert len(masked) == len(cell)
    assert rules.opaque == {"shop_db7_forms.form_value:email": 1}
    assert hidden(CFDB7, cell, "email", word="drop")[0] is None
    assert hidden(CFDB7, None, "email")[0] is None
    assert hidden(CFDB7, "", "email")[0] == ""


def serialised(inner: str) -> str:
    return php.written(inner.encode()).decode()


PHONE, HIDDEN = packed(phone=b"0171 1234", n=b"5"), packed(phone=b"0000 0000", n=b"5")
JSON_PHONE, JSON_HIDDEN = '{"phone": "0171 1234", "n": 5}', '{"phone": "0000 0000", "n": 5}'
NOTES = table("wp_postmeta", [number("meta_id"), text("meta_key"), text("meta_value")], primary("meta_id"))


def without_phone(cell: Value, where: str, word: str = "mask") -> tuple[Value, Redaction]:
    rules = redaction_of(NOTES, RedactOptions(**{word: [f"{where}:phone"]}), (), KEY)
    return rules([("1", "_note", cell)])[0][2], rules


@pytest.mark.parametrize("where", ["wp_postmeta.meta_value", "*.*"])
@pytest.mark.parametrize(
    ("cell", "after"),
    [
        (serialised(PHONE), serialised(HIDDEN)),
        (serialised(serialised(PHONE)), serialised(serialised(HIDDEN))),
        (serialised(JSON_PHONE), serialised(JSON_HIDDEN)),
        (f" {PHONE}", f" {HIDDEN}"),
        (f"{PHONE}\r\n", f"{HIDDEN}\r\n"),
        (f"\ufeff{PHONE}\0", f"\ufeff{HIDDEN}\0"),
        (json.dumps(JSON_PHONE), json.dumps(JSON_HIDDEN)),
        (json.dumps(json.dumps(JSON_PHONE)), json.dumps(json.dumps(JSON_HIDDEN))),
        (json.dumps(PHONE), json.dumps(HIDDEN)),
        (f"\ufeff{JSON_PHONE}", f"\ufeff{JSON_HIDDEN}"),
        (f"ï»¿{JSON_PHONE} ", f"ï»¿{JSON_HIDDEN} "),
        (packed(note=f" {JSON_PHONE}\n".encode()), packed(note=f" {JSON_HIDDEN}\n".encode())),
    ],
)
def test_a_field_is_hidden_however_often_its_value_was_packed_and_whatever_stands_around_it(cell, after, where) -> None:
    for before, told in ((cell, after), (cell.encode(), after.encode())):
        masked, rules = without_phone(before, where)
        assert masked == told
        assert not rules.opaque
        assert sum(rules.met.values()) == 1
    dropped, rules = without_phone(cell, where, "drop")
    assert "0171" not in str(dropped)
    assert dropped is not None


@pytest.mark.parametrize("where", ["wp_postmeta.meta_value", "*.*"])
@pytest.mark.parametrize(
    "cell",
    [
        'C:3:"Foo":19:{phone=0171-12345678}',
        serialised('C:3:"Foo":19:{phone=0171-12345678}'),
        'a:1:{s:5:"phone";s:9:"0171 12',  # cut off
        f"{PHONE} and more",
        '{\n  "phone": "0171 1234",\n}',
        '[\n  {"phone": "0171 1234",}\n]',
        '{"phone": "0171 12',
        '[1, {"phone": "0171 1234",}]',
        '{\\"phone\\": \\"0171 1234\\"}',  # escaped once too often
        '"{\\"phone\\": \\"0171 12',
        b'{"phone": "0171 1234", "town": "K\xf6ln"}',
    ],
)
def test_what_begins_like_a_packed_value_and_cannot_be_read_is_hidden_whole(cell: str | bytes, where: str) -> None:
    masked, rules = without_phone(cell, where)
    assert "0171" not in str(masked)
    assert len(masked or "") == len(cell)
    assert rules.opaque == {f"{where}:phone": 1}
    assert without_phone(cell, where, "drop")[0] is None


@pytest.mark.parametrize(
    "cell", ['"phone" he said', '"0171 1234"', "{0171}", "[1] 0171, see [2]", "[gallery ids=0171]", "b:0171", " \n"]
)
def test_what_people_type_stays_as_it_is(cell: str) -> None:
    assert without_phone(cell, "*.*")[0] == cell


def test_a_value_packed_deeper_than_anyone_looks_is_not_let_out() -> None:
    cell = PHONE
    for _ in range(2000):
        cell = serialised(cell)
    assert "0171" not in str(without_phone(cell, "*.*")[0])


def test_objects_that_stand_for_fields_are_told_by_their_labels() -> None:
    before, after = (
        of_fixture("wpforms", "wp_wpforms_entries", *rules)[0] for rules in ((), ("*.fields:E-mail", "*.fields:name"))
    )
    assert after["fields"] == str(before["fields"]).replace("ana@example.com", "xxx@xxxxxxx.xxx").replace(
        "P\\u00e9rez", "xxxxx"
    ).replace('"Ana', '"xxx')
    assert {**after, "fields": ""} == {**before, "fields": ""}


@pytest.mark.parametrize("asked", ["E-mail", "1"])
def test_of_an_object_under_its_fields_key_only_what_was_answered_is_hidden(asked) -> None:
    posts = table("wp_posts", [number("ID"), text("post_type"), text("post_content")], primary("ID"))
    entries = table("wp_wpforms_entries", [number("entry_id"), number("form_id"), text("fields")], primary("entry_id"))
    form = {"fields": {"1": {"id": "1", "label": "E-mail", "type": "email"}, "2": {"id": "2", "label": "Name"}}}
    mail = {"name": "E-mail", "value": "ann@example.com", "id": 1, "type": "email", "value_raw": "ann@example.com"}
    name = {"name": "Name", "value": "Ann Lee", "id": 2, "type": "name", "first": "Ann"}
    site = MemoryTables("old")
    site.fill(posts, [("7", "wpforms", json.dumps(form))])
    options = RedactOptions(mask=[f"*.fields:{asked}"])
    rules = redaction_of(entries, options, (), KEY, labels_in(MemoryReader(site), entries))
    ((_, _, after),) = rules([("1", "7", json.dumps({"1": mail, "2": name}))])
    hidden_mail = {**mail, "value": "xxx@xxxxxxx.xxx", "value_raw": "xxx@xxxxxxx.xxx"}
    assert json.loads(str(after)) == {"1": hidden_mail, "2": name}


def test_files_that_were_sent_are_hidden_where_that_is_asked_for() -> None:
    (entry, _) = of_fixture("wpforms", "wp_wpforms_entries", "*.fields:@files", rule="drop")
    assert [one["value"] for one in json.loads(str(entry["fields"]))][-1] == ""
    assert "uploads" not in str(entry["fields"])
    assert "ana@example.com" in str(entry["fields"])
    cell = packed(name=b"Ann", cvcfdb7_file=b"1700000000-cv-ann.pdf")
    assert hidden(CFDB7, cell, "@files", word="drop")[0] == packed(name=b"Ann", cvcfdb7_file=b"")
    link = "https://www.example.com/wp-content/uploads/ann.pdf"
    assert "ann" not in str(hidden(OWN, link, "@files")[0])


def test_answers_that_are_rows_are_told_by_key_part_or_label() -> None:
    def values(*rules: str) -> dict[str, Value]:
        rows = of_fixture("gravity-forms", "wp_gf_entry_meta", *rules)
        return {str(one["meta_key"]): one["meta_value"] for one in rows}

    plain = values()
    fields = labels()
    key, label = next((key, label) for key, label in fields.items() if plain.get(key))
    by_key, by_label = values(f"*.meta_value:{key}"), values(f"*.meta_value:{label}")
    for changed in (by_key, by_label):
        assert changed[key] != plain[key]
    assert {name for name in plain if by_key[name] != plain[name]} == {key}


def of_a_row(cell: str, word: str) -> Value:
    """What is left of the answer of a row that is to be hidden."""
    rules = redaction_of(NOTES, RedactOptions(**{word: ["*.meta_value:phone"]}), (), KEY)
    ((_, _, told),) = rules([("1", "_field_phone", cell)])
    assert not rules.opaque
    return told


@pytest.mark.parametrize("word", ["drop", "mask", "hash"])
@pytest.mark.parametrize(
    "cell", ["", "N;", 's:0:"";', "a:0:{}", 'a:1:{i:0;s:0:"";}', "[]", '{"a": ""}', serialised(packed(a=b""))]
)
def test_an_answer_that_is_empty_keeps_its_shape_where_it_is_to_be_hidden(cell: str, word: str) -> None:
    assert of_a_row(cell, word) == cell


@pytest.mark.parametrize(
    ("cell", "masked", "dropped"),
    [
        ("Ann", "xxx", None),
        ("i:5;", "i:0;", "N;"),
        ('s:3:"Ann";', 's:3:"xxx";', 's:0:"";'),
        (f" {packed(first=b'Ann')}", f" {packed(first=b'xxx')}", f" {packed(first=b'')}"),
        (serialised(packed(a=b"Ann")), serialised(packed(a=b"xxx")), serialised(packed(a=b""))),
    ],
)
def test_an_answer_that_is_a_row_keeps_its_shape_with_nothing_in_it(cell: str, masked: str, dropped: Value) -> None:
    assert of_a_row(cell, "mask") == masked
    assert of_a_row(cell, "drop") == dropped


def labels() -> dict[str, str]:
    with closing(
        dump.DumpReader(dump.Options(path=FIXTURES / "gravity-forms.sql"), Login("database", "database"))
    ) as reader:
        own = next(one for one in reader.tables() if one.name == "wp_gf_entry_meta")
        found = labels_in(reader, own)
    return {key: fields[0].label for (form, key), fields in found.items() if form == "" and fields[0].label}


def test_a_copy_that_a_plugin_keeps_for_its_search_is_told_by_the_labels_of_the_form_it_is_of() -> None:
    posts = table("wp_posts", [number("ID"), text("post_type"), text("post_content")], primary("ID"))
    copy = table(
        "wp_wpforms_entry_fields", [number("id"), number("form_id"), number("field_id"), text("value")], primary("id")
    )
    site = MemoryTables("old")
    forms = [
        {
            "fields": {
                "0": {"id": "0", "type": "name", "label": "Name"},
                "1": {"id": "1", "type": "email", "label": "E-mail"},
            }
        },
        {"fields": {"1": {"id": "1", "type": "text", "label": "Town"}}},
    ]
    site.fill(posts, [(str(7 + place), "wpforms", json.dumps(one)) for place, one in enumerate(forms)])
    rows: list[Row] = [("1", "7", "0", "Ann"), ("2", "7", "1", "ann@example.com"), ("3", "8", "1", "Köln")]
    labels = labels_in(MemoryReader(site), copy)
    rules = redaction_of(copy, RedactOptions(drop=["*.value:e-mail"]), (), KEY, labels)
    assert [row[3] for row in rules(rows)] == ["Ann", None, "Köln"]


def test_a_json_document_stays_one_in_its_own_spelling() -> None:
    cell = '{"e": "a\\/b \\u00e9", "email": "ann@example.com", "n": 1.50, "list": [true, null, 12345678901234567890]}'
    masked, _ = hidden(OWN, cell, "email", column="doc")
    assert masked == cell.replace("ann@example.com", "xxx@xxxxxxx.xxx")
    assert hidden(OWN, '{"email": 5}', "email", word="drop", column="doc")[0] == '{"email": null}'
    assert hidden(OWN, '"just words"', "email", column="doc")[0] == "null"


def test_a_column_that_holds_no_fields_and_one_that_is_not_there_are_refused() -> None:
    with pytest.raises(PlanError, match=r"acme_asked\.n holds no fields"):
        redaction_of(OWN, RedactOptions(mask=["acme_asked.n:email"]), ())
    assert redaction_of(OWN, RedactOptions(mask=["acme_*.*:email"]), ()).told == "said:email (mask), doc:email (mask)"
    wrong = RedactOptions(mask=["acme_asked.sayd:email", "*.said:x"], drop=["*.sayd"])
    assert without_column([OWN], wrong) == [("drop", "*.sayd"), ("mask", "acme_asked.sayd:email")]


def test_a_hash_for_which_the_column_has_no_room_hides_the_whole_cell() -> None:
    short = table("shop_db7_forms", [number("form_id"), Column("form_value", "varchar(40)")], primary("form_id"))
    cell = packed(email=b"a@b.c", n=b"x")
    value, rules = hidden(short, cell, "email", word="hash")
    assert len(value) == 32
    assert rules.opaque == {"shop_db7_forms.form_value:email": 1}


# -- whatever there is ----------------------------------------------------------------------------------------------------------

SECRET = b"s3cretw0rd"
LEAVES = st.none() | st.booleans() | st.integers(-9, 9) | st.binary(max_size=8) | st.just(SECRET)
KEYS = st.sampled_from([b"email", b"name", b"value", b"x"]) | st.integers(0, 9)


def trees(leaves: st.SearchStrategy[php.Value]) -> st.SearchStrategy[php.Value]:
    def around(inner: st.SearchStrategy[php.Value]) -> st.SearchStrategy[php.Value]:
        pairs = st.lists(st.tuples(KEYS, inner), max_size=4).map(tuple)
        return pairs.map(Array) | pairs.map(lambda items: Object(b"Acme", items))

    return st.recursive(leaves, around, max_leaves=12)


class Email:
    def names(self, name: str) -> bool:
        return name == "email"

    def kinds(self, kind: str) -> bool:
        del kind
        return False

    def texts(self, text: bytes) -> bool:
        del text
        return False


@given(trees(LEAVES))
def test_no_secret_is_left_below_the_field_and_everything_else_is_as_it_was(value: php.Value) -> None:
    hiding = Hiding(Email(), lambda _: b"-", lambda _: None)
    raw = php.written(Array(((b"root", value),)))
    try:
        changed, count = hiding.hidden(raw, packed=True)
    except Opaque:
        return
    found = php.read(bytes(changed)).value
    assert php.read(bytes(changed)).broken == ""
    assert (changed == raw) == (count == 0 or bytes(changed) == raw)
    assert SECRET not in list(below_email(found, inside=False))


def below_email(value: php.Value, *, inside: bool) -> Sequence[bytes]:
    if isinstance(value, Array | Object):
        found: list[bytes] = []
        for key, one in value.items:
            found += below_email(one, inside=inside or php.property_name(key) == b"email")
        return found
    return [value] if inside and isinstance(value, bytes) else []


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_json_is_read_and_written_back(value: object) -> None:
    for said in (json.dumps(value), json.dumps(value, ensure_ascii=False, separators=(",", ":"))):
        assert json.loads(written_json(read_json(said), said)) == value
