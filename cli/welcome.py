"""The first lines of a chat: which model this is, how it thinks, how to get a better one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import qwen3_mlx
from qwen3_mlx import memory
from qwen3_mlx.checkpoint import catalog
from qwen3_mlx.cli import wording
from qwen3_mlx.cli.filter import clean_line
from qwen3_mlx.cli.terminal import Terminal

if TYPE_CHECKING:
    from qwen3_mlx.chat import Conversation
    from qwen3_mlx.runtime import LLM

KEYS = "/help lists the commands · Ctrl-C stops an answer · Ctrl-D leaves"
EXAMPLE = "What is 47 + 86 + 12?"


def welcome(terminal: Terminal, llm: LLM, conversation: Conversation) -> None:
    """Greets a person; a pipe is not greeted."""
    if not terminal.conversational:
        return
    program = f"qwen3-mlx {qwen3_mlx.__version__}"
    mode = wording.next_turn(conversation)
    terminal.say(wording.joined(program, clean_line(llm.name), mode), "bold")
    for line in _introduction(llm):
        terminal.say(line, "dim")
    terminal.say()


def _introduction(llm: LLM) -> list[str]:
    if llm.source.kind != "bundled":
        return [KEYS]
    return [
        f"{llm.name} is a small demonstration model for sums, word problems and look-ups.",
        f"For a real Qwen3: {better_model()}",
        KEYS,
    ]


def better_model() -> str:
    """The command that gets the largest real Qwen3 for this machine."""
    model = catalog.largest_fitting(memory.machine_memory())
    if model is None:
        return "qwen3-mlx pull 0.6b"
    return f"qwen3-mlx pull {model.alias} ({model.gigabytes:g} GB, fits this machine)"


def suggestion(llm: LLM) -> str:
    """Something that the model can be asked first."""
    return EXAMPLE if llm.source.kind == "bundled" else ""
