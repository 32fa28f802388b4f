"""Inputs that are stored with a model, in a file of its own: safetensors, which is a JSON header and the bytes.

https://huggingface.co/docs/safetensors
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from model_registry.errors import InvalidOptionError, UnsafeModelError
from model_registry.hookspecs import EXAMPLE_INPUTS, VersionFiles
from model_registry.records import Array, Inputs

_DTYPES = {
    "bool": "BOOL",
    **{f"{sign}int{bits}": f"{(sign or 'i').upper()}{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)},
    **{f"float{bits}": f"F{bits}" for bits in (16, 32, 64)},
}
_NAMES = {letters: name for name, letters in _DTYPES.items()}
_MOST_BYTES = 256 << 20


def arrays_of(given: Any) -> dict[str, Array]:
    """What a caller gives: arrays or tensors by name, several in order (which are called "0", "1", …), or one.

    :raises InvalidOptionError: for anything else.
    """
    if isinstance(given, Mapping):
        named = {str(name): value for name, value in given.items()}
    elif isinstance(given, Sequence) and not isinstance(given, (str, bytes)):
        named = {str(number): value for number, value in enumerate(given)}
    else:
        named = {"0": given}
    return {name: _array(name, value) for name, value in named.items()}


def _array(name: str, value: Any) -> Array:
    """From an array of NumPy, or what can be made one by the methods of a tensor of PyTorch."""
    if isinstance(value, Array):
        return value
    try:
        plain = value.detach().cpu().numpy() if hasattr(value, "detach") else value
        return Array(str(plain.dtype), tuple(int(size) for size in plain.shape), plain.tobytes())
    except (AttributeError, TypeError, ValueError, RuntimeError) as error:
        raise InvalidOptionError(
            f"the input {name!r} is a {type(value).__name__} that cannot be kept: {str(error).splitlines()[0]}",
            hint="give arrays of NumPy or tensors of PyTorch, by name",
            option="example_inputs",
        ) from error


def write(inputs: Inputs) -> bytes:
    """The file, with the inputs in their order."""
    header: dict[str, Any] = {"__metadata__": {"order": json.dumps(list(inputs))}}
    position = 0
    for name, array in inputs.items():
        span = [position, position + len(array.data)]
        header[name] = {"dtype": _DTYPES[array.dtype], "shape": list(array.shape), "data_offsets": span}
        position = span[1]
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return b"".join([len(text).to_bytes(8, "little"), text, *(array.data for array in inputs.values())])


def read_example_inputs(files: VersionFiles) -> dict[str, Array] | None:
    """The inputs stored with a version; None if there are none.

    :raises UnsafeModelError: if the file is not sound.
    """
    if EXAMPLE_INPUTS not in files:
        return None
    content = files.read(EXAMPLE_INPUTS, _MOST_BYTES)
    length = int.from_bytes(content[:8], "little")
    try:
        header = json.loads(content[8 : 8 + length])
        order = json.loads(header.pop("__metadata__", {}).get("order", "null")) or list(header)
        return {name: _read_array(header[name], content[8 + length :]) for name in order}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise UnsafeModelError(
            f"{EXAMPLE_INPUTS} cannot be read: {error!s:.200}", hint="register the model again", path=EXAMPLE_INPUTS
        ) from error


def _read_array(entry: Mapping[str, Any], data: bytes) -> Array:
    start, end = entry["data_offsets"]
    if not 0 <= start <= end <= len(data):
        raise ValueError("it is cut short")
    return Array(_NAMES[entry["dtype"]], tuple(entry["shape"]), data[start:end])
