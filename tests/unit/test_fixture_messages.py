"""The odd messages still have the traits they are named after, and the offline mailboxes can be read."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from migrator.engine.contract import Login
from migrator.mail.adapters.mbox import ADAPTER, MboxOptions
from migrator.mail.headers import LIMIT, fields, header_block, message_id
from migrator.mail.utf7 import decode

FIXTURES = Path(__file__).parents[2] / "fixtures"
MESSAGES = {path.stem: path.read_bytes() for path in sorted((FIXTURES / "messages").glob("*.eml"))}
README = (FIXTURES / "messages" / "README.md").read_text("utf-8")
KB = 1024


def header(raw: bytes) -> bytes:
    return header_block([raw])


def body(raw: bytes) -> bytes:
    return raw.partition(b"\r\n\r\n")[2]


def has(pattern: bytes) -> Callable[[bytes], bool]:
    return lambda raw: re.search(pattern, raw) is not None


def field(name: str, pattern: bytes) -> Callable[[bytes], bool]:
    return lambda raw: any(re.search(pattern, value) for value in fields(header(raw), name))


def lone_lf(raw: bytes) -> int:
    return len(re.findall(rb"(?<!\r)\n", raw))


def lone_cr(raw: bytes) -> int:
    return len(re.findall(rb"\r(?!\n)", raw))


def without(name: str) -> Callable[[bytes], bool]:
    return lambda raw: fields(header(raw), name) == [] and b"\r\n\r\n" in raw


TRAITS: dict[str, Callable[[bytes], bool]] = {
    "2000-headers": lambda raw: header(raw).count(b"\nX-Trace-") == 2000,
    "bare-cr": lambda raw: lone_cr(raw) == 2 and lone_lf(raw) == 0,
    "bare-lf": lambda raw: b"\r" not in raw and raw.count(b"\n") > 5,
    "base64-broken": has(rb"(?s)base64\r\n\r\n.*!!!!"),
    "body-only": lambda raw: raw.startswith(b"\r\n") and len(raw) > 10,
    "broken-mime-boundary": lambda raw: b'boundary="announced"' in raw and b"--announced" not in raw,
    "calendar-invite": has(rb"text/calendar; charset=utf-8; method=REQUEST"),
    "content-length-lies": lambda raw: int(fields(header(raw), "Content-Length")[0]) > len(raw),
    "cr-at-end": lambda raw: raw.endswith(b"R\r") and lone_cr(raw) == 1,
    "crlf-only": lambda raw: raw == b"\r\n",
    "date-1969": field("Date", rb"Dec 1969"),
    "date-2040": field("Date", rb"Jan 2040"),
    "date-garbage": field("Date", rb"after lunch"),
    "date-missing": without("Date"),
    "date-two-digit-year": field("Date", rb"May 24 .* CEST"),
    "delivery-status": has(rb"Content-Type: message/delivery-status"),
    "dkim-signed": field("DKIM-Signature", rb"c=simple/simple"),
    "dot-lines": has(rb"\r\n\.\r\n\.\.\r\n"),
    "duplicate-headers": lambda raw: len(fields(header(raw), "Subject")) == 3 and len(fields(header(raw), "From")) == 2,
    "eight-bit-header-latin1": lambda raw: b"\xf1" in header(raw),
    "eight-bit-header-utf8": lambda raw: "¿a las 9? ☕".encode() in header(raw),
    "emoji": lambda raw: "🎂".encode() in body(raw) and b"=?utf-8?B?" in header(raw),
    "empty-subject": lambda raw: fields(header(raw), "Subject") == [b""],
    "encoded-words-broken": field("Subject", rb"=\?utf-8\?Q\?[^?]* "),
    "filename-rfc2231-and-raw": lambda raw: b"filename*0*=" in raw and b"../../" in raw,
    "folded-headers-odd": lambda raw: (
        message_id(header(raw)) == "folded-headers-odd@example.com" and b",\r\n  \r\n" in raw
    ),
    "from-in-body": has(rb"\r\n\r\nFrom .*\d\d:\d\d:\d\d 2024\r\n"),
    "header-line-of-100-kb": lambda raw: max(map(len, header(raw).split(b"\r\n"))) > 100 * KB,
    "header-only": lambda raw: b"\r\n\r\n" not in raw and raw.endswith(b"\r\n"),
    "header-only-with-blank-line": lambda raw: raw.endswith(b"\r\n\r\n") and body(raw) == b"",
    "header-without-colon": lambda raw: any(b":" not in line for line in header(raw).split(b"\r\n")),
    "html-with-script": lambda raw: b"<script>" in header(raw) and b"<script>" in body(raw),
    "imap-words-in-body": has(rb"\r\nA1 OK FETCH completed|\{5000000000\}"),
    "latin1-body-unlabelled": lambda raw: b"\xf1" in body(raw) and b"charset" not in raw,
    "lf-only-at-end": lambda raw: lone_lf(raw) == 1 and raw.endswith(b"\n"),
    "line-of-1-mb": lambda raw: max(map(len, raw.split(b"\r\n"))) == KB * KB,
    "many-final-newlines": lambda raw: raw.endswith(b"\r\n" * 20),
    "mbox-from-line-first": has(rb"\AFrom \S+ .*\r\nFrom: "),
    "message-id-with-spaces": lambda raw: message_id(header(raw)) == "message id with spaces @example.com",
    "message-id-without-brackets": lambda raw: message_id(header(raw)) == "message-id-without-brackets@example.com",
    "missing-closing-boundary": lambda raw: raw.count(b"\r\n--open\r\n") == 2 and b"--open--" not in raw,
    "mixed-line-ends": lambda raw: 0 < lone_lf(raw) < raw.count(b"\n"),
    "nested-parts-200": lambda raw: len(re.findall(rb"Content-Type: multipart/", raw)) == 200,
    "no-final-newline": lambda raw: raw[-1:] not in (b"\n", b"\r"),
    "no-header": lambda raw: b":" not in raw and b"\r\n\r\n" not in raw,
    "no-message-id": without("Message-ID"),
    "nul-in-body": lambda raw: b"\0" in body(raw) and b"\0" not in header(raw),
    "nul-in-header": lambda raw: b"\0" in header(raw),
    "one-byte": lambda raw: len(raw) == 1,
    "pgp-encrypted": has(rb"BEGIN PGP MESSAGE"),
    "received-only": lambda raw: (
        header(raw).startswith(b"Received:") and len(re.findall(rb"(?m)^\S", header(raw))) == 1
    ),
    "rfc822-attached": has(rb"Content-Type: message/rfc822(?s:.*)Message-ID: <the-attached-one@"),
    "same-id-body-one": lambda raw: (
        header(raw) == header(MESSAGES["same-id-body-two"]) and raw != MESSAGES["same-id-body-two"]
    ),
    "same-id-body-two": lambda raw: message_id(header(raw)) == message_id(header(MESSAGES["same-id-body-one"])),
    "smime-signed": has(rb"multipart/signed"),
    "space-before-colon": has(rb"\AFrom : "),
    "spanish-newsletter-quoted-printable": has(rb"iso-8859-15(?s:.*)quoted-printable(?s:.*)=F1"),
    "tabs-everywhere": lambda raw: raw.count(b"\t") > 10,
    "twin-a": lambda raw: raw == MESSAGES["twin-b"],
    "twin-b": lambda raw: raw == MESSAGES["twin-a"],
    "two-message-ids": lambda raw: (
        len(fields(header(raw), "Message-ID")) == 2 and message_id(header(raw)).startswith("two-message-ids-first")
    ),
    "uuencode": has(rb"(?s)\r\nbegin 644 letter\.txt\r\n.*\r\nend\r\n"),
    "very-long-subject": lambda raw: len(fields(header(raw), "Subject")[0]) > 2 * KB,
    "winmail-dat": has(rb"application/ms-tnef"),
    "zero-bytes": lambda raw: raw == b"",
}


@pytest.mark.parametrize("name", sorted(MESSAGES))
def test_a_message_has_the_trait_it_is_named_after(name: str) -> None:
    assert TRAITS[name](MESSAGES[name])


def test_there_are_enough_of_them_and_none_is_missing() -> None:
    assert sorted(MESSAGES) == sorted(TRAITS)
    assert len(MESSAGES) >= 40


def test_every_message_is_named_once_in_the_tables() -> None:
    rows = [line.split("|")[1] for line in README.splitlines() if line.startswith("| `")]
    named = [name for row in rows for name in re.findall(r"`([^`]+)`", row)]
    assert sorted(named) == sorted(MESSAGES)


def test_only_the_twins_are_equal() -> None:
    assert len(set(MESSAGES.values())) == len(MESSAGES) - 1


def test_nobody_in_them_lives_outside_the_reserved_names() -> None:
    for name, raw in MESSAGES.items():
        hosts = re.findall(rb"@([a-z0-9.-]+\.[a-z]+)", raw)
        assert all(host.endswith((b"example.com", b"example.net")) for host in hosts), name


# -- the header block -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [1, 2, 3, 1000])
def test_a_header_ends_at_the_first_blank_line_however_the_bytes_are_cut(step: int) -> None:
    for raw, block in (
        (b"A: 1\r\nB: 2\r\n\r\nC: 3\r\n\r\n", b"A: 1\r\nB: 2"),
        (b"A: 1\nB: 2\n\nC: 3\n", b"A: 1\nB: 2"),
        (b"\r\nA: 1\r\n\r\n", b""),
        (b"\nA: 1\n\n", b""),
        (b"A: 1\r\n", b"A: 1\r\n"),
        (b"", b""),
    ):
        assert header_block(raw[at : at + step] for at in range(0, len(raw), step)) == block


def test_a_header_that_never_ends_is_cut() -> None:
    assert len(header_block(b"x" * 70_000 for _ in range(100))) == LIMIT


# -- the offline mailboxes --------------------------------------------------------------------------------------------


def test_the_offline_mailboxes_hold_what_the_demo_shows() -> None:
    found = {}
    for account in ("alice@example.com", "bob@example.com", "carmen@example.com"):
        with closing(ADAPTER.reader(MboxOptions(path=FIXTURES / "mbox"), Login(account, account))) as session:
            found[account] = {decode(folder.name): folder.messages for folder in session.folders()}
    assert found == {
        "alice@example.com": {
            "INBOX": 5,
            "Borradores": 1,
            "Clientes/2023": 0,
            "Clientes/2024": 6,
            "Elementos enviados": 2,
        },
        "bob@example.com": {"INBOX": 2, "Entwürfe": 1, "Sent": 1},
        "carmen@example.com": {"INBOX": 4, "Papelera": 1},
    }
    assert list((FIXTURES / "mbox").rglob("*.index")) == []
