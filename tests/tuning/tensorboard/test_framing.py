"""What is computed for many records at once is what TensorBoard's own writer writes."""

import io
import random

import pytest
from tensorboard.summary.writer.record_writer import RecordWriter

from tuning.tensorboard.framing import LEAST_BYTES, LONGEST, framed


def written(records):
    buffer = io.BytesIO()
    writer = RecordWriter(buffer)
    for record in records:
        writer.write(record)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "sizes",
    [[], [9], [LEAST_BYTES], [4] * 50, [LONGEST], [30, 9, LONGEST, 4, 200], [LONGEST + 1, 60], [3, LEAST_BYTES], [0]],
)
def test_records_are_framed_as_tensorboard_does_it(sizes):
    records = [random.Random(place).randbytes(size) for place, size in enumerate(sizes)]

    assert framed(records) == written(records)


@pytest.mark.parametrize("byte", [0x00, 0xFF])
def test_checksums_tell_lengths_of_equal_bytes_apart(byte):
    records = [bytes([byte]) * size for size in range(4, 40)]

    assert framed(records) == written(records)
