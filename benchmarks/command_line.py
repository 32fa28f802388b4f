"""Starting: what a process takes until it can work, in CPU time, which does not depend on what else goes on."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from floor import Floor
from measuring import Scale, cpu_seconds, paired, python
from table import Row, milliseconds

from model_registry import ModelRegistry

TITLE = "Starting"


def measure(folder: Path, scale: Scale) -> Iterator[Row]:
    program = str(Path(sys.executable).with_name("model-registry"))
    ModelRegistry(folder / "empty")
    runs = 3 * scale.pairs
    command = [program, "--registry", str(folder / "empty"), "list"]
    yield milliseconds("`model-registry list` with every plugin installed, CPU", cpu_seconds(command, runs), 250)
    bare = cpu_seconds([sys.executable, "-c", "pass"], runs)
    imported = cpu_seconds([sys.executable, "-c", "import model_registry"], runs) - bare
    yield milliseconds("`import model_registry`, CPU above bare Python", max(imported, 0))
    heavy = python(_HEAVY, folder / "empty").strip()
    yield Row("frameworks imported by listing", heavy or "none", "none", not heavy)
    numbers = iter(range(10**9))
    found = paired(
        lambda: ModelRegistry(folder / f"new{next(numbers)}"),
        lambda: Floor(folder / f"floor{next(numbers)}"),
        3 * scale.pairs,
    )
    yield milliseconds("create a registry", found.ours)


_HEAVY = """
import sys
from model_registry import ModelRegistry
ModelRegistry(sys.argv[1]).list_models()
print(*sorted({"torch", "numpy", "transformers", "onnx", "onnxruntime", "model_registry_pytorch"} & set(sys.modules)))
"""
