"""``model-registry token``"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import click

from model_registry import InvalidNameError
from model_registry_server.cli import Command, Session, folder_of, person
from model_registry_server.security.audit import Audit
from model_registry_server.security.moments import now
from model_registry_server.security.roles import EVERY_MODEL, Role
from model_registry_server.security.tokens import Also, Token, Tokens
from model_registry_server.state import State

_COLUMNS = ("id", "name", "role", "models", "created", "last used", "state")


@click.group("token")
def command() -> None:
    """Tokens for callers of the server.

    They work at once, also while the server runs. The first one closes a server that was open to this machine.
    """


@command.command("create", cls=Command)
@click.argument("name", required=False)
@click.option("--role", type=click.Choice([role.value for role in Role]), default="reader", show_default=True)
@click.option(
    "--model", "patterns", multiple=True, metavar="PATTERN", help="Only models like this, as team/*; may be repeated."
)
@click.option("--expires", type=click.IntRange(1, 36500), metavar="DAYS", help="Refuse it after so many days.")
@click.pass_obj
def create(session: Session, name: str | None, role: str, patterns: Sequence[str], expires: int | None) -> None:
    """Make a token, and print it.

    It stands alone on stdout: TOKEN=$(model-registry token create ci --role writer). The registry has to be there;
    serving makes one, and so does registering.
    """
    state = _state(session)
    end = None if expires is None else now() + timedelta(days=expires)
    tokens, also = Tokens(state), _audited(state, "create_token")
    is_first = not tokens.any()
    text, token = tokens.create(name, role, patterns or (EVERY_MODEL,), end, also=also)
    if session.json:
        session.emit({"token": text, **_document(token)})
    else:
        click.echo(text)
    click.echo(f"token {token.name} ({token.id}) was made; it is shown only this once, so keep it now", err=True)
    if is_first and token.role is not Role.ADMIN:
        more = "nobody can administer the server over HTTP yet: model-registry token create NAME --role admin"
        session.warn(session.here(more))


@command.command("list", cls=Command)
@click.option("--all", "everything", is_flag=True, help="Also those that were revoked.")
@click.pass_obj
def list_tokens(session: Session, everything: bool) -> None:
    """List the tokens, without their secrets."""
    tokens = [token for token in Tokens(_state(session)).list() if everything or token.revoked_at is None]
    if session.json:
        session.emit({"tokens": [_document(token) for token in tokens]})
    elif not tokens:
        session.say(session.here("no tokens; make one: model-registry token create NAME --role reader"))
    else:
        session.screen().table(_COLUMNS, [_row(token) for token in tokens])


@command.command("revoke", cls=Command)
@click.argument("token_id", metavar="ID")
@click.pass_obj
def revoke(session: Session, token_id: str) -> None:
    """Refuse a token from now on.

    ID is its eight digits, as «list» shows them.
    """
    state = _state(session)
    tokens = Tokens(state)
    known = {token.id for token in tokens.list()}
    if token_id not in known:
        hint = "see «model-registry token list»"
        raise InvalidNameError(f"there is no token with the id {token_id!r}", hint=hint, value=token_id)
    if not tokens.revoke(token_id, also=_audited(state, "revoke_token")):
        session.warn(f"token {token_id} was revoked before")
    if session.json:
        session.emit({"revoked": token_id})
    else:
        session.say(f"token {token_id} is revoked")


def _state(session: Session) -> State:
    return State(folder_of(session).settings.path)


def _audited(state: State, action: str) -> Also:
    """Notes a change of a token in the transaction that makes it."""
    audit = Audit(state)
    return lambda db, token: audit.append(db, person(), action, token.id, _facts(token))


def _facts(token: Token) -> dict[str, Any]:
    expires = None if token.expires_at is None else token.expires_at.isoformat()
    return {"name": token.name, "role": token.role.value, "models": list(token.patterns), "expires_at": expires}


def _document(token: Token) -> dict[str, Any]:
    return {
        "id": token.id,
        "name": token.name,
        "role": token.role.value,
        "models": list(token.patterns),
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "revoked_at": token.revoked_at,
        "last_used_at": token.last_used_at,
    }


def _row(token: Token) -> tuple[str, ...]:
    models = ", ".join(token.patterns)
    used = "never" if token.last_used_at is None else _day_and_time(token.last_used_at)
    return token.id, token.name, token.role.value, models, _day_and_time(token.created_at), used, _standing(token)


def _standing(token: Token) -> str:
    if token.revoked_at is not None:
        return f"revoked {_day_and_time(token.revoked_at)}"
    if token.expires_at is None:
        return "good"
    return f"{'good until' if token.is_good(now()) else 'expired'} {_day_and_time(token.expires_at)}"


def _day_and_time(moment: datetime) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M")
