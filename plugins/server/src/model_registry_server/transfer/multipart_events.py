"""What the parser of forms finds in each chunk, as a list: its callbacks cannot wait for a disk."""

from __future__ import annotations

from attrs import frozen
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, MultipartState

_MOST_HEADERS = 16
_MOST_HEADER_BYTES = 8 << 10


@frozen
class Headers:
    """A part's headers, by lower-case name."""

    values: dict[str, bytes]


@frozen
class Data:
    """Bytes of a part."""

    data: memoryview


@frozen
class End:
    """A part ends."""


class Events:
    """:param boundary: What stands between the parts."""

    def __init__(self, boundary: bytes) -> None:
        self._found: list[Headers | Data | End] = []
        self._headers: dict[str, bytes] = {}
        self._name = b""
        self._value = b""
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._add_name,
                "on_header_value": self._add_value,
                "on_header_end": self._end_header,
                "on_headers_finished": self._end_headers,
                "on_part_data": self._add_data,
                "on_part_end": lambda: self._found.append(End()),
            },
            max_header_count=_MOST_HEADERS,
            max_header_size=_MOST_HEADER_BYTES,
        )

    @property
    def ended(self) -> bool:
        """Whether the last boundary has come."""
        return self._parser.state == MultipartState.END

    def of(self, data: bytes) -> list[Headers | Data | End]:
        """What these bytes bring.

        :raises MultipartParseError: They are malformed.
        """
        self._parser.write(data)
        found, self._found = self._found, []
        return found

    def _begin(self) -> None:
        self._headers = {}

    def _add_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _add_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        name = self._name.decode("latin-1").lower()
        if name in self._headers:
            raise MultipartParseError(f"header {name[:40]!r} comes twice in one part")
        self._headers[name] = self._value
        self._name = self._value = b""

    def _end_headers(self) -> None:
        self._found.append(Headers(self._headers))

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        self._found.append(Data(memoryview(data)[start:end]))
