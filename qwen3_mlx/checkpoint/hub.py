"""From a model's name to its folder: bundled, on this machine, or in the Hugging Face cache.

Knows what names mean and what has been downloaded. Fetches nothing: that is
:mod:`qwen3_mlx.checkpoint.fetch`, and whether to is a caller's decision.
"""

from __future__ import annotations

import difflib
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from qwen3_mlx import bundled
from qwen3_mlx.checkpoint import catalog
from qwen3_mlx.checkpoint.fetch import Progress, cached_path, cached_repos, fetch
from qwen3_mlx.checkpoint.files import is_there
from qwen3_mlx.checkpoint.reader import read_json, resolve_inside
from qwen3_mlx.errors import ModelFileError, ModelNotFoundError
from qwen3_mlx.model.config import MODEL_TYPES

REPO_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*/[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class Source:
    """A model on this machine.

    Attributes:
        kind: Where it came from.
        name: A bundled name, a repository's id, or the folder as it was given.
        path: Its folder.
    """

    kind: Literal["bundled", "hub", "directory"]
    name: str
    path: Path


@dataclass(frozen=True)
class Downloaded:
    """A Qwen3 model in the Hugging Face cache.

    Attributes:
        name: Its repository's id.
        path: Its folder.
        nbytes: What it takes on the disk.
    """

    name: str
    path: Path
    nbytes: int


def resolve(name: str, *, offline: bool = False) -> Source:
    """Find the model that a name means; the network is not asked.

    A bundled name comes before a short name, both before a folder, and a folder before a
    repository: ``./tiny`` is the folder.

    Args:
        name: A bundled name, a short name (``8b``), a repository's id or a folder.
        offline: Whether the person asked for no network; only changes what an error says.

    Raises:
        ModelNotFoundError: It is not on this machine; says which command fetches it.
    """
    if name in bundled.NAMES:
        return _bundled(name)
    repo = repo_id(name)
    if repo is None:
        return _directory(name)
    path = cached_path(repo)
    if path is None:
        raise _not_fetched(name, repo, offline=offline)
    return Source("hub", repo, path)


def repo_id(name: str) -> str | None:
    """The repository on the Hub that a name means; None for anything else."""
    if name in bundled.NAMES:
        return None
    model = catalog.find(name)
    if model is not None:
        return model.repo
    here = _is_there(name) or _names_gguf(name)
    return name if REPO_ID.fullmatch(name) and not here else None


def download(name: str, progress: Progress | None = None) -> Path:
    """Fetch a model from the Hub, or what is missing of it or newer there.

    Files that an earlier, broken-off try completed are kept; a broken connection is taken up
    where it broke.

    Args:
        name: A short name or a repository's id.
        progress: Called with bytes fetched and bytes to fetch, from any thread.

    Returns:
        The model's folder in the Hugging Face cache.

    Raises:
        ModelNotFoundError: There is no such model, or the Hub cannot be reached.
        UnsupportedModelError: It is no Qwen3; nothing but its config was fetched.
        ModelFileError: It has no usable config.
        FetchError: The connection broke off for good, or the disk is full.
    """
    if name in bundled.NAMES:
        return _bundled(name).path
    repo = repo_id(name)
    if repo is None:
        raise _unknown(name)
    return fetch(repo, progress)


def list_downloaded() -> list[Downloaded]:
    """The complete Qwen3 models in the Hugging Face cache, by name."""
    found = []
    for repo, nbytes in cached_repos():
        path = cached_path(repo)
        if path is not None and _is_qwen3(path):
            found.append(Downloaded(repo, path, nbytes))
    return sorted(found, key=lambda model: model.name)


def _bundled(name: str) -> Source:
    path = bundled.bundled_path(name)
    if not path.is_dir():
        raise ModelNotFoundError(
            f"the bundled model {name} is missing from {path.parent}",
            hint="Install the package again.",
        )
    return Source("bundled", name, path)


def _directory(name: str) -> Source:
    if _is_folder(name):
        return Source("directory", name, _with_model(name))
    if _names_gguf(name):
        raise _not_converted(name)
    if _is_there(name):
        raise ModelNotFoundError(
            f"{name} is a file: a model is a folder",
            hint="Name the folder that its config.json and weights are in.",
        )
    if name.startswith((".", "/", "~")):
        raise ModelNotFoundError(f"there is no folder {name}")
    raise _unknown(name)


def _with_model(name: str) -> Path:
    path = Path(name).expanduser()
    try:
        empty = not (is_there(path / "config.json") or any(path.glob("*.safetensors")))
    except (OSError, ModelFileError):  # may not be read, which is said by whoever tries
        empty = False
    if empty:
        raise ModelNotFoundError(
            f"the folder {name} holds no model: neither config.json nor weights",
            hint="Name the folder that they are in.",
        )
    return path


def _is_folder(name: str) -> bool:
    return _is_there(name) and Path(name).expanduser().is_dir()


def _is_there(name: str) -> bool:
    try:
        return bool(name) and Path(name).expanduser().exists()
    except (OSError, RuntimeError, ValueError):  # too long; no home to expand ~ to; a zero byte
        return False


def _names_gguf(name: str) -> bool:
    return name.lower().endswith(".gguf")


def _not_converted(name: str) -> ModelNotFoundError:
    if not _is_there(name):
        return ModelNotFoundError(f"there is no file {name}")
    return ModelNotFoundError(
        f"{name} is a GGUF file: it is converted before it is run",
        hint=f"Try: qwen3-mlx convert {shlex.quote(name)} FOLDER",
    )


def _unknown(name: str) -> ModelNotFoundError:
    known = [*bundled.NAMES, *(model.alias for model in catalog.CATALOG)]
    close = difflib.get_close_matches(name.lower(), known, n=1)
    return ModelNotFoundError(
        f"there is no model called {name!r}",
        hint=f"Did you mean {close[0]}?" if close else "`qwen3-mlx models` lists the names.",
    )


def _not_fetched(name: str, repo: str, *, offline: bool) -> ModelNotFoundError:
    model = catalog.find(name)
    which = f"{name} ({repo}, {model.gigabytes:g} GB)" if model else name
    why = ", and --offline forbids to fetch it" if offline else ""
    return ModelNotFoundError(
        f"the model {which} is not on this machine{why}",
        hint=f"Fetch it with `qwen3-mlx pull {name}`.",
    )


def _is_qwen3(path: Path) -> bool:
    try:
        return read_json(resolve_inside(path, "config.json")).get("model_type") in MODEL_TYPES
    except ModelFileError:
        return False
