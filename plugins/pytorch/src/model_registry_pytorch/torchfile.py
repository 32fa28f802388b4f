"""Reading ``.pt`` and ``.pth`` files: with an explicit ``weights_only``, and only after their archive is checked."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

from model_registry import ModelRegistryError, UnsafeModelError, UnsupportedModelError
from model_registry_pytorch.archives import check_archive
from model_registry_pytorch.messages import first_line
from model_registry_pytorch.pickles import check_legacy_file
from model_registry_pytorch.sniff import Kind

_REFUSED = {
    Kind.TORCHSCRIPT: 'register it with model_format="torchscript", which needs permission to load because it is code',
    Kind.EXPORTED_PROGRAM: "register the nn.Module with keep_program=True, or its state dict",
    Kind.TAR: "torch wrote such files before 0.1.10: load it where you trust it, and save its state dict again",
    Kind.DAMAGED_ZIP: "get the file again, or save it again with torch.save",
    Kind.OTHER_ZIP: "save the model with torch.save",
    Kind.PICKLE: "save the model with torch.save",
    Kind.UNKNOWN: "give a file that torch.save or safetensors wrote",
}
_GLOBAL = re.compile(r"(?:GLOBAL|class|function|global:?) [`']?([A-Za-z_][\w.]*\.[\w.<>]+|[A-Za-z_]\w* [\w.]+)")


def read_torch_file(path: Path, kind: Kind, code_allowed: bool) -> Any:
    """The content of a file of torch.save, with tensors on the CPU, mapped where the file allows it.

    :param code_allowed: The user permitted that the file's pickle runs code.
    :raises UnsafeModelError: if the file asks for more than tensors and plain values.
    :raises UnsupportedModelError: if it is another kind of file.
    """
    if kind in (Kind.TAR, Kind.PICKLE, Kind.OTHER_ZIP, Kind.DAMAGED_ZIP):
        raise UnsafeModelError(f"{path.name} is a {kind.value}", hint=_REFUSED[kind], path=str(path))
    if kind in _REFUSED:
        article = "an" if kind is Kind.EXPORTED_PROGRAM else "a"
        raise UnsupportedModelError(f"{path.name} is {article} {kind.value}", hint=_REFUSED[kind], path=str(path))
    if kind is Kind.TORCH_ZIP:
        check_archive(path, run_dry=not code_allowed)
    if kind is Kind.TORCH_LEGACY and not code_allowed:
        check_legacy_file(path)
    return _load(path, code_allowed, mapped=kind is Kind.TORCH_ZIP)


def _load(path: Path, code_allowed: bool, *, mapped: bool) -> Any:
    import torch

    mapped = mapped and path.suffix != ".safetensors"  # by that name, torch would not read it as what it is
    try:
        with path.open("rb") as file:
            source = path if mapped else file
            return torch.load(source, map_location="cpu", weights_only=not code_allowed, mmap=mapped)
    except ModelRegistryError:
        raise
    except (pickle.UnpicklingError, AttributeError) as error:
        raise _more_than_data(path, error) from error
    except Exception as error:  # whatever a damaged file provokes in torch's reader
        raise UnsafeModelError(
            f"{path.name} is damaged or no file of torch.save: {first_line(error)}",
            hint="get the file again, or save it again with torch.save",
            path=str(path),
        ) from error


def _more_than_data(path: Path, error: Exception) -> UnsafeModelError:
    named = _GLOBAL.search(str(error))
    what = f"it names {named[1].replace(' ', '.')}" if named else first_line(error)
    return UnsafeModelError(
        f"{path.name} holds more than weights: {what}",
        hint="save model.state_dict() and register that, or register the module object itself",
        path=str(path),
    )
