"""Something of ours that writes files, as a job that can be broken off.

Knows how it is called and how its files are looked at. Does not know what breaks it off.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

View = Mapping[str, object]
"""What a person would find in a folder, by name."""


@dataclass(frozen=True)
class Job:
    """Something that changes the files of a folder.

    Attributes:
        name: What it is.
        target: What of the folder it writes, as messages must call it.
        prepare: Makes what was there before.
        run: Does it; returns what a person is told.
        view: What is to be seen of it afterwards.
        unsized: So many of its first changes come before it is known how many bytes there will be.
    """

    name: str
    target: str
    prepare: Callable[[Path], object]
    run: Callable[[Path], Sequence[str]]
    view: Callable[[Path], View]
    unsized: int = 0


def contents(path: Path) -> object:
    """The bytes of a file, or of all files in a folder, by name."""
    if path.is_dir():
        return {entry.name: contents(entry) for entry in path.iterdir()}
    return path.read_bytes()


def visible(folder: Path) -> View:
    """What is in a folder under names that do not begin with a dot."""
    return {path.name: contents(path) for path in folder.iterdir() if path.name[0] != "."}


def hidden(folder: Path) -> list[Path]:
    """What is in a folder under names that begin with a dot."""
    return [path for path in folder.iterdir() if path.name[0] == "."]


def state_of(seen: View, old: View, new: View) -> str:
    """Whether what is seen is old or new; `between` if anything of it is neither."""
    if seen == new:
        return "new"
    if seen == old:
        return "old"
    whole = all(seen[name] in (old.get(name), new.get(name)) for name in seen)
    return "old and new files, each whole" if whole and seen.keys() >= old.keys() else "between"


def nothing(_folder: Path) -> None:
    """Makes nothing."""
