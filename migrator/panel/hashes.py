"""Password hashes as mail servers keep them in files and tables: made, checked, put out of action.

What surprises: a hash is put out of action behind its scheme, by `!` in the place of its first `$` (`{SHA512-CRYPT}!6$...`). In front
of the scheme, the mark would make Dovecot take the whole text by its default scheme, and where that is plain text the text itself
would be the password; in the place of a character, it needs no room that the column may not have.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re

from passlib.exc import (  # type: ignore[import-untyped]  # libpass ships no type information
    PasswordSizeError,
    PasswordValueError,
)
from passlib.hash import md5_crypt, sha256_crypt, sha512_crypt  # type: ignore[import-untyped]  # as above
from pydantic import SecretStr

from migrator.errors import Misbehaved, Refused
from migrator.panel.model import UNKNOWN_PASSWORD, Password, with_scheme

# What crypt(3) and Dovecot take unless they are told otherwise. Another number is written into the hash, which then no longer fits
# the 106 characters that many a table has for it.
ROUNDS = 5000
LONGEST_PLAIN = 512

# Hashes that Dovecot checks (2.3; ARGON2 and BLF-CRYPT where it was built with them).
CARRIED = frozenset(
    {
        "SHA512-CRYPT", "SHA256-CRYPT", "MD5-CRYPT", "BLF-CRYPT", "ARGON2ID", "ARGON2I",
        "SSHA", "SSHA256", "SSHA512", "PBKDF2",
    }
)  # fmt: skip
_CHECKED = {"SHA512-CRYPT": sha512_crypt, "SHA256-CRYPT": sha256_crypt, "MD5-CRYPT": md5_crypt}
_PLAIN = re.compile(r"\{(?:PLAIN|CLEAR|CLEARTEXT)(?:\.(B64|BASE64|HEX))?\}(.*)", re.IGNORECASE | re.DOTALL)
_WITHOUT_DOLLAR = re.compile(r"(?:[1256]|2[abxy]|argon2id?)\$")
_UNFIT = re.compile(r"[\x00-\x1f\x7f]")


def to_store(address: str, password: Password | None) -> str:
    """What is written for a password: a hash with its scheme in front, as it came or made of the plain one. Raises Refused for an
    unknown one, a scheme that Dovecot does not check, and control characters.
    """
    if password is None or (password.plain is None and password.hash is None):
        raise Refused(f"{address}: no password is known for it, and a mailbox without one cannot be made.")
    if password.plain is not None:
        return _hashed(address, password.plain.get_secret_value())
    text = password.hash.get_secret_value() if password.hash else ""
    if password.scheme not in CARRIED:
        raise Refused(f"{address}: Dovecot does not check passwords kept as {password.scheme or 'an unknown kind'}.")
    if _UNFIT.search(text) or ":" in text or not text.isascii():
        raise Refused(f"{address}: its password hash holds characters that no hash of this kind has.")
    return text


def with_or_without_scheme(address: str, text: str, *, in_front: bool) -> str:
    """The same for servers that want crypt(3)'s text alone. Raises Refused for a hash that nothing but its scheme explains."""
    bare = text.partition("}")[2]
    if not in_front and not bare.startswith("$"):
        raise Refused(f"{address}: only its scheme says what its hash is, and the plan says scheme_in_front: false.")
    return text if in_front else bare


def as_kept(stored: str) -> Password:
    """The password that a table or file holds: as a hash, in plain where it stands there in plain, unknown where it is out of action."""
    if is_locked(stored):
        return UNKNOWN_PASSWORD
    plain = _plain(stored)
    return with_scheme(stored) if plain is None else Password(plain=SecretStr(plain))


def is_right(address: str, plain: SecretStr, stored: str) -> bool:
    """Whether that is the stored password, also of one that is out of action. Raises Refused where its kind cannot be checked here."""
    stored = unlocked(stored)
    given = plain.get_secret_value()
    if (kept := _plain(stored)) is not None:
        return hmac.compare_digest(kept.encode(), given.encode())
    password = with_scheme(stored)
    handler = _CHECKED.get(password.scheme)
    if handler is None or password.hash is None:
        raise Refused(
            f"{address}: its password is kept as {password.scheme or 'an unknown kind'}, which cannot be checked here."
        )
    try:
        return bool(handler.verify(given, password.hash.get_secret_value().partition("}")[2]))
    except (PasswordSizeError, PasswordValueError):
        return False
    except ValueError:
        # Not "from": the exception may hold the hash.
        raise Misbehaved(f"{address}: its password hash is damaged.") from None


def is_locked(stored: str) -> bool:
    """Whether nobody can log in by it: out of action, or empty."""
    return _parted(stored.strip())[1][:1] in {"", "!", "*"}


def locked(stored: str) -> str:
    """The hash put out of action, so that it can be put back."""
    if is_locked(stored):
        return stored
    scheme, rest = _parted(stored)
    return f"{scheme}!{rest.removeprefix('$')}"


def unlocked(stored: str) -> str:
    """The hash in action again, however it was put out of it."""
    scheme, rest = _parted(stored)
    bare = rest.lstrip("!*")
    if bare == rest or not bare:
        return stored
    return f"{scheme}{'$' if _WITHOUT_DOLLAR.match(bare) else ''}{bare}"


def _parted(stored: str) -> tuple[str, str]:
    scheme, brace, rest = stored.partition("}") if stored.startswith("{") else ("", "", stored)
    return scheme + brace, rest


def _plain(stored: str) -> str | None:
    found = _PLAIN.fullmatch(stored)
    if found is None:
        return None
    coding = (found[1] or "").upper()
    try:
        if coding == "HEX":
            return bytes.fromhex(found[2]).decode()
        return base64.b64decode(found[2], validate=True).decode() if coding else found[2]
    except (binascii.Error, ValueError):
        return None


def _hashed(address: str, plain: str) -> str:
    if not plain or _UNFIT.search(plain):
        raise Refused(f"{address}: its password is empty or holds control characters.")
    if len(plain) > LONGEST_PLAIN:
        raise Refused(f"{address}: its password is longer than {LONGEST_PLAIN} characters.")
    return f"{{SHA512-CRYPT}}{sha512_crypt.using(rounds=ROUNDS).hash(plain)}"
