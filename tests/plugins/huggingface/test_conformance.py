"""The plugin passes the kit that every plugin has to pass."""

from __future__ import annotations

import json

import hf_zoo
import parts
import torch

from model_registry.testing import PluginConformance, RefusedFile, Sample


def model(label):
    return lambda folder: hf_zoo.make(label)


def folder_of(label, **options):
    def make(folder):
        hf_zoo.make(label).save_pretrained(folder, **options)
        return folder

    return make


def same(loaded, made):
    """Equal bit by bit, and of one class."""
    one, other = loaded.state_dict(), made.state_dict()
    return (
        type(loaded) is type(made)
        and list(one) == list(other)
        and all(torch.equal(one[name], other[name]) for name in one)
    )


def same_as(label):
    """A folder is compared with the model that it was saved from, which is made here: not in the kit's threads."""
    expected = hf_zoo.make(label)
    return lambda loaded, folder: same(loaded, expected)


def changed(**settings):
    """A folder whose configuration says something else."""

    def make(folder):
        folder_of("bert")(folder)
        config = folder / "config.json"
        config.write_text(json.dumps({**json.loads(config.read_text()), **settings}))
        return folder

    return make


def pickled(folder):
    hf_zoo.make("bert").config.save_pretrained(folder)
    torch.save(hf_zoo.make("bert").state_dict(), folder / "pytorch_model.bin")
    return folder


def index_says(change):
    def make(folder):
        folder_of("bert", max_shard_size="20KB")(folder)
        index = folder / "model.safetensors.index.json"
        content = json.loads(index.read_text())
        change(content)
        index.write_text(json.dumps(content))
        return folder

    return make


def escape(content):
    name = next(iter(content["weight_map"]))
    content["weight_map"][name] = "../outside.safetensors"


def link(folder):
    folder_of("bert")(folder)
    (folder / "model.safetensors").rename(folder.parent / "moved.safetensors")
    (folder / "model.safetensors").symlink_to(folder.parent / "moved.safetensors")
    return folder


def cut(folder):
    folder_of("bert")(folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    return folder


def nested_code(folder):
    folder_of("bert")(folder)
    (folder / "tokenizer_config.json").write_text('{"auto_map": {"AutoTokenizer": ["evil.Tokenizer", null]}}')
    return folder


class TestHuggingFace(PluginConformance):
    plugin_name = "huggingface"
    frameworks = ("torch", "transformers", "numpy", "safetensors", "huggingface_hub", "peft")

    def samples(self):
        told = {"parameters_count": 24416, "framework": "transformers", "model_type": "language_model"}
        return [
            Sample("bert", model("bert"), same, metadata=told),
            Sample("classifier", model("vit"), same, metadata={"model_type": "classification"}),
            Sample("both-sides", model("t5"), same),
            Sample("with-tokenizer", model("bert"), same, options={"tokenizer": parts.tokenizer()}),
            Sample("folder", folder_of("gpt2"), same_as("gpt2")),
            Sample("sharded", folder_of("bert", max_shard_size="20KB"), same_as("bert"), metadata=told),
            Sample("sharded-here", model("bert"), same, options={"max_shard_size": "20KB"}),
        ]

    def refused_files(self):
        return [
            RefusedFile("remote-code", changed(auto_map={"AutoModel": "evil.Model"})),
            RefusedFile("remote-code-of-the-tokenizer", nested_code),
            RefusedFile("pickled", pickled),
            RefusedFile("escape", index_says(escape)),
            RefusedFile("index-without-files", index_says(lambda content: content.pop("weight_map"))),
            RefusedFile("link", link),
            RefusedFile("cut", cut),
            RefusedFile("no-config", lambda folder: folder, "huggingface"),
        ]
