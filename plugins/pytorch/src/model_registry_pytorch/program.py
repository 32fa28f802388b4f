"""Exported programs: a module's computation, kept beside its weights so that it runs where its class is missing."""

from __future__ import annotations

import copy
import io
from typing import TYPE_CHECKING, Any

from model_registry import (
    InvalidOptionError,
    LoadRequest,
    SaveRequest,
    Stage,
    UnsafeModelError,
    UnsupportedModelError,
    VersionFiles,
)
from model_registry_pytorch.layout import PROGRAM
from model_registry_pytorch.messages import first_line

if TYPE_CHECKING:
    import torch

_EXAMPLE_BATCH = 2  # torch.export takes sizes 0 and 1 for constants


def add_program(request: SaveRequest, stage: Stage) -> None:
    """Export the module, in evaluation mode and with any batch size where the model allows it, as ``program.pt2``.

    :raises UnsupportedModelError: if torch.export cannot follow the module.
    """
    import torch

    model = request.model
    if not isinstance(model, torch.nn.Module):
        raise InvalidOptionError(
            "keep_program=True needs the module itself, and this is no nn.Module",
            option="keep_program",
            format="pytorch",
        )
    inputs = _example_inputs(request)
    shapes = tuple(_any_batch(item) for item in inputs)
    buffer = io.BytesIO()
    try:
        program = torch.export.export(copy.deepcopy(model).eval(), inputs, dynamic_shapes=shapes)
        torch.export.save(program, buffer)
    except Exception as error:  # torch.export fails in as many ways as there are models
        raise UnsupportedModelError(
            f"torch.export cannot follow the model: {first_line(error)}",
            hint="give example_inputs= that the model takes, or register without keep_program",
        ) from error
    stage.add(PROGRAM, buffer.getvalue(), kind="code")


def _any_batch(example: Any) -> dict[int, Any] | None:
    import torch

    is_batch = isinstance(example, torch.Tensor) and example.dim() > 0
    return {0: torch.export.Dim.AUTO} if is_batch else None


def _example_inputs(request: SaveRequest) -> tuple[Any, ...]:
    import torch

    given = request.options.get("example_inputs")
    if given is not None:
        return (given,) if isinstance(given, torch.Tensor) else tuple(given)
    shape = request.metadata.input_shape
    if shape is None or not all(isinstance(size, int) and size > 0 for size in shape):
        raise InvalidOptionError(
            "keep_program=True needs to know what the model takes",
            hint="give input_shape=[…], sizes without the batch, or example_inputs=(tensor, …) with it",
            option="keep_program",
        )
    weight = next(request.model.parameters(), torch.empty(0))
    return (torch.zeros(_EXAMPLE_BATCH, *shape, dtype=weight.dtype, device=weight.device),)


def load_program(request: LoadRequest, files: VersionFiles, device: torch.device | None) -> torch.nn.Module:
    """The exported program as a callable module. Reading it can run code, so it needs permission.

    :raises UnsupportedModelError: if none was kept.
    """
    if PROGRAM not in files:
        raise UnsupportedModelError(
            "the version has no exported program", hint="register it with keep_program=True and input_shape=…"
        )
    request.require_code_permission(f"load the exported program {PROGRAM}")
    import torch

    try:
        with files.local(PROGRAM).open("rb") as file:
            module = torch.export.load(file).module()
    except Exception as error:
        raise UnsafeModelError(
            f"{PROGRAM} cannot be read as an exported program: {first_line(error)}", path=PROGRAM
        ) from error
    return module if device is None else module.to(device)
