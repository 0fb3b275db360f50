"""`migrator contacts diff`: two files of cards compared by what they say."""

import json
import subprocess
import sys

import pytest

HERE = """BEGIN:VCARD\r\nVERSION:3.0\r\nUID:u1\r\nFN:Ana Peña\r\nN:Peña;Ana;;;\r\nTEL;TYPE=CELL,HOME:+34 1\r\nEND:VCARD\r
BEGIN:VCARD\r\nVERSION:3.0\r\nUID:u2\r\nFN:Bob\r\nN:;Bob;;;\r\nBDAY:1980-04-12\r\nEND:VCARD\r
BEGIN:VCARD\r\nVERSION:3.0\r\nUID:u3\r\nFN:Only here\r\nN:here;Only;;;\r\nEND:VCARD\r\n"""
THERE = """BEGIN:VCARD\r\nVERSION:4.0\r\nUID:urn:uuid:u1\r\nTEL;TYPE=home;TYPE=cell:+34 1\r\nFN:Ana Peña\r\nN:Peña;Ana;;;\r\nEND:VCARD\r
BEGIN:VCARD\r\nVERSION:4.0\r\nUID:u2\r\nFN:Bob\r\nN:;Bob;;;\r\nBDAY:19810412\r\nEND:VCARD\r\n"""


@pytest.fixture
def files(tmp_path):
    (tmp_path / "old.vcf").write_text(HERE, newline="")
    (tmp_path / "new.vcf").write_text(THERE, newline="")
    return tmp_path


def diff(folder, *words):
    command = [sys.executable, "-m", "migrator", "contacts", "diff", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)


def test_it_tells_card_by_card_what_differs(files):
    done = diff(files, "old.vcf", "new.vcf")
    assert done.returncode == 7, done.stderr
    assert done.stdout == (
        "~ Bob\n    BDAY was 1980-04-12 and is 19810412\n- Only here: only in old.vcf\n"
        "1 card equal, 1 different, 1 only in old.vcf, 0 only in new.vcf.\n"
    )


def test_the_same_file_says_the_same(files):
    done = diff(files, "old.vcf", "old.vcf")
    assert (done.returncode, done.stdout) == (0, "3 cards equal, 0 different, 0 only in old.vcf, 0 only in old.vcf.\n")


def test_it_answers_in_json(files):
    told = json.loads(diff(files, "old.vcf", "new.vcf", "--json").stdout)
    assert (told["same"], told["equal"], told["only_source"]) == (False, 1, ["Only here"])


def test_a_file_that_is_not_there_is_one_sentence(files):
    done = diff(files, "old.vcf", "missing.vcf")
    assert done.returncode == 2
    assert "missing.vcf" in done.stderr
    assert "Traceback" not in done.stderr
    assert "there is no such file" in done.stderr


@pytest.mark.parametrize("words", ["Name,Phone\r\nAna,1\r\n", ""])
def test_a_file_without_a_card_is_not_the_same_as_another_one(files, words):
    (files / "sheet.csv").write_text(words, newline="")
    done = diff(files, "sheet.csv", "sheet.csv")
    assert (done.returncode, done.stdout) == (2, "")
    assert "sheet.csv: there is no card in it" in done.stderr


def test_a_card_that_one_file_has_once_more_is_told_apart_from_one_that_the_other_lacks(files):
    twin = HERE[HERE.index("BEGIN:VCARD\r\nVERSION:3.0\r\nUID:u2") : HERE.index("BEGIN:VCARD\r\nVERSION:3.0\r\nUID:u3")]
    (files / "twins.vcf").write_text(HERE + twin.replace("UID:u2\r\n", ""), newline="")
    for names in (("twins.vcf", "old.vcf"), ("old.vcf", "twins.vcf")):
        done = diff(files, *names)
        assert done.returncode == 7
        assert done.stdout == (
            "= Bob: once more in twins.vcf\n"
            f"3 cards equal, 0 different, 0 only in {names[0]}, 0 only in {names[1]}, 1 once more in twins.vcf.\n"
        )
