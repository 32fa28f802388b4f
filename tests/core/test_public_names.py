"""The public names: sorted, complete, and imported only when they are used."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import model_registry

HEAVY = ("attrs", "attr", "cattrs", "pluggy", "sqlite3", "click", "rich", "tomli", "packaging", "importlib_metadata")


def modules_after(statement: str) -> set[str]:
    """The top-level modules that a fresh interpreter holds after a statement, beside those it starts with."""
    code = f"import json, sys; before = set(sys.modules)\n{statement}\n"
    code += "print(json.dumps(sorted(set(sys.modules) - before)))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    return {name.partition(".")[0] for name in json.loads(printed)}


def test_names_are_sorted_and_told_once() -> None:
    assert model_registry.__all__ == sorted(set(model_registry.__all__))


@pytest.mark.parametrize("name", model_registry.__all__)
def test_a_public_name_is_there_and_belongs_to_the_package(name: str) -> None:
    value = getattr(model_registry, name)
    home = getattr(value, "__module__", "") or ""
    assert home.startswith("model_registry.") or name in {
        "EXAMPLE_INPUTS",
        "Inputs",
        "Source",
        "hookimpl",
    }  # a text, aliases, and a marker of pluggy


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse(Path(model_registry.__file__).read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = [alias for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    assert sorted(alias.name for alias in seen) == model_registry.__all__
    assert all(alias.asname == alias.name for alias in seen)  # what makes them re-exports


def test_people_see_the_names_when_they_ask() -> None:
    assert {*model_registry.__all__, "__version__"} <= set(dir(model_registry))


def test_a_name_that_is_none_is_told() -> None:
    with pytest.raises(AttributeError, match=r"^module 'model_registry' has no attribute 'ModelRegistri'$"):
        _ = model_registry.ModelRegistri


def test_the_version_is_that_of_the_distribution() -> None:
    from importlib.metadata import version

    assert model_registry.__version__ == version("model-registry-core")


def test_importing_the_package_imports_nothing_else() -> None:
    loaded = modules_after("import model_registry")
    assert not loaded & set(HEAVY)
    assert loaded - sys.stdlib_module_names == {"model_registry"}


def test_the_names_of_errors_cost_only_the_errors() -> None:
    assert not modules_after("from model_registry import ModelNotFoundError, ModelFormat") & set(HEAVY)


def test_opening_and_listing_a_registry_looks_for_no_plugin(tmp_path: Path) -> None:
    listing = f"from model_registry import ModelRegistry; ModelRegistry({str(tmp_path)!r}).list_models()"
    assert not modules_after(listing) & {"importlib_metadata", "click", "rich", "cattrs", "packaging"}
