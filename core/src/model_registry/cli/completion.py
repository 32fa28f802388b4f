"""``model-registry completion``"""

from __future__ import annotations

import click

from model_registry.cli.options import RegistryCommand
from model_registry.cli.session import Session

SHELLS = ("bash", "zsh", "fish")


@click.command("completion", cls=RegistryCommand)
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print what makes a shell complete commands, options and names of models.

    For bash, add to ~/.bashrc: eval "$(model-registry completion bash)". Likewise for zsh; for fish, write it to
    ~/.config/fish/completions/model-registry.fish.
    """
    from click.shell_completion import get_completion_class

    program = context.find_root().info_name or "model-registry"
    completion = get_completion_class(shell)
    assert completion is not None  # noqa: S101  # the shells above are click's own
    script = completion(context.find_root().command, {}, program, "_MODEL_REGISTRY_COMPLETE").source()
    session = context.ensure_object(Session)
    if session.json:
        session.emit({"shell": shell, "script": script})
    else:
        click.echo(script)
