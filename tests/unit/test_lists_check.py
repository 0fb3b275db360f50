"""`check` reads the files of lists that a plan names, and tells everything that is wrong with them at once, with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from migrator.lists.options import ListsOptions
from migrator.plan.load import check
from migrator.plan.problems import PlanMistakes

PLAN = """\
version: 1
endpoints:
  old: {lists: {type: TYPE, path: lists}}
  new: {lists: {type: csv, path: copy}}
steps: [STEP]
"""


class Desk:
    """A folder with a plan, and the files of lists that somebody wrote."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.plan()

    def plan(self, word: str = "csv", step: str = "lists", path: str = "lists") -> None:
        text = PLAN.replace("TYPE", word).replace("STEP", step).replace("path: lists", f"path: {path}")
        (self.folder / "plan.yaml").write_text(text)

    def write(self, name: str, *lines: str) -> None:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes("".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape"))

    def mistakes(self) -> list[str]:
        """What `check` tells, without this folder's name."""
        try:
            check(self.folder / "plan.yaml")
        except PlanMistakes as wrong:
            return [str(one).replace(f"{self.folder}/", "") for one in wrong.problems]
        return []

    def warnings(self) -> list[str]:
        plan, _ = check(self.folder / "plan.yaml")
        return [str(one).replace(f"{self.folder}/", "") for one in plan.warnings]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_lists_that_are_right_are_well_formed(desk: Desk) -> None:
    desk.write("lists/news@example.com.csv", "address,name,phone", "ann@example.com,Ann,+1", "bob@example.com,,")
    desk.write(
        "lists/news@example.com.settings.csv", "setting,value", "description,News", "banned,a@b.c", "banned,d@e.f"
    )
    assert desk.mistakes() == []
    assert desk.warnings() == []


def test_every_mistake_is_told_at_once_with_its_line(desk: Desk) -> None:
    desk.write(
        "lists/news@example.com.csv",
        "address,delivery,role,hidden",
        "ann@example.com,MIME digets,member,",
        "",
        "bob smith@example.com,,onwer,perhaps",
        ",,,",
        "cara@example.com,,,,,more",
        "dan@example.com",
    )
    desk.write(
        "lists/news@example.com.settings.csv", "setting,value", "descripton,News", "archive,secret", "emergency,no"
    )
    assert desk.mistakes() == [
        "lists/news@example.com.csv:2: delivery is none of regular, mime digest, plain digest, summary digest (did you mean mime digest?).",
        "lists/news@example.com.csv:4: address is 'bob smith@example.com', which is none.",
        "lists/news@example.com.csv:4: role is none of member, owner, moderator, nonmember (did you mean owner?).",
        "lists/news@example.com.csv:4: hidden is neither yes nor no.",
        "lists/news@example.com.csv:6: there are more cells than columns.",
        "lists/news@example.com.settings.csv:2: 'descripton' is no setting of a list (did you mean description?).",
        "lists/news@example.com.settings.csv:3: archive is none of never, private, public.",
    ]


def test_a_column_with_a_slip_in_its_name_is_told_with_the_one_that_was_meant(desk: Desk) -> None:
    desk.write("lists/news@example.com.csv", "adress,name", "ann@example.com,Ann")
    desk.write("lists/other@example.com.csv", "address,delivrey,phone", "ann@example.com,MIME digest,")
    assert desk.mistakes() == [
        "lists/news@example.com.csv:1: no line names the column address, which has to be there (is adress meant for it?); the first one says: adress, name."
    ]
    (desk.folder / "lists" / "news@example.com.csv").unlink()
    assert desk.warnings() == [
        "lists/other@example.com.csv:1: the column 'delivrey' is not one of ours and is passed over. Did you mean delivery?"
    ]


def test_a_column_with_a_slip_in_its_name_is_told_at_the_line_that_names_the_columns(desk: Desk) -> None:
    desk.write("lists/news@example.com.csv", "Our members", "", "address,delivrey", "ann@example.com,MIME digest")
    assert desk.warnings() == [
        "lists/news@example.com.csv:3: the column 'delivrey' is not one of ours and is passed over. Did you mean delivery?"
    ]


def test_an_address_that_stands_twice_is_told_and_stops_nothing(desk: Desk) -> None:
    desk.write(
        "lists/news@example.com.csv", "address,role", "ann@example.com,", "Ann@Example.com,", "ann@example.com,owner"
    )
    assert desk.warnings() == [
        "lists/news@example.com.csv:3: Ann@Example.com stands on line 2 already; this row is passed over."
    ]


def test_a_file_whose_name_makes_no_list_is_told(desk: Desk) -> None:
    desk.write("lists/members.csv", "address", "ann@example.com")
    desk.write("lists/nwes@example.com.settings.csv", "setting,value", "description,News")
    desk.write("lists/news@example.com.csv", "address", "ann@example.com")
    assert desk.mistakes() == [
        "lists/members.csv: its name is no address of a list. Call it like news@example.com.csv",
        (
            "lists/nwes@example.com.settings.csv: there is no nwes@example.com.csv with the members beside it, so this is no list "
            "(did you mean news@example.com.csv?)"
        ),
    ]


@pytest.mark.parametrize("word", ["csv", "google_csv", "mailman2_pck"])
def test_a_source_that_is_not_there_is_told_at_its_line_of_the_plan(desk: Desk, word: str) -> None:
    desk.plan(word)
    (told,) = desk.mistakes()
    assert told.startswith("plan.yaml:3:9: endpoints.old.lists: lists: there is no such ")
    assert "Traceback" not in told


def test_a_folder_that_an_earlier_step_fills_need_not_be_there_yet(desk: Desk) -> None:
    desk.write("lists/news@example.com.csv", "address", "ann@example.com")
    text = (desk.folder / "plan.yaml").read_text().replace("steps: [lists]", "")
    text += "steps: [lists: {name: copy, route: old -> new}, lists: {name: back, route: new -> old, only: [later@example.com]}]\n"
    (desk.folder / "plan.yaml").write_text(text)
    assert desk.mistakes() == []


def test_a_list_that_the_files_do_not_have_is_told_with_the_one_that_was_meant(desk: Desk) -> None:
    desk.write("lists/announce@example.com.csv", "address", "ann@example.com")
    desk.plan(step='lists: {only: [anounce@example.com, "*@example.com"], map: {board@example.com: b@example.com}}')
    assert desk.mistakes() == [
        "plan.yaml:5:23: steps.lists.only: the source has no list anounce@example.com (did you mean announce@example.com?).",
        "plan.yaml:5:68: steps.lists.map: the source has no list board@example.com.",
    ]


def test_googles_files_are_read_too(desk: Desk) -> None:
    desk.plan("google_csv", path="groups.csv")
    desk.write(
        "groups.csv",
        "Group Email [Required],Member Email,Member Type,Member Role",
        "news@example.com,ann@example.com,USER,MANGER",
        ",bob@example.com,USER,MEMBER",
        "news@example.com,,USER,MEMBER",
        "news@example.com,example.com,CUSTOMER,MEMBER",
        "news@example.com,not an address,USER,MEMBER",
    )
    assert desk.mistakes() == [
        "groups.csv:2: the role is none of OWNER, MANAGER, MEMBER (did you mean MANAGER?).",
        "groups.csv:3: the group's address is missing.",
        "groups.csv:4: the member's address is empty.",
        "groups.csv:6: the member's address is 'not an address', which is none.",
    ]


def test_a_file_of_several_groups_that_is_not_there_is_told_as_a_target_too(desk: Desk) -> None:
    desk.write("lists/news@example.com.csv", "address", "ann@example.com")
    plan = desk.folder / "plan.yaml"
    plan.write_text(plan.read_text().replace("{type: csv, path: copy}", "{type: google_csv, path: groups.csv}"))
    text = "groups.csv: there is no such file. Correct the path; to be written to, it is a folder."
    assert desk.mistakes() == [f"plan.yaml:4:9: endpoints.new.lists: {text}"]


def test_a_backup_that_is_none_is_told(desk: Desk) -> None:
    desk.plan("mailman2_pck")
    desk.write("lists/readme.txt", "nothing")
    assert desk.mistakes() == ["lists: no folder in it holds a config.pck: this is not Mailman's folder of lists."]
    (desk.folder / "lists" / "news_example.com").mkdir()
    desk.write("lists/news_example.com/config.pck", "no pickle")
    (told,) = desk.mistakes()
    assert told.startswith("lists/news_example.com/config.pck: ")
    assert "Take the file from another backup." in told


def test_a_file_of_lists_passwords_is_looked_through_and_no_password_is_shown(desk: Desk) -> None:
    text = (desk.folder / "plan.yaml").read_text()
    text = text.replace(
        "type: csv, path: lists", "type: mailman2, url: 'https://lists.example.com/mailman', passwords: keys.csv"
    )
    (desk.folder / "plan.yaml").write_text(text)
    desk.write("keys.csv", "list,password", "news,hush-1", "other@example.com,", "news@example.com,hush-2,hush-3")
    told = desk.mistakes()
    assert "hush" not in str(told)
    assert told == [
        "keys.csv: others may read the passwords in it. chmod 600 keys.csv",
        "keys.csv:2: the list is no whole address, such as announce@example.com.",
        "keys.csv:3: the password is empty.",
        "keys.csv:4: there are more cells than columns.",
    ]
    desk.write("keys.csv", "list;password", "news@example.com;hush-1")
    (desk.folder / "keys.csv").chmod(0o600)
    assert desk.mistakes() == ["keys.csv:1: it has no columns list and password, parted by a comma."]
    desk.write("keys.csv", "list,password", "news@example.com,hush-1")
    assert desk.mistakes() == []


def test_a_line_of_latin_1_is_read_and_a_wrong_one_counted_among_blank_ones(desk: Desk) -> None:
    desk.write(
        "lists/news@example.com.csv",
        "address,name,hidden",
        "zo\udceb@example.com,Zo\udceb,",
        "",
        "",
        "x@example.com,,maybe",
    )
    assert desk.mistakes() == ["lists/news@example.com.csv:5: hidden is neither yes nor no."]


def test_one_file_that_cannot_be_looked_at_hides_nothing_of_the_others(desk: Desk) -> None:
    desk.write("lists/news@example.com.csv", "address,hidden", "ann@example.com,maybe")
    (desk.folder / "lists" / "board@example.com.csv").mkdir()
    desk.write("lists/old@example.com.csv", "address\rann@example.com\rbob@example.com")
    assert desk.mistakes() == [
        "lists/board@example.com.csv: Is a directory. Something else stands in that place; move it away, then run again.",
        "lists/news@example.com.csv:2: hidden is neither yes nor no.",
        "lists/old@example.com.csv:1: the row cannot be read (a line ends with a carriage return alone).",
    ]


def test_of_very_many_mistakes_the_rest_is_counted(desk: Desk) -> None:
    desk.write("lists/news@example.com.csv", "address,hidden", *(f"p{n}@example.com,perhaps" for n in range(500)))
    told = desk.mistakes()
    assert len(told) == 201
    assert any("300 more mistakes like these are not listed." in one for one in told)


def test_a_file_without_a_line_of_columns_is_told_what_stands_there(desk: Desk) -> None:
    desk.write("lists/bare@example.com.csv", "ann@example.com", "bob@example.com", "cara")
    desk.write("lists/named@example.com.csv", "Name;Correo", "Ann;ann@example.com")
    desk.write("lists/nobody@example.com.csv")
    (desk.folder / "lists" / "book@example.com.csv").write_bytes(b"PK\x03\x04\x14\x00")
    assert desk.mistakes() == [
        "lists/bare@example.com.csv:3: address is 'cara', which is none.",
        "lists/book@example.com.csv:1: this is a spreadsheet program's own file, whatever its name says. Save it as CSV there.",
        "lists/named@example.com.csv:1: no line names the column address, which has to be there; the first one says: Name, Correo.",
        "lists/nobody@example.com.csv:1: the file is empty; its first line has to name the column address.",
    ]


def test_a_workbook_beside_the_lists_is_told_and_stops_nothing(desk: Desk) -> None:
    desk.write("lists/news@example.com.csv", "address", "ann@example.com")
    (desk.folder / "lists" / "club.xlsx").write_bytes(b"PK\x03\x04\x14\x00")
    assert desk.mistakes() == []
    assert desk.warnings() == [
        "lists/club.xlsx: is passed over. To make a list of it, save it as CSV and call it like news@example.com.csv"
    ]


@pytest.mark.parametrize("option", ["only", "except"])
def test_a_name_that_can_be_no_lists_address_is_a_mistake(option: str) -> None:
    with pytest.raises(ValidationError, match=r"club is no list's address. Write the whole of it, or club@\*"):
        ListsOptions(**{option: ["club"]})
    assert ListsOptions(**{option: ["club@*", "*"]})


def test_a_route_from_a_place_to_itself_is_a_mistake_about_lists_and_not_about_somebody(desk: Desk) -> None:
    desk.write("lists/news@example.com.csv", "address", "ann@example.com")
    path = desk.folder / "plan.yaml"
    path.write_text(path.read_text().replace("path: copy", "path: lists") + "accounts: [ann@example.com]\n")
    assert desk.mistakes() == [
        "plan.yaml:5:9: steps.lists would copy what is there onto itself: old -> new are the same place. Correct the route or the endpoints."
    ]


def test_what_is_only_odd_is_told_beside_the_mistakes(desk: Desk) -> None:
    desk.write(
        "lists/news@example.com.csv", "address,role", "ann@example.com,ownr", "bob@example.com,", "bob@example.com,"
    )
    with pytest.raises(PlanMistakes) as wrong:
        check(desk.folder / "plan.yaml")
    told = [line.rpartition("/")[2] for line in str(wrong.value).splitlines()]
    assert [line.partition(": ")[0] for line in told] == ["news@example.com.csv:2", "news@example.com.csv:4"]


@pytest.mark.parametrize("options", ["{type: mailman2, url: 'https://old.example.net/mailman'}", "{type: panel}"])
def test_lists_that_nothing_opens_are_a_mistake_of_the_plan(desk: Desk, options: str) -> None:
    text = (desk.folder / "plan.yaml").read_text().replace("{type: csv, path: lists}", options)
    (desk.folder / "plan.yaml").write_text(text)
    (told,) = desk.mistakes()
    assert "plan.yaml:3:9: endpoints.old.lists: " in told
    assert "panel" in told
    panel = "panel: {type: csv, path: accounts.csv}, lists:"
    (desk.folder / "plan.yaml").write_text(
        text.replace("lists: {type: mailman2", f"{panel} {{type: mailman2").replace(
            "lists: {type: panel", f"{panel} {{type: panel"
        )
    )
    assert not any("endpoints.old.lists" in one for one in desk.mistakes())
