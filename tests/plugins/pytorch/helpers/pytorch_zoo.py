"""Models of every kind that must reload bit by bit, and what to feed them. Importable by child processes."""

from __future__ import annotations

import dataclasses
import enum
import functools
from collections import OrderedDict

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrizations


class Classifier(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.flatten = nn.Flatten()
        self.layers = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 10))

    def forward(self, x):
        return self.layers(self.flatten(x))


class Convolutional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1))
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        return self.head(self.body(x).flatten(1))


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(16, 4, batch_first=True)

    def forward(self, x):
        return self.attention(x, x, x)[0]


class Containers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.choices = nn.ModuleDict({"b": nn.Linear(4, 4), "a": nn.Tanh()})
        self.scales = nn.ParameterDict({"two": nn.Parameter(torch.full((4,), 2.0)), "one": torch.ones(4)})
        self.more = nn.ParameterList([nn.Parameter(torch.randn(4))])

    def forward(self, x):
        return self.choices["a"](self.choices["b"](x)) * self.scales["two"] + self.scales["one"] + self.more[0]


class Functions(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.steps = [functional.gelu, torch.tanh, functools.partial(functional.leaky_relu, negative_slope=0.3)]
        self.norm = functional.layer_norm

    def forward(self, x):
        for step in self.steps:
            x = step(x)
        return self.norm(x, x.shape[-1:])


class TiedLanguageModel(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, 8)
        self.head = nn.Linear(8, 20, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, x):
        return self.head(self.embedding(x))


class Buffers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mask", torch.randn(4), persistent=False)
        self.register_buffer("step", torch.tensor(7))
        self.register_buffer("nothing", None)
        self.register_parameter("bias", None)

    def forward(self, x):
        return x * self.mask + self.step


class Required(nn.Module):
    def __init__(self, width: int, *, depth: int) -> None:
        super().__init__()
        self.width = width
        self.blocks = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return x


class Mode(enum.Enum):
    FAST = "fast"
    EXACT = "exact"


@dataclasses.dataclass(frozen=True)
class Settings:
    width: int
    dtype: torch.dtype = torch.float32
    names: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class SlottedSettings:
    width: int


class Values(nn.Module):
    """Holds a value of each kind that a record knows."""

    def __init__(self) -> None:
        super().__init__()
        self.plain = [None, True, -3, 2.5, "ü\udc80", -0.0]
        self.numbers = (float("inf"), -float("inf"), 1 << 80, 3 + 4j, complex("nan"), 2**63)
        self.data = (b"\x00\xff", bytearray(b"ab"), slice(1, None, 2), range(3, 9, 2))
        self.keys = {1: "int", (1, 2): "tuple", "1": "str", None: {"deep": [{}]}}
        self.order = OrderedDict([("z", 1), ("a", 2)])
        self.sets = [{"b", "a", 3}, frozenset({(1,)})]
        self.torch = [torch.bfloat16, torch.device("cpu"), torch.Size([2, 3]), torch.channels_last]
        self.mode = Mode.EXACT
        self.settings = Settings(3, torch.float64, ("x",))
        self.slotted = SlottedSettings(4)
        self.classes = [nn.ReLU, int, Buffers]
        self.tensor = torch.arange(6).reshape(2, 3)
        self.alone = [nn.Linear(2, 2)]

    def forward(self, x):
        return self.alone[0](x) + self.tensor.sum() + self.numbers[3].real


def normalised(normalise, **options) -> nn.Module:
    return nn.Sequential(normalise(nn.Linear(6, 6), **options), nn.ReLU())


def build() -> dict[str, tuple[nn.Module, torch.Tensor]]:
    """Every model with an input, by name."""
    torch.manual_seed(0)
    models = {
        "mlp": (Classifier(), torch.randn(3, 1, 8, 8)),
        "cnn": (Convolutional(), torch.randn(2, 3, 16, 16)),
        "cnn-channels-last": (Convolutional().to(memory_format=torch.channels_last), torch.randn(2, 3, 16, 16)),
        "attention": (Attention(), torch.randn(2, 5, 16)),
        "lstm": (nn.LSTM(4, 6, num_layers=2, bidirectional=True), torch.randn(5, 2, 4)),
        "gru": (nn.GRU(4, 6, batch_first=True), torch.randn(2, 5, 4)),
        "transformer": (
            nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, activation="gelu"), 2),
            torch.randn(2, 5, 16),
        ),
        "containers": (Containers(), torch.randn(2, 4)),
        "functions": (Functions(), torch.randn(2, 6)),
        "weight-norm": (normalised(parametrizations.weight_norm), torch.randn(2, 6)),
        "spectral-norm": (normalised(parametrizations.spectral_norm), torch.randn(2, 6)),
        "orthogonal": (normalised(parametrizations.orthogonal), torch.randn(2, 6)),
        "tied": (TiedLanguageModel(), torch.arange(6).reshape(2, 3)),
        "buffers": (Buffers(), torch.randn(2, 4)),
        "bfloat16": (Classifier().bfloat16(), torch.randn(3, 1, 8, 8).bfloat16()),
        "float16": (Classifier().half(), torch.randn(3, 1, 8, 8).half()),
        "empty": (nn.Sequential(), torch.randn(2)),
        "required-arguments": (Required(5, depth=3), torch.randn(2, 5)),
        "transposed": (transposed(), torch.randn(9, 37)),
        "values": (Values(), torch.randn(2, 2)),
        "large": (nn.Linear(700, 500), torch.randn(2, 700)),
    }
    for model, _ in models.values():
        model.eval()
    return models


def transposed() -> nn.Linear:
    linear = nn.Linear(37, 29)
    linear.weight = nn.Parameter(torch.randn(37, 29).t())
    return linear


def outputs(model: nn.Module, given: torch.Tensor) -> list[torch.Tensor]:
    with torch.no_grad():
        result = model(given)
    flat = []
    waiting = [result]
    while waiting:
        item = waiting.pop()
        if isinstance(item, torch.Tensor):
            flat.append(item)
        elif item is not None:
            waiting.extend(item)
    return flat
