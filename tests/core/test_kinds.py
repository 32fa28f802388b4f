"""What files and folders are, by their content."""

from __future__ import annotations

import io
import json
import pickle
import tarfile
import time
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_registry import ModelRegistry, UnsafeModelError, UnsupportedModelError
from model_registry.kinds import Content, Kind, content_of
from model_registry.kinds.bounded import BUDGET


def zipped(members: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def tarred(names: list[str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in names:
            archive.addfile(tarfile.TarInfo(name))
    return buffer.getvalue()


def safetensors(length: int = 8, written: int = 8) -> bytes:
    header = json.dumps({"w": {"dtype": "F32", "shape": [length // 4], "data_offsets": [0, length]}}).encode()
    return len(header).to_bytes(8, "little") + header + bytes(written)


def field(number: int, content: bytes | int) -> bytes:
    """A field of a protocol buffer; every number and length here fits into one byte of seven bits."""
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


#: ir_version, producer_name, a graph of one node and a name, opset_import.
ONNX = field(1, 8) + field(2, b"me") + field(7, field(1, b"\x22\x03Add") + field(2, b"g")) + field(8, field(2, 17))
MODULE = b"\x80\x02c__main__\nNet\nq\x00)\x81."

FILES = {
    "empty": (b"", Kind.EMPTY),
    "text": (b"notes, and nothing else\n", Kind.TEXT),
    "unicode": ("Größe 模型\n".encode(), Kind.TEXT),
    "web page": (b"\n<!DOCTYPE html><title>Sign in</title>", Kind.HTML),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", Kind.LFS_POINTER),
    "state dict": (zipped({"archive/data.pkl": pickle.dumps(OrderedDict(), 2)}), Kind.TORCH_STATE_DICT),
    "module": (zipped({"archive/data.pkl": MODULE}), Kind.TORCH_OBJECTS),
    "module, protocol 4": (zipped({"a/data.pkl": pickle.dumps(Path("x"), 4)}), Kind.TORCH_OBJECTS),
    "torchscript": (zipped({"m/data.pkl": b"", "m/code/__torch__.py": b"", "m/constants.pkl": b""}), Kind.TORCHSCRIPT),
    "pt2": (zipped({"m/archive_format": b"pt2", "m/models/model.json": b"{}"}), Kind.EXPORTED_PROGRAM),
    "keras": (zipped({"metadata.json": b"{}", "config.json": b"{}", "model.weights.h5": b""}), Kind.KERAS),
    "npz": (zipped({"a.npy": b"", "b.npy": b""}), Kind.NPZ),
    "zip": (zipped({"notes.txt": b""}), Kind.ZIP),
    "legacy": (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.", Kind.TORCH_LEGACY),
    "torch tar": (tarred(["sys_info", "pickle", "storages", "tensors"]), Kind.TORCH_TAR),
    "tar": (tarred(["notes"]), Kind.TAR),
    "pickle": (pickle.dumps({"a": 1}), Kind.PICKLE),
    "safetensors": (safetensors(), Kind.SAFETENSORS),
    "onnx": (ONNX, Kind.ONNX),
    "onnx without weights or producer": (field(1, 10) + field(7, field(1, b"")) + field(8, b""), Kind.ONNX),
    "saved model": (field(1, 1) + field(2, b"\x0a\x00"), Kind.TF_SAVED_MODEL),
    "core ml": (field(1, 4) + field(2, b"\x0a\x00") + field(500, b""), Kind.CORE_ML),
    "another protobuf": (field(3, 4) + field(9, b"\xff\xfe"), Kind.PROTOBUF),
    "gguf": (b"GGUF\x03\x00\x00\x00" + bytes(16), Kind.GGUF),
    "ggml": (b"lmgg" + bytes(16), Kind.GGML),
    "tflite": (b"\x1c\x00\x00\x00TFL3" + bytes(16), Kind.TFLITE),
    "ort": (b"\x1c\x00\x00\x00ORTM" + bytes(16), Kind.ORT),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(8), Kind.HDF5),
    "npy": (b"\x93NUMPY\x01\x00", Kind.NPY),
    "lightgbm": (b"tree\nversion=v4\n", Kind.LIGHTGBM),
    "xgboost": (b'{"learner":{}}', Kind.XGBOOST),
    "catboost": (b"CBM1\x00\x00\x00\x00", Kind.CATBOOST),
    "openvino": (b'<?xml version="1.0"?>\n<net name="m" version="11"></net>', Kind.OPENVINO),
    "gzip": (b"\x1f\x8b\x08\x00", Kind.COMPRESSED),
    "three bytes": (b"\xff\xfe\xfd", Kind.UNKNOWN),
    "a long text, cut in a character": ("é".encode() * 3000, Kind.TEXT),
    "nothing known": (b"\xff\xfe\xfd\xfc", Kind.UNKNOWN),
}
FOLDERS = {
    "empty": ({}, Kind.EMPTY),
    "transformers": ({"config.json": '{"model_type": "bert"}', "model.safetensors": ""}, Kind.TRANSFORMERS),
    "peft": ({"adapter_config.json": '{"peft_type": "LORA"}', "README.md": ""}, Kind.PEFT),
    "tokenizer": ({"tokenizer.json": "{}", "tokenizer_config.json": "{}"}, Kind.TOKENIZER),
    "diffusers": ({"model_index.json": "{}"}, Kind.DIFFUSERS),
    "onnx": ({"model.onnx": "", "model.onnx.data": ""}, Kind.ONNX_FOLDER),
    "saved model": ({"saved_model.pb": "", "variables/x": ""}, Kind.TF_SAVED_MODEL),
    "mlflow": ({"MLmodel": ""}, Kind.MLFLOW),
    "openvino": ({"model.xml": "", "model.bin": ""}, Kind.OPENVINO),
    "core ml": ({"Manifest.json": "{}", "Data/x": ""}, Kind.CORE_ML),
    "exported pytorch": ({"module.json": '{"kind":"module"}'}, Kind.PYTORCH_FOLDER),
    "somebody's config": ({"config.json": '{"lr": 0.1}'}, Kind.FOLDER),
    "notes": ({"notes.txt": "x"}, Kind.FOLDER),
}
CUT = {
    "zip": (zipped({"archive/data.pkl": b".", "archive/data/0": bytes(100)})[:-50], Kind.TORCH_STATE_DICT),
    "safetensors header": (safetensors()[:20], Kind.SAFETENSORS),
    "safetensors data": (safetensors(400, 399), Kind.SAFETENSORS),
    "onnx": (ONNX[:-8], Kind.ONNX),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_what_it_holds(tmp_path: Path, name: str) -> None:
    content, kind = FILES[name]
    (tmp_path / "model.bin").write_bytes(content)
    assert content_of(tmp_path / "model.bin") == content_of(content) == Content(kind)


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_is_what_it_holds(tmp_path: Path, name: str) -> None:
    files, kind = FOLDERS[name]
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    assert content_of(tmp_path) == Content(kind)


@pytest.mark.parametrize("name", CUT)
def test_a_file_that_was_cut_short_is_known_and_told(name: str) -> None:
    content, kind = CUT[name]
    found = content_of(content)
    assert found.kind is kind
    assert "cut short" in found.problem


def test_a_broken_config_is_told(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{")
    found = content_of(tmp_path)
    assert (found.kind, found.problem) == (Kind.TRANSFORMERS, "its config.json is no JSON object of at most 1 MiB")


@pytest.mark.parametrize("count", [10, 100_000])
def test_little_is_read_however_large_the_file_is(tmp_path: Path, count: int) -> None:
    """A table of contents of megabytes is not read, and the archive is known by its first member."""
    path = tmp_path / "large.pt"
    path.write_bytes(zipped({"archive/data.pkl": b"}.", **{f"archive/data/{number}": b"" for number in range(count)}}))
    with path.open("ab") as file:
        file.truncate(path.stat().st_size)
    before = time.thread_time()
    assert content_of(path).kind is Kind.TORCH_STATE_DICT
    assert time.thread_time() - before < 1
    assert path.stat().st_size > BUDGET or count == 10


@given(st.binary(max_size=300))
def test_any_bytes_are_some_kind(content: bytes) -> None:
    assert isinstance(content_of(content), Content)


@given(st.sampled_from([*FILES.values(), *CUT.values()]), st.integers(0, 2000), st.integers(0, 255))
def test_any_damage_leaves_some_kind(file: tuple[bytes, Kind], place: int, byte: int) -> None:
    damaged = bytearray(file[0] or b"\0")
    damaged[place % len(damaged)] = byte
    assert isinstance(content_of(bytes(damaged)), Content)
    assert isinstance(content_of(bytes(damaged[: place % len(damaged)])), Content)


TOLD = {
    "model.bin": (b"", r"the file '.*model.bin' is empty — give one with a model in it"),
    "notes.txt": (b"notes", r"'.*notes.txt' is a text file — give a model"),
    "page.onnx": (b"<html>", r"'.*page.onnx' is a web page — a download gave a page"),
    "pointer.pt": (b"version https://git-lfs.github.com/spec/v1", r"is a pointer of Git LFS.* git lfs pull"),
    "m.gguf": (
        b"GGUF" + bytes(8),
        r"is GGUF; no installed plugin handles it — install a plugin that does, .*gguf",
    ),
    "m.onnx": (ONNX, r"is an ONNX model; no installed plugin handles it — install model-registry-onnx"),
    "m.safetensors": (safetensors(), r"is a safetensors file; no installed plugin .* install model-registry-pytorch"),
}


@pytest.mark.parametrize("name", TOLD)
def test_what_nobody_handles_is_named(tmp_path: Path, name: str) -> None:
    content, message = TOLD[name]
    (tmp_path / name).write_bytes(content)
    from importlib_metadata import entry_points

    installed = sorted(point.name for point in entry_points(group="model_registry.plugins"))
    registry = ModelRegistry(tmp_path / "models", disabled_plugins=installed)
    with pytest.raises(UnsupportedModelError, match=message):
        registry.register_model("m", tmp_path / name)
    assert registry.list_models() == []


def test_what_was_cut_short_is_refused_even_where_nobody_handles_it(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(ONNX[:-8])
    message = r"is an ONNX model, but it is cut short: it should have at least \d+ bytes, and has \d+ — get it again"
    with pytest.raises(UnsafeModelError, match=message):
        ModelRegistry(tmp_path / "models").register_model("m", tmp_path / "m.onnx")
