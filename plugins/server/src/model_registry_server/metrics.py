"""Figures for Prometheus: what is asked, how long it takes, and what the registry holds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from model_registry_server.security.refusals import App, Message, Receive, Scope, Send

if TYPE_CHECKING:
    from model_registry_server.server import Server

MEDIA_TYPE = CONTENT_TYPE_LATEST
_BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0, 300.0)


class Metrics:
    """The figures of one server."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._registry = CollectorRegistry()
        labels = ("method", "route", "status")
        self.requests = Counter("model_registry_requests", "Requests answered", labels, registry=self._registry)
        self.seconds = Histogram(
            "model_registry_request_seconds",
            "Seconds until an answer had been sent",
            ("method", "route"),
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self.sent = Counter("model_registry_sent_bytes", "Bytes of bodies sent", registry=self._registry)
        self.received = Counter("model_registry_received_bytes", "Bytes of bodies received", registry=self._registry)
        ProcessCollector(registry=self._registry)
        self._registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """What is asked of the registry itself, when somebody looks."""
        stats = self._server.registry.get_detailed_stats()
        for key in ("models", "versions", "logical_bytes", "stored_bytes"):
            yield GaugeMetricFamily(f"model_registry_{key}", key.replace("_", " ").capitalize(), stats[key])
        jobs = GaugeMetricFamily("model_registry_jobs", "Jobs by state", labels=("state",))
        for state, count in self._server.stored_jobs.counts().items():
            jobs.add_metric([state], count)
        yield jobs

    def text(self) -> bytes:
        """All figures, as Prometheus reads them."""
        return generate_latest(self._registry)


class Measured:
    """ASGI middleware that counts what passes."""

    def __init__(self, app: App, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, and note what became of it."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        begun = time.perf_counter()
        metrics, status, sent, received = self._metrics, 0, 0, 0

        async def counting_receive() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            return message

        async def counting_send(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                sent += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, counting_receive, counting_send)
        finally:
            # The route's pattern and never the path: what clients ask for must not make ever more series.
            route = getattr(scope.get("route"), "path", "none")
            method = scope["method"] if scope["method"] in _METHODS else "other"
            metrics.requests.labels(method, route, str(status)).inc()
            metrics.seconds.labels(method, route).observe(time.perf_counter() - begun)
            metrics.sent.inc(sent)
            metrics.received.inc(received)


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
