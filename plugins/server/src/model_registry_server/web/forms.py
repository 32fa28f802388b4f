"""What the fields of a form say."""

from __future__ import annotations

from urllib.parse import parse_qsl

from fastapi import Request

from model_registry_server.transfer.errors import InvalidBodyError, TooLargeError

_MOST_BYTES = 1 << 20
#: Of a form that everybody may send.
OF_ANYBODY = 16 << 10
_MOST_FIELDS = 200


async def fields_of(request: Request, most: int = _MOST_BYTES) -> dict[str, str]:
    """The fields of a form without files, whose body its route has bounded; of a field that comes twice, the last.

    :raises InvalidBodyError: if it is no such form.
    :raises TooLargeError: if it is larger than any page sends.
    """
    data = bytearray()
    async for piece in request.stream():
        data += piece
        if len(data) > most:
            raise TooLargeError(f"the form has more than {most:,} bytes", limit=most)
    try:
        said = parse_qsl(data.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
    except ValueError as error:
        raise InvalidBodyError("the form cannot be read", hint="go back, and send it again") from error
    # Browsers end lines as mail does.
    return {key: value.replace("\r\n", "\n") for key, value in said}


def given(fields: dict[str, str], *names: str) -> dict[str, str]:
    """Those of the fields in which something was written."""
    return {name: fields[name].strip() for name in names if fields.get(name, "").strip()}
