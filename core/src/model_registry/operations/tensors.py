"""Two versions tensor by tensor: by shape, dtype and digest, and by bytes only where those do not decide."""

from __future__ import annotations

from attrs import frozen

from model_registry.comparison import TensorChange
from model_registry.operations.contents import Contents
from model_registry.operations.tensor_bytes import Measure, Outcome, Pair, Place, compare_bytes
from model_registry.records import TensorRecord

#: Bytes of a file around a tensor that are worth reading instead of the tensor.
_SMALL_REST = 64 << 10


def compare_tensors(a: Contents, b: Contents, measure: Measure | None) -> tuple[TensorChange, ...]:
    """Every tensor of both, in the order of ``a``; then those that only ``b`` has.

    :param measure: Tells differences; None if nobody asks for them, and then a tensor is read up to the first one.
    """
    before, after = ({tensor.name: tensor for tensor in side.tensors or ()} for side in (a, b))
    sides = _Sides(a, b, measure)
    rows = {name: sides.at_sight(name, before.get(name), after.get(name)) for name in {**before, **after}}
    pairs = {name: sides.pair(before[name], after[name]) for name, row in rows.items() if row is None}
    outcomes = compare_bytes(pairs.values(), measure)
    return tuple(row or _row(name, before[name], after[name], outcomes[pairs[name]]) for name, row in rows.items())


@frozen
class _Sides:
    a: Contents
    b: Contents
    measure: Measure | None

    def at_sight(self, name: str, a: TensorRecord | None, b: TensorRecord | None) -> TensorChange | None:
        """The row of a tensor that is decided without its bytes, None for another."""
        if a is None or b is None:
            return TensorChange(name, "added" if a is None else "removed", a, b)
        if a.shape != b.shape or a.dtype != b.dtype:
            return TensorChange(name, "shape" if a.shape != b.shape else "dtype", a, b)
        if a.nbytes == 0 or self._is_one_place(a, b):
            nothing = None if self.measure is None else 0.0
            return TensorChange(name, "identical", a, b, nothing, nothing)
        if a.nbytes != b.nbytes or (self.measure is None and self._is_told_by_digest(a, b)):
            return TensorChange(name, "changed", a, b)
        return None

    def _is_one_place(self, a: TensorRecord, b: TensorRecord) -> bool:
        """Whether both are the same bytes of the same blob."""
        one_file = self.a.records[a.path].sha256 == self.b.records[b.path].sha256
        return one_file and (a.offset, a.nbytes) == (b.offset, b.nbytes)

    def _is_told_by_digest(self, a: TensorRecord, b: TensorRecord) -> bool:
        """Whether the files are equal around the tensors. Their digests differ, so the tensors do."""
        size = self.a.records[a.path].size
        if (self.b.records[b.path].size, b.offset) != (size, a.offset) or size - a.nbytes > _SMALL_REST:
            return False
        return _rest(self.a, a, size) == _rest(self.b, b, size)

    def pair(self, a: TensorRecord, b: TensorRecord) -> Pair:
        """Where the bytes of two tensors are."""
        return Pair(a.dtype, a.nbytes, _place(self.a, a), _place(self.b, b))


def _place(side: Contents, tensor: TensorRecord) -> Place:
    return Place(side.files.local(tensor.path), tensor.offset)


def _rest(side: Contents, tensor: TensorRecord, size: int) -> bytes:
    """The bytes of a file around its tensor."""
    end = tensor.offset + tensor.nbytes
    with side.files.local(tensor.path).open("rb", buffering=0) as file:
        head = file.read(tensor.offset)
        file.seek(end)
        return head + file.read(size - end)


def _row(name: str, a: TensorRecord, b: TensorRecord, seen: Outcome) -> TensorChange:
    mean = None if seen.total is None else seen.total / max(a.elements, 1)
    return TensorChange(name, "identical" if seen.equal else "changed", a, b, seen.greatest, mean)
