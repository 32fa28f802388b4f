"""Models of PyTorch through a server: tensors that did not change are sent once."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from line import Line
from running import Running, serving

from model_registry import ClassNotFoundError
from model_registry_server.client import Client

torch = pytest.importorskip("torch")
pytest.importorskip("model_registry_pytorch")
nn = torch.nn


@pytest.fixture(autouse=True)
def _with_torch(_alone: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MODEL_REGISTRY_DISABLED_PLUGINS")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, environ: dict[str, str]) -> Iterator[Running]:
    """A server with all plugins that are installed."""
    folder = tmp_path_factory.mktemp("torch") / "models"
    with serving(folder, environ={**environ, "MODEL_REGISTRY_DISABLED_PLUGINS": ""}) as running:
        yield running


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(512, 1024), nn.ReLU(), nn.Linear(1024, 512)).eval()


def test_a_module_is_loaded_by_another_client(connect, tmp_path: Path) -> None:
    original, inputs = model(), torch.ones(2, 512)
    entry = connect().register_model("net", original, performance_metrics={"accuracy": 0.5})
    other = connect("other")
    loaded, tokenizer = other.load_model("net")
    assert tokenizer is None
    assert torch.equal(loaded(inputs), original(inputs))
    assert other.resolve("net") == entry
    assert [tensor.name for tensor in entry.tensors] == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert entry.tensors == other._cache.resolve("net").tensors
    assert entry.modules == other._cache.resolve("net").modules
    assert entry.metadata.parameters_count == sum(each.numel() for each in original.parameters())


def test_tensors_that_did_not_change_are_neither_sent_nor_fetched_again(connect, server: Running) -> None:
    original = model()
    with Line(server.port) as line:
        client, other = connect(url=line.url), connect("other", url=line.url)
        client.register_model("tuned", original)
        other.load_model("tuned")
        with torch.no_grad():
            original[2].weight += 1
        size = original[2].weight.numel() * 4
        sent, received = line.sent, line.received
        client.register_model("tuned", original, parent="tuned:1.0.0")
        assert size < line.sent - sent < size + 100_000
        loaded, _ = other.load_model("tuned")
        assert size < line.received - received < size + 100_000
        assert torch.equal(loaded[2].weight, original[2].weight)
        difference = client.compare("tuned:1.0.0", "tuned:1.0.1", differences=True)
    assert {each.name: each.status for each in difference.tensors}["2.weight"] == "changed"
    assert max(each.max_abs or 0 for each in difference.tensors) == pytest.approx(1, abs=1e-6)


def test_a_model_in_use_keeps_its_place(connect) -> None:
    client, small = connect(), connect("small", cache_size=1)
    for number in range(3):
        client.register_model(f"place/{number}", nn.Linear(512, 512))
    first = small.load_model("place/0").model
    small.load_model("place/1")
    small.load_model("place/2")
    assert [entry.name for entry in small._cache.list_models()] == ["place/0", "place/2"]
    assert first(torch.ones(512)).shape == (512,)


class Net(nn.Module):
    """A class that only this process has, like those of a script."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(64, 64)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x).tanh()


@pytest.fixture
def own(connect) -> Client:
    """A client, and «own»: a model of a class that the server does not have."""
    torch.manual_seed(0)
    client = connect()
    client.register_model("own", Net().eval(), version="1.0.0", input_shape=[64], exist_ok=True)
    return client


def test_a_class_that_the_server_does_not_have_is_converted_here(own: Client) -> None:
    pytest.importorskip("onnx")
    made = own.convert("own", to="onnx", new_name="own-onnx")
    assert own.resolve("own-onnx") == made
    assert made.metadata.parents[0].digest == own.resolve("own").digest
    assert own.check_parity("own", made.reference).passed


def test_a_class_that_the_server_does_not_have_is_exported_here(own: Client, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    written = own.export_model("own", "latest", tmp_path / "own.onnx")
    assert Path(written).is_file()
    assert written.parity.passed


def test_a_class_that_the_server_does_not_have_is_compressed_here(own: Client) -> None:
    pytest.importorskip("model_registry_compression")
    made = own.compress_model("own", "latest", "fp16", new_name="own-small")
    assert own.resolve("own-small") == made
    report = own.recommend_compression("own", types=["fp16"], min_cosine=0.9, keep=True, new_name="own-smaller")
    assert report.kept == own.resolve("own-smaller")


def test_a_class_that_neither_has_is_told_of_as_in_a_folder(own: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(sys.modules[__name__], "Net")
    with pytest.raises(ClassNotFoundError, match=r"no class .*Net"):
        own.convert("own", to="onnx")
