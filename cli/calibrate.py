"""`qwen3-mlx curve TASKS --calibrate`: watches a model think, and notes when it has thought enough.

Knows how often to look and where the calibration is kept. Does not know what is concluded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from qwen3_mlx.cli.filter import clean_line
from qwen3_mlx.cli.progress import showing_steps
from qwen3_mlx.cli.state import replace_file
from qwen3_mlx.cli.terminal import Terminal
from qwen3_mlx.evaluation.calibrate import Outcome, calibrate, outcome
from qwen3_mlx.evaluation.observe import Observation, observe
from qwen3_mlx.evaluation.scoring import is_right
from qwen3_mlx.evaluation.task import Task
from qwen3_mlx.generation.calibration_file import own_path, to_json
from qwen3_mlx.loading import identity

if TYPE_CHECKING:
    from qwen3_mlx.generation.calibration import Calibration
    from qwen3_mlx.runtime import LLM

BUNDLED_EVERY, BUNDLED_CAP = 2, 256
EVERY, CAP = 64, 8192
"""Tokens between looks, and of thought at most: what a model of that size thinks about a task."""


def run(llm: LLM, tasks: Sequence[Task], terminal: Terminal) -> None:
    """Calibrates a model on tasks, and keeps the result where `load` finds it.

    Raises:
        UsageError: too few tasks, or too few that the model can do.
        Qwen3Error: a prompt is too long, or the calibration cannot be written.
    """
    bundled = llm.source.kind == "bundled"
    every, cap = (BUNDLED_EVERY, BUNDLED_CAP) if bundled else (EVERY, CAP)
    seen = _observed(llm, tasks, terminal, every=every, cap=cap)
    start = replace(llm.calibration, name=llm.name, model=identity(llm.path), cap=cap)
    found = calibrate(seen, start, every)
    path = own_path(found.model)
    replace_file(path, to_json(found))
    for line in _told(seen, found, outcome(seen, found)):
        terminal.say(line)
    terminal.aside(f"the calibration is in {clean_line(str(path))}; --budget auto uses it")


def _observed(
    llm: LLM, tasks: Sequence[Task], terminal: Terminal, *, every: int, cap: int
) -> list[Observation]:
    seen: list[Observation] = []
    with showing_steps(terminal) as update:
        for task in tasks:
            update("watching", len(seen), len(tasks))
            right = partial(is_right, task)
            seen.append(observe(llm, task.prompt, right, every=every, cap=cap))
    return seen


def _told(seen: Sequence[Observation], found: Calibration, result: Outcome) -> list[str]:
    """What the calibration would have come to on its own tasks."""
    right, tokens = sum(o.right for o in seen), sum(o.thinking_tokens for o in seen)
    brake = "off" if found.brake is None else f"within {found.brake:g} nats of </think>"
    return [
        f"no thinking from {found.skip:.1%} certainty on"
        if found.skip <= 1
        else "always some thinking",
        f"enough at {found.certain:.1%} certainty, {found.agree} times, looked at every"
        f" {found.every} tokens; brake {brake}",
        f"on these {len(seen)} tasks: {result.right} right of {right} without a limit, with"
        f" {result.tokens} of {tokens} tokens of thought ({result.tokens / max(1, tokens):.0%})",
    ]
