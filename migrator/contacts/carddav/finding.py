"""Where an account's address books are: the server of a domain by its DNS, then the books by what the server tells (RFC 6764, 6352).

DNS is not proven, so a server it names gets a password for one of three reasons: its name is in the domain that was asked, the plan names
it (as a host, or by the fingerprint of its certificate), or its certificate is the domain's own (RFC 6764, 8).
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from migrator.contacts import dav
from migrator.contacts.carddav.line import (
    MOST_REDIRECTS,
    SERVER_ERROR,
    Elsewhere,
    Line,
    Server,
    Trust,
    in_a_circle,
    unexpected,
)
from migrator.contacts.dav import CARD, DAV, NotMultistatus, Resource
from migrator.errors import EndpointUnfit, MigratorError, Misbehaved, TlsFailed, Unreachable
from migrator.frozen import dataclass
from migrator.wire.dns import Resolver, Target
from migrator.wire.http import Reply

WELL_KNOWN = "/.well-known/carddav"
SERVICES = (("_carddavs._tcp", "https"), ("_carddav._tcp", "http"))
NOT_IMPLEMENTED = 501
PRINCIPAL = f"{DAV}current-user-principal"
WRITE_IT = "Write the server's address into the plan, as url: https://dav.example.net/."
HOME = f"{CARD}addressbook-home-set"
_WHO_WE_ARE = dav.propfind("current-user-principal", "resourcetype", "C:addressbook-home-set")


# -- the server of a domain -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Start:
    """Where to begin: a server, and the paths to ask there, best first."""

    server: Server
    paths: tuple[str, ...] = (WELL_KNOWN, "/")
    is_guess: bool = False  # nothing names it: it is the domain itself


@dataclass(frozen=True, slots=True)
class Homes:
    """The paths of an account's homes, and the one by which they were found."""

    paths: Sequence[str]
    found_by: str = ""


class NamesNoBooks(EndpointUnfit):
    """A server says nothing of address books."""


def homes_of_domain(line: Line, starts: Sequence[Start], domain: str, stated: Sequence[str]) -> Homes:
    """The account's homes at the first of a domain's servers that answers, to which the line leads then; `stated` where the plan says the
    homes. Raises what `homes` raises, and Unreachable where none answers.
    """
    silent: MigratorError | None = None
    for start in starts:
        line.move(start.server)
        try:
            if not stated:
                return homes(line, start.paths)
            _look(line, stated[0])
        except Unreachable as error:
            silent = silent or (_nothing_named(domain, error) if start.is_guess else error)
        except (Misbehaved, NamesNoBooks) as error:
            if start.is_guess:
                raise _nothing_named(domain, error) from error
            raise
        except TlsFailed as error:
            if start.is_guess:
                raise _nothing_named(domain, error) from error
            if not start.server.certified_for:
                raise
            host = start.server.host
            raise TlsFailed(
                f"{domain}: by its DNS its address books are on {host}, which is not in that domain and does not prove to serve it; "
                f"no password was sent. {error}",
                remedy=f"If you trust that host, name it: hosts: [{host}].",
            ) from error
        else:
            return Homes(stated)
    assert silent is not None
    raise silent


def _nothing_named(domain: str, error: MigratorError) -> MigratorError:
    """The error of a domain that was asked itself, since its DNS names no server."""
    asked = " and ".join(f"{service}.{domain}" for service, _ in SERVICES)
    text = f"{domain}: DNS names no server of its address books (no SRV record of {asked}), and at https://{domain} there is none: {error}"
    kind = EndpointUnfit if isinstance(error, NamesNoBooks) else type(error)
    return kind(text, remedy=WRITE_IT)


