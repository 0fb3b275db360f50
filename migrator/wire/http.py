"""HTTP as panels, webmails and address books need it: one site, one login, and a guard between asking and changing.

A site opened for reading refuses every request that is not marked as a read, before anything is sent: that is what lets a preview hold
it. Redirects are never followed (an answer with one is an answer: often a login page), so credentials go to no other host. The
answer's size is limited. Status codes are the caller's business but for those that mean "later".
"""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Callable, Generator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Self

import httpx2
from pydantic import BaseModel, Field, field_validator, model_validator

from migrator.errors import (
    Dropped,
    EndpointRefused,
    EndpointUnfit,
    MigratorError,
    Misbehaved,
    TlsFailed,
    Unavailable,
    Unreachable,
)
from migrator.frozen import dataclass
from migrator.wire import tls
from migrator.wire.speaker import PATIENCE, WEB, who_answers

MB = 1024 * 1024
LARGEST_ANSWER = 64 * MB
HTTP, HTTPS = 80, 443
BAD_REQUEST = 400
TOO_MANY_REQUESTS = 429
UNAVAILABLE = 503
LONGEST_WAIT = timedelta(minutes=15)

Fields = Mapping[str, str] | Sequence[tuple[str, str]]


class WebOptions(BaseModel):
    """How to reach a service by its URL; an adapter's Options add how to log in (`class Options(WebOptions, Service)`)."""

    model_config = {"frozen": True, "extra": "forbid"}

    url: str = Field(
        min_length=1, description="Where it is, such as https://old.example.net:2083; https only, but for this machine"
    )
    ca_file: Path | None = Field(
        None,
        description="Certificates (PEM) of the authority to trust instead of the system's",
        json_schema_extra={"path": True, "must_exist": True},
    )
    tls_fingerprint: str | None = Field(
        None,
        description="SHA-256 fingerprint of the one certificate to accept, whoever signed it and whatever name it carries",
    )
    timeout: float = Field(
        60, gt=0, le=3600, description="Seconds without an answer after which a request counts as lost"
    )
    connections: int = Field(4, ge=1, le=32, description="Requests to this service at once")

    @field_validator("tls_fingerprint")
    @classmethod
    def _readable_fingerprint(cls, value: str | None) -> str | None:
        return value and tls.read_fingerprint(value)

    @model_validator(mode="after")
    def _safe(self) -> Self:
        must_be_safe(self.url)
        return self


def must_be_safe(text: str) -> None:
    """Raises ValueError for a URL that is none, that holds a login, or that a login would cross the network to unprotected."""
    try:
        url = httpx2.URL(text)
    except httpx2.InvalidURL:
        raise ValueError("url: this is no URL. Write it like https://host:port") from None
    if url.scheme not in {"http", "https"} or not url.host:
        raise ValueError("url: write it with https:// in front")
    if url.userinfo:
        raise ValueError("url: user and password do not stand in the URL; name a secret instead")
    if url.scheme == "http" and not tls.is_loopback(url.host):
        raise ValueError("url: http would send the login over the network unprotected. Use https")


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back, whatever its status. `place` names the request in messages: method and path, never a query."""

    status: int
    headers: Mapping[str, str]
    content: bytes
    place: str

    @property
    def text(self) -> str:
        """The body as UTF-8; what is none of it is shown as such."""
        return self.content.decode("utf-8", "replace")

    @property
    def ok(self) -> bool:
        """Whether the status is 200 to 299."""
        return 200 <= self.status < 300  # noqa: PLR2004 - RFC 9110

    @property
    def logins(self) -> frozenset[str]:
        """The kinds of login the answer asks for (WWW-Authenticate), in lower case: "basic", "digest"..."""
        headers = self.headers
        lines = headers.get_list("www-authenticate") if isinstance(headers, httpx2.Headers) else []
        first = {line.split()[0].lower() for line in lines if line.strip()}
        # Some join several into one line; only what it begins with is understood as a Digest login.
        return frozenset(first | {"basic" for line in lines if re.search(r"(^|,)\s*basic\b", line, re.IGNORECASE)})

    def json(self) -> Any:  # Any: whatever the server says; the caller looks
        """The body as JSON. Raises Misbehaved, without the body's text, where it is none."""
        try:
            return json.loads(self.content)
        except ValueError as error:
            kind = self.headers.get("content-type", "no type").partition(";")[0]
            raise Misbehaved(
                f"{self.place}: the answer ({kind}, status {self.status}) is not the JSON that was expected."
            ) from error


