"""Checks of files that are broken, cut short, changed by a bit, or hostile: told, and nothing in them runs."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from model_registry.digests import sha256_of_file
from model_registry.errors import ModelRegistryError, PluginError, UnsafeModelError, UnsupportedModelError
from model_registry.files import StagedFiles
from model_registry.hookspecs import VersionFiles
from model_registry.manifest import media_type
from model_registry.plain_files import files_below
from model_registry.records import FileRecord, Finding, FormatSpec, LoadRequest, ModelEntry
from model_registry.registry import ModelRegistry
from model_registry.staged import StagedFile
from model_registry.testing.plugin_suite import PluginSuite, register
from model_registry.testing.samples import RefusedFile, Sample

#: Bytes at the start of a file, where most formats have their structure, of which each is changed once.
HEAD = 32
#: Bytes changed in the rest of a file.
MORE = 32
SEVERITIES = ("error", "warning", "info")


class PluginDamage(PluginSuite):
    """Nothing is trusted: no file breaks the plugin, and none makes it run something."""

    def test_a_sound_model_has_no_error(self, registry: ModelRegistry, folder: Path, sample: Sample) -> None:
        register(registry, sample, folder)
        found = registry.validate_registry(deep=True)
        assert found["errors"] == []
        assert found["valid_models"] == 1

    def test_a_member_that_was_cut_short_is_found(self, registry: ModelRegistry, folder: Path, sample: Sample) -> None:
        damage = Damage(registry, register(registry, sample, folder), folder / "damaged")
        missed = [
            f"{path}, cut from {len(content)} bytes to {length}"
            for path in sorted(set(damage.members) - set(sample.unchecked))
            for content in [damage.members[path].read_bytes()]
            for length in sorted({0, 1, len(content) // 2, len(content) - 1} & set(range(len(content))))
            if content[length:].strip()  # a text without its last line's end is whole
            if not damage.is_told(path, content[:length])
        ]
        assert not missed, "validate has no error about these"

    def test_no_changed_byte_breaks_it(self, registry: ModelRegistry, folder: Path, sample: Sample) -> None:
        """Whatever a file holds, the hooks that read it answer, or raise an error of the registry's own."""
        damage = Damage(registry, register(registry, sample, folder), folder / "damaged")
        chosen = random.Random(0)  # noqa: S311  # the same bytes in every run
        for path, file in damage.members.items():
            content = bytearray(file.read_bytes())
            places = {*range(min(HEAD, len(content))), *(chosen.randrange(len(content)) for _ in content[:MORE])}
            for place in sorted(places):
                bit = 1 << chosen.randrange(8)
                content[place] ^= bit
                damage.is_told(path, bytes(content))
                damage.read(path, bytes(content), sample)
                content[place] ^= bit

    def test_a_file_that_must_be_refused_is_and_nothing_runs(
        self, registry: ModelRegistry, folder: Path, refused: RefusedFile
    ) -> None:
        path = refused.make(folder)
        before = {file for file in folder.rglob("*") if not file.is_relative_to(folder / "models")}
        error = None
        try:
            registry.register_model("refused", path, refused.format)
            registry.load_model("refused")
        except ModelRegistryError as raised:
            error = raised
        after = {file for file in folder.rglob("*") if not file.is_relative_to(folder / "models")}
        assert after <= before, f"it ran: it left {', '.join(file.name for file in after - before)}"
        assert error is not None, "it was registered and loaded"
        assert isinstance(error, (UnsafeModelError, UnsupportedModelError)), f"{type(error).__name__}: {error}"
        assert str(error).isprintable(), "the error is not one line of text"
        assert registry.list_models() == [], "it became a version"


class Damage:
    """The members of a version in a folder, to look at them with other bytes in one of them."""

    def __init__(self, registry: ModelRegistry, entry: ModelEntry, folder: Path) -> None:
        self._plugins = registry._context.plugins
        self._blobs = registry._context.blobs
        self._entry = entry
        self._spec: FormatSpec = registry.formats()[entry.metadata.format]
        registry.export_model(entry.name, entry.version, folder, entry.metadata.format)
        self.members = dict(files_below(folder))

    def is_told(self, path: str, content: bytes) -> bool:
        """Whether ``validate`` calls it an error."""
        with self._changed(path, content) as files:
            try:
                findings = self._plugins.validate(self._entry.metadata.format, files)
            except ModelRegistryError as error:
                require_own(error, f"validating {path} with other bytes")
                return True
        for finding in findings:
            require_complete(finding)
        return any(finding.severity == "error" for finding in findings)

    def read(self, path: str, content: bytes, sample: Sample) -> None:
        """Describe and load it, without a permission to execute anything."""
        options = {key: value for key, value in sample.load_options.items() if key in self._spec.load_options}
        request = LoadRequest(self._spec.id, options, self._entry.metadata)
        ways: dict[str, Callable[[VersionFiles], object]] = {
            "metadata": partial(self._plugins.metadata, self._spec.id),
            "tensors": partial(self._plugins.tensors, self._spec.id),
            "modules": partial(self._plugins.modules, self._spec.id),
        }
        if not self._spec.executes_code:  # else the core asks for permission first
            ways["load"] = partial(self._plugins.load, request)
        with self._changed(path, content) as files:
            for hook, way in ways.items():
                try:
                    way(files)
                except ModelRegistryError as error:
                    require_own(error, f"{hook} of {path} with other bytes")

    @contextmanager
    def _changed(self, path: str, content: bytes) -> Iterator[VersionFiles]:
        file = self.members[path]
        original = file.read_bytes()
        file.write_bytes(content)
        try:
            yield StagedFiles([_staged(name, member) for name, member in self.members.items()], self._blobs)
        finally:
            file.write_bytes(original)


def require_own(error: ModelRegistryError, doing: str) -> None:
    """Fail for an error that the core had to make of something that the plugin let out."""
    if isinstance(error, PluginError) or "plugin" in error.facts:
        pytest.fail(f"{doing}: {error}")


def require_complete(finding: Finding) -> None:
    assert finding.severity in SEVERITIES, f"{finding} has a severity that is none of {', '.join(SEVERITIES)}"
    assert finding.code, f"{finding} has no code"
    assert finding.message, f"{finding} has no message"


def _staged(path: str, file: Path) -> StagedFile:
    record = FileRecord(path, file.stat().st_size, sha256_of_file(file), media_type(path))
    return StagedFile(record, file, lambda: file)
