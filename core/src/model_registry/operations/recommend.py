"""Trying what can be made of a version, to find what is smallest and still good enough."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import attrs

from model_registry.errors import InvalidOptionError, ModelRegistryError, PluginLoadError, StorageError
from model_registry.operations.compress import Original, original, size_of
from model_registry.operations.context import Context
from model_registry.operations.price import Limits, Price
from model_registry.operations.register import require_registrable
from model_registry.progress import item_done
from model_registry.records import MEGABYTE
from model_registry.records.compression import Compression, CompressionReport, CompressionTrial

#: Without a limit of the caller's: a cosine of 0.99.
_MAX_DROP = 0.01
_PICTURES = (".png", ".svg")


def recommend(
    context: Context,
    name: str,
    version: str,
    *,
    types: Sequence[str] | None,
    limits: Limits,
    plot: str | Path | None,
    keep: bool,
    new_name: str | None,
    new_version: str | None,
) -> CompressionReport:
    """See ``ModelRegistry.recommend_compression``."""
    if not keep and (new_name or new_version):
        raise InvalidOptionError(
            "new_name and new_version are for what is kept, and nothing is", hint="pass keep=True", option="keep"
        )
    if limits.max_drop is None and limits.min_cosine is None:
        limits = attrs.evolve(limits, max_drop=_MAX_DROP)
    draw = None if plot is None else _drawing(context, Path(plot))  # first: it may be missing, and trying takes long
    source = original(context, name, version, limits)
    ways = _ways(source, types)
    require_registrable(context, new_name or source.entry.name, new_version)
    source.prepare()
    what = f"trying to make {source.entry.reference} smaller"
    prices: list[Price] = []
    missing: list[PluginLoadError] = []
    with context.progress.operation(what, items_total=len(ways)):
        trials = [_tried(source, way, limits, prices, missing) for way in ways]
        if len(missing) == len(ways):
            raise missing[0]
        ordered = sorted(trials, key=lambda trial: (trial.ratio is None, trial.ratio))
        report = CompressionReport(
            source.entry.reference,
            size_of(source.files) / MEGABYTE,
            next((price.latency_ms[0] for price in prices if price.latency_ms), None),
            next((price.metric[0] for price in prices if price.metric), None),
            ordered,
        )
        if draw is not None:
            draw(report)
        best = report.recommended
        if not keep or best is None:
            return report
        [way] = [way for way in ways if way.type == best.type]
        with source.compressed(way, {}, name=new_name, version=new_version) as smaller:
            return attrs.evolve(report, kept=smaller.commit())


def _ways(source: Original, types: Sequence[str] | None) -> list[Compression]:
    if isinstance(types, str):
        types = [types]
    if types is None:
        return source.require_ways()
    if not types:
        raise InvalidOptionError("types is empty", hint="leave it out to try everything", option="types")
    return list({way.type: way for way in map(source.way, types)}.values())


def _tried(
    source: Original, way: Compression, limits: Limits, prices: list[Price], missing: list[PluginLoadError]
) -> CompressionTrial:
    """What one way gives. That it fails is worth knowing, and no reason not to try the others.

    :param missing: Is told what would have to be installed.
    """
    try:
        with source.compressed(way, {}) as smaller:
            price = smaller.price
            prices.append(price)
            cosines = [output.cosine for output in price.parity.outputs]
            return CompressionTrial(
                way.type,
                smaller.ratio,
                smaller.ratio * size_of(source.files) / MEGABYTE,
                min(cosines, default=None),
                max((output.max_abs for output in price.parity.outputs), default=None),
                price.latency_ms and price.latency_ms[1],
                price.metric and price.metric[1],
                price.problem(limits),
            )
    except StorageError:
        raise
    except ModelRegistryError as error:
        if isinstance(error, PluginLoadError):
            missing.append(error)
        return CompressionTrial(way.type, problem=error.message.partition("\n")[0])
    finally:
        item_done()


def _drawing(context: Context, path: Path) -> Callable[[CompressionReport], None]:
    if path.suffix.lower() not in _PICTURES:
        raise InvalidOptionError(
            f"{path} is no picture that can be drawn", hint=f"let it end in {' or '.join(_PICTURES)}", option="plot"
        )
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise InvalidOptionError(f"{path} cannot be written", hint="name a file in a folder of yours", option="plot")
    plotter = context.plugins.plotter()

    def draw(report: CompressionReport) -> None:
        with tempfile.TemporaryDirectory(prefix="model_registry-") as folder:
            drawn = Path(folder, path.name)
            plotter(report, drawn)
            beside = path.with_name(f".{path.name}.{os.getpid()}")
            try:
                shutil.copyfile(drawn, beside)
                os.replace(beside, path)
            except OSError as error:
                beside.unlink(missing_ok=True)
                raise StorageError(f"{path} cannot be written: {error.strerror}", hint="name another file") from error

    return draw
