"""What a model takes, by its class and configuration."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from model_registry import InputSpec, UnsupportedModelError

#: Lengths of sound that every stack of convolutions can take.
_SAMPLES = (1600, 1280, 2400)


def takes(cls: Any, config: Any) -> list[InputSpec]:
    """The inputs of a model's ``forward``, in its order; those of an encoder first, then those of its decoder.

    :raises UnsupportedModelError: for a model whose inputs depend on each other in ways that only its own code knows.
    """
    parameters = set(inspect.signature(cls.forward).parameters)
    found = [*_sound(parameters, config), *_text(parameters, config), *_image(parameters, config)]
    if not found or _has_placeholders(config):
        raise UnsupportedModelError(
            f"nobody knows which inputs a {cls.__name__} can be given, so it can be neither exported nor compared",
            hint="export its parts by yourself, and register them",
        )
    return found + (_decoder(config) if is_pair(cls, config) else [])


def is_pair(cls: Any, config: Any) -> bool:
    """Whether it is an encoder with a decoder of its own, and not one of the two."""
    parameters = inspect.signature(cls.forward).parameters
    return bool(getattr(config, "is_encoder_decoder", False)) and "decoder_input_ids" in parameters


def _has_placeholders(config: Any) -> bool:
    """A text in which tokens stand for the parts of an image or of a sound must have as many as there are parts."""
    return any(getattr(config, name, None) is not None for name in ("image_token_id", "image_token_index"))


def _text(parameters: set[str], config: Any) -> list[InputSpec]:
    inner = getattr(config, "text_config", config)
    vocabulary = getattr(inner, "vocab_size", None)
    if "input_ids" not in parameters or not vocabulary:
        return []
    shape = ("batch", "sequence")
    # Some models look for their special tokens in the text; few have them among the last ids.
    low = min(3, vocabulary - 1)
    specs = [InputSpec("input_ids", "int64", shape, low=low, high=vocabulary)]
    if "attention_mask" in parameters:
        specs.append(InputSpec("attention_mask", "int64", shape, kind="mask"))
    kinds = getattr(inner, "type_vocab_size", None)
    if "token_type_ids" in parameters and kinds and kinds > 1:
        specs.append(InputSpec("token_type_ids", "int64", shape, high=kinds))
    return specs


def _image(parameters: set[str], config: Any) -> list[InputSpec]:
    inner = getattr(config, "vision_config", config)
    if "pixel_values" not in parameters:
        return []
    height, width = _pair(getattr(inner, "image_size", None) or 224)
    channels = getattr(inner, "num_channels", 3)
    specs = [InputSpec("pixel_values", "float32", ("batch", channels, height, width))]
    if "noise" in parameters:  # by which a masked autoencoder chooses what it sees
        patch = _pair(config.patch_size)
        specs.append(InputSpec("noise", "float32", ("batch", (height // patch[0]) * (width // patch[1]))))
    return specs


def _sound(parameters: set[str], config: Any) -> list[InputSpec]:
    bins = getattr(config, "num_mel_bins", None)
    if "input_features" in parameters and bins and hasattr(config, "max_source_positions"):
        return [InputSpec("input_features", "float32", ("batch", bins, 2 * config.max_source_positions))]
    if "input_values" not in parameters:
        return []
    if bins and hasattr(config, "max_length"):
        return [InputSpec("input_values", "float32", ("batch", config.max_length, bins))]
    return [InputSpec("input_values", "float32", ("batch", "samples"), sizes={"samples": _SAMPLES})]


def _decoder(config: Any) -> list[InputSpec]:
    vocabulary = getattr(config, "decoder_vocab_size", None) or config.vocab_size
    low = min(3, vocabulary - 1)
    return [InputSpec("decoder_input_ids", "int64", ("batch", "target"), low=low, high=vocabulary)]


def _pair(size: int | Sequence[int] | Mapping[str, int]) -> tuple[int, int]:
    if isinstance(size, int):
        return size, size
    if isinstance(size, Mapping):
        return int(size["height"]), int(size["width"])
    return int(size[0]), int(size[1])
