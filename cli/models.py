"""`qwen3-mlx models`: what is bundled, what is on this machine, what could be."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from qwen3_mlx import bundled, memory
from qwen3_mlx.checkpoint import catalog, hub
from qwen3_mlx.cli.filter import clean_line, escaped_json
from qwen3_mlx.cli.loading import model_name
from qwen3_mlx.cli.origins import settle
from qwen3_mlx.cli.tables import columns
from qwen3_mlx.cli.terminal import Terminal
from qwen3_mlx.errors import ModelNotFoundError


@dataclass(frozen=True, slots=True)
class Row:
    """A model in the list.

    Attributes:
        name: What a person types.
        bytes: On the disk; of a model that is not there, what it would take.
        bundled: Whether it ships with the program.
        downloaded: Whether it is in the Hugging Face cache.
        fits: Whether it runs on this machine; None where that is not known.
        default: Whether it is used when none is named.
    """

    name: str
    bytes: int
    bundled: bool = False
    downloaded: bool = False
    fits: bool | None = None
    default: bool = False


def run(terminal: Terminal, *, as_json: bool) -> None:
    """Prints one line for each model, or one JSON array of objects.

    Raises:
        Qwen3Error: the configuration or a model's folder cannot be read.
    """
    rows = list(_rows(model_name(settle({}).settings)))
    if as_json:
        found = json.dumps([asdict(row) for row in rows], ensure_ascii=False, indent=2)
        terminal.data(escaped_json(found))
        return
    table = [
        (clean_line(row.name), _size(memory.shown_bytes(row.bytes)), _notes(row)) for row in rows
    ]
    for line in columns(("NAME", _size("SIZE"), ""), table, terminal.columns):
        terminal.data(line)
    terminal.aside("fetch one: qwen3-mlx pull NAME")


def _rows(default: str) -> Iterator[Row]:
    downloaded = {model.name: model for model in hub.list_downloaded()}
    for name in bundled.NAMES:
        size = _nbytes(hub.resolve(name).path)
        yield Row(name, size, bundled=True, fits=True, default=name == default)
    available = memory.machine_memory()
    for model in catalog.CATALOG:
        local = downloaded.pop(model.repo, None)
        yield Row(
            model.alias,
            local.nbytes if local else round(model.gigabytes * memory.GIGABYTE),
            downloaded=local is not None,
            fits=model.needed_bytes <= available,
            default=default in (model.alias, model.repo),
        )
    for name, local in downloaded.items():
        yield Row(name, local.nbytes, downloaded=True, default=name == default)
    yield from _folder(default)


def _folder(default: str) -> Iterator[Row]:
    """The folder that is used when none is named, if one is, and it is there."""
    with suppress(ModelNotFoundError, OSError):
        found = hub.resolve(default)
        if found.kind == "directory":
            yield Row(default, _nbytes(found.path), default=True)


def _nbytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir() if file.is_file())


def _size(text: str) -> str:
    return f"{text:>8}"


def _notes(row: Row) -> str:
    notes = {
        "bundled": row.bundled,
        "downloaded": row.downloaded,
        "too large for this machine": row.fits is False,
        "default": row.default,
    }
    return ", ".join(note for note, holds in notes.items() if holds)
