"""A nameserver on loopback, over UDP, that knows what a test writes.

    with Nameserver() as names:
        names.add("_carddavs._tcp.example.com", "SRV", "0 1 8443 dav.example.com.")
        ...                                                          # the client asks names.address
        assert names.asked == [("_carddavs._tcp.example.com", "SRV")]

A name that has other records answers without any, a name nobody wrote down does not exist; one in `broken` is answered by SERVFAIL, one in
`silent` never.
"""

from __future__ import annotations

import socketserver
import threading
from typing import Any, Self

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

HOST = "127.0.0.1"
TTL = 60


class Nameserver:
    """The server. `asked` are the questions so far, in order."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.broken: set[str] = set()
        self.silent: set[str] = set()
        self._records: dict[tuple[str, str], list[str]] = {}
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def add(self, name: str, kind: str, *texts: str) -> None:
        """Records of a name, each as a zone file has it."""
        self._records.setdefault((name.lower(), kind), []).extend(texts)

    @property
    def address(self) -> str:
        """Where it is, with the port."""
        return f"{HOST}:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, wire: bytes) -> bytes | None:
        try:
            query = dns.message.from_wire(wire)
        except dns.exception.DNSException:
            return None
        question = query.question[0]
        name, kind = question.name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        if name in self.silent:
            return None
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.RA
        if name in self.broken:
            reply.set_rcode(dns.rcode.SERVFAIL)
        elif texts := self._records.get((name, kind)):
            reply.answer.append(dns.rrset.from_text_list(question.name, TTL, "IN", kind, texts))
        elif not any(known == name for known, _ in self._records):
            reply.set_rcode(dns.rcode.NXDOMAIN)
        return reply.to_wire()


class _Server(socketserver.ThreadingUDPServer):
    daemon_threads = True

    def __init__(self, nameserver: Nameserver) -> None:
        super().__init__((HOST, 0), _Handler)
        self.nameserver = nameserver

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no news."""


class _Handler(socketserver.BaseRequestHandler):
    server: _Server

    def handle(self) -> None:
        wire, there = self.request
        answer = self.server.nameserver.answer(wire)
        if answer is not None:
            socket: Any = there  # Any: for UDP, the request brings its socket along
            socket.sendto(answer, self.client_address)
