"""What a curve was measured with: everything that its records depend on.

Knows a model's identity, the tasks' digest, budgets and sampling. Does not know the records.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Unpack

from qwen3_mlx.checkpoint.load import open_checkpoint
from qwen3_mlx.checkpoint.prompt_identity import weights_identity
from qwen3_mlx.evaluation.curve import Budget
from qwen3_mlx.evaluation.task import Task, digest
from qwen3_mlx.generation.defaults import SamplingArgs
from qwen3_mlx.runtime import LLM


@dataclass(frozen=True, slots=True)
class Setup:
    """What a curve was measured with.

    Attributes:
        model: Its name, as it was asked for.
        identity: Of its weights; see `weights_identity`.
        tasks: Their name, for people.
        digest: Of the tasks.
        count: Of the tasks.
        budgets: In the order asked for.
        system: The system prompt, None without one.
        max_tokens: Of a reply, None for no limit.
        context: Tokens of prompt and reply together.
        thinking: Sampling of replies that may think, by name.
        answering: Sampling of those that may not.
    """

    model: str
    identity: str
    tasks: str
    digest: str
    count: int
    budgets: tuple[Budget, ...]
    system: str | None
    max_tokens: int | None
    context: int
    thinking: dict[str, float | None]
    answering: dict[str, float | None]

    def differences(self, other: Setup) -> list[str]:
        """What differs, in words; whatever the two are called."""
        names = [f.name for f in fields(self) if f.name not in ("model", "tasks")]
        return [
            _WORDS.get(name, name) for name in names if getattr(self, name) != getattr(other, name)
        ]


_WORDS = {
    "identity": "the model",
    "digest": "the tasks",
    "count": "their number",
    "budgets": "the budgets",
    "system": "the system prompt",
    "context": "the context",
    "thinking": "the sampling of thoughts",
    "answering": "the sampling without thoughts",
}


def make_setup(
    llm: LLM,
    name: str,
    tasks: Sequence[Task],
    budgets: Sequence[Budget],
    *,
    max_tokens: int | None = None,
    system: str | None = None,
    **sampling: Unpack[SamplingArgs],
) -> Setup:
    """What `curve.run` is about to be given; `name` is that of the tasks.

    Raises:
        UsageError: a sampling value out of range.
        ModelFileError: the model's files can no longer be read.
    """
    return Setup(
        model=llm.name,
        identity=weights_identity(llm.path, open_checkpoint(llm.path)),
        tasks=name,
        digest=digest(tasks),
        count=len(tasks),
        budgets=tuple(budgets),
        system=system,
        max_tokens=max_tokens,
        context=llm.context_length,
        thinking=asdict(llm.defaults.sampling(thinking=True, chosen=sampling)),
        answering=asdict(llm.defaults.sampling(thinking=False, chosen=sampling)),
    )
