"""What may be shown, and how numbers, sizes and times are written."""

from __future__ import annotations

import fcntl
import io
import json
import os
import pty
import re
import select
import struct
import termios
import unicodedata
from datetime import UTC, datetime, timedelta, timezone
from enum import IntEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from migrator.cli import figures
from migrator.cli.documents import document, event_document
from migrator.cli.nouns import heading, nouns_of
from migrator.cli.screen import Screen, plain, table
from migrator.engine.contract import Action, Fate, Size, Verb, Weight
from migrator.engine.events import BatchRecorded

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)


@given(st.text(st.characters(codec=None, exclude_categories=()), max_size=40))
def test_nothing_that_is_shown_controls_a_terminal_or_turns_the_reading_order(text):
    shown = plain(text)

    assert not [char for char in shown if unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"}]
    assert not re.search("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]", shown)


@pytest.mark.parametrize(
    "text",
    [
        "\x1b]0;title\x07",
        "\x1b[2J\x1b[H",
        "\x9b31m",
        "name\rbob@example.com: all done",
        "one\ntwo",
        "\u202egnp.exe",
        "a\u2066b",
        "tab\there",
        "\ud800",
        "a\u2028b",
    ],
)
def test_what_is_taken_out_leaves_a_trace(text):
    assert len(plain(text)) == len(text)
    assert plain(text) != text


@pytest.mark.parametrize(
    "name", ["Elementos enviados", "Entwürfe/2024", "送信済み", "مسودات", "👩\u200d💻 team", "a & b"]
)
def test_honest_names_are_shown_as_they_are(name):
    assert plain(name) == name


def test_a_line_of_the_answer_is_one_line_whatever_it_holds():
    answers, asides = io.StringIO(), io.StringIO()
    screen = Screen(answers, asides)

    screen.answer("Inbox\nNothing was changed.")
    screen.say("a\r\nb")

    assert answers.getvalue().count("\n") == 1
    assert asides.getvalue().count("\n") == 1
    assert "\r" not in asides.getvalue()


def test_json_can_do_nothing_to_a_terminal_and_loses_nothing():
    answers = io.StringIO()
    name = "\x1b[2J\x9b\u202e ñ"

    Screen(answers, io.StringIO()).document({"folder": name})

    assert answers.getvalue().isascii()
    assert "\x1b" not in answers.getvalue()
    assert json.loads(answers.getvalue()) == {"folder": name}


def test_columns_stand_one_under_the_other():
    rows = [(">", "INBOX", "1,204 messages", ""), ("+", "Archive/2019", "5 messages", "why")]

    assert table(rows, right=frozenset({2})) == [
        ">  INBOX         1,204 messages",
        "+  Archive/2019      5 messages  why",
    ]


@pytest.fixture
def terminal():
    """A pseudo-terminal: what to write to, and what arrived there."""
    watcher, written = pty.openpty()
    with os.fdopen(written, "w", encoding="utf-8") as stream:
        yield stream, watcher
    os.close(watcher)


def arrived(watcher, until):
    """What the terminal has been given, up to `until` or to five seconds of silence: it may come in pieces."""
    shown = b""
    while until.encode() not in shown and select.select([watcher], [], [], 5)[0]:
        shown += os.read(watcher, 4096)
    return shown.decode()


def sized(stream, lines, columns):
    fcntl.ioctl(stream.fileno(), termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))


def test_a_terminal_shows_a_bar_and_what_is_said_stands_above_it(terminal):
    stream, watcher = terminal
    sized(stream, 40, 100)
    screen = Screen(io.StringIO(), stream)

    screen.bar().show(50, 100, "50 of 100 messages")
    screen.say("old takes fewer connections")
    screen.close()

    drawn = arrived(watcher, "\rold takes fewer connections\r\n")
    assert " 50% |############            | 50 of 100 messages" in drawn
    assert "\rold takes fewer connections\r\n" in drawn


def test_a_terminal_without_a_size_gets_plain_lines(terminal):
    stream, watcher = terminal
    sized(stream, 0, 0)
    screen = Screen(io.StringIO(), stream)

    screen.bar().show(50, 100, "50 of 100 messages")
    screen.say("45%, 1,204 of 2,300 messages")
    screen.close()

    assert arrived(watcher, "\n") == "45%, 1,204 of 2,300 messages\r\n"


