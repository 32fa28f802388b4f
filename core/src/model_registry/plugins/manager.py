"""One plugin manager per registry: loads, orders and guards the plugins, and asks them through typed methods."""

from __future__ import annotations

import difflib
import logging
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pluggy
from attrs import frozen

from model_registry import hookspecs
from model_registry.config import Mistake, Settings
from model_registry.config.mistakes import configuration_error
from model_registry.errors import (
    ConfigurationError,
    ModelRegistryError,
    PluginError,
    PluginLoadError,
    StorageError,
    UnsupportedFormatError,
)
from model_registry.hookspecs import PROJECT, Bytes, Stage, VersionFiles
from model_registry.loaders import LoaderPlugin, Loaders
from model_registry.plugins.discovery import Candidate, candidates
from model_registry.plugins.settings_check import check_plugin_settings
from model_registry.records import (
    Conversion,
    Detection,
    Download,
    ExportRequest,
    Finding,
    FormatSpec,
    InputSpec,
    LoadedModel,
    LoadRequest,
    PluginInfo,
    Runner,
    SaveRequest,
    TensorRecord,
)
from model_registry.vocabulary import ModelFormat

if TYPE_CHECKING:
    from model_registry.records.archive import ColdFile, Encoded
    from model_registry.records.compression import Compression, CompressionReport, CompressRequest

logger = logging.getLogger("model_registry")

#: The distribution of the plugin that archives, and draws.
_ARCHIVES = "model-registry-compression"

#: What the names of custom loaders begin with, among those of plugins.
_LOADER = "loader:"
#: Formats whose plugin is the distribution ``model-registry-<format>``.
_NAMED_AFTER_ITS_FORMAT = (ModelFormat.PYTORCH, ModelFormat.ONNX, ModelFormat.HUGGINGFACE)


@frozen
class _Owned:
    """A format, and who owns it: a plugin's name, or "" for a custom loader."""

    spec: FormatSpec
    plugin: str
    distribution: str
    version: str


