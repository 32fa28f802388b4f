"""Options that are shares or ranks, and what a share of the energy of a matrix needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import accumulate
from numbers import Integral
from typing import Any

from model_registry import InvalidOptionError


def share_of(options: Mapping[str, Any], name: str, default: float) -> float:
    """An option that is a share.

    :raises InvalidOptionError: unless it lies between 0 and 1.
    """
    value = options.get(name, default)
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 < value < 1:
        raise InvalidOptionError(f"{name} is {value!r}", hint="give a share between 0 and 1", option=name)
    return float(value)


def rank_of(options: Mapping[str, Any]) -> int | None:
    """The rank that was asked for.

    :raises InvalidOptionError: unless it is a natural number.
    """
    rank = options.get("rank")
    if rank is None:
        return None
    if "energy" in options:
        raise InvalidOptionError("rank and energy are both given", hint="give one of them", option="rank")
    if not isinstance(rank, Integral) or isinstance(rank, bool) or rank < 1:
        raise InvalidOptionError(f"rank is {rank!r}", hint="give a natural number", option="rank")
    return int(rank)


def rank_for(values: Iterable[Any], energy: float) -> int:
    """How many singular values, the greatest first, have this share of the sum of their squares."""
    sums = list(accumulate(float(value) ** 2 for value in values))
    return sum(part < energy * sums[-1] for part in sums) + 1 if sums else 0
