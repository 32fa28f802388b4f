"""Storing a ``ModelProto``: large tensors as external data, each in a file of its own, so that versions share them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from model_registry import Stage, UnsupportedModelError
from model_registry_onnx.layout import MAX_FILES, MODEL, OWN_FILE_BYTES, data_file

if TYPE_CHECKING:
    from onnx import ModelProto, TensorProto


def add_model(model: ModelProto, stage: Stage) -> None:
    """Write a model that is wholly in memory, which may be of more than 2 GiB, and is not changed.

    :raises UnsupportedModelError: if what is left beside the large tensors has more than a protocol buffer may.
    """
    large = _large(model)
    for number, tensor in enumerate(large.values(), start=1):
        stage.add(data_file(number), partial(_raw, tensor), kind="weight")
    rest = _without(model, large)
    try:
        stage.add(MODEL, rest.SerializeToString(deterministic=True), kind="weight")
    except ValueError as error:  # so protobuf says that it is too large
        raise UnsupportedModelError(
            "the model has more than 2 GiB beside tensors with raw data, which no .onnx file can hold",
            hint="make its tensors with onnx.numpy_helper.from_array, which gives them raw data",
        ) from error


def _large(model: ModelProto) -> dict[int, TensorProto]:
    """The initializers that get a file each, by their place among all."""
    threshold, initializers = OWN_FILE_BYTES, model.graph.initializer
    sizes = [len(tensor.raw_data) if tensor.HasField("raw_data") else 0 for tensor in initializers]
    while sum(size >= threshold for size in sizes) > MAX_FILES:
        threshold *= 2
    return {place: initializers[place] for place, size in enumerate(sizes) if size >= threshold}


def _raw(tensor: TensorProto) -> list[bytes]:
    return [tensor.raw_data]


def _without(model: ModelProto, large: dict[int, TensorProto]) -> ModelProto:
    """A copy of the model in which these initializers are external data."""
    import onnx

    copy = onnx.ModelProto()
    _copy_fields(model, copy, but="graph")
    copy.graph.SetInParent()
    _copy_fields(model.graph, copy.graph, but="initializer")
    number = 0
    for place, tensor in enumerate(model.graph.initializer):
        added = copy.graph.initializer.add()
        if place not in large:
            added.CopyFrom(tensor)
            continue
        number += 1
        _copy_fields(tensor, added, but="raw_data")
        added.data_location = onnx.TensorProto.EXTERNAL
        for key, value in (("location", data_file(number)), ("offset", "0"), ("length", str(len(tensor.raw_data)))):
            added.external_data.add(key=key, value=value)
    return copy


def _copy_fields(source: Any, target: Any, *, but: str) -> None:
    for field, value in source.ListFields():
        if field.name == but:
            continue
        if isinstance(value, (str, bytes, int, float)):
            setattr(target, field.name, value)
        elif hasattr(value, "CopyFrom"):
            getattr(target, field.name).CopyFrom(value)
        else:
            getattr(target, field.name).extend(value)
