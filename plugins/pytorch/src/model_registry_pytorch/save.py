"""Storing a model in the format ``pytorch``: modules, dictionaries, files, and folders that were exported before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from model_registry import Kind, SaveRequest, Stage, UnsafeModelError, UnsupportedModelError, content_of
from model_registry_pytorch import record as records
from model_registry_pytorch.audit import require_known_functions
from model_registry_pytorch.capture import capture_module, capture_value
from model_registry_pytorch.layout import RECORD
from model_registry_pytorch.options import PyTorchOptions
from model_registry_pytorch.program import add_program
from model_registry_pytorch.record import Record
from model_registry_pytorch.tensors import TensorTable
from model_registry_pytorch.torchfile import read_torch_file
from model_registry_pytorch.weights import add_weights


def save_pytorch(request: SaveRequest, stage: Stage, options: PyTorchOptions) -> None:
    """Write the model into ``stage``.

    :raises UnsupportedModelError: naming what cannot be stored and what to do.
    :raises UnsafeModelError: for a file that asks for more than data.
    """
    if isinstance(request.model, Path) and request.model.is_dir():
        add_folder(request.model, stage)
        return
    record, table = _capture(request, options)
    stage.add(RECORD, _encoded(record), kind="config")
    add_weights(table, stage)
    if request.options.get("keep_program"):
        add_program(request, stage)


def _encoded(record: Record) -> bytes:
    text = records.encode(record)
    if len(text) > records.MAX_BYTES:
        raise UnsupportedModelError(
            f"the attributes of the model take {len(text):,} bytes, and a record holds {records.MAX_BYTES:,}",
            hint="keep large data in tensors, or in files of their own",
        )
    return text


def _capture(request: SaveRequest, options: PyTorchOptions) -> tuple[Record, TensorTable]:
    from torch import nn

    model, from_file = request.model, isinstance(request.model, Path)
    if from_file:
        model = read_file(request.model, request.code_allowed)
    if isinstance(model, nn.Module):
        return capture_module(model, options)
    if isinstance(model, dict):
        record, table = capture_value(model, options, from_file=from_file)
        if from_file:
            _require_no_more_than_its_file(table, request.model)
        return record, table
    raise UnsupportedModelError(
        f"a {type(model).__module__}.{type(model).__qualname__} is no PyTorch model",
        hint="give an nn.Module, a state dict, or the path of a .pt, .pth or .safetensors file",
    )


def _require_no_more_than_its_file(table: TensorTable, path: Path) -> None:
    """Tensors that overlap in their file would each be stored whole: kilobytes could become terabytes."""
    size = sum(entry.nbytes for entry in table.entries().values())
    if size > path.stat().st_size:
        raise UnsafeModelError(
            f"the tensors of {path.name} take {size:,} bytes, more than the file has: they overlap",
            hint="clone them, and save the file again",
            path=str(path),
        )


def read_file(path: Path, code_allowed: bool) -> Any:
    """The content of a weight file, by what it is and not by its name."""
    content = content_of(path)
    if content.kind is Kind.SAFETENSORS:
        return _read_safetensors(path)
    return read_torch_file(path, content, code_allowed)


def _read_safetensors(path: Path) -> dict[str, Any]:
    from safetensors import SafetensorError, safe_open

    from model_registry_pytorch.safetensors_file import read_entries

    read_entries(path, path.name)
    try:
        with safe_open(str(path), framework="pt", device="cpu") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # safe_open is no mapping
    except SafetensorError as error:
        raise UnsafeModelError(
            f"{path.name} is not a sound safetensors file: {error!s:.200}",
            hint="get the file again from its source",
            path=str(path),
        ) from error


def _small(record: Path) -> bytes:
    if not record.is_file() or record.stat().st_size > records.MAX_BYTES:
        raise UnsafeModelError(f"{record} is no file of at most {records.MAX_BYTES:,} bytes", path=str(record))
    return record.read_bytes()


def add_folder(folder: Path, stage: Stage) -> None:
    """Take a folder that this plugin exported before, byte for byte. Its structure is checked by ``validate``."""
    names = sorted(item.relative_to(folder).as_posix() for item in folder.rglob("*") if not item.is_dir())
    if RECORD not in names:
        raise UnsupportedModelError(
            f"the folder {folder} has no {RECORD}, so it is no exported PyTorch version",
            hint="register one of its files, or give the model_format of the library that wrote the folder",
            path=str(folder),
        )
    for name in names:
        if (folder / name).is_symlink():
            raise UnsafeModelError(f"{name} in {folder} is a link", hint="copy the file itself there", path=name)
    require_known_functions(_small(folder / RECORD))
    for name in names:
        stage.add(name, folder / name)
