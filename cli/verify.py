"""`qwen3-mlx verify`: what a comparison found, with the record of a model or with its source."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from qwen3_mlx.checkpoint.hub import resolve
from qwen3_mlx.checkpoint.whole import Whole, check_whole
from qwen3_mlx.cli.progress import showing_progress
from qwen3_mlx.cli.tables import columns
from qwen3_mlx.cli.terminal import Terminal
from qwen3_mlx.convert import Verification, verify
from qwen3_mlx.convert.check import Check
from qwen3_mlx.convert.kinds import place_of
from qwen3_mlx.convert.manifest import MANIFEST
from qwen3_mlx.errors import ConversionError, ModelFileError, ModelNotFoundError


def run_alone(name: Path, terminal: Terminal, *, as_json: bool) -> None:
    """Compares every byte of a model with what is known of it, and says how much that was.

    Raises:
        Qwen3Error: nothing is known of it, or a file is another one.
    """
    folder = resolve(str(name)).path
    with showing_progress(terminal) as update:
        found = check_whole(folder, lambda done, total: update("reading", done, total))
    terminal.data(json.dumps(asdict(found)) if as_json else _sentence(found))


def _sentence(found: Whole) -> str:
    files = "file" if len(found.files) == 1 else "files"
    return (
        f"{len(found.files)} {files}, {found.nbytes:,} bytes: each as {found.known_by} records it"
    )


def run(source: Path, destination: Path, terminal: Terminal, *, as_json: bool) -> None:
    """Compares, and prints a table.

    Raises:
        Qwen3Error: the two cannot be compared, or a tensor is not what it ought to be.
    """
    with _order_doubted(source, destination), showing_progress(terminal) as update:
        found = verify(
            source,
            destination,
            progress=lambda state: update(state.stage, state.done_bytes, state.total_bytes),
        )
    text = [json.dumps(asdict(found))] if as_json else _as_lines(found, terminal.columns)
    for line in text:
        terminal.data(line)


@contextmanager
def _order_doubted(source: Path, destination: Path) -> Iterator[None]:
    """Says with an error that the two may be swapped, if it looks so."""
    try:
        yield
    except (ConversionError, ModelFileError, ModelNotFoundError) as error:
        if _is_converted(source) and not _is_converted(destination):
            error.hint = "SRC and DST may be swapped: SRC is what DST was made of."
        raise


def _is_converted(path: Path) -> bool:
    return (path.expanduser() / MANIFEST).is_file()


def _as_lines(found: Verification, width: int | None) -> list[str]:
    places: dict[str, list[Check]] = {}
    for check in found.checks:
        places.setdefault(place_of(check.name), []).append(check)
    rows = [_row(place, checks) for place, checks in places.items()]
    head = ("tensors", "number", "exact", "error", "worst group", "where")
    return [*columns(head, rows, width), "", _outputs(found)]


def _row(place: str, checks: Sequence[Check]) -> tuple[str, ...]:
    worst = max(checks, key=lambda check: check.worst)
    row, group = worst.group
    return (
        place,
        str(len(checks)),
        str(sum(check.exact for check in checks)),
        f"{max(check.error for check in checks):.3%}",
        f"{worst.worst:.2f} of 1",
        f"{worst.name} row {row} group {group}" if worst.worst else "",
    )


def _outputs(found: Verification) -> str:
    outputs = found.outputs
    if outputs.kl is None:
        return f"what the two say was not compared: {outputs.reason}"
    return (
        f"KL {outputs.kl:g} nats a token over {outputs.tokens} tokens; "
        f"{outputs.same:.0%} of the likeliest tokens are the same"
    )
