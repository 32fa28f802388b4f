"""The whole contract between the core and its plugins.

A plugin is an installed distribution with an entry point in the group ``model_registry.plugins``. The entry point's
name is the plugin's name, its TOML table ``[plugins.<name>]`` and the suffix of its import package. It resolves to a
class; the core makes one instance per registry::

    class Plugin:
        Options = MyOptions          # optional: an attrs class, filled from [plugins.<name>]

        def __init__(self, options: MyOptions) -> None: ...

        @hookimpl
        def formats(self): return [FormatSpec("numpy", "NumPy array", load_options=frozenset({"mmap_mode"}))]

        @hookimpl
        def save(self, request, stage):
            if request.format != "numpy":
                return None          # not mine
            stage.add("array.npy", to_npy(request.model))
            return True

        @hookimpl
        def load(self, request, files):
            if request.format != "numpy":
                return None
            return LoadedModel(numpy.load(files.local("array.npy"), **request.options))

Importing a plugin must import no framework: do that inside the functions that need it. An implementation may take any
subset of a hook's arguments. ``wrapper=True`` implementations see every call of a hook and may change its result; the
lifecycle hooks and ``commands`` cannot be wrapped, since each plugin is told by itself.
Exceptions of the registry's own tree pass through; any other is reported as the plugin's failure, with its cause.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pluggy

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
    ModelEntry,
    Runner,
    SaveRequest,
    TensorRecord,
)

if TYPE_CHECKING:
    from model_registry.records.archive import ColdFile, Encoded
    from model_registry.records.compression import Compression, CompressionReport, CompressRequest

PROJECT = "model_registry"
#: Hooks that are called plugin by plugin, so that one that fails stops no other.
EACH_BY_ITSELF = frozenset({"registered", "loaded", "released", "removed", "restored", "commands"})
GROUP = "model_registry.plugins"
#: The member that holds the inputs which the caller gave as ``example_inputs=``. The core writes it, in any format.
EXAMPLE_INPUTS = "example_inputs.safetensors"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)

#: What a member's bytes may be given as. A callable is called once or twice, in a worker thread, when its turn comes,
#: so a plugin can make bytes late (copy a tensor from a GPU) and hold few of them at a time.
Bytes = bytes | bytearray | memoryview
Source = Bytes | Sequence[Bytes] | Callable[[], Sequence[Bytes]] | Path


class Stage(Protocol):
    """Where ``save`` puts the files of the version being registered. The core hashes, stores and syncs them."""

    def add(self, path: str, source: Source, *, kind: str = "") -> None:
        """Add a member.

        Members are hashed and written by several threads at once, beginning now, and bytes that the registry already
        holds are not written again. Memory and files given here must stay as they are until ``register_model`` has
        returned; a callable is called in a worker thread, perhaps twice, and must not wait for other members.

        :param path: Path inside the version, with ``/``; ASCII, no ``..``, at most 512 characters.
        :param source: Its bytes, or a file to copy them from.
        :param kind: ``"weight"``, ``"config"``, ``"doc"``, ``"code"`` or ``"dataset"``: what the file is, for other
            tools that read the manifest. Guessed from the suffix when empty.
        :raises InvalidNameError: for a path that is not safe, or given twice.
        """

    def directory(self) -> Path:
        """A folder for libraries that write files themselves: each file in it becomes a member of the same path."""


class VersionFiles(Protocol):
    """The files of one version, as ``load``, ``metadata``, ``validate`` and ``export`` see them.

    Whatever is handed out has been verified against its SHA-256, unless the version is just being registered.
    """

    def __iter__(self) -> Iterator[str]:
        """The members' paths, sorted."""

    def __contains__(self, path: object) -> bool: ...

    def size(self, path: str) -> int:
        """Bytes of a member."""

    def verify(self, paths: Iterable[str] | None = None) -> None:
        """Verify members now, several at once; all of them by default. ``local`` does it one by one.

        :raises IntegrityError: naming the member whose bytes do not match.
        """

    def local(self, path: str) -> Path:
        """A verified local file with the member's bytes. Read it or map it, never write to it. Its name is no hint.

        :raises IntegrityError: if the bytes do not match, or the file is gone.
        :raises KeyError: if the version has no such member.
        """

    def read(self, path: str, limit: int = 64 << 20) -> bytes:
        """The bytes of a small member; at most ``limit`` bytes, UnsafeModelError beyond."""

    def directory(self) -> Path:
        """A folder with every member under its own path (links), for libraries that want one. Lives until the
        loaded model is garbage collected."""


