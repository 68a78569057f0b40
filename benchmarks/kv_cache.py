"""What rounding keys and values costs: KL divergence and right answers at long contexts.

``python -m benchmarks.kv_cache [--problems 20]``. The bundled models look a value up after many
other look-ups of the same conversation, so that the prompt is long; everything is rounded from the
first token on, which is harsher than `--kv-bits` is (it begins after 1024). KL is of the next-token
distributions at the last 32 positions of each prompt, against whole numbers, in nats.
"""

from __future__ import annotations

import argparse
import statistics
from functools import partial

import mlx.core as mx

import qwen3_mlx
from qwen3_mlx import LLM, bundled
from qwen3_mlx.generation.prompt import Request
from qwen3_mlx.generation.thinking import ThinkingBudget
from qwen3_mlx.model import KVCache
from qwen3_mlx.model.quantized_cache import QuantizedKVCache
from qwen3_mlx.text.pieces import Message
from training.evaluate import held_out, is_right
from training.problems import Problem

TURNS = (0, 3, 8, 16)
LAST = 32

Asked = tuple[Problem, list[Message]]


def asked(problems: int, turns: int) -> list[Asked]:
    """Look-ups, each after `turns` other ones."""
    pool = held_out({"lookup": problems + turns})
    return [
        (problem, [*history(pool[first + 1 : first + 1 + turns]), user(prompt)])
        for first, (problem, prompt) in enumerate(pool[:problems])
    ]


def history(before: list[tuple[Problem, str]]) -> list[Message]:
    return [
        message
        for problem, prompt in before
        for message in (user(prompt), {"role": "assistant", "content": problem.answer})
    ]


def user(prompt: str) -> Message:
    return {"role": "user", "content": prompt}


def ids_of(llm: LLM, messages: list[Message]) -> list[int]:
    return llm.writer().write(Request(messages, ThinkingBudget(0), thinking=False)).ids


def last_logprobs(llm: LLM, ids: list[int]) -> mx.array:
    """Float32 [LAST, V] of the last positions, read as decoding reads: after what is rounded."""
    cache = llm.model.make_cache()
    mx.eval(llm.model.advance(mx.array([ids[:-LAST]]), cache))
    logits = llm.model(mx.array([ids[-LAST:]]), cache)[0]
    return logits - mx.logsumexp(logits, axis=-1, keepdims=True)


def divergence(whole: mx.array, rounded: mx.array) -> float:
    return float(mx.mean(mx.sum(mx.exp(whole) * (whole - rounded), axis=-1)).item())  # type: ignore[arg-type]


def measure(llm: LLM, problems: list[Asked]) -> None:
    prompts = [ids_of(llm, messages) for _, messages in problems]
    whole: list[mx.array] = []
    for bits in (None, 8, 4):
        llm.model.layer_cache = (
            partial(QuantizedKVCache, bits, llm.config.head_dim, 0) if bits else KVCache
        )
        logprobs = [last_logprobs(llm, ids) for ids in prompts]
        whole = whole or logprobs
        kl = statistics.mean(map(divergence, whole, logprobs))
        replies = [llm.generate(messages, thinking=False) for _, messages in problems]
        pairs = zip(problems, replies, strict=True)
        right = sum(is_right(problem, reply.answer) for (problem, _), reply in pairs)
        print(
            f"{llm.name:10} {statistics.median(map(len, prompts)):5.0f} tokens  "
            f"{f'{bits} bits' if bits else 'whole':6}  KL {kl:.1e}  "
            f"right {right} of {len(problems)}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=20)
    problems = parser.parse_args().problems
    for name in bundled.NAMES:
        llm = qwen3_mlx.load(name)
        for turns in TURNS:
            measure(llm, asked(problems, turns))


if __name__ == "__main__":
    main()
