"""What a process holds: memory, open handles, threads.

Knows how each is read, and how what was freed is handed back to the system before: on glibc, freed
memory stays with the process, more or less of it from run to run. Does not know what the process
does.
"""

from __future__ import annotations

import ctypes
import gc
import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import mlx.core as mx


@dataclass(frozen=True)
class Weight:
    """What the process holds between two lines.

    Attributes:
        resident: Bytes, without those that the process has freed, where the system can tell.
        blocks: Of Python's memory.
        active: Bytes of arrays.
        handles: Open.
        threads: Running.
    """

    resident: int
    blocks: int
    active: int
    handles: int
    threads: int


def weigh() -> Weight:
    """What this process holds now."""
    gc.collect()
    hand_back()
    return Weight(
        resident=resident(),
        blocks=sys.getallocatedblocks(),
        active=mx.get_active_memory(),
        handles=sum(1 for _ in Path("/dev/fd").iterdir()),
        threads=threading.active_count(),
    )


def hand_back() -> None:
    """Gives what was freed back to the system (malloc_trim(3)), which only glibc is asked for."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def resident() -> int:
    """Bytes of memory that the process has at this moment."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except OSError:
        told = subprocess.run(
            ["ps", "-o", "rss=", "-p", str(os.getpid())], capture_output=True, check=True
        )
        return int(told.stdout) * 1024
    return pages * os.sysconf("SC_PAGE_SIZE")
