"""Addresses and domain names in the one form in which they are compared: the domain as A-label (`xn--...`, RFC 5890) in lower case.

The library for international names is imported only when one is met: most runs meet none, and all would wait for it.
"""

from __future__ import annotations


def ascii_domain(name: str) -> str:
    """A domain's A-label form in lower case, from either form. What IDNA 2008 does not allow stays as it was, in lower case."""
    name = name.strip().rstrip(".").lower()
    if name.isascii():
        return name
    import idna

    try:
        return idna.encode(name, uts46=True).decode("ascii")
    except idna.IDNAError:
        return name


def shown_domain(name: str) -> str:
    """A domain as people read it: `xn--espaa-rta.example` is `españa.example`."""
    if "xn--" not in name:
        return name
    import idna

    try:
        return idna.decode(name)
    except idna.IDNAError:
        return name


def split(address: str) -> tuple[str, str]:
    """Local part as it is and domain in its A-label form; the domain is "" where there is no @."""
    local, at, domain = address.strip().rpartition("@")
    return (local, ascii_domain(domain)) if at else (domain, "")


def same_form(address: str) -> str:
    """An address in the form addresses are kept in: local part as it is, domain as A-label."""
    local, domain = split(address)
    return f"{local}@{domain}" if domain else local
