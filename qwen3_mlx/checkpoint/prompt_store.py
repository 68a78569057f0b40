"""What a model has read, saved for the processes to come, and found again by its ids.

Knows how ids are cut into blocks, one file each, that hang together like a tree: prompts that begin
alike share what they begin with. Does not know text, nor whose ids these are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise, takewhile
from operator import eq
from pathlib import Path
from typing import TypeVar

from qwen3_mlx.checkpoint.prompt_arrays import Snapshot
from qwen3_mlx.checkpoint.prompt_file import (
    Block,
    Layout,
    States,
    file_name,
    file_parts,
    place_after,
    read_block,
    read_ids,
)
from qwen3_mlx.checkpoint.prompt_folder import PromptFolder
from qwen3_mlx.errors import ModelFileError, Qwen3Error

BLOCK = 512
"""Tokens of a block at most: as many as the model reads at a time."""

WORTH = 8
"""A block is read for a part of it if that is an eighth or more. Reading a token from a disk takes
much less than an eighth of the time that a model needs for it."""


T = TypeVar("T")


class PromptStore:
    """The saved prompts of one model.

    Whatever goes wrong with a file never stops a conversation: it is noted, and the model reads
    for itself what was to be in it.

    Args:
        folder: Where they are.
        layout: What the caches of the model hold.
        divider: The id that begins each message, if there is one. What stands before the second of
            them, which is the system prompt where there is one, gets blocks of its own.
    """

    def __init__(self, folder: PromptFolder, layout: Layout, divider: int | None = None) -> None:
        self._folder = folder
        self._layout = layout
        self._divider = divider
        self._notes: list[str] = []
        self._saves = True
        self._worker = ThreadPoolExecutor(1, "saving a prompt")
        self._pending: Future[None] | None = None
        try:
            folder.open()
        except OSError as error:
            self._give_up(self._reason(error))

    def find(self, ids: Sequence[int], held: int = 0) -> Iterator[Block]:
        """What was saved of the ids that a prompt begins with, block after block.

        Args:
            ids: Of the prompt.
            held: So many of them are not wanted.
        """
        place, now = self._layout.identity, self._folder.now()
        for depth, (start, stop) in enumerate(spans(ids, self._divider)):
            wanted = list(ids[start:stop])
            if stop > held:
                block = self._longest(place, wanted, max(0, held - start), now - depth)
                if block is None:
                    return
                yield block.cut(max(0, held - start), len(wanted))
                if len(block.ids) < len(wanted):
                    return
            place = place_after(place, wanted)

    def save(self, ids: Sequence[int], states: States) -> None:
        """Begin to save what the caches hold, in the background; :meth:`wait` ends that.

        Args:
            ids: All that they hold.
            states: The caches' buffers, with room for tokens to come.
        """
        if not self._saves:
            return
        try:
            snapshot = Snapshot(self._layout, states)
        except ValueError as error:
            self._give_up(self._reason(error))
        else:
            self._pending = self._worker.submit(self._save, list(ids), snapshot)

    def wait(self) -> None:
        """Return once everything is saved."""
        if self._pending is not None:
            self._pending.result()

    def take_notes(self) -> list[str]:
        """What a person should know: sentences without a full stop, each given once."""
        notes, self._notes = self._notes, []
        return notes

    def _longest(self, place: str, wanted: list[int], held: int, now: int) -> Block | None:
        """What is saved of `wanted`, if it is worth reading where `held` ids are there already."""
        for shared, path in self._candidates(place, wanted, held):
            block = self._checked(read_block, path, place)
            if block is not None:
                self._folder.use(path, now)
                return block.cut(0, shared)
        return None

    def _candidates(self, place: str, wanted: list[int], held: int) -> list[tuple[int, Path]]:
        """Files after a place, and how many of the ids wanted they begin with; most first."""
        whole = self._folder.path / file_name(place, wanted)
        if self._folder.has(whole):
            return [(len(wanted), whole)] if _is_worth(len(wanted) - held, len(wanted)) else []
        found = []
        for path in self._folder.beginning(f"{place}-"):
            ids = self._checked(read_ids, path, place) or []
            shared = sum(takewhile(bool, map(eq, ids, wanted)))
            if _is_worth(shared - held, len(ids)):
                found.append((shared, path))
        return sorted(found, key=lambda candidate: candidate[0], reverse=True)

    def _checked(self, read: Callable[[Path, Layout, str], T], path: Path, place: str) -> T | None:
        """What is in a file; one that is not right is removed."""
        try:
            return read(path, self._layout, place)
        except (ModelFileError, OSError) as error:
            if self._folder.has(path):
                self._folder.remove(path)
                self._notes.append(f"a saved cache was damaged and is rebuilt: {error}")
        return None

    def _save(self, ids: list[int], snapshot: Snapshot) -> None:
        try:
            self._folder.open()  # somebody may have removed it
            self._write(ids, snapshot)
        except Qwen3Error as error:
            self._give_up(error.message)
        except (OSError, MemoryError) as error:
            self._give_up(self._reason(error))

    def _write(self, ids: list[int], snapshot: Snapshot) -> None:
        """Write the blocks that are missing; those before a block stay longer than it does."""
        now, limit = self._folder.now(), self._folder.limit()
        place = self._layout.identity
        for depth, (start, stop) in enumerate(spans(ids, self._divider)):
            block = ids[start:stop]
            path = self._folder.path / file_name(place, block)
            if self._folder.has(path):
                self._folder.use(path, now - depth)
            else:
                parts = [*file_parts(self._layout, place, block, snapshot.rows(start, stop))]
                if not self._folder.add(path.name, parts, limit, now - depth):
                    return
            place = place_after(place, block)

    def _reason(self, error: Exception) -> str:
        why = error.strerror if isinstance(error, OSError) else error
        return f"{self._folder.path}: {why}"

    def _give_up(self, why: str) -> None:
        self._saves = False
        self._notes.append(f"what is read is not saved: {why}")


def spans(ids: Sequence[int], divider: int | None) -> Iterator[tuple[int, int]]:
    """Where the blocks of a prompt begin and end.

    Args:
        ids: Of the prompt.
        divider: A block ends before the second of these ids.
    """
    head = next((i for i, token in enumerate(ids) if i and token == divider), len(ids))
    yield from pairwise([*range(0, head, BLOCK), *range(head, len(ids), BLOCK), len(ids)])


def _is_worth(gained: int, tokens: int) -> bool:
    return gained > 0 and gained * WORTH >= tokens
