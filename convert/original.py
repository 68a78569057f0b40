"""What is converted: a model on this machine, or one on the Hub that comes a file at a time.

Knows where each is found and what is known of its files. Does not know what becomes of it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from qwen3_mlx.checkpoint.hub import repo_id
from qwen3_mlx.checkpoint.repository import Repository
from qwen3_mlx.convert.digests import digests_of, names_of
from qwen3_mlx.convert.find import origin_of
from qwen3_mlx.convert.remote import Fetched, RemoteFolder
from qwen3_mlx.convert.sources import Source, open_source
from qwen3_mlx.errors import FetchError, Qwen3Error


@dataclass(frozen=True)
class Original:
    """A model to convert.

    Attributes:
        model: What it is, and its numbers.
        origin: What it is called; see :func:`qwen3_mlx.convert.find.origin_of`.
        digests: SHA-256 of its weights' files, by name, once they are known.
        release: Told of each file that is not needed any more; None where all stay.
    """

    model: Source
    origin: Mapping[str, object]
    digests: Future[dict[str, str]]
    release: Callable[[Path], None] | None = None


@contextmanager
def opened(folder: Path) -> Iterator[Original]:
    """A model on this machine: a folder, or a GGUF file."""
    model = open_source(folder)
    with digests_of(names_of(folder, model.files)) as digests:
        yield Original(model, origin_of(folder), digests)


@contextmanager
def opened_remotely(name: str, folder: Path, fetched: Fetched | None = None) -> Iterator[Original]:
    """A model on the Hub, of which no more is kept than is still needed.

    Args:
        name: A short name, or a repository's id.
        folder: For what has been fetched. It is there after the context only if an interruption
            ended it, after which the next try goes on with what is in it.
        fetched: Called while a file is fetched.

    Raises:
        ModelNotFoundError: There is no such model, or the Hub cannot be reached.
        ModelFileError: It is damaged, incomplete or not supported.
        FetchError: The connection broke off.
    """
    repository = Repository(repo_id(name) or name)
    try:
        remote = RemoteFolder(repository, _folder_of(repository, folder), fetched)
        digests: Future[dict[str, str]] = Future()
        digests.set_result(remote.sha256)
        model = open_source(remote.folder, remote.take)
        origin = {"name": repository.name, "revision": repository.revision}
        yield Original(model, origin, digests, remote.release)
    except BaseException as error:
        if isinstance(error, Qwen3Error) and not isinstance(error, FetchError):
            shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)


def _folder_of(repository: Repository, folder: Path) -> Path:
    """Where the files of this revision go; those of others are of no use any more."""
    own = folder / repository.revision
    own.mkdir(parents=True, exist_ok=True)
    for other in folder.iterdir():
        if other != own:
            shutil.rmtree(other, ignore_errors=True)
    return own
