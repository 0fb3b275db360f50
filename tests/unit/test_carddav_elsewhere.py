"""Address books on another host than the server's (iCloud's pNN-contacts): read where the plan names that host, and refused in one sentence."""

from __future__ import annotations

from contextlib import closing

import pytest
from dav_words import BOOKS, IS_BOOK, has, home, principal, told, with_books
from pydantic import SecretStr

from migrator.contacts.adapters import carddav
from migrator.contacts.carddav.line import Elsewhere, Line, Server, Trust
from migrator.engine.contract import Login
from migrator.errors import EndpointRefused, LoginRefused, Refused
from migrator.testing.authority import Authority
from migrator.testing.book_store import person
from migrator.testing.front import Front
from migrator.testing.panels.server import Answer

LOGIN = Login("ann@example.com", "ann@example.com", SecretStr("pw-ann"))
NAMED = ["127.0.0.1"]  # the host of the books, beside localhost, which knows where they are


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@pytest.fixture
def books(authority):
    """The host of the books."""
    with Front(context=authority.context("127.0.0.1")) as front:
        front.on("PROPFIND", "/17/home/", told(has("/17/home/", "<resourcetype/>"), has("/17/home/card/", IS_BOOK)))
        front.on("PROPFIND", "/17/home/card/", told(has("/17/home/card/", IS_BOOK)))
        front.on("REPORT", "/17/home/card/", told())
        front.on("PUT", "/17/home/card/", Answer(status=201))
        yield front


@pytest.fixture
def contacts(authority, books):
    """The host that the plan names."""
    with Front(context=authority.context("localhost")) as front:
        front.on("PROPFIND", "/.well-known/carddav", told(has("/", principal("/17/principal/"))))
        front.on(
            "PROPFIND", "/17/principal/", told(has("/17/principal/", home(f"https://127.0.0.1:{books.port}/17/home/")))
        )
        yield front


@pytest.fixture
def options(contacts, authority):
    def made(**said):
        url = f"https://localhost:{contacts.port}"
        return carddav.Options(**{"url": url, "ca_file": authority.ca_file, "timeout": 5, **said})

    return made


def reading(options, login=LOGIN):
    return closing(carddav.ADAPTER.reader(options, login))


def test_books_on_a_host_that_the_plan_names_are_read_and_filled_there(contacts, books, options):
    with closing(carddav.ADAPTER.writer(options(hosts=NAMED), LOGIN)) as writer:
        assert [book.id for book in writer.books()] == ["/17/home/card/"]
        assert [put.refused for put in writer.add("/17/home/card/", [person("a")])] == [""]
    assert [request.path for request in contacts.requests] == ["/.well-known/carddav", "/17/principal/"]
    assert "PUT" in books.methods
    assert all(request.headers["authorization"].startswith("Basic ") for request in books.requests)


def test_a_session_that_begins_with_a_book_goes_to_its_host_at_once(books, options):
    with reading(options(hosts=NAMED)) as reader:
        assert list(reader.index("/17/home/card/")) == []
    assert books.requests


def test_a_host_the_plan_does_not_name_gets_nothing_and_the_plan_is_told_what_to_write(books, options):
    with reading(options()) as reader, pytest.raises(EndpointRefused) as raised:
        reader.books()
    assert books.requests == []
    sentence = raised.value.sentence()
    assert "books of ann@example.com are on 127.0.0.1" in sentence
    assert 'hosts: ["127.0.0.1"]' in sentence
    assert "pw-ann" not in sentence


def test_a_host_that_is_named_for_http_gets_nothing(contacts, books, options):
    contacts.on("PROPFIND", "/17/principal/", told(has("/17/principal/", home("http://dav.example.net/17/home/"))))
    with reading(options(hosts=["dav.example.net"])) as reader, pytest.raises(EndpointRefused, match="over http"):
        reader.books()


def test_a_principal_on_a_host_of_the_plan_is_asked_there(contacts, books, options):
    contacts.on("PROPFIND", "/.well-known/", told(has("/", principal(f"https://127.0.0.1:{books.port}/17/who/"))))
    books.on("PROPFIND", "/17/who/", told(has("/17/who/", home("/17/home/"))))
    with reading(options(hosts=NAMED)) as reader:
        assert [book.id for book in reader.books()] == ["/17/home/card/"]


@pytest.mark.parametrize("code", [301, 307])
def test_a_redirect_of_the_well_known_place_to_a_host_of_the_plan_is_followed(contacts, books, options, code):
    with_books(books)
    there = f"https://127.0.0.1:{books.port}/.well-known/carddav"
    contacts.on("PROPFIND", "/.well-known/", Answer(status=code, headers={"Location": there}))
    with reading(options(hosts=NAMED)) as reader:
        assert [book.id for book in reader.books()] == BOOKS
    books.requests.clear()
    with reading(options()) as reader, pytest.raises(EndpointRefused) as raised:
        reader.books()
    assert 'write it as the url or name its host beside the url: hosts: ["127.0.0.1"].' in raised.value.remedy
    assert books.requests == []


