"""Inputs for calibration, as callers have them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from model_registry import InvalidOptionError

HINT = "give what can be gone through: a list, a DataLoader or a CalibrationDataReader, of a model's inputs"


def samples(calibration: Any) -> Iterable[Any]:
    """The inputs, one after the other: of anything that can be gone through, or of a reader of ONNX Runtime's.

    :raises InvalidOptionError: for anything else.
    """
    if hasattr(calibration, "get_next"):
        return iter(calibration.get_next, None)
    if isinstance(calibration, (str, bytes, Mapping)) or not isinstance(calibration, Iterable):
        raise InvalidOptionError(f"calibration is a {type(calibration).__name__}", hint=HINT, option="calibration")
    return calibration
