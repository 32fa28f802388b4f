"""A server over the same folder, in a process of its own, and a client that knows nothing but its address."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from digits import Digits
from model_registry import ModelRegistry
from show import Story
from training import measure


@contextmanager
def served(path: Path) -> Iterator[str]:
    """The address of a server of the registry in a folder, which ends with the block."""
    command = [sys.executable, "-m", "model_registry", "--registry", str(path), "serve", "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        said = server.stdout.readline()
        if " at " not in said:
            sys.exit(f"the server did not start: {said or 'it said nothing'}")
        yield said.rpartition(" at ")[2].strip()
    finally:
        server.terminate()
        server.wait()
        server.stdout.close()


def share(story: Story, registry: ModelRegistry, name: str, test: Digits) -> None:
    """Use the registry over HTTP, and see that the folder has what was sent there."""
    with story.step("Share the folder: a server, and a client of which only the address is another"):
        with served(Path(registry.settings.path)) as address:
            client = ModelRegistry(address)
            story.say("ModelRegistry(address) instead of ModelRegistry(folder); the rest stays as it was")
            entries = client.list_models()
            story.claim(f"it lists the same {len(entries)} versions", entries == registry.list_models())
            model = client.load_model(name).model
            accuracy = client.resolve(name).metadata.performance_metrics["accuracy"]
            same = measure(model, test)["accuracy"] == accuracy
            story.claim(f"the latest comes over the wire, and still reads {accuracy:.1%}", same)
            sent = client.register_model(f"{name}-sent", model, description="registered over HTTP")
        kept = registry.resolve(sent.name)
        story.claim("what it registers is in the folder, with the same digest", kept.digest == sent.digest)
        registry.remove_model(sent.name, sent.version)
