"""Which tensor goes into which file, so that versions share every large tensor that did not change."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from model_registry_pytorch.safetensors_file import Entry, order

RECORD = "module.json"
PROGRAM = "program.pt2"
SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"

OWN_FILE_BYTES = 1 << 20
MAX_FILES = 1000


def arrange(entries: Mapping[str, Entry]) -> dict[str, Sequence[str]]:
    """The files of a version's weights, each with its tensors in order.

    Tensors of at least 1 MiB get a file each, the others share the first one. The threshold doubles until there are at
    most 1,000 files. No tensors, no files.
    """
    threshold = OWN_FILE_BYTES
    while sum(entry.nbytes >= threshold for entry in entries.values()) > MAX_FILES - 1:
        threshold *= 2
    shared = {name: entry for name, entry in entries.items() if entry.nbytes < threshold}
    groups = [[name] for name in sorted(entries) if name not in shared]
    if shared:
        groups.insert(0, order(shared))
    if len(groups) == 1:
        return {SINGLE: groups[0]}
    return {f"model-{number:05d}-of-{len(groups):05d}.safetensors": names for number, names in enumerate(groups, 1)}


def encode_index(files: Mapping[str, Sequence[str]], entries: Mapping[str, Entry]) -> bytes:
    """``model.safetensors.index.json``, as other tools write it: the total bytes, and the file of each tensor."""
    weight_map = {name: file for file, names in files.items() for name in names}
    index = {"metadata": {"total_size": sum(entry.nbytes for entry in entries.values())}, "weight_map": weight_map}
    return json.dumps(index, sort_keys=True, separators=(",", ":")).encode()
