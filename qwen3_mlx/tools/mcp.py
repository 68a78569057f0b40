"""The tools of MCP servers: several servers together, their tools as ours.

Knows how names are kept apart and what of a result is text. How one server is spoken to is the
business of `mcp_server`. Needs the `mcp` package, as all modules that begin with `mcp_` but
`mcp_config` do.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from types import TracebackType

import mcp_types as types

from qwen3_mlx.errors import ToolError
from qwen3_mlx.tools.background import Background
from qwen3_mlx.tools.mcp_config import ServerConfig
from qwen3_mlx.tools.mcp_server import CALL_SECONDS, START_SECONDS, McpServer
from qwen3_mlx.tools.tool import Tool

MAX_SCHEMA = 20_000
"""Characters of a tool's description for the model; the prompt has all of them in it."""

_SLACK = 5.0  # seconds: the server's own limit comes first, with its better words
_NOWHERE = logging.NullHandler()
"""For what the package reports and tolerates: without a handler it would go to the screen."""

_UNUSUAL = re.compile(r"[^A-Za-z0-9_.-]")


class McpServers:
    """Servers that run as long as the context lasts.

    Args:
        configs: How each is started.
        seconds: For all of them to start.

    Attributes:
        servers: Those of `configs`, in their order; each says if it cannot be used.
    """

    def __init__(self, configs: Sequence[ServerConfig], seconds: float = START_SECONDS) -> None:
        self.servers: list[McpServer] = []
        self._configs = configs
        self._seconds = seconds
        logging.getLogger("mcp").addHandler(_NOWHERE)

    def __enter__(self) -> McpServers:
        self._background = Background()
        try:
            self._background.submit(self._start()).result()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def tools(self, taken: Collection[str] = ()) -> list[tuple[McpServer, Tool]]:
        """All tools with their servers, under names that no two of them and none of `taken` have.

        A tool whose description is too long for a prompt is left out.
        """
        offers = [(server, offer) for server in self.servers for offer in server.offers]
        names = unique_names([(server.name, offer.name) for server, offer in offers], taken)
        made = [(s, _tool(s, offer, name)) for (s, offer), name in zip(offers, names, strict=True)]
        return [(server, tool) for server, tool in made if _length(tool) <= MAX_SCHEMA]

    async def _start(self) -> None:
        self.servers = [McpServer(config, self._background) for config in self._configs]
        await asyncio.gather(*(server.started(self._seconds) for server in self.servers))

    def _close(self) -> None:
        self._background.submit(self._stop()).result()
        self._background.close()

    async def _stop(self) -> None:
        await asyncio.gather(*(server.stop() for server in self.servers))


def unique_names(offers: Iterable[tuple[str, str]], taken: Collection[str] = ()) -> list[str]:
    """A name for each tool of each server: its own, with the server's before it in case of doubt.

    Args:
        offers: Servers' and tools' names.
        taken: Names that no tool may get.
    """
    pairs = [(_UNUSUAL.sub("_", server), _UNUSUAL.sub("_", tool)) for server, tool in offers]
    counts = Counter(tool for _, tool in pairs)
    found: list[str] = []
    for server, tool in pairs:
        alone = counts[tool] == 1 and tool not in taken
        name = base = tool if alone else f"{server}_{tool}"
        number = 2
        while name in {*found, *taken}:
            name, number = f"{base}_{number}", number + 1
        found.append(name)
    return found


def text_of(result: types.CallToolResult) -> str:
    """What a model is told of a result: its text, and what else there was.

    Raises:
        ToolError: the result is an error; its text.
    """
    parts = [_part(block) for block in result.content]
    if not parts and result.structured_content is not None:
        parts = [json.dumps(result.structured_content, ensure_ascii=False)]
    text = "\n".join(parts)
    if result.is_error:
        raise ToolError(text or "the tool failed and did not say why")
    return text


def _part(block: types.ContentBlock) -> str:
    match block:
        case types.TextContent():
            return block.text
        case types.EmbeddedResource(resource=types.TextResourceContents() as resource):
            return resource.text
        case types.ResourceLink():
            return f"[a link: {block.uri}]"
        case types.ImageContent() | types.AudioContent():
            return f"[left out: {block.type}, {block.mime_type}]"
        case _:
            return f"[left out: {block.type}]"


def _tool(server: McpServer, offer: types.Tool, name: str) -> Tool:
    def call(arguments: Mapping[str, object]) -> str:
        return text_of(server.call(offer.name, arguments))

    return Tool(
        name=name,
        description=offer.description or offer.title or "",
        parameters=offer.input_schema,
        call=call,
        seconds=CALL_SECONDS + _SLACK,
    )


def _length(tool: Tool) -> int:
    return len(json.dumps(tool.schema, ensure_ascii=False))
