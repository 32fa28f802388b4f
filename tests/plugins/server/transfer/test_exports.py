"""Exports that are kept: what tells one from another."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_registry import ModelRegistry
from model_registry_server.transfer.archives import Archive
from model_registry_server.transfer.exports import Exports


@pytest.mark.parametrize("archive", [None, Archive.ZIP])
def test_what_is_made_anew_of_other_bytes_has_another_tag(tmp_path: Path, archive: Archive | None) -> None:
    """Who has a part of the first must not be given the rest of the second."""
    exports = Exports(tmp_path / "exports", ModelRegistry(tmp_path / "models"), 1 << 20)
    folder = tmp_path / "exports" / "key" / "made-1.0.0"
    folder.mkdir(parents=True)
    tags = []
    for text in ("a", "bb", "a"):
        (folder / "a.txt").write_text(text)
        content = exports.content("key", None, archive)  # type: ignore[arg-type]
        assert content is not None
        tags.append(content.etag)
    assert tags[0] == tags[2] != tags[1]
