"""The models that have short names: which repository each is, and how large.

Knows the published Qwen3 family. Does not know what is on this machine.
"""

from __future__ import annotations

from dataclasses import dataclass

GIGABYTE = 10**9


@dataclass(frozen=True)
class CatalogModel:
    """A published model, quantized to 4 bits by mlx-community.

    Attributes:
        alias: What a person types.
        title: Its published name, without the family's.
        gigabytes: Size of its weights, in 10^9 bytes.
        context_gigabytes: Memory of 4,096 tokens of context in bfloat16.
    """

    alias: str
    title: str
    gigabytes: float
    context_gigabytes: float

    @property
    def repo(self) -> str:
        """Its repository on the Hugging Face Hub."""
        return f"mlx-community/Qwen3-{self.title}-4bit"

    @property
    def needed_bytes(self) -> float:
        """Memory for its weights and 4,096 tokens of context."""
        return (self.gigabytes + self.context_gigabytes) * GIGABYTE


HYBRIDS = (
    CatalogModel("0.6b", "0.6B", 0.34, 0.47),
    CatalogModel("1.7b", "1.7B", 0.97, 0.47),
    CatalogModel("4b", "4B", 2.26, 0.60),
    CatalogModel("8b", "8B", 4.61, 0.60),
    CatalogModel("14b", "14B", 8.31, 0.67),
    CatalogModel("30b-a3b", "30B-A3B", 17.2, 0.40),
    CatalogModel("32b", "32B", 18.4, 1.07),
    CatalogModel("235b-a22b", "235B-A22B", 132, 0.79),
)
LATER = (
    CatalogModel("4b-instruct-2507", "4B-Instruct-2507", 2.26, 0.60),
    CatalogModel("4b-thinking-2507", "4B-Thinking-2507", 2.26, 0.60),
    CatalogModel("30b-a3b-instruct-2507", "30B-A3B-Instruct-2507", 17.2, 0.40),
    CatalogModel("30b-a3b-thinking-2507", "30B-A3B-Thinking-2507", 17.2, 0.40),
    CatalogModel("235b-a22b-instruct-2507", "235B-A22B-Instruct-2507", 132, 0.79),
    CatalogModel("235b-a22b-thinking-2507", "235B-A22B-Thinking-2507", 132, 0.79),
    CatalogModel("coder-30b-a3b", "Coder-30B-A3B-Instruct", 17.2, 0.40),
    CatalogModel("coder-480b-a35b", "Coder-480B-A35B-Instruct", 270, 1.04),
)
CATALOG = HYBRIDS + LATER

_BY_ALIAS = {model.alias: model for model in CATALOG}


def find(name: str) -> CatalogModel | None:
    """The model of that short name, such as ``8b``, ``8B`` or ``qwen3-8b``; None if none is."""
    return _BY_ALIAS.get(name.lower().removeprefix("qwen3-"))


def largest_fitting(memory: int) -> CatalogModel | None:
    """The largest hybrid model that fits into ``memory`` bytes with 4,096 tokens of context."""
    fitting = [model for model in HYBRIDS if model.needed_bytes <= memory]
    return max(fitting, key=lambda model: model.gigabytes, default=None)
