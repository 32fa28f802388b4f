"""Small models of many architectures, with random weights, made from their configurations."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import torch
import transformers

#: Sizes by the names that configurations have for them.
SMALL: Mapping[str, Any] = {
    "vocab_size": 128,
    "hidden_size": 32,
    "d_model": 32,
    "n_embd": 32,
    "dim": 32,
    "embedding_size": 16,
    "intermediate_size": 64,
    "hidden_dim": 64,
    "d_ff": 64,
    "ffn_dim": 64,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
    "moe_intermediate_size": 16,
    "d_kv": 16,
    "head_dim": 16,
    "num_hidden_layers": 2,
    "n_layers": 2,
    "n_layer": 2,
    "num_layers": 2,
    "num_decoder_layers": 2,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "num_attention_heads": 2,
    "n_head": 2,
    "n_heads": 2,
    "num_heads": 2,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "n_positions": 64,
    "max_source_positions": 64,
    "max_target_positions": 64,
    "image_size": 32,
    "patch_size": 8,
    "num_experts": 4,
    "num_local_experts": 4,
    "num_experts_per_tok": 2,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 1,
}


def small(config_class: type, **overrides: Any) -> Any:
    """A configuration with every size small that it has by a usual name."""
    known = config_class().to_dict()
    return config_class(**{**{name: value for name, value in SMALL.items() if name in known}, **overrides})


def text(batch: int = 2, length: int = 7) -> dict[str, torch.Tensor]:
    ids = torch.arange(batch * length).reshape(batch, length) % 100 + 3
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


def both_sides() -> dict[str, torch.Tensor]:
    return {**text(), "decoder_input_ids": text(length=4)["input_ids"]}


def image(size: int = 32, channels: int = 3) -> dict[str, torch.Tensor]:
    return {"pixel_values": torch.linspace(-1, 1, 2 * channels * size * size).reshape(2, channels, size, size)}


def sound(length: int = 1600) -> dict[str, torch.Tensor]:
    return {"input_values": torch.linspace(-1, 1, 2 * length).reshape(2, length).sin()}


def spectrogram(length: int = 128, bins: int = 16) -> dict[str, torch.Tensor]:
    features = torch.linspace(-1, 1, 2 * bins * length).reshape(2, bins, length)
    return {"input_features": features, "decoder_input_ids": text(length=4)["input_ids"]}


def image_and_text(size: int = 32) -> dict[str, torch.Tensor]:
    return {**text(), **image(size)}


Inputs = Callable[[], dict[str, torch.Tensor]]
_WAV = {
    "conv_dim": [16, 16],
    "conv_stride": [4, 4],
    "conv_kernel": [8, 4],
    "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
}
_CLIP_PARTS = {
    "text_config": {
        **{k: SMALL[k] for k in ("hidden_size", "intermediate_size", "num_hidden_layers")},
        "num_attention_heads": 2,
        "vocab_size": 128,
        "max_position_embeddings": 64,
        "eos_token_id": 2,
        "bos_token_id": 1,
        "pad_token_id": 0,
    },
    "vision_config": {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": 32,
        "patch_size": 8,
    },
}
_LAYERED = {"embed_dim": 16, "depths": [1, 1], "num_heads": [2, 2], "window_size": 4, "patch_size": 2}

#: label: (class, configuration class, overrides, inputs)
MODELS: Mapping[str, tuple[str, str, Mapping[str, Any], Inputs]] = {
    # text, reading
    "bert": ("BertModel", "BertConfig", {}, text),
    "bert-masked": ("BertForMaskedLM", "BertConfig", {}, text),
    "bert-pairs": ("BertForNextSentencePrediction", "BertConfig", {}, text),
    "bert-pretraining": ("BertForPreTraining", "BertConfig", {}, text),
    "roberta": ("RobertaForSequenceClassification", "RobertaConfig", {"num_labels": 3}, text),
    "distilbert": ("DistilBertForQuestionAnswering", "DistilBertConfig", {}, text),
    "albert": ("AlbertForTokenClassification", "AlbertConfig", {}, text),
    "electra": ("ElectraForPreTraining", "ElectraConfig", {}, text),
    "deberta": ("DebertaV2ForSequenceClassification", "DebertaV2Config", {}, text),
    "mpnet": ("MPNetForMaskedLM", "MPNetConfig", {}, text),
    "xlm-roberta": ("XLMRobertaForTokenClassification", "XLMRobertaConfig", {}, text),
    "modernbert": ("ModernBertForMaskedLM", "ModernBertConfig", {}, text),
    "funnel": ("FunnelForSequenceClassification", "FunnelConfig", {"block_sizes": [1, 1], "d_head": 16}, text),
    # text, writing
    "gpt2": ("GPT2LMHeadModel", "GPT2Config", {}, text),
    "gpt-neox": ("GPTNeoXForCausalLM", "GPTNeoXConfig", {}, text),
    "opt": ("OPTForCausalLM", "OPTConfig", {"word_embed_proj_dim": 32}, text),
    "bloom": ("BloomForCausalLM", "BloomConfig", {}, text),
    "llama": ("LlamaForCausalLM", "LlamaConfig", {}, text),
    "mistral": ("MistralForCausalLM", "MistralConfig", {}, text),
    "qwen2": ("Qwen2ForCausalLM", "Qwen2Config", {}, text),
    "qwen3": ("Qwen3ForCausalLM", "Qwen3Config", {}, text),
    "gemma2": ("Gemma2ForCausalLM", "Gemma2Config", {}, text),
    "phi3": ("Phi3ForCausalLM", "Phi3Config", {}, text),
    "olmo2": ("Olmo2ForCausalLM", "Olmo2Config", {}, text),
    "cohere": ("CohereForCausalLM", "CohereConfig", {}, text),
    "llama-classifier": ("LlamaForSequenceClassification", "LlamaConfig", {}, text),
    # mixture of experts
    "mixtral": ("MixtralForCausalLM", "MixtralConfig", {}, text),
    "qwen2-moe": ("Qwen2MoeForCausalLM", "Qwen2MoeConfig", {"shared_expert_intermediate_size": 32}, text),
    "olmoe": ("OlmoeForCausalLM", "OlmoeConfig", {}, text),
    # state space and the like
    "mamba": ("MambaForCausalLM", "MambaConfig", {"state_size": 8}, text),
    "mamba2": (
        "Mamba2ForCausalLM",
        "Mamba2Config",
        {"state_size": 8, "num_heads": 4, "head_dim": 16, "n_groups": 1},
        text,
    ),
    "rwkv": (
        "RwkvForCausalLM",
        "RwkvConfig",
        {"attention_hidden_size": 32},
        lambda: {"input_ids": text()["input_ids"]},
    ),
    "recurrent-gemma": (
        "RecurrentGemmaForCausalLM",
        "RecurrentGemmaConfig",
        {"lru_width": 32, "num_hidden_layers": 3},
        text,
    ),
    # both sides
    "t5": ("T5ForConditionalGeneration", "T5Config", {}, both_sides),
    "t5-encoder": ("T5EncoderModel", "T5Config", {}, text),
    "bart": ("BartForConditionalGeneration", "BartConfig", {}, both_sides),
    "marian": ("MarianMTModel", "MarianConfig", {"decoder_vocab_size": 128}, both_sides),
    "pegasus": ("PegasusForConditionalGeneration", "PegasusConfig", {}, both_sides),
    # vision
    "vit": ("ViTForImageClassification", "ViTConfig", {"num_labels": 5}, image),
    "deit": ("DeiTForImageClassificationWithTeacher", "DeiTConfig", {}, image),
    "dinov2": ("Dinov2Model", "Dinov2Config", {}, image),
    "beit": ("BeitForImageClassification", "BeitConfig", {}, image),
    "swin": ("SwinForImageClassification", "SwinConfig", _LAYERED, image),
    "convnext": (
        "ConvNextForImageClassification",
        "ConvNextConfig",
        {"hidden_sizes": [16, 32], "depths": [1, 1], "num_stages": 2},
        image,
    ),
    "resnet": (
        "ResNetForImageClassification",
        "ResNetConfig",
        {"embedding_size": 16, "hidden_sizes": [16, 32], "depths": [1, 1]},
        image,
    ),
    "mobilenet": ("MobileNetV2ForImageClassification", "MobileNetV2Config", {}, image),
    "segformer": (
        "SegformerForSemanticSegmentation",
        "SegformerConfig",
        {
            "hidden_sizes": [8, 16, 24, 32],
            "depths": [1, 1, 1, 1],
            "num_attention_heads": [1, 1, 2, 2],
            "decoder_hidden_size": 16,
        },
        lambda: image(64),
    ),
    "vit-mae": (
        "ViTMAEForPreTraining",
        "ViTMAEConfig",
        {
            "decoder_hidden_size": 16,
            "decoder_num_hidden_layers": 1,
            "decoder_num_attention_heads": 2,
            "decoder_intermediate_size": 32,
            "mask_ratio": 0.0,
        },
        lambda: {**image(), "noise": torch.linspace(0, 1, 32).reshape(2, 16)},
    ),
    # sound
    "wav2vec2": ("Wav2Vec2ForCTC", "Wav2Vec2Config", _WAV, sound),
    "hubert": ("HubertForSequenceClassification", "HubertConfig", _WAV, sound),
    "whisper": ("WhisperForConditionalGeneration", "WhisperConfig", {"num_mel_bins": 16}, spectrogram),
    "ast": (
        "ASTForAudioClassification",
        "ASTConfig",
        {"max_length": 32, "num_mel_bins": 16},
        lambda: {"input_values": torch.linspace(-1, 1, 2 * 32 * 16).reshape(2, 32, 16)},
    ),
    # several kinds at once
    "clip": ("CLIPModel", "CLIPConfig", {**_CLIP_PARTS, "projection_dim": 16}, image_and_text),
    "clip-text": ("CLIPTextModelWithProjection", "CLIPTextConfig", {"projection_dim": 16}, text),
    "siglip": ("SiglipModel", "SiglipConfig", _CLIP_PARTS, image_and_text),
    "blip": ("BlipForConditionalGeneration", "BlipConfig", {**_CLIP_PARTS, "projection_dim": 16}, image_and_text),
}


@functools.cache
def config(label: str) -> Any:
    _, config_name, overrides, _ = MODELS[label]
    return small(getattr(transformers, config_name), **overrides)


def make(label: str, seed: int = 0) -> Any:
    """The model of an architecture; the same weights for the same seed."""
    torch.manual_seed(seed)
    return getattr(transformers, MODELS[label][0])(config(label)).eval()


def run(label: str, model: Any) -> list[torch.Tensor]:
    """Every output tensor on the architecture's own inputs."""
    torch.manual_seed(1)
    with torch.no_grad():
        found = model(**MODELS[label][3]())
    return [value for value in flat(found.to_tuple()) if isinstance(value, torch.Tensor)]


def flat(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        for item in value:
            yield from flat(item)
    else:
        yield value
