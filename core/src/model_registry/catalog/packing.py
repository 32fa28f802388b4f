"""Metadata documents, packed: they are two thirds of a catalog, and mostly say the same words.

Raw deflate with a dictionary of what every document says. The first byte names the dictionary, so that another one can
be added; those that were written stay readable.
"""

from __future__ import annotations

import zlib

_FIRST = b"\x01"
#: What is likely stands last, where deflate reaches it with the shortest distances. Never change it: add another.
_DICTIONARY = (
    b'"compression_ratio":,"compression_type":"original_size_mb":"paper_url":"https://arxiv.org/abs/'
    b'"repository_url":"https://github.com/"python_version":"3.1"dependencies":["torch>=2","numpy>='
    b'"training_dataset":"training_epochs":"training_framework":"PyTorch 2.'
    b'"license":"apache-2.0"license":"MIT","author":"'
    b'"input_shape":[1,3,224,224],"output_shape":[1000],"tags":["production","prod","classification"],'
    b'"model_type":"regression","model_type":"embedding","model_type":"computer_vision","model_type":"language_model",'
    b'"model_type":"custom","name":"model_type":"classification","name":"'
    b'"performance_metrics":{"precision":0.9,"recall":0.9,"f1_score":0.9,"f1":0.9,"loss":0.0,"accuracy":0.9}'
    b'"dtypes":{"float16":,"int8":,"int64":,"bfloat16":,"float32":},"layers":{"Conv2d":1,"Dropout":1,"Embedding":1,'
    b'"LayerNorm":1,"BatchNorm2d":1,"Flatten":1,"Linear":2,"ReLU":1,"Sequential":1}'
    b'"parameters_count":,"performance_metrics":{"accuracy":0.9'
    b'{"metadata":{"description":"","extra":{"buffers_count":0,"dtypes":{"float32":},"layers":{"Linear":,"Sequential":1},'
    b'"trainable_parameters":,"weights_bytes":},"format":"onnx","format":"huggingface","format":"pytorch",'
    b'"framework":"pytorch","model_size_mb":0.,"model_type":"custom","name":"","parameters_count":,"version":"1.0.0"},'
    b'"schemaVersion":1,"writer":{"plugin":"pytorch","version":"0.1.0"}}'
)


def pack(document: str) -> bytes:
    """A document as the catalog keeps it."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15, zdict=_DICTIONARY)
    return _FIRST + packer.compress(document.encode()) + packer.flush()


def unpack(packed: bytes, limit: int = 64 << 20) -> str:
    """The document again.

    :raises ValueError: for what was not packed here, or is more than ``limit`` bytes long.
    """
    if packed[:1] != _FIRST:
        raise ValueError("a packed document begins with another byte")
    unpacker = zlib.decompressobj(-15, zdict=_DICTIONARY)
    try:
        data = unpacker.decompress(packed[1:], limit)
    except zlib.error as error:
        raise ValueError(f"a packed document is damaged: {error}") from error
    if unpacker.unconsumed_tail or not unpacker.eof:
        raise ValueError("a packed document is cut off, or too long")
    return data.decode()
