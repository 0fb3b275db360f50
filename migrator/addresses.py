"""Addresses and domain names in the one form in which they are compared: the domain as A-label (`xn--...`, RFC 5890) in lower case.

The library for international names is imported only when one is met: most runs meet none, and all would wait for it.
"""

from __future__ import annotations

from collections.abc import Mapping

from migrator.frozen import dataclass


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


@dataclass(frozen=True, slots=True)
class Names:
    """How names of the source are called at the target. Addresses that are not among `addresses` keep their local part, in the domain
    that `domains` says.
    """

    addresses: Mapping[str, str]
    domains: Mapping[str, str]

    def address(self, address: str) -> str:
        """An address as it is called at the target."""
        known = self.addresses.get(same_form(address).lower())
        if known is not None:
            return known
        local, domain = split(address)
        return f"{local}@{self.domain(domain)}" if domain else local

    def domain(self, domain: str) -> str:
        """A domain as it is called at the target."""
        return self.domains.get(domain, domain)


def names_of(addresses: Mapping[str, str]) -> Names:
    """The names that follow from a plan's accounts, each with its address at the target: a domain is renamed where all its accounts go to
    one other domain. `addresses` are in the form of `same_form`, those of the source in lower case.
    """
    homes: dict[str, set[str]] = {}
    for address, target in addresses.items():
        homes.setdefault(split(address)[1], set()).add(split(target)[1])
    domains = {domain: next(iter(there)) for domain, there in homes.items() if len(there) == 1}
    return Names(addresses, {domain: target for domain, target in domains.items() if target})
