"""CardDAV with servers that are odd, broken or hostile: each answer as it would be on the wire."""

from __future__ import annotations

import base64
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing

import pytest
from dav_words import IS_BOOK, XML, has, home, principal, status, told
from pydantic import SecretStr, ValidationError

from migrator.contacts.adapters import carddav
from migrator.contacts.model import Card, Entry, Put, text_property
from migrator.engine.contract import Login
from migrator.errors import (
    Dropped,
    EndpointRefused,
    LoginRefused,
    Misbehaved,
    NoSpace,
    NotFound,
    Refused,
    Unavailable,
)
from migrator.testing.book_store import mail, person
from migrator.testing.front import Front
from migrator.testing.panels.server import Answer, Request

LOGIN = Login("ann@example.com", "ann@example.com", SecretStr("pw-ann"))
BOOK = "/dav/ann/book/"


def tag(text: str) -> str:
    return f"<getetag>{text}</getetag>"


IS_FOLDER = "<resourcetype><collection/></resourcetype>"


def vcard(uid: str) -> str:
    return f"BEGIN:VCARD\nVERSION:3.0\nUID:{uid}\nFN:Card {uid}\nN:{uid};Card;;;\nEND:VCARD\n"


def card(name: str, uid: str | None = None) -> str:
    text = vcard(uid or name).replace("&", "&amp;")
    return has(f"{BOOK}{name}.vcf", tag(f'"{name}"'), f"<C:address-data>{text}</C:address-data>")


def listed(name: str, etag: str = '"1"') -> str:
    return has(f"{BOOK}{name}.vcf", tag(etag), "<getcontentlength>7</getcontentlength><resourcetype/>")


@pytest.fixture
def front() -> Iterator[Front]:
    """A server of one book for one account, in which nothing is."""
    with Front() as front:
        front.on("PROPFIND", "/.well-known/carddav", told(has("/dav/", principal("/dav/ann/"))))
        front.on("PROPFIND", "/dav/ann/", told(has("/dav/ann/", IS_FOLDER, home("/dav/ann/")), has(BOOK, IS_BOOK)))
        front.on("PROPFIND", BOOK, told(has(BOOK, IS_BOOK)))
        front.on("REPORT", BOOK, told())
        yield front


@pytest.fixture
def reader(front):
    with closing(carddav.ADAPTER.reader(carddav.Options(url=front.url, timeout=5), LOGIN)) as session:
        yield session


@pytest.fixture
def writer(front):
    with closing(carddav.ADAPTER.writer(carddav.Options(url=front.url, timeout=5), LOGIN)) as session:
        yield session


def logged_in(front: Front) -> list[Request]:
    """The requests with a login; without TLS a session asks without one until it knows which the server takes."""
    return [request for request in front.requests if "authorization" in request.headers]


# -- where the password goes


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_on_the_same_site_is_followed_whatever_its_kind(front, reader, code):
    front.on("PROPFIND", "/.well-known/carddav", Answer(status=code, headers={"Location": f"{front.url}/dav/"}))
    front.on("PROPFIND", "/dav/", told(has("/dav/", principal("ann/"))), times=2)  # without a login, and with it
    assert [book.id for book in reader.books()] == [BOOK]


def test_the_password_follows_no_redirect_to_another_port(front, reader):
    with Front() as stranger:
        front.on("PROPFIND", "/.well-known/", Answer(status=301, headers={"Location": f"{stranger.url}/dav/"}))
        with pytest.raises(EndpointRefused) as raised:
            reader.books()
        assert stranger.requests == []
    assert stranger.url in str(raised.value)
    assert "write it as the url" in raised.value.remedy


@pytest.mark.parametrize(
    "location",
    ["https://127.0.0.1/dav/", "http://elsewhere.example.net/dav/", "//elsewhere.example.net/", "http://user:secret@elsewhere.example.net/"],
)  # fmt: skip
def test_the_password_follows_no_redirect_to_another_scheme_or_host(front, reader, location):
    front.on("", "", Answer(status=307, headers={"Location": location}))
    with pytest.raises(EndpointRefused) as raised:
        list(reader.index(BOOK))
    assert "secret" not in raised.value.sentence()
    assert len(front.requests) == 1


