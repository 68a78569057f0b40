"""Models from the Hugging Face Hub into its cache, and what that cache holds.

Knows huggingface_hub, which takes half a second to import and is imported where it is used. Does
not know short names, nor what is in the files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from qwen3_mlx.checkpoint.reader import read_json
from qwen3_mlx.errors import FetchError, ModelFileError, ModelNotFoundError
from qwen3_mlx.model import Qwen3Config

if TYPE_CHECKING:
    from huggingface_hub.utils.tqdm import tqdm

# Bytes fetched, bytes to fetch.
Progress = Callable[[int, int], None]

# Weights, tokenizer, template and licence; never a pickle, nothing out of a subfolder.
ALLOWED = [
    "*.json",
    "*.safetensors",
    "*.jinja",
    "*.txt",
    "tokenizer.model",
    "LICENSE",
    "LICENSE.md",
    "NOTICE",
    "NOTICE.md",
    "README.md",
]
IGNORED = ["*/*"]

# What huggingface_hub ends in when an answer is a page to log in, or cut off.
_MISUNDERSTOOD = (ValueError, TypeError, KeyError, AttributeError, RecursionError)

BYTES_BAR = "huggingface_hub.snapshot_download"


def cached_path(repo: str) -> Path | None:
    """The folder of a repository in the cache; None if it is not there or not complete."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        path = snapshot_download(
            repo, local_files_only=True, allow_patterns=ALLOWED, ignore_patterns=IGNORED
        )
    except (LocalEntryNotFoundError, HFValidationError, UnicodeDecodeError):
        return None
    return Path(path)


def cached_repos() -> list[tuple[str, int]]:
    """The ids of all model repositories in the cache, and the bytes each takes on the disk.

    Raises:
        ModelFileError: The cache is damaged.
    """
    from huggingface_hub import constants, scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        repos = scan_cache_dir(constants.HF_HUB_CACHE).repos
    except CacheNotFound:
        return []
    except UnicodeDecodeError as error:
        raise ModelFileError(
            f"a file under refs/ in {constants.HF_HUB_CACHE} names no revision: {error}",
            hint="Remove that file, or the model's folder, and fetch the model again.",
        ) from error
    return [(repo.repo_id, repo.size_on_disk) for repo in repos if repo.repo_type == "model"]


def fetch(repo: str, progress: Progress | None) -> Path:
    """Fetch a repository, or what is missing of it; see :func:`qwen3_mlx.checkpoint.hub.download`.

    The config comes first, so that a model of another kind is refused before its weights come.
    """
    with explained(repo):
        config = _snapshot(repo, "config.json", progress=None, total=0) / "config.json"
        Qwen3Config.from_hf(read_json(config))
        return _snapshot(repo, *ALLOWED, progress=progress, total=_bytes_to_fetch(repo))


def _snapshot(repo: str, *patterns: str, progress: Progress | None, total: int) -> Path:
    from huggingface_hub import snapshot_download

    path = snapshot_download(
        repo,
        allow_patterns=list(patterns),
        ignore_patterns=IGNORED,
        tqdm_class=relay(progress, total),
    )
    return Path(path)


def _bytes_to_fetch(repo: str) -> int:
    from huggingface_hub import snapshot_download

    files = snapshot_download(
        repo,
        allow_patterns=ALLOWED,
        ignore_patterns=IGNORED,
        dry_run=True,
        tqdm_class=relay(None, 0),
    )
    return sum(file.file_size or 0 for file in files if file.will_download)


def relay(progress: Progress | None, total: int) -> type[tqdm]:
    """A progress bar that shows nothing and hands its counts on."""
    from huggingface_hub.utils.tqdm import tqdm

    done = 0
    lock = Lock()

    class Relay(tqdm):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self._counts = progress is not None and kwargs.get("name") == BYTES_BAR
            # tqdm is not annotated.
            super().__init__(*args, **{**kwargs, "disable": True})  # type: ignore[no-untyped-call]

        def update(self, n: float | None = 1) -> None:
            nonlocal done
            if progress is None or not self._counts:
                return
            with lock:
                done += int(n or 0)
                progress(done, total)

    return Relay


@contextmanager
def explained(repo: str) -> Iterator[None]:
    """Turn huggingface_hub's errors into ours.

    Raises:
        ModelNotFoundError: There is no such repository, or the Hub cannot be reached.
        FetchError: The connection broke off, or what came is no answer of the Hub.
    """
    from huggingface_hub import errors

    # Of httpx or httpx2, whichever huggingface_hub is built on.
    http_error: type[Exception] = errors.HTTPError  # type: ignore[attr-defined]

    try:
        yield
    except errors.HFValidationError as error:
        raise ModelNotFoundError(f"{repo} cannot be the name of a repository: {error}") from error
    except errors.RepositoryNotFoundError as error:
        raise ModelNotFoundError(
            f"the Hugging Face Hub has no model {repo}, or not for everyone",
            hint="Check the name; for a private or gated model log in with `hf auth login`.",
        ) from error
    except (errors.LocalEntryNotFoundError, errors.DryRunError) as error:
        raise ModelNotFoundError(
            f"{repo} cannot be fetched from the Hugging Face Hub: {_reason(error)}",
            hint="Check the connection, HF_ENDPOINT and HF_HUB_OFFLINE.",
        ) from error
    except (OSError, http_error) as error:
        raise FetchError(
            f"fetching {repo} broke off: {_reason(error)}",
            hint="Run the same command again: files that are complete are kept.",
        ) from error
    except _MISUNDERSTOOD as error:
        raise misunderstood(repo, error) from error


def misunderstood(repo: str, what: object) -> FetchError:
    """What to say of an answer that is none of the Hub's."""
    return FetchError(
        f"what came for {repo} is no answer of the Hugging Face Hub: {what!r:.200}",
        hint="Something on the way may have answered instead: check the connection, HF_ENDPOINT and"
        " proxies. If they are right, remove the model's folder in the Hugging Face cache.",
    )


def _reason(error: Exception) -> str:
    """The first line of what lies behind an error."""
    return str(error.__cause__ or error).partition("\n")[0]
