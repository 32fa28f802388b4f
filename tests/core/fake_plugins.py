"""Plugins that look installed: a folder on ``sys.path`` with a module and a ``.dist-info``, as installers leave it.

``BYTES`` is a whole plugin for the tests of the core. It stores ``bytes`` objects, files and folders in the format
``bytes``, runs Python files in the format ``script`` (which says that it executes code), and exports ``loud``.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import dedent

import pytest
from importlib_metadata import entry_points

GROUP = "model_registry.plugins"

BYTES = '''
from pathlib import Path

from model_registry import Conversion, Detection, Finding, FormatSpec, LoadedModel, UnsupportedModelError, hookimpl


class Plugin:
    """Models that are bytes. Many of them are many members: ``parts=3`` cuts the bytes into three files."""

    @hookimpl
    def formats(self):
        return [
            FormatSpec("bytes", "Bytes", frozenset({"parts", "tokenizer"}), frozenset({"upper"}), suffixes=(".bin",)),
            FormatSpec("script", "A Python file that makes the model", executes_code=True),
            FormatSpec("loud", "Shouts", export_options=frozenset({"marks"}), suffixes=(".loud",), storable=False),
        ]

    @hookimpl
    def conversions(self):
        return [Conversion("bytes", "loud", lossless=False)]

    @hookimpl
    def detect(self, model):
        if isinstance(model, bytes) or (isinstance(model, Path) and model.is_file() and model.suffix == ".bin"):
            return Detection("bytes", model_type="language_model")

    @hookimpl
    def save(self, request, stage):
        if request.format not in ("bytes", "script"):
            return None
        if isinstance(request.model, Path):
            files = [request.model]
            if request.model.is_dir():
                files = sorted(path for path in request.model.rglob("*") if path.is_symlink() or not path.is_dir())
            for file in files:
                stage.add(file.name if file == request.model else file.relative_to(request.model).as_posix(), file)
        elif isinstance(request.model, bytes):
            parts = request.options.get("parts", 1)
            for number in range(parts):
                stage.add(f"part-{number}.bin", request.model[number::parts])
        else:
            raise UnsupportedModelError(f"a {type(request.model).__name__} is not bytes", hint="give bytes")
        if "tokenizer" in request.options:
            stage.add("tokenizer.txt", request.options["tokenizer"].encode())
        return True

    @hookimpl
    def load(self, request, files):
        if request.format == "script":
            scope = {}
            exec(files.read("model.py"), scope)
            return LoadedModel(scope["model"])
        if request.format != "bytes":
            return None
        if "hook.py" in files:
            request.require_code_permission("running hook.py")
            return LoadedModel("ran hook.py")
        parts = [files.read(path) for path in files if path != "tokenizer.txt"]
        model = bytearray(sum(map(len, parts)))
        for number, part in enumerate(parts):
            model[number :: len(parts)] = part
        model = bytes(model).upper() if request.options.get("upper") else bytes(model)
        return LoadedModel(model, files.read("tokenizer.txt").decode() if "tokenizer.txt" in files else None)

    @hookimpl
    def metadata(self, format, files):
        if format == "bytes":
            return {"parameters_count": sum(map(files.size, files)), "framework": "bytes", "members": list(files)}

    @hookimpl
    def validate(self, format, files):
        if format == "bytes":
            return [
                Finding("error", "bytes-rotten", path, "the bytes say that they are rotten", "use fresh ones")
                for path in files
                if files.read(path).startswith(b"ROTTEN")
            ]

    @hookimpl
    def export(self, request, files):
        if (request.source_format, request.target_format) == ("bytes", "loud"):
            marks = request.options.get("marks", 1)
            request.destination.write_bytes(files.read("part-0.bin").upper() + b"!" * marks)
            return True
'''


class Installer:
    """Makes plugins look installed."""

    def __init__(self, site: Path) -> None:
        self.site = site
        self.modules: list[str] = []

    def __call__(
        self,
        name: str,
        source: str,
        *,
        distribution: str = "",
        version: str = "1.0",
        requires: Sequence[str] = (),
        attribute: str = "Plugin",
    ) -> str:
        """Install a distribution: a module with this source, and an entry point ``name`` for its ``attribute``.

        :returns: The module's name.
        """
        distribution = distribution or f"fake-{name}"
        module = distribution.replace("-", "_")
        (self.site / f"{module}.py").write_text(dedent(source), encoding="utf-8")
        info = self.site / f"{module}-{version}.dist-info"
        info.mkdir()
        head = [f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}"]
        (info / "METADATA").write_text("\n".join([*head, *(f"Requires-Dist: {text}" for text in requires), ""]))
        (info / "entry_points.txt").write_text(f"[{GROUP}]\n{name} = {module}:{attribute}\n")
        importlib.invalidate_caches()
        self.modules.append(module)
        return module

    def is_imported(self, module: str) -> bool:
        return module in sys.modules


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder and environment in which no plugin is used but those that the test installs."""
    for variable in ("CONFIG", "PATH", "CATALOG", "BLOBS", "DEFAULT_FORMAT", "TRUSTED_MODELS", "PLUGIN_ORDER"):
        monkeypatch.delenv(f"MODEL_REGISTRY_{variable}", raising=False)
    monkeypatch.setenv("MODEL_REGISTRY_DISABLED_PLUGINS", ",".join(point.name for point in entry_points(group=GROUP)))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def install(alone: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installer]:
    """``install("name", source)`` makes a plugin look installed until the test ends."""
    site = alone / "site-packages"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    installer = Installer(site)
    yield installer
    for module in installer.modules:
        sys.modules.pop(module, None)