@pytest.mark.parametrize("location", ["http://[", "http://127.0.0.1:nonsense/"])
def test_a_redirect_to_no_url_is_told(front, reader, location):
    front.on("", "", Answer(status=301, headers={"Location": location}))
    with pytest.raises(Misbehaved):
        reader.books()


def test_redirects_in_a_circle_end(front, reader):
    front.on("", "", Answer(status=302, headers={"Location": "/dav/"}))
    with pytest.raises(Misbehaved, match="circle"):
        reader.books()
    assert len(front.requests) < 10


def test_books_on_another_host_are_not_asked_for(front, reader):
    front.on("PROPFIND", "/dav/ann/", told(has("/dav/ann/", home("https://p42.example.net/ann/"))))
    with pytest.raises(EndpointRefused, match=r"p42\.example\.net"):
        reader.books()


def test_a_proxy_that_spells_its_own_host_with_another_scheme_is_no_other_host(front, reader):
    front.on("PROPFIND", "/.well-known/", told(has("/dav/", principal("http://127.0.0.1/dav/ann/"))))
    front.on("PROPFIND", "/dav/ann/", told(has("/dav/ann/", home("https://127.0.0.1:8080/dav/ann/"), IS_FOLDER), has(f"http://inside{BOOK}", IS_BOOK)))  # fmt: skip
    front.on("PROPFIND", BOOK, told(has(BOOK, IS_BOOK), has(f"http://inside:8080{BOOK}one.vcf", tag('"1"'))))
    assert [book.id for book in reader.books()] == [BOOK]
    assert [entry.ref for entry in reader.index(BOOK)] == [f"{BOOK}one.vcf"]


def test_a_write_follows_no_redirect(front, writer):
    front.on("PUT", BOOK, Answer(status=307, headers={"Location": "/dav/other/"}))
    with pytest.raises(Misbehaved):
        writer.add(BOOK, [person("one")])
    assert front.methods.count("PUT") == 1


# -- logins


def test_a_refused_login_is_sent_once_and_never_again(front, reader):
    front.on("", "", Answer(status=401, headers={"WWW-Authenticate": 'Basic realm="Books"'}))
    for ask in (reader.books, reader.books, lambda: list(reader.index(BOOK))):
        with pytest.raises(LoginRefused) as raised:
            ask()
    assert len(logged_in(front)) == 1
    assert "ann@example.com" in str(raised.value)
    assert "pw-ann" not in raised.value.sentence()


def test_an_account_without_a_password_is_refused_before_anything_is_sent(front):
    with pytest.raises(LoginRefused):
        carddav.ADAPTER.reader(carddav.Options(url=front.url), Login("ann@example.com", "ann"))
    assert front.requests == []


def test_a_password_of_any_letters_is_sent_as_utf_8(front):
    odd = Login("ann@example.com", "ann", SecretStr("pä:ß€"))
    with closing(carddav.ADAPTER.reader(carddav.Options(url=front.url), odd)) as reader:
        reader.books()
    sent = logged_in(front)[0].headers["authorization"].removeprefix("Basic ")
    assert base64.b64decode(sent).decode() == "ann:pä:ß€"


# -- finding the books


def test_the_folder_in_the_url_is_asked_before_the_well_known_place(front):
    front.on("PROPFIND", "/cloud/dav/", told(has("/cloud/dav/", principal("/dav/ann/"))))
    with closing(carddav.ADAPTER.reader(carddav.Options(url=f"{front.url}/cloud/dav/"), LOGIN)) as reader:
        assert [book.id for book in reader.books()] == [BOOK]
    assert "/.well-known/carddav" not in [request.path for request in front.requests]


def test_a_url_that_is_a_book_means_this_book_alone(front):
    front.on("PROPFIND", BOOK, told(has(BOOK, IS_BOOK, "<displayname>Only this</displayname>", principal("/dav/ann/"))))
    with closing(carddav.ADAPTER.reader(carddav.Options(url=f"{front.url}{BOOK}"), LOGIN)) as reader:
        assert [(book.id, book.name) for book in reader.books()] == [(BOOK, "Only this")]


