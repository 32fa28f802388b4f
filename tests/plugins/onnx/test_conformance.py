"""The plugin passes the kit that every plugin has to pass."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_zoo
import onnxruntime

from model_registry.testing import PluginConformance, RefusedFile, Sample


def feeds(session, batch=2):
    """The same inputs for any model of the zoo."""
    return {item.name: _feed(item, batch) for item in session.get_inputs()}


def _feed(item, batch):
    shape = [size if isinstance(size, int) else batch for size in item.shape]
    return np.array(True) if item.type == "tensor(bool)" else onnx_zoo.weights(*shape, seed=5)


def session_of(made):
    if isinstance(made, onnx.ModelProto):
        made = made.SerializeToString()
    source = made if isinstance(made, bytes) else str(made)
    return onnxruntime.InferenceSession(source, providers=["CPUExecutionProvider"])


def computes_the_same(loaded, made):
    expected = session_of(made)
    given = feeds(expected)
    return all(map(np.array_equal, loaded.run(None, given), expected.run(None, given)))


def holds_the_same(loaded, made):
    """Equal protocol buffers, wherever their tensors were."""
    return loaded.SerializeToString(deterministic=True) == made.SerializeToString(deterministic=True)


def ort_file(folder):
    onnx.save(onnx_zoo.mlp(), folder / "net.onnx")
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(folder / "net.ort")
    options.add_session_config_entry("session.save_model_format", "ORT")
    onnxruntime.InferenceSession(str(folder / "net.onnx"), options, providers=["CPUExecutionProvider"])
    return folder / "net.ort"


def folder_of(folder):
    onnx_zoo.saved(folder)
    (folder / "labels.txt").write_text("a\nb\nc\nd\n")
    return folder


def refused(change):
    """A file with external data of which one thing is wrong."""

    def make(folder):
        path = onnx_zoo.with_external_data(folder)
        change(folder, path)
        return path

    return make


def external(**entries):
    """Say something else about where the first tensor lies."""

    def change(folder, path):
        model = onnx.load(path, load_external_data=False)
        tensor = model.graph.initializer[0]
        said = {entry.key: entry.value for entry in tensor.external_data} | entries
        del tensor.external_data[:]
        for key, value in said.items():
            tensor.external_data.add(key=key, value=value)
        path.write_bytes(model.SerializeToString())

    return change


def linked(folder, path):
    (folder / "weights" / "all.bin").rename(folder / "elsewhere.bin")
    (folder / "weights" / "all.bin").symlink_to(folder / "elsewhere.bin")


def written(name, content):
    def make(folder):
        (folder / name).write_bytes(content)
        return folder / name

    return make


class TestOnnx(PluginConformance):
    plugin_name = "onnx"
    frameworks = ("onnx", "onnxruntime", "numpy", "google.protobuf")

    def samples(self):
        told = {"parameters_count": 208, "framework": "onnx", "model_type": "classification"}
        proto = {"as_": "proto"}
        return [
            Sample("proto", lambda folder: onnx_zoo.mlp(), computes_the_same, metadata=told),
            Sample("proto-again", lambda folder: onnx_zoo.mlp(), holds_the_same, load_options=proto),
            Sample("large", lambda folder: onnx_zoo.wide(), computes_the_same, metadata={"parameters_count": 1228800}),
            Sample("large-again", lambda folder: onnx_zoo.wide(), holds_the_same, load_options=proto),
            Sample("branching", lambda folder: onnx_zoo.branching(), computes_the_same),
            Sample("file", onnx_zoo.saved, computes_the_same, metadata=told),
            Sample("external", onnx_zoo.with_external_data, computes_the_same, unchecked=["weights/all.bin"]),
            Sample("bytes", lambda folder: onnx_zoo.mlp().SerializeToString(), computes_the_same),
            Sample("folder", folder_of, lambda a, b: computes_the_same(a, b / "net.onnx"), unchecked=["labels.txt"]),
            Sample("ort", ort_file, computes_the_same, deterministic=False, unchecked=["model.ort"]),
        ]

    def refused_files(self):
        return [
            RefusedFile("cut", lambda folder: cut(onnx_zoo.saved(folder))),
            RefusedFile("empty", written("empty.onnx", b""), "onnx"),
            RefusedFile("text", written("text.onnx", b"hello"), "onnx"),
            RefusedFile("zip", written("model.onnx", b"PK\x05\x06" + bytes(18)), "onnx"),
            RefusedFile("missing", refused(lambda folder, path: (folder / "weights" / "all.bin").unlink())),
            RefusedFile("parent", refused(external(location="../all.bin"))),
            RefusedFile("absolute", refused(external(location="/etc/passwd"))),
            RefusedFile("negative-offset", refused(external(offset="-4096"))),
            RefusedFile("huge-length", refused(external(length="99999999999"))),
            RefusedFile("beyond", refused(external(offset="100000"))),
            RefusedFile("short", refused(external(length="4"))),
            RefusedFile("no-number", refused(external(offset="0x10"))),
            RefusedFile("link", refused(linked)),
            RefusedFile("unsound", lambda folder: onnx_zoo.saved(folder, unsound())),
        ]


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])
    return path


def unsound():
    """A node takes what nobody gives."""
    model = onnx_zoo.mlp()
    model.graph.node[1].input[0] = "nowhere"
    return model
