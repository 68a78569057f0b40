"""Apple's chips: how fast each reads its memory, and how much of that decoding reaches.

Knows `chips.toml`, which also says where each figure is from. Does not know models.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Chip:
    """A chip.

    Attributes:
        name: As macOS calls it.
        bandwidth: Of its memory, in 10^9 bytes a second.
        source: Where that figure is from.
        gpu_cores: Where chips of the same name differ by them.
    """

    name: str
    bandwidth: float
    source: str
    gpu_cores: int | None = None


@dataclass(frozen=True, slots=True)
class Efficiency:
    """How far decoding gets, by published runs.

    Attributes:
        reachable: Share of the bandwidth.
        dense_layer_microseconds: For each dense layer and token, whatever the chip.
        sparse_layer_microseconds: For each layer with experts.
        source: Where these are from.
    """

    reachable: float
    dense_layer_microseconds: float
    sparse_layer_microseconds: float
    source: str


@dataclass(frozen=True, slots=True)
class Published:
    """A run of 4-bit weights that somebody published.

    Attributes:
        model: Its short name.
        chip: What it ran on; `gpu_cores` where that matters.
        tokens_per_second: Decoding one conversation.
        source: Who says so.
    """

    model: str
    chip: str
    tokens_per_second: float
    source: str
    gpu_cores: int | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """All of `chips.toml`."""

    chips: tuple[Chip, ...]
    efficiency: Efficiency
    published: tuple[Published, ...]


@lru_cache(maxsize=1)
def read_table() -> Table:
    """The table, read once."""
    data = tomllib.loads((files(__package__) / "chips.toml").read_text("utf-8"))
    return Table(
        tuple(Chip(**chip) for chip in data["chip"]),
        Efficiency(**data["efficiency"]),
        tuple(Published(**run) for run in data["published"]),
    )


def find_chip(name: str, gpu_cores: int | None = None) -> Chip | None:
    """The chip of that name; None if it is not in the table.

    Of several with that name it is the one with so many GPU cores, else the slowest.
    """
    named = [chip for chip in read_table().chips if chip.name == name]
    exact = [chip for chip in named if chip.gpu_cores is not None and chip.gpu_cores == gpu_cores]
    return min(exact or named, key=lambda chip: chip.bandwidth, default=None)
