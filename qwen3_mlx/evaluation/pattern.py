"""Patterns from strangers' files, looked for within a bound on time.

Knows Python's regular expressions. They backtrack: one of a few letters can take longer than the
world has stood, on some texts alone, and cannot be stopped from within. So each is looked for in a
process of its own, which takes a few hundredths of a second to start. Does not know what the text
is.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import warnings
from pathlib import Path

from qwen3_mlx.evaluation.pattern_worker import FOUND

MAX_CHARACTERS = 1000
"""Of a pattern."""

CPU_SECONDS = 1.0

# On a busy machine it may wait long for its second of CPU time.
_WALL_SECONDS = 30.0
_WORKER = Path(__file__).with_name("pattern_worker.py")


def check_pattern(pattern: str) -> str:
    """Why a text is no pattern that can be looked for; empty if it is one."""
    if len(pattern) > MAX_CHARACTERS:
        return f"it is longer than {MAX_CHARACTERS} characters"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        return str(error)
    return ""


def found(pattern: str, text: str) -> bool:
    """Whether the pattern is somewhere in the text; not when that takes over a second to tell."""
    job = json.dumps({"pattern": pattern, "text": text, "seconds": CPU_SECONDS})
    # Isolated and without the site's packages it starts sooner, and finds no other `re` or `json`.
    command = [sys.executable, "-I", "-S", str(_WORKER)]
    try:
        done = subprocess.run(
            command, input=job.encode(), capture_output=True, timeout=_WALL_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == FOUND
