"""Where in the tree a node belongs: exporters name nodes by the modules that they were made in.

Names such as ``/encoder/layer.0/query/MatMul`` are split at slashes and at points, so that the paths are those of the
PyTorch module: ``encoder.layer.0.query.MatMul``. Torch's newer exporter says the same in properties of nodes.
"""

from __future__ import annotations

import re

from attrs import frozen

from model_registry_onnx.nodes import Node
from model_registry_onnx.values import named

#: Parts of one name; what follows them stays one part.
_DEEPEST = 20
_MOST_SCOPES = 40
#: How Python writes a list of texts; whatever has other escapes is nothing that the exporter wrote.
_LIST = re.compile(r"\['[^'\\]*'(?:, '[^'\\]*')*\]")
_TEXT = re.compile(r"'([^'\\]*)'")
#: Names that torch's newer exporter makes up, with a number that changes when anything before it does.
_MADE_UP = "node_"


@frozen
class Place:
    """Where a node belongs.

    :param scope: The parts of its scope's path.
    :param name: Its own; several nodes of a scope may have the same.
    :param operator: In one line.
    :param is_named: Not only by its operator.
    :param classes: Classes of modules, by their path's parts, as far as they are known.
    """

    scope: tuple[str, ...]
    name: str
    operator: str
    is_named: bool
    classes: tuple[tuple[tuple[str, ...], str], ...] = ()


def place_of(node: Node) -> Place:
    """By the node's properties, its name, or at last its operator."""
    parts = _parts(named(node.name)) if node.name else []
    operator = named(node.operator)
    scopes = _listed(node.scopes)
    if len(scopes) < 2:
        own = parts or [_one(operator)]
        return Place(tuple(own[:-1]), own[-1], operator, bool(parts))
    paths = [tuple(_parts(named(scope))) if scope else () for scope in scopes[:-1]]
    made_up = not parts or node.name.startswith(_MADE_UP)
    classes = _listed(node.classes)
    known = tuple(zip(paths, map(named, classes), strict=False)) if len(classes) == len(scopes) else ()
    return Place(paths[-1], _one(operator) if made_up else parts[-1], operator, not made_up, known)


def folder_of(name: str) -> str:
    """What the names of a scope's nodes and values begin with: ``/encoder/layer.0/``."""
    return name[: name.rfind("/") + 1]


def _one(name: str) -> str:
    """A name as one part of a path."""
    return "/".join(_parts(name)) or "node"


def _parts(name: str) -> list[str]:
    parts = [part for part in re.split(r"[/.]", name) if part]
    return [*parts[: _DEEPEST - 1], "/".join(parts[_DEEPEST - 1 :])] if len(parts) > _DEEPEST else parts


def _listed(said: str) -> list[str]:
    found = _TEXT.findall(said) if _LIST.fullmatch(said) else []
    return found if len(found) <= _MOST_SCOPES else []
