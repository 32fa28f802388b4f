"""Webhooks and their deliveries, as records."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from fnmatch import fnmatchcase

from attrs import frozen

from model_registry import Event


@frozen
class Webhook:
    """Who is told of what. Its secret is kept apart, and told to nobody again.

    :param events: Actions of the history, such as ``alias-set``; patterns may stand for several: ``alias-*``, ``*``.
    :param models: Names of models, or patterns such as ``team-a/*``; ``*`` stands for any characters, also ``/``.
    :param active: Whether anything is sent.
    :param ended_because: Why the server itself made it inactive; None if it did not.
    """

    id: str
    url: str
    events: tuple[str, ...]
    models: tuple[str, ...]
    description: str | None
    active: bool
    created_at: datetime
    ended_because: str | None = None

    def wants(self, event: Event) -> bool:
        """Whether it is told of an event."""
        name = event.model.lower()
        return any(fnmatchcase(event.action, pattern) for pattern in self.events) and any(
            fnmatchcase(name, pattern.lower()) for pattern in self.models
        )


class DeliveryState(str, Enum):
    """What has become of a delivery."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"

    def __str__(self) -> str:
        return self.value


@frozen
class Delivery:
    """One message to one webhook, however often it is tried.

    :param id: Receivers get it as ``webhook-id``, the same with every try.
    :param webhook: The id of the webhook.
    :param event: The id of the event; None for a test.
    :param action: What happened; ``ping`` for a test.
    :param attempts: How often it was tried.
    :param next_try_at: When it is tried next; None if it is not.
    :param status: The status that the last try was answered with; None if there was no answer.
    :param error: What went wrong in the last try; None if nothing did.
    :param duration: Seconds that the last try took.
    :param body: What is sent: JSON.
    """

    id: str
    webhook: str
    event: int | None
    action: str
    state: DeliveryState
    attempts: int
    created_at: datetime
    next_try_at: datetime | None
    last_try_at: datetime | None
    status: int | None
    error: str | None
    duration: float | None
    body: str


@frozen
class Parcel:
    """A delivery that is due, with all that is needed to send it."""

    id: str
    webhook: str
    url: str
    secret: str
    action: str
    attempts: int
    body: bytes


@frozen
class Outcome:
    """What became of one try.

    :param duration: Seconds that it took.
    :param status: The status of the answer; None if there was none.
    :param error: What went wrong; None if nothing did.
    :param retry_after: Seconds to wait, as the receiver asks; None if it does not.
    """

    duration: float
    status: int | None = None
    error: str | None = None
    retry_after: float | None = None
