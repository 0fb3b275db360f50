"""TLS as we want it everywhere: verified, 1.2 or newer, and its failures as sentences.

What surprises: a pinned certificate is trusted for its fingerprint alone, so a context with a pin asks no authority and no
name, and compares the fingerprint the moment the handshake is over, before anything is sent.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import ssl
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from migrator.errors import PlanError, TlsFailed

# what OpenSSL says about a certificate (X509_V_ERR_...)
NOT_YET_VALID = 9
EXPIRED = 10
_UNKNOWN_ISSUER = "has an issuer that is not known here (the server may not send its intermediate certificate)"
_TROUBLES = {
    2: _UNKNOWN_ISSUER,
    EXPIRED: "has expired",
    18: "is self-signed",
    19: "is signed by an authority that is not known here",
    20: _UNKNOWN_ISSUER,
    21: _UNKNOWN_ISSUER,
}
WRONG_NAME = frozenset({62, 64})
SHA256_HEX = 64


def read_fingerprint(text: str) -> str:
    """A SHA-256 fingerprint as written by a person (colons, blanks, any case) in plain lower-case hex. Raises ValueError."""
    digits = re.sub(r"[\s:]", "", text).lower().removeprefix("sha256")
    if len(digits) != SHA256_HEX or not re.fullmatch("[0-9a-f]+", digits):
        raise ValueError("a SHA-256 fingerprint has 64 hexadecimal digits")
    return digits


def fingerprint(certificate: bytes) -> str:
    """The SHA-256 fingerprint of a certificate (DER) as tools show it: AB:CD:..."""
    digits = hashlib.sha256(certificate).hexdigest().upper()
    return ":".join(digits[at : at + 2] for at in range(0, SHA256_HEX, 2))


class _Pinned(ssl.SSLContext):
    """A context that takes one certificate and no other."""

    pin: str

    def wrap_socket(self, *args: object, **named: object) -> ssl.SSLSocket:
        """As the base class. Raises TlsFailed, with the socket closed, when the certificate is not the pinned one."""
        wrapped = super().wrap_socket(*args, **named)  # type: ignore[arg-type]  # passed through as it came
        shown = fingerprint(wrapped.getpeercert(binary_form=True) or b"")
        if read_fingerprint(shown) != self.pin:
            wrapped.close()
            raise TlsFailed(
                f"The certificate there has the fingerprint {shown}, which is not the pinned one.",
                remedy="If the certificate was renewed on purpose, put the new fingerprint into tls_fingerprint; if not, "
                "somebody may be between you and the server.",
            )
        return wrapped


@lru_cache(maxsize=64)
def context(ca_file: Path | None = None, pin: str = "") -> ssl.SSLContext:
    """A context for clients: certificates verified against the system's authorities or `ca_file`, or, with a `pin` (plain hex),
    against nothing but that fingerprint. Raises PlanError when the CA file cannot be read.

    Kept, since reading the system's authorities takes longer than a handshake.
    """
    if pin:
        pinned = _Pinned(ssl.PROTOCOL_TLS_CLIENT)
        pinned.pin = pin
        pinned.minimum_version = ssl.TLSVersion.TLSv1_2
        pinned.check_hostname = False
        pinned.verify_mode = ssl.CERT_NONE
        return pinned
    try:
        verifying = ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # ssl.SSLError, for a file without certificates, is one too
        raise PlanError(
            f"The CA file {ca_file} cannot be used: {error.strerror or error}.",
            remedy="It must hold certificates in PEM form.",
        ) from error
    verifying.minimum_version = ssl.TLSVersion.TLSv1_2
    return verifying


def without_names(ca_file: Path | None = None) -> ssl.SSLContext:
    """A context that verifies everything but the name, to learn which names a certificate carries. Nothing is to be sent
    through it.
    """
    nameless = ssl.create_default_context(cafile=ca_file)
    nameless.check_hostname = False
    return nameless


def without_trust() -> ssl.SSLContext:
    """A context that verifies nothing, to learn the fingerprint of a certificate. Nothing is to be sent through it."""
    looking = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    looking.check_hostname = False
    looking.verify_mode = ssl.CERT_NONE
    return looking


def names_of(sock: ssl.SSLSocket) -> list[str]:
    """The names a verified certificate is valid for, as it carries them."""
    certificate = sock.getpeercert() or {}
    pairs: Any = certificate.get("subjectAltName", ())  # Any: the stubs type all fields of a certificate as one union
    return [str(value) for kind, value in pairs if kind in ("DNS", "IP Address")]


def failure(
    error: ssl.SSLError,
    host: str,
    port: int,
    ca_file: Path | None,
    look: Callable[[ssl.SSLContext], ssl.SSLSocket],
    name: str = "",
    *,
    without_tls: str = "Use the port for TLS (993 for IMAP), or security: starttls on the other one.",
) -> TlsFailed:
    """An error of a handshake as a sentence. `name` is the one the certificate had to carry, where it is not the host's; `without_tls` is
    what to do about a port that does not speak TLS.

    `look` dials the server once more with another context and answers the socket, which is closed here: to tell which names the
    certificate carries, or its fingerprint.
    """
    where = f"{host}:{port}"
    if not isinstance(error, ssl.SSLCertVerificationError):
        return _no_handshake(error, where, without_tls)
    code = error.verify_code
    if code in WRONG_NAME:
        names = _seen(look, without_names(ca_file), lambda sock: ", ".join(names_of(sock)))
        carries = f" It is valid for {names}." if names else ""
        return TlsFailed(
            f"{where}: the certificate is not valid for the name {name or host}.{carries}",
            remedy="Write one of those names as host in the plan, if it is the same server." if names else "",
        )
    if code == NOT_YET_VALID:
        return TlsFailed(f"{where}: the certificate is not valid yet.", remedy="Look at the clock of this machine.")
    trouble = _TROUBLES.get(code, f"was not accepted ({error.verify_message})")
    authority = "" if code == EXPIRED else "name its authority's certificate as ca_file, or "
    return TlsFailed(
        f"{where}: the certificate {trouble}.",
        remedy=f"Have it replaced there, {authority}{'or ' if code == EXPIRED else ''}pin it: {_pin(look)}",
    )


def _pin(look: Callable[[ssl.SSLContext], ssl.SSLSocket]) -> str:
    shown = _seen(look, without_trust(), lambda sock: fingerprint(sock.getpeercert(binary_form=True) or b""))
    return f"tls_fingerprint: {shown} (compare it with the server's first)." if shown else "tls_fingerprint."


def _seen(
    look: Callable[[ssl.SSLContext], ssl.SSLSocket], through: ssl.SSLContext, what: Callable[[ssl.SSLSocket], str]
) -> str:
    """What a second look shows; empty if there is none to be had."""
    try:
        sock = look(through)
    except OSError:
        return ""
    try:
        return what(sock)
    finally:
        sock.close()


def _no_handshake(error: ssl.SSLError, where: str, without_tls: str) -> TlsFailed:
    reason = (error.reason or str(error)).replace("_", " ").lower()
    if "wrong version number" in reason or "record layer failure" in reason or "packet length" in reason:
        return TlsFailed(f"{where}: the server does not speak TLS on this port.", remedy=without_tls)
    if "unexpected eof" in reason:
        return TlsFailed(
            f"{where}: the server hangs up when TLS begins, as one does that does not speak TLS on this port.",
            remedy=without_tls,
        )
    if "version" in reason or "unsupported protocol" in reason:
        return TlsFailed(
            f"{where}: the server offers no TLS version of 1.2 or newer.", remedy="Its administrator must update it."
        )
    return TlsFailed(f"{where}: the TLS handshake failed ({reason}).")


def starttls_missing(host: str, port: int) -> TlsFailed:
    """The server, or somebody in between, does not offer STARTTLS."""
    return TlsFailed(
        f"{host}:{port}: the server does not offer STARTTLS, so the connection cannot be made safe; nothing was sent.",
        remedy="Use security: tls with the port for it (993 for IMAP). If STARTTLS worked before, somebody may be in between.",
    )


def is_loopback(host: str) -> bool:
    """Whether a name or address can only mean this machine."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
