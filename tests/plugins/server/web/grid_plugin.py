"""A plugin for the tests of the pages: models are JSON with tensors and modules, and a conversion waits for a gate."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from model_registry import (
    Conversion,
    Detection,
    ExportRequest,
    FormatSpec,
    LoadedModel,
    LoadRequest,
    SaveRequest,
    Stage,
    TensorRecord,
    VersionFiles,
    hookimpl,
)

MARK = b'{"grid"'
#: Names the variable with the path of a file: while that is there, conversions wait.
GATE = "GRID_GATE"
_PATIENCE = 60.0


class Plugin:
    @hookimpl
    def formats(self) -> Iterable[FormatSpec]:
        return [FormatSpec("grid", "Grids", suffixes=(".grid",)), FormatSpec("slow", "Slow grids", suffixes=(".slow",))]

    @hookimpl
    def conversions(self) -> Iterable[Conversion]:
        return [Conversion("grid", "slow", lossless=False)]

    @hookimpl
    def detect(self, model: Any) -> Detection | None:
        file = model / "model.grid" if isinstance(model, Path) and model.is_dir() else model
        if not (isinstance(file, Path) and file.is_file()):
            return None
        with file.open("rb") as opened:
            return Detection("grid", 100) if opened.read(len(MARK)) == MARK else None

    @hookimpl
    def save(self, request: SaveRequest, stage: Stage) -> bool | None:
        if request.format not in ("grid", "slow"):
            return None
        if isinstance(request.model, Path) and request.model.is_dir():
            for file in sorted(request.model.rglob("*")):
                if file.is_file():
                    stage.add(file.relative_to(request.model).as_posix(), file)
        else:
            stage.add("model.grid", request.model)
        return True

    @hookimpl
    def load(self, request: LoadRequest, files: VersionFiles) -> LoadedModel | None:
        return LoadedModel(files.read("model.grid")) if request.format in ("grid", "slow") else None

    @hookimpl
    def tensors(self, format: str, files: VersionFiles) -> Iterable[TensorRecord] | None:
        if format not in ("grid", "slow"):
            return None
        content = json.loads(files.read("model.grid"))
        sizes = content["tensors"].items()
        return [TensorRecord(name, "uint8", tuple(shape), "model.grid", 0, math.prod(shape)) for name, shape in sizes]

    @hookimpl
    def modules(self, format: str, files: VersionFiles) -> Mapping[str, str] | None:
        return json.loads(files.read("model.grid"))["modules"] if format in ("grid", "slow") else None

    @hookimpl
    def export(self, request: ExportRequest, files: VersionFiles) -> bool | None:
        if (request.source_format, request.target_format) != ("grid", "slow"):
            return None
        _wait()
        request.destination.write_bytes(files.read("model.grid"))
        return True


def _wait() -> None:
    gate, deadline = Path(os.environ[GATE]), time.monotonic() + _PATIENCE
    while gate.exists() and time.monotonic() < deadline:
        time.sleep(0.02)


def grid(tensors: Mapping[str, Any] | None = None, modules: Mapping[str, str] | None = None, pad: int = 4096) -> bytes:
    """The bytes of a model, with some behind them that the tensors may lie in."""
    content = {"grid": 1, "tensors": tensors or {"layer.weight": [4, 4], "layer.bias": [4]}}
    content["modules"] = modules if modules is not None else {"": "Grid()", "layer": "Linear(4, 4)"}
    return json.dumps(content).encode() + b" " * pad
