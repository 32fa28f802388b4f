"""How well a model and what was made of it agree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import asdict, frozen


@frozen
class OutputParity:
    """One output, over everything that was run.

    :param name: Its name in the source.
    :param max_abs: The greatest absolute difference of two elements; infinite for a NaN against anything else.
    :param max_rel: The greatest relative difference, of elements that are more than a thousandth of the greatest one.
    :param cosine: Of all elements as one vector, the least of all runs.
    :param argmax: The share of rows whose greatest element is in the same place, of outputs that are scores; rows where
        two are nearly equal count as agreeing.
    :param tolerance: What ``max_abs`` may be, relative to 1 + the greatest element.
    :param allowed: What ``max_abs`` may be, absolutely.
    :param passed: Whether it is.
    :param problem: Why there is nothing to measure, such as another shape.
    """

    name: str
    max_abs: float
    max_rel: float
    cosine: float
    argmax: float | None
    tolerance: float
    allowed: float
    passed: bool
    problem: str = ""

    def __str__(self) -> str:
        if self.problem:
            return f"{self.name} does not agree: {self.problem}"
        agreement = "" if self.argmax is None else f", same greatest score in {self.argmax:.1%}"
        verdict = "agrees" if self.passed else "does not agree"
        return (
            f"{self.name} {verdict}: greatest difference {self.max_abs:.2e} (allowed {self.allowed:.2e}), "
            f"relative {self.max_rel:.2e}, cosine {self.cosine:.6f}{agreement}"
        )


@frozen
class ParityReport:
    """What was found when source and result ran on the same inputs.

    :param passed: Whether every output agrees; None if nothing was run.
    :param outputs: By output.
    :param runs: The sizes of the inputs of each run, such as ``{"batch": 3, "sequence": 5}``; the inputs that were
        stored with the model, or given, as ``{"stored": n}``.
    :param skipped: Why nothing was run.
    """

    passed: bool | None
    outputs: Sequence[OutputParity] = ()
    runs: Sequence[dict[str, int]] = ()
    skipped: str = ""

    def document(self) -> dict[str, Any]:
        """As it is kept in the metadata."""
        if self.passed is None:
            return {"checked": False, "reason": self.skipped}
        outputs = [_finite(asdict(output, filter=lambda _, value: value != "")) for output in self.outputs]
        return {"checked": True, "passed": self.passed, "runs": [dict(run) for run in self.runs], "outputs": outputs}

    def __str__(self) -> str:
        if self.passed is None:
            return f"not checked: {self.skipped}"
        return "; ".join(map(str, self.outputs))


class ExportedPath(str):
    """The path that an export was written to, which also tells how well it agrees with its source."""

    parity: ParityReport

    def __new__(cls, path: str, parity: ParityReport) -> ExportedPath:
        made = super().__new__(cls, path)
        made.parity = parity
        return made


def _finite(record: dict[str, Any]) -> dict[str, Any]:
    """JSON has no infinity."""
    return {key: str(value) if value in (float("inf"), -float("inf")) else value for key, value in record.items()}
