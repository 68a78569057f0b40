"""Run a stranger's chat template where it can do no harm.

Knows processes, limits and exit codes. Does not know what a template means. The template
runs in Jinja's immutable sandbox inside a process of its own, because the sandbox alone
lets a loop of 10^15 rounds and a text of 10 GB pass, and neither can be stopped from within.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from qwen3_mlx.errors import ModelFileError, UsageError
from qwen3_mlx.text import sandbox_worker

# With the start of the process, two seconds at most.
CPU_SECONDS = 1.5
MEMORY_BYTES = 240 * 2**20
MAX_CHARACTERS = 8 * 2**20

# A template on a busy machine may wait long for its CPU time.
_WALL_SECONDS = 30.0
_WORKER = Path(__file__).with_name("sandbox_worker.py")


def render_in_sandbox(
    name: str, template: str, renders: Sequence[Mapping[str, object]]
) -> list[str]:
    """The template's text for each set of variables.

    Args:
        name: The file that the template is from, for messages.
        template: The template's source.
        renders: The variables (JSON values) of each text.

    Raises:
        ModelFileError: The template is broken, unsafe, takes more than 1.5 s of CPU time or
            240 MiB of memory, or writes more than 8 million characters in all.
        UsageError: The template itself refuses these messages.
    """
    job = {
        "template": template,
        "renders": renders,
        "seconds": CPU_SECONDS,
        "memory": MEMORY_BYTES,
        "characters": MAX_CHARACTERS,
    }
    done = _run(name, json.dumps(job).encode())
    if done.returncode:
        raise _error(name, done.returncode, done.stderr.decode("utf-8", "replace"))
    texts: list[str] = json.loads(done.stdout.decode("utf-8", "surrogatepass"))
    return texts


def _run(name: str, job: bytes) -> subprocess.CompletedProcess[bytes]:
    # -P keeps this folder's module names from hiding the standard library's.
    command = [sys.executable, "-P", str(_WORKER)]
    try:
        return subprocess.run(
            command,
            input=job,
            capture_output=True,
            timeout=_WALL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _endless(name) from None


def _error(name: str, code: int, stderr: str) -> ModelFileError | UsageError:
    reason = (stderr.strip().splitlines() or [f"it ended with code {code}"])[-1][:200]
    if code == -signal.SIGPROF:
        return _endless(name)
    if code == sandbox_worker.EXIT_REFUSED:
        return UsageError(f"the chat template in {name} refuses these messages: {reason}")
    if code == sandbox_worker.EXIT_TOO_LARGE:
        return ModelFileError(f"the chat template in {name} takes too much memory or text")
    if code == sandbox_worker.EXIT_UNSAFE:
        return ModelFileError(f"the chat template in {name} tries to leave its sandbox: {reason}")
    return ModelFileError(f"the chat template in {name} fails: {reason}")


def _endless(name: str) -> ModelFileError:
    return ModelFileError(f"the chat template in {name} does not end within {CPU_SECONDS:g} s")
