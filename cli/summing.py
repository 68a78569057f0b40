"""The sentence that is shown in place of thoughts: `--thoughts summary`.

Knows when there is something to sum up, and that nobody has to wait for it. Asking the model, and
what it may say, is the library's business.
"""

from __future__ import annotations

from threading import Event as Flag
from typing import TYPE_CHECKING

from qwen3_mlx.cli.interrupt import stop_on_interrupt
from qwen3_mlx.cli.terminal import Terminal
from qwen3_mlx.errors import Qwen3Error

if TYPE_CHECKING:
    from qwen3_mlx.events import Reply
    from qwen3_mlx.runtime import LLM


def summary_of(llm: LLM, terminal: Terminal, question: str, reply: Reply) -> str:
    """One sentence about how a reply came to its answer, redacted; Ctrl-C gives it up.

    Args:
        llm: What replied.
        terminal: Of the person who waits.
        question: What was answered.
        reply: As it was, with its thoughts.

    Returns:
        The sentence; nothing where nothing was thought or answered, or when it was given up.
    """
    if not (reply.thinking and reply.answer) or reply.finish_reason == "user":
        return ""
    given_up = Flag()
    with (
        stop_on_interrupt(given_up.set),
        terminal.quiet_keys(),
        terminal.busy("summing its thoughts up"),
    ):
        try:
            return terminal.redaction.text(llm.explain(question, reply, stopped=given_up.is_set))
        except Qwen3Error as error:
            failure = error
    terminal.error(failure)
    return ""
