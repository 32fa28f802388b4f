"""Options of ``[plugins.server]`` that make no sense are told where they stand, all at once, by whoever reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from model_registry.cli import root
from model_registry_server import ServerOptions

WRONG = """\
[registry]
path = "models"
[plugins.server]
auth = "never"
port = 70000
workers = 65
worker_idle_seconds = 0
max_upload_mb = nan
quota_mb = -1
upload_hours = inf
body_timeout = 0
body_rate = -0.5
rate_limit = -1
max_connections = 0
prot = 1
hosts = ["http://models.example.com", "models", "models:8000"]
proxies = ["nginx"]
hub_hosts = ["http://x/"]
webhook_hosts = ["*"]
"""
NAMES = ["models", "models.example.com", "MODELS.example.com.", "*.example.com", "*.x", "a_b", "1and1.com"]
ADDRESSES = ["127.0.0.1", "::1", "[::1]"]
NO_NAMES = ["", "*", "*.", "*a", "a.*.b", "a..b", "http://a", "a/b", "a:80", "a b", "a\n", "bücher.example"]
NO_ADDRESSES = ["[::1]:80", "*.0.0.1", "10.0.0.300", "fe80::1%lo"]
KEYS = [line.partition(" ")[0] for line in WRONG.splitlines()]


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("registry.toml").write_text(WRONG, encoding="utf-8")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(root, list(arguments), catch_exceptions=False)


def test_the_configuration_s_check_tells_every_mistake_with_its_line() -> None:
    done = run("config", "check", "--json")
    assert done.exit_code == 2
    told = [(mistake["line"], mistake["key"]) for mistake in json.loads(done.stdout)["mistakes"]]
    assert told == [(number, f"plugins.server.{key}") for number, key in enumerate(KEYS, 1) if number > 3]


@pytest.mark.parametrize("words", [("serve",), ("serve", "--port", "0"), ("token", "list")])
def test_a_command_tells_them_all_too_and_makes_nothing(words: tuple[str, ...]) -> None:
    done = run("--registry", "new", *words)
    assert done.exit_code == 2
    assert "error: 16 mistakes in the configuration:" in done.stderr
    assert "registry.toml:5: plugins.server.port: 'port' must be <= 65535: 70000\n" in done.stderr
    assert not Path("new").exists()


def test_a_mistake_says_what_would_do() -> None:
    told = run("config", "check").stderr
    assert "plugins.server.auth: 'auth' must be in ('auto', 'required') (got 'never')\n" in told
    assert "plugins.server.prot: unknown key; did you mean 'port'?\n" in told
    assert "without scheme, port or path; not 'http://models.example.com', 'models:8000'\n" in told
    assert "plugins.server.proxies: 'proxies' takes addresses such as '10.0.0.7'" in told


@pytest.mark.parametrize("host", [*NAMES, *ADDRESSES])
@pytest.mark.parametrize("option", ["hosts", "hub_hosts", "webhook_hosts"])
def test_what_a_host_may_be(option: str, host: str) -> None:
    options: dict[str, Any] = {option: (host,)}
    assert getattr(ServerOptions(**options), option) == (host,)


@pytest.mark.parametrize("host", [*NO_NAMES, *NO_ADDRESSES])
@pytest.mark.parametrize("option", ["hosts", "hub_hosts", "webhook_hosts"])
def test_what_no_host_can_be(option: str, host: str) -> None:
    options: dict[str, Any] = {option: ("fine", host)}
    with pytest.raises(ValueError, match=f"'{option}' takes names"):
        ServerOptions(**options)


@pytest.mark.parametrize("proxy", ["10.0.0.1", "10.0.0.0/24", "::1", "fd00::/8"])
def test_what_a_proxy_may_be(proxy: str) -> None:
    assert ServerOptions(proxies=(proxy,)).proxies == (proxy,)


@pytest.mark.parametrize("proxy", ["", "nginx", "*", "10.0.0.1/24", "10.0.0.1:80", "[::1]", "http://10.0.0.1"])
def test_what_no_proxy_can_be(proxy: str) -> None:
    with pytest.raises(ValueError, match="'proxies' takes addresses"):
        ServerOptions(proxies=("10.0.0.1", proxy))
