"""CardDAV servers found by a domain's DNS (RFC 6764), and where the password goes then: nowhere that nobody vouches for."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import closing

import pytest
from dav_words import BOOKS, IS_BOOK, has, told, with_books
from pydantic import SecretStr, ValidationError

from migrator.contacts.adapters import carddav
from migrator.contacts.carddav.line import Trust
from migrator.engine.contract import Login
from migrator.errors import EndpointRefused, Misbehaved, TlsFailed, Unreachable
from migrator.testing.authority import Authority
from migrator.testing.front import Front
from migrator.testing.nameserver import Nameserver
from migrator.testing.panels.server import Answer

SECURE, PLAIN = "_carddavs._tcp", "_carddav._tcp"


@pytest.fixture
def names():
    with Nameserver() as names:
        yield names


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def certified(authority):
    """Servers over TLS whose certificates are for these names."""
    running: list[Front] = []

    def start(*for_names: str) -> Front:
        running.append(with_books(Front(context=authority.context(*for_names))))
        return running[-1].__enter__()

    yield start
    for front in running:
        front.__exit__()


@pytest.fixture
def books(names, authority) -> Callable[..., list[str]]:
    """The books an account has, by options of the plan."""

    def look(account: str = "ann@localhost", **said: object) -> list[str]:
        options = {"nameserver": names.address, "ca_file": authority.ca_file, "timeout": 5, **said}
        login = Login(account, account, SecretStr("pw-ann"))
        with closing(carddav.ADAPTER.reader(carddav.Options(**options), login)) as reader:
            return [book.id for book in reader.books()]

    return look


def paths(front: Front) -> list[str]:
    return [request.path for request in front.requests]


def silent_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# -- the way to the server


def test_without_a_url_the_domain_of_the_address_names_the_server(names, certified, books):
    server = certified("localhost")
    names.add(f"{SECURE}.localhost", "SRV", f"0 1 {server.port} localhost.")
    assert books("ann@localhost") == BOOKS
    assert paths(server)[0] == "/.well-known/carddav"
    assert names.asked == [(f"{SECURE}.localhost", "SRV"), (f"{SECURE}.localhost", "TXT")]


def test_a_domain_as_url_is_asked_whatever_the_address(names, certified, books):
    server = certified("localhost")
    names.add(f"{SECURE}.localhost", "SRV", f"0 1 {server.port} localhost.")
    assert books("ann@example.com", url="localhost") == BOOKS


def test_a_domain_in_letters_is_asked_as_it_is_in_dns(names, certified, books):
    server = certified("xn--espaa-rta.example")
    names.add(f"{SECURE}.xn--espaa-rta.example", "SRV", f"0 1 {server.port} localhost.")
    assert books("ann@españa.example") == BOOKS


def test_the_path_beside_the_server_is_asked_first_and_the_well_known_one_where_it_is_silent(names, certified, books):
    server = with_books(certified("localhost"), "/cloud/da%20v/")
    names.add(f"{SECURE}.localhost", "SRV", f"0 1 {server.port} localhost.")
    names.add(f"{SECURE}.localhost", "TXT", '"path=/cloud/da v/"')
    assert books() == BOOKS
    assert paths(server)[:2] == ["/cloud/da%20v/", "/dav/ann/"]
    server.requests.clear()
    server.on("PROPFIND", "/cloud/", Answer(status=404))
    assert books() == BOOKS
    assert paths(server)[:2] == ["/cloud/da%20v/", "/.well-known/carddav"]


@pytest.mark.parametrize("path", ["dav/", "https://elsewhere.example.net/", ""])
def test_a_path_that_is_none_is_passed_over(names, certified, books, path):
    server = certified("localhost")
    names.add(f"{SECURE}.localhost", "SRV", f"0 1 {server.port} localhost.")
    names.add(f"{SECURE}.localhost", "TXT", f'"path={path}"')
    assert books() == BOOKS
    assert paths(server)[0] == "/.well-known/carddav"


def test_where_the_first_server_does_not_answer_the_next_one_is_asked(names, certified, books):
    server, spare = certified("localhost"), certified("localhost")
    gone = silent_port()
    names.add(f"{SECURE}.localhost", "SRV", f"5 9 {server.port} localhost.", f"1 1 {gone} localhost.")
    names.add(f"{SECURE}.localhost", "SRV", f"9 0 {spare.port} localhost.")
    assert books() == BOOKS
    assert spare.requests == []


def test_where_none_answers_the_first_is_told(names, books):
    first, second = silent_port(), silent_port()
    names.add(f"{SECURE}.localhost", "SRV", f"1 1 {first} localhost.", f"2 1 {second} localhost.")
    with pytest.raises(Unreachable, match=str(first)):
        books()


def test_a_server_that_dns_names_and_that_names_no_books_is_told_as_it_is(names, certified, books):
    server = certified("localhost")
    server.on("PROPFIND", "/.well-known/carddav", Answer(status=404))
    names.add(f"{SECURE}.localhost", "SRV", f"0 1 {server.port} localhost.")
    with pytest.raises(EndpointRefused, match="the server names no address books for ann@localhost") as raised:
        books()
    assert raised.value.__cause__ is None, "nothing lies behind it, least of all itself"


def test_a_stated_home_is_read_at_the_server_that_dns_names(names, certified, books):
    server = certified("localhost")
    server.on("PROPFIND", "/my/home/", told(has("/my/home/", "<resourcetype/>"), has("/my/home/b/", IS_BOOK)))
    names.add(f"{SECURE}.localhost", "SRV", f"1 1 {silent_port()} localhost.", f"2 1 {server.port} localhost.")
    assert books(home="/my/home/") == ["/my/home/b/"]
    assert set(paths(server)) == {"/my/home/"}


def test_a_book_is_read_by_its_path_in_a_session_that_has_to_find_the_server_first(names, certified, authority):
    server = certified("localhost")
    names.add(f"{SECURE}.localhost", "SRV", f"0 1 {server.port} localhost.")
    options = carddav.Options(nameserver=names.address, ca_file=authority.ca_file)
    login = Login("ann@localhost", "ann", SecretStr("pw"))
    with closing(carddav.ADAPTER.reader(options, login)) as reader:
        assert list(reader.index("/dav/ann/book/")) == []
        assert list(reader.index("/dav/ann/book/")) == []
    assert len([name for name, kind in names.asked if kind == "SRV"]) == 1


# -- what DNS may say instead


def test_a_domain_without_records_is_its_own_server(names, books):
    with pytest.raises((Unreachable, TlsFailed, EndpointRefused, Misbehaved), match="localhost:443"):
        books()  # whatever is at that port of this machine, it has no books of ours
    assert names.asked == [(f"{SECURE}.localhost", "SRV"), (f"{PLAIN}.localhost", "SRV")]


@pytest.mark.parametrize("said", [(SECURE,), (PLAIN,), (SECURE, PLAIN)])
def test_a_domain_that_says_it_has_no_address_books_is_believed(names, books, said):
    for service in said:
        names.add(f"{service}.example.com", "SRV", "0 0 0 .")
    with pytest.raises(EndpointRefused, match=r"example\.com: its DNS says that there are no address books"):
        books("ann@example.com")


def test_nameservers_that_fail_are_not_taken_for_a_no(names, books):
    names.broken.add(f"{SECURE}.example.com")
    with pytest.raises(Unreachable) as raised:
        books("ann@example.com")
    assert raised.value.sentence() == (
        "example.com: its server of address books was looked for in DNS, since the plan names none. DNS gives no answer of use (the plan's "
        f"nameserver {names.address} asked for {SECURE}.example.com). Write the server's address into the plan, as url: https://dav.example.net/. "
        "Or check the nameservers."
    )


def test_a_domain_that_dns_says_nothing_of_and_that_is_no_server_is_told_with_what_was_looked_for(books):
    with pytest.raises((Unreachable, TlsFailed, EndpointRefused, Misbehaved)) as raised:
        books()
    sentence = raised.value.sentence()
    assert sentence.startswith(
        f"localhost: DNS names no server of its address books (no SRV record of {SECURE}.localhost and {PLAIN}.localhost), and at "
        "https://localhost there is none: "
    )
    assert sentence.endswith(" Write the server's address into the plan, as url: https://dav.example.net/.")


def test_an_account_without_a_domain_needs_a_url(books, names):
    with pytest.raises(EndpointRefused, match="no domain") as raised:
        books("ann")
    assert "url" in raised.value.remedy
    assert names.asked == []


# -- whom the password is sent to


def test_a_server_outside_the_domain_that_has_its_certificate_is_trusted(names, certified, books):
    server = certified("example.com")
    names.add(f"{SECURE}.example.com", "SRV", f"0 1 {server.port} localhost.")
    assert books("ann@example.com") == BOOKS


def test_a_server_outside_the_domain_with_a_certificate_of_its_own_gets_nothing(names, certified, books):
    server = certified("localhost")
    names.add(f"{SECURE}.example.com", "SRV", f"0 1 {server.port} localhost.")
    with pytest.raises(TlsFailed) as raised:
        books("ann@example.com")
    assert server.requests == []
    sentence = raised.value.sentence()
    assert "localhost, which is not in that domain" in sentence
    assert "not valid for the name example.com. It is valid for localhost." in sentence
    assert "hosts: [localhost]" in sentence


def test_a_server_outside_the_domain_is_trusted_where_the_plan_names_it(names, certified, books):
    server = certified("localhost")
    names.add(f"{SECURE}.example.com", "SRV", f"0 1 {server.port} localhost.")
    assert books("ann@example.com", hosts=["LocalHost."]) == BOOKS


def test_a_server_in_the_domain_has_to_have_its_own_certificate(names, certified, books):
    server = certified("example.com")
    names.add(f"{SECURE}.localhost", "SRV", f"0 1 {server.port} localhost.")
    with pytest.raises(TlsFailed, match="not valid for the name localhost"):
        books()
    assert server.requests == []


def test_a_pinned_certificate_is_that_of_the_plans_server_wherever_it_is(names, certified, books, authority):
    from migrator.wire import tls

    server = certified("whatever.example.net")
    names.add(f"{SECURE}.example.com", "SRV", f"0 1 {server.port} localhost.")
    with socket.create_connection(("127.0.0.1", server.port)) as dialled:
        shown = tls.without_trust().wrap_socket(dialled).getpeercert(binary_form=True)
    assert books("ann@example.com", tls_fingerprint=tls.fingerprint(shown)) == BOOKS
    with pytest.raises(TlsFailed, match=r"^The certificate there .* not the pinned one") as raised:
        books("ann@example.com", tls_fingerprint="0" * 64)
    assert "tls_fingerprint" in raised.value.remedy


def test_without_tls_only_this_machine_is_asked_and_only_where_the_plan_says_so(names, books):
    with Front() as front:
        with_books(front)
        names.add(f"{PLAIN}.localhost", "SRV", f"0 1 {front.port} localhost.")
        names.add(f"{PLAIN}.example.com", "SRV", f"0 1 {front.port} localhost.")
        names.add(f"{PLAIN}.example.net", "SRV", f"0 1 {front.port} dav.example.net.")
        assert books("ann@localhost") == BOOKS
        assert books("ann@example.com", hosts=["localhost"]) == BOOKS
        front.requests.clear()
        for domain, more in (("example.com", {}), ("example.net", {}), ("example.net", {"hosts": ["dav.example.net"]})):
            with pytest.raises(EndpointRefused, match="without TLS"):
                books(f"ann@{domain}", **more)
        assert front.requests == []


def test_of_two_ways_the_safe_one_is_taken(names, certified, books):
    server = certified("localhost")
    with Front() as front:
        names.add(f"{PLAIN}.localhost", "SRV", f"0 1 {front.port} localhost.")
        names.add(f"{SECURE}.localhost", "SRV", f"9 1 {server.port} localhost.")
        assert books() == BOOKS
        assert front.requests == []


# -- what a plan may say


@pytest.mark.parametrize("url", ["example.com", "localhost", "dav.Example.com", "españa.example"])
def test_a_url_may_be_a_domain_alone(url):
    assert carddav.Options(url=url).domain_for("ann@example.net")


@pytest.mark.parametrize(
    "url", ["", "example", "example.com/dav", "example.com:8443", "ann@example.com", "http://example.com", "-.com"]
)
def test_a_url_that_is_neither_url_nor_domain_is_a_mistake(url):
    with pytest.raises(ValidationError):
        carddav.Options(url=url)


@pytest.mark.parametrize(
    "host", ["https://dav.example.com", "*.com", "*.co.uk", "*", "dav.*.com", "a b", "", "dav.example.com:443"]
)
def test_hosts_of_many_and_what_is_no_host_are_mistakes(host):
    with pytest.raises(ValidationError):
        carddav.Options(url="https://dav.example.com", hosts=[host])


def test_a_nameserver_by_name_is_a_mistake():
    with pytest.raises(ValidationError, match="IP address"):
        carddav.Options(nameserver="ns.example.com")


@pytest.mark.parametrize(
    ("url", "trusted"),
    [
        ("https://dav.example.com/x", True),
        ("https://DAV.example.com./x", True),
        ("https://dav.example.com:8443/", True),
        ("http://dav.example.com/", False),
        ("https://p42-contacts.example.net", True),
        ("https://a.b.example.net", False),
        ("https://example.net", False),
        ("https://evilexample.net", False),
        ("https://books.example.org", True),
        ("https://example.org", True),
        ("https://badexample.org", False),
        ("https://user@evil.example/@dav.example.com", False),
    ],
)
def test_trust_is_for_hosts_and_wildcards_of_the_plan_and_the_domain_asked(url, trusted):
    assert Trust(("dav.example.com", "*.example.net"), "example.org").covers(url) is trusted
