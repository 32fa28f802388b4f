"""Which commit the current folder's repository is at, and whether its tree is clean.

Git is asked, and a repository may be hostile: its configuration can name programs that git would run to watch files,
to filter their content, as hooks, or to fetch what is missing. All of these are switched off, so nothing of the
repository is executed; git itself refuses repositories of other users (``safe.directory``).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from functools import lru_cache
from pathlib import Path
from stat import S_ISREG
from typing import Any

#: Seconds for each question: a huge tree on a slow disk is not worth waiting for.
_PATIENCE = 2.0
_SAFELY = (
    "--no-optional-locks",
    "--no-pager",
    *("-c", "core.fsmonitor=false"),
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "core.sshCommand=false"),
    *("-c", "protocol.allow=never"),
)
#: A filter's keys whose names can be given to ``-c``, which reads up to the first «=».
_FILTER = re.compile(r"filter\.([A-Za-z0-9_.-]+)\.[a-z]+")
_LONGEST_REFERENCE = 4096


def state() -> dict[str, Any] | None:
    """``commit``, and ``clean`` (None if git cannot say); None outside of a repository.

    Git is asked once for each folder and commit: the code that this process runs was read then.
    """
    try:
        folder = Path.cwd()
        directory = _git_directory(folder)
    except OSError:  # it was removed, or is not to be looked into
        return None
    if directory is None or not any(head := _head(directory)):
        return None
    return _ask(folder, head)


@lru_cache(maxsize=64)
def _ask(folder: Path, head: tuple[str, ...]) -> dict[str, Any] | None:
    """:param head: What the answer depends on: asked anew when it moves."""
    commit = _git(folder, "rev-parse", "--verify", "HEAD")
    if not commit:
        return None
    return {"commit": commit.strip(), "clean": _is_clean(folder)}


def _is_clean(folder: Path) -> bool | None:
    """Whether no file that git knows, or should know, differs from the commit."""
    keys = _git(folder, "config", "--null", "--name-only", "--list")
    if keys is None:
        return None
    filters = [_FILTER.fullmatch(key) for key in keys.split("\0") if key.startswith("filter.")]
    names = {found[1] for found in filters if found}
    if not all(filters):
        return None
    off = [f"filter.{name}.{key}=" for name in sorted(names) for key in ("clean", "process", "required")]
    switches = [word for setting in off for word in ("-c", setting)]
    changes = _git(folder, *switches, "status", "--porcelain", "--untracked-files=normal", "--ignore-submodules=dirty")
    return None if changes is None else not changes


def _git(folder: Path, *words: str) -> str | None:
    """What git says; None if it fails."""
    program = shutil.which("git")
    if program is None or not Path(program).is_absolute():  # relative to the folder: the repository's own
        return None
    try:
        done = subprocess.run(
            [program, *_SAFELY, *words],
            cwd=folder,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", "replace")


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return {**kept, "GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": "none", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}


def _git_directory(folder: Path) -> Path | None:
    """The folder with the repository's HEAD, found without git."""
    for place in (folder, *folder.parents):
        found = place / ".git"
        if found.is_dir():
            return found
        if found.is_file():  # a linked worktree, or a submodule
            return place / _text(found).removeprefix("gitdir: ")
    return None


def _head(directory: Path) -> tuple[str, ...]:
    """What HEAD says, and the branch that it names."""
    head = _text(directory / "HEAD")
    branch = head.removeprefix("ref: ")
    if branch == head:
        return (head,)
    common = directory / _text(directory / "commondir")
    return head, _text(directory / branch), _text(common / branch)


def _text(path: Path) -> str:
    """The text of a small plain file; nothing else is waited for."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            is_plain = S_ISREG(os.fstat(descriptor).st_mode)
            return os.read(descriptor, _LONGEST_REFERENCE).decode("utf-8", "replace").strip() if is_plain else ""
        finally:
            os.close(descriptor)
    except (OSError, ValueError):
        return ""
