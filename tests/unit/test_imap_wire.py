"""The IMAP wire layer over a socket pair: what it sends, byte for byte, and what it makes of answers written beforehand."""

from __future__ import annotations

import base64
import socket
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.errors import (
    Dropped,
    EndpointRefused,
    LoginRefused,
    Misbehaved,
    NotLetIn,
    TooManyConnections,
    Unavailable,
)
from migrator.mail.imap.shapes import expanded, list_entry, namespaces, pair_by_order, quota_left, told_at_opening
from migrator.mail.model import Namespace
from migrator.wire.imap import (
    READING,
    Connection,
    Fetched,
    Incoming,
    Limits,
    Literal,
    Spoken,
    Untagged,
    parse,
    plain,
    send_pieces,
    string,
    uid_sets,
)
from migrator.wire.imap_login import Credentials, log_in, refused_otherwise, unavailable

ALICE = Credentials("alice@example.com", "alice", "pässword")


class Talk:
    """Our end is `wire`; the server's end says what it is told beforehand and remembers what it heard."""

    def __init__(self, *answers: bytes, limits: Limits | None = None, read_only: bool = True, capabilities: str = ""):
        ours, self.server = socket.socketpair()
        for side in (ours, self.server):
            side.settimeout(5)
        limits = limits or Limits()
        offered = frozenset(capabilities.encode().split())
        self.wire = Connection(
            Incoming(ours, "mail.example.com:143", limits), "mail.example.com:143", limits, read_only, offered
        )
        self.say(*answers)

    def say(self, *answers: bytes) -> None:
        self.server.sendall(b"".join(answer + b"\r\n" for answer in answers))

    def hang_up(self) -> None:
        self.server.shutdown(socket.SHUT_WR)

    def heard(self) -> bytes:
        self.server.setblocking(False)
        heard = b""
        with suppress(BlockingIOError):
            while piece := self.server.recv(65536):
                heard += piece
        return heard

    def rows(self, *, count: int = 10) -> list[Fetched]:
        tag = self.wire.begin(b"UID FETCH", b"1:*", b"(UID)")
        return [row for row in self.wire.answers([tag], rows=count) if isinstance(row, Fetched)]


@pytest.fixture
def talk():
    opened = []

    def open_talk(*answers, **more):
        opened.append(Talk(*answers, **more))
        return opened[-1]

    yield open_talk
    for one in opened:
        one.wire.close()
        one.server.close()


# -- answers ----------------------------------------------------------------------------------------------------------


def test_a_folder_name_may_come_quoted_as_an_atom_or_as_a_literal(talk):
    wire = talk(
        b'* LIST (\\HasChildren) "/" INBOX',
        b'* LIST () "\\\\" "with \\"quotes\\" and \\\\"',
        b'* LIST (\\Sent) "/" {9}',
        b'odd "\r\n)x',
        b"* LIST () NIL flat",
        b"m1 OK done",
    ).wire
    entries = [list_entry(response) for response in wire.run(b"LIST", b'""', b"*").of(b"LIST")]
    assert entries == [
        (frozenset({"\\haschildren"}), "/", "INBOX"),
        (frozenset(), "\\", 'with "quotes" and \\'),
        (frozenset({"\\sent"}), "/", 'odd "\r\n)x'),
        (frozenset(), "", "flat"),
    ]


def test_commands_under_way_together_may_end_in_any_order(talk):
    wire = talk(b"m2 NO [NONEXISTENT] not there", b"* STATUS INBOX (MESSAGES 3)", b"m1 OK done").wire
    first, second = wire.run_all(
        [wire.begin(b"STATUS", b"INBOX", b"(MESSAGES)"), wire.begin(b"STATUS", b"x", b"(MESSAGES)")]
    )
    assert first.end.ok
    assert (second.end.word, second.end.code, second.end.words) == (b"NO", "NONEXISTENT", "not there")


