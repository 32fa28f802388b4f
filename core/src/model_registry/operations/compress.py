"""Compressing: a smaller model becomes a version of its own, if its price, which is measured, is acceptable."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs

from model_registry import example_inputs
from model_registry.errors import InvalidOptionError, ParityError, UnsupportedFormatError
from model_registry.hookspecs import VersionFiles
from model_registry.operations.context import Context
from model_registry.operations.convert import KEPT
from model_registry.operations.entries import entry_of, require
from model_registry.operations.options import require_known_names
from model_registry.operations.parity import Side, compare, latencies, side_of
from model_registry.operations.register import register
from model_registry.operations.stored import files_of
from model_registry.records import LoadedModel, ModelEntry, Parent, ParityReport
from model_registry.records.compression import Compression, CompressRequest

COMPRESSED = "compressed"
_MEGABYTE = 1e6

Evaluate = Callable[[Any], float]


@attrs.frozen
class Limits:
    """What a smaller model may cost; see ``ModelRegistry.compress_model``."""

    inputs: Any = None
    evaluate: Evaluate | None = None
    max_drop: float | None = None
    min_cosine: float | None = None

    def __attrs_post_init__(self) -> None:
        if self.max_drop is not None and self.evaluate is None:
            raise InvalidOptionError(
                "max_drop limits what evaluate= gives, which is missing",
                hint="give evaluate=, a function of the model whose result is the better the greater, or min_cosine=",
                option="max_drop",
            )


def compress(
    context: Context,
    name: str,
    version: str,
    type: str,
    *,
    new_name: str | None,
    new_version: str | None,
    limits: Limits,
    given: Mapping[str, Any],
) -> ModelEntry:
    """See ``ModelRegistry.compress_model``."""
    entry = entry_of(context, require(context, name, version))
    format = str(entry.metadata.format)
    way = _way(context, str(type), format)
    require_known_names(given, way.options, f"{way.type} of {format}", "compressing by")
    files = files_of(context, entry)
    source = side_of(context, entry, format, files)

    def load(side: Side = source) -> LoadedModel:
        return context.plugins.load(side.request, side.files)

    with (
        context.progress.operation(f"compressing {entry.reference} by {way.type}"),
        tempfile.TemporaryDirectory(prefix="model_registry-") as folder,
    ):
        loaded: list[LoadedModel] = []

        def model() -> Any:
            loaded.append(load())
            return loaded[-1].model

        request = CompressRequest(way.type, format, given, entry.metadata, Path(folder), load=model)
        made = context.plugins.compress(request, files)

        def examine(staged: VersionFiles) -> Mapping[str, Any]:
            result = attrs.evolve(source, files=staged)
            price = _price(context, source, result, limits, load)
            _require_acceptable(f"{entry.reference} by {way.type}", price, limits)
            ratio = _size(staged) / max(1, _size(files))
            return {"compression_ratio": ratio, "extra": {"compression": _document(entry, way, given, price)}}

        registered, _ = register(
            context,
            new_name or entry.name,
            made,
            format,
            version=new_version,
            parent=Parent(COMPRESSED, entry.name, entry.version, entry.digest),
            examine=examine,
            options=_parts(context, format, loaded),
            example_inputs=example_inputs.read_example_inputs(files),
            compression_type=way.type,
            original_size_mb=_size(files) / _MEGABYTE,
            **{
                field: value
                for field in (*KEPT, "input_shape", "output_shape")
                if (value := getattr(entry.metadata, field))
            },
        )
    return registered


@attrs.frozen
class _Price:
    """What the result costs, and what it gives."""

    parity: ParityReport
    latency_ms: tuple[float, float] | None
    metric: tuple[float, float] | None


def _way(context: Context, type: str, format: str) -> Compression:
    ways = [way for way in context.plugins.compressions() if way.format == format]
    for way in ways:
        if way.type == type:
            return way
    known = ", ".join(sorted(way.type for way in ways))
    hint = f"there is {known}" if known else "pip install model-registry-compression"
    raise UnsupportedFormatError(f"no installed plugin makes {format} smaller by {type!r}", hint=hint, format=format)


def _price(context: Context, source: Side, result: Side, limits: Limits, load: Callable[[Side], LoadedModel]) -> _Price:
    parity = compare(context, source, result, limits.inputs)
    latency = None if parity.passed is None else latencies(context, source, result, limits.inputs)
    evaluate = limits.evaluate
    metric = None
    if evaluate is not None:
        metric = (float(evaluate(load(source).model)), float(evaluate(load(result).model)))
    return _Price(parity, latency, metric)


def _require_acceptable(what: str, price: _Price, limits: Limits) -> None:
    """:raises ParityError: for a result that is too bad."""
    hint = "nothing was registered; choose other options, another type, or a wider limit"
    for output in price.parity.outputs:
        if output.problem:
            raise ParityError(f"{what}: {output}", hint=hint, report=price.parity)
        if limits.min_cosine is not None and not output.cosine >= limits.min_cosine:
            problem = f"{output.name} has cosine {output.cosine:.6f}, less than min_cosine={limits.min_cosine:g}"
            raise ParityError(f"{what}: {problem}", hint=hint, report=price.parity)
    if limits.min_cosine is not None and price.parity.passed is None:
        raise ParityError(f"{what}: not compared: {price.parity.skipped}", hint=hint, report=price.parity)
    if limits.max_drop is not None and price.metric is not None:
        before, after = price.metric
        if not before - after <= limits.max_drop:
            problem = f"evaluate gave {before:g} before and {after:g} after, a drop of more than {limits.max_drop:g}"
            raise ParityError(f"{what}: {problem}", hint=hint, report=price.parity)


def _document(entry: ModelEntry, way: Compression, given: Mapping[str, Any], price: _Price) -> dict[str, Any]:
    document: dict[str, Any] = {"from": entry.reference, "type": way.type, "parity": price.parity.document()}
    plain = {name: value for name, value in given.items() if isinstance(value, (bool, int, float, str))}
    if plain:
        document["options"] = plain
    if price.latency_ms is not None:
        document["latency_ms"] = dict(zip(("before", "after"), price.latency_ms, strict=True))
    if price.metric is not None:
        document["metric"] = dict(zip(("before", "after"), price.metric, strict=True))
    return document


def _parts(context: Context, format: str, loaded: list[LoadedModel]) -> dict[str, Any]:
    """What was loaded beside the model, and belongs to the result as well."""
    tokenizer = loaded[-1].tokenizer if loaded else None
    known = context.plugins.format(format).save_options
    return {} if tokenizer is None or "tokenizer" not in known else {"tokenizer": tokenizer}


def _size(files: VersionFiles) -> int:
    return sum(files.size(path) for path in files)
