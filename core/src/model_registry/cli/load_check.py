"""``model-registry load-check``"""

from __future__ import annotations

from time import perf_counter
from typing import Any

import click

from model_registry.cli.assignments import OPTIONS, Pairs, keywords
from model_registry.cli.options import RegistryCommand
from model_registry.cli.references import reference_arguments, require_entry, split_reference
from model_registry.cli.session import Session
from model_registry.cli.text import size_text

_TAKEN = frozenset({"self", "name", "version", "allow_code"})


@click.command("load-check", cls=RegistryCommand)
@reference_arguments
@click.option("--allow-code", is_flag=True, help="Permit that code stored with this model runs.")
@OPTIONS
@click.pass_obj
def command(session: Session, name: str, version: str | None, allow_code: bool, options: Pairs) -> None:
    """Load a version, to see that it loads here.

    It is loaded as a program would, and let go of again. Without VERSION it is the latest.
    """
    given = keywords({"--option": options}, _TAKEN)
    registry = session.open()
    entry = require_entry(registry, *split_reference(name, version))
    with session.working(f"loading {entry.reference} …", registry):
        entry.verify()
        begun = perf_counter()
        with registry.temporary_model(entry.name, entry.version, allow_code=allow_code, **given) as (model, tokenizer):
            seconds = perf_counter() - begun
            kind, tokenizer_kind = _type_name(model), None if tokenizer is None else _type_name(tokenizer)
        del model, tokenizer
    if session.json:
        return session.emit(
            {
                "name": entry.name,
                "version": entry.version,
                "type": kind,
                "tokenizer_type": tokenizer_kind,
                "bytes_verified": entry.size,
                "seconds": seconds,
            }
        )
    what = kind if tokenizer_kind is None else f"{kind} with {tokenizer_kind}"
    return session.say(f"{entry.reference} loads: {what}; {size_text(entry.size)} verified, loaded in {seconds:.2f} s")


def _type_name(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"
