"""A process that serves: it can import the model's class, and has none of the code that trained it.

Usage: with_the_class.py REGISTRY DIGITS. Prints one line of JSON.
"""

from __future__ import annotations

import importlib.util
import json
import sys

import torch
from safetensors.torch import load_file

from classifier import MNISTClassifier  # importing the class is what permits the registry to use it
from model_registry import ModelRegistry

registry_path, digits_path = sys.argv[1:]
digits = load_file(digits_path)

loaded = ModelRegistry(registry_path).load_model("mnist_classifier")
model, _ = loaded
with torch.no_grad():
    predicted = model(digits["images"]).argmax(dim=1)

print(
    json.dumps(
        {
            "predicted": predicted.tolist(),
            "version": loaded.entry.version if loaded.entry else "",
            "is_the_class": type(model) is MNISTClassifier,
            "has_training_code": any(importlib.util.find_spec(name) for name in ("training", "digits")),
        }
    )
)
