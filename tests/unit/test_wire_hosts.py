"""What a plan may call a server."""

import pytest

from migrator.wire.hosts import only_a_host


@pytest.mark.parametrize(
    "host", ["mail.example.com", "192.0.2.1", "2001:db8::1", "[2001:db8::1]", "localhost", "correo-año.example.com"]
)
def test_a_name_or_an_address_is_taken_as_it_is(host):
    assert only_a_host(host) == host


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("https://mail.example.com", "as in mail.example.com; no URL"),
        ("http://127.0.0.1:993/mail", "as in 127.0.0.1; no URL"),
        ("mail.example.com/webmail", "as in mail.example.com; no URL"),
        ("https://[2001:db8::1]:993/", "as in 2001:db8::1; no URL"),
        ("https://[", "belongs here; no URL"),
        ("127.0.0.1:993", "write host: 127.0.0.1 and port: 993"),
        ("mail example com", "no blanks"),
    ],
)
def test_what_is_no_host_is_told_with_what_to_write(host, words):
    with pytest.raises(ValueError, match=words):
        only_a_host(host)
