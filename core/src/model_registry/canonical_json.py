"""One JSON text for one value, so that equal records have equal digests."""

from __future__ import annotations

import json
import math
from typing import Any

from model_registry.errors import InvalidMetadataError, UnsafeModelError


def dump(value: Any) -> bytes:
    """UTF-8 JSON with sorted keys and no spaces; numbers as Python writes them, so that 1.0 stays a float.

    :raises InvalidMetadataError: for what JSON cannot hold: NaN, infinities, lone surrogates, nesting without end.
    """
    try:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return text.encode()
    except (ValueError, TypeError, RecursionError) as error:
        raise InvalidMetadataError(f"not representable as JSON: {error}", field=None) from error


def load(data: bytes | str, *, what: str) -> Any:
    """Parse JSON, in UTF-8, from a file nobody trusts.

    :param what: Names the file in the error.
    :raises UnsafeModelError: if it is no JSON, repeats a key, or nests too deep.
    """
    try:
        return _DECODER.decode(data if isinstance(data, str) else data.decode())
    except (ValueError, RecursionError) as error:
        reason = "nested too deep" if isinstance(error, RecursionError) else str(error)
        raise UnsafeModelError(f"{what} is not the JSON it should be: {reason}", path=what) from error


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key is given twice")
    return result


def _finite(digits: str) -> float:
    number = float(digits)
    return number if math.isfinite(number) else _refuse_constant(digits)


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")


_DECODER = json.JSONDecoder(object_pairs_hook=_without_repeats, parse_constant=_refuse_constant, parse_float=_finite)
