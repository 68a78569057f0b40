"""Right answers over thinking budgets: every task is thought about once, and cut for the others.

Knows tasks, budgets and how replies come about. Does not know files, nor what the figures are
drawn with.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias, Unpack

from qwen3_mlx.errors import UsageError
from qwen3_mlx.evaluation.scoring import is_right
from qwen3_mlx.evaluation.task import Task
from qwen3_mlx.events import FinishReason, StopThinking
from qwen3_mlx.generation.cut import CutReply, CuttingBatch
from qwen3_mlx.generation.defaults import SamplingArgs
from qwen3_mlx.generation.prompt import Request
from qwen3_mlx.runtime import LLM

Budget: TypeAlias = int | None
"""Tokens; 0 for no thinking, None for no end."""


@dataclass(frozen=True, slots=True)
class Record:
    """One task within one budget.

    Attributes:
        id: Of the task; so is `category`.
        budget: Tokens, None for no end.
        right: Whether the answer is.
        answer: Without the thoughts.
        thinking_tokens: Used of the budget.
        answer_tokens: After the thoughts.
        stop_thinking: Why the thoughts ended.
        finish_reason: Why the reply did.
        seconds: What this reply would have cost without the others: those of the longest one up to
            where it was cut, as measured, and those of its own answer. A pass of the model over
            several replies counts for each of them in equal parts.
    """

    id: str
    category: str
    budget: Budget
    right: bool
    answer: str
    thinking_tokens: int
    answer_tokens: int
    stop_thinking: StopThinking
    finish_reason: FinishReason
    seconds: float


@dataclass(frozen=True, slots=True)
class _Run:
    """A reply that is thought out, and those cut from it: the numbers of their task and budgets."""

    task: int
    budgets: tuple[int, ...]


def run(
    llm: LLM,
    tasks: Sequence[Task],
    budgets: Sequence[Budget],
    *,
    batch_size: int = 1,
    max_tokens: int | None = None,
    system: str | None = None,
    **sampling: Unpack[SamplingArgs],
) -> Iterator[tuple[Record, ...]]:
    """Answer tasks within each of several budgets.

    A reply is the one that `LLM.generate` gives for the prompt and the budget, with the same seed
    if it is drawn. It thinks once, to the end of the largest budget; 0 is answered apart.

    Args:
        llm: With plain caches.
        tasks: With different ids.
        budgets: One or more, each once.
        batch_size: Replies at a time at most.
        max_tokens: Of thoughts, stop instruction and answer; None: as the context allows.
        system: The system prompt.
        sampling: As for `LLM.generate`.

    Returns:
        The records of one task, in the order of `budgets`, once all of them are there.

    Raises:
        UsageError: no budgets or one twice; or as for `LLM.generate`, with the task's id.
        ContextOverflowError: a prompt is longer than the context; which task's.
        ModelTooLargeError: so many replies at a time do not fit into memory.
        NonFiniteError: the model's numbers are not finite.
    """
    check_budgets(budgets)
    runs = [_Run(number, group) for number in range(len(tasks)) for group in _groups(budgets)]

    def request(task: int, budget: int) -> Request:
        return llm.request(
            tasks[task].prompt,
            budget=budgets[budget],
            max_tokens=max_tokens,
            system=system,
            **sampling,
        )

    requests = [[request(run.task, number) for number in run.budgets] for run in runs]
    for run_, asked in zip(runs, requests, strict=True):
        _check_prompt(llm, tasks[run_.task], asked[0])
    if not tasks:
        return iter(())
    shorter = [others for _, *others in requests]
    batch = CuttingBatch(llm, [whole for whole, *_ in requests], shorter, batch_size)
    return _complete(batch, runs, tasks, budgets)


def _check_prompt(llm: LLM, task: Task, request: Request) -> None:
    """Refuse what cannot be asked before anything is, with the task's id."""
    try:
        llm.writer().write(request)
    except UsageError as error:
        raise type(error)(f"task {task.id}: {error.message}", hint=error.hint) from error


def _complete(
    batch: CuttingBatch, runs: Sequence[_Run], tasks: Sequence[Task], budgets: Sequence[Budget]
) -> Iterator[tuple[Record, ...]]:
    """The records of each task, once there is one for each budget."""
    there: dict[int, dict[int, Record]] = {}
    for cut in batch.replies():
        number, place = runs[cut.index].task, runs[cut.index].budgets[cut.place]
        records = there.setdefault(number, {})
        records[place] = _record(tasks[number], budgets[place], cut)
        if len(records) == len(budgets):
            del there[number]
            yield tuple(records[place] for place in range(len(budgets)))


def _size(budget: Budget) -> float:
    return float("inf") if budget is None else budget


def check_budgets(budgets: Sequence[Budget]) -> None:
    """Refuse budgets that make no curve.

    Raises:
        UsageError: there are none, or one is there twice.
    """
    if not budgets:
        raise UsageError("there are no budgets", hint="Give one or more.")
    if len({*budgets}) < len(budgets):
        raise UsageError("a budget is there twice", hint="Give each of them once.")


def _groups(budgets: Sequence[Budget]) -> list[tuple[int, ...]]:
    """The numbers of budgets that can be cut from one reply, the largest first; 0 is alone."""
    order = sorted(range(len(budgets)), key=lambda n: _size(budgets[n]), reverse=True)
    thinking = tuple(number for number in order if budgets[number] != 0)
    off = tuple(number for number in order if budgets[number] == 0)
    return [group for group in (thinking, off) if group]


def _record(task: Task, budget: Budget, cut: CutReply) -> Record:
    reply = cut.reply
    return Record(
        id=task.id,
        category=task.category,
        budget=budget,
        right=is_right(task, reply.answer),
        answer=reply.answer,
        thinking_tokens=reply.usage.thinking_tokens,
        answer_tokens=reply.usage.answer_tokens,
        stop_thinking=reply.stop_thinking,
        finish_reason=reply.finish_reason,
        seconds=cut.seconds,
    )
