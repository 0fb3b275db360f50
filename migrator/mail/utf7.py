"""Folder names on the wire: modified UTF-7 (RFC 3501, 5.1.3).

Raw names are str objects that hold the server's bytes one to one (Latin-1). Decoding is for eyes and for translation only and
forgives everything, since broken names exist and their mail must still be moved; encoding is strict, since every server
refuses a broken name at CREATE.
"""

from __future__ import annotations

import binascii
import re
from itertools import groupby

_SHIFTED = re.compile(r"&([A-Za-z0-9+,]*)-")


def decode(raw: str) -> str:
    """The name as people read it. Never raises: a sequence that cannot be decoded is shown as it stands.

    A name with 8-bit bytes is no modified UTF-7 at all: it is shown as UTF-8 where it is that, else as Latin-1.
    """
    if not raw.isascii():
        try:
            return raw.encode("latin-1").decode("utf-8")
        except UnicodeError:
            return raw
    if "&" not in raw:
        return raw
    return _SHIFTED.sub(_unshifted, raw)


def encode(text: str) -> str:
    """The one legal spelling of `text`: what `decode` shows again as `text`, in printable ASCII."""
    return "".join(
        "".join(run).replace("&", "&-") if printable else _shifted("".join(run))
        for printable, run in groupby(text, key=_is_printable)
    )


def _is_printable(character: str) -> bool:
    return " " <= character <= "~"


def _shifted(run: str) -> str:
    # A lone surrogate is no text, yet may come out of a broken store; it is carried rather than a reason to fail.
    packed = binascii.b2a_base64(run.encode("utf-16-be", "surrogatepass"), newline=False)
    return "&" + packed.decode("ascii").rstrip("=").replace("/", ",") + "-"


def _unshifted(sequence: re.Match[str]) -> str:
    packed = sequence[1].replace(",", "/")
    if not packed:
        return "&"
    try:
        return binascii.a2b_base64(packed + "=" * (-len(packed) % 4)).decode("utf-16-be")
    except (binascii.Error, UnicodeDecodeError):
        return sequence[0]
