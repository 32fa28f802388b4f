"""The changes that the history knows, by name."""

from __future__ import annotations

REGISTERED, REMOVED, RESTORED, FORGOTTEN = "registered", "removed", "restored", "forgotten"
ALIAS_SET, ALIAS_DELETED = "alias-set", "alias-deleted"
ALIAS_UNDONE, ALIAS_ROLLED_BACK = "alias-undone", "alias-rolled-back"
TAG_SET, TAG_DELETED = "tag-set", "tag-deleted"
DESCRIBED = "described"
LINKED, UNLINKED = "linked", "unlinked"

OF_ALIASES = (ALIAS_SET, ALIAS_DELETED, ALIAS_UNDONE, ALIAS_ROLLED_BACK)
