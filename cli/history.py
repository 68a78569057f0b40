"""What was typed in earlier chats, for the Up key.

Knows one file of the state folder, a line of JSON for each entry, the oldest first. Does not know
line editors.
"""

from __future__ import annotations

import json
from pathlib import Path

from qwen3_mlx.cli.state import replace_file

NAME = "history.jsonl"
MOST = 1000


class TypedLines:
    """The entries of a file; None keeps them in memory alone.

    A file that cannot be read or written is no reason not to chat: the entries are kept in memory.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.entries = [] if path is None else _read(path)

    def add(self, text: str) -> None:
        """One more, unless it is the last one again."""
        if self.entries[-1:] == [text]:
            return
        self.entries = [*self.entries, text][-MOST:]
        if self._path is not None:
            self._merge_into(self._path)

    def _merge_into(self, path: Path) -> None:
        """What another chat has added meanwhile stays."""
        added = self.entries[-1]
        lines = [json.dumps(entry, ensure_ascii=False) for entry in [*_read(path), added][-MOST:]]
        try:
            replace_file(path, "\n".join(lines) + "\n")
        except OSError:
            self._path = None


def _read(path: Path) -> list[str]:
    try:
        lines = path.read_text("utf-8").split("\n")
    except (OSError, ValueError):
        return []
    return [entry for line in lines if isinstance(entry := _parsed(line), str)]


def _parsed(line: str) -> object:
    try:
        return json.loads(line)
    except ValueError:
        return None
