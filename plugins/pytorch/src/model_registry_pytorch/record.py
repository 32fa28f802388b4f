"""``module.json``: what a stored model is made of, apart from the bytes of its tensors.

The record is data and nothing else: reading it never looks a class up. Its layout, ``schemaVersion`` 1::

    {"schemaVersion": 1,
     "kind": "module",                       or "value": a state dict or checkpoint, under "value"
     "modules": [                            children come after all their parents; the first one is the model
       {"class": {"module": "torch.nn.modules.linear", "qualname": "Linear"},
        "training": true,
        "parameters": [["weight", "fc.weight"], ["bias", null]],        name here, name of the tensor
        "buffers": [["mask", "fc.mask"]], "transient": ["mask"],        transient: not in the state dict
        "children": [["act", 3], ["downsample", null]],                 name, index in "modules"
        "attributes": {"in_features": 4},                               values: see encode.py
        "parametrized": ["weight"]}],                                   torch.nn.utils.parametrize
     "tensors": {
       "fc.weight": {"parameter": true, "requiresGrad": true,
                     "strides": [1, 4],                                 if memory is not in the order of the shape
                     "data": "embed.weight"}}}                          if it has the memory of another tensor

Names that occur twice are one object, which is how tied weights and shared modules stay what they were.
Lists keep an order that matters, of parameters for an optimizer for example. Absent keys mean false, none or empty.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from attrs import field, frozen

from model_registry import UnsafeModelError, UnsupportedModelError

SCHEMA_VERSION = 1
MAX_BYTES = 64 << 20  # what is read at once, at most
MAX_DEPTH = 200  # torch itself recurses through children, so deeper models cannot be used anyway
MAX_PATHS = 100_000  # ways from the model to its modules: shared children multiply them


@frozen
class TensorRecord:
    """One tensor object. ``data`` names the tensor whose bytes it has; None means its own."""

    parameter: bool = False
    requires_grad: bool = False
    strides: tuple[int, ...] | None = None  # in elements
    data: str | None = None


@frozen
class ModuleRecord:
    """One module object."""

    module: str
    qualname: str
    training: bool = True
    parameters: tuple[tuple[str, str | None], ...] = ()
    buffers: tuple[tuple[str, str | None], ...] = ()
    transient: frozenset[str] = frozenset()
    children: tuple[tuple[str, int | None], ...] = ()
    attributes: Mapping[str, Any] = field(factory=dict)
    parametrized: tuple[str, ...] = ()


@frozen
class Record:
    """A whole model. ``modules`` is empty or the first is the model; otherwise ``value`` is what was stored."""

    kind: str
    modules: tuple[ModuleRecord, ...]
    tensors: Mapping[str, TensorRecord]
    value: Any = None

    def stored(self, name: str) -> str:
        """The name under which the weight files hold a tensor's bytes."""
        return self.tensors[name].data or name


def encode(record: Record) -> bytes:
    """Canonical JSON: equal records give equal bytes."""
    document: dict[str, Any] = {
        "schemaVersion": SCHEMA_VERSION,
        "kind": record.kind,
        "modules": [_module_to_json(module) for module in record.modules],
        "tensors": {name: _tensor_to_json(tensor) for name, tensor in record.tensors.items()},
    }
    if record.kind == "value":
        document["value"] = record.value
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def _module_to_json(module: ModuleRecord) -> dict[str, Any]:
    document = {
        "class": {"module": module.module, "qualname": module.qualname},
        "training": module.training,
        "parameters": [list(item) for item in module.parameters],
        "buffers": [list(item) for item in module.buffers],
        "transient": sorted(module.transient),
        "children": [list(item) for item in module.children],
        "attributes": dict(module.attributes),
        "parametrized": list(module.parametrized),
    }
    return {key: value for key, value in document.items() if key in ("class", "training") or value}


def _tensor_to_json(tensor: TensorRecord) -> dict[str, Any]:
    document = {
        "parameter": tensor.parameter,
        "requiresGrad": tensor.requires_grad,
        "strides": None if tensor.strides is None else list(tensor.strides),
        "data": tensor.data,
    }
    return {key: value for key, value in document.items() if value not in (None, False)}


