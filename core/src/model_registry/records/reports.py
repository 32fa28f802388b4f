"""What long work tells, while it goes on and when it is done."""

from __future__ import annotations

from attrs import frozen

from model_registry.errors import ModelRegistryError
from model_registry.records.entry import ModelEntry
from model_registry.records.metadata import MEGABYTE


@frozen
class Finding:
    """One result of validation.

    :param severity: ``"error"``: the version must not be used; ``"warning"``: it can be, but look; ``"info"``.
    :param code: Stable identifier such as ``"blob-damaged"``.
    :param where: What it is about: ``name:version``, and a file where one is meant.
    :param message: What was found.
    :param advice: What to do.
    """

    severity: str
    code: str
    where: str
    message: str
    advice: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" + (f" — {self.advice}" if self.advice else "")


@frozen
class ProgressReport:
    """How far an operation has come, as ``registry.progress`` tells it.

    :param what: What is being done, for people: ``validating``, ``loading m:1.0.0``.
    :param bytes_done: Bytes read, written, or found to need neither.
    :param bytes_total: As far as is known; None if it is not. Likewise ``items_total``.
    :param items_done: What is counted beside bytes: versions, blobs.
    :param operation: Tells apart operations that go on at once.
    :param finished: This is the last report of the operation, whatever became of it.
    """

    what: str
    bytes_done: int = 0
    bytes_total: int | None = None
    items_done: int = 0
    items_total: int | None = None
    operation: int = 0
    finished: bool = False


@frozen
class CollectReport:
    """What garbage collection did: versions forgotten for good, blobs and packs unlinked, bytes freed."""

    versions: int = 0
    blobs: int = 0
    bytes: int = 0
    packs: int = 0


@frozen
class RebuildReport:
    """What rebuilding a catalog found.

    :param versions: Visible versions that the new catalog has.
    :param removed: Removed ones, which can be restored.
    :param backup: The backup that it began with, or the old catalog itself if that was sound; None if there was none
        that could be read.
    :param changes: Changes made again that were noted since.
    :param findings: What could not be brought back, or should be looked at.
    :param moved: The folder where the old catalog is now; None if there was none.
    """

    versions: int
    removed: int
    backup: str | None
    changes: int
    findings: tuple[Finding, ...]
    moved: str | None


@frozen
class RepairReport:
    """What repairing did.

    :param done: What was wrong and is right now; with ``dry_run``, what would be.
    :param left: What is still wrong.
    """

    done: tuple[Finding, ...] = ()
    left: tuple[Finding, ...] = ()


@frozen
class BatchFailure:
    """One of many that failed.

    :param what: What it was: ``name:version`` as far as it is known.
    :param error: Why; whatever was raised.
    """

    what: str
    error: Exception

    def __str__(self) -> str:
        return (
            f"{self.what}: {self.error}"
            if isinstance(self.error, ModelRegistryError)
            else f"{self.what}: {self.error!r}"
        )


@frozen
class BatchReport:
    """What became of many. One that fails stops no other. ``str(report)`` says it in words, a line for each failure.

    :param action: What was done: ``"registered"``, ``"removed"`` or ``"copied"``.
    :param done: The versions to which it was done; in a dry run, to which it would be.
    :param skipped: Those that were there already.
    :param failed: Those that failed, in order.
    :param bytes: Of the files of what was done; of what was copied, only those that had to be.
    :param seconds: How long it took.
    :param dry_run: Nothing was changed.
    """

    action: str
    done: tuple[ModelEntry, ...] = ()
    skipped: tuple[ModelEntry, ...] = ()
    failed: tuple[BatchFailure, ...] = ()
    bytes: int = 0
    seconds: float = 0.0
    dry_run: bool = False

    @property
    def ok(self) -> bool:
        """Whether none failed."""
        return not self.failed

    def raise_for_failures(self) -> None:
        """Raise the error of the first that failed, if any did."""
        if self.failed:
            raise self.failed[0].error

    def __str__(self) -> str:
        return "\n".join([self.summary, *(f"  {failure}" for failure in self.failed)])

    @property
    def summary(self) -> str:
        """The counts, in one line."""
        count = len(self.done)
        done = f"{self.action} {count:,} version{'' if count == 1 else 's'}, {self.bytes / MEGABYTE:,.1f} MB"
        parts = [f"would have {done}" if self.dry_run else f"{done}, in {self.seconds:,.1f} s"]
        parts += [f"skipped {len(self.skipped):,}"] if self.skipped else []
        parts += [f"{len(self.failed):,} failed"] if self.failed else []
        return "; ".join(parts)
