"""Versions copied between registries: the same bytes, nothing twice, nothing half, and no trust in the source."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from signal import SIGKILL

import pytest
from fake_plugins import Installer
from tests.core import faults
from tests.core.faults import CALLS, Children, Fault, Job, open_registry

from model_registry import (
    IntegrityError,
    ModelRegistry,
    ModelRegistryError,
    ProgressReport,
    UnsafeModelError,
    VersionExistsError,
)

searching = pytest.mark.skipif(not hasattr(ModelRegistry, "search"), reason="this core has no search")


@pytest.fixture
def source(bytes_plugin: str) -> ModelRegistry:
    """Three versions, of which two share a part."""
    registry = ModelRegistry("source")
    registry.register_model("a", b"common " + bytes(4_000), version="1", parts=1, performance_metrics={"accuracy": 0.9})
    registry.register_model("a", b"common " + bytes(4_000), version="2", parts=1, tokenizer="words")
    registry.register_model("group/b", bytes(range(250)) * 40, version="1.0", parts=3, author="Ada")
    return registry


@pytest.fixture
def target(bytes_plugin: str) -> ModelRegistry:
    return ModelRegistry("target")


@pytest.fixture
def read_of_source(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """(blob, bytes) of each read of a large file of the registry ``source``."""
    reads: list[tuple[str, int]] = []
    readv, blobs = os.readv, f"{Path('source/blobs/sha256').absolute()}/"

    def counting(descriptor: int, buffers: list[memoryview]) -> int:
        count = readv(descriptor, buffers)
        path = os.readlink(f"/proc/self/fd/{descriptor}")
        if path.startswith(blobs) and count:
            reads.append((path.removeprefix(blobs), count))
        return count

    monkeypatch.setattr(os, "readv", counting)
    return reads


def references(entries: object) -> list[str]:
    return [entry.reference for entry in entries]  # type: ignore[attr-defined]


def on_disk(folder: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(folder, "blobs/sha256").iterdir()}


def assert_clean(registry: ModelRegistry) -> None:
    """Valid to the last byte, and nothing else on the disk."""
    assert registry.validate_registry(deep=True)["findings"] == []
    assert list((registry.settings.path / "staging").iterdir()) == []
    assert faults.rows(registry, "leases") == faults.rows(registry, "claims") == 0


def test_everything_arrives_as_it_was(source: ModelRegistry, target: ModelRegistry) -> None:
    report = source.copy_versions(target)
    assert report.ok
    assert references(report.done) == ["a:1", "a:2", "group/b:1.0"]
    assert target.list_models() == source.list_models()  # digests, sizes, metadata and times
    assert on_disk("target") == on_disk("source")
    assert report.bytes == sum(map(len, on_disk("source").values()))
    assert target.load_model("a", "2") == source.load_model("a", "2")
    assert_clean(target)
    assert {path.stat().st_nlink for path in Path("source/blobs/sha256").iterdir()} == {1}
    assert target.history("a")[-1].action == "registered"
    shutil.rmtree("source")
    target.load_model("group/b")


def test_what_is_there_is_neither_copied_nor_read(
    source: ModelRegistry, target: ModelRegistry, read_of_source: list[tuple[str, int]]
) -> None:
    target.register_model("other", b"common " + bytes(4_000), parts=1)
    shared = source.resolve("a", "1").files[0]
    source.copy_versions(target)
    assert shared.sha256 not in {blob for blob, _ in read_of_source}
    assert len(read_of_source) == len({blob for blob, _ in read_of_source})  # and nothing twice
    read_of_source.clear()
    report = source.copy_versions(target)
    assert (report.done, report.bytes, read_of_source) == ((), 0, [])
    assert references(report.skipped) == ["a:1", "a:2", "group/b:1.0"]


def test_a_damaged_blob_of_the_target_is_put_right(source: ModelRegistry, target: ModelRegistry) -> None:
    source.copy_versions(target, ["a:1"])
    blob = Path("target/blobs/sha256", source.resolve("a", "1").files[0].sha256)
    blob.chmod(0o644)
    blob.write_bytes(b"x" + blob.read_bytes()[1:])
    assert source.copy_versions(target, ["a:2"]).ok
    assert_clean(target)


def test_another_version_of_the_same_name_is_told_and_left_alone(source: ModelRegistry, target: ModelRegistry) -> None:
    mine = target.register_model("a", b"mine", version="1.0")
    report = source.copy_versions(target)
    assert references(report.done) == ["a:2", "group/b:1.0"]
    (failure,) = report.failed
    assert failure.what == "a:1"
    assert isinstance(failure.error, VersionExistsError)
    assert str(failure.error).startswith("a:1 exists in the target with another digest")
    assert target.resolve("a", "1") == mine


def test_only_what_is_named_is_copied(source: ModelRegistry, target: ModelRegistry) -> None:
    source.set_alias("a", "champion", "1")
    assert references(source.copy_versions(target, ["a@champion", source.resolve("group/b")]).done) == [
        "a:1",
        "group/b:1.0",
    ]


@searching
def test_what_a_query_finds_is_copied(source: ModelRegistry, target: ModelRegistry) -> None:
    assert references(source.copy_versions(target, "metrics.accuracy > 0.5 or author = 'Ada'").done) == [
        "a:1",
        "group/b:1.0",
    ]


def test_a_dry_run_tells_what_a_run_does(source: ModelRegistry, target: ModelRegistry) -> None:
    source.copy_versions(target, ["a:1"])
    before = on_disk("target")
    foreseen = source.copy_versions(target, dry_run=True)
    assert on_disk("target") == before
    report = source.copy_versions(target)
    assert references(foreseen.done) == references(report.done) == ["a:2", "group/b:1.0"]
    assert references(foreseen.skipped) == references(report.skipped) == ["a:1"]
    assert foreseen.bytes == report.bytes


def test_facts_go_along_and_overwrite_nothing(source: ModelRegistry, target: ModelRegistry) -> None:
    source.copy_versions(target, tags=False)
    source.set_tag("a", "stage", "prod", "1")
    source.set_tag("a", "team", "vision", "1")
    source.set_tag("a", "owner", "Ada")
    source.describe("a", "better words", "1")
    source.describe("a", "all about a")
    source.link("a", "2", "a:1")
    source.set_alias("a", "champion", "2")
    source.set_alias("a", "Challenger", "1")
    target.set_tag("a", "stage", "mine", "1")
    target.set_alias("a", "challenger", "2")

    assert source.copy_versions(target).ok
    assert target.tags("a", "1") == {"stage": "mine", "team": "vision"}
    assert target.tags("a") == {"owner": "Ada"}
    assert (target.resolve("a", "1").description, target.description("a")) == ("better words", "all about a")
    assert [parent.reference for parent in target.resolve("a", "2").parents] == ["a:1"]
    assert target.aliases("a") == {"challenger": "2"}

    assert source.copy_versions(target, aliases=True).ok
    assert target.aliases("a") == {"challenger": "2", "champion": "2"}
    events = len(target.history())
    source.copy_versions(target, aliases=True)
    assert len(target.history()) == events  # what is said already is not said again


def test_progress_counts_all_bytes(source: ModelRegistry, target: ModelRegistry) -> None:
    for _ in range(2):  # also of what is skipped
        heard: list[ProgressReport] = []
        source.copy_versions(target, progress=heard.append)
        size = sum(entry.size for entry in source.list_models())
        assert {report.what for report in heard} == {"copying"}
        last = heard[-1]
        assert (last.bytes_done, last.bytes_total, last.items_done, last.items_total) == (size, size, 3, 3)


def test_an_interrupt_stops_all_and_what_was_copied_stays(source: ModelRegistry, target: ModelRegistry) -> None:
    def stop(report: ProgressReport) -> None:
        if report.items_done and not report.finished:
            raise KeyboardInterrupt

    # Reports are told apart by time; this listener stops at the first after a version was done.
    from model_registry import progress

    interval, progress.INTERVAL = progress.INTERVAL, 0.0
    try:
        with pytest.raises(KeyboardInterrupt):
            source.copy_versions(target, progress=stop)
    finally:
        progress.INTERVAL = interval
    assert references(target.list_models()) == ["a:1"]
    assert_clean(target)
    assert references(source.copy_versions(target).done) == ["a:2", "group/b:1.0"]


def test_a_registry_copied_into_itself_stays_as_it_is(source: ModelRegistry) -> None:
    before = on_disk("source")
    assert len(source.copy_versions(ModelRegistry("source")).skipped) == 3
    assert on_disk("source") == before


def test_a_thousand_small_versions_come_and_go(bytes_plugin: str) -> None:
    within = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=within) as folder:  # a disk need not be waited for
        source, target = ModelRegistry(Path(folder, "source")), ModelRegistry(Path(folder, "target"))
        models = ({"name": f"m-{n % 10}", "version": str(n), "model": b"%d" % n} for n in range(1_000))
        assert len(source.register_many(models).done) == 1_000
        report = source.copy_versions(target)
        assert (len(report.done), report.failed) == (1_000, ())
        assert target.list_models() == source.list_models()
        report = source.remove_many(f"m-{n % 10}:{n}" for n in range(0, 1_000, 2))
        assert (len(report.done), len(source.list_models())) == (500, 500)
        assert len(source.copy_versions(target).skipped) == 500


# A source that nobody vouches for


def blob_of(source: ModelRegistry, name: str = "a", version: str = "1") -> Path:
    path = Path("source/blobs/sha256", source.resolve(name, version).files[0].sha256)
    path.chmod(0o644)
    return path


def change(path: Path) -> None:
    path.write_bytes(b"X" + path.read_bytes()[1:])


def shorten(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/passwd")


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("harm", [change, shorten, Path.unlink, link, pipe])
def test_bytes_that_are_not_those_registered_stay_out(
    source: ModelRegistry, target: ModelRegistry, harm: Callable[[Path], None]
) -> None:
    harm(blob_of(source))
    report = source.copy_versions(target)
    assert references(report.done) == ["group/b:1.0"]
    assert [failure.what for failure in report.failed] == ["a:1", "a:2"]  # they share it
    assert all(isinstance(failure.error, IntegrityError) for failure in report.failed)
    assert references(target.list_models()) == ["group/b:1.0"]
    assert_clean(target)


@pytest.mark.parametrize("of_what", ["manifest", "metadata"])
def test_damaged_documents_stay_out(source: ModelRegistry, target: ModelRegistry, of_what: str) -> None:
    digest = source.resolve("a", "1").digest
    if of_what == "metadata":
        manifest = json.loads(Path("source/blobs/sha256", digest).read_text())
        digest = manifest["layers"][-1]["digest"].removeprefix("sha256:")
    blob = Path("source/blobs/sha256", digest)
    blob.chmod(0o644)
    change(blob)
    report = source.copy_versions(target)
    assert [failure.what for failure in report.failed] == ["a:1"]
    assert isinstance(report.failed[0].error, IntegrityError)
    assert len(report.done) == 2
    assert_clean(target)


def forge(source: ModelRegistry, name: str, edit: Callable[[dict[str, object]], None]) -> None:
    """Let the catalog name a manifest of somebody's making, under its right digest."""
    from model_registry.digests import sha256_of_bytes

    digest = source.resolve(name).digest
    document = json.loads(Path("source/blobs/sha256", digest).read_text())
    edit(document)
    data = json.dumps(document).encode()
    Path("source/blobs/sha256", sha256_of_bytes(data)).write_bytes(data)
    with sqlite3.connect("source/catalog.sqlite") as db:
        values = (bytes.fromhex(sha256_of_bytes(data)), bytes.fromhex(digest))
        db.execute("UPDATE versions SET digest = ? WHERE digest = ?", values)


