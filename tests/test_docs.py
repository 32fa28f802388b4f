"""Everything that the documentation shows is run: Python, the command line, configuration. Every link leads somewhere.

The blocks of a page run from the top to the bottom in one empty folder: ``python`` blocks share their names,
``console`` blocks run their lines that begin with ``$ model-registry``, ``sh`` blocks are run by a shell that stops at
the first failure, and ``toml`` blocks that configure a registry are checked.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import attrs
import click
import pytest
from attrs import frozen

import model_registry
from model_registry import ModelRegistry
from model_registry.cli import root
from model_registry.cli.exit_codes import MEANINGS
from model_registry.cli.lazy import LazyGroup
from model_registry.search.fields import FIELDS, SYNONYMS

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("core/*.md"), *ROOT.glob("plugins/*/*.md")])
COMMAND = Path(sys.executable).with_name("model-registry")

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


@frozen
class Block:
    """A fenced block: its language, its text, and the line of the page where its text begins."""

    language: str
    text: str
    line: int


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    fences = re.finditer(r"^```(\w*)[^\n]*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [Block(match[1], match[2], text.count("\n", 0, match.start()) + 2) for match in fences]


@pytest.fixture
def snippet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> types.ModuleType:
    """A module for the blocks of one page to run in, with an empty folder as the current one."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("MODEL_REGISTRY_")]:
        monkeypatch.delenv(name)
    module = types.ModuleType("snippet")
    monkeypatch.setitem(sys.modules, "snippet", module)
    return module


@each_page
def test_what_a_page_shows_works(page: Path, snippet: types.ModuleType) -> None:
    for block in blocks(page):
        if block.language == "python":
            # Empty lines in front, so that a traceback names the line of the page.
            source = "\n" * (block.line - 1) + block.text
            exec(compile(source, str(page), "exec"), vars(snippet))
        elif block.language == "console":
            run_commands(block, page)
        elif block.language == "sh":
            run_script(block, page)
        elif block.language == "toml" and re.search(r"^\[(registry|plugins)\b", block.text, re.MULTILINE):
            Path("checked.toml").write_text(block.text, encoding="utf-8")
            run_command("model-registry --config checked.toml config check", f"{page}:{block.line}")


def test_the_plugin_of_the_how_to_passes_the_conformance_kit(tmp_path: Path) -> None:
    page = ROOT / "docs" / "how-to" / "write-a-plugin.md"
    hooks, suite, *_ = (block.text for block in blocks(page) if block.language == "python")
    package = tmp_path / "model_registry_numpy"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "hooks.py").write_text(hooks, encoding="utf-8")
    (tmp_path / "test_numpy.py").write_text(suite, encoding="utf-8")
    info = tmp_path / "model_registry_numpy-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: model-registry-numpy\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text("[model_registry.plugins]\nnumpy = model_registry_numpy.hooks:Plugin\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_numpy.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *filter(None, sys.path)])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


def run_commands(block: Block, page: Path) -> None:
    for number, line in enumerate(block.text.splitlines(), start=block.line):
        if line.startswith("$ model-registry"):
            run_command(line.removeprefix("$ "), f"{page}:{number}")


def run_script(block: Block, page: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    environment = {**os.environ, "PATH": f"{COMMAND.parent}{os.pathsep}{os.environ['PATH']}"}
    command = ["bash", "-euo", "pipefail", "-c", block.text]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{page}:{block.line}\n{done.stdout}{done.stderr}"


def run_command(command: str, where: str) -> None:
    """Run it; a comment such as ``# exits with 4`` says what it ends with when that is not 0."""
    expected = re.search(r"# exits with (\d+)", command)
    words = shlex.split(command, comments=True)
    done = subprocess.run([COMMAND, *words[1:]], capture_output=True, text=True, check=False)
    assert done.returncode == int(expected[1] if expected else 0), f"{where}\n{done.stdout}{done.stderr}"


@each_page
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        path, _, anchor = target.partition("#")
        if re.match(r"\w+:", target):
            continue  # elsewhere
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), f"{page.relative_to(ROOT)} links to {target}"
        if anchor:
            assert anchor in anchors(linked), f"{page.relative_to(ROOT)} links to {target}"


