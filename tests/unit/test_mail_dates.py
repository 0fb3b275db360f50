from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.mail.dates import (
    EARLIEST,
    LATEST,
    clamp,
    fallback_date,
    format_internaldate,
    parse_internaldate,
    same_instant,
)

ZONES = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
DATES = st.datetimes(timezones=ZONES).map(lambda date: date.replace(microsecond=0))
WEST = timezone(timedelta(hours=-7))


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("17-Jul-1996 02:44:25 -0700", datetime(1996, 7, 17, 2, 44, 25, tzinfo=WEST)),
        (" 1-Jan-2024 00:00:00 +0000", datetime(2024, 1, 1, tzinfo=UTC)),
        ("1-Jan-2024 00:00:00 +0000", datetime(2024, 1, 1, tzinfo=UTC)),
        ('" 1-Jan-2024 00:00:00 +0000"', datetime(2024, 1, 1, tzinfo=UTC)),
        ("01-JAN-24 00:00:00 +0000", datetime(2024, 1, 1, tzinfo=UTC)),
        ("01-jan-98 00:00:00 +0000", datetime(1998, 1, 1, tzinfo=UTC)),
        ("31-Dec-2016 23:59:60 +0000", datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("01-Jan-2024 00:00:00 +05:30", datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=5, minutes=30)))),
        ("01-Jan-2024 00:00:00 GMT", datetime(2024, 1, 1, tzinfo=UTC)),
        ("01-Jan-2024 00:00:00", datetime(2024, 1, 1, tzinfo=UTC)),
        ("01-Jan-2024 00:00:00 -9999", datetime(2024, 1, 1, tzinfo=UTC)),
        ("01-Jan-1900 00:00:00 +0000", datetime(1900, 1, 1, tzinfo=UTC)),
    ],
)
def test_dates_as_servers_send_them_are_read(text, date):
    parsed = parse_internaldate(text)
    assert parsed == date
    assert parsed.utcoffset() == date.utcoffset()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "NIL",
        "31-Feb-2024 00:00:00 +0000",
        "01-Foo-2024 00:00:00 +0000",
        "01-Jan-2024",
        "01-Jan-0000 00:00:00 +0000",
    ],
)
def test_what_is_no_date_is_none(text):
    assert parse_internaldate(text) is None


@given(DATES)
def test_a_written_date_is_read_as_the_same_instant_in_the_same_zone(date):
    again = parse_internaldate(format_internaldate(date))
    assert again == date
    assert again.utcoffset() == date.utcoffset()


@given(st.text(alphabet='0123456789-: +JanFeb"GMT'))
def test_nothing_a_server_sends_makes_reading_fail(text):
    assert parse_internaldate(text) is None or parse_internaldate(text).tzinfo


def test_months_are_written_in_english():
    written = [format_internaldate(datetime(2024, month, 3, 4, 5, 6, tzinfo=UTC)) for month in range(1, 13)]
    names = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    assert written == [f"03-{name}-2024 04:05:06 +0000" for name in names]


def test_a_zone_with_seconds_is_written_as_the_same_instant():
    date = datetime(1901, 1, 1, tzinfo=timezone(timedelta(minutes=-14, seconds=-44)))
    assert parse_internaldate(format_internaldate(date)) == date


def test_a_date_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="no zone"):
        format_internaldate(datetime(2024, 1, 1))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("01-Jan-1900 00:00:00 +0000", EARLIEST),
        ("01-Jan-1970 23:59:59 +0000", EARLIEST),
        ("19-Jan-2038 03:14:08 +0000", LATEST),
        ("31-Dec-9999 23:59:59 -1200", LATEST),
        ("01-Jan-0001 00:00:00 +1200", EARLIEST),
    ],
)
def test_a_date_that_servers_would_change_is_clamped(text, kept):
    assert clamp(parse_internaldate(text)) == (kept, True)


@given(DATES)
def test_a_clamped_date_is_in_range_and_stays(date):
    kept, changed = clamp(date)
    assert EARLIEST <= kept <= LATEST
    assert changed == (kept != date)
    assert clamp(kept) == (kept, False)


def test_the_newest_hop_tells_when_a_message_arrived():
    header = (
        b"Return-Path: <>\r\n"
        b"Received: from a (a.example.com)\r\n\tby b (a; comment);\r\n\tTue, 2 Jan 2024 10:00:00 +0100 (CET)\r\n"
        b"Received: by a; Mon, 1 Jan 2024 10:00:00 +0000\r\n"
        b"Date: Sun, 31 Dec 2023 10:00:00 +0000\r\n\r\nReceived: by c; Mon, 1 Jan 2024 10:00:00 +0000\r\n"
    )
    assert fallback_date(header) == datetime(2024, 1, 2, 9, tzinfo=UTC)


def test_a_hop_that_cannot_be_read_is_passed_over():
    header = b"received: by b; yesterday\nRECEIVED: by a; Mon, 1 Jan 2024 10:00:00 +0000\n"
    assert fallback_date(header) == datetime(2024, 1, 1, 10, tzinfo=UTC)


def test_without_hops_the_date_of_the_writer_counts():
    assert fallback_date(b"Date: 1 Jan 2024 10:00 EST\r\n\r\n") == datetime(2024, 1, 1, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    "header", [b"", b"\r\nDate: 1 Jan 2024 10:00:00 +0000\r\n", b"Date: soon\r\n", b"Date: 31 Feb 2024 10:00:00 +0000"]
)
def test_a_message_without_a_readable_date_has_none(header):
    assert fallback_date(header) is None


@given(st.binary() | st.text("0123456789 ,:;+-JanMonGMT()\n").map(lambda text: b"Date: " + text.encode()))
def test_no_header_makes_the_fallback_fail(header):
    found = fallback_date(header)
    assert found is None or found.tzinfo


def test_one_instant_in_two_zones_is_the_same():
    assert same_instant(datetime(2024, 1, 1, 12, 0, 0, 900, tzinfo=UTC), datetime(2024, 1, 1, 5, tzinfo=WEST))


def test_one_clock_face_in_two_zones_is_not_the_same():
    assert not same_instant(datetime(2024, 1, 1, 12, tzinfo=UTC), datetime(2024, 1, 1, 12, tzinfo=WEST))
