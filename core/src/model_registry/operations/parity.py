"""The gate that a conversion has to pass: source and result are run on the same inputs, and compared."""

from __future__ import annotations

import logging
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import zip_longest
from typing import Any

import attrs

from model_registry import example_inputs
from model_registry.errors import ModelRegistryError, ParityError, UnsupportedModelError
from model_registry.files import PathFiles
from model_registry.hookspecs import VersionFiles
from model_registry.operations import policy
from model_registry.operations.context import Context
from model_registry.operations.load import parents_of
from model_registry.operations.plan import Chain
from model_registry.operations.references import entry_for
from model_registry.operations.stored import files_of
from model_registry.parity import Agreement, cases, narrowed
from model_registry.records import Inputs, InputSpec, LoadRequest, ModelEntry, ParityReport, Runner

logger = logging.getLogger("model_registry")

#: Runs of each side that are timed; the first warms up.
_TIMED = 6
#: From the most to the least precise.
_PRECISIONS = ("float64", "float32", "float16", "bfloat16", "float8")


@attrs.frozen
class Side:
    """A model that can be run: a version, or what was just made of one."""

    format: str
    files: VersionFiles
    request: LoadRequest


@attrs.frozen
class Gate:
    """How a conversion is to be checked; see ``ModelRegistry.export_model``."""

    check: bool = True
    allow_mismatch: bool = False
    inputs: Any = None
    tolerance: float | None = None


def side_of(context: Context, entry: ModelEntry, format: str, files: VersionFiles) -> Side:
    """The files as a model of this format, with what is known of the version, and what it may do."""
    allowed = policy.code_allowed(entry.name, context.settings.trusted_models)
    refuse = partial(policy.refusal, entry.name)
    parents = partial(parents_of, context, entry)
    return Side(format, files, LoadRequest(format, {}, entry.metadata, allowed, refuse=refuse, parents=parents))


def compare_versions(
    context: Context, a: str | ModelEntry, b: str | ModelEntry, given: Any, tolerance: float | None
) -> ParityReport:
    """See ``ModelRegistry.check_parity``."""
    entries = [entry_for(context, a), entry_for(context, b)]
    sides = [side_of(context, entry, entry.metadata.format, files_of(context, entry)) for entry in entries]
    with context.progress.operation(f"running {entries[0].reference} and {entries[1].reference}"):
        return compare(context, sides[0], sides[1], given, tolerance)


def compare(
    context: Context, source: Side, result: Side, given: Any = None, tolerance: float | None = None
) -> ParityReport:
    """Run both, and say how well they agree; or why that cannot be known. See :func:`pair`."""
    both = pair(context, source, result, given)
    return both if isinstance(both, ParityReport) else both.agreement(tolerance)


@attrs.frozen
class Pair:
    """A model and what was made of it, ready to be run on the same inputs.

    :param runs: The sizes of the inputs of each run, and the inputs by the names that the source has for them.
    :param theirs: The inputs of the result.
    """

    source: Runner
    result: Runner
    runs: Sequence[tuple[dict[str, int], Inputs]]
    theirs: Sequence[InputSpec] | None

    def agreement(self, tolerance: float | None = None) -> ParityReport:
        """How well they agree."""
        precision = max((self.source.precision, self.result.precision), key=_coarseness)
        agreement = Agreement(precision, tolerance)
        for sizes, inputs in self.runs:
            first = run("the model", self.source, inputs, sizes)
            agreement.add(first, run("the result", self.result, _renamed(inputs, self.theirs), sizes))
        outputs = agreement.outputs()
        return ParityReport(all(output.passed for output in outputs), outputs, [sizes for sizes, _ in self.runs])

    def latencies(self) -> tuple[float, float]:
        """How long a run of each takes on the first inputs, in milliseconds: the median of several, in turns."""
        _, inputs = self.runs[0]
        sides = ((self.source, inputs), (self.result, _renamed(inputs, self.theirs)))
        took = [[_milliseconds(runner, mine) for runner, mine in sides] for _ in range(_TIMED)][1:]
        before, after = (statistics.median(column) for column in zip(*took, strict=True))
        return before, after


def pair(
    context: Context,
    source: Side,
    result: Side,
    given: Any = None,
    *,
    runner: Runner | None = None,
    real: bool = False,
) -> Pair | ParityReport:
    """Both, ready to be run; or why they cannot be.

    :param given: Inputs of the caller's, as for ``example_inputs``; a list of mappings for several runs.
    :param runner: The source, if it is ready already.
    :param real: Make no inputs if there are some that somebody gave or stored.
    :raises UnsupportedModelError: if nobody knows what the model takes.
    """
    runners = [runner or context.plugins.runner(source.request, source.files)]
    runners.append(context.plugins.runner(result.request, result.files) if runners[0] else None)
    if runners[0] is None or runners[1] is None:
        side = source if runners[0] is None else result
        return ParityReport(None, skipped=f"no installed plugin runs the format {side.format!r}")
    theirs = context.plugins.signature(result.request, result.files)
    specs = _freed(context.plugins.signature(source.request, source.files) or theirs, theirs)
    runs = list(_runs(specs, given, source, real=real))
    if not runs:
        raise unknown_inputs()
    return Pair(runners[0], runners[1], runs, theirs)


def first_inputs(context: Context, source: Side, given: Any) -> tuple[dict[str, int], Inputs] | None:
    """The sizes and inputs of the first run that a model is compared by; None if nobody knows what it takes."""
    specs = context.plugins.signature(source.request, source.files)
    return next(_runs(specs, given, source), None)


