"""``show``: one version, the latest if none is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import Done, run
from fake_plugins import Installer

from model_registry import ModelRegistry

#: The tensors are laid over the text of the model itself; a third word names another tensor whose bytes it has.
TOLD = """
from model_registry import TensorRecord, hookimpl

class Plugin:
    @hookimpl
    def tensors(self, format, files):
        places = {}
        for number, line in enumerate(files.read("part-0.bin").decode().splitlines()):
            name, size, *other = line.split()
            places[name] = places[other[0]] if other else number
            yield TensorRecord(name, "uint8", (int(size),), "part-0.bin", places[name], int(size))
"""


def test_the_page_tells_everything(digits: Done) -> None:
    entry = ModelRegistry("models").register_model(
        "digits", b"abc", model_type="audio", description="about", training_epochs=3, tokenizer="t",
        performance_metrics={"f1": 0.5}, layers={"Linear": 2000}, note=["a", "b"], deep={"x": [1]},
    )  # fmt: skip
    page = run("show", "digits").out
    assert page.startswith("digits:1.0.2\nabout\n")
    for line in (
        "type audio", "format bytes", "parameters 4", "size 4 B in 2 files", f"digest sha256:{entry.digest}",
        "training epochs 3", "framework bytes", "f1 0.5", "Linear 2,000", "note a, b", 'deep {"x": [1]}',
        *(f"{file.path} {file.size} B {file.sha256}" for file in entry.files),
    ):  # fmt: skip
        assert line in [" ".join(line.split()) for line in page.splitlines()]


def test_the_page_and_the_document_tell_of_the_model_itself(digits: Done) -> None:
    run("tag", "digits", "team=red")
    run("describe", "digits", "reads digits")
    page = [" ".join(line.split()) for line in run("show", "digits:1.0.0").out.splitlines()]
    start = page.index("The model")
    assert page[start + 1 : start + 3] == ["description reads digits", "team red"]
    document = run("show", "digits", "--json").document
    assert document["model"] == {"description": "reads digits", "tags": {"team": "red"}}


def test_the_page_and_the_document_tell_where_it_was_made(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["train.py", "a b"])
    entry = ModelRegistry("models").register_model("m", weights)
    document = run("show", "m", "--json").document
    assert document["environment"] == entry.environment
    assert document["provenance"] == entry.provenance
    page = [" ".join(line.split()) for line in run("show", "m").out.splitlines()]
    who, where = document["provenance"], document["environment"]
    for line in (
        "Environment", f"by {who['user']}@{who['host']}", f"python {where['implementation']} {where['python']}",
        f"platform {where['platform']}", "command train.py 'a b'",
    ):  # fmt: skip
        assert line in page


def test_damaged_records_of_the_origin_do_not_hide_the_version(weights: Path) -> None:
    ModelRegistry("models").register_model("m", weights)
    for blob in Path("models/blobs/sha256").iterdir():
        if b'"implementation"' in blob.read_bytes():
            blob.unlink()
    done = run("show", "m")
    assert done.code == 0
    assert "a record of its origin is gone or was changed" in done.out
    document = run("show", "m", "--json").document
    assert document["environment"] is document["provenance"] is None


def test_a_version_without_captured_environment_shows_who(weights: Path) -> None:
    ModelRegistry("models", capture_environment=False).register_model("m", weights)
    page = run("show", "m").out
    assert "@" in page.partition("Environment")[2]
    assert "command" not in page


@pytest.mark.parametrize(
    ("words", "version"),
    [
        (["digits"], "1.0.1"),
        (["digits:latest"], "1.0.1"),
        (["digits", "1.0.0"], "1.0.0"),
        (["digits:1.0.0"], "1.0.0"),
        (["DIGITS:1.0"], "1.0.0"),
    ],
)
def test_ways_to_name_a_version(digits: Done, words: list[str], version: str) -> None:
    assert run("show", *words, "--json").document["version"] == version


def test_json_has_the_files_and_every_field(digits: Done) -> None:
    document = run("show", "digits", "--json").document
    assert document["files"][0]["path"] == "weights.bin"
    assert document["files"][0]["size"] == document["size"] == 16
    assert document["metadata"]["performance_metrics"] == {"accuracy": 0.97}
    assert document["metadata"]["paper_url"] is None
    assert document["removed_at"] is None
    assert document["registered_at"].endswith("+00:00")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["digit"], 3, "error: there is no model 'digit'\nhint: did you mean 'digits'?\n"),
        (["digits", "9"], 3, "error: model 'digits' has no version '9'\nhint: it has 1.0.0, 1.0.1\n"),
        (["digits:1.0.0", "1.0.1"], 2, "error: the version is given twice: '1.0.0' and '1.0.1'\n"),
        (["a b"], 2, "error: model name 'a b': ' '"),
        (["digits:"], 2, "error: the version is empty"),
    ],
)
def test_what_cannot_be_shown(digits: Done, words: list[str], code: int, message: str) -> None:
    done = run("show", *words)
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith(message)


def test_a_long_value_is_cut_for_people_and_whole_for_programs(weights: Path) -> None:
    ModelRegistry("models").register_model("m", weights, note="x" * 100_000)
    assert len(run("show", "m").out) < 10_000
    assert run("show", "m", "--json").document["metadata"]["extra"]["note"] == "x" * 100_000


class TestTensors:
    """A plugin tells them: each line of ``tensors.txt`` is a name and a size."""

    @pytest.fixture(autouse=True)
    def told(self, install: Installer) -> None:
        install("told", TOLD)

    def page(self, *tensors: str) -> list[str]:
        ModelRegistry("models").register_model("m", "\n".join(tensors).ljust(2000).encode(), "bytes")
        return [" ".join(line.split()) for line in run("show", "m").out.splitlines()]

    def test_are_told_by_layer_in_the_order_of_the_model(self) -> None:
        page = self.page("z.fc.weight 1000", "z.fc.bias 10", "a.conv.weight 3", "scale 1")
        start = page.index("Tensors")
        assert page[start + 1] == "tensors elements size dtypes layer"
        assert page[start + 3 : start + 6] == [
            "2 1,010 1.0 kB uint8 z.fc", "1 3 3 B uint8 a.conv", "1 1 1 B uint8 (the model)",
        ]  # fmt: skip

    def test_what_is_tied_counts_once(self) -> None:
        page = self.page("embed.weight 8", "head.weight 8 embed.weight")
        assert "1 8 8 B uint8 embed" in page
        assert "1 0 0 B uint8 head" in page

    def test_many_layers_are_told_by_block(self) -> None:
        page = self.page(*(f"h.{block}.{layer}.w 2" for block in range(12) for layer in range(20)))
        assert "20 40 40 B uint8 h.11" in page
        assert not any(line.endswith(" h.11.3") for line in page)

    def test_more_than_the_page_has_room_for_is_cut(self) -> None:
        page = self.page(*(f"t{number}.w 1" for number in range(100)))
        assert sum(line.startswith("1 1 1 B uint8 t") for line in page) == 60
        assert "… and 40 layers more; --json gives every tensor" in page
        assert len(run("show", "m", "--json").document["tensors"]) == 100

    def test_json_has_each(self) -> None:
        self.page("fc.weight 3")
        assert run("show", "m", "--json").document["tensors"] == [
            {"name": "fc.weight", "dtype": "uint8", "shape": [3], "path": "part-0.bin", "offset": 0, "nbytes": 3}
        ]

    def test_a_damaged_version_is_shown_all_the_same(self) -> None:
        self.page("fc.weight 3")
        file = ModelRegistry("models").resolve("m").files[0]
        Path("models/blobs/sha256", file.sha256).unlink()
        done = run("show", "m")
        assert done.code == 0
        assert "unreadable  m:1.0.0: file 'part-0.bin' is missing on disk" in done.out
        assert run("show", "m", "--json").document["tensors"] is None


def test_where_no_plugin_tells_tensors_the_page_has_none(digits: Done) -> None:
    assert "Tensors" not in run("show", "digits").out
    assert run("show", "digits", "--json").document["tensors"] == []
