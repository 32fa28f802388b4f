"""What a command exits with, and which error leads to which code. The numbers never change."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

from model_registry import errors


class ExitCode(IntEnum):
    """How a command ended."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    NOT_FOUND = 3
    EXISTS = 4
    INTEGRITY = 5
    REFUSED = 6
    UNSUPPORTED = 7
    STORAGE = 8
    MISMATCH = 9
    REPAIRED = 10
    INTERRUPTED = 130
    BROKEN_PIPE = 141


MEANINGS: Mapping[ExitCode, str] = {
    ExitCode.OK: "done",
    ExitCode.FAILURE: "an unexpected failure: a bug, or memory that ran out",
    ExitCode.USAGE: "a mistake in the command, its values or the configuration",
    ExitCode.NOT_FOUND: "no such registry, model, version or file",
    ExitCode.EXISTS: "the version or the export's destination exists already",
    ExitCode.INTEGRITY: "bytes that are not those registered, or errors found by validation",
    ExitCode.REFUSED: "refused for safety: unsafe content, code that nobody permitted, or a caller who may not do it",
    ExitCode.UNSUPPORTED: "no plugin does it: missing, failing, or unable to handle this model",
    ExitCode.STORAGE: "the disk, the database or the operating system refused",
    ExitCode.MISMATCH: "what a conversion made computes something else than its source, or a smaller model is too bad",
    ExitCode.REPAIRED: "something was wrong, and no error is left",
    ExitCode.INTERRUPTED: "interrupted (Ctrl-C)",
    ExitCode.BROKEN_PIPE: "the reader of the output went away",
}

#: The first class that fits decides, so subclasses stand before what they inherit from.
_CODES: tuple[tuple[type[BaseException], ExitCode], ...] = (
    (errors.ModelNotFoundError, ExitCode.NOT_FOUND),
    (errors.SourceNotFoundError, ExitCode.NOT_FOUND),
    (errors.RegistryNotFoundError, ExitCode.NOT_FOUND),
    (errors.VersionExistsError, ExitCode.EXISTS),
    (errors.DestinationExistsError, ExitCode.EXISTS),
    (errors.InvalidNameError, ExitCode.USAGE),
    (errors.InvalidMetadataError, ExitCode.USAGE),
    (errors.InvalidOptionError, ExitCode.USAGE),
    (errors.InvalidQueryError, ExitCode.USAGE),
    (errors.ConfigurationError, ExitCode.USAGE),
    (errors.IntegrityError, ExitCode.INTEGRITY),
    (errors.UnsafeModelError, ExitCode.REFUSED),
    (errors.UnsupportedFormatError, ExitCode.UNSUPPORTED),
    (errors.UnsupportedModelError, ExitCode.UNSUPPORTED),
    (errors.ClassNotFoundError, ExitCode.UNSUPPORTED),
    (errors.PluginError, ExitCode.UNSUPPORTED),
    (errors.ParityError, ExitCode.MISMATCH),
    (errors.StorageError, ExitCode.STORAGE),
    (errors.RegistrationLostError, ExitCode.STORAGE),
    (errors.ModelRegistryError, ExitCode.FAILURE),
    (BrokenPipeError, ExitCode.BROKEN_PIPE),
    (OSError, ExitCode.STORAGE),
    (KeyboardInterrupt, ExitCode.INTERRUPTED),
)


def code_of(error: BaseException) -> ExitCode:
    """The exit code of a command that ended with this error."""
    if isinstance(error, errors.ModelRegistryError) and isinstance(error, PermissionError):
        return ExitCode.REFUSED  # also by what a plugin opens, whose errors are its own
    return next((code for kind, code in _CODES if isinstance(error, kind)), ExitCode.FAILURE)