@hookspec
def formats() -> Iterable[FormatSpec]:  # type: ignore[empty-body]
    """The formats that this plugin owns. Two owners of one format are an error that names both."""


@hookspec
def conversions() -> Iterable[Conversion]:  # type: ignore[empty-body]
    """The exports that ``export`` can do, so that the core can plan chains of them, and list them."""


@hookspec
def detect(model: Any) -> Detection | None:
    """Say whether a model is of a format of this plugin, by its content and never by its name alone.

    :param model: An object in memory, or a ``pathlib.Path`` to an existing file or folder. Nothing of it may be
        executed, at most 1 MiB of a file be read, and no framework be imported that the caller has not imported.
    :returns: A claim with a rank, or None for «not mine». The highest rank of all plugins wins.
    """


@hookspec(firstresult=True)
def download(repo_id: str, revision: str | None) -> Download | None:
    """Fetch a model from a hub, pinned to what the revision names now, for ``save`` to take. ``progress_here()`` gives
    what to tell of the bytes that have come.

    :raises SourceNotFoundError: if there is no such model.
    """


@hookspec(firstresult=True)
def save(request: SaveRequest, stage: Stage) -> bool | None:
    """Write the model into ``stage``, deterministically: equal models give equal bytes.

    :returns: True when done, None for «not my format».
    :raises UnsupportedModelError: naming what cannot be stored and what to do.
    :raises UnsafeModelError: for a file that asks for more than data.
    """


@hookspec
def metadata(format: str, files: VersionFiles) -> Mapping[str, Any] | None:
    """What the files tell about the model without running it: fields of ``ModelMetadata``; other keys go to ``extra``.

    Every plugin is asked; the first in the configured order wins a field, and what the caller said wins over all.
    """


@hookspec(firstresult=True)
def load(request: LoadRequest, files: VersionFiles) -> LoadedModel | None:
    """Make the model from its files, mapping weights rather than reading them. None means «not my format».

    Code from the artifact runs only after ``request.require_code_permission(...)``; formats that declare
    ``executes_code`` are only loaded after the core has asked that itself.

    :raises UnsafeModelError: for files that ask for more than they may.
    """


@hookspec(firstresult=True)
def export(request: ExportRequest, files: VersionFiles) -> bool | None:
    """Write the version in another format to ``request.destination``. True when done, None for «not mine»."""


@hookspec(firstresult=True)
def signature(request: LoadRequest, files: VersionFiles) -> Sequence[InputSpec] | None:
    """What the model takes, so that values for it can be made; None for «not my format» or «nobody knows».

    ``request.metadata`` tells what the caller said of the inputs. ``EXAMPLE_INPUTS`` are run beside what is made by it.
    """


@hookspec(firstresult=True)
def runner(request: LoadRequest, files: VersionFiles) -> Runner | None:
    """The model, ready to be run for comparison: on the CPU, in evaluation mode. None for «not my format».

    The files need not be those of a version: an export that is being checked is run before anybody sees it.
    """


@hookspec
def validate(format: str, files: VersionFiles) -> Iterable[Finding] | None:
    """Look at the structure of the files, without executing anything. Asked when registering (an ``error`` refuses the
    version) and by ``validate_registry``. ``where`` may name only the file: the core puts the version in front."""


