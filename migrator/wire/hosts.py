"""What a plan may call a server."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit


def only_a_host(value: str) -> str:
    """The name or address as it is. Raises ValueError, saying what to write, where a scheme, a port or a path stands with it."""
    if "/" in value:
        host = _host_of(value if "://" in value else f"//{value}")
        raise ValueError(f"only the server's name belongs here{host}; no URL")
    if ":" in value:
        try:
            ip_address(value.strip("[]"))
        except ValueError:
            host, _, port = value.rpartition(":")
            raise ValueError(f"only the server's name belongs here; write host: {host} and port: {port}") from None
    if any(letter.isspace() for letter in value):
        raise ValueError("a server's name has no blanks")
    return value


def _host_of(url: str) -> str:
    try:
        host = urlsplit(url).hostname
    except ValueError:  # brackets that are no address
        host = None
    return f", as in {host}" if host else ""
