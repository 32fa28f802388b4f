"""The opt-in format ``torchscript``: one archive, kept byte for byte.

Registering an archive never loads it; loading it runs its code.
"""

from __future__ import annotations

from pathlib import Path

from model_registry import (
    Kind,
    LoadedModel,
    LoadRequest,
    SaveRequest,
    Stage,
    UnsafeModelError,
    UnsupportedModelError,
    VersionFiles,
    content_of,
)
from model_registry_pytorch.device import parse_device
from model_registry_pytorch.messages import first_line

ARCHIVE = "model.pt"


def save_torchscript(request: SaveRequest, stage: Stage) -> None:
    """Store an archive, or the archive of a ``ScriptModule``.

    :raises UnsupportedModelError: if the model is neither.
    """
    if isinstance(request.model, Path):
        if request.model.is_dir() or content_of(request.model).kind is not Kind.TORCHSCRIPT:
            raise UnsupportedModelError(
                f"{request.model.name} is no TorchScript archive",
                hint='give a file of torch.jit.save, or model_format="pytorch"',
                path=str(request.model),
            )
        stage.add(ARCHIVE, request.model, kind="weight")
        return
    import torch

    if not isinstance(request.model, torch.jit.ScriptModule):
        raise UnsupportedModelError(
            f"a {type(request.model).__qualname__} is no ScriptModule",
            hint='register it with model_format="pytorch", or make it one with torch.jit.script',
        )
    torch.jit.save(request.model, str(stage.directory() / ARCHIVE))


def load_torchscript(request: LoadRequest, files: VersionFiles) -> LoadedModel:
    """Load the archive. The core has asked for permission before, because the format declares that it runs code."""
    request.require_code_permission("load a TorchScript archive")
    import torch

    device = parse_device(request.options.get("device")) or torch.device("cpu")
    try:
        return LoadedModel(torch.jit.load(str(files.local(ARCHIVE)), device))  # type: ignore[no-untyped-call]
    except RuntimeError as error:
        raise UnsafeModelError(f"{ARCHIVE} cannot be read as TorchScript: {first_line(error)}", path=ARCHIVE) from error
