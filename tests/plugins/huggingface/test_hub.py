"""Registering from a hub: a small one on loopback, which the tests start."""

from __future__ import annotations

import json

import hf_zoo
import hub as small_hub
import pytest
import torch

from model_registry import ModelRegistry

REPO = "team/reader"
CARD = "---\nlicense: apache-2.0\nlanguage: [en, de]\nbase_model: team/base\ntags: [small]\n---\n# Reader\nIt reads.\n"


@pytest.fixture
def hub():
    server = small_hub.Hub()
    yield server
    server.close()


@pytest.fixture
def folder(tmp_path):
    """What is in the repository: a model, and much that it does not need."""
    path = tmp_path / "repository"
    hf_zoo.make("bert").save_pretrained(path)
    (path / "README.md").write_text(CARD)
    (path / "pytorch_model.bin").write_bytes(b"x" * 200_000)
    (path / "onnx").mkdir()
    (path / "onnx" / "model.onnx").write_bytes(b"x" * 100_000)
    (path / "original").mkdir()
    (path / "original" / "copy.safetensors").write_bytes(b"x" * 100_000)
    (path / ".gitattributes").write_text("*.bin filter=lfs\n")
    return path


@pytest.fixture
def fetch(hub, run_child, tmp_path):
    """Registers from the hub in a new process, with a cache of its own; what it says."""

    def run(repo=REPO, *pairs, **environment):
        settings = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "0", **environment}
        return json.loads(run_child("from_hub.py", tmp_path, tmp_path / "models", repo, *pairs, **settings))

    return run


def test_only_what_is_needed_at_the_commit_that_was_resolved(hub, folder, fetch, tmp_path) -> None:
    commit = hub.push(REPO, folder)
    told = fetch()
    assert told["reference"] == "team/reader:1.0.0"
    assert sorted(told["files"]) == ["README.md", "config.json", "model.safetensors"]
    assert told["files"]["model.safetensors"] == small_hub.sha256(folder / "model.safetensors")
    assert told["downloaded"] == sum((folder / name).stat().st_size for name in told["files"])
    assert set(hub.sent) == {"README.md", "config.json", "model.safetensors"}, "something else was downloaded"
    origin = told["origin"]
    assert (origin["repository"], origin["revision"], origin["commit"]) == (REPO, "main", commit)
    assert origin["tags"] == ["transformers", "license:apache-2.0"]
    assert (told["license"], told["base_model"]) == ("apache-2.0", ["team/base"])
    assert told["url"] == f"{hub.url}/team/reader"
    assert told["card"] == "# Reader\nIt reads."
    loaded, _ = ModelRegistry(tmp_path / "models").load_model(REPO)
    expected = hf_zoo.make("bert").state_dict()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in loaded.state_dict().items())


def test_a_revision_names_what_is_taken(hub, folder, fetch, tmp_path) -> None:
    first = hub.push(REPO, folder)
    hf_zoo.make("bert", seed=1).save_pretrained(tmp_path / "newer")
    second = hub.push(REPO, tmp_path / "newer")
    hub.branches[REPO]["v1"] = first
    by_tag, by_commit, newest = fetch(REPO, "revision=v1"), fetch(REPO, f"revision={first}"), fetch()
    assert [told["origin"]["commit"] for told in (by_tag, by_commit, newest)] == [first, first, second]
    assert by_tag["files"] == by_commit["files"] != newest["files"]
    named = fetch(REPO, "name=mine", "version=2.0")
    assert named["reference"] == "mine:2.0"


def test_a_download_that_breaks_goes_on_where_it_ended(hub, folder, fetch) -> None:
    """The client keeps pieces of 10 MB."""
    header = b'{"weight":{"dtype":"U8","shape":[40000000],"data_offsets":[0,40000000]}}'
    content = len(header).to_bytes(8, "little") + header + bytes(40_000_000)
    (folder / "model.safetensors").write_bytes(content)
    hub.push(REPO, folder)
    hub.break_after = 25_000_000
    told = fetch()
    assert told["files"]["model.safetensors"] == small_hub.sha256(folder / "model.safetensors")
    assert len(content) <= hub.sent["model.safetensors"] <= len(content) + 10_000_000, "all of it was sent again"
    hub.sent.clear()
    fetch(REPO, "version=2.0")
    assert not hub.sent, "what is in the cache was downloaded again"


def test_offline_takes_what_is_in_the_cache(hub, folder, fetch) -> None:
    hub.push(REPO, folder)
    online = fetch()
    hub.sent.clear()
    offline = fetch(REPO, "version=2.0", HF_HUB_OFFLINE="1")
    assert offline["files"] == online["files"]
    assert offline["origin"]["commit"] == online["origin"]["commit"]
    assert not hub.sent
    missing = fetch("team/other", HF_HUB_OFFLINE="1")
    assert missing["error"] == "SourceNotFoundError"
    assert "team/other at 'main' is not in the cache, and the hub is not asked" in missing["message"]


def test_bytes_that_are_not_those_that_the_hub_tells_of_are_refused(hub, folder, fetch, tmp_path) -> None:
    hub.push(REPO, folder)
    hub.damaged = True
    told = fetch()
    assert told["error"] == "IntegrityError"
    assert "model.safetensors has other bytes than its source says" in told["message"]
    assert ModelRegistry(tmp_path / "models").list_models() == []


def test_what_is_not_there_is_told(hub, folder, fetch) -> None:
    hub.push(REPO, folder)
    absent = fetch("team/nothing")
    assert absent["error"] == "SourceNotFoundError"
    assert f"{hub.url} has no model 'team/nothing' at 'main'" in absent["message"]
    revision = fetch(REPO, "revision=v9")
    assert revision["error"] == "SourceNotFoundError"
    assert "at 'v9'" in revision["message"]
    malformed = fetch("a/b/c")
    assert malformed["error"] == "SourceNotFoundError"


def test_a_hub_that_cannot_be_reached_is_told(fetch) -> None:
    told = fetch(REPO, HF_ENDPOINT="http://127.0.0.1:9")
    assert told["error"] in ("StorageError", "SourceNotFoundError")
    assert "127.0.0.1:9" in told["message"]


def test_pickled_weights_are_refused_before_they_are_downloaded(hub, folder, fetch) -> None:
    (folder / "model.safetensors").unlink()
    hub.push(REPO, folder)
    told = fetch()
    assert told["error"] == "UnsafeModelError"
    assert "the weights of team/reader are pickled (pytorch_model.bin)" in told["message"]
    assert not hub.sent


def test_code_in_a_repository_is_refused(hub, folder, fetch, tmp_path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "auto_map": {"AutoModel": "modeling.Model"}}))
    (folder / "modeling.py").write_text("open('canary', 'w')")
    hub.push(REPO, folder)
    told = fetch()
    assert told["error"] == "UnsafeModelError"
    assert "auto_map" in told["message"]
    assert "modeling.py" not in hub.sent
    assert not list(tmp_path.rglob("canary"))


def test_on_the_command_line(hub, folder, tmp_path, monkeypatch) -> None:
    import subprocess
    import sys

    commit = hub.push(REPO, folder)
    environment = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "0"}
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    command = [sys.executable, "-m", "model_registry", "--registry", "models", "register-from-hub", REPO]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "registered team/reader:1.0.0: huggingface" in done.stdout
    assert f"commit {commit}" in done.stdout
