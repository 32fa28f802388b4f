"""The changes that were noted beside a backup: from lines that nobody vouches for to changes that can be made again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from model_registry import canonical_json
from model_registry.actor import MAX_ACTOR_LENGTH
from model_registry.backups import Backups
from model_registry.catalog import actions
from model_registry.clock import moment
from model_registry.digests import is_sha256
from model_registry.errors import ModelRegistryError
from model_registry.names import check_alias, check_line, check_model_name, check_tag
from model_registry.operations.metadata import check_parent
from model_registry.operations.tags import MAX_DESCRIPTION_LENGTH
from model_registry.records import Finding, Parent
from model_registry.versions import check_version

Change = Mapping[str, Any]

#: Changes of one file that are told one by one.
_MOST_TOLD = 10
_UNREADABLE = "the change is not made again; look whether an alias, a tag or a removal is missing"


def changes_since(backups: Backups, event: int, findings: list[Finding]) -> list[Change]:
    """The changes after an event, in their order.

    :param findings: Gets those that cannot be read.
    """
    found: dict[int, Change] = {}
    unreadable: Counter[str] = Counter()
    for file, number, line in backups.read_changes():
        where = f"{file}, line {number}"
        try:
            checked = _checked(canonical_json.load(line, what=where))
        except (ModelRegistryError, AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
            if _is_torn(line):
                findings.append(Finding("info", "change-torn", where, "a line is cut off", ""))
                continue
            unreadable[file] += 1
            if unreadable[file] <= _MOST_TOLD:
                message = f"a change cannot be read: {error!s:.200}"
                findings.append(Finding("warning", "change-unreadable", where, message, _UNREADABLE))
            continue
        if checked["id"] > event:
            found.setdefault(checked["id"], checked)
    for file, count in unreadable.items():
        if count > _MOST_TOLD:
            message = f"{count - _MOST_TOLD} more changes cannot be read"
            findings.append(Finding("warning", "change-unreadable", file, message, _UNREADABLE))
    return [found[id] for id in sorted(found)]


def _is_torn(line: bytes) -> bool:
    """Whether it begins as ours do and has no end: its process was killed before it acknowledged the change."""
    return line.startswith(b"{") and not line.rstrip().endswith(b"}")


def _checked(change: Any) -> Change:
    """:raises ValueError: or a TypeError, KeyError or OverflowError, for what is no change that we noted."""
    id, at, actor, digest = change["id"], change["at"], change["actor"], change["digest"]
    if type(id) is not int or not 0 < id < 1 << 62 or type(at) is not int:
        raise ValueError(f"its number is {id!r:.50}, its time {at!r:.50}")
    moment(at)
    check_line("its actor", actor, MAX_ACTOR_LENGTH)
    if digest is not None and not is_sha256(digest):
        raise ValueError(f"its digest is {digest!r:.80}")
    check_model_name(change["model"])
    if change["version"] is not None:
        check_version(change["version"])
    _CHECKS[change["action"]](change)
    keys = ("id", "at", "actor", "action", "model", "version", "digest", "subject", "before", "after")
    return {key: change[key] for key in keys}


def _of_a_version(change: Change) -> None:
    if change["version"] is None or change["subject"] is not None:
        raise ValueError("it is about no version")


def _of_an_alias(change: Change) -> None:
    check_alias(change["subject"])
    for named in (change["before"], change["after"]):
        if not isinstance(named, Mapping | None):
            raise TypeError("what an alias names is no version")
        if named is not None and "digest" in named:
            check_version(named["version"])
            if not is_sha256(named["digest"]):
                raise ValueError("the digest that an alias names is none")


def _of_a_rollback(change: Change) -> None:
    _of_an_alias(change)
    if type(change["after"]["steps"]) is not int:
        raise TypeError("its steps are no number")


def _of_a_tag(change: Change) -> None:
    for value in (change["before"], change["after"]):
        check_tag(change["subject"], "" if value is None else value)


def _of_a_description(change: Change) -> None:
    for text in (change["before"], change["after"]):
        check_line("a description", "" if text is None else text, MAX_DESCRIPTION_LENGTH)


def _of_a_link(change: Change) -> None:
    _of_a_version({**change, "subject": None})
    check_parent(Parent(change["subject"], **change["after" if change["action"] == actions.LINKED else "before"]))


_CHECKS: Mapping[str, Callable[[Change], None]] = {
    actions.REMOVED: _of_a_version,
    actions.RESTORED: _of_a_version,
    actions.FORGOTTEN: _of_a_version,
    actions.ALIAS_SET: _of_an_alias,
    actions.ALIAS_DELETED: _of_an_alias,
    actions.ALIAS_UNDONE: _of_an_alias,
    actions.ALIAS_ROLLED_BACK: _of_a_rollback,
    actions.TAG_SET: _of_a_tag,
    actions.TAG_DELETED: _of_a_tag,
    actions.DESCRIBED: _of_a_description,
    actions.LINKED: _of_a_link,
    actions.UNLINKED: _of_a_link,
}
