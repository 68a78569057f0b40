"""What the Hub says of a repository, and what may come in place of it."""

from __future__ import annotations

import json

import httpx2
import pytest

from qwen3_mlx.checkpoint.repository import RemoteFile, Repository
from qwen3_mlx.errors import ModelNotFoundError

REVISION, SHA256 = "0" * 40, "f" * 64
LFS = {"sha256": SHA256, "size": 5, "pointerSize": 135}
FILE = {"rfilename": "config.json", "size": 7}
INFO = {"id": "a/b", "sha": REVISION, "siblings": [FILE]}


def listed(monkeypatch: pytest.MonkeyPatch, body: bytes) -> Repository:
    """The repository, when the Hub answers in these words."""
    transport = httpx2.MockTransport(lambda _request: httpx2.Response(200, content=body))
    monkeypatch.setattr(
        "huggingface_hub.hf_api.get_session", lambda: httpx2.Client(transport=transport)
    )
    return Repository("a/b")


def test_files_of_use_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = {"rfilename": "model.safetensors", "size": 5, "lfs": LFS}
    info = INFO | {"siblings": [FILE, weights, {"rfilename": "sub/config.json"}]}
    repository = listed(monkeypatch, json.dumps(info).encode())
    assert repository.revision == REVISION
    assert [*repository.files.values()] == [
        RemoteFile("config.json", 7, None),
        RemoteFile("model.safetensors", 5, SHA256),
    ]


@pytest.mark.parametrize(
    "body",
    [
        b"<html>Please log in</html>",
        b'{"id": "a/b", "sha"',
        b"\xff",
        b"[]",
        b"[" * 100_000,
        b"{}",
        *(
            json.dumps(INFO | changes).encode()
            for changes in (
                {"lastModified": "yesterday"},
                {"sha": None},
                {"sha": "../../elsewhere"},
                {"siblings": [FILE | {"rfilename": 1}]},
                {"siblings": [FILE | {"size": "7"}]},
                {"siblings": [FILE | {"size": -7}]},
                {"siblings": [FILE | {"lfs": LFS | {"sha256": "../x"}}]},
            )
        ),
    ],
)
def test_what_is_no_answer_of_the_hub_is_refused(
    monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    with pytest.raises(ModelNotFoundError, match="no answer of the Hugging Face Hub"):
        listed(monkeypatch, body)