@pytest.mark.parametrize(
    "silent",
    [Answer(b"<html>Welcome</html>", 200, "text/html"), Answer(status=404), Answer(status=405), Answer(status=502), told(), told(status("/", 404)), Answer(b"<!DOCTYPE html>", 207, "text/html")],
)  # fmt: skip
def test_where_the_well_known_place_is_silent_the_root_is_asked(front, reader, silent):
    front.on("PROPFIND", "/", told(has("/", principal("/dav/ann/"))), times=2)
    front.on("PROPFIND", "/.well-known/carddav", silent, times=1)
    front.on("PROPFIND", "/dav/ann/", told(has("/dav/ann/", IS_FOLDER, home("/dav/ann/")), has(BOOK, IS_BOOK)))
    assert [book.id for book in reader.books()] == [BOOK]


def test_a_server_that_fails_while_it_is_asked_for_books_is_unavailable(front, reader):
    front.on("", "", Answer(b"<html>Bad gateway</html>", 502, "text/html"))
    with pytest.raises(Unavailable):
        reader.books()


def test_a_server_without_address_books_is_told_with_where_was_looked(front, reader):
    front.on("", "", Answer(b"<html>Welcome</html>", 200, "text/html"))
    with pytest.raises(EndpointRefused) as raised:
        reader.books()
    assert "/.well-known/carddav" in str(raised.value)
    assert "home" in raised.value.remedy


def test_the_plan_may_say_where_the_books_are(front):
    options = carddav.Options(url=front.url, home="/books/{user}/of/{account}")
    front.on("PROPFIND", "/books/", told(has("/books/", IS_FOLDER), has("/books/friends/", IS_BOOK)))
    login = Login("ann@example.com", "an/n ?", SecretStr("pw"))
    with closing(carddav.ADAPTER.reader(options, login)) as reader:
        assert [book.name for book in reader.books()] == ["friends"]
    assert [request.path for request in logged_in(front)] == ["/books/an%2Fn%20%3F/of/ann%40example.com/"]


@pytest.mark.parametrize("path", ["books/{user}/", "/books/{name}/", "/books/{user/"])
def test_a_home_that_is_no_path_is_a_mistake_of_the_plan(path):
    with pytest.raises(ValidationError):
        carddav.Options(url="https://dav.example.com", home=path)


def test_only_address_books_are_books_and_read_only_ones_are_told(front, reader):
    rights = "<current-user-privilege-set><privilege><{}/></privilege></current-user-privilege-set>"
    front.on(
        "PROPFIND",
        "/dav/ann/",
        told(
            has("/dav/ann/", IS_FOLDER, home("/dav/ann/")),
            has("/dav/ann/calendar/", "<resourcetype><collection/><K:calendar xmlns:K='urn:x'/></resourcetype>"),
            has("/dav/ann/inbox/", IS_FOLDER),
            has("/dav/ann/mine/", IS_BOOK, rights.format("write")),
            has("/dav/ann/untold", IS_BOOK),
            has("/dav/ann/theirs/", IS_BOOK, rights.format("read")),
        ),
    )
    assert [(book.id, book.writable) for book in reader.books()] == [
        ("/dav/ann/mine/", True),
        ("/dav/ann/theirs/", False),
        ("/dav/ann/untold/", True),
    ]


# -- listing and fetching


def test_a_listing_has_neither_the_book_nor_folders_in_it(front, reader):
    inside = [has(BOOK.rstrip("/"), tag('"0"'), IS_BOOK), listed("b"), has(f"{BOOK}sub/", IS_FOLDER), listed("a")]
    front.on("PROPFIND", BOOK, told(*inside))
    assert list(reader.index(BOOK)) == [Entry(f"{BOOK}a.vcf", 7, '"1"'), Entry(f"{BOOK}b.vcf", 7, '"1"')]


def test_a_listing_that_is_cut_short_by_the_server_is_not_taken_for_the_whole(front, reader):
    front.on("PROPFIND", BOOK, told(has(BOOK, IS_BOOK), listed("a"), status(BOOK, 507)))
    with pytest.raises(Misbehaved, match="part"):
        list(reader.index(BOOK))


