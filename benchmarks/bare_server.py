"""A server that does nothing else: ``python bare_server.py FOLDER`` says its address, and answers until it ends.

``/list`` gives the bytes of the file ``list`` in FOLDER; ``/upload`` hashes a body and writes it; ``/download`` sends
the file ``download``, in chunks of 1 MiB.
"""

from __future__ import annotations

import hashlib
import socket
import sys
from itertools import count
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response


def app_of(folder: Path) -> Any:
    """FastAPI for the routes, and plain ASGI for the download."""
    app, numbers = FastAPI(), count()
    listed = (folder / "list").read_bytes() if (folder / "list").exists() else b""

    @app.get("/list")
    async def listing() -> Response:
        return Response(listed, media_type="application/json")

    @app.post("/upload")
    async def upload(request: Request) -> dict[str, str]:
        state = hashlib.sha256()
        # A new file, as for every upload that is kept: to write over one takes no new memory for its pages.
        with (folder / f"uploaded-{next(numbers)}").open("wb") as file:
            async for chunk in request.stream():
                state.update(chunk)
                file.write(chunk)
        return {"sha256": state.hexdigest()}

    async def plain(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"] != "/download":
            await app(scope, receive, send)
            return
        size = (folder / "download").stat().st_size
        headers = [(b"content-length", str(size).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        with (folder / "download").open("rb") as file:
            while chunk := file.read(1 << 20):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    return plain


def main() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        print(f"serving at http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
        config = uvicorn.Config(app_of(Path(sys.argv[1])), http="httptools", loop="uvloop", ws="none", log_config=None)
        uvicorn.Server(config).run(sockets=[listening])


main()