def escape(document: dict[str, object]) -> None:
    document["layers"][0]["annotations"]["org.cncf.model.filepath"] = "../../escaped"  # type: ignore[index]


def name_a_path(document: dict[str, object]) -> None:
    document["layers"][0]["digest"] = "sha256:../../escaped"  # type: ignore[index]


def give_two_sizes(document: dict[str, object]) -> None:
    layers = document["layers"]
    second = json.loads(json.dumps(layers[0]))  # type: ignore[index]
    second["size"] += 1
    second["annotations"]["org.cncf.model.filepath"] = "second"
    layers.insert(0, second)  # type: ignore[attr-defined]


def claim_a_size(document: dict[str, object]) -> None:
    document["layers"][0]["size"] = 1 << 62  # type: ignore[index]


def describe_another(document: dict[str, object]) -> None:
    manifest = json.loads(Path("source/blobs/sha256", ModelRegistry("source").resolve("a", "2").digest).read_text())
    document["layers"] = manifest["layers"]


@pytest.mark.parametrize("edit", [escape, name_a_path, give_two_sizes, claim_a_size, describe_another])
def test_manifests_that_lie_stay_out(
    source: ModelRegistry, target: ModelRegistry, edit: Callable[[dict[str, object]], None]
) -> None:
    forge(source, "group/b", edit)
    report = source.copy_versions(target)
    assert references(report.done) == ["a:1", "a:2"]
    (failure,) = report.failed
    assert isinstance(failure.error, (UnsafeModelError, IntegrityError))
    assert references(target.list_models()) == ["a:1", "a:2"]
    assert not list(Path().rglob("escaped"))
    assert_clean(target)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE versions SET digest = x'00'",
        "UPDATE versions SET registered_at = 1 << 62",
        "UPDATE versions SET size = 'much'",
        "UPDATE versions SET version = '../../x'",
        "UPDATE models SET name = '../../escaped'",
        "UPDATE models SET name = 'another'",
        "UPDATE versions SET metadata = x'ff'",
    ],
)
def test_catalogs_that_lie_make_nothing_visible(source: ModelRegistry, target: ModelRegistry, statement: str) -> None:
    with sqlite3.connect("source/catalog.sqlite") as db:
        db.execute(statement)
    with suppress(ModelRegistryError):
        report = ModelRegistry("source").copy_versions(target)
        assert len(report.failed) == 3
        assert all(isinstance(failure.error, ModelRegistryError) for failure in report.failed)
    assert target.list_models() == []
    assert not list(Path().rglob("escaped"))
    assert_clean(target)


