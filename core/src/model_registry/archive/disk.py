"""What the disk refuses, in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from model_registry.errors import ModelRegistryError, StorageError


@contextmanager
def refusals(doing: str) -> Iterator[None]:
    """Raise StorageError for any error of the system within the block.

    :param doing: What fails then, for people.
    """
    try:
        yield
    except ModelRegistryError:
        raise
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        hint = "nothing was lost; check the disk, or free some space, and try again"
        raise StorageError(f"{doing}: {error.strerror or error}{where}", hint=hint, path=error.filename) from error
