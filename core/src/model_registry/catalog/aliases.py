"""Aliases in SQLite. Their history is the catalog's history, and undoing reads it."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from attrs import frozen

from model_registry.catalog import VersionRow, actions
from model_registry.catalog.connection import Connections
from model_registry.catalog.facts import VersionKey
from model_registry.catalog.history import record
from model_registry.catalog.rows import SELECT, VISIBLE, id_of, one, row_of, visible_id
from model_registry.digests import is_sha256
from model_registry.errors import AliasMovedError, ModelRegistryError, VersionNotFoundError
from model_registry.names import name_key
from model_registry.versions import check_version, sort_key

#: What an alias names, as the history tells it: the ``version`` and its ``digest``.
Named = dict[str, Any]

_NAMED = f"{SELECT} JOIN aliases a ON a.version_id = v.id WHERE m.key = ? AND a.key = ?"
#: What was said of an alias, the oldest first.
_FROM = f"""
    FROM events e
    WHERE e.model_id = ? AND lower(e.subject) = ?
        AND e.action IN (SELECT id FROM words WHERE word IN {actions.OF_ALIASES})
"""
_TOLD = f"SELECT (SELECT word FROM words WHERE id = e.action), e.before, e.after {_FROM} ORDER BY e.id"


class SqliteAliases:
    """See :class:`model_registry.catalog.facts.Aliases`."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def get(self, name: str, alias: str) -> VersionRow | None:
        with self._connections.reading() as db:
            return one(db, _NAMED, name_key(name), alias.lower())

    def of_model(self, name: str) -> dict[str, str]:
        query = """
            SELECT a.alias, v.version FROM aliases a
            JOIN versions v ON v.id = a.version_id JOIN models m ON m.id = a.model_id
            WHERE m.key = ? ORDER BY a.key
        """
        with self._connections.reading() as db:
            return dict(db.execute(query, (name_key(name),)))

    def of_version(self, version: VersionKey) -> tuple[str, ...]:
        with self._connections.reading() as db:
            query = "SELECT alias FROM aliases WHERE version_id = ? ORDER BY key"
            return tuple(alias for (alias,) in db.execute(query, (id_of(db, version),)))

    def set(self, name: str, alias: str, version: str) -> VersionRow:
        with self._connections.writing(durable=True) as db:
            id, model, _ = visible_id(db, name, version)
            before = _named(db, model, alias)
            _put(db, model, alias, id)
            after = _named(db, model, alias)
            if before != after:
                record(db, actions.ALIAS_SET, model, _version_of(after), alias, before=before, after=after)
            return _row(db, id)

    def delete(self, name: str, alias: str) -> bool:
        with self._connections.writing(durable=True) as db:
            found = db.execute("SELECT id FROM models WHERE key = ?", (name_key(name),)).fetchone()
            before = found and _named(db, found[0], alias)
            if before is None:
                return False
            db.execute("DELETE FROM aliases WHERE model_id = ? AND key = ?", (found[0], alias.lower()))
            record(db, actions.ALIAS_DELETED, found[0], _version_of(before), alias, before=before)
            return True

    def undo(self, name: str, alias: str, *, expected: int | None = None) -> VersionRow | None:
        with self._connections.writing(durable=True) as db:
            model = _model(db, name)
            if expected not in (None, _newest(db, model, alias)):
                raise _moved(name, alias, expected, _named(db, model, alias))
            changes, _ = _past(db, model, alias)
            if not changes:
                raise _nothing(name, alias)
            before = changes[-1].before
            id = None if before is None else _visible_with(db, name, before)
            if before is not None and id is None:
                raise _not_there(name, alias, before)
            return _go(db, model, alias, actions.ALIAS_UNDONE, id, before)

    def rollback(self, name: str, alias: str) -> VersionRow:
        with self._connections.writing(durable=True) as db:
            model = _model(db, name)
            _, trail = _past(db, model, alias)
            now, steps = _named(db, model, alias), 0
            while trail is not None:
                before, trail, steps = trail.before, trail.rest, steps + 1
                id = None if before is None or before == now else _visible_with(db, name, before)
                found = id and _go(db, model, alias, actions.ALIAS_ROLLED_BACK, id, {**(before or {}), "steps": steps})
                if found:
                    return found
        raise _nothing(name, alias)


@frozen
class _Trail:
    """What an alias named, going back."""

    before: Named | None
    rest: _Trail | None


@frozen
class _Done:
    """A change that was not taken back: what the alias named before it, and the trail that it had then."""

    before: Named | None
    trail: _Trail | None


