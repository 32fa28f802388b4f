"""Open vocabularies: string ids with well-known constants, to which any plugin may add."""

from __future__ import annotations

from typing import ClassVar


class OpenVocabulary(str):
    """A string that compares, hashes and serializes as itself; the constants are members, not limits."""

    __slots__ = ()

    @property
    def value(self) -> str:
        """The plain string, as an ``enum`` would give it."""
        return str(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    @classmethod
    def known(cls) -> tuple[str, ...]:
        """The well-known members, in alphabetical order."""
        return tuple(sorted(value for value in vars(cls).values() if isinstance(value, cls)))

    def __str__(self) -> str:
        return str.__str__(self)


class ModelFormat(OpenVocabulary):
    """How a model is written down. A plugin owns each format."""

    PYTORCH: ClassVar[ModelFormat]
    TORCHSCRIPT: ClassVar[ModelFormat]
    STATE_DICT: ClassVar[ModelFormat]
    SAFETENSORS: ClassVar[ModelFormat]
    ONNX: ClassVar[ModelFormat]
    HUGGINGFACE: ClassVar[ModelFormat]
    CUSTOM: ClassVar[ModelFormat]


class ModelType(OpenVocabulary):
    """What a model is for."""

    CLASSIFICATION: ClassVar[ModelType]
    REGRESSION: ClassVar[ModelType]
    LANGUAGE_MODEL: ClassVar[ModelType]
    EMBEDDING: ClassVar[ModelType]
    COMPUTER_VISION: ClassVar[ModelType]
    AUDIO: ClassVar[ModelType]
    MULTIMODAL: ClassVar[ModelType]
    CUSTOM: ClassVar[ModelType]


class CompressionType(OpenVocabulary):
    """How a model was made smaller."""

    NONE: ClassVar[CompressionType]
    QUANTIZATION_INT8: ClassVar[CompressionType]
    QUANTIZATION_INT4: ClassVar[CompressionType]
    QUANTIZATION_FP8: ClassVar[CompressionType]
    FP16: ClassVar[CompressionType]
    BF16: ClassVar[CompressionType]
    PRUNING_UNSTRUCTURED: ClassVar[CompressionType]
    PRUNING_STRUCTURED: ClassVar[CompressionType]
    LOW_RANK: ClassVar[CompressionType]
    DISTILLED: ClassVar[CompressionType]
    ZSTD: ClassVar[CompressionType]
    DELTA: ClassVar[CompressionType]


for _vocabulary in (ModelFormat, ModelType, CompressionType):
    for _constant in _vocabulary.__annotations__:
        setattr(_vocabulary, _constant, _vocabulary(_constant.lower()))
