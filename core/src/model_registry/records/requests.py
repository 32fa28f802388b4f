"""What plugins are asked to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import field, frozen

from model_registry.errors import PermissionRequiredError
from model_registry.records.metadata import ModelMetadata, Parent


@frozen
class SaveRequest:
    """What ``save`` is asked to do.

    :param model: The object in memory, or a ``pathlib.Path`` to an existing file or folder.
    :param format: The id of the format to store.
    :param options: The keyword arguments named in the format's ``save_options``.
    :param metadata: What the caller said of the model; read only.
    :param code_allowed: The user permitted that code from the artifact runs. False almost always.
    """

    model: Any
    format: str
    options: Mapping[str, Any]
    metadata: ModelMetadata
    code_allowed: bool = False


@frozen
class Arrival:
    """Files that came from elsewhere, hashed while they came, for ``register_model`` to take over: those that are
    registered as they are move into the registry and are read no more.

    :param path: The file or folder, on the file system of the registry; nobody else may write there any more.
    :param digests: The SHA-256 of each file, by its path. The caller vouches for them.
    """

    path: Path
    digests: Mapping[Path, str]


@frozen
class Download:
    """What a plugin fetched from a hub.

    :param model: What ``save`` of the same plugin takes.
    :param format: The format to register it in.
    :param metadata: What the hub tells of it, as keywords of ``register_model``; the caller's word goes before.
    :param digests: SHA-256 by path, as far as the hub tells them. Other bytes are refused.
    """

    model: Any
    format: str
    metadata: Mapping[str, Any]
    digests: Mapping[str, str] = field(factory=dict)


@frozen
class ParentVersion:
    """What a version comes from, as far as this registry has it.

    :param parent: What the version says of it.
    :param format: The parent's format.
    :param files: Its files, as :class:`model_registry.hookspecs.VersionFiles`.
    """

    parent: Parent
    format: str
    files: Any


@frozen
class LoadRequest:
    """What ``load`` is asked to do.

    :param format: The format of the stored version.
    :param options: The keyword arguments named in the format's ``load_options``.
    :param metadata: The version's metadata.
    :param code_allowed: The user permitted that code from the artifact runs. False almost always.
    """

    format: str
    options: Mapping[str, Any]
    metadata: ModelMetadata
    code_allowed: bool = False
    _refuse: Callable[[str], Exception] | None = field(default=None, eq=False, repr=False, alias="refuse")
    _parents: Callable[[], Sequence[ParentVersion]] = field(default=tuple, eq=False, repr=False, alias="parents")

    def parents(self) -> Sequence[ParentVersion]:
        """The versions of this registry that the version comes from, by its manifest; not those that were removed."""
        return self._parents()

    def require_code_permission(self, action: str) -> None:
        """Raise PermissionRequiredError unless the user allowed that ``action`` runs code from the artifact."""
        if not self.code_allowed:
            raise (
                PermissionRequiredError(f"{action} can execute code") if self._refuse is None else self._refuse(action)
            )


@frozen
class ExportRequest:
    """What ``export`` is asked to do.

    :param source_format: The format of the stored version.
    :param target_format: The format to write.
    :param destination: A path that does not exist yet, in an existing folder: write a file or a folder there. The
        core moves it into place when ``export`` returns, so that nothing half-written is ever seen.
    :param options: The keyword arguments named in the target format's ``export_options``.
    :param metadata: The version's metadata.
    :param suffix: How the path ends that the user named, such as ``".onnx"``: one file is wanted. Empty where a folder
        will do.
    :param code_allowed: The user permitted that code from the artifact runs. False almost always.
    """

    source_format: str
    target_format: str
    destination: Any
    options: Mapping[str, Any]
    metadata: ModelMetadata
    suffix: str = ""
    code_allowed: bool = False
