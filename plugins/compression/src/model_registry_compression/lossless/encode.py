"""Which pieces a file is cut into, what each is told by, and the smallest way to tell it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
from attrs import evolve, frozen

from model_registry import BaseFile, ColdFile, Encoded, Span, TensorRecord
from model_registry_compression.lossless import entropy, methods
from model_registry_compression.lossless.numbers import Buffer, Kind, kind_of
from model_registry_compression.options import CompressionOptions

#: Elements of a piece: few enough for the cache, enough for the tables to be worth their bytes.
PIECE = 1 << 18
#: Bytes of a piece that is no tensor.
TEXT = 4 << 20
#: Elements from the middle of a tensor by which bases are compared.
_SAMPLE = 1 << 15
#: A difference that takes so much of a piece says little: the piece may be smaller by itself.
_LITTLE = 0.6
_ZEROS = 0.2


@frozen
class Run:
    """A stretch of a file that is told in one way.

    :param kind: What its elements are; None for what is no tensor.
    :param base: The file that it is told by, and where in that the same stretch begins.
    :param cast: The dtypes (of the base, of this) if it may be the base rounded.
    :param twin: Where the same bytes lie.
    """

    start: int
    size: int
    kind: Kind | None = None
    base: BaseFile | None = None
    base_start: int = 0
    cast: tuple[str, str] | None = None
    twin: Span | None = None


def encode(cold: ColdFile, options: CompressionOptions) -> Iterator[Callable[[], Encoded]]:
    """What encodes each piece of a file, in order."""
    for run in _merged(_runs(cold, options)):
        if run.twin is not None:
            for start in range(0, run.size, TEXT):
                size = min(TEXT, run.size - start)
                yield partial(Encoded, size, "same", b"", evolve(run.twin, offset=run.twin.offset + start, size=size))
            continue
        step = TEXT if run.kind is None else PIECE * run.kind.width
        for start in range(0, run.size, step):
            size = min(step, run.size - start)
            scale = 1 if run.cast is None else 2  # float32 to what has half of its bytes
            piece = evolve(run, start=run.start + start, size=size, base_start=run.base_start + scale * start)
            yield partial(_encode, cold, piece, options)


def _runs(cold: ColdFile, options: CompressionOptions) -> Iterator[Run]:
    named = [{tensor.name: tensor for tensor in base.tensors} for base in cold.bases]
    at = 0
    for tensor in cold.tensors:
        if tensor.offset > at:
            yield Run(at, tensor.offset - at)
        if tensor.offset in cold.twins:
            yield Run(tensor.offset, tensor.nbytes, twin=cold.twins[tensor.offset])
        else:
            yield _run(cold, tensor, [names.get(tensor.name) for names in named], options)
        at = tensor.offset + tensor.nbytes
    if at < cold.size:
        yield Run(at, cold.size - at)


def _run(
    cold: ColdFile, tensor: TensorRecord, others: Sequence[TensorRecord | None], options: CompressionOptions
) -> Run:
    kind = kind_of(tensor.dtype)
    if tensor.nbytes % kind.width:
        kind = kind_of("uint8")
    alone = Run(tensor.offset, tensor.nbytes, kind)
    told = []
    for base, other in zip(cold.bases, others, strict=True):
        if other is None:
            continue
        if (other.dtype, other.nbytes) == (tensor.dtype, tensor.nbytes):
            told.append(evolve(alone, base=base, base_start=other.offset))
        elif (other.dtype, tensor.dtype) in methods.CASTS and other.nbytes == 2 * tensor.nbytes:
            told.append(evolve(alone, base=base, base_start=other.offset, cast=(other.dtype, tensor.dtype)))
    if len(told) < 2:
        return told[0] if told else alone
    return min(told, key=lambda run: _estimate(cold, kind, run, options))


def _estimate(cold: ColdFile, kind: Kind, run: Run, options: CompressionOptions) -> int:
    """Bytes that a sample takes in this way."""
    size = min(run.size, _SAMPLE * kind.width)
    middle = (run.size - size) // 2 // kind.width * kind.width
    scale = 1 if run.cast is None else 2
    sample = evolve(run, start=run.start + middle, size=size, base_start=run.base_start + scale * middle)
    return memoryview(_encode(cold, sample, options).data).nbytes


def _merged(runs: Iterator[Run]) -> Iterator[Run]:
    """Neighbours that are told in one way, as one: a model has many small tensors."""
    last: Run | None = None
    for run in runs:
        if last is not None and _continues(last, run):
            last = evolve(last, size=last.size + run.size)
        else:
            if last is not None:
                yield last
            last = run
    if last is not None:
        yield last


def _continues(last: Run, run: Run) -> bool:
    if last.twin is not None or run.twin is not None:
        return False
    scale = 1 if last.cast is None else 2
    is_one_way = (last.kind, last.base, last.cast) == (run.kind, run.base, run.cast)
    return is_one_way and (run.base is None or last.base_start + scale * last.size == run.base_start)


def _encode(cold: ColdFile, run: Run, options: CompressionOptions) -> Encoded:
    data = cold.read(run.start, run.size)
    if run.kind is None:
        return Encoded(run.size, "zstd", entropy.text(data, options.zstd_level))
    if run.base is not None:
        span = Span(run.base.sha256, run.base_start, run.size if run.cast is None else 2 * run.size)
        told = _told(run, run.kind, data, run.base.read(span.offset, span.size), span, options)
        if told is not None and len(told.data) < _LITTLE * run.size:
            return told
    else:
        told = None
    return min(filter(None, [told, *_alone(run.kind, data)]), key=lambda way: memoryview(way.data).nbytes)


def _told(run: Run, kind: Kind, data: Buffer, base: Buffer, span: Span, options: CompressionOptions) -> Encoded | None:
    """A piece told by its base; None if that does not tell it."""
    if run.cast is not None:
        rounded = methods.CASTS[run.cast](base)
        if not np.array_equal(rounded, kind.words(data)):
            return None
        return Encoded(run.size, "-".join(["cast", *run.cast]), b"", span)
    if np.array_equal(kind.words(data), kind.words(base)):
        return Encoded(run.size, "same", b"", span)
    if kind.is_float and options.groups(kind.width):
        return Encoded(run.size, f"grouped-{kind.name}", methods.grouped(kind, data, base), span)
    return Encoded(run.size, f"delta-{kind.name}", methods.delta(kind, data, base), span)


def _alone(kind: Kind, data: Buffer) -> Iterator[Encoded]:
    size = memoryview(data).nbytes
    yield Encoded(size, f"split-{kind.name}", methods.split(kind, data))
    words = kind.words(data)
    if not kind.is_float or np.count_nonzero(words) < (1 - _ZEROS) * len(words):  # there may be repetitions
        yield Encoded(size, "zstd", entropy.text(data, 3))
