"""Tensors as bytes and back: what safetensors can hold, aliasing, and the memory behind a tensor without a copy."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from model_registry import UnsafeModelError, UnsupportedModelError
from model_registry_pytorch.record import TensorRecord
from model_registry_pytorch.safetensors_file import CODES, Entry

if TYPE_CHECKING:
    import torch


class TensorTable:
    """The tensors of one model while it is captured: each object once, each piece of memory once.

    :param from_file: The tensors come from a file that nobody vouches for, so a storage smaller than its tensor is
        refused: a file of some bytes must not become terabytes.
    """

    def __init__(self, *, from_file: bool = False) -> None:
        self.records: dict[str, TensorRecord] = {}
        self.data: dict[str, torch.Tensor] = {}  # those with bytes of their own
        self._from_file = from_file
        self._names: dict[int, str] = {}
        self._owners: dict[tuple[Any, ...], str] = {}
        self._kept_alive: list[torch.Tensor] = []

    def add(self, tensor: torch.Tensor, wish: str, where: str) -> str:
        """The name of a tensor: the wish, or a variation if another tensor has it already.

        :raises UnsupportedModelError: if safetensors cannot hold the tensor.
        """
        if id(tensor) in self._names:
            return self._names[id(tensor)]
        _require_storable(tensor, where)
        if self._from_file:
            require_whole_storage(tensor, where)
        name = self._free_name(wish)
        self._names[id(tensor)] = name
        self._kept_alive.append(tensor)
        owner = self._owners.setdefault(_memory_key(tensor), name)
        if owner == name:
            self.data[name] = tensor.detach()
        self.records[name] = _describe(tensor, None if owner == name else owner)
        return name

    def _free_name(self, wish: str) -> str:
        name = wish
        number = 2
        while name in self.records or name == "__metadata__":
            name = f"{wish}~{number}"
            number += 1
        return name

    def require_apart(self) -> None:
        """Raise UnsupportedModelError if a tensor is a view into another one: loaded, they would change apart."""
        whole, whole_device, stop = "", "", 0
        for device, start, _, name in sorted(map(_place, self.data.items())):
            tensor = self.data[name]
            if device == whole_device and start < stop:
                raise UnsupportedModelError(
                    f"the tensor {name!r} is a view into {whole!r}, and files would part them",
                    hint="store tensor.clone(), or compute the view where it is used",
                    tensor=name,
                )
            if is_dense(tensor.shape, tensor.stride()):
                whole, whole_device, stop = name, device, start + tensor.nbytes

    def entries(self) -> dict[str, Entry]:
        """The tensors that have bytes of their own, as safetensors describes them."""
        return {name: entry_of(tensor) for name, tensor in self.data.items()}


def _place(item: tuple[str, torch.Tensor]) -> tuple[str, int, int, str]:
    """Sorts tensors by where they begin, the larger first."""
    name, tensor = item
    return str(tensor.device), tensor.data_ptr(), -tensor.nbytes, name


def entry_of(tensor: torch.Tensor) -> Entry:
    """What a safetensors header says of a tensor."""
    return Entry(_code(tensor), tuple(tensor.shape), tensor.numel() * tensor.element_size())


def _code(tensor: torch.Tensor) -> str:
    return CODES[str(tensor.dtype).removeprefix("torch.")]


def _describe(tensor: torch.Tensor, data: str | None) -> TensorRecord:
    from torch import nn

    strides = tuple(tensor.stride())
    in_order = strides == plain_strides(tensor.shape) or not is_dense(tensor.shape, strides)
    return TensorRecord(
        parameter=isinstance(tensor, nn.Parameter),
        requires_grad=tensor.requires_grad,
        strides=None if in_order else strides,
        data=data,
    )


def _memory_key(tensor: torch.Tensor) -> tuple[Any, ...]:
    """Equal for tensors that are the same elements of the same memory. Tensors without elements share nothing."""
    if tensor.numel() == 0:
        return (id(tensor),)
    bits = tensor.is_conj(), tensor.is_neg()
    return (tensor.device, tensor.data_ptr(), tensor.dtype, tuple(tensor.shape), tensor.stride(), bits)


def plain_strides(shape: Sequence[int]) -> tuple[int, ...]:
    """The strides, in elements, of a tensor whose memory is in the order of its shape."""
    strides = []
    step = 1
    for size in reversed(shape):
        strides.append(step)
        step *= max(size, 1)
    return tuple(reversed(strides))


def is_dense(shape: Sequence[int], strides: Sequence[int]) -> bool:
    """Whether strides walk over memory without gaps or overlaps, in whatever order (channels last, transposed)."""
    if len(shape) != len(strides) or 0 in shape:
        return False
    expected = 1
    for stride, size in sorted((stride, size) for stride, size in zip(strides, shape, strict=True) if size > 1):
        if stride != expected:
            return False
        expected *= size
    return True


def _require_storable(tensor: torch.Tensor, where: str) -> None:
    problem, advice = _obstacle(tensor)
    if problem:
        raise UnsupportedModelError(f"{where} is {problem}, which safetensors cannot hold", hint=advice, tensor=where)


def _obstacle(tensor: torch.Tensor) -> tuple[str, str]:
    import torch

    if torch.nn.parameter.is_lazy(tensor):
        return "not initialised yet", "run one batch through the lazy module, then register it"
    if type(tensor) not in (torch.Tensor, torch.nn.Parameter):
        return f"a {type(tensor).__name__}, a subclass of Tensor", "convert it with .as_subclass(torch.Tensor)"
    if tensor.is_nested:
        return "a nested tensor", "store its components, tensor.unbind()"
    if tensor.layout is not torch.strided:
        return f"of layout {tensor.layout}", "store it dense, tensor.to_dense()"
    if tensor.is_quantized:
        return "quantized", "store its int_repr(), scale and zero point, or tensor.dequantize()"
    if tensor.device.type == "meta":
        return "on the meta device and has no data", "materialise the model with to_empty() and its weights first"
    if str(tensor.dtype).removeprefix("torch.") not in CODES:
        return f"of dtype {tensor.dtype}", "convert it to another dtype, such as complex64 or two real tensors"
    if not tensor.is_leaf:
        return "a result that autograd still follows", "detach it: tensor.detach()"
    if tensor._backward_hooks:
        return "a tensor with hooks", "remove the hooks with handle.remove() before registering"
    return "", ""


def require_whole_storage(tensor: torch.Tensor, where: str) -> None:
    """Raise UnsafeModelError if a tensor has more elements than its storage has room for."""
    needed = tensor.numel() * tensor.element_size()
    if tensor.untyped_storage().nbytes() < needed:
        raise UnsafeModelError(
            f"{where} has a storage smaller than its {tensor.numel():,} elements",
            hint="if it is an expanded view, save tensor.contiguous() instead",
            path=where,
        )


def memory_of(tensor: torch.Tensor) -> memoryview:
    """The bytes of a tensor in the order of its shape: its own memory if it is contiguous on the CPU, else a copy."""
    plain = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous()
    size = plain.numel() * plain.element_size()
    if size == 0:
        return memoryview(b"")
    array = (ctypes.c_char * size).from_address(plain.data_ptr())
    array.tensor = plain  # type: ignore[attr-defined]  # the memory lives as long as the view
    return memoryview(array).cast("B").toreadonly()
