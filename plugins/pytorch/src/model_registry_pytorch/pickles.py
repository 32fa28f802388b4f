"""What the pickle of a torch.save file asks for, found by a dry run in which nothing it names exists.

torch's restricted unpickler lets a file call more than weights need: tensor constructors that give out memory nobody
wrote, and whatever class some library declared safe for the whole process. Here each name stands for an inert object,
only names that ordinary checkpoints use are let through, and each storage is compared with the bytes that the file has.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from attrs import field, frozen

from model_registry import UnsafeModelError

_ITEM_BYTES = {
    "DoubleStorage": 8, "FloatStorage": 4, "HalfStorage": 2, "BFloat16Storage": 2, "LongStorage": 8, "IntStorage": 4,
    "ShortStorage": 2, "CharStorage": 1, "ByteStorage": 1, "BoolStorage": 1, "ComplexDoubleStorage": 16,
    "ComplexFloatStorage": 8, "UntypedStorage": 1,
}  # fmt: skip
_DTYPES = (
    "bool uint8 uint16 uint32 uint64 int8 int16 int32 int64 float16 float32 float64 bfloat16 complex32 complex64"
    " complex128 float8_e4m3fn float8_e5m2 float8_e4m3fnuz float8_e5m2fnuz float8_e8m0fnu"
)
_ALLOWED = {
    *(("torch", name) for name in (*_ITEM_BYTES, *_DTYPES.split(), "Size", "device")),
    *(
        ("torch._utils", name)
        for name in (
            "_rebuild_tensor_v2",
            "_rebuild_tensor_v3",
            "_rebuild_parameter",
            "_rebuild_parameter_with_state",
        )
    ),
    ("torch.storage", "UntypedStorage"),
    ("collections", "OrderedDict"),
    ("collections", "Counter"),
    ("collections", "defaultdict"),
    ("_codecs", "encode"),
    *((home, name) for home in ("builtins", "__builtin__") for name in ("set", "complex", "dict", "list", "int")),
}


@frozen(eq=False)
class Storage:
    """A storage that a pickle refers to: its key in the file, and the bytes it claims."""

    key: str
    nbytes: int


class _Inert(dict):  # type: ignore[type-arg]
    """Stands for whatever a pickle names or makes. Takes what unpickling does to objects, and does nothing."""

    def __new__(cls, *args: Any, **keywords: Any) -> _Inert:
        return super().__new__(cls)

    def __init__(self, *args: Any, **keywords: Any) -> None:
        super().__init__()

    def __call__(self, *args: Any, **keywords: Any) -> _Inert:
        return _Inert()

    def __hash__(self) -> int:  # type: ignore[override]
        return id(self)

    def __setstate__(self, state: Any) -> None: ...

    def append(self, item: Any) -> None: ...

    def extend(self, items: Any) -> None: ...


class _Named(_Inert):
    """A name that a pickle gave; the storages' types are told apart by it."""

    name = ""


@frozen
class _DryRun:
    """One pickle's claims.

    :param refuse: Makes the error.
    """

    refuse: Callable[[str], UnsafeModelError]
    storages: list[Storage] = field(factory=list)

    def run(self, stream: BinaryIO) -> Any:
        """Read one pickle from the stream; gives what it would be, with inert objects in it."""
        unpickler = _Unpickler(stream)
        unpickler.claims = self
        try:
            return unpickler.load()
        except UnsafeModelError:
            raise
        except Exception as error:  # whatever a damaged pickle provokes
            raise self.refuse(f"its pickle is damaged: {type(error).__name__}") from error

    def find(self, module: str, name: str) -> _Named:
        if (module, name) not in _ALLOWED:
            raise self.refuse(f"it names {module}.{name}"[:200])
        named = _Named()
        named.name = name
        return named

    def refer(self, pid: Any) -> _Inert:
        """A reference to a storage: ``("storage", type, key, location, elements)``, in old files with a view."""
        if not isinstance(pid, tuple) or len(pid) < 5 or pid[0] != "storage" or not isinstance(pid[1], _Named):
            raise self.refuse("it refers to something that is no storage")
        elements = pid[4]
        if type(elements) is not int or elements < 0 or pid[1].name not in _ITEM_BYTES:
            raise self.refuse("it refers to a storage without a size")
        self.storages.append(Storage(str(pid[2]), elements * _ITEM_BYTES[pid[1].name]))
        return _Inert()


class _Unpickler(pickle.Unpickler):
    claims: _DryRun

    def find_class(self, module: str, name: str) -> Any:
        return self.claims.find(module, name)

    def persistent_load(self, pid: Any) -> Any:
        return self.claims.refer(pid)


def check_zip_pickle(path: Path, content: bytes, members: Mapping[str, int]) -> None:
    """Check ``data.pkl`` of a zip file of torch.save.

    :param members: The bytes of the file's other members, by their name below the archive's folder.
    :raises UnsafeModelError: for a name that weights do not need, or a storage of other size than its member.
    """
    claims = _DryRun(lambda problem: refusal(path, problem))
    claims.run(io.BytesIO(content))
    for storage in claims.storages:
        found = members.get(f"data/{storage.key}")
        if found != storage.nbytes:
            has = "is not there" if found is None else f"has {found:,} bytes"
            raise refusal(path, f"a storage of {storage.nbytes:,} bytes {has}"[:200])


def check_legacy_file(path: Path) -> None:
    """Check a file of torch.save as it was before 1.6: pickles of a magic number, a version, the machine, the content
    and the keys of the storages, then the storages, each with its length in front.

    :raises UnsafeModelError: as for zip files.
    """
    claims = _DryRun(lambda problem: refusal(path, problem))
    with path.open("rb") as file:
        *_, keys = [claims.run(file) for _ in range(5)]
        remaining = path.stat().st_size - file.tell()
    storages = {storage.key: storage.nbytes for storage in claims.storages}
    if not isinstance(keys, list) or {str(key) for key in keys} != set(storages) or len(keys) != len(storages):
        raise refusal(path, "its storages are not those that it lists")
    if sum(storages.values()) + 8 * len(storages) != remaining:
        raise refusal(path, f"its storages have {remaining:,} bytes and not those that it claims")


def refusal(path: Path, problem: str) -> UnsafeModelError:
    """What to raise for a file that is more, or less, than weights."""
    return UnsafeModelError(
        f"{path.name} holds more than weights: {problem}",
        hint="save model.state_dict() and register that, or register the module object itself",
        path=str(path),
    )
