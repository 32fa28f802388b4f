"""What a smaller weight is stored as, and how it is computed from: modules that stand in the place of a matrix.

Each keeps a matrix of shape ``(rows, columns)``, whose rows are what a layer gives, in fewer bytes. They are plain
modules of plain tensors, so a version made of them is stored and loaded like any other; other plugins import this
module because this distribution says, in its entry points, that its classes may be named by stored models.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from torch.nn import functional

_NIBBLES = 16
#: Of products of two numbers up to 127, so many have a sum within four bytes.
_MOST_COLUMNS = (2**31 - 1) // 127**2
#: What a scale has at least, so that nothing is divided by zero.
_LEAST = 1e-30


class StoredWeight(nn.Module):
    """A matrix in fewer bytes."""

    def facts(self) -> dict[str, int]:
        """What else than the shape and type of the matrix says how large the tensors are."""
        return {}

    def forward(self) -> torch.Tensor:
        """The matrix."""
        raise NotImplementedError

    def _apply(self, fn: Callable[[torch.Tensor], torch.Tensor], recurse: bool = True) -> StoredWeight:
        """``to()`` and its like: what is stored moves, and keeps its types; the matrix gets the new one."""
        kept = {id(buffer) for buffer in self._buffers.values()}

        def moved(tensor: torch.Tensor) -> torch.Tensor:
            made = fn(tensor)
            return tensor.to(made.device) if id(tensor) in kept and made.dtype != tensor.dtype else made

        dtype = self.__dict__.get("dtype")
        if isinstance(dtype, torch.dtype):
            self.dtype = fn(torch.empty(0, dtype=dtype)).dtype
        super()._apply(moved, recurse)  # type: ignore[no-untyped-call]
        return self

    def linear(self, inputs: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        """The product of a linear layer: of ``(…, columns)``, in the shape ``(…, rows)``."""
        return functional.linear(inputs, self(), bias)


class _ScaledWeight(StoredWeight):
    """Short numbers, and a scale for each row."""

    _dtype: torch.dtype
    _greatest: float

    def __init__(self, rows: int, columns: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype
        self.register_buffer("numbers", torch.empty(rows, columns, dtype=self._dtype))
        self.register_buffer("scale", torch.empty(rows, 1, dtype=torch.float32))

    def fill(self, matrix: torch.Tensor) -> None:
        wide = matrix.float()
        self.scale = (wide.abs().amax(1, keepdim=True) / self._greatest).clamp(min=_LEAST)
        shrunk = (wide / self.scale).clamp(-self._greatest, self._greatest)
        self.numbers = (shrunk if self._dtype.is_floating_point else shrunk.round()).to(self._dtype)

    def forward(self) -> torch.Tensor:
        return (self.numbers.float() * self.scale).to(self.dtype)

    def rows(self, index: torch.Tensor) -> torch.Tensor:
        """Some rows, for a table of embeddings: ``(…)`` in, ``(…, columns)`` out."""
        return (self.numbers[index].float() * self.scale[index]).to(self.dtype)


class Float8Weight(_ScaledWeight):
    """``numbers`` is float8_e4m3fn, of the matrix's shape; ``scale`` is float32, ``(rows, 1)``."""

    _dtype, _greatest = torch.float8_e4m3fn, float(torch.finfo(torch.float8_e4m3fn).max)


