"""When a version was read last, and whether every byte was as registered: by itself, or with the whole registry."""

from __future__ import annotations

from model_registry import ModelEntry
from model_registry_server.server import Server
from model_registry_server.watching.verified import Verification

#: Beginnings of the codes of findings by which the stored bytes are not those that were registered.
_DAMAGE = ("blob-", "manifest-")


def last_verification(server: Server, entry: ModelEntry) -> Verification | None:
    """What was found when the version was read last; None if it never was."""
    found = [server.verified.last(entry.digest), _of_report(server, entry)]
    return max((each for each in found if each is not None), key=lambda each: each.at, default=None)


def _of_report(server: Server, entry: ModelEntry) -> Verification | None:
    """What the newest validation found, if it read every byte, and the version was there."""
    job = server.stored_jobs.newest("validate", "succeeded")
    if job is None or not job.arguments.get("deep") or job.started_at is None or job.finished_at is None:
        return None
    if entry.registered_at > job.started_at:
        return None
    damaged = any(
        finding["code"].startswith(_DAMAGE) and finding["where"].partition(", ")[0] == entry.reference
        for finding in job.result["findings"]
        if finding["severity"] == "error"
    )
    return Verification(job.finished_at, not damaged)
