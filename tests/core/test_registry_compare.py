"""Comparing versions: what differs is found, what is equal is not read, and what nobody can tell is said."""

from __future__ import annotations

import os
import tempfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_plugins import Installer

from model_registry import (
    Change,
    Comparison,
    IntegrityError,
    MetricChange,
    ModelNotFoundError,
    ModelRegistry,
    PluginError,
    UnsafeModelError,
)

#: Beside the plugin of the format «bytes»: a member is a head of 8 bytes and then a tensor of its name. A head that
#: begins with R tells lies about where it is.
TELLER = """
from model_registry import TensorRecord, hookimpl

class Plugin:
    @hookimpl
    def tensors(self, format, files):
        return self.told(files) if format == "bytes" else None

    def told(self, files):
        for path in files:
            with files.local(path).open("rb") as file:
                dtype = file.read(8).decode()[:5].strip()
            size = files.size(path) - 8
            start, size = {"over!": (8, size + 1), "start": (-1, 1), "size!": (8, -1)}.get(dtype, (8, size))
            name = path[:4] if dtype == "twice" else path.removesuffix(".bin")
            shape = {"huge!": (1 << 63,), "deep!": (1,) * 65}.get(dtype, (size,))
            size = True if dtype == "true!" else size
            yield TensorRecord(name, dtype, shape, "gone.bin" if dtype == "gone!" else path, start, size)

    @hookimpl
    def modules(self, format, files):
        if format == "bytes":
            return {"": "Bytes", **{path.removesuffix(".bin"): f"Part({files.size(path)})" for path in files}}

    @hookimpl
    def difference(self, dtype, a, b):
        if dtype == "uint8":
            distances = [abs(x - y) for x, y in zip(a, b, strict=True)]
            return max(distances), sum(distances)
"""
HEAD = b"uint8   "
MIB = 1 << 20


@pytest.fixture
def telling(bytes_plugin: str, install: Installer) -> ModelRegistry:
    """A registry with a plugin that tells tensors."""
    install("teller", TELLER)
    return ModelRegistry("models", default_format="bytes")


def folder(**members: bytes) -> Path:
    """A model of several files; a version of it has a tensor for each."""
    path = Path(tempfile.mkdtemp(dir="."))
    for name, data in members.items():
        (path / f"{name}.bin").write_bytes(data)
    return path


def compared(registry: ModelRegistry, a: Any, b: Any, **options: Any) -> Comparison:
    first = registry.register_model("a", a, "bytes")
    return registry.compare(first, registry.register_model("b", b, "bytes"), **options)


def rows(comparison: Comparison) -> dict[str, tuple[str, float | None, float | None]]:
    return {row.name: (row.status, row.max_abs, row.mean_abs) for row in comparison.tensors}


