"""Families of real models in an archive: every file comes back, and takes what it should."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from model_registry import ModelRegistry

torch = pytest.importorskip("torch")
pytest.importorskip("model_registry_pytorch")


def trained(steps: int, dtype: Any, seed: int = 0) -> list[Any]:
    """The states of a network that learns the digits, after every few steps."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    inputs = torch.tensor(digits.data / 16, dtype=torch.float32)
    targets = torch.tensor(digits.target)
    torch.manual_seed(seed)
    sizes = ((64, 512), (512, 512), (512, 10))
    model = torch.nn.Sequential(*(layer for size in sizes for layer in (torch.nn.Linear(*size), torch.nn.Tanh())))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)
    states = []
    for _ in range(steps):
        states.append({name: each.detach().to(dtype).clone() for name, each in model.state_dict().items()})
        for _ in range(20):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(inputs), targets).backward()
            optimizer.step()
    return states


def digests(registry: ModelRegistry) -> dict[str, str]:
    return {entry.reference: entry.digest for entry in registry.list_models()}


@pytest.mark.parametrize(("dtype", "most"), [(torch.float32, 0.62), (torch.bfloat16, 0.55)], ids=["fp32", "bf16"])
def test_a_family_takes_a_fraction_and_comes_back(registry: ModelRegistry, dtype: Any, most: float) -> None:
    states = trained(4, dtype)
    for state in states:
        registry.register_model("digits", state)
    before = digests(registry)
    report = registry.archive("digits", keep=1)
    assert len(report.versions) == 3
    assert report.stored < most * report.before
    assert digests(registry) == before
    for n, state in enumerate(states):
        loaded = registry.load_model("digits", f"1.0.{n}").model
        assert all(torch.equal(loaded[name], tensor) for name, tensor in state.items())
    assert registry.validate_registry(deep=True)["findings"] == []


def test_each_kind_of_change_is_told_in_its_own_way(registry: ModelRegistry) -> None:
    torch.manual_seed(0)
    frozen, changed, alone = torch.randn(600, 600), torch.randn(600, 600), torch.randn(600, 600)
    registry.register_model("m", {"frozen": frozen, "changed": changed, "alone": alone}, version="1.0")
    registry.register_model("m", {"frozen": frozen, "changed": changed + 1e-6}, version="2.0")
    registry.archive("m", keep=1)
    methods = registry.get_detailed_stats()["archive"]["methods"]
    assert methods["delta"]["before"] == changed.nbytes
    assert methods["delta"]["stored"] < 0.5 * changed.nbytes
    assert methods["split"]["before"] == alone.nbytes
    assert methods["split"]["stored"] < 0.9 * alone.nbytes


def test_a_cast_of_a_parent_costs_nothing(registry: ModelRegistry) -> None:
    torch.manual_seed(0)
    full = {"weight": torch.randn(1_000, 600)}
    parent = registry.register_model("full", full)
    registry.register_model("half", {"weight": full["weight"].to(torch.bfloat16)}, parent=parent)
    report = registry.archive("half", keep=0)
    assert registry.get_detailed_stats()["archive"]["methods"]["cast"]["stored"] == 0
    assert report.stored < 2_000
    assert torch.equal(registry.load_model("half").model["weight"], full["weight"].to(torch.bfloat16))
    registry.remove_model("full")
    registry.collect_garbage(0)
    registry._context.blobs.cache.clear()
    assert torch.equal(registry.load_model("half").model["weight"], full["weight"].to(torch.bfloat16))


def test_bits_that_are_no_numbers_come_back(registry: ModelRegistry, tmp_path: Path) -> None:
    """NaN with payloads, infinities, negative zeros and subnormals."""
    torch.manual_seed(0)
    bits = torch.randint(-(2**31), 2**31, (300_000,), dtype=torch.int32)
    registry.register_model("bits", {"weight": bits.view(torch.float32)})
    registry.register_model("bits", {"weight": (bits + 1).view(torch.float32)})
    registry.archive("bits", keep=1)
    back = registry.load_model("bits", "1.0.0").model["weight"]
    assert torch.equal(back.view(torch.int32), bits)


def test_a_whole_archive_is_read_by_another_process_and_another_effort(registry: ModelRegistry) -> None:
    states = trained(3, torch.bfloat16)
    for state in states:
        registry.register_model("digits", state)
    registry.archive("digits", keep=1)
    other = ModelRegistry(registry.settings.path, plugins={"compression": {"effort": "fast"}})
    for n, state in enumerate(states):
        loaded = other.load_model("digits", f"1.0.{n}").model
        assert all(torch.equal(loaded[name], tensor) for name, tensor in state.items())


@pytest.mark.parametrize("effort", ["fast", "balanced", "best"])
def test_more_effort_takes_less(tmp_path: Path, effort: str) -> None:
    sizes = {}
    for each in ("fast", effort):
        registry = ModelRegistry(tmp_path / each, plugins={"compression": {"effort": each}})
        for state in trained(2, torch.bfloat16):
            registry.register_model("digits", state)
        sizes[each] = registry.archive("digits", keep=1).stored
    assert sizes[effort] <= sizes["fast"]


def test_a_tensor_that_any_version_of_any_model_has_is_not_stored_again(registry: ModelRegistry) -> None:
    torch.manual_seed(0)
    shared = torch.randn(400, 400)
    registry.register_model("elsewhere", {"another.name": shared, "own": torch.randn(50, 50)})
    registry.register_model("m", {"weight": shared, "bias": torch.randn(300, 300)}, version="1.0")
    report = registry.archive("m", keep=0)
    methods = registry.get_detailed_stats()["archive"]["methods"]
    assert methods["same"] == {"before": shared.nbytes, "stored": 0}
    assert report.stored < 300 * 300 * 4
    registry.remove_model("elsewhere")
    registry.collect_garbage(0)
    registry._context.blobs.cache.clear()
    assert torch.equal(registry.load_model("m").model["weight"], shared)


def test_a_twin_among_archived_tensors_is_found(registry: ModelRegistry) -> None:
    torch.manual_seed(0)
    shared = torch.randn(400, 400)
    registry.register_model("a", {"weight": shared, "own": torch.randn(400, 100)})
    registry.archive("a", keep=0)
    registry.register_model("b", {"else": shared, "own": torch.randn(400, 100)})
    registry.archive("b", keep=0)
    assert registry.get_detailed_stats()["archive"]["methods"]["same"]["before"] == shared.nbytes
    registry.remove_model("a")
    registry.collect_garbage(0)
    registry._context.blobs.cache.clear()
    assert torch.equal(registry.load_model("b").model["else"], shared)
    assert registry.validate_registry(deep=True)["findings"] == []
