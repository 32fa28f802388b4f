"""``model-registry serve``"""

from __future__ import annotations

import click
from attrs import evolve

from model_registry_server.cli import Command, Session, folder_of, require_folder
from model_registry_server.options import MOST_WORKERS, ServerOptions


def command_with(options: ServerOptions) -> click.Command:
    """The command, with what the configuration says as defaults."""

    @click.command("serve", cls=Command)
    @click.option("--host", default=options.host, show_default=True, help="The address to listen at.")
    @click.option("--port", type=click.IntRange(0, 65535), default=options.port, show_default=True)
    @click.option(
        "--workers", type=click.IntRange(1, MOST_WORKERS), default=options.workers, help="Jobs that run at once."
    )
    @click.pass_obj
    def command(session: Session, host: str, port: int, workers: int) -> None:
        """Serve the registry over HTTP.

        Only this machine can reach it, unless --host says otherwise; then callers need tokens, which «model-registry
        token create» makes. Ctrl-C stops it; jobs under way go on when it is started again.
        """
        from model_registry_server.listening.serving import listen, serve

        require_folder(session)
        chosen = evolve(options, host=host, port=port, workers=workers)
        with listen(chosen) as listening:  # before a registry is made, which nobody would serve
            serve(folder_of(session, create=None), chosen, {"config": session.config}, listening, say=session.say)

    return command
