"""What is made of versions: by the server if it can, here if it needs something of the caller's."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from model_registry import DestinationExistsError, InvalidOptionError, ModelRegistry, UnsupportedFormatError
from model_registry.errors import ModelRegistryError
from model_registry_server.client import Client
from model_registry_server.client.writing import published


def test_files_are_exported_as_they_are(client: Client, tmp_path: Path) -> None:
    client.register_model("plain", b"0123456789", parts=2)
    client.register_model("single", b"one file")
    path = client.export_model("plain", "latest", tmp_path / "out")
    assert path == str(tmp_path / "out")
    assert path.parity.passed is None
    assert sorted(each.name for each in Path(path).iterdir()) == ["part-0.bin", "part-1.bin"]
    assert Path(client.export_model("single", "1.0.0", tmp_path / "x.bin")).read_bytes() == b"one file"
    assert Path(client.export_model("single", "1.0.0", tmp_path / "folder"), "part-0.bin").read_bytes() == b"one file"


def test_an_export_is_made_by_the_server(client: Client, held: ModelRegistry, connect, tmp_path: Path) -> None:
    client.register_model("loudly", b"hey")
    path = client.export_model("loudly", "1.0.0", tmp_path / "a.loud", marks=3)
    assert Path(path).read_bytes() == b"HEY!!!"
    local = held.export_model("loudly", "1.0.0", tmp_path / "b.loud", marks=3)
    assert path.parity == local.parity
    again = connect("other").export_model("loudly", "1.0.0", tmp_path / "c.loud", "loud", marks=3)
    assert again.parity == local.parity  # though nothing had to be made
    unchecked = client.export_model("loudly", "1.0.0", tmp_path / "d.loud", check=False)
    assert unchecked.parity.skipped == "nobody wanted it to be checked"
    assert sorted(each.name for each in tmp_path.glob(".*")) == []


def test_an_export_overwrites_only_what_it_may(client: Client, held: ModelRegistry, tmp_path: Path) -> None:
    client.register_model("over", b"hey")
    target = tmp_path / "a.loud"
    target.write_bytes(b"mine")
    for registry in (client, held):
        with pytest.raises(DestinationExistsError, match="exists — choose another path, or pass overwrite=True"):
            registry.export_model("over", "1.0.0", target)
    assert target.read_bytes() == b"mine"
    client.export_model("over", "1.0.0", target, overwrite=True)
    assert target.read_bytes() == b"HEY!"
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "work").write_bytes(b"mine")
    for registry in (client, held):
        with pytest.raises(DestinationExistsError, match="holds 'work', which is not of this export"):
            registry.export_model("over", "1.0.0", folder, overwrite=True)
    assert (folder / "work").read_bytes() == b"mine"


def test_a_folder_that_was_made_comes_as_a_folder(client: Client, tmp_path: Path) -> None:
    client.register_model("several", b"abc")
    path = client.export_model("several", "1.0.0", tmp_path / "out", "leaves")
    assert Path(path, "below", "a.txt").read_text() == "a"
    assert sorted(each.relative_to(path).as_posix() for each in Path(path).rglob("*.txt")) == ["b.txt", "below/a.txt"]


def test_what_needs_inputs_is_done_here(client: Client, tmp_path: Path) -> None:
    client.register_model("here", b"hey")
    path = client.export_model("here", "1.0.0", tmp_path / "a.loud", inputs={"x": [1]}, marks=2)
    assert Path(path).read_bytes() == b"HEY!!"


def test_a_conversion_becomes_a_version_wherever_it_is_done(client: Client, held: ModelRegistry) -> None:
    source = client.register_model("converted", b"hey")
    there = client.convert("converted", to="echo", new_name="converted/there")
    here = client.convert("converted", to="echo", new_name="converted/here", inputs={"x": [1]})
    for entry in (there, here):
        assert held.resolve(entry.name) == entry
        assert [parent.digest for parent in entry.parents] == [source.digest]
        assert client.load_model(entry.name).model == b"hey"
    assert client.convert("converted", to="echo").version == "1.0.1"
    assert client.convert("converted", "1.0.0", to="echo", inputs={"x": [1]}).version == "1.0.2"


def test_a_conversion_that_is_interrupted_is_cancelled(client: Client) -> None:
    client.register_model("slowly", b"hey")
    begun = time.monotonic()

    def interrupt(report: object) -> None:
        if report.what == "exporting slowly:1.0.0" and not report.finished:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), client.progress(interrupt):
        client.export_model("slowly", "1.0.0", "out", "sloth")
    job = client._server.http.get("/jobs", limit=1)["jobs"][0]
    while job["state"] == "cancelling":
        job = client._server.http.get(f"/jobs/{job['id']}")
    assert (job["kind"], job["state"]) == ("export", "cancelled")
    assert time.monotonic() - begun < 30
    assert list(Path.cwd().glob(".out*")) == []


def test_a_job_that_fails_raises_what_a_folder_raises(client: Client, held: ModelRegistry) -> None:
    client.register_model("failing", b"fail", tokenizer="x")
    for call in (
        lambda r: r.export_model("failing", "1.0.0", "out.loud", marks="many"),
        lambda r: r.export_model("failing", "1.0.0", "out.loud", colour="red"),
        lambda r: r.convert("failing", to="echo", colour="red"),
    ):
        with pytest.raises(ModelRegistryError) as there:
            call(client)
        with pytest.raises(ModelRegistryError) as here:
            call(held)
        assert type(there.value) is type(here.value)
        assert there.value.hint == here.value.hint or "server" in there.value.hint


def test_a_format_that_nobody_makes_is_told(client: Client) -> None:
    client.register_model("made", b"hey")
    with pytest.raises(UnsupportedFormatError):
        client.export_model("made", "1.0.0", "out", "marble")
    assert not Path("out").exists()


def test_nobody_is_told_of_each_version_by_a_server(client: Client) -> None:
    with pytest.raises(InvalidOptionError, match="leave on_version out"):
        client.validate_registry(on_version=print)


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with published(tmp_path / "out", overwrite=False) as temporary:
            temporary.mkdir()
            (temporary / "half").write_bytes(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert list(tmp_path.iterdir()) == []
