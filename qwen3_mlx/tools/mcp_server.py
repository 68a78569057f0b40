"""The connection to one MCP server: started, asked for its tools, asked to run them, ended.

Knows the `mcp` package's client, and what a server can do wrong: each ends in words that name what
it was, and never in a wait without end. Does not know other servers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from mcp import Client, MCPError
from mcp_types import CallToolResult, Tool

from qwen3_mlx.errors import ToolError, bounded
from qwen3_mlx.tools.background import Background
from qwen3_mlx.tools.mcp_config import ServerConfig
from qwen3_mlx.tools.mcp_transport import StdioTransport

START_SECONDS = 30.0
"""For a server to start and to list its tools; it may have to be downloaded first."""

CALL_SECONDS = 30.0
MAX_TOOLS = 128
"""Of one server."""


class McpServer:
    """One server. Made and started inside the loop of `background`; called from any thread.

    Args:
        config: How it is started.
        background: Where its messages come and go.

    Attributes:
        name: What the configuration calls it.
        offers: Its tools.
    """

    def __init__(self, config: ServerConfig, background: Background) -> None:
        self.name = config.name
        self.offers: list[Tool] = []
        self._background = background
        self._over = asyncio.Event()
        self._ready = asyncio.Event()
        self._transport = StdioTransport(config, self._over)
        self._client = Client(self._transport)
        self._late = ""
        self._task = asyncio.create_task(self._serve())

    @property
    def trouble(self) -> str:
        """Why it cannot be used; empty as long as it can."""
        if self._late or self._transport.trouble or not self._task.done():
            return self._late or self._transport.trouble
        return "it was closed" if self._task.cancelled() else _reason(self._task.exception())

    async def started(self, seconds: float = START_SECONDS) -> None:
        """Waits until it has listed its tools, or until there is `trouble`."""
        ready = asyncio.create_task(self._ready.wait())
        await asyncio.wait({self._task, ready}, timeout=seconds, return_when="FIRST_COMPLETED")
        ready.cancel()
        if not (self._ready.is_set() or self._task.done()):
            said = self._transport.noise
            self._late = _too_late(seconds) + (f"; it said: {said}" if said else "")
            self._task.cancel()

    async def stop(self) -> None:
        """Ends it."""
        self._over.set()
        if not (self._ready.is_set() or self._late):  # a second one would cut the end itself short
            self._task.cancel()
        await asyncio.wait({self._task})

    def call(
        self, name: str, arguments: Mapping[str, object], seconds: float = CALL_SECONDS
    ) -> CallToolResult:
        """What one of its tools gives.

        Raises:
            ToolError: the server does not answer in time, or not as it should, or has ended.
        """
        if self.trouble:
            raise ToolError(f"the MCP server {self.name} is gone: {self.trouble}")
        calling = asyncio.wait_for(self._client.call_tool(name, dict(arguments)), seconds)
        called = self._background.submit(calling)
        error = called.exception()
        if isinstance(error, TimeoutError):
            raise ToolError(f"the MCP server {self.name}: {_too_late(seconds)}")
        if error is not None:
            why = self.trouble or _reason(error)
            raise ToolError(f"the MCP server {self.name}: {why}") from error
        return called.result()

    async def _serve(self) -> None:
        async with self._client as client:
            self.offers = await _listed(client)
            self._ready.set()
            await self._over.wait()


async def _listed(client: Client) -> list[Tool]:
    """The tools of a server, as many as may be."""
    found: list[Tool] = []
    cursor: str | None = None
    while len(found) < MAX_TOOLS:
        page = await client.list_tools(cursor=cursor)
        found += page.tools
        cursor = page.next_cursor
        if not (cursor and page.tools):
            break
    return found[:MAX_TOOLS]


def _too_late(seconds: float) -> str:
    return f"it did not answer within {seconds:g} s"


def _reason(error: BaseException | None) -> str:
    """What a person should know of an error of the client, however much the server made it say."""
    return bounded(_said_by(error))


def _said_by(error: BaseException | None) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    match error:
        case None:
            return "it was closed"
        case MCPError():
            return error.message
        case OSError():
            return f"{error.filename}: {error.strerror}"
        case ValueError():
            return "its answer cannot be understood"
        case _:
            return f"{type(error).__name__}: {error}"
