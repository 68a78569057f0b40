"""Sizes in bytes, for people. Imports nothing of the project."""

from __future__ import annotations

GIGABYTE = 10**9


def shown_bytes(count: float) -> str:
    """A size for people: ``17.2 GB``, ``6.0 MB``, ``0.5 kB``."""
    if count >= 0.1 * GIGABYTE:
        return f"{count / GIGABYTE:.1f} GB"
    return f"{count / 10**6:.1f} MB" if count >= 10**5 else f"{count / 10**3:.1f} kB"
