"""Tries to deliver."""

from __future__ import annotations

import asyncio
import time
from http.cookiejar import CookieJar, DefaultCookiePolicy
from importlib.metadata import version

import httpx

from model_registry import ModelRegistryError
from model_registry_server.options import ServerOptions
from model_registry_server.security.network import pinned_async_transport
from model_registry_server.webhooks.retrying import seconds_of
from model_registry_server.webhooks.signing import sign
from model_registry_server.webhooks.webhook import Outcome, Parcel

#: Bytes of an answer that are read, and characters of it that are told.
_MOST_READ = 4096
_MOST_TOLD = 200


class Poster:
    """Reaches only what webhooks may, and keeps nothing of what it is told."""

    def __init__(self, options: ServerOptions) -> None:
        self._client = httpx.AsyncClient(
            transport=pinned_async_transport(
                options.webhook_hosts, option="webhook_hosts", allow_private=options.webhook_private
            ),
            headers={
                "User-Agent": f"model-registry-server/{version('model-registry-server')}",
                "Content-Type": "application/json",
                "Accept-Encoding": "identity",  # what is packed could unpack to any size
            },
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            follow_redirects=False,
            trust_env=False,
            timeout=None,  # noqa: S113 - the whole try has one
        )

    async def post(self, parcel: Parcel, timeout: float) -> Outcome:
        """Send a delivery once.

        :param timeout: Seconds for all of it.
        """
        began = time.monotonic()
        status = retry_after = None
        try:
            status, retry_after, said = await asyncio.wait_for(self._exchange(parcel), timeout)
            error = _problem(status, said)
        except asyncio.TimeoutError:
            error = f"no answer within {timeout:g} s"
        except ModelRegistryError as refused:
            error = str(refused)
        except Exception as failed:  # whatever it is, it is this receiver's, and the others get theirs
            error = f"{type(failed).__name__}: {failed}"[:1000]
        return Outcome(time.monotonic() - began, status, error, retry_after)

    async def close(self) -> None:
        """Hang up."""
        await self._client.aclose()

    async def _exchange(self, parcel: Parcel) -> tuple[int, float | None, bytes]:
        headers = {
            "X-Model-Registry-Event": parcel.action,
            "X-Model-Registry-Delivery": parcel.id,
            **sign(parcel.secret, parcel.id, int(time.time()), parcel.body),
        }
        async with self._client.stream("POST", parcel.url, content=parcel.body, headers=headers) as response:
            said = b""
            async for piece in response.aiter_raw():
                said += piece
                if len(said) >= _MOST_READ:
                    break
            return response.status_code, seconds_of(response.headers.get("retry-after")), said[:_MOST_READ]


def _problem(status: int, said: bytes) -> str | None:
    """What is wrong with an answer; None if it is a good one."""
    if 200 <= status < 300:
        return None
    if 300 <= status < 400:
        return f"answered {status}: redirects are not followed — give the webhook the new url"
    text = " ".join(said.decode("utf-8", "replace").split())
    shown = "".join(letter for letter in text if letter.isprintable())[:_MOST_TOLD]
    return f"answered {status}: {shown}" if shown else f"answered {status}"
