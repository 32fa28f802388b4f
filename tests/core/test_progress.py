"""What operations tell while they go on: exact sums, from any thread, seldom enough, and to nobody else."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_registry import ModelRegistry, ProgressReport, progress, workers
from model_registry.digests import CHUNK, sha256_of_buffers, sha256_of_file
from model_registry.progress import Progress, advance, aside, item_done, part

MIB = 1 << 20


def reports_of(work: Callable[[Progress], object]) -> list[ProgressReport]:
    told, heard = Progress(), []
    with told.listening(heard.append):
        work(told)
    return heard


@pytest.fixture
def every_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is left out to be quick."""
    monkeypatch.setattr(progress, "INTERVAL", 0.0)


# What registries tell


def last_of(registry: ModelRegistry, work: Callable[[], object]) -> ProgressReport:
    """The last report of the only operation."""
    heard: list[ProgressReport] = []
    with registry.progress(heard.append):
        work()
    assert len({report.operation for report in heard}) == 1
    assert [report.finished for report in heard] == [False] * (len(heard) - 1) + [True]
    assert [report.bytes_done for report in heard] == sorted(report.bytes_done for report in heard)
    return heard[-1]


@pytest.fixture
def weights(bytes_plugin: str) -> Path:
    path = Path("weights.bin")
    path.write_bytes(bytes(range(256)) * 20_000)
    return path


def test_each_operation_ends_with_all_of_its_bytes(registry: ModelRegistry, weights: Path) -> None:
    size = weights.stat().st_size
    told = last_of(registry, lambda: registry.register_model("m", weights))
    assert told.what == "registering m"
    assert size <= told.bytes_done == told.bytes_total <= size + 5_000  # and the documents
    stored = registry.get_detailed_stats()["stored_bytes"]
    entry = registry.resolve("m")

    told = last_of(registry, registry.validate_registry)
    assert (told.what, told.items_done, told.items_total) == ("validating", 1, 1)
    assert stored - 3_000 <= told.bytes_done == told.bytes_total <= stored  # but the manifest, and where it came from

    for what, work, passes in (
        ("verifying m:1.0.0", entry.verify, 1),
        ("loading m:1.0.0", lambda: registry.load_model("m"), 1),
        ("exporting m:1.0.0", lambda: registry.export_model("m", "1.0.0", "out"), 2),
    ):
        told = last_of(registry, work)
        assert (told.what, told.bytes_done, told.bytes_total) == (what, passes * size, passes * size)
    told = last_of(registry, registry.collect_garbage)
    assert (told.what, told.items_done, told.items_total) == ("collecting", 6, 6)


@pytest.mark.parametrize("parts", [1, 3])
def test_a_model_in_memory_counts_its_bytes_once(registry: ModelRegistry, parts: int) -> None:
    model = bytes(3 * MIB)
    for version in ("1", "2"):  # of the second, nothing is written
        told = last_of(
            registry, lambda version=version: registry.register_model("m", model, version=version, parts=parts)
        )
        assert told.bytes_total is None
        assert len(model) < told.bytes_done < len(model) + 5_000


def test_a_deep_validation_of_many_versions_counts_what_it_reads(registry: ModelRegistry) -> None:
    for n in range(5):
        registry.register_model("m", bytes([n]) * 100_000)
    told = last_of(registry, lambda: registry.validate_registry(deep=True))
    assert told.items_done == 5
    assert 500_000 <= told.bytes_done == told.bytes_total <= 520_000


def test_a_large_file_is_seen_to_advance(registry: ModelRegistry, every_report: None) -> None:
    heard: list[ProgressReport] = []
    size = 20 * MIB
    Path("large.bin").write_bytes(bytes(size))
    with registry.progress(heard.append):
        registry.register_model("m", Path("large.bin"))
        registry.register_model("m", bytes(size - 1))
        registry.export_model("m", "1.0.0", "out")
        registry.validate_registry(deep=True)
    for what, steps in {"registering m": 20, "validating": 20, "exporting m:1.0.0": 20}.items():
        seen = [report.bytes_done for report in heard if report.what == what]
        assert len(seen) > steps
        assert max(after - before for before, after in pairwise(seen)) <= 8 * MIB


def test_a_listener_can_stop_the_work_and_nothing_is_left(registry: ModelRegistry, every_report: None) -> None:
    def stop(report: ProgressReport) -> None:
        if report.bytes_done:
            raise TimeoutError("enough")

    with registry.progress(stop), pytest.raises(TimeoutError, match="enough"):
        registry.register_model("m", bytes(3 * MIB))
    assert registry.list_models() == []
    assert list(Path("models/blobs/sha256").iterdir()) == list(Path("models/staging").iterdir()) == []
    registry.register_model("m", bytes(3 * MIB))


