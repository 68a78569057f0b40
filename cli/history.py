"""What was typed in earlier chats, for the Up key.

Knows one file of the state folder, a line of JSON for each entry, the oldest first. Does not know
line editors.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from qwen3_mlx.cli.state import replace_file
from qwen3_mlx.errors import Qwen3Error

NAME = "history.jsonl"
MOST = 1000


class TypedLines:
    """The entries of a file; None keeps them in memory alone. They are redacted in the file.

    A file that cannot be read or written, or an entry that cannot be redacted, is no reason not to
    chat: the entries are kept in memory. What went wrong is told once, when there is time for it.
    """

    def __init__(
        self,
        path: Path | None,
        redact: Callable[[str], str] = lambda text: text,
        tell: Callable[[str], None] = lambda _note: None,
    ) -> None:
        self._path = path
        self._redact = redact
        self._tell = tell
        self._untold: str | None = None
        self.entries = [] if path is None else _read(path)

    def add(self, text: str) -> None:
        """One more, unless it is the last one again."""
        if self.entries[-1:] == [text]:
            return
        self.entries = [*self.entries, text][-MOST:]
        if self._path is not None:
            self._merge_into(self._path)

    def tell_problem(self) -> None:
        """Says why the entries are no longer kept, if nobody has been told."""
        if self._untold is not None:
            self._tell(self._untold)
            self._untold = None

    def _merge_into(self, path: Path) -> None:
        """What another chat has added meanwhile stays."""
        try:
            entries = [*_read(path), self._redact(self.entries[-1])][-MOST:]
            lines = [json.dumps(entry, ensure_ascii=False) for entry in entries]
            replace_file(path, "\n".join(lines) + "\n")
        except Qwen3Error as error:
            self._path = None
            self._untold = f"what is typed is not kept for the next chat: {error.message}"


def _read(path: Path) -> list[str]:
    try:
        lines = path.read_text("utf-8").split("\n")
    except (OSError, ValueError):
        return []
    return [entry for line in lines if isinstance(entry := _parsed(line), str)]


def _parsed(line: str) -> object:
    try:
        return json.loads(line) if line[:1] == '"' else None
    except ValueError:
        return None
