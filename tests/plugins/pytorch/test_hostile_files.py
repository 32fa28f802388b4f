"""Files that ask for more than data are refused before anything runs, and leave nothing behind."""

from __future__ import annotations

import io
import json
import os
import pickle
import re
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest
import torch
from torch import nn

CANARY = "canary"


class Calls:
    """Pickles to a call: of a shell, of exec, or of open for writing."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def payloads():
    return [
        Calls(os.system, f"touch {CANARY}"),
        Calls(exec, f"open({CANARY!r}, 'w').close()"),
        Calls(open, CANARY, "w"),
        Calls(subprocess.Popen, ["touch", CANARY]),
    ]


def torch_zip(path: Path, payload) -> Path:
    torch.save({"weight": torch.zeros(2), "payload": payload}, path)
    return path


def torch_legacy(path: Path, payload) -> Path:
    torch.save({"payload": payload}, path, _use_new_zipfile_serialization=False)
    return path


def raw_pickle(path: Path, payload) -> Path:
    path.write_bytes(pickle.dumps(payload, protocol=2))
    return path


def legacy_tar(path: Path, payload) -> Path:
    with tarfile.open(path, "w") as archive:
        for name in ("sys", "pickle", "storages", "tensors"):
            member = tarfile.TarInfo(name)
            content = pickle.dumps(payload, protocol=2)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def rewritten(path: Path, change) -> Path:
    """A sound torch archive, written again member by member by ``change(archive, name, content)``."""
    source = path.with_suffix(".sound")
    torch.save({"weight": torch.arange(64.0)}, source)
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            change(new, name, old.read(name))
    source.unlink()
    return path


def plain(archive, name, content):
    archive.writestr(name, content)


def deflated(archive, name, content):
    archive.writestr(name, content, compress_type=zipfile.ZIP_DEFLATED)


def escaping(archive, name, content):
    plain(archive, name, content)
    if name.endswith("data.pkl"):
        plain(archive, name.replace("data.pkl", "../../evil.pkl"), content)


def nested(archive, name, content):
    """A sound archive in which the pickle is hidden in an archive inside."""
    if not name.endswith("data.pkl"):
        return plain(archive, name, content)
    inner = io.BytesIO()
    torch.save({"payload": payloads()[2]}, inner)
    with zipfile.ZipFile(inner) as hidden:
        content = hidden.read("archive/data.pkl")
    plain(archive, name.replace("data.pkl", "inner.zip"), inner.getvalue())
    return plain(archive, name, content)


def duplicated(path: Path) -> Path:
    with pytest.warns(UserWarning, match="Duplicate name"):
        return rewritten(
            path, lambda archive, name, content: (plain(archive, name, content), plain(archive, name, content))
        )


def bad_crc(path: Path) -> Path:
    rewritten(path, plain)
    content = path.read_bytes()
    position = content.index(b"weight")
    path.write_bytes(content[:position] + b"WEIGHT" + content[position + 6 :])
    return path


def truncated(path: Path) -> Path:
    rewritten(path, plain)
    path.write_bytes(path.read_bytes()[:-200])
    return path


def small_storage(path: Path) -> Path:
    torch.save({"weight": torch.zeros(1).expand(1 << 40)}, path)
    return path


def whole_module(path: Path) -> Path:
    torch.save(nn.Sequential(nn.Linear(2, 2)), path)
    return path


def safetensors(path: Path, header, data: bytes = b"", length: int | None = None) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes((len(text) if length is None else length).to_bytes(8, "little") + text + data)
    return path


def floats(start: int, stop: int, shape=None) -> dict:
    return {"dtype": "F32", "shape": [(stop - start) // 4] if shape is None else shape, "data_offsets": [start, stop]}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    files = {}
    for number, payload in enumerate(payloads()):
        files[f"zip-{number}"] = torch_zip(folder / f"zip-{number}.pt", payload)
        files[f"legacy-{number}"] = torch_legacy(folder / f"legacy-{number}.pth", payload)
        files[f"raw-{number}"] = raw_pickle(folder / f"raw-{number}.pt", payload)
        files[f"tar-{number}"] = legacy_tar(folder / f"tar-{number}.pt", payload)
    payload = payloads()[2]
    files |= {
        "renamed-safetensors": torch_zip(folder / "renamed.safetensors", payload),
        "renamed-text": raw_pickle(folder / "renamed.txt", payload),
        "deflated": rewritten(folder / "deflated.pt", deflated),
        "duplicated": duplicated(folder / "duplicated.pt"),
        "escaping": rewritten(folder / "escaping.pt", escaping),
        "nested": rewritten(folder / "nested.pt", nested),
        "bad-crc": bad_crc(folder / "bad-crc.pt"),
        "truncated": truncated(folder / "truncated.pt"),
        "small-storage": small_storage(folder / "small-storage.pt"),
        "whole-module": whole_module(folder / "whole-module.pt"),
        "overlap": safetensors(folder / "overlap.safetensors", {"a": floats(0, 8), "b": floats(4, 12)}, bytes(12)),
        "hole": safetensors(folder / "hole.safetensors", {"a": floats(0, 4), "b": floats(8, 12)}, bytes(12)),
        "beyond": safetensors(folder / "beyond.safetensors", {"a": floats(0, 400)}, bytes(12)),
        "rest": safetensors(folder / "rest.safetensors", {"a": floats(0, 4)}, bytes(12)),
        "wrong-shape": safetensors(folder / "wrong.safetensors", {"a": floats(0, 4, [1 << 40])}, bytes(4)),
        "negative": safetensors(folder / "negative.safetensors", {"a": floats(0, 4, [-1, -1])}, bytes(4)),
        "deep": safetensors(folder / "dimensions.safetensors", {"a": floats(0, 4, [1] * 65)}, bytes(4)),
        "huge-header": safetensors(folder / "huge.safetensors", b"{}", length=1 << 62),
        "deep-header": safetensors(folder / "deep.safetensors", b'{"a":' + b"[" * 100_000),
        "twice": safetensors(folder / "twice.safetensors", b'{"a":{},"a":{}}'),
        "empty": raw(folder / "empty.pt", b""),
        "text": raw(folder / "text.pt", b"hello"),
    }
    return folder, files


def raw(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.fixture(scope="module")
def outcomes(hostile, run_child):
    folder, files = hostile
    *lines, control = run_child("audited.py", folder, *files.values()).splitlines()
    assert "os.system" in json.loads(control)
    assert not (folder / CANARY).exists()
    return dict(zip(files, map(json.loads, lines), strict=True))


REFUSALS = {
    **{f"{kind}-{n}": "UnsafeModelError" for kind in ("zip", "legacy", "raw", "tar") for n in range(4)},
    "renamed-safetensors": "UnsafeModelError: renamed.safetensors holds more than weights: it names .*open",
    "renamed-text": "UnsafeModelError: renamed.txt is a pickle",
    "deflated": "UnsafeModelError: .* is compressed",
    "duplicated": "UnsafeModelError: .* occurs twice",
    "escaping": "UnsafeModelError: .* unsafe name",
    "nested": "UnsafeModelError: nested.pt holds more than weights",
    "bad-crc": "UnsafeModelError: .*CRC",
    "truncated": "UnsafeModelError: truncated.pt",
    "small-storage": "UnsafeModelError: .*'weight' has a storage smaller than its",
    "whole-module": r"UnsafeModelError: .*torch\.nn\.modules\.container\.Sequential.*state_dict\(\)",
    "overlap": "UnsafeModelError: .*overlaps",
    "hole": "UnsafeModelError: .*hole",
    "beyond": "UnsafeModelError: .*cover 400 of 12 bytes",
    "rest": "UnsafeModelError: .*cover 4 of 12 bytes",
    "wrong-shape": "UnsafeModelError: .*not as many bytes",
    "negative": "UnsafeModelError: .*malformed shape",
    "deep": "UnsafeModelError: .*malformed shape",
    "huge-header": "Un(safe|supported)ModelError: huge.safetensors",
    "deep-header": "UnsafeModelError: .*not JSON",
    "twice": "UnsafeModelError: .*unique names",
    "empty": "UnsupportedModelError: empty.pt is empty",
    "text": "UnsupportedModelError: text.pt is a text file",
}


@pytest.mark.parametrize("case", REFUSALS)
def test_is_refused_before_anything_runs(case, outcomes):
    outcome = outcomes[case]
    assert outcome["executed"] == []
    assert outcome["error"] is not None, "it was accepted"
    assert re.match(REFUSALS[case], outcome["error"]), outcome["error"]
    assert "\n" not in outcome["error"]


def test_nothing_is_left_behind(outcomes):
    assert not any(outcome["left"] for outcome in outcomes.values())


def test_every_case_has_its_refusal(hostile):
    assert set(hostile[1]) == set(REFUSALS)
