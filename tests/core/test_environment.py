"""The environment of a version: what is captured, what is masked, what is never executed, and what is not believed."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from fake_plugins import Installer

from model_registry import IntegrityError, ModelRegistry, UnsafeModelError, canonical_json, environment, provenance
from model_registry.clock import moment
from model_registry.environment import command, git

GIT = {
    **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
    **{f"GIT_{who}_{what}": "x@y" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}


def run_git(*words: str) -> str:
    return subprocess.run(["git", *words], env=GIT, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def repository(alone: Path) -> Path:
    """The current folder is a repository with one commit, of ``train.py``."""
    run_git("init", "--quiet", ".")
    Path("train.py").write_text("one")
    run_git("add", "train.py")
    run_git("commit", "--quiet", "-m", "first")
    return alone


def blobs() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path("models/blobs/sha256").iterdir()}


class TestCommand:
    @pytest.mark.parametrize(
        ("words", "kept"),
        [
            (["train.py", "--lr", "0.1"], ["train.py", "--lr", "0.1"]),
            (["t", "--token", "abc", "x"], ["t", "--token", "***", "x"]),
            (["t", "--token=abc", "x"], ["t", "--token=***", "x"]),
            (["t", "--api-key", "abc"], ["t", "--api-key", "***"]),
            (["t", "--apiKey=abc"], ["t", "--apiKey=***"]),
            (["t", "--API_KEY=abc"], ["t", "--API_KEY=***"]),
            (["t", "--hf_token", "-abc"], ["t", "--hf_token", "***"]),
            (["t", "-password", "abc"], ["t", "-password", "***"]),
            (["t", "--client-secret", "abc"], ["t", "--client-secret", "***"]),
            (["t", "wandb.apiKey=abc"], ["t", "wandb.apiKey=***"]),
            (["t", "PASSWORD=a=b"], ["t", "PASSWORD=***"]),
            (["t", "--token", "--lr", "3"], ["t", "--token", "--lr", "3"]),
            (["t", "--tokenizer", "bert", "--max-tokens=5"], ["t", "--tokenizer", "bert", "--max-tokens=5"]),
            (["t", "--author", "Ada", "--key", "id"], ["t", "--author", "Ada", "--key", "id"]),
            (["t", "--db=postgresql://me:abc@host/x"], ["t", "--db=postgresql://***@host/x"]),
            (["caf\udce9"], ["caf\\udce9"]),
            ([], []),
        ],
    )
    def test_is_kept_without_secrets(self, monkeypatch: pytest.MonkeyPatch, words: list[str], kept: list[str]) -> None:
        monkeypatch.setattr(sys, "argv", words)
        assert command.command() == kept

    def test_has_an_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "argv", ["x" * 10_000, f"{'y' * 10_000}_token=abc"] * 10_000)
        assert len(json.dumps(command.command())) < 100 * 310
        assert "abc" not in str(command.command())

    def test_of_an_embedded_interpreter_is_empty(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delattr(sys, "argv")
        assert command.command() == []


class TestGit:
    def test_outside_of_a_repository_says_nothing(self, alone: Path) -> None:
        assert git.state() is None

    def test_a_clean_tree(self, repository: Path) -> None:
        assert git.state() == {"commit": run_git("rev-parse", "HEAD"), "clean": True}

    def test_from_a_folder_below(self, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        Path("below").mkdir()
        monkeypatch.chdir("below")
        assert git.state() == {"commit": run_git("rev-parse", "HEAD"), "clean": True}

    @pytest.mark.parametrize("file", ["train.py", "new.py"])
    def test_a_changed_tree(self, repository: Path, file: str) -> None:
        Path(file).write_text("other")
        assert git.state() == {"commit": run_git("rev-parse", "HEAD"), "clean": False}

    def test_is_asked_again_after_a_commit_and_only_then(self, repository: Path) -> None:
        before = git.state()
        Path("train.py").write_text("two!")
        assert git.state() == before  # what runs was read then
        run_git("commit", "--quiet", "-am", "second")
        assert git.state() == {"commit": run_git("rev-parse", "HEAD"), "clean": True} != before
        run_git("pack-refs", "--all")
        run_git("checkout", "--quiet", "--detach", "HEAD~1")
        assert git.state() == before

    def test_a_linked_worktree(self, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        run_git("worktree", "add", "--quiet", "-b", "other", "linked")
        monkeypatch.chdir("linked")
        first = git.state()
        assert first == {"commit": run_git("rev-parse", "HEAD"), "clean": True}
        run_git("commit", "--quiet", "--allow-empty", "-m", "second")
        assert git.state() == {"commit": run_git("rev-parse", "HEAD"), "clean": True} != first

    def test_a_repository_without_a_commit(self, alone: Path) -> None:
        run_git("init", "--quiet", ".")
        assert git.state() is None

    def test_what_the_caller_is_in_the_middle_of_does_not_mislead(
        self, repository: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("GIT_DIR", "/nonexistent")
        monkeypatch.setenv("GIT_INDEX_FILE", "/nonexistent")
        assert git.state() == {"commit": run_git("rev-parse", "HEAD"), "clean": True}

    @pytest.mark.parametrize("what", [".git", ".git/HEAD"])
    def test_a_pipe_is_not_waited_for(self, alone: Path, what: str) -> None:
        if what != ".git":
            Path(".git").mkdir()
        os.mkfifo(what)
        begun = time.monotonic()
        assert git.state() is None
        assert time.monotonic() - begun < 1

    def test_a_git_that_lies_in_the_folder_is_not_used(self, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        program = Path("git")
        program.write_text("#!/bin/sh\ntouch ran\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f".{os.pathsep}{os.environ['PATH']}")
        assert git.state() is None
        assert not Path("ran").exists()

    def test_of_a_folder_that_is_gone_says_nothing(self, alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        Path("gone").mkdir()
        monkeypatch.chdir("gone")
        Path.cwd().rmdir()
        assert git.state() is None


def watch(program: str) -> None:
    run_git("config", "core.fsmonitor", program)


def hook(program: str) -> None:
    Path(".git/hooks/post-index-change").write_text(f"#!/bin/sh\n{program}\n")
    Path(".git/hooks/post-index-change").chmod(0o755)


def clean_filter(program: str) -> None:
    run_git("config", "filter.evil.clean", f"{program}; cat")
    Path(".git/info/attributes").write_text("*.py filter=evil\n")


def process_filter(program: str) -> None:
    run_git("config", "filter.Evil.process", program)
    run_git("config", "filter.Evil.required", "true")
    Path(".git/info/attributes").write_text("*.py filter=Evil\n")


def odd_filter(program: str) -> None:
    run_git("config", "filter.e=vil.clean", f"{program}; cat")
    Path(".git/info/attributes").write_text("*.py filter=e=vil\n")


def included_filter(program: str) -> None:
    Path("more").write_text(f'[filter "evil"]\nclean = "{program}; cat"\n')
    run_git("config", "include.path", "../more")
    Path(".gitattributes").write_text("*.py filter=evil\n")


def lazy_fetch(program: str) -> None:
    run_git("config", "core.repositoryFormatVersion", "1")
    run_git("config", "extensions.partialClone", "origin")
    run_git("config", "remote.origin.promisor", "true")
    run_git("config", "remote.origin.url", "ssh://localhost/x")
    run_git("config", "core.sshCommand", program)
    tree = run_git("rev-parse", "HEAD^{tree}")
    Path(".git/objects", tree[:2], tree[2:]).unlink()


@pytest.mark.parametrize("attack", [watch, hook, clean_filter, process_filter, odd_filter, included_filter, lazy_fetch])
def test_no_program_of_a_repository_runs(repository: Path, attack: Callable[[str], None]) -> None:
    marker = repository / "ran"
    program = repository / "program"
    program.write_text(f"#!/bin/sh\ntouch {marker}\n")
    program.chmod(0o755)
    commit = run_git("rev-parse", "HEAD")
    attack(str(program))
    Path("train.py").write_text("two")  # of the same size: git has to read it, now and later
    state = git.state()
    assert not marker.exists()
    assert state is not None
    assert state["commit"] == commit
    assert state["clean"] is not True
    subprocess.run(["git", "status"], env=GIT, capture_output=True, check=False)
    assert marker.exists(), "git itself would not have run it: this test proves nothing"


class TestCapture:
    def test_tells_the_process(self, alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "argv", ["train.py"])
        assert environment.read(environment.capture(["pluggy", "not-installed"]), what="m") == {
            "python": platform.python_version(),
            "implementation": platform.python_implementation(),
            "platform": platform.platform(),
            "machine": platform.machine(),
            "packages": {"pluggy": version("pluggy")},
            "git": None,
            "command": ["train.py"],
        }

    @pytest.mark.parametrize(
        "change",
        [
            {"schemaVersion": 2},
            {"python": 3},
            {"packages": ["torch"]},
            {"packages": {"torch": 2}},
            {"git": "abc"},
            {"git": {"commit": "abc"}},
            {"git": {"commit": "abc", "clean": "yes"}},
            {"command": "train.py"},
            {"command": [1]},
            {"machine": None},
        ],
    )
    def test_what_is_not_as_it_should_be_is_refused(self, change: dict[str, Any]) -> None:
        document = json.loads(environment.capture([]))
        with pytest.raises(UnsafeModelError, match=r"^environment of m cannot be read: "):
            environment.read(canonical_json.dump({**document, **change}), what="m")

    @pytest.mark.parametrize("data", [b"", b"[]", b"1", b"{}", b"[" * 100_000, b'{"schemaVersion":1}'])
    def test_what_is_none_is_refused(self, data: bytes) -> None:
        with pytest.raises(UnsafeModelError, match=r"^environment of m "):
            environment.read(data, what="m")


class TestRegistering:
    def test_keeps_it_beside_the_version(self, install: Installer) -> None:
        install(
            "text",
            """
            from model_registry import FormatSpec, LoadedModel, hookimpl
            class Plugin:
                @hookimpl
                def formats(self): return [FormatSpec("text", "Text")]
                @hookimpl
                def save(self, request, stage): stage.add("model.txt", request.model); return True
                @hookimpl
                def packages(self, format): return ["pluggy", "attrs"] if format == "text" else None
            """,
        )
        entry = ModelRegistry("models").register_model("m", b"x", "text")
        assert entry.environment is not None
        assert list(entry.environment["packages"]) == ["attrs", "pluggy"]
        assert entry.environment["command"] == command.command()
        assert entry.provenance == provenance.of_this_process()

    def test_equal_environments_are_one_blob(self, registry: ModelRegistry) -> None:
        first, second = registry.register_model("m", b"x"), registry.register_model("n", b"y")
        assert first.environment == second.environment
        assert sum(b'"implementation"' in data for data in blobs().values()) == 1
        assert b"{}" not in blobs().values()

    def test_is_no_part_of_the_digest(self, registry: ModelRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
        entry = registry.register_model("m", b"x")
        registry.remove_model("m")
        monkeypatch.setattr(sys, "argv", ["another"])
        again = registry.register_model("m", b"x", version="1.0.0")
        assert again.digest == entry.digest
        assert again.environment != entry.environment
        assert again.environment is not None
        assert again.environment["command"] == ["another"]

    def test_can_be_left_out(self, bytes_plugin: str) -> None:
        registry = ModelRegistry("models", capture_environment=False)
        entry = registry.register_model("m", b"x")
        assert entry.environment is None
        assert entry.provenance == provenance.of_this_process()
        assert b"{}" in blobs().values()
        assert not any(b'"implementation"' in data for data in blobs().values())

    def test_it_outlives_removal_and_garbage_collection(self, registry: ModelRegistry) -> None:
        entry = registry.register_model("m", b"x")
        registry.remove_model("m")
        registry.collect_garbage()
        (removed,) = registry.list_models(removed=True)
        assert removed.environment == entry.environment is not None
        registry.collect_garbage(0)
        assert not blobs()


class TestReading:
    def record_of(self, what: bytes) -> Path:
        (name,) = [name for name, data in blobs().items() if what in data]
        return Path("models/blobs/sha256", name)

    @pytest.mark.parametrize("what", [b"provenance.v1+json", b'"implementation"'])
    @pytest.mark.parametrize("damage", [Path.unlink, lambda path: (path.chmod(0o644), path.write_bytes(b"{}"))])
    def test_a_damaged_record_is_told(
        self, registry: ModelRegistry, what: bytes, damage: Callable[[Path], Any]
    ) -> None:
        entry = registry.register_model("m", b"x")
        damage(self.record_of(what))
        with pytest.raises(IntegrityError, match=r"^m:1\.0\.0: a record of its origin is gone or was changed"):
            _ = entry.environment

    def test_a_record_about_another_version_is_not_its_own(self, registry: ModelRegistry) -> None:
        entry, other = registry.register_model("m", b"x"), registry.register_model("n", b"y")
        with registry._context.catalog._connections.writing(durable=False) as db:
            db.execute(
                "UPDATE version_blobs SET version_id = 3 - version_id WHERE blob_id NOT IN"
                " (SELECT blob_id FROM version_blobs GROUP BY blob_id HAVING count(*) > 1)"
            )
        assert entry.provenance is None
        assert other.environment is None


class TestProvenance:
    def test_comes_back(self) -> None:
        around = environment.capture([])
        data = provenance.write("a" * 64, 7, moment(1), {"host": "here"}, around)
        found = provenance.read(data, what="m")
        assert found is not None
        assert (found.subject, found.registered_at, found.facts) == ("a" * 64, moment(1), {"host": "here"})
        assert found.environment is not None
        assert found.environment[1] == len(around)

    @pytest.mark.parametrize(
        "data", [b"", b"x", b"[]", b"{}", b'{"annotations":{}}', b'{"annotations":{},"artifactType":"x"}']
    )
    def test_other_json_is_none(self, data: bytes) -> None:
        assert provenance.read(data, what="m") is None

    @pytest.mark.parametrize(
        "change",
        [
            {"annotations": {"x": None}},
            {"annotations": {}},
            {"annotations": {provenance.CREATED: "yesterday"}},
            {"annotations": {provenance.CREATED: "2024-01-01"}},
            {"annotations": {provenance.CREATED: 3}},
            {"annotations": {provenance.CREATED: "0001-01-01T00:00:00+23:00"}},
            {"subject": {"digest": "sha256:../x", "size": 1}},
            {"subject": None},
            {"config": None},
            {"config": {"mediaType": environment.ENVIRONMENT_TYPE, "digest": "md5:0", "size": 1}},
        ],
    )
    def test_a_forged_record_is_refused(self, change: dict[str, Any]) -> None:
        document = json.loads(provenance.write("a" * 64, 7, moment(1), {}))
        with pytest.raises(UnsafeModelError, match=r"^provenance of m is malformed: "):
            provenance.read(canonical_json.dump({**document, **change}), what="m")
