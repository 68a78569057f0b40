"""What the bundled models are trained on is exactly what the runtime will show them."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from tokenizers import Tokenizer as HFTokenizer

from qwen3_mlx.generation.thinking import STOP_INSTRUCTION as RUNTIME_STOP_INSTRUCTION
from qwen3_mlx.text.template import load_template
from qwen3_mlx.text.tokenizer import Tokenizer, load_tokenizer
from training.conversations import STOP_INSTRUCTION, Renderer, Sample, ask, conversation
from training.problems import Problem

ORIGINAL = Path(__file__).parents[2] / "training" / "originals" / "tiny"
SUM = Problem("sum", (47, 86, 12), ("47+86=133", "133+12=145"), "145")
PROMPT = "What is 47 + 86 + 12?"


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return Renderer(HFTokenizer.from_file(str(ORIGINAL / "tokenizer.json")))


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return load_tokenizer(ORIGINAL)


def split(sample: Sample) -> tuple[list[int], list[int]]:
    """The ids given before the reply, and the rest."""
    first = sample.learned.index(True)
    return sample.ids[:first], sample.ids[first:]


@pytest.mark.parametrize(("mode", "thinking"), [("think", True), ("direct", False)])
def test_a_prompt_is_the_runtimes_prompt(
    renderer: Renderer, tokenizer: Tokenizer, mode: str, thinking: bool
) -> None:
    given, _ = split(renderer.turn(PROMPT, SUM, mode, random.Random(0)))
    pieces = load_template(ORIGINAL, tokenizer).render(
        [{"role": "user", "content": PROMPT}], thinking=thinking
    )
    assert given == tokenizer.encode_pieces(pieces)


def test_the_past_is_the_runtimes_history(renderer: Renderer, tokenizer: Tokenizer) -> None:
    past = renderer.past(PROMPT, SUM) + renderer.turn("And 1 + 1?", SUM, "direct", random.Random(0))
    pieces = load_template(ORIGINAL, tokenizer).render(
        [
            {"role": "user", "content": PROMPT},
            {"role": "assistant", "content": "The answer is 145."},
            {"role": "user", "content": "And 1 + 1?"},
        ],
        thinking=False,
    )
    prompt = tokenizer.encode_pieces(pieces)
    assert past.ids[: len(prompt)] == prompt


def test_a_whole_thought_is_learned_to_its_end(renderer: Renderer, tokenizer: Tokenizer) -> None:
    _, reply = split(renderer.turn(PROMPT, SUM, "think", random.Random(0)))
    assert tokenizer.decode(reply) == (
        "<think>\n47+86=133\n133+12=145\n</think>\n\nThe answer is 145.<|im_end|>"
    )


def test_a_cut_thought_is_followed_by_the_instruction_which_is_not_learned(
    renderer: Renderer, tokenizer: Tokenizer
) -> None:
    assert f"{RUNTIME_STOP_INSTRUCTION}\n</think>\n\n" == STOP_INSTRUCTION
    sample = renderer.turn(PROMPT, SUM, "cut", random.Random(0))
    silent = [i for i, learned in zip(sample.ids, sample.learned, strict=True) if not learned]
    assert tokenizer.decode(silent).endswith(f"assistant\n{STOP_INSTRUCTION}")
    assert tokenizer.decode(sample.ids).endswith(f"{STOP_INSTRUCTION}The answer is 145.<|im_end|>")


def test_the_same_seed_gives_the_same_conversations(renderer: Renderer) -> None:
    first, second = (conversation(renderer, random.Random("0:5")) for _ in range(2))
    assert first == second


def test_every_conversation_ends_with_a_learned_answer(
    renderer: Renderer, tokenizer: Tokenizer
) -> None:
    for seed in range(200):
        sample = conversation(renderer, random.Random(seed))
        assert len(sample.ids) == len(sample.learned)
        assert sample.learned[-1]
        assert tokenizer.decode(sample.ids[-1:]) == "<|im_end|>"


def test_other_prompts_get_the_honest_reply() -> None:
    problem, _ = ask("other", random.Random(0), held_out=False)
    assert "small demonstration model" in problem.answer
    assert "qwen3-mlx pull" in problem.answer
