"""Small files that would become large, slow, or other than they seem: each is refused, and nothing of it is stored."""

from __future__ import annotations

import collections
import io
import json
import os
import pickle
import struct
import zipfile
from pathlib import Path

import pytest
import torch
from torch import nn

from model_registry import ModelRegistry, UnsafeModelError


class Reference:
    """A storage that a pickle refers to."""

    def __init__(self, key: str, elements: int, *more: object) -> None:
        self.pid = ("storage", torch.FloatStorage, key, "cpu", elements, *more)


class Pickler(pickle.Pickler):
    def persistent_id(self, value: object) -> object:
        return value.pid if isinstance(value, Reference) else None


class Call:
    """Pickles to a call."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[object, ...]:
        return self.call


def tensor(storage: Reference, *shape: int) -> Call:
    strides = tuple(int(torch.Size(shape[index + 1 :]).numel()) for index in range(len(shape)))
    arguments = (storage, 0, shape, strides, False, collections.OrderedDict())
    return Call(torch._utils._rebuild_tensor_v2, *arguments)


def pickled(value: object) -> bytes:
    stream = io.BytesIO()
    Pickler(stream, protocol=2).dump(value)
    return stream.getvalue()


def archive(path: Path, value: object, **storages: bytes) -> Path:
    members = {"data.pkl": pickled(value), "byteorder": b"little", "version": b"3\n"}
    members |= {f"data/{key.removeprefix('s')}": content for key, content in storages.items()}
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(f"archive/{name}", content)
    return path


def legacy(path: Path, value: object, keys: list[str], *storages: bytes) -> Path:
    head = [0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True, "type_sizes": {}}]
    parts = [pickle.dumps(item, protocol=2) for item in head] + [pickled(value), pickle.dumps(keys, protocol=2)]
    path.write_bytes(b"".join([*parts, *(struct.pack("<q", len(s) // 4) + s for s in storages)]))
    return path


def two_tables(path: Path) -> Path:
    """Readers that follow the locator see other members than readers that look right before it."""
    with zipfile.ZipFile(archive(path, {"w": tensor(Reference("0", 1), 1)}, s0=bytes(4))) as file:
        start = file.start_dir
    content = path.read_bytes()
    end = content.rindex(b"PK\x05\x06")
    count, size = len(zipfile.ZipFile(path).infolist()), end - start
    table = content[start:end]
    record = b"PK\x06\x06" + struct.pack("<QHHLLQQQQ", 44, 45, 45, 0, 0, count, count, size, start)
    other = start + size
    locator = b"PK\x06\x07" + struct.pack("<LQL", 0, other, 1)
    tail = b"PK\x05\x06" + struct.pack("<HHHHLLH", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    path.write_bytes(content[:end] + record + table + record + locator + tail)
    return path


def laughs(depth: int) -> list[object]:
    value: list[object] = []
    for _ in range(depth):
        value = [value, value]
    return value


FILES = {
    "memory that nobody wrote": (
        lambda path: archive(path, {"w": Call(torch.FloatTensor, 1000)}),
        r"it names torch\.FloatTensor",
    ),
    "a legacy file without its storages": (
        lambda path: legacy(path, {"w": tensor(Reference("0", 1000, None), 1000)}, []),
        "its storages are not those that it lists",
    ),
    "a legacy file with a shorter storage": (
        lambda path: legacy(path, {"w": tensor(Reference("0", 1000, None), 1000)}, ["0"], bytes(4)),
        "its storages have 12 bytes and not those that it claims",
    ),
    "a storage larger than its member": (
        lambda path: archive(path, {"w": tensor(Reference("0", 1000), 1000)}, s0=bytes(4)),
        "a storage of 4,000 bytes has 4 bytes",
    ),
    "a storage that is not there": (
        lambda path: archive(path, {"w": tensor(Reference("1", 1), 1)}, s0=bytes(4)),
        "a storage of 4 bytes is not there",
    ),
    "views that overlap": (
        lambda path: archive(path, {f"w{n}": tensor(Reference("0", 9999 - n), 9999 - n) for n in range(1)} | {
            f"v{n}": Call(torch._utils._rebuild_tensor_v2, Reference("0", 9999), n, (9000,), (1,), False, {})
            for n in range(9)
        }, s0=bytes(4 * 9999)),
        "more than the file has: they overlap",
    ),
    "lists in lists": (
        lambda path: archive(path, {"w": tensor(Reference("0", 1), 1), "x": laughs(50)}, s0=bytes(4)),
        "one of more than 1,000,000 values",
    ),
    "two tables of contents": (two_tables, "it has two tables of contents"),
}  # fmt: skip


@pytest.mark.parametrize("case", FILES)
def test_is_refused_and_nothing_of_it_is_stored(case: str, tmp_path: Path, registry: ModelRegistry) -> None:
    make, problem = FILES[case]
    path = make(tmp_path / "model.pt")
    with pytest.raises(ValueError, match=problem) as refusal:
        registry.register_model("bad", path)
    assert "\n" not in str(refusal.value)
    assert registry.list_models() == []
    assert not list(Path(registry.settings.path).glob("blobs/sha256/*"))


@pytest.mark.parametrize(
    "make",
    [
        lambda path: archive(path, {"w": tensor(Reference("0", 6), 2, 3)}, s0=bytes(24)),
        lambda path: legacy(path, {"w": tensor(Reference("0", 6, None), 2, 3)}, ["0"], bytes(24)),
    ],
    ids=["zip", "legacy"],
)
def test_the_same_files_without_the_trick_are_taken(make, tmp_path: Path, registry: ModelRegistry) -> None:
    registry.register_model("good", make(tmp_path / "model.pt"))
    assert torch.equal(registry.load_model("good").model["w"], torch.zeros(2, 3))


DTYPES = (torch.float32, torch.bfloat16, torch.bool, torch.int8, torch.complex64)
CASES = [(dtype, zipped) for dtype in DTYPES for zipped in (True, False)]


@pytest.mark.parametrize(("dtype", "zipped"), [*CASES, (torch.uint16, True)])  # torch reads no legacy uint16 itself
def test_what_torch_saves_is_taken(dtype: torch.dtype, zipped: bool, tmp_path: Path, registry: ModelRegistry) -> None:
    saved = {"w": torch.ones(3, 2).to(dtype), "p": nn.Parameter(torch.ones(2)), "size": torch.Size([1]), "dtype": dtype}
    saved |= {"many": collections.OrderedDict(a=1), "set": {1}, "n": None, "view": torch.arange(6.0)[2:]}
    torch.save(saved, tmp_path / "model.pt", _use_new_zipfile_serialization=zipped)
    registry.register_model("m", tmp_path / "model.pt")
    loaded = registry.load_model("m").model
    assert torch.equal(loaded["w"], saved["w"])
    assert loaded["w"].dtype == dtype == loaded["dtype"]
    assert torch.equal(loaded["view"], saved["view"])


def test_a_pipe_in_a_folder_does_not_hang(tmp_path: Path, registry: ModelRegistry) -> None:
    registry.register_model("m", nn.Linear(2, 2))
    folder = Path(registry.export_model("m", "latest", tmp_path / "folder"))
    os.mkfifo(folder / "pipe")
    with pytest.raises(UnsafeModelError, match="pipe is no plain file"):
        registry.register_model("bad", folder, "pytorch")
    (folder / "module.json").unlink()
    os.mkfifo(folder / "module.json")
    with pytest.raises(ValueError, match=r"module\.json is no file of at most"):
        registry.register_model("bad", folder, "pytorch")


def test_a_record_cannot_ask_torch_for_a_million_weights(tmp_path: Path, registry: ModelRegistry) -> None:
    registry.register_model("m", nn.LSTM(2, 2))
    folder = Path(registry.export_model("m", "latest", tmp_path / "folder"))
    record = json.loads((folder / "module.json").read_text())
    record["modules"][0]["attributes"] |= {"_all_weights": [[0]], "num_layers": 10**9}
    (folder / "module.json").write_text(json.dumps(record))
    registry.register_model("bad", folder, "pytorch")
    with pytest.raises(UnsafeModelError, match="does not name the weights of a LSTM"):
        registry.load_model("bad")


class Noisy(nn.Linear):
    """A class that notices when it is subclassed, as parametrizing does."""

    noticed = 0

    def __init_subclass__(cls, **keywords: object) -> None:
        Noisy.noticed += 1


def test_a_class_that_nobody_vouches_for_is_not_subclassed(registry: ModelRegistry) -> None:
    model = nn.utils.parametrizations.weight_norm(Noisy(2, 2))
    registry.register_model("m", model)
    before = Noisy.noticed
    with pytest.raises(UnsafeModelError, match=r"makes a subclass of it.*trusted_classes=\[Noisy\]"):
        registry.load_model("m")
    assert Noisy.noticed == before
    x = torch.ones(1, 2)
    assert torch.equal(registry.load_model("m", trusted_classes=[Noisy]).model(x), model(x))


def test_a_safetensors_file_with_odd_metadata_is_told_in_one_line(tmp_path: Path, registry: ModelRegistry) -> None:
    header = json.dumps({"__metadata__": {"a": 1}, "w": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}}).encode()
    path = tmp_path / "model.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"x")
    with pytest.raises(UnsafeModelError, match=r"^model\.safetensors is not a sound safetensors file: ") as refusal:
        registry.register_model("m", path)
    assert "\n" not in str(refusal.value)
