"""DNS as a service is found by its domain: SRV records in the order to try them, and the TXT record beside them (RFC 2782, 6763).

What surprises: a name without records is an answer, a nameserver that does not answer is an error. Nothing said here is proven (few
zones are signed): whoever sends a password to a host named here must have another reason to trust it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from migrator.errors import Unreachable
from migrator.frozen import dataclass

if TYPE_CHECKING:
    import dns.resolver

PORT = 53
LARGEST_PORT = 65535


@dataclass(frozen=True, slots=True)
class Target:
    """Where a service is, as a SRV record says: a host, without a dot at its end, and a port."""

    host: str
    port: int


def read_nameserver(text: str) -> tuple[str, int]:
    """Address and port of a nameserver: `192.0.2.53`, `192.0.2.53:5353`, `2001:db8::53`, `[2001:db8::53]:5353`. Raises ValueError."""
    host, colon, port = text.strip().rpartition(":")
    if not colon or (":" in host and not host.endswith("]")):
        host, port = text.strip(), str(PORT)
    address = str(ipaddress.ip_address(host.removeprefix("[").removesuffix("]")))
    if not port.isascii() or not port.isdecimal() or not 0 < int(port) <= LARGEST_PORT:
        raise ValueError(f"{port[:10]} is no port")
    return address, int(port)


class Resolver:
    """Asks the system's nameservers, or one of the plan's."""

    def __init__(self, nameserver: str = "", timeout: float = 5) -> None:
        """`nameserver` as `read_nameserver` has it; `timeout` in seconds for a question and all its repetitions."""
        self._nameserver = nameserver
        self._timeout = timeout

    def services(self, name: str) -> Sequence[Target] | None:
        """What the SRV records of a name say, in the order to try them: by priority, then by chance and weight (RFC 2782). Empty where they
        say that there is no such service (a target of "."), None without records. Raises Unreachable.
        """
        found = self._ask(name, "SRV")
        if found is None or found.rrset is None:
            return None
        records: list[Any] = found.rrset.processing_order()  # Any: the library types all kinds of records as one
        targets = [Target(one.target.to_text(omit_final_dot=True).lower(), one.port) for one in records]
        return [one for one in targets if one.host not in {"", "."} and one.port]

    def words(self, name: str) -> Mapping[str, str]:
        """The `key=value` words of a name's TXT records, keys in lower case; the first of a key counts (RFC 6763, 6.4). Raises Unreachable."""
        found = self._ask(name, "TXT")
        told: dict[str, str] = {}
        for record in found.rrset or () if found is not None else ():
            for piece in record.strings:
                key, _, value = piece.decode("utf-8", "replace").partition("=")
                told.setdefault(key.strip().lower(), value)
        return told

    def _ask(self, name: str, kind: str) -> dns.resolver.Answer | None:
        import dns.exception  # here, since most plans name their servers and would wait for it
        import dns.name
        import dns.resolver

        try:
            asked = dns.name.from_text(f"{name}.")
        except (dns.exception.DNSException, UnicodeError):
            return None  # no name at all has no records
        try:
            return self._resolver().resolve(asked, kind, lifetime=self._timeout)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return None
        except (dns.exception.DNSException, OSError) as error:
            raise Unreachable(self._no_answer(name, error), remedy=self._remedy()) from error

    def _no_answer(self, name: str, error: Exception) -> str:
        import dns.exception

        reason = f"within {self._timeout:g} s" if isinstance(error, dns.exception.Timeout) else "of use"
        whose = f"the plan's nameserver {self._nameserver}" if self._nameserver else "this machine's nameservers"
        return f"DNS gives no answer {reason} ({whose} asked for {name})."

    def _remedy(self) -> str:
        whose = "nameserver in the plan" if self._nameserver else "nameservers of this machine"
        return f"Check the {whose}, or write the server's url into the plan."

    def _resolver(self) -> dns.resolver.Resolver:
        import dns.resolver

        if not self._nameserver:
            return dns.resolver.Resolver()
        resolver = dns.resolver.Resolver(configure=False)
        address, port = read_nameserver(self._nameserver)
        resolver.nameservers, resolver.port = [address], port
        return resolver