class Site:
    """One service under one URL, with one login. Several threads may ask at once, each over a connection of its own;
    `close` it.
    """

    def __init__(
        self,
        options: WebOptions,
        *,
        writes: bool,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        certified_for: str = "",
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        """`writes` opens the guard; `certified_for` is the name the certificate must carry instead of the URL's host; `transport` stands in
        for the network in tests.
        """
        self._writes = writes
        self._certified_for = certified_for
        self._options = options
        self._url = httpx2.URL(options.url)
        self._maybe_tls = self._url.scheme == "http" and transport is None  # until something else answers
        self._maybe_no_web = transport is None  # until it answered anything
        self.name = f"{self._url.host}:{self._url.port or (HTTPS if self._url.scheme == 'https' else HTTP)}"
        try:
            self._client = httpx2.Client(
                base_url=options.url.rstrip("/") + "/",
                headers={"User-Agent": "migrator", "Accept": "*/*", **(headers or {})},
                auth=auth,
                verify=tls.context(options.ca_file, options.tls_fingerprint or ""),
                timeout=options.timeout,
                follow_redirects=False,
                trust_env=False,
                transport=transport,
            )
        except (UnicodeEncodeError, ValueError) as error:
            # Not "from": the exception may hold the header's value.
            del error
            raise EndpointRefused(
                f"{self.name}: the login cannot be sent, it holds characters no header may hold.",
                remedy="Correct the secret.",
            ) from None

    def read(self, method: str, path: str, **parts: Any) -> Reply:  # Any: what `_send` takes
        """A request that changes nothing, whatever its method."""
        return self._send(method, path, **parts)

    def write(self, method: str, path: str, **parts: Any) -> Reply:  # Any: as above
        """A request that changes something. On a site opened for reading this is a bug of ours: RuntimeError, nothing is sent."""
        if not self._writes:
            raise RuntimeError(f"{method} {path} on a site that may only be read")
        return self._send(method, path, **parts)

    def log_in(self, user: str, password: str, *, by_digest: bool) -> None:
        """From now on every request brings this login: Basic, or what the server's Digest challenge asks for (RFC 7616)."""
        self._client.auth = _Digest(user, password) if by_digest else (user, password)

    def forget_cookies(self) -> None:
        """Be a stranger again: the next request brings no cookies."""
        self._client.cookies.clear()

    def close(self) -> None:
        """End the session; never raises."""
        self._client.close()

    def _send(
        self,
        method: str,
        path: str,
        *,
        query: Fields | None = None,
        form: Fields | None = None,
        json: object = None,
        content: bytes | None = None,
        files: Mapping[str, tuple[str, bytes, str]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        place = f"{self.name} {method} /{path.lstrip('/').partition('?')[0]}"
        body: dict[str, Any] = {}  # Any: each key has a type of its own
        if form is not None and files is None:
            # Encoded here, so that + and % in values always are: some panels turn a bare + into a blank.
            body["content"] = str(
                httpx2.QueryParams(list(form.items()) if isinstance(form, Mapping) else list(form))
            ).encode()
            headers = {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})}
        elif form is not None:
            body["data"] = dict(form)
        if files is not None:
            body["files"] = dict(files)
        if json is not None:
            body["json"] = json
        if content is not None:
            body["content"] = content
        params = httpx2.QueryParams(list(query.items()) if isinstance(query, Mapping) else list(query or ()))
        if self._certified_for:
            body["extensions"] = {"sni_hostname": self._certified_for}
        request = self._client.build_request(
            method, path.lstrip("/"), params=params or None, headers=dict(headers or {}), **body
        )
        with _translated(place, self._why_not_safe, self._refuse_what_is_no_web):
            reply = self._client.send(request, stream=True)
            try:
                content_read = _limited(reply, place)
            finally:
                reply.close()
        if reply.status_code == BAD_REQUEST:  # so nginx and Apache answer plain HTTP on a port for TLS
            self._refuse_tls()
        self._maybe_tls = self._maybe_no_web = False
        if reply.status_code in {TOO_MANY_REQUESTS, UNAVAILABLE}:
            raise Unavailable(
                f"{place}: the server asks for patience (status {reply.status_code}).",
                wait=_asked_to_wait(reply.headers),
            )
        return Reply(reply.status_code, reply.headers, content_read, place)

    def _why_not_safe(self, error: ssl.SSLError) -> MigratorError:
        host, port = self._url.host, self._url.port or HTTPS
        without_tls = "Write its port for https into the plan's url."
        if tls.is_loopback(host):
            without_tls = (
                "Write http:// in front of it in the plan, which is safe on this machine; or its port for https."
            )
        if not isinstance(error, ssl.SSLCertVerificationError) and (other := self._other_service()):
            return other
        return tls.failure(
            error, host, port, self._options.ca_file, self._look, self._certified_for or host, without_tls=without_tls
        )

    def _refuse_what_is_no_web(self) -> None:
        """Raises what is the matter with a port that has answered nothing yet and belongs to another service, or wants TLS."""
        self._refuse_tls()
        if self._maybe_no_web and (other := self._other_service()):
            raise other

    def _other_service(self) -> EndpointUnfit | None:
        host, port = self._url.host, self._url.port or (HTTPS if self._url.scheme == "https" else HTTP)
        answers = who_answers(host, port, min(PATIENCE, self._options.timeout))
        if answers is None or answers.what == WEB:
            return None
        return EndpointUnfit(
            f"{self.name}: {answers.what} answers there, not a web server.",
            remedy="Correct host and port in the plan's url.",
        )

    def _refuse_tls(self) -> None:
        """Raises TlsFailed where the port of an http URL turns out to speak TLS, which no other try would change."""
        if not self._maybe_tls:
            return
        try:
            self._look(tls.without_trust()).close()
        except OSError:
            return
        raise TlsFailed(
            f"{self.name}: the server speaks TLS on this port, and the url begins with http.",
            remedy="Write https:// in front of it in the plan.",
        )

    def _look(self, context: ssl.SSLContext) -> ssl.SSLSocket:
        """A connection of its own to the same port, with nothing sent through it."""
        import socket  # here alone, and only when something went wrong

        host = self._url.host
        port = self._url.port or (HTTPS if self._url.scheme == "https" else HTTP)
        dialled = socket.create_connection((host, port), self._options.timeout)
        try:
            return context.wrap_socket(dialled, server_hostname=self._certified_for or host)
        except BaseException:
            dialled.close()
            raise


class _Digest(httpx2.DigestAuth):
    """The library's, whose trouble with a challenge is always a ProtocolError."""

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        try:
            yield from super().auth_flow(request)
        except (
            NotImplementedError,
            ValueError,
        ) as error:  # qop=auth-int; a challenge out of shape, a login that is not ASCII
            raise httpx2.ProtocolError(str(error), request=request) from error


class _translated:  # noqa: N801 - reads as a verb where it is used
    """Foreign errors as ours. No answer to a request means that nobody knows whether it had its effect."""

    def __init__(
        self, place: str, not_safe: Callable[[ssl.SSLError], MigratorError], refuse: Callable[[], None]
    ) -> None:
        self._place = place
        self._not_safe = not_safe
        self._refuse = refuse

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if not isinstance(error, httpx2.HTTPError):
            return
        if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
            if (broken := _ssl_error(error)) is not None:
                raise self._not_safe(broken) from error
            raise Unreachable(
                f"{self._place}: nothing answers there ({_reason(error)}).",
                remedy="Check the url in the plan, and whether a firewall stands in between.",
            ) from error
        if isinstance(error, httpx2.UnsupportedProtocol | httpx2.LocalProtocolError):
            raise Misbehaved(f"{self._place}: the request cannot be sent ({_reason(error)}).") from error
        if isinstance(error, httpx2.DecodingError):
            raise Misbehaved(f"{self._place}: the answer cannot be unpacked.") from error
        if type(error) is httpx2.ProtocolError:  # not one of its kinds, which are about connections
            raise EndpointRefused(
                f"{self._place}: the server asks for a Digest login that cannot be made ({_reason(error)}).",
                remedy="Let it take Basic logins over TLS, or Digest ones with SHA-256 and qop=auth.",
            ) from error
        if isinstance(error, httpx2.TimeoutException):
            what = "no answer in time"
        else:
            what = "the connection broke"
            self._refuse()
        raise Dropped(f"{self._place}: {what}; whether it had its effect is looked up.") from error


def _ssl_error(error: BaseException) -> ssl.SSLError | None:
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLError):
            return seen
        seen = seen.__cause__ or seen.__context__
    return None


def _reason(error: httpx2.HTTPError) -> str:
    return str(error).rstrip(".").lower()[:200] or type(error).__name__


def _limited(reply: httpx2.Response, place: str) -> bytes:
    pieces: list[bytes] = []
    size = 0
    for piece in reply.iter_bytes():
        size += len(piece)
        if size > LARGEST_ANSWER:
            raise Misbehaved(f"{place}: the answer is larger than {LARGEST_ANSWER // MB} MB.")
        pieces.append(piece)
    return b"".join(pieces)


def _asked_to_wait(headers: Mapping[str, str]) -> timedelta | None:
    """Retry-After (RFC 9110, 10.2.3) in either form, never more than a quarter of an hour."""
    text = headers.get("retry-after", "").strip()
    if text.isdecimal():
        return min(timedelta(seconds=int(text[:6])), LONGEST_WAIT)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    return min(max(until.astimezone(UTC) - datetime.now(UTC), timedelta()), LONGEST_WAIT)