@pytest.mark.parametrize("answer", [told(), Answer(b"<html>Login</html>", 200, "text/html"), Answer(b"", 204)])
def test_an_answer_that_lists_nothing_at_all_is_no_empty_book(front, reader, answer):
    front.on("PROPFIND", BOOK, answer)
    with pytest.raises(Misbehaved):
        list(reader.index(BOOK))


@pytest.mark.parametrize("answer", [Answer(status=404), Answer(status=410), told(status(f"http://x{BOOK}", 404))])
def test_a_book_that_is_gone_is_not_found(front, reader, answer):
    front.on("", BOOK, answer)
    with pytest.raises(NotFound):
        list(reader.index(BOOK))


def test_a_book_of_somebody_else_is_refused_in_words(front, reader):
    front.on("PROPFIND", BOOK, Answer(status=403))
    with pytest.raises(Refused, match="does not let"):
        list(reader.index(BOOK))


def test_the_books_own_href_is_never_asked_for(front, reader):
    front.on("REPORT", BOOK, told(card("a")))
    held = list(reader.fetch(BOOK, [BOOK, BOOK.rstrip("/"), f"{BOOK}a.vcf"]))
    assert [one.card.uid for one in held] == ["a"]
    assert len(re.findall(b"<href>", front.requests[-1].body)) == 1


def test_an_answer_in_another_spelling_is_that_of_the_card_asked_for(front, reader):
    front.on(
        "REPORT",
        BOOK,
        told(card("ä@b").replace(BOOK, f"https://inside.example.net{BOOK}"), card("x%20y", "x y").replace(BOOK, "")),
    )
    held = list(reader.fetch(BOOK, [f"{BOOK}%C3%A4%40b.vcf", f"{BOOK}x%20y.vcf"]))
    assert [one.card.uid for one in held] == ["ä@b", "x y"]
    assert [request.method for request in logged_in(front)] == ["REPORT"]


def test_a_card_that_is_gone_is_not_answered(front, reader):
    front.on("REPORT", BOOK, told(status(f"{BOOK}gone.vcf", 404), card("a")))
    held = list(reader.fetch(BOOK, [f"{BOOK}gone.vcf", f"{BOOK}a.vcf"]))
    assert [one.card.uid for one in held] == ["a"]


def test_a_card_the_answer_forgets_is_asked_for_alone(front, reader):
    front.on("REPORT", BOOK, told(card("a")))
    front.on("GET", "forgotten.vcf", Answer(vcard("forgotten").encode(), 200, "text/vcard", {"ETag": '"f"'}))
    held = list(reader.fetch(BOOK, [f"{BOOK}a.vcf", f"{BOOK}forgotten.vcf", f"{BOOK}gone.vcf"]))
    assert [(one.card.uid, one.entry.tag) for one in held] == [("a", '"a"'), ("forgotten", '"f"')]


def test_a_card_the_server_fails_at_comes_empty_with_its_words_and_hides_no_other(front, reader):
    front.on("REPORT", BOOK, told(card("a"), status(f"{BOOK}bad.vcf", 500), card("c")))
    held = list(reader.fetch(BOOK, [f"{BOOK}{name}.vcf" for name in ("a", "bad", "c")]))
    assert [one.card.uid for one in held] == ["a", "", "c"]
    assert held[1].card == Card()
    assert "500" in held[1].dropped[0]


def test_one_card_that_spoils_the_xml_costs_a_few_requests_and_hides_no_other(front, reader):
    names = [f"n{number:03}" for number in range(100)]

    def answer(request):
        asked = re.findall(rf"<href>{BOOK}(\w+)\.vcf</href>", request.body.decode())
        return told(*(card(name).replace("FN:Card", "FN:Ca\x0brd" if name == "n042" else "FN:Card") for name in asked))

    front.on("REPORT", BOOK, answer)
    front.on("GET", "n042.vcf", Answer(vcard("n042").replace("FN:Card", "FN:Ca\x0brd").encode(), 200, "text/vcard"))
    held = list(reader.fetch(BOOK, [f"{BOOK}{name}.vcf" for name in names]))
    assert [one.card.uid for one in held] == names
    assert len(front.requests) < 20


