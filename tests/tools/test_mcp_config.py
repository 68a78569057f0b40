"""The file that says which MCP servers there are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qwen3_mlx.errors import UsageError
from qwen3_mlx.tools.mcp_config import ServerConfig, read_config
from tests.pages import ROOT, blocks


def written(tmp_path: Path, value: object) -> Path:
    path = tmp_path / "mcp.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def test_the_form_that_other_programs_write(tmp_path: Path) -> None:
    servers = {
        "files": {
            "command": "npx",
            "args": ["-y", "@scope/server", "/data"],
            "env": {"KEY": "1"},
            "type": "stdio",
        },
        "bare": {"command": "bare", "cwd": "/srv"},
        "off": {"url": "https://example.org", "disabled": True},
    }
    assert read_config(written(tmp_path, {"theme": "dark", "mcpServers": servers})) == [
        ServerConfig("files", "npx", ("-y", "@scope/server", "/data"), {"KEY": "1"}),
        ServerConfig("bare", "bare", cwd="/srv"),
    ]


def test_the_example_of_the_page(tmp_path: Path) -> None:
    (example,) = blocks((ROOT / "docs" / "tools.md").read_text("utf-8"), "json")
    (server,) = read_config(written(tmp_path, example))
    assert (server.name, server.command, server.args) == (
        "weather",
        "uvx",
        ("some-weather-server",),
    )


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("{", "is not JSON: Expecting property name"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "there is no object 'mcpServers'"),
        ({"mcpServers": []}, "there is no object 'mcpServers'"),
        ({"mcpServers": {"a": "npx"}}, "the server 'a' is no object"),
        ({"mcpServers": {"a": {}}}, "the server 'a' has no command"),
        ({"mcpServers": {"a": {"command": ["npx"]}}}, "the server 'a' has no command"),
        ({"mcpServers": {"a": {"command": "x", "args": "y"}}}, "args must be a list of texts"),
        ({"mcpServers": {"a": {"command": "x", "args": [1]}}}, "args must be a list of texts"),
        (
            {"mcpServers": {"a": {"command": "x", "env": {"K": 1}}}},
            "env must be an object of texts",
        ),
        ({"mcpServers": {"a": {"command": "x", "cwd": 1}}}, "cwd must be text"),
        (
            {"mcpServers": {"a": {"url": "https://x"}}},
            "'a' is reached over the network; only stdio",
        ),
        (" " * 1_000_001, "is larger than 1 MB"),
    ],
)
def test_what_cannot_be_used(tmp_path: Path, value: object, said: str) -> None:
    path = written(tmp_path, value)
    with pytest.raises(UsageError) as refused:
        read_config(path)
    assert said in refused.value.message
    assert str(path) in refused.value.message


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no file"):
        read_config(tmp_path / "nothing.json")
