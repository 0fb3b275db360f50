"""Which login a CardDAV server gets: what it asks for, and a password in clear text never where it asks for Digest."""

from __future__ import annotations

from contextlib import closing

import pytest
from dav_words import BOOKS, IS_BOOK, has, home, told, with_books
from pydantic import SecretStr

from migrator.contacts.adapters import carddav
from migrator.engine.contract import Login
from migrator.errors import EndpointRefused, LoginRefused
from migrator.testing.authority import Authority
from migrator.testing.book_store import person
from migrator.testing.digest import DigestFront
from migrator.testing.front import Front
from migrator.testing.panels.server import Answer

LOGIN = Login("ann@example.com", "ann@example.com", SecretStr("pw-ann"))
WRONG = Login("ann@example.com", "ann@example.com", SecretStr("wrong"))
KNOWN = {"ann@example.com": "pw-ann"}


@pytest.fixture
def digest():
    with DigestFront(KNOWN) as front:
        yield with_books(front)


@pytest.fixture
def over_tls(tmp_path):
    authority = Authority(tmp_path)
    with DigestFront(KNOWN, context=authority.context("127.0.0.1")) as front:
        yield with_books(front), authority.ca_file


def books(front, login=LOGIN, **said):
    with closing(carddav.ADAPTER.reader(carddav.Options(url=front.url, timeout=5, **said), login)) as reader:
        return [book.id for book in reader.books()]


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_a_server_that_asks_for_digest_gets_it_and_never_a_password(digest, algorithm):
    digest.algorithm = algorithm
    assert books(digest) == BOOKS
    assert digest.clear == []
    assert digest.refused == 0
    assert not any(b"pw-ann" in request.body or "pw-ann" in str(request.headers) for request in digest.requests[:1])


def test_a_challenge_is_answered_once_and_kept(digest):
    assert books(digest) == BOOKS
    without = [request for request in digest.requests if "authorization" not in request.headers]
    assert len(without) == 2  # ours, and the library's own first step


def test_a_stale_nonce_is_replaced_in_the_middle_of_the_work_also_of_a_write(digest):
    digest.uses = 1
    digest.on("PUT", "/dav/ann/book/", Answer(status=201, headers={"ETag": '"1"'}))
    with closing(carddav.ADAPTER.writer(carddav.Options(url=digest.url), LOGIN)) as writer:
        assert [book.id for book in writer.books()] == BOOKS
        assert [put.refused for put in writer.add(BOOKS[0], [person("a"), person("b"), person("c")])] == ["", "", ""]
    assert digest.stale > 3
    assert digest.refused == 0
    assert digest.clear == []


def test_a_wrong_password_is_sent_once_by_digest_too(digest):
    with closing(carddav.ADAPTER.reader(carddav.Options(url=digest.url), WRONG)) as reader:
        for ask in (reader.books, reader.books, lambda: list(reader.index("/dav/ann/book/"))):
            with pytest.raises(LoginRefused):
                ask()
    assert digest.refused == 1
    assert digest.clear == []


def test_a_place_that_asks_for_no_login_gets_none(digest):
    """As where a web server protects the folder of the books alone."""
    with Front() as front:
        with_books(front)
        front.on("PROPFIND", "/.well-known/", Answer(status=301, headers={"Location": "/dav/"}))
        front.on("PROPFIND", "/dav/", digest.serve)
        digest.on("PROPFIND", "/dav/", told(has("/dav/", home("/dav/ann/")), has("/dav/ann/book/", IS_BOOK)))
        assert books(front) == BOOKS
        assert digest.clear == []
        assert not any(request.headers.get("authorization", "").startswith("Basic") for request in front.requests)


def test_over_tls_digest_follows_where_basic_is_not_taken(over_tls):
    front, ca_file = over_tls
    assert books(front, ca_file=ca_file) == BOOKS
    assert len(front.clear) == 1
    front.clear.clear()
    with pytest.raises(LoginRefused):
        books(front, WRONG, ca_file=ca_file)
    assert front.refused == 1


def test_over_tls_a_password_that_was_refused_as_basic_is_not_tried_as_digest_where_both_are_taken(tmp_path):
    authority = Authority(tmp_path)
    with Front(context=authority.context("127.0.0.1")) as front:
        both = 'Basic realm="x"', 'Digest realm="x", nonce="1", qop="auth"'
        front.on("", "", Answer(status=401, headers={"WWW-Authenticate": f"{both[1]}, {both[0]}"}))
        with pytest.raises(LoginRefused):
            books(front, ca_file=authority.ca_file)
        assert len(front.requests) == 1


def test_a_server_that_one_is_sent_to_is_asked_anew_which_login_it_takes(digest):
    with Front() as front:
        there = Answer(status=301, headers={"Location": f"{digest.url}/.well-known/carddav"})
        front.on("PROPFIND", "/.well-known/", there)
        said = carddav.Options(url=front.url.replace("127.0.0.1", "localhost"), hosts=["127.0.0.1"], timeout=5)
        with closing(carddav.ADAPTER.reader(said, LOGIN)) as reader:
            assert [book.id for book in reader.books()] == BOOKS
        assert digest.clear == []