@pytest.mark.parametrize("page", [Answer(b"<html>Login</html>", code, "text/html") for code in (200, 400, 405)])
def test_a_server_that_answers_cards_with_a_page_is_told_after_a_few_requests(front, reader, page):
    front.on("", BOOK, Answer(b"<html>Login</html>", 302, "text/html", {"Location": "/login"}))
    front.on("", "/login", page)
    with pytest.raises(Misbehaved):
        list(reader.fetch(BOOK, [f"{BOOK}{number}.vcf" for number in range(100)]))
    assert len(front.requests) < 20


def test_a_server_that_fails_at_every_card_and_the_book_is_unavailable(front, reader):
    front.on("", BOOK, Answer(status=500))
    with pytest.raises(Unavailable):
        list(reader.fetch(BOOK, [f"{BOOK}{number}.vcf" for number in range(100)]))


def test_many_cards_are_asked_for_in_portions(front, reader):
    refs = [f"{BOOK}{number}.vcf" for number in range(250)]
    front.on("REPORT", BOOK, lambda request: told(*(card(name) for name in re.findall(rf"<href>{BOOK}(\w+)\.vcf", request.body.decode()))))  # fmt: skip
    assert len(list(reader.fetch(BOOK, refs))) == 250
    assert [request.method for request in logged_in(front)] == ["REPORT"] * 3


def test_a_server_that_asks_for_patience_is_unavailable(front, reader):
    front.on("", "", Answer(status=429, headers={"Retry-After": "7"}))
    with pytest.raises(Unavailable) as raised:
        reader.books()
    assert raised.value.wait.total_seconds() == 7


# -- changes


def test_changes_come_with_what_is_gone_and_the_token_to_go_on_with(front, reader):
    front.on("REPORT", BOOK, told(listed("a", '"2"'), status(f"{BOOK}b.vcf", 404), after="<sync-token>t2</sync-token>"))
    changes = reader.changes(BOOK, "t1")
    assert changes.token == "t2"
    assert [entry.tag for entry in changes.changed] == ['"2"']
    assert changes.gone == (f"{BOOK}b.vcf",)
    assert b"<sync-token>t1</sync-token>" in front.requests[-1].body


def test_changes_told_in_parts_are_put_together_and_the_last_word_counts(front, reader):
    parts = {
        "t1": told(listed("a"), listed("b"), status(BOOK, 507), after="<sync-token>t2</sync-token>"),
        "t2": told(status(f"{BOOK}a.vcf", 404), listed("c"), after="<sync-token>t3</sync-token>"),
    }
    front.on("REPORT", BOOK, lambda request: parts[re.search(rb"<sync-token>(\w+)<", request.body)[1].decode()])
    changes = reader.changes(BOOK, "t1")
    assert (changes.token, [entry.ref for entry in changes.changed], changes.gone) == (
        "t3",
        [f"{BOOK}b.vcf", f"{BOOK}c.vcf"],
        (f"{BOOK}a.vcf",),
    )


@pytest.mark.parametrize("code", [400, 403, 405, 409, 412, 415, 501])
def test_a_server_that_tells_no_changes_or_has_forgotten_them_says_so(front, reader, code):
    front.on("REPORT", BOOK, Answer(status=code))
    assert reader.changes(BOOK, "t1") is None


@pytest.mark.parametrize(
    "answer", [told(listed("a")), told(status(BOOK, 507), after="<sync-token>t1</sync-token>"), told(status(BOOK, 507))]
)
def test_changes_one_cannot_go_on_from_are_none(front, reader, answer):
    front.on("REPORT", BOOK, answer)
    assert reader.changes(BOOK, "t1") is None


# -- writing


