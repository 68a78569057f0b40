"""Time to the first token of a long prompt: read by the model, and found on the disk.

``python -m benchmarks.prompt_cache [--rounds 7] [--model tiny]``. The prompt nearly fills the
bundled models' context of 2,048 tokens. Three ways take turns, each with an empty conversation as a
new process has it: without the cache, with an empty one, and with what that one has saved. All give
the same reply, which is checked. Medians are printed, and what saving costs: the digest of the
model when it is loaded, the moment that a reply waits for, and the rest, in the background.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import mlx.core as mx

from qwen3_mlx import bundled, load
from qwen3_mlx.checkpoint.load import open_checkpoint
from qwen3_mlx.checkpoint.prompt_file import States
from qwen3_mlx.checkpoint.prompt_folder import default_folder
from qwen3_mlx.checkpoint.prompt_identity import model_identity
from qwen3_mlx.checkpoint.prompt_store import PromptStore
from qwen3_mlx.events import Reply
from qwen3_mlx.runtime import LLM

SENTENCE = "Tom has 12 apples and buys 7 more. Ann has 30 books and gives 4 away. "
SENTENCES = 80
QUESTION = "What is 47 + 86 + 12?"
WITHOUT, EMPTY, SAVED = "without the cache", "with an empty one", "saved before"


def seconds(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def ask(llm: LLM) -> Reply:
    return llm.generate(QUESTION, system=SENTENCE * SENTENCES, thinking=False, max_tokens=16)


def watch_saves(store: PromptStore) -> list[float]:
    """How long each save from now on keeps a reply waiting."""
    waited: list[float] = []
    save = store.save

    def watched(ids: Sequence[int], states: States) -> None:
        waited.append(seconds(lambda: save(ids, states)))

    store.save = watched
    return waited


def run_round(plain: LLM, saving: LLM, turn: int) -> tuple[dict[str, Reply], float]:
    """One reply in each way, and how long was saved behind the first person's back."""
    shutil.rmtree(default_folder())
    default_folder().mkdir()
    replies = {} if turn % 2 else {WITHOUT: ask(plain)}
    replies[EMPTY] = ask(saving)
    background = seconds(saving.prompts.wait)
    replies[SAVED] = ask(saving)
    saving.prompts.wait()
    if turn % 2:
        replies[WITHOUT] = ask(plain)
    check(replies)
    return replies, background


def check(replies: dict[str, Reply]) -> None:
    usage = replies[SAVED].usage
    if len({reply.answer for reply in replies.values()}) > 1:
        raise SystemExit(f"the replies differ: {replies}")
    if (replies[EMPTY].usage.cached_tokens, usage.cached_tokens) != (0, usage.prompt_tokens - 1):
        raise SystemExit(f"not everything was found: {usage}")


def show(rounds: list[dict[str, Reply]]) -> None:
    times = {
        way: [replies[way].timing.first_token_seconds for replies in rounds]
        for way in (WITHOUT, EMPTY, SAVED)
    }
    for way, found in times.items():
        spread = f"{1000 * min(found):.0f} to {1000 * max(found):.0f}"
        print(f"{way:18} median {1000 * statistics.median(found):5.0f} ms  ({spread})")
    ratios = [a / b for a, b in zip(times[WITHOUT], times[SAVED], strict=True)]
    spread = f"{min(ratios):.1f} to {max(ratios):.1f}"
    print(f"first token {statistics.median(ratios):.1f}x sooner ({spread})")


def identity_seconds(model: str, llm: LLM) -> float:
    folder = bundled.bundled_path(model)
    checkpoint = open_checkpoint(folder)
    return seconds(lambda: model_identity(folder, checkpoint, llm.config, mx.float32))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--model", choices=bundled.NAMES, default="tiny")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = folder
        plain, saving = load(options.model), load(options.model, save_cache=True)
        waits = watch_saves(saving.prompts)
        results = [run_round(plain, saving, n) for n in range(options.rounds + 1)][1:]
        nbytes = sum(path.stat().st_size for path in Path(default_folder()).iterdir())
    rounds = [replies for replies, _ in results]
    tokens = rounds[0][SAVED].usage.prompt_tokens
    print(f"{options.model}, {tokens} tokens of prompt, {options.rounds} rounds")
    show(rounds)
    background = statistics.median(saved for _, saved in results)
    waited = statistics.median(waits[::2])
    digest = statistics.median(identity_seconds(options.model, saving) for _ in range(7))
    print(f"digest of the model {1000 * digest:.1f} ms, once at load")
    print(f"a reply waits {1000 * waited:.1f} ms for its save; {nbytes / 1e6:.1f} MB", end=" ")
    print(f"are then written in {1000 * background:.0f} ms")


if __name__ == "__main__":
    main()
