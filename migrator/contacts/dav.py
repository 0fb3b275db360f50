"""WebDAV's XML and hrefs as data (RFC 4918, 6352, 6578): what is asked, and what a multistatus says, without a network.

Names are told apart by namespace, never by prefix. An answer with a DOCTYPE is refused before anything of it is read, so entities cannot
grow. What surprises: an href is taken apart and spelt anew, since a server may answer `%40` where it was asked `@`, an absolute URL, or one
relative to what was asked.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from urllib.parse import quote, unquote, unquote_to_bytes
from xml.sax.saxutils import escape

from migrator.frozen import dataclass

DAV = "{DAV:}"
CARD = "{urn:ietf:params:xml:ns:carddav}"
OK = 200
_NAMESPACES = 'xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav"'
_HEAD = '<?xml version="1.0" encoding="utf-8"?>\n'
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_STATUS = re.compile(r"HTTP/\S+\s+(\d{3})")
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class NotMultistatus(ValueError):
    """What came back is not the XML of a multistatus."""


# -- hrefs ------------------------------------------------------------------------------------------------------------


def path_of(href: str, asked: str = "/") -> str:
    """The path an href names, percent-encoded, seen from the path that was asked. Host and query are left out."""
    text = href.strip()
    path = re.sub(r"^(?:https?:)?//[^/?#]*", "", text, flags=re.IGNORECASE).partition("?")[0].partition("#")[0]
    if not path.startswith("/"):
        # Xandikos repeats what it could not place without its first slash; all others are relative to what was asked.
        from_root = path == "" or unquote(f"/{path}").startswith(unquote("/".join(asked.split("/")[:2])) + "/")
        path = f"/{path}" if from_root else f"{asked.rpartition('/')[0]}/{path}"
    return encoded(path)


def origin_of(href: str) -> str:
    """Scheme, host and port of an absolute href, in lower case and without a user; "" for any other."""
    found = re.match(r"(https?)://([^/?#]*)", href.strip(), flags=re.IGNORECASE)
    return f"{found[1]}://{found[2].rpartition('@')[2]}".lower() if found else ""


def encoded(path: str) -> str:
    """The one spelling of a path in which it is compared, kept and sent: everything escaped that is not a letter, a digit or one of
    `-._~`; what is escaped already is not escaped twice.
    """
    return "/".join(quote(unquote_to_bytes(segment), safe="") for segment in _STRAY_PERCENT.sub("%25", path).split("/"))


def folder(path: str) -> str:
    """The path of a collection, with a slash at its end."""
    return path if path.endswith("/") else f"{path}/"


def last_name(path: str) -> str:
    """The last segment of a path, as people read it."""
    return unquote(path.rstrip("/").rpartition("/")[2])


# -- what is asked ----------------------------------------------------------------------------------------------------


def propfind(*names: str) -> bytes:
    """A PROPFIND for these properties, `C:` in front of CardDAV's own."""
    return _body(f"<propfind {_NAMESPACES}>{_props(names)}</propfind>")


def multiget(hrefs: Iterable[str], address_data: str = "<C:address-data/>") -> bytes:
    """A REPORT for the cards at these hrefs."""
    wanted = "".join(f"<href>{escape(href)}</href>" for href in hrefs)
    asked = f"<prop><getetag/>{address_data}</prop>"
    return _body(f"<C:addressbook-multiget {_NAMESPACES}>{asked}{wanted}</C:addressbook-multiget>")


def sync_collection(token: str) -> bytes:
    """A REPORT for what has changed since the token was given; everything for an empty one."""
    asked = f"<sync-token>{escape(token)}</sync-token><sync-level>1</sync-level>{_props(('getetag', 'getcontentlength', 'resourcetype'))}"
    return _body(f"<sync-collection {_NAMESPACES}>{asked}</sync-collection>")


def make_book(name: str) -> bytes:
    """An extended MKCOL (RFC 5689) for an address book of this name."""
    kind = "<resourcetype><collection/><C:addressbook/></resourcetype>"
    return _body(f"<mkcol {_NAMESPACES}><set><prop>{kind}{_displayname(name)}</prop></set></mkcol>")


def rename(name: str) -> bytes:
    """A PROPPATCH that gives a collection its name."""
    return _body(f"<propertyupdate {_NAMESPACES}><set><prop>{_displayname(name)}</prop></set></propertyupdate>")


def _displayname(name: str) -> str:
    return f"<displayname>{escape(_NOT_IN_XML.sub(' ', name))}</displayname>"


def _props(names: Iterable[str]) -> str:
    return f"<prop>{''.join(f'<{name}/>' for name in names)}</prop>"


