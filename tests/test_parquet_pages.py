"""What a Parquet file's pages say of their sizes, against what Arrow says of a file that it wrote itself."""

import io

import numpy as np
import pyarrow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from ppglib.recordings.pages import unpacked

WAYS = [
    {},
    {"compression": "zstd"},
    {"compression": "none", "use_dictionary": False, "data_page_version": "2.0"},
    {"data_page_size": 1000},
    {"write_page_checksum": True},
]


@pytest.mark.parametrize("how", WAYS, ids=str)
def test_sizes_are_those_that_arrow_wrote(how):
    """Arrow's own are with the headers, some tens of bytes a page."""
    n, random = 30_000, np.random.default_rng(0)
    texts = pyarrow.array([None if k % 5 == 0 else f"x{k % 7}" for k in range(n)])
    content = {"time": np.arange(n) / 50, "ppg": random.normal(size=n), "activity": texts}
    parquet.write_table(pyarrow.table(content), stream := io.BytesIO(), row_group_size=20_000, **how)
    meta = parquet.ParquetFile(stream).metadata
    for group in map(meta.row_group, range(meta.num_row_groups)):
        for part in map(group.column, range(3)):
            assert 0.9 * part.total_uncompressed_size <= unpacked(stream, part) < part.total_uncompressed_size


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_what_is_no_page_is_refused(content):
    class Part:
        data_page_offset, has_dictionary_page, total_compressed_size = 0, False, len(content)

    try:
        assert unpacked(io.BytesIO(content), Part) >= 0
    except ValueError:
        pass


def test_a_page_that_goes_back_or_is_cut_is_refused():
    class Part:
        data_page_offset, has_dictionary_page, total_compressed_size = 0, False, 100

    sizes = lambda a, b: b"\x15\x00\x15" + a + b"\x15" + b + b"\x00"  # noqa: E731
    assert unpacked(io.BytesIO(sizes(b"\x08", b"\x04") + b"xx" + sizes(b"\x02", b"\x00")), Part) == 5
    for content in (sizes(b"\x07", b"\x04"), sizes(b"\x08", b"\x03"), b"\x15\x00\x15", b"\x19\x00", b"\x15\x00\x18\x01x\x15\x00\x00"):
        with pytest.raises(ValueError, match="page"):
            unpacked(io.BytesIO(content), Part)
