"""The registry of a server, as the list of what a user can do: what ``ModelRegistry`` can, with the same results.

Models are saved and loaded in this process, and what came is kept in a cache. Everything else is done by the server,
but for what needs functions or inputs of the caller, or a class that the server does not have: what failed there with
a ``ClassNotFoundError`` is tried here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence, Sized
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any

from attrs import evolve

from model_registry import (
    ArchiveReport,
    BatchReport,
    ClassNotFoundError,
    CollectReport,
    Comparison,
    CompressionReport,
    Conversion,
    Event,
    ExportedPath,
    Finding,
    FormatSpec,
    IntegrityError,
    InvalidMetadataError,
    InvalidOptionError,
    LineageNode,
    LoadedModel,
    ModelEntry,
    ModelLoader,
    ModelNotFoundError,
    ModelRegistry,
    Parent,
    ParityReport,
    PluginInfo,
    ProgressReport,
    RepairReport,
    SearchPage,
    StorageError,
    remotes,
)
from model_registry_server.client import listing, making
from model_registry_server.client.actor import acting_as
from model_registry_server.client.answer import Answer
from model_registry_server.client.batches import Batch, Where, called
from model_registry_server.client.connection import Connection, local
from model_registry_server.client.copies import write_copy
from model_registry_server.client.copying import copy_versions, select
from model_registry_server.client.errors import is_missing
from model_registry_server.client.exporting import Wish, plan_of
from model_registry_server.client.http import part
from model_registry_server.client.progress import ProgressChoice
from model_registry_server.client.pull import require_same
from model_registry_server.client.records import comparison_of, compression_of, lineage_of, parity_of, record
from model_registry_server.client.references import LATEST, ParentLike, entry_for, parent_of, parents_of
from model_registry_server.client.untold import untold

if TYPE_CHECKING:
    from model_registry.records import RebuildReport

#: The longest description, in characters.
_LONGEST = 100_000


#: How often a version is fetched anew that gave way, or was replaced, between its coming and its loading.
_LOADS = 3


class Client(ModelRegistry):
    """The registry of a server: ``ModelRegistry("http://models:8000")`` is one.

    Nothing is asked of the server before it is needed. Safe to use from many threads, in forked processes, and to send
    to others by pickle.

    :param path: The address.
    :param token: What the server knows the caller by. Default: what ``MODEL_REGISTRY_TOKEN`` says in the environment.
    :param config: Settings by keyword, as for any registry. They are for what happens in this process, such as
        ``trusted_models``, and for the cache, such as ``cache_size``.
    :raises ConfigurationError: for an address that is none; or if there is a token, and the address is said only by a
        file in the current folder that nobody named.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None, **config: Any) -> None:
        token = config.pop("token", None)
        given = config if path is None else {"path": path, **config}
        self._server = Connection(remotes.address(given) or str(path), token, config, remotes.found_in(given))

    def __new__(cls, path: str | os.PathLike[str] | None = None, **config: Any) -> Client:
        return object.__new__(cls)

    @classmethod
    def _of(cls, server: Connection) -> Client:
        client = object.__new__(cls)
        client._server = server
        return client

    def __reduce__(self) -> tuple[object, ...]:
        return Client._of, (self._server,)

    @classmethod
    def rebuild(
        cls, path: str | os.PathLike[str] | None = None, *, force: bool = False, **config: Any
    ) -> RebuildReport:
        """A catalog is made anew where it is."""
        hint = "stop the server, and run «model-registry --registry FOLDER rebuild» on its machine"
        address = remotes.address(config if path is None else {"path": path, **config}) or str(path)
        raise StorageError(f"{address} is a server, whose catalog cannot be rebuilt from here", hint=hint, path=address)

    def __repr__(self) -> str:
        return f"ModelRegistry({self._server.address!r})"

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections. Whatever is asked later opens new ones."""
        self._server.http.close()

    @property
    def settings(self) -> Any:
        """What this process was told. ``settings.path`` is the folder of the cache."""
        return self._cache.settings

    @property
    def loaders(self) -> MutableMapping[str, ModelLoader]:
        return self._cache.loaders

    def progress(self, listener: Callable[[ProgressReport], object]) -> AbstractContextManager[None]:
        return self._server.told.listening(listener)

    def plugins(self) -> list[PluginInfo]:
        """The plugins of this process, which saves and loads."""
        return self._cache.plugins()

    def formats(self) -> dict[str, FormatSpec]:
        """The formats that this process can handle."""
        return self._cache.formats()

    def register_model(
        self,
        name: str,
        model: Any,
        model_format: str | None = None,
        *,
        version: str | None = None,
        parent: ParentLike | Sequence[ParentLike] = (),
        exist_ok: bool = False,
        weights_only: bool | None = None,
        options: Mapping[str, Any] | None = None,
        **metadata_and_options: Any,
    ) -> ModelEntry:
        entry, _ = making.register(
            self._server,
            name,
            model,
            model_format,
            version=version,
            parent=parent,
            exist_ok=exist_ok,
            weights_only=weights_only,
            options=options,
            **metadata_and_options,
        )
        return entry

    def register_from_hub(
        self,
        repo_id: str,
        name: str | None = None,
        *,
        revision: str | None = None,
        version: str | None = None,
        parent: ParentLike | Sequence[ParentLike] = (),
        exist_ok: bool = False,
        **metadata: Any,
    ) -> ModelEntry:
        """As of a folder, but the server downloads the model, from a hub that its configuration permits."""
        order = {
            "repo_id": repo_id,
            "revision": revision,
            "version": version,
            "parent": [_told(each) for each in parents_of(parent, self.resolve)],
            "exist_ok": exist_ok,
            "metadata": metadata,
        }
        path = f"/models/{_name(name or repo_id)}/register-from-hub"
        return self._server.entry(self._server.jobs.run(path, order, f"downloading {repo_id}"))

    def load_model(
        self,
        name: str,
        version: str = LATEST,
        *,
        allow_code: bool = False,
        weights_only: bool | None = None,
        **options: Any,
    ) -> LoadedModel:
        entry = self.resolve(name, version)
        given = {"allow_code": allow_code, "weights_only": weights_only, **options}
        for attempt in range(1, _LOADS + 1):
            pulled = making.pull_for_loading(self._server, entry)
            try:
                loaded = self._cache.load_model(entry.name, entry.version, **given)
                if loaded.entry is not None and loaded.entry.digest == entry.digest:
                    break
                if attempt == _LOADS:
                    require_same(entry, "" if loaded.entry is None else loaded.entry.digest)
            except (ModelNotFoundError, IntegrityError):  # another process made room, or brought another version
                if attempt == _LOADS:
                    raise
            self._server.cache.drop(entry.name, entry.version)
        self._server.cache.note_use(pulled, loaded.model)
        return evolve(loaded, entry=entry)

    def temporary_model(self, name: str, version: str = LATEST, **options: Any) -> AbstractContextManager[LoadedModel]:
        entry = self.resolve(name, version)
        making.pull_for_loading(self._server, entry)
        return _lent(self._cache.temporary_model(entry.name, entry.version, **options), entry)

    def list_models(
        self,
        model_type: str | None = None,
        *,
        name: str | None = None,
        model_format: str | None = None,
        removed: bool = False,
        after: tuple[str, str] | None = None,
        limit: int | None = None,
    ) -> list[ModelEntry]:
        filters = {"name": name, "type": model_type, "format": model_format, "removed": removed}
        return listing.list_models(self._server, after, limit, **filters)

    def search(self, query: str = "", *, limit: int | None = None, after: str | None = None) -> SearchPage:
        return listing.search(self._server, query, limit, after)

    def get_model_info(self, name: str, version: str = LATEST) -> ModelEntry | None:
        try:
            return self.resolve(name, version)
        except ModelNotFoundError:
            return None

    def resolve(self, name: str, version: str = LATEST) -> ModelEntry:
        return self._server.resolve(remotes.check_model_name(name), _version(version))

    def compare(self, a: str | ModelEntry, b: str | ModelEntry, *, differences: bool = False) -> Comparison:
        sides = [entry_for(reference, self.resolve) for reference in (a, b)]
        if not all(map(self._server.is_home_of, sides)):
            return self._cache.compare(local(sides[0]), local(sides[1]), differences=differences)
        told = {"a": sides[0].reference, "b": sides[1].reference, "differences": differences}
        with self._server.working(f"comparing {told['a']} and {told['b']}"):
            return comparison_of(listing.comparison(self._server, **told), *sides)

    def remove_model(self, name: str, version: str | None = None) -> bool:
        try:
            which = {"all": "true"} if version is None else {"version": _version(version)}
            self._send("DELETE", f"/models/{_name(name)}", **which)
        except ModelNotFoundError:
            return False
        return True

    def restore_model(self, name: str, version: str | None = None) -> list[ModelEntry]:
        said = None if version is None else _version(version)
        return self._server.entries(
            self._send("POST", f"/models/{_name(name)}/restore", version=said).several("restored")
        )

    def export_model(
        self,
        name: str,
        version: str,
        export_path: str | os.PathLike[str],
        export_format: str | None = None,
        *,
        overwrite: bool = False,
        check: bool = True,
        allow_mismatch: bool = False,
        inputs: Any = None,
        tolerance: float | None = None,
        **options: Any,
    ) -> ExportedPath:
        entry, destination = self.resolve(name, version), Path(export_path)
        steps = plan_of(self._server.http, entry, export_format and str(export_format), destination)
        target = steps[-1].target if steps else str(entry.metadata.format)
        is_copy = not steps
        if is_copy and not options:
            return write_copy(self._server.pulled(entry), destination, self._server.told, overwrite=overwrite)
        gate = {"check": check, "allow_mismatch": allow_mismatch, "tolerance": tolerance}
        if not is_copy and inputs is None and making.can_be_sent(options):
            with suppress(ClassNotFoundError):
                wish = Wish(entry, target, gate, options)
                return self._server.exports.write(wish, destination, overwrite=overwrite)
        self._server.pulled(entry)
        given = {"overwrite": overwrite, "inputs": inputs, **gate, **options}
        return self._cache.export_model(entry.name, entry.version, export_path, target, **given)

    def compress_model(
        self,
        name: str,
        version: str,
        compression: str,
        *,
        new_name: str | None = None,
        new_version: str | None = None,
        inputs: Any = None,
        evaluate: Callable[[Any], float] | None = None,
        max_drop: float | None = None,
        min_cosine: float | None = None,
        **options: Any,
    ) -> ModelEntry:
        """As of a folder. It is done in this process if there are ``inputs`` or ``evaluate``."""
        limits = {"max_drop": max_drop, "min_cosine": min_cosine}
        named = {"new_name": new_name, "new_version": new_version}
        if inputs is None and evaluate is None and making.can_be_sent(options):
            order = {"version": version, "compression": str(compression), **named, **limits, "options": options}
            with suppress(ClassNotFoundError):
                return self._made(name, "compress", order, f"compressing {name}")
        given = {"inputs": inputs, "evaluate": evaluate, **limits, **options}

        def make(cache: ModelRegistry, source: ModelEntry, number: str) -> ModelEntry:
            return cache.compress_model(
                source.name, source.version, compression, new_name=new_name, new_version=number, **given
            )

        return making.make_here(self._server, name, version, make, **named)

    def recommend_compression(
        self,
        name: str,
        version: str = LATEST,
        *,
        types: Sequence[str] | None = None,
        inputs: Any = None,
        evaluate: Callable[[Any], float] | None = None,
        max_drop: float | None = None,
        min_cosine: float | None = None,
        plot: str | os.PathLike[str] | None = None,
        keep: bool = False,
        new_name: str | None = None,
        new_version: str | None = None,
        progress: ProgressChoice = None,
    ) -> CompressionReport:
        """As of a folder. It is done in this process if there are ``inputs``, ``evaluate`` or ``plot``."""
        limits = {"types": types, "max_drop": max_drop, "min_cosine": min_cosine}
        named = {"new_name": new_name, "new_version": new_version}
        if not keep and any(named.values()):
            message = "new_name and new_version are for what is kept, and nothing is"
            raise InvalidOptionError(message, hint="pass keep=True", option="keep")
        with self._server.told.showing(progress):
            if inputs is None and evaluate is None and plot is None:
                chosen = types if types is None or isinstance(types, str) else [str(each) for each in types]
                order = {"version": version, **limits, "types": [chosen] if isinstance(chosen, str) else chosen}
                with suppress(ClassNotFoundError):
                    return self._recommended(name, {**order, **named, "keep": keep})
            source = self._server.pulled(self.resolve(name, version))
            given = {"inputs": inputs, "evaluate": evaluate, **limits}
            report = self._cache.recommend_compression(source.name, source.version, plot=plot, progress=False, **given)
        best = report.recommended
        if not keep or best is None:
            return report
        more: dict[str, Any] = {key: given[key] for key in ("inputs", "evaluate", "max_drop", "min_cosine")}
        return evolve(report, kept=self.compress_model(name, source.version, best.type, **{**named, **more}))

    def convert(
        self,
        name: str,
        version: str = LATEST,
        *,
        to: str,
        new_name: str | None = None,
        new_version: str | None = None,
        check: bool = True,
        allow_mismatch: bool = False,
        inputs: Any = None,
        tolerance: float | None = None,
        **options: Any,
    ) -> ModelEntry:
        """As of a folder. It is done in this process if there are ``inputs``."""
        gate = {"check": check, "allow_mismatch": allow_mismatch, "tolerance": tolerance}
        named = {"new_name": new_name, "new_version": new_version}
        if inputs is None and making.can_be_sent(options):
            order = {"version": version, "to": str(to), **named, **gate, "options": options}
            with suppress(ClassNotFoundError):
                return self._made(name, "convert", order, f"converting {name}")
        given = {"inputs": inputs, **gate, **options}

        def make(cache: ModelRegistry, source: ModelEntry, number: str) -> ModelEntry:
            return cache.convert(source.name, source.version, to=to, new_name=new_name, new_version=number, **given)

        return making.make_here(self._server, name, version, make, **named)

    def plan_conversion(
        self,
        name: str,
        version: str = LATEST,
        to: str | None = None,
        *,
        path: str | os.PathLike[str] | None = None,
    ) -> list[Conversion]:
        entry = self.resolve(name, version)
        return plan_of(self._server.http, entry, to and str(to), path)

    def check_parity(
        self, a: str | ModelEntry, b: str | ModelEntry, *, inputs: Any = None, tolerance: float | None = None
    ) -> ParityReport:
        """As of a folder. It is done in this process if there are ``inputs``, or a version of another registry."""
        sides = [entry_for(reference, self.resolve) for reference in (a, b)]
        if inputs is None and all(map(self._server.is_home_of, sides)):
            first, second = sides[0].reference, sides[1].reference
            order = {"a": first, "b": second, "tolerance": tolerance}
            with suppress(ClassNotFoundError):
                return parity_of(self._server.jobs.run("/parity", order, f"running {first} and {second}"))
        return self._cache.check_parity(local(sides[0]), local(sides[1]), inputs=inputs, tolerance=tolerance)

    def register_many(self, items: Iterable[Mapping[str, Any]], *, progress: ProgressChoice = None) -> BatchReport:
        batch, told = Batch("registered"), self._server.told
        count = len(items) if isinstance(items, Sized) else None
        with told.showing(progress), told.operation("registering", items_total=count):
            for number, item in enumerate(items, start=1):
                with batch.one(called(item, number)):
                    entry, is_new = making.register(self._server, **item)
                    if is_new:
                        batch.note(entry)
                    else:
                        batch.skipped.append(entry)
        return batch.report()

    def remove_many(self, where: Where, *, dry_run: bool = False, progress: ProgressChoice = None) -> BatchReport:
        """As of a folder, but the versions are removed one by one."""
        if isinstance(where, str) and not where.strip():
            message = "removing without a condition would remove every version"
            raise InvalidOptionError(message, hint="say which; all of them is: name like '%'", option="where")
        batch, told, selected = Batch("removed", dry_run), self._server.told, select(self, where)

        def remove(entry: ModelEntry) -> None:
            if dry_run or self.remove_model(entry.name, entry.version):
                batch.note(entry)

        with told.showing(progress), told.operation("removing", items_total=len(selected)):
            batch.each(selected, remove)
        return batch.report()

    def copy_versions(
        self,
        target: ModelRegistry | str | os.PathLike[str],
        where: Where = "",
        *,
        tags: bool = True,
        aliases: bool = False,
        dry_run: bool = False,
        progress: ProgressChoice = None,
    ) -> BatchReport:
        to = target if isinstance(target, ModelRegistry) else ModelRegistry(target)
        return self._copied(self, to, where, tags=tags, aliases=aliases, dry_run=dry_run, progress=progress)

    def _copy_from(self, source: ModelRegistry, where: Where, **how: Any) -> BatchReport:
        return self._copied(source, self, where, **how)

    def receive_version(
        self,
        digest: str,
        fetch: Callable[[str], Path],
        *,
        records: Iterable[str] = (),
        registered_at: datetime | None = None,
        arrived: Mapping[Path, str] = MappingProxyType({}),
        exist_ok: bool = False,
        name: str | None = None,
        borrow: bool = True,
    ) -> ModelEntry:
        """As of a folder. What the server does not demand is not sent."""
        with untold():
            entry = self._cache.receive_version(
                digest, fetch, records=records, registered_at=registered_at, arrived=arrived, exist_ok=True, name=name
            )
        return self._server.entry(self._server.push.given(entry, exist_ok=exist_ok, registered_at=registered_at))

    def next_version(self, name: str) -> str:
        return self._server.push.next_version(remotes.check_model_name(name))

    def stored_blobs(self, sizes: Mapping[str, int], *, name: str | None = None) -> set[str]:
        """As of a folder; but blobs of which the token does not permit to know count as missing."""
        if name is not None:
            known = {sha256 for entry in self.list_models(name=name) for sha256 in entry.blobs}
            sizes = {sha256: size for sha256, size in sizes.items() if sha256 in known}
        try:
            missing = self._server.push.missing(name or "any", sizes)
        except PermissionError:
            return set()
        return set(sizes) - set(missing)

    def set_alias(self, name: str, alias: str, version: str = LATEST) -> ModelEntry:
        return self._server.entry(self._send("PUT", _alias(name, alias), {"version": _version(version)}))

    def delete_alias(self, name: str, alias: str) -> bool:
        return self._deleted(_alias(name, alias))

    def undo_alias(self, name: str, alias: str, *, expected: int | None = None) -> ModelEntry | None:
        found = self._send("POST", f"{_alias(name, alias)}/undo", expected=expected)["version"]
        return None if found is None else self._server.entry(found)

    def rollback(self, name: str, alias: str) -> ModelEntry:
        return self._server.entry(self._send("POST", f"{_alias(name, alias)}/rollback"))

    def aliases(self, name: str) -> dict[str, str]:
        return dict(self._server.http.get(f"/models/{_name(name)}/aliases")["aliases"])

    def set_tag(self, name: str, key: str, value: object, version: str | None = None) -> None:
        key, text = remotes.check_tag(key, value)
        self._send("PUT", f"/models/{_name(name)}/tags/{part(key)}", {"value": text}, version=version)

    def delete_tag(self, name: str, key: str, version: str | None = None) -> bool:
        key, _ = remotes.check_tag(key, "")
        return self._deleted(f"/models/{_name(name)}/tags/{part(key)}", version=version)

    def tags(self, name: str, version: str | None = None) -> dict[str, str]:
        return dict(self._server.http.get(f"/models/{_name(name)}/tags", version=version)["tags"])

    def describe(self, name: str, description: str | None, version: str | None = None) -> None:
        if description is not None:
            remotes.check_line("the description", description, _LONGEST)
        self._send("PUT", f"/models/{_name(name)}/description", {"description": description}, version=version)

    def description(self, name: str) -> str | None:
        text: str | None = self._server.http.get(f"/models/{_name(name)}/description")["description"]
        return text

    def link(self, name: str, version: str, parent: ParentLike, relation: str | None = None) -> Parent:
        order = self._link(version, parent, relation)
        return record(self._send("POST", f"/models/{_name(name)}/parents", order)["parent"], Parent)

    def unlink(self, name: str, version: str, parent: ParentLike, relation: str | None = None) -> bool:
        order = self._link(version, parent, relation)
        return bool(self._send("DELETE", f"/models/{_name(name)}/parents", order)["unlinked"])

    def lineage(self, name: str, version: str = LATEST, *, depth: int = 100) -> LineageNode:
        """As of a folder. What the token does not permit to see has the state ``"hidden"`` and no name."""
        path, levels = f"/models/{_name(name)}/lineage", min(depth, 200)
        document = self._server.http.get(path, version=_version(version), depth=levels)
        return lineage_of(document, self._server.entry)

    def history(
        self,
        name: str | None = None,
        version: str | None = None,
        *,
        alias: str | None = None,
        before: int | None = None,
        limit: int | None = 100,
    ) -> list[Event]:
        checked = None if name is None else remotes.check_model_name(name)
        alias = None if alias is None else remotes.check_alias(alias)
        version = None if version is None else remotes.check_version(version)
        return listing.history(self._server, checked, version, alias, before, limit)

    def acting_as(self, actor: str) -> AbstractContextManager[None]:
        """As of a folder. Whose token it is, the server records too."""
        return acting_as(actor, self._cache.acting_as(actor))

    def validate_registry(
        self, *, deep: bool = False, on_version: Callable[[str, bool], object] | None = None
    ) -> dict[str, Any]:
        """As of a folder, but for ``on_version``: the server keeps what it found of each version.

        :raises InvalidOptionError: for ``on_version``.
        """
        if on_version is not None:
            message, hint = "a server tells nobody of each version that it looks at", "leave on_version out"
            raise InvalidOptionError(message, hint=hint, option="on_version")
        found = self._server.http.get("/validate", deep=deep)
        report = self._server.jobs.result(found, "validating") if "state" in found else found
        return {**report, "findings": record(report["findings"], list[Finding])}

    def repair(self, *, dry_run: bool = False) -> RepairReport:
        return record(self._server.jobs.run("/repair", {"dry_run": dry_run}, "repairing"), RepairReport)

    def get_detailed_stats(self) -> dict[str, Any]:
        return dict(self._server.http.get("/stats"))

    def backup(self) -> str:
        """As of a folder; the path is one of the server's machine."""
        return str(self._server.jobs.run("/backup", {}, "backing up")["path"])

    def collect_garbage(self, keep_removed_days: float | None = None) -> CollectReport:
        order = {"keep_removed_days": keep_removed_days}
        return record(self._server.jobs.run("/collect-garbage", order, "collecting garbage"), CollectReport)

    def archive(
        self, name: str | None = None, *, keep: int | None = None, progress: ProgressChoice = None
    ) -> ArchiveReport:
        with self._server.told.showing(progress):
            done = self._server.jobs.run("/archive", {"name": name, "keep": keep}, "archiving")
        sizes = {"before": done["before_bytes"], "stored": done["stored_bytes"]}
        return ArchiveReport(tuple(done["versions"]), done["files"], skipped=dict(done["skipped"]), **sizes)

    def restore_hot(self, name: str, version: str) -> ModelEntry:
        path = f"/models/{_name(name)}/restore-hot"
        return self._server.entry(self._server.jobs.run(path, {"version": _version(version)}, f"restoring {name}"))

    @property
    def _cache(self) -> ModelRegistry:
        return self._server.cache.registry

    def _send(self, method: str, path: str, body: Any = None, **params: Any) -> Answer:
        return self._server.http.send(method, path, body, params=params)

    def _deleted(self, path: str, **params: Any) -> bool:
        try:
            self._send("DELETE", path, **params)
        except LookupError as error:
            if not is_missing(error):
                raise
            return False
        return True

    def _made(self, name: str, kind: str, order: Mapping[str, Any], what: str) -> ModelEntry:
        return self._server.entry(self._server.jobs.run(f"/models/{_name(name)}/{kind}", order, what))

    def _recommended(self, name: str, order: Mapping[str, Any]) -> CompressionReport:
        path = f"/models/{_name(name)}/recommend-compression"
        done = self._server.jobs.run(path, order, f"trying to make {name} smaller")
        kept = done["kept"]
        return compression_of(done, None if kept is None else entry_for(kept, self.resolve))

    def _link(self, version: str, parent: ParentLike, relation: str | None) -> dict[str, Any]:
        found = parent_of(parent, self.resolve)
        if not isinstance(found, Parent):
            hint = 'give "name:version", an entry of the registry, or Parent("dataset", "name")'
            message = f"parent is {parent!r:.80}, a {type(parent).__name__}"
            raise InvalidMetadataError(message, hint=hint, field="parent")
        return {"version": _version(version), "parent": _told(found), "relation": relation}

    def _copied(self, source: ModelRegistry, target: ModelRegistry, where: Where, **how: Any) -> BatchReport:
        return copy_versions(source, target, where, bring=_bring, told=self._server.told, **how)


