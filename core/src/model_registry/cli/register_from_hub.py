"""``model-registry register-from-hub``"""

from __future__ import annotations

import click

from model_registry.cli.assignments import FIELDS, METRICS, Pairs, keywords
from model_registry.cli.options import RegistryCommand
from model_registry.cli.register import parent_of
from model_registry.cli.session import Session
from model_registry.cli.text import plural, size_text
from model_registry.documents import version_document

_TAKEN = frozenset({"self", "repo_id", "name", "revision", "version", "parent", "exist_ok"})


@click.command("register-from-hub", cls=RegistryCommand)
@click.argument("repo_id", metavar="REPOSITORY")
@click.option("--name", metavar="N", help="What to call the model (default: like the repository).")
@click.option("--revision", metavar="R", help="A branch, a tag or a commit (default: main).")
@click.option("--version", metavar="V", help="Its version (default: 1.0.0, then the next patch).")
@click.option("--parent", multiple=True, metavar="[R=]REF", help="What it comes from; may be repeated.")
@METRICS
@FIELDS
@click.option("--exist-ok", is_flag=True, help="Succeed if exactly this version is registered already.")
@click.pass_obj
def command(
    session: Session,
    /,
    repo_id: str,
    name: str | None,
    revision: str | None,
    version: str | None,
    parent: tuple[str, ...],
    metrics: Pairs,
    fields: Pairs,
    exist_ok: bool,
) -> None:
    """Download a model from a hub, and register it.

    Only what the model needs is downloaded, at the commit that the revision names now; what was interrupted goes on
    where it ended. HF_ENDPOINT names another hub, HF_HUB_OFFLINE=1 takes what is in the cache.
    """
    given = keywords({"--set": fields}, _TAKEN)
    if measured := keywords({"--metric": metrics}, ()):
        given["performance_metrics"] = measured
    registry = session.open(create=None)
    with session.working(f"downloading {repo_id} …", registry):
        entry = registry.register_from_hub(
            repo_id,
            name,
            revision=revision,
            version=version,
            parent=[parent_of(text) for text in parent],
            exist_ok=exist_ok,
            **given,
        )
    if session.json:
        return session.emit(version_document(entry))
    size = f"{size_text(entry.size)} in {plural(len(entry.files), 'file')}"
    session.say(f"registered {entry.reference}: {entry.metadata.format}, {size}")
    session.say(f"commit {entry.metadata.extra['origin']['commit']}")
    return session.say(f"sha256:{entry.digest}")
