"""Made-up prompts for the tests of saved ones: caches whose every number tells where it is from."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

import mlx.core as mx

from qwen3_mlx.checkpoint.prompt_file import Block, Layout, Part, States
from qwen3_mlx.checkpoint.prompt_folder import PromptFolder
from qwen3_mlx.checkpoint.prompt_store import PromptStore

PART = Part("F32", 2, 4)
LAYOUT = Layout("0123456789abcdef" * 2, 3, {"keys": PART, "values": PART})
ROOM = 8
START = 99
"""The id that begins a message."""


def states_of(ids: Sequence[int], layout: Layout = LAYOUT, room: int = ROOM) -> States:
    """What caches hold of some ids: a number of a token depends on all ids up to it."""
    history = accumulate(ids, lambda before, token: (31 * before + token) % 9973, initial=7)
    tokens = [*history][1:] + [0] * room
    return [
        {
            name: sign * (layer * 10_000 + grid(tokens, part))
            for sign, (name, part) in zip((1, -1), layout.parts.items(), strict=True)
        }
        for layer in range(layout.layers)
    ]


def grid(tokens: Sequence[int], part: Part) -> mx.array:
    """[1, heads, tokens, width]."""
    heads = 100_000 * mx.arange(part.heads)[None, :, None, None]
    widths = 1_000_000 * mx.arange(part.width)[None, None, None, :]
    return (mx.array([*tokens])[None, None, :, None] + heads + widths).astype(mx.float32)


def store_in(path: Path, layout: Layout = LAYOUT, **how: object) -> PromptStore:
    """A store whose folder is there, or made at `path`."""
    return PromptStore(PromptFolder(path, **how), layout, START)  # type: ignore[arg-type]


def save(store: PromptStore, ids: Sequence[int], layout: Layout = LAYOUT) -> None:
    store.save(ids, states_of(ids, layout))
    store.wait()


def found(store: PromptStore, ids: Sequence[int], held: int = 0) -> list[int]:
    """The ids that are saved of these; their numbers are right."""
    blocks = list(store.find(ids, held))
    got = [token for block in blocks for token in block.ids]
    assert got == list(ids[held : held + len(got)])
    assert_right(blocks, ids[: held + len(got)])
    return got


def assert_right(blocks: Sequence[Block], ids: Sequence[int]) -> None:
    """The blocks hold the last numbers of these ids."""
    if not blocks:
        return
    for layer, expected in enumerate(states_of(ids, room=0)):
        for name, numbers in expected.items():
            parts = [block.states[layer][name] for block in blocks]
            got = mx.concatenate(parts, axis=2)
            assert mx.array_equal(got, numbers[..., numbers.shape[2] - got.shape[2] :, :])


def files(path: Path) -> list[Path]:
    return sorted(path.iterdir())
