"""Who listens to the client's work, and how a bar is shown of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from model_registry import ModelRegistry, ProgressReport, remotes

Listener = Callable[[ProgressReport], object]
#: True and False force a bar and none; None shows one if stderr is a terminal; or who is to be told.
ProgressChoice = bool | Listener | None


class Told(remotes.Progress):
    """The operations of a client. What its cache does is told too: as a part of them, or by itself."""

    def __init__(self, cache: ModelRegistry) -> None:
        super().__init__()
        self._cache = cache

    @property
    def is_heard(self) -> bool:
        """Whether anybody listens."""
        return bool(self._listeners)

    @contextmanager
    def listening(self, listener: Listener) -> Iterator[None]:
        telling = threading.Lock()

        def tell(report: ProgressReport) -> None:
            with telling:  # client and cache may have something to tell at once
                listener(report)

        with super().listening(tell), self._cache.progress(tell):
            yield

    @contextmanager
    def showing(self, choice: ProgressChoice) -> Iterator[None]:
        """Show how far the block has come to whoever wants to see it."""
        if callable(choice):
            with self.listening(choice):
                yield
        elif choice or (choice is None and remotes.can_show()):
            with remotes.Bar(force=choice is True) as bar, self.listening(bar):
                yield
        else:
            yield
