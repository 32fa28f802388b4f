"""Loading: the model with the head it had, and the tokenizer or processor that belongs to it."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import Any

from model_registry import (
    InvalidOptionError,
    LoadedModel,
    LoadRequest,
    ModelRegistryError,
    PluginLoadError,
    UnsafeModelError,
    UnsupportedModelError,
    VersionFiles,
)
from model_registry_huggingface.adapters import load_adapter
from model_registry_huggingface.alone import alone_and_quiet
from model_registry_huggingface.checks import check_huggingface
from model_registry_huggingface.classes import model_class
from model_registry_huggingface.configs import read_config
from model_registry_huggingface.headers import fingerprint
from model_registry_huggingface.layout import ADAPTER_CONFIG, CONFIG
from model_registry_huggingface.messages import first_line
from model_registry_huggingface.parts import load_part
from model_registry_huggingface.proportion import require_proportion
from model_registry_huggingface.quantizers import introduce

#: Versions that were found sound, by the state of their files.
_sound: set[tuple[tuple[str, int, int, int, int, int], ...]] = set()
_MOST_REMEMBERED = 1000
#: Said every time, whatever the defaults of transformers are or become.
SAFE = {"trust_remote_code": False, "use_safetensors": True, "local_files_only": True}


def load_huggingface(request: LoadRequest, files: VersionFiles) -> LoadedModel:
    """The model and its tokenizer or processor.

    :raises ClassNotFoundError: if transformers has no class of the model's name.
    :raises UnsafeModelError: for files that ask for more than data, or that lack weights of the model.
    """
    files.verify()
    require_sound(files)
    options = placement(request.options)
    if ADAPTER_CONFIG in files and CONFIG not in files:
        return load_adapter(request, files, lambda base: load_model(base, options, request.options.get("device")))
    model = load_model(files, options, request.options.get("device"))
    return LoadedModel(model, load_part(files))


def require_sound(files: VersionFiles) -> None:
    """What was found sound once in this process is, as long as no file changes.

    :raises UnsafeModelError: for the first thing that validation finds wrong.
    """
    state = tuple((path, *fingerprint(files.local(path))) for path in files)
    if state in _sound:
        return
    for finding in check_huggingface(files):
        raise UnsafeModelError(f"{finding.where}: {finding.message}", hint=finding.advice, path=finding.where)
    if len(_sound) >= _MOST_REMEMBERED:
        _sound.clear()
    _sound.add(state)


def placement(options: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords of ``from_pretrained`` for where the weights go, and as what.

    Weights that stay on the CPU are mapped, so limits of devices that this machine lacks, or of the CPU, are moot.
    """
    chosen = {name: options[name] for name in ("attn_implementation", "device_map") if options.get(name) is not None}
    chosen["dtype"] = _dtype(options.get("dtype"))
    limits = _limits(options.get("max_memory"))
    if limits:
        chosen["max_memory"] = limits
        chosen.setdefault("device_map", "auto")
    if "device_map" in chosen:
        if options.get("device") is not None:
            raise InvalidOptionError("device and device_map are both given", hint="give one", option="device")
        if importlib.util.find_spec("accelerate") is None:
            raise PluginLoadError(
                "device_map and max_memory need accelerate", hint="pip install model-registry-huggingface[devices]"
            )
    return chosen


def _limits(given: Any) -> dict[int | str, Any]:
    """The limits of devices that are there."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        hint = 'give {"0": "8GiB"}'
        raise InvalidOptionError(f"max_memory is a {type(given).__name__}", hint=hint, option="max_memory")
    import torch

    count = torch.accelerator.device_count() if torch.accelerator.is_available() else 0
    numbered = {int(key) if str(key).isdigit() else key: size for key, size in given.items()}
    found = {key: size for key, size in numbered.items() if isinstance(key, int) and key < count}
    return found | ({"cpu": numbered["cpu"]} if found and "cpu" in numbered else {})


def _dtype(given: Any) -> Any:
    """A dtype of torch, by itself or by name; the dtype that the weights have, if none is given."""
    import torch

    if given is None or given == "auto":
        return "auto"
    found = getattr(torch, given.removeprefix("torch."), None) if isinstance(given, str) else given
    if not isinstance(found, torch.dtype):
        raise InvalidOptionError(f"dtype is {given!r}", hint='give one of torch, such as "bfloat16"', option="dtype")
    return found


def load_model(files: VersionFiles, options: Mapping[str, Any], device: Any) -> Any:
    """A model of transformers, in evaluation mode, with every weight from the files.

    :raises UnsupportedModelError: for an adapter, which is none by itself.
    """
    if CONFIG not in files:
        raise UnsupportedModelError(
            "an adapter is no model by itself", hint="load it, merge_and_unload() it, and register what comes of that"
        )
    config = read_config(files, CONFIG)
    introduce(config)
    cls = model_class(config)
    folder = files.directory()
    try:
        with alone_and_quiet():
            require_proportion(cls, config, files)
            # Sizes that differ are told, not raised, so that our own error can name one.
            telling = {"output_loading_info": True, "ignore_mismatched_sizes": True}
            model, told = cls.from_pretrained(str(folder), **SAFE, **options, **telling)
    except ModelRegistryError:
        raise
    except ImportError as error:
        raise PluginLoadError(
            f"{cls.__name__} needs a package that is not installed: {first_line(error)}", hint="install it"
        ) from error
    except Exception as error:  # whatever a configuration that fits no model provokes
        raise UnsafeModelError(
            f"transformers cannot make a {cls.__name__} of these files: {first_line(error)}",
            hint="load it with the release of transformers that it was made with",
        ) from error
    _require_complete(cls.__name__, told)
    return model if device is None else model.to(_device(device))


def _require_complete(name: str, told: Mapping[str, Any]) -> None:
    """transformers would make up what the files lack, and go on."""
    for what in ("missing_keys", "mismatched_keys"):
        keys = sorted(map(str, told.get(what) or ()))
        if keys:
            verb = "lack" if what == "missing_keys" else "have in another shape"
            raise UnsafeModelError(
                f"the files {verb} {len(keys)} weights of a {name}, such as {keys[0]!r:.120}",
                hint="get the model again, with all its files",
            )


def _device(given: Any) -> Any:
    import torch

    try:
        device = torch.device(given)
        torch.empty(0, device=device)
    except Exception as error:  # torch says it by RuntimeError, AssertionError, NotImplementedError or its own
        raise InvalidOptionError(
            f"device is {given!r}, which this process cannot use: {first_line(error)}",
            hint='load with device="cpu", or install a torch that has the device',
            option="device",
        ) from error
    return device