def starts_of(domain: str, resolver: Resolver, trust: Trust, *, pinned: bool) -> Sequence[Start]:
    """The servers of a domain, in the order to try them, by its SRV records and the path in the TXT record beside them; the domain itself
    without records. `pinned` where the plan knows the certificate. Raises EndpointRefused where the domain says that it has none, or has
    it without TLS alone; Unreachable where DNS does not answer.
    """
    refused = False
    for service, scheme in SERVICES:
        targets = _services(domain, service, resolver)
        if not targets:
            refused = refused or targets is not None
            continue
        urls = [f"{scheme}://{target.host}:{target.port}" for target in targets]
        safe = [url for url in urls if scheme == "https" or trust.covers(url)]
        if not safe:
            raise EndpointUnfit(
                f"{domain}: by its DNS its address books are on {targets[0].host} without TLS, where nothing protects a password.",
                remedy="Write the https url of its server into the plan, if there is one.",
            )
        said = resolver.words(f"{service}.{domain}").get("path", "")
        paths = dict.fromkeys([*([dav.encoded(said)] if said.startswith("/") else []), WELL_KNOWN, "/"])
        return [Start(Server(url, "" if pinned or trust.covers(url) else domain), tuple(paths)) for url in safe]
    if refused:
        raise EndpointUnfit(
            f"{domain}: its DNS says that there are no address books (SRV records with the target “.”).",
            remedy="If there are, write the url of their server into the plan.",
        )
    return [Start(Server(f"https://{domain}"), is_guess=True)]


def _services(domain: str, service: str, resolver: Resolver) -> Sequence[Target] | None:
    try:
        return resolver.services(f"{service}.{domain}")
    except Unreachable as error:
        raise Unreachable(
            f"{domain}: its server of address books was looked for in DNS, since the plan names none. {error}",
            remedy=f"{WRITE_IT} Or check the nameservers.",
        ) from error


# -- the books of an account ------------------------------------------------------------------------------------------


def homes(line: Line, paths: Sequence[str]) -> Homes:
    """The paths of an account's homes (or of the one book, where a path is a book), by what the server says of the account at these paths,
    the first that says anything. The line leads to the server of the homes then. Raises NamesNoBooks where nothing is said, EndpointRefused
    where the homes are on a host that the plan does not name.
    """
    first = line.server
    failed: Reply | None = None
    for path in paths:
        line.move(first)
        reply = _look(line, path)
        failed = reply if reply.status >= SERVER_ERROR and reply.status != NOT_IMPLEMENTED else failed
        told = _first_found(reply, path)
        if told is None:
            continue
        if told.is_book:
            return Homes((told.path,), path)
        if not told.hrefs(HOME) and told.hrefs(PRINCIPAL):
            principal = _go(line, told.hrefs(PRINCIPAL)[0], told.path)
            told = _first_found(_look(line, principal), principal) or told
        if told.hrefs(HOME):
            return Homes([dav.folder(home) for home in _all_of(line, told)], path)
    if failed is not None:
        raise unexpected(failed)
    raise NamesNoBooks(
        f"{line.name}: the server names no address books for {line.account}, neither at {' nor at '.join(paths)}.",
        remedy="Check the url in the plan. Where the server has books but does not tell where, name their path as `home`.",
    )


def _all_of(line: Line, told: Resource) -> Sequence[str]:
    """The paths of all homes, once the line leads to the server of the first."""
    hrefs = told.hrefs(HOME)
    hosts = {_host_of(href) or line.server.host for href in hrefs}
    if len(hosts) > 1:
        raise EndpointUnfit(
            f"{line.name}: the server says that the books of {line.account} are on {' and on '.join(sorted(hosts))}, and one session goes "
            "to one host.",
            remedy="Make an endpoint for each, with its url and the path of the books there as `home`.",
        )
    first = _go(line, hrefs[0], told.path)
    return [first, *(line.path_here(href, told.path) for href in hrefs[1:])]


def _host_of(href: str) -> str:
    try:
        return urlsplit(href).hostname or ""
    except ValueError:
        return ""  # told where it is gone to


def _look(line: Line, path: str) -> Reply:
    """What the server says of the account at a path, or another one it sends us to and the plan trusts."""
    for _ in range(MOST_REDIRECTS):
        try:
            return line.ask("PROPFIND", path, _WHO_WE_ARE, depth="0")
        except Elsewhere as there:
            line.move(there.server)
            path = there.path
    raise in_a_circle(line.name, "PROPFIND", path)


def _go(line: Line, href: str, asked: str) -> str:
    """The path of an href, once the line leads to its server."""
    try:
        return line.path_here(href, asked)
    except Elsewhere as there:
        line.move(there.server)
        return there.path


def _first_found(reply: Reply, asked: str) -> Resource | None:
    """The resource an answer is about; None where nothing there speaks WebDAV."""
    try:
        resources = dav.multistatus(reply.content, asked).resources
    except NotMultistatus:
        return None
    return next((one for one in resources if one.found), None)
