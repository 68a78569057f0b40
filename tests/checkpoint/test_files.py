"""Strict JSON out of regular files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from qwen3_mlx.checkpoint.files import MAX_JSON_BYTES, read_json
from qwen3_mlx.errors import ModelFileError


def test_reads_an_object(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text('{"a": [1, 2.5, null], "b": "\\u00e9"}', "utf-8")
    assert read_json(path) == {"a": [1, 2.5, None], "b": "é"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not valid JSON"),
        (b'{"a": 1, "a": 1}', "the key 'a' is there twice"),
        (b'{"x": {"a": 1, "a": 1}}', "the key 'a' is there twice"),
        (b'{"a": Infinity}', "Infinity is no JSON number"),
        (b'{"a": "\xff"}', "is not valid JSON"),
        (b'["a"]', "holds no JSON object"),
        (b"[" * 10**5, "is not valid JSON"),
    ],
)
def test_refusals_name_the_file(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(ModelFileError) as caught:
        read_json(path)
    assert message in caught.value.message
    assert str(path) in caught.value.message


def test_a_file_too_large_is_not_parsed(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    with path.open("wb") as file:
        file.truncate(MAX_JSON_BYTES + 1)
    with pytest.raises(ModelFileError, match="is larger than 8388608 bytes"):
        read_json(path)


def test_a_pipe_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    os.mkfifo(path)
    with pytest.raises(ModelFileError, match="is not a regular file"):
        read_json(path)


def test_links_that_run_in_a_circle(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.symlink_to(path)
    with pytest.raises(ModelFileError, match=r"config\.json"):
        read_json(path)
