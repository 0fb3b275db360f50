"""The report in Spanish: numbers and moments, and the sentences of the rooms as the catalogue says them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from pathlib import Path

import pytest

import migrator
from migrator.cli.tongue import Piece, Tongue
from migrator.contacts.meaning import compare
from migrator.contacts.merge import merge
from migrator.contacts.model import Card, text_property
from migrator.contacts.remarks import together
from migrator.mail.comparison import TROUBLES

SPANISH = Tongue.of("es")


@pytest.mark.parametrize(
    ("english", "spanish"),
    [
        ("larger than max_size 12.5 MB", "supera el tamaño máximo del plan (12,5 MB)"),
        (
            "1,234 messages are larger than max_size and stay",
            "1.234 mensajes superan el tamaño máximo del plan y se quedan",
        ),
        ("Run again.", "Ejecute de nuevo migrator run."),
        ("nothing new.", "nada nuevo."),
        ("nothing new; larger than max_size 1 GB", "nada nuevo; supera el tamaño máximo del plan (1 GB)"),
        ("could not be compared: nothing new", "no se pudo comparar: nada nuevo"),
    ],
)
def test_a_sentence_is_said_in_spanish_with_its_numbers(english, spanish):
    assert SPANISH.say(english) == spanish
    assert Tongue.of("en").say(english) == english


@pytest.mark.parametrize(
    ("english", "spanish"),
    [
        ("1 passed over, 12 there already", "1 omitido, 12 ya estaban"),
        (
            "Correct the user or the password on line 7 of accounts.csv, then run again; nothing was changed.",
            "Corrija el usuario o la contraseña en la línea 7 de accounts.csv y ejecute de nuevo migrator run; no se cambió nada.",
        ),
        (
            "eva@example.com: the master user admin was refused at old for ana@example.com and bea@example.com, and is not tried a third time.",
            "eva@example.com: el servidor old rechazó el usuario maestro admin para ana@example.com y bea@example.com, y no se prueba por tercera vez.",
        ),
        (
            "If it is right, ana@example.com and bea@example.com cannot be opened there: take them out of the plan.",
            "Si es correcto, ana@example.com y bea@example.com no se pueden abrir allí: quítelos del plan.",
        ),
        ("1 message is larger than max_size and stays", "1 mensaje supera el tamaño máximo del plan y se queda"),
        (
            "after 5 up to 9: 1 row is not at the target as it was put there, or another is",
            "después de 5 hasta 9: 1 fila no está en el destino como se puso, o hay otra",
        ),
        (
            "part 1 of 1,200: 11 rows that are gone from the source stay at the target",
            "parte 1 de 1.200: 11 filas que ya no están en el origen siguen en el destino",
        ),
        (
            "contacts for a@example.com: 1 card was put into Web",
            "contactos para a@example.com: se puso 1 tarjeta en Web",
        ),
        ("20,000 rows; 1 new row", "20.000 filas; 1 fila nueva"),
        (
            "2 new rows, 50 looked at again because some of them have changed",
            "2 filas nuevas, 50 se miran de nuevo porque algunas han cambiado",
        ),
        ("NUL became 0x80", "los NUL pasaron a 0x80"),
        (
            "contacto: part 1 of 3: the target has as many rows as were put there (10,000), and some have changed",
            "contacto: parte 1 de 3: el destino tiene tantas filas como se pusieron allí (10.000), y algunas han cambiado",
        ),
        (
            "contacto: after 5 up to 9: the target has 3 rows, and 4 were put there",
            "contacto: después de 5 hasta 9: el destino tiene 3 filas, y allí se pusieron 4",
        ),
        (
            "If nobody changed them on purpose, copy them by hand.",
            "Si nadie las cambió a propósito, cópielas a mano.",
        ),
        (
            "sheets of contacto (*): 2 entries on 1 sheet; several choices are joined by | in colours, topic",
            "hojas de contacto (*): 2 entradas en 1 hoja; varias opciones van unidas por | en colours, topic",
        ),
        ("sheets of contacto (*)", "hojas de contacto (*)"),
    ],
)
def test_one_is_told_as_one(english, spanish):
    assert SPANISH.say(english) == spanish


@pytest.mark.parametrize("code", TROUBLES)
def test_what_comparing_mail_finds_is_said_in_spanish_of_one_and_of_many(code):
    one, several, remedy = TROUBLES[code]
    told = [SPANISH.pieces(text) for text in (f"1 {one} (uid 7)", f"1,234 {several} (uid 7, uid 8)", remedy)]

    assert [piece for pieces in told for piece in pieces if piece.foreign] == []
    assert [pieces[0].text.partition(" mensaje")[2][:1] for pieces in told[:2]] == [" ", "s"]


def test_what_is_not_known_stays_as_it_is_and_is_marked():
    told = SPANISH.pieces("could not be compared: the moon is full, 1,234 times. Run again.")

    assert told == (
        Piece("no se pudo comparar: "),
        Piece("the moon is full, 1,234 times.", foreign=True),
        Piece(" Ejecute de nuevo migrator run."),
    )


@pytest.mark.parametrize("text", ["", "1,204,331", "; ", "12.5 MB", "a. B; c", "nothing new; and; more. Run again. X"])
def test_nothing_is_lost_of_what_is_not_known(text):
    told = SPANISH.pieces(text)

    assert [piece.text for piece in told if piece.foreign and piece.text not in text] == []
    if all(piece.foreign for piece in told):
        assert "".join(piece.text for piece in told) == text


def test_sizes_moments_and_spans_of_time_are_written_as_in_spanish():
    assert SPANISH.count(1_204_331) == "1.204.331"
    assert SPANISH.size(13_107_200) == "12,5 MB"
    assert SPANISH.size(None) == "tamaño desconocido"
    assert SPANISH.duration(3 * 86400 + 4 * 3600) == "3 días 4 h"
    assert SPANISH.moment(datetime(2026, 3, 14, 12, 0, tzinfo=UTC)).startswith("14/03/2026 ")


def test_a_name_is_never_taken_for_a_sentence_and_a_sentence_never_for_a_name():
    renamed = "is called all there at the target, which would not create it as it is (1,234 no)"
    assert SPANISH.say(renamed) == "se llama all there en el destino, que no quiso crearla tal cual (1,234 no)"
    assert SPANISH.pieces("Ann: the target says: not so; nothing new") == (
        Piece("Ann: el destino responde: "),
        Piece("not so", foreign=True),
        Piece("; nada nuevo"),
    )


def card(name, *more):
    return Card((text_property("UID", "u"), text_property("FN", name), *more))


SOURCE = card(
    "Ann", text_property("TEL", "1", "cell"), text_property("NOTE", "so; EMAIL or not"), text_property("BDAY", "1980")
)
TARGET = card("Ann D.", text_property("TEL", "1"), text_property("NOTE", "zzz"), text_property("BDAY", "1981"))
ENGLISH = ("beside", "kept", "keeps", "has", "was", "with", "missing", "new", "plain", "source")


def test_what_is_true_of_one_card_alone_is_said_in_spanish_behind_its_name():
    united = merge([SOURCE], [TARGET])[0].conflicts
    differing = [*compare(SOURCE, TARGET), *compare(SOURCE, Card()), *compare(Card(), SOURCE)]
    remarks = [one.remark for one in (*united, *differing)]
    told = SPANISH.named(f"Ann: {together(remarks).own}")

    assert len(united) > 2
    assert set(ENGLISH) & set(re.findall(r"\w+", told)) == set()
    assert all(value in told for value in ("so; EMAIL or not", "1981", "Ann D."))
    for one in remarks:
        assert not any(piece.foreign for piece in SPANISH.pieces(one.shared))
    for one in differing:  # as a verification finds them
        assert set(ENGLISH) & set(re.findall(r"\w+", SPANISH.say(f"Ann: {one}"))) == set()


@pytest.mark.parametrize(
    ("english", "spanish"),
    [
        (
            "Ann: EMAIL: a@x, b@x is put beside c@x, both are kept",
            "Ann: EMAIL: a@x, b@x se pone junto a c@x; se guardan ambos",
        ),
        (
            "Ann: TEL was 1; 2 and is 3; BDAY: the source has 1, the target keeps 2",
            "Ann: TEL era 1; 2 y es 3; BDAY: el origen tiene 1; el destino deja 2",
        ),
        ("Ann: NOTE one, two", "Ann: NOTE one, two"),
        ("Run again.", "Run again."),
        ("nothing new; Ltd", "nothing new; Ltd"),
    ],
)
def test_a_name_stays_as_it_is_with_whatever_stands_behind_it(english, spanish):
    assert SPANISH.named(english) == spanish
    assert Tongue.of("en").named(english) == english


# -- whether the rooms say anything that the catalogue does not know -----------------------------------------------------------

ROOT = Path(migrator.__file__).parent
ROOMS = ("mail", "panel", "contacts", "lists", "forms", "engine")
TOLD = {
    "note",
    "cure",
    "why",
    "remedy",
    "text",
}  # the fields that a report shows; what errors say is for the admin at work

KEEPS_OTHERWISE = {"lost", "changed"}  # how an adapter says that its product keeps a thing otherwise, or not at all

# Sentences that the source puts together word by word: here as they are said.
PUT_TOGETHER = {
    "no password is known{}": [
        "no password is known",
        "no password is known (the source says that the password in the plan is wrong)",
    ],
    "{} It is read only where an account has its name.": ["Run again. It is read only where an account has its name."],
    "{}: the target {}": [],  # a preview's alone
    "{} of its cards {} not moved yet: {}": [
        "1 of its cards is not moved yet: Ann",
        "2 of its cards are not moved yet: Ann",
    ],
    "{} of its cards {} moved and {} not at the target any more: {}": [
        "1 of its cards was moved and is not at the target any more: Ann",
        "2 of its cards were moved and are not at the target any more: Ann, Zoë",
    ],
    "nothing in it is a card: {}; look at the file, or leave it out": [
        "nothing in it is a card: 1 line in it that belongs to no card; look at the file, or leave it out",
        "nothing in it is a card: 3 lines in it that belong to no card; look at the file, or leave it out",
    ],
    "the source has {}": [
        "the source has 1 line between its cards that belongs to no card",
        "the source has 3 lines between its cards that belong to no card",
    ],
    "{} {} ({}){}, and the report names each": [
        "1 card says otherwise at the source (TEL); the target's is kept, and the report names each",
        "2 cards say otherwise at the source (TEL, NOTE); the target's is kept, and the report names each",
        "1 card has what the source says beside what the target said (TEL), and the report names each",
        "2 cards have what the source says beside what the target said (TEL), and the report names each",
    ],
    "{} says it no longer": ["was passed over, and the source says it no longer"],
    "{}: {} instead of {}": ["name: Ann instead of nothing", "hidden: yes instead of no", "delivery: x instead of y"],
    "{} {} not moved yet ({})": [
        "1 member is not moved yet (a@example.com)",
        "2 owners are not moved yet (a@example.com)",
    ],
    "{}: {} {} on {} {}": ["sheets of WPForms (wp_*): 1 entry on 1 sheet", "sheets of x: 1,204 entries on 2 sheets"],
    "{}: {} cards were put into {}": ["contacts for a@example.com: 2 cards were put into Website"],
    "{}: entries name {} uploaded {}, which no database holds": [
        "sheets of x: entries name 1 uploaded file, which no database holds",
        "sheets of x: entries name 1,204 uploaded files, which no database holds",
    ],
    "{}: {} times {}": ["sheets of x: 2 times a serialised value is broken and shown as it is"],
    "{}: {}, since the plan names a time": ["wp_x: 1 without a date is left out, since the plan names a time"],
    "{}: {} {} hidden whole for {}": [
        "wp_x: 1 value could not be looked into and was hidden whole for wp_x.phone",
        "wp_x: 2 values could not be looked into and were hidden whole for wp_x.phone",
    ],
    "the row {} is too large to be moved ({} MB; {}){}": [
        "the row id 9 is too large to be moved (41.0 MB; dump.sql, line 7)",
        "the row id 9 is too large to be moved (41.0 MB; dump.sql, line 7); whether it is one of those wanted was not looked at",
    ],
}


class Source:
    """A module's sentences: what it gives the fields that a report shows, as far as that is written in the module itself."""

    def __init__(self, path: Path) -> None:
        self.tree = ast.parse(path.read_text("utf-8"))
        self.functions = {node.name: node for node in ast.walk(self.tree) if isinstance(node, ast.FunctionDef)}
        self.values: dict[str, list[ast.expr]] = {}
        for node in ast.walk(self.tree):
            match node:
                case ast.Assign(targets=[ast.Name(name)], value=value):
                    self.values.setdefault(name, []).append(value)
                case ast.AnnAssign(target=ast.Name(name), value=ast.expr() as value):
                    self.values.setdefault(name, []).append(value)

    def told(self, fields: AbstractSet[str]) -> Iterator[str]:
        """Every sentence of these fields once, a value in it as {}."""
        raised = {id(part) for node in ast.walk(self.tree) if isinstance(node, ast.Raise) for part in ast.walk(node)}
        found: dict[str, None] = {}
        for node in ast.walk(self.tree):
            if not isinstance(node, ast.Call) or id(node) in raised:
                continue
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            shown = [] if name in {"Field", "Option"} else [one.value for one in node.keywords if one.arg in fields]
            shown += node.args[3:] if name == "Finding" and fields == TOLD else []
            shown += node.args[:1] if name in KEEPS_OTHERWISE else []
            found.update(dict.fromkeys(text for value in shown for text in self.texts(value, ())))
        return (text for text in found if re.search("[a-z]{2}", text.replace("{}", "")))

    def texts(self, node: ast.expr, seen: tuple[str, ...]) -> list[str]:
        """What an expression may come to, as text."""
        several: list[ast.expr] = []
        match node:
            case ast.Constant(str() as text):
                return [text]
            case ast.JoinedStr(values):
                return ["".join(str(one.value) if isinstance(one, ast.Constant) else "{}" for one in values)]
            case ast.BinOp(left, ast.Add(), right):
                return [a + b for a in self.texts(left, seen) or ["{}"] for b in self.texts(right, seen) or ["{}"]]
            case ast.IfExp(_, yes, no):
                several = [yes, no]
            case ast.BoolOp(_, values) | ast.Tuple(values) | ast.List(values):
                several = values
            case ast.GeneratorExp(one) | ast.ListComp(one):
                several = [one]
            case ast.Call(ast.Attribute(_, "join"), values):
                several = values
            case ast.Name(name) if name not in seen:
                seen, several = (*seen, name), self.values.get(name, [])
            case ast.Call(ast.Name(name)) if name in self.functions and name not in seen:
                seen = (*seen, name)
                several = [
                    one.value
                    for one in ast.walk(self.functions[name])
                    if isinstance(one, ast.Return | ast.Yield) and one.value is not None
                ]
        return [text for one in several for text in self.texts(one, seen)]


