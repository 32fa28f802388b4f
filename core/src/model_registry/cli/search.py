"""``model-registry search``"""

from __future__ import annotations

import click

from model_registry.cli.options import RegistryCommand
from model_registry.cli.session import Session
from model_registry.cli.versions import show_versions
from model_registry.documents import version_document


@click.command("search", cls=RegistryCommand)
@click.argument("query", metavar="QUERY")
@click.option(
    "--limit", type=click.IntRange(min=1), default=50, show_default=True, metavar="N", help="At most so many."
)
@click.option("--after", metavar="CURSOR", help="Go on behind the page that told this cursor.")
@click.pass_obj
def command(session: Session, /, query: str, limit: int, after: str | None) -> None:
    """Find versions by what is known of them.

    A QUERY is a condition and an order, such as
    "metrics.accuracy >= 0.97 and tags.stage = 'prod' order by size".
    """
    from model_registry.search import fields_of, metrics_of, parse

    parsed = parse(query)  # a mistake in it is told, even where there is no registry yet
    registry = session.open()
    page = registry.search(query, limit=limit, after=after)
    if session.json:
        return session.emit({"versions": [version_document(entry) for entry in page], "cursor": page.cursor})
    if not page:
        session.say("nothing matches" if after is None else "nothing more matches")
        for field in fields_of(parsed):
            # Of these, any name is possible, so that a misspelt one is no mistake in the query.
            if field.keys and not registry.search(f"{field} is not null", limit=1):
                session.warn(f"no version has {field}")
        return None
    show_versions(session, page, metrics=metrics_of(parsed))
    if page.cursor:
        session.warn(f"there are more than {limit}; see them with --after {page.cursor}")
    return None
