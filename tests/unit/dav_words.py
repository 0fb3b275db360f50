"""What a CardDAV server answers, as tests write it."""

from __future__ import annotations

from migrator.testing.front import Front
from migrator.testing.panels.server import Answer

BOOKS = ["/dav/ann/book/"]  # of `with_books`
XML = "application/xml; charset=utf-8"
IS_BOOK = "<resourcetype><collection/><C:addressbook/></resourcetype>"


def told(*responses: str, after: str = "") -> Answer:
    namespaces = 'xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav"'
    return Answer(f"<multistatus {namespaces}>{''.join(responses)}{after}</multistatus>".encode(), 207, XML)


def has(href: str, *properties: str) -> str:
    ok = f"<propstat><prop>{''.join(properties)}</prop><status>HTTP/1.1 200 OK</status></propstat>"
    return f"<response><href>{href}</href>{ok}</response>"


def status(href: str, code: int) -> str:
    return f"<response><href>{href}</href><status>HTTP/1.1 {code} So</status></response>"


def principal(href: str) -> str:
    return f"<current-user-principal><href>{href}</href></current-user-principal>"


def home(*hrefs: str) -> str:
    return f"<C:addressbook-home-set>{''.join(f'<href>{href}</href>' for href in hrefs)}</C:addressbook-home-set>"


def with_books(front: Front, start: str = "/.well-known/carddav") -> Front:
    """A server that tells of one book, to who begins at `start`."""
    front.on("PROPFIND", start, told(has(start, principal("/dav/ann/"))))
    front.on("PROPFIND", "/dav/ann/", told(has("/dav/ann/", home("/dav/ann/")), has("/dav/ann/book/", IS_BOOK)))
    front.on("REPORT", "/dav/ann/book/", told())
    front.on("PROPFIND", "/dav/ann/book/", told(has("/dav/ann/book/", IS_BOOK)))
    return front
