"""A file as it is, or unpacked while it is read: gzip, bzip2, Zstandard, told apart by their first bytes and not by their names.

What surprises: a packed file may stand for thousands of times its size, so reading stops where that is no dump any more; and one that was cut
short is told apart from one that ended.
"""

from __future__ import annotations

import bz2
import gzip
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from migrator.errors import Misbehaved, NotFound

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MB = 1024 * 1024
PIECE = MB
WIDEST_WINDOW = 27  # the memory to unpack a frame, as a power of two: what the program zstd takes without being told
# Tables of form entries that repeat one spam shrink to a fiftieth; beyond this it is a bomb, or not worth trusting.
LARGEST_RATIO = 500
HARMLESS = 1024 * MB


def pack(content: bytes) -> bytes:
    """Content as one frame of Zstandard, with its checksum."""
    return zstd.compress(content, options={zstd.CompressionParameter.checksum_flag: 1})


def unpack(frame: bytes, size: int) -> bytes:
    """The content of one frame, `size` bytes. Raises ValueError, in words, if it holds more or less, or is none."""
    opened = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: WIDEST_WINDOW})
    try:
        content = opened.decompress(frame, size + 1)
    except zstd.ZstdError as error:
        raise ValueError("it is no Zstandard, or damaged") from error
    if len(content) != size or not opened.eof or opened.unused_data:
        raise ValueError(f"it does not hold the {size:,} bytes that were packed")
    return content


class Source(Protocol):
    """Bytes from the front to the back."""

    def read(self, size: int, /) -> bytes:
        """At most so many bytes; none at the end only."""


class Unpacked:
    """The content of one file, from any byte on. Raises NotFound where there is none, Misbehaved where unpacking fails."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file: BinaryIO = path.open("rb")
        except OSError as error:
            raise NotFound(
                f"{path} cannot be opened ({error.strerror}).", remedy="Correct the path, or its rights."
            ) from error
        self.kind = _kind(self._file)
        self._stream: Source = self._opened()
        self.at = 0

    @property
    def size(self) -> int:
        """How many bytes the file itself has."""
        return self.path.stat().st_size

    @property
    def share(self) -> float:
        """How much of the file has been read, 0 to 1: for telling progress."""
        return self._file.tell() / max(self.size, 1)

    def read(self, size: int, /) -> bytes:
        """At most so many bytes of the content; none at its end only."""
        try:
            piece = self._stream.read(size)
        except EOFError as error:
            raise self._misbehaved("ends in the middle of its packed content", "Fetch or make it again.") from error
        except (OSError, zlib.error, zstd.ZstdError, ValueError) as error:
            raise self._misbehaved(f"cannot be unpacked ({error})", "Fetch or make it again.") from error
        self.at += len(piece)
        if self.kind and self.at > HARMLESS and self.at > LARGEST_RATIO * max(self._file.tell(), 1):
            raise self._misbehaved(
                f"unpacks to more than {LARGEST_RATIO} times its size",
                "If that is meant, unpack it and name the result.",
            )
        return piece

    def start_at(self, byte: int) -> None:
        """Read on from this byte of the content. In a packed file what lies before it is unpacked once more."""
        if not self.kind:
            self._file.seek(byte)
            self.at = byte
            return
        if byte < self.at:
            self._file.seek(0)
            self._stream = self._opened()
            self.at = 0
        while self.at < byte:
            if not self.read(min(PIECE, byte - self.at)):
                return

    def close(self) -> None:
        """Never raises."""
        self._file.close()

    def _opened(self) -> Source:
        return _KINDS[self.kind][1](self._file) if self.kind else self._file

    def _misbehaved(self, what: str, remedy: str) -> Misbehaved:
        return Misbehaved(f"{self.path}: the file {what}, after {self.at:,} bytes.", remedy=remedy)


def _kind(file: BinaryIO) -> str:
    start = file.read(6)
    file.seek(0)
    return next((kind for kind, (magic, _) in _KINDS.items() if start.startswith(magic)), "")


def _unzstd(file: BinaryIO) -> Source:
    return zstd.ZstdFile(file, options={zstd.DecompressionParameter.window_log_max: WIDEST_WINDOW})


def _gunzip(file: BinaryIO) -> Source:
    return gzip.GzipFile(fileobj=file)


_KINDS: Final[dict[str, tuple[bytes, Callable[[BinaryIO], Source]]]] = {
    "gzip": (b"\x1f\x8b", _gunzip),
    "zstd": (b"\x28\xb5\x2f\xfd", _unzstd),
    "bzip2": (b"BZh9", bz2.BZ2File),
}