def test_a_login_that_was_sent_to_one_server_is_sent_to_the_next_as_that_one_asks():
    please = Answer(status=401, headers={"WWW-Authenticate": 'Basic realm="Books"'})

    def unless_known(request):
        return told(has("/dav/", home("/dav/ann/"))) if "authorization" in request.headers else please

    with Front() as front, Front() as other:
        with_books(other).on("PROPFIND", "/dav/", unless_known)
        other.on("PROPFIND", "/dav/ann/", told(has("/dav/ann/", "<resourcetype/>"), has("/dav/ann/book/", IS_BOOK)))
        front.on("PROPFIND", "/.well-known/", Answer(status=301, headers={"Location": f"{other.url}/dav/"}))
        front.on("PROPFIND", "/.well-known/", please, times=1)
        said = carddav.Options(url=front.url.replace("127.0.0.1", "localhost"), hosts=["127.0.0.1"], timeout=5)
        with closing(carddav.ADAPTER.reader(said, LOGIN)) as reader:
            assert [book.id for book in reader.books()] == BOOKS


def test_nothing_is_written_as_nobody_where_that_is_allowed():
    with Front() as front:
        front.on("PROPFIND", "/home/", told(has("/home/", IS_BOOK)))
        front.on("MKCOL", "/home/", Answer(status=201))
        options = carddav.Options(url=front.url, home="/home/", timeout=5)
        with closing(carddav.ADAPTER.writer(options, LOGIN)) as writer:
            writer.create_book("New")
        made = [request for request in front.requests if request.method == "MKCOL"]
        assert ["authorization" in request.headers for request in made] == [True]


def test_without_tls_a_server_that_takes_both_gets_digest(digest):
    digest.also = ', Basic realm="Address books"'
    assert books(digest) == BOOKS
    assert digest.clear == []


def test_a_server_that_asks_for_basic_gets_basic_once_it_has_said_so():
    with Front() as front:
        with_books(front)
        front.on("", "", Answer(status=401, headers={"WWW-Authenticate": 'Basic realm="Books"'}), times=1)
        assert books(front) == BOOKS
        assert ["authorization" in request.headers for request in front.requests[:2]] == [False, True]
        assert all(request.headers["authorization"].startswith("Basic ") for request in front.requests[1:])


def test_a_server_that_asks_for_digest_later_gets_no_more_passwords_in_clear_text(digest):
    with Front() as front:
        with_books(front)
        front.on("PROPFIND", "/dav/ann/book/", digest.serve)
        with closing(carddav.ADAPTER.reader(carddav.Options(url=front.url), LOGIN)) as reader:
            assert [book.id for book in reader.books()] == BOOKS
            assert list(reader.index("/dav/ann/book/")) == []
            reader.books()
        seen = [request.headers.get("authorization", "").partition(" ")[0] for request in front.requests]
        first = seen.index("Digest")
        assert "Basic" not in seen[first:]


@pytest.mark.parametrize("user", ["zoë", 'ann "the" boss', "dom\\ann"])
def test_a_login_that_digest_cannot_carry_is_this_accounts_trouble(digest, user):
    with pytest.raises(LoginRefused, match="letters that cannot be sent so"):
        books(digest, Login("ann@example.com", user, SecretStr("pw-ann")))
    assert digest.clear == []
    assert digest.refused == 0


def test_a_password_of_any_letters_goes_by_digest(digest):
    digest.passwords["ann@example.com"] = 'pä:ß€ "'
    assert books(digest, Login("ann@example.com", "ann@example.com", SecretStr('pä:ß€ "'))) == BOOKS
    assert digest.refused == 0


@pytest.mark.parametrize(
    "challenge",
    [
        'Digest realm="x", nonce="1", qop="auth-int"',
        'Digest realm="x", nonce="1", qop="auth", algorithm=SHA-512-256',
        'Digest realm="x", qop="auth"',
        "Digest nonsense",
        'Digest realm="x", nonce="1", qop="something"',
    ],
)
def test_a_challenge_that_cannot_be_met_is_told(digest, challenge):
    digest.challenge = challenge
    with pytest.raises(EndpointRefused, match="Digest login that cannot be made") as raised:
        books(digest)
    assert "pw-ann" not in raised.value.sentence()
    assert digest.clear == []


def test_a_server_that_takes_neither_is_named_as_such():
    with Front() as front:
        front.on("", "", Answer(status=401, headers={"WWW-Authenticate": "Negotiate"}))
        with pytest.raises(EndpointRefused, match="Negotiate"):
            books(front)
        assert not any("authorization" in request.headers for request in front.requests)


def test_many_cards_go_one_after_the_other_where_each_request_has_a_number(digest):
    digest.on("PUT", "/dav/ann/book/", Answer(status=201, headers={"ETag": '"1"'}))
    with closing(carddav.ADAPTER.writer(carddav.Options(url=digest.url, timeout=5), LOGIN)) as writer:
        puts = writer.add("/dav/ann/book/", [person(f"u{number}") for number in range(100)])
    assert not [put.refused for put in puts if put.refused]
    assert digest.stale == 0


def test_a_refused_login_names_the_account_the_server_its_endpoint_and_the_user(digest):
    wrong = Login("ann@example.com", "ann", SecretStr("wrong"), endpoint="new")
    with pytest.raises(LoginRefused) as raised:
        books(digest, wrong)
    host = digest.url.removeprefix("http://")
    assert str(raised.value) == f"ann@example.com: {host} (endpoint new) refused the login ann to the address books."


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("", ""),
        ("/.well-known/carddav", ""),
        (
            "/wrong/dav",
            "the path /wrong/dav of the url leads to no address books; /.well-known/carddav led to /dav/ann/, and what is there is taken",
        ),
    ],
)
def test_a_path_that_leads_nowhere_is_told_though_the_books_are_found(path, words):
    with with_books(Front()) as front:
        options = carddav.Options(url=f"{front.url}{path}", timeout=5)
        with closing(carddav.ADAPTER.reader(options, LOGIN)) as reader:
            assert reader.detour() == words
            assert [book.id for book in reader.books()] == BOOKS
