"""The web administration of one list, asked as a browser asks: a session by its password, pages, and forms with a fresh token.

Mailman answers 200 whatever becomes of a form, so nothing here tells whether it had its effect: who changes something looks again. A
session ends when the server likes; the login form in place of a page means that nothing was done, so it is asked once more after a new
login. A password that was refused is never sent again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from secrets import token_hex
from urllib.parse import quote

from pydantic import SecretStr

from migrator.errors import Dropped, EndpointUnfit, LoginRefused, Misbehaved, NotFound, Unavailable
from migrator.lists.mailman2.pages import Form, Page, RosterPage, Row
from migrator.lists.mailman2.spelling import charset_of, decoded
from migrator.wire.http import Reply, Site

UNAUTHORIZED, FORBIDDEN, NOT_FOUND, FAILED = 401, 403, 404, 500
REDIRECTS = range(300, 400)
ROSTER = "members/list"
LONGEST_PATTERN = 2500  # bytes of a query: some servers take no URL above 8,190
FOUND_AT_ONCE = 25  # below the usual 30 of a page, where the list is not cut by letters

Query = Sequence[tuple[str, str]]
Fields = Sequence[tuple[str, bytes]]


class ListAdmin:
    """One list's web administration. Opens nothing before it is asked."""

    def __init__(
        self,
        site: Site,
        name: str,
        address: str,
        password: Callable[[], SecretStr],
        key: str = "the password of this list",
    ) -> None:
        """`name` is the list's in URLs, `password` gives one that opens it, a new one each time where it is good for one time; `key` is what
        it is called in messages.
        """
        self._site = site
        self.name = name
        self.address = address
        self._password = password
        self._key = key
        self._entered = False
        self._refusal: LoginRefused | None = None
        self.charset = "us-ascii"

    # -- pages

    def page(self, path: str, query: Query = (), script: str = "admin") -> Page:
        """A page behind the login. Raises LoginRefused, NotFound, Misbehaved for what is no whole page."""
        page = self._behind_login(lambda: self._site.read("GET", self._path(path, script), query=query))
        if not page.is_whole:
            raise Misbehaved(f"{self.address}: a page of its web administration was cut off.")
        return page

    def change(self, path: str, fields: Fields, script: str = "admin") -> Page:
        """Send a form, its token among the fields, and answer with the page that comes back. It is sent once more if it met the login
        form, which means that it had no effect.
        """
        boundary = f"migrator{token_hex(12)}"
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        content = b"".join(_part(boundary, name, value) for name, value in fields) + f"--{boundary}--\r\n".encode()
        return self._behind_login(
            lambda: self._site.write("POST", self._path(path, script), content=content, headers=headers)
        )

    def form(self, path: str) -> tuple[Page, Form]:
        """A page and its form."""
        page = self.page(path)
        form = page.form()
        if not form.values:
            raise Misbehaved(f"{self.address}: the page {path} of its web administration has no form.")
        return page, form

    def _path(self, path: str, script: str) -> str:
        return f"{script}/{quote(self.name)}" + (f"/{path}" if path else "")

    def _behind_login(self, ask: Callable[[], Reply]) -> Page:
        if not self._entered:
            self._enter()
        page = self._read(ask())
        if page.asks_for_password:
            self._enter()
            page = self._read(ask())
        if page.asks_for_password:
            raise Misbehaved(
                f"{self.address}: Mailman took the password and asks for it again at once, so its cookie does not come back.",
                remedy="Give the url by which browsers reach it: the host in front of /mailman has to be the list's own.",
            )
        return page

    def _enter(self) -> None:
        if self._refusal is not None:
            raise self._refusal
        form = {"adminpw": self._password().get_secret_value(), "admlogin": "1"}
        reply = self._site.read("POST", self._path("", "admin"), form=form)
        if reply.status in {UNAUTHORIZED, FORBIDDEN} or self._read(reply).asks_for_password:
            self._refusal = LoginRefused(
                f"{self.address}: Mailman refuses {self._key}.",
                remedy="Correct it in the plan and run again; it was not tried twice.",
            )
            raise self._refusal
        self._entered = True

    def _read(self, reply: Reply) -> Page:
        if reply.status == NOT_FOUND:
            raise NotFound(f"{self.address}: this Mailman has no such list.")
        if reply.status in REDIRECTS:
            raise NotFound(
                f"{self.address}: this list has moved to “{_location(reply)}”.",
                remedy="Give the url of that Mailman to an endpoint of the plan, or leave the list out (except).",
            )
        self.charset, page = page_of(reply)
        return page

    # -- members

    def roster(self) -> Iterator[Sequence[Row]]:
        """Every member, page by page. Raises Misbehaved unless as many came as the list says it has, and Unavailable where that number
        changed meanwhile.
        """
        return self._crawl(())

    def find(self, addresses: Sequence[str]) -> dict[str, Row]:
        """Those of these addresses (in lower case) that are on the list, and a token to change them with."""
        found: dict[str, Row] = {}
        for part in _in_patterns(sorted(dict.fromkeys(addresses))):
            pattern = f"^(?:{'|'.join(re.escape(one) for one in part)})$"
            for rows in self._crawl((("findmember", pattern),)):
                found |= {row.address.lower(): row for row in rows}
        return {key: found[key] for key in addresses if key in found}

    def _crawl(self, query: Query) -> Iterator[Sequence[Row]]:
        seen: set[str] = set()
        first = self._roster_page(ROSTER, query)
        totals = {first.total}
        here = first.rows[0].address[:1].lower() if first.letters and first.rows else ""
        for letter in first.letters or ("",):
            whole = [("letter", letter), *query]
            page = first if letter == here else self._roster_page("members", whole, letter)
            totals.add(page.total)
            yield _fresh(page.rows, seen)
            for chunk in sorted(set(page.chunks) - {0}):
                more = self._roster_page("members", [*whole, ("chunk", str(chunk))], letter)
                totals.add(more.total)
                yield _fresh(more.rows, seen)
        self._agree(totals, len(seen))

    def _agree(self, totals: set[int | None], read: int) -> None:
        if len(totals) > 1:
            raise Unavailable(
                f"{self.address}: somebody joined or left while the members were read; they are read anew."
            )
        if totals != {read}:
            raise Misbehaved(
                f"{self.address}: {max(one or 0 for one in totals):,} members are stated, and {read:,} were shown.",
                remedy="Nothing was concluded from it. Look at the membership list in a browser.",
            )

    def _roster_page(self, path: str, query: Query, letter: str = "") -> RosterPage:
        page = self.page(path, [*query, ("legend", "yes")]).roster()
        if page.total is None or page.shown is None:
            raise Misbehaved(
                f"{self.address}: the page of its members has no table of members.",
                remedy="Look at it in a browser: the host may show something else in its place (maintenance, a firewall). Then run again.",
            )
        if len(page.rows) != page.shown:
            raise Misbehaved(
                f"{self.address}: a page says that it shows {page.shown:,} members, and shows {len(page.rows):,}."
            )
        if letter and any(row.address[:1].lower() != letter for row in page.rows):
            # A letter nobody has any more is answered with the first one.
            raise Unavailable(f"{self.address}: the list changed while its members were read; they are read anew.")
        return page