def decode(text: bytes) -> Record:
    """Read and check a record.

    :raises UnsupportedModelError: for a record that a newer release wrote.
    :raises UnsafeModelError: for one that breaks a rule of the layout.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _refusal("it is no JSON, or nested too deeply") from error
    if not isinstance(document, dict):
        _refuse("it is no JSON object")
    version = document.pop("schemaVersion", None)
    if version != SCHEMA_VERSION:
        raise UnsupportedModelError(
            f"module.json has the schema version {version!r} and this release reads {SCHEMA_VERSION}",
            hint="upgrade model-registry-pytorch",
            path="module.json",
        )
    record = _record(document)
    check_shape(record.modules, _refuse)
    _check_tensors(record)
    return record


def _record(document: dict[str, Any]) -> Record:
    kind = _take(document, "kind", str, "")
    modules = tuple(_module(item) for item in _take(document, "modules", list, []))
    tensors = {name: _tensor(item) for name, item in _take(document, "tensors", dict, {}).items()}
    value = document.pop("value", None)
    _nothing_left(document)
    if kind not in ("module", "value") or (kind == "module" and not modules):
        _refuse(f"its kind is {kind!r} with {len(modules)} modules")
    return Record(kind, modules, tensors, value)


def _module(document: Any) -> ModuleRecord:
    if not isinstance(document, dict):
        _refuse("a module is no JSON object")
    identity = _take(document, "class", dict, {})
    module = ModuleRecord(
        module=_take(identity, "module", str, ""),
        qualname=_take(identity, "qualname", str, ""),
        training=_take(document, "training", bool, True),
        parameters=_pairs(document, "parameters", str),
        buffers=_pairs(document, "buffers", str),
        transient=frozenset(_names(document, "transient")),
        children=_pairs(document, "children", int),
        attributes=_take(document, "attributes", dict, {}),
        parametrized=_names(document, "parametrized"),
    )
    _nothing_left(identity)
    _nothing_left(document)
    _check_names(module)
    return module


def _check_names(module: ModuleRecord) -> None:
    registered = [name for name, _ in (*module.parameters, *module.buffers, *module.children)]
    names = [*registered, *module.attributes]
    if len(set(names)) != len(names):
        _refuse(f"a module of class {module.qualname} has two things of one name")
    if any("." in name or not name for name in registered):
        _refuse(f"a module of class {module.qualname} has an empty or dotted name")


def _tensor(document: Any) -> TensorRecord:
    if not isinstance(document, dict):
        _refuse("a tensor is no JSON object")
    strides = _take(document, "strides", list, None)
    tensor = TensorRecord(
        parameter=_take(document, "parameter", bool, False),
        requires_grad=_take(document, "requiresGrad", bool, False),
        strides=None if strides is None else tuple(strides),
        data=_take(document, "data", str, None),
    )
    _nothing_left(document)
    if any(type(stride) is not int or stride < 0 for stride in tensor.strides or ()):
        _refuse("a stride is no natural number")
    return tensor


def _take(document: dict[str, Any], key: str, kind: type, default: Any) -> Any:
    value = document.pop(key, default)
    if value is not default and type(value) is not kind:
        _refuse(f"{key!r} is no {kind.__name__}")
    return value


def _names(document: dict[str, Any], key: str) -> tuple[str, ...]:
    names = _take(document, key, list, [])
    if not all(isinstance(name, str) for name in names):
        _refuse(f"{key!r} holds something else than names")
    return tuple(names)


def _pairs(document: dict[str, Any], key: str, kind: type) -> tuple[tuple[str, Any], ...]:
    pairs = _take(document, key, list, [])
    for pair in pairs:
        if not (isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str)):
            _refuse(f"{key!r} holds something else than pairs")
        if pair[1] is not None and type(pair[1]) is not kind:
            _refuse(f"{key!r} names something by {pair[1]!r}")
    return tuple((name, target) for name, target in pairs)


def _nothing_left(document: dict[str, Any]) -> None:
    if document:
        _refuse(f"it has the unknown key {min(document)!r}")


def check_shape(modules: tuple[ModuleRecord, ...], refuse: Any) -> None:
    """Call ``refuse(problem)`` unless children follow their parents, neither too deep nor shared too often."""
    depth = [0] * len(modules)
    paths = [1] + [0] * (len(modules) - 1)
    for index, module in enumerate(modules):
        for name, child in module.children:
            if child is None:
                continue
            if not index < child < len(modules):
                refuse(f"child {name!r} of module {index} is {child}, which is no later module")
            depth[child] = max(depth[child], depth[index] + 1)
            paths[child] += paths[index]
    if max(depth, default=0) > MAX_DEPTH:
        refuse(f"its modules nest deeper than {MAX_DEPTH}")
    if sum(paths) > MAX_PATHS:
        refuse(f"its shared modules are reached on more than {MAX_PATHS:,} paths")


def _check_tensors(record: Record) -> None:
    for module in record.modules:
        for name, tensor in (*module.parameters, *module.buffers):
            if tensor is not None and tensor not in record.tensors:
                _refuse(f"{name!r} names the tensor {tensor!r}, which the record does not describe")
        if any(tensor and not record.tensors[tensor].parameter for _, tensor in module.parameters):
            _refuse(f"a parameter of {module.qualname} is described as a plain tensor")
    for name, described in record.tensors.items():
        owner = record.tensors.get(described.data or name)
        if owner is None or (described.data and owner.data):
            _refuse(f"tensor {name!r} has the data of {described.data!r}, which has none of its own")


def _refuse(problem: str) -> NoReturn:
    raise _refusal(problem)


def _refusal(problem: str) -> UnsafeModelError:
    return UnsafeModelError(
        f"module.json is not a sound module record: {problem}",
        hint="register the model again from its source",
        path="module.json",
    )
