"""A model folder asked one question in a process of its own, by `load` and by `qwen3-mlx ask`.

Knows how a process is told of folders, one a line, and how its death or silence is noticed. Does
not know what is wrong with a folder.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

QUESTION = "What is 47 + 86 + 12?"
MOST_TOKENS = 200
"""A folder that is not sound may never stop talking."""
PATIENCE = 120.0
"""Seconds for one folder; a sound one takes less than one."""

Kind = Literal["answered", "refused", "traceback", "hang"]


@dataclass(frozen=True, slots=True)
class Said:
    """What came of one way of asking: thoughts and answer, an error's message, or a traceback."""

    kind: Kind
    text: str


@dataclass
class Asker:
    """Asks folders one after another; a process that dies or hangs is replaced.

    Attributes:
        home: For configuration and state, so that a person's own have no say.
        patience: Seconds for one folder.
        module: What answers for the folders: this one, or one that another program is behind.
    """

    home: Path
    patience: float = PATIENCE
    module: str = "tests.trust.asking"
    _process: subprocess.Popen[str] | None = field(default=None, init=False)

    def ask(self, folder: Path) -> list[Said]:
        """By `load`, and by `ask`; one alone if the process ended in it."""
        process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{folder}\n")
        process.stdin.flush()
        ready, _, _ = select.select([process.stdout], [], [], self.patience)
        line = process.stdout.readline() if ready else ""
        if line:
            return [Said(**said) for said in json.loads(line)]
        return [self._ended("traceback" if ready else "hang")]

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _start(self) -> subprocess.Popen[str]:
        places = {name: str(self.home) for name in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME")}
        with self._complaints.open("w") as complaints:
            self._process = subprocess.Popen(
                [sys.executable, "-m", self.module],
                env={**os.environ, **places, "HF_HUB_OFFLINE": "1"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=complaints,
                text=True,
            )
        return self._process

    def _ended(self, kind: Kind) -> Said:
        assert self._process is not None
        self._process.kill()
        self._process.communicate()
        self._process = None
        return Said(kind, self._complaints.read_text("utf-8", "replace")[-1000:])

    @property
    def _complaints(self) -> Path:
        """What the process writes as errors: a file, which unlike a pipe is never full."""
        return self.home / "stderr"


@contextmanager
def asker(patience: float = PATIENCE, module: str = Asker.module) -> Iterator[Asker]:
    with tempfile.TemporaryDirectory() as home:
        asking = Asker(Path(home), patience, module)
        try:
            yield asking
        finally:
            asking.close()


def by_load(folder: str) -> Said:
    import qwen3_mlx

    try:
        reply = qwen3_mlx.load(folder, offline=True).generate(
            QUESTION, seed=0, max_tokens=MOST_TOKENS
        )
    except qwen3_mlx.Qwen3Error as error:
        return Said("refused", error.message)
    return Said("answered", f"{reply.thinking}\n{reply.answer}")


def by_command(folder: str) -> Said:
    from typer.testing import CliRunner

    from qwen3_mlx.cli.app import app

    command = ["ask", QUESTION, "--model", folder, "--json", "--seed", "0", "--offline"]
    command += ["--max-tokens", str(MOST_TOKENS)]
    result = CliRunner().invoke(app, command, catch_exceptions=False)
    if result.exit_code:
        return Said("refused", result.stderr)
    reply = json.loads(result.stdout)
    return Said("answered", f"{reply['thinking']}\n{reply['answer']}")


def serve(*ways: Callable[[str], Said]) -> None:
    """Answers for every folder on standard input with a line of JSON."""
    out, sys.stdout = sys.stdout, sys.stderr  # what others print is no answer
    for line in sys.stdin:
        folder = line.removesuffix("\n")
        out.write(f"{json.dumps([asdict(way(folder)) for way in ways])}\n")
        out.flush()


if __name__ == "__main__":
    serve(by_load, by_command)
