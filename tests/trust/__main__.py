"""Every attack with its full count, one after the other: `make fuzz`, or `python -m tests.trust`.

    python -m tests.trust kills templates

runs some of them. What each printed is kept in `tests/trust/figures/`, where docs/trust.md has its
figures from. Does not know what is attacked.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

FIGURES = Path(__file__).parent / "figures"

ROWS = (
    "directories",
    "refusal_cost",
    "parsers",
    "no_code",
    "templates",
    "special_tokens",
    "streaming",
    "display",
    "interrupts",
    "presses",
    "wrong_caches",
    "kills",
    "failing_writes",
    "big_requests",
    "long_chats",
)
"""The modules of this folder that are attacks, in the order of docs/trust.md."""


def run(row: str) -> bool:
    """Runs one attack, shows what it prints and keeps it; whether nothing fell."""
    done = subprocess.run(
        [sys.executable, "-m", f"tests.trust.{row}"], stdout=subprocess.PIPE, text=True, check=False
    )
    FIGURES.mkdir(exist_ok=True)
    (FIGURES / f"{row}.txt").write_text(done.stdout, "utf-8")
    sys.stdout.write(f"{row}\n{done.stdout}\n")
    sys.stdout.flush()
    return done.returncode == 0


def main(asked: Sequence[str]) -> int:
    """Runs the attacks with these names, or all; 1 if something fell, 2 for a name unknown."""
    if unknown := sorted({*asked} - {*ROWS}):
        sys.stderr.write(f"no such attack: {', '.join(unknown)}; there are: {', '.join(ROWS)}\n")
        return 2
    held = [run(row) for row in asked or ROWS]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
