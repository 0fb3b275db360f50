"""The contract of address books on vCard files, and what becomes of such files when people and deaths have had them."""

from __future__ import annotations

import tracemalloc
from contextlib import closing
from io import BytesIO
from pathlib import Path

import pytest

from migrator.contacts import files, vcard
from migrator.contacts.adapters import vcards
from migrator.contacts.meaning import differences
from migrator.contacts.model import Property, text_property
from migrator.engine.contract import Login
from migrator.errors import EndpointRefused, Misbehaved, NotFound, Refused
from migrator.testing.book_store import ONE_PIXEL, BookContract, cards, everything, group, mail, person

FIXTURES = Path(__file__).parents[2] / "fixtures" / "vcards"
ANN = Login("ann@example.com", "ann@example.com")


class TestFolder(BookContract):
    adapter = vcards.ADAPTER

    @pytest.fixture
    def options(self, tmp_path):
        return vcards.Options(path=tmp_path / "contacts")


class TestVersion4(TestFolder):
    @pytest.fixture
    def options(self, tmp_path):
        return vcards.Options(path=tmp_path / "contacts", version="4.0")


class TestApple(TestFolder):
    @pytest.fixture
    def options(self, tmp_path):
        return vcards.Options(path=tmp_path / "contacts", version="apple")


class TestSingleFile(BookContract):
    adapter = vcards.ADAPTER

    @pytest.fixture
    def options(self, tmp_path):
        return vcards.Options(path=tmp_path / "friends.vcf")

    @pytest.fixture
    def book(self, writer):
        return writer.create_book("friends").id

    def test_a_new_book_bears_its_name_and_is_empty_or_books_are_refused(self):
        """One file is one book, whatever it is called."""


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "contacts"


def opened(path, login=ANN, **more):
    return closing(vcards.ADAPTER.writer(vcards.Options(path=path, **more), login))


def reading(path, login=ANN, **more):
    return closing(vcards.ADAPTER.reader(vcards.Options(path=path, **more), login))


def test_what_is_written_is_for_its_owner_alone(folder):
    with opened(folder) as writer:
        book = writer.create_book("Friends").id
        writer.add(book, [person("1")])
        writer.update(book, next(writer.index(book)), person("1", "Ann Moved"))
    made = folder / "ann@example.com" / "Friends.vcf"
    assert made.stat().st_mode & 0o777 == 0o600
    assert made.parent.stat().st_mode & 0o777 == 0o700
    assert [one.name for one in made.parent.iterdir()] == ["Friends.vcf"]


def test_an_account_sees_its_own_books_only(folder):
    with opened(folder) as writer:
        writer.create_book("Friends")
    with reading(folder, Login("bob@example.com", "bob")) as reader:
        assert list(reader.books()) == []
        with pytest.raises(NotFound):
            list(reader.index("../ann@example.com/Friends.vcf"))


def test_a_file_beside_the_folders_is_the_account_s_book(folder):
    folder.mkdir()
    (folder / "ann@example.com.vcf").write_text(vcard.write(person("1")))
    with reading(folder) as reader:
        (book,) = reader.books()
        assert book.name == "Contacts"
        assert [one.label for one in cards(reader, book.id)] == ["Ann Doe"]


def test_a_link_that_leads_out_is_not_followed(folder, tmp_path):
    (folder / "ann@example.com").mkdir(parents=True)
    (tmp_path / "secret.vcf").write_text(vcard.write(person("1")))
    (folder / "ann@example.com" / "Friends.vcf").symlink_to(tmp_path / "secret.vcf")
    with reading(folder) as reader, pytest.raises(Misbehaved, match="leads out"):
        reader.books()


def test_a_path_that_cannot_be_is_refused_at_once(tmp_path):
    with pytest.raises(EndpointRefused, match="neither this nor the folder around it"):
        vcards.ADAPTER.reader(vcards.Options(path=tmp_path / "nowhere" / "contacts"), ANN)


