"""The kinds of files and folders that are told apart."""

from __future__ import annotations

import enum

from attrs import frozen


class Kind(enum.Enum):
    """What something is, with its name for people; ``format`` is that of the plugin made for it, if there is one."""

    # what PyTorch writes
    TORCH_STATE_DICT = ("state-dict", "a state dict of torch.save", "pytorch")
    TORCH_OBJECTS = ("torch-objects", "a file of torch.save that holds more than tensors, such as a module", "pytorch")
    TORCH_LEGACY = ("torch-legacy", "a file of torch.save in its old layout", "pytorch")
    TORCH_TAR = ("torch-tar", "a file of torch.save from before PyTorch 0.1.10", "pytorch")
    TORCHSCRIPT = ("torchscript", "a TorchScript archive", "torchscript")
    EXPORTED_PROGRAM = ("exported-program", "an exported program of torch.export (.pt2)", None)
    SAFETENSORS = ("safetensors", "a safetensors file", "pytorch")
    PYTORCH_FOLDER = ("pytorch-folder", "a PyTorch model exported from a registry", "pytorch")

    # what is made for running
    ONNX = ("onnx", "an ONNX model", "onnx")
    ORT = ("ort", "a model in ONNX Runtime's own format", "ort")
    ONNX_FOLDER = ("onnx-folder", "a folder with an ONNX model", "onnx")

    # what transformers and its relatives write
    TRANSFORMERS = ("transformers", "a transformers folder", "huggingface")
    PEFT = ("peft", "a folder of a PEFT adapter", "huggingface")
    TOKENIZER = ("tokenizer", "a folder with a tokenizer and no model", None)
    DIFFUSERS = ("diffusers", "a diffusers pipeline", None)

    # what others write
    GGUF = ("gguf", "GGUF", None)
    GGML = ("ggml", "GGML, the format before GGUF", None)
    TFLITE = ("tflite", "a TensorFlow Lite model", None)
    TF_SAVED_MODEL = ("saved-model", "a TensorFlow SavedModel", None)
    KERAS = ("keras", "a Keras archive", None)
    HDF5 = ("hdf5", "HDF5, as Keras wrote it before .keras", None)
    CORE_ML = ("core-ml", "a Core ML model", None)
    OPENVINO = ("openvino", "an OpenVINO model", None)
    TENSORRT = ("tensorrt", "a TensorRT engine", None)
    CATBOOST = ("catboost", "a CatBoost model", None)
    LIGHTGBM = ("lightgbm", "a LightGBM model", None)
    XGBOOST = ("xgboost", "an XGBoost model", None)
    MLFLOW = ("mlflow", "an MLflow model", None)
    NPY = ("npy", "an array of NumPy", None)
    NPZ = ("npz", "an archive of NumPy arrays", None)

    # what is no model
    PICKLE = ("pickle", "a pickle", None)
    PROTOBUF = ("protobuf", "a protocol buffer of another kind than ONNX", None)
    ZIP = ("zip", "a zip archive", None)
    TAR = ("tar", "a tar archive", None)
    COMPRESSED = ("compressed", "a compressed file", None)
    LFS_POINTER = ("lfs-pointer", "a pointer of Git LFS, in place of the file itself", None)
    HTML = ("html", "a web page", None)
    TEXT = ("text", "a text file", None)
    EMPTY = ("empty", "empty", None)
    FOLDER = ("folder", "a folder of no known kind", None)
    UNKNOWN = ("unknown", "of no known kind", None)

    def __init__(self, id: str, title: str, format: str | None) -> None:
        self.id = id
        self.title = title
        self.format = format


@frozen
class Content:
    """What was found.

    :param kind: What it is.
    :param problem: What is wrong with it, such as that it was cut short; empty if nothing is seen to be.
    """

    kind: Kind
    problem: str = ""
