"""The contacts step between files: what lies in the wrong place or is no card is told, and one file takes many books."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import SecretStr

from migrator.contacts import vcard
from migrator.contacts.adapters import google_csv, outlook_csv, thunderbird, vcards
from migrator.contacts.contract import BookReader, BookWriter
from migrator.contacts.model import Card, text_property
from migrator.contacts.options import ContactsOptions
from migrator.contacts.step import KIND
from migrator.engine.contract import Action, Adapter, Fate, Login, Service, Side, Verb
from migrator.engine.stage import Stage
from migrator.testing.memory_books import accounts_of
from migrator.testing.memory_strongbox import MemoryStrongbox
from migrator.testing.trial import Trial

ANN = "ann@example.com"
FILES = [
    (vcards.ADAPTER, ".vcf"),
    (google_csv.ADAPTER, ".csv"),
    (outlook_csv.ADAPTER, ".csv"),
    (thunderbird.ADAPTER, ".ldif"),
]


@dataclass
class FileRoute:
    """Opener between two paths of one kind of file."""

    adapter: Adapter[BookReader, BookWriter]
    paths: dict[Side, Path]
    strongbox: MemoryStrongbox

    def endpoint(self, side: Side) -> str:
        return "old" if side is Side.SOURCE else "new"

    def connections(self, side: Side) -> tuple[int, int]:
        return 8, 4

    def _options(self, side: Side) -> Service:
        return self.adapter.options.model_validate({"path": self.paths[side]})

    def for_reading(self, side: Side, service: str, account: str) -> BookReader:
        return self.adapter.reader(self._options(side), self.login(side, account))

    def for_writing(self, side: Side, service: str, account: str) -> BookWriter:
        assert self.adapter.writer
        return self.adapter.writer(self._options(side), self.login(side, account))

    def login(self, side: Side, account: str) -> Login:
        return Login(account, account)

    def keep_password(self, account: str, password: SecretStr) -> None:
        raise AssertionError(account)


class World:
    def __init__(self, source: Path, target: Path, adapter: Adapter[BookReader, BookWriter] = vcards.ADAPTER) -> None:
        route = FileRoute(adapter, {Side.SOURCE: source, Side.TARGET: target}, MemoryStrongbox())
        step = KIND.build(ContactsOptions(), accounts_of(ANN))
        self.trial = Trial([Stage("contacts", "contacts", step, route)])

    def actions(self) -> list[Action]:
        (stage,) = self.trial.preview().stages
        return [action for _, action in stage.actions]

    def troubles(self) -> list[str]:
        (stage,) = self.trial.preview().stages
        return [error.sentence() for _, error in stage.troubles]

    def notes(self, fate: Fate, book: str) -> list[str]:
        return [
            f"{one.about}: {one.note}".removeprefix(": ")
            for one in self.trial.store.outcomes(f"contacts/old>new/{ANN}/{book}")
            if one.fate is fate
        ]


def text(name: str) -> str:
    return vcard.write(Card((text_property("UID", name), text_property("FN", name))))


@pytest.mark.parametrize(("adapter", "suffix"), FILES, ids=lambda one: getattr(one, "word", one))
def test_a_source_that_is_not_there_is_named_and_spoils_the_account(
    tmp_path: Path, adapter: Adapter[BookReader, BookWriter], suffix: str
) -> None:
    target = tmp_path / "out"
    file, folder, misplaced = (tmp_path / name for name in (f"nothere{suffix}", "nothere", f"dir{suffix}"))
    misplaced.mkdir()
    check = "Check the account's name and the endpoint's path in the plan."
    for path, words in (
        (file, f"{file}: there is no such file. Correct the path in the plan."),
        (folder, f"{folder}: there is no such folder. Correct the path in the plan."),
        (
            misplaced,
            f"{misplaced}: it holds neither a folder {ANN} nor a file {ANN}{suffix}. {check}",
        ),
    ):
        world = World(path, target, adapter)
        assert world.troubles() == [words]
        assert world.trial.run().codes == {"not-found"}
        assert not target.exists()


def test_a_file_beside_the_account_s_folder_is_named_with_its_right_place(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    (source / "friends.vcf").write_text(text("Bob"))
    (source / "work.vcf").write_text(text("Eva"))
    (words,) = World(source, tmp_path / "out").troubles()
    assert words == (
        f"{source}: it holds neither a folder {ANN} nor a file {ANN}.vcf, and friends.vcf and 1 more beside it, "
        f"which is no account's. Put the files of {ANN} into {source / ANN} if each is an address book, into {source / ANN / 'Contacts'} "
        "if each is one card of the same book."
    )


@pytest.mark.parametrize("content", [bytes(range(256)) * 80, b"Dear Ann,\n\nsee you.\n"], ids=["bytes", "text"])
def test_a_file_without_a_card_is_an_error_and_hides_no_other(tmp_path: Path, content: bytes) -> None:
    folder = tmp_path / "in" / ANN
    folder.mkdir(parents=True)
    (folder / "odd.vcf").write_bytes(content)
    (folder / "friends.vcf").write_text(text("Bob"))
    world = World(tmp_path / "in", tmp_path / "out")
    told = {action.label: action for action in world.actions()}
    assert told["odd"].verb is Verb.BY_HAND
    assert told["odd"].why.startswith("nothing in it is a card: ")
    assert world.trial.run().codes == {"by-hand"}
    assert world.trial.fates() == {Fate.COPIED: 1}


@pytest.mark.parametrize(
    ("name", "why"), [("in.vcf", "it holds no card"), ("in", "the source has none of this account")]
)
def test_an_empty_source_is_no_mistake_and_is_told(tmp_path: Path, name: str, why: str) -> None:
    path = tmp_path / name
    if path.suffix:
        path.write_bytes(b"")
    else:
        (path / ANN).mkdir(parents=True)
    world = World(path, tmp_path / "out")
    (action,) = world.actions()
    assert action.verb is Verb.KEEP
    assert action.why == why
    assert not world.trial.run().codes


def test_lines_between_cards_are_told_in_preview_and_run_and_with_the_next_card(tmp_path: Path) -> None:
    path = tmp_path / "in.vcf"
    path.write_text(f"{text('Bob')}TEL:+34 1\nNOTE:lost\n{text('Eva')}END:VCARD\n")
    world = World(path, tmp_path / "out")
    (stage,) = world.trial.preview().stages
    words = "the source has 3 lines between its cards that belong to no card"
    assert [(one.code, one.text) for one in stage.findings] == [
        ("stray-lines", words),
        ("will-be-altered", "2 lines before this card that belong to no card (Eva)"),
    ]
    world.trial.run()
    assert [one.text for one in world.trial.findings("run") if one.code == "stray-lines"] == [words]
    assert world.notes(Fate.ALTERED, "in") == ["Eva: 2 lines before this card that belong to no card"]
    assert world.trial.fates() == {Fate.COPIED: 1, Fate.ALTERED: 1}


def test_many_books_go_into_one_file_one_after_the_other(tmp_path: Path) -> None:
    folder = tmp_path / "in" / ANN
    folder.mkdir(parents=True)
    for number in range(6):
        (folder / f"book{number}.vcf").write_text(text(f"Person {number}"))
    world = World(tmp_path / "in", tmp_path / "one.vcf")
    actions = world.actions()
    assert [action.label for action in actions] == [f"book{number} -> one" for number in range(6)]
    assert [action.after for action in actions] == [(), *((action.key,) for action in actions[:-1])]
    assert not world.trial.run().codes
    assert (tmp_path / "one.vcf").read_text().count("BEGIN:VCARD") == 6
    assert world.trial.verify().differences == 0