def _body(text: str) -> bytes:
    return (_HEAD + text).encode()


# -- what comes back --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Resource:
    """One response of a multistatus: where, what it has (`found`, by qualified name), what it was asked for in vain (`missing`, with the
    status), and the status of the whole, 200 where it has properties. `origin` is scheme, host and port where the href names them.
    """

    path: str
    status: int = OK
    found: Mapping[str, ET.Element] = field(default_factory=dict)
    missing: Mapping[str, int] = field(default_factory=dict)
    origin: str = ""

    def text(self, name: str) -> str:
        """The text of a property; "" without it."""
        element = self.found.get(name)
        return (element.text or "") if element is not None else ""

    def hrefs(self, name: str) -> list[str]:
        """The hrefs in a property, as they stand there."""
        element = self.found.get(name)
        return [(one.text or "").strip() for one in element.iter(f"{DAV}href")] if element is not None else []

    def has(self, name: str, kind: str) -> bool:
        """Whether a property holds an element of this kind, however deep."""
        element = self.found.get(name)
        return element is not None and next(element.iter(kind), None) is not None

    @property
    def is_book(self) -> bool:
        """Whether it is an address book."""
        return self.has(f"{DAV}resourcetype", f"{CARD}addressbook")

    @property
    def is_collection(self) -> bool:
        """Whether it holds other resources."""
        return self.has(f"{DAV}resourcetype", f"{DAV}collection")


@dataclass(frozen=True, slots=True)
class Multistatus:
    """All responses, and the token to ask for changes with."""

    resources: Sequence[Resource]
    token: str = ""


class _Reader(ET.TreeBuilder):
    """Builds one response at a time: a listing of a large book never stands in memory as a tree."""

    def __init__(self, asked: str) -> None:
        super().__init__()
        self.resources: list[Resource] = []
        self._asked = asked

    def doctype(self, _name: str, _public: str, _system: str) -> None:
        raise NotMultistatus("it has a DOCTYPE")

    def end(self, tag: str) -> ET.Element:
        element = super().end(tag)
        if tag == f"{DAV}response":
            self.resources.append(_resource(element, self._asked))
            element.clear()
        return element


def multistatus(content: bytes, asked: str) -> Multistatus:
    """What an answer to a question about `asked` says. Raises NotMultistatus."""
    reader = _Reader(asked)
    root = _parsed(content, reader)
    if root.tag != f"{DAV}multistatus":
        raise NotMultistatus("it is other XML")
    return Multistatus(reader.resources, (root.findtext(f"{DAV}sync-token") or "").strip())


def conditions(content: bytes) -> frozenset[str]:
    """The conditions an error's body names (RFC 4918, 16) and the server's own words, by their local names; empty where it is no XML."""
    try:
        root = _parsed(content, _Reader("/"))
    except NotMultistatus:
        return frozenset()
    if root.tag != f"{DAV}error":
        return frozenset()
    return frozenset(one.tag.rpartition("}")[2] for one in root)


def described(content: bytes) -> str:
    """What an error's body says to people; "" where it says nothing or is no XML."""
    try:
        root = _parsed(content, _Reader("/"))
    except NotMultistatus:
        return ""
    words = (one.text for one in root.iter() if one.tag.rpartition("}")[2] in {"responsedescription", "message"})
    return next((text.strip() for text in words if text and text.strip()), "")


def _parsed(content: bytes, reader: _Reader) -> ET.Element:
    parser = ET.XMLParser(target=reader)  # noqa: S314 - its target refuses a DOCTYPE, and with it every entity
    try:
        parser.feed(content)
        root = parser.close()
    except (ET.ParseError, LookupError, AssertionError) as error:  # LookupError: an encoding nobody knows
        raise NotMultistatus("it is no well-formed XML") from error
    if not isinstance(root, ET.Element):
        raise NotMultistatus("it is empty")
    return root


def _resource(response: ET.Element, asked: str) -> Resource:
    found: dict[str, ET.Element] = {}
    missing: dict[str, int] = {}
    for told in response.iterfind(f"{DAV}propstat"):
        status = _status(told)
        for one in told.iterfind(f"{DAV}prop/*"):
            if status == OK:
                found[one.tag] = one
            else:
                missing[one.tag] = status
    href = response.findtext(f"{DAV}href") or ""
    whole = OK if response.find(f"{DAV}status") is None else _status(response)
    return Resource(path_of(href, asked), whole, found, missing, origin_of(href))


def _status(element: ET.Element) -> int:
    told = _STATUS.search(element.findtext(f"{DAV}status") or "")
    return int(told[1]) if told else OK
