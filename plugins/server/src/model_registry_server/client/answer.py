"""What a server answers: an object, which says of itself what it lacks."""

from __future__ import annotations

from typing import Any

from model_registry import StorageError
from model_registry_server.client.errors import misunderstood

#: What there may be of anything within one version: more than of any model, and not more than fits into memory.
_MOST = 2_000_000


class Answer(dict[str, Any]):
    """An object of JSON. Whatever else may stand at an address, a key that it lacks is told as an error of the server.

    :raises StorageError: from each look for what is not there, and for what is no object.
    """

    def __init__(self, document: object, address: str) -> None:
        if not isinstance(document, dict):
            raise misunderstood(address, "answered with something that is no registry's")
        super().__init__(document)
        self._address = address

    def __missing__(self, key: str) -> Any:
        raise misunderstood(self._address, f"answered without {key!r}, which a registry tells")

    def lines(self, key: str) -> dict[str, str]:
        """Texts by name.

        :raises StorageError: if it is something else.
        """
        found = self[key]
        if not (isinstance(found, dict) and all(isinstance(each, str) for each in found.values())):
            raise self.wrong(key)
        return found

    def several(self, key: str) -> list[dict[str, Any]]:
        """A list of objects.

        :raises StorageError: if it is none.
        """
        found = self[key]
        if not (isinstance(found, list) and all(isinstance(each, dict) for each in found)):
            raise self.wrong(key)
        return found

    def count(self, key: str) -> int:
        """How many there are of something within a version.

        :raises StorageError: if it is no number, or larger than of any.
        """
        found = self[key]
        if type(found) is not int or not 0 <= found <= _MOST:
            raise self.wrong(key)
        return found

    def wrong(self, key: str) -> StorageError:
        """What to raise for a key that says what no server of ours says."""
        return misunderstood(self._address, f"answered {key!r} as no registry does")
