"""Checks of what a plugin is called, what it owns, and what importing it costs."""

from __future__ import annotations

from pathlib import Path

import pytest
from attrs import fields, has

from model_registry.errors import ConfigurationError
from model_registry.hookspecs import GROUP
from model_registry.records import PluginInfo
from model_registry.registry import ModelRegistry
from model_registry.testing.plugin_suite import PluginSuite, alone, register
from model_registry.testing.processes import ask
from model_registry.testing.samples import Sample

STEPS = (
    "importing the plugin",
    "listing plugins",
    "listing models",
    "telling what models are made of",
    "looking at other people's models",
)


class PluginIdentity(PluginSuite):
    """One name everywhere; formats of its own; no framework before a model needs it."""

    def test_it_has_one_name_everywhere(self) -> None:
        from importlib_metadata import entry_points

        points = list(entry_points(group=GROUP, name=self.plugin_name))
        assert len(points) == 1, f"{len(points)} entry points of the group {GROUP} are called {self.plugin_name!r}"
        package = points[0].module.partition(".")[0]
        suffix = self.plugin_name.replace("-", "_")
        assert package == suffix or package.endswith(f"_{suffix}"), (
            f"the import package {package!r} does not end in the entry point's name {self.plugin_name!r}"
        )

    def test_it_is_ready(self, registry: ModelRegistry) -> None:
        (info,) = [info for info in registry.plugins() if info.name == self.plugin_name]
        assert (info.status, info.problem) == ("ready", "")

    def test_its_options_are_those_of_its_class(self, folder: Path) -> None:
        """``[plugins.<name>]`` is read, and a key that its class does not have is told."""
        from importlib_metadata import entry_points

        (point,) = entry_points(group=GROUP, name=self.plugin_name)
        options = getattr(point.load(), "Options", None)
        if options is None:
            return
        assert has(options), f"Options of {point.value} is no attrs class"
        assert all(field.name in dir(options) or field.init for field in fields(options))
        table = {**self.plugin_options, "no_such_option": 1}
        with pytest.raises(ConfigurationError, match="no_such_option"):
            ModelRegistry(folder / "models", plugins={self.plugin_name: table}).formats()

    def test_its_formats_and_conversions_are_its_own(self, registry: ModelRegistry) -> None:
        info = self.info(registry)
        for conversion in registry._context.plugins.conversions():
            assert {conversion.source, conversion.target} & {*info.formats}, f"{conversion} is between others' formats"
        for id in info.formats:
            spec = registry.formats()[id]
            assert id == id.strip().lower() != ""
            assert spec.title.strip()
            assert all(suffix.startswith(".") for suffix in spec.suffixes)

    def test_a_sample_is_of_its_formats(self, registry: ModelRegistry, folder: Path, sample: Sample) -> None:
        """Also where nobody says the format: the plugin recognises its own."""
        entry = register(registry, sample, folder)
        assert entry.metadata.format in self.info(registry).formats

    def test_no_framework_is_imported_before_it_is_needed(self, tmp_path: Path) -> None:
        with alone(tmp_path):
            registry = self.open(tmp_path / "models")
            for number, sample in enumerate(self.samples()):
                register(registry, sample, tmp_path, f"sample-{number}")
        answers = ask(
            "imports",
            tmp_path,
            plugin=self.plugin_name,
            frameworks=list(self.frameworks),
            registry=str(tmp_path / "models"),
            disabled=list(registry.settings.disabled_plugins),
        )
        assert answers["nothing"] == [], "the kit itself, or the interpreter's start, imports this"
        for step in STEPS:
            assert answers[step] == [], f"{step} imports {', '.join(answers[step])}"

    def info(self, registry: ModelRegistry) -> PluginInfo:
        (info,) = [info for info in registry.plugins() if info.name == self.plugin_name]
        return info
