"""Which class a model had: only those of transformers, for the model type that the configuration names."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from model_registry import ClassNotFoundError, UnsafeModelError, VersionFiles

_CONFIG = "config.json"


def model_class(config: Mapping[str, Any]) -> Any:
    """The class that ``architectures`` names, with the head that the model had.

    It is one that transformers' own mappings list for the ``model_type``, or at least one of transformers' models
    whose configuration is of that type. Without ``architectures``, it is the bare model.

    :raises ClassNotFoundError: if this installation of transformers has no such class.
    """
    model_type = config.get("model_type")
    names = config.get("architectures") or [None]
    if not isinstance(model_type, str) or not isinstance(names, list) or not isinstance(names[0], (str, type(None))):
        raise UnsafeModelError(f"{_CONFIG} has no model_type, or architectures that are no names", path=_CONFIG)
    listed = _listed(model_type)
    if not listed and not _is_of_type(names[0], model_type):
        raise _unknown(model_type, str(names[0]))
    if names[0] is None:
        bare = next(iter(listed.get("MODEL_MAPPING_NAMES", ())), None)
        if bare is None:
            raise _unknown(model_type, "its bare model")
        return _of_transformers(bare)
    if any(names[0] in classes for classes in listed.values()) or _is_of_type(names[0], model_type):
        return _of_transformers(names[0])
    raise _unknown(model_type, names[0])


def model_config(cls: Any, files: VersionFiles) -> Any:
    """The configuration as the class has it: transformers has ways of its own to write what JSON cannot hold."""
    return cls.config_class.from_pretrained(str(files.directory()), local_files_only=True)


@functools.cache
def _listed(model_type: str) -> Mapping[str, tuple[str, ...]]:
    """The classes of a model type by mapping, one for each kind of head."""
    from transformers.models.auto import modeling_auto

    found: dict[str, tuple[str, ...]] = {}
    for name, mapping in vars(modeling_auto).items():
        if name.endswith("_NAMES") and isinstance(mapping, Mapping) and model_type in mapping:
            classes = mapping[model_type]
            found[name] = (classes,) if isinstance(classes, str) else tuple(classes)
    return found


def _is_of_type(name: str | None, model_type: str) -> bool:
    """Whether it is a model of transformers that no mapping lists, such as one half of a pair."""
    from transformers import PreTrainedModel

    found = _of_transformers(name) if name is not None and name.isidentifier() else None
    if not (isinstance(found, type) and issubclass(found, PreTrainedModel)):
        return False
    config_class = getattr(found, "config_class", None)
    return getattr(config_class, "model_type", None) == model_type


def _of_transformers(name: str) -> Any:
    import transformers

    return getattr(transformers, name, None)


def _unknown(model_type: str, name: str) -> ClassNotFoundError:
    import transformers

    return ClassNotFoundError(
        f"transformers {transformers.__version__} has no class {name!r:.80} for models of type {model_type!r:.80}",
        hint="install the release that the model was made with; code of the model's own is never run",
        class_name=name,
    )
