"""Reading ``.pt`` and ``.pth`` files: with an explicit ``weights_only``, and only after their archive is checked."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

from model_registry import Content, Kind, ModelRegistryError, UnsafeModelError, UnsupportedModelError
from model_registry_pytorch.archives import check_archive
from model_registry_pytorch.messages import first_line
from model_registry_pytorch.pickles import check_legacy_file

_ZIPS = (Kind.TORCH_STATE_DICT, Kind.TORCH_OBJECTS)
#: What to do with files that torch.load could perhaps read, but not as data alone.
_ADVICE = {
    Kind.TORCHSCRIPT: 'register it with model_format="torchscript", which needs permission to load because it is code',
    Kind.EXPORTED_PROGRAM: "register the nn.Module with keep_program=True, or its state dict",
    Kind.TORCH_TAR: "load it where you trust it, and save its state dict again",
    Kind.PICKLE: "save the model with torch.save",
    Kind.ZIP: "save the model with torch.save",
}
_GLOBAL = re.compile(r"(?:GLOBAL|class|function|global:?) [`']?([A-Za-z_][\w.]*\.[\w.<>]+|[A-Za-z_]\w* [\w.]+)")


def read_torch_file(path: Path, content: Content, code_allowed: bool) -> Any:
    """The content of a file of torch.save, with tensors on the CPU, mapped where the file allows it.

    :param content: What it was seen to be.
    :param code_allowed: The user permitted that the file's pickle runs code.
    :raises UnsafeModelError: if the file asks for more than tensors and plain values.
    :raises UnsupportedModelError: if it is another kind of file.
    """
    kind = content.kind
    if content.problem:
        hint = "get the file again, or save it again with torch.save"
        raise UnsafeModelError(f"{path.name} is {kind.title}, but {content.problem}", hint=hint, path=str(path))
    if kind not in (*_ZIPS, Kind.TORCH_LEGACY):
        archives = (Kind.TORCH_TAR, Kind.PICKLE, Kind.ZIP, Kind.TAR)
        refused = UnsafeModelError if kind in archives else UnsupportedModelError
        hint = _ADVICE.get(kind, "give a file that torch.save or safetensors wrote")
        raise refused(f"{path.name} is {kind.title}", hint=hint, path=str(path))
    if kind in _ZIPS:
        check_archive(path, run_dry=not code_allowed)
    if kind is Kind.TORCH_LEGACY and not code_allowed:
        check_legacy_file(path)
    return _load(path, code_allowed, mapped=kind in _ZIPS)


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