def anchors(page: Path) -> set[str]:
    """The anchors that a page's headings get."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_map_of_the_documentation_names_every_page() -> None:
    documentation = ROOT / "docs"
    named = set(re.findall(r"\]\(([^)#]+\.md)\)", (documentation / "README.md").read_text(encoding="utf-8")))
    pages = {str(page.relative_to(documentation)) for page in documentation.rglob("*.md")} - {"README.md"}
    assert pages <= named


def test_the_reference_names_every_public_name() -> None:
    reference = (ROOT / "docs" / "reference" / "python-api.md").read_text(encoding="utf-8")
    methods = [name for name in vars(model_registry.ModelRegistry) if not name.startswith("_")]
    missing = {name for name in (*model_registry.__all__, *methods) if not re.search(rf"`{name}\b", reference)}
    assert not missing


def test_the_reference_has_every_exit_code() -> None:
    reference = (ROOT / "docs" / "reference" / "exit-codes.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| (\d+) \| (\w+) \| (.+) \|$", reference, re.MULTILINE)
    assert told == [(str(int(code)), code.name, meaning) for code, meaning in MEANINGS.items()]


def commands(group: click.Group, *names: str) -> Iterator[tuple[str, click.Command]]:
    """Every command of the core, by the words that call it."""
    context = click.Context(group)
    for name in (
        LazyGroup.list_commands(group, context) if isinstance(group, LazyGroup) else group.list_commands(context)
    ):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, *names, name)
        else:
            yield " ".join([*names, name]), command


def test_the_reference_has_every_command_and_option(snippet: types.ModuleType) -> None:
    reference = (ROOT / "docs" / "reference" / "command-line.md").read_text(encoding="utf-8")
    sections = dict(
        re.findall(r"^## model-registry ([a-z -]*[a-z]).*?\n(.*?)(?=^## |\Z)", reference, re.MULTILINE | re.DOTALL)
    )
    of_plugins = click.Group()
    ModelRegistry("models")._context.plugins.commands(of_plugins)
    found = {**dict(commands(root)), **dict(commands(of_plugins))}
    assert set(sections) == set(found)
    for name, command in found.items():
        options = [o for p in command.params if isinstance(p, click.Option) and not p.hidden for o in p.opts]
        missing = {option for option in options if option.startswith("--") and f"`{option}" not in sections[name]}
        assert not missing, name


def test_the_commands_of_make_in_the_documentation_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for page in PAGES:
        used = set(
            re.findall(r"`make ([a-z-]+)`|^\$? ?make ([a-z-]+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
        )
        assert {a or b for a, b in used} <= targets, page


def test_the_reference_has_every_code_of_a_finding() -> None:
    sources = [
        path.read_text(encoding="utf-8")
        for path in (*ROOT.glob("core/src/**/*.py"), *ROOT.glob("plugins/*/src/**/*.py"))
    ]
    given = re.compile(r'"(?:error|warning|info)",\s*"([a-z]+(?:-[a-z]+)+)"')
    elsewhere = re.compile(r'"((?:manifest|blob|structure|row|references|index|record|weights|config)-[a-z]+)"')
    codes = {
        code
        for text in sources
        if "Finding" in text or "books" in text
        for code in (*given.findall(text), *elsewhere.findall(text))
    }
    reference = (ROOT / "docs" / "reference" / "findings.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| `([a-z-]+)` \| (?:error|warning|info) \| .+ \| .+ \|$", reference, re.MULTILINE)
    assert len(codes) > 25
    assert sorted(told) == sorted(codes)


def test_the_reference_names_every_field_that_can_be_searched() -> None:
    reference = (ROOT / "docs" / "reference" / "search.md").read_text(encoding="utf-8")
    assert not {name for name in (*FIELDS, *SYNONYMS) if not re.search(rf"`{re.escape(name)}\b", reference)}


def test_the_reference_names_every_field_of_the_metadata() -> None:
    reference = (ROOT / "docs" / "reference" / "python-api.md").read_text(encoding="utf-8")
    fields = {field.name for field in attrs.fields(model_registry.ModelMetadata)}
    assert not {name for name in fields if f"`{name}`" not in reference}
