"""What versions are found by, beside their rows: metrics, labels, and the size of their large blobs."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import suppress

from model_registry.catalog.words import WORD, note_words

#: Bytes from which on blobs are found by their size.
LARGE = 1 << 20


def note_metrics(db: sqlite3.Connection, version_id: int, metrics: Mapping[str, float]) -> None:
    """Note what was measured. What is beyond a double (a whole number of 400 digits) cannot be searched."""
    for name, value in searchable(metrics).items():
        note_words(db, name)
        db.execute(f"INSERT INTO metrics (version_id, name, value) VALUES (?, {WORD}, ?)", (version_id, name, value))


def searchable(metrics: Mapping[str, float]) -> dict[str, float]:
    """The metrics that are finite doubles."""
    found = {}
    for name, value in metrics.items():
        with suppress(OverflowError):
            if math.isfinite(number := float(value)):
                found[name] = number
    return found


def note_labels(db: sqlite3.Connection, version_id: int, labels: Iterable[str]) -> None:
    """Note the words that a version is tagged with."""
    for label in dict.fromkeys(labels):
        note_words(db, label)
        db.execute(f"INSERT INTO labels (version_id, word) VALUES (?, {WORD})", (version_id, label))