def test_one_single_file_is_one_book(tmp_path):
    path = tmp_path / "friends.vcf"
    path.write_text(vcard.write(person("1")))
    with opened(path) as writer:
        assert [one.name for one in writer.books()] == ["friends"]
        with pytest.raises(Refused, match="one address book"):
            writer.create_book("More")


def test_a_card_put_behind_a_last_line_without_an_end_is_not_glued_to_it(tmp_path):
    path = tmp_path / "friends.vcf"
    path.write_text(vcard.write(person("1")).rstrip())
    with opened(path) as writer:
        (put,) = writer.add("friends.vcf", [person("2", "Bob Roe")])
        assert put.ref
        assert [one.label for one in cards(writer, "friends.vcf")] == ["Ann Doe", "Bob Roe"]


def test_one_bad_card_hides_no_other_and_says_what_was_dropped(tmp_path):
    path = tmp_path / "friends.vcf"
    good = [vcard.write(person(uid, name)).encode() for uid, name in (("1", "Ann Doe"), ("2", "Bob Roe"))]
    path.write_bytes(good[0] + b"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Cut off\r\nthis is no line\r\n" + good[1])
    with reading(path) as reader:
        held = everything(reader, "friends.vcf")
    assert [one.card.label for one in held] == ["Ann Doe", "Cut off", "Bob Roe"]
    assert held[1].dropped
    assert not held[0].dropped


def test_cards_without_a_uid_and_twins_have_refs_of_their_own(tmp_path):
    path = tmp_path / "friends.vcf"
    one = vcard.write(person("1").without("UID"))
    path.write_text(one + one + vcard.write(person("2")) + vcard.write(person("2")))
    with reading(path) as reader:
        entries = list(reader.index("friends.vcf"))
        assert len({entry.ref for entry in entries}) == 4
        assert len(list(reader.fetch("friends.vcf", [entry.ref for entry in entries]))) == 4


def test_a_file_that_somebody_else_changed_meanwhile_is_looked_at_again(tmp_path):
    path = tmp_path / "friends.vcf"
    path.write_text(vcard.write(person("1")) + vcard.write(person("2", "Bob Roe")))
    with reading(path) as reader:
        first, second = reader.index("friends.vcf")
        path.write_text(vcard.write(person("0", "Zoe New")) + vcard.write(person("2", "Bob Roe")))
        assert [one.card.label for one in reader.fetch("friends.vcf", [first.ref, second.ref])] == ["Bob Roe"]


def test_photos_above_the_limit_are_left_out_and_the_limit_is_told(folder):
    photo = Property("PHOTO", data=ONE_PIXEL, media="image/png")
    with opened(folder, largest_photo=len(ONE_PIXEL) - 1) as writer:
        assert writer.features.largest_photo == len(ONE_PIXEL) - 1
        book = writer.create_book("Friends").id
        writer.add(book, [person("1", "Ann Doe", photo)])
        (card,) = cards(writer, book)
    assert card.first("PHOTO") is None
    with opened(folder, largest_photo=len(ONE_PIXEL)) as writer:
        writer.add(book, [person("2", "Bob Roe", photo)])
        assert cards(writer, book)[1].first("PHOTO").data == ONE_PIXEL


def test_the_apple_dialect_has_apple_s_groups_labels_and_dates(folder):
    born = person("1", "Ann Doe", text_property("BDAY", "--0412"))
    kin = Property("RELATED", (("Bob Roe",),), frozenset({"spouse"}), params=(("VALUE", ("text",)),))
    with opened(folder, version="apple") as writer:
        book = writer.create_book("Friends").id
        writer.add(book, [born.with_property(kin), group("2", "Team", "1")])
        text = (folder / "ann@example.com" / "Friends.vcf").read_text()
        assert differences(born, cards(writer, book)[0].without("X-ABRELATEDNAMES")) == []
    assert "X-ADDRESSBOOKSERVER-KIND:group" in text
    assert "X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:1" in text
    assert "X-APPLE-OMIT-YEAR=1604" in text
    assert "_$!<Spouse>!$_" in text


