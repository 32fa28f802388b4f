"""Comparing what two models give, output by output, over several runs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from attrs import define, field

from model_registry.errors import UnsupportedModelError
from model_registry.records import OutputParity

#: The greatest difference allowed, relative to 1 + the greatest element, and the least cosine, by type. What computes
#: with the bits of a type in another order differs by some of its last ones; hundredfold that is an error.
TOLERANCES: Mapping[str, tuple[float, float]] = {
    "float64": (1e-5, 0.99999),
    "float32": (1e-4, 0.9999),
    "float16": (1e-2, 0.999),
    "bfloat16": (5e-2, 0.99),
    "float8": (2.5e-1, 0.95),
}
#: Of scores, so many rows must have their greatest element in the same place.
_LEAST_ARGMAX = 0.99
_SCORES = ("logit", "score", "prob", "label", "class")
#: Elements smaller than this share of the greatest one have no relative difference worth telling.
_SMALL = 1e-3


@define
class _Found:
    max_abs: float = 0.0
    max_rel: float = 0.0
    cosine: float = 1.0
    greatest: float = 0.0
    rows: int = 0
    agreeing: int = 0
    exact: bool = False
    problem: str = ""


@define
class Agreement:
    """Collects what differs.

    :param precision: The least precise type that either model computes in.
    :param tolerance: What to allow instead of what the type gives.
    """

    precision: str
    tolerance: float | None = None
    _found: dict[str, _Found] = field(factory=dict, init=False)

    def add(self, source: Mapping[str, Any], result: Mapping[str, Any]) -> None:
        """Compare the outputs of one run: by name, or by their order where the names differ.

        :raises UnsupportedModelError: if they are not as many.
        """
        names = list(source)
        pairs = result if set(result) >= set(names) else dict(zip(names, result.values(), strict=False))
        if len(pairs) < len(names) or (len(result) != len(names) and pairs is not result):
            raise UnsupportedModelError(
                f"the source gives {len(source)} outputs ({', '.join(source)}), the result {len(result)} "
                f"({', '.join(result)}), and their names do not match",
                hint="pass check=False to go without the comparison",
            )
        for name in names:
            self._compare(name, source[name], pairs[name])

    def _compare(self, name: str, one: Any, other: Any) -> None:
        found = self._found.setdefault(name, _Found())
        if one.shape != other.shape:
            found.max_abs = found.max_rel = math.inf
            found.problem = f"its shape is {list(one.shape)} in the source, and {list(other.shape)} in the result"
            return
        found.exact |= one.dtype.kind not in "fc"
        a, b = one.astype("float64"), other.astype("float64")
        _differences(found, a.reshape(-1), b.reshape(-1))
        if a.ndim > 1 and a.shape[-1] > 1 and one.dtype.kind == "f" and any(word in name.lower() for word in _SCORES):
            _argmax(found, a.reshape(-1, a.shape[-1]), b.reshape(-1, a.shape[-1]), self._tolerance()[0])

    def outputs(self) -> list[OutputParity]:
        """What was found, output by output."""
        return [self._judged(name, found) for name, found in self._found.items()]

    def _judged(self, name: str, found: _Found) -> OutputParity:
        tolerance, cosine = (0.0, 1.0) if found.exact else self._tolerance()
        allowed = tolerance * (1 + found.greatest)
        argmax = found.agreeing / found.rows if found.rows else None
        passed = found.max_abs <= allowed and (found.exact or found.cosine >= cosine)
        if argmax is not None and self.tolerance is None:
            passed = passed and argmax >= _LEAST_ARGMAX
        figures = (found.max_abs, found.max_rel, found.cosine, argmax, tolerance, allowed, passed)
        return OutputParity(name, *figures, problem=found.problem)

    def _tolerance(self) -> tuple[float, float]:
        if self.tolerance is not None:
            return self.tolerance, -1.0
        known = next((name for name in TOLERANCES if self.precision.startswith(name)), "float32")
        return TOLERANCES[known]


def _differences(found: _Found, a: Any, b: Any) -> None:
    """Of flat arrays. NaN against NaN, and an infinity against itself, is no difference."""
    unequal = (a != b) & ~((a != a) & (b != b))  # only NaN differs from itself
    finite = abs(a) < math.inf
    scale = float(abs(a[finite]).max()) if finite.any() else 0.0
    found.greatest = max(found.greatest, scale)
    if unequal.any():
        x, y = a[unequal], b[unequal]
        distance = abs(x - y)
        worst = float(distance.max())
        found.max_abs = max(found.max_abs, math.inf if math.isnan(worst) else worst)
        large = (abs(x) > _SMALL * scale) & (distance < math.inf)
        if large.any():
            found.max_rel = max(found.max_rel, float((distance[large] / abs(x[large])).max()))
        if found.max_abs == math.inf:
            found.max_rel = math.inf
    both = finite & (abs(b) < math.inf)
    x, y = a[both], b[both]
    one, other = float((x * x).sum()), float((y * y).sum())
    norms = math.sqrt(one * other)
    if norms:
        found.cosine = min(found.cosine, float((x * y).sum()) / norms)
    elif one:
        found.cosine = min(found.cosine, 0.0)  # where the source gives something, the result gives nothing


def _argmax(found: _Found, a: Any, b: Any, tolerance: float) -> None:
    """By row. Where the result's choice is, in the source, as good as the best, it agrees."""
    found.rows += len(a)
    for row, (best, chosen) in enumerate(zip(a.argmax(-1).tolist(), b.argmax(-1).tolist(), strict=True)):
        nearly = abs(float(a[row, best]) - float(a[row, chosen])) <= tolerance * (1 + abs(float(a[row, best])))
        found.agreeing += best == chosen or nearly
