"""Run in a new process: ``python -m model_registry.testing.child QUESTION ANSWER_FILE``; facts come on stdin."""

from __future__ import annotations

import importlib
import importlib.util
import json
import operator
import sys
from pathlib import Path
from typing import Any

from model_registry.testing.plugin_suite import PluginSuite, is_equal, register
from model_registry.testing.samples import Sample


def samples(suite: dict[str, str], registry: str, labels: list[str]) -> dict[str, dict[str, str]]:
    """Of each sample: whether ``sample-<n>`` of the registry loads equal, and the digest of one made here."""
    here = Path.cwd()
    checks = _suite(**suite)
    found = {sample.label: sample for sample in checks.samples()}
    return {
        label: {
            "loaded": _loaded(checks, found[label], Path(registry), here / f"loaded-{number}", f"sample-{number}"),
            "digest": _digest(checks, found[label], here / f"anew-{number}", f"sample-{number}"),
        }
        for number, label in enumerate(labels)
    }


def imports(plugin: str, frameworks: list[str], registry: str, disabled: list[str]) -> dict[str, list[str]]:
    """The frameworks imported by each step that must do without."""
    from importlib_metadata import entry_points

    from model_registry.hookspecs import GROUP
    from model_registry.operations.stored import files_of
    from model_registry.registry import ModelRegistry

    answers = {"nothing": _imported(frameworks)}
    (point,) = entry_points(group=GROUP, name=plugin)
    point.load()
    answers["importing the plugin"] = _imported(frameworks)
    opened = ModelRegistry(registry, disabled_plugins=disabled)
    opened.plugins()
    opened.formats()
    answers["listing plugins"] = _imported(frameworks)
    entries = opened.list_models()
    answers["listing models"] = _imported(frameworks)
    for entry in entries:
        for describe in (opened._context.plugins.tensors, opened._context.plugins.modules):
            describe(entry.metadata.format, files_of(opened._context, entry))
    answers["telling what models are made of"] = _imported(frameworks)
    for model in (object(), {"a": 1}, b"bytes", Path(__file__), Path(__file__).parent):
        opened._context.plugins.detect(model)
    answers["looking at other people's models"] = _imported(frameworks)
    return answers


def _imported(frameworks: list[str]) -> list[str]:
    return sorted({name.partition(".")[0] for name in sys.modules} & set(frameworks))


def _loaded(checks: PluginSuite, sample: Sample, registry: Path, folder: Path, name: str) -> str:
    try:
        equal = is_equal(checks.open(registry), sample, folder, name)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "equal" if equal else "different"


def _digest(checks: PluginSuite, sample: Sample, folder: Path, name: str) -> str:
    try:
        return register(checks.open(folder / "models"), sample, folder, name).digest
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def _suite(module: str, file: str, name: str) -> PluginSuite:
    """An instance of the author's class: from its module, or from its file where the module has no importable name."""
    try:
        spec = importlib.util.find_spec(module)
    except ImportError:
        spec = None
    if spec is not None and spec.origin is not None and Path(spec.origin).absolute() == Path(file):
        found = importlib.import_module(module)
    else:
        spec = importlib.util.spec_from_file_location(module, file)
        if spec is None or spec.loader is None:
            raise ImportError(f"{file} is no Python module")
        # Under the same name: a model's class may be one of this module's.
        found = sys.modules[module] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(found)
    suite: type[PluginSuite] = operator.attrgetter(name)(found)
    return suite()


if __name__ == "__main__":
    _, question, answer = sys.argv
    facts: dict[str, Any] = json.load(sys.stdin)
    reply = samples(**facts) if question == "samples" else imports(**facts)
    Path(answer).write_text(json.dumps(reply), encoding="utf-8")