class Int8Weight(_ScaledWeight):
    """``numbers`` is int8, of the matrix's shape: from -127 to 127; ``scale`` is float32, ``(rows, 1)``.

    A linear layer multiplies whole numbers with whole numbers, on a CPU: its inputs become int8 as well.

    :param products: False computes with the matrix instead, which loses less and takes longer.
    :param static: The scale of the inputs is known beforehand: ``input_scale``, a scalar of float32. Else
        each row of the inputs has its own.
    """

    _dtype, _greatest = torch.int8, 127.0
    input_scale: torch.Tensor | None

    def __init__(
        self, rows: int, columns: int, dtype: torch.dtype, products: bool = True, static: bool = False
    ) -> None:
        super().__init__(rows, columns, dtype)
        self.products = products
        self.register_buffer("input_scale", torch.empty((), dtype=torch.float32) if static else None)

    def facts(self) -> dict[str, int]:
        return {"products": self.products, "static": self.input_scale is not None}

    def linear(self, inputs: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        if not self._multiplies(inputs):
            return super().linear(inputs, bias)
        flat = inputs.reshape(-1, inputs.shape[-1]).float()
        if self.input_scale is None:
            scale = (flat.detach().abs().amax(1, keepdim=True) / self._greatest).clamp(min=_LEAST)
        else:
            scale = self.input_scale + 0 * flat.detach().sum(1, keepdim=True)  # so that NaN and infinity are not lost
        product: torch.Tensor = _Product.apply(flat, scale, self.numbers, self.scale)  # type: ignore[no-untyped-call]
        given = product if bias is None else product + bias
        return given.to(inputs.dtype).view(*inputs.shape[:-1], -1)

    def _multiplies(self, inputs: torch.Tensor) -> bool:
        """Whether whole numbers are multiplied: not where another type is wanted, nor where the product of torch is
        wrong, which it is for a single column, or could overflow."""
        if not self.products or inputs.device.type != "cpu" or not inputs.numel():
            return False
        if torch.compiler.is_exporting() or torch.is_autocast_enabled("cpu"):
            return False
        return 1 < self.numbers.shape[1] <= _MOST_COLUMNS


class _Product(torch.autograd.Function):
    """Of ``(n, columns)`` and a matrix of int8. Its gradient is that of the product with the matrix itself."""

    @staticmethod
    def forward(
        ctx: Any, inputs: torch.Tensor, input_scale: torch.Tensor, numbers: torch.Tensor, scale: torch.Tensor
    ) -> torch.Tensor:
        ctx.save_for_backward(numbers, scale)
        short = (inputs / input_scale).round_().clamp_(-127, 127).to(torch.int8)
        # The only product of int8 in torch: not public, and used by torch's own library of quantization.
        return torch._int_mm(short, numbers.t()).float() * input_scale * scale.t()

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
        numbers, scale = ctx.saved_tensors
        return gradient @ (numbers.float() * scale), None, None, None


class Int4Weight(StoredWeight):
    """Two whole numbers in a byte, and a scale and a least value for each block of a row.

    ``numbers`` is uint8, ``(rows, blocks, block / 2)``; ``scale`` and ``least`` are bfloat16, ``(rows, blocks, 1)``.
    """

    def __init__(self, rows: int, columns: int, dtype: torch.dtype, block: int = 32) -> None:
        super().__init__()
        self.columns, self.block, self.dtype = columns, block, dtype
        blocks = -(-columns // block)
        self.register_buffer("numbers", torch.empty(rows, blocks, block // 2, dtype=torch.uint8))
        self.register_buffer("scale", torch.empty(rows, blocks, 1, dtype=torch.bfloat16))
        self.register_buffer("least", torch.empty(rows, blocks, 1, dtype=torch.bfloat16))

    def facts(self) -> dict[str, int]:
        return {"block": self.block}

    def fill(self, matrix: torch.Tensor) -> None:
        missing = -matrix.shape[1] % self.block
        padded = torch.cat((matrix, matrix[:, -1:].expand(-1, missing)), 1).float()
        blocks = padded.view(matrix.shape[0], -1, self.block)
        self.least = blocks.amin(2, keepdim=True).to(torch.bfloat16)
        span = blocks.amax(2, keepdim=True) - self.least.float()
        self.scale = (span / (_NIBBLES - 1)).clamp(min=_LEAST).to(torch.bfloat16)
        numbers = torch.round((blocks - self.least.float()) / self.scale.float()).clamp(0, _NIBBLES - 1)
        numbers = numbers.to(torch.uint8)
        self.numbers = numbers[..., ::2] | (numbers[..., 1::2] << 4)

    def forward(self) -> torch.Tensor:
        return self._unpacked(self.numbers, self.scale, self.least)

    def rows(self, index: torch.Tensor) -> torch.Tensor:
        """Some rows, for a table of embeddings: ``(…)`` in, ``(…, columns)`` out."""
        return self._unpacked(self.numbers[index], self.scale[index], self.least[index])

    def _unpacked(self, numbers: torch.Tensor, scale: torch.Tensor, least: torch.Tensor) -> torch.Tensor:
        wide = numbers.float()
        high = (wide / _NIBBLES).floor()  # no shift of bits: not every format to export to has one for bytes
        unpacked = torch.stack((wide - _NIBBLES * high, high), dim=-1).flatten(-2)
        return (unpacked * scale.float() + least.float()).flatten(-2)[..., : self.columns].to(self.dtype)


class SparseWeight(StoredWeight):
    """The elements that are not zero, and a bit for each element that says which those are.

    ``values`` is of the matrix's type, in the order of its memory; ``mask`` is uint8, eight elements in a byte, the
    first in the lowest bit.
    """

    def __init__(self, rows: int, columns: int, dtype: torch.dtype, count: int) -> None:
        super().__init__()
        self.shape = (rows, columns)
        self.values = nn.Parameter(torch.empty(count, dtype=dtype))
        self.register_buffer("mask", torch.empty(-(-rows * columns // 8), dtype=torch.uint8))

    def facts(self) -> dict[str, int]:
        return {"count": self.values.numel()}

    def fill(self, matrix: torch.Tensor) -> None:
        kept = (matrix != 0).flatten()
        padded = torch.cat((kept, kept.new_zeros(-kept.numel() % 8))).view(-1, 8).to(torch.int32)
        self.mask = (padded << torch.arange(8, device=matrix.device)).sum(1).to(torch.uint8)
        self.values = nn.Parameter(matrix.flatten()[kept], requires_grad=matrix.requires_grad)

    def forward(self) -> torch.Tensor:
        bits = torch.arange(8, dtype=torch.uint8, device=self.mask.device)
        size = self.shape[0] * self.shape[1]
        kept = ((self.mask.unsqueeze(1) >> bits) & 1).flatten()[:size].bool().view(self.shape)
        zeros = self.values.new_zeros(()).expand(kept.shape)  # as large as the mask says, and not as the shape claims
        return zeros.masked_scatter(kept, self.values)


class ChannelsWeight(StoredWeight):
    """The rows that are left; the others are zero.

    ``values`` is of the matrix's type, ``(rows left, columns)``; ``channels`` is int32: which those are.
    """

    def __init__(self, rows: int, columns: int, dtype: torch.dtype, count: int) -> None:
        super().__init__()
        self.height = rows
        self.values = nn.Parameter(torch.empty(count, columns, dtype=dtype))
        self.register_buffer("channels", torch.empty(count, dtype=torch.int32))

    def facts(self) -> dict[str, int]:
        return {"count": self.values.shape[0]}

    def fill(self, matrix: torch.Tensor) -> None:
        self.channels = matrix.ne(0).any(1).nonzero().flatten().to(torch.int32)
        self.values = nn.Parameter(matrix[self.channels].clone(), requires_grad=matrix.requires_grad)

    def forward(self) -> torch.Tensor:
        return self._spread(self.values, 0)

    def linear(self, inputs: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        """Only what is left is multiplied."""
        product = self._spread(functional.linear(inputs, self.values), inputs.dim() - 1)
        return product if bias is None else product + bias

    def _spread(self, values: torch.Tensor, dim: int) -> torch.Tensor:
        shape = (*values.shape[:dim], self.height, *values.shape[dim + 1 :])
        return values.new_zeros(shape).index_copy(dim, self.channels.long(), values)


class LowRankWeight(StoredWeight):
    """Two thin matrices, whose product it is: ``left``, ``(rows, rank)``, and ``right``, ``(rank, columns)``."""

    def __init__(self, rows: int, columns: int, dtype: torch.dtype, rank: int) -> None:
        super().__init__()
        self.left = nn.Parameter(torch.empty(rows, rank, dtype=dtype))
        self.right = nn.Parameter(torch.empty(rank, columns, dtype=dtype))

    def facts(self) -> dict[str, int]:
        return {"rank": self.left.shape[1]}

    def fill(self, matrix: torch.Tensor) -> None:
        self.fill_from(torch.linalg.svd(matrix.detach().float(), full_matrices=False), matrix)

    def fill_from(self, parts: tuple[torch.Tensor, torch.Tensor, torch.Tensor], matrix: torch.Tensor) -> None:
        """The same, of a matrix that is taken apart already."""
        rank = self.left.shape[1]
        left, energy, right = parts
        root = energy[:rank].sqrt()
        for name, thin in (("left", left[:, :rank] * root), ("right", root.unsqueeze(1) * right[:rank])):
            kept = nn.Parameter(thin.to(matrix.dtype).contiguous(), requires_grad=matrix.requires_grad)
            setattr(self, name, kept)

    def forward(self) -> torch.Tensor:
        return self.left @ self.right

    def linear(self, inputs: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        """Two products with thin matrices."""
        return functional.linear(functional.linear(inputs, self.right), self.left, bias)


#: By the names that they have in configurations.
KINDS: Mapping[str, Any] = {
    "int8": Int8Weight,
    "int4": Int4Weight,
    "float8": Float8Weight,
    "sparse": SparseWeight,
    "channels": ChannelsWeight,
    "low_rank": LowRankWeight,
}


def store(kind: str, matrix: torch.Tensor, **facts: Any) -> StoredWeight:
    """A matrix, stored so."""
    stored: StoredWeight = KINDS[kind](*matrix.shape, matrix.dtype, **facts)
    with torch.no_grad():
        stored.fill(matrix)  # type: ignore[operator]
    return stored
