"""Streams of bytes: zstd for text, and for planes of numbers its entropy coder alone.

In a plane of numbers there are no repetitions to find; looking for them takes most of the time and gains nothing. With
the smallest tables and the longest least match, what is left of zstd is its Huffman coder, at several times the speed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

import zstandard

Kept = TypeVar("Kept")

_LOCAL = threading.local()
_HUFFMAN = zstandard.ZstdCompressionParameters(
    window_log=17,
    hash_log=6,
    chain_log=6,
    search_log=1,
    min_match=7,
    strategy=zstandard.STRATEGY_FAST,
    write_content_size=True,
    write_checksum=False,
    write_dict_id=False,
)


def huffman(data: bytes | bytearray | memoryview) -> bytes:
    """A plane of numbers."""
    return _compressor("huffman", _HUFFMAN).compress(data)


def text(data: bytes | bytearray | memoryview, level: int) -> bytes:
    """Anything with repetitions."""
    parameters = zstandard.ZstdCompressionParameters.from_level(level, source_size=len(data), write_content_size=True)
    return _compressor(f"text-{level}-{len(data).bit_length()}", parameters).compress(data)


def decompress(data: memoryview, size: int) -> bytes:
    """What was compressed by either: never more than ``size`` bytes, whatever the data claims.

    :raises ValueError: if it is not so many bytes, or no frame of zstd.
    """
    try:
        if zstandard.frame_content_size(data) != size:
            raise ValueError("a frame of another size")
        decompressor = _kept("decompressor", zstandard.ZstdDecompressor)
        return decompressor.decompress(data, max_output_size=size, read_across_frames=False)
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from error


def _compressor(name: str, parameters: zstandard.ZstdCompressionParameters) -> zstandard.ZstdCompressor:
    return _kept(name, lambda: zstandard.ZstdCompressor(compression_params=parameters))


def _kept(name: str, make: Callable[[], Kept]) -> Kept:
    """One of each for a thread: they keep their buffers, and cannot be shared."""
    if not hasattr(_LOCAL, name):
        setattr(_LOCAL, name, make())
    found: Kept = getattr(_LOCAL, name)
    return found
