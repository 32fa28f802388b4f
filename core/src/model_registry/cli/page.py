"""The page of one version: what ``model-registry show`` prints for people."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from model_registry.cli.layers import Layer, layers_of
from model_registry.cli.lineage import STATES
from model_registry.cli.screen import Screen
from model_registry.cli.text import count_text, moment_text, plural, size_text, value_text
from model_registry.errors import ModelRegistryError
from model_registry.records import LineageNode, ModelEntry, ModelMetadata, TensorRecord

#: Fields of the metadata that have a place of their own on the page.
_PLACED = frozenset(
    {"name", "version", "format", "model_type", "description", "parameters_count", "model_size_mb"}
    | {"performance_metrics", "extra", "parents"}
)
_LAYERS = "layers"  # where plugins tell the layers of a model by type, in extra
_MOST_LAYERS = 60
_LONGEST = 400  # characters of one value of extra; --json gives them all


def show_page(
    entry: ModelEntry,
    model: Mapping[str, Any],
    children: Sequence[LineageNode],
    tensors: Sequence[TensorRecord],
    problem: str,
    screen: Screen,
) -> None:
    """Print it.

    :param model: The ``description`` and the ``tags`` of the model itself.
    :param children: What comes from the version.
    :param problem: Why the tensors cannot be read, if so.
    """
    metadata, extra = entry.metadata, dict(entry.metadata.extra)
    layers = extra.pop(_LAYERS) if _is_counts(extra.get(_LAYERS)) else {}
    screen.title(entry.reference, entry.description or "")
    screen.heading("Version")
    screen.facts(_header(entry))
    _section(screen, "Tags", entry.tags)
    about = {"description": model["description"]} if model["description"] else {}
    _section(screen, "The model", {**about, **model["tags"]})
    _section(screen, "Metadata", _described(metadata))
    _section(screen, "Metrics", {name: f"{value:g}" for name, value in metadata.performance_metrics.items()})
    _section(screen, "Layers", {name: count_text(count) for name, count in layers.items()})
    _section(screen, "Extra", {name: value_text(value, _LONGEST) for name, value in extra.items()})
    _section(screen, "Comes from", {parent.reference: parent.relation for parent in entry.parents})
    became = {child.reference: f"{child.parent.relation}{STATES[child.state]}" for child in children}
    _section(screen, "Became", became)
    _section(screen, "Environment", _surroundings(entry))
    screen.heading("Files")
    screen.table(
        ("path", "size", "sha256"),
        [(file.path, size_text(file.size), file.sha256) for file in entry.files],
        numbers=("size",),
        cut=True,
    )
    _tensors(tensors, problem, screen)


def _section(screen: Screen, title: str, facts: Mapping[str, str]) -> None:
    if facts:
        screen.heading(title)
        screen.facts(facts)


def _tensors(tensors: Sequence[TensorRecord], problem: str, screen: Screen) -> None:
    if problem:
        _section(screen, "Tensors", {"unreadable": problem})
    if not tensors:
        return
    layers = layers_of(tensors)
    screen.heading("Tensors")
    screen.table(
        ("tensors", "elements", "size", "dtypes", "layer"),
        map(_layer_row, layers[:_MOST_LAYERS]),
        numbers=("tensors", "elements", "size"),
    )
    if len(layers) > _MOST_LAYERS:
        screen.line(f"… and {plural(len(layers) - _MOST_LAYERS, 'layer')} more; --json gives every tensor")


def _layer_row(layer: Layer) -> tuple[str, ...]:
    size = size_text(layer.nbytes)
    return (
        count_text(layer.tensors),
        count_text(layer.elements),
        size,
        ", ".join(layer.dtypes),
        layer.path or "(the model)",
    )


def _header(entry: ModelEntry) -> dict[str, str]:
    facts = {
        "type": str(entry.metadata.model_type),
        "format": str(entry.metadata.format),
        "aliases": ", ".join(f"@{alias}" for alias in entry.aliases),
        "parameters": count_text(entry.metadata.parameters_count),
        "size": f"{size_text(entry.size)} in {plural(len(entry.files), 'file')}",
        "registered": moment_text(entry.registered_at),
        "digest": f"sha256:{entry.digest}",
    }
    return {name: text for name, text in facts.items() if text}


def _described(metadata: ModelMetadata) -> dict[str, str]:
    """The fields that somebody filled, under their names in plain words."""
    values = {field.name: getattr(metadata, field.name) for field in attrs.fields(ModelMetadata)}
    return {
        name.replace("_", " "): value_text(value, _LONGEST)
        for name, value in values.items()
        if name not in _PLACED and value not in (None, (), [], {})
    }


def _surroundings(entry: ModelEntry) -> dict[str, str]:
    """Who registered the version, and where it was made; or what is wrong with the records of it."""
    try:
        who, around = entry.provenance or {}, entry.environment or {}
    except ModelRegistryError as error:
        return {"unknown": error.message}
    git = around.get("git") or {}
    state = {True: ", clean", False: ", with changes", None: ""}[git.get("clean")]
    facts = {
        "by": "@".join(text for text in (who.get("user"), who.get("host")) if text) or who.get("actor", ""),
        "python": " ".join(around[key] for key in ("implementation", "python") if key in around),
        "platform": around.get("platform", ""),
        "packages": ", ".join(f"{name} {version}" for name, version in around.get("packages", {}).items()),
        "git commit": f"{git['commit']}{state}" if git else "",
        "command": shlex.join(around.get("command", ())),
    }
    return {name: value_text(text, _LONGEST) for name, text in facts.items() if text}


def _is_counts(value: Any) -> bool:
    return isinstance(value, Mapping) and all(type(count) is int for count in value.values())