def test_pipelined_commands_leave_in_one_write(talk):
    one = talk(b"m1 OK", b"m2 OK")
    one.wire.begin(b"NOOP")
    one.wire.begin(b"NOOP")
    assert one.heard() == b""
    one.wire.flush()
    assert one.heard() == b"m1 NOOP\r\nm2 NOOP\r\n"


def test_a_row_may_tell_its_items_in_any_order_and_after_the_body(talk):
    (row,) = talk(
        b"* 7 FETCH (RFC822.SIZE 5 BODY[] {5}",
        b'a\r\nb) FLAGS (\\Seen $Junk) INTERNALDATE "17-Jul-1996 02:44:25 -0700" UID 42 MODSEQ (99))',
        b"m1 OK",
    ).rows()
    assert (row.number, row.uid, row.size, row.modseq) == (7, 42, 5, 99)
    assert (row.body, row.body_size) == (b"a\r\nb)", 5)
    assert (row.flags, row.date) == (b"\\Seen $Junk", b"17-Jul-1996 02:44:25 -0700")


def test_a_keyword_that_looks_like_another_item_is_only_a_keyword(talk):
    (row,) = talk(b"* 1 FETCH (FLAGS (UID 7 RFC822.SIZE 9) UID 5)", b"m1 OK").rows()
    assert (row.uid, row.size) == (5, None)


@pytest.mark.parametrize(
    ("said", "body"),
    [
        (b"BODY[] NIL", b""),
        (b'BODY[] ""', b""),
        (b'RFC822 "a \\"b\\""', b'a "b"'),
        (b'BODY[HEADER.FIELDS (MESSAGE-ID)] "x"', b"x"),
    ],
)
def test_a_short_body_may_come_as_nil_or_as_a_string(talk, said, body):
    (row,) = talk(b"* 1 FETCH (UID 5 " + said + b")", b"m1 OK").rows()
    assert (row.uid, row.body, row.body_size) == (5, body, len(body))


def test_a_row_about_something_else_has_no_body(talk):
    (row,) = talk(b"* 1 FETCH (FLAGS (\\Seen))", b"m1 OK").rows()
    assert (row.uid, row.body_size) == (None, None)


def test_a_large_body_goes_to_a_file_and_a_small_one_stays(talk):
    one = talk(limits=Limits(in_memory=10))
    one.say(b"* 1 FETCH (UID 1 BODY[] {11}", b"0123456789x)", b"* 2 FETCH (UID 2 BODY[] {10}", b"0123456789)", b"m1 OK")
    large, small = one.rows()
    assert small.body == b"0123456789"
    large.body.seek(0)
    assert large.body.read() == b"0123456789x"
    assert large.body_size == 11
    large.discard()


def test_rows_about_one_message_add_up(talk):
    first, second = talk(
        b"* 1 FETCH (UID 5 RFC822.SIZE 3)", b"* 1 FETCH (UID 5 FLAGS (\\Seen) BODY[] {3}", b"abc)", b"m1 OK"
    ).rows()
    first.merge(second)
    assert (first.uid, first.size, first.flags, first.body) == (5, 3, b"\\Seen", b"abc")


def test_an_answer_nobody_finished_reading_does_not_reach_the_next_command(talk):
    one = talk(b"* 1 FETCH (UID 1)", b"* 2 FETCH (UID 2 BODY[] {3}", b"abc)", b"m1 OK", b"* 9 EXISTS", b"m2 OK")
    tag = one.wire.begin(b"UID FETCH", b"1:2", b"(UID)")
    reading = one.wire.answers([tag], rows=2)
    next(reading)
    reading.close()
    assert [response.word for response in one.wire.run(b"NOOP").untagged] == [b"EXISTS"]


def test_no_command_may_slip_in_while_an_answer_is_read(talk):
    wire = talk(b"* 1 FETCH (UID 1)", b"m1 OK").wire
    reading = wire.answers([wire.begin(b"UID FETCH", b"1", b"(UID)")], rows=1)
    next(reading)
    with pytest.raises(RuntimeError):
        wire.begin(b"NOOP")


