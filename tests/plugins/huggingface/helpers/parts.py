"""Tokenizers, processors and adapters, made small."""

from __future__ import annotations

import hf_zoo
import tokenizers
import transformers

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "model", "that", "is", "kept"]


def tokenizer() -> transformers.PreTrainedTokenizerFast:
    """Words of a small vocabulary."""
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="[UNK]"))
    words.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    return transformers.PreTrainedTokenizerFast(tokenizer_object=words, model_max_length=64, **special)


def image_processor() -> transformers.ViTImageProcessor:
    return transformers.ViTImageProcessor(size={"height": 32, "width": 32})


def feature_extractor() -> transformers.Wav2Vec2FeatureExtractor:
    return transformers.Wav2Vec2FeatureExtractor(feature_size=1, sampling_rate=16000)


def wav2vec2_processor() -> transformers.Wav2Vec2Processor:
    return transformers.Wav2Vec2Processor(feature_extractor=feature_extractor(), tokenizer=tokenizer())


def adapted(seed: int = 0):
    """A llama with an adapter that does something."""
    import peft
    import torch

    config = peft.LoraConfig(r=4, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM", init_lora_weights=False)
    torch.manual_seed(seed)
    return peft.get_peft_model(hf_zoo.make("llama"), config).eval()