# -- figures -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (1023, "1,023 bytes"),
        (1024, "1 KB"),
        (1536, "1.5 KB"),
        (50 * 1024**2, "50 MB"),
        (1024**2 - 1, "1 MB"),
        (2_040_109_466, "1.9 GB"),
        (150 * 1024**3, "150 GB"),
        (5 * 1024**6, "5,120 PB"),
        (None, "size unknown"),
    ],
)
def test_a_size_is_written_as_an_admin_says_it(number, text):
    assert figures.size(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (192, "3 min 12 s"),
        (3600, "1 h 00 min"),
        (2 * 3600 + 5 * 60, "2 h 05 min"),
        (86_400 + 4 * 3600, "1 day 4 h"),
    ],
)
def test_a_span_of_time_is_written_in_two_units(seconds, text):
    assert figures.duration(seconds) == text


def test_counts_have_thousands_commas_and_the_right_noun():
    assert figures.counted(1, "message", "messages") == "1 message"
    assert figures.counted(1_204_331, "message", "messages") == "1,204,331 messages"


def test_a_long_name_loses_its_middle_and_keeps_the_one_it_gets():
    shown = figures.name(f"{'Clientes ' * 30}(viejos) -> {'Kunden ' * 30}(alt)")

    assert re.fullmatch(r"(Clientes ){5}Clien….{21}\(viejos\) -> (Kunden ){7}K….{24}\(alt\)", shown)
    assert [len(one) for one in shown.split(" -> ")] == [80, 80]
    assert figures.name("Clientes/2025/Presupuestos") == "Clientes/2025/Presupuestos"


@pytest.mark.parametrize(
    ("about", "text", "line"),
    [
        ("Friends", "Friends: it is gone", "Friends: it is gone. Look."),
        ("ann@example.com: Friends", "Friends: it is gone", "ann@example.com: Friends: it is gone. Look."),
        ("ann@example.com, Friends", "Friends: Friends: gone", "ann@example.com, Friends: gone. Look."),
        ("ann@example.com", "ann@example.com: Friends: gone", "ann@example.com: Friends: gone. Look."),
        ("Friends", "Friendship: it is gone", "Friends: Friendship: it is gone. Look."),
    ],
)
def test_no_name_is_said_twice(about, text, line):
    assert figures.sentence(about, text, "Look.") == line


def test_a_moment_names_its_zone():
    madrid = timezone(timedelta(hours=1), "CET")

    assert figures.moment(NOON, madrid) == "2026-03-14 13:00 CET"


def test_only_the_clock_is_told_of_what_was_just_now():
    assert figures.moment_since(NOON, NOON + timedelta(hours=2), UTC) == "12:00"
    assert figures.moment_since(NOON, NOON + timedelta(days=2), UTC) == "2026-03-14 12:00 UTC"


def test_mail_is_spoken_of_in_mailboxes_and_several_rooms_in_words_that_fit_all():
    assert nouns_of(["mail", "mail"]).subjects(2) == "2 mailboxes"
    assert nouns_of(["mail", "lists"]).items(2) == "2 items"


def test_a_heading_names_a_step_only_where_that_says_more():
    assert heading("mail", "mail", "old>new") == "mail, old -> new"
    assert heading("delta", "mail", "old>new") == "delta: mail, old -> new"


# -- documents -----------------------------------------------------------------------------------------------------------


class Code(IntEnum):
    HELD = 9


def test_data_becomes_json_by_one_rule():
    told = document(
        {
            Fate.LEFT_BEHIND: Size(2, None),
            "verb": Verb.COPY,
            "weight": Weight.DIFFERENCE,
            "exit_code": Code.HELD,
            "began": NOON,
            "took": timedelta(minutes=1),
            "codes": ("a", "b"),
        }
    )

    assert told == {
        "left-behind": {"items": 2, "bytes": None},
        "verb": "copy",
        "weight": "difference",
        "exit_code": 9,
        "began": "2026-03-14T12:00:00+00:00",
        "took": 60.0,
        "codes": ["a", "b"],
    }


def test_a_secret_has_no_form_in_json():
    with pytest.raises(TypeError):
        document({"password": SecretStr("hunter2")})


def test_an_event_only_names_its_action():
    action = Action("alice@example.com/INBOX", Verb.COPY, "INBOX", data={"source": "INBOX"})

    told = event_document(BatchRecorded("mail", "alice@example.com", action, {Fate.COPIED: Size(2, 9)}), NOON)

    assert told == {
        "event": "batch-recorded",
        "at": "2026-03-14T12:00:00+00:00",
        "step": "mail",
        "subject": "alice@example.com",
        "action": {"key": "alice@example.com/INBOX", "label": "INBOX"},
        "by_fate": {"copied": {"items": 2, "bytes": 9}},
    }
