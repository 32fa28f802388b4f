"""What the checks of a plugin have in common: the author's part, and registries that nothing else configures."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from model_registry.hookspecs import GROUP
from model_registry.records import LoadedModel, ModelEntry
from model_registry.registry import ModelRegistry
from model_registry.testing.samples import RefusedFile, Sample

_numbers = itertools.count()


class PluginSuite:
    """The author's part of :class:`model_registry.testing.PluginConformance`."""

    #: The name of the plugin's entry point.
    plugin_name: ClassVar[str]
    #: Top-level modules that neither importing the plugin nor listing models may import.
    frameworks: ClassVar[Sequence[str]] = ()
    #: What ``[plugins.<name>]`` says while the checks run.
    plugin_options: ClassVar[Mapping[str, Any]] = {}

    def samples(self) -> Sequence[Sample]:
        """Models that must be stored and come back. Called whenever pytest collects, and in new processes."""
        return ()

    def refused_files(self) -> Sequence[RefusedFile]:
        """Files that must be refused before anything in them runs."""
        return ()

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """One test for each sample, and for each file that must be refused."""
        for name, items in (("sample", self.samples()), ("refused", self.refused_files())):
            if name in metafunc.fixturenames:
                metafunc.parametrize(name, items, ids=[item.label for item in items])

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Iterator[Path]:
        """An empty folder, which is the current one; no configuration of the caller's counts."""
        with alone(tmp_path):
            yield tmp_path

    @pytest.fixture
    def registry(self, folder: Path) -> ModelRegistry:
        """An empty registry with this plugin and no other."""
        return self.open(folder / "models")

    def open(self, path: Path) -> ModelRegistry:
        """A registry that knows this plugin and no other."""
        from importlib_metadata import entry_points

        others = sorted({point.name for point in entry_points(group=GROUP)} - {self.plugin_name})
        return ModelRegistry(path, disabled_plugins=others, plugins={self.plugin_name: dict(self.plugin_options)})


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Make a folder the current one, and forget what the environment says of registries, for a while."""
    with pytest.MonkeyPatch.context() as patch:
        for variable in [name for name in os.environ if name.startswith("MODEL_REGISTRY_")]:
            patch.delenv(variable)
        patch.chdir(folder)
        yield


def made(sample: Sample, folder: Path) -> Any:
    """The sample's model, made in a new folder inside this one."""
    own = folder / f"made-{next(_numbers)}"
    own.mkdir(parents=True)
    return sample.make(own)


def register(registry: ModelRegistry, sample: Sample, folder: Path, name: str = "sample", **more: Any) -> ModelEntry:
    """Make a sample and register it, as version 1.0.0 unless told otherwise."""
    return register_made(registry, sample, made(sample, folder), name, **more)


def register_made(registry: ModelRegistry, sample: Sample, model: Any, name: str, **more: Any) -> ModelEntry:
    keywords = {"version": "1.0.0", **sample.options, **more}
    return registry.register_model(name, model, sample.format, **keywords)


def load(registry: ModelRegistry, sample: Sample, name: str = "sample") -> LoadedModel:
    return registry.load_model(name, **sample.load_options)


def is_equal(registry: ModelRegistry, sample: Sample, folder: Path, name: str = "sample") -> bool:
    """Whether a registered sample loads as what its ``make`` gives."""
    return bool(sample.equal(load(registry, sample, name).model, made(sample, folder)))
