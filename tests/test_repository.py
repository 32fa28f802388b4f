"""Facts about the repository: every distribution has the same shape, and no text speaks of what is not the project."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import pytest
import tomli

ROOT = Path(__file__).parent.parent
DISTRIBUTIONS = [ROOT / "core", *sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))]
PLUGINS = DISTRIBUTIONS[1:]

each_distribution = pytest.mark.parametrize("folder", DISTRIBUTIONS, ids=lambda folder: folder.name)
each_plugin = pytest.mark.parametrize("folder", PLUGINS, ids=lambda folder: folder.name)

#: What of the core a plugin may import: its public names, and the modules that are the contract.
CONTRACT = {"model_registry"} | {
    f"model_registry.{module}" for module in ("documents", "errors", "hookspecs", "loaders", "records", "vocabulary")
}

TEXTS = {".py", ".md", ".toml", ".txt", ".cfg", ".ini", ".yml", ".yaml", ".svg", ""}
LEFT_OUT = {"__pycache__", ".git", ".venv", ".venv-core", "models", "sha256"}

# Written in pieces, so that this file does not break its own rule.
FORBIDDEN = {
    "unfinished work": r"\b(TO" + "DO|FIX" + "ME|XX" + r"X)\b",
    "a machine's folders": "/wo" + r"rk/|\.\./sha" + "red",
    "an issue by its number": r"(?i)\bissues?\s*#?\d",
    "a package registry's host": r"(?i)pypi\." + "org|python" + r"hosted\.org|download\.py" + r"torch\.org",
    "a remote font": r"fonts\.google" + "apis|cdn" + "js",
}


def project(folder: Path) -> dict[str, object]:
    table: dict[str, object] = tomli.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return table


def import_name(folder: Path) -> str:
    return "model_registry" if folder.name == "core" else f"model_registry_{folder.name}"


def texts() -> list[Path]:
    """Every text file of the repository that people wrote."""
    found = []
    for folder, folders, files in os.walk(ROOT):
        hidden = {name for name in folders if name.startswith(".") and name != ".ci"}
        folders[:] = sorted(set(folders) - LEFT_OUT - hidden)
        found += [Path(folder, name) for name in files if Path(name).suffix in TEXTS]
    return found


@each_distribution
def test_a_distribution_has_a_name_a_readme_a_license_and_types(folder: Path) -> None:
    table = project(folder)
    assert table["name"] == f"model-registry-{folder.name}"
    assert table["license"] == "MIT"
    assert table["requires-python"] == ">=3.10"
    assert (folder / str(table["readme"])).read_text(encoding="utf-8").startswith(f"# model-registry-{folder.name}\n")
    package = folder / "src" / import_name(folder)
    assert (package / "__init__.py").is_file()
    assert (package / "py.typed").is_file()
    assert [path.name for path in (folder / "src").iterdir()] == [package.name]


@each_distribution
def test_a_distribution_has_its_tests(folder: Path) -> None:
    tests = ROOT / "tests" / ("core" if folder.name == "core" else f"plugins/{folder.name}")
    assert list(tests.rglob("test_*.py"))


@each_plugin
def test_a_plugin_has_one_name_everywhere(folder: Path) -> None:
    entry_points = project(folder)["entry-points"]
    entry_points.pop("model_registry.modules", None)  # classes that stored models may be made of
    entry_points.pop("model_registry.quantizers", None)  # ways to quantize that a stored configuration may name
    entry_points.pop("model_registry.remotes", None)  # what opens an address as a registry
    assert entry_points == {"model_registry.plugins": {folder.name: f"{import_name(folder)}.hooks:Plugin"}}


@each_plugin
def test_a_plugin_depends_on_the_core_and_on_no_other_plugin(folder: Path) -> None:
    dependencies = project(folder)["dependencies"]
    assert isinstance(dependencies, list)
    ours = [name for name in dependencies if name.startswith("model-registry")]
    assert len(ours) == 1
    assert ours[0].startswith("model-registry-core")


@each_plugin
def test_a_plugin_imports_the_contract_and_no_other_plugin(folder: Path) -> None:
    for path in (folder / "src").rglob("*.py"):
        imported = re.findall(
            r"^\s*(?:from|import) (model_registry[\w.]*)", path.read_text(encoding="utf-8"), re.MULTILINE
        )
        foreign = {name for name in imported if name.split(".")[0] != import_name(folder)}
        assert foreign <= CONTRACT, path


def test_the_root_holds_settings_and_no_project() -> None:
    settings = tomli.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert set(settings) == {"tool"}
    assert not list(ROOT.glob("*.py"))


def test_the_continuous_integration_can_be_run() -> None:
    assert (ROOT / ".ci" / "run").stat().st_mode & stat.S_IXUSR


def test_the_picture_loads_nothing() -> None:
    picture = (ROOT / "docs" / "images" / "demo.svg").read_text(encoding="utf-8")
    addresses = set(re.findall(r"https?://[^\"' )]+", picture))
    assert addresses == {"http://www.w3.org/2000/svg"}  # the name of the SVG namespace, which nobody fetches
    assert "<script" not in picture


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_text_holds(what: str) -> None:
    rule = re.compile(FORBIDDEN[what])
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in texts()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if rule.search(line)
    ]
    assert found == []