def test_status_codes_are_taken_apart():
    assert Spoken.of(b"OK", b"[APPENDUID 7 3:5] Done") == Spoken(b"OK", "APPENDUID", b"7 3:5", "Done")
    assert Spoken.of(b"OK", b"[PERMANENTFLAGS (\\Seen x]y \\*)] Yes").arguments == b"(\\Seen x]y \\*)"
    assert Spoken.of(b"NO", b"[ALERT]").words == "ALERT"
    assert Spoken.of(b"NO", b"Quota exceeded (0.001 + 0.000 secs).") == Spoken(b"NO", words="Quota exceeded")


def test_alerts_are_kept(talk):
    wire = talk(b"* OK [ALERT] the server moves on Friday", b"m1 OK").wire
    wire.run(b"NOOP")
    assert wire.alerts == ["the server moves on Friday"]


@pytest.mark.parametrize("broken", [b"(" * 60 + b")" * 60, b"(a", b"a)", b'"open', b"a)(b"])
def test_parentheses_that_do_not_fit_are_refused(broken):
    with pytest.raises(Misbehaved):
        parse((broken,))


@given(st.binary(max_size=200))
def test_any_line_is_read_or_refused(line):
    with suppress(Misbehaved):
        parse((line,))


# Strategy: nested lists of printable words, written out as a server would and read back.
@given(st.recursive(st.binary(max_size=8), lambda inner: st.lists(inner, max_size=4), max_leaves=20))
def test_what_is_written_as_a_list_is_read_as_the_same_list(value):
    pieces = [b""]

    def write(one) -> None:
        if isinstance(one, bytes):
            pieces[-1] += b" "
            pieces.extend((one, b""))
            return
        pieces[-1] += b" ("
        for inner in one:
            write(inner)
        pieces[-1] += b")"

    write(value)
    assert parse(pieces) == [value]


def test_server_words_are_made_safe_to_show():
    assert plain(b"\x1b[31mred\x1b[0m\x07 \xc2\x9b2J \xe2\x80\xaetxt\r\n") == "[31mred [0m   2J  txt"
    assert len(plain(b"x" * 10_000)) == 300


# -- commands ---------------------------------------------------------------------------------------------------------


def test_a_connection_for_reading_refuses_whatever_could_leave_a_trace(talk):
    one = talk()
    for command in (
        b"SELECT",
        b"APPEND",
        b"CREATE",
        b"DELETE",
        b"RENAME",
        b"SUBSCRIBE",
        b"UID STORE",
        b"UID COPY",
        b"EXPUNGE",
        b"STORE",
    ):
        assert command not in READING
        with pytest.raises(RuntimeError):
            one.wire.begin(command, b"INBOX")
    one.wire.flush()
    assert one.heard() == b""


def test_a_line_break_can_not_enter_a_command(talk):
    with pytest.raises(RuntimeError):
        talk().wire.begin(b"EXAMINE", b"INBOX\r\nm9 DELETE INBOX")


@pytest.mark.parametrize(
    ("raw", "sent"),
    [
        (b"INBOX", b'"INBOX"'),
        (b'a "b" \\c', b'"a \\"b\\" \\\\c"'),
        (b"a\r\nb", Literal.of(b"a\r\nb")),
        (b"\xe9", Literal.of(b"\xe9")),
    ],
)
def test_a_string_is_quoted_where_that_is_legal_else_a_literal(raw, sent):
    assert string(raw) == sent


@pytest.mark.parametrize(
    ("capabilities", "size", "announced"),
    [("LITERAL+", 5000, b"{5000+}"), ("LITERAL-", 4096, b"{4096+}"), ("LITERAL-", 4097, b"{4097}"), ("", 3, b"{3}")],
)
def test_a_literal_waits_only_where_it_must(talk, capabilities, size, announced):
    one = talk(b"+ go on", b"m1 OK", capabilities=capabilities, read_only=False)
    one.wire.begin(b"APPEND", b"INBOX", Literal.of(b"x" * size))
    one.wire.flush()
    assert one.heard() == b"m1 APPEND INBOX " + announced + b"\r\n" + b"x" * size + b"\r\n"


