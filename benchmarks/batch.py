"""Tokens a second of several conversations together, against one by one: `llm.generate_batch`.

``python -m benchmarks.batch [--runs 7] [--prompts 32] [--sizes 2 8 16]``, on `tiny` and
`tiny-dense`: sums of three to nine numbers, every fourth with a budget that is too small. In turn
in one process; medians, with the least and the most, of the whole time, prompts included. Greedy;
all must say the same. Below, what one pass of the model costs by the number of its rows: that is
what no batch can be faster than.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import mlx.core as mx

import qwen3_mlx
from qwen3_mlx.bundled import NAMES
from qwen3_mlx.events import Reply
from qwen3_mlx.generation.batch_prefill import prefill_together
from qwen3_mlx.runtime import LLM

ONE_BY_ONE = "one by one"
HELD = 64  # tokens in each row before a pass is timed
PASSES = 25


class Cost(NamedTuple):
    """Seconds: on the clock, and of all threads."""

    wall: float
    cpu: float


def cost(work: Callable[[], object]) -> Cost:
    clocks = (time.perf_counter, time.process_time)
    before = [clock() for clock in clocks]
    work()
    return Cost(*(clock() - start for clock, start in zip(clocks, before, strict=True)))


def tasks(count: int) -> tuple[list[str], list[int]]:
    """Prompts and their budgets."""
    chance = random.Random(5)
    sums = [[chance.randint(2, 99) for _ in range(chance.randint(3, 9))] for _ in range(count)]
    prompts = [f"What is {' + '.join(map(str, numbers))}?" for numbers in sums]
    return prompts, [512 if i % 4 else 8 + i for i in range(count)]


def tokens(reply: Reply) -> int:
    """Those the model wrote or was made to read after its prompt, without tags."""
    usage = reply.usage
    return usage.thinking_tokens + usage.injected_tokens + usage.answer_tokens


def said(replies: list[Reply]) -> list[tuple[object, ...]]:
    return [(reply.thinking, reply.answer, reply.usage) for reply in replies]


def ratios(costs: dict[str, list[Cost]], count: int) -> None:
    """A line for each way: tokens a second, and how many times as many as one by one."""
    for name, measured in costs.items():
        parts = []
        for clock in Cost._fields:
            rates = [count / getattr(c, clock) for c in measured]
            alone = [count / getattr(c, clock) for c in costs[ONE_BY_ONE]]
            by_round = [rate / other for rate, other in zip(rates, alone, strict=True)]
            ratio = statistics.median(rates) / statistics.median(alone)
            spread = f"{min(by_round):.2f}-{max(by_round):.2f}"
            parts.append(f"{clock} {statistics.median(rates):6.0f} tok/s {ratio:5.2f}x ({spread})")
        print(f"  {name:12} " + "   ".join(parts))


def passes(llm: LLM, sizes: list[int]) -> None:
    """A line for each number of rows: what one more token of each costs."""
    costs: dict[int, list[Cost]] = {rows: [] for rows in (1, *sizes)}
    caches = {}
    for rows in costs:
        ids = [[7 * i % 1500 + 5 for i in range(HELD)]] * rows
        caches[rows] = prefill_together(llm.model, ids)[1]
    for _ in range(PASSES):
        for rows, cache in caches.items():
            ids = mx.array([[5]] * rows)
            costs[rows].append(cost(lambda c=cache, i=ids: mx.eval(llm.model(i, c.layers))))
    one = statistics.median(c.cpu for c in costs[1])
    for rows, measured in costs.items():
        wall, cpu = (statistics.median(getattr(c, k) for c in measured) for k in Cost._fields)
        times = f"wall {1000 * wall:6.2f} ms   cpu {1000 * cpu:6.2f} ms"
        print(f"  pass of {rows:2}   {times}   {rows * one / cpu:.2f}x the tokens for the same cpu")


def compare(name: str, args: argparse.Namespace) -> None:
    llm = qwen3_mlx.load(name)
    prompts, budgets = tasks(args.prompts)

    def one_by_one() -> list[Reply]:
        pairs = zip(prompts, budgets, strict=True)
        return [llm.generate(prompt, budget=budget) for prompt, budget in pairs]

    ways: dict[str, Callable[[], list[Reply]]] = {ONE_BY_ONE: one_by_one}
    for size in args.sizes:
        ways[f"batch of {size}"] = lambda size=size: llm.generate_batch(
            prompts, budget=budgets, batch_size=size
        )
    replies = {way: run() for way, run in ways.items()}
    same = all(said(other) == said(replies[ONE_BY_ONE]) for other in replies.values())
    count = sum(map(tokens, replies[ONE_BY_ONE]))
    read = sum(reply.usage.prompt_tokens for reply in replies[ONE_BY_ONE])
    print(f"{name}: {args.prompts} prompts of {read} tokens, {count} tokens of reply;", end=" ")
    print(f"the same replies: {'yes' if same else 'NO'}")
    costs: dict[str, list[Cost]] = {way: [] for way in ways}
    for _ in range(args.runs):
        for way, run in ways.items():
            costs[way].append(cost(run))
    ratios(costs, count)
    passes(llm, args.sizes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--prompts", type=int, default=32)
    parser.add_argument("--sizes", type=int, nargs="+", default=[2, 8, 16])
    args = parser.parse_args()
    for name in NAMES:
        compare(name, args)


if __name__ == "__main__":
    main()
