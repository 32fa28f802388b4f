"""Saying whether a model is ours, by its content, and without importing transformers for those who have not."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from model_registry import Detection, Kind, content_of
from model_registry_huggingface.formats import HUGGINGFACE
from model_registry_huggingface.snapshot import Snapshot

RANK = 20  # more than a plugin for any nn.Module


def detect_model(model: Any) -> Detection | None:
    """A claim on a folder of ``save_pretrained``, on a model of transformers or of PEFT; or None."""
    if isinstance(model, Path):
        is_ours = content_of(model).kind in (Kind.TRANSFORMERS, Kind.PEFT)
    else:
        is_ours = isinstance(model, Snapshot) or is_transformers_model(model) or is_peft_model(model)
    return Detection(HUGGINGFACE, RANK) if is_ours else None


def is_transformers_model(model: Any) -> bool:
    """Whether it is a ``transformers.PreTrainedModel``; transformers is not imported to find out."""
    module = sys.modules.get("transformers.modeling_utils")
    return module is not None and isinstance(model, module.PreTrainedModel)


def is_peft_model(model: Any) -> bool:
    """Whether it is a ``peft.PeftModel``; peft is not imported to find out."""
    module = sys.modules.get("peft.peft_model")
    return module is not None and isinstance(model, module.PeftModel)
