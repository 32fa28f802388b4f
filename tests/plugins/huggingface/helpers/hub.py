"""A small hub on loopback, which serves repositories in the way of the real one: the calls that its client makes."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

#: Files of so many bytes are kept apart, as the real hub does with large ones, and told with their SHA-256.
LARGE = 10_000


class Hub(ThreadingHTTPServer):
    """Serves commits, each a folder; branches name commits."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.commits: dict[str, dict[str, Path]] = {}
        self.branches: dict[str, dict[str, str]] = {}
        self.sent: Counter[str] = Counter()
        self.tags: list[str] = ["transformers", "license:apache-2.0"]
        self.break_after: int | None = None
        self.damaged = False
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def push(self, repo: str, folder: Path, branch: str = "main") -> str:
        """A new commit of a repository, which the branch names from now on."""
        content = hashlib.sha1(repr(sorted((str(p), p.stat().st_size) for p in folder.rglob("*"))).encode())
        content.update(str(len(self.commits)).encode())
        commit = content.hexdigest()
        self.commits.setdefault(repo, {})[commit] = folder
        self.branches.setdefault(repo, {})[branch] = commit
        return commit

    def find(self, repo: str, revision: str) -> tuple[str, Path] | None:
        commit = self.branches.get(repo, {}).get(revision, revision)
        folder = self.commits.get(repo, {}).get(commit)
        return None if folder is None else (commit, folder)

    def close(self) -> None:
        self.shutdown()
        self.server_close()


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Handler(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, *, body: bool) -> None:
        parts = [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")]
        if len(parts) < 4:
            return self.refuse("EntryNotFound")
        if parts[:2] == ["api", "models"]:
            return self.api(parts[2] + "/" + parts[3], parts[4:])
        if parts[0] == "large":
            return self.send_large(parts[1] + "/" + parts[2], parts[3], "/".join(parts[4:]), body)
        return self.resolve("/".join(parts[:2]), parts[3], "/".join(parts[4:]), body)

    def api(self, repo: str, rest: list[str]) -> None:
        revision = rest[1] if rest else "main"
        found = self.server.find(repo, revision)
        if found is None:
            known = repo in self.server.commits
            return self.refuse("RevisionNotFound" if known else "RepoNotFound")
        commit, folder = found
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        if rest[:1] == ["tree"]:
            return self.send_json([self.entry(folder, path) for path in files])
        siblings = [{"rfilename": path.relative_to(folder).as_posix()} for path in files]
        told = {"_id": "1", "id": repo, "modelId": repo, "sha": commit, "siblings": siblings, "private": False}
        return self.send_json({**told, "tags": self.server.tags, "pipeline_tag": "feature-extraction", "downloads": 0})

    def entry(self, folder: Path, path: Path) -> dict[str, object]:
        size = path.stat().st_size
        told: dict[str, object] = {"type": "file", "size": size, "oid": "0" * 40}
        told["path"] = path.relative_to(folder).as_posix()
        if size >= LARGE:
            told["lfs"] = {"oid": sha256(path), "size": size, "pointerSize": 130}
        return told

    def resolve(self, repo: str, revision: str, name: str, body: bool) -> None:
        found = self.server.find(repo, revision)
        if found is None or not (found[1] / name).is_file():
            return self.refuse("EntryNotFound" if found else "RevisionNotFound")
        commit, folder = found
        path = folder / name
        etag = sha256(path)
        common = {"X-Repo-Commit": commit, "ETag": f'"{etag[:40]}"', "Accept-Ranges": "bytes"}
        if path.stat().st_size < LARGE:
            return self.send_file(path, common, body)
        self.send_response(302)
        elsewhere = f"http://localhost:{self.server.server_port}/large/{repo}/{commit}/{name}"
        told = {"Location": elsewhere, "Content-Length": "0"}
        linked = {"X-Linked-Etag": f'"{etag}"', "X-Linked-Size": str(path.stat().st_size)}
        for key, value in {**common, **told, **linked}.items():
            self.send_header(key, value)
        return self.end_headers()

    def send_large(self, repo: str, commit: str, name: str, body: bool) -> None:
        self.send_file(self.server.commits[repo][commit] / name, {"Accept-Ranges": "bytes"}, body)

    def send_file(self, path: Path, headers: dict[str, str], body: bool) -> None:
        content = path.read_bytes()
        if self.server.damaged and len(content) >= LARGE:
            content = content[:-1] + bytes([content[-1] ^ 1])
        start = 0
        if wanted := self.headers.get("Range"):
            start = int(wanted.removeprefix("bytes=").split("-")[0])
            headers = {**headers, "Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
        self.send_response(206 if wanted else 200)
        for key, value in {**headers, "Content-Length": str(len(content) - start)}.items():
            self.send_header(key, value)
        self.end_headers()
        if not body:
            return
        part = content[start:]
        if self.server.break_after is not None and len(content) >= LARGE:
            part, self.server.break_after = part[: self.server.break_after], None
            self.close_connection = True
        self.server.sent[path.name] += len(part)
        self.wfile.write(part)

    def send_json(self, content: object) -> None:
        data = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def refuse(self, code: str) -> None:
        self.send_response(404)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()