def test_what_the_plugin_finds_broken_is_refused(bytes_plugin: str, target: ModelRegistry) -> None:
    source = ModelRegistry("source", auto_validate=False)
    source.register_model("m", b"ROTTEN")
    (failure,) = source.copy_versions(target).failed
    assert "refused: part-0.bin: the bytes say that they are rotten" in str(failure.error)
    assert_clean(target)


def test_no_plugin_is_needed_to_copy(source: ModelRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_REGISTRY_DISABLED_PLUGINS", "bytes")
    assert len(ModelRegistry("source").copy_versions(ModelRegistry("bare")).done) == 3
    monkeypatch.delenv("MODEL_REGISTRY_DISABLED_PLUGINS")
    assert_clean(ModelRegistry("bare", plugin_order=["bytes"]))


def test_only_records_of_the_version_go_along(source: ModelRegistry, target: ModelRegistry) -> None:
    stray = source.register_model("stray", b"of nobody's concern")
    with sqlite3.connect("source/catalog.sqlite") as db:  # as if a version of a needed what stray consists of
        (version,) = db.execute("SELECT id FROM versions WHERE version = '1'").fetchone()
        db.execute(
            "INSERT OR IGNORE INTO version_blobs (version_id, blob_id, path)"
            " SELECT ?, blob_id, path FROM version_blobs WHERE version_id ="
            " (SELECT id FROM versions WHERE digest = ?)",
            (version, bytes.fromhex(stray.digest)),
        )
    assert source.copy_versions(target, ["a:1"]).ok
    assert stray.digest not in on_disk("target")
    assert stray.files[0].sha256 not in on_disk("target")
    assert len(on_disk("target")) == 6  # the file, its three documents, where it is from, and the empty blob
    assert_clean(target)


# Processes


@pytest.fixture(scope="module")
def children() -> Iterator[Children]:
    with Children() as children:
        yield children


@pytest.fixture(scope="module")
def memory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as folder:
        yield Path(folder)


def read_in(outcome: faults.Outcome) -> int:
    return int(outcome.result["read"])


def test_a_copy_that_is_killed_anywhere_is_continued_where_it_was(children: Children, memory: Path) -> None:
    labels = ["one", "two", "three"]
    source = open_registry(memory / "source")
    for label in labels:
        faults.register(source, label, "1.0.0", label)
    whole = children.run(Job("copy", (memory / "source", memory / "whole")))
    expected = {f"{label}:1.0.0" for label in labels}
    assert set(whole.result["done"]) == expected
    kills = 0
    for nth in itertools.count(1, 3):
        path = memory / "target"
        job = Job("copy", (memory / "source", path))
        first = children.run(job.with_fault(Fault("python", "kill", nth, CALLS)))
        if first.acknowledged:
            break
        assert first.signal == SIGKILL
        kills += 1
        there = faults.assert_sound(path) if (path / "catalog.sqlite").exists() else set()
        second = children.run(job)
        assert (second.result["failed"], set(second.result["skipped"])) == ([], there)
        assert set(second.result["done"]) == expected - there
        if there:
            assert read_in(second) < read_in(whole)
        assert there != expected or read_in(second) == 0
        assert faults.assert_sound(path) == expected
        faults.assert_nothing_unused(path)
        shutil.rmtree(path)
    assert kills > 15


def test_copies_at_once_into_one_registry_agree(children: Children, tmp_path: Path) -> None:
    source = open_registry(tmp_path / "source")
    for n in range(8):
        faults.register(source, f"m-{n}", "1.0.0", f"label {n}")
    outcomes = children.race(Job("copy", (tmp_path / "source", tmp_path / "target")) for _ in range(4))
    assert [outcome.error + outcome.message for outcome in outcomes] == [""] * 4
    assert [outcome.result["failed"] for outcome in outcomes] == [[]] * 4
    assert sum(len(outcome.result["done"]) for outcome in outcomes) == 8
    assert len(faults.assert_sound(tmp_path / "target")) == 8
    faults.assert_nothing_unused(tmp_path / "target")


COPY_AS_NOBODY = """
import os, sys
from model_registry import ModelRegistry
warm, frozen, target = sys.argv[1:]
ModelRegistry(warm).register_model("m", b"x")
ModelRegistry(warm).copy_versions(ModelRegistry(warm + "-copy"))  # imports everything, while it may read it all
os.chdir(os.path.dirname(target))
if os.geteuid() == 0:
    os.setuid(65534)
source = ModelRegistry(frozen)
print(*(entry.reference for entry in source.copy_versions(ModelRegistry(target)).done))
"""


def test_a_source_that_cannot_be_written_is_copied(source: ModelRegistry, install: Installer) -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        shutil.copytree("source", Path(folder, "frozen"))
        for path in Path(folder).rglob("*"):
            path.chmod(0o555 if path.is_dir() else 0o444)
        Path(folder, "free").mkdir()
        Path(folder, "free").chmod(0o777)
        done = subprocess.run(
            [sys.executable, "-c", COPY_AS_NOBODY, "warm", f"{folder}/frozen", f"{folder}/free/target"],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(install.site)},
            check=False,
        )
        assert (done.stdout, done.returncode) == ("a:1 a:2 group/b:1.0\n", 0), done.stderr
        for path in Path(folder, "frozen").rglob("*"):
            path.chmod(0o755)


def test_a_target_may_be_given_by_its_folder(source: ModelRegistry) -> None:
    for folder in ("other", Path("other")):
        source.copy_versions(folder)
    assert [entry.reference for entry in ModelRegistry("other").list_models()] == ["a:1", "a:2", "group/b:1.0"]
