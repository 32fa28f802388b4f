"""What a smaller model costs, measured, and what it may cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import attrs

from model_registry.errors import InvalidOptionError
from model_registry.records import ParityReport

_OF_A_GATE = ("passed", "allowed", "tolerance")

Evaluate = Callable[[Any], float]


@attrs.frozen
class Limits:
    """What a smaller model may cost, and how that is measured; see ``ModelRegistry.compress_model``."""

    inputs: Any = None
    evaluate: Evaluate | None = None
    max_drop: float | None = attrs.field(default=None)
    min_cosine: float | None = attrs.field(default=None)

    @max_drop.validator
    @min_cosine.validator
    def _is_number(self, attribute: attrs.Attribute[Any], value: Any) -> None:
        least, most = (0.0, math.inf) if attribute.name == "max_drop" else (-1.0, 1.0)
        if value is not None and not (isinstance(value, (int, float)) and least <= value <= most and value < math.inf):
            hint = (
                "give a number from 0 on, such as 0.01" if most == math.inf else "give a number up to 1, such as 0.99"
            )
            raise InvalidOptionError(f"{attribute.name} is {value!r}", hint=hint, option=attribute.name)

    def __attrs_post_init__(self) -> None:
        if self.evaluate is not None and not callable(self.evaluate):
            raise InvalidOptionError(
                f"evaluate is a {type(self.evaluate).__name__}", hint="give a function of a model", option="evaluate"
            )

    def measure(self, model: Any) -> float:
        """What ``evaluate``, which there must be, gives for a model.

        :raises InvalidOptionError: if that is no number.
        """
        given = self.evaluate(model) if self.evaluate else None
        try:
            found = float(given)  # type: ignore[arg-type]
        except (TypeError, ValueError, RuntimeError):
            found = math.nan
        if not math.isfinite(found):
            told = f"{given!r:.60}" if isinstance(given, (int, float)) else f"a {type(given).__name__}"
            raise InvalidOptionError(f"evaluate gave {told}", hint="let it give a finite number", option="evaluate")
        return found


@attrs.frozen
class Price:
    """What a smaller model costs, and what it gives.

    :param latency_ms: Before and after; None where nothing could be run.
    :param metric: What ``evaluate`` gave before and after.
    """

    parity: ParityReport
    latency_ms: tuple[float, float] | None = None
    metric: tuple[float, float] | None = None

    def problem(self, limits: Limits) -> str:
        """Why it is too high; empty if it is not."""
        return next(self._problems(limits), "")

    def _problems(self, limits: Limits) -> Iterator[str]:
        outputs = sorted(self.parity.outputs, key=lambda output: output.cosine)
        for output in outputs:
            if output.problem:
                yield str(output)
            elif output.max_abs == math.inf:
                yield f"{output.name} has elements that are no finite numbers, where the source has numbers"
        for name, least in _least_cosines(limits):
            if self.parity.passed is None:
                yield f"not compared: {self.parity.skipped}"
            elif outputs and not outputs[0].cosine >= least:
                yield f"{outputs[0].name} has cosine {outputs[0].cosine:.6f}, less than {name} allows"
        if limits.max_drop is not None and self.metric is not None:
            before, after = self.metric
            if not before - after <= limits.max_drop:
                yield f"evaluate gave {before:g} before and {after:g} after, a drop of more than {limits.max_drop:g}"

    def document(self) -> dict[str, Any]:
        """As it is kept in the metadata."""
        parity = self.parity.document()
        if "outputs" in parity:  # what a conversion would be allowed says nothing here
            outputs = [{key: out[key] for key in out if key not in _OF_A_GATE} for out in parity["outputs"]]
            parity = {"checked": True, "runs": parity["runs"], "outputs": outputs}
        told: dict[str, Any] = {"parity": parity}
        for name, pair in (("latency_ms", self.latency_ms), ("metric", self.metric)):
            if pair is not None:
                told[name] = dict(zip(("before", "after"), pair, strict=True))
        return told


def _least_cosines(limits: Limits) -> Iterator[tuple[str, float]]:
    """The limits of the cosine: without a metric of the caller's, it is the metric, and 1 before."""
    if limits.min_cosine is not None:
        yield f"min_cosine={limits.min_cosine:g}", limits.min_cosine
    if limits.max_drop is not None and limits.evaluate is None:
        yield f"max_drop={limits.max_drop:g}", 1 - limits.max_drop
