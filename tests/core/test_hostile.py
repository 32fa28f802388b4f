"""Hostile input at the core's borders: it ends in one of our errors, in one clear line, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from model_registry import (
    IntegrityError,
    InvalidNameError,
    ModelEntry,
    ModelRegistry,
    ModelRegistryError,
    PermissionRequiredError,
    RegistryNotFoundError,
    SourceNotFoundError,
    StorageError,
    UnsafeModelError,
    UnsupportedModelError,
)
from model_registry.catalog.packing import pack, unpack
from model_registry.digests import sha256_of_bytes

NAMES = (
    "../x", "a/../../b", "/etc/passwd", "..", "", "a\0b", "a\nb", "x" * 300, "con", "NUL.txt", "a/lpt1", "b\u0435rt",
    "\uff41", "\u212a", "a\\b", "C:x", "a b", "\ud800", "a" * 201, None, 3, b"m",
)  # fmt: skip
VERSIONS = ("../1", "1/0", "1\0", "1" * 300, "LATEST", "", "1..0", "\u0661", "@", "@ä", "@latest", 1.0)


def one_line(error: BaseException) -> bool:
    return isinstance(error, ModelRegistryError) and str(error).isprintable() and len(str(error)) < 700


def files(folder: str = "models") -> set[str]:
    """What a registry holds, but for what SQLite keeps beside its databases."""
    return {str(path) for path in Path(folder).rglob("*") if path.is_file() and ".sqlite" not in path.name}


@pytest.mark.parametrize("name", NAMES, ids=ascii)
@pytest.mark.parametrize(
    "use",
    [
        lambda registry, name: registry.register_model(name, b"x"),
        lambda registry, name: registry.load_model(name),
        lambda registry, name: registry.get_model_info(name),
        lambda registry, name: registry.remove_model(name),
        lambda registry, name: registry.restore_model(name),
        lambda registry, name: registry.export_model(name, "1.0.0", "out"),
    ],
    ids=["register", "load", "info", "remove", "restore", "export"],
)
def test_a_name_that_is_none_is_refused_everywhere(registry: ModelRegistry, name: Any, use: Callable[..., Any]) -> None:
    before = files(".")
    with pytest.raises(InvalidNameError) as refusal:
        use(registry, name)
    assert one_line(refusal.value)
    assert files(".") == before


@pytest.mark.parametrize("version", VERSIONS, ids=ascii)
@pytest.mark.parametrize(
    "use",
    [
        lambda registry, version: registry.register_model("m", b"x", version=version),
        lambda registry, version: registry.load_model("m", version),
        lambda registry, version: registry.remove_model("m", version),
        lambda registry, version: registry.restore_model("m", version),
        lambda registry, version: registry.export_model("m", version, "out"),
    ],
    ids=["register", "load", "remove", "restore", "export"],
)
def test_a_version_that_is_none_is_refused_everywhere(
    registry: ModelRegistry, version: Any, use: Callable[..., Any]
) -> None:
    with pytest.raises(InvalidNameError) as refusal:
        use(registry, version)
    assert one_line(refusal.value)


class TestSources:
    @pytest.mark.parametrize(
        "path", ["missing", "missing/deep", "x" * 300, "a\0b", "x/" * 5000, "\ud800", "text\n" * 100]
    )
    def test_that_are_not_there_are_told(self, registry: ModelRegistry, path: str) -> None:
        with pytest.raises(SourceNotFoundError, match=r"^there is no file or folder ") as refusal:
            registry.register_model("m", path, "bytes")
        assert one_line(refusal.value)

    @pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")], ids=["fifo", "device"])
    def test_that_are_no_files_are_refused(self, registry: ModelRegistry, make: Callable[[Path], None]) -> None:
        make(Path("odd"))
        with pytest.raises(UnsupportedModelError, match=r"^'odd' is neither a file nor a folder"):
            registry.register_model("m", "odd", "bytes")

    @pytest.mark.parametrize(
        "make",
        [
            os.mkfifo,
            lambda path: path.symlink_to("/etc/passwd"),
            lambda path: path.symlink_to("/etc"),
            lambda path: path.symlink_to("missing"),
            lambda path: path.symlink_to(path),
        ],
        ids=["fifo", "link", "link to a folder", "dangling link", "loop"],
    )
    def test_may_hold_plain_files_only(self, registry: ModelRegistry, make: Callable[[Path], None]) -> None:
        from test_loaders import Text

        registry.loaders["text"] = Text()
        Path("folder/sub").mkdir(parents=True)
        Path("folder/good.txt").write_text("good")
        make(Path("folder/sub/odd"))
        with pytest.raises(UnsafeModelError, match=r"^folder/sub/odd is no plain file — ") as refusal:
            registry.register_model("m", "folder", "text")
        assert one_line(refusal.value)
        assert (registry.list_models(), list(Path("models").glob("staging/*"))) == ([], [])

    @pytest.mark.parametrize("name", ["a:b", "con", "x ", "\u00e9", "a\nb"], ids=ascii)
    def test_with_names_that_other_systems_lack_are_refused(self, registry: ModelRegistry, name: str) -> None:
        Path("folder").mkdir()
        Path("folder", name).touch()
        with pytest.raises(InvalidNameError, match=r"^member path "):
            registry.register_model("m", "folder", "bytes")

    def test_with_names_that_differ_by_case_are_refused(self, registry: ModelRegistry) -> None:
        Path("folder").mkdir()
        for name in ("a", "A"):
            Path("folder", name).touch()
        with pytest.raises(InvalidNameError, match="where case does not count"):
            registry.register_model("m", "folder", "bytes")


class TestBlobs:
    """Blobs that are no longer what was registered."""

    @pytest.fixture
    def entry(self, registry: ModelRegistry) -> ModelEntry:
        return registry.register_model("m", b"some bytes")

    @pytest.mark.parametrize("which", ["file", "manifest"])
    @pytest.mark.parametrize(
        "damage",
        [
            Path.unlink,
            lambda path: (path.chmod(0o644), path.write_bytes(b"")),
            lambda path: (path.chmod(0o644), path.write_bytes(path.read_bytes()[:-1] + b"X")),
            lambda path: (path.unlink(), path.mkdir()),
            lambda path: (path.unlink(), os.mkfifo(path)),
            lambda path: (path.unlink(), path.symlink_to("/etc/passwd")),
            lambda path: (path.unlink(), path.symlink_to("/dev/zero")),
            lambda path: (path.unlink(), path.symlink_to(path)),
        ],
        ids=["missing", "emptied", "changed", "folder", "fifo", "link", "device", "loop"],
    )
    def test_are_refused_named_and_put_back(
        self, registry: ModelRegistry, entry: ModelEntry, which: str, damage: Callable[[Path], object]
    ) -> None:
        sha256 = entry.digest if which == "manifest" else entry.files[0].sha256
        path = Path("models/blobs/sha256", sha256)
        damage(path)
        for use in (lambda: registry.load_model("m"), lambda: registry.export_model("m", "1.0.0", "out")):
            with pytest.raises(IntegrityError, match=f"^m:1.0.0: .*{sha256}") as refusal:
                use()
            assert one_line(refusal.value)
        assert not Path("out").exists()
        assert not entry.verify_integrity()
        report = registry.validate_registry()
        assert (report["total_models"], report["valid_models"]) == (1, 0)
        assert any(sha256 in line for line in report["errors"])
        if path.is_dir() and not path.is_symlink():
            path.rmdir()  # a folder cannot be replaced by renaming; the error says so
        registry.register_model("again", b"some bytes")
        if which == "file":
            assert registry.load_model("m").model == b"some bytes"

    def test_of_an_empty_file_are_missed(self, registry: ModelRegistry) -> None:
        entry = registry.register_model("empty", b"")
        assert entry.verify_integrity()
        Path("models/blobs/sha256", sha256_of_bytes()).unlink()
        assert not entry.verify_integrity()
        with pytest.raises(IntegrityError):
            registry.load_model("empty")

    def test_that_were_all_taken_away_are_told(self, registry: ModelRegistry, entry: ModelEntry) -> None:
        for path in Path("models/blobs/sha256").iterdir():
            path.unlink()
        Path("models/blobs/sha256").rmdir()
        assert registry.validate_registry()["valid_models"] == 0
        with pytest.raises(IntegrityError):
            registry.load_model("m")


class TestACatalogOfSomebodyElse:
    """Whoever wrote the registry wrote the catalog too: digests agree, and nothing else needs to."""

    @pytest.fixture
    def entry(self, registry: ModelRegistry) -> ModelEntry:
        Path("model.py").write_text("import pathlib; pathlib.Path('executed').touch(); model = 7")
        return registry.register_model("evil", "model.py", "script")

    def forge(self, **columns: object) -> None:
        with closing(sqlite3.connect("models/catalog.sqlite")) as db, db:
            for column, value in columns.items():
                db.execute(f"UPDATE versions SET {column} = ?", (value,))

    def forge_manifest(self, change: Callable[[dict[str, Any]], object], entry: ModelEntry) -> None:
        document = json.loads(Path("models/blobs/sha256", entry.digest).read_bytes())
        change(document)
        data = json.dumps(document).encode()
        Path("models/blobs/sha256", sha256_of_bytes(data)).write_bytes(data)
        self.forge(digest=bytes.fromhex(sha256_of_bytes(data)))

    def use_all(self, expected: type[ModelRegistryError]) -> None:
        registry = ModelRegistry("models", trusted_models=["mine/*"])
        for use in (
            lambda: registry.load_model("evil", allow_code=True),
            lambda: registry.export_model("evil", "1.0.0", "out"),
        ):
            with pytest.raises(expected) as refusal:
                use()
            assert one_line(refusal.value)
        report = registry.validate_registry()
        assert report["valid_models"] == 0
        assert all(line.isprintable() for line in report["errors"])
        assert not Path("executed").exists()
        assert not Path("out").exists()

    @pytest.mark.parametrize(
        "columns",
        [
            {"metadata": 3}, {"metadata": b"\xff"}, {"metadata": ""}, {"metadata": "[" * 99999},
            {"digest": b"abc"}, {"digest": b""}, {"digest": "../../etc"}, {"registered_at": "noon"},
            {"registered_at": 2**62}, {"size": "big"}, {"removed_at": None, "format": "bytes"}, {"version": "9.9"},
            {"version": "../\n"},
        ],
        ids=lambda columns: ascii(columns)[:50],
    )  # fmt: skip
    def test_with_wrong_columns_is_refused(
        self, registry: ModelRegistry, entry: ModelEntry, columns: dict[str, Any]
    ) -> None:
        self.forge(**columns)
        self.use_all(UnsafeModelError)
        with pytest.raises(UnsafeModelError) as refusal:
            ModelRegistry("models").list_models()
        assert one_line(refusal.value)

    @pytest.mark.parametrize(
        "change",
        [
            "CREATE VIEW v AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n",
            "CREATE TRIGGER t AFTER INSERT ON versions BEGIN DELETE FROM version_blobs; END",
            "CREATE TABLE more (x)",
            "DROP INDEX versions_visible",
            "ALTER TABLE leases ADD COLUMN x",
        ],
    )
    def test_with_other_tables_than_ours_is_not_opened(
        self, registry: ModelRegistry, entry: ModelEntry, change: str
    ) -> None:
        with closing(sqlite3.connect("models/catalog.sqlite")) as db:
            db.execute(change)
        with pytest.raises(StorageError, match="has other tables, views or triggers than a catalog has"):
            ModelRegistry("models")

    def test_cannot_give_a_version_the_files_of_another(self, registry: ModelRegistry, entry: ModelEntry) -> None:
        other = registry.register_model("other", b"other")
        self.forge(digest=bytes.fromhex(other.digest))
        with pytest.raises(IntegrityError, match="the catalog describes another version than its manifest does"):
            ModelRegistry("models").load_model("evil", allow_code=True)

    def test_configures_nothing_even_from_inside(self, registry: ModelRegistry, entry: ModelEntry) -> None:
        Path("models/registry.toml").write_text('[registry]\npath = "."\ntrusted_models = ["*"]\n')
        os.chdir("models")
        assert ModelRegistry(".").settings.trusted_models == ()

    @pytest.mark.parametrize("folder", ["blobs", "blobs/sha256", "staging"])
    def test_with_a_link_for_a_folder_of_its_own_collects_nothing(
        self, registry: ModelRegistry, entry: ModelEntry, folder: str
    ) -> None:
        precious = Path("home") / ("a" * 32)
        precious.mkdir(parents=True)
        (precious / ("b" * 64)).touch()
        Path("models", folder).rename("away")
        Path("models", folder).symlink_to(precious.parent.absolute())
        with pytest.raises(StorageError, match="is a link"):
            ModelRegistry("models").collect_garbage(0)
        assert (precious / ("b" * 64)).exists()

    @pytest.mark.parametrize("name", ["index.json", "oci-layout"])
    def test_with_a_dangling_link_does_not_hang(self, bytes_plugin: str, name: str) -> None:
        Path("models").mkdir()
        Path("models", name).symlink_to("nowhere")
        assert ModelRegistry("models").register_model("m", b"x").version == "1.0.0"

    def test_cannot_make_us_write_another_database(self, registry: ModelRegistry, entry: ModelEntry) -> None:
        with closing(sqlite3.connect("theirs.sqlite")) as db:
            db.execute("CREATE TABLE theirs (x)")
        before = Path("theirs.sqlite").read_bytes()
        for path in Path("models").glob("fingerprints.sqlite*"):
            path.unlink()
        Path("models/fingerprints.sqlite").symlink_to(Path("theirs.sqlite").absolute())
        ModelRegistry("models").load_model("evil", allow_code=True)
        assert Path("theirs.sqlite").read_bytes() == before

    def test_cannot_borrow_the_name_of_a_trusted_model(self, registry: ModelRegistry, entry: ModelEntry) -> None:
        with closing(sqlite3.connect("models/catalog.sqlite")) as db:
            ((packed,),) = db.execute("SELECT metadata FROM versions")
        self.forge(metadata=pack(unpack(packed).replace('"name":"evil"', '"name":"mine/good"')))
        with pytest.raises(
            UnsafeModelError, match=r"^the catalog's entry of evil:1.0.0 is wrong: it describes mine/good:1.0.0"
        ):
            ModelRegistry("models", trusted_models=["mine/*"]).load_model("evil")
        assert not Path("executed").exists()

    def test_runs_nothing_by_itself(self, registry: ModelRegistry, entry: ModelEntry) -> None:
        theirs = ModelRegistry("models")
        theirs.list_models()
        theirs.validate_registry(deep=True)
        theirs.export_model("evil", "1.0.0", "out")
        with pytest.raises(PermissionRequiredError):
            theirs.load_model("evil")
        assert not Path("executed").exists()

    @pytest.mark.parametrize(
        "path", ["../../escape.py", "/tmp/escape.py", "a/../../b", "con", "a\\b", "x\0"], ids=ascii
    )
    def test_with_members_that_leave_their_folder_is_refused(
        self, registry: ModelRegistry, entry: ModelEntry, path: str
    ) -> None:
        self.forge_manifest(
            lambda document: document["layers"][0]["annotations"].update({"org.cncf.model.filepath": path}), entry
        )
        self.use_all(UnsafeModelError)

    @pytest.mark.parametrize(
        "change",
        [
            lambda document: document["layers"].insert(0, document["layers"][0]),
            lambda document: document["layers"][0].update(digest=3),
            lambda document: document["layers"][0].update(digest="sha256:../../../../etc/passwd"),
            lambda document: document["layers"][0].update(size=2**70),
            lambda document: document["layers"][0].update(annotations="x"),
            lambda document: document.update(layers={"a": 1}),
            lambda document: document.update(config=None),
            lambda document: document.clear(),
        ],
    )
    def test_with_a_manifest_that_is_none_is_refused(
        self, registry: ModelRegistry, entry: ModelEntry, change: Callable[[dict[str, Any]], object]
    ) -> None:
        self.forge_manifest(change, entry)
        self.use_all(UnsafeModelError)

    def test_with_a_huge_manifest_is_refused_unread(self, registry: ModelRegistry, entry: ModelEntry) -> None:
        path = Path("models/blobs/sha256", entry.digest)
        path.chmod(0o644)
        os.truncate(path, 1 << 40)  # sparse
        with pytest.raises(IntegrityError):
            registry.load_model("evil", allow_code=True)
        assert registry.validate_registry()["valid_models"] == 0

    def test_with_sizes_that_are_none_is_refused(self, registry: ModelRegistry, entry: ModelEntry) -> None:
        self.forge_manifest(lambda document: document["layers"][0].update(size=2**62), entry)
        self.use_all(ModelRegistryError)


class TestPlaces:
    def test_that_are_files_are_no_registries(self, registry: ModelRegistry) -> None:
        Path("file").touch()
        for path, error in (("file", RegistryNotFoundError), ("file/below", StorageError)):
            with pytest.raises(error) as refusal:
                ModelRegistry(path)
            assert one_line(refusal.value)

    def test_with_names_too_long_are_refused(self, registry: ModelRegistry) -> None:
        with pytest.raises(StorageError) as refusal:
            ModelRegistry("x" * 300)
        assert one_line(refusal.value)

    @pytest.mark.parametrize("path", ["x" * 300, "a\0b", "m" * 255])
    def test_to_export_to_that_cannot_be_are_told(self, registry: ModelRegistry, path: str) -> None:
        registry.register_model("m", b"x")
        with pytest.raises(StorageError) as refusal:
            registry.export_model("m", "1.0.0", path)
        assert one_line(refusal.value)
