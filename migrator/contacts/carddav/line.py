"""An account's line to a server of address books: its login, its redirects, and where its password may go.

A line leads to one server at a time, with a site of its own, so that a password never rides along to another. What surprises: a redirect
or an href to another server is an error even where the plan trusts that server. Who looks for the books catches it and moves the line;
for everybody else the server has moved in the middle of the work.

Over TLS the first request brings a Basic login, and a Digest one follows where the server takes no other. Without TLS the server is asked
first, and a password in clear text never goes to one that takes Digest.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from urllib.parse import urljoin, urlsplit

from migrator.contacts import dav
from migrator.contacts.dav import Resource
from migrator.engine.contract import Login
from migrator.errors import EndpointRefused, EndpointUnfit, LoginRefused, Misbehaved, Unavailable
from migrator.frozen import dataclass
from migrator.wire import tls
from migrator.wire.http import Reply, Site, WebOptions

MOST_REDIRECTS = 5
REDIRECTS = frozenset({301, 302, 303, 307, 308})
UNAUTHORIZED, FORBIDDEN = 401, 403
BASIC, DIGEST = "basic", "digest"
SERVER_ERROR = 500
XML = {"Content-Type": "application/xml; charset=utf-8"}

_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")
# Second labels below which anybody may have a domain, where the first one is a country's.
_PUBLIC = {"ac", "co", "com", "edu", "gob", "gouv", "gov", "ltd", "mil", "ne", "net", "nom", "or", "org", "plc", "sch"}
COUNTRY = 2  # letters


# -- where a password may go ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Trust:
    """Where a password may go beside the server a plan names: to `hosts` it names, where `*.` stands for one label, and to the domain it
    names instead of a server, with all hosts in it.
    """

    hosts: tuple[str, ...] = ()
    domain: str = ""

    def covers(self, url: str) -> bool:
        """Whether a login may be sent there: over TLS, or to this very machine. Raises ValueError for what is no URL."""
        split = urlsplit(url)
        host = (split.hostname or "").rstrip(".")
        if split.scheme != "https" and not (split.scheme == "http" and tls.is_loopback(host)):
            return False
        named = any(host == one or (one.startswith("*.") and _parent(host) == one[2:]) for one in self.hosts)
        return named or (self.domain != "" and (host == self.domain or host.endswith(f".{self.domain}")))


def read_host(text: str) -> str:
    """A host as a plan names it, maybe with `*.` in front, in lower case. Raises ValueError with what is wrong."""
    name = text.strip().lower().rstrip(".")
    if not _NAME.fullmatch(name.removeprefix("*.")):
        raise ValueError(f"{text[:80]} is no host. Write its name alone, without https:// and path")
    if name.startswith("*.") and not _is_somebodys(name[2:]):
        raise ValueError(
            f"{text[:80]} are the hosts of many. Write a * below one provider's domain, such as *.example.net"
        )
    return name


def read_domain(text: str) -> str:
    """A domain in lower case. Raises ValueError where it is none."""
    name = text.strip().lower().rstrip(".")
    if not _NAME.fullmatch(name) or not ("." in name or tls.is_loopback(name)):
        raise ValueError("url: write it with https:// in front, or a domain alone, such as example.com")
    return name


def _parent(host: str) -> str:
    return host.partition(".")[2]


def _is_somebodys(domain: str) -> bool:
    """Whether a domain is one that somebody has registered, as far as can be told from its name."""
    labels = domain.split(".")
    is_public = len(labels) == 2 and len(labels[1]) == COUNTRY and labels[0] in _PUBLIC  # noqa: PLR2004 - co.uk
    return len(labels) > 1 and not is_public


@dataclass(frozen=True, slots=True)
class Server:
    """A server of address books: scheme, host and port, and the name its certificate must carry where that is not the host's."""

    origin: str
    certified_for: str = ""

    @property
    def host(self) -> str:
        """Its host, in lower case."""
        return urlsplit(self.origin).hostname or ""


class Elsewhere(EndpointUnfit):
    """The server points to another one, which the plan trusts."""

    def __init__(self, what: str, server: Server, path: str, *, remedy: str) -> None:
        """`path` is where it points to there."""
        super().__init__(what, remedy=remedy)
        self.server = server
        self.path = path


# -- asking and telling -----------------------------------------------------------------------------------------------


