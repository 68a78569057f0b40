"""The process of an MCP server and the pipes to it: lines of JSON both ways, of bounded length.

Knows processes, pipes and JSON-RPC's frame. The transport of the `mcp` package reads lines of any
length and shows what a server says on standard error; this one does neither, stops a server that
writes without end, and can say afterwards why one has ended. Does not know tools.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from asyncio.subprocess import PIPE, Process
from contextlib import AbstractAsyncContextManager, suppress
from types import TracebackType
from typing import TypeAlias, TypeVar

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.client.stdio import get_default_environment
from mcp.shared.message import SessionMessage
from mcp_types import jsonrpc_message_adapter

from qwen3_mlx.strict_json import holds_too_much
from qwen3_mlx.tools.mcp_config import ServerConfig

MAX_LINE = 4_000_000
"""Bytes of one message."""

MAX_MARKS = 2**16
"""Commas, colons and brackets of one message outside its strings: each may take the `mcp` package
four microseconds and half a kilobyte."""

MAX_UNASKED = 2000
"""Lines that a server may write after our last message."""

GRACE = 2.0
"""Seconds for a server to end once its input is closed, and again once it is told to."""

_SAID = 2000  # bytes kept of what a server says on standard error
_POLL = 0.01  # seconds

Pipe = TypeVar("Pipe", asyncio.StreamReader, asyncio.StreamWriter)

Reads: TypeAlias = MemoryObjectSendStream[SessionMessage | Exception]
Writes: TypeAlias = MemoryObjectReceiveStream[SessionMessage]
Streams: TypeAlias = tuple[
    MemoryObjectReceiveStream[SessionMessage | Exception], MemoryObjectSendStream[SessionMessage]
]


class StdioTransport(AbstractAsyncContextManager[Streams]):
    """Runs a server. Implements the `mcp` package's `Transport`.

    Args:
        config: How it is started.
        ended: Set when nothing more comes from it.

    Attributes:
        trouble: Why nothing more comes.
    """

    def __init__(self, config: ServerConfig, ended: asyncio.Event) -> None:
        self.trouble = ""
        self._config = config
        self._ended = ended
        self._said = b""
        self._stray = ""
        self._unasked = 0

    async def __aenter__(self) -> Streams:
        """Starts it.

        Raises:
            OSError, ValueError: it cannot be started.
        """
        self._process = await self._started()
        reads, from_server = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        to_server, writes = anyio.create_memory_object_stream[SessionMessage](0)
        self._streams = reads, from_server, to_server, writes
        self._listening = asyncio.create_task(self._listen())
        jobs = (self._read(reads), self._write(writes))
        self._tasks = [self._listening, *map(asyncio.create_task, jobs)]
        return from_server, to_server

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Ends it and all that it has started."""
        await _cancel(self._tasks)
        pipes = self._process.stdout, self._process.stderr
        drains = [asyncio.create_task(_drain(_there(pipe))) for pipe in pipes]
        await _end(self._process)
        await asyncio.wait(drains, timeout=GRACE)
        await _cancel(drains)
        for stream in self._streams:
            stream.close()

    @property
    def noise(self) -> str:
        """What it has said that is no message, if anything: a line of it."""
        said = self._said.decode("utf-8", "replace").strip().splitlines()
        return said[-1][:200] if said else self._stray

    async def _started(self) -> Process:
        config = self._config
        return await asyncio.create_subprocess_exec(
            config.command,
            *config.args,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env=get_default_environment() | config.env,
            cwd=config.cwd,
            limit=MAX_LINE,
            start_new_session=True,
        )

    async def _read(self, messages: Reads) -> None:
        async with messages:
            with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
                while line := await self._line():
                    if message := self._message(line):
                        await messages.send(message)
            self.trouble = self.trouble or await self._last_words()
            self._ended.set()

    async def _line(self) -> bytes:
        """The next line; nothing when it is over, or more than can be borne."""
        self._unasked += 1
        if self._unasked > MAX_UNASKED:
            self.trouble = "it writes without end"
            return b""
        try:
            line = await _there(self._process.stdout).readline()
        except ValueError:
            self.trouble = f"it wrote a line of more than {MAX_LINE // 10**6} MB"
            return b""
        if holds_too_much(line, MAX_MARKS):
            self.trouble = "it wrote a message of more parts than can be read"
            return b""
        return line

    def _message(self, line: bytes) -> SessionMessage | None:
        try:
            return SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False))
        except ValueError:
            self._stray = self._stray or line.decode("utf-8", "replace").strip()[:200]
            return None

    async def _last_words(self) -> str:
        if await _has_ended(self._process):
            # What it said last may still be in the pipe.
            await asyncio.wait([self._listening], timeout=GRACE)
        code = self._process.returncode
        how = "it closed its output" if code is None else f"it ended with exit code {code}"
        return f"{how}: {self.noise}" if self.noise else how

    async def _write(self, messages: Writes) -> None:
        stdin = _there(self._process.stdin)
        async with messages:
            async for message in messages:
                self._unasked = 0
                text = message.message.model_dump_json(by_alias=True, exclude_unset=True)
                stdin.write(f"{text}\n".encode())
                await stdin.drain()

    async def _listen(self) -> None:
        """Keeps a little of what it says on standard error, which is for people."""
        while said := await _there(self._process.stderr).read(_SAID):
            self._said = (self._said + said)[-_SAID:]


def _there(pipe: Pipe | None) -> Pipe:
    """A pipe that was asked for when the process was started."""
    if pipe is None:
        raise RuntimeError("the process has no such pipe")
    return pipe


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _drain(pipe: asyncio.StreamReader) -> None:
    """Reads what is left, so that a process that is still writing can end."""
    while await pipe.read(MAX_LINE):
        pass


async def _end(process: Process) -> None:
    """Ends a process: by closing its input, then by signals to its whole group."""
    _there(process.stdin).close()
    if not await _has_ended(process):
        _signal(process, signal.SIGTERM)
        await _has_ended(process)
    _signal(process, signal.SIGKILL)  # what it has started may have outlived it
    await _has_ended(process)


async def _has_ended(process: Process) -> bool:
    """Whether the process ends within the grace.

    `Process.wait` would wait for the end of its pipes too, which others may hold open.
    """
    deadline = time.monotonic() + GRACE
    while process.returncode is None and time.monotonic() < deadline:
        await asyncio.sleep(_POLL)
    return process.returncode is not None


def _signal(process: Process, number: signal.Signals) -> None:
    # Its session is its own, so its group has its number, also when it has ended.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
