"""Child process: load every model of a registry and say which differ from what their trained originals computed."""

from __future__ import annotations

import sys

import pytorch_zoo
import torch

from model_registry import ModelRegistry


def same(left: torch.Tensor, right: torch.Tensor) -> bool:
    return left.dtype == right.dtype and torch.equal(left, right)


path, expected_file = sys.argv[1:]
registry = ModelRegistry(path)
for name, (given, outputs, states) in torch.load(expected_file, weights_only=True).items():
    model, _ = registry.load_model(name)
    now = model.state_dict()
    alike = list(now) == list(states) and all(same(now[key], states[key]) for key in states)
    results = pytorch_zoo.outputs(model, given)
    alike = alike and len(results) == len(outputs) and all(map(same, results, outputs))
    print(f"{name} {'equal' if alike else 'different'}")
