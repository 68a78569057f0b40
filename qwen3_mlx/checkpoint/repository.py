"""A repository on the Hugging Face Hub, one file at a time, at one revision.

Knows huggingface_hub, which takes half a second to import and is imported where it is used. Knows
nothing of its cache: :mod:`qwen3_mlx.checkpoint.fetch` does. Does not know what is in the files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

from qwen3_mlx.checkpoint.fetch import ALLOWED, Progress, explained, misunderstood, relay
from qwen3_mlx.errors import FetchError, ModelFileError, ModelNotFoundError

if TYPE_CHECKING:
    from huggingface_hub.hf_api import RepoSibling

REVISION = re.compile(r"[0-9a-f]{40}")
SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class RemoteFile:
    """A file as the Hub describes it.

    Attributes:
        sha256: None for files that are kept in git itself; only small ones are.
    """

    name: str
    nbytes: int
    sha256: str | None


class Repository:
    """The files of a model that are of use, at the revision that was the newest when it was opened.

    Args:
        name: Its id, such as `Qwen/Qwen3-8B`.

    Attributes:
        revision: The commit.
        files: By name; none in subfolders.

    Raises:
        ModelNotFoundError: There is no such repository, the Hub cannot be reached, or what came
            is no answer of it.
    """

    def __init__(self, name: str) -> None:
        from huggingface_hub import HfApi

        try:
            with explained(name):
                info = HfApi().model_info(name, files_metadata=True)
            self.revision = _checked(name, info.sha, REVISION)
            described = [_described(name, sibling) for sibling in info.siblings or ()]
        except FetchError as error:
            raise ModelNotFoundError(
                error.message, hint="Check the connection, HF_ENDPOINT and HF_HUB_OFFLINE."
            ) from error
        self.name = name
        self.files = {file.name: file for file in described if _is_of_use(file.name)}

    def read_start(self, name: str, count: int) -> bytes:
        """The first bytes of a file, all of them if there are fewer than `count`.

        Raises:
            ModelFileError: There is no such file.
            FetchError: The connection broke off.
        """
        from huggingface_hub import get_session, get_token, hf_hub_url, hf_raise_for_status

        last = min(count, self.file(name).nbytes) - 1
        url = hf_hub_url(self.name, name, revision=self.revision)
        headers = {"Range": f"bytes=0-{last}"}
        if token := get_token():
            headers["Authorization"] = f"Bearer {token}"
        with explained(self.name):
            response = get_session().get(url, headers=headers)
            hf_raise_for_status(response)
        return bytes(response.content[: last + 1])

    def fetch(self, names: Iterable[str], folder: Path, progress: Progress | None) -> None:
        """Fetch files into a folder. What is there in part is completed.

        Raises:
            FetchError: The connection broke off.
        """
        from huggingface_hub import snapshot_download

        wanted = [self.file(name) for name in names]
        try:
            with explained(self.name):
                snapshot_download(
                    self.name,
                    revision=self.revision,
                    local_dir=folder,
                    allow_patterns=[file.name for file in wanted],
                    tqdm_class=relay(progress, sum(file.nbytes for file in wanted)),
                )
        except ModelNotFoundError as error:  # it was there when it was opened
            raise FetchError(error.message, hint=error.hint) from error

    def file(self, name: str) -> RemoteFile:
        """What the Hub says of a file.

        Raises:
            ModelFileError: There is no such file.
        """
        if name not in self.files:
            raise ModelFileError(f"the repository {self.name} has no file {name}")
        return self.files[name]


def _described(repo: str, sibling: RepoSibling) -> RemoteFile:
    """A file as the Hub describes it, which names folders, sizes and digests here."""
    name, size = sibling.rfilename, sibling.size or 0
    if not isinstance(name, str) or not isinstance(size, int) or size < 0:
        raise misunderstood(repo, sibling)
    sha256 = _checked(repo, sibling.lfs.sha256, SHA256) if sibling.lfs else None
    return RemoteFile(name, size, sha256)


def _checked(repo: str, value: object, pattern: re.Pattern[str]) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise misunderstood(repo, value)
    return value


def _is_of_use(name: str) -> bool:
    return "/" not in name and any(fnmatch(name, pattern) for pattern in ALLOWED)
