"""A process that embeds texts with a model of the registry.

Usage: embed.py REGISTRY NAME TEXTS. Prints one line of JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch

from model_registry import ModelRegistry

registry_path, name, texts_path = sys.argv[1:]
texts = json.loads(Path(texts_path).read_text(encoding="utf-8"))

model, tokenizer = ModelRegistry(registry_path).load_model(name)
given = tokenizer(texts, padding=True, return_tensors="pt")
with torch.no_grad():
    hidden = model(**given).last_hidden_state.numpy()
weights = given["attention_mask"].numpy()[..., None].astype(np.float32)
means = (hidden * weights).sum(1) / weights.sum(1)
embeddings = (means / np.linalg.norm(means, axis=1, keepdims=True)).astype(np.float32)

print(json.dumps({"class": type(model).__name__, "embeddings": embeddings.tolist()}))
