"""Conversations in which a scripted model may call tools."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from qwen3_mlx.chat import Conversation
from qwen3_mlx.generation.thinking import ThinkingBudget
from qwen3_mlx.model.config import Qwen3Config
from qwen3_mlx.text.renderer import Renderer
from qwen3_mlx.text.tokenizer import Tokenizer
from tests.runtime.tools.chains import (
    ADD,
    Begin,
    ChainScript,
    add,
    fail,
)


@pytest.fixture
def script(config: Qwen3Config, tokenizer: Tokenizer) -> ChainScript:
    script = ChainScript(config, tokenizer)
    script.tell_steps(("I add", ADD), ("So 5", "It is five."))
    return script


@pytest.fixture
def chat(script: ChainScript, make_engine: Callable[..., Any]) -> Begin:
    def begin(budget: int | None = 64, form: Renderer | None = None, **wishes: Any) -> Conversation:
        engine = make_engine(script, form) if form else make_engine(script)
        return Conversation(
            engine, budget=ThinkingBudget(budget), **{"tools": [add, fail], **wishes}
        )

    return begin
