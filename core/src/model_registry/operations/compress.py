"""Compressing: a smaller model becomes a version of its own, if its price, which is measured, is acceptable."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

from model_registry import example_inputs
from model_registry.errors import ParityError, UnsupportedFormatError, UnsupportedModelError
from model_registry.hookspecs import VersionFiles
from model_registry.operations.context import Context
from model_registry.operations.convert import KEPT
from model_registry.operations.entries import entry_of, require
from model_registry.operations.options import require_known_names
from model_registry.operations.parity import Side, first_inputs, pair, run, side_of, unknown_inputs
from model_registry.operations.price import Limits, Price
from model_registry.operations.register import Draft, drafted, require_registrable
from model_registry.operations.stored import files_of
from model_registry.records import MEGABYTE, LoadedModel, ModelEntry, Parent, ParityReport, Runner
from model_registry.records.compression import Compression, CompressRequest
from model_registry.vocabulary import CompressionType

COMPRESSED = "compressed"
_ARCHIVED = "archive() keeps older versions smaller without any loss, and loading them brings every bit back"
#: What is said of a version, and not done to one.
_NOT_DONE = {
    CompressionType.NONE: "name what is to be done",
    CompressionType.DISTILLED: "a distilled model is trained: register it with compression_type= and parent=",
    CompressionType.ZSTD: _ARCHIVED,
    CompressionType.DELTA: _ARCHIVED,
}
_INSTALL = "pip install model-registry-compression"
_SHORTENS = "quantization"
#: Of the bytes, a result must save a fiftieth: less is a matter of headers.
_MOST_RATIO = 0.98


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
    source = original(context, name, version, limits)
    way = source.way(type)
    require_known_names(given, way.options, f"{way.type} of {way.format}", "compressing by")
    require_registrable(context, new_name or source.entry.name, new_version)
    what = f"{source.entry.reference} by {way.type}"
    source.prepare()
    with (
        context.progress.operation(f"compressing {what}"),
        source.compressed(way, given, name=new_name, version=new_version) as smaller,
    ):
        problem = smaller.price.problem(limits)
        if problem:
            raise ParityError(
                f"{what}: {problem}",
                hint="nothing was registered; choose other options, another type, or a wider limit",
                report=smaller.price.parity,
            )
        return smaller.commit()


def original(context: Context, name: str, version: str, limits: Limits) -> Original:
    """A version that is to be made smaller."""
    return Original(context, entry_of(context, require(context, name, version)), limits)


@attrs.frozen
class Smaller:
    """What was made of a version, and what it costs; not yet a version."""

    ratio: float
    price: Price
    _document: Mapping[str, Any]
    _draft: Draft

    def commit(self) -> ModelEntry:
        """Make it a version."""
        told = {"compression": {**self._document, **self.price.document()}}
        return self._draft.commit(compression_ratio=self.ratio, extra=told)[0]


class Original:
    """A version, of which smaller ones are made."""

    def __init__(self, context: Context, entry: ModelEntry, limits: Limits) -> None:
        self.entry = entry
        self.files = files_of(context, entry)
        self._context = context
        self._limits = limits
        self._side = side_of(context, entry, str(entry.metadata.format), self.files)
        self._runner: Runner | None = None
        self._metric: float | None = None
        self._skipped = ""

    def prepare(self) -> None:
        """Run it and measure it, before anything is made of it: what fails now would fail each time.

        :raises UnsupportedModelError: if it does not run, or nobody knows what it takes.
        """
        self._runner = self._context.plugins.runner(self._side.request, self._side.files)
        if self._runner is not None:
            first = first_inputs(self._context, self._side, self._limits.inputs)
            if first is not None:
                run("the model", self._runner, first[1], first[0])
            elif self._limits.evaluate is None:
                raise unknown_inputs()
            else:
                self._skipped = "nobody knows what the model takes"
        if self._limits.evaluate is not None:
            self._metric = self._limits.measure(self._load(self._side).model)

    @property
    def ways(self) -> list[Compression]:
        """What can be done to it."""
        ways = [way for way in self._context.plugins.compressions() if way.format == self.entry.metadata.format]
        return list({way.type: way for way in reversed(ways)}.values())[::-1]  # the first plugin to offer it is asked

    def way(self, type: str) -> Compression:
        """What is called so.

        :raises UnsupportedFormatError: if nothing is.
        """
        for way in self.ways:
            if way.type == str(type).lower():
                return way
        format, known = str(self.entry.metadata.format), ", ".join(sorted(way.type for way in self.ways))
        hint = _NOT_DONE.get(CompressionType(type)) or (f"there is {known}" if known else _INSTALL)
        raise UnsupportedFormatError(
            f"no installed plugin makes {format} smaller by {str(type)!r}", hint=hint, format=format
        )

    def require_ways(self) -> list[Compression]:
        """What can be done to it.

        :raises UnsupportedFormatError: if nothing can.
        """
        if not self.ways:
            format = str(self.entry.metadata.format)
            raise UnsupportedFormatError(f"no installed plugin makes {format} smaller", hint=_INSTALL, format=format)
        return self.ways

    @contextmanager
    def compressed(
        self, way: Compression, given: Mapping[str, Any], *, name: str | None = None, version: str | None = None
    ) -> Iterator[Smaller]:
        """What comes of it, as long as the block lasts.

        :raises UnsupportedModelError: if nothing gets smaller.
        """
        context, entry = self._context, self.entry
        with tempfile.TemporaryDirectory(prefix="model_registry-") as folder:
            request = CompressRequest(
                way.type, way.format, given, entry.metadata, Path(folder), load=lambda: self._load(self._side).model
            )
            with drafted(
                context,
                name or entry.name,
                context.plugins.compress(request, self.files),
                way.format,
                version=version,
                parent=Parent(COMPRESSED, entry.name, entry.version, entry.digest),
                example_inputs=example_inputs.read_example_inputs(self.files),
                compression_type=way.type,
                original_size_mb=size_of(self.files) / MEGABYTE,
                **_kept(entry, way.type),
            ) as draft:
                ratio = size_of(draft.files) / max(1, size_of(self.files))
                if ratio > _MOST_RATIO:
                    raise UnsupportedModelError(
                        f"{way.type} makes nothing of {entry.reference} smaller",
                        hint="its weights may be small, of a kind that is not looked at, or compressed already",
                    )
                yield Smaller(ratio, self._price(draft.files), _document(entry, way, given), draft)

    def _price(self, files: VersionFiles) -> Price:
        result = attrs.evolve(self._side, files=files)
        return Price(*self._compared(result), self._measured(result))

    def _compared(self, result: Side) -> tuple[ParityReport, tuple[float, float] | None]:
        if self._skipped:
            return ParityReport(None, skipped=self._skipped), None
        both = pair(self._context, self._side, result, self._limits.inputs, runner=self._runner, real=True)
        return (both, None) if isinstance(both, ParityReport) else (both.agreement(), both.latencies())

    def _measured(self, result: Side) -> tuple[float, float] | None:
        if self._metric is None:
            return None
        model = self._load(result).model
        try:
            return self._metric, self._limits.measure(model)
        except Exception as error:  # the caller's function, which did well with the source
            raise UnsupportedModelError(
                f"evaluate failed with the smaller model: {type(error).__name__}: {error}",
                hint="the type of its weights may be another: let evaluate give it inputs of that type",
            ) from error

    def _load(self, side: Side) -> LoadedModel:
        return self._context.plugins.load(side.request, side.files)


def _kept(entry: ModelEntry, type: str) -> dict[str, Any]:
    names = [*KEPT, "input_shape", "output_shape"]
    if type.startswith(_SHORTENS):
        names.append("parameters_count")  # each is there still, in fewer bytes, and not told as one by the format
    return {name: value for name in names if (value := getattr(entry.metadata, name))}


def _document(entry: ModelEntry, way: Compression, given: Mapping[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = {"from": entry.reference, "type": way.type}
    plain = {name: value for name, value in given.items() if isinstance(value, (bool, int, float, str))}
    return {**document, "options": plain} if plain else document


def size_of(files: VersionFiles) -> int:
    """The bytes of all of them."""
    return sum(files.size(path) for path in files)
