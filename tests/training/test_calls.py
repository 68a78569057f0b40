"""Conversations with tools are trained in the words in which the runtime shows them."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from tokenizers import Tokenizer as HFTokenizer

from qwen3_mlx.text.pieces import Message
from qwen3_mlx.text.template import load_template
from qwen3_mlx.text.tokenizer import Tokenizer, load_tokenizer
from qwen3_mlx.tools.calculator import CALCULATOR, calculate
from qwen3_mlx.tools.clock import clock_tool
from qwen3_mlx.tools.files import file_tools
from training import calls
from training.conversations import CHAIN_MODES, Renderer, with_tools
from training.problems import is_held_out

ORIGINAL = Path(__file__).parents[2] / "training" / "originals" / "tiny"
CHAIN = calls.Chain(("347*582",), ("201954",), ("347*582=201954",), "The answer is 201954.")
PROMPT = "What is 347 * 582?"
TOOLS = [calls.CALCULATOR, calls.OTHERS[0]]
CALL: Message = {
    "role": "assistant",
    "content": "",
    "tool_calls": [{"function": {"name": "calculator", "arguments": {"expression": "347*582"}}}],
}
RESULT: Message = {"role": "tool", "content": "201954"}


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return Renderer(HFTokenizer.from_file(str(ORIGINAL / "tokenizer.json")))


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return load_tokenizer(ORIGINAL)


def runtime_ids(tokenizer: Tokenizer, *messages: Message, thinking: bool) -> list[int]:
    question: Message = {"role": "user", "content": PROMPT}
    template = load_template(ORIGINAL, tokenizer)
    pieces = template.render([question, *messages], thinking=thinking, tools=TOOLS)
    return tokenizer.encode_pieces(pieces)


def test_the_tools_are_the_runtimes(tmp_path: Path) -> None:
    real = [CALCULATOR, *file_tools(tmp_path), clock_tool()]
    assert {tool.name: tool.schema for tool in real}.items() <= {
        tool["function"]["name"]: tool  # type: ignore[index]
        for tool in (calls.CALCULATOR, *calls.OTHERS)
    }.items()


def test_a_chain_is_written_as_the_runtime_writes_it(
    renderer: Renderer, tokenizer: Tokenizer
) -> None:
    sample = renderer.system(calls.system_text(TOOLS))
    sample += renderer.chain(PROMPT, CHAIN, "think", random.Random(0))
    before = runtime_ids(tokenizer, thinking=True)
    called: Message = {**CALL, "reasoning_content": "347*582"}
    after = runtime_ids(tokenizer, called, RESULT, thinking=True)
    assert sample.ids[: len(before)] == before
    assert sample.ids[: len(after)] == after
    assert not any(sample.learned[: len(before)])
    assert tokenizer.decode(sample.ids[len(after) :]) == (
        "<think>\n347*582=201954\n</think>\n\nThe answer is 201954.<|im_end|>"
    )


def test_without_thoughts_too(renderer: Renderer, tokenizer: Tokenizer) -> None:
    system = renderer.system(calls.system_text(TOOLS))
    call = system + renderer.chain(PROMPT, CHAIN, "direct call", random.Random(0))
    reply = system + renderer.chain(PROMPT, CHAIN, "direct reply", random.Random(0))
    before = runtime_ids(tokenizer, thinking=False)
    after = runtime_ids(tokenizer, CALL, RESULT, thinking=False)
    assert call.ids[: len(before)] == before
    assert reply.ids[: len(after)] == after
    assert not any(reply.learned[: len(after)])


def test_an_earlier_chain_is_the_runtimes_history(renderer: Renderer, tokenizer: Tokenizer) -> None:
    answer: Message = {"role": "assistant", "content": CHAIN.reply}
    question: Message = {"role": "user", "content": "And 1 + 1?"}
    ids = runtime_ids(tokenizer, CALL, RESULT, answer, question, thinking=True)
    sample = renderer.system(calls.system_text(TOOLS)) + renderer.past_chain(PROMPT, CHAIN)
    assert ids[: len(sample.ids)] == sample.ids
    assert not any(sample.learned)


@pytest.mark.parametrize("mode", CHAIN_MODES)
def test_every_way_ends_with_a_learned_end(
    renderer: Renderer, tokenizer: Tokenizer, mode: str
) -> None:
    sample = renderer.chain(PROMPT, CHAIN, mode, random.Random(0))
    assert (sample.learned[-1], tokenizer.decode(sample.ids[-1:])) == (True, "<|im_end|>")


def test_the_calculator_gives_the_results_that_are_trained() -> None:
    rng = random.Random(0)
    for _ in range(300):
        _, chain = calls.make_chain(rng.choice(calls.CALLED), rng, held_out=False)
        if not chain.results[0].startswith(calls.FAILURE):
            assert tuple(map(calculate, chain.calls)) == chain.results


def test_held_out_products_have_three_digits_and_are_not_trained() -> None:
    rng = random.Random(0)
    for _ in range(100):
        held_out = calls.make_long_product(rng, held_out=True)
        trained = calls.make_long_product(rng, held_out=False)
        assert all(100 <= number <= 999 for number in held_out.numbers)
        assert is_held_out("product", held_out.numbers)
        assert not is_held_out("product", trained.numbers)


def test_conversations_with_tools_are_the_same_for_the_same_seed(renderer: Renderer) -> None:
    first, second = (with_tools(renderer, random.Random("0:5")) for _ in range(2))
    assert first == second