# -- deaths -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def half(tmp_path):
    """A file of one card, an append of two more announced, and what they are."""
    path = tmp_path / "friends.vcf"
    path.write_text(vcard.write(person("1"), fold=False))
    more = "".join(vcard.write(person(uid, f"Person N{uid}")) for uid in "23").encode()
    start = path.stat().st_size
    files.append(path, more)
    whole = path.read_bytes()
    assert files.take_back_half(path) is False
    return path, start, whole


def test_an_append_cut_off_anywhere_leaves_all_of_it_or_nothing(half, monkeypatch):
    path, start, whole = half
    announced = path.with_name(".friends.vcf.appending")
    monkeypatch.setattr(files, "_forget_announcement", lambda path: None)
    path.write_bytes(whole[:start])
    files.append(path, whole[start:])
    words = announced.read_bytes()
    monkeypatch.undo()
    for end in range(start, len(whole) + 1):
        path.write_bytes(whole[:end])
        announced.write_bytes(words)
        torn = files.take_back_half(path)
        assert path.read_bytes() in (whole[:start], whole)
        assert torn == (start < end < len(whole))
        assert not announced.exists()


def test_what_somebody_else_wrote_behind_half_an_append_is_never_cut(half, monkeypatch):
    path, start, whole = half
    monkeypatch.setattr(files, "_forget_announcement", lambda path: None)
    path.write_bytes(whole[:start])
    files.append(path, whole[start:])
    monkeypatch.undo()
    theirs = whole[: start + 20] + vcard.write(person("9", "Theirs Too", mail("x" * 300 + "@example.com"))).encode()
    path.write_bytes(theirs)
    with opened(path) as writer:
        writer.add(path.name, [person("4", "Next One")])
        assert "Next One" in {one.label for one in cards(writer, path.name)}
    assert path.read_bytes().startswith(theirs)


def test_half_an_append_is_taken_back_before_more_is_put(half, monkeypatch):
    path, start, whole = half
    monkeypatch.setattr(files, "_forget_announcement", lambda path: None)
    path.write_bytes(whole[:start])
    files.append(path, whole[start:])
    monkeypatch.undo()
    path.write_bytes(whole[: start + 50])
    with opened(path) as writer:
        puts = writer.add(path.name, [person("2", "Person N2"), person("3", "Person N3")])
        assert [put.refused for put in puts] == ["", ""]
        assert [one.uid for one in cards(writer, path.name)] == ["1", "2", "3"]


# -- size -------------------------------------------------------------------------------------------------------------


def test_reading_holds_an_index_and_one_card(tmp_path):
    path = tmp_path / "many.vcf"
    note = text_property("NOTE", "x" * 5000)
    with path.open("w") as file:
        for number in range(2000):
            file.write(vcard.write(person(f"u{number}", f"Person N{number}", note)))
    with reading(path) as reader:
        tracemalloc.start()
        refs = [entry.ref for entry in reader.index("many.vcf")]
        assert sum(1 for _ in reader.fetch("many.vcf", refs)) == 2000
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert path.stat().st_size > 10_000_000
    assert peak < 4_000_000, "the file must not be in memory"


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("*.vcf")), ids=lambda path: path.name)
def test_a_uid_is_told_in_passing_as_it_is_told_by_reading(path):
    with path.open("rb") as file:
        seen = vcards.VcardFile(file, None)
        for place in seen.places():
            file.seek(place.offset)
            assert place.uid == seen.card(file.read(place.size))[0].uid


def test_what_a_reader_sees_is_what_the_core_reads(tmp_path):
    path = tmp_path / "mixed.vcf"
    text = "".join(
        vcard.write(person(str(number), f"Pérson N{number}"), "4.0" if number % 2 else "3.0") for number in range(9)
    )
    path.write_bytes("BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Zoë\r\nEND:VCARD\r\n".encode("utf-16-le") + text.encode())
    with reading(path) as reader:
        ours = [held.card for held in everything(reader, "mixed.vcf")]
    assert ours == [one.card for one in vcard.read(BytesIO(path.read_bytes()))]


# -- a file for each card ----------------------------------------------------------------------------------------------------


