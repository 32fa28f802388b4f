"""The standard's checker and its shape inference, over a model without its weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model_registry import UnsafeModelError
from model_registry_onnx.messages import first_line

if TYPE_CHECKING:
    from onnx import ModelProto

_EXTERNAL = 1


def with_inferred_shapes(outline: ModelProto, *, check: bool) -> ModelProto:
    """The model with the shapes of what its nodes give, as far as they can be known.

    :param check: Let the checker look at it, too.
    :raises UnsafeModelError: if the model is not sound.
    """
    import onnx

    model = _with_inputs_for_weights(outline)
    try:
        if check:
            onnx.checker.check_model(model, full_check=True)
        return onnx.shape_inference.infer_shapes(model, check_type=check, strict_mode=False, data_prop=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise _unsound(error) from error
    except (ValueError, RuntimeError, IndexError, TypeError) as error:  # what the C++ code lets through
        raise _unsound(error) from error


def _with_inputs_for_weights(outline: ModelProto) -> ModelProto:
    """External data would be looked for on the disk. Of a weight, type and shape are enough: what an input has."""
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(outline)
    declared = {value.name for value in copy.graph.input}
    kept = []
    for tensor in copy.graph.initializer:
        if tensor.data_location != _EXTERNAL:
            kept.append(tensor)
        elif tensor.name not in declared:
            copy.graph.input.append(
                onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
            )
    initializers = [onnx.TensorProto.FromString(tensor.SerializeToString()) for tensor in kept]
    del copy.graph.initializer[:]
    copy.graph.initializer.extend(initializers)
    return copy


def _unsound(error: Exception) -> UnsafeModelError:
    return UnsafeModelError(f"the model is not sound: {first_line(error)}", hint="export it again")
