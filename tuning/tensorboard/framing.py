"""How the records of an event file lie in it: each with its length, and a checksum of either.

Owns the checksum, CRC-32C, of many records at once. TensorBoard's own goes through them byte by byte in Python, which
was most of what writing the files of thousands of trials took.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from tensorboard.summary.writer.record_writer import RecordWriter

POLYNOMIAL = 0x82F63B78
LEAST_BYTES = 160
"""Of all records together: fewer are not worth it."""
LONGEST = 512
"""Bytes of a record; longer ones, of which a study has one or two, would need large tables."""

_ALL_BITS = np.uint32(0xFFFFFFFF)


def framed(records: Sequence[bytes]) -> bytes:
    """Return records as they lie in a file."""
    sizes = list(map(len, records))
    if sum(sizes) < LEAST_BYTES or max(sizes) > LONGEST or min(sizes) < 4:
        buffer = io.BytesIO()
        writer = RecordWriter(buffer)
        for record in records:
            writer.write(record)
        return buffer.getvalue()
    lengths = [struct.pack("<Q", size) for size in sizes]
    checks = _checksums([*lengths, *records])
    of_lengths, of_records = checks[: len(records)], checks[len(records) :]
    return b"".join([part for record in zip(lengths, of_lengths, records, of_records, strict=True) for part in record])


def _checksums(pieces: Sequence[bytes]) -> list[bytes]:
    """Return the masked CRC-32C of pieces of 4 to `LONGEST` bytes.

    A CRC is linear: it is the exclusive or of what each byte comes to alone, which depends on how many follow it.
    It begins with all bits set, which is the same as inverting the first four bytes.
    """
    sizes = np.fromiter(map(len, pieces), np.intp, len(pieces))
    ends = np.cumsum(sizes)
    starts = ends - sizes
    content = np.frombuffer(bytearray(b"".join(pieces)), np.uint8)
    content[(starts[:, None] + np.arange(4)).ravel()] ^= 0xFF
    n_following = np.repeat(ends - 1, sizes) - np.arange(len(content))
    crc = np.bitwise_xor.reduceat(_table()[n_following, content], starts) ^ _ALL_BITS
    masked = ((crc >> np.uint32(15)) | (crc << np.uint32(17))) + np.uint32(0xA282EAD8)
    packed = masked.astype("<u4").tobytes()
    return [packed[at : at + 4] for at in range(0, len(packed), 4)]


@lru_cache(maxsize=1)
def _table() -> np.ndarray:
    """Return what each byte comes to when 0, 1, ... `LONGEST` - 1 bytes follow it: [n_following, byte]."""
    last = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        last = np.where(last & 1, (last >> np.uint32(1)) ^ np.uint32(POLYNOMIAL), last >> np.uint32(1))
    rows = [last]
    while len(rows) < LONGEST:
        rows.append(last[rows[-1] & 0xFF] ^ (rows[-1] >> np.uint32(8)))
    return np.stack(rows)
