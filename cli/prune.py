"""`qwen3-mlx prune`: shows how far a pruning has come, and what is left of each layer."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

from qwen3_mlx.checkpoint.recorded import PRUNING
from qwen3_mlx.cli.choices import PruningMethod
from qwen3_mlx.cli.convert import left_with_a_word
from qwen3_mlx.cli.filter import escaped_json
from qwen3_mlx.cli.progress import showing_progress
from qwen3_mlx.cli.tables import columns
from qwen3_mlx.cli.terminal import Terminal
from qwen3_mlx.convert import Pruning, prune
from qwen3_mlx.convert.prune_choice import PrunedLayer
from qwen3_mlx.convert.routing import LayerRouting

HEAD = ("layer", "scores kept", "load kept", "busiest before", "unused before")


def run(
    source: Path,
    destination: Path,
    terminal: Terminal,
    *,
    keep: int,
    calibrate: Path,
    method: PruningMethod,
    force: bool,
    as_json: bool,
) -> None:
    """Prunes, and prints where to.

    Raises:
        Qwen3Error: the source, the text or the destination cannot be used, or the work failed.
    """
    with left_with_a_word(destination, terminal), showing_progress(terminal) as update:
        pruning = prune(
            source,
            destination,
            keep=keep,
            calibrate=calibrate,
            method=method.value,
            force=force,
            progress=lambda state: update(state.stage, state.done_bytes, state.total_bytes),
            fetched=lambda file, done, total: update(f"fetching {file}", done, total),
            note=lambda sentence: terminal.aside(f"note: {sentence}"),
        )
    if as_json:
        terminal.data(escaped_json(json.dumps(_as_data(pruning))))
        return
    terminal.data(str(pruning.folder))
    for line in _table(pruning, terminal.width):
        terminal.say(line)
    terminal.aside(f"which experts stayed, and all scores: {pruning.folder / PRUNING}")
    terminal.aside(f"talk to it: qwen3-mlx chat -m {shlex.quote(str(pruning.folder))}")


def _as_data(pruning: Pruning) -> dict[str, Any]:
    return {
        "destination": str(pruning.folder),
        "method": pruning.method,
        "tokens": pruning.routing.tokens,
        "layers": [layer.as_data() for layer in pruning.layers],
    }


def _table(pruning: Pruning, width: int | None) -> list[str]:
    layers = zip(pruning.layers, pruning.routing.layers, strict=True)
    return columns(HEAD, [_row(pruned, before) for pruned, before in layers], width)


def _row(pruned: PrunedLayer, before: LayerRouting) -> tuple[str, ...]:
    return (
        str(pruned.layer),
        f"{pruned.kept_score:.1%}",
        f"{pruned.kept_load:.1%}",
        f"{before.max_over_mean:.1f} x even",
        f"{before.unused} of {len(before.load)}",
    )
