"""Secrets in every form they may take, and what must not be mistaken for one."""

from __future__ import annotations

import base64
import html
import io
import json
from urllib.parse import quote

import pytest
import structlog

from migrator.cli.bug import write_down
from migrator.cli.log import Redactor, set_up
from migrator.cli.screen import Screen

SECRETS = ["correct horse", "pa$$/w0rd+&<x>\"'", "ñandú-8371", "tab\tand\\slash", "ab=cd%ef~gh"]


@pytest.fixture(autouse=True)
def structlog_as_it_was():
    yield
    structlog.reset_defaults()


@pytest.fixture
def redactor():
    made = Redactor()
    for secret in SECRETS:
        made.learn(secret)
    return made


def forms(secret):
    raw = secret.encode()
    yield secret
    yield quote(secret, safe="")
    yield json.dumps(secret)
    yield html.escape(secret)
    yield base64.b64encode(raw).decode()
    yield base64.b64encode(b"\0alice@example.com\0" + raw).decode()
    yield base64.b64encode(b"user=alice\x01auth=Bearer " + raw + b"\x01\x01").decode()


@pytest.mark.parametrize("secret", SECRETS)
def test_a_known_secret_is_taken_out_in_every_form(redactor, secret):
    for form in forms(secret):
        cleaned = redactor.clean(f"the server said {form} and closed")

        assert "***" in cleaned, form
        assert form not in cleaned


@pytest.mark.parametrize(
    ("line", "hidden"),
    [
        ("GET https://admin:s3cr3t@old.example.com/x", "s3cr3t"),
        ('a1 LOGIN alice@example.com "my pass"', "my pass"),
        ("a1 LOGIN alice@example.com mypass", "mypass"),
        ("a1 AUTHENTICATE PLAIN AGFsaWNlAHNlY3JldA==", "AGFsaWNlAHNlY3JldA"),
        ("AUTH PLAIN AGFsaWNlAHNlY3JldA==", "AGFsaWNlAHNlY3JldA"),
        ("Authorization: Bearer abc.def.ghi", "abc.def.ghi"),
        ("'Authorization': 'Basic YWxpY2U6c2VjcmV0'", "YWxpY2U6c2VjcmV0"),
        ("password=hunter2&x=1", "hunter2"),
        ('{"token": "abcdef"}', "abcdef"),
    ],
)
def test_what_looks_like_a_login_is_taken_out_though_nobody_told_of_it(line, hidden):
    assert hidden not in Redactor().clean(line)


@pytest.mark.parametrize(
    "line",
    [
        "alice@example.com: the old server refused the password. Correct line 7 of accounts.csv, then run again.",
        "old.example.com: LOGIN is disabled",
        "Resuming run 7: 312 of 500 folders done",
        "https://old.example.com:2083/cpsess1/",
    ],
)
def test_an_honest_sentence_is_left_as_it_is(line):
    assert Redactor().clean(line) == line


def test_passwords_at_hand_are_learned_when_there_is_text_to_clean():
    redactor = Redactor()
    asked = []

    def passwords():
        asked.append(True)
        return ["first-password", "second-password"]

    redactor.learn_when_needed(passwords)
    assert not asked

    assert redactor.clean("it was second-password") == "it was ***"
    assert redactor.clean("it was first-password") == "it was ***"
    assert len(asked) == 1


def test_the_log_is_redacted_and_goes_to_stderr_alone(redactor):
    answers, asides = io.StringIO(), io.StringIO()
    set_up(Screen(answers, asides), 1, redactor)

    structlog.get_logger().info("greeting", words=f"hello {SECRETS[0]}", folder="In\x1b[2Jbox")

    assert answers.getvalue() == ""
    assert SECRETS[0] not in asides.getvalue()
    assert "\x1b" not in asides.getvalue()
    assert 'greeting words="hello ***"' in asides.getvalue()


def test_without_verbose_nothing_is_logged(redactor):
    assert set_up(Screen(io.StringIO(), io.StringIO()), 0, redactor) is None


def test_details_are_logged_with_two_v_only(redactor):
    asides = io.StringIO()
    screen = Screen(io.StringIO(), asides)

    set_up(screen, 1, redactor).debug("detail")
    assert asides.getvalue() == ""

    set_up(screen, 2, redactor).debug("detail")
    assert "detail" in asides.getvalue()


def test_a_bug_is_written_down_privately_without_secrets_or_variables(redactor, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def fails():
        password_in_a_variable = "never-learned-7351"
        raise ValueError(f"{SECRETS[0]} and {len(password_in_a_variable)}")

    try:
        fails()
    except ValueError as error:
        path = write_down(error, "run", redactor)

    text = path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    assert "ValueError: *** and 18" in text
    assert SECRETS[0] not in text
    assert "in fails" in text