def test_a_refused_literal_is_not_sent(talk):
    one = talk(b"* OK still here", b"m1 NO [OVERQUOTA] full", read_only=False)
    tag = one.wire.begin(b"APPEND", b"INBOX", Literal.of(b"secret"))
    assert one.wire.ended(tag)
    assert one.wire.end(tag).code == "OVERQUOTA"
    assert b"secret" not in one.heard()


def test_the_next_command_travels_with_the_previous_literal(talk):
    one = talk(b"+", b"m1 OK", b"+", b"m2 OK", read_only=False)
    for _ in range(2):
        one.wire.begin(b"APPEND", b"INBOX", Literal.of(b"abc"))
    one.wire.flush()
    assert one.heard() == b"m1 APPEND INBOX {3}\r\nabc\r\nm2 APPEND INBOX {3}\r\nabc\r\n"


def test_nul_travels_as_a_literal8(talk):
    one = talk(capabilities="LITERAL+ BINARY", read_only=False)
    one.wire.begin(b"APPEND", b"INBOX", Literal(3, (b"a\0b",), binary=True))
    one.wire.flush()
    assert one.heard() == b"m1 APPEND INBOX ~{3+}\r\na\0b\r\n"


@given(st.sets(st.integers(min_value=1, max_value=2**32 - 1), max_size=300))
def test_uid_sets_name_every_uid_once_and_stay_short(uids):
    named = []
    for written, part in uid_sets(uids, longest=200, most=50):
        assert len(written) < 230
        assert len(part) <= 50
        assert expanded(written, len(part)) == part
        named += part
    assert named == sorted(uids)


def test_neighbours_become_a_range():
    assert [written for written, _ in uid_sets([3, 1, 2, 9, 5, 6])] == [b"1:3,5:6,9"]
    assert [written for written, _ in uid_sets([1, 2**32 - 1])] == [b"1", b"4294967295"]


# -- logging in -------------------------------------------------------------------------------------------------------


def logged_in(talk, *answers, capabilities="AUTH=PLAIN", credentials=ALICE, way="auto"):
    one = talk(*answers, capabilities=capabilities)
    log_in(one.wire, credentials, way)
    return one


def test_plain_takes_one_round_trip_where_it_may(talk):
    one = logged_in(talk, b"m1 OK [CAPABILITY IMAP4rev1 UIDPLUS] welcome", capabilities="AUTH=PLAIN SASL-IR")
    assert one.heard() == b"m1 AUTHENTICATE PLAIN " + base64.b64encode("\0alice\0pässword".encode()) + b"\r\n"
    assert one.wire.capabilities == {b"IMAP4REV1", b"UIDPLUS"}


def test_plain_waits_for_the_challenge_where_it_must_and_asks_for_the_new_capabilities(talk):
    one = logged_in(talk, b"+ ", b"m1 OK welcome", b"* CAPABILITY IMAP4rev1 IDLE", b"m2 OK")
    assert one.heard().startswith(b"m1 AUTHENTICATE PLAIN\r\n" + base64.b64encode("\0alice\0pässword".encode()))
    assert one.wire.capabilities == {b"IMAP4REV1", b"IDLE"}


def test_cram_md5_answers_as_in_rfc_2195(talk):
    challenge = base64.b64encode(b"<1896.697170952@postoffice.reston.mci.net>")
    tim = Credentials("tim@example.com", "tim", "tanstaaftanstaaf")
    one = logged_in(
        talk, b"+ " + challenge, b"m1 OK [CAPABILITY X] in", capabilities="AUTH=CRAM-MD5 SASL-IR", credentials=tim
    )
    assert base64.b64decode(one.heard().splitlines()[1]) == b"tim b913a602c7eda7a495b4e6e7334d3890"