def page_of(reply: Reply) -> tuple[str, Page]:
    """An answer as a page, and its charset. Raises Dropped where the server failed and EndpointRefused where it sends elsewhere."""
    if reply.status >= FAILED:
        raise Dropped(
            f"{reply.place}: the server failed (status {reply.status}); whether it had its effect is looked up."
        )
    if reply.status in REDIRECTS:
        raise EndpointUnfit(
            f"{reply.place}: Mailman is somewhere else (“{_location(reply)}”).",
            remedy="Correct the url in the plan: the folder above /admin, as it stands in the browser.",
        )
    charset = charset_of(reply.headers.get("content-type", ""), reply.content)
    return charset, Page(decoded(reply.content, charset))


def is_list(site: Site, name: str) -> bool:
    """Whether a Mailman has a list of this name in its URLs. Raises EndpointRefused where there is no Mailman."""
    reply = site.read("GET", f"admin/{quote(name)}")
    if reply.status == NOT_FOUND:
        return False
    if reply.status in REDIRECTS and _location(reply).rstrip("/").endswith(f"/admin/{quote(name)}"):
        return True  # of one list that has moved it is told where to
    _, page = page_of(reply)
    if page.asks_for_password or page.has("real_name"):
        return True
    _prove_mailman(reply, page)  # before 2.1.13 the overview says that there is none, with status 200
    return False


def lists_of(reply: Reply) -> Sequence[str]:
    """The names of the lists on Mailman's overview. Raises EndpointRefused where the answer is none, whatever its status."""
    _, page = page_of(reply)
    _prove_mailman(reply, page)
    return page.lists()


def _prove_mailman(reply: Reply, page: Page) -> None:
    if not page.lists() and "mailman" not in page.text.lower():
        raise EndpointUnfit(
            f"{reply.place}: there is no web administration of Mailman (status {reply.status}).",
            remedy="Correct the url in the plan: the folder above /admin, as it stands in the browser.",
        )


def _location(reply: Reply) -> str:
    return reply.headers.get("location", "")[:200]


def _fresh(rows: Sequence[Row], seen: set[str]) -> list[Row]:
    """The rows that did not come before, which are then known."""
    found = []
    for row in rows:
        if row.address.lower() not in seen:
            seen.add(row.address.lower())
            found.append(row)
    return found


def _in_patterns(addresses: Sequence[str]) -> Iterator[Sequence[str]]:
    part: list[str] = []
    size = 0
    for one in addresses:
        length = len(quote(re.escape(one))) + 3
        if part and (len(part) == FOUND_AT_ONCE or size + length > LONGEST_PATTERN):
            yield part
            part, size = [], 0
        part.append(one)
        size += length
    if part:
        yield part


def _part(boundary: str, name: str, value: bytes) -> bytes:
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
    return head.encode("latin-1", "replace") + value + b"\r\n"