def test_where_the_other_host_is_silent_the_first_is_asked_at_its_root(contacts, books, options):
    there = f"https://127.0.0.1:{books.port}/nothing/"
    contacts.on("PROPFIND", "/", told(has("/", principal("/17/principal/"))))
    contacts.on("PROPFIND", "/17/principal/", told(has("/17/principal/", home("/here/"))))
    contacts.on("PROPFIND", "/here/", told(has("/here/", "<resourcetype/>"), has("/here/book/", IS_BOOK)))
    contacts.on("PROPFIND", "/.well-known/", Answer(status=301, headers={"Location": there}))
    with reading(options(hosts=NAMED)) as reader:
        assert [book.id for book in reader.books()] == ["/here/book/"]
    assert [request.path for request in books.requests] == ["/nothing/"]


def test_two_hosts_that_send_to_one_another_end(contacts, books, options):
    there, back = f"https://127.0.0.1:{books.port}/", f"https://localhost:{contacts.port}/.well-known/carddav"
    contacts.on("", "", Answer(status=302, headers={"Location": there}))
    books.on("", "", Answer(status=302, headers={"Location": back}))
    with reading(options(hosts=[*NAMED, "localhost"])) as reader, pytest.raises(Exception, match="circle"):
        reader.books()
    assert len(contacts.requests) + len(books.requests) < 12


def test_a_book_that_moves_in_the_middle_of_the_work_is_told(contacts, books, options):
    with reading(options(hosts=NAMED)) as reader:
        reader.books()
        back = f"https://localhost:{contacts.port}/17/home/card/"
        books.on("PROPFIND", "/17/home/card/", Answer(status=301, headers={"Location": back}))
        with pytest.raises(EndpointRefused, match="redirects to https://localhost"):
            list(reader.index("/17/home/card/"))


def test_a_login_that_one_host_refused_is_not_tried_at_another(contacts, books, options):
    books.on("", "", Answer(status=401, headers={"WWW-Authenticate": 'Basic realm="Books"'}))
    with reading(options(hosts=NAMED)) as reader:
        for _ in range(2):
            with pytest.raises(LoginRefused):
                reader.books()
    assert len(books.requests) == 1


def test_homes_on_several_hosts_are_told(contacts, books, options):
    both = home("/17/home/", f"https://127.0.0.1:{books.port}/17/home/")
    contacts.on("PROPFIND", "/17/principal/", told(has("/17/principal/", both)))
    with (
        reading(options(hosts=NAMED)) as reader,
        pytest.raises(EndpointRefused, match=r"on 127\.0\.0\.1 and on localhost"),
    ):
        reader.books()
    assert books.requests == []


def test_one_book_on_another_host_spoils_no_other_and_says_what_to_write(contacts, books, options):
    stray = f"https://127.0.0.1:{books.port}/shared/team/"
    contacts.on("PROPFIND", "/17/principal/", told(has("/17/principal/", home("/17/home/"))))
    inside = [has("/17/home/mine/", IS_BOOK), has("https://proxy.internal/17/home/too/", IS_BOOK), has(stray, IS_BOOK)]
    contacts.on("PROPFIND", "/17/home/", told(*inside))
    with closing(carddav.ADAPTER.writer(options(), LOGIN)) as session:
        listed = {book.id: book.writable for book in session.books()}
        assert listed == {"/17/home/mine/": True, "/17/home/too/": True, stray: False}
        for ask in (lambda: list(session.index(stray)), lambda: session.add(stray, [person("a")])):
            with pytest.raises(Refused, match=r"another host \(127\.0\.0\.1\)") as raised:
                ask()
        assert f"url: {stray}" in raised.value.remedy
    assert books.requests == []


def test_a_neighbour_is_named_by_a_wildcard_since_other_accounts_are_on_others(authority):
    line = Line(carddav.Options(url="https://contacts.example.net"), LOGIN, Trust(), writes=False)
    with closing(line):
        line.move(Server("https://contacts.example.net"))
        with pytest.raises(EndpointRefused) as raised:
            line.path_here("https://p42-contacts.example.net:443/17/home/", "/")
        assert raised.value.remedy == 'If you trust that host, name it beside the url: hosts: ["*.example.net"].'
    trusting = Line(carddav.Options(url="https://contacts.example.net"), LOGIN, Trust(("*.example.net",)), writes=False)
    with closing(trusting):
        trusting.move(Server("https://contacts.example.net"))
        with pytest.raises(Elsewhere) as there:
            trusting.path_here("https://ann@p42-contacts.example.net:443/17/home/", "/")
        assert (there.value.server, there.value.path) == (Server("https://p42-contacts.example.net:443"), "/17/home/")
