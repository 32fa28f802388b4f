"""What is inside a version."""

from __future__ import annotations

import math

from attrs import frozen


@frozen
class FileRecord:
    """One file of a version: its path inside the version, size in bytes, SHA-256 (64 hex digits) and OCI media type."""

    path: str
    size: int
    sha256: str
    media_type: str


@frozen
class TensorRecord:
    """One tensor of a version, as a plugin reads it from the files without making it.

    :param name: Its name in the model, such as ``"encoder.0.weight"``.
    :param dtype: What its elements are: ``"float32"``, ``"bfloat16"``, ``"int64"``, …
    :param shape: Its sizes; empty for a single number.
    :param path: The member that holds its bytes.
    :param offset: Where in the member they begin, in bytes.
    :param nbytes: How many there are.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    path: str
    offset: int
    nbytes: int

    @property
    def elements(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)