def _bring(source: ModelRegistry, target: ModelRegistry, entry: ModelEntry) -> tuple[ModelEntry, int]:
    """A version from one registry into another: the entry there, and the bytes that had to be copied."""
    if not isinstance(target, Client):
        assert isinstance(source, Client)  # noqa: S101 - one of both is
        return source._server.pull.into(target, entry)
    server, here = target._server, local(entry)
    missing = server.push.missing(here.name, here.blobs)
    return server.entry(server.push.given(here, registered_at=entry.registered_at)), sum(
        here.blobs[sha256] for sha256 in missing
    )


@contextmanager
def _lent(lending: AbstractContextManager[LoadedModel], entry: ModelEntry) -> Iterator[LoadedModel]:
    """A model that is lent, as of an entry. Nothing here holds it when it is given back."""
    with ExitStack() as stack:
        yield evolve(stack.enter_context(lending), entry=entry)


def _name(name: str) -> str:
    return part(remotes.check_model_name(name))


def _version(version: str) -> str:
    """:raises InvalidNameError: for what can be no version, and no alias."""
    if version == LATEST:
        return version
    if isinstance(version, str) and version.startswith("@"):
        remotes.check_alias(version)
        return version
    return remotes.check_version(version)


def _alias(name: str, alias: str) -> str:
    return f"/models/{_name(name)}/aliases/{part(remotes.check_alias(alias))}"


def _told(parent: Any) -> Any:
    """A parent, for JSON."""
    if not isinstance(parent, Parent):
        return parent
    return {"relation": parent.relation, "name": parent.name, "version": parent.version, "digest": parent.digest}
