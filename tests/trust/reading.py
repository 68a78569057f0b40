"""One file put before what reads it: what came of it, how long it took and how much memory.

Knows what may come of reading a file: it is read, or refused by an error of ours that is short
enough to be read. What takes longer than a second of CPU time or 500 MB, and any other exception,
must not be. Does not know kinds of files, nor how they go wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import process_time

from qwen3_mlx.errors import Qwen3Error
from tests.trust.target import Target
from tests.trust.weighing import peak

MOST_SECONDS = 1.0
MOST_BYTES = 500 * 10**6
MOST_CHARACTERS = 4000
"""Of an error's message."""

FINE = frozenset({"read", "refused"})

CLEAR = Path("/proc/self/clear_refs")
PEAK_ALONE = "5"
"""What makes Linux forget the peak, and nothing else (proc_pid_clear_refs(5))."""


@dataclass(frozen=True, slots=True)
class Read:
    """What came of reading one file.

    Attributes:
        outcome: `read`, `refused`, or what must not be.
        seconds: Of CPU time.
        nbytes: By how much memory grew meanwhile, at its peak.
    """

    outcome: str
    seconds: float
    nbytes: int


def try_file(target: Target, data: bytes, frames: int = 0) -> Read:
    """Reads a file with these bytes, below so many frames: Python follows as many levels less."""
    target.path.write_bytes(data)
    forget_peak()
    before, start = peak(), process_time()
    outcome = _outcome(lambda: below(frames, target.read))
    seconds, nbytes = process_time() - start, peak() - before
    if seconds > MOST_SECONDS:
        outcome = "longer than a second"
    elif nbytes > MOST_BYTES:
        outcome = "more than 500 MB"
    return Read(outcome, seconds, nbytes)


def forget_peak() -> None:
    """The peak begins anew; elsewhere than on Linux, where it cannot, growth beyond it counts."""
    with suppress(OSError):
        CLEAR.write_text(PEAK_ALONE, "ascii")


def below(frames: int, read: Callable[[], object]) -> object:
    """Reads with so many frames more on the stack."""
    return below(frames - 1, read) if frames else read()


def _outcome(read: Callable[[], object]) -> str:
    try:
        read()
    except Qwen3Error as error:
        said = f"{error.message}{error.hint or ''}"
        return "refused" if 0 < len(said) < MOST_CHARACTERS else "an endless message"
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is what this looks for
        return type(error).__name__
    return "read"