def test_a_password_full_of_traps_goes_into_login_as_a_literal(talk):
    trap = Credentials("alice@example.com", 'al"ice', 'x\r\nm2 DELETE "INBOX"\r\n')
    one = logged_in(talk, b"+", b"m1 OK [CAPABILITY X] in", capabilities="", credentials=trap)
    assert one.heard() == b'm1 LOGIN "al\\"ice" {22}\r\nx\r\nm2 DELETE "INBOX"\r\n\r\n'


def test_an_oauth_server_that_explains_its_refusal_gets_its_answer(talk):
    with pytest.raises(LoginRefused, match="expired token"):
        logged_in(
            talk,
            b"+ " + base64.b64encode(b'{"status":"401"}'),
            b"m1 NO expired token",
            capabilities="SASL-IR",
            way="xoauth2",
        )


def test_a_master_user_names_both_in_plain(talk):
    master = Credentials("alice@example.com", "admin", "pw", authzid="alice", master=True)
    one = logged_in(talk, b"m1 OK [CAPABILITY X] in", capabilities="SASL-IR", credentials=master)
    assert base64.b64decode(one.heard().split()[-1]) == b"alice\0admin\0pw"


@pytest.mark.parametrize(
    ("said", "error", "remedy"),
    [
        (b"[AUTHENTICATIONFAILED] Authentication failed.", LoginRefused, "Correct master_user, master_password"),
        (b"[AUTHORIZATIONFAILED] Authorization failed", NotLetIn, "See whether the mailbox is there"),
    ],
)
def test_a_wrong_master_user_and_a_mailbox_it_does_not_open_are_told_apart(talk, said, error, remedy):
    master = Credentials("alice@example.com", "admin", "pw", authzid="alice", master=True)
    with pytest.raises(LoginRefused) as refused:
        logged_in(talk, b"m1 NO " + said, capabilities="SASL-IR", credentials=master)
    assert type(refused.value) is error
    assert refused.value.remedy.startswith(remedy)


def test_without_any_way_in_it_is_said_and_nothing_is_sent(talk):
    one = talk(capabilities="LOGINDISABLED AUTH=GSSAPI")
    with pytest.raises(EndpointRefused, match="AUTH=GSSAPI"):
        log_in(one.wire, ALICE)
    assert one.heard() == b""


def test_no_part_of_a_password_is_in_an_error_or_a_repr(talk):
    with pytest.raises(LoginRefused) as refused:
        logged_in(talk, b"m1 NO [AUTHENTICATIONFAILED] no", capabilities="AUTH=PLAIN SASL-IR")
    assert "pässword" not in refused.value.sentence() + repr(refused.value) + repr(ALICE)


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (b"[LIMIT] Maximum number of connections from user+IP exceeded", TooManyConnections),
        (b"Too many simultaneous connections", TooManyConnections),
        (b"[UNAVAILABLE] Temporary authentication failure", Unavailable),
        (b"[INUSE] mailbox locked", Unavailable),
        (b"User is authenticated but not connected.", NotLetIn),
    ],
)
def test_a_refusal_that_is_not_about_the_password_is_told_apart(said, error):
    assert isinstance(refused_otherwise("mail.example.com:993", "alice@example.com", Spoken.of(b"NO", said)), error)


def test_the_pause_a_server_asks_for_is_kept():
    told = refused_otherwise(
        "x:1", "", Spoken.of(b"NO", b"Request is throttled. Suggested Backoff Time: 29000 milliseconds")
    )
    assert told.wait == timedelta(seconds=29)


def test_an_ordinary_refusal_is_about_the_password():
    assert refused_otherwise("x:1", "alice", Spoken.of(b"NO", b"[AUTHENTICATIONFAILED] Authentication failed.")) is None


# -- ends -------------------------------------------------------------------------------------------------------------


def test_a_connection_that_closes_is_told(talk):
    one = talk(b"* 1 EXISTS")
    one.hang_up()
    with pytest.raises(Dropped, match="closed from the other side"):
        one.wire.run(b"NOOP")
    with pytest.raises(Dropped):
        one.wire.begin(b"NOOP")


