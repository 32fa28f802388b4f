"""What to type to use a version."""

from __future__ import annotations

import shlex
from urllib.parse import quote

from model_registry import ModelEntry
from model_registry_server.api_path import API
from model_registry_server.opaque import FORMAT as OPAQUE
from model_registry_server.token_variable import TOKEN_VARIABLE


def snippets(entry: ModelEntry, server: str, *, needs_token: bool) -> dict[str, str]:
    """Lines for Python, the command line and curl.

    :param server: The address of this server.
    :param needs_token: The server lets in only who has a token, which the first two take from the same variable.
    """
    name, version = entry.name, entry.version
    stem = f"{name.rpartition('/')[2]}-{version}"
    path = f"{API}/models/{quote(name, safe='')}/download?version={quote(version, safe='')}"
    python = f'from model_registry import ModelRegistry\n\nregistry = ModelRegistry("{server}")\n{_use(entry, stem)}'
    command = (
        f"model-registry --registry {server} export {shlex.quote(name)} {shlex.quote(version)} {shlex.quote(stem)}"
    )
    header = f'-H "Authorization: Bearer ${TOKEN_VARIABLE}" ' if needs_token else ""
    curl = f"curl -fOJ {header}{shlex.quote(server + path)}"
    return {"Python": python, "CLI": command, "curl": curl}


def _use(entry: ModelEntry, stem: str) -> str:
    """The line of Python that gives what a version is: a model, or files that nothing here opens."""
    if entry.metadata.format == OPAQUE.id:
        return f"registry.export_model({entry.name!r}, {entry.version!r}, {stem!r})"
    return f"model, tokenizer = registry.load_model({entry.name!r}, {entry.version!r})"


def first_steps(server: str) -> tuple[str, str]:
    """What to type to register a first model: in Python, and on the command line."""
    python = (
        "from model_registry import ModelRegistry\n\n"
        f'registry = ModelRegistry("{server}")\n'
        'registry.register_model("my-model", "model.safetensors")'
    )
    return python, f"model-registry --registry {server} register --name my-model model.safetensors"
