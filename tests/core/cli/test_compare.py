"""``compare``: what differs between two versions, for people and for programs."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import run
from fake_plugins import Installer

from model_registry import ModelRegistry

#: Tensors as a text file lists them: name, dtype and bytes, a line each.
LISTED = """
from model_registry import TensorRecord, hookimpl

class Plugin:
    @hookimpl
    def tensors(self, format, files):
        offset = 0
        for line in files.read("part-0.bin").splitlines(keepends=True):
            name, dtype, value = line.decode("utf-8").split(" ")
            start = offset + len(line) - len(value.encode("utf-8"))
            yield TensorRecord(name, dtype, (len(value) - 1, 1), "part-0.bin", start, len(value) - 1)
            offset += len(line)

    @hookimpl
    def modules(self, format, files):
        lines = files.read("part-0.bin").decode("utf-8").splitlines()
        return {line.split(" ")[0].rpartition(".")[0]: f"Layer({line.split(' ')[1]})" for line in lines}

    @hookimpl
    def difference(self, dtype, a, b):
        if dtype == "uint8":
            return float(max(abs(x - y) for x, y in zip(a, b))), float(sum(abs(x - y) for x, y in zip(a, b)))
"""


def register(name: str, *tensors: str, **metadata: object) -> None:
    ModelRegistry("models").register_model(name, "".join(f"{line}\n" for line in tensors).encode(), **metadata)


def words(*arguments: str) -> list[str]:
    """The lines of the page, with one space between words."""
    done = run("compare", *arguments)
    assert (done.code, done.err) == (0, "")
    return [" ".join(line.split()) for line in done.out.splitlines()]


@pytest.fixture(autouse=True)
def listed(install: Installer) -> None:
    install("listed", LISTED)


@pytest.fixture
def two() -> None:
    """Two versions that differ in everything."""
    register(
        "m", "in.w uint8 aaaa", "in.b uint8 a", "mid.w uint8 abc", "mid.b int8 abc", "old.w uint8 a", "same.w uint8 a",
        performance_metrics={"f1": 0.5, "loss": 3, "gone": 1}, description="first", note=["a", "b"],
    )  # fmt: skip
    register(
        "m", "in.w uint8 aaca", "in.b uint8 z", "mid.w uint8 ab", "mid.b uint8 abc", "new.w uint8 a", "same.w uint8 a",
        performance_metrics={"f1": 0.75, "loss": 2, "come": 1}, author="Ada", note=["a", "c"],
    )  # fmt: skip


def test_the_page_tells_what_differs(two: None) -> None:
    page = words("m:1.0.0", "m:1.0.1", "--differences")
    assert page[0] == "m:1.0.0 → m:1.0.1"
    for line in (
        "field m:1.0.0 m:1.0.1", "description first –", "author – Ada", "extra.note a, b a, c",
        "f1 0.5 0.75 ▲ +0.25", "loss 3 2 ▼ -1", "gone 1 –", "come – 1",
        "1 file: 1 changed",
        "changed mid Layer(int8)", "→ Layer(uint8)", "removed old Layer(uint8)", "added new Layer(uint8)",
        "7 tensors: 2 changed, 1 other shape, 1 other dtype, 1 added, 1 removed, 1 identical",
        "changed 25 25 1×1 uint8 in.b", "changed 2 0.5 4×1 uint8 in.w", "other shape 3×1 → 2×1 uint8 mid.w",
        "other dtype 3×1 int8 → uint8 mid.b", "added 1×1 uint8 new.w", "removed 1×1 uint8 old.w",
    ):  # fmt: skip
        assert line in page
    assert page.index("changed 25 25 1×1 uint8 in.b") < page.index("changed 2 0.5 4×1 uint8 in.w")
    assert not any("same.w" in line for line in page)
    assert "Notes" not in page


def test_without_differences_the_largest_comes_first(two: None) -> None:
    page = words("m:1.0.0", "m")
    assert page.index("changed 4×1 uint8 in.w") < page.index("changed 1×1 uint8 in.b")


def test_nothing_differs(two: None) -> None:
    assert words("m", "m:1.0.1") == ["m:1.0.1 → m:1.0.1", "nothing differs"]


def test_parents_are_told_by_name(alone: Path) -> None:
    register("base", "w uint8 a")
    register("m", "w uint8 a")
    register("m", "w uint8 a", parent="base", version="2")
    assert "parents base:1.0.0 (derived)" in words("m:1.0.0", "m:2")


def test_a_long_list_is_cut(alone: Path) -> None:
    register("a", *(f"t{number}.w uint8 a" for number in range(100)))
    register("b", *(f"t{number}.w uint8 b" for number in range(100)))
    page = words("a", "b", "--differences")
    assert "100 tensors: 100 changed" in page
    assert sum("uint8 t" in line for line in page) == 40
    assert "… and 60 rows more; --json gives them all" in page
    assert len(run("compare", "a", "b", "--json").document["tensors"]) == 100


def test_what_was_not_compared_is_said(two: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_REGISTRY_DISABLED_PLUGINS", "listed")
    page = words("m:1.0.0", "m:1.0.1")
    note = "tensors were not compared: no plugin tells those of the format 'bytes' (m:1.0.0)"
    assert page[page.index("Notes") + 1] == note
    assert "Tensors" not in page


def test_names_from_a_file_reach_the_terminal_as_text(alone: Path) -> None:
    register("a", "x\x1b[31m.w uint8 a")
    register("b", "y\x1b[31m.w uint8 b")
    assert "\x1b" not in run("compare", "a", "b").out


def test_json_has_everything(two: None) -> None:
    document = run("compare", "m:1.0.0", "m", "--differences", "--json").document
    assert (document["a"]["version"], document["b"]["version"]) == ("1.0.0", "1.0.1")
    assert document["identical"] is False
    assert {"name": "loss", "a": 3, "b": 2, "delta": -1} in document["metrics"]
    assert {"key": "description", "a": "first", "b": None} in document["metadata"]
    assert {"key": "mid", "a": "Layer(int8)", "b": "Layer(uint8)"} in document["modules"]
    changed = {row["name"]: row for row in document["tensors"]}["in.w"]
    assert (changed["status"], changed["max_abs"], changed["mean_abs"]) == ("changed", 2, 0.5)
    assert changed["a"]["shape"] == [4, 1]
    assert document["files"][0]["status"] == "changed"
    assert document["environment"] == document["notes"] == []


def test_infinite_differences(alone: Path, install: Installer) -> None:
    install("nan", "from model_registry import hookimpl\nclass Plugin:\n    @hookimpl(tryfirst=True)\n"
            "    def difference(self, dtype, a, b): return float('inf'), float('inf')\n")  # fmt: skip
    register("a", "w uint8 a")
    register("b", "w uint8 b")
    assert "changed ∞ ∞ 1×1 uint8 w" in words("a", "b", "--differences")
    assert run("compare", "a", "b", "--differences", "--json").document["tensors"][0]["max_abs"] == "inf"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["m", "m:9"], 3, "error: model 'm' has no version '9'\n"),
        (["m", "other"], 3, "error: there is no model 'other'\n"),
        (["m", "a b"], 2, "error: model name 'a b'"),
        (["m"], 2, "error: "),
    ],
)
def test_what_cannot_be_compared(two: None, arguments: list[str], code: int, message: str) -> None:
    done = run("compare", *arguments)
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith(message)


def test_a_version_in_the_place_of_a_name_is_told_from_one() -> None:
    register("m", "w uint8 a")
    assert run("compare", "m", "1.0.0").err == (
        "error: there is no model '1.0.0'\nhint: if the version 1.0.0 of m is meant, write m:1.0.0\n"
    )
    assert run("compare", "m", "2.0").err == (
        "error: there is no model '2.0'\nhint: «model-registry list» shows all models\n"
    )
