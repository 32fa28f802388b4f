"""The core is built in layers: a module imports from its own layer or from those below, and nothing goes in circles."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import model_registry

PACKAGE = Path(model_registry.__file__).parent

#: From the bottom to the top. A name without a suffix is a module or a whole sub-package.
LAYERS = (
    ("errors", "vocabulary", "records", "comparison"),
    (
        "hookspecs",
        "config",
        "digests",
        "documents",
        "kinds",
        "parity",
        "names",
        "versions",
        "canonical_json",
        "durable",
        "progress",
        "workers",
        "forks",
        "clock",
        "actor",
    ),
    (
        "bars",
        "remotes",
        "plugins",
        "catalog",
        "blobs",
        "archive",
        "uses",
        "manifest",
        "environment",
        "provenance",
        "plain_files",
        "example_inputs",
        "staged",
        "staging",
        "files",
        "loaders",
        "leases",
        "backups",
        "search",
    ),
    ("operations", "registry"),
    ("__init__", "__main__", "cli", "shortcuts", "testing"),
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}

FRAMEWORKS = ("torch", "numpy", "onnx", "onnxruntime", "transformers", "safetensors", "fastapi", "pydantic", "sklearn")


def modules() -> list[str]:
    """Every module of the core, dotted, without the package's own name."""
    paths = (path.relative_to(PACKAGE).with_suffix("") for path in PACKAGE.rglob("*.py"))
    return sorted(".".join(path.parts) for path in paths)


def part(module: str) -> str:
    """The entry of ``LAYERS`` that a module belongs to."""
    return module.partition(".")[0]


def imports_of(module: str, *, on_import: bool = False) -> set[str]:
    """The modules of the core that a module imports anywhere in its text, or only while it is itself imported."""
    tree = ast.parse((PACKAGE / module.replace(".", "/")).with_suffix(".py").read_text(encoding="utf-8"))
    names: set[str] = set()
    for node in tree.body if on_import else ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively, in line {node.lineno}"
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    ours = (name.split(".")[1:] for name in names if name.split(".")[0] == model_registry.__name__)
    return {_existing(parts) for parts in ours}


def _existing(parts: list[str]) -> str:
    """The module that ``from model_registry.a import b`` reads: ``a.b`` if that is a module, else ``a``."""
    for length in range(len(parts), 0, -1):
        path = PACKAGE.joinpath(*parts[:length])
        if path.with_suffix(".py").is_file():
            return ".".join(parts[:length])
        if (path / "__init__.py").is_file():
            return ".".join([*parts[:length], "__init__"])
    return "__init__"


@pytest.mark.parametrize("module", modules())
def test_every_module_has_a_layer_and_imports_downward_only(module: str) -> None:
    assert part(module) in LEVEL, f"say in LAYERS to which layer {module} belongs"
    level = LEVEL[part(module)]
    upward = {other for other in imports_of(module) if LEVEL[part(other)] > level}
    assert not upward, f"{module} (layer {level}) imports from above: {sorted(upward)}"


def test_no_module_is_imported_while_it_imports() -> None:
    graph = {module: imports_of(module, on_import=True) - {module} for module in modules()}
    TopologicalSorter(graph).prepare()  # raises CycleError, with the circle


def test_every_layer_is_made_of_modules_that_exist() -> None:
    assert set(LEVEL) <= {part(module) for module in modules()}


@pytest.mark.parametrize(
    "statement", ["import model_registry", "import model_registry.cli", "from model_registry import *"]
)
def test_importing_the_core_imports_no_framework(statement: str) -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", f"{statement}\nimport sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert not {name.partition(".")[0] for name in loaded} & set(FRAMEWORKS)


def test_the_core_names_no_framework_in_its_imports() -> None:
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {name.partition(".")[0] for name in names} & set(FRAMEWORKS), path
