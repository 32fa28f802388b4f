"""``cattrs`` made strict: a type is a type, a string is no sequence, and unknown keys are refused.

The only module that imports ``cattrs``, and itself imported only when a table has to be structured.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any, TypeVar, cast, get_args, get_origin

import attrs
from cattrs import Converter
from cattrs.cols import is_any_set, is_sequence
from cattrs.errors import (
    AttributeValidationNote,
    BaseValidationError,
    ForbiddenExtraKeysError,
    IterableValidationError,
    IterableValidationNote,
)
from cattrs.gen import make_dict_structure_fn, override
from cattrs.strategies import configure_union_passthrough

from model_registry.config.describe import describe_type
from model_registry.config.mistakes import Mistake, nearest

if TYPE_CHECKING:
    from model_registry.config.places import Where
    from model_registry.config.toml_file import KeyPath

Options = TypeVar("Options")
Hook = Callable[[Any, Any], Any]


def structure(cls: type[Options], table: Mapping[str, Any], where: Where) -> Options:
    """Make an instance of ``cls``.

    :raises BaseValidationError: of ``cattrs``, with every mistake but those that others hide.
    """
    fields = attrs.fields(attrs.resolve_types(cast("type[attrs.AttrsInstance]", cls)))
    # Each key has its own converter, because one may stand in a file and the next be a keyword, and paths are relative
    # to where they stand.
    overrides: dict[str, Any] = {
        attribute.name: override(struct_hook=_converter(where(attribute.name).folder).structure) for attribute in fields
    }
    make = make_dict_structure_fn(
        cls, _converter(Path()), _cattrs_forbid_extra_keys=True, _cattrs_detailed_validation=True, **overrides
    )
    return make(table, cls)


def told(error: Exception, table: Any, where: Where, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Mistake]]:
    """Tell an error of ``structure`` as mistakes, each with the path of its key inside the table."""
    if isinstance(error, ForbiddenExtraKeysError):
        valid = [attribute.name for attribute in attrs.fields(error.cl)]
        for name in sorted(map(str, error.extra_fields)):
            mistake = where(*path, name).mistake("unknown key", found=name, suggestion=nearest(name, valid))
            yield (*path, name), mistake
    elif isinstance(error, BaseValidationError):
        for part in error.exceptions:
            key, type_ = _noted(part)
            below = path if key is None else (*path, key)
            if key is None or isinstance(part, BaseValidationError):
                yield from told(part, table, where, below)
            elif _has(table, below):
                yield below, where(*below).mistake(found=_get(table, below), expected=describe_type(type_))
            else:
                yield below, where(*below).mistake(f"missing; it takes {describe_type(type_)}")
    else:
        yield _refused(error, table, where, path)


def _refused(error: Exception, table: Any, where: Where, path: KeyPath) -> tuple[KeyPath, Mistake]:
    # A validator of the class. Those of attrs quote the attribute's name; where one does not, the table is the place.
    # Some of them add to the message what they know, for programs.
    problem = error.args[0] if error.args and isinstance(error.args[0], str) else str(error)
    name = re.search(r"'(\w+)'", problem)
    if name and _has(table, (*path, name[1])):
        path = (*path, name[1])
    return path, where(*path).mistake(problem, found=_get(table, path))


def _noted(error: BaseException) -> tuple[str | int | None, Any]:
    for note in getattr(error, "__notes__", ()):
        if isinstance(note, AttributeValidationNote):
            return note.name, note.type
        if isinstance(note, IterableValidationNote):
            return note.index, note.type
    return None, None


def _has(value: Any, path: KeyPath) -> bool:
    try:
        _get(value, path)
    except (KeyError, IndexError, TypeError):
        return False
    return True


def _get(value: Any, path: KeyPath) -> Any:
    for key in path:
        value = value[key]
    return value


@lru_cache(maxsize=8)
def _converter(folder: Path) -> Converter:
    """A strict converter for values that stand in a file of ``folder``."""
    converter = Converter(forbid_extra_keys=True, detailed_validation=True)
    configure_union_passthrough(str | bool | int | float | None, converter)
    converter.register_structure_hook(str, _of(str))
    converter.register_structure_hook(bool, _of(bool))
    converter.register_structure_hook(int, _of(int, but_not=bool))
    converter.register_structure_hook(float, _of(float, int, but_not=bool))
    converter.register_structure_hook(Path, lambda value, _: folder / Path(_instance(value, str)).expanduser())
    converter.register_structure_hook_factory(_is_list, _list_hook)
    converter.register_structure_hook_factory(attrs.has, _class_hook)
    return converter


def _instance(value: Any, *types: type, but_not: type = NoneType) -> Any:
    if isinstance(value, types) and not isinstance(value, but_not):
        return value
    raise TypeError(f"{value!r} is none of {types}")


def _of(*types: type, but_not: type = NoneType) -> Hook:
    # The type asked for may be a subclass, such as an enum of strings or an open vocabulary.
    return lambda value, type_: type_(_instance(value, *types, but_not=but_not))


def _is_list(type_: Any) -> bool:
    return is_sequence(type_) or is_any_set(type_) or get_origin(type_) is tuple


def _list_hook(type_: Any, converter: Converter) -> Hook:
    arguments = get_args(type_) or (Any, ...)
    build = {set: set, frozenset: frozenset, list: list}.get(get_origin(type_) or type_, tuple)

    def structure_list(value: Any, _: Any) -> Any:
        _instance(value, list, tuple, set, frozenset)
        types = arguments
        if len(arguments) == 1 or arguments[-1] is ...:
            types = (arguments[0],) * len(value)
        if len(types) != len(value):
            raise ValueError(f"{len(value)} items instead of {len(types)}")
        return build(_structured_items(zip(value, types, strict=True), converter, type_))

    return structure_list


def _structured_items(items: Iterator[tuple[Any, Any]], converter: Converter, list_type: Any) -> list[Any]:
    structured, errors = [], []
    for index, (item, type_) in enumerate(items):
        try:
            structured.append(converter.structure(item, type_))
        except Exception as error:
            note = IterableValidationNote(f"item {index}", index, type_)
            error.__notes__ = [*getattr(error, "__notes__", ()), note]  # type: ignore[attr-defined, unused-ignore]
            errors.append(error)
    if errors:
        raise IterableValidationError("items of the wrong type", errors, list_type)
    return structured


def _class_hook(cls: Any, converter: Converter) -> Hook:
    make = make_dict_structure_fn(cls, converter)
    return lambda value, type_: make(_instance(value, Mapping), type_)
