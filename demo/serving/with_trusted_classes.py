"""A process that has the class under another module's name, so it has to say that it trusts it.

Usage: with_trusted_classes.py REGISTRY DIGITS. Prints one line of JSON.
"""

from __future__ import annotations

import json
import sys

import torch
from safetensors.torch import load_file
from torch import nn

from model_registry import ClassNotFoundError, ModelRegistry


class MNISTClassifier(nn.Module):
    """The same architecture, in a code base that never heard of the module where it was trained."""

    def __init__(self) -> None:
        super().__init__()
        self.flatten = nn.Flatten()
        self.layers = nn.Sequential(nn.Linear(28 * 28, 512), nn.ReLU(), nn.Dropout(0.2), nn.Linear(512, 10))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.layers(self.flatten(x))
        return logits


registry_path, digits_path = sys.argv[1:]
digits = load_file(digits_path)
registry = ModelRegistry(registry_path)

try:
    registry.load_model("mnist_classifier")
    refusal = ""
except ClassNotFoundError as error:
    refusal = str(error)

model, _ = registry.load_model("mnist_classifier", trusted_classes=[MNISTClassifier])
with torch.no_grad():
    predicted = model(digits["images"]).argmax(dim=1)

print(json.dumps({"refusal": refusal, "predicted": predicted.tolist()}))