def unknown_inputs() -> UnsupportedModelError:
    """What to raise if nobody knows what a model takes."""
    return UnsupportedModelError(
        "nobody knows what the model takes, so source and result cannot be compared",
        hint="give inputs=, or register it with example_inputs= or input_shape=",
    )


def run(what: str, runner: Runner, inputs: Inputs, sizes: Mapping[str, int]) -> Mapping[str, Any]:
    """What a model gives.

    :raises UnsupportedModelError: if it fails.
    """
    try:
        return runner.run(inputs)
    except (ModelRegistryError, MemoryError):
        raise
    except Exception as error:  # whatever a framework, or the code of a module, thinks of the inputs
        told = ", ".join(f"{name} {size}" for name, size in sizes.items()) or "its inputs"
        reason = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
        raise UnsupportedModelError(
            f"{what} does not run on {told}: {reason}",
            hint="give inputs= that it takes, or register it with example_inputs=",
        ) from error


def _milliseconds(runner: Runner, inputs: Inputs) -> float:
    begun = time.perf_counter()
    runner.run(inputs)
    return 1000 * (time.perf_counter() - begun)


def pass_gate(
    context: Context, entry: ModelEntry, chain: Chain, files: VersionFiles, made: PathFiles, gate: Gate
) -> ParityReport:
    """Look whether what was made of a version may be kept.

    :raises ParityError: if it computes something else, unless that is allowed.
    """
    if not gate.check:
        return ParityReport(None, skipped="nobody wanted it to be checked")
    if all(step.lossless for step in chain):
        return ParityReport(None, skipped="the weights come back bit by bit")
    source = side_of(context, entry, str(entry.metadata.format), files)
    result = side_of(context, entry, chain[-1].target, made)
    report = compare(context, source, result, gate.inputs, gate.tolerance)
    _require_agreement(report, f"{entry.reference} as {chain[-1].target}", allow_mismatch=gate.allow_mismatch)
    return report


def _require_agreement(report: ParityReport, what: str, *, allow_mismatch: bool) -> None:
    """:raises ParityError: if the result computes something else, unless that is allowed."""
    if report.passed is None:
        logger.warning("%s: whether the result computes the same was not checked: %s", what, report.skipped)
    elif report.passed:
        logger.info("%s: %s", what, report)
    elif allow_mismatch:
        logger.warning("%s: kept though it computes something else: %s", what, report)
    else:
        worst = next(output for output in report.outputs if not output.passed)
        raise ParityError(
            f"{what}: the result computes something else: {worst}",
            hint="nothing was kept; allow_mismatch=True keeps it with these figures, check=False does not look",
            report=report,
        )


def _runs(
    specs: Sequence[InputSpec] | None, given: Any, source: Side, *, real: bool = False
) -> Iterator[tuple[dict[str, int], Inputs]]:
    """What is run: the inputs that were given or stored, then others in sizes that nobody has seen."""
    examples = _examples(given, source)
    for number, example in enumerate(examples):
        yield {"stored" if given is None else "given": number + 1}, _named(example, specs)
    if specs and not (real and examples):
        known = [_named(example, specs) for example in examples]
        yield from cases([narrowed(spec, [example.get(spec.name) for example in known]) for spec in specs])


def _freed(specs: Sequence[InputSpec] | None, theirs: Sequence[InputSpec] | None) -> Sequence[InputSpec] | None:
    """The inputs of the source, with every size free that the result says may be any: that is to be proven."""
    names = {spec.name: spec for spec in theirs or ()}
    if not specs or not theirs or (len(specs) != len(theirs) and not set(names) >= {spec.name for spec in specs}):
        return specs
    pairs = [(spec, names.get(spec.name, other)) for spec, other in zip_longest(specs, theirs[: len(specs)])]
    return [
        attrs.evolve(spec, shape=[_freer(a, b) for a, b in zip(spec.shape, other.shape, strict=True)])
        if other is not None and len(other.shape) == len(spec.shape)
        else spec
        for spec, other in pairs
    ]


def _freer(size: int | str, other: int | str) -> int | str:
    return other if isinstance(size, int) and isinstance(other, str) else size


def _examples(given: Any, source: Side) -> list[Inputs]:
    if given is None:
        stored = example_inputs.read_example_inputs(source.files)
        return [] if stored is None else [stored]
    several = isinstance(given, (list, tuple)) and bool(given) and all(isinstance(item, Mapping) for item in given)
    return [example_inputs.arrays_of(item) for item in (given if several else [given])]


def _named(example: Inputs, specs: Sequence[InputSpec] | None) -> Inputs:
    """Inputs that were given in order get the names of the model's."""
    if not specs or not all(name.isdigit() for name in example):
        return example
    return {spec.name: array for spec, array in zip(specs, example.values(), strict=False)}


def _renamed(inputs: Inputs, specs: Sequence[InputSpec] | None) -> Inputs:
    """The same inputs by the names that the result has for them: its own, in their order, if it has others."""
    names = [spec.name for spec in specs or ()]
    if not names or set(names) == set(inputs) or len(names) != len(inputs):
        return {name: inputs[name] for name in names if name in inputs} or inputs
    return dict(zip(names, inputs.values(), strict=True))


def _coarseness(precision: str) -> int:
    return next((rank for rank, name in enumerate(_PRECISIONS) if precision.startswith(name)), 1)
