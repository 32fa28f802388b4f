"""Running a model: in evaluation mode, on the CPU, without a cache, and with the outputs that are tensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from model_registry import Inputs, InputSpec, Runner, UnsupportedModelError, VersionFiles
from model_registry_huggingface.classes import model_class, model_config
from model_registry_huggingface.configs import read_config
from model_registry_huggingface.layout import CONFIG
from model_registry_huggingface.load import load_model, placement
from model_registry_huggingface.signature import is_pair, takes

if TYPE_CHECKING:
    import torch

#: What the encoder of a pair gives, and its decoder takes.
HIDDEN = "encoder_hidden_states"


def make_runner(files: VersionFiles) -> Runner:
    """The model of these files, ready to be compared."""
    import numpy
    import torch

    model = load_model(files, placement({}), None)

    def run(inputs: Inputs) -> Mapping[str, Any]:
        given = {name: torch.from_numpy(numpy.array(array)) for name, array in inputs.items()}
        with torch.no_grad():
            return {name: _array(tensor) for name, tensor in run_model(model, cast(given, model.dtype)).items()}

    return Runner(run, str(model.dtype).removeprefix("torch."))


def read_signature(files: VersionFiles) -> list[InputSpec] | None:
    """What the model takes; None for one of which nobody knows it."""
    try:
        cls = model_class(read_config(files, CONFIG))
        return takes(cls, model_config(cls, files))
    except UnsupportedModelError:
        return None


def cast(given: Mapping[str, torch.Tensor], dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """Inputs that are no whole numbers, in the type of the weights."""
    return {name: tensor.to(dtype) if tensor.is_floating_point() else tensor for name, tensor in given.items()}


def run_model(model: Any, given: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The outputs by name."""
    if is_pair(type(model), model.config):
        hidden = run_encoder(model, given)
        return {HIDDEN: hidden, **run_decoder(model, given, hidden)}
    return tensors_of(model(**given, **_without_cache(model)))


def run_encoder(model: Any, given: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """What the encoder of a pair makes of its inputs."""
    taken = {name: tensor for name, tensor in given.items() if not name.startswith("decoder_")}
    found: torch.Tensor = model.get_encoder()(**taken, return_dict=True).last_hidden_state
    return found


def run_decoder(model: Any, given: Mapping[str, torch.Tensor], hidden: torch.Tensor) -> dict[str, torch.Tensor]:
    """What a pair gives once its encoder has run; the hidden states themselves are told already."""
    from transformers.modeling_outputs import BaseModelOutput

    taken = {name: given[name] for name in ("attention_mask", "decoder_input_ids") if name in given}
    found = tensors_of(model(**taken, encoder_outputs=BaseModelOutput(hidden), **_without_cache(model)))
    return {name: tensor for name, tensor in found.items() if name != "encoder_last_hidden_state"}


def tensors_of(output: Any) -> dict[str, torch.Tensor]:
    """The outputs that are tensors: no caches, and no outputs of parts."""
    import torch

    return {name: value for name, value in output.items() if isinstance(value, torch.Tensor)}


def _without_cache(model: Any) -> dict[str, bool]:
    import inspect

    known = inspect.signature(model.forward).parameters
    return {name: value for name, value in {"use_cache": False, "return_dict": True}.items() if name in known}


def _array(tensor: torch.Tensor) -> Any:
    """As an array of NumPy, which has no bfloat16."""
    import torch

    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
