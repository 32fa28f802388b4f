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
            "on the disk": size_text(stats["disk_bytes"]),
            "saved by sharing": size_text(stats["shared_bytes"]),
        }
    )
    archived = stats["archive"]
    if archived.get("packs"):
        screen.heading("Archive")
        screen.facts(
            {
                "files": count_text(archived["blobs"]),
                "as they were": size_text(archived["before_bytes"]),
                "as they are kept": size_text(archived["stored_bytes"]),
                **{
                    f"saved by {word}": size_text(method["before"] - method["stored"])
                    for word, method in archived["methods"].items()
                },
                "restored, in the cache": size_text(archived["cache_bytes"]),
            }
        )
    for title, counts in (("By format", stats["by_format"]), ("By type", stats["by_type"])):
        if counts:
            screen.heading(title)
            screen.facts({kind: count_text(count) for kind, count in counts.items()})
    large = stats["above_compression_threshold"]
    if large:
        session.say(f"\n{len(large):,} of {stats['compression_threshold_mb']:g} MB or more are worth compressing:")
        session.say("«archive» takes their older versions, and «recommend-compression» tells what makes one smaller")
    return None
