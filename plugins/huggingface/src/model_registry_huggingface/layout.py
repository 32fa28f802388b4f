"""The files of a version, as transformers and PEFT name them."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

from model_registry import EXAMPLE_INPUTS

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
CARD = "README.md"

#: What a model needs, and what tells of it. Everything else in a folder or repository is left where it is.
NEEDED = (
    "*.json",
    "*.jinja",
    "*.safetensors",
    "*.txt",
    "*.model",
    "*.spm",
    "*.bpe",
    "*.tiktoken",
    CARD,
    "LICENSE*",
    "NOTICE*",
)
_LAYER = re.compile(r"\d+_\w+")
#: Weights that only unpickling reads, or another framework.
_PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.pickle")
#: What a training run leaves beside a model; it holds no weights.
_LEFT_BY_TRAINING = ("training_args.bin", "optimizer.*", "scheduler.*", "rng_state*", "trainer_state.json", "scaler.pt")


def is_needed(path: str) -> bool:
    """Whether a file belongs to a version: by its name, in whatever folder, unless that is hidden."""
    *folders, name = path.split("/")
    is_left = any(fnmatchcase(name, pattern) for pattern in _LEFT_BY_TRAINING)
    is_hidden = any(part.startswith(".") for part in (*folders, name))
    # Other forms of the same weights lie in folders; those of sentence-transformers' layers do, too.
    is_copy = is_weights(path) and not all(_LAYER.fullmatch(folder) for folder in folders)
    return not (is_left or is_hidden or is_copy) and any(fnmatchcase(name, pattern) for pattern in NEEDED)


def is_pickled(path: str) -> bool:
    """Whether a file holds weights that only unpickling reads."""
    name = path.rpartition("/")[2]
    is_left = any(fnmatchcase(name, pattern) for pattern in _LEFT_BY_TRAINING)
    return not is_left and any(fnmatchcase(name, pattern) for pattern in _PICKLED)


def is_weights(path: str) -> bool:
    """Whether a file holds weights that can be mapped."""
    return path.endswith(".safetensors") and path != EXAMPLE_INPUTS
