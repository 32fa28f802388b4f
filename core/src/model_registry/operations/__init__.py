"""What a user can do, one file each. The facade (:mod:`model_registry.registry`) only names them.

Each is imported when it is first used: listing needs none of what registering needs.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from model_registry.operations import aliases as aliases
    from model_registry.operations import archive as archive
    from model_registry.operations import backup as backup
    from model_registry.operations import batch as batch
    from model_registry.operations import collect as collect
    from model_registry.operations import compare as compare
    from model_registry.operations import compress as compress
    from model_registry.operations import convert as convert
    from model_registry.operations import copying as copying
    from model_registry.operations import export as export
    from model_registry.operations import history as history
    from model_registry.operations import hub as hub
    from model_registry.operations import lineage as lineage
    from model_registry.operations import load as load
    from model_registry.operations import parity as parity
    from model_registry.operations import price as price
    from model_registry.operations import rebuild as rebuild
    from model_registry.operations import receive as receive
    from model_registry.operations import recommend as recommend
    from model_registry.operations import register as register
    from model_registry.operations import remove as remove
    from model_registry.operations import repair as repair
    from model_registry.operations import search as search
    from model_registry.operations import selection as selection
    from model_registry.operations import stats as stats
    from model_registry.operations import tags as tags
    from model_registry.operations import validate as validate


def __getattr__(name: str) -> ModuleType:
    if name.startswith("_"):
        raise AttributeError(name)
    return import_module(f"{__name__}.{name}")
