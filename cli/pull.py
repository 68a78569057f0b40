"""`qwen3-mlx pull`: fetches a model and, if wanted, makes it the one used by default."""

from __future__ import annotations

import shlex
from functools import partial
from pathlib import Path

from qwen3_mlx.checkpoint import catalog, hub
from qwen3_mlx.cli.config import set_model
from qwen3_mlx.cli.progress import showing_progress
from qwen3_mlx.cli.terminal import Terminal


def run(name: str, terminal: Terminal, *, default: bool) -> None:
    """Fetches a model unless it is a folder or bundled, and prints where it is.

    Raises:
        Qwen3Error: there is no such model, or it cannot be fetched.
    """
    fetchable = hub.repo_id(name) is not None
    path = fetch(name, terminal) if fetchable else hub.resolve(name).path
    terminal.data(str(path))
    if not default:
        terminal.aside(f"talk to it: qwen3-mlx chat -m {shlex.quote(name)}")
        return
    is_folder = not fetchable and hub.resolve(name).kind == "directory"
    set_model(str(path.resolve()) if is_folder else name)
    terminal.aside("it is used from now on: qwen3-mlx chat")


def fetch(name: str, terminal: Terminal) -> Path:
    """Fetches a model, in sight.

    Raises:
        Qwen3Error: there is no such model, or it cannot be fetched.
    """
    with showing_progress(terminal) as update:
        return hub.download(name, partial(update, f"fetching {name}"))


def offer(name: str, terminal: Terminal) -> bool:
    """Offers to fetch a model that is missing; whether it was wanted and fetched.

    Raises:
        Qwen3Error: it cannot be fetched.
    """
    repo = hub.repo_id(name)
    if repo is None or not terminal.conversational:
        return False
    known = catalog.find(name)
    size = f", {known.gigabytes:g} GB" if known else ""
    if not terminal.confirm(f"{name} is not on this machine. Fetch {repo}{size}?"):
        return False
    fetch(name, terminal)
    return True
