"""What a budget curve costs, beside its longest run alone and beside a run for each budget.

``python -m benchmarks.curve [--runs 3] [--tasks 60] [--sizes 1 8]``, on `tiny` and `tiny-dense`
with the demonstration tasks and the usual budgets, so many replies at a time. In turn in one
process; medians of processor time, which other work on the machine changes little. All must say
the same.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from itertools import chain

import qwen3_mlx
from qwen3_mlx import LLM
from qwen3_mlx.bundled import NAMES
from qwen3_mlx.cli.curve import BUNDLED_BUDGETS
from qwen3_mlx.evaluation.curve import Budget, Record, run
from qwen3_mlx.evaluation.task import Task
from qwen3_mlx.evaluation.tasks import read_tasks, task_path


def told(records: Sequence[Record]) -> dict[tuple[str, Budget], tuple[object, ...]]:
    """What was said, by task and budget."""
    return {(r.id, r.budget): (r.answer, r.thinking_tokens, r.stop_thinking) for r in records}


def records(llm: LLM, tasks: Sequence[Task], budgets: Sequence[Budget], size: int) -> list[Record]:
    return [*chain.from_iterable(run(llm, tasks, budgets, batch_size=size))]


def compare(llm: LLM, tasks: Sequence[Task], size: int, runs: int) -> None:
    """A line: the cost of a curve, and how much the others cost in proportion."""
    ways: dict[str, Callable[[], list[Record]]] = {
        "curve": lambda: records(llm, tasks, BUNDLED_BUDGETS, size),
        "longest": lambda: records(llm, tasks, [None], size),
        "apart": lambda: [
            *chain.from_iterable(records(llm, tasks, [b], size) for b in BUNDLED_BUDGETS)
        ],
    }
    costs: dict[str, list[float]] = {way: [] for way in ways}
    said = {}
    for _ in range(runs):
        for way, make in ways.items():
            begun = time.process_time()
            said[way] = told(make())
            costs[way].append(time.process_time() - begun)
    curve, longest, apart = (statistics.median(costs[way]) for way in ways)
    same = "the same replies" if said["curve"] == said["apart"] else "OTHER REPLIES"
    print(
        f"  {size:2} at a time: {curve:6.2f} s cpu, {curve / longest:.2f}x the longest run", end=""
    )
    print(f", {curve / apart:.2f}x the {len(BUNDLED_BUDGETS)} runs apart; {same}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=60)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    tasks = read_tasks(task_path("demo"))[: args.tasks]
    for name in NAMES:
        print(f"{name}: {len(tasks)} tasks, {len(BUNDLED_BUDGETS)} budgets")
        for size in args.sizes:
            compare(qwen3_mlx.load(name), tasks, size, args.runs)


if __name__ == "__main__":
    main()