def card_files(folder, *names):
    book = folder / "ann@example.com" / "Friends, and family"
    book.mkdir(parents=True)
    for name in names:
        text = f"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{name}\r\nFN:{name.title()} Doe\r\nEND:VCARD\r\n"
        (book / f"{name}.vcf").write_text(text, newline="")
    (book / ".props").write_text("{}")
    return book


def test_a_folder_with_a_file_for_each_card_is_a_book(folder):
    book = card_files(folder, "ann", "bob")
    with reading(folder) as reader:
        (found,) = reader.books()
        assert found.name == book.name
        assert [one.label for one in cards(reader, found.id)] == ["Ann Doe", "Bob Doe"]


def test_cards_in_files_of_several_encodings_and_without_a_last_line_end_stay_apart(folder):
    book = card_files(folder, "ann")
    (book / "b.vcf").write_bytes("BEGIN:VCARD\nVERSION:3.0\nFN:Jürgen\nEND:VCARD".encode("utf-16"))
    (book / "c.vcf").write_bytes(b"\xef\xbb\xbfBEGIN:VCARD\nVERSION:3.0\nFN:Mu\xc3\xb1oz\nEND:VCARD")
    (book / "d.vcf").write_bytes(b"BEGIN:VCARD\nVERSION:2.1\nFN:P\xe9rez\nEND:VCARD")
    with reading(folder) as reader:
        (found,) = reader.books()
        assert [one.label for one in cards(reader, found.id)] == ["Ann Doe", "Jürgen", "Muñoz", "Pérez"]
        assert reader.strays(found.id) == 0


def test_what_becomes_of_the_files_meanwhile_is_seen(folder):
    book = card_files(folder, "ann", "bob")
    with reading(folder) as reader:
        (found,) = reader.books()
        assert len(cards(reader, found.id)) == 2
        (book / "ann.vcf").unlink()
        assert [one.label for one in cards(reader, found.id)] == ["Bob Doe"]


def test_a_folder_with_a_file_for_each_card_is_never_written(folder):
    card_files(folder, "ann")
    with pytest.raises(Misbehaved, match="a file for each card, which is read and never written"), opened(folder):
        pass


def test_a_link_that_leads_nowhere_is_told_and_no_book_that_is_not_there(folder):
    (folder / "ann@example.com").mkdir(parents=True)
    (folder / "ann@example.com" / "Lost.vcf").symlink_to(folder / "gone.vcf")
    with reading(folder) as reader, pytest.raises(Misbehaved, match=r"Lost\.vcf is a link that leads nowhere"):
        reader.books()


def test_a_link_among_the_files_leads_nowhere_else(folder, tmp_path):
    book = card_files(folder, "ann")
    (tmp_path / "secret.vcf").write_text("BEGIN:VCARD\nVERSION:3.0\nFN:Secret\nEND:VCARD\n")
    (book / "x.vcf").symlink_to(tmp_path / "secret.vcf")
    with reading(folder) as reader, pytest.raises(Misbehaved, match="leads out of"):
        cards(reader, next(iter(reader.books())).id)


def test_a_file_in_it_that_holds_no_card_is_told_before_anything_moves(folder):
    book = card_files(folder, "ann")
    (book / "x.vcf").write_text("hello\n")
    contents = vcards.ADAPTER.contents(vcards.Options(path=folder))
    assert [(one.file, one.line) for one in contents.mistakes] == [(book / "x.vcf", 1)]


@pytest.mark.parametrize("name", ["Friends.vcf", "Friends"])
def test_a_book_that_is_removed_while_it_is_read_is_not_taken_for_an_empty_one(folder, name, monkeypatch):
    card_files(folder, "ann").rename(folder / "ann@example.com" / "Friends")
    (folder / "ann@example.com" / "Friends.vcf").write_text("BEGIN:VCARD\nVERSION:3.0\nFN:Eva\nEND:VCARD\n")
    path = folder / "ann@example.com" / name
    with reading(folder) as reader:
        monkeypatch.setattr(reader, "_path", lambda _: path)
        path.rename(folder / "elsewhere")
        with pytest.raises(NotFound, match="No such file"):
            cards(reader, name)
