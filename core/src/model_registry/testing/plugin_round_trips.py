"""Checks that models come back, here and in a new process, and that equal models are equal bytes."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import pytest
from attrs import field, frozen

from model_registry.errors import UnsupportedModelError
from model_registry.records import LoadedModel
from model_registry.registry import ModelRegistry
from model_registry.testing.plugin_suite import PluginSuite, alone, is_equal, load, register
from model_registry.testing.processes import ask, reference
from model_registry.testing.samples import Sample


@frozen
class Elsewhere:
    """What another process came to: by sample, the digest here, and its answers."""

    here: dict[str, str]
    there: dict[str, dict[str, str]] = field(repr=False)

    def of(self, sample: Sample) -> tuple[str, dict[str, str]]:
        assert sample.label in self.here, "it could not be registered: see the checks in this process"
        return self.here[sample.label], self.there[sample.label]


class PluginRoundTrips(PluginSuite):
    """What goes in comes out."""

    _elsewhere: ClassVar[dict[type, Elsewhere]] = {}

    @pytest.fixture
    def elsewhere(self, tmp_path_factory: pytest.TempPathFactory) -> Elsewhere:
        """All samples in one other process: starting one for each would import the framework as often."""
        suite = type(self)
        if suite not in self._elsewhere:
            self._elsewhere[suite] = self._ask_elsewhere(tmp_path_factory.mktemp("elsewhere"))
        return self._elsewhere[suite]

    def _ask_elsewhere(self, folder: Path) -> Elsewhere:
        digests = {}
        with alone(folder):
            registry = self.open(folder / "models")
            for number, sample in enumerate(self.samples()):
                with suppress(Exception):  # told by the checks of this process, with its traceback
                    digests[sample.label] = register(registry, sample, folder, f"sample-{number}").digest
        labels = [sample.label for sample in self.samples()]
        facts: dict[str, Any] = {"suite": reference(type(self)), "registry": str(registry.settings.path)}
        return Elsewhere(digests, ask("samples", folder, **facts, labels=labels))

    def test_a_model_comes_back_equal(self, registry: ModelRegistry, folder: Path, sample: Sample) -> None:
        register(registry, sample, folder)
        loaded = load(registry, sample)
        assert isinstance(loaded, LoadedModel)
        assert is_equal(registry, sample, folder), f"{loaded.model!r} is not what was registered"

    def test_a_model_comes_back_equal_in_a_new_process(self, elsewhere: Elsewhere, sample: Sample) -> None:
        _, answers = elsewhere.of(sample)
        assert answers["loaded"] == "equal"

    def test_equal_models_have_one_digest(self, registry: ModelRegistry, folder: Path, sample: Sample) -> None:
        require_deterministic(sample)
        first = register(registry, sample, folder)
        again = register(registry, sample, folder, exist_ok=True)
        assert again.digest == first.digest

    def test_equal_models_have_one_digest_in_a_new_process(self, elsewhere: Elsewhere, sample: Sample) -> None:
        require_deterministic(sample)
        digest, answers = elsewhere.of(sample)
        assert answers["digest"] == digest, "do not write times, random names, or what iterates in no order"

    def test_every_export_that_is_offered_can_be_made(
        self, registry: ModelRegistry, folder: Path, sample: Sample
    ) -> None:
        """Unless the plugin says why this model cannot be written so."""
        entry = register(registry, sample, folder)
        offered = registry._context.plugins.conversions()
        known = registry.formats()
        targets = [c.target for c in offered if c.source == entry.metadata.format and c.target in known]
        for target in {str(entry.metadata.format), *targets}:
            path = folder / f"exported-{target}"
            with suppress(UnsupportedModelError):
                registry.export_model("sample", "1.0.0", path, target)
                assert path.exists(), f"the export as {target!r} wrote nothing"
        assert entry.verify_integrity(), "exporting changed the version"


def require_deterministic(sample: Sample) -> None:
    if not sample.deterministic:
        pytest.skip("its framework writes equal models differently, says its author")
