"""A process that registers small models, or keeps their bytes without a registry: says «ready», and begins at the end
of its input."""

from __future__ import annotations

import sys
from pathlib import Path

from floor import Floor
from models import small_modules
from safetensors.torch import save

from model_registry import ModelRegistry


def main() -> None:
    what, folder, count, number = sys.argv[1:]
    models = small_modules(int(count), seed=100 + int(number))
    warm = small_modules(1)[0]
    if what == "floor":
        floor = Floor(Path(folder))
    else:
        registry = ModelRegistry(folder, backup_enabled=False)
        ModelRegistry(f"{folder}-warm{number}", backup_enabled=False).register_model("warm", warm, "pytorch")
    print("ready", flush=True)
    sys.stdin.read()
    for model in models:
        if what == "floor":
            floor.write(save(model.state_dict()))
        else:
            registry.register_model("m", model, "pytorch")


main()
