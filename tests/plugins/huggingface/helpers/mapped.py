"""How much of a loaded model lies in mapped files. Usage: mapped.py REGISTRY NAME"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import torch
import transformers

from model_registry import ModelRegistry

transformers.BertModel(transformers.BertConfig(num_hidden_layers=1))  # imported, and the allocator warm


def private() -> int:
    """Bytes of this process that are of no file."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"RssAnon:\s+(\d+) kB", status)[1]) * 1024


before = private()
model, _ = ModelRegistry(sys.argv[1]).load_model(sys.argv[2])
growth = private() - before
spans = []
for line in Path("/proc/self/maps").read_text().splitlines():
    if "/blobs/sha256/" in line:
        first, last = (int(part, 16) for part in line.split()[0].split("-"))
        spans.append((first, last))
mapped = sum(
    tensor.numel() * tensor.element_size()
    for tensor in model.parameters()
    if any(first <= tensor.data_ptr() < last for first, last in spans)
)
assert isinstance(model, torch.nn.Module)
print(json.dumps({"mapped": mapped, "private_growth": growth}))
