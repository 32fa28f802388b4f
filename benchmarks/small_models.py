"""Many small models: one by one, from several processes at once, and deleted again.

The floor is in ``floor.py``. Deleting is measured against the commits that it must wait for, one for each call.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from floor import Floor
from measuring import Scale, seconds
from models import small_modules
from safetensors.torch import save
from table import Row, milliseconds, ratio

from model_registry import ModelRegistry

TITLE = "Small models"
PROCESSES, EACH = 4, 25


def measure(folder: Path, scale: Scale) -> Iterator[Row]:
    yield from _one_by_one(folder, scale)
    yield from _at_once(folder, scale)
    yield from _deleted(folder, scale)


def _one_by_one(folder: Path, scale: Scale) -> Iterator[Row]:
    registry, floor = ModelRegistry(folder / "one", backup_enabled=False), Floor(folder / "floor")
    registry.register_model("warm", small_modules(1)[0], "pytorch")
    times = []
    for number in range(scale.pairs):
        models = small_modules(scale.models, seed=number)
        ours = seconds(lambda models=models: [registry.register_model("m", model, "pytorch") for model in models])
        theirs = seconds(lambda models=models: [floor.write(save(model.state_dict())) for model in models])
        times.append((ours / theirs, scale.models / ours))
    rate = median(rate for _, rate in times)
    what = f"{scale.models} models of 1 MB one by one ÷ (write, fsync, sha256, fsync of the folder, commit)"
    yield ratio(what, median(found for found, _ in times), 2.5, f"{rate:.0f} a second")


def _at_once(folder: Path, scale: Scale) -> Iterator[Row]:
    together, plain, alone, plain_alone = [], [], [], []
    for number in range(scale.pairs):
        alone.append(_run(1, PROCESSES * EACH, "registry", folder / f"alone{number}"))
        together.append(_run(PROCESSES, EACH, "registry", folder / f"together{number}"))
        plain.append(_run(PROCESSES, EACH, "floor", folder / f"plain{number}"))
        plain_alone.append(_run(1, PROCESSES * EACH, "floor", folder / f"plain-alone{number}"))
        versions = ModelRegistry(folder / f"together{number}").list_models()
        if len(versions) != PROCESSES * EACH:
            raise AssertionError(f"{PROCESSES * EACH - len(versions)} registrations were lost")
    found = median(a / b for a, b in zip(together, plain, strict=True))
    what = f"{PROCESSES} processes × {EACH} registrations of one name, none lost ÷ plain writes"
    yield ratio(what, found, 3, f"{median(together):.2f} s")
    found = median(a / b for a, b in zip(together, alone, strict=True))
    yield ratio(f"… ÷ one process registering all {PROCESSES * EACH}", found, 1)
    found = median(a / b for a, b in zip(plain, plain_alone, strict=True))
    yield Row(f"… plain writes of {PROCESSES} processes ÷ those of one", f"{found:.2f}")


def _run(processes: int, each: int, what: str, folder: Path) -> float:
    """Seconds from letting prepared processes go until the last one is done."""
    command = [sys.executable, str(Path(__file__).with_name("worker.py")), what, str(folder), str(each)]
    running = [
        subprocess.Popen([*command, str(number)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for number in range(processes)
    ]
    for process in running:
        assert process.stdout is not None
        process.stdout.readline()  # it is ready

    def go() -> None:
        for process in running:
            assert process.stdin is not None
            process.stdin.close()
        for process in running:
            if process.wait():
                raise AssertionError("a registration failed")

    return seconds(go)


def _deleted(folder: Path, scale: Scale) -> Iterator[Row]:
    at_once, by_calls, plain = [], [], []
    for number in range(scale.pairs):
        registry = _filled(folder / f"many{number}", scale)
        took = seconds(lambda registry=registry: registry.remove_many("name like 'm%'") and registry.collect_garbage(0))
        at_once.append(took - _commits(folder / f"commit{number}", 1))
        _require_no_orphan(registry)
        registry = _filled(folder / f"calls{number}", scale)
        commits = _commits(folder / f"commits{number}", scale.models)
        by_calls.append(seconds(lambda registry=registry: _delete(registry, scale)) - commits)
        blobs = _blobs(_filled(folder / f"plain{number}", scale))
        plain.append(seconds(lambda blobs=blobs: [blob.unlink() for blob in blobs]))
    what = f"delete {scale.models} models in one call and collect, above the fsync"
    yield milliseconds(what, median(at_once), 35)
    yield milliseconds(f"… with {scale.models} calls, above their {scale.models} fsyncs", median(by_calls))
    yield milliseconds("… only unlinking their blobs, one after the other", median(plain))


def _filled(path: Path, scale: Scale) -> ModelRegistry:
    registry = ModelRegistry(path, backup_enabled=False)
    for number, model in enumerate(small_modules(scale.models)):
        registry.register_model(f"m{number}", model, "pytorch")
    return registry


def _delete(registry: ModelRegistry, scale: Scale) -> None:
    for number in range(scale.models):
        registry.remove_model(f"m{number}")
    registry.collect_garbage(0)
    _require_no_orphan(registry)


def _require_no_orphan(registry: ModelRegistry) -> None:
    left = _blobs(registry)
    if left:
        raise AssertionError(f"{len(left)} blobs are left")


def _blobs(registry: ModelRegistry) -> list[Path]:
    return list((registry.settings.path / "blobs" / "sha256").iterdir())


def _commits(folder: Path, count: int) -> float:
    """Seconds of so many commits, each forced to the disk."""
    floor = Floor(folder)
    return seconds(
        lambda: [floor._database.execute("INSERT INTO files VALUES ('" + "0" * 64 + "')") for _ in range(count)]
    )
