"""A job: work that was asked for, and what became of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from attrs import asdict, frozen

from model_registry import ModelRegistryError

JobState = Literal["queued", "running", "cancelling", "succeeded", "failed", "cancelled"]

#: States that never change any more.
ENDED: frozenset[str] = frozenset({"succeeded", "failed", "cancelled"})


class JobNotFoundError(ModelRegistryError, ValueError):
    """There is no such job, or it was forgotten. Facts: ``job``."""

    status = 404


@frozen
class Job:
    """One job, as it was when it was asked for.

    :param id: 16 hexadecimal digits, at random.
    :param kind: The name of the task.
    :param key: Jobs of one key are the same work, of which only one is queued or running.
    :param arguments: Those of the task.
    :param models: The names of the models that it is about.
    :param actor: Who is recorded for what it changes.
    :param owner: Whose it is, whomever the owner says to act for. It is told to nobody.
    :param attempts: How often it was begun.
    :param progress: The newest report: ``what``, ``bytes_done``, ``bytes_total``, ``items_done``, ``items_total``.
    :param result_text: What the task gave, as JSON, once it has succeeded. It may be megabytes: whoever only hands it
        on need not parse it.
    :param error: Why it failed: ``type``, ``message``, ``hint``, ``facts``.
    """

    id: str
    kind: str
    key: str | None
    arguments: Mapping[str, Any]
    models: tuple[str, ...]
    actor: str
    owner: str
    state: JobState
    attempts: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    progress: Mapping[str, Any] | None
    result_text: str | None
    error: Mapping[str, Any] | None

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in ENDED

    @property
    def result(self) -> Any:
        """What the task gave, parsed each time anew."""
        return None if self.result_text is None else json.loads(self.result_text)

    def document(self) -> dict[str, Any]:
        """Every field that may be told but for the result, for JSON; times in ISO 8601, UTC."""
        document = asdict(self, recurse=False)
        del document["owner"], document["result_text"]
        for name in ("created_at", "started_at", "finished_at"):
            if document[name] is not None:
                document[name] = document[name].isoformat()
        return {**document, "models": list(self.models)}
