"""What a model takes, by its graph; and running it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attrs import evolve

from model_registry import Inputs, InputSpec, LoadRequest, Runner, UnsupportedModelError, VersionFiles
from model_registry_onnx.formats import ONNX
from model_registry_onnx.load import load_onnx, load_ort

if TYPE_CHECKING:
    import onnxruntime

#: How the runtime names the types that values can be made for.
_DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(bool)": "bool",
    **{f"tensor({sign}int{bits})": f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)},
}


def read_signature(request: LoadRequest, files: VersionFiles) -> list[InputSpec] | None:
    """The inputs of the graph; of several, those that none of the others gives. Whole numbers are 0 or 1, which all
    indices and masks may be. None if an input is none that values can be made for."""
    specs: dict[str, InputSpec] = {}
    sessions = _sessions(request, files)
    given = {item.name for session in sessions for item in session.get_outputs()}
    for session in sessions:
        for number, item in enumerate(session.get_inputs()):
            if item.type not in _DTYPES:
                return None
            if item.name not in given:
                specs.setdefault(item.name, _spec(item, number))
    return list(specs.values())


def _spec(item: Any, number: int) -> InputSpec:
    shape = [size if isinstance(size, int) else size or f"{number}.{axis}" for axis, size in enumerate(item.shape)]
    kind = "mask" if item.name.endswith("attention_mask") else "any"
    return InputSpec(item.name, _DTYPES[item.type], shape, kind)


def make_runner(request: LoadRequest, files: VersionFiles) -> Runner:
    """A session on the CPU. Several graphs run one after the other: what one gives, another may take, by its name.

    :raises UnsupportedModelError: if an input is given by nobody.
    """
    sessions = _sessions(request, files)
    types = {item.type for session in sessions for item in (*session.get_inputs(), *session.get_outputs())}

    def run(inputs: Inputs) -> Mapping[str, Any]:
        import numpy

        return _run(sessions, {name: numpy.asarray(array) for name, array in inputs.items()})

    return Runner(run, "float16" if "tensor(float16)" in types else "float32")


def _run(sessions: Sequence[onnxruntime.InferenceSession], values: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    waiting = list(sessions)
    while waiting:
        ready = [session for session in waiting if all(item.name in values for item in session.get_inputs())]
        if not ready:
            missing = {item.name for session in waiting for item in session.get_inputs()} - set(values)
            raise UnsupportedModelError(
                f"the model also takes {', '.join(sorted(missing))}", hint="give inputs= with values for all, by name"
            )
        for session in ready:
            waiting.remove(session)
            names = [item.name for item in session.get_outputs()]
            given = {item.name: values[item.name] for item in session.get_inputs()}
            outputs = dict(zip(names, session.run(names, given), strict=True))
            found |= outputs
            values |= outputs
    return found


def _sessions(request: LoadRequest, files: VersionFiles) -> list[onnxruntime.InferenceSession]:
    plain = evolve(request, options={})
    loaded = (load_onnx if request.format == ONNX else load_ort)(plain, files).model
    return list(loaded.values()) if isinstance(loaded, dict) else [loaded]
