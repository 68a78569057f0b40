"""A Hugging Face Hub in miniature, on the loopback interface.

Serves what huggingface_hub asks for when it downloads a model: the revision, the list of files,
and files in ranges. Can cut a connection short or fail, once, for a given file.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class FakeHub:
    """A server with repositories that tests fill.

    Attributes:
        repos: Files by name, for each repository id.
        cut_after: Bytes of a file after which its connection breaks off, once.
        fail: Files that answer with an error, but for their beginnings, while they are named here.
        forged: Bytes that are sent in place of a file's own.
        fetched: (file, first byte) of every answer that carried a file to its end.
    """

    def __init__(self) -> None:
        self.repos: dict[str, dict[str, bytes]] = {}
        self.cut_after: dict[str, int] = {}
        self.fail: set[str] = set()
        self.forged: dict[str, bytes] = {}
        self.fetched: list[tuple[str, int]] = []
        hub = self

        class Handler(_Handler):
            pass

        Handler.hub = hub
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def url(self) -> str:
        """What HF_ENDPOINT must be."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def add(self, repo: str, files: Mapping[str, bytes]) -> None:
        """Publish a repository."""
        self.repos[repo] = dict(files)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Stop answering and free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    hub: FakeHub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep quiet."""

    def _answer(self, *, with_body: bool) -> None:
        path = self.path.partition("?")[0]
        if listing := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/(revision|tree)/[^/]+)?", path):
            self._describe(*listing.groups())
        elif file := re.fullmatch(r"/([^/]+/[^/]+)/resolve/[^/]+/(.+)", path):
            self._send_file(*file.groups(), with_body=with_body)
        else:
            self._send(404, b"", {})

    def _describe(self, repo: str, what: str | None) -> None:
        files = self.hub.repos.get(repo)
        if files is None:
            self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"})
            return
        siblings = [_sibling(name, data) for name, data in files.items()]
        info = {"id": repo, "sha": COMMIT, "siblings": siblings}
        tree = [_tree_entry(name, data) for name, data in files.items()]
        body = json.dumps(tree if what == "tree" else info).encode()
        self._send(200, body, {"Content-Type": "application/json"})

    def _send_file(self, repo: str, name: str, *, with_body: bool) -> None:
        data = self.hub.repos.get(repo, {}).get(name)
        if data is None:
            self._send(404, b"", {"X-Error-Code": "EntryNotFound"})
            return
        asked = self.headers.get("Range")
        first, _, last = (asked or "bytes=0-")[6:].partition("-")
        start, stop = int(first), min(int(last) + 1, len(data)) if last else len(data)
        headers = {"ETag": f'"{_etag(name, data)}"', "X-Repo-Commit": COMMIT}
        headers["Accept-Ranges"] = "bytes"
        if asked:
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(data)}"
        cut = None
        if with_body and stop == len(data):
            if name in self.hub.fail:
                self._send(500, b"", {})
                return
            self.hub.fetched.append((name, start))
            cut = self.hub.cut_after.pop(name, None)
        body = self.hub.forged.get(name, data)[start:stop]
        self._send(206 if asked else 200, body, headers, with_body=with_body, cut=cut)

    def _send(
        self,
        status: int,
        body: bytes,
        headers: Mapping[str, str],
        *,
        with_body: bool = True,
        cut: int | None = None,
    ) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(body[:cut])
        if cut is not None:
            self.close_connection = True


def _sibling(name: str, data: bytes) -> dict[str, object]:
    found: dict[str, object] = {"rfilename": name, "size": len(data), "blobId": _sha1(data)}
    return found | ({"lfs": _lfs(data)} if _is_large(name) else {})


def _tree_entry(name: str, data: bytes) -> dict[str, object]:
    found: dict[str, object] = {"type": "file", "path": name, "size": len(data), "oid": _sha1(data)}
    return found | ({"lfs": {"oid": _sha256(data), **_lfs(data)}} if _is_large(name) else {})


def _lfs(data: bytes) -> dict[str, object]:
    return {"sha256": _sha256(data), "size": len(data), "pointerSize": 134}


def _is_large(name: str) -> bool:
    """Whether the Hub keeps such files outside of git."""
    return name.endswith(".safetensors")


def _etag(name: str, data: bytes) -> str:
    return _sha256(data) if _is_large(name) else _sha1(data)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _sha1(data: bytes) -> str:
    """As git names a file."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