class TestWhatIsKnown:
    def test_a_version_is_identical_to_itself_and_to_its_copy(self, telling: ModelRegistry) -> None:
        comparison = compared(telling, folder(w=HEAD + b"abc"), folder(w=HEAD + b"abc"))
        assert comparison.identical
        assert not comparison.metadata
        assert telling.compare("a", "a", differences=True).identical

    def test_metadata_field_by_field_and_extra_by_key(self, registry: ModelRegistry) -> None:
        a = registry.register_model("m", b"x", author="Ada", tags=["t"], note={"x": [1]}, gone=1, one=1)
        b = registry.register_model("m", b"x", license="MIT", tags=["t"], note={"x": [2]}, new=None, one=True)
        comparison = registry.compare(a, b)
        assert comparison.metadata == (
            Change("author", "Ada", None),
            Change("license", None, "MIT"),
            Change("extra.gone", 1, None),
            Change("extra.note", {"x": [1]}, {"x": [2]}),
            Change("extra.one", 1, True),
            Change("extra.new", None, None),
        )
        assert not comparison.identical

    def test_metrics_with_their_difference(self, registry: ModelRegistry) -> None:
        huge = 10**400
        a = registry.register_model("m", b"x", performance_metrics={"f1": 0.5, "same": 1, "old": 1, "n": huge})
        b = registry.register_model("m", b"x", performance_metrics={"f1": 0.75, "same": 1, "new": 2, "n": 0.5})
        assert registry.compare(a, b).metrics == (
            MetricChange("f1", 0.5, 0.75, 0.25),
            MetricChange("n", huge, 0.5, None),
            MetricChange("old", 1, None, None),
            MetricChange("new", None, 2, None),
        )

    def test_files_by_digest(self, registry: ModelRegistry) -> None:
        registry = ModelRegistry("models", default_format="bytes")
        a = folder(same=b"1", changed=b"2", old=b"3", removed=b"4", twin1=b"5", twin2=b"5")
        first = registry.register_model("a", a)
        second = registry.register_model("b", folder(same=b"1", changed=b"x", new=b"3", added=b"6", twin3=b"5"))
        found = {row.path: row.status for row in registry.compare(first, second).files}
        assert found == {
            "added.bin": "added", "changed.bin": "changed", "new.bin": "renamed", "removed.bin": "removed",
            "same.bin": "same", "twin2.bin": "removed", "twin3.bin": "renamed",
        }  # fmt: skip
        renamed = {row.path: row.a and row.a.path for row in registry.compare(first, second).files}["new.bin"]
        assert renamed == "old.bin"

    def test_versions_are_named_or_given(self, registry: ModelRegistry) -> None:
        first = registry.register_model("m", b"x")
        second = registry.register_model("m", b"y")
        comparison = registry.compare("m:1.0.0", "m")
        assert (comparison.a, comparison.b) == (first, second)
        with pytest.raises(ModelNotFoundError, match=r"^there is no model 'n'"):
            registry.compare("m", "n")

    def test_an_entry_may_be_of_another_registry(self, telling: ModelRegistry) -> None:
        other = ModelRegistry("other", default_format="bytes")
        theirs = other.register_model("theirs", folder(w=HEAD + b"abd"))
        ours = telling.register_model("ours", folder(w=HEAD + b"abc"))
        assert rows(telling.compare(ours, theirs, differences=True)) == {"w": ("changed", 1, 1 / 3)}

    def test_modules(self, telling: ModelRegistry) -> None:
        comparison = compared(telling, folder(w=HEAD, x=HEAD, y=HEAD + b"1"), folder(w=HEAD, y=HEAD, z=HEAD))
        assert comparison.modules == (
            Change("x", "Part(8)", None),
            Change("y", "Part(9)", "Part(8)"),
            Change("z", None, "Part(8)"),
        )


class TestTensors:
    def test_every_status(self, telling: ModelRegistry) -> None:
        a = folder(equal=HEAD + b"ab", value=HEAD + b"ab", shape=HEAD + b"ab", dtype=HEAD + b"ab", old=HEAD, none=HEAD)
        first = telling.register_model("a", a)
        b = folder(
            equal=HEAD + b"ab", value=HEAD + b"ad", shape=HEAD + b"abc", dtype=b"int8    ab", new=HEAD, none=b"uint8x  "
        )
        comparison = telling.compare(first, telling.register_model("b", b), differences=True)
        assert rows(comparison) == {
            "equal": ("identical", 0, 0), "none": ("identical", 0, 0), "value": ("changed", 2, 1),
            "shape": ("shape", None, None), "dtype": ("dtype", None, None),
            "old": ("removed", None, None), "new": ("added", None, None),
        }  # fmt: skip
        assert comparison.notes == ()

    @pytest.mark.parametrize("differences", [False, True])
    def test_equal_bytes_in_other_files_are_identical(self, telling: ModelRegistry, differences: bool) -> None:
        comparison = compared(telling, folder(w=HEAD + b"abc"), folder(w=b"uint8 2 abc"), differences=differences)
        assert [file.status for file in comparison.files] == ["changed"]
        assert rows(comparison)["w"][0] == "identical"
        assert not comparison.identical

    @pytest.mark.parametrize("place", [0, MIB - 1, MIB, 9 * MIB + 5, 20 * MIB + 2])
    def test_one_byte_is_found_wherever_it_is(self, telling: ModelRegistry, place: int) -> None:
        a, b = bytearray(20 * MIB + 3), bytearray(20 * MIB + 3)
        b[place] = 7
        # Other heads, so that the digest does not tell.
        comparison = compared(telling, folder(w=HEAD + a), folder(w=b"uint8 2 " + b))
        assert rows(comparison) == {"w": ("changed", None, None)}
        assert rows(telling.compare("a", "b", differences=True)) == {"w": ("changed", 7, 7 / len(a))}

    def test_many_tensors_of_all_sizes(self, telling: ModelRegistry) -> None:
        sizes = {f"t{number:03}": number * number for number in range(280)}
        first = telling.register_model("a", folder(**{name: HEAD + bytes(size) for name, size in sizes.items()}))
        changed = {name: HEAD + bytes(size)[:-1] + b"\3" if size else HEAD for name, size in sizes.items()}
        second = telling.register_model("b", folder(**changed))
        assert rows(telling.compare(first, second, differences=True)) == {
            name: ("changed", 3, 3 / size) if size else ("identical", 0, 0) for name, size in sizes.items()
        }

    def test_no_more_memory_is_used_than_the_buffers(self, telling: ModelRegistry) -> None:
        size = 24 * MIB
        compared(telling, folder(w=HEAD + bytes(size)), folder(w=b"uint8 2 " + bytes(size)))
        tracemalloc.start()
        try:
            telling.compare("a", "b")
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < ((os.cpu_count() or 1) * 2 + 1) * MIB + MIB

    @pytest.mark.parametrize("differences", [False, True])
    def test_a_dtype_that_nobody_measures(self, telling: ModelRegistry, differences: bool) -> None:
        comparison = compared(telling, folder(w=b"odd     abc"), folder(w=b"odd     abd"), differences=differences)
        assert rows(comparison) == {"w": ("changed", None, None)}
        note = "differences of odd tensors were not measured: no plugin knows how"
        assert comparison.notes == ((note,) if differences else ())

    def test_an_entry_has_its_tensors(self, telling: ModelRegistry) -> None:
        (tensor,) = telling.register_model("m", folder(w=HEAD + b"abc")).tensors
        assert (tensor.name, tensor.dtype, tensor.shape, tensor.elements) == ("w", "uint8", (3,), 3)
        assert (tensor.path, tensor.offset, tensor.nbytes) == ("w.bin", 8, 3)


