"""What may be wrong with a body or an upload; each error knows the HTTP status that says so.

::

    TransferError                (ModelRegistryError)
    ├── InvalidBodyError         (ValueError)      400  a body that is not what its headers say
    ├── UploadNotFoundError      (LookupError)     404  no such upload, or no such file in it
    ├── TooSlowError             (TimeoutError)    408  too few bytes came in time
    ├── OffsetError              (ValueError)      409  a part that does not begin where the file ends
    ├── ConflictError            (RuntimeError)    409  somebody else is writing the file
    ├── IncompleteError          (ValueError)      409  files of the upload are missing or unfinished
    ├── TooLargeError            (ValueError)      413  more bytes than may come
    └── DigestMismatchError      (IntegrityError)  422  bytes that are not those that were announced

A disk that refuses is a ``StorageError`` of the core.
"""

from __future__ import annotations

from typing import ClassVar

from model_registry import IntegrityError, ModelRegistryError


class TransferError(ModelRegistryError):
    """Base of the errors of this package. ``status`` is the HTTP status."""

    status: ClassVar[int] = 400


class InvalidBodyError(TransferError, ValueError):
    """A body that cannot be understood."""


class UploadNotFoundError(TransferError, LookupError):
    """Facts: ``upload`` and, if that exists, ``number``."""

    status = 404


class TooSlowError(TransferError, TimeoutError):
    """Facts: ``seconds``."""

    status = 408


class OffsetError(TransferError, ValueError):
    """A part must begin where the file ends. Facts: ``offset`` (the right one), ``given``."""

    status = 409


class ConflictError(TransferError, RuntimeError):
    """One file has one writer at a time. Facts: ``path``."""

    status = 409


class IncompleteError(TransferError, ValueError):
    """Facts: ``upload``, ``missing`` (the numbers of files)."""

    status = 409


class TooLargeError(TransferError, ValueError):
    """Facts: ``limit`` (bytes), if it may be told; ``option``, if one says so."""

    status = 413


class DigestMismatchError(TransferError, IntegrityError):
    """The bytes were thrown away. Facts: ``path``, ``expected``, ``found``, ``offset`` (where to go on)."""

    status = 422
