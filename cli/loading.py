"""From a name to a conversation: which model, how to get it, how to start.

Knows the model that is used when none is named, and asks a person before anything is downloaded.
Loading itself is the library's business.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import qwen3_mlx
from qwen3_mlx.cli.filter import clean_line
from qwen3_mlx.cli.options import KINDS, Settings
from qwen3_mlx.cli.stated import flag_name
from qwen3_mlx.cli.terminal import Terminal
from qwen3_mlx.errors import ModelNotFoundError, ModelTooLargeError, UsageError

if TYPE_CHECKING:
    from qwen3_mlx.chat import Conversation
    from qwen3_mlx.cli.calls import Calls
    from qwen3_mlx.runtime import LLM

BUNDLED = "tiny"
_PASSED_ON = ("system", "max_tokens", "temp", "top_p", "top_k", "min_p", "seed")
_FLAGS = {name: f"--{flag_name(name)}" for name in KINDS if "_" in name}
"""Of the settings whose names are no words."""


def model_name(settings: Settings) -> str:
    """The model to use: the one that was asked for, else a bundled one."""
    return BUNDLED if settings.model is None else settings.model


def open_model(settings: Settings, terminal: Terminal) -> LLM:
    """Loads the model that the settings ask for; in a terminal, offers to fetch a missing one.

    Raises:
        Qwen3Error: it is not there, or cannot be loaded.
    """
    name = model_name(settings)
    try:
        return _load(name, settings, terminal)
    except ModelNotFoundError:
        from qwen3_mlx.cli import pull

        if settings.offline or not pull.offer(name, terminal):
            raise
    return _load(name, settings, terminal)


def _load(name: str, settings: Settings, terminal: Terminal) -> LLM:
    with terminal.busy(f"loading {clean_line(name)}"), flags_named():
        return qwen3_mlx.load(
            name,
            context=settings.context,
            draft=settings.draft,
            kv_bits=settings.kv_bits,
            max_kv=settings.max_kv,
            expert_memory=settings.expert_memory,
            offline=settings.offline,
            save_cache=settings.save_cache,
            wired=settings.wired,
        )


def open_conversation(
    llm: LLM, settings: Settings, terminal: Terminal, calls: Calls | None = None
) -> Conversation:
    """A conversation as the settings want it; says what a person should know about them.

    Args:
        llm: What answers.
        settings: How.
        terminal: Where notes go.
        calls: Has the tools that are offered, and asks before each call.

    Raises:
        UsageError: the settings do not go together or not with this model.
    """
    wishes: dict[str, Any] = {name: getattr(settings, name) for name in _PASSED_ON}
    wishes["thinking"] = settings.thinks
    given = {name: value for name, value in wishes.items() if value is not None}
    if settings.budget is not None:
        given["budget"] = settings.budget.limit
    if calls is not None:
        given |= {"tools": calls.tools.offered, "approve": calls.approve}
    with flags_named():
        conversation = llm.chat(**given)
    for note in _notes(llm, conversation, settings):
        terminal.aside(note)
    tell_notes(llm, terminal)
    return conversation


def tell_notes(llm: LLM, terminal: Terminal) -> None:
    """Says what went wrong with saved prompts since this was last asked."""
    if llm.prompts is not None:
        for note in llm.prompts.take_notes():
            terminal.aside(note)


def finish_saving(llm: LLM, terminal: Terminal) -> None:
    """Waits for what is still being saved, and says what went wrong with it."""
    if llm.prompts is not None:
        with terminal.busy("saving what was read"):
            llm.prompts.wait()
        tell_notes(llm, terminal)


@contextmanager
def flags_named(**others: str) -> Iterator[None]:
    """Calls arguments in errors what a person calls them here: `--max-tokens`.

    Args:
        others: The flags of arguments that are no settings, by the arguments' names; by
            `name=True` where they are called so.
    """
    try:
        yield
    except (UsageError, ModelTooLargeError) as error:
        said, hint = (_with_flags(text or "", others) for text in (error.message, error.hint))
        raise type(error)(said, hint=hint) from error


def _with_flags(text: str, others: Mapping[str, str]) -> str:
    flags = {**_FLAGS, **others}
    return re.sub(r"\b\w+(=True)?\b", lambda word: flags.get(word[0], word[0]), text)


def _notes(llm: LLM, conversation: Conversation, settings: Settings) -> list[str]:
    from qwen3_mlx.memory import can_wire

    notes = []
    if settings.wired and not can_wire():
        notes.append("--wired does nothing here: it needs Metal")
    scaling = llm.config.rope_scaling
    if settings.context is not None and scaling is not None:
        notes.append(f"{llm.context_length} tokens of context: YaRN, factor {scaling.factor:g}")
    if llm.expert_slots is not None:
        notes.append(
            f"{llm.expert_slots} of the {llm.config.num_experts} experts of each layer are in "
            "memory; the others are read when they are needed"
        )
    chosen, thinking = conversation.sampling, conversation.thinking is not False
    warning = llm.defaults.warning(thinking=thinking, chosen=chosen)
    return [*notes, warning] if warning else notes
