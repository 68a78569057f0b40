"""The attack on the screen through a chat: a model, its tools and files that all say the same text.

Knows what a person may type in a chat, and what comes back then. Stands a scripted model in for a
real one.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import qwen3_mlx
from qwen3_mlx.cli import ask, chat
from qwen3_mlx.cli.choices import Show
from qwen3_mlx.cli.editor import Desk, PipedLines
from qwen3_mlx.cli.options import Settings
from qwen3_mlx.cli.terminal import Terminal
from qwen3_mlx.cli.tool_options import NO_TOOLS, ToolWishes
from qwen3_mlx.cli.tool_registry import Entry, ToolRegistry, opened_tools
from qwen3_mlx.cli.welcome import welcome
from qwen3_mlx.errors import UsageError
from qwen3_mlx.events import ToolCall
from qwen3_mlx.tools.tool import Tool
from tests.cli.fakes import Calls, FakeLLM, Step, answers, chooses, stops, thinks
from tests.trust.screens import errors_said, file_name

TURNS = 12
"""As many as anything that is typed may begin."""


def talked(terminal: Terminal, text: str, folder: Path) -> None:
    """A chat in which every command is given, and everything says that text."""
    saved = folder / "saved.json"
    saved.write_text(json.dumps(_transcript(text)))
    for show in (Show.WINDOW, Show.SUMMARY):
        terminal.stdin = io.StringIO("\n".join(_typed(text.replace("\n", " "), folder)))
        llm = _model(text)
        with _standing_in(llm, terminal, text):
            chat.run(Settings(thoughts=show), terminal, resume=False, keep=False, tools=NO_TOOLS)
    with _said_to_a_person(terminal):
        welcome(terminal, llm, llm.conversation)  # type: ignore[arg-type]


def asked(terminal: Terminal, text: str, folder: Path) -> None:
    """One question, in each form of an answer."""
    for form in ask.Form:
        llm = _model(text)
        with _standing_in(llm, terminal, text):
            ask.run(text or "x", Settings(), terminal, form=form)


def served(terminal: Terminal, text: str, folder: Path) -> None:
    """A file that names MCP servers, which cannot be used."""
    config = folder / "servers.json"
    started = mock.MagicMock()
    servers = SimpleNamespace(servers=[SimpleNamespace(name=text, trouble=text)], tools=list)
    started.return_value.__enter__.return_value = servers
    for listed in ({text: {"command": text}}, {text: text}, {"a": {text: text}}):
        config.write_text(json.dumps({"mcpServers": listed}))
        wishes = ToolWishes(None, config, f"other{text}")
        with (
            mock.patch("qwen3_mlx.tools.mcp.McpServers", started),
            errors_said(terminal),
            opened_tools(wishes, terminal),
        ):
            pass


def toolbar(text: str, terminal: Terminal) -> str:
    """What a chat with a model of that name shows under the line that is edited."""
    desks: list[Desk] = []
    lines = mock.Mock(sit_at=desks.append)
    llm = FakeLLM(text, "repository")
    settings, tools = Settings(), ToolRegistry()
    chat.Chat(llm, settings, terminal, lines, keep=False, tools=tools)  # type: ignore[arg-type]
    return desks[0].toolbar()


def _typed(line: str, folder: Path) -> Iterator[str]:
    name = file_name(line)
    yield from ("hello", "/thoughts last", "/stats", "/tools", f"/tools on {line}", "/undo")
    yield from (f"/system {line}", "/system", f"/model {line}", f"/{line}", f"/set {line} 1")
    yield from (f"/set temp {line}", f"/budget {line}", f"/thoughts {line}", f"/thinking {line}")
    yield from (f"/file {folder}/{name}", f"/load {folder}/{name}", f"/save {folder}/none/{name}")
    yield from ("hello", f"/load {folder}/saved.json", "/copy", "/undo", "hello", "/edit", "again")
    yield from (
        f"/load {folder}/saved.json",
        *(f"/save {folder}/s{name}", f"/save! {folder}/s{name}"),
        *(f"/export {folder}/e{name}", f"/export! {folder}/e{name}"),
    )
    yield from ("/regen", "/context", "/clear", "/undo", "/exit")


def _transcript(text: str) -> dict[str, object]:
    call = {"name": text, "arguments": {text: text}}
    said = {"reasoning_content": text, "tool_calls": [call], "summary": text}
    return {
        "version": 1,
        "model": text,
        "messages": [
            {"role": "system", "content": text},
            {"role": "user", "content": text},
            {"role": "assistant", "content": text, **said},
            {"role": "tool", "content": text},
            {"role": "assistant", "content": text},
        ],
    }


def _model(text: str) -> FakeLLM:
    llm = FakeLLM(text, "repository")
    llm.sentence = text
    calls: list[Step] = [Calls((ToolCall(text, {text: text}),))]
    for _ in range(TURNS):
        llm.enqueue(
            chooses(think=True, reason=text), thinks(*text), stops(), calls, answers(*(text or "x"))
        )
        llm.enqueue(thinks(text), [UsageError(text, hint=text)])
    return llm


@contextmanager
def _standing_in(llm: FakeLLM, terminal: Terminal, text: str) -> Iterator[None]:
    """The model for every model, and a tool of that name and source."""
    tool = Tool(text, text, {}, lambda _arguments: text)
    registry = ToolRegistry([Entry(tool, text, allowed=True, trouble=lambda: text)])
    tools = mock.MagicMock()
    tools.return_value.__enter__.return_value = registry
    with (
        mock.patch.dict(vars(qwen3_mlx), load=llm.load),
        mock.patch.object(chat, "opened_tools", tools),
        mock.patch.object(ask, "opened_tools", tools),
        mock.patch.object(chat, "line_source", return_value=PipedLines(terminal)),
        errors_said(terminal),
    ):
        yield


@contextmanager
def _said_to_a_person(terminal: Terminal) -> Iterator[None]:
    before, terminal.conversational = terminal.conversational, True
    try:
        yield
    finally:
        terminal.conversational = before
