"""``model-registry stats``"""

from __future__ import annotations

import click

from model_registry.cli.options import RegistryCommand
from model_registry.cli.session import Session
from model_registry.cli.text import count_text, size_text


@click.command("stats", cls=RegistryCommand)
@click.pass_obj
def command(session: Session) -> None:
    """Show how much there is, and what it takes."""
    stats = session.open().get_detailed_stats()
    if session.json:
        return session.emit(stats)
    screen = session.screen()
    screen.title(stats["path"])
    screen.heading("Versions")
    screen.facts(
        {
            "models": count_text(stats["models"]),
            "versions": count_text(stats["versions"]),
            "removed, restorable": count_text(stats["removed_versions"]),
        }
    )
    screen.heading("Space")
    screen.facts(
        {
            "files of all versions": size_text(stats["logical_bytes"]),
            "of removed ones": size_text(stats["removed_bytes"]),
            "stored": size_text(stats["stored_bytes"]),
            "saved by sharing": size_text(stats["shared_bytes"]),
        }
    )
    for title, counts in (("By format", stats["by_format"]), ("By type", stats["by_type"])):
        if counts:
            screen.heading(title)
            screen.facts({kind: count_text(count) for kind, count in counts.items()})
    large = stats["above_compression_threshold"]
    if large:
        session.say(f"\n{len(large):,} of {stats['compression_threshold_mb']:g} MB or more are worth compressing")
    return None
