"""The words that options take, each list once.

Knows the words. Does not know what follows from them.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qwen3_mlx.generation.mode import Thinking


class Switch(StrEnum):
    """What `--thinking` takes."""

    ON = "on"
    OFF = "off"
    AUTO = "auto"

    @property
    def thinks(self) -> Thinking:
        """What the library calls it."""
        return "auto" if self is Switch.AUTO else self is Switch.ON


class Show(StrEnum):
    """What `--thoughts` takes: how much of them is shown."""

    WINDOW = "window"
    FULL = "full"
    HIDDEN = "hidden"
    SUMMARY = "summary"

    @property
    def private(self) -> bool:
        """Whether nobody may see them, now or later."""
        return self in {Show.HIDDEN, Show.SUMMARY}


class LearningMethod(StrEnum):
    """What `--method` takes."""

    DWQ = "dwq"
    GPTQ = "gptq"
    AWQ = "awq"


class PruningMethod(StrEnum):
    """What `--method` of `prune` takes."""

    REAP = "reap"
    FREQUENCY = "frequency"


class TaskFormat(StrEnum):
    """What `--format` of `curve` takes."""

    TASKS = "tasks"
    GSM8K = "gsm8k"
    MMLU_REDUX = "mmlu-redux"
    MATH_500 = "math-500"
    NEEDLE = "needle"


class PeerName(StrEnum):
    """What `--against` takes."""

    MLX_LM = "mlx-lm"
    LLAMA_CPP = "llama.cpp"