@pytest.mark.parametrize(
    ("named", "came", "written"),
    [
        ("", "3.0", "3.0"),
        ("", "4.0", "3.0"),
        ('<C:address-data-type content-type="text/vcard" version="3.0"/>', "4.0", "3.0"),
        ('<C:address-data-type content-type="text/vcard" version="3.0"/><C:address-data-type content-type="text/vcard" version="4.0"/>', "4.0", "4.0"),
        ('<C:address-data-type content-type="text/vcard" version="3.0"/><C:address-data-type content-type="text/vcard" version="4.0"/>', "2.1", "3.0"),
        ('<C:address-data-type content-type="text/vcard" version="4.0"/>', "3.0", "4.0"),
    ],
)  # fmt: skip
def test_a_card_is_written_in_a_version_the_book_takes(front, writer, named, came, written):
    front.on(
        "PROPFIND", BOOK, told(has(BOOK, IS_BOOK, f"<C:supported-address-data>{named}</C:supported-address-data>"))
    )
    front.on("PUT", BOOK, Answer(status=201, headers={"ETag": '"1"'}))
    writer.add(BOOK, [Card(person("one").properties, came)])
    assert f"VERSION:{written}\r\n".encode() in front.requests[-1].body


def test_a_new_card_is_put_only_where_nothing_is(front, writer):
    front.on("PUT", BOOK, Answer(status=201, headers={"ETag": '"1"'}))
    (put,) = writer.add(BOOK, [person("one")])
    sent = front.requests[-1]
    assert (put.ref, put.tag) == (f"{BOOK}one.vcf", '"1"')
    assert sent.headers["if-none-match"] == "*"
    assert sent.headers["content-type"] == "text/vcard; charset=utf-8"
    assert "if-match" not in sent.headers


def test_a_server_that_gives_nothing_for_a_card_is_told(front, reader):
    front.on("REPORT", BOOK, told(has(f"{BOOK}empty.vcf", tag('"1"'), "<C:address-data/>")))
    (held,) = reader.fetch(BOOK, [f"{BOOK}empty.vcf"])
    assert held.dropped


def test_a_server_that_tells_no_tag_after_a_put_is_believed(front, writer):
    front.on("PUT", BOOK, Answer(status=204))
    (put,) = writer.add(BOOK, [person("one")])
    assert (put.ref, put.tag, put.refused) == (f"{BOOK}one.vcf", "", "")


def error(condition: str) -> bytes:
    return f'<error xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav"><C:{condition}/></error>'.encode()


@pytest.mark.parametrize(
    ("code", "body", "words"),
    [
        (409, error("no-uid-conflict"), "UID"),
        (412, error("valid-address-data"), "valid"),
        (403, error("valid-address-data"), "valid"),
        (403, error("supported-address-data"), "version"),
        (403, error("max-resource-size"), "larger"),
        (413, b"", "larger"),
        (403, error("need-privileges"), "may not write"),
        (400, b"Bad Request", "400: Bad Request"),
        (403, b"<html>" + b"x" * 5000, "status 403"),
        (500, b"Traceback (most recent call last)", "500"),
    ],
)
def test_a_refused_card_is_told_in_words_and_the_others_go_on(front, writer, code, body, words):
    front.on("PUT", BOOK, Answer(status=201))
    front.on("PUT", "bad.vcf", Answer(body, code, "text/html" if body.startswith(b"<html") else "text/plain"))
    puts = writer.add(BOOK, [person("a"), person("bad"), person("c")])
    assert [bool(put.refused) for put in puts] == [False, True, False]
    assert words in puts[1].refused
    assert puts[1].remedy
    assert len(puts[1].refused) < 400


def test_a_server_that_fails_at_everything_is_unavailable_not_a_refused_card(front, writer):
    front.on("PUT", BOOK, Answer(status=500))
    front.on("PROPFIND", BOOK, told(has(BOOK, IS_BOOK)), times=2)
    writer.add(BOOK, [])
    front.on("PROPFIND", BOOK, lambda _: Answer(status=500) if "PUT" in front.methods else told(has(BOOK, IS_BOOK)))
    with pytest.raises(Unavailable):
        writer.add(BOOK, [person("one")])


