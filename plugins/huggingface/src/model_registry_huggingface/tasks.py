"""What a model is for, by the name of its class and its configuration. transformers is not imported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from model_registry import ModelType

_CLASSIFICATION, _LANGUAGE, _AUDIO = ModelType.CLASSIFICATION, ModelType.LANGUAGE_MODEL, ModelType.AUDIO
_VISION, _MULTIMODAL = ModelType.COMPUTER_VISION, ModelType.MULTIMODAL

#: (end of the class's name, task as the hub calls it, type); the first that fits counts.
_HEADS = (
    ("ForSequenceClassification", "text-classification", _CLASSIFICATION),
    ("ForTokenClassification", "token-classification", _CLASSIFICATION),
    ("ForMultipleChoice", "multiple-choice", _CLASSIFICATION),
    ("ForNextSentencePrediction", "text-classification", _CLASSIFICATION),
    ("ForVisualQuestionAnswering", "visual-question-answering", _MULTIMODAL),
    ("ForDocumentQuestionAnswering", "document-question-answering", _MULTIMODAL),
    ("ForTableQuestionAnswering", "table-question-answering", _LANGUAGE),
    ("ForQuestionAnswering", "question-answering", _LANGUAGE),
    ("ForImageClassificationWithTeacher", "image-classification", _CLASSIFICATION),
    ("ForImageClassification", "image-classification", _CLASSIFICATION),
    ("ForVideoClassification", "video-classification", _CLASSIFICATION),
    ("ForAudioClassification", "audio-classification", _CLASSIFICATION),
    ("ForZeroShotObjectDetection", "zero-shot-object-detection", _MULTIMODAL),
    ("ForObjectDetection", "object-detection", _VISION),
    ("Segmentation", "image-segmentation", _VISION),
    ("ForDepthEstimation", "depth-estimation", _VISION),
    ("ForKeypointDetection", "keypoint-detection", _VISION),
    ("ForMaskedImageModeling", "image-feature-extraction", _VISION),
    ("ForImageSuperResolution", "image-to-image", _VISION),
    ("ForImageMatting", "image-segmentation", _VISION),
    ("Backbone", "image-feature-extraction", _VISION),
    ("ForCTC", "automatic-speech-recognition", _AUDIO),
    ("ForAudioFrameClassification", "audio-classification", _AUDIO),
    ("ForXVector", "audio-classification", _AUDIO),
    ("ForTextToSpeech", "text-to-speech", _AUDIO),
    ("ForSpeechToText", "automatic-speech-recognition", _AUDIO),
    ("ForCausalLM", "text-generation", _LANGUAGE),
    ("LMHeadModel", "text-generation", _LANGUAGE),
    ("ForMaskedLM", "fill-mask", _LANGUAGE),
    ("ForPreTraining", "fill-mask", _LANGUAGE),
)
_SOUND = ("num_mel_bins", "feat_extract_norm", "conv_stride", "codebook_size", "sampling_rate")
_IMAGE = ("image_size", "patch_size", "num_channels", "depths", "hidden_sizes")


def task_of(architecture: str, config: Mapping[str, Any], *, is_sentence_model: bool) -> tuple[str | None, str | None]:
    """(task, type) of a model; None where nothing tells.

    :param is_sentence_model: The files of sentence-transformers stand beside the model.
    """
    if is_sentence_model:
        return "sentence-similarity", ModelType.EMBEDDING
    modality = _modality(config)
    for ending, task, kind in _HEADS:
        if architecture.endswith(ending):
            return _adjusted(task, kind, modality, config)
    if architecture.endswith("ForConditionalGeneration"):
        return _GENERATING[modality]
    return _BARE[modality] if architecture else (None, None)


def _adjusted(task: str, kind: str, modality: str | None, config: Mapping[str, Any]) -> tuple[str, str]:
    if task == "text-classification" and modality == "sound":
        return "audio-classification", kind
    if task == "text-classification" and config.get("problem_type") == "regression":
        return task, ModelType.REGRESSION
    if kind == _LANGUAGE and modality in ("image", "sound") and task == "fill-mask":
        return _BARE[modality]
    return task, kind


def _modality(config: Mapping[str, Any]) -> str | None:
    if "vision_config" in config and ("text_config" in config or "vocab_size" in config):
        return "both"
    if "audio_config" in config or any(key in config for key in _SOUND):
        return "sound"
    if any(key in config for key in _IMAGE) and "vocab_size" not in config:
        return "image"
    return None


_GENERATING: Mapping[str | None, tuple[str, str]] = {
    "both": ("image-text-to-text", _MULTIMODAL),
    "sound": ("automatic-speech-recognition", _AUDIO),
    "image": ("image-to-text", _MULTIMODAL),
    None: ("text2text-generation", _LANGUAGE),
}
_BARE: Mapping[str | None, tuple[str, str]] = {
    "both": ("zero-shot-image-classification", _MULTIMODAL),
    "sound": ("feature-extraction", _AUDIO),
    "image": ("image-feature-extraction", _VISION),
    None: ("feature-extraction", _LANGUAGE),
}