class Line:
    """See the module. Nothing is asked before it is moved to a server; `close` it."""

    def __init__(self, options: WebOptions, login: Login, trust: Trust, *, writes: bool) -> None:
        """Asks nothing. Raises LoginRefused where there is no password."""
        if login.password is None:
            raise LoginRefused(
                f"{login.account}: the plan has no password of this account for {login.at('the CardDAV server')}.",
                remedy="Name it in the plan's accounts: address books open with their owner's password.",
            )
        self._options = options
        self._login = login
        self._password = login.password
        self._trust = trust
        self._writes = writes
        self._refused: LoginRefused | None = None
        self._server: Server | None = None
        self._site: Site | None = None
        self._logs_in = False
        self._by_digest = False

    @property
    def server(self) -> Server:
        """The server it leads to."""
        assert self._server is not None
        return self._server

    @property
    def name(self) -> str:
        """The server's name in messages."""
        return self._open.name

    @property
    def account(self) -> str:
        """Whose line it is."""
        return self._login.account

    @property
    def takes_turns(self) -> bool:
        """Whether one request must be answered before the next: with Digest each has a number, and one that comes late is refused."""
        return self._by_digest

    def move(self, server: Server) -> None:
        """Lead to this server from now on. A login that was refused stays refused."""
        if server == self._server:
            return
        self.close()
        self._server = server
        self._site = Site(
            self._options.model_copy(update={"url": server.origin}),
            writes=self._writes,
            certified_for=server.certified_for,
        )
        self._by_digest, self._logs_in = False, False
        if urlsplit(server.origin).scheme == "https":
            self._log_in()

    def ask(self, method: str, path: str, body: bytes | None = None, *, depth: str = "") -> Reply:
        """A question, redirected where the server says so on this very server. Raises LoginRefused, Elsewhere."""
        headers = {**(XML if body is not None else {}), **({"Depth": depth} if depth else {})}
        for _ in range(MOST_REDIRECTS):
            reply = self._asked(method, path, body, headers)
            location = reply.headers.get("location", "")
            if reply.status not in REDIRECTS or not location:
                return reply
            path = self._redirected(reply, path, location)
        raise in_a_circle(self.name, method, path)

    def _asked(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Reply:
        return self._taken(lambda site: site.read(method, path, content=body, headers=headers))

    def tell(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Something that changes what is there; never redirected. Raises LoginRefused."""
        if not self._logs_in:  # nothing is written as nobody, where that is allowed
            self.ask("PROPFIND", path, dav.propfind("resourcetype"), depth="0")
        return self._taken(lambda site: site.write(method, path, content=body, headers=headers))

    def path_here(self, href: str, asked: str) -> str:
        """The path of an href, seen from the path that was asked. It has to be on this host; scheme and port are often spelt wrong by a
        proxy in between, and are not looked at. Raises Elsewhere where it is on another one that the plan trusts, EndpointRefused where
        the plan does not.
        """
        try:
            url = urlsplit(urljoin(f"{self.server.origin}/", href.strip()))
            host, trusted = url.hostname or "", self._trust.covers(url.geturl())
        except ValueError as error:
            raise Misbehaved(f"{self.name}: the server names a place for books that is no URL.") from error
        if host == self.server.host:
            return dav.path_of(href, asked)
        what = f"{self.name}: the server says that the books of {self.account} are on {host}"
        if trusted:
            raise Elsewhere(
                f"{what}.", _server_of(url.scheme, url.netloc), dav.path_of(href), remedy=self._naming(host)
            )
        if url.scheme != "https":
            raise EndpointUnfit(
                f"{what}, over {url.scheme}, which protects no password.",
                remedy="Have that server name it with https://.",
            )
        raise EndpointUnfit(
            f"{what}, and a password goes to no other host than the plan says.", remedy=self._naming(host)
        )

    def is_elsewhere(self, resource: Resource, home: str) -> bool:
        """Whether a resource listed in a home is on another host. What lies below the home by its path is in it, however a proxy in between
        spells the host (RFC 4918, 5.2).
        """
        host = urlsplit(resource.origin).hostname if resource.origin else None
        return host not in {None, self.server.host} and not resource.path.startswith(dav.folder(home))

    def close(self) -> None:
        """End the session; never raises."""
        if self._site is not None:
            self._site.close()

    @property
    def _open(self) -> Site:
        assert self._site is not None
        return self._site

    def _redirected(self, reply: Reply, path: str, location: str) -> str:
        try:
            target = urlsplit(urljoin(f"{self.server.origin}{path}", location))
            same = _origin_of(target.geturl()) == _origin_of(self.server.origin)
            trusted = self._trust.covers(target.geturl())
        except ValueError as error:
            raise Misbehaved(f"{reply.place}: the server redirects to something that is no URL.") from error
        there = dav.encoded(target.path or "/") + (f"?{target.query}" if target.query else "")
        if same:
            return there
        server = _server_of(target.scheme, target.netloc)
        what = f"{reply.place}: the server redirects to {server.origin}"
        if trusted:
            raise Elsewhere(f"{what}.", server, there, remedy="Write it as the url.")
        named = f" or {self._naming(server.host, 'name its host beside the url:')}" if target.scheme == "https" else ""
        raise EndpointUnfit(
            f"{what}, and a password goes to no other place than the plan says.",
            remedy=f"If you trust that server, write it as the url{named.rstrip('.')}.",
        )

    def _naming(self, host: str, how: str = "If you trust that host, name it beside the url:") -> str:
        """What to write into the plan to trust a host; a `*` where it is a neighbour, since other accounts are on others of them."""
        both = _parent(host)
        wide = both == _parent(self.server.host) and _is_somebodys(both)
        return f'{how} hosts: ["{f"*.{both}" if wide else host}"].'

    # -- logins

    def _log_in(self, *, by_digest: bool = False) -> None:
        if by_digest and (not self._login.user.isascii() or re.search(r'["\\]', self._login.user)):
            self._refused = LoginRefused(
                f"{self.account}: the server takes Digest logins alone, and the user {self._login.user} has letters that cannot be sent so.",
                remedy="Give the account another login there, or let the server take Basic logins over TLS.",
            )
            raise self._refused
        self._open.log_in(self._login.user, self._password.get_secret_value(), by_digest=by_digest)
        self._by_digest, self._logs_in = by_digest, True

    def _taken(self, send: Callable[[Site], Reply]) -> Reply:
        """The answer to a request, sent once more with the login the server asks for. Raises LoginRefused."""
        if self._refused is not None:
            raise self._refused
        reply = send(self._open)
        asks = reply.logins if reply.status == UNAUTHORIZED else frozenset()
        if asks and not asks & {BASIC, DIGEST}:
            raise self._of_no_kind_we_speak(asks)
        if not self._logs_in and (reply.ok or reply.status in {UNAUTHORIZED, FORBIDDEN}):
            self._log_in(by_digest=DIGEST in asks)
            reply = send(self._open)
        elif not self._by_digest and DIGEST in asks and BASIC not in asks:
            self._log_in(by_digest=True)
            reply = send(self._open)
        if reply.status != UNAUTHORIZED:
            return reply
        self._refused = LoginRefused(
            f"{self.account}: {self._login.at(self.name)} refused the login {self._login.user} to the address books.",
            remedy="Correct the user or the password in the plan's accounts; it was tried once and is not tried again.",
        )
        raise self._refused

    def _of_no_kind_we_speak(self, asks: AbstractSet[str]) -> EndpointRefused:
        kinds = ", ".join(sorted(kind.capitalize()[:20] for kind in asks))
        return EndpointRefused(
            f"{self.name}: the server takes only logins of the kind {kinds}, which migrator does not speak.",
            remedy="Let it take Basic logins too; over TLS they are safe.",
        )


def in_a_circle(name: str, method: str, path: str) -> Misbehaved:
    """A server redirects without end."""
    return Misbehaved(f"{name} {method} {path}: the server redirects in a circle.")


def unexpected(reply: Reply) -> Misbehaved | Unavailable:
    """An answer that is not one of CardDAV."""
    if reply.status >= SERVER_ERROR:
        return Unavailable(f"{reply.place}: the server failed (status {reply.status}).")
    kind = reply.headers.get("content-type", "no type").partition(";")[0]
    return Misbehaved(
        f"{reply.place}: the server answered with status {reply.status} ({kind}), not as CardDAV does.",
        remedy="Check the url in the plan, and that nothing stands in between that answers for the server.",
    )


def _server_of(scheme: str, netloc: str) -> Server:
    return Server(f"{scheme}://{netloc.rpartition('@')[2]}")


def _origin_of(url: str) -> tuple[str, str | None, int | None]:
    """Scheme, host and port. Raises ValueError."""
    split = urlsplit(url)
    return split.scheme, split.hostname, split.port or {"https": 443, "http": 80}.get(split.scheme)
