"""Every card of fixtures/vcards, read, written in both versions and read again. A file is named after its trait; where a strict reader
would stumble, NAME.expected.json beside it says what must come out: one object, or one for each card, in which a name of a property
stands for all its texts (or `types`, `preferred`, `media`, `sha256`), and `dropped` for words that the reader must say.
"""

import io
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from migrator.contacts import meaning, vcard
from migrator.contacts.model import Card, Property

FIXTURES = Path(__file__).parent.parent.parent / "fixtures" / "vcards"
FILES = sorted(FIXTURES.glob("*.vcf"))
EXPECTED = [path for path in FILES if path.with_suffix(".expected.json").exists()]


def cards_of(path: Path) -> list[vcard.Read]:
    with path.open("rb") as stream:
        return list(vcard.read(stream))


def named(path: Path) -> str:
    return path.stem


def test_there_are_three_hundred_cards_and_more_and_none_that_expects_something_of_nothing() -> None:
    assert len(FILES) >= 300
    assert {path.name.removesuffix(".expected.json") for path in FIXTURES.glob("*.json")} <= set(map(named, FILES))


@pytest.mark.parametrize("version", vcard.VERSIONS)
@pytest.mark.parametrize("path", FILES, ids=named)
def test_a_card_written_and_read_again_means_the_same(path: Path, version: str) -> None:
    for one in cards_of(path):
        for fold in (True, False):
            text = vcard.write(one.card, version, fold=fold)
            again = vcard.parse(text.encode())
            assert not again.dropped
            assert again.card.version == version
            assert not meaning.differences(one.card, again.card)
            assert meaning.digest(one.card) == meaning.digest(again.card)


@pytest.mark.parametrize("path", FILES, ids=named)
def test_every_property_is_there_after_writing(path: Path) -> None:
    for one in cards_of(path):
        for version in vcard.VERSIONS:
            again = vcard.parse(vcard.write(one.card, version).encode()).card
            names = {
                meaning.common_name(prop.name) for prop in one.card.properties if prop.text.strip(";") or prop.data
            }
            assert names <= {meaning.common_name(prop.name) for prop in again.properties}


@pytest.mark.parametrize("path", FILES, ids=named)
def test_lines_are_no_longer_than_75_octets_and_hold_no_control(path: Path) -> None:
    for one in cards_of(path):
        for version in vcard.VERSIONS:
            lines = vcard.write(one.card, version).encode().split(b"\r\n")
            assert max(map(len, lines)) <= 75
            assert not any(octet < 32 and octet != 9 for line in lines for octet in line)


@pytest.mark.parametrize("path", FILES, ids=named)
def test_the_bytes_of_a_card_alone_say_what_they_say_in_the_file(path: Path) -> None:
    content = path.read_bytes()
    for one in cards_of(path):
        assert content[one.offset : one.offset + len(one.raw)] == one.raw
        assert vcard.parse(one.raw).card == one.card


@pytest.mark.parametrize("path", FILES, ids=named)
def test_vobject_reads_what_we_write_as_we_do(path: Path) -> None:
    for one in cards_of(path):
        assert vcard.objection(vcard.write(one.card)) == ""
        assert vcard.objection(vcard.write(one.card, fold=False)) == ""


@pytest.mark.parametrize("path", EXPECTED, ids=named)
def test_a_difficult_card_says_what_it_is_expected_to(path: Path) -> None:
    expected = json.loads(path.with_suffix(".expected.json").read_text(encoding="utf-8"))
    found = cards_of(path)
    each = expected if isinstance(expected, list) else [expected]
    assert len(found) == len(each)
    for one, wanted in zip(found, each, strict=True):
        compare(one, wanted)


def compare(found: vcard.Read, expected: dict[str, Any]) -> None:
    dropped = expected.pop("dropped", [])
    assert len(found.dropped) == len(dropped), found.dropped
    for words, told in zip(dropped, found.dropped, strict=True):
        assert words in told
    card = found.card
    for name, wanted in expected.items():
        match name:
            case "group":
                assert card.is_group == wanted
            case "members":
                assert list(card.members) == wanted
            case "uid":
                assert card.uid == wanted
            case "empty":
                assert (not card.properties) == wanted
            case _ if isinstance(wanted, str):
                assert card.text(name) == wanted
            case _:
                properties = list(card.all(name))
                assert [as_expected(one, like) for one, like in zip(properties, wanted, strict=True)] == wanted


def as_expected(one: Property, like: Any) -> Any:
    if isinstance(like, str):
        return one.text
    told = {
        "text": one.text,
        "types": sorted(one.types),
        "preferred": one.preferred,
        "media": one.media,
        "sha256": sha256(one.data or b"").hexdigest(),
    }
    return {name: value for name, value in told.items() if name in like or (name == "preferred" and value is not None)}


def test_a_person_means_the_same_whichever_program_wrote_the_card() -> None:
    """The same person by seven programs: what all of them can say is said alike."""
    wanted = ("ADR", "EMAIL", "TEL", "URL", "BDAY", "NOTE", "ORG", "TITLE")
    told = {}
    for program in (
        "android-2.1",
        "apple-3.0",
        "evolution-3.0",
        "google-3.0",
        "nextcloud-4.0",
        "roundcube-3.0",
        "thunderbird-4.0",
    ):
        (one,) = cards_of(FIXTURES / f"{program}-umlauts.vcf")
        told[program] = meaning.values_of(one.card, wanted), one.card.text("N")
    assert len(set(told.values())) == 1, told


def test_nothing_of_a_card_that_is_whole_is_told_as_dropped() -> None:
    whole = [path for path in FILES if path not in EXPECTED]
    assert not {path.name: one.dropped for path in whole for one in cards_of(path) if one.dropped}


def test_reading_from_a_pipe_that_gives_little_at_a_time_gives_the_same() -> None:
    class Drops(io.RawIOBase):
        def __init__(self, content: bytes) -> None:
            self._content = io.BytesIO(content)

        def readable(self) -> bool:
            return True

        def readinto(self, room: Any) -> int:
            drop = self._content.read(min(len(room), 7))
            room[: len(drop)] = drop
            return len(drop)

    path = FIXTURES / "fifty-cards.vcf"
    with io.BufferedReader(Drops(path.read_bytes())) as stream:
        assert [one.card for one in vcard.read(stream)] == [one.card for one in cards_of(path)]


def test_a_card_of_another_room_is_no_card_here() -> None:
    assert Card().label == "(without a name)"
