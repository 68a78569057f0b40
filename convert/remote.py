"""A model on the Hugging Face Hub as a folder in which most of the weights are yet to come.

Knows headers, holes and which file is wanted when. Every weights file stands in the folder with
its header, which is all that a plan needs, and a hole where its numbers will be; a file is fetched
when its numbers are first read, and can be given up again. Does not know formats.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qwen3_mlx.checkpoint.header import MAX_HEADER_BYTES, PREFIX_BYTES
from qwen3_mlx.checkpoint.reader import weight_files
from qwen3_mlx.checkpoint.repository import Repository
from qwen3_mlx.convert.ledger import sha256_of
from qwen3_mlx.errors import FetchError

# Most headers of published models are shorter.
FIRST_READ = 128 * 1024
WEIGHTS_SUFFIX = ".safetensors"

# The file that is being fetched, bytes fetched, bytes to fetch.
Fetched = Callable[[str, int, int], None]


class RemoteFolder:
    """A repository's files, as far as they are needed.

    Args:
        repository: Where they come from.
        folder: Where they go; what an earlier try left in it is used.
        progress: Called while a file is fetched, from any thread.

    Attributes:
        sha256: Of the weights' files, by name.

    Raises:
        ModelFileError: A file that belongs to the model is not in the repository.
        FetchError: The connection broke off.
    """

    def __init__(self, repository: Repository, folder: Path, progress: Fetched | None) -> None:
        self.repository = repository
        self.folder = folder
        self._progress = progress
        self._fetch([n for n in repository.files if not n.endswith(WEIGHTS_SUFFIX)])
        self.sha256 = {name: self._prepare(name) for name in weight_files(folder)}

    def take(self, path: Path) -> None:
        """See to it that a weights file is there, with its numbers.

        Raises:
            FetchError: The connection broke off, or what came is not what the Hub has.
        """
        name = path.name
        if self._mark(name).exists():
            return
        path.unlink(missing_ok=True)
        self._fetch([name])
        expected = self.repository.file(name).sha256
        if expected and sha256_of(path) != expected:
            path.unlink()
            raise FetchError(
                f"{name} did not arrive as it is in {self.repository.name}: its SHA-256 differs",
                hint="Run the same command again.",
            )
        self._mark(name).touch()

    def release(self, path: Path) -> None:
        """Give up a weights file's numbers; its header stays."""
        mark = self._mark(path.name)
        if mark.exists():
            header = _header_of(path)
            mark.unlink()
            self._write_header(path.name, header)

    def _fetch(self, names: list[str]) -> None:
        progress = self._progress
        what = names[0] if len(names) == 1 else self.repository.name
        self.repository.fetch(
            names,
            self.folder,
            None if progress is None else lambda done, total: progress(what, done, total),
        )

    def _prepare(self, name: str) -> str:
        """Put a header in its place; the file's digest. Files without one are small: fetched."""
        file = self.repository.file(name)
        path = self.folder / name
        if file.sha256 is None:
            self.take(path)
            return sha256_of(path)
        if not path.exists() or path.stat().st_size != file.nbytes:
            self._mark(name).unlink(missing_ok=True)
            self._write_header(name, self._read_header(name))
        return file.sha256

    def _read_header(self, name: str) -> bytes:
        start = self.repository.read_start(name, FIRST_READ)
        end = _header_end(start)
        return start[:end] if end <= len(start) else self.repository.read_start(name, end)

    def _write_header(self, name: str, header: bytes) -> None:
        """In place of the file, of the same size: file systems keep no zeros for a hole."""
        new = self.folder / f"{name}.new"
        with new.open("wb") as file:
            file.write(header)
            file.truncate(self.repository.file(name).nbytes)
        new.replace(self.folder / name)

    def _mark(self, name: str) -> Path:
        """A file that is there when the numbers of that file are."""
        return self.folder / f"{name}.fetched"


def _header_end(start: bytes) -> int:
    """Where the header ends that begins like this; a lie about it is for the reader to refuse."""
    length = int.from_bytes(start[:PREFIX_BYTES], "little")
    return PREFIX_BYTES + min(length, MAX_HEADER_BYTES)


def _header_of(path: Path) -> bytes:
    with path.open("rb") as file:
        start = file.read(PREFIX_BYTES)
        return start + file.read(_header_end(start) - PREFIX_BYTES)