def test_silence_is_told_with_its_length(talk):
    one = talk()
    one.wire.incoming.sock.settimeout(0.05)
    with pytest.raises(Dropped, match="silent"):
        one.wire.run(b"NOOP")


@pytest.mark.parametrize(
    "end",
    [
        b"",
        b" (0.001 + 0.000 secs).",
        b" [2026-11-27 23:25:59]",
        b" [2026-11-27 23:25:59] (0.001 + 0.000 + 0.002 secs).",
    ],
)
def test_the_same_words_read_the_same_whenever_and_however_fast_they_are_said(end):
    assert (
        plain(b"Internal error occurred. Refer to server log." + end) == "Internal error occurred. Refer to server log."
    )


def test_a_fault_of_the_server_is_told_as_one():
    told = unavailable("new:143", Spoken.of(b"NO", b"[SERVERBUG] Internal error occurred."))
    assert (
        str(told)
        == "new:143 meets a fault of its own; its log says which, and a full disk is one: Internal error occurred."
    )
    assert str(unavailable("new:143", Spoken.of(b"NO", b"[UNAVAILABLE] Later."))) == "new:143 asks for patience: Later."


class Greedy:
    """A socket that takes so many bytes at a time, and no more pieces than a system does."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.taken = b""

    def sendmsg(self, pieces: list[bytes]) -> int:
        assert len(pieces) <= 1024
        taken = b"".join(pieces)[: self.most]
        self.taken += taken
        return len(taken)


@given(
    st.lists(st.binary(max_size=12), max_size=30),
    st.integers(1, 40),
)
def test_pieces_arrive_whole_and_in_order_however_little_is_taken_at_once(pieces, most):
    sock = Greedy(most)
    send_pieces(sock, pieces)
    assert sock.taken == b"".join(pieces)


def test_more_pieces_than_the_system_takes_at_once():
    sock = Greedy(10**6)
    pieces = [b"%d " % number for number in range(5000)]
    send_pieces(sock, pieces)
    assert sock.taken == b"".join(pieces)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"* 7 FETCH (UID 9 RFC822.SIZE 12)", Fetched(7, 9, size=12)),
        (
            b'* 7 FETCH (UID 9 FLAGS (\\Seen x) INTERNALDATE "17-Jul-1996 02:44:25 -0700" RFC822.SIZE 12 MODSEQ (65))',
            Fetched(7, 9, b"\\Seen x", b"17-Jul-1996 02:44:25 -0700", 12, 65),
        ),
        # the same in another order, another case, with an item that nobody asked for
        (b"* 7 FETCH (RFC822.SIZE 12 UID 9)", Fetched(7, 9, size=12)),
        (b"* 7 fetch (uid 9 rfc822.size 12)", Fetched(7, 9, size=12)),
        (b"* 7 FETCH (UID 9 RFC822.SIZE 12 FLAGS ())", Fetched(7, 9, b"", size=12)),
        # a keyword that looks like an item, and one that looks like the end
        (b"* 7 FETCH (UID 9 FLAGS (RFC822.SIZE) RFC822.SIZE 12)", Fetched(7, 9, b"RFC822.SIZE", size=12)),
    ],
)
def test_a_row_is_read_however_it_is_written(talk, line, expected):
    assert talk(line, b"m1 OK done").rows() == [expected]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"UID 9 RFC822.SIZE 5 BODY[] {5}", b")"),
        (b"UID 9 RFC822.SIZE 5 RFC822 {5}", b")"),
        (b"UID 9 RFC822.SIZE 5 BODY[] {5}", b" FLAGS (\\Seen))"),
        (b"UID 9 BODY[] {5}", b" RFC822.SIZE 5)"),
        (b"UID 9 RFC822.SIZE 5 body[] {5}", b")"),
    ],
)
def test_a_message_is_read_wherever_it_stands_in_its_row(talk, before, after):
    (row,) = talk(b"* 7 FETCH (" + before, b"ab", b"c" + after, b"m1 OK done").rows()
    assert (row.uid, row.size, row.body, row.body_size) == (9, 5, b"ab\r\nc", 5)


def test_two_messages_in_one_row_are_refused(talk):
    one = talk(b"* 7 FETCH (UID 9 RFC822.SIZE 1 BODY[] {1}", b"a BODY[] {1}", b"b)", b"m1 OK done")
    with pytest.raises(Misbehaved, match="two bodies"):
        one.rows()


def test_a_server_that_hangs_up_while_we_send_may_have_said_why(talk):
    one = talk(b"* BYE [TOOBIG] that is too much", capabilities="LITERAL+", read_only=False)
    one.server.close()
    with pytest.raises(Dropped, match="too much"):
        one.wire.begin(b"APPEND", b"INBOX", Literal(8_000_000, (b"x" * 1_000_000 for _ in range(8))))


# -- shapes -----------------------------------------------------------------------------------------------------------


def untagged(word: bytes, text: bytes, number: int = 0) -> Untagged:
    return Untagged(word, number, (text,))


def test_the_namespace_is_read_with_those_of_others():
    told = untagged(b"NAMESPACE", b'(("INBOX." ".")) (("user." ".")) (("shared." ".")("" "."))')
    assert namespaces([told]) == (Namespace("INBOX.", "."), ("user.", "shared."))


def test_a_namespace_that_is_not_told_is_guessed_from_the_top_of_the_tree():
    root = untagged(b"LIST", b'(\\Noselect) "." ""')
    assert namespaces([root, untagged(b"LIST", b'(\\HasChildren) "." INBOX')])[0] == Namespace("INBOX.", ".")
    assert namespaces([root, untagged(b"LIST", b'() "." INBOX'), untagged(b"LIST", b'() "." Sent')])[0] == Namespace(
        "", "."
    )
    assert namespaces([untagged(b"LIST", b'() NIL ""')])[0] == Namespace("", "")


def test_the_tightest_quota_counts():
    roots = [untagged(b"QUOTA", b'"a" (MESSAGE 1 5 STORAGE 10 100)'), untagged(b"QUOTA", b'"" (STORAGE 60 64)')]
    assert quota_left(roots) == 4 * 1024
    assert quota_left([untagged(b"QUOTA", b'"" (STORAGE 70 64)')]) == 0
    assert quota_left([]) is None


def test_opening_without_permanentflags_means_that_all_are_kept():
    opened = told_at_opening([untagged(b"FLAGS", b"(\\seen Junk)"), untagged(b"EXISTS", b"", 4)])
    assert (opened.permanent_flags, opened.keywords_allowed, opened.messages) == ({"\\Seen", "Junk"}, True, 4)


def test_a_uid_set_that_names_too_many_is_not_expanded():
    assert expanded(b"1:4294967295", 5) == []
    assert expanded(b"5,7:8", 3) == [5, 7, 8]
    assert expanded(b"*", 3) == []


DAY = datetime(2020, 1, 1, tzinfo=UTC)


def days(count: int) -> datetime:
    return DAY + timedelta(days=count)


@pytest.mark.parametrize(
    ("sent", "there", "uids"),
    [
        ([(5, DAY), (5, DAY)], [(8, 5, DAY), (9, 5, DAY)], [8, 9]),  # twins
        ([(5, DAY), (6, None)], [(8, 7, DAY), (9, 6, DAY)], [8, 9]),  # rewritten by the target
        ([(5, DAY), (6, days(1))], [(7, 9, days(3)), (8, 5, DAY), (9, 6, days(1))], [8, 9]),  # a stranger before
        ([(5, None)], [(8, 5, DAY), (9, 5, days(1))], [None]),  # which one?
        ([(5, DAY)], [(8, 6, days(2))], [None]),  # only a stranger
        ([(5, DAY), (6, DAY)], [(8, 5, DAY)], [8, None]),  # one is not to be seen
        ([(5, DAY)], [], [None]),
    ],
)
def test_messages_are_paired_only_where_it_is_certain(sent, there, uids):
    assert pair_by_order(sent, there) == uids
