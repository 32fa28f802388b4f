"""The plugin: hook implementations, each delegating to a file of its own name or purpose."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from model_registry import FormatSpec, LoadedModel, LoadRequest, SaveRequest, Stage, VersionFiles, hookimpl
from model_registry_server.options import ServerOptions


class Plugin:
    """The server for ``model_registry``. Nothing of it is imported before one of its commands runs."""

    Options = ServerOptions

    def __init__(self, options: ServerOptions) -> None:
        self._options = options

    @hookimpl
    def formats(self) -> Iterable[FormatSpec]:
        from model_registry_server.opaque import FORMAT

        return (FORMAT,)

    @hookimpl
    def save(self, request: SaveRequest, stage: Stage) -> bool | None:
        from model_registry_server.opaque import FORMAT, save_opaque

        if request.format != FORMAT.id:
            return None
        save_opaque(request, stage)
        return True

    @hookimpl
    def load(self, request: LoadRequest, files: VersionFiles) -> LoadedModel | None:
        from model_registry_server.opaque import FORMAT, refuse

        if request.format == FORMAT.id:
            raise refuse(request)
        return None

    @hookimpl
    def commands(self, group: Any) -> None:
        from model_registry_server.cli import serve, token

        group.add_command(serve.command_with(self._options))
        group.add_command(token.command)
