"""Every page's router."""

from __future__ import annotations

import model_registry_server.paths  # noqa: F401 - the convertors that the routes name
from model_registry_server.web import (
    aliases,
    audit,
    comparing,
    edits,
    exports,
    home,
    inside,
    jobs,
    login,
    model,
    models,
    plugins,
    removal,
    static,
    storage,
    tokens,
    uploads,
    validation,
    version,
    webhooks,
)

#: In this order: a model's name may hold slashes, so what goes on after one is asked first; what is nowhere, last.
ROUTERS = (
    static.router,
    login.router,
    uploads.router,
    inside.router,
    exports.router,
    aliases.router,
    edits.router,
    removal.router,
    version.router,
    model.router,
    models.router,
    comparing.router,
    jobs.router,
    validation.router,
    storage.router,
    plugins.router,
    audit.router,
    tokens.router,
    webhooks.router,
    home.router,
)
