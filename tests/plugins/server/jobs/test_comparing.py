"""Which tensors of a comparison come first."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from model_registry import ModelRegistry, TensorChange, TensorRecord, VersionNotFoundError
from model_registry_server.jobs.comparing import by_change, compare


def change(name: str, status: str, max_abs: float | None = None, nbytes: int = 4) -> TensorChange:
    side = TensorRecord(name, "uint8", (nbytes,), "model.safetensors", 0, nbytes)
    return TensorChange(
        name, status, None if status == "added" else side, None if status == "removed" else side, max_abs
    )


def test_what_changed_most_comes_first() -> None:
    changes = [
        change("same", "identical", 0.0),
        change("little", "changed", 0.01),
        change("unknown", "changed", None),
        change("much", "changed", 3.5),
        change("broken", "changed", math.inf),
        change("new", "added"),
        change("other", "shape"),
        change("gone", "removed"),
    ]
    names = [each.name for each in by_change(changes)]
    assert names == ["gone", "new", "other", "unknown", "broken", "much", "little"]


def test_the_pages_of_a_comparison_are_of_one(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path / "models")
    for version, data in (("1.0", b"a"), ("2.0", b"b")):
        (tmp_path / version).mkdir()
        for number in range(5):
            (tmp_path / version / str(number)).write_bytes(data * number)
        registry.register_model("m", tmp_path / version, "opaque", version=version)
    digests = [registry.resolve("m", version).digest for version in ("1.0", "2.0")]
    asked = {"a": "m:1.0", "b": "m:2.0", "digests": digests, "differences": False, "most": 2, "differing": False}
    first = compare(registry, {**asked, "starts": {"files": 0}})
    assert ([file["path"] for file in first["files"]], first["file_count"]) == (["0", "1"], 5)
    registry.remove_model("m", "2.0")  # so that it could not be made again
    later = [compare(registry, {**asked, "starts": {"files": start}})["files"] for start in (2, 4)]
    assert [[file["path"] for file in files] for files in later] == [["2", "3"], ["4"]]
    for again in ({"starts": {"files": 0}}, {"starts": {"files": 2}, "digests": [digests[0], "0" * 64]}):
        with pytest.raises(VersionNotFoundError):
            compare(registry, {**asked, **again})


def test_of_those_of_which_nothing_is_known_the_largest_comes_first() -> None:
    changes = [change("small", "changed", nbytes=4), change("large", "changed", nbytes=400)]
    assert [each.name for each in by_change(changes)] == ["large", "small"]
