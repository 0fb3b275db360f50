"""Files as other programs write them, each beside the cards that are in it: fixtures/contacts/<program>/<trait>.<ext> and its .vcf.

In the .vcf a group names its members by what they are called (X-MEMBER-NAMED), and X-DROPPED are words of what could not be read.
"""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

import pytest

from migrator.contacts import vcard
from migrator.contacts.adapters import google_csv, outlook_csv, thunderbird
from migrator.contacts.meaning import differences
from migrator.engine.contract import Login
from migrator.errors import EndpointRefused, Misbehaved
from migrator.testing.book_store import everything, mail, person

FOLDER = Path(__file__).parents[2] / "fixtures" / "contacts"
FILES = sorted(path for path in FOLDER.rglob("*") if path.suffix in {".csv", ".ldif"})
NAMES = [str(path.relative_to(FOLDER)) for path in FILES]
ANN = Login("ann@example.com", "ann@example.com")


def adapter_of(path: Path):
    match path.parent.name:
        case "google":
            return google_csv.ADAPTER, google_csv.Options(path=path)
        case "outlook":
            return outlook_csv.ADAPTER, outlook_csv.Options(path=path)
        case _:
            return thunderbird.ADAPTER, thunderbird.Options(path=path, format=path.suffix[1:])


def expected(path: Path):
    with path.with_suffix(f"{path.suffix}.vcf").open("rb") as file:
        return [read.card for read in vcard.read(file)]


def told(held) -> str:
    return "; ".join(held.dropped)


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_every_card_of_a_file_is_read_and_nothing_is_made_up(path):
    adapter, options = adapter_of(path)
    with closing(adapter.reader(options, ANN)) as reader:
        found = everything(reader, path.name)
    wanted = expected(path)
    assert [held.card.label for held in found] == [card.label for card in wanted]
    names = {held.card.uid or vcard.uid_for(held.card): held.card.label for held in found if not held.card.is_group}
    for held, card in zip(found, wanted, strict=True):
        aside = frozenset({"UID", "MEMBER", "X-MEMBER-NAMED", "X-DROPPED"})
        assert differences(card, held.card, aside) == []
        assert [names[uid] for uid in held.card.members] == [one.text for one in card.all("X-MEMBER-NAMED")]
        assert all(one.text in told(held) for one in card.all("X-DROPPED"))
        assert bool(held.dropped) == bool(card.text("X-DROPPED"))


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_a_file_of_others_takes_more_cards_and_keeps_those_it_has(path, tmp_path):
    mine = Path(shutil.copy(path, tmp_path))
    adapter, options = adapter_of(path)
    options = options.model_copy(update={"path": mine})
    fresh = person(
        "fresh",
        "New Friend",
        mail("new@example.com"),
        mail("b@example.com"),
        mail("c@example.com"),
        mail("d@example.com"),
    )
    with closing(adapter.writer(options, ANN)) as writer:
        before = everything(writer, mine.name)
        cannot = path.stem in {"old-layout", "row-with-too-many-cells"}
        if cannot:
            content = mine.read_bytes()
            with pytest.raises((Misbehaved, EndpointRefused)):
                writer.add(mine.name, [fresh])
            assert mine.read_bytes() == content
            return
        (put,) = writer.add(mine.name, [fresh])
        assert not put.refused
        after = {held.entry.ref: held for held in everything(writer, mine.name)}
    assert len(after) == len(before) + 1
    assert differences(fresh, after[put.ref].card) == []
    for held in before:
        assert held.entry.ref in after, "a card's ref outlives what others do"
        assert differences(held.card, after[held.entry.ref].card) == []


def test_a_table_of_another_program_is_refused_in_words():
    path = FOLDER / "outlook" / "english-empty-dates-and-exchange-path.csv"
    with (
        closing(google_csv.ADAPTER.reader(google_csv.Options(path=path), ANN)) as reader,
        pytest.raises(Misbehaved, match="has not the columns of Google Contacts"),
    ):
        list(reader.index(path.name))
