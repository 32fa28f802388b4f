"""``model-registry token``: what is printed where, and that each change is in the audit log."""

from __future__ import annotations

import getpass
import importlib
import json
import socket
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from importlib_metadata import entry_points

from model_registry import ModelRegistry
from model_registry.cli import root
from model_registry_server.security.audit import Audit, AuditEntry
from model_registry_server.security.tokens import Tokens
from model_registry_server.state import State

PLUGIN = """
from model_registry import hookimpl
from model_registry_server.cli.token import command


class Plugin:
    @hookimpl
    def commands(self, group):
        group.add_command(command)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A registry in ``./models``, whose only plugin adds the command."""
    site = tmp_path / "site"
    info = site / "only_tokens-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "only_tokens.py").write_text(PLUGIN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: only-tokens\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[model_registry.plugins]\nonly_tokens = only_tokens:Plugin\n")
    others = [point.name for point in entry_points(group="model_registry.plugins")]
    monkeypatch.setenv("MODEL_REGISTRY_DISABLED_PLUGINS", ",".join(others))
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.chdir(tmp_path)
    importlib.invalidate_caches()
    ModelRegistry("models")
    yield tmp_path / "models"
    sys.modules.pop("only_tokens", None)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(root, list(arguments), catch_exceptions=False)


def document(*arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(*arguments).stdout)
    return found


def audited(folder: Path) -> list[AuditEntry]:
    return Audit(State(folder)).search()


def test_the_token_stands_alone_on_stdout_and_works(folder: Path) -> None:
    done = run("token", "create", "ci", "--role", "writer", "--model", "team-a/*", "--model", "digits")
    assert done.exit_code == 0
    assert done.stdout.count("\n") == 1
    tokens = Tokens(State(folder))
    token = tokens.check(done.stdout.strip())
    tokens.close()
    assert token is not None
    assert (token.name, token.role, token.patterns, token.expires_at) == ("ci", "writer", ("team-a/*", "digits"), None)
    assert "shown only this once" in done.stderr
    assert done.stdout.strip() not in done.stderr


def test_without_options_it_is_a_reader_of_everything_for_ever(folder: Path) -> None:
    run("token", "create")
    (token,) = Tokens(State(folder)).list()
    assert (token.name, token.role, token.patterns) == (f"reader-{token.id}", "reader", ("*",))


def test_days_after_which_it_expires(folder: Path) -> None:
    run("token", "create", "ci", "--expires", "7")
    (token,) = Tokens(State(folder)).list()
    assert token.expires_at is not None
    assert timedelta(days=7) - timedelta(minutes=1) < token.expires_at - token.created_at <= timedelta(days=7)
    assert "good until" in run("token", "list").stdout


def test_changes_are_audited_with_the_person_at_the_command_line_and_without_the_secret(folder: Path) -> None:
    made = document("token", "create", "ci", "--json")
    run("token", "revoke", made["id"])
    revoked, created = audited(folder)
    assert created.actor == revoked.actor == f"{getpass.getuser()}@{socket.gethostname()}"
    assert (created.action, created.subject) == ("create_token", made["id"])
    assert (revoked.action, revoked.subject) == ("revoke_token", made["id"])
    assert created.details == {"name": "ci", "role": "reader", "models": ["*"], "expires_at": None}
    assert made["token"][12:] not in str(audited(folder))


def test_a_change_that_fails_is_not_audited(folder: Path) -> None:
    run("token", "create", "ci")
    done = run("token", "create", "ci")
    assert done.exit_code == 2
    assert done.stdout == ""
    assert "there is a token named 'ci' already" in done.stderr
    assert len(audited(folder)) == 1


def test_the_list_shows_no_secret_and_no_revoked_token_unless_asked() -> None:
    first, second = document("token", "create", "a", "--json"), document("token", "create", "b", "--json")
    run("token", "revoke", first["id"])
    text = run("token", "list").stdout
    assert second["id"] in text
    assert first["id"] not in text
    assert second["token"][12:] not in text
    listed = document("token", "list", "--all", "--json")["tokens"]
    assert [(token["name"], token["revoked_at"] is None) for token in listed] == [("a", False), ("b", True)]
    assert not any("token" in token or "sha256" in token for token in listed)


def test_without_tokens_the_list_says_how_to_make_one() -> None:
    assert "model-registry token create" in run("token", "list").stdout
    assert document("--json", "token", "list") == {"tokens": []}


def test_revoking_tells_what_it_did() -> None:
    made = document("token", "create", "ci", "--json")
    assert document("token", "revoke", made["id"], "--json") == {"revoked": made["id"]}
    again = run("token", "revoke", made["id"])
    assert again.exit_code == 0
    assert "was revoked before" in again.stderr


def test_an_id_that_no_token_has_is_an_error() -> None:
    done = run("token", "revoke", "ffffffff")
    assert done.exit_code == 2
    assert "there is no token with the id 'ffffffff'" in done.stderr
    assert "model-registry token list" in done.stderr


def test_global_options_may_stand_before_and_after(folder: Path) -> None:
    for arguments in (["--registry", str(folder), "token", "list"], ["token", "list", "-r", str(folder)]):
        assert run(*arguments).exit_code == 0
    for words in (["list"], ["create", "ci"], ["revoke", "ffffffff"]):
        assert run("token", *words, "-r", "nowhere").exit_code == 3
    assert not Path("nowhere").exists()
    assert "--registry" not in run("token", "list", "--help").stdout


def test_a_role_that_there_is_not_is_a_mistake_in_the_command() -> None:
    assert run("token", "create", "ci", "--role", "root").exit_code == 2
