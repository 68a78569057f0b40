"""The tools of a chat: where each is from, which are offered, and which may run unasked.

Knows the built-in tools and MCP servers, which run as long as the box is open. Does not know how a
person is asked, nor how calls are shown.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qwen3_mlx.cli.terminal import Terminal
from qwen3_mlx.cli.tool_options import ALL, ToolWishes, built_in, names_in
from qwen3_mlx.errors import Qwen3Error, UsageError

if TYPE_CHECKING:
    from qwen3_mlx.tools.mcp import McpServers
    from qwen3_mlx.tools.tool import Tool

MISSING = "MCP servers need the mcp package"
INSTALL = "Install it: pip install 'qwen3-mlx[mcp]'"


@dataclass(slots=True)
class Entry:
    """One tool.

    Attributes:
        tool: What is called.
        source: What it belongs to: a word of `--tools`, or an MCP server.
        allowed: Whether it runs without a question.
        on: Whether the model is offered it.
        trouble: Says why it cannot be called any more, if so.
    """

    tool: Tool
    source: str
    allowed: bool = False
    on: bool = True
    trouble: Callable[[], str] = str


class ToolRegistry:
    """All tools of a chat.

    Args:
        entries: In the order in which they are offered.
        allow: Tools and sources that run without a question, or `all`.
        unusable: Sources that `allow` may name though they have no tools.

    Raises:
        UsageError: something is allowed that is not there.
    """

    def __init__(
        self,
        entries: Sequence[Entry] = (),
        allow: str | None = None,
        unusable: Collection[str] = (),
    ) -> None:
        self.entries = list(entries)
        for name in names_in(allow):
            if name not in unusable:
                self._allow(self.entries if name == ALL else self._named(name))

    @property
    def offered(self) -> list[Tool]:
        """The tools that are on."""
        return [entry.tool for entry in self.entries if entry.on]

    def must_ask(self, name: str) -> bool:
        """Whether the tool of that name does not run without a question."""
        return not any(entry.allowed for entry in self.entries if entry.tool.name == name)

    def allow(self, name: str) -> None:
        """Lets the tool of that name run without a question from now on."""
        self._allow([entry for entry in self.entries if entry.tool.name == name])

    def turn(self, name: str, *, on: bool) -> None:
        """Offers a tool, or all tools of a source, or does so no more.

        Raises:
            UsageError: there is none of that name.
        """
        for entry in self._named(name):
            entry.on = on

    @staticmethod
    def _allow(entries: Iterable[Entry]) -> None:
        for entry in entries:
            entry.allowed = True

    def _named(self, name: str) -> list[Entry]:
        found = [entry for entry in self.entries if name in (entry.tool.name, entry.source)]
        if not found:
            known = dict.fromkeys(word for e in self.entries for word in (e.source, e.tool.name))
            hint = (
                f"There are {', '.join(known)}." if known else "Offer some with --tools or --mcp."
            )
            raise UsageError(f"no tool {name!r} is offered", hint=hint)
        return found


@contextmanager
def opened_tools(wishes: ToolWishes, terminal: Terminal) -> Iterator[ToolRegistry]:
    """The tools that a person asked for; an MCP server that cannot be used is named, and left out.

    Raises:
        UsageError: a tool or a file cannot be used, or the `mcp` package is missing.
    """
    entries = [Entry(tool, source) for source, tool in built_in(wishes.tools)]
    if wishes.mcp is None:
        yield ToolRegistry(entries, wishes.allow)
        return
    with _started(wishes.mcp, terminal) as servers:
        unusable = {server.name: server.trouble for server in servers.servers if server.trouble}
        for name, trouble in unusable.items():
            terminal.error(Qwen3Error(f"the MCP server {name} cannot be used: {trouble}"))
        taken = [entry.tool.name for entry in entries]
        entries += [
            Entry(tool, server.name, trouble=partial(getattr, server, "trouble"))
            for server, tool in servers.tools(taken)
        ]
        yield ToolRegistry(entries, wishes.allow, unusable)


@contextmanager
def _started(path: Path, terminal: Terminal) -> Iterator[McpServers]:
    from qwen3_mlx.tools.mcp_config import read_config

    configs = read_config(path)
    try:
        from qwen3_mlx.tools.mcp import McpServers
    except ModuleNotFoundError as error:
        raise UsageError(MISSING, hint=INSTALL) from error
    with ExitStack() as stack:
        with terminal.busy("starting MCP servers"):
            servers = stack.enter_context(McpServers(configs))
        yield servers
