"""A plugin for the tests of jobs: models are texts, which it converts to shouting, and knows a hub that has one."""

from __future__ import annotations

from collections.abc import Iterable

from model_registry import (
    Conversion,
    Download,
    ExportRequest,
    FormatSpec,
    LoadedModel,
    LoadRequest,
    SaveRequest,
    SourceNotFoundError,
    Stage,
    VersionFiles,
    hookimpl,
)


class Plugin:
    @hookimpl
    def formats(self) -> Iterable[FormatSpec]:
        return [
            FormatSpec("text", "Texts", suffixes=(".txt",)),
            FormatSpec("loud", "Shouting", export_options=frozenset({"marks"}), suffixes=(".loud",)),
        ]

    @hookimpl
    def conversions(self) -> Iterable[Conversion]:
        return [Conversion("text", "loud", lossless=False)]

    @hookimpl
    def save(self, request: SaveRequest, stage: Stage) -> bool | None:
        if request.format not in ("text", "loud"):
            return None
        stage.add("text.txt", request.model)
        return True

    @hookimpl
    def load(self, request: LoadRequest, files: VersionFiles) -> LoadedModel | None:
        return LoadedModel(files.read("text.txt").decode()) if request.format in ("text", "loud") else None

    @hookimpl
    def export(self, request: ExportRequest, files: VersionFiles) -> bool | None:
        if (request.source_format, request.target_format) != ("text", "loud"):
            return None
        request.destination.write_bytes(files.read("text.txt").upper() + b"!" * request.options.get("marks", 1))
        return True

    @hookimpl
    def download(self, repo_id: str, revision: str | None) -> Download:
        if repo_id != "poets/haiku":
            raise SourceNotFoundError(f"the hub has no {repo_id!r}", hint="look there", path=repo_id)
        return Download(f"a frog jumps in at {revision}".encode(), "text", {"description": "a haiku"})
