"""The lists' contract on Google's bulk file of members, and the files that Google's own pages give out."""

from __future__ import annotations

from contextlib import closing

import pytest

from migrator.engine.contract import Login
from migrator.errors import Misbehaved, PlanError
from migrator.lists.adapters import google_csv
from migrator.lists.contract import THE_LISTS
from migrator.lists.model import Delivery, Member, Role, Stopped
from migrator.testing.list_suite import ListContract, everybody

NEWS = "news@example.com"
LOGIN = Login(THE_LISTS, THE_LISTS)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "groups"


def session(path):
    return google_csv.ADAPTER.reader(google_csv.Options(path=path), LOGIN)


class TestGoogleCsv(ListContract):
    adapter = google_csv.ADAPTER
    cannot = {"apart": "whoever owns a Google group is a member of it"}  # noqa: RUF012 - as the suite has it

    @pytest.fixture
    def options(self, folder):
        return google_csv.Options(path=folder)


def test_it_is_written_as_google_takes_it(folder) -> None:
    with closing(google_csv.ADAPTER.writer(google_csv.Options(path=folder), LOGIN)) as writer:
        writer.create_list(NEWS, "", None)
        writer.add(NEWS, [Member("owner@example.com", role=Role.OWNER)])
        writer.add(NEWS, [Member("ann@example.com", "Ann"), Member("owner@example.com")])
        writer.add(NEWS, [Member("ann@example.com", role=Role.MODERATOR)])
    assert (folder / f"{NEWS}.csv").read_bytes() == (
        b"Group Email [Required],Member Email,Member Type,Member Role\r\n"
        b"news@example.com,owner@example.com,USER,OWNER\r\n"
        b"news@example.com,ann@example.com,USER,MANAGER\r\n"
    )


def test_one_file_with_several_groups_is_read(tmp_path) -> None:
    path = tmp_path / "groups.csv"
    path.write_text(
        "Group Email [Required],Member Email,Member Type,Member Role\n"
        "news@example.com,ann@example.com,USER,MEMBER\n"
        "other@example.com,bob@example.com,USER,OWNER\n"
        "News@Example.com,cara@example.com,USER,MANAGER\n"
    )
    reader = session(path)
    assert [one.address for one in reader.lists()] == ["news@example.com", "other@example.com"]
    assert [one.address for one in everybody(reader, NEWS)] == ["ann@example.com", "cara@example.com"]
    assert [one.address for one in everybody(reader, NEWS, Role.MODERATOR)] == ["cara@example.com"]
    assert [one.address for one in everybody(reader, "other@example.com", Role.OWNER)] == ["bob@example.com"]


def test_the_export_of_a_groups_own_page_is_read(folder) -> None:
    folder.mkdir()
    (folder / f"{NEWS}.csv").write_text(
        "Members for group news\n"
        "Email address,Nickname,Group status,Email status,Email preference,Posting permissions,Join year\n"
        "ann@example.com,Ann,owner,,Digest,allowed,2019\n"
        "bob@example.com,Bob,member,,No email,allowed,2020\n"
        "cara@example.com,,member,bouncing,Each email,allowed,2020\n"
    )
    reader = session(folder)
    assert everybody(reader, NEWS) == [
        Member("ann@example.com", "Ann", delivery=Delivery.MIME_DIGEST),
        Member("bob@example.com", "Bob", stopped=Stopped.BY_USER),
        Member("cara@example.com"),
    ]
    assert [one.address for one in everybody(reader, NEWS, Role.OWNER)] == ["ann@example.com"]


def test_an_owner_who_is_that_no_longer_stays_a_member_and_an_owner_is_not_taken_off_as_a_member(folder) -> None:
    with closing(google_csv.ADAPTER.writer(google_csv.Options(path=folder), LOGIN)) as writer:
        writer.create_list(NEWS, "", None)
        writer.add(NEWS, [Member("ann@example.com", role=Role.OWNER), Member("bob@example.com", role=Role.OWNER)])
        writer.remove(NEWS, [Member("ann@example.com", role=Role.OWNER)])
        assert [one.address for one in everybody(writer, NEWS, Role.OWNER)] == ["bob@example.com"]
        writer.remove(NEWS, [Member("bob@example.com")])
        assert [one.address for one in everybody(writer, NEWS)] == ["ann@example.com", "bob@example.com"]


def test_a_role_nobody_knows_is_told_with_its_line(folder) -> None:
    folder.mkdir()
    (folder / f"{NEWS}.csv").write_text("Group Email [Required],Member Email,Member Role\nx,ann@example.com,KING\n")
    with pytest.raises(Misbehaved, match="line 2: the role is none of"):
        everybody(session(folder), NEWS)


def test_one_file_is_no_target(tmp_path) -> None:
    with pytest.raises(PlanError, match="the path is a folder"):
        google_csv.ADAPTER.writer(google_csv.Options(path=tmp_path / "groups.csv"), LOGIN)
