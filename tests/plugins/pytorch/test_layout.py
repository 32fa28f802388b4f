"""A version's files: equal models give equal bytes, versions share what is equal, and other tools can read it."""

from __future__ import annotations

import json
import struct
import tempfile
from itertools import accumulate
from pathlib import Path

import pytest
import pytorch_zoo
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn

from model_registry_pytorch.layout import MAX_FILES, OWN_FILE_BYTES, arrange
from model_registry_pytorch.safetensors_file import ALIGNMENT, DTYPES, Entry, encode_header, order, read_entries

MIB = 1 << 20
entries = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8).filter(
        lambda name: name != "__metadata__"
    ),
    st.builds(
        lambda dtype, shape: Entry(dtype, tuple(shape), DTYPES[dtype][1] * int(torch.tensor(shape).prod())),
        st.sampled_from(sorted(DTYPES)),
        st.lists(st.integers(0, 40), max_size=3),
    ),
    max_size=12,
)


@settings(max_examples=40, deadline=None)
@given(entries)
def test_every_header_reads_back_and_leaves_the_data_aligned(entries):
    names = order(entries)
    header = encode_header(entries, names)
    assert len(header) % ALIGNMENT == 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(header + bytes(sum(entry.nbytes for entry in entries.values())))
        read = read_entries(path, "file")
        assert {name: entry.shape for name, entry in read.items()} == {n: entry.shape for n, entry in entries.items()}
        assert [read[name].start for name in names] == [
            *accumulate((entries[n].nbytes for n in names), initial=len(header))
        ][:-1]
        with safe_open(path, "pt") as file:
            assert set(file.keys()) == set(entries)
            for name, entry in entries.items():
                assert tuple(file.get_tensor(name).shape) == entry.shape


@given(entries)
def test_every_tensor_lies_on_a_multiple_of_its_item_size(entries):
    start = 0
    for name in order(entries):
        assert start % DTYPES[entries[name].dtype][1] == 0
        start += entries[name].nbytes


@given(st.dictionaries(st.text(min_size=1), st.integers(0, 4 * MIB), max_size=30))
def test_each_large_tensor_has_a_file_and_the_small_ones_share_one(sizes):
    entries = {name: Entry("U8", (size,), size) for name, size in sizes.items()}
    files = arrange(entries)
    assert sorted(name for names in files.values() for name in names) == sorted(sizes)
    for names in files.values():
        assert len(names) == 1 or all(sizes[name] < OWN_FILE_BYTES for name in names)
    small = [names for names in files.values() if any(sizes[name] < OWN_FILE_BYTES for name in names)]
    assert len(small) <= 1


def test_the_threshold_rises_until_there_are_a_thousand_files():
    sizes = {f"t{index:04d}": MIB + (MIB if index < 700 else 0) for index in range(1500)}
    files = arrange({name: Entry("U8", (size,), size) for name, size in sizes.items()})
    assert len(files) == 701 <= MAX_FILES
    assert len(files["model-00001-of-00701.safetensors"]) == 800


@pytest.mark.parametrize("name", ["mlp", "values", "weight-norm", "large"])
def test_the_same_model_gives_the_same_bytes(name, registry):
    first = registry.register_model("m", pytorch_zoo.build()[name][0], "pytorch", version="1.0.0")
    again = registry.register_model("m", pytorch_zoo.build()[name][0], "pytorch", version="1.0.0", exist_ok=True)
    assert again.digest == first.digest


def test_versions_share_the_tensors_that_did_not_change(registry):
    model = nn.Sequential(nn.Linear(700, 500), nn.Linear(500, 700))
    first = registry.register_model("m", model, "pytorch")
    with torch.no_grad():
        model[1].weight.add_(1)
    second = registry.register_model("m", model, "pytorch")
    shared = {file.sha256 for file in first.files} & {file.sha256 for file in second.files}
    changed = {file.path for file in second.files if file.sha256 not in shared}
    assert changed == {"model-00003-of-00003.safetensors"}


def test_other_tools_can_read_the_exported_folder(registry, tmp_path):
    model = nn.Sequential(nn.Linear(700, 500), nn.BatchNorm1d(500))
    registry.register_model("m", model, "pytorch")
    folder = Path(registry.export_model("m", "latest", tmp_path / "exported"))
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    state = {}
    for file in set(index["weight_map"].values()):
        state |= load_file(folder / file)
    assert index["weight_map"].keys() == state.keys()
    assert index["metadata"]["total_size"] == sum(tensor.nbytes for tensor in state.values())
    assert nn.Sequential(nn.Linear(700, 500), nn.BatchNorm1d(500)).load_state_dict(state).missing_keys == []


def test_a_small_model_is_one_weight_file_with_its_data_on_a_cache_line(registry, tmp_path):
    registry.register_model("m", nn.Linear(3, 2), "pytorch")
    folder = Path(registry.export_model("m", "latest", tmp_path / "exported"))
    assert sorted(path.name for path in folder.iterdir()) == ["model.safetensors", "module.json"]
    (length,) = struct.unpack("<Q", (folder / "model.safetensors").read_bytes()[:8])
    assert (8 + length) % 64 == 0


def test_every_loaded_tensor_lies_on_a_cache_line(registry):
    registry.register_model("m", pytorch_zoo.build()["cnn"][0], "pytorch")
    loaded = registry.load_model("m").model
    assert all(tensor.data_ptr() % ALIGNMENT == 0 for tensor in loaded.state_dict().values())


def test_registering_takes_no_copy_of_a_tensor():
    from model_registry_pytorch.tensors import memory_of

    tensor = torch.arange(8, dtype=torch.bfloat16)
    view = memory_of(tensor)
    tensor[0] = 5
    assert bytes(view[:2]) == struct.pack("<f", 5.0)[2:]
    assert view.readonly
    assert bytes(memory_of(tensor[::2])) == bytes(view[0:2]) + bytes(view[4:6]) + bytes(view[8:10]) + bytes(view[12:14])


def test_the_record_is_what_it_was_when_it_was_first_written(registry, tmp_path):
    """The layout is long-lived: if this must change, raise the schema version and keep reading this one."""
    model = nn.Sequential(nn.Linear(1, 2), nn.BatchNorm1d(2, affine=False))
    model[0].bias.requires_grad_(False)
    registry.register_model("m", model.eval(), "pytorch")
    folder = Path(registry.export_model("m", "latest", tmp_path / "exported"))
    assert (folder / "module.json").read_text() == (
        Path(__file__).parent / "golden" / "module-1.json"
    ).read_text().strip()
