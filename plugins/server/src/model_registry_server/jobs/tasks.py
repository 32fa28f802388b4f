"""What workers can do: functions of a registry and arguments from JSON, whose result JSON can say.

Another module may add its own; see ``WorkerPool(tasks=…)``::

    @task("count")
    def count(registry, arguments):
        return len(registry.list_models(name=arguments["name"]))
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from model_registry import InvalidOptionError, Parent, VersionNotFoundError
from model_registry.documents import plain, version_document
from model_registry_server.jobs import parts

if TYPE_CHECKING:
    from model_registry import ModelRegistry

Arguments = Mapping[str, Any]
Task = Callable[["ModelRegistry", Arguments], Any]

#: Every task by its name.
TASKS: dict[str, Task] = {}

#: The version that is meant where none is said.
_LATEST = {"version": "latest"}
#: Versions that are told of at once.
_PART = 1000
#: What a hub's model brings along, or only a program can give.
_NO_METADATA = frozenset({"self", "context", "model", "model_format", "options", "weights_only", "example_inputs"})


def task(name: str) -> Callable[[Task], Task]:
    """Add a function to what workers can do.

    :raises ValueError: if the name is taken.
    """

    def add(function: Task) -> Task:
        if name in TASKS:
            raise ValueError(f"there are two tasks {name!r}")
        TASKS[name] = function
        return function

    return add


@task("validate")
def validate(registry: ModelRegistry, arguments: Arguments) -> Any:
    """``deep`` → what ``validate_registry`` gives.

    In parts before the end ``read``: of versions, by digest, whether they are intact. They come as they are looked at;
    not ``deep``, only those that are damaged, for the others need not have been read.
    """
    given = _known(arguments, optional="deep")
    read: dict[str, bool] = {}

    def tell() -> None:
        if read:
            parts.tell({"read": dict(read)})
            read.clear()

    def note(digest: str, is_intact: bool) -> None:
        if given.get("deep") or not is_intact:
            read[digest] = is_intact
        if len(read) >= _PART:
            tell()

    report = registry.validate_registry(**given, on_version=note)
    tell()
    return plain(report)


@task("register_from_hub")
def register_from_hub(registry: ModelRegistry, arguments: Arguments) -> Any:
    """``repo_id``, ``name``, ``revision``, ``version``, ``parent``, ``exist_ok``, and metadata → a *version*."""
    _require(arguments, "repo_id")
    if taken := _NO_METADATA & arguments.keys():
        raise _unknown(min(taken), "metadata")
    given = _given(arguments)
    if "parent" in given:
        given["parent"] = _parents(given["parent"])
    return plain(version_document(registry.register_from_hub(**given)))


@task("compress")
def compress(registry: ModelRegistry, arguments: Arguments) -> Any:
    """``name``, ``version``, ``compression``, ``new_name``, ``new_version``, limits, ``options`` → a *version*."""
    optional = "version new_name new_version max_drop min_cosine options"
    given = _known(arguments, "name compression", optional)
    entry = registry.compress_model(**{**_LATEST, **_with_options(registry.compress_model, given)})
    return plain(version_document(entry))


@task("recommend")
def recommend(registry: ModelRegistry, arguments: Arguments) -> Any:
    """``name``, ``version``, ``types``, limits, ``keep``, ``new_name``, ``new_version`` → the report."""
    given = _known(arguments, "name", "version types max_drop min_cosine keep new_name new_version")
    return plain(registry.recommend_compression(**given, progress=False).document())


@task("convert")
def convert(registry: ModelRegistry, arguments: Arguments) -> Any:
    """``name``, ``version``, ``to``, ``new_name``, ``new_version``, the gate, ``options`` → a *version*."""
    given = _known(arguments, "name to", "version new_name new_version check allow_mismatch tolerance options")
    return plain(version_document(registry.convert(**_with_options(registry.convert, given))))


@task("export")
def export(registry: ModelRegistry, arguments: Arguments) -> Any:
    """``name``, ``version``, ``format``, ``path``, ``overwrite``, the gate, ``options`` → ``path`` and ``parity``.

    :raises VersionNotFoundError: if the version has another digest by now than the ``digest`` that may be said.
    """
    optional = "version digest format overwrite check allow_mismatch tolerance options"
    given = _with_options(registry.export_model, _known(arguments, "name path", optional))
    digest = given.pop("digest", None)
    if digest is not None and registry.resolve(given["name"], given["version"]).digest != digest:
        what = f"{given['name']}:{given['version']}"
        raise VersionNotFoundError(f"{what} was replaced", hint="ask for it anew", model=given["name"])
    where = {"export_path": given.pop("path"), "export_format": given.pop("format", None)}
    written = registry.export_model(**{**_LATEST, **given, **where})
    return plain({"path": str(written), "parity": written.parity.document()})


@task("parity")
def parity(registry: ModelRegistry, arguments: Arguments) -> Any:
    """``a``, ``b``, ``tolerance`` → how well they agree."""
    return plain(registry.check_parity(**_known(arguments, "a b", "tolerance")).document())


@task("archive")
def archive(registry: ModelRegistry, arguments: Arguments) -> Any:
    """``name``, ``keep`` → the versions that were archived, and what that saved."""
    report = registry.archive(**_known(arguments, optional="name keep"), progress=False)
    return plain(
        {
            "versions": report.versions,
            "files": report.files,
            "before_bytes": report.before,
            "stored_bytes": report.stored,
            "skipped": report.skipped,
        }
    )


@task("restore_hot")
def restore_hot(registry: ModelRegistry, arguments: Arguments) -> Any:
    """``name``, ``version`` → a *version*."""
    return plain(version_document(registry.restore_hot(**_known(arguments, "name version"))))


@task("collect_garbage")
def collect_garbage(registry: ModelRegistry, arguments: Arguments) -> Any:
    """``keep_removed_days`` → ``versions``, ``blobs``, ``bytes``, ``packs``."""
    return plain(registry.collect_garbage(**_known(arguments, optional="keep_removed_days")))


@task("repair")
def repair(registry: ModelRegistry, arguments: Arguments) -> Any:
    """``dry_run`` → ``done`` and ``left``: findings."""
    return plain(registry.repair(**_known(arguments, optional="dry_run")))


@task("backup")
def backup(registry: ModelRegistry, arguments: Arguments) -> Any:
    """→ ``path``."""
    _known(arguments)
    return {"path": registry.backup()}


def _known(arguments: Arguments, needed: str = "", optional: str = "") -> dict[str, Any]:
    """What was given, by names that the task knows.

    :raises InvalidOptionError: for another name, or one that is needed and not there.
    """
    _require(arguments, needed)
    known = f"{needed} {optional}".split()
    for name in arguments:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            raise _unknown(name, "the task", f"did you mean {near[0]!r}?" if near else f"it takes: {', '.join(known)}")
    return _given(arguments)


def _given(arguments: Arguments) -> dict[str, Any]:
    """Without what is null: the registry's own defaults hold."""
    return {name: value for name, value in arguments.items() if value is not None}


def _require(arguments: Arguments, needed: str) -> None:
    for name in needed.split():
        if arguments.get(name) is None:
            raise InvalidOptionError(f"the task needs {name!r}", hint="say it", option=name)


def _with_options(method: Callable[..., Any], given: dict[str, Any]) -> dict[str, Any]:
    """With the options of a plugin among the keywords, of which none may pass for one of the method's own."""
    options = given.pop("options", {})
    for name in options:
        if name in inspect.signature(method).parameters or name == "self":
            raise _unknown(name, "a plugin")
    return {**given, **options}


def _unknown(name: str, whose: str, hint: str = "leave it out") -> InvalidOptionError:
    return InvalidOptionError(f"{name!r} is no option of {whose}", hint=hint, option=name)


def _parents(given: Any) -> list[Any]:
    """References, or records written as JSON: ``relation``, ``name``, ``version``, ``digest``."""
    several = given if isinstance(given, list) else [given]
    return [Parent(**item) if isinstance(item, dict) else item for item in several]
