"""Taking out what tells of the machine that made a model: exporters leave paths of source files in it."""

from __future__ import annotations

import re
from itertools import chain
from typing import TYPE_CHECKING, Any

from model_registry_onnx.graphs import all_graphs, all_nodes

if TYPE_CHECKING:
    from onnx import ModelProto

#: A path from the root of a file system, in quotes or after white space, as stack traces have them.
_PATH = re.compile(r"""(?:^|[\s"'(=,])(?:/|~/|[A-Za-z]:[\\/])[^\s"']*[\\/]|\bFile "[^"]+", line \d""")


def holds_path(text: str) -> bool:
    """Whether a text names a place in a file system."""
    return _PATH.search(text) is not None


def without_paths(model: ModelProto) -> ModelProto:
    """A copy of a model in which no documentation and no property names a path."""
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    strip_paths(copy)
    return copy


def strip_paths(model: ModelProto) -> None:
    """The same, in place. What computes is left alone."""
    graphs = list(all_graphs(model))
    values = chain.from_iterable(
        chain(graph.input, graph.output, graph.value_info, graph.initializer) for graph in graphs
    )
    for item in chain([model], graphs, all_nodes(model), values, model.functions):
        _strip(item)


def _strip(item: Any) -> None:
    if item.doc_string and holds_path(item.doc_string):
        item.ClearField("doc_string")
    kept = [entry for entry in item.metadata_props if not holds_path(entry.value)]
    if len(kept) < len(item.metadata_props):
        copies = [(entry.key, entry.value) for entry in kept]
        del item.metadata_props[:]
        for key, value in copies:
            item.metadata_props.add(key=key, value=value)
