"""Tensors by layer: those of one module together and, in large models, those of one block."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define, field

from model_registry.errors import ModelRegistryError
from model_registry.records import ModelEntry, TensorRecord

#: Layers that a page has room for; with more, what they are part of is told instead, if that makes fewer.
_MANY = 60


@define
class Layer:
    """The tensors whose names begin with a path.

    :param tensors: How many there are; ``elements`` and ``nbytes`` count what several of them share once.
    """

    path: str
    tensors: int = 0
    elements: int = 0
    nbytes: int = 0
    dtypes: list[str] = field(factory=list)


def readable_tensors(entry: ModelEntry) -> tuple[Sequence[TensorRecord], str]:
    """The tensors of a version, and why there are none, if that is a failure: a damaged version can be shown, too."""
    try:
        return entry.tensors, ""
    except ModelRegistryError as error:
        return (), str(error)


def layers_of(tensors: Sequence[TensorRecord]) -> list[Layer]:
    """The layers in the order of the model, as fine as the page has room for."""
    depth = max((tensor.name.count(".") for tensor in tensors), default=0)
    layers = _grouped(tensors, depth)
    while len(layers) > _MANY and depth > 1:
        depth -= 1
        layers = _grouped(tensors, depth)
    return layers


def _grouped(tensors: Sequence[TensorRecord], depth: int) -> list[Layer]:
    """:param depth: How many parts of a name are the path at most; the last one never is."""
    layers: dict[str, Layer] = {}
    counted = set()
    for tensor in tensors:
        path = ".".join(tensor.name.split(".")[:-1][:depth])
        layer = layers.setdefault(path, Layer(path))
        layer.tensors += 1
        if tensor.dtype not in layer.dtypes:
            layer.dtypes.append(tensor.dtype)
        place = (tensor.path, tensor.offset, tensor.nbytes)
        if place not in counted:  # the same bytes under another name are no more weights
            layer.elements += tensor.elements
            layer.nbytes += tensor.nbytes
        counted.add(place)
    return list(layers.values())
