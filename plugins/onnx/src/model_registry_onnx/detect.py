"""Saying whether a model is ours, by its content, and without importing onnx for those who have not."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from model_registry import Detection, Kind, content_of
from model_registry_onnx.formats import ONNX, ORT

RANK = 20
_FORMATS = {Kind.ONNX: ONNX, Kind.ONNX_FOLDER: ONNX, Kind.ORT: ORT}


def detect_model(model: Any) -> Detection | None:
    """A claim on a file, a folder, bytes or a ``ModelProto``; or None."""
    if isinstance(model, (Path, bytes)):
        found = _FORMATS.get(content_of(model).kind)
    else:
        onnx = sys.modules.get("onnx")
        found = ONNX if onnx is not None and isinstance(model, onnx.ModelProto) else None
    return None if found is None else Detection(found, RANK)
