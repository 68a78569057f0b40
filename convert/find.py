"""Where a source is.

Knows names, folders, the Hugging Face cache's and how to fetch into it. Does not open anything.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from qwen3_mlx.checkpoint.fetch import cached_path
from qwen3_mlx.checkpoint.hub import download, repo_id, resolve
from qwen3_mlx.errors import UsageError

CACHED = "models--"


def find_source(name: str | Path) -> Path:
    """The folder or file that a person means, links resolved.

    Raises:
        ModelNotFoundError: There is none.
    """
    path = Path(name).expanduser()
    return (path if path.exists() else resolve(str(name)).path).resolve()


def find_or_fetch(
    name: str | Path, progress: Callable[[str, int, int], None] | None = None
) -> Path:
    """As `find_source`, but a repository that is not on this machine is fetched.

    Args:
        name: As a person gave it.
        progress: Called with the name, bytes fetched and bytes to fetch, from any thread.

    Raises:
        ModelNotFoundError: There is none, or the Hub cannot be reached.
        UnsupportedModelError: It is no Qwen3; nothing but its config was fetched.
        FetchError: The connection broke off.
    """
    text = str(name)
    if is_remote(text):
        download(text, None if progress is None else partial(progress, text))
    return find_source(name)


def check_not_here(name: str) -> None:
    """Refuse to delete what convert did not fetch.

    Raises:
        UsageError: The name means something on this machine.
        ModelNotFoundError: It means nothing.
    """
    if not is_remote(name):
        raise UsageError(
            f"the source {find_source(name)} is on this machine, and only what is fetched to be "
            "converted is deleted after it",
            hint="Leave out --delete-source (delete_source).",
        )


def is_remote(name: str) -> bool:
    """Whether a name means a repository of which this machine has no complete copy."""
    repo = None if Path(name).expanduser().exists() else repo_id(name)
    return repo is not None and cached_path(repo) is None


def origin_of(path: Path) -> dict[str, object]:
    """What a source is called: a repository and its revision, or the name of a folder alone.

    Args:
        path: As from `find_source`.
    """
    repo = path.parent.parent.name
    if path.parent.name == "snapshots" and repo.startswith(CACHED):
        return {"name": repo.removeprefix(CACHED).replace("--", "/"), "revision": path.name}
    return {"name": path.name}
