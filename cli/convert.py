"""`qwen3-mlx convert`: shows how far a conversion has come, and where its result is."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from qwen3_mlx.cli.choices import LearningMethod
from qwen3_mlx.cli.loading import flags_named
from qwen3_mlx.cli.progress import showing_progress
from qwen3_mlx.cli.tables import columns
from qwen3_mlx.cli.terminal import Terminal
from qwen3_mlx.convert import Outlook, convert, outlook
from qwen3_mlx.convert.folder import staging_of
from qwen3_mlx.convert.manifest import read_manifest
from qwen3_mlx.memory import shown_bytes

FORCE = {"force=True": "--force"}


def run(
    source: Path,
    destination: Path,
    terminal: Terminal,
    *,
    recipe: str,
    group_size: int | None,
    force: bool,
    verify: bool,
    delete_source: bool,
    calibrate: Path | None,
    method: LearningMethod | None,
    as_json: bool,
) -> None:
    """Converts, and prints where to.

    Raises:
        Qwen3Error: the source or the destination cannot be used, or the conversion failed.
    """
    if method is not None:
        terminal.aside(f"learning how to round by {method.upper()}; this takes a while")
    with left_with_a_word(destination, terminal), showing_progress(terminal) as update:
        folder = convert(
            source,
            destination,
            recipe,
            group_size=group_size,
            force=force,
            verify=verify,
            delete_source=delete_source,
            calibrate=calibrate,
            method=method.value if method else None,
            progress=lambda state: update(state.stage, state.done_bytes, state.total_bytes),
            fetched=lambda file, done, total: update(f"fetching {file}", done, total),
            note=lambda sentence: terminal.aside(f"note: {sentence}"),
        )
    found = read_manifest(folder)["found"]
    if as_json:
        result = {"destination": str(folder), "recipe": recipe, "found": found}
        terminal.data(json.dumps(result))
        return
    terminal.data(str(folder))
    terminal.aside(_found(found))
    terminal.aside(f"talk to it: qwen3-mlx chat -m {shlex.quote(str(folder))}")


@contextmanager
def left_with_a_word(destination: Path, terminal: Terminal) -> Iterator[None]:
    """Says what an interruption leaves behind, and what --force would replace."""
    try:
        with flags_named(**FORCE):
            yield
    except (KeyboardInterrupt, SystemExit):
        kept = staging_of(destination.expanduser().absolute())
        if kept.exists():
            terminal.aside(
                f"stopped; what is finished is kept in {kept}, and the same command goes on"
            )
        raise


def _found(found: Mapping[str, Any] | None) -> str:
    """What the comparison with the source came to."""
    if found is None:
        return "not compared with the source"
    text = (
        f"compared with the source: {found['tensors']} tensors are what they ought to be, "
        f"the largest error is {found['error']:.1%}"
    )
    return text if found["kl"] is None else f"{text}, KL {found['kl']:g} nats a token"


def plan(
    source: Path, terminal: Terminal, recipe: str, group_size: int | None, *, as_json: bool
) -> None:
    """Prints what a conversion would come to.

    Raises:
        Qwen3Error: the source or the recipe cannot be used.
    """
    found = outlook(source, recipe, group_size=group_size)
    lines = [json.dumps(_as_data(found))] if as_json else _as_lines(found, terminal.columns)
    for line in lines:
        terminal.data(line)


def _as_data(found: Outlook) -> dict[str, object]:
    return {
        "tensors": [
            {
                "name": kind.name,
                "count": len(kind.names),
                "shape": kind.shape,
                "format": kind.format,
                "bytes": kind.nbytes,
            }
            for kind in found.kinds
        ],
        "notes": found.notes,
        "total_bytes": found.total_bytes,
        "bits_per_weight": round(found.bits_per_weight, 3),
        "peak_memory_bytes": found.peak_bytes,
        "smallest_mac_gb": found.smallest_macs,
    }


def _as_lines(found: Outlook, width: int | None) -> list[str]:
    rows = [
        (
            kind.name,
            str(len(kind.names)),
            " x ".join(map(str, kind.shape)),
            kind.format,
            shown_bytes(kind.nbytes),
        )
        for kind in found.kinds
    ]
    return [
        *columns(("tensors", "number", "shape", "format", "size"), rows, width),
        "",
        f"weights       {shown_bytes(found.total_bytes)}, "
        f"{found.bits_per_weight:.2f} bits a weight",
        f"peak memory   {shown_bytes(found.peak_bytes)} at most, to convert",
        *(f"{f'{n // 1024}K context':13} {_mac(size)}" for n, size in found.smallest_macs.items()),
        *(f"note: {note}" for note in found.notes),
    ]


def _mac(size: int | None) -> str:
    return f"fits on a Mac with {size} GB" if size else "fits on no Mac"
