"""Checks of how a plugin behaves beside others: threads, other formats, options, and stored bytes."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pluggy
import pytest

from model_registry import hookspecs
from model_registry.digests import sha256_of_file
from model_registry.errors import InvalidOptionError
from model_registry.hookspecs import GROUP, PROJECT, Source
from model_registry.operations.stored import files_of
from model_registry.records import ExportRequest, LoadRequest, ModelMetadata, SaveRequest
from model_registry.registry import ModelRegistry
from model_registry.testing.plugin_suite import PluginSuite, load, made, register, register_made
from model_registry.testing.samples import Sample
from model_registry.vocabulary import ModelFormat

THREADS = 4
#: A format that nobody owns.
FOREIGN = "somebody-elses"


class PluginManners(PluginSuite):
    """It keeps to its own formats, takes no option it does not know, and changes nothing that is stored."""

    def test_threads_register_and_load_at_once(self, registry: ModelRegistry, folder: Path) -> None:
        """All samples together, some of them several times."""
        samples = list(self.samples())
        works = samples * (1 + THREADS // max(1, len(samples)))
        models = [made(sample, folder) for sample in works]  # here: to make one may take a global seed
        together = threading.Barrier(THREADS)

        def work(number: int) -> bool:
            if number < THREADS:
                together.wait()
            sample, model = works[number], models[number]
            mine = register_made(registry, sample, model, f"sample-{number}")
            shared = register_made(registry, sample, model, "shared", version=None)
            return all(
                sample.equal(registry.load_model(entry.name, entry.version, **sample.load_options).model, model)
                for entry in (mine, shared)
            )

        with ThreadPoolExecutor(THREADS) as pool:
            assert all(pool.map(work, range(len(works))))
        assert len(registry.list_models(name="shared")) == len(works)
        assert registry.validate_registry(deep=True)["errors"] == []

    def test_loading_writes_nothing_to_the_registry(
        self, registry: ModelRegistry, folder: Path, sample: Sample
    ) -> None:
        register(registry, sample, folder)
        before = contents(registry.settings.path)
        load(registry, sample)
        assert contents(registry.settings.path) == before

    def test_other_formats_are_left_to_others(self, registry: ModelRegistry, folder: Path, sample: Sample) -> None:
        """``save``, ``load`` and ``export`` give None, the hooks that describe say nothing."""
        entry = register(registry, sample, folder)
        files = files_of(registry._context, entry)
        foreign = ModelMetadata("foreign", "1.0.0", ModelFormat(FOREIGN))
        hook, stage = self.hook(registry), RecordingStage(folder)
        save = SaveRequest(made(sample, folder), FOREIGN, {}, foreign)
        assert hook.save(request=save, stage=stage) is None, "save took it"
        assert stage.added == [], "save wrote something before it said that the format is none of its own"
        assert hook.load(request=LoadRequest(FOREIGN, {}, foreign), files=files) is None, "load took it"
        assert not any(hook.metadata(format=FOREIGN, files=files)), "metadata spoke of it"
        assert not [finding for told in hook.validate(format=FOREIGN, files=files) for finding in told]
        assert hook.tensors(format=FOREIGN, files=files) is None, "tensors told of it"
        assert hook.modules(format=FOREIGN, files=files) is None, "modules told of it"
        assert not any(hook.packages(format=FOREIGN)), "packages names some for it"
        for source, target in ((FOREIGN, entry.metadata.format), (entry.metadata.format, FOREIGN), (FOREIGN, FOREIGN)):
            request = ExportRequest(source, target, folder / "exported", {}, foreign)
            assert hook.export(request=request, files=files) is None, f"export took {source} to {target}"
            assert not request.destination.exists(), "export wrote something that it did not say it had written"

    def test_other_peoples_models_are_not_claimed(self, registry: ModelRegistry, folder: Path) -> None:
        text, empty = folder / "notes.txt", folder / "empty.bin"
        text.write_text("no model\n", encoding="utf-8")
        empty.touch()
        hook = self.hook(registry)
        for model in (object(), None, 1, "text", {}, [], {"a": 1}, text, empty, folder):
            assert hook.detect(model=model) == [], f"{model!r} is claimed"

    def test_options_that_it_does_not_know_are_refused(
        self, registry: ModelRegistry, folder: Path, sample: Sample
    ) -> None:
        with pytest.raises(InvalidOptionError, match="no_such_option"):
            register(registry, sample, folder, options={"no_such_option": 1})
        assert registry.list_models() == []
        register(registry, sample, folder)
        with pytest.raises(InvalidOptionError, match="no_such_option"):
            registry.load_model("sample", **{**sample.load_options, "no_such_option": 1})

    def hook(self, registry: ModelRegistry) -> Any:
        """The hooks of this plugin alone, as the core would call them."""
        from importlib_metadata import entry_points

        (point,) = entry_points(group=GROUP, name=self.plugin_name)
        factory = point.load()
        options = getattr(factory, "Options", None)
        plugin = factory(registry.settings.plugin_options(self.plugin_name, options)) if options else factory()
        manager = pluggy.PluginManager(PROJECT)
        manager.add_hookspecs(hookspecs)
        manager.register(plugin)
        return manager.hook


class RecordingStage:
    """A stage that only remembers what was added. See :class:`model_registry.hookspecs.Stage`."""

    def __init__(self, folder: Path) -> None:
        self.added: list[str] = []
        self._folder = folder / "stage"

    def add(self, path: str, source: Source, *, kind: str = "") -> None:
        self.added.append(path)

    def directory(self) -> Path:
        self.added.append("a folder")
        self._folder.mkdir(exist_ok=True)
        return self._folder


def contents(folder: Path, but: Sequence[str] = ("fingerprints.sqlite", "catalog.sqlite-shm")) -> dict[str, Any]:
    """What is in a registry's folder, but for what it only remembers."""
    return {
        str(path.relative_to(folder)): (path.stat().st_size, path.stat().st_mtime_ns, sha256_of_file(path))
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(tuple(but))
    }
