"""The soft switches `/think` and `/no_think` in what a person wrote.

Knows the two words. Does not know which texts a person typed: pasted files and tool results
must not be passed in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

# A word of its own: sentence punctuation may follow it, nothing else may touch it, so that
# paths (`/think/notes`), longer words and quoted mentions are no switches.
_SWITCH = re.compile(r"(?<!\S)/(no_)?think(?=[.,;:!?]*(?:\s|\Z))")


def find_switch(text: str) -> bool | None:
    """Whether the last switch in the text turns thinking on; None when there is none."""
    found = None
    for match in _SWITCH.finditer(text):
        found = match.group(1) is None
    return found


def latest_switch(texts: Iterable[str]) -> bool | None:
    """The last switch in several texts, oldest first."""
    found = [switch for text in texts if (switch := find_switch(text)) is not None]
    return found[-1] if found else None
