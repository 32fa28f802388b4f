"""A repository of a hub as it was downloaded."""

from __future__ import annotations

from pathlib import Path

from attrs import frozen


@frozen
class Snapshot:
    """The folder of one commit in the hub's cache, which consists of links into that cache.

    :param folder: The folder.
    :param cache: Where the links may lead to.
    """

    folder: Path
    cache: Path
