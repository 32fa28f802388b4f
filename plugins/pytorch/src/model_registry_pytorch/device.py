"""Devices: what ``device=`` may say, and giving cached memory back."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from model_registry import InvalidOptionError
from model_registry_pytorch.messages import first_line

if TYPE_CHECKING:
    import torch


def parse_device(device: Any) -> torch.device | None:
    """The device of a ``device=`` option; None for the CPU, where weights stay mapped.

    :raises InvalidOptionError: for a device that torch does not know, or that is not there.
    """
    import torch

    if device is None:
        return None
    try:
        parsed = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise InvalidOptionError(
            f"device is {device!r}, which torch does not know", hint='give "cpu", "cuda" or "cuda:1"', option="device"
        ) from error
    if parsed.type == "cpu":
        return None
    try:
        torch.empty(0, device=parsed)
    except Exception as error:  # torch says it by RuntimeError, AssertionError, NotImplementedError or its own
        raise InvalidOptionError(
            f"device is {str(parsed)!r}, which this process cannot use: {first_line(error)}",
            hint='load with device="cpu", or install a torch that has the device',
            option="device",
        ) from error
    return parsed


def empty_caches() -> None:
    """Give the memory that torch caches on a GPU back to it. Does nothing where no GPU was used."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