def test_work_that_is_done_does_not_fail_with_its_listener(registry: ModelRegistry) -> None:
    def fail_at_last(report: ProgressReport) -> None:
        if report.finished:
            raise TimeoutError("too late")

    with registry.progress(fail_at_last):
        assert registry.register_model("m", b"model").version == "1.0.0"


def test_registries_and_operations_that_go_on_at_once_are_told_apart(bytes_plugin: str) -> None:
    one, other = ModelRegistry("one"), ModelRegistry("other")
    of_one: list[ProgressReport] = []
    entries = [one.register_model("m", bytes([n]) * (n + 1) * MIB) for n in range(4)]
    barrier = threading.Barrier(4)

    def verify(n: int) -> None:
        barrier.wait()
        entries[n].verify()
        other.register_model("m", bytes([n]) * MIB)

    with one.progress(of_one.append):
        threads = [threading.Thread(target=verify, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    sums = {report.what: report.bytes_done for report in of_one if report.finished}
    assert sums == {f"verifying m:1.0.{n}": (n + 1) * MIB for n in range(4)}


def test_who_has_left_is_told_nothing_more(registry: ModelRegistry) -> None:
    heard: list[ProgressReport] = []
    with registry.progress(heard.append):
        pass
    registry.register_model("m", b"model")
    assert heard == []


# The machinery


def test_threads_lose_no_byte_and_the_listener_is_never_called_twice_at_once(every_report: None) -> None:
    inside = []

    def listen(report: ProgressReport) -> None:
        inside.append(report)
        assert len(inside) == 1
        time.sleep(0.0005)
        inside.clear()

    def hash_much(_: int) -> None:
        for _ in range(200):
            with part(7):
                advance(3)
            item_done()

    told, heard = Progress(), []
    with told.listening(listen), told.listening(heard.append), told.operation("x", bytes_total=8 * 1_400):
        workers.run_all(hash_much, range(8))
    assert (heard[-1].bytes_done, heard[-1].items_done) == (8 * 1_400, 1_600)


def test_reports_are_few() -> None:
    begun = time.monotonic()

    def work(told: Progress) -> None:
        with told.operation("x"):
            for _ in range(50_000):
                advance(1)

    heard = reports_of(work)
    assert 2 <= len(heard) <= 3 + (time.monotonic() - begun) / progress.INTERVAL
    assert heard[-1].bytes_done == 50_000


@given(st.integers(0, 1_000), st.integers(1, 3), st.lists(st.integers(0, 800), max_size=8), st.booleans())
def test_a_part_counts_for_its_size_whatever_happens_in_it(
    size: int, passes: int, steps: list[int], failing: bool
) -> None:
    def work(told: Progress) -> None:
        with told.operation("x"):
            try:
                with part(size, passes), part(size * passes):
                    for step in steps:
                        advance(step)
                    if failing:
                        raise KeyError
            except KeyError:
                pass

    done = reports_of(work)[-1].bytes_done
    assert done == (min(size, sum(steps) // passes) if failing else size)


def test_an_operation_within_another_is_a_part_of_it() -> None:
    def work(told: Progress) -> None:
        with told.operation("outer", bytes_total=30, items_total=2):
            for _ in range(2):
                with Progress().operation("inner", bytes_total=10, items_total=100):
                    advance(10)
                    item_done(50)
                item_done()
            with aside():
                advance(1_000)
                item_done(1_000)

    heard = reports_of(work)
    assert {report.what for report in heard} == {"outer"}
    last = heard[-1]
    assert (last.bytes_done, last.bytes_total, last.items_done, last.items_total) == (20, 20, 2, 2)


def test_what_is_not_heard_finds_out_no_totals() -> None:
    def total() -> int:
        raise AssertionError("asked")

    with Progress().operation("x", bytes_total=total, items_total=total):
        assert not progress.is_heard()
        advance(1)


def fail_after(count: int) -> None:
    advance(count)
    raise KeyError


def test_work_that_fails_says_so_at_the_end_with_what_was_done() -> None:
    def work(told: Progress) -> None:
        with pytest.raises(KeyError), told.operation("x", bytes_total=10):
            fail_after(4)

    last = reports_of(work)[-1]
    assert (last.bytes_done, last.bytes_total, last.finished) == (4, 10, True)


@pytest.mark.parametrize("size", [0, 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_hashes_are_the_same_whether_somebody_listens_or_not(tmp_path: Path, size: int) -> None:
    data = bytes(range(251)) * (size // 251 + 1)
    data = data[:size]
    (tmp_path / "file").write_bytes(data)
    found = set()

    def work(told: Progress) -> None:
        with told.operation("x"):
            found.update({sha256_of_buffers([data]), sha256_of_file(tmp_path / "file")})
            found.add(sha256_of_buffers([memoryview(data).cast("B", (size, 1))] if size else []))

    assert reports_of(work)[-1].bytes_done == 3 * size
    found.add(sha256_of_buffers([data]))
    assert len(found) == 1
