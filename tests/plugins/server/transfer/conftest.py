"""A real server on the loopback address, for the tests of what is sent and received."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
import uvicorn


@contextmanager
def _running(app: Any) -> Iterator[str]:
    config = uvicorn.Config(app, port=0, http="httptools", loop="uvloop", lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.005)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def serve() -> Iterator[Callable[[Any], str]]:
    """Serves an application and gives its address; ends with the test."""
    with ExitStack() as stack:
        yield lambda app: stack.enter_context(_running(app))
