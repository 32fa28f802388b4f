"""Custom loaders: a format of one's own without a package, set on one registry at run time.

::

    registry.loaders[ModelFormat.CUSTOM] = CustomLoader()
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import Any

from model_registry.errors import UnsupportedModelError
from model_registry.hookspecs import Stage, VersionFiles, hookimpl
from model_registry.plain_files import files_below
from model_registry.records import FormatSpec, LoadedModel, LoadRequest, SaveRequest

#: The member under which a loader's own file or folder is kept.
_MODEL = "saved-by-loader"


class ModelLoader(ABC):
    """Reads and writes models of a format of your own. Nothing a loader writes is trusted later: it is hashed."""

    @abstractmethod
    def load(self, model_path: str, **kwargs: Any) -> Any:
        """The model from the file or folder at ``model_path``, which ``save`` wrote or the user registered."""

    @abstractmethod
    def save(self, model: Any, model_path: str, **kwargs: Any) -> Any:
        """Write the model as a file, or as a folder, at ``model_path``. The result is ignored."""

    def get_metadata(self, model: Any, model_path: str | None = None) -> Mapping[str, Any]:
        """Fields of ``ModelMetadata``; other keys go to ``extra``."""
        return {}

    def supported_formats(self) -> Iterable[str]:
        """The formats this loader is for; for people."""
        return []


class LoaderPlugin:
    """A loader as a plugin of one registry."""

    def __init__(self, format: str, loader: ModelLoader) -> None:
        self.format = format
        self.loader = loader

    @hookimpl
    def formats(self) -> list[FormatSpec]:
        save, load = _keywords(self.loader.save), _keywords(self.loader.load)
        takes_any = any(_takes_any(method) for method in (self.loader.save, self.loader.load))
        title = f"{type(self.loader).__name__} of this process"
        return [FormatSpec(self.format, title, save_options=save, load_options=load, open_options=takes_any)]

    @hookimpl(tryfirst=True)
    def save(self, request: SaveRequest, stage: Stage) -> bool | None:
        if request.format != self.format:
            return None
        if isinstance(request.model, Path):
            add_as_is(request.model, stage)
            return True
        target = stage.directory() / _MODEL
        self.loader.save(request.model, str(target), **request.options)
        if not target.exists():
            raise UnsupportedModelError(
                f"{type(self.loader).__name__}.save wrote nothing to its model_path",
                hint="write a file or a folder there",
            )
        return True

    @hookimpl(tryfirst=True)
    def load(self, request: LoadRequest, files: VersionFiles) -> LoadedModel | None:
        if request.format != self.format:
            return None
        model = self.loader.load(str(model_path(files)), **request.options)
        return model if isinstance(model, LoadedModel) else LoadedModel(model)

    def describe(self, model: Any, files: VersionFiles) -> Mapping[str, Any]:
        """What the loader tells of a model; asked with the object, which hooks do not see."""
        return self.loader.get_metadata(model, str(model_path(files))) or {}


class Loaders(MutableMapping[str, ModelLoader]):
    """The loaders of a registry by format. A loader set here goes before any installed plugin."""

    def __init__(self, register: Callable[[LoaderPlugin], None], unregister: Callable[[LoaderPlugin], None]) -> None:
        self._plugins: dict[str, LoaderPlugin] = {}
        self._register = register
        self._unregister = unregister

    def __getitem__(self, format: str) -> ModelLoader:
        return self._plugins[str(format)].loader

    def __setitem__(self, format: str, loader: ModelLoader) -> None:
        if not isinstance(loader, ModelLoader):
            raise TypeError(f"loaders[{str(format)!r}] takes an instance of ModelLoader, not {type(loader).__name__}")
        if format in self:
            del self[format]
        plugin = LoaderPlugin(str(format), loader)
        self._register(plugin)
        self._plugins[str(format)] = plugin

    def __delitem__(self, format: str) -> None:
        self._unregister(self._plugins.pop(str(format)))

    def __iter__(self) -> Iterator[str]:
        return iter(self._plugins)

    def __len__(self) -> int:
        return len(self._plugins)

    def plugin(self, format: str) -> LoaderPlugin | None:
        """The plugin that a loader became."""
        return self._plugins.get(format)


def add_as_is(source: Path, stage: Stage) -> None:
    """Keep a user's file or folder byte for byte, under its own names."""
    if source.is_dir():
        for path, file in files_below(source):
            stage.add(path, file)
    else:
        stage.add(source.name, source.resolve())  # a link that the user names is the user's word


def model_path(files: VersionFiles) -> Path:
    """The path a loader is given: what it wrote, the single file that was registered, or the folder."""
    paths = list(files)
    if any(path.split("/")[0] == _MODEL for path in paths):
        return files.directory() / _MODEL
    return files.directory() / paths[0] if len(paths) == 1 else files.directory()


def _keywords(method: Callable[..., Any]) -> frozenset[str]:
    kinds = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [name for name, parameter in inspect.signature(method).parameters.items() if parameter.kind in kinds]
    return frozenset(names) - {"model", "model_path"}


def _takes_any(method: Callable[..., Any]) -> bool:
    parameters = inspect.signature(method).parameters.values()
    return any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters)
