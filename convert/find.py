"""Where a source is.

Knows names, folders and the Hugging Face cache's. Does not open anything.
"""

from __future__ import annotations

from pathlib import Path

from qwen3_mlx.checkpoint.hub import resolve

CACHED = "models--"


def find_source(name: str | Path) -> Path:
    """The folder or file that a person means, links resolved.

    Raises:
        ModelNotFoundError: There is none.
    """
    path = Path(name).expanduser()
    return (path if path.exists() else resolve(str(name)).path).resolve()


def origin_of(path: Path) -> dict[str, object]:
    """What a source is called: a repository and its revision, or the name of a folder alone.

    Args:
        path: As from `find_source`.
    """
    repo = path.parent.parent.name
    if path.parent.name == "snapshots" and repo.startswith(CACHED):
        return {"name": repo.removeprefix(CACHED).replace("--", "/"), "revision": path.name}
    return {"name": path.name}
