"""Bodies of answers that are read whole: no answer decides how much memory it takes."""

from __future__ import annotations

import httpx

from model_registry_server.client.errors import misunderstood

#: Bytes of the largest document; lists of many things come in pages.
_MOST = 64 << 20
#: Bytes that are looked at of an answer that is an error: the server needs far fewer to say what was wrong.
_MOST_OF_ERROR = 1 << 20


def require_plain(response: httpx.Response, address: str) -> None:
    """:raises StorageError: for a body that is encoded: nobody asked for that, and a little may become very much."""
    if not _is_plain(response):
        encoding = response.headers["content-encoding"]
        raise misunderstood(address, f"answers in the encoding {encoding!r:.80}, which was not asked for")


def whole(response: httpx.Response, address: str) -> httpx.Response:
    """An answer that is under way, with its body.

    Of one that is an error, only its beginning: that is enough to see that no server of ours sent it.

    :raises StorageError: if it is longer than any document, or encoded.
    """
    if response.status_code >= 300:
        return _with_body(response, _beginning(response, _MOST_OF_ERROR) if _is_plain(response) else b"")
    require_plain(response, address)
    body = _beginning(response, _MOST + 1)
    if len(body) > _MOST:
        raise misunderstood(address, f"answers with more than {_MOST >> 20} MiB")
    return _with_body(response, body)


def _is_plain(response: httpx.Response) -> bool:
    encoding: str = response.headers.get("content-encoding", "identity")
    return encoding.strip().lower() == "identity"


def _beginning(response: httpx.Response, most: int) -> bytes:
    body = bytearray()
    for data in response.iter_raw():
        body += data
        if len(body) >= most:
            break
    return bytes(body[:most])


def _with_body(response: httpx.Response, body: bytes) -> httpx.Response:
    headers = [(name, value) for name, value in response.headers.multi_items() if name != "content-encoding"]
    return httpx.Response(
        response.status_code,
        headers=headers,
        content=body,
        request=response.request,
        extensions={key: value for key, value in response.extensions.items() if key == "reason_phrase"},
    )
