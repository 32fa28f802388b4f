"""Making a change again that was noted before the catalog was lost. If what it is about is gone, it is history."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

from model_registry.catalog import actions
from model_registry.catalog.history import insert_event
from model_registry.catalog.inserting import known_model, raise_highest
from model_registry.catalog.lineage import link, unlink
from model_registry.catalog.words import WORD, note_words
from model_registry.records import Parent
from model_registry.versions import sort_key

Change = Mapping[str, Any]


def apply(db: sqlite3.Connection, change: Change) -> None:
    """Make a change, and write it into the history under its own id.

    :param change: The keys of :class:`model_registry.catalog.facts.EventRow`, and ``digest``; checked by the caller.
    """
    model_id = known_model(db, change["model"])
    if change["version"] is not None:
        raise_highest(db, model_id, change["version"])
    action = _ACTIONS.get(change["action"])
    if action is not None:
        action(db, model_id, change)
    known = (change[key] for key in ("version", "subject", "before", "after"))
    insert_event(db, change["id"], change["at"], change["actor"], change["action"], model_id, *known)


def _visible(db: sqlite3.Connection, model_id: int, version: str, digest: str | None) -> int | None:
    query = "SELECT id FROM versions WHERE model_id = ? AND sort_key = ? AND digest = ? AND removed_at IS NULL"
    return _id(db, query, model_id, version, digest)


def _removed(db: sqlite3.Connection, model_id: int, version: str, digest: str | None) -> int | None:
    query = "SELECT id FROM versions WHERE model_id = ? AND sort_key = ? AND digest = ? AND removed_at IS NOT NULL"
    return _id(db, f"{query} ORDER BY removed_at DESC LIMIT 1", model_id, version, digest)


def _version(db: sqlite3.Connection, model_id: int, version: str, digest: str | None) -> int | None:
    id = _visible(db, model_id, version, digest)
    return _removed(db, model_id, version, digest) if id is None else id


def _id(db: sqlite3.Connection, query: str, model_id: int, version: str, digest: str | None) -> int | None:
    if digest is None:
        return None
    found = db.execute(query, (model_id, sort_key(version), bytes.fromhex(digest))).fetchone()
    return found and int(found[0])


def _remove(db: sqlite3.Connection, model_id: int, change: Change) -> None:
    id = _visible(db, model_id, change["version"], change["digest"])
    if id is not None:
        older = "DELETE FROM versions WHERE model_id = ? AND sort_key = ? AND removed_at IS NOT NULL"
        db.execute(older, (model_id, sort_key(change["version"])))
        db.execute("UPDATE versions SET removed_at = ? WHERE id = ?", (change["at"], id))


def _restore(db: sqlite3.Connection, model_id: int, change: Change) -> None:
    id = _removed(db, model_id, change["version"], change["digest"])
    if id is not None:  # or a version of its number is visible: then that one stays
        db.execute("UPDATE OR IGNORE versions SET removed_at = NULL WHERE id = ?", (id,))


def _forget(db: sqlite3.Connection, model_id: int, change: Change) -> None:
    id = _removed(db, model_id, change["version"], change["digest"])
    if id is not None:
        db.execute("DELETE FROM versions WHERE id = ?", (id,))


def _name(db: sqlite3.Connection, model_id: int, change: Change) -> None:
    """Let an alias name what it named after the change, if that is known."""
    alias, after = change["subject"], change["after"] or {}
    id = _version(db, model_id, after["version"], after["digest"]) if "digest" in after else None
    db.execute("DELETE FROM aliases WHERE model_id = ? AND key = ?", (model_id, alias.lower()))
    if id is not None:
        values = (model_id, alias.lower(), alias, id)
        db.execute("INSERT INTO aliases (model_id, key, alias, version_id) VALUES (?, ?, ?, ?)", values)


def _tag(db: sqlite3.Connection, model_id: int, change: Change) -> None:
    table, owner = ("model_tags", "model_id") if change["version"] is None else ("version_tags", "version_id")
    id = _owner(db, model_id, change)
    if id is None:
        return
    note_words(db, change["subject"])
    db.execute(f"DELETE FROM {table} WHERE {owner} = ? AND key = {WORD}", (id, change["subject"]))
    if change["after"] is not None:
        values = (id, change["subject"], change["after"])
        db.execute(f"INSERT INTO {table} ({owner}, key, value) VALUES (?, {WORD}, ?)", values)


def _describe(db: sqlite3.Connection, model_id: int, change: Change) -> None:
    table = "models" if change["version"] is None else "versions"
    db.execute(f"UPDATE {table} SET description = ? WHERE id = ?", (change["after"], _owner(db, model_id, change)))


def _link(db: sqlite3.Connection, model_id: int, change: Change) -> None:
    id = _owner(db, model_id, change)
    if id is not None:
        link(db, id, Parent(change["subject"], **change["after"]))


def _unlink(db: sqlite3.Connection, model_id: int, change: Change) -> None:
    unlink(db, _owner(db, model_id, change), Parent(change["subject"], **change["before"]))


def _owner(db: sqlite3.Connection, model_id: int, change: Change) -> int | None:
    """Whom a tag or description belongs to: the model, or the version."""
    return model_id if change["version"] is None else _version(db, model_id, change["version"], change["digest"])


_ACTIONS: Mapping[str, Callable[[sqlite3.Connection, int, Change], None]] = {
    actions.REMOVED: _remove,
    actions.RESTORED: _restore,
    actions.FORGOTTEN: _forget,
    actions.ALIAS_SET: _name,
    actions.ALIAS_DELETED: _name,
    actions.ALIAS_UNDONE: _name,
    actions.ALIAS_ROLLED_BACK: _name,
    actions.TAG_SET: _tag,
    actions.TAG_DELETED: _tag,
    actions.DESCRIBED: _describe,
    actions.LINKED: _link,
    actions.UNLINKED: _unlink,
}
