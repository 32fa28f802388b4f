"""Many registered or removed at once: one that fails stops no other, and the report says what became of each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from model_registry import (
    BatchReport,
    InvalidOptionError,
    ModelNotFoundError,
    ModelRegistry,
    ProgressReport,
    SourceNotFoundError,
    VersionExistsError,
)


def items(*labels: str) -> list[dict[str, Any]]:
    return [{"name": label, "model": label.encode()} for label in labels]


def names(entries: Any) -> list[str]:
    return [entry.name for entry in entries]


def on_disk(folder: str = "models") -> set[str]:
    return {path.name for path in Path(folder, "blobs/sha256").iterdir()}


class TestRegisterMany:
    def test_registers_each_with_its_keywords(self, registry: ModelRegistry) -> None:
        report = registry.register_many([*items("a"), {"name": "b", "model": b"bb", "version": "3", "author": "Ada"}])
        assert [entry.reference for entry in report.done] == ["a:1.0.0", "b:3"]
        assert report.done[1].metadata.author == "Ada"
        assert (report.ok, report.failed, report.skipped, report.bytes) == (True, (), (), 3)
        report.raise_for_failures()
        assert registry.list_models() == list(report.done)

    def test_one_that_fails_stops_no_other(self, registry: ModelRegistry) -> None:
        taken = registry.register_model("taken", b"x", version="1")
        report = registry.register_many(
            [
                *items("a"),
                {"name": "taken", "version": "1", "model": b"other"},
                {"name": "lost", "model": Path("lost.bin")},
                {"model": b"nameless"},
                "no mapping",  # type: ignore[list-item]
                *items("b"),
            ]
        )
        assert names(report.done) == ["a", "b"]
        assert [failure.what for failure in report.failed] == ["taken:1", "lost", "item 4", "item 5"]
        kinds = [type(failure.error) for failure in report.failed]
        assert kinds == [VersionExistsError, SourceNotFoundError, TypeError, TypeError]
        assert not report.ok
        with pytest.raises(VersionExistsError, match="taken:1 is registered already"):
            report.raise_for_failures()
        assert registry.resolve("taken") == taken

    def test_what_was_there_already_is_told_from_what_is_new(self, registry: ModelRegistry) -> None:
        given = [{"name": "m", "model": b"x", "version": str(n), "exist_ok": True} for n in range(3)]
        registry.register_many(given[:2])
        report = registry.register_many(given)
        assert [entry.version for entry in report.skipped] == ["0", "1"]
        assert [entry.version for entry in report.done] == ["2"]

    def test_items_are_taken_one_by_one(self, registry: ModelRegistry) -> None:
        def models() -> Iterator[dict[str, Any]]:
            for n in range(3):
                assert len(registry.list_models()) == n
                yield {"name": "m", "model": bytes([n])}

        assert len(registry.register_many(models()).done) == 3

    @pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
    def test_an_interrupt_stops_all_and_what_was_done_stays(
        self, registry: ModelRegistry, error: type[BaseException]
    ) -> None:
        def models() -> Iterator[dict[str, Any]]:
            yield from items("a", "b")
            raise error

        with pytest.raises(error):
            registry.register_many(models())
        assert names(registry.list_models()) == ["a", "b"]

    def test_progress_counts_items_and_bytes(self, registry: ModelRegistry) -> None:
        heard: list[ProgressReport] = []
        registry.register_many(items("a", "b", "c"), progress=heard.append)
        assert {report.what for report in heard} == {"registering"}
        assert (heard[-1].items_done, heard[-1].items_total, heard[-1].finished) == (3, 3, True)
        assert heard[-1].bytes_done > 3

    def test_a_summary_is_for_people(self, registry: ModelRegistry) -> None:
        report = registry.register_many([*items("a"), {"name": "lost", "model": Path("lost.bin")}])
        lines = str(report).splitlines()
        assert lines[0].startswith("registered 1 version, 0.0 MB, in 0.")
        assert lines[0].endswith("; 1 failed")
        assert lines[1] == "  lost: there is no file or folder 'lost.bin' — check the path"

    @pytest.mark.parametrize("choice", [None, True, False])
    def test_quick_work_shows_nothing(
        self, registry: ModelRegistry, choice: bool | None, capfd: pytest.CaptureFixture[str]
    ) -> None:
        registry.register_many(items("a"), progress=choice)
        assert capfd.readouterr() == ("", "")


class TestRemoveMany:
    @pytest.fixture(autouse=True)
    def versions(self, registry: ModelRegistry) -> BatchReport:
        return registry.register_many(
            {"name": name, "model": f"{name} {n}".encode(), "version": str(n)} for name in ("a", "b") for n in range(3)
        )

    def test_removes_the_versions_that_are_named(self, registry: ModelRegistry) -> None:
        registry.set_alias("b", "old", "1")
        report = registry.remove_many(["a:0", "b@old", registry.resolve("b", "2"), "a:0"])
        assert [entry.reference for entry in report.done] == ["a:0", "b:1", "b:2"]
        assert (report.ok, report.bytes) == (True, 9)
        assert [entry.reference for entry in registry.list_models()] == ["a:1", "a:2", "b:0"]
        assert all(entry.removed_at for entry in report.done)
        registry.restore_model("b", "1")
        assert registry.load_model("b", "@old").model == b"b 1"

    def test_without_backups_gives_the_space_back(self, registry: ModelRegistry) -> None:
        forgetful = ModelRegistry("models", backup_enabled=False)
        forgetful.remove_many(["a:0", "a:1"])
        assert {sha256 for sha256, _ in registry._context.catalog.references()} == on_disk()
        assert registry.list_models(removed=True) == []
        assert registry.load_model("b", "0").model == b"b 0"

    def test_a_dry_run_changes_nothing(self, registry: ModelRegistry) -> None:
        before = registry.list_models()
        report = registry.remove_many(["a:0", "a:1"], dry_run=True)
        assert [entry.reference for entry in report.done] == ["a:0", "a:1"]
        assert str(report).startswith("would have removed 2 versions")
        assert registry.list_models() == before

    def test_what_is_another_version_by_now_stays(self, registry: ModelRegistry) -> None:
        entry = registry.resolve("a", "0")
        registry.remove_model("a", "0")
        registry.register_model("a", b"another", version="0")
        assert registry.remove_many([entry]).done == ()
        assert registry.load_model("a", "0").model == b"another"

    @pytest.mark.parametrize("where", ["", "  \n"])
    def test_nothing_said_is_not_everything(self, registry: ModelRegistry, where: str) -> None:
        with pytest.raises(InvalidOptionError, match=r"would remove every version — .* name like '%'$"):
            registry.remove_many(where)
        assert len(registry.list_models()) == 6

    def test_a_version_that_is_not_there_stops_it_before_it_begins(self, registry: ModelRegistry) -> None:
        with pytest.raises(ModelNotFoundError):
            registry.remove_many(["a:0", "c:0"])
        assert len(registry.list_models()) == 6

    def test_removes_what_a_query_finds(self, registry: ModelRegistry) -> None:
        report = registry.remove_many("name = 'a' and version != '1'")
        assert [entry.reference for entry in report.done] == ["a:0", "a:2"]
        assert len(registry.list_models()) == 4
        assert len(registry.remove_many("name like '%'").done) == 4
        assert registry.list_models() == []

    def test_removes_page_by_page_all_that_a_query_finds(
        self, registry: ModelRegistry, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("model_registry.operations.selection._PAGE", 2)
        registry.register_many(items("keep", *(f"old{n}" for n in range(5))))
        report = registry.remove_many("name like 'old%' order by size, name desc")
        assert names(report.done) == ["old4", "old3", "old2", "old1", "old0"]
        assert set(names(registry.list_models())) == {"a", "b", "keep"}
