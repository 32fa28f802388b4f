"""Load every model of the zoo from a registry, and say what each is. Usage: load_all.py REGISTRY"""

from __future__ import annotations

import json
import sys

import fingerprint

from model_registry import ModelRegistry

registry = ModelRegistry(sys.argv[1])
print(
    json.dumps(
        {
            entry.name: fingerprint.fingerprint(entry.name, registry.load_model(entry.name).model)
            for entry in registry.list_models()
        }
    )
)
