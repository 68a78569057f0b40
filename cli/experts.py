"""`qwen3-mlx experts`: which experts a text goes to, drawn, and in numbers."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from qwen3_mlx.checkpoint.hub import resolve
from qwen3_mlx.cli.filter import clean_line, escaped_json
from qwen3_mlx.cli.heatmap import Line, binned, legend, shade, show
from qwen3_mlx.cli.tables import columns
from qwen3_mlx.cli.terminal import Terminal
from qwen3_mlx.convert.observe import observe
from qwen3_mlx.convert.routing import LayerRouting, Pair, Routing
from qwen3_mlx.convert.texts import read_text_file

WIDTH = 80
"""Of a page where there is no screen."""

LABEL = 7
PAIRS = 10
BALANCE = (
    "busiest: the largest load relative to an even one. entropy: of the load; 1 is even, 0 one "
    "expert alone."
)


def run(model: str, prompt: Path, terminal: Terminal, *, as_json: bool) -> None:
    """Runs a text through a model, and shows what its routers did.

    Args:
        model: A name or a folder, as for `load`.
        prompt: The text, or JSON lines with a `text` or `messages` each.
        terminal: Where to.
        as_json: Whether to print one JSON object instead.

    Raises:
        Qwen3Error: the text or the model cannot be used, or the model has no experts.
    """
    text = read_text_file(prompt, "the prompt")
    folder = resolve(model).path
    with terminal.busy(f"running {clean_line(prompt.name)}"):
        routing = observe(folder, text.documents)
    if as_json:
        found = {"model": model, "prompt": prompt.name, **_as_data(routing)}
        terminal.data(escaped_json(json.dumps(found, ensure_ascii=False)))
        return
    title = (
        f"{clean_line(model)}: {len(routing.layers)} layers of {routing.experts} experts, "
        f"{routing.top_k} for each token; {routing.tokens} tokens of {clean_line(prompt.name)}"
    )
    for line in _screen(title, routing, terminal.columns or WIDTH):
        show(line, terminal)


def _as_data(routing: Routing) -> dict[str, Any]:
    return {
        "experts": routing.experts,
        "experts_per_token": routing.top_k,
        "tokens": routing.tokens,
        "layers": [
            {
                "layer": layer.layer,
                "load": layer.load,
                "unused": layer.unused,
                "max_over_mean": layer.max_over_mean,
                "normalized_entropy": layer.normalized_entropy,
                "pairs": [
                    {"experts": pair.experts, "tokens": pair.tokens, "lift": pair.lift}
                    for pair in layer.pairs()[:PAIRS]
                ],
            }
            for layer in routing.layers
        ],
    }


def _screen(title: str, routing: Routing, width: int) -> Iterator[Line]:
    yield from _paragraph(title, width)
    yield [""]
    yield from _heat_map(routing, width)
    yield [""]
    yield from _balance(routing, width)
    yield [""]
    yield from _pairs(routing, width)


def _paragraph(text: str, width: int) -> Iterator[Line]:
    for line in textwrap.wrap(text, width):
        yield [line]


def _heat_map(routing: Routing, width: int) -> Iterator[Line]:
    """A row for each layer, a cell for as many experts as it takes to fit."""
    size = -(-routing.experts // max(1, width - LABEL))
    cells = "" if size == 1 else f", {size} in each cell"
    yield from _paragraph(f"load of experts 0 to {routing.experts - 1}{cells}", width)
    for layer in routing.layers:
        shades = map(shade, binned(layer.relative_load, size))
        yield [f"{layer.layer:>{LABEL - 2}}  ", *shades]
    yield from _paragraph("relative to an even load, which is 1; blank is none:", width)
    yield from legend(width)


def _balance(routing: Routing, width: int) -> Iterator[Line]:
    rows = [
        (
            str(layer.layer),
            str(layer.unused),
            f"{layer.max_over_mean:.1f}",
            f"{layer.normalized_entropy:.3f}",
        )
        for layer in routing.layers
    ]
    for line in columns(("layer", "unused", "busiest", "entropy"), rows, width):
        yield [line]
    yield from _paragraph(BALANCE, width)


def _pairs(routing: Routing, width: int) -> Iterator[Line]:
    found = sorted(_all_pairs(routing.layers), key=lambda pair: -pair.lift)[:PAIRS]
    if not found:
        yield from _paragraph("no two experts were chosen together often enough to tell", width)
        return
    yield from _paragraph("chosen together, and how many times more often than by chance", width)
    rows = [
        (str(pair.layer), "{} and {}".format(*pair.experts), str(pair.tokens), f"{pair.lift:.1f}")
        for pair in found
    ]
    for line in columns(("layer", "experts", "tokens", "times"), rows, width):
        yield [line]


def _all_pairs(layers: Sequence[LayerRouting]) -> Iterator[Pair]:
    for layer in layers:
        yield from layer.pairs()
