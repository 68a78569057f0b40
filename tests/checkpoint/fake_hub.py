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
        fail: Files whose download is answered with an error for as long as they are named here.
        fetched: (file, first byte) of every answer that carried a file.
    """

    def __init__(self) -> None:
        self.repos: dict[str, dict[str, bytes]] = {}
        self.cut_after: dict[str, int] = {}
        self.fail: set[str] = set()
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
        if listing := re.fullmatch(r"/api/models/([^/]+/[^/]+)/(revision|tree)/[^/]+", path):
            self._describe(*listing.groups())
        elif file := re.fullmatch(r"/([^/]+/[^/]+)/resolve/[^/]+/(.+)", path):
            self._send_file(*file.groups(), with_body=with_body)
        else:
            self._send(404, b"", {})

    def _describe(self, repo: str, what: str) -> None:
        files = self.hub.repos.get(repo)
        if files is None:
            self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"})
            return
        info = {"id": repo, "sha": COMMIT, "siblings": [{"rfilename": name} for name in files]}
        tree = [_tree_entry(name, data) for name, data in files.items()]
        body = json.dumps(info if what == "revision" else tree).encode()
        self._send(200, body, {"Content-Type": "application/json"})

    def _send_file(self, repo: str, name: str, *, with_body: bool) -> None:
        data = self.hub.repos.get(repo, {}).get(name)
        if data is None:
            self._send(404, b"", {"X-Error-Code": "EntryNotFound"})
            return
        if with_body and name in self.hub.fail:
            self._send(500, b"", {})
            return
        start = int((self.headers.get("Range") or "bytes=0-")[6:].partition("-")[0])
        headers = {"ETag": f'"{_sha1(data)}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        if with_body:
            self.hub.fetched.append((name, start))
        cut = self.hub.cut_after.pop(name, None) if with_body else None
        self._send(206 if start else 200, data[start:], headers, with_body=with_body, cut=cut)

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


def _tree_entry(name: str, data: bytes) -> dict[str, object]:
    return {"type": "file", "path": name, "size": len(data), "oid": _sha1(data)}


def _sha1(data: bytes) -> str:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()
