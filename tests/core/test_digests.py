"""SHA-256 of memory and files."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_registry.digests import CHUNK, is_sha256, sha256_of_buffers, sha256_of_bytes, sha256_of_file

EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_the_digest_is_the_one_of_the_standard() -> None:
    assert sha256_of_bytes() == EMPTY
    assert sha256_of_bytes(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@given(st.lists(st.binary(max_size=50), max_size=5))
def test_the_digest_of_buffers_is_that_of_their_bytes(buffers: list[bytes]) -> None:
    expected = hashlib.sha256(b"".join(buffers)).hexdigest()
    assert sha256_of_buffers(buffers) == sha256_of_bytes(*map(memoryview, buffers)) == expected


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 7])
def test_the_digest_of_a_file_is_that_of_its_bytes(tmp_path: Path, size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    file = tmp_path / "file"
    file.write_bytes(data[:size])
    assert sha256_of_file(file) == sha256_of_file(str(file)) == hashlib.sha256(data[:size]).hexdigest()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (EMPTY, True),
        (EMPTY.upper(), False),
        (EMPTY[:-1], False),
        (EMPTY + "0", False),
        (EMPTY + "\n", False),
        ("../" + EMPTY[3:], False),
        ("\u0660" * 64, False),  # Arabic-Indic digits
        ("", False),
        (EMPTY.encode(), False),
        (None, False),
    ],
)
def test_a_digest_is_64_lower_case_hex_digits(text: object, expected: bool) -> None:
    assert is_sha256(text) is expected
