"""Storing a model: an object by its own ``save_pretrained``, a folder byte for byte."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from model_registry import Kind, SaveRequest, Stage, UnsafeModelError, UnsupportedModelError, content_of
from model_registry_huggingface.alone import alone_and_quiet
from model_registry_huggingface.detect import is_peft_model, is_transformers_model
from model_registry_huggingface.layout import ADAPTER_CONFIG, CONFIG, is_needed, is_pickled, is_weights
from model_registry_huggingface.messages import first_line
from model_registry_huggingface.snapshot import Snapshot

logger = logging.getLogger("model_registry")

_PARTS = ("tokenizer", "processor", "image_processor", "feature_extractor", "generation_config")
_CONVERT = (
    "where you trust it, load it and save it again: "
    "AutoModel….from_pretrained(folder, use_safetensors=False).save_pretrained(new_folder)"
)


def save_huggingface(request: SaveRequest, stage: Stage) -> None:
    """Write the model into ``stage``, and what was given beside it.

    :raises UnsupportedModelError: for what is no model of transformers or PEFT.
    :raises UnsafeModelError: for a folder whose weights are pickled.
    """
    model, given = request.model, request.options
    parts = {name: given[name] for name in _PARTS if given.get(name) is not None}
    if isinstance(model, (Path, Snapshot)):
        _require_base(request, is_adapter=_has(model, ADAPTER_CONFIG))
        _add_folder(model, stage, set(given))
    elif is_peft_model(model) or is_transformers_model(model):
        _require_base(request, is_adapter=_is_adapter(model))
        _save_object(model, stage.directory(), given.get("max_shard_size"))
    else:
        what = f"a {type(model).__module__}.{type(model).__qualname__}"
        raise UnsupportedModelError(
            f"{what} is no model of transformers or PEFT", hint="give one, or a folder that save_pretrained made"
        )
    for name, part in parts.items():
        _save_part(name, part, stage.directory())


def _save_object(model: Any, folder: Path, max_shard_size: int | str | None) -> None:
    options = {} if max_shard_size is None else {"max_shard_size": max_shard_size}
    if is_peft_model(model):
        if max_shard_size is not None:
            raise UnsupportedModelError("an adapter is one file", hint="leave max_shard_size out")
        options = {"safe_serialization": True}
    elif not _is_known_class(model):
        name = f"{type(model).__module__}.{type(model).__qualname__}"
        raise UnsupportedModelError(
            f"{name} is no class of transformers, so it could not be loaded again",
            hint='register it with model_format="pytorch", which stores any nn.Module',
        )
    try:
        with alone_and_quiet():
            model.save_pretrained(str(folder), **options)
    except (ValueError, RuntimeError, NotImplementedError) as error:
        raise UnsupportedModelError(
            f"{type(model).__qualname__} cannot be saved: {first_line(error)}", hint="see what its library says of it"
        ) from error
    card = folder / "README.md"
    if is_peft_model(model) and card.exists():
        card.unlink()  # a form to fill in, which says nothing of this model


def _is_known_class(model: Any) -> bool:
    return type(model).__module__.partition(".")[0] == "transformers"


def _is_adapter(model: Any) -> bool:
    return is_peft_model(model) or bool(getattr(model, "_hf_peft_config_loaded", False))


def _save_part(name: str, part: Any, folder: Path) -> None:
    if not hasattr(part, "save_pretrained"):
        raise UnsupportedModelError(
            f"{name} is a {type(part).__qualname__}, which has no save_pretrained", hint=f"give the {name} itself"
        )
    with alone_and_quiet():
        part.save_pretrained(str(folder))


def _require_base(request: SaveRequest, *, is_adapter: bool) -> None:
    if is_adapter and not request.metadata.parents:
        raise UnsupportedModelError(
            "an adapter is nothing without the model that it is for",
            hint='register that, and say it: parent="base:1.0.0"',
        )


def _has(model: Path | Snapshot, name: str) -> bool:
    return ((model.folder if isinstance(model, Snapshot) else model) / name).is_file()


def _add_folder(source: Path | Snapshot, stage: Stage, options: set[str]) -> None:
    """The files that a model needs, byte for byte; what a training run left beside them stays there."""
    if "max_shard_size" in options:
        raise UnsupportedModelError(
            "max_shard_size is for a model in memory; a folder is kept as it is", hint="leave it out"
        )
    folder = source.folder if isinstance(source, Snapshot) else source
    if not folder.is_dir() or content_of(folder).kind not in (Kind.TRANSFORMERS, Kind.PEFT):
        raise UnsupportedModelError(
            f"{folder} is no folder of a transformers model or a PEFT adapter",
            hint=f"give a folder that save_pretrained made; it has a {CONFIG} or {ADAPTER_CONFIG}",
            path=str(folder),
        )
    found = dict(_files(source, folder))
    needed = {path: file for path, file in found.items() if is_needed(path)}
    pickled = sorted(path for path in found if is_pickled(path))
    if not any(map(is_weights, needed)):
        if pickled:
            raise UnsafeModelError(
                f"the weights of {folder} are pickled ({', '.join(pickled[:3])}), and unpickling runs code",
                hint=_CONVERT,
                path=str(folder),
            )
        raise UnsupportedModelError(f"{folder} holds no weights (*.safetensors)", hint="give the whole folder")
    left = sorted(set(found) - set(needed))
    if left:
        logger.info("left out, since the model does not need them: %s", ", ".join(left))
    for path, file in sorted(needed.items()):
        stage.add(path, file)


def _files(source: Path | Snapshot, folder: Path) -> Iterator[tuple[str, Path]]:
    """(path inside, file) of every plain file. A snapshot's links are followed within its cache.

    :raises UnsafeModelError: for a link elsewhere.
    """
    for item in sorted(folder.rglob("*")):
        path = item.relative_to(folder).as_posix()
        if item.is_symlink():
            target = item.resolve()
            if not isinstance(source, Snapshot) or not target.is_relative_to(source.cache.resolve()):
                raise UnsafeModelError(f"{path} in {folder} is a link", hint="copy the file itself there", path=path)
            yield path, target
        elif item.is_file():
            yield path, item
