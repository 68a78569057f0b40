"""How much memory a person gives to experts, and how many slots of each layer that is.

Knows ``6GB``, ``40%`` and ``auto``. Does not know models or machines: callers count for it.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction

from qwen3_mlx.errors import ModelTooLargeError, UsageError

UNITS = {"k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}

_SIZE = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s*([kmgt])b", re.ASCII | re.IGNORECASE)
_SHARE = re.compile(r"(\d{1,3}(?:\.\d{1,9})?)\s*%", re.ASCII)


@dataclass(frozen=True, slots=True)
class Experts:
    """The experts of a model.

    Attributes:
        count: Of each sparse layer.
        used: How many of them each token goes through.
        nbytes: What one expert of all layers takes in memory.
    """

    count: int
    used: int
    nbytes: int


@dataclass(frozen=True, slots=True)
class ExpertMemory:
    """Memory for experts, as a person wrote it; with neither number, as much as there is.

    Attributes:
        text: What was written.
        nbytes: Bytes.
        share: Of all experts, 0 to 1.
    """

    text: str
    nbytes: int | None = None
    share: Fraction | None = None

    def slots(self, experts: Experts, free: int) -> int:
        """How many experts of each layer it is room for; at most all.

        Args:
            experts: Of the model.
            free: Bytes that the machine has for them, which is what `auto` takes.

        Raises:
            UsageError: There is not room for those that one token goes through.
            ModelTooLargeError: The machine has no room for these.
        """
        slots = min(self._slots(experts, free), experts.count)
        if slots >= experts.used:
            return slots
        if self.nbytes is None and self.share is None:
            raise _machine_too_small(experts, free)
        raise _too_few(self.text, slots, experts)

    def _slots(self, experts: Experts, free: int) -> int:
        if self.share is not None:
            return math.floor(self.share * experts.count)
        return max(0, free if self.nbytes is None else self.nbytes) // experts.nbytes


def parse_expert_memory(text: str) -> ExpertMemory:
    """An amount of memory as people write it: ``6GB``, ``40%`` or ``auto``.

    A GB is 10^9 bytes.

    Raises:
        UsageError: It is none.
    """
    word = text.strip()
    if word.lower() == "auto":
        return ExpertMemory(word)
    if size := _SIZE.fullmatch(word):
        return ExpertMemory(word, nbytes=int(Fraction(size[1]) * UNITS[size[2].lower()]))
    share = _SHARE.fullmatch(word)
    if share and Fraction(share[1]) <= 100:
        return ExpertMemory(word, share=Fraction(share[1]) / 100)
    raise UsageError(
        f"{text!r} is no amount of memory for experts",
        hint="Give a size like 6GB, a share of all experts like 40%, or auto.",
    )


def _too_few(text: str, slots: int, experts: Experts) -> UsageError:
    return UsageError(
        f"{text} is memory for {slots} of the {experts.count} experts of each layer, "
        f"and each token goes through {experts.used}",
        hint=f"The least that works is {_least(experts)}.",
    )


def _machine_too_small(experts: Experts, free: int) -> ModelTooLargeError:
    return ModelTooLargeError(
        f"beside all else this machine has {max(0, free) / 10**9:.1f} GB for experts, and the "
        f"{experts.used} of each layer that a token goes through take {_least(experts)}",
        hint="Choose a smaller model, or a shorter context (--context).",
    )


def _least(experts: Experts) -> str:
    """The smallest size and share that will do, rounded up as far as they are shown."""
    megabytes = -(-experts.used * experts.nbytes // UNITS["m"])
    percent = -(-100 * experts.used // experts.count)
    return f"{megabytes}MB, which is {percent}%"
