"""SHA-256 of a source's files, taken in the background while their numbers are converted.

Knows files. Does not know what is in them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event

BLOCK_BYTES = 2**20


@contextmanager
def digests_of(files: Mapping[str, Path]) -> Iterator[Future[dict[str, str]]]:
    """A future of the digests by name; given up when the context ends."""
    stopped = Event()
    with ThreadPoolExecutor(1, "sha256") as pool:
        future = pool.submit(lambda: {n: _digest(path, stopped) for n, path in files.items()})
        try:
            yield future
        finally:
            stopped.set()


def _digest(path: Path, stopped: Event) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while not stopped.is_set() and (block := file.read(BLOCK_BYTES)):
            digest.update(block)
    return digest.hexdigest()


def names_of(folder: Path, files: tuple[Path, ...]) -> dict[str, Path]:
    """Files by the names that they have in a folder, where links may lead to them."""
    if folder.is_file():
        return {path.name: path for path in files}
    names = {path.resolve(): path.name for path in sorted(folder.iterdir())}
    return {names.get(path, path.name): path for path in files}
