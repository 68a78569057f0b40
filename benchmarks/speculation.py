"""What guessing ahead brings: how many guesses are right, and from which share on they pay.

``python -m benchmarks.speculation [--problems 8] [--runs 5]``. The bundled `tiny` on held-out
problems (`copy`: sums that the prompt has worked out already), guessed at by the text itself
(lookup) and by `tiny-dense`. How many times as fast as plain decoding it is with every guess
checked, and with guesses where they pay; interleaved, medians. Then what a pass over several tokens
costs, and so the share of right guesses from which on checking them pays.
"""

from __future__ import annotations

import argparse
import statistics
import time

import mlx.core as mx

import qwen3_mlx
from qwen3_mlx import LLM, Reply
from qwen3_mlx.generation.drafting import LOOKUP_TOKENS
from qwen3_mlx.generation.pace import Pace
from qwen3_mlx.generation.speculation import Drafting
from qwen3_mlx.model import make_cache
from training.evaluate import held_out

KINDS = ("copy", "lookup", "sum")
DRAFTS = ("lookup", "tiny-dense")
BUDGET = 128


class Always(Pace):
    """Guesses whatever it costs."""

    def pays(self) -> bool:
        return True


def peers(draft: str) -> dict[str, LLM]:
    """The model without guesses, with all of them, and with those that pay."""
    plain, every, paying = (qwen3_mlx.load("tiny", draft=guess) for guess in (None, draft, draft))
    if every.drafting is not None:
        every.drafting = Drafting(every.drafting.make, Always())
    return {"plain": plain, "every guess": every, "where it pays": paying}


def wordings(kind: str, problems: int) -> list[str]:
    return [prompt for _, prompt in held_out({kind: problems})]


def copying(problems: int) -> list[list[dict[str, object]]]:
    """Sums asked again after they were worked out: thoughts and answer stand in the prompt."""
    asked = held_out({"sum": problems})
    return [
        [
            {"role": "user", "content": prompt},
            {"role": "assistant", "content": "\n".join(problem.steps)},
            {"role": "user", "content": prompt},
        ]
        for problem, prompt in asked
    ]


def seconds(replies: list[Reply]) -> float:
    return sum(reply.timing.decode_seconds for reply in replies)


def compare(draft: str, kind: str, problems: int, runs: int) -> None:
    prompts = copying(problems) if kind == "copy" else wordings(kind, problems)
    times: dict[str, list[float]] = {}
    said: dict[str, list[Reply]] = {}
    models = peers(draft)
    for _ in range(runs + 1):
        for name, llm in models.items():
            said[name] = [llm.generate(prompt, budget=BUDGET) for prompt in prompts]
            times.setdefault(name, []).append(seconds(said[name]))
    answers = {name: [(r.thinking, r.answer) for r in replies] for name, replies in said.items()}
    same = all(answer == answers["plain"] for answer in answers.values())
    usage = [reply.usage for reply in said["every guess"]]
    drafted, right = (
        sum(u.drafted_tokens for u in usage),
        sum(u.accepted_tokens for u in usage),
    )
    medians = {name: statistics.median(taken[1:]) for name, taken in times.items()}
    print(
        f"{draft:11} {kind:8} right {right:4} of {drafted:4} guesses ({right / drafted:4.0%})"
        f"   every guess {medians['plain'] / medians['every guess']:.2f}x"
        f"   where it pays {medians['plain'] / medians['where it pays']:.2f}x"
        f"   same replies: {'yes' if same else 'NO'}"
    )


def pass_seconds(llm: LLM, width: int, runs: int) -> float:
    """Median time of one pass over `width` tokens after 64."""
    ids, cache = mx.array([[7 * i % 1500 for i in range(64)]]), make_cache(llm.config)
    mx.eval(llm.model.advance(ids, cache))
    times = []
    for _ in range(20 * runs):
        started = time.perf_counter()
        mx.eval(llm.model(ids[:, :width], cache))
        times.append(time.perf_counter() - started)
        for layer in cache:
            layer.rewind(64)
    return statistics.median(times)


def break_even(runs: int) -> None:
    """A pass over k guesses pays when it costs less than the passes that it saves."""
    llm = qwen3_mlx.load("tiny")
    one = pass_seconds(llm, 1, runs)
    for guesses in (1, 2, 4, LOOKUP_TOKENS):
        ratio = pass_seconds(llm, guesses + 1, runs) / one
        needed = (ratio - 1) / guesses
        print(
            f"{guesses} guesses: a pass costs {ratio:.2f} plain ones, pays from {needed:.0%} right"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=8)
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_args()
    for draft in DRAFTS:
        for kind in KINDS:
            compare(draft, kind, args.problems, args.runs)
    break_even(args.runs)


if __name__ == "__main__":
    main()
