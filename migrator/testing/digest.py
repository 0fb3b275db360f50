"""A front that takes Digest logins alone (RFC 7616, qop=auth), as a web server in front of an address book does.

    with DigestFront({"ann": "secret"}, behind=radicale.url) as front:
        front.uses = 3                 # requests a nonce is good for; then it is stale, and the client has to take a new one
        ...
        assert front.clear == []       # Basic logins that were sent to it all the same

What is behind it gets the same login as Basic.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
import ssl
from collections.abc import Mapping
from dataclasses import replace

from migrator.testing.front import Front
from migrator.testing.panels.server import Answer, Request

HASHES = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}
_PAIR = re.compile(r'(\w+)=(?:"([^"]*)"|([^\s,]+))')


class DigestFront(Front):
    """The front. `refused` counts the logins that were wrong, `stale` those that came with a nonce of yesterday."""

    def __init__(
        self,
        passwords: Mapping[str, str],
        behind: str = "",
        context: ssl.SSLContext | None = None,
        algorithm: str = "SHA-256",
    ) -> None:
        super().__init__(behind, context)
        self.passwords = dict(passwords)
        self.algorithm = algorithm
        self.challenge = ""  # asked instead of its own, whatever is sent
        self.also = ""  # a second challenge in the same line
        self.uses = 1_000_000
        self.refused = 0
        self.stale = 0
        self.clear: list[Request] = []
        self._numbers = itertools.count(1)
        self._nonces: dict[str, int] = {}  # the last count that came with each

    def serve(self, request: Request) -> Answer | None:
        said = request.headers.get("authorization", "")
        if said.lower().startswith("basic"):
            self.clear.append(request)
        if self.challenge or not said.startswith("Digest "):
            self.requests.append(request)
            return self._ask()
        words = {name: quoted or bare for name, quoted, bare in _PAIR.findall(said.removeprefix("Digest "))}
        user = words.get("username", "")
        nonce, count = words.get("nonce", ""), int(words.get("nc", "0"), 16)
        if not self._fits(request, words):
            self.requests.append(request)
            self.refused += 1
            return self._ask()
        if nonce not in self._nonces or count <= self._nonces[nonce] or count > self.uses:
            self.requests.append(request)
            self.stale += 1
            return self._ask(stale=True)
        self._nonces[nonce] = count
        basic = base64.b64encode(f"{user}:{self.passwords[user]}".encode()).decode()
        return super().serve(replace(request, headers={**request.headers, "authorization": f"Basic {basic}"}))

    def _fits(self, request: Request, words: Mapping[str, str]) -> bool:
        def digest(*parts: str) -> str:
            return HASHES[self.algorithm](":".join(parts).encode()).hexdigest()

        asked = f"{request.path}?{request.query}" if request.query else request.path
        user = words.get("username", "")
        if words.get("uri") != asked or words.get("qop") != "auth" or user not in self.passwords:
            return False
        secret = digest(user, "Address books", self.passwords[user])
        about = digest(request.method, asked)
        right = digest(secret, words["nonce"], words["nc"], words["cnonce"], "auth", about)
        return words.get("response") == right and words.get("opaque") == "front"

    def _ask(self, *, stale: bool = False) -> Answer:
        nonce = f"nonce{next(self._numbers)}"
        self._nonces[nonce] = 0
        words = f'Digest realm="Address books", nonce="{nonce}", qop="auth", algorithm={self.algorithm}, opaque="front"'
        words = self.challenge or f"{words}{', stale=true' if stale else ''}{self.also}"
        return Answer(b"a login, please", 401, "text/plain", {"WWW-Authenticate": words})
