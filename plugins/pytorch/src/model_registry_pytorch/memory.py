"""Memory limits of devices: ``max_memory={"0": "8GiB", "cpu": 16 << 30}``."""

from __future__ import annotations

import re
from collections.abc import Mapping

from model_registry import InvalidOptionError, ModelRegistryError

_UNITS = {"": 1, "B": 1} | {
    f"{prefix}{suffix}": base**power
    for power, prefix in enumerate(("K", "M", "G", "T"), start=1)
    for suffix, base in (("B", 1000), ("iB", 1024))
}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)")


class OutOfDeviceMemoryError(ModelRegistryError, MemoryError):
    """The weights do not fit into what ``max_memory`` grants the device. Facts: ``device``, ``needed``, ``limit``."""


def require_room(weights_bytes: int, device: str, limits: Mapping[object, object] | None) -> None:
    """Raise OutOfDeviceMemoryError if the weights exceed the limit of the device that they are copied to.

    Weights that stay on the CPU are mapped from their files, page by page when touched, so no limit applies to them.
    """
    granted = {_device_name(key): _parse_size(size) for key, size in (limits or {}).items()}
    limit = granted.get(_device_name(device))
    if limit is None or _device_name(device) == "cpu" or weights_bytes <= limit:
        return
    raise OutOfDeviceMemoryError(
        f"the weights take {weights_bytes:,} bytes and max_memory grants {limit:,} bytes on {device}",
        hint='raise the limit, or load on device="cpu", where weights are mapped from disk',
        device=device,
        needed=weights_bytes,
        limit=limit,
    )


def _device_name(key: object) -> str:
    """``0``, ``"0"`` and ``"cuda"`` all mean the first GPU."""
    name = str(key)
    if name.isdigit():
        return f"cuda:{name}"
    return "cuda:0" if name == "cuda" else name


def _parse_size(size: object) -> int:
    match = _SIZE.fullmatch(str(size).strip())
    if match is None or match[2] not in _UNITS:
        raise InvalidOptionError(
            f"max_memory holds {size!r}, which is no size",
            hint='write bytes, or text such as "8GiB"',
            option="max_memory",
        )
    return int(float(match[1]) * _UNITS[match[2]])
