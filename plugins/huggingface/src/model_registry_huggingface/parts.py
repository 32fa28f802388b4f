"""What belongs to a model beside its weights: a processor, or a tokenizer, or what reads images or sound."""

from __future__ import annotations

from typing import Any

from model_registry import PluginLoadError, UnsafeModelError, VersionFiles
from model_registry_huggingface.alone import alone_and_quiet
from model_registry_huggingface.configs import read_config
from model_registry_huggingface.messages import first_line

_PREPROCESSOR = "preprocessor_config.json"
_PROCESSOR = "processor_config.json"
_TOKENIZERS = ("tokenizer_config.json", "tokenizer.json", "vocab.txt", "tokenizer.model", "spiece.model", "vocab.json")
_SAFE = {"trust_remote_code": False, "local_files_only": True}


def load_part(files: VersionFiles) -> Any:
    """The processor, if there is one; else the tokenizer, or what prepares images or sound; a dictionary of both if
    they are two; None if there is nothing."""
    wanted = _wanted(files)
    loaded = {name: _load(auto, str(files.directory())) for name, auto in wanted.items()}
    return next(iter(loaded.values())) if len(loaded) == 1 else loaded or None


def _wanted(files: VersionFiles) -> dict[str, str]:
    """name: Auto class."""
    reads = _reader(files)
    has_tokenizer = any(name in files for name in _TOKENIZERS)
    if _is_processor(files):
        return {"processor": "AutoProcessor"}
    return ({"tokenizer": "AutoTokenizer"} if has_tokenizer else {}) | reads


def _is_processor(files: VersionFiles) -> bool:
    """A processor says its class in its own file, or in that of what it consists of."""
    own, other = read_config(files, _PROCESSOR), read_config(files, _PREPROCESSOR)
    return "processor_class" in own or "processor_class" in other


def _reader(files: VersionFiles) -> dict[str, str]:
    config = read_config(files, _PREPROCESSOR)
    if "feature_extractor_type" in config:
        return {"feature_extractor": "AutoFeatureExtractor"}
    return {"image_processor": "AutoImageProcessor"} if config else {}


def _load(auto: str, folder: str) -> Any:
    import transformers

    try:
        with alone_and_quiet():
            return getattr(transformers, auto).from_pretrained(folder, **_SAFE)
    except ImportError as error:
        raise PluginLoadError(
            f"{auto} needs a package that is not installed: {first_line(error)}", hint="install it"
        ) from error
    except Exception as error:  # tokenizers raise Exception itself
        raise UnsafeModelError(
            f"transformers' {auto} cannot read these files: {first_line(error)}", hint="get the model again"
        ) from error
