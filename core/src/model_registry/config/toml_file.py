"""A TOML file, and on which line each of its keys stands."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from attrs import field, frozen

from model_registry.config.mistakes import Mistake

KeyPath = tuple["str | int", ...]


@frozen
class TomlFile:
    """A parsed file.

    :param source: Its path as the user wrote it, for messages.
    :param folder: Absolute path of the folder that holds it; relative paths in the file start there.
    """

    source: str
    folder: Path
    tables: Mapping[str, Any]
    _text: str = field(repr=False)

    def line(self, path: KeyPath) -> int:
        """The line, from 1, on which ``path`` begins, or else the innermost table around it that the file has.

        A key that a dotted key or a header implies (``a`` of ``[a.b]``) begins there.
        """
        path = next(path[:n] for n in range(len(path), -1, -1) if _contains(self.tables, path[:n]))
        return next((line for line, tables in _statements(self._text) if _contains(tables, path)), 1)


def read_toml(path: Path) -> TomlFile | Mistake:
    """Read a file, or tell why it cannot be read: with its line, if it is no TOML."""
    import tomli

    source = str(path)
    try:
        text = path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
        return TomlFile(source, path.absolute().parent, tomli.loads(text), text)
    except tomli.TOMLDecodeError as error:
        return _syntax_mistake(source, text, str(error))
    except UnicodeDecodeError:
        return Mistake(source, None, "", problem="not UTF-8, as TOML must be")
    except OSError as error:
        return Mistake(source, None, "", problem=f"cannot be read: {error.strerror}")


def _syntax_mistake(source: str, text: str, message: str) -> Mistake:
    # Older versions of tomli give the line only inside the message, and none at the end of the document.
    match = re.search(r" \(at line (\d+), column \d+\)$", message)
    line = int(match[1]) if match else text.count("\n", 0, len(text.rstrip())) + 1
    return Mistake(source, line, "", problem=f"no valid TOML: {message[: match.start()] if match else message}")


@lru_cache(maxsize=4)
def _statements(text: str) -> tuple[tuple[int, Mapping[str, Any]], ...]:
    """For every statement, the line on which it begins, and all that the file says up to its end.

    TOML has no syntax tree in Python, but a file cut after a whole statement is a file again, and one cut within a
    statement never is. So the parser itself says where statements end. It is slow in principle and fast enough for
    files that people write, and runs only to tell a mistake or an origin.
    """
    import tomli

    statements = []
    begin = None
    lines = text.split("\n")
    for number, line in enumerate(lines, start=1):
        if begin is None and _is_blank(line):
            continue
        begin = begin or number
        try:
            tables = tomli.loads("\n".join(lines[:number]))
        except tomli.TOMLDecodeError:
            continue
        statements.append((begin, tables))
        begin = None
    return tuple(statements)


def _is_blank(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith("#")


def _contains(value: Any, path: KeyPath) -> bool:
    for key in path:
        if isinstance(value, Mapping):
            if key not in value:
                return False
        elif not (isinstance(value, Sequence) and isinstance(key, int) and key < len(value)):
            return False
        value = value[key]
    return True