def _past(db: sqlite3.Connection, model_id: int, alias: str) -> tuple[list[_Done], _Trail | None]:
    """The changes of an alias that can be taken back, the oldest first, and the versions that it can go back to.

    Taking back a change is as if it had not been. Rolling back is a change too, after which the versions that it
    passed by are no longer behind the alias.
    """
    changes: list[_Done] = []
    trail: _Trail | None = None
    for action, before, after in db.execute(_TOLD, (model_id, alias.lower())):
        if action == actions.ALIAS_UNDONE:
            trail = changes.pop().trail if changes else None
            continue
        named = _read(before)
        changes.append(_Done(named, trail))
        if action == actions.ALIAS_ROLLED_BACK:
            steps = (_read(after) or {}).get("steps", 0)
            while trail is not None and steps > 0:
                trail, steps = trail.rest, steps - 1
        else:
            trail = _Trail(named, trail)
    return changes, trail


def _read(text: str | None) -> Named | None:
    """What the history says that an alias named; nothing, if it is not as we write it."""
    try:
        named = json.loads(text or "null")
        if named is None or not is_sha256(named["digest"]) or type(named.get("steps", 0)) is not int:
            return None
        return {**named, "version": check_version(named["version"])}
    except (ModelRegistryError, AttributeError, LookupError, TypeError, ValueError):
        return None


def _go(
    db: sqlite3.Connection, model_id: int, alias: str, action: str, version_id: int | None, after: Named | None
) -> VersionRow | None:
    """Let an alias name a version again, or nothing."""
    now = _named(db, model_id, alias)
    if version_id is None:
        db.execute("DELETE FROM aliases WHERE model_id = ? AND key = ?", (model_id, alias.lower()))
    else:
        _put(db, model_id, alias, version_id)
    record(db, action, model_id, _version_of(after or now), alias, before=now, after=after)
    return None if version_id is None else _row(db, version_id)


def _model(db: sqlite3.Connection, name: str) -> int:
    found = db.execute("SELECT id FROM models WHERE key = ?", (name_key(name),)).fetchone()
    return int(found[0]) if found else 0


def _newest(db: sqlite3.Connection, model_id: int, alias: str) -> int:
    """The id of the newest event of an alias; 0 if there is none."""
    found = db.execute(f"SELECT max(e.id) {_FROM}", (model_id, alias.lower())).fetchone()
    return int(found[0] or 0)


def forget(db: sqlite3.Connection, version_id: int) -> None:
    """Say of the aliases of a version that is about to be forgotten that they go with it."""
    query = "SELECT model_id, alias FROM aliases WHERE version_id = ?"
    for model, alias in db.execute(query, (version_id,)).fetchall():
        before = _named(db, model, alias)
        record(db, actions.ALIAS_DELETED, model, _version_of(before), alias, before=before)


def _named(db: sqlite3.Connection, model_id: int, alias: str) -> Named | None:
    """What an alias names, as the history tells it."""
    query = """
        SELECT v.version, lower(hex(v.digest)) FROM aliases a JOIN versions v ON v.id = a.version_id
        WHERE a.model_id = ? AND a.key = ?
    """
    found = db.execute(query, (model_id, alias.lower())).fetchone()
    return found and {"version": str(found[0]), "digest": found[1]}


def _version_of(named: Named | None) -> str | None:
    return None if named is None else str(named["version"])


def _put(db: sqlite3.Connection, model_id: int, alias: str, version_id: int) -> None:
    db.execute(
        "REPLACE INTO aliases (model_id, key, alias, version_id) VALUES (?, ?, ?, ?)",
        (model_id, alias.lower(), alias, version_id),
    )


def _visible_with(db: sqlite3.Connection, name: str, named: Named) -> int | None:
    """The id of the version that was named, if it is visible: the same manifest, not another of its number."""
    query = f"SELECT v.id FROM versions v JOIN models m ON m.id = v.model_id WHERE {VISIBLE}"
    values = (name_key(name), sort_key(named["version"]), bytes.fromhex(named["digest"]))
    found = db.execute(f"{query} AND v.sort_key = ? AND v.digest = ?", values).fetchone()
    return found and int(found[0])


def _row(db: sqlite3.Connection, id: int) -> VersionRow:
    return row_of(db.execute(f"{SELECT} WHERE v.id = ?", (id,)).fetchone())


def _moved(name: str, alias: str, expected: int | None, now: Named | None) -> AliasMovedError:
    where = "is gone" if now is None else f"names {name}:{now['version']}"
    return AliasMovedError(
        f"somebody changed @{alias} of {name!r} meanwhile: it {where}",
        hint="look at the history, and move it to where it belongs",
        model=name,
        alias=alias,
        expected=expected,
    )


def _nothing(name: str, alias: str) -> VersionNotFoundError:
    return VersionNotFoundError(
        f"alias @{alias} of {name!r} has nothing to go back to",
        hint=f"«model-registry history {name} --alias {alias}» tells what it named",
        model=name,
        alias=alias,
    )


def _not_there(name: str, alias: str, named: Named) -> VersionNotFoundError:
    return VersionNotFoundError(
        f"before, alias @{alias} named {name}:{named['version']}, which is not there any more",
        hint="restore that version, or roll back to the last one that is there",
        model=name,
        version=named["version"],
        alias=alias,
    )
