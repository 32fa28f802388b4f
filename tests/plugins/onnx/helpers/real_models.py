"""Models that come as packages, where those are installed: only their files are used."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path


def folder_of(package: str) -> Path:
    """Where a package has its files; a folder that does not exist if it is not installed."""
    spec = find_spec(package)
    return Path("nowhere") if spec is None or spec.origin is None else Path(spec.origin).parent


MAGIKA = folder_of("magika") / "models" / "standard_v3_3" / "model.onnx"
SILERO = sorted((folder_of("silero_vad") / "data").glob("*.onnx"))