def test_a_book_that_went_away_is_not_a_refused_card(front, writer):
    front.on("PUT", BOOK, Answer(status=409))
    front.on("PROPFIND", BOOK, lambda _: Answer(status=404) if "PUT" in front.methods else told(has(BOOK, IS_BOOK)))
    with pytest.raises(NotFound):
        writer.add(BOOK, [person("one")])


@pytest.mark.parametrize(
    "answer", [Answer(status=507), Answer(b'<error xmlns="DAV:"><quota-not-exceeded/></error>', 403, XML)]
)
def test_a_full_account_is_told_as_such(front, writer, answer):
    front.on("PUT", BOOK, answer)
    with pytest.raises(NoSpace):
        writer.add(BOOK, [person("one")])


class Traffic:
    """Answers every PUT after a while, and knows how many there were at once."""

    def __init__(self, answer: Callable[[Request], Answer | None] = lambda _: Answer(status=201)) -> None:
        self.most = self.count = 0
        self._now = 0
        self._answer = answer
        self._lock = threading.Lock()

    def __call__(self, request: Request) -> Answer | None:
        with self._lock:
            self.count += 1
            self._now += 1
            self.most = max(self.most, self._now)
        time.sleep(0.02)
        with self._lock:
            self._now -= 1
        return self._answer(request)


def filled(front: Front, traffic: Traffic, connections: int, cards: int) -> Sequence[Put]:
    front.on("PUT", BOOK, traffic)
    options = carddav.Options(url=front.url, timeout=5, connections=connections)
    with closing(carddav.ADAPTER.writer(options, LOGIN)) as writer:
        return writer.add(BOOK, [person(f"u{number}") for number in range(cards)])


@pytest.mark.parametrize(("connections", "cards", "at_once"), [(4, 75, 3), (2, 75, 2), (1, 75, 1), (4, 49, 1)])
def test_many_cards_go_over_as_many_connections_as_the_plan_allows_and_they_are_worth(
    front, connections, cards, at_once
):
    traffic = Traffic()
    puts = filled(front, traffic, connections, cards)
    assert traffic.most == at_once
    assert [put.ref for put in puts] == [f"{BOOK}u{number}.vcf" for number in range(cards)]


def test_of_many_cards_at_once_the_refused_ones_are_told_each_in_its_place(front):
    bad = {f"{BOOK}u{number}.vcf" for number in (0, 30, 59)}
    traffic = Traffic(
        lambda request: Answer(b"Bad Request", 400, "text/plain") if request.path in bad else Answer(status=201)
    )
    puts = filled(front, traffic, 4, 60)
    assert [place for place, put in enumerate(puts) if put.refused] == [0, 30, 59]


def test_when_a_connection_breaks_no_more_of_many_cards_are_sent(front):
    traffic = Traffic(lambda request: None if request.path.endswith("/u4.vcf") else Answer(status=201))
    with pytest.raises(Dropped):
        filled(front, traffic, 4, 100)
    assert traffic.count < 20


def test_a_connection_that_breaks_in_a_put_has_an_unknown_outcome(front, writer):
    front.on("PUT", BOOK, None)
    with pytest.raises(Dropped):
        writer.add(BOOK, [person("one")])


def test_an_update_names_the_tag_it_was_read_with(front, writer):
    front.on("PUT", BOOK, Answer(status=204, headers={"ETag": '"2"'}))
    put = writer.update(BOOK, Entry(f"{BOOK}a.vcf", 7, '"1"'), person("a"))
    assert front.requests[-1].headers["if-match"] == '"1"'
    assert (put.ref, put.tag) == (f"{BOOK}a.vcf", '"2"')


@pytest.mark.parametrize("weak", ['W/"1"', ""])
def test_a_tag_the_server_cannot_compare_is_compared_before_the_update(front, writer, weak):
    front.on("PUT", BOOK, Answer(status=204))
    front.on("PROPFIND", f"{BOOK}a.vcf", told(has(f"{BOOK}a.vcf", tag(weak))))
    front.on("PROPFIND", f"{BOOK}b.vcf", told(has(f"{BOOK}b.vcf", tag('W/"2"'))))
    assert not writer.update(BOOK, Entry(f"{BOOK}a.vcf", 7, weak), person("a")).refused
    assert front.requests[-1].headers["if-match"] == "*"
    assert writer.update(BOOK, Entry(f"{BOOK}b.vcf", 7, weak), person("b")).refused
    assert front.methods.count("PUT") == 1


