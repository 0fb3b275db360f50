"""The table of panels and promises: every promise has its row, every panel its column, and what is not kept its reason."""

from __future__ import annotations

import pytest

from migrator.testing.panel_suite import PanelContract
from migrator.testing.panel_table import cell, main, promises, results, table

FEATURES = "test_the_features_name_known_fields_and_say_why"
LISTED = "test_a_created_mailbox_is_listed_as_it_was_given"
HELD = "test_a_suspended_mailbox_is_created_suspended"
XML = f"""\
<?xml version="1.0" encoding="utf-8"?>
<testsuites><testsuite name="pytest" errors="0" failures="1" skipped="1" tests="12">
<testcase classname="tests.contract.test_panel_plesk.TestPlesk" name="{HELD}[Hold.LOGIN]" time="0.1"><properties>
  <property name="product cannot" value="Plesk cannot suspend a single mailbox"/></properties></testcase>
<testcase classname="tests.contract.test_panel_plesk.TestPlesk" name="{HELD}[Hold.SEND]" time="0.1"><properties>
  <property name="product cannot" value="Plesk cannot suspend a single mailbox"/></properties></testcase>
<testcase classname="tests.contract.test_panel_plesk.TestPlesk" name="{FEATURES}" time="0.1"/>
<testcase classname="tests.contract.test_panel_plesk.TestPlesk" name="{LISTED}" time="0.1">
  <failure message="AssertionError: assert None == 1073741824&#10; where None = ...">...</failure></testcase>
<testcase classname="tests.contract.test_panel_hestia.TestHestia" name="{FEATURES}" time="0.1"/>
<testcase classname="tests.contract.test_panel_hestia.TestHestia" name="{LISTED}" time="0.1"/>
<testcase classname="tests.contract.test_panel_hestia.TestHestia" name="{HELD}[Hold.LOGIN]" time="0.1"/>
<testcase classname="tests.contract.test_panel_hestia.TestHestia" name="{HELD}[Hold.SEND]" time="0.1"><properties>
  <property name="product cannot" value="Hestia suspends the login alone"/></properties></testcase>
<testcase classname="tests.contract.test_panel_hestia.TestHestia" name="test_something_of_its_own" time="0.1"/>
<testcase classname="tests.contract.test_panel_hestia" name="{LISTED}" time="0.1"/>
<testcase classname="tests.servers.test_panel_modoboa.TestModoboa" name="{FEATURES}[3.11]" time="0.1">
  <skipped type="pytest.skip" message="modoboa is not installed">...</skipped></testcase>
<testcase classname="tests.contract.test_mbox.TestMbox" name="test_a_reader_has_no_way_to_write" time="0.1"/>
</testsuite></testsuites>
"""
TABLE = """\
                                               Hestia   Modoboa  Plesk
the features name known fields and say why     ok       skipped  ok
a created mailbox is listed as it was given    ok       -        FAILED
a suspended mailbox is created suspended       in part  -        cannot

FAILED
  Plesk: a created mailbox is listed as it was given: AssertionError: assert None == 1073741824

cannot
  Hestia: a suspended mailbox is created suspended (send): Hestia suspends the login alone
  Plesk: a suspended mailbox is created suspended (login, send): Plesk cannot suspend a single mailbox

skipped
  Modoboa: the features name known fields and say why (3.11): modoboa is not installed
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "results.xml"
    path.write_text(XML)
    return path


def test_the_table_has_a_row_for_each_promise_and_the_reasons_below(file):
    told = [" ".join(line.split()) for line in table(results([file]))]

    assert told == [" ".join(line.split()) for line in TABLE.splitlines()]


def test_the_columns_stand_under_their_panels(file):
    head, *rows = list(table(results([file])))[:4]

    for word in ("Hestia", "Modoboa", "Plesk"):
        assert all(row[head.index(word) - 1] == " " != row[head.index(word)] for row in rows)


def test_several_files_make_one_table(file, tmp_path):
    second = tmp_path / "servers.xml"
    second.write_text(XML.replace("Plesk", "Postfix").replace("tests.contract", "tests.servers"))

    panels = {one.panel for one in results([file, second])}

    assert "Postfix" in panels
    assert {"tests.contract.test_panel_hestia.Hestia", "tests.servers.test_panel_hestia.Hestia"} <= panels


def test_a_broken_promise_ends_with_1(file, capsys):
    assert main([str(file)]) == 1
    assert "FAILED" in capsys.readouterr().out

    file.write_text(XML.replace("<failure", "<system-out").replace("</failure", "</system-out"))
    assert main([str(file)]) == 0


def test_a_file_without_any_panel_ends_with_1(file):
    file.write_text("<testsuites><testsuite/></testsuites>")

    assert main([str(file)]) == 1


@pytest.mark.parametrize("text", ["no xml", None])
def test_what_is_no_result_of_pytest_is_told(file, text, capsys):
    file.unlink() if text is None else file.write_text(text)

    assert main([str(file)]) == 2
    assert "pytest --junitxml" in capsys.readouterr().err


def test_every_promise_of_the_contract_is_known():
    assert promises()[0] == FEATURES
    assert set(promises()) == {name for name in dir(PanelContract) if name.startswith("test_")}


@pytest.mark.parametrize(
    ("cases", "word"),
    [
        ([], "-"),
        (["ok", "ok"], "ok"),
        (["cannot", "cannot"], "cannot"),
        (["ok", "cannot"], "in part"),
        (["ok", "FAILED", "cannot"], "FAILED"),
        (["skipped"], "skipped"),
    ],
)
def test_all_cases_of_a_promise_have_one_word(cases, word):
    assert cell(cases) == word
