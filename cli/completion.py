"""What a word of a chat line may go on to be: commands, their choices, files, model names.

Knows the table of commands. Does not know line editors.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from qwen3_mlx import bundled
from qwen3_mlx.checkpoint import catalog
from qwen3_mlx.cli.commands import COMMANDS, SLASH, is_command


def completions(text: str) -> Iterable[str]:
    """Words that may stand in place of the last one of `text`; none where nothing is known."""
    if not is_command(text):
        return ()
    name, space, word = text[len(SLASH) :].partition(" ")
    if not space:
        return (f"{SLASH}{command.name}" for command in COMMANDS if command.name.startswith(name))
    command = next((c for c in COMMANDS if name in (c.name, *c.aliases)), None)
    if command is None or " " in word:
        return ()
    if command.takes == "file":
        return _files(word)
    choices = _models() if command.takes == "model" else command.choices
    return (choice for choice in choices if choice.startswith(word))


def _models() -> list[str]:
    return [*bundled.NAMES, *(model.alias for model in catalog.CATALOG)]


def _files(begun: str) -> list[str]:
    """Paths that begin like this; folders end with a slash."""
    folder, _, name = begun.rpartition("/")
    prefix = f"{folder}/" if "/" in begun else ""
    try:
        entries = sorted(os.scandir(Path(prefix or ".").expanduser()), key=lambda e: e.name)
    except (OSError, RuntimeError):
        return []
    fitting = (e for e in entries if e.name.startswith(name) and not _is_hidden(e.name, name))
    return [f"{prefix}{e.name}{'/' if e.is_dir() else ''}" for e in fitting]


def _is_hidden(entry: str, begun: str) -> bool:
    return entry.startswith(".") and not begun.startswith(".")
