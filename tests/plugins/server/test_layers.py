"""The plugin is built in layers: no part knows what is above it, and the client needs no web framework."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import model_registry_server

PACKAGE = Path(model_registry_server.__file__).parent
#: What a part may import of the others, beside itself and single files. Files of the package stand for themselves.
MAY = {
    "security": {"state", "errors"},
    "transfer": {"state", "errors"},
    "jobs": {"state", "errors", "security"},
    "webhooks": {"state", "errors", "security", "options", "documents"},
    "limits": {"errors", "transfer", "options"},
    "watching": {"state", "security"},
    "client": {"api_path", "errors", "transfer", "jobs", "places", "token_variable"},
}
#: Who is at the top: nobody below imports them.
TOP = {"web", "cli", "app", "listening", "hooks"}


def modules() -> list[str]:
    return sorted(".".join(path.relative_to(PACKAGE).with_suffix("").parts) for path in PACKAGE.rglob("*.py"))


def imports_of(module: str, *, on_import: bool = False) -> set[str]:
    tree = ast.parse((PACKAGE / module.replace(".", "/")).with_suffix(".py").read_text(encoding="utf-8"))
    found: set[str] = set()
    for node in tree.body if on_import else ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "model_registry_server":
            base = (node.module or "").split(".")[1:]
            for alias in node.names:
                parts = [*base, alias.name]
                if PACKAGE.joinpath(*parts).with_suffix(".py").is_file():
                    found.add(".".join(parts))
                elif PACKAGE.joinpath(*base).with_suffix(".py").is_file():
                    found.add(".".join(base))
                elif base:
                    found.add(".".join([*base, "__init__"]))
    return found


@pytest.mark.parametrize("part", MAY)
def test_a_part_imports_only_what_is_below_it(part: str) -> None:
    foreign = {
        other.partition(".")[0]
        for module in modules()
        if module.partition(".")[0] == part
        for other in imports_of(module)
    } - {part}
    assert foreign <= MAY[part], f"{part} imports {sorted(foreign - MAY[part])}"


def test_nobody_imports_who_is_above() -> None:
    for module in modules():
        part = module.partition(".")[0]
        if part not in TOP and part != "__init__":
            above = {other for other in imports_of(module) if other.partition(".")[0] in TOP}
            assert not above, f"{module} imports {sorted(above)}"


def test_no_module_is_imported_while_it_imports() -> None:
    graph = {module: imports_of(module, on_import=True) - {module} for module in modules()}
    TopologicalSorter(graph).prepare()  # raises CycleError, with the circle


@pytest.mark.parametrize(
    ("statement", "unwanted"),
    [
        ("import model_registry_server.hooks", {"fastapi", "starlette", "httpx", "uvicorn", "pydantic", "torch"}),
        ("from model_registry_server import Client", {"fastapi", "uvicorn", "pydantic", "torch", "numpy"}),
        (
            "import model_registry_server.listening.serving",
            {"torch", "numpy", "onnx", "transformers", "httpx", "rich"},
        ),
        ("from model_registry_server import verify", {"fastapi", "httpx", "starlette"}),
    ],
)
def test_nothing_is_imported_that_is_not_needed(statement: str, unwanted: set[str]) -> None:
    code = f"{statement}\nimport sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {name.partition(".")[0] for name in loaded} & unwanted