@pytest.mark.parametrize("code", [404, 412])
def test_a_card_that_has_changed_or_is_gone_is_not_updated(front, writer, code):
    front.on("PUT", BOOK, Answer(status=code))
    assert "changed" in writer.update(BOOK, Entry(f"{BOOK}a.vcf", 7, '"1"'), person("a")).refused


def test_the_nicknames_of_a_card_stand_on_lines_of_their_own(front, writer):
    front.on("PUT", BOOK, Answer(status=201))
    nicknames = text_property("NICKNAME", "")
    named = person("one", "Ann Doe", mail("ann@example.com"), type(nicknames)("NICKNAME", (("Annie", "Nan, dear"),)))
    writer.add(BOOK, [named])
    assert b"NICKNAME:Annie\r\nNICKNAME:Nan\\, dear\r\n" in front.requests[-1].body


# -- books that are made


def test_a_book_whose_address_is_taken_gets_a_number(front, writer):
    front.on("MKCOL", "/dav/ann/friends-3/", Answer(status=201))
    front.on("MKCOL", "/dav/ann/friends/", Answer(status=405))
    front.on("MKCOL", "/dav/ann/friends-2/", Answer(status=405))
    front.on("PROPFIND", "/dav/ann/friends-3/", told(has("/dav/ann/friends-3/", IS_BOOK, "<displayname>Friends</displayname>")))  # fmt: skip
    assert writer.create_book("Friends").id == "/dav/ann/friends-3/"


def test_a_server_that_forgets_the_name_is_told_it_once_more(front, writer):
    name = "friends"

    def renamed(request):
        nonlocal name
        name = re.search("<displayname>(.*)</displayname>", request.body.decode())[1]
        return told(has("/dav/ann/friends/", "<displayname/>"))

    front.on("MKCOL", "/dav/ann/friends/", Answer(status=201))
    front.on("PROPFIND", "/dav/ann/friends/", lambda _: told(has("/dav/ann/friends/", IS_BOOK, f"<displayname>{name}</displayname>")))  # fmt: skip
    front.on("PROPPATCH", "/dav/ann/friends/", renamed)
    assert writer.create_book("Friends!").name == "Friends!"


@pytest.mark.parametrize("code", [403, 409, 415, 501])
def test_a_server_that_makes_no_books_is_told_in_words(front, writer, code):
    front.on("MKCOL", "/dav/", Answer(b"not here", code, "text/plain"))
    with pytest.raises(Refused, match="not here") as raised:
        writer.create_book("Friends")
    assert "by hand" in raised.value.remedy


def test_a_book_that_was_not_made_though_said_so_is_told(front, writer):
    front.on("MKCOL", "/dav/ann/friends/", Answer(status=201))
    front.on("PROPFIND", "/dav/ann/friends/", told(has("/dav/ann/friends/", IS_FOLDER)))
    with pytest.raises(Misbehaved):
        writer.create_book("Friends")


# -- what is foreseen


def test_a_card_larger_than_the_book_takes_is_foreseen_and_asked_for_once(front, reader):
    front.on("PROPFIND", BOOK, told(has(BOOK, IS_BOOK, "<C:max-resource-size>1000</C:max-resource-size>")))
    large = person("a", "Ann", text_property("NOTE", "x" * 2000))
    assert "no card larger than 1,000 bytes" in reader.objection(BOOK, large)
    assert reader.objection(BOOK, person("b")) == ""
    assert reader.objection("", large) == ""
    assert len(logged_in(front)) == 1


@pytest.mark.parametrize("size", ["", "-5", "many", "1e9"])
def test_a_largest_size_that_is_no_number_is_none(front, reader, size):
    front.on("PROPFIND", BOOK, told(has(BOOK, IS_BOOK, f"<C:max-resource-size>{size}</C:max-resource-size>")))
    assert reader.objection(BOOK, person("a", "Ann", text_property("NOTE", "x" * 2000))) == ""