class Plugins:
    """The plugins of one registry. None is imported before the first question that needs one."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self._lock = threading.RLock()
        self._ready: dict[str, Candidate] = {}
        self._failed: dict[tuple[str, str], tuple[Candidate, str]] = {}
        self._owned: dict[str, _Owned] = {}
        self._replaced: dict[str, _Owned | None] = {}
        self._conflicts: list[str] = []
        self._misconfigured: list[ConfigurationError] = []
        self._candidates: list[Candidate] | None = None
        self.loaders = Loaders(self._add_loader, self._drop_loader)

    # What is there

    def infos(self) -> list[PluginInfo]:
        """Every installed plugin and how it is. Failures are told here, not raised."""
        try:
            self._load_all()
        except ModelRegistryError:
            if self._candidates is None:
                raise  # the configuration names plugins that are not there
        return [self._info(candidate) for candidate in self._candidates or ()]

    def formats(self) -> dict[str, FormatSpec]:
        """The formats that can be handled now, by id."""
        self._load_all()
        return {id: owned.spec for id, owned in sorted(self._owned.items())}

    def format(self, format: str, *, typed: bool = False) -> FormatSpec:
        """What is told of a format.

        :param typed: Somebody just said it, and may have meant another.
        :raises UnsupportedFormatError: if nothing handles it.
        """
        self._load_all()
        if format not in self._owned:
            raise self.unsupported(format, near=self._near(format) if typed else "")
        return self._owned[format].spec

    def owner(self, format: str) -> tuple[str, str]:
        """(plugin, its version) of a format; a custom loader has neither."""
        owned = self._owned.get(format)
        return (owned.plugin, owned.version) if owned else ("", "")

    def conversions(self) -> list[Conversion]:
        """Every export that some plugin offers."""
        self._load_all()
        return [conversion for offered in self._manager.hook.conversions() for conversion in offered]

    def _near(self, format: str) -> str:
        """The format that is almost called so, "" for none."""
        near = difflib.get_close_matches(format, {*self._owned, *map(str, _NAMED_AFTER_ITS_FORMAT)} - {format}, n=1)
        return near[0] if near else ""

    def unsupported(self, format: str, did: str = "handles", near: str = "") -> UnsupportedFormatError:
        """The final «None»: what is known, what is loaded, what failed and why, and what to install.

        :param near: The format that may be meant.
        """
        format = str(format)
        known = ", ".join(sorted(self._owned)) or "none"
        failures = "".join(f"; plugin {c.name} ({c.distribution}) failed: {why}" for c, why in self._failed.values())
        # Of formats nobody knows, the name comes from the version: no advice to install whatever it says.
        distribution = f"model-registry-{format.replace('_', '-')}" if format in _NAMED_AFTER_ITS_FORMAT else None
        advice = f"its plugin, {distribution}" if distribution else "the plugin that its authors name"
        disabled = [candidate.name for candidate in self._candidates or () if candidate.disabled]
        suggestion = f"did you mean {near!r}? If not, " if near and not distribution else ""
        return UnsupportedFormatError(
            f"no plugin {did} the format {format!r}; formats known: {known}; plugins loaded: "
            f"{', '.join(self._ready) or 'none'}{'; disabled: ' + ', '.join(disabled) if disabled else ''}{failures}",
            hint=f"{suggestion}install {advice}, or set registry.loaders[{format!r}]",
            format=format,
            distribution=distribution,
        )

    # The hooks, one typed method each

    def detect(self, model: Any) -> list[Detection]:
        """The claims on a model, the most specific first."""
        with self._guarded("detect"):
            claims: list[Detection] = self._hook.detect(model=model)
        return sorted(claims, key=lambda claim: -claim.rank)

    def download(self, repo_id: str, revision: str | None) -> Download | None:
        """A model from a hub, None if no plugin knows one."""
        with self._guarded("download"):
            found: Download | None = self._hook.download(repo_id=repo_id, revision=revision)
        return found

    def save(self, request: SaveRequest, stage: Stage) -> None:
        with self._guarded("save"):
            done = self._hook.save(request=request, stage=stage)
        if done is None:
            raise self.unsupported(request.format, "saves")

    def load(self, request: LoadRequest, files: VersionFiles) -> LoadedModel:
        with self._guarded("load"):
            loaded = self._hook.load(request=request, files=files)
        if loaded is None:
            raise self.unsupported(request.format, "loads")
        if not isinstance(loaded, LoadedModel):
            raise self._broken(request.format, f"load gave {type(loaded).__name__}, not LoadedModel")
        return loaded

    def export(self, request: ExportRequest, files: VersionFiles) -> None:
        with self._guarded("export"):
            done = self._hook.export(request=request, files=files)
        if done is None:
            raise self.unsupported(request.target_format, f"exports {request.source_format} to")

    def signature(self, request: LoadRequest, files: VersionFiles) -> list[InputSpec] | None:
        """What a model takes, None if no plugin knows."""
        with self._guarded("signature"):
            told = self._hook.signature(request=request, files=files)
        return None if told is None else list(told)

    def runner(self, request: LoadRequest, files: VersionFiles) -> Runner | None:
        """The model ready to be run, None if no plugin runs its format."""
        with self._guarded("runner"):
            runner: Runner | None = self._hook.runner(request=request, files=files)
        return runner

    def metadata(self, format: str, files: VersionFiles) -> dict[str, Any]:
        """What the plugins tell; the first one wins a field."""
        merged: dict[str, Any] = {}
        with self._guarded("metadata"):
            for answer in self._hook.metadata(format=format, files=files):
                merged = {**answer, **merged}
        return merged

    def validate(self, format: str, files: VersionFiles) -> list[Finding]:
        with self._guarded("validate"):
            return [finding for answer in self._hook.validate(format=format, files=files) for finding in answer]

    def tensors(self, format: str, files: VersionFiles) -> tuple[TensorRecord, ...] | None:
        """Every tensor of a version, None if no plugin tells."""
        with self._guarded("tensors"):
            told = self._hook.tensors(format=format, files=files)
            found = None if told is None else tuple(told)
        if not all(isinstance(tensor, TensorRecord) for tensor in found or ()):
            raise self._broken(format, "tensors gave something else than records of tensors")
        return found

    def modules(self, format: str, files: VersionFiles) -> Mapping[str, str] | None:
        """The lines of a version's module tree, None if no plugin tells."""
        with self._guarded("modules"):
            told = self._hook.modules(format=format, files=files)
            return None if told is None else {str(path): str(line) for path, line in told.items()}

    def difference(self, dtype: str, a: memoryview, b: memoryview) -> tuple[float, float] | None:
        """The greatest and the sum of the absolute differences, None if no plugin knows the dtype."""
        with self._guarded("difference"):
            told = self._hook.difference(dtype=dtype, a=a, b=b)
            if told is None:
                return None
            greatest, total = told
            return float(greatest), float(total)

    def compressions(self) -> list[Compression]:
        """The ways to make models smaller."""
        with self._guarded("compressions"):
            return [way for answer in self._hook.compressions() for way in answer]

    def compress(self, request: CompressRequest, files: VersionFiles) -> Any:
        with self._guarded("compress"):
            made = self._hook.compress(request=request, files=files)
        if made is None:
            raise self._broken(request.format, f"nothing compresses by {request.type}, though it is offered")
        return made

    def plotter(self) -> Callable[[CompressionReport, Path], object]:
        """What draws a report.

        :raises UnsupportedFormatError: if no plugin does.
        """
        with self._guarded("plotter"):
            told: Callable[[CompressionReport, Path], object] | None = self._hook.plotter()
        if told is None:
            raise UnsupportedFormatError("no installed plugin draws pictures", hint=f"pip install '{_ARCHIVES}[plot]'")
        return told

    def encode(self, cold: ColdFile) -> Iterator[Callable[[], Encoded]]:
        """What encodes the pieces of a file.

        :raises UnsupportedFormatError: if no plugin does.
        """
        with self._guarded("encode"):
            told = self._hook.encode(cold=cold)
        if told is None:
            raise _no_archiver("no plugin that archives is installed")
        return iter(told)

    def decode(self, method: str, data: memoryview, size: int, base: memoryview | None) -> Bytes:
        """The bytes of an archived piece.

        :raises UnsupportedFormatError: if no plugin knows the method.
        """
        told: Bytes | None = self._hook.decode(method=method, data=data, size=size, base=base)
        if told is None:
            raise _no_archiver(f"no plugin decodes what was archived by the method {method!r}")
        return told

    def packages(self, format: str) -> list[str]:
        """The distributions whose versions matter to models of a format, by every plugin's word."""
        with self._guarded("packages"):
            return sorted({str(name) for answer in self._hook.packages(format=format) for name in answer})

    def notify(self, event: str, **facts: Any) -> None:
        """Tell every plugin of something that has happened already; ``event`` is a lifecycle hook's name.

        A plugin that fails here is logged, and the others are told: what has happened is not undone by raising.
        """
        for plugin, error in self._each(event, facts):
            logger.error("plugin %s failed in %s", plugin, event, exc_info=error)

    def commands(self, group: Any) -> dict[str, str]:
        """Let every plugin add its commands to the command line; why it failed, for each that did."""
        failed = self._each("commands", {"group": group})
        return {plugin: f"{type(error).__name__}: {error}" for plugin, error in failed}

    def _each(self, hook: str, facts: Mapping[str, Any]) -> Iterator[tuple[str, Exception]]:
        """Call a hook of every plugin by itself, so that one that fails stops no other; the failures."""
        for implementation in reversed(getattr(self._hook, hook).get_hookimpls()):
            try:
                implementation.function(*(facts[name] for name in implementation.argnames))
            except Exception as error:
                yield implementation.plugin_name, error

    # Loading

    @property
    def _hook(self) -> Any:
        self._load_all()
        return self._manager.hook

    def _load_all(self) -> None:
        with self._lock:
            if self._candidates is not None:
                self._require_sound()
                return
            found = candidates(self._settings)
            # Before any import: a name that is misspelt may be that of a plugin which the user wants off.
            check_plugin_settings(self._settings, [candidate.name for candidate in found])
            self._candidates = found
            # pluggy asks the last registered plugin first.
            for candidate in reversed(found):
                if not candidate.disabled:
                    self._load(candidate)
            self._ready = dict(reversed(self._ready.items()))
            self._require_sound()

    def _load(self, candidate: Candidate) -> None:
        """Load one plugin; whatever goes wrong is remembered for the moment when it is needed or listed."""
        if candidate.problem:
            self._failed[candidate.name, candidate.distribution] = (candidate, candidate.problem)
            return
        try:
            plugin = self._make(candidate)
            self._register(plugin, candidate)
        except ConfigurationError as error:
            self._misconfigured.append(error)
            self._failed[candidate.name, candidate.distribution] = (candidate, error.message)
        except Exception as error:  # a plugin may fail in any way, and must not take the registry with it
            self._failed[candidate.name, candidate.distribution] = (candidate, f"{type(error).__name__}: {error}")

    def _make(self, candidate: Candidate) -> Any:
        factory = candidate.entry_point.load()
        if not isinstance(factory, type):
            raise TypeError(f"its entry point is a {type(factory).__name__}, not a class")
        options = getattr(factory, "Options", None)
        return factory(self._settings.plugin_options(candidate.name, options)) if options else factory()

    def _register(self, plugin: Any, candidate: Candidate) -> None:
        try:
            self._manager.register(plugin, name=candidate.name)
            self._refuse_unknown_hooks(plugin)
            specs = list(plugin.formats()) if hasattr(plugin, "formats") else []
            for spec in specs:
                if not isinstance(spec, FormatSpec):
                    raise TypeError(f"formats gave a {type(spec).__name__}, not a FormatSpec")
        except Exception:
            if self._manager.has_plugin(candidate.name):
                self._manager.unregister(name=candidate.name)
            raise
        self._ready[candidate.name] = candidate
        self._own(specs, candidate.name, candidate.distribution, candidate.version)

    def _refuse_unknown_hooks(self, plugin: Any) -> None:
        """pluggy lets misspelt hooks pass until it is asked."""
        known = [name for name in vars(self._manager.hook) if getattr(self._manager.hook, name).has_spec()]
        for caller in self._manager.get_hookcallers(plugin) or ():
            wraps = any(mine.plugin is plugin and (mine.wrapper or mine.hookwrapper) for mine in caller.get_hookimpls())
            if wraps and caller.name in hookspecs.EACH_BY_ITSELF:
                raise TypeError(f"it wraps the hook {caller.name!r}, of which each plugin is told by itself")
            if not caller.has_spec():
                near = difflib.get_close_matches(caller.name, known, n=1)
                raise TypeError(
                    f"it implements an unknown hook {caller.name!r}" + (f"; meant {near[0]!r}?" if near else "")
                )

    def _own(self, specs: list[FormatSpec], plugin: str, distribution: str, version: str) -> None:
        for spec in specs:
            other = self._owned.get(spec.id)
            if other is not None and other.plugin and plugin:
                problem = f"both {other.distribution} and {distribution} claim the format {spec.id!r}"
                self._conflicts.append(problem)
            self._owned[spec.id] = _Owned(spec, plugin, distribution, version)

    def _require_sound(self) -> None:
        """Raise what the user has to put right: options, and formats with two owners."""
        if self._misconfigured:
            told = [mistake for error in self._misconfigured for mistake in cast("list[Mistake]", error.mistakes)]
            raise configuration_error(told)
        if self._conflicts:
            raise PluginError(
                "; ".join(self._conflicts), hint="disable one of the plugins in registry.toml, or uninstall it"
            )

    def _info(self, candidate: Candidate) -> PluginInfo:
        _, problem = self._failed.get((candidate.name, candidate.distribution), (None, ""))
        status = "disabled" if candidate.disabled else "failed" if problem else "ready"
        formats = tuple(sorted(id for id, owned in self._owned.items() if owned.plugin == candidate.name))
        return PluginInfo(candidate.name, candidate.distribution, candidate.version, status, formats, problem)

    # Custom loaders

    def _add_loader(self, plugin: LoaderPlugin) -> None:
        self._load_all()
        self._manager.register(plugin, name=f"{_LOADER}{plugin.format}")
        self._replaced[plugin.format] = self._owned.get(plugin.format)
        self._own(plugin.formats(), "", "", "")

    def _drop_loader(self, plugin: LoaderPlugin) -> None:
        self._manager.unregister(plugin)
        owned = self._replaced.pop(plugin.format)
        if owned is None:
            del self._owned[plugin.format]
        else:
            self._owned[plugin.format] = owned

    # Failures

    @contextmanager
    def _guarded(self, hook: str) -> Iterator[None]:
        """Let the registry's errors pass; say of any other that it was the plugin's. A custom loader's pass as they
        are: they are the caller's own."""
        try:
            yield
        except (ModelRegistryError, MemoryError):
            raise
        except Exception as error:
            name = self._culprit(hook, error)
            if name.startswith(_LOADER):
                raise
            candidate = self._ready.get(name)
            who = f"plugin {name} ({candidate.distribution})" if candidate else "a plugin"
            raise _as_ours(error, f"{who} failed in {hook}: {type(error).__name__}: {error}", candidate) from error

    def _culprit(self, hook: str, error: Exception) -> str:
        """The name of the plugin in whose implementation of a hook an error was raised; the innermost, if they wrap."""
        frames = [frame.f_code for frame, _ in traceback.walk_tb(error.__traceback__)]
        raised = {
            frames.index(code): implementation.plugin_name
            for implementation in getattr(self._manager.hook, hook).get_hookimpls()
            if (code := getattr(implementation.function, "__code__", None)) in frames
        }
        return raised[max(raised)] if raised else ""

    def _broken(self, format: str, what: str) -> PluginError:
        owned = self._owned[format]
        who = f"plugin {owned.plugin} ({owned.distribution})"
        return PluginError(f"{who} broke its contract: {what}", plugin=owned.plugin, distribution=owned.distribution)


def _as_ours(error: Exception, message: str, culprit: Candidate | None) -> ModelRegistryError:
    facts: Mapping[str, object] = {"plugin": culprit and culprit.name, "distribution": culprit and culprit.distribution}
    if isinstance(error, ImportError):
        return PluginLoadError(message, hint="install what it needs", **facts)
    if isinstance(error, OSError):
        return StorageError(message, hint="nothing became visible", **facts)
    return PluginError(message, hint="please tell its authors", **facts)


def _no_archiver(message: str) -> UnsupportedFormatError:
    return UnsupportedFormatError(message, hint=f"install {_ARCHIVES}", format="archive", distribution=_ARCHIVES)