@hookspec(firstresult=True)
def tensors(format: str, files: VersionFiles) -> Iterable[TensorRecord] | None:
    """Every tensor of a version, by its name in the model: what headers tell, without running anything or importing a
    framework. None means «not my format», or that the format does not tell.

    Each lies within one member, uncompressed, so that versions can be compared without the plugin. A tensor that has
    several names is told under each.

    :raises UnsafeModelError: for headers that are not sound.
    """


@hookspec(firstresult=True)
def modules(format: str, files: VersionFiles) -> Mapping[str, str] | None:
    """The parts that a model is made of, by path in the module tree, where "" is the model itself: one line each, such
    as ``torch.nn.modules.linear.Linear(in_features=4, out_features=16, bias=True)``.

    Equal modules have equal lines; long values are shortened so that others still look different. None like above.
    """


@hookspec(firstresult=True)
def difference(dtype: str, a: memoryview, b: memoryview) -> tuple[float, float] | None:
    """The greatest and the sum of the absolute differences of two pieces of a tensor, element by element.

    Called piece by piece from several threads, so it must not wait for other work, and keep neither buffer.

    :param dtype: As in ``TensorRecord``. None for one that this plugin does not know.
    :param a: The bytes of whole elements; ``b`` has as many.
    :returns: NaN against NaN counts as 0, and NaN against anything else as infinity, which is never hidden by a sum.
    """


@hookspec
def compressions() -> Iterable[Compression]:  # type: ignore[empty-body]
    """The ways to make models smaller that ``compress`` knows."""


@hookspec(firstresult=True)
def compress(request: CompressRequest, files: VersionFiles) -> Any | None:
    """Make a smaller model of a version: what ``save`` of the same format takes, an object or a path.

    The core compares the result with its source before it registers it. None for a type or format of somebody else.

    :raises UnsupportedModelError: for a model of which nothing gets smaller.
    """


@hookspec(firstresult=True)
def plotter() -> Callable[[CompressionReport, Path], object] | None:
    """What draws a report as a picture: into the file that the path names, of the kind that its suffix says.

    Asked before anything is tried, so what it needs has to be there: :raises PluginLoadError: if not.
    """


@hookspec(firstresult=True)
def encode(cold: ColdFile) -> Iterable[Callable[[], Encoded]] | None:
    """Make a file of a version that is seldom used smaller: what encodes its pieces, in the order of the file.

    Each is called once, in a thread, several at once. The core decodes everything again before it relies on it.
    """


@hookspec(firstresult=True)
def decode(method: str, data: memoryview, size: int, base: memoryview | None) -> Bytes | None:
    """The bytes of a piece that ``encode`` made; None for a method of somebody else.

    Called from several threads, with bytes that may have been changed: what cannot be decoded is an error, never more
    than ``size`` bytes.

    :param base: The bytes of the piece that ``Encoded.base`` named.
    """


@hookspec
def packages(format: str) -> Iterable[str] | None:
    """The distributions whose versions matter to models of this format, such as ``["torch", "numpy"]``. Their versions
    are kept in the environment of each version that is registered. None for «not my format»."""


@hookspec
def registered(entry: ModelEntry) -> None:
    """A version has become visible."""


@hookspec
def loaded(entry: ModelEntry, model: Any) -> None:
    """A version was loaded."""


@hookspec
def released(entry: ModelEntry) -> None:
    """A ``temporary_model`` block ended: free what the framework keeps, such as cached device memory."""


@hookspec
def removed(entry: ModelEntry) -> None:
    """A version was removed; it may still be restored."""


@hookspec
def restored(entry: ModelEntry) -> None:
    """A removed version is visible again."""


@hookspec
def commands(group: Any) -> None:
    """Add commands to the command line: ``group`` is the ``click.Group`` of ``model-registry``. Called only when a
    command is not one of the core's, or for ``--help``."""