class TestReading:
    """What is read of the blobs, told by the system calls of one comparison."""

    @pytest.fixture
    def reads(self, monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, int], int]:
        """How often each (file, offset) was read with preadv."""
        counted: dict[tuple[str, int], int] = {}
        preadv = os.preadv

        def counting(descriptor: int, buffers: Any, offset: int, *flags: int) -> int:
            place = (os.readlink(f"/proc/self/fd/{descriptor}"), offset)
            counted[place] = counted.get(place, 0) + 1
            return preadv(descriptor, buffers, offset, *flags)

        monkeypatch.setattr(os, "preadv", counting)
        return counted

    def test_no_byte_is_read_twice(self, telling: ModelRegistry, reads: dict[tuple[str, int], int]) -> None:
        a, b = HEAD + bytes(9 * MIB), HEAD + bytes([1]) * 9 * MIB
        compared(telling, folder(v=a, w=a), folder(v=b, w=b), differences=True)  # both names have one blob
        assert len(reads) == 18
        assert set(reads.values()) == {1}

    def test_one_blob_and_other_blobs_around_which_nothing_differs_are_not_read(
        self, telling: ModelRegistry, reads: dict[tuple[str, int], int]
    ) -> None:
        same = HEAD + bytes(100)
        comparison = compared(telling, folder(v=same, w=HEAD + b"a" * MIB), folder(v=same, w=HEAD + b"b" * MIB))
        assert {name: status for name, (status, *_) in rows(comparison).items()} == {"v": "identical", "w": "changed"}
        assert not reads

    def test_reading_ends_at_the_first_difference(
        self, telling: ModelRegistry, reads: dict[tuple[str, int], int]
    ) -> None:
        compared(telling, folder(w=HEAD + bytes(48 * MIB)), folder(w=b"uint8 2 " + b"1" * 48 * MIB))
        assert 2 <= len(reads) <= 2 * (os.cpu_count() or 1)


class TestWhatCannotBeCompared:
    def test_a_format_of_which_nobody_tells_tensors(self, registry: ModelRegistry) -> None:
        comparison = compared(registry, b"x", b"y")
        assert comparison.tensors == comparison.modules == ()
        assert comparison.notes == tuple(
            f"tensors were not compared: no plugin tells those of the format 'bytes' ({name}:1.0.0)" for name in "ab"
        )
        assert comparison.a.tensors == ()

    def test_a_plugin_that_is_missing(self, telling: ModelRegistry) -> None:
        compared(telling, folder(w=HEAD + b"1"), folder(w=HEAD + b"2"))
        disabled = [*telling.settings.disabled_plugins, "bytes"]
        without = ModelRegistry("models", disabled_plugins=disabled)
        comparison = without.compare("a", "b")
        assert [file.status for file in comparison.files] == ["changed"]
        assert comparison.tensors == ()
        assert [note[:48] for note in comparison.notes] == [
            f"tensors and modules were not compared: {name}:1.0.0: "[:48] for name in "ab"
        ]
        assert all("no plugin handles the format 'bytes'" in note for note in comparison.notes)
        assert without.resolve("a").tensors == ()

    def test_a_side_without_a_tree(self, telling: ModelRegistry, install: Installer) -> None:
        first = telling.register_model("a", folder(w=HEAD))
        (install.site / "model.py").write_text("model = 1")
        second = telling.register_model("s", install.site / "model.py", "script")
        comparison = telling.compare(first, second)
        assert comparison.modules == ()
        assert comparison.notes == (
            "tensors were not compared: no plugin tells those of the format 'script' (s:1.0.0)",
            "modules were not compared: s:1.0.0 has no module tree",
        )


