"""What was changed, and what comes from what."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from attrs import frozen

from model_registry.records.entry import ModelEntry
from model_registry.records.metadata import Parent


@frozen
class Event:
    """One change, as the history keeps it.

    :param id: Ascending; later changes have greater ones.
    :param at: When, in UTC.
    :param actor: Who: ``user@host``, or whom ``registry.acting_as`` named.
    :param action: ``registered``, ``removed``, ``restored``, ``forgotten``, ``alias-set``, ``alias-deleted``,
        ``alias-undone``, ``alias-rolled-back``, ``tag-set``, ``tag-deleted``, ``described``, ``linked`` or
        ``unlinked``.
    :param model: The model's name.
    :param version: The version; None where it is about the model.
    :param subject: The alias, the tag's key, or the relation.
    :param before: What was; None if nothing.
    :param after: What is since then; None if nothing.
    """

    id: int
    at: datetime
    actor: str
    action: str
    model: str
    version: str | None = None
    subject: str | None = None
    before: Any = None
    after: Any = None


@frozen
class LineageNode:
    """A version, or what else one comes from, and what is known around it.

    :param parent: What it is, as its children know it. ``relation`` is the edge by which it was reached; empty for the
        version that was asked about.
    :param state: ``"visible"``, ``"removed"`` (it can be restored), or ``"unknown"``: forgotten, of another registry,
        or no version at all.
    :param entry: The version, if it is visible or can be restored.
    :param parents: What it comes from.
    :param children: What comes from it.
    :param repeated: It stands elsewhere in the tree too, and what is around it is told there.
    """

    parent: Parent
    state: str
    entry: ModelEntry | None = None
    parents: tuple[LineageNode, ...] = ()
    children: tuple[LineageNode, ...] = ()
    repeated: bool = False

    @property
    def reference(self) -> str:
        """``name:version``, for people."""
        return self.parent.reference
