"""`qwen3-mlx models`: what is bundled, what is on this machine, what could be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from qwen3_mlx import bundled, memory
from qwen3_mlx.checkpoint import catalog, hub
from qwen3_mlx.cli.filter import clean_line
from qwen3_mlx.cli.loading import model_name
from qwen3_mlx.cli.origins import settle
from qwen3_mlx.cli.terminal import Terminal


@dataclass(frozen=True, slots=True)
class Row:
    """A model in the list."""

    name: str
    nbytes: float
    notes: tuple[str, ...] = ()


def run(terminal: Terminal) -> None:
    """Prints one line for each model.

    Raises:
        Qwen3Error: the configuration or a model's folder cannot be read.
    """
    default = model_name(settle({}).settings)
    table = [("NAME", "SIZE", "")]
    table += [(row.name, memory.shown_bytes(row.nbytes), _notes(row, default)) for row in _rows()]
    width = max(len(name) for name, _, _ in table)
    for name, size, notes in table:
        terminal.data(f"{name:<{width}}  {size:>8}  {notes}".rstrip())
    terminal.aside("fetch one: qwen3-mlx pull NAME")


def _rows() -> Iterator[Row]:
    downloaded = {model.name: model for model in hub.list_downloaded()}
    for name in bundled.NAMES:
        files = hub.resolve(name).path.iterdir()
        yield Row(name, sum(file.stat().st_size for file in files), ("bundled",))
    available = memory.machine_memory()
    for model in catalog.CATALOG:
        local = downloaded.pop(model.repo, None)
        notes = "downloaded" if local else "", _too_large(model, available)
        yield Row(model.alias, local.nbytes if local else model.gigabytes * 1e9, notes)
    for name, local in downloaded.items():
        yield Row(clean_line(name), local.nbytes, ("downloaded",))


def _too_large(model: catalog.CatalogModel, available: int) -> str:
    return "too large for this machine" if model.needed_bytes > available else ""


def _notes(row: Row, default: str) -> str:
    return ", ".join(filter(None, (*row.notes, "default" if row.name == default else "")))
