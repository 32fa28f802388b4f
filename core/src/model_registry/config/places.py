"""Where a value of the configuration was written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

from attrs import evolve, field, frozen

from model_registry.config.mistakes import Mistake
from model_registry.config.toml_file import KeyPath, TomlFile


@frozen
class Place:
    """Where a value was, or should have been, written. ``str(place)`` is its origin, for people.

    :param source: ``"default"``, ``"keyword"``, ``"environment"``, or the path of a file.
    :param path: The key as written there, with its tables.
    :param file: The file, if it is one.
    """

    source: str
    path: KeyPath = ()
    file: TomlFile | None = field(default=None, repr=False)

    def __str__(self) -> str:
        if self.file is not None:
            return f"{self.source}:{self.line}"
        return f"environment {self.key}" if self.source == "environment" else self.source

    @property
    def key(self) -> str:
        """The key in one string: ``plugins.pytorch.trusted_modules[1]``."""
        return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in self.path)[1:]

    @property
    def line(self) -> int | None:
        """The line in the file, from 1; None outside files."""
        return None if self.file is None else self.file.line(self.path)

    @property
    def folder(self) -> Path:
        """Where relative paths written here start."""
        return Path() if self.file is None else self.file.folder

    def below(self, *path: str | int) -> Place:
        """The place of a key inside this one."""
        return evolve(self, path=self.path + path)

    def mistake(
        self, problem: str = "", *, found: object = None, expected: str = "", suggestion: str | None = None
    ) -> Mistake:
        """A mistake made here."""
        return Mistake(self.source, self.line, self.key, found, expected, suggestion, problem)


class Where(Protocol):
    """Tells where a key of a table was, or should have been, written."""

    def __call__(self, *path: str | int) -> Place: ...


@frozen(repr=False)
class Origins(Mapping[str, str]):
    """For every key, where its value came from: ``default``, ``registry.toml:7``, ``environment <name>``, ``keyword``.

    Lines are looked up when asked for: an ordinary start of the registry does not pay for them.
    """

    _places: Mapping[str, Place]

    def __getitem__(self, key: str) -> str:
        return str(self._places[key])

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __repr__(self) -> str:
        return f"Origins({dict(self)!r})"

    def place(self, key: str, *path: str | int) -> Place:
        """Where a setting, or an item inside it, was written."""
        return self._places[key].below(*path)

    def plugin(self, name: str, *path: str | int) -> Place:
        """Where the option ``path`` of a plugin was written, or else where it would have to be."""
        written = self._places.get(f"plugins.{name}.{path[0]}") if path else None
        if written is not None:
            return written.below(*path[1:])
        table = self._places.get(f"plugins.{name}", Place("configuration", ("plugins", name)))
        return table.below(*path)
