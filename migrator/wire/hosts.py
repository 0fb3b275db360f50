"""What a plan may call a server."""

from __future__ import annotations

from ipaddress import ip_address


def only_a_host(value: str) -> str:
    """The name or address as it is. Raises ValueError, saying what to write, where a scheme, a port or a path stands with it."""
    bare = value.partition("://")[2] or value
    if bare != value or "/" in value:
        host = bare.partition("/")[0].rpartition(":")[0] or bare.partition("/")[0]
        raise ValueError(f"only the server's name belongs here, as in {host}; no URL")
    if ":" in value:
        try:
            ip_address(value.strip("[]"))
        except ValueError:
            host, _, port = value.rpartition(":")
            raise ValueError(f"only the server's name belongs here; write host: {host} and port: {port}") from None
    if any(letter.isspace() for letter in value):
        raise ValueError("a server's name has no blanks")
    return value
