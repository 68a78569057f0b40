"""`load(compiled=True)`: the bundled models say the same, where a graph can be compiled at all."""

from __future__ import annotations

import shutil

import pytest

import qwen3_mlx
from qwen3_mlx import bundled
from qwen3_mlx.model.device import on_gpu

QUESTION = "What is 47 + 86 + 12?"


@pytest.mark.skipif(
    shutil.which("g++") is None and not on_gpu(), reason="the CPU backend compiles with g++"
)
@pytest.mark.parametrize("name", bundled.NAMES)
def test_compiled_it_says_the_same(name: str) -> None:
    plain, compiled = (qwen3_mlx.load(name, compiled=wish) for wish in (False, True))
    assert compiled.model.compiled is not None
    for budget in (None, 5):
        replies = [llm.generate(QUESTION, budget=budget) for llm in (plain, compiled)]
        assert replies[0].thinking == replies[1].thinking
        assert replies[0].answer == replies[1].answer
    chat = compiled.chat()
    assert chat.send(QUESTION).answer == chat.send(QUESTION).answer == "The answer is 145."