class TestHostile:
    @pytest.mark.parametrize(
        ("members", "problem"),
        [
            ({"w": b"over!   x"}, "'w' lies outside of its file 'w.bin'"),
            ({"w": b"start   x"}, "'w' lies outside of its file 'w.bin'"),
            ({"w": b"size!   x"}, "'w' is not described by texts and whole numbers"),
            ({"w": b"gone!   x"}, "'w' lies in 'gone.bin', which is no file of the version"),
            ({"name1": b"twice   x", "name2": b"twice   x"}, "'name' is told twice"),
            ({"w": b"true!   x"}, "'w' is not described by texts and whole numbers"),
            ({"w": b"huge!   x"}, "'w' is not described by texts and whole numbers"),
            ({"w": b"deep!   x"}, "'w' is not described by texts and whole numbers"),
        ],
    )
    def test_a_tensor_outside_of_its_file_is_refused(
        self, telling: ModelRegistry, members: dict[str, bytes], problem: str
    ) -> None:
        telling.register_model("good", folder(w=HEAD))
        bad = telling.register_model("bad", folder(**members))
        uses: list[Callable[[], object]] = [
            lambda: telling.compare("good", bad),
            lambda: telling.compare(bad, "good", differences=True),
            lambda: bad.tensors,
        ]
        for use in uses:
            with pytest.raises(UnsafeModelError) as refusal:
                use()
            assert refusal.value.message == f"bad:1.0.0: tensor {problem}"

    @pytest.mark.parametrize("differences", [False, True])
    def test_bytes_that_changed_on_the_disk_are_not_compared(self, telling: ModelRegistry, differences: bool) -> None:
        entry = telling.register_model("m", folder(w=HEAD + b"abc"))
        blob = Path("models/blobs/sha256", entry.files[0].sha256)
        blob.chmod(0o644)
        blob.write_bytes(HEAD + b"abd")
        with pytest.raises(IntegrityError, match=r"^m:1\.0\.0: file 'w\.bin' was changed on disk"):
            telling.compare(entry, entry, differences=differences)
        with pytest.raises(IntegrityError):
            _ = entry.tensors

    @pytest.mark.parametrize(
        ("source", "message"),
        [
            ("tensors(self, format, files): return [1]", "tensors gave something else than records of tensors"),
            ("tensors(self, format, files): return 1 / 0", "failed in tensors: ZeroDivisionError"),
            ("modules(self, format, files): return 3", "failed in modules: AttributeError"),
            ("difference(self, dtype, a, b): return 1", "failed in difference: TypeError"),
            ("difference(self, dtype, a, b): a[0] = 1", "failed in difference: TypeError"),  # a is read only
        ],
    )
    def test_a_plugin_that_breaks_the_contract(
        self, telling: ModelRegistry, install: Installer, source: str, message: str
    ) -> None:
        body = f"from model_registry import hookimpl\nclass Plugin:\n    @hookimpl(tryfirst=True)\n    def {source}\n"
        install("broken", body)
        with pytest.raises(PluginError, match=message):
            compared(telling, folder(w=HEAD + b"1"), folder(w=HEAD + b"2"), differences=True)


def test_a_failure_in_one_thread_ends_the_others(telling: ModelRegistry, install: Installer, tmp_path: Path) -> None:
    install("failing", FAILING)
    with pytest.raises(PluginError, match="failed in difference: ValueError: once"):
        compared(telling, folder(w=HEAD + bytes(60 * MIB)), folder(w=HEAD + b"1" * 60 * MIB), differences=True)
    assert Path("calls").stat().st_size <= 2 * (os.cpu_count() or 1)


FAILING = """
from model_registry import hookimpl

class Plugin:
    @hookimpl(tryfirst=True)
    def difference(self, dtype, a, b):
        with open("calls", "ab") as file:
            file.write(b".")
        raise ValueError("once")
"""
