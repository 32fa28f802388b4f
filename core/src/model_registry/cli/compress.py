"""``model-registry compress``"""

from __future__ import annotations

from typing import Any

import click

from model_registry.cli.assignments import OPTIONS, Pairs, keywords
from model_registry.cli.gate import show_loss
from model_registry.cli.limits import LIMITS
from model_registry.cli.names import complete_compression
from model_registry.cli.options import RegistryCommand
from model_registry.cli.references import name_argument, require_entry, split_reference
from model_registry.cli.session import Session
from model_registry.cli.text import size_text
from model_registry.documents import version_document

_TAKEN = frozenset(
    {"self", "name", "version", "compression", "new_name", "new_version", "inputs", "evaluate"}
    | {"max_drop", "min_cosine"}
)


@click.command("compress", cls=RegistryCommand)
@name_argument
@click.argument("version", required=False)
@click.option(
    "--by",
    required=True,
    metavar="T",
    shell_complete=complete_compression,
    help="The type of compression, such as fp16 or quantization_int8.",
)
@LIMITS
@click.option("--name", "new_name", metavar="N", help="Register it under this model (default: the same).")
@click.option("--as-version", "new_version", metavar="V", help="Its version (default: the next patch).")
@OPTIONS
@click.pass_obj
def command(session: Session, /, name: str, version: str | None, by: str, options: Pairs, **given: Any) -> None:
    """Register a smaller model made of a version, whose results differ a little.

    Both are run on the same inputs first: how well they agree and how long a run takes is kept with the new version.
    See recommend-compression for what is worth doing.
    """
    chosen = keywords({"--option": options}, _TAKEN)
    registry = session.open()
    entry = require_entry(registry, *split_reference(name, version))
    with session.working(f"compressing {entry.reference} by {by} …", registry):
        made = registry.compress_model(entry.name, entry.version, by, **given, **chosen)
    if session.json:
        return session.emit(version_document(made))
    session.say(
        f"registered {made.reference}: {size_text(made.size)}, {made.metadata.compression_ratio:.1%} of "
        f"{entry.reference}"
    )
    told = made.metadata.extra["compression"]
    if "latency_ms" in told:
        session.say("a run takes {after:.2f} ms, it took {before:.2f} ms".format(**told["latency_ms"]))
    return show_loss(session, told["parity"])