def said_by(room: str) -> dict[str, str]:
    """What a room may say in a report, and in which of its files."""
    said: dict[str, str] = {}
    for path in sorted((ROOT / room).rglob("*.py")):
        # An adapter speaks of its own product to the admin who set it up; but why it did not take a thing is told to the customer.
        fields = {"refused"} if "adapters" in path.parts else TOLD
        said.update(dict.fromkeys(Source(path).told(fields), str(path.relative_to(ROOT))))
    return said


@pytest.mark.parametrize("room", ROOMS)
def test_everything_a_room_says_in_a_report_can_be_said_in_spanish(room):
    said = said_by(room)
    missing = {
        one: path
        for text, path in said.items()
        for one in PUT_TOGETHER.get(text, [text.replace("{}", "7")])
        if any(piece.foreign for piece in SPANISH.pieces(one))
    }

    assert said
    assert missing == {}, "write what these are in Spanish into migrator/cli/report.es.toml"


def test_no_sentence_put_together_is_one_that_nobody_says_any_more():
    said = {text for room in ROOMS for text in said_by(room)}

    assert set(PUT_TOGETHER) - said == set()


def test_a_room_that_says_something_new_would_be_found(tmp_path):
    path = tmp_path / "room.py"
    path.write_text(
        'why = f"the {thing} is new"\nOutcome("x", Fate.SKIPPED, note=why, cure="Wait.")\nraise Bad(remedy="No")\n'
    )

    assert list(Source(path).told(TOLD)) == ["the {} is new", "Wait."]
