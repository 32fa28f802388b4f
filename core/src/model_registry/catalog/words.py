"""Words that occur again and again are kept once, and rows have their numbers."""

from __future__ import annotations

import sqlite3

#: The number of a word; no number, which matches nothing, for a word that occurs nowhere.
WORD = "(SELECT id FROM words WHERE word = ?)"


def note_words(db: sqlite3.Connection, *words: str) -> None:
    """Make sure that the words have numbers."""
    db.executemany("INSERT OR IGNORE INTO words (word) VALUES (?)", [(word,) for word in words])
