"""A model folder loaded and asked with a hook that hears whatever Python runs and starts.

A script, not a module: its process works in the model's folder, which must not be on the path, as
it is not for `qwen3-mlx`. What the hook objects to goes to standard error, a line each.
"""

from __future__ import annotations

import sys
from pathlib import Path

NEVER = ("socket.", "pickle.", "os.system", "os.exec", "os.fork", "ctypes.dlopen")


class Guard:
    """Hears audit events (PEP 578) and keeps those that must not be.

    Args:
        folder: Of the model.
        worker: The one script that may be started.
    """

    def __init__(self, folder: str, worker: str) -> None:
        self.heard: list[str] = []
        self._folder = folder
        self._worker = worker

    def __call__(self, event: str, args: tuple[object, ...]) -> None:
        if self._objects(event, args):
            self.heard.append(f"{event} {args!r:.200}")

    def _objects(self, event: str, args: tuple[object, ...]) -> bool:
        if event in {"compile", "import"}:
            return self._is_inside(args[1])
        if event == "exec":
            return self._is_inside(getattr(args[0], "co_filename", None))
        if event == "subprocess.Popen":
            return self._worker not in args[1]  # type: ignore[operator]
        return event.startswith(NEVER)

    def _is_inside(self, path: object) -> bool:
        """Whether a path, as Python names it, leads into the model's folder."""
        if not isinstance(path, str) or not path or path.startswith("<"):
            return False
        return str(Path(path).absolute()).startswith(self._folder)


def main() -> None:
    """Loads and asks the folder that the process works in."""
    from qwen3_mlx.text import sandbox
    from tests.trust.asking import by_command, by_load

    folder = str(Path.cwd())
    guard = Guard(folder, str(sandbox._WORKER))
    sys.addaudithook(guard)
    said = [by_load(folder), by_command(folder)]
    sys.stdout.write("\n".join(one.kind for one in said))
    sys.stderr.write("\n".join(guard.heard))


if __name__ == "__main__":
    main()
