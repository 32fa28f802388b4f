"""The models that the tests of the pages are about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from grid_plugin import grid

from model_registry import ModelRegistry

HOSTILE = "\"'><script>alert(1)</script>"
CARD = """---
license: mit
---
# Card

Reads **digits**. ![remote picture](https://evil.example/x.png) [go](javascript:alert(1)) [paper](https://example.org/p)

<script>alert(2)</script><img src="https://evil.example/y.png" onerror="alert(3)"><a href="JaVaScRiPt:alert(4)">x</a>

| a | b |
|---|---|
| 1 | 2 |
"""


def fill(registry: ModelRegistry, files: Path) -> None:
    """Register the models that the tests are about."""
    parent: list[str] = []
    for number in range(4):
        model = files / f"digits-{number}"
        model.mkdir()
        (model / "model.grid").write_bytes(grid({"layer.weight": [4, 4 + number], "layer.bias": [4]}))
        (model / "README.md").write_text(CARD)
        metrics = {"accuracy": 0.9 + number / 50, "loss": 1 / (number + 1)}
        entry = registry.register_model(
            "digits",
            model,
            version=f"1.{number}.0",
            performance_metrics=metrics,
            tags=["vision"],
            author="Ada",
            description=f"attempt {number}",
            parent=parent,
        )
        parent = [entry.reference]
    registry.set_alias("digits", "champion", "1.1.0")
    registry.set_tag("digits", "stage", "production")
    registry.register_model("team/ranker", _file(files, "ranker", grid()), version="0.1")
    registry.register_model("team/spare", _file(files, "spare", grid()), version="0.1")
    _hostile(registry, files)
    names = {f"block{number // 10}.part{number % 10}.weight": [2, 2] for number in range(10_000)}
    registry.register_model("wide", _file(files, "wide", grid(names, {})))


def _hostile(registry: ModelRegistry, files: Path) -> None:
    """A model whose every text wants to be a script."""
    deep = {"": HOSTILE, ".".join(["a"] * 400): HOSTILE, HOSTILE: HOSTILE}
    extra: dict[str, Any] = {"</dd><script>alert(7)</script>": HOSTILE, "conversion": HOSTILE}
    extra["compression"] = {"parity": [HOSTILE]}
    registry.register_model(
        "hostile",
        _file(files, "hostile", grid({f"{HOSTILE}.x": [2]}, deep)),
        description=f"{HOSTILE} [x](javascript:alert(5))",
        tags=[HOSTILE],
        author=HOSTILE,
        performance_metrics={HOSTILE: 0.5, "huge": 1e308},
        repository_url="javascript:alert(6)",
        **extra,
    )
    registry.set_tag("hostile", "key", HOSTILE)


def _file(files: Path, name: str, content: bytes) -> Path:
    path = files / f"{name}.grid"
    path.write_bytes(content)
    return path
