"""Sessions of ONNX Runtime. No operator library is loaded unless the caller's own ``session_options`` name it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from model_registry import InvalidOptionError, UnsafeModelError
from model_registry_onnx.messages import first_line

if TYPE_CHECKING:
    import onnxruntime

Provider = str | tuple[str, Mapping[str, Any]]

#: What ``device=`` means.
_PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "rocm": "ROCMExecutionProvider",
    "mps": "CoreMLExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "dml": "DmlExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
}


def make_session(model: str | bytes, what: str, options: Mapping[str, Any]) -> onnxruntime.InferenceSession:
    """A session that is ready to run.

    :param model: A file's path, or a file's bytes.
    :param what: What to call it in an error.
    :param options: ``providers``, ``device`` and ``session_options``, as ``load_model`` takes them.
    :raises UnsafeModelError: if ONNX Runtime cannot use the model.
    :raises InvalidOptionError: for a device that this installation cannot use.
    """
    import onnxruntime

    providers = chosen_providers(options.get("providers"), options.get("device"))
    settings = options.get("session_options")
    if settings is not None and not isinstance(settings, onnxruntime.SessionOptions):
        raise InvalidOptionError(
            f"session_options is a {type(settings).__name__}",
            hint="give an onnxruntime.SessionOptions",
            option="session_options",
        )
    try:
        return onnxruntime.InferenceSession(model, settings, providers=providers)
    except Exception as error:  # a class for each status of the runtime, all of them of Exception alone
        hint = "see its requirements; a newer onnxruntime, or session_options with its operators, may be able to"
        raise UnsafeModelError(f"onnxruntime cannot use {what}: {first_line(error)}", hint=hint) from error


def chosen_providers(providers: Sequence[Provider] | None, device: Any) -> Sequence[Provider]:
    """What ``providers=`` says, or what ``device=`` asks for; the CPU if neither was given.

    :raises InvalidOptionError: for a device that this installation of onnxruntime cannot use.
    """
    if providers is not None:
        return providers
    name, _, index = str(device or "cpu").partition(":")
    provider = _PROVIDERS.get(name, "")
    import onnxruntime

    available = onnxruntime.get_available_providers()
    if provider not in available or (index and not index.isdigit()):
        usable = [device for device, provider in _PROVIDERS.items() if provider in available]
        raise InvalidOptionError(
            f"device is {str(device)!r}, which this onnxruntime cannot use",
            hint=f"usable here: {', '.join(usable)}; or give providers=",
            option="device",
        )
    chosen: Provider = (provider, {"device_id": int(index)}) if index else provider
    return [chosen] if name == "cpu" else [chosen, _PROVIDERS["cpu"]]
