"""Packed files: what is in them comes out from any byte on; what is cut, broken or a bomb is told in one sentence."""

from __future__ import annotations

import bz2
import gzip
import random
import sys
import zlib

import pytest

from migrator.errors import Misbehaved, NotFound
from migrator.forms import packed
from migrator.forms.packed import Unpacked

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

CONTENT = b"INSERT INTO t VALUES (1,'x');\n" * 5000 + random.Random(1).randbytes(50_000)
PACKERS = {"": bytes, "gzip": gzip.compress, "zstd": zstd.compress, "bzip2": bz2.compress}


def whole(path) -> bytes:
    file = Unpacked(path)
    pieces = []
    while piece := file.read(10_000):
        pieces.append(piece)
    file.close()
    return b"".join(pieces)


@pytest.mark.parametrize("kind", PACKERS)
def test_what_was_packed_comes_out_whatever_the_file_is_called(tmp_path, kind):
    path = tmp_path / "dump.sql"
    path.write_bytes(PACKERS[kind](CONTENT))
    assert whole(path) == CONTENT


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_files_put_one_behind_another_are_one(tmp_path, kind):
    path = tmp_path / "dump.sql"
    path.write_bytes(PACKERS[kind](CONTENT) + PACKERS[kind](b"more"))
    assert whole(path) == CONTENT + b"more"


@pytest.mark.parametrize("kind", PACKERS)
def test_reading_starts_at_any_byte_forwards_and_backwards(tmp_path, kind):
    path = tmp_path / "dump.sql"
    path.write_bytes(PACKERS[kind](CONTENT))
    file = Unpacked(path)
    for byte in (150_000, 7, 199_999, 0):
        file.start_at(byte)
        assert (file.at, file.read(10)) == (byte, CONTENT[byte : byte + 10])
    assert 0 < file.share <= 1
    file.close()


@pytest.mark.parametrize("kind", ["gzip", "zstd", "bzip2"])
def test_a_packed_file_that_was_cut_is_told(tmp_path, kind):
    path = tmp_path / "dump.sql.gz"
    path.write_bytes(PACKERS[kind](CONTENT)[:-20])
    with pytest.raises(Misbehaved, match="ends in the middle"):
        whole(path)


@pytest.mark.parametrize("kind", ["gzip", "zstd", "bzip2"])
def test_a_packed_file_that_is_broken_is_told(tmp_path, kind):
    broken = bytearray(PACKERS[kind](CONTENT))
    broken[len(broken) // 2 :] = bytes(byte ^ 0x55 for byte in broken[len(broken) // 2 :])
    path = tmp_path / "dump.sql.gz"
    path.write_bytes(broken)
    with pytest.raises(Misbehaved, match=r"dump.sql.gz: the file (cannot be unpacked|ends in the middle)"):
        whole(path)


def test_a_bomb_is_told_before_it_goes_off(tmp_path, monkeypatch):
    monkeypatch.setattr(packed, "HARMLESS", 4 * packed.MB)
    path = tmp_path / "bomb.sql.gz"
    packer = zlib.compressobj(9, wbits=31)
    path.write_bytes(b"".join(packer.compress(bytes(packed.MB)) for _ in range(64)) + packer.flush())
    with pytest.raises(Misbehaved, match="500 times its size") as told:
        whole(path)
    assert "unpack it" in told.value.remedy


def test_a_frame_that_wants_much_memory_is_refused(tmp_path):
    wide = zstd.ZstdCompressor(
        options={zstd.CompressionParameter.window_log: 30, zstd.CompressionParameter.compression_level: 1}
    )
    path = tmp_path / "dump.sql.zst"
    path.write_bytes(wide.compress(CONTENT) + wide.flush())
    with pytest.raises(Misbehaved, match="cannot be unpacked"):
        whole(path)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(NotFound, match="cannot be opened"):
        Unpacked(tmp_path / "nothing.sql")
