"""What models and their files may be called.

A model name is an OCI repository name but for its case: parts of ASCII letters and digits, joined inside a part by
``.``, ``_``, ``__`` or hyphens, and to each other by ``/``. A member path names a file inside a version. Both stay
valid, and distinct, on every file system a registry may be exported to; that is why device names of Windows are
refused and case alone never tells two names apart.

The grammar of OCI repository names: https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from pathlib import PurePosixPath

from model_registry.errors import InvalidNameError

MAX_NAME_LENGTH = 200
MAX_ALIAS_LENGTH = 64
MAX_TAG_LENGTH = 100
MAX_TAG_VALUE_LENGTH = 1000
MAX_MEMBER_PATH_LENGTH = 512

_NAME_PART = re.compile(r"[A-Za-z0-9]+(?:(?:\.|__?|-+)[A-Za-z0-9]+)*")
_REFERENCE = re.compile(r"(?P<name>[A-Za-z0-9._/-]{1,200})(?::|(?=@))(?P<version>@?[A-Za-z0-9._+!-]{1,200})")
_FOREIGN_TO_NAME = re.compile(r"[^A-Za-z0-9._/-]")
_FOREIGN_TO_MEMBER_PATH = re.compile(r'[^ -~]|[\\:*?"<>|]')
_FOREIGN_TO_ALIAS = re.compile(r"[^A-Za-z0-9._-]")
_ALIAS = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[._-][A-Za-z0-9]+)*")
_FOREIGN_TO_TAG = re.compile(r"[^A-Za-z0-9._/ -]")
_DEVICES = frozenset({"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))})

_NAME_HINT = (
    f"use at most {MAX_NAME_LENGTH} ASCII letters and digits, joined by single '.' or '_', '__' or hyphens, "
    "with '/' between parts"
)
_ALIAS_HINT = (
    f"use at most {MAX_ALIAS_LENGTH} ASCII letters and digits, joined by single '.', '_' or '-', with a letter first, "
    "such as 'champion'"
)
_TAG_HINT = f"use at most {MAX_TAG_LENGTH} ASCII letters, digits, spaces and . _ - /, such as 'stage'"
_MEMBER_HINT = (
    f"use a relative path with '/', of at most {MAX_MEMBER_PATH_LENGTH} printable ASCII characters "
    'without \\ : * ? " < > |'
)


def check_model_name(value: object) -> str:
    """Return ``value`` if a model may have this name.

    :raises InvalidNameError: naming the part that is wrong and what is allowed.
    """
    if isinstance(value, str) and (both := _REFERENCE.fullmatch(value)):
        hint = f"give the two by themselves: {both['name']!r}, {both['version']!r}"
        raise InvalidNameError(f"model name {shown(value)}: it holds a version", hint=hint, value=value)
    name = check_text("model name", value, MAX_NAME_LENGTH, _FOREIGN_TO_NAME, _NAME_HINT)
    for part in name.split("/"):
        if problem := _name_part_problem(part):
            raise InvalidNameError(f"model name {shown(name)}: {problem}", hint=_NAME_HINT, value=name)
    return name


def name_key(name: str) -> str:
    """What two spellings of one model name share: names that differ only by case are the same name.

    :raises InvalidNameError: if ``name`` is no model name. Only ASCII reaches the folding, so no look-alike such as
        the Kelvin sign ever folds onto a letter.
    """
    return check_model_name(name).lower()


def check_alias(value: object) -> str:
    """Return ``value``, without the ``@`` that it may begin with, if an alias may be called so.

    :raises InvalidNameError: naming what is wrong and what is allowed.
    """
    bare = value[1:] if isinstance(value, str) and value.startswith("@") else value
    alias = check_text("alias", bare, MAX_ALIAS_LENGTH, _FOREIGN_TO_ALIAS, _ALIAS_HINT)
    if alias.lower() == "latest":
        raise InvalidNameError("alias 'latest': the word is reserved for the highest version", hint=_ALIAS_HINT)
    if not _ALIAS.fullmatch(alias):
        problem = "it must begin with a letter, and each separator must stand alone"
        raise InvalidNameError(f"alias {shown(alias)}: {problem}", hint=_ALIAS_HINT, value=alias)
    return alias


def check_tag(key: object, value: object) -> tuple[str, str]:
    """Return a tag's key and value if it may have them; numbers and flags become their text.

    :raises InvalidNameError: naming what is wrong and what is allowed.
    """
    checked = check_text("tag", key, MAX_TAG_LENGTH, _FOREIGN_TO_TAG, _TAG_HINT)
    if checked != checked.strip():
        raise InvalidNameError(f"tag {shown(checked)}: begins or ends with a space", hint=_TAG_HINT, value=checked)
    text = str(value).lower() if isinstance(value, bool) else str(value) if isinstance(value, (int, float)) else value
    return checked, check_line(f"the value of tag {checked!r}", text, MAX_TAG_VALUE_LENGTH)


def check_line(what: str, value: object, limit: int) -> str:
    """Return ``value`` if it is a text of at most ``limit`` characters that UTF-8 can hold.

    :raises InvalidNameError: naming what is wrong.
    """
    if not isinstance(value, str):
        raise InvalidNameError(f"{what} is {shown(value)}, a {type(value).__name__}", hint="give a text", value=value)
    if len(value) > limit:
        raise InvalidNameError(f"{what} has {len(value):,} characters", hint=f"use at most {limit:,}", value=value)
    if any("\ud800" <= character <= "\udfff" or character == "\0" for character in value):
        raise InvalidNameError(f"{what} holds a character that is none", hint="give a text", value=value)
    return value


def oci_repository(name: str) -> str:
    """The OCI repository of a model: lower case, and another one for every ``name_key``.

    :raises InvalidNameError: if ``name`` is no model name.
    """
    return name_key(name)


def check_member_path(value: object) -> str:
    """Return ``value`` if a file inside a version may have this path.

    :raises InvalidNameError: naming the part that is wrong and what is allowed.
    """
    path = check_text("member path", value, MAX_MEMBER_PATH_LENGTH, _FOREIGN_TO_MEMBER_PATH, _MEMBER_HINT)
    for part in path.split("/"):
        if problem := _folder_problem(part) or _ending_problem(part):
            raise InvalidNameError(f"member path {shown(path)}: {problem}", hint=_MEMBER_HINT, value=path)
    return path


def check_member_paths(paths: Iterable[object]) -> tuple[str, ...]:
    """Return ``paths`` as they are if they can be files of one folder on every file system.

    :raises InvalidNameError: for a path that is wrong by itself, two that differ at most by case, or a file that
        another path uses as a folder.
    """
    checked = tuple(check_member_path(path) for path in paths)
    by_key: dict[str, str] = {}
    for path in checked:
        if other := by_key.get(path.lower(), ""):
            raise _clash(path, f"is the same file as {shown(other)} where case does not count")
        by_key[path.lower()] = path
    for path in checked:
        for folder in PurePosixPath(path.lower()).parents:
            if other := by_key.get(str(folder), ""):
                raise _clash(path, f"needs {shown(other)} to be a folder, which is a file")
    return checked


def check_text(kind: str, value: object, limit: int, foreign: re.Pattern[str], hint: str) -> str:
    """Return ``value`` if it is a text of 1 to ``limit`` characters of which none matches ``foreign``.

    :param kind: What the text is, for the message.
    :raises InvalidNameError: otherwise.
    """
    if not isinstance(value, str):
        raise InvalidNameError(
            f"a {kind} is a string, not {type(value).__name__} ({shown(value)})", hint=hint, value=value
        )
    if not value:
        raise InvalidNameError(f"the {kind} is empty", hint=hint, value=value)
    if len(value) > limit:
        problem = f"{len(value)} characters are too many"
    elif match := foreign.search(value):
        problem = f"{_character(match.group())} at position {match.start() + 1} is not allowed"
    else:
        return value
    raise InvalidNameError(f"{kind} {shown(value)}: {problem}", hint=hint, value=value)


def shown(value: object) -> str:
    """The ``repr`` of a value in one line of at most 60 characters, so that no input floods a message."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:40]}…{text[-16:]}"


def _character(character: str) -> str:
    name = "NUL" if character == "\0" else unicodedata.name(character, "a character without a name")
    return f"{character!r} (U+{ord(character):04X}, {name})"


def _name_part_problem(part: str) -> str | None:
    if problem := _folder_problem(part):
        return problem
    if _NAME_PART.fullmatch(part):
        return None
    if not (part[0].isalnum() and part[-1].isalnum()):
        return f"part {shown(part)} must begin and end with a letter or digit"
    return f"part {shown(part)} has separators in a row other than '__' or hyphens"


def _folder_problem(part: str) -> str | None:
    if not part:
        return "a part between '/' is empty"
    if part in {".", ".."}:
        return f"part {part!r} would leave its folder"
    if (device := part.partition(".")[0].rstrip(" ")).lower() in _DEVICES:
        return f"part {shown(part)} is the device {device.upper()} on Windows"
    return None


def _ending_problem(part: str) -> str | None:
    return f"part {shown(part)} ends with {part[-1]!r}" if part[-1] in ". " else None


def _clash(path: str, problem: str) -> InvalidNameError:
    return InvalidNameError(
        f"member path {shown(path)} {problem}", hint="give every file of a version a path of its own", value=path
    )
