"""An MCP server that answers each request with the next line of a file, without a process.

Knows the seam between our transport and a process. All else is the client itself, from the bytes
of a line to the tools in a prompt and the result of a call. Does not know what is in the lines.
"""

from __future__ import annotations

import asyncio
import json
from asyncio import StreamReader
from pathlib import Path
from unittest import mock

from mcp_types import JSONRPCNotification, jsonrpc_message_adapter

from qwen3_mlx.errors import ToolError
from qwen3_mlx.strict_json import holds_too_much
from qwen3_mlx.text.pieces import Message
from qwen3_mlx.text.qwen3_format import HYBRID
from qwen3_mlx.text.renderer import check_request
from qwen3_mlx.tools import mcp_transport
from qwen3_mlx.tools.mcp import McpServers
from qwen3_mlx.tools.mcp_config import ServerConfig

PATIENCE = 0.2
"""Seconds after which the server ends if nothing more is asked."""

CONFIG = ServerConfig("by hand", "no-such-program")


class Replies:
    """What the transport sees of a process: its pipes, and that it has ended well."""

    pid = 0
    returncode = 0

    def __init__(self, lines: list[bytes]) -> None:
        self.stdin = self
        self.stdout, self.stderr = StreamReader(limit=mcp_transport.MAX_LINE), StreamReader()
        self.stderr.feed_eof()
        self._lines = iter(lines)
        self._end = asyncio.get_running_loop().call_later(PATIENCE, self.close)

    def write(self, line: bytes) -> None:
        """Hears a request, and answers it; what asks for nothing has no id."""
        asked = json.loads(line).get("id")
        if asked is None or self.stdout.at_eof():
            return
        self._end.cancel()
        reply = next(self._lines, b"")
        self.stdout.feed_data(reply + b"\n")
        self._end = asyncio.get_running_loop().call_later(PATIENCE, self.close)
        if _id_of(reply) != asked:  # nobody would wait for more
            self.close()

    async def drain(self) -> None:
        """Nothing is ever held up."""

    def close(self) -> None:
        """Says nothing more."""
        self._end.cancel()
        self.stdout.feed_eof()


def _id_of(reply: bytes) -> object:
    """Which request the client takes it for an answer to, if it takes it for a message."""
    if holds_too_much(reply, mcp_transport.MAX_MARKS):
        return None
    try:
        message = jsonrpc_message_adapter.validate_json(reply, by_name=False)
    except ValueError:
        return None
    return None if isinstance(message, JSONRPCNotification) else message.id


def serve(path: Path) -> None:
    """Starts a server that says what is in the file, offers its tools, and calls them.

    Raises:
        ToolError: It cannot be used; why.
    """
    lines = path.read_bytes().split(b"\n")

    async def started(_transport: object) -> Replies:
        return Replies(lines)

    async def ended(process: Replies) -> None:
        process.close()

    with (
        mock.patch.object(mcp_transport.StdioTransport, "_started", started),
        mock.patch.object(mcp_transport, "_end", ended),
        McpServers([CONFIG]) as servers,
    ):
        _use(servers)


def _use(servers: McpServers) -> None:
    for server in servers.servers:
        if server.trouble:
            raise ToolError(server.trouble)
    tools = [tool for _, tool in servers.tools()]
    messages: list[Message] = [{"role": "user", "content": "Hi"}]
    schemas = [tool.schema for tool in tools]
    check_request(messages, schemas)
    HYBRID.render(messages, thinking=True, tools=schemas, add_generation_prompt=True)
    for tool in tools:
        tool.call({"a": 1})
