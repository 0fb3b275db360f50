"""The report in Spanish: numbers and moments, and the sentences of the rooms as the catalogue says them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from migrator.cli.tongue import Piece, Tongue

SPANISH = Tongue.of("es")


@pytest.mark.parametrize(
    ("english", "spanish"),
    [
        ("larger than max_size 12.5 MB", "supera el tamaño máximo del plan (12,5 MB)"),
        ("1,234 left behind are tried again", "se intentan de nuevo 1.234 que no se trasladaron"),
        ("Run again.", "Ejecute de nuevo migrator run."),
        ("nothing new.", "nada nuevo."),
        ("nothing new; larger than max_size 1 GB", "nada nuevo; supera el tamaño máximo del plan (1 GB)"),
        ("could not be compared: nothing new", "no se pudo comparar: nada nuevo"),
    ],
)
def test_a_sentence_is_said_in_spanish_with_its_numbers(english, spanish):
    assert SPANISH.say(english) == spanish
    assert Tongue.of("en").say(english) == english


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
